//! What the cursors select, and what follows from it: which steps, which log, which rows. Pure.

use ratatui::layout::Rect;

use crate::commands::run_filter::RunFilter;
use crate::domain::run_state::Execution;
use crate::store::layout::ExecutionName;
use crate::store::log_reader::LogFiles;
use crate::tui::actions::Pane;
use crate::tui::canvas::scroll;
use crate::tui::lists::RunLine;
use crate::tui::message::Effect;
use crate::tui::model::{Model, Subject};
use crate::tui::panes;

/// Reads what is looked at and is not at hand, and has the log show the execution that is selected.
pub fn settle(model: &mut Model, effects: &mut Vec<Effect>) {
    read_sub_run(model, effects);
    follow_step(model);
    show_log(model, effects);
    drift(model, effects);
}

/// The steps of an ended sub-run are read when somebody looks at them.
fn read_sub_run(model: &mut Model, effects: &mut Vec<Effect>) {
    let Some(index) = model.sub_run() else { return };
    let Subject::Run(run) = &mut model.subject else { return };
    let Some(sub_run) = run.state.sub_runs.get(index as usize) else { return };
    let at_hand = !sub_run.executions.is_empty() || run.read.as_ref().is_some_and(|(read, _)| *read == index);
    if at_hand || sub_run.started_at.is_none() || run.reading == Some(index) {
        return;
    }
    run.reading = Some(index);
    let (dir, plan) = (std::sync::Arc::clone(&run.dir), std::sync::Arc::clone(&run.state.plan));
    effects.push(Effect::ReadSubRun(run.ticket, dir, Box::new(run.state.header.clone()), plan, index));
}

/// The cursor of the steps goes with the run until it is moved.
fn follow_step(model: &mut Model) {
    let steps = model.steps();
    if model.step_follows {
        let executions = model.executions();
        let in_flight = executions.iter().rfind(|execution| execution.finished.is_none());
        let worst =
            || executions.iter().max_by_key(|e| e.finished.as_ref().map(|f| (f.verdict, std::cmp::Reverse(f.index))));
        let chosen = match model.live() {
            Some(_) => in_flight.or(executions.last()),
            // Of what is past the first of the gravest is what is looked for.
            None => worst(),
        };
        model.step_at.at = chosen.map_or(0, |execution| execution.started.index as usize);
    }
    model.step_at.go(0, steps);
}

/// The execution under the cursor of the steps, if it has begun.
pub fn execution(model: &Model) -> Option<&Execution> {
    let at = u32::try_from(model.step_at.at).ok()?;
    model.executions().iter().find(|execution| execution.started.index == at)
}

fn show_log(model: &mut Model, effects: &mut Vec<Effect>) {
    let shown = execution(model).map(|execution| (execution.started.index, execution.finished.is_none()));
    let key = model.sub_run().zip(shown).map(|(sub_run, (index, flying))| (sub_run, index, flying));
    if key == model.log_of {
        return;
    }
    model.log_of = key;
    let what = execution(model).and_then(|execution| {
        let run = model.run()?;
        let (sub_run, _, live) = key?;
        let count = run.state.plan.experiment.executions();
        let short = crate::domain::summary::short_name(run.state.plan.experiment.sub_runs(), sub_run);
        let id = run.state.header.sub_run_id(run.state.plan.experiment.sub_runs(), sub_run);
        let dir = run.dir.subrun(&id).ok()?;
        let name = ExecutionName::new(execution.started.index, count, execution.started.step.as_str());
        let files = LogFiles {
            stdout: dir.stdout(&name),
            stderr: dir.stderr(&name),
            index: dir.logs_index(),
            execution: execution.started.index,
        };
        Some((format!("{short}/{}", name.as_str()), files, live && run.live))
    });
    // The same execution, over now, keeps its place.
    effects.extend(model.log.show(what).into_iter().map(Effect::Log));
}

/// What has changed since the selected run is looked up when somebody stands on it.
fn drift(model: &mut Model, effects: &mut Vec<Effect>) {
    if model.focus != Pane::Runs {
        return;
    }
    let Some(run) = model.selected_run().filter(|run| run.error.is_none()) else { return };
    if model.drift.as_ref().is_some_and(|(id, _)| *id == run.id) {
        return;
    }
    let id = run.id.clone();
    model.drift = Some((id.clone(), vec![]));
    effects.push(Effect::Drift(id));
}

/// The runs that a filter lets through. One that cannot be read yet lets all through.
pub fn filtered(runs: &[RunLine], filter: &str) -> Vec<usize> {
    let parsed = RunFilter::parse(filter).ok();
    let lets = |run: &RunLine| parsed.as_ref().is_none_or(|filter| filter.matches(&run.entry));
    runs.iter().enumerate().filter(|(_, run)| lets(run)).map(|(at, _)| at).collect()
}

/// Goes to the next row of a list that has what is looked for; with `here` the row of the cursor counts as well.
pub fn find(model: &mut Model, pane: Pane, forward: bool, here: bool) -> bool {
    let wanted = model.find.to_lowercase();
    if wanted.is_empty() {
        return false;
    }
    let has = |text: &str| text.to_lowercase().contains(&wanted);
    let rows: Vec<bool> = match pane {
        Pane::Flows => model.flows.iter().map(|flow| has(&flow.file) || has(&flow.name)).collect(),
        Pane::Margins => model.margins.iter().map(|margin| has(&margin.file) || has(&margin.name)).collect(),
        Pane::Steps => {
            let Some(plan) = model.plan() else { return false };
            (0..plan.experiment.executions())
                .map(|at| plan.experiment.locate(at))
                .map(|found| {
                    found.is_some_and(|(step, combination, _)| {
                        has(step.name.as_str()) || has(step.adapter.as_str()) || has(&combination.key)
                    })
                })
                .collect()
        }
        _ => return false,
    };
    let cursor = match pane {
        Pane::Flows => &mut model.flow_at,
        Pane::Margins => &mut model.margin_at,
        _ => {
            model.step_follows = false;
            &mut model.step_at
        }
    };
    let is_wanted = |row: usize| rows.get(row).copied().unwrap_or(false);
    (here && is_wanted(cursor.at)) || cursor.find(rows.len(), forward, is_wanted)
}

/// Puts the cursor of a pane on what was clicked.
pub fn click(model: &mut Model, pane: Pane, area: Rect, column: u16, row: u16) {
    if row <= area.top() || row + 1 >= area.bottom() || column <= area.left() || column + 1 >= area.right() {
        return;
    }
    let line = usize::from(row - area.top() - 1);
    let room = usize::from(area.height.saturating_sub(2));
    let at = |cursor: usize, count: usize| scroll(cursor, count, room) + line;
    match pane {
        Pane::Flows => {
            if let Some(row) = panes::flows::row_at(model, room, line) {
                model.flow_at.at = row;
            }
        }
        Pane::Margins => {
            if let Some(row) = panes::margins::row_at(model, room, line) {
                model.margin_at.at = row;
            }
        }
        Pane::Runs => {
            let row = at(model.run_at.at, model.shown_runs.len());
            if row < model.shown_runs.len() && line < panes::runs::rows(model, room) {
                model.run_at.at = row;
            }
        }
        Pane::Shmoo => panes::shmoo::click(model, area, column, row),
        Pane::Steps => panes::steps::click(model, area, row),
        Pane::Log | Pane::Telemetry => {}
    }
}
