//! What the journals of a small run say of its steps.

use std::fs;
use std::path::Path;

use road_runner::domain::event::{Recorded, RunEvent, StepFinished};
use road_runner::store::journal;

/// Every line of every sub-run.
pub fn lines(run: &Path) -> Vec<Recorded> {
    let sub_runs = fs::read_dir(run.join("subruns")).expect("sub-runs");
    let paths = sub_runs.map(|entry| entry.expect("readable").path().join("steps.ldjson"));
    paths.flat_map(|path| journal::read(&path).expect("a journal")).collect()
}

/// How every step ended.
pub fn finished(lines: &[Recorded]) -> Vec<&StepFinished> {
    let steps = lines.iter().filter_map(|line| match &line.event {
        RunEvent::StepFinished(step) => Some(&**step),
        _ => None,
    });
    steps.collect()
}
