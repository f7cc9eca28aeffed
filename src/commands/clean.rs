//! Deleting runs of the past: look, decide, delete, the oldest first. Never prints, and never touches what is no run.

use std::io::ErrorKind;

use chrono::Utc;
use serde::Serialize;

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::domain::event::RunStatus;
use crate::domain::retention::{self, Candidate, Decision, Rule, Standing};
use crate::domain::time::Timestamp;
use crate::store::contents::{self, LeftOver, Origin};
use crate::store::history::{self, RunEntry};
use crate::store::lock::{self, LockStatus};
use crate::store::remove::{self, Freed};
use crate::store::{StoreError, run_id::RunId};

/// What became of one thing in the runs folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is gone.
    Deleted,
    /// It would go, but this is a dry run.
    WouldDelete,
    /// It stays.
    Kept,
    /// It should have gone, and could not be deleted, or not whole.
    Failed,
}

/// What became of one run, or of one left-over folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The name of its directory.
    pub name: String,
    /// `planned`, `completed`, ..; none where its summary cannot be read, and for a left-over.
    pub status: Option<RunStatus>,
    /// Whole days since its id was made.
    pub age_days: u64,
    /// What became of it.
    pub action: Action,
    /// Why it stays, or why it could not be deleted; untrusted.
    pub reason: Option<String>,
    /// Bytes on the disk that this frees, or would free; of what stays they are not counted.
    pub bytes: u64,
}

/// What came of cleaning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cleaned {
    /// Whether nothing was deleted, only said.
    pub dry_run: bool,
    /// Bytes on the disk that were freed, or would be.
    pub freed_bytes: u64,
    /// Everything that is called like a run, newest first.
    pub runs: Vec<Row>,
    /// What killed commands left behind.
    pub left_overs: Vec<Row>,
    /// Names of everything else in the runs folder, untrusted. Never touched.
    pub not_runs: Vec<String>,
}

impl Cleaned {
    /// Whether all that should have gone is gone.
    pub fn is_ok(&self) -> bool {
        self.runs.iter().chain(&self.left_overs).all(|row| row.action != Action::Failed)
    }
}

/// Deletes what the rule says, or with `dry_run` says what that would be.
pub fn clean(context: &Context, rule: Rule, dry_run: bool) -> Result<Cleaned, Failure> {
    let now = Timestamp::new(Utc::now());
    let entries = history::list(&context.runs)?;
    let others = contents::look(&context.runs)?;
    let candidates: Vec<Candidate> = entries.iter().map(candidate).collect();
    let decided = retention::decide(rule, &candidates, now);
    // The oldest first: what is cut short has deleted what was wanted least.
    let mut runs: Vec<Row> = entries
        .iter()
        .zip(decided)
        .rev()
        .map(|(entry, decision)| {
            let done = match decision {
                Decision::Keep(reason) => Done::kept(said(entry, reason)),
                Decision::Delete if dry_run => Done::would(remove::measure(&context.runs, &entry.id.to_string())),
                Decision::Delete => Done::of(remove::run(&context.runs, &entry.id)),
            };
            let status = entry.summary.as_ref().ok().map(|summary| summary.status);
            done.row(entry.id.to_string(), &entry.id, status, now)
        })
        .collect();
    runs.reverse();
    let left_overs: Vec<Row> = others
        .left_overs
        .iter()
        .map(|left| {
            let done = match keeps(left, now) {
                Some(reason) => Done::kept(reason.to_owned()),
                None if dry_run => Done::would(remove::measure(&context.runs, &left.name)),
                None => Done::of(remove::left_over(&context.runs, left)),
            };
            done.row(left.name.clone(), &left.id, None, now)
        })
        .collect();
    let freed_bytes = runs.iter().chain(&left_overs).map(|row| row.bytes).sum();
    Ok(Cleaned { dry_run, freed_bytes, runs, left_overs, not_runs: others.foreign })
}

fn candidate(entry: &RunEntry) -> Candidate {
    let standing = match (lock::status(&entry.dir.lock()), &entry.summary) {
        // Before all else: what cannot be told from a live run is treated as one.
        (Ok(LockStatus::Held(_)), _) => Standing::Running,
        (_, Err(_)) if !contents::is_a_run(&entry.dir) => Standing::NotARun,
        (Err(_), _) => Standing::Running,
        (Ok(LockStatus::Free), Err(_)) => Standing::Damaged,
        (Ok(LockStatus::Free), Ok(summary)) => match summary.status {
            RunStatus::Running | RunStatus::Interrupted => Standing::Interrupted,
            RunStatus::Planned | RunStatus::Completed | RunStatus::Cancelled | RunStatus::DryRun => Standing::Ended,
        },
    };
    Candidate { prepared_at: entry.id.prepared_at(), standing }
}

/// The reason in words, with what only the record knows.
fn said(entry: &RunEntry, reason: retention::Reason) -> String {
    match (reason, &entry.summary, lock::status(&entry.dir.lock())) {
        (retention::Reason::Running, _, Err(error)) => {
            format!("whether it is running cannot be told: failed to {error}")
        }
        (retention::Reason::Damaged, Err(error), _) => format!("{reason} (failed to {error})"),
        _ => reason.to_string(),
    }
}

/// Why a left-over folder stays, if it does.
fn keeps(left: &LeftOver, now: Timestamp) -> Option<&'static str> {
    let fresh = left.of == Origin::Preparation && !retention::is_left_over(left.id.prepared_at(), now);
    fresh.then_some("a run may still be prepared in it")
}

/// What was done about one thing.
struct Done {
    action: Action,
    reason: Option<String>,
    freed: Freed,
}

impl Done {
    fn kept(reason: String) -> Self {
        Self { action: Action::Kept, reason: Some(reason), freed: Freed::default() }
    }

    fn would(freed: Freed) -> Self {
        Self { action: Action::WouldDelete, reason: None, freed }
    }

    fn of(deleted: Result<Freed, StoreError>) -> Self {
        match deleted {
            Ok(freed) => Self { action: Action::Deleted, reason: None, freed },
            Err(error @ StoreError::Locked { .. }) => Self::kept(format!("somebody is at work on it: {error}")),
            // Somebody else has deleted it meanwhile.
            Err(StoreError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Self { action: Action::Deleted, reason: None, freed: Freed::default() }
            }
            Err(error) => {
                let reason = Some(format!("failed to {error}"));
                Self { action: Action::Failed, reason, freed: Freed::default() }
            }
        }
    }

    fn row(self, name: String, id: &RunId, status: Option<RunStatus>, now: Timestamp) -> Row {
        let Self { action, reason, freed } = self;
        Row { name, status, age_days: id.age_days(now), action, reason, bytes: freed.bytes }
    }
}
