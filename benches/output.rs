//! What output costs: 1 GiB from a diagnostic that does nothing but write, against `sh -c 'cmd > file'` on the same file
//! system; and whether the runner's memory grows with it. The log of a step is a file that the diagnostic itself writes
//! into, so nothing stands between the two but the looks at its size and a sync each second.

#![expect(clippy::expect_used, reason = "a bench that cannot do its work stops")]

mod common;

use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Instant;

use common::figures::{self, Figure};
use common::workspace::Workspace;
use common::{journals, process};

const SIZE: u64 = 1 << 30;
const ROUNDS: usize = 3;

fn main() {
    let workspace = Workspace::on_disk();
    write(&workspace);
    let mut step = Figure::new("1 GiB, the step, against cmd > file", "s");
    let mut synced = Figure::new("1 GiB, run to its end, against cmd > file, fdatasync", "s");
    let mut memory = Figure::new("peak memory of the runner, against one line of output", "MiB");
    let mut capped = Figure::new("1 GiB through a cap of 64 MiB, the step, against cmd > file", "s");
    for _ in 0..ROUNDS {
        let little = run(&workspace, "little", 2);
        let (floor, floor_synced) = redirected(&workspace);
        let all = run(&workspace, "flood", SIZE);
        step.add(floor, all.step);
        synced.add(floor_synced, all.whole);
        memory.add(little.peak_mib, all.peak_mib);
        // The same under a tighter policy.
        let policy = workspace.path().join("policy/safety.yaml");
        let text = fs::read_to_string(&policy).expect("a policy");
        fs::write(&policy, text.replace("max_log: 2GiB", "max_log: 64MiB")).expect("a policy");
        capped.add(floor, run(&workspace, "flood", SIZE).step);
        fs::write(&policy, text).expect("a policy");
    }
    figures::print(&format!("output of one step; {ROUNDS} rounds"), &[step, synced, memory, capped]);
}

fn write(workspace: &Workspace) {
    workspace.write("diags/flood.sh", &format!("#!/bin/sh\nexec head -c {SIZE} /dev/zero\n"));
    workspace.write("diags/little.sh", "#!/bin/sh\nexec echo 1\n");
    for name in ["flood", "little"] {
        let manifest = format!("name: {name}\ndescription: Writes.\npath: diags/{name}.sh\n");
        workspace.write(&format!("adapters/{name}.yaml"), &manifest);
        workspace.write(
            &format!("flows/{name}.yaml"),
            &format!("name: {name}\nsteps: [ {{ name: w, adapter: {name} }} ]\n"),
        );
    }
}

/// One run of one step, in seconds.
struct Run {
    step: f64,
    whole: f64,
    peak_mib: f64,
}

fn run(workspace: &Workspace, flow: &str, size: u64) -> Run {
    let ended = process::run_well(&mut workspace.command("run", flow, "none"));
    let lines = journals::lines(&workspace.only_run());
    let steps = journals::finished(&lines);
    assert_eq!(steps.iter().map(|step| step.stdout_bytes).sum::<u64>(), size, "all of it");
    let millis = u32::try_from(steps[0].duration_ms).expect("short");
    workspace.forget_runs();
    Run { step: f64::from(millis) / 1000.0, whole: ended.elapsed.as_secs_f64(), peak_mib: ended.peak_mib }
}

/// `cmd > file`, and the same until it is on the disk.
fn redirected(workspace: &Workspace) -> (f64, f64) {
    let file = workspace.path().join("out");
    let start = Instant::now();
    let status = Command::new("/bin/sh")
        .args(["-c", "exec diags/flood.sh > out"])
        .current_dir(workspace.path())
        .stdin(Stdio::null())
        .status()
        .expect("a shell");
    let written = start.elapsed().as_secs_f64();
    assert!(status.success());
    File::open(&file).expect("the output").sync_data().expect("on disk");
    let synced = start.elapsed().as_secs_f64();
    fs::remove_file(&file).expect("gone");
    (written, synced)
}
