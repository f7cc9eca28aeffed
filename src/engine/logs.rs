//! The two log files that one execution writes into by itself: opened for it, watched from outside, kept under a cap.
//! Never reads what is in them, never stands between the diagnostic and the disk, never decides that silence is a hang.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FallocateFlags, OFlags, fallocate};
use rustix::io::Errno;

use crate::domain::units::Bytes;

use super::logs_sync::LogSyncer;
use super::logs_trim::{self, Trim};

/// A hole grows by at least this much at a time: giving back single blocks costs more than it frees.
const HOLE_STEP: u64 = 1 << 20;

/// What went wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log cannot be opened, measured or rewritten.
    #[error("log {}: {source}", .path.display())]
    Io {
        /// Which log.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The log is past its cap on a file system that cannot take the middle back: the execution must end.
    #[error("{} is past {}, and its file system cannot punch holes", in_sub_run(path), Bytes(*cap))]
    NoHoles {
        /// Which log.
        path: PathBuf,
        /// The cap, bytes.
        cap: u64,
    },
}

/// A log as the sub-run's record names it: `stdout/00_cpu-smoke.log`.
fn in_sub_run(path: &Path) -> String {
    let parts: Vec<_> = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("/")
}

/// Sizes at one instant, bytes, as written by the diagnostic (holes included).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogSizes {
    /// Standard output.
    pub stdout: u64,
    /// Standard error.
    pub stderr: u64,
}

/// One stream's log while its execution runs.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: Arc<File>,
    /// Largest size seen: a diagnostic that truncates its log does not make it unwritten.
    written: u64,
    synced: u64,
    hole_end: u64,
    block: u64,
    cap: u64,
}

impl Log {
    /// Creates the log at `path`, mode 0600. It must not exist: two executions never share evidence.
    pub fn create(path: PathBuf, cap: u64) -> Result<Self, LogError> {
        let opened = OpenOptions::new()
            .read(true)
            .append(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&path);
        match opened {
            Ok(file) => Ok(Self { path, file: Arc::new(file), written: 0, synced: 0, hole_end: 0, block: 4096, cap }),
            Err(source) => Err(LogError::Io { path, source }),
        }
    }

    /// The descriptor to hand to the diagnostic.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes that are in it now: fewer than were written once it has been cut.
    pub fn size(&self) -> Result<u64, LogError> {
        self.file.metadata().map(|metadata| metadata.len()).map_err(self.io())
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    fn io(&self) -> impl Fn(io::Error) -> LogError {
        let path = self.path.clone();
        move |source| LogError::Io { path: path.clone(), source }
    }

    /// Looks at the size once and keeps the disk usage under the cap.
    fn measure(&mut self) -> Result<(), LogError> {
        let metadata = self.file.metadata().map_err(self.io())?;
        self.written = self.written.max(metadata.len());
        self.block = metadata.blksize().max(512);
        self.punch(metadata.len())
    }

    /// Gives the middle back to the disk: what lies after the head and before the tail that will be kept.
    fn punch(&mut self, size: u64) -> Result<(), LogError> {
        let keep = Trim::new(self.cap);
        let start = keep.head.next_multiple_of(self.block);
        let end = size.saturating_sub(keep.tail) / self.block * self.block;
        let from = self.hole_end.max(start);
        let step = HOLE_STEP.min(self.cap / 8).max(self.block);
        if end < from.saturating_add(step) {
            return Ok(());
        }
        let mode = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fallocate(&*self.file, mode, from, end - from) {
            Ok(()) => {
                self.hole_end = end;
                Ok(())
            }
            Err(Errno::INTR) => Ok(()),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Err(LogError::NoHoles { path: self.path.clone(), cap: self.cap }),
            Err(errno) => Err(self.io()(errno.into())),
        }
    }

    fn sync(&mut self, syncer: &LogSyncer) {
        if self.written > self.synced && syncer.request(&self.file) {
            self.synced = self.written;
        }
    }
}

/// Both logs of one execution.
#[derive(Debug)]
pub struct StepLogs {
    stdout: Log,
    stderr: Log,
    sampled: LogSizes,
}

impl StepLogs {
    /// Creates both, each capped at `cap` bytes.
    pub fn create(stdout: PathBuf, stderr: PathBuf, cap: u64) -> Result<Self, LogError> {
        Ok(Self { stdout: Log::create(stdout, cap)?, stderr: Log::create(stderr, cap)?, sampled: LogSizes::default() })
    }

    /// Standard output's log.
    pub fn stdout(&self) -> &Log {
        &self.stdout
    }

    /// Standard error's log.
    pub fn stderr(&self) -> &Log {
        &self.stderr
    }

    /// Looks at both sizes. `Some` when either has grown since last time: that is no silence, and a line for `logs.idx`.
    pub fn sample(&mut self) -> Result<Option<LogSizes>, LogError> {
        self.stdout.measure()?;
        self.stderr.measure()?;
        let sizes = self.sizes();
        let grown = sizes != self.sampled;
        self.sampled = sizes;
        Ok(grown.then_some(sizes))
    }

    /// What the last sample saw.
    pub fn sizes(&self) -> LogSizes {
        LogSizes { stdout: self.stdout.written, stderr: self.stderr.written }
    }

    /// Asks for what has grown to be brought to the disk, without waiting.
    pub fn sync(&mut self, syncer: &LogSyncer) {
        self.stdout.sync(syncer);
        self.stderr.sync(syncer);
    }

