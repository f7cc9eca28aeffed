//! Adapter and controller manifests. Checks what the text alone can tell; whether the executable is there and
//! may be run is asked elsewhere.

use std::collections::BTreeMap;
use std::path::{Component, Path};

use super::catalogue::Entry;
use super::doc::{Doc, Fields};
use super::judgement::{self, EFFECTS, EXIT_CODES, EXPECT, METRIC, Params, RULES};
use super::keys::{Key, Shape};
use super::params::{self, PARAM};
use super::problem::quote;
use super::yaml::{Kind, Node};
use crate::domain::adapter::{Adapter, Controller};
use crate::domain::name::Name;
use crate::domain::place::Placed;
use crate::domain::units::{Kilohertz, Microvolts, Millis, Quantity};

/// What a file in `adapters/` holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Manifest {
    /// A diagnostic.
    Adapter(Box<Adapter>),
    /// What moves a rail.
    Controller(Box<Controller>),
}

const KIND: Key = Key::optional("kind", Shape::Choice(&["diagnostic", "controller"]), "diagnostic", "What it is.");
const NAME: Key = Key::required("name", Shape::Name, "Its name.");
const DESCRIPTION: Key = Key::optional("description", Shape::Text, "", "One line for people.");
const PATH: Key = Key::required("path", Shape::Text, "Inside diags/, a bare name for PATH, or absolute.");

/// The keys of an adapter manifest.
pub const ADAPTER: &[Key] = &[
    NAME,
    KIND,
    DESCRIPTION,
    PATH,
    Key::optional("args", Shape::List(&Shape::Text), "[]", "Arguments before all parameters."),
    Key::optional("params", Shape::Named(&Shape::Fields(PARAM)), "{}", "What a flow can set, in the order of argv."),
    Key::optional("env", Shape::Named(&Shape::Text), "{}", "Environment of the diagnostic."),
    Key::optional("rails", Shape::List(&Shape::Name), "[]", "Rails that the diagnostic itself applies."),
    Key::optional("restore", Shape::List(&Shape::Text), "[]", "Commands after each step, however it ended."),
    Key::optional("exit_codes", Shape::Fields(EXIT_CODES), "{ pass: [0] }", "What each exit code means."),
    Key::optional("effects", Shape::Fields(EFFECTS), "{}", "What makes an effect."),
    Key::optional(
        "rig_errors",
        RULES,
        "[]",
        "Signs that the rig failed, whatever the exit code; an effect outranks them.",
    ),
    Key::optional("expect", Shape::List(&Shape::Fields(EXPECT)), "[]", "Proof that the test took place."),
    Key::optional("metrics", Shape::List(&Shape::Fields(METRIC)), "[]", "Values recorded for each step."),
    Key::optional("timeout", Shape::Duration, "10m", "The time limit where a flow gives none."),
    Key::optional("silence", Shape::Duration, "", "Nothing written for this long is a hang."),
    Key::optional("grace", Shape::Duration, "5s", "Between SIGTERM and SIGKILL."),
    Key::optional("version_args", Shape::List(&Shape::Text), "[]", "Arguments that make it print its version."),
];

const TOLERANCE: &[Key] = &[
    Key::optional("voltage", Shape::Voltage, "", "Largest distance of a voltage read back."),
    Key::optional("frequency", Shape::Frequency, "", "Largest distance of a frequency read back."),
];

/// The keys of a controller manifest.
pub const CONTROLLER: &[Key] = &[
    NAME,
    KIND,
    DESCRIPTION,
    PATH,
    Key::required("rails", Shape::List(&Shape::Name), "Rails that it drives."),
    Key::required("apply", Shape::List(&Shape::Text), "Arguments that apply a setpoint."),
    Key::required("read", Shape::List(&Shape::Text), "Arguments that print the readback."),
    Key::required("restore", Shape::List(&Shape::Text), "Arguments that bring the rail home."),
    Key::optional(
        "tolerance",
        Shape::Either(&[Shape::Fields(TOLERANCE), Shape::Voltage, Shape::Frequency]),
        "",
        "Largest distance between setpoint and readback.",
    ),
    Key::optional("max_step", Shape::Voltage, "", "Larger moves are ramped."),
    Key::optional("settle", Shape::Duration, "0s", "After a setpoint, before it is read back."),
    Key::optional("timeout", Shape::Duration, "10s", "A call that takes longer has failed."),
];

/// Reads a manifest of either kind.
pub fn read(doc: &Doc<'_>, root: &Node<'_>) -> Option<Manifest> {
    if is_controller(root) {
        controller(doc, root).map(|c| Manifest::Controller(Box::new(c)))
    } else {
        adapter(doc, root).map(|a| Manifest::Adapter(Box::new(a)))
    }
}

/// The kind decides which keys there are, so it is looked up before they are checked.
fn is_controller(root: &Node<'_>) -> bool {
    let Kind::Map(entries) = &root.kind else { return false };
    let is = |node: &Node<'_>, word: &str| matches!(&node.kind, Kind::Scalar { text, .. } if text == word);
    entries.iter().any(|entry| is(&entry.key, "kind") && is(&entry.value, "controller"))
}

