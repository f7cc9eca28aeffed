//! The face of a run without the application: asks on the terminal, prints progress on stderr and events on stdout.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, IsTerminal as _};
use std::path::Path;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;

use crate::cli::args::OutputForm;
use crate::cli::console::Console;
use crate::commands::proposal::{Answer, Proposal};
use crate::commands::run::Face;
use crate::domain::event::Recorded;
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::engine::signals;
use crate::headless::confirm;
use crate::headless::output::Output;
use crate::headless::progress::{Progress, Verbosity};
use crate::store::journal;

/// What is said to whoever presses ctrl-z.
const NOT_SUSPENDED: &str =
    "a run is not suspended: nobody would watch its step and bring its rails home; ctrl-c ends it";

/// Lines on a terminal or in a log.
pub struct Lines {
    form: OutputForm,
    verbosity: Verbosity,
    printer: Option<JoinHandle<io::Result<()>>>,
}

impl Lines {
    /// As the console is to look.
    pub const fn new(console: &Console) -> Self {
        Self { form: console.form, verbosity: console.verbosity, printer: None }
    }

    /// Waits until every event is printed. Errors: stdout could not be written, though somebody reads it.
    pub fn finish(self) -> io::Result<()> {
        match self.printer.map(JoinHandle::join) {
            Some(Ok(printed)) => printed,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

impl Face for Lines {
    fn ask(&mut self, proposal: &Proposal) -> Answer {
        let asked = terminal().and_then(|(from, to)| confirm::ask(proposal, BufReader::new(from), to).ok());
        asked.unwrap_or(Answer::NobodyToAsk)
    }

    fn tell(&mut self, line: &str) {
        Output::stderr().line(&sanitize::line(line));
    }

    fn watch(&mut self, state: RunState, _dir: &Path) -> Sender<Recorded> {
        let (events, received) = mpsc::channel();
        let (form, verbosity) = (self.form, self.verbosity);
        // Whoever asks in vain should know; where there can be no thread the run minds it as little.
        drop(signals::when_suspended(|| {
            let clear = if width_of_stderr().is_some() { "\r\x1b[K" } else { "" };
            Output::stderr().text(&format!("{clear}{NOT_SUSPENDED}\n"));
        }));
        self.printer = Some(std::thread::spawn(move || {
            let mut out = Output::stdout();
            let progress = Progress::new(state, io::stderr(), verbosity, width_of_stderr());
            progress.follow(&received, |recorded| {
                if form == OutputForm::Json {
                    event_line(&mut out, recorded);
                }
            });
            out.finish()
        }));
        events
    }
}

/// An event as it stands in its journal, on stdout at once.
pub fn event_line<W: io::Write>(out: &mut Output<W>, recorded: &Recorded) {
    let mut line = vec![];
    if journal::encode(recorded, &mut line).is_ok() {
        out.text(&sanitize::json(&String::from_utf8_lossy(&line)));
        out.flush();
    }
}

/// The controlling terminal, to read and to write; none unless stdin is a terminal and we are in its foreground: a
/// question in the background would stop us for ever.
fn terminal() -> Option<(File, File)> {
    if !io::stdin().is_terminal() {
        return None;
    }
    let to = OpenOptions::new().read(true).write(true).open("/dev/tty").ok()?;
    let foreground = rustix::termios::tcgetpgrp(&to).ok()?;
    if foreground != rustix::process::getpgrp() {
        return None;
    }
    // What was typed before the question stood there answers nothing.
    rustix::termios::tcflush(&to, rustix::termios::QueueSelector::IFlush).ok()?;
    Some((to.try_clone().ok()?, to))
}

/// Columns of the terminal behind stderr, if it is one that can be moved about in.
pub fn width_of_stderr() -> Option<u16> {
    let stderr = io::stderr();
    if !stderr.is_terminal() || std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return None;
    }
    rustix::termios::tcgetwinsize(&stderr).ok().map(|size| size.ws_col).filter(|columns| *columns > 0)
}
