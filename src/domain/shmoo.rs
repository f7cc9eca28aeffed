//! What a cell of a shmoo shows: one outcome, its glyph, and how outcomes of several sub-runs become one.
//! The application and the reports show the same; colour, where there is any, only repeats the glyph.

use serde::Serialize;

use crate::domain::event::RunStatus;
use crate::domain::run_state::{RunState, SubRunState};
use crate::domain::verdict::{Effect, Verdict};

/// What one cell shows, from the least to the most telling where several sub-runs share a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// Everything passed, at the point, every time.
    Pass,
    /// Not measured yet.
    Planned,
    /// Skipped, or never measured.
    Skipped,
    /// A bound forbids it.
    #[serde(rename = "outside")]
    OutsidePolicy,
    /// In progress.
    Running,
    /// No proof, or a rail that nobody applied: it says nothing about the point.
    Inconclusive,
    /// Ended by the operator or a signal.
    Aborted,
    /// The rig failed.
    Error,
    /// Repetitions disagree.
    Flaky,
    /// The unit failed.
    Fail,
    /// Still running, or silent, at its limit.
    Timeout,
    /// The host went down.
    Crashed,
}

impl Cell {
    /// All of them, in the order of a legend.
    pub const ALL: [Self; 12] = [
        Self::Pass,
        Self::Fail,
        Self::Crashed,
        Self::Timeout,
        Self::Flaky,
        Self::Inconclusive,
        Self::Error,
        Self::Aborted,
        Self::Running,
        Self::Planned,
        Self::Skipped,
        Self::OutsidePolicy,
    ];

    /// One character, the same on every screen.
    pub const fn glyph(self) -> char {
        match self {
            Self::Planned => '.',
            Self::Running => '>',
            Self::OutsidePolicy => '#',
            Self::Flaky => '?',
            Self::Pass => Verdict::Pass.glyph(),
            Self::Skipped => Verdict::Skipped.glyph(),
            Self::Inconclusive => Verdict::Inconclusive.glyph(),
            Self::Aborted => Verdict::Aborted.glyph(),
            Self::Error => Verdict::Error.glyph(),
            Self::Fail => Verdict::Fail.glyph(),
            Self::Timeout => Verdict::Timeout.glyph(),
            Self::Crashed => Verdict::Crashed.glyph(),
        }
    }

    /// One word, as themes and style sheets name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::OutsidePolicy => "outside",
            Self::Flaky => "flaky",
            Self::Pass => "pass",
            Self::Skipped => "skipped",
            Self::Inconclusive => "inconclusive",
            Self::Aborted => "aborted",
            Self::Error => "error",
            Self::Fail => "fail",
            Self::Timeout => "timeout",
            Self::Crashed => "crashed",
        }
    }

    /// A few words for a legend.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::OutsidePolicy => "outside policy",
            Self::Flaky => "flaky",
            Self::Pass => "pass",
            Self::Skipped => "skipped or not measured",
            Self::Inconclusive => "inconclusive or rail not applied",
            Self::Aborted => "aborted",
            Self::Error => "rig error",
            Self::Fail => "fail",
            Self::Timeout => "timeout",
            Self::Crashed => "host crashed",
        }
    }

    /// Whether it says that the unit holds, or does not, at this point.
    pub const fn is_measured(self) -> bool {
        matches!(self, Self::Pass | Self::Fail | Self::Timeout | Self::Crashed)
    }

    const fn of_failure(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Timeout => Self::Timeout,
            Verdict::Crashed => Self::Crashed,
            _ => Self::Fail,
        }
    }
}

impl From<Verdict> for Cell {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Skipped => Self::Skipped,
            Verdict::Pass => Self::Pass,
            Verdict::Inconclusive => Self::Inconclusive,
            Verdict::Aborted => Self::Aborted,
            Verdict::Error => Self::Error,
            Verdict::Fail | Verdict::Timeout | Verdict::Crashed => Self::of_failure(verdict),
        }
    }
}

/// What one sub-run gives its cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// What is shown.
    pub cell: Cell,
    /// The host or the diagnostic crashed there: worse than a wrong result.
    pub crash: bool,
}

impl From<Cell> for Outcome {
    fn from(cell: Cell) -> Self {
        Self { cell, crash: cell == Cell::Crashed }
    }
}

