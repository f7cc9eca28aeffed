//! Going on with a run, without a process: wherever its runner stopped, it comes to what it would have come to, but for the
//! step in flight.

use std::collections::BTreeSet;

use super::*;
use crate::domain::verdict::Effect as Seen;

/// How each execution of a sub-run ends.
type Ends<'e> = &'e dyn Fn(u32, u32) -> Verdict;

/// Answers everything until the run is over, or until so many lines were recorded: as if the runner had been killed then.
fn drive(dispatcher: &mut Dispatcher, ends: Ends<'_>, left_as: Verdict, most: usize) -> Vec<Recorded> {
    let mut recorded = vec![];
    let mut inputs = std::collections::VecDeque::from([Input::Begin]);
    let mut at = (0, 0);
    while let Some(input) = inputs.pop_front() {
        let now = Now { monotonic: Duration::ZERO, wall: Timestamp::from_millis(0).unwrap() };
        for effect in dispatcher.handle(now, input) {
            match effect {
                Effect::Record(line) => {
                    recorded.push(*line);
                    if recorded.len() == most {
                        return recorded;
                    }
                }
                Effect::Enter => inputs.push_back(Input::Entered),
                Effect::Leave => inputs.push_back(Input::Left),
                Effect::Start(start) => {
                    at = (start.sub_run, start.index);
                    let spawned = Input::Spawned { pid: 7, start_ticks: None };
                    inputs.extend([spawned, Input::LeaderEnded { left: 0 }]);
                }
                Effect::Judge(_) => inputs.push_back(Input::Judged(Box::new(judged(ends(at.0, at.1))))),
                Effect::LookBack(_) => inputs.push_back(Input::LookedBack(Box::new(judged(left_as)), Ok(()))),
                _ => {}
            }
        }
    }
    recorded
}

fn judged(verdict: Verdict) -> Judged {
    let effects = if verdict == Verdict::Crashed { Effects::from([Seen::Sc]) } else { Effects::new() };
    Judged { verdict, effects, reason: None, exit_code: Some(0), error: None, ..never() }
}

/// What a run comes to: each sub-run's verdict, effects, reason and executions, and the whole's.
fn came_to(state: &RunState) -> String {
    let mut text = format!("{:?} {:?}\n", state.end, state.stop_reason());
    for sub_run in &state.sub_runs {
        let executions: Vec<String> = sub_run
            .executions
            .iter()
            .map(|e| format!("{} {:?}", e.started.index, e.finished.as_ref().map(|f| f.verdict)))
            .collect();
        let _ = writeln!(text, "{:?} {:?} {:?} {executions:?}", sub_run.verdict, sub_run.effects, sub_run.reason);
    }
    text
}

/// The run as whoever goes on reads it from these lines.
fn left(bench: &Bench, lines: &[Recorded]) -> Resumption {
    let state = &bench.dispatcher.state;
    let mut state = RunState::new(state.header.clone(), Arc::clone(&state.plan));
    for line in lines {
        state.apply(line);
    }
    let last = lines.iter().rposition(|line| matches!(line.event, RunEvent::SubrunStarted(_)));
    let behind = last.map(|last| &lines[last..]).unwrap_or_default();
    let has = |name: &str| behind.iter().any(|line| line.event.name() == name);
    Resumption {
        is_opened: has("subrun_opened"),
        is_told: last.is_none() || has("subrun_finished"),
        died_away: false,
        nominal: None,
        drift: vec![],
        state,
    }
}

fn plan(on_failure: OnFailure) -> Bench {
    bench(3, false, Some(2), |plan| {
        plan.experiment.steps[0].repeat = 2;
        plan.experiment.steps[0].on_failure = on_failure;
        let line = &mut plan.experiment.stop_line;
        (line.axis, line.after, line.count) = (Some(1), StopAfter::Crashed, 1);
    })
}

