//! A run of each kind, damaged in each way: what is found, and that nothing else is.

use std::fs;

use super::*;
use crate::domain::event::{RunEvent, RunFinished};
use crate::domain::kit;
use crate::domain::verdict::Verdict::{Fail, Pass, Timeout};
use crate::store::test_run::{TestRun, plan};

const S01: &str = "subruns/rr-20250101T010101Z-abc123-s01";

/// A run with all that it leaves: of its events those that `told` lets pass, sealed or not.
fn run_of(told: impl Fn(&RunEvent) -> bool, sealed: bool) -> TestRun {
    run_from(story().into_iter().take_while(told).collect(), sealed)
}

/// The events of a whole run, four sub-runs.
fn story() -> Vec<RunEvent> {
    kit::story(&plan(2, 2), &[vec![Pass, Pass], vec![Pass, Fail], vec![Timeout], vec![]])
}

fn run_from(events: Vec<RunEvent>, sealed: bool) -> TestRun {
    let run = TestRun::of(&plan(2, 2), &kit::recorded(events));
    for (index, sub_run) in (0..).zip(&run.state.sub_runs) {
        if sub_run.started_at.is_some() && sub_run.verdict.is_some() {
            let summary = run.state.sub_run_summary(index).unwrap();
            let folder = run.dir.subrun(&summary.id).unwrap();
            crate::store::atomic::replace_json_indented(&folder.summary(), &summary).unwrap();
        }
    }
    fs::create_dir_all(run.dir.root().join(S01).join("stdout")).unwrap();
    fs::write(run.dir.root().join(S01).join("stdout/00_x.log"), "a line\n").unwrap();
    if sealed {
        seal::write(&run.dir).unwrap();
    }
    run
}

fn said(run: &TestRun, is_live: bool) -> Vec<String> {
    let checked = super::run(run.entry(), is_live, &mut |_| ());
    let word = |finding: &Finding| {
        let kind = serde_json::to_value(finding.kind).unwrap();
        format!("{} {}: {}", kind.as_str().unwrap(), finding.file.replace(S01, "S01"), finding.what)
    };
    checked.findings.iter().map(word).collect()
}

/// What is found about a sealed run after a change.
fn check(change: impl FnOnce(&TestRun), expected: &[&str]) {
    let run = run_of(|_| true, true);
    change(&run);
    assert_eq!(said(&run, false), expected);
}

/// The same of a run that was never sealed.
fn check_unsealed(change: impl FnOnce(&TestRun), expected: &[&str]) {
    let run = run_of(|_| true, false);
    change(&run);
    let mut found = said(&run, false);
    let unsealed = found.iter().position(|finding| finding == UNSEALED).expect("it is not sealed");
    found.remove(unsealed);
    assert_eq!(found, expected);
}

fn remove(file: &str) -> impl FnOnce(&TestRun) {
    let file = file.replace("S01", S01);
    move |run| fs::remove_file(run.dir.root().join(file)).unwrap()
}

fn edit(file: &str, from: &str, to: &str) -> impl FnOnce(&TestRun) {
    let (file, from, to) = (file.replace("S01", S01), from.to_owned(), to.to_owned());
    move |run| {
        run.edit(&file, |text| {
            assert!(text.contains(&from), "{file} has no {from}: {text}");
            text.replacen(&from, &to, 1)
        });
    }
}

fn append(file: &str, bytes: &[u8]) -> impl FnOnce(&TestRun) {
    let (file, bytes) = (file.replace("S01", S01), bytes.to_vec());
    move |run| {
        let path = run.dir.root().join(file);
        fs::write(&path, [fs::read(&path).unwrap(), bytes].concat()).unwrap();
    }
}

const UNSEALED: &str = "unsealed hashes.json: it is not sealed: nothing says what its files were when it ended";
const CHANGED: &str = "it is not what it was when the run ended";
const NEWER: &str = "written by a newer version (format 9, this one reads up to 1)";

#[test]
fn a_run_that_nobody_touched_is_sound() {
    check(|_| (), &[]);
    check_unsealed(|_| (), &[]);
}

/// The disk was full when the second sub-run had closed: neither its summary nor its end in the run's journal could be written.
#[test]
fn a_record_that_could_not_be_written_to_its_end_is_no_damage() {
    let mut events = story();
    let closes = |event: &RunEvent| matches!(event, RunEvent::SubrunClosed(_));
    let second = events.iter().enumerate().filter(|(_, event)| closes(event)).nth(1).unwrap().0;
    events.truncate(second + 1);
    let detail = Some("the disk is full".to_owned());
    events.push(Cancelling { reason: CancelReason::RecordFailed, detail }.into());
    events.push(RunFinished { status: RunStatus::Completed, verdict: Fail, exit_code: 4 }.into());
    let run = run_from(events, false);
    remove("S01/summary.json")(&run);
    assert_eq!(said(&run, false), ["cut_short : the disk is full", UNSEALED]);
    // What ended before had its summary.
    remove(&S01.replace("s01", "s00/summary.json"))(&run);
    let missing = format!("missing {}: No such file or directory", S01.replace("s01", "s00/summary.json"));
    assert_eq!(said(&run, false), [missing.as_str(), "cut_short : the disk is full", UNSEALED]);
}