/// What the sub-run at `index` gives its cell.
pub fn outcome(state: &RunState, index: u32) -> Outcome {
    let Some(sub_run) = state.sub_runs.get(index as usize) else { return Cell::Planned.into() };
    let cell = match sub_run.verdict {
        Some(verdict) => ended(sub_run, verdict),
        None => unended(state, sub_run, index),
    };
    let crash = cell.is_measured()
        && cell != Cell::Pass
        && (cell == Cell::Crashed || sub_run.effects.iter().any(|e| matches!(e, Effect::Ac | Effect::Sc)));
    Outcome { cell, crash }
}

fn ended(sub_run: &SubRunState, verdict: Verdict) -> Cell {
    match verdict {
        // A point that was not applied or not held says nothing, whatever was seen there.
        Verdict::Pass | Verdict::Inconclusive | Verdict::Fail | Verdict::Timeout | Verdict::Crashed
            if sub_run.says_nothing() =>
        {
            Cell::Inconclusive
        }
        Verdict::Pass if sub_run.flaky.is_some() => Cell::Flaky,
        // The unit's own failure is what the shmoo is about; the rig's is beside it.
        Verdict::Error | Verdict::Aborted if sub_run.unit_failed && !sub_run.says_nothing() => {
            let among = sub_run.executions.iter().filter_map(|e| e.finished.as_ref()).map(|f| f.verdict);
            Cell::of_failure(among.filter(|v| v.is_unit_failure()).max().unwrap_or(Verdict::Fail))
        }
        verdict => verdict.into(),
    }
}

fn unended(state: &RunState, sub_run: &SubRunState, index: u32) -> Cell {
    let is_begun = sub_run.started_at.is_some();
    match state.status {
        RunStatus::Running if is_begun && state.current == Some(index) => Cell::Running,
        // Nobody can still end it: what was in flight was cut off.
        _ if is_begun => Cell::Aborted,
        // These may still come to it; after the others it stays unmeasured.
        RunStatus::Planned | RunStatus::Running | RunStatus::Interrupted => Cell::Planned,
        RunStatus::Completed | RunStatus::Cancelled | RunStatus::DryRun => Cell::Skipped,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tally::Flaky;

    fn check(sub_run: &SubRunState, expected: char) {
        let verdict = sub_run.verdict.unwrap();
        assert_eq!(ended(sub_run, verdict).glyph(), expected, "{sub_run:?}");
    }

    fn sub_run(verdict: Verdict) -> SubRunState {
        SubRunState { verdict: Some(verdict), unit_failed: verdict.is_unit_failure(), ..SubRunState::default() }
    }

    #[test]
    fn every_verdict_has_its_glyph() {
        for verdict in Verdict::ALL {
            check(&sub_run(verdict), verdict.glyph());
        }
    }

    #[test]
    fn a_unit_failure_shows_beside_a_rig_error_and_an_unapplied_rail_hides_all() {
        check(&SubRunState { unit_failed: true, ..sub_run(Verdict::Error) }, 'X');
        check(&SubRunState { unit_failed: true, ..sub_run(Verdict::Aborted) }, 'X');
        check(&SubRunState { unapplied: true, ..sub_run(Verdict::Pass) }, '~');
        check(&SubRunState { unapplied: true, ..sub_run(Verdict::Fail) }, '~');
        check(&SubRunState { unapplied: true, unit_failed: true, ..sub_run(Verdict::Error) }, 'E');
        let flaky = Some(Flaky { pass: 2, of: 3 });
        check(&SubRunState { flaky, unit_failed: true, ..sub_run(Verdict::Pass) }, '?');
        check(&SubRunState { flaky, ..sub_run(Verdict::Fail) }, 'X');
    }

    #[test]
    fn glyphs_differ_and_the_legend_is_complete() {
        for cell in Cell::ALL {
            assert_eq!(serde_json::to_value(cell).unwrap(), cell.as_str());
        }
        let glyphs: std::collections::BTreeSet<char> = Cell::ALL.iter().map(|c| c.glyph()).collect();
        assert_eq!(glyphs.into_iter().collect::<String>(), "!#+-.>?AETX~");
    }
}