/// Whether a manifest that could not be read means to be a controller's, by the line that says so.
pub fn is_of_a_controller(entry: &Entry<Manifest>) -> bool {
    let says = |line: &str| {
        let kind = line.trim_start().strip_prefix("kind:").map(|rest| rest.split('#').next().unwrap_or_default());
        kind.is_some_and(|kind| kind.trim().trim_matches(['"', '\'']) == "controller")
    };
    entry.source.as_ref().is_some_and(|source| source.text.lines().any(says))
}

fn adapter(doc: &Doc<'_>, root: &Node<'_>) -> Option<Adapter> {
    let fields = doc.fields(root, "the manifest", ADAPTER)?;
    fields.choice("kind");
    let name = fields.name("name");
    let path = executable(doc, &fields);
    let items = fields.items("params");
    let params: Vec<_> = items.iter().filter_map(|item| params::spec(doc, item)).collect();
    let complete = params.len() == items.len();
    let judgement = judgement::read(doc, &fields, &Params { read: &params, complete });
    let restore = texts_of_paths(doc, &fields, "restore");
    Some(Adapter {
        file: doc.source.shown.clone(),
        description: fields.text("description").map(|d| d.value),
        args: arguments(doc, &fields, "args"),
        params,
        env: environment(doc, &fields),
        rails: names(doc, &fields, "rails"),
        restore,
        judgement,
        timeout: limit(doc, &fields, "timeout"),
        silence: limit(doc, &fields, "silence").map(|s| s.value),
        grace: fields.quantity::<Millis>("grace").map_or(Adapter::DEFAULT_GRACE, |g| g.value),
        version_args: arguments(doc, &fields, "version_args"),
        name: name?.value,
        path: path?,
    })
}

/// A time limit: never zero, which would end everything at once.
pub fn limit(doc: &Doc<'_>, fields: &Fields<'_, '_>, key: &str) -> Option<Placed<Millis>> {
    let limit = fields.quantity::<Millis>(key)?;
    if limit.value.0 == 0
        && let Some(node) = fields.node(key)
    {
        doc.push(doc.error(node.span, format!("`{key}` is zero: every step would be over at once")));
    }
    Some(limit)
}

fn executable(doc: &Doc<'_>, fields: &Fields<'_, '_>) -> Option<Placed<String>> {
    let path = fields.text("path")?;
    check_path(doc, fields.node("path")?, &path.value);
    Some(path)
}

fn texts_of_paths(doc: &Doc<'_>, fields: &Fields<'_, '_>, key: &str) -> Vec<Placed<String>> {
    let mut paths = vec![];
    for node in fields.list(key) {
        if let Some(path) = doc.text(node, &format!("an item of `{key}`")) {
            check_path(doc, node, &path.value);
            paths.push(path);
        }
    }
    paths
}

/// What the text of an executable's path alone can tell.
fn check_path(doc: &Doc<'_>, node: &Node<'_>, path: &str) {
    let parts: Vec<_> = Path::new(path).components().filter(|part| *part != Component::CurDir).collect();
    let wrong = if path.is_empty() {
        "the path is empty".to_owned()
    } else if parts.contains(&Component::ParentDir) {
        format!("the path {} climbs with `..`", quote(path))
    } else if path.chars().any(char::is_control) {
        format!("the path {} holds a control character", quote(path))
    } else if path.contains('/')
        && !path.starts_with('/')
        && (parts.len() < 2 || parts.first() != Some(&Component::Normal("diags".as_ref())))
    {
        format!("the path {} does not lie inside diags/", quote(path))
    } else {
        return;
    };
    doc.push(
        doc.error(node.span, wrong).help("write `diags/NAME`, a bare name to look up on PATH, or an absolute path"),
    );
}

/// Arguments as they will stand in argv.
fn arguments(doc: &Doc<'_>, fields: &Fields<'_, '_>, key: &str) -> Vec<String> {
    for node in fields.list(key) {
        if matches!(&node.kind, Kind::Scalar { text, .. } if text.contains('\n')) {
            doc.push(doc.error(node.span, format!("an item of `{key}` holds a newline")));
        }
    }
    fields.texts(key).into_iter().map(|text| text.value).collect()
}

/// Names, each once.
pub fn names(doc: &Doc<'_>, fields: &Fields<'_, '_>, key: &str) -> Vec<Placed<Name>> {
    let mut names: Vec<Placed<Name>> = vec![];
    for node in fields.list(key) {
        let Some(name) = doc.name(node, &format!("an item of `{key}`")) else { continue };
        if let Some(before) = names.iter().find(|n| n.value == name.value) {
            doc.push(
                doc.error(node.span, format!("{} stands twice", quote(name.value.as_str())))
                    .related(before.place.clone(), "first here"),
            );
        }
        names.push(name);
    }
    names
}

