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

    /// Whether `rerun --failed` runs a sub-run again that ended so. Not a crash: a host is taken down on purpose only.
    pub const fn is_run_again(self) -> bool {
        matches!(self, Self::Fail | Self::Timeout | Self::Inconclusive | Self::Error)
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// `on_failure: stop_run` met a failing step.
    StopRun,
    /// As many sub-runs failed as `--max-fail` allows.
    MaxFail,
    /// The host was too hot and did not cool down in time.
    TooHot,
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
    /// SIGQUIT: kill at once.
    Quit,
}

impl CancelReason {
    /// As written in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StopRun => "stop_run",
            Self::MaxFail => "max_fail",
            Self::TooHot => "too_hot",
            Self::StopAfterStep => "stop_after_step",
            Self::Hangup => "hangup",
            Self::Terminate => "terminate",
            Self::Interrupt => "interrupt",
            Self::RestoreFailed => "restore_failed",
            Self::SafetyViolation => "safety_violation",
            Self::RecordFailed => "record_failed",
            Self::Kill => "kill",
            Self::Quit => "quit",
        }
    }

    /// Whether the operator or a signal asked for it (the run is `cancelled`); otherwise a rule did (`completed`).
    pub const fn is_asked(self) -> bool {
        matches!(self, Self::StopAfterStep | Self::Hangup | Self::Terminate | Self::Interrupt) || self.kills()
    }

    /// Whether what runs is killed without a grace.
    pub const fn kills(self) -> bool {
        matches!(self, Self::Kill | Self::Quit)
    }

    /// Whether it holds for whoever goes on with the run as well: a rule of the plan, not a wish or a trouble of the moment.
    pub const fn outlives_runner(self) -> bool {
        matches!(self, Self::StopRun | Self::MaxFail)
    }

    /// Whether the step in flight may run to its end.
    pub const fn lets_step_finish(self) -> bool {
        matches!(self, Self::StopRun | Self::MaxFail | Self::TooHot | Self::StopAfterStep)
    }

    /// In words, for people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::StopRun => "a failing step has `on_failure: stop_run`",
            Self::MaxFail => "as many sub-runs failed as --max-fail allows",
            Self::TooHot => "the host did not cool down",
            Self::StopAfterStep => "the operator asked to stop after the step",
            Self::Hangup => "SIGHUP",
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "interrupted by the operator",
            Self::RestoreFailed => "a restore command failed",
            Self::SafetyViolation => "a step about to start was outside the bounds in force",
            Self::RecordFailed => "the record could not be written",
            Self::Kill => "interrupted twice by the operator",
            Self::Quit => "SIGQUIT",
        }
    }
}

/// The exit codes of `formats.md`, first that applies.
pub mod exit {
    use std::collections::BTreeSet;

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
    /// Ended by SIGQUIT.
    pub const QUIT: u8 = 131;
    /// Ended by SIGTERM.
    pub const TERMINATE: u8 = 143;

    /// Ended by a signal, whichever.
    pub const SIGNALLED: [u8; 4] = [INTERRUPT, TERMINATE, HANGUP, QUIT];

    /// Every code with its meaning, in the order in which they are looked at: the first that applies.
    pub const TABLE: [(&[u8], &str); 8] = [
        (&[USAGE], "bad usage or invalid input"),
        (&[SAFETY], "safety violation, or the limits were declined"),
        (&SIGNALLED, "ended by SIGINT or the operator, by SIGTERM, by SIGHUP, by SIGQUIT"),
        (&[RIG], "artifacts could not be written"),
        (&[FAIL], "the unit failed somewhere: `fail`, `timeout` or `crashed`"),
        (&[RIG], "the rig failed: `error`"),
        (&[INCONCLUSIVE], "it ran, but there is no proof, or the point was not held: `inconclusive`"),
        (&[NOTHING], "nothing was judged: every step was skipped"),
    ];

