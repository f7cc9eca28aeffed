//! The edge of a shmoo: along each line the last pass and the first fail, walking away from nominal.
//! What says nothing (flaky, unproven, not applied, not measured) is left out, and how much was left out is said.

use crate::domain::margin::RailField;
use crate::domain::plan::Experiment;
use crate::domain::shmoo::{Cell, Outcome};
use crate::domain::shmoo_grid::{Grid, GridAxis, GridCell};

/// Which way a line is walked: away from nominal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Toward lower values.
    Down,
    /// Toward higher values.
    Up,
}

impl Direction {
    /// As written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "downward",
            Self::Up => "upward",
        }
    }
}

/// One point of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// On the walked axis, in base units.
    pub value: u64,
    /// The sub-run that shows it.
    pub sub_run: Option<u32>,
    /// Sub-runs that passed there.
    pub passed: u32,
    /// Of so many measured.
    pub measured: u32,
}

/// What a line says about its boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// It lies between last pass and first fail.
    Found,
    /// There are passes beyond the first fail: no single boundary exists.
    Holes,
    /// Everything measured passes: the boundary is outside the range, further on.
    AllPass,
    /// Everything measured fails: the boundary is outside the range, toward nominal or beyond it.
    AllFail,
    /// Nothing was measured.
    NotMeasured,
}

/// The edge along one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Position on the other axis, as the grid shows it; none where the grid is a row.
    pub line: Option<usize>,
    /// Which way it was walked.
    pub direction: Direction,
    /// What it says.
    pub boundary: Boundary,
    /// The last pass before the first fail.
    pub last_pass: Option<Mark>,
    /// The first fail.
    pub first_fail: Option<Mark>,
    /// The first point where host or diagnostic crashed, and the last measured one before it.
    pub crash: Option<(Mark, Option<Mark>)>,
    /// Passes beyond the first fail.
    pub holes: Vec<u64>,
    /// Flaky points, left out.
    pub flaky: Vec<u64>,
    /// Points without proof or with a rail that nobody applied, left out.
    pub unproven: Vec<u64>,
    /// Points that were not measured for any other reason, left out.
    pub unmeasured: u32,
    /// From nominal to the last pass, where a nominal is known.
    pub margin: Option<Margin>,
}

/// How far the last pass is from nominal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Margin {
    /// In base units; negative where the last pass is on the other side of nominal.
    pub base: i64,
    /// Nominal, in base units.
    pub nominal: u64,
}

impl Margin {
    /// In tenths of a percent of nominal, rounded half away from zero.
    pub fn permille(self) -> i64 {
        let nominal = i128::from(self.nominal.max(1));
        let scaled = i128::from(self.base) * 1000;
        let half = nominal / 2 * i128::from(self.base.signum());
        i64::try_from((scaled + half) / nominal).unwrap_or(i64::MAX)
    }

    /// `39%`, `12.5%`, `-3%`.
    pub fn percent(self) -> String {
        let permille = self.permille();
        let sign = if permille < 0 { "-" } else { "" };
        let (whole, tenth) = (permille.unsigned_abs() / 10, permille.unsigned_abs() % 10);
        if tenth == 0 { format!("{sign}{whole}%") } else { format!("{sign}{whole}.{tenth}%") }
    }

    /// `390mV`, `-20mV`.
    pub fn shown(self, field: RailField) -> String {
        let sign = if self.base < 0 { "-" } else { "" };
        format!("{sign}{}", field.show(self.base.unsigned_abs()))
    }
}

/// The edges of a grid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edges {
    /// What is walked, `core.voltage`.
    pub walked: String,
    /// What its values are.
    pub field: RailField,
    /// The axis of the lines, `core.frequency`; none where the grid is a row.
    pub lines: Option<String>,
    /// One for each line, in the order of the grid.
    pub edges: Vec<Edge>,
}

impl Edges {
    /// The edges of a grid: up or down where Y is a voltage, else along X where X is one, else along a single
    /// frequency axis. None where neither axis can be walked.
    pub fn of(experiment: &Experiment, grid: &Grid) -> Option<Self> {
        let is_voltage = |axis: &GridAxis| axis.field() == Some(RailField::Voltage);
        if let Some(y) = grid.y.as_ref().filter(|y| is_voltage(y)) {
            let line = |column| walk(experiment, y, Some(column), |row| grid.cell(row, column));
            let edges = (0..grid.columns()).map(line).collect::<Option<Vec<Edge>>>()?;
            return Some(Self::new(y, Some(&grid.x), edges));
        }
        if grid.y.is_some() && !is_voltage(&grid.x) {
            return None;
        }
        let is_row = grid.y.is_none();
        let line = |row| walk(experiment, &grid.x, (!is_row).then_some(row), |column| grid.cell(row, column));
        let edges = (0..grid.rows()).map(line).collect::<Option<Vec<Edge>>>()?;
        Some(Self::new(&grid.x, grid.y.as_ref(), edges))
    }

    fn new(walked: &GridAxis, lines: Option<&GridAxis>, edges: Vec<Edge>) -> Self {
        let field = walked.field().unwrap_or(RailField::Voltage);
        Self { walked: walked.name.clone(), field, lines: lines.map(|l| l.name.clone()), edges }
    }
}

/// Away from nominal: to where most of the range lies; without a nominal voltages go down and frequencies up.
fn direction(axis: &GridAxis, nominal: Option<u64>) -> Direction {
    let usual = match axis.field() {
        Some(RailField::Frequency) => Direction::Up,
        _ => Direction::Down,
    };
    let values = || axis.positions.iter().filter_map(|p| p.value);
    match (nominal, values().min(), values().max()) {
        (Some(nominal), Some(low), Some(_)) if low >= nominal && usual == Direction::Down => Direction::Up,
        (Some(nominal), Some(_), Some(high)) if high <= nominal && usual == Direction::Up => Direction::Down,
        _ => usual,
    }
}

