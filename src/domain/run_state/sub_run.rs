//! One sub-run in the fold: what its own journal makes of it. A world of its own, so that many can be folded side by side.
//! Verdicts are made of the gist of each line; whole executions are kept beside that for whoever reads them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::event::{RunEvent, StepFinished, StepSpawned, StepStarted};
use crate::domain::gist::Gist;
use crate::domain::name::Name;
use crate::domain::plan::Plan;
use crate::domain::tally::{self, Child, Flaky, Tally};
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Effects, Verdict};

/// A sub-run after the events so far.
#[expect(clippy::struct_excessive_bools, reason = "four things that may be so, each for itself")]
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
    /// A rail was not where it was told to be.
    pub unheld: bool,
    /// The execution in which the host went down, unless a later try of it has ended otherwise.
    pub(crate) crashed: Option<u32>,
    /// Its executions so far; empty again after [`super::RunState::forget_steps`].
    pub executions: Vec<Execution>,
    /// What its journal says of rails, in order: held or not, restored or not; kept as long as the executions.
    pub rails: Vec<RunEvent>,
    /// What the fold needs of each execution, by its index. For the fold alone.
    pub(crate) marks: Vec<Mark>,
}

/// An execution as verdicts are made of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    index: u32,
    /// A swept field of its rails is moved by nobody.
    unapplied: bool,
    /// How it ended, and whether the diagnostic itself said so.
    ended: Option<(Verdict, bool)>,
}

/// What a sub-run is folded by, beside its events.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules<'r> {
    pub plan: &'r Plan,
    /// The swept fields that each adapter sees, as `applied` names them.
    pub swept: &'r BTreeMap<Name, Vec<String>>,
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

impl Execution {
    /// How it ended, in a word or two, once that is recorded: `exit 1`, `signal 11`, `cut off` of one that was in flight when the
    /// runner or the host died, `not started`.
    pub fn ended(&self) -> Option<String> {
        let finished = self.finished.as_ref()?;
        // That it was spawned is not synced: a host that went down may have taken that line with it.
        let was_in_flight = self.spawned.is_some() || finished.verdict == Verdict::Crashed;
        let unseen = if was_in_flight { "cut off" } else { "not started" };
        Some(finished.ended().unwrap_or_else(|| unseen.to_owned()))
    }
}

impl SubRunState {
    /// Whether its point says nothing about the margin: a rail was applied by nobody, or did not hold its setpoint.
    pub const fn says_nothing(&self) -> bool {
        self.unapplied || self.unheld
    }

    /// Whether the host went down in it, and no later try of that step ended otherwise.
    pub fn ends_crashed(&self) -> bool {
        self.verdict == Some(Verdict::Crashed) || self.crashed.is_some()
    }

    /// Takes in an event of its journal, and keeps what belongs to an execution.
    pub(super) fn absorb(&mut self, rules: &Rules<'_>, at: Timestamp, event: RunEvent) {
        self.take_in(rules, at, &Gist::of(&event));
        match event {
            RunEvent::StepStarted(started) => {
                let index = started.index;
                let execution = Execution { started, at, spawned: None, finished: None };
                put(&mut self.executions, index, execution, |execution| execution.started.index);
            }
            RunEvent::StepSpawned(event) => {
                if let Some(execution) = self.execution_mut(event.index) {
                    execution.spawned = Some(event);
                }
            }
            RunEvent::StepFinished(event) => {
                if let Some(execution) = self.execution_mut(event.index) {
                    execution.finished = Some(event);
                }
            }
            RunEvent::RailHeld(_)
            | RunEvent::RailNotHeld(_)
            | RunEvent::RailRestored(_)
            | RunEvent::RailNotRestored(_) => self.rails.push(event),
            _ => {}
        }
    }

