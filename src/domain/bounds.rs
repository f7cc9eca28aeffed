//! The bounds in force: which profiles apply to a host, and the intersection of base and profiles. Only ever tightens.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::evidence::rules::EvidenceRules;
use crate::domain::host::{HostFacts, RuleOutcome};
use crate::domain::margin::RailField;
use crate::domain::name::Name;
use crate::domain::param::ParamValue;
use crate::domain::place::{Place, Placed};
use crate::domain::policy::{
    Bound, Bounds, BoundsInForce, Interval, Limits, ParamBound, ParamKey, Profile, SafetyPolicy, defaults,
};
use crate::domain::problem::Problem;

/// A profile held against a host.
#[derive(Debug, Clone)]
pub struct Candidate<'p> {
    /// The profile.
    pub profile: &'p Profile,
    /// Each rule with its result.
    pub outcomes: Vec<RuleOutcome>,
    /// Every rule holds.
    pub matches: bool,
    /// It matches, and no matching profile has a higher priority.
    pub applies: bool,
}

/// Holds every profile against the host, in name order.
pub fn candidates<'p>(profiles: &[&'p Profile], facts: &HostFacts) -> Vec<Candidate<'p>> {
    let mut all: Vec<Candidate<'_>> = profiles
        .iter()
        .map(|profile| {
            let outcomes = profile.rules.judge(facts);
            let matches = profile.rules.matches(facts);
            Candidate { profile, outcomes, matches, applies: false }
        })
        .collect();
    let highest = all.iter().filter(|c| c.matches).map(|c| c.profile.priority).max();
    for candidate in &mut all {
        candidate.applies = candidate.matches && Some(candidate.profile.priority) == highest;
    }
    all.sort_by(|a, b| a.profile.name.cmp(&b.profile.name));
    all
}

/// Intersects base and profiles. Errors: a rail that the base lacks, an empty intersection, bounds of two types.
pub fn in_force(base: &SafetyPolicy, profiles: &[&Profile]) -> Result<BoundsInForce, Vec<Problem>> {
    let mut sum = Sum::new(base);
    for profile in profiles {
        sum.tighten(&profile.limits);
    }
    if sum.problems.is_empty() {
        let mut names: Vec<Name> = profiles.iter().map(|p| p.name.clone()).collect();
        names.sort();
        let rail_places =
            sum.rails.iter().map(|(key, (low, high))| (key.clone(), (low.place.clone(), high.place.clone())));
        Ok(BoundsInForce {
            rail_places: rail_places.collect(),
            param_places: sum.params.iter().map(|(key, (_, places))| (key.clone(), last(places))).collect(),
            policy: base.name.clone(),
            profiles: names,
            bounds: sum.bounds(profiles),
        })
    } else {
        Err(sum.problems)
    }
}

fn last(places: &[Place]) -> Place {
    places.last().cloned().unwrap_or_else(|| Place::start_of("policy"))
}

/// The intersection so far: each end with the place that set it.
struct Sum<'b> {
    base: &'b SafetyPolicy,
    rails: BTreeMap<(Name, RailField), (Placed<u64>, Placed<u64>)>,
    params: BTreeMap<ParamKey, (ParamBound, Vec<Place>)>,
    problems: Vec<Problem>,
}

impl<'b> Sum<'b> {
    fn new(base: &'b SafetyPolicy) -> Self {
        let rails = base.limits.rails.iter().map(|(key, bound)| {
            let end = |value| Placed::new(value, bound.place.clone());
            (key.clone(), (end(bound.value.min), end(bound.value.max)))
        });
        let params = base.limits.params.iter().map(|(k, b)| (k.clone(), (b.value.clone(), vec![b.place.clone()])));
        Self { base, rails: rails.collect(), params: params.collect(), problems: vec![] }
    }

