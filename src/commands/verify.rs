//! Whether what runs have left is still what it should be: each run held against itself, and what dead runs left on the
//! disk, on the rails and among the processes. Never changes anything, and never prints.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use chrono::Utc;
use serde::Serialize;

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::stored;
use crate::domain::event::RunStatus;
use crate::domain::time::Timestamp;
use crate::domain::verification::{Finding, Kind};
use crate::engine::survivors;
use crate::host::process::{self, ProcessIdentity};
use crate::host::roots;
use crate::host::sysinfo::Sysinfo;
use crate::store::StoreError;
use crate::store::check::{self, Checked};
use crate::store::contents::{self, LeftOver, Origin};
use crate::store::history;
use crate::store::layout::RunDir;
use crate::store::left_running;
use crate::store::lock::{self, LockStatus};
use crate::store::rails::{self, KeptRails};
use crate::store::record::{Damage, read_regular};
use crate::store::run_id::RunId;

/// What was found about one run, or about what is left of one that never came to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// The name of its directory.
    pub run_id: String,
    /// How far it has come; none where its summary cannot be read, and for a left-over folder.
    pub status: Option<RunStatus>,
    /// It says what its files were when it ended, and they were held against that.
    pub sealed: bool,
    /// Something of the record is lost or not to be trusted.
    pub damaged: bool,
    /// Damage first.
    pub findings: Vec<Finding>,
}

impl Verified {
    fn new(run_id: String, status: Option<RunStatus>, sealed: bool, mut findings: Vec<Finding>) -> Self {
        findings.sort_by_key(|finding| !finding.kind.is_damage());
        let damaged = findings.iter().any(|finding| finding.kind.is_damage());
        Self { run_id, status, sealed, damaged, findings }
    }
}

/// What whoever waits is told.
#[derive(Debug)]
pub enum News<'n> {
    /// A run is being looked at.
    At {
        /// It.
        run_id: &'n str,
        /// Runs that are done.
        done: usize,
        /// All that are to be looked at.
        of: usize,
        /// Bytes that were hashed, of all runs so far.
        bytes: u64,
    },
    /// This is done.
    Done(Verified),
}

