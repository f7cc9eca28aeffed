//! `export.csv` and JSON rows: a row for every execution that began, the columns known before the first row is read.
//!
//! Text that a spreadsheet would take for a formula is quoted with `'` in CSV; numbers stay numbers.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::Collector;
use super::row::{Number, Row, effects_text};
use crate::domain::event::{StepFinished, applied_key};
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
    params: Vec<Name>,
    metrics: Vec<Name>,
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
        let metrics: BTreeSet<Name> =
            adapters.flat_map(|adapter| &adapter.judgement.metrics).map(|metric| metric.name.clone()).collect();
        Self { rails: rails.collect(), params: params.into_iter().collect(), metrics: metrics.into_iter().collect() }
    }

    /// The metrics, by name.
    pub fn metrics(&self) -> &[Name] {
        &self.metrics
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
        titles.extend(self.metrics.iter().map(|name| format!("metric.{name}")));
        titles.extend(fixed(FIXED.get(IN_FRONT..).unwrap_or_default()));
        titles
    }

    /// Hands over a row's cells in the order of the titles.
    fn cells<E>(&self, row: &Row<'_>, mut put: impl FnMut(Cell<'_>) -> Result<(), E>) -> Result<(), E> {
        let started = &row.execution.started;
        let finished = row.finished();
        let count = row.state.plan.experiment.sub_runs();
        put(Cell::Text(&row.state.header.run_id))?;
        put(row.state.plan.unit.as_deref().map_or(Cell::Empty, Cell::Text))?;
        put(Cell::Text(&row.state.header.sub_run_id(count, row.sub_run)))?;
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
        put(finished.map_or(Cell::Empty, |f| whole(f.duration_ms)))?;
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
        for name in &self.metrics {
            let metric = finished.and_then(|f: &StepFinished| f.metrics.get(name));
            put(metric.map_or(Cell::Empty, |metric| Cell::Number(metric.value)))?;
        }
        put(finished.and_then(|f| f.reason.as_deref()).map_or(Cell::Empty, Cell::Text))
    }
}

/// Finds the columns in the journals, for a run whose plan cannot be read.
impl Collector for Columns {
    fn sub_run(&mut self, state: &RunState, index: u32) -> Result<(), StoreError> {
        let add = |names: &mut Vec<Name>, name: &Name| {
            if let Err(place) = names.binary_search(name) {
                names.insert(place, name.clone());
            }
        };
        for row in Row::all(state, index) {
            let started = &row.execution.started;
            for (rail, setting) in &started.rails {
                for field in RailField::ALL.into_iter().filter(|field| setting.grid(*field).is_some()) {
                    self.rails.entry((rail.clone(), field)).or_insert_with(|| applied_key(rail, field));
                }
            }
            started.params.keys().for_each(|name| add(&mut self.params, name));
            row.finished().into_iter().flat_map(|f| f.metrics.keys()).for_each(|name| add(&mut self.metrics, name));
        }
        Ok(())
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

/// Writes CSV: the titles at once, then a line an execution.
pub struct Csv<'w> {
    columns: &'w Columns,
    to: csv::Writer<&'w mut dyn Write>,
    path: PathBuf,
    number: String,
}

impl<'w> Csv<'w> {
    /// Into `to`, which errors call `path`.
    pub fn new(columns: &'w Columns, path: &Path, to: &'w mut dyn Write) -> Result<Self, StoreError> {
        let mut to = csv::WriterBuilder::new().has_headers(false).buffer_capacity(64 * 1024).from_writer(to);
        to.write_record(columns.titles()).map_err(|error| StoreError::io("write", path)(io::Error::from(error)))?;
        Ok(Self { columns, to, path: path.to_path_buf(), number: String::new() })
    }

    /// Writes out what is still held.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.to.flush().map_err(StoreError::io("write", &self.path))
    }
}

impl Collector for Csv<'_> {
    fn sub_run(&mut self, state: &RunState, index: u32) -> Result<(), StoreError> {
        use std::fmt::Write as _;
        let Self { columns, to, path, number } = self;
        let failed = |error: csv::Error| StoreError::io("write", path)(io::Error::from(error));
        for row in Row::all(state, index) {
            columns
                .cells(&row, |cell| match cell {
                    Cell::Empty => to.write_field(""),
                    Cell::Whole(whole) => {
                        number.clear();
                        let _ = write!(number, "{whole}");
                        to.write_field(&*number)
                    }
                    Cell::Thousandths(base) => to.write_field(thousandths(base)),
                    Cell::Number(value) => {
                        number.clear();
                        let _ = write!(number, "{value}");
                        to.write_field(&*number)
                    }
                    Cell::Json(serde_json::Value::String(text)) => to.write_field(&*inert(text)),
                    Cell::Json(value) => to.write_field(value.to_string()),
                    Cell::Text(text) => to.write_field(&*inert(text)),
                })
                .and_then(|()| to.write_record(None::<&[u8]>))
                .map_err(failed)?;
        }
        Ok(())
    }
}

/// Writes a JSON array with a row a line, the columns as keys, `null` where there is nothing.
pub struct JsonRows<'w> {
    columns: &'w Columns,
    titles: Vec<String>,
    to: &'w mut dyn Write,
    path: PathBuf,
    is_empty: bool,
}

impl<'w> JsonRows<'w> {
    /// Into `to`, which errors call `path`.
    pub fn new(columns: &'w Columns, path: &Path, to: &'w mut dyn Write) -> Self {
        Self { titles: columns.titles(), columns, to, path: path.to_path_buf(), is_empty: true }
    }

    /// Ends the array.
    pub fn finish(self) -> Result<(), StoreError> {
        let end = if self.is_empty { "[]\n" } else { "\n]\n" };
        self.to.write_all(end.as_bytes()).map_err(StoreError::io("write", &self.path))
    }
}

impl Collector for JsonRows<'_> {
    fn sub_run(&mut self, state: &RunState, index: u32) -> Result<(), StoreError> {
        for row in Row::all(state, index) {
            let before = if self.is_empty { "[\n" } else { ",\n" };
            self.is_empty = false;
            self.to.write_all(before.as_bytes()).map_err(StoreError::io("write", &self.path))?;
            let row = JsonRow { columns: self.columns, titles: &self.titles, row };
            let row = serde_json::to_string(&row).map_err(|error| StoreError::encode(&self.path, error))?;
            self.to.write_all(sanitize::json(&row).as_bytes()).map_err(StoreError::io("write", &self.path))?;
        }
        Ok(())
    }
}

struct JsonRow<'r> {
    columns: &'r Columns,
    titles: &'r [String],
    row: Row<'r>,
}

impl Serialize for JsonRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.titles.len()))?;
        let mut titles = self.titles.iter();
        self.columns.cells(&self.row, |cell| {
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
