//! Rails that really move: a simulated regulator under real sweeps. Every write is checked against the protocol, every way
//! out against the regulator's own file.

use std::fs;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cli::{Bench, Told, words};
use crate::processes::{LONG, guardians, until};
use crate::tools::skipped;

const FLOW: &str = "name: smoke\nsteps: [ { name: probe, adapter: probe, timeout: 20s } ]\n";
const MARGIN: &str = "\
name: down
global_seed: 7
axes: [sim.voltage]
default: { sim: { voltage: [900mV, 1100mV], frequency: 2GHz } }
";
const POLICY: &str = "\
name: safety
limits: { sim: { voltage: { min: 700mV, max: 1200mV }, frequency: { min: 800MHz, max: 4.2GHz } } }
";
const ADAPTER: &str = "name: probe\npath: diags/probe.sh\nexpect: [ { stdout_matches: '^OK$' } ]\ngrace: 1s\n";
/// Ends once the workspace has a file `go`; says so where the regulator stands meanwhile.
const PROBE: &str = "#!/bin/sh\nhere=${0%/*}/..\nwhile [ ! -e \"$here/go\" ]; do sleep 0.01; done\necho OK\n";
pub const NOMINAL: &str = "voltage_uv=1000000 frequency_khz=3000000";

/// A workspace whose rail `sim` is driven by the simulated regulator, called with these options and more of its manifest.
pub fn bench(options: &str, more: &str) -> Bench {
    let bench = Bench::empty();
    bench.write("flows/smoke.yaml", FLOW);
    bench.write("margins/down.yaml", MARGIN);
    bench.write("policy/safety.yaml", POLICY);
    bench.write("adapters/probe.yaml", ADAPTER);
    bench.program("diags/probe.sh", PROBE);
    bench.ship("diags/sim_rail.sh");
    let options = options.split_whitespace().map(|word| format!("\"{word}\", ")).collect::<Vec<_>>().concat();
    let log = bench.path("writes").display().to_string();
    let manifest = format!(
        "name: sim_rail\nkind: controller\npath: diags/sim_rail.sh\nrails: [sim]\n\
         apply: [\"--log\", \"{log}\", {options}set, \"{{rail}}\", \"voltage_uv={{voltage_uv}}\", \"frequency_khz={{frequency_khz}}\"]\n\
         read: [{options}get, \"{{rail}}\"]\n\
         restore: [\"--log\", \"{log}\", {options}nominal, \"{{rail}}\"]\n\
         max_step: 50mV\n{more}"
    );
    bench.write("adapters/sim_rail.yaml", &manifest);
    bench
}

/// As [`bench`], with a diagnostic that ends at once.
fn quick(options: &str, more: &str) -> Bench {
    let bench = bench(options, more);
    bench.write("go", "");
    bench
}

pub const RUN: &str = "run --no-tui --yes --flow smoke --margin down --unit SN1";

pub fn run(bench: &Bench) -> Told {
    bench.outcome(&mut bench.real(&words(RUN)))
}

