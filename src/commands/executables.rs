//! Which program a manifest means: the path rules, applied the same at planning and in `adapters check`.
//! Never runs the program, and never searches a relative folder.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Component, Path, PathBuf};

use crate::domain::plan::Executable;
use crate::host::command;
use crate::store::{StoreError, hash};

/// The folder of a workspace in which relative manifest paths must end.
pub const DIAGS: &str = "diags";

/// Where programs are looked for.
#[derive(Debug, Clone, Copy)]
pub struct Lookup<'a> {
    /// The workspace, absolute.
    pub workspace: &'a Path,
    /// Folders for bare names, as in `PATH`; relative entries are passed over.
    pub path: &'a str,
    /// Whether we run as root, so that what others may write must not be started.
    pub as_root: bool,
}

/// How a manifest names its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// Relative to the workspace, inside `diags/`.
    Relative,
    /// A bare name, looked up on `PATH`.
    Bare,
    /// Absolute: allowed, and said aloud.
    Absolute,
}

/// A program that may be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// How the manifest names it.
    pub spelling: Spelling,
    /// Where it stands, absolute. Symlinks are left in, since some programs go by the name they are called.
    pub path: PathBuf,
    /// The file behind all symlinks.
    pub target: PathBuf,
    /// SHA-256 of its content.
    pub sha256: String,
    /// User id of the file's owner.
    pub owner: u32,
    /// Permission bits.
    pub mode: u32,
}

impl Resolved {
    /// As a plan freezes it, by the path in the manifest.
    pub fn executable(&self, manifest_path: &str) -> Executable {
        Executable { path: manifest_path.to_owned(), sha256: self.sha256.clone() }
    }
}

/// Why a program may not be started, or is not there.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Nothing was written.
    #[error("the path is empty")]
    Empty,
    /// The path climbs.
    #[error("the path has `..` in it")]
    Climbs,
    /// A relative path that does not lie in `diags/`, as written.
    #[error("the path is not inside diags/")]
    Outside,
    /// A relative path that a symlink leads out of `diags/`.
    #[error("a symlink leads out of diags/, to {}", .0.display())]
    LeadsOut(PathBuf),
    /// No such file.
    #[error("there is no such file")]
    Missing,
    /// No folder of `PATH` has it.
    #[error("not found on PATH")]
    NotOnPath,
    /// A folder, a FIFO, a device.
    #[error("it is not a regular file")]
    NotAFile,
    /// Nobody, or at least not we, may execute it.
    #[error("it is not executable")]
    NotExecutable,
    /// Somebody else could change what root would run.
    #[error("{} is writable by {who} (mode {mode:04o}) and we run as root", path.display())]
    Writable {
        /// The file, or the folder it stands in.
        path: PathBuf,
        /// Permission bits.
        mode: u32,
        /// `its group`, `everybody`.
        who: &'static str,
    },
    /// The file system refuses.
    #[error("it cannot be read: {0}")]
    Unreadable(io::Error),
    /// Its content could not be hashed.
    #[error("it cannot be read: {0}")]
    Unhashable(#[from] StoreError),
}

impl Refusal {
    /// What would be right.
    pub fn help(&self) -> String {
        match self {
            Self::Empty | Self::Climbs | Self::Outside => {
                "write `diags/NAME`, a bare name for PATH, or an absolute path".to_owned()
            }
            Self::LeadsOut(_) => "put the program itself into diags/, or write its absolute path".to_owned(),
            Self::Missing | Self::NotAFile => "put the program there, or correct the path".to_owned(),
            Self::NotOnPath => "install it, or write its absolute path".to_owned(),
            Self::NotExecutable => "chmod +x it".to_owned(),
            Self::Writable { .. } => "chmod go-w it".to_owned(),
            Self::Unreadable(_) | Self::Unhashable(_) => "let the user that runs Road Runner read it".to_owned(),
        }
    }
}

