//! What a plan of a million points costs: making it (read, expand, hash, admit) and writing its record, in time and memory.
//!
//! The floor of making it is SHA-256 over the plan's own bytes, since the digest cannot be had for less; of writing it, the
//! record's bytes written and synced; of the whole command's memory, the same command with one point.

#![expect(clippy::expect_used, reason = "a bench that cannot do its work stops")]

mod common;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use road_runner::commands::plan::{self, Asked};
use road_runner::commands::record::{self, NewRecord};
use road_runner::store::hash;

use common::figures::{self, Figure};
use common::process;
use common::workspace::{self, Workspace};

const ROUNDS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, child, folder] = arguments.as_slice()
        && child == "--planner"
    {
        return planner(Path::new(folder));
    }
    let workspace = Workspace::on_disk();
    write(&workspace);
    let mut made = Figure::new("made, against SHA-256 of its bytes", "s");
    let mut made_in = Figure::new("peak memory when it is made, against one point", "MiB");
    let mut written = Figure::new("recorded, against writing the same bytes", "s");
    let mut whole = Figure::new("`plan -q`, against one point", "s");
    let mut whole_in = Figure::new("peak memory of `plan -q`, against one point", "MiB");
    for _ in 0..ROUNDS {
        let [least, small] = ["one", "million"].map(|margin| {
            let ended = process::run_well(&mut workspace.command("plan", "true", margin));
            workspace.forget_runs();
            ended
        });
        whole.add(least.elapsed.as_secs_f64(), small.elapsed.as_secs_f64());
        whole_in.add(least.peak_mib, small.peak_mib);
        let [seconds, peak_mib, seconds_written, hashed, copied] = in_pieces(workspace.path());
        made.add(hashed, seconds);
        made_in.add(least.peak_mib, peak_mib);
        written.add(copied, seconds_written);
        workspace.forget_runs();
    }
    let figures = [made, made_in, written, whole, whole_in];
    figures::print(&format!("a plan of 1000 x 1000 points; {ROUNDS} rounds"), &figures);
}

fn write(workspace: &Workspace) {
    workspace.write("adapters/true.yaml", "name: 'true'\ndescription: Does nothing, well.\npath: /bin/true\n");
    workspace.write("flows/true.yaml", "name: 'true'\nsteps: [ { name: t, adapter: 'true' } ]\n");
    let profile = |name: &str, voltage: &str, frequency: &str| {
        let rails = format!("{{ core: {{ frequency: {frequency}, voltage: {voltage} }} }}");
        workspace.write(&format!("margins/{name}.yaml"), &format!("name: {name}\nglobal_seed: 1\ndefault: {rails}\n"));
    };
    profile("one", "1V", "1GHz");
    let voltage = "{ from: 1500mV, to: 501mV, step: -1mV }";
    profile("million", voltage, "{ from: 1001MHz, to: 2000MHz, step: 1MHz }");
}

/// The pieces, in a process of their own: seconds and peak of making the plan, seconds of writing it, and both floors.
/// Not in this process, whose peak those that it starts inherit.
fn in_pieces(folder: &Path) -> [f64; 5] {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("--planner").arg(folder);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().expect("it runs");
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).expect("text");
    let numbers: Vec<f64> = text.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    numbers.try_into().expect("five numbers")
}

fn planner(folder: &Path) {
    let context = workspace::context(folder);
    let asked = Asked { flow: "true".to_owned(), margin: "million".to_owned(), unit: None, seed: None };
    let start = Instant::now();
    let prepared = plan::prepare(&context, &asked).expect("a plan");
    let made = start.elapsed().as_secs_f64();
    assert_eq!(prepared.plan().experiment.sub_runs(), 1_000_000);
    let peak_mib = process::own_peak_mib();
    let start = Instant::now();
    let new = NewRecord { plan: prepared.plan(), inputs: &prepared.inputs, source_run: None, dry_run: false };
    let (dir, _) = record::persist(&context, &new).expect("a record");
    let written = start.elapsed().as_secs_f64();
    let (hashed, copied) = floors(dir.root());
    println!("{made} {peak_mib} {written} {hashed} {copied}");
}

/// Seconds for SHA-256 over `plan.json`, and for writing the bytes of it and of the summary again, synced.
fn floors(run: &Path) -> (f64, f64) {
    let documents = ["plan.json", "summary.json"].map(|file| fs::read(run.join(file)).expect("a file"));
    let start = Instant::now();
    black_box(hash::bytes(&documents[0]));
    let hashed = start.elapsed().as_secs_f64();
    let copy = run.join("copy");
    let start = Instant::now();
    for bytes in &documents {
        let mut file = File::create(&copy).expect("a file");
        file.write_all(bytes).expect("room");
        file.sync_data().expect("on disk");
    }
    let copied = start.elapsed().as_secs_f64();
    (hashed, copied)
}
