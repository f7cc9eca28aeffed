//! A stored run: its plan, checked against its digest, and its journals folded. What history, rerun and reports start from.

use std::path::Path;
use std::sync::Arc;

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::domain::plan::{FORMAT_VERSION, Plan};
use crate::domain::run_state::{RunHeader, RunState};
use crate::domain::sanitize;
use crate::domain::summary::RunSummary;
use crate::store::StoreError;
use crate::store::follow::RunFollower;
use crate::store::history::{self, RowCount, RunEntry, SelectError};

/// A run read back from its directory.
#[derive(Debug)]
pub struct StoredRun {
    /// How history lists it.
    pub entry: RunEntry,
    /// Its journals, folded as far as they can be read.
    pub state: RunState,
    /// What could not be read, for people.
    pub damage: Vec<String>,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let full = error.is_full();
        let failure = Self::rig(format!("failed to {error}"));
        if full { failure.hinted("free space on that file system and try again") } else { failure }
    }
}

/// The run that `asked` means.
pub fn select(context: &Context, asked: &str) -> Result<RunEntry, Failure> {
    history::select(&context.runs, asked).map_err(|error| match error {
        SelectError::Store(error) => error.into(),
        SelectError::Empty { .. } => {
            Failure::usage(error.to_string()).hinted("road_runner run --flow FLOW --margin MARGIN makes one")
        }
        SelectError::Unknown { .. } | SelectError::Ambiguous { .. } => {
            Failure::usage(error.to_string()).hinted("road_runner runs list shows every run")
        }
    })
}

/// Reads the run that `asked` means.
pub fn load(context: &Context, asked: &str) -> Result<StoredRun, Failure> {
    open(select(context, asked)?)
}

/// Reads a run whose plan can be read; whatever else is damaged is said in [`StoredRun::damage`].
pub fn open(entry: RunEntry) -> Result<StoredRun, Failure> {
    let plan = plan_of(&entry.dir.plan())?;
    let mut damage = vec![];
    if !plan.is_intact() {
        damage.push("plan.json is not what its digest was made of".to_owned());
    }
    if let Err(error) = &entry.summary {
        damage.push(error.to_string());
    }
    let mut state = RunState::new(header(&entry), Arc::new(plan));
    let mut follower = RunFollower::new(&entry.dir);
    loop {
        let before = state.last_seq;
        match follower.poll(&mut |recorded| state.apply(&recorded)) {
            Ok(()) if state.last_seq == before => break,
            Ok(()) => {}
            Err(error) => {
                damage.push(error.to_string());
                if damage.len() > 100 || state.last_seq == before {
                    break;
                }
            }
        }
    }
    // What history knows better: a runner that is gone leaves its journals at `running`.
    if let Ok(summary) = &entry.summary {
        state.status = summary.status;
    }
    Ok(StoredRun { entry, state, damage })
}

/// What is known of a run besides its plan.
pub fn header(entry: &RunEntry) -> RunHeader {
    let summary: Option<&RunSummary<RowCount>> = entry.summary.as_ref().ok();
    RunHeader {
        run_id: entry.id.to_string(),
        source_run: summary.and_then(|s| s.source_run.clone()),
        dry_run: summary.is_some_and(|s| s.status == crate::domain::event::RunStatus::DryRun),
        version: summary.map(|s| s.road_runner_version.clone()).unwrap_or_default(),
    }
}

/// The plan stored at `path`. Errors: not there, not a plan, of a newer program.
pub fn plan_of(path: &Path) -> Result<Plan, Failure> {
    let shown = sanitize::escaped(&path.display().to_string()).into_owned();
    let text = std::fs::read(path).map_err(|error| Failure::rig(format!("failed to read {shown}: {error}")))?;
    let version: Version = serde_json::from_slice(&text)
        .map_err(|error| Failure::rig(format!("{shown}:{}:{}: not a plan: {error}", error.line(), error.column())))?;
    if version.format_version > FORMAT_VERSION {
        return Err(Failure::usage(format!(
            "{shown} has format_version {}, and this program reads up to {FORMAT_VERSION}",
            version.format_version
        ))
        .hinted("use the road_runner that made it, or a newer one"));
    }
    serde_json::from_slice(&text)
        .map_err(|error| Failure::rig(format!("{shown}:{}:{}: not a plan: {error}", error.line(), error.column())))
}

#[derive(serde::Deserialize)]
struct Version {
    format_version: u32,
}
