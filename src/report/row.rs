//! One execution as a row: what the exports, the page and the templates say of it, in the same words.

use std::fmt::Write as _;

use serde::{Serialize, Serializer};

use crate::domain::event::{Metric, StepFinished};
use crate::domain::evidence;
use crate::domain::run_state::{Execution, RunState};
use crate::domain::sanitize;
use crate::domain::shmoo::Cell;
use crate::domain::summary::short_name;
use crate::domain::time::{Timestamp, span};
use crate::domain::verdict::{Effects, Verdict};
use crate::store::layout::ExecutionName;

/// An execution in its sub-run.
#[derive(Debug, Clone, Copy)]
pub struct Row<'s> {
    /// The run.
    pub state: &'s RunState,
    /// The sub-run, from 0.
    pub sub_run: u32,
    /// The execution.
    pub execution: &'s Execution,
}

impl<'s> Row<'s> {
    /// The executions of a sub-run.
    pub fn all(state: &'s RunState, sub_run: u32) -> impl Iterator<Item = Self> {
        let executions = state.sub_runs.get(sub_run as usize).map(|s| s.executions.as_slice()).unwrap_or_default();
        executions.iter().map(move |execution| Self { state, sub_run, execution })
    }

    /// How long the executions of a sub-run took together. A record that was tampered with may say any numbers.
    pub fn took_ms(state: &'s RunState, sub_run: u32) -> u64 {
        let took = Self::all(state, sub_run).filter_map(|row| row.finished()?.took_ms());
        took.fold(0, u64::saturating_add)
    }

    /// How it ended, if it has.
    pub fn finished(&self) -> Option<&'s StepFinished> {
        self.execution.finished.as_deref()
    }

    /// How it ended, if it has.
    pub fn verdict(&self) -> Option<Verdict> {
        self.finished().map(|finished| finished.verdict)
    }

    /// What it shows: one that nobody can end any more was cut off.
    pub fn cell(&self) -> Cell {
        self.verdict().map_or(Cell::Aborted, Cell::from)
    }

    /// When it was started, as far as it got.
    pub fn started_at(&self) -> Timestamp {
        self.finished().and_then(|finished| finished.started_at).unwrap_or(self.execution.at)
    }

    /// Where its logs are, relative to the run's directory: stdout, stderr.
    pub fn logs(&self) -> [String; 2] {
        let count = self.state.plan.experiment.sub_runs();
        let id = self.state.header.sub_run_id(count, self.sub_run);
        let name = self.log_name();
        ["stdout", "stderr"].map(|stream| format!("subruns/{id}/{stream}/{}.log", name.as_str()))
    }

    /// How its files are called.
    pub fn log_name(&self) -> ExecutionName {
        let planned = self.state.plan.experiment.executions();
        // What stands in for a plan does not know; then at least every execution of this sub-run counts.
        let begun = self.state.sub_runs.get(self.sub_run as usize).map_or(0, |s| s.executions.len());
        let count = if planned == 0 { u32::try_from(begun).unwrap_or(u32::MAX) } else { planned };
        ExecutionName::new(self.execution.started.index, count, self.execution.started.step.as_str())
    }

    /// The row as templates see it.
    pub fn shown(&self) -> ShownRow {
        let started = &self.execution.started;
        let finished = self.finished();
        let count = self.state.plan.experiment.sub_runs();
        let [stdout, stderr] = self.logs();
        let effects = finished.map(|f| f.effects.clone()).unwrap_or_default();
        ShownRow {
            subrun: short_name(count, self.sub_run),
            subrun_id: self.state.header.sub_run_id(count, self.sub_run),
            subrun_index: self.sub_run,
            point: self.state.plan.experiment.point(self.sub_run).unwrap_or_default().shown(),
            index: started.index,
            step: started.step.to_string(),
            adapter: started.adapter.to_string(),
            combination: sanitize::escaped(&started.combination).into_owned(),
            repetition: started.repetition,
            attempt: started.attempt,
            verdict: self.verdict(),
            cell: self.cell().as_str(),
            glyph: self.cell().glyph(),
            effects_text: effects_text(&effects),
            effects,
            ended: self.ended(),
            exit_code: finished.and_then(|f| f.exit_code),
            signal: finished.and_then(|f| f.signal),
            started_at: self.started_at(),
            duration_ms: finished.and_then(StepFinished::took_ms),
            took: finished.and_then(StepFinished::took_ms).map(span),
            seed: started.seed,
            reason: self.reason(),
            error: finished.and_then(|f| f.error.as_deref()).map(|e| sanitize::escaped(e).into_owned()),
            argv: started.argv.iter().map(|word| sanitize::shell_word(word)).collect::<Vec<_>>().join(" "),
            params: started.params.iter().map(|(name, value)| NameValue::new(name.as_str(), &plain(value))).collect(),
            metrics: finished
                .into_iter()
                .flat_map(|f| &f.metrics)
                .map(|(name, m)| Measured::new(name.as_str(), m))
                .collect(),
            news: finished.map(|f| evidence::news(&f.observed)).unwrap_or_default(),
            stdout,
            stderr,
        }
    }

    /// `exit 1`, `signal 11`, `cut off`, `not started`, `did not end`.
    pub fn ended(&self) -> String {
        self.execution.ended().unwrap_or_else(|| "did not end".to_owned())
    }

    /// Why this verdict, for people; empty where there is nothing to say.
    pub fn reason(&self) -> String {
        let reason = self.finished().and_then(|finished| finished.reason.as_deref());
        reason.map(|reason| sanitize::escaped(reason).into_owned()).unwrap_or_default()
    }
}

