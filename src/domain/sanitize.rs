//! The one sanitiser: what a diagnostic or a file says is shown without what could move a cursor or deceive an eye.
//!
//! Removed: C0 but tab and newline, DEL, C1, bidirectional controls, zero-width characters. Never used on what is stored.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character may not reach a terminal.
pub const fn is_hostile(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' // C0 but tab and newline, DEL, C1
        | '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' // zero width, separators, bidi
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}') // tags and variation selectors
}

/// Whether a text is nothing but printable ASCII: what most texts are, and quickly seen.
fn is_plain(raw: &str) -> bool {
    raw.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Text of several lines: hostile characters are dropped, tabs and newlines stay.
pub fn text(raw: &str) -> Cow<'_, str> {
    if !is_plain(raw) && raw.chars().any(is_hostile) {
        raw.chars().filter(|&c| !is_hostile(c)).collect::<String>().into()
    } else {
        raw.into()
    }
}

/// Text for one line: as [`text`], and tabs and newlines become spaces.
pub fn line(raw: &str) -> Cow<'_, str> {
    let broken = |c: char| c == '\t' || c == '\n';
    if is_plain(raw) || !raw.chars().any(|c| is_hostile(c) || broken(c)) {
        return raw.into();
    }
    raw.chars().filter(|&c| !is_hostile(c)).map(|c| if broken(c) { ' ' } else { c }).collect::<String>().into()
}

/// Bytes that may be anything: not UTF-8 becomes the replacement character, then as [`line()`].
pub fn bytes(raw: &[u8]) -> String {
    line(&String::from_utf8_lossy(raw)).into_owned()
}

/// As [`line()`], but what would be dropped is shown as `\u{..}`: for names and units, where dropping would hide a difference.
pub fn escaped(raw: &str) -> Cow<'_, str> {
    let odd = |c: char| is_hostile(c) || c == '\t' || c == '\n';
    if is_plain(raw) || !raw.chars().any(odd) {
        return raw.into();
    }
    let mut out = String::with_capacity(raw.len() + 8);
    for c in raw.chars() {
        if odd(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out.into()
}

/// JSON text in which hostile characters stand as `\uXXXX`. They occur in strings only, so its meaning stays.
pub fn json(json: &str) -> Cow<'_, str> {
    if is_plain(json) || !json.chars().any(is_hostile) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if is_hostile(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// An argument as a shell would need it, with nothing hostile in it.
pub fn shell_word(argument: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./=:,+@%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.into();
    }
    format!("'{}'", escaped(argument).replace('\'', r"'\''")).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn drops_what_moves_a_cursor_or_deceives() {
        let check = |raw: &str, shown: &str| assert_eq!(text(raw), shown, "{raw:?}");
        check("plain ä 漢\t\n", "plain ä 漢\t\n");
        check("\x1b[31mred\x1b[0m", "[31mred[0m");
        check("\x1b]52;c;cHduZWQ=\x07", "]52;c;cHduZWQ=");
        check("a\u{9b}2Jb\u{7f}c\rd\u{8}", "a2Jbcd");
        check("ev\u{202e}il\u{200b}\u{2066}x\u{feff}", "evilx");
        assert_eq!(line("a\tb\nc"), "a b c");
        assert_eq!(bytes(b"a\xff\x1bb"), "a\u{fffd}b");
        assert_eq!(escaped("SN\u{202e}1\n"), "SN\\u{202e}1\\u{a}");
    }

    #[test]
    fn command_lines_can_be_typed() {
        let check = |word: &str, expected: &str| assert_eq!(shell_word(word), expected);
        check("--a=diags/x.sh", "--a=diags/x.sh");
        check("b c", "'b c'");
        check("it's", r"'it'\''s'");
        check("", "''");
        check("\u{1b}[2J;$(rm)", r"'\u{1b}[2J;$(rm)'");
    }

    proptest! {
        #[test]
        fn nothing_hostile_is_left(raw in "\\PC{0,40}|.{0,40}") {
            prop_assert!(!text(&raw).chars().any(is_hostile));
            prop_assert!(!line(&raw).chars().any(|c| is_hostile(c) || c == '\n' || c == '\t'));
            prop_assert!(!escaped(&raw).chars().any(|c| is_hostile(c) || c == '\n' || c == '\t'));
        }
    }
}
