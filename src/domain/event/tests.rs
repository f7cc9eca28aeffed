//! Tests of the journal's lines: every event reads back as it was written, and the contract's names are pinned.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::domain::evidence::{Counted, Found, Logged, Measured, Observation, SourceId, Status};
use crate::domain::kit::{self, World, moment, name};
use crate::domain::verdict::Effect;

fn written(event: &RunEvent) -> String {
    let mut body = vec![];
    event.write_body(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}

fn read(name: &str, body: &str) -> RunEvent {
    RunEvent::read_body(name, body).unwrap().unwrap()
}

/// One event of each kind with every field in it.
fn samples() -> Vec<RunEvent> {
    let plan = World::grid(2, 1).plan();
    let point = plan.experiment.point(1).unwrap();
    let boot_id = Some("5a1c".to_owned());
    let level = RailLevel { voltage_uv: Some(850_000), frequency_khz: Some(3_200_000) };
    let id = "rr-20250101T010101Z-abc123-s01".to_owned();
    let found = Found { status: Status::Denied, detail: Some("/sys/x".to_owned()) };
    let gone = Observation::NotChecked { not_checked: "gone".to_owned() };
    let counted = Counted { delta: 2, places: [("mc0".to_owned(), 2)].into(), unit: None };
    let measured =
        Measured { min: 1, mean: 2, max: 3, samples: 4, unit: Some("mC".to_owned()), of: Some("k10temp".to_owned()) };
    let logged = Logged { corrected: 1, lines: vec!["mce: [Hardware Error]".to_owned()], ..Logged::default() };
    let observed: Observed = [
        (SourceId::EdacCe, Observation::Counted(counted)),
        (SourceId::KernelLog, Observation::Logged(logged)),
        (SourceId::Power, gone),
        (SourceId::Temperature, Observation::Measured(measured)),
    ]
    .into();
    let effects = Effects::from([Effect::Sdc, Effect::Ac]);
    let finished = StepFinished {
        observed: observed.clone(),
        effects: effects.clone(),
        reason: Some("exit code 1".to_owned()),
        exit_code: Some(1),
        signal: Some(11),
        started_at: Some(moment(1_735_693_261_000)),
        ended_at: Some(moment(1_735_693_262_500)),
        duration_ms: 1_500,
        stdout_bytes: 1 << 40,
        stderr_bytes: 7,
        user_ms: Some(1),
        system_ms: Some(2),
        max_rss_kb: Some(3),
        metrics: BTreeMap::from([
            (name("rate"), Metric { value: 0.1, unit: Some("1/s".to_owned()) }),
            (name("rounds"), Metric { value: -3.0, unit: None }),
        ]),
        evidence: vec![
            Evidence { check: "exit code".to_owned(), held: Some(false), found: Some("1".to_owned()) },
            Evidence { check: "expect 1".to_owned(), held: None, found: None },
        ],
        artifacts: vec!["a/b.txt".to_owned()],
        error: Some("gone".to_owned()),
        ..kit::finished(3, Verdict::Fail)
    };
    let mut started = match kit::step_started(&plan, 1, 0, 2) {
        RunEvent::StepStarted(started) => started,
        other => panic!("{other:?}"),
    };
    started.params = BTreeMap::from([(name("iterations"), json!(20_000)), (name("pattern"), json!("ä"))]);
    started.boot_id = boot_id.clone();
    vec![
        RunStarted { boot_id: boot_id.clone(), pid: 42, dry_run: false, max_fail: None }.into(),
        EvidenceSources { sources: [(SourceId::EdacCe, found)].into() }.into(),
        RunResumed { boot_id, pid: 43, drift: vec![] }.into(),
        Cancelling { reason: CancelReason::MaxFail, detail: Some("3 of 3".to_owned()) }.into(),
        SubrunStarted { id: id.clone(), index: 1 }.into(),
        SubrunOpened { id: id.clone(), index: 1, point, seed: 9 }.into(),
        started.into(),
        StepSpawned { index: 3, pid: 4711, start_ticks: Some(123_456) }.into(),
        RailMoving { rail: name("core"), from: RailLevel::default(), to: level }.into(),
        RailHeld { rail: name("core"), setpoint: level, readback: level }.into(),
        RailNotHeld {
            rail: name("core"),
            setpoint: level,
            readback: Some(level),
            reason: "voltage reads 850mV where 840mV was set".to_owned(),
        }
        .into(),
        RailRestored { rail: name("core"), by: RestoredBy::Guardian, readback: level }.into(),
        RailNotRestored { rail: name("core"), by: RestoredBy::Hand, reason: "exit code 1".to_owned() }.into(),
        Box::new(finished).into(),
        SubrunClosed {
            verdict: Verdict::Fail,
            reason: Some("stopped".to_owned()),
            effects: Effects::from([Effect::Sc]),
        }
        .into(),
        SubrunFinished { id, index: 1, verdict: Verdict::Fail, effects, reason: Some("stopped".to_owned()) }.into(),
        EvidenceLate { index: 1, observed }.into(),
        RunFinished { status: RunStatus::Completed, verdict: Verdict::Fail, exit_code: 1 }.into(),
    ]
}

#[test]
fn every_event_is_sampled_in_the_order_of_its_name() {
    let sampled: Vec<_> = samples().iter().map(|event| (event.name(), event.journal())).collect();
    assert_eq!(sampled, RunEvent::NAMES);
}

#[test]
fn every_event_reads_back_and_unknown_fields_are_passed_over() {
    for event in samples() {
        let body = written(&event);
        assert_eq!(read(event.name(), &body), event);
        let mut line: Value = serde_json::from_str(&body).unwrap();
        for taken in ["event", "seq", "at"] {
            assert_eq!(line.get(taken), None, "{}: the head of a line has {taken}", event.name());
            line[taken] = json!("head");
        }
        line["of_a_newer_runner"] = json!({ "a": [1] });
        assert_eq!(read(event.name(), &line.to_string()), event);
    }
    assert!(RunEvent::read_body("of_a_newer_runner", "{}").is_none());
    assert!(RunEvent::read_body("step_spawned", "{\"index\":1").unwrap().is_err());
}

#[test]
fn every_event_fits_its_schema() {
    samples().into_iter().for_each(crate::schemas::accepts_event);
}

#[test]
fn what_is_not_known_may_be_left_out() {
    let check = |name: &str, body: Value, expected: RunEvent| assert_eq!(read(name, &body.to_string()), expected);
    check(
        "run_started",
        json!({ "pid": 1 }),
        RunStarted { boot_id: None, pid: 1, dry_run: false, max_fail: None }.into(),
    );
    check("step_spawned", json!({ "index": 1, "pid": 2 }), StepSpawned { index: 1, pid: 2, start_ticks: None }.into());
    let short = json!({ "index": 1, "step": "cpu-smoke", "verdict": "pass", "effects": [], "duration_ms": 12,
        "stdout_bytes": 0, "stderr_bytes": 0, "metrics": {}, "evidence": [], "artifacts": [] });
    check("step_finished", short, kit::step_finished(1, Verdict::Pass));
}

#[test]
fn names_and_fields_are_pinned() {
    let lines: Vec<String> =
        samples().iter().map(|event| format!("{:?} {} {}", event.journal(), event.name(), written(event))).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    Run run_started {"boot_id":"5a1c","pid":42}
    Run evidence_sources {"sources":{"edac_ce":{"status":"denied","detail":"/sys/x"}}}
    Run run_resumed {"boot_id":"5a1c","pid":43}
    Run cancelling {"reason":"max_fail","detail":"3 of 3"}
    Run subrun_started {"id":"rr-20250101T010101Z-abc123-s01","index":1}
    SubRun subrun_opened {"id":"rr-20250101T010101Z-abc123-s01","index":1,"point":{"rails":{"core":{"frequency_khz":3000000,"nominal_khz":3000000,"nominal_uv":999000,"voltage_uv":999000}}},"seed":9}
    SubRun step_started {"index":0,"step":"cpu-smoke","adapter":"cpu_smoke","combination":"","repetition":0,"attempt":2,"params":{"iterations":20000,"pattern":"ä"},"rails":{"core":{"frequency_khz":3000000,"nominal_khz":3000000,"nominal_uv":999000,"voltage_uv":999000}},"applied":{"core.frequency":"adapter","core.voltage":"adapter"},"argv":["--vcore","999","--fcore","3000"],"seed":151123190,"boot_id":"5a1c"}
    SubRun step_spawned {"index":3,"pid":4711,"start_ticks":123456}
    SubRun rail_moving {"rail":"core","from":{},"to":{"voltage_uv":850000,"frequency_khz":3200000}}
    SubRun rail_held {"rail":"core","setpoint":{"voltage_uv":850000,"frequency_khz":3200000},"readback":{"voltage_uv":850000,"frequency_khz":3200000}}
    SubRun rail_not_held {"rail":"core","setpoint":{"voltage_uv":850000,"frequency_khz":3200000},"readback":{"voltage_uv":850000,"frequency_khz":3200000},"reason":"voltage reads 850mV where 840mV was set"}
    SubRun rail_restored {"rail":"core","by":"guardian","readback":{"voltage_uv":850000,"frequency_khz":3200000}}
    SubRun rail_not_restored {"rail":"core","by":"hand","reason":"exit code 1"}
    SubRun step_finished {"index":3,"step":"cpu-smoke","verdict":"fail","effects":["sdc","ac"],"reason":"exit code 1","exit_code":1,"signal":11,"started_at":"2025-01-01T01:01:01.000Z","ended_at":"2025-01-01T01:01:02.500Z","duration_ms":1500,"stdout_bytes":1099511627776,"stderr_bytes":7,"user_ms":1,"system_ms":2,"max_rss_kb":3,"metrics":{"rate":{"value":0.1,"unit":"1/s"},"rounds":{"value":-3.0}},"evidence":[{"check":"exit code","held":false,"found":"1"},{"check":"expect 1","held":null}],"observed":{"edac_ce":{"delta":2,"where":{"mc0":2}},"kernel_log":{"corrected":1,"lines":["mce: [Hardware Error]"]},"power":{"not_checked":"gone"},"temperature":{"min":1,"mean":2,"max":3,"samples":4,"unit":"mC","of":"k10temp"}},"artifacts":["a/b.txt"],"error":"gone"}
    SubRun subrun_closed {"verdict":"fail","reason":"stopped","effects":["sc"]}
    Run subrun_finished {"id":"rr-20250101T010101Z-abc123-s01","index":1,"verdict":"fail","effects":["sdc","ac"],"reason":"stopped"}
    Run evidence_late {"index":1,"observed":{"edac_ce":{"delta":2,"where":{"mc0":2}},"kernel_log":{"corrected":1,"lines":["mce: [Hardware Error]"]},"power":{"not_checked":"gone"},"temperature":{"min":1,"mean":2,"max":3,"samples":4,"unit":"mC","of":"k10temp"}}}
    Run run_finished {"status":"completed","verdict":"fail","exit_code":1}
    "#);
}

#[test]
fn statuses_are_written_as_shown() {
    use RunStatus::{Cancelled, Completed, DryRun, Interrupted, Planned, Running};
    for status in [Planned, Running, Completed, Cancelled, Interrupted, DryRun] {
        assert_eq!(serde_json::to_value(status).unwrap(), json!(status.as_str()));
    }
    let key = applied_key(&name("core"), RailField::Voltage);
    assert_eq!(key, "core.voltage");
}

proptest! {
    #[test]
    fn metrics_are_kept_to_the_last_bit(value in proptest::num::f64::NORMAL | proptest::num::f64::ZERO | proptest::num::f64::SUBNORMAL) {
        let metric = Metric { value, unit: None };
        let event: RunEvent =
            Box::new(StepFinished { metrics: BTreeMap::from([(name("m"), metric)]), ..kit::finished(0, Verdict::Pass) }).into();
        prop_assert_eq!(read("step_finished", &written(&event)), event);
    }
}
