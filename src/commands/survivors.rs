//! What dead runs left running, ended before anything else is started. Never touches what belongs to a run that somebody
//! holds, nor a process that only looks like one of ours.

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::domain::event::RunStatus;
use crate::engine::survivors;
use crate::store::history::{self, RunEntry};
use crate::store::left_running;
use crate::store::lock::{self, LockStatus};

/// Processes that a dead run left running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survivors {
    /// The run.
    pub run: String,
    /// How many there were.
    pub count: usize,
    /// How many could not be ended.
    pub left: usize,
}

/// Ends the processes of runs in this workspace whose runner and whose guardian are both gone.
pub fn end_of_dead_runs(context: &Context) -> Result<Vec<Survivors>, Failure> {
    let marked = survivors::by_run();
    let mut ended = vec![];
    for entry in history::list(&context.runs)? {
        let run = entry.id.to_string();
        let is_interrupted = entry.summary.as_ref().is_ok_and(|summary| summary.status == RunStatus::Interrupted);
        if (marked.contains_key(&run) || is_interrupted) && is_unheld(&entry) {
            let leader = left_running::leader(&entry.dir);
            let count = survivors::of_run(&entry.dir, &run, leader.as_ref()).len();
            if count > 0 {
                let left = survivors::end_now(&entry.dir, &run, leader.as_ref());
                ended.push(Survivors { run, count, left });
            }
        }
    }
    Ok(ended)
}

/// A guardian at work holds the lock as well.
fn is_unheld(entry: &RunEntry) -> bool {
    lock::status(&entry.dir.lock()).is_ok_and(|status| status == LockStatus::Free)
}
