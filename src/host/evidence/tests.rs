//! Whole machines as folders: what an AMD, an Intel and an Arm host offer, and what moves there during a step.

use std::fs;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::*;
use crate::host::source::tests::machine;

const AMD: &[(&str, &str)] = &[
    ("sys/class/hwmon/hwmon0/name", "k10temp\n"),
    ("sys/class/hwmon/hwmon0/temp1_input", "48000\n"),
    ("sys/class/hwmon/hwmon0/temp1_label", "Tctl\n"),
    ("sys/class/hwmon/hwmon1/name", "nct6775\n"),
    ("sys/class/hwmon/hwmon1/in0_input", "1100\n"),
    ("sys/class/hwmon/hwmon1/in0_label", "Vcore\n"),
    ("sys/devices/system/edac/mc/mc0/ce_count", "7\n"),
    ("sys/devices/system/edac/mc/mc0/ue_count", "0\n"),
    ("sys/devices/system/edac/mc/mc0/dimm1/dimm_label", "P0_DIMM_A1\n"),
    ("sys/devices/system/edac/mc/mc0/dimm1/dimm_ce_count", "7\n"),
    ("sys/devices/system/edac/mc/mc0/dimm1/dimm_ue_count", "0\n"),
    ("sys/bus/pci/devices/0000:01:00.0/aer_dev_correctable", "RxErr 1\nBadTLP 0\nTOTAL_ERR_COR 1\n"),
    ("sys/bus/pci/devices/0000:01:00.0/aer_dev_nonfatal", "TLP 0\nTOTAL_ERR_NONFATAL 0\n"),
    ("sys/bus/pci/devices/0000:01:00.0/aer_dev_fatal", "TLP 0\nTOTAL_ERR_FATAL 0\n"),
    ("proc/loadavg", "1.50 1.00 0.50 1/100 4711\n"),
    ("dev/kmsg", "6,1,1,-;booted\n"),
];