    fn tighten(&mut self, limits: &Limits) {
        for ((rail, field), bound) in &limits.rails {
            let Some((low, high)) = self.rails.get_mut(&(rail.clone(), *field)) else {
                self.problems.push(
                    Problem::error(bound.place.clone(), format!("{} has no bound for {rail}.{field}", self.base.file))
                        .label("bounded here only")
                        .related(Place::start_of(self.base.file.clone()), "the base policy")
                        .help(format!(
                            "a profile can only tighten: write the outer bound into {} as well",
                            self.base.file
                        )),
                );
                continue;
            };
            if bound.value.min > low.value {
                *low = Placed::new(bound.value.min, bound.place.clone());
            }
            if bound.value.max < high.value {
                *high = Placed::new(bound.value.max, bound.place.clone());
            }
            if low.value > high.value {
                let other = if low.place == bound.place { high.place.clone() } else { low.place.clone() };
                let (min, max) = (field.show(low.value), field.show(high.value));
                self.problems.push(
                    Problem::error(bound.place.clone(), format!("no value of {rail}.{field} is allowed any more"))
                        .label(format!("together: at least {min}, at most {max}"))
                        .related(other, "and this")
                        .help("the bounds in force are the intersection of base and profiles; let them overlap"),
                );
            }
        }
        for (key, bound) in &limits.params {
            let Some((before, places)) = self.params.get_mut(key) else {
                self.params.insert(key.clone(), (bound.value.clone(), vec![bound.place.clone()]));
                continue;
            };
            match before.intersect(&bound.value) {
                Some(both) => {
                    *before = both;
                    places.push(bound.place.clone());
                }
                None => self.problems.push(
                    Problem::error(bound.place.clone(), format!("no value of {key} is allowed any more"))
                        .label("together with the other bound nothing is left")
                        .related(last(places), "and this")
                        .help("let both bounds be of one type and overlap"),
                ),
            }
        }
    }

    /// The base's rules over those of a policy that says nothing, tightened by what each profile names.
    fn evidence(&self, profiles: &[&Profile]) -> EvidenceRules {
        let standard = EvidenceRules::default();
        let base = self.base.limits.evidence.as_ref().map_or_else(|| standard.clone(), |p| p.value.over(&standard));
        let parts = profiles.iter().filter_map(|profile| profile.limits.evidence.as_ref());
        parts.fold(base, |rules, parts| parts.value.tighten(&rules))
    }

    fn bounds(&self, profiles: &[&Profile]) -> Bounds {
        let documents = || std::iter::once(&self.base.limits).chain(profiles.iter().map(|p| &p.limits));
        let mut rails: BTreeMap<Name, BTreeMap<RailField, Bound<Interval<u64>>>> = BTreeMap::new();
        for ((rail, field), (low, high)) in &self.rails {
            let mut from = vec![low.place.to_string()];
            if high.place != low.place {
                from.push(high.place.to_string());
            }
            let is = Interval { max: high.value, min: low.value };
            rails.entry(rail.clone()).or_default().insert(*field, Bound { from, is });
        }
        let params = self.params.iter().map(|(key, (bound, places))| {
            (key.clone(), Bound { from: places.iter().map(ToString::to_string).collect(), is: bound.clone() })
        });
        let smallest = |values: Vec<&Placed<u64>>, default: u64| {
            values.into_iter().min_by_key(|v| v.value).map_or_else(
                || Bound { from: vec!["default".to_owned()], is: default },
                |v| Bound { from: vec![v.place.to_string()], is: v.value },
            )
        };
        let log: Vec<Placed<u64>> = documents().filter_map(|l| l.max_log.clone().map(|p| p.map(|b| b.0))).collect();
        let timeout: Vec<Placed<u64>> =
            documents().filter_map(|l| l.max_step_timeout.clone().map(|p| p.map(|m| m.0))).collect();
        let max_log = smallest(log.iter().collect(), defaults::MAX_LOG.0);
        let max_step_timeout = smallest(timeout.iter().collect(), defaults::MAX_STEP_TIMEOUT.0);
        Bounds {
            controllers: armed(documents().filter_map(|l| l.controllers.as_ref())),
            evidence: self.evidence(profiles),
            max_log: Bound { from: max_log.from, is: crate::domain::units::Bytes(max_log.is) },
            max_step_timeout: Bound {
                from: max_step_timeout.from,
                is: crate::domain::units::Millis(max_step_timeout.is),
            },
            max_subruns: smallest(documents().filter_map(|l| l.max_subruns.as_ref()).collect(), defaults::MAX_SUBRUNS),
            params: params.collect(),
            rails,
            severity: documents().filter_map(|l| l.severity).next_back().unwrap_or_default(),
        }
    }
}

/// Only what every document that says something arms may move rails.
fn armed<'p>(documents: impl Iterator<Item = &'p Placed<BTreeSet<Name>>>) -> Option<Bound<BTreeSet<Name>>> {
    documents.fold(None, |before, here| {
        let mut bound = before.unwrap_or_else(|| Bound { from: vec![], is: here.value.clone() });
        bound.is.retain(|name| here.value.contains(name));
        bound.from.push(here.place.to_string());
        Some(bound)
    })
}

