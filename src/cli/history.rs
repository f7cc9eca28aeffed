//! `runs`: history and control. From what was typed to one call into `commands`, and its answer in lines.

use std::cell::Cell;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::cli::args::{OutputForm, Runs};
use crate::cli::console::Console;
use crate::cli::face::{event_line, width_of_stderr};
use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::run_filter::RunFilter;
use crate::commands::runs::{self, How};
use crate::commands::verify::{self, News};
use crate::commands::{self, stored};
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::domain::verdict::exit;
use crate::headless;
use crate::headless::history::{self, RunRow};
use crate::headless::output::Output;
use crate::headless::progress::{self, Progress, Verbosity};
use crate::headless::verify::{self as lines, Totals};

/// Does what was asked.
pub fn run(context: &Context, command: Runs, console: &mut Console) -> Result<u8, Failure> {
    match command {
        Runs::List { filter } => list(context, filter.as_deref(), console),
        Runs::Compare { then, now } => compare(context, &then, &now, console),
        Runs::Show { run } => show(context, &run.id, console),
        Runs::Follow { run } => follow(context, &run.id, console),
        Runs::Stop { run, now } => {
            let (how, when) = if now { (How::Now, "now") } else { (How::AfterStep, "after the step in flight") };
            let holder = runs::stop(context, &run.id, how)?;
            console.err.line(&format!("asked process {} to stop {} {when}", holder.pid, holder.run_id.escape_debug()));
            Ok(exit::PASS)
        }
        Runs::Verify { run } => verification(context, run.as_deref(), console),
    }
}

/// How often the place of the work is drawn anew.
const REDRAW: Duration = Duration::from_millis(100);

fn verification(context: &Context, asked: Option<&str>, console: &mut Console) -> Result<u8, Failure> {
    let Console { out, err, form, verbosity, .. } = console;
    let (human, verbosity) = (*form == OutputForm::Human, *verbosity);
    let width = width_of_stderr().filter(|_| verbosity != Verbosity::Quiet);
    let (mut all, mut totals) = (vec![], Totals::default());
    let mut drawn: Option<Instant> = None;
    let verified = verify::verify(context, asked, &mut |news| match (news, width) {
        (News::At { run_id, done, of, bytes }, Some(width)) => {
            if drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW) {
                drawn = Some(Instant::now());
                err.text(&format!("\r{}\x1b[K", lines::progress(run_id, done, of, bytes, width.into())));
            }
        }
        (News::At { .. }, None) => {}
        (News::Done(run), _) => {
            totals.add(&run);
            if human {
                let text = lines::lines(&run, verbosity);
                // What is drawn on the same screen must be gone first.
                if !text.is_empty() && drawn.take().is_some() {
                    err.text("\r\x1b[K");
                }
                out.text(&text);
                out.flush();
            } else {
                all.push(run);
            }
        }
    });
    if drawn.is_some() {
        err.text("\r\x1b[K");
    }
    verified?;
    match (human, totals) {
        (false, _) => out.json(&all),
        (true, Totals { sound: 0, noted: 0, damaged: 0 }) => out.line(&no_run(context)),
        (true, _) => out.line(&totals.line()),
    }
    Ok(if totals.damaged > 0 { exit::RIG } else { exit::PASS })
}

fn list(context: &Context, filter: Option<&str>, console: &mut Console) -> Result<u8, Failure> {
    let filter = RunFilter::parse(filter.unwrap_or_default()).map_err(|error| Failure::usage(error.to_string()))?;
    let all = runs::list(context)?;
    let rows: Vec<RunRow> = all.iter().filter(|entry| filter.matches(entry)).map(RunRow::new).collect();
    console.result(&rows, || {
        if rows.is_empty() {
            let matching = if all.is_empty() { "" } else { " matches the filter" };
            return format!("{}{matching}\n", no_run(context));
        }
        history::table(rows.iter().cloned()).text()
    });
    Ok(exit::PASS)
}

fn no_run(context: &Context) -> String {
    format!("no run in {}", sanitize::escaped(&context.runs.display().to_string()))
}

fn compare(context: &Context, then: &str, now: &str, console: &mut Console) -> Result<u8, Failure> {
    let compared = commands::compare::compare(context, then, now)?;
    console.result(&compared.comparison, || headless::compare::text(&compared.comparison));
    console.damage(&compared.damage);
    Ok(stored::damage_code(&compared.damage))
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
