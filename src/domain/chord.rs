//! Keys as people write them: `j`, `ctrl-d`, `S-Tab`, `PgUp`, and `]e` for one after the other. Pure: what a terminal
//! sends for them is the faces' matter.

use std::fmt;
use std::str::FromStr;

use crate::domain::sanitize;

/// A key of the keyboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// What it types; a blank is the space bar, an upper-case letter is one with Shift.
    Char(char),
    /// Enter.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Tab with Shift, which terminals send as a key of its own.
    BackTab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Insert.
    Insert,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// A function key, 1 to [`Key::LAST_F`].
    F(u8),
}

impl Key {
    /// The last function key that can be written.
    pub const LAST_F: u8 = 24;

    /// The keys that have a name, each as it is shown; then what else people call them.
    pub const NAMED: [(&'static str, Self); 24] = [
        ("Enter", Self::Enter),
        ("Esc", Self::Esc),
        ("Tab", Self::Tab),
        ("S-Tab", Self::BackTab),
        ("Space", Self::Char(' ')),
        ("Backspace", Self::Backspace),
        ("Delete", Self::Delete),
        ("Insert", Self::Insert),
        ("Up", Self::Up),
        ("Down", Self::Down),
        ("Left", Self::Left),
        ("Right", Self::Right),
        ("Home", Self::Home),
        ("End", Self::End),
        ("PgUp", Self::PageUp),
        ("PgDn", Self::PageDown),
        ("Return", Self::Enter),
        ("Escape", Self::Esc),
        ("Shift-Tab", Self::BackTab),
        ("BackTab", Self::BackTab),
        ("Del", Self::Delete),
        ("Ins", Self::Insert),
        ("PageUp", Self::PageUp),
        ("PageDown", Self::PageDown),
    ];

    /// Names count in any case, characters as they are.
    fn parse(text: &str) -> Option<Self> {
        let mut chars = text.chars();
        if let (Some(only), None) = (chars.next(), chars.next()) {
            return is_shown(only).then_some(Self::Char(only));
        }
        if let Some((_, key)) = Self::NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Some(*key);
        }
        let number = text.strip_prefix(['F', 'f'])?;
        let number: u8 = number.parse().ok().filter(|n: &u8| n.to_string() == number)?;
        (1..=Self::LAST_F).contains(&number).then_some(Self::F(number))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = Self::NAMED.iter().find(|(_, key)| key == self) {
            return f.write_str(name);
        }
        match self {
            Self::Char(char) => write!(f, "{char}"),
            Self::F(number) => write!(f, "F{number}"),
            // All others have names.
            _ => Ok(()),
        }
    }
}

/// What can be seen when it is written, so that two ways of writing never look the same.
fn is_shown(char: char) -> bool {
    !char.is_whitespace() && !char.is_control() && !sanitize::is_hostile(char)
}

/// A key with what is held down beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chord {
    /// The key.
    pub key: Key,
    /// Control.
    pub ctrl: bool,
    /// Alt.
    pub alt: bool,
}

impl Chord {
    /// As a terminal can tell it: with Control letters have no case, and `ctrl-i`, `ctrl-m` and `ctrl-[` are Tab, Enter
    /// and Esc.
    pub const fn new(key: Key, ctrl: bool, alt: bool) -> Self {
        let (key, ctrl) = match key {
            Key::Char('i' | 'I') if ctrl => (Key::Tab, false),
            Key::Char('m' | 'M') if ctrl => (Key::Enter, false),
            Key::Char('[') if ctrl => (Key::Esc, false),
            Key::Char(char) if ctrl => (Key::Char(char.to_ascii_lowercase()), ctrl),
            key => (key, ctrl),
        };
        Self { key, ctrl, alt }
    }

    /// A key alone.
    pub const fn plain(key: Key) -> Self {
        Self::new(key, false, false)
    }

    /// A character alone that can be seen.
    fn glyph(self) -> Option<char> {
        match self {
            Self { key: Key::Char(char), ctrl: false, alt: false } if char != ' ' => Some(char),
            _ => None,
        }
    }
}

impl fmt::Display for Chord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ctrl, alt) = (if self.ctrl { CTRL } else { "" }, if self.alt { ALT } else { "" });
        write!(f, "{ctrl}{alt}{}", self.key)
    }
}

const CTRL: &str = "ctrl-";
const ALT: &str = "alt-";

