//! What runs leave, file by file and line by line, against the schemas; and damaged, against what reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use jsonschema::Validator;
use road_runner::domain::plan::Plan;
use road_runner::domain::summary::{RunSummary, SubRunRow, SubRunSummary};
use road_runner::host::sysinfo::Sysinfo;
use road_runner::store::seal::Seal;
use road_runner::store::{journal, lock};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::rich::Workspace;
use super::{closed, schema, validator};

const NAMES: [&str; 8] = ["plan", "summary", "subrun-summary", "sysinfo", "events", "steps", "lock", "hashes"];

/// Every document and line that a run holds, with the name of its schema.
fn artifacts(run: &Path) -> Vec<(&'static str, Value)> {
    let mut found = vec![];
    let mut take = |name: &'static str, path: &Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        let texts: Vec<&str> =
            if path.extension().is_some_and(|e| e == "ldjson") { text.lines().collect() } else { vec![&text] };
        found.extend(
            texts.iter().filter(|text| !text.is_empty()).map(|text| (name, serde_json::from_str(text).unwrap())),
        );
    };
    for (name, file) in [
        ("plan", "plan.json"),
        ("summary", "summary.json"),
        ("sysinfo", "sysinfo.json"),
        ("events", "events.ldjson"),
        ("lock", "lock"),
        ("hashes", "hashes.json"),
    ] {
        take(name, &run.join(file));
    }
    for sub_run in fs::read_dir(run.join("subruns")).into_iter().flatten().map(|entry| entry.unwrap().path()) {
        take("subrun-summary", &sub_run.join("summary.json"));
        take("steps", &sub_run.join("steps.ldjson"));
    }
    found
}

