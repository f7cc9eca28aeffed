//! The line at the top: whose host, which policy, unit and seed, and how far the run is. Where there is little room the
//! run comes first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::progress::Remaining;
use crate::domain::sanitize;
use crate::domain::shmoo::Cell;
use crate::domain::theme::Slot;
use crate::domain::time::short_clock as clock;
use crate::tui::canvas::{Line, paint};
use crate::tui::model::{Model, Subject};

/// A stroke that turns once a second while something goes on; none where nothing may move.
fn turning(model: &Model) -> &'static str {
    const STROKES: [&str; 4] = ["| ", "/ ", "- ", "\\ "];
    let second = usize::try_from(model.now.millis().rem_euclid(4000) / 1000).unwrap_or(0);
    if model.look.motion { STROKES.get(second).copied().unwrap_or_default() } else { "" }
}

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
        if open.live {
            run.push(turning(model), base.patch(look.of(Slot::Accent)));
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::tui::testing::live;

    #[test]
    fn what_may_turn_turns_and_without_motion_nothing_does() {
        let mut model = live((80, 24));
        let mut seen = |motion: bool| -> Vec<&str> {
            model.look.motion = motion;
            let at = |second: i64| Timestamp::from_millis(second * 1000).unwrap();
            (0..5)
                .map(|second| {
                    model.now = at(second);
                    turning(&model)
                })
                .collect()
        };
        assert_eq!(seen(true), ["| ", "/ ", "- ", "\\ ", "| "]);
        assert_eq!(seen(false), [""; 5]);
    }
}
