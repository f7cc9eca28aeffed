//! A run directory before anything runs: plan, inputs, and a summary that says `planned`. Never starts anything.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::Utc;

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::domain::event::RunStatus;
use crate::domain::plan::Plan;
use crate::domain::run_state::{RunHeader, RunState};
use crate::domain::summary::RunSummary;
use crate::domain::time::Timestamp;
use crate::store::atomic;
use crate::store::inputs;
use crate::store::layout::{PreparedRun, RunDir};
use crate::store::run_id::RunId;

/// The version that records name.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What a record begins with.
#[derive(Debug)]
pub struct NewRecord<'a> {
    /// The plan.
    pub plan: &'a Arc<Plan>,
    /// Documents to keep: where each is, and its path below `inputs/`.
    pub inputs: &'a [(PathBuf, PathBuf)],
    /// The run whose plan it repeats.
    pub source_run: Option<String>,
    /// Nothing will be executed.
    pub dry_run: bool,
}

/// A record whose id is taken, still under its dot-name: it vanishes unless published.
#[derive(Debug)]
pub struct Draft {
    prepared: PreparedRun,
    /// The run before its first event.
    pub state: RunState,
}

/// Writes a record under its dot-name.
pub fn draft(context: &Context, new: &NewRecord<'_>) -> Result<Draft, Failure> {
    // A run that is to be executed never looks like a plan, at no instant: one that is killed before its first line was
    // begun all the same.
    let status = if new.dry_run { RunStatus::Planned } else { RunStatus::Running };
    let (prepared, header) = fill(context, new, status)?;
    Ok(Draft { prepared, state: RunState::new(header, Arc::clone(new.plan)) })
}

fn fill(context: &Context, new: &NewRecord<'_>, status: RunStatus) -> Result<(PreparedRun, RunHeader), Failure> {
    let id = RunId::new(Timestamp::new(Utc::now()), &new.plan.digest)?;
    let prepared = PreparedRun::reserve(&context.runs, &id)?;
    let dir = prepared.dir();
    atomic::replace_json(&dir.plan(), &**new.plan)?;
    for (from, to) in new.inputs {
        let shown = to.to_string_lossy();
        let planned = new.plan.experiment.inputs.get(&*shown).map_or("", |input| input.sha256.as_str());
        inputs::copy(from, &dir.inputs(), to, planned)?;
    }
    inputs::sync(&dir.inputs())?;
    let header = RunHeader {
        run_id: prepared.id().to_string(),
        source_run: new.source_run.clone(),
        dry_run: new.dry_run,
        version: VERSION.to_owned(),
    };
    let summary = RunSummary { status, ..RunSummary::planned(&header, new.plan) };
    atomic::replace_json_indented(&dir.summary(), &summary)?;
    Ok((prepared, header))
}

impl Draft {
    /// Where its files are for now.
    pub fn dir(&self) -> &RunDir {
        self.prepared.dir()
    }

    /// The id that it will have.
    pub fn id(&self) -> &RunId {
        self.prepared.id()
    }

    /// Makes it a run that everybody sees.
    pub fn publish(self) -> Result<(RunDir, RunState), Failure> {
        Ok((self.prepared.publish()?, self.state))
    }
}

/// Writes a plan to disk and nothing else; its status stays `planned`. No state of a run is made, which would take a
/// hundred bytes a point.
pub fn persist(context: &Context, new: &NewRecord<'_>) -> Result<(RunDir, RunHeader), Failure> {
    let (prepared, header) = fill(context, new, RunStatus::Planned)?;
    Ok((prepared.publish()?, header))
}
