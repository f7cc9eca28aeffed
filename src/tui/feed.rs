//! Following a run for the screen: opened as far as it has come, then its events as they are recorded. Live, attached
//! and past are this one path. Reads only; a slow screen never holds up anybody, least of all the runner.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::commands::context::Context;
use crate::commands::stored;
use crate::domain::event::RunEvent;
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::store::follow::RunFollower;
use crate::store::history::RunEntry;
use crate::store::lock::{self, LockStatus};
use crate::store::record;
use crate::tui::message::{Msg, Opened, Ticket};

/// Between two looks at the journals of a live run.
const LOOK: Duration = Duration::from_millis(50);
/// Events that are handed over at once.
const BATCH: usize = 512;

/// A run that is being followed; dropping this ends it.
#[derive(Debug)]
pub struct Feed {
    _stop: Sender<()>,
}

impl Feed {
    /// Opens a run and follows it; everything arrives as messages with this ticket.
    pub fn start(context: Context, asked: String, ticket: Ticket, out: Sender<Msg>) -> Self {
        let (stop, stopped) = channel();
        thread::spawn(move || {
            if let Err(why) = follow(&context, &asked, ticket, &out, &stopped) {
                drop(out.send(Msg::NotOpened(ticket, why)));
            }
        });
        Self { _stop: stop }
    }
}

fn follow(
    context: &Context,
    asked: &str,
    ticket: Ticket,
    out: &Sender<Msg>,
    stopped: &Receiver<()>,
) -> Result<(), String> {
    let entry = stored::select(context, asked).map_err(|failure| failure.message)?;
    let is_held = |entry: &RunEntry| matches!(lock::status(&entry.dir.lock()), Ok(LockStatus::Held(_)));
    if is_held(&entry) {
        return live(&entry, ticket, out, stopped, &is_held);
    }
    let run = stored::open_cells(context, asked).map_err(|failure| failure.message)?;
    let opened = Opened {
        dir: run.entry.dir.clone(),
        state: run.state,
        live: false,
        stands_in: run.stands_in,
        damage: run.damage.iter().map(|damage| sanitize::escaped(&damage.to_string()).into_owned()).collect(),
    };
    drop(out.send(Msg::Opened(ticket, Box::new(opened))));
    Ok(())
}

fn live(
    entry: &RunEntry,
    ticket: Ticket,
    out: &Sender<Msg>,
    stopped: &Receiver<()>,
    is_held: &dyn Fn(&RunEntry) -> bool,
) -> Result<(), String> {
    let plan = record::read_plan(&entry.dir.plan())
        .and_then(|plan| record::sound(plan, &entry.dir))
        .map_err(|error| format!("failed to {}", sanitize::escaped(&error.to_string())))?;
    let mut state = RunState::new(record::header(entry), std::sync::Arc::new(plan));
    let mut follower = RunFollower::new(&entry.dir);
    // What there is already is taken in here: the screen gets it as one.
    let mut damage = vec![];
    let first = follower.poll(&mut |recorded| {
        let finished = match &recorded.event {
            RunEvent::SubrunFinished(finished) => Some(finished.index),
            _ => None,
        };
        state.absorb(recorded);
        if let Some(index) = finished {
            state.forget_steps_behind(index);
        }
    });
    if let Err(error) = first {
        damage.push(sanitize::escaped(&error.to_string()).into_owned());
    }
    let opened = Opened { dir: entry.dir.clone(), state, live: true, stands_in: false, damage };
    if out.send(Msg::Opened(ticket, Box::new(opened))).is_err() {
        return Ok(());
    }
    loop {
        // Asked before reading: what a runner that is gone has written is complete.
        let held = is_held(entry);
        let mut events = vec![];
        // A journal that is broken in its middle was told of; the others go on.
        drop(follower.poll(&mut |recorded| events.push(recorded)));
        let quiet = events.is_empty();
        while !events.is_empty() {
            let rest = events.split_off(events.len().min(BATCH));
            if out.send(Msg::Events(ticket, std::mem::replace(&mut events, rest))).is_err() {
                return Ok(());
            }
        }
        if !held && quiet {
            drop(out.send(Msg::Ended(ticket)));
            return Ok(());
        }
        match stopped.recv_timeout(if quiet { LOOK } else { LOOK / 5 }) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}
