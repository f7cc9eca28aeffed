//! What a plan does with the range it is allowed: planned extremes, headroom, points on a limit. What the confirmation shows.

use std::collections::BTreeMap;

use crate::domain::event::{Applied, AppliedFields};
use crate::domain::margin::{FieldKey, RailField};
use crate::domain::name::Name;
use crate::domain::plan::Experiment;
use crate::domain::point::MarginPoint;
use crate::domain::policy::{Bounds, Interval};

/// One planned field beside its bounds, in base units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RailUse {
    /// The rail.
    pub rail: Name,
    /// Which of its fields.
    pub field: RailField,
    /// What is allowed.
    pub allowed: Interval<u64>,
    /// What is planned, with the whole of the jitter.
    pub planned: Interval<u64>,
    /// Where the bounds were written.
    pub from: Vec<String>,
}

impl RailUse {
    /// From the lower bound to the lowest planned value, and from the highest to the upper bound.
    pub const fn headroom(&self) -> (u64, u64) {
        (self.planned.min.saturating_sub(self.allowed.min), self.allowed.max.saturating_sub(self.planned.max))
    }

    /// The allowed range in so many equal parts, the lowest first: whether each has a planned value in it.
    pub fn used(&self, parts: u64) -> impl Iterator<Item = bool> {
        let width = self.allowed.max.saturating_sub(self.allowed.min);
        let part = |value: u64| {
            let offset = u128::from(value.saturating_sub(self.allowed.min)) * u128::from(parts);
            let part = offset.checked_div(u128::from(width)).unwrap_or(0);
            u64::try_from(part).unwrap_or(parts).min(parts.saturating_sub(1))
        };
        let used = part(self.planned.min)..=part(self.planned.max);
        (0..parts).map(move |at| used.contains(&at))
    }

    /// Whether a planned value sits on a bound.
    pub const fn is_at_limit(&self) -> bool {
        let (below, above) = self.headroom();
        below == 0 || above == 0
    }
}

/// Every planned field of every rail beside its bounds, by name. Fields without a bound are left out: they are never admitted.
pub fn rail_uses(experiment: &Experiment, bounds: &Bounds) -> Vec<RailUse> {
    let mut planned: BTreeMap<(Name, RailField), Interval<u64>> = BTreeMap::new();
    let mut widen = |key: &FieldKey, value: u64| {
        let jitter = experiment.jitter.iter().find(|j| j.field == *key).map_or(0, |j| j.max);
        let (low, high) = (value.saturating_sub(jitter), value.saturating_add(jitter));
        planned
            .entry((key.rail.clone(), key.field))
            .and_modify(|interval| {
                interval.min = interval.min.min(low);
                interval.max = interval.max.max(high);
            })
            .or_insert(Interval { max: high, min: low });
    };
    for (key, value) in &experiment.fixed {
        widen(key, *value);
    }
    for (column, axis) in experiment.axes.iter().enumerate() {
        let used = used_positions(experiment, column, axis.len());
        for (key, values) in &axis.columns {
            values
                .iter()
                .zip(&used)
                .filter(|(_, used)| **used)
                .filter_map(|(value, _)| *value)
                .for_each(|v| widen(key, v));
        }
    }
    planned
        .into_iter()
        .filter_map(|((rail, field), planned)| {
            let bound = bounds.rails.get(&rail)?.get(&field)?;
            Some(RailUse { rail, field, allowed: bound.is, planned, from: bound.from.clone() })
        })
        .collect()
}

fn used_positions(experiment: &Experiment, column: usize, len: usize) -> Vec<bool> {
    let mut used = vec![false; len];
    for row in experiment.points.iter() {
        if let Some(slot) = row.get(column).and_then(|position| used.get_mut(*position as usize)) {
            *slot = true;
        }
    }
    used
}

/// The voltage of a point that is nearest to its lower bound, and how far it is from it, in base units. None where no
/// voltage has a bound.
pub fn to_minimum(bounds: &Bounds, point: &MarginPoint) -> Option<(FieldKey, u64)> {
    let own = point.rails.iter().map(|(rail, setpoint)| (None, rail, setpoint));
    let of_adapters = point
        .adapters
        .iter()
        .flat_map(|(adapter, rails)| rails.iter().map(move |(rail, setpoint)| (Some(adapter.clone()), rail, setpoint)));
    own.chain(of_adapters)
        .filter_map(|(adapter, rail, setpoint)| {
            let bound = bounds.rails.get(rail)?.get(&RailField::Voltage)?;
            let room = setpoint.commanded(RailField::Voltage)?.saturating_sub(bound.is.min);
            Some((FieldKey { adapter, rail: rail.clone(), field: RailField::Voltage }, room))
        })
        .min_by_key(|(_, room)| *room)
}

/// How many sub-runs have a value, with its jitter, on a bound.
pub fn sub_runs_on_a_limit(experiment: &Experiment, bounds: &Bounds) -> u32 {
    let on_limit = |key: &FieldKey, value: u64| {
        let jitter = experiment.jitter.iter().find(|j| j.field == *key).map_or(0, |j| j.max);
        bounds.rails.get(&key.rail).and_then(|fields| fields.get(&key.field)).is_some_and(|bound| {
            value.saturating_sub(jitter) <= bound.is.min || value.saturating_add(jitter) >= bound.is.max
        })
    };
    if experiment.fixed.iter().any(|(key, value)| on_limit(key, *value)) {
        return experiment.sub_runs();
    }
    let flags: Vec<Vec<bool>> = experiment
        .axes
        .iter()
        .map(|axis| {
            let at = |position: usize| {
                axis.columns.iter().any(|(key, values)| {
                    values.get(position).copied().flatten().is_some_and(|value| on_limit(key, value))
                })
            };
            (0..axis.len()).map(at).collect()
        })
        .collect();
    let touches =
        |row: &&[u32]| flags.iter().zip(*row).any(|(flags, at)| flags.get(*at as usize).copied().unwrap_or(false));
    u32::try_from(experiment.points.iter().filter(touches).count()).unwrap_or(u32::MAX)
}

/// Who applies each planned field, over all steps; a field that some step sees unapplied counts as unapplied.
pub fn applied_fields(experiment: &Experiment) -> AppliedFields {
    let mut all = AppliedFields::new();
    // Recipes differ in the rails they name; the points of a sweep do not.
    let differ = experiment.axes.iter().any(|axis| !axis.labels.is_empty());
    let sub_runs = if differ { experiment.sub_runs() } else { 1 };
    for sub_run in (0..sub_runs).filter_map(|index| experiment.sub_run(index)) {
        let mut first = 0;
        for template in &experiment.steps {
            if let Some(Ok(step)) = experiment.step(&sub_run, first, "") {
                for (field, by) in step.applied {
                    all.entry(field).and_modify(|before| *before = gravest(*before, by)).or_insert(by);
                }
            }
            let combinations = u32::try_from(template.combinations.len()).unwrap_or(u32::MAX);
            first = first.saturating_add(combinations.saturating_mul(template.repeat));
        }
    }
    all
}

fn gravest(a: Applied, b: Applied) -> Applied {
    if a == Applied::None || b == Applied::None { Applied::None } else { a.min(b) }
}
