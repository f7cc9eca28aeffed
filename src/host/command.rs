//! Asking an outside command, with a limit on its time and on what it may say.
//! Never searches PATH, never shows a terminal or our environment to it, never waits longer than said.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// Where the system's own tools are, and the `PATH` that a command gets.
pub const SYSTEM_FOLDERS: [&str; 4] = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];

/// How long a group that was killed may take to be gone. Only a process stuck in the kernel takes longer.
const KILL_WAIT: Duration = Duration::from_millis(500);
/// How long the pipes of a command that has ended are drained, if something that left its group holds them.
const DRAIN_WAIT: Duration = Duration::from_millis(100);
/// Reads that empty any pipe: one holds 64 KiB unless its owner enlarged it.
const DRAIN_READS: usize = 32;

/// What a command may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the start until its process group is killed.
    pub time: Duration,
    /// Bytes kept of stdout, and as many of stderr. What comes after is read and dropped.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { time: Duration::from_secs(5), bytes: 64 << 10 }
    }
}

/// What a command that ended by itself said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code; `None` when a signal ended it.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// The beginning of what it wrote to stdout.
    pub stdout: Vec<u8>,
    /// The beginning of what it wrote to stderr.
    pub stderr: Vec<u8>,
    /// Whether it wrote more than was kept.
    pub truncated: bool,
}

impl Answer {
    /// Whether it exited with 0.
    pub fn succeeded(&self) -> bool {
        self.exit_code == Some(0)
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A name would be searched in PATH: resolve it first.
    #[error("{} is not an absolute path", .0.display())]
    NotAbsolute(PathBuf),
    /// It could not be started.
    #[error("start {}: {error}", path.display())]
    Start {
        /// The executable.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// It was still running at its time limit, and was killed with its process group.
    #[error("{} was still running after {} ms and was killed", path.display(), limit.as_millis())]
    TimedOut {
        /// The executable.
        path: PathBuf,
        /// The limit it had.
        limit: Duration,
    },
    /// It could not be watched; it was killed.
    #[error("watch {}: {error}", path.display())]
    Watch {
        /// The executable.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// The first of these folders that has an executable file of this name. Relative folders are passed over.
pub fn find<'a>(name: &str, folders: impl IntoIterator<Item = &'a Path>) -> Option<PathBuf> {
    if name.is_empty() || name.contains('/') {
        return None;
    }
    folders
        .into_iter()
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok())
}

/// [`find`] in the folders of the system.
pub fn find_system(name: &str) -> Option<PathBuf> {
    find(name, SYSTEM_FOLDERS.iter().map(Path::new))
}

/// Runs a command to its end or to its limit. It gets no stdin, `LC_ALL=C`, a `PATH` of absolute folders and
/// nothing else of the environment, `/` for its folder, and a process group of its own. Whatever is left of
/// that group when it ends is killed.
pub fn run<S: AsRef<OsStr>>(path: &Path, args: &[S], limits: Limits) -> Result<Answer, CommandError> {
    if !path.is_absolute() {
        return Err(CommandError::NotAbsolute(path.to_owned()));
    }
    let deadline = Instant::now() + limits.time;
    let mut child = Command::new(path)
        .args(args)
        .env_clear()
        .env("LC_ALL", "C")
        .env("PATH", SYSTEM_FOLDERS.join(":"))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| CommandError::Start { path: path.to_owned(), error })?;
    let mut said = Said::new(&mut child, limits.bytes);
    let ended = said.watch(&child, deadline);
    // The leader is not reaped yet, so its number cannot have become another group's.
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    match ended {
        Ok(true) => {
            let status = child.wait().map_err(|error| CommandError::Watch { path: path.to_owned(), error })?;
            Ok(Answer {
                exit_code: status.code(),
                signal: status.signal(),
                stdout: said.stdout.kept,
                stderr: said.stderr.kept,
                truncated: said.stdout.dropped || said.stderr.dropped,
            })
        }
        Ok(false) => {
            reap(&mut child);
            Err(CommandError::TimedOut { path: path.to_owned(), limit: limits.time })
        }
        Err(error) => {
            reap(&mut child);
            Err(CommandError::Watch { path: path.to_owned(), error: error.into() })
        }
    }
}

/// Waits for a killed child, but not for one that the kernel does not let go.
fn reap(child: &mut Child) {
    if let Ok(pidfd) = pidfd_open(Pid::from_child(child), PidfdFlags::empty()) {
        let mut gone = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
        let _ = poll(&mut gone, Some(&timespec(KILL_WAIT)));
    }
    let _ = child.try_wait();
}

/// Both streams of a command as they come.
struct Said {
    stdout: Stream<ChildStdout>,
    stderr: Stream<ChildStderr>,
}

/// One stream: its beginning is kept, the rest read and dropped, so that the command never blocks on us.
struct Stream<R> {
    pipe: Option<R>,
    kept: Vec<u8>,
    limit: usize,
    dropped: bool,
}

impl Said {
    fn new(child: &mut Child, limit: usize) -> Self {
        Self { stdout: Stream::new(child.stdout.take(), limit), stderr: Stream::new(child.stderr.take(), limit) }
    }

