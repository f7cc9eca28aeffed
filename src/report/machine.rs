//! The machine, the programs and the documents behind a run, and what of them differs from the run that it repeats.
//! What the record does not tell is said to be not available, never left out.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::row::NameValue;
use crate::domain::host::HostFacts;
use crate::domain::plan::Plan;
use crate::domain::sanitize;
use crate::domain::time::span;
use crate::host::drift;
use crate::host::source::Source;
use crate::host::sysinfo::{Snapshot, Sysinfo};
use crate::store::StoreError;
use crate::store::layout::RunDir;
use crate::store::record::{self, Record};
use crate::store::run_id::RunId;

/// A fact about the machine.
#[derive(Debug, Serialize)]
pub struct Fact {
    name: String,
    value: String,
    available: bool,
}

/// A document that the plan was made from.
#[derive(Debug, Serialize)]
pub struct Input {
    path: String,
    kind: String,
    sha256: String,
    /// The copy is not what the plan names.
    changed: bool,
}

/// A program that the plan starts.
#[derive(Debug, Serialize)]
pub struct Program {
    adapter: String,
    path: String,
    sha256: String,
    version: Option<String>,
    proof: bool,
}

/// What differs from the run whose plan this one repeats.
#[derive(Debug, Serialize)]
pub struct ShownDrift {
    source_run: String,
    lines: Vec<Line>,
    /// Why not all of it could be compared.
    unknown: Option<String>,
}

#[derive(Debug, Serialize)]
struct Line {
    what: String,
    then: String,
    now: String,
}

/// The machine as it was recorded; an error where `sysinfo.json` is not what it should be.
pub fn sysinfo(dir: &RunDir) -> Result<Sysinfo, StoreError> {
    let path = dir.sysinfo();
    let text = record::read_regular(&path).map_err(StoreError::io("read", &path))?;
    let damaged = |message: String| StoreError::Damaged { path: path.clone(), message };
    let version: Value = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    match version.get("format_version").and_then(Value::as_u64) {
        Some(found) if found > u64::from(Sysinfo::FORMAT_VERSION) => {
            let found = u32::try_from(found).unwrap_or(u32::MAX);
            return Err(StoreError::Newer { path, found, known: Sysinfo::FORMAT_VERSION });
        }
        _ => {}
    }
    serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))
}

/// What a reader of a report wants to know of the machine, most telling first.
pub fn facts(host: &HostFacts, sysinfo: Option<&Sysinfo>) -> Vec<Fact> {
    let mut facts = Facts::default();
    let number = |value: Option<u32>| value.map(|number| number.to_string());
    facts.known("host", host.hostname.clone());
    facts.known("CPU", host.cpu_model.clone().or_else(|| host.cpu_vendor.clone()));
    facts.known("cores", number(host.cores));
    facts.known("logical CPUs", number(host.logical_cpus));
    facts.known("memory", host.memory_bytes.map(|bytes| format!("{} MiB", bytes >> 20)));
    facts.known("board", host.board.clone());
    facts.known("kernel", host.kernel.clone());
    facts.known("microcode", host.microcode.clone());
    let Some(sysinfo) = sysinfo else { return facts.0 };
    let start = &sysinfo.start;
    facts.source("command line", &start.command_line, Clone::clone);
    facts.source("operating system", &start.os_release, |os| named(os, "pretty_name"));
    facts.source("firmware", &start.firmware, |fields| {
        let names = ["bios_vendor", "bios_version", "bios_date"];
        names.iter().filter_map(|name| fields.get(*name).cloned()).collect::<Vec<_>>().join(" ")
    });
    facts.source("governors", &start.governors, |governors| {
        let mut names: Vec<&str> = governors.iter().map(|g| g.setting.governor.as_str()).collect();
        names.dedup();
        names.join(", ")
    });
    facts.source("up since boot", &start.uptime_ms, |ms| span(*ms));
    for (when, snapshot) in [("at the start", Some(start)), ("at the end", sysinfo.end.as_ref())] {
        let Some(snapshot) = snapshot else { continue };
        facts.moment(when, snapshot);
    }
    facts.0
}

fn named(fields: &BTreeMap<String, String>, name: &str) -> String {
    fields.get(name).cloned().unwrap_or_default()
}

#[derive(Default)]
struct Facts(Vec<Fact>);

impl Facts {
    fn add(&mut self, name: &str, value: &str, available: bool) {
        let NameValue { name, value } = NameValue::new(name, value);
        self.0.push(Fact { name, value, available });
    }

    fn known(&mut self, name: &str, value: Option<String>) {
        match value {
            Some(value) => self.add(name, &value, true),
            None => self.add(name, "not available", false),
        }
    }

    fn source<T>(&mut self, name: &str, source: &Source<T>, text: impl FnOnce(&T) -> String) {
        match source {
            Source::Available { value } => self.add(name, &text(value), true),
            Source::Absent { .. } => self.add(name, "not available: absent on this host", false),
            Source::Denied { .. } => self.add(name, "not available: permission denied", false),
            Source::Error { detail } => self.add(name, &format!("not available: {detail}"), false),
        }
    }

