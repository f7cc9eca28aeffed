//! Adapters: the list, and the check of manifest, program, proof, rails and parameters. Starts nothing but `dpkg`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::commands::context::Context;
use crate::commands::executables::{Refusal, Resolved, Spelling};
use crate::commands::failure::Failure;
use crate::commands::inspect::Listing;
use crate::commands::plan;
use crate::domain::adapter::{Adapter, Controller};
use crate::domain::margin::RailField;
use crate::domain::name::Name;
use crate::domain::param::{Binding, ParamKind, ParamSpec};
use crate::domain::place::Placed;
use crate::domain::policy::{Bounds, ParamKey};
use crate::host::{collect, command};
use crate::input::adapter::Manifest;
use crate::input::catalogue::{Catalogue, Entry};
use crate::input::problem::{Problems, near_or_all, quote};
use crate::input::source::Sources;

/// An adapter in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AdapterRow {
    /// Its name, or its file's stem where it cannot be read.
    pub name: String,
    /// The file, as shown.
    pub file: String,
    /// `diagnostic`, `controller`; none where it cannot be read.
    pub kind: Option<&'static str>,
    /// One line for people.
    pub description: Option<String>,
    /// The program as the manifest names it.
    pub path: Option<String>,
    /// Whether anything but the exit code proves a pass; none for a controller.
    pub proof: Option<bool>,
    /// What a flow can set, and what is bound.
    pub params: Vec<String>,
    /// Rails that it applies.
    pub rails: Vec<String>,
    /// Flows that use it.
    pub flows: Vec<String>,
    /// Errors in its file; with any it cannot be used, and the rest is empty.
    pub errors: usize,
}

impl AdapterRow {
    fn new(entry: &Entry<Manifest>, flows: &BTreeMap<String, Vec<String>>) -> Self {
        let unread = Self {
            name: entry.name.clone(),
            file: entry.file.to_string(),
            kind: None,
            description: None,
            path: None,
            proof: None,
            params: vec![],
            rails: vec![],
            flows: flows.get(&entry.name).cloned().unwrap_or_default(),
            errors: entry.problems.errors(),
        };
        match &entry.value {
            None => unread,
            Some(Manifest::Adapter(adapter)) => Self {
                kind: Some("diagnostic"),
                description: adapter.description.clone(),
                path: Some(adapter.path.value.clone()),
                proof: Some(adapter.declares_proof()),
                params: adapter.params.iter().map(|p| p.name.to_string()).collect(),
                rails: moved(adapter)
                    .into_iter()
                    .map(|(rail, _)| rail.to_string())
                    .collect::<BTreeSet<_>>()
                    .into_iter()
                    .collect(),
                ..unread
            },
            Some(Manifest::Controller(controller)) => Self {
                kind: Some("controller"),
                description: controller.description.clone(),
                path: Some(controller.path.value.clone()),
                rails: controller.rails.iter().map(|rail| rail.value.to_string()).collect(),
                ..unread
            },
        }
    }
}

/// A row for every manifest.
pub fn rows(catalogue: &Catalogue) -> Vec<AdapterRow> {
    let users = users(catalogue);
    catalogue.manifests.iter().map(|entry| AdapterRow::new(entry, &users)).collect()
}

/// Every adapter.
pub fn list(context: &Context) -> Listing<AdapterRow> {
    let catalogue = Catalogue::read(&context.workspace);
    let users = users(&catalogue);
    Listing::of(&catalogue, &catalogue.manifests, |entry| AdapterRow::new(entry, &users))
}

/// Flows by the adapters that they use.
fn users(catalogue: &Catalogue) -> BTreeMap<String, Vec<String>> {
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for flow in catalogue.flows.iter().filter_map(|entry| entry.value.as_ref()) {
        let used: BTreeSet<&Name> = flow.steps.iter().map(|step| &step.adapter.value).collect();
        for adapter in used {
            users.entry(adapter.to_string()).or_default().push(flow.name.to_string());
        }
    }
    users
}

/// Rail fields that a diagnostic moves: both of those it names, and those that a parameter is bound to.
fn moved(adapter: &Adapter) -> BTreeSet<(Name, RailField)> {
    let named = adapter.rails.iter().flat_map(|rail| RailField::ALL.map(|field| (rail.value.clone(), field)));
    let bound = adapter.params.iter().filter_map(|param| match &param.from {
        Some(Binding::Margin { rail, field }) => Some((rail.clone(), *field)),
        Some(Binding::Seed | Binding::Unit) | None => None,
    });
    named.chain(bound).collect()
}

