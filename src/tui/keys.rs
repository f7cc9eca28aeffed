//! What a key means: to a dialog, to a line that is being typed, or by the keymap to an action. Never acts by itself.

use crate::domain::chord::{Chord, Key};
use crate::domain::keymap::{Lookup, Places};
use crate::tui::actions::TABLE;
use crate::tui::dialogs;
use crate::tui::field::Field;
use crate::tui::message::Effect;
use crate::tui::model::{Asks, Model, Prompt, Tone};
use crate::tui::panes::log::LogAct;
use crate::tui::{selection, update};

/// Takes a key.
pub fn key(model: &mut Model, chord: Chord) -> Vec<Effect> {
    model.dirty = true;
    // What was said is read once a key is pressed.
    model.notice = None;
    if model.dialog.is_some() {
        return dialogs::key(model, chord);
    }
    if model.prompt.is_some() {
        return prompt(model, chord);
    }
    model.typed.push(chord);
    match model.keymap.lookup(Places::of(model.focus.place()), &model.typed) {
        Lookup::Prefix => vec![],
        Lookup::Action(index) => {
            model.typed.clear();
            TABLE.get(index).map_or_else(Vec::new, |row| update::ask(model, row.action))
        }
        Lookup::Nothing => {
            let typed = std::mem::take(&mut model.typed);
            // The second key of a sequence that is none may mean something by itself.
            if let [_, last] = typed.as_slice() {
                return key(model, *last);
            }
            not_here(model, chord);
            vec![]
        }
    }
}

/// A key that means something in another pane says where.
fn not_here(model: &mut Model, chord: Chord) {
    let elsewhere = TABLE
        .iter()
        .enumerate()
        .find(|(index, _)| model.keymap.keys(*index).iter().any(|keys| keys.chords().eq([chord])));
    if let Some((_, row)) = elsewhere
        && let Some(why) = crate::tui::available::refusal(model, row.action)
    {
        model.say(Tone::Warning, why);
    }
}

/// Takes pasted text: into a field where there is one, else nowhere.
pub fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    model.dirty = true;
    if let Some(prompt) = &mut model.prompt {
        prompt.field.insert(text);
        return typed(model);
    }
    dialogs::paste(model, text)
}

fn prompt(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let Some(prompt) = &mut model.prompt else { return vec![] };
    match chord.key {
        Key::Esc => return close(model, false),
        Key::Char('c') if chord.ctrl => return close(model, false),
        Key::Enter => return close(model, true),
        _ => {}
    }
    if prompt.field.key(chord) { typed(model) } else { vec![] }
}

/// Begins to ask for a line.
pub fn ask_for(model: &mut Model, asks: Asks) {
    let before = match asks {
        Asks::Find(_) => model.find.clone(),
        Asks::Runs => model.run_filter.clone(),
        Asks::Log => model.log.search().to_owned(),
        Asks::LogFilter => model.log.filter().to_owned(),
    };
    // A filter is changed, a search is typed anew.
    let begin = if matches!(asks, Asks::Runs | Asks::LogFilter) { before.clone() } else { String::new() };
    model.prompt = Some(Prompt { asks, field: Field::of(&begin), before });
}

/// What is typed shows at once.
fn typed(model: &mut Model) -> Vec<Effect> {
    let Some(prompt) = &model.prompt else { return vec![] };
    let text = prompt.field.text().to_owned();
    apply(model, &text)
}

fn apply(model: &mut Model, text: &str) -> Vec<Effect> {
    let Some(prompt) = &model.prompt else { return vec![] };
    match prompt.asks {
        Asks::Find(pane) => {
            text.clone_into(&mut model.find);
            selection::find(model, pane, true, true);
            vec![]
        }
        Asks::Runs => {
            let selected = model.selected_run().map(|run| run.id.clone());
            text.clone_into(&mut model.run_filter);
            update::filter_runs(model, selected.as_deref());
            vec![]
        }
        // The disk is searched once the line is whole.
        Asks::Log | Asks::LogFilter => vec![],
    }
}

fn close(model: &mut Model, taken: bool) -> Vec<Effect> {
    let Some(prompt) = model.prompt.clone() else { return vec![] };
    let text = if taken { prompt.field.text().to_owned() } else { prompt.before };
    let effects = match (prompt.asks, taken) {
        (Asks::Log, true) => log(model, LogAct::Search(text)),
        (Asks::LogFilter, true) => log(model, LogAct::Filter(text)),
        (Asks::Log | Asks::LogFilter, false) => vec![],
        (Asks::Runs, true) => {
            let effects = apply(model, &text);
            if let Err(error) = crate::commands::run_filter::RunFilter::parse(&text) {
                model.say(Tone::Warning, error.to_string());
            }
            effects
        }
        _ => apply(model, &text),
    };
    model.prompt = None;
    effects
}

fn log(model: &mut Model, act: LogAct) -> Vec<Effect> {
    model.log.act(act).into_iter().map(Effect::Log).collect()
}