/// Looks at the run that `asked` means, or at all of the runs folder, newest first, one at a time.
pub fn verify(context: &Context, asked: Option<&str>, news: &mut dyn FnMut(News<'_>)) -> Result<(), Failure> {
    let ids = match asked {
        Some(asked) => vec![stored::select(context, asked)?.id],
        None => history::ids(&context.runs)?,
    };
    let processes = survivors::by_run(&context.roots);
    let mut bytes = 0;
    for (done, id) in ids.iter().enumerate() {
        let run_id = id.to_string();
        let mut at = |more: u64| {
            bytes += more;
            news(News::At { run_id: &run_id, done, of: ids.len(), bytes });
        };
        at(0);
        if let Some(verified) = one(context, id, &processes, &mut at) {
            news(News::Done(verified));
        }
    }
    if asked.is_none() {
        for left in contents::look(&context.runs)?.left_overs {
            if let Some(verified) = left_over(context, &left) {
                news(News::Done(verified));
            }
        }
    }
    Ok(())
}

/// One run; none when it was deleted meanwhile.
fn one(
    context: &Context,
    id: &RunId,
    processes: &BTreeMap<String, Vec<ProcessIdentity>>,
    each: &mut dyn FnMut(u64),
) -> Option<Verified> {
    let dir = history::entry(&context.runs, id.clone()).dir;
    let (checked, held) = loop {
        // Asked first: a runner that is gone by then has written all that it will.
        let held = is_held(&dir);
        let checked = check::run(history::entry(&context.runs, id.clone()), matches!(held, Ok(true)), each);
        // Taken up meanwhile: what was seen half of is looked at once more.
        if matches!(held, Ok(true)) || !matches!(is_held(&dir), Ok(true)) {
            break (checked, held);
        }
    };
    if !dir.root().exists() {
        return None;
    }
    let Checked { status, is_sealed, mut findings } = checked;
    let run_id = id.to_string();
    sysinfo(&dir, status, &run_id, &mut findings);
    let is_live = match held {
        Ok(is_live) => is_live,
        Err(error) => {
            findings.push(finding(&dir, &run_id, &error));
            false
        }
    };
    if !is_live {
        rails(&dir, &run_id, &mut findings);
        let mut left = processes.get(&run_id).cloned().unwrap_or_default();
        left.retain(|process| survivors::is_of_run(&context.roots, process.pid, &dir, &run_id));
        left.extend(leader(context, &dir).filter(|leader| !left.contains(leader)));
        for ProcessIdentity { pid, start_ticks } in left {
            let what = format!("process {pid} (started at tick {start_ticks}) still runs");
            findings.push(Finding::new(Kind::Process, &run_id, "", what));
        }
    }
    let status = if is_live { Some(RunStatus::Running) } else { status };
    Some(Verified::new(run_id, status, is_sealed, findings))
}

/// Whether somebody runs it.
fn is_held(dir: &RunDir) -> Result<bool, StoreError> {
    Ok(lock::status(&dir.lock())? != LockStatus::Free)
}

/// What an error says of the run.
fn finding(dir: &RunDir, run_id: &str, error: &StoreError) -> Finding {
    let Damage { file, what, newer } = Damage::of(dir, error);
    Finding::new(if newer { Kind::Newer } else { Kind::Damaged }, run_id, file, what)
}

/// The step that its journal leaves in flight, if it is still that process: it may have lost the mark.
fn leader(context: &Context, dir: &RunDir) -> Option<ProcessIdentity> {
    let leader = left_running::leader(dir)?;
    let process = ProcessIdentity { pid: leader.pid, start_ticks: leader.start_ticks };
    let is_this_boot = roots::boot_id(&context.roots).is_ok_and(|boot| boot == leader.boot_id);
    (is_this_boot && process::is_running(&context.roots, process).unwrap_or(false)).then_some(process)
}

/// The machine that it ran on: there once it has begun, and readable.
fn sysinfo(dir: &RunDir, status: Option<RunStatus>, run_id: &str, findings: &mut Vec<Finding>) {
    let is_over = matches!(status, Some(RunStatus::Completed | RunStatus::Cancelled | RunStatus::DryRun));
    let (kind, what) = match read_regular(&dir.sysinfo()) {
        Ok(text) => match serde_json::from_slice::<Sysinfo>(&text) {
            Ok(known) if known.format_version > Sysinfo::FORMAT_VERSION => {
                (Kind::Newer, format!("written by a newer version (format {})", known.format_version))
            }
            Ok(_) => return,
            Err(error) => (Kind::Damaged, error.to_string()),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_told = findings.iter().any(|finding| finding.file == "sysinfo.json");
            if !is_over || is_told {
                return;
            }
            (Kind::Missing, "No such file or directory".to_owned())
        }
        Err(error) => (Kind::Damaged, error.to_string()),
    };
    findings.push(Finding::new(kind, run_id, "sysinfo.json", what));
}

/// Rails that the run moved, unless they are home.
fn rails(dir: &RunDir, run_id: &str, findings: &mut Vec<Finding>) {
    let kept = match KeptRails::read(dir) {
        Ok(None) => return,
        Ok(Some(kept)) if kept.is_home => return,
        Ok(Some(kept)) => kept,
        Err(error) => return findings.push(finding(dir, run_id, &error)),
    };
    let away = rails::away(dir).ok().flatten().map(|away| away.rails.into_keys().collect::<Vec<_>>());
    let names = away.filter(|names| !names.is_empty()).unwrap_or_else(|| kept.nominal.into_keys().collect());
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let what = format!("not known to be home: {}", names.join(", "));
    findings.push(Finding::new(Kind::RailsAway, run_id, "rails.json", what));
}

/// A folder that a killed command left in the runs folder; none when somebody is at work in it or it is gone.
fn left_over(context: &Context, left: &LeftOver) -> Option<Verified> {
    let folder = context.runs.join(&left.name);
    if fs::symlink_metadata(&folder).is_err() || !matches!(lock::status(&folder.join("lock")), Ok(LockStatus::Free)) {
        return None;
    }
    let now = Timestamp::new(Utc::now());
    let clean = "`road_runner clean --older-than 365` deletes it with the runs of more than a year ago";
    let (what, mend) = match left.of {
        Origin::Deletion => ("a run that was being deleted", clean.to_owned()),
        Origin::Preparation if crate::domain::retention::is_left_over(left.id.prepared_at(), now) => {
            ("a run that was being prepared and never began", clean.to_owned())
        }
        // A run may still be prepared in it.
        Origin::Preparation => {
            ("a run that was being prepared and has not begun", format!("{clean}, once it is a day old"))
        }
    };
    let mut finding = Finding::new(Kind::LeftOver, &left.name, "", what);
    finding.mend = mend;
    Some(Verified::new(left.name.clone(), None, false, vec![finding]))
}
