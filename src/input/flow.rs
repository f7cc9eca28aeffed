//! Flows: steps in order, their parameters typed and checked by the adapters' manifests.

use std::collections::BTreeMap;

use super::adapter::Adapters;
use super::doc::{Doc, Fields, Item};
use super::keys::{Key, Shape};
use super::params;
use super::problem::{Problems, near_or_all, quote};
use super::sweep::{self, RANGE};
use super::yaml::{Kind, Node};
use crate::domain::adapter::Adapter;
use crate::domain::flow::{Flow, FlowStep, OnFailure, ParamSweep, PassRule};
use crate::domain::name::Name;
use crate::domain::param::{Decimal, ParamKind, ParamSpec, ParamValue};
use crate::domain::place::{Place, Placed};
use crate::domain::units::{Kilohertz, Microvolts, Millis, Quantity};

const AT_LEAST: &[Key] = &[Key::required("at_least", Shape::Int(1, 1_000_000), "So many repetitions must pass.")];

/// The keys of a step.
pub const STEP: &[Key] = &[
    Key::required("name", Shape::Name, "Its name, unique in the flow."),
    Key::required("adapter", Shape::Name, "The adapter that runs it."),
    Key::optional("params", Shape::Named(&Shape::Value), "{}", "Values of the adapter's parameters."),
    Key::optional(
        "sweep",
        Shape::Named(&Shape::Either(&[Shape::List(&Shape::Value), Shape::Fields(RANGE)])),
        "{}",
        "Parameters that take several values, the last one fastest.",
    ),
    Key::optional("repeat", Shape::Int(1, 1_000_000), "1", "Repetitions of each combination, each with its own seed."),
    Key::optional(
        "pass_rule",
        Shape::Either(&[Shape::Choice(&["all", "any"]), Shape::Fields(AT_LEAST)]),
        "all",
        "How repetitions make one verdict.",
    ),
    Key::optional("optional", Shape::Bool, "false", "Skipping by its own word does not make the point inconclusive."),
    Key::optional(
        "on_failure",
        Shape::Choice(&["continue", "stop_subrun", "stop_run"]),
        "continue",
        "What follows a verdict above inconclusive.",
    ),
    Key::optional("timeout", Shape::Duration, "the adapter's, else 10m", "The time limit of one execution."),
];

/// The keys of a flow.
pub const FLOW: &[Key] = &[
    Key::required("name", Shape::Name, "Its name."),
    Key::optional("description", Shape::Text, "", "One line for people."),
    Key::required("steps", Shape::List(&Shape::Fields(STEP)), "What is run, in order."),
];

/// Reads a flow.
pub fn read(doc: &Doc<'_>, root: &Node<'_>, adapters: &Adapters) -> Option<Flow> {
    let fields = doc.fields(root, "the flow", FLOW)?;
    let name = fields.name("name");
    let description = fields.text("description").map(|d| d.value);
    let mut first: BTreeMap<Name, Place> = BTreeMap::new();
    let mut steps = vec![];
    for node in fields.full_list("steps") {
        // Past what is kept of the errors nobody reads on; a hostile file has hundreds of thousands.
        if doc.errors() > Problems::KEPT {
            break;
        }
        let Some(step) = step(doc, node, adapters) else { continue };
        if let Some(before) = first.get(&step.name.value) {
            doc.push(
                crate::domain::problem::Problem::error(
                    step.name.place.clone(),
                    format!("two steps are named {}", quote(step.name.value.as_str())),
                )
                .related(before.clone(), "first here"),
            );
        } else {
            first.insert(step.name.value.clone(), step.name.place.clone());
        }
        steps.push(step);
    }
    Some(Flow { name: name?.value, file: doc.source.shown.clone(), description, steps })
}

