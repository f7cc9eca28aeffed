//! `export.csv` and JSON rows: a row for every execution that began, the columns known before the first row is read.
//!
//! Text that a spreadsheet would take for a formula is quoted with `'` in CSV; numbers stay numbers.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::Path;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::Part;
use super::row::{Number, Row, effects_text};
use crate::domain::event::{StepFinished, applied_key};
use crate::domain::evidence::{NOT_CHECKED, Observation, SourceId, Sources};
use crate::domain::margin::RailField;
use crate::domain::name::Name;
use crate::domain::plan::{Argument, Experiment};
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::store::StoreError;

/// The columns that every run has, in front and behind.
pub const FIXED: [&str; 18] = [
    "run_id",
    "unit",
    "subrun",
    "subrun_index",
    "index",
    "step",
    "adapter",
    "combination",
    "repetition",
    "attempt",
    "verdict",
    "effects",
    "exit_code",
    "signal",
    "started_at",
    "duration_ms",
    "seed",
    "reason",
];
/// The last of [`FIXED`] stands behind the columns of the run's own.
const IN_FRONT: usize = FIXED.len() - 1;

/// The columns of a run, each group in name order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// Each with its key in `applied`.
    rails: BTreeMap<(Name, RailField), String>,
    params: BTreeSet<Name>,
    /// Each with its unit, which may be empty.
    metrics: BTreeMap<Name, String>,
    /// The sources of evidence that the run names.
    evidence: BTreeSet<SourceId>,
    /// The steps of the flow, and the combinations of their parameters; no columns, but what rows refer to.
    steps: BTreeSet<String>,
    combinations: BTreeSet<String>,
}

impl Columns {
    /// The columns of a plan.
    pub fn of(experiment: &Experiment) -> Self {
        let keys = experiment.fixed.keys().chain(experiment.axes.iter().flat_map(|axis| axis.columns.keys()));
        let rails = keys.map(|key| ((key.rail.clone(), key.field), applied_key(&key.rail, key.field)));
        let mut params = BTreeSet::new();
        for combination in experiment.steps.iter().flat_map(|step| &step.combinations) {
            params.extend(combination.params.keys().cloned());
            for argument in &combination.argv {
                if let Argument::Bound(bound) = argument {
                    params.insert(bound.param.clone());
                }
            }
        }
        let used: BTreeSet<&Name> = experiment.steps.iter().map(|step| &step.adapter).collect();
        let adapters = used.into_iter().filter_map(|name| experiment.adapters.get(name));
        let specs = adapters.flat_map(|adapter| &adapter.judgement.metrics);
        let metrics = specs.map(|spec| (spec.name.clone(), spec.unit.clone().unwrap_or_default()));
        let combinations = experiment.steps.iter().flat_map(|step| &step.combinations);
        Self {
            rails: rails.collect(),
            params,
            metrics: metrics.collect(),
            evidence: BTreeSet::new(),
            steps: experiment.steps.iter().map(|step| step.name.to_string()).collect(),
            combinations: combinations.map(|combination| combination.key.clone()).collect(),
        }
    }

    /// With a column for each source of evidence that the run names, whether it was there or not.
    #[must_use]
    pub fn observing(mut self, sources: &Sources) -> Self {
        self.evidence.extend(sources.keys().copied());
        self
    }

    /// The metrics, each with its unit.
    pub const fn metrics(&self) -> &BTreeMap<Name, String> {
        &self.metrics
    }

    /// The names of steps.
    pub const fn steps(&self) -> &BTreeSet<String> {
        &self.steps
    }

    /// The combinations of parameters.
    pub const fn combinations(&self) -> &BTreeSet<String> {
        &self.combinations
    }

