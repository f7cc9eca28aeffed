//! Runs that are interrupted and go on: by a host that goes down, by a runner that is killed. The host is a double: a folder
//! in place of `/proc` whose boot id changes, and a diagnostic that kills its runner with the whole process group.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cli::{Bench, Told, words};
use crate::interruptions::sweep::files;
use crate::pages::read;
use crate::processes::{LONG, guardians, settles, until};

const BOOT: &str = "00000000-0000-4000-8000-000000000001";
const NEXT_BOOT: &str = "00000000-0000-4000-8000-000000000002";

/// A workspace on a host that can go down.
struct Host {
    bench: Bench,
    /// It is this machine, whose boot does not change.
    is_real: bool,
}

impl Host {
    /// The host with the bench's own flow, `smoke` at three points of `down`.
    fn new() -> Self {
        let host = Self { bench: Bench::new(), is_real: false };
        fs::remove_dir_all(host.bench.path("policy/profiles")).unwrap();
        host.boot(BOOT);
        host
    }

    /// The host with the shipped sweep of a board's block memories, whose crash is the host's.
    fn with_board() -> Self {
        let host = Self::new();
        for file in ["flows/vc707.yaml", "margins/vc707.yaml", "diags/sim_dut.sh"] {
            host.bench.ship(file);
        }
        let manifest = read("adapters/sim_dut.yaml");
        let more = format!("args: [--host, '{}']\nparams:\n", host.procfs().display());
        host.bench.write("adapters/sim_dut.yaml", &manifest.replacen("params:\n", &more, 1));
        host.bench
            .write("policy/safety.yaml", "name: safety\nlimits: { bram: { voltage: { min: 500mV, max: 1100mV } } }\n");
        host
    }

    fn procfs(&self) -> PathBuf {
        self.bench.workspace().join("../host/proc")
    }

    fn boot_id(&self) -> PathBuf {
        self.procfs().join("sys/kernel/random/boot_id")
    }

    /// Another boot, or the first.
    fn boot(&self, id: &str) {
        fs::create_dir_all(self.boot_id().parent().unwrap()).unwrap();
        fs::write(self.boot_id(), format!("{id}\n")).unwrap();
        fs::write(self.procfs().join("uptime"), "77.50 12.00\n").unwrap();
    }

    /// The program, in a process group of its own, which the host takes along.
    fn command(&self, line: &str) -> Command {
        let mut command = if self.is_real { self.bench.real(&words(line)) } else { self.bench.command(&words(line)) };
        command.process_group(0);
        command
    }

    fn told(&self, line: &str) -> Told {
        self.bench.outcome(&mut self.command(line))
    }

    /// Runs until something kills the runner.
    fn dies(&self, line: &str) {
        let status = self.command(line).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), None, "it is killed");
        settles(&self.bench);
    }

    /// The folder of the only run.
    fn run(&self) -> PathBuf {
        let mut all = fs::read_dir(self.bench.path("runs")).unwrap().map(|entry| entry.unwrap().path());
        let run = all.next().unwrap();
        assert_eq!(all.next(), None, "one run");
        run
    }

    /// The lines of a journal of the run.
    fn journal(&self, file: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.run().join(file)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The journals of all sub-runs.
    fn steps(&self) -> Vec<Value> {
        let mut folders: Vec<PathBuf> =
            fs::read_dir(self.run().join("subruns")).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        let name = |folder: &PathBuf| format!("subruns/{}/steps.ldjson", folder.file_name().unwrap().to_str().unwrap());
        folders.iter().flat_map(|folder| self.journal(&name(folder))).collect()
    }

    /// `subrun verdict` of each sub-run, as the summary has it.
    fn verdicts(&self) -> Vec<String> {
        let summary: Value = serde_json::from_slice(&fs::read(self.run().join("summary.json")).unwrap()).unwrap();
        let rows = summary["subruns"].as_array().unwrap();
        rows.iter().map(|row| row["verdict"].as_str().unwrap_or("none").to_owned()).collect()
    }

    fn finished(&self) -> Vec<Value> {
        self.steps().into_iter().filter(|line| line["event"] == "step_finished").collect()
    }

    /// A runner that is killed once the diagnostic waits. Then nothing waits any more.
    fn killed_in_flight(&self, line: &str) {
        self.bench.program("diags/probe.sh", WAITS);
        let mut child = self.command(line).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.reaches_wait();
        kill(&mut child);
        settles(&self.bench);
        fs::write(self.bench.path("go"), "").unwrap();
    }

    fn reaches_wait(&self) {
        until("the diagnostic", LONG, || self.bench.path("waits").exists());
        fs::remove_file(self.bench.path("waits")).unwrap();
    }
}

