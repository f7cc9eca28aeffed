//! Pane 1: the flows, and under each that is broken where and why.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::theme::Slot;
use crate::tui::actions::Pane;
use crate::tui::canvas::{Line, fitting, put, row, scroll};
use crate::tui::model::Model;
use crate::tui::panes::{framed, pointer, select};

/// The rows: a flow, or a line of what is wrong with it.
fn rows(model: &Model) -> Vec<(usize, Option<usize>)> {
    let of = |(at, flow): (usize, &crate::tui::lists::FlowLine)| {
        std::iter::once((at, None)).chain((0..flow.problems.len()).map(move |problem| (at, Some(problem))))
    };
    model.flows.iter().enumerate().flat_map(of).collect()
}

/// The flow that stands in a line of the pane.
pub fn row_at(model: &Model, room: usize, line: usize) -> Option<usize> {
    let rows = rows(model);
    let chosen = rows.iter().position(|row| *row == (model.flow_at.at, None)).unwrap_or(0);
    rows.get(scroll(chosen, rows.len(), room) + line).map(|(at, _)| *at)
}

/// Draws it.
pub fn view(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let about = position(model.flow_at.at, model.flows.len());
    let inside = framed(model, Pane::Flows, area, buf, "", Line::new().then(about, look.of(Slot::Dim)), Line::new());
    if model.flows.is_empty() {
        put(buf, row(inside, 0), "no flow in flows/", look.of(Slot::Dim));
        return;
    }
    let rows = rows(model);
    let chosen = rows.iter().position(|row| *row == (model.flow_at.at, None)).unwrap_or(0);
    let first = scroll(chosen, rows.len(), inside.height.into());
    for (place, (at, problem)) in rows.iter().skip(first).take(inside.height.into()).enumerate() {
        let area = row(inside, u16::try_from(place).unwrap_or(u16::MAX));
        let Some(flow) = model.flows.get(*at) else { continue };
        if let Some(problem) = problem.and_then(|problem| flow.problems.get(problem)) {
            let slot = if flow.broken { Slot::Error } else { Slot::Warning };
            put(
                buf,
                area,
                &format!("    {}", fitting(problem, usize::from(area.width).saturating_sub(4))),
                look.of(slot),
            );
            continue;
        }
        let is_chosen = flow.file == model.choice.flow;
        document(area, buf, look, &flow.file, is_chosen, &flow.about, flow.broken);
        if *at == model.flow_at.at {
            select(model, Pane::Flows, area, buf);
        }
    }
}

/// `▸ cpu_smoke.yaml   3 steps`: the pointer stands before what is chosen.
pub fn document(
    area: Rect,
    buf: &mut Buffer,
    look: &crate::tui::canvas::Look,
    file: &str,
    is_chosen: bool,
    about: &str,
    broken: bool,
) {
    let name = file.rsplit('/').next().unwrap_or(file);
    let about = if broken { "! errors" } else { about };
    // Of `4x3 = 12 pts` the sum is what counts where there is no room for all of it.
    let about = if area.width < 30 { about.rsplit("= ").next().unwrap_or(about) } else { about };
    let room = usize::from(area.width).saturating_sub(3);
    // What a name leaves over is for the figures; where it leaves nothing the name is all there is.
    let name = if room < name.len() + about.len() + 1 { name.trim_end_matches(".yaml") } else { name };
    Line::new()
        .then(format!("{} ", pointer(is_chosen, look)), look.of(Slot::Accent))
        .then(fitting(name, room), look.of(if broken { Slot::Error } else { Slot::Text }))
        .draw(area, buf);
    if room > name.len() + about.len() {
        crate::tui::canvas::put_right(
            buf,
            Rect { width: area.width.saturating_sub(1), ..area },
            about,
            look.of(if broken { Slot::Error } else { Slot::Dim }),
        );
    }
}

/// `2 of 5`.
pub fn position(at: usize, count: usize) -> String {
    if count == 0 { "0".to_owned() } else { format!("{} of {count}", at + 1) }
}
