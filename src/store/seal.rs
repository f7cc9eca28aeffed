//! `hashes.json`: what every file of a run was when it ended, written last of all, so that whoever reads the record later can
//! tell whether it is still that. Files of any size are hashed in pieces, a run's files one after the other; nothing is kept
//! but a path and a hash of each (about 200 bytes).
//!
//! Not a signature: whoever may write into the directory may write a new seal. A run that did not come to its end has none.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::atomic;
use super::document;
use super::error::plain;
use super::hash;
use super::layout::{RunDir, open_directory};
use super::log_file::open_regular;
use super::mortal::around;
use super::record::read_regular;
use super::reserve;
use super::walk::{self, Seen, spelled};

/// The version of `hashes.json` that this program writes.
pub const FORMAT_VERSION: u32 = 1;

/// `hashes.json`: what each file was when the run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Seal {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// SHA-256 in lower-case hex of each regular file, by its path relative to the run's directory; a byte of a name that is
    /// not UTF-8 is `\xff`, a backslash is doubled.
    pub files: BTreeMap<String, String>,
    /// Files and folders that could not be read then, and why.
    pub not_hashed: BTreeMap<String, String>,
}

/// A file that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Its path, as in [`Seal::files`].
    pub path: String,
    /// What is different.
    pub what: Change,
}

/// How a file differs from what it was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// It has another content.
    Changed,
    /// It is gone.
    Missing,
    /// It was not there.
    New,
    /// It cannot be read now, and why.
    Unreadable(String),
}

/// What a file is to the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Sealed,
    /// The lock, the seal itself.
    Outside,
    /// What a killed writer left.
    LeftOver,
}

/// The folder of the controllers, who may write there at any time.
const CONTROLLERS: &str = "rails";

fn part(path: &str) -> Part {
    let names: Vec<&str> = path.split('/').collect();
    let is_left_over = match names.as_slice() {
        [name] if reserve::is_portion(name) => true,
        [name] | ["subruns", _, name] => atomic::is_temporary(name),
        // A log that was being cut to its size.
        ["subruns", _, "stdout" | "stderr", name] => name.ends_with(".log.tmp"),
        _ => false,
    };
    match path {
        "lock" | "hashes.json" => Part::Outside,
        _ if is_left_over => Part::LeftOver,
        _ => Part::Sealed,
    }
}

/// Hashes files one after the other.
struct Hasher<'t> {
    piece: Vec<u8>,
    each: &'t mut dyn FnMut(u64),
}

impl<'t> Hasher<'t> {
    fn new(each: &'t mut dyn FnMut(u64)) -> Self {
        Self { piece: vec![0; hash::PIECE], each }
    }

    fn of(&mut self, file: io::Result<File>) -> io::Result<String> {
        hash::through(&mut file?, None, &mut self.piece, &mut *self.each)
    }
}

impl Seal {
    /// Hashes every file of the run. `each` hears how many bytes were read.
    pub fn take(dir: &RunDir, each: &mut dyn FnMut(u64)) -> Result<Self, StoreError> {
        let mut seal = Self { format_version: FORMAT_VERSION, files: BTreeMap::new(), not_hashed: BTreeMap::new() };
        let mut hasher = Hasher::new(each);
        walk::files(dir.root(), &is_sealed, &mut |path, seen| {
            let hashed = match seen {
                Seen::File(_) if part(path) != Part::Sealed => return Ok(()),
                Seen::File(at) => hasher.of(at.open()),
                Seen::Barred(why) => Err(why),
            };
            match hashed {
                Ok(hash) => drop(seal.files.insert(path.to_owned(), hash)),
                Err(why) => drop(seal.not_hashed.insert(path.to_owned(), plain(&why))),
            }
            Ok(())
        })?;
        Ok(seal)
    }

