//! A run as its runner left it, for whoever goes on with it: from `plan.json` and the journals alone. Never writes, and never
//! decides what is to be done about it.

use std::collections::BTreeSet;
use std::convert::Infallible;

use super::journal::JournalTail;
use super::record::{Damage, Record};
use super::record_fold::Folded;
use crate::domain::event::{Recorded, RestoredBy, RunEvent, RunStatus};
use crate::domain::name::Name;
use crate::domain::run_state::RunState;
use crate::domain::verdict::Verdict;

/// What a runner left.
#[expect(clippy::struct_excessive_bools, reason = "four things that may be so, each for itself")]
#[derive(Debug)]
pub struct Interrupted {
    /// The journals, folded; with the executions of the sub-run that began last and of no other.
    pub state: RunState,
    /// What is not as it should be.
    pub damage: Vec<Damage>,
    /// The sub-run that began last has its first line.
    pub is_opened: bool,
    /// The run's own journal says how that sub-run ended; also where none ever began.
    pub is_told: bool,
    /// The last runner had moved rails, and neither it nor its guardian brought them home.
    pub is_away: bool,
    /// It was a dry run: it has executed nothing.
    pub dry_run: bool,
    /// The run ends once so many sub-runs have failed.
    pub max_fail: Option<u32>,
    /// How it ended, where its journal says that it did.
    pub ended_as: Option<RunStatus>,
    /// How each of its runners fared, oldest first.
    pub runners: Vec<Fared>,
}

/// What became of one runner of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fared {
    /// The boot that it lived in, where the kernel said.
    pub boot_id: Option<String>,
    /// It was not the run's first.
    pub resumed: bool,
    /// A sub-run ended under it that the host outlived.
    pub got_on: bool,
}

impl Fared {
    fn is_of_another_boot(&self, now: Option<&str>) -> bool {
        matches!((self.boot_id.as_deref(), now), (Some(then), Some(now)) if then != now)
    }
}

impl Interrupted {
    /// Reads what is left of a run.
    pub fn read(record: &Record) -> Self {
        let begun_last = newest(record, |event| match event {
            RunEvent::SubrunStarted(event) => Some(event.index),
            _ => None,
        });
        let Ok(Folded { state, damage }) = record.fold(|state, index| {
            if begun_last != Some(index) {
                state.forget_steps(index);
            }
            Ok::<(), Infallible>(())
        });
        let started = newest(record, |event| match event {
            RunEvent::RunStarted(event) => Some((event.dry_run, event.max_fail)),
            _ => None,
        });
        let (dry_run, max_fail) = started.unwrap_or_default();
        let ended_as = newest(record, |event| match event {
            RunEvent::RunFinished(event) => Some(event.status),
            _ => None,
        });
        let is_told = begun_last.is_none_or(|last| {
            let tells = |event: &RunEvent| matches!(event, RunEvent::SubrunFinished(event) if event.index == last);
            record.events.iter().any(|recorded| tells(&recorded.event))
        });
        let (is_opened, is_away) = begun_last.map(|index| looks(record, &state, index)).unwrap_or_default();
        let runners = runners(&record.events);
        Self { state, damage, is_opened, is_told, is_away, dry_run, max_fail, ended_as, runners }
    }

    /// Whether the host went down since the last runner began; `now` is the boot that we live in. Not where either is unknown.
    pub fn is_of_another_boot(&self, now: Option<&str>) -> bool {
        self.runners.last().is_some_and(|runner| runner.is_of_another_boot(now))
    }

    /// How many resumes in a row, up to the last, ended in another boot before any sub-run had ended that the host outlived;
    /// `now` is the boot that we live in. Runners that died within one boot do not count.
    pub fn crashes_in_a_row(&self, now: Option<&str>) -> usize {
        let next = self.runners.iter().skip(1).map(|runner| runner.boot_id.as_deref()).chain([now]);
        let both: Vec<(&Fared, Option<&str>)> = self.runners.iter().zip(next).collect();
        let mut count = 0;
        for (runner, next) in both.into_iter().rev() {
            if runner.got_on || !runner.resumed {
                break;
            }
            count += usize::from(runner.is_of_another_boot(next));
        }
        count
    }
}

/// What the newest event of the run's own journal says that says anything of the kind.
fn newest<T>(record: &Record, says: impl Fn(&RunEvent) -> Option<T>) -> Option<T> {
    record.events.iter().rev().find_map(|recorded| says(&recorded.event))
}

/// Whether the journal of a sub-run has a line, and whether its rails were left away.
fn looks(record: &Record, state: &RunState, index: u32) -> (bool, bool) {
    let id = state.header.sub_run_id(state.plan.experiment.sub_runs(), index);
    let Ok(folder) = record.entry.dir.subrun(&id) else { return (false, false) };
    let resumed = record.events.iter().filter(|recorded| matches!(recorded.event, RunEvent::RunResumed(_)));
    let resumed = resumed.map(|recorded| recorded.seq).max();
    let mut is_opened = false;
    let mut away: BTreeSet<Name> = BTreeSet::new();
    // Damage was told by the fold.
    let _ = JournalTail::new(&folder.steps()).poll(&mut |Recorded { seq, event, .. }| {
        is_opened = true;
        match event {
            RunEvent::RailMoving(event) => {
                away.insert(event.rail);
            }
            // Whoever comes after the runner brings rails home that a host left away which went down: that it did is still
            // to be recorded, unless a runner has begun since, which has done so.
            RunEvent::RailRestored(event) => {
                let after = matches!(event.by, RestoredBy::Resume | RestoredBy::Hand);
                if !after || resumed.is_some_and(|resumed| resumed > seq) {
                    away.remove(&event.rail);
                }
            }
            _ => {}
        }
    });
    (is_opened, !away.is_empty())
}

