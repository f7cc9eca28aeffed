//! Adapters against the real tools, for a few seconds each. A tool that is not installed is said to be and passed over,
//! unless `ROAD_RUNNER_REQUIRE_TOOLS` asks for them all.

use super::TOOLS;
use super::rig::{Rig, Step};

/// The step of a real tool, where it is installed.
fn step(adapter: &str, params: &str) -> Option<Step> {
    let rig = Rig::new().with_system();
    let (_, tool) = TOOLS.into_iter().find(|(name, _)| *name == adapter).unwrap();
    if rig.find(tool).is_none() {
        crate::tools::skipped(&format!("{tool} is not installed"));
        return None;
    }
    Some(rig.step(adapter, params))
}

/// On its defaults the tool passes, its version is on record, all these metrics are above zero (`=0`: are zero), and it
/// leaves these files.
fn check(adapter: &str, version: &str, metrics: &[&str], artifacts: &[&str]) {
    let Some(step) = step(adapter, "") else { return };
    assert_eq!((step.verdict(), step.exit_code), ("pass", Some(0)), "{}", step.record);
    for metric in metrics {
        let (name, right): (_, fn(f64) -> bool) = match metric.strip_suffix("=0") {
            Some(name) => (name, |value| value == 0.0),
            None => (*metric, |value| value > 0.0),
        };
        assert!(step.metric(name).is_some_and(right), "{name} in {}", step.record["metrics"]);
    }
    assert_eq!(step.artifacts(), artifacts);
    let said = step.system["start"]["tools"][adapter].to_string();
    assert!(said.contains(version), "{said}");
}

#[test]
fn stress_ng() {
    let metrics = [
        "cpu_bogo_ops",
        "cpu_bogo_ops_per_s",
        "cpu_wall_s",
        "vm_bogo_ops",
        "vm_bogo_ops_per_s",
        "vm_wall_s",
        "cpu_workers",
        "vm_workers",
    ];
    check("stress_ng", "stress-ng, version ", &metrics, &["stress.yaml"]);
}

#[test]
fn memtester() {
    check("memtester", "memtester version ", &["wanted_mib", "locked_mib", "loops"], &[]);
}

#[test]
fn stressapptest() {
    let metrics = ["tested_mib", "ran_s", "copied_mib", "copied_mib_per_s", "hardware_incidents=0", "errors=0"];
    check("stressapptest", "SAT revision ", &metrics, &[]);
}

#[test]
fn stressapptest_finds_the_fault_that_it_makes() {
    let Some(step) = step("stressapptest", "duration: 1s, inject_fault: true") else { return };
    assert_eq!((step.verdict(), step.effects(), step.exit_code), ("fail", vec!["sdc"], Some(1)), "{}", step.record);
}

#[test]
fn fio() {
    let metrics = [
        "io_error=0",
        "written_bytes",
        "verified_bytes",
        "write_bytes_per_s",
        "read_bytes_per_s",
        "write_ops_per_s",
        "read_ops_per_s",
        "write_p99_ns",
    ];
    // Its own file is gone.
    check("fio", "fio-3", &metrics, &["fio.json"]);
}

#[test]
fn sysbench() {
    let metrics = [
        "threads",
        "max_prime",
        "events",
        "events_per_s",
        "ran_s",
        "latency_avg_ms",
        "latency_p95_ms",
        "latency_max_ms",
    ];
    check("sysbench", "sysbench 1", &metrics, &[]);
}

#[test]
fn cyclictest() {
    let metrics = ["return_code=0", "threads", "cycles", "latency_min_us", "latency_avg_us", "latency_max_us"];
    check("cyclictest", "cyclictest V", &metrics, &["cyclictest.json"]);
}
