//! The part of a manifest that says how an outcome is judged: exit codes, effects, proofs, metrics. Never judges.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use super::doc::{Doc, Fields};
use super::keys::{Key, Shape};
use super::problem::{near_or_all, quote};
use super::yaml::{Kind, Node};
use crate::domain::adapter::{EffectRule, ExitCodes, Expectation, Judgement, MetricSource, MetricSpec, Reference};
use crate::domain::param::{Decimal, ParamKind, ParamSpec};
use crate::domain::place::Place;
use crate::domain::units::Millis;
use crate::domain::verdict::Effect;

const CODE: Shape = Shape::List(&Shape::Int(0, 255));

/// The keys of `exit_codes`.
pub const EXIT_CODES: &[Key] = &[
    Key::optional("pass", CODE, "[0]", "The unit did what it should."),
    Key::optional("fail", CODE, "[]", "The unit failed."),
    Key::optional("skip", CODE, "[]", "The diagnostic says it did not run."),
    Key::optional("error", CODE, "[]", "The rig failed."),
];

const RULE: &[Key] = &[
    Key::optional("exit", Shape::Int(0, 255), "", "The exit code."),
    Key::optional("stdout_matches", Shape::Regex, "", "Somewhere in stdout."),
    Key::optional("stderr_matches", Shape::Regex, "", "Somewhere in stderr."),
];
/// Rules, any of which will do.
pub const RULES: Shape = Shape::List(&Shape::Fields(RULE));

/// The keys of `effects`.
pub const EFFECTS: &[Key] = &[
    Key::optional("ce", RULES, "", "Corrected hardware error."),
    Key::optional("ue", RULES, "", "Uncorrected hardware error."),
    Key::optional("sdc", RULES, "", "Wrong result."),
    Key::optional("ac", RULES, "", "The diagnostic crashed."),
    Key::optional("sc", RULES, "", "The host crashed."),
];

const PARAM_REFERENCE: &[Key] = &[Key::required("param", Shape::Name, "The step's parameter.")];
const NUMBER: Shape = Shape::Either(&[Shape::Number, Shape::Fields(PARAM_REFERENCE)]);

/// The keys of an item of `expect`: one of the first six.
pub const EXPECT: &[Key] = &[
    Key::optional("stdout_matches", Shape::Regex, "", "Somewhere in stdout."),
    Key::optional("stderr_matches", Shape::Regex, "", "Somewhere in stderr."),
    Key::optional("stdout_absent", Shape::Regex, "", "Nowhere in stdout."),
    Key::optional("stderr_absent", Shape::Regex, "", "Nowhere in stderr."),
    Key::optional(
        "min_duration",
        Shape::Either(&[Shape::Duration, Shape::Fields(PARAM_REFERENCE)]),
        "",
        "Ran at least so long.",
    ),
    Key::optional("metric", Shape::Name, "", "The metric that must be there."),
    Key::optional("min", NUMBER, "", "With metric: at least."),
    Key::optional("max", NUMBER, "", "With metric: at most."),
];

/// The keys of an item of `metrics`.
pub const METRIC: &[Key] = &[
    Key::required("name", Shape::Name, "Its name."),
    Key::optional("unit", Shape::Text, "", "For people."),
    Key::optional("stdout_regex", Shape::Regex, "", "Its first group is the value."),
    Key::optional("stderr_regex", Shape::Regex, "", "Its first group is the value."),
    Key::optional("file", Shape::Text, "", "A JSON or YAML file in the step's artifact folder."),
    Key::optional("pointer", Shape::Text, "", "Where in the file, as RFC 6901."),
    Key::optional("min", NUMBER, "", "Below is fail."),
    Key::optional("max", NUMBER, "", "Above is fail."),
    Key::optional("required", Shape::Bool, "false", "Missing is inconclusive."),
];

/// The parameters that a judgement may refer to.
#[derive(Debug, Clone, Copy)]
pub struct Params<'a> {
    /// Those that were read.
    pub read: &'a [ParamSpec],
    /// Whether that is all of them, or some were refused.
    pub complete: bool,
}

