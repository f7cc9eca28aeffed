//! Room kept back in a run's directory, so that on a full disk its end can still be recorded: files of nothing, given back one
//! after the other when a line finds no room. Never holds much of a small disk, never fails where nothing can be kept back.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, OFlags, fallocate};
use rustix::io::Errno;

use super::StoreError;
use super::layout::{open_directory, open_private};
use super::space;

/// The lines that end a run and the summaries, bytes; much of it for what file systems set aside while a file is renamed: under
/// a quota Btrfs wants a node of 16 KiB for each of a dozen items, whatever the size of the file.
const LEAST: u64 = 1 << 20;
/// A row of the run's summary, bytes.
const A_ROW: u64 = 400;
const MOST: u64 = 64 << 20;
/// No more than this part of what is free is kept back.
const PART: u64 = 8;
/// What a step that is being ended still writes takes the first; the last is given back when it is gone.
const PORTIONS: u64 = 3;

/// What is kept back for a run. Dropped, all of it is given back.
#[derive(Debug)]
pub struct Reserve {
    files: Vec<PathBuf>,
    /// The disk was found full.
    is_needed: bool,
    /// How it was found full, until somebody asks.
    found_full: Option<StoreError>,
}

impl Reserve {
    /// Keeps room back in `folder` for the end of a run of so many sub-runs. What an earlier runner kept back there is taken
    /// over. Errors: there is no room even for that, or nothing can be written.
    pub fn keep(folder: &Path, sub_runs: u32) -> Result<Self, StoreError> {
        let mut reserve = Self::of(folder);
        reserve.give_back();
        let free = space::at(folder)?.free_bytes;
        let wanted = LEAST.saturating_add(A_ROW.saturating_mul(sub_runs.into())).min(MOST);
        let size = wanted.min(free / PART) / PORTIONS;
        for path in portions(folder) {
            reserve.files.push(path.clone());
            fill(&path, size).map_err(StoreError::io("keep room back in", &path))?;
        }
        Ok(reserve)
    }

    fn of(folder: &Path) -> Self {
        Self { files: portions(folder), is_needed: false, found_full: None }
    }

    /// Writes something; on a full disk portions are given back until there is room for it. Errors: another than a full disk,
    /// or there is no room even so.
    pub fn make_room_for(&mut self, mut write: impl FnMut() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut full = None;
        loop {
            match write() {
                Err(error) if error.is_full() && self.give_one_back() => full = full.or(Some(error)),
                Ok(()) => {
                    self.found_full = self.found_full.take().or(full);
                    return Ok(());
                }
                failed => return failed,
            }
        }
    }

    /// That the disk was found full, although what was to be written could be; told once.
    pub fn found_full(&mut self) -> Option<StoreError> {
        self.found_full.take()
    }

    /// Gives one portion back on a disk that is full. `false` when there was none left.
    fn give_one_back(&mut self) -> bool {
        self.is_needed = true;
        let Some(file) = self.files.pop().filter(|file| fs::remove_file(file).is_ok()) else { return false };
        commit(&file);
        true
    }

    /// The portion that is given back last.
    pub fn last(&self) -> Option<&Path> {
        self.files.first().map(PathBuf::as_path)
    }

    /// Gives everything back.
    pub fn give_back(&mut self) {
        let Some(first) = self.files.first().cloned() else { return };
        self.files.drain(..).for_each(|file| drop(fs::remove_file(file)));
        if self.is_needed {
            commit(&first);
        }
    }
}

/// Tries whether a file beside the record could still become larger by so many bytes: a quota says so in no other way. The
/// portion is as large as before when this returns. Errors: no room, read-only by now. Whatever else may go wrong is left to
/// whoever really writes.
pub fn try_growth(portion: &Path, bytes: u64) -> Result<(), StoreError> {
    let grown = open_private(portion, OFlags::WRONLY).and_then(|file| {
        let size = file.metadata()?.len();
        let grown = fallocate(&file, FallocateFlags::empty(), size, bytes);
        file.set_len(size)?;
        Ok(grown?)
    });
    grown
        .map_err(StoreError::io("write beside", portion))
        .or_else(|error| if error.is_full() || error.is_read_only() { Err(error) } else { Ok(()) })
}

/// Gives back what a dead runner kept back in `folder`. Whoever calls this holds the run.
pub fn sweep(folder: &Path) {
    drop(Reserve::of(folder));
}

/// Btrfs counts what was deleted towards a quota until it has committed that; a file system that does not mind loses a moment.
fn commit(deleted: &Path) {
    let folder = deleted.parent().and_then(|folder| open_directory(folder).ok());
    if let Some(folder) = folder {
        let _ = rustix::fs::syncfs(folder);
    }
}

