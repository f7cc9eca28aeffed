//! One source of facts and what came of asking it: a value, or why there is none.
//! Never turns "could not be read" into zero or empty.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The most that is read of any file of the kernel's. `/proc/cpuinfo` of 512 CPUs has about 900 kB.
const MOST_BYTES: u64 = 8 << 20;

/// What a source gave. As JSON `{"status": "available", "value": ..}` or `{"status": "absent", "detail": ..}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Source_of_{T}"))]
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

    /// The same source, with what it said put in another form.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Source<U> {
        match self {
            Self::Available { value } => Source::Available { value: form(value) },
            Self::Absent { detail } => Source::Absent { detail },
            Self::Denied { detail } => Source::Denied { detail },
            Self::Error { detail } => Source::Error { detail },
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
    try_line(path).ok().flatten()
}

/// [`read_line`] for those who want to know why not.
pub(super) fn try_line(path: &Path) -> io::Result<Option<String>> {
    let text = read_text(path)?;
    let line = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    Ok(if line.is_empty() { None } else { Some(line.to_owned()) })
}

/// Those of these files that hold a line, by name. When none does: why, a refusal
/// saying more than an absence.
pub(super) fn lines_of<'a>(
    folder: &Path,
    names: impl IntoIterator<Item = &'a str>,
) -> io::Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let mut why = None;
    for name in names {
        match try_line(&folder.join(name)) {
            Ok(line) => found.extend(line.map(|line| (name.to_owned(), line))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => why = why.or(Some(error)),
        }
    }
    match why {
        _ if !found.is_empty() => Ok(found),
        Some(error) => Err(error),
        None => Err(io::ErrorKind::NotFound.into()),
    }
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

    #[test]
    fn files_of_one_line_say_why_there_are_none() {
        let (_dir, roots) = machine(&[("sys/a", "one\n"), ("sys/b", "\n"), ("sys/folder/c", "two")]);
        let check = |names: &[&str], expected: Result<&[&str], io::ErrorKind>| {
            let found = lines_of(&roots.sysfs, names.iter().copied());
            let found = found.map(|lines| lines.into_values().collect::<Vec<_>>()).map_err(|error| error.kind());
            assert_eq!(found, expected.map(|lines| lines.iter().map(|line| (*line).to_owned()).collect()));
        };
        check(&["b", "a", "folder", "none"], Ok(&["one"]));
        check(&["b", "none"], Err(io::ErrorKind::NotFound));
        check(&["none", "folder"], Err(io::ErrorKind::IsADirectory));
    }
}
