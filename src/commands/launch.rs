//! Starting a run for somebody who only watches: this same program, headless, in a session of its own. It outlives whoever
//! started it, the terminal's hangup and ctrl-c. Never waits for a run to end, never reads its journals.
//!
//! The new process plans for itself and refuses a plan whose digest is not the one that was confirmed. It says in one line
//! which run it is as soon as that has begun; until then all that it has to say is why it did not begin.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;

use rustix::fs::MemfdFlags;
use serde::{Deserialize, Serialize};

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::domain::sanitize;
use crate::domain::seed::Seed;
use crate::domain::verdict::exit;
use crate::store::layout::RunDir;
use crate::store::mortal;
use crate::store::run_id::RunId;

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A flow at the points of a margin.
    Fresh {
        /// A path from the current folder, else from the workspace, else a name.
        flow: String,
        /// Likewise.
        margin: String,
        /// The seed that was confirmed, given or drawn.
        seed: Seed,
    },
    /// The plan of a run again.
    Stored {
        /// Its id.
        run: String,
        /// Only what failed.
        failed: bool,
        /// Only these, `s03,s07`.
        sub_runs: Option<String>,
    },
    /// A run that was interrupted, from where it stopped. Its unit and its limits are its own.
    Interrupted {
        /// Its id.
        run: String,
    },
}

/// A run that somebody has confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// What.
    pub what: What,
    /// The unit under test.
    pub unit: Option<String>,
    /// Everything but the execution.
    pub dry_run: bool,
    /// Stop after so many failed sub-runs.
    pub max_fail: Option<u32>,
    /// Beside another run on this host.
    pub allow_concurrent: bool,
    /// Of the plan that was confirmed.
    pub digest: String,
}

impl Launch {
    /// The headless command that does this, word by word, as a person would type it.
    pub fn words(&self) -> Vec<String> {
        let mut words = vec!["road_runner".to_owned()];
        words.extend(self.arguments(str::to_owned));
        words
    }

    /// The same as a line for a shell.
    pub fn line(&self) -> String {
        self.words().iter().map(|word| sanitize::shell_word(word)).collect::<Vec<_>>().join(" ")
    }

    /// The command and its flags; `document` says how a flow or a margin is named.
    fn arguments(&self, document: impl Fn(&str) -> String) -> Vec<String> {
        let mut words = vec![];
        match &self.what {
            What::Fresh { flow, margin, seed } => {
                words.push("run".to_owned());
                option(&mut words, "--flow", &document(flow));
                option(&mut words, "--margin", &document(margin));
                option(&mut words, "--seed", &seed.to_string());
            }
            What::Stored { run, failed, sub_runs } => {
                words.extend(["rerun".to_owned(), run.clone()]);
                words.extend(failed.then(|| "--failed".to_owned()));
                if let Some(sub_runs) = sub_runs {
                    option(&mut words, "--subruns", sub_runs);
                }
            }
            What::Interrupted { run } => words.extend(["resume".to_owned(), run.clone()]),
        }
        if !matches!(self.what, What::Interrupted { .. }) {
            if let Some(unit) = &self.unit {
                option(&mut words, "--unit", unit);
            }
            words.extend(self.dry_run.then(|| "--dry-run".to_owned()));
            if let Some(most) = self.max_fail {
                option(&mut words, "--max-fail", &most.to_string());
            }
        }
        words.extend(self.allow_concurrent.then(|| "--allow-concurrent".to_owned()));
        words
    }
}

/// A flag with its value: one word where the value could be taken for a flag.
fn option(words: &mut Vec<String>, flag: &str, value: &str) {
    if value.starts_with('-') {
        words.push(format!("{flag}={value}"));
    } else {
        words.extend([flag.to_owned(), value.to_owned()]);
    }
}

/// What the new process says on stdout once its run has begun: one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The run.
    pub run_id: String,
    /// Its record, for people: a path may be more than text.
    pub dir: String,
}

/// How the process of a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it said on stderr, without what could move a cursor; mostly nothing.
    pub said: String,
}

/// A run that has begun, in a process of its own.
#[derive(Debug, Clone)]
pub struct Started {
    /// The run.
    pub run_id: String,
    /// Its record.
    pub dir: PathBuf,
    /// Its process, which is the leader of its session.
    pub pid: u32,
    ended: Arc<OnceLock<Ended>>,
}

impl Started {
    /// How its process ended; `None` while it lives. Its journals know sooner and more.
    pub fn ended(&self) -> Option<&Ended> {
        self.ended.get()
    }
}