    /// Ends the logs once nobody can write any more: whatever is past the cap is rewritten as head, marker, tail.
    ///
    /// Returns the bytes written, before any rewriting.
    pub fn finish(&mut self, syncer: &LogSyncer) -> Result<LogSizes, LogError> {
        for log in [&mut self.stdout, &mut self.stderr] {
            let size = log.file.metadata().map_err(log.io())?.len();
            log.written = log.written.max(size);
            if size > log.cap {
                log.file = Arc::new(logs_trim::rewrite(&log.path, &log.file, size, log.cap).map_err(log.io())?);
                log.synced = log.written;
            }
            if log.written > log.synced {
                syncer.insist(&log.file);
                log.synced = log.written;
            }
        }
        Ok(self.sizes())
    }
}

/// Brings a log to its end that a dead runner left: past its cap it is rewritten like any other. Returns the bytes that were
/// written; none where there is no log.
pub fn settle(path: &Path, cap: u64) -> Result<u64, LogError> {
    let io = |source| LogError::Io { path: path.to_path_buf(), source };
    let opened = OpenOptions::new().read(true).custom_flags(OFlags::NOFOLLOW.bits().cast_signed()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(io(error)),
    };
    let size = file.metadata().map_err(io)?.len();
    if size > cap {
        logs_trim::remove_remnant(path).and_then(|()| logs_trim::rewrite(path, &file, size, cap)).map_err(io)?;
    }
    Ok(size)
}

/// `logs.idx` of a sub-run: a line per sample, so that output has a time and streams an order.
///
/// Each line is `<index> <milliseconds since 1970 UTC> <stdout bytes> <stderr bytes>`.
#[derive(Debug)]
pub struct LogIndex {
    file: File,
}

impl LogIndex {
    /// Opens it for append, mode 0600, creating it where it is missing.
    pub fn open(path: &Path) -> Result<Self, LogError> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(path)
            .map(|file| Self { file })
            .map_err(|source| LogError::Io { path: path.to_path_buf(), source })
    }

    /// Appends one sample of execution `index` at `unix_ms`, in one write.
    pub fn append(&mut self, index: u32, unix_ms: i64, sizes: LogSizes) -> io::Result<()> {
        let LogSizes { stdout, stderr } = sizes;
        self.file.write_all(format!("{index} {unix_ms} {stdout} {stderr}\n").as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: u64 = 1 << 20;

    fn logs(folder: &Path) -> StepLogs {
        StepLogs::create(folder.join("out"), folder.join("err"), CAP).unwrap()
    }

    fn fill(log: &Log, lines: std::ops::Range<u64>) {
        let text = lines.map(|n| format!("line {n:09}\n")).collect::<Vec<_>>().concat();
        log.file().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn growth_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut logs = logs(folder.path());
        assert_eq!(logs.sample().unwrap(), None);
        logs.stderr().file().write_all(b"warn\n").unwrap();
        let sizes = LogSizes { stdout: 0, stderr: 5 };
        assert_eq!(logs.sample().unwrap(), Some(sizes));
        assert_eq!(logs.sample().unwrap(), None);
    }

    #[test]
    fn an_existing_log_or_a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        logs(folder.path());
        assert!(StepLogs::create(folder.path().join("out"), folder.path().join("x"), CAP).is_err());
        std::os::unix::fs::symlink("/nonexistent", folder.path().join("link")).unwrap();
        assert!(Log::create(folder.path().join("link"), CAP).is_err());
        assert!(LogIndex::open(&folder.path().join("link")).is_err());
    }

    #[test]
    fn a_log_past_its_cap_holds_little_disk_and_keeps_both_ends() {
        let folder = tempfile::tempdir().unwrap();
        let syncer = LogSyncer::start().unwrap();
        let mut logs = logs(folder.path());
        let (per_round, rounds) = (20_000, 40);
        let mut most = 0;
        for round in 0..rounds {
            fill(logs.stdout(), round * per_round..(round + 1) * per_round);
            logs.sample().unwrap();
            most = most.max(logs.stdout().file().metadata().unwrap().blocks() * 512);
        }
        // A round writes 300 kB between two looks.
        assert!(most < CAP + CAP / 2, "{most} bytes of disk");
        let written = rounds * per_round * 15;
        let sizes = logs.finish(&syncer).unwrap();
        assert_eq!(sizes.stdout, written);
        let text = std::fs::read_to_string(folder.path().join("out")).unwrap();
        assert!(text.len() as u64 <= CAP, "{}", text.len());
        assert!(text.starts_with("line 000000000\n"));
        assert!(text.ends_with(&format!("line {:09}\n", rounds * per_round - 1)));
        let marker: Vec<&str> = text.lines().filter(|line| !line.starts_with("line ")).collect();
        let dropped = written - (text.len() as u64 - marker[0].len() as u64 - 1);
        assert_eq!(marker, [format!("[road_runner: {dropped} bytes dropped here]")]);
    }

    #[test]
    fn a_log_that_a_dead_runner_left_is_brought_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        assert_eq!(settle(&path, 100).unwrap(), 0);
        std::fs::write(&path, "line\n".repeat(100)).unwrap();
        std::fs::write(folder.path().join("out.tmp"), "half").unwrap();
        assert_eq!(settle(&path, 1000).unwrap(), 500);
        assert_eq!(std::fs::read_to_string(&path).unwrap().len(), 500);
        assert_eq!(settle(&path, 300).unwrap(), 500);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.len() <= 300 && text.contains("bytes dropped here") && text.ends_with("line\n"), "{text}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_index_is_lines_of_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs.idx");
        let sizes = LogSizes { stdout: 7, stderr: 0 };
        LogIndex::open(&path).unwrap().append(3, 1_700_000_000_123, sizes).unwrap();
        LogIndex::open(&path).unwrap().append(4, 1_700_000_000_200, sizes).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "3 1700000000123 7 0\n4 1700000000200 7 0\n");
    }
}