/// Stops a run after every one of its lines, goes on, and compares with a run in which only the step in flight ended
/// otherwise.
fn check(on_failure: OnFailure, ends: Ends<'_>, left_as: Verdict) {
    let mut whole = plan(on_failure);
    let lines = drive(&mut whole.dispatcher, ends, left_as, usize::MAX);
    let mut in_flight = 0;
    for cut in 0..lines.len() {
        let mut killed = plan(on_failure);
        let before = if cut == 0 { vec![] } else { drive(&mut killed.dispatcher, ends, left_as, cut) };
        assert_eq!(before, lines[..cut], "the same up to there");
        let resumption = left(&killed, &before);
        if resumption.state.end.is_some() {
            continue;
        }
        let lost = resumption.state.in_flight().map(|e| (resumption.state.current.unwrap(), e.started.index));
        in_flight += usize::from(lost.is_some());
        let admitted = crate::domain::admission::admit(Arc::clone(&killed.dispatcher.plan), &killed.dispatcher.bounds);
        let mut again =
            Dispatcher::resume(&admitted.unwrap(), resumption, Orders { max_fail: Some(2), ..Orders::default() });
        let after = drive(&mut again, ends, left_as, usize::MAX);
        assert_eq!(after[0].event.name(), "run_resumed");
        let numbers: BTreeSet<u64> = before.iter().chain(&after).map(|line| line.seq).collect();
        assert_eq!(numbers.len(), before.len() + after.len(), "no number twice");
        let mut expected = plan(on_failure);
        drive(
            &mut expected.dispatcher,
            &|sub_run, index| if lost == Some((sub_run, index)) { left_as } else { ends(sub_run, index) },
            left_as,
            usize::MAX,
        );
        assert_eq!(came_to(again.state()), came_to(expected.dispatcher.state()), "stopped after {cut} lines");
        let read: Vec<Recorded> = before.into_iter().chain(after).collect();
        assert_eq!(came_to(&left(&killed, &read).state), came_to(again.state()), "and so says its record");
    }
    assert!(in_flight >= 4, "{in_flight}");
}

#[test]
fn wherever_a_runner_died_the_run_comes_to_what_it_would_have() {
    let passes = |_, _| Verdict::Pass;
    let mixed = |sub_run: u32, index: u32| match (sub_run * 3 + index) % 5 {
        1 => Verdict::Fail,
        3 => Verdict::Inconclusive,
        _ => Verdict::Pass,
    };
    for on_failure in [OnFailure::Continue, OnFailure::StopSubrun, OnFailure::StopRun] {
        check(on_failure, &passes, Verdict::Error);
        check(on_failure, &mixed, Verdict::Error);
    }
}

#[test]
fn what_lies_behind_a_crash_is_not_measured() {
    let mut killed = plan(OnFailure::Continue);
    // Up to the second step of the second sub-run.
    let lines = drive(&mut killed.dispatcher, &|_, _| Verdict::Pass, Verdict::Pass, 20);
    let admitted = crate::domain::admission::admit(Arc::clone(&killed.dispatcher.plan), &killed.dispatcher.bounds);
    let go_on = |retry_crashed: u32| {
        let orders = Orders { retry_crashed, ..Orders::default() };
        let mut again = Dispatcher::resume(admitted.as_ref().unwrap(), left(&killed, &lines), orders);
        drive(&mut again, &|_, _| Verdict::Pass, Verdict::Crashed, usize::MAX);
        came_to(again.state())
    };
    insta::assert_snapshot!(go_on(0), @r#"
    Some((Crashed, 1)) None
    Some(Pass) {} None ["0 Some(Pass)", "1 Some(Pass)", "2 Some(Pass)"]
    Some(Crashed) {Sc} Some("the host went down in step a") ["0 Some(Pass)", "1 Some(Crashed)"]
    Some(Skipped) {} Some("not measured: a point of its line along core.voltage crashed before it") []
    "#);
    insta::assert_snapshot!(go_on(1), @r#"
    Some((Pass, 1)) None
    Some(Pass) {} None ["0 Some(Pass)", "1 Some(Pass)", "2 Some(Pass)"]
    Some(Pass) {Sc} None ["0 Some(Pass)", "1 Some(Pass)", "2 Some(Pass)"]
    Some(Pass) {} None ["0 Some(Pass)", "1 Some(Pass)", "2 Some(Pass)"]
    "#);
}

#[test]
fn a_host_that_died_with_its_rails_away_and_no_step_in_flight_crashed_there() {
    let mut killed = plan(OnFailure::Continue);
    let lines = drive(&mut killed.dispatcher, &|_, _| Verdict::Pass, Verdict::Pass, 3);
    let admitted = crate::domain::admission::admit(Arc::clone(&killed.dispatcher.plan), &killed.dispatcher.bounds);
    let resumption = Resumption { died_away: true, ..left(&killed, &lines) };
    let mut again = Dispatcher::resume(&admitted.unwrap(), resumption, Orders::default());
    let after = drive(&mut again, &|_, _| Verdict::Pass, Verdict::Pass, usize::MAX);
    insta::assert_snapshot!(came_to(again.state()), @r#"
    Some((Crashed, 1)) None
    Some(Crashed) {Sc} Some("the host went down while its rails were away") []
    Some(Skipped) {} Some("not measured: a point of its line along core.voltage crashed before it") []
    Some(Skipped) {} Some("not measured: a point of its line along core.voltage crashed before it") []
    "#);
    let read: Vec<Recorded> = lines.into_iter().chain(after).collect();
    assert_eq!(came_to(&left(&killed, &read).state), came_to(again.state()));
}
