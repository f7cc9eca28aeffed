//! What lies over the panes: one dialog at a time, each a file with its state, its keys and its picture. While one is
//! open what is behind it is dimmed and has no keys.

pub mod axes;
pub mod confirm;
pub mod confirm_view;
pub mod find;
pub mod leave;
pub mod stop;
pub mod text;
pub mod theme;
pub mod unit;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::domain::chord::{Chord, Key};
use crate::domain::theme::Slot;
use crate::tui::canvas::{self, Line, Look, Titles};
use crate::tui::message::Effect;
use crate::tui::model::Model;

/// The dialog that is open.
#[derive(Debug)]
pub enum Dialog {
    /// Hardware margins are to be confirmed.
    Confirm(Box<confirm::Confirm>),
    /// How a run is to be stopped.
    Stop(stop::Stop),
    /// Whether to leave while a run goes on.
    Leave(leave::Leave),
    /// The unit under test.
    Unit(unit::Unit),
    /// Actions by name or key.
    Find(find::Find),
    /// The theme.
    Theme(theme::Themes),
    /// The axes of the shmoo.
    Axes(axes::Axes),
    /// Something to read.
    Text(text::Text),
}

/// What a key did to a dialog.
#[derive(Debug)]
pub enum Next {
    /// It stays.
    Stay(Dialog, Vec<Effect>),
    /// It is over.
    Close(Vec<Effect>),
}

/// Takes a key to the dialog that is open.
pub fn key(model: &mut Model, chord: Chord) -> Vec<Effect> {
    let Some(dialog) = model.dialog.take() else { return vec![] };
    let next = match dialog {
        Dialog::Confirm(confirm) => confirm.key(model, chord),
        Dialog::Stop(stop) => stop.key(model, chord),
        Dialog::Leave(leave) => leave.key(model, chord),
        Dialog::Unit(unit) => unit.key(model, chord),
        Dialog::Find(find) => find.key(model, chord),
        Dialog::Theme(themes) => themes.key(model, chord),
        Dialog::Axes(axes) => axes.key(model, chord),
        Dialog::Text(text) => text.key(model, chord),
    };
    match next {
        Next::Stay(dialog, effects) => {
            model.dialog = Some(dialog);
            effects
        }
        Next::Close(effects) => effects,
    }
}

/// Takes pasted text to the field of the dialog that is open.
pub fn paste(model: &mut Model, text: &str) -> Vec<Effect> {
    // A scanner or a paste ends with a newline; it is a key of its own and never part of a name.
    let text = text.trim_end_matches(['\r', '\n']);
    match &mut model.dialog {
        Some(Dialog::Confirm(confirm)) => confirm.paste(text),
        Some(Dialog::Unit(unit)) => unit.field.insert(text),
        Some(Dialog::Find(find)) => find.field.insert(text),
        _ => {}
    }
    vec![]
}

/// Draws the dialog that is open over the screen.
pub fn view(model: &Model, screen: Rect, buf: &mut Buffer) {
    let Some(dialog) = &model.dialog else { return };
    canvas::paint(buf, screen, model.look.of(Slot::Backdrop));
    match dialog {
        Dialog::Confirm(confirm) => confirm_view::view(confirm, model, screen, buf),
        Dialog::Stop(stop) => stop.view(model, screen, buf),
        Dialog::Leave(leave) => leave.view(model, screen, buf),
        Dialog::Unit(unit) => unit.view(model, screen, buf),
        Dialog::Find(find) => find.view(model, screen, buf),
        Dialog::Theme(themes) => themes.view(model, screen, buf),
        Dialog::Axes(axes) => axes.view(model, screen, buf),
        Dialog::Text(text) => text.view(model, screen, buf),
    }
}

/// Whether a key closes any dialog without doing anything.
pub fn is_cancel(chord: Chord) -> bool {
    chord.key == Key::Esc || (chord.ctrl && chord.key == Key::Char('c'))
}

