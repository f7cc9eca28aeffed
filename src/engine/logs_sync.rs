//! Brings log files to the disk from a thread of its own, so that a slow disk delays no limit and no signal.
//! Never reads or writes the logs, never tells anybody how it went: the journal is what must succeed.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;

/// Requests that may wait; with more the disk is hopelessly behind, and the next second asks again.
const WAITING: usize = 64;

/// The thread that calls `fdatasync`. It ends when this is dropped and its requests are done, and nobody waits for that.
#[derive(Debug)]
pub struct LogSyncer {
    requests: SyncSender<Request>,
}

#[derive(Debug)]
enum Request {
    Sync(Arc<File>),
    Done(SyncSender<()>),
}

impl LogSyncer {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let (requests, waiting) = sync_channel(WAITING);
        thread::Builder::new().name("log-sync".to_owned()).spawn(move || {
            for request in waiting {
                match request {
                    // A log on a failing disk is found out by the journal beside it.
                    Request::Sync(file) => drop(file.sync_data()),
                    Request::Done(done) => drop(done.send(())),
                }
            }
        })?;
        Ok(Self { requests })
    }

    /// Asks for `file` to be synced. `false` when too much is waiting already; then ask again later.
    pub fn request(&self, file: &Arc<File>) -> bool {
        match self.requests.try_send(Request::Sync(Arc::clone(file))) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
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
}
