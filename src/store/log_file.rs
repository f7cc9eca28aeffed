//! One stream's log as a file that others write into, punch holes into, truncate and replace: opened safely, looked at
//! from time to time, read in segments. Costs two system calls a look and half a megabyte of memory, however long it is.
//! Never follows a link, never waits for a FIFO, never believes that what it read once is still there.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, SeekFrom, seek};

/// Bytes that are read and remembered together. Lines longer than this are cut at its multiples.
pub const SEGMENT: u64 = SEGMENT_LEN as u64;
/// The same, as a length in memory.
pub const SEGMENT_LEN: usize = 32 * 1024;
/// Segments that are remembered.
const REMEMBERED: usize = 16;
/// Holes that are told apart; what lies behind the last of them counts as data.
const MOST_HOLES: usize = 64;
/// Bytes before the end whose change tells that the file was truncated and written anew.
const WITNESS: usize = 64;

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing new.
    Same,
    /// It is longer; what was there still is.
    Grown,
    /// Some of it was given back to the disk; it may be longer, too.
    Punched,
    /// It is another file, or its content starts anew.
    Replaced,
}

/// A stretch of the file, from its first byte to the one behind its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Bytes that were written.
    Data(u64, u64),
    /// Bytes that were given back.
    Hole(u64, u64),
}

/// A log, or the place where one may appear.
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    open: Option<Open>,
    problem: Option<String>,
    /// Latest last.
    segments: Vec<(u64, Arc<[u8]>)>,
}

#[derive(Debug)]
struct Open {
    file: File,
    id: (u64, u64),
    size: u64,
    blocks: u64,
    holes: Vec<(u64, u64)>,
    witness: Vec<u8>,
}

impl LogFile {
    /// The log at `path`, as it is now. It need not be there.
    pub fn open(path: PathBuf) -> Self {
        let mut file = Self { path, open: None, problem: None, segments: vec![] };
        file.poll();
        file
    }

    /// Bytes up to its end, as of the last look; what lies behind is not read.
    pub fn size(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.size)
    }

    /// Bytes in holes.
    pub fn dropped(&self) -> u64 {
        self.holes().iter().map(|(from, to)| to - from).sum()
    }

    /// Why it cannot be read. That it is not there is no problem: nothing was written yet.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    fn holes(&self) -> &[(u64, u64)] {
        self.open.as_ref().map_or(&[], |open| &open.holes)
    }

    /// Looks at it anew.
    pub fn poll(&mut self) -> Change {
        let known = self.open.as_ref().map(|open| open.id);
        let found = fs::symlink_metadata(&self.path);
        let change = match (&found, known) {
            // Deleted, or out of reach: what is open can still be read.
            (Err(error), _) => {
                let missing = error.kind() == io::ErrorKind::NotFound;
                self.problem = (!missing).then(|| super::error::plain(error));
                Change::Same
            }
            (Ok(metadata), Some(id)) if id == identity(metadata) => self.refresh(metadata),
            (Ok(_), _) => self.reopen(known.is_some()),
        };
        match change {
            Change::Same => {}
            Change::Grown => self.segments.retain(|(_, bytes)| bytes.len() as u64 == SEGMENT),
            Change::Punched | Change::Replaced => self.segments.clear(),
        }
        change
    }

    fn reopen(&mut self, was_open: bool) -> Change {
        match Open::at(&self.path) {
            Ok(open) => {
                (self.open, self.problem) = (Some(open), None);
                Change::Replaced
            }
            Err(error) => {
                let problem = Some(super::error::plain(&error));
                let is_new = problem != self.problem && !was_open;
                self.problem = problem;
                if is_new { Change::Replaced } else { Change::Same }
            }
        }
    }

    fn refresh(&mut self, metadata: &Metadata) -> Change {
        let Some(open) = &mut self.open else { return Change::Same };
        let (size, blocks) = (metadata.len(), metadata.blocks());
        if (size, blocks) == (open.size, open.blocks) {
            return Change::Same;
        }
        let holes = holes(&open.file, size, blocks);
        let kept = size >= open.size && open.holds_witness();
        let change = match () {
            () if !kept => Change::Replaced,
            () if holes != open.holes => Change::Punched,
            () if size > open.size => Change::Grown,
            () => Change::Same,
        };
        (open.size, open.blocks, open.holes) = (size, blocks, holes);
        open.witness = open.last_bytes();
        change
    }

    /// The stretch in which a byte lies; of nothing at or behind the end.
    pub fn extent(&self, at: u64) -> Extent {
        let mut from = 0;
        for &(start, end) in self.holes() {
            if at < start {
                return Extent::Data(from, start);
            }
            if at < end {
                return Extent::Hole(start, end);
            }
            from = end;
        }
        Extent::Data(from, self.size().max(from))
    }

    /// The bytes of one segment, as many as there are.
    pub fn segment(&mut self, number: u64) -> Arc<[u8]> {
        if let Some(place) = self.segments.iter().position(|(other, _)| *other == number) {
            let found = self.segments.remove(place);
            let bytes = Arc::clone(&found.1);
            self.segments.push(found);
            return bytes;
        }
        let from = number * SEGMENT;
        let length = self.size().saturating_sub(from).min(SEGMENT);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
        self.read(from, &mut bytes);
        let bytes: Arc<[u8]> = bytes.into();
        if self.segments.len() >= REMEMBERED {
            self.segments.remove(0);
        }
        self.segments.push((number, Arc::clone(&bytes)));
        bytes
    }

    /// Fills `bytes` from there on. What cannot be read, such as what was truncated since the last look, reads as NUL:
    /// the next look tells.
    pub fn read(&self, from: u64, bytes: &mut [u8]) {
        let read = self.open.as_ref().map_or(0, |open| read_fully(&open.file, from, bytes));
        if let Some(rest) = bytes.get_mut(read..) {
            rest.fill(0);
        }
    }
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        let (file, metadata) = open_regular(path)?;
        let holes = holes(&file, metadata.len(), metadata.blocks());
        let id = identity(&metadata);
        let mut open = Self { file, id, size: metadata.len(), blocks: metadata.blocks(), holes, witness: vec![] };
        open.witness = open.last_bytes();
        Ok(open)
    }

    /// What now stands where the last bytes were.
    fn last_bytes(&self) -> Vec<u8> {
        let from = self.size.saturating_sub(WITNESS as u64);
        let mut bytes = vec![0; usize::try_from(self.size - from).unwrap_or_default()];
        let read = read_fully(&self.file, from, &mut bytes);
        bytes.truncate(read);
        bytes
    }

    /// The last bytes are those of the last look, or were given back.
    fn holds_witness(&self) -> bool {
        let found = self.last_bytes();
        found == self.witness || found.iter().all(|byte| *byte == 0)
    }
}

