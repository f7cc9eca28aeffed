//! What a terminal would show of a line: control sequences taken out whole, what was written over gone, nothing hostile left.
//! One pass over the bytes, nothing kept between lines: each starts plain. Pure; what colours mean is the faces' matter.

use super::sanitize::is_hostile;

/// What stands for bytes that are no text.
const REPLACEMENT: &str = "\u{fffd}";

/// Whoever receives what is shown.
pub trait Screen {
    /// Text goes on. Printable, but it may hold tabs.
    fn text(&mut self, text: &str);
    /// The last character is written over.
    fn back(&mut self);
    /// All characters are written over.
    fn clear(&mut self);
    /// Colours and attributes change: what stands between `ESC [` and `m`.
    fn colours(&mut self, _parameters: &[u8]) {}
}

impl Screen for String {
    fn text(&mut self, text: &str) {
        self.push_str(text);
    }

    fn back(&mut self) {
        self.pop();
    }

    fn clear(&mut self) {
        Self::clear(self);
    }
}

/// The text alone.
pub fn plain(line: &[u8]) -> String {
    let mut text = String::with_capacity(line.len());
    show(line, &mut text);
    text
}

/// Shows a line without its newline on a screen.
///
/// A carriage return begins the line anew once text follows, a backspace takes a character back. A string sequence
/// without an end hides the rest of the line, as it would in a terminal.
pub fn show(line: &[u8], screen: &mut impl Screen) {
    let mut rest = line;
    let mut is_returned = false;
    while let Some(&first) = rest.first() {
        let plain = rest.iter().take_while(|byte| matches!(byte, b' '..=b'~' | b'\t')).count();
        let (text, length) = match first {
            _ if plain > 0 => (rest.get(..plain).and_then(|plain| str::from_utf8(plain).ok()), plain),
            0x1b => (None, escape(rest, screen)),
            b'\r' => {
                is_returned = true;
                (None, 1)
            }
            0x08 => {
                if !is_returned {
                    screen.back();
                }
                (None, 1)
            }
            0..=0x1f | 0x7f => (None, 1),
            _ => wide(rest, screen),
        };
        if let Some(text) = text {
            if std::mem::take(&mut is_returned) {
                screen.clear();
            }
            screen.text(text);
        }
        rest = rest.get(length.max(1)..).unwrap_or_default();
    }
}

/// A character beyond ASCII, or bytes that are none: what is shown, and how many bytes it took.
fn wide<'a>(rest: &'a [u8], screen: &mut impl Screen) -> (Option<&'a str>, usize) {
    let most = rest.get(..4).unwrap_or(rest);
    let Some(chunk) = most.utf8_chunks().next() else { return (None, 1) };
    if let Some(c) = chunk.valid().chars().next() {
        let length = c.len_utf8();
        let after = rest.get(length..).unwrap_or_default();
        return match c {
            '\u{80}'..='\u{9f}' => (None, length + c1(c as u32, after, screen).unwrap_or(after.len())),
            c if is_hostile(c) => (None, length),
            _ => (chunk.valid().get(..length), length),
        };
    }
    // A control of eight bits, in a stream that is not UTF-8. Ends without an end only what is no sequence.
    let (first, after) = rest.split_first().unwrap_or((&0, &[]));
    if matches!(first, 0x80..=0x9f)
        && let Some(length) = c1(u32::from(*first), after, screen)
    {
        return (None, 1 + length);
    }
    (Some(REPLACEMENT), chunk.invalid().len())
}

/// How many bytes belong to a C1 control, behind itself; `None` for a string without an end.
fn c1(code: u32, after: &[u8], screen: &mut impl Screen) -> Option<usize> {
    match code {
        0x9b => Some(control(after, screen)),
        0x90 | 0x98 | 0x9d..=0x9f => string(after),
        _ => Some(0),
    }
}

/// How many bytes belong to an escape sequence.
fn escape(rest: &[u8], screen: &mut impl Screen) -> usize {
    let after = rest.get(2..).unwrap_or_default();
    match rest.get(1) {
        Some(b'[') => 2 + control(after, screen),
        Some(b']' | b'P' | b'X' | b'^' | b'_') => 2 + string(after).unwrap_or(after.len()),
        Some(0x20..=0x2f) => {
            let between = after.iter().take_while(|byte| matches!(byte, 0x20..=0x2f)).count();
            2 + between + usize::from(after.get(between).is_some_and(|byte| matches!(byte, 0x30..=0x7e)))
        }
        Some(0x30..=0x7e) => 2,
        _ => 1,
    }
}

