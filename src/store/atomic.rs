//! Replacing a file as a whole: readers see the old content or the new, and so does the disk after a crash.
//! Never leaves a half-written file under the real name, nor a temporary one after a failure.

use std::io::{BufWriter, Write};
use std::path::Path;

use rustix::fs::OFlags;
use serde::Serialize;

use super::StoreError;
use super::layout::{open_private, sync_directory};
use super::mortal::{after, around, before};

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
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let make = || {
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix).make_in(folder, |temporary| open_private(temporary, flags))
    };
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

#[cfg(test)]
mod tests {
    use std::fs;
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
