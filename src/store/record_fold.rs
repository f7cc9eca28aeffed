//! A stored record to the state of its run: the run's own journal whole, then each sub-run's at its turn. In one thread
//! where the executions are to be kept or seen in order, in several where something small is made of each.
//!
//! Sub-runs are worlds of their own, so they can be read at the same time. Memory does not grow with the number of
//! executions as long as whoever sees a sub-run lets its steps go.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::mem;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::gist;
use super::journal;
use super::record::{Damage, Record, read_journal, read_lines};
use crate::domain::event::{Journal, Recorded, RunEvent, RunStatus, SubrunStarted};
use crate::domain::run_state::{RunState, Sessions, SubRunState};
use crate::domain::summary;

/// The fold of a whole record.
#[derive(Debug)]
pub struct Folded {
    /// The run, with as many executions as the caller left in it.
    pub state: RunState,
    /// Everything that was found wrong.
    pub damage: Vec<Damage>,
}

/// A sub-run to be read.
#[derive(Debug)]
struct ToRead {
    index: u32,
    id: String,
    journal: Expect,
}

/// Whether a sub-run has a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Must,
    May,
    Cannot,
}

/// How much of a sub-run's journal is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Every execution, as far as it is recorded.
    Executions,
    /// What verdicts, effects and counts are made of.
    Gist,
}

/// What came of some sub-runs that one thread has read.
struct Batch<T> {
    made: T,
    sub_runs: Vec<(u32, SubRunState)>,
    sessions: Sessions,
    damage: Vec<Damage>,
}

/// What is said of a summary whose counts are not those of the journals.
pub(super) const NOT_COUNTED: &str = "does not count what the journals say";
/// So many executions, planned, make a batch; a sub-run is never split.
const BATCH: u32 = 2_000;
/// More threads than this only wait for each other.
const THREADS: usize = 4;

impl Record {
    /// Folds the journals, sub-run by sub-run in the order of the plan, those that never started included. `each` sees
    /// every sub-run with its executions in the state and may take them out ([`RunState::forget_steps`]); its error ends
    /// the reading.
    pub fn fold<E>(&self, mut each: impl FnMut(&mut RunState, u32) -> Result<(), E>) -> Result<Folded, E> {
        let mut state = self.begun();
        let current = state.current;
        let mut damage = self.damage.clone();
        for sub_run in &self.sub_runs() {
            self.take_in(&mut state, sub_run, Depth::Executions, &mut damage);
            each(&mut state, sub_run.index)?;
        }
        state.current = current;
        Ok(self.finished(state, damage))
    }

    /// Folds the journals in several threads. `part` begins what is to be made of some sub-runs, `each` adds a sub-run to
    /// it while its executions are at hand, and `join` gets the parts in the order of the plan; its error ends the
    /// reading. The state that is returned holds no executions.
    pub fn fold_parts<T: Send, E>(
        &self,
        part: impl Fn() -> T + Sync,
        each: impl Fn(&mut T, &RunState, u32) + Sync,
        join: impl FnMut(T) -> Result<(), E>,
    ) -> Result<Folded, E> {
        self.fold_shared(Depth::Executions, part, each, join)
    }

    /// Folds the journals to all that cells, counts and edges are made of, in several threads and as quickly as it goes:
    /// each line is checked to be JSON, and only what the fold needs of it is decoded. The state holds no executions.
    pub fn cells(&self) -> Folded {
        let Ok(folded) = self.fold_shared(Depth::Gist, || (), |(), _, _| (), |()| Ok::<(), Infallible>(()));
        folded
    }