fn walk<'g>(
    experiment: &Experiment,
    axis: &GridAxis,
    line: Option<usize>,
    cell: impl Fn(usize) -> Option<&'g GridCell>,
) -> Option<Edge> {
    let key = axis.key.as_ref()?;
    let nominal = experiment.nominal.get(&key.rail).and_then(|nominal| match key.field {
        RailField::Voltage => nominal.voltage.map(|v| v.0),
        RailField::Frequency => nominal.frequency.map(|f| f.0),
    });
    let direction = direction(axis, nominal);
    let mut edge = Edge {
        line,
        direction,
        boundary: Boundary::NotMeasured,
        last_pass: None,
        first_fail: None,
        crash: None,
        holes: vec![],
        flaky: vec![],
        unproven: vec![],
        unmeasured: 0,
        margin: None,
    };
    let mut last_measured = None;
    let places: Vec<usize> = match direction {
        Direction::Up => (0..axis.positions.len()).collect(),
        Direction::Down => (0..axis.positions.len()).rev().collect(),
    };
    for place in places {
        let (Some(value), Some(cell)) = (axis.positions.get(place).and_then(|p| p.value), cell(place)) else {
            continue;
        };
        let Some(outcome) = cell.outcome else { continue };
        edge.take(value, cell, outcome, &mut last_measured);
    }
    edge.boundary = match (&edge.last_pass, &edge.first_fail) {
        (_, Some(_)) if !edge.holes.is_empty() => Boundary::Holes,
        (Some(_), Some(_)) => Boundary::Found,
        (Some(_), None) => Boundary::AllPass,
        (None, Some(_)) => Boundary::AllFail,
        (None, None) => Boundary::NotMeasured,
    };
    edge.margin = nominal.zip(edge.last_pass).and_then(|(nominal, pass)| {
        let (nominal_base, value) = (i64::try_from(nominal).ok()?, i64::try_from(pass.value).ok()?);
        let base = match direction {
            Direction::Down => nominal_base - value,
            Direction::Up => value - nominal_base,
        };
        Some(Margin { base, nominal })
    });
    Some(edge)
}

impl Edge {
    fn take(&mut self, value: u64, cell: &GridCell, outcome: Outcome, last_measured: &mut Option<Mark>) {
        let mark = Mark { value, sub_run: cell.sub_run, passed: cell.passed, measured: cell.measured };
        match outcome.cell {
            Cell::Pass if self.first_fail.is_some() => self.holes.push(value),
            Cell::Pass => self.last_pass = Some(mark),
            Cell::Fail | Cell::Timeout | Cell::Crashed => self.first_fail = self.first_fail.or(Some(mark)),
            Cell::Flaky => self.flaky.push(value),
            Cell::Inconclusive => self.unproven.push(value),
            Cell::Planned | Cell::Skipped | Cell::OutsidePolicy | Cell::Running | Cell::Aborted | Cell::Error => {
                self.unmeasured += 1;
            }
        }
        if outcome.cell.is_measured() {
            if outcome.crash && self.crash.is_none() {
                self.crash = Some((mark, *last_measured));
            }
            *last_measured = Some(mark);
        }
    }

    /// The edge in one sentence for people: `last pass 610mV, first fail 600mV downward, margin 390mV (39%)`.
    pub fn words(&self, field: RailField) -> String {
        let show = |value: u64| field.show(value);
        let list = |values: &[u64]| values.iter().map(|v| show(*v)).collect::<Vec<_>>().join(", ");
        let way = self.direction.as_str();
        let mut parts = vec![match (self.boundary, self.last_pass, self.first_fail) {
            (Boundary::Found, Some(pass), Some(fail)) => {
                format!("last pass {}, first fail {} {way}", show(pass.value), show(fail.value))
            }
            (Boundary::Holes, Some(pass), Some(fail)) => format!(
                "no single boundary: last pass {}, first fail {} {way}, passes again at {}",
                show(pass.value),
                show(fail.value),
                list(&self.holes)
            ),
            (Boundary::Holes, None, Some(fail)) => {
                format!("no single boundary: fails from {} {way}, passes at {}", show(fail.value), list(&self.holes))
            }
            (Boundary::AllPass, Some(pass), _) => {
                format!("passes {way} to {}: the boundary is outside the range", show(pass.value))
            }
            (Boundary::AllFail, _, Some(fail)) => {
                format!("fails from {} on {way}: the boundary is outside the range", show(fail.value))
            }
            _ => "not measured".to_owned(),
        }];
        match self.crash {
            Some((_, Some(before))) => parts.push(format!("crash {} {}", self.beyond(), show(before.value))),
            Some((at, None)) => parts.push(format!("crash at {}", show(at.value))),
            None => {}
        }
        if let Some(margin) = self.margin {
            parts.push(format!("margin {} ({})", margin.shown(field), margin.percent()));
        }
        if !self.flaky.is_empty() {
            parts.push(format!("flaky at {} left out", list(&self.flaky)));
        }
        if !self.unproven.is_empty() {
            parts.push(format!("not proven or not applied at {} left out", list(&self.unproven)));
        }
        if self.unmeasured > 0 && self.boundary != Boundary::NotMeasured {
            parts.push(format!("{} not measured", self.unmeasured));
        }
        parts.join(", ")
    }

    const fn beyond(&self) -> &'static str {
        match self.direction {
            Direction::Down => "below",
            Direction::Up => "above",
        }
    }
}

#[cfg(test)]
mod tests;
