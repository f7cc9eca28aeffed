//! The last lines of a log, as they would stand on paper: what a terminal would have overwritten is gone, and so is
//! whatever could move a cursor or deceive an eye. Reads a few kilobytes however long the log is.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use serde::Serialize;

use crate::domain::sanitize;

/// Lines that are shown.
const LINES: usize = 20;
/// Bytes that are looked at.
const BYTES: u64 = 16 * 1024;
/// Characters of a line.
const COLUMNS: usize = 300;

/// The end of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Tail {
    /// Relative to the run's directory.
    pub path: String,
    /// What was written, also where the log was cut.
    pub bytes: u64,
    /// The last lines.
    pub lines: String,
    /// There is more before them.
    pub cut: bool,
    /// The log could not be read.
    pub missing: bool,
}

/// The end of the log at `path`, of which `bytes` were written.
pub fn of(path: &Path, shown: String, bytes: u64) -> Tail {
    match read(path) {
        Ok((text, cut)) => {
            let (lines, more) = last_lines(&text);
            Tail { path: shown, bytes, lines, cut: cut || more, missing: false }
        }
        Err(_) => Tail { path: shown, bytes, missing: true, ..Tail::default() },
    }
}

/// The last bytes, and whether there are more before them.
fn read(path: &Path) -> io::Result<(String, bool)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let start = metadata.len().saturating_sub(BYTES);
    let mut bytes = vec![0; usize::try_from(metadata.len() - start).unwrap_or_default()];
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, start + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(filled);
    // The first line is likely to have lost its beginning.
    let from = if start > 0 { bytes.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1) } else { 0 };
    let text = String::from_utf8_lossy(bytes.get(from..).unwrap_or_default()).into_owned();
    Ok((text, start > 0))
}

fn last_lines(text: &str) -> (String, bool) {
    let text = text.trim_end_matches(['\n', '\r']);
    let lines: Vec<&str> = text.split('\n').collect();
    let first = lines.len().saturating_sub(LINES);
    let shown = lines.iter().skip(first).map(|line| printed(line));
    (shown.collect::<Vec<_>>().join("\n"), first > 0)
}

/// A line as it would stand on a terminal after its carriage returns, backspaces and escape sequences.
fn printed(line: &str) -> String {
    let line = line.trim_end_matches('\r');
    let mut out: Vec<char> = vec![];
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => out.clear(),
            '\u{8}' => drop(out.pop()),
            '\u{1b}' => match chars.next() {
                Some('[') => drop(chars.find(|c| ('\u{40}'..='\u{7e}').contains(c))),
                // A string such as a title or a clipboard's content, up to its end.
                Some(']' | 'P' | '_' | '^' | 'X') => {
                    while let Some(c) = chars.next() {
                        if c == '\u{7}' || c == '\u{9c}' || (c == '\u{1b}' && chars.next_if_eq(&'\\').is_some()) {
                            break;
                        }
                    }
                }
                _ => {}
            },
            c => out.push(c),
        }
    }
    let text: String = out.into_iter().collect();
    let mut text = sanitize::text(&text).into_owned();
    if let Some((at, _)) = text.char_indices().nth(COLUMNS) {
        text.truncate(at);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], expected: &str, cut: bool) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        std::fs::write(&path, content).unwrap();
        let tail = of(&path, "x.log".to_owned(), 7);
        assert_eq!((tail.lines.as_str(), tail.cut, tail.missing), (expected, cut, false));
    }

    #[test]
    fn the_end_as_on_paper() {
        check(b"", "", false);
        check(b"one\ntwo\r\n\n", "one\ntwo", false);
        check(b"  0%\r 50%\r100%\ntest  \x08\x08ing 1\x082\n", "100%\ntesting 2", false);
        check(b"\x1b[31mred\x1b[0m \x1b]0;title\x07x\x1b]52;c;cHdu\x1b\\y \xff\xc2\x9b2J", "red xy \u{fffd}2J", false);
        let many = (0..100).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        check(many.as_bytes(), &(80..100).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n"), true);
        check("x".repeat(1 << 20).as_bytes(), &format!("{}…", "x".repeat(300)), true);
    }

    #[test]
    fn what_is_no_log_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("gone.log"), folder.path().to_path_buf()] {
            assert!(of(&path, String::new(), 0).missing);
        }
    }
}
