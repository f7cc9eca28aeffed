//! What a log is searched or filtered for: a regular expression, or text that is none and meant as it stands.
//! Compared with what a terminal would show of a line. Bounded in memory, linear in time, never across lines.

use memchr::{memchr, memchr3, memrchr};
use regex::bytes::{Regex, RegexBuilder};

use crate::domain::shown;

/// The most memory of a compiled expression, bytes, and of what it builds up while searching.
const MOST: usize = 1 << 20;

/// A compiled search.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
    /// What it finds in many lines at once need not be what it finds in each.
    line_by_line: bool,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl Pattern {
    /// From what was typed; `None` when nothing was. A pattern all in lower case ignores case.
    pub fn new(text: &str) -> Option<Self> {
        let ignores_case = !text.chars().any(char::is_uppercase);
        let build = |pattern: &str| {
            let mut builder = RegexBuilder::new(pattern);
            builder.case_insensitive(ignores_case).multi_line(true).crlf(true);
            builder.size_limit(MOST).dfa_size_limit(2 * MOST).build().ok()
        };
        let regex = build(text).or_else(|| build(&regex::escape(text)))?;
        let line_by_line = ["\\A", "\\z", "(?"].iter().any(|part| text.contains(part));
        (!text.is_empty()).then(|| Self { text: text.to_owned(), regex, line_by_line })
    }

    /// As it was typed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a line without its newline shows it.
    pub fn matches(&self, line: &[u8]) -> bool {
        if has_controls(line) { self.regex.is_match(shown::plain(line).as_bytes()) } else { self.regex.is_match(line) }
    }

    /// Where it stands in text that is shown.
    pub fn places<'t>(&self, shown: &'t str) -> impl Iterator<Item = std::ops::Range<usize>> + use<'_, 't> {
        self.regex.find_iter(shown.as_bytes()).map(|found| found.range()).filter(|range| !range.is_empty())
    }

    /// Calls `each` with every line of `lines` that shows it, from where to where, until it says `false`.
    pub fn each_line(&self, lines: &[u8], mut each: impl FnMut(usize, usize) -> bool) {
        let one_by_one = self.line_by_line || has_controls(lines);
        let mut at = 0;
        while at < lines.len() {
            let candidate = if one_by_one {
                at
            } else {
                match self.regex.find_at(lines, at) {
                    Some(found) => found.start().min(lines.len() - 1),
                    None => return,
                }
            };
            let start = lines.get(..candidate).and_then(|before| memrchr(b'\n', before)).map_or(0, |place| place + 1);
            let rest = lines.get(start..).unwrap_or_default();
            let length = memchr(b'\n', rest).unwrap_or(rest.len());
            let end = (start + length + 1).min(lines.len());
            // What was found may reach over the line's end.
            if start >= at && self.matches(rest.get(..length).unwrap_or_default()) && !each(start, end) {
                return;
            }
            at = end;
        }
    }
}

/// Whether some of it is not shown as it stands; a carriage return before a newline does not count.
fn has_controls(bytes: &[u8]) -> bool {
    let mut at = 0;
    while let Some(found) = memchr3(0x1b, b'\r', 0x08, bytes.get(at..).unwrap_or_default()) {
        let place = at + found;
        let is_line_end = bytes.get(place) == Some(&b'\r') && matches!(bytes.get(place + 1), None | Some(b'\n'));
        if !is_line_end {
            return true;
        }
        at = place + 1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(pattern: &str, text: &str) -> Vec<String> {
        let mut found = vec![];
        Pattern::new(pattern).unwrap().each_line(text.as_bytes(), |from, to| {
            found.push(text[from..to].trim_end().to_owned());
            true
        });
        found
    }

    #[test]
    fn a_pattern_finds_lines() {
        let check =
            |pattern: &str, text: &str, expected: &[&str]| assert_eq!(lines(pattern, text), expected, "{pattern}");
        check("warn", "one\nWARN x\nwarn\n", &["WARN x", "warn"]);
        check("WARN", "one\nWARN x\nwarn\n", &["WARN x"]);
        check("e$", "one\r\ntwo\nthe", &["one", "the"]);
        check("^t", "one\ntwo\nthe", &["two", "the"]);
        check("a\\sb", "a\nb\na b", &["a b"]);
        check("[^x]y", "a\ny\nay", &["ay"]);
        check("\\Ab", "a\nb\n", &["b"]);
        check("[road", "x\n[road_runner: 3 bytes dropped here]\n", &["[road_runner: 3 bytes dropped here]"]);
        check("ecc ce", "\u{1b}[33mecc\u{1b}[0m ce=1\n31m\n", &["\u{1b}[33mecc\u{1b}[0m ce=1"]);
        check("31m", "\u{1b}[31mecc\u{1b}[0m\n", &[]);
    }

    #[test]
    fn nothing_typed_is_no_pattern() {
        assert_eq!(Pattern::new(""), None);
        assert!(Pattern::new("(a{1000}){1000}").is_some_and(|pattern| !pattern.matches(b"aaa")));
    }

    proptest! {
        #[test]
        fn many_lines_at_once_are_as_one_by_one(text in "([abx ]{0,4}\n){0,12}[ab]{0,3}", pattern in "[ab.^$ ]{1,2}[ab\\s]?|b+|[^a]b") {
            let all = lines(&pattern, &text);
            let pattern = Pattern::new(&pattern).unwrap();
            let each = text.split_inclusive('\n').filter(|line| pattern.matches(line.trim_end_matches('\n').as_bytes()));
            prop_assert_eq!(all, each.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>());
        }
    }
}