    /// Every title, in order.
    pub fn titles(&self) -> Vec<String> {
        let fixed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut titles = fixed(FIXED.get(..IN_FRONT).unwrap_or_default());
        titles.extend(self.rails.keys().map(|(rail, field)| match field {
            RailField::Frequency => format!("{rail}.frequency_mhz"),
            RailField::Voltage => format!("{rail}.voltage_mv"),
        }));
        titles.extend(self.rails.values().map(|key| format!("applied.{key}")));
        titles.extend(self.params.iter().map(|name| format!("param.{name}")));
        titles.extend(self.metrics.keys().map(|name| format!("metric.{name}")));
        titles.extend(self.evidence.iter().map(|source| format!("evidence.{source}")));
        titles.extend(fixed(FIXED.get(IN_FRONT..).unwrap_or_default()));
        titles
    }

    /// Hands over a row's cells in the order of the titles; `id` is the sub-run's.
    fn cells<E>(&self, row: &Row<'_>, id: &str, mut put: impl FnMut(Cell<'_>) -> Result<(), E>) -> Result<(), E> {
        let started = &row.execution.started;
        let finished = row.finished();
        put(Cell::Text(&row.state.header.run_id))?;
        put(row.state.plan.unit.as_deref().map_or(Cell::Empty, Cell::Text))?;
        put(Cell::Text(id))?;
        put(Cell::Whole(row.sub_run.into()))?;
        put(Cell::Whole(started.index.into()))?;
        put(Cell::Text(started.step.as_str()))?;
        put(Cell::Text(started.adapter.as_str()))?;
        put(Cell::Text(&started.combination))?;
        put(Cell::Whole(started.repetition.into()))?;
        put(Cell::Whole(started.attempt.into()))?;
        put(row.verdict().map_or(Cell::Empty, |verdict| Cell::Text(verdict.as_str())))?;
        put(Cell::Text(&finished.map(|f| effects_text(&f.effects)).unwrap_or_default()))?;
        put(finished.and_then(|f| f.exit_code).map_or(Cell::Empty, |code| Cell::Whole(code.into())))?;
        put(finished.and_then(|f| f.signal).map_or(Cell::Empty, |signal| Cell::Whole(signal.into())))?;
        put(Cell::Text(&row.started_at().to_string()))?;
        put(finished.and_then(StepFinished::took_ms).map_or(Cell::Empty, whole))?;
        put(Cell::Whole(started.seed.into()))?;
        for (rail, field) in self.rails.keys() {
            let grid = started.rails.get(rail).and_then(|setting| setting.grid(*field));
            put(grid.map_or(Cell::Empty, Cell::Thousandths))?;
        }
        for key in self.rails.values() {
            put(started.applied.get(key).map_or(Cell::Empty, |by| Cell::Text(by.as_str())))?;
        }
        for name in &self.params {
            put(started.params.get(name).map_or(Cell::Empty, Cell::Json))?;
        }
        for name in self.metrics.keys() {
            let metric = finished.and_then(|f: &StepFinished| f.metrics.get(name));
            put(metric.map_or(Cell::Empty, |metric| Cell::Number(metric.value)))?;
        }
        for source in &self.evidence {
            put(observed(finished.and_then(|f| f.observed.get(source))))?;
        }
        put(finished.and_then(|f| f.reason.as_deref()).map_or(Cell::Empty, Cell::Text))
    }
}

/// Finds the columns in the journals, for a run whose plan cannot be read.
impl Part for Columns {
    fn sub_run(&mut self, state: &RunState, index: u32) {
        self.evidence.extend(state.sources.keys().copied());
        for row in Row::all(state, index) {
            let started = &row.execution.started;
            for (rail, setting) in &started.rails {
                for field in RailField::ALL.into_iter().filter(|field| setting.grid(*field).is_some()) {
                    self.rails.entry((rail.clone(), field)).or_insert_with(|| applied_key(rail, field));
                }
            }
            self.params.extend(started.params.keys().cloned());
            for (name, metric) in row.finished().into_iter().flat_map(|finished| &finished.metrics) {
                self.metrics.entry(name.clone()).or_insert_with(|| metric.unit.clone().unwrap_or_default());
            }
            self.steps.insert(started.step.to_string());
            self.combinations.insert(started.combination.clone());
        }
    }
}

