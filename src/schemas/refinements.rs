//! What the readers check beyond their tables and JSON Schema can say as well: lists that are never empty, keys that go
//! together, types that follow from another key. `mutants` holds every one of them against its reader.

use serde_json::{Value, json};

use super::documents::{FIELD, PARAM, defined};
use super::patterns::of_names;
use crate::domain::param::ParamKind;
use crate::domain::theme::{Colour, Slot};
use crate::domain::units::{Kilohertz, Microvolts, Millis, Quantity};

/// Refines the schema of the document called `name`.
pub fn refine(name: &str, schema: &mut Value) {
    match name {
        "flow" => flow(schema),
        "margin" => margin(schema),
        "policy" => limits(schema, ""),
        "profile" => profile(schema),
        "adapter" => adapter(schema),
        "theme" => theme(schema),
        "keys" => add(schema, "/properties/keys/additionalProperties/anyOf/1", json!({ "minItems": 1 })),
        _ => {}
    }
}

fn part<'s>(schema: &'s mut Value, pointer: &str) -> &'s mut Value {
    schema.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}"))
}

/// Adds keywords to the part of a schema that `pointer` leads to.
fn add(schema: &mut Value, pointer: &str, keywords: Value) {
    let part = part(schema, pointer);
    let Value::Object(keywords) = keywords else { panic!("keywords") };
    for (keyword, value) in keywords {
        part[keyword] = value;
    }
}

/// Puts another schema in place of a reference, and keeps what is said of it.
fn replace(schema: &mut Value, pointer: &str, by: Value) {
    if let Value::Object(map) = part(schema, pointer) {
        map.retain(|key, _| key == "description" || key == "default");
    }
    add(schema, pointer, by);
}

/// Makes one definition of what stands at several places.
fn share(schema: &mut Value, name: &str, pointers: &[String]) {
    for pointer in pointers {
        let mut shared = part(schema, pointer).clone();
        let Value::Object(map) = &mut shared else { panic!("{pointer}") };
        map.retain(|key, _| key != "description" && key != "default");
        let defined_before = schema["$defs"].get(name).cloned().unwrap_or_else(|| shared.clone());
        assert_eq!(shared, defined_before, "{pointer} is no {name}");
        schema["$defs"][name] = shared;
        replace(schema, pointer, defined(name));
    }
}

fn properties(prefix: &str, keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| format!("{prefix}/properties/{key}")).collect()
}

fn flow(schema: &mut Value) {
    add(schema, "/properties/steps", json!({ "minItems": 1 }));
    add(schema, "/properties/steps/items/properties/sweep/additionalProperties/anyOf/0", json!({ "minItems": 1 }));
}

fn margin(schema: &mut Value) {
    let points = ["default", "adapters", "recipes"].map(|key| json!({ "required": [key] }));
    add(schema, "", json!({ "anyOf": points }));
    let rails = ["/properties/default".to_owned(), "/properties/adapters/additionalProperties".to_owned()];
    share(schema, "rails", &rails);
    add(schema, "/$defs/rails", json!({ "minProperties": 1 }));
    let rail = "/$defs/rails/additionalProperties/anyOf";
    add(schema, &format!("{rail}/0"), json!({ "minProperties": 1 }));
    for field in ["voltage", "frequency"] {
        add(schema, &format!("{rail}/0/properties/{field}/anyOf/1"), json!({ "minItems": 1 }));
    }
    add(schema, &format!("{rail}/1"), json!({ "minItems": 1 }));
    replace(schema, "/properties/stop_line/properties/axis", defined("axis"));
    recipes(schema);
    // Which quantity it is follows from the field.
    let jitter = part(schema, "/properties/jitter/additionalProperties").clone();
    let of = |quantity: &str| {
        let mut jitter = jitter.clone();
        for key in ["max", "step"] {
            replace(&mut jitter, &format!("/properties/{key}"), defined(quantity));
        }
        jitter
    };
    let (voltage, frequency) = (of("voltage"), of("frequency"));
    replace(
        schema,
        "/properties/jitter",
        json!({
            "type": "object",
            "patternProperties": {
                of_names(&FIELD.replace("(voltage|frequency)", "voltage")): voltage,
                of_names(&FIELD.replace("(voltage|frequency)", "frequency")): frequency,
            },
            "additionalProperties": false,
        }),
    );
}

