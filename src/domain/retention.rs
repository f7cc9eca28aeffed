//! Which runs of the past may go: by age, all but the newest, never what runs or is no run.
//! Only decides; the listing and the deletion are the store's.

use std::cmp::Reverse;
use std::fmt;

use super::time::Timestamp;

/// What something in the runs folder is, as far as deleting it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Somebody holds its lock, or whether somebody does cannot be told.
    Running,
    /// It is over, or is a plan that was never run.
    Ended,
    /// It says `running` and nobody runs it: it may be resumed.
    Interrupted,
    /// A run, but what it says of itself cannot be read.
    Damaged,
    /// Called like a run, and nothing of a run is in it.
    NotARun,
}

/// Something in the runs folder that is called like a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// When it was prepared, as its id says.
    pub prepared_at: Timestamp,
    /// What it is.
    pub standing: Standing,
}

/// What a person asked to have deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rule {
    /// Older than so many days of 24 hours.
    pub older_than_days: u32,
    /// The newest that stay however old they are.
    pub keep: usize,
    /// Interrupted and damaged ones as well.
    pub force: bool,
}

/// What becomes of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It goes.
    Delete,
    /// It stays.
    Keep(Reason),
}

/// Why something stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nothing of a run is in it.
    NotARun,
    /// It is running.
    Running,
    /// Its id is later than now: one of two clocks is wrong, and its age cannot be told.
    Future,
    /// It is not older than asked for.
    Young,
    /// It is one of the newest.
    Newest,
    /// It was interrupted, and nothing is forced.
    Interrupted,
    /// It cannot be read, and nothing is forced.
    Damaged,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotARun => "not a run: no plan, summary or journal in it",
            Self::Running => "it is running",
            Self::Future => "its id is later than now; is the clock right?",
            Self::Young => "not old enough",
            Self::Newest => "one of the newest, as --keep says",
            Self::Interrupted => "interrupted, it can be resumed; --force deletes it",
            Self::Damaged => "it cannot be read; --force deletes it",
        })
    }
}

const DAY_MS: u64 = 86_400_000;

/// Decides about each candidate, in their order. Of several of the same second the one listed first counts as newer.
pub fn decide(rule: Rule, candidates: &[Candidate], now: Timestamp) -> Vec<Decision> {
    // What is no run, or of no certain age, takes nobody's place among the newest.
    let mut by_age: Vec<usize> = (0..candidates.len())
        .filter(|&at| candidates[at].standing != Standing::NotARun && candidates[at].prepared_at <= now)
        .collect();
    by_age.sort_by_key(|&at| Reverse(candidates[at].prepared_at));
    let mut newest = vec![false; candidates.len()];
    by_age.into_iter().take(rule.keep).for_each(|at| newest[at] = true);
    let oldest_kept = u64::from(rule.older_than_days) * DAY_MS;
    let decide = |(candidate, newest): (&Candidate, bool)| match candidate.standing {
        Standing::NotARun => Decision::Keep(Reason::NotARun),
        Standing::Running => Decision::Keep(Reason::Running),
        _ if candidate.prepared_at > now => Decision::Keep(Reason::Future),
        _ if now.since(candidate.prepared_at) <= oldest_kept => Decision::Keep(Reason::Young),
        _ if newest => Decision::Keep(Reason::Newest),
        Standing::Interrupted if !rule.force => Decision::Keep(Reason::Interrupted),
        Standing::Damaged if !rule.force => Decision::Keep(Reason::Damaged),
        Standing::Ended | Standing::Interrupted | Standing::Damaged => Decision::Delete,
    };
    candidates.iter().zip(newest).map(decide).collect()
}

