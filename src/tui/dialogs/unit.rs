//! The unit under test: a serial that is typed or scanned. A scanner ends with Enter, which takes the name and starts
//! nothing.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::commands::plan::check_unit;
use crate::domain::chord::{Chord, Key};
use crate::domain::theme::Slot;
use crate::tui::canvas::{put, row};
use crate::tui::dialogs::{Dialog, Next, boxed, field, is_cancel, titles};
use crate::tui::field::Field;
use crate::tui::model::{Model, Tone};
use crate::tui::update;

/// The question.
#[derive(Debug)]
pub struct Unit {
    /// What was typed.
    pub field: Field,
    refused: Option<String>,
}

/// Asks, with the unit that there is.
pub fn open(model: &Model) -> Dialog {
    Dialog::Unit(Unit { field: Field::of(model.choice.unit.as_deref().unwrap_or_default()), refused: None })
}

impl Unit {
    /// Takes a key.
    pub fn key(mut self, model: &mut Model, chord: Chord) -> Next {
        if is_cancel(chord) {
            return Next::Close(vec![]);
        }
        if chord.key == Key::Enter {
            let text = self.field.text().trim().to_owned();
            let unit = (!text.is_empty()).then_some(text);
            return match check_unit(unit.as_deref()) {
                Ok(()) => {
                    let said =
                        unit.as_ref().map_or_else(|| "no unit is named".to_owned(), |unit| format!("unit {unit}"));
                    model.say(Tone::Good, said);
                    model.choice.unit = unit;
                    Next::Close(if model.previewed().is_some() { update::preview(model) } else { vec![] })
                }
                Err(failure) => {
                    self.refused = Some(failure.message);
                    Next::Stay(Dialog::Unit(self), vec![])
                }
            };
        }
        self.field.key(chord);
        self.refused = None;
        Next::Stay(Dialog::Unit(self), vec![])
    }

    /// Draws it.
    pub fn view(&self, model: &Model, screen: Rect, buf: &mut Buffer) {
        let look = &model.look;
        let inside = boxed(screen, buf, (50, 6), &titles(look, "Unit under test", ""), Slot::BorderFocus, look);
        field(row(inside, 1), buf, &self.field, true, look);
        match &self.refused {
            Some(why) => put(buf, row(inside, 3), why, look.of(Slot::Error)),
            None => put(buf, row(inside, 3), "Enter takes it, empty is none, Esc leaves it", look.of(Slot::Dim)),
        };
    }
}
