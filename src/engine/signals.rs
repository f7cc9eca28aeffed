//! The signals by which a run is asked to stop, as inputs of the dispatcher, and the one that would stop its runner in the
//! middle. Never decides what they do.

use std::io;
use std::thread;

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::effect::Input;
use super::process_tree::is_ignored;

/// All signals that a run listens to, from the moment this exists. One that came before the run began is not lost.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    quit: Signal,
    user: Signal,
    /// `None` where it was ignored at start, as under `nohup`.
    hangup: Option<Signal>,
    /// Heard and not minded: a runner that is stopped watches no limit and brings no rail home.
    _suspend: Signal,
}

impl Signals {
    /// Listens, in whatever runtime is asked for the next one.
    pub fn listen() -> io::Result<Self> {
        let hangup = !is_ignored(Number::HUP)?;
        // What is registered belongs to the process and not to the runtime that registered it.
        let runtime = runtime()?;
        let _inside = runtime.enter();
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            quit: signal(SignalKind::quit())?,
            user: signal(SignalKind::user_defined1())?,
            hangup: hangup.then(|| signal(SignalKind::hangup())).transpose()?,
            _suspend: signal(suspend())?,
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
            _ = self.quit.recv() => Input::Quit,
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

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// SIGTSTP, which has no kind of its own.
fn suspend() -> SignalKind {
    SignalKind::from_raw(Number::TSTP.as_raw())
}

/// Calls `say` whenever somebody asks to suspend this process, which goes on. In a thread of its own, to the end of the
/// process.
pub fn when_suspended(mut say: impl FnMut() + Send + 'static) -> io::Result<()> {
    let runtime = runtime()?;
    let mut asked = {
        let _inside = runtime.enter();
        signal(suspend())?
    };
    let listen = move || {
        runtime.block_on(async {
            while asked.recv().await.is_some() {
                say();
            }
        });
    };
    thread::Builder::new().name("suspend".to_owned()).spawn(listen).map(drop)
}