/// What came out of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Worth knowing; refuses nothing.
    Note,
    /// A plan that uses it is refused.
    Fail,
}

/// One check of one adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// `manifest`, `program`, `restore`, `package`, `proof`, `policy`, `flows`.
    pub check: &'static str,
    /// What came out.
    pub outcome: Outcome,
    /// In words, untrusted.
    pub says: String,
}

/// One adapter, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Its name.
    pub name: String,
    /// The file, as shown.
    pub file: String,
    /// Whether nothing failed.
    pub ok: bool,
    /// Every check, in order.
    pub findings: Vec<Finding>,
}

/// Adapters, checked.
#[derive(Debug)]
pub struct Check {
    /// One each, in the order of file names.
    pub adapters: Vec<Checked>,
    /// What is wrong with manifests and policy.
    pub problems: Problems,
    /// Their texts.
    pub sources: Sources,
}

impl Check {
    /// Whether nothing failed.
    pub fn is_ok(&self) -> bool {
        self.adapters.iter().all(|adapter| adapter.ok)
    }
}

/// Checks all adapters, or the one named.
pub fn check(context: &Context, name: Option<&str>) -> Result<Check, Failure> {
    let catalogue = Catalogue::read(&context.workspace);
    let sources = catalogue.sources();
    let wanted: Vec<&Entry<Manifest>> =
        catalogue.manifests.iter().filter(|entry| name.is_none_or(|name| entry.name == name)).collect();
    if let (Some(name), true) = (name, wanted.is_empty()) {
        let names: Vec<&str> = catalogue.manifests.iter().map(|entry| entry.name.as_str()).collect();
        return Err(Failure::usage(format!("no adapter {}", quote(name))).hinted(near_or_all(
            name,
            "adapters in the workspace",
            &names,
        )));
    }
    let mut problems = Problems::default();
    let bounds = bounds(context, &catalogue, &sources);
    if let Err(failure) = &bounds {
        problems.extend(failure.problems.clone());
    }
    let bounds = bounds.map_err(|failure| {
        if failure.message.is_empty() { "policy or profiles have errors".to_owned() } else { failure.message }
    });
    let users = users(&catalogue);
    let mut adapters = vec![];
    for entry in wanted {
        problems.extend(entry.problems.clone());
        let mut findings = Findings { context, bounds: bounds.as_ref(), list: vec![] };
        findings.manifest(entry);
        match &entry.value {
            Some(Manifest::Adapter(adapter)) => findings.adapter(adapter),
            Some(Manifest::Controller(controller)) => findings.controller(controller),
            None => {}
        }
        match users.get(&entry.name) {
            Some(flows) => findings.add("flows", Outcome::Ok, format!("used by {}", flows.join(", "))),
            None if matches!(entry.value, Some(Manifest::Controller(_))) => {}
            None => findings.add("flows", Outcome::Note, "no flow uses it"),
        }
        adapters.push(Checked {
            name: entry.name.clone(),
            file: entry.file.to_string(),
            ok: findings.list.iter().all(|finding| finding.outcome != Outcome::Fail),
            findings: findings.list,
        });
    }
    Ok(Check { adapters, problems, sources })
}

fn bounds(context: &Context, catalogue: &Catalogue, sources: &Sources) -> Result<Bounds, Failure> {
    let mut problems = Problems::default();
    catalogue.policies.iter().for_each(|entry| problems.extend(entry.problems.clone()));
    catalogue.profiles.iter().for_each(|entry| problems.extend(entry.problems.clone()));
    if problems.has_errors() {
        return Err(Failure::input(problems, sources.clone()));
    }
    let host = collect::host_facts(&context.roots);
    plan::bounds_in_force(catalogue, &host, sources).map(|(in_force, _)| in_force.bounds)
}

