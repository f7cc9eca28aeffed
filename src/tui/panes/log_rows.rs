//! Text as rows of so many columns: where a long line is broken, and how many rows it takes. Costs one pass over the text
//! of a line that is in view, none for plain ASCII. Never splits a character from its marks.

use std::ops::Range;

use unicode_width::UnicodeWidthChar as _;

/// How many columns a character takes, 0 for a mark on the one before.
pub fn width(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// The last place at or before `at` where a character begins, or the end.
pub fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|place| text.is_char_boundary(*place)).unwrap_or(0)
}

/// How many rows a text takes, at least one.
pub fn count(text: &str, columns: usize) -> usize {
    if text.is_ascii() { text.len().div_ceil(columns.max(1)).max(1) } else { Rows::new(text, columns).count() }
}

/// The bytes of each row, at least one row.
pub struct Rows<'t> {
    text: &'t str,
    columns: usize,
    at: Option<usize>,
}

impl<'t> Rows<'t> {
    /// Of a text on so many columns. A character wider than a row has one for itself.
    pub fn new(text: &'t str, columns: usize) -> Self {
        Self { text, columns: columns.max(1), at: Some(0) }
    }
}

impl Iterator for Rows<'_> {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Range<usize>> {
        let from = self.at?;
        let rest = self.text.get(from..)?;
        let mut used = 0;
        let end = rest.char_indices().find(|(place, c)| {
            used += width(*c);
            used > self.columns && *place > 0 && width(*c) > 0
        });
        let to = end.map_or(self.text.len(), |(place, _)| from + place);
        self.at = (to < self.text.len()).then_some(to);
        Some(from..to)
    }
}

/// What is seen through a window of so many columns, from column `left` on: the bytes, and whether there is more behind.
pub fn seen(text: &str, left: usize, columns: usize) -> (Range<usize>, bool) {
    if text.is_ascii() {
        let from = left.min(text.len());
        let to = left.saturating_add(columns).min(text.len());
        return (from..to, to < text.len());
    }
    let mut column = 0;
    let mut from = None;
    for (place, c) in text.char_indices() {
        if column >= left && width(c) > 0 && from.is_none() {
            from = Some((place, column));
        }
        column += width(c);
        if let Some((from, first)) = from
            && column - first > columns
        {
            return (from..place, true);
        }
    }
    (from.map_or(text.len(), |(from, _)| from)..text.len(), false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn long_lines_are_broken() {
        let check = |text: &str, columns: usize, expected: &[&str]| {
            let rows: Vec<&str> = Rows::new(text, columns).map(|row| &text[row]).collect();
            assert_eq!(rows, expected, "{text}");
            assert_eq!(count(text, columns), expected.len());
        };
        check("", 4, &[""]);
        check("abcd", 4, &["abcd"]);
        check("abcdefghi", 4, &["abcd", "efgh", "i"]);
        check("\u{6f22}\u{5b57}x", 3, &["\u{6f22}", "\u{5b57}x"]);
        check("\u{6f22}\u{5b57}", 1, &["\u{6f22}", "\u{5b57}"]);
        check("abcde\u{301}f", 5, &["abcde\u{301}", "f"]);
    }

    #[test]
    fn without_wrapping_a_part_is_seen() {
        let check = |text: &str, left: usize, columns: usize, expected: &str, more: bool| {
            let (range, has_more) = seen(text, left, columns);
            assert_eq!((&text[range], has_more), (expected, more), "{text} {left}");
        };
        check("abcdef", 0, 4, "abcd", true);
        check("abcdef", 2, 4, "cdef", false);
        check("abcdef", 9, 4, "", false);
        check("\u{6f22}\u{5b57}xy", 0, 3, "\u{6f22}", true);
        check("\u{6f22}\u{5b57}xy", 1, 9, "\u{5b57}xy", false);
        check("e\u{301}\u{e4}o\u{301}", 1, 2, "\u{e4}o\u{301}", false);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in "[a\u{6f22}\u{301}]{0,40}", columns in 0..9_usize) {
            let rows: Vec<_> = Rows::new(&text, columns).collect();
            prop_assert_eq!(rows.iter().map(|row| &text[row.clone()]).collect::<String>(), text.clone());
            prop_assert_eq!(rows.len(), count(&text, columns));
        }
    }
}