fn step(doc: &Doc<'_>, node: &Node<'_>, adapters: &Adapters) -> Option<FlowStep> {
    let fields = doc.fields(node, "the step", STEP)?;
    let name = fields.name("name");
    let adapter_name = fields.name("adapter");
    let repeat = fields.count("repeat").map_or(1, |r| r.value);
    let pass_rule = pass_rule(doc, &fields, repeat);
    let on_failure = match fields.choice("on_failure").map(|word| word.value) {
        Some("stop_subrun") => OnFailure::StopSubrun,
        Some("stop_run") => OnFailure::StopRun,
        _ => OnFailure::Continue,
    };
    let optional = fields.boolean("optional").is_some_and(|o| o.value);
    let timeout = super::adapter::limit(doc, &fields, "timeout");
    let (set, swept) = (fields.items("params"), fields.items("sweep"));
    let mut params = vec![];
    let mut sweep = vec![];
    if let Some(adapter) = adapter_name.as_ref().and_then(|name| known(doc, &fields, name, adapters)) {
        for item in &set {
            let Some(spec) = settable(doc, item, adapter) else { continue };
            let what = format!("`{}`", spec.name);
            params.extend(params::value(doc, item.node, &what, spec).map(|value| (spec.name.clone(), value)));
        }
        for item in &swept {
            let Some(spec) = settable(doc, item, adapter) else { continue };
            sweep.extend(swept_values(doc, item, spec).map(|values| (spec.name.clone(), values)));
            if let Some(other) = set.iter().find(|other| other.key == item.key) {
                doc.push(
                    doc.error(item.span, format!("{} is both set and swept", quote(item.key)))
                        .related(doc.place(other.span), "set here"),
                );
            }
        }
        missing(doc, &fields, adapter, &set, &swept);
    }
    params.sort_by(|a, b| a.0.cmp(&b.0));
    Some(FlowStep {
        name: name?,
        adapter: adapter_name?,
        params,
        sweep,
        repeat,
        pass_rule,
        optional,
        on_failure,
        timeout,
    })
}

fn pass_rule(doc: &Doc<'_>, fields: &Fields<'_, '_>, repeat: u32) -> PassRule {
    let Some(node) = fields.node("pass_rule") else { return PassRule::All };
    match &node.kind {
        Kind::Map(_) => {}
        Kind::Scalar { text, .. } if text == "all" => return PassRule::All,
        Kind::Scalar { text, .. } if text == "any" => return PassRule::Any,
        _ => {
            doc.mismatch(node, "`pass_rule`", || fields.takes("pass_rule"));
            return PassRule::All;
        }
    }
    let Some(inner) = doc.fields(node, "`pass_rule`", AT_LEAST) else { return PassRule::All };
    let Some(count) = inner.count("at_least") else { return PassRule::All };
    if count.value > repeat
        && let Some(node) = inner.node("at_least")
    {
        doc.push(
            doc.error(node.span, format!("{} must pass and only {repeat} run: that can never be met", count.value))
                .help(format!("write `repeat: {}` or less here", count.value)),
        );
    }
    PassRule::AtLeast(count.value)
}

fn known<'a>(
    doc: &Doc<'_>,
    fields: &Fields<'_, '_>,
    name: &Placed<Name>,
    adapters: &'a Adapters,
) -> Option<&'a Adapter> {
    if let Some(adapter) = adapters.find(&name.value) {
        return Some(adapter);
    }
    let span = fields.node("adapter")?.span;
    let quoted = quote(name.value.as_str());
    doc.push(if let Some(file) = adapters.broken.get(name.value.as_str()) {
        doc.error(span, format!("the manifest of adapter {quoted} has errors")).help(format!("see {file}"))
    } else if adapters.controllers.contains_key(&name.value) {
        doc.error(span, format!("{quoted} is a controller, which moves rails and runs no step"))
    } else {
        let all: Vec<&str> = adapters.adapters.keys().map(Name::as_str).collect();
        doc.error(span, format!("no adapter {quoted}")).help(near_or_all(
            name.value.as_str(),
            "adapters in this workspace",
            &all,
        ))
    });
    None
}

/// The manifest's entry for a parameter that a flow may set.
fn settable<'a>(doc: &Doc<'_>, item: &Item<'_, '_>, adapter: &'a Adapter) -> Option<&'a ParamSpec> {
    let Some(spec) = adapter.param(item.key) else {
        let all: Vec<&str> = adapter.params.iter().filter(|p| p.from.is_none()).map(|p| p.name.as_str()).collect();
        doc.push(
            doc.error(item.span, format!("adapter `{}` has no parameter {}", adapter.name, quote(item.key)))
                .help(near_or_all(item.key, "parameters that a flow can set", &all)),
        );
        return None;
    };
    if spec.from.is_some() {
        doc.push(
            doc.error(item.span, format!("{} is bound by the manifest: a flow cannot set it", quote(item.key)))
                .related(spec.place.clone(), "bound with `from:` here")
                .help("take it out of the flow"),
        );
        return None;
    }
    Some(spec)
}

