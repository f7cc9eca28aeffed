//! The one error type of the store: what was being done, to which path, and why it failed.
//! Never hides the path, never repeats the number of a system error beside its words.

use std::io;
use std::path::{Path, PathBuf};

use super::lock::Holder;

/// A failure of the store. Texts are fragments that read after "failed to" or stand alone.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file operation failed: `write runs/x/summary.json: No space left on device`.
    #[error("{doing} {}: {}", path.display(), plain(source))]
    Io {
        /// The verb: `read`, `write`, `create`, ..
        doing: &'static str,
        /// What it was done to.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file was read, but does not say what it should.
    #[error("read {}: {message}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A document of a later version of this program.
    #[error("read {}: written by a newer version (format {found}, this one reads up to {known})", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The `format_version` that it names.
        found: u32,
        /// The latest that is read here.
        known: u32,
    },
    /// A complete line of a journal is broken, and it is not the torn end that a crash leaves.
    #[error("read {}:{line}: {message}", path.display())]
    Line {
        /// The journal.
        path: PathBuf,
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        message: String,
    },
    /// A value could not be turned into JSON.
    #[error("write {}: {message}", path.display())]
    Encode {
        /// The file it was meant for.
        path: PathBuf,
        /// What serde said.
        message: String,
    },
    /// Somebody else holds a lock.
    #[error("lock {}: held by {}", path.display(), Holder::describe(holder.as_ref()))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it, where the file could be read.
        holder: Option<Holder>,
    },
    /// An input file is no longer what was planned.
    #[error("copy {}: its content is not what was planned (sha256 {found}, planned {planned})", path.display())]
    Changed {
        /// The input file.
        path: PathBuf,
        /// Lower-case hex of what was read.
        found: String,
        /// Lower-case hex of what the plan holds.
        planned: String,
    },
    /// A name that may not become part of a path.
    #[error("{what} '{}' is not a valid name", name.escape_debug())]
    Name {
        /// What it was meant to name: `run`, `sub-run`, `input file`.
        what: &'static str,
        /// The name as given, untrusted.
        name: String,
    },
}

impl StoreError {
    /// For `map_err`: an I/O failure of `doing` at `path`.
    pub(crate) fn io<E: Into<io::Error>>(doing: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        let path = path.to_path_buf();
        move |source| Self::Io { doing, path, source: source.into() }
    }

    /// Turns a failure of serde while writing into what caused it: a full disk stays a full disk.
    pub(crate) fn encode(path: &Path, error: serde_json::Error) -> Self {
        if error.is_io() {
            Self::Io { doing: "write", path: path.to_path_buf(), source: error.into() }
        } else {
            Self::Encode { path: path.to_path_buf(), message: error.to_string() }
        }
    }

    /// Whether the disk had no room left.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. }
            if matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }

    /// Whether nothing there can be written.
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem)
    }

    /// Whether the path was not there.
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// The words of a system error without the ` (os error 28)` that std adds.
pub(super) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(code) => text.trim_end_matches(&format!(" (os error {code})")).to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(errno: rustix::io::Errno, expected: &str) {
        let error = StoreError::io("write", Path::new("runs/x/summary.json"))(errno);
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn says_what_where_and_why_without_numbers() {
        check(rustix::io::Errno::NOSPC, "write runs/x/summary.json: No space left on device");
        check(rustix::io::Errno::ACCESS, "write runs/x/summary.json: Permission denied");
    }

    #[test]
    fn a_full_disk_under_serde_stays_a_full_disk() {
        let cause = io::Error::from(rustix::io::Errno::NOSPC);
        let error = StoreError::encode(Path::new("p"), serde_json::Error::io(cause));
        assert!(error.is_full());
        assert_eq!(error.to_string(), "write p: No space left on device");
    }
}
