//! Schemas of JSON artifacts, made from the types that write and read them. They say what is written: a key that is always
//! there is required, though readers may do without it. What readers let pass, a field unknown to them, is let pass here.

use std::sync::LazyLock;

use regex::Regex;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use crate::domain::event::{Journal, RunEvent};
use crate::domain::evidence::{NOT_CHECKED, SourceId};
use crate::domain::plan::{self, Plan};
use crate::domain::summary::{self, RunSummary, SubRunRow, SubRunSummary};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::host::sysinfo::Sysinfo;
use crate::report::export::FIXED;
use crate::store::lock::Holder;
use crate::store::seal::{self, Seal};

/// Every artifact's schema by its name.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        record::<Plan>("plan", "plan.json", plan::FORMAT_VERSION),
        record::<RunSummary<Vec<SubRunRow>>>("summary", "summary.json of a run", summary::FORMAT_VERSION),
        record::<SubRunSummary>("subrun-summary", "summary.json of a sub-run", summary::FORMAT_VERSION),
        record::<Sysinfo>("sysinfo", "sysinfo.json", Sysinfo::FORMAT_VERSION),
        journal("events", "A line of events.ldjson", Journal::Run),
        journal("steps", "A line of a sub-run's steps.ldjson", Journal::SubRun),
        lock(),
        record::<Seal>("hashes", "hashes.json", seal::FORMAT_VERSION),
        export(),
    ]
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_serialize().into_generator()
}

fn record<T: JsonSchema>(name: &'static str, title: &str, version: u32) -> (&'static str, Value) {
    let mut schema = generator().into_root_schema_for::<T>().to_value();
    let place = &mut schema["properties"]["format_version"];
    *place = json!({ "const": version, "description": "The version of this document's format." });
    (name, finished(name, title, schema))
}

/// Any line of a journal: what all have, and what each event adds.
fn journal(name: &'static str, title: &str, journal: Journal) -> (&'static str, Value) {
    let mut generator = generator();
    let at = generator.subschema_for::<Timestamp>();
    let events: Vec<_> = RunEvent::schemas(&mut generator).into_iter().filter(|event| event.1 == journal).collect();
    let names: Vec<&str> = events.iter().map(|event| event.0).collect();
    let one_of: Vec<Value> = events
        .iter()
        .map(|(name, _, body)| {
            let mut schema = body.clone().to_value();
            schema["properties"] = json!({ "event": { "const": name } });
            schema["title"] = (*name).into();
            schema
        })
        .collect();
    let mut schema = json!({
        "type": "object",
        "description": "Fields that are not named here are of a newer version.",
        "properties": {
            "event": { "enum": names, "description": "What happened." },
            "seq": { "type": "integer", "minimum": 0, "maximum": u64::MAX, "description": "Increasing within the run." },
            "at": at,
        },
        "required": ["event", "seq", "at"],
        "oneOf": one_of,
    });
    // Also the events of the other journal were asked for; only what is referred to stays.
    let mut definitions = Value::Object(generator.take_definitions(true));
    loop {
        let text = schema.to_string() + &definitions.to_string();
        let before = definitions.as_object().map_or(0, serde_json::Map::len);
        if let Value::Object(map) = &mut definitions {
            map.retain(|name, _| text.contains(&format!("\"#/$defs/{name}\"")));
        }
        if definitions.as_object().map_or(0, serde_json::Map::len) == before {
            break;
        }
    }
    schema["$defs"] = definitions;
    (name, finished(name, title, schema))
}

/// Who executes the run, or did last; it does as long as the file is locked.
// As `Holder`, to whose keys the conversion below holds it.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "it is made for its schema, never for its values")]
struct LockFile {
    /// Process id of the runner.
    pid: u32,
    /// Its start time in clock ticks since boot.
    start_ticks: u64,
    /// The boot in which it started.
    boot_id: String,
    /// Host name.
    host: String,
    /// The run it executes.
    run_id: String,
}

impl From<Holder> for LockFile {
    fn from(Holder { pid, start_ticks, boot_id, host, run_id }: Holder) -> Self {
        Self { pid, start_ticks, boot_id, host, run_id }
    }
}

