//! How verdicts add up: repetitions to a combination, combinations to a sub-run, sub-runs to a run.

use serde::{Deserialize, Serialize};

use crate::domain::flow::PassRule;
use crate::domain::verdict::Verdict;

/// Repetitions that disagree under a rule that was met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flaky {
    /// How many passed.
    pub pass: u32,
    /// Of how many that passed or failed.
    pub of: u32,
}

impl Flaky {
    /// Whether no larger part of these passed than of the others.
    pub fn is_no_surer_than(self, other: Self) -> bool {
        let cross = |pass: u32, of: u32| u64::from(pass) * u64::from(of);
        cross(self.pass, other.of) <= cross(other.pass, self.of)
    }
}

/// What repetitions of one combination come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// The verdict after the pass rule.
    pub verdict: Verdict,
    /// Set when the rule was met with a fail among them.
    pub flaky: Option<Flaky>,
}

/// Why part of a sub-run or run never started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// A rule: what is missing is at best inconclusive.
    Rule,
    /// The operator or a signal: what is missing is at best aborted.
    Asked,
}

impl Gap {
    /// The best that a parent with this gap can be.
    pub const fn at_best(self) -> Verdict {
        match self {
            Self::Rule => Verdict::Inconclusive,
            Self::Asked => Verdict::Aborted,
        }
    }
}

/// The repetitions of one combination, weighed by its rule.
///
/// Only pass and fail are weighed; a timeout, crash, abort or error stands. A rule that is not met without a fail lacks
/// proof. `None` when nothing was executed.
pub fn repetitions(rule: PassRule, verdicts: &[Verdict]) -> Option<Tally> {
    let gravest = verdicts.iter().copied().max()?;
    if gravest > Verdict::Fail || verdicts.iter().all(|v| *v == Verdict::Skipped) {
        return Some(Tally { verdict: gravest, flaky: None });
    }
    let count = |wanted: Verdict| u32::try_from(verdicts.iter().filter(|v| **v == wanted).count()).unwrap_or(u32::MAX);
    let (pass, fail) = (count(Verdict::Pass), count(Verdict::Fail));
    let met = pass >= rule.needed(u32::try_from(verdicts.len()).unwrap_or(u32::MAX));
    Some(match (met, fail) {
        (true, 0) => Tally { verdict: Verdict::Pass, flaky: None },
        (true, _) => Tally { verdict: Verdict::Pass, flaky: Some(Flaky { pass, of: pass + fail }) },
        (false, 0) => Tally { verdict: Verdict::Inconclusive, flaky: None },
        (false, _) => Tally { verdict: Verdict::Fail, flaky: None },
    })
}

/// One combination as its sub-run sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child {
    /// After its pass rule.
    pub verdict: Verdict,
    /// It skipped by its own word and is not optional.
    pub leaves_gap: bool,
}

/// A parent of `children`, part of which may never have started.
pub fn parent(children: impl IntoIterator<Item = Child>, gap: Option<Gap>) -> Verdict {
    let mut gravest = Verdict::Skipped;
    let mut leaves_gap = false;
    for child in children {
        gravest = gravest.max(child.verdict);
        leaves_gap |= child.leaves_gap;
    }
    let mut verdict = gravest;
    // All skipped is skipped: a gap shows only beside something that was judged.
    if leaves_gap && gravest > Verdict::Skipped {
        verdict = verdict.max(Verdict::Inconclusive);
    }
    gap.map_or(verdict, |gap| verdict.max(gap.at_best()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Aborted, Crashed, Error, Fail, Inconclusive, Pass, Skipped, Timeout};

    #[test]
    fn pass_rules() {
        let check = |rule, verdicts: &[Verdict], verdict, flaky: Option<(u32, u32)>| {
            let flaky = flaky.map(|(pass, of)| Flaky { pass, of });
            assert_eq!(repetitions(rule, verdicts), Some(Tally { verdict, flaky }), "{rule:?} {verdicts:?}");
        };
        check(PassRule::All, &[Pass, Pass], Pass, None);
        check(PassRule::All, &[Pass, Fail], Fail, None);
        check(PassRule::All, &[Pass, Inconclusive], Inconclusive, None);
        check(PassRule::All, &[Pass, Skipped], Inconclusive, None);
        check(PassRule::All, &[Skipped, Skipped], Skipped, None);
        check(PassRule::Any, &[Fail, Pass, Fail], Pass, Some((1, 3)));
        check(PassRule::Any, &[Fail, Fail], Fail, None);
        check(PassRule::Any, &[Pass, Inconclusive], Pass, None);
        check(PassRule::AtLeast(2), &[Pass, Fail, Pass], Pass, Some((2, 3)));
        check(PassRule::AtLeast(2), &[Pass, Fail, Fail], Fail, None);
        for stands in [Timeout, Crashed, Aborted, Error] {
            check(PassRule::Any, &[Pass, stands, Fail], stands, None);
        }
        assert_eq!(repetitions(PassRule::All, &[]), None);
    }

    #[test]
    fn the_least_sure_of_many() {
        let check = |one: (u32, u32), other: (u32, u32), expected| {
            let flaky = |(pass, of)| Flaky { pass, of };
            assert_eq!(flaky(one).is_no_surer_than(flaky(other)), expected, "{one:?} {other:?}");
        };
        check((1, 3), (1, 2), true);
        check((2, 3), (1, 2), false);
        check((1, 2), (2, 4), true);
        // So many repetitions are allowed, and their product is more than 32 bits hold.
        check((50_000, 100_000), (99_999, 100_000), true);
        check((99_999, 100_000), (50_000, 100_000), false);
    }

    #[test]
    fn parents() {
        let check = |children: &[(Verdict, bool)], gap, verdict| {
            let all = children.iter().map(|&(verdict, leaves_gap)| Child { verdict, leaves_gap });
            assert_eq!(parent(all, gap), verdict, "{children:?} {gap:?}");
        };
        check(&[(Pass, false), (Fail, false)], None, Fail);
        check(&[(Fail, false), (Error, false)], None, Error);
        check(&[(Pass, false), (Skipped, true)], None, Inconclusive);
        check(&[(Pass, false), (Skipped, false)], None, Pass);
        check(&[(Skipped, true), (Skipped, true)], None, Skipped);
        check(&[(Pass, false)], Some(Gap::Rule), Inconclusive);
        check(&[(Pass, false)], Some(Gap::Asked), Aborted);
        check(&[(Fail, false)], Some(Gap::Rule), Fail);
        check(&[], None, Skipped);
    }
}
