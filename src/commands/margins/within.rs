//! Whether a margin profile lies within the bounds, for a list: counted from its axes, never by its points. By the rule
//! of validation and admission, so that none of them says otherwise.

use crate::commands::margins;
use crate::domain::margin::{FieldKey, FieldSpec, MarginProfile, RailField, RailShape, RailSpec};
use crate::domain::policy::{Bounds, BoundsInForce};
use crate::domain::sanitize;
use crate::domain::sweep::Sweep;
use crate::input::problem::Problems;

/// How a margin profile stands to the bounds in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Within {
    /// All its points are allowed.
    Allowed,
    /// Some are not.
    Outside {
        /// How many.
        outside: u128,
        /// Of how many.
        points: u128,
        /// The first value that is not: `core.voltage = 1200mV is outside 700mV .. 1100mV`.
        first: String,
    },
    /// It has more points than a plan may have.
    TooMany {
        /// How many.
        points: u128,
        /// How many there may be.
        max: u64,
    },
    /// There is no policy, and a missing bound refuses.
    NoPolicy,
    /// The policy or a hardware profile has errors, or they contradict each other.
    PolicyErrors,
    /// The margin profile has errors.
    Errors,
}

impl Within {
    /// A few words for a list.
    pub fn shown(&self) -> String {
        match self {
            Self::Allowed => "bounds ok".to_owned(),
            Self::Outside { outside, points, .. } if outside == points => format!("all {points} outside"),
            Self::Outside { outside, points, .. } => format!("{outside} of {points} outside"),
            Self::TooMany { points, max } => format!("{points} points, {max} allowed"),
            Self::NoPolicy => "no policy".to_owned(),
            Self::PolicyErrors => "policy has errors".to_owned(),
            Self::Errors => "has errors".to_owned(),
        }
    }
}

/// How a profile with so many `points` stands to the bounds.
pub fn within(margin: &MarginProfile, points: u128, bounds: &BoundsInForce) -> Within {
    let inside = inside(margin, &bounds.bounds);
    if inside < points {
        let mut problems = Problems::default();
        for field in margins::fields(margin) {
            field.judge(bounds, &mut problems);
        }
        let first = problems.list().first().map(|problem| sanitize::line(&problem.message).into_owned());
        return Within::Outside { outside: points - inside, points, first: first.unwrap_or_default() };
    }
    let max = bounds.bounds.max_subruns.is;
    if points > u128::from(max) { Within::TooMany { points, max } } else { Within::Allowed }
}

/// How many points lie within: the product over its axes.
fn inside(margin: &MarginProfile, bounds: &Bounds) -> u128 {
    let judge = Judge { margin, bounds };
    let common = margin.default.iter().map(|rail| judge.rail(None, rail));
    let own = margin.adapters.iter().flat_map(|(name, rails)| rails.iter().map(move |rail| (&name.value, rail)));
    let own = own.map(|(adapter, rail)| judge.rail(Some(adapter), rail));
    let recipes = (!margin.recipes.is_empty()).then(|| {
        let holds = |recipe: &&crate::domain::margin::Recipe| {
            recipe.settings.iter().all(|(key, value)| judge.holds(key, value.value))
        };
        margin.recipes.iter().filter(holds).count() as u128
    });
    common.chain(own).chain(recipes).fold(1, u128::saturating_mul)
}

struct Judge<'m> {
    margin: &'m MarginProfile,
    bounds: &'m Bounds,
}

impl Judge<'_> {
    /// Whether a value of a field is allowed, with its jitter.
    fn holds(&self, key: &FieldKey, value: u64) -> bool {
        let bound = self.bounds.rails.get(&key.rail).and_then(|fields| fields.get(&key.field));
        bound.is_some_and(|bound| bound.is.contains_either_way(value, self.jitter(key)))
    }

    fn jitter(&self, key: &FieldKey) -> u64 {
        self.margin.jitter.iter().find(|(name, _)| name.value == *key).map_or(0, |(_, jitter)| jitter.max)
    }

    /// How many combinations of what a rail takes are allowed.
    fn rail(&self, adapter: Option<&crate::domain::name::Name>, spec: &RailSpec) -> u128 {
        let key = |field| FieldKey { adapter: adapter.cloned(), rail: spec.rail.value.clone(), field };
        match &spec.shape {
            RailShape::Fields(fields) => {
                fields.iter().map(|(field, spec)| self.field(&key(*field), spec)).fold(1, u128::saturating_mul)
            }
            RailShape::Pairs(pairs) => {
                let (voltage, frequency) = (key(RailField::Voltage), key(RailField::Frequency));
                let holds = |pair: &&crate::domain::margin::Pair| {
                    self.holds(&voltage, pair.voltage.value.0) && self.holds(&frequency, pair.frequency.value.0)
                };
                pairs.iter().filter(holds).count() as u128
            }
        }
    }

    fn field(&self, key: &FieldKey, spec: &FieldSpec) -> u128 {
        match spec {
            FieldSpec::Fixed(value) => u128::from(self.holds(key, value.value)),
            FieldSpec::Swept { sweep: Sweep::List(values), .. } => {
                let holds = |value: &&i64| u64::try_from(**value).is_ok_and(|value| self.holds(key, value));
                values.iter().filter(holds).count() as u128
            }
            FieldSpec::Swept { sweep, .. } => u128::from(self.range(key, sweep)),
        }
    }

    /// How many values of a range are allowed. They stand in a row, so its ends are searched for: a range may have
    /// millions.
    fn range(&self, key: &FieldKey, sweep: &Sweep<i64>) -> u64 {
        let Some(bound) = self.bounds.rails.get(&key.rail).and_then(|fields| fields.get(&key.field)) else { return 0 };
        let (jitter, len) = (self.jitter(key), sweep.len());
        let at = |index: u64| sweep.at(index).and_then(|value| u64::try_from(value).ok()).unwrap_or_default();
        let above_min = |index: u64| at(index).checked_sub(jitter).is_some_and(|low| low >= bound.is.min);
        let below_max = |index: u64| at(index).checked_add(jitter).is_some_and(|high| high <= bound.is.max);
        let (start, end) = if at(0) <= at(len.saturating_sub(1)) {
            (first(len, above_min), first(len, |index| !below_max(index)))
        } else {
            (first(len, below_max), first(len, |index| !above_min(index)))
        };
        end.saturating_sub(start)
    }
}

