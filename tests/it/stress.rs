//! Hundreds of SIGKILLs of a longer sweep at random moments, with a resume after each: nothing recorded is ever lost or
//! changed, nothing is left running, the rail is home within the time promised, and the verdicts come out as if nobody had
//! died, but for steps that were in flight. Not part of a build:
//!
//! `cargo test --test it stress:: -- --ignored --nocapture`, with `ROAD_RUNNER_STRESS_KILLS` (300) and
//! `ROAD_RUNNER_STRESS_SEED` (printed) in the environment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cli::{Bench, words};
use crate::interruptions::sweep::{files, is_whole, lines};
use crate::processes::{LONG, until};
use crate::rails::{self, NOMINAL, stands};
use crate::signals::left;

const FLOW: &str = "\
name: smoke
steps:
  - { name: first, adapter: probe, timeout: 20s }
  - { name: second, adapter: probe, timeout: 20s, repeat: 2 }
";
const MARGIN: &str = "\
name: down
global_seed: 7
axes: [sim.voltage]
default: { sim: { voltage: { from: 1000mV, to: 805mV, step: -5mV } } }
";
/// Works for a while, and fails below 900 mV at every third point.
const PROBE: &str = "#!/bin/sh
sleep 0.02
[ $ROAD_RUNNER_RAIL_SIM_VOLTAGE_UV -lt 900000 ] && [ $((ROAD_RUNNER_RAIL_SIM_VOLTAGE_UV / 5000 % 3)) = 0 ] && exit 1
echo OK
";
const RUN: &str = "run --no-tui --yes -q --flow smoke --margin down --unit SN1";
const RESUME: &str = "resume --last --no-tui --yes -q";
/// No runner lives longer than this before it is killed, once it has begun.
const MOST_MS: u64 = 1000;

fn bench() -> Bench {
    let bench = rails::bench("", "");
    bench.write("flows/smoke.yaml", FLOW);
    bench.write("margins/down.yaml", MARGIN);
    bench.program("diags/probe.sh", PROBE);
    bench
}

fn from_environment(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// The folder of the only run, if it can be seen.
fn only_run(bench: &Bench) -> Option<PathBuf> {
    let names = fs::read_dir(bench.path("runs")).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut runs: Vec<PathBuf> =
        names.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("rr-")).collect();
    assert!(runs.len() <= 1, "{runs:?}");
    runs.pop()
}

/// Verdict and reason-free verdicts of its steps, by sub-run.
fn verdicts(run: &Path) -> BTreeMap<u64, String> {
    let summary: Value = serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
    let rows = summary["subruns"].as_array().unwrap().iter();
    rows.map(|row| (row["index"].as_u64().unwrap(), row["verdict"].as_str().unwrap_or("none").to_owned())).collect()
}

/// Where the journals ended when somebody last looked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Last {
    /// The size of the run's own journal.
    events: u64,
    /// The highest number of a line that a runner wrote.
    seq: Option<u64>,
}

fn size(run: &Path) -> u64 {
    fs::metadata(run.join("events.ldjson")).map_or(0, |journal| journal.len())
}

/// What the journals of a run had when somebody last looked.
#[derive(Default)]
struct Seen {
    last: Last,
    journals: BTreeMap<PathBuf, Vec<u8>>,
    /// What lies beside a step that has finished: its logs and artifacts, and the summary of a sub-run that has ended.
    kept: BTreeMap<PathBuf, Vec<u8>>,
    /// Sub-runs in which a step was in flight at a kill.
    hit: BTreeSet<u64>,
    finished: usize,
}

