//! A run's record as text that is the same each time, and what may differ in it when the run was interrupted.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::sweep::{Sweep, files, lines};

/// Differs from run to run, wherever it stands.
const VOLATILE: [&str; 14] = [
    "seq",
    "at",
    "pid",
    "boot_id",
    "start_ticks",
    "started_at",
    "ended_at",
    "at_work_ms",
    "duration_ms",
    "user_ms",
    "system_ms",
    "max_rss_kb",
    "observed",
    "rail_events",
];
/// What stays of an execution that was in flight: it has an end, and nothing else is known of it.
const OF_THE_DEAD: [&str; 6] = ["event", "index", "step", "verdict", "effects", "attempt"];
/// Files that are compared by what they say, or that say something else each time.
const NOT_COMPARED: [&str; 9] = [
    "lock",
    "hashes.json",
    "sysinfo.json",
    "report.md",
    "report.html",
    "export.csv",
    "hashes.json",
    "events.ldjson",
    "steps.ldjson",
];

/// Where an interrupted run stood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stood {
    /// The sub-runs that were open, one at each time that it was interrupted: their rails were brought home by somebody
    /// else, and moved again.
    pub open: BTreeSet<u64>,
    /// The executions that were in flight.
    pub in_flight: BTreeSet<InFlight>,
    /// Executions of the open sub-run that have ended.
    pub finished: u64,
    /// Rails were told to leave, and nobody says that they are home.
    pub is_away: bool,
    /// The end of the run was recorded.
    pub has_ended: bool,
    /// Lines that the runner had written.
    pub lines: usize,
}

/// An execution that had begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InFlight {
    pub sub_run: u64,
    pub index: u64,
    /// `00_first`.
    pub name: String,
}

impl InFlight {
    /// `s01-00_first`.
    pub fn label(&self) -> String {
        format!("s{:02}-{}", self.sub_run, self.name)
    }
}

/// The journal of a sub-run.
pub fn steps(run: &Path, sub_run: u64) -> Vec<Value> {
    let id = run.file_name().unwrap().to_string_lossy().into_owned();
    lines(&run.join(format!("subruns/{id}-s{sub_run:02}/steps.ldjson")))
}

impl Stood {
    /// What a dead runner's journals say.
    pub fn of(run: &Path) -> Self {
        let events = lines(&run.join("events.ldjson"));
        let is = |line: &Value, name: &str| line["event"] == name;
        let mut stood = Self { lines: events.len(), ..Self::default() };
        stood.has_ended = events.iter().any(|line| is(line, "run_finished"));
        let begun: BTreeSet<u64> = events
            .iter()
            .filter(|line| is(line, "subrun_started"))
            .map(|line| line["index"].as_u64().unwrap())
            .collect();
        for sub_run in begun {
            let journal = steps(run, sub_run);
            stood.lines += journal.iter().filter(|line| line["by"] != "guardian").count();
            if !journal.iter().any(|line| is(line, "subrun_closed")) {
                stood.open.insert(sub_run);
                stood.finished = journal.iter().filter(|line| is(line, "step_finished")).count() as u64;
                let mut moves = journal.iter().filter(|line| is(line, "rail_moving") || is(line, "rail_restored"));
                stood.is_away = moves.next_back().is_some_and(|line| is(line, "rail_moving"));
            }
            let ended = |index: &Value| journal.iter().any(|line| is(line, "step_finished") && line["index"] == *index);
            let begun = journal.iter().filter(|line| is(line, "step_started"));
            for line in begun.filter(|line| !ended(&line["index"])) {
                let (index, step) = (line["index"].as_u64().unwrap(), line["step"].as_str().unwrap());
                let name = format!("{index:02}_{step}");
                assert!(stood.in_flight.is_empty(), "two at once");
                stood.in_flight.insert(InFlight { sub_run, index, name });
            }
        }
        stood
    }

    fn is_in_flight(&self, sub_run: u64, value: &Value) -> bool {
        self.in_flight.iter().any(|dead| dead.sub_run == sub_run && value["index"] == dead.index)
    }

    /// The same run, which had stood elsewhere before.
    pub fn after(mut self, before: &Self) -> Self {
        self.open.extend(&before.open);
        self.in_flight.extend(before.in_flight.iter().cloned());
        self
    }
}

