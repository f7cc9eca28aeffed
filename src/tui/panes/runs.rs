//! Pane 3: the runs, newest first, filtered and marked; and under them what has changed on the host since the selected one.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::sanitize;
use crate::domain::shmoo::Cell;
use crate::domain::theme::Slot;
use crate::tui::actions::Pane;
use crate::tui::canvas::{Line, fitting, put, row};
use crate::tui::model::Model;
use crate::tui::panes::{framed, list, pointer};

/// Rows below the list, where there is room for them.
const BELOW: usize = 4;

/// Rows of the list in so many rows of the pane.
pub fn rows(model: &Model, room: usize) -> usize {
    let about = model.selected_run().is_some() && room >= 10;
    if about { room - BELOW } else { room }
}

/// Draws it.
pub fn view(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let count = match (model.shown_runs.len(), model.runs.len()) {
        (shown, all) if shown == all => all.to_string(),
        (shown, all) => format!("{shown} of {all}"),
    };
    let below = if model.run_filter.is_empty() {
        Line::new()
    } else {
        Line::new().then(format!("/{}", sanitize::escaped(&model.run_filter)), look.of(Slot::Match))
    };
    let inside = framed(model, Pane::Runs, area, buf, "", Line::new().then(count, look.of(Slot::Dim)), below);
    if model.shown_runs.is_empty() {
        let says = if model.runs.is_empty() { "no run yet: S starts one" } else { "no run matches the filter" };
        put(buf, row(inside, 0), says, look.of(Slot::Dim));
        return;
    }
    let room = rows(model, inside.height.into());
    let rows = Rect { height: u16::try_from(room).unwrap_or(u16::MAX).min(inside.height), ..inside };
    let open = model.run().map(|run| run.state.header.run_id.as_str());
    let in_range = |at: usize| {
        model.run_range.is_some_and(|from| (from.min(model.run_at.at)..=from.max(model.run_at.at)).contains(&at))
    };
    list(model, Pane::Runs, rows, buf, (model.run_at.at, model.shown_runs.len()), |at| {
        let Some(run) = model.shown_runs.get(at).and_then(|index| model.runs.get(*index)) else { return Line::new() };
        let marked = model.run_marks.contains(&run.id) || in_range(at);
        let mut line = Line::new()
            .then(if marked { "*" } else { pointer(open == Some(run.id.as_str()), look) }, look.of(Slot::Mark))
            .then(format!("{:>5} ", run.when), look.of(Slot::Dim))
            .then(format!("{} ", run.short), look.of(Slot::Text));
        // The run that is open is known better than its summary says, which is written every other second.
        let live = model.live().filter(|open| open.state.header.run_id == run.id);
        let progress = live.map(|open| format!("{}/{}", open.state.finished_sub_runs(), open.state.sub_runs.len()));
        match live.map_or_else(|| run.cell(), |_| Some(Cell::Running)) {
            Some(cell) => line.push(format!("{} ", cell.glyph()), look.palette.cell(cell)),
            None => line.push("! ", look.of(Slot::Error)),
        }
        line.push(format!("{:>5} ", progress.as_deref().unwrap_or(&run.progress)), look.of(Slot::Text));
        if !run.word().is_empty() && live.is_none() {
            line.push(format!("{} ", run.word()), look.of(Slot::Warning));
        }
        line.push(run.flow.clone(), look.of(Slot::Dim));
        line
    });
    if room < inside.height.into() {
        about(model, Rect { y: inside.y + rows.height, height: inside.height - rows.height, ..inside }, buf);
    }
}

/// What is known of the selected run that its row has no room for.
fn about(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let Some(run) = model.selected_run() else { return };
    let mut line = Line::new().then(format!("{} ", run.short), look.of(Slot::Strong));
    match (&run.error, &run.unit) {
        (Some(error), _) => line.push(sanitize::line(error).into_owned(), look.of(Slot::Error)),
        (None, unit) => {
            line.push(format!("{} x {}", run.flow, run.margin), look.of(Slot::Text));
            if let Some(unit) = unit {
                line.push(format!("  {}", sanitize::escaped(unit)), look.of(Slot::Dim));
            }
        }
    }
    line.draw(row(area, 0), buf);
    let drift: &[String] = match &model.drift {
        Some((id, lines)) if *id == run.id => lines,
        _ => &[],
    };
    let width = usize::from(area.width);
    for (at, text) in drift.iter().take(2).enumerate() {
        let at = u16::try_from(at + 1).unwrap_or(u16::MAX);
        put(buf, row(area, at), &fitting(text, width), look.of(Slot::Warning));
    }
    let last = row(area, 3);
    match drift.len() {
        0 => put(buf, row(area, 1), "nothing has drifted since", look.of(Slot::Dim)),
        1 | 2 => last.x,
        more => put(buf, last, &format!("and {} more: r shows all", more - 2), look.of(Slot::Dim)),
    };
}
