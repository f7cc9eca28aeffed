//! A run as it happens, for a terminal or a log file: a line a step, and a bar with the time left on a terminal.
//!
//! Reads events from a channel and prints; whatever becomes of the stream, the run goes on. Never decides anything.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use crate::domain::event::{Recorded, RunEvent, StepFinished};
use crate::domain::progress::Remaining;
use crate::domain::run_state::{Execution, RunState, SubRunState};
use crate::domain::sanitize;
use crate::domain::summary::short_name;
use crate::domain::time::{Timestamp, clock, span};
use crate::domain::verdict::Verdict;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// `-q`: nothing but results.
    Quiet,
    /// A line a step.
    #[default]
    Normal,
    /// `-v`: also each step's arguments.
    Verbose,
}

/// What prints a run's events for people.
pub struct Progress<W> {
    state: RunState,
    out: W,
    verbosity: Verbosity,
    /// Columns of the terminal, where there is one.
    terminal: Option<u16>,
    bar_shown: bool,
    closed: bool,
}

impl<W: Write> Progress<W> {
    /// Over a run before its first event. `terminal` is the width of the terminal behind `out`, if it is one.
    pub const fn new(state: RunState, out: W, verbosity: Verbosity, terminal: Option<u16>) -> Self {
        Self { state, out, verbosity, terminal, bar_shown: false, closed: false }
    }

    /// Prints events until their sender is gone; returns the run as it was then.
    pub fn follow(mut self, events: &Receiver<Recorded>, mut each: impl FnMut(&Recorded)) -> RunState {
        let mut now = None;
        loop {
            match events.recv_timeout(Duration::from_secs(1)) {
                Ok(recorded) => {
                    now = Some((recorded.at, std::time::Instant::now()));
                    each(&recorded);
                    self.event(&recorded);
                    // A burst is drawn once, after its last event.
                    while let Ok(recorded) = events.try_recv() {
                        each(&recorded);
                        self.event(&recorded);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    self.clear_bar();
                    return self.state;
                }
            }
            if let Some((at, since)) = now {
                let elapsed = i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX);
                self.bar(Timestamp::from_millis(at.millis().saturating_add(elapsed)).unwrap_or(at));
            }
        }
    }

    /// Takes in and prints one event.
    pub fn event(&mut self, recorded: &Recorded) {
        self.take(recorded);
        if self.verbosity == Verbosity::Quiet {
            return;
        }
        let line = match &recorded.event {
            RunEvent::StepStarted(event) if self.verbosity == Verbosity::Verbose => {
                let argv: Vec<String> = event.argv.iter().map(|a| sanitize::escaped(a).into_owned()).collect();
                Some(format!("{:>9} {} {}", "start", event.step, argv.join(" ")))
            }
            RunEvent::StepFinished(event) => Some(self.step_line(event)),
            RunEvent::SubrunFinished(event) if event.verdict == Verdict::Skipped => {
                let reason = event.reason.as_deref().unwrap_or("skipped");
                Some(format!("{} {} {}", self.label(event.index), Verdict::Skipped.glyph(), sanitize::line(reason)))
            }
            RunEvent::Cancelling(event) => {
                let detail = event.detail.as_deref().map(|d| format!(": {}", sanitize::line(d))).unwrap_or_default();
                Some(format!("stopping: {}{detail}", event.reason.words()))
            }
            _ => None,
        };
        if let Some(line) = line {
            self.clear_bar();
            self.print(&line);
            self.print("\n");
        }
    }

    /// Takes in one event. Nobody asks for the steps of what has ended: a long sweep must not fill the memory.
    fn take(&mut self, recorded: &Recorded) {
        self.state.apply(recorded);
        if let RunEvent::SubrunFinished(event) = &recorded.event {
            self.state.forget_steps_behind(event.index);
        }
    }

    fn sub_run_label(&self) -> String {
        self.label(self.state.current.unwrap_or(0))
    }

    /// `s03 core 3.2GHz 850mV`.
    fn label(&self, index: u32) -> String {
        let count = self.state.plan.experiment.sub_runs();
        let point = self.state.plan.experiment.point(index).unwrap_or_default();
        format!("{} {}", short_name(count, index), point.shown())
    }