/// By how many rows a key moves in a list, if it does.
pub fn motion(chord: Chord, page: isize) -> Option<isize> {
    Some(match (chord.key, chord.ctrl) {
        (Key::Down, _) | (Key::Char('j'), false) => 1,
        (Key::Up, _) | (Key::Char('k'), false) => -1,
        (Key::PageDown, _) | (Key::Char('d'), true) => page,
        (Key::PageUp, _) | (Key::Char('u'), true) => -page,
        (Key::Home, _) | (Key::Char('g'), false) => isize::MIN,
        (Key::End, _) | (Key::Char('G'), false) => isize::MAX,
        _ => return None,
    })
}

/// Whether a key moves on among buttons, or back.
pub fn turn(chord: Chord) -> Option<bool> {
    Some(match chord.key {
        Key::Tab | Key::Right => true,
        Key::Char('l') if !chord.ctrl => true,
        Key::BackTab | Key::Left => false,
        Key::Char('h') if !chord.ctrl => false,
        _ => return None,
    })
}

/// The next of `count` things, around the end.
pub fn turned(at: usize, count: usize, forward: bool) -> usize {
    let count = count.max(1);
    if forward { (at + 1) % count } else { (at + count - 1) % count }
}

/// Draws a box of at most this size in the middle; returns what is inside.
pub fn boxed(screen: Rect, buf: &mut Buffer, size: (u16, u16), titles: &Titles, frame: Slot, look: &Look) -> Rect {
    let (width, height) = (size.0.min(screen.width), size.1.min(screen.height));
    let area =
        Rect { x: screen.x + (screen.width - width) / 2, y: screen.y + (screen.height - height) / 2, width, height };
    canvas::clear(buf, area, look.of(Slot::Dialog));
    let inside = canvas::frame_in(buf, area, titles, look.of(Slot::Dialog).patch(look.of(frame)), true, look.ascii);
    // A blank at both sides, where there is room for it.
    if inside.width > 20 { Rect { x: inside.x + 1, width: inside.width - 2, ..inside } } else { inside }
}

/// A title in the style of a dialog's.
pub fn titles(look: &Look, title: &str, right: &str) -> Titles {
    Titles {
        left: Line::new().then(title, look.of(Slot::TitleFocus)),
        right: Line::new().then(right, look.of(Slot::Dim)),
        below: Line::new(),
    }
}

/// A row of buttons; the one at `focus` is what Enter presses.
pub fn buttons(area: Rect, buf: &mut Buffer, labels: &[&str], focus: Option<usize>, look: &Look) {
    let mut line = Line::new();
    for (at, label) in labels.iter().enumerate() {
        let (mark, style) = if focus == Some(at) {
            (if look.ascii { ">" } else { "▸" }, look.of(Slot::ButtonFocus))
        } else {
            (" ", look.of(Slot::Button))
        };
        line.push(format!("{mark} "), look.of(Slot::Accent));
        line.push(format!("[ {label} ]"), style);
        line.push("   ", Style::new());
    }
    line.draw(area, buf);
}

/// A field that is typed into, with a cursor where it has the keys.
pub fn field(area: Rect, buf: &mut Buffer, text: &crate::tui::field::Field, focused: bool, look: &Look) {
    let room = usize::from(area.width.saturating_sub(1));
    let style = look.of(Slot::Field);
    canvas::clear(buf, canvas::row(area, 0), style);
    // What stands before the cursor is always seen.
    let before = canvas::put(buf, area, &tail(text.before(), room), style);
    let rest = Rect { x: before, width: area.right().saturating_sub(before), ..area };
    let after = text.text().get(text.before().len()..).unwrap_or_default();
    canvas::put(buf, rest, after, style);
    if focused && before < area.right() {
        canvas::paint(buf, Rect { x: before, width: 1, height: 1, ..area }, look.of(Slot::Cursor));
    }
}

fn tail(text: &str, room: usize) -> String {
    use unicode_width::UnicodeWidthStr as _;
    let mut from = text;
    while from.width() > room {
        let mut chars = from.chars();
        chars.next();
        from = chars.as_str();
    }
    from.to_owned()
}
