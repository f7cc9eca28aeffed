//! Documents changed in one place, held before reader and schema: both accept or both refuse, but for what JSON Schema
//! cannot say. Nothing that a reader accepts is ever refused by a schema.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use regex::Regex;
use serde_json::{Value, json};

use super::full::{FULL, MANIFEST};
use super::{editor, faults, fits};
use crate::domain::keymap::{Bindable, Places};
use crate::domain::problem::Severity;
use crate::input::adapter::{self, Adapters, Manifest};
use crate::input::catalogue::{Catalogue, document};
use crate::input::problem::Problems;
use crate::input::source::Source;
use crate::input::{flow, keymap, margin, policy, theme};

/// What JSON Schema cannot say: where it stands, as document and pointer, and what the reader says then. All else that a
/// reader refuses, its schema refuses.
const ONLY_THE_READER: [(&str, &str); 14] = [
    // The type and range of a flow's parameters are in the manifest, which is another document.
    ("^flow .*/(params|sweep)", ""),
    // A name that another place has to declare, or another document.
    ("", "^(no (adapter|metric|parameter|field) `|adapter `.*` has no parameter|nothing is swept that is called)"),
    ("^margin ", "is swept and missing from `axes`$"),
    // One of the words that stand beside it.
    ("^adapter /params/", "takes one of `"),
    // Once and no more: to JSON Schema `1` and `1.0` are the same, and are not.
    ("", "stands twice|^exit code .* is listed as"),
    // Numbers held against each other, and whether there is more to pass than is run.
    (
        "",
        "is (above|below|not below) `(min|max|min_cores)`|(above|below) what the manifest allows$|leads away from `to`$",
    ),
    ("^flow .*", "must pass and only"),
    ("^policy /params/", "are of different kinds$"),
    // What an argument may look like.
    ("^adapter /params/", "a value that begins with `-` needs"),
    // Inside a regular expression.
    ("^adapter /metrics/", "has no group"),
    // Which of the fields a controller drives.
    ("^adapter ", "one tolerance for a controller that does not drive exactly one field"),
    ("^adapter /tolerance", "is not a unit of voltage"),
    // To an editor `1e-5` is a number, and it is a name, so that all numbers are let pass.
    ("", "is `0.5`: a name is 1 to 64 of|(, or a name of the palette|or `]e`), not `0.5`$"),
    // Which actions there are is in the program.
    ("^keys /keys", "^there is no action `|is left without keys$"),
];