/// Says that it waits, and passes once the workspace has a file `go`.
const WAITS: &str = "#!/bin/sh
here=${0%/*}/..
[ -e \"$here/go\" ] || : > \"$here/waits\"
while [ ! -e \"$here/go\" ]; do sleep 0.01; done
echo OK
";

fn kill(child: &mut Child) {
    kill_process(Pid::from_child(child), Signal::KILL).unwrap();
    child.wait().unwrap();
}

const RUN: &str = "run --no-tui --yes --flow smoke --margin down --unit SN1";
const RESUME: &str = "resume --last --yes --no-tui";

#[test]
fn the_boundary_of_a_board_whose_crash_takes_the_host_down() {
    let host = Host::with_board();
    host.dies("run --no-tui --yes --flow vc707 --margin vc707 --unit VC707");
    host.bench.write(
        "../host/var/lib/systemd/pstore/1764460800/dmesg.txt",
        "Kernel panic - not syncing: Fatal machine check\n",
    );
    assert_eq!(fs::read_to_string(host.boot_id()).unwrap().trim(), NEXT_BOOT);
    let list = host.told("runs list");
    assert!(list.stdout.contains("interrupted"), "{}", list.all());
    let told = host.told(RESUME);
    assert_eq!(told.code, 1, "{}", told.all());
    assert!(told.stderr.contains("the host went down with 12 of 13 sub-runs ended"), "{}", told.all());
    let expected = [vec!["pass"; 5], vec!["fail"; 7], vec!["crashed"]].concat();
    assert_eq!(host.verdicts(), expected);
    let report = fs::read_to_string(host.run().join("report.md")).unwrap();
    let edge: Vec<&str> = report.lines().filter(|line| line.contains("last pass")).collect();
    insta::assert_snapshot!(edge.join("\n"), @r"
    - Edge: last pass 610mV, first fail 600mV downward, crash below 540mV, margin 390mV (39%) (s05)
    ");
    // What is known of the crash.
    let last = host.finished().pop().unwrap();
    assert_eq!((&last["verdict"], &last["effects"]), (&"crashed".into(), &serde_json::json!(["sc"])), "{last}");
    insta::assert_snapshot!(host.bench.settled(&evidence(&last)), @r#"
    "boot id": false "00000000-0000-4000-8000-000000000001, now 00000000-0000-4000-8000-000000000002"
    "uptime": null "up for 77 s"
    "pstore": null "not there: BENCH/host/sys/fs/pstore"
    "pstore, as systemd keeps it": null "1764460800/dmesg.txt"
    "kernel log of the boot before": null "not there: the kernel log of another machine"
    "#);
    let is_it = |file: &PathBuf| file.ends_with("last_words/archived-1764460800_dmesg.txt");
    let kept = files(&host.run()).into_iter().find(is_it).unwrap();
    assert!(fs::read_to_string(kept).unwrap().contains("Fatal machine check"));
    let events: Vec<Value> = host.journal("events.ldjson");
    let resumed = events.iter().find(|line| line["event"] == "run_resumed").unwrap();
    assert_eq!(resumed["boot_id"], NEXT_BOOT);
    assert_eq!(host.told("resume latest --yes --no-tui").code, 2, "there is nothing more to go on with");
}

fn evidence(finished: &Value) -> String {
    let all = finished["evidence"].as_array().unwrap().iter();
    let line = |one: &Value| format!("{}: {} {}\n", one["check"], one["held"], one["found"]);
    all.map(line).collect::<Vec<_>>().concat()
}

#[test]
fn a_runner_that_is_killed_leaves_one_error_and_the_rest_goes_on() {
    let host = Host::new();
    host.killed_in_flight(RUN);
    let told = host.told(RESUME);
    assert_eq!(told.code, 4, "{}", told.all());
    assert_eq!(host.verdicts(), ["error", "pass", "pass"]);
    let line = told.stderr.lines().find(|line| line.contains("E error")).unwrap();
    assert!(line.ends_with("E error             cut off  the runner died"), "no time, for nobody saw it end: {line}");
    let finished = host.finished();
    assert_eq!(finished.len(), 15);
    let errors: Vec<&Value> = finished.iter().filter(|line| line["verdict"] != "pass").collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!((&errors[0]["reason"], &errors[0]["effects"]), (&"the runner died".into(), &serde_json::json!([])));
    assert_eq!(evidence(errors[0]), format!("\"boot id\": true \"{BOOT}\"\n"));
}

#[test]
fn no_two_lines_of_a_run_share_a_number() {
    let host = Host::new();
    host.killed_in_flight(RUN);
    host.told(RESUME);
    let mut numbers: Vec<u64> =
        host.steps().iter().chain(&host.journal("events.ldjson")).map(|line| line["seq"].as_u64().unwrap()).collect();
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), count);
}

#[test]
fn a_crashed_step_is_tried_again_only_when_that_is_asked_for() {
    let check = |option: &str, verdicts: [&str; 3], attempts: &[u64]| {
        let host = Host::new();
        host.killed_in_flight(RUN);
        host.boot(NEXT_BOOT);
        let told = host.told(&format!("{RESUME}{option}"));
        assert_eq!(told.code, 1, "{option}: {}", told.all());
        assert_eq!(host.verdicts(), verdicts, "{option}");
        let first = |line: &&Value| line["event"] == "step_started" && line["index"] == 0;
        let steps = host.steps();
        let tried: Vec<u64> =
            steps.iter().filter(first).take(attempts.len()).map(|l| l["attempt"].as_u64().unwrap()).collect();
        assert_eq!(tried, attempts, "{option}");
        let folder = host.run().join("subruns");
        let logs = fs::read_dir(fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).min().unwrap().join("stdout"));
        let aside = logs.unwrap().filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().contains("attempt-1"));
        assert_eq!(aside.count(), attempts.len() - 1, "{option}: the first try's log is kept");
    };
    // A sweep of one line: what lies behind the crash is not measured.
    check("", ["crashed", "skipped", "skipped"], &[1]);
    // The crash stays in the record, and what could be measured after it is.
    check(" --retry-crashed 1", ["pass", "pass", "pass"], &[1, 2]);
}

#[test]
fn three_boots_without_getting_on_are_enough() {
    let host = Host::new();
    let boot = |number: u32| host.boot(&format!("00000000-0000-4000-8000-{number:012}"));
    host.killed_in_flight(RUN);
    for number in 2..=4 {
        boot(number);
        fs::remove_file(host.bench.path("go")).unwrap();
        // The first step is tried again, and kills the host each time.
        host.killed_in_flight(&format!("{RESUME} --retry-crashed 9"));
    }
    boot(5);
    let told = host.told(&format!("{RESUME} --retry-crashed 9"));
    assert_eq!(told.code, 3, "{}", told.all());
    assert!(
        told.stderr.contains("3 resumes in a row ended in another boot before any sub-run got on"),
        "{}",
        told.all()
    );
    let told = host.told("resume --auto --no-tui");
    assert_eq!(told.code, 3, "{}", told.all());
    let told = host.told(&format!("{RESUME} --retry-crashed 9 --max-boots 4"));
    assert_eq!(told.code, 1, "{}", told.all());
    assert_eq!(host.verdicts(), ["pass"; 3]);
}

#[test]
fn kills_within_one_boot_are_no_boot_loop() {
    let host = Host::new();
    host.killed_in_flight(RUN);
    for _ in 0..4 {
        fs::remove_file(host.bench.path("go")).unwrap();
        host.killed_in_flight(RESUME);
    }
    let told = host.told(RESUME);
    assert_eq!(told.code, 4, "{}", told.all());
    assert_eq!(host.finished().iter().filter(|line| line["verdict"] == "error").count(), 5);
}

#[test]
fn a_service_finds_nothing_to_do_and_says_nothing() {
    let host = Host::new();
    let quiet = |why: &str| {
        let told = host.told("resume --auto --no-tui");
        assert_eq!((told.code, told.stdout.as_str(), told.stderr.as_str()), (0, "", ""), "{why}");
    };
    quiet("there is no run");
    assert_eq!(host.told("plan --flow smoke --margin down").code, 0);
    quiet("a plan was not begun");
    host.killed_in_flight(RUN);
    assert_eq!(host.told("resume --auto --no-tui").code, 4);
    quiet("it has ended");
    // One that was interrupted before a later one ended was given up.
    fs::remove_file(host.bench.path("go")).unwrap();
    host.killed_in_flight(RUN);
    assert_eq!(host.told(RUN).code, 0);
    quiet("somebody went on to another run");
    assert_eq!(host.told(RESUME).code, 4, "a person may go back to it");
}

#[test]
fn a_service_refuses_what_is_not_as_it_was_confirmed() {
    let check = |change: &dyn Fn(&Host), said: &str| {
        let host = Host::new();
        host.killed_in_flight(RUN);
        host.boot(NEXT_BOOT);
        change(&host);
        let told = host.told("resume --auto --no-tui");
        assert_eq!(told.code, 3, "{said}: {}", told.all());
        assert!(told.stderr.contains(said), "{said}: {}", told.all());
        assert!(host.finished().is_empty(), "{said}: nothing was touched");
        // A person sees it, and may decide.
        let told = host.told(RESUME);
        assert_eq!(told.code, 1, "{said}: {}", told.all());
        assert!(told.stderr.contains("changed since the plan was made"), "{said}: {}", told.all());
    };
    check(&|host| host.bench.program("diags/probe.sh", "#!/bin/sh\necho  OK\n"), "is another program");
    check(
        &|host| host.bench.edit("policy/safety.yaml", "max: 100 }", "max: 101 }"),
        "policy policy/safety.yaml was edited",
    );
    check(&|host| host.bench.edit("policy/safety.yaml", "min: 700mV", "min: 710mV"), "bounds are tighter");
    check(
        &|host| {
            let file = host.procfs().join("cpuinfo");
            let text = fs::read_to_string(&file).unwrap();
            let other: Vec<String> =
                text.lines()
                    .map(|line| {
                        if line.starts_with("model name") {
                            "model name\t: Another CPU".into()
                        } else {
                            line.to_owned()
                        }
                    })
                    .collect();
            fs::write(file, other.join("\n")).unwrap();
        },
        "cpu model",
    );
}

#[test]
fn a_plan_that_today_is_not_safe_does_not_go_on() {
    let host = Host::new();
    host.killed_in_flight(RUN);
    host.bench.edit("policy/safety.yaml", "min: 700mV", "min: 960mV");
    let told = host.told(RESUME);
    assert_eq!(told.code, 3, "{}", told.all());
    assert!(told.stderr.contains("today's bounds refuse the stored plan"), "{}", told.all());
    assert!(host.finished().is_empty());
}

#[test]
fn what_cannot_go_on_says_why_and_what_to_do() {
    let host = Host::new();
    let check = |line: &str, code: i32, said: &str| {
        let told = host.told(line);
        assert_eq!(told.code, code, "{line}: {}", told.all());
        assert!(told.stderr.contains(said), "{line}: {}", told.all());
    };
    check("resume --last --no-tui", 2, "was interrupted");
    check("resume latest --no-tui", 2, "no run in");
    assert_eq!(host.told("plan --flow smoke --margin down").code, 0);
    check("resume latest --no-tui", 2, "was never started");
    assert_eq!(host.told(RUN).code, 0);
    check("resume latest --no-tui", 2, "it is completed");
    assert_eq!(host.told("run --no-tui --dry-run --flow smoke --margin down").code, 0);
    check("resume latest --no-tui", 2, "it is dry_run");
    // Nobody to ask.
    host.killed_in_flight(RUN);
    check("resume --last --no-tui", 3, "there is no terminal to ask on");
}

#[test]
fn a_damaged_record_is_not_gone_on_with() {
    let host = Host::new();
    host.killed_in_flight(RUN);
    let journal = host.run().join("events.ldjson");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.replacen("{\"event\":\"evidence_sources\"", "garbage", 1)).unwrap();
    let told = host.told(RESUME);
    assert_eq!(told.code, 4, "{}", told.all());
    assert!(told.stderr.contains("events.ldjson:2") && told.stderr.contains("runs verify"), "{}", told.all());
    // A torn end is none.
    fs::write(&journal, text + "{\"event\":\"subrun_fin").unwrap();
    assert_eq!(host.told(RESUME).code, 4);
    assert_eq!(host.verdicts(), ["error", "pass", "pass"]);
}

#[test]
fn what_was_left_running_is_ended_also_without_a_guardian() {
    let host = Host { is_real: true, ..Host::new() };
    // It gives up its environment, and with it the mark.
    host.bench.program("diags/probe.sh", "#!/bin/sh\n: > \"${0%/*}/../waits\"\nexec env -i /bin/sleep 600\n");
    let mut child = host.command(RUN).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    host.reaches_wait();
    until("the pid", LONG, || host.steps().iter().any(|line| line["event"] == "step_spawned"));
    let pid = host.steps().iter().find_map(|line| line["pid"].as_i64()).unwrap();
    // Both at once: first the guardian is made unable to act.
    let guardians = guardians(&host.bench.path("runs"));
    assert_eq!(guardians.len(), 1, "every run has one");
    kill_process(guardians[0], Signal::KILL).unwrap();
    kill(&mut child);
    let process = Path::new("/proc").join(pid.to_string());
    assert!(process.exists(), "it is left running");
    host.bench.program("diags/probe.sh", "#!/bin/sh\necho OK\n");
    host.told(RESUME);
    until("its end", LONG, || fs::read_to_string(process.join("stat")).map_or(true, |stat| stat.contains(") Z ")));
}