    /// What changes from moment to moment.
    fn moment(&mut self, when: &str, snapshot: &Snapshot) {
        let load = |hundredths: u64| format!("{}.{:02}", hundredths / 100, hundredths % 100);
        self.source(&format!("load {when}"), &snapshot.load, |l| {
            [l.hundredths_1m, l.hundredths_5m, l.hundredths_15m].map(load).join(" ")
        });
        self.source(&format!("temperatures {when}"), &snapshot.temperatures, |all| {
            let hottest = all.iter().filter_map(|t| t.millidegrees_c).max();
            hottest.map_or_else(String::new, |most| format!("at most {}.{} C", most / 1000, most.abs() % 1000 / 100))
        });
    }
}

/// The documents of a plan.
pub fn inputs(record: &Record) -> Vec<Input> {
    let changed = |path: &str| record.damage.iter().any(|damage| damage.file == format!("inputs/{path}"));
    let input = |(path, input): (&String, &crate::domain::plan::InputFile)| Input {
        changed: changed(path),
        path: sanitize::escaped(path).into_owned(),
        kind: sanitize::escaped(&input.kind).into_owned(),
        sha256: sanitize::escaped(&input.sha256).into_owned(),
    };
    record.plan.experiment.inputs.iter().map(input).collect()
}

/// The programs of a plan.
pub fn programs(plan: &Plan, sysinfo: Option<&Sysinfo>) -> Vec<Program> {
    let version = |adapter: &str| {
        let tool = sysinfo?.start.tools.get(adapter)?;
        tool.value().map(|version| sanitize::escaped(version.first_line()).into_owned())
    };
    let program = |(name, adapter): (&crate::domain::name::Name, &crate::domain::plan::PlannedAdapter)| Program {
        adapter: name.to_string(),
        path: sanitize::escaped(&adapter.executable.path).into_owned(),
        sha256: sanitize::escaped(&adapter.executable.sha256).into_owned(),
        version: version(name.as_str()),
        proof: adapter.judgement.declares_proof(),
    };
    plan.experiment.adapters.iter().map(program).collect()
}

/// What differs from the source run, where there is one.
pub fn drift(record: &Record, sysinfo: Option<&Sysinfo>) -> Option<ShownDrift> {
    let source_run = record.header().source_run?;
    let mut lines = vec![];
    let unknown = compare(record, sysinfo, &source_run, &mut lines).err();
    Some(ShownDrift { source_run: sanitize::escaped(&source_run).into_owned(), lines, unknown })
}

fn compare(record: &Record, sysinfo: Option<&Sysinfo>, source_run: &str, lines: &mut Vec<Line>) -> Result<(), String> {
    let id = RunId::parse(source_run).map_err(|_| "its name is not that of a run".to_owned())?;
    let runs = record.entry.dir.root().parent().unwrap_or_else(|| record.entry.dir.root());
    let dir = RunDir::open(runs, &id).map_err(|_| "that run is not here any more".to_owned())?;
    let mut line = |what: &str, then: &str, now: &str| {
        let text = |text: &str| sanitize::escaped(text).into_owned();
        lines.push(Line { what: text(what), then: text(then), now: text(now) });
    };
    let mut unknown = vec![];
    match (self::sysinfo(&dir), sysinfo) {
        (Ok(then), Some(now)) => {
            for drift in drift::between(&then.start, &now.start) {
                let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "unknown".to_owned());
                line(&drift.what, &side(&drift.then), &side(&drift.now));
            }
        }
        _ => unknown.push("sysinfo.json of one of the two cannot be read"),
    }
    match record::read_plan(&dir.plan()) {
        Ok(then) if !record.stands_in => between_plans(&then, &record.plan, &mut line),
        _ => unknown.push("plan.json of one of the two cannot be read"),
    }
    if unknown.is_empty() { Ok(()) } else { Err(unknown.join("; ")) }
}

fn between_plans(then: &Plan, now: &Plan, line: &mut dyn FnMut(&str, &str, &str)) {
    let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
    let unit = |plan: &Plan| plan.unit.clone().unwrap_or_else(|| "not named".to_owned());
    if then.unit != now.unit {
        line("unit", &unit(then), &unit(now));
    }
    for (name, adapter) in &now.experiment.adapters {
        if let Some(before) = then.experiment.adapters.get(name)
            && before.executable.sha256 != adapter.executable.sha256
        {
            let what = format!("program {}", adapter.executable.path);
            line(&what, &short(&before.executable.sha256), &short(&adapter.executable.sha256));
        }
    }
    if then.experiment.bounds != now.experiment.bounds {
        line("bounds", "wider", "tightened by today's policy");
    }
    let (before, after) = (then.experiment.sub_runs(), now.experiment.sub_runs());
    if before != after {
        line("sub-runs", &before.to_string(), &after.to_string());
    }
}