fn missing(doc: &Doc<'_>, fields: &Fields<'_, '_>, adapter: &Adapter, set: &[Item<'_, '_>], swept: &[Item<'_, '_>]) {
    let Some(span) = fields.node("adapter").map(|node| node.span) else { return };
    for spec in &adapter.params {
        let given = set.iter().chain(swept).any(|item| item.key == spec.name.as_str());
        if spec.required && spec.default.is_none() && spec.from.is_none() && !given {
            doc.push(
                doc.error(span, format!("adapter `{}` needs parameter `{}`", adapter.name, spec.name))
                    .related(spec.place.clone(), "required here")
                    .help(format!("write `params: {{ {}: … }}`", spec.name)),
            );
        }
    }
}

fn swept_values(doc: &Doc<'_>, item: &Item<'_, '_>, spec: &ParamSpec) -> Option<ParamSweep> {
    let what = format!("`{}`", spec.name);
    match &item.node.kind {
        Kind::Map(_) => range(doc, item.node, &what, spec),
        Kind::List(_) => {
            let nodes = doc.full_list(item.node, &what, String::new)?;
            let values: Vec<Placed<ParamValue>> =
                nodes.iter().filter_map(|node| params::value(doc, node, &format!("a value of {what}"), spec)).collect();
            sweep::twice(doc, &values, "use `repeat` to run a combination more than once");
            (values.len() == nodes.len()).then_some(ParamSweep::List(values))
        }
        _ => {
            doc.push(
                doc.error(item.node.span, format!("{what} is swept: it takes a list or a range"))
                    .help("write `[a, b]`, `{ from: , to: , step: }`, or set one value under `params`"),
            );
            None
        }
    }
}

fn range<'s>(doc: &Doc<'s>, node: &Node<'s>, what: &str, spec: &ParamSpec) -> Option<ParamSweep> {
    let base = |node: &Node<'s>, what: &str, signed: bool| match spec.kind {
        ParamKind::Int => doc.int(node, what, i64::MIN, i64::MAX),
        ParamKind::Float => {
            let number = doc.number(node, what)?;
            // Nine decimals hold whatever a number can have; what cannot be scaled so far is out of any range.
            let scaled = number.value.at_scale(Decimal::MAX_SCALE);
            if scaled.is_none() {
                doc.push(doc.error(node.span, format!("{what} is too large for a range")));
            }
            Some(Placed::new(scaled?, number.place))
        }
        ParamKind::Duration => quantity::<Millis>(doc, node, what, signed),
        ParamKind::Voltage => quantity::<Microvolts>(doc, node, what, signed),
        ParamKind::Frequency => quantity::<Kilohertz>(doc, node, what, signed),
        ParamKind::Bool | ParamKind::String | ParamKind::Choice | ParamKind::Path => None,
    };
    if matches!(spec.kind, ParamKind::Bool | ParamKind::String | ParamKind::Choice | ParamKind::Path) {
        doc.push(
            doc.error(doc.spot(node), format!("{what} is no number: there is no range of it")).help("write a list"),
        );
        return None;
    }
    let range = sweep::range(doc, node, what, |n, w| base(n, w, false), |n, w| base(n, w, true))?;
    let scale = if spec.kind == ParamKind::Float { Decimal::MAX_SCALE } else { 0 };
    let swept = ParamSweep::Range { range, kind: spec.kind, scale, place: doc.place(doc.spot(node)) };
    // The ends bound all values; the first two decide whether each is whole in the argument's unit.
    let ends = [0, 1, swept.len().saturating_sub(1)];
    for (value, _) in ends.iter().filter_map(|index| swept.at(*index)) {
        let span = doc.spot(node);
        if !params::within(doc, span, &value, what, spec) || !params::renders(doc, span, &value, what, spec) {
            return None;
        }
    }
    Some(swept)
}

fn quantity<Q: Quantity>(doc: &Doc<'_>, node: &Node<'_>, what: &str, signed: bool) -> Option<Placed<i64>> {
    if signed {
        return doc.signed::<Q>(node, what);
    }
    let value = doc.quantity::<Q>(node, what)?;
    Some(value.map(|q| i64::try_from(q.base()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
#[expect(clippy::too_many_lines, reason = "the report on a file with many mistakes is long")]
mod tests;
