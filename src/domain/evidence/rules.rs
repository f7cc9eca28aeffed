//! What follows from what the hardware said: a table of thresholds, and the judgement of one step's evidence by it. Pure; a
//! rule only ever makes a verdict graver, and what was not checked proves nothing either way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Observation, Observed, SourceId};
use crate::domain::units::Millis;
use crate::domain::verdict::{Effect, Effects, Verdict};

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EvidenceRules {
    /// Waited after a step where errors are counted late: EDAC looks at its counters once a second.
    pub lag_ms: Millis,
    /// Corrected PCI Express errors.
    pub aer_corrected: CountRule,
    /// Uncorrected PCI Express errors.
    pub aer_uncorrected: CountRule,
    /// Corrected memory errors, also where only the kernel log tells of them.
    pub edac_ce: CountRule,
    /// Uncorrected memory errors, likewise.
    pub edac_ue: CountRule,
    /// Throttling, likewise.
    pub throttle: CountRule,
    /// What is too hot; without it nothing is.
    pub temperature: Option<TemperatureRule>,
}

/// More than so many in a step lead to a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CountRule {
    /// So many are passed over.
    pub above: u64,
    /// The least grave verdict of a step with more: `pass`, `inconclusive` or `fail`.
    pub verdict: Verdict,
}

/// A temperature that ends a step at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TemperatureRule {
    /// The hottest sensor may say so much, in thousandths of a degree Celsius.
    pub max_mc: i64,
    /// Nothing goes on before it says at most this.
    pub cool_to_mc: i64,
    /// The run ends when that takes longer.
    pub cool_for_ms: Millis,
}

impl Default for EvidenceRules {
    fn default() -> Self {
        let rule = |verdict| CountRule { above: 0, verdict };
        Self {
            lag_ms: Millis(1_100),
            aer_corrected: rule(Verdict::Pass),
            aer_uncorrected: rule(Verdict::Fail),
            edac_ce: rule(Verdict::Pass),
            edac_ue: rule(Verdict::Fail),
            throttle: rule(Verdict::Inconclusive),
            temperature: None,
        }
    }
}

/// The rules of one document: what it does not name it says nothing about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleParts {
    /// As in [`EvidenceRules`].
    pub lag: Option<Millis>,
    /// Rules of counted sources.
    pub counts: BTreeMap<SourceId, CountRule>,
    /// What is too hot.
    pub temperature: Option<TemperatureRule>,
}

impl RuleParts {
    /// The sources that a rule can be written for.
    pub const COUNTED: [SourceId; 5] =
        [SourceId::AerCorrected, SourceId::AerUncorrected, SourceId::EdacCe, SourceId::EdacUe, SourceId::Throttle];

    /// These rules, and for what they do not name those of `others`.
    pub fn over(&self, others: &EvidenceRules) -> EvidenceRules {
        let mut rules = others.clone();
        rules.lag_ms = self.lag.unwrap_or(rules.lag_ms);
        rules.temperature = self.temperature.or(rules.temperature);
        for (source, rule) in &self.counts {
            if let Some(slot) = rules.of(*source) {
                *slot = *rule;
            }
        }
        rules
    }

    /// `others`, tightened by what these name.
    pub fn tighten(&self, others: &EvidenceRules) -> EvidenceRules {
        others.tightened(&self.over(others))
    }
}

/// What the evidence of a step makes of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Finding {
    /// The step's verdict is at least this.
    pub verdict: Option<Verdict>,
    /// What was seen.
    pub effects: Effects,
    /// What was seen and where, a sentence each.
    pub reasons: Vec<String>,
}

impl EvidenceRules {
    /// Whether these are the rules of a policy that says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The rules of counted sources, the gravest first.
    pub const fn counts(&self) -> [(SourceId, CountRule); 5] {
        [
            (SourceId::EdacUe, self.edac_ue),
            (SourceId::AerUncorrected, self.aer_uncorrected),
            (SourceId::EdacCe, self.edac_ce),
            (SourceId::AerCorrected, self.aer_corrected),
            (SourceId::Throttle, self.throttle),
        ]
    }