impl Lookup<'_> {
    /// The program that a manifest's `path` (or an entry of `restore`) means.
    pub fn resolve(&self, manifest_path: &str) -> Result<Resolved, Refusal> {
        let written = Path::new(manifest_path);
        if manifest_path.is_empty() {
            return Err(Refusal::Empty);
        }
        if written.components().any(|part| part == Component::ParentDir) {
            return Err(Refusal::Climbs);
        }
        if written.is_absolute() {
            return self.judge(Spelling::Absolute, written.to_owned(), None);
        }
        if !manifest_path.contains('/') {
            if manifest_path == "." {
                return Err(Refusal::NotAFile);
            }
            return self.judge(Spelling::Bare, self.search(manifest_path)?, None);
        }
        let mut parts = written.components().filter(|part| *part != Component::CurDir);
        if parts.next() != Some(Component::Normal(DIAGS.as_ref())) {
            return Err(Refusal::Outside);
        }
        let diags = self.workspace.join(DIAGS).canonicalize().map_err(missing)?;
        self.judge(Spelling::Relative, self.workspace.join(written), Some(&diags))
    }

    /// The first folder of `PATH` with an executable of that name; a file there that is not executable is said to be so.
    fn search(&self, name: &str) -> Result<PathBuf, Refusal> {
        let folders = || self.path.split(':').map(Path::new).filter(|folder| folder.is_absolute());
        if let Some(found) = command::find(name, folders()) {
            return Ok(found);
        }
        let lame = folders().any(|folder| folder.join(name).is_file());
        Err(if lame { Refusal::NotExecutable } else { Refusal::NotOnPath })
    }

    fn judge(&self, spelling: Spelling, path: PathBuf, inside: Option<&Path>) -> Result<Resolved, Refusal> {
        let target = path.canonicalize().map_err(missing)?;
        if inside.is_some_and(|folder| !target.starts_with(folder)) {
            return Err(Refusal::LeadsOut(target));
        }
        let metadata = fs::metadata(&target).map_err(missing)?;
        if !metadata.is_file() {
            return Err(Refusal::NotAFile);
        }
        let mode = permission_bits(&metadata);
        // access(2) as well: the bits alone do not know of our user, nor of noexec mounts.
        if mode & 0o111 == 0 || rustix::fs::access(&target, rustix::fs::Access::EXEC_OK).is_err() {
            return Err(Refusal::NotExecutable);
        }
        if self.as_root {
            refuse_writable(&target, mode)?;
        }
        let sha256 = hash::file(&target)?;
        Ok(Resolved { spelling, path, target, sha256, owner: metadata.uid(), mode })
    }
}

/// Whether this process has root's rights.
pub fn we_are_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn permission_bits(metadata: &Metadata) -> u32 {
    metadata.permissions().mode() & 0o7777
}

fn missing(error: io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Refusal::Missing,
        _ => Refusal::Unreadable(error),
    }
}

