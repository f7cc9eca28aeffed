//! `diags/cpufreq.sh` against trees like sysfs: whatever happens, the way back is on record before the first change.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{Bench, check, shells};

const CPU: &str = "sys/devices/system/cpu";
/// A number, of 1 to 5 digits, that even root cannot write.
const UNWRITABLE: &str = "/sys/devices/system/cpu/kernel_max";

/// A bench with a tree of sysfs.
struct Host(Bench);

impl Host {
    /// Policies as `NUMBER min max, cpuinfo_min cpuinfo_max`, in kHz.
    fn new(shell: &'static [&'static str], policies: &[(u32, [u32; 4])]) -> Self {
        let host = Self(Bench::new(shell, "cpufreq.sh"));
        fs::create_dir_all(host.0.at(CPU).join("cpufreq")).unwrap();
        for (number, [min, max, lowest, highest]) in policies {
            for (name, value) in [
                ("scaling_min_freq", min.to_string()),
                ("scaling_max_freq", max.to_string()),
                ("cpuinfo_min_freq", lowest.to_string()),
                ("cpuinfo_max_freq", highest.to_string()),
                ("scaling_governor", "schedutil".to_owned()),
                ("affected_cpus", format!("{number} {}", number + 1)),
            ] {
                host.set(&format!("cpufreq/policy{number}/{name}"), &value);
            }
        }
        host
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.at(CPU).join(name)
    }

    fn set(&self, name: &str, value: &str) {
        let file = self.file(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{value}\n")).unwrap();
    }

    fn value(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap().trim_end().to_owned()
    }

    /// The file becomes another one.
    fn link(&self, name: &str, target: &str) {
        fs::remove_file(self.file(name)).unwrap();
        symlink(target, self.file(name)).unwrap();
    }

    /// These calls, with `--sysfs` before them, say this; `P` stands for the folder of the policies.
    fn talk(&self, calls: &[(&str, &str)]) {
        for (words, expected) in calls {
            let said = self.0.call(&format!("--sysfs D/sys {words}"));
            let said = said.replace(&format!("D/{CPU}"), "C").replace(&boot(), "BOOT");
            assert_eq!(said.replace("C/cpufreq/policy", "P"), *expected, "{words} in {:?}", self.0.shell);
        }
    }

    /// All files of the tree with their content.
    fn tree(&self) -> BTreeMap<PathBuf, String> {
        fn walk(folder: &Path, all: &mut BTreeMap<PathBuf, String>) {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    walk(&path, all);
                } else {
                    all.insert(path.clone(), fs::read_to_string(path).unwrap());
                }
            }
        }
        let mut all = BTreeMap::new();
        walk(&self.0.at("sys"), &mut all);
        all
    }

    /// The record of this boot, as it lies in the state folder.
    fn record(&self) -> PathBuf {
        self.0.at("state").join(format!("cpufreq.{}", boot()))
    }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned()
}

/// A server: all policies alike.
const ALIKE: &[(u32, [u32; 4])] =
    &[(0, [800_000, 3_400_000, 800_000, 3_600_000]), (2, [800_000, 3_400_000, 800_000, 3_600_000])];

/// Fast and slow cores, limited by hand already.
const MIXED: &[(u32, [u32; 4])] = &[
    (0, [1_000_000, 5_000_000, 800_000, 5_200_000]),
    (2, [800_000, 3_800_000, 800_000, 3_800_000]),
    (10, [800_000, 2_000_000, 400_000, 3_800_000]),
];

/// This host is pinned and comes home: nothing in its tree is another afterwards.
fn check_home(policies: &'static [(u32, [u32; 4])], nominal: &str, setpoints: &[&str]) {
    for shell in shells() {
        let host = Host::new(shell, policies);
        let before = host.tree();
        host.talk(&[("read core", nominal)]);
        for setpoint in setpoints {
            host.talk(&[(&format!("apply core {setpoint}"), ""), ("read core", setpoint)]);
            for (number, _) in policies {
                for limit in ["scaling_min_freq", "scaling_max_freq"] {
                    assert_eq!(host.value(&format!("cpufreq/policy{number}/{limit}")), *setpoint);
                }
            }
        }
        // Home as the engine goes: to the nominal that was read, then restore, then read.
        host.talk(&[(&format!("apply core {nominal}"), ""), ("restore core", ""), ("read core", nominal)]);
        assert_eq!(host.tree(), before, "{shell:?}");
        host.talk(&[("restore core", ""), ("read core", nominal)]);
        assert_eq!(host.tree(), before, "{shell:?}");
        // Straight home as well.
        host.talk(&[(&format!("apply core {}", setpoints[0]), ""), ("restore core", ""), ("read core", nominal)]);
        assert_eq!(host.tree(), before, "{shell:?}");
    }
}

