//! Safety policies and hardware profiles. Never intersects bounds and never judges a value: a bound is read in
//! full or refused.

use super::doc::{Doc, Fields, Item};
use super::keys::{Key, Shape};
use super::problem::quote;
use super::yaml::{Kind, Node};
use crate::domain::evidence::SourceId;
use crate::domain::evidence::rules::{CountRule, RuleParts, TemperatureRule};
use crate::domain::host::{KernelVersion, MatchRules};
use crate::domain::margin::RailField;
use crate::domain::param::{Decimal, ParamValue};
use crate::domain::place::Placed;
use crate::domain::policy::{Interval, Limits, ParamBound, ParamKey, Profile, SafetyPolicy, Severities};
use crate::domain::units::{Bytes, Kilohertz, Microvolts, Millidegrees, Millis, Quantity};
use crate::domain::verdict::Verdict;

const VOLTAGE_BOUNDS: &[Key] = &[
    Key::required("min", Shape::Voltage, "The lowest voltage."),
    Key::required("max", Shape::Voltage, "The highest voltage."),
];
const FREQUENCY_BOUNDS: &[Key] = &[
    Key::required("min", Shape::Frequency, "The lowest frequency."),
    Key::required("max", Shape::Frequency, "The highest frequency."),
];
const RAIL_LIMITS: &[Key] = &[
    Key::optional("voltage", Shape::Fields(VOLTAGE_BOUNDS), "", "Both ends."),
    Key::optional("frequency", Shape::Fields(FREQUENCY_BOUNDS), "", "Both ends."),
];
const PARAM_BOUNDS: &[Key] = &[
    Key::optional("min", Shape::Value, "", "The smallest value."),
    Key::optional("max", Shape::Value, "", "The largest value."),
];
const SEVERITY: &[Key] = &[
    Key::optional("sc", Shape::Int(0, 1_000_000), "16", "The host crashed."),
    Key::optional("ac", Shape::Int(0, 1_000_000), "8", "The diagnostic crashed."),
    Key::optional("sdc", Shape::Int(0, 1_000_000), "4", "Wrong result."),
    Key::optional("ue", Shape::Int(0, 1_000_000), "2", "Uncorrected error."),
    Key::optional("ce", Shape::Int(0, 1_000_000), "1", "Corrected error."),
];

const LIMITS: Key = Key::optional("limits", Shape::Named(&Shape::Fields(RAIL_LIMITS)), "{}", "Bounds of rails.");
const PARAMS: Key = Key::optional("params", Shape::Named(&Shape::Fields(PARAM_BOUNDS)), "{}", "Bounds of parameters.");
const MAX_SUBRUNS: Key = Key::optional("max_subruns", Shape::Int(1, i64::MAX), "10000", "More is a violation.");
const MAX_STEP_TIMEOUT: Key = Key::optional("max_step_timeout", Shape::Duration, "1h", "The longest time limit.");
const MAX_LOG: Key = Key::optional("max_log", Shape::Size, "256MiB", "The largest log of a stream.");
const CONTROLLERS: Key = Key::optional(
    "controllers",
    Shape::List(&Shape::Name),
    "",
    "Controllers that may move rails; without it all of the workspace may.",
);
const VERDICTS: Shape = Shape::Choice(&["pass", "inconclusive", "fail"]);
/// A rule of a counted source, with the verdict that stands where none is written.
const fn counted(verdict: &'static str) -> [Key; 2] {
    [
        Key::optional("above", Shape::Int(0, i64::MAX), "0", "So many in a step are passed over."),
        Key::optional("verdict", VERDICTS, verdict, "The least grave verdict of a step with more."),
    ]
}
const NOTED: &[Key] = &counted("pass");
const DOUBTED: &[Key] = &counted("inconclusive");
const FAILED: &[Key] = &counted("fail");
const TEMPERATURE: &[Key] = &[
    Key::required("max", Shape::Temperature, "The hottest sensor may say so much; more ends the step at once."),
    Key::optional(
        "cool_to",
        Shape::Temperature,
        "",
        "Nothing goes on before it says at most this; else 10C below `max`.",
    ),
    Key::optional("cool_for", Shape::Duration, "5m", "The run ends when that takes longer."),
];
const EVIDENCE_RULES: &[Key] = &[
    Key::optional("lag", Shape::Duration, "1100ms", "Waited after a step where errors are counted late."),
    Key::optional("edac_ue", Shape::Fields(FAILED), "", "Uncorrected memory errors, effect ue."),
    Key::optional("edac_ce", Shape::Fields(NOTED), "", "Corrected memory errors, effect ce."),
    Key::optional("aer_uncorrected", Shape::Fields(FAILED), "", "Uncorrected PCI Express errors, effect ue."),
    Key::optional("aer_corrected", Shape::Fields(NOTED), "", "Corrected PCI Express errors, effect ce."),
    Key::optional("throttle", Shape::Fields(DOUBTED), "", "Throttling for heat."),
    Key::optional("temperature", Shape::Fields(TEMPERATURE), "", "What is too hot."),
];
const EVIDENCE: Key =
    Key::optional("evidence", Shape::Fields(EVIDENCE_RULES), "", "What follows from what the hardware says.");
