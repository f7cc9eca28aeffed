//! The shmoo as templates see it: rows from the highest Y down, each cell with its glyph and its words, the legend, and the
//! edge of every line in a sentence. Rows are made one at a time; a grid may have a million cells.

use std::fmt::Write as _;

use serde::Serialize;

use super::flow_steps::Tally;
use crate::domain::margin::RailField;
use crate::domain::plan::Experiment;
use crate::domain::run_state::RunState;
use crate::domain::shmoo::{self, Cell};
use crate::domain::shmoo_edge::Edges;
use crate::domain::shmoo_grid::{Grid, GridAxis, GridCell, View};
use crate::domain::summary::short_name;

/// With more cells than this single ones are not told apart any more.
const LARGE: usize = 2500;
/// So many slices are drawn one by one.
const SLICES: usize = 12;

/// The grid of a run and its slices.
#[derive(Debug)]
pub struct Shmoo {
    view: View,
    grid: Grid,
    slices: Vec<(String, Grid)>,
    edges: Option<Edges>,
    count: u32,
    /// The nominal value of Y, in base units.
    nominal: Option<u64>,
    /// The labels of Y without the unit that they share, and that unit.
    y_labels: (Vec<String>, String),
}

/// What templates see of it besides its rows.
#[derive(Debug, Serialize)]
pub struct ShownGrid {
    y: Option<String>,
    x: String,
    y_unit: String,
    x_unit: String,
    hidden: Vec<String>,
    aggregate: &'static str,
    columns: Vec<String>,
    x_labels: Vec<String>,
    large: bool,
    rows: serde_json::Value,
    legend: Vec<Tally>,
    walked: Option<String>,
    edges: Vec<ShownEdge>,
    slices: Vec<ShownSlice>,
}

#[derive(Debug, Serialize)]
struct ShownSlice {
    label: String,
    rows: serde_json::Value,
}

#[derive(Debug, Serialize)]
struct ShownEdge {
    line: Option<String>,
    words: String,
    subrun: Option<String>,
}

/// One row.
#[derive(Debug, Serialize)]
pub struct ShownGridRow {
    label: String,
    short: String,
    nominal: bool,
    cells: Vec<ShownCell>,
    runs: Vec<Stretch>,
    text: String,
}

#[derive(Debug, Serialize)]
struct ShownCell {
    glyph: char,
    cell: &'static str,
    subrun: Option<String>,
    index: Option<u32>,
    title: String,
}

/// Neighbouring cells that show the same.
#[derive(Debug, Serialize)]
struct Stretch {
    cell: &'static str,
    glyphs: String,
}

impl Shmoo {
    /// The grid of a run; none where nothing is swept.
    pub fn of(state: &RunState) -> Option<Self> {
        let experiment = &state.plan.experiment;
        let view = View::default_of(experiment)?;
        let grid = Grid::of(experiment, &view, |index| shmoo::outcome(state, index))?;
        let count = view.slices(experiment);
        let mut slices = vec![];
        if (2..=SLICES).contains(&count) {
            for slice in 0..count {
                let view = View { slice: Some(slice), ..view };
                let grid = Grid::of(experiment, &view, |index| shmoo::outcome(state, index))?;
                slices.push((view.slice_label(experiment), grid));
            }
        }
        let edges = Edges::of(experiment, &grid);
        let nominal = grid.y.as_ref().and_then(|axis| nominal(experiment, axis));
        let y_labels = grid.y.as_ref().map(short_labels).unwrap_or_default();
        Some(Self { view, grid, slices, edges, count: experiment.sub_runs(), nominal, y_labels })
    }

    /// What templates see; `rows` stands in for the rows of the grid, of a slice by its number.
    pub fn shown(&self, rows: impl Fn(Option<usize>) -> serde_json::Value) -> ShownGrid {
        let (x_labels, x_unit) = short_labels(&self.grid.x);
        let slices = self.slices.iter().enumerate();
        ShownGrid {
            y: self.grid.y.as_ref().map(|axis| axis.name.clone()),
            x: self.grid.x.name.clone(),
            y_unit: self.y_labels.1.clone(),
            x_unit,
            hidden: self.grid.hidden.iter().map(|axis| axis.name.clone()).collect(),
            aggregate: self.view.aggregate.as_str(),
            columns: self.grid.x.positions.iter().map(|position| position.label.clone()).collect(),
            x_labels,
            large: self.grid.cells().len() > LARGE,
            rows: rows(None),
            legend: self.grid.counts().into_iter().map(|(cell, count)| Tally::new(cell, count.into())).collect(),
            walked: self.edges.as_ref().map(|edges| edges.walked.clone()),
            edges: self.edges.as_ref().map(|edges| self.edges(edges)).unwrap_or_default(),
            slices: slices.map(|(at, (label, _))| ShownSlice { label: label.clone(), rows: rows(Some(at)) }).collect(),
        }
    }

