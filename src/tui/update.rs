//! `update(&mut Model, Msg) -> Vec<Effect>`: what each message changes. Pure: no clock, no file, no terminal.

use crate::domain::event::RunEvent;
use crate::domain::time::Timestamp;
use crate::tui::act;
use crate::tui::actions::{Action, Pane, TABLE};
use crate::tui::available;
use crate::tui::board::Board;
use crate::tui::dialogs::{self, Dialog};
use crate::tui::keys;
use crate::tui::message::{Choice, Effect, Exit, Msg, Opened, Sampling, Ticket, Workspace};
use crate::tui::model::{Model, Previewed, Subject, Tone};
use crate::tui::palette::Palette;
use crate::tui::selection;

/// Takes in one message at a moment.
#[expect(clippy::too_many_lines, reason = "a table: an arm a message, most of them one line")]
pub fn update(model: &mut Model, msg: Msg, now: Timestamp) -> Vec<Effect> {
    model.now = now;
    let mut effects = match msg {
        Msg::Key(chord) => {
            model.urgent = true;
            keys::key(model, chord)
        }
        Msg::Paste(text) => keys::paste(model, &text),
        Msg::Click { column, row } => click(model, column, row),
        Msg::Wheel { column, row, lines } => wheel(model, column, row, lines),
        Msg::Resize(width, height) => {
            model.size = (width, height);
            model.dirty = true;
            model.urgent = true;
            vec![]
        }
        Msg::Tick => {
            model.dirty = true;
            vec![]
        }
        Msg::Continued => {
            model.dirty = true;
            vec![Effect::Redraw]
        }
        Msg::Signal(signal) => {
            model.exit = Some(Exit::Signal(signal));
            vec![]
        }
        Msg::Workspace(workspace) => self::workspace(model, *workspace),
        Msg::Runs(runs) => self::runs(model, runs),
        Msg::Previewed(ticket, preview, estimate) => previewed(model, ticket, *preview, estimate),
        Msg::Opened(ticket, opened) => self::opened(model, ticket, *opened),
        Msg::NotOpened(ticket, why) => {
            if model.pending == Some(ticket) {
                model.pending = None;
                model.say(Tone::Error, why);
            }
            vec![]
        }
        Msg::Events(ticket, events) => self::events(model, ticket, events),
        Msg::Ended(ticket) => ended(model, ticket),
        Msg::SubRun(ticket, index, executions) => {
            if let Some(run) = run_of(model, ticket) {
                run.reading = None;
                run.read = Some((index, executions));
                model.dirty = true;
            }
            vec![]
        }
        Msg::Log(reply) => {
            model.dirty = true;
            model.log.receive(reply).into_iter().map(Effect::Log).collect()
        }
        Msg::Telemetry(telemetry) => {
            if model.sampling != Sampling::Off && model.telemetry.as_ref() != Some(&telemetry) {
                model.telemetry = Some(telemetry);
                model.dirty = true;
            }
            vec![]
        }
        Msg::Proposed(ticket, proposed) => {
            if model.waiting.is_some_and(|(waiting, _)| waiting == ticket) {
                model.waiting = None;
                model.dirty = true;
                model.dialog = Some(match proposed {
                    Ok(proposed) => dialogs::confirm::open(*proposed, now),
                    Err(refused) => dialogs::text::refused(&refused),
                });
            }
            vec![]
        }
        Msg::Started(ticket, started) => self::started(model, ticket, started),
        Msg::Done(done) => {
            model.waiting = None;
            match done {
                Ok(text) => model.say(Tone::Good, text),
                Err(refused) if refused.report.is_empty() => model.say(Tone::Error, refused.what),
                Err(refused) => model.dialog = Some(dialogs::text::refused(&refused)),
            }
            model.dirty = true;
            vec![Effect::ListRuns]
        }
        Msg::Compared(comparison) => {
            model.waiting = None;
            model.dialog = Some(dialogs::text::comparison(&comparison));
            model.dirty = true;
            vec![]
        }
        Msg::Drift(id, lines) => {
            model.drift = Some((id, lines));
            model.dirty = true;
            vec![]
        }
        Msg::Themes(themes, errors) => {
            if let Some(theme) = themes.iter().find(|theme| theme.name == model.look.palette.name) {
                model.look.palette = Palette::new(theme, model.around.depth);
            }
            model.themes = themes;
            if let Some(error) = errors.first() {
                model.say(Tone::Warning, error);
            }
            model.dirty = true;
            vec![]
        }
        Msg::Changed(files) => changed(model, &files),
        Msg::RunsChanged => vec![Effect::ListRuns],
        Msg::KeysRefused(lines) => {
            model.dialog = Some(dialogs::text::open("Your keys are not used", lines));
            model.dirty = true;
            vec![]
        }
    };
    settle(model, &mut effects);
    effects
}