/// How many bytes belong to a control sequence behind its introducer.
fn control(after: &[u8], screen: &mut impl Screen) -> usize {
    let parameters = after.iter().take_while(|byte| matches!(byte, 0x30..=0x3f)).count();
    let between = after.iter().skip(parameters).take_while(|byte| matches!(byte, 0x20..=0x2f)).count();
    let length = parameters + between;
    match after.get(length) {
        Some(b'm') if between == 0 => {
            let parameters = after.get(..parameters).unwrap_or_default();
            if !parameters.iter().any(|byte| matches!(byte, b'<'..=b'?')) {
                screen.colours(parameters);
            }
            length + 1
        }
        Some(0x40..=0x7e) => length + 1,
        _ => length,
    }
}

/// How many bytes belong to a string sequence behind its introducer, its end included.
fn string(after: &[u8]) -> Option<usize> {
    let end = after.windows(2).position(|two| matches!(two, [0x07 | 0x18 | 0x1a | 0x1b, _] | [0xc2, 0x9c]));
    match end.map(|end| (end, after.get(end), after.get(end + 1))) {
        Some((end, Some(0x1b), Some(b'\\')) | (end, Some(0xc2), _)) => Some(end + 2),
        Some((end, Some(0x1b), _)) => Some(end),
        Some((end, ..)) => Some(end + 1),
        None => after.last().is_some_and(|last| matches!(last, 0x07 | 0x18 | 0x1a)).then_some(after.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(line: &[u8], expected: &str) {
        assert_eq!(plain(line), expected, "{}", line.escape_ascii());
    }

    #[test]
    fn sequences_are_taken_out_whole() {
        check(b"plain \xc3\xa4 \xe6\xbc\xa2", "plain \u{e4} \u{6f22}");
        check(b"\x1b[31mred\x1b[0m \x1b[1;38;5;9mb\x1b[K", "red b");
        check(b"\x1b]52;c;cHduZWQ=\x07a\x1b]0;title\x1b\\b\x1bPq#0\x1b\\c\x1b_x\xc2\x9cd", "abcd");
        check(b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link");
        check(b"\xc2\x9b2Ja\xc2\x9d0;t\x07b\x9b31mc\x9d0;t\x07d", "abcd");
        check(b"\x1b(Ba\x1b7b\x1b#8c\x1b", "abc");
        check(b"a\x1b[12\x01b\x1b[3", "ab");
        check(b"a\x1b]0;never ends", "a");
        check(b"a\x1b]0;t\x1b[1mb", "ab");
        check(b"\x1b\x1b[31mx", "x");
    }

    #[test]
    fn what_was_written_over_is_gone() {
        check(b"10%\r20%\r100%", "100%");
        check(b"10%\r20%\r\r", "20%");
        check(b"text\r\x1b[K", "text");
        check(b"a\x08abc\x08\x08x", "ax");
        check(b"_\x08u\r\x08v", "v");
    }

    #[test]
    fn what_is_no_text_shows_as_such() {
        check(b"a\xffb\xe6\xbcc", "a\u{fffd}b\u{fffd}c");
        check(b"\x90 ends never \x85", "\u{fffd} ends never ");
        check("e\u{202e}v\u{200b}il\0\u{7f}".as_bytes(), "evil");
        check(b"a\tb", "a\tb");
    }

    proptest! {
        #[test]
        fn nothing_hostile_is_left(line in prop::collection::vec(prop_oneof![any::<u8>(), Just(0x1b), Just(0x9b), Just(0xc2), Just(b'['), Just(b'm')], 0..60)) {
            prop_assert!(!plain(&line).chars().any(|c| is_hostile(c) || c == '\n'));
        }

        #[test]
        fn printable_text_is_shown_as_it_is(text in "[ -~\u{e4}\u{6f22}]{0,40}") {
            prop_assert_eq!(plain(text.as_bytes()), text);
        }
    }
}
