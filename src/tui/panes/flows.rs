//! Pane 1: the flows, and under each that is broken where and why.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::theme::Slot;
use crate::tui::actions::Pane;
use crate::tui::canvas::{Line, put, row};
use crate::tui::model::Model;
use crate::tui::panes::documents::{Documents, position};
use crate::tui::panes::framed;

fn documents(model: &Model) -> Documents<'_> {
    Documents { all: model.flows.iter().map(Into::into).collect(), at: model.flow_at.at, chosen: &model.choice.flow }
}

/// The flow that stands in a line of the pane.
pub fn row_at(model: &Model, room: usize, line: usize) -> Option<usize> {
    documents(model).row_at(room, line)
}

/// Draws it.
pub fn view(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let right = Line::new().then(position(model.flow_at.at, model.flows.len()), look.of(Slot::Dim));
    let inside = framed(model, Pane::Flows, area, buf, "", right, Line::new());
    if model.flows.is_empty() {
        put(buf, row(inside, 0), "no flow in flows/", look.of(Slot::Dim));
        return;
    }
    documents(model).view(model, Pane::Flows, inside, buf);
}
