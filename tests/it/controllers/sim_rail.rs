//! `diags/sim_rail.sh` in all its modes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, Instant};

use super::{Bench, check, shells};

const SCRIPT: &str = "sim_rail.sh";
const NOMINAL: &str = "voltage_uv=1000000 frequency_khz=3000000";

#[test]
fn it_holds_what_it_was_set_to_and_goes_home() {
    check(
        SCRIPT,
        &[
            ("get sim", NOMINAL),
            ("--nominal-uv 900000 --nominal-khz 2000000 get low", "voltage_uv=900000 frequency_khz=2000000"),
            ("get low", "voltage_uv=900000 frequency_khz=2000000"),
            ("set sim voltage_uv=850000 frequency_khz=3200000", ""),
            ("get sim", "voltage_uv=850000 frequency_khz=3200000"),
            // What is not given stays.
            ("set sim voltage_uv=800000", ""),
            ("get sim", "voltage_uv=800000 frequency_khz=3200000"),
            ("set sim frequency_khz=2800000", ""),
            ("get sim", "voltage_uv=800000 frequency_khz=2800000"),
            ("set sim 870000 2900000", ""),
            ("get sim", "voltage_uv=870000 frequency_khz=2900000"),
            // Rails know nothing of each other.
            ("get other", NOMINAL),
            ("set other 1 1", ""),
            ("get sim", "voltage_uv=870000 frequency_khz=2900000"),
            ("nominal sim", ""),
            ("get sim", NOMINAL),
            ("get other", "voltage_uv=1 frequency_khz=1"),
        ],
    );
}

#[test]
fn an_offset_is_there_and_shown_and_home_has_none() {
    check(
        SCRIPT,
        &[
            ("--offset-uv -2500 set sim 850000 3200000", ""),
            ("get sim", "voltage_uv=847500 frequency_khz=3200000"),
            ("--offset-uv 2500 set sim voltage_uv=850000", ""),
            ("get sim", "voltage_uv=852500 frequency_khz=3200000"),
            ("--offset-uv 2500 set sim frequency_khz=3000000", ""),
            ("get sim", "voltage_uv=852500 frequency_khz=3000000"),
            ("--offset-uv 2500 nominal sim", ""),
            ("get sim", NOMINAL),
            ("--offset-uv -2500 set sim voltage_uv=0", ""),
            ("get sim", "voltage_uv=0 frequency_khz=3000000"),
        ],
    );
}

#[test]
fn ignored_writes_say_yes() {
    check(
        SCRIPT,
        &[
            ("--ignore-writes set sim 850000 3200000", ""),
            ("get sim", NOMINAL),
            ("set sim 850000 3200000", ""),
            ("--ignore-writes nominal sim", ""),
            ("get sim", "voltage_uv=850000 frequency_khz=3200000"),
        ],
    );
}

#[test]
fn a_lie_is_told_and_the_rail_is_elsewhere() {
    let lies = [
        ("--lie set sim 850000 3200000", ""),
        ("--lie get sim", "voltage_uv=850000 frequency_khz=3200000"),
        ("get sim", NOMINAL),
        ("--lie --offset-uv -30000 set sim 850000 3200000", ""),
        ("--lie --offset-uv -30000 get sim", "voltage_uv=850000 frequency_khz=3200000"),
        ("get sim", "voltage_uv=820000 frequency_khz=3200000"),
        ("--lie --offset-uv -30000 nominal sim", ""),
        ("get sim", NOMINAL),
    ];
    check(SCRIPT, &lies);
    let bench = Bench::new(&[], SCRIPT);
    bench.talk(&lies[..4]);
    assert_eq!(
        bench.read(".sim_rail/sim"),
        "set_uv=850000 set_khz=3200000 from_uv=1000000 to_uv=820000 since_cs=0 slew=0 khz=3200000\n"
    );
}

/// The voltage in what `get` prints.
fn voltage(said: &str) -> u64 {
    let number = said.strip_prefix("voltage_uv=").and_then(|rest| rest.strip_suffix(" frequency_khz=3000000"));
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("{said}"))
}

#[test]
fn a_slew_takes_its_time_and_shows_where_it_is() {
    for shell in shells() {
        let bench = Bench::new(shell, SCRIPT);
        for (command, from, to) in
            [("set sim voltage_uv=950000", 1_000_000, 950_000), ("nominal sim", 950_000, 1_000_000)]
        {
            let begin = Instant::now();
            assert_eq!(bench.call(&format!("--slew-uv-per-ms 50 {command}")), "");
            let mut seen = vec![];
            // A second: no call may jump, whatever the options of the reader.
            while seen.last() != Some(&to) {
                assert!(begin.elapsed() < Duration::from_secs(20), "{seen:?}");
                seen.push(voltage(&bench.call("get sim")));
            }
            // The clock has hundredths of a second.
            assert!(begin.elapsed() >= Duration::from_millis(980), "{:?}", begin.elapsed());
            assert!(seen.iter().all(|uv| (950_000..=1_000_000).contains(uv)), "{seen:?}");
            assert!(if from > to { seen.is_sorted_by(|a, b| a >= b) } else { seen.is_sorted() }, "{seen:?}");
            assert!(seen.len() > 2, "{seen:?}");
        }
    }
}

