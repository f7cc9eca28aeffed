//! Deleting runs, and what killed commands left of them: by open directories, never by a path that could lead elsewhere.
//! Never follows a symlink, never enters another file system, never deletes what somebody has locked.

use std::ffi::{CStr, CString};
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::StoreError;
use super::contents::{DELETED, LeftOver};
use super::lock::Lock;
use super::run_id::RunId;
use super::walk::{is_self, within};

/// What a deletion freed, or would free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Freed {
    /// Bytes on the disk. A file that has another name elsewhere frees none.
    pub bytes: u64,
    /// Files, folders and links.
    pub entries: u64,
}

impl Freed {
    fn add(&mut self, stat: &Stat, links: u64) {
        self.entries += 1;
        // Not of one width on every architecture.
        if u128::from(stat.st_nlink) <= u128::from(links) {
            self.bytes += u64::try_from(stat.st_blocks).unwrap_or(0) * 512;
        }
    }
}

/// Folders are opened so many levels deep; what lies deeper is moved up before it is deleted, and not measured.
const DEEPEST: usize = 48;
/// So many names are read at a time: a diagnostic may have left millions.
const BATCH: usize = 4096;

/// Deletes the run `id`. Its lock is taken first, so that nobody runs it meanwhile, and it is renamed to a dot-name, so that
/// nobody ever sees half of it; a deletion that is cut short leaves that name for [`left_over`].
pub fn run(runs: &Path, id: &RunId) -> Result<Freed, StoreError> {
    tree(runs, &id.to_string(), true)
}

/// Deletes what a killed command left behind, unless somebody is at work in it.
pub fn left_over(runs: &Path, left: &LeftOver) -> Result<Freed, StoreError> {
    tree(runs, &left.name, false)
}

/// What deleting the folder `name` would free, as far as it can be read.
pub fn measure(runs: &Path, name: &str) -> Freed {
    let mut freed = Freed::default();
    if let Ok(parent) = open_runs(runs)
        && let (Ok(text), Ok(name)) = (CString::new(name), CString::new(name))
        && let Ok(folder) = enter(&parent, &text)
    {
        if let Ok(stat) = rustix::fs::statat(&parent, &name, AtFlags::SYMLINK_NOFOLLOW) {
            freed.add(&stat, u64::MAX);
        }
        sum(&folder, 0, &mut freed);
    }
    freed
}

fn sum(folder: &File, depth: usize, freed: &mut Freed) {
    let Ok(mut entries) = Dir::read_from(folder) else { return };
    while let Some(Ok(entry)) = entries.read() {
        let name = entry.file_name();
        if is_self(name) {
            continue;
        }
        let Ok(stat) = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if !is_folder(&stat) {
            freed.add(&stat, 1);
        } else if depth < DEEPEST
            && let Ok(inner) = enter(folder, name)
        {
            freed.add(&stat, u64::MAX);
            sum(&inner, depth + 1, freed);
        }
    }
}

fn tree(runs: &Path, name: &str, hide: bool) -> Result<Freed, StoreError> {
    let dir = runs.join(name);
    let failed = |doing| StoreError::io::<io::Error>(doing, &dir);
    let parent = open_runs(runs)?;
    let name = CString::new(name).map_err(|_| StoreError::Name { what: "run", name: name.to_owned() })?;
    let folder = enter(&parent, &name).map_err(|error| failed("open")(error.into()))?;
    let _lock = Lock::hold(&folder, &dir)?;
    let name = if hide { hidden(&parent, &name).map_err(|error| failed("rename")(error.into()))? } else { name };
    let mut removal = Removal { top: &folder, at: dir.clone(), freed: Freed::default(), moved: 0 };
    removal.empty(&folder, 0).map_err(|error| StoreError::io("remove", &removal.at)(error))?;
    let stat = rustix::fs::fstat(&folder).map_err(|error| failed("remove")(error.into()))?;
    rustix::fs::unlinkat(&parent, &name, AtFlags::REMOVEDIR).map_err(|error| failed("remove")(error.into()))?;
    removal.freed.add(&stat, u64::MAX);
    Ok(removal.freed)
}

