//! The run's rules and the whole cancel ladder, without a process and without a clock.

use std::fmt::Write as _;

use super::*;
use crate::domain::event::RunStatus;
use crate::domain::margin::{RailField, StopAfter};
use crate::engine::in_flight::UNKILLABLE_AFTER;
use crate::engine::test_support::{adapter, admitted, experiment, name, step};
use crate::store::journal;

#[cfg(test)]
#[path = "dispatcher_rail_tests.rs"]
mod rails;
#[cfg(test)]
#[path = "dispatcher_resume_tests.rs"]
mod resuming;

/// A dispatcher with a clock that only the test moves, and everything it asked for as text.
struct Bench {
    dispatcher: Dispatcher,
    ms: u64,
    said: String,
}

/// A plan of `voltages` sub-runs with the steps `a` and `b`, changed by `change`.
fn bench(voltages: u32, dry_run: bool, max_fail: Option<u32>, change: impl FnOnce(&mut Plan)) -> Bench {
    let adapters = ["a", "b"].map(|one| (name(one), adapter("/bin/true")));
    let plan = experiment(1, voltages, BTreeMap::from(adapters), vec![step("a", &[]), step("b", &[])]);
    let frozen = admitted(plan);
    let mut plan = Plan::clone(frozen.value());
    change(&mut plan);
    let bounds = plan.experiment.bounds.clone();
    let plan = crate::domain::admission::admit(Arc::new(plan), &bounds).unwrap();
    let header = RunHeader { run_id: "rr-1".to_owned(), source_run: None, dry_run, version: "0".to_owned() };
    let orders = Orders { max_fail, ..Orders::default() };
    Bench { dispatcher: Dispatcher::new(&plan, header, orders), ms: 0, said: String::new() }
}

fn plain(voltages: u32) -> Bench {
    bench(voltages, false, None, |_| {})
}

impl Bench {
    fn now(&self) -> Now {
        Now {
            monotonic: Duration::from_millis(self.ms),
            wall: Timestamp::from_millis(i64::try_from(self.ms).unwrap()).unwrap(),
        }
    }

    /// Gives one input and returns the effects in short.
    fn hear(&mut self, input: Input) -> String {
        let now = self.now();
        let effects = self.dispatcher.handle(now, input);
        let mut text = String::new();
        for (position, effect) in effects.iter().enumerate() {
            let answered = matches!(
                effect,
                Effect::Enter
                    | Effect::Leave
                    | Effect::ReadRails
                    | Effect::MoveRails(_)
                    | Effect::HomeRails(_)
                    | Effect::Start(_)
                    | Effect::Restore
                    | Effect::Judge(_)
            );
            assert!(!answered || position + 1 == effects.len(), "{effect:?} must be the last of {effects:?}");
            text += &short(effect);
            text.push(' ');
        }
        let text = text.trim_end().to_owned();
        let _ = writeln!(self.said, "{text}");
        text
    }

    /// Up to the first step's process.
    fn running(&mut self) {
        self.hear(Input::Begin);
        self.hear(Input::Entered);
        self.spawned();
    }

    fn spawned(&mut self) {
        self.hear(Input::Spawned { pid: 7, start_ticks: None });
    }

    fn judged(&mut self, verdict: Verdict) -> String {
        let judged = Judged { verdict, reason: None, exit_code: Some(0), error: None, ..never() };
        self.hear(Input::Judged(Box::new(judged)))
    }

    /// A step that has a process runs to its end with that verdict.
    fn ends(&mut self, verdict: Verdict) -> String {
        assert_eq!(self.hear(Input::LeaderEnded { left: 0 }), "judge");
        self.judged(verdict)
    }

