//! Brings logs and what steps left behind to the disk from a thread of its own, so that a slow disk delays no limit and no
//! signal, and tries there whether the record could still grow. Never reads or writes any of what steps leave, never tells
//! anybody how syncing went: the journal is what must succeed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::fs::{Mode, OFlags};

use crate::store::StoreError;
use crate::store::reserve;

/// Requests that may wait; with more the disk is hopelessly behind, and the next second asks again.
const WAITING: usize = 64;
/// At most so many entries of a folder are brought to the disk one by one: a flood of files must not hold up the run.
const MOST_ENTRIES: usize = 10_000;

/// The thread that calls `fdatasync`. It ends when this is dropped and its requests are done, and nobody waits for that.
#[derive(Debug)]
pub struct LogSyncer {
    requests: SyncSender<Request>,
    /// What the last attempt at growing came to, where it failed.
    refused: Arc<Mutex<Option<StoreError>>>,
}

#[derive(Debug)]
enum Request {
    Sync(Arc<File>),
    Folder(PathBuf),
    Tree(PathBuf),
    Grow(PathBuf, u64),
    Done(SyncSender<()>),
}

impl LogSyncer {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let (requests, waiting) = sync_channel(WAITING);
        let refused = Arc::new(Mutex::new(None));
        let refusals = Arc::clone(&refused);
        thread::Builder::new().name("log-sync".to_owned()).spawn(move || {
            for request in waiting {
                match request {
                    // A log on a failing disk is found out by the journal beside it.
                    Request::Sync(file) => drop(file.sync_data()),
                    Request::Folder(folder) => sync_folder(&folder),
                    Request::Tree(folder) => sync_tree(&folder, &mut MOST_ENTRIES.clone()),
                    Request::Grow(portion, bytes) => {
                        let refusal = reserve::try_growth(&portion, bytes).err();
                        *refusals.lock().unwrap_or_else(PoisonError::into_inner) = refusal;
                    }
                    Request::Done(done) => drop(done.send(())),
                }
            }
        })?;
        Ok(Self { requests, refused })
    }

    /// Asks for `file` to be synced. `false` when too much is waiting already; then ask again later.
    pub fn request(&self, file: &Arc<File>) -> bool {
        match self.requests.try_send(Request::Sync(Arc::clone(file))) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }

    /// As [`Self::request`], and waits for its turn where too much is waiting: for a log that nobody writes any more.
    pub fn insist(&self, file: &Arc<File>) {
        self.ask(Request::Sync(Arc::clone(file)));
    }

    /// As [`Self::insist`], for a log that is not open; one that is not there needs nothing.
    pub fn log(&self, path: &Path) {
        if let Ok(file) = open(path, OFlags::empty()) {
            self.insist(&Arc::new(file));
        }
    }

    /// Asks for the names in a folder to be synced.
    pub fn folder(&self, folder: PathBuf) {
        self.ask(Request::Folder(folder));
    }

    /// Asks for every file below a folder to be synced, and every name.
    pub fn tree(&self, folder: PathBuf) {
        self.ask(Request::Tree(folder));
    }

    /// Asks for an attempt at making a portion of the reserve larger; one that finds no room is told by [`Self::refused`].
    pub fn try_growth(&self, portion: PathBuf, bytes: u64) {
        // Where too much is waiting the next second asks again.
        let _busy = self.requests.try_send(Request::Grow(portion, bytes));
    }

    /// Why the last attempt found that the record cannot grow any more; told once.
    pub fn refused(&self) -> Option<StoreError> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn ask(&self, request: Request) {
        // An error means that the thread is gone, and with it the disk.
        let _gone = self.requests.send(request);
    }

    /// Waits until everything asked for so far is on the disk.
    pub fn flush(&self) {
        let (done, finished) = sync_channel(1);
        if self.requests.send(Request::Done(done)).is_ok() {
            // An error means that the thread is gone, and with it all that could be waited for.
            let _gone = finished.recv();
        }
    }
}

fn open(path: &Path, flags: OFlags) -> io::Result<File> {
    let flags = flags | OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

fn sync_folder(folder: &Path) {
    drop(open(folder, OFlags::DIRECTORY).and_then(|folder| folder.sync_all()));
}

/// Files before the names that lead to them. Links lead nowhere, and pipes and devices hold nothing.
fn sync_tree(folder: &Path, left: &mut usize) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        if *left == 0 {
            break;
        }
        *left -= 1;
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => sync_tree(&entry.path(), left),
            Ok(kind) if kind.is_file() => {
                drop(open(&entry.path(), OFlags::empty()).and_then(|file| file.sync_data()));
            }
            _ => {}
        }
    }
    sync_folder(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_done_after_flush() {
        let syncer = LogSyncer::start().unwrap();
        let file = Arc::new(tempfile::tempfile().unwrap());
        assert!(syncer.request(&file));
        syncer.flush();
        // The thread has let go of it.
        assert_eq!(Arc::strong_count(&file), 1);
    }

    #[test]
    fn a_tree_with_anything_in_it_comes_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("deep/down")).unwrap();
        fs::write(at("deep/down/file"), "x").unwrap();
        std::os::unix::fs::symlink("/", at("link")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
        let mut left = 5;
        sync_tree(folder.path(), &mut left);
        assert_eq!(left, 0, "four entries and the file");
        let syncer = LogSyncer::start().unwrap();
        syncer.tree(folder.path().to_owned());
        syncer.folder(at("gone"));
        syncer.flush();
    }
}
