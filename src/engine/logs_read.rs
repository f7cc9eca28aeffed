//! Reads a finished log line by line in bounded memory, for judging what a diagnostic said.
//! Never assumes UTF-8, never holds a whole log, never prints.

use std::io::{self, Read};
use std::ops::ControlFlow;

/// The longest piece of a line that is looked at as one, bytes. A longer line comes in several pieces.
pub const LONGEST_LINE: usize = 64 * 1024;

/// Calls `each` for every line, without its line end (`\n` or `\r\n`), until the end or until it breaks.
///
/// A last line without an end counts. Memory is bounded by [`LONGEST_LINE`].
pub fn for_each_line(mut log: impl Read, mut each: impl FnMut(&[u8]) -> ControlFlow<()>) -> io::Result<()> {
    let mut buffer = vec![0; LONGEST_LINE];
    let mut filled = 0;
    // Whether the line in hand was begun in an earlier piece: then nothing left of it is no empty line.
    let mut continued = false;
    loop {
        let read = match log.read(buffer.get_mut(filled..).unwrap_or_default()) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        // What was left over holds no line end: only what is new is searched.
        let mut searched = filled;
        filled += read;
        let mut rest = buffer.get(..filled).unwrap_or_default();
        while let Some(end) = line_end(rest, std::mem::take(&mut searched)) {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let ended_before = std::mem::take(&mut continued) && line.is_empty();
            if !ended_before && each(line).is_break() {
                return Ok(());
            }
        }
        let left = rest.len();
        let at_end = read == 0;
        if left == LONGEST_LINE || (at_end && left > 0) {
            if each(rest).is_break() {
                return Ok(());
            }
            filled = 0;
            continued = true;
        } else {
            if left < filled {
                buffer.copy_within(filled - left..filled, 0);
            }
            filled = left;
        }
        if at_end {
            return Ok(());
        }
    }
}

fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let new = bytes.get(from..)?;
    Some(from + new.iter().position(|&byte| byte == b'\n')?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(log: &[u8], expected: &[&[u8]]) {
        /// Gives a few bytes at a time, as a slow file would.
        struct Slow<'a>(&'a [u8], usize);
        impl Read for Slow<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let length = self.1.min(into.len()).min(self.0.len());
                into[..length].copy_from_slice(&self.0[..length]);
                self.0 = &self.0[length..];
                Ok(length)
            }
        }
        for at_once in [1, 3, usize::MAX] {
            let mut found: Vec<Vec<u8>> = Vec::new();
            for_each_line(Slow(log, at_once), |line| {
                found.push(line.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
            assert!(found == expected, "{} lines, {at_once} at once", found.len());
        }
    }

    #[test]
    fn lines_end_in_three_ways() {
        check(b"", &[]);
        check(b"one\ntwo\r\n\nlast", &[b"one", b"two", b"", b"last"]);
        check(b"\xff\xfe\n\0\n", &[b"\xff\xfe", b"\0"]);
    }

    #[test]
    fn a_long_line_comes_in_pieces() {
        let whole = vec![b'x'; LONGEST_LINE];
        check(&whole, &[&whole]);
        let mut ended = whole.clone();
        ended.extend_from_slice(b"\nnext\n");
        check(&ended, &[&whole, b"next"]);
        let mut longer = whole.clone();
        longer.extend_from_slice(b"yz\nnext");
        check(&longer, &[&whole, b"yz", b"next"]);
    }

    #[test]
    fn reading_stops_when_told() {
        let mut count = 0;
        for_each_line(&b"a\nb\nc\n"[..], |_| {
            count += 1;
            ControlFlow::Break(())
        })
        .unwrap();
        assert_eq!(count, 1);
    }
}
