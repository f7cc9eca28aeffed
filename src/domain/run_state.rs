//! The one fold: what a run looks like after the events so far. Screens, summaries, reports and resume all use it.

mod sessions;
mod sub_run;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::domain::event::{Cancelling, RailNotRestored, RailRestored, Recorded, RestoredBy, RunEvent, RunStatus};
use crate::domain::evidence::{Observed, Sources};
use crate::domain::gist::Gist;
use crate::domain::name::Name;
use crate::domain::plan::Plan;
use crate::domain::tally::{self, Child, Gap};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{CancelReason, Verdict};

pub use sessions::Sessions;
use sub_run::Rules;
pub use sub_run::{Execution, SubRunState};

/// What is known of a run besides its plan before its first event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunHeader {
    /// `rr-20250101T010101Z-abc123`.
    pub run_id: String,
    /// The run whose plan this one repeats.
    pub source_run: Option<String>,
    /// Nothing is executed.
    pub dry_run: bool,
    /// The program's version.
    pub version: String,
}

/// A run after the events so far.
#[derive(Debug, Clone)]
pub struct RunState {
    /// What is known besides the plan.
    pub header: RunHeader,
    /// The frozen plan.
    pub plan: Arc<Plan>,
    /// How far it has come, as its own events say.
    pub status: RunStatus,
    /// When the first runner began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The runner's process.
    pub pid: Option<u32>,
    /// Why it is being ended early.
    pub cancel: Option<Cancelling>,
    /// Every reason that was recorded for that, the gravest and those before it.
    pub cancels: BTreeSet<CancelReason>,
    /// The run's verdict and exit code, once it has ended.
    pub end: Option<(Verdict, u8)>,
    /// One for each planned sub-run.
    pub sub_runs: Vec<SubRunState>,
    /// The sub-run in progress, or the last one.
    pub current: Option<u32>,
    /// When runners were at work on it.
    pub sessions: Sessions,
    /// Which evidence of the hardware could be had; empty where the record does not say.
    pub sources: Sources,
    /// Evidence that came after its step, by sub-run, each with the moment in which it was recorded.
    pub late: BTreeMap<u32, Vec<(Timestamp, Observed)>>,
    /// The swept fields that each adapter sees, as `applied` names them.
    swept: BTreeMap<Name, Vec<String>>,
}

impl RunState {
    /// A run of `plan` before its first event.
    pub fn new(header: RunHeader, plan: Arc<Plan>) -> Self {
        let sub_runs = vec![SubRunState::default(); plan.experiment.sub_runs() as usize];
        let adapters = plan.experiment.adapters.keys();
        let swept = adapters.map(|adapter| (adapter.clone(), plan.experiment.swept_fields(adapter))).collect();
        Self {
            swept,
            header,
            plan,
            status: RunStatus::Planned,
            started_at: None,
            ended_at: None,
            pid: None,
            cancel: None,
            cancels: BTreeSet::new(),
            end: None,
            sub_runs,
            current: None,
            sessions: Sessions::default(),
            sources: Sources::new(),
            late: BTreeMap::new(),
        }
    }

    /// Takes in one event. Events that make no sense here are passed over: a damaged record must stay readable.
    pub fn apply(&mut self, recorded: &Recorded) {
        self.absorb(recorded.clone());
    }

    /// As [`Self::apply`], of an event that nobody else needs: nothing is copied.
    pub fn absorb(&mut self, recorded: Recorded) {
        let Recorded { seq, at, event } = recorded;
        match &event {
            RunEvent::RunResumed(_) => self.sessions.resumed(seq, at),
            // Whoever brought home what a runner had left away.
            RunEvent::RailRestored(RailRestored { by, .. }) | RunEvent::RailNotRestored(RailNotRestored { by, .. })
                if *by != RestoredBy::Runner =>
            {
                self.sessions.count(seq);
            }
            _ => self.sessions.line(seq, at),
        }
        match event {
            RunEvent::RunStarted(event) => {
                self.status = RunStatus::Running;
                self.started_at = self.started_at.or(Some(at));
                self.pid = Some(event.pid);
            }
            RunEvent::RunResumed(event) => {
                self.status = RunStatus::Running;
                self.pid = Some(event.pid);
                // Whoever asked to stop asked that runner; what a rule of the plan has ended stays ended.
                self.cancels.retain(|reason| reason.outlives_runner());
                let graver = self.cancel.take().filter(|cancel| cancel.reason.outlives_runner());
                let rule = self.cancels.last().map(|reason| Cancelling { reason: *reason, detail: None });
                self.cancel = graver.or(rule);
                self.ended_at = None;
                self.end = None;
            }
            // A resumed run may have been moved to another host: what any of them had is named.
            RunEvent::EvidenceSources(event) => self.sources.extend(event.sources),
            RunEvent::EvidenceLate(event) => self.late.entry(event.index).or_default().push((at, event.observed)),
            RunEvent::Cancelling(event) => {
                self.cancels.insert(event.reason);
                if self.cancel.as_ref().is_none_or(|before| before.reason < event.reason) {
                    self.cancel = Some(event);
                }
            }
            RunEvent::SubrunStarted(event) => {
                self.current = Some(event.index);
                if let Some(sub_run) = self.sub_runs.get_mut(event.index as usize) {
                    sub_run.started_at = sub_run.started_at.or(Some(at));
                }
            }
            RunEvent::SubrunFinished(event) => {
                if let Some(sub_run) = self.sub_runs.get_mut(event.index as usize) {
                    // The sub-run's own word wins where it has one.
                    if sub_run.verdict.is_none() {
                        sub_run.effects.extend(event.effects.iter().copied());
                        sub_run.close(at, event.verdict, event.reason.as_deref());
                    }
                }
            }
            RunEvent::RunFinished(event) => {
                self.status = event.status;
                self.ended_at = Some(at);
                self.end = Some((event.verdict, event.exit_code));
            }
            event => {
                if let Some((sub_run, rules)) = self.current_mut() {
                    sub_run.absorb(&rules, at, event);
                }
            }
        }
    }

