//! How far a run has come and how long the rest may take, from its own executions. Pure: the moment is given, and nothing
//! is promised: what is left is what the rest would take, were it to go on like this.

use crate::domain::event::RunStatus;
use crate::domain::run_state::{Execution, RunState};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// Executions that have ended, or that will not take place in a sub-run that has ended.
    pub done: u64,
    /// Executions in all.
    pub all: u64,
    /// So long runners were at work on it.
    pub elapsed_ms: u64,
    /// Until the last would have ended, once somebody is at work; none before the first has, or when the run is over.
    pub left_ms: Option<u64>,
}

impl Remaining {
    /// Of a run as it is `now`.
    pub fn of(state: &RunState, now: Timestamp) -> Self {
        let per_sub_run = u64::from(state.plan.experiment.executions());
        let in_flight = state.current.and_then(|c| state.sub_runs.get(c as usize)).filter(|s| s.verdict.is_none());
        let ended = in_flight.map_or(0, |s| s.executions.iter().filter(|e| e.finished.is_some()).count() as u64);
        let done = state.finished_sub_runs() as u64 * per_sub_run + ended;
        let all = state.sub_runs.len() as u64 * per_sub_run;
        let is_at_work = state.status == RunStatus::Running && state.end.is_none();
        let elapsed_ms = state.sessions.at_work_ms(is_at_work.then_some(now));
        let goes_on = done > 0 && state.end.is_none();
        let left_ms = goes_on.then(|| elapsed_ms.saturating_mul(all.saturating_sub(done)) / done);
        Self { done, all, elapsed_ms, left_ms }
    }

    /// How much of the run is done, in thousandths.
    pub fn permille(&self) -> u64 {
        permille(self.done, self.all)
    }
}

/// A step in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepProgress {
    /// The sub-run.
    pub sub_run: u32,
    /// Which of its executions, from 0.
    pub execution: u32,
    /// Executions in a sub-run.
    pub executions: u32,
    /// Since it was started.
    pub elapsed_ms: u64,
    /// Its time limit.
    pub limit_ms: u64,
    /// What the same execution took in the sub-runs before, as far as they passed and are still known.
    pub usual_ms: Option<u64>,
}

/// How many earlier sub-runs are asked, and of how many at most they are picked.
const ASKED: usize = 5;
const LOOKED_AT: usize = 64;

impl StepProgress {
    /// Of the step in progress `now`; none between two steps.
    pub fn of(state: &RunState, now: Timestamp) -> Option<Self> {
        let sub_run = state.current?;
        let in_flight = state.sub_runs.get(sub_run as usize).filter(|s| s.verdict.is_none())?;
        let execution = in_flight.executions.last().filter(|e| e.finished.is_none())?;
        let index = execution.started.index;
        let experiment = &state.plan.experiment;
        let (template, ..) = experiment.locate(index)?;
        Some(Self {
            sub_run,
            execution: index,
            executions: experiment.executions(),
            elapsed_ms: now.since(execution.at),
            limit_ms: template.timeout_ms.0,
            usual_ms: usual(state, sub_run, index),
        })
    }

    /// How much of its usual time has gone by, else of its limit, in thousandths. All of it is never reached before the
    /// step has ended.
    pub fn permille(&self) -> u64 {
        let whole = self.usual_ms.unwrap_or(self.limit_ms).min(self.limit_ms).max(1);
        permille(self.elapsed_ms, whole).min(999)
    }
}

/// The median of what an execution took in the sub-runs before `sub_run`.
fn usual(state: &RunState, sub_run: u32, index: u32) -> Option<u64> {
    let took = |execution: &Execution| {
        let finished = execution.finished.as_ref().filter(|f| f.index == index && f.verdict == Verdict::Pass)?;
        Some(finished.duration_ms)
    };
    let before = state.sub_runs.get(..sub_run as usize)?.iter().rev().take(LOOKED_AT);
    let mut took: Vec<u64> = before.filter_map(|s| s.executions.iter().find_map(took)).take(ASKED).collect();
    median(&mut took)
}

