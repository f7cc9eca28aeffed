//! The signals by which a run is asked to stop, as inputs of the dispatcher. Never decides what they do.

use std::io;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::effect::Input;
use super::process_tree::is_ignored;

/// All signals that a run listens to, from the moment this exists.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    user: Signal,
    /// `None` where it was ignored at start, as under `nohup`.
    hangup: Option<Signal>,
}

impl Signals {
    /// Listens. Must run inside a tokio runtime.
    pub fn listen() -> io::Result<Self> {
        let hangup = !is_ignored(Number::HUP)?;
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            user: signal(SignalKind::user_defined1())?,
            hangup: hangup.then(|| signal(SignalKind::hangup())).transpose()?,
        })
    }

    /// The next one; the gravest first. Safe to drop and call again.
    pub async fn next(&mut self) -> Input {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => Input::Interrupt,
            _ = self.terminate.recv() => Input::Terminate,
            _ = hangup => Input::Hangup,
            _ = self.user.recv() => Input::StopAfterStep,
        }
    }

    /// One that has come already.
    pub async fn pending(&mut self) -> Option<Input> {
        // The runtime looks at its descriptors only when a task gives way.
        tokio::task::yield_now().await;
        tokio::select! {
            biased;
            input = self.next() => Some(input),
            () = std::future::ready(()) => None,
        }
    }
}
