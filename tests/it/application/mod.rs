//! The full-screen application as a person sees it: the real program under a shell with job control, in a pseudo terminal,
//! its output read back through a terminal emulator. Every wait is for something on the screen or on the disk, never for
//! time, except where the application itself waits for it.

mod bench;
mod confirming;
mod history;
mod logs;
mod looks;
mod opening;
mod reloading;
mod running;
mod shell;
mod stopping;

use std::io::{Read as _, Write};
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, Signal, kill_process};
use vt100::{MouseProtocolMode, Parser, Screen};

pub use bench::Rig;

/// So long may anything take on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(30);
/// The confirmation passes over keys for so long after it opened, and a little more.
const TYPED_AHEAD: Duration = Duration::from_millis(450);

/// Between two looks at what nobody is woken for.
const LOOK: Duration = Duration::from_millis(10);

/// What starts the application and stays at the terminal: tells by a file which process it is, says when it was stopped,
/// brings it back when Enter is typed, and tells at last by a file how it was left.
const SHELL: &str = "\
sh -c 'echo $$ > \"$HOME/application\"; exec \"$@\"' sh \"$@\"
code=$?
while [ $code -eq 148 ] || [ $code -eq 147 ]; do echo '[stopped]'; read -r again; fg > /dev/null; code=$?; done
echo $code > \"$HOME/left\"
read -r again
";

/// What came from the terminal.
struct Seen {
    emulator: Parser,
    raw: Vec<u8>,
    /// How much of it was looked through for the ends of frames.
    looked: usize,
    /// A frame has begun and not ended.
    in_frame: bool,
    /// Nobody writes any more.
    over: bool,
}

const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

impl Seen {
    fn take(&mut self, bytes: &[u8]) {
        self.emulator.process(bytes);
        self.raw.extend_from_slice(bytes);
        // A mark may have been cut in two by the last read.
        let from = self.looked.saturating_sub(BEGIN.len() - 1);
        for window in self.raw[from..].windows(BEGIN.len()) {
            if window == BEGIN {
                self.in_frame = true;
            } else if window == END {
                self.in_frame = false;
            }
        }
        self.looked = self.raw.len();
    }
}

/// A terminal with the application in it.
pub struct Terminal {
    seen: Arc<(Mutex<Seen>, Condvar)>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    /// The modes of the terminal before anything ran in it.
    before: String,
    /// Where the shell tells of the application.
    home: PathBuf,
}

impl Rig {
    /// Opens the application with these arguments in a terminal of this size.
    pub fn open(&self, arguments: &[&str], size: (u16, u16)) -> Terminal {
        self.open_with(arguments, size, &[])
    }

    /// The same with more in its environment.
    pub fn open_with(&self, arguments: &[&str], (columns, rows): (u16, u16), more: &[(&str, &str)]) -> Terminal {
        let pair = native_pty_system().openpty(size(columns, rows)).unwrap();
        let mut command = CommandBuilder::new("/bin/sh");
        command.args(["-m", "-c", SHELL, "sh", env!("CARGO_BIN_EXE_road_runner")]);
        command.args(arguments);
        command.env_clear();
        command.env("TERM", "xterm-256color");
        for (name, value) in self.environment() {
            command.env(name, value);
        }
        for (name, value) in more {
            command.env(name, value);
        }
        command.cwd(self.workspace());
        let before = modes(&*pair.master);
        let mut from = pair.master.try_clone_reader().unwrap();
        let keys = pair.master.take_writer().unwrap();
        for told in ["application", "left"] {
            drop(std::fs::remove_file(self.home().join(told)));
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let (height, width) = (NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap());
        let seen =
            Seen { emulator: Parser::new(height, width, 1000), raw: vec![], looked: 0, in_frame: false, over: false };
        let seen = Arc::new((Mutex::new(seen), Condvar::new()));
        let writer = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut piece = vec![0; 1 << 16];
            loop {
                // On Linux the read fails once the last process has let go of the terminal.
                let count = from.read(&mut piece).unwrap_or(0);
                let mut seen = writer.0.lock().unwrap();
                if count == 0 {
                    seen.over = true;
                } else {
                    seen.take(&piece[..count]);
                }
                writer.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Terminal { seen, master: pair.master, keys, child, before, home: self.home() }
    }
}

fn size(cols: u16, rows: u16) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

/// What the kernel does for the terminal: echo, lines, signals.
fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().expect("a pseudo terminal has modes"))
}