#[test]
fn a_slew_that_is_turned_starts_where_it_is() {
    let bench = Bench::new(&[], SCRIPT);
    let state = |line: &str| fs::write(bench.at(".sim_rail/sim"), line).unwrap();
    bench.talk(&[("set sim 900000 3000000", "")]);
    // One microvolt a millisecond, begun long ago, and begun by a clock of another boot.
    state("set_uv=1 set_khz=3000000 from_uv=900000 to_uv=1 since_cs=0 slew=5000 khz=3000000\n");
    bench.talk(&[("get sim", "voltage_uv=1 frequency_khz=3000000")]);
    state("set_uv=1 set_khz=3000000 from_uv=900000 to_uv=1 since_cs=2000000000 slew=1 khz=3000000\n");
    bench.talk(&[("get sim", "voltage_uv=1 frequency_khz=3000000")]);
    let uptime = fs::read_to_string("/proc/uptime").unwrap();
    let seconds: u64 = uptime.split('.').next().unwrap().parse().unwrap();
    // Ten minutes of the way are left.
    state(&format!(
        "set_uv=300000 set_khz=3000000 from_uv=900000 to_uv=300000 since_cs={} slew=1 khz=3000000\n",
        seconds * 100
    ));
    let was = voltage(&bench.call("get sim"));
    assert!((800_000..900_000).contains(&was) || was == 900_000, "{was}");
    bench.talk(&[("--slew-uv-per-ms 1 nominal sim", "")]);
    let line = bench.read(".sim_rail/sim");
    let from: u64 = line.split("from_uv=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
    assert!((800_000..=was).contains(&from) && line.contains(" to_uv=1000000 "), "{line}");
}

#[test]
fn it_fails_as_it_is_told() {
    check(
        SCRIPT,
        &[
            ("--fail set set sim 850000 3200000", "1 sim_rail: set failed, as it was told to"),
            ("--fail get --fail nominal get sim", "1 sim_rail: get failed, as it was told to"),
            ("--fail get --fail nominal nominal sim", "1 sim_rail: nominal failed, as it was told to"),
            ("--fail set get sim", NOMINAL),
        ],
    );
}

#[test]
fn it_hangs_as_it_is_told_and_ends_by_a_signal() {
    let bench = Bench::new(&[], SCRIPT);
    let mut child = bench.command(SCRIPT, "--log D/log --hang set set sim 850000 3200000").spawn().unwrap();
    let name = format!("/proc/{}/comm", child.id());
    let begin = Instant::now();
    while fs::read_to_string(&name).unwrap().trim() != "sleep" {
        assert!(begin.elapsed() < Duration::from_secs(20));
        std::thread::yield_now();
    }
    assert!(child.try_wait().unwrap().is_none());
    assert_eq!(bench.read("log"), "set sim 850000 3200000\n");
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None);
    assert!(!bench.at(".sim_rail").exists(), "it did nothing");
    bench.talk(&[("--hang set get sim", NOMINAL)]);
}

#[test]
fn the_log_has_every_command_in_order() {
    for shell in shells() {
        let bench = Bench::new(shell, SCRIPT);
        bench.talk(&[
            ("--log D/log get sim", NOMINAL),
            ("--log D/log set sim voltage_uv=850000 frequency_khz=3200000", ""),
            ("--log D/log --ignore-writes nominal sim", ""),
            ("--log D/log --fail get get sim", "1 sim_rail: get failed, as it was told to"),
            ("--log D/log nominal sim", ""),
        ]);
        let expected = "get sim\nset sim voltage_uv=850000 frequency_khz=3200000\nnominal sim\nget sim\nnominal sim\n";
        assert_eq!(bench.read("log"), expected, "{shell:?}");
    }
}

