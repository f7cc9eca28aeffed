//! OSC 52: text for the clipboard of whatever terminal shows us, over any number of connections. The text is encoded, so
//! that nothing in it is obeyed.

use crossterm::Command as _;
use crossterm::clipboard::CopyToClipboard;

/// More than this some terminals cut off, bytes.
const MOST: usize = 74_994;

/// The sequence that puts text into the clipboard; what is too long is cut at a character.
pub fn sequence(text: &str) -> String {
    let mut end = text.len().min(MOST);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut out = String::new();
    let text = text.get(..end).unwrap_or_default();
    // Writing into a string does not fail.
    if CopyToClipboard::to_clipboard_from(text).write_ansi(&mut out).is_err() {
        out.clear();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_encoded_and_cut_at_a_character() {
        let sequence_of = sequence("\u{1b}[2J");
        assert!(sequence_of.starts_with("\u{1b}]52;c;G1sySg==") && sequence_of.len() < 24, "{sequence_of:?}");
        assert!(sequence(&"漢".repeat(40_000)).len() < 100_100);
    }
}