struct Schemas(BTreeMap<&'static str, [Validator; 2]>);

impl Schemas {
    fn new() -> Self {
        Self(NAMES.into_iter().map(|name| (name, [validator(&schema(name)), closed(name)])).collect())
    }

    /// Whether everything that a run holds fits, and nothing of it is undescribed.
    fn check(&self, run: &Path) -> Vec<(&'static str, Value)> {
        let artifacts = artifacts(run);
        for (name, artifact) in &artifacts {
            for validator in &self.0[name] {
                let faults: Vec<String> = validator
                    .iter_errors(artifact)
                    .map(|error| format!("{}: {error}", error.instance_path()))
                    .collect();
                assert!(faults.is_empty(), "{name}: {artifact}\n{}", faults.join("\n"));
            }
        }
        artifacts
    }
}

#[test]
fn what_runs_leave_fits() {
    let schemas = Schemas::new();
    let workspace = Workspace::new();
    let mut seen = BTreeSet::new();
    let mut note = |artifacts: Vec<(&'static str, Value)>| {
        for (name, artifact) in artifacts {
            let event = artifact.get("event").and_then(Value::as_str).unwrap_or_default();
            seen.insert(format!("{name} {event}").trim().to_owned());
        }
    };
    for (words, code) in [
        ("run --yes --no-tui -q --flow sample_flow --margin sample_margin --unit SN1", 0),
        ("run --yes --no-tui -q --flow shmoo_demo --margin shmoo_demo", 1),
        ("run --yes --no-tui -q --flow vc707 --margin vc707", 1),
        ("run --yes --no-tui -q --flow rich --margin rich --max-fail 2", 1),
        ("run --yes --no-tui -q --flow rich --margin recipes --unit SN1", 1),
        ("run --yes --no-tui -q --flow rich --margin rich --dry-run", 0),
        ("plan -q --flow rich --margin rich", 0),
    ] {
        note(schemas.check(&workspace.run(words, code)));
    }
    note(schemas.check(&workspace.interrupted(|run| drop(schemas.check(run)))));
    let events = ["cancelling", "evidence_sources", "run_finished", "run_started", "subrun_finished", "subrun_started"];
    let steps = [
        "rail_held",
        "rail_moving",
        "rail_restored",
        "step_finished",
        "step_spawned",
        "step_started",
        "subrun_closed",
        "subrun_opened",
    ];
    let mut expected: BTreeSet<String> = NAMES.iter().map(|name| (*name).to_owned()).collect();
    expected.retain(|name| name != "events" && name != "steps");
    expected.extend(events.iter().map(|event| format!("events {event}")));
    expected.extend(steps.iter().map(|event| format!("steps {event}")));
    assert_eq!(seen, expected);
}

/// Rows are the one artifact that a run leaves only when it is asked to.
#[test]
fn exported_rows_fit() {
    let workspace = Workspace::new();
    let validator = validator(&schema("export"));
    for words in [
        "run --yes --no-tui -q --flow rich --margin rich --max-fail 2",
        "run --yes --no-tui -q --flow rich --margin recipes --unit SN1",
    ] {
        let run = workspace.run(words, 1);
        let id = run.file_name().unwrap().to_str().unwrap().to_owned();
        let rows: Value =
            serde_json::from_slice(&workspace.output(&format!("export --format json --out - --run {id}"))).unwrap();
        let faults: Vec<String> =
            validator.iter_errors(&rows).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        assert!(rows.as_array().is_some_and(|rows| rows.len() > 2));
        let spoilt = |change: &dyn Fn(&mut Value)| {
            let mut rows = rows.clone();
            change(&mut rows[0]);
            assert!(!validator.is_valid(&rows), "{}", rows[0]);
        };
        spoilt(&|row| row["verdict"] = json!("good"));
        spoilt(&|row| row["metric.x"] = json!("1"));
        spoilt(&|row| row["core.voltage_uv"] = json!(1));
        spoilt(&|row| drop(row.as_object_mut().unwrap().remove("signal")));
    }
}

fn reads<T: DeserializeOwned>(artifact: &Value) -> bool {
    serde_json::from_value::<T>(artifact.clone()).is_ok()
}

/// Whether our own reader takes an artifact.
fn is_read(name: &str, artifact: &Value) -> bool {
    match name {
        "plan" => reads::<Plan>(artifact),
        "summary" => reads::<RunSummary<Vec<SubRunRow>>>(artifact),
        "subrun-summary" => reads::<SubRunSummary>(artifact),
        "sysinfo" => reads::<Sysinfo>(artifact),
        "lock" => reads::<lock::Holder>(artifact),
        "hashes" => reads::<Seal>(artifact),
        // An event that is not known is passed over, which is not being read.
        _ => matches!(journal::decode(artifact.to_string().as_bytes()), Ok(Some(_))),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Done {
    /// A key is no longer there.
    KeyLost,
    /// There is a key that nobody knows.
    KeyAdded,
    /// Another value.
    Changed,
}

/// Every artifact that differs from `whole` in one place.
fn mutants(whole: &Value) -> Vec<(String, Done, Value)> {
    fn places(value: &Value, pointer: &str, found: &mut Vec<String>) {
        found.push(pointer.to_owned());
        match value {
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                places(value, &format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }),
            // Of a long list the beginning shows all.
            Value::Array(list) => {
                list.iter()
                    .take(3)
                    .enumerate()
                    .for_each(|(at, value)| places(value, &format!("{pointer}/{at}"), found));
            }
            _ => {}
        }
    }
    let others =
        [json!(null), json!(true), json!(1), json!(-1), json!(1.5), json!("text"), json!(["x"]), json!({ "x": 1 })];
    let mut pointers = vec![];
    places(whole, "", &mut pointers);
    let mut found = vec![];
    for pointer in pointers {
        let old = whole.pointer(&pointer).unwrap();
        let mut change = |what: String, done: Done, change: &dyn Fn(&mut Value)| {
            let mut mutant = whole.clone();
            change(mutant.pointer_mut(&pointer).unwrap());
            if mutant != *whole {
                found.push((format!("{pointer}: {what}"), done, mutant));
            }
        };
        for other in &others {
            let lost = old.is_object() && (other.is_object() || other.is_array());
            let done = if lost { Done::KeyLost } else { Done::Changed };
            change(format!("{other} instead of {old}"), done, &|place| *place = other.clone());
        }
        let Some(map) = old.as_object() else { continue };
        for key in map.keys() {
            let without = |place: &mut Value| place.as_object_mut().unwrap().remove(key).unwrap();
            change(format!("without {key}"), Done::KeyLost, &|place| drop(without(place)));
            change(format!("{key} misspelt"), Done::KeyLost, &|place| {
                let value = without(place);
                place[format!("{key}X")] = value;
            });
        }
        change("a key of its own".to_owned(), Done::KeyAdded, &|place| place["unheard_of"] = json!(1));
    }
    found
}

#[test]
fn what_is_damaged_is_refused_by_schema_and_reader_alike() {
    let workspace = Workspace::new();
    let mut artifacts = vec![];
    for (words, code) in [
        ("run --yes --no-tui -q --flow rich --margin rich --max-fail 2 --unit SN1", 1),
        ("plan -q --flow rich --margin recipes", 0),
    ] {
        artifacts.extend(super::artifacts::artifacts(&workspace.run(words, code)));
    }
    // One of each kind, and of each event; of summaries of sub-runs one that has steps.
    let mut whole = BTreeMap::new();
    for (name, artifact) in artifacts {
        let kind = artifact.get("event").map_or_else(|| artifact.get("flow").cloned(), |event| Some(event.clone()));
        whole.entry((name, kind.map(|kind| kind.to_string()))).or_insert(artifact);
    }
    let mut disagreements = vec![];
    let (mut tried, mut refused) = (0, 0);
    for ((name, _), whole) in &whole {
        let validator = validator(&schema(name));
        for (what, done, mutant) in mutants(whole) {
            let (fits, read) = (validator.is_valid(&mutant), is_read(name, &mutant));
            tried += 1;
            refused += usize::from(!fits);
            // What is always written is required, and what is read may do without; so may the format's number be lower.
            // A newer program may know more sources of evidence; what they look like nobody can say.
            let newer =
                (what.starts_with("/sources") || what.contains("/observed")) && what.ends_with("a key of its own");
            let stricter = done == Done::KeyLost || newer || what.starts_with("/format_version");
            if fits != read && !(read && stricter) {
                disagreements.push(format!("{name} {what}: schema {fits}, reader {read}"));
            }
        }
    }
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    assert!(tried > 5_000 && refused > tried / 2, "{refused} of {tried} refused");
}