/// Reads everything by which an outcome is judged.
pub fn read(doc: &Doc<'_>, manifest: &Fields<'_, '_>, params: &Params<'_>) -> Judgement {
    let metrics = metrics(doc, manifest, params);
    Judgement {
        exit_codes: exit_codes(doc, manifest),
        effects: effects(doc, manifest),
        rig_errors: rules(doc, manifest, "rig_errors", "a rule of `rig_errors`"),
        expect: expectations(doc, manifest, params, &metrics),
        metrics,
    }
}

fn exit_codes(doc: &Doc<'_>, manifest: &Fields<'_, '_>) -> ExitCodes {
    let mut codes = ExitCodes::default();
    let Some(node) = manifest.node("exit_codes") else { return codes };
    let Some(fields) = doc.fields(node, "`exit_codes`", EXIT_CODES) else { return codes };
    let mut seen: BTreeMap<i64, (Place, &str)> = BTreeMap::new();
    let mut read = |key: &'static str| {
        let mut list = vec![];
        for node in fields.list(key) {
            let Some(code) = doc.int(node, "an exit code", 0, 255) else { continue };
            if let Some((place, before)) = seen.get(&code.value) {
                doc.push(
                    doc.error(node.span, format!("exit code {} is listed as `{before}` and as `{key}`", code.value))
                        .related(place.clone(), "first here"),
                );
                continue;
            }
            seen.insert(code.value, (code.place, key));
            list.extend(i32::try_from(code.value).ok());
        }
        list
    };
    let pass = read("pass");
    codes.fail = read("fail");
    codes.skip = read("skip");
    codes.error = read("error");
    if fields.has("pass") {
        codes.pass = pass;
    } else if let Some((place, key)) = seen.get(&0) {
        doc.push(
            crate::domain::problem::Problem::error(
                place.clone(),
                format!("exit code 0 is listed as `{key}`, and is a pass by default"),
            )
            .help("write `pass:` as well"),
        );
    }
    codes
}

fn effects(doc: &Doc<'_>, manifest: &Fields<'_, '_>) -> BTreeMap<Effect, Vec<EffectRule>> {
    let mut effects = BTreeMap::new();
    let Some(node) = manifest.node("effects") else { return effects };
    let Some(fields) = doc.fields(node, "`effects`", EFFECTS) else { return effects };
    for effect in Effect::ALL {
        let rules = rules(doc, &fields, effect.as_str(), &format!("a rule of `{effect}`"));
        if !rules.is_empty() {
            effects.insert(effect, rules);
        }
    }
    effects
}

fn rules(doc: &Doc<'_>, fields: &Fields<'_, '_>, key: &'static str, what: &str) -> Vec<EffectRule> {
    let mut rules = vec![];
    for node in fields.full_list(key) {
        let Some(rule) = doc.fields(node, what, RULE) else { continue };
        let read = EffectRule {
            exit: rule.int("exit").and_then(|code| i32::try_from(code.value).ok()),
            stdout_matches: pattern(doc, &rule, "stdout_matches", 0),
            stderr_matches: pattern(doc, &rule, "stderr_matches", 0),
        };
        if !["exit", "stdout_matches", "stderr_matches"].iter().any(|key| rule.has(key)) {
            doc.push(doc.error(node.span, format!("{what} has no condition: it would always hold")));
        }
        rules.push(read);
    }
    rules
}

