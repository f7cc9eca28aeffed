//! `runs verify` as a shell sees it: a real run untouched is sound, and each thing done to it is found by the name of its
//! file, with nothing else. What dead commands left is noted and is no damage.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cli::{Bench, Told, words};
use crate::processes::settles;

const RUN: &str = "run --yes -q --unit SN1 --flow smoke --margin down";

/// Where files of a run are.
type Places<'p> = &'p dyn Fn(&str) -> PathBuf;

fn told(bench: &Bench, line: &str) -> Told {
    bench.outcome(&mut bench.real(&words(line)))
}

/// A workspace whose bounds do not depend on the host that runs the tests.
fn bench() -> Bench {
    let bench = Bench::new();
    fs::remove_dir_all(bench.path("policy/profiles")).unwrap();
    bench
}

/// A workspace with one finished run.
fn finished() -> (Bench, PathBuf) {
    let bench = bench();
    let done = told(&bench, RUN);
    assert_eq!(done.code, 0, "{}", done.all());
    let run = only_run(&bench);
    (bench, run)
}

fn only_run(bench: &Bench) -> PathBuf {
    let mut runs: Vec<PathBuf> = fs::read_dir(bench.path("runs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(runs.len(), 1, "{runs:?}");
    runs.remove(0)
}

/// Exit code, and kind and file of each finding, the sub-run's directory left out.
fn verdict(bench: &Bench) -> (i32, Vec<String>) {
    let mut command = bench.real(&words("runs verify --output json"));
    let output = command.output().unwrap();
    let runs: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.stderr, b"", "{}", String::from_utf8_lossy(&output.stderr));
    let mut found = vec![];
    for run in &runs {
        let all = run["findings"].as_array().unwrap();
        assert_eq!(run["damaged"], all.iter().any(|finding| finding["damage"] == true));
        for finding in all {
            let (kind, file) = (finding["kind"].as_str().unwrap(), finding["file"].as_str().unwrap());
            let file = file.rsplit_once("-s00/").map_or(file.to_owned(), |(_, rest)| format!("s00/{rest}"));
            assert!(!finding["what"].as_str().unwrap().is_empty() && !finding["mend"].as_str().unwrap().is_empty());
            found.push(format!("{kind} {file}").trim_end().to_owned());
        }
    }
    (output.status.code().unwrap(), found)
}

/// Where a file of the run is; `s00/` is its first sub-run.
fn at(run: &Path, file: &str) -> PathBuf {
    let id = run.file_name().unwrap().to_str().unwrap();
    run.join(file.replace("s00/", &format!("subruns/{id}-s00/")))
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_run_is_sound_until_somebody_touches_it() {
    let (bench, run) = finished();
    insta::assert_snapshot!(told(&bench, "runs verify").all(), @r"
    rr-TIME-DIGEST  completed  ok
    1 run: 1 ok
    => 0
    ");
    assert_eq!(told(&bench, "runs verify latest").code, 0);
    let aside = tempfile::tempdir().unwrap();
    copy(&run, &aside.path().join("run"));

    let check = |change: &dyn Fn(Places<'_>), expected: &[&str]| {
        change(&|file| at(&run, file));
        assert_eq!(verdict(&bench), (4, expected.iter().map(|&found| found.to_owned()).collect()));
        fs::remove_dir_all(&run).unwrap();
        copy(&aside.path().join("run"), &run);
    };
    let replace = |path: PathBuf, from: &str, to: &str| {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{}", path.display());
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    let append =
        |path: PathBuf, bytes: &[u8]| fs::write(&path, [fs::read(&path).unwrap(), bytes.to_vec()].concat()).unwrap();
    let remove = |path: PathBuf| fs::remove_file(path).unwrap();

    check(&|at| replace(at("s00/stdout/00_first.log"), "OK", "OH"), &["changed s00/stdout/00_first.log"]);
    check(&|at| remove(at("s00/stdout/00_first.log")), &["missing s00/stdout/00_first.log"]);
    check(&|at| remove(at("s00/steps.ldjson")), &["missing s00/steps.ldjson"]);
    check(&|at| remove(at("s00/summary.json")), &["missing s00/summary.json"]);
    check(&|at| replace(at("summary.json"), "SN1", "SN2"), &["disagrees summary.json", "changed summary.json"]);
    check(
        &|at| replace(at("s00/summary.json"), "\"pass\"", "\"fail\""),
        &["disagrees s00/summary.json", "changed s00/summary.json"],
    );
    check(&|at| fs::write(at("s00/artifacts/notes"), "x").unwrap(), &["new s00/artifacts/notes"]);
    check(&|at| append(at("events.ldjson"), b"{\"event\":\"run_"), &["changed events.ldjson"]);
    check(&|at| append(at("s00/steps.ldjson"), &[0; 4096]), &["changed s00/steps.ldjson"]);
    check(
        &|at| replace(at("events.ldjson"), "{\"event\"", "{\"evxnt\""),
        &["damaged events.ldjson:1", "changed events.ldjson"],
    );
    check(&|at| replace(at("plan.json"), "OK", "KO"), &["damaged plan.json", "changed plan.json"]);
    check(&|at| remove(at("plan.json")), &["missing plan.json"]);
    check(
        &|at| replace(at("inputs/flows/smoke.yaml"), "One", "Two"),
        &["damaged inputs/flows/smoke.yaml", "changed inputs/flows/smoke.yaml"],
    );
    check(&|at| fs::write(at("hashes.json"), "{\"format_version\":1,\"fi").unwrap(), &["damaged hashes.json"]);
    check(&|at| fs::write(at("sysinfo.json"), "{").unwrap(), &["changed sysinfo.json", "damaged sysinfo.json"]);
    check(&|at| remove(at("report.html")), &["missing report.html"]);
    check(&|at| replace(at("export.csv"), "pass", "fail"), &["changed export.csv"]);
    assert_eq!(verdict(&bench), (0, vec![]), "each was undone");

    replace(at(&run, "s00/stdout/00_first.log"), "OK", "OH");
    insta::assert_snapshot!(told(&bench, "runs verify latest").all(), @r"
    rr-TIME-DIGEST  completed  1 finding
      DAMAGE  subruns/rr-TIME-DIGEST-s00/stdout/00_first.log: it is not what it was when the run ended
              mend: put a copy of it back; there is no other way to have it again
    1 run: 0 ok, 1 damaged
    => 4
    ");
    let (aloud, quiet) = (told(&bench, "runs verify latest"), told(&bench, "runs verify latest -q"));
    assert_eq!(quiet.all(), aloud.all(), "damage is told in any case");
    insta::assert_snapshot!(told(&bench, "runs verify nothing").all(), @r"
    --- stderr
    error: no run 'nothing'; there is rr-TIME-DIGEST
    help: road_runner runs list shows every run
    => 2
    ");
}

#[test]
fn reports_and_exports_that_are_made_again_stay_sealed() {
    let (bench, run) = finished();
    fs::create_dir_all(bench.path("templates")).unwrap();
    fs::write(bench.path("templates/report.md.hbs"), "another\n").unwrap();
    let before = fs::read(run.join("report.md")).unwrap();
    for line in ["report --run-id latest", "export --run latest --format json", "export --run latest --format csv"] {
        assert_eq!(told(&bench, line).code, 0, "{line}");
        assert_eq!(verdict(&bench), (0, vec![]), "{line}");
    }
    assert_ne!(fs::read(run.join("report.md")).unwrap(), before);
    // What others changed does not become right by that.
    fs::write(run.join("summary.json"), fs::read_to_string(run.join("summary.json")).unwrap() + "\n").unwrap();
    assert_eq!(told(&bench, "report --run-id latest").code, 0);
    assert_eq!(verdict(&bench), (4, vec!["changed summary.json".to_owned()]));
    // What was never sealed is not sealed by it.
    fs::remove_file(run.join("hashes.json")).unwrap();
    assert_eq!(told(&bench, "report --run-id latest").code, 0);
    assert_eq!(verdict(&bench), (0, vec!["unsealed hashes.json".to_owned()]));
}

#[test]
fn runs_without_an_end_are_no_damage() {
    let bench = bench();
    assert_eq!(verdict(&bench), (0, vec![]));
    insta::assert_snapshot!(told(&bench, "runs verify").all(), @r"
    no run in BENCH/ws/runs
    => 0
    ");
    assert_eq!(told(&bench, "plan -q --flow smoke --margin down").code, 0);
    assert_eq!(verdict(&bench), (0, vec![]), "a plan");
    fs::remove_dir_all(bench.path("runs")).unwrap();
    assert_eq!(told(&bench, &format!("{RUN} --dry-run")).code, 0);
    assert_eq!(verdict(&bench), (0, vec![]), "a dry run");
    fs::remove_dir_all(bench.path("runs")).unwrap();

    bench.program("diags/probe.sh", "#!/bin/sh\necho OK\nexec sleep 600\n");
    let mut run = bench.real(&words(&format!("{RUN} --output json"))).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(run.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("step_spawned")));
    insta::assert_snapshot!(told(&bench, "runs verify").all(), @r"
    rr-TIME-DIGEST  running  ok
    1 run: 1 ok
    => 0
    ");
    run.kill().unwrap();
    run.wait().unwrap();
    let directory = only_run(&bench);
    let id = directory.file_name().unwrap().to_str().unwrap().to_owned();
    settles(&bench);
    assert_eq!(verdict(&bench), (0, vec!["interrupted".to_owned()]));

    let mut survivor = Command::new("/bin/sleep").arg("600").env("ROAD_RUNNER_RUN_ID", &id).spawn().unwrap();
    fs::write(
        directory.join("rails.json"),
        r#"{"format_version":1,"is_home":false,"nominal":{"core":{}},"controllers":{}}"#,
    )
    .unwrap();
    fs::write(directory.join(".summary.json.x3Yz9a"), "{").unwrap();
    let events = directory.join("events.ldjson");
    fs::write(&events, fs::read_to_string(&events).unwrap() + "{\"event\":\"su").unwrap();
    fs::create_dir_all(bench.path("runs/.rr-20200101T000000Z-abcdef/inputs")).unwrap();
    let pid = survivor.id();
    let found = told(&bench, "runs verify").all().replace(&pid.to_string(), "PID");
    survivor.kill().unwrap();
    survivor.wait().unwrap();
    insta::assert_snapshot!(regex::Regex::new(r"tick \d+").unwrap().replace(&found, "tick N"), @r"
    rr-TIME-DIGEST  interrupted  5 findings
      note    its runner died before it ended, so it is not sealed
              mend: `road_runner resume rr-TIME-DIGEST` goes on with it, `road_runner clean --older-than 0 --force` deletes all such runs
      note    .summary.json.x3Yz9a: half of a file, left by a command that was killed
              mend: delete it; nobody reads it
      note    events.ldjson: torn tail of 12 bytes of no whole line
              mend: nothing is lost that was complete: readers stop before it; resume repairs it
      note    rails.json: not known to be home: core
              mend: `road_runner rails restore` brings them home
      note    process PID (started at tick N) still runs
              mend: the next `road_runner run` or `resume` here ends it
    .rr-TIME-DIGEST  left over  1 finding
      note    a run that was being prepared and never began
              mend: `road_runner clean --older-than 365` deletes it with the runs of more than a year ago
    2 runs: 0 ok, 2 with notes
    => 0
    ");

    // Resumed, it comes to its end and is sealed like any other.
    fs::remove_file(directory.join("rails.json")).unwrap();
    fs::remove_file(directory.join(".summary.json.x3Yz9a")).unwrap();
    fs::remove_dir_all(bench.path("runs/.rr-20200101T000000Z-abcdef")).unwrap();
    bench.program("diags/probe.sh", "#!/bin/sh\necho OK\n");
    let resumed = told(&bench, "resume latest --yes -q");
    assert_eq!(resumed.code, 4, "the step in flight is an error: {}", resumed.all());
    assert_eq!(verdict(&bench), (0, vec![]));
    assert!(directory.join("hashes.json").is_file());
}
