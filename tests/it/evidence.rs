//! Evidence from a host that is a folder, under real sweeps: what moves during a step is that step's, heat ends it at once.

use std::fs;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::cli::{Bench, Told, words};

const FLOW: &str = "name: smoke\nsteps:\n  - { name: one, adapter: still }\n  - { name: two, adapter: probe }\n  - { name: three, adapter: still }\n";
const MARGIN: &str = "name: down\nglobal_seed: 7\ndefault: { core: { voltage: [900mV, 950mV] } }\n";
const POLICY: &str = "name: safety\nlimits: { core: { voltage: { min: 700mV, max: 1200mV } } }\n";
const RUN: &str = "run --no-tui --yes --flow smoke --margin down --unit SN1";

/// A workspace on a host that has these files below its sysfs. `probe` is a script that finds them at `$sys` and the kernel
/// log at `$log`.
fn bench(files: &[(&str, &str)], evidence: &str, probe: &str) -> Bench {
    let bench = Bench::empty();
    bench.write("flows/smoke.yaml", FLOW);
    bench.write("margins/down.yaml", MARGIN);
    bench.write("policy/safety.yaml", &format!("{POLICY}{evidence}"));
    for adapter in ["probe", "still"] {
        let manifest = format!(
            "name: {adapter}\npath: diags/{adapter}.sh\nrails: [core]\nexpect: [ {{ stdout_matches: '^OK$' }} ]\n"
        );
        bench.write(&format!("adapters/{adapter}.yaml"), &manifest);
    }
    let here = "here=${0%/*}/../host\nsys=$here/sys\nlog=$here/kmsg\n";
    bench.program("diags/still.sh", "#!/bin/sh\necho OK\n");
    bench.program("diags/probe.sh", &format!("#!/bin/sh\n{here}{probe}\necho OK\n"));
    fs::create_dir_all(bench.path("host/sys")).unwrap();
    bench.write("host/kmsg", "6,1,1,-;booted\n");
    for (file, text) in files {
        bench.write(&format!("host/sys/{file}"), text);
    }
    bench
}

fn command(bench: &Bench, line: &str) -> Command {
    let mut command = bench.real(&words(line));
    command.env("ROAD_RUNNER_SYSFS", bench.path("host/sys")).env("ROAD_RUNNER_KMSG", bench.path("host/kmsg"));
    command
}

fn run(bench: &Bench) -> Told {
    bench.outcome(&mut command(bench, RUN))
}

/// The lines of a name in all journals of that file name.
fn lines(bench: &Bench, file: &str, event: &str) -> Vec<Value> {
    let mut files: Vec<String> = bench.runs().into_iter().filter(|path| path.ends_with(file)).collect();
    files.sort();
    let text: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    text.lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["event"] == event)
        .collect()
}

/// Of each step in order: its verdict, effects, and what a source saw.
fn seen(bench: &Bench, source: &str) -> Vec<String> {
    let finished = lines(bench, "/steps.ldjson", "step_finished");
    finished
        .iter()
        .map(|line| format!("{} {} {}", line["verdict"].as_str().unwrap(), line["effects"], line["observed"][source]))
        .collect()
}

const EDAC: &[(&str, &str)] = &[
    ("devices/system/edac/mc/mc0/ce_count", "4\n"),
    ("devices/system/edac/mc/mc0/ue_count", "0\n"),
    ("devices/system/edac/mc/mc0/dimm3/dimm_ce_count", "4\n"),
];
/// Once, so that the second sub-run shows that the first one's error is not its own.
const ONCE: &str = "[ -e \"$here/done\" ] && { echo OK; exit 0; }\n: > \"$here/done\"\n";

#[test]
fn a_corrected_error_is_of_the_step_in_which_it_came_and_of_no_other() {
    let probe = format!(
        "{ONCE}echo 6 > $sys/devices/system/edac/mc/mc0/ce_count; echo 6 > $sys/devices/system/edac/mc/mc0/dimm3/dimm_ce_count"
    );
    let bench = bench(EDAC, "evidence: { lag: 0s }\n", &probe);
    let told = run(&bench);
    assert_eq!(told.code, 0, "{}", told.all());
    let none = r#"pass [] {"delta":0}"#;
    let one = r#"pass ["ce"] {"delta":2,"where":{"mc0/dimm3":2}}"#;
    assert_eq!(seen(&bench, "edac_ce"), [none, one, none, none, none, none]);
}

#[test]
fn an_uncorrected_error_is_the_units_failure() {
    let probe = format!("{ONCE}echo 1 > $sys/devices/system/edac/mc/mc0/ue_count");
    let bench = bench(EDAC, "evidence: { lag: 0s }\n", &probe);
    let told = run(&bench);
    assert_eq!(told.code, 1, "{}", told.all());
    assert!(
        told.stdout.contains("edac_ue went up by 1 at mc0") || told.stderr.contains("edac_ue went up by 1 at mc0"),
        "{}",
        told.all()
    );
    assert_eq!(seen(&bench, "edac_ue").iter().filter(|line| line.starts_with("fail [\"ue\"]")).count(), 1);
}