impl Columns {
    /// With those of another part of the run.
    pub fn join(&mut self, other: Self) {
        self.rails.extend(other.rails);
        self.params.extend(other.params);
        for (name, unit) in other.metrics {
            self.metrics.entry(name).or_insert(unit);
        }
        self.evidence.extend(other.evidence);
        self.steps.extend(other.steps);
        self.combinations.extend(other.combinations);
    }
}

/// A difference, a largest value, a number of lines; what is not there was not checked, and that is no zero.
fn observed(observation: Option<&Observation>) -> Cell<'static> {
    match observation {
        Some(Observation::Counted(counted)) => whole(counted.delta),
        Some(Observation::Measured(measured)) => Cell::Whole(measured.max),
        Some(Observation::Logged(logged)) => {
            let kinds = [logged.corrected, logged.uncorrected, logged.throttle, logged.note];
            whole(kinds.into_iter().fold(0, u64::saturating_add))
        }
        Some(Observation::NotChecked { .. }) | None => Cell::Text(NOT_CHECKED),
    }
}

fn whole(number: u64) -> Cell<'static> {
    Cell::Whole(i64::try_from(number).unwrap_or(i64::MAX))
}

/// What stands in one column of one row.
#[derive(Debug, Clone, Copy)]
enum Cell<'r> {
    Empty,
    Whole(i64),
    /// Microvolts as millivolts, kilohertz as megahertz: exact.
    Thousandths(u64),
    Number(f64),
    /// A parameter: a number, a truth value or text.
    Json(&'r serde_json::Value),
    Text(&'r str),
}

/// `850`, `850.5`.
fn thousandths(base: u64) -> String {
    match base % 1000 {
        0 => (base / 1000).to_string(),
        rest => format!("{}.{rest:03}", base / 1000).trim_end_matches('0').to_owned(),
    }
}

/// Text as a cell that no spreadsheet calculates, with nothing in it that could move a cursor.
fn inert(text: &str) -> Cow<'_, str> {
    let shown = sanitize::escaped(text);
    // The wide forms count as well where a spreadsheet is set to Chinese or Japanese.
    let formula = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    if shown.trim_start().starts_with(formula) { format!("'{shown}").into() } else { shown }
}

/// Rows of some sub-runs as text.
pub struct Rows<'c> {
    columns: &'c Columns,
    titles: &'c [String],
    form: RowForm,
    text: Vec<u8>,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowForm {
    /// Comma-separated, the titles in the first line.
    Csv,
    /// An array of objects, one a line.
    Json,
}

impl<'c> Rows<'c> {
    /// No row yet.
    pub const fn new(columns: &'c Columns, titles: &'c [String], form: RowForm) -> Self {
        Self { columns, titles, form, text: vec![] }
    }

    fn csv(&mut self, state: &RunState, index: u32) -> csv::Result<()> {
        use std::fmt::Write as _;
        let mut number = String::new();
        let id = state.header.sub_run_id(state.plan.experiment.sub_runs(), index);
        let mut to = csv::WriterBuilder::new().has_headers(false).from_writer(&mut self.text);
        for row in Row::all(state, index) {
            self.columns.cells(&row, &id, |cell| {
                number.clear();
                match cell {
                    Cell::Empty => return to.write_field(""),
                    Cell::Json(serde_json::Value::String(text)) => return to.write_field(&*inert(text)),
                    Cell::Text(text) => return to.write_field(&*inert(text)),
                    Cell::Whole(whole) => drop(write!(number, "{whole}")),
                    Cell::Thousandths(base) => number.push_str(&thousandths(base)),
                    Cell::Number(value) => drop(write!(number, "{value}")),
                    Cell::Json(value) => drop(write!(number, "{value}")),
                }
                to.write_field(&*number)
            })?;
            to.write_record(None::<&[u8]>)?;
        }
        to.flush()?;
        Ok(())
    }

