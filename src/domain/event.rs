//! What a run records: every line of `events.ldjson` and `steps.ldjson`. Only recorded events are ever published.
//!
//! A line is `{"event": .., "seq": .., "at": .., ..fields}`. The fields here are the contract; unknown ones are ignored
//! when read, so that an older reader can follow a newer runner.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::evidence::{self, Observed, Sources};
use crate::domain::margin::RailField;
use crate::domain::name::Name;
use crate::domain::point::{MarginPoint, Rails};
use crate::domain::seed::Seed;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{CancelReason, Effects, Verdict};

/// A recorded event: its number within the run, its moment, and what happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Increasing within the run; no two lines of a run share one.
    pub seq: u64,
    /// When it was recorded. Order by `seq`: a clock may be wrong after a crash.
    pub at: Timestamp,
    /// What happened.
    pub event: RunEvent,
}

/// In which journal an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// The run's `events.ldjson`.
    Run,
    /// The sub-run's `steps.ldjson`.
    SubRun,
}

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($body:ty) = $name:literal in $journal:ident,)+) => {
        /// What happened.
        #[derive(Debug, Clone, PartialEq)]
        pub enum RunEvent {
            $($(#[$doc])* $variant($body),)+
        }

        impl RunEvent {
            /// Every event's name and journal, in the order of a run.
            pub const NAMES: &'static [(&'static str, Journal)] = &[$(($name, Journal::$journal)),+];

            /// The name in the line's `event`.
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)+ }
            }

            /// Where it is written.
            pub const fn journal(&self) -> Journal {
                match self { $(Self::$variant(_) => Journal::$journal,)+ }
            }

            /// Writes the fields of the event as one JSON object.
            pub fn write_body<W: std::io::Write>(&self, out: W) -> serde_json::Result<()> {
                match self { $(Self::$variant(body) => serde_json::to_writer(out, body),)+ }
            }

            /// Reads the fields of the event called `name`; `None` when there is no such event.
            pub fn read_body(name: &str, line: &str) -> Option<serde_json::Result<Self>> {
                match name {
                    $($name => Some(serde_json::from_str::<$body>(line).map(Self::$variant)),)+
                    _ => None,
                }
            }

            /// Every event's name and journal, with the schema of its fields.
            #[cfg(test)]
            pub fn schemas(
                generator: &mut schemars::SchemaGenerator,
            ) -> Vec<(&'static str, Journal, schemars::Schema)> {
                vec![$(($name, Journal::$journal, generator.subschema_for::<$body>())),+]
            }
        }

        $(impl From<$body> for RunEvent {
            fn from(body: $body) -> Self {
                Self::$variant(body)
            }
        })+
    };
}

events! {
    /// The runner has begun.
    RunStarted(RunStarted) = "run_started" in Run,
    /// Which evidence of the hardware can be had on this host.
    EvidenceSources(EvidenceSources) = "evidence_sources" in Run,
    /// A runner goes on with an interrupted run.
    RunResumed(RunResumed) = "run_resumed" in Run,
    /// The run is being ended before its plan is done.
    Cancelling(Cancelling) = "cancelling" in Run,
    /// A sub-run begins; its journal is to be read here.
    SubrunStarted(SubrunStarted) = "subrun_started" in Run,
    /// A sub-run has its first line.
    SubrunOpened(SubrunOpened) = "subrun_opened" in SubRun,
    /// A step is about to start. On disk before it does.
    StepStarted(Box<StepStarted>) = "step_started" in SubRun,
    /// A step has a process.
    StepSpawned(StepSpawned) = "step_spawned" in SubRun,
    /// A rail is about to move. On disk before it does.
    RailMoving(RailMoving) = "rail_moving" in SubRun,
    /// A rail holds its setpoint.
    RailHeld(RailHeld) = "rail_held" in SubRun,
    /// A rail was not where it was told to be, or is not any more.
    RailNotHeld(RailNotHeld) = "rail_not_held" in SubRun,
    /// A rail is back at nominal.
    RailRestored(RailRestored) = "rail_restored" in SubRun,
    /// A rail could not be brought home.
    RailNotRestored(RailNotRestored) = "rail_not_restored" in SubRun,
    /// A step has ended. On disk before the next starts.
    StepFinished(Box<StepFinished>) = "step_finished" in SubRun,
    /// A sub-run has its last line.
    SubrunClosed(SubrunClosed) = "subrun_closed" in SubRun,
    /// A sub-run has ended.
    SubrunFinished(SubrunFinished) = "subrun_finished" in Run,
    /// Evidence that came after the step that it belongs to.
    EvidenceLate(EvidenceLate) = "evidence_late" in Run,
    /// The run has ended.
    RunFinished(RunFinished) = "run_finished" in Run,
}

