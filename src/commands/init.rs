//! Writing the sample workspace into a folder that is not there, or is empty. Never replaces or adds to anything.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;
use serde::Serialize;
use tempfile::TempDir;

use crate::commands::failure::Failure;
use crate::input::samples::SAMPLES;

/// A workspace that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Initialized {
    /// Where it is, absolute.
    pub workspace: PathBuf,
    /// Its files, in the order of paths.
    pub files: Vec<&'static str>,
}

/// What makes a folder a workspace; moved in last, so that half of one is none.
const LAST: [&str; 2] = ["adapters", "flows"];

/// Writes the sample workspace to `folder`, read against `current`. Everything is prepared under a dot-name on the same
/// file system first; a failure leaves the folder as it was.
pub fn init(current: &Path, folder: &Path) -> Result<Initialized, Failure> {
    let target = current.join(folder);
    let shown = target.display();
    let is_there = match fs::read_dir(&target) {
        Ok(mut entries) => match entries.next() {
            None => true,
            Some(_) => return Err(not_empty(&target)),
        },
        // A link that leads nowhere is there as well.
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(&target).is_err() => false,
        Err(error) => return Err(Failure::usage(format!("{shown} is not an empty folder: {error}"))),
    };
    let failed = |error: io::Error| Failure::rig(format!("failed to write a workspace to {shown}: {error}"));
    if is_there {
        let prepared = prepare(&target).map_err(failed)?;
        move_in(prepared.path(), &target).map_err(failed)?;
    } else {
        let parent = target.parent().unwrap_or(current);
        fs::create_dir_all(parent).map_err(failed)?;
        let prepared = prepare(parent).map_err(failed)?;
        match rename_new(prepared.path(), &target) {
            Ok(()) => drop(prepared.keep()),
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => return Err(not_empty(&target)),
            Err(error) => return Err(failed(error.into())),
        }
    }
    let workspace = target.canonicalize().unwrap_or(target);
    Ok(Initialized { workspace, files: SAMPLES.iter().map(|sample| sample.path).collect() })
}

fn not_empty(target: &Path) -> Failure {
    Failure::usage(format!("{} is not empty", target.display()))
        .hinted("name a folder that is not there yet, or an empty one; nothing was written")
}

/// Writes everything into a folder with a dot-name in `parent`; dropped, it goes with all that is in it. Modes are left to
/// the umask, but nobody else may ever write: as root we would refuse to run such programs.
fn prepare(parent: &Path) -> io::Result<TempDir> {
    let mut folders = DirBuilder::new();
    folders.mode(0o755);
    let prepared = tempfile::Builder::new()
        .prefix(".road_runner-init-")
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir_in(parent)?;
    for sample in SAMPLES {
        let path = prepared.path().join(sample.path);
        if let Some(folder) = path.parent().filter(|folder| !folder.is_dir()) {
            folders.recursive(true).create(folder)?;
        }
        let mode = if sample.is_program() { 0o755 } else { 0o644 };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
        file.write_all(sample.content)?;
    }
    Ok(prepared)
}

/// Moves what was prepared into an empty folder that stays the one it is: it may be somebody's current folder.
fn move_in(prepared: &Path, target: &Path) -> io::Result<()> {
    let mut names =
        fs::read_dir(prepared)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()?;
    names.sort_by_key(|name| (LAST.iter().any(|last| name == last), name.clone()));
    for (done, name) in names.iter().enumerate() {
        if let Err(error) = rename_new(&prepared.join(name), &target.join(name)) {
            // Back to where they go away with the rest.
            for name in &names[..done] {
                rename_new(&target.join(name), &prepared.join(name))?;
            }
            return Err(error.into());
        }
    }
    Ok(())
}

/// Renames and never replaces, also where the file system does not know how to refuse.
fn rename_new(from: &Path, to: &Path) -> Result<(), Errno> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match fs::symlink_metadata(to) {
            Ok(_) => Err(Errno::EXIST),
            Err(_) => rustix::fs::rename(from, to),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn tree(folder: &Path) -> Vec<String> {
        let mut found = vec![];
        let mut open = vec![folder.to_owned()];
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
                if path.is_dir() && !path.is_symlink() {
                    open.push(path);
                }
            }
        }
        found.sort();
        found
    }

    /// Writes to `name` in a folder that `before` has filled, and says what came of it.
    fn check(name: &str, before: impl FnOnce(&Path), expected: &str) {
        let home = tempfile::tempdir().unwrap();
        before(home.path());
        let was = tree(home.path());
        match init(home.path(), Path::new(name)) {
            Ok(done) => {
                assert_eq!(expected, "written", "{name}");
                let written = tree(&done.workspace);
                assert!(done.files.iter().all(|file| written.contains(&(*file).to_owned())));
                assert!(!tree(home.path()).iter().any(|path| path.contains(".road_runner")));
                for path in written {
                    let metadata = fs::metadata(done.workspace.join(&path)).unwrap();
                    let runs = metadata.is_dir() || path.starts_with("diags/");
                    let mode = metadata.permissions().mode() & 0o777;
                    assert_eq!(mode & 0o700, if runs { 0o700 } else { 0o600 }, "{path} {mode:o}");
                    assert_eq!(mode & 0o022, 0, "{path} {mode:o}");
                }
            }
            Err(failure) => {
                assert_eq!(failure.message.replace(&home.path().display().to_string(), "D"), expected);
                assert_eq!(failure.exit_code(), 2);
                assert_eq!(tree(home.path()), was, "untouched");
            }
        }
    }

    #[test]
    fn only_where_nothing_is() {
        check("new", |_| {}, "written");
        check("deep/er/new", |_| {}, "written");
        check("empty", |home| fs::create_dir(home.join("empty")).unwrap(), "written");
        check(".", |_| {}, "written");
        check(
            "link",
            |home| {
                fs::create_dir(home.join("empty")).unwrap();
                symlink("empty", home.join("link")).unwrap();
            },
            "written",
        );
        check(".", |home| fs::write(home.join("notes"), "").unwrap(), "D/. is not empty");
        check("full", |home| fs::create_dir_all(home.join("full/.git")).unwrap(), "D/full is not empty");
        check(
            "file",
            |home| fs::write(home.join("file"), "").unwrap(),
            "D/file is not an empty folder: Not a directory (os error 20)",
        );
        check(
            "lost",
            |home| symlink("nowhere", home.join("lost")).unwrap(),
            "D/lost is not an empty folder: No such file or directory (os error 2)",
        );
    }
}
