//! What dead runs left running, ended before anything else is started. Never touches what belongs to a run that somebody
//! holds, nor a process that only looks like one of ours.

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::domain::event::RunStatus;
use crate::engine::homecoming;
use crate::engine::process_scan::Process;
use crate::engine::survivors;
use crate::host::roots::Roots;
use crate::store::StoreError;
use crate::store::history::{self, RunEntry};
use crate::store::left_running::{self, Leader};
use crate::store::lock::{self, Lock, LockScope, LockStatus};

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
    let marked = survivors::by_run(&Roots::default());
    let mut ended = vec![];
    for entry in history::list(&context.runs)? {
        let run = entry.id.to_string();
        let is_interrupted = entry.summary.as_ref().is_ok_and(|summary| summary.status == RunStatus::Interrupted);
        if !(marked.contains_key(&run) || is_interrupted) || !is_unheld(&entry) || of(&entry).0.is_empty() {
            continue;
        }
        // Held meanwhile: the steps of somebody who goes on with the run would be taken for what was left of it.
        let holder = homecoming::holder(&context.roots, &run);
        let lock = Lock::acquire(&entry.dir.lock(), LockScope::Run, &holder);
        if matches!(lock, Err(StoreError::Locked { .. })) {
            continue;
        }
        let (found, leader) = of(&entry);
        if !found.is_empty() {
            let left = survivors::end(&entry.dir, &run, leader.as_ref());
            ended.push(Survivors { run, count: found.len(), left });
        }
    }
    Ok(ended)
}

/// The living processes of a run, and the leader of its last step.
fn of(entry: &RunEntry) -> (Vec<Process>, Option<Leader>) {
    let leader = left_running::leader(&entry.dir);
    (survivors::of_run(&entry.dir, &entry.id.to_string(), leader.as_ref()), leader)
}

/// A guardian at work holds the lock as well.
fn is_unheld(entry: &RunEntry) -> bool {
    lock::status(&entry.dir.lock()).is_ok_and(|status| status == LockStatus::Free)
}