/// What follows from any change: the grid, the log and the telemetry are those of what is on screen.
fn settle(model: &mut Model, effects: &mut Vec<Effect>) {
    model.refresh();
    selection::settle(model, effects);
    let layout = model.layout();
    if let Some(area) = layout.pane(Pane::Log) {
        let inner = (area.width.saturating_sub(2), area.height.saturating_sub(2));
        effects.extend(model.log.resize(inner.0, inner.1).into_iter().map(Effect::Log));
    }
    let sampling = match (layout.pane(Pane::Telemetry), model.live()) {
        (None, _) => Sampling::Off,
        (Some(_), None) => Sampling::Once,
        (Some(_), Some(_)) => Sampling::Steady,
    };
    if sampling != model.sampling {
        model.sampling = sampling;
        effects.push(Effect::Sample(sampling));
    }
}

/// The open run, if a message is about it.
fn run_of(model: &mut Model, ticket: Ticket) -> Option<&mut crate::tui::model::OpenRun> {
    match &mut model.subject {
        Subject::Run(run) if run.ticket == ticket => Some(run),
        _ => None,
    }
}

fn workspace(model: &mut Model, workspace: Workspace) -> Vec<Effect> {
    let keep = |before: Option<&str>, files: Vec<&str>, at: usize| {
        before.and_then(|file| files.iter().position(|other| *other == file)).unwrap_or(at)
    };
    let flow = model.flows.get(model.flow_at.at).map(|flow| flow.file.clone());
    let margin = model.margins.get(model.margin_at.at).map(|margin| margin.file.clone());
    let is_first = model.flows.is_empty() && model.margins.is_empty();
    (model.flows, model.margins) = (workspace.flows, workspace.margins);
    model.workspace_errors = workspace.errors;
    model.flow_at.at = keep(flow.as_deref(), model.flows.iter().map(|f| f.file.as_str()).collect(), model.flow_at.at);
    model.margin_at.at =
        keep(margin.as_deref(), model.margins.iter().map(|m| m.file.as_str()).collect(), model.margin_at.at);
    model.flow_at.go(0, model.flows.len());
    model.margin_at.go(0, model.margins.len());
    model.dirty = true;
    if is_first
        && model.choice.flow.is_empty()
        && let Some((flow, margin)) = workspace.first
    {
        model.choice = Choice { flow, margin, ..model.choice.clone() };
        point_at_choice(model);
        // A run that is being opened, or is open, is not taken off the screen.
        if model.pending.is_none() && model.run().is_none() {
            return preview(model);
        }
        return vec![];
    }
    match model.subject {
        Subject::Run(_) => vec![],
        _ if model.choice.flow.is_empty() => vec![],
        _ => preview(model),
    }
}

/// Puts the cursors on what is chosen.
fn point_at_choice(model: &mut Model) {
    if let Some(at) = model.flows.iter().position(|flow| flow.file == model.choice.flow) {
        model.flow_at.at = at;
    }
    if let Some(at) = model.margins.iter().position(|margin| margin.file == model.choice.margin) {
        model.margin_at.at = at;
    }
}

/// Expands what is chosen.
pub fn preview(model: &mut Model) -> Vec<Effect> {
    if model.choice.flow.is_empty() || model.choice.margin.is_empty() {
        return vec![];
    }
    let ticket = model.ticket();
    model.pending = Some(ticket);
    model.dirty = true;
    vec![Effect::Preview(ticket, model.choice.clone())]
}

