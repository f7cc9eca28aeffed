//! Pane 4: the shmoo. Y upward, X to the right, the legend with counts, the edge, how far the run is. Draws the cells
//! that are seen; the grid itself is made elsewhere.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr as _;

use crate::domain::progress::{Remaining, StepProgress};
use crate::domain::shmoo_grid::Grid;
use crate::domain::summary::short_name;
use crate::domain::theme::Slot;
use crate::domain::time::short_clock as clock;
use crate::tui::actions::Pane;
use crate::tui::canvas::{Line, Look, bar, from, put, put_right, row, scroll};
use crate::tui::model::{Model, Subject};
use crate::tui::panes::{framed, shmoo_about};

/// Where the parts of the pane stand.
struct Parts {
    /// Labels of the rows and cells.
    grid: Rect,
    /// What is known of the cell under the cursor.
    about: Option<Rect>,
    /// The lines below: edge, legend, progress, from the top.
    below: Rect,
    /// Columns of a cell.
    cell: u16,
    /// Columns of the labels of the rows.
    labels: u16,
}

/// The least columns in which something can be said of the cell.
const ABOUT: u16 = 24;

fn parts(grid: &Grid, inside: Rect, progress: bool) -> Parts {
    let labels = grid.y.as_ref().map_or(0, |y| y.positions.iter().map(|p| p.label.width()).max().unwrap_or(0)).min(20);
    let labels = u16::try_from(labels).unwrap_or(0) + 2;
    // The grid's rows and the line of its labels come first; what is left over is for the lines below.
    let wanted = u16::try_from(grid.rows()).unwrap_or(u16::MAX).saturating_add(1);
    let least = 1 + u16::from(progress);
    let lines = inside.height.saturating_sub(wanted).clamp(least, 3 + u16::from(progress)).min(inside.height);
    let height = inside.height - lines;
    let below = Rect { y: inside.y + height, height: lines, ..inside };
    let columns = u16::try_from(grid.columns()).unwrap_or(u16::MAX);
    let fits = |cell: u16, room: u16| columns.saturating_mul(cell).saturating_add(labels + 1) <= room;
    // What the cell under the cursor is about goes beside the grid as long as cells of two columns fit.
    let with_about = inside.width.saturating_sub(ABOUT);
    let (room, beside) = if fits(2, with_about) { (with_about, true) } else { (inside.width, false) };
    let cell = [4, 3, 2].into_iter().find(|cell| fits(*cell, room)).unwrap_or(if beside { 2 } else { 1 });
    let width = columns.saturating_mul(cell).saturating_add(labels + 1).min(room);
    let grid_area = Rect { width, height, ..inside };
    let about = beside.then(|| Rect { x: inside.x + width + 1, width: inside.width - width - 1, height, ..inside });
    Parts { grid: grid_area, about, below, cell, labels }
}

/// Rows and columns of cells that are seen, and the first of each.
fn seen(grid: &Grid, model: &Model, parts: &Parts) -> (usize, usize, usize, usize) {
    let rows = usize::from(parts.grid.height.saturating_sub(1));
    let columns = usize::from(parts.grid.width.saturating_sub(parts.labels) / parts.cell.max(1));
    // Rows count from the top on the screen and from below in the grid.
    let from_top = grid.rows().saturating_sub(1).saturating_sub(model.board.row);
    let top = scroll(from_top, grid.rows(), rows);
    let left = scroll(model.board.column, grid.columns(), columns);
    (top, rows.min(grid.rows()), left, columns.min(grid.columns()))
}

/// Puts the cursor on the cell that was clicked.
pub fn click(model: &mut Model, area: Rect, x: u16, y: u16) {
    let inside = Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 };
    let Some(grid) = &model.board.grid else { return };
    let parts = parts(grid, inside, model.run().is_some());
    let (top, rows, left, columns) = seen(grid, model, &parts);
    let first = parts.grid.x + parts.labels;
    if x < first || y >= parts.grid.y + u16::try_from(rows).unwrap_or(0) {
        return;
    }
    let column = left + usize::from((x - first) / parts.cell.max(1));
    let line = top + usize::from(y - parts.grid.y);
    if column < left + columns && line < grid.rows() {
        let row = grid.rows() - 1 - line;
        (model.board.row, model.board.column) = (row, column);
        model.board.following = false;
        model.step_follows = true;
    }
}

