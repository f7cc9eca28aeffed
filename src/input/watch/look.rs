//! One look at watched folders: which files there are, how large, how old. What changed is what differs between two.
//! A few system calls a file; opens none of them.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Folders, is_meant};

/// At most so many files of a folder are looked at; a workspace has dozens.
const MOST_FILES: usize = 10_000;

/// How a file or a folder stands, as far as the file system tells without opening it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Standing {
    /// Of a folder: which one it is. What is in it is another matter.
    pub(super) fn of(folder: &Path) -> Option<Self> {
        let metadata = fs::metadata(folder).ok().filter(Metadata::is_dir)?;
        Some(Self { device: metadata.dev(), inode: metadata.ino(), size: 0, modified: (0, 0), changed: (0, 0) })
    }

    fn of_file(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            // A file that was edited within the clock's grain, or whose time was set back, differs in this.
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// Folders as they stand.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Look {
    files: BTreeMap<PathBuf, Standing>,
}

impl Look {
    pub(super) fn at(folders: &Folders) -> Self {
        let mut look = Self::default();
        for folder in folders.wanted() {
            look.add(folder);
        }
        look
    }

    fn add(&mut self, folder: PathBuf) {
        let Some(standing) = Standing::of(&folder) else { return };
        let entries = fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok);
        for entry in entries.filter(|entry| is_meant(&entry.file_name())).take(MOST_FILES) {
            // Of a link itself: a catalogue follows none.
            let Some(metadata) = entry.metadata().ok().filter(|metadata| !metadata.is_dir()) else { continue };
            self.files.insert(entry.path(), Standing::of_file(&metadata));
        }
        self.files.insert(folder, standing);
    }

    /// What is in one of the two only, or stands otherwise.
    pub(super) fn differences<'l>(&'l self, before: &'l Self) -> impl Iterator<Item = &'l Path> {
        let new = self.files.iter().filter(|(path, now)| before.files.get(*path) != Some(now));
        let gone = before.files.keys().filter(|path| !self.files.contains_key(*path));
        new.map(|(path, _)| path.as_path()).chain(gone.map(PathBuf::as_path))
    }
}

/// File systems whose kernel learns nothing of what others write: by their magic numbers.
const REMOTE: [u64; 9] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x0102_1997, // 9p, as virtual machines share folders
    0x6573_5546, // FUSE, as sshfs
    0x00c3_6400, // Ceph
    0x5346_414f, // AFS
    0x786f_4256, // VirtualBox
];

/// Whether others may write there unnoticed.
pub(super) fn is_remote(folder: &Path) -> bool {
    let there = folder.ancestors().find_map(|folder| rustix::fs::statfs(folder).ok());
    // The field's type differs from one architecture to the next; a magic number has 32 bits.
    there.is_some_and(|fs| REMOTE.contains(&(i128::from(fs.f_type) & 0xffff_ffff).try_into().unwrap_or(0)))
}