    fn fold_shared<T: Send, E>(
        &self,
        depth: Depth,
        part: impl Fn() -> T + Sync,
        each: impl Fn(&mut T, &RunState, u32) + Sync,
        mut join: impl FnMut(T) -> Result<(), E>,
    ) -> Result<Folded, E> {
        let mut state = self.begun();
        let mut damage = self.damage.clone();
        let sub_runs = self.sub_runs();
        let executions = self.plan.experiment.executions().max(1);
        let batches: Vec<&[ToRead]> = sub_runs.chunks((BATCH / executions).max(1) as usize).collect();
        let threads =
            thread::available_parallelism().map_or(1, usize::from).clamp(1, THREADS).min(batches.len().max(1));
        thread::scope(|scope| {
            // Each thread takes every n-th batch and hands it over on a channel of its own: asked in turn, they come in order.
            let mut channels = vec![];
            for first in 0..threads {
                let (send, receive) = sync_channel(1);
                let (own, batches, part, each) = (state.clone(), &batches, &part, &each);
                scope.spawn(move || {
                    let share = batches.iter().skip(first).step_by(threads).copied();
                    self.read_share(own, depth, share, part, each, &send);
                });
                channels.push(receive);
            }
            for at in 0..batches.len() {
                let Some(Ok(batch)) = channels.get(at % threads).map(Receiver::recv) else { break };
                for (index, sub_run) in batch.sub_runs {
                    if let Some(slot) = state.sub_runs.get_mut(index as usize) {
                        *slot = sub_run;
                    }
                }
                state.sessions.join(&batch.sessions);
                damage.extend(batch.damage);
                join(batch.made)?;
            }
            Ok(())
        })?;
        Ok(self.finished(state, damage))
    }

