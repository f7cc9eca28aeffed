//! The line at the top: whose host, which policy, unit and seed, and how far the run is. Where there is little room the
//! run comes first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::progress::Remaining;
use crate::domain::sanitize;
use crate::domain::shmoo::Cell;
use crate::domain::theme::Slot;
use crate::tui::canvas::{Line, paint};
use crate::tui::model::{Model, Subject};
use crate::tui::panes::steps::clock;

/// Draws it.
pub fn view(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    paint(buf, area, look.of(Slot::Header));
    let base = look.of(Slot::Header);
    let mut run = Line::new();
    if let Subject::Run(open) = &model.subject {
        let state = &open.state;
        let remaining = Remaining::of(state, model.now);
        let short = state.header.run_id.rsplit('-').next().unwrap_or_default();
        let word = if open.live { "RUN" } else { "past run" };
        run.push(format!("{word} {short} {}/{} ", state.finished_sub_runs(), state.sub_runs.len()), base);
        for (cell, count) in &model.board.counts {
            if !matches!(cell, Cell::Pass | Cell::Planned | Cell::Running) {
                run.push(format!("{}{count} ", cell.glyph()), base.patch(look.palette.cell(*cell)));
            }
        }
        run.push(clock(remaining.elapsed_ms), base);
        if let Some(left) = remaining.left_ms.filter(|_| open.live) {
            run.push(format!(" ~{}", clock(left)), base);
        }
    } else if model.pending.is_some() {
        run.push("expanding", base.patch(look.of(Slot::Accent)));
    } else if model.previewed().is_some() {
        run.push("preview", base);
    }
    let mut about = vec![];
    let unit = match &model.subject {
        Subject::Run(open) => open.state.plan.unit.clone(),
        _ => model.choice.unit.clone(),
    };
    if let Some(plan) = model.plan() {
        let profiles: Vec<&str> = plan.experiment.profiles.iter().map(crate::domain::name::Name::as_str).collect();
        let policy = if profiles.is_empty() { plan.experiment.policy.as_str().to_owned() } else { profiles.join("+") };
        about.push(format!("policy {policy}"));
    }
    about.push(unit.map_or_else(|| "no unit".to_owned(), |unit| sanitize::escaped(&unit).into_owned()));
    if let Some(plan) = model.plan() {
        about.push(format!("seed {}", plan.experiment.global_seed));
    }
    if !model.around.host.is_empty() {
        about.insert(0, sanitize::escaped(&model.around.host).into_owned());
    }
    let room = usize::from(area.width).saturating_sub(run.width() + 16);
    let mut line = Line::new();
    if area.width >= 60 {
        line.push("road_runner  ", base.patch(look.of(Slot::Strong)));
    }
    // What does not fit is left out from the end, whole.
    while about.join("  ").len() > room && !about.is_empty() {
        about.pop();
    }
    if !about.is_empty() {
        line.push(format!("{}  ", about.join("  ")), base.patch(look.of(Slot::Dim)));
    }
    line.inks.extend(run.inks);
    line.draw(area, buf);
}
