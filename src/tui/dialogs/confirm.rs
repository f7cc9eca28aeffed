//! The confirmation before hardware is moved. It begins on Abort, passes over keys typed ahead, knows no mouse, and
//! disarms when a file changes meanwhile. In the serial's field letters are text and Enter only moves on: barcode
//! scanners end with one.

use crate::commands::plan::check_unit;
use crate::domain::chord::{Chord, Key};
use crate::domain::time::Timestamp;
use crate::tui::dialogs::{Dialog, Next, motion, turn, turned};
use crate::tui::field::Field;
use crate::tui::message::{Effect, Proposed};
use crate::tui::model::{Model, Tone};

/// Keys that come sooner than this after it opened were meant for something else, milliseconds.
const TYPED_AHEAD: u64 = 400;

/// What has the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Focus {
    /// Nothing is started.
    Abort,
    /// The serial is typed.
    Serial,
    /// The margin profile is opened in the editor.
    Edit,
    /// It is started.
    Run,
}

/// The question.
#[derive(Debug)]
pub struct Confirm {
    /// What is proposed.
    pub proposed: Proposed,
    /// What has the keys.
    pub focus: Focus,
    /// The serial.
    pub serial: Field,
    /// When all was looked at.
    pub checked: Timestamp,
    /// What changed meanwhile: it cannot be confirmed any more.
    pub changed: Option<String>,
    /// The first line that is shown, where they are too many.
    pub top: usize,
}

/// Opens the question.
pub fn open(proposed: Proposed, now: Timestamp) -> Dialog {
    Dialog::Confirm(Box::new(Confirm {
        proposed,
        focus: Focus::Abort,
        serial: Field::default(),
        checked: now,
        changed: None,
        top: 0,
    }))
}

impl Confirm {
    /// Whether the serial has to be typed.
    pub const fn asks_serial(&self) -> bool {
        self.proposed.proposal.on_a_limit > 0
    }

    /// The unit that is named already.
    pub fn unit(&self) -> Option<&str> {
        self.proposed.proposal.plan.unit.as_deref()
    }

    /// Why it cannot be started as it stands.
    pub fn refusal(&self) -> Option<String> {
        if let Some(changed) = &self.changed {
            return Some(format!("{changed} changed on disk: Esc, then look again"));
        }
        if !self.asks_serial() {
            return None;
        }
        let typed = self.serial.text().trim();
        if typed.is_empty() {
            return Some("a point on a limit needs the unit's serial: type it".to_owned());
        }
        if let Err(failure) = check_unit(Some(typed)) {
            return Some(failure.message);
        }
        match self.unit() {
            Some(unit) if unit != typed => Some("that is not the unit that was named".to_owned()),
            _ => None,
        }
    }

    /// A file changed: what is shown is not what would run.
    pub fn disarm(&mut self, file: &str) {
        self.changed = Some(file.to_owned());
        self.focus = Focus::Abort;
    }

    /// The stops of Tab, in order.
    pub fn stops(&self) -> Vec<Focus> {
        let mut stops = vec![Focus::Abort];
        if self.asks_serial() {
            stops.push(Focus::Serial);
        }
        if self.proposed.margin_file.is_some() {
            stops.push(Focus::Edit);
        }
        stops.push(Focus::Run);
        stops
    }

    fn move_on(&mut self, forward: bool) {
        let stops = self.stops();
        let at = stops.iter().position(|stop| *stop == self.focus).unwrap_or(0);
        self.focus = stops.get(turned(at, stops.len(), forward)).copied().unwrap_or(Focus::Abort);
    }

    /// Takes pasted text.
    pub fn paste(&mut self, text: &str) {
        if self.focus == Focus::Serial {
            self.serial.insert(text);
        }
    }

    /// Takes a key.
    pub fn key(mut self: Box<Self>, model: &mut Model, chord: Chord) -> Next {
        if model.now.since(self.checked) < TYPED_AHEAD {
            return Next::Stay(Dialog::Confirm(self), vec![]);
        }
        let in_field = self.focus == Focus::Serial;
        match chord {
            Chord { key: Key::Esc, .. } | Chord { key: Key::Char('c'), ctrl: true, .. } => return declined(model),
            Chord { key: Key::Char('n'), ctrl: false, .. } if !in_field => return declined(model),
            Chord { key: Key::Enter, .. } => return self.press(model),
            Chord { key: Key::Tab, .. } => self.move_on(true),
            Chord { key: Key::BackTab, .. } => self.move_on(false),
            _ if in_field => drop(self.serial.key(chord)),
            _ => match (turn(chord), motion(chord, 10)) {
                (Some(forward), _) => self.move_on(forward),
                (None, Some(by)) => self.top = self.top.saturating_add_signed(by).min(1000),
                (None, None) => {}
            },
        }
        Next::Stay(Dialog::Confirm(self), vec![])
    }

    fn press(mut self: Box<Self>, model: &mut Model) -> Next {
        match self.focus {
            Focus::Abort => declined(model),
            Focus::Serial => {
                self.move_on(true);
                Next::Stay(Dialog::Confirm(self), vec![])
            }
            Focus::Edit => {
                let file = self.proposed.margin_file;
                Next::Close(file.map(Effect::Edit).into_iter().collect())
            }
            Focus::Run => {
                if let Some(why) = self.refusal() {
                    model.say(Tone::Error, why);
                    if self.asks_serial() && self.changed.is_none() {
                        self.focus = Focus::Serial;
                    }
                    return Next::Stay(Dialog::Confirm(self), vec![]);
                }
                let mut launch = self.proposed.launch;
                if self.proposed.proposal.on_a_limit > 0 {
                    launch.unit = Some(self.serial.text().trim().to_owned());
                }
                let ticket = model.ticket();
                model.waiting = Some((ticket, "starting"));
                Next::Close(vec![Effect::Start(ticket, Box::new(launch))])
            }
        }
    }
}

fn declined(model: &mut Model) -> Next {
    if model.errand.is_some() {
        model.exit = Some(crate::tui::message::Exit::Declined);
    }
    model.say(Tone::Warning, "declined; nothing was started");
    Next::Close(vec![])
}

#[cfg(test)]
#[path = "confirm_tests.rs"]
mod tests;
