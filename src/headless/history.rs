//! Runs of the past, and what came of one. Text from records is sanitised; nothing is judged again.

use std::fmt::Write as _;

use serde::Serialize;

use crate::commands::stored::StoredRun;
use crate::domain::event::RunStatus;
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::domain::summary::{Counts, short_name};
use crate::domain::time::{self, Timestamp};
use crate::domain::verdict::Verdict;
use crate::headless::progress;
use crate::headless::tables::Table;
use crate::store::history::RunEntry;

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    /// Its id.
    pub run_id: String,
    /// How far it has come; none where its summary cannot be read.
    pub status: Option<RunStatus>,
    /// How it ended, if it has.
    pub verdict: Option<Verdict>,
    /// What the command returned.
    pub exit_code: Option<u8>,
    /// The flow's name.
    pub flow: Option<String>,
    /// The margin profile's name.
    pub margin: Option<String>,
    /// The unit under test.
    pub unit: Option<String>,
    /// The plan's digest.
    pub plan_digest: Option<String>,
    /// The run whose plan it repeats.
    pub source_run: Option<String>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How many sub-runs its plan has.
    pub subruns: usize,
    /// Sub-runs by verdict.
    pub counts: Counts,
    /// Why its summary cannot be read.
    pub error: Option<String>,
}

impl RunRow {
    /// The row of one run.
    pub fn new(entry: &RunEntry) -> Self {
        let summary = entry.summary.as_ref();
        let known = summary.ok();
        Self {
            run_id: entry.id.to_string(),
            status: known.map(|s| s.status),
            verdict: known.and_then(|s| s.verdict),
            exit_code: known.and_then(|s| s.exit_code),
            flow: known.map(|s| s.flow.to_string()),
            margin: known.map(|s| s.margin.to_string()),
            unit: known.and_then(|s| s.unit.clone()),
            plan_digest: known.map(|s| s.plan_digest.clone()),
            source_run: known.and_then(|s| s.source_run.clone()),
            started_at: known.and_then(|s| s.started_at),
            ended_at: known.and_then(|s| s.ended_at),
            subruns: known.map_or(0, |s| s.subruns.0),
            counts: known.map(|s| s.counts.clone()).unwrap_or_default(),
            error: summary.err().map(ToString::to_string),
        }
    }
}

/// Runs, one a line.
pub fn table(rows: impl Iterator<Item = RunRow>) -> Table {
    let mut table = Table::new(&["RUN", "STATUS", "VERDICT", "SUB-RUNS", "FLOW", "MARGIN", "UNIT"]);
    for row in rows {
        if let Some(error) = &row.error {
            table.row([&row.run_id, "unreadable", "-", "-", "-", "-", error]);
            continue;
        }
        let dash = || "-".to_owned();
        let status = row.status.map_or_else(dash, |status| status.to_string());
        let verdict = row.verdict.map_or_else(dash, |verdict| verdict.to_string());
        let done: u32 = row.counts.values().sum();
        let sub_runs = format!("{done}/{}", row.subruns);
        let (flow, margin) = (row.flow.unwrap_or_else(dash), row.margin.unwrap_or_else(dash));
        table.row([&row.run_id, &status, &verdict, &sub_runs, &flow, &margin, &row.unit.unwrap_or_else(dash)]);
    }
    table
}

/// One run: what it was, how each sub-run ended, and each execution that did not pass. With `all` those that did as well.
pub fn shown(run: &StoredRun, all: bool) -> String {
    let state = &run.state;
    let experiment = &state.plan.experiment;
    let mut out = String::new();
    let _ = writeln!(out, "status    {}", state.status);
    let _ = writeln!(out, "plan      {} x {}  seed {}", experiment.flow, experiment.margin, experiment.global_seed);
    let _ = writeln!(out, "digest    {}", sanitize::escaped(&state.plan.digest));
    if let Some(source) = &state.header.source_run {
        let _ = writeln!(out, "repeats   {}", sanitize::escaped(source));
    }
    if let Some(unit) = &state.plan.unit {
        let _ = writeln!(out, "unit      {}", sanitize::escaped(unit));
    }
    if let Some(host) = &state.plan.host.hostname {
        let _ = writeln!(out, "host      {}", sanitize::escaped(host));
    }
    if let Some(started) = state.started_at {
        let ended = state.ended_at.map(|at| format!("  ended {at}  took {}", time::span(at.since(started))));
        let _ = writeln!(out, "started   {started}{}", ended.unwrap_or_default());
    }
    out.push_str(&progress::result(state, run.entry.dir.root()));
    out.push('\n');
    sub_runs(&mut out, state, all);
    out
}

fn sub_runs(out: &mut String, state: &RunState, all: bool) {
    let experiment = &state.plan.experiment;
    let mut table = Table::indented(0);
    for (index, sub_run) in (0..).zip(&state.sub_runs) {
        let point = experiment.point(index).unwrap_or_default().shown();
        let verdict = sub_run.verdict.map_or_else(|| "not started".to_owned(), |verdict| verdict.to_string());
        let unapplied = if sub_run.unapplied { "~ nobody applied a swept rail" } else { "" };
        let reason = sub_run.reason.as_deref().unwrap_or(unapplied);
        table.row([short_name(experiment.sub_runs(), index), point, verdict, reason.to_owned()]);
        for finished in sub_run.executions.iter().filter_map(|execution| execution.finished.as_deref()) {
            if finished.verdict == Verdict::Pass && !all {
                continue;
            }
            let ended = finished.ended().unwrap_or_else(|| "not started".to_owned());
            let effects: Vec<&str> = finished.effects.iter().map(|effect| effect.as_str()).collect();
            let reason = finished.reason.clone().unwrap_or_default();
            let says = [effects.join(" "), ended, reason].into_iter().filter(|part| !part.is_empty());
            let step = format!("  {:02} {}", finished.index, finished.step);
            table.row([String::new(), step, finished.verdict.to_string(), says.collect::<Vec<_>>().join("  ")]);
        }
    }
    out.push_str(&table.text());
}
