//! The disk under a run: full, read-only, taken away. Whatever happens the step is ended, the rails go home, what was recorded
//! stays readable, the exit code is 4 and the message says what to do.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::cli::{Bench, Told, words};
use crate::processes::{self, LONG, until};
use crate::rails::{Disk, Live, NOMINAL, RUN, bench, run, stands};

/// The folder of the only run.
fn record(bench: &Bench) -> PathBuf {
    let mut all = fs::read_dir(bench.path("runs")).unwrap().map(|entry| entry.unwrap().path());
    all.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("rr-")).unwrap()
}

/// The lines of the run's own journal.
fn events(bench: &Bench) -> Vec<Value> {
    let text = fs::read_to_string(record(bench).join("events.ldjson")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The end of a run stands in its journal and in its summary, and every command can read it.
fn is_told(bench: &Bench, told: &Told, why: &str) {
    assert_eq!(told.code, 4, "{}", told.all());
    assert!(told.stderr.contains(why) && told.stderr.contains("road_runner clean"), "{}", told.all());
    assert_eq!(stands(bench), NOMINAL);
    let events = events(bench);
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["exit_code"]), (&"run_finished".into(), &4.into()), "{events:?}");
    let summary: Value = serde_json::from_slice(&fs::read(record(bench).join("summary.json")).unwrap()).unwrap();
    let reason = summary["stop_reason"].as_str().unwrap();
    assert!(summary["status"] == "completed" && reason.contains(why), "{summary}");
    for line in ["runs list", "runs show latest"] {
        let told = bench.outcome(&mut bench.real(&words(line)));
        assert!(told.code == 0 || told.code == 4, "{line}: {}", told.all());
        assert!(told.stdout.contains("completed"), "{line}: {}", told.all());
    }
    assert!(
        !fs::read_dir(record(bench)).unwrap().any(|e| e.unwrap().file_name().to_string_lossy().starts_with(".reserve"))
    );
}

#[test]
fn no_sub_run_begins_that_could_not_be_recorded() {
    let bench = bench("", "");
    let at = bench.path("runs").display().to_string();
    let Some(_disk) = Disk::mount(&at, "8m") else { return };
    // It passes, and leaves less than a sixteenth.
    let leaves = "#!/bin/sh\nfree=$(stat -f -c %a .)\ndd if=/dev/zero of=large bs=4k count=$((free - 100)) 2>/dev/null\necho OK\n";
    bench.program("diags/probe.sh", leaves);
    let told = run(&bench);
    is_told(&bench, &told, "no room is left at");
    let begun = events(&bench).iter().filter(|line| line["event"] == "subrun_started").count();
    assert_eq!(begun, 2, "the second was announced, and not begun");
    assert!(record(&bench).join("subruns").read_dir().unwrap().count() == 1);
}

#[test]
fn a_disk_that_a_step_fills_has_room_for_the_end() {
    let bench = bench("", "");
    let at = bench.path("runs").display().to_string();
    let Some(_disk) = Disk::mount(&at, "8m") else { return };
    bench.program("diags/probe.sh", "#!/bin/sh\ndd if=/dev/zero of=large bs=4k 2>/dev/null\nsleep 20\n");
    let told = run(&bench);
    is_told(&bench, &told, "no room is left at");
    let steps = record(&bench).join("subruns").read_dir().unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(steps.join("steps.ldjson")).unwrap();
    let names: Vec<String> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names[names.len() - 3..], ["rail_held", "rail_restored", "subrun_closed"], "{names:?}");
    // Once there is room again, all that was there is as good as ever.
    let large = steps.join("artifacts/0_probe/large");
    let large = if large.exists() { large } else { steps.join("artifacts/00_probe/large") };
    fs::remove_file(large).unwrap();
    let report = bench.outcome(&mut bench.real(&words("report --run-id latest")));
    assert_eq!(report.code, 0, "{}", report.all());
}

/// The file system has much room, and we may not use it: nothing warns before a write fails.
#[test]
fn a_quota_ends_the_run_like_a_full_disk() {
    let fills = "dd if=/dev/zero of=large bs=4k 2>/dev/null";
    for probe in [format!("{fills}\necho OK\n"), "yes flood\nsleep 20\n".to_owned()] {
        let bench = bench("", "");
        let (at, image) = (bench.path("runs").display().to_string(), bench.path("image").display().to_string());
        let Some(_disk) = Disk::with_quota(&at, &image, "8M") else { return };
        bench.program("diags/probe.sh", &format!("#!/bin/sh\n{probe}"));
        let told = run(&bench);
        is_told(&bench, &told, "quota exceeded");
        let verified = bench.outcome(&mut bench.real(&words("runs verify latest")));
        assert!(verified.code == 0 && verified.stdout.contains("quota exceeded"), "{}", verified.all());
    }
}

#[test]
fn a_disk_that_becomes_read_only_ends_the_run() {
    let bench = bench("", "");
    let at = bench.path("runs").display().to_string();
    let image = bench.path("image").display().to_string();
    let Some(_disk) = Disk::of_image(&at, &image) else { return };
    let live = Live::start(&bench);
    live.reaches("step_spawned");
    // What the kernel does when it finds an error of the disk, also under files that are open.
    let aborted = Command::new("mount").args(["-o", "remount,abort", &at]).output().unwrap();
    assert!(aborted.status.success(), "{}", String::from_utf8_lossy(&aborted.stderr));
    // The step itself would wait for ever.
    assert_eq!(live.code(), Some(4));
    assert_eq!(stands(&bench), NOMINAL);
    let told = bench.outcome(&mut bench.real(&words("runs show latest")));
    assert!(told.stdout.contains("smoke x down"), "{}", told.all());
}

#[test]
fn a_record_that_is_deleted_under_the_run_ends_it() {
    let bench = bench("", "");
    let live = Live::start(&bench);
    live.reaches("step_spawned");
    fs::remove_dir_all(record(&bench)).unwrap();
    // The step itself would wait for ever.
    assert_eq!(live.code(), Some(4));
    assert_eq!(stands(&bench), NOMINAL);
    until("no process of it", LONG, || !is_running(&bench));
}

/// Whether a diagnostic of the bench still runs.
fn is_running(bench: &Bench) -> bool {
    let probe = bench.path("diags/probe.sh").display().to_string();
    processes::all().any(|process| process.line.contains(&probe))
}

#[test]
fn a_runs_folder_that_cannot_be_written_starts_nothing() {
    let bench = bench("", "");
    let at = bench.path("runs").display().to_string();
    let Some(_disk) = Disk::mount(&at, "8m") else { return };
    let read_only = Command::new("mount").args(["-o", "remount,ro", &at]).output().unwrap();
    assert!(read_only.status.success());
    let told = bench.outcome(&mut bench.real(&words(RUN)));
    assert_eq!(told.code, 4, "{}", told.all());
    assert!(told.stderr.contains("Read-only file system"), "{}", told.all());
    assert!(!bench.path("writes").exists(), "no rail was told anything");
}