/// An execution as templates see it.
#[derive(Debug, Clone, Serialize)]
pub struct ShownRow {
    /// `s003`.
    pub subrun: String,
    /// `<run id>-s003`.
    pub subrun_id: String,
    /// From 0.
    pub subrun_index: u32,
    /// `core 3.2GHz 850mV`.
    pub point: String,
    /// Within its sub-run.
    pub index: u32,
    /// The flow's name for it.
    pub step: String,
    /// What ran it.
    pub adapter: String,
    /// `pattern=checkerboard,size_mb=16`, or empty.
    pub combination: String,
    /// From 0.
    pub repetition: u32,
    /// From 1.
    pub attempt: u32,
    /// How it ended, if it has.
    pub verdict: Option<Verdict>,
    /// Word for style sheets.
    pub cell: &'static str,
    /// One character.
    pub glyph: char,
    /// What was seen.
    pub effects: Effects,
    /// `ac sdc`.
    pub effects_text: String,
    /// `exit 1`, `signal 11`, `not started`, `did not end`.
    pub ended: String,
    /// If it exited.
    pub exit_code: Option<i32>,
    /// If a signal ended it.
    pub signal: Option<i32>,
    /// In UTC.
    pub started_at: Timestamp,
    /// If it has ended.
    pub duration_ms: Option<u64>,
    /// The same for people.
    pub took: Option<String>,
    /// Its seed.
    pub seed: u32,
    /// Why this verdict; may be empty.
    pub reason: String,
    /// What went wrong with the rig.
    pub error: Option<String>,
    /// The command line.
    pub argv: String,
    /// Parameters by name.
    pub params: Vec<NameValue>,
    /// Measured values by name.
    pub metrics: Vec<Measured>,
    /// What of the hardware's evidence is news: `edac_ce +3 mc0/dimm2`.
    pub news: Vec<String>,
    /// The log, relative to the run's directory.
    pub stdout: String,
    /// Likewise.
    pub stderr: String,
}

/// A name and a value, both text for people.
#[derive(Debug, Clone, Serialize)]
pub struct NameValue {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

impl NameValue {
    /// Both sanitised.
    pub fn new(name: &str, value: &str) -> Self {
        Self { name: sanitize::escaped(name).into_owned(), value: sanitize::escaped(value).into_owned() }
    }
}

/// A measured value.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// The metric.
    pub name: String,
    /// What was measured.
    pub value: Number,
    /// Its unit; may be empty.
    pub unit: String,
}

impl Measured {
    fn new(name: &str, metric: &Metric) -> Self {
        let unit = metric.unit.as_deref().map(|unit| sanitize::escaped(unit).into_owned());
        Self { name: name.to_owned(), value: Number(metric.value), unit: unit.unwrap_or_default() }
    }
}

/// A measured number; a whole one is written without decimals.
#[derive(Debug, Clone, Copy)]
pub struct Number(pub f64);

impl Serialize for Number {
    #[expect(clippy::cast_possible_truncation, reason = "a whole number within 2^53")]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let Self(value) = *self;
        if value.fract() == 0.0 && value.abs() <= EXACT {
            serializer.serialize_i64(value as i64)
        } else {
            serializer.serialize_f64(value)
        }
    }
}

/// `ac sdc`.
pub fn effects_text(effects: &Effects) -> String {
    let mut text = String::new();
    for effect in effects {
        let _ = write!(text, "{}{effect}", if text.is_empty() { "" } else { " " });
    }
    text
}

/// A parameter's value without the quotes of JSON.
pub fn plain(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