    fn json(&mut self, state: &RunState, index: u32) -> serde_json::Result<()> {
        let id = state.header.sub_run_id(state.plan.experiment.sub_runs(), index);
        for row in Row::all(state, index) {
            if !self.text.is_empty() {
                self.text.extend_from_slice(b",\n");
            }
            let row = serde_json::to_string(&JsonRow { columns: self.columns, titles: self.titles, id: &id, row })?;
            self.text.extend_from_slice(sanitize::json(&row).as_bytes());
        }
        Ok(())
    }
}

impl Part for Rows<'_> {
    fn sub_run(&mut self, state: &RunState, index: u32) {
        // Text into memory: neither can fail.
        match self.form {
            RowForm::Csv => drop(self.csv(state, index)),
            RowForm::Json => drop(self.json(state, index)),
        }
    }
}

/// The whole of an export: what stands before the rows, between them and behind them.
pub struct Writer<'w> {
    to: &'w mut dyn Write,
    path: &'w Path,
    form: RowForm,
    is_empty: bool,
}

impl<'w> Writer<'w> {
    /// Into `to`, which errors call `path`. The titles are written at once.
    pub fn new(titles: &[String], form: RowForm, path: &'w Path, to: &'w mut dyn Write) -> Result<Self, StoreError> {
        let mut writer = Self { to, path, form, is_empty: true };
        match form {
            RowForm::Csv => {
                let mut line = csv::WriterBuilder::new().from_writer(vec![]);
                let line = line.write_record(titles).map(|()| line.into_inner().unwrap_or_default());
                let line = line.map_err(|error| StoreError::io("write", path)(io::Error::from(error)))?;
                writer.write(&line)?;
            }
            RowForm::Json => writer.write(b"[")?,
        }
        Ok(writer)
    }

    /// Adds rows.
    pub fn join(&mut self, rows: &Rows<'_>) -> Result<(), StoreError> {
        if rows.text.is_empty() {
            return Ok(());
        }
        let is_first = std::mem::take(&mut self.is_empty);
        if self.form == RowForm::Json {
            self.write(if is_first { b"\n" } else { b",\n" })?;
        }
        self.write(&rows.text)
    }

    /// Ends the document.
    pub fn finish(mut self) -> Result<(), StoreError> {
        match (self.form, self.is_empty) {
            (RowForm::Csv, _) => Ok(()),
            (RowForm::Json, true) => self.write(b"]\n"),
            (RowForm::Json, false) => self.write(b"\n]\n"),
        }
    }

    fn write(&mut self, text: &[u8]) -> Result<(), StoreError> {
        self.to.write_all(text).map_err(StoreError::io("write", self.path))
    }
}

struct JsonRow<'r> {
    columns: &'r Columns,
    titles: &'r [String],
    id: &'r str,
    row: Row<'r>,
}

impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.titles.len()))?;
        let mut titles = self.titles.iter();
        self.columns.cells(&self.row, self.id, |cell| {
            let Some(title) = titles.next() else { return Ok(()) };
            match cell {
                Cell::Empty => map.serialize_entry(title, &()),
                Cell::Whole(whole) => map.serialize_entry(title, &whole),
                Cell::Thousandths(base) if base % 1000 == 0 => map.serialize_entry(title, &(base / 1000)),
                Cell::Thousandths(base) => map.serialize_entry(title, &in_thousands(base)),
                Cell::Number(value) => map.serialize_entry(title, &Number(value)),
                Cell::Json(value) => map.serialize_entry(title, value),
                Cell::Text(text) => map.serialize_entry(title, text),
            }
        })?;
        map.end()
    }
}

#[expect(clippy::cast_precision_loss, reason = "quantities are bounded far below 2^53")]
fn in_thousands(base: u64) -> f64 {
    base as f64 / 1000.0
}
