//! Runs under load: many processes, many lines, far too much output, many sub-runs. The runner's memory stays flat, nothing
//! is lost, nothing is left. What takes longer than a build may is ignored, with the command that runs it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::cli::{Bench, words};
use crate::processes::{LONG, until};
use crate::signals::{left, newest};

const RUN: &str = "run --no-tui --yes -q --flow smoke --margin down --unit SN1";
const ADAPTER: &str = "name: probe\npath: diags/probe.sh\ngrace: 1s\nexpect: [ { stdout_matches: '^OK$' } ]\n";
/// How much the runner may grow, KiB: its own tables and buffers, and nothing that grows with what is under way.
const FLAT: u64 = 12 << 10;

/// A workspace with one step at these voltages, the diagnostic as told, and more of its manifest and of the policy.
fn bench(probe: &str, voltages: &str, manifest: &str, policy: &str) -> Bench {
    let bench = Bench::new();
    fs::remove_dir_all(bench.path("policy/profiles")).unwrap();
    bench.write("flows/smoke.yaml", "name: smoke\nsteps: [ { name: probe, adapter: probe, timeout: 1h } ]\n");
    let margin = format!("name: down\nglobal_seed: 7\ndefault: {{ core: {{ voltage: {voltages} }} }}\n");
    bench.write("margins/down.yaml", &margin);
    bench.edit("policy/safety.yaml", "params:\n  rounds: { max: 100 }\n", policy);
    bench.write("adapters/probe.yaml", &format!("{ADAPTER}{manifest}"));
    bench.program("diags/probe.sh", probe);
    bench
}

/// A folder in memory where there is such a place: the disk is not what is loaded.
fn memory() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory).unwrap() } else { TempDir::new().unwrap() }
}

/// A run under way, and the most memory that its runner has had.
struct Loaded {
    child: Child,
    began: Instant,
    peak_kb: u64,
}