/// The first index below `len` where it holds, holding ever after; else `len`.
fn first(len: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::admission;
    use crate::domain::kit::{self, World, adapter, fixed, flow, list, margin, name, placed, rail, range, step};
    use crate::domain::margin::RailField::{Frequency, Voltage};

    fn judged(margin: &MarginProfile, points: u128, rails: &[(&str, u64, u64)]) -> Within {
        within(margin, points, &kit::bounds(&kit::policy(rails)))
    }

    fn check(margin: &MarginProfile, points: u128, expected: &str) {
        let bounds = [("core.voltage", 900_000, 1_000_000), ("core.frequency", 0, 3_000_000)];
        let within = judged(margin, points, &bounds);
        let first = if let Within::Outside { first, .. } = &within { format!(": {first}") } else { String::new() };
        assert_eq!(format!("{}{first}", within.shown()), expected);
    }

    #[test]
    fn counted_by_axes() {
        let at = |voltage, frequency| margin(vec![rail("core", vec![(Voltage, voltage), (Frequency, frequency)])]);
        check(&margin(vec![]), 1, "bounds ok");
        check(&at(list(&[900_000, 1_000_000]), fixed(3_000_000)), 2, "bounds ok");
        check(
            &at(range(1_010_000, 880_000, -10_000), list(&[3_000_000, 3_100_000])),
            28,
            "17 of 28 outside: core.frequency = 3.1GHz is outside 0MHz .. 3GHz",
        );
        check(&at(fixed(1), list(&[1, 2])), 2, "all 2 outside: core.voltage = 0.001mV is outside 900mV .. 1000mV");
        check(&margin(vec![rail("soc", vec![(Voltage, fixed(1))])]), 1, "all 1 outside: no policy bounds soc.voltage");
        check(
            &margin(vec![kit::pairs("core", &[(950_000, 1), (950_000, 4_000_000)])]),
            2,
            "1 of 2 outside: core.frequency = 4GHz is outside 0MHz .. 3GHz",
        );
        check(&at(range(900_000, 1_000_000, 1), fixed(0)), 100_001, "100001 points, 10000 allowed");
        let mut recipes = margin(vec![]);
        recipes.recipes = vec![kit::recipe("bare", &[]), kit::recipe("hot", &[("core.voltage", 1_100_000)])];
        check(&recipes, 2, "1 of 2 outside: core.voltage = 1100mV is outside 900mV .. 1000mV");
    }

    proptest! {
        #[test]
        fn as_admission_counts_point_by_point(
            from in 0_i64..30, to in 0_i64..30, by in 1_i64..5,
            own in proptest::collection::vec(0_i64..30, 1..4),
            jitter in 0_u64..4, low in 0_u64..15, high in 15_u64..30,
        ) {
            let mut profile = margin(vec![rail("core", vec![(Voltage, range(from, to, if to < from { -by } else { by }))])]);
            profile.adapters = vec![(placed(name("a")), vec![rail("core", vec![(Voltage, list(&own))])])];
            profile.jitter = vec![kit::jitter("core.voltage", jitter, 1)];
            let mut world = World::new(flow(vec![step("s", "a")]), profile.clone(), vec![adapter("a", vec![])]);
            world.policy = kit::policy(&[("core.voltage", low, high)]);
            let plan = Arc::new(world.plan());
            let points = u128::from(plan.experiment.sub_runs());
            let bounds = kit::bounds(&world.policy);
            let by_point = admission::outside(&plan, &bounds.bounds).iter().filter(|outside| **outside).count() as u128;
            let by_axes = match within(&profile, points, &bounds) {
                Within::Outside { outside, first, .. } => {
                    prop_assert!(first.contains("is outside"));
                    outside
                }
                other => {
                    prop_assert_eq!(other, Within::Allowed);
                    0
                }
            };
            prop_assert_eq!(by_axes, by_point);
        }
    }
}
