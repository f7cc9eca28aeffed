//! What lies in a runs folder beside readable runs: what killed commands left behind, and what is not ours.
//! Only looks, by the entries themselves: a symlink is never followed.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, FileType};

use super::StoreError;
use super::layout::{RunDir, open_directory};
use super::run_id::RunId;

/// A dot-folder that a command leaves when it is killed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOver {
    /// The name of the folder.
    pub name: String,
    /// The run that it was to be, or was.
    pub id: RunId,
    /// Whose it was.
    pub of: Origin,
}

/// What left a folder behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A run was being prepared: `.rr-..`.
    Preparation,
    /// A run was being deleted: `.rr-...deleted`, then numbered.
    Deletion,
}

/// What a runs folder holds that is not called like a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Left behind, in the order of names.
    pub left_overs: Vec<LeftOver>,
    /// Names of everything else, untrusted, in order.
    pub foreign: Vec<String>,
}

/// What is put behind the dot-name of a run that is being deleted.
pub(crate) const DELETED: &str = ".deleted";

/// What a preparation puts into its folder.
const PREPARED: [&str; 6] = ["plan.json", "summary.json", "sysinfo.json", "lock", "inputs", "subruns"];
/// Any of these makes a folder that is called like a run one.
const OF_A_RUN: [&str; 3] = ["plan.json", "summary.json", "events.ldjson"];

/// Looks through a runs folder. One that is not there holds nothing.
pub fn look(runs: &Path) -> Result<Contents, StoreError> {
    let mut contents = Contents::default();
    let entries = match fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(contents),
        Err(error) => return Err(StoreError::io("read", runs)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(StoreError::io("read", runs))?;
        let name = entry.file_name();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let plain = name.to_str().filter(|_| is_folder);
        if plain.is_some_and(|name| RunId::parse(name).is_ok()) {
            continue;
        }
        match plain.and_then(left_over).filter(|found| found.of == Origin::Deletion || is_prepared(&entry.path())) {
            Some(found) => contents.left_overs.push(found),
            None => contents.foreign.push(name.to_string_lossy().into_owned()),
        }
    }
    contents.left_overs.sort_by(|a, b| a.name.cmp(&b.name));
    contents.foreign.sort();
    Ok(contents)
}

/// Whether anything of a run is in a directory that is called like one.
pub fn is_a_run(dir: &RunDir) -> bool {
    open_directory(dir.root()).is_ok_and(|folder| OF_A_RUN.iter().any(|name| is_plain_file(&folder, name)))
}

fn is_plain_file(folder: &File, name: &str) -> bool {
    rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
}

fn left_over(name: &str) -> Option<LeftOver> {
    let inner = name.strip_prefix('.')?;
    let (id, of) = match inner.split_once(DELETED) {
        None => (inner, Origin::Preparation),
        Some((id, "")) => (id, Origin::Deletion),
        Some((id, number)) => {
            let number = number.strip_prefix('-')?;
            number.parse::<u32>().ok().filter(|n| *n >= 2 && n.to_string() == number)?;
            (id, Origin::Deletion)
        }
    };
    Some(LeftOver { name: name.to_owned(), id: RunId::parse(id).ok()?, of })
}

/// Whether a folder holds nothing but what a preparation puts into it, whole or half written.
fn is_prepared(folder: &Path) -> bool {
    let known = |name: &str| {
        let whole = name.strip_prefix('.').and_then(|hidden| hidden.rsplit_once('.')).map_or(name, |(whole, _)| whole);
        PREPARED.contains(&whole)
    };
    fs::read_dir(folder).is_ok_and(|mut entries| {
        entries.all(|entry| entry.is_ok_and(|entry| entry.file_name().to_str().is_some_and(known)))
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::store::layout::PreparedRun;

    const ID: &str = "rr-20250101T010101Z-abc123";

    fn check(name: &str, expected: Option<Origin>) {
        assert_eq!(left_over(name).map(|found| found.of), expected, "{name}");
    }

    #[test]
    fn left_overs_are_known_by_name() {
        check(&format!(".{ID}"), Some(Origin::Preparation));
        check(&format!(".{ID}-2"), Some(Origin::Preparation));
        check(&format!(".{ID}.deleted"), Some(Origin::Deletion));
        check(&format!(".{ID}-2.deleted-3"), Some(Origin::Deletion));
        for other in ["", ".", "..", ".rr-", ".git", ID, ".rr-20250101T010101Z-abc123.deleted-1"] {
            check(other, None);
        }
        for tail in [".tmp", ".deleted.old", ".deleted-", ".deleted-02", ".deleted-x", "/.deleted"] {
            check(&format!(".{ID}{tail}"), None);
        }
    }

    #[test]
    fn what_is_ours_is_told_from_what_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let id = RunId::parse(ID).unwrap();
        assert_eq!(look(&at("none")).unwrap(), Contents::default());
        let prepared = PreparedRun::reserve(folder.path(), &id).unwrap();
        fs::write(prepared.dir().plan(), "{}").unwrap();
        fs::write(prepared.dir().root().join(".summary.json.x3Yz"), "{").unwrap();
        fs::create_dir(at("notes")).unwrap();
        fs::write(at("README"), "").unwrap();
        symlink("notes", at(".rr-20250102T010101Z-abc123")).unwrap();
        fs::create_dir(at(".rr-20250103T010101Z-abc123")).unwrap();
        fs::write(at(".rr-20250103T010101Z-abc123/photo.jpg"), "").unwrap();
        fs::create_dir(at(".rr-20250104T010101Z-abc123.deleted")).unwrap();
        fs::write(at(".rr-20250104T010101Z-abc123.deleted/export.csv"), "").unwrap();
        fs::create_dir(at("rr-20250105T010101Z-abc123")).unwrap();
        let found = look(folder.path()).unwrap();
        let names: Vec<&str> = found.left_overs.iter().map(|left| left.name.as_str()).collect();
        assert_eq!(names, [".rr-20250101T010101Z-abc123", ".rr-20250104T010101Z-abc123.deleted"]);
        let foreign = [".rr-20250102T010101Z-abc123", ".rr-20250103T010101Z-abc123", "README", "notes"];
        assert_eq!(found.foreign, foreign);
    }

    #[test]
    fn a_name_alone_makes_no_run() {
        let folder = tempfile::tempdir().unwrap();
        let dir = RunDir::at(folder.path(), &RunId::parse(ID).unwrap());
        assert!(!is_a_run(&dir), "not even there");
        fs::create_dir(dir.root()).unwrap();
        fs::write(dir.root().join("photo.jpg"), "").unwrap();
        fs::write(folder.path().join("elsewhere"), "{}").unwrap();
        symlink("../elsewhere", dir.summary()).unwrap();
        fs::create_dir(dir.plan()).unwrap();
        assert!(!is_a_run(&dir), "a link and a folder are no files");
        fs::write(dir.events(), "").unwrap();
        assert!(is_a_run(&dir));
    }
}