    /// Takes in a line of the current sub-run's journal of which only the gist was read: the same fold, and no execution
    /// is kept.
    pub fn take_in(&mut self, seq: u64, at: Timestamp, gist: &Gist<'_>) {
        self.sessions.line(seq, at);
        if let Some((sub_run, rules)) = self.current_mut() {
            sub_run.take_in(&rules, at, gist);
        }
    }

    /// Folds an event of a sub-run's own journal into `sub_run`, which is kept apart from those of this run.
    pub fn absorb_into(&self, sub_run: &mut SubRunState, recorded: Recorded) {
        sub_run.absorb(&Rules { plan: &self.plan, swept: &self.swept }, recorded.at, recorded.event);
    }

    fn current_mut(&mut self) -> Option<(&mut SubRunState, Rules<'_>)> {
        let rules = Rules { plan: &self.plan, swept: &self.swept };
        Some((self.sub_runs.get_mut(self.current? as usize)?, rules))
    }

    /// As [`Self::forget_steps`], of the sub-runs that lie far enough behind one that has ended: the last few tell what a
    /// step usually takes.
    pub fn forget_steps_behind(&mut self, index: u32) {
        /// More than are asked for what is usual.
        const KEPT: u32 = 8;
        if let Some(behind) = index.checked_sub(KEPT) {
            self.forget_steps(behind);
        }
    }

    /// Drops the step details of a sub-run that has been summed up; what cells and counts need stays.
    pub fn forget_steps(&mut self, index: u32) {
        if let Some(sub_run) = self.sub_runs.get_mut(index as usize) {
            sub_run.forget_steps();
        }
    }

    /// The verdict of a sub-run from its executions so far; `gap` says why the rest never started, if so.
    pub fn sub_run_verdict(&self, index: u32, gap: Option<Gap>) -> Verdict {
        let Some(sub_run) = self.sub_runs.get(index as usize) else { return Verdict::Skipped };
        tally::parent(sub_run.tallies(&self.plan), gap)
    }

    /// The verdict after its pass rule of the combination that the execution at `index` of the current sub-run belongs
    /// to, once all its repetitions have ended.
    pub fn combination_verdict(&self, index: u32) -> Option<Verdict> {
        let sub_run = self.sub_runs.get(self.current? as usize)?;
        sub_run.combination(&self.plan, index).map(|tally| tally.verdict)
    }

    /// The run's verdict from its sub-runs so far; those never started count as a gap.
    pub fn run_verdict(&self) -> Verdict {
        let children =
            self.sub_runs.iter().filter_map(|s| s.verdict).map(|verdict| Child { verdict, leaves_gap: false });
        let missing = self.sub_runs.iter().any(|s| s.verdict.is_none());
        let asked = self.cancel.as_ref().is_some_and(|c| c.reason.is_asked());
        let gap = missing.then_some(if asked { Gap::Asked } else { Gap::Rule });
        tally::parent(children, gap)
    }

    /// Sub-runs that the unit failed in.
    pub fn failed_sub_runs(&self) -> usize {
        self.sub_runs.iter().filter(|s| s.unit_failed).count()
    }

    /// Whether the unit, and whether the rig, failed anywhere.
    pub fn failures(&self) -> (bool, bool) {
        (self.sub_runs.iter().any(|s| s.unit_failed), self.sub_runs.iter().any(|s| s.rig_failed))
    }

    /// Sub-runs that have ended.
    pub fn finished_sub_runs(&self) -> usize {
        self.sub_runs.iter().filter(|s| s.verdict.is_some()).count()
    }

    /// The execution in flight.
    pub fn in_flight(&self) -> Option<&Execution> {
        let sub_run = self.sub_runs.get(self.current? as usize)?;
        sub_run.executions.iter().rfind(|e| e.finished.is_none())
    }
}