/// Renames to a dot-name that nobody has. Where a file system cannot rename folders of a lower layer, the name stays.
fn hidden(parent: &File, name: &CStr) -> Result<CString, Errno> {
    for number in 1..=u32::MAX {
        let mut text = [b".", name.to_bytes(), DELETED.as_bytes()].concat();
        if number > 1 {
            text.extend_from_slice(format!("-{number}").as_bytes());
        }
        let to = CString::new(text).map_err(|_| Errno::INVAL)?;
        match rustix::fs::renameat(parent, name, parent, &to) {
            Ok(()) => return Ok(to),
            Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            Err(Errno::XDEV) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(name.to_owned())
}

/// A deletion at work.
struct Removal<'a> {
    /// The folder that is emptied.
    top: &'a File,
    /// Where the work is, for messages.
    at: PathBuf,
    freed: Freed,
    /// How many folders were moved up.
    moved: u64,
}

impl Removal<'_> {
    /// Empties a folder so many levels below the top.
    fn empty(&mut self, folder: &File, depth: usize) -> Result<(), Errno> {
        make_accessible(folder);
        loop {
            let names = names(folder)?;
            if names.is_empty() {
                return Ok(());
            }
            for name in names {
                self.at.push(std::ffi::OsStr::from_bytes(name.to_bytes()));
                match self.remove(folder, &name, depth) {
                    Ok(()) | Err(Errno::NOENT) => {}
                    Err(error) => return Err(error),
                }
                self.at.pop();
            }
        }
    }

    fn remove(&mut self, parent: &File, name: &CStr, depth: usize) -> Result<(), Errno> {
        let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if !is_folder(&stat) {
            rustix::fs::unlinkat(parent, name, AtFlags::empty())?;
            self.freed.add(&stat, 1);
            return Ok(());
        }
        if depth >= DEEPEST {
            return self.move_up(parent, name);
        }
        let folder = enter(parent, name)?;
        self.empty(&folder, depth + 1)?;
        rustix::fs::unlinkat(parent, name, AtFlags::REMOVEDIR)?;
        self.freed.add(&stat, u64::MAX);
        Ok(())
    }

    /// A folder this deep goes to the top, to be met there again: no tree is too deep for the descriptors that we may have.
    fn move_up(&mut self, parent: &File, name: &CStr) -> Result<(), Errno> {
        loop {
            self.moved += 1;
            let to = format!("deep-{}", self.moved);
            match rustix::fs::renameat(parent, name, self.top, to) {
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                done => return done,
            }
        }
    }
}

/// The runs folder itself. A symlink here is the user's own choice.
fn open_runs(runs: &Path) -> Result<File, StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(runs, flags, Mode::empty()).map(File::from).map_err(StoreError::io("open", runs))
}

/// Opens a folder in a folder: not through a symlink, not into another file system, bind mounts included.
fn enter(parent: &File, name: &CStr) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match within(parent, name, flags) {
        // A diagnostic may have taken our own rights away from its folder.
        Err(Errno::ACCESS) => {
            let handle = within(parent, name, flags | OFlags::PATH)?;
            let shown = format!("/proc/self/fd/{}", handle.as_raw_fd());
            fs::set_permissions(shown, Permissions::from_mode(0o700)).map_err(|_| Errno::ACCESS)?;
            within(parent, name, flags)
        }
        other => other,
    }
    .map(File::from)
}

/// A folder of ours that we may not change is made so; where that fails, the deletion in it says why.
fn make_accessible(folder: &File) {
    if let Ok(facts) = folder.metadata()
        && facts.mode() & 0o700 != 0o700
    {
        drop(folder.set_permissions(Permissions::from_mode(0o700)));
    }
}