/// Starts a run and waits until it has begun: as long as planning and recording take, so never in a thread that draws.
///
/// `program` is this program, from [`std::env::current_exe`]. When its file was replaced in the meantime that path ends in
/// ` (deleted)` and leads nowhere; then the very program that runs here is started, through `/proc/self/exe`: what was
/// confirmed is carried out by what it was confirmed in.
///
/// Errors: it could not be started; or it did not begin, with what it said and the kind that its exit code tells.
pub fn start(context: &Context, program: &Path, launch: &Launch) -> Result<Started, Failure> {
    let failed = |error: io::Error| Failure::rig(format!("failed to start {}: {error}", program.display()));
    // In memory, under no name: a file that is never full, never in the way, and gone with its last reader.
    let said = rustix::fs::memfd_create("road_runner stderr", MemfdFlags::CLOEXEC).map_err(|e| failed(e.into()))?;
    let said = File::from(said);
    let mut command = command(context, program, launch);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(said.try_clone().map_err(failed)?);
    let mut child = command.spawn().map_err(failed)?;
    let Some(id) = child.stdout.take().and_then(announced) else {
        let status = child.wait().map_err(failed)?;
        return Err(failure(&text(&said), status));
    };
    let (run_id, dir) = (id.to_string(), RunDir::at(&context.runs, &id).root().to_owned());
    let (pid, ended) = (child.id(), Arc::new(OnceLock::new()));
    let slot = Arc::clone(&ended);
    // Where there can be no thread, nobody learns the exit code; the journals say it as well.
    drop(thread::Builder::new().name("reaper".to_owned()).spawn(move || reap(child, &said, &slot)));
    Ok(Started { run_id, dir, pid, ended })
}

/// The new process: where it works is said outright, and all that our own context was made of is handed on.
///
/// Handlers of signals end with our program, as `exec` has it; what whoever started us had ignored stays ignored, so that
/// a run under `nohup` outlives a hangup. A run listens to SIGINT, SIGTERM and SIGUSR1 in any case.
fn command(context: &Context, program: &Path, launch: &Launch) -> Command {
    let program = if program.is_file() { program } else { Path::new("/proc/self/exe") };
    // From the workspace a path means something else than from the current folder.
    let document = |named: &str| {
        let here = context.current.join(named);
        let is_path = context.current != context.workspace && !named.is_empty() && here.is_file();
        here.to_str().filter(|_| is_path).unwrap_or(named).to_owned()
    };
    let mut command = Command::new(program);
    command.args(launch.arguments(document));
    command.args(["--yes", "--detached", "--confirmed", &launch.digest, "--no-tui", "--color", "never"]);
    let folders = [("--workspace", &context.workspace), ("--runs-dir", &context.runs)];
    command.args(folders.iter().flat_map(|(flag, folder)| [OsString::from(flag), folder.as_os_str().to_owned()]));
    command.current_dir(&context.workspace);
    command.env_remove(mortal::VARIABLE);
    command.env("PATH", &context.path).env("HOME", &context.home);
    command.env("ROAD_RUNNER_SYSFS", context.current.join(&context.roots.sysfs));
    command.env("ROAD_RUNNER_PROCFS", context.current.join(&context.roots.procfs));
    // Where others are given, there is a kernel log only when it is given too; an empty path is none.
    let log = &context.roots.kmsg;
    command.env("ROAD_RUNNER_KMSG", if log.as_os_str().is_empty() { log.clone() } else { context.current.join(log) });
    if let [lock] = context.host_locks.as_slice() {
        command.env("ROAD_RUNNER_HOST_LOCK", lock);
    }
    command
}

/// The run that has begun; `None` once its process has ended without saying so.
fn announced(stdout: impl Read) -> Option<RunId> {
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    lines.find_map(|line| RunId::parse(&serde_json::from_str::<Announcement>(&line).ok()?.run_id).ok())
}

fn reap(mut child: Child, said: &File, slot: &OnceLock<Ended>) {
    if let Ok(status) = child.wait() {
        drop(slot.set(Ended { code: status.code(), said: text(said) }));
    }
}

/// So much of what a process said is kept, from its end.
const MOST_SAID: u64 = 256 * 1024;

