//! Copies of the files a plan was made from, kept in the run directory with their relative structure.
//! Never keeps a copy whose content is not what was planned, never writes outside its folder.

use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::StoreError;
use super::hash::{self, StreamError};
use super::layout::{make_directories, open_private, sync_directory};
use super::mortal::around;

/// Copies `source` to `relative` below `inputs` and checks on the way that its SHA-256 is `planned` (lower-case hex).
/// Returns where the copy is. The copy is on disk when this returns; its folders are once [`sync`] was called.
pub fn copy(source: &Path, inputs: &Path, relative: &Path, planned: &str) -> Result<PathBuf, StoreError> {
    let named = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if !named || relative.as_os_str().is_empty() {
        return Err(StoreError::Name { what: "input file", name: relative.display().to_string() });
    }
    let target = inputs.join(relative);
    let folder = target.parent().unwrap_or(inputs);
    make_directories(folder).map_err(StoreError::io("create", folder))?;
    let mut from = open_regular(source).map_err(StoreError::io("read", source))?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let made = around("make a copy", || open_private(&target, flags));
    let mut to = made.map_err(StoreError::io("write", &target))?;
    let copied = match around("write a copy", || hash::stream(&mut from, &mut to)) {
        Ok((found, _)) if found == planned => {
            around("sync a copy", || to.sync_data()).map_err(StoreError::io("sync", &target))
        }
        Ok((found, _)) => Err(StoreError::Changed { path: source.to_path_buf(), found, planned: planned.to_owned() }),
        Err(StreamError::Read(error)) => Err(StoreError::io("read", source)(error)),
        Err(StreamError::Write(error)) => Err(StoreError::io("write", &target)(error)),
    };
    if let Err(error) = copied {
        drop(fs::remove_file(&target));
        return Err(error);
    }
    Ok(target)
}

/// Writes the folders below `inputs` to disk, after the last copy.
pub fn sync(inputs: &Path) -> Result<(), StoreError> {
    for entry in fs::read_dir(inputs).map_err(StoreError::io("read", inputs))? {
        let entry = entry.map_err(StoreError::io("read", inputs))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sync(&entry.path())?;
        }
    }
    sync_directory(inputs)
}

/// Opens without waiting for a writer should it be a FIFO, and takes only a regular file.
fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::test_disk::TinyDisk;

    fn check(folder: &Path, relative: &str, planned: &str, expected: &str) {
        let source = folder.join("source.yaml");
        let result = copy(&source, &folder.join("inputs"), Path::new(relative), planned);
        let text = match result {
            Ok(path) => path.display().to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(text.replace(&folder.display().to_string(), "D"), expected);
    }

    #[test]
    fn copies_what_was_planned_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::write(at.join("source.yaml"), "name: x\n").unwrap();
        let digest = hash::bytes(b"name: x\n");
        check(at, "flows/x.yaml", &digest, "D/inputs/flows/x.yaml");
        assert_eq!(fs::read_to_string(at.join("inputs/flows/x.yaml")).unwrap(), "name: x\n");
        check(at, "flows/x.yaml", &digest, "write D/inputs/flows/x.yaml: File exists");
        check(
            at,
            "margins/y.yaml",
            "00",
            &format!("copy D/source.yaml: its content is not what was planned (sha256 {digest}, planned 00)"),
        );
        assert!(!at.join("inputs/margins/y.yaml").exists());
        for bad in ["", "/etc/x", "../x", "a/../../x", "."] {
            check(at, bad, &digest, &format!("input file '{bad}' is not a valid name"));
        }
        sync(&at.join("inputs")).unwrap();
    }

    #[test]
    fn folders_and_missing_files_are_said() {
        let folder = tempfile::tempdir().unwrap();
        check(folder.path(), "x", "00", "read D/source.yaml: No such file or directory");
        fs::create_dir(folder.path().join("source.yaml")).unwrap();
        check(folder.path(), "x", "00", "read D/source.yaml: not a regular file");
    }

    #[test]
    fn a_full_disk_leaves_no_copy() {
        let Some(disk) = TinyDisk::mount() else {
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let (source, content) = (folder.path().join("big"), vec![b'x'; 1 << 20]);
        fs::write(&source, &content).unwrap();
        let error = copy(&source, disk.path(), Path::new("big"), &hash::bytes(&content)).unwrap_err();
        assert!(error.is_full(), "{error}");
        assert!(!disk.path().join("big").exists());
    }
}