/// The middle one; of two middle ones the smaller.
pub fn median(values: &mut [u64]) -> Option<u64> {
    values.sort_unstable();
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// In thousandths; never more than the whole.
fn permille(part: u64, whole: u64) -> u64 {
    let permille = (u128::from(part) * 1000).checked_div(u128::from(whole)).unwrap_or(0);
    u64::try_from(permille.min(1000)).unwrap_or(1000)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::event::{Recorded, RunEvent, RunResumed};
    use crate::domain::kit::{self, World};
    use crate::domain::plan::Plan;

    /// Two by two points of two executions each.
    fn plan() -> Arc<Plan> {
        let mut world = World::grid(2, 2);
        world.flow.steps[0].repeat = 2;
        Arc::new(world.plan())
    }

    /// A run with the first `events` of a story, at the last of them.
    fn at(events: &[RunEvent]) -> (RunState, Timestamp) {
        let mut state = kit::state(&plan());
        let mut now = kit::moment(0);
        for recorded in kit::recorded(events.to_vec()) {
            state.apply(&recorded);
            now = recorded.at;
        }
        (state, now)
    }

    /// Done of all, elapsed seconds, seconds left, in the middle of the step if there is one.
    fn check(events: &[RunEvent], expected: (u64, u64, u64, Option<u64>), step: Option<(u32, u64, Option<u64>)>) {
        let (state, now) = at(events);
        let found = Remaining::of(&state, now);
        assert_eq!(
            (found.done, found.all, found.elapsed_ms / 1000, found.left_ms.map(|ms| ms / 1000)),
            expected,
            "after {} events",
            events.len()
        );
        let found = StepProgress::of(&state, now).map(|s| (s.execution, s.elapsed_ms / 1000, s.usual_ms));
        assert_eq!(found, step, "after {} events", events.len());
    }

    #[test]
    fn from_the_executions_so_far() {
        let story = kit::story(&plan(), &vec![vec![Verdict::Pass; 2]; 4]);
        assert_eq!(story.len(), 2 + 4 * 10);
        check(&story[..0], (0, 8, 0, None), None);
        check(&story[..5], (0, 8, 4, None), Some((0, 1, None)));
        check(&story[..6], (1, 8, 5, Some(35)), None);
        check(&story[..8], (1, 8, 7, Some(49)), Some((1, 1, None)));
        check(&story[..11], (2, 8, 10, Some(30)), None);
        check(&story[..14], (2, 8, 13, Some(39)), Some((0, 0, Some(12))));
        check(&story[..41], (8, 8, 40, Some(0)), None);
        check(&story, (8, 8, 41, None), None);
    }

    #[test]
    fn while_nobody_is_at_work_no_time_passes() {
        let story = kit::story(&plan(), &vec![vec![Verdict::Pass; 2]; 4]);
        let (mut state, now) = at(&story[..11]);
        let night = kit::moment(now.millis() + 36_000_000);
        state.status = RunStatus::Interrupted;
        let left = Remaining { done: 2, all: 8, elapsed_ms: 10_000, left_ms: Some(30_000) };
        assert_eq!(Remaining::of(&state, night), left);
        let resumed = RunResumed { boot_id: None, pid: 2, drift: vec![] }.into();
        state.apply(&Recorded { seq: 11, at: night, event: resumed });
        assert_eq!(Remaining::of(&state, night), left);
        let later = kit::moment(night.millis() + 2000);
        assert_eq!(Remaining::of(&state, later), Remaining { elapsed_ms: 12_000, left_ms: Some(36_000), ..left });
    }

    #[test]
    fn what_a_bar_shows() {
        let step =
            StepProgress { sub_run: 0, execution: 0, executions: 1, elapsed_ms: 250, limit_ms: 1000, usual_ms: None };
        assert_eq!(step.permille(), 250);
        assert_eq!(StepProgress { usual_ms: Some(500), ..step }.permille(), 500);
        assert_eq!(StepProgress { usual_ms: Some(100), ..step }.permille(), 999);
        assert_eq!(StepProgress { limit_ms: 0, ..step }.permille(), 999);
        let run = Remaining { done: 17, all: 36, elapsed_ms: 0, left_ms: None };
        assert_eq!((run.permille(), Remaining { done: 0, all: 0, ..run }.permille()), (472, 0));
    }

    #[test]
    fn medians() {
        let check = |values: &[u64], expected: Option<u64>| assert_eq!(median(&mut values.to_vec()), expected);
        check(&[], None);
        check(&[7], Some(7));
        check(&[9, 1, 5], Some(5));
        check(&[9, 1, 5, 3], Some(3));
    }
}
