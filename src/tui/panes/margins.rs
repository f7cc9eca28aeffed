//! Pane 2: the margin profiles with points and bounds, and for the one that is chosen how long it may take.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::theme::Slot;
use crate::domain::time::short_clock as clock;
use crate::tui::actions::Pane;
use crate::tui::canvas::{Line, put, row};
use crate::tui::model::Model;
use crate::tui::panes::documents::{Documents, position};
use crate::tui::panes::framed;

fn documents(model: &Model) -> Documents<'_> {
    let all = model.margins.iter().map(Into::into).collect();
    Documents { all, at: model.margin_at.at, chosen: &model.choice.margin }
}

/// The margin that stands in a line of the pane.
pub fn row_at(model: &Model, room: usize, line: usize) -> Option<usize> {
    documents(model).row_at(list_rows(room), line)
}

/// Rows of the list: the last one says more of the profile under the cursor, where there is room.
const fn list_rows(room: usize) -> usize {
    if room > 3 { room - 1 } else { room }
}

/// Draws it.
pub fn view(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let right = Line::new().then(position(model.margin_at.at, model.margins.len()), look.of(Slot::Dim));
    let inside = framed(model, Pane::Margins, area, buf, "", right, Line::new());
    if model.margins.is_empty() {
        put(buf, row(inside, 0), "no profile in margins/", look.of(Slot::Dim));
        return;
    }
    let room = list_rows(inside.height.into());
    let rows = Rect { height: u16::try_from(room).unwrap_or(inside.height), ..inside };
    documents(model).view(model, Pane::Margins, rows, buf);
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
