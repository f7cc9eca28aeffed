//! Decides a whole run: every input it hears becomes the effects to perform. Pure and synchronous, so that the whole
//! cancel ladder is tested without a process. Never acts, never reads a clock, never writes a line by itself.
//!
//! Journal first: a line about something stands before it among the effects, with a sync between where it matters.
//! One sync covers the end of a step and the beginning of the next.

mod ending;
mod evidence;
mod rails;
mod resume;

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::admission::{Admitted, admit_step};
use crate::domain::event::{
    EvidenceSources, Recorded, RunEvent, RunStarted, StepFinished, StepSpawned, StepStarted, SubrunClosed,
    SubrunFinished, SubrunOpened, SubrunStarted,
};
use crate::domain::evidence::Sources;
use crate::domain::flow::OnFailure;
use crate::domain::name::Name;
use crate::domain::param::ParamValue;
use crate::domain::plan::{Plan, SubRun};
use crate::domain::policy::Bounds;
use crate::domain::run_state::{RunHeader, RunState, SubRunState};
use crate::domain::tally::Gap;
use crate::domain::time::Timestamp;
use crate::domain::units::Millis;
use crate::domain::verdict::{CancelReason, Effects, Verdict};

use super::effect::{Effect, EndCause, Ending, Input, Judged, Now, Start};
use super::in_flight::{InFlight, Limits, Order};
use super::rail_book::RailBook;
use super::stop_line::StopLines;
use evidence::Hardware;
use rails::{Return, Way};
use resume::PickUp;
pub use resume::Resumption;

/// What a run is told besides its plan.
#[derive(Debug, Clone, Default)]
pub struct Orders {
    /// End the run once so many sub-runs have failed.
    pub max_fail: Option<u32>,
    /// The boot that the runner lives in.
    pub boot_id: Option<String>,
    /// The runner's process.
    pub pid: u32,
    /// The absolute path of each adapter's program.
    pub programs: BTreeMap<Name, String>,
    /// Which evidence can be had on this host.
    pub sources: Sources,
    /// How often a step is tried again in which the host went down.
    pub retry_crashed: u32,
}

/// When an execution was under way.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    duration_ms: u64,
}

impl Times {
    fn of(in_flight: &InFlight, now: Now) -> Self {
        let duration_ms = in_flight.ending(now).duration_ms;
        Self { started_at: Some(in_flight.started_at()), ended_at: in_flight.ended_at(), duration_ms }
    }
}

/// Where the run stands.
#[derive(Debug)]
enum Phase {
    /// Before [`Input::Begin`].
    New,
    /// What a dead runner left in flight is being looked at.
    LookingBack(SubRun, Box<Start>),
    /// The sub-run is about to begin.
    Entering(SubRun),
    /// Rails are read or moved before the next step.
    Moving(SubRun, Way),
    /// A step is being started.
    Starting(SubRun, Box<Start>),
    /// A step has a process.
    Running(SubRun, Box<Start>, InFlight),
    /// Its tree is gone; rails that it moved are being restored.
    Restoring(SubRun, Box<Start>, InFlight, Now),
    /// What it left is being judged.
    Judging(SubRun, Box<Start>, InFlight, Box<Ending>),
    /// The rails are looked at once more, and brought home.
    Returning(SubRun, Option<String>, Return),
    /// The host is cooling down before the next sub-run.
    Cooling,
    /// The sub-run has nothing more to do.
    Leaving(SubRun, Option<String>),
    /// The run has ended.
    Over,
}

/// The state of a run and the rules by which it goes on.
#[derive(Debug)]
pub struct Dispatcher {
    plan: Arc<Plan>,
    /// Asked again about each step.
    bounds: Arc<Bounds>,
    orders: Orders,
    state: RunState,
    phase: Phase,
    /// Of the next line.
    seq: u64,
    /// The next sub-run to look at, and the next execution of the current one.
    next_sub_run: u32,
    next_index: u32,
    executions: u32,
    /// Of the next execution, from 1.
    attempt: u32,
    /// What a dead runner left, until it is gone on with.
    pick_up: Option<PickUp>,
    failed_sub_runs: u32,
    interrupts: u32,
    lines: StopLines,
    rails: RailBook,
    hardware: Hardware,
    out: Vec<Effect>,
}

