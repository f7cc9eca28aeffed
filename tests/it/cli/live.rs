//! Runs that are going on: watched, stopped, ended by signals, kept apart, and what happens to programs that are none.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{Bench, Told, words};

/// A diagnostic that goes on until a file `go` lies in its home, and says by a file `up` that it has begun.
const WAITS: &str = "#!/bin/sh\n: > \"$HOME/up\"\nuntil [ -e \"$HOME/go\" ]; do sleep 0.02; done\necho OK\n";

fn bench(probe: &str) -> Bench {
    let bench = Bench::new();
    fs::remove_dir_all(bench.path("policy/profiles")).unwrap();
    bench.program("diags/probe.sh", probe);
    bench
}

/// A run whose first step is in flight.
fn started(bench: &Bench) -> Child {
    let words = words("run --yes --output json -q --flow smoke --margin down");
    let mut run = bench.real(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(run.stdout.take().unwrap()).lines();
    lines.find(|line| line.as_ref().unwrap().contains("\"step_spawned\"")).expect("the first step is spawned").unwrap();
    // Read on, so that the run never waits for its reader, and until the step has begun in earnest.
    std::thread::spawn(move || lines.for_each(drop));
    while !bench.path("../up").exists() {
        std::thread::yield_now();
    }
    run
}

fn ended(bench: &Bench, run: Child) -> Told {
    bench.tell(&run.wait_with_output().unwrap())
}

fn told(bench: &Bench, line: &str) -> Told {
    bench.outcome(&mut bench.real(&words(line)))
}

fn signalled(signal: Signal) -> (i32, String) {
    let bench = bench(WAITS);
    let run = started(&bench);
    kill_process(Pid::from_child(&run), signal).unwrap();
    let said = ended(&bench, run);
    (said.code, told(&bench, "runs show latest").stdout)
}

/// Whether the tests themselves were started with SIGHUP ignored.
fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    u64::from_str_radix(mask, 16).unwrap() & 1 == 1
}

#[test]
fn signals_have_their_exit_codes() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        // Under nohup it is ignored, and a run keeps ignoring it.
        if signal == Signal::HUP && ignores_hangup() {
            continue;
        }
        let (got, shown) = signalled(signal);
        assert_eq!(got, code, "{signal:?}");
        assert!(shown.contains("status    cancelled"), "{shown}");
        assert!(shown.contains(&format!("verdict   aborted (exit {code})")), "{shown}");
    }
}

