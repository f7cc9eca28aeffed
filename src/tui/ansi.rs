//! A line of a diagnostic as text and runs of one style: its colours and attributes kept, every other control gone.
//! Costs one pass over the line, once when it comes into view, and about as much memory as the line; nothing is kept
//! between lines, each starts plain. Never lets through what could move a cursor, deceive an eye or hide text.

use ratatui::style::{Modifier, Style};
use unicode_width::UnicodeWidthChar as _;

use super::palette;
use crate::domain::shown::{self, Screen};
use crate::domain::theme::{Colour, Depth};

/// Columns from one tab stop to the next.
const TAB: usize = 8;
/// Marks that may stand on one character; more would climb over other lines.
const MOST_MARKS: usize = 4;

/// Text and how it is painted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// All of it.
    pub text: String,
    /// Where each run ends, in bytes, and its style: what is not said is the line's own.
    runs: Vec<(usize, Style)>,
}

impl Shown {
    /// Text without colours of its own.
    pub fn plain(text: String) -> Self {
        let runs = vec![(text.len(), Style::new())];
        Self { text, runs }
    }

    /// What is seen of a line, in as many colours as there are.
    pub fn of(line: &[u8], depth: Depth) -> Self {
        let mut ink = Ink { depth, text: String::with_capacity(line.len()), ..Ink::default() };
        shown::show(line, &mut ink);
        Self { text: ink.text, runs: ink.runs }
    }

    /// Text of ours behind it.
    pub fn append(&mut self, text: &str) {
        self.text.push_str(text);
        self.runs.push((self.text.len(), Style::new()));
    }

    /// Each run's end, in bytes, and its style.
    pub fn runs(&self) -> &[(usize, Style)] {
        &self.runs
    }
}

/// What the next characters are painted with, and those that were.
#[derive(Debug)]
struct Ink {
    depth: Depth,
    text: String,
    runs: Vec<(usize, Style)>,
    column: usize,
    marks: usize,
    fg: Option<Colour>,
    bg: Option<Colour>,
    attributes: Modifier,
}

impl Default for Ink {
    fn default() -> Self {
        let (text, runs, attributes) = (String::new(), vec![], Modifier::empty());
        Self { depth: Depth::None, text, runs, column: 0, marks: 0, fg: None, bg: None, attributes }
    }
}

impl Screen for Ink {
    fn text(&mut self, text: &str) {
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            self.text.push_str(text);
            (self.column, self.marks) = (self.column + text.len(), 0);
        } else {
            text.chars().for_each(|c| self.put(c));
        }
        self.end_run();
    }

    fn back(&mut self) {
        if let Some(c) = self.text.pop() {
            self.column = self.column.saturating_sub(c.width().unwrap_or(0));
        }
        while self.runs.last().is_some_and(|(end, _)| *end > self.text.len()) {
            let last = self.runs.pop();
            let begins_before = self.runs.last().map_or(0, |(end, _)| *end) < self.text.len();
            if let Some((_, style)) = last.filter(|_| begins_before) {
                self.runs.push((self.text.len(), style));
            }
        }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.runs.clear();
        (self.column, self.marks) = (0, 0);
    }

    fn colours(&mut self, parameters: &[u8]) {
        let mut fields = parameters.split(|byte| *byte == b';');
        while let Some(field) = fields.next() {
            let mut parts = field.split(|byte| *byte == b':').map(number);
            let code = parts.next().unwrap_or_default();
            match code {
                38 | 48 | 58 => {
                    let has_parts = field.contains(&b':');
                    let colour = if has_parts { of_parts(&parts.collect::<Vec<_>>()) } else { of_fields(&mut fields) };
                    match (code, colour) {
                        (38, Some(colour)) => self.fg = Some(colour),
                        (48, Some(colour)) => self.bg = Some(colour),
                        _ => {}
                    }
                }
                4 => self.attributes.set(Modifier::UNDERLINED, parts.next() != Some(0)),
                _ => self.attribute(code),
            }
        }
    }
}