/// A recipe's keys are its name, `adapters` and rails, each like a nominal one, but never empty.
fn recipes(schema: &mut Value) {
    let mut setting = part(schema, "/properties/nominal/additionalProperties").clone();
    setting["minProperties"] = 1.into();
    schema["$defs"]["setting"] = setting;
    let names = json!({ "pattern": of_names("NAME") });
    let rails = json!({ "type": "object", "propertyNames": names, "additionalProperties": defined("setting") });
    add(schema, "/properties/recipes", json!({ "minItems": 1 }));
    replace(
        schema,
        "/properties/recipes/items",
        json!({
            "type": "object",
            "properties": {
                "name": { "$ref": "#/$defs/name", "description": "Its name." },
                "adapters": {
                    "type": "object",
                    "propertyNames": names,
                    "additionalProperties": rails,
                    "description": "Rails, or fields of one, for one adapter.",
                },
            },
            "required": ["name"],
            "minProperties": 2,
            "propertyNames": names,
            "additionalProperties": defined("setting"),
        }),
    );
}

fn limits(schema: &mut Value, prefix: &str) {
    add(schema, &format!("{prefix}/properties/limits/additionalProperties"), json!({ "minProperties": 1 }));
    let params = format!("{prefix}/properties/params");
    add(schema, &params, json!({ "propertyNames": { "pattern": of_names(PARAM) } }));
    let bounds = format!("{params}/additionalProperties");
    add(schema, &bounds, json!({ "minProperties": 1 }));
    for bound in properties(&bounds, &["min", "max"]) {
        replace(schema, &bound, defined("bound"));
    }
}

fn profile(schema: &mut Value) {
    limits(schema, "/properties/policy");
    for rule in properties("/properties/match", &["cpu_vendor", "cpu_model_contains", "arch"]) {
        add(schema, &rule, json!({ "minLength": 1 }));
    }
    for rule in properties("/properties/match", &["kernel_min", "kernel_max"]) {
        replace(schema, &rule, defined("version"));
    }
}

/// What the text of a path alone can tell: inside `diags/`, a bare name, or absolute; never up.
const PATH: &str =
    r"^(?!(.*/)?\.\.(/|$))([^/\u0000-\u001f\u007f-\u009f]+|(/|(\./+)*diags/+[^/])[^\u0000-\u001f\u007f-\u009f]*)$";

fn adapter(schema: &mut Value) {
    let path =
        json!({ "pattern": PATH, "patternErrorMessage": "diags/NAME, a bare name for PATH, or an absolute path" });
    let (diagnostic, controller) = ("/$defs/diagnostic", "/$defs/controller");
    let effects: Vec<String> =
        ["ce", "ue", "sdc", "ac", "sc"].map(|e| format!("{diagnostic}/properties/effects/properties/{e}")).into();
    share(schema, "rules", &effects);
    share(schema, "rules", &[format!("{diagnostic}/properties/rig_errors")]);
    add(schema, "/$defs/rules", json!({ "minItems": 1 }));
    add(schema, "/$defs/rules/items", json!({ "minProperties": 1 }));
    for place in [
        format!("{diagnostic}/properties/path"),
        format!("{controller}/properties/path"),
        format!("{diagnostic}/properties/restore/items"),
    ] {
        add(schema, &place, path.clone());
    }
    for list in properties(diagnostic, &["args", "version_args"]) {
        replace(schema, &format!("{list}/items"), defined("argument"));
    }
    let variable = json!({ "pattern": "^(?!ROAD_RUNNER_)[A-Za-z_][A-Za-z0-9_]*$" });
    add(schema, &format!("{diagnostic}/properties/env"), json!({ "propertyNames": variable }));
    expect(part(schema, &format!("{diagnostic}/properties/expect/items")));
    metric(part(schema, &format!("{diagnostic}/properties/metrics/items")));
    param(part(schema, &format!("{diagnostic}/properties/params/additionalProperties")));
    add(schema, &format!("{controller}/properties/rails"), json!({ "minItems": 1 }));
    let placeholders = r"^([^{}\n]|\{rail\}|\{voltage_uv\}|\{frequency_khz\})*$";
    for list in properties(controller, &["apply", "read", "restore"]) {
        let message = "there are {rail}, {voltage_uv} and {frequency_khz}";
        add(schema, &format!("{list}/items"), json!({ "pattern": placeholders, "patternErrorMessage": message }));
    }
}

fn theme(schema: &mut Value) {
    let slots: Vec<&str> = Slot::ALL.iter().map(|slot| slot.as_str()).collect();
    share(schema, "style", &properties("/properties/styles", &slots));
    add(schema, "", json!({ "anyOf": one_of(&["styles", "inherits"]) }));
    let names = json!({ "pattern": of_names("NAME"), "not": { "const": Colour::DEFAULT } });
    add(schema, "/properties/palette", json!({ "propertyNames": names }));
}