/// Whether what a killed preparation left behind is old enough to be nobody's any more: a preparation takes moments.
pub fn is_left_over(prepared_at: Timestamp, now: Timestamp) -> bool {
    now.since(prepared_at) > DAY_MS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;
    const DAY: i64 = 86_400_000;
    const STANDINGS: [Standing; 5] =
        [Standing::Running, Standing::Ended, Standing::Interrupted, Standing::Damaged, Standing::NotARun];

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).unwrap()
    }

    fn aged(days: i64, standing: Standing) -> Candidate {
        Candidate { prepared_at: at(NOW_MS - days * DAY), standing }
    }

    fn check(rule: Rule, candidates: &[Candidate], expected: &str) {
        let decided = decide(rule, candidates, at(NOW_MS));
        let said: Vec<String> = decided.iter().map(|decision| format!("{decision:?}")).collect();
        assert_eq!(said.join(" ").replace("Keep", ""), expected, "{rule:?}");
    }

    #[test]
    fn each_reason() {
        let rule = Rule { older_than_days: 30, keep: 0, force: false };
        let old = STANDINGS.map(|standing| aged(31, standing));
        check(rule, &old, "(Running) Delete (Interrupted) (Damaged) (NotARun)");
        check(Rule { force: true, ..rule }, &old, "(Running) Delete Delete Delete (NotARun)");
        let ended = |days| aged(days, Standing::Ended);
        check(rule, &[ended(30), ended(31), ended(-1)], "(Young) Delete (Future)");
        check(
            Rule { keep: 2, ..rule },
            &[ended(-1), ended(99), ended(40), ended(40), ended(41)],
            "(Future) Delete (Newest) (Newest) Delete",
        );
        check(Rule { keep: 1, ..rule }, &[ended(40), ended(40)], "(Newest) Delete");
        check(Rule { keep: usize::MAX, older_than_days: 0, force: true }, &[ended(9)], "(Newest)");
        check(Rule { older_than_days: u32::MAX, ..rule }, &[ended(9)], "(Young)");
        check(rule, &[], "");
    }

    #[test]
    fn older_is_counted_to_the_millisecond() {
        let rule = Rule { older_than_days: 1, ..Rule::default() };
        let before = |ms: i64| Candidate { prepared_at: at(NOW_MS - ms), standing: Standing::Ended };
        check(rule, &[before(DAY), before(DAY + 1)], "(Young) Delete");
        check(Rule::default(), &[before(0), before(1)], "(Young) Delete");
        assert!(!is_left_over(at(NOW_MS - DAY), at(NOW_MS)) && is_left_over(at(NOW_MS - DAY - 1), at(NOW_MS)));
        assert!(!is_left_over(at(NOW_MS + 9 * DAY), at(NOW_MS)));
    }

    fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
        let one = (-3_000..100_i64, 0..STANDINGS.len()).prop_map(|(hours, standing)| Candidate {
            prepared_at: at(NOW_MS + hours * 3_600_000),
            standing: STANDINGS[standing],
        });
        proptest::collection::vec(one, 0..40)
    }

    fn rules() -> impl Strategy<Value = Rule> {
        (0..130_u32, 0..12_usize, any::<bool>()).prop_map(|(older_than_days, keep, force)| Rule {
            older_than_days,
            keep,
            force,
        })
    }

    fn deleted(rule: Rule, of: &[Candidate]) -> Vec<usize> {
        let decided = decide(rule, of, at(NOW_MS));
        assert_eq!(decided.len(), of.len());
        (0..of.len()).filter(|&i| decided[i] == Decision::Delete).collect()
    }

    proptest! {
        #[test]
        fn nothing_goes_that_must_stay(rule in rules(), of in candidates()) {
            for i in deleted(rule, &of) {
                prop_assert!(!matches!(of[i].standing, Standing::Running | Standing::NotARun));
                prop_assert!(rule.force || of[i].standing == Standing::Ended);
                let age = NOW_MS - of[i].prepared_at.millis();
                prop_assert!(age > i64::from(rule.older_than_days) * DAY);
            }
        }

        #[test]
        fn the_newest_stay(rule in rules(), of in candidates()) {
            let gone = deleted(rule, &of);
            for &i in &gone {
                let newer = (0..of.len()).filter(|j| {
                    let is_run = of[*j].standing != Standing::NotARun;
                    is_run && of[*j].prepared_at <= at(NOW_MS) && of[*j].prepared_at >= of[i].prepared_at && !gone.contains(j)
                });
                prop_assert!(newer.count() >= rule.keep, "{} was deleted", i);
            }
        }

        #[test]
        fn all_that_may_go_goes(rule in rules(), of in candidates()) {
            let ruled = Rule { keep: 0, ..rule };
            let may = of.iter().filter(|c| {
                let standing = c.standing == Standing::Ended
                    || rule.force && matches!(c.standing, Standing::Interrupted | Standing::Damaged);
                standing && NOW_MS - c.prepared_at.millis() > i64::from(rule.older_than_days) * DAY
            });
            prop_assert_eq!(deleted(ruled, &of).len(), may.count());
            prop_assert!(deleted(rule, &of).len() + rule.keep >= deleted(ruled, &of).len());
        }

        #[test]
        fn a_stricter_rule_deletes_no_more(rule in rules(), days in 0..50_u32, keep in 0..5_usize, of in candidates()) {
            let loose = deleted(rule, &of);
            let strict = Rule { older_than_days: rule.older_than_days + days, keep: rule.keep + keep, force: false };
            prop_assert!(deleted(strict, &of).iter().all(|i| loose.contains(i)));
        }

        #[test]
        fn a_second_time_finds_nothing(rule in rules(), of in candidates()) {
            let gone = deleted(rule, &of);
            let left: Vec<Candidate> = (0..of.len()).filter(|i| !gone.contains(i)).map(|i| of[i]).collect();
            prop_assert_eq!(deleted(rule, &left), Vec::<usize>::new());
        }

        #[test]
        fn the_order_of_the_listing_does_not_matter(rule in rules(), of in candidates(), turn in 0..40_usize) {
            // Distinct times: of equal ones the listing decides.
            let mut of = of;
            of.sort_by_key(|c| c.prepared_at);
            of.dedup_by_key(|c| c.prepared_at);
            let times = |of: &[Candidate]| {
                let mut times: Vec<_> = deleted(rule, of).into_iter().map(|i| of[i].prepared_at).collect();
                times.sort();
                times
            };
            let before = times(&of);
            if !of.is_empty() {
                let by = turn % of.len();
                of.rotate_left(by);
            }
            prop_assert_eq!(before, times(&of));
        }
    }
}
