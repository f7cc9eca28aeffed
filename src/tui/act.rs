//! What each action changes. Called only where the action may act; pure like all of `update`.

use crate::commands::launch::What;
use crate::commands::runs::How;
use crate::tui::actions::{Action, Pane};
use crate::tui::board::Move;
use crate::tui::dialogs::{self, Dialog};
use crate::tui::message::{Choice, Effect, Exit, Order};
use crate::tui::model::{Asks, Model, Tone};
use crate::tui::panes::log::LogAct;
use crate::tui::{available, command_line, keys, selection, update};

/// Does an action.
pub fn act(model: &mut Model, action: Action) -> Vec<Effect> {
    model.dirty = true;
    if let Some(pane) = action.pane() {
        model.focus = pane;
        return vec![];
    }
    match action {
        Action::NextPane => turn(model, true),
        Action::PreviousPane => turn(model, false),
        Action::Down
        | Action::Up
        | Action::Left
        | Action::Right
        | Action::First
        | Action::Last
        | Action::PageDown
        | Action::PageUp => return motion(model, action),
        Action::Open => return opened(model),
        Action::Start => return start(model),
        Action::Unit => model.dialog = Some(dialogs::unit::open(model)),
        Action::Plan => return with_choice(model, Effect::WritePlan),
        Action::DryRun => return with_choice(model, |choice| Effect::DryRun(Box::new(choice))),
        Action::Edit => return edit(model),
        Action::Rerun => {
            return propose_selected(model, |run| What::Stored { run, failed: false, sub_runs: None });
        }
        Action::RerunFailed => return rerun_failed(model),
        Action::Resume => return propose_selected(model, |run| What::Interrupted { run }),
        Action::Compare => return compare(model),
        Action::Report => return model.run_in_question().map(Effect::Report).into_iter().collect(),
        Action::Export => return model.run_in_question().map(Effect::Export).into_iter().collect(),
        Action::Search => {
            let asks = match model.focus {
                Pane::Runs => Asks::Runs,
                Pane::Log => Asks::Log,
                pane => Asks::Find(pane),
            };
            keys::ask_for(model, asks);
        }
        Action::NextHit | Action::PreviousHit => return hit(model, action == Action::NextHit),
        Action::Mark => mark(model),
        Action::Range => range(model),
        Action::NextFailure | Action::PreviousFailure => {
            if !model.board.failure(action == Action::NextFailure) {
                model.say(Tone::Good, "every cell that was measured is a pass");
            }
            model.step_follows = true;
        }
        Action::NextSlice | Action::PreviousSlice => slice(model, action == Action::NextSlice),
        Action::Axes => model.dialog = dialogs::axes::open(model),
        Action::Aggregate => {
            if let Some(plan) = model.plan().cloned() {
                model.board.aggregate(&plan.experiment);
                model.stale = true;
            }
        }
        Action::Follow => return follow(model),
        Action::Wrap => return log(model, LogAct::Wrap),
        Action::Time => return log(model, LogAct::Time),
        Action::Streams => return log(model, LogAct::Streams),
        Action::Filter => keys::ask_for(model, Asks::LogFilter),
        Action::NextStderr => return log(model, LogAct::NextStderr),
        Action::PreviousStderr => return log(model, LogAct::PreviousStderr),
        Action::Yank => {
            if let Some(text) = available::yanked(model) {
                let lines = text.lines().count();
                let shown = crate::domain::sanitize::escaped(text.lines().next().unwrap_or_default()).into_owned();
                let said = if lines == 1 { format!("copied {shown}") } else { format!("copied {lines} lines") };
                model.say(Tone::Good, said);
                return vec![Effect::Yank(text)];
            }
        }
        Action::CopyCommand => {
            let command = command_line::of(model);
            model.say(Tone::Good, format!("copied {command}"));
            return vec![Effect::Yank(command)];
        }
        Action::Stop => return stop(model),
        Action::Zoom => model.zoom = !model.zoom,
        Action::Palette => model.dialog = Some(dialogs::find::palette()),
        Action::Help => model.dialog = Some(dialogs::find::help()),
        Action::Theme => {
            model.dialog = Some(dialogs::theme::open(model));
        }
        Action::Back => back(model),
        Action::Redraw => return vec![Effect::Redraw],
        Action::Suspend => return vec![Effect::Suspend],
        Action::Mouse => {
            model.mouse = !model.mouse;
            model.say(Tone::Good, if model.mouse { "the mouse is ours" } else { "the mouse is the terminal's" });
            return vec![Effect::Mouse(model.mouse)];
        }
        Action::Quit => match model.live() {
            Some(_) => model.dialog = Some(dialogs::leave::open(model)),
            None => model.exit = Some(Exit::Left),
        },
        // Panes are gone to above; `available` lets nobody resume.
        _ => {}
    }
    vec![]
}