fn environment(doc: &Doc<'_>, fields: &Fields<'_, '_>) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for item in fields.items("env") {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if item.key.is_empty() || item.key.starts_with(|c: char| c.is_ascii_digit()) || !item.key.chars().all(plain) {
            doc.push(
                doc.error(item.span, format!("{} is no name of a variable", quote(item.key)))
                    .help("letters, digits and `_`, not beginning with a digit"),
            );
        } else if item.key.starts_with("ROAD_RUNNER_") {
            doc.push(doc.error(item.span, "names that begin with ROAD_RUNNER_ are set by the runner"));
        }
        if let Some(text) = doc.text(item.node, &format!("`env.{}`", item.key)) {
            env.insert(item.key.to_owned(), text.value);
        }
    }
    env
}

fn controller(doc: &Doc<'_>, root: &Node<'_>) -> Option<Controller> {
    let fields = doc.fields(root, "the controller's manifest", CONTROLLER)?;
    let name = fields.name("name");
    let path = executable(doc, &fields);
    let rails = names(doc, &fields, "rails");
    if fields.has("rails") {
        fields.full_list("rails");
    }
    for key in ["apply", "read", "restore"] {
        placeholders(doc, &fields, key);
    }
    let apply = arguments(doc, &fields, "apply");
    let drives = |placeholder: &str| apply.iter().any(|argument| argument.contains(placeholder));
    let (voltage, frequency) = tolerance(doc, &fields, drives("{voltage_uv}"), drives("{frequency_khz}"));
    Some(Controller {
        file: doc.source.shown.clone(),
        description: fields.text("description").map(|d| d.value),
        rails,
        read: arguments(doc, &fields, "read"),
        restore: arguments(doc, &fields, "restore"),
        voltage_tolerance: voltage,
        frequency_tolerance: frequency,
        max_step: fields.quantity::<Microvolts>("max_step").map(|step| step.value.base()),
        settle: fields.quantity::<Millis>("settle").map_or(Millis(0), |settle| settle.value),
        timeout: limit(doc, &fields, "timeout").map_or(Controller::DEFAULT_TIMEOUT, |timeout| timeout.value),
        place: doc.place(fields.span),
        apply,
        name: name?.value,
        path: path?,
    })
}

fn placeholders(doc: &Doc<'_>, fields: &Fields<'_, '_>, key: &str) {
    const KNOWN: &[&str] = &["{rail}", "{voltage_uv}", "{frequency_khz}"];
    for node in fields.list(key) {
        let Kind::Scalar { text, .. } = &node.kind else { continue };
        let mut rest = text.to_string();
        for known in KNOWN {
            // Not by nothing: what stands around it must not become a placeholder.
            rest = rest.replace(known, "-");
        }
        if rest.contains(['{', '}']) {
            doc.push(
                doc.error(node.span, format!("{} holds an unknown placeholder", quote(text)))
                    .help("there are `{rail}`, `{voltage_uv}` and `{frequency_khz}`"),
            );
        }
    }
}

/// The tolerances of voltage and frequency, in base units. One bare quantity is for the one field driven.
fn tolerance(doc: &Doc<'_>, fields: &Fields<'_, '_>, voltage: bool, frequency: bool) -> (Option<u64>, Option<u64>) {
    let Some(node) = fields.node("tolerance") else { return (None, None) };
    if matches!(node.kind, Kind::Scalar { .. }) {
        return match (voltage, frequency) {
            (true, false) => (doc.quantity::<Microvolts>(node, "`tolerance`").map(|q| q.value.base()), None),
            (false, true) => (None, doc.quantity::<Kilohertz>(node, "`tolerance`").map(|q| q.value.base())),
            _ => {
                doc.push(
                    doc.error(node.span, "one tolerance for a controller that does not drive exactly one field")
                        .help("write `tolerance: { voltage: 1mV, frequency: 1MHz }`"),
                );
                (None, None)
            }
        };
    }
    let Some(each) = doc.fields(node, "`tolerance`", TOLERANCE) else { return (None, None) };
    let voltage = each.quantity::<Microvolts>("voltage").map(|q| q.value.base());
    (voltage, each.quantity::<Kilohertz>("frequency").map(|q| q.value.base()))
}

/// The manifests of a workspace, by name.
#[derive(Debug, Clone, Default)]
pub struct Adapters {
    /// Sound diagnostics.
    pub adapters: BTreeMap<Name, Adapter>,
    /// Sound controllers.
    pub controllers: BTreeMap<Name, Controller>,
    /// Names whose manifest has errors, and its file as shown.
    pub broken: BTreeMap<String, std::sync::Arc<str>>,
}

impl Adapters {
    /// The diagnostic of that name.
    pub fn find(&self, name: &Name) -> Option<&Adapter> {
        self.adapters.get(name)
    }
}

#[cfg(test)]
#[expect(clippy::too_many_lines, reason = "the report on a file with many mistakes is long")]
mod tests;
