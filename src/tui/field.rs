//! One line of text that is typed into: a serial, a search, a name. Never longer than it may be, never with anything
//! hostile in it.

use crate::domain::chord::{Chord, Key};
use crate::domain::sanitize;

/// A line being typed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Field {
    text: String,
    /// The cursor, in bytes, on a character's edge.
    at: usize,
}

/// The longest text, bytes.
const LONGEST: usize = 512;

impl Field {
    /// With text in it, the cursor behind.
    pub fn of(text: &str) -> Self {
        let mut field = Self::default();
        field.insert(text);
        field
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor.
    pub fn before(&self) -> &str {
        self.text.get(..self.at).unwrap_or_default()
    }

    /// Typed or pasted text; what could move a cursor is left out.
    pub fn insert(&mut self, text: &str) {
        for c in text.chars().filter(|c| !sanitize::is_hostile(*c) && !matches!(c, '\n' | '\t')) {
            if self.text.len() + c.len_utf8() <= LONGEST {
                self.text.insert(self.at, c);
                self.at += c.len_utf8();
            }
        }
    }

    /// Takes a key; false when it is none of a field's.
    pub fn key(&mut self, chord: Chord) -> bool {
        match chord {
            Chord { key: Key::Char(c), ctrl: false, alt: false } => self.insert(c.encode_utf8(&mut [0; 4])),
            Chord { key: Key::Backspace, .. } | Chord { key: Key::Char('h'), ctrl: true, .. } => {
                if let Some(c) = self.before().chars().next_back() {
                    self.at -= c.len_utf8();
                    self.text.remove(self.at);
                }
            }
            Chord { key: Key::Delete, .. } => {
                if self.at < self.text.len() {
                    self.text.remove(self.at);
                }
            }
            Chord { key: Key::Left, .. } => self.at -= self.before().chars().next_back().map_or(0, char::len_utf8),
            Chord { key: Key::Right, .. } => {
                let after = self.text.get(self.at..).unwrap_or_default();
                self.at += after.chars().next().map_or(0, char::len_utf8);
            }
            Chord { key: Key::Home, .. } | Chord { key: Key::Char('a'), ctrl: true, .. } => self.at = 0,
            Chord { key: Key::End, .. } | Chord { key: Key::Char('e'), ctrl: true, .. } => self.at = self.text.len(),
            Chord { key: Key::Char('u'), ctrl: true, .. } => {
                *self = Self::of(self.text.get(self.at..).unwrap_or_default()).home();
            }
            Chord { key: Key::Char('w'), ctrl: true, .. } => {
                let kept = self.before().trim_end().rfind(' ').map_or(0, |space| space + 1);
                self.text.replace_range(kept..self.at, "");
                self.at = kept;
            }
            _ => return false,
        }
        true
    }

    fn home(mut self) -> Self {
        self.at = 0;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(keys: &str, expected: &str) {
        let mut field = Field::default();
        for key in keys.split(' ') {
            let chord = match key {
                "BS" => Chord::plain(Key::Backspace),
                "DEL" => Chord::plain(Key::Delete),
                "<" => Chord::plain(Key::Left),
                ">" => Chord::plain(Key::Right),
                "HOME" => Chord::plain(Key::Home),
                "SP" => Chord::plain(Key::Char(' ')),
                key if key.starts_with('^') => {
                    Chord { key: Key::Char(key.chars().nth(1).unwrap()), ctrl: true, alt: false }
                }
                key => Chord::plain(Key::Char(key.chars().next().unwrap())),
            };
            assert!(field.key(chord), "{key}");
        }
        assert_eq!(format!("{}|{}", field.before(), &field.text()[field.before().len()..]), expected, "{keys}");
    }

    #[test]
    fn typing() {
        check("a b c", "abc|");
        check("a ä 漢 BS b", "aäb|");
        check("a b < < x > y", "xay|b");
        check("a b HOME DEL c", "c|b");
        check("a SP b c ^w d", "a d|");
        check("a b < ^u", "|b");
        check("BS < DEL a", "a|");
    }

    #[test]
    fn nothing_hostile_and_nothing_too_long_gets_in() {
        let mut field = Field::default();
        field.insert("a\u{1b}[2J\nb\u{202e}c");
        assert_eq!(field.text(), "a[2Jbc");
        field.insert(&"x".repeat(1000));
        assert_eq!(field.text().len(), LONGEST);
        assert!(!field.key(Chord::plain(Key::Enter)));
    }
}