fn turn(model: &mut Model, forward: bool) {
    let layout = model.layout();
    let shown: Vec<Pane> = match layout.bar {
        Some(_) => Pane::ALL.to_vec(),
        None if model.zoom => Pane::ALL.to_vec(),
        None => Pane::ALL.into_iter().filter(|pane| layout.pane(*pane).is_some()).collect(),
    };
    let count = shown.len().max(1);
    let at = shown.iter().position(|pane| *pane == model.focus).unwrap_or(0);
    let next = if forward { (at + 1) % count } else { (at + count - 1) % count };
    model.focus = shown.get(next).copied().unwrap_or(model.focus);
}

fn motion(model: &mut Model, action: Action) -> Vec<Effect> {
    let half = model.layout().pane(model.focus).map_or(5, |area| isize::from(area.height.cast_signed()) / 2).max(1);
    let by = match action {
        Action::Down => 1,
        Action::Up => -1,
        Action::PageDown => half,
        Action::PageUp => -half,
        Action::First => isize::MIN,
        _ => isize::MAX,
    };
    match model.focus {
        Pane::Flows => model.flow_at.go(by, model.flows.len()),
        Pane::Margins => model.margin_at.go(by, model.margins.len()),
        Pane::Runs => model.run_at.go(by, model.shown_runs.len()),
        Pane::Steps => {
            let steps = model.steps();
            model.step_follows = false;
            model.step_at.go(by, steps);
        }
        Pane::Shmoo => {
            model.board.go(match action {
                Action::Down => Move::Down,
                Action::Up => Move::Up,
                Action::Left => Move::Left,
                Action::Right => Move::Right,
                Action::First => Move::First,
                Action::Last => Move::Last,
                Action::PageDown => Move::PageDown,
                _ => Move::PageUp,
            });
            model.step_follows = true;
        }
        Pane::Log => {
            return log(
                model,
                match action {
                    Action::Down => LogAct::Down(1),
                    Action::Up => LogAct::Up(1),
                    Action::Left => LogAct::Left(8),
                    Action::Right => LogAct::Right(8),
                    Action::First => LogAct::Top,
                    Action::Last => LogAct::Bottom,
                    Action::PageDown => LogAct::PageDown,
                    _ => LogAct::PageUp,
                },
            );
        }
        Pane::Telemetry => {}
    }
    vec![]
}

fn log(model: &mut Model, act: LogAct) -> Vec<Effect> {
    model.log.act(act).into_iter().map(Effect::Log).collect()
}

fn opened(model: &mut Model) -> Vec<Effect> {
    match model.focus {
        Pane::Flows => {
            if let Some(flow) = model.flows.get(model.flow_at.at) {
                model.choice = Choice { flow: flow.file.clone(), seed: None, ..model.choice.clone() };
            }
            update::preview(model)
        }
        Pane::Margins => {
            if let Some(margin) = model.margins.get(model.margin_at.at) {
                model.choice = Choice { margin: margin.file.clone(), seed: None, ..model.choice.clone() };
            }
            update::preview(model)
        }
        Pane::Runs => match model.selected_run().map(|run| run.id.clone()) {
            Some(id) => open(model, id),
            None => vec![],
        },
        Pane::Steps => {
            model.focus = Pane::Log;
            vec![]
        }
        _ => {
            model.focus = Pane::Steps;
            vec![]
        }
    }
}

/// Opens a run.
pub fn open(model: &mut Model, id: String) -> Vec<Effect> {
    let ticket = model.ticket();
    model.pending = Some(ticket);
    vec![Effect::Open(ticket, id)]
}

fn with_choice(model: &mut Model, effect: impl FnOnce(Choice) -> Effect) -> Vec<Effect> {
    model.previewed().map(|previewed| previewed.choice.clone()).map(effect).into_iter().collect()
}

fn start(model: &mut Model) -> Vec<Effect> {
    let Some(previewed) = model.previewed() else {
        model.say(Tone::Good, "this is what S starts: once more asks for the limits");
        return update::preview(model);
    };
    if let Some(refusal) = &previewed.preview.refusal {
        let refused = crate::tui::refused::of(refusal);
        model.dialog = Some(dialogs::text::refused(&refused));
        return vec![];
    }
    let Choice { flow, margin, seed, .. } = previewed.choice.clone();
    let Some(seed) = seed else { return vec![] };
    propose(model, What::Fresh { flow, margin, seed })
}

fn propose(model: &mut Model, what: What) -> Vec<Effect> {
    let ticket = model.ticket();
    model.waiting = Some((ticket, "looking at the limits"));
    // A stored plan keeps the unit that it has: what was named for another sweep is not put in its place.
    let has_own = match &what {
        What::Interrupted { .. } => true,
        What::Stored { run, .. } => model.runs.iter().any(|line| line.id == *run && line.unit.is_some()),
        What::Fresh { .. } => false,
    };
    let unit = model.choice.unit.clone().filter(|_| !has_own);
    vec![Effect::Propose(ticket, Order { what, unit, max_fail: None, allow_concurrent: false })]
}

/// Proposes something with the selected run, if one is.
fn propose_selected(model: &mut Model, what: impl FnOnce(String) -> What) -> Vec<Effect> {
    let selected = model.selected_run().map(|run| run.id.clone());
    selected.map_or_else(Vec::new, |run| propose(model, what(run)))
}

