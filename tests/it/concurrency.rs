//! Several at once: runs in one workspace, cleaning beside a run, followers of a run, two that go on with the same run.
//! Whoever is refused is told who was first; nobody harms another's record.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cli::{Bench, Told, words};
use crate::processes::{LONG, until};
use crate::signals::left;

const RUN: &str = "run --no-tui --yes -q --flow smoke --margin down";
/// Says that it is there, and passes once the workspace has a file `go`, or is gone.
const WAITS: &str = "#!/bin/sh
here=${0%/*}/..
: > \"$here/up-$ROAD_RUNNER_SUBRUN_ID\"
while [ -d \"$here\" ] && [ ! -e \"$here/go\" ]; do sleep 0.01; done
echo OK
";

fn bench() -> Bench {
    let bench = Bench::new();
    fs::remove_dir_all(bench.path("policy/profiles")).unwrap();
    bench.program("diags/probe.sh", WAITS);
    bench
}

fn start(bench: &Bench, line: &str) -> Child {
    bench.real(&words(line)).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(bench: &Bench, child: Child) -> Told {
    bench.tell(&child.wait_with_output().unwrap())
}

fn told(bench: &Bench, line: &str) -> Told {
    bench.outcome(&mut bench.real(&words(line)))
}

/// Until so many steps wait.
fn wait(bench: &Bench, count: usize) {
    let is_up = |name: &str| name.starts_with("up-");
    until("the steps", LONG, || {
        let names = fs::read_dir(bench.workspace()).unwrap().map(|e| e.unwrap().file_name());
        names.filter(|name| is_up(&name.to_string_lossy())).count() == count
    });
}

fn runs(bench: &Bench) -> Vec<PathBuf> {
    let all = fs::read_dir(bench.path("runs")).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("rr-")).collect()
}

/// Every line of a run's journals, by its number.
fn journals(run: &Path) -> Vec<Value> {
    let folders = fs::read_dir(run.join("subruns")).unwrap().map(|entry| entry.unwrap().path().join("steps.ldjson"));
    let text: String = std::iter::once(run.join("events.ldjson"))
        .chain(folders)
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["seq"].as_u64().unwrap());
    lines
}

fn is_complete(run: &Path) {
    let lines = journals(run);
    assert!(lines.iter().map(|line| line["seq"].as_u64().unwrap()).eq(0..lines.len() as u64), "{}", run.display());
    assert_eq!(lines.iter().filter(|line| line["event"] == "step_finished").count(), 15);
    assert_eq!(lines.last().unwrap()["event"], "run_finished");
}

#[test]
fn runs_in_one_workspace_do_each_other_no_harm() {
    let bench = bench();
    let first = start(&bench, RUN);
    wait(&bench, 1);
    let refused = told(&bench, RUN);
    assert_eq!(refused.code, 2, "{}", refused.all());
    let holder = format!("(process {} on ", first.id());
    assert!(!refused.stderr.is_empty() && runs(&bench).len() == 1, "{}", refused.all());
    let again = bench.real(&words(RUN)).output().unwrap();
    assert!(String::from_utf8_lossy(&again.stderr).contains(&holder), "who it is: {again:?}");
    let others: Vec<Child> = (0..3).map(|_| start(&bench, &format!("{RUN} --allow-concurrent"))).collect();
    wait(&bench, 4);
    bench.write("go", "");
    for child in others.into_iter().chain([first]) {
        let told = ended(&bench, child);
        assert_eq!(told.code, 0, "{}", told.all());
    }
    let runs = runs(&bench);
    assert_eq!(runs.len(), 4);
    for run in &runs {
        is_complete(run);
    }
    let verified = told(&bench, "runs verify");
    assert_eq!(verified.code, 0, "{}", verified.all());
    until("nobody is left", LONG, || left(&bench).is_empty());
}

#[test]
fn what_is_cleaned_is_never_a_run_that_is_going_on() {
    let bench = bench();
    bench.write("go", "");
    assert_eq!(told(&bench, RUN).code, 0);
    fs::remove_file(bench.path("go")).unwrap();
    let old = runs(&bench).remove(0);
    for entry in fs::read_dir(bench.workspace()).unwrap().map(Result::unwrap) {
        if entry.file_name().to_string_lossy().starts_with("up-") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let live = start(&bench, RUN);
    wait(&bench, 1);
    let running = runs(&bench).into_iter().find(|run| *run != old).unwrap();
    // All at once, and one after the other.
    let cleaners: Vec<Child> = (0..4).map(|_| start(&bench, "clean --older-than 0 --force")).collect();
    for cleaner in cleaners {
        let told = ended(&bench, cleaner);
        assert_eq!(told.code, 0, "{}", told.all());
    }
    assert_eq!(told(&bench, "clean --older-than 0 --force").code, 0);
    assert_eq!(runs(&bench), std::slice::from_ref(&running), "the old one is gone, the other is not");
    bench.write("go", "");
    let told = ended(&bench, live);
    assert_eq!(told.code, 0, "{}", told.all());
    is_complete(&running);
}

#[test]
fn twenty_followers_see_every_line() {
    let bench = bench();
    let live = start(&bench, RUN);
    wait(&bench, 1);
    let line = words("runs follow latest --output json");
    let mut followers: Vec<Child> =
        (0..20).map(|_| bench.real(&line).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()).collect();
    let readers: Vec<_> = followers
        .iter_mut()
        .map(|follower| {
            let out = BufReader::new(follower.stdout.take().unwrap());
            std::thread::spawn(move || out.lines().map(Result::unwrap).collect::<Vec<_>>())
        })
        .collect();
    bench.write("go", "");
    let told = ended(&bench, live);
    assert_eq!(told.code, 0, "{}", told.all());
    let expected = journals(&runs(&bench)[0]);
    for (reader, follower) in readers.into_iter().zip(&mut followers) {
        let seen = reader.join().unwrap();
        let seen: Vec<Value> = seen.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(seen, expected);
        assert_eq!(follower.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn of_two_that_go_on_with_a_run_one_does() {
    for option in ["", " --allow-concurrent"] {
        let bench = bench();
        let mut first = start(&bench, RUN);
        wait(&bench, 1);
        kill_process(Pid::from_child(&first), Signal::KILL).unwrap();
        first.wait().unwrap();
        until("the guardian's end", LONG, || left(&bench).is_empty());
        let line = format!("resume --last --yes --no-tui -q{option}");
        let mut both = [start(&bench, &line), start(&bench, &line)];
        let mut refused = None;
        until("one that is refused", LONG, || {
            refused = both.iter_mut().position(|child| child.try_wait().unwrap().is_some());
            refused.is_some()
        });
        let [a, b] = both;
        let (refused, other) = if refused == Some(0) { (a, b) } else { (b, a) };
        let holder = format!("process {}", other.id());
        let said = String::from_utf8(refused.wait_with_output().unwrap().stderr).unwrap();
        bench.write("go", "");
        let told = ended(&bench, other);
        assert_eq!(told.code, 4, "one step was in flight: {}", told.all());
        assert!(said.contains(&holder), "who goes on with it: {said}");
        let lines = journals(&runs(&bench)[0]);
        assert_eq!(lines.iter().filter(|line| line["event"] == "run_resumed").count(), 1, "{option}");
        assert!(lines.iter().map(|line| line["seq"].as_u64().unwrap()).eq(0..lines.len() as u64), "{option}");
        assert_eq!(lines.iter().filter(|line| line["event"] == "step_finished").count(), 15, "{option}");
    }
}