fn one_of(keys: &[&str]) -> Value {
    keys.iter().map(|key| json!({ "required": [key] })).collect()
}

fn expect(item: &mut Value) {
    let kinds = ["stdout_matches", "stderr_matches", "stdout_absent", "stderr_absent", "min_duration", "metric"];
    let bounded = json!({ "anyOf": one_of(&["min", "max"]) });
    add(item, "", json!({ "oneOf": one_of(&kinds), "if": bounded, "then": { "required": ["metric"] } }));
}

fn metric(item: &mut Value) {
    add(
        item,
        "",
        json!({
            "oneOf": one_of(&["stdout_regex", "stderr_regex", "file"]),
            "if": { "anyOf": one_of(&["file", "pointer"]) },
            "then": { "required": ["file", "pointer"] },
        }),
    );
    let inside = r"^(?!/)(?!(.*/)?\.\.(/|$))[\s\S]";
    add(
        item,
        "/properties/file",
        json!({ "pattern": inside, "patternErrorMessage": "a path inside the artifact folder" }),
    );
    let pointer = json!({ "type": "string", "pattern": "^(/|$)", "patternErrorMessage": "a pointer begins with /" });
    replace(item, "/properties/pointer", pointer);
}

/// What follows from a parameter's type.
fn param(item: &mut Value) {
    replace(item, "/properties/flag/anyOf/0", json!({ "$ref": "#/$defs/text", "pattern": r"^\S+$" }));
    add(item, "/properties/choices", json!({ "minItems": 1 }));
    let rail = |field: &str| of_names(&format!(r"margin\.NAME\.{field}"));
    let from = of_names(r"(seed|unit|margin\.NAME\.(voltage|frequency))");
    replace(
        item,
        "/properties/from",
        json!({ "type": "string", "pattern": from,
        "patternErrorMessage": "seed, unit, margin.RAIL.voltage or margin.RAIL.frequency" }),
    );
    let kinds = [
        ParamKind::Int,
        ParamKind::Float,
        ParamKind::Bool,
        ParamKind::String,
        ParamKind::Choice,
        ParamKind::Path,
        ParamKind::Duration,
        ParamKind::Voltage,
        ParamKind::Frequency,
    ];
    let rules = kinds.map(|kind| {
        let (value, bindings, units) = match kind {
            ParamKind::Int => (json!({ "type": "integer" }), json!({ "const": "seed" }), None),
            ParamKind::Float => (json!({ "type": "number" }), json!(false), None),
            ParamKind::Bool => (json!({ "type": "boolean" }), json!(false), None),
            ParamKind::String => (json!({}), json!({ "enum": ["seed", "unit"] }), None),
            ParamKind::Choice | ParamKind::Path => (json!({}), json!(false), None),
            ParamKind::Duration => (defined("duration"), json!(false), Some(units::<Millis>())),
            ParamKind::Voltage => {
                (defined("voltage"), json!({ "pattern": rail("voltage") }), Some(units::<Microvolts>()))
            }
            ParamKind::Frequency => {
                (defined("frequency"), json!({ "pattern": rail("frequency") }), Some(units::<Kilohertz>()))
            }
        };
        let ordered = units.is_some() || matches!(kind, ParamKind::Int | ParamKind::Float);
        let bound = if ordered { value.clone() } else { json!(false) };
        let mut then = json!({ "properties": { "default": value, "min": bound, "max": bound, "from": bindings } });
        match units {
            Some(units) => then["properties"]["unit"] = json!({ "enum": units }),
            None => add(&mut then, "/properties", json!({ "unit": false, "decimals": false })),
        }
        match kind {
            ParamKind::Voltage | ParamKind::Frequency => then["required"] = json!(["unit"]),
            ParamKind::Choice => then["required"] = json!(["choices"]),
            ParamKind::Bool => then["properties"]["flag"] = json!({ "not": { "type": "null" }, "pattern": "[^=]$" }),
            _ => {}
        }
        if kind != ParamKind::Choice {
            then["properties"]["choices"] = json!(false);
        }
        let kind = serde_json::to_value(kind).unwrap();
        json!({ "if": { "properties": { "type": { "const": kind } }, "required": ["type"] }, "then": then })
    });
    add(item, "", json!({ "allOf": rules }));
}

fn units<Q: Quantity>() -> Vec<&'static str> {
    Q::UNITS.iter().map(|unit| unit.0).collect()
}
