//! The shmoo on screen: which axes, the cursor, marks, edges. Its grid is made anew only when cells have changed, so a
//! frame costs what is visible and no more. Never decides what a cell shows: that is the domain's.

use std::collections::BTreeSet;

use crate::domain::plan::Experiment;
use crate::domain::shmoo::{Cell, Outcome};
use crate::domain::shmoo_edge::Edges;
use crate::domain::shmoo_grid::{Aggregate, Grid, GridCell, View};

/// The shmoo of a preview or a run.
#[derive(Debug, Clone, Default)]
pub struct Board {
    /// Which axes; none where nothing is swept.
    pub view: Option<View>,
    /// The grid in that view.
    pub grid: Option<Grid>,
    /// Its edges, where an axis can be walked.
    pub edges: Option<Edges>,
    /// The cursor's row, from below.
    pub row: usize,
    /// The cursor's column.
    pub column: usize,
    /// Marked sub-runs.
    pub marks: BTreeSet<u32>,
    /// Where a range of marks begins.
    pub range: Option<(usize, usize)>,
    /// The cursor goes where the run goes.
    pub following: bool,
    /// Sub-runs by what they show, in the order of [`Cell::ALL`].
    pub counts: Vec<(Cell, u32)>,
}

/// Where the cursor goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// One cell.
    Up,
    /// One cell.
    Down,
    /// One cell.
    Left,
    /// One cell.
    Right,
    /// The first cell of the row, or the lowest row.
    First,
    /// The last cell of the row.
    Last,
    /// So many rows.
    PageUp,
    /// So many rows.
    PageDown,
}

/// Rows of half a page.
const PAGE: usize = 5;

impl Board {
    /// Over an experiment in its first view, following.
    pub fn new(experiment: &Experiment, outcome: impl FnMut(u32) -> Outcome) -> Self {
        let view = View::default_of(experiment).map(|view| {
            let hides = !view.hidden(experiment).is_empty();
            View { slice: hides.then_some(0), ..view }
        });
        let mut board = Self { view, following: true, ..Self::default() };
        board.refresh(experiment, outcome);
        // Nominal is where a person looks first: at the top of the grid.
        board.row = board.grid.as_ref().map_or(0, |grid| grid.rows().saturating_sub(1));
        board
    }