#[test]
fn every_policy_is_pinned_and_comes_home() {
    check_home(ALIKE, "3400000", &["2400000", "3600000", "800000", "3400000"]);
    // What every policy allows: neither the fastest nor the slowest alone could be pinned to another.
    check_home(MIXED, "2000000", &["2400000", "3800000", "800000"]);
    check_home(&[(0, [1_500_000, 1_500_000, 600_000, 1_500_000])], "1500000", &["600000", "1500000"]);
}

#[test]
fn the_record_says_what_was_there() {
    for shell in shells() {
        let host = Host::new(shell, MIXED);
        host.set("cpufreq/policy2/boost", "1");
        host.set("cpufreq/policy10/scaling_governor", "performance");
        host.set("cpufreq/boost", "1");
        host.set("intel_pstate/no_turbo", "0");
        host.talk(&[("apply core 2400000", "")]);
        let expected = "policy0 1000000 5000000 schedutil -\npolicy10 800000 2000000 performance -\n\
                        policy2 800000 3800000 schedutil 1\nhost 1 0\n";
        let record = || fs::read_to_string(host.record()).unwrap();
        assert_eq!(record(), expected, "{shell:?}");
        // Whatever the limits are now: what was recorded first is home.
        host.set("cpufreq/policy2/scaling_max_freq", "2800000");
        host.talk(&[("apply core 2600000", "")]);
        assert_eq!(record(), expected, "{shell:?}");
        host.talk(&[("restore core", "")]);
        assert_eq!(record(), expected, "{shell:?}");
        let names: Vec<_> = fs::read_dir(host.0.at("state")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
    }
}

#[test]
fn governor_and_boost_of_somebody_else_are_said_and_left_alone() {
    for (file, was, is) in [
        ("cpufreq/policy2/scaling_governor", "schedutil", "performance"),
        ("cpufreq/policy2/boost", "1", "0"),
        ("cpufreq/boost", "1", "0"),
        ("intel_pstate/no_turbo", "0", "1"),
    ] {
        for shell in shells() {
            let host = Host::new(shell, ALIKE);
            host.set(file, was);
            host.talk(&[("apply core 2400000", ""), ("restore core", ""), ("apply core 2400000", "")]);
            host.set(file, is);
            let shown = format!("C/{file}").replace("C/cpufreq/policy", "P");
            let warning =
                format!(" | cpufreq: {shown} was {was} and is {is}; somebody else changed it, it is left alone");
            host.talk(&[("restore core", &warning), ("read core", "3400000")]);
            assert_eq!(host.value(file), is);
        }
    }
}

#[test]
fn what_a_policy_does_not_offer_changes_nothing() {
    for shell in shells() {
        let host = Host::new(shell, MIXED);
        let before = host.tree();
        host.talk(&[
            ("apply core 3900000", "1 cpufreq: 3900000 kHz is outside the 400000 to 3800000 kHz of policy10"),
            ("apply core 700000", "1 cpufreq: 700000 kHz is outside the 800000 to 5200000 kHz of policy0"),
            ("apply core 5300000", "1 cpufreq: 5300000 kHz is outside the 800000 to 5200000 kHz of policy0"),
        ]);
        assert_eq!(host.tree(), before);
        assert!(fs::read_dir(host.0.at("state")).unwrap().next().is_none(), "nothing is recorded");
    }
}

#[test]
fn without_a_folder_for_the_record_it_moves_nothing() {
    for shell in shells() {
        let host = Host::new(shell, ALIKE);
        let before = host.tree();
        let call = |words: &str| {
            let mut command = host.0.command("cpufreq.sh", &format!("--sysfs D/sys {words}"));
            command.env_remove("ROAD_RUNNER_RAIL_STATE").current_dir("/");
            host.0.said(command)
        };
        let refused = "1 cpufreq: ROAD_RUNNER_RAIL_STATE is not set: without a record there is no way back";
        assert_eq!(call("apply core 2400000"), refused, "{shell:?}");
        assert_eq!(call("read core"), "3400000");
        assert_eq!(call("restore core"), "cpufreq: nothing was changed here since this host started");
        // Nor into a folder that is not there.
        let mut command = host.0.command("cpufreq.sh", "--sysfs D/sys apply core 2400000");
        command.env("ROAD_RUNNER_RAIL_STATE", host.0.at("nowhere"));
        let said = host.0.said(command).replace(&boot(), "BOOT");
        assert_eq!(said, "1 cpufreq: D/nowhere/cpufreq.BOOT cannot be made", "{shell:?}");
        assert_eq!(host.tree(), before);
    }
}

/// Where the write that must come first is refused, the other has not been made.
#[test]
fn the_order_of_writes_never_crosses_the_limits() {
    let fixed = fs::read_to_string(UNWRITABLE).unwrap().trim().to_owned();
    for shell in shells() {
        let one = |min: u32, max: u32| [(0, [min, max, 1, 200_000])];
        // Raising: the upper one first.
        let host = Host::new(shell, &one(40_000, 40_000));
        host.link("cpufreq/policy0/scaling_max_freq", UNWRITABLE);
        host.talk(&[("apply core 100000", "1 cpufreq: P0/scaling_max_freq does not take 100000")]);
        assert_eq!(host.value("cpufreq/policy0/scaling_min_freq"), "40000", "{shell:?}");
        // Lowering: the lower one first.
        let host = Host::new(shell, &one(1, 100_000));
        host.link("cpufreq/policy0/scaling_min_freq", UNWRITABLE);
        host.talk(&[("apply core 1", "1 cpufreq: P0/scaling_min_freq does not take 1")]);
        assert_eq!(host.value("cpufreq/policy0/scaling_max_freq"), "100000", "{shell:?}");
        // Home, upward: the upper one first. The other policy goes home all the same.
        let host = Host::new(shell, &[(0, [60_000, 80_000, 1, 200_000]), (1, [60_000, 80_000, 1, 200_000])]);
        host.talk(&[("apply core 20000", "")]);
        host.link("cpufreq/policy0/scaling_max_freq", UNWRITABLE);
        let lower = "P0/scaling_min_freq is 20000 instead of 60000";
        let upper = format!("P0/scaling_max_freq is {fixed} instead of 80000");
        host.talk(&[("restore core", &format!("1 cpufreq: not home: {lower}, {upper}"))]);
        let limit = |name: &str| host.value(&format!("cpufreq/policy1/{name}"));
        assert_eq!((limit("scaling_min_freq"), limit("scaling_max_freq")), ("60000".into(), "80000".into()));
        // And the readback is not nominal.
        assert_ne!(host.0.call("--sysfs D/sys read core"), "80000");
        // Home, downward: the lower one first.
        let host = Host::new(shell, &one(1, 2));
        host.talk(&[("apply core 100000", "")]);
        host.link("cpufreq/policy0/scaling_min_freq", UNWRITABLE);
        let lower = format!("P0/scaling_min_freq is {fixed} instead of 1");
        let upper = "P0/scaling_max_freq is 100000 instead of 2";
        host.talk(&[("restore core", &format!("1 cpufreq: not home: {lower}, {upper}"))]);
    }
}

#[test]
fn a_write_that_does_not_stick_is_not_held() {
    for shell in shells() {
        let host = Host::new(shell, ALIKE);
        host.talk(&[("apply core 2400000", "")]);
        host.link("cpufreq/policy2/scaling_max_freq", "/dev/null");
        host.talk(&[
            ("apply core 2600000", "1 cpufreq: not held: P2/scaling_max_freq is - instead of 2600000"),
            ("restore core", "1 cpufreq: not home: P2/scaling_max_freq is - instead of 3400000"),
        ]);
        assert_eq!(host.value("cpufreq/policy0/scaling_max_freq"), "3400000");
    }
}

/// A policy that something else has moved shows in the readback, in whichever direction.
#[test]
fn a_policy_that_left_its_setpoint_is_read() {
    for (file, value) in [
        ("cpufreq/policy2/scaling_max_freq", "1900000"),
        ("cpufreq/policy0/scaling_max_freq", "3400000"),
        ("cpufreq/policy2/scaling_min_freq", "800000"),
    ] {
        for shell in shells() {
            let host = Host::new(shell, ALIKE);
            host.talk(&[("apply core 2400000", "")]);
            host.set(file, value);
            host.talk(&[("read core", value), ("restore core", ""), ("read core", "3400000")]);
        }
    }
}

#[test]
fn a_new_boot_is_a_new_home() {
    for shell in shells() {
        let host = Host::new(shell, ALIKE);
        host.talk(&[("apply core 2400000", "")]);
        let other = host.0.at("state/cpufreq.0f0e0d0c-0000-4000-8000-000000000000");
        fs::rename(host.record(), &other).unwrap();
        fs::rename(host.record().with_extension(format!("{}.setpoint", boot())), other.with_extension("setpoint"))
            .unwrap();
        // The kernel's own limits came back with the boot; these are as good as any.
        let before = host.tree();
        host.talk(&[
            ("restore core", "cpufreq: nothing was changed here since this host started"),
            ("read core", "2400000"),
        ]);
        assert_eq!(host.tree(), before);
        host.talk(&[("apply core 3000000", ""), ("restore core", ""), ("read core", "2400000")]);
        assert_eq!(host.tree(), before);
    }
}

#[test]
fn processors_that_come_and_go() {
    for shell in shells() {
        let host = Host::new(shell, ALIKE);
        // The kernel keeps the folder of a policy without processors and answers nothing.
        host.set("cpufreq/policy2/affected_cpus", "");
        host.set("cpufreq/policy2/scaling_max_freq", "");
        host.talk(&[("read core", "3400000"), ("apply core 2400000", ""), ("read core", "2400000")]);
        assert_eq!(host.value("cpufreq/policy2/scaling_max_freq"), "");
        host.set("cpufreq/policy2/affected_cpus", "2 3");
        host.set("cpufreq/policy2/scaling_max_freq", "3400000");
        host.talk(&[
            (
                "apply core 2600000",
                "1 cpufreq: policy2 came online after the limits were recorded: there is no way back for it",
            ),
            ("restore core", ""),
            (
                "apply core 2400000",
                "1 cpufreq: policy2 came online after the limits were recorded: there is no way back for it",
            ),
        ]);
        let host = Host::new(shell, ALIKE);
        host.talk(&[("apply core 2400000", "")]);
        fs::remove_dir_all(host.file("cpufreq/policy0")).unwrap();
        host.talk(&[("restore core", "1 cpufreq: not home: P0/scaling_min_freq is - instead of 800000, P0/scaling_max_freq is - instead of 3400000")]);
        assert_eq!(host.value("cpufreq/policy2/scaling_max_freq"), "3400000");
    }
}

#[test]
fn a_host_that_offers_nothing_and_a_record_that_is_broken() {
    for shell in shells() {
        let host = Host::new(shell, &[]);
        let nothing = "1 cpufreq: there is no policy in C/cpufreq: nothing here lets the clock be set";
        host.talk(&[
            ("read core", nothing),
            ("apply core 2400000", nothing),
            ("restore core", "cpufreq: nothing was changed here since this host started"),
        ]);
        let host = Host::new(shell, ALIKE);
        host.set("cpufreq/policy0/scaling_max_freq", "<unsupported>");
        let odd = "1 cpufreq: P0/scaling_max_freq holds no frequency, but '<unsupported>'";
        host.talk(&[("read core", odd), ("apply core 2400000", odd)]);
        let host = Host::new(shell, ALIKE);
        for (record, fault) in [
            ("", "its end is missing"),
            ("policy0 800000 3400000 schedutil -\n", "its end is missing"),
            ("policy0 800000 x schedutil -\nhost - -\n", "at 'policy0'"),
            ("policy0 800000\nhost - -\n", "at 'policy0'"),
            ("../../x 1 1 schedutil -\nhost - -\n", "at '../../x'"),
        ] {
            fs::write(host.record(), record).unwrap();
            let separator = if fault.starts_with("its") { ":" } else { "" };
            let expected = format!("1 cpufreq: D/state/cpufreq.BOOT is damaged{separator} {fault}");
            host.talk(&[("restore core", &expected)]);
        }
    }
}

#[test]
fn bad_usage() {
    let frequency = |given: &str| format!("64 cpufreq: the frequency must be a whole number of kHz, not '{given}'");
    check(
        "cpufreq.sh",
        &[
            ("", "64 cpufreq: a command and a rail are needed"),
            ("read", "64 cpufreq: a command and a rail are needed"),
            ("pin core", "64 cpufreq: unknown command 'pin'"),
            ("read ../core", "64 cpufreq: '../core' is no name of a rail"),
            ("read core 1", "64 cpufreq: read takes nothing after the rail"),
            ("restore core 1", "64 cpufreq: restore takes nothing after the rail"),
            ("apply core", "64 cpufreq: apply needs a rail and a frequency in kHz"),
            ("apply core 850000 2400000", "64 cpufreq: apply needs a rail and a frequency in kHz"),
            ("apply core 2.4", &frequency("2.4")),
            ("apply core 02400000", &frequency("02400000")),
            ("apply core -1", &frequency("-1")),
            ("apply core 10000000000", &frequency("10000000000")),
            ("--sysfs", "64 cpufreq: --sysfs needs a value"),
            ("--sysfs sys read core", "64 cpufreq: --sysfs needs an absolute path, not 'sys'"),
            ("--force read core", "64 cpufreq: unknown option '--force'"),
        ],
    );
}