/// What is on a screen, a line a row, without the blanks at the ends.
pub fn text(screen: &Screen) -> String {
    let (_, columns) = screen.size();
    let rows: Vec<String> = screen.rows(0, columns.get()).map(|row| row.trim_end().to_owned()).collect();
    rows.join("\n")
}

impl Terminal {
    /// Waits until the screen, whole frames only, is as wanted.
    #[track_caller]
    pub fn wait_for(&self, what: &str, wanted: impl Fn(&Screen) -> bool) {
        if let Err(screen) = self.within(PATIENCE, &wanted) {
            panic!("never seen: {what}\n{screen}");
        }
    }

    /// Waits until the screen shows a text.
    #[track_caller]
    pub fn wait_text(&self, wanted: &str) {
        self.wait_for(wanted, |screen| text(screen).contains(wanted));
    }

    /// Waits until the screen does not show a text any more.
    #[track_caller]
    pub fn wait_gone(&self, unwanted: &str) {
        self.wait_for(&format!("no `{unwanted}`"), |screen| !text(screen).contains(unwanted));
    }

    /// Whether the screen becomes as wanted in time; else what it shows then.
    fn within(&self, time: Duration, wanted: &dyn Fn(&Screen) -> bool) -> Result<(), String> {
        let until = Instant::now() + time;
        let (seen, changed) = &*self.seen;
        let mut seen = seen.lock().unwrap();
        loop {
            if !seen.in_frame && wanted(seen.emulator.screen()) {
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(text(seen.emulator.screen()));
            }
            // What is wanted may be on the disk as well, which wakes nobody.
            seen = changed.wait_timeout(seen, left.min(LOOK)).unwrap().0;
        }
    }

    /// What is on the screen now.
    pub fn shown(&self) -> String {
        text(self.seen.0.lock().unwrap().emulator.screen())
    }

    /// Every byte that came from the terminal.
    pub fn raw(&self) -> Vec<u8> {
        self.seen.0.lock().unwrap().raw.clone()
    }

    /// Types.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Types once the confirmation takes keys: the one wait for time, because it waits for it as well.
    pub fn wait_typed_ahead(&self) {
        drop(self.within(TYPED_AHEAD, &|_| false));
    }

    /// Gives the terminal another size.
    pub fn resize(&self, columns: u16, rows: u16) {
        // The emulator first: what is drawn for the new size must not meet the old one.
        let (height, width) = (NonZeroU16::new(rows).unwrap(), NonZeroU16::new(columns).unwrap());
        self.seen.0.lock().unwrap().emulator.set_size(height, width);
        self.master.resize(size(columns, rows)).unwrap();
    }

    /// The process of the application.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.number("application")).unwrap()
    }

    /// Sends the application a signal.
    pub fn kill(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// A number that the shell tells by a file, once all of it is there.
    #[track_caller]
    fn number(&self, file: &str) -> i32 {
        let told = || std::fs::read_to_string(self.home.join(file)).ok()?.strip_suffix('\n')?.parse().ok();
        wait_until(file, told)
    }

    /// Waits until the application was left and the terminal is as it was before. Returns the exit code.
    #[track_caller]
    pub fn left(&self) -> i32 {
        if let Err(screen) = self.within(PATIENCE, &|_| self.home.join("left").exists()) {
            panic!("it was not left\n{screen}");
        }
        self.wait_sane();
        self.number("left")
    }

    /// Waits until the terminal is as a shell expects it.
    #[track_caller]
    pub fn wait_sane(&self) {
        self.wait_for("the normal screen, a cursor, no mouse, no bracketed paste", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && screen.mouse_protocol_mode() == MouseProtocolMode::None
                && !screen.bracketed_paste()
        });
        wait_until("the modes of before", || (modes(&*self.master) == self.before).then_some(()));
    }

    /// Waits until the terminal is the application's.
    #[track_caller]
    pub fn wait_taken(&self) {
        self.wait_for("the alternate screen, no cursor, mouse, bracketed paste", |screen| {
            screen.alternate_screen()
                && screen.hide_cursor()
                && screen.mouse_protocol_mode() != MouseProtocolMode::None
                && screen.bracketed_paste()
        });
        assert!(self.before.contains("ICANON") && !modes(&*self.master).contains("ICANON"), "raw");
    }

    /// Closes the terminal under the application, as a connection that breaks.
    pub fn hang_up(self) {
        drop(self);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The shell is killed, and its terminal with it: the application hears a hangup.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits until something is there on the disk or in the kernel.
#[track_caller]
pub fn wait_until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "never there: {what}");
        std::thread::yield_now();
    }
}
