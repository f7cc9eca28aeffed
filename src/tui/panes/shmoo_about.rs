//! What is said beside and below the shmoo: the cell under the cursor, the edge along its line and along all, and what
//! there is where nothing is swept.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use crate::domain::evidence;
use crate::domain::headroom;
use crate::domain::sanitize;
use crate::domain::shmoo_edge::{Edge, Edges, Mark};
use crate::domain::shmoo_grid::Grid;
use crate::domain::summary::short_name;
use crate::domain::theme::Slot;
use crate::domain::time::short_clock as clock;
use crate::domain::time::span;
use crate::tui::canvas::{Line, fitting, put, row, scroll};
use crate::tui::model::{Model, Subject};
use crate::tui::panes::shmoo::{legend, progress};

/// What is known of the cell under the cursor.
pub fn cell(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let (Some(plan), Some(index)) = (model.plan(), model.sub_run()) else {
        put(buf, row(area, 0), "no such point", look.of(Slot::Dim));
        return;
    };
    let experiment = &plan.experiment;
    let point = experiment.point(index).unwrap_or_default();
    let shown = model.subject.outcome(index).cell;
    let mut lines = vec![
        Line::new()
            .then(format!("{} ", short_name(experiment.sub_runs(), index)), look.of(Slot::Strong))
            .then(point.shown(), look.of(Slot::Text)),
        Line::new().then(format!("{} {}", shown.glyph(), shown.words()), look.palette.cell(shown)),
    ];
    let grid_cell = model.board.cell().filter(|cell| cell.total > 1);
    if let Some(cell) = grid_cell {
        let text = format!("{} of {} measured pass, {} here", cell.passed, cell.measured, cell.total);
        lines.push(Line::new().then(text, look.of(Slot::Dim)));
    }
    if let Subject::Run(run) = &model.subject
        && let Some(sub_run) = run.state.sub_runs.get(index as usize)
    {
        if let Some(flaky) = sub_run.flaky {
            let text = format!("flaky: {} of {} repeats pass", flaky.pass, flaky.of);
            lines.push(Line::new().then(text, look.of(Slot::CellFlaky)));
        }
        if sub_run.unapplied {
            lines.push(Line::new().then("a swept rail was applied by nobody", look.of(Slot::CellInconclusive)));
        }
        if sub_run.unheld {
            lines.push(Line::new().then("a rail did not hold its setpoint", look.of(Slot::CellInconclusive)));
        }
        if let Some(reason) = &sub_run.reason {
            lines.push(Line::new().then(sanitize::line(reason).into_owned(), look.of(Slot::Dim)));
        }
    }
    for execution in model.executions() {
        let Some(finished) = &execution.finished else { continue };
        let cell = finished.verdict.into();
        lines.push(
            Line::new()
                .then(format!("{} ", crate::domain::shmoo::Cell::glyph(cell)), look.palette.cell(cell))
                .then(format!("{} ", finished.step), look.of(Slot::Text))
                .then(finished.took_ms().map(|ms| format!("{} ", span(ms))).unwrap_or_default(), look.of(Slot::Dim))
                .then(execution.ended().map(|ended| format!("{ended} ")).unwrap_or_default(), look.of(Slot::Dim))
                .then(evidence::news(&finished.observed).join(", "), look.of(Slot::Warning)),
        );
    }
    let late = model.run().and_then(|run| run.state.late.get(&index)).into_iter().flatten();
    let late: Vec<String> = late.flat_map(|(_, observed)| evidence::news(observed)).collect();
    if !late.is_empty() {
        lines.push(Line::new().then(format!("late {}", late.join(", ")), look.of(Slot::Warning)));
    }
    let room = usize::from(area.height);
    if lines.len() < room {
        lines.push(headroom_of(model, &point, index));
    }
    let more = lines.len().saturating_sub(room);
    for (at, line) in lines.iter().take(room).enumerate() {
        let at = u16::try_from(at).unwrap_or(u16::MAX);
        if more > 0 && usize::from(at) + 1 == room {
            put(buf, row(area, at), &format!("and {} more in 5 Steps", more + 1), look.of(Slot::Dim));
        } else {
            line.draw(row(area, at), buf);
        }
    }
}

/// How far the nearest bound is below the point's voltages.
fn headroom_of(model: &Model, point: &crate::domain::point::MarginPoint, _index: u32) -> Line {
    let look = &model.look;
    let Some(plan) = model.plan() else { return Line::new() };
    match headroom::to_minimum(&plan.experiment.bounds, point) {
        Some((field, base)) => {
            Line::new().then(format!("{} above {}'s bound", field.field.show(base), field.rail), look.of(Slot::Dim))
        }
        None => Line::new(),
    }
}

/// The edge along the line under the cursor, in full.
pub fn edge(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let (Some(edges), Some(grid)) = (&model.board.edges, &model.board.grid) else { return };
    if model.run().is_none() {
        about_preview(model, area, buf);
        return;
    }
    let Some(edge) = edges.edges.iter().find(|edge| is_here(edge, edges, grid, model)) else { return };
    let label = label(edge, grid, edges);
    let at = if label.is_empty() { String::new() } else { format!("{label}: ") };
    let end = put(buf, area, "edge ", look.of(Slot::Accent));
    let rest = Rect { x: end, width: area.right().saturating_sub(end), ..area };
    let text = format!("{at}{}", edge.words(edges.field));
    put(buf, rest, &fitting(&text, rest.width.into()), look.of(Slot::Text));
}