#[test]
fn what_was_changed_is_named_and_nothing_else() {
    check(edit("S01/stdout/00_x.log", "line", "lime"), &[&format!("changed S01/stdout/00_x.log: {CHANGED}")]);
    check(remove("S01/steps.ldjson"), &["missing S01/steps.ldjson: No such file or directory"]);
    check(remove("S01/summary.json"), &["missing S01/summary.json: No such file or directory"]);
    check(remove("S01/stdout/00_x.log"), &["missing S01/stdout/00_x.log: it was there when the run ended and is gone"]);
    check(
        |run| fs::write(run.dir.root().join("notes.txt"), "x").unwrap(),
        &["new notes.txt: it was not there when the run ended"],
    );
    check(
        edit("summary.json", "\"timeout\": 1", "\"timeout\": 2"),
        &[
            "disagrees summary.json: counts.timeout is 2, the journals say 1",
            &format!("changed summary.json: {CHANGED}"),
        ],
    );
    check(
        edit("S01/summary.json", "\"verdict\": \"fail\"", "\"verdict\": \"pass\""),
        &[
            "disagrees S01/summary.json: verdict is pass, the journals say fail",
            &format!("changed S01/summary.json: {CHANGED}"),
        ],
    );
    check(
        edit("plan.json", "\"global_seed\":20250101", "\"global_seed\":20250102"),
        &[
            "damaged plan.json: is not what its digest was made of: it was changed after it was frozen",
            &format!("changed plan.json: {CHANGED}"),
        ],
    );
    check(
        edit("inputs/flows/flow.yaml", "flow", "glow"),
        &[
            "damaged inputs/flows/flow.yaml: is not what the plan was made from",
            &format!("changed inputs/flows/flow.yaml: {CHANGED}"),
        ],
    );
}

#[test]
fn a_journal_that_was_changed_is_to_blame_and_not_its_summaries() {
    let changed = format!("changed S01/steps.ldjson: {CHANGED}");
    check(
        edit("S01/steps.ldjson", "{\"event\":\"step_spawned\"", "garbage"),
        &["damaged S01/steps.ldjson:3: expected value at line 1 column 1", &changed],
    );
    let closed = "\"event\":\"subrun_closed\"";
    check(
        |run| {
            run.edit(&format!("{S01}/steps.ldjson"), |text| {
                let (before, line) = text.split_at(text.find(closed).unwrap());
                format!("{before}{}", line.replace("\"fail\"", "\"pass\""))
            });
        },
        &[
            "disagrees S01/steps.ldjson: its summary does not agree: verdict is fail, the journals say pass",
            "disagrees S01/steps.ldjson: s01 ended fail there, pass in its own journal",
            &changed,
        ],
    );
    check(
        edit("events.ldjson", "\"exit_code\":0", "\"exit_code\":1"),
        &[
            "disagrees events.ldjson: its summary does not agree: exit_code is 0, the journals say 1",
            &format!("changed events.ldjson: {CHANGED}"),
        ],
    );
}

#[test]
fn without_a_seal_what_contradicts_the_journals_is_still_found() {
    check_unsealed(edit("S01/stdout/00_x.log", "line", "lime"), &[]);
    check_unsealed(
        edit("summary.json", "\"timeout\": 1", "\"timeout\": 2"),
        &["disagrees summary.json: counts.timeout is 2, the journals say 1"],
    );
    check_unsealed(
        edit("summary.json", "\"index\":2", "\"index\":7"),
        &["disagrees summary.json: subruns[2].index is 7, the journals say 2"],
    );
    check_unsealed(remove("S01/summary.json"), &["missing S01/summary.json: No such file or directory"]);
    check_unsealed(
        edit("S01/summary.json", "\"duration_ms\": ", "\"duration_ms\": 1"),
        &["disagrees S01/summary.json: steps[0].duration_ms is 112, the journals say 12"],
    );
    check_unsealed(
        edit("S01/summary.json", "\"index\": 1", "\"index\": \"1\""),
        &["damaged S01/summary.json: invalid type: string \"1\", expected u32 at line 4 column 14"],
    );
}

