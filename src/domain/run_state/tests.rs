//! Tests of the fold: what a run looks like after its events, whatever their order.

use proptest::prelude::*;

use super::*;
use crate::domain::event::{
    Journal, RailLevel, RailMoving, RunFinished, RunResumed, RunStarted, StepFinished, StepSpawned, SubrunClosed,
    SubrunFinished, SubrunStarted,
};
use crate::domain::flow::PassRule;
use crate::domain::kit::{self, World, name};
use crate::domain::summary::{RunSummary, SubRunRow, SubRunSummary};
use crate::domain::verdict::{CancelReason, Effect, Effects};
use Verdict::{Aborted, Crashed, Error, Fail, Inconclusive, Pass, Skipped, Timeout};

/// Three points, at each a step of two combinations and two repetitions: four executions.
fn world() -> World {
    let mut world = World::grid(3, 1);
    world.flow.steps[0].sweep = vec![(name("size"), kit::ints(&[1, 2]))];
    world.flow.steps[0].repeat = 2;
    world.adapter("cpu_smoke").params.push(kit::param("size", crate::domain::param::ParamKind::Int));
    world
}

fn fold(plan: &Arc<Plan>, events: Vec<RunEvent>) -> RunState {
    let mut state = kit::state(plan);
    for event in kit::recorded(events) {
        state.apply(&event);
    }
    state
}

/// All that a state says, for comparing.
fn told(state: &RunState) -> String {
    let RunState { status, started_at, ended_at, pid, cancel, end, sub_runs, current, sessions, .. } = state;
    let head = format!("{status:?} {started_at:?} {ended_at:?} {pid:?} {cancel:?} {end:?} {current:?} {sessions:?}");
    format!("{head}\n{sub_runs:#?}\n{}", serde_json::to_string(&state.summary()).unwrap())
}

fn verdicts(state: &RunState) -> Vec<Option<Verdict>> {
    state.sub_runs.iter().map(|s| s.verdict).collect()
}

#[test]
fn a_whole_run() {
    let plan = Arc::new(world().plan());
    let state = fold(&plan, kit::story(&plan, &[vec![Pass; 4], vec![Pass, Fail, Pass, Pass], vec![Timeout; 2]]));
    assert_eq!(verdicts(&state), [Some(Pass), Some(Fail), Some(Timeout)]);
    assert_eq!((state.status, state.end), (RunStatus::Completed, Some((Timeout, 0))));
    assert_eq!((state.failed_sub_runs(), state.finished_sub_runs(), state.failures()), (2, 3, (true, false)));
    assert_eq!((state.pid, state.started_at), (Some(7), Some(kit::moment(1000))));
    assert!(state.in_flight().is_none() && state.ended_at > state.started_at);
}

#[test]
fn the_sub_runs_own_journal_wins() {
    let plan = Arc::new(world().plan());
    let started = SubrunStarted { id: "x".to_owned(), index: 1 };
    let closed = SubrunClosed { verdict: Pass, reason: Some("own".to_owned()), effects: Effects::new() };
    let effects = Effects::from([Effect::Sdc]);
    let finished = SubrunFinished {
        id: "x".to_owned(),
        index: 1,
        verdict: Fail,
        effects: effects.clone(),
        reason: Some("other".to_owned()),
    };
    let state = fold(&plan, vec![started.clone().into(), closed.into(), finished.clone().into()]);
    let one = &state.sub_runs[1];
    assert_eq!((one.verdict, one.reason.as_deref(), &one.effects), (Some(Pass), Some("own"), &Effects::new()));
    assert_eq!(state.failures(), (false, false));
    // Where the sub-run's journal is lost, the run's word stands.
    let state = fold(&plan, vec![started.into(), finished.into()]);
    let one = &state.sub_runs[1];
    assert_eq!((one.verdict, one.reason.as_deref(), &one.effects), (Some(Fail), Some("other"), &effects));
    assert_eq!(state.failures(), (true, false));
}

#[test]
fn another_attempt_takes_the_place_of_the_one_before() {
    let plan = Arc::new(world().plan());
    let mut events = kit::sub_run_opened(&plan, 0);
    events.extend([kit::step_started(&plan, 0, 0, 1), kit::step_finished(0, Crashed)]);
    let state = fold(&plan, events.clone());
    assert_eq!(state.sub_run_verdict(0, None), Crashed);
    events.push(kit::step_started(&plan, 0, 0, 2));
    let state = fold(&plan, events.clone());
    assert_eq!(state.in_flight().map(|e| (e.started.index, e.started.attempt)), Some((0, 2)));
    assert_eq!(state.sub_run_verdict(0, None), Skipped, "nothing has ended that still counts");
    events.push(kit::step_finished(0, Pass));
    let state = fold(&plan, events);
    assert_eq!(state.sub_runs[0].executions.len(), 1);
    assert_eq!(state.sub_run_verdict(0, None), Pass);
    assert_eq!(state.failures(), (false, false));
}