/// A file that its group or everybody may write, or a folder in which everybody may put another in its place. Groups
/// of folders are not judged: Debian's own `/usr/local/bin` belongs to one.
fn refuse_writable(target: &Path, mode: u32) -> Result<(), Refusal> {
    let refuse = |path: &Path, mode, who| Err(Refusal::Writable { path: path.to_owned(), mode, who });
    if mode & 0o002 != 0 {
        return refuse(target, mode, "everybody");
    }
    if mode & 0o020 != 0 {
        return refuse(target, mode, "its group");
    }
    if let Some(folder) = target.parent() {
        let mode = permission_bits(&fs::metadata(folder).map_err(missing)?);
        if mode & 0o1002 == 0o002 {
            return refuse(folder, mode, "everybody");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;
    use tempfile::TempDir;

    /// `ws/diags/{ok,lame,sub/ok,open,shared}`, links in and out, `outside/tool`, `bin/{tool,lame}`.
    fn house() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        for folder in ["ws/diags/sub", "ws/diags/folder", "ws/other", "outside", "bin", "bin2", "ws/diags/anybody"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        for (path, mode) in [
            ("ws/diags/ok", 0o755),
            ("ws/diags/lame", 0o644),
            ("ws/diags/sub/ok", 0o700),
            ("ws/diags/open", 0o757),
            ("ws/diags/shared", 0o775),
            ("ws/diags/anybody/ok", 0o755),
            ("ws/other/ok", 0o755),
            ("outside/tool", 0o755),
            ("bin/lame", 0o644),
            ("bin2/tool", 0o755),
        ] {
            fs::write(at(path), "#!/bin/sh\n").unwrap();
            fs::set_permissions(at(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(at("ws/diags/anybody"), fs::Permissions::from_mode(0o777)).unwrap();
        symlink("sub/ok", at("ws/diags/link_in")).unwrap();
        symlink("../../outside/tool", at("ws/diags/link_out")).unwrap();
        symlink("../../outside", at("ws/diags/folder_out")).unwrap();
        symlink("nowhere", at("ws/diags/dangling")).unwrap();
        dir
    }

    fn check(dir: &TempDir, as_root: bool, written: &str, expected: &str) {
        let base = dir.path().canonicalize().unwrap();
        let path = format!("relative:{0}/bin:{0}/bin2", base.display());
        let lookup = Lookup { workspace: &base.join("ws"), path: &path, as_root };
        let said = match lookup.resolve(written) {
            Ok(found) => {
                assert_eq!(found.sha256, hash::bytes(b"#!/bin/sh\n"));
                assert!(found.path.is_absolute());
                format!("{:?} {}", found.spelling, found.target.strip_prefix(&base).unwrap().display())
            }
            Err(refusal) => refusal.to_string().replace(&base.display().to_string(), "BASE"),
        };
        assert_eq!(said, expected, "{written} as_root={as_root}");
    }

    #[test]
    fn a_relative_path_ends_inside_diags() {
        let dir = house();
        let check = |written, expected| check(&dir, false, written, expected);
        check("diags/ok", "Relative ws/diags/ok");
        check("./diags/ok", "Relative ws/diags/ok");
        check("diags/link_in", "Relative ws/diags/sub/ok");
        check("diags/link_out", "a symlink leads out of diags/, to BASE/outside/tool");
        check("diags/folder_out/tool", "a symlink leads out of diags/, to BASE/outside/tool");
        check("diags/dangling", "there is no such file");
        check("diags/sub/../ok", "the path has `..` in it");
        check("../outside/tool", "the path has `..` in it");
        check("..", "the path has `..` in it");
        check("other/ok", "the path is not inside diags/");
        check("diags/none", "there is no such file");
        check("diags/ok/deeper", "there is no such file");
        check("diags/folder", "it is not a regular file");
        check("diags/", "it is not a regular file");
        check("diags/lame", "it is not executable");
        check("", "the path is empty");
    }

    #[test]
    fn a_bare_name_is_found_in_absolute_folders_of_path() {
        let dir = house();
        let check = |written, expected| check(&dir, false, written, expected);
        check("tool", "Bare bin2/tool");
        check("lame", "it is not executable");
        check("nosuchtool", "not found on PATH");
        check(".", "it is not a regular file");
    }

    #[test]
    fn an_absolute_path_is_taken_as_it_is() {
        let dir = house();
        let tool = dir.path().canonicalize().unwrap().join("outside/tool");
        check(&dir, false, tool.to_str().unwrap(), "Absolute outside/tool");
        check(&dir, false, "/nonexistent/tool", "there is no such file");
    }

    #[test]
    fn root_runs_nothing_that_others_may_write() {
        let dir = house();
        for (written, refused) in [
            ("diags/ok", None),
            ("diags/open", Some("BASE/ws/diags/open is writable by everybody (mode 0757) and we run as root")),
            ("diags/shared", Some("BASE/ws/diags/shared is writable by its group (mode 0775) and we run as root")),
            ("diags/anybody/ok", Some("BASE/ws/diags/anybody is writable by everybody (mode 0777) and we run as root")),
        ] {
            check(&dir, false, written, &format!("Relative ws/{written}"));
            check(&dir, true, written, refused.unwrap_or(&format!("Relative ws/{written}")));
        }
    }

    #[test]
    fn a_fifo_is_not_opened() {
        let dir = house();
        let fifo = dir.path().join("ws/diags/fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o755.into(), 0).unwrap();
        check(&dir, false, "diags/fifo", "it is not a regular file");
    }
}