/// Opens a file that is a regular one and no link, without ever waiting.
pub fn open_regular(path: &Path) -> io::Result<(File, Metadata)> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(io::Error::other("not a regular file")) }
}

/// Reads until `bytes` are full or there is no more; returns how many.
pub fn read_fully(file: &File, from: u64, bytes: &mut [u8]) -> usize {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, from + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    filled
}

/// Device and inode.
pub fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// The holes of a file that takes less disk than its size; none where the file system does not tell.
fn holes(file: &File, size: u64, blocks: u64) -> Vec<(u64, u64)> {
    let mut holes = vec![];
    let mut at = 0;
    while blocks.saturating_mul(512) < size && at < size && holes.len() < MOST_HOLES {
        let Ok(from) = seek(file, SeekFrom::Hole(at)) else { break };
        if from >= size {
            break;
        }
        let to = match seek(file, SeekFrom::Data(from)) {
            Ok(to) => to.min(size),
            Err(rustix::io::Errno::NXIO) => size,
            Err(_) => break,
        };
        if to <= from {
            break;
        }
        holes.push((from, to));
        at = to;
    }
    holes
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{FallocateFlags, fallocate};
    use std::fs::OpenOptions;
    use std::io::Write as _;

    fn check(act: impl FnOnce(&Path), expected: Change, size: u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, b"one\ntwo\n".repeat(20_000)).unwrap();
        let mut file = LogFile::open(path.clone());
        assert_eq!((file.size(), file.segment(0).len() as u64), (160_000, SEGMENT));
        act(&path);
        assert_eq!((file.poll(), file.size()), (expected, size));
        assert_eq!(file.poll(), Change::Same);
    }

    fn append(path: &Path, bytes: &[u8]) {
        OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
    }

    #[test]
    fn each_change_is_told_once() {
        check(|_| (), Change::Same, 160_000);
        check(|path| append(path, b"more"), Change::Grown, 160_004);
        check(|path| fs::write(path, "new").unwrap(), Change::Replaced, 3);
        check(|path| fs::write(path, b"another\n".repeat(30_000)).unwrap(), Change::Replaced, 240_000);
        check(|path| fs::remove_file(path).unwrap(), Change::Same, 160_000);
        let replace = |path: &Path| {
            fs::write(path.with_extension("tmp"), b"one\ntwo\n".repeat(20_000)).unwrap();
            fs::rename(path.with_extension("tmp"), path).unwrap();
        };
        check(replace, Change::Replaced, 160_000);
    }

    #[test]
    fn a_hole_is_seen_where_the_disk_tells() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, b"12345678".repeat(100_000)).unwrap();
        let mut file = LogFile::open(path.clone());
        let log = OpenOptions::new().write(true).open(&path).unwrap();
        let mode = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        if fallocate(&log, mode, 65_536, 131_072).is_err() {
            return;
        }
        assert_eq!((file.poll(), file.dropped()), (Change::Punched, 131_072));
        assert_eq!(file.extent(0), Extent::Data(0, 65_536));
        assert_eq!(file.extent(65_536), Extent::Hole(65_536, 196_608));
        assert_eq!(file.extent(799_999), Extent::Data(196_608, 800_000));
    }

    #[test]
    fn what_is_no_regular_file_is_never_opened() {
        let folder = tempfile::tempdir().unwrap();
        let check = |name: &str, expected: Option<&str>| {
            let file = LogFile::open(folder.path().join(name));
            assert_eq!((file.size(), file.problem()), (0, expected), "{name}");
        };
        fs::create_dir(folder.path().join("folder")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.path().join("link")).unwrap();
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        check("missing", None);
        check("folder", Some("not a regular file"));
        check("fifo", Some("not a regular file"));
        assert!(LogFile::open(folder.path().join("link")).problem().is_some());
    }
}
