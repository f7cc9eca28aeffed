//! Runs of the past, and what came of one. Text from records is sanitised; nothing is judged again.

use std::fmt::Write as _;

use serde::Serialize;

use crate::commands::stored::StoredRun;
use crate::domain::event::RunStatus;
use crate::domain::evidence;
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::domain::summary::{Counts, short_name};
use crate::domain::time::Timestamp;
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
        let done = row.counts.values().fold(0, |sum: u32, count| sum.saturating_add(*count));
        let sub_runs = format!("{done}/{}", row.subruns);
        let (flow, margin) = (row.flow.unwrap_or_else(dash), row.margin.unwrap_or_else(dash));
        table.row([&row.run_id, &status, &verdict, &sub_runs, &flow, &margin, &row.unit.unwrap_or_else(dash)]);
    }
    table
}

/// One run: what it was, how each sub-run ended, and each execution that did not pass or in which the
/// hardware had news. With `all` the others as well.
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
        let ended = state.ended_at.zip(state.took()).map(|(at, took)| format!("  ended {at}  took {took}"));
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
        let mut says = vec![];
        says.extend(sub_run.unapplied.then_some("~ nobody applied a swept rail"));
        says.extend(sub_run.unheld.then_some("~ a rail did not hold its setpoint"));
        let says = sub_run.reason.as_deref().map_or_else(|| says.join("  "), str::to_owned);
        table.row([short_name(experiment.sub_runs(), index), point, verdict, says]);
        for execution in &sub_run.executions {
            let Some(finished) = &execution.finished else { continue };
            let news = evidence::news(&finished.observed).join(", ");
            if finished.verdict == Verdict::Pass && news.is_empty() && !all {
                continue;
            }
            let ended = execution.ended().unwrap_or_default();
            let effects: Vec<&str> = finished.effects.iter().map(|effect| effect.as_str()).collect();
            let reason = finished.reason.clone().unwrap_or_default();
            let says = [effects.join(" "), ended, news, reason].into_iter().filter(|part| !part.is_empty());
            let step = format!("  {:02} {}", finished.index, finished.step);
            table.row([String::new(), step, finished.verdict.to_string(), says.collect::<Vec<_>>().join("  ")]);
        }
        for (at, observed) in state.late.get(&index).into_iter().flatten() {
            let news = evidence::news(observed);
            if !news.is_empty() {
                let says = format!("{}, seen at {at}", news.join(", "));
                table.row([String::new(), "  came late".to_owned(), "-".to_owned(), says]);
            }
        }
    }
    out.push_str(&table.text());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::event::{EvidenceLate, RailLevel, RailNotHeld, RunEvent};
    use crate::domain::kit::{self, World, name};
    use crate::domain::verdict::Verdict::{Fail, Pass};

    fn check(all: bool) -> String {
        let mut world = World::grid(3, 1);
        world.flow.steps[0].repeat = 2;
        let plan = Arc::new(world.plan());
        let mut state = kit::state(&plan);
        let mut events = vec![];
        let mut sub_run = 0;
        for mut event in kit::story(&plan, &[vec![Pass, Pass], vec![Pass, Fail], vec![Pass, Pass]]) {
            match &mut event {
                RunEvent::SubrunOpened(opened) => sub_run = opened.index,
                RunEvent::StepFinished(finished) if finished.index == 1 && sub_run > 0 => {
                    finished.observed = kit::alarming();
                }
                RunEvent::SubrunClosed(_) if sub_run == 0 => {
                    let (rail, setpoint) = (name("core"), RailLevel::default());
                    events.push(RailNotHeld { rail, setpoint, readback: None, reason: "no answer".to_owned() }.into());
                }
                RunEvent::RunFinished(_) => {
                    events.push(EvidenceLate { index: 1, observed: kit::alarming() }.into());
                    events.push(EvidenceLate { index: 2, observed: kit::quiet() }.into());
                }
                _ => {}
            }
            events.push(event);
        }
        for event in kit::recorded(events) {
            state.absorb(event);
        }
        let mut out = String::new();
        sub_runs(&mut out, &state, all);
        out
    }

    #[test]
    fn what_was_not_held_and_what_the_hardware_said() {
        insta::assert_snapshot!(check(false), @r"
        s00  core 3GHz 1000mV  pass  ~ a rail did not hold its setpoint
        s01  core 3GHz 999mV   fail
               01 cpu-smoke    fail  exit 1  edac_ce +3 mc0/dimm2, kernel_log 1 corrected, 1 other, throttle +5 cpu0 2, cpu1 3
               came late       -     edac_ce +3 mc0/dimm2, kernel_log 1 corrected, 1 other, throttle +5 cpu0 2, cpu1 3, seen at 1970-01-01T00:00:33.000Z
        s02  core 3GHz 998mV   pass
               01 cpu-smoke    pass  exit 0  edac_ce +3 mc0/dimm2, kernel_log 1 corrected, 1 other, throttle +5 cpu0 2, cpu1 3
        ");
        insta::assert_snapshot!(check(true), @r"
        s00  core 3GHz 1000mV  pass  ~ a rail did not hold its setpoint
               00 cpu-smoke    pass  exit 0
               01 cpu-smoke    pass  exit 0
        s01  core 3GHz 999mV   fail
               00 cpu-smoke    pass  exit 0
               01 cpu-smoke    fail  exit 1  edac_ce +3 mc0/dimm2, kernel_log 1 corrected, 1 other, throttle +5 cpu0 2, cpu1 3
               came late       -     edac_ce +3 mc0/dimm2, kernel_log 1 corrected, 1 other, throttle +5 cpu0 2, cpu1 3, seen at 1970-01-01T00:00:33.000Z
        s02  core 3GHz 998mV   pass
               00 cpu-smoke    pass  exit 0
               01 cpu-smoke    pass  exit 0  edac_ce +3 mc0/dimm2, kernel_log 1 corrected, 1 other, throttle +5 cpu0 2, cpu1 3
        ");
    }
}