fn runs(model: &mut Model, runs: Vec<crate::tui::lists::RunLine>) -> Vec<Effect> {
    // A run that was started here is the one that is meant from now on.
    let open = model.run().map(|open| open.state.header.run_id.clone());
    let is_new = |id: &String| !model.runs.iter().any(|run| run.id == *id);
    let selected = open.filter(is_new).or_else(|| model.selected_run().map(|run| run.id.clone()));
    model.runs = runs;
    filter_runs(model, selected.as_deref());
    model.dirty = true;
    let first = !std::mem::replace(&mut model.runs_known, true);
    // A sweep that goes on is what somebody comes back for.
    match available::live_elsewhere(model) {
        Some(live) if first && model.errand.is_none() && model.run().is_none() => act::open(model, live),
        _ => vec![],
    }
}

/// Applies the filter and keeps the cursor on the run on which it was.
pub fn filter_runs(model: &mut Model, selected: Option<&str>) {
    model.shown_runs = selection::filtered(&model.runs, &model.run_filter);
    let of = |at: &usize| model.runs.get(*at).map(|run| run.id.as_str());
    if let Some(place) = selected.and_then(|id| model.shown_runs.iter().position(|at| of(at) == Some(id))) {
        model.run_at.at = place;
    }
    model.run_at.go(0, model.shown_runs.len());
}

fn previewed(
    model: &mut Model,
    ticket: Ticket,
    preview: crate::commands::preview::Preview,
    estimate: Option<u64>,
) -> Vec<Effect> {
    if model.pending != Some(ticket) {
        return vec![];
    }
    model.pending = None;
    let mut choice = model.choice.clone();
    choice.seed = preview.plan.as_ref().map(|plan| plan.experiment.global_seed);
    let same = model.previewed().is_some_and(|before| {
        let (before, now) = (before.preview.plan.as_ref(), preview.plan.as_ref());
        before.zip(now).is_some_and(|(before, now)| before.experiment.axes == now.experiment.axes)
    });
    if let Some(plan) = preview.plan.as_ref().filter(|_| !same) {
        model.board = Board::new(&plan.experiment, |index| preview.outcome(index));
    } else if preview.plan.is_none() {
        model.board = Board::default();
    }
    model.board.following = false;
    model.step_at.at = if same { model.step_at.at } else { 0 };
    model.subject = Subject::Preview(Box::new(Previewed { choice, preview, estimate }));
    model.stale = same;
    model.dirty = true;
    vec![Effect::Close]
}

fn opened(model: &mut Model, ticket: Ticket, opened: Opened) -> Vec<Effect> {
    if model.pending != Some(ticket) {
        return vec![];
    }
    model.pending = None;
    let Opened { dir, state, live, stands_in, damage } = opened;
    let live = live && state.end.is_none();
    filter_runs(model, Some(&state.header.run_id));
    let experiment = &state.plan.experiment;
    model.board = Board::new(experiment, |index| crate::domain::shmoo::outcome(&state, index));
    model.board.following = live;
    if let Some(current) = state.current {
        model.board.slice_of(experiment, current);
        model.board.go_to(experiment, current);
    }
    model.step_follows = true;
    model.stale = true;
    model.log_of = None;
    if let Some(first) = damage.first() {
        model.say(Tone::Warning, format!("the record is damaged: {first}"));
    }
    model.subject = Subject::Run(Box::new(crate::tui::model::OpenRun {
        ticket,
        dir: std::sync::Arc::new(dir),
        state,
        live,
        stands_in,
        damage,
        read: None,
        reading: None,
    }));
    model.dirty = true;
    if live { vec![Effect::ListRuns] } else { vec![] }
}

fn events(model: &mut Model, ticket: Ticket, events: Vec<crate::domain::event::Recorded>) -> Vec<Effect> {
    let mut effects = vec![];
    let Some(run) = run_of(model, ticket) else { return effects };
    let mut said = None;
    let mut cells = false;
    for recorded in events {
        match &recorded.event {
            RunEvent::SubrunStarted(_) | RunEvent::SubrunFinished(_) | RunEvent::SubrunClosed(_) => cells = true,
            RunEvent::RunFinished(finished) => {
                cells = true;
                run.live = false;
                let tone = if finished.exit_code == 0 { Tone::Good } else { Tone::Warning };
                said = Some((tone, format!("the run has ended: {} (exit {})", finished.verdict, finished.exit_code)));
                effects.push(Effect::ListRuns);
            }
            _ => {}
        }
        let finished = match &recorded.event {
            RunEvent::SubrunFinished(finished) => Some(finished.index),
            _ => None,
        };
        run.state.absorb(recorded);
        if let Some(index) = finished {
            // Thousands may follow: what is looked at is read back.
            run.state.forget_steps_behind(index);
        }
    }
    model.stale |= cells;
    model.dirty = true;
    if let Some((tone, text)) = said {
        model.say(tone, text);
    }
    effects
}