#[test]
fn numbers_of_lines_are_checked_across_journals() {
    let number = |run: &TestRun, file: &str| {
        let text = fs::read_to_string(run.dir.root().join(file)).unwrap();
        let line: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        line["seq"].as_u64().unwrap()
    };
    check_unsealed(
        |run| {
            let (last, own) = (number(run, "events.ldjson"), number(run, &format!("{S01}/steps.ldjson")));
            edit("S01/steps.ldjson", &format!("\"seq\":{own},"), &format!("\"seq\":{last},"))(run);
        },
        &["damaged S01/steps.ldjson: seq 33 stands in events.ldjson as well"],
    );
    check_unsealed(
        |run| {
            let own = number(run, &format!("{S01}/steps.ldjson"));
            edit("S01/steps.ldjson", &format!("\"seq\":{own},"), "\"seq\":1,")(run);
        },
        &["damaged S01/steps.ldjson:8: seq 1 does not follow 19"],
    );
}

#[test]
fn torn_ends_are_told_and_are_damage_only_where_they_came_later() {
    check_unsealed(
        append("events.ldjson", b"{\"ev"),
        &["torn_tail events.ldjson: torn tail of 4 bytes of no whole line"],
    );
    check_unsealed(append("S01/steps.ldjson", &[0; 512]), &["torn_tail S01/steps.ldjson: torn tail of 512 zero bytes"]);
    let run = run_of(|_| true, true);
    append("S01/steps.ldjson", &[0; 512])(&run);
    let size = fs::metadata(run.dir.root().join(S01).join("steps.ldjson")).unwrap().len() - 512;
    assert_eq!(said(&run, false), ["changed S01/steps.ldjson: 512 zero bytes follow what it was when the run ended"]);
    let mend = super::run(run.entry(), false, &mut |_| ()).findings.remove(0).mend;
    assert_eq!(mend, format!("cut them off with `truncate -s {size}`"));
    // What was cut within a line is another content.
    check(
        |run| run.edit(&format!("{S01}/steps.ldjson"), |text| text[..text.len() - 5].to_owned()),
        &[
            &format!("changed S01/steps.ldjson: {CHANGED}"),
            "torn_tail S01/steps.ldjson: torn tail of 79 bytes of no whole line",
        ],
    );
}

#[test]
fn a_seal_that_is_damaged_or_newer_is_said() {
    check(
        |run| run.edit("hashes.json", |text| text[..30].to_owned()),
        &["damaged hashes.json: EOF while parsing a string at line 3 column 5"],
    );
    check(
        edit("hashes.json", "\"format_version\": 1", "\"format_version\": 9"),
        &[&format!("newer hashes.json: {NEWER}")],
    );
    check(remove("hashes.json"), &[UNSEALED]);
}

#[test]
fn what_a_newer_version_wrote_is_no_damage() {
    check_unsealed(
        edit("plan.json", "\"format_version\":1", "\"format_version\":9"),
        &[&format!("newer plan.json: {NEWER}")],
    );
}

#[test]
fn a_run_that_was_cut_off_is_no_damage() {
    let interrupted = "interrupted : its runner died before it ended, so it is not sealed";
    let total = kit::story(&plan(2, 2), &[vec![Pass, Pass], vec![Pass, Fail], vec![Timeout], vec![]]).len();
    for cut in 1..total {
        let left = std::cell::Cell::new(cut);
        let next = |_: &RunEvent| left.replace(left.get().saturating_sub(1)) > 0;
        let run = run_of(next, false);
        assert_eq!(said(&run, false), [interrupted], "cut behind {cut}");
        assert_eq!(said(&run, true), [""; 0], "at work, behind {cut}");
        let tail = "torn_tail events.ldjson: torn tail of 4 bytes of no whole line";
        append("events.ldjson", b"{\"ev")(&run);
        assert_eq!(said(&run, false), [interrupted, tail]);
        assert_eq!(said(&run, true), [""; 0]);
    }
}

#[test]
fn files_of_killed_writers_are_left_over() {
    check(
        |run| fs::write(run.dir.root().join(".summary.json.x3Yz9a"), "{").unwrap(),
        &["left_over .summary.json.x3Yz9a: half of a file, left by a command that was killed"],
    );
    let kept = |run: &TestRun| fs::write(run.dir.root().join(".reserve-0"), [0; 9]).unwrap();
    check(kept, &["left_over .reserve-0: room that was kept back for the end of the run, by a runner that was killed"]);
    // Of a run that is to go on it is no remnant.
    let run = run_of(|event| !matches!(event, RunEvent::RunFinished(_)), false);
    kept(&run);
    assert_eq!(said(&run, false), ["interrupted : its runner died before it ended, so it is not sealed"]);
}
