//! Parameters: their entry in a manifest, and values of them wherever one is written. Never decides what a flow
//! may set.

use super::doc::{Doc, Fields, Item};
use super::keys::{Key, Shape};
use super::problem::quote;
use super::yaml::{Node, Span};
use crate::domain::margin::RailField;
use crate::domain::name::Name;
use crate::domain::param::{ArgumentError, Binding, ParamKind, ParamSpec, ParamValue};
use crate::domain::place::Placed;
use crate::domain::units::{Kilohertz, Microvolts, Millis, Quantity};

const KINDS: &[(&str, ParamKind)] = &[
    ("int", ParamKind::Int),
    ("float", ParamKind::Float),
    ("bool", ParamKind::Bool),
    ("string", ParamKind::String),
    ("choice", ParamKind::Choice),
    ("path", ParamKind::Path),
    ("duration", ParamKind::Duration),
    ("voltage", ParamKind::Voltage),
    ("frequency", ParamKind::Frequency),
];
const KIND_WORDS: &[&str] = &["int", "float", "bool", "string", "choice", "path", "duration", "voltage", "frequency"];

/// The keys of a parameter in a manifest.
pub const PARAM: &[Key] = &[
    Key::required("type", Shape::Choice(KIND_WORDS), "The type of its values."),
    Key::required(
        "flag",
        Shape::Either(&[Shape::Text, Shape::Null]),
        "The option before the value; null makes a positional.",
    ),
    Key::optional("default", Shape::Value, "", "The value where a flow sets none."),
    Key::optional("min", Shape::Value, "", "The smallest value."),
    Key::optional("max", Shape::Value, "", "The largest value."),
    Key::optional("choices", Shape::List(&Shape::Text), "", "What a choice may be."),
    Key::optional("required", Shape::Bool, "false", "A step without a value is refused."),
    Key::optional("from", Shape::Text, "", "seed, unit, margin.RAIL.voltage or margin.RAIL.frequency."),
    Key::optional("unit", Shape::Text, "", "The unit in which the argument shows a quantity."),
    Key::optional("decimals", Shape::Int(0, 9), "0", "Decimals allowed in that unit."),
    Key::optional("allow_leading_dash", Shape::Bool, "false", "A value may begin with a dash."),
    Key::optional("help", Shape::Text, "", "One line for people."),
];

/// Reads a parameter's entry in a manifest.
pub fn spec(doc: &Doc<'_>, item: &Item<'_, '_>) -> Option<ParamSpec> {
    let what = format!("parameter {}", quote(item.key));
    let name = doc.name_of(item.key, item.span, "a parameter");
    let before = doc.errors();
    let fields = doc.fields(item.node, &what, PARAM)?;
    let kind = fields.choice("type").and_then(|word| KINDS.iter().find(|(w, _)| *w == word.value)).map(|(_, k)| *k);
    let mut spec = ParamSpec {
        name: name.as_ref()?.value.clone(),
        place: doc.place(item.span),
        kind: kind?,
        unit: None,
        decimals: fields.count("decimals").map_or(0, |d| d.value),
        flag: flag(doc, &fields),
        default: None,
        min: None,
        max: None,
        choices: choices(doc, &fields),
        required: fields.boolean("required").is_some_and(|r| r.value),
        from: None,
        allow_leading_dash: fields.boolean("allow_leading_dash").is_some_and(|d| d.value),
        help: fields.text("help").map(|h| h.value),
    };
    unit(doc, &fields, &mut spec, &what);
    fitting(doc, &fields, &spec, &what);
    binding(doc, &fields, &mut spec, &what);
    if doc.errors() > before {
        // Values are read by a sound entry only; its own errors come first.
        return None;
    }
    bounds(doc, &fields, &mut spec);
    (doc.errors() == before).then_some(spec)
}

fn flag(doc: &Doc<'_>, fields: &Fields<'_, '_>) -> Option<String> {
    let node = fields.node("flag")?;
    if node.kind == super::yaml::Kind::Null {
        return None;
    }
    let flag = doc.text(node, "`flag`")?;
    if flag.value.is_empty() || flag.value.contains(char::is_whitespace) {
        doc.push(
            doc.error(node.span, format!("`flag` is {}: one word without blanks", quote(&flag.value)))
                .help("write `flag: null` for a positional"),
        );
    }
    Some(flag.value)
}

