//! How exactly time limits hold: how much later than its limit a step ends, of one that heeds SIGTERM and of one that does
//! not and is killed after its grace. Against a bare spawn, sleep, kill and wait.

#![expect(clippy::expect_used, reason = "a bench that cannot do its work stops")]

mod common;

use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use road_runner::domain::verdict::Verdict;

use common::figures::{self, Figure};
use common::workspace::Workspace;
use common::{journals, process};

/// The steps, and when each ends: its limit, and the grace where it does not heed SIGTERM.
const STEPS: [(&str, u64); 6] = [
    ("heeds-200ms", 200),
    ("heeds-500ms", 500),
    ("heeds-1s", 1000),
    ("deaf-200ms", 400),
    ("deaf-500ms", 700),
    ("deaf-1s", 1200),
];
const ROUNDS: usize = 5;

fn main() {
    let workspace = Workspace::on_disk();
    write(&workspace);
    let mut figures = STEPS.map(|(step, _)| Figure::new(step, "ms"));
    for _ in 0..ROUNDS {
        let run = process::run(&mut workspace.command("run", "limits", "none"));
        assert_eq!(run.status.code(), Some(1), "every step meets its limit");
        let lines = journals::lines(&workspace.only_run());
        let steps = journals::finished(&lines);
        assert_eq!(steps.len(), STEPS.len());
        for ((step, (name, end_ms)), figure) in steps.iter().zip(STEPS).zip(&mut figures) {
            assert_eq!((step.step.as_str(), step.verdict), (name, Verdict::Timeout));
            figure.add(floor(end_ms), late(step.duration_ms, end_ms));
        }
        workspace.forget_runs();
    }
    figures::print(&format!("how late a step ends, by its record; {ROUNDS} rounds"), &figures);
}

/// The record has whole milliseconds.
fn late(after_ms: u64, limit_ms: u64) -> f64 {
    let late = i32::try_from(after_ms).expect("short") - i32::try_from(limit_ms).expect("short");
    f64::from(late)
}

/// How late a bare parent sees its child gone, milliseconds.
fn floor(limit_ms: u64) -> f64 {
    let start = Instant::now();
    let mut child = Command::new("/bin/sleep").arg("60").stdin(Stdio::null()).spawn().expect("sleep starts");
    sleep(Duration::from_millis(limit_ms).saturating_sub(start.elapsed()));
    child.kill().expect("a signal");
    child.wait().expect("its end");
    start.elapsed().saturating_sub(Duration::from_millis(limit_ms)).as_secs_f64() * 1000.0
}

fn write(workspace: &Workspace) {
    workspace.write("diags/heeds.sh", "#!/bin/sh\nexec sleep 60\n");
    workspace.write("diags/deaf.sh", "#!/bin/sh\ntrap '' TERM\nexec sleep 60\n");
    let mut flow = "name: limits\nsteps:\n".to_owned();
    for (step, _) in STEPS {
        let (adapter, limit) = step.split_once('-').expect("a name and a limit");
        let _ = writeln!(flow, "  - {{ name: {step}, adapter: {adapter}, timeout: {limit} }}");
    }
    workspace.write("flows/limits.yaml", &flow);
    for adapter in ["heeds", "deaf"] {
        let manifest = format!("name: {adapter}\ndescription: Sleeps.\npath: diags/{adapter}.sh\ngrace: 200ms\n");
        workspace.write(&format!("adapters/{adapter}.yaml"), &manifest);
    }
}
