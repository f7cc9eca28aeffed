//! `view(&Model, ..)`: the whole screen from the model, pure. A pane that fails is a bug and not caught here.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::theme::Slot;
use crate::tui::actions::Pane;
use crate::tui::canvas::{Line, clear, put};
use crate::tui::model::Model;
use crate::tui::{dialogs, footer, header, panes};

/// Draws everything.
pub fn view(model: &Model, area: Rect, buf: &mut Buffer) {
    let screen = area.intersection(buf.area);
    clear(buf, screen, model.look.of(Slot::Text));
    #[cfg(debug_assertions)]
    fail_as_asked(model);
    let layout = model.layout();
    header::view(model, layout.header, buf);
    if let Some(area) = layout.bar {
        footer::bar(model, area, buf);
    }
    for pane in Pane::ALL {
        let Some(area) = layout.pane(pane) else { continue };
        match pane {
            Pane::Flows => panes::flows::view(model, area, buf),
            Pane::Margins => panes::margins::view(model, area, buf),
            Pane::Runs => panes::runs::view(model, area, buf),
            Pane::Shmoo => panes::shmoo::view(model, area, buf),
            Pane::Steps => panes::steps::view(model, area, buf),
            Pane::Log => log(model, area, buf),
            Pane::Telemetry => panes::telemetry::view(model, area, buf),
        }
    }
    if let Some(area) = layout.last_line {
        put(buf, area, &model.log.last_line().unwrap_or_default(), model.look.of(Slot::Text));
    }
    if let Some(area) = layout.message {
        footer::message(model, area, buf);
    }
    if let Some(area) = layout.command {
        footer::command(model, area, buf);
    }
    if let Some(area) = layout.footer {
        footer::keys(model, area, buf);
    }
    dialogs::view(model, screen, buf);
}

/// A bug to be had on request, so that what one does to the terminal and to the sweep can be tested on the program itself:
/// with `ROAD_RUNNER_PANIC_IN_VIEW=5` it panics once pane 5 has the keys. Not there in a release build.
#[cfg(debug_assertions)]
fn fail_as_asked(model: &Model) {
    let asked = std::env::var("ROAD_RUNNER_PANIC_IN_VIEW").ok();
    assert!(asked != Some(model.focus.number().to_string()), "asked for by ROAD_RUNNER_PANIC_IN_VIEW");
}

fn log(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let focused = model.focus == Pane::Log && model.dialog.is_none();
    let right = Line::new().then(model.log.status(), look.of(Slot::Dim));
    let below = Line::new().then(model.log.search_status(), look.of(Slot::Match));
    let inside = panes::framed(model, Pane::Log, area, buf, &model.log.title(), right, below);
    model.log.view(inside, buf, &look.palette, focused);
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
