//! Pane 2: the margin profiles with points and bounds, and for the one that is chosen how long it may take.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::theme::Slot;
use crate::tui::actions::Pane;
use crate::tui::canvas::{Line, fitting, put, row, scroll};
use crate::tui::model::Model;
use crate::tui::panes::flows::{document, position};
use crate::tui::panes::steps::clock;
use crate::tui::panes::{framed, select};

/// The rows: a margin, or a line of what is wrong with it.
fn rows(model: &Model) -> Vec<(usize, Option<usize>)> {
    let of = |(at, margin): (usize, &crate::tui::lists::MarginLine)| {
        std::iter::once((at, None)).chain((0..margin.problems.len()).map(move |problem| (at, Some(problem))))
    };
    model.margins.iter().enumerate().flat_map(of).collect()
}

/// The margin that stands in a line of the pane.
pub fn row_at(model: &Model, room: usize, line: usize) -> Option<usize> {
    let rows = rows(model);
    let chosen = rows.iter().position(|row| *row == (model.margin_at.at, None)).unwrap_or(0);
    rows.get(scroll(chosen, rows.len(), list_rows(room)) + line).map(|(at, _)| *at)
}

/// Rows of the list: the last one says more of the profile under the cursor, where there is room.
const fn list_rows(room: usize) -> usize {
    if room > 3 { room - 1 } else { room }
}

/// Draws it.
pub fn view(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let about = position(model.margin_at.at, model.margins.len());
    let inside = framed(model, Pane::Margins, area, buf, "", Line::new().then(about, look.of(Slot::Dim)), Line::new());
    if model.margins.is_empty() {
        put(buf, row(inside, 0), "no profile in margins/", look.of(Slot::Dim));
        return;
    }
    let rows = rows(model);
    let room = list_rows(inside.height.into());
    let chosen = rows.iter().position(|row| *row == (model.margin_at.at, None)).unwrap_or(0);
    let first = scroll(chosen, rows.len(), room);
    for (place, (at, problem)) in rows.iter().skip(first).take(room).enumerate() {
        let area = row(inside, u16::try_from(place).unwrap_or(u16::MAX));
        let Some(margin) = model.margins.get(*at) else { continue };
        if let Some(problem) = problem.and_then(|problem| margin.problems.get(problem)) {
            let slot = if margin.broken { Slot::Error } else { Slot::Warning };
            put(
                buf,
                area,
                &format!("    {}", fitting(problem, usize::from(area.width).saturating_sub(4))),
                look.of(slot),
            );
            continue;
        }
        let is_chosen = margin.file == model.choice.margin;
        document(area, buf, look, &margin.file, is_chosen, &margin.about, margin.broken);
        if *at == model.margin_at.at {
            select(model, Pane::Margins, area, buf);
        }
    }
    if room < inside.height.into() {
        more(model, row(inside, inside.height - 1), buf);
    }
}

/// What can be said of the profile under the cursor, and of what is previewed with it.
fn more(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let Some(margin) = model.margins.get(model.margin_at.at) else { return };
    let mut line = Line::new();
    let estimate =
        model.previewed().filter(|previewed| previewed.choice.margin == margin.file).and_then(|p| p.estimate);
    if let Some(estimate) = estimate {
        line.push(format!("  est {}", clock(estimate)), look.of(Slot::Text));
    }
    if !margin.bounds.is_empty() {
        let slot = if margin.outside { Slot::Warning } else { Slot::Good };
        line.push(format!("  {}", margin.bounds), look.of(slot));
    }
    let seed = model.previewed().filter(|p| p.choice.margin == margin.file).and_then(|p| p.choice.seed);
    if let Some(seed) = seed {
        line.push(format!("  seed {seed}"), look.of(Slot::Dim));
    }
    line.draw(area, buf);
}
