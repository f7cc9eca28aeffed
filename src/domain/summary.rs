//! `summary.json`: the run state as written down, for a run and for a sub-run.

use std::collections::BTreeMap;

use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Serialize, Serializer};

use crate::domain::event::{RunStatus, StepFinished};
use crate::domain::host::HostFacts;
use crate::domain::name::Name;
use crate::domain::plan::{Experiment, Plan};
use crate::domain::point::MarginPoint;
use crate::domain::run_state::{RunHeader, RunState, SubRunState};
use crate::domain::seed::Seed;
use crate::domain::time::{Timestamp, span};
use crate::domain::verdict::{Effects, Verdict};

/// The version of the summaries that this program writes.
pub const FORMAT_VERSION: u32 = 1;

/// How many children ended in which verdict: all eight, zero included.
pub type Counts = BTreeMap<Verdict, u32>;

/// Counts verdicts.
pub fn count(verdicts: impl IntoIterator<Item = Verdict>) -> Counts {
    let mut counts: Counts = Verdict::ALL.into_iter().map(|v| (v, 0)).collect();
    for verdict in verdicts {
        *counts.entry(verdict).or_default() += 1;
    }
    counts
}

/// A run's summary. `R` is its rows: owned when read, a view of the run state when written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunSummary<R> {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// The run.
    pub run_id: String,
    /// How far it has come.
    pub status: RunStatus,
    /// The gravest of its sub-runs, once it has ended.
    pub verdict: Option<Verdict>,
    /// The flow's name.
    pub flow: Name,
    /// The margin profile's name.
    pub margin: Name,
    /// The unit under test, if named.
    pub unit: Option<String>,
    /// The seed of everything.
    pub global_seed: Seed,
    /// The plan's digest.
    pub plan_digest: String,
    /// The run whose plan this one repeats.
    pub source_run: Option<String>,
    /// The host it was planned for.
    pub host: HostFacts,
    /// The hardware profiles in force.
    pub profile: Vec<Name>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// So long runners were at work on it, milliseconds: what lies between a crash and a resume does not count.
    #[serde(default)]
    pub at_work_ms: Option<u64>,
    /// The program's version.
    pub road_runner_version: String,
    /// What the command returned.
    pub exit_code: Option<u8>,
    /// Sub-runs by verdict.
    pub counts: Counts,
    /// Why it ended before its plan was done.
    pub stop_reason: Option<String>,
    /// One for each planned sub-run.
    pub subruns: R,
}

/// A sub-run in its run's summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubRunRow {
    /// `<run id>-s00`.
    pub id: String,
    /// From 0.
    pub index: u32,
    /// Where the margin is.
    pub point: MarginPoint,
    /// How it ended, if it has.
    pub verdict: Option<Verdict>,
}

/// A sub-run's own summary.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubRunSummary {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// `<run id>-s00`.
    pub id: String,
    /// From 0.
    pub index: u32,
    /// Where the margin is.
    pub point: MarginPoint,
    /// Its own seed.
    pub seed: Seed,
    /// How it ended.
    pub verdict: Option<Verdict>,
    /// What was seen.
    pub effects: Effects,
    /// Executions by verdict.
    pub counts: Counts,
    /// Why it or part of it was not measured.
    pub reason: Option<String>,
    /// What each `step_finished` says.
    pub steps: Vec<StepFinished>,
}

/// A row for each planned sub-run, made and written one by one: a plan may have a million.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'s> {
    header: &'s RunHeader,
    experiment: &'s Experiment,
    /// As far as anything is known of them.
    sub_runs: &'s [SubRunState],
}

impl Rows<'_> {
    /// How many there are.
    pub fn count(&self) -> u32 {
        self.experiment.sub_runs()
    }

    /// One of them.
    pub fn row(&self, index: u32) -> SubRunRow {
        SubRunRow {
            id: self.header.sub_run_id(self.count(), index),
            index,
            point: self.experiment.point(index).unwrap_or_default(),
            verdict: self.sub_runs.get(index as usize).and_then(|s| s.verdict),
        }
    }
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let count = self.count();
        let mut rows = serializer.serialize_seq(Some(count as usize))?;
        for index in 0..count {
            let row = self.row(index);
            // On one line, also where the rest is indented: half the bytes, and a table to look at.
            let row = serde_json::value::to_raw_value(&row).map_err(serde::ser::Error::custom)?;
            rows.serialize_element(&row)?;
        }
        rows.end()
    }
}