/// The runner has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunStarted {
    /// Tells a new boot from a dead process; `None` where the kernel does not say.
    #[serde(default)]
    pub boot_id: Option<String>,
    /// The runner's process.
    pub pid: u32,
    /// Nothing is executed, and nothing is to be gone on with.
    #[serde(default, skip_serializing_if = "is_not")]
    pub dry_run: bool,
    /// The run ends once so many sub-runs have failed; whoever goes on with it keeps to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_fail: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_not(truth: &bool) -> bool {
    !*truth
}

/// Which evidence of the hardware can be had on this host. What is not available was not checked in any step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EvidenceSources {
    /// What was found of each source.
    #[serde(deserialize_with = "evidence::known")]
    pub sources: Sources,
}

/// Evidence that came after the step that it belongs to, and its lag: corrected errors are counted and told of late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct EvidenceLate {
    /// The sub-run in which it was seen last that nothing had come.
    pub index: u32,
    /// What has come since.
    #[serde(deserialize_with = "evidence::known")]
    pub observed: Observed,
}

/// A runner goes on with an interrupted run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunResumed {
    /// As in [`RunStarted`].
    #[serde(default)]
    pub boot_id: Option<String>,
    /// The new runner's process.
    pub pid: u32,
    /// What has changed since the run began, as it was shown before it was gone on with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<String>,
}

/// The run is being ended before its plan is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Cancelling {
    /// Why.
    pub reason: CancelReason,
    /// More about it, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// A sub-run begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubrunStarted {
    /// `<run id>-s00`.
    pub id: String,
    /// From 0, in the order of the plan.
    pub index: u32,
}

/// A sub-run has its first line: all that describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubrunOpened {
    /// `<run id>-s00`.
    pub id: String,
    /// From 0, in the order of the plan.
    pub index: u32,
    /// Where the margin is.
    pub point: MarginPoint,
    /// The sub-run's own seed.
    pub seed: Seed,
}

/// Who applies a rail's field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Applied {
    /// The diagnostic itself.
    Adapter,
    /// The rail's controller.
    Controller,
    /// Nobody: the point says nothing about this field.
    None,
}

impl Applied {
    /// As written in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Adapter => "adapter",
            Self::Controller => "controller",
            Self::None => "none",
        }
    }
}

/// Who applies what, `core.voltage` to whom.
pub type AppliedFields = BTreeMap<String, Applied>;

/// A step is about to start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepStarted {
    /// Counts executions within the sub-run, from 0; numbers the log files.
    pub index: u32,
    /// The flow's name for it.
    pub step: Name,
    /// What runs it.
    pub adapter: Name,
    /// The swept parameters, `pattern=checkerboard,size_mb=16`; empty without a sweep.
    pub combination: String,
    /// From 0.
    pub repetition: u32,
    /// From 1; more after a retried crash.
    pub attempt: u32,
    /// Every parameter with its value as it stands in argv; whole numbers and truth values as such.
    pub params: BTreeMap<Name, serde_json::Value>,
    /// The rails that this step sees.
    pub rails: Rails,
    /// Who applies them.
    pub applied: AppliedFields,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// The step's seed.
    pub seed: Seed,
    /// As in [`RunStarted`].
    #[serde(default)]
    pub boot_id: Option<String>,
}

/// A step has a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepSpawned {
    /// The execution.
    pub index: u32,
    /// Its leader.
    pub pid: u32,
    /// When the leader started, in clock ticks since boot: tells it from a recycled pid.
    #[serde(default)]
    pub start_ticks: Option<u64>,
}

/// A setpoint or readback of one rail, in microvolts and kilohertz.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RailLevel {
    /// The supply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voltage_uv: Option<u64>,
    /// The clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_khz: Option<u64>,
}

/// A rail is about to move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RailMoving {
    /// Which.
    pub rail: Name,
    /// Last known.
    pub from: RailLevel,
    /// The setpoint.
    pub to: RailLevel,
}

/// A rail holds its setpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RailHeld {
    /// Which.
    pub rail: Name,
    /// What was commanded.
    pub setpoint: RailLevel,
    /// What the regulator echoes.
    pub readback: RailLevel,
}

/// A rail was not where it was told to be, or is not any more: the point says nothing about the unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RailNotHeld {
    /// Which.
    pub rail: Name,
    /// What was commanded.
    pub setpoint: RailLevel,
    /// What the regulator echoes; nothing where it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readback: Option<RailLevel>,
    /// What is wrong with it.
    pub reason: String,
}

/// Who brought a rail home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum RestoredBy {
    /// The runner.
    Runner,
    /// The guardian, after the runner died.
    Guardian,
    /// A resume.
    Resume,
    /// A person.
    Hand,
}