#[test]
fn an_earlier_execution_may_be_the_one_in_flight() {
    let plan = Arc::new(world().plan());
    let mut events = kit::sub_run_opened(&plan, 0);
    for index in [0, 1] {
        events.extend([kit::step_started(&plan, 0, index, 1), kit::step_finished(index, Pass)]);
    }
    events.push(kit::step_started(&plan, 0, 0, 2));
    assert_eq!(fold(&plan, events).in_flight().map(|e| e.started.index), Some(0));
}

#[test]
fn repetitions_that_disagree_are_flaky() {
    let mut world = world();
    world.flow.steps[0].repeat = 3;
    world.flow.steps[0].pass_rule = PassRule::Any;
    let plan = Arc::new(world.plan());
    let check = |ends: [Verdict; 6], verdict: Verdict, flaky: Option<(u32, u32)>| {
        let state = fold(&plan, kit::story(&plan, &[ends.to_vec()]));
        let told = state.sub_runs[0].flaky.map(|f| (f.pass, f.of));
        assert_eq!((state.sub_runs[0].verdict, told), (Some(verdict), flaky), "{ends:?}");
    };
    check([Pass; 6], Pass, None);
    check([Pass, Pass, Fail, Pass, Pass, Pass], Pass, Some((2, 3)));
    check([Pass, Pass, Fail, Fail, Pass, Fail], Pass, Some((1, 3)));
    check([Fail, Pass, Fail, Pass, Pass, Fail], Pass, Some((1, 3)));
    check([Fail, Fail, Fail, Pass, Pass, Fail], Fail, Some((2, 3)));
    check([Timeout, Pass, Fail, Pass, Pass, Pass], Timeout, None);
}

#[test]
fn a_combination_is_judged_when_all_its_repetitions_have_ended() {
    let plan = Arc::new(world().plan());
    let mut events = kit::sub_run_opened(&plan, 0);
    let mut check = |index: u32, ends: Verdict, expected: Option<Verdict>| {
        events.extend([kit::step_started(&plan, 0, index, 1), kit::step_finished(index, ends)]);
        assert_eq!(fold(&plan, events.clone()).combination_verdict(index), expected, "{index}");
    };
    check(0, Pass, None);
    check(1, Fail, Some(Fail));
    check(2, Pass, None);
    check(3, Pass, Some(Pass));
    assert_eq!(fold(&plan, events).combination_verdict(4), None);
}

#[test]
fn what_nobody_applied_is_marked_where_it_was_judged() {
    let mut world = world();
    let unapplied = |world: &World, ends: Verdict| {
        let plan = Arc::new(world.plan());
        fold(&plan, kit::story(&plan, &[vec![ends; 4]])).sub_runs[0].unapplied
    };
    assert!(!unapplied(&world, Pass));
    world.adapter("cpu_smoke").params.retain(|p| p.name.as_str() != "vcore");
    assert!(unapplied(&world, Pass) && unapplied(&world, Fail));
    assert!(!unapplied(&world, Skipped));
    world.adapter("cpu_smoke").rails = vec![kit::placed(name("core"))];
    assert!(!unapplied(&world, Pass), "`rails` covers both fields");
    // A fixed field that nobody applies says nothing against a point.
    let fixed = vec![(crate::domain::margin::RailField::Voltage, kit::fixed(900_000))];
    let mut still = World::sweeping(kit::margin(vec![kit::rail("soc", fixed)]));
    still.adapter("cpu_smoke").params.clear();
    assert!(!unapplied(&still, Pass));
}

#[test]
fn what_never_started_leaves_a_gap() {
    let plan = Arc::new(world().plan());
    let check = |ends: &[Verdict], gap, expected| {
        let mut events = kit::story(&plan, &[ends.to_vec()]);
        events.truncate(events.len() - 3);
        assert_eq!(fold(&plan, events).sub_run_verdict(0, gap), expected, "{ends:?} {gap:?}");
    };
    check(&[Pass, Pass], None, Pass);
    check(&[Pass, Pass], Some(Gap::Rule), Inconclusive);
    check(&[Pass, Pass], Some(Gap::Asked), Aborted);
    check(&[Pass, Error], Some(Gap::Asked), Error);
    check(&[Fail, Pass], Some(Gap::Rule), Fail);
    check(&[], Some(Gap::Asked), Aborted);
    assert_eq!(kit::state(&plan).sub_run_verdict(99, None), Skipped);
}

