//! The face of a run that the application has started: a session of its own, one line on stdout once the run has begun,
//! then silence. Asks nobody, and lives on whoever dies.

use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

use rustix::fs::{Mode, OFlags};

use crate::commands::failure::Failure;
use crate::commands::launch::Announcement;
use crate::commands::proposal::{Answer, Proposal};
use crate::commands::run::Face;
use crate::domain::event::Recorded;
use crate::domain::run_state::RunState;

/// Leaves the session of whoever started us, and with it the terminal, its hangup and its ctrl-c.
pub fn leave_session() -> Result<(), Failure> {
    rustix::process::setsid().map(drop).map_err(|error| {
        let error = io::Error::from(error);
        Failure::rig(format!("failed to begin a session of its own: {error}"))
            .hinted("--detached is for the application; leave it out")
    })
}

/// Says which run it is, and nothing else.
#[derive(Default)]
pub struct Detached {
    announcer: Option<JoinHandle<()>>,
}

impl Detached {
    /// Waits until every event has been let go.
    pub fn finish(self) {
        if let Some(Err(panic)) = self.announcer.map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Face for Detached {
    fn ask(&mut self, _proposal: &Proposal) -> Answer {
        Answer::NobodyToAsk
    }

    fn tell(&mut self, _line: &str) {}

    fn watch(&mut self, state: RunState, dir: &Path) -> Sender<Recorded> {
        let (events, received) = mpsc::channel::<Recorded>();
        let announcement = Announcement { run_id: state.header.run_id, dir: dir.display().to_string() };
        self.announcer = Some(std::thread::spawn(move || {
            // Published events are recorded ones: with the first the journal has begun and its signals are heard.
            if received.recv().is_ok() {
                announce(&announcement);
            }
            received.iter().for_each(drop);
        }));
        events
    }
}

/// The one line. Nobody may read it any more, and the run goes on all the same.
fn announce(announcement: &Announcement) {
    let mut stdout = io::stdout().lock();
    if let Ok(mut line) = serde_json::to_vec(announcement) {
        line.push(b'\n');
        drop(stdout.write_all(&line).and_then(|()| stdout.flush()));
    }
    // The starter sees the end of it, and what is printed later goes nowhere.
    let null = rustix::fs::open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
    let _ = null.and_then(rustix::stdio::dup2_stdout);
}
