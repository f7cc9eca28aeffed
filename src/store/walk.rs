//! Every regular file below a directory, each by its open folder, so that no path can lead elsewhere meanwhile. Never follows
//! a symlink, never enters another file system, never opens what is no file, never changes anything. Holds one descriptor a
//! level, and no names.

use std::ffi::CStr;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::StoreError;
use super::layout::open_directory;

/// Folders are opened so many levels deep; what lies deeper is not looked at, and that is said.
const DEEPEST: usize = 48;

/// Something below the directory, by its path relative to it; see [`spelled`].
#[derive(Debug)]
pub(crate) enum Seen<'w> {
    /// A regular file.
    File(FileAt<'w>),
    /// A file or folder that could not be looked at, and why. Nothing below it is seen.
    Barred(io::Error),
}

/// A regular file in its open folder.
#[derive(Debug)]
pub(crate) struct FileAt<'w> {
    folder: &'w File,
    name: &'w CStr,
}

impl FileAt<'_> {
    /// Opens it for reading, unless something else took its place.
    pub fn open(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(self.folder, self.name, flags, Mode::empty())?);
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
    }
}

/// Goes through all of it, in no order. `enters` is asked for each folder by its path. What `each` fails with ends it, and
/// so does a directory that cannot be opened at all.
pub(crate) fn files(
    root: &Path,
    enters: &dyn Fn(&str) -> bool,
    each: &mut dyn FnMut(&str, Seen<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let folder = open_directory(root)?;
    Walk { enters, each }.folder(&folder, "", 0)
}

struct Walk<'c> {
    enters: &'c dyn Fn(&str) -> bool,
    each: &'c mut dyn FnMut(&str, Seen<'_>) -> Result<(), StoreError>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &File, path: &str, depth: usize) -> Result<(), StoreError> {
        let mut entries = match Dir::read_from(folder) {
            Ok(entries) => entries,
            Err(error) => return (self.each)(path, Seen::Barred(error.into())),
        };
        while let Some(entry) = entries.read() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return (self.each)(path, Seen::Barred(error.into())),
            };
            let name = entry.file_name();
            if is_self(name) {
                continue;
            }
            let own = spelled(name.to_bytes());
            let below = if path.is_empty() { own } else { format!("{path}/{own}") };
            let kind = match entry.file_type() {
                // Not every file system says it in the listing.
                FileType::Unknown => match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(Errno::NOENT) => continue,
                    Err(error) => {
                        (self.each)(&below, Seen::Barred(error.into()))?;
                        continue;
                    }
                },
                kind => kind,
            };
            match kind {
                FileType::RegularFile => (self.each)(&below, Seen::File(FileAt { folder, name }))?,
                FileType::Directory if !(self.enters)(&below) => {}
                FileType::Directory if depth >= DEEPEST => {
                    (self.each)(&below, Seen::Barred(io::Error::other("too many folders in each other")))?;
                }
                FileType::Directory => {
                    match within(folder, name, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC)
                    {
                        Ok(inner) => self.folder(&File::from(inner), &below, depth + 1)?,
                        Err(Errno::NOENT) => {}
                        Err(error) => (self.each)(&below, Seen::Barred(error.into()))?,
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Opens a folder in a folder: not through a symlink, not into another file system, bind mounts included.
pub(crate) fn within(parent: &File, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::NO_XDEV | ResolveFlags::NO_SYMLINKS;
    match rustix::fs::openat2(parent, name, flags, Mode::empty(), resolve) {
        // A kernel before 5.6, or a sandbox that does not know the call: mounts are told by their device then.
        Err(Errno::NOSYS | Errno::PERM) => {
            let folder = rustix::fs::openat(parent, name, flags, Mode::empty())?;
            let same = rustix::fs::fstat(&folder)?.st_dev == rustix::fs::fstat(parent)?.st_dev;
            if same { Ok(folder) } else { Err(Errno::XDEV) }
        }
        other => other,
    }
}

/// `.` and `..`.
pub(crate) fn is_self(name: &CStr) -> bool {
    matches!(name.to_bytes(), b"." | b"..")
}

/// A name as text, such that two names are never the same: a byte that is not UTF-8 is `\xff`, a backslash is doubled.
pub(crate) fn spelled(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            text.push(character);
            if character == '\\' {
                text.push('\\');
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    use super::*;

    fn check(root: &Path, expected: &[&str]) {
        let mut found = vec![];
        files(root, &|folder| folder != "skipped", &mut |path, seen| {
            found.push(match seen {
                Seen::File(at) => {
                    use std::io::Read as _;
                    let mut text = String::new();
                    at.open().unwrap().read_to_string(&mut text).unwrap();
                    format!("{path}={text}")
                }
                Seen::Barred(why) => format!("{path}: {why}"),
            });
            Ok(())
        })
        .unwrap();
        found.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn regular_files_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::create_dir_all(at("skipped")).unwrap();
        fs::write(at("skipped/x"), "x").unwrap();
        fs::write(at("top"), "1").unwrap();
        fs::write(at("a/b/.hidden\\"), "2").unwrap();
        fs::write(at("a").join(OsStr::from_bytes(b"\xff\n")), "3").unwrap();
        symlink("/etc", at("etc")).unwrap();
        symlink("top", at("link")).unwrap();
        let (kind, mode) = (FileType::Fifo, Mode::from_raw_mode(0o600));
        rustix::fs::mknodat(rustix::fs::CWD, at("fifo"), kind, mode, 0).unwrap();
        check(folder.path(), &["a/\\xff\n=3", "a/b/.hidden\\\\=2", "top=1"]);
        assert!(files(&at("link"), &|_| true, &mut |_, _| Ok(())).is_err());
    }

    #[test]
    fn what_lies_too_deep_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let deep = ["d"; DEEPEST + 1].join("/");
        fs::create_dir_all(folder.path().join(&deep)).unwrap();
        fs::write(folder.path().join(&deep).join("x"), "").unwrap();
        fs::write(folder.path().join(["d"; DEEPEST].join("/")).join("y"), "y").unwrap();
        let deepest = ["d"; DEEPEST].join("/");
        check(folder.path(), &[&format!("{deep}: too many folders in each other"), &format!("{deepest}/y=y")]);
    }

    #[test]
    fn no_two_names_are_spelled_the_same() {
        let check = |name: &[u8], expected: &str| assert_eq!(spelled(name), expected);
        check("ä b".as_bytes(), "ä b");
        check(b"\xff", "\\xff");
        check(b"\\xff", "\\\\xff");
        check(b"a\xe4\xb8z", "a\\xe4\\xb8z");
    }
}