    /// Makes the grid anew. Costs a step a point.
    pub fn refresh(&mut self, experiment: &Experiment, mut outcome: impl FnMut(u32) -> Outcome) {
        let mut counts = [0_u32; Cell::ALL.len()];
        let mut all = Vec::with_capacity(experiment.sub_runs() as usize);
        for index in 0..experiment.sub_runs() {
            let given = outcome(index);
            if let Some(slot) = Cell::ALL.iter().position(|cell| *cell == given.cell).and_then(|at| counts.get_mut(at))
            {
                *slot += 1;
            }
            all.push(given);
        }
        self.counts = Cell::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0).collect();
        let of = |index: u32| all.get(index as usize).copied().unwrap_or(Cell::Planned.into());
        self.grid = self.view.and_then(|view| Grid::of(experiment, &view, of));
        self.edges = self.grid.as_ref().and_then(|grid| Edges::of(experiment, grid));
        if let Some(grid) = &self.grid {
            self.row = self.row.min(grid.rows().saturating_sub(1));
            self.column = self.column.min(grid.columns().saturating_sub(1));
        }
    }

    /// The cell under the cursor.
    pub fn cell(&self) -> Option<&GridCell> {
        self.grid.as_ref()?.cell(self.row, self.column)
    }

    /// The sub-run under the cursor; without a grid the first.
    pub fn sub_run(&self) -> Option<u32> {
        match &self.grid {
            Some(_) => self.cell()?.sub_run,
            None => Some(0),
        }
    }

    /// Puts the cursor on a sub-run, where it is in this view.
    pub fn go_to(&mut self, experiment: &Experiment, index: u32) {
        let (Some(grid), Some(point)) = (&self.grid, experiment.points.row(index as usize)) else { return };
        let place = |axis: &crate::domain::shmoo_grid::GridAxis| {
            let at = point.get(axis.axis)?;
            axis.positions.iter().position(|position| position.at == *at)
        };
        let row = grid.y.as_ref().map_or(Some(0), place);
        if let (Some(row), Some(column)) = (row, place(&grid.x)) {
            (self.row, self.column) = (row, column);
        }
    }

    /// Shows the slice in which a sub-run lies, where slices are shown. True when it is another one.
    pub fn slice_of(&mut self, experiment: &Experiment, index: u32) -> bool {
        let Some(view) = self.view.filter(|view| view.slice.is_some()) else { return false };
        let Some(point) = experiment.points.row(index as usize) else { return false };
        let mut slice = 0;
        for axis in view.hidden(experiment) {
            let Some(shown) = crate::domain::shmoo_grid::GridAxis::of(experiment, axis) else { return false };
            let at = point.get(axis).and_then(|at| shown.positions.iter().position(|p| p.at == *at)).unwrap_or(0);
            slice = slice * shown.positions.len() + at;
        }
        let changed = view.slice != Some(slice);
        self.view = Some(View { slice: Some(slice), ..view });
        changed
    }

    /// Moves the cursor; it no longer follows.
    pub fn go(&mut self, to: Move) {
        let Some(grid) = &self.grid else { return };
        let (rows, columns) = (grid.rows().saturating_sub(1), grid.columns().saturating_sub(1));
        self.following = false;
        match to {
            Move::Up => self.row = (self.row + 1).min(rows),
            Move::Down => self.row = self.row.saturating_sub(1),
            Move::Left => self.column = self.column.saturating_sub(1),
            Move::Right => self.column = (self.column + 1).min(columns),
            Move::First => self.column = 0,
            Move::Last => self.column = columns,
            Move::PageUp => self.row = (self.row + PAGE).min(rows),
            Move::PageDown => self.row = self.row.saturating_sub(PAGE),
        }
    }

    /// Goes to the next cell, or the one before, that was measured or tried and is not a pass, in reading order from the
    /// top left, around the end. False when there is none.
    pub fn failure(&mut self, forward: bool) -> bool {
        let Some(grid) = &self.grid else { return false };
        let (rows, columns) = (grid.rows(), grid.columns());
        let count = rows * columns;
        let here = (rows - 1 - self.row) * columns + self.column;
        let is_failure = |place: usize| {
            let cell = grid.cell(rows - 1 - place / columns, place % columns).and_then(|cell| cell.outcome);
            let shown = cell.map(|outcome| outcome.cell);
            shown.is_some_and(|cell| !matches!(cell, Cell::Pass | Cell::Planned | Cell::Running | Cell::Skipped))
        };
        let step = |by: usize| if forward { (here + by) % count } else { (here + count - by) % count };
        let Some(found) = (1..=count).map(step).find(|place| is_failure(*place)) else { return false };
        (self.row, self.column) = (rows - 1 - found / columns, found % columns);
        self.following = false;
        true
    }

    /// Marks the cell under the cursor, or takes its mark away.
    pub fn mark(&mut self) {
        if let Some(index) = self.sub_run()
            && !self.marks.remove(&index)
        {
            self.marks.insert(index);
        }
    }

    /// Begins a range of marks, or ends it and marks what lies within.
    pub fn mark_range(&mut self) {
        let Some((row, column)) = self.range.take() else {
            self.range = Some((self.row, self.column));
            return;
        };
        let Some(grid) = &self.grid else { return };
        for r in row.min(self.row)..=row.max(self.row) {
            for c in column.min(self.column)..=column.max(self.column) {
                self.marks.extend(grid.cell(r, c).and_then(|cell| cell.sub_run));
            }
        }
    }

    /// Whether a cell lies in the range that is being marked.
    pub fn in_range(&self, row: usize, column: usize) -> bool {
        let within = |a: usize, b: usize, at: usize| (a.min(b)..=a.max(b)).contains(&at);
        self.range.is_some_and(|(r, c)| within(r, self.row, row) && within(c, self.column, column))
    }

    /// Shows another slice of the hidden axes; false when there is only one.
    pub fn slice(&mut self, experiment: &Experiment, forward: bool) -> bool {
        let Some(view) = self.view else { return false };
        let slices = view.slices(experiment);
        if slices < 2 {
            return false;
        }
        let next = match view.slice {
            None => 0,
            Some(at) if forward => (at + 1) % slices,
            Some(at) => (at + slices - 1) % slices,
        };
        self.view = Some(View { slice: Some(next), ..view });
        self.following = false;
        true
    }

    /// Worst, last, pass rate over the hidden axes, then slice by slice again.
    pub fn aggregate(&mut self, experiment: &Experiment) -> bool {
        let Some(view) = self.view.filter(|view| view.slices(experiment) > 1) else { return false };
        let (aggregate, slice) = match (view.slice, view.aggregate) {
            (Some(_), _) => (Aggregate::Worst, None),
            (None, Aggregate::Worst) => (Aggregate::Last, None),
            (None, Aggregate::Last) => (Aggregate::PassRate, None),
            (None, Aggregate::PassRate) => (Aggregate::Worst, Some(0)),
        };
        self.view = Some(View { aggregate, slice, ..view });
        true
    }

    /// Shows these axes.
    pub fn choose(&mut self, experiment: &Experiment, y: Option<usize>, x: usize) {
        let view = View { y, x: Some(x), aggregate: Aggregate::Worst, slice: None };
        let hides = !view.hidden(experiment).is_empty();
        self.view = Some(View { slice: hides.then_some(0), ..view });
        (self.row, self.column, self.range) = (0, 0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kit::World;
    use crate::domain::verdict::Verdict;

    /// Three voltages by two frequencies with these cells, row by row from the top.
    fn board(cells: &str) -> (Board, crate::domain::plan::Plan) {
        let plan = World::grid(3, 2).plan();
        let glyphs: Vec<char> = cells.chars().filter(|c| !c.is_whitespace()).collect();
        let mut empty = Board::new(&plan.experiment, |_| Cell::Planned.into());
        let order: Vec<(u32, char)> = (0..3)
            .rev()
            .flat_map(|row| (0..2).map(move |column| (row, column)))
            .map(|(row, column)| empty.grid.as_ref().unwrap().cell(row, column).unwrap().sub_run.unwrap())
            .zip(glyphs)
            .collect();
        empty.refresh(&plan.experiment, |index| {
            let glyph = order.iter().find(|(at, _)| *at == index).unwrap().1;
            Cell::ALL.into_iter().find(|cell| cell.glyph() == glyph).unwrap().into()
        });
        (empty, plan)
    }

    #[test]
    fn the_cursor_stays_on_the_grid_and_goes_where_a_sub_run_is() {
        let (mut board, plan) = board("++ +X X.");
        for to in [Move::Up, Move::Left, Move::PageUp, Move::First] {
            board.go(to);
        }
        assert_eq!((board.row, board.column, board.following), (2, 0, false));
        for to in [Move::PageDown, Move::Down, Move::Last, Move::Right] {
            board.go(to);
        }
        assert_eq!((board.row, board.column), (0, 1));
        for index in 0..plan.experiment.sub_runs() {
            board.go_to(&plan.experiment, index);
            assert_eq!(board.sub_run(), Some(index));
        }
    }

    #[test]
    fn failures_are_found_in_reading_order_and_around_the_end() {
        let check = |cells: &str, forward: bool, expected: &[(usize, usize)]| {
            let (mut board, _) = board(cells);
            for place in expected {
                assert!(board.failure(forward));
                assert_eq!((board.row, board.column), *place, "{cells}");
            }
        };
        check("++ +X ?.", true, &[(1, 1), (0, 0), (1, 1)]);
        check("++ +X ?.", false, &[(0, 0), (1, 1), (0, 0)]);
        check("++ +! ++", true, &[(1, 1), (1, 1)]);
        let (mut board, _) = board("++ +. >-");
        assert!(!board.failure(true));
    }

    #[test]
    fn marks_come_and_go_and_ranges_are_rectangles() {
        let (mut board, _) = board("++ ++ ++");
        board.mark();
        assert_eq!(board.marks.len(), 1);
        board.mark();
        assert!(board.marks.is_empty());
        board.mark_range();
        board.go(Move::Down);
        assert!(board.in_range(1, 0) && board.in_range(2, 0) && !board.in_range(0, 0) && !board.in_range(2, 1));
        board.mark_range();
        assert_eq!(board.marks.len(), 2);
        assert!(!board.in_range(2, 0));
    }

    #[test]
    fn counts_are_of_every_sub_run() {
        let (board, _) = board("++ +X X.");
        assert_eq!(board.counts, [(Cell::Pass, 3), (Cell::Fail, 2), (Cell::Planned, 1)]);
        assert_eq!(Cell::from(Verdict::Pass), Cell::Pass);
    }
}
