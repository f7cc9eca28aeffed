//! One source of facts and what came of asking it: a value, or why there is none.
//! Never turns "could not be read" into zero or empty.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The most that is read of any file of the kernel's. `/proc/cpuinfo` of 512 CPUs has about 900 kB.
const MOST_BYTES: u64 = 8 << 20;

/// What a source gave. As JSON `{"status": "available", "value": ..}` or `{"status": "absent", "detail": ..}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Source<T> {
    /// It was read.
    Available {
        /// What it said.
        value: T,
    },
    /// This host does not have it.
    Absent {
        /// What was looked for.
        detail: String,
    },
    /// It is there, and this user may not read it.
    Denied {
        /// What was refused.
        detail: String,
    },
    /// It is there, and could not be made sense of.
    Error {
        /// What went wrong.
        detail: String,
    },
}

impl<T> Source<T> {
    /// The value, where there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Available { value } => Some(value),
            Self::Absent { .. } | Self::Denied { .. } | Self::Error { .. } => None,
        }
    }

    /// What an attempt on `what` (a path, a command) came to.
    pub fn of(what: impl std::fmt::Display, result: io::Result<T>) -> Self {
        match result {
            Ok(value) => Self::Available { value },
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::Absent { detail: what.to_string() },
                io::ErrorKind::PermissionDenied => Self::Denied { detail: what.to_string() },
                _ => Self::Error { detail: format!("{what}: {error}") },
            },
        }
    }

    /// What a fact that was asked of several places came to: `detail` says where it was looked for.
    pub fn found(value: Option<T>, detail: &str) -> Self {
        match value {
            Some(value) => Self::Available { value },
            None => Self::Absent { detail: detail.to_owned() },
        }
    }
}

/// Reads a file of the kernel's as text; bytes that are not UTF-8 become U+FFFD, size is bounded.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// Reads a file that holds one line, without its end; `None` when there is none or it is empty.
pub(super) fn read_line(path: &Path) -> Option<String> {
    let text = read_text(path).ok()?;
    let line = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    if line.is_empty() { None } else { Some(line.to_owned()) }
}

/// Error for a file that was read and makes no sense.
pub(super) fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::host::roots::Roots;

    /// A machine that is a folder with these files below it.
    pub(in crate::host) fn machine(files: &[(&str, &str)]) -> (tempfile::TempDir, Roots) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let roots = Roots::under(dir.path());
        (dir, roots)
    }

    fn check(result: io::Result<u32>, expected: &str) {
        let source = Source::of("/sys/x", result);
        let json = serde_json::to_string(&source).unwrap();
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Source<u32>>(&json).unwrap(), source);
    }

    #[test]
    fn each_outcome_has_its_status() {
        check(Ok(7), r#"{"status":"available","value":7}"#);
        check(Err(io::ErrorKind::NotFound.into()), r#"{"status":"absent","detail":"/sys/x"}"#);
        check(Err(io::ErrorKind::PermissionDenied.into()), r#"{"status":"denied","detail":"/sys/x"}"#);
        check(Err(malformed("no number")), r#"{"status":"error","detail":"/sys/x: no number"}"#);
    }

    #[test]
    fn lines_are_read_without_their_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model");
        for (bytes, line) in [
            (&b"Rock 5B\0"[..], Some("Rock 5B")),
            (b" 0x1\n", Some("0x1")),
            (b"\n", None),
            (b"a\xffb", Some("a\u{fffd}b")),
        ] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(read_line(&path).as_deref(), line);
        }
        assert_eq!(read_line(&dir.path().join("none")), None);
        assert!(read_text(dir.path()).is_err());
    }
}
