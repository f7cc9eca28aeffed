//! Real processes under the real loop: the bad diagnostics, signals to ourselves, a full disk. One process each.

use std::fs;
use std::sync::mpsc::{Receiver, channel};

use rustix::process::{Signal, WaitOptions, kill_process, wait};

use super::*;
use crate::domain::adapter::{Expectation, Judgement, MetricSource, MetricSpec};
use crate::domain::event::RunEvent;
use crate::domain::plan::{Executable, PlannedAdapter, StepTemplate};
use crate::domain::units::{Bytes, Millis};
use crate::domain::verdict::Verdict;
use crate::engine::test_support::{adapter, admitted, alone, diag, experiment, name, step};
use crate::store::journal;
use crate::store::layout::PreparedRun;
use crate::store::run_id::RunId;
use crate::store::test_disk::{TinyDisk, skipped};

const ID: &str = "rr-20250101T010101Z-abc123";

/// A flow of diagnostics, each with its arguments and what its manifest changes.
#[derive(Default)]
struct Flow {
    adapters: BTreeMap<Name, PlannedAdapter>,
    steps: Vec<StepTemplate>,
}

impl Flow {
    fn add(&mut self, program: &str, args: &[&str], change: impl FnOnce(&mut PlannedAdapter, &mut StepTemplate)) {
        let text = format!("s{}-{}", self.steps.len(), program.rsplit('/').next().unwrap().replace(['.', '_'], "-"));
        let path = if program.contains('/') { program.to_owned() } else { diag(program).display().to_string() };
        let (mut adapter, mut step) = (adapter(&path), step(&text, args));
        adapter.grace_ms = Millis(200);
        change(&mut adapter, &mut step);
        self.adapters.insert(name(&text), adapter);
        self.steps.push(step);
    }

    fn job(self, folder: &Path) -> (Job, Receiver<Recorded>) {
        let dir = PreparedRun::reserve(folder, &RunId::parse(ID).unwrap()).unwrap().publish().unwrap();
        let (events, listener) = channel();
        let header = RunHeader { run_id: ID.to_owned(), source_run: None, dry_run: false, version: "0".to_owned() };
        let mut experiment = experiment(1, 1, self.adapters, self.steps);
        experiment.bounds.max_log.is = Bytes(1 << 20);
        let job = Job {
            plan: admitted(experiment),
            header,
            dir,
            workspace: folder.to_path_buf(),
            path: "/usr/bin:/bin".to_owned(),
            home: "/".to_owned(),
            boot_id: None,
            max_fail: None,
            resume: None,
            retry_crashed: 0,
            guardian: None,
            roots: Roots::under(Path::new("/nonexistent")),
            signals: Signals::listen().unwrap(),
            events,
        };
        (job, listener)
    }
}