#[test]
fn a_run_can_be_stopped_after_its_step() {
    let bench = bench(WAITS);
    let run = started(&bench);
    insta::assert_snapshot!(told(&bench, "runs stop latest").all(), @r"
    --- stderr
    asked process PID to stop rr-TIME-DIGEST after the step in flight
    => 0
    ");
    fs::write(bench.path("../go"), "").unwrap();
    assert_eq!(ended(&bench, run).code, 130);
    insta::assert_snapshot!(told(&bench, "runs show latest -v").all(), @r"
    status    cancelled
    plan      smoke x down  seed 7
    digest    SHA256
    host      HOST
    started   TIME  ended TIME  took 0ms
    run       rr-TIME-DIGEST
    verdict   aborted (exit 130)
    sub-runs  3: 1 aborted, 2 not started
    stopped   the operator asked to stop after the step
    record    BENCH/ws/runs/rr-TIME-DIGEST

    s00  core 3.2GHz 1000mV  aborted      the operator asked to stop after the step
           00 first          pass         exit 0
    s01  core 3.2GHz 950mV   not started
    s02  core 3.2GHz 900mV   not started
    => 0
    ");
    insta::assert_snapshot!(told(&bench, "runs follow latest").all(), @r"
    stopping: the operator asked to stop after the step
    s00 core 3.2GHz 1000mV  first  + pass  0ms  exit 0
    run       rr-TIME-DIGEST
    verdict   aborted (exit 130)
    sub-runs  3: 1 aborted, 2 not started
    stopped   the operator asked to stop after the step
    record    BENCH/ws/runs/rr-TIME-DIGEST
    => 130
    ");
}

#[test]
fn a_run_can_be_stopped_now() {
    let bench = bench(WAITS);
    let run = started(&bench);
    assert_eq!(told(&bench, "runs stop latest --now").code, 0);
    assert_eq!(ended(&bench, run).code, 130);
}

#[test]
fn a_live_run_is_followed_to_its_end() {
    let bench = bench(WAITS);
    let run = started(&bench);
    let words = words("runs follow latest --output json");
    let mut follower = bench.real(&words).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("{\"event\":\"run_started\",\"seq\":0,"));
    fs::write(bench.path("../go"), "").unwrap();
    let last = lines.last().unwrap().unwrap();
    assert!(last.starts_with("{\"event\":\"run_finished\""), "{last}");
    assert_eq!((follower.wait().unwrap().code(), ended(&bench, run).code), (Some(0), 0));
}

#[test]
fn a_second_run_on_a_host_is_refused() {
    let bench = bench(WAITS);
    let run = started(&bench);
    let second = told(&bench, "run --yes --flow smoke --margin down");
    assert_eq!(second.code, 2, "{}", second.all());
    assert!(
        second.stderr.contains("another run is going on") && second.stderr.contains("--allow-concurrent"),
        "{}",
        second.all()
    );
    fs::write(bench.path("../go"), "").unwrap();
    assert_eq!(told(&bench, "run --yes --allow-concurrent -q --flow smoke --margin down").code, 0);
    assert_eq!(ended(&bench, run).code, 0);
}

/// The verdict lines of a run whose program is this.
fn failing(probe: &str) -> String {
    let bench = bench(probe);
    let run = told(&bench, "run --yes -q --flow smoke --margin down");
    let shown = told(&bench, "runs show latest").stdout;
    let rows = shown.lines().skip_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n");
    format!("{rows}\n=> {}", run.code)
}

#[test]
fn a_program_that_cannot_be_executed_is_an_error_and_the_sweep_goes_on() {
    insta::assert_snapshot!(failing("#!/no/such/interpreter\n"), @r"

    s00  core 3.2GHz 1000mV  error
           00 first          error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
           01 second         error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
           02 second         error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
           03 second         error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
           04 second         error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
    s01  core 3.2GHz 950mV   error
           00 first          error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
           01 second         error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
           02 second         error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
           03 second         error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
           04 second         error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
    s02  core 3.2GHz 900mV   error
           00 first          error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
           01 second         error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
           02 second         error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
           03 second         error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
           04 second         error  not started  interpreter /no/such/interpreter of BENCH/ws/diags/probe.sh does not exist
    => 4
    ");
    insta::assert_snapshot!(failing("\u{7f}ELF\u{2}\u{1}\u{1}this is no program of this machine\n"), @r"

    s00  core 3.2GHz 1000mV  error
           00 first          error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
           01 second         error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
           02 second         error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
           03 second         error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
           04 second         error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
    s01  core 3.2GHz 950mV   error
           00 first          error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
           01 second         error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
           02 second         error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
           03 second         error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
           04 second         error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
    s02  core 3.2GHz 900mV   error
           00 first          error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
           01 second         error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
           02 second         error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
           03 second         error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
           04 second         error  not started  BENCH/ws/diags/probe.sh is no executable for this machine
    => 4
    ");
}

#[test]
fn where_packages_are_known_the_program_has_one() {
    let bench = bench("#!/bin/sh\n");
    bench.edit("adapters/probe.yaml", "diags/probe.sh", "dpkg");
    let check = told(&bench, "adapters check probe");
    let known = std::path::Path::new("/usr/bin/dpkg").exists();
    assert_eq!(check.stdout.contains("  ok  package   dpkg\n"), known, "{}", check.all());
}