#[test]
fn bad_usage_is_64_and_changes_nothing() {
    for shell in shells() {
        let bench = Bench::new(shell, SCRIPT);
        bench.talk(&[
            ("", "64 sim_rail: a command and a rail are needed"),
            ("get", "64 sim_rail: a command and a rail are needed"),
            ("move sim", "64 sim_rail: the command needs get, set or nominal, not 'move'"),
            ("get ../sim", "64 sim_rail: '../sim' is no name of a rail"),
            ("get .sim", "64 sim_rail: '.sim' is no name of a rail"),
            ("get Sim", "64 sim_rail: 'Sim' is no name of a rail"),
            ("get sim now", "64 sim_rail: get takes nothing after the rail"),
            ("nominal sim 1", "64 sim_rail: nominal takes nothing after the rail"),
            ("set sim", "64 sim_rail: set needs a voltage or a frequency"),
            // A voltage or a frequency?
            ("set sim 850000", "64 sim_rail: '850000' is neither voltage_uv=N nor frequency_khz=N"),
            ("set sim 1 2 3", "64 sim_rail: '1' is neither voltage_uv=N nor frequency_khz=N"),
            ("set sim voltage_uv=1 voltage_uv=2", "64 sim_rail: two voltages"),
            ("set sim frequency_khz=1 frequency_khz=2", "64 sim_rail: two frequencies"),
            ("set sim voltage_uv=", "64 sim_rail: voltage_uv needs a whole number, not ''"),
            ("set sim voltage_uv=0.9", "64 sim_rail: voltage_uv needs a whole number, not '0.9'"),
            ("set sim voltage_uv=010", "64 sim_rail: voltage_uv needs a whole number, not '010'"),
            ("set sim voltage_uv=-1", "64 sim_rail: voltage_uv needs a whole number, not '-1'"),
            ("set sim voltage_uv=5000001", "64 sim_rail: voltage_uv must be 0 to 5000000, not 5000001"),
            ("set sim frequency_khz=0", "64 sim_rail: frequency_khz must be 1 to 10000000, not 0"),
            ("--offset-uv --5 get sim", "64 sim_rail: --offset-uv needs a whole number, not '-5'"),
            ("--offset-uv", "64 sim_rail: --offset-uv needs a value"),
            ("--slew-uv-per-ms 1.5 get sim", "64 sim_rail: --slew-uv-per-ms needs a whole number, not '1.5'"),
            ("--hang all get sim", "64 sim_rail: --hang needs get, set or nominal, not 'all'"),
            ("--quiet get sim", "64 sim_rail: unknown option '--quiet'"),
            ("get --lie", "64 sim_rail: '--lie' is no name of a rail"),
        ]);
        assert!(!bench.at(".sim_rail").exists());
    }
}

#[test]
fn what_is_no_state_is_not_taken_for_one() {
    let sound = "set_uv=850000 set_khz=3200000 from_uv=1000000 to_uv=850000 since_cs=0 slew=0 khz=3200000";
    for shell in shells() {
        let bench = Bench::new(shell, SCRIPT);
        bench.talk(&[("set sim 850000 3200000", "")]);
        assert_eq!(bench.read(".sim_rail/sim"), format!("{sound}\n"));
        for (line, is_sound) in [
            (format!("{sound}\n"), true),
            (sound.to_owned(), false),
            (String::new(), false),
            (format!("{sound} more=1\n"), false),
            (sound.replace(" slew=0", "") + "\n", false),
            (sound.replace("850000", "85x") + "\n", false),
            (sound.replace("=850000", "=0850000") + "\n", false),
            (sound.replace("=850000", "=") + "\n", false),
            (sound.replace("to_uv=850000", "to_uv=$(touch${IFS}oops)") + "\n", false),
            (sound.replace("to_uv", "at_uv") + "\n", false),
            ("* * * * * * *\n".to_owned(), false),
        ] {
            fs::write(bench.at(".sim_rail/sim"), &line).unwrap();
            let expected = if is_sound {
                "voltage_uv=850000 frequency_khz=3200000"
            } else {
                "1 sim_rail: D/.sim_rail/sim holds no state of a regulator"
            };
            bench.talk(&[("get sim", expected)]);
            if !is_sound {
                bench.talk(&[("nominal sim", expected), ("set sim 1 1", expected)]);
            }
        }
        assert!(!bench.at("state/oops").exists());
    }
}

#[test]
fn its_files_are_its_own() {
    let bench = Bench::new(&[], SCRIPT);
    bench.talk(&[("get sim", NOMINAL)]);
    assert_eq!(
        bench.read(".sim_rail/sim"),
        "set_uv=1000000 set_khz=3000000 from_uv=1000000 to_uv=1000000 since_cs=0 slew=0 khz=3000000\n"
    );
    bench.talk(&[("set sim 850000 3200000", ""), ("nominal sim", "")]);
    let mode = |part: &str| fs::metadata(bench.at(part)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".sim_rail"), mode(".sim_rail/sim")), (0o700, 0o600));
    // Nothing half-written is left.
    let names: Vec<_> = fs::read_dir(bench.at(".sim_rail")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["sim"]);
    fs::rename(bench.at(".sim_rail"), bench.at("elsewhere")).unwrap();
    symlink("elsewhere", bench.at(".sim_rail")).unwrap();
    bench.talk(&[
        ("set sim 1 1", "1 sim_rail: D/.sim_rail is a link"),
        ("get sim", "1 sim_rail: D/.sim_rail is a link"),
    ]);
}
