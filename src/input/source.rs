//! The text of input files: read whole but never more than 4 MiB, from regular files only, and kept so that
//! a report can show a line long after. Never interprets what it reads.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;

/// The largest input file, in bytes.
pub const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Why a file could not be taken as text.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It does not exist, or may not be read.
    #[error("cannot read the file: {0}")]
    Io(#[from] io::Error),
    /// A directory, a FIFO, a device, a socket.
    #[error("not a regular file but {0}")]
    NotAFile(&'static str),
    /// More than [`MAX_BYTES`].
    #[error("larger than 4 MiB, the limit for an input file")]
    TooLarge,
    /// Not UTF-8; the line of the first bad byte.
    #[error("not UTF-8: line {line} has the byte 0x{byte:02x}")]
    NotUtf8 {
        /// Line, from 1.
        line: u32,
        /// The first byte that fits no character.
        byte: u8,
    },
}

/// One file's text under the path that people know it by.
#[derive(Debug, Clone)]
pub struct Source {
    /// The path as shown, relative to the workspace where it lies inside.
    pub shown: Arc<str>,
    /// The text, all of it: its bytes are the file's.
    pub text: Arc<str>,
    starts: Arc<[u32]>,
}

impl Source {
    /// Takes a text as it is, cut at [`MAX_BYTES`] by the reader before.
    pub fn new(shown: &str, text: &str) -> Self {
        let starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(at, _)| at + 1))
            .map(|at| u32::try_from(at).unwrap_or(u32::MAX))
            .collect();
        Self { shown: Arc::from(shown), text: Arc::from(text), starts }
    }

    /// Reads a file, following no more than 4 MiB of it and never waiting for a writer.
    ///
    /// # Errors
    /// When it is not a readable regular file of at most 4 MiB in UTF-8.
    pub fn read(path: &Path, shown: &str) -> Result<Self, ReadError> {
        let bytes = read_capped(path)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(Self::new(shown, text)),
            Err(e) => {
                let good = bytes.get(..e.valid_up_to()).unwrap_or_default();
                let line = good.split(|b| *b == b'\n').count();
                Err(ReadError::NotUtf8 {
                    line: u32::try_from(line).unwrap_or(u32::MAX),
                    byte: bytes.get(e.valid_up_to()).copied().unwrap_or_default(),
                })
            }
        }
    }

    /// Line `number`, from 1, without its end; nothing past the last.
    pub fn line(&self, number: u32) -> Option<&str> {
        let at = usize::try_from(number.checked_sub(1)?).ok()?;
        let start = *self.starts.get(at)? as usize;
        let end = self.starts.get(at + 1).map_or(self.text.len(), |n| *n as usize);
        let line = self.text.get(start..end)?;
        // One end and no more: a carriage return before it is part of the line, and seen as such.
        let line = line.strip_suffix('\n').map_or(line, |line| line.strip_suffix('\r').unwrap_or(line));
        // A byte order mark is part of the file and of no line.
        Some(if at == 0 { line.trim_start_matches('\u{feff}') } else { line })
    }
}

fn read_capped(path: &Path) -> Result<Vec<u8>, ReadError> {
    // Asked before the open: opening a device can have effects of its own.
    regular(&std::fs::metadata(path)?)?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file: File =
        OpenOptions::new().read(true).custom_flags(i32::try_from(flags.bits()).unwrap_or_default()).open(path)?;
    let metadata = file.metadata()?;
    regular(&metadata)?;
    if metadata.len() > MAX_BYTES {
        return Err(ReadError::TooLarge);
    }
    let mut bytes = Vec::new();
    // The size may be a lie (files of /proc say zero), so the reading is capped as well.
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ReadError::TooLarge);
    }
    Ok(bytes)
}

fn regular(metadata: &std::fs::Metadata) -> Result<(), ReadError> {
    use std::os::unix::fs::FileTypeExt;
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    Err(ReadError::NotAFile(if kind.is_dir() {
        "a directory"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }))
}

/// Every text that a place can point into, by the path shown.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    by_path: BTreeMap<Arc<str>, Source>,
}

impl Sources {
    /// Keeps a text; a second one of the same path takes its place.
    pub fn add(&mut self, source: Source) {
        self.by_path.insert(Arc::clone(&source.shown), source);
    }

    /// The text that was read under this path.
    pub fn find(&self, shown: &str) -> Option<&Source> {
        self.by_path.get(shown)
    }

    /// Takes over everything that `other` holds.
    pub fn extend(&mut self, other: &Self) {
        self.by_path.extend(other.by_path.iter().map(|(k, v)| (Arc::clone(k), v.clone())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(path: &Path) -> String {
        Source::read(path, "x.yaml").unwrap_err().to_string()
    }

    #[test]
    fn whatever_is_not_a_small_text_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("latin"), b"name: a\ncaf\xe9\n").unwrap();
        File::create(at("big")).unwrap().set_len(50 << 20).unwrap();
        std::fs::write(at("edge"), vec![b'#'; 4 << 20]).unwrap();
        std::fs::write(at("over"), vec![b'#'; (4 << 20) + 1]).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let started = std::time::Instant::now();
        assert_eq!(refusal(dir.path()), "not a regular file but a directory");
        assert_eq!(refusal(&at("fifo")), "not a regular file but a FIFO");
        assert_eq!(refusal(Path::new("/dev/zero")), "not a regular file but a device");
        assert_eq!(refusal(&at("latin")), "not UTF-8: line 2 has the byte 0xe9");
        assert_eq!(refusal(&at("big")), "larger than 4 MiB, the limit for an input file");
        assert_eq!(refusal(&at("over")), "larger than 4 MiB, the limit for an input file");
        assert_eq!(refusal(&at("none")), "cannot read the file: No such file or directory (os error 2)");
        assert_eq!(Source::read(&at("edge"), "e").unwrap().text.len(), 4 << 20);
        assert!(started.elapsed().as_secs() < 1);
    }

    #[test]
    fn lines_are_counted_from_one() {
        let source = Source::new("x", "\u{feff}a\r\n\nb\r\r\nc\r");
        let lines = [0, 1, 2, 3, 4, 5].map(|n| source.line(n));
        assert_eq!(lines, [None, Some("a"), Some(""), Some("b\r"), Some("c\r"), None]);
    }
}