impl<R> RunSummary<R> {
    /// The same with other rows.
    pub fn with_rows<S>(self, subruns: S) -> RunSummary<S> {
        RunSummary {
            format_version: self.format_version,
            run_id: self.run_id,
            status: self.status,
            verdict: self.verdict,
            flow: self.flow,
            margin: self.margin,
            unit: self.unit,
            global_seed: self.global_seed,
            plan_digest: self.plan_digest,
            source_run: self.source_run,
            host: self.host,
            profile: self.profile,
            started_at: self.started_at,
            ended_at: self.ended_at,
            at_work_ms: self.at_work_ms,
            road_runner_version: self.road_runner_version,
            exit_code: self.exit_code,
            counts: self.counts,
            stop_reason: self.stop_reason,
            subruns,
        }
    }
}

impl RunHeader {
    /// `<run id>-s00`, padded to the width of the last of `count`.
    pub fn sub_run_id(&self, count: u32, index: u32) -> String {
        format!("{}-{}", self.run_id, short_name(count, index))
    }
}

/// `s00`, padded to the width of the last of `count`: a sub-run within its run.
pub fn short_name(count: u32, index: u32) -> String {
    let width = padding(count);
    format!("s{index:0width$}")
}

/// Digits of the largest index of `count` things, at least two: numbers in names sort as they count.
pub fn padding(count: u32) -> usize {
    let largest = count.saturating_sub(1);
    (largest.checked_ilog10().unwrap_or(0) as usize + 1).max(2)
}

impl<'s> RunSummary<Rows<'s>> {
    /// `summary.json` of a plan before anything is known of its run.
    pub fn planned(header: &'s RunHeader, plan: &'s Plan) -> Self {
        let experiment = &plan.experiment;
        Self {
            format_version: FORMAT_VERSION,
            run_id: header.run_id.clone(),
            status: RunStatus::Planned,
            verdict: None,
            flow: experiment.flow.clone(),
            margin: experiment.margin.clone(),
            unit: plan.unit.clone(),
            global_seed: experiment.global_seed,
            plan_digest: plan.digest.clone(),
            source_run: header.source_run.clone(),
            host: plan.host.clone(),
            profile: experiment.profiles.clone(),
            started_at: None,
            ended_at: None,
            at_work_ms: None,
            road_runner_version: header.version.clone(),
            exit_code: None,
            counts: count([]),
            stop_reason: None,
            subruns: Rows { header, experiment, sub_runs: &[] },
        }
    }
}

impl RunState {
    /// `summary.json` of the run.
    pub fn summary(&self) -> RunSummary<Rows<'_>> {
        let before = RunSummary::planned(&self.header, &self.plan);
        RunSummary {
            status: self.status,
            verdict: self.end.map(|(verdict, _)| verdict),
            started_at: self.started_at,
            ended_at: self.ended_at,
            at_work_ms: self.started_at.map(|_| self.sessions.at_work_ms(None)),
            exit_code: self.end.map(|(_, code)| code),
            counts: count(self.sub_runs.iter().filter_map(|s| s.verdict)),
            stop_reason: self.stop_reason(),
            subruns: Rows { sub_runs: &self.sub_runs, ..before.subruns },
            ..before
        }
    }

    /// How long a run that has ended took, in words.
    pub fn took(&self) -> Option<String> {
        self.ended_at?;
        let took = span(self.sessions.at_work_ms(None));
        Some(match self.sessions.resumes() {
            0 => took,
            1 => format!("{took}, resumed once"),
            resumes => format!("{took}, resumed {resumes} times"),
        })
    }

    /// Why the run ended before its plan was done, in words.
    pub fn stop_reason(&self) -> Option<String> {
        let cancel = self.cancel.as_ref()?;
        Some(match &cancel.detail {
            Some(detail) => format!("{}: {detail}", cancel.reason.words()),
            None => cancel.reason.words().to_owned(),
        })
    }

    /// `summary.json` of a sub-run, from its steps; `None` when there is no such sub-run.
    pub fn sub_run_summary(&self, index: u32) -> Option<SubRunSummary> {
        let state = self.sub_runs.get(index as usize)?;
        let sub_run = self.plan.experiment.sub_run(index)?;
        let steps: Vec<StepFinished> = state.executions.iter().filter_map(|e| e.finished.as_deref().cloned()).collect();
        Some(SubRunSummary {
            format_version: FORMAT_VERSION,
            id: self.header.sub_run_id(self.plan.experiment.sub_runs(), index),
            index,
            point: sub_run.point,
            seed: sub_run.seed,
            verdict: state.verdict,
            effects: state.effects.clone(),
            counts: count(steps.iter().map(|s| s.verdict)),
            reason: state.reason.as_deref().map(str::to_owned),
            steps,
        })
    }
}
