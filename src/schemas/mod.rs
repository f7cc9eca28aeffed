//! The JSON Schemas in `docs/schemas/`: of every YAML document, made from the tables of keys that its reader uses, and of
//! every JSON artifact, made from the types that write and read it. In tests only; the program carries none of it.

mod artifacts;
mod documents;
pub mod editor;
mod full;
mod mutants;
mod patterns;
mod refinements;
mod values;

use std::any::type_name;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

use crate::domain::event::{Journal, Recorded, RunEvent};
use crate::domain::flow::Flow;
use crate::domain::keymap::Keymap;
use crate::domain::margin::MarginProfile;
use crate::domain::policy::{Profile, SafetyPolicy};
use crate::domain::time::Timestamp;
use crate::input::adapter::{self, Manifest};
use crate::input::catalogue::document;
use crate::input::doc::Doc;
use crate::input::source::Source;
use crate::input::theme::ThemeDocument;
use crate::input::yaml::Node;
use crate::input::{margin, policy};
use crate::store::journal::encode;

/// The variable that has the files written instead of compared.
const BLESS: &str = "ROAD_RUNNER_BLESS";

/// Every schema by the name of its file.
fn all() -> BTreeMap<&'static str, Value> {
    documents::all().into_iter().chain(artifacts::all()).collect()
}

/// The schemas of YAML documents, ready to be asked.
static VALIDATORS: LazyLock<BTreeMap<&'static str, Validator>> =
    LazyLock::new(|| documents::all().iter().map(|(name, schema)| (*name, validator(schema))).collect());

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::new(schema).unwrap_or_else(|error| panic!("{error}"))
}

/// Whether the schema called `name` accepts a document.
fn fits(name: &str, document: &Value) -> bool {
    VALIDATORS[name].is_valid(document)
}

/// What the schema called `name` has against a document, a line each.
fn faults(name: &str, document: &Value) -> Vec<String> {
    VALIDATORS[name].iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// Called with every text that a reader has accepted in any test: its schema must accept it too.
pub fn accepts_what_was_read<T>(text: &str) {
    let names = [
        (type_name::<Flow>(), "flow"),
        (type_name::<MarginProfile>(), "margin"),
        (type_name::<SafetyPolicy>(), "policy"),
        (type_name::<Profile>(), "profile"),
        (type_name::<Manifest>(), "adapter"),
        (type_name::<ThemeDocument>(), "theme"),
        (type_name::<Keymap>(), "keys"),
    ];
    let Some((_, name)) = names.iter().find(|(read, _)| *read == type_name::<T>()) else { return };
    let document = editor::document(text).unwrap();
    let faults = faults(name, &document);
    assert!(
        faults.is_empty(),
        "the reader accepts this {name} and its schema does not:\n{text}\n{}",
        faults.join("\n")
    );
}

/// Called with an event of every kind and every field in it: the schema of its journal must accept its line.
pub fn accepts_event(event: RunEvent) {
    let name = match event.journal() {
        Journal::Run => "events",
        Journal::SubRun => "steps",
    };
    let at = Timestamp::parse("2025-01-01T01:01:01Z").unwrap();
    let mut line = vec![];
    encode(&Recorded { seq: 1, at, event }, &mut line).unwrap();
    let validator = validator(&all()[name]);
    let line = serde_json::from_slice(&line).unwrap();
    validator.validate(&line).unwrap_or_else(|error| panic!("{name}: {line}\n{error}"));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas")
}

fn file(name: &str) -> PathBuf {
    folder().join(format!("{name}.schema.json"))
}

/// As it stands in its file: keys sorted, indented.
fn text(schema: &Value) -> String {
    let mut schema = schema.clone();
    schema.sort_all_objects();
    serde_json::to_string_pretty(&schema).unwrap() + "\n"
}

#[test]
fn the_files_are_current() {
    let all = all();
    if std::env::var_os(BLESS).is_some_and(|value| value == "1") {
        fs::create_dir_all(folder()).unwrap();
        for (name, schema) in &all {
            fs::write(file(name), text(schema)).unwrap();
        }
    }
    let how = format!("`{BLESS}=1 cargo test --lib schemas` writes it anew");
    for (name, schema) in &all {
        let found = fs::read_to_string(file(name)).unwrap_or_default();
        assert!(found == text(schema), "{} is not what the code says: {how}", file(name).display());
    }
    let mut found: Vec<String> =
        fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.sort();
    let expected: Vec<String> = all.keys().map(|name| format!("{name}.schema.json")).collect();
    assert_eq!(found, expected, "a file that nothing makes");
}

#[test]
fn schemas_are_schemas_and_name_no_address() {
    for (name, schema) in all() {
        jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(schema["$id"], format!("urn:road-runner:{name}"));
        let text = text(&schema).replace("https://json-schema.org/draft/2020-12/schema", "");
        assert!(!text.contains("://"), "{name} has an address in it");
        assert!(!text.contains("[`"), "{name} has a link of rustdoc in it");
    }
}

/// What needs no quotes for a reader needs none in an editor, whatever its parser takes it for.
#[test]
fn plain_scalars_are_let_pass() {
    let check = |read: fn(&Doc<'_>, &Node<'_>) -> bool, name: &str, text: &str| {
        let accepts = |doc: &Doc<'_>, root: &Node<'_>| read(doc, root).then_some(());
        assert_eq!(document(&Source::new("x.yaml", text), accepts).1.list(), [], "{text}");
        assert_eq!(faults(name, &editor::document(text).unwrap()), [""; 0], "{text}");
    };
    let margin = |text: &str| check(|doc, root| margin::read(doc, root).is_some(), "margin", text);
    let profile = |text: &str| check(|doc, root| policy::read_profile(doc, root).is_some(), "profile", text);
    let adapter = |text: &str| check(|doc, root| adapter::read(doc, root).is_some(), "adapter", text);
    for name in ["7", "007", "0x1f", "1e5", "1e-5", "true", "yes", "\"7\"", "null_1"] {
        margin(&format!("name: {name}\ndescription: {name}\ndefault: {{ {name}: {{ voltage: 1V }} }}\n"));
    }
    margin(
        "name: a\ndescription: |\n  Two\n  lines.\naxes: [7]\nglobal_seed: 007\n\
         default: { 7: [ { voltage: +1V, frequency: 1 GHz } ] }\n",
    );
    margin("name: a\nsettle: -0s\ndefault: { core: { voltage: \" 850 mV\" } }\n");
    for version in ["6.1", "\"6.1\"", "7", "6.1.130", "06"] {
        profile(&format!("name: p\nmatch: {{ kernel_min: {version}, cpu_vendor: 7, arch: true }}\npolicy: {{}}\n"));
    }
    for bound in ["4096", "\"4096\"", "-0.5", "+5", "1V", "1h", "3GHz"] {
        profile(&format!("name: p\nmatch: {{}}\npolicy: {{ params: {{ x: {{ max: {bound} }} }} }}\n"));
    }
    for path in ["true", "7", "/usr/bin/x", "diags/x", "./diags//.../b", "..x", "/"] {
        adapter(&format!("name: a\npath: {path}\nargs: [-5, 0.50, on, true]\nenv: {{ A: 1 }}\nrestore: [{path}]\n"));
    }
    adapter("name: a\npath: a\nparams: { x: { type: choice, flag: -1, choices: [1, 1.0, true, a], default: 1.0 } }\n");
    adapter(
        "name: a\npath: a\nkind: \"controller\"\nrails: [7]\nread: []\nrestore: [true]\n\
         apply: ['-{rail}{voltage_uv}', 5]\n",
    );
}