/// All that a record says, a line each, as far as it must be the same for a run that stood there once.
pub fn record(sweep: &Sweep, runs: &Path, id: &str, stood: &Stood) -> String {
    let run = runs.join(id);
    let settled = |text: &str| sweep.settled(text, runs).replace(id, "RUN");
    let mut out = String::new();
    let mut told = BTreeSet::new();
    for mut line in lines(&run.join("events.ldjson")) {
        // A runner that goes on says so instead of that it begins, and what it has for sources.
        if line["event"] == "run_resumed" {
            line["event"] = "run_started".into();
        }
        let event = line["event"].as_str().unwrap();
        if !matches!(event, "run_started" | "evidence_sources") || told.insert(event.to_owned()) {
            let _ = writeln!(out, "events: {}", settled(&plain(line).to_string()));
        }
    }
    for sub_run in 0..3 {
        for mut line in steps(&run, sub_run) {
            let event = line["event"].as_str().unwrap().to_owned();
            if event.starts_with("rail_") && stood.open.contains(&sub_run) {
                continue;
            }
            if stood.is_in_flight(sub_run, &line) {
                match &*event {
                    "step_finished" => line = of_the_dead(&line),
                    "step_spawned" => continue,
                    _ => {}
                }
            }
            let _ = writeln!(out, "s{sub_run:02}: {}", settled(&plain(line).to_string()));
        }
    }
    for path in files(&run) {
        let name = path.strip_prefix(&run).unwrap().to_string_lossy().into_owned();
        let shown = settled(&name);
        let last = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_dead = stood.in_flight.iter().any(|dead| {
            let below = name.strip_prefix(&format!("subruns/{id}-s{:02}/", dead.sub_run)).unwrap_or_default();
            below.split('/').any(|part| part.starts_with(&dead.name))
        });
        // Times of output are there where the runner came to look; a seal is not, where it died behind the end of its run.
        if is_dead || last == "logs.idx" || (stood.has_ended && last == "hashes.json") {
            continue;
        }
        if NOT_COMPARED.contains(&&*last) {
            let _ = writeln!(out, "{shown}");
        } else if last == "summary.json" {
            let mut value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            if let Some(sub_run) = value["steps"].is_array().then(|| value["index"].as_u64().unwrap()) {
                for step in value["steps"].as_array_mut().unwrap() {
                    if stood.is_in_flight(sub_run, step) {
                        *step = of_the_dead(step);
                    }
                }
            }
            let _ = writeln!(out, "{shown}: {}", settled(&plain(value).to_string()));
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            let _ = writeln!(out, "{shown}: {}", settled(&text).escape_debug());
        }
    }
    out + &settled(&rows(&run, stood))
}

/// The rows of the CSV.
fn rows(run: &Path, stood: &Stood) -> String {
    let Ok(mut reader) = csv::Reader::from_path(run.join("export.csv")) else { return "no export.csv\n".to_owned() };
    let columns = reader.headers().unwrap().clone();
    let mut out = String::new();
    for row in reader.records() {
        let row = row.unwrap();
        let of = |name: &str| columns.iter().position(|column| column == name).and_then(|at| row.get(at)).unwrap();
        let is_dead = stood
            .in_flight
            .iter()
            .any(|dead| of("subrun_index") == dead.sub_run.to_string() && of("index") == dead.index.to_string());
        let unknown = ["exit_code", "signal", "reason"];
        let cells = columns.iter().zip(&row).filter(|(column, _)| {
            let volatile =
                matches!(*column, "run_id" | "started_at" | "duration_ms") || column.starts_with("evidence.");
            let of_the_dead = is_dead && (unknown.contains(column) || column.starts_with("metric."));
            !volatile && !of_the_dead
        });
        let cells: Vec<String> = cells.map(|(column, cell)| format!("{column}={cell}")).collect();
        let _ = writeln!(out, "row: {}", cells.join(" "));
    }
    out
}

fn plain(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            map.retain(|key, _| !VOLATILE.contains(&&**key));
            map.values_mut().for_each(|inner| *inner = plain(inner.take()));
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| *inner = plain(inner.take())),
        _ => {}
    }
    value
}

fn of_the_dead(line: &Value) -> Value {
    let kept = line.as_object().unwrap().iter().filter(|(key, _)| OF_THE_DEAD.contains(&&***key));
    Value::Object(kept.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// The lines in which two records differ.
pub fn difference(found: &str, expected: &str) -> String {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let (found, expected) = (lines(found), lines(expected));
    let mut out = String::new();
    for line in expected.iter().filter(|line| !found.contains(line)) {
        let _ = writeln!(out, "- {line}");
    }
    for line in found.iter().filter(|line| !expected.contains(line)) {
        let _ = writeln!(out, "+ {line}");
    }
    if out.is_empty() && found != expected {
        "the same lines in another order, or one of them twice".to_owned()
    } else {
        out
    }
}

/// No step begins but where its rail is held; what is away comes home; no two lines share a number, and they increase.
pub fn keeps_the_protocol(run: &Path) {
    let mut seen = BTreeSet::new();
    let events = lines(&run.join("events.ldjson"));
    let journals = (0..3).map(|sub_run| steps(run, sub_run));
    for journal in std::iter::once(events).chain(journals) {
        let (mut last, mut holds, mut is_away) = (None, false, false);
        for line in &journal {
            let seq = line["seq"].as_u64().unwrap();
            assert!(last.is_none_or(|last| last < seq) && seen.insert(seq), "{line}");
            last = Some(seq);
            match line["event"].as_str().unwrap() {
                "rail_moving" => (holds, is_away) = (false, true),
                "rail_held" => holds = line["setpoint"]["voltage_uv"] == line["readback"]["voltage_uv"],
                "rail_restored" => (holds, is_away) = (false, false),
                "step_started" => assert!(holds, "not at its point: {line}"),
                _ => {}
            }
        }
        assert!(!is_away, "nobody said that the rail is home: {:?}", journal.last());
    }
}