/// The first so many names in a folder.
fn names(folder: &File) -> Result<Vec<CString>, Errno> {
    let mut names = Vec::new();
    let mut entries = Dir::read_from(folder)?;
    while names.len() < BATCH
        && let Some(entry) = entries.read()
    {
        let entry = entry?;
        if !is_self(entry.file_name()) {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

fn is_folder(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::store::contents;
    use crate::store::lock::{Holder, LockScope};

    const ID: &str = "rr-20250101T010101Z-abc123";

    fn id() -> RunId {
        RunId::parse(ID).unwrap()
    }

    fn left(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Deletes the run, and compares what came of it and what is left in the runs folder.
    fn check(runs: &Path, expected: &str, names: &[&str]) {
        let said = match run(runs, &id()) {
            Ok(freed) => format!("{} entries", freed.entries),
            Err(error) => error.to_string().replace(&runs.display().to_string(), "D"),
        };
        assert_eq!(said, expected);
        assert_eq!(left(runs), names);
    }

    #[test]
    fn a_run_goes_whole_and_links_in_it_lead_nowhere() {
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir(outside.path().join("folder")).unwrap();
        fs::write(outside.path().join("folder/kept"), "kept").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join(ID);
        fs::create_dir_all(dir.join("subruns/s00/artifacts/00_x")).unwrap();
        fs::write(dir.join("summary.json"), vec![b'x'; 100_000]).unwrap();
        symlink(outside.path().join("folder"), dir.join("subruns/s00/artifacts/00_x/out")).unwrap();
        symlink(outside.path().join("folder/kept"), dir.join("report.md")).unwrap();
        symlink("/no/such", dir.join("dangling")).unwrap();
        fs::hard_link(outside.path().join("folder/kept"), dir.join("hard")).unwrap();
        let before = measure(folder.path(), ID);
        assert!(before.bytes >= 100_000, "{before:?}");
        assert_eq!(before.entries, 10);
        // The lock that was taken for it goes with it.
        check(folder.path(), "11 entries", &[]);
        assert_eq!(fs::read_to_string(outside.path().join("folder/kept")).unwrap(), "kept");
        check(folder.path(), &format!("open D/{ID}: No such file or directory"), &[]);
    }

    #[test]
    fn a_symlink_called_like_a_run_is_not_entered() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        fs::create_dir_all(folder.path().join("elsewhere/inner")).unwrap();
        fs::create_dir(&runs).unwrap();
        symlink("../elsewhere", runs.join(ID)).unwrap();
        check(&runs, &format!("open D/{ID}: Not a directory"), &[ID]);
        assert_eq!(measure(&runs, ID), Freed::default());
        assert!(folder.path().join("elsewhere/inner").is_dir());
        fs::remove_file(runs.join(ID)).unwrap();
        fs::write(runs.join(ID), "a file").unwrap();
        check(&runs, &format!("open D/{ID}: Not a directory"), &[ID]);
    }

    #[test]
    fn what_somebody_holds_stays() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join(ID);
        fs::create_dir(&dir).unwrap();
        let holder =
            Holder { pid: 7, start_ticks: 1, boot_id: String::new(), host: "bench".to_owned(), run_id: ID.to_owned() };
        let lock = Lock::acquire(&dir.join("lock"), LockScope::Run, &holder).unwrap();
        check(folder.path(), &format!("lock D/{ID}/lock: held by run {ID} (process 7 on bench)"), &[ID]);
        assert_eq!(left(&dir), ["lock"]);
        drop(lock);
        check(folder.path(), "2 entries", &[]);
    }

    #[test]
    fn a_lock_laid_out_for_us_is_refused_and_nothing_goes() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join(ID);
        fs::create_dir(&dir).unwrap();
        fs::write(folder.path().join("victim"), "kept").unwrap();
        symlink("../victim", dir.join("lock")).unwrap();
        let link = "Too many levels of symbolic links";
        check(folder.path(), &format!("lock D/{ID}/lock: {link}"), &[ID, "victim"]);
        assert_eq!(fs::read_to_string(folder.path().join("victim")).unwrap(), "kept");
    }

    #[test]
    fn a_tree_deeper_than_descriptors_go() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(ID)).unwrap();
        let mut inner = enter(&open_runs(folder.path()).unwrap(), &CString::new(ID).unwrap()).unwrap();
        let name = CString::new("d".repeat(200)).unwrap();
        for _ in 0..1500 {
            rustix::fs::mkdirat(&inner, &name, Mode::RWXU).unwrap();
            inner = enter(&inner, &name).unwrap();
        }
        drop(inner);
        check(folder.path(), "1502 entries", &[]);
    }

    #[test]
    fn folders_without_rights_go_too() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join(ID);
        fs::create_dir_all(dir.join("closed/inner")).unwrap();
        fs::create_dir_all(dir.join("readable")).unwrap();
        fs::write(dir.join("readable/file"), "").unwrap();
        for (name, mode) in [("closed/inner", 0o000), ("closed", 0o000), ("readable", 0o500)] {
            fs::set_permissions(dir.join(name), Permissions::from_mode(mode)).unwrap();
        }
        check(folder.path(), "6 entries", &[]);
    }

    #[test]
    fn a_name_that_is_taken_is_passed_over_and_left_overs_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        let gone = format!(".{ID}.deleted");
        fs::create_dir_all(folder.path().join(&gone).join("subruns")).unwrap();
        fs::create_dir(folder.path().join(ID)).unwrap();
        check(folder.path(), "2 entries", &[&gone]);
        let found = contents::look(folder.path()).unwrap().left_overs;
        assert_eq!(found.len(), 1);
        assert_eq!(left_over(folder.path(), &found[0]).unwrap().entries, 3);
        assert_eq!(left(folder.path()), [""; 0]);
    }
}