impl Dispatcher {
    /// A run of an admitted plan before its first line.
    pub fn new(admitted: &Admitted<Plan>, header: RunHeader, orders: Orders) -> Self {
        let plan = Arc::clone(admitted.value());
        // A dry run moves nothing.
        let rails = if header.dry_run { RailBook::default() } else { RailBook::new(&plan.experiment) };
        Self {
            state: RunState::new(header, Arc::clone(&plan)),
            executions: plan.experiment.executions(),
            plan,
            bounds: Arc::clone(admitted.bounds()),
            orders,
            phase: Phase::New,
            seq: 0,
            next_sub_run: 0,
            next_index: 0,
            attempt: 1,
            pick_up: None,
            failed_sub_runs: 0,
            interrupts: 0,
            lines: StopLines::default(),
            rails,
            hardware: Hardware::default(),
            out: vec![],
        }
    }

    /// The run as it stands, with all that was asked to be recorded.
    pub const fn state(&self) -> &RunState {
        &self.state
    }

    /// The run as it stands, when there is nothing more to decide.
    pub fn into_state(self) -> RunState {
        self.state
    }

    /// Drops the step details of a sub-run whose summary is written.
    pub fn forget_steps(&mut self, sub_run: u32) {
        self.state.forget_steps(sub_run);
    }

