//! What it costs to read the record of 100,000 executions back, against reading the same files and looking through each
//! line as JSON without keeping anything: decoded, followed, folded in several threads, with every step kept, as CSV, and
//! as CSV with both reports as at the end of a run. Each in a process of its own, whose peak of memory is what it took.

#![expect(clippy::expect_used, reason = "a bench that cannot do its work stops")]

mod common;

use std::convert::Infallible;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use road_runner::commands::context::Context;
use road_runner::commands::export::{self, Target};
use road_runner::commands::{report, stored};
use road_runner::domain::event::{Recorded, RunEvent};
use road_runner::domain::run_state::{RunHeader, RunState};
use road_runner::report::export::RowForm;
use road_runner::store::follow::RunFollower;
use road_runner::store::history;
use road_runner::store::journal;
use road_runner::store::layout::RunDir;
use road_runner::store::record::Record;
use road_runner::store::run_id::RunId;
use serde::de::IgnoredAny;

use common::workspace::Workspace;
use common::{reader, record, workspace};

const ROUNDS: usize = 5;

/// What is measured, and how it is called on the command line of the child.
const WAYS: [(&str, &str); 6] = [
    ("decode", "decoded"),
    ("follow", "followed and folded, sub-run by sub-run"),
    ("keep", "the same, every step kept"),
    ("parts", "folded in several threads"),
    ("csv", "as CSV"),
    ("all", "CSV, Markdown and HTML"),
];

fn main() {
    if let Some((run, way)) = reader::asked() {
        return read(&run, &way);
    }
    let workspace = Workspace::on_disk();
    let dir = record::large_run(&workspace);
    let count = record::SUB_RUNS * record::EXECUTIONS;
    let title = format!("the record of {count} executions, against bare JSON");
    reader::compare(&title, "s", dir.root(), &WAYS, ROUNDS, |_| "json");
}

/// One way, in a process of its own.
fn read(run: &Path, way: &str) {
    let name = run.file_name().expect("a name").to_string_lossy().into_owned();
    let runs = run.parent().expect("a runs folder");
    let id = RunId::parse(&name).expect("an id");
    let dir = RunDir::open(runs, &id).expect("a run");
    let plan = Arc::new(stored::plan_of(&dir.plan()).expect("a plan"));
    let header = RunHeader { run_id: name, source_run: None, dry_run: false, version: "0".to_owned() };
    let start = Instant::now();
    match way {
        "json" => each_line(&dir, |line| {
            serde_json::from_slice::<IgnoredAny>(line).expect("JSON");
        }),
        "decode" => each_line(&dir, |line| drop(black_box(journal::decode(line).expect("an event")))),
        "follow" => {
            let mut state = RunState::new(header, plan);
            RunFollower::new(&dir).poll(&mut |recorded| letting_go(&mut state, recorded)).expect("a whole record");
            assert_eq!(state.finished_sub_runs(), record::SUB_RUNS as usize);
        }
        "keep" => {
            let mut state = RunState::new(header, plan);
            RunFollower::new(&dir).poll(&mut |recorded| state.absorb(recorded)).expect("a whole record");
            black_box(&state);
        }
        "parts" => {
            let record = Record::open(history::entry(runs, id));
            let Ok(folded) = record.fold_parts(|| (), |(), _, _| (), |()| Ok::<(), Infallible>(()));
            assert_eq!(
                (folded.damage.as_slice(), folded.state.finished_sub_runs()),
                (&[][..], record::SUB_RUNS as usize)
            );
        }
        "csv" => {
            let exported = export::export(&context(runs), "latest", RowForm::Csv, Target::Run).expect("an export");
            assert_eq!(exported.damage, []);
        }
        _ => {
            let written = report::write(&context(runs), history::entry(runs, id), true);
            assert!(written.missing().is_none() && written.damage.is_empty() && written.files.len() == 3);
        }
    }
    reader::answer(start.elapsed().as_secs_f64());
}

/// The steps of a sub-run are let go once it has ended.
fn letting_go(state: &mut RunState, recorded: Recorded) {
    let ended = match &recorded.event {
        RunEvent::SubrunFinished(finished) => Some(finished.index),
        _ => None,
    };
    state.absorb(recorded);
    if let Some(index) = ended {
        state.forget_steps(index);
    }
}

fn context(runs: &Path) -> Context {
    workspace::context(runs.parent().expect("a workspace"))
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