fn lock() -> (&'static str, Value) {
    let schema = generator().into_root_schema_for::<LockFile>().to_value();
    ("lock", finished("lock", "lock", schema))
}

/// The rows of `export --format json`: the columns that every run has, and those of its plan.
fn export() -> (&'static str, Value) {
    let mut generator = generator();
    let at = generator.subschema_for::<Timestamp>();
    let verdicts = Verdict::ALL.map(|verdict| json!(verdict.as_str())).into_iter().chain([Value::Null]);
    let verdicts: Vec<Value> = verdicts.collect();
    let column = |name: &str| match name {
        "subrun_index" | "index" | "repetition" | "attempt" | "seed" => {
            json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })
        }
        "exit_code" | "signal" | "duration_ms" => json!({ "type": ["integer", "null"] }),
        "verdict" => json!({ "enum": verdicts }),
        "unit" | "reason" => json!({ "type": ["string", "null"] }),
        "started_at" => at.clone().to_value(),
        _ => json!({ "type": "string" }),
    };
    let columns: serde_json::Map<String, Value> = FIXED.iter().map(|name| ((*name).to_owned(), column(name))).collect();
    let name = "[a-z0-9][a-z0-9_-]*";
    let sources = SourceId::ALL.iter().map(|source| source.as_str()).collect::<Vec<_>>().join("|");
    let row = json!({
        "type": "object",
        "properties": columns,
        "required": FIXED,
        "patternProperties": {
            format!("^{name}\\.(voltage_mv|frequency_mhz)$"): { "type": ["number", "null"], "minimum": 0 },
            format!("^applied\\.{name}\\.(voltage|frequency)$"): { "enum": ["adapter", "controller", "none", null] },
            format!("^param\\.{name}$"): { "type": ["number", "string", "boolean", "null"] },
            format!("^metric\\.{name}$"): { "type": ["number", "null"] },
            format!("^evidence\\.({sources})$"): { "oneOf": [{ "type": "integer" }, { "const": NOT_CHECKED }] },
        },
        "additionalProperties": false,
    });
    let mut schema = json!({
        "type": "array",
        "items": row,
        "description": "A row for every execution that began; what is not there is null.",
    });
    let definitions = Value::Object(generator.take_definitions(true));
    if definitions.as_object().is_some_and(|map| !map.is_empty()) {
        schema["$defs"] = definitions;
    }
    ("export", finished("export", "export.json", schema))
}

fn finished(name: &str, title: &str, mut schema: Value) -> Value {
    tidy(&mut schema);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["$id"] = format!("urn:road-runner:{name}").into();
    schema["title"] = title.into();
    schema
}

/// Says bounds of numbers rather than types of Rust, no defaults of readers, and descriptions without rustdoc's links.
fn tidy(schema: &mut Value) {
    static LINK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\[(`[^`]*`)\](\([^)]*\))?").unwrap());
    static SOME: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"`Some\(([^)]*)\)`").unwrap());
    match schema {
        Value::Array(list) => list.iter_mut().for_each(tidy),
        Value::Object(map) => {
            let bounds = match map.get("format").and_then(Value::as_str) {
                Some("uint32") => Some((json!(0), json!(u32::MAX))),
                Some("int32") => Some((json!(i32::MIN), json!(i32::MAX))),
                Some("uint64") => Some((json!(0), json!(u64::MAX))),
                Some("int64") => Some((json!(i64::MIN), json!(i64::MAX))),
                Some("uint8") => Some((json!(0), json!(u8::MAX))),
                Some("double") | None => None,
                Some(other) => panic!("what does {other} bound?"),
            };
            if map.get("format").is_some_and(Value::is_string) {
                map.remove("format");
            }
            if let Some((minimum, maximum)) = bounds {
                map.insert("minimum".to_owned(), minimum);
                map.insert("maximum".to_owned(), maximum);
            }
            if let Some(Value::String(text)) = map.get_mut("description") {
                let plain = LINK.replace_all(text, "$1").replace('\n', " ");
                *text = SOME.replace_all(&plain.replace("`None`", "null"), "$1").into_owned();
            }
            if map.get("default").is_some_and(|value| !value.is_object() || value == &json!({})) {
                map.remove("default");
            }
            map.values_mut().for_each(tidy);
        }
        _ => {}
    }
}
