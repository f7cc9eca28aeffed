//! What a template knows: the fields of `summary.json` at the top, then bounds, host, grid, failures and the rest. Lists
//! that grow with the run (`subruns`, `steps`, the grid's rows) stand here by name only and are made row by row.

use serde::Serialize;

use super::bounds::{self, ShownBounds};
use super::failures::Failure;
use super::flow_steps::{ShownStep, Tally};
use super::gathered::Gathered;
use super::grid::{self, ShownGrid};
use super::hardware::ShownEvidence;
use super::helpers::stand_in;
use super::machine::{self, Fact, Input, Program, ShownDrift};
use super::rails::Rails;
use crate::domain::event::{Applied, RunStatus};
use crate::domain::headroom;
use crate::domain::run_state::{RunState, SubRunState};
use crate::domain::sanitize;
use crate::domain::shmoo::Cell;
use crate::domain::summary::RunSummary;
use crate::domain::verdict::{Verdict, exit};
use crate::store::record::Record;

/// Everything but the rows.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the fields are the names that templates use")]
pub struct Facts<'g> {
    #[serde(flatten)]
    summary: RunSummary<serde_json::Value>,
    cell: &'static str,
    glyph: char,
    headline: String,
    took: Option<String>,
    exit_meaning: Option<&'static str>,
    policy: Option<String>,
    planned: Amounts,
    done: Amounts,
    tallies: Vec<Tally>,
    damage: Vec<String>,
    unapplied: Vec<String>,
    unproven: Vec<String>,
    bounds: Option<ShownBounds>,
    grid: Option<ShownGrid>,
    rails: Option<&'g Rails>,
    flow_steps: Vec<ShownStep>,
    evidence: Option<ShownEvidence>,
    failures: &'g [Failure],
    failures_left_out: u64,
    drift: Option<ShownDrift>,
    host_facts: Vec<Fact>,
    inputs: Vec<Input>,
    programs: Vec<Program>,
    steps: serde_json::Value,
}

#[derive(Serialize)]
struct Amounts {
    subruns: u64,
    executions: u64,
}

impl<'g> Facts<'g> {
    /// Of a run that has been read.
    pub fn new(record: &Record, gathered: &'g Gathered) -> Self {
        let state = &gathered.state;
        let experiment = &state.plan.experiment;
        let is_known = !record.stands_in;
        let applied = headroom::applied_fields(experiment);
        let unapplied = applied.iter().filter(|(_, by)| **by == Applied::None).map(|(field, _)| field.clone());
        let proofless = experiment.adapters.iter().filter(|(_, adapter)| !adapter.judgement.declares_proof());
        let cell = run_cell(state);
        let sub_runs = u64::from(experiment.sub_runs());
        Self {
            summary: summary(state),
            cell: cell.as_str(),
            glyph: cell.glyph(),
            headline: headline(state),
            took: state.took(),
            exit_meaning: state.end.map(|(_, code)| meaning(code, state)),
            policy: is_known.then(|| experiment.policy.to_string()),
            planned: Amounts { subruns: sub_runs, executions: sub_runs * u64::from(experiment.executions()) },
            done: Amounts { subruns: state.finished_sub_runs() as u64, executions: gathered.flow_steps.done },
            tallies: grid::tallies(state),
            damage: gathered.damage.iter().map(|d| sanitize::escaped(&d.to_string()).into_owned()).collect(),
            unapplied: unapplied.collect(),
            unproven: proofless.map(|(name, _)| name.to_string()).collect(),
            bounds: is_known.then(|| bounds::shown(experiment, &applied)),
            grid: gathered.shmoo.as_ref().map(|shmoo| shmoo.shown(|slice| stand_in(&rows_name(slice)))),
            rails: Some(&gathered.rails).filter(|rails| !rails.is_empty()),
            flow_steps: gathered.flow_steps.shown(),
            evidence: gathered.hardware.shown(state),
            failures: &gathered.failures.list,
            failures_left_out: gathered.failures.left_out,
            drift: machine::drift(record, gathered.sysinfo.as_ref()),
            host_facts: machine::facts(&state.plan.host, gathered.sysinfo.as_ref()),
            inputs: machine::inputs(record),
            programs: machine::programs(&state.plan, gathered.sysinfo.as_ref()),
            steps: stand_in("steps"),
        }
    }
}

/// How the rows of the grid, or of one of its slices, are called.
pub fn rows_name(slice: Option<usize>) -> String {
    slice.map_or_else(|| "grid.rows".to_owned(), |at| format!("grid.slices.{at}.rows"))
}

