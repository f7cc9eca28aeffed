//! The grid of a plan over any two of its axes: Y upward, X to the right, the other axes as slices or summed up.
//! Cells are asked for one by one, so a preview, a live run and a stored one share it. Pure.

use crate::domain::margin::{FieldKey, RailField};
use crate::domain::plan::{Axis, Experiment};
use crate::domain::shmoo::{Cell, Outcome};

/// Which axes are shown. Indices are those of [`Experiment::axes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct View {
    /// Upward; none makes a row.
    pub y: Option<usize>,
    /// To the right; none only where nothing is swept.
    pub x: Option<usize>,
    /// How several sub-runs become one cell.
    pub aggregate: Aggregate,
    /// One slice of the hidden axes, counted from 0 with the last of them fastest; none sums them all up.
    pub slice: Option<usize>,
}

/// How several sub-runs become one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aggregate {
    /// The most telling one.
    #[default]
    Worst,
    /// The one executed last that is measured; else the most telling.
    Last,
    /// Passed of measured: pass when all are, flaky when some are, else the most telling.
    PassRate,
}

/// An axis as it is shown, its positions in order of their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridAxis {
    /// Index in [`Experiment::axes`].
    pub axis: usize,
    /// `core.voltage`, `core` for pairs, `recipe`.
    pub name: String,
    /// What its values are; none for recipes.
    pub key: Option<FieldKey>,
    /// Ascending by value; recipes as they stand.
    pub positions: Vec<Position>,
}

/// One position of an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Index on the axis of the plan.
    pub at: u32,
    /// In base units.
    pub value: Option<u64>,
    /// For people.
    pub label: String,
}

/// One cell: what it shows, and which sub-runs are behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GridCell {
    /// What it shows; none where the plan has no such point.
    pub outcome: Option<Outcome>,
    /// The sub-run that it shows.
    pub sub_run: Option<u32>,
    /// Sub-runs behind it.
    pub total: u32,
    /// Of these, measured.
    pub measured: u32,
    /// Of these, passed.
    pub passed: u32,
}

const EMPTY: GridCell = GridCell { outcome: None, sub_run: None, total: 0, measured: 0, passed: 0 };

impl Aggregate {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Worst => "worst",
            Self::Last => "last",
            Self::PassRate => "pass rate",
        }
    }
}

/// A grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Upward.
    pub y: Option<GridAxis>,
    /// To the right.
    pub x: GridAxis,
    /// The axes that are not shown.
    pub hidden: Vec<GridAxis>,
    /// Row by row from the lowest Y, each from the lowest X.
    cells: Vec<GridCell>,
}

impl View {
    /// The view that a shmoo opens with: Y the first voltage axis, X the first frequency axis, else the first others.
    /// One axis makes a row; none makes no view.
    pub fn default_of(experiment: &Experiment) -> Option<Self> {
        let axes = &experiment.axes;
        let with = |field| axes.iter().position(|axis| key_of(axis).is_some_and(|k| k.field == field));
        let other = |taken: usize| (0..axes.len()).find(|axis| *axis != taken);
        let (y, x) = match (with(RailField::Voltage), with(RailField::Frequency)) {
            (_, _) if axes.len() < 2 => (None, axes.first().map(|_| 0)?),
            (Some(y), Some(x)) => (Some(y), x),
            (Some(y), None) => (Some(y), other(y)?),
            (None, Some(x)) => (other(x), x),
            (None, None) => (Some(0), 1),
        };
        Some(Self { y, x: Some(x), aggregate: Aggregate::Worst, slice: None })
    }

    /// The axes that it hides, in the order of the plan.
    pub fn hidden(&self, experiment: &Experiment) -> Vec<usize> {
        (0..experiment.axes.len()).filter(|axis| Some(*axis) != self.y && Some(*axis) != self.x).collect()
    }

    /// How many slices there are: one where nothing is hidden.
    pub fn slices(&self, experiment: &Experiment) -> usize {
        let sizes = self.hidden(experiment).into_iter().filter_map(|axis| experiment.axes.get(axis)).map(Axis::len);
        sizes.fold(1, usize::saturating_mul)
    }

    /// Where the hidden axes stand in the chosen slice, as indices on the axes of the plan.
    fn slice_positions(&self, experiment: &Experiment) -> Option<Vec<(usize, u32)>> {
        let mut left = self.slice?;
        let mut at = vec![];
        for axis in self.hidden(experiment).into_iter().rev() {
            let shown = GridAxis::of(experiment, axis)?;
            let position = shown.positions.get(left % shown.positions.len())?;
            left /= shown.positions.len();
            at.push((axis, position.at));
        }
        at.reverse();
        Some(at)
    }

    /// What the chosen slice is, `mem.voltage 1200mV`; empty where nothing is hidden or no slice is chosen.
    pub fn slice_label(&self, experiment: &Experiment) -> String {
        let at = self.slice_positions(experiment).unwrap_or_default();
        let named = at.iter().filter_map(|(axis, at)| {
            let axis = GridAxis::of(experiment, *axis)?;
            let label = axis.positions.iter().find(|p| p.at == *at)?.label.clone();
            Some(format!("{} {label}", axis.name))
        });
        named.collect::<Vec<_>>().join("  ")
    }
}

/// What an axis is about: a voltage that every adapter sees before a frequency, before one adapter's own.
fn key_of(axis: &Axis) -> Option<&FieldKey> {
    if !axis.labels.is_empty() {
        return None;
    }
    axis.columns.keys().min_by_key(|key| (key.adapter.is_some(), key.field == RailField::Frequency))
}

