//! How long a plan may take, from runs of the past that had the same flow. Reads nothing but the rows of history that are
//! given, and says nothing where there is none to learn from.

use crate::domain::event::RunStatus;
use crate::domain::progress::median;
use crate::domain::time::hours_and_minutes;
use crate::domain::verdict::Verdict;
use crate::store::history::RunEntry;

/// What a sub-run took in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Estimate {
    /// Milliseconds a sub-run, the median over runs.
    pub per_sub_run_ms: u64,
    /// How many runs it is taken from.
    pub runs: usize,
    /// They had the same margin profile, too.
    pub same_margin: bool,
}

/// So many runs are asked, the newest.
const ASKED: usize = 5;

impl Estimate {
    /// From `history`, newest first: of the newest five completed runs of that flow and margin; where none was, of that
    /// flow with any margin.
    pub fn from_history(history: &[RunEntry], flow: &str, margin: &str) -> Option<Self> {
        let of_flow = || history.iter().filter_map(Sample::of).filter(|sample| sample.flow == flow);
        let mut own: Vec<u64> =
            of_flow().filter(|s| s.margin == margin).map(|s| s.per_sub_run_ms).take(ASKED).collect();
        if let Some(per_sub_run_ms) = median(&mut own) {
            return Some(Self { per_sub_run_ms, runs: own.len(), same_margin: true });
        }
        let mut others: Vec<u64> = of_flow().map(|s| s.per_sub_run_ms).take(ASKED).collect();
        let per_sub_run_ms = median(&mut others)?;
        Some(Self { per_sub_run_ms, runs: others.len(), same_margin: false })
    }

    /// Milliseconds for so many sub-runs.
    pub fn of(&self, sub_runs: u128) -> u64 {
        u64::try_from(sub_runs).unwrap_or(u64::MAX).saturating_mul(self.per_sub_run_ms)
    }

    /// Hours and minutes for so many sub-runs: `est 00:43`.
    pub fn shown(&self, sub_runs: u128) -> String {
        format!("est {}", hours_and_minutes(self.of(sub_runs)))
    }
}

/// What one run tells.
struct Sample<'h> {
    flow: &'h str,
    margin: &'h str,
    per_sub_run_ms: u64,
}

impl<'h> Sample<'h> {
    fn of(entry: &'h RunEntry) -> Option<Self> {
        let summary = entry.summary.as_ref().ok().filter(|s| s.status == RunStatus::Completed)?;
        // What was skipped took no time.
        let measured = summary.counts.iter().filter(|(verdict, _)| **verdict != Verdict::Skipped);
        let measured: u64 = measured.map(|(_, count)| u64::from(*count)).sum();
        // Records of earlier versions do not say it.
        let took = match summary.at_work_ms {
            Some(took) => took,
            None => summary.ended_at?.since(summary.started_at?),
        };
        Some(Self {
            flow: summary.flow.as_str(),
            margin: summary.margin.as_str(),
            per_sub_run_ms: took.checked_div(measured)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::testing::{Past, history};

    /// The estimate for `sample` with `down` as `est`, from how many runs, of the same margin.
    fn check(runs: &[Past<'_>], expected: Option<(&str, usize, bool)>) {
        let found = Estimate::from_history(&history(runs), "sample", "down");
        let found = found.map(|e| (e.shown(10), e.runs, e.same_margin));
        assert_eq!(found, expected.map(|(text, runs, same)| (text.to_owned(), runs, same)));
    }

    #[test]
    fn from_runs_that_are_like_it() {
        // Ten sub-runs each, so that a run of ten minutes estimates ten.
        let run = |minutes: i64| Past { took_ms: Some(minutes * 60_000), pass: 10, ..Past::default() };
        check(&[], None);
        check(&[run(10)], Some(("est 00:10", 1, true)));
        check(&[run(10), run(90), run(30)], Some(("est 00:30", 3, true)));
        let six = [run(1), run(2), run(3), run(4), run(5), run(60)];
        check(&six, Some(("est 00:03", 5, true)));
        check(&[Past { margin: "up", ..run(7) }, Past { flow: "other", ..run(8) }], Some(("est 00:07", 1, false)));
        check(&[Past { margin: "up", ..run(7) }, run(8)], Some(("est 00:08", 1, true)));
    }

    #[test]
    fn runs_that_tell_nothing_are_passed_over() {
        let run = Past { took_ms: Some(600_000), pass: 10, ..Past::default() };
        check(&[Past { status: RunStatus::Cancelled, ..run }, Past { status: RunStatus::DryRun, ..run }], None);
        check(&[Past { took_ms: None, ..run }, Past { pass: 0, skipped: 10, ..run }], None);
        check(&[Past { unreadable: true, ..run }, Past { pass: 5, skipped: 5, ..run }], Some(("est 00:20", 1, true)));
    }

    #[test]
    fn no_plan_is_too_long() {
        let estimate = Estimate { per_sub_run_ms: 1000, runs: 1, same_margin: true };
        assert_eq!((estimate.of(3), estimate.of(u128::MAX)), (3000, u64::MAX));
    }
}
