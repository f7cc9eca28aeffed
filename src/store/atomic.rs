//! Replacing a file as a whole: readers see the old content or the new, and so does the disk after a crash.
//! Never leaves a half-written file under the real name, nor a temporary one after a failure; what a killed writer leaves
//! is known by that nobody holds it, and swept.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, Mode, OFlags};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::StoreError;
use super::layout::{open_private, sync_directory};
use super::mortal::{after, around, before};

/// Characters behind the name of a temporary file.
const RANDOM: usize = 6;

/// Replaces `path` with `text`.
pub fn replace_text(path: &Path, text: &str) -> Result<(), StoreError> {
    replace_with(path, |target| target.write_all(text.as_bytes()).map_err(StoreError::io("write", path)))
}

/// Replaces `path` with `value` as JSON on one line.
pub fn replace_json<T: Serialize + ?Sized>(path: &Path, value: &T) -> Result<(), StoreError> {
    replace_with(path, |target| {
        serde_json::to_writer(&mut *target, value).map_err(|error| StoreError::encode(path, error))?;
        target.write_all(b"\n").map_err(StoreError::io("write", path))
    })
}

/// Replaces `path` with `value` as indented JSON, for files that people read.
pub fn replace_json_indented<T: Serialize + ?Sized>(path: &Path, value: &T) -> Result<(), StoreError> {
    replace_with(path, |target| {
        serde_json::to_writer_pretty(&mut *target, value).map_err(|error| StoreError::encode(path, error))?;
        target.write_all(b"\n").map_err(StoreError::io("write", path))
    })
}

/// Replaces `path` with what `fill` writes: a temporary file beside it, synced, renamed over it, the folder synced.
pub fn replace_with(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let prefix = format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy());
    let make = || held_temporary(folder, &prefix);
    let temporary = around("make a temporary file", make).map_err(StoreError::io("write", path))?;
    // Dropping the temporary file on any error below removes it.
    before("write a temporary file");
    let mut target = BufWriter::with_capacity(64 * 1024, temporary.as_file());
    fill(&mut target)?;
    target.flush().map_err(StoreError::io("write", path))?;
    drop(target);
    after("write a temporary file");
    let sync = || temporary.as_file().sync_data();
    around("sync a temporary file", sync).map_err(StoreError::io("sync", path))?;
    let renamed = around("rename a temporary file", || temporary.persist(path));
    renamed.map_err(|error| StoreError::io("write", path)(error.error))?;
    sync_directory(folder)
}

/// A temporary file that is held until its writer closes it, or dies.
fn held_temporary(folder: &Path, prefix: &str) -> io::Result<NamedTempFile<File>> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    loop {
        let mut builder = tempfile::Builder::new();
        builder.prefix(prefix).rand_bytes(RANDOM);
        let temporary = builder.make_in(folder, |temporary| open_private(temporary, flags))?;
        // Where a file system knows no locks nothing is swept either.
        let _ = rustix::fs::flock(temporary.as_file(), FlockOperation::NonBlockingLockExclusive);
        // Swept between its making and the lock: once more.
        if temporary.as_file().metadata()?.nlink() > 0 {
            return Ok(temporary);
        }
    }
}

/// Removes the temporary files in a folder that killed writers have left. Those that somebody is writing stay, and so does
/// whatever cannot be looked at: it harms nobody.
pub fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        let name = entry.file_name();
        if name.to_str().is_some_and(is_temporary) && is_nobodys(&entry.path()) {
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Whether a name is one that [`replace_with`] gives: `.summary.json.x3Yz9a`.
pub fn is_temporary(name: &str) -> bool {
    let parts = name.strip_prefix('.').and_then(|inner| inner.rsplit_once('.'));
    parts.is_some_and(|(whole, random)| {
        !whole.is_empty() && random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

fn is_nobodys(path: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = rustix::fs::open(path, flags, Mode::empty()).map(File::from) else { return false };
    file.metadata().is_ok_and(|metadata| metadata.is_file())
        && rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::store::test_disk::TinyDisk;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn check(folder: &Path, error: &StoreError, expected: &str) {
        assert_eq!(error.to_string().replace(&folder.display().to_string(), "D"), expected);
    }

    #[test]
    fn replaces_content_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.json");
        replace_json(&path, &[1, 2]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[1,2]\n");
        replace_json_indented(&path, &[1]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "[\n  1\n]\n");
        replace_text(&path, "# x\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "# x\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(folder.path()), ["summary.json"]);
    }

    #[test]
    fn a_temporary_file_is_known_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.json");
        replace_with(&path, |_| {
            let [name] = names(folder.path()).try_into().unwrap();
            assert!(is_temporary(&name), "{name}");
            Ok(())
        })
        .unwrap();
        for name in ["summary.json", ".bashrc", ".git", ".a.b", "..x3Yz9a", ".a.x3Yz9", ".a.x3Yz9-", "a.x3Yz9a"] {
            assert!(!is_temporary(name), "{name}");
        }
    }

    #[test]
    fn a_symlink_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (target, path) = (folder.path().join("target"), folder.path().join("summary.json"));
        fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        replace_text(&path, "new").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }

    #[test]
    fn failures_name_the_file_and_leave_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone/summary.json");
        check(
            folder.path(),
            &replace_text(&path, "x").unwrap_err(),
            "write D/gone/summary.json: No such file or directory",
        );

        let path = folder.path().join("plan.json");
        let broken = std::collections::BTreeMap::from([((1, 2), 3)]);
        check(folder.path(), &replace_json(&path, &broken).unwrap_err(), "write D/plan.json: key must be a string");

        fs::create_dir_all(folder.path().join("report.md/x")).unwrap();
        let path = folder.path().join("report.md");
        check(folder.path(), &replace_text(&path, "x").unwrap_err(), "write D/report.md: Is a directory");
        assert_eq!(names(folder.path()), ["report.md"]);
    }

    #[test]
    fn what_a_killed_writer_leaves_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in [".report.md.aB3xYz", "report.md", ".report.md", ".notes", ".a.b.toolong", ".x.aB3x-z"] {
            fs::write(at(name), "").unwrap();
        }
        fs::create_dir(at(".folder.aB3xYz")).unwrap();
        std::os::unix::fs::symlink(at("report.md"), at(".link.aB3xYz")).unwrap();
        let held = held_temporary(folder.path(), ".summary.json.").unwrap();
        sweep(folder.path());
        let mut kept = vec![".a.b.toolong", ".folder.aB3xYz", ".link.aB3xYz", ".notes", ".report.md", ".x.aB3x-z"];
        let name = held.path().file_name().unwrap().to_str().unwrap().to_owned();
        kept.extend([name.as_str(), "report.md"]);
        kept.sort_unstable();
        assert_eq!(names(folder.path()), kept);
        // Whoever opened it and forgot it holds it no more.
        let (_, path) = held.keep().unwrap();
        sweep(folder.path());
        assert!(!path.exists());
    }

    #[test]
    fn a_full_disk_keeps_the_old_content() {
        let Some(disk) = TinyDisk::mount() else {
            return;
        };
        let path = disk.path().join("summary.json");
        replace_text(&path, "old").unwrap();
        let error = replace_text(&path, &"x".repeat(1 << 20)).unwrap_err();
        assert!(error.is_full());
        check(disk.path(), &error, "write D/summary.json: No space left on device");
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(disk.path()), ["summary.json"]);
    }
}