fn choices(doc: &Doc<'_>, fields: &Fields<'_, '_>) -> Vec<String> {
    if fields.node("choices").is_none() {
        return vec![];
    }
    let mut choices: Vec<String> = vec![];
    for node in fields.full_list("choices") {
        let Some(text) = doc.text(node, "a choice") else { continue };
        if choices.contains(&text.value) {
            doc.push(doc.error(node.span, format!("the choice {} stands twice", quote(&text.value))));
        }
        choices.push(text.value);
    }
    choices
}

fn units_of(kind: ParamKind) -> Option<Vec<&'static str>> {
    fn names<Q: Quantity>() -> Vec<&'static str> {
        Q::UNITS.iter().map(|unit| unit.0).collect()
    }
    match kind {
        ParamKind::Duration => Some(names::<Millis>()),
        ParamKind::Voltage => Some(names::<Microvolts>()),
        ParamKind::Frequency => Some(names::<Kilohertz>()),
        _ => None,
    }
}

fn unit(doc: &Doc<'_>, fields: &Fields<'_, '_>, spec: &mut ParamSpec, what: &str) {
    let Some(units) = units_of(spec.kind) else {
        for key in ["unit", "decimals"] {
            if let Some(span) = fields.key_span(key) {
                doc.push(doc.error(span, format!("`{key}` is for durations, voltages and frequencies only")));
            }
        }
        return;
    };
    if let Some(node) = fields.node("unit") {
        spec.unit = doc.choice(node, "`unit`", &units).map(|unit| unit.value.to_owned());
    } else if spec.kind == ParamKind::Duration {
        spec.unit = Some("s".to_owned());
    } else if fields.key_span("unit").is_none() {
        let example = units.first().copied().unwrap_or_default();
        doc.push(
            doc.error(fields.span, format!("{what} needs a `unit`: the one its argument is in"))
                .help(format!("write `unit: {example}`")),
        );
    }
}

/// Keys that make no sense for the type.
fn fitting(doc: &Doc<'_>, fields: &Fields<'_, '_>, spec: &ParamSpec, what: &str) {
    if spec.kind == ParamKind::Choice && !fields.has("choices") {
        doc.push(doc.error(fields.span, format!("{what} is a choice and has no `choices`")));
    }
    if spec.kind != ParamKind::Choice
        && let Some(span) = fields.key_span("choices")
    {
        doc.push(doc.error(span, "`choices` is for type `choice` only").help("write `type: choice`"));
    }
    let ordered = units_of(spec.kind).is_some() || matches!(spec.kind, ParamKind::Int | ParamKind::Float);
    for key in ["min", "max"] {
        if let (false, Some(span)) = (ordered, fields.key_span(key)) {
            doc.push(doc.error(span, format!("`{key}` is for numbers and quantities only")));
        }
    }
    if spec.kind == ParamKind::Bool
        && spec.flag.as_ref().is_none_or(|flag| flag.ends_with('='))
        && let Some(span) = fields.key_span("flag")
    {
        doc.push(doc.error(span, "a `bool` is a bare flag").help("write its flag, as in `flag: --verbose`"));
    }
}

fn binding(doc: &Doc<'_>, fields: &Fields<'_, '_>, spec: &mut ParamSpec, what: &str) {
    let Some(from) = fields.text("from") else { return };
    let Some(node) = fields.node("from") else { return };
    let bound = match from.value.split('.').collect::<Vec<_>>()[..] {
        ["seed"] => Some((Binding::Seed, &[ParamKind::Int, ParamKind::String][..])),
        ["unit"] => Some((Binding::Unit, &[ParamKind::String][..])),
        ["margin", rail, "voltage"] => Name::new(rail)
            .ok()
            .map(|rail| (Binding::Margin { rail, field: RailField::Voltage }, &[ParamKind::Voltage][..])),
        ["margin", rail, "frequency"] => Name::new(rail)
            .ok()
            .map(|rail| (Binding::Margin { rail, field: RailField::Frequency }, &[ParamKind::Frequency][..])),
        _ => None,
    };
    match bound {
        None => doc.push(
            doc.error(node.span, format!("`from` is {}, which is nothing to bind to", quote(&from.value)))
                .help("write `seed`, `unit`, `margin.RAIL.voltage` or `margin.RAIL.frequency`"),
        ),
        Some((_, kinds)) if !kinds.contains(&spec.kind) => {
            let wanted: Vec<&str> =
                KINDS.iter().filter(|(_, kind)| kinds.contains(kind)).map(|(word, _)| *word).collect();
            doc.push(
                doc.error(node.span, format!("{what} cannot be bound to {}: its type is another", quote(&from.value)))
                    .help(format!("write `type: {}`", wanted.join("` or `type: "))),
            );
        }
        Some((binding, _)) => spec.from = Some(binding),
    }
}