    /// Everything else goes well: answers all questions until the run is over.
    fn finish_from(&mut self, mut last: String) -> String {
        for _ in 0..1000 {
            last = match last.rsplit(' ').next().unwrap_or_default() {
                "enter" => self.hear(Input::Entered),
                "leave" => self.hear(Input::Left),
                "restore" => self.hear(Input::Restored(Ok(()))),
                "judge" => self.judged(Verdict::Pass),
                word if word.starts_with("start:") => {
                    self.spawned();
                    self.hear(Input::LeaderEnded { left: 0 })
                }
                word if word.starts_with("finish:") => return word.to_owned(),
                _ => return last,
            };
        }
        panic!("the run does not end:\n{}", self.said);
    }
}

fn never() -> Judged {
    Judged::never_ran(Verdict::Error, String::new())
}

fn short(effect: &Effect) -> String {
    match effect {
        Effect::Record(recorded) => match &recorded.event {
            RunEvent::Cancelling(event) => format!("+cancelling:{}", event.reason.as_str()),
            RunEvent::StepStarted(event) => format!("+started:{}", event.step),
            RunEvent::StepFinished(event) => format!("+finished:{}:{}", event.step, event.verdict),
            RunEvent::SubrunClosed(event) => format!("+closed:{}", event.verdict),
            RunEvent::SubrunFinished(event) => format!("+subrun_finished:{}:{}", event.index, event.verdict),
            RunEvent::RunFinished(event) => format!("+run_finished:{}:{}", event.status, event.verdict),
            other => format!("+{}", other.name()),
        },
        Effect::Sync => "sync".to_owned(),
        Effect::OpenSubRun(index) => format!("open:{index}"),
        Effect::ReopenSubRun(index) => format!("reopen:{index}"),
        Effect::LookBack(left) => format!("look_back:{}.{}", left.start.step, left.start.attempt),
        Effect::Enter => "enter".to_owned(),
        Effect::Leave => "leave".to_owned(),
        Effect::CoolDown => "cool".to_owned(),
        Effect::ReadRails => "read".to_owned(),
        Effect::KeepNominal(levels) => format!("keep:{}", levels.len()),
        Effect::MoveRails(writes) => format!("move:{}", writes.len()),
        Effect::HomeRails(_) => "home".to_owned(),
        Effect::RailsAreHome => "are_home".to_owned(),
        Effect::FilesToDisk => "files".to_owned(),
        Effect::CloseSubRun(index) => format!("close:{index}"),
        Effect::Start(start) => format!("start:{}", start.step),
        Effect::Terminate => "TERM".to_owned(),
        Effect::Kill => "KILL".to_owned(),
        Effect::Abandon => "abandon".to_owned(),
        Effect::Restore => "restore".to_owned(),
        Effect::Judge(_) => "judge".to_owned(),
        Effect::Finish(code) => format!("finish:{code}"),
    }
}