const SEVERITIES: Key = Key::optional("severity", Shape::Fields(SEVERITY), "", "Weights of effects.");

/// The keys of a safety policy.
pub const POLICY: &[Key] = &[
    Key::required("name", Shape::Name, "Its name."),
    Key::optional("description", Shape::Text, "", "One line for people."),
    Key::required("limits", Shape::Named(&Shape::Fields(RAIL_LIMITS)), "Bounds of rails."),
    PARAMS,
    MAX_SUBRUNS,
    MAX_STEP_TIMEOUT,
    MAX_LOG,
    SEVERITIES,
    CONTROLLERS,
    EVIDENCE,
];

/// What a profile may tighten.
const TIGHTENED: &[Key] = &[LIMITS, PARAMS, MAX_SUBRUNS, MAX_STEP_TIMEOUT, MAX_LOG, SEVERITIES, CONTROLLERS, EVIDENCE];

const MATCH: &[Key] = &[
    Key::optional("cpu_vendor", Shape::Text, "", "As lscpu says it."),
    Key::optional("cpu_model_contains", Shape::Text, "", "Somewhere in the model's name."),
    Key::optional("arch", Shape::Text, "", "As uname says it."),
    Key::optional("min_cores", Shape::Int(1, 1_000_000), "", "Physical cores, at least."),
    Key::optional("max_cores", Shape::Int(1, 1_000_000), "", "Physical cores, at most."),
    Key::optional("min_memory", Shape::Size, "", "Memory, at least."),
    Key::optional("kernel_min", Shape::Text, "", "Kernel version, at least."),
    Key::optional("kernel_max", Shape::Text, "", "Kernel version, at most; 7 is any 7.x."),
    Key::optional("hypervisor", Shape::Bool, "", "Whether it is a virtual machine."),
];

/// The keys of a hardware profile.
pub const PROFILE: &[Key] = &[
    Key::required("name", Shape::Name, "Its name."),
    Key::optional("description", Shape::Text, "", "One line for people."),
    Key::optional("priority", Shape::Int(-1_000_000, 1_000_000), "0", "The highest that match apply."),
    Key::required("match", Shape::Fields(MATCH), "Rules that must all hold."),
    Key::required("policy", Shape::Fields(TIGHTENED), "Bounds to tighten."),
];

/// Reads a safety policy.
pub fn read(doc: &Doc<'_>, root: &Node<'_>) -> Option<SafetyPolicy> {
    let fields = doc.fields(root, "the policy", POLICY)?;
    fields.text("description");
    let name = fields.name("name");
    let limits = limits(doc, &fields);
    Some(SafetyPolicy { name: name?.value, file: doc.source.shown.clone(), limits })
}

/// Reads a hardware profile.
pub fn read_profile(doc: &Doc<'_>, root: &Node<'_>) -> Option<Profile> {
    let fields = doc.fields(root, "the profile", PROFILE)?;
    fields.text("description");
    let name = fields.name("name");
    let priority = fields.int("priority").map_or(0, |p| p.value);
    let rules = fields.node("match").and_then(|node| rules(doc, node));
    let limits = fields
        .node("policy")
        .and_then(|node| doc.fields(node, "`policy`", TIGHTENED))
        .map(|tightened| limits(doc, &tightened));
    Some(Profile { name: name?.value, file: doc.source.shown.clone(), priority, rules: rules?, limits: limits? })
}

fn limits(doc: &Doc<'_>, fields: &Fields<'_, '_>) -> Limits {
    let mut limits = Limits::default();
    for item in fields.items("limits") {
        rail(doc, &item, &mut limits);
    }
    for item in fields.items("params") {
        param(doc, &item, &mut limits);
    }
    limits.max_subruns = fields.int("max_subruns").map(|n| n.map(|n| u64::try_from(n).unwrap_or(1)));
    limits.max_step_timeout = super::adapter::limit(doc, fields, "max_step_timeout");
    limits.max_log = fields.quantity::<Bytes>("max_log");
    limits.controllers = fields.node("controllers").map(|node| {
        let names = super::adapter::names(doc, fields, "controllers");
        doc.placed(node.span, names.into_iter().map(|name| name.value).collect())
    });
    limits.evidence = fields.node("evidence").and_then(|node| evidence(doc, node));
    limits.severity = fields.node("severity").and_then(|node| severity(doc, node));
    limits
}