fn portions(folder: &Path) -> Vec<PathBuf> {
    (0..PORTIONS).map(|number| folder.join(format!(".reserve-{number}"))).collect()
}

/// Whether a file in the run's directory is called like one of those that a killed runner leaves.
pub(crate) fn is_portion(name: &str) -> bool {
    name.strip_prefix(".reserve-").is_some_and(|number| number.len() == 1 && number.bytes().all(|b| b.is_ascii_digit()))
}

impl Drop for Reserve {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// Makes a file that really has its blocks.
fn fill(path: &Path, size: u64) -> io::Result<()> {
    let mut file = open_private(path, OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC)?;
    if size == 0 {
        return Ok(());
    }
    match fallocate(&file, FallocateFlags::empty(), 0, size) {
        Ok(()) => Ok(()),
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
            let block = vec![0; 64 << 10];
            let mut left = size;
            while left > 0 {
                let piece =
                    block.get(..usize::try_from(left).unwrap_or(block.len()).min(block.len())).unwrap_or(&block);
                file.write_all(piece)?;
                left -= piece.len() as u64;
            }
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use super::*;
    use crate::store::test_disk::TinyDisk;

    fn kept(folder: &Path) -> (usize, u64) {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap());
        let sizes: Vec<u64> = entries.map(|facts| facts.blocks() * 512).collect();
        (sizes.len(), sizes.iter().sum())
    }

    #[test]
    fn room_is_really_taken_and_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let check = |sub_runs: u32, least: u64| {
            let mut reserve = Reserve::keep(folder.path(), sub_runs).unwrap();
            let (count, bytes) = kept(folder.path());
            assert!(count == 3 && (least..least + (64 << 10)).contains(&bytes), "{sub_runs}: {count} {bytes}");
            assert!(reserve.give_one_back());
            assert_eq!(kept(folder.path()).0, 2);
            assert!(reserve.give_one_back() && reserve.give_one_back() && !reserve.give_one_back());
            assert_eq!(kept(folder.path()), (0, 0));
        };
        check(1, LEAST);
        check(1000, LEAST + 400_000);
        // A runner that was killed leaves its reserve, and the next one takes it over.
        std::mem::forget(Reserve::keep(folder.path(), 1).unwrap());
        drop(Reserve::keep(folder.path(), 1).unwrap());
        assert_eq!(kept(folder.path()), (0, 0));
    }

    #[test]
    fn what_must_be_written_finds_room_on_a_full_disk() {
        let Some(disk) = TinyDisk::mount() else { return };
        let mut reserve = Reserve::keep(disk.path(), 1).unwrap();
        let size = fs::metadata(reserve.last().unwrap()).unwrap().len();
        let put = |name: &str, bytes: u64| {
            let path = disk.path().join(name);
            fill(&path, bytes).map_err(StoreError::io("write", &path))
        };
        reserve.make_room_for(|| put("fits", 1)).unwrap();
        assert!(reserve.found_full().is_none());
        let free = space::at(disk.path()).unwrap().free_bytes;
        put("filler", free).unwrap();
        reserve.make_room_for(|| put("end", size / 2)).unwrap();
        assert!(reserve.found_full().unwrap().is_full() && reserve.found_full().is_none(), "told once");
        assert!(reserve.make_room_for(|| put("too large", 1 << 20)).unwrap_err().is_full());
        assert!(reserve.last().is_none() && reserve.found_full().is_none(), "that one is told by its error");
    }

    #[test]
    fn whether_more_could_be_written_is_tried() {
        let Some(disk) = TinyDisk::mount() else { return };
        let reserve = Reserve::keep(disk.path(), 1).unwrap();
        let portion = reserve.last().unwrap();
        let size = fs::metadata(portion).unwrap().len();
        try_growth(portion, 8 << 10).unwrap();
        assert!(try_growth(portion, 1 << 20).unwrap_err().is_full());
        assert_eq!(fs::metadata(portion).unwrap().len(), size);
        try_growth(&disk.path().join("gone"), 1).unwrap();
        assert!(!disk.path().join("gone").exists());
    }

    #[test]
    fn a_small_disk_keeps_most_of_its_room() {
        let Some(disk) = TinyDisk::mount() else { return };
        let reserve = Reserve::keep(disk.path(), 1).unwrap();
        let free = space::at(disk.path()).unwrap().free_bytes;
        assert!(free >= 48 << 10, "{free}");
        // Full but for what is kept back, and then not even that.
        let mut file = fs::File::create(disk.path().join("full")).unwrap();
        while file.write_all(&[0; 4096]).is_ok() {}
        let write = || fs::write(disk.path().join("line"), [0; 4096]);
        assert!(write().is_err());
        drop(reserve);
        write().unwrap();
    }
}