#[test]
fn a_diagnostics_own_skip_leaves_a_gap_unless_it_is_optional() {
    let check = |optional: bool, exit_code: Option<i32>, expected: Verdict| {
        let mut world = world();
        world.flow.steps[0].optional = optional;
        let plan = Arc::new(world.plan());
        let mut events = kit::sub_run_opened(&plan, 0);
        for index in 0..4 {
            let verdict = if index < 2 { Pass } else { Skipped };
            let finished = StepFinished { exit_code, ..kit::finished(index, verdict) };
            events.extend([kit::step_started(&plan, 0, index, 1), Box::new(finished).into()]);
        }
        assert_eq!(fold(&plan, events).sub_run_verdict(0, None), expected, "{optional} {exit_code:?}");
    };
    check(false, Some(77), Inconclusive);
    check(true, Some(77), Pass);
    check(false, None, Pass);
}

#[test]
fn the_gravest_reason_to_end_stays() {
    use CancelReason::{Interrupt, Kill, MaxFail, StopRun};
    let plan = Arc::new(world().plan());
    let reason = |reasons: &[CancelReason]| {
        let events = reasons.iter().map(|r| kit::cancelling(*r)).collect();
        fold(&plan, events).cancel.map(|c| c.reason)
    };
    assert_eq!(reason(&[MaxFail, StopRun]), Some(MaxFail));
    assert_eq!(reason(&[StopRun, Interrupt, MaxFail]), Some(Interrupt));
    assert_eq!(reason(&[Interrupt, Kill]), Some(Kill));
    let state = fold(
        &plan,
        vec![
            RunStarted { boot_id: None, pid: 1, dry_run: false, max_fail: None }.into(),
            kit::cancelling(Interrupt),
            RunFinished { status: RunStatus::Cancelled, verdict: Aborted, exit_code: 130 }.into(),
        ],
    );
    assert_eq!(state.stop_reason().as_deref(), Some("interrupted by the operator"));
    assert_eq!(state.run_verdict(), Aborted);
    let mut state = state;
    let resumed = RunResumed { boot_id: None, pid: 2, drift: vec![] }.into();
    state.apply(&Recorded { seq: 9, at: kit::moment(9000), event: resumed });
    assert_eq!((state.status, state.pid, state.end, state.stop_reason()), (RunStatus::Running, Some(2), None, None));
    assert_eq!(state.started_at, Some(kit::moment(1000)));
    assert_eq!(state.run_verdict(), Inconclusive, "what is missing and nobody asked for is a rule's");
}

#[test]
fn what_nobody_saw_end_was_cut_off_and_took_no_time() {
    let plan = Arc::new(world().plan());
    let check = |spawned: bool, change: &dyn Fn(&mut StepFinished), expected: (&str, Option<u64>)| {
        let mut events = kit::sub_run_opened(&plan, 0);
        events.push(kit::step_started(&plan, 0, 0, 1));
        if spawned {
            events.push(StepSpawned { index: 0, pid: 7, start_ticks: None }.into());
        }
        let mut state = fold(&plan, events);
        let mut finished = kit::finished(0, Error);
        change(&mut finished);
        assert_eq!(state.sub_runs[0].executions[0].ended(), None);
        state.apply(&Recorded { seq: 9, at: kit::moment(9000), event: Box::new(finished).into() });
        let execution = &state.sub_runs[0].executions[0];
        let took = execution.finished.as_ref().unwrap().took_ms();
        assert_eq!((execution.ended().unwrap().as_str(), took), expected);
    };
    check(true, &|finished| finished.started_at = Some(kit::moment(1)), ("cut off", None));
    check(false, &|_| (), ("not started", None));
    check(false, &|finished| finished.verdict = Crashed, ("cut off", None));
    let timed = |finished: &mut StepFinished| {
        finished.exit_code = Some(2);
        (finished.started_at, finished.ended_at) = (Some(kit::moment(1)), Some(kit::moment(13)));
    };
    check(true, &timed, ("exit 2", Some(12)));
}