fn bounds(doc: &Doc<'_>, fields: &Fields<'_, '_>, spec: &mut ParamSpec) {
    let read = |key: &str| fields.node(key).and_then(|node| typed(doc, node, &format!("`{key}`"), spec));
    let (min, max) = (read("min"), read("max"));
    if let (Some(min), Some(max)) = (&min, &max)
        && min.value > max.value
    {
        doc.push(
            doc.error(fields.key_span("max").unwrap_or(fields.span), "`max` is below `min`")
                .related(min.place.clone(), "min"),
        );
    }
    spec.min = min.map(|m| m.value);
    spec.max = max.map(|m| m.value);
    if let Some(node) = fields.node("default") {
        spec.default = value(doc, node, "`default`", spec).map(|d| d.value);
    }
    for node in fields.list("choices") {
        if let Some(choice) = doc.text(node, "a choice") {
            renders(doc, node.span, &ParamValue::Text(choice.value), "a choice", spec);
        }
    }
}

/// A value of the parameter's type, whatever its bounds.
pub fn typed(doc: &Doc<'_>, node: &Node<'_>, what: &str, spec: &ParamSpec) -> Option<Placed<ParamValue>> {
    Some(match spec.kind {
        ParamKind::Int => doc.int(node, what, i64::MIN, i64::MAX)?.map(ParamValue::Int),
        ParamKind::Float => doc.number(node, what)?.map(ParamValue::Float),
        ParamKind::Bool => doc.boolean(node, what)?.map(ParamValue::Bool),
        ParamKind::String | ParamKind::Path => doc.text(node, what)?.map(ParamValue::Text),
        ParamKind::Choice => {
            let words: Vec<&str> = spec.choices.iter().map(String::as_str).collect();
            doc.choice(node, what, &words)?.map(|word| ParamValue::Text(word.to_owned()))
        }
        ParamKind::Duration => doc.quantity::<Millis>(node, what)?.map(ParamValue::Duration),
        ParamKind::Voltage => doc.quantity::<Microvolts>(node, what)?.map(ParamValue::Voltage),
        ParamKind::Frequency => doc.quantity::<Kilohertz>(node, what)?.map(ParamValue::Frequency),
    })
}

/// A value that the parameter takes: of its type, within the manifest's range, and sayable in argv.
pub fn value(doc: &Doc<'_>, node: &Node<'_>, what: &str, spec: &ParamSpec) -> Option<Placed<ParamValue>> {
    let read = typed(doc, node, what, spec)?;
    let sound = within(doc, node.span, &read.value, what, spec) && renders(doc, node.span, &read.value, what, spec);
    sound.then_some(read)
}

/// Whether a value lies in the manifest's range; says so where it does not.
pub fn within(doc: &Doc<'_>, span: Span, value: &ParamValue, what: &str, spec: &ParamSpec) -> bool {
    let below = spec.min.as_ref().is_some_and(|min| value < min);
    let above = spec.max.as_ref().is_some_and(|max| value > max);
    if !below && !above {
        return true;
    }
    let range = match (&spec.min, &spec.max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (_, max) => format!("at most {}", max.as_ref().map(ToString::to_string).unwrap_or_default()),
    };
    let side = if below { "below" } else { "above" };
    doc.push(
        doc.error(span, format!("{what} is {value}, {side} what the manifest allows"))
            .label(format!("allowed: {range}"))
            .related(spec.place.clone(), "declared here"),
    );
    false
}

/// Whether a value can stand in argv; says so where it cannot.
pub fn renders(doc: &Doc<'_>, span: Span, value: &ParamValue, what: &str, spec: &ParamSpec) -> bool {
    // A bare flag has no argument of its own.
    if spec.kind == ParamKind::Bool {
        return true;
    }
    match spec.render(value) {
        Ok(_) => true,
        Err(error) => {
            let problem = doc.error(span, format!("{what}: {error}")).related(spec.place.clone(), "declared here");
            doc.push(match error {
                ArgumentError::NotWhole { .. } => {
                    problem.help("`decimals:` in the manifest allows fractions of its unit")
                }
                _ => problem,
            });
            false
        }
    }
}