/// The findings of one adapter so far.
struct Findings<'a> {
    context: &'a Context,
    bounds: Result<&'a Bounds, &'a String>,
    list: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, check: &'static str, outcome: Outcome, says: impl Into<String>) {
        self.list.push(Finding { check, outcome, says: says.into() });
    }

    fn manifest(&mut self, entry: &Entry<Manifest>) {
        let warnings = entry.problems.list().len().saturating_sub(entry.problems.errors());
        match (entry.problems.errors(), warnings) {
            (0, 0) => self.add("manifest", Outcome::Ok, "no errors"),
            (0, n) => self.add("manifest", Outcome::Note, format!("{}, below", counted(n, "warning"))),
            (n, _) => self.add("manifest", Outcome::Fail, format!("{}, below", counted(n, "error"))),
        }
    }

    fn adapter(&mut self, adapter: &Adapter) {
        self.program("program", &adapter.path);
        for command in &adapter.restore {
            self.program("restore", command);
        }
        let judgement = &adapter.judgement;
        if adapter.declares_proof() {
            let metrics = judgement.metrics.iter().filter(|metric| metric.required).count();
            let says =
                format!("{}, {}", counted(judgement.expect.len(), "expectation"), counted(metrics, "required metric"));
            self.add("proof", Outcome::Ok, says);
        } else {
            self.add("proof", Outcome::Note, "no proof declared: its exit code alone decides a pass");
        }
        self.policy(&moved(adapter), Some(adapter));
    }

    fn controller(&mut self, controller: &Controller) {
        self.program("program", &controller.path);
        let driven = RailField::ALL.into_iter().filter(|field| controller.drives(*field));
        let fields = driven.flat_map(|field| controller.rails.iter().map(move |rail| (rail.value.clone(), field)));
        self.policy(&fields.collect(), None);
    }

    fn program(&mut self, check: &'static str, path: &Placed<String>) {
        match self.context.lookup().resolve(&path.value) {
            Ok(resolved) => {
                let by = format!("owner {}, mode {:04o}", owner(resolved.owner), resolved.mode);
                let (outcome, how) = match resolved.spelling {
                    Spelling::Relative => (Outcome::Ok, String::new()),
                    Spelling::Bare => (Outcome::Ok, format!("found on PATH as {}, ", resolved.path.display())),
                    Spelling::Absolute => (Outcome::Note, "an absolute path, taken as it is, ".to_owned()),
                };
                self.add(check, outcome, format!("{}: {how}{by}", path.value));
                if resolved.spelling != Spelling::Relative {
                    self.package(&resolved);
                }
            }
            Err(refusal) => {
                let help = refusal.help();
                self.add(check, Outcome::Fail, format!("{}: {refusal}; {help}", path.value));
                if matches!(refusal, Refusal::NotOnPath) {
                    self.add("package", Outcome::Note, "unknown: it is not installed");
                }
            }
        }
    }

    /// The Debian package of a program from outside the workspace. Only the real machine has packages.
    fn package(&mut self, resolved: &Resolved) {
        let dpkg = if self.context.roots.is_native() { command::find_system("dpkg") } else { None };
        let Some(dpkg) = dpkg else { return };
        // Since /bin became a link to /usr/bin, packages know their files by either name.
        let mut names = vec![resolved.path.as_path(), resolved.target.as_path()];
        for name in [&resolved.path, &resolved.target] {
            names.extend(name.strip_prefix("/usr").ok());
        }
        let rooted: BTreeSet<_> = names.iter().map(|name| Path::new("/").join(name)).collect();
        match rooted.iter().find_map(|name| package_of(&dpkg, name)) {
            Some(package) => self.add("package", Outcome::Ok, package),
            None => self.add("package", Outcome::Note, "no Debian package has it"),
        }
    }

    /// Rails and parameters against the bounds in force on this host.
    fn policy(&mut self, fields: &BTreeSet<(Name, RailField)>, adapter: Option<&Adapter>) {
        let bounds = match self.bounds {
            Ok(bounds) => bounds,
            Err(why) => return self.add("policy", Outcome::Fail, why.clone()),
        };
        let before = self.list.len();
        let bounded =
            |rail: &Name, field: RailField| bounds.rails.get(rail).is_some_and(|fields| fields.contains_key(&field));
        let rails: BTreeSet<&Name> = fields.iter().map(|(rail, _)| rail).collect();
        for rail in rails {
            let own: Vec<RailField> = fields.iter().filter(|(r, _)| r == rail).map(|(_, field)| *field).collect();
            // A rail that is named as a whole may have one field only; a bound field is meant.
            let named = adapter.is_none_or(|a| a.rails.iter().any(|r| r.value == *rail));
            if named && !own.iter().any(|field| bounded(rail, *field)) {
                self.add("policy", Outcome::Fail, format!("no policy bounds rail {rail}"));
            }
            for field in own.iter().filter(|field| !named && !bounded(rail, **field)) {
                self.add("policy", Outcome::Fail, format!("no policy bounds {rail}.{field}"));
            }
        }
        if let Some(adapter) = adapter {
            for param in &adapter.params {
                self.param(adapter, param, bounds);
            }
            if let Some(timeout) = &adapter.timeout
                && timeout.value > bounds.max_step_timeout.is
            {
                let says = format!(
                    "its timeout of {} is longer than the allowed {}",
                    timeout.value, bounds.max_step_timeout.is
                );
                self.add("policy", Outcome::Fail, says);
            }
        }
        if self.list.len() == before {
            let rails: Vec<String> = fields.iter().map(|(rail, field)| format!("{rail}.{field}")).collect();
            let rails =
                if rails.is_empty() { "moves no rail".to_owned() } else { format!("moves {}", rails.join(", ")) };
            self.add("policy", Outcome::Ok, format!("{rails}; parameters within bounds"));
        }
    }

    fn param(&mut self, adapter: &Adapter, param: &ParamSpec, bounds: &Bounds) {
        let any = ParamKey { adapter: None, param: param.name.clone() };
        let own = ParamKey { adapter: Some(adapter.name.clone()), param: param.name.clone() };
        let held: Vec<_> = [any, own].into_iter().filter_map(|key| bounds.params.get_key_value(&key)).collect();
        let moves = matches!(param.kind, ParamKind::Voltage | ParamKind::Frequency);
        // What is bound to a field is judged as that field; only its default stands alone.
        if moves && held.is_empty() && (param.from.is_none() || param.default.is_some()) {
            let says = format!(
                "{} sets a {} by itself and no policy bounds it",
                param.name,
                if param.kind == ParamKind::Voltage { "voltage" } else { "frequency" }
            );
            self.add("policy", Outcome::Fail, says);
        }
        if let Some(default) = &param.default {
            for (key, bound) in held.iter().filter(|(_, bound)| !bound.is.contains(default)) {
                let says =
                    format!("the default of {} is {default}, the bound of {key}: {}", param.name, bound.is.shown());
                self.add("policy", Outcome::Fail, says);
            }
        }
    }
}