fn ended(model: &mut Model, ticket: Ticket) -> Vec<Effect> {
    let Some(run) = run_of(model, ticket) else { return vec![] };
    if !run.live {
        return vec![];
    }
    run.live = false;
    if run.state.end.is_none() && run.state.status == crate::domain::event::RunStatus::Running {
        run.state.status = crate::domain::event::RunStatus::Interrupted;
        model.say(Tone::Error, "nobody runs this run any more, and it has not ended: it was interrupted");
    }
    model.stale = true;
    model.dirty = true;
    vec![Effect::ListRuns]
}

fn started(model: &mut Model, ticket: Ticket, started: Result<String, crate::tui::message::Refused>) -> Vec<Effect> {
    if model.waiting.is_none_or(|(waiting, _)| waiting != ticket) {
        return vec![];
    }
    model.waiting = None;
    model.dirty = true;
    match started {
        Ok(id) => {
            model.errand = model.errand.as_ref().map(|_| id.clone());
            let mut effects = act::open(model, id);
            effects.push(Effect::ListRuns);
            effects
        }
        Err(refused) => {
            model.dialog = Some(dialogs::text::refused(&refused));
            vec![]
        }
    }
}

fn changed(model: &mut Model, files: &[String]) -> Vec<Effect> {
    let mut effects = vec![Effect::ReadWorkspace];
    if files.iter().any(|file| file.contains("ui-themes/")) {
        effects.push(Effect::ReadThemes);
    }
    let Some(first) = files.first() else { return effects };
    let named = match files.len() {
        1 => first.clone(),
        more => format!("{first} and {} more", more - 1),
    };
    let at = clock_of_day(model.now);
    let is_template = files.iter().all(|file| file.starts_with("templates/") || file.contains("ui-themes/"));
    if let Some(Dialog::Confirm(confirm)) = &mut model.dialog
        && !is_template
    {
        confirm.disarm(&named);
    }
    let text = match model.live() {
        Some(_) if is_template => format!("{named} changed on disk {at}"),
        Some(_) => {
            format!("{named} changed on disk {at}: this run keeps its frozen plan, the next one uses the new file")
        }
        None => format!("{named} changed on disk {at}: read again"),
    };
    model.say(Tone::Warning, text);
    effects
}

/// `17:14:02`, UTC.
pub fn clock_of_day(at: Timestamp) -> String {
    at.to_string().get(11..19).unwrap_or_default().to_owned()
}

fn click(model: &mut Model, column: u16, row: u16) -> Vec<Effect> {
    // Hardware is never confirmed by a mouse, and nothing else is chosen by one while a dialog waits.
    if model.dialog.is_some() || model.prompt.is_some() {
        return vec![];
    }
    let layout = model.layout();
    if let Some(pane) = layout.at(column, row) {
        model.focus = pane;
        model.dirty = true;
        if let Some(area) = layout.pane(pane) {
            selection::click(model, pane, area, column, row);
        }
    }
    vec![]
}

fn wheel(model: &mut Model, column: u16, row: u16, lines: i16) -> Vec<Effect> {
    if model.dialog.is_some() {
        return vec![];
    }
    let Some(pane) = model.layout().at(column, row) else { return vec![] };
    // The wheel scrolls what is under it and leaves the keys where they are.
    let before = std::mem::replace(&mut model.focus, pane);
    let action = if lines < 0 { Action::Up } else { Action::Down };
    let effects = (0..lines.unsigned_abs().min(10)).flat_map(|_| act::act(model, action)).collect();
    model.focus = before;
    effects
}

/// Does what a key, the palette or the help asked for, or says why not.
pub fn ask(model: &mut Model, action: Action) -> Vec<Effect> {
    model.dirty = true;
    if let Some(why) = available::refusal(model, action) {
        model.say(Tone::Warning, format!("{}: {why}", TABLE.get(action as usize).map_or("", |row| row.name)));
        return vec![];
    }
    act::act(model, action)
}

#[cfg(test)]
#[path = "update_tests.rs"]
mod tests;
