//! Signals at each phase of a run: whatever asks it to stop and whenever, it ends with the documented code, its rails at
//! nominal, nothing of it left, and a record that says what happened. Phases are held open by programs that wait while a
//! file is there; nothing waits for time.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use road_runner::commands::launch::Started;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::application::Rig;
use crate::cli::{Bench, words};
use crate::detached;
use crate::processes::{self, LONG, Seen, until};
use crate::rails::{self, NOMINAL, RUN, stands};

/// Of every program: `hold NAME` says that it is there and waits while the workspace has a file `hold-NAME`. It ends with the
/// workspace as well: nobody waits for a run whose test has failed.
const HEAD: &str = "\
#!/bin/sh
here=${0%/*}/..
hold() {
    [ -e \"$here/hold-$1\" ] || return 0
    : > \"$here/at-$1\"
    while [ -e \"$here/hold-$1\" ]; do sleep 0.01; done
}
";
const PROBE: &str = "\
case $* in *--version*) hold version; echo 1.0; exit ;; esac
if [ -e \"$here/spawn-signal\" ]; then
    read -r signal < \"$here/spawn-signal\"
    rm \"$here/spawn-signal\"
    kill -s $signal $PPID
    [ $signal = TSTP ] && kill -s CONT $PPID
    : > \"$here/at-spawn\"
    [ $signal = TSTP ] || hold spawn
fi
[ -e \"$here/hold-deaf\" ] && trap '' TERM
hold deaf
hold probe
echo OK
";
const RAIL: &str = "\
case \" $* \" in *' set '*) hold set ;; *' nominal '*) hold nominal ;; esac
exec \"${0%/*}/real_rail.sh\" \"$@\"
";

/// The workspace of the rails' tests, whose programs can be held.
fn bench() -> Bench {
    let bench = rails::bench("", "");
    bench.program("diags/real_rail.sh", &fs::read_to_string(bench.path("diags/sim_rail.sh")).unwrap());
    bench.program("diags/sim_rail.sh", &format!("{HEAD}{RAIL}"));
    bench.program("diags/probe.sh", &format!("{HEAD}{PROBE}"));
    bench.program("diags/home.sh", &format!("{HEAD}hold home\n"));
    let adapter = fs::read_to_string(bench.path("adapters/probe.yaml")).unwrap();
    let adapter = adapter.replace("grace: 1s", "grace: 60s");
    bench.write("adapters/probe.yaml", &format!("{adapter}restore: [diags/home.sh]\nversion_args: [--version]\n"));
    bench
}

fn hold(bench: &Bench, place: &str) {
    bench.write(&format!("hold-{place}"), "");
}

fn reaches(bench: &Bench, place: &str) {
    until(place, LONG, || bench.path(&format!("at-{place}")).exists());
}

fn release(bench: &Bench, place: &str) {
    drop(fs::remove_file(bench.path(&format!("hold-{place}"))));
}

fn send(to: Pid, signals: &[Signal]) {
    for signal in signals {
        kill_process(to, *signal).unwrap();
    }
}

/// A run, however it was started.
enum Live {
    /// By a shell.
    Headless(Child),
    /// By the application.
    Detached(Started),
}

impl Live {
    fn start(bench: &Bench, is_detached: bool) -> Self {
        if is_detached {
            let context = bench.context();
            return Self::Detached(detached::start(&context, &detached::confirmed(&context)).unwrap());
        }
        Self::Headless(bench.real(&words(RUN)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    fn pid(&self) -> Pid {
        match self {
            Self::Headless(child) => Pid::from_child(child),
            Self::Detached(started) => Pid::from_raw(started.pid.try_into().unwrap()).unwrap(),
        }
    }

    fn signal(&self, signals: &[Signal]) {
        send(self.pid(), signals);
    }

    fn code(self) -> Option<i32> {
        match self {
            Self::Headless(mut child) => child.wait().unwrap().code(),
            Self::Detached(started) => {
                until("its end", LONG, || started.ended().is_some());
                started.ended().unwrap().code
            }
        }
    }
}

/// The folder of the newest run.
pub fn newest(bench: &Bench) -> PathBuf {
    let runs = fs::read_dir(bench.path("runs")).unwrap().map(|entry| entry.unwrap().path());
    runs.filter(|run| run.join("plan.json").exists() && !run.is_symlink()).max().unwrap()
}

fn events(run: &Path) -> String {
    fs::read_to_string(run.join("events.ldjson")).unwrap_or_default()
}

/// Why the run was ended, each reason once, as its journal has them.
fn reasons(run: &Path) -> Vec<String> {
    let lines = events(run).lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect::<Vec<_>>();
    let cancelling = lines.iter().filter(|line| line["event"] == "cancelling");
    cancelling.map(|line| line["reason"].as_str().unwrap().to_owned()).collect()
}

/// Living processes that work in the workspace or watch over its runs.
pub fn left(bench: &Bench) -> Vec<String> {
    let workspace = bench.workspace().canonicalize().unwrap();
    let is_here = |process: &Seen| process.works_below(&workspace) || process.is_guardian(&workspace.join("runs"));
    processes::all().filter(is_here).map(|process| format!("{} {}", process.pid, process.line.join(" "))).collect()
}

/// After the end of a run: at home, alone, and with a record that is whole and says how it went.
fn is_well(bench: &Bench, what: &str, status: &str) {
    assert_eq!(stands(bench), NOMINAL, "{what}");
    assert!(rails::is_home(bench), "{what}");
    let run = newest(bench);
    let summary: Value = serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["status"], status, "{what}");
    assert!(events(&run).lines().last().unwrap().contains("\"run_finished\""), "{what}");
    assert!(run.join("report.md").exists(), "{what}");
    let verified = bench.outcome(&mut bench.real(&words("runs verify latest")));
    assert_eq!(verified.code, 0, "{what}: {}", verified.all());
    // The guardian takes its leave on its own.
    until(&format!("nobody is left: {what}: {:?}", left(bench)), LONG, || left(bench).is_empty());
}

fn ignores_hangup() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    u64::from_str_radix(mask, 16).unwrap() & 1 == 1
}

/// What is sent, the code that follows, and the reasons that the record gives; none where the run just goes on.
const WAYS: [(&[Signal], i32, &[&str]); 6] = [
    (&[Signal::INT], 130, &["interrupt"]),
    (&[Signal::TERM], 143, &["terminate"]),
    (&[Signal::HUP], 129, &["hangup"]),
    (&[Signal::QUIT], 131, &["quit"]),
    (&[Signal::INT, Signal::INT], 130, &["interrupt"]),
    (&[Signal::TSTP, Signal::CONT], 0, &[]),
];

/// A phase that is held at `place`, signalled, and let go.
fn at(place: &str) {
    for is_detached in [false, true] {
        for (signals, code, why) in WAYS {
            if signals == [Signal::HUP] && ignores_hangup() {
                continue;
            }
            let what = format!("{place}, {signals:?}, detached: {is_detached}");
            let bench = bench();
            hold(&bench, place);
            let live = Live::start(&bench, is_detached);
            reaches(&bench, place);
            live.signal(signals);
            // A step is ended by the signal and must not be let go before.
            let is_ended = place == "probe" && code != 0;
            if !is_ended {
                release(&bench, place);
            }
            assert_eq!(live.code(), Some(code), "{what}");
            is_well(&bench, &what, if code == 0 { "completed" } else { "cancelled" });
            let mut found = reasons(&newest(&bench));
            // Two that come at once may be heard as one, and a step may be gone before the second.
            found.retain(|reason| signals.len() < 2 || reason != "kill");
            assert_eq!(found, why, "{what}");
            release(&bench, place);
        }
    }
}

#[test]
fn while_the_rails_go_to_their_point() {
    at("set");
}

#[test]
fn while_a_step_runs() {
    at("probe");
}

#[test]
fn while_a_restore_command_runs() {
    at("home");
}

#[test]
fn while_the_rails_come_home() {
    at("nominal");
}

/// The step signals its own runner before it does anything else: no step can be earlier.
#[test]
fn while_a_step_is_being_spawned() {
    for is_detached in [false, true] {
        for (name, code, why) in [
            ("INT", 130, &["interrupt"][..]),
            ("TERM", 143, &["terminate"]),
            ("HUP", 129, &["hangup"]),
            ("QUIT", 131, &["quit"]),
            ("TSTP", 0, &[]),
        ] {
            if name == "HUP" && ignores_hangup() {
                continue;
            }
            let what = format!("spawn, {name}, detached: {is_detached}");
            let bench = bench();
            bench.write("spawn-signal", &format!("{name}\n"));
            hold(&bench, "spawn");
            let live = Live::start(&bench, is_detached);
            assert_eq!(live.code(), Some(code), "{what}");
            assert!(!bench.path("spawn-signal").exists(), "{what}");
            is_well(&bench, &what, if code == 0 { "completed" } else { "cancelled" });
            assert_eq!(reasons(&newest(&bench)), why, "{what}");
        }
    }
}

/// A deaf step has got its SIGTERM, and a minute of grace.
#[test]
fn while_a_step_is_given_its_grace() {
    for is_detached in [false, true] {
        for (signals, code, why) in [
            (&[Signal::INT][..], 130, &["interrupt", "kill"][..]),
            (&[Signal::QUIT], 131, &["interrupt", "quit"]),
            (&[Signal::TERM], 130, &["interrupt"]),
            (&[Signal::HUP], 130, &["interrupt"]),
            (&[Signal::TSTP, Signal::CONT], 130, &["interrupt"]),
        ] {
            let what = format!("grace, {signals:?}, detached: {is_detached}");
            let bench = bench();
            hold(&bench, "deaf");
            let live = Live::start(&bench, is_detached);
            reaches(&bench, "deaf");
            live.signal(&[Signal::INT]);
            until("the first", LONG, || reasons(&newest(&bench)) == ["interrupt"]);
            live.signal(signals);
            if why.len() == 1 {
                release(&bench, "deaf");
            }
            assert_eq!(live.code(), Some(code), "{what}");
            is_well(&bench, &what, "cancelled");
            assert_eq!(reasons(&newest(&bench)), why, "{what}");
        }
    }
}

/// Confirmed, and not begun: tools are asked for their versions. The run ends before its first step.
#[test]
fn before_the_first_line_of_a_run() {
    for (signals, code, why) in WAYS {
        if signals == [Signal::HUP] && ignores_hangup() {
            continue;
        }
        let what = format!("version, {signals:?}");
        let bench = bench();
        hold(&bench, "version");
        let live = Live::start(&bench, false);
        reaches(&bench, "version");
        live.signal(signals);
        release(&bench, "version");
        assert_eq!(live.code(), Some(code), "{what}");
        let run = newest(&bench);
        let found = reasons(&run);
        assert_eq!(found, why, "{what}");
        let events = events(&run);
        assert!(code == 0 || !events.contains("subrun_started"), "{what}: {events}");
        until(&format!("nobody is left: {what}"), LONG, || left(&bench).is_empty());
    }
}

/// What a dead run left away is being brought home before a new one begins: it comes home first.
#[test]
fn while_another_runs_rails_come_home() {
    let bench = bench();
    hold(&bench, "probe");
    let live = Live::start(&bench, false);
    reaches(&bench, "probe");
    let guardian = left(&bench).into_iter().find(|line| line.contains("--guardian")).unwrap();
    let guardian = guardian.trim_start_matches("/proc/").split(' ').next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(guardian).unwrap(), Signal::KILL).unwrap();
    live.signal(&[Signal::KILL]);
    live.code();
    assert_ne!(stands(&bench), NOMINAL);
    release(&bench, "probe");
    hold(&bench, "nominal");
    let next = Live::start(&bench, false);
    reaches(&bench, "nominal");
    next.signal(&[Signal::INT]);
    release(&bench, "nominal");
    assert_eq!(next.code(), Some(130));
    assert_eq!(stands(&bench), NOMINAL);
    assert_eq!(reasons(&newest(&bench)), ["interrupt"]);
    assert!(!events(&newest(&bench)).contains("subrun_started"));
}

/// A pipe with a name in place of a file of the host: whoever reads it waits for us.
struct Pipe(PathBuf, String);

impl Pipe {
    fn of(path: PathBuf) -> Self {
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        Self(path, text)
    }

    /// Once somebody reads it; then it is a file again for the next.
    fn reached(&self, then: impl FnOnce()) {
        let open = || fs::OpenOptions::new().write(true).custom_flags(0o4000).open(&self.0);
        let mut reader = None;
        until("a reader of the pipe", LONG, || {
            reader = open().ok();
            reader.is_some()
        });
        then();
        fs::remove_file(&self.0).unwrap();
        fs::write(&self.0, &self.1).unwrap();
        // It may be gone.
        drop(reader.unwrap().write_all(self.1.as_bytes()));
    }
}

/// Planning is held by a file of the host.
#[test]
fn while_it_is_planned() {
    let check = |signals: &[Signal], expected: &dyn Fn(ExitStatus) -> bool, runs: bool| {
        let bench = bench();
        let pipe = Pipe::of(bench.path("../host/proc/cpuinfo"));
        let mut child = bench.command(&words(RUN)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        pipe.reached(|| send(Pid::from_child(&child), signals));
        let status = child.wait().unwrap();
        assert!(expected(status), "{signals:?}: {status}");
        assert_eq!(!bench.runs().is_empty(), runs, "{signals:?}");
    };
    for signal in [Signal::INT, Signal::TERM, Signal::QUIT, Signal::HUP] {
        if signal == Signal::HUP && ignores_hangup() {
            continue;
        }
        check(&[signal], &|status| status.signal() == Some(signal.as_raw()), false);
    }
    check(&[Signal::INT, Signal::INT], &|status| status.signal() == Some(2), false);
    check(&[Signal::TSTP, Signal::CONT], &|status| status.code() == Some(0), true);
}

/// The run has ended and its reports are being written: they are written whatever comes, and the code stays.
#[test]
fn while_its_reports_are_written() {
    for (signals, ..) in WAYS {
        let bench = bench();
        hold(&bench, "probe");
        let mut child = bench.command(&words(RUN)).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        reaches(&bench, "probe");
        let pipe = Pipe::of(bench.path("../host/proc/cpuinfo"));
        release(&bench, "probe");
        pipe.reached(|| {
            assert!(events(&newest(&bench)).contains("\"run_finished\""), "{signals:?}");
            send(Pid::from_child(&child), signals);
        });
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signals:?}");
        is_well(&bench, &format!("reports, {signals:?}"), "completed");
    }
}

/// The question stands on a terminal: nothing was started, and the shell sees the signal.
#[test]
fn while_it_is_confirmed() {
    let line = words("run --no-tui --flow smoke --margin smoke --unit SN1");
    let check = |signals: &[Signal], code: i32, runs: usize| {
        let rig = Rig::new();
        let mut terminal = rig.open(&line, (100, 40));
        terminal.wait_text("Type yes:");
        send(terminal.pid(), signals);
        if code == 0 {
            terminal.wait_text("[stopped]");
            terminal.press("\n");
            until("its going on", LONG, || !is_stopped(terminal.pid()));
            terminal.press("yes\n");
        }
        if code == 130 {
            // A shell with job control whose job dies of SIGINT dies of it as well, and tells nothing.
            let pid = terminal.pid();
            until("its end", LONG, || !is_alive(pid));
        } else {
            assert_eq!(terminal.left(), code, "{signals:?}");
        }
        assert_eq!(rig.runs().len(), runs, "{signals:?}");
    };
    check(&[Signal::INT], 130, 0);
    check(&[Signal::TERM], 143, 0);
    check(&[Signal::HUP], 129, 0);
    check(&[Signal::QUIT], 131, 0);
    check(&[Signal::TSTP], 0, 1);
}

fn is_alive(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

fn is_stopped(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") T "))
}

/// Ctrl-z at the bench: one line, and the run goes on. Ctrl-\ ends it.
#[test]
fn from_the_keyboard() {
    let rig = Rig::holding();
    let mut terminal = rig.open(&words("run --no-tui --yes --flow smoke --margin smoke --unit SN1"), (120, 40));
    rig.wait_file("up-1000000");
    terminal.press("\x1a");
    terminal.wait_text("a run is not suspended");
    assert!(!is_stopped(terminal.pid()));
    terminal.press("\x1c");
    assert_eq!(terminal.left(), 131);
    let (_, state) = rig.ended();
    assert_eq!(state.cancels.iter().map(|reason| reason.as_str()).collect::<Vec<_>>(), ["quit"]);
}

/// Nobody can refuse SIGSTOP: the step goes on by itself, and once the runner goes on its record is right.
#[test]
fn a_runner_that_is_stopped_goes_on() {
    for is_detached in [false, true] {
        let bench = bench();
        hold(&bench, "probe");
        let live = Live::start(&bench, is_detached);
        reaches(&bench, "probe");
        live.signal(&[Signal::STOP]);
        until("the stop", LONG, || is_stopped(live.pid()));
        // The step ends with nobody watching.
        release(&bench, "probe");
        let log = || fs::read_dir(newest(&bench).join("subruns")).unwrap().next().unwrap().unwrap().path();
        until("the step's end", LONG, || fs::read(log().join("stdout/00_probe.log")).is_ok_and(|text| text == b"OK\n"));
        live.signal(&[Signal::CONT]);
        assert_eq!(live.code(), Some(0));
        is_well(&bench, "SIGSTOP", "completed");
    }
}