/// Why a text is no keys.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotKeys {
    /// Nothing, or a blank too many.
    #[error("between two keys stands one blank; the space bar is `Space`")]
    Blank,
    /// A word that is no key's.
    #[error("a key is one character, or a name such as `Enter`, `PgUp` or `F5`, with `ctrl-` or `alt-` before it")]
    Unknown(String),
    /// More than two.
    #[error("at most two keys, one after the other")]
    Long,
}

impl FromStr for Chord {
    type Err = NotKeys;

    fn from_str(text: &str) -> Result<Self, NotKeys> {
        let (mut ctrl, mut alt, mut rest) = (false, false, text);
        loop {
            // `ctrl--` is the key `-`.
            if let Some(after) = without(rest, CTRL).filter(|_| !ctrl) {
                (ctrl, rest) = (true, after);
            } else if let Some(after) = without(rest, ALT).filter(|_| !alt) {
                (alt, rest) = (true, after);
            } else {
                break;
            }
        }
        let key = Key::parse(rest).ok_or_else(|| NotKeys::Unknown(rest.to_owned()))?;
        Ok(Self::new(key, ctrl, alt))
    }
}

/// What stands behind a prefix in any case.
fn without<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (before, after) = text.split_at_checked(prefix.len())?;
    before.eq_ignore_ascii_case(prefix).then_some(after)
}

/// What is pressed for an action: one chord, or two one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Keys {
    /// The first.
    pub first: Chord,
    /// The second, if there is one.
    pub then: Option<Chord>,
}

impl Keys {
    /// The most that a sequence has.
    pub const LONGEST: usize = 2;

    /// The chords in order.
    pub fn chords(&self) -> impl Iterator<Item = Chord> + use<> {
        std::iter::once(self.first).chain(self.then)
    }

    /// Whether what was typed so far begins it, or is all of it.
    pub fn begins_with(&self, typed: &[Chord]) -> bool {
        let mut chords = self.chords();
        typed.iter().all(|chord| chords.next() == Some(*chord))
    }

    /// Whether pressing all of one leaves the other unreachable: they are the same, or one begins the other.
    pub fn clashes_with(&self, other: &Self) -> bool {
        self.chords().zip(other.chords()).all(|(one, other)| one == other)
    }
}

impl From<Chord> for Keys {
    fn from(chord: Chord) -> Self {
        Self { first: chord, then: None }
    }
}

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(then) = self.then else { return self.first.fmt(f) };
        if let (Some(first), Some(then)) = (self.first.glyph(), then.glyph()) {
            let together = format!("{first}{then}");
            // `F5` and `Up` are keys of their own.
            if Key::parse(&together).is_none() {
                return f.write_str(&together);
            }
        }
        write!(f, "{} {then}", self.first)
    }
}

impl FromStr for Keys {
    type Err = NotKeys;

