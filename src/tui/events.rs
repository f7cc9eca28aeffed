//! The terminal's events and the process's signals as messages. While an editor has the terminal nobody here reads it.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::mpsc::Sender;
use std::thread;

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEventKind};
use futures_core::Stream as _;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;

use crate::domain::chord::{Chord, Key};
use crate::tui::message::Msg;

/// Who reads the terminal.
#[derive(Debug)]
pub enum Reading {
    /// Somebody else from now on; answered once nobody here does.
    Pause(oneshot::Sender<()>),
    /// We do again.
    Resume,
}

/// Hands on what is typed until nobody wants it any more.
pub async fn terminal(out: Sender<Msg>, mut control: UnboundedReceiver<Reading>) {
    let mut stream = Some(EventStream::new());
    loop {
        let next = async {
            match &mut stream {
                Some(stream) => poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            asked = control.recv() => match asked {
                Some(Reading::Pause(paused)) => {
                    stream = None;
                    // Whoever asked may have gone: then nobody waits.
                    let _gone = paused.send(());
                }
                Some(Reading::Resume) => stream = Some(EventStream::new()),
                None => return,
            },
            event = next => {
                let Some(Ok(event)) = event else {
                    // The terminal is gone: as good as a hangup.
                    drop(out.send(Msg::Signal(HANGUP)));
                    return;
                };
                if let Some(msg) = message(event)
                    && out.send(msg).is_err()
                {
                    return;
                }
            }
        }
    }
}

/// Tells when the terminal has gone, whoever got a signal for it: whoever reads a terminal that is gone reads nothing, for
/// ever and at once. Sleeps until then, in a thread of its own that ends with the process.
pub fn hangup(out: Sender<Msg>) -> io::Result<()> {
    let wait = move || {
        let stdin = io::stdin();
        let mut terminal = [PollFd::new(&stdin, PollFlags::empty())];
        loop {
            match poll(&mut terminal, None) {
                Ok(_) => {
                    drop(out.send(Msg::Signal(HANGUP)));
                    return;
                }
                Err(Errno::INTR) => {}
                Err(_) => return,
            }
        }
    };
    thread::Builder::new().name("hangup".to_owned()).spawn(wait).map(drop)
}

/// SIGHUP, SIGINT, SIGQUIT, SIGTERM by number.
const HANGUP: u8 = 1;
const INTERRUPT: u8 = 2;
const QUIT: u8 = 3;
const TERMINATE: u8 = 15;

/// Hands on the signals that ask us to leave, and that we continue after a stop.
pub async fn signals(out: Sender<Msg>) -> io::Result<()> {
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut quit = signal(SignalKind::quit())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // SIGCONT has no kind of its own.
    let mut resumed = signal(SignalKind::from_raw(rustix::process::Signal::CONT.as_raw()))?;
    loop {
        let msg = tokio::select! {
            _ = hangup.recv() => Msg::Signal(HANGUP),
            _ = interrupt.recv() => Msg::Signal(INTERRUPT),
            _ = quit.recv() => Msg::Signal(QUIT),
            _ = terminate.recv() => Msg::Signal(TERMINATE),
            _ = resumed.recv() => Msg::Continued,
        };
        if out.send(msg).is_err() {
            return Ok(());
        }
    }
}

/// What an event of the terminal says to us.
pub fn message(event: Event) -> Option<Msg> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => chord(key).map(Msg::Key),
        Event::Paste(text) => Some(Msg::Paste(text)),
        Event::Resize(width, height) => Some(Msg::Resize(width, height)),
        Event::Mouse(mouse) => {
            let (column, row) = (mouse.column, mouse.row);
            match mouse.kind {
                MouseEventKind::Down(_) => Some(Msg::Click { column, row }),
                MouseEventKind::ScrollDown => Some(Msg::Wheel { column, row, lines: 3 }),
                MouseEventKind::ScrollUp => Some(Msg::Wheel { column, row, lines: -3 }),
                _ => None,
            }
        }
        _ => None,
    }
}

fn chord(event: KeyEvent) -> Option<Chord> {
    let key = match event.code {
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Esc,
        KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => Key::BackTab,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Delete => Key::Delete,
        KeyCode::Insert => Key::Insert,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        KeyCode::Left => Key::Left,
        KeyCode::Right => Key::Right,
        KeyCode::Home => Key::Home,
        KeyCode::End => Key::End,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown => Key::PageDown,
        KeyCode::F(number) => Key::F(number),
        _ => return None,
    };
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    Some(Chord::new(key, ctrl, event.modifiers.contains(KeyModifiers::ALT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: KeyCode, modifiers: KeyModifiers, expected: Option<Chord>) {
        assert_eq!(chord(KeyEvent::new(code, modifiers)), expected);
    }

    #[test]
    fn keys_of_the_terminal_are_ours() {
        let plain = |key| Some(Chord { key, ctrl: false, alt: false });
        check(KeyCode::Char('S'), KeyModifiers::SHIFT, plain(Key::Char('S')));
        check(KeyCode::Char('c'), KeyModifiers::CONTROL, Some(Chord { key: Key::Char('c'), ctrl: true, alt: false }));
        check(KeyCode::BackTab, KeyModifiers::SHIFT, plain(Key::BackTab));
        check(KeyCode::Tab, KeyModifiers::SHIFT, plain(Key::BackTab));
        check(KeyCode::F(5), KeyModifiers::NONE, plain(Key::F(5)));
        check(KeyCode::CapsLock, KeyModifiers::NONE, None);
    }
}