    /// When to send [`Input::Deadline`], on the monotonic clock; it may be sent earlier.
    pub fn deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Running(_, _, in_flight) => in_flight.deadline(),
            _ => None,
        }
    }

    /// Hears `input` and answers with what is to be done, in order.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Effect> {
        match input {
            Input::Begin => self.begin(now),
            Input::Interrupt => {
                self.interrupts += 1;
                let reason = if self.interrupts > 1 { CancelReason::Kill } else { CancelReason::Interrupt };
                self.cancel(now, reason, None);
            }
            Input::Terminate => self.cancel(now, CancelReason::Terminate, None),
            Input::Quit => self.cancel(now, CancelReason::Quit, None),
            Input::Hangup => self.cancel(now, CancelReason::Hangup, None),
            Input::StopAfterStep => self.cancel(now, CancelReason::StopAfterStep, None),
            Input::RecordFailed(detail) => self.record_failed(now, detail),
            Input::Late(observed) => self.late(now, observed),
            other => self.proceed(now, other),
        }
        mem::take(&mut self.out)
    }

    /// Inputs that make sense in one phase only; anywhere else they come too late and change nothing.
    fn proceed(&mut self, now: Now, input: Input) {
        match (mem::replace(&mut self.phase, Phase::Over), input) {
            (Phase::Cooling, Input::Cooled(cooled)) => self.cooled(now, cooled),
            (Phase::LookingBack(sub_run, start), Input::LookedBack(judged, restored)) => {
                self.looked_back(now, sub_run, &start, *judged, restored);
            }
            (Phase::Entering(sub_run), Input::Entered) => self.next_step(now, sub_run),
            (Phase::Moving(sub_run, Way::Reading(wanted)), Input::RailsRead(read)) => {
                self.rails_read(now, sub_run, wanted, read);
            }
            (Phase::Moving(sub_run, Way::Going), Input::RailsMoved(read)) => self.rails_moved(now, sub_run, read),
            (Phase::Starting(sub_run, start), Input::Spawned { pid, start_ticks }) => {
                self.record(now, StepSpawned { index: start.index, pid, start_ticks });
                let in_flight = InFlight::new(now, self.limits(&start));
                self.phase = Phase::Running(sub_run, start, in_flight);
                // Asked to stop between the decision to start and the process.
                self.end_in_flight(now);
            }
            (Phase::Starting(sub_run, start), Input::NotStarted(reason)) => {
                let judged = Judged::never_ran(Verdict::Error, reason);
                self.finish_step(now, sub_run, &start, None, judged);
            }
            (Phase::Running(sub_run, start, in_flight), input) => {
                self.watch(now, (sub_run, start, in_flight), input);
            }
            (Phase::Restoring(sub_run, start, in_flight, gone), Input::Restored(restored)) => {
                self.judge(now, (sub_run, start, in_flight), gone, restored.err());
            }
            (Phase::Judging(sub_run, start, in_flight, _), Input::Judged(judged)) => {
                self.finish_step(now, sub_run, &start, Some(&in_flight), *judged);
            }
            (Phase::Returning(sub_run, reason, Return::Looking), Input::RailsRead(read)) => {
                self.rails_looked_at(now, sub_run, reason, read);
            }
            (Phase::Returning(sub_run, reason, Return::Going), Input::RailsHome(home)) => {
                self.rails_home(now, &sub_run, reason, home);
            }
            (Phase::Leaving(sub_run, reason), Input::Left) => self.close_sub_run(now, &sub_run, reason, None),
            (phase, _) => self.phase = phase,
        }
    }

    fn begin(&mut self, now: Now) {
        if !matches!(self.phase, Phase::New) {
            return;
        }
        if let Some(left) = self.pick_up.take() {
            return self.go_on(now, left);
        }
        self.record(
            now,
            RunStarted {
                boot_id: self.orders.boot_id.clone(),
                pid: self.orders.pid,
                dry_run: self.state.header.dry_run,
                max_fail: self.orders.max_fail,
            },
        );
        if !self.orders.sources.is_empty() {
            self.record(now, EvidenceSources { sources: self.orders.sources.clone() });
        }
        self.next_sub_run(now);
    }

    // ---- one step

    fn next_step(&mut self, now: Now, sub_run: SubRun) {
        loop {
            if let Some(reason) = self.stop_reason() {
                let reason = (self.next_index < self.executions).then_some(reason);
                return self.release(sub_run, reason);
            }
            let index = self.next_index;
            let plan = Arc::clone(&self.plan);
            let Some(step) = plan.experiment.step(&sub_run, index, plan.unit_text()) else {
                return self.release(sub_run, None);
            };
            if let Some(wanted) = self.to_move(step.as_ref().ok()) {
                return self.move_rails(now, sub_run, wanted);
            }
            self.next_index += 1;
            let attempt = mem::replace(&mut self.attempt, 1);
            let step = match step {
                Ok(step) => step,
                Err(error) => {
                    // The planner has rendered every value: this plan is not what was planned.
                    self.cancel(now, CancelReason::SafetyViolation, Some(error.to_string()));
                    continue;
                }
            };
            let adapter = &step.template.adapter;
            let program = self.orders.programs.get(adapter).cloned().unwrap_or_default();
            let argv: Vec<String> = std::iter::once(program).chain(step.argv.iter().cloned()).collect();
            let params = step.params.iter().map(|(name, value)| (name.clone(), recorded_param(value))).collect();
            self.record(
                now,
                Box::new(StepStarted {
                    index,
                    step: step.template.name.clone(),
                    adapter: adapter.clone(),
                    combination: step.combination.key.clone(),
                    repetition: step.repetition,
                    attempt,
                    params,
                    rails: step.rails.clone(),
                    applied: step.applied.clone(),
                    argv: argv.clone(),
                    seed: step.seed,
                    boot_id: self.orders.boot_id.clone(),
                }),
            );
            let violations = admit_step(&step, &self.bounds).err();
            let start = Start {
                sub_run: sub_run.index,
                index,
                step: step.template.name.clone(),
                adapter: adapter.clone(),
                argv,
                seed: step.seed,
                params: step.params,
                rails: step.rails,
                attempt,
            };
            if let Some(violations) = violations {
                let said: Vec<String> = violations.iter().map(ToString::to_string).collect();
                let said = said.join("; ");
                let judged = Judged::never_ran(Verdict::Error, said.clone());
                self.record_finish(now, &start, Times::default(), judged);
                self.cancel(now, CancelReason::SafetyViolation, Some(said));
            } else if self.state.header.dry_run {
                let judged = Judged::never_ran(Verdict::Skipped, "dry run".to_owned());
                self.record_finish(now, &start, Times::default(), judged);
            } else {
                self.out.push(Effect::Sync);
                self.out.push(Effect::Start(Box::new(start.clone())));
                self.phase = Phase::Starting(sub_run, Box::new(start));
                return;
            }
        }
    }

    fn limits(&self, start: &Start) -> Limits {
        let adapter = self.plan.experiment.adapters.get(&start.adapter);
        let template = self.plan.experiment.locate(start.index).map(|(template, ..)| template);
        Limits {
            // A plan without the step or its adapter cannot have come this far; no limit at all would be worse than none left.
            time: template.map(|template| template.timeout_ms.duration()).unwrap_or_default(),
            silence: adapter.and_then(|adapter| adapter.silence_ms).map(Millis::duration),
            grace: adapter.map(|adapter| adapter.grace_ms.duration()).unwrap_or_default(),
        }
    }

    fn watch(&mut self, now: Now, running: (SubRun, Box<Start>, InFlight), input: Input) {
        let (sub_run, start, mut in_flight) = running;
        let order = match input {
            Input::LogsGrew => {
                in_flight.wrote(now);
                None
            }
            Input::LogFailed(why) => in_flight.end(now, EndCause::Log(why)),
            Input::TooHot(why) => {
                self.hardware.too_hot.get_or_insert_with(|| why.clone());
                in_flight.end(now, EndCause::TooHot(why))
            }
            Input::Deadline => in_flight.deadline_reached(now),
            Input::LeaderEnded { left } => in_flight.leader_ended(now, left),
            Input::TreeGone => {
                in_flight.tree_gone();
                None
            }
            _ => None,
        };
        self.obey(order);
        if !in_flight.is_gone() {
            self.phase = Phase::Running(sub_run, start, in_flight);
            return;
        }
        if order == Some(Order::Abandon) {
            let detail = format!("processes of step {} cannot be killed", start.step);
            self.cancel(now, CancelReason::RestoreFailed, Some(detail));
        }
        let restores = self.plan.experiment.adapters.get(&start.adapter).is_some_and(|a| !a.restore.is_empty());
        if restores {
            self.out.push(Effect::Restore);
            self.phase = Phase::Restoring(sub_run, start, in_flight, now);
        } else {
            self.judge(now, (sub_run, start, in_flight), now, None);
        }
    }

    fn obey(&mut self, order: Option<Order>) {
        self.out.extend(order.map(|order| match order {
            Order::Terminate => Effect::Terminate,
            Order::Kill => Effect::Kill,
            Order::Abandon => Effect::Abandon,
        }));
    }

    fn judge(&mut self, now: Now, ended: (SubRun, Box<Start>, InFlight), gone: Now, restore: Option<String>) {
        let (sub_run, start, in_flight) = ended;
        if let Some(detail) = &restore {
            self.cancel(now, CancelReason::RestoreFailed, Some(detail.clone()));
        }
        let ending = Box::new(Ending { restore_failed: restore, ..in_flight.ending(gone) });
        self.out.push(Effect::Judge(ending.clone()));
        self.phase = Phase::Judging(sub_run, start, in_flight, ending);
    }

    fn finish_step(&mut self, now: Now, sub_run: SubRun, start: &Start, in_flight: Option<&InFlight>, judged: Judged) {
        let times = in_flight.map(|in_flight| Times::of(in_flight, now)).unwrap_or_default();
        self.record_finish(now, start, times, judged);
        self.hardware.last_watched = Some(sub_run.index);
        self.after_step(now, sub_run, start.index, &start.step);
    }

    /// What follows from the end of an execution, whoever recorded it.
    fn after_step(&mut self, now: Now, sub_run: SubRun, index: u32, step: &Name) {
        let last = self.state.sub_runs.get(sub_run.index as usize).and_then(|state| state.executions.last());
        if last.and_then(|last| last.finished.as_ref()).is_some_and(|last| last.verdict == Verdict::Crashed) {
            return self.after_crash(now, sub_run, index, step);
        }
        if let Some(reason) = self.hardware.too_hot.clone() {
            // Rails go home before the host cools down.
            return self.release(sub_run, Some(reason));
        }
        let verdict = self.state.combination_verdict(index).unwrap_or(Verdict::Skipped);
        if verdict > Verdict::Inconclusive {
            let template = self.plan.experiment.locate(index).map(|(template, ..)| template);
            let detail = || Some(format!("step {step} is {verdict}"));
            match template.map(|template| template.on_failure) {
                Some(OnFailure::StopRun) => self.cancel(now, CancelReason::StopRun, detail()),
                Some(OnFailure::StopSubrun) => {
                    let left = self.next_index < self.executions;
                    let reason = left.then(|| format!("step {step} is {verdict} and stops its sub-run"));
                    return self.release(sub_run, reason);
                }
                Some(OnFailure::Continue) | None => {}
            }
        }
        self.next_step(now, sub_run);
    }

    fn record_finish(&mut self, now: Now, start: &Start, times: Times, judged: Judged) {
        let event = StepFinished {
            index: start.index,
            step: start.step.clone(),
            verdict: judged.verdict,
            effects: judged.effects,
            reason: judged.reason,
            exit_code: judged.exit_code,
            signal: judged.signal,
            started_at: times.started_at,
            ended_at: times.ended_at,
            duration_ms: times.duration_ms,
            stdout_bytes: judged.sizes.stdout,
            stderr_bytes: judged.sizes.stderr,
            user_ms: judged.usage.map(|usage| usage.user_ms),
            system_ms: judged.usage.map(|usage| usage.system_ms),
            max_rss_kb: judged.usage.and_then(|usage| usage.max_rss_kb),
            metrics: judged.metrics,
            evidence: judged.evidence,
            observed: judged.observed,
            artifacts: judged.artifacts,
            error: judged.error,
        };
        self.record(now, Box::new(event));
    }

    // ---- sub-runs

    fn next_sub_run(&mut self, now: Now) {
        while self.state.cancel.is_none() {
            let index = self.next_sub_run;
            let plan = Arc::clone(&self.plan);
            let Some(sub_run) = plan.experiment.sub_run(index) else { break };
            self.next_sub_run += 1;
            let id = self.id(index);
            if let Some(reason) = self.lines.stopped(&plan.experiment, index) {
                let (verdict, effects) = (Verdict::Skipped, Effects::new());
                self.record(now, SubrunFinished { id, index, verdict, effects, reason: Some(reason) });
                continue;
            }
            if self.hardware.too_hot.is_some() {
                self.next_sub_run = index;
                self.out.push(Effect::CoolDown);
                self.phase = Phase::Cooling;
                return;
            }
            self.next_index = 0;
            self.record(now, SubrunStarted { id: id.clone(), index });
            self.out.extend([Effect::Sync, Effect::OpenSubRun(index)]);
            self.record(now, SubrunOpened { id, index, point: sub_run.point.clone(), seed: sub_run.seed });
            self.out.push(Effect::Enter);
            self.phase = Phase::Entering(sub_run);
            return;
        }
        self.finish_run(now);
    }

    fn id(&self, index: u32) -> String {
        self.state.header.sub_run_id(self.plan.experiment.sub_runs(), index)
    }

    fn close_sub_run(&mut self, now: Now, sub_run: &SubRun, reason: Option<String>, not_home: Option<String>) {
        let index = sub_run.index;
        let mut verdict = self.state.sub_run_verdict(index, reason.is_some().then(|| self.gap()));
        let mut reason = reason;
        if let Some(detail) = not_home {
            verdict = Verdict::Error;
            reason = Some(detail.clone());
            self.cancel(now, CancelReason::RestoreFailed, Some(detail));
        }
        self.close(now, index, SubrunClosed { verdict, reason, effects: Effects::new() });
    }

    /// The last line of a sub-run, and what follows from it.
    fn close(&mut self, now: Now, index: u32, closed: SubrunClosed) {
        let (verdict, reason) = (closed.verdict, closed.reason.clone());
        self.out.push(Effect::FilesToDisk);
        self.record(now, closed);
        self.tell(now, index, verdict, reason);
        let state = self.state.sub_runs.get(index as usize);
        let unit_failed = state.is_some_and(|state| state.unit_failed);
        let crashed = state.is_some_and(SubRunState::ends_crashed);
        self.lines.ended(&self.plan.experiment, index, crashed, unit_failed);
        self.failed_sub_runs += u32::from(unit_failed);
        self.go_on_or_stop(now);
    }

    /// What the run's own journal says of a sub-run whose journal is complete.
    fn tell(&mut self, now: Now, index: u32, verdict: Verdict, reason: Option<String>) {
        let state = self.state.sub_runs.get(index as usize);
        let effects = state.map(|state| state.effects.clone()).unwrap_or_default();
        self.out.extend([Effect::Sync, Effect::CloseSubRun(index)]);
        self.record(now, SubrunFinished { id: self.id(index), index, verdict, effects, reason });
    }

    /// The next sub-run, unless too many have failed.
    fn go_on_or_stop(&mut self, now: Now) {
        let more = self.next_sub_run < self.plan.experiment.sub_runs();
        if more && self.orders.max_fail.is_some_and(|max| self.failed_sub_runs >= max) {
            self.cancel(now, CancelReason::MaxFail, Some(format!("{} failed", self.failed_sub_runs)));
        }
        self.next_sub_run(now);
    }

    fn gap(&self) -> Gap {
        match &self.state.cancel {
            Some(cancel) if cancel.reason.is_asked() => Gap::Asked,
            _ => Gap::Rule,
        }
    }

    fn record(&mut self, now: Now, event: impl Into<RunEvent>) {
        let recorded = Recorded { seq: self.seq, at: now.wall, event: event.into() };
        self.seq += 1;
        self.state.apply(&recorded);
        self.out.push(Effect::Record(Box::new(recorded)));
    }
}

/// A parameter as records have it: whole numbers and truth values as such, the rest as text.
fn recorded_param(value: &ParamValue) -> serde_json::Value {
    match value {
        ParamValue::Int(number) => (*number).into(),
        ParamValue::Bool(truth) => (*truth).into(),
        other => other.to_string().into(),
    }
}

#[cfg(test)]
#[path = "dispatcher_tests.rs"]
mod tests;