#[test]
fn an_error_that_is_counted_late_is_waited_for() {
    // Nobody belongs to the step any more when the counter moves: it is the kernel that is late.
    let bench = bench(EDAC, "evidence: { lag: 900ms }\n", "");
    let file = bench.path("host/sys/devices/system/edac/mc/mc0/ce_count");
    let finished = bench.path("host/finished");
    bench.program("diags/probe.sh", "#!/bin/sh\n: > \"${0%/*}/../host/finished\"\necho OK\n");
    let kernel = std::thread::spawn(move || {
        while !finished.exists() {
            std::thread::sleep(Duration::from_millis(2));
        }
        // The step is over within a few milliseconds; the error is counted well within the lag.
        std::thread::sleep(Duration::from_millis(150));
        fs::write(file, "5\n").unwrap();
    });
    let told = run(&bench);
    kernel.join().unwrap();
    assert_eq!(told.code, 0, "{}", told.all());
    let ce: Vec<usize> = seen(&bench, "edac_ce")
        .iter()
        .enumerate()
        .filter(|(_, line)| line.contains("ce\"]"))
        .map(|(at, _)| at)
        .collect();
    assert_eq!(ce, [1]);
    let finished = lines(&bench, "/steps.ldjson", "step_finished");
    assert!(finished.iter().all(|line| line["duration_ms"].as_u64().unwrap() < 800), "the lag is no part of the step");
}

#[test]
fn the_kernel_log_is_part_of_the_step() {
    let bench = bench(&[], "", "echo '3,9,9,-;EDAC MC0: 1 UE memory read error on DIMM_A1' >> $log");
    let told = run(&bench);
    assert_eq!(told.code, 1, "{}", told.all());
    let log = seen(&bench, "kernel_log");
    assert_eq!(log[0], r#"pass [] {"lines":[]}"#);
    assert_eq!(log[1], r#"fail ["ue"] {"lines":["EDAC MC0: 1 UE memory read error on DIMM_A1"],"uncorrected":1}"#);
}

const HWMON: &[(&str, &str)] = &[
    ("class/hwmon/hwmon0/name", "k10temp\n"),
    ("class/hwmon/hwmon0/temp1_input", "45000\n"),
    ("class/hwmon/hwmon0/temp1_label", "Tctl\n"),
];
const HEATS: &str = "echo 99000 > $sys/class/hwmon/hwmon0/temp1_input; sleep 20";

#[test]
fn heat_ends_the_step_within_a_second_and_the_run_where_it_stays() {
    let bench = bench(HWMON, "evidence: { temperature: { max: 95C, cool_to: 60C, cool_for: 300ms } }\n", HEATS);
    let told = run(&bench);
    assert_eq!(told.code, 6, "{}", told.all());
    let finished = lines(&bench, "/steps.ldjson", "step_finished");
    let hot = &finished[1];
    assert_eq!(hot["verdict"], "inconclusive");
    assert_eq!(hot["reason"], "k10temp Tctl says 99C, 95C is the most: the point was not held");
    assert!(hot["duration_ms"].as_u64().unwrap() < 1500, "{hot}");
    assert_eq!(finished.len(), 2, "neither the third step nor the second sub-run");
    let cancelling = &lines(&bench, "/events.ldjson", "cancelling")[0];
    assert_eq!(cancelling["reason"], "too_hot");
    assert_eq!(cancelling["detail"], "k10temp Tctl says 99C after 300ms, 60C was waited for");
}

#[test]
fn a_host_that_cools_down_goes_on() {
    let probe = format!("{ONCE}{HEATS}");
    let bench = bench(HWMON, "evidence: { temperature: { max: 95C, cool_to: 60C, cool_for: 1m } }\n", &probe);
    let sensor = bench.path("host/sys/class/hwmon/hwmon0/temp1_input");
    let heated = bench.path("host/done");
    let runs = bench.path("runs");
    let fan = std::thread::spawn(move || {
        let closed = |runs: &std::path::Path| {
            let journals = fs::read_dir(runs).into_iter().flatten().filter_map(Result::ok);
            journals
                .map(|run| run.path().join("events.ldjson"))
                .any(|file| fs::read_to_string(file).is_ok_and(|text| text.contains("subrun_finished")))
        };
        while !heated.exists() || !closed(&runs) {
            std::thread::sleep(Duration::from_millis(5));
        }
        fs::write(sensor, "50000\n").unwrap();
    });
    let told = run(&bench);
    fan.join().unwrap();
    assert_eq!(told.code, 6, "{}", told.all());
    let verdicts: Vec<String> = lines(&bench, "/steps.ldjson", "step_finished")
        .iter()
        .map(|line| line["verdict"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(verdicts, ["pass", "inconclusive", "pass", "pass", "pass"]);
}

#[test]
fn a_host_with_nothing_says_so_and_nobody_waits() {
    let bench = bench(&[], "", "");
    let told = bench.outcome(command(&bench, RUN).env("ROAD_RUNNER_KMSG", bench.path("host/none")));
    assert_eq!(told.code, 0, "{}", told.all());
    let sources = &lines(&bench, "/events.ldjson", "evidence_sources")[0]["sources"];
    for source in
        ["edac_ce", "edac_ue", "throttle", "aer_corrected", "energy", "temperature", "voltage", "power", "kernel_log"]
    {
        assert_eq!(sources[source]["status"], "absent", "{source}");
    }
    for line in lines(&bench, "/steps.ldjson", "step_finished") {
        let observed: Vec<&String> =
            line["observed"].as_object().into_iter().flatten().map(|(source, _)| source).collect();
        assert!(observed.iter().all(|source| ["load", "memory_pressure"].contains(&source.as_str())), "{observed:?}");
        assert_eq!(line["effects"].as_array().map(Vec::len), Some(0));
    }
}

#[test]
fn whoever_decides_sees_which_evidence_can_be_had() {
    let bench = bench(EDAC, "", "");
    let told = bench.outcome(&mut command(&bench, "run --no-tui -v --dry-run --flow smoke --margin down --unit SN1"));
    assert_eq!(told.code, 0, "{}", told.all());
    let said = told
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("evidence  "))
        .unwrap_or_else(|| panic!("{}", told.all()));
    assert!(said.starts_with("edac_ce, edac_ue, kernel_log"), "{said}");
}
