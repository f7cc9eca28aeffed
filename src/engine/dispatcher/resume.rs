//! Going on with a run whose runner died: what was in flight gets its end, the sub-run that was open goes on where it
//! stood, and lines that are not worth measuring stay so. Pure like the rest of the dispatcher.

use std::sync::Arc;

use crate::domain::admission::Admitted;
use crate::domain::event::{EvidenceSources, RunResumed, StepStarted, SubrunClosed, SubrunOpened};
use crate::domain::name::Name;
use crate::domain::plan::{Plan, SubRun};
use crate::domain::rails::Levels;
use crate::domain::run_state::{Execution, RunState};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{CancelReason, Effect as Seen, Effects, Verdict};

use super::{Dispatcher, Orders, Phase, Times};
use crate::engine::effect::{Effect, Judged, LeftBehind, Now, Start};
use crate::engine::stop_line::StopLines;

/// A run as its runner left it.
#[derive(Debug, Clone)]
pub struct Resumption {
    /// Its journals, folded; with the executions of the sub-run that began last.
    pub state: RunState,
    /// The sub-run that began last has its first line.
    pub is_opened: bool,
    /// The run's own journal says how that sub-run ended.
    pub is_told: bool,
    /// Rails were away when the runner stopped, and it was not the runner that stopped first: its host went down.
    pub died_away: bool,
    /// Where the rails were before the run moved any of them.
    pub nominal: Option<Levels>,
    /// What has changed since, as it was shown.
    pub drift: Vec<String>,
}

/// What is done first.
#[derive(Debug)]
pub(super) struct PickUp {
    is_opened: bool,
    is_told: bool,
    died_away: bool,
    drift: Vec<String>,
}

impl Dispatcher {
    /// A run that goes on. The first thing that it says is that it does.
    pub fn resume(admitted: &Admitted<Plan>, resumption: Resumption, orders: Orders) -> Self {
        let Resumption { state, is_opened, is_told, died_away, nominal, drift } = resumption;
        let mut dispatcher = Self::new(admitted, state.header.clone(), orders);
        let experiment = &dispatcher.plan.experiment;
        let mut lines = StopLines::default();
        let mut next = 0;
        for (index, sub_run) in (0..).zip(&state.sub_runs) {
            if sub_run.verdict.is_some() {
                lines.ended(experiment, index, sub_run.ends_crashed(), sub_run.unit_failed);
            }
            if sub_run.verdict.is_some() || state.current == Some(index) {
                next = index + 1;
            }
        }
        dispatcher.lines = lines;
        dispatcher.next_sub_run = next;
        // The one that is open is counted when it ends.
        let failed = state.sub_runs.iter().filter(|sub_run| sub_run.verdict.is_some() && sub_run.unit_failed).count();
        dispatcher.failed_sub_runs = u32::try_from(failed).unwrap_or(u32::MAX);
        dispatcher.seq = state.sessions.last_seq().map_or(0, |last| last + 1);
        dispatcher.rails = std::mem::take(&mut dispatcher.rails).at_home(nominal);
        dispatcher.state = state;
        dispatcher.pick_up = Some(PickUp { is_opened, is_told, died_away, drift });
        dispatcher
    }

    pub(super) fn go_on(&mut self, now: Now, left: PickUp) {
        let (boot_id, pid) = (self.orders.boot_id.clone(), self.orders.pid);
        self.record(now, RunResumed { boot_id, pid, drift: left.drift });
        if !self.orders.sources.is_empty() {
            self.record(now, EvidenceSources { sources: self.orders.sources.clone() });
        }
        let plan = Arc::clone(&self.plan);
        let sub_run = self.state.current.and_then(|index| plan.experiment.sub_run(index));
        let Some(sub_run) = sub_run.filter(|_| !left.is_told) else { return self.go_on_or_stop(now) };
        let index = sub_run.index;
        self.out.extend([Effect::Sync, Effect::ReopenSubRun(index)]);
        if !left.is_opened {
            let (id, point, seed) = (self.id(index), sub_run.point.clone(), sub_run.seed);
            self.record(now, SubrunOpened { id, index, point, seed });
        }
        let state = self.state.sub_runs.get(index as usize);
        if let Some((verdict, state)) = state.and_then(|state| Some((state.verdict?, state))) {
            // Its journal is complete; the rest was not done any more.
            let reason = state.reason.as_deref().map(str::to_owned);
            self.tell(now, index, verdict, reason);
            return self.go_on_or_stop(now);
        }
        let last = state.and_then(|state| state.executions.last()).cloned();
        self.next_index = last.as_ref().map_or(0, |last| last.started.index + 1);
        match last {
            Some(Execution { started, at, finished: None, .. }) => self.look_back(now, sub_run, &started, at),
            Some(last) if !left.died_away => self.after_step(now, sub_run, last.started.index, &last.started.step),
            _ if left.died_away => self.crashed_away(now, index),
            _ => {
                self.out.push(Effect::Enter);
                self.phase = Phase::Entering(sub_run);
            }
        }
    }

    /// The host went down at the point of a sub-run, with no step in flight.
    fn crashed_away(&mut self, now: Now, index: u32) {
        let reason = Some("the host went down while its rails were away".to_owned());
        let effects = Effects::from([Seen::Sc]);
        self.close(now, index, SubrunClosed { verdict: Verdict::Crashed, reason, effects });
    }

    fn look_back(&mut self, now: Now, sub_run: SubRun, started: &StepStarted, at: Timestamp) {
        let plan = Arc::clone(&self.plan);
        let Some(Ok(step)) = plan.experiment.step(&sub_run, started.index, plan.unit_text()) else {
            let detail = format!("step {} of the record is not one of the plan", started.step);
            self.cancel(now, CancelReason::SafetyViolation, Some(detail.clone()));
            return self.leave(sub_run, Some(detail));
        };
        let start = Start {
            sub_run: sub_run.index,
            index: started.index,
            step: started.step.clone(),
            adapter: started.adapter.clone(),
            argv: started.argv.clone(),
            seed: started.seed,
            params: step.params,
            rails: step.rails,
            attempt: started.attempt,
        };
        let boot_id = started.boot_id.clone();
        self.out.push(Effect::LookBack(Box::new(LeftBehind { start: start.clone(), boot_id, at })));
        self.phase = Phase::LookingBack(sub_run, Box::new(start));
    }

    pub(super) fn looked_back(
        &mut self,
        now: Now,
        sub_run: SubRun,
        start: &Start,
        judged: Judged,
        restored: Result<(), String>,
    ) {
        let began = self.state.in_flight().filter(|execution| execution.spawned.is_some()).map(|e| e.at);
        self.record_finish(now, start, Times { started_at: began, ..Times::default() }, judged);
        if let Err(detail) = restored {
            self.cancel(now, CancelReason::RestoreFailed, Some(detail));
        }
        self.after_step(now, sub_run, start.index, &start.step);
    }

    /// The host went down in a step: it is tried again if that was asked for and the tries are not used up, else the rest of
    /// its sub-run is not measured.
    pub(super) fn after_crash(&mut self, now: Now, sub_run: SubRun, index: u32, step: &Name) {
        let execution = self.state.sub_runs.get(sub_run.index as usize).and_then(|state| state.executions.last());
        let attempt = execution.map_or(1, |execution| execution.started.attempt);
        if attempt <= self.orders.retry_crashed {
            self.next_index = index;
            self.attempt = attempt + 1;
            return self.next_step(now, sub_run);
        }
        let left = self.next_index < self.executions;
        self.release(sub_run, left.then(|| format!("the host went down in step {step}")));
    }
}
