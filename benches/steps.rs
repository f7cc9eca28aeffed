//! What a step costs: 200 steps of `/bin/true` with all artifacts and every sync, against a bare spawn and wait of the
//! same program in the same minute. Prints both and their ratio; judges nothing, since machines differ.

#![expect(clippy::expect_used, reason = "a bench that cannot do its work stops")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const STEPS: u32 = 200;
const ROUNDS: usize = 7;

fn main() {
    let workspace = tempfile::tempdir().expect("a temporary folder");
    write_workspace(workspace.path());
    let mut pairs: Vec<(Duration, Duration, Duration)> =
        (0..ROUNDS).map(|round| (floor(), steps(workspace.path(), round), floor())).collect();
    // The floor before and after each round: a machine that slowed down in between shows.
    pairs.sort_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    println!("{STEPS} steps of /bin/true, {ROUNDS} rounds; per step, milliseconds");
    println!("{:>14} {:>14} {:>7}", "spawn+wait", "road_runner", "ratio");
    for pair in &pairs {
        let floor = (pair.0 + pair.2) / 2;
        println!("{:>14.3} {:>14.3} {:>7.2}", millis(floor), millis(pair.1), ratio(pair));
    }
    println!("median ratio {:.2}", ratio(&pairs[ROUNDS / 2]));
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn ratio(pair: &(Duration, Duration, Duration)) -> f64 {
    pair.1.as_secs_f64() * 2.0 / (pair.0 + pair.2).as_secs_f64()
}

/// A bare spawn and wait, per step. The standard library uses `posix_spawn` for this.
fn floor() -> Duration {
    let start = Instant::now();
    for _ in 0..STEPS {
        let status = Command::new("/bin/true").env_clear().stdin(Stdio::null()).status().expect("/bin/true runs");
        assert!(status.success());
    }
    start.elapsed() / STEPS
}

/// A run of one sub-run with that many executions, per step, from the first start to the last end in its journal.
fn steps(workspace: &Path, round: usize) -> Duration {
    let runs = workspace.join(format!("runs{round}"));
    let status = Command::new(env!("CARGO_BIN_EXE_road_runner"))
        .args(["run", "--no-tui", "--yes", "-q", "--flow", "true", "--margin", "none", "--allow-concurrent"])
        .arg("--workspace")
        .arg(workspace)
        .arg("--runs-dir")
        .arg(&runs)
        .stdout(Stdio::null())
        .status()
        .expect("road_runner runs");
    assert_eq!(status.code(), Some(0), "every step passes");
    let run = fs::read_dir(&runs).expect("runs").next().expect("one run").expect("readable").path();
    let sub_run = fs::read_dir(run.join("subruns")).expect("sub-runs").next().expect("one").expect("readable").path();
    let journal = fs::read_to_string(sub_run.join("steps.ldjson")).expect("a journal");
    let events: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let at = |event: &Value| {
        let text = event["at"].as_str().expect("a time");
        chrono::DateTime::parse_from_rfc3339(text).expect("RFC 3339").timestamp_millis()
    };
    let of = |name: &str| events.iter().filter(|e| e["event"] == name).map(at).collect::<Vec<_>>();
    let (started, finished) = (of("step_started"), of("step_finished"));
    assert_eq!((started.len(), finished.len()), (STEPS as usize, STEPS as usize));
    let span = finished[finished.len() - 1] - started[0];
    Duration::from_millis(u64::try_from(span).expect("time goes on")) / STEPS
}

fn write_workspace(workspace: &Path) {
    for folder in ["flows", "margins", "adapters", "policy"] {
        fs::create_dir(workspace.join(folder)).expect("a folder");
    }
    let write = |file: &str, text: &str| fs::write(workspace.join(file), text).expect("a file");
    write("adapters/true.yaml", "name: 'true'\ndescription: Does nothing, well.\npath: /bin/true\n");
    write("flows/true.yaml", &format!("name: 'true'\nsteps: [ {{ name: t, adapter: 'true', repeat: {STEPS} }} ]\n"));
    write("margins/none.yaml", "name: none\ndefault: { core: { voltage: 1V } }\n");
    write("policy/safety.yaml", "name: safety\nlimits: { core: { voltage: { min: 0.9V, max: 1.1V } } }\n");
}