#[test]
fn a_whole_run_is_recorded_before_it_is_done() {
    let mut bench = plain(1);
    let first = bench.hear(Input::Begin);
    assert_eq!(bench.finish_from(first), "finish:0");
    insta::assert_snapshot!(bench.said, @r"
    +run_started +subrun_started sync open:0 +subrun_opened enter
    +started:a sync start:a
    +step_spawned
    judge
    +finished:a:pass +started:b sync start:b
    +step_spawned
    judge
    +finished:b:pass leave
    files +closed:pass sync close:0 +subrun_finished:0:pass +run_finished:completed:pass sync finish:0
    ");
    let state = bench.dispatcher.state();
    assert_eq!((state.status, state.end), (RunStatus::Completed, Some((Verdict::Pass, 0))));
}

#[test]
fn a_dry_run_starts_nothing() {
    let mut bench = bench(1, true, None, |_| {});
    let first = bench.hear(Input::Begin);
    assert_eq!(bench.finish_from(first), "finish:0");
    insta::assert_snapshot!(bench.said, @r"
    +run_started +subrun_started sync open:0 +subrun_opened enter
    +started:a +finished:a:skipped +started:b +finished:b:skipped leave
    files +closed:skipped sync close:0 +subrun_finished:0:skipped +run_finished:dry_run:skipped sync finish:0
    ");
}

#[test]
fn one_interrupt_terminates_and_the_second_kills() {
    let mut bench = plain(2);
    bench.running();
    assert_eq!(bench.hear(Input::Interrupt), "TERM +cancelling:interrupt");
    assert_eq!(bench.hear(Input::Interrupt), "KILL +cancelling:kill");
    assert_eq!(bench.hear(Input::Interrupt), "");
    let last = bench.ends(Verdict::Aborted);
    assert_eq!(last, "+finished:a:aborted leave");
    assert_eq!(bench.finish_from(last), "finish:130");
    let state = bench.dispatcher.state();
    assert_eq!(state.status, RunStatus::Cancelled);
    assert_eq!(state.sub_runs[0].verdict, Some(Verdict::Aborted));
    assert_eq!(state.sub_runs[1].verdict, None);
}

#[test]
fn grace_and_then_a_kill_and_then_no_more_waiting() {
    let mut bench = plain(1);
    bench.running();
    bench.ms = 29_999;
    assert_eq!(bench.hear(Input::Deadline), "");
    bench.ms = 30_000;
    assert_eq!(bench.hear(Input::Deadline), "TERM");
    bench.ms = 35_000;
    assert_eq!(bench.hear(Input::Deadline), "KILL");
    bench.ms += u64::try_from(UNKILLABLE_AFTER.as_millis()).unwrap();
    assert_eq!(bench.hear(Input::Deadline), "abandon +cancelling:restore_failed judge");
    let last = bench.judged(Verdict::Error);
    assert_eq!(bench.finish_from(last), "finish:4");
}

#[test]
fn what_a_leader_leaves_is_ended_before_the_next_step() {
    let mut bench = plain(1);
    bench.running();
    bench.ms = 10;
    assert_eq!(bench.hear(Input::LeaderEnded { left: 2 }), "TERM");
    bench.ms = 5010;
    assert_eq!(bench.hear(Input::Deadline), "KILL");
    assert_eq!(bench.hear(Input::TreeGone), "judge");
    assert_eq!(bench.judged(Verdict::Pass), "+finished:a:pass +started:b sync start:b");
}

/// Every way to be asked to stop, at each place of a run: what it does to a step in flight, and the exit code.
#[test]
fn reasons_and_codes() {
    let check = |inputs: Vec<Input>, effects: &str, code: &str| {
        let mut bench = plain(2);
        bench.running();
        let said: Vec<String> = inputs.iter().map(|input| bench.hear(input.clone())).collect();
        assert_eq!(said.join(" | "), effects, "{inputs:?}");
        let last = bench.ends(Verdict::Pass);
        assert_eq!(bench.finish_from(last), code, "{inputs:?}");
    };
    let hup_again = Input::Hangup;
    let (int, term, hup, usr) = (Input::Interrupt, Input::Terminate, Input::Hangup, Input::StopAfterStep);
    check(vec![usr.clone()], "+cancelling:stop_after_step", "finish:130");
    check(vec![hup.clone()], "TERM +cancelling:hangup", "finish:129");
    check(vec![term.clone()], "TERM +cancelling:terminate", "finish:143");
    check(vec![int.clone()], "TERM +cancelling:interrupt", "finish:130");
    check(vec![usr.clone(), usr.clone()], "+cancelling:stop_after_step | ", "finish:130");
    check(vec![usr.clone(), term.clone()], "+cancelling:stop_after_step | TERM +cancelling:terminate", "finish:143");
    check(vec![term.clone(), hup.clone()], "TERM +cancelling:terminate | ", "finish:143");
    check(vec![hup, term.clone()], "TERM +cancelling:hangup | +cancelling:terminate", "finish:143");
    check(vec![term.clone(), usr], "TERM +cancelling:terminate | ", "finish:143");
    check(vec![term, int.clone()], "TERM +cancelling:terminate | +cancelling:interrupt", "finish:130");
    check(vec![int.clone(), int], "TERM +cancelling:interrupt | KILL +cancelling:kill", "finish:130");
    check(vec![Input::Quit], "KILL +cancelling:quit", "finish:131");
    check(
        vec![hup_again, Input::Quit, Input::Interrupt],
        "TERM +cancelling:hangup | KILL +cancelling:quit | ",
        "finish:131",
    );
    check(vec![Input::RecordFailed("full".to_owned())], "TERM +cancelling:record_failed", "finish:4");
    check(vec![Input::LogFailed("no holes".to_owned())], "TERM", "finish:0");
}

/// Any two signals, at any place of a run: it ends, the last word of the record is `run_finished`, nothing more starts.
#[test]
fn signals_squared_at_every_place() {
    let signals = [Input::Interrupt, Input::Terminate, Input::Hangup, Input::StopAfterStep];
    for (first, second) in signals.iter().flat_map(|one| signals.iter().map(move |two| (one, two))) {
        for place in 0..12 {
            let mut bench = bench(2, false, None, |plan| {
                let restore = plan.experiment.adapters[&name("a")].executable.clone();
                for adapter in plan.experiment.adapters.values_mut() {
                    adapter.restore.push(restore.clone());
                }
            });
            let script = [
                Input::Begin,
                Input::Entered,
                Input::Spawned { pid: 1, start_ticks: None },
                Input::LogsGrew,
                Input::LeaderEnded { left: 1 },
                Input::TreeGone,
                Input::Restored(Ok(())),
                Input::Judged(Box::new(Judged { verdict: Verdict::Pass, ..never() })),
                Input::Spawned { pid: 2, start_ticks: None },
                Input::LeaderEnded { left: 0 },
                Input::Restored(Ok(())),
                Input::Judged(Box::new(Judged { verdict: Verdict::Pass, ..never() })),
            ];
            let mut last = String::new();
            for input in script.into_iter().take(place) {
                last = bench.hear(input);
            }
            let before = bench.said.len();
            for signal in [first, second] {
                let said = bench.hear(signal.clone());
                assert!(!said.contains("+started") && !said.contains("finish:"), "{said}");
            }
            // What was asked for before the signals is answered now.
            last = match place {
                0 => bench.hear(Input::Begin),
                3 | 4 | 9 => bench.hear(Input::LeaderEnded { left: 0 }),
                5 => bench.hear(Input::TreeGone),
                _ => last,
            };
            let end = bench.finish_from(last);
            let after = &bench.said[before..];
            assert!(end.starts_with("finish:1"), "{place} {first:?} {second:?}: {end}\n{after}");
            assert!(!after.contains("+started"), "{place}: {after}");
            let expected = usize::from(place > 0 || after.contains("+closed"));
            assert_eq!(after.matches("+closed").count(), expected, "{place}: {after}");
            assert_eq!(after.matches("+run_finished:cancelled").count(), 1, "{place}: {after}");
        }
    }
}

#[test]
fn an_input_out_of_place_changes_nothing() {
    let mut bench = plain(1);
    bench.running();
    for input in [
        Input::Begin,
        Input::Entered,
        Input::Spawned { pid: 9, start_ticks: None },
        Input::NotStarted(String::new()),
        Input::Restored(Ok(())),
        Input::Left,
        Input::Judged(Box::new(never())),
    ] {
        assert_eq!(bench.hear(input), "");
    }
    let last = bench.ends(Verdict::Pass);
    assert_eq!(bench.finish_from(last), "finish:0");
    assert_eq!(bench.hear(Input::Interrupt), "", "it is over");
}

#[test]
fn what_a_failure_leads_to() {
    let check = |rule: OnFailure, verdict: Verdict, expected: &str, code: &str| {
        let mut bench = bench(2, false, None, |plan| plan.experiment.steps[0].on_failure = rule);
        bench.running();
        let last = bench.ends(verdict);
        assert_eq!(last, expected);
        assert_eq!(bench.finish_from(last), code);
        bench.dispatcher.state().sub_runs[0].verdict.unwrap()
    };
    let goes_on = "+finished:a:fail +started:b sync start:b";
    assert_eq!(check(OnFailure::Continue, Verdict::Fail, goes_on, "finish:1"), Verdict::Fail);
    let stops = "+finished:a:fail leave";
    assert_eq!(check(OnFailure::StopSubrun, Verdict::Fail, stops, "finish:1"), Verdict::Fail);
    let ends = "+finished:a:fail +cancelling:stop_run leave";
    assert_eq!(check(OnFailure::StopRun, Verdict::Fail, ends, "finish:1"), Verdict::Fail);
    let doubtful = "+finished:a:inconclusive +started:b sync start:b";
    assert_eq!(check(OnFailure::StopRun, Verdict::Inconclusive, doubtful, "finish:6"), Verdict::Inconclusive);
}

#[test]
fn on_failure_looks_at_repetitions_together() {
    let mut bench = bench(1, false, None, |plan| {
        let step = &mut plan.experiment.steps[0];
        (step.repeat, step.pass_rule, step.on_failure) =
            (3, crate::domain::flow::PassRule::AtLeast(2), OnFailure::StopRun);
    });
    bench.running();
    assert_eq!(bench.ends(Verdict::Fail), "+finished:a:fail +started:a sync start:a");
    bench.spawned();
    bench.ends(Verdict::Pass);
    bench.spawned();
    assert_eq!(bench.ends(Verdict::Pass), "+finished:a:pass +started:b sync start:b");
}

#[test]
fn max_fail_counts_sub_runs() {
    let mut bench = bench(4, false, Some(2), |_| {});
    let mut last = bench.hear(Input::Begin);
    for _ in 0..2 {
        bench.hear(Input::Entered);
        bench.spawned();
        bench.ends(Verdict::Fail);
        bench.spawned();
        bench.ends(Verdict::Timeout);
        last = bench.hear(Input::Left);
    }
    assert!(last.contains("+cancelling:max_fail +run_finished:completed:timeout"), "{last}");
    assert!(last.ends_with("finish:1"));
}

#[test]
fn a_line_is_not_measured_behind_its_failures() {
    let check = |count: u32, fails: &[u32], expected: &[u32]| {
        let mut bench = bench(6, false, None, |plan| {
            plan.experiment.stop_line.count = count;
            plan.experiment.stop_line.after = StopAfter::Fail;
        });
        let mut last = bench.hear(Input::Begin);
        while last.ends_with("enter") {
            let failed = fails.contains(&bench.dispatcher.state().current.unwrap());
            bench.hear(Input::Entered);
            bench.spawned();
            bench.ends(if failed { Verdict::Fail } else { Verdict::Pass });
            bench.spawned();
            bench.ends(Verdict::Pass);
            last = bench.hear(Input::Left);
        }
        let verdicts = bench.dispatcher.state().sub_runs.iter().map(|s| s.verdict.unwrap());
        let skipped: Vec<u32> = (0..).zip(verdicts).filter(|(_, v)| *v == Verdict::Skipped).map(|(n, _)| n).collect();
        assert_eq!(skipped, expected, "{count} {fails:?}");
    };
    check(1, &[], &[]);
    check(1, &[2], &[3, 4, 5]);
    check(2, &[1, 3], &[]);
    check(2, &[1, 3, 4], &[5]);
    check(3, &[0, 1, 2, 3], &[3, 4, 5]);
}

#[test]
fn a_step_outside_the_bounds_is_not_started() {
    let mut bench = plain(3);
    // As if the plan had been changed in memory since it was admitted: the second point, at 990 mV, is outside.
    let bounds = Arc::make_mut(&mut bench.dispatcher.bounds).rails.get_mut(&name("core")).unwrap();
    bounds.get_mut(&RailField::Voltage).unwrap().is.min = 995_000;
    let first = bench.hear(Input::Begin);
    assert_eq!(bench.finish_from(first), "finish:3");
    let after = bench.said.split("open:1").nth(1).unwrap();
    insta::assert_snapshot!(after.trim_start(), @r"
    +subrun_opened enter
    +started:a +finished:a:error +cancelling:safety_violation leave
    files +closed:error sync close:1 +subrun_finished:1:error +run_finished:completed:error sync finish:3
    ");
    let state = bench.dispatcher.state();
    assert_eq!(state.status, RunStatus::Completed);
    assert_eq!(
        state.stop_reason().unwrap(),
        "a step about to start was outside the bounds in force: core.voltage = 990mV is outside 995mV .. 1100mV"
    );
}

#[test]
fn a_failed_restore_stops_the_run() {
    let mut bench = bench(2, false, None, |plan| {
        let adapter = plan.experiment.adapters.get_mut(&name("a")).unwrap();
        adapter.restore.push(adapter.executable.clone());
    });
    bench.running();
    assert_eq!(bench.hear(Input::LeaderEnded { left: 0 }), "restore");
    let said = bench.hear(Input::Restored(Err("restore x ended with exit code 3".to_owned())));
    assert_eq!(said, "+cancelling:restore_failed judge");
    let last = bench.judged(Verdict::Error);
    assert_eq!(bench.finish_from(last), "finish:4");
}

/// The record fails at every place of a run, the rest of that batch not performed: the run ends with 4, rails go home.
#[test]
fn a_record_that_fails_ends_the_run_from_every_place() {
    for place in 1..=9 {
        let mut bench = plain(2);
        let script = [
            Input::Begin,
            Input::Entered,
            Input::Spawned { pid: 1, start_ticks: None },
            Input::LeaderEnded { left: 0 },
            Input::Judged(Box::new(Judged { verdict: Verdict::Pass, ..never() })),
            Input::Spawned { pid: 2, start_ticks: None },
            Input::LeaderEnded { left: 0 },
            Input::Judged(Box::new(Judged { verdict: Verdict::Pass, ..never() })),
            Input::Left,
        ];
        for input in script.into_iter().take(place) {
            bench.hear(input);
        }
        let mut last = bench.hear(Input::RecordFailed("disk full".to_owned()));
        if last.starts_with("TERM") {
            last = bench.hear(Input::LeaderEnded { left: 0 });
        }
        assert_eq!(bench.finish_from(last), "finish:4", "{place}\n{}", bench.said);
        if place > 1 && place < 9 {
            assert!(bench.said.contains("leave"), "{place}\n{}", bench.said);
        }
    }
}

#[test]
fn a_step_that_cannot_start_is_an_error_and_the_sweep_goes_on() {
    let mut bench = plain(1);
    bench.hear(Input::Begin);
    bench.hear(Input::Entered);
    let last = bench.hear(Input::NotStarted("gone".to_owned()));
    assert_eq!(last, "+finished:a:error +started:b sync start:b");
    assert_eq!(bench.finish_from(last), "finish:4");
}

#[test]
fn lines_are_numbered_without_a_gap() {
    let mut bench = plain(2);
    let mut seqs = vec![];
    let mut inputs = vec![Input::Begin];
    while let Some(input) = inputs.pop() {
        for effect in bench.dispatcher.handle(bench.now(), input) {
            match effect {
                Effect::Record(recorded) => {
                    seqs.push(recorded.seq);
                    journal::encode(&recorded, &mut vec![]).unwrap();
                }
                Effect::Enter => inputs.push(Input::Entered),
                Effect::Leave => inputs.push(Input::Left),
                Effect::Start(_) => inputs.push(Input::NotStarted(String::new())),
                _ => {}
            }
        }
    }
    assert_eq!(seqs, (0..seqs.len() as u64).collect::<Vec<_>>());
    assert_eq!(seqs.len(), 2 + 2 * (4 + 2 * 2));
}
