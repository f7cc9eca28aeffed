//! The runs of a runs folder: which there are, what their summaries say, and which one a person means.
//! Reads names and summaries only, and never follows a symlink or anything that is not a run.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::StoreError;
use super::document;
use super::layout::{RunDir, open_directory};
use super::lock::{self, LockStatus};
use super::run_id::RunId;
use crate::domain::event::RunStatus;
use crate::domain::summary::{FORMAT_VERSION, RunSummary};

/// A run as history lists it.
#[derive(Debug)]
pub struct RunEntry {
    /// Its id, which is the name of its directory.
    pub id: RunId,
    /// Where it is.
    pub dir: RunDir,
    /// What its summary says, with the status as it is now; or why it cannot be read.
    pub summary: Result<RunSummary<RowCount>, StoreError>,
}

/// How many sub-runs a summary lists. The rows themselves are passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowCount(pub usize);

impl<'de> Deserialize<'de> for RowCount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Rows;
        impl<'de> Visitor<'de> for Rows {
            type Value = RowCount;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a list of sub-runs")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<RowCount, A::Error> {
                let mut count = 0;
                while rows.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(RowCount(count))
            }
        }
        deserializer.deserialize_seq(Rows)
    }
}

/// Why no run was selected. Candidates stand newest first.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    /// The folder holds no run.
    #[error("no run in {}", folder.display())]
    Empty {
        /// The runs folder.
        folder: PathBuf,
    },
    /// Nothing is called so.
    #[error("no run '{}'{}", asked.escape_debug(), listed("; there is ", near))]
    Unknown {
        /// What was asked for, untrusted.
        asked: String,
        /// The runs that look most like it, or else the newest; at most three.
        near: Vec<RunId>,
    },
    /// Several runs begin so.
    #[error("'{}' could be {}", asked.escape_debug(), listed("", candidates))]
    Ambiguous {
        /// What was asked for.
        asked: String,
        /// All that it could be.
        candidates: Vec<RunId>,
    },
    /// The disk did not let us look.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// At most so many candidates are spelled out in a message.
const NAMED: usize = 10;

fn listed(before: &str, ids: &[RunId]) -> String {
    let names: Vec<_> = ids.iter().take(NAMED).map(RunId::to_string).collect();
    match (names.is_empty(), ids.len().saturating_sub(NAMED)) {
        (true, _) => String::new(),
        (false, 0) => format!("{before}{}", names.join(", ")),
        (false, more) => format!("{before}{} and {more} more", names.join(", ")),
    }
}

/// All runs in the folder, newest first. A folder that is not there holds none; what is not a run is passed over.
pub fn list(runs: &Path) -> Result<Vec<RunEntry>, StoreError> {
    let mut entries: Vec<_> = ids(runs)?.into_iter().map(|id| entry(runs, id)).collect();
    // The id tells the second; of runs of the same second the start does.
    entries.sort_by_cached_key(|entry| {
        let started = entry.summary.as_ref().ok().and_then(|summary| summary.started_at);
        std::cmp::Reverse((entry.id.prepared_at(), started, entry.id.clone()))
    });
    Ok(entries)
}