fn rerun_failed(model: &mut Model) -> Vec<Effect> {
    let Some(run) = model.run_in_question() else { return vec![] };
    let is_open = model.run().is_some_and(|open| open.state.header.run_id == run);
    let marks: Vec<String> = model.board.marks.iter().map(|index| format!("s{index:02}")).collect();
    let what = if is_open && !marks.is_empty() {
        What::Stored { run, failed: false, sub_runs: Some(marks.join(",")) }
    } else {
        What::Stored { run, failed: true, sub_runs: None }
    };
    propose(model, what)
}

fn edit(model: &mut Model) -> Vec<Effect> {
    let path = match model.focus {
        Pane::Flows => model.flows.get(model.flow_at.at).map(|flow| flow.path.clone()),
        _ => model.margins.get(model.margin_at.at).map(|margin| margin.path.clone()),
    };
    path.map(Effect::Edit).into_iter().collect()
}

fn compare(model: &mut Model) -> Vec<Effect> {
    let Some(selected) = model.selected_run().map(|run| run.id.clone()) else { return vec![] };
    let marked = model.run_marks.iter().find(|id| **id != selected).cloned();
    let other = marked.or_else(|| model.run().map(|run| run.state.header.run_id.clone()));
    other.map(|other| Effect::Compare(other, selected)).into_iter().collect()
}

fn hit(model: &mut Model, forward: bool) -> Vec<Effect> {
    if model.focus == Pane::Log {
        return log(model, if forward { LogAct::NextHit } else { LogAct::PreviousHit });
    }
    let pane = model.focus;
    if !selection::find(model, pane, forward, false) {
        let wanted = crate::domain::sanitize::escaped(&model.find).into_owned();
        model.say(Tone::Warning, format!("`{wanted}` is not here"));
    }
    vec![]
}

fn mark(model: &mut Model) {
    if model.focus == Pane::Shmoo {
        model.board.mark();
    } else if let Some(id) = model.selected_run().map(|run| run.id.clone())
        && !model.run_marks.remove(&id)
    {
        model.run_marks.insert(id);
    }
}

fn range(model: &mut Model) {
    if model.focus == Pane::Shmoo {
        model.board.mark_range();
        return;
    }
    match model.run_range.take() {
        None => model.run_range = Some(model.run_at.at),
        Some(from) => {
            let to = model.run_at.at;
            for place in from.min(to)..=from.max(to) {
                if let Some(run) = model.shown_runs.get(place).and_then(|at| model.runs.get(*at)) {
                    model.run_marks.insert(run.id.clone());
                }
            }
        }
    }
}

fn slice(model: &mut Model, forward: bool) {
    if let Some(plan) = model.plan().cloned() {
        model.board.slice(&plan.experiment, forward);
        model.stale = true;
    }
}

fn follow(model: &mut Model) -> Vec<Effect> {
    if model.focus == Pane::Log {
        return log(model, LogAct::Follow);
    }
    model.board.following = true;
    model.step_follows = true;
    model.stale = true;
    vec![]
}

/// Stops the open run if it is live; with none open, the one that is going on is opened first.
fn stop(model: &mut Model) -> Vec<Effect> {
    if let Some(run) = model.live() {
        let id = run.state.header.run_id.clone();
        let cancelled = run.state.cancel.is_some();
        model.dialog = Some(Dialog::Stop(dialogs::stop::Stop::new(id, cancelled)));
        return vec![];
    }
    match available::live_elsewhere(model) {
        Some(id) => {
            model.say(Tone::Warning, "this is the run that is going on: once more to stop it");
            open(model, id)
        }
        None => vec![],
    }
}

/// Stops a run in one of the ways.
pub fn stop_run(model: &mut Model, id: String, how: How) -> Vec<Effect> {
    model.say(
        Tone::Warning,
        match how {
            How::AfterStep => "asked to stop after this step",
            How::Now => "asked to stop now",
            How::Kill => "asked to kill",
        },
    );
    vec![Effect::Stop(id, how)]
}

/// One level up: a sequence of keys, a range, a zoom, a filter, marks; never out.
fn back(model: &mut Model) {
    if model.run_range.is_some() || model.board.range.is_some() {
        (model.run_range, model.board.range) = (None, None);
    } else if model.zoom {
        model.zoom = false;
    } else if model.focus == Pane::Runs && !model.run_filter.is_empty() {
        let selected = model.selected_run().map(|run| run.id.clone());
        model.run_filter.clear();
        update::filter_runs(model, selected.as_deref());
    } else if model.focus == Pane::Runs && !model.run_marks.is_empty() {
        model.run_marks.clear();
    } else if model.focus == Pane::Shmoo && !model.board.marks.is_empty() {
        model.board.marks.clear();
    } else if matches!(model.focus, Pane::Log) {
        model.focus = Pane::Steps;
    } else if matches!(model.focus, Pane::Steps) {
        model.focus = Pane::Shmoo;
    }
}