impl Ink {
    fn put(&mut self, c: char) {
        if c == '\t' {
            let spaces = TAB - self.column % TAB;
            self.text.extend(std::iter::repeat_n(' ', spaces));
            (self.column, self.marks) = (self.column + spaces, 0);
            return;
        }
        let width = c.width().unwrap_or(0);
        self.marks = if width == 0 { self.marks + 1 } else { 0 };
        if self.marks <= MOST_MARKS {
            self.text.push(c);
            self.column += width;
        }
    }

    fn end_run(&mut self) {
        let (style, end) = (self.style(), self.text.len());
        match self.runs.last_mut() {
            Some((last, known)) if *known == style => *last = end,
            _ => self.runs.push((end, style)),
        }
    }

    fn style(&self) -> Style {
        let color = |colour: Option<Colour>| {
            colour.filter(|_| self.depth != Depth::None).map(|colour| palette::color(colour, self.depth))
        };
        let (fg, bg) = (color(self.fg), color(self.bg));
        // Ink on ground of the same colour would hide text.
        let bg = bg.filter(|_| bg != fg);
        Style { fg, bg, add_modifier: self.attributes, ..Style::new() }
    }

    /// Blinking and hidden text are shown as any other.
    fn attribute(&mut self, code: u8) {
        match code {
            0 => (self.fg, self.bg, self.attributes) = (None, None, Modifier::empty()),
            1 => self.attributes.insert(Modifier::BOLD),
            2 => self.attributes.insert(Modifier::DIM),
            3 => self.attributes.insert(Modifier::ITALIC),
            7 => self.attributes.insert(Modifier::REVERSED),
            9 => self.attributes.insert(Modifier::CROSSED_OUT),
            21 => self.attributes.insert(Modifier::UNDERLINED),
            22 => self.attributes.remove(Modifier::BOLD | Modifier::DIM),
            23 => self.attributes.remove(Modifier::ITALIC),
            24 => self.attributes.remove(Modifier::UNDERLINED),
            27 => self.attributes.remove(Modifier::REVERSED),
            29 => self.attributes.remove(Modifier::CROSSED_OUT),
            30..=37 => self.fg = Some(Colour::Ansi(code - 30)),
            39 => self.fg = None,
            40..=47 => self.bg = Some(Colour::Ansi(code - 40)),
            49 => self.bg = None,
            90..=97 => self.fg = Some(Colour::Ansi(code - 82)),
            100..=107 => self.bg = Some(Colour::Ansi(code - 92)),
            _ => {}
        }
    }
}

/// Nothing is zero, and what is no number of eight bits is nothing known.
fn number(digits: &[u8]) -> u8 {
    match str::from_utf8(digits) {
        Ok("") => 0,
        Ok(digits) => digits.parse().unwrap_or(u8::MAX),
        Err(_) => u8::MAX,
    }
}

/// `38;5;n` or `38;2;r;g;b`, behind the 38.
fn of_fields<'f>(fields: &mut impl Iterator<Item = &'f [u8]>) -> Option<Colour> {
    let mut next = || fields.next().map(number);
    match next()? {
        5 => Some(indexed(next()?)),
        2 => Some(Colour::Rgb(next()?, next()?, next()?)),
        _ => None,
    }
}

/// `38:5:n`, `38:2:r:g:b` or `38:2:space:r:g:b`, behind the 38.
fn of_parts(parts: &[u8]) -> Option<Colour> {
    match *parts {
        [5, index, ..] => Some(indexed(index)),
        [2, red, green, blue] | [2, _, red, green, blue, ..] => Some(Colour::Rgb(red, green, blue)),
        _ => None,
    }
}

