//! The one owner of the terminal's modes: raw, alternate screen, mouse, paste, cursor. Whatever way the application
//! goes, they are given back: dropped at the end, by the panic hook before a report is printed, and after SIGKILL by a
//! sentry, a small process of this program that waits for our end of a pipe to close.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::style::ResetColor;
use crossterm::terminal::{
    EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{execute, queue};
use rustix::termios::{ControlModes, InputModes, LocalModes, OptionalActions, OutputModes, Termios};

/// What the sentry is started with.
pub const SENTRY: &str = "--terminal-sentry";

/// What the sentry is told last when all is well.
const FAREWELL: &str = "farewell";

/// The modes are ours.
static OURS: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// The terminal's modes.
#[derive(Debug)]
pub struct Guard {
    mouse: bool,
    /// Its stdin is the pipe that tells it of our end.
    sentry: Option<Child>,
}

impl Guard {
    /// Takes the terminal. `program` is this program, for the sentry; without one there is none.
    pub fn enter(mouse: bool, program: Option<&Path>) -> io::Result<Self> {
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        let sentry = program.and_then(|program| {
            let mut command = Command::new(program);
            command.arg(SENTRY).stdin(Stdio::piped()).stdout(Stdio::inherit()).stderr(Stdio::null());
            // Without one everything works as before; only SIGKILL would leave the terminal as it is.
            let mut sentry = command.spawn().ok()?;
            if let (Some(pipe), Ok(modes)) = (&mut sentry.stdin, rustix::termios::tcgetattr(io::stdout())) {
                drop(pipe.write_all(told(&modes).as_bytes()));
            }
            Some(sentry)
        });
        let guard = Self { mouse, sentry };
        guard.take()?;
        Ok(guard)
    }

    /// Takes the terminal again after [`Guard::leave`], or after somebody else has changed its modes.
    pub fn take(&self) -> io::Result<()> {
        enable_raw_mode()?;
        OURS.store(true, Ordering::SeqCst);
        let mut out = io::stdout();
        queue!(out, EnterAlternateScreen, Hide, EnableBracketedPaste)?;
        if self.mouse {
            queue!(out, EnableMouseCapture)?;
        }
        out.flush()
    }

    /// Takes the mouse, or leaves it to the terminal.
    pub fn mouse(&mut self, ours: bool) -> io::Result<()> {
        self.mouse = ours;
        if ours { execute!(io::stdout(), EnableMouseCapture) } else { execute!(io::stdout(), DisableMouseCapture) }
    }

    /// Gives the terminal back for a while.
    pub fn leave(&self) {
        give_back();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        give_back();
        if let Some(mut sentry) = self.sentry.take() {
            // There is nothing to mend.
            if let Some(mut pipe) = sentry.stdin.take() {
                drop(pipe.write_all(FAREWELL.as_bytes()));
            }
            drop(sentry.wait());
        }
    }
}

/// Gives every mode back, once. A terminal that is gone does not mind.
fn give_back() {
    if OURS.swap(false, Ordering::SeqCst) {
        drop(normal(&mut io::stdout()));
        drop(disable_raw_mode());
    }
}

/// What brings a screen back to what a shell expects.
fn normal(out: &mut impl io::Write) -> io::Result<()> {
    queue!(out, EndSynchronizedUpdate, DisableMouseCapture, DisableBracketedPaste, ResetColor)?;
    queue!(out, Show, LeaveAlternateScreen)?;
    out.flush()
}

/// The modes that a terminal had, as the sentry is told of them.
fn told(modes: &Termios) -> String {
    let Termios { input_modes, output_modes, control_modes, local_modes, .. } = modes;
    format!("{} {} {} {}\n", input_modes.bits(), output_modes.bits(), control_modes.bits(), local_modes.bits())
}

/// Gives a terminal the modes that were told; those of any terminal where none were.
fn give(modes: &mut Termios, said: &str) {
    let numbers: Vec<_> = said.split_whitespace().map_while(|word| word.parse().ok()).collect();
    if let [input, output, control, local] = numbers.as_slice() {
        modes.input_modes = InputModes::from_bits_retain(*input);
        modes.output_modes = OutputModes::from_bits_retain(*output);
        modes.control_modes = ControlModes::from_bits_retain(*control);
        modes.local_modes = LocalModes::from_bits_retain(*local);
        return;
    }
    modes.local_modes |= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN;
    modes.input_modes |= InputModes::ICRNL | InputModes::IXON;
    modes.output_modes |= OutputModes::OPOST;
}

/// The sentry: waits until the application has ended, and mends the terminal unless it said farewell.
pub fn sentry() -> ExitCode {
    // In a session of its own neither the terminal's signals nor its job control reach us.
    let _leader = rustix::process::setsid();
    let mut said = String::new();
    // What ends badly has said no farewell either.
    drop(io::stdin().read_to_string(&mut said));
    if said.ends_with(FAREWELL) {
        return ExitCode::SUCCESS;
    }
    let out = io::stdout();
    if let Ok(mut modes) = rustix::termios::tcgetattr(&out) {
        give(&mut modes, &said);
        let _gone = rustix::termios::tcsetattr(&out, OptionalActions::Now, &modes);
    }
    let mut out = out.lock();
    drop(normal(&mut out));
    ExitCode::SUCCESS
}

/// This program, for starting it again: the file itself where it is still there, else what the kernel keeps of it.
pub fn this_program() -> Option<std::path::PathBuf> {
    let path = std::env::current_exe().ok().filter(|path| File::open(path).is_ok());
    path.or_else(|| Some("/proc/self/exe".into()))
}
