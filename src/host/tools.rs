//! Which versions of which tools a run used, asked of the tools themselves.
//! Only ever runs what it is given, by absolute path; what they say is theirs, to be sanitised when shown.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::command::{self, CommandError, Limits};
use super::source::Source;

/// A tool to be asked for its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolQuery {
    /// The adapter or tool it is recorded under.
    pub name: String,
    /// The executable, absolute.
    pub path: PathBuf,
    /// The manifest's `version_args`.
    pub args: Vec<String>,
}

/// What a tool said when asked for its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ToolVersion {
    /// The executable asked.
    pub path: PathBuf,
    /// What it was asked with.
    pub args: Vec<String>,
    /// What it said: stdout, or stderr when stdout was empty; at most 64 KiB, bytes not UTF-8 as U+FFFD.
    pub text: String,
    /// How it exited. Tools exist that exit with an error after saying their version.
    pub exit_code: Option<i32>,
}

impl ToolVersion {
    /// The first line that says something: what is compared and shown.
    pub fn first_line(&self) -> &str {
        self.text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
    }
}

/// Asks each tool, one after the other. Each has the whole time limit; one that fails is recorded as that.
pub fn versions(queries: &[ToolQuery], limits: Limits) -> BTreeMap<String, Source<ToolVersion>> {
    queries.iter().map(|query| (query.name.clone(), version(query, limits))).collect()
}

/// Asks one tool.
pub fn version(query: &ToolQuery, limits: Limits) -> Source<ToolVersion> {
    match command::run(&query.path, &query.args, limits) {
        Ok(answer) => {
            if let Some(signal) = answer.signal {
                return Source::Error { detail: format!("{}: ended by signal {signal}", query.path.display()) };
            }
            let said = if answer.stdout.trim_ascii().is_empty() { &answer.stderr } else { &answer.stdout };
            Source::Available {
                value: ToolVersion {
                    path: query.path.clone(),
                    args: query.args.clone(),
                    text: String::from_utf8_lossy(said).trim_end().to_owned(),
                    exit_code: answer.exit_code,
                },
            }
        }
        Err(CommandError::Start { path, error }) => Source::of(path.display(), Err(error)),
        Err(error) => Source::Error { detail: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// With a generous limit: only a tool that hangs is to meet it.
    fn check(path: &str, args: &[&str], expected: &str) {
        check_within(Limits::default().time, path, args, expected);
    }

    fn check_within(time: Duration, path: &str, args: &[&str], expected: &str) {
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let query = ToolQuery { name: "tool".to_owned(), path: path.into(), args };
        let limits = Limits { time, ..Limits::default() };
        let said = match &versions(&[query], limits)["tool"] {
            Source::Available { value } => format!("{:?} {}", value.exit_code, value.first_line()),
            Source::Absent { detail } => format!("absent {detail}"),
            Source::Denied { detail } => format!("denied {detail}"),
            Source::Error { detail } => format!("error {detail}"),
        };
        assert_eq!(said, expected);
    }

    #[test]
    fn each_way_a_tool_can_answer() {
        check("/bin/sh", &["-c", "echo; echo tool 1.2; echo more"], "Some(0) tool 1.2");
        check("/bin/sh", &["-c", "echo tool 1.3 >&2; exit 2"], "Some(2) tool 1.3");
        check("/bin/sh", &["-c", "kill -SEGV $$"], "error /bin/sh: ended by signal 11");
        let hung = "error /bin/sh was still running after 300 ms and was killed";
        check_within(Duration::from_millis(300), "/bin/sh", &["-c", "sleep 100"], hung);
        check("/no/such/tool", &[], "absent /no/such/tool");
        check("/etc", &[], "denied /etc");
        check("tool", &[], "error tool is not an absolute path");
    }
}
