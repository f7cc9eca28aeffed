//! One runner per run directory, and one run per host: a file locked with `flock` for as long as its holder lives.
//! Never waits for a holder, never takes a lock away, and asking leaves no trace.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::mortal::around;

/// Who holds a lock, as written into it. A pid alone proves nothing: it counts only with its start time and boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id of the runner.
    pub pid: u32,
    /// Its start time in clock ticks since boot (field 22 of `/proc/PID/stat`).
    pub start_ticks: u64,
    /// `/proc/sys/kernel/random/boot_id` when it started.
    pub boot_id: String,
    /// Host name.
    pub host: String,
    /// The run it executes.
    pub run_id: String,
}

impl Holder {
    pub(crate) fn describe(holder: Option<&Self>) -> String {
        match holder {
            Some(holder) => format!(
                "run {} (process {} on {})",
                holder.run_id.escape_debug(),
                holder.pid,
                holder.host.escape_debug()
            ),
            None => "another run".to_owned(),
        }
    }
}

/// Who may look into a lock file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockScope {
    /// A run directory's: 0600.
    Run,
    /// The host's, shared by all users: 0666, because whoever holds it has to write its name into it.
    Host,
}

/// Whether somebody holds a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockStatus {
    /// Nobody does.
    Free,
    /// Somebody does; `None` when the file does not say whom (it is just being written).
    Held(Option<Holder>),
}

/// A held lock. Dropping it, or the end of the process, gives it back; the file stays.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _file: File,
}

/// A question takes a shared lock for microseconds; a taker that meets one tries again before it believes in a holder.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(2);

impl Lock {
    /// Takes the lock at `path` for `holder`, or fails with [`StoreError::Locked`] naming who has it.
    pub fn acquire(path: &Path, scope: LockScope, holder: &Holder) -> Result<Self, StoreError> {
        let opened = around("open a lock", || open_for_taking(CWD, path, scope));
        let file = opened.map_err(StoreError::io("lock", path))?;
        take(&file, path)?;
        let mut text = serde_json::to_vec(holder).map_err(|error| StoreError::encode(path, error))?;
        text.push(b'\n');
        // The new text first, then the cut: a reader in between finds it whole, with old bytes behind it.
        around("write a lock", || file.write_all_at(&text, 0))
            .and_then(|()| around("cut a lock", || file.set_len(text.len() as u64)))
            .map_err(StoreError::io("write", path))?;
        Ok(Self { path: path.to_path_buf(), _file: file })
    }

    /// Takes the lock of a run by its open directory, which lies at `dir`, to delete it. Writes nothing into it: the disk
    /// may be full. Where it is so full that a missing lock cannot even be made, nobody else can make one either.
    pub fn hold(folder: &File, dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = dir.join("lock");
        match open_for_taking(folder.as_fd(), Path::new("lock"), LockScope::Run) {
            Ok(file) => {
                take(&file, &path)?;
                Ok(Some(Self { path, _file: file }))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Ok(None),
            Err(error) => Err(StoreError::io("lock", &path)(error)),
        }
    }

    /// Takes the host-wide lock at the first of `candidates` whose folder lets us.
    pub fn acquire_host(candidates: &[PathBuf], holder: &Holder) -> Result<Self, StoreError> {
        let mut last = None;
        for path in candidates {
            match Self::acquire(path, LockScope::Host, holder) {
                Err(StoreError::Io { doing, path, source })
                    if matches!(
                        source.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
                    ) =>
                {
                    last = Some(StoreError::Io { doing, path, source });
                }
                decided => return decided,
            }
        }
        Err(last.unwrap_or_else(|| StoreError::Name { what: "lock", name: String::new() }))
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Takes an opened lock, or tells who has it.
fn take(file: &File, path: &Path) -> Result<(), StoreError> {
    for attempt in 1.. {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) if attempt < TRIES => thread::sleep(PAUSE),
            Err(Errno::WOULDBLOCK) => {
                return Err(StoreError::Locked { path: path.to_path_buf(), holder: read_holder(file) });
            }
            Err(error) => return Err(StoreError::io("lock", path)(error)),
        }
    }
    Ok(())
}

/// Whether the lock at `path` is held, and by whom. A file that is not there is free. Nothing is made or changed.
pub fn status(path: &Path) -> Result<LockStatus, StoreError> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(LockStatus::Free),
        Err(error) => return Err(StoreError::io("read", path)(error)),
    };
    loop {
        return match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
            // Closing the file gives the shared lock back.
            Ok(()) => Ok(LockStatus::Free),
            Err(Errno::INTR) => continue,
            Err(Errno::WOULDBLOCK) => Ok(LockStatus::Held(read_holder(&file))),
            Err(error) => Err(StoreError::io("read", path)(error)),
        };
    }
}