    /// Reads batches until there is none left, or nobody wants any more.
    fn read_share<'b, T>(
        &self,
        mut state: RunState,
        depth: Depth,
        share: impl Iterator<Item = &'b [ToRead]>,
        part: impl Fn() -> T,
        each: impl Fn(&mut T, &RunState, u32),
        send: &SyncSender<Batch<T>>,
    ) {
        for sub_runs in share {
            let mut batch = Batch { made: part(), sub_runs: vec![], sessions: Sessions::default(), damage: vec![] };
            for sub_run in sub_runs {
                self.take_in(&mut state, sub_run, depth, &mut batch.damage);
                each(&mut batch.made, &state, sub_run.index);
                state.forget_steps(sub_run.index);
                if let Some(slot) = state.sub_runs.get_mut(sub_run.index as usize) {
                    batch.sub_runs.push((sub_run.index, mem::take(slot)));
                }
            }
            batch.sessions = state.sessions.clone();
            if send.send(batch).is_err() {
                return;
            }
        }
    }

    /// The run after its own journal.
    pub(super) fn begun(&self) -> RunState {
        let mut state = RunState::new(self.header(), Arc::clone(&self.plan));
        self.events.iter().for_each(|recorded| state.apply(recorded));
        state
    }

    /// Takes in the journal of one sub-run.
    fn take_in(&self, state: &mut RunState, sub_run: &ToRead, depth: Depth, damage: &mut Vec<Damage>) {
        let dir = &self.entry.dir;
        let must = match sub_run.journal {
            Expect::Cannot => return,
            expect => expect == Expect::Must,
        };
        let path = match dir.subrun(&sub_run.id) {
            Ok(folder) => folder.steps(),
            Err(error) => return damage.push(Damage::of(dir, &error)),
        };
        // An event of the run's own journal has no say here: it would turn the rest to another sub-run.
        let is_own = |recorded: &Recorded| recorded.event.journal() == Journal::SubRun;
        let mut is_first = true;
        // Whose journal it is; a sub-run that has begun already stays begun when it was.
        let mut begin = |state: &mut RunState, seq, at| {
            if mem::take(&mut is_first) {
                let began = SubrunStarted { id: sub_run.id.clone(), index: sub_run.index };
                state.absorb(Recorded { seq, at, event: began.into() });
            }
        };
        if depth == Depth::Executions {
            return read_journal(dir, &path, must, damage, &mut |recorded| {
                begin(state, recorded.seq, recorded.at);
                if is_own(&recorded) {
                    state.absorb(recorded);
                }
            });
        }
        read_lines(dir, &path, must, damage, &mut |line| {
            if let Some((seq, at, gist)) = gist::read(line) {
                begin(state, seq, at);
                state.take_in(seq, at, &gist);
            } else if let Some(recorded) = journal::decode(line)? {
                begin(state, recorded.seq, recorded.at);
                if is_own(&recorded) {
                    state.absorb(recorded);
                }
            }
            Ok(())
        });
    }

    /// Every sub-run with its id, and whether it has a journal.
    fn sub_runs(&self) -> Vec<ToRead> {
        let header = self.header();
        let count = self.plan.experiment.sub_runs();
        let mut started = BTreeMap::new();
        let mut ended = BTreeSet::new();
        for recorded in &self.events {
            match &recorded.event {
                RunEvent::SubrunStarted(event) => drop(started.insert(event.index, event.id.clone())),
                RunEvent::SubrunFinished(event) => drop(ended.insert(event.index)),
                _ => {}
            }
        }
        // Without the run's journal nobody knows which sub-runs there were: those that are there are read.
        let is_blind = self.events.is_empty() || self.damage.iter().any(|d| d.file.starts_with("events.ldjson"));
        let of = |index: u32| {
            let id = started.get(&index).cloned();
            let journal = match (&id, is_blind) {
                (Some(_), _) if ended.contains(&index) => Expect::Must,
                (Some(_), _) | (None, true) => Expect::May,
                (None, false) => Expect::Cannot,
            };
            ToRead { index, id: id.unwrap_or_else(|| header.sub_run_id(count, index)), journal }
        };
        (0..count).map(of).collect()
    }

    fn finished(&self, mut state: RunState, mut damage: Vec<Damage>) -> Folded {
        // What history knows better: a runner that is gone leaves its journals at `running`.
        if let Ok(summary) = &self.entry.summary {
            state.status = summary.status;
            let is_over = !matches!(summary.status, RunStatus::Planned | RunStatus::Running | RunStatus::Interrupted);
            let counted = summary::count(state.sub_runs.iter().filter_map(|s| s.verdict));
            if is_over && damage.is_empty() && summary.counts != counted {
                let what = NOT_COUNTED.to_owned();
                damage.push(Damage { file: "summary.json".to_owned(), what, newer: false });
            }
        }
        Folded { state, damage }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::fs;

    use proptest::prelude::*;
    use rustix::fs::Mode;

    use super::*;
    use crate::domain::event::StepFinished;
    use crate::domain::flow::PassRule;
    use crate::domain::kit::{self, World};
    use crate::domain::plan::Plan;
    use crate::domain::verdict::Effect;
    use crate::domain::verdict::Verdict::{self, Fail, Pass, Timeout};
    use crate::store::test_run::{TestRun, frozen, plan};

    fn verdicts() -> Vec<Vec<Verdict>> {
        vec![vec![Pass, Pass], vec![Pass, Fail], vec![Timeout], vec![]]
    }

    fn folded(run: &TestRun) -> Folded {
        let record = Record::open(run.entry());
        let Ok(folded) = record.fold(|_, _| Ok::<(), Infallible>(()));
        folded
    }

    /// The same in several threads, with how many executions each sub-run had.
    fn in_parts(run: &TestRun) -> (Folded, Vec<(u32, usize)>) {
        let mut seen = vec![];
        let count = |part: &mut Vec<(u32, usize)>, state: &RunState, index: u32| {
            part.push((index, state.sub_runs[index as usize].executions.len()));
        };
        let record = Record::open(run.entry());
        let Ok(folded) = record.fold_parts(Vec::new, count, |part: Vec<(u32, usize)>| {
            seen.extend(part);
            Ok::<(), Infallible>(())
        });
        (folded, seen)
    }

    fn json(state: &RunState) -> String {
        let sub_runs: Vec<_> = (0..4).map(|index| state.sub_run_summary(index)).collect();
        serde_json::to_string(&(state.summary(), sub_runs, state.failures(), state.current)).unwrap()
    }

    #[test]
    fn the_fold_is_that_of_the_events_in_their_order() {
        let run = TestRun::write(&plan(2, 2), &verdicts());
        let folded = folded(&run);
        assert_eq!(folded.damage, []);
        assert_eq!(json(&folded.state), json(&run.state));
        assert_eq!(folded.state.sessions, run.state.sessions);
    }

    #[test]
    fn several_threads_come_to_the_same() {
        // So many executions are planned that a batch has two sub-runs.
        let mut world = World::grid(3, 4);
        world.flow.steps[0].repeat = BATCH / 2;
        let all: Vec<Vec<Verdict>> = verdicts().into_iter().cycle().take(12).collect();
        let run = TestRun::write(&frozen(&world), &all);
        let alone = folded(&run);
        let (together, seen) = in_parts(&run);
        assert_eq!((together.damage, &together.state.sessions), (vec![], &alone.state.sessions));
        let summary = |state: &RunState| serde_json::to_string(&(state.summary(), state.failures())).unwrap();
        assert_eq!(summary(&together.state), summary(&alone.state));
        assert_eq!(told(Record::open(run.entry()).cells().state), told(alone.state));
        let expected: Vec<(u32, usize)> = (0..).zip(all.iter().map(Vec::len)).collect();
        assert_eq!(seen, expected, "in the order of the plan");
        let record = Record::open(run.entry());
        let stopped = record.fold_parts(|| (), |(), _, _| (), |()| Err("enough"));
        assert_eq!(stopped.unwrap_err(), "enough");
    }

    #[test]
    fn executions_are_handed_over_one_sub_run_at_a_time() {
        let run = TestRun::write(&plan(2, 2), &verdicts());
        let mut seen = vec![];
        let record = Record::open(run.entry());
        let Ok(folded) = record.fold(|state, index| {
            seen.push((index, state.sub_runs[index as usize].executions.len()));
            state.forget_steps(index);
            Ok::<(), Infallible>(())
        });
        assert_eq!(seen, [(0, 2), (1, 2), (2, 1), (3, 0)]);
        assert!(folded.state.sub_runs.iter().all(|sub_run| sub_run.executions.is_empty()));
        let stopped = record.fold(|_, index| if index == 1 { Err("enough") } else { Ok(()) });
        assert_eq!(stopped.unwrap_err(), "enough");
    }

    /// What is found wrong after a change, and which sub-runs can still be told.
    fn check(change: impl FnOnce(&TestRun), expected: &[&str], sub_runs: &str) {
        let run = TestRun::write(&plan(2, 2), &verdicts());
        change(&run);
        let folded = folded(&run);
        let said: Vec<String> = folded.damage.iter().map(ToString::to_string).collect();
        assert_eq!(said, expected);
        let glyph = |v: &Option<Verdict>| v.map_or('.', Verdict::glyph);
        let shown: String = folded.state.sub_runs.iter().map(|s| glyph(&s.verdict)).collect();
        assert_eq!(shown, sub_runs, "{expected:?}");
        assert_eq!(in_parts(&run).0.damage, folded.damage);
        let cells = Record::open(run.entry()).cells();
        assert_eq!((cells.damage, told(cells.state)), (folded.damage, told(folded.state)));
    }

    /// All that a state says beside its executions.
    fn told(mut state: RunState) -> String {
        (0..u32::try_from(state.sub_runs.len()).unwrap()).for_each(|index| state.forget_steps(index));
        format!("{:?} {:?} {:?} {:#?}", state.status, state.current, state.sessions, state.sub_runs)
    }

    #[test]
    fn whatever_is_missing_or_broken_is_said_and_the_rest_is_read() {
        let steps = |index: u32| format!("subruns/rr-20250101T010101Z-abc123-s{index:02}/steps.ldjson");
        let remove = |file: &str| {
            let file = file.to_owned();
            move |run: &TestRun| fs::remove_file(run.dir.root().join(file)).unwrap()
        };
        check(|_| (), &[], "+XT~");
        check(remove("plan.json"), &["plan.json: No such file or directory"], "+XT~");
        check(
            |run| run.edit("plan.json", |text| text[..10].to_owned()),
            &["plan.json: not a plan: EOF while parsing a string at line 1 column 10"],
            "+XT~",
        );
        check(
            |run| run.edit("plan.json", |text| text.replace("\"format_version\":1", "\"format_version\":9")),
            &["plan.json: written by a newer version (format 9, this one reads up to 1)"],
            "+XT~",
        );
        check(
            |run| run.edit("plan.json", |text| text.replace("\"global_seed\":20250101", "\"global_seed\":7")),
            &["plan.json: is not what its digest was made of: it was changed after it was frozen"],
            "+XT~",
        );
        check(
            |run| run.edit("plan.json", |text| text.replace("\"repeat\":2", "\"repeat\":0")),
            &["plan.json: its tables do not fit each other"],
            "+XT~",
        );
        check(remove("summary.json"), &["summary.json: No such file or directory"], "+XT~");
        check(
            |run| run.edit("summary.json", |text| text.replace("\"timeout\": 1", "\"timeout\": 2")),
            &["summary.json: does not count what the journals say"],
            "+XT~",
        );
        check(remove("events.ldjson"), &["events.ldjson: No such file or directory"], "+XT~");
        check(
            |run| run.edit("events.ldjson", |text| text.replacen("{\"event\":\"subrun_finished\"", "garbage", 1)),
            &["events.ldjson:3: expected value at line 1 column 1"],
            "+XT~",
        );
        check(remove(&steps(1)), &[&format!("{}: No such file or directory", steps(1))], "+XT~");
        check(
            |run| run.edit(&steps(1), |text| text.replacen("{\"event\":\"step_spawned\"", "garbage", 1)),
            &[&format!("{}:3: expected value at line 1 column 1", steps(1))],
            "+XT~",
        );
        check(remove("inputs/flows/flow.yaml"), &["inputs/flows/flow.yaml: No such file or directory"], "+XT~");
        check(
            |run| run.edit("inputs/flows/flow.yaml", |_| "other".to_owned()),
            &["inputs/flows/flow.yaml: is not what the plan was made from"],
            "+XT~",
        );
        check(
            |run| {
                remove("plan.json")(run);
                remove("summary.json")(run);
            },
            &["summary.json: No such file or directory", "plan.json: No such file or directory"],
            "+XT~",
        );
    }

    #[test]
    fn a_journal_has_no_say_in_what_is_not_its_own() {
        let steps = "subruns/rr-20250101T010101Z-abc123-s00/steps.ldjson";
        let line = |name: &str, more: &str| {
            format!("{{\"event\":\"{name}\",\"seq\":1,\"at\":\"2025-01-01T01:01:01.007Z\",{more}}}\n")
        };
        let elsewhere = line("subrun_started", "\"id\":\"rr-20250101T010101Z-abc123-s03\",\"index\":3");
        check(|run| run.edit(steps, |text| elsewhere.clone() + &text), &[], "+XT~");
        let ended = line("run_finished", "\"status\":\"completed\",\"verdict\":\"pass\",\"exit_code\":0");
        check(|run| run.edit(steps, |text| text + &ended), &[], "+XT~");
        let closed = line("subrun_closed", "\"verdict\":\"error\"");
        check(|run| run.edit("events.ldjson", |text| text + &closed), &[], "+XT~");
    }

    #[test]
    fn a_fifo_in_the_place_of_a_file_makes_nobody_wait() {
        let replace = |file: &'static str| {
            move |run: &TestRun| {
                let path = run.dir.root().join(file);
                fs::remove_file(&path).unwrap();
                let (kind, mode) = (rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600));
                rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
            }
        };
        check(replace("plan.json"), &["plan.json: not a regular file"], "+XT~");
        check(replace("inputs/flows/flow.yaml"), &["inputs/flows/flow.yaml: not a regular file"], "+XT~");
    }

    /// A run whose executions end as told, each with what was seen and whether it ended by itself.
    fn any_run() -> impl Strategy<Value = (Arc<Plan>, Vec<RunEvent>)> {
        let verdict = proptest::sample::select(Verdict::ALL.to_vec());
        let verdicts = proptest::collection::vec(proptest::collection::vec(verdict, 0..=4), 0..=4);
        let rule = prop_oneof![Just(PassRule::All), Just(PassRule::Any), Just(PassRule::AtLeast(2))];
        let effect = proptest::option::of(proptest::sample::select(Effect::ALL.to_vec()));
        let ends = proptest::collection::vec((effect, proptest::option::of(0..3)), 16);
        (verdicts, rule, any::<bool>(), ends).prop_map(|(verdicts, rule, applies, ends)| {
            let mut world = World::grid(2, 2);
            world.flow.steps[0].repeat = 4;
            world.flow.steps[0].pass_rule = rule;
            if !applies {
                world.adapter("cpu_smoke").params.retain(|param| param.name.as_str() != "vcore");
            }
            let plan = frozen(&world);
            let mut events = kit::story(&plan, &verdicts);
            let steps = events.iter_mut().filter_map(|event| match event {
                RunEvent::StepFinished(event) => Some(event),
                _ => None,
            });
            for (step, (effect, exit_code)) in steps.zip(ends) {
                **step = StepFinished { effects: effect.into_iter().collect(), exit_code, ..(**step).clone() };
            }
            (plan, events)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn cells_are_those_of_the_whole_fold((plan, events) in any_run()) {
            let run = TestRun::of(&plan, &kit::recorded(events));
            let cells = Record::open(run.entry()).cells();
            let whole = folded(&run);
            prop_assert_eq!((cells.damage, told(cells.state)), (whole.damage, told(whole.state)));
        }
    }
}