    /// The fold itself.
    pub(super) fn take_in(&mut self, rules: &Rules<'_>, at: Timestamp, gist: &Gist<'_>) {
        match gist {
            Gist::StepStarted { index, adapter, nobody } => {
                let unmoved = |field: &String| nobody.iter().any(|unmoved| unmoved == field);
                let unapplied = rules.swept.get(&**adapter).is_some_and(|swept| swept.iter().any(unmoved));
                let mark = Mark { index: *index, unapplied, ended: None };
                put(&mut self.marks, *index, mark, |mark| mark.index);
            }
            Gist::StepFinished { index, verdict, effects, spoke } => {
                self.effects.extend(effects.iter().copied());
                self.step_finished(rules.plan, *index, *verdict, *spoke);
            }
            Gist::SubrunClosed { verdict, reason, effects } => {
                self.effects.extend(effects.iter().copied());
                // Combinations cut short are weighed by what there is of them.
                let gravest: Vec<Verdict> = self.tallies(rules.plan).map(|child| child.verdict).collect();
                for verdict in gravest {
                    self.weigh(verdict);
                }
                self.close(at, *verdict, reason.as_deref());
            }
            Gist::RailNotHeld => self.unheld = true,
            Gist::Nothing => {}
        }
    }

    fn step_finished(&mut self, plan: &Plan, index: u32, verdict: Verdict, spoke: bool) {
        let place = self.marks.binary_search_by_key(&index, |mark| mark.index);
        let Some(mark) = place.ok().and_then(|place| self.marks.get_mut(place)) else { return };
        mark.ended = Some((verdict, spoke));
        match verdict {
            Verdict::Crashed => self.crashed = Some(index),
            _ => self.crashed = self.crashed.filter(|crashed| *crashed != index),
        }
        self.unapplied |= verdict > Verdict::Skipped && mark.unapplied;
        let Some(tally) = self.combination(plan, index) else { return };
        self.weigh(tally.verdict);
        if let Some(flaky) = tally.flaky {
            // The least certain combination speaks for the sub-run.
            let before = self.flaky.filter(|before| before.is_no_surer_than(flaky));
            self.flaky = before.or(Some(flaky));
        }
    }

    /// As [`super::RunState::forget_steps`].
    pub(super) fn forget_steps(&mut self) {
        self.executions = vec![];
        self.rails = vec![];
        self.marks = vec![];
    }

    pub(super) fn close(&mut self, at: Timestamp, verdict: Verdict, reason: Option<&str>) {
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

    /// The ended executions among `count` from `first` on: how, and whether the diagnostic said so.
    fn finished(&self, first: u32, count: u32) -> impl Iterator<Item = (Verdict, bool)> {
        let from = self.marks.partition_point(|mark| mark.index < first);
        let within = move |mark: &&Mark| mark.index - first < count;
        self.marks.iter().skip(from).take_while(within).filter_map(|mark| mark.ended)
    }

    /// What the combination of the execution at `index` comes to, once all its repetitions have ended.
    pub(super) fn combination(&self, plan: &Plan, index: u32) -> Option<Tally> {
        let (template, _, repetition) = plan.experiment.locate(index)?;
        let first = index - repetition;
        let verdicts: Vec<Verdict> = self.finished(first, template.repeat).map(|(verdict, _)| verdict).collect();
        let complete = verdicts.len() >= template.repeat as usize;
        complete.then(|| tally::repetitions(template.pass_rule, &verdicts)).flatten()
    }

    /// Every combination that has an ended execution, in order, weighed by its rule.
    pub(super) fn tallies<'s>(&'s self, plan: &'s Plan) -> impl Iterator<Item = Child> + 's {
        let combinations = plan.experiment.steps.iter().flat_map(|s| s.combinations.iter().map(move |_| s));
        let mut next = 0;
        combinations.filter_map(move |template| {
            let first = next;
            next += template.repeat;
            let verdicts: Vec<Verdict> = self.finished(first, template.repeat).map(|(verdict, _)| verdict).collect();
            let tally = tally::repetitions(template.pass_rule, &verdicts)?;
            // A rule's skip has no exit code; the diagnostic's own word has one.
            let own_word = |(verdict, spoke): (Verdict, bool)| verdict == Verdict::Skipped && spoke;
            let skipped = self.finished(first, template.repeat).any(own_word);
            Some(Child { verdict: tally.verdict, leaves_gap: skipped && !template.optional })
        })
    }
}

/// Puts something in its place by its index; another attempt takes the place of the one before.
fn put<T>(sorted: &mut Vec<T>, index: u32, new: T, key: impl Fn(&T) -> u32) {
    match sorted.binary_search_by_key(&index, key) {
        Ok(before) => {
            if let Some(slot) = sorted.get_mut(before) {
                *slot = new;
            }
        }
        Err(place) => sorted.insert(place, new),
    }
}