/// The regulator, asked by hand.
pub fn stands(bench: &Bench) -> String {
    let mut command = std::process::Command::new(bench.path("diags/sim_rail.sh"));
    let output = command.args(["get", "sim"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Every line of every sub-run's journal, in the order of sub-runs.
fn journal(bench: &Bench) -> Vec<Value> {
    let mut files: Vec<String> = bench.runs().into_iter().filter(|file| file.ends_with("/steps.ldjson")).collect();
    files.sort();
    let text: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of the rails' lines in the journals, `rail_restored by runner` and so on.
fn rail_lines(bench: &Bench) -> Vec<String> {
    let lines = journal(bench).into_iter().filter_map(|line| {
        let event = line["event"].as_str().filter(|event| event.starts_with("rail_"))?.to_owned();
        Some(line["by"].as_str().map_or(event.clone(), |by| format!("{event} by {by}")))
    });
    lines.collect()
}

/// What is promised of the guardian.
const PROMISED: Duration = Duration::from_secs(2);

/// A run that is going on.
pub struct Live<'b> {
    bench: &'b Bench,
    child: Child,
}

impl<'b> Live<'b> {
    pub fn start(bench: &'b Bench) -> Self {
        let child = bench.real(&words(RUN)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Self { bench, child }
    }

    /// Until its journals have a line of that name.
    pub fn reaches(&self, event: &str) {
        until(event, LONG, || {
            let files = self.bench.runs();
            let mut journals = files.iter().filter(|file| file.ends_with("/steps.ldjson"));
            journals.any(|file| fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("\"{event}\""))))
        });
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn code(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Kills the runner; the regulator has to be home and the record to say so within the time promised.
    fn killed(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
        until("the guardian", PROMISED, || stands(self.bench) == NOMINAL && is_home(self.bench));
    }
}

pub fn is_home(bench: &Bench) -> bool {
    let kept = bench.runs().into_iter().find(|file| file.ends_with("/rails.json")).map(fs::read_to_string);
    let kept: Option<Value> = kept.and_then(|kept| serde_json::from_str(&kept.ok()?).ok());
    kept.is_some_and(|kept| kept["is_home"] == true)
}

#[test]
fn every_write_follows_the_protocol() {
    let bench = quick("", "");
    let told = run(&bench);
    assert_eq!(told.code, 0, "{}", told.all());
    assert_eq!(stands(&bench), NOMINAL);
    // Frequency down, voltage down in ramps; home by voltage, then frequency, then restore. Up: frequency down first.
    insta::assert_snapshot!(fs::read_to_string(bench.path("writes")).unwrap(), @r"
    set sim voltage_uv=1000000 frequency_khz=2000000
    set sim voltage_uv=950000 frequency_khz=2000000
    set sim voltage_uv=900000 frequency_khz=2000000
    set sim voltage_uv=950000 frequency_khz=2000000
    set sim voltage_uv=1000000 frequency_khz=2000000
    set sim voltage_uv=1000000 frequency_khz=3000000
    nominal sim
    set sim voltage_uv=1000000 frequency_khz=2000000
    set sim voltage_uv=1050000 frequency_khz=2000000
    set sim voltage_uv=1100000 frequency_khz=2000000
    set sim voltage_uv=1050000 frequency_khz=2000000
    set sim voltage_uv=1000000 frequency_khz=2000000
    set sim voltage_uv=1000000 frequency_khz=3000000
    nominal sim
    ");
    assert_eq!(
        rail_lines(&bench),
        ["rail_moving", "rail_held", "rail_held", "rail_restored by runner"].repeat(2),
        "read at nominal before, at the setpoint before and after the steps, and at home"
    );
    for line in journal(&bench).iter().filter(|line| line["event"] == "step_started") {
        assert_eq!(line["applied"].to_string(), r#"{"sim.frequency":"controller","sim.voltage":"controller"}"#);
    }
    assert!(is_home(&bench));
}

#[test]
fn a_field_that_the_point_does_not_name_is_never_told() {
    let bench = quick("", "");
    bench.edit("margins/down.yaml", ", frequency: 2GHz", "");
    let told = run(&bench);
    assert_eq!(told.code, 0, "{}", told.all());
    let writes = fs::read_to_string(bench.path("writes")).unwrap();
    assert!(writes.contains("set sim voltage_uv=900000\n") && !writes.contains("frequency"), "{writes}");
    assert_eq!(stands(&bench), NOMINAL);
}

#[test]
fn every_way_out_ends_at_nominal() {
    let check = |name: &str, code: i32, ways: &dyn Fn(&Live<'_>)| {
        let bench = bench("", "");
        let live = Live::start(&bench);
        live.reaches("step_spawned");
        assert_eq!(stands(&bench), "voltage_uv=900000 frequency_khz=2000000", "{name}");
        ways(&live);
        assert_eq!(live.code(), Some(code), "{name}");
        assert_eq!(stands(&bench), NOMINAL, "{name}");
        assert_eq!(rail_lines(&bench).last().map(String::as_str), Some("rail_restored by runner"), "{name}");
        assert!(is_home(&bench), "{name}");
    };
    check("SIGINT", 130, &|live| live.signal(Signal::INT));
    check("SIGTERM", 143, &|live| live.signal(Signal::TERM));
    check("SIGHUP", 129, &|live| live.signal(Signal::HUP));
    check("two SIGINT", 130, &|live| {
        live.signal(Signal::INT);
        live.reaches("step_spawned");
        live.signal(Signal::INT);
    });
    check("finish the step", 0, &|live| live.bench.write("go", ""));
}

#[test]
fn a_step_past_its_limit_and_one_that_stops_the_run_end_at_nominal() {
    let check = |from: &str, to: &str, code: i32| {
        let bench = bench("", "");
        bench.edit("flows/smoke.yaml", from, to);
        let told = run(&bench);
        assert_eq!((told.code, stands(&bench).as_str()), (code, NOMINAL), "{}", told.all());
        assert!(is_home(&bench));
    };
    check("timeout: 20s", "timeout: 200ms", 1);
    check("timeout: 20s", "timeout: 200ms, on_failure: stop_run", 1);
}

#[test]
fn a_killed_runner_leaves_nothing_away() {
    // While the diagnostic runs, and while the controller is at work.
    let bench = bench("", "");
    let live = Live::start(&bench);
    live.reaches("step_spawned");
    live.killed();
    assert_eq!(rail_lines(&bench), ["rail_moving", "rail_held", "rail_restored by guardian"]);
    let list = bench.outcome(&mut bench.real(&words("runs list")));
    assert!(list.stdout.contains("interrupted"), "{}", list.all());
    // What it had started is gone as well: it would have gone on at nominal, and nobody would have known.
    let seqs: Vec<u64> = journal(&bench).iter().map(|line| line["seq"].as_u64().unwrap()).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
}

#[test]
fn a_runner_killed_while_its_controller_hangs_leaves_nothing_away() {
    let bench = bench("--hang set", "timeout: 300ms\n");
    bench.edit("adapters/sim_rail.yaml", "timeout: 300ms", "timeout: 20s");
    let live = Live::start(&bench);
    live.reaches("rail_moving");
    until("the controller", LONG, || {
        fs::read_to_string(bench.path("writes")).is_ok_and(|text| text.contains("set sim"))
    });
    // The guardian reads the regulator where it was: nothing to walk back, and the hanging call must be ended first.
    live.killed();
    assert_eq!(rail_lines(&bench), ["rail_moving", "rail_restored by guardian"]);
    let writes = fs::read_to_string(bench.path("writes")).unwrap();
    assert!(writes.trim_end().ends_with("nominal sim"), "{writes}");
}

/// Killed once so many writes were made: on the way there, at the setpoint, on the way home.
#[test]
fn a_runner_killed_at_any_write_leaves_nothing_away() {
    // Down and home again are seven writes, of which a rail that was let go in the middle needs fewer.
    for writes in 1..=6 {
        let bench = quick("", "settle: 100ms\n");
        let live = Live::start(&bench);
        until("the writes", LONG, || {
            fs::read_to_string(bench.path("writes")).is_ok_and(|text| text.lines().count() >= writes)
        });
        live.killed();
        let lines = rail_lines(&bench);
        assert_eq!(lines.last().map(String::as_str), Some("rail_restored by guardian"), "{writes}: {lines:?}");
    }
}

#[test]
fn a_runner_killed_before_it_moves_anything_leaves_everything_as_it_is() {
    let bench = bench("--hang get", "timeout: 20s\n");
    let live = Live::start(&bench);
    live.reaches("subrun_opened");
    live.signal(Signal::KILL);
    live.code();
    assert!(!bench.path("writes").exists());
    until("the guardian's end", PROMISED, || guardians(&bench.path("runs")).is_empty());
    assert!(!bench.runs().iter().any(|file| file.ends_with("/rails.json")));
}

/// A tmpfs, mounted until this is dropped; none where we have no right to.
pub struct Disk<'b>(&'b str);

impl<'b> Disk<'b> {
    pub fn mount(at: &'b str, size: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={size}");
        let mount = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs", at]).output();
        if !mount.is_ok_and(|output| output.status.success()) {
            skipped("no right to mount a tmpfs");
            return None;
        }
        Some(Self(at))
    }

    /// An ext4 of 16 MiB in a file.
    pub fn of_image(at: &'b str, image: &str) -> Option<Self> {
        Self::made(at, image, 16, &[&["/usr/sbin/mkfs.ext4", "-q", "-F", image], &["mount", "-o", "loop", image, at]])
    }

    /// A btrfs with much room, of which no more than this may be used.
    pub fn with_quota(at: &'b str, image: &str, limit: &str) -> Option<Self> {
        if !knows("btrfs") {
            eprintln!("skipped: this kernel has no Btrfs, and nothing can be installed for that");
            return None;
        }
        let made = Self::made(
            at,
            image,
            256,
            &[&["/usr/sbin/mkfs.btrfs", "-q", "-f", image], &["mount", "-o", "loop", image, at]],
        )?;
        for command in [&["quota", "enable", at][..], &["qgroup", "limit", limit, at]] {
            let output = std::process::Command::new("/usr/bin/btrfs").args(command).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        Some(made)
    }

    fn made(at: &'b str, image: &str, mib: u64, commands: &[&[&str]]) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        fs::File::create(image).unwrap().set_len(mib << 20).unwrap();
        for command in commands {
            let output = std::process::Command::new(command[0]).args(&command[1..]).output();
            if !output.is_ok_and(|output| output.status.success()) {
                skipped(&format!("an image cannot be made and mounted: {} failed", command.join(" ")));
                return None;
            }
        }
        Some(Self(at))
    }
}

/// Whether the kernel has that file system, or can load it.
fn knows(file_system: &str) -> bool {
    drop(std::process::Command::new("modprobe").arg(file_system).output());
    let known = fs::read_to_string("/proc/filesystems").unwrap();
    known.lines().any(|line| line.split_whitespace().last() == Some(file_system))
}

impl Drop for Disk<'_> {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg(self.0).output());
    }
}

#[test]
fn a_full_disk_is_no_reason_to_stay_away() {
    let bench = bench("", "");
    let at = bench.path("runs").display().to_string();
    let Some(_disk) = Disk::mount(&at, "512k") else { return };
    // The artifact folder is the working directory.
    bench.program("diags/probe.sh", "#!/bin/sh\ndd if=/dev/zero of=full bs=4k 2>/dev/null\nsleep 20\n");
    let told = run(&bench);
    assert_eq!(told.code, 4, "{}", told.all());
    assert!(told.stderr.contains("no room is left"), "{}", told.all());
    assert_eq!(stands(&bench), NOMINAL);
    assert!(fs::read_to_string(bench.path("writes")).unwrap().trim_end().ends_with("nominal sim"));
}

#[test]
fn a_regulator_that_does_not_obey_is_no_failure_of_the_unit() {
    let check = |options: &str, more: &str, code: i32, reason: &str| {
        let bench = quick(options, more);
        let told = run(&bench);
        assert_eq!(told.code, code, "{options}: {}", told.all());
        assert_eq!(stands(&bench), NOMINAL, "{options}");
        let closed: Vec<Value> = journal(&bench).into_iter().filter(|line| line["event"] == "subrun_closed").collect();
        let said = closed.iter().map(|line| line["reason"].as_str().unwrap_or("none").to_owned()).collect::<Vec<_>>();
        assert!(said.first().is_some_and(|first| first.contains(reason)), "{options}: {said:?}");
        let steps = journal(&bench).iter().filter(|line| line["event"] == "step_started").count();
        assert_eq!(steps, if code == 0 { 2 } else { 0 }, "{options}");
    };
    let inconclusive = i32::from(road_runner::domain::verdict::exit::INCONCLUSIVE);
    check("--ignore-writes", "", inconclusive, "the point was not held: sim frequency reads 3GHz where 2GHz was set");
    check(
        "--offset-uv 5000",
        "tolerance: { voltage: 1mV, frequency: 1MHz }\n",
        inconclusive,
        "5mV off, 1mV is tolerated",
    );
    check("--offset-uv 500", "tolerance: { voltage: 1mV, frequency: 1MHz }\n", 0, "none");
    check("--slew-uv-per-ms 100", "", inconclusive, "the point was not held: sim voltage reads");
    check("--slew-uv-per-ms 10000", "settle: 200ms\n", 0, "none");
    check("--fail set", "", inconclusive, "controller sim_rail, apply: ended with exit code 1");
    check("--fail get", "", inconclusive, "controller sim_rail, read: ended with exit code 1");
    check("--hang set", "timeout: 200ms\n", inconclusive, "controller sim_rail, apply: ran longer than 200 ms");
    check("--hang get", "timeout: 200ms\n", inconclusive, "controller sim_rail, read: ran longer than 200 ms");
}

#[test]
fn a_rail_that_firmware_moves_during_a_step_was_not_held() {
    let bench = quick("", "");
    bench.program("diags/probe.sh", "#!/bin/sh\n\"${0%/*}/sim_rail.sh\" set sim voltage_uv=950000\necho OK\n");
    let told = run(&bench);
    assert_eq!(told.code, i32::from(road_runner::domain::verdict::exit::INCONCLUSIVE), "{}", told.all());
    assert!(told.stdout.contains("not held  2 sub-runs"), "{}", told.all());
    assert_eq!(stands(&bench), NOMINAL);
    let markdown = bench.runs().into_iter().find(|file| file.ends_with("report.md")).unwrap();
    let report = fs::read_to_string(markdown).unwrap();
    assert!(report.contains("a rail did not hold its setpoint in"), "{report}");
}

#[test]
fn a_rail_that_does_not_come_home_stops_everything_until_somebody_sees_to_it() {
    let bench = quick("--fail nominal", "");
    let told = run(&bench);
    assert_eq!(told.code, 4, "{}", told.all());
    assert!(
        told.stdout.contains("sim is not home: controller sim_rail, restore: ended with exit code 1"),
        "{}",
        told.all()
    );
    assert!(!is_home(&bench));
    // The guardian tries as well before it gives up.
    until("the guardian", LONG, || rail_lines(&bench).iter().any(|line| line == "rail_not_restored by guardian"));
    let again = || bench.outcome(&mut bench.real(&words(RUN)));
    until("the guardian's end", LONG, || again().stderr.contains("are not home: sim:"));
    assert_eq!(bench.outcome(&mut bench.real(&words("rails restore"))).code, 4);
    // Every attempt is added to a record that was sealed when the run ended; that is no change by somebody else.
    let verify = || bench.outcome(&mut bench.real(&words("runs verify latest"))).all();
    let (away, ok) = ("rails.json: not known to be home: sim\n", "1 run: 0 ok, 1 with notes\n=> 0");
    assert!(verify().contains(away) && verify().ends_with(ok), "{}", verify());
    // What the run kept says how it was called then; the regulator is mended.
    bench.edit("diags/sim_rail.sh", "case $failing in", "case none in");
    let restored = bench.outcome(&mut bench.real(&words("rails restore")));
    assert_eq!(restored.code, 0, "{}", restored.all());
    assert!(is_home(&bench));
    assert_eq!(rail_lines(&bench).last().map(String::as_str), Some("rail_restored by hand"));
    assert!(verify().ends_with("1 run: 1 ok\n=> 0"), "{}", verify());
}

#[test]
fn what_a_dead_run_left_away_comes_home_before_anything_is_started() {
    let bench = bench("", "");
    let live = Live::start(&bench);
    live.reaches("step_spawned");
    let id = bench.runs().into_iter().find(|file| file.ends_with("/rails.json")).unwrap();
    // The guardian first: nobody is left to bring them home.
    let guardians = guardians(&bench.path("runs"));
    assert_eq!(guardians.len(), 1, "{id}");
    for pid in guardians {
        kill_process(pid, Signal::KILL).unwrap();
    }
    live.signal(Signal::KILL);
    live.code();
    assert_eq!(stands(&bench), "voltage_uv=900000 frequency_khz=2000000");
    let status = bench.outcome(&mut bench.real(&words("rails status")));
    insta::assert_snapshot!(status.all(), @r"
    RAIL  CONTROLLER  SETPOINT    READBACK    NOMINAL
    sim   sim_rail    900mV 2GHz  900mV 2GHz  1000mV 3GHz  moved by rr-TIME-DIGEST
    => 0
    ");
    bench.write("go", "");
    let next = run(&bench);
    assert_eq!(next.code, 0, "{}", next.all());
    assert!(next.stderr.contains("run rr-TIME-DIGEST had left sim away: brought home"), "{}", next.all());
    assert_eq!(stands(&bench), NOMINAL);
    assert!(rail_lines(&bench).contains(&"rail_restored by resume".to_owned()));
}

#[test]
fn a_run_that_is_going_on_keeps_its_rails() {
    let bench = bench("", "");
    let live = Live::start(&bench);
    live.reaches("step_spawned");
    let told = bench.outcome(&mut bench.real(&words("rails restore")));
    insta::assert_snapshot!(told.all(), @r"
    --- stderr
    error: run rr-TIME-DIGEST is going on and moves rails
    help: it brings them home itself: stop it with `road_runner runs stop --now`
    => 2
    ");
    assert_eq!(stands(&bench), "voltage_uv=900000 frequency_khz=2000000");
    live.signal(Signal::INT);
    assert_eq!(live.code(), Some(130));
}

#[test]
fn a_run_that_moves_nothing_keeps_the_rails_as_they_are() {
    let bench = bench("", "");
    bench.edit("margins/down.yaml", "[900mV, 1100mV], frequency: 2GHz", "[1V]");
    bench.write("policy/safety.yaml", &format!("{POLICY}controllers: []\n"));
    let live = Live::start(&bench);
    live.reaches("step_spawned");
    bench.write("policy/safety.yaml", POLICY);
    let told = bench.outcome(&mut bench.real(&words("rails restore")));
    assert_eq!(told.code, 2, "{}", told.all());
    assert!(told.stderr.contains("another run is going on here"), "{}", told.all());
    assert!(!bench.path("writes").exists());
    live.signal(Signal::INT);
    assert_eq!(live.code(), Some(130));
}

#[test]
fn a_controller_that_the_policy_does_not_arm_moves_nothing() {
    let bench = quick("", "");
    let first = run(&bench);
    assert_eq!(first.code, 0, "{}", first.all());
    fs::remove_file(bench.path("writes")).unwrap();
    bench.write("policy/safety.yaml", &format!("{POLICY}controllers: []\n"));
    let told = run(&bench);
    assert_eq!(told.code, 0, "{}", told.all());
    assert!(told.stdout.contains("unapplied 2 sub-runs had a swept rail that nobody applied"), "{}", told.all());
    assert!(!bench.path("writes").exists());
    // A stored plan that used it is refused.
    let runs = bench.runs();
    let oldest = runs.iter().find(|file| file.ends_with("/rails.json")).unwrap();
    let id = oldest.rsplit('/').nth(1).unwrap();
    let rerun = bench.outcome(&mut bench.real(&["rerun", id, "--no-tui", "--yes"]));
    assert_eq!(rerun.code, 3, "{}", rerun.all());
    assert!(rerun.stderr.contains("the policy does not arm controller sim_rail"), "{}", rerun.all());
}

#[test]
fn a_rail_has_one_controller() {
    let bench = quick("", "");
    let manifest = fs::read_to_string(bench.path("adapters/sim_rail.yaml")).unwrap();
    bench.write("adapters/other.yaml", &manifest.replace("name: sim_rail", "name: other"));
    for line in ["adapters check", "plan -q --flow smoke --margin down"] {
        let told = bench.outcome(&mut bench.real(&words(line)));
        assert_eq!(told.code, 2, "{line}: {}", told.all());
        assert!(told.stderr.contains("rail `sim` has two controllers"), "{line}: {}", told.all());
    }
}

#[test]
fn a_rail_is_not_left_where_it_is_because_its_controller_cannot_be_read() {
    let check = |from: &str, to: &str, policy: &str, code: i32| {
        let bench = quick("", "");
        bench.edit("adapters/sim_rail.yaml", from, to);
        bench.write("policy/safety.yaml", &format!("{POLICY}{policy}"));
        let told = run(&bench);
        assert_eq!(told.code, code, "{to}: {}", told.all());
        assert_eq!(told.stderr.contains("adapters/sim_rail.yaml"), code == 2, "{to}: {}", told.all());
    };
    check("path: diags/", "path: other/", "", 2);
    check("max_step", "max_stepp", "", 2);
    check("rails: [sim]", "rails: [sim", "controllers: [sim_rail]\n", 2);
    // One that may not move anything is nobody's loss.
    check("max_step", "max_stepp", "controllers: []\n", 0);
}

#[test]
fn a_rail_outside_of_the_policy_is_not_moved() {
    let bench = quick("--nominal-uv 1300000", "");
    let told = run(&bench);
    assert_eq!(told.code, 3, "{}", told.all());
    assert!(
        told.stdout.contains("sim.voltage stands at 1300mV before anything is moved, outside 700mV .. 1200mV"),
        "{}",
        told.all()
    );
    assert!(!bench.path("writes").exists());
}
