//! The guardian: a small process of the same program that brings rails home when the runner dies with rails moved. It holds
//! the end of a pipe whose other end only the runner has, so that whatever ends the runner closes it. It is no descendant
//! of the runner, lives in a session of its own, and minds no signal that asks a run to stop. It never moves a rail while the
//! runner lives.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::signal::unix::{SignalKind, signal};

use crate::domain::event::RestoredBy;
use crate::host::roots::Roots;
use crate::store::StoreError;
use crate::store::layout::RunDir;
use crate::store::left_running;
use crate::store::lock::{Lock, LockScope};
use crate::store::mortal::{self, around};
use crate::store::rails::KeptRails;
use crate::store::run_id::RunId;

use super::homecoming::{self, Hands};
use super::process_tree::Reaper;
use super::survivors;

/// The program's first argument that makes it start a guardian and end.
pub const LAUNCH: &str = "--launch-guardian";
/// The program's first argument that makes it one.
pub const GUARD: &str = "--guardian";

const MOVING: &str = "moving";
const HOME: &str = "home";
const OVER: &str = "over";
const READY: &str = "ready";
/// A guardian that takes longer to be there is none.
const START_LIMIT: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
/// Whoever holds the lock of a run whose runner is dead is bringing its rails home, or goes on with it.
const LOCK_TRIES: u32 = 300;
const LOCK_PAUSE: Duration = Duration::from_millis(100);
/// A rail that did not come home is tried again so often.
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_millis(500);

/// The runner's end.
#[derive(Debug)]
pub struct Guardian {
    pipe: File,
}

impl Guardian {
    /// Starts a guardian of the run in `dir`. To be called before this process becomes a subreaper: the guardian must come
    /// home to somebody else.
    ///
    /// # Errors
    /// The program cannot be started, or does not say that it is there.
    pub fn start(program: &Path, runs: &Path, id: &str) -> io::Result<Self> {
        // A process that brought rails home before has made itself one.
        rustix::process::set_child_subreaper(None)?;
        let (reads, writes) = pipe_with(PipeFlags::CLOEXEC)?;
        let (ready, says) = pipe_with(PipeFlags::CLOEXEC)?;
        let mut command = Command::new(program);
        command
            .arg0("road_runner")
            .arg(LAUNCH)
            .arg(runs)
            .arg(id)
            .env_remove(mortal::VARIABLE)
            .current_dir("/")
            .stdin(reads)
            .stdout(says)
            .stderr(Stdio::null());
        // How it ended proves nothing, and where SIGCHLD is ignored nobody can say: the guardian's own word does.
        drop(around("start the guardian", || command.spawn())?.wait());
        // The descriptors that the command still has would keep the pipes open.
        drop(command);
        let mut polled = [PollFd::new(&ready, PollFlags::IN)];
        if poll(&mut polled, Some(&START_LIMIT))? == 0 {
            return Err(io::Error::other("it did not say that it is there"));
        }
        let mut line = String::new();
        BufReader::new(File::from(ready)).read_line(&mut line)?;
        if line.trim_end() != READY {
            return Err(io::Error::other("it could not begin"));
        }
        Ok(Self { pipe: File::from(writes) })
    }

    /// Rails are about to move.
    pub fn rails_move(&mut self) -> io::Result<()> {
        self.say(MOVING)
    }

    /// All rails are home.
    pub fn rails_are_home(&mut self) -> io::Result<()> {
        self.say(HOME)
    }

    /// The run is over: nothing of it is left to end or to bring home.
    pub fn dismiss(&mut self) -> io::Result<()> {
        self.say(OVER)
    }

    fn say(&mut self, word: &str) -> io::Result<()> {
        around("tell the guardian", || self.pipe.write_all(format!("{word}\n").as_bytes()))
    }
}

