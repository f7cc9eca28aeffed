//! For tests: a run on disk, as a runner leaves it, with executions that end as told.

use std::fs;
use std::sync::Arc;

use super::history::{self, RunEntry};
use super::journal::JournalWriter;
use super::layout::{PreparedRun, RunDir};
use super::run_id::RunId;
use crate::domain::event::{Journal, Recorded, RunEvent};
use crate::domain::kit;
use crate::domain::plan::Plan;
use crate::domain::run_state::RunState;
use crate::domain::verdict::Verdict;
use crate::store::atomic;

/// A runs folder with one run in it.
pub(crate) struct TestRun {
    pub folder: tempfile::TempDir,
    pub dir: RunDir,
    /// The run as its events say, in their order.
    pub state: RunState,
}

impl TestRun {
    /// A run of that plan; see [`kit::story`].
    pub(crate) fn write(plan: &Arc<Plan>, verdicts: &[Vec<Verdict>]) -> Self {
        Self::of(plan, &kit::recorded(kit::story(plan, verdicts)))
    }

    /// A run of that plan with those events.
    pub(crate) fn of(plan: &Arc<Plan>, events: &[Recorded]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut state = kit::state(plan);
        let id = RunId::parse(&state.header.run_id).unwrap();
        let dir = PreparedRun::reserve(folder.path(), &id).unwrap().publish().unwrap();
        atomic::replace_json(&dir.plan(), &**plan).unwrap();
        for path in plan.experiment.inputs.keys() {
            fs::create_dir_all(dir.inputs().join(path).parent().unwrap()).unwrap();
            fs::write(dir.inputs().join(path), path).unwrap();
        }
        let mut run = JournalWriter::create(&dir.events()).unwrap();
        let mut steps: Option<JournalWriter> = None;
        for recorded in events {
            state.apply(recorded);
            if let RunEvent::SubrunStarted(event) = &recorded.event {
                let sub_run = dir.subrun(&event.id).unwrap();
                sub_run.create().unwrap();
                steps = Some(JournalWriter::create(&sub_run.steps()).unwrap());
            }
            match recorded.event.journal() {
                Journal::Run => run.append(recorded).unwrap(),
                Journal::SubRun => steps.as_mut().unwrap().append(recorded).unwrap(),
            }
        }
        atomic::replace_json_indented(&dir.summary(), &state.summary()).unwrap();
        Self { folder, dir, state }
    }

    /// The run as history lists it now.
    pub(crate) fn entry(&self) -> RunEntry {
        history::list(self.folder.path()).unwrap().remove(0)
    }

    /// Changes a file of the run.
    pub(crate) fn edit(&self, file: &str, change: impl FnOnce(String) -> String) {
        let path = self.dir.root().join(file);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, change(text)).unwrap();
    }
}

/// The plan of [`kit::World::grid`], its input being the one that [`TestRun`] writes.
pub(crate) fn plan(voltages: u32, frequencies: u32) -> Arc<Plan> {
    let mut world = kit::World::grid(voltages, frequencies);
    world.flow.steps[0].repeat = 2;
    frozen(&world)
}

/// The plan of a world, its inputs being those that [`TestRun`] writes.
pub(crate) fn frozen(world: &kit::World) -> Arc<Plan> {
    let mut plan = world.plan();
    for (path, input) in &mut plan.experiment.inputs {
        input.sha256 = super::hash::bytes(path.as_bytes());
    }
    plan.digest = plan.experiment.digest().unwrap();
    Arc::new(plan)
}