/// Draws it.
pub fn view(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let (about, right) = titles(model);
    let inside =
        framed(model, Pane::Shmoo, area, buf, &about, Line::new().then(right, look.of(Slot::Dim)), Line::new());
    if inside.is_empty() {
        return;
    }
    let Some(grid) = &model.board.grid else {
        shmoo_about::without_grid(model, inside, buf);
        return;
    };
    let parts = parts(grid, inside, model.run().is_some());
    cells(grid, model, &parts, buf);
    if let Some(area) = parts.about {
        shmoo_about::cell(model, area, buf);
    }
    below(model, parts.below, buf);
}

/// `sim.voltage over sim.frequency  worst`, and `slice mem.voltage 1.2V 1/2`.
fn titles(model: &Model) -> (String, String) {
    let Some(plan) = model.plan() else { return (String::new(), String::new()) };
    let experiment = &plan.experiment;
    let name = |axis: Option<usize>| axis.and_then(|axis| experiment.axes.get(axis)).map(|axis| axis.name.as_str());
    let Some(view) = model.board.view else {
        return (format!("{} x {}", experiment.flow, experiment.margin), String::new());
    };
    let axes = match (name(view.y), name(view.x)) {
        (Some(y), Some(x)) => format!("{y} over {x}"),
        (None, Some(x)) => x.to_owned(),
        _ => String::new(),
    };
    let slices = view.slices(experiment);
    let right = match view.slice {
        _ if slices < 2 => String::new(),
        Some(at) => format!("{} {}/{slices} [ ]", view.slice_label(experiment), at + 1),
        None => format!("{} of {slices} slices", view.aggregate.as_str()),
    };
    (axes, right)
}

fn cells(grid: &Grid, model: &Model, parts: &Parts, buf: &mut Buffer) {
    let look = &model.look;
    let (top, rows, left, columns) = seen(grid, model, parts);
    let axis = look.of(Slot::Accent);
    let upright = if look.ascii { "|" } else { "│" };
    for line in 0..rows {
        let at = grid.rows() - 1 - (top + line);
        let area = row(parts.grid, u16::try_from(line).unwrap_or(u16::MAX));
        let label = grid.y.as_ref().and_then(|y| y.positions.get(at)).map_or("", |position| position.label.as_str());
        let labels = Rect { width: parts.labels.saturating_sub(2), ..area };
        put_right(buf, labels, label, if at == model.board.row { look.of(Slot::Strong) } else { look.of(Slot::Dim) });
        put(buf, from(area, parts.labels - 1), upright, axis);
        for place in 0..columns {
            let column = left + place;
            let offset = parts.labels + u16::try_from(place).unwrap_or(0) * parts.cell;
            cell(grid, model, (at, column), from(area, offset), parts.cell, buf);
        }
    }
    let below = row(parts.grid, u16::try_from(rows).unwrap_or(u16::MAX));
    x_labels(grid, (left, columns), below, parts, look, buf);
}

fn cell(grid: &Grid, model: &Model, (at, column): (usize, usize), area: Rect, width: u16, buf: &mut Buffer) {
    let look = &model.look;
    let Some(cell) = grid.cell(at, column) else { return };
    let here = (at, column) == (model.board.row, model.board.column);
    let (glyph, style) = match cell.outcome {
        Some(outcome) => (outcome.cell.glyph(), look.palette.cell(outcome.cell)),
        None => (' ', Style::new()),
    };
    let marked =
        cell.sub_run.is_some_and(|index| model.board.marks.contains(&index)) || model.board.in_range(at, column);
    let mut text = [0; 4];
    let glyph: &str = glyph.encode_utf8(&mut text);
    let area = Rect { width: width.min(area.width), ..area };
    if here {
        let style = style.patch(look.of(Slot::Cursor));
        match width {
            1 => put(buf, area, glyph, style),
            2 => put(buf, area, &format!("{glyph}<"), style),
            _ => put(buf, area, &format!("[{glyph}]"), style),
        };
    } else if marked && width > 1 {
        let end = if width > 2 { put(buf, area, " ", Style::new()) } else { area.x };
        let end = put(buf, Rect { x: end, ..area }, glyph, style);
        put(buf, Rect { x: end, width: 1, ..area }, "*", look.of(Slot::Mark));
    } else {
        let at = if width > 2 { from(area, 1) } else { area };
        let style = if marked { style.patch(look.of(Slot::Mark)) } else { style };
        put(buf, at, glyph, style);
    }
}

