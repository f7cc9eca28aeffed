//! Schemas of YAML documents, made from the tables of keys: what a table can say. The rest is in `refinements`.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{editor, patterns, refinements};
use crate::domain::chord;
use crate::domain::theme::Colour;
use crate::domain::units::{Bytes, Kilohertz, Microvolts, Millidegrees, Millis};
use crate::input::keys::{Key, Shape};
use crate::input::{adapter, flow, keymap, margin, policy, theme};

/// A rail's field, of one adapter or of all.
pub const FIELD: &str = r"(NAME/)?NAME\.(voltage|frequency)";
/// A parameter, of one adapter or of any.
pub const PARAM: &str = r"(NAME\.)?NAME";
/// An axis: a field, or a rail of AVT pairs.
const AXIS: &str = r"(NAME/)?NAME(\.(voltage|frequency))?";
/// A kernel version.
pub const VERSION: &str = r"^[0-9]+(\.[0-9]+){0,3}$";

/// Every document's schema by its name.
pub fn all() -> Vec<(&'static str, Value)> {
    let table = |keys| shape(Shape::Fields(keys), None);
    let mut adapters = json!({
        "if": { "properties": { "kind": { "const": "controller" } }, "required": ["kind"] },
        "then": { "$ref": "#/$defs/controller" },
        "else": { "$ref": "#/$defs/diagnostic" },
        "type": "object",
    });
    adapters["$defs"] = json!({ "diagnostic": table(adapter::ADAPTER), "controller": table(adapter::CONTROLLER) });
    [
        ("flow", "Flow", "What is run at every margin point: diagnostics in order.", table(flow::FLOW)),
        ("margin", "Margin profile", "Rails, and the voltages and frequencies that they take.", table(margin::MARGIN)),
        ("policy", "Safety policy", "The outer bounds. What has none is refused.", table(policy::POLICY)),
        ("profile", "Hardware profile", "Bounds that hosts of one kind tighten.", table(policy::PROFILE)),
        ("adapter", "Manifest", "How a diagnostic is started and judged, or how a rail is moved.", adapters),
        ("theme", "Theme", "How the full-screen application is painted.", table(theme::THEME)),
        ("keys", "Keys", "Keys of the full-screen application, instead of those it has.", table(keymap::KEYS)),
    ]
    .into_iter()
    .map(|(name, title, description, schema)| (name, finished(name, title, description, schema)))
    .collect()
}

fn finished(name: &str, title: &str, description: &str, mut schema: Value) -> Value {
    refinements::refine(name, &mut schema);
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["$id"] = format!("urn:road-runner:{name}").into();
    schema["title"] = title.into();
    schema["description"] = description.into();
    define(&mut schema);
    let root = schema.clone();
    defaults(&mut schema, &root);
    schema
}

