//! Runs as the application starts them: in a session of their own, confirmed by digest, living on whoever dies. Started and
//! stopped through the library, as the application does.

use std::fs;
use std::path::Path;

use road_runner::commands::context::Context;
use road_runner::commands::failure::{Failure, Kind};
use road_runner::commands::launch::{self, Ended, Launch, Started, What};
use road_runner::commands::plan::{self, Asked};
use road_runner::commands::rerun::{self, Selection, Source};
use road_runner::commands::runs::{self, How};
use road_runner::commands::stored;
use road_runner::domain::run_state::RunState;
use road_runner::headless::problems;

use crate::cli::Bench;

/// A diagnostic that goes on until a file `go` lies in its home, says by a file `up` that it has begun, and is deaf. It ends
/// with its home as well: nobody waits for a run whose test has failed.
const WAITS: &str = "#!/bin/sh\ntrap '' TERM INT\n: > \"$HOME/up\"\n\
                     while [ -d \"$HOME\" ] && [ ! -e \"$HOME/go\" ]; do sleep 0.02; done\necho OK\n";

fn bench(probe: &str) -> Bench {
    let bench = Bench::new();
    fs::remove_dir_all(bench.path("policy/profiles")).unwrap();
    bench.program("diags/probe.sh", probe);
    bench
}

/// What is asked for, as it was confirmed just now.
pub fn confirmed(context: &Context) -> Launch {
    let (flow, margin) = ("flows/smoke.yaml".to_owned(), "down".to_owned());
    let asked = Asked { flow: flow.clone(), margin: margin.clone(), unit: Some("SN 1".to_owned()), seed: Some(7) };
    let digest = plan::prepare(context, &asked).unwrap().plan().digest.clone();
    let what = What::Fresh { flow, margin, seed: 7 };
    Launch { what, unit: asked.unit, dry_run: false, max_fail: None, allow_concurrent: false, digest }
}

pub fn start(context: &Context, launch: &Launch) -> Result<Started, Failure> {
    launch::start(context, Path::new(env!("CARGO_BIN_EXE_road_runner")), launch)
}

/// A failure as it is shown.
fn shown(bench: &Bench, failure: &Failure) -> String {
    format!("{}=> {}", bench.settled(&problems::failure(failure, false)), failure.exit_code())
}

fn hostname() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

fn wait_until(mut done: impl FnMut() -> bool) {
    while !done() {
        std::thread::yield_now();
    }
}

/// How the process of a run ended, and the run as its journals have it.
fn ended(context: &Context, started: &Started) -> (Ended, RunState) {
    wait_until(|| started.ended().is_some());
    let run = stored::load(context, &started.run_id).unwrap();
    assert_eq!(run.damage, []);
    (started.ended().unwrap().clone(), run.state)
}

/// The session of a process, after the name in brackets, which may hold anything: state, parent, group, session.
fn session(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(')').unwrap();
    rest.split_whitespace().nth(3).unwrap().parse().unwrap()
}

#[test]
fn a_run_goes_on_in_a_session_of_its_own_and_its_record_is_whole() {
    let bench = bench(WAITS);
    let context = bench.context();
    let launch = confirmed(&context);
    assert_eq!(launch.line(), "road_runner run --flow flows/smoke.yaml --margin down --seed 7 --unit 'SN 1'");
    let started = start(&context, &launch).unwrap();
    assert_eq!(started.dir, bench.path("runs").canonicalize().unwrap().join(&started.run_id));
    assert!(started.dir.join("events.ldjson").is_file(), "it has begun");
    assert_eq!((session(started.pid), started.ended()), (started.pid, None));
    assert_ne!(session(std::process::id()), started.pid);
    wait_until(|| bench.path("../up").exists());
    fs::write(bench.path("../go"), "").unwrap();
    let (ended, state) = ended(&context, &started);
    assert_eq!(ended, Ended { code: Some(0), said: String::new() });
    assert_eq!((state.finished_sub_runs(), state.end.map(|(_, code)| code)), (3, Some(0)));
    assert_eq!((state.plan.digest.clone(), state.plan.unit.as_deref()), (launch.digest, Some("SN 1")));
    assert!(started.dir.join("report.html").is_file());
}

