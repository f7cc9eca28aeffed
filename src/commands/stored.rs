//! A stored run: its plan, checked against its digest, and its journals folded. What history, rerun and reports start from.

use std::convert::Infallible;
use std::path::Path;

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::domain::plan::Plan;
use crate::domain::run_state::{Execution, RunState};
use crate::domain::sanitize;
use crate::domain::verdict::{Verdict, exit};
use crate::store::StoreError;
use crate::store::history::{self, RunEntry, SelectError};
use crate::store::layout::RunDir;
use crate::store::record::{self, Damage, Record};
use crate::store::record_fold::Folded;

/// A run read back from its directory.
#[derive(Debug)]
pub struct StoredRun {
    /// How history lists it.
    pub entry: RunEntry,
    /// Its journals, folded as far as they can be read.
    pub state: RunState,
    /// Its plan cannot be read; what the state holds of it is what the rest of the record tells.
    pub stands_in: bool,
    /// What is not as it should be.
    pub damage: Vec<Damage>,
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

/// Reads the run that `asked` means, with every execution.
pub fn load(context: &Context, asked: &str) -> Result<StoredRun, Failure> {
    Ok(open(select(context, asked)?, |_| true))
}

/// Reads the run that `asked` means, with the executions that did not pass.
pub fn load_failures(context: &Context, asked: &str) -> Result<StoredRun, Failure> {
    let failed = |execution: &Execution| execution.finished.as_ref().is_none_or(|f| f.verdict != Verdict::Pass);
    Ok(open(select(context, asked)?, failed))
}

/// Reads the run that `asked` means as far as cells, counts and edges need it, without executions: a run of 100,000 of
/// them in a fraction of a second. [`sub_run`] has the executions of one sub-run.
pub fn open_cells(context: &Context, asked: &str) -> Result<StoredRun, Failure> {
    let record = Record::open(select(context, asked)?);
    let Folded { state, damage } = record.cells();
    Ok(StoredRun { entry: record.entry, state, stands_in: record.stands_in, damage })
}

/// The executions of one sub-run of the run in `dir`, and what is wrong with its journal. Takes a millisecond, whatever
/// else there is; of a run that is going on as well.
pub fn sub_run(dir: &RunDir, state: &RunState, index: u32) -> (Vec<Execution>, Vec<Damage>) {
    crate::store::sub_run::executions(dir, state, index)
}

/// Reads a run with those of its executions that are to be kept; whatever is damaged is said in [`StoredRun::damage`].
fn open(entry: RunEntry, keep: impl Fn(&Execution) -> bool) -> StoredRun {
    let record = Record::open(entry);
    let Ok(Folded { state, damage }) = record.fold(|state, index| {
        if let Some(sub_run) = state.sub_runs.get_mut(index as usize) {
            sub_run.executions.retain(&keep);
            sub_run.executions.shrink_to_fit();
        }
        Ok::<(), Infallible>(())
    });
    StoredRun { entry: record.entry, state, stands_in: record.stands_in, damage }
}

/// What a command returns that showed what could be read of a record: 2 where all that is wrong is that a newer program
/// wrote it, else 4.
pub fn damage_code(damage: &[Damage]) -> u8 {
    match damage {
        [] => exit::PASS,
        all if all.iter().all(|damage| damage.newer) => exit::USAGE,
        _ => exit::RIG,
    }
}

/// The plan stored at `path`. Errors: not there, not a plan, of a newer program.
pub fn plan_of(path: &Path) -> Result<Plan, Failure> {
    record::read_plan(path).map_err(|error| match error {
        StoreError::Newer { .. } => Failure::usage(format!("failed to {}", sanitize::escaped(&error.to_string())))
            .hinted("use the road_runner that made it, or a newer one"),
        _ => Failure::rig(format!("failed to {}", sanitize::escaped(&error.to_string()))),
    })
}