/// Opens without following a symlink and takes only a regular file with one name: in a folder that all may write to,
/// anything else may have been laid out to have us overwrite another file.
fn open_for_taking(folder: BorrowedFd<'_>, path: &Path, scope: LockScope) -> io::Result<File> {
    let mode = match scope {
        LockScope::Run => Mode::from_raw_mode(0o600),
        LockScope::Host => Mode::from_raw_mode(0o666),
    };
    let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    // Opened before made: in a sticky folder the kernel may refuse to "make" a file that another user owns.
    let file = match rustix::fs::openat(folder, path, flags, mode) {
        Err(Errno::NOENT) => match rustix::fs::openat(folder, path, flags | OFlags::CREATE | OFlags::EXCL, mode) {
            Ok(file) => {
                rustix::fs::fchmod(&file, mode)?;
                file
            }
            Err(Errno::EXIST) => rustix::fs::openat(folder, path, flags, mode)?,
            Err(error) => return Err(error.into()),
        },
        opened => opened?,
    };
    let file = File::from(file);
    let facts = file.metadata()?;
    if !facts.is_file() || facts.nlink() != 1 {
        return Err(io::Error::other("not a plain file of its own"));
    }
    Ok(file)
}

fn read_holder(mut file: &File) -> Option<Holder> {
    let mut bytes = Vec::new();
    Read::take(&mut file, 64 * 1024).read_to_end(&mut bytes).ok()?;
    serde_json::Deserializer::from_slice(&bytes).into_iter().next()?.ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn holder(run_id: &str) -> Holder {
        Holder {
            pid: 4242,
            start_ticks: 99,
            boot_id: "4f6e".to_owned(),
            host: "bench-3".to_owned(),
            run_id: run_id.to_owned(),
        }
    }

    fn check(path: &Path, expected: &LockStatus) {
        assert_eq!(&status(path).unwrap(), expected);
    }

    #[test]
    fn one_holder_at_a_time_and_the_second_learns_who() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        check(&path, &LockStatus::Free);
        assert!(!path.exists(), "asking makes nothing");
        let lock = Lock::acquire(&path, LockScope::Run, &holder("rr-a-with-a-long-name")).unwrap();
        check(&path, &LockStatus::Held(Some(holder("rr-a-with-a-long-name"))));
        let error = Lock::acquire(&path, LockScope::Run, &holder("rr-b")).unwrap_err();
        assert_eq!(
            error.to_string().replace(&folder.path().display().to_string(), "D"),
            "lock D/lock: held by run rr-a-with-a-long-name (process 4242 on bench-3)"
        );
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        drop(lock);
        check(&path, &LockStatus::Free);
        let _second = Lock::acquire(&path, LockScope::Run, &holder("rr-b")).unwrap();
        check(&path, &LockStatus::Held(Some(holder("rr-b"))));
    }

    #[test]
    fn moves_with_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        let _lock = Lock::acquire(&folder.path().join("a/lock"), LockScope::Run, &holder("rr-a")).unwrap();
        fs::rename(folder.path().join("a"), folder.path().join("b")).unwrap();
        check(&folder.path().join("b/lock"), &LockStatus::Held(Some(holder("rr-a"))));
    }

    #[test]
    fn askers_do_not_keep_a_runner_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        drop(Lock::acquire(&path, LockScope::Run, &holder("rr-a")).unwrap());
        let done = std::sync::atomic::AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    status(&path).unwrap();
                }
            });
            let taken = (0..200).all(|_| Lock::acquire(&path, LockScope::Run, &holder("rr-b")).is_ok());
            done.store(true, std::sync::atomic::Ordering::Relaxed);
            assert!(taken);
        });
    }

    #[test]
    fn garbage_in_the_file_is_an_unknown_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let _lock = Lock::acquire(&path, LockScope::Run, &holder("rr-a")).unwrap();
        fs::write(&path, "\u{1b}]52;c;x\u{7}").unwrap();
        check(&path, &LockStatus::Held(None));
    }

    #[test]
    fn the_host_lock_falls_back_and_is_open_to_all() {
        let folder = tempfile::tempdir().unwrap();
        let candidates = [folder.path().join("no/such/lock"), folder.path().join("host.lock")];
        let lock = Lock::acquire_host(&candidates, &holder("rr-a")).unwrap();
        assert_eq!(lock.path(), candidates[1]);
        assert_eq!(fs::metadata(lock.path()).unwrap().permissions().mode() & 0o777, 0o666);
        let error = Lock::acquire_host(&candidates, &holder("rr-b")).unwrap_err();
        assert!(matches!(error, StoreError::Locked { holder: Some(held), .. } if held.run_id == "rr-a"));
        assert!(Lock::acquire_host(&candidates[..1], &holder("rr-b")).unwrap_err().is_absent());
    }

    #[test]
    fn links_and_fifos_laid_out_for_us_are_refused_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("victim"), "kept").unwrap();
        std::os::unix::fs::symlink(at("victim"), at("soft")).unwrap();
        fs::hard_link(at("victim"), at("hard")).unwrap();
        rustix::fs::mknodat(CWD, at("fifo"), rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        for name in ["soft", "hard", "fifo"] {
            assert!(Lock::acquire(&at(name), LockScope::Host, &holder("rr-a")).is_err(), "{name}");
        }
        assert_eq!(fs::read_to_string(at("victim")).unwrap(), "kept");
    }
}
