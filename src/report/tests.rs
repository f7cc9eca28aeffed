//! A small run in every form: what stands in it, and that nothing hostile in it stays so.

use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::export::{Columns, RowForm, Rows, Writer};
use super::gather;
use super::gathered::Gathered;
use super::render::{self, RenderFault};
use super::template::{Form, Templates};
use crate::domain::adapter::{MetricSource, MetricSpec};
use crate::domain::event::{Evidence, Metric, RunEvent};
use crate::domain::kit::{self, World, name};
use crate::domain::plan::Plan;
use crate::domain::sanitize;
use crate::domain::verdict::Effect;
use crate::domain::verdict::Verdict::{self, Fail, Pass, Timeout};
use crate::input::render as problems;
use crate::store::record::Record;
use crate::store::test_run::{TestRun, frozen};

const HOSTILE: &str = "=cmd|' /C calc'!A0 </script><img src=x onerror=alert(1)> \u{1b}]0;t\u{7}\u{202e}`|_*\n~~~~\nend";

fn hostile_plan() -> Arc<Plan> {
    let mut world = World::grid(2, 2);
    world.flow.steps[0].repeat = 2;
    world.unit = Some("SN<b>1</b>\u{202e}".to_owned());
    let source = MetricSource::StdoutRegex("rate=([0-9.]+)".to_owned());
    let unit = Some("1/s".to_owned());
    let metric = MetricSpec { name: name("rate"), unit, source, min: None, max: None, required: false };
    world.adapter("cpu_smoke").judgement.metrics.push(metric);
    let mut plan = frozen(&world);
    Arc::make_mut(&mut plan).host.hostname = Some("bench\u{1b}[2J\u{202e}<b>".to_owned());
    plan
}

fn verdicts() -> Vec<Vec<Verdict>> {
    vec![vec![Pass, Pass], vec![Pass, Fail], vec![Timeout], vec![]]
}

/// A run with a metric and, where something failed, a hostile reason and log.
pub(super) fn hostile_run() -> TestRun {
    let plan = hostile_plan();
    let mut events = kit::story(&plan, &verdicts());
    for event in &mut events {
        let RunEvent::StepFinished(finished) = event else { continue };
        let value = if finished.verdict == Pass { 1234.5 } else { -3.0 };
        finished.metrics.insert(name("rate"), Metric { value, unit: Some("1/s".to_owned()) });
        finished.exit_code = (finished.verdict != Timeout).then_some(i32::from(finished.verdict == Fail));
        if finished.verdict > Pass {
            finished.effects.insert(Effect::Sdc);
            finished.reason = Some(HOSTILE.to_owned());
            finished.stdout_bytes = 99;
            let found = Some(HOSTILE.to_owned());
            finished.evidence.push(Evidence { check: "stdout matches `OK`".to_owned(), held: Some(false), found });
            finished.evidence.push(Evidence { check: "metric x".to_owned(), held: None, found: None });
        }
    }
    let run = TestRun::of(&plan, &kit::recorded(events));
    let sub_run = run.dir.subrun(&run.state.header.sub_run_id(4, 1)).unwrap();
    fs::write(sub_run.root().join("stdout/01_cpu-smoke.log"), format!("first\n{HOSTILE}\n")).unwrap();
    run
}

/// The rows of a run.
pub(super) fn rows(record: &Record, columns: &Columns, form: RowForm) -> String {
    let titles = columns.titles();
    let mut out = vec![];
    let mut writer = Writer::new(&titles, form, Path::new("x"), &mut out).unwrap();
    gather(record, || Rows::new(columns, &titles, form), |rows| writer.join(&rows)).unwrap();
    writer.finish().unwrap();
    String::from_utf8(out).unwrap()
}

pub(super) fn gathered(run: &TestRun) -> (Record, Gathered) {
    let record = Record::open(run.entry());
    let columns = Columns::of(&record.plan.experiment);
    let gathered = Gathered::read(&record, &columns, None).unwrap();
    (record, gathered)
}

/// The report in a form, with the templates of that workspace.
pub(super) fn rendered(run: &TestRun, workspace: &Path, form: Form) -> Result<String, String> {
    let (record, gathered) = gathered(run);
    let shown = |bad: super::template::BadTemplate| problems::render(&bad.problems, &bad.sources, false);
    let templates = Templates::load(workspace, form).map_err(shown)?;
    let facts = render::facts(&record, &gathered).unwrap();
    let mut out = vec![];
    match render::render(&record, &gathered, &facts, &templates, &mut out) {
        Ok(()) => Ok(String::from_utf8(out).unwrap()),
        Err(RenderFault::Template(bad)) => Err(shown(*bad)),
        Err(RenderFault::Write(error)) => Err(error.to_string()),
    }
}

