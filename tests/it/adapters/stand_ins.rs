//! Adapters against stand-ins that say what the real tools say in their traps; and with no tool there.

use std::thread;

use super::TOOLS;
use super::rig::Rig;

/// A trap, the verdict in it with effects after a space (`fail sdc`), and a part of its reason.
type Case = (&'static str, &'static str, &'static str);

/// Checks all traps of an adapter at once: the stand-ins do nothing but wait.
fn check_all(adapter: &str, params: &str, cases: &[Case]) {
    thread::scope(|scope| {
        for &(trap, verdict, reason) in cases {
            scope.spawn(move || check(adapter, params, trap, verdict, reason));
        }
    });
}

/// In this trap the adapter's verdict is this one, for this reason, and the run's exit code goes with it.
fn check(adapter: &str, params: &str, trap: &str, verdict: &str, reason: &str) {
    let (_, tool) = TOOLS.into_iter().find(|(name, _)| *name == adapter).unwrap();
    let step = Rig::new().with_system().with_stand_in(tool, &format!("{tool}.sh"), trap).step(adapter, params);
    let found = [&[step.verdict()], &step.effects()[..]].concat().join(" ");
    assert_eq!(found, verdict, "{adapter}, trap {trap}: {}", step.record);
    assert!(step.reason().contains(reason), "{adapter}, trap {trap}: {}", step.reason());
    let codes = match step.verdict() {
        "pass" => Some(0),
        "fail" => Some(1),
        "error" => Some(4),
        _ => Some(6),
    };
    assert_eq!(step.exit_code, codes, "{adapter}, trap {trap}");
}

#[test]
fn stress_ng() {
    check_all(
        "stress_ng",
        "cpu: 1, duration: 1s",
        &[
            ("good", "pass", ""),
            ("early", "inconclusive", "ran at least duration"),
            ("zero-ops", "inconclusive", "metric vm_bogo_ops at least 1, but 0"),
            ("unsupported", "inconclusive", "but No stress workers"),
            ("one-skipped", "inconclusive", "metric vm_bogo_ops"),
            ("no-file", "inconclusive", "metric cpu_bogo_ops"),
            ("failure-line", "fail sdc", "effect sdc was seen"),
            ("killed-worker", "fail", "exit code 2"),
            ("bad-option", "error", "exit code 1"),
        ],
    );
}

#[test]
fn memtester() {
    check_all(
        "memtester",
        "size_mb: 4, loops: 2",
        &[
            ("good", "pass", ""),
            ("shrunk", "inconclusive", "metric locked_mib at least size_mb, but 2"),
            ("reduced", "inconclusive", "metric locked_mib at least size_mb, but 3"),
            ("unlocked", "inconclusive", "metric locked_mib"),
            ("missing-test", "inconclusive", "stdout matches"),
            ("no-end", "inconclusive", "stdout matches"),
            ("fewer-loops", "inconclusive", "metric loops at least loops, but 1"),
            ("wrong-bit", "fail sdc", "exit code 4"),
            ("usage", "error", "exit code 1"),
        ],
    );
}

#[test]
fn stressapptest() {
    check_all(
        "stressapptest",
        "duration: 1s, size_mb: 64",
        &[
            ("good", "pass", ""),
            ("early", "inconclusive", "ran at least duration"),
            ("early-after-slow-start", "inconclusive", "User exiting early"),
            ("shrunk", "inconclusive", "metric tested_mib at least size_mb, but 32"),
            ("nothing-copied", "inconclusive", "metric copied_mib at least 1, but 0"),
            ("no-status", "inconclusive", "stdout matches `^Status: PASS - `"),
            ("no-statistics", "inconclusive", "metric copied_mib"),
            ("no-memory", "error", "procedural errors"),
            ("incidents", "fail", "metric hardware_incidents at most 0, but 3"),
            ("miscompare", "fail sdc", "exit code 1"),
            ("miscompare-and-pass", "fail sdc", "effect sdc was seen"),
        ],
    );
}

#[test]
fn fio() {
    check_all(
        "fio",
        "size_bytes: 1048576",
        &[
            ("good", "pass", ""),
            ("no-file", "inconclusive", "fio.json"),
            ("text-first", "inconclusive", "fio.json is neither JSON nor YAML"),
            ("unverified", "inconclusive", "metric verified_bytes at least size_bytes, but 0"),
            ("half", "inconclusive", "metric written_bytes at least size_bytes, but 524288"),
            ("full", "error", "No space left on device"),
            ("full-and-0", "fail", "metric io_error at most 0, but 28"),
            ("wrong-checksum", "fail sdc", "exit code 1"),
            ("wrong-checksum-and-0", "fail sdc", "effect sdc was seen"),
            ("bad-option", "error", "unrecognized option"),
            ("terminated", "error", "exit code 128"),
        ],
    );
}

#[test]
fn sysbench() {
    check_all(
        "sysbench",
        "duration: 1s, threads: 2",
        &[
            ("good", "pass", ""),
            ("early", "inconclusive", "ran at least duration"),
            ("no-events", "inconclusive", "metric events at least 1, but 0"),
            ("fewer-threads", "inconclusive", "metric threads at least threads, but 1"),
            ("smaller-primes", "inconclusive", "metric max_prime at least max_prime, but 9999"),
            ("no-end", "inconclusive", "metric events"),
            ("fatal-and-0", "inconclusive", "but FATAL"),
            ("unknown-test", "error", "exit code 1"),
        ],
    );
}

#[test]
fn cyclictest() {
    check_all(
        "cyclictest",
        "duration: 1s, threads: 2",
        &[
            ("good", "pass", ""),
            ("right-keys", "pass", ""),
            ("usage", "inconclusive", "ran at least duration"),
            ("usage-after-a-while", "inconclusive", "unrecognized option"),
            ("early", "inconclusive", "ran at least duration"),
            ("no-cycles", "inconclusive", "metric cycles at least 1, but 0"),
            ("fewer-threads", "inconclusive", "metric threads at least threads, but 1"),
            ("return-code", "inconclusive", "metric return_code at most 0, but 1"),
            ("no-file", "inconclusive", "metric cycles"),
            ("not-allowed", "error", "exit code 1"),
        ],
    );
}

/// Neither at once nor after a time that would do for a test.
#[test]
fn silence_never_passes() {
    let check = |adapter, tool, params, seconds| {
        let words = format!("silent {seconds}");
        let step = Rig::new().with_system().with_stand_in(tool, "silent.sh", &words).step(adapter, params);
        assert_eq!((step.verdict(), step.exit_code), ("inconclusive", Some(6)), "{adapter}: {}", step.record);
    };
    thread::scope(|scope| {
        for (adapter, tool) in TOOLS {
            scope.spawn(move || check(adapter, tool, "", "0"));
            scope.spawn(move || check(adapter, tool, shortest(adapter), "1.1"));
        }
    });
}

const fn shortest(adapter: &str) -> &'static str {
    match adapter.as_bytes() {
        b"fio" | b"memtester" => "",
        _ => "duration: 1s",
    }
}

#[test]
fn an_absent_tool_refuses_the_plan_by_name() {
    for (adapter, tool) in TOOLS {
        let rig = Rig::new();
        let flow = rig.flow(adapter, "");
        for words in [&["plan"][..], &["run", "--yes"]] {
            let output = rig.road_runner(&[words, &["--flow", &flow, "--margin", "nominal"]].concat());
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{adapter}: {said}");
            assert!(said.contains(&format!("path: {tool}")) && said.contains("not found on PATH"), "{said}");
        }
    }
}

#[test]
fn burnin_uses_them_all() {
    let rig =
        TOOLS.into_iter().fold(Rig::new(), |rig, (_, tool)| rig.with_stand_in(tool, &format!("{tool}.sh"), "good"));
    let output = rig.road_runner(&["plan", "--flow", "burnin", "--margin", "nominal"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (_, tool) in TOOLS {
        assert!(said.contains(tool), "{tool} is not in\n{said}");
    }
}
