//! Where the runner looks after the disk that its record is on: before each sub-run, and while a step runs. A step must not go
//! on for hours that cannot be recorded, nor a sub-run begin whose end could not be.

use std::path::Path;

use super::Runner;
use crate::store::StoreError;
use crate::store::space::{self, Space};

/// With less room than this, in bytes, the end of a step could not be recorded.
const LEAST_FREE: u64 = 16 << 10;
/// With less room than this, in bytes, no sub-run begins; on a small file system with less than a part of it.
const LEAST_TO_BEGIN: u64 = 4 << 20;
const PART: u64 = 16;

impl Runner<'_> {
    /// Whether there is room for the record of one more sub-run. The error says where there is none.
    pub(super) fn room_for_a_sub_run(&self) -> Result<(), String> {
        let least = |space: &Space| LEAST_TO_BEGIN.min(space.total_bytes / PART);
        trouble(self.dir.root(), least).map_or(Ok(()), Err)
    }

    /// Whether the sub-run's directory is gone, its disk full or nothing can be written there any more: that was tried a second
    /// ago.
    pub(super) fn disk_trouble(&self) -> Option<String> {
        let refused = self.syncer.refused().map(said);
        if let Some(portion) = self.recorder.kept_back() {
            self.syncer.try_growth(portion.to_owned(), LEAST_FREE);
        }
        trouble(self.sub_run.as_ref()?.dir.root(), |_| LEAST_FREE).or(refused)
    }
}

fn trouble(folder: &Path, least: impl FnOnce(&Space) -> u64) -> Option<String> {
    match space::at(folder) {
        // A file system that counts nothing (ramfs) says zero of zero.
        Ok(space) if space.total_bytes > 0 && space.free_bytes < least(&space) => {
            Some(advised(&format!("no room is left at {} ({} KiB free)", folder.display(), space.free_bytes >> 10)))
        }
        Ok(space) if space.free_files == Some(0) => {
            Some(advised(&format!("no file can be made any more at {} (no inode is free)", folder.display())))
        }
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    }
}

/// What went wrong with the record, with what to do where it is plain.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(super) fn said(error: StoreError) -> String {
    let text = error.to_string();
    if error.is_full() { advised(&text) } else { text }
}

fn advised(text: &str) -> String {
    format!("{text}; free room on that file system, as with `road_runner clean --older-than DAYS`")
}
