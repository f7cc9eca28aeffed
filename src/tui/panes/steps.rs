//! Pane 5: the steps of the sub-run under the shmoo's cursor: what ended and how, what runs against its limit, what is
//! still to come. Rows are made from the plan as they are drawn: a sub-run may have thousands.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::evidence;
use crate::domain::progress::StepProgress;
use crate::domain::run_state::Execution;
use crate::domain::sanitize;
use crate::domain::shmoo::Cell;
use crate::domain::summary::short_name;
use crate::domain::theme::Slot;
use crate::domain::time::{short_clock as clock, span};
use crate::tui::actions::Pane;
use crate::tui::canvas::{Line, Look, bar, from, put, row, scroll};
use crate::tui::model::Model;
use crate::tui::panes::{framed, list};

/// Rows above the list: a heading where there is room.
const fn heading(width: u16, height: u16) -> u16 {
    if width >= 60 && height >= 4 { 1 } else { 0 }
}

/// Rows below the list: argv, environment and pid of the selected step.
const fn below(width: u16, height: u16) -> u16 {
    if width >= 60 && height >= 14 { 8 } else { 0 }
}

/// Puts the cursor on the step that was clicked.
pub fn click(model: &mut Model, area: Rect, y: u16) {
    let inside = (area.width.saturating_sub(2), area.height.saturating_sub(2));
    let above = heading(inside.0, inside.1);
    let room = inside.1.saturating_sub(above + below(inside.0, inside.1));
    let line = usize::from(y - area.top() - 1);
    if line < usize::from(above) || line >= usize::from(above + room) {
        return;
    }
    let steps = model.steps();
    let at = scroll(model.step_at.at, steps, room.into()) + line - usize::from(above);
    if at < steps {
        model.step_at.at = at;
        model.step_follows = false;
    }
}

/// Draws it.
pub fn view(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let steps = model.steps();
    let about = about(model);
    let right = if steps > 0 { format!("{} of {steps}", model.step_at.at + 1) } else { String::new() };
    let inside =
        framed(model, Pane::Steps, area, buf, &about, Line::new().then(right, look.of(Slot::Dim)), Line::new());
    if steps == 0 {
        put(buf, row(inside, 0), "nothing is chosen", look.of(Slot::Dim));
        return;
    }
    let wide = inside.width >= 60;
    let above = heading(inside.width, inside.height);
    if above > 0 {
        let head = format!("  {:>3}  {:<28} {:<11} {:>8}  {}", "#", "step", "verdict", "time", "ended");
        put(buf, row(inside, 0), &head, look.of(Slot::Dim));
    }
    let detail = below(inside.width, inside.height);
    let rows = Rect { y: inside.y + above, height: inside.height - above - detail, ..inside };
    let flight = model.live().and_then(|run| StepProgress::of(&run.state, model.now));
    let flying = flight.filter(|flight| Some(flight.sub_run) == model.sub_run());
    list(model, Pane::Steps, rows, buf, (model.step_at.at, steps), |at| line(model, at, wide));
    if let Some(flying) = flying {
        running(model, &flying, rows, buf, wide);
    }
    if detail > 0 {
        details(model, Rect { y: rows.bottom(), height: detail, ..inside }, buf);
    }
}

/// `s17  sim 3.0GHz 870mV`.
fn about(model: &Model) -> String {
    let (Some(plan), Some(index)) = (model.plan(), model.sub_run()) else { return String::new() };
    let point = plan.experiment.point(index).unwrap_or_default();
    format!("{} {}", short_name(plan.experiment.sub_runs(), index), point.shown())
}

fn execution(model: &Model, at: u32) -> Option<&Execution> {
    let executions = model.executions();
    let place = executions.binary_search_by_key(&at, |execution| execution.started.index).ok()?;
    executions.get(place)
}

fn line(model: &Model, at: usize, wide: bool) -> Line {
    let look = &model.look;
    let at = u32::try_from(at).unwrap_or(u32::MAX);
    let Some((step, combination, repetition)) = model.plan().and_then(|plan| plan.experiment.locate(at)) else {
        return Line::new();
    };
    let mut name = step.name.to_string();
    if !combination.key.is_empty() {
        name = format!("{name} {}", sanitize::escaped(&combination.key));
    }
    if step.repeat > 1 {
        name = format!("{name} {}/{}", repetition + 1, step.repeat);
    }
    let execution = execution(model, at);
    let finished = execution.and_then(|execution| execution.finished.as_ref());
    let cell = match (execution, finished) {
        (_, Some(finished)) => finished.verdict.into(),
        (Some(_), None) if model.live().is_some() => Cell::Running,
        (Some(_), None) => Cell::Aborted,
        (None, None) => Cell::Planned,
    };
    let word = match (cell, finished) {
        (_, Some(finished)) => finished.verdict.as_str(),
        (Cell::Running, _) => "running",
        (Cell::Aborted, _) => "cut off",
        _ => "queued",
    };
    let took = finished.and_then(|finished| finished.took_ms()).map(span).unwrap_or_default();
    let mut ended = execution.and_then(Execution::ended).unwrap_or_default();
    for effect in finished.iter().flat_map(|finished| &finished.effects) {
        ended = format!("{ended} {}", effect.as_str());
    }
    let style = look.palette.cell(cell);
    let line = Line::new().then(format!("{} ", cell.glyph()), style);
    let line = if wide {
        line.then(format!("{at:>3}  "), look.of(Slot::Dim))
            .then(format!("{:<28} ", crate::tui::canvas::fitting(&name, 28)), look.of(Slot::Text))
            .then(format!("{word:<11} "), style)
            .then(format!("{took:>8}  "), look.of(Slot::Text))
            .then(ended, look.of(Slot::Dim))
    } else {
        line.then(format!("{name:<16} "), look.of(Slot::Text))
            .then(format!("{took:>8}  "), look.of(Slot::Text))
            .then(ended, look.of(Slot::Dim))
    };
    let reason = finished.and_then(|finished| finished.reason.as_deref()).unwrap_or_default();
    line.then(format!("  {}", sanitize::line(reason)), look.of(Slot::Dim))
}

