//! Planning, running, asking, history: the commands that write, on the real host.

use std::io::{Read as _, Write as _};
use std::process::Stdio;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

use super::{Bench, Told, words};

/// A workspace whose bounds do not depend on the host that runs the tests.
fn bench() -> Bench {
    let bench = Bench::new();
    std::fs::remove_dir_all(bench.path("policy/profiles")).unwrap();
    bench
}

fn told(bench: &Bench, line: &str) -> Told {
    bench.outcome(&mut bench.real(&words(line)))
}

const CHOICE: &str = "--flow smoke --margin down";

#[test]
fn plan() {
    let bench = bench();
    insta::assert_snapshot!(told(&bench, &format!("plan {CHOICE} --unit SN1")).all(), @r"
    s00 core 3.2GHz 1000mV  seed 1287821867
        00 first diags/probe.sh --rounds 1 --vcore 1000
        01 second diags/probe.sh --rounds 1 --vcore 1000
        02 second diags/probe.sh --rounds 1 --vcore 1000
        03 second diags/probe.sh --rounds 2 --vcore 1000
        04 second diags/probe.sh --rounds 2 --vcore 1000
    s01 core 3.2GHz 950mV  seed 97259526
        00 first diags/probe.sh --rounds 1 --vcore 950
        01 second diags/probe.sh --rounds 1 --vcore 950
        02 second diags/probe.sh --rounds 1 --vcore 950
        03 second diags/probe.sh --rounds 2 --vcore 950
        04 second diags/probe.sh --rounds 2 --vcore 950
    s02 core 3.2GHz 900mV  seed 1009580471
        00 first diags/probe.sh --rounds 1 --vcore 900
        01 second diags/probe.sh --rounds 1 --vcore 900
        02 second diags/probe.sh --rounds 1 --vcore 900
        03 second diags/probe.sh --rounds 2 --vcore 900
        04 second diags/probe.sh --rounds 2 --vcore 900
    plan      smoke x down  seed 7
    sub-runs  3 (core.voltage x3), 15 executions
    unapplied core.frequency: nobody moves it, so its points say nothing about it
    digest    SHA256
    record    BENCH/ws/runs/rr-TIME-DIGEST
    start     road_runner run --plan rr-TIME-DIGEST
    => 0
    ");
    insta::assert_snapshot!(told(&bench, &format!("plan -q {CHOICE}")).all(), @r"
    plan      smoke x down  seed 7
    sub-runs  3 (core.voltage x3), 15 executions
    unapplied core.frequency: nobody moves it, so its points say nothing about it
    digest    SHA256
    record    BENCH/ws/runs/rr-TIME-DIGEST
    start     road_runner run --plan rr-TIME-DIGEST
    => 0
    ");
    insta::assert_snapshot!(told(&bench, &format!("plan -q {CHOICE} --output json")).all(), @r#"
    {
      "run_id": "rr-TIME-DIGEST",
      "record": "BENCH/ws/runs/rr-TIME-DIGEST",
      "plan_digest": "SHA256",
      "flow": "smoke",
      "margin": "down",
      "unit": null,
      "global_seed": 7,
      "executions": 15,
      "subrun_count": 3
    }
    => 0
    "#);
    let json = told(&bench, &format!("plan {CHOICE} --output json"));
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["subruns"].as_array().unwrap().len(), 3);
    assert_eq!(json["subruns"][2]["steps"][1]["argv"], serde_json::json!(["--rounds", "1", "--vcore", "900"]));
    insta::assert_snapshot!(told(&bench, "plan --flow smok --margin down").all(), @r"
    --- stderr
    error: no flow `smok`: neither a file nor a name; did you mean `smoke`?
    => 2
    ");
}

#[test]
fn run_and_what_history_says_of_it() {
    let bench = bench();
    insta::assert_snapshot!(told(&bench, &format!("run --yes {CHOICE} --unit SN1")).all(), @r"
    run       rr-TIME-DIGEST
    verdict   pass (exit 0)
    sub-runs  3: 3 pass
    record    BENCH/ws/runs/rr-TIME-DIGEST
    --- stderr
    s00 core 3.2GHz 1000mV  first  + pass  0ms  exit 0
    s00 core 3.2GHz 1000mV  second rounds=1 1/2  + pass  0ms  exit 0
    s00 core 3.2GHz 1000mV  second rounds=1 2/2  + pass  0ms  exit 0
    s00 core 3.2GHz 1000mV  second rounds=2 1/2  + pass  0ms  exit 0
    s00 core 3.2GHz 1000mV  second rounds=2 2/2  + pass  0ms  exit 0
    s01 core 3.2GHz 950mV  first  + pass  0ms  exit 0
    s01 core 3.2GHz 950mV  second rounds=1 1/2  + pass  0ms  exit 0
    s01 core 3.2GHz 950mV  second rounds=1 2/2  + pass  0ms  exit 0
    s01 core 3.2GHz 950mV  second rounds=2 1/2  + pass  0ms  exit 0
    s01 core 3.2GHz 950mV  second rounds=2 2/2  + pass  0ms  exit 0
    s02 core 3.2GHz 900mV  first  + pass  0ms  exit 0
    s02 core 3.2GHz 900mV  second rounds=1 1/2  + pass  0ms  exit 0
    s02 core 3.2GHz 900mV  second rounds=1 2/2  + pass  0ms  exit 0
    s02 core 3.2GHz 900mV  second rounds=2 1/2  + pass  0ms  exit 0
    s02 core 3.2GHz 900mV  second rounds=2 2/2  + pass  0ms  exit 0
    => 0
    ");
    insta::assert_snapshot!(told(&bench, "runs list").all(), @r"
    RUN                         STATUS     VERDICT  SUB-RUNS  FLOW   MARGIN  UNIT
    rr-TIME-DIGEST  completed  pass     3/3       smoke  down    SN1
    => 0
    ");
    insta::assert_snapshot!(told(&bench, "runs show latest").all(), @r"
    status    completed
    plan      smoke x down  seed 7
    digest    SHA256
    unit      SN1
    host      HOST
    started   TIME  ended TIME  took 0ms
    run       rr-TIME-DIGEST
    verdict   pass (exit 0)
    sub-runs  3: 3 pass
    record    BENCH/ws/runs/rr-TIME-DIGEST

    s00  core 3.2GHz 1000mV  pass
    s01  core 3.2GHz 950mV   pass
    s02  core 3.2GHz 900mV   pass
    => 0
    ");
    insta::assert_snapshot!(told(&bench, "runs follow latest -q").all(), @r"
    run       rr-TIME-DIGEST
    verdict   pass (exit 0)
    sub-runs  3: 3 pass
    record    BENCH/ws/runs/rr-TIME-DIGEST
    => 0
    ");
    insta::assert_snapshot!(told(&bench, "runs stop latest").all(), @r"
    --- stderr
    error: rr-TIME-DIGEST is not running
    => 2
    ");
    insta::assert_snapshot!(told(&bench, "rerun-last --yes -q").all(), @r"
    run       rr-TIME-DIGEST
    verdict   pass (exit 0)
    sub-runs  3: 3 pass
    record    BENCH/ws/runs/rr-TIME-DIGEST
    --- stderr
    repeating rr-TIME-DIGEST, unit SN1, smoke x down
    => 0
    ");
    let json: serde_json::Value = serde_json::from_str(&told(&bench, "runs list --output json").stdout).unwrap();
    assert_eq!(json[0]["source_run"], json[1]["run_id"]);
    let shown: serde_json::Value =
        serde_json::from_str(&told(&bench, "runs show latest --output json").stdout).unwrap();
    assert_eq!((shown["exit_code"].as_u64(), shown["subruns"][2]["verdict"].as_str()), (Some(0), Some("pass")));
}

#[test]
fn a_failing_unit() {
    let bench = bench();
    bench.program(
        "diags/probe.sh",
        "#!/bin/sh\n[ \"$ROAD_RUNNER_RAIL_CORE_VOLTAGE_UV\" != 900000 ] || exit 1\necho OK\n",
    );
    let run = told(&bench, &format!("run --yes -q {CHOICE}"));
    assert_eq!(run.code, 1, "{}", run.all());
    insta::assert_snapshot!(told(&bench, "runs show latest").all(), @r"
    status    completed
    plan      smoke x down  seed 7
    digest    SHA256
    host      HOST
    started   TIME  ended TIME  took 0ms
    run       rr-TIME-DIGEST
    verdict   fail (exit 1)
    sub-runs  3: 2 pass, 1 fail
    record    BENCH/ws/runs/rr-TIME-DIGEST

    s00  core 3.2GHz 1000mV  pass
    s01  core 3.2GHz 950mV   pass
    s02  core 3.2GHz 900mV   fail
           00 first          fail  exit 1  exit code 1
           01 second         fail  exit 1  exit code 1
           02 second         fail  exit 1  exit code 1
           03 second         fail  exit 1  exit code 1
           04 second         fail  exit 1  exit code 1
    => 0
    ");
    let again = told(&bench, "rerun latest --failed --yes --output json -q");
    assert_eq!(again.code, 1, "{}", again.all());
    let events: Vec<serde_json::Value> = again.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("subrun_started"), count("step_finished"), count("run_finished")), (1, 5, 1));
    assert!(events.windows(2).all(|pair| pair[0]["seq"].as_u64() < pair[1]["seq"].as_u64()));
    let followed = told(&bench, "runs follow latest --output json");
    assert_eq!((followed.code, followed.stdout), (1, again.stdout));
}

#[test]
fn what_has_drifted_is_shown_before_it_runs_again() {
    let bench = bench();
    assert_eq!(told(&bench, &format!("plan -q {CHOICE}")).code, 0);
    bench.program("diags/probe.sh", "#!/bin/sh\necho again\necho OK\n");
    bench.edit("policy/safety.yaml", "max: 1100mV", "max: 1050mV");
    let run = told(&bench, "run --plan latest --yes");
    let changed: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("changed since")).collect();
    insta::assert_snapshot!(changed.join("\n"), @r"
    changed since the plan was made: bounds are tighter than when it was planned
    changed since the plan was made: diags/probe.sh is another program than when it was planned
    changed since the plan was made: policy policy/safety.yaml was edited since; the stored plan is used
    ");
    assert_eq!(run.code, 0, "{}", run.all());
    let verbose = told(&bench, "run --plan latest --yes -v --dry-run");
    assert!(verbose.stderr.contains("counts    3 sub-runs, 15 executions"), "{}", verbose.all());
}

#[test]
fn what_was_typed_ahead_answers_nothing() {
    let bench = bench();
    let line = format!("run {CHOICE} -q");
    let (said, code) = thinking(&bench, &line, "yes\nyes\n", &[("Type yes: ", "no")], &|| ());
    assert!(said.ends_with("declined; nothing was started\n"), "{said}");
    assert_eq!((code, bench.runs()), (3, vec![]));
}

#[test]
fn a_dry_run_asks_nothing_and_starts_nothing() {
    let bench = bench();
    bench.program("diags/probe.sh", "#!/bin/sh\n: > \"$HOME/started\"\n");
    insta::assert_snapshot!(told(&bench, &format!("run --dry-run -q {CHOICE}")).all(), @r"
    run       rr-TIME-DIGEST
    verdict   skipped (exit 0)
    sub-runs  3: 3 skipped
    record    BENCH/ws/runs/rr-TIME-DIGEST
    => 0
    ");
    assert!(!bench.path("../started").exists());
}

#[test]
fn with_nobody_to_ask_nothing_starts() {
    let bench = bench();
    insta::assert_snapshot!(told(&bench, &format!("run {CHOICE}")).all(), @r"
    --- stderr
    error: there is no terminal to ask on; nothing was started
    help: give --yes to run without being asked
    => 3
    ");
    bench.edit("margins/down.yaml", "to: 900mV", "to: 700mV");
    insta::assert_snapshot!(told(&bench, &format!("run --yes {CHOICE}")).all(), @r"
    --- stderr
    error: 1 of 7 sub-runs sit on a limit: --yes needs --unit as well
    help: name the unit under test with --unit
    => 3
    ");
    assert_eq!(bench.runs(), Vec::<String>::new());
}

#[test]
fn runs_that_are_not_there() {
    let bench = bench();
    for _ in 0..2 {
        assert_eq!(told(&bench, &format!("plan -q {CHOICE}")).code, 0);
    }
    let before = bench.runs();
    insta::assert_snapshot!(told(&bench, "runs show ../../etc").all(), @r"
    --- stderr
    error: no run '../../etc'; there is rr-TIME-DIGEST, rr-TIME-DIGEST
    help: road_runner runs list shows every run
    => 2
    ");
    insta::assert_snapshot!(told(&bench, "runs show rr-2001").all(), @r"
    --- stderr
    error: no run 'rr-2001'; there is rr-TIME-DIGEST, rr-TIME-DIGEST
    help: road_runner runs list shows every run
    => 2
    ");
    insta::assert_snapshot!(told(&bench, "runs show rr-").all(), @r"
    --- stderr
    error: 'rr-' could be rr-TIME-DIGEST, rr-TIME-DIGEST
    help: road_runner runs list shows every run
    => 2
    ");
    insta::assert_snapshot!(told(&bench, "runs stop latest").all(), @r"
    --- stderr
    error: rr-TIME-DIGEST is not running
    => 2
    ");
    insta::assert_snapshot!(told(&bench, "rerun latest --failed --yes").all(), @r"
    --- stderr
    error: no sub-run of this run failed, timed out, was inconclusive or in error
    help: crashed sub-runs are run again only when they are named with --subruns
    => 2
    ");
    insta::assert_snapshot!(told(&bench, "rerun latest --subruns s09 --yes").all(), @r"
    --- stderr
    error: no sub-run `s09` in this run
    help: its sub-runs are s0 to s2, as `runs show` lists them
    => 2
    ");
    assert_eq!(bench.runs(), before, "the disk is untouched");
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_run() {
    let bench = bench();
    for words in [&["run", "--yes"][..], &["run", "--yes", "--output", "json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let words = [words, &["--flow", "smoke", "--margin", "down"]].concat();
        let mut command = bench.real(&words);
        let said = bench.outcome(command.stdout(Stdio::from(writer)));
        assert_eq!(said.code, 0, "{}", said.all());
        assert!(!said.stderr.contains("error"), "{}", said.all());
        assert!(told(&bench, "runs show latest").stdout.contains("verdict   pass (exit 0)"));
    }
}

/// What a person at a terminal sees, and the exit code. Each answer is typed once its question stands there.
fn at_a_terminal(bench: &Bench, line: &str, answers: &[(&str, &str)]) -> (String, u32) {
    thinking(bench, line, "", answers, &|| ())
}

/// The same, with something typed ahead before it starts, and something that happens before each answer.
fn thinking(bench: &Bench, line: &str, ahead: &str, answers: &[(&str, &str)], meanwhile: &dyn Fn()) -> (String, u32) {
    let pair = native_pty_system().openpty(PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 }).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_road_runner"));
    command.args(words(line));
    // On a terminal that can be drawn on people are asked by the application, unless they want lines.
    command.arg("--no-tui");
    command.env_clear();
    command.env("TERM", "xterm-256color");
    command.env("PATH", "/usr/bin:/bin");
    command.env("NO_COLOR", "1");
    command.env("ROAD_RUNNER_HOST_LOCK", bench.path("../host.lock"));
    command.cwd(bench.workspace());
    let mut from = pair.master.try_clone_reader().unwrap();
    let mut to = pair.master.take_writer().unwrap();
    to.write_all(ahead.as_bytes()).unwrap();
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut answers = answers.iter();
    let mut next = answers.next();
    let (mut seen, mut since) = (vec![], 0);
    let mut piece = [0; 4096];
    // On Linux the read fails once the last process has let go of the terminal.
    while let Ok(count @ 1..) = from.read(&mut piece) {
        seen.extend_from_slice(&piece[..count]);
        if let Some((question, answer)) = next
            && String::from_utf8_lossy(&seen[since..]).contains(question)
        {
            since = seen.len();
            meanwhile();
            writeln!(to, "{answer}").unwrap();
            next = answers.next();
        }
    }
    assert_eq!(next, None, "every question is asked: {}", String::from_utf8_lossy(&seen));
    (String::from_utf8(seen).unwrap().replace("\r\n", "\n"), child.wait().unwrap().exit_code())
}

#[test]
fn a_person_is_asked() {
    let bench = bench();
    let line = format!("run {CHOICE} -q");
    let (said, code) = at_a_terminal(&bench, &line, &[("Type yes: ", "no")]);
    assert!(said.contains("core.voltage") && said.ends_with("declined; nothing was started\n"), "{said}");
    assert_eq!((code, bench.runs()), (3, vec![]));
    let (said, code) = at_a_terminal(&bench, &line, &[("Run 3 sub-runs? Type yes: ", "yes")]);
    assert_eq!(code, 0, "{said}");
    bench.edit("margins/down.yaml", "to: 900mV", "to: 700mV");
    let line = format!("run {CHOICE} -q --unit SN1");
    let asked = [("Type it: ", "SN2"), ("Type it: ", "SN1"), ("Type yes: ", "yes")];
    let (said, code) = at_a_terminal(&bench, &line, &asked);
    assert!(said.contains("AT LIMIT") && said.contains("That is not the unit of this plan."), "{said}");
    assert_eq!(code, 0, "{said}");
}

#[test]
fn what_changes_while_a_person_thinks_is_not_run() {
    let bench = bench();
    let edit = || bench.edit("margins/down.yaml", "to: 900mV", "to: 850mV");
    let (said, code) = thinking(&bench, &format!("run {CHOICE}"), "", &[("Type yes: ", "yes")], &edit);
    assert!(said.contains("the plan changed while it was being confirmed"), "{said}");
    assert_eq!((code, bench.runs()), (3, vec![]));
}
