//! Leaving while a run goes on: says that it goes on and how to come back, and offers to stop it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::chord::{Chord, Key};
use crate::domain::theme::Slot;
use crate::tui::canvas::{put, row};
use crate::tui::command_line;
use crate::tui::dialogs::stop::Stop;
use crate::tui::dialogs::{Dialog, Next, boxed, buttons, is_cancel, titles, turn, turned};
use crate::tui::message::Exit;
use crate::tui::model::Model;

/// The question.
#[derive(Debug)]
pub struct Leave {
    run: String,
    back: String,
    focus: usize,
}

const LABELS: [&str; 3] = ["Leave", "Stop the run", "Stay"];

/// Asks about the run that is going on.
pub fn open(model: &Model) -> Dialog {
    let run = model.live().map(|run| run.state.header.run_id.clone()).unwrap_or_default();
    Dialog::Leave(Leave { run, back: command_line::back(model), focus: 0 })
}

impl Leave {
    /// Takes a key.
    pub fn key(mut self, model: &mut Model, chord: Chord) -> Next {
        if is_cancel(chord) {
            return Next::Close(vec![]);
        }
        match chord.key {
            Key::Char('q') => model.exit = Some(Exit::Left),
            Key::Enter => match self.focus {
                0 => model.exit = Some(Exit::Left),
                1 => return Next::Stay(Dialog::Stop(Stop::new(self.run, false)), vec![]),
                _ => return Next::Close(vec![]),
            },
            _ => {
                if let Some(forward) = turn(chord) {
                    self.focus = turned(self.focus, LABELS.len(), forward);
                }
            }
        }
        Next::Stay(Dialog::Leave(self), vec![])
    }

    /// Draws it.
    pub fn view(&self, model: &Model, screen: Rect, buf: &mut Buffer) {
        use unicode_width::UnicodeWidthStr as _;
        let look = &model.look;
        let width = u16::try_from(self.back.width() + 6).unwrap_or(u16::MAX).max(62);
        let inside = boxed(screen, buf, (width, 8), &titles(look, "Leave?", ""), Slot::BorderFocus, look);
        put(buf, row(inside, 0), &format!("{} goes on without this screen.", self.run), look.of(Slot::Dialog));
        put(buf, row(inside, 1), "Come back with", look.of(Slot::Dialog));
        put(buf, row(inside, 2), &format!("  {}", self.back), look.of(Slot::Strong));
        buttons(row(inside, 4), buf, &LABELS, Some(self.focus), look);
        put(buf, row(inside, 5), "q once more leaves", look.of(Slot::Dim));
    }
}