const fn indexed(index: u8) -> Colour {
    if index < 16 { Colour::Ansi(index) } else { Colour::Indexed(index) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sanitize::is_hostile;
    use proptest::prelude::*;
    use ratatui::style::Color;

    /// A line as its runs: the text of each, and what is said of its style.
    fn runs(line: &[u8], depth: Depth) -> Vec<(String, Style)> {
        let shown = Shown::of(line, depth);
        let mut start = 0;
        let runs = shown.runs.iter().map(|(end, style)| {
            let text = shown.text[std::mem::replace(&mut start, *end)..*end].to_owned();
            (text, *style)
        });
        let runs = runs.collect();
        assert_eq!(start, shown.text.len());
        runs
    }

    fn check(line: &str, depth: Depth, expected: &[(&str, Style)]) {
        let expected: Vec<_> = expected.iter().map(|(text, style)| ((*text).to_owned(), *style)).collect();
        assert_eq!(runs(line.as_bytes(), depth), expected, "{line:?}");
    }

    #[test]
    fn colours_are_kept_as_far_as_the_terminal_has_them() {
        let plain = Style::new();
        let (red, deep) = (plain.fg(Color::Red), plain.fg(Color::Rgb(250, 90, 80)));
        check("plain", Depth::True, &[("plain", plain)]);
        check("a\x1b[31mb\x1b[mc", Depth::Ansi, &[("a", plain), ("b", red), ("c", plain)]);
        check("a\x1b[31mb", Depth::None, &[("ab", plain)]);
        check(
            "\x1b[1;4mb\x1b[22;24mc",
            Depth::None,
            &[("b", plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED)), ("c", plain)],
        );
        check("\x1b[38;2;250;90;80mx", Depth::True, &[("x", deep)]);
        check("\x1b[38:2::250:90:80mx", Depth::True, &[("x", deep)]);
        check("\x1b[38;2;250;90;80mx", Depth::Ansi, &[("x", plain.fg(Color::LightRed))]);
        check(
            "\x1b[38;5;196;48:5:17mx",
            Depth::Indexed,
            &[("x", plain.fg(Color::Indexed(196)).bg(Color::Indexed(17)))],
        );
        check("\x1b[97;100mx", Depth::Ansi, &[("x", plain.fg(Color::White).bg(Color::DarkGray))]);
        check("\x1b[4:0;58;5;1;31mx", Depth::Ansi, &[("x", red)]);
    }

    #[test]
    fn nothing_is_hidden() {
        let plain = Style::new();
        check("\x1b[8;5mx", Depth::True, &[("x", plain)]);
        check("\x1b[31;41mx", Depth::True, &[("x", plain.fg(Color::Red))]);
        check(
            "a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}b",
            Depth::True,
            &[("a\u{301}\u{301}\u{301}\u{301}b", plain)],
        );
    }

    #[test]
    fn what_was_written_over_is_gone_and_tabs_have_their_stops() {
        let plain = Style::new();
        check("a\tb\t12345678\tc", Depth::True, &[("a       b       12345678        c", plain)]);
        check("\u{6f22}\tx", Depth::True, &[("\u{6f22}      x", plain)]);
        check("\x1b[31m10%\r\x1b[32m100%", Depth::Ansi, &[("100%", plain.fg(Color::Green))]);
        check("ab\x1b[31mc\x08\x08d", Depth::Ansi, &[("a", plain), ("d", plain.fg(Color::Red))]);
        check("\x08\x08\x1b[999;;;m\x1b[38mx", Depth::Ansi, &[("x", plain)]);
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            any::<u8>().prop_map(|byte| vec![byte]),
            "[\\[\\]PX^_;:0-9mHJ]{1,4}".prop_map(String::into_bytes),
            prop::sample::select(vec![
                "\x1b",
                "\x1b[",
                "\u{9b}",
                "\x1b]52;c;",
                "\x07",
                "\r",
                "\x08",
                "\t",
                "\u{202e}",
                "\u{301}"
            ])
            .prop_map(|text| text.as_bytes().to_vec()),
        ];
        prop::collection::vec(part, 0..30).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn nothing_hostile_comes_out(line in bytes(), depth in prop::sample::select(vec![Depth::None, Depth::Ansi, Depth::True])) {
            let shown = Shown::of(&line, depth);
            prop_assert!(!shown.text.chars().any(|c| is_hostile(c) || c == '\n' || c == '\t'));
            let mut last = 0;
            for (end, _) in shown.runs() {
                prop_assert!(*end >= last && shown.text.is_char_boundary(*end));
                last = *end;
            }
            prop_assert_eq!(last, shown.text.len());
        }
    }
}
