//! How a thing ended, and what was seen: two questions, two types. The tables of exit codes live here too.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// How a step, sub-run or run ended, in order of rank: a parent takes the highest among its children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not executed by a rule, or the diagnostic's own word.
    Skipped,
    /// The unit did what it should, and there is proof.
    Pass,
    /// It ran, but there is no proof, or the point was not held.
    Inconclusive,
    /// The unit failed: exit code, metric out of limits, killed by its own fault.
    Fail,
    /// Still running, or silent, at its limit; terminated.
    Timeout,
    /// The host went down while it was in flight.
    Crashed,
    /// The operator or a signal ended it.
    Aborted,
    /// The rig failed: not startable, bad usage, artifacts not writable.
    Error,
}

impl Verdict {
    /// All of them, by rank.
    pub const ALL: [Self; 8] = [
        Self::Skipped,
        Self::Pass,
        Self::Inconclusive,
        Self::Fail,
        Self::Timeout,
        Self::Crashed,
        Self::Aborted,
        Self::Error,
    ];

    /// As written in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
            Self::Timeout => "timeout",
            Self::Crashed => "crashed",
            Self::Aborted => "aborted",
            Self::Error => "error",
        }
    }

    /// The cell of the shmoo. The field's tools disagree about glyphs, so a legend is always shown with them.
    pub const fn glyph(self) -> char {
        match self {
            Self::Skipped => '-',
            Self::Pass => '+',
            Self::Inconclusive => '~',
            Self::Fail => 'X',
            Self::Timeout => 'T',
            Self::Crashed => '!',
            Self::Aborted => 'A',
            Self::Error => 'E',
        }
    }

    /// The unit's own failure: what sets exit code 1 and counts toward `--max-fail`.
    pub const fn is_unit_failure(self) -> bool {
        matches!(self, Self::Fail | Self::Timeout | Self::Crashed)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What was seen at a step, besides how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Corrected hardware error.
    Ce,
    /// Uncorrected hardware error.
    Ue,
    /// Silent data corruption: a wrong result.
    Sdc,
    /// The diagnostic crashed.
    Ac,
    /// The host crashed.
    Sc,
}

impl Effect {
    /// All of them, by name.
    pub const ALL: [Self; 5] = [Self::Ce, Self::Ue, Self::Sdc, Self::Ac, Self::Sc];

    /// As written in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ce => "ce",
            Self::Ue => "ue",
            Self::Sdc => "sdc",
            Self::Ac => "ac",
            Self::Sc => "sc",
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The effects seen at one step or below one parent.
pub type Effects = BTreeSet<Effect>;

/// Why a run is being ended before its plan is done. A later reason wins only when it is graver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// `on_failure: stop_run` met a failing step.
    StopRun,
    /// As many sub-runs failed as `--max-fail` allows.
    MaxFail,
    /// The operator asked to finish the step in flight and stop.
    StopAfterStep,
    /// SIGHUP.
    Hangup,
    /// SIGTERM.
    Terminate,
    /// SIGINT or the operator: stop now.
    Interrupt,
    /// A `restore` command failed: the rig is in an unknown state.
    RestoreFailed,
    /// A step about to start was outside of the bounds.
    SafetyViolation,
    /// The record cannot be written.
    RecordFailed,
    /// A second SIGINT: kill.
    Kill,
}

impl CancelReason {
    /// As written in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StopRun => "stop_run",
            Self::MaxFail => "max_fail",
            Self::StopAfterStep => "stop_after_step",
            Self::Hangup => "hangup",
            Self::Terminate => "terminate",
            Self::Interrupt => "interrupt",
            Self::RestoreFailed => "restore_failed",
            Self::SafetyViolation => "safety_violation",
            Self::RecordFailed => "record_failed",
            Self::Kill => "kill",
        }
    }

    /// Whether the operator or a signal asked for it (the run is `cancelled`); otherwise a rule did (`completed`).
    pub const fn is_asked(self) -> bool {
        matches!(self, Self::StopAfterStep | Self::Hangup | Self::Terminate | Self::Interrupt | Self::Kill)
    }

    /// Whether the step in flight may run to its end.
    pub const fn lets_step_finish(self) -> bool {
        matches!(self, Self::StopRun | Self::MaxFail | Self::StopAfterStep)
    }

    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::StopRun => "a failing step has `on_failure: stop_run`",
            Self::MaxFail => "as many sub-runs failed as --max-fail allows",
            Self::StopAfterStep => "the operator asked to stop after the step",
            Self::Hangup => "SIGHUP",
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "interrupted by the operator",
            Self::RestoreFailed => "a restore command failed",
            Self::SafetyViolation => "a step about to start was outside the bounds in force",
            Self::RecordFailed => "the record could not be written",
            Self::Kill => "interrupted twice by the operator",
        }
    }
}

/// The exit codes of `formats.md`, first that applies.
pub mod exit {
    use super::{CancelReason, Verdict};

    /// Everything passed; plan and dry run.
    pub const PASS: u8 = 0;
    /// The unit failed somewhere.
    pub const FAIL: u8 = 1;
    /// Bad usage or invalid input.
    pub const USAGE: u8 = 2;
    /// Safety violation, or the limits were declined.
    pub const SAFETY: u8 = 3;
    /// Artifacts could not be written, or the rig failed.
    pub const RIG: u8 = 4;
    /// Nothing was judged.
    pub const NOTHING: u8 = 5;
    /// Inconclusive.
    pub const INCONCLUSIVE: u8 = 6;
    /// Ended by SIGHUP.
    pub const HANGUP: u8 = 129;
    /// Ended by SIGINT or the operator.
    pub const INTERRUPT: u8 = 130;
    /// Ended by SIGTERM.
    pub const TERMINATE: u8 = 143;

    /// The code of a run that has ended.
    ///
    /// `verdicts` are those of its sub-runs; `unit_failed` and `rig_failed` say whether any step anywhere was a unit
    /// failure or an error, since an error outranks a failure in a sub-run's verdict but not in the exit code.
    pub fn of_run(
        cancel: Option<CancelReason>,
        verdict: Verdict,
        unit_failed: bool,
        rig_failed: bool,
        dry_run: bool,
    ) -> u8 {
        match cancel {
            Some(CancelReason::SafetyViolation) => return SAFETY,
            Some(CancelReason::Interrupt | CancelReason::Kill | CancelReason::StopAfterStep) => return INTERRUPT,
            Some(CancelReason::Terminate) => return TERMINATE,
            Some(CancelReason::Hangup) => return HANGUP,
            Some(CancelReason::RecordFailed) => return RIG,
            Some(CancelReason::RestoreFailed | CancelReason::StopRun | CancelReason::MaxFail) | None => {}
        }
        if unit_failed {
            return FAIL;
        }
        // A rail that nobody brought home is the rig's failure, whatever its step's verdict was.
        if rig_failed || cancel == Some(CancelReason::RestoreFailed) {
            return RIG;
        }
        match verdict {
            Verdict::Fail | Verdict::Timeout | Verdict::Crashed => FAIL,
            Verdict::Error => RIG,
            Verdict::Aborted => INTERRUPT,
            Verdict::Inconclusive => INCONCLUSIVE,
            Verdict::Skipped if !dry_run => NOTHING,
            Verdict::Skipped | Verdict::Pass => PASS,
        }
    }
}