impl ParamBound {
    /// Both at once; `None` when nothing is left or the types differ.
    pub fn intersect(&self, other: &Self) -> Option<Self> {
        let same = |a: &ParamValue, b: &ParamValue| std::mem::discriminant(a) == std::mem::discriminant(b);
        let ends: Vec<&ParamValue> =
            [&self.min, &self.max, &other.min, &other.max].into_iter().filter_map(Option::as_ref).collect();
        if ends.windows(2).any(|pair| !same(pair[0], pair[1])) {
            return None;
        }
        let min = self.min.iter().chain(&other.min).max().cloned();
        let max = self.max.iter().chain(&other.max).min().cloned();
        match (&min, &max) {
            (Some(low), Some(high)) if low > high => None,
            _ => Some(Self { max, min }),
        }
    }

    /// Whether a value lies within. A value of another type never does.
    pub fn contains(&self, value: &ParamValue) -> bool {
        let same = |end: &ParamValue| std::mem::discriminant(end) == std::mem::discriminant(value);
        self.min.as_ref().is_none_or(|min| same(min) && min <= value)
            && self.max.as_ref().is_none_or(|max| same(max) && value <= max)
    }

    /// For people: `1 .. 100`, `at most 100`.
    pub fn shown(&self) -> String {
        match (&self.min, &self.max) {
            (Some(min), Some(max)) => format!("{min} .. {max}"),
            (None, Some(max)) => format!("at most {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, None) => "unbounded".to_owned(),
        }
    }
}

impl Bounds {
    /// These bounds and `today`'s at once, for a stored plan. A rail that either lacks has no bound any more, and a
    /// missing bound refuses; where two bounds of a rail exclude each other the interval that is left holds nothing, so
    /// that only a plan that uses the rail is refused. `None` when two bounds of a parameter exclude each other.
    pub fn intersect(&self, today: &Self) -> Option<Self> {
        let mut rails = BTreeMap::new();
        for (rail, fields) in &self.rails {
            let Some(others) = today.rails.get(rail) else { continue };
            let mut both = BTreeMap::new();
            for (field, bound) in fields {
                let Some(other) = others.get(field) else { continue };
                let is = Interval { max: bound.is.max.min(other.is.max), min: bound.is.min.max(other.is.min) };
                both.insert(*field, merged(bound, other, is));
            }
            rails.insert(rail.clone(), both);
        }
        let mut params = self.params.clone();
        for (key, other) in &today.params {
            let both = match params.get(key) {
                Some(bound) => merged(bound, other, bound.is.intersect(&other.is)?),
                None => other.clone(),
            };
            params.insert(key.clone(), both);
        }
        Some(Self {
            controllers: both_arm(self.controllers.as_ref(), today.controllers.as_ref()),
            evidence: self.evidence.tightened(&today.evidence),
            max_log: tighter(&self.max_log, &today.max_log),
            max_step_timeout: tighter(&self.max_step_timeout, &today.max_step_timeout),
            max_subruns: tighter(&self.max_subruns, &today.max_subruns),
            params,
            rails,
            severity: self.severity,
        })
    }
}

/// What was armed when it was planned and still is.
fn both_arm(
    stored: Option<&Bound<BTreeSet<Name>>>,
    today: Option<&Bound<BTreeSet<Name>>>,
) -> Option<Bound<BTreeSet<Name>>> {
    match (stored, today) {
        (Some(stored), Some(today)) => {
            Some(merged(stored, today, stored.is.intersection(&today.is).cloned().collect()))
        }
        (one, other) => one.or(other).cloned(),
    }
}

fn tighter<T: Ord + Clone>(stored: &Bound<T>, today: &Bound<T>) -> Bound<T> {
    if today.is < stored.is { today.clone() } else { stored.clone() }
}

/// Both at once; a bound that today does not tighten stays as it was stored, so that an unchanged plan keeps its digest.
fn merged<T: PartialEq + Clone>(stored: &Bound<T>, today: &Bound<T>, is: T) -> Bound<T> {
    if is == stored.is {
        return stored.clone();
    }
    let mut from = stored.from.clone();
    from.extend(today.from.iter().filter(|t| !stored.from.contains(t)).cloned());
    Bound { from, is }
}