impl Seen {
    /// Looks at a dead runner's record. What was there before is there, and as it was. Returns where the run stood: the
    /// name of the last line.
    fn look(&mut self, run: &Path) -> String {
        is_whole(run);
        let mut all = vec![];
        for path in files(run).into_iter().filter(|path| path.extension().is_some_and(|e| e == "ldjson")) {
            let text = fs::read(&path).unwrap();
            // Lines that are whole; a torn end is no line.
            let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let before = self.journals.insert(path.clone(), text[..end].to_vec()).unwrap_or_default();
            assert!(text.starts_with(&before), "{} has lost or changed a line", path.display());
            all.extend(lines(&path));
        }
        for path in self.journals.keys().chain(self.kept.keys()) {
            assert!(path.exists(), "{} is gone", path.display());
        }
        let mut numbers = BTreeSet::new();
        assert!(all.iter().all(|line| numbers.insert(line["seq"].as_u64().unwrap())), "two lines with one number");
        for (path, text) in &self.kept {
            assert!(fs::read(path).unwrap() == *text, "{} has changed", path.display());
        }
        self.keep(run);
        all.retain(|line| line["by"] != "guardian");
        all.sort_by_key(|line| line["seq"].as_u64().unwrap());
        let seq = all.last().map(|line| line["seq"].as_u64().unwrap());
        let before = std::mem::replace(&mut self.last, Last { events: size(run), seq });
        match all.last().filter(|_| before.seq != seq) {
            Some(line) => line["event"].as_str().unwrap().to_owned(),
            None => "before its first line".to_owned(),
        }
    }

    fn keep(&mut self, run: &Path) {
        let mut finished = 0;
        for (index, folder) in sub_runs(run) {
            let journal = lines(&folder.join("steps.ldjson"));
            let is = |line: &&Value, event: &str| line["event"] == event;
            let ended: Vec<&Value> = journal.iter().filter(|line| is(line, "step_finished")).collect();
            finished += ended.len();
            for line in &ended {
                let name = format!("{:02}_{}.log", line["index"].as_u64().unwrap(), line["step"].as_str().unwrap());
                for stream in ["stdout", "stderr"] {
                    let path = folder.join(stream).join(&name);
                    if path.exists() {
                        self.kept.entry(path.clone()).or_insert_with(|| fs::read(&path).unwrap());
                    }
                }
            }
            let open = journal.iter().filter(|line| is(line, "step_started"));
            if open.count() > ended.len() {
                self.hit.insert(index);
            }
            let summary = folder.join("summary.json");
            if summary.exists() && journal.iter().any(|line| is(&line, "subrun_closed")) {
                self.kept.entry(summary.clone()).or_insert_with(|| fs::read(&summary).unwrap());
            }
        }
        assert!(finished >= self.finished, "{finished} finished steps, there were {}", self.finished);
        self.finished = finished;
    }
}

/// The folders of the sub-runs that have begun, by their numbers.
fn sub_runs(run: &Path) -> Vec<(u64, PathBuf)> {
    let folders = fs::read_dir(run.join("subruns")).into_iter().flatten().map(|entry| entry.unwrap().path());
    let number = |path: &Path| path.to_string_lossy().rsplit_once("-s").unwrap().1.parse().unwrap();
    let mut all: Vec<(u64, PathBuf)> = folders.map(|path| (number(&path), path)).collect();
    all.sort();
    all
}

/// The figures of all sweeps.
#[derive(Default)]
struct Figures {
    kills: u64,
    sweeps: u64,
    phases: BTreeMap<String, u64>,
    slowest_home: Duration,
    lines: usize,
    steps: usize,
}