    /// Reads the seal of a run; `None` where it has none.
    pub fn read(dir: &RunDir) -> Result<Option<Self>, StoreError> {
        let path = dir.hashes();
        let text = match read_regular(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        document::parse(&path, &text, FORMAT_VERSION, |seal: &Self| seal.format_version).map(Some)
    }

    /// What is no longer as it was, in the order of paths. `each` hears how many bytes were read.
    pub fn differences(&self, dir: &RunDir, each: &mut dyn FnMut(u64)) -> Result<Vec<Difference>, StoreError> {
        let mut hasher = Hasher::new(each);
        let mut gone: BTreeMap<&str, &str> = self.files.iter().map(|(path, hash)| (&**path, &**hash)).collect();
        let mut found = vec![];
        walk::files(dir.root(), &is_sealed, &mut |path, seen| {
            let was = gone.remove(path);
            let what = match (seen, was) {
                (Seen::File(_), _) if part(path) != Part::Sealed => return Ok(()),
                (Seen::File(_), None) | (Seen::Barred(_), _) if self.knows_nothing_of(path) => return Ok(()),
                (Seen::File(_), None) => Change::New,
                (Seen::File(at), Some(was)) => match hasher.of(at.open()) {
                    Ok(now) if now == was => return Ok(()),
                    Ok(_) => Change::Changed,
                    Err(why) => Change::Unreadable(plain(&why)),
                },
                (Seen::Barred(why), _) => {
                    // What lies in there is not missing, it cannot be seen.
                    let inside = if path.is_empty() { String::new() } else { format!("{path}/") };
                    gone.retain(|file, _| !file.starts_with(&inside));
                    Change::Unreadable(plain(&why))
                }
            };
            found.push(Difference { path: path.to_owned(), what });
            Ok(())
        })?;
        found.extend(gone.into_keys().map(|path| Difference { path: path.to_owned(), what: Change::Missing }));
        found.sort();
        Ok(found)
    }

    /// What is different about a file that lies in the run's directory itself; none where its name cannot be told from the
    /// path.
    pub(super) fn difference(&self, dir: &RunDir, path: &str) -> Option<Change> {
        let was = self.files.get(path);
        if path.contains(['/', '\\']) {
            return None;
        }
        match Hasher::new(&mut |_| ()).of(open_regular(&dir.root().join(path)).map(|(file, _)| file)) {
            Ok(_) if was.is_none() => Some(Change::New),
            Ok(now) => (was != Some(&now)).then_some(Change::Changed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => was.map(|_| Change::Missing),
            Err(why) => Some(Change::Unreadable(plain(&why))),
        }
    }

    /// Whether a file could not be read when the run ended, or the folder that it is in.
    fn knows_nothing_of(&self, path: &str) -> bool {
        let mut above = Some(path);
        while let Some(at) = above {
            if self.not_hashed.contains_key(at) {
                return true;
            }
            above = at.rsplit_once('/').map(|(folder, _)| folder);
        }
        false
    }

    /// Whether the first `length` bytes of the file are all that it was.
    pub fn was_the_start(&self, dir: &RunDir, path: &str, length: u64) -> bool {
        let now = open_regular(&dir.root().join(path))
            .and_then(|(mut file, _)| hash::through(&mut file, Some(length), &mut vec![0; hash::PIECE], &mut |_| ()));
        now.is_ok_and(|now| self.files.get(path) == Some(&now))
    }
}

fn is_sealed(folder: &str) -> bool {
    folder != CONTROLLERS
}

/// Seals a run that has ended: to be called when all else of it is written. On disk when this returns, and so is everything
/// that it tells of: what diagnostics wrote may have been in the cache until now, and a power cut would make it look changed.
pub fn write(dir: &RunDir) -> Result<(), StoreError> {
    let seal = Seal::take(dir, &mut |_| ())?;
    let folder = open_directory(dir.root())?;
    let synced = around("sync the file system", || rustix::fs::syncfs(&folder));
    synced.map_err(StoreError::io("sync", dir.root()))?;
    atomic::replace_json_indented(&dir.hashes(), &seal)
}

/// Files of the run that a killed writer left and nobody reads, in the order of paths.
pub fn left_overs(dir: &RunDir) -> Result<Vec<String>, StoreError> {
    let mut found = vec![];
    // No writer leaves any in the folders of diagnostics, which may hold millions of files.
    let enters = |folder: &str| {
        let names: Vec<&str> = folder.split('/').collect();
        matches!(names.as_slice(), ["subruns"] | ["subruns", _] | ["subruns", _, "stdout" | "stderr"])
    };
    walk::files(dir.root(), &enters, &mut |path, seen| {
        if matches!(seen, Seen::File(_)) && part(path) == Part::LeftOver {
            found.push(path.to_owned());
        }
        Ok(())
    })?;
    found.sort();
    Ok(found)
}

/// The right to change files of a run that may be sealed. Held while they are written, so that nobody takes a file that is
/// new and not yet in the seal for one that was changed.
#[derive(Debug)]
pub struct Hold {
    dir: RunDir,
    /// Locked; where the file system knows no locks, nothing is held.
    _folder: Option<File>,
}

/// Waits for others who are changing files of the run.
pub fn hold(dir: &RunDir) -> Hold {
    Hold { dir: dir.clone(), _folder: locked(dir, FlockOperation::LockExclusive) }
}

/// Keeps others from changing files of the run, and its seal with them, as long as it is kept.
pub(crate) fn still(dir: &RunDir) -> Option<File> {
    locked(dir, FlockOperation::LockShared)
}

fn locked(dir: &RunDir, how: FlockOperation) -> Option<File> {
    let folder = open_directory(dir.root()).ok()?;
    loop {
        match rustix::fs::flock(&folder, how) {
            Ok(()) => return Some(folder),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

impl Hold {
    /// Whether a file is what the seal says; also where there is no seal. To be asked before something is added to it: what
    /// was changed before must stay known as changed.
    pub fn is_intact(&self, file: &Path) -> bool {
        let Ok(Some(seal)) = Seal::read(&self.dir) else { return true };
        let hash = Hasher::new(&mut |_| ()).of(File::open(file));
        hash.is_ok_and(|hash| self.path(file).is_some_and(|path| seal.files.get(&path) == Some(&hash)))
    }

    /// Puts what these files are now into the seal, and nothing else. A run without a seal, or with one that cannot be read,
    /// is left as it is. Errors: a file cannot be read, the seal cannot be written.
    pub fn renew(&self, files: &[PathBuf]) -> Result<(), StoreError> {
        let Ok(Some(mut seal)) = Seal::read(&self.dir) else { return Ok(()) };
        let before = seal.clone();
        for file in files {
            let Some(path) = self.path(file) else { continue };
            let hash = Hasher::new(&mut |_| ()).of(File::open(file)).map_err(StoreError::io("read", file))?;
            seal.not_hashed.remove(&path);
            seal.files.insert(path, hash);
        }
        if seal == before {
            return Ok(());
        }
        atomic::replace_json_indented(&self.dir.hashes(), &seal)
    }

    /// As it stands in the seal.
    fn path(&self, file: &Path) -> Option<String> {
        let relative = file.strip_prefix(self.dir.root()).ok()?;
        Some(spelled(relative.as_os_str().as_encoded_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::domain::verdict::Verdict::{Fail, Pass};
    use crate::store::test_run::{TestRun, plan};

    const ARTIFACTS: &str = "subruns/rr-20250101T010101Z-abc123-s00/artifacts/00_x";

    /// A sealed run, with a file of a diagnostic in it.
    fn sealed() -> TestRun {
        let run = TestRun::write(&plan(2, 2), &[vec![Pass, Pass], vec![Pass, Fail]]);
        fs::create_dir_all(run.dir.root().join(ARTIFACTS).join("deep")).unwrap();
        fs::write(run.dir.root().join(ARTIFACTS).join("deep/.core"), "core").unwrap();
        write(&run.dir).unwrap();
        run
    }

    fn found(run: &TestRun) -> Vec<String> {
        let seal = Seal::read(&run.dir).unwrap().unwrap();
        let found = seal.differences(&run.dir, &mut |_| ()).unwrap();
        found.into_iter().map(|difference| format!("{}: {:?}", difference.path, difference.what)).collect()
    }

    fn check(change: impl FnOnce(&TestRun), expected: &[&str]) {
        let run = sealed();
        change(&run);
        assert_eq!(found(&run), expected);
    }

    fn remove(file: &'static str) -> impl FnOnce(&TestRun) {
        move |run| fs::remove_file(run.dir.root().join(file)).unwrap()
    }

    fn add(file: &'static str) -> impl FnOnce(&TestRun) {
        move |run| {
            let path = run.dir.root().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
    }

    #[test]
    fn every_file_is_in_it_with_the_hash_that_others_compute() {
        let run = sealed();
        let seal = Seal::read(&run.dir).unwrap().unwrap();
        let names: Vec<&str> = seal.files.keys().map(|path| path.rsplit('/').next().unwrap()).collect();
        let per_sub_run = [".core", "steps.ldjson", "steps.ldjson"];
        assert_eq!(names, [&["events.ldjson", "flow.yaml", "plan.json"], &per_sub_run[..], &["summary.json"]].concat());
        for (path, hash) in &seal.files {
            assert_eq!(hash::file(&run.dir.root().join(path)).unwrap(), *hash, "{path}");
        }
        assert_eq!(seal.not_hashed, BTreeMap::new());
    }

    #[test]
    fn each_change_is_found_and_nothing_else() {
        check(|_| (), &[]);
        check(|run| run.edit("plan.json", |text| text.replacen('1', "2", 1)), &["plan.json: Changed"]);
        check(remove("events.ldjson"), &["events.ldjson: Missing"]);
        check(add("inputs/flows/new.yaml"), &["inputs/flows/new.yaml: New"]);
        check(add("subruns/x/stdout/00_a.log"), &["subruns/x/stdout/00_a.log: New"]);
        // In an artifact folder nothing is ours: names that look like ours are the diagnostic's.
        let own = format!("{ARTIFACTS}/.summary.json.x3Yz9a");
        check(
            |run| fs::write(run.dir.root().join(&own), "").unwrap(),
            &[&format!("{ARTIFACTS}/.summary.json.x3Yz9a: New")],
        );
        for outside in ["lock", "rails/sim/state", ".summary.json.x3Yz9a", "subruns/x/stdout/00_a.log.tmp"] {
            check(add(outside), &[]);
        }
        let path = format!("{ARTIFACTS}/deep/.core");
        check(
            |run| {
                fs::remove_file(run.dir.root().join(&path)).unwrap();
                symlink("/etc/passwd", run.dir.root().join(&path)).unwrap();
            },
            &[&format!("{path}: Missing")],
        );
    }

    #[test]
    fn what_could_not_be_read_then_is_not_held_against_it() {
        let run = sealed();
        let mut seal = Seal::read(&run.dir).unwrap().unwrap();
        let path = format!("{ARTIFACTS}/deep/.core");
        seal.files.remove(&path);
        for barred in [&path, ARTIFACTS] {
            seal.not_hashed = [(barred.to_owned(), "Permission denied".to_owned())].into();
            assert_eq!(seal.differences(&run.dir, &mut |_| ()).unwrap(), []);
        }
        seal.not_hashed.clear();
        assert_eq!(
            seal.differences(&run.dir, &mut |_| ()).unwrap(),
            [Difference { path: path.clone(), what: Change::New }]
        );
    }

    #[test]
    fn what_a_killed_writer_left_is_told_apart() {
        let run = sealed();
        let left =
            [".hashes.json.a1b2c3", ".reserve-2", "subruns/x/.summary.json.x3Yz9a", "subruns/x/stderr/00_a.log.tmp"];
        for file in left {
            add(file)(&run);
        }
        add("subruns/x/artifacts/00_a/.summary.json.x3Yz9a")(&run);
        add("subruns/x/stdout/00_a.log")(&run);
        assert_eq!(left_overs(&run.dir).unwrap(), left);
    }

    #[test]
    fn only_what_was_written_is_sealed_again() {
        let run = sealed();
        run.edit("plan.json", |text| text + " ");
        run.edit("summary.json", |text| text + " ");
        add("export.json")(&run);
        let hold = hold(&run.dir);
        let at = |file: &str| run.dir.root().join(file);
        assert!(!hold.is_intact(&at("summary.json")) && hold.is_intact(&at("events.ldjson")));
        hold.renew(&[at("summary.json"), at("export.json")]).unwrap();
        assert_eq!(found(&run), ["plan.json: Changed"]);
        // Without a seal, or with half of one, nothing is made up.
        run.edit("hashes.json", |text| text[..text.len() / 2].to_owned());
        let torn = fs::read(run.dir.hashes()).unwrap();
        hold.renew(&[at("plan.json")]).unwrap();
        assert_eq!(fs::read(run.dir.hashes()).unwrap(), torn);
        assert!(Seal::read(&run.dir).unwrap_err().to_string().contains("hashes.json: EOF"));
        fs::remove_file(run.dir.hashes()).unwrap();
        hold.renew(&[at("plan.json")]).unwrap();
        assert_eq!(Seal::read(&run.dir).unwrap(), None);
    }

    #[test]
    fn a_later_format_is_said() {
        let run = sealed();
        run.edit("hashes.json", |text| text.replace("\"format_version\": 1", "\"format_version\": 2"));
        assert!(matches!(Seal::read(&run.dir), Err(StoreError::Newer { found: 2, .. })));
    }

    #[test]
    fn what_follows_the_end_is_told_from_another_content() {
        let run = sealed();
        let seal = Seal::read(&run.dir).unwrap().unwrap();
        let length = fs::metadata(run.dir.events()).unwrap().len();
        run.edit("events.ldjson", |text| text + "{\"ev");
        assert!(seal.was_the_start(&run.dir, "events.ldjson", length));
        assert!(!seal.was_the_start(&run.dir, "events.ldjson", length - 1));
    }
}