impl Loaded {
    fn start(mut command: Command) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { child, began: Instant::now(), peak_kb: 0 }
    }

    /// Looks at its memory; `false` once it has ended.
    fn look(&mut self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB"));
        self.peak_kb = peak.map_or(self.peak_kb, |peak| peak.trim().parse().unwrap());
        self.child.try_wait().unwrap().is_none()
    }

    /// Looks until something is so; returns the most memory until then.
    fn until(&mut self, what: &str, mut is_so: impl FnMut() -> bool) -> u64 {
        while !is_so() {
            assert!(self.look() && self.began.elapsed() < Duration::from_secs(3600), "it ended before {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.look();
        self.peak_kb
    }

    /// Looks until it has ended, doing something at each look; returns its code and the most memory it has had.
    fn ends(&mut self, mut each: impl FnMut()) -> (i32, u64) {
        while self.look() {
            each();
            std::thread::sleep(Duration::from_millis(5));
        }
        (self.child.wait().unwrap().code().unwrap(), self.peak_kb)
    }
}

/// The only run, once a sub-run of it has begun; one that is still being made has another name.
fn only(runs: &Path) -> Option<PathBuf> {
    let mut all =
        fs::read_dir(runs).ok()?.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("rr-"));
    let run = all.next()?.path();
    fs::read_dir(run.join("subruns")).is_ok_and(|mut sub_runs| sub_runs.next().is_some()).then_some(run)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The folder of the first sub-run.
fn first(run: &Path) -> PathBuf {
    fs::read_dir(run.join("subruns")).unwrap().map(|entry| entry.unwrap().path()).min().unwrap()
}

/// The first step as its journal has it.
fn finished(run: &Path) -> Value {
    let text = fs::read_to_string(first(run).join("steps.ldjson")).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.find(|line| line["event"] == "step_finished").unwrap()
}

/// Patterns are searched in a window of a log that is no larger than this.
const WINDOW: u64 = 64 << 20;

fn is_flat(what: &str, begin_kb: u64, end_kb: u64, log: u64) {
    eprintln!("{what}: runner had {begin_kb} KiB at the start, {end_kb} KiB at most");
    assert!(end_kb <= begin_kb + FLAT + log.min(WINDOW) / 1024, "{what}: {begin_kb} KiB, then {end_kb} KiB");
}

#[test]
fn two_thousand_children_are_gone_at_the_limit() {
    // Deaf, so that each has to be killed, and then silent.
    let probe = "#!/bin/sh\ntrap '' TERM\nmkfifo never\ni=0\n\
                 while [ $i -lt 2000 ]; do { read -r x < never; } & i=$((i+1)); [ $((i % 100)) = 0 ] && echo $i; done\n\
                 echo all\nread -r x < never\n";
    let bench = bench(probe, "[1V]", "silence: 2s\n", "");
    let mut live = Loaded::start(bench.real(&words(RUN)));
    let text = || only(&bench.path("runs"));
    let begin = live.until("the first children", || text().is_some_and(|run| says(&run, "100\n")));
    live.until("all children", || text().is_some_and(|run| says(&run, "all\n")));
    assert!(left(&bench).len() >= 2000, "they are there");
    let (code, end) = live.ends(|| {});
    assert_eq!(code, 1);
    is_flat("2,000 children", begin, end, 0);
    let step = finished(&newest(&bench));
    assert_eq!((&step["verdict"], &step["reason"]), (&"timeout".into(), &"wrote nothing for 2s".into()), "{step}");
    until("nobody is left", LONG, || left(&bench).is_empty());
}

/// Whether the log of the first step has that line.
fn says(run: &Path, line: &str) -> bool {
    fs::read_to_string(first(run).join("stdout/00_probe.log")).is_ok_and(|text| text.contains(line))
}

/// So many lines as fast as they can be written, under a cap that they do not reach.
fn lines(count: u64) {
    let bench = bench(&format!("#!/bin/sh\nseq {count}\necho OK\n"), "[1V]", "", "max_log: 2GiB\n");
    let runs = memory();
    let mut command = bench.real(&words(RUN));
    command.arg("--runs-dir").arg(runs.path());
    let mut live = Loaded::start(command);
    let begin = live.until("the first step", || only(runs.path()).is_some());
    let (code, end) = live.ends(|| {});
    assert_eq!(code, 0);
    let run = only(runs.path()).unwrap();
    let step = finished(&run);
    let log = fs::read(first(&run).join("stdout/00_probe.log")).unwrap();
    assert_eq!(step["stdout_bytes"], log.len(), "{step}");
    is_flat(&format!("{count} lines"), begin, end, log.len() as u64);
    let text = String::from_utf8(log).unwrap();
    let mut expected = 1;
    for line in text.lines() {
        if expected <= count {
            assert_eq!(line.parse(), Ok(expected));
        }
        expected += 1;
    }
    assert_eq!(expected, count + 2, "every line and `OK`");
    let ms = step["duration_ms"].as_u64().unwrap().max(1);
    eprintln!("{count} lines: {ms} ms, {} lines a second", count * 1000 / ms);
}

#[test]
fn a_million_lines_as_fast_as_they_come() {
    lines(1_000_000);
}

/// A hundred million lines, 889 MB in memory, as fast as they come: far more than a million a second.
/// `cargo test --release --test it load::a_hundred_million_lines -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes and a gigabyte of memory"]
fn a_hundred_million_lines() {
    lines(100_000_000);
}

/// So many bytes into a log of at most `cap`, in the workspace's folder.
fn flood(megabytes: u64, cap_mib: u64) {
    let probe = format!("#!/bin/sh\necho first\nyes 0123456789abcdef | head -c {megabytes}000000\necho\necho OK\n");
    let bench = bench(&probe, "[1V]", "", &format!("max_log: {cap_mib}MiB\n"));
    let mut live = Loaded::start(bench.real(&words(RUN)));
    let log = || only(&bench.path("runs")).map(|run| first(&run).join("stdout/00_probe.log"));
    let begin = live.until("the first step", || log().is_some_and(|log| log.exists()));
    let log = log().unwrap();
    let mut used = 0;
    let (code, end) = live.ends(|| used = used.max(fs::metadata(&log).map_or(0, |log| log.blocks() * 512)));
    assert_eq!(code, 0);
    is_flat(&format!("{megabytes} MB"), begin, end, cap_mib << 20);
    let step = finished(&newest(&bench));
    let written = "first\n".len() as u64 + megabytes * 1_000_000 + "\nOK\n".len() as u64;
    assert_eq!(step["stdout_bytes"], written, "{step}");
    let text = fs::read_to_string(&log).unwrap();
    let (size, cap) = (text.len() as u64, cap_mib << 20);
    assert!(size <= cap && size > cap / 2, "{size}");
    assert!(text.starts_with("first\n") && text.ends_with("\nOK\n") && text.contains("bytes dropped here]\n"));
    let ms = step["duration_ms"].as_u64().unwrap().max(1);
    eprintln!(
        "{megabytes} MB: {} MB on disk at most, cap {} MB, {size} bytes kept, {ms} ms, {} MB a second",
        used / 1_000_000,
        cap / 1_000_000,
        megabytes * 1000 / ms
    );
    // Between two looks, twenty a second, it may write as fast as it can.
    assert!(used <= cap + written / 2, "{used} bytes on disk");
}

#[test]
fn a_flood_far_past_the_cap_is_cut_while_it_comes() {
    flood(200, 8);
}

/// 20 GB into a log of 256 MiB, the shipped cap.
/// `cargo test --release --test it load::a_flood_of_twenty_gigabytes -- --ignored --nocapture`
#[test]
#[ignore = "takes a minute, and a disk with some room"]
fn a_flood_of_twenty_gigabytes() {
    flood(20_000, 256);
}

/// A sweep of so many sub-runs, a microvolt or more apart.
fn sweep(count: u64) {
    let step = 250_000 / count;
    let voltages = format!("{{ from: 1000mV, to: {}uV, step: -{step}uV }}", 1_000_000 - (count - 1) * step);
    let bench = bench("#!/bin/sh\necho OK\n", &voltages, "", "");
    let runs = memory();
    let mut command = bench.real(&words(RUN));
    command.arg("--runs-dir").arg(runs.path());
    let mut live = Loaded::start(command);
    live.until("the first sub-run", || only(runs.path()).is_some());
    let run = only(runs.path()).unwrap();
    let id = run.file_name().unwrap().to_str().unwrap().to_owned();
    let width = (count - 1).to_string().len().max(2);
    let begun = |index: u64| run.join(format!("subruns/{id}-s{index:0width$}")).exists();
    let begin = live.until("a tenth", || begun(count / 10));
    let end = live.until("the last", || begun(count - 1));
    let took = live.began.elapsed();
    is_flat(&format!("{count} sub-runs, from the tenth part to the last"), begin, end, 0);
    let (code, reported) = live.ends(|| {});
    assert_eq!(code, 0);
    eprintln!("{count} sub-runs: {} ms, {reported} KiB at most with its reports", took.as_millis());
    // Nothing is lost: a summary each, and every number once.
    let rows = json(&run.join("summary.json"))["subruns"].as_array().unwrap().clone();
    assert_eq!(rows.iter().filter(|row| row["verdict"] == "pass").count() as u64, count);
    let mut numbers = vec![];
    let mut take = |path: PathBuf| {
        for line in fs::read_to_string(path).unwrap().lines() {
            numbers.push(serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap());
        }
    };
    take(run.join("events.ldjson"));
    for index in 0..count {
        let folder = run.join(format!("subruns/{id}-s{index:0width$}"));
        assert_eq!(json(&folder.join("summary.json"))["verdict"], "pass", "{index}");
        take(folder.join("steps.ldjson"));
    }
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "numbers without gaps");
}

#[test]
fn a_thousand_sub_runs() {
    sweep(1000);
}

/// `cargo test --release --test it load::five_thousand_sub_runs -- --ignored --nocapture`
#[test]
#[ignore = "takes minutes"]
fn five_thousand_sub_runs() {
    sweep(5000);
}