/// The bar of the step in flight: its usual time, else its limit.
fn running(model: &Model, flying: &StepProgress, rows: Rect, buf: &mut Buffer, wide: bool) {
    let look = &model.look;
    let first = scroll(model.step_at.at, model.steps(), rows.height.into());
    let Some(line) = (flying.execution as usize).checked_sub(first).filter(|line| *line < rows.height.into()) else {
        return;
    };
    let area = row(rows, u16::try_from(line).unwrap_or(u16::MAX));
    let column = if wide { 48 } else { 19 };
    let room = from(area, column);
    let against = match flying.usual_ms {
        Some(usual) => format!("{} of ~{}", clock(flying.elapsed_ms), clock(usual)),
        None => format!("{} of at most {}", clock(flying.elapsed_ms), clock(flying.limit_ms)),
    };
    let end = put(buf, room, &against, look.of(Slot::Text));
    let rest = Rect { x: end + 1, width: area.right().saturating_sub(end + 2), ..area };
    let rest = Rect { width: rest.width.min(24), ..rest };
    bar(buf, rest, flying.permille(), 1000, look);
}

/// Arguments, seed and process of the selected step.
fn details(model: &Model, area: Rect, buf: &mut Buffer) {
    let look = &model.look;
    let at = u32::try_from(model.step_at.at).unwrap_or(u32::MAX);
    let mut lines = vec![];
    if let Some(execution) = execution(model, at) {
        let started = &execution.started;
        let argv: Vec<_> = started.argv.iter().map(|word| sanitize::shell_word(word)).collect();
        lines.push(("argv", argv.join(" ")));
        lines.push(("env", format!("ROAD_RUNNER_STEP={} ROAD_RUNNER_SEED={}", started.step, started.seed)));
        let applied: Vec<String> =
            started.applied.iter().map(|(field, by)| format!("{field} {}", by.as_str())).collect();
        lines.push(("applied", if applied.is_empty() { "no rail is swept".to_owned() } else { applied.join(", ") }));
        let pid =
            execution.spawned.as_ref().map_or_else(|| "not spawned".to_owned(), |spawned| spawned.pid.to_string());
        lines.push(("pid", pid));
        if let Some(finished) = &execution.finished {
            let metrics: Vec<String> = finished
                .metrics
                .iter()
                .map(|(name, metric)| {
                    format!(
                        "{name} {}{}",
                        metric.value,
                        metric.unit.as_deref().map(|u| format!(" {u}")).unwrap_or_default()
                    )
                })
                .collect();
            if !metrics.is_empty() {
                lines.push(("metrics", metrics.join(", ")));
            }
            let news = evidence::news(&finished.observed);
            if !news.is_empty() {
                lines.push(("hardware", news.join(", ")));
            }
            if let Some(reason) = &finished.reason {
                lines.push(("reason", reason.clone()));
            }
        }
    } else if let (Some(plan), Some(index)) = (model.plan(), model.sub_run())
        && let Some(sub_run) = plan.experiment.sub_run(index)
        && let Some(Ok(step)) = plan.experiment.step(&sub_run, at, plan.unit_text())
    {
        let argv: Vec<_> = step.argv.iter().map(|word| sanitize::shell_word(word)).collect();
        lines.push(("argv", format!("{} {}", step.template.adapter, argv.join(" "))));
        lines.push(("seed", step.seed.to_string()));
        lines.push(("limit", span(step.template.timeout_ms.0)));
    }
    for (at, (label, text)) in lines.iter().take(usize::from(area.height.saturating_sub(1))).enumerate() {
        let area = row(area, u16::try_from(at + 1).unwrap_or(u16::MAX));
        labelled(label, &sanitize::line(text), area, buf, look);
    }
}

fn labelled(label: &str, text: &str, area: Rect, buf: &mut Buffer, look: &Look) {
    Line::new()
        .then(format!("{label:<9}"), look.of(Slot::Dim))
        .then(text.to_owned(), look.of(Slot::Text))
        .draw(area, buf);
}
