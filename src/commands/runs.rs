//! History and control: listing runs, reading one, following one, stopping one. Never changes a record.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal};

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::stored::{self, StoredRun};
use crate::domain::event::{Recorded, RunEvent, RunStatus};
use crate::domain::run_state::RunState;
use crate::domain::verdict::{CancelReason, exit};
use crate::host::process::{self, ProcessIdentity};
use crate::host::roots;
use crate::store::follow::RunFollower;
use crate::store::history::{self, RunEntry};
use crate::store::journal::JournalTail;
use crate::store::lock::{self, Holder, LockStatus};
use crate::store::record;

/// All runs, newest first.
pub fn list(context: &Context) -> Result<Vec<RunEntry>, Failure> {
    Ok(history::list(&context.runs)?)
}

/// One run, read back: with every execution, or with those that did not pass.
pub fn show(context: &Context, asked: &str, all: bool) -> Result<StoredRun, Failure> {
    if all { stored::load(context, asked) } else { stored::load_failures(context, asked) }
}

/// How long between two looks at the journals of a live run.
const LOOK: Duration = Duration::from_millis(50);

/// Hands over a run's events from its first on until it ends, or until nobody runs it any more. `each` says whether it
/// still wants them. Returns the run as it was then.
pub fn follow(
    context: &Context,
    asked: &str,
    mut each: impl FnMut(&RunState, &Recorded) -> bool,
) -> Result<RunState, Failure> {
    let entry = stored::select(context, asked)?;
    let plan = stored::plan_of(&entry.dir.plan())?;
    let mut state = RunState::new(record::header(&entry), std::sync::Arc::new(plan));
    let mut follower = RunFollower::new(&entry.dir);
    let mut wanted = true;
    loop {
        // Asked before reading: what a runner that is gone has written is complete.
        let held = matches!(lock::status(&entry.dir.lock())?, LockStatus::Held(_));
        let before = state.sessions.last_seq();
        follower.poll(&mut |recorded| {
            state.apply(&recorded);
            wanted = wanted && each(&state, &recorded);
            if let RunEvent::SubrunFinished(event) = &recorded.event {
                state.forget_steps_behind(event.index);
            }
        })?;
        if !wanted || state.end.is_some() {
            return Ok(state);
        }
        if !held && state.sessions.last_seq() == before {
            if state.status == RunStatus::Running {
                state.status = RunStatus::Interrupted;
            }
            return Ok(state);
        }
        if state.sessions.last_seq() == before {
            std::thread::sleep(LOOK);
        }
    }
}

/// What following a run returns: the run's own code, or 4 when nobody runs it any more.
pub fn follow_code(state: &RunState) -> u8 {
    match (state.end, state.status) {
        (Some((_, code)), _) => code,
        (None, RunStatus::Interrupted) => exit::RIG,
        (None, _) => exit::PASS,
    }
}

/// How a run is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Once the step in flight has ended.
    AfterStep,
    /// The step in flight is asked to end, and has its time of grace.
    Now,
    /// The step in flight is killed.
    Kill,
}

/// Asks the runner of a run to stop. Returns who was asked.
///
/// To kill takes two interrupts, and two that come at once are one to a process: the second is sent when the record has
/// the first, or after a while. So that takes as long as the runner takes to hear, two seconds at most.
pub fn stop(context: &Context, asked: &str, how: How) -> Result<Holder, Failure> {
    let entry = stored::select(context, asked)?;
    let id = entry.id.to_string();
    let holder = match lock::status(&entry.dir.lock())? {
        LockStatus::Held(Some(holder)) => holder,
        LockStatus::Held(None) => {
            return Err(Failure::rig(format!("somebody runs {id}, but its lock does not say who")));
        }
        LockStatus::Free => return Err(Failure::usage(format!("{id} is not running"))),
    };
    let elsewhere = roots::boot_id(&context.roots).is_ok_and(|here| here != holder.boot_id);
    if elsewhere {
        return Err(Failure::usage(format!("{id} runs on {}, not here", holder.host.escape_debug()))
            .hinted("run this command there"));
    }
    let sent = match how {
        How::AfterStep => send(context, &holder, Signal::USR1),
        How::Now => send(context, &holder, Signal::INT),
        How::Kill => kill(context, &holder, &entry),
    };
    sent.map_err(|error| Failure::rig(format!("failed to signal process {} of {id}: {error}", holder.pid)))?;
    Ok(holder)
}

/// How long a runner may take to record an interrupt before the next one is sent all the same.
const HEARD: Duration = Duration::from_secs(2);

/// Interrupts until the second interrupt.
fn kill(context: &Context, holder: &Holder, entry: &RunEntry) -> std::io::Result<()> {
    let mut tail = JournalTail::new(&entry.dir.events());
    let mut reasons = BTreeSet::new();
    let mut is_interrupted = || {
        // A journal that cannot be read tells nothing; the time does then.
        drop(tail.poll(&mut |recorded| match recorded.event {
            RunEvent::Cancelling(event) => drop(reasons.insert(event.reason)),
            RunEvent::RunResumed(_) => reasons.clear(),
            _ => {}
        }));
        reasons.contains(&CancelReason::Interrupt)
    };
    if !is_interrupted() {
        send(context, holder, Signal::INT)?;
        let since = Instant::now();
        while !is_interrupted() && since.elapsed() < HEARD && is_held(entry) {
            std::thread::sleep(LOOK / 5);
        }
    }
    match send(context, holder, Signal::INT) {
        // The first was enough.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        sent => sent,
    }
}

fn is_held(entry: &RunEntry) -> bool {
    matches!(lock::status(&entry.dir.lock()), Ok(LockStatus::Held(_)))
}

/// Signals the very process that took the lock: a descriptor is opened first, then its start time checked, so that a pid
/// that was given to another process in between is never hit.
fn send(context: &Context, holder: &Holder, signal: Signal) -> std::io::Result<()> {
    let gone = || std::io::Error::new(std::io::ErrorKind::NotFound, "it is gone");
    let pid = i32::try_from(holder.pid).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
    let descriptor = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
        Err(rustix::io::Errno::SRCH) => return Err(gone()),
        opened => opened?,
    };
    let identity = ProcessIdentity { pid: holder.pid, start_ticks: holder.start_ticks };
    if !process::is_running(&context.roots, identity)? {
        return Err(gone());
    }
    match rustix::process::pidfd_send_signal(descriptor, signal) {
        Err(rustix::io::Errno::SRCH) => Err(gone()),
        sent => Ok(sent?),
    }
}
