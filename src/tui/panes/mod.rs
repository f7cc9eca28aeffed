//! The panes: each a file with what it draws and what a click in it means. They draw visible rows only.

pub mod documents;
pub mod flows;
pub mod log;
pub mod log_rows;
pub mod log_view;
pub mod margins;
pub mod runs;
pub mod shmoo;
pub mod shmoo_about;
pub mod steps;
pub mod telemetry;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::theme::Slot;
use crate::tui::actions::Pane;
use crate::tui::canvas::{Line, Look, Titles, frame, paint, row, scroll};
use crate::tui::model::Model;

/// The frame of a pane with its number and title; returns what is inside.
pub fn framed(model: &Model, pane: Pane, area: Rect, buf: &mut Buffer, about: &str, right: Line, below: Line) -> Rect {
    let look = &model.look;
    let focused = model.focus == pane && model.dialog.is_none();
    let title = look.of(if focused { Slot::TitleFocus } else { Slot::Title });
    let mut left = Line::new().then(format!("{} {}", pane.number(), pane.title()), title);
    if !about.is_empty() {
        left.push(format!("  {about}"), look.of(Slot::Dim));
    }
    frame(buf, area, &Titles { left, right, below }, focused, look)
}

/// The mark before the row under the cursor.
pub fn pointer(is_here: bool, look: &Look) -> &'static str {
    match (is_here, look.ascii) {
        (true, true) => ">",
        (true, false) => "▸",
        (false, _) => " ",
    }
}

/// Draws the visible rows of a list; `line` makes one.
pub fn list(
    model: &Model,
    pane: Pane,
    area: Rect,
    buf: &mut Buffer,
    (at, count): (usize, usize),
    line: impl Fn(usize) -> Line,
) {
    let first = scroll(at, count, area.height.into());
    for (place, index) in (first..count).take(area.height.into()).enumerate() {
        let area = row(area, u16::try_from(place).unwrap_or(u16::MAX));
        line(index).draw(area, buf);
        if index == at {
            select(model, pane, area, buf);
        }
    }
}

/// Paints the row under the cursor.
pub fn select(model: &Model, pane: Pane, area: Rect, buf: &mut Buffer) {
    let slot = if model.focus == pane { Slot::Selection } else { Slot::SelectionRest };
    paint(buf, area, model.look.of(slot));
}
