//! A YAML document as the parser of an editor sees it: YAML 1.2 with the core schema (its chapter 10.3.2), in which a
//! plain scalar may become a number or a truth value. Never what our own readers make of it.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Number, Value};

use crate::input::yaml::{self, Kind, Node};

/// The document, or nothing where it is none.
pub fn document(text: &str) -> Option<Value> {
    yaml::parse(text).ok().map(|root| value(&root))
}

/// A node with all that is in it.
pub fn value(node: &Node<'_>) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::List(items) => items.iter().map(value).collect(),
        Kind::Scalar { text, quoted: true } => Value::String(text.to_string()),
        Kind::Scalar { text, quoted: false } => plain(text),
        Kind::Map(entries) => {
            let entry = |entry: &yaml::Entry<'_>| match &entry.key.kind {
                Kind::Scalar { text, .. } => Some((text.to_string(), value(&entry.value))),
                _ => None,
            };
            Value::Object(entries.iter().filter_map(entry).collect::<Map<_, _>>())
        }
    }
}

/// What a plain scalar is.
fn plain(text: &str) -> Value {
    static WHOLE: LazyLock<Regex> = LazyLock::new(|| Regex::new("^[-+]?[0-9]+$").unwrap());
    static DECIMAL: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$").unwrap());
    static SPECIAL: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(?:[-+]?(?:\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN)$").unwrap());
    // What JSON cannot say is a number all the same.
    let float = |number: f64| Number::from_f64(number).unwrap_or_else(|| Number::from_f64(f64::MAX).unwrap());
    match text {
        "true" | "True" | "TRUE" => Value::Bool(true),
        "false" | "False" | "FALSE" => Value::Bool(false),
        _ if WHOLE.is_match(text) => match text.trim_start_matches('+').parse::<i64>() {
            Ok(number) => number.into(),
            Err(_) => float(text.parse().unwrap()).into(),
        },
        _ if DECIMAL.is_match(text) => float(text.parse().unwrap()).into(),
        _ if SPECIAL.is_match(text) => float(f64::INFINITY).into(),
        _ => based(text).map_or_else(|| text.into(), Value::from),
    }
}

/// Octal and hexadecimal numbers.
fn based(text: &str) -> Option<u64> {
    let (digits, base) = text.strip_prefix("0o").map(|t| (t, 8)).or_else(|| Some((text.strip_prefix("0x")?, 16)))?;
    if digits.starts_with('+') { None } else { u64::from_str_radix(digits, base).ok() }
}

#[test]
fn plain_scalars_are_what_the_core_schema_says() {
    let check = |text: &str, expected: Value| {
        assert_eq!(document(&format!("a: {text}")).unwrap()["a"], expected, "{text}");
    };
    for (text, number) in [("7", 7), ("007", 7), ("-5", -5), ("0x1f", 31), ("0o17", 15), ("+3", 3)] {
        check(text, number.into());
    }
    for (text, number) in [("0.85", 0.85), ("1e5", 1e5), (".5", 0.5), ("1e-5", 1e-5)] {
        check(text, number.into());
    }
    for text in ["yes", "1_0", "850mV", "0b1", "6.1.2", "0x", "0xg", "tRue"] {
        check(text, text.into());
    }
    check("\"7\"", "7".into());
    check("True", true.into());
    check("~", Value::Null);
}
