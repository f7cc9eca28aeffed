//! Whether an action can act here and now, and why not. Footer, help, palette and keys ask the same function.

use crate::domain::event::RunStatus;
use crate::domain::verdict::Verdict;
use crate::tui::actions::{Action, Pane};
use crate::tui::model::{Model, Subject};

/// Why an action cannot act now; none where it can.
pub fn refusal(model: &Model, action: Action) -> Option<String> {
    let because = |is_so: bool, why: &str| is_so.then(|| why.to_owned());
    if action.row().places & model.focus.place() == 0 {
        return Some(format!("{} works in {}", action.row().name, places(action)));
    }
    match action {
        Action::Telemetry => {
            because(model.size.0 < 40 || model.size.1 < 10, "the screen is too small for the telemetry")
        }
        Action::Open => match model.focus {
            Pane::Flows => chosen(model.flows.get(model.flow_at.at).map(|flow| flow.broken), "flow"),
            Pane::Margins => chosen(model.margins.get(model.margin_at.at).map(|margin| margin.broken), "margin"),
            Pane::Runs => because(model.selected_run().is_none(), "there is no run here: S starts one"),
            Pane::Steps => because(model.executions().is_empty(), "nothing has been executed here"),
            _ => because(model.plan().is_none(), "there is nothing to look at: choose a flow and a margin"),
        },
        Action::Start => start(model),
        Action::Plan | Action::DryRun => preview(model),
        Action::Edit => match model.focus {
            Pane::Flows => because(model.flows.is_empty(), "there is no flow"),
            _ => because(model.margins.is_empty(), "there is no margin"),
        },
        Action::Rerun => match model.selected_run() {
            None => Some("there is no run here".to_owned()),
            Some(run) if run.error.is_some() => Some("its record cannot be read".to_owned()),
            Some(_) => model.live().map(|_| "a run is going on: x stops it".to_owned()),
        },
        Action::RerunFailed => rerun_failed(model),
        Action::Resume => match model.selected_run().map(|run| run.status) {
            Some(Some(RunStatus::Interrupted)) => model.live().map(|_| "a run is going on: x stops it".to_owned()),
            _ => Some("only an interrupted run can be resumed".to_owned()),
        },
        Action::Compare => {
            let marked = model.run_marks.iter().any(|id| model.selected_run().is_none_or(|run| run.id != *id));
            let open = model
                .run()
                .is_some_and(|open| model.selected_run().is_none_or(|run| run.id != open.state.header.run_id));
            because(model.selected_run().is_none() || !(marked || open), "mark another run with Space, or open one")
        }
        Action::Report | Action::Export => match model.run_in_question() {
            None => Some("open a run first".to_owned()),
            Some(_) => None,
        },
        Action::NextHit | Action::PreviousHit if model.focus != Pane::Log => {
            because(model.find.is_empty(), "nothing was searched for: / does")
        }
        Action::Mark | Action::Range if model.focus == Pane::Runs => {
            because(model.selected_run().is_none(), "there is no run here")
        }
        Action::Mark | Action::Range => because(model.run().is_none(), "cells are marked in a run"),
        Action::NextFailure | Action::PreviousFailure => because(model.board.grid.is_none(), "there is no grid here"),
        Action::NextSlice | Action::PreviousSlice | Action::Aggregate => {
            let slices = model.plan().zip(model.board.view).map_or(1, |(plan, view)| view.slices(&plan.experiment));
            because(slices < 2, "no axis is hidden here")
        }
        Action::Axes => {
            let axes = model.plan().map_or(0, |plan| plan.experiment.axes.len());
            because(axes < 2, "there are not two axes to choose from")
        }
        Action::Follow if model.focus != Pane::Log => because(model.live().is_none(), "nothing is going on here"),
        Action::Yank => because(yanked(model).is_none(), "there is nothing here to copy"),
        Action::Stop => because(model.live().is_none() && live_elsewhere(model).is_none(), "no run is going on"),
        Action::CopyCommand => because(matches!(model.subject, Subject::Nothing), "nothing is on screen yet"),
        _ => None,
    }
}

/// The keys of panes in which it works, in words.
fn places(action: Action) -> String {
    let names: Vec<&str> =
        Pane::ALL.into_iter().filter(|pane| action.row().places & pane.place() != 0).map(Pane::title).collect();
    names.join(", ")
}

fn chosen(broken: Option<bool>, what: &str) -> Option<String> {
    match broken {
        None => Some(format!("there is no {what} here")),
        Some(true) => Some(format!("this {what} has errors: e opens it")),
        Some(false) => None,
    }
}

fn preview(model: &Model) -> Option<String> {
    match model.previewed() {
        _ if model.choice.flow.is_empty() || model.choice.margin.is_empty() => {
            Some("choose a flow and a margin first: Enter".to_owned())
        }
        Some(previewed) => {
            previewed.preview.refusal.as_ref().map(|_| "the plan cannot be started: S says why".to_owned())
        }
        None if model.pending.is_some() => Some("the plan is being expanded".to_owned()),
        None => Some("a run is open: S or Enter previews what is chosen".to_owned()),
    }
}

fn start(model: &Model) -> Option<String> {
    if let Some((_, what)) = model.waiting {
        return Some(format!("{what} already"));
    }
    if model.live().is_some() {
        return Some("a run is going on: x stops it".to_owned());
    }
    // What is chosen is shown before it is started, where a run has taken its place.
    if model.run().is_some() && !model.choice.flow.is_empty() && !model.choice.margin.is_empty() {
        return None;
    }
    // A refusal is opened as a dialog, so that it says which value, which bound, which file and line.
    preview(model).filter(|_| model.previewed().is_none_or(|previewed| previewed.preview.refusal.is_none()))
}

fn rerun_failed(model: &Model) -> Option<String> {
    if model.live().is_some() {
        return Some("a run is going on: x stops it".to_owned());
    }
    if model.focus == Pane::Runs {
        return match model.selected_run() {
            None => Some("there is no run here".to_owned()),
            Some(run) if run.has_failures || is_open_with_marks(model, &run.id) => None,
            Some(_) => Some("nothing in it failed, timed out, was inconclusive or in error".to_owned()),
        };
    }
    match model.run() {
        None => Some("open a run first".to_owned()),
        Some(run) => {
            let fails = run.state.sub_runs.iter().any(|sub_run| sub_run.verdict.is_some_and(Verdict::is_run_again));
            (!fails && model.board.marks.is_empty())
                .then(|| "nothing failed, timed out, was inconclusive or in error, and nothing is marked".to_owned())
        }
    }
}

fn is_open_with_marks(model: &Model, id: &str) -> bool {
    !model.board.marks.is_empty() && model.run().is_some_and(|run| run.state.header.run_id == id)
}

/// A run that somebody runs and that is not open.
pub fn live_elsewhere(model: &Model) -> Option<String> {
    model.runs.iter().find(|run| run.is_live()).map(|run| run.id.clone())
}

/// What `y` copies.
pub fn yanked(model: &Model) -> Option<String> {
    match model.focus {
        Pane::Flows => model.flows.get(model.flow_at.at).map(|flow| flow.path.display().to_string()),
        Pane::Margins => model.margins.get(model.margin_at.at).map(|margin| margin.path.display().to_string()),
        Pane::Runs => model.selected_run().map(|run| run.path.display().to_string()),
        Pane::Log => model.log.yank(),
        Pane::Shmoo | Pane::Steps | Pane::Telemetry => model.run().map(|run| run.dir.root().display().to_string()),
    }
}