#[test]
fn forgetting_steps_keeps_what_cells_and_counts_need() {
    let plan = Arc::new(world().plan());
    let mut state = fold(&plan, kit::story(&plan, &[vec![Pass, Fail, Pass, Pass], vec![Pass; 4], vec![Error; 4]]));
    let before = serde_json::to_value(state.summary()).unwrap();
    let cell =
        |s: &SubRunState| (s.verdict, s.effects.clone(), s.unit_failed, s.rig_failed, s.flaky, s.unapplied, s.ended_at);
    let cells: Vec<_> = state.sub_runs.iter().map(cell).collect();
    for index in 0..4 {
        state.forget_steps(index);
    }
    assert!(state.sub_runs.iter().all(|s| s.executions.is_empty()));
    assert_eq!(state.sub_runs.iter().map(cell).collect::<Vec<_>>(), cells);
    assert_eq!(serde_json::to_value(state.summary()).unwrap(), before);
    assert_eq!((state.run_verdict(), state.failures()), (Error, (true, true)));
}

#[test]
fn summaries_read_back_as_they_were_written() {
    let mut world = world();
    world.unit = Some("SN1".to_owned());
    world.margin.jitter = vec![kit::jitter("core.voltage", 2_000, 1_000)];
    let plan = Arc::new(world.plan());
    let state = fold(&plan, kit::story(&plan, &[vec![Pass; 4], vec![Fail; 4]]));
    let text = serde_json::to_string(&state.summary()).unwrap();
    let read: RunSummary<Vec<SubRunRow>> = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), text);
    assert_eq!((read.counts[&Pass], read.counts[&Fail], read.counts.len()), (1, 1, 8));
    assert_eq!(read.subruns.iter().map(|r| r.verdict).collect::<Vec<_>>(), [Some(Pass), Some(Fail), None]);
    assert_eq!(read.subruns[2].point, plan.experiment.point(2).unwrap());
    assert_eq!(read.subruns[2].id, "rr-20250101T010101Z-abc123-s02");
    assert_eq!((read.verdict, read.unit.as_deref()), (Some(Inconclusive.max(Fail)), Some("SN1")));
    assert_eq!(read.plan_digest, plan.digest);
    let own = state.sub_run_summary(1).unwrap();
    let text = serde_json::to_string(&own).unwrap();
    assert_eq!(serde_json::from_str::<SubRunSummary>(&text).unwrap(), own);
    assert_eq!((own.counts[&Fail], own.steps.len(), own.seed), (4, 4, plan.experiment.sub_run(1).unwrap().seed));
    assert!(state.sub_run_summary(3).is_none());
}