    /// Reads until the command has ended and both pipes are closed. `false`: it still ran at the deadline.
    fn watch(&mut self, child: &Child, deadline: Instant) -> rustix::io::Result<bool> {
        let pid = Pid::from_child(child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let mut deadline = deadline;
        let mut ended = false;
        while !(ended && self.stdout.pipe.is_none() && self.stderr.pipe.is_none()) {
            // With no time left the descriptors are still looked at once: we may have been kept from it.
            let left = deadline.saturating_duration_since(Instant::now());
            let leader = self.take_ready(if ended { None } else { Some(pidfd.as_fd()) }, left)?.leader;
            if leader {
                ended = true;
                let _ = kill_process_group(pid, Signal::KILL);
                deadline = deadline.min(Instant::now() + DRAIN_WAIT);
            }
            if left.is_zero() {
                break;
            }
        }
        if ended {
            // What it had written before it ended is in the pipes; what still writes is another's.
            for _ in 0..DRAIN_READS {
                if !self.take_ready(None, Duration::ZERO)?.said {
                    break;
                }
            }
        }
        Ok(ended)
    }

    /// Waits until something is ready, and reads once from each stream that is.
    fn take_ready(&mut self, leader: Option<BorrowedFd<'_>>, left: Duration) -> rustix::io::Result<Ready> {
        let (leader, out, err) = {
            let out = self.stdout.pipe.as_ref().map(AsFd::as_fd);
            let err = self.stderr.pipe.as_ref().map(AsFd::as_fd);
            ready([leader, out, err], left)?
        };
        if out {
            self.stdout.take_some();
        }
        if err {
            self.stderr.take_some();
        }
        Ok(Ready { leader, said: out || err })
    }
}

/// What was ready: the end of the command, something said.
struct Ready {
    leader: bool,
    said: bool,
}

/// Waits for any of three descriptors, and says which are ready.
fn ready(watched: [Option<BorrowedFd<'_>>; 3], left: Duration) -> rustix::io::Result<(bool, bool, bool)> {
    let mut fds: Vec<PollFd<'_>> =
        watched.iter().flatten().map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    match poll(&mut fds, Some(&timespec(left))) {
        Ok(_) => {}
        Err(rustix::io::Errno::INTR) => return Ok((false, false, false)),
        Err(error) => return Err(error),
    }
    let mut events = fds.iter().map(|fd| !fd.revents().is_empty());
    let mut next = |fd: Option<BorrowedFd<'_>>| fd.is_some() && events.next().unwrap_or(false);
    Ok((next(watched[0]), next(watched[1]), next(watched[2])))
}

impl<R: Read> Stream<R> {
    fn new(pipe: Option<R>, limit: usize) -> Self {
        Self { pipe, kept: Vec::new(), limit, dropped: false }
    }

    /// One read, of a pipe that has something or has been closed. A failing pipe counts as closed.
    fn take_some(&mut self) {
        let Some(pipe) = &mut self.pipe else { return };
        let mut buffer = [0; 8192];
        match pipe.read(&mut buffer) {
            Ok(0) => self.pipe = None,
            Ok(count) => {
                let room = (self.limit - self.kept.len()).min(count);
                self.kept.extend_from_slice(&buffer[..room]);
                self.dropped |= room < count;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.pipe = None,
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::process;
    use crate::host::roots::Roots;

    fn sh(script: &str, limits: Limits) -> Result<Answer, CommandError> {
        run(Path::new("/bin/sh"), &["-c", script], limits)
    }

    fn short() -> Limits {
        Limits { time: Duration::from_millis(200), ..Limits::default() }
    }

    /// Exit code, signal, stdout, stderr.
    fn check(script: &str, expected: (Option<i32>, Option<i32>, &str, &str)) {
        let answer = sh(script, Limits::default()).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&answer.stdout), text(&answer.stderr));
        assert_eq!((answer.exit_code, answer.signal, out.as_str(), err.as_str()), expected, "{script}");
    }

    #[test]
    fn says_how_it_ended_and_what_it_said() {
        check("echo out; echo err >&2; exit 3", (Some(3), None, "out\n", "err\n"));
        check("kill -SEGV $$", (None, Some(11), "", ""));
        check("cat; pwd", (Some(0), None, "/\n", ""));
        check("echo first; exec >&- 2>&-; exit 4", (Some(4), None, "first\n", ""));
    }

    #[test]
    fn the_environment_is_built_from_nothing() {
        let answer = run(Path::new("/usr/bin/env"), &[] as &[&str], Limits::default()).unwrap();
        assert_eq!(String::from_utf8_lossy(&answer.stdout), "LC_ALL=C\nPATH=/usr/bin:/usr/sbin:/bin:/sbin\n");
    }

    #[test]
    fn a_flood_is_bounded() {
        let answer = sh("yes | head -c 1000000", Limits::default()).unwrap();
        assert_eq!((answer.stdout.len(), answer.truncated, answer.succeeded()), (64 << 10, true, true));
        assert!(matches!(sh("exec yes", short()), Err(CommandError::TimedOut { .. })));
    }

    #[test]
    fn the_whole_group_is_killed_at_the_limit() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = format!("trap '' TERM INT HUP; sleep 1000 & echo $! > {}; wait", file.display());
        // Long enough for a busy machine to have come to the `wait`.
        let error = sh(&script, Limits { time: Duration::from_secs(1), ..Limits::default() }).unwrap_err();
        assert_eq!(error.to_string(), "/bin/sh was still running after 1000 ms and was killed");
        assert_gone(&std::fs::read_to_string(&file).unwrap());
    }

    #[test]
    fn what_a_command_leaves_behind_is_killed() {
        let answer = sh("sleep 1000 & echo $!", Limits::default()).unwrap();
        assert_gone(&String::from_utf8_lossy(&answer.stdout));
    }

    #[test]
    fn a_pipe_held_by_one_that_left_the_group_is_not_waited_for() {
        let before = Instant::now();
        let answer = sh("setsid sleep 10 & echo kept", Limits { time: Duration::from_secs(60), ..Limits::default() });
        assert_eq!(answer.unwrap().stdout, b"kept\n");
        assert!(before.elapsed() < Duration::from_secs(10));
    }

    /// Waits until a killed process is gone, or a zombie that its new parent has yet to reap.
    fn assert_gone(pid: &str) {
        let pid = pid.trim().parse().unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while process::stat(&Roots::default(), pid).is_ok_and(|stat| stat.state != 'Z') {
            assert!(Instant::now() < deadline, "process {pid} still runs");
            std::thread::yield_now();
        }
    }

    #[test]
    fn names_are_found_not_searched_at_the_start() {
        assert!(matches!(run(Path::new("sh"), &["-c", ":"], short()), Err(CommandError::NotAbsolute(_))));
        assert!(matches!(run(Path::new("/no/such"), &[] as &[&str], short()), Err(CommandError::Start { .. })));
        assert!(find_system("sh").is_some_and(|path| path.is_absolute()));
        assert_eq!(find("sh", [Path::new("bin"), Path::new("/proc")]), None);
        assert_eq!(find("../bin/sh", [Path::new("/usr/bin")]), None);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("sh"), "no exec bit").unwrap();
        let folders = [dir.path(), Path::new("/bin")];
        assert_eq!(find("sh", folders), Some(PathBuf::from("/bin/sh")));
    }
}
