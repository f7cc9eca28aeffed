//! The one fold: what a run looks like after the events so far. Screens, summaries, reports and resume all use it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::domain::event::{
    Applied, Cancelling, Recorded, RunEvent, RunStatus, StepFinished, StepSpawned, StepStarted,
};
use crate::domain::name::Name;
use crate::domain::plan::Plan;
use crate::domain::tally::{self, Child, Flaky, Gap};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{CancelReason, Effects, Verdict};

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
    /// The `seq` of the last event.
    pub last_seq: Option<u64>,
    /// The swept fields that each adapter sees, as `applied` names them.
    swept: BTreeMap<Name, Vec<String>>,
}

/// A sub-run after the events so far.
#[derive(Debug, Clone, Default)]
pub struct SubRunState {
    /// It has begun.
    pub started_at: Option<Timestamp>,
    /// It has ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub verdict: Option<Verdict>,
    /// What was seen.
    pub effects: Effects,
    /// Why it or part of it was not measured.
    pub reason: Option<Arc<str>>,
    /// A combination was the unit's failure after its pass rule, whatever the sub-run's verdict.
    pub unit_failed: bool,
    /// A combination was the rig's failure.
    pub rig_failed: bool,
    /// Repetitions disagree.
    pub flaky: Option<Flaky>,
    /// A judged step had a swept field that nobody applied.
    pub unapplied: bool,
    /// Its executions so far; empty again after [`RunState::forget_steps`].
    pub executions: Vec<Execution>,
}