    /// The code of a run that has ended.
    ///
    /// `verdicts` are those of its sub-runs; `unit_failed` and `rig_failed` say whether any step anywhere was a unit
    /// failure or an error, since an error outranks a failure in a sub-run's verdict but not in the exit code.
    pub fn of_run(
        cancels: &BTreeSet<CancelReason>,
        verdict: Verdict,
        unit_failed: bool,
        rig_failed: bool,
        dry_run: bool,
    ) -> u8 {
        use CancelReason::{Hangup, Quit, RecordFailed, RestoreFailed, SafetyViolation, Terminate};
        // Several may have come one after the other: the first row of the table that applies, and the gravest in it.
        if cancels.contains(&SafetyViolation) {
            return SAFETY;
        }
        match cancels.iter().rfind(|reason| reason.is_asked()) {
            Some(Terminate) => return TERMINATE,
            Some(Hangup) => return HANGUP,
            Some(Quit) => return QUIT,
            Some(_) => return INTERRUPT,
            None if cancels.contains(&RecordFailed) => return RIG,
            None => {}
        }
        if unit_failed {
            return FAIL;
        }
        // A rail that nobody brought home is the rig's failure, whatever its step's verdict was.
        if rig_failed || cancels.contains(&RestoreFailed) {
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

#[cfg(test)]
mod tests {
    use super::Verdict::{Aborted, Crashed, Error, Fail, Inconclusive, Pass, Skipped, Timeout};
    use super::*;

    #[test]
    fn exit_codes_first_that_applies() {
        let check = |cancel: Option<CancelReason>, verdict: Verdict, unit: bool, rig: bool, expected: u8| {
            let code = exit::of_run(&cancel.into_iter().collect(), verdict, unit, rig, false);
            assert_eq!(code, expected, "{cancel:?} {verdict:?} {unit} {rig}");
        };
        let none = None;
        check(Some(CancelReason::SafetyViolation), Error, true, true, 3);
        for by_operator in [CancelReason::Interrupt, CancelReason::Kill, CancelReason::StopAfterStep] {
            check(Some(by_operator), Error, true, true, 130);
            check(Some(by_operator), Pass, false, false, 130);
        }
        check(Some(CancelReason::Terminate), Fail, true, false, 143);
        check(Some(CancelReason::Hangup), Fail, true, false, 129);
        check(Some(CancelReason::Quit), Fail, true, false, 131);
        check(Some(CancelReason::RecordFailed), Fail, true, false, 4);
        for verdict in [Fail, Timeout, Crashed] {
            check(none, verdict, true, false, 1);
            check(none, verdict, false, false, 1);
        }
        check(none, Error, true, true, 1);
        check(none, Inconclusive, true, false, 1);
        check(none, Error, false, true, 4);
        check(none, Error, false, false, 4);
        check(none, Inconclusive, false, true, 4);
        check(none, Inconclusive, false, false, 6);
        check(none, Skipped, false, false, 5);
        check(none, Pass, false, false, 0);
        check(none, Aborted, false, false, 130);
        // Ended by a rule: what was found decides.
        for by_rule in [CancelReason::StopRun, CancelReason::MaxFail] {
            check(Some(by_rule), Fail, true, false, 1);
            check(Some(by_rule), Inconclusive, false, false, 6);
        }
        check(Some(CancelReason::RestoreFailed), Fail, true, true, 1);
        check(Some(CancelReason::RestoreFailed), Pass, false, false, 4);
        assert_eq!(exit::of_run(&BTreeSet::new(), Skipped, false, false, true), 0, "a dry run");
        let several =
            |reasons: &[CancelReason]| exit::of_run(&reasons.iter().copied().collect(), Error, true, true, false);
        assert_eq!(several(&[CancelReason::SafetyViolation, CancelReason::Kill]), 3);
        assert_eq!(several(&[CancelReason::Interrupt, CancelReason::RecordFailed]), 130);
        assert_eq!(several(&[CancelReason::MaxFail, CancelReason::Hangup, CancelReason::Terminate]), 143);
        assert_eq!(several(&[CancelReason::Interrupt, CancelReason::Kill, CancelReason::Quit]), 131);
    }

    #[test]
    fn written_as_shown_and_ranked() {
        let ranks: Vec<&str> = Verdict::ALL.into_iter().map(Verdict::as_str).collect();
        let expected = ["skipped", "pass", "inconclusive", "fail", "timeout", "crashed", "aborted", "error"];
        assert_eq!(ranks, expected);
        assert!(Verdict::ALL.is_sorted());
        for verdict in Verdict::ALL {
            assert_eq!(serde_json::to_value(verdict).unwrap(), verdict.as_str());
        }
        for effect in Effect::ALL {
            assert_eq!(serde_json::to_value(effect).unwrap(), effect.as_str());
        }
        let glyphs: BTreeSet<char> = Verdict::ALL.into_iter().map(Verdict::glyph).collect();
        assert_eq!(glyphs.len(), Verdict::ALL.len());
    }

    #[test]
    fn reasons_to_end_by_gravity() {
        use CancelReason as R;
        let by_gravity = [
            R::StopRun,
            R::MaxFail,
            R::TooHot,
            R::StopAfterStep,
            R::Hangup,
            R::Terminate,
            R::Interrupt,
            R::RestoreFailed,
            R::SafetyViolation,
            R::RecordFailed,
            R::Kill,
            R::Quit,
        ];
        assert!(by_gravity.is_sorted());
        for reason in by_gravity {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert!(!reason.words().is_empty());
        }
        let finishing: Vec<R> = by_gravity.into_iter().filter(|r| r.lets_step_finish()).collect();
        assert_eq!(finishing, [R::StopRun, R::MaxFail, R::TooHot, R::StopAfterStep]);
        let asked: Vec<R> = by_gravity.into_iter().filter(|r| r.is_asked()).collect();
        assert_eq!(asked, [R::StopAfterStep, R::Hangup, R::Terminate, R::Interrupt, R::Kill, R::Quit]);
    }
}
