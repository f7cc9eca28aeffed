//! The shipped controllers as programs, in every shell that is here, against files of their own; and the page about them.
//! Never the regulator of the checkout, never the clock of this machine.

mod cpufreq;
mod page;
mod sim_dut;
mod sim_rail;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What may stand before a script: nothing, which is the shell of its first line, and other shells, where they are.
fn shells() -> Vec<&'static [&'static str]> {
    let known: [&[&str]; 5] = [&[], &["dash"], &["bash", "--posix"], &["busybox", "ash"], &["mksh"]];
    let is_here = |name: &str| ["/bin", "/usr/bin"].iter().any(|folder| Path::new(folder).join(name).is_file());
    known.into_iter().filter(|shell| shell.first().is_none_or(|name| is_here(name))).collect()
}

/// A folder with links to the shipped scripts in `diags/`, and a state folder as the engine would make it.
struct Bench {
    folder: TempDir,
    shell: &'static [&'static str],
    script: &'static str,
}

impl Bench {
    fn new(shell: &'static [&'static str], script: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["diags", "state"] {
            fs::create_dir(folder.path().join(part)).unwrap();
        }
        for name in ["sim_rail.sh", "sim_dut.sh", "cpufreq.sh"] {
            let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("diags").join(name);
            symlink(shipped, folder.path().join("diags").join(name)).unwrap();
        }
        Self { folder, shell, script }
    }

    fn at(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    /// A script with these words, as the engine calls a controller; `D` among them is the folder.
    fn command(&self, script: &str, words: &str) -> Command {
        let path = self.at("diags").join(script);
        let mut command = match self.shell.split_first() {
            None => Command::new(&path),
            Some((shell, options)) => {
                let mut command = Command::new(shell);
                command.args(options).arg(&path);
                command
            }
        };
        command
            .args(
                words.split_whitespace().map(|word| word.replace("D/", &format!("{}/", self.folder.path().display()))),
            )
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("ROAD_RUNNER_RAIL_STATE", self.at("state"))
            .current_dir(self.at("state"))
            .stdin(Stdio::null());
        command
    }

    /// What came of a call: its stdout, or `CODE the last line of stderr`, without line ends and with `D` for the folder.
    /// A success that says something on stderr is both, with ` | ` between them.
    fn said(&self, mut command: Command) -> String {
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).unwrap();
            text.trim_end().replace(self.folder.path().to_str().unwrap(), "D")
        };
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        match (output.status.code(), stderr.lines().last()) {
            (Some(0), None) => stdout,
            (Some(0), Some(warning)) => format!("{stdout} | {warning}"),
            (Some(64), _) => format!("64 {}", stderr.lines().next().unwrap_or_default()),
            (code, last) => format!("{} {}", code.unwrap_or(-1), last.unwrap_or_default()),
        }
    }

    /// Calls the script with these words.
    fn call(&self, words: &str) -> String {
        self.said(self.command(self.script, words))
    }

    /// These calls, one after the other, say this.
    fn talk(&self, calls: &[(&str, &str)]) {
        for (words, expected) in calls {
            assert_eq!(self.call(words), *expected, "{words} in {:?}", self.shell);
        }
    }

    fn read(&self, part: &str) -> String {
        fs::read_to_string(self.at(part)).unwrap_or_else(|error| panic!("{part}: {error}"))
    }
}

/// These calls say this, in every shell, on a new bench each.
fn check(script: &'static str, calls: &[(&str, &str)]) {
    for shell in shells() {
        Bench::new(shell, script).talk(calls);
    }
}