/// A reference to one of the [`definition`]s.
pub fn defined(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// What a shape takes. `Shape::Value` is whatever `context` says, and a step of it may be negative.
fn shape(shape: Shape, context: Option<Shape>) -> Value {
    match shape {
        Shape::Name => defined("name"),
        Shape::Text => defined("text"),
        Shape::Regex => defined("regex"),
        Shape::Int(min, max) => {
            let mut schema = json!({ "type": "integer" });
            for (key, bound, none) in [("minimum", min, i64::MIN), ("maximum", max, i64::MAX)] {
                if bound != none {
                    schema[key] = bound.into();
                }
            }
            schema
        }
        Shape::Number => json!({ "type": "number" }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Voltage => defined("voltage"),
        Shape::Frequency => defined("frequency"),
        Shape::Duration => defined("duration"),
        Shape::Size => defined("size"),
        Shape::Temperature => defined("temperature"),
        Shape::Field => defined("axis"),
        Shape::Colour => defined("colour"),
        Shape::Keys => defined("keys"),
        Shape::Choice(words) => json!({ "enum": words }),
        Shape::Null => json!({ "type": "null" }),
        Shape::Value => context.map_or_else(|| defined("value"), |context| self::shape(context, None)),
        Shape::Fields(keys) => fields(keys, context),
        Shape::Named(inner) => json!({
            "type": "object",
            "propertyNames": { "pattern": patterns::of_names("NAME") },
            "additionalProperties": self::shape(*inner, context),
        }),
        Shape::List(inner) => json!({ "type": "array", "items": self::shape(*inner, context) }),
        Shape::Either(shapes) => {
            let context = shapes.iter().copied().find(|s| matches!(s, Shape::Voltage | Shape::Frequency)).or(context);
            json!({ "anyOf": shapes.iter().map(|s| self::shape(*s, context)).collect::<Vec<_>>() })
        }
    }
}

fn fields(keys: &[Key], context: Option<Shape>) -> Value {
    let mut properties = Map::new();
    for key in keys {
        let mut schema = match (key.name, key.shape, context) {
            ("step", Shape::Value, Some(Shape::Voltage)) => defined("voltage_step"),
            ("step", Shape::Value, Some(Shape::Frequency)) => defined("frequency_step"),
            _ => shape(key.shape, context),
        };
        schema["description"] = key.help.into();
        if !key.default.is_empty() {
            schema["default"] = key.default.into();
        }
        properties.insert(key.name.to_owned(), schema);
    }
    let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// The schema behind a name that [`shape`] refers to.
fn definition(name: &str) -> Value {
    /// A name or text may be written without quotes, and an editor then takes `7` and `true` for something else.
    const PLAIN: [&str; 3] = ["string", "number", "boolean"];
    let quantity = |pattern: String, shape: Shape, examples: [&str; 3]| {
        let words = shape.words();
        json!({ "type": "string", "pattern": pattern, "errorMessage": words, "patternErrorMessage": words,
            "description": words, "examples": examples })
    };
    let named = |pattern: &str, words: &str, examples: [&str; 2]| {
        json!({ "type": PLAIN, "pattern": pattern, "minimum": 0, "patternErrorMessage": words, "description": words,
            "examples": examples })
    };
    match name {
        "name" => named(&patterns::of_names("NAME"), &Shape::Name.words(), ["cpu-smoke", "core"]),
        "axis" => named(&patterns::of_names(AXIS), &Shape::Field.words(), ["core.voltage", "mem_pattern/mem.voltage"]),
        "colour" => json!({ "type": "string", "pattern": colour(), "patternErrorMessage": Shape::Colour.words(),
            "description": Shape::Colour.words(), "examples": ["#e06c75", "@208", "bright-red", "default"] }),
        // What looks like a number is pressed as it is written; the widest is two digits, or a sign and one.
        "keys" => json!({ "type": ["string", "number"], "pattern": pressed(), "minimum": -9, "maximum": 99,
            "patternErrorMessage": Shape::Keys.words(), "description": Shape::Keys.words(),
            "examples": ["x", "ctrl-d", "F5", "]e", "ctrl-x k"] }),
        "version" => json!({ "type": ["string", "number"], "pattern": VERSION, "minimum": 0,
            "patternErrorMessage": "a kernel version: numbers with dots", "examples": ["6.1", "7"] }),
        "text" | "value" => json!({ "type": PLAIN }),
        "argument" => json!({ "type": PLAIN, "pattern": "^[^\n]*$", "patternErrorMessage": "an argument of one line" }),
        "regex" => json!({ "type": PLAIN, "description": "A regular expression; ^ and $ match at lines.",
            "examples": ["^checked [0-9]+ rounds$"] }),
        "voltage" => quantity(patterns::quantity::<Microvolts>(false), Shape::Voltage, ["850mV", "0.85V", "850000uV"]),
        "frequency" => {
            quantity(patterns::quantity::<Kilohertz>(false), Shape::Frequency, ["3.2GHz", "3200MHz", "3200000kHz"])
        }
        "duration" => quantity(patterns::quantity::<Millis>(false), Shape::Duration, ["30s", "500ms", "1h"]),
        "size" => quantity(patterns::quantity::<Bytes>(false), Shape::Size, ["256MiB", "2GiB", "1GB"]),
        "temperature" => {
            quantity(patterns::quantity::<Millidegrees>(false), Shape::Temperature, ["95C", "87.5C", "100C"])
        }
        "voltage_step" => quantity(patterns::quantity::<Microvolts>(true), Shape::Voltage, ["-30mV", "10mV", "-0.01V"]),
        "frequency_step" => {
            quantity(patterns::quantity::<Kilohertz>(true), Shape::Frequency, ["200MHz", "-0.1GHz", "-50MHz"])
        }
        "bound" => json!({ "anyOf": [
            { "type": "number" },
            { "type": "string", "pattern": r"^([-+]?[0-9]+|-?[0-9]+\.[0-9]+)$" },
            defined("voltage"), defined("frequency"), defined("duration"),
        ] }),
        _ => panic!("nothing is called {name}"),
    }
}

/// What [`Colour::parse`] reads.
fn colour() -> String {
    let index = "25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9]";
    format!("^(#[0-9a-fA-F]{{6}}|@({index})|{}|{})$", Colour::DEFAULT, Colour::NAMES.join("|"))
}

/// What [`chord::Keys`] are read from.
fn pressed() -> String {
    let any_case = |name: &str| {
        let letter = |c: char| {
            if c.is_ascii_alphabetic() {
                format!("[{}{}]", c.to_ascii_uppercase(), c.to_ascii_lowercase())
            } else {
                c.to_string()
            }
        };
        name.chars().map(letter).collect::<String>()
    };
    let names: Vec<String> = chord::Key::NAMED.iter().map(|(name, _)| any_case(name)).collect();
    let (ctrl, alt) = (any_case("ctrl-"), any_case("alt-"));
    let shown = r"[^\s\u0000-\u001f\u007f-\u009f]";
    let named = format!("{}|[Ff]([1-9]|1[0-9]|2[0-4])", names.join("|"));
    let chord = format!("({ctrl}({alt})?|{alt}({ctrl})?)?({named}|{shown})");
    format!("^({chord}( {chord})?|{shown}{shown})$")
}

/// Adds the definitions that are referred to.
fn define(schema: &mut Value) {
    fn references(schema: &Value, found: &mut BTreeSet<String>) {
        match schema {
            Value::Object(map) => {
                let name = map.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix("#/$defs/"));
                found.extend(name.map(str::to_owned));
                map.values().for_each(|inner| references(inner, found));
            }
            Value::Array(list) => list.iter().for_each(|inner| references(inner, found)),
            _ => {}
        }
    }
    loop {
        let mut wanted = BTreeSet::new();
        references(schema, &mut wanted);
        let there = |name: &String| schema.get("$defs").is_some_and(|defs| defs.get(name).is_some());
        let missing: Vec<String> = wanted.into_iter().filter(|name| !there(name)).collect();
        if missing.is_empty() {
            return;
        }
        for name in missing {
            schema["$defs"][&name] = definition(&name);
        }
    }
}

/// Makes values of the tables' defaults, which are words; what is no value there is said to people instead.
fn defaults(schema: &mut Value, root: &Value) {
    let Value::Object(map) = schema else { return };
    if let Some(Value::String(words)) = map.get("default").cloned() {
        let value = editor::document(&format!("a: {words}")).map_or(Value::Null, |document| document["a"].clone());
        let mut alone = Value::Object(map.clone());
        alone["$defs"] = root["$defs"].clone();
        if super::validator(&alone).is_valid(&value) {
            map.insert("default".to_owned(), value);
        } else {
            map.remove("default");
            if !matches!(words.as_str(), "{}" | "[]") {
                let help = map.get("description").and_then(Value::as_str).unwrap_or_default();
                map.insert("description".to_owned(), format!("{help} Default: {words}.").into());
            }
        }
    }
    for (key, inner) in map.iter_mut() {
        match (key.as_str(), inner) {
            // Schemas by names that are not keywords.
            ("properties" | "patternProperties" | "$defs", Value::Object(named)) => {
                named.values_mut().for_each(|inner| defaults(inner, root));
            }
            ("default" | "examples" | "enum" | "const", _) => {}
            (_, Value::Array(list)) => list.iter_mut().for_each(|inner| defaults(inner, root)),
            (_, inner) => defaults(inner, root),
        }
    }
}