    fn edges(&self, edges: &Edges) -> Vec<ShownEdge> {
        // The lines run along the axis that is not walked.
        let lines = [Some(&self.grid.x), self.grid.y.as_ref()].into_iter().flatten();
        let axis = lines.into_iter().find(|axis| Some(&axis.name) == edges.lines.as_ref());
        let label = |line: usize| axis.and_then(|axis| axis.positions.get(line)).map(|p| p.label.clone());
        let edge = edges.edges.iter().map(|edge| ShownEdge {
            line: edge.line.and_then(label),
            words: edge.words(edges.field),
            subrun: edge.first_fail.and_then(|mark| mark.sub_run).map(|index| short_name(self.count, index)),
        });
        edge.collect()
    }

    /// How many slices are drawn one by one.
    pub const fn slices(&self) -> usize {
        self.slices.len()
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.grid.rows()
    }

    /// The row at `from_top` of the grid or of a slice.
    pub fn row(&self, slice: Option<usize>, from_top: usize) -> Option<ShownGridRow> {
        let grid = match slice {
            Some(at) => &self.slices.get(at)?.1,
            None => &self.grid,
        };
        let row = grid.rows().checked_sub(from_top + 1)?;
        let position = grid.y.as_ref().and_then(|axis| axis.positions.get(row));
        let label = position.map(|p| p.label.clone()).unwrap_or_default();
        let short = self.y_labels.0.get(row).cloned().unwrap_or_default();
        let is_large = grid.cells().len() > LARGE;
        let mut shown = ShownGridRow {
            nominal: self.nominal.is_some() && position.and_then(|p| p.value) == self.nominal,
            label,
            short,
            cells: vec![],
            runs: vec![],
            text: String::new(),
        };
        for column in 0..grid.columns() {
            let cell = grid.cell(row, column)?;
            let (word, glyph) = cell.outcome.map_or(("none", ' '), |o| (o.cell.as_str(), o.cell.glyph()));
            shown.text.push(glyph);
            if column + 1 < grid.columns() {
                shown.text.push(' ');
            }
            match shown.runs.last_mut().filter(|run| run.cell == word) {
                Some(run) => run.glyphs.push(glyph),
                None => shown.runs.push(Stretch { cell: word, glyphs: glyph.to_string() }),
            }
            if !is_large {
                shown.cells.push(self.cell(grid, row, column, cell, word, glyph));
            }
        }
        Some(shown)
    }

    fn cell(
        &self,
        grid: &Grid,
        row: usize,
        column: usize,
        cell: &GridCell,
        word: &'static str,
        glyph: char,
    ) -> ShownCell {
        let at = |axis: &GridAxis, at: usize| axis.positions.get(at).map(|p| format!("{} {}", axis.name, p.label));
        let place = [grid.y.as_ref().and_then(|y| at(y, row)), at(&grid.x, column)];
        let place: Vec<String> = place.into_iter().flatten().collect();
        let words = cell.outcome.map_or("no such point", |outcome| outcome.cell.words());
        let mut title = format!("{}: {words}", place.join(", "));
        if cell.total > 1 {
            let _ = write!(title, ", {} of {} measured pass, {} in all", cell.passed, cell.measured, cell.total);
        }
        let subrun = cell.sub_run.map(|index| short_name(self.count, index));
        ShownCell { glyph, cell: word, subrun, index: cell.sub_run, title }
    }
}

fn nominal(experiment: &Experiment, axis: &GridAxis) -> Option<u64> {
    let key = axis.key.as_ref()?;
    let nominal = experiment.nominal.get(&key.rail)?;
    match key.field {
        RailField::Voltage => nominal.voltage.map(|v| v.0),
        RailField::Frequency => nominal.frequency.map(|f| f.0),
    }
}

/// Labels without the unit that all of them share, and that unit.
fn short_labels(axis: &GridAxis) -> (Vec<String>, String) {
    let split = |label: &str| {
        let at = label.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        (at > 0).then(|| (label[..at].to_owned(), label[at..].to_owned()))
    };
    let parts: Option<Vec<(String, String)>> = axis.positions.iter().map(|position| split(&position.label)).collect();
    if let Some(parts) = parts
        && let Some((_, unit)) = parts.first().cloned()
        && !unit.contains(' ')
        && parts.iter().all(|(_, other)| *other == unit)
    {
        return (parts.into_iter().map(|(number, _)| number).collect(), unit);
    }
    (axis.positions.iter().map(|position| position.label.clone()).collect(), String::new())
}

/// How many sub-runs show each kind of cell, those that there are.
pub fn tallies(state: &RunState) -> Vec<Tally> {
    let mut counts = [0_u64; Cell::ALL.len()];
    for index in 0..state.plan.experiment.sub_runs() {
        let cell = shmoo::outcome(state, index).cell;
        if let Some(count) = Cell::ALL.iter().position(|c| *c == cell).and_then(|at| counts.get_mut(at)) {
            *count += 1;
        }
    }
    Cell::ALL
        .into_iter()
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|(cell, count)| Tally::new(cell, count))
        .collect()
}
