//! `runs`: history and control. From what was typed to one call into `commands`, and its answer in lines.

use std::cell::Cell;
use std::io::{self, Write};

use crate::cli::args::{OutputForm, Runs};
use crate::cli::console::Console;
use crate::cli::face::event_line;
use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::runs::{self, How};
use crate::commands::stored;
use crate::domain::run_state::RunState;
use crate::domain::verdict::exit;
use crate::headless::history::{self, RunRow};
use crate::headless::output::Output;
use crate::headless::progress::{self, Progress, Verbosity};

/// Does what was asked.
pub fn run(context: &Context, command: Runs, console: &mut Console) -> Result<u8, Failure> {
    match command {
        Runs::List => list(context, console),
        Runs::Show { run } => show(context, &run.id, console),
        Runs::Follow { run } => follow(context, &run.id, console),
        Runs::Stop { run, now } => {
            let (how, when) = if now { (How::Now, "now") } else { (How::AfterStep, "after the step in flight") };
            let holder = runs::stop(context, &run.id, how)?;
            console.err.line(&format!("asked process {} to stop {} {when}", holder.pid, holder.run_id.escape_debug()));
            Ok(exit::PASS)
        }
    }
}

fn list(context: &Context, console: &mut Console) -> Result<u8, Failure> {
    let rows: Vec<RunRow> = runs::list(context)?.iter().map(RunRow::new).collect();
    console.result(&rows, || {
        if rows.is_empty() {
            return format!("no run in {}\n", crate::domain::sanitize::escaped(&context.runs.display().to_string()));
        }
        history::table(rows.iter().cloned()).text()
    });
    Ok(exit::PASS)
}

fn show(context: &Context, asked: &str, console: &mut Console) -> Result<u8, Failure> {
    let all = console.verbosity == Verbosity::Verbose;
    let run = runs::show(context, asked, all)?;
    console.result(&run.state.summary(), || history::shown(&run, all));
    console.damage(&run.damage);
    Ok(stored::damage_code(&run.damage))
}

fn follow(context: &Context, asked: &str, console: &mut Console) -> Result<u8, Failure> {
    let closed = Cell::new(false);
    let (form, verbosity) = (console.form, console.verbosity);
    let state = match form {
        OutputForm::Json => runs::follow(context, asked, |_, recorded| {
            event_line(&mut console.out, recorded);
            !console.out.is_closed()
        })?,
        OutputForm::Human => {
            let mut out = Some(Watched { to: &mut console.out, closed: &closed });
            let mut progress = None;
            runs::follow(context, asked, |state, recorded| {
                if let Some(out) = out.take() {
                    let unborn = RunState::new(state.header.clone(), state.plan.clone());
                    progress = Some(Progress::new(unborn, out, verbosity, None));
                }
                if let Some(progress) = &mut progress {
                    progress.event(recorded);
                }
                !closed.get()
            })?
        }
    };
    if form == OutputForm::Human {
        let dir = stored::select(context, &state.header.run_id)?.dir;
        console.out.text(&progress::result(&state, dir.root()));
    }
    Ok(runs::follow_code(&state))
}

/// An output that is flushed at each line, and tells when nobody reads any more.
struct Watched<'a, W: Write> {
    to: &'a mut Output<W>,
    closed: &'a Cell<bool>,
}

impl<W: Write> Write for Watched<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        if bytes.ends_with(b"\n") {
            self.to.flush();
        }
        self.closed.set(self.to.is_closed());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush();
        Ok(())
    }
}