impl GridAxis {
    /// The axis of the plan at `axis`, sorted by value.
    pub fn of(experiment: &Experiment, axis: usize) -> Option<Self> {
        let planned = experiment.axes.get(axis)?;
        let key = key_of(planned).cloned();
        let column = key.as_ref().and_then(|key| planned.columns.get(key));
        let mut positions: Vec<Position> = (0..planned.len())
            .map(|at| Position {
                at: u32::try_from(at).unwrap_or(u32::MAX),
                value: column.and_then(|values| values.get(at)).copied().flatten(),
                label: label(planned, at),
            })
            .collect();
        positions.sort_by_key(|position| position.value);
        Some(Self { axis, name: planned.name.clone(), key, positions })
    }

    /// Whether it is a voltage, a frequency, or neither.
    pub fn field(&self) -> Option<RailField> {
        self.key.as_ref().map(|key| key.field)
    }
}

fn label(axis: &Axis, at: usize) -> String {
    if let Some(name) = axis.labels.get(at) {
        return name.to_string();
    }
    let mut shown = vec![];
    for (key, values) in &axis.columns {
        if let Some(value) = values.get(at).copied().flatten() {
            shown.push(key.field.show(value));
        }
    }
    shown.reverse();
    shown.join(" ")
}

impl Grid {
    /// The grid of `experiment` in this view; `outcome` says what each sub-run gives. Costs a step a point.
    pub fn of(experiment: &Experiment, view: &View, mut outcome: impl FnMut(u32) -> Outcome) -> Option<Self> {
        let x = GridAxis::of(experiment, view.x?)?;
        let y = match view.y {
            Some(axis) => Some(GridAxis::of(experiment, axis)?),
            None => None,
        };
        let hidden = view.hidden(experiment).into_iter().filter_map(|axis| GridAxis::of(experiment, axis)).collect();
        let slice = view.slice_positions(experiment).unwrap_or_default();
        let columns = x.positions.len();
        let rows = y.as_ref().map_or(1, |axis| axis.positions.len());
        let (to_x, to_y) = (places(&x), y.as_ref().map(places));
        let mut cells = vec![EMPTY; columns.saturating_mul(rows)];
        for (index, point) in experiment.points.iter().enumerate() {
            if slice.iter().any(|(axis, at)| point.get(*axis) != Some(at)) {
                continue;
            }
            let at = |axis: &GridAxis, to: &[usize]| point.get(axis.axis).and_then(|at| to.get(*at as usize)).copied();
            let Some(column) = at(&x, &to_x) else { continue };
            let row = match (&y, &to_y) {
                (Some(axis), Some(to)) => at(axis, to),
                _ => Some(0),
            };
            if let Some(cell) = row.and_then(|row| cells.get_mut(row * columns + column)) {
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                cell.add(index, outcome(index), view.aggregate);
            }
        }
        if view.aggregate == Aggregate::PassRate {
            cells.iter_mut().for_each(GridCell::weigh);
        }
        Some(Self { y, x, hidden, cells })
    }

    /// Rows: at least one.
    pub fn rows(&self) -> usize {
        self.y.as_ref().map_or(1, |axis| axis.positions.len())
    }

    /// Columns.
    pub fn columns(&self) -> usize {
        self.x.positions.len()
    }

    /// The cell in `row` from below and `column` from the left.
    pub fn cell(&self, row: usize, column: usize) -> Option<&GridCell> {
        if column >= self.columns() {
            return None;
        }
        self.cells.get(row * self.columns() + column)
    }

    /// Every cell, row by row from below.
    pub fn cells(&self) -> &[GridCell] {
        &self.cells
    }

    /// How many sub-runs give each kind of cell, for the legend: of what is shown, cell by cell.
    pub fn counts(&self) -> Vec<(Cell, u32)> {
        let count = |kind: Cell| self.cells.iter().filter(|c| c.outcome.is_some_and(|o| o.cell == kind)).count();
        Cell::ALL.into_iter().map(|kind| (kind, u32::try_from(count(kind)).unwrap_or(u32::MAX))).collect()
    }
}

/// Where each index of the plan's axis is shown.
fn places(axis: &GridAxis) -> Vec<usize> {
    let mut to = vec![usize::MAX; axis.positions.len()];
    for (shown, position) in axis.positions.iter().enumerate() {
        if let Some(slot) = to.get_mut(position.at as usize) {
            *slot = shown;
        }
    }
    to
}

impl GridCell {
    fn add(&mut self, index: u32, outcome: Outcome, aggregate: Aggregate) {
        self.total += 1;
        self.measured += u32::from(outcome.cell.is_measured());
        self.passed += u32::from(outcome.cell == Cell::Pass);
        let is_shown = match (self.outcome, aggregate) {
            (None, _) => true,
            (Some(before), Aggregate::Last) if outcome.cell.is_measured() || before.cell.is_measured() => {
                outcome.cell.is_measured()
            }
            (Some(before), _) => outcome.cell > before.cell,
        };
        if is_shown {
            let crash = outcome.crash || (aggregate != Aggregate::Last && self.outcome.is_some_and(|o| o.crash));
            self.outcome = Some(Outcome { crash, ..outcome });
            self.sub_run = Some(index);
        }
    }

    fn weigh(&mut self) {
        let Some(outcome) = &mut self.outcome else { return };
        if self.measured > 0 && self.passed == self.measured {
            outcome.cell = Cell::Pass;
        } else if self.passed > 0 {
            outcome.cell = Cell::Flaky;
        }
    }
}

#[cfg(test)]
mod tests;