/// What each step came to, from what was published, which is also what was recorded.
fn told(finish: &Finish, dir: &RunDir, listener: &Receiver<Recorded>) -> String {
    let published: Vec<Recorded> = listener.try_iter().collect();
    let sub_run = dir.subrun(&format!("{ID}-s00")).unwrap();
    let mut recorded = journal::read(&dir.events()).unwrap();
    recorded.extend(journal::read(&sub_run.steps()).unwrap());
    recorded.sort_by_key(|one| one.seq);
    assert_eq!(published, recorded);
    assert_eq!(wait(WaitOptions::NOHANG).err(), Some(rustix::io::Errno::CHILD), "the process tree is empty");
    let mut text = String::new();
    for one in &recorded {
        if let RunEvent::StepFinished(step) = &one.event {
            let reason = step.reason.as_deref().unwrap_or("");
            let reason = reason.replace(&format!("{}/", diag("").display()).replace("//", "/"), "");
            let line = format!("{}: {} {:?} {reason}", step.step, step.verdict, step.effects);
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text + &format!("exit {}", finish.exit_code)
}

fn check(flow: Flow, while_running: impl FnOnce(&RunDir) + Send, expected: impl FnOnce(String, &SubRunDir)) {
    let folder = tempfile::tempdir().unwrap();
    let (job, listener) = flow.job(folder.path());
    let dir = job.dir.clone();
    let finish = std::thread::scope(|scope| {
        scope.spawn(|| while_running(&dir));
        run(job).unwrap()
    });
    let sub_run = dir.subrun(&format!("{ID}-s00")).unwrap();
    expected(told(&finish, &dir, &listener), &sub_run);
}

/// Waits until `met`, looking every few milliseconds, for no more than twenty seconds.
fn until(what: &str, mut met: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !met() {
        assert!(start.elapsed() < Duration::from_secs(20), "waited for {what}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

fn this(test: &str) -> String {
    format!("engine::runner::tests::{test}")
}

#[test]
fn bad_diagnostics() {
    alone(&this("bad_diagnostics"), || {
        let mut flow = Flow::default();
        let as_it_is = |_: &mut PlannedAdapter, _: &mut StepTemplate| {};
        let briefly = |_: &mut PlannedAdapter, step: &mut StepTemplate| step.timeout_ms = Millis(300);
        flow.add("pass.sh", &[], |adapter, _| {
            let proof = Expectation::StdoutMatches("^checksum [0-9a-f]{8} OK$".to_owned());
            adapter.judgement = Judgement { expect: vec![proof], ..Judgement::default() };
        });
        flow.add("exit_n.sh", &["3"], as_it_is);
        flow.add("die_by_signal.sh", &["SEGV"], as_it_is);
        flow.add("die_by_signal.sh", &["KILL"], as_it_is);
        flow.add("ignore_term.sh", &[], briefly);
        flow.add("leave_grandchild.sh", &[], as_it_is);
        flow.add("leave_hardened_grandchild.sh", &[], as_it_is);
        flow.add("no_newline.sh", &[], |adapter, _| {
            let source = MetricSource::StdoutRegex("result=([0-9]+)".to_owned());
            let metric = MetricSpec { name: name("result"), unit: None, source, min: None, max: None, required: true };
            adapter.judgement.metrics.push(metric);
        });
        flow.add("not_utf8.sh", &[], |adapter, _| {
            adapter.judgement.expect.push(Expectation::StdoutMatches("^rate=17.5$".to_owned()));
        });
        flow.add("escapes.sh", &[], |adapter, _| {
            adapter.judgement.expect.push(Expectation::StdoutAbsent("evil".to_owned()));
        });
        flow.add("close_stdout.sh", &[], briefly);
        flow.add("silent.sh", &[], |adapter, _| adapter.silence_ms = Some(Millis(200)));
        flow.add("no_exec_bit.sh", &[], as_it_is);
        flow.add("bad_interpreter.sh", &[], as_it_is);
        flow.add("wrong_arch", &[], as_it_is);
        flow.add("gone.sh", &[], as_it_is);
        flow.add("read_stdin.sh", &[], as_it_is);
        flow.add("stop_itself.sh", &[], briefly);
        flow.add("stop_itself.sh", &["TSTP"], briefly);
        check(
            flow,
            |_| {},
            |said, sub_run| {
                insta::assert_snapshot!(said, @r"
                s0-pass-sh: pass {}
                s1-exit-n-sh: fail {} exit code 3
                s2-die-by-signal-sh: fail {Ac} died of SIGSEGV
                s3-die-by-signal-sh: error {} ended by SIGKILL that Road Runner did not send
                s4-ignore-term-sh: timeout {} still running at its time limit of 300ms
                s5-leave-grandchild-sh: pass {} left 1 process
                s6-leave-hardened-grandchild-sh: pass {} left 2 processes
                s7-no-newline-sh: pass {}
                s8-not-utf8-sh: pass {}
                s9-escapes-sh: inconclusive {} no proof: stdout has no `evil`, but evil
                s10-close-stdout-sh: timeout {} still running at its time limit of 300ms
                s11-silent-sh: timeout {} wrote nothing for 200ms
                s12-no-exec-bit-sh: error {} no_exec_bit.sh is not executable
                s13-bad-interpreter-sh: error {} interpreter /nonexistent/interpreter of bad_interpreter.sh does not exist
                s14-wrong-arch: error {} wrong_arch is no executable for this machine
                s15-gone-sh: error {} gone.sh does not exist
                s16-read-stdin-sh: pass {}
                s17-stop-itself-sh: timeout {} still running at its time limit of 300ms
                s18-stop-itself-sh: timeout {} still running at its time limit of 300ms
                exit 1
                ");
                assert_eq!(fs::read(sub_run.root().join("stdout/07_s7-no-newline-sh.log")).unwrap(), b"result=42");
                let index = fs::read_to_string(sub_run.logs_index()).unwrap();
                assert!(index.lines().any(|line| line.starts_with("7 ") && line.ends_with(" 9 0")), "{index}");
            },
        );
    });
}

#[test]
fn what_keeps_forking_is_ended() {
    alone(&this("what_keeps_forking_is_ended"), || {
        let mut flow = Flow::default();
        for diag in ["fork_chain.sh", "fork_bomb.sh"] {
            flow.add(diag, &[], |adapter, _| adapter.grace_ms = Millis(50));
        }
        // How many there are when the leader has ended is chance.
        check(
            flow,
            |_| {},
            |said, _| {
                let lines: Vec<&str> = said.lines().map(|line| line.split(" left ").next().unwrap()).collect();
                assert_eq!(lines, ["s0-fork-chain-sh: pass {}", "s1-fork-bomb-sh: pass {}", "exit 0"], "{said}");
                assert_eq!(said.matches(" left ").count(), 2, "{said}");
            },
        );
    });
}

#[test]
fn a_flood_is_cut_and_ended() {
    alone(&this("a_flood_is_cut_and_ended"), || {
        let mut flow = Flow::default();
        flow.add("flood.sh", &["1000000"], |adapter, _| {
            let last = Expectation::StdoutMatches("^1000000$".to_owned());
            let first = Expectation::StdoutMatches("^1$".to_owned());
            adapter.judgement.expect.extend([first, last]);
        });
        flow.add("flood.sh", &[], |_, step| step.timeout_ms = Millis(1000));
        check(
            flow,
            |_| {},
            |said, sub_run| {
                insta::assert_snapshot!(said, @r"
                s0-flood-sh: pass {}
                s1-flood-sh: timeout {} still running at its time limit of 1s
                exit 1
                ");
                for log in ["00_s0-flood-sh.log", "01_s1-flood-sh.log"] {
                    let size = fs::metadata(sub_run.root().join("stdout").join(log)).unwrap().len();
                    assert!(size <= 1 << 20, "{log}: {size}");
                }
                let steps = journal::read(&sub_run.steps()).unwrap();
                let written = steps.iter().find_map(|one| match &one.event {
                    RunEvent::StepFinished(step) => Some(step.stdout_bytes),
                    _ => None,
                });
                assert_eq!(written, Some(6_888_896), "what `seq 1 1000000` writes");
            },
        );
    });
}

/// A step that hardens itself against SIGTERM is in flight when the signals come.
fn signalled(signals: &'static [Signal], expected: &str) {
    let mut flow = Flow::default();
    flow.add("ignore_term.sh", &[], |adapter, _| {
        adapter.grace_ms = Millis(60_000);
        let path = diag("pass.sh").display().to_string();
        adapter.restore.push(Executable { path, sha256: String::new() });
    });
    flow.add("pass.sh", &[], |_, _| {});
    let send = |dir: &RunDir| {
        let sub_run = dir.subrun(&format!("{ID}-s00")).unwrap();
        let log = sub_run.root().join("stdout/00_s0-ignore-term-sh.log");
        until("the trap", || fs::read_to_string(&log).is_ok_and(|text| text.contains("ready")));
        for (count, signal) in signals.iter().enumerate() {
            kill_process(rustix::process::getpid(), *signal).unwrap();
            let heard = |text: String| text.matches("cancelling").count() > count;
            until("the line about it", || fs::read_to_string(dir.events()).is_ok_and(heard));
        }
    };
    check(flow, send, |said, sub_run| {
        assert_eq!(said, expected);
        let restored = fs::read_to_string(sub_run.root().join("stdout/00_s0-ignore-term-sh.restore.log")).unwrap();
        assert_eq!(restored, "checksum 0badcafe OK\n");
    });
}

#[test]
fn two_interrupts_kill() {
    alone(&this("two_interrupts_kill"), || {
        let aborted = "s0-ignore-term-sh: aborted {} interrupted by the operator\nexit 130";
        signalled(&[Signal::INT, Signal::INT], aborted);
    });
}

#[test]
fn a_gentler_signal_and_then_two_interrupts() {
    alone(&this("a_gentler_signal_and_then_two_interrupts"), || {
        let aborted = "s0-ignore-term-sh: aborted {} SIGTERM\nexit 130";
        signalled(&[Signal::USR1, Signal::TERM, Signal::INT, Signal::INT], aborted);
    });
}

#[test]
fn a_directory_that_goes_away_ends_the_run_with_4() {
    alone(&this("a_directory_that_goes_away_ends_the_run_with_4"), || {
        let folder = tempfile::tempdir().unwrap();
        let mut flow = Flow::default();
        flow.add("/bin/rm", &["-r", &format!("{}/{ID}/subruns", folder.path().display())], |_, _| {});
        flow.add("pass.sh", &[], |_, _| {});
        let (job, listener) = flow.job(folder.path());
        let dir = job.dir.clone();
        let finish = run(job).unwrap();
        assert_eq!(finish.exit_code, 4);
        assert!(finish.record_error.is_some());
        let names: Vec<&str> = journal::read(&dir.events()).unwrap().iter().map(|one| one.event.name()).collect();
        assert_eq!(
            names,
            ["run_started", "evidence_sources", "subrun_started", "cancelling", "subrun_finished", "run_finished"]
        );
        assert!(listener.try_iter().count() > names.len());
    });
}

#[test]
fn a_full_disk_ends_the_step_and_the_run_with_4() {
    alone(&this("a_full_disk_ends_the_step_and_the_run_with_4"), || {
        let Some(disk) = TinyDisk::mount() else { return };
        let mut flow = Flow::default();
        flow.add("fill_disk.sh", &[], |_, _| {});
        let (job, _listener) = flow.job(disk.path());
        let dir = job.dir.clone();
        let finish = run(job).unwrap();
        assert_eq!(finish.exit_code, 4);
        let why = finish.record_error.unwrap();
        assert!(why.starts_with("no room is left at "), "{why}");
        // What was recorded before is whole; only the end may be missing.
        let names =
            |path: PathBuf| -> Vec<&str> { journal::read(&path).unwrap().iter().map(|one| one.event.name()).collect() };
        assert_eq!(names(dir.events())[..3], ["run_started", "evidence_sources", "subrun_started"]);
        let steps = names(dir.subrun(&format!("{ID}-s00")).unwrap().steps());
        assert_eq!(steps[..3], ["subrun_opened", "step_started", "step_spawned"]);
    });
}

#[test]
fn a_program_that_fails_for_want_of_room_says_nothing_of_the_unit() {
    alone(&this("a_program_that_fails_for_want_of_room_says_nothing_of_the_unit"), || {
        let Some(disk) = TinyDisk::mount() else { return };
        let mut flow = Flow::default();
        // Its own writes fail at once, and it exits with 1 before anybody looks at the disk.
        flow.add("flood.sh", &[], |_, _| {});
        let (job, listener) = flow.job(disk.path());
        let finish = run(job).unwrap();
        assert_eq!(finish.exit_code, 4);
        drop(listener);
        let step = finish.state.sub_runs[0].clone();
        assert_eq!((step.verdict, step.unit_failed), (Some(Verdict::Error), false));
    });
}

#[test]
fn a_restore_command_that_fails_is_an_error_and_stops_the_run() {
    alone(&this("a_restore_command_that_fails_is_an_error_and_stops_the_run"), || {
        let mut flow = Flow::default();
        flow.add("pass.sh", &[], |adapter, _| {
            for program in ["exit_n.sh", "leave_grandchild.sh", "gone.sh"] {
                let path = diag(program).display().to_string();
                adapter.restore.push(Executable { path, sha256: String::new() });
            }
        });
        flow.add("pass.sh", &[], |_, _| {});
        check(
            flow,
            |_| {},
            |said, _| {
                insta::assert_snapshot!(said, @r"
            s0-pass-sh: error {} restore command exit_n.sh ended with exit code 1; restore command gone.sh could not be started: gone.sh does not exist
            exit 4
            ");
            },
        );
    });
}

/// A file system that cannot punch holes, taken away on drop; `None` where mounting is not allowed.
struct NoHoles(tempfile::TempDir);

impl NoHoles {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().ok()?;
        let mount = std::process::Command::new("mount").args(["-t", "ramfs", "ramfs"]).arg(folder.path()).output();
        if !mount.is_ok_and(|output| output.status.success()) {
            skipped("no right to mount a ramfs");
            return None;
        }
        Some(Self(folder))
    }
}

impl Drop for NoHoles {
    fn drop(&mut self) {
        drop(std::process::Command::new("umount").arg(self.0.path()).output());
    }
}

#[test]
fn a_flood_where_no_holes_can_be_punched_is_ended() {
    alone(&this("a_flood_where_no_holes_can_be_punched_is_ended"), || {
        let Some(disk) = NoHoles::mount() else { return };
        let mut flow = Flow::default();
        flow.add("flood.sh", &[], |_, _| {});
        let (job, listener) = flow.job(disk.0.path());
        let dir = job.dir.clone();
        let finish = run(job).unwrap();
        let said = told(&finish, &dir, &listener);
        insta::assert_snapshot!(said, @r"
        s0-flood-sh: error {} stdout/00_s0-flood-sh.log is past 1MiB, and its file system cannot punch holes
        exit 4
        ");
        let log = dir.subrun(&format!("{ID}-s00")).unwrap().root().join("stdout/00_s0-flood-sh.log");
        assert!(fs::metadata(log).unwrap().len() <= 1 << 20);
    });
}
