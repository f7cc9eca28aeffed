//! A small sweep to be interrupted: three points, a rail that a controller moves, a step that moves something by itself and
//! fails at one point, and one that is repeated. Everything in it is the same each time but times and ids.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use regex::Regex;
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::{Bench, words};
use crate::processes;

const FLOW: &str = "\
name: smoke
steps:
  - { name: first, adapter: mover, on_failure: stop_subrun }
  - { name: second, adapter: probe, repeat: 2 }
";
const MARGIN: &str = "name: down\ndefault: { sim: { voltage: [950mV, 900mV, 850mV] } }\n";
const POLICY: &str = "name: safety\nlimits: { sim: { voltage: { min: 700mV, max: 1200mV } } }\n";
const MOVER: &str = "\
name: mover
path: diags/mover.sh
params: { seed: { type: int, flag: --seed, from: seed } }
restore: [diags/home.sh]
exit_codes: { pass: [0], error: [64] }
expect: [ { stdout_matches: '^OK$' } ]
";
const PROBE: &str = "\
name: probe
path: diags/probe.sh
params: { seed: { type: int, flag: --seed, from: seed } }
exit_codes: { pass: [0], error: [64] }
expect: [ { stdout_matches: '^OK$' } ]
metrics: [ { name: rate, unit: 1/s, stdout_regex: 'rate=([0-9]+)' } ]
";
const CONTROLLER: &str = "\
name: sim_rail
kind: controller
path: diags/sim_rail.sh
rails: [sim]
apply: [set, \"{rail}\", \"voltage_uv={voltage_uv}\"]
read: [get, \"{rail}\"]
restore: [nominal, \"{rail}\"]
max_step: 100mV
";
/// Ends in error where a reference wants it to.
const HEAD: &str = "#!/bin/sh\nhere=${0%/*}/..\nme=${ROAD_RUNNER_SUBRUN_ID##*-}-${ROAD_RUNNER_ARTIFACTS##*/}\n";
const MOVER_SH: &str = "\
echo mover >>$here/calls
: >$here/away
[ -e $here/broken/$me ] && exit 64
[ $ROAD_RUNNER_RAIL_SIM_VOLTAGE_UV = 900000 ] && exit 1
echo OK
";
const HOME_SH: &str = "echo home >>$here/calls\nrm -f $here/away\n";
const PROBE_SH: &str = "\
echo probe >>$here/calls
[ -e $here/broken/$me ] && exit 64
echo rate=$ROAD_RUNNER_SEED
echo \"$@\" >seen
echo OK
";

/// Whoever is waited for longer than this does not come.
const LONG: Duration = Duration::from_secs(60);

/// A workspace with the sweep in it, and a place for runs.
pub struct Sweep {
    bench: Bench,
    /// In memory where there is such a place: what SIGKILL leaves is the same there, and nothing waits for a disk.
    runs: TempDir,
    folder: AtomicU32,
    places: Regex,
}

/// How a runner ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// By itself, with that exit code and that said on stderr.
    Exit(i32, String),
    /// By the SIGKILL that it was told to send itself.
    Killed,
}

impl Sweep {
    /// One of its own.
    pub fn new() -> Self {
        let bench = Bench::empty();
        bench.write("flows/smoke.yaml", FLOW);
        bench.write("margins/down.yaml", MARGIN);
        bench.write("policy/safety.yaml", POLICY);
        bench.write("adapters/mover.yaml", MOVER);
        bench.write("adapters/probe.yaml", PROBE);
        bench.write("adapters/sim_rail.yaml", CONTROLLER);
        for (file, body) in [("mover", MOVER_SH), ("home", HOME_SH), ("probe", PROBE_SH)] {
            bench.program(&format!("diags/{file}.sh"), &format!("{HEAD}{body}"));
        }
        bench.ship("diags/sim_rail.sh");
        fs::create_dir(bench.path("sys")).unwrap();
        let memory = Path::new("/dev/shm");
        let runs = if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() };
        Self { bench, runs, folder: AtomicU32::new(0), places: Regex::new(r#"/[^\s"]*/ws\b"#).unwrap() }
    }

    /// The host has booted once more: its kernel shows another boot id from now on.
    pub fn boot(&self, number: u32) {
        let folder = "../host/proc/sys/kernel/random";
        self.bench.write(&format!("{folder}/boot_id"), &format!("{number:08x}-0000-4000-8000-000000000000\n"));
        self.bench.write("../host/proc/uptime", "100.00 200.00\n");
    }

    /// A folder of its own, in memory where there is such a place.
    pub fn place(&self) -> &Path {
        self.runs.path()
    }

    /// A runs folder that nobody has used.
    pub fn fresh_runs(&self) -> PathBuf {
        let number = self.folder.fetch_add(1, Ordering::Relaxed);
        let runs = self.runs.path().join(number.to_string());
        fs::create_dir(&runs).unwrap();
        runs
    }

    /// The program with a command line in that runs folder, on a host that has no sensors.
    pub fn command(&self, runs: &Path, line: &str) -> Command {
        let mut command = self.bench.real(&["--no-tui", "--runs-dir"]);
        command.arg(runs).args(words(line)).env("ROAD_RUNNER_SYSFS", self.bench.path("sys"));
        let procfs = self.bench.path("../host/proc");
        if procfs.join("uptime").exists() {
            command.env("ROAD_RUNNER_PROCFS", procfs);
        }
        command
    }

    /// The command that runs the sweep with that switch.
    pub fn to_run(&self, runs: &Path, switch: &str) -> Command {
        let mut command = self.command(runs, "run --flow smoke --margin down --seed 7 --unit SN1 --yes -q");
        command.env("ROAD_RUNNER_INTERRUPT", switch);
        command
    }

    /// Runs the sweep with that switch.
    pub fn run(&self, runs: &Path, switch: &str) -> End {
        ended(&mut self.to_run(runs, switch))
    }

    /// Goes on with a run, with that switch.
    pub fn resume(&self, runs: &Path, id: &str, switch: &str) -> End {
        ended(self.command(runs, &format!("resume {id} --yes -q")).env("ROAD_RUNNER_INTERRUPT", switch))
    }

    /// Runs it once undisturbed, with these executions ending in error by themselves; `01_second` of sub-run `s02` is
    /// `s02-01_second`. Returns the runs folder.
    pub fn reference(&self, broken: &[String]) -> PathBuf {
        for broken in broken {
            self.bench.write(&format!("broken/{broken}"), "");
        }
        let runs = self.fresh_runs();
        let end = self.run(&runs, "");
        assert!(matches!(end, End::Exit(1 | 4, _)), "{end:?}");
        if !broken.is_empty() {
            fs::remove_dir_all(self.bench.path("broken")).unwrap();
        }
        runs
    }

    /// A text with the places of workspaces and of this runs folder replaced.
    pub fn settled(&self, text: &str, runs: &Path) -> String {
        let text = text.replace(&*runs.to_string_lossy(), "RUNS");
        self.places.replace_all(&text, "WS").into_owned()
    }

    /// What the diagnostics and the restore command have written about themselves since the last time.
    pub fn take_calls(&self) -> Vec<String> {
        let calls = self.bench.path("calls");
        let text = fs::read_to_string(&calls).unwrap_or_default();
        drop(fs::remove_file(&calls));
        text.lines().map(str::to_owned).collect()
    }

    /// Whether what the first step moves by itself is away.
    pub fn is_away(&self) -> bool {
        self.bench.path("away").exists()
    }

    /// As if the first step had just moved it.
    pub fn move_away(&self) {
        self.bench.write("away", "");
    }

    /// Where the regulator stands, in microvolts; it need not have been asked yet.
    pub fn rail_uv(&self) -> u64 {
        let Ok(state) = fs::read_to_string(self.bench.path(".sim_rail/sim")) else { return 1_000_000 };
        let set = state.split(' ').find_map(|field| field.strip_prefix("set_uv=")).unwrap();
        set.parse().unwrap()
    }

    /// What no reading command may do with what is there: panic, or say that it is damaged.
    pub fn is_readable(&self, runs: &Path, id: &str) {
        let check = |line: &str, expected: &[i32]| {
            let output = self.command(runs, line).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let code = output.status.code();
            assert!(code.is_some_and(|code| expected.contains(&code)), "{line}: {code:?} {said}");
        };
        check("runs list", &[0]);
        check(&format!("runs show {id}"), &[0]);
        check(&format!("runs verify {id}"), &[0]);
        check(&format!("report --run-id {id}"), &[0]);
        check(&format!("export --run {id} --format csv"), &[0]);
        check("clean --older-than 0 --dry-run", &[0]);
        // What an interrupted run lacks is no damage.
        check(&format!("runs verify {id}"), &[0]);
    }

    /// Nothing of it is damaged, or not what it was when it ended.
    pub fn is_verified(&self, runs: &Path, id: &str, at: &str) {
        let output = self.command(runs, &format!("runs verify {id}")).output().unwrap();
        assert!(output.status.success(), "{at}: {}", String::from_utf8_lossy(&output.stdout));
    }

    /// Nothing is there to be gone on with; once nobody can be at work on it any more, all of it can be cleaned away.
    pub fn is_unborn(&self, runs: &Path, at: &str) {
        let (shown, hidden) = listed(runs);
        assert_eq!(shown, [""; 0], "{at}");
        let end = self.resume(runs, "--last", "");
        assert!(matches!(end, End::Exit(2, _)), "{at}: {end:?}");
        for name in hidden {
            let digest = name.strip_prefix(".rr-").and_then(|rest| rest.split_once('-')).unwrap().1.to_owned();
            fs::rename(runs.join(&name), runs.join(format!(".rr-20200101T000000Z-{digest}"))).unwrap();
        }
        let cleaned = self.command(runs, "clean --older-than 0").output().unwrap();
        assert!(cleaned.status.success(), "{at}: {cleaned:?}");
        assert_eq!(listed(runs), (vec![], vec![]), "{at}");
        assert_eq!(self.take_calls(), [""; 0], "{at}");
    }
}

/// Waits until nothing of a dead runner is left: neither a guardian in that runs folder nor a process of the run.
/// Returns how long that took.
pub fn settle(runs: &Path) -> Duration {
    let begin = Instant::now();
    while let Some(left) = left_over(runs) {
        assert!(begin.elapsed() < LONG, "still there: {left}");
        std::thread::sleep(Duration::from_millis(2));
    }
    begin.elapsed()
}

fn ended(command: &mut Command) -> End {
    let output = command.stdout(Stdio::null()).output().unwrap();
    match (output.status.code(), output.status.signal()) {
        (Some(code), _) => End::Exit(code, String::from_utf8_lossy(&output.stderr).into_owned()),
        (None, Some(9)) => End::Killed,
        (None, signal) => panic!("the runner ended with signal {signal:?}"),
    }
}

/// A process that works for a run in that folder, or watches over one.
fn left_over(runs: &Path) -> Option<String> {
    let mut here = processes::all().filter(|process| process.works_below(runs) || process.is_guardian(runs));
    here.next().map(|process| format!("{} {:?}", process.pid, process.line))
}

/// The runs that can be seen in a folder, and what else lies there.
pub fn listed(runs: &Path) -> (Vec<String>, Vec<String>) {
    let names = fs::read_dir(runs).into_iter().flatten();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.into_iter().partition(|name| name.starts_with("rr-"))
}

/// Every file below a folder.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

/// Every JSON document is whole; every journal is lines of JSON and at most a torn or NUL tail.
pub fn is_whole(run: &Path) {
    for path in files(run) {
        let text = fs::read(&path).unwrap();
        let is_temporary = path.file_name().unwrap().to_string_lossy().starts_with('.');
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") if !is_temporary => {
                let parsed: Result<Value, _> = serde_json::from_slice(&text);
                assert!(parsed.is_ok(), "{}: {parsed:?}", path.display());
            }
            Some("ldjson") => drop(lines(&path)),
            _ => {}
        }
    }
}

/// The lines of a journal; its tail may be torn or zeros.
pub fn lines(path: &Path) -> Vec<Value> {
    let Ok(text) = fs::read(path) else { return vec![] };
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let whole = text[..end]
        .split_inclusive(|byte| *byte == b'\n')
        .filter(|line| !line.iter().all(|byte| matches!(byte, 0 | b'\n')));
    whole
        .map(|line| serde_json::from_slice(line).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        .collect()
}
