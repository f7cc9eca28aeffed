//! Palette and help: every action with its keys, found by letters in their order, and run from there. Both are the one
//! table of actions; what cannot act says why.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::chord::{Chord, Key};
use crate::domain::theme::Slot;
use crate::tui::actions::{Action, DIALOG_KEYS, Pane, Row, TABLE};
use crate::tui::available;
use crate::tui::canvas::{Line, fitting, from, paint, put, put_right, row, scroll};
use crate::tui::dialogs::{Dialog, Next, boxed, field, is_cancel, titles};
use crate::tui::field::Field;
use crate::tui::lists::ListCursor;
use crate::tui::message::Effect;
use crate::tui::model::Model;
use crate::tui::update;

/// What is looked for.
#[derive(Debug)]
pub struct Find {
    /// What was typed.
    pub field: Field,
    cursor: ListCursor,
    is_help: bool,
}

/// Actions by name.
pub fn palette() -> Dialog {
    Dialog::Find(Find { field: Field::default(), cursor: ListCursor::default(), is_help: false })
}

/// Every key.
pub fn help() -> Dialog {
    Dialog::Find(Find { field: Field::default(), cursor: ListCursor::default(), is_help: true })
}

/// How well a text is meant by letters in their order: the lower the better; none where it is not.
pub fn fuzzy(text: &str, letters: &str) -> Option<usize> {
    let mut cost = 0;
    let mut last = None;
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let mut at = 0;
    for letter in letters.to_lowercase().chars().filter(|c| !c.is_whitespace()) {
        let found = text.iter().skip(at).position(|c| *c == letter)? + at;
        // Letters together, or at the start of words, are what a person types.
        let starts_word = found == 0 || text.get(found - 1).is_some_and(|c| !c.is_alphanumeric());
        cost += match last {
            Some(before) if found == before + 1 => 0,
            _ if starts_word => 1,
            _ => 4 + found - at,
        };
        last = Some(found);
        at = found + 1;
    }
    Some(cost)
}

impl Find {
    /// The rows that are meant, the likeliest first; in help in the order of the table, those of this pane first.
    fn rows(&self, model: &Model) -> Vec<&'static Row> {
        let typed = self.field.text();
        let here = |row: &&Row| row.places & model.focus.place() == 0;
        if self.is_help {
            let wanted = typed.to_lowercase();
            let mut rows: Vec<&Row> = TABLE
                .iter()
                .filter(|row| {
                    let keys = keys_of(model, row.action);
                    [row.name, row.help, &keys].iter().any(|text| text.to_lowercase().contains(&wanted))
                })
                .collect();
            rows.sort_by_key(here);
            return rows;
        }
        let mut rows: Vec<(usize, &Row)> = TABLE
            .iter()
            .filter_map(|row| {
                let by_name = fuzzy(row.name, typed);
                let by_help = fuzzy(row.help, typed).map(|cost| cost + 5);
                Some((by_name.into_iter().chain(by_help).min()?, row))
            })
            .collect();
        rows.sort_by_key(|(cost, row)| (*cost, here(row)));
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// Takes a key.
    pub fn key(mut self, model: &mut Model, chord: Chord) -> Next {
        if is_cancel(chord) {
            return Next::Close(vec![]);
        }
        let rows = self.rows(model);
        match chord.key {
            Key::Enter => {
                let Some(row) = rows.get(self.cursor.at) else { return Next::Stay(Dialog::Find(self), vec![]) };
                return Self::run(model, row.action);
            }
            Key::Down | Key::Tab => self.cursor.go(1, rows.len()),
            Key::Up | Key::BackTab => self.cursor.go(-1, rows.len()),
            Key::PageDown => self.cursor.go(10, rows.len()),
            Key::PageUp => self.cursor.go(-10, rows.len()),
            _ => {
                if self.field.key(chord) {
                    self.cursor.at = 0;
                }
            }
        }
        Next::Stay(Dialog::Find(self), vec![])
    }

    /// Runs an action, in the pane in which it works.
    fn run(model: &mut Model, action: Action) -> Next {
        if action.row().places & model.focus.place() == 0
            && let Some(pane) = Pane::ALL.into_iter().find(|pane| action.row().places & pane.place() != 0)
        {
            model.focus = pane;
        }
        let effects: Vec<Effect> = update::ask(model, action);
        match model.dialog.take() {
            Some(dialog) => Next::Stay(dialog, effects),
            None => Next::Close(effects),
        }
    }

    /// Draws it.
    pub fn view(&self, model: &Model, screen: Rect, buf: &mut Buffer) {
        let look = &model.look;
        let title = if self.is_help { "Keys" } else { "Actions" };
        let right = if self.is_help { "type to filter, Enter runs it" } else { "Enter runs it" };
        let size = (screen.width.min(96), screen.height.saturating_sub(2).min(40));
        let inside = boxed(screen, buf, size, &titles(look, title, right), Slot::BorderFocus, look);
        field(row(inside, 0), buf, &self.field, true, look);
        let rows = self.rows(model);
        let room = usize::from(inside.height.saturating_sub(3));
        let first = scroll(self.cursor.at, rows.len(), room);
        for (line, entry) in rows.iter().skip(first).take(room).enumerate() {
            let area = row(inside, u16::try_from(line + 1).unwrap_or(u16::MAX));
            let refusal = available::refusal(model, entry.action);
            let plain = if refusal.is_some() { look.of(Slot::Dim) } else { look.of(Slot::Dialog) };
            put_right(
                buf,
                Rect { width: 12.min(area.width), ..area },
                &keys_of(model, entry.action),
                look.of(Slot::Key),
            );
            let text = from(area, 14);
            let help = fitting(entry.help, text.width.into());
            put(buf, text, &help, plain);
            if first + line == self.cursor.at {
                paint(buf, area, look.of(Slot::Selection));
            }
        }
        let last = row(inside, inside.height.saturating_sub(1));
        let chosen = rows.get(self.cursor.at);
        match chosen.map(|entry| (entry, available::refusal(model, entry.action))) {
            Some((entry, Some(why))) => {
                put(buf, last, &format!("{}: {why}", entry.name), look.of(Slot::Warning));
            }
            Some((entry, None)) => {
                Line::new()
                    .then(entry.name, look.of(Slot::Strong))
                    .then(format!("   in dialogs: {}", dialog_keys()), look.of(Slot::Dim))
                    .draw(last, buf);
            }
            None => {
                put(buf, last, "no action is called so", look.of(Slot::Warning));
            }
        }
    }
}

fn dialog_keys() -> String {
    DIALOG_KEYS.iter().take(2).map(|(keys, does)| format!("{keys} {does}")).collect::<Vec<_>>().join(", ")
}

/// The keys of an action as the keymap has them.
pub fn keys_of(model: &Model, action: Action) -> String {
    let keys = model.keymap.keys(action as usize);
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_their_order_mean_an_action() {
        let best = |letters: &str| {
            let by_name = |row: &&Row| fuzzy(row.name, letters).map_or(usize::MAX, |cost| cost);
            TABLE.iter().min_by_key(by_name).map(|row| row.name)
        };
        let check = |letters: &str, expected: &str| assert_eq!(best(letters), Some(expected), "{letters}");
        check("rerunf", "rerun-failed");
        check("rf", "rerun-failed");
        check("theme", "theme");
        check("dry", "dry-run");
        check("nstd", "next-stderr");
        assert_eq!(fuzzy("stop", "pots"), None);
        assert_eq!(fuzzy("anything", ""), Some(0));
    }
}