/// A rail is back at nominal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RailRestored {
    /// Which.
    pub rail: Name,
    /// By whom.
    pub by: RestoredBy,
    /// What was read afterwards.
    #[serde(default, skip_serializing_if = "RailLevel::is_empty")]
    pub readback: RailLevel,
}

/// A rail could not be brought home, or nobody can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RailNotRestored {
    /// Which.
    pub rail: Name,
    /// Who tried.
    pub by: RestoredBy,
    /// What went wrong.
    pub reason: String,
}

/// A measured value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Metric {
    /// What was measured.
    pub value: f64,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// One thing that was checked to reach the verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Evidence {
    /// What was looked at: `expect 1: stdout matches ..`, `exit code`.
    pub check: String,
    /// `Some(true)` held, `Some(false)` did not, `None` could not be checked.
    pub held: Option<bool>,
    /// What was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

/// A step has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StepFinished {
    /// The execution.
    pub index: u32,
    /// The flow's name for it.
    pub step: Name,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen.
    pub effects: Effects,
    /// Why this verdict, for people.
    #[serde(default)]
    pub reason: Option<String>,
    /// The leader's exit code, if it exited.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// The signal that ended the leader, if one did.
    #[serde(default)]
    pub signal: Option<i32>,
    /// When it was started; `None` when it never was.
    #[serde(default)]
    pub started_at: Option<Timestamp>,
    /// When its leader had ended.
    #[serde(default)]
    pub ended_at: Option<Timestamp>,
    /// From start to the leader's end, by the monotonic clock.
    pub duration_ms: u64,
    /// What was written, also where the log was cut.
    pub stdout_bytes: u64,
    /// Likewise.
    pub stderr_bytes: u64,
    /// CPU time of the leader and what it waited for.
    #[serde(default)]
    pub user_ms: Option<u64>,
    /// Likewise in the kernel.
    #[serde(default)]
    pub system_ms: Option<u64>,
    /// Peak memory of the largest process of the leader's tree, in kB; `None` where it was no larger than the runner's own,
    /// in which every child starts.
    #[serde(default)]
    pub max_rss_kb: Option<u64>,
    /// Measured values by name.
    pub metrics: BTreeMap<Name, Metric>,
    /// What was checked.
    pub evidence: Vec<Evidence>,
    /// What the hardware said meanwhile, by source; what is not here was not checked, as the run's `evidence_sources` say.
    #[serde(default, skip_serializing_if = "Observed::is_empty", deserialize_with = "evidence::known")]
    pub observed: Observed,
    /// Files that the step left in its artifact folder, relative to it, sorted; at most a thousand are named.
    pub artifacts: Vec<String>,
    /// What went wrong with the rig, where the verdict is `error`.
    #[serde(default)]
    pub error: Option<String>,
}

impl StepFinished {
    /// How long it took, milliseconds; nothing where nobody saw it start and end.
    pub fn took_ms(&self) -> Option<u64> {
        self.started_at.and(self.ended_at).map(|_| self.duration_ms)
    }

    /// How its leader ended, `exit 1` or `signal 11`; nothing when that was not seen.
    pub fn ended(&self) -> Option<String> {
        match (self.exit_code, self.signal) {
            (Some(code), _) => Some(format!("exit {code}")),
            (None, Some(signal)) => Some(format!("signal {signal}")),
            (None, None) => None,
        }
    }
}

/// A sub-run has its last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubrunClosed {
    /// How it ended.
    pub verdict: Verdict,
    /// Why steps were not started, if some were not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was seen beside its steps.
    #[serde(default, skip_serializing_if = "Effects::is_empty")]
    pub effects: Effects,
}

/// A sub-run has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SubrunFinished {
    /// `<run id>-s00`.
    pub id: String,
    /// From 0.
    pub index: u32,
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen.
    pub effects: Effects,
    /// Why it or part of it was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// A plan on disk; nothing started.
    Planned,
    /// A runner is at work, or was when the record ends.
    Running,
    /// The plan was done, or a rule stopped it.
    Completed,
    /// The operator or a signal ended it.
    Cancelled,
    /// It said `running` and nobody holds its lock.
    Interrupted,
    /// Everything but the execution.
    DryRun,
}

impl RunStatus {
    /// As written in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::DryRun => "dry_run",
        }
    }
}

impl std::fmt::Display for RunStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The run has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RunFinished {
    /// How far it came.
    pub status: RunStatus,
    /// The gravest of its sub-runs.
    pub verdict: Verdict,
    /// What the command returns.
    pub exit_code: u8,
}

/// Names a field in `applied`.
pub fn applied_key(rail: &Name, field: RailField) -> String {
    format!("{rail}.{field}")
}
