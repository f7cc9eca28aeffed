//! What it costs to read the record of 100,000 executions back, against reading the same files and looking through each
//! line as JSON without keeping anything: decoded, followed and folded into the run's state as a report would, the same in
//! two threads, and with every step kept. Each in a process of its own, whose peak of memory is what it took.

#![expect(clippy::expect_used, reason = "a bench that cannot do its work stops")]

mod common;

use std::fs;
use std::hint::black_box;
use std::ops::Range;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use road_runner::commands::stored;
use road_runner::domain::event::{Recorded, RunEvent};
use road_runner::domain::plan::Plan;
use road_runner::domain::run_state::{RunHeader, RunState};
use road_runner::store::follow::RunFollower;
use road_runner::store::journal;
use road_runner::store::layout::RunDir;
use road_runner::store::run_id::RunId;
use serde::de::IgnoredAny;

use common::figures::{self, Figure};
use common::workspace::Workspace;
use common::{process, record};

const ROUNDS: usize = 5;

/// What is measured, and how it is called on the command line of the child.
const WAYS: [(&str, &str); 4] = [
    ("decode", "decoded"),
    ("stream", "followed and folded, sub-run by sub-run"),
    ("share", "the same in two threads, half of the sub-runs each"),
    ("keep", "followed and folded, every step kept"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, child, run, way] = arguments.as_slice()
        && child == "--reader"
    {
        return reader(Path::new(run), way);
    }
    let workspace = Workspace::on_disk();
    let dir = record::large_run(&workspace);
    let mut times = WAYS.map(|(_, what)| Figure::new(what, "s"));
    let mut peaks = WAYS.map(|(_, what)| Figure::new(&format!("peak memory: {what}"), "MiB"));
    for _ in 0..ROUNDS {
        for (((way, _), time), peak) in WAYS.iter().zip(&mut times).zip(&mut peaks) {
            let (floor, floor_peak) = read(dir.root(), "json");
            let (seconds, mib) = read(dir.root(), way);
            time.add(floor, seconds);
            peak.add(floor_peak, mib);
        }
    }
    let count = record::SUB_RUNS * record::EXECUTIONS;
    let title = format!("the record of {count} executions, against bare JSON; {ROUNDS} rounds");
    let figures: Vec<Figure> = times.into_iter().chain(peaks).collect();
    figures::print(&title, &figures);
}

/// Seconds and peak of one way of reading, in a process of its own.
fn read(run: &Path, way: &str) -> (f64, f64) {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("--reader").arg(run).arg(way);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("it runs");
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).expect("text");
    let (seconds, mib) = text.trim().split_once(' ').expect("two numbers");
    (seconds.parse().expect("a number"), mib.parse().expect("a number"))
}

fn reader(run: &Path, way: &str) {
    let id = run.file_name().expect("a name").to_string_lossy().into_owned();
    let runs = run.parent().expect("a runs folder");
    let dir = RunDir::open(runs, &RunId::parse(&id).expect("an id")).expect("a run");
    let plan = Arc::new(stored::plan_of(&dir.plan()).expect("a plan"));
    let header = RunHeader { run_id: id, source_run: None, dry_run: false, version: "0".to_owned() };
    let start = Instant::now();
    match way {
        "json" => each_line(&dir, |line| {
            serde_json::from_slice::<IgnoredAny>(line).expect("JSON");
        }),
        "decode" => each_line(&dir, |line| drop(black_box(journal::decode(line).expect("an event")))),
        "stream" => {
            let state = fold(&dir, (&header, &plan), 0..record::SUB_RUNS);
            assert_eq!(state.finished_sub_runs(), record::SUB_RUNS as usize);
        }
        "share" => {
            let middle = record::SUB_RUNS / 2;
            let run = (&header, &plan);
            std::thread::scope(|scope| {
                scope.spawn(|| fold(&dir, run, 0..middle));
                fold(&dir, run, middle..record::SUB_RUNS);
            });
        }
        _ => {
            let mut state = RunState::new(header, plan);
            RunFollower::new(&dir).poll(&mut |recorded| state.absorb(recorded)).expect("a whole record");
            black_box(&state);
        }
    }
    println!("{} {}", start.elapsed().as_secs_f64(), process::own_peak_mib());
}

/// As whoever reports does it: the steps of a sub-run are let go once it has ended.
fn fold(dir: &RunDir, (header, plan): (&RunHeader, &Arc<Plan>), share: Range<u32>) -> RunState {
    let mut state = RunState::new(header.clone(), Arc::clone(plan));
    let mut each = |recorded: Recorded| {
        let ended = match &recorded.event {
            RunEvent::SubrunFinished(finished) => Some(finished.index),
            _ => None,
        };
        state.absorb(recorded);
        if let Some(index) = ended {
            state.forget_steps(index);
        }
    };
    RunFollower::share(dir, share).poll(&mut each).expect("a whole record");
    state
}

fn each_line(dir: &RunDir, mut each: impl FnMut(&[u8])) {
    let mut lines = |path: &Path| {
        let text = fs::read(path).expect("a journal");
        let mut rest = text.as_slice();
        while let Some(line) = journal::next_line(rest) {
            each(line);
            rest = &rest[line.len()..];
        }
    };
    lines(&dir.events());
    for entry in fs::read_dir(dir.subruns()).expect("sub-runs") {
        lines(&entry.expect("readable").path().join("steps.ldjson"));
    }
}