    fn step_line(&self, event: &StepFinished) -> String {
        let execution = self
            .state
            .current
            .and_then(|c| self.state.sub_runs.get(c as usize))
            .and_then(|s| s.executions.iter().find(|e| e.started.index == event.index));
        let mut step = event.step.to_string();
        if let Some(execution) = execution {
            if !execution.started.combination.is_empty() {
                step = format!("{step} {}", sanitize::escaped(&execution.started.combination));
            }
            let repeats = self.state.plan.experiment.locate(event.index).map_or(1, |(t, _, _)| t.repeat);
            if repeats > 1 {
                step = format!("{step} {}/{repeats}", execution.started.repetition + 1);
            }
        }
        let ended = execution.and_then(Execution::ended).or_else(|| event.ended()).unwrap_or_default();
        let verdict = event.verdict;
        let mut line = format!(
            "{}  {step}  {} {:<7} {:>8}  {ended}",
            self.sub_run_label(),
            verdict.glyph(),
            verdict.as_str(),
            event.took_ms().map(span).unwrap_or_default()
        );
        for effect in &event.effects {
            line.push(' ');
            line.push_str(effect.as_str());
        }
        if let Some(reason) = &event.reason
            && (verdict != Verdict::Pass || self.verbosity == Verbosity::Verbose || reason.starts_with("left "))
        {
            line.push_str("  ");
            line.push_str(&sanitize::line(reason));
        }
        line
    }

    /// The bar of a run in progress, on a terminal only.
    fn bar(&mut self, now: Timestamp) {
        let (Some(width), true) = (self.terminal, self.verbosity != Verbosity::Quiet) else { return };
        if self.state.end.is_some() {
            return;
        }
        let text = bar_text(&self.state, now, width as usize);
        self.print(&format!("\r{text}\x1b[K"));
        self.bar_shown = true;
        drop(self.out.flush());
    }

    fn clear_bar(&mut self) {
        if self.bar_shown {
            self.print("\r\x1b[K");
            self.bar_shown = false;
        }
    }

    /// A stream that is gone ends the output and nothing else.
    fn print(&mut self, text: &str) {
        if !self.closed {
            self.closed = self.out.write_all(text.as_bytes()).is_err();
        }
    }
}

/// `[#####.....] 12/36  X3 !1  00:12:41 ~00:31:00 left`, at most `width` columns.
fn bar_text(state: &RunState, now: Timestamp, width: usize) -> String {
    let (done, all) = (state.finished_sub_runs(), state.sub_runs.len());
    let remaining = Remaining::of(state, now);
    let mut tail = format!(" {done}/{all}");
    for verdict in Verdict::ALL {
        let count = state.sub_runs.iter().filter(|s| s.verdict == Some(verdict)).count();
        if count > 0 && verdict != Verdict::Pass {
            let _ = write!(tail, " {}{count}", verdict.glyph());
        }
    }
    let _ = write!(tail, " {}", clock(remaining.elapsed_ms));
    if let Some(left) = remaining.left_ms {
        let _ = write!(tail, " ~{} left", clock(left));
    }
    let cells = width.saturating_sub(tail.len() + 3).min(40);
    let filled = (cells * done).checked_div(all).unwrap_or(0);
    let text = format!("[{}{}]{tail}", "#".repeat(filled), ".".repeat(cells - filled));
    text.chars().take(width.saturating_sub(1)).collect()
}

/// What a run came to, as lines for stdout.
pub fn result(state: &RunState, record: &std::path::Path) -> String {
    let mut counts = vec![];
    for verdict in Verdict::ALL {
        let count = state.sub_runs.iter().filter(|s| s.verdict == Some(verdict)).count();
        if count > 0 {
            counts.push(format!("{count} {verdict}"));
        }
    }
    let missing = state.sub_runs.len() - state.finished_sub_runs();
    if missing > 0 {
        counts.push(format!("{missing} not started"));
    }
    let count = |of: &dyn Fn(&SubRunState) -> bool| state.sub_runs.iter().filter(|sub_run| of(sub_run)).count();
    let (flaky, unapplied) = (count(&|s| s.flaky.is_some()), count(&|s| s.unapplied));
    let unheld = count(&|s| s.unheld);
    let mut out = format!("run       {}\n", state.header.run_id);
    let verdict = state.end.map_or_else(|| "unknown".to_owned(), |(v, code)| format!("{v} (exit {code})"));
    let _ = writeln!(out, "verdict   {verdict}");
    let _ = writeln!(out, "sub-runs  {}: {}", state.sub_runs.len(), counts.join(", "));
    if flaky > 0 {
        let _ = writeln!(out, "flaky     {flaky} sub-runs passed with repetitions that failed");
    }
    if unapplied > 0 {
        let says = "sub-runs had a swept rail that nobody applied: they say nothing about the margin";
        let _ = writeln!(out, "unapplied {unapplied} {says}");
    }
    if unheld > 0 {
        let says = "sub-runs had a rail that did not hold its setpoint: they say nothing about the margin";
        let _ = writeln!(out, "not held  {unheld} {says}");
    }
    if let Some(reason) = state.stop_reason() {
        let _ = writeln!(out, "stopped   {}", sanitize::line(&reason));
    }
    let _ = writeln!(out, "record    {}", sanitize::escaped(&record.display().to_string()));
    out
}
