//! Each step of the flow over the whole run: how its executions ended, how long they took, what they measured.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Part;
use super::row::{Number, Row};
use crate::domain::event::Metric;
use crate::domain::name::Name;
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::domain::shmoo::Cell;
use crate::domain::time::span;

/// The steps collected so far, in the order in which they first ran.
#[derive(Debug, Default)]
pub struct FlowSteps {
    steps: Vec<Step>,
    /// Executions that ended.
    pub done: u64,
}

#[derive(Debug)]
struct Step {
    name: Name,
    adapter: Name,
    executions: u64,
    cells: BTreeMap<Cell, u64>,
    took: Range,
    metrics: BTreeMap<Name, (String, Range)>,
}

/// The least, the most and the mean of numbers, one by one.
#[derive(Debug, Clone, Copy, Default)]
struct Range {
    count: u64,
    min: f64,
    max: f64,
    mean: f64,
}

impl Range {
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    fn add(&mut self, value: f64) {
        let is_first = self.count == 0;
        self.count += 1;
        self.min = if is_first { value } else { self.min.min(value) };
        self.max = if is_first { value } else { self.max.max(value) };
        self.mean += (value - self.mean) / self.count as f64;
    }

    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
    fn join(&mut self, other: Self) {
        if self.count == 0 {
            *self = other;
        } else if other.count > 0 {
            let count = self.count + other.count;
            self.mean += (other.mean - self.mean) * (other.count as f64 / count as f64);
            self.min = self.min.min(other.min);
            self.max = self.max.max(other.max);
            self.count = count;
        }
    }
}

impl FlowSteps {
    /// With those of the sub-runs behind these.
    pub fn join(&mut self, other: Self) {
        self.done += other.done;
        for step in other.steps {
            let Some(own) = self.steps.iter_mut().find(|own| own.name == step.name) else {
                self.steps.push(step);
                continue;
            };
            own.executions += step.executions;
            own.took.join(step.took);
            for (cell, count) in step.cells {
                *own.cells.entry(cell).or_default() += count;
            }
            for (name, (unit, range)) in step.metrics {
                own.metrics.entry(name).or_insert_with(|| (unit, Range::default())).1.join(range);
            }
        }
    }
}

impl Part for FlowSteps {
    fn sub_run(&mut self, state: &RunState, index: u32) {
        for row in Row::all(state, index) {
            let started = &row.execution.started;
            let known = self.steps.iter().position(|step| step.name == started.step);
            let place = known.unwrap_or_else(|| {
                self.steps.push(Step::new(&started.step, &started.adapter));
                self.steps.len() - 1
            });
            let Some(step) = self.steps.get_mut(place) else { continue };
            step.executions += 1;
            *step.cells.entry(row.cell()).or_default() += 1;
            let Some(finished) = row.finished() else { continue };
            self.done += 1;
            if let Some(took) = finished.took_ms() {
                step.took.add(as_float(took));
            }
            for (name, metric) in &finished.metrics {
                step.measure(name, metric);
            }
        }
    }
}

impl Step {
    fn new(name: &Name, adapter: &Name) -> Self {
        let (name, adapter) = (name.clone(), adapter.clone());
        Self { name, adapter, executions: 0, cells: BTreeMap::new(), took: Range::default(), metrics: BTreeMap::new() }
    }

    fn measure(&mut self, name: &Name, metric: &Metric) {
        if let Some((_, range)) = self.metrics.get_mut(name) {
            return range.add(metric.value);
        }
        let unit = metric.unit.as_deref().map(|unit| sanitize::escaped(unit).into_owned()).unwrap_or_default();
        let mut range = Range::default();
        range.add(metric.value);
        self.metrics.insert(name.clone(), (unit, range));
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a run are far below 2^53")]
const fn as_float(millis: u64) -> f64 {
    millis as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a whole number of milliseconds")]
fn shown(millis: f64) -> String {
    span(millis.round() as u64)
}

/// A step as templates see it.
#[derive(Debug, Serialize)]
pub struct ShownStep {
    step: String,
    adapter: String,
    executions: u64,
    cells: Vec<Tally>,
    took_min: Option<String>,
    took_mean: Option<String>,
    took_max: Option<String>,
    metrics: Vec<ShownMetric>,
}

/// How many show a cell.
#[derive(Debug, Serialize)]
pub struct Tally {
    /// Word for style sheets.
    pub cell: &'static str,
    /// One character.
    pub glyph: char,
    /// For a legend.
    pub words: &'static str,
    /// How many.
    pub count: u64,
}

impl Tally {
    /// So many of that kind.
    pub const fn new(cell: Cell, count: u64) -> Self {
        Self { cell: cell.as_str(), glyph: cell.glyph(), words: cell.words(), count }
    }
}

#[derive(Debug, Serialize)]
struct ShownMetric {
    name: String,
    unit: String,
    min: Number,
    mean: Number,
    max: Number,
    count: u64,
}

impl FlowSteps {
    /// The steps as templates see them.
    pub fn shown(&self) -> Vec<ShownStep> {
        let step = |step: &Step| {
            let took = (step.took.count > 0).then_some(step.took);
            ShownStep {
                step: step.name.to_string(),
                adapter: step.adapter.to_string(),
                executions: step.executions,
                cells: Cell::ALL
                    .into_iter()
                    .filter_map(|cell| step.cells.get(&cell).map(|count| Tally::new(cell, *count)))
                    .collect(),
                took_min: took.map(|t| shown(t.min)),
                took_mean: took.map(|t| shown(t.mean)),
                took_max: took.map(|t| shown(t.max)),
                metrics: step.metrics.iter().map(metric).collect(),
            }
        };
        self.steps.iter().map(step).collect()
    }
}

fn metric((name, (unit, range)): (&Name, &(String, Range))) -> ShownMetric {
    ShownMetric {
        name: name.to_string(),
        unit: unit.clone(),
        min: Number(range.min),
        mean: Number(six_digits(range.mean)),
        max: Number(range.max),
        count: range.count,
    }
}

/// A mean says six digits, or as many as stand before its point.
fn six_digits(value: f64) -> f64 {
    if value.abs() >= 1e6 { value.round() } else { format!("{value:.5e}").parse().unwrap_or(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_that_of_its_numbers() {
        let mut range = Range::default();
        for value in [2.0, -1.0, 5.0] {
            range.add(value);
        }
        let shown = |value: f64| six_digits(value).to_string();
        assert_eq!(
            (range.count, shown(range.min), shown(range.max), shown(range.mean)),
            (3, "-1".into(), "5".into(), "2".into())
        );
        let mut more = Range::default();
        more.add(10.0);
        range.join(more);
        assert_eq!((range.count, shown(range.max), shown(range.mean)), (4, "10".into(), "4".into()));
        assert_eq!([1234.56789, 0.0, 12_422_966.4].map(shown), ["1234.57", "0", "12422966"]);
    }
}
