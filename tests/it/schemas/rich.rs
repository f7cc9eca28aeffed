//! A workspace of which a run leaves all that artifacts can hold: jitter, pairs, recipes, bound arguments, metrics of
//! every source, failures, a restore, an end by a rule and one by a signal.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use road_runner::commands::init::init;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

const ADAPTER: &str = r"
name: rich
path: diags/rich.sh
args: [--quiet]
params:
  which: { type: choice, flag: --which, choices: [good, bad], default: good }
  rounds: { type: int, flag: --rounds=, default: 5 }
  ratio: { type: float, flag: --ratio, default: 0.25 }
  loud: { type: bool, flag: --loud, default: true }
  span: { type: duration, flag: --span, unit: ms, default: 1ms }
  vcore: { type: voltage, unit: mV, decimals: 3, flag: --vcore, from: margin.core.voltage, default: 1V }
  fdut: { type: frequency, unit: MHz, flag: --fdut, from: margin.dut.frequency }
  seed: { type: int, flag: --seed, from: seed }
  serial: { type: string, flag: null, from: unit }
env: { A: b }
rails: [bram]
restore: [diags/home.sh]
exit_codes: { pass: [0], fail: [1], skip: [77], error: [2] }
effects: { sdc: [ { exit: 1, stdout_matches: WRONG } ] }
rig_errors: [ { exit: 3, stderr_matches: broken } ]
expect:
  - { stdout_matches: ^done$ }
  - { stderr_absent: broken }
  - { min_duration: { param: span } }
  - { metric: rounds, min: { param: rounds }, max: 100.5 }
metrics:
  - { name: rounds, unit: 1, stdout_regex: 'rounds=([0-9]+)', required: true, min: 1 }
  - { name: late, stderr_regex: 'late=([0-9]+)' }
  - { name: ops, file: ops.json, pointer: /ops/0, max: 9 }
silence: 30s
version_args: [--version]
";

const PROGRAM: &str = "#!/bin/sh\ncase \"$*\" in *--version*) echo rich 1.0; exit;; *'--which bad'*) echo WRONG; exit 1;; esac\n\
    echo '{ \"ops\": [ 7 ] }' > ops.json\necho rounds=5\necho late=2 >&2\nsleep 0.01\necho done\n";

const FLOW: &str = r"
name: rich
steps:
  - name: swept
    adapter: rich
    sweep: { which: [good, bad], rounds: { from: 5, to: 4, step: -1 } }
    repeat: 2
    pass_rule: { at_least: 1 }
  - { name: last, adapter: rich, optional: true, on_failure: stop_subrun }
";

const MARGIN: &str = r"
name: rich
global_seed: 7
nominal: { core: { voltage: 1V, frequency: 3GHz } }
order: shuffled
stop_line: { after: fail, count: 2 }
default:
  core: [ { voltage: 1V, frequency: 3GHz }, { voltage: 0.95V, frequency: 2.8GHz } ]
  dut: { voltage: [1V, 0.9V], frequency: 2GHz }
adapters: { rich: { bram: { voltage: 1V } } }
jitter: { dut.voltage: { max: 2mV, step: 1mV }, rich/bram.voltage: { max: 1mV, step: 500uV } }
";

const RECIPES: &str = r"
name: recipes
recipes:
  - { name: hot, core: { voltage: 1V }, dut: { frequency: 2GHz } }
  - { name: cold, dut: { frequency: 2.1GHz }, adapters: { rich: { bram: { voltage: 0.9V } } } }
";

/// A new workspace with the samples and the rich documents, and a folder of runs.
pub struct Workspace(TempDir);

impl Workspace {
    pub fn new() -> Self {
        let workspace = Self(tempfile::tempdir().unwrap());
        init(workspace.0.path(), Path::new("w")).unwrap();
        for (path, text) in [
            ("adapters/rich.yaml", ADAPTER),
            ("adapters/waits.yaml", "name: waits\npath: diags/waits.sh\n"),
            ("flows/rich.yaml", FLOW),
            ("flows/waits.yaml", "name: waits\nsteps: [ { name: waits, adapter: waits } ]\n"),
            ("margins/rich.yaml", MARGIN),
            ("margins/recipes.yaml", RECIPES),
            ("diags/rich.sh", PROGRAM),
            ("diags/home.sh", "#!/bin/sh\n"),
            ("diags/waits.sh", "#!/bin/sh\nexec sleep 600\n"),
        ] {
            let path = workspace.0.path().join("w").join(path);
            fs::write(&path, text).unwrap();
            let mode = if text.starts_with("#!") { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let policy = workspace.0.path().join("w/policy/safety.yaml");
        let text = fs::read_to_string(&policy).unwrap();
        let bound = "\nparams:\n  rich.vcore: { min: 900mV, max: 1100mV }\n  ratio: { max: 0.5 }\n";
        fs::write(&policy, text.replacen("\nparams:\n", bound, 1)).unwrap();
        workspace
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_road_runner"));
        command
            .args(words.split_whitespace())
            .current_dir(self.0.path().join("w"))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("ROAD_RUNNER_HOST_LOCK", self.0.path().join("lock"))
            .stdin(Stdio::null());
        command
    }

    fn runs(&self) -> Vec<PathBuf> {
        fs::read_dir(self.0.path().join("w/runs")).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    }

    /// Runs the command, which ends with `code`, and gives the run that it has left.
    pub fn run(&self, words: &str, code: i32) -> PathBuf {
        let before = self.runs();
        let output = self.command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        self.runs().into_iter().find(|run| !before.contains(run)).unwrap()
    }

    /// What a command that succeeds says on its stdout.
    pub fn output(&self, words: &str) -> Vec<u8> {
        let output = self.command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{words}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// A run that a signal ends in its first step; `meanwhile` sees it before.
    pub fn interrupted(&self, meanwhile: impl FnOnce(&Path)) -> PathBuf {
        let before = self.runs();
        let mut command = self.command("run --yes --no-tui -q --output json --flow waits --margin nominal");
        let mut run = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
        lines.find(|line| line.as_ref().unwrap().contains("\"step_spawned\"")).unwrap().unwrap();
        let folder = self.runs().into_iter().find(|run| !before.contains(run)).unwrap();
        meanwhile(&folder);
        kill_process(Pid::from_child(&run), Signal::INT).unwrap();
        lines.for_each(drop);
        assert_eq!(run.wait().unwrap().code(), Some(130));
        folder
    }
}