/// The values along X, as many as there is room for without one touching the next; that under the cursor always.
fn x_labels(grid: &Grid, (left, columns): (usize, usize), area: Rect, parts: &Parts, look: &Look, buf: &mut Buffer) {
    let mut end = area.x;
    for place in 0..columns {
        let Some(position) = grid.x.positions.get(left + place) else { break };
        let x = area.x + parts.labels + u16::try_from(place).unwrap_or(0) * parts.cell;
        let width = u16::try_from(position.label.width()).unwrap_or(u16::MAX);
        // The last value of the axis is told where it fits.
        if x >= end && x.saturating_add(width) <= area.right() {
            end = put(buf, Rect { x, width: area.right() - x, ..area }, &position.label, look.of(Slot::Dim)) + 1;
        }
    }
}

/// Edge, legend, progress: the legend always, the others as there is room.
fn below(model: &Model, area: Rect, buf: &mut Buffer) {
    let progress = model.run().is_some();
    let lines = area.height;
    let mut at = 0;
    let least = 1 + u16::from(progress);
    if lines > least {
        shmoo_about::edge(model, row(area, at), buf);
        at += 1;
    }
    if lines > least + 1 {
        shmoo_about::edges(model, row(area, at), buf);
        at += 1;
    }
    legend(model, row(area, at), buf);
    if progress {
        self::progress(model, row(area, at + 1), buf);
    }
}

/// `+ pass 12  X fail 3`; glyphs alone where words do not fit.
pub fn legend(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let long: usize = model.board.counts.iter().map(|(cell, n)| cell.as_str().len() + n.to_string().len() + 5).sum();
    let words = long <= usize::from(area.width);
    let mut line = Line::new();
    for (cell, count) in &model.board.counts {
        line.push(cell.glyph().to_string(), look.palette.cell(*cell));
        let text = if words { format!(" {} {count}  ", cell.as_str()) } else { format!("{count} ") };
        line.push(text, look.of(Slot::Text));
    }
    line.draw(area, buf);
}

/// `17/36 [####....] 47%  left ~00:31  s17 step 2/3 [###...]`.
pub fn progress(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let Subject::Run(run) = &model.subject else { return };
    let state = &run.state;
    let remaining = Remaining::of(state, model.now);
    let (done, all) = (state.finished_sub_runs(), state.sub_runs.len());
    let end = put(buf, area, &format!("{done}/{all} "), look.of(Slot::Strong));
    let width = (area.width / 4).clamp(8, 30);
    let rest = Rect { x: end, width: area.right().saturating_sub(end).min(width), ..area };
    bar(buf, rest, remaining.permille(), 1000, look);
    let mut line = Line::new().then(format!(" {}% ", remaining.permille() / 10), look.of(Slot::Text));
    line.push(format!(" {}", clock(remaining.elapsed_ms)), look.of(Slot::Dim));
    if let Some(left) = remaining.left_ms {
        line.push(format!("  left ~{}", clock(left)), look.of(Slot::Text));
    }
    let flight = model.live().and_then(|run| StepProgress::of(&run.state, model.now));
    match (&flight, model.live(), run.state.stop_reason()) {
        (_, Some(_), Some(reason)) => {
            line.push(format!("  stopping: {}", crate::domain::sanitize::line(&reason)), look.of(Slot::Warning));
        }
        (Some(flight), ..) => {
            let name = short_name(state.plan.experiment.sub_runs(), flight.sub_run);
            line.push(format!("  {name} step {}/{} ", flight.execution + 1, flight.executions), look.of(Slot::Text));
        }
        (None, None, _) => {
            let ended = state.end.map_or_else(|| state.status.to_string(), |(v, code)| format!("{v}, exit {code}"));
            line.push(format!("  {ended}"), look.of(Slot::Strong));
            if let Some(reason) = run.state.stop_reason() {
                line.push(format!("  {}", crate::domain::sanitize::line(&reason)), look.of(Slot::Dim));
            }
        }
        (None, Some(_), None) => {}
    }
    let area = Rect { x: rest.right(), width: area.right().saturating_sub(rest.right()), ..area };
    line.draw(area, buf);
    if let Some(flight) = flight.filter(|_| run.state.cancel.is_none()) {
        let after = u16::try_from(line.width()).unwrap_or(u16::MAX);
        let room = from(area, after.min(area.width));
        bar(buf, Rect { width: room.width.min(14), ..room }, flight.permille(), 1000, look);
    }
}