fn expectations(
    doc: &Doc<'_>,
    manifest: &Fields<'_, '_>,
    params: &Params<'_>,
    metrics: &[MetricSpec],
) -> Vec<Expectation> {
    const ONE_OF: &[&str] =
        &["stdout_matches", "stderr_matches", "stdout_absent", "stderr_absent", "min_duration", "metric"];
    let mut list = vec![];
    for node in manifest.list("expect") {
        let Some(fields) = doc.fields(node, "an item of `expect`", EXPECT) else { continue };
        let given: Vec<&str> = ONE_OF.iter().copied().filter(|key| fields.key_span(key).is_some()).collect();
        let [key] = given[..] else {
            let message = if given.is_empty() { "nothing is expected here" } else { "one expectation an item" };
            doc.push(doc.error(fields.span, message).help(format!("write exactly one of `{}`", ONE_OF.join("`, `"))));
            continue;
        };
        if key != "metric" {
            for bound in ["min", "max"] {
                if let Some(span) = fields.key_span(bound) {
                    doc.push(doc.error(span, format!("`{bound}` goes with `metric` only")));
                }
            }
        }
        let text = || pattern(doc, &fields, key, 0);
        list.extend(match key {
            "stdout_matches" => text().map(Expectation::StdoutMatches),
            "stderr_matches" => text().map(Expectation::StderrMatches),
            "stdout_absent" => text().map(Expectation::StdoutAbsent),
            "stderr_absent" => text().map(Expectation::StderrAbsent),
            "min_duration" => reference(doc, &fields, key, params).map(Expectation::MinDuration),
            _ => expected_metric(doc, &fields, params, metrics, manifest.list("metrics").len()),
        });
    }
    list
}

fn expected_metric(
    doc: &Doc<'_>,
    fields: &Fields<'_, '_>,
    params: &Params<'_>,
    metrics: &[MetricSpec],
    declared: usize,
) -> Option<Expectation> {
    let metric = fields.name("metric")?;
    if !metrics.iter().any(|m| m.name == metric.value) {
        // One that was refused may well be the one meant; its own error comes first.
        if metrics.len() < declared {
            return None;
        }
        let known: Vec<&str> = metrics.iter().map(|m| m.name.as_str()).collect();
        doc.push(
            doc.error(fields.node("metric")?.span, format!("no metric {} is read", quote(metric.value.as_str())))
                .help(near_or_all(metric.value.as_str(), "metrics here", &known)),
        );
        return None;
    }
    let (min, max) = (reference(doc, fields, "min", params), reference(doc, fields, "max", params));
    ordered(doc, fields, min.as_ref(), max.as_ref());
    Some(Expectation::Metric { metric: metric.value, min, max })
}

fn ordered(doc: &Doc<'_>, fields: &Fields<'_, '_>, min: Option<&Reference>, max: Option<&Reference>) {
    if let (Some(Reference::Number(min)), Some(Reference::Number(max))) = (min, max)
        && min > max
        && let Some(span) = fields.key_span("max")
    {
        doc.push(doc.error(span, "`max` is below `min`: nothing would hold"));
    }
}

/// A number, a duration for `min_duration`, or `{ param: NAME }`.
fn reference(doc: &Doc<'_>, fields: &Fields<'_, '_>, key: &str, params: &Params<'_>) -> Option<Reference> {
    let node = fields.node(key)?;
    let what = format!("`{key}`");
    if !matches!(node.kind, Kind::Map(_)) {
        if key == "min_duration" {
            let millis = doc.quantity::<Millis>(node, &what)?.value.0;
            return Some(Reference::Number(Decimal::new(i64::try_from(millis).ok()?, 0)));
        }
        return doc.number(node, &what).map(|number| Reference::Number(number.value));
    }
    let inner = doc.fields(node, &what, PARAM_REFERENCE)?;
    let name = inner.name("param")?;
    let span = inner.node("param")?.span;
    let Some(spec) = params.read.iter().find(|p| p.name == name.value) else {
        if !params.complete {
            return None;
        }
        let known: Vec<&str> = params.read.iter().map(|p| p.name.as_str()).collect();
        doc.push(doc.error(span, format!("no parameter {}", quote(name.value.as_str()))).help(near_or_all(
            name.value.as_str(),
            "parameters here",
            &known,
        )));
        return None;
    };
    let numeric = match key {
        "min_duration" => matches!(spec.kind, ParamKind::Int | ParamKind::Float | ParamKind::Duration),
        _ => !matches!(spec.kind, ParamKind::Bool | ParamKind::String | ParamKind::Choice | ParamKind::Path),
    };
    if !numeric {
        doc.push(
            doc.error(span, format!("parameter {} is no number", quote(name.value.as_str())))
                .related(spec.place.clone(), "declared here"),
        );
        return None;
    }
    Some(Reference::Param(name.value))
}