    fn from_str(text: &str) -> Result<Self, NotKeys> {
        if text.is_empty() || text.split(' ').any(str::is_empty) {
            return Err(NotKeys::Blank);
        }
        let mut words = text.split(' ');
        let first = words.next().unwrap_or_default();
        if let Some(then) = words.next() {
            let keys = Self { first: first.parse()?, then: Some(then.parse()?) };
            return if words.next().is_none() { Ok(keys) } else { Err(NotKeys::Long) };
        }
        let unknown = match first.parse::<Chord>() {
            Ok(chord) => return Ok(chord.into()),
            Err(unknown) => unknown,
        };
        let chars: Vec<char> = first.chars().collect();
        match chars[..] {
            [one, other] if is_shown(one) && is_shown(other) => {
                Ok(Self { first: Chord::plain(Key::Char(one)), then: Some(Chord::plain(Key::Char(other))) })
            }
            _ => Err(unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chord(key: Key, ctrl: bool, alt: bool) -> Chord {
        Chord { key, ctrl, alt }
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let check = |text: &str, expected: &[Chord]| {
            let keys: Keys = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(keys.chords().collect::<Vec<_>>(), expected, "{text}");
        };
        let plain = Chord::plain;
        check("j", &[plain(Key::Char('j'))]);
        check("S", &[plain(Key::Char('S'))]);
        check("?", &[plain(Key::Char('?'))]);
        check("-", &[plain(Key::Char('-'))]);
        check("漢", &[plain(Key::Char('漢'))]);
        check("ctrl-d", &[chord(Key::Char('d'), true, false)]);
        check("Ctrl-D", &[chord(Key::Char('d'), true, false)]);
        check("ctrl--", &[chord(Key::Char('-'), true, false)]);
        check("alt-x", &[chord(Key::Char('x'), false, true)]);
        check("alt-X", &[chord(Key::Char('X'), false, true)]);
        check("alt-ctrl-Space", &[chord(Key::Char(' '), true, true)]);
        check("S-Tab", &[plain(Key::BackTab)]);
        check("shift-tab", &[plain(Key::BackTab)]);
        check("ENTER", &[plain(Key::Enter)]);
        check("pgup", &[plain(Key::PageUp)]);
        check("PageDown", &[plain(Key::PageDown)]);
        check("F5", &[plain(Key::F(5))]);
        check("f24", &[plain(Key::F(24))]);
        check("F0", &[plain(Key::Char('F')), plain(Key::Char('0'))]);
        // What a terminal sends for them.
        check("ctrl-i", &[plain(Key::Tab)]);
        check("ctrl-M", &[plain(Key::Enter)]);
        check("alt-ctrl-[", &[chord(Key::Esc, false, true)]);
        check("]e", &[plain(Key::Char(']')), plain(Key::Char('e'))]);
        check("gg", &[plain(Key::Char('g')), plain(Key::Char('g'))]);
        check("g g", &[plain(Key::Char('g')), plain(Key::Char('g'))]);
        check("U p", &[plain(Key::Char('U')), plain(Key::Char('p'))]);
        check("ctrl-x Space", &[chord(Key::Char('x'), true, false), plain(Key::Char(' '))]);
    }

    #[test]
    fn what_is_no_keys_says_why() {
        let check = |text: &str, expected: NotKeys| assert_eq!(text.parse::<Keys>(), Err(expected), "{text:?}");
        let unknown = |text: &str| NotKeys::Unknown(text.to_owned());
        for text in ["", " ", "a ", " a", "a  b"] {
            check(text, NotKeys::Blank);
        }
        check("ctrl-", unknown(""));
        check("ctrl-ctrl-a", unknown("ctrl-a"));
        check("Entr", unknown("Entr"));
        check("alt-PgUpp", unknown("PgUpp"));
        check("F25", unknown("F25"));
        check("F05", unknown("F05"));
        check("ggg", unknown("ggg"));
        check("a b c", NotKeys::Long);
        check("\u{1b}", unknown("\u{1b}"));
        check("\t", unknown("\t"));
        check("a\u{202e}", unknown("a\u{202e}"));
    }

    #[test]
    fn one_begins_the_other() {
        let check = |one: &str, other: &str, expected: bool| {
            let (one, other): (Keys, Keys) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!((one.clashes_with(&other), other.clashes_with(&one)), (expected, expected), "{one} {other}");
        };
        check("g", "g", true);
        check("g", "gg", true);
        check("gg", "ge", false);
        check("g", "G", false);
        check("e", "]e", false);
        let keys: Keys = "]e".parse().unwrap();
        let [first, then] = [Chord::plain(Key::Char(']')), Chord::plain(Key::Char('e'))];
        assert!(keys.begins_with(&[]) && keys.begins_with(&[first]) && keys.begins_with(&[first, then]));
        assert!(!keys.begins_with(&[then]) && !keys.begins_with(&[first, then, then]));
    }

    fn any_chord() -> impl Strategy<Value = Chord> {
        let named = prop::sample::select(Key::NAMED.map(|(_, key)| key).to_vec());
        let shown = any::<char>().prop_filter("shown", |char| is_shown(*char)).prop_map(Key::Char);
        let key = prop_oneof![
            named,
            shown,
            "[!-~]".prop_map(|text| Key::Char(text.chars().next().unwrap())),
            (1..=Key::LAST_F).prop_map(Key::F)
        ];
        (key, any::<bool>(), any::<bool>()).prop_map(|(key, ctrl, alt)| Chord::new(key, ctrl, alt))
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(first in any_chord(), then in prop::option::of(any_chord())) {
            let keys = Keys { first, then };
            prop_assert_eq!(keys.to_string().parse(), Ok(keys));
        }

        #[test]
        fn two_characters_are_read_back_whatever_they_spell(text in "[!-~] [!-~]") {
            let keys: Keys = text.parse().unwrap();
            prop_assert_eq!(keys.chords().count(), 2);
            prop_assert_eq!(keys.to_string().parse(), Ok(keys));
        }

        #[test]
        fn no_text_brings_it_down(text in "\\PC{0,9}|(ctrl-|alt-|F|S-| |é){0,5}") {
            if let Ok(keys) = text.parse::<Keys>() {
                prop_assert_eq!(keys.to_string().parse(), Ok(keys));
            }
        }
    }
}