/// Every line's last pass and first fail, as many as fit, that of the cursor's among them. The unit stands once, in front.
pub fn edges(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let (Some(edges), Some(grid)) = (&model.board.edges, &model.board.grid) else { return };
    if model.run().is_none() {
        return;
    }
    let show = |mark: Option<Mark>| mark.map_or_else(|| "-".to_owned(), |mark| edges.field.show(mark.value));
    let marks = || edges.edges.iter().flat_map(|edge| [edge.last_pass, edge.first_fail]).map(show);
    let unit = |text: &str| text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').to_owned();
    let mut units: Vec<String> = marks().filter(|text| text != "-").map(|text| unit(&text)).collect();
    units.sort_unstable();
    units.dedup();
    let common = if let [one] = units.as_slice() { one.as_str() } else { "" };
    let bare = |mark: Option<Mark>| show(mark).trim_end_matches(common).to_owned();
    let of = |edge: &Edge| format!("{} {}/{}", label(edge, grid, edges), bare(edge.last_pass), bare(edge.first_fail));
    let texts: Vec<String> = edges.edges.iter().map(of).collect();
    let mut line = Line::new().then("last pass/first fail ", look.of(Slot::Accent));
    if !common.is_empty() {
        line.push(format!("in {common} "), look.of(Slot::Dim));
    }
    let widest = texts.iter().map(|text| text.width() + 2).max().unwrap_or(1);
    let room = usize::from(area.width).saturating_sub(line.width()) / widest;
    let here = edges.edges.iter().position(|edge| is_here(edge, edges, grid, model)).unwrap_or(0);
    for at in (scroll(here, texts.len(), room)..texts.len()).take(room) {
        let slot = if at == here { Slot::Strong } else { Slot::Text };
        line.push(format!(" {} ", texts.get(at).map_or("", String::as_str)), look.of(slot));
    }
    line.draw(area, buf);
}

fn is_here(edge: &Edge, edges: &Edges, grid: &Grid, model: &Model) -> bool {
    match edge.line {
        None => true,
        Some(line) if edges.walked == grid.x.name => line == model.board.row,
        Some(line) => line == model.board.column,
    }
}

fn label(edge: &Edge, grid: &Grid, edges: &Edges) -> String {
    let axis = if edges.walked == grid.x.name { grid.y.as_ref() } else { Some(&grid.x) };
    let position = edge.line.and_then(|line| axis.and_then(|axis| axis.positions.get(line)));
    position.map_or_else(String::new, |position| position.label.clone())
}

/// What a preview comes to: points, executions, time, whether it may start.
pub fn about_preview(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let Some(previewed) = model.previewed() else { return };
    let Some(plan) = &previewed.preview.plan else { return };
    let experiment = &plan.experiment;
    let points = experiment.sub_runs();
    let executions = u64::from(points) * u64::from(experiment.executions());
    let mut line = Line::new().then(format!("{points} points, {executions} executions"), look.of(Slot::Text));
    match previewed.preview.count_outside() {
        0 if previewed.preview.refusal.is_some() => line.push("  REFUSED: S says why", look.of(Slot::Error)),
        0 => line.push("  bounds ok: S starts it", look.of(Slot::Good)),
        outside => line.push(format!("  {outside} outside the policy: S says why"), look.of(Slot::Error)),
    }
    // Last, because it is what may be cut off.
    match previewed.estimate {
        Some(estimate) => line.push(format!("  about {}", clock(estimate)), look.of(Slot::Text)),
        None => line.push("  no past run to tell the time from", look.of(Slot::Dim)),
    }
    line.draw(area, buf);
}

/// What there is to say where nothing is swept, or nothing could be expanded.
pub fn without_grid(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    match &model.subject {
        Subject::Nothing => {
            let says = if model.pending.is_some() {
                "reading ..."
            } else if model.flows.is_empty() {
                "this workspace has no flow: road_runner init DIR writes one with samples"
            } else {
                "Enter on a flow and on a margin previews the sweep"
            };
            put(buf, row(area, 0), says, look.of(Slot::Dim));
        }
        Subject::Preview(previewed) if previewed.preview.plan.is_none() => {
            put(buf, row(area, 0), "REFUSED: S shows all of it", look.of(Slot::Error));
            let refused = previewed.preview.refusal.as_ref().map(crate::tui::refused::of);
            let lines = refused.into_iter().flat_map(|refused| std::iter::once(refused.what).chain(refused.report));
            for (at, text) in lines.filter(|text| !text.is_empty()).take(usize::from(area.height)).enumerate() {
                put(buf, row(area, u16::try_from(at + 1).unwrap_or(u16::MAX)), &text, look.of(Slot::Text));
            }
        }
        Subject::Preview(_) => {
            put(buf, row(area, 0), "one point, nothing is swept", look.of(Slot::Text));
            about_preview(model, row(area, 1), buf);
            legend(model, row(area, 2), buf);
        }
        Subject::Run(run) => {
            let sub_run = run.state.sub_runs.first();
            let reason = sub_run.and_then(|sub_run| sub_run.reason.as_deref()).unwrap_or_default();
            legend(model, row(area, 0), buf);
            progress(model, row(area, 1), buf);
            put(buf, row(area, 2), &sanitize::line(reason), look.of(Slot::Dim));
        }
    }
}