fn rail(doc: &Doc<'_>, item: &Item<'_, '_>, limits: &mut Limits) {
    let name = doc.name_of(item.key, item.span, "a rail");
    let what = format!("the limit of rail {}", quote(item.key));
    let Some(fields) = doc.fields(item.node, &what, RAIL_LIMITS) else { return };
    if let Kind::Map(entries) = &item.node.kind
        && entries.is_empty()
    {
        doc.push(doc.error(item.span, format!("{what} says nothing")));
    }
    for field in RailField::ALL {
        let Some(node) = fields.node(field.as_str()) else { continue };
        let what = format!("`{}.{field}`", item.key);
        let interval = match field {
            RailField::Voltage => interval::<Microvolts>(doc, node, &what, VOLTAGE_BOUNDS),
            RailField::Frequency => interval::<Kilohertz>(doc, node, &what, FREQUENCY_BOUNDS),
        };
        if let (Some(name), Some(interval)) = (&name, interval) {
            limits.rails.insert((name.value.clone(), field), interval);
        }
    }
}

/// Both ends of a bound; its place is that of the map, so that a report shows both.
fn interval<Q: Quantity>(
    doc: &Doc<'_>,
    node: &Node<'_>,
    what: &str,
    keys: &'static [Key],
) -> Option<Placed<Interval<u64>>> {
    let fields = doc.fields(node, what, keys)?;
    let (min, max) = (fields.quantity::<Q>("min"), fields.quantity::<Q>("max"));
    let (min, max) = (min?, max?);
    if min.value > max.value {
        doc.push(
            doc.error(fields.node("max")?.span, format!("the bound of {what} is empty: `max` is below `min`"))
                .related(min.place, "min"),
        );
        return None;
    }
    Some(doc.placed(fields.span, Interval { max: max.value.base(), min: min.value.base() }))
}

fn param(doc: &Doc<'_>, item: &Item<'_, '_>, limits: &mut Limits) {
    let key = ParamKey::try_from(item.key.to_owned());
    if key.is_err() {
        doc.push(
            doc.error(item.span, format!("{} names no parameter", quote(item.key)))
                .help("write `PARAMETER` for any adapter's, or `ADAPTER.PARAMETER`"),
        );
    }
    let what = format!("the bound of parameter {}", quote(item.key));
    let Some(fields) = doc.fields(item.node, &what, PARAM_BOUNDS) else { return };
    let read = |key: &str| fields.node(key).and_then(|node| any_number(doc, node, &format!("`{key}`")));
    let (min, max) = (read("min"), read("max"));
    if fields.key_span("min").is_none() && fields.key_span("max").is_none() {
        doc.push(doc.error(item.span, format!("{what} has neither `min` nor `max`")));
        return;
    }
    if let (Some(min), Some(max)) = (&min, &max) {
        let place = || max.place.clone();
        if std::mem::discriminant(&min.value) != std::mem::discriminant(&max.value) {
            doc.push(
                crate::domain::problem::Problem::error(place(), "`min` and `max` are of different kinds")
                    .related(min.place.clone(), "min"),
            );
        } else if min.value > max.value {
            doc.push(
                crate::domain::problem::Problem::error(place(), format!("{what} is empty: `max` is below `min`"))
                    .related(min.place.clone(), "min"),
            );
        }
    }
    let bound = ParamBound { max: max.map(|m| m.value), min: min.map(|m| m.value) };
    if let Ok(key) = key {
        limits.params.insert(key, doc.placed(item.span, bound));
    }
}

/// A bound of a parameter whose type is not known here: a whole number, a decimal, or a quantity by its unit.
fn any_number(doc: &Doc<'_>, node: &Node<'_>, what: &str) -> Option<Placed<ParamValue>> {
    if let Kind::Scalar { text, .. } = &node.kind {
        let value = (text.parse().ok().map(ParamValue::Int))
            .or_else(|| Decimal::parse(text).map(ParamValue::Float))
            .or_else(|| Microvolts::parse(text).ok().map(ParamValue::Voltage))
            .or_else(|| Kilohertz::parse(text).ok().map(ParamValue::Frequency))
            .or_else(|| Millis::parse(text).ok().map(ParamValue::Duration));
        if let Some(value) = value {
            return Some(doc.placed(node.span, value));
        }
    }
    let shown = match &node.kind {
        Kind::Scalar { text, .. } => format!(", not {}", quote(text)),
        _ => String::new(),
    };
    doc.push(
        doc.error(
            node.span,
            format!("{what} takes a number, or a duration, voltage or frequency with its unit{shown}"),
        ),
    );
    None
}

