//! Every path of a run directory, spelled once, and how the directories come to be.
//! Directories are 0700 and files 0600 whatever the umask; a run directory is never reached through a symlink.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::StoreError;
use super::mortal::around;
use super::run_id::RunId;
use crate::domain::summary::padding;

/// The runs folder, made if it is not there (0700, parents too). A symlink here is the user's own choice.
pub fn ensure_runs_folder(runs: &Path) -> Result<(), StoreError> {
    make_directories(runs).map_err(StoreError::io("create", runs))
}

/// A run directory, by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    root: PathBuf,
}

impl RunDir {
    /// The directory of the run `id` in the folder `runs`; an error if it is not there or is a symlink.
    pub fn open(runs: &Path, id: &RunId) -> Result<Self, StoreError> {
        let dir = Self::at(runs, id);
        open_directory(&dir.root)?;
        Ok(dir)
    }

    /// Where the run `id` would be, whether or not it is.
    pub(crate) fn at(runs: &Path, id: &RunId) -> Self {
        Self { root: runs.join(id.to_string()) }
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `plan.json`: the frozen plan.
    pub fn plan(&self) -> PathBuf {
        self.root.join("plan.json")
    }

    /// `summary.json`: the run state as it stands.
    pub fn summary(&self) -> PathBuf {
        self.root.join("summary.json")
    }

    /// `sysinfo.json`: the host at start and end.
    pub fn sysinfo(&self) -> PathBuf {
        self.root.join("sysinfo.json")
    }

    /// `events.ldjson`: the run's own journal.
    pub fn events(&self) -> PathBuf {
        self.root.join("events.ldjson")
    }

    /// `export.csv`: a row per execution.
    pub fn export_csv(&self) -> PathBuf {
        self.root.join("export.csv")
    }

    /// `export.json`, where it was asked for.
    pub fn export_json(&self) -> PathBuf {
        self.root.join("export.json")
    }

    /// `report.md`.
    pub fn report_markdown(&self) -> PathBuf {
        self.root.join("report.md")
    }

    /// `report.html`.
    pub fn report_html(&self) -> PathBuf {
        self.root.join("report.html")
    }

    /// `lock`: held by the runner as long as it lives.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// `hashes.json`: what each file was when the run ended.
    pub fn hashes(&self) -> PathBuf {
        self.root.join("hashes.json")
    }

    /// `rails.json`: where home is, kept before the first rail is moved.
    pub fn rails(&self) -> PathBuf {
        self.root.join("rails.json")
    }

    /// `rails/`: a folder for each controller.
    pub fn rails_state(&self) -> PathBuf {
        self.root.join("rails")
    }

    /// `inputs/`: copies of what the plan was made from.
    pub fn inputs(&self) -> PathBuf {
        self.root.join("inputs")
    }

    /// `subruns/`.
    pub fn subruns(&self) -> PathBuf {
        self.root.join("subruns")
    }

    /// The directory of the sub-run `id`, whether or not it has been made. An id that could leave `subruns/` is refused.
    pub fn subrun(&self, id: &str) -> Result<SubRunDir, StoreError> {
        let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if !plain || !id.starts_with("rr-") || id.len() > 64 {
            return Err(StoreError::Name { what: "sub-run", name: id.to_owned() });
        }
        Ok(SubRunDir { root: self.subruns().join(id) })
    }
}

/// A run directory under its dot-name, to be filled and then published. Dropped unpublished, it is removed.
#[derive(Debug)]
pub struct PreparedRun {
    id: RunId,
    runs: PathBuf,
    dir: RunDir,
    published: bool,
}

impl PreparedRun {
    /// Reserves an id and makes its directory under a dot-name. `base` is taken as it is if it is free,
    /// else with `-2`, `-3`, ..; from here on nobody else who prepares a run gets the same id.
    pub fn reserve(runs: &Path, base: &RunId) -> Result<Self, StoreError> {
        ensure_runs_folder(runs)?;
        for number in 1..=u32::MAX {
            let id = base.numbered(number);
            let root = runs.join(format!(".{id}"));
            // The dot-name is the reservation: whoever makes it owns the id. Only its owner can turn it into the
            // public name, so looking for the public name after making the dot-name leaves no gap.
            match make_directory(&root) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(StoreError::io("create", &root)(error)),
            }
            let prepared = Self { runs: runs.to_path_buf(), dir: RunDir { root }, published: false, id };
            if fs::symlink_metadata(runs.join(prepared.id.to_string())).is_err() {
                for folder in [prepared.dir.inputs(), prepared.dir.subruns()] {
                    make_directory(&folder).map_err(StoreError::io("create", &folder))?;
                }
                return Ok(prepared);
            }
        }
        Err(StoreError::Name { what: "run", name: base.to_string() })
    }

