//! Which axes of the plan the shmoo shows: every pair, Y upward and X to the right, and each axis alone.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::chord::{Chord, Key};
use crate::domain::theme::Slot;
use crate::tui::canvas::{paint, put, row, scroll};
use crate::tui::dialogs::{Dialog, Next, boxed, is_cancel, motion, titles};
use crate::tui::lists::ListCursor;
use crate::tui::model::Model;

/// The choice.
#[derive(Debug)]
pub struct Axes {
    /// Y, where there is one, and X, with their names.
    pairs: Vec<(Option<usize>, usize, String)>,
    cursor: ListCursor,
}

/// Begins with the axes that are shown.
pub fn open(model: &Model) -> Option<Dialog> {
    let axes = &model.plan()?.experiment.axes;
    let view = model.board.view?;
    let mut pairs = vec![];
    for (x, across) in axes.iter().enumerate() {
        for (y, up) in axes.iter().enumerate().filter(|(y, _)| *y != x) {
            pairs.push((Some(y), x, format!("{} over {}", up.name, across.name)));
        }
    }
    for (x, across) in axes.iter().enumerate() {
        pairs.push((None, x, format!("{} alone", across.name)));
    }
    let at = pairs.iter().position(|(y, x, _)| *y == view.y && Some(*x) == view.x).unwrap_or(0);
    Some(Dialog::Axes(Axes { pairs, cursor: ListCursor { at } }))
}

impl Axes {
    /// Takes a key.
    pub fn key(mut self, model: &mut Model, chord: Chord) -> Next {
        if is_cancel(chord) {
            return Next::Close(vec![]);
        }
        if chord.key == Key::Enter {
            if let (Some((y, x, _)), Some(plan)) = (self.pairs.get(self.cursor.at), model.plan().cloned()) {
                model.board.choose(&plan.experiment, *y, *x);
                model.stale = true;
            }
            return Next::Close(vec![]);
        }
        if let Some(by) = motion(chord, 5) {
            self.cursor.go(by, self.pairs.len());
        }
        Next::Stay(Dialog::Axes(self), vec![])
    }

    /// Draws it.
    pub fn view(&self, model: &Model, screen: Rect, buf: &mut Buffer) {
        let look = &model.look;
        let rows = u16::try_from(self.pairs.len()).unwrap_or(16).clamp(1, 16);
        let inside =
            boxed(screen, buf, (60, rows + 2), &titles(look, "Axes", "Enter shows them"), Slot::BorderFocus, look);
        let first = scroll(self.cursor.at, self.pairs.len(), rows.into());
        for (line, (_, _, name)) in self.pairs.iter().skip(first).take(inside.height.into()).enumerate() {
            let area = row(inside, u16::try_from(line).unwrap_or(0));
            put(buf, area, name, look.of(Slot::Dialog));
            if first + line == self.cursor.at {
                paint(buf, area, look.of(Slot::Selection));
            }
        }
    }
}