/// What a process has written, without what could move a cursor. Read by its place: the process writes at its own.
fn text(said: &File) -> String {
    let from = said.metadata().map_or(0, |metadata| metadata.len()).saturating_sub(MOST_SAID);
    let (mut bytes, mut piece) = (vec![], [0; 8192]);
    while let Ok(count @ 1..) = said.read_at(&mut piece, from + bytes.len() as u64) {
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
    sanitize::text(&String::from_utf8_lossy(&bytes)).into_owned()
}

/// Why a run did not begin: its words as they were rendered, without the first `error: ` and with the hint apart, since
/// whoever shows a failure puts them there again.
fn failure(said: &str, status: ExitStatus) -> Failure {
    let said = said.trim_end();
    let said = said.strip_prefix("error: ").unwrap_or(said);
    let (message, hint) = match said.rsplit_once("\nhelp: ") {
        Some((message, hint)) if !hint.contains('\n') => (message, Some(hint)),
        _ => (said, None),
    };
    let message = match message {
        "" => format!("the run did not begin: its process ended with {status}"),
        message => message.to_owned(),
    };
    let failure = match status.code().and_then(|code| u8::try_from(code).ok()) {
        Some(exit::USAGE) => Failure::usage(message),
        Some(exit::SAFETY) => Failure::safety(message),
        _ => Failure::rig(message),
    };
    match hint {
        Some(hint) => failure.hinted(hint),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;
    use crate::commands::failure::Kind;
    use crate::commands::testing::Bench;
    use crate::host::roots::Roots;

    fn fresh() -> Launch {
        let what = What::Fresh { flow: "flows/x.yaml".to_owned(), margin: "down".to_owned(), seed: 7 };
        Launch { what, unit: None, dry_run: false, max_fail: None, allow_concurrent: false, digest: "ab".to_owned() }
    }

    #[test]
    fn commands_are_what_a_person_would_type() {
        let check = |launch: &Launch, expected: &str| {
            assert_eq!(launch.line(), expected);
            assert_eq!(sanitize::line(&launch.line()), launch.line());
        };
        check(&fresh(), "road_runner run --flow flows/x.yaml --margin down --seed 7");
        let what = What::Stored { run: "rr-1".to_owned(), failed: true, sub_runs: None };
        check(&Launch { what, ..fresh() }, "road_runner rerun rr-1 --failed");
        let what = What::Stored { run: "rr-1".to_owned(), failed: false, sub_runs: Some("s03,s07".to_owned()) };
        let unit = Some("SN 1".to_owned());
        let launch = Launch { what, unit, dry_run: true, max_fail: Some(3), allow_concurrent: true, ..fresh() };
        check(
            &launch,
            "road_runner rerun rr-1 --subruns s03,s07 --unit 'SN 1' --dry-run --max-fail 3 --allow-concurrent",
        );
        let what = What::Interrupted { run: "rr-1".to_owned() };
        let launch =
            Launch { what, unit: Some("SN1".to_owned()), max_fail: Some(3), allow_concurrent: true, ..fresh() };
        check(&launch, "road_runner resume rr-1 --allow-concurrent");
        check(
            &Launch { unit: Some("-x\u{1b}".to_owned()), ..fresh() },
            r"road_runner run --flow flows/x.yaml --margin down --seed 7 '--unit=-x\u{1b}'",
        );
    }

    #[test]
    fn the_new_process_looks_at_the_same_machine() {
        let check = |roots: Roots, expected: [&str; 3]| {
            let mut context = Bench::new().context;
            (context.current, context.roots) = (PathBuf::from("/here"), roots);
            let command = command(&context, Path::new("road_runner"), &fresh());
            let of = |name: &str| {
                let (_, value) = command.get_envs().find(|(key, _)| *key == name).unwrap();
                value.unwrap().to_owned()
            };
            let given = ["ROAD_RUNNER_SYSFS", "ROAD_RUNNER_PROCFS", "ROAD_RUNNER_KMSG"].map(of);
            assert_eq!(given, expected.map(OsString::from));
        };
        check(Roots::default(), ["/sys", "/proc", "/dev/kmsg"]);
        check(
            Roots::under(Path::new("machine")),
            ["/here/machine/sys", "/here/machine/proc", "/here/machine/dev/kmsg"],
        );
        check(Roots { kmsg: PathBuf::new(), ..Roots::under(Path::new("/m")) }, ["/m/sys", "/m/proc", ""]);
    }

    #[test]
    fn why_a_run_did_not_begin() {
        let check = |said: &str, status: i32, kind: Kind, message: &str, hint: Option<&str>| {
            let failure = failure(said, ExitStatus::from_raw(status));
            assert_eq!((failure.kind, &*failure.message, failure.hint.as_deref()), (kind, message, hint), "{said}");
        };
        check("error: too late\nhelp: look again\n", 3 << 8, Kind::Safety, "too late", Some("look again"));
        check("error: too late\n", 2 << 8, Kind::Usage, "too late", None);
        let shown = "bad\n --> a.yaml:1:1\n  |\n1 | x\n\nerror: no";
        check(&format!("error: {shown}\nhelp: do\n"), 3 << 8, Kind::Safety, shown, Some("do"));
        check(&format!("warning: {shown}\n"), 2 << 8, Kind::Usage, &format!("warning: {shown}"), None);
        check("", 9, Kind::Rig, "the run did not begin: its process ended with signal: 9 (SIGKILL)", None);
        check("error: full\n", 4 << 8, Kind::Rig, "full", None);
    }

    #[test]
    fn what_is_said_is_read_from_its_end_and_moves_no_cursor() {
        use std::io::Write as _;
        let mut file = tempfile::tempfile().unwrap();
        let most = usize::try_from(MOST_SAID).unwrap();
        file.write_all(b"gone").unwrap();
        file.write_all(&vec![b'a'; most - 6]).unwrap();
        file.write_all(b"\x1b[2J\xff\n").unwrap();
        assert_eq!(text(&file), format!("{}[2J\u{fffd}\n", "a".repeat(most - 6)));
    }
}
