//! Where lines go. A reader that went away ends output quietly: nothing here ever fails a command for a closed pipe.

use std::io::{self, Write};

use serde::Serialize;

use crate::domain::sanitize;

/// A stream that may be closed by its reader.
pub struct Output<W: Write> {
    to: W,
    closed: bool,
    failure: Option<io::Error>,
}

impl Output<io::BufWriter<io::Stdout>> {
    /// Stdout, with a buffer: [`Output::flush`] when somebody may be waiting for a line.
    pub fn stdout() -> Self {
        Self::new(io::BufWriter::new(io::stdout()))
    }
}

impl Output<io::Stderr> {
    /// Stderr, unbuffered.
    pub fn stderr() -> Self {
        Self::new(io::stderr())
    }
}

impl<W: Write> Output<W> {
    /// Over any stream.
    pub const fn new(to: W) -> Self {
        Self { to, closed: false, failure: None }
    }

    /// Writes text as it is: whoever made it has sanitised what came from outside.
    pub fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Text and a newline.
    pub fn line(&mut self, text: &str) {
        self.text(text);
        self.text("\n");
    }

    /// A value as JSON over several lines, with everything escaped that could move a cursor.
    pub fn json<T: Serialize + ?Sized>(&mut self, value: &T) {
        if let Err(error) = serde_json::to_writer_pretty(Escaping(&mut *self), value) {
            self.note(Err(error.into()));
        }
        self.text("\n");
    }

    /// Hands on what the buffer holds.
    pub fn flush(&mut self) {
        if !self.closed {
            let flushed = self.to.flush();
            self.note(flushed);
        }
    }

    /// Whether nobody reads any more.
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Flushes, and tells what went wrong: a full disk is an error, a reader that went away is none.
    pub fn finish(mut self) -> Result<(), io::Error> {
        self.flush();
        self.failure.map_or(Ok(()), Err)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if !self.closed {
            let written = self.to.write_all(bytes);
            self.note(written);
        }
    }

    fn note(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.closed = true;
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.failure.get_or_insert(error);
            }
        }
    }
}

/// For what is written piece by piece. Never fails: what went wrong is told at the end.
impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Self::flush(self);
        Ok(())
    }
}

/// Escapes JSON on its way, so that a plan of any size is never one text.
struct Escaping<'a, W: Write>(&'a mut Output<W>);

impl<W: Write> Write for Escaping<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The encoder hands over whole characters; ASCII, which is nearly all, needs no look at each.
        match std::str::from_utf8(bytes) {
            Ok(text) if text.chars().any(sanitize::is_hostile) => self.0.text(&sanitize::json(text)),
            _ => self.0.bytes(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream that fails from its second write on.
    struct Failing(Vec<u8>, io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.0.is_empty() {
                return Err(self.1.into());
            }
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn check(kind: io::ErrorKind, expected: Option<io::ErrorKind>) {
        let mut output = Output::new(Failing(vec![], kind));
        output.text("one");
        assert!(!output.is_closed());
        output.line("two");
        output.line("three");
        assert!(output.is_closed());
        assert_eq!(output.to.0, b"one");
        assert_eq!(output.finish().err().map(|e| e.kind()), expected);
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_and_a_full_disk_is() {
        check(io::ErrorKind::BrokenPipe, None);
        check(io::ErrorKind::StorageFull, Some(io::ErrorKind::StorageFull));
    }

    #[test]
    fn json_means_the_same_and_cannot_move_a_cursor() {
        let hostile = "a\u{202e}b\u{9b}2J\u{e0041}\u{7f}\u{1b}[m ä漢\n";
        let mut output = Output::new(vec![]);
        output.json(&[hostile]);
        let text = String::from_utf8(output.to).unwrap();
        assert!(!text.chars().any(sanitize::is_hostile), "{text:?}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&text).unwrap(), [hostile]);
    }
}