/// The summary with its text made fit to be shown.
fn summary(state: &RunState) -> RunSummary<serde_json::Value> {
    let text = |text: String| sanitize::escaped(&text).into_owned();
    let summary = state.summary();
    RunSummary {
        format_version: summary.format_version,
        run_id: summary.run_id,
        status: summary.status,
        verdict: summary.verdict,
        flow: summary.flow,
        margin: summary.margin,
        unit: summary.unit.map(text),
        global_seed: summary.global_seed,
        plan_digest: text(summary.plan_digest),
        source_run: summary.source_run.map(text),
        host: summary.host,
        profile: summary.profile,
        started_at: summary.started_at,
        ended_at: summary.ended_at,
        at_work_ms: summary.at_work_ms,
        road_runner_version: text(summary.road_runner_version),
        exit_code: summary.exit_code,
        counts: summary.counts,
        stop_reason: summary.stop_reason.map(text),
        subruns: stand_in("subruns"),
    }
}

/// What a run as a whole shows.
fn run_cell(state: &RunState) -> Cell {
    match (state.end, state.status) {
        (_, RunStatus::DryRun) => Cell::Skipped,
        (Some((verdict, _)), _) => Cell::from(verdict),
        (None, RunStatus::Running) => Cell::Running,
        (None, RunStatus::Planned) => Cell::Planned,
        (None, _) => Cell::Aborted,
    }
}

/// The meaning of an exit code, without the marks that Markdown would read.
fn meaning(code: u8, state: &RunState) -> &'static str {
    match code {
        exit::PASS if state.status == RunStatus::DryRun => "a dry run",
        exit::PASS => "everything passed",
        exit::FAIL => "the unit failed somewhere",
        exit::USAGE => "bad usage or invalid input",
        exit::SAFETY => "safety violation",
        exit::RIG => "the rig failed, or artifacts could not be written",
        exit::NOTHING => "nothing was judged",
        exit::INCONCLUSIVE => "inconclusive",
        exit::INTERRUPT => "ended by SIGINT or the operator",
        exit::TERMINATE => "ended by SIGTERM",
        exit::QUIT => "ended by SIGQUIT",
        exit::HANGUP => "ended by SIGHUP",
        _ => "unknown",
    }
}

/// What the run came to, in one sentence.
fn headline(state: &RunState) -> String {
    let all = state.sub_runs.len();
    let of = |count: usize| format!("{count} of {all} sub-run{}", if all == 1 { "" } else { "s" });
    let count = |wanted: &dyn Fn(&SubRunState) -> bool| state.sub_runs.iter().filter(|s| wanted(s)).count();
    let is = |verdict: Verdict| move |sub_run: &SubRunState| sub_run.verdict == Some(verdict);
    let begun = match state.status {
        RunStatus::Planned => return format!("planned, not started: {}", of(all)),
        RunStatus::DryRun => return format!("a dry run: nothing was executed in {}", of(all)),
        RunStatus::Running => format!("still running: {} ended", of(state.finished_sub_runs())),
        RunStatus::Interrupted => {
            format!("interrupted: the runner died with {} ended", of(state.finished_sub_runs()))
        }
        RunStatus::Completed | RunStatus::Cancelled => String::new(),
    };
    let mut parts = vec![begun];
    // By verdicts: a rail that nobody applied hides a cell, and changes no verdict.
    let passed = count(&|sub_run| sub_run.verdict == Some(Verdict::Pass) && sub_run.flaky.is_none());
    for (words, count) in [
        ("the unit failed in", count(&|sub_run| sub_run.unit_failed)),
        ("the rig failed in", count(&|sub_run| sub_run.rig_failed)),
        ("flaky in", count(&|sub_run| sub_run.verdict == Some(Verdict::Pass) && sub_run.flaky.is_some())),
        ("inconclusive in", count(&is(Verdict::Inconclusive))),
        ("ended early in", count(&is(Verdict::Aborted))),
        (if passed == all { "everything passed:" } else { "passed in" }, passed),
        ("a swept rail was applied by nobody in", count(&|sub_run| sub_run.unapplied)),
        ("a rail did not hold its setpoint in", count(&|sub_run| sub_run.unheld)),
    ] {
        if count > 0 {
            parts.push(format!("{words} {}", of(count)));
        }
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() { "nothing was judged".to_owned() } else { parts.join("; ") }
}