const INTEL: &[(&str, &str)] = &[
    ("sys/class/hwmon/hwmon0/name", "coretemp\n"),
    ("sys/class/hwmon/hwmon0/temp1_input", "61000\n"),
    ("sys/class/hwmon/hwmon0/temp1_label", "Package id 0\n"),
    ("sys/devices/system/cpu/cpu0/topology/physical_package_id", "0\n"),
    ("sys/devices/system/cpu/cpu0/topology/core_id", "0\n"),
    ("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "2\n"),
    ("sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "5\n"),
    ("sys/devices/system/cpu/cpu1/topology/physical_package_id", "0\n"),
    ("sys/devices/system/cpu/cpu1/topology/core_id", "0\n"),
    ("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "2\n"),
    ("sys/devices/system/cpu/cpu1/thermal_throttle/package_throttle_count", "5\n"),
    ("sys/devices/system/cpu/cpu2/topology/physical_package_id", "0\n"),
    ("sys/devices/system/cpu/cpu2/topology/core_id", "4\n"),
    ("sys/devices/system/cpu/cpu2/thermal_throttle/core_throttle_count", "0\n"),
    ("sys/devices/system/cpu/cpu2/thermal_throttle/package_throttle_count", "5\n"),
    ("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "3200000\n"),
    ("sys/class/powercap/intel-rapl:0/name", "package-0\n"),
    ("sys/class/powercap/intel-rapl:0/energy_uj", "990\n"),
    ("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "1000\n"),
    ("sys/class/powercap/intel-rapl:0:0/name", "core\n"),
    ("sys/class/powercap/intel-rapl:0:0/energy_uj", "500\n"),
];

const ARM: &[(&str, &str)] = &[
    ("sys/class/thermal/thermal_zone0/type", "soc-thermal\n"),
    ("sys/class/thermal/thermal_zone0/temp", "43500\n"),
    ("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "1800000\n"),
    ("sys/devices/system/cpu/cpufreq/policy4/scaling_cur_freq", "2400000\n"),
    ("proc/pressure/memory", "some avg10=1.25 avg60=0 avg300=0 total=1\nfull avg10=0.00 avg60=0 avg300=0 total=1\n"),
];

/// A machine that is watched, and whose files a test changes.
struct Bench {
    dir: tempfile::TempDir,
    watcher: Watcher,
}

impl Bench {
    fn new(files: &[(&str, &str)]) -> Self {
        let (dir, roots) = machine(files);
        Self { watcher: Watcher::start(&roots, None, |_| {}).unwrap(), dir }
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.dir.path().join(file), text).unwrap();
    }

    /// What is available, and what else is not merely absent.
    fn offers(&self) -> String {
        let here = self.watcher.sources().iter().filter(|(_, found)| found.status != Status::Absent);
        let shown = |(source, found): (&SourceId, &crate::domain::evidence::Found)| match found.status {
            Status::Available => source.to_string(),
            status => format!("{source}:{}", status.as_str()),
        };
        here.map(shown).collect::<Vec<_>>().join(" ")
    }

    fn end(&mut self) -> Vec<String> {
        json(&self.watcher.end())
    }
}

fn json(observed: &Observed) -> Vec<String> {
    observed.iter().map(|(source, seen)| format!("{source} {}", serde_json::to_string(seen).unwrap())).collect()
}

#[test]
fn what_each_kind_of_host_offers() {
    let check = |files, expected: &str| {
        let bench = Bench::new(files);
        assert_eq!(bench.offers(), expected);
        assert_eq!(bench.watcher.sources().len(), SourceId::ALL.len());
    };
    check(AMD, "aer_corrected aer_uncorrected edac_ce edac_ue kernel_log load temperature voltage");
    check(INTEL, "energy frequency temperature throttle");
    check(ARM, "frequency memory_pressure temperature");
    check(&[], "");
}

#[test]
fn a_step_in_which_nothing_happens() {
    let mut bench = Bench::new(AMD);
    assert_eq!(json(&bench.watcher.begin()), [""; 0]);
    insta::assert_snapshot!(bench.end().join("\n"), @r#"
    aer_corrected {"delta":0}
    aer_uncorrected {"delta":0}
    edac_ce {"delta":0}
    edac_ue {"delta":0}
    kernel_log {"lines":[]}
    load {"min":150,"mean":150,"max":150,"samples":1}
    temperature {"min":48000,"mean":48000,"max":48000,"samples":1,"unit":"mC","of":"k10temp Tctl"}
    voltage {"min":1100,"mean":1100,"max":1100,"samples":1,"unit":"mV","of":"nct6775 Vcore"}
    "#);
}

#[test]
fn what_moves_during_a_step_is_of_that_step() {
    let mut bench = Bench::new(AMD);
    bench.watcher.begin();
    bench.write("sys/devices/system/edac/mc/mc0/ce_count", "9\n");
    bench.write("sys/devices/system/edac/mc/mc0/dimm1/dimm_ce_count", "9\n");
    bench.write("sys/bus/pci/devices/0000:01:00.0/aer_dev_fatal", "TLP 1\nTOTAL_ERR_FATAL 1\n");
    bench.write("dev/kmsg", "6,1,1,-;booted\n3,2,9,-;EDAC MC0: 2 CE memory read error on P0_DIMM_A1\n");
    let first = bench.end();
    for expected in [
        r#"aer_uncorrected {"delta":1,"where":{"0000:01:00.0":1}}"#,
        r#"edac_ce {"delta":2,"where":{"mc0/P0_DIMM_A1":2}}"#,
        r#"kernel_log {"corrected":1,"lines":["EDAC MC0: 2 CE memory read error on P0_DIMM_A1"]}"#,
    ] {
        assert!(first.iter().any(|line| line == expected), "{expected}\n{first:#?}");
    }
    assert_eq!(json(&bench.watcher.begin()), [""; 0]);
    let second = bench.end();
    assert!(second.iter().any(|line| line == r#"edac_ce {"delta":0}"#), "{second:#?}");
}

#[test]
fn what_comes_between_two_steps_is_late() {
    let mut bench = Bench::new(AMD);
    bench.watcher.begin();
    bench.end();
    bench.write("sys/devices/system/edac/mc/mc0/ce_count", "8\n");
    assert_eq!(json(&bench.watcher.begin()), [r#"edac_ce {"delta":1,"where":{"mc0":1}}"#]);
    assert!(bench.watcher.is_late() && !Bench::new(INTEL).watcher.is_late());
}

#[test]
fn a_core_and_a_package_count_once_and_energy_goes_round() {
    let mut bench = Bench::new(INTEL);
    bench.watcher.begin();
    for cpu in 0..3 {
        bench.write(&format!("sys/devices/system/cpu/cpu{cpu}/thermal_throttle/package_throttle_count"), "6\n");
    }
    for cpu in 0..2 {
        bench.write(&format!("sys/devices/system/cpu/cpu{cpu}/thermal_throttle/core_throttle_count"), "4\n");
    }
    bench.write("sys/class/powercap/intel-rapl:0/energy_uj", "15\n");
    let seen = bench.end();
    for expected in [
        r#"throttle {"delta":3,"where":{"cpu0":2,"package0":1}}"#,
        r#"energy {"delta":25,"where":{"package-0":25},"unit":"uJ"}"#,
    ] {
        assert!(seen.iter().any(|line| line == expected), "{expected}\n{seen:#?}");
    }
}

#[test]
fn a_counter_that_goes_back_or_is_gone_was_not_checked() {
    let mut bench = Bench::new(AMD);
    bench.watcher.begin();
    bench.write("sys/devices/system/edac/mc/mc0/ce_count", "0\n");
    fs::remove_file(bench.dir.path().join("sys/devices/system/edac/mc/mc0/ue_count")).unwrap();
    let seen = bench.end().join("\n").replace(bench.dir.path().to_str().unwrap(), "DIR");
    let back = r#"edac_ce {"not_checked":"DIR/sys/devices/system/edac/mc/mc0/ce_count went back: its driver was loaded anew"}"#;
    assert!(seen.contains(back), "{seen}");
    assert!(
        seen.contains(r#"edac_ue {"not_checked":"DIR/sys/devices/system/edac/mc/mc0/ue_count: No such file"#),
        "{seen}"
    );
}

#[test]
fn nonsense_is_an_error_and_never_a_number() {
    let files = AMD.iter().map(|(file, text)| (*file, if file.ends_with("ce_count") { "many\n" } else { *text }));
    let bench = Bench::new(&files.collect::<Vec<_>>());
    assert!(bench.offers().contains("edac_ce:error"), "{}", bench.offers());
}

/// Until a condition holds.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(20), "waited for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn sensors_are_sampled_over_the_step_and_an_alarm_is_raised() {
    let (dir, roots) = machine(AMD);
    let (alarms, raised) = mpsc::channel();
    let mut watcher = Watcher::start(&roots, Some(90_000), move |alarm| drop(alarms.send(alarm))).unwrap();
    watcher.begin();
    fs::write(dir.path().join("sys/class/hwmon/hwmon0/temp1_input"), "95500\n").unwrap();
    let alarm = raised.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(alarm, Alarm { of: "k10temp Tctl".to_owned(), millidegrees_c: 95_500 });
    fs::write(dir.path().join("sys/class/hwmon/hwmon0/temp1_input"), "50000\n").unwrap();
    until("cooler", || watcher.hottest().is_some_and(|hottest| hottest.millidegrees_c == 50_000));
    let Some(crate::domain::evidence::Observation::Measured(seen)) = watcher.end().remove(&SourceId::Temperature)
    else {
        panic!("no temperature")
    };
    assert_eq!((seen.max, seen.of.as_deref()), (95_500, Some("k10temp Tctl")));
    assert!(seen.samples >= 2 && seen.min <= 50_000 && seen.mean > seen.min && seen.mean < seen.max, "{seen:?}");
}

#[test]
fn a_sensor_that_does_not_answer_holds_nobody_up() {
    let (dir, roots) = machine(&[("sys/class/hwmon/hwmon0/name", "slow\n"), AMD[6], AMD[7]]);
    let fifo = dir.path().join("sys/class/hwmon/hwmon0/temp1_input");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    let begin = Instant::now();
    let mut watcher = Watcher::start(&roots, None, |_| {}).unwrap();
    assert_eq!(watcher.sources()[&SourceId::Temperature].status, Status::Error);
    watcher.begin();
    let seen = json(&watcher.end());
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(seen, [r#"edac_ce {"delta":0}"#, r#"edac_ue {"delta":0}"#]);
    // Lets the thread go.
    drop(fs::File::options().read(true).write(true).open(&fifo).unwrap());
}