/// `1 error`, `3 errors`.
fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A user's name for its id, from `/etc/passwd` alone; else the id.
fn owner(id: u32) -> String {
    if id == 0 {
        return "root".to_owned();
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, number) = (parts.next()?, parts.nth(1)?);
        (number.parse() == Ok(id)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| id.to_string())
}

/// `stress-ng` for `/usr/bin/stress-ng`, as `dpkg -S` says it.
fn package_of(dpkg: &Path, file: &Path) -> Option<String> {
    let limits = command::Limits { time: Duration::from_secs(5), ..command::Limits::default() };
    // Its argument is a pattern: what could be one is not asked for.
    let name = file.to_str().filter(|name| !name.contains(['*', '?', '[', '\\']))?;
    let answer = command::run(dpkg, &["-S", "--", name], limits).ok().filter(command::Answer::succeeded)?;
    owning_package(&String::from_utf8_lossy(&answer.stdout), name)
}

/// The package in what `dpkg -S` says: `PACKAGE[:ARCH][, PACKAGE]: PATH`, between lines on diversions.
fn owning_package(said: &str, file: &str) -> Option<String> {
    said.lines()
        .filter(|line| !line.starts_with("diversion by "))
        .filter_map(|line| line.rsplit_once(": "))
        .find(|(_, path)| *path == file)
        .map(|(packages, _)| packages.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_is_what_dpkg_says_of_the_very_file() {
        let check = |said: &str, file: &str, expected: Option<&str>| {
            assert_eq!(owning_package(said, file).as_deref(), expected, "{said}");
        };
        check("stress-ng: /usr/bin/stress-ng\n", "/usr/bin/stress-ng", Some("stress-ng"));
        check(
            "diversion by dash from: /bin/sh\ndiversion by dash to: /bin/sh.distrib\ndash: /bin/sh\n",
            "/bin/sh",
            Some("dash"),
        );
        check("libc6:amd64: /lib/x.so\n", "/lib/x.so", Some("libc6:amd64"));
        check("doc: /usr/share/doc/stress-ng\n", "/usr/bin/stress-ng", None);
        check("", "/usr/bin/stress-ng", None);
    }

    #[test]
    fn owners_have_names() {
        assert_eq!(owner(0), "root");
        assert_eq!(owner(4_000_000_001), "4000000001");
    }
}
