//! What it costs to open the record of 100,000 executions as the application does, until every cell, count and edge can be
//! told, against reading the same bytes; which part of it the plan and the run's own journal take; and what it costs to look
//! at one sub-run then. Each in a process of its own, as an application that has just started.

#![expect(clippy::expect_used, reason = "a bench that cannot do its work stops")]

mod common;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;
use std::time::Instant;

use road_runner::commands::stored;
use road_runner::store::history;
use road_runner::store::layout::RunDir;
use road_runner::store::record::Record;
use road_runner::store::run_id::RunId;

use common::workspace::Workspace;
use common::{reader, record, workspace};

const ROUNDS: usize = 11;

/// What is measured, and how it is called on the command line of the child.
const WAYS: [(&str, &str); 4] = [
    ("cells", "opened to its cells"),
    ("open", "of that, plan, inputs and the run's journal"),
    ("keep", "opened with every execution"),
    ("sub-run", "one sub-run of it, once it is open"),
];

fn main() {
    if let Some((run, way)) = reader::asked() {
        return read(&run, &way);
    }
    let workspace = Workspace::on_disk();
    let dir = record::large_run(&workspace);
    let count = record::SUB_RUNS * record::EXECUTIONS;
    let title = format!("the record of {count} executions, against reading its bytes");
    reader::compare(
        &title,
        "ms",
        dir.root(),
        &WAYS,
        ROUNDS,
        |way| if way == "sub-run" { "sub-run-bytes" } else { "bytes" },
    );
}

/// One way, in a process of its own.
fn read(run: &Path, way: &str) {
    let name = run.file_name().expect("a name").to_string_lossy().into_owned();
    let runs = run.parent().expect("a runs folder");
    let context = workspace::context(runs.parent().expect("a workspace"));
    let id = RunId::parse(&name).expect("an id");
    let dir = RunDir::open(runs, &id).expect("a run");
    let mut start = Instant::now();
    match way {
        "bytes" => {
            let mut buffer = vec![0; 1 << 20];
            for path in [dir.plan(), dir.summary(), dir.events()] {
                bytes(&path, &mut buffer);
            }
            for entry in fs::read_dir(dir.subruns()).expect("sub-runs") {
                bytes(&entry.expect("readable").path().join("steps.ldjson"), &mut buffer);
            }
        }
        "sub-run-bytes" => bytes(&dir.subrun(&format!("{name}-s1234")).expect("an id").steps(), &mut vec![0; 1 << 20]),
        "cells" => {
            let run = stored::open_cells(&context, "latest").expect("a run");
            assert_eq!((run.damage.as_slice(), run.state.finished_sub_runs()), (&[][..], record::SUB_RUNS as usize));
        }
        "open" => {
            let record = Record::open(history::select(runs, "latest").expect("a run"));
            assert_eq!(record.damage, []);
        }
        "keep" => {
            let run = stored::load(&context, "latest").expect("a run");
            assert_eq!(run.damage, []);
        }
        _ => {
            let run = stored::open_cells(&context, "latest").expect("a run");
            start = Instant::now();
            let (executions, damage) = stored::sub_run(&dir, &run.state, 1234);
            assert_eq!((executions.len(), damage), (record::EXECUTIONS as usize, vec![]));
        }
    }
    reader::answer(start.elapsed().as_secs_f64() * 1e3);
}

/// Reads a file and looks at nothing in it.
fn bytes(path: &Path, buffer: &mut [u8]) {
    let mut file = File::open(path).expect("a file");
    while file.read(buffer).expect("readable") > 0 {
        black_box(&buffer);
    }
}
