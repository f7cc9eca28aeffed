//! The themes, shown as one moves over them. Esc brings back the one that was.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::chord::{Chord, Key};
use crate::domain::shmoo::Cell;
use crate::domain::theme::Slot;
use crate::tui::canvas::{Line, from, paint, put, row, scroll};
use crate::tui::dialogs::{Dialog, Next, boxed, is_cancel, motion, titles};
use crate::tui::lists::ListCursor;
use crate::tui::model::{Model, Tone};
use crate::tui::palette::Palette;

/// The choice.
#[derive(Debug)]
pub struct Themes {
    cursor: ListCursor,
    before: Palette,
}

/// Begins with the theme that is in use.
pub fn open(model: &Model) -> Dialog {
    let at = model.themes.iter().position(|theme| theme.name == model.look.palette.name).unwrap_or(0);
    Dialog::Theme(Themes { cursor: ListCursor { at }, before: model.look.palette.clone() })
}

impl Themes {
    /// Takes a key.
    pub fn key(mut self, model: &mut Model, chord: Chord) -> Next {
        if is_cancel(chord) {
            model.look.palette = self.before;
            return Next::Close(vec![]);
        }
        if chord.key == Key::Enter {
            let name = model.look.palette.name.clone();
            model.say(Tone::Good, format!("theme {name}; --theme {name} begins with it"));
            return Next::Close(vec![]);
        }
        if let Some(by) = motion(chord, 5) {
            self.cursor.go(by, model.themes.len());
            if let Some(theme) = model.themes.get(self.cursor.at) {
                model.look.palette = Palette::new(theme, model.around.depth);
            }
        }
        Next::Stay(Dialog::Theme(self), vec![])
    }

    /// Draws it.
    pub fn view(&self, model: &Model, screen: Rect, buf: &mut Buffer) {
        let look = &model.look;
        let rows = u16::try_from(model.themes.len()).unwrap_or(20).clamp(1, 16);
        let inside =
            boxed(screen, buf, (64, rows + 5), &titles(look, "Theme", "Enter keeps it"), Slot::BorderFocus, look);
        let first = scroll(self.cursor.at, model.themes.len(), rows.into());
        for (line, theme) in model.themes.iter().skip(first).take(rows.into()).enumerate() {
            let area = row(inside, u16::try_from(line).unwrap_or(0));
            put(buf, area, &theme.name, look.of(Slot::Dialog));
            let about = theme.description.as_deref().unwrap_or_default();
            put(buf, from(area, 19), about, look.of(Slot::Dim));
            if first + line == self.cursor.at {
                paint(buf, area, look.of(Slot::Selection));
            }
        }
        let mut sample = Line::new();
        for cell in Cell::ALL {
            sample.push(format!(" {} ", cell.glyph()), look.palette.cell(cell));
        }
        sample.draw(row(inside, rows + 1), buf);
        let colours = match look.palette.depth {
            crate::domain::theme::Depth::None => "this terminal is used without colours (NO_COLOR)",
            crate::domain::theme::Depth::Ansi => "this terminal has 16 colours",
            crate::domain::theme::Depth::Indexed => "this terminal has 256 colours",
            crate::domain::theme::Depth::True => "this terminal has every colour",
        };
        put(buf, row(inside, rows + 2), colours, look.of(Slot::Dim));
    }
}