#[test]
fn csv_rows_are_inert_and_complete() {
    let run = hostile_run();
    let record = Record::open(run.entry());
    insta::assert_snapshot!(rows(&record, &Columns::of(&record.plan.experiment), RowForm::Csv), @r"
    run_id,unit,subrun,subrun_index,index,step,adapter,combination,repetition,attempt,verdict,effects,exit_code,signal,started_at,duration_ms,seed,core.frequency_mhz,core.voltage_mv,applied.core.frequency,applied.core.voltage,param.fcore,param.vcore,metric.rate,reason
    rr-20250101T010101Z-abc123,SN<b>1</b>\u{202e},rr-20250101T010101Z-abc123-s00,0,0,cpu-smoke,cpu_smoke,,0,1,pass,,0,,1970-01-01T00:00:05.988Z,12,1121014604,3000,1000,adapter,adapter,3GHz,1000mV,1234.5,
    rr-20250101T010101Z-abc123,SN<b>1</b>\u{202e},rr-20250101T010101Z-abc123-s00,0,1,cpu-smoke,cpu_smoke,,1,1,pass,,0,,1970-01-01T00:00:08.988Z,12,2027875550,3000,1000,adapter,adapter,3GHz,1000mV,1234.5,
    rr-20250101T010101Z-abc123,SN<b>1</b>\u{202e},rr-20250101T010101Z-abc123-s01,1,0,cpu-smoke,cpu_smoke,,0,1,pass,,0,,1970-01-01T00:00:15.988Z,12,151123190,3000,999,adapter,adapter,3GHz,999mV,1234.5,
    rr-20250101T010101Z-abc123,SN<b>1</b>\u{202e},rr-20250101T010101Z-abc123-s01,1,1,cpu-smoke,cpu_smoke,,1,1,fail,sdc,1,,1970-01-01T00:00:18.988Z,12,1977549797,3000,999,adapter,adapter,3GHz,999mV,-3,'=cmd|' /C calc'!A0 </script><img src=x onerror=alert(1)> \u{1b}]0;t\u{7}\u{202e}`|_*\u{a}~~~~\u{a}end
    rr-20250101T010101Z-abc123,SN<b>1</b>\u{202e},rr-20250101T010101Z-abc123-s02,2,0,cpu-smoke,cpu_smoke,,0,1,timeout,sdc,,15,1970-01-01T00:00:25.988Z,12,1451227784,3001,1000,adapter,adapter,3.001GHz,1000mV,-3,'=cmd|' /C calc'!A0 </script><img src=x onerror=alert(1)> \u{1b}]0;t\u{7}\u{202e}`|_*\u{a}~~~~\u{a}end
    ");
}

#[test]
fn json_rows_are_typed() {
    let run = hostile_run();
    let record = Record::open(run.entry());
    let columns = Columns::of(&record.plan.experiment);
    let text = rows(&record, &columns, RowForm::Json);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!((rows.len(), text.lines().count()), (5, 7));
    assert!(!text.chars().any(sanitize::is_hostile));
    insta::assert_snapshot!(sanitize::json(&serde_json::to_string_pretty(&rows[3]).unwrap()), @r#"
    {
      "adapter": "cpu_smoke",
      "applied.core.frequency": "adapter",
      "applied.core.voltage": "adapter",
      "attempt": 1,
      "combination": "",
      "core.frequency_mhz": 3000,
      "core.voltage_mv": 999,
      "duration_ms": 12,
      "effects": "sdc",
      "exit_code": 1,
      "index": 1,
      "metric.rate": -3,
      "param.fcore": "3GHz",
      "param.vcore": "999mV",
      "reason": "=cmd|' /C calc'!A0 </script><img src=x onerror=alert(1)> \u001b]0;t\u0007\u202e`|_*\n~~~~\nend",
      "repetition": 1,
      "run_id": "rr-20250101T010101Z-abc123",
      "seed": 1977549797,
      "signal": null,
      "started_at": "1970-01-01T00:00:18.988Z",
      "step": "cpu-smoke",
      "subrun": "rr-20250101T010101Z-abc123-s01",
      "subrun_index": 1,
      "unit": "SN<b>1</b>\u202e",
      "verdict": "fail"
    }
    "#);
    let titles: Vec<&String> = rows[0].as_object().unwrap().keys().collect();
    let mut expected = columns.titles();
    expected.sort();
    assert_eq!(titles, expected.iter().collect::<Vec<_>>());
}

#[test]
fn a_run_without_a_plan_has_the_columns_of_its_journals() {
    let run = hostile_run();
    let planned = Columns::of(&run.state.plan.experiment);
    fs::remove_file(run.dir.plan()).unwrap();
    let record = Record::open(run.entry());
    let mut found = Columns::default();
    let Ok(_) = gather(&record, Columns::default, |part| {
        found.join(part);
        Ok::<(), Infallible>(())
    });
    assert_eq!(found, planned);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a report, whole")]
fn markdown() {
    let workspace = tempfile::tempdir().unwrap();
    let text = rendered(&hostile_run(), workspace.path(), Form::Markdown).unwrap();
    insta::assert_snapshot!(text, @r"
    # Road Runner: flow x margin: timeout

    **T timeout**: the unit failed in 2 of 4 sub-runs; inconclusive in 1 of 4 sub-runs; passed in 1 of 4 sub-runs

    **Parts of this record could not be read.** What follows is what is left.

    - Damage: sysinfo.json: No such file or directory

    **No proof declared:** cpu\_smoke.
    A pass there rests on the exit code alone.

    | Fact | Value |
    |---|---|
    | unit | SN&lt;b&gt;1&lt;/b&gt;\\u{202e} |
    | run | rr-20250101T010101Z-abc123 |
    | host | bench\\u{1b}\[2J\\u{202e}&lt;b&gt; |
    | started | 1970-01-01T00:00:01.000Z |
    | ended | 1970-01-01T00:00:33.000Z |
    | took | 32.0s |
    | status | completed |
    | exit code | 0: everything passed |
    | done | 4 of 4 sub-runs, 5 of 8 executions |
    | sub-runs | + pass 1, X fail 1, T timeout 1, \~ inconclusive or rail not applied 1 |
    | policy | safety |
    | seed | 20250101 |
    | plan digest | 5a78379f93bd5cc34f9d8ce3f25b6565208d3f4ff9aa9cff9c01933fbe8470c8 |

    ## Shmoo: core.voltage over core.frequency

    ~~~~text
    | + T | 1000mV
    | X ~ | 999mV

    Y: core.voltage, increasing upward
    X: core.frequency: 3GHz, 3.001GHz

      +  pass: 1
      X  fail: 1
      T  timeout: 1
      ~  inconclusive or rail not applied: 1
    ~~~~

    ### Edges along core.voltage

    - At 3GHz: last pass 1000mV, first fail 999mV downward (s01)
    - At 3.001GHz: fails from 1000mV on downward: the boundary is outside the range, not proven or not applied at 999mV left out (s02)

    ## Bounds in force

    | Rail field | Allowed | Planned | Below | Above | | Applied by | From |
    |---|---|---|---:|---:|---|---|---|
    | core.frequency | 0MHz .. 1000000GHz | 3GHz .. 3.001GHz | 3GHz | 999996.999GHz |  | adapter | policy/safety.yaml:11:3 |
    | core.voltage | 0mV .. 1000000000mV | 999mV .. 1000mV | 999mV | 999999000mV |  | adapter | policy/safety.yaml:10:3 |
    | mem.frequency | 0MHz .. 1000000GHz | not planned |  |  |  |  | policy/safety.yaml:13:3 |
    | mem.voltage | 0mV .. 1000000000mV | not planned |  |  |  |  | policy/safety.yaml:12:3 |
    | soc.frequency | 0MHz .. 1000000GHz | not planned |  |  |  |  | policy/safety.yaml:15:3 |
    | soc.voltage | 0mV .. 1000000000mV | not planned |  |  |  |  | policy/safety.yaml:14:3 |

    | Limit | Value | From |
    |---|---:|---|
    | max\_subruns | 1000000 | test.yaml:1:1 |
    | max\_step\_timeout | 1h | default |
    | max\_log | 256MiB | default |

    ## Flow steps

    | Step | Quantity | Unit | Count | Min | Mean | Max | Outcomes |
    |---|---|---|---:|---:|---:|---:|---|
    | cpu-smoke | time | | 5 | 12ms | 12ms | 12ms | + pass 3, X fail 1, T timeout 1 |
    | | rate | 1/s | 5 | -3 | 739.5 | 1234.5 | |

    ## Failures

    ### X s01 core 3GHz 999mV: cpu-smoke

    Ended fail, exit 1, after 12ms, effects sdc: =cmd\|' /C calc'!A0 &lt;/script&gt;&lt;img src=x onerror=alert(1)&gt; \\u{1b}\]0;t\\u{7}\\u{202e}\`\|\_\*\\u{a}\~\~\~\~\\u{a}end

    - Execution 1, adapter cpu\_smoke, repetition 1, attempt 1, seed 1977549797, started 1970-01-01T00:00:18.988Z
    - Metrics: rate -3 1/s
    - Check **did not hold**: stdout matches \`OK\`; found =cmd\|' /C calc'!A0 &lt;/script&gt;&lt;img src=x onerror=alert(1)&gt; \\u{1b}\]0;t\\u{7}\\u{202e}\`\|\_\*\\u{a}\~\~\~\~\\u{a}end
    - Check **not checked**: metric x

    ~~~~text
    $ --vcore 999 --fcore 3000

    stdout: 99 bytes, subruns/rr-20250101T010101Z-abc123-s01/stdout/01_cpu-smoke.log
    first
    =cmd|' /C calc'!A0 </script><img src=x onerror=alert(1)> `|_*
    ~ ~~~
    end

    stderr: missing, subruns/rr-20250101T010101Z-abc123-s01/stderr/01_cpu-smoke.log
    ~~~~

    ### T s02 core 3.001GHz 1000mV: cpu-smoke

    Ended timeout, signal 15, after 12ms, effects sdc: =cmd\|' /C calc'!A0 &lt;/script&gt;&lt;img src=x onerror=alert(1)&gt; \\u{1b}\]0;t\\u{7}\\u{202e}\`\|\_\*\\u{a}\~\~\~\~\\u{a}end

    - Execution 0, adapter cpu\_smoke, repetition 0, attempt 1, seed 1451227784, started 1970-01-01T00:00:25.988Z
    - Metrics: rate -3 1/s
    - Check **did not hold**: stdout matches \`OK\`; found =cmd\|' /C calc'!A0 &lt;/script&gt;&lt;img src=x onerror=alert(1)&gt; \\u{1b}\]0;t\\u{7}\\u{202e}\`\|\_\*\\u{a}\~\~\~\~\\u{a}end
    - Check **not checked**: metric x

    ~~~~text
    $ --vcore 1000 --fcore 3001

    stdout: missing, subruns/rr-20250101T010101Z-abc123-s02/stdout/00_cpu-smoke.log

    stderr: missing, subruns/rr-20250101T010101Z-abc123-s02/stderr/00_cpu-smoke.log
    ~~~~

    ## Executions

    | Sub-run | Point | # | Step | Combination | Rep | Outcome | Effects | Ended | Took | Metrics | Reason |
    |---|---|---:|---|---|---:|---|---|---|---:|---|---|
    | s00 | core 3GHz 1000mV | 0 | cpu-smoke |  | 0 | + pass |  | exit 0 | 12ms | rate 1234.5 1/s |  |
    | s00 | core 3GHz 1000mV | 1 | cpu-smoke |  | 1 | + pass |  | exit 0 | 12ms | rate 1234.5 1/s |  |
    | s01 | core 3GHz 999mV | 0 | cpu-smoke |  | 0 | + pass |  | exit 0 | 12ms | rate 1234.5 1/s |  |
    | s01 | core 3GHz 999mV | 1 | cpu-smoke |  | 1 | X fail | sdc | exit 1 | 12ms | rate -3 1/s | =cmd\|' /C calc'!A0 &lt;/script&gt;&lt;img src=x onerror=alert(1)&gt; \\u{1b}\]0;t\\u{7}\\u{202e}\`\|\_\*\\u{a}\~\~\~\~\\u{a}end |
    | s02 | core 3.001GHz 1000mV | 0 | cpu-smoke |  | 0 | T timeout | sdc | signal 15 | 12ms | rate -3 1/s | =cmd\|' /C calc'!A0 &lt;/script&gt;&lt;img src=x onerror=alert(1)&gt; \\u{1b}\]0;t\\u{7}\\u{202e}\`\|\_\*\\u{a}\~\~\~\~\\u{a}end |

    ## Host

    | Fact | Value |
    |---|---|
    | host | bench\\u{1b}\[2J\\u{202e}&lt;b&gt; |
    | CPU | not available |
    | cores | not available |
    | logical CPUs | not available |
    | memory | not available |
    | board | not available |
    | kernel | not available |
    | microcode | not available |

    ## Inputs and programs

    | Input | Kind | Since then | SHA-256 |
    |---|---|---|---|
    | flows/flow.yaml | flow | same | 3d9fb0c3e69d7f6df56c46ae163a5de26b31e4a686b5d6b5016c9e4fd60c13f5 |

    | Adapter | Path | Version | Proof of work | SHA-256 |
    |---|---|---|---|---|
    | cpu\_smoke | diags/cpu\_smoke.sh |  | **none declared** | hash of diags/cpu\_smoke.sh |

    Road Runner 0.1.0, format 1. To run it again:

    ~~~~sh
    road_runner rerun rr-20250101T010101Z-abc123
    ~~~~
    ");
}

#[test]
fn html_escapes_everything_and_carries_its_rows() {
    let workspace = tempfile::tempdir().unwrap();
    let html = rendered(&hostile_run(), workspace.path(), Form::Html).unwrap();
    assert!(!html.contains("<img"), "an element out of a log");
    assert!(!html.contains("SN<b>"), "an element out of the unit's name");
    for hostile in ['\u{1b}', '\u{7}', '\u{202e}'] {
        assert!(!html.contains(hostile), "{hostile:?}");
    }
    for outside in ["http:", "https:", "//cdn", "@import", "src=\"", "javascript:"] {
        assert!(!html.contains(outside), "{outside}");
    }
    let (_, data) = html.split_once("<script type=\"application/json\" id=\"data\">").unwrap();
    let data: serde_json::Value = serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap();
    assert_eq!((data["subruns"].as_array().unwrap().len(), data["rows"].as_array().unwrap().len()), (4, 5));
    assert_eq!(data["metrics"], serde_json::json!([["rate", "1/s"]]));
    assert_eq!(data["rows"][3][11], serde_json::json!([-3]));
    // Rendered again it is the same to the byte.
    let workspace = tempfile::tempdir().unwrap();
    assert_eq!(rendered(&hostile_run(), workspace.path(), Form::Html).unwrap(), html);
}

/// The page for people names everything that a template can use, and nothing else.
#[test]
fn the_page_about_templates_is_current() {
    use std::collections::BTreeSet;
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reports.md")).unwrap();
    let columns = page.split_once("## Columns of an export").unwrap().1.split_once("## Templates").unwrap().0;
    for name in super::export::FIXED {
        assert!(columns.contains(&format!("`{name}`")), "the column {name}");
    }
    let table = page.split_once("| at the top |").unwrap().1;
    let said = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let rows: Vec<(Vec<String>, Vec<String>)> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
        .map(|(names, what)| (said(names), said(what)))
        .collect();
    let run = hostile_run();
    let (record, gathered) = gathered(&run);
    let facts = render::facts(&record, &gathered).unwrap().data().clone();
    let top: BTreeSet<&String> = facts.as_object().unwrap().keys().collect();
    let named: BTreeSet<&String> = rows.iter().flat_map(|(names, _)| names).collect();
    assert_eq!(named, top);
    // What stands within: of everything that has fields here.
    let within = |name: &str| rows.iter().find(|(names, _)| names.iter().any(|n| n == name)).unwrap().1.clone();
    let check = |name: &str, value: &serde_json::Value| {
        let value = value.as_array().map_or(value, |list| &list[0]);
        for field in value.as_object().unwrap().keys() {
            assert!(within(name).contains(field), "{name} has `{field}`, the page does not");
        }
    };
    for name in ["bounds", "grid", "flow_steps", "host_facts", "inputs", "programs", "tallies", "planned"] {
        check(name, &facts[name]);
    }
    let told = serde_json::to_value(super::hardware_tests::facts()).unwrap();
    for name in ["rails", "evidence"] {
        check(name, &told[name]);
        for list in told[name].as_object().unwrap().values().filter(|value| value.is_array()) {
            check(name, list);
        }
    }
    check("bounds", &facts["bounds"]["rails"]);
    check("bounds", &facts["bounds"]["limits"]);
    check("grid", &facts["grid"]["edges"]);
    check("flow_steps", &facts["flow_steps"][0]["metrics"]);
    check("failures", &facts["failures"][0]["checks"]);
    check("failures", &facts["failures"][0]["stdout"]);
    let row = super::row::Row::all(&run.state, 1).next().unwrap().shown();
    check("steps", &serde_json::to_value(row).unwrap());
}