/// The run that `asked` means: `latest`, an id, a unique prefix of one, or a prefix of a plan's digest (its newest run).
pub fn select(runs: &Path, asked: &str) -> Result<RunEntry, SelectError> {
    // Whatever could not begin an id or a digest ends here and never becomes part of a path; what there is is listed.
    let plausible =
        !asked.is_empty() && asked.len() <= 64 && asked.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !plausible {
        let near = near(&ids(runs).unwrap_or_default(), "");
        return Err(SelectError::Unknown { asked: asked.to_owned(), near });
    }
    if asked == "latest" {
        return list(runs)?.into_iter().next().ok_or_else(|| SelectError::Empty { folder: runs.to_path_buf() });
    }
    let ids = ids(runs)?;
    let named: Vec<_> = ids.iter().map(|id| (id, id.to_string())).filter(|(_, name)| name.starts_with(asked)).collect();
    let exact = named.iter().find(|(_, name)| name == asked);
    match (exact, named.as_slice()) {
        (Some((id, _)), _) | (None, [(id, _)]) => return Ok(entry(runs, (*id).clone())),
        (None, []) => {}
        (None, several) => {
            let candidates = several.iter().map(|(id, _)| (*id).clone()).collect();
            return Err(SelectError::Ambiguous { asked: asked.to_owned(), candidates });
        }
    }
    let mut planned: Vec<_> = list_of(runs, ids.iter().filter(|id| may_have_digest(id, asked)));
    planned.retain(|(_, digest)| digest.starts_with(asked));
    match planned.first() {
        Some((_, newest)) if planned.iter().all(|(_, digest)| digest == newest) => Ok(planned.swap_remove(0).0),
        Some(_) => {
            let candidates = planned.into_iter().map(|(entry, _)| entry.id).collect();
            Err(SelectError::Ambiguous { asked: asked.to_owned(), candidates })
        }
        None => Err(SelectError::Unknown { asked: asked.to_owned(), near: near(&ids, asked) }),
    }
}

/// The ids of the directories that are called like a run, newest first.
pub fn ids(runs: &Path) -> Result<Vec<RunId>, StoreError> {
    let entries = match fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("read", runs)(error)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::io("read", runs))?;
        let id = entry.file_name().to_str().and_then(|name| RunId::parse(name).ok());
        // The kind is the entry's own: a symlink to a directory is not a directory.
        if let Some(id) = id.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
            ids.push(id);
        }
    }
    ids.sort_unstable_by(|a, b| b.cmp(a));
    Ok(ids)
}

fn may_have_digest(id: &RunId, asked: &str) -> bool {
    asked.starts_with(id.short_digest()) || id.short_digest().starts_with(asked)
}

/// Entries with their plan's digest; of a damaged one the part that its id tells.
fn list_of<'i>(runs: &Path, ids: impl Iterator<Item = &'i RunId>) -> Vec<(RunEntry, String)> {
    ids.map(|id| entry(runs, id.clone()))
        .map(|entry| {
            let digest = match &entry.summary {
                Ok(summary) => summary.plan_digest.clone(),
                Err(_) => entry.id.short_digest().to_owned(),
            };
            (entry, digest)
        })
        .collect()
}

/// The three ids that look most like what was asked for; where none does, the three newest.
fn near(ids: &[RunId], asked: &str) -> Vec<RunId> {
    let mut likely: Vec<_> = ids
        .iter()
        .map(|id| {
            let name = id.to_string();
            let against =
                if asked.starts_with("rr-") { name.get(..asked.len()).unwrap_or(&name) } else { id.short_digest() };
            (strsim::levenshtein(against, asked), id)
        })
        .filter(|(distance, _)| *distance <= 2)
        .collect();
    likely.sort_by_key(|(distance, _)| *distance);
    let found = likely.into_iter().map(|(_, id)| id.clone()).take(3).collect::<Vec<_>>();
    if found.is_empty() { ids.iter().take(3).cloned().collect() } else { found }
}

/// One run of the folder, whether or not it can be read.
pub fn entry(runs: &Path, id: RunId) -> RunEntry {
    let dir = RunDir::at(runs, &id);
    let summary = read_summary(&dir, &id);
    RunEntry { id, dir, summary }
}