/// The actions that the full document gives keys.
const ACTIONS: [Bindable; 3] = [
    Bindable { name: "quit", places: Places::EVERYWHERE, keys: &["q"], essential: true },
    Bindable { name: "stop", places: Places::of(1), keys: &["s"], essential: false },
    Bindable { name: "mark", places: Places::of(2), keys: &["m"], essential: false },
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every sample and every full document, with the name of its schema.
fn documents() -> Vec<(&'static str, String)> {
    let mut documents: Vec<_> = FULL.iter().map(|(name, text)| (*name, (*text).to_owned())).collect();
    let folders = [
        ("flow", "flows"),
        ("margin", "margins"),
        ("policy", "policy"),
        ("profile", "policy/profiles"),
        ("adapter", "adapters"),
        ("theme", "ui-themes"),
    ];
    for (name, folder) in folders {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                documents.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    documents
}

fn adapters() -> Adapters {
    let mut adapters = Catalogue::read(root()).adapters;
    let (manifest, problems) = document(&Source::new("full.yaml", MANIFEST), adapter::read);
    let Some(Manifest::Adapter(full)) = manifest else { panic!("{problems:?}") };
    adapters.adapters.insert(full.name.clone(), *full);
    adapters
}

/// What the reader has against a text; nothing where it accepts it.
fn errors(name: &str, text: &str, adapters: &Adapters) -> Vec<String> {
    fn problems<T>(read: (Option<T>, Problems)) -> Problems {
        read.1
    }
    let source = Source::new("x.yaml", text);
    let problems = match name {
        "flow" => problems(document(&source, |doc, root| flow::read(doc, root, adapters))),
        "margin" => problems(document(&source, margin::read)),
        "policy" => problems(document(&source, policy::read)),
        "profile" => problems(document(&source, policy::read_profile)),
        "keys" => problems(document(&source, |doc, root| keymap::read(doc, root, &ACTIONS))),
        "theme" => problems(document(&source, theme::read)),
        _ => problems(document(&source, adapter::read)),
    };
    problems.list().iter().filter(|p| p.severity == Severity::Error).map(|p| p.message.clone()).collect()
}

/// What is put in place of what stands there: first what suits nothing or everything, then what suits something else.
fn others() -> [Value; 21] {
    [
        json!(null),
        json!("850"),
        json!({}),
        json!(true),
        json!(0.5),
        json!([]),
        json!(0),
        json!(-1),
        json!(850),
        json!(""),
        json!("text"),
        json!("a b"),
        json!("850mV"),
        json!("3GHz"),
        json!("7s"),
        json!("1MiB"),
        json!("-30mV"),
        json!([1]),
        json!(["x"]),
        json!({ "x": 1 }),
        json!({ "voltage": "1V" }),
    ]
}

/// Every place in a document.
fn places(value: &Value, pointer: &str, found: &mut Vec<String>) {
    found.push(pointer.to_owned());
    let mut inside = |key: &str, value: &Value| {
        places(value, &format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")), found);
    };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| inside(key, value)),
        Value::Array(list) => list.iter().enumerate().for_each(|(at, value)| inside(&at.to_string(), value)),
        _ => {}
    }
}

/// Every document that differs from `whole` in one place: the place, what was done, and the document.
fn mutants(whole: &Value, others: &[Value]) -> Vec<(String, String, Value)> {
    let mut found = vec![];
    let mut pointers = vec![];
    places(whole, "", &mut pointers);
    for pointer in pointers {
        let mut change = |what: String, change: &dyn Fn(&mut Value)| {
            let mut mutant = whole.clone();
            change(mutant.pointer_mut(&pointer).unwrap());
            if mutant != *whole {
                found.push((pointer.clone(), what, mutant));
            }
        };
        for other in others {
            change(format!("{other} instead"), &|place| *place = other.clone());
        }
        let Some(map) = whole.pointer(&pointer).unwrap().as_object() else { continue };
        for key in map.keys() {
            let renamed = |name: String| {
                move |place: &mut Value| {
                    let value = place.as_object_mut().unwrap().remove(key).unwrap();
                    place[&name] = value;
                }
            };
            change(format!("without {key}"), &|place| drop(place.as_object_mut().unwrap().remove(key)));
            change(format!("{key} misspelt"), &renamed(format!("{key}x")));
            change(format!("{key} shouted"), &renamed(key.to_uppercase()));
        }
        change("something unheard of".to_owned(), &|place| place["unheard_of"] = json!(1));
    }
    found
}

#[test]
fn schema_and_reader_refuse_the_same() {
    let adapters = adapters();
    let exceptions = ONLY_THE_READER.map(|(place, said)| (Regex::new(place).unwrap(), Regex::new(said).unwrap()));
    let (mut tried, mut refused) = (0, 0);
    let mut needed = BTreeSet::new();
    let mut disagreements = vec![];
    for (at, (name, text)) in documents().into_iter().enumerate() {
        let whole = editor::document(&text).unwrap();
        assert_eq!((errors(name, &text, &adapters), faults(name, &whole)), (vec![], vec![]), "{text}");
        let others = others();
        // The full documents show every type; of the samples each place is tried with less.
        let others = if at < FULL.len() { &others[..] } else { &others[..3] };
        for (pointer, what, mutant) in mutants(&whole, others) {
            let (errors, fits) = (errors(name, &mutant.to_string(), &adapters), fits(name, &mutant));
            tried += 1;
            refused += usize::from(!fits);
            if errors.is_empty() == fits {
                continue;
            }
            let place = format!("{name} {pointer}");
            let exception =
                |error: &String| exceptions.iter().position(|(p, s)| p.is_match(&place) && s.is_match(error));
            let known: Vec<usize> = errors.iter().filter_map(exception).collect();
            if errors.is_empty() || known.len() < errors.len() {
                disagreements.push(format!(
                    "{place}: {what} in {}\n  reader {errors:?}\n  schema {:?}",
                    whole["name"],
                    faults(name, &mutant)
                ));
            }
            needed.extend(known);
        }
    }
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
    assert!(tried > 10_000 && refused > tried / 2, "{refused} of {tried} refused");
    let unused: Vec<_> =
        (0..exceptions.len()).filter(|at| !needed.contains(at)).map(|at| ONLY_THE_READER[at]).collect();
    assert!(unused.is_empty(), "nothing needs {unused:?}");
}

proptest! {
    #[test]
    fn paths_are_judged_alike(path in "(/|\\./|diags/|\\.|x|\\.\\.){0,6}") {
        let text = json!({ "name": "a", "path": path }).to_string();
        let read = errors("adapter", &text, &Adapters::default()).is_empty();
        let fits = fits("adapter", &editor::document(&text).unwrap());
        // That what follows `diags/` is more than dots and slashes is not asked.
        let alone = path.trim_matches(['.', '/']) == "diags";
        prop_assert!(read == fits || (!read && alone), "{path}: reader {read}, schema {fits}");
    }
}