/// Kills the runner so long after its start, or after it has written a line behind the one that is given; `false` when it has
/// ended before, or when it is to live.
fn killed_in_time(bench: &Bench, child: &mut Child, moment: Option<(Option<Last>, Duration)>) -> bool {
    let Some((behind, after)) = moment else {
        child.wait().unwrap();
        return false;
    };
    let mut begin = behind.is_none().then(Instant::now);
    while begin.is_none_or(|begin| begin.elapsed() < after) {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if begin.is_none() && only_run(bench).is_some_and(|run| Some(size(&run)) > behind.map(|last| last.events)) {
            begin = Some(Instant::now());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(child), Signal::KILL).unwrap();
    child.wait().unwrap().code().is_none()
}

/// One sweep, killed until it has ended or `most` is reached, and then gone on with to its end.
fn sweep(most: u64, random: &mut ChaCha8Rng, expected: &BTreeMap<u64, String>, figures: &mut Figures) {
    let bench = bench();
    let mut seen = Seen::default();
    loop {
        let run = only_run(&bench);
        let line = if run.is_some() { RESUME } else { RUN };
        let mut child = bench.real(&words(line)).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let moment = if figures.kills < most {
            // Every fourth may be killed while it is still on its way to its first line.
            let (is_early, after) = (random.next_u64().is_multiple_of(4), random.next_u64() % MOST_MS);
            Some((if is_early { None } else { Some(seen.last) }, Duration::from_millis(after)))
        } else {
            None
        };
        if !killed_in_time(&bench, &mut child, moment) {
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            // It may have been killed after its last line, with nothing left to do.
            assert!(matches!(output.status.code(), Some(1 | 2 | 4)), "{:?}: {said}", output.status);
            assert!(output.status.code() != Some(2) || said.contains("was interrupted"), "{said}");
            break;
        }
        figures.kills += 1;
        let begin = Instant::now();
        until("the rail", Duration::from_secs(2), || stands(&bench) == NOMINAL);
        figures.slowest_home = figures.slowest_home.max(begin.elapsed());
        until("nobody is left", LONG, || left(&bench).is_empty());
        let phase = only_run(&bench).map_or_else(|| "before its first line".to_owned(), |run| seen.look(&run));
        *figures.phases.entry(phase).or_default() += 1;
    }
    let run = only_run(&bench).unwrap();
    seen.look(&run);
    let found = verdicts(&run);
    for (index, verdict) in expected {
        // What was in flight is an error of the rig; what else there was of its sub-run counts as well.
        let hit = seen.hit.contains(index);
        assert!(found[index] == *verdict || hit, "{index}: {} instead of {verdict}", found[index]);
        assert!(!hit || matches!(&*found[index], "error"), "{index}: {}", found[index]);
    }
    let verified = bench.outcome(&mut bench.real(&words("runs verify")));
    assert_eq!(verified.code, 0, "{}", verified.all());
    figures.sweeps += 1;
    figures.steps += seen.finished;
    figures.lines += seen.journals.keys().map(|path| lines(path).len()).sum::<usize>();
}

#[test]
#[ignore = "takes many minutes: kills runners at random moments"]
fn runners_killed_at_random_moments_lose_nothing() {
    let kills = from_environment("ROAD_RUNNER_STRESS_KILLS", 300);
    let seed = from_environment("ROAD_RUNNER_STRESS_SEED", u64::from(std::process::id()));
    eprintln!("ROAD_RUNNER_STRESS_KILLS={kills} ROAD_RUNNER_STRESS_SEED={seed}");
    let begin = Instant::now();
    let reference = bench();
    let told = reference.outcome(&mut reference.real(&words(RUN)));
    assert_eq!(told.code, 1, "{}", told.all());
    let expected = verdicts(&only_run(&reference).unwrap());
    assert!(expected.len() == 40 && expected.values().any(|verdict| verdict == "fail"), "{expected:?}");
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut figures = Figures::default();
    while figures.kills < kills {
        sweep(kills, &mut random, &expected, &mut figures);
    }
    let Figures { kills, sweeps, phases, slowest_home, lines, steps } = figures;
    eprintln!("{kills} kills in {sweeps} sweeps, {} s; the last line before each:", begin.elapsed().as_secs());
    for (phase, count) in phases {
        eprintln!("  {count:4} {phase}");
    }
    eprintln!("{lines} lines and {steps} finished steps recorded, 0 lost or changed; 0 survivors");
    eprintln!("the rail was home after {} ms at most", slowest_home.as_millis());
}