#[test]
fn the_fields_of_summaries_are_pinned() {
    let plan = Arc::new(World::grid(1, 1).plan());
    let state = fold(&plan, kit::story(&plan, &[vec![Pass]]));
    let mut run = serde_json::to_value(state.summary()).unwrap();
    run["plan_digest"] = "..".into();
    insta::assert_snapshot!(run, @r#"{"at_work_ms":8000,"counts":{"aborted":0,"crashed":0,"error":0,"fail":0,"inconclusive":0,"pass":1,"skipped":0,"timeout":0},"ended_at":"1970-01-01T00:00:09.000Z","exit_code":0,"flow":"flow","format_version":1,"global_seed":20250101,"host":{"virtualized":"unknown"},"margin":"margin","plan_digest":"..","profile":[],"road_runner_version":"0.1.0","run_id":"rr-20250101T010101Z-abc123","source_run":null,"started_at":"1970-01-01T00:00:01.000Z","status":"completed","stop_reason":null,"subruns":[{"id":"rr-20250101T010101Z-abc123-s00","index":0,"point":{"rails":{"core":{"frequency_khz":3000000,"nominal_khz":3000000,"nominal_uv":1000000,"voltage_uv":1000000}}},"verdict":"pass"}],"unit":null,"verdict":"pass"}"#);
    insta::assert_snapshot!(serde_json::to_value(state.sub_run_summary(0)).unwrap(), @r#"{"counts":{"aborted":0,"crashed":0,"error":0,"fail":0,"inconclusive":0,"pass":1,"skipped":0,"timeout":0},"effects":[],"format_version":1,"id":"rr-20250101T010101Z-abc123-s00","index":0,"point":{"rails":{"core":{"frequency_khz":3000000,"nominal_khz":3000000,"nominal_uv":1000000,"voltage_uv":1000000}}},"reason":null,"seed":1191238430,"steps":[{"artifacts":[],"duration_ms":12,"effects":[],"ended_at":"1970-01-01T00:00:06.000Z","error":null,"evidence":[],"exit_code":0,"index":0,"max_rss_kb":null,"metrics":{},"reason":null,"signal":null,"started_at":"1970-01-01T00:00:05.988Z","stderr_bytes":0,"stdout_bytes":0,"step":"cpu-smoke","system_ms":null,"user_ms":null,"verdict":"pass"}],"verdict":"pass"}"#);
}

fn any_verdict() -> impl Strategy<Value = Verdict> {
    proptest::sample::select(Verdict::ALL.to_vec())
}

fn any_effects() -> impl Strategy<Value = Effects> {
    proptest::collection::btree_set(proptest::sample::select(Effect::ALL.to_vec()), 0..3)
}

/// Any event about this plan or one that makes no sense for it.
fn any_event(plan: Arc<Plan>) -> impl Strategy<Value = RunEvent> {
    let index = 0_u32..5;
    let id = || "x".to_owned();
    let started = move |(sub_run, index, attempt): (u32, u32, u32)| {
        let RunEvent::StepStarted(mut event) = kit::step_started(&plan, sub_run % 3, index % 4, attempt) else {
            unreachable!("a start is a start")
        };
        event.index = index;
        event.into()
    };
    let finished = |(index, verdict, effects, exit_code): (u32, Verdict, Effects, Option<i32>)| {
        RunEvent::from(Box::new(StepFinished { effects, exit_code, ..kit::finished(index, verdict) }))
    };
    let reasons = vec![CancelReason::StopRun, CancelReason::Interrupt, CancelReason::RecordFailed, CancelReason::Kill];
    let statuses = vec![RunStatus::Completed, RunStatus::Cancelled, RunStatus::DryRun];
    prop_oneof![
        1 => any::<u32>().prop_map(|pid| RunStarted { boot_id: None, pid, dry_run: false, max_fail: None }.into()),
        1 => any::<u32>().prop_map(|pid| RunResumed { boot_id: None, pid, drift: vec![] }.into()),
        1 => proptest::sample::select(reasons).prop_map(kit::cancelling),
        4 => index.clone().prop_map(move |index| SubrunStarted { id: id(), index }.into()),
        8 => (index.clone(), prop_oneof![0_u32..6, Just(u32::MAX)], 1_u32..3).prop_map(started),
        2 => (prop_oneof![0_u32..6, Just(u32::MAX)], any::<u32>())
            .prop_map(|(index, pid)| StepSpawned { index, pid, start_ticks: None }.into()),
        8 => (prop_oneof![0_u32..6, Just(u32::MAX)], any_verdict(), any_effects(), proptest::option::of(0..3)).prop_map(finished),
        1 => Just(RailMoving { rail: name("core"), from: RailLevel::default(), to: RailLevel::default() }.into()),
        3 => any_verdict().prop_map(|verdict| SubrunClosed { verdict, reason: None, effects: Effects::new() }.into()),
        3 => (prop_oneof![index, Just(u32::MAX)], any_verdict(), any_effects()).prop_map(move |(index, verdict, effects)| {
            SubrunFinished { id: id(), index, verdict, effects, reason: None }.into()
        }),
        1 => (proptest::sample::select(statuses), any_verdict())
            .prop_map(|(status, verdict)| RunFinished { status, verdict, exit_code: 0 }.into()),
    ]
}

fn any_stream() -> impl Strategy<Value = (Arc<Plan>, Vec<RunEvent>)> {
    let plan = Arc::new(world().plan());
    let events = proptest::collection::vec(any_event(Arc::clone(&plan)), 0..60);
    events.prop_map(move |events| (Arc::clone(&plan), events))
}

proptest! {
    #[test]
    fn a_prefix_and_the_rest_make_the_whole((plan, events) in any_stream(), cut in 0.0_f64..1.0) {
        let recorded = kit::recorded(events.clone());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a short list")]
        let cut = (recorded.len() as f64 * cut) as usize;
        let mut first = kit::state(&plan);
        recorded[..cut].iter().for_each(|event| first.apply(event));
        let mut second = first.clone();
        recorded[cut..].iter().for_each(|event| second.apply(event));
        prop_assert_eq!(told(&second), told(&fold(&plan, events)));
    }

    #[test]
    fn the_journal_as_read_makes_the_state_as_recorded((plan, events) in any_stream()) {
        let read = events.iter().map(|event| {
            let mut body = vec![];
            event.write_body(&mut body).unwrap();
            RunEvent::read_body(event.name(), std::str::from_utf8(&body).unwrap()).unwrap().unwrap()
        });
        prop_assert_eq!(told(&fold(&plan, read.collect())), told(&fold(&plan, events)));
    }

    #[test]
    fn the_gist_of_its_lines_makes_the_same_run((plan, events) in any_stream()) {
        let mut whole = fold(&plan, events.clone());
        let mut state = kit::state(&plan);
        for recorded in kit::recorded(events) {
            match recorded.event.journal() {
                Journal::Run => state.apply(&recorded),
                Journal::SubRun => state.take_in(recorded.seq, recorded.at, &Gist::of(&recorded.event)),
            }
        }
        prop_assert_eq!((0..6).map(|index| state.combination_verdict(index)).collect::<Vec<_>>(),
            (0..6).map(|index| whole.combination_verdict(index)).collect::<Vec<_>>());
        whole.sub_runs.iter_mut().for_each(|sub_run| sub_run.executions.clear());
        prop_assert_eq!(told(&state), told(&whole));
    }

    #[test]
    fn a_sub_run_alone_is_what_it_is_in_the_run((plan, events) in any_stream()) {
        let whole = fold(&plan, events.clone());
        let mut alone = vec![SubRunState::default(); 3];
        let mut current = None;
        for recorded in kit::recorded(events) {
            if let RunEvent::SubrunStarted(event) = &recorded.event {
                current = Some(event.index as usize);
            } else if recorded.event.journal() == Journal::SubRun
                && let Some(sub_run) = current.and_then(|index| alone.get_mut(index))
            {
                whole.absorb_into(sub_run, recorded);
            }
        }
        for (alone, within) in alone.iter().zip(&whole.sub_runs) {
            prop_assert_eq!(format!("{:?}", alone.executions), format!("{:?}", within.executions));
        }
    }

    #[test]
    fn nothing_that_is_recorded_breaks_the_fold((plan, events) in any_stream()) {
        let mut state = kit::state(&plan);
        for event in kit::recorded(events) {
            state.apply(&event);
            for index in 0..6 {
                let _ = (state.combination_verdict(index), state.sub_run_verdict(index, None), state.sub_run_summary(index));
            }
            let executions = state.sub_runs.iter().map(|s| &s.executions);
            for executions in executions {
                prop_assert!(executions.windows(2).all(|pair| pair[0].started.index < pair[1].started.index));
            }
            prop_assert_eq!(state.sub_runs.len(), 3);
            let counted: u32 = state.summary().counts.values().sum();
            prop_assert_eq!(counted as usize, state.finished_sub_runs());
            let failed = state.sub_runs.iter().any(|s| s.verdict.is_some_and(Verdict::is_unit_failure));
            prop_assert!(!failed || state.failures().0);
        }
    }
}

#[test]
fn behind_a_live_run_only_the_last_few_sub_runs_keep_their_steps() {
    let plan = Arc::new(World::grid(20, 1).plan());
    let mut state = kit::state(&plan);
    for recorded in kit::recorded(kit::story(&plan, &vec![vec![Pass]; 20])) {
        state.apply(&recorded);
        if let RunEvent::SubrunFinished(finished) = &recorded.event {
            state.forget_steps_behind(finished.index);
        }
    }
    let kept: Vec<usize> = (0..20).filter(|index| !state.sub_runs[*index].executions.is_empty()).collect();
    assert_eq!(kept, (12..20).collect::<Vec<_>>());
    assert_eq!(state.finished_sub_runs(), 20);
}

#[test]
fn evidence_is_kept_with_the_run_and_rails_with_the_executions() {
    use crate::domain::event::{EvidenceLate, EvidenceSources, RailHeld};
    let plan = Arc::new(world().plan());
    let level = RailLevel { voltage_uv: Some(850_000), frequency_khz: None };
    let held = RailHeld { rail: name("core"), setpoint: level, readback: level };
    let mut events = vec![EvidenceSources { sources: kit::sources() }.into()];
    events.extend(kit::sub_run_opened(&plan, 0));
    events.extend([held.clone().into(), EvidenceLate { index: 0, observed: kit::alarming() }.into()]);
    let mut state = fold(&plan, events);
    assert_eq!(state.sources, kit::sources());
    assert_eq!(state.late, [(0, vec![(kit::moment(5000), kit::alarming())])].into());
    assert_eq!(state.sub_runs[0].rails, [held.into()]);
    state.forget_steps(0);
    assert_eq!((state.sub_runs[0].rails.len(), state.late.len()), (0, 1));
}