fn metrics(doc: &Doc<'_>, manifest: &Fields<'_, '_>, params: &Params<'_>) -> Vec<MetricSpec> {
    let mut list: Vec<(MetricSpec, Place)> = vec![];
    for node in manifest.list("metrics") {
        let Some(fields) = doc.fields(node, "a metric", METRIC) else { continue };
        let name = fields.name("name");
        let source = source(doc, &fields);
        let (min, max) = (reference(doc, &fields, "min", params), reference(doc, &fields, "max", params));
        ordered(doc, &fields, min.as_ref(), max.as_ref());
        let required = fields.boolean("required").is_some_and(|r| r.value);
        let unit = fields.text("unit").map(|u| u.value);
        let (Some(name), Some(source)) = (name, source) else { continue };
        if let Some((_, before)) = list.iter().find(|(m, _)| m.name == name.value) {
            doc.push(
                doc.error(fields.span, format!("two metrics are named {}", quote(name.value.as_str())))
                    .related(before.clone(), "first here"),
            );
        }
        list.push((MetricSpec { name: name.value, unit, source, min, max, required }, name.place));
    }
    list.into_iter().map(|(metric, _)| metric).collect()
}

fn source(doc: &Doc<'_>, fields: &Fields<'_, '_>) -> Option<MetricSource> {
    let given: Vec<&str> =
        ["stdout_regex", "stderr_regex", "file"].into_iter().filter(|key| fields.key_span(key).is_some()).collect();
    let [key] = given[..] else {
        doc.push(
            doc.error(fields.span, "a metric has exactly one source")
                .help("write one of `stdout_regex`, `stderr_regex`, or `file` with `pointer`"),
        );
        return None;
    };
    if key != "file" {
        if let Some(span) = fields.key_span("pointer") {
            doc.push(doc.error(span, "`pointer` goes with `file` only"));
        }
        let text = pattern(doc, fields, key, 1)?;
        let stdout = key == "stdout_regex";
        return Some(if stdout { MetricSource::StdoutRegex(text) } else { MetricSource::StderrRegex(text) });
    }
    let file = fields.text("file")?;
    let inside =
        Path::new(&file.value).components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if file.value.is_empty() || !inside {
        doc.push(doc.error(
            fields.node("file")?.span,
            format!("`file` is {}: a path inside the step's artifact folder", quote(&file.value)),
        ));
    }
    if fields.key_span("pointer").is_none() {
        doc.push(
            doc.error(fields.key_span("file")?, "`file` needs a `pointer` to the value in it")
                .help("write `pointer: /path/0/to/it`"),
        );
    }
    let pointer = fields.text("pointer")?;
    let sound = pointer.value.is_empty() || pointer.value.starts_with('/');
    if !sound {
        doc.push(
            doc.error(fields.node("pointer")?.span, "`pointer` begins with `/`")
                .help(format!("write {}", quote(&format!("/{}", pointer.value)))),
        );
    }
    Some(MetricSource::File { file: file.value, pointer: pointer.value })
}

/// A regular expression that compiles, as the engine will compile it, and has at least `groups` groups.
fn pattern(doc: &Doc<'_>, fields: &Fields<'_, '_>, key: &str, groups: usize) -> Option<String> {
    let text = fields.text(key)?;
    let span = fields.node(key).map(|node: &Node<'_>| node.span)?;
    match regex::RegexBuilder::new(&text.value).multi_line(true).crlf(true).build() {
        Ok(compiled) if compiled.captures_len() <= groups => {
            doc.push(
                doc.error(span, format!("`{key}` has no group: the value is what the first group holds"))
                    .help("put the value in parentheses, as in `rate=([0-9.]+)`"),
            );
            None
        }
        Ok(_) => Some(text.value),
        Err(error) => {
            let error = error.to_string();
            let reason = error.rsplit("error: ").next().unwrap_or(&error).trim();
            doc.push(doc.error(span, format!("`{key}` is no regular expression: {reason}")));
            None
        }
    }
}