fn runners(events: &[Recorded]) -> Vec<Fared> {
    let mut all: Vec<Fared> = vec![];
    for recorded in events {
        match &recorded.event {
            RunEvent::RunStarted(event) => {
                all.push(Fared { boot_id: event.boot_id.clone(), resumed: false, got_on: false });
            }
            RunEvent::RunResumed(event) => {
                all.push(Fared { boot_id: event.boot_id.clone(), resumed: true, got_on: false });
            }
            RunEvent::SubrunFinished(event) => {
                if let Some(runner) = all.last_mut() {
                    runner.got_on |= !matches!(event.verdict, Verdict::Crashed | Verdict::Skipped);
                }
            }
            _ => {}
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{RunResumed, RunStarted, SubrunFinished, SubrunStarted};
    use crate::domain::kit;
    use crate::domain::verdict::Effects;
    use crate::store::test_run::{TestRun, plan};

    fn begun(boot: &str) -> RunEvent {
        RunStarted { boot_id: Some(boot.into()), pid: 1, dry_run: false, max_fail: Some(3) }.into()
    }

    fn resumed(boot: &str) -> RunEvent {
        RunResumed { boot_id: Some(boot.into()), pid: 1, drift: vec![] }.into()
    }

    fn ended(index: u32, verdict: Verdict) -> RunEvent {
        SubrunFinished { id: "x".into(), index, verdict, effects: Effects::new(), reason: None }.into()
    }

    fn read(events: Vec<RunEvent>) -> Interrupted {
        let run = TestRun::of(&plan(2, 2), &kit::recorded(events));
        Interrupted::read(&Record::open(run.entry()))
    }

    #[test]
    fn resumes_that_end_in_another_boot_are_counted() {
        let check = |events: Vec<RunEvent>, now: Option<&str>, expected: usize| {
            assert_eq!(read(events.clone()).crashes_in_a_row(now), expected, "{events:?} {now:?}");
        };
        check(vec![begun("a")], Some("b"), 0);
        check(vec![begun("a"), resumed("b")], Some("b"), 0);
        check(vec![begun("a"), resumed("b")], Some("c"), 1);
        check(vec![begun("a"), resumed("b")], None, 0);
        check(vec![begun("a"), resumed("b"), resumed("c"), resumed("d")], Some("e"), 3);
        // A runner that died within one boot neither counts nor ends the row.
        check(vec![begun("a"), resumed("b"), resumed("b"), resumed("c")], Some("d"), 2);
        // What is recorded of the crash before is no progress, nor is what a rule leaves out.
        let crashed = || ended(0, Verdict::Crashed);
        check(vec![begun("a"), resumed("b"), crashed(), ended(1, Verdict::Skipped)], Some("c"), 1);
        check(vec![begun("a"), resumed("b"), crashed(), ended(1, Verdict::Fail), resumed("c")], Some("d"), 1);
        check(vec![begun("a"), resumed("b"), resumed("c"), ended(1, Verdict::Pass)], Some("d"), 0);
    }

    #[test]
    fn what_a_runner_was_told_is_kept() {
        let left = read(vec![begun("a"), resumed("b")]);
        assert_eq!((left.max_fail, left.dry_run), (Some(3), false));
        let check = |now: Option<&str>, expected| assert_eq!(left.is_of_another_boot(now), expected, "{now:?}");
        check(Some("b"), false);
        check(Some("a"), true);
        check(None, false);
        assert!(left.is_told && !left.is_opened && !left.is_away);
    }

    #[test]
    fn the_sub_run_that_is_open_is_known_with_its_executions() {
        let events = kit::story(&plan(2, 2), &[vec![Verdict::Pass, Verdict::Fail], vec![Verdict::Pass]]);
        let last = events.iter().rposition(|event| matches!(event, RunEvent::SubrunClosed(_))).unwrap();
        let left = read(events[..last].to_vec());
        assert_eq!(left.state.current, Some(1));
        assert!(left.is_opened && !left.is_told);
        let counts: Vec<usize> = left.state.sub_runs.iter().map(|sub_run| sub_run.executions.len()).collect();
        assert_eq!(counts, [0, 1, 0, 0]);
        let left = read(events[..=last].to_vec());
        assert!(!left.is_told, "it is closed, and the run does not know");
        let begins =
            events.iter().position(|event| matches!(event, RunEvent::SubrunStarted(SubrunStarted { index: 1, .. })));
        let left = read(events[..=begins.unwrap()].to_vec());
        assert!(!left.is_opened && left.state.current == Some(1));
    }
}