fn evidence(doc: &Doc<'_>, node: &Node<'_>) -> Option<Placed<RuleParts>> {
    let fields = doc.fields(node, "`evidence`", EVIDENCE_RULES)?;
    let mut parts = RuleParts { lag: fields.quantity::<Millis>("lag").map(|lag| lag.value), ..RuleParts::default() };
    for (source, keys, standard) in [
        (SourceId::EdacUe, FAILED, Verdict::Fail),
        (SourceId::EdacCe, NOTED, Verdict::Pass),
        (SourceId::AerUncorrected, FAILED, Verdict::Fail),
        (SourceId::AerCorrected, NOTED, Verdict::Pass),
        (SourceId::Throttle, DOUBTED, Verdict::Inconclusive),
    ] {
        let Some(node) = fields.node(source.as_str()) else { continue };
        let Some(rule) = doc.fields(node, &quote(source.as_str()), keys) else { continue };
        let above = rule.int("above").map_or(0, |above| u64::try_from(above.value).unwrap_or(0));
        let verdict = match rule.choice("verdict").map(|verdict| verdict.value) {
            Some("pass") => Verdict::Pass,
            Some("inconclusive") => Verdict::Inconclusive,
            Some("fail") => Verdict::Fail,
            _ => standard,
        };
        parts.counts.insert(source, CountRule { above, verdict });
    }
    parts.temperature = fields.node("temperature").and_then(|node| temperature(doc, node));
    Some(doc.placed(fields.span, parts))
}

fn temperature(doc: &Doc<'_>, node: &Node<'_>) -> Option<TemperatureRule> {
    /// Below `max` where the policy does not say how far.
    const COOLER: u64 = 10_000;
    let fields = doc.fields(node, "`temperature`", TEMPERATURE)?;
    let max = fields.quantity::<Millidegrees>("max")?;
    let cool_to = fields.quantity::<Millidegrees>("cool_to");
    let cool_for = super::adapter::limit(doc, &fields, "cool_for").map_or(Millis(300_000), |limit| limit.value);
    if let Some(cool_to) = cool_to.as_ref().filter(|cool_to| cool_to.value >= max.value) {
        let problem = crate::domain::problem::Problem::error(cool_to.place.clone(), "`cool_to` is not below `max`");
        doc.push(
            problem.related(max.place.clone(), "max").help("a step would be started as hot as the last one ended"),
        );
    }
    let base = |degrees: u64| i64::try_from(degrees).unwrap_or(i64::MAX);
    Some(TemperatureRule {
        max_mc: base(max.value.0),
        cool_to_mc: base(cool_to.map_or(max.value.0.saturating_sub(COOLER), |cool_to| cool_to.value.0)),
        cool_for_ms: cool_for,
    })
}

fn severity(doc: &Doc<'_>, node: &Node<'_>) -> Option<Severities> {
    let fields = doc.fields(node, "`severity`", SEVERITY)?;
    let standard = Severities::default();
    let weight = |name: &str, otherwise: u32| fields.count(name).map_or(otherwise, |n| n.value);
    Some(Severities {
        ac: weight("ac", standard.ac),
        ce: weight("ce", standard.ce),
        sc: weight("sc", standard.sc),
        sdc: weight("sdc", standard.sdc),
        ue: weight("ue", standard.ue),
    })
}

fn rules(doc: &Doc<'_>, node: &Node<'_>) -> Option<MatchRules> {
    let fields = doc.fields(node, "`match`", MATCH)?;
    let text = |key: &str| {
        let text = fields.text(key)?;
        if text.value.is_empty() {
            doc.push(doc.error(fields.node(key)?.span, format!("`{key}` is empty: it would match nothing or all")));
        }
        Some(text.value)
    };
    let kernel = |key: &str| {
        let text = fields.text(key)?;
        let version = text.value.parse::<KernelVersion>();
        if version.is_err() {
            doc.push(
                doc.error(fields.node(key)?.span, format!("{} is no kernel version", quote(&text.value)))
                    .help("write numbers with dots, as in `\"6.1\"`"),
            );
        }
        version.ok()
    };
    let rules = MatchRules {
        cpu_vendor: text("cpu_vendor"),
        cpu_model_contains: text("cpu_model_contains"),
        arch: text("arch"),
        min_cores: fields.count("min_cores").map(|n| n.value),
        max_cores: fields.count("max_cores").map(|n| n.value),
        min_memory: fields.quantity::<Bytes>("min_memory").map(|n| n.value),
        kernel_min: kernel("kernel_min"),
        kernel_max: kernel("kernel_max"),
        hypervisor: fields.boolean("hypervisor").map(|b| b.value),
    };
    if let (Some(min), Some(max)) = (rules.min_cores, rules.max_cores)
        && min > max
        && let Some(node) = fields.node("max_cores")
    {
        doc.push(doc.error(node.span, "`max_cores` is below `min_cores`: no host would match"));
    }
    Some(rules)
}

#[cfg(test)]
#[expect(clippy::too_many_lines, reason = "the report on a file with many mistakes is long")]
mod tests;