    fn of(&mut self, source: SourceId) -> Option<&mut CountRule> {
        match source {
            SourceId::AerCorrected => Some(&mut self.aer_corrected),
            SourceId::AerUncorrected => Some(&mut self.aer_uncorrected),
            SourceId::EdacCe => Some(&mut self.edac_ce),
            SourceId::EdacUe => Some(&mut self.edac_ue),
            SourceId::Throttle => Some(&mut self.throttle),
            _ => None,
        }
    }

    /// Judges what was seen over one step.
    pub fn judge(&self, observed: &Observed) -> Finding {
        let mut finding = Finding::default();
        for (rule, source, logged, effect) in [
            (self.edac_ue, SourceId::EdacUe, Some(Telling::Uncorrected), Some(Effect::Ue)),
            (self.aer_uncorrected, SourceId::AerUncorrected, None, Some(Effect::Ue)),
            (self.edac_ce, SourceId::EdacCe, Some(Telling::Corrected), Some(Effect::Ce)),
            (self.aer_corrected, SourceId::AerCorrected, None, Some(Effect::Ce)),
            (self.throttle, SourceId::Throttle, Some(Telling::Throttle), None),
        ] {
            finding.weigh(rule, source, observed.get(&source), effect);
            if let (Some(telling), Some(Observation::Logged(log))) = (logged, observed.get(&SourceId::KernelLog)) {
                let count = match telling {
                    Telling::Uncorrected => log.uncorrected,
                    Telling::Corrected => log.corrected,
                    Telling::Throttle => log.throttle,
                };
                finding
                    .count(rule, count, effect, || format!("the kernel log tells of {} {}", count, telling.as_str()));
            }
        }
        finding
    }

    /// The tighter of two, for a profile over a base or today's over a stored plan's.
    #[must_use]
    pub fn tightened(&self, by: &Self) -> Self {
        let count = |one: CountRule, other: CountRule| match (one.verdict, other.verdict) {
            // A rule from which nothing follows must not lend its threshold to one from which something does.
            (Verdict::Pass, Verdict::Inconclusive | Verdict::Fail) => other,
            (Verdict::Inconclusive | Verdict::Fail, Verdict::Pass) => one,
            (this, that) => CountRule { above: one.above.min(other.above), verdict: this.max(that) },
        };
        Self {
            lag_ms: self.lag_ms.max(by.lag_ms),
            aer_corrected: count(self.aer_corrected, by.aer_corrected),
            aer_uncorrected: count(self.aer_uncorrected, by.aer_uncorrected),
            edac_ce: count(self.edac_ce, by.edac_ce),
            edac_ue: count(self.edac_ue, by.edac_ue),
            throttle: count(self.throttle, by.throttle),
            temperature: match (self.temperature, by.temperature) {
                (Some(one), Some(other)) => Some(TemperatureRule {
                    max_mc: one.max_mc.min(other.max_mc),
                    cool_to_mc: one.cool_to_mc.min(other.cool_to_mc),
                    cool_for_ms: one.cool_for_ms.min(other.cool_for_ms),
                }),
                (one, other) => one.or(other),
            },
        }
    }
}

/// What a line of the kernel log tells of.
#[derive(Debug, Clone, Copy)]
enum Telling {
    Uncorrected,
    Corrected,
    Throttle,
}

impl Telling {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Uncorrected => "uncorrected errors",
            Self::Corrected => "corrected errors",
            Self::Throttle => "throttling",
        }
    }
}

impl Finding {
    fn weigh(&mut self, rule: CountRule, source: SourceId, seen: Option<&Observation>, effect: Option<Effect>) {
        let Some(Observation::Counted(counted)) = seen else { return };
        self.count(rule, counted.delta, effect, || {
            let places: Vec<&str> = counted.places.keys().map(String::as_str).collect();
            let at = if places.is_empty() { String::new() } else { format!(" at {}", places.join(", ")) };
            format!("{source} went up by {}{at}", counted.delta)
        });
    }