fn read_summary(dir: &RunDir, id: &RunId) -> Result<RunSummary<RowCount>, StoreError> {
    let path = dir.summary();
    let damaged = |message: String| StoreError::Damaged { path: path.clone(), message };
    let folder = open_directory(dir.root())?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file =
        rustix::fs::openat(&folder, "summary.json", flags, Mode::empty()).map_err(StoreError::io("read", &path))?;
    let mut bytes = Vec::new();
    File::from(file).read_to_end(&mut bytes).map_err(StoreError::io("read", &path))?;
    let version = |summary: &RunSummary<RowCount>| summary.format_version;
    let mut summary = document::parse(&path, &bytes, FORMAT_VERSION, version)?;
    if summary.run_id != id.to_string() {
        return Err(damaged(format!("it is the summary of '{}'", summary.run_id.escape_debug())));
    }
    summary.status = match summary.status {
        // The lock knows it before the first line is written, and after the last one could be.
        RunStatus::Running if lock::status(&dir.lock())? == LockStatus::Free => RunStatus::Interrupted,
        RunStatus::Planned if lock::status(&dir.lock())? != LockStatus::Free => RunStatus::Running,
        status => status,
    };
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::lock::{Holder, Lock, LockScope};

    /// A folder of runs: `(id, digest, status)` each.
    fn runs(of: &[(&str, &str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (id, digest, status) in of {
            let dir = folder.path().join(id);
            fs::create_dir(&dir).unwrap();
            fs::write(dir.join("summary.json"), summary(id, digest, status)).unwrap();
        }
        folder
    }

    fn summary(id: &str, digest: &str, status: &str) -> String {
        let host = serde_json::to_string(&crate::domain::host::HostFacts::default()).unwrap();
        let row = format!(r#"{{"id":"{id}-s00","index":0,"point":{{"rails":{{}}}},"verdict":"pass"}}"#);
        let rows = vec![row; 40].join(",");
        format!(
            r#"{{"format_version":1,"run_id":"{id}","status":"{status}","verdict":null,"flow":"sample_flow","margin":"sample_margin","unit":"SN1","global_seed":7,"plan_digest":"{digest}","source_run":null,"host":{host},"profile":["vm"],"started_at":null,"ended_at":null,"road_runner_version":"0.1.0","exit_code":null,"counts":{{"pass":40}},"stop_reason":null,"subruns":[{rows}]}}"#
        )
    }

    const A: &str = "rr-20250101T010101Z-abc123";
    const A2: &str = "rr-20250101T010101Z-abc123-2";
    const B: &str = "rr-20250102T010101Z-abc123";
    const C: &str = "rr-20250103T010101Z-abd456";

    fn sample() -> tempfile::TempDir {
        runs(&[
            (A, "abc1230000", "completed"),
            (C, "abd4560000", "cancelled"),
            (A2, "abc1230000", "completed"),
            (B, "abc1239999", "planned"),
        ])
    }

    fn check(asked: &str, expected: &str) {
        let folder = sample();
        let found = match select(folder.path(), asked) {
            Ok(entry) => entry.id.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{asked}");
    }

    #[test]
    fn selects_by_latest_id_prefix_or_digest() {
        check("latest", C);
        check(A, A);
        check(A2, A2);
        check("rr-20250102", B);
        check("rr-20250103T010101Z-abd456", C);
        check("abd", C);
        check("abc1230", A2);
        check("abc12300", A2);
        check("abc1239999", B);
    }

    #[test]
    fn what_is_not_clear_is_asked_back_with_candidates() {
        check("rr-20250101", &format!("'rr-20250101' could be {A2}, {A}"));
        check("abc123", &format!("'abc123' could be {B}, {A2}, {A}"));
        check("ab", &format!("'ab' could be {C}, {B}, {A2}, {A}"));
        check("abd4569", &format!("no run 'abd4569'; there is {C}"));
        check("rr-20250105", &format!("no run 'rr-20250105'; there is {C}, {B}, {A2}"));
        check("ffffffffff", &format!("no run 'ffffffffff'; there is {C}, {B}, {A2}"));
        let many: Vec<_> =
            (10..25).map(|day| RunId::parse(&format!("rr-202501{day}T010101Z-abc123")).unwrap()).collect();
        assert!(listed("", &many).ends_with("rr-20250119T010101Z-abc123 and 5 more"));
    }

    #[test]
    fn hostile_names_never_reach_the_disk() {
        for asked in
            ["", ".", "..", "../../etc", "/etc/passwd", "rr-20250101T010101Z-abc123/", "a/b", "*", "a\0b", "\u{1b}[31m"]
        {
            let error = select(Path::new("/proc/self/mem"), asked).unwrap_err();
            assert_eq!(error.to_string(), format!("no run '{}'", asked.escape_debug()));
        }
        assert_eq!(select(Path::new("/no/such"), "latest").unwrap_err().to_string(), "no run in /no/such");
    }

    #[test]
    fn foreign_things_are_passed_over_and_damage_is_listed() {
        let folder = sample();
        let at = |name: &str| folder.path().join(name);
        let named = |day: u32| format!("rr-202502{day:02}T010101Z-abc123");
        for foreign in ["notes", ".rr-20250101T010101Z-abc123", "rr-20250101T010101Z-ABC123", "rr-"] {
            fs::create_dir(at(foreign)).unwrap();
        }
        fs::write(at(&named(1)), "a file").unwrap();
        std::os::unix::fs::symlink("/etc", at(&named(2))).unwrap();
        fs::create_dir(at(&named(3))).unwrap();
        fs::create_dir(at(&named(4))).unwrap();
        fs::write(at(&named(4)).join("summary.json"), "{\"format_version\":1").unwrap();
        fs::create_dir(at(&named(5))).unwrap();
        fs::write(at(&named(5)).join("summary.json"), summary(A, "abc123", "planned")).unwrap();
        fs::create_dir(at(&named(6))).unwrap();
        std::os::unix::fs::symlink(at(A).join("summary.json"), at(&named(6)).join("summary.json")).unwrap();
        let list: Vec<_> = list(folder.path())
            .unwrap()
            .iter()
            .map(|entry| match &entry.summary {
                Ok(summary) => format!("{} {} {} sub-runs", entry.id, summary.status, summary.subruns.0),
                Err(error) => format!("{error}").replace(&folder.path().display().to_string(), "D"),
            })
            .collect();
        insta::assert_snapshot!(list.join("\n"), @r"
        read D/rr-20250206T010101Z-abc123/summary.json: Too many levels of symbolic links
        read D/rr-20250205T010101Z-abc123/summary.json: it is the summary of 'rr-20250101T010101Z-abc123'
        read D/rr-20250204T010101Z-abc123/summary.json: EOF while parsing an object at line 1 column 19
        read D/rr-20250203T010101Z-abc123/summary.json: No such file or directory
        rr-20250103T010101Z-abd456 cancelled 40 sub-runs
        rr-20250102T010101Z-abc123 planned 40 sub-runs
        rr-20250101T010101Z-abc123-2 completed 40 sub-runs
        rr-20250101T010101Z-abc123 completed 40 sub-runs
        ");
    }

    #[test]
    fn whether_somebody_runs_it_is_the_locks_to_say() {
        let check = |written: &str, expected: [RunStatus; 2]| {
            let folder = runs(&[(A, "abc123", written), (B, "abc123", written)]);
            let holder =
                Holder { pid: 1, start_ticks: 1, boot_id: String::new(), host: String::new(), run_id: B.to_owned() };
            let _lock = Lock::acquire(&folder.path().join(B).join("lock"), LockScope::Run, &holder).unwrap();
            let list = list(folder.path()).unwrap();
            let status: Vec<_> = list.iter().map(|entry| entry.summary.as_ref().unwrap().status).collect();
            assert_eq!(status, expected);
            assert!(!folder.path().join(A).join("lock").exists());
        };
        check("running", [RunStatus::Running, RunStatus::Interrupted]);
        check("planned", [RunStatus::Running, RunStatus::Planned]);
        check("completed", [RunStatus::Completed, RunStatus::Completed]);
    }
}