#[test]
fn what_was_not_confirmed_is_not_run() {
    let bench = bench(WAITS);
    let context = bench.context();
    let launch = confirmed(&context);
    bench.edit("margins/down.yaml", "to: 900mV", "to: 850mV");
    let refused = start(&context, &launch).unwrap_err();
    assert_eq!(refused.kind, Kind::Safety);
    insta::assert_snapshot!(shown(&bench, &refused), @r"
    error: the plan changed while it was being confirmed; nothing was started
    help: look at it again
    => 3
    ");
    let dry = Launch { dry_run: true, ..launch };
    assert_eq!(start(&context, &dry).unwrap_err().kind, Kind::Safety, "nor dry");
    assert_eq!(bench.runs(), Vec::<String>::new());
}

#[test]
fn a_plan_that_fails_says_why_with_the_line() {
    let bench = bench(WAITS);
    let context = bench.context();
    let launch = confirmed(&context);
    bench.edit("margins/down.yaml", "3.2GHz", "3.2GHx");
    insta::assert_snapshot!(shown(&bench, &start(&context, &launch).unwrap_err()), @r"
    error: `core.frequency`: `GHx` is not a unit of frequency; units are MHz, GHz, kHz
     --> margins/down.yaml:4:82
      |
    4 | default: { core: { voltage: { from: 1000mV, to: 900mV, step: -50mV }, frequency: 3.2GHx } }
      |                                                                                  ^^^^^^
    => 2
    ");
    assert_eq!(bench.runs(), Vec::<String>::new());
}

#[test]
fn the_run_that_is_in_the_way_is_named() {
    let bench = bench(WAITS);
    let context = bench.context();
    let launch = confirmed(&context);
    let first = start(&context, &launch).unwrap();
    let refused = start(&context, &launch).unwrap_err();
    assert_eq!(refused.kind, Kind::Usage);
    assert!(refused.message.contains(&first.run_id), "{}", refused.message);
    insta::assert_snapshot!(shown(&bench, &refused).replace(&format!("on {})", hostname()), "on HOST)"), @r"
    error: another run is going on here: failed to lock BENCH/host.lock: held by run rr-TIME-DIGEST (process PID on HOST)
    help: wait for it, stop it with `road_runner runs stop`, or give --allow-concurrent
    => 2
    ");
    let beside = start(&context, &Launch { allow_concurrent: true, ..launch }).unwrap();
    fs::write(bench.path("../go"), "").unwrap();
    for run in [&first, &beside] {
        assert_eq!(ended(&context, run).0.code, Some(0));
    }
}

#[test]
fn a_stored_plan_is_started_again_unless_it_drifts() {
    let bench = bench("#!/bin/sh\necho OK\n");
    let context = bench.context();
    let run = start(&context, &confirmed(&context)).unwrap();
    ended(&context, &run);
    let selection = Selection { failed: false, sub_runs: Some("s01".to_owned()) };
    let prepared = rerun::prepare(&context, &Source::Run(run.run_id.clone()), &selection, None).unwrap();
    let what = What::Stored { run: run.run_id.clone(), failed: false, sub_runs: selection.sub_runs };
    let digest = prepared.plan().digest.clone();
    let launch = Launch { what, unit: None, dry_run: false, max_fail: None, allow_concurrent: false, digest };
    assert_eq!(launch.line(), format!("road_runner rerun {} --subruns s01", run.run_id));
    let again = start(&context, &launch).unwrap();
    let (_, state) = ended(&context, &again);
    assert_eq!((state.header.source_run.as_deref(), state.finished_sub_runs()), (Some(&*run.run_id), 1));
    bench.program("diags/probe.sh", "#!/bin/sh\necho other\necho OK\n");
    assert_eq!(start(&context, &launch).unwrap_err().kind, Kind::Safety, "another program than was confirmed");
}

/// Why a run whose step is deaf was cancelled, when it is stopped so.
fn stopped(how: How) -> Vec<String> {
    let bench = bench(WAITS);
    let context = bench.context();
    let run = start(&context, &confirmed(&context)).unwrap();
    wait_until(|| bench.path("../up").exists());
    assert_eq!(runs::stop(&context, &run.run_id, how).unwrap().pid, run.pid);
    if how == How::AfterStep {
        fs::write(bench.path("../go"), "").unwrap();
    }
    let (ended, state) = ended(&context, &run);
    assert_eq!((ended.code, state.end.map(|(_, code)| code)), (Some(130), Some(130)));
    state.cancels.iter().map(|reason| reason.as_str().to_owned()).collect()
}

#[test]
fn a_run_is_stopped_in_three_ways() {
    assert_eq!(stopped(How::AfterStep), ["stop_after_step"]);
    assert_eq!(stopped(How::Kill), ["interrupt", "kill"]);
}

#[test]
fn one_interrupt_more_kills_what_was_interrupted() {
    let bench = bench(WAITS);
    let context = bench.context();
    let run = start(&context, &confirmed(&context)).unwrap();
    wait_until(|| bench.path("../up").exists());
    runs::stop(&context, &run.run_id, How::Now).unwrap();
    let events = || fs::read_to_string(run.dir.join("events.ldjson")).unwrap();
    wait_until(|| events().contains("\"interrupt\""));
    runs::stop(&context, &run.run_id, How::Kill).unwrap();
    let (_, state) = ended(&context, &run);
    assert_eq!(state.cancels.len(), 2);
    let gone = runs::stop(&context, &run.run_id, How::Kill).unwrap_err();
    assert_eq!(bench.settled(&gone.message), "rr-TIME-DIGEST is not running");
}

#[test]
fn a_program_that_was_replaced_is_started_all_the_same() {
    // What runs here is the tests and no road_runner: that they were started is seen by what they say.
    let bench = bench(WAITS);
    let context = bench.context();
    let gone = Path::new("/no/such/road_runner (deleted)");
    let failure = launch::start(&context, gone, &confirmed(&context)).unwrap_err();
    assert!(failure.kind == Kind::Rig && failure.message.contains("Unrecognized option"), "{}", failure.message);
}

#[test]
fn nobody_who_reads_help_learns_of_it() {
    let bench = Bench::new();
    for line in ["run --help", "rerun --help", "man", "completions bash", "completions zsh", "completions fish"] {
        let told = bench.told(line);
        assert!(told.code == 0 && told.stdout.contains("oncurrent"), "{line}: {}", told.stdout);
        assert!(!told.stdout.contains("detached") && !told.stdout.contains("confirmed"), "{line}");
    }
}
