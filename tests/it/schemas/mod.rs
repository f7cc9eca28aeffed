//! The schemas in `docs/schemas/` from outside: samples name them, and what real runs leave fits them. That they are
//! current, and agree with the readers of YAML, is tested where they are made.

mod artifacts;
mod rich;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use road_runner::commands::init::init;
use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn schema(name: &str) -> Value {
    let path = root().join(format!("docs/schemas/{name}.schema.json"));
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn validator(schema: &Value) -> Validator {
    jsonschema::draft202012::new(schema).unwrap()
}

/// The schema of an artifact, such that it also refuses keys that it does not name: nothing written is undescribed.
fn closed(name: &str) -> Validator {
    fn close(schema: &mut Value, open: &BTreeSet<String>) {
        let Value::Object(map) = schema else {
            schema.as_array_mut().into_iter().flatten().for_each(|inner| close(inner, open));
            return;
        };
        for (key, inner) in map.iter_mut().filter(|(key, _)| !open.contains(*key)) {
            if key == "properties" || key == "$defs" {
                inner
                    .as_object_mut()
                    .unwrap()
                    .iter_mut()
                    .filter(|(k, _)| !open.contains(*k))
                    .for_each(|i| close(i.1, open));
            } else {
                close(inner, open);
            }
        }
        let plain = map.contains_key("properties") && map.contains_key("type");
        if plain && !map.contains_key("oneOf") && !map.contains_key("additionalProperties") {
            map.insert("additionalProperties".to_owned(), json!(false));
        }
    }
    let mut schema = schema(name);
    // The body of an event stands beside what all events have, so that only both together can be closed.
    let bodies = schema["oneOf"].as_array().into_iter().flatten();
    let bodies: BTreeSet<String> =
        bodies.map(|body| body["$ref"].as_str().unwrap().trim_start_matches("#/$defs/").to_owned()).collect();
    let journal = !bodies.is_empty();
    close(&mut schema, &bodies);
    if journal {
        schema["unevaluatedProperties"] = json!(false);
    }
    validator(&schema)
}

/// Every sample document below `workspace`, with the name of its schema.
fn samples(workspace: &Path) -> Vec<(PathBuf, &'static str)> {
    let folders = [
        ("flows", "flow"),
        ("margins", "margin"),
        ("policy", "policy"),
        ("policy/profiles", "profile"),
        ("adapters", "adapter"),
        ("ui-themes", "theme"),
    ];
    let mut samples = vec![];
    for (folder, name) in folders {
        let files = fs::read_dir(workspace.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        samples.extend(files.filter(|path| path.extension().is_some_and(|e| e == "yaml")).map(|path| (path, name)));
    }
    samples
}

/// The first line of a sample is what the YAML language server looks for, and leads to the schema of its kind.
fn check_first_lines(workspace: &Path) {
    let samples = samples(workspace);
    assert!(samples.len() > 20, "{}", samples.len());
    for (path, name) in samples {
        let text = fs::read_to_string(&path).unwrap();
        let line = text.lines().next().unwrap();
        let to = line
            .strip_prefix("# yaml-language-server: $schema=")
            .unwrap_or_else(|| panic!("{}: {line}", path.display()));
        let schema = path.parent().unwrap().join(to);
        let found = fs::canonicalize(&schema).unwrap_or_else(|error| panic!("{}: {error}", schema.display()));
        let expected = workspace.canonicalize().unwrap().join(format!("docs/schemas/{name}.schema.json"));
        assert_eq!(found, expected, "{}", path.display());
    }
}

#[test]
fn samples_name_their_schemas() {
    check_first_lines(root());
}

#[test]
fn samples_name_their_schemas_in_a_new_workspace() {
    let folder = tempfile::tempdir().unwrap();
    init(folder.path(), Path::new("w")).unwrap();
    check_first_lines(&folder.path().join("w"));
}
