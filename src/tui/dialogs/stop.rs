//! How a run is to be stopped: after the step in flight, now, or not at all. It begins on keeping it; ctrl-c goes on to
//! the next graver way each time.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::commands::runs::How;
use crate::domain::chord::{Chord, Key};
use crate::domain::theme::Slot;
use crate::tui::act;
use crate::tui::canvas::{Line, put, row};
use crate::tui::dialogs::{Dialog, Next, boxed, buttons, motion, titles, turn, turned};
use crate::tui::model::Model;

/// The question.
#[derive(Debug)]
pub struct Stop {
    run: String,
    /// It was asked to stop already.
    asked: bool,
    /// It was asked to stop now already: once more kills.
    now: bool,
    focus: usize,
}

const LABELS: [&str; 3] = ["Finish this step, then stop", "Stop now", "Keep running"];
const KEEP: usize = 2;

impl Stop {
    /// About a run that may have been asked before.
    pub const fn new(run: String, asked: bool) -> Self {
        Self { run, asked, now: false, focus: KEEP }
    }

    /// Takes a key.
    pub fn key(mut self, model: &mut Model, chord: Chord) -> Next {
        if chord.ctrl && chord.key == Key::Char('c') {
            let how = if self.now { How::Kill } else { How::Now };
            let effects = act::stop_run(model, self.run.clone(), how);
            (self.asked, self.now) = (true, true);
            return Next::Stay(Dialog::Stop(self), effects);
        }
        match chord.key {
            Key::Esc | Key::Char('n' | 'q') => return Next::Close(vec![]),
            Key::Enter => {
                return Next::Close(match self.focus {
                    0 => act::stop_run(model, self.run, How::AfterStep),
                    1 => act::stop_run(model, self.run, How::Now),
                    _ => vec![],
                });
            }
            _ => {}
        }
        if let Some(forward) = turn(chord).or_else(|| motion(chord, 1).map(|by| by > 0)) {
            self.focus = turned(self.focus, LABELS.len(), forward);
        }
        Next::Stay(Dialog::Stop(self), vec![])
    }

    /// Draws it.
    pub fn view(&self, model: &Model, screen: Rect, buf: &mut Buffer) {
        let look = &model.look;
        let inside = boxed(screen, buf, (66, 10), &titles(look, "Stop the run?", ""), Slot::Danger, look);
        put(buf, row(inside, 0), &self.run, look.of(Slot::Strong));
        let done = model.live().map(|run| (run.state.finished_sub_runs(), run.state.sub_runs.len()));
        let said = match (done, self.asked) {
            (None, _) => "it has ended".to_owned(),
            (Some((done, all)), false) => format!("{done} of {all} sub-runs are done; what is recorded stays"),
            (Some((done, all)), true) => format!("{done} of {all} sub-runs are done; it was asked to stop"),
        };
        put(buf, row(inside, 1), &said, look.of(Slot::Dialog));
        for (at, label) in LABELS.iter().enumerate() {
            let focus = (self.focus == at).then_some(0);
            buttons(row(inside, 3 + u16::try_from(at).unwrap_or(0)), buf, &[label], focus, look);
        }
        let next = if self.now { "kill it" } else { "stop it now" };
        Line::new()
            .then("ctrl-c ", look.of(Slot::Key))
            .then(next, look.of(Slot::Dim))
            .then("   j k ", look.of(Slot::Key))
            .then("choose", look.of(Slot::Dim))
            .then("   Esc ", look.of(Slot::Key))
            .then("keep running", look.of(Slot::Dim))
            .draw(row(inside, 7), buf);
    }
}
