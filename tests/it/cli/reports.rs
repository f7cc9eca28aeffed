//! Reports and exports as a shell sees them: after a run, again from what is stored, of damaged records, of broken templates.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;

use super::{Bench, Told, words};

/// A workspace whose bounds do not depend on the host, with one run.
fn bench() -> Bench {
    let bench = Bench::new();
    fs::remove_dir_all(bench.path("policy/profiles")).unwrap();
    bench
}

fn ran() -> Bench {
    let bench = bench();
    let run = told(&bench, RUN);
    assert_eq!(run.code, 0, "{}", run.all());
    bench
}

const RUN: &str = "run --no-tui --yes -q --flow smoke --margin down --unit SN1";

fn told(bench: &Bench, line: &str) -> Told {
    bench.outcome(&mut bench.real(&words(line)))
}

/// The newest run's directory.
fn run_dir(bench: &Bench) -> PathBuf {
    let runs = fs::read_dir(bench.path("runs")).unwrap().map(|entry| entry.unwrap().path());
    runs.filter(|path| path.is_dir()).max().unwrap()
}

fn read(bench: &Bench, file: &str) -> String {
    fs::read_to_string(run_dir(bench).join(file)).unwrap()
}

#[test]
fn a_run_leaves_its_reports_and_they_can_be_made_again() {
    let bench = ran();
    let (markdown, html, csv) = (read(&bench, "report.md"), read(&bench, "report.html"), read(&bench, "export.csv"));
    assert!(markdown.starts_with("# Road Runner: smoke x down: pass\n"), "{markdown}");
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
    assert_eq!(csv.lines().count(), 16, "a title and fifteen executions");
    for file in ["report.md", "report.html"] {
        fs::remove_file(run_dir(&bench).join(file)).unwrap();
    }
    insta::assert_snapshot!(told(&bench, "report --run-id latest").all(), @r"
    BENCH/ws/runs/rr-TIME-DIGEST/report.md
    BENCH/ws/runs/rr-TIME-DIGEST/report.html
    => 0
    ");
    assert_eq!((read(&bench, "report.md"), read(&bench, "report.html")), (markdown, html));
    insta::assert_snapshot!(told(&bench, "report --run-id latest --output json").all(), @r#"
    {
      "run_id": "rr-TIME-DIGEST",
      "files": [
        "BENCH/ws/runs/rr-TIME-DIGEST/report.md",
        "BENCH/ws/runs/rr-TIME-DIGEST/report.html"
      ],
      "damage": []
    }
    => 0
    "#);
}

#[test]
fn a_template_of_the_workspace_takes_the_place_of_ours() {
    let bench = ran();
    bench.write("templates/report.md.hbs", "{{verdict}} of {{unit}}{{> tail}}\n");
    bench.write("templates/tail.hbs", ", {{counts.pass}} of {{planned.subruns}}");
    assert_eq!(told(&bench, "report --run-id latest").code, 0);
    assert_eq!(read(&bench, "report.md"), "pass of SN1, 3 of 3\n");
}

#[test]
fn a_broken_template_is_said_before_and_after_and_costs_nothing_else() {
    let bench = ran();
    bench.write("templates/report.md.hbs", "# {{run_id}}\n{{> one}}\n");
    bench.write("templates/one.hbs", "{{> one}}");
    fs::remove_file(run_dir(&bench).join("report.html")).unwrap();
    insta::assert_snapshot!(told(&bench, "report --run-id latest").all(), @r"
    BENCH/ws/runs/rr-TIME-DIGEST/report.html
    --- stderr
    error: `one` includes itself
     --> templates/one.hbs:1:1
      |
    1 | {{> one}}
      | ^^^^^^^^^ and so without end
      |
      = help: take one of these includes out

    => 2
    ");
    assert!(read(&bench, "report.html").contains("</html>"), "the other form is made");
    fs::remove_dir_all(bench.path("runs")).unwrap();
    insta::assert_snapshot!(told(&bench, RUN).all(), @r"
    run       rr-TIME-DIGEST
    verdict   pass (exit 0)
    sub-runs  3: 3 pass
    record    BENCH/ws/runs/rr-TIME-DIGEST
    --- stderr
    warning: `one` includes itself
     --> templates/one.hbs:1:1
      |
    1 | {{> one}}
      | ^^^^^^^^^ and so without end
      |
      = help: take one of these includes out

    error: `one` includes itself
     --> templates/one.hbs:1:1
      |
    1 | {{> one}}
      | ^^^^^^^^^ and so without end
      |
      = help: take one of these includes out

    error: the record is not complete: a report could not be made of its template
    => 4
    ");
    let summary: serde_json::Value = serde_json::from_str(&read(&bench, "summary.json")).unwrap();
    assert_eq!((&summary["status"], &summary["verdict"]), (&"completed".into(), &"pass".into()));
    assert_eq!(read(&bench, "export.csv").lines().count(), 16);
    assert!(!run_dir(&bench).join("report.md").exists());
}

#[test]
fn damage_is_said_and_the_rest_is_reported() {
    let check = |change: &dyn Fn(&Bench), expected: &str, code: i32| {
        let bench = ran();
        change(&bench);
        for command in ["report --run-id latest", "export --run latest --format csv", "runs show latest"] {
            let told = told(&bench, command);
            assert_eq!((told.stderr.as_str(), told.code), (expected, code), "{command}");
        }
        assert_eq!(read(&bench, "export.csv").lines().count(), 16, "every execution is there");
        if code != 0 {
            assert!(read(&bench, "report.md").contains("could not be read"), "the report says so");
        }
    };
    let edit = |bench: &Bench, file: &str, from: &str, to: &str| {
        let path = run_dir(bench).join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        fs::write(path, text.replace(from, to)).unwrap();
    };
    let remove = |file: &'static str| move |bench: &Bench| fs::remove_file(run_dir(bench).join(file)).unwrap();
    check(&|_| (), "", 0);
    check(&remove("plan.json"), "error: plan.json: No such file or directory\n", 4);
    check(&remove("summary.json"), "error: summary.json: No such file or directory\n", 4);
    check(&remove("events.ldjson"), "error: events.ldjson: No such file or directory\n", 4);
    check(
        &|bench| edit(bench, "plan.json", "\"format_version\":1", "\"format_version\":2"),
        "error: plan.json: written by a newer version (format 2, this one reads up to 1)\n",
        2,
    );
    check(
        &|bench| edit(bench, "summary.json", "\"format_version\": 1", "\"format_version\": 7"),
        "error: summary.json: written by a newer version (format 7, this one reads up to 1)\n",
        2,
    );
    check(
        &|bench| edit(bench, "plan.json", "\"global_seed\":7", "\"global_seed\":8"),
        "error: plan.json: is not what its digest was made of: it was changed after it was frozen\n",
        4,
    );
}

#[test]
fn a_missing_sysinfo_is_said_by_the_report() {
    let bench = ran();
    fs::remove_file(run_dir(&bench).join("sysinfo.json")).unwrap();
    let told = told(&bench, "report --run-id latest");
    assert_eq!((told.stderr.as_str(), told.code), ("error: sysinfo.json: No such file or directory\n", 4));
}

#[test]
fn exports_go_where_they_are_sent() {
    let bench = ran();
    insta::assert_snapshot!(told(&bench, "export --run latest --format csv").all(), @r"
    BENCH/ws/runs/rr-TIME-DIGEST/export.csv
    => 0
    ");
    insta::assert_snapshot!(told(&bench, "export --run latest --format json --output json").all(), @r#"
    {
      "file": "BENCH/ws/runs/rr-TIME-DIGEST/export.json"
    }
    => 0
    "#);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&read(&bench, "export.json")).unwrap();
    assert_eq!((rows.len(), &rows[0]["core.voltage_mv"], &rows[0]["unit"]), (15, &1000.into(), &"SN1".into()));
    let printed = told(&bench, "export --run latest --format csv --out -");
    assert_eq!((printed.stdout.lines().count(), printed.stderr.as_str(), printed.code), (16, "", 0));
    told(&bench, "export --run latest --format csv --out mine.csv");
    assert_eq!(fs::read_to_string(bench.path("mine.csv")).unwrap(), read(&bench, "export.csv"));
    // A link goes on pointing at its file.
    std::os::unix::fs::symlink("mine.csv", bench.path("link.csv")).unwrap();
    told(&bench, "export --run latest --format json --out link.csv");
    assert!(fs::symlink_metadata(bench.path("link.csv")).unwrap().is_symlink());
    assert!(fs::read_to_string(bench.path("mine.csv")).unwrap().starts_with('['));
    // What somebody put into its place in the run's directory is replaced, and what it points at is not written.
    std::os::unix::fs::symlink("/dev/full", run_dir(&bench).join("export.tmp")).unwrap();
    fs::rename(run_dir(&bench).join("export.tmp"), run_dir(&bench).join("export.csv")).unwrap();
    assert_eq!(told(&bench, "export --run latest --format csv").code, 0);
    assert!(fs::symlink_metadata(run_dir(&bench).join("export.csv")).unwrap().is_file());
    // A device stays one.
    told(&bench, "export --run latest --format csv --out /dev/null");
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    insta::assert_snapshot!(told(&bench, "export --run latest --format csv --out runs").all(), @r"
    --- stderr
    error: BENCH/ws/runs is a folder
    help: name a file in it
    => 2
    ");
    insta::assert_snapshot!(told(&bench, "export --run latest --format csv --out gone/x.csv").all(), @r"
    --- stderr
    error: there is no folder for BENCH/ws/gone/x.csv
    help: make it first
    => 2
    ");
    insta::assert_snapshot!(told(&bench, "export --run ../../etc --format csv").all(), @r"
    --- stderr
    error: no run '../../etc'; there is rr-TIME-DIGEST
    help: road_runner runs list shows every run
    => 2
    ");
    insta::assert_snapshot!(told(&bench, "report --run-id rr-20200101T000000Z-000000").all(), @r"
    --- stderr
    error: no run 'rr-TIME-DIGEST'; there is rr-TIME-DIGEST
    help: road_runner runs list shows every run
    => 2
    ");
}

#[test]
fn what_cannot_be_written_is_said() {
    let bench = ran();
    fs::remove_file(run_dir(&bench).join("report.md")).unwrap();
    fs::create_dir_all(run_dir(&bench).join("report.md/x")).unwrap();
    insta::assert_snapshot!(told(&bench, "report --run-id latest").all(), @r"
    BENCH/ws/runs/rr-TIME-DIGEST/report.html
    --- stderr
    error: failed to write BENCH/ws/runs/rr-TIME-DIGEST/report.md: Is a directory
    => 4
    ");
}

/// A rail that nobody applies hides the cell, and is said; the verdict and its sentence stay.
#[test]
fn the_headline_goes_by_verdicts() {
    let bench = bench();
    assert_eq!(told(&bench, RUN).code, 0);
    let said = "everything passed: 3 of 3 sub-runs";
    assert!(read(&bench, "report.md").contains(&format!("**+ pass**: {said}\n")), "{}", read(&bench, "report.md"));
    fs::remove_dir_all(bench.path("runs")).unwrap();
    bench.edit(
        "adapters/probe.yaml",
        "  vcore: { type: voltage, unit: mV, flag: --vcore, from: margin.core.voltage }\n",
        "",
    );
    bench.program("diags/probe.sh", "#!/bin/sh\nexit 1\n");
    assert_eq!(told(&bench, RUN).code, 1);
    let markdown = read(&bench, "report.md");
    let said = "the unit failed in 3 of 3 sub-runs; a swept rail was applied by nobody in 3 of 3 sub-runs";
    assert!(markdown.contains(&format!("**X fail**: {said}\n")), "{markdown}");
    assert!(markdown.contains("~ ~ ~"), "{markdown}");
}

#[test]
fn a_csv_that_cannot_be_written_keeps_no_report_from_being_made() {
    let bench = bench();
    // A diagnostic that puts a folder in the place of the file, as only a hostile one would.
    bench.program("diags/probe.sh", "#!/bin/sh\nmkdir -p ../../../../export.csv/x\necho OK\n");
    let run = told(&bench, RUN);
    assert_eq!(run.code, 4, "{}", run.all());
    assert!(run.stderr.contains("export.csv: Is a directory"), "{}", run.stderr);
    assert!(read(&bench, "report.md").contains("everything passed") && read(&bench, "report.html").contains("</html>"));
}

#[test]
fn a_rerun_says_what_has_drifted() {
    let bench = ran();
    let first = run_dir(&bench);
    bench.program("diags/probe.sh", "#!/bin/sh\n# Another one.\necho OK\n");
    let rerun = told(&bench, "rerun latest --no-tui --yes -q");
    assert_eq!(rerun.code, 0, "{}", rerun.all());
    let runs = fs::read_dir(bench.path("runs")).unwrap().map(|entry| entry.unwrap().path());
    let second = runs.into_iter().find(|path| path.is_dir() && *path != first).unwrap();
    let report = || fs::read_to_string(second.join("report.md")).unwrap();
    let markdown = report();
    let (_, drift) = markdown.split_once("## Drift since ").unwrap();
    assert!(drift.contains("| program diags/probe.sh |"), "{drift}");
    // The run that it repeats may be gone by the time a report is made again.
    fs::remove_dir_all(first).unwrap();
    assert_eq!(told(&bench, "report --run-id latest").code, 0);
    assert!(report().contains("that run is not here any more"));
}

#[test]
fn a_dry_run_is_reported_as_one_and_a_plan_is_not() {
    let bench = bench();
    assert_eq!(told(&bench, "run --no-tui --dry-run -q --flow smoke --margin down").code, 0);
    assert!(read(&bench, "report.md").contains("a dry run: nothing was executed in 3 of 3 sub-runs"));
    assert_eq!(read(&bench, "export.csv").lines().count(), 16);
    fs::remove_dir_all(bench.path("runs")).unwrap();
    assert_eq!(told(&bench, "plan -q --flow smoke --margin down").code, 0);
    assert!(!run_dir(&bench).join("report.md").exists());
    assert_eq!(
        told(&bench, "report --run-id latest").all(),
        "BENCH/ws/runs/rr-TIME-DIGEST/report.md\nBENCH/ws/runs/rr-TIME-DIGEST/report.html\n=> 0"
    );
    assert!(read(&bench, "report.md").contains("planned, not started"));
}