    /// The id that the run will have.
    pub fn id(&self) -> &RunId {
        &self.id
    }

    /// Where to put its files for now.
    pub fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// Makes the directory visible under its id, all at once, and on disk when this returns.
    pub fn publish(mut self) -> Result<RunDir, StoreError> {
        let root = self.runs.join(self.id.to_string());
        sync_directory(self.dir.root())?;
        let renamed = around("publish the run", || rename_new(self.dir.root(), &root));
        renamed.map_err(StoreError::io("create", &root))?;
        self.published = true;
        sync_directory(&self.runs)?;
        Ok(RunDir { root })
    }
}

impl Drop for PreparedRun {
    fn drop(&mut self) {
        if !self.published {
            // Nothing to tell anybody: a dot-folder left over is ignored by every reader.
            drop(fs::remove_dir_all(self.dir.root()));
        }
    }
}

/// A sub-run's directory, by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubRunDir {
    root: PathBuf,
}

impl SubRunDir {
    /// Makes the directory and its folders, on disk when this returns. One that is there already is kept.
    pub fn create(&self) -> Result<(), StoreError> {
        let parent = self.root.parent().unwrap_or(&self.root);
        let inner = self.folders();
        for folder in [parent, &self.root].into_iter().chain(inner.iter().map(PathBuf::as_path)) {
            keep_directory(folder)?;
        }
        sync_directory(&self.root)?;
        sync_directory(parent)
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// `steps.ldjson`: the sub-run's journal, the source of truth.
    pub fn steps(&self) -> PathBuf {
        self.root.join("steps.ldjson")
    }

    /// `summary.json` of the sub-run.
    pub fn summary(&self) -> PathBuf {
        self.root.join("summary.json")
    }

    /// `logs.idx`: times and sizes of the logs while they grew.
    pub fn logs_index(&self) -> PathBuf {
        self.root.join("logs.idx")
    }

    /// Where the executions have their files.
    pub fn folders(&self) -> [PathBuf; 3] {
        ["stdout", "stderr", "artifacts"].map(|name| self.root.join(name))
    }

    /// `stdout/00_cpu-smoke.log`.
    pub fn stdout(&self, name: &ExecutionName) -> PathBuf {
        self.root.join("stdout").join(format!("{}.log", name.0))
    }

    /// `stderr/00_cpu-smoke.log`.
    pub fn stderr(&self, name: &ExecutionName) -> PathBuf {
        self.root.join("stderr").join(format!("{}.log", name.0))
    }

    /// `stdout/00_cpu-smoke.restore.log`: what its restore commands said.
    pub fn restore_log(&self, name: &ExecutionName) -> PathBuf {
        self.root.join("stdout").join(format!("{}.restore.log", name.0))
    }

    /// `artifacts/00_cpu-smoke/`: the working directory of the execution.
    pub fn artifacts(&self, name: &ExecutionName) -> PathBuf {
        self.root.join("artifacts").join(&name.0)
    }

    /// Makes the artifact folder; one that is there already is kept.
    pub fn create_artifacts(&self, name: &ExecutionName) -> Result<PathBuf, StoreError> {
        let folder = self.artifacts(name);
        keep_directory(&folder)?;
        Ok(folder)
    }

    /// Puts what an earlier attempt at an execution left out of the way of the next: `00_cpu-smoke.attempt-1.log`, and the
    /// folder of its artifacts likewise.
    pub fn set_aside(&self, name: &ExecutionName, attempt: u32) -> Result<(), StoreError> {
        let aside = ExecutionName(format!("{}.attempt-{attempt}", name.0));
        let files = [
            (self.stdout(name), self.stdout(&aside)),
            (self.stderr(name), self.stderr(&aside)),
            (self.restore_log(name), self.restore_log(&aside)),
            (self.artifacts(name), self.artifacts(&aside)),
        ];
        for (from, to) in files {
            match rename_new(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                renamed => renamed.map_err(StoreError::io("rename", &from))?,
            }
        }
        Ok(())
    }

    /// Opens a log file for appending, to be handed to a step as its descriptor.
    pub fn open_log(&self, path: &Path) -> Result<File, StoreError> {
        open_private(path, OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND).map_err(StoreError::io("create", path))
    }
}

/// What the files of one execution are called: `00_cpu-smoke`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExecutionName(String);

impl ExecutionName {
    /// The name of execution `index` (from 0) of `count` in a sub-run, of the step `step`.
    /// A character that a step's name cannot have becomes `_`, so an edited plan cannot name another folder.
    pub fn new(index: u32, count: u32, step: &str) -> Self {
        let step: String =
            step.chars().take(64).map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let width = padding(count);
        Self(format!("{index:0width$}_{step}"))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Opens a directory that is not a symlink.
pub(crate) fn open_directory(path: &Path) -> Result<File, StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map(File::from).map_err(StoreError::io("open", path))
}

/// Opens a file that is not a symlink; one that is made by this is 0600.
pub(crate) fn open_private(path: &Path, flags: OFlags) -> io::Result<File> {
    let mode = Mode::RUSR | Mode::WUSR;
    let file = File::from(rustix::fs::open(path, flags | OFlags::NOFOLLOW | OFlags::CLOEXEC, mode)?);
    // A umask that takes the owner's bits away would leave a file that a resume cannot open.
    if flags.contains(OFlags::CREATE) && file.metadata()?.permissions().mode() & 0o777 != 0o600 {
        rustix::fs::fchmod(&file, mode)?;
    }
    Ok(file)
}

/// Writes a directory's entries to disk, so that a file made or renamed in it survives the host.
pub(crate) fn sync_directory(path: &Path) -> Result<(), StoreError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(path, flags, Mode::empty()).map_err(StoreError::io("open", path))?;
    match around("sync a folder", || rustix::fs::fsync(&folder)) {
        // Some network file systems have nothing to sync in a directory and say so.
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(error) => Err(StoreError::io("sync", path)(error)),
    }
}

fn make_directory(path: &Path) -> io::Result<()> {
    around("make a folder", || DirBuilder::new().mode(0o700).create(path))?;
    if fs::symlink_metadata(path)?.permissions().mode() & 0o777 != 0o700 {
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Makes a directory and those above it that are missing.
pub(crate) fn make_directories(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_directories(parent)?;
    }
    match make_directory(path) {
        // Somebody else was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

/// Makes a directory, or keeps one that is there, if it is one.
fn keep_directory(path: &Path) -> Result<(), StoreError> {
    match make_directory(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open_directory(path).map(drop),
        made => made.map_err(StoreError::io("create", path)),
    }
}

/// Renames and never replaces, also where the file system does not know how to refuse.
fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match fs::symlink_metadata(to) {
            Ok(_) => Err(Errno::EXIST.into()),
            Err(_) => fs::rename(from, to),
        },
        other => other.map_err(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> RunId {
        RunId::parse(text).unwrap()
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
    }

    const ID: &str = "rr-20250101T010101Z-abc123";

    fn check(index: u32, count: u32, step: &str, expected: &str) {
        assert_eq!(ExecutionName::new(index, count, step).as_str(), expected);
    }

    #[test]
    fn names_are_padded_to_the_width_of_the_largest_and_stay_in_their_folder() {
        check(0, 1, "cpu-smoke", "00_cpu-smoke");
        check(7, 100, "cpu-smoke", "07_cpu-smoke");
        check(7, 101, "mem_pattern", "007_mem_pattern");
        check(12_345, 100_000, "x", "12345_x");
        check(0, 1, "../../etc/passwd", "00_______etc_passwd");
    }

    #[test]
    fn a_run_appears_whole_under_the_next_free_id() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("deep/runs");
        let first = PreparedRun::reserve(&runs, &id(ID)).unwrap();
        assert!(!runs.join(ID).exists());
        let second = PreparedRun::reserve(&runs, &id(ID)).unwrap();
        assert_eq!(second.id().to_string(), format!("{ID}-2"));
        fs::write(first.dir().plan(), "{}").unwrap();
        let dir = first.publish().unwrap();
        assert_eq!(dir, RunDir::open(&runs, &id(ID)).unwrap());
        assert_eq!(fs::read_to_string(dir.plan()).unwrap(), "{}");
        assert_eq!((mode(&runs), mode(dir.root()), mode(&dir.inputs())), (0o700, 0o700, 0o700));
        drop(second);
        let third = PreparedRun::reserve(&runs, &id(ID)).unwrap();
        assert_eq!(third.id().to_string(), format!("{ID}-2"));
        drop(third);
        let left: Vec<_> = fs::read_dir(&runs).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [ID], "nothing is left of what was not published");
    }

    #[test]
    fn publishing_never_replaces() {
        let folder = tempfile::tempdir().unwrap();
        let prepared = PreparedRun::reserve(folder.path(), &id(ID)).unwrap();
        fs::create_dir(folder.path().join(ID)).unwrap();
        let error = prepared.publish().unwrap_err().to_string();
        assert_eq!(error.replace(&folder.path().display().to_string(), "D"), format!("create D/{ID}: File exists"));
    }

    #[test]
    fn a_symlinked_run_directory_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink("elsewhere", folder.path().join(ID)).unwrap();
        assert!(RunDir::open(folder.path(), &id(ID)).is_err());
        let reserved = PreparedRun::reserve(folder.path(), &id(ID)).unwrap();
        assert_eq!(reserved.id().to_string(), format!("{ID}-2"));
    }

    #[test]
    fn a_subrun_has_its_folders_and_cannot_leave_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let run = PreparedRun::reserve(folder.path(), &id(ID)).unwrap();
        let subrun = run.dir().subrun(&format!("{ID}-s00")).unwrap();
        subrun.create().unwrap();
        subrun.create().unwrap();
        let name = ExecutionName::new(0, 1, "cpu-smoke");
        drop(subrun.open_log(&subrun.stdout(&name)).unwrap());
        assert_eq!(mode(&subrun.stdout(&name)), 0o600);
        assert_eq!(mode(&subrun.create_artifacts(&name).unwrap()), 0o700);
        for bad in ["", "..", "rr-/../..", "rr-..", "a", "rr-\0"] {
            assert!(run.dir().subrun(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_log_is_never_opened_through_a_symlink() {
        let folder = tempfile::tempdir().unwrap();
        let run = PreparedRun::reserve(folder.path(), &id(ID)).unwrap();
        let subrun = run.dir().subrun(&format!("{ID}-s00")).unwrap();
        subrun.create().unwrap();
        let target = folder.path().join("target");
        fs::write(&target, "kept").unwrap();
        let log = subrun.stderr(&ExecutionName::new(0, 1, "x"));
        std::os::unix::fs::symlink(&target, &log).unwrap();
        assert!(subrun.open_log(&log).is_err());
        assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
    }
}