/// One execution after the events so far.
#[derive(Debug, Clone)]
pub struct Execution {
    /// What was about to start.
    pub started: Box<StepStarted>,
    /// When that was recorded.
    pub at: Timestamp,
    /// Its process.
    pub spawned: Option<StepSpawned>,
    /// How it ended.
    pub finished: Option<Box<StepFinished>>,
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
            last_seq: None,
        }
    }

    /// Takes in one event. Events that make no sense here are passed over: a damaged record must stay readable.
    pub fn apply(&mut self, recorded: &Recorded) {
        self.absorb(recorded.clone());
    }

    /// As [`Self::apply`], of an event that nobody else needs: nothing is copied.
    pub fn absorb(&mut self, recorded: Recorded) {
        let Recorded { seq, at, event } = recorded;
        self.last_seq = Some(self.last_seq.map_or(seq, |last| last.max(seq)));
        match event {
            RunEvent::RunStarted(event) => {
                self.status = RunStatus::Running;
                self.started_at = self.started_at.or(Some(at));
                self.pid = Some(event.pid);
            }
            RunEvent::RunResumed(event) => {
                self.status = RunStatus::Running;
                self.pid = Some(event.pid);
                self.cancel = None;
                self.cancels.clear();
                self.ended_at = None;
                self.end = None;
            }
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
            RunEvent::StepStarted(event) => self.step_started(at, event),
            RunEvent::StepSpawned(event) => {
                if let Some(execution) = self.execution(event.index) {
                    execution.spawned = Some(event);
                }
            }
            RunEvent::StepFinished(event) => self.step_finished(event),
            RunEvent::SubrunClosed(event) => {
                if let Some(sub_run) = self.current.and_then(|current| self.sub_runs.get_mut(current as usize)) {
                    // Combinations cut short are weighed by what there is of them.
                    let gravest: Vec<Verdict> = sub_run.tallies(&self.plan).map(|child| child.verdict).collect();
                    for verdict in gravest {
                        sub_run.weigh(verdict);
                    }
                    sub_run.close(at, event.verdict, event.reason.as_deref());
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
            RunEvent::SubrunOpened(_) | RunEvent::RailMoving(_) | RunEvent::RailHeld(_) | RunEvent::RailRestored(_) => {
            }
        }
    }

    fn current_mut(&mut self) -> Option<&mut SubRunState> {
        self.sub_runs.get_mut(self.current? as usize)
    }

    fn execution(&mut self, index: u32) -> Option<&mut Execution> {
        self.current_mut()?.execution_mut(index)
    }

    fn step_started(&mut self, at: Timestamp, started: Box<StepStarted>) {
        let Some(sub_run) = self.current_mut() else { return };
        let index = started.index;
        let execution = Execution { started, at, spawned: None, finished: None };
        // Another attempt takes the place of the one before.
        match sub_run.executions.binary_search_by_key(&index, |e| e.started.index) {
            Ok(before) => {
                if let Some(slot) = sub_run.executions.get_mut(before) {
                    *slot = execution;
                }
            }
            Err(place) => sub_run.executions.insert(place, execution),
        }
    }

    fn step_finished(&mut self, event: Box<StepFinished>) {
        let Some(sub_run) = self.current.and_then(|c| self.sub_runs.get_mut(c as usize)) else { return };
        sub_run.effects.extend(event.effects.iter().copied());
        let (index, verdict) = (event.index, event.verdict);
        let Some(execution) = sub_run.execution_mut(index) else { return };
        execution.finished = Some(event);
        if verdict > Verdict::Skipped {
            let nobody = |field: &String| execution.started.applied.get(field) == Some(&Applied::None);
            let unapplied = self.swept.get(&execution.started.adapter).is_some_and(|swept| swept.iter().any(nobody));
            sub_run.unapplied |= unapplied;
        }
        let tally = self.combination_tally(index);
        if let (Some(tally), Some(sub_run)) = (tally, self.current_mut()) {
            sub_run.weigh(tally.verdict);
            if let Some(flaky) = tally.flaky {
                // The least certain combination speaks for the sub-run.
                let before = sub_run.flaky.filter(|b| b.pass * flaky.of <= flaky.pass * b.of);
                sub_run.flaky = before.or(Some(flaky));
            }
        }
    }

    /// Drops the step details of a sub-run that has been summed up; what cells and counts need stays.
    pub fn forget_steps(&mut self, index: u32) {
        if let Some(sub_run) = self.sub_runs.get_mut(index as usize) {
            sub_run.executions = vec![];
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
        self.combination_tally(index).map(|tally| tally.verdict)
    }

    fn combination_tally(&self, index: u32) -> Option<tally::Tally> {
        let sub_run = self.sub_runs.get(self.current? as usize)?;
        let (template, _, repetition) = self.plan.experiment.locate(index)?;
        let first = index - repetition;
        let verdicts: Vec<Verdict> = sub_run.finished(first, template.repeat).map(|f| f.verdict).collect();
        let complete = verdicts.len() >= template.repeat as usize;
        complete.then(|| tally::repetitions(template.pass_rule, &verdicts)).flatten()
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

impl SubRunState {
    fn close(&mut self, at: Timestamp, verdict: Verdict, reason: Option<&str>) {
        self.ended_at = Some(at);
        self.verdict = Some(verdict);
        self.reason = reason.map(Into::into);
        self.weigh(verdict);
    }

    /// A verdict after its pass rule: one that a rule forgives is no failure.
    fn weigh(&mut self, verdict: Verdict) {
        self.unit_failed |= verdict.is_unit_failure();
        self.rig_failed |= verdict == Verdict::Error;
    }

    fn execution_mut(&mut self, index: u32) -> Option<&mut Execution> {
        let place = self.executions.binary_search_by_key(&index, |e| e.started.index).ok()?;
        self.executions.get_mut(place)
    }

    /// The ended executions among `count` from `first` on.
    fn finished(&self, first: u32, count: u32) -> impl Iterator<Item = &StepFinished> {
        let from = self.executions.partition_point(|e| e.started.index < first);
        let within = move |e: &&Execution| e.started.index - first < count;
        self.executions.iter().skip(from).take_while(within).filter_map(|e| e.finished.as_deref())
    }

    /// Every combination that has an ended execution, in order, weighed by its rule.
    fn tallies<'s>(&'s self, plan: &'s Plan) -> impl Iterator<Item = Child> + 's {
        let combinations = plan.experiment.steps.iter().flat_map(|s| s.combinations.iter().map(move |_| s));
        let mut next = 0;
        combinations.filter_map(move |template| {
            let first = next;
            next += template.repeat;
            let verdicts: Vec<Verdict> = self.finished(first, template.repeat).map(|f| f.verdict).collect();
            let tally = tally::repetitions(template.pass_rule, &verdicts)?;
            // A rule's skip has no exit code; the diagnostic's own word has one.
            let own_word = |f: &StepFinished| f.verdict == Verdict::Skipped && f.exit_code.is_some();
            let skipped = self.finished(first, template.repeat).any(own_word);
            Some(Child { verdict: tally.verdict, leaves_gap: skipped && !template.optional })
        })
    }
}