    fn count(&mut self, rule: CountRule, count: u64, effect: Option<Effect>, says: impl FnOnce() -> String) {
        if count == 0 {
            return;
        }
        // What was seen is recorded whatever the policy makes of it.
        self.effects.extend(effect);
        if count <= rule.above {
            return;
        }
        self.reasons.push(says());
        if rule.verdict > Verdict::Pass {
            self.verdict = self.verdict.max(Some(rule.verdict));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Counted, Logged, Measured};
    use super::*;

    fn counted(delta: u64) -> Observation {
        let places = if delta > 0 { BTreeMap::from([("mc0".to_owned(), delta)]) } else { BTreeMap::new() };
        Observation::Counted(Counted { delta, places, unit: None })
    }

    fn check(rules: &EvidenceRules, seen: &[(SourceId, Observation)], expected: &str) {
        let finding = rules.judge(&seen.iter().cloned().collect());
        let effects: Vec<&str> = finding.effects.iter().map(|effect| effect.as_str()).collect();
        let verdict = finding.verdict.map_or("-", Verdict::as_str);
        assert_eq!(format!("{verdict} [{}] {}", effects.join(" "), finding.reasons.join("; ")), expected);
    }

    #[test]
    fn what_was_seen_makes_a_verdict_graver_by_the_rules() {
        let rules = EvidenceRules::default();
        check(&rules, &[], "- [] ");
        check(&rules, &[(SourceId::EdacCe, counted(0))], "- [] ");
        check(&rules, &[(SourceId::EdacCe, counted(3))], "- [ce] edac_ce went up by 3 at mc0");
        check(&rules, &[(SourceId::EdacUe, counted(1))], "fail [ue] edac_ue went up by 1 at mc0");
        check(&rules, &[(SourceId::Throttle, counted(2))], "inconclusive [] throttle went up by 2 at mc0");
        let both = [(SourceId::AerUncorrected, counted(1)), (SourceId::Throttle, counted(1))];
        check(&rules, &both, "fail [ue] aer_uncorrected went up by 1 at mc0; throttle went up by 1 at mc0");
        let log = Logged { corrected: 2, ..Logged::default() };
        let log = [(SourceId::KernelLog, Observation::Logged(log))];
        check(&rules, &log, "- [ce] the kernel log tells of 2 corrected errors");
        let absent = Observation::NotChecked { not_checked: "denied".to_owned() };
        check(&rules, &[(SourceId::EdacUe, absent)], "- [] ");
        let hot = Measured { min: 1, mean: 2, max: 200_000, samples: 3, unit: None, of: None };
        check(&rules, &[(SourceId::Temperature, Observation::Measured(hot))], "- [] ");
    }

    #[test]
    fn thresholds_and_verdicts_are_the_policys() {
        let corrected = CountRule { above: 10, verdict: Verdict::Fail };
        let rules = EvidenceRules { edac_ce: corrected, ..EvidenceRules::default() };
        check(&rules, &[(SourceId::EdacCe, counted(10))], "- [ce] ");
        check(&rules, &[(SourceId::EdacCe, counted(11))], "fail [ce] edac_ce went up by 11 at mc0");
    }

    #[test]
    fn together_the_tighter_counts() {
        let hot = |max_mc| Some(TemperatureRule { max_mc, cool_to_mc: 70_000, cool_for_ms: Millis(1000) });
        let lenient = CountRule { above: 10, verdict: Verdict::Fail };
        let one = EvidenceRules { edac_ce: lenient, temperature: hot(95_000), ..EvidenceRules::default() };
        let other = EvidenceRules { lag_ms: Millis(5_000), temperature: hot(85_000), ..EvidenceRules::default() };
        let both = one.tightened(&other);
        assert_eq!(both, other.tightened(&one));
        assert_eq!(both.edac_ce, lenient, "the default asks for nothing, and so takes nothing away");
        let doubt = EvidenceRules {
            edac_ce: CountRule { above: 3, verdict: Verdict::Inconclusive },
            ..EvidenceRules::default()
        };
        assert_eq!(one.tightened(&doubt).edac_ce, CountRule { above: 3, verdict: Verdict::Fail });
        assert_eq!((both.lag_ms, both.temperature), (Millis(5_000), hot(85_000)));
        assert_eq!(one.tightened(&EvidenceRules::default()).temperature, hot(95_000));
    }
}
