//! The loop: drain what has come, update, do what follows, draw when a frame is due. Generic over the backend, so that
//! tests run this very loop. Waits for messages without waking up while nothing goes on; the last change is always drawn.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::Backend;

use crate::domain::time::Timestamp;
use crate::tui::message::{Effect, Exit, Msg};
use crate::tui::model::Model;
use crate::tui::schedule::Schedule;
use crate::tui::update::update;
use crate::tui::view::view;

/// Messages that are taken in before a frame is considered: a flood cannot keep the screen from being drawn.
const BATCH: usize = 256;

/// What the loop needs besides the model and the terminal.
pub trait Stage<B: Backend> {
    /// The host's clock.
    fn now(&self) -> Timestamp;

    /// Does something outside of the screen; what comes of it arrives as a message.
    fn perform(&mut self, terminal: &mut Terminal<B>, model: &mut Model, effect: Effect) -> io::Result<()>;
}

/// Runs until the model says that it is over. Errors: the terminal is gone.
pub fn run<B: Backend>(
    terminal: &mut Terminal<B>,
    model: &mut Model,
    inbox: &Receiver<Msg>,
    stage: &mut dyn Stage<B>,
    mut schedule: Schedule,
) -> io::Result<Exit>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut next_second = Instant::now();
    loop {
        let now = Instant::now();
        if model.dirty && schedule.due(now, model.urgent) <= now {
            draw(terminal, model, stage)?;
            schedule.drawn(Instant::now());
            continue;
        }
        let due = model.dirty.then(|| schedule.due(now, model.urgent));
        let second = model.live().map(|_| next_second.max(now));
        let wake = due.into_iter().chain(second).min();
        let first = match wake {
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(wake) => inbox.recv_timeout(wake.saturating_duration_since(now)),
        };
        match first {
            Ok(msg) => {
                take(terminal, model, stage, msg)?;
                for _ in 0..BATCH {
                    let Ok(msg) = inbox.try_recv() else { break };
                    take(terminal, model, stage, msg)?;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                // Nobody is left to say anything: what was said last is still shown.
                if model.dirty {
                    draw(terminal, model, stage)?;
                }
                return Ok(model.exit.take().unwrap_or(Exit::Left));
            }
        }
        let now = Instant::now();
        if model.live().is_some() && next_second <= now {
            next_second = now + Duration::from_secs(1);
            take(terminal, model, stage, Msg::Tick)?;
        }
        if let Some(exit) = model.exit.take() {
            return Ok(exit);
        }
    }
}

fn take<B: Backend>(
    terminal: &mut Terminal<B>,
    model: &mut Model,
    stage: &mut dyn Stage<B>,
    msg: Msg,
) -> io::Result<()> {
    for effect in update(model, msg, stage.now()) {
        stage.perform(terminal, model, effect)?;
    }
    Ok(())
}

fn draw<B: Backend>(terminal: &mut Terminal<B>, model: &mut Model, stage: &mut dyn Stage<B>) -> io::Result<()>
where
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let size = terminal.size().map_err(io::Error::other)?;
    if (size.width, size.height) != model.size {
        take(terminal, model, stage, Msg::Resize(size.width, size.height))?;
    }
    (model.dirty, model.urgent) = (false, false);
    terminal.draw(|frame| view(model, frame.area(), frame.buffer_mut())).map_err(io::Error::other)?;
    Ok(())
}
