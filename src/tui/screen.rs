//! The real terminal as a backend: each frame within one synchronized update and in one write, nothing written where
//! nothing has changed, the cursor hidden once.

use std::io::{self, Write};

use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

/// A terminal behind a stream.
#[derive(Debug)]
pub struct Screen<W: Write> {
    inner: CrosstermBackend<W>,
    /// A synchronized update has begun.
    open: bool,
    hidden: bool,
}

impl<W: Write> Screen<W> {
    /// Over a stream that collects what is written until it is flushed.
    pub fn new(stream: W) -> Self {
        Self { inner: CrosstermBackend::new(stream), open: false, hidden: false }
    }

    /// The cursor may have been shown by somebody else.
    pub fn forget(&mut self) {
        self.hidden = false;
    }

    /// Writes bytes that are no part of a frame.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.inner.write_all(bytes)?;
        Write::flush(&mut self.inner)
    }

    fn begin(&mut self) -> io::Result<()> {
        if !self.open {
            queue!(self.inner, BeginSynchronizedUpdate)?;
            self.open = true;
        }
        Ok(())
    }
}

impl<W: Write> Backend for Screen<W> {
    type Error = io::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> io::Result<()> {
        let mut content = content.peekable();
        if content.peek().is_none() {
            return Ok(());
        }
        self.begin()?;
        self.inner.draw(content)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if self.hidden {
            return Ok(());
        }
        self.hidden = true;
        self.begin()?;
        self.inner.hide_cursor()
    }

    /// The guard shows it, at the end. Here it would be ratatui's last word to a terminal that may be gone, of whose
    /// failure it tells a stderr that is gone as well, which is a panic.
    fn show_cursor(&mut self) -> io::Result<()> {
        self.hidden = false;
        Ok(())
    }

    /// Ratatui asks before it clears, to put the cursor back. Ours is never seen; and the terminal's answer would come
    /// among the keys, late or not at all, and be waited for.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, _position: P) -> io::Result<()> {
        Ok(())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.begin()?;
        self.inner.clear()
    }

    fn clear_region(&mut self, clear: ClearType) -> io::Result<()> {
        self.begin()?;
        self.inner.clear_region(clear)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.open) {
            queue!(self.inner, EndSynchronizedUpdate)?;
            return Backend::flush(&mut self.inner);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    /// A stream that can be looked at.
    #[derive(Clone, Default)]
    struct Seen(Rc<RefCell<Vec<u8>>>);

    impl Write for Seen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_frame_is_one_synchronized_update_and_no_change_is_no_byte() {
        let seen = Seen::default();
        let mut screen = Screen::new(seen.clone());
        let mut cell = Cell::default();
        cell.set_symbol("x");
        screen.hide_cursor().unwrap();
        screen.draw([(3, 1, &cell)].into_iter()).unwrap();
        Backend::flush(&mut screen).unwrap();
        let first = String::from_utf8(seen.0.borrow().clone()).unwrap();
        assert!(first.starts_with("\u{1b}[?2026h") && first.ends_with("\u{1b}[?2026l"), "{first:?}");
        assert!(first.contains('x') && first.contains("\u{1b}[?25l"), "{first:?}");
        screen.draw(std::iter::empty()).unwrap();
        screen.hide_cursor().unwrap();
        Backend::flush(&mut screen).unwrap();
        assert_eq!(seen.0.borrow().len(), first.len());
    }
}