/// What the program does when its first argument is [`LAUNCH`]: starts the guardian with its own stdin and stdout, and ends,
/// so that the guardian is nobody's child here.
pub fn launch(arguments: &[PathBuf]) -> ExitCode {
    let mut command = Command::new("/proc/self/exe");
    let started = command.arg0("road_runner").arg(GUARD).args(arguments).stderr(Stdio::null()).spawn();
    if started.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What the program does when its first argument is [`GUARD`]: waits for the end of the runner, and brings home what it
/// left away.
pub fn watch(arguments: &[PathBuf], path: &str, home: &str) -> ExitCode {
    let [runs, id] = arguments else { return ExitCode::FAILURE };
    let Some(id) = id.to_str().and_then(|id| RunId::parse(id).ok()) else { return ExitCode::FAILURE };
    let Ok(dir) = RunDir::open(runs, &id) else { return ExitCode::FAILURE };
    // A leader of a group cannot leave its session; then it has one already.
    let _ = rustix::process::setsid();
    // The kernel's killer of last resort takes the runner first, where we may ask for that.
    drop(std::fs::write("/proc/self/oom_score_adj", "-500"));
    let hands = Hands { path: path.to_owned(), home: home.to_owned(), by: RestoredBy::Guardian };
    let watched = homecoming::with_reaper(async |reaper| {
        // Whoever stops the run asks the runner; what the guardian waits for is the runner's end.
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
        let deaf: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
        let (mut is_away, mut is_over) = (false, false);
        if deaf.len() < kinds.len() || say_ready().is_err() {
            return ExitCode::FAILURE;
        }
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            match line.as_str() {
                MOVING => is_away = true,
                HOME => is_away = false,
                OVER => is_over = true,
                _ => {}
            }
        }
        if is_over && !is_kept_away(&dir) {
            return ExitCode::SUCCESS;
        }
        let Some(_lock) = take(&dir, &id).await else { return ExitCode::SUCCESS };
        // What the runner left running would go on by itself, and go on writing to the rails. Under the lock: whoever goes
        // on with the run has processes of its own that look just like these.
        survivors::end(&dir, &id.to_string(), left_running::leader(&dir).as_ref());
        bring_home(reaper, &dir, &id, &hands, is_away).await
    });
    watched.unwrap_or(ExitCode::FAILURE)
}

/// Says it once, and nothing ever after.
fn say_ready() -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(format!("{READY}\n").as_bytes())?;
    stdout.flush()?;
    let null = rustix::fs::open("/dev/null", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::stdio::dup2_stdout(null)?;
    Ok(())
}

/// Takes the run's lock. Nothing where somebody else has it, who does all that a guardian would; an empty hold where none
/// can be written: a full disk is no reason to leave a rail away.
async fn take(dir: &RunDir, id: &RunId) -> Option<Option<Lock>> {
    let holder = homecoming::holder(&Roots::default(), &id.to_string());
    let mut tries = 0;
    loop {
        match Lock::acquire(&dir.lock(), LockScope::Run, &holder) {
            Ok(lock) => return Some(Some(lock)),
            Err(StoreError::Locked { .. }) if tries == LOCK_TRIES || !is_kept_away(dir) => return None,
            Err(StoreError::Locked { .. }) => tries += 1,
            Err(_) => return Some(None),
        }
        tokio::time::sleep(LOCK_PAUSE).await;
    }
}

async fn bring_home(reaper: &Reaper, dir: &RunDir, id: &RunId, hands: &Hands, is_away: bool) -> ExitCode {
    if !is_kept_away(dir) {
        return ExitCode::SUCCESS;
    }
    if !is_away {
        // It died between two sub-runs: there is nothing to do but to say so.
        let marked = homecoming::mark_home(dir);
        return if marked.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    for attempt in 1..=TRIES {
        match homecoming::bring_home(reaper, dir, id, hands).await {
            Ok(rails) if rails.values().all(Result::is_ok) => return ExitCode::SUCCESS,
            _ if attempt < TRIES => tokio::time::sleep(BETWEEN_TRIES).await,
            _ => {}
        }
    }
    ExitCode::FAILURE
}

/// Whether the run keeps rails of which nobody has said yet that they are home.
fn is_kept_away(dir: &RunDir) -> bool {
    matches!(KeptRails::read(dir), Ok(Some(kept)) if !kept.is_home)
}
