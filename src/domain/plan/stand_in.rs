//! What stands in for a plan that cannot be read: the points that the rest of the record tells of, and nothing else.
//! Good for showing a damaged record; never intact, so that nobody runs it.

use std::collections::BTreeMap;

use super::{Axis, Experiment, FORMAT_VERSION, Plan, PlannedStopLine};
use crate::domain::evidence::rules::EvidenceRules;
use crate::domain::host::HostFacts;
use crate::domain::margin::{FieldKey, Order, RailField, StopAfter};
use crate::domain::name::Name;
use crate::domain::point::MarginPoint;
use crate::domain::policy::{Bound, Bounds, Severities};
use crate::domain::seed::Seed;
use crate::domain::table::Table;
use crate::domain::units::{Bytes, Millis};

/// What a summary tells of a plan.
#[derive(Debug, Clone)]
pub struct StandIn {
    /// The flow's name.
    pub flow: Name,
    /// The margin profile's name.
    pub margin: Name,
    /// The hardware profiles.
    pub profiles: Vec<Name>,
    /// The seed of everything.
    pub global_seed: Seed,
    /// The plan's digest.
    pub digest: String,
    /// The unit under test.
    pub unit: Option<String>,
    /// The host.
    pub host: HostFacts,
    /// Where the margin was in each sub-run.
    pub points: Vec<MarginPoint>,
}

impl Plan {
    /// A plan of those points, on the grid and as one axis, and of no step.
    pub fn stand_in(known: StandIn) -> Self {
        let mut points = Table::with_capacity(1, known.points.len());
        for (at, _) in (0..).zip(&known.points) {
            points.push(&[at]);
        }
        Self {
            format_version: FORMAT_VERSION,
            digest: known.digest,
            unit: known.unit,
            host: known.host,
            found: BTreeMap::new(),
            experiment: Experiment {
                policy: known.flow.clone(),
                flow: known.flow,
                margin: known.margin,
                profiles: known.profiles,
                global_seed: known.global_seed,
                bounds: no_bounds(),
                inputs: BTreeMap::new(),
                adapters: BTreeMap::new(),
                controllers: BTreeMap::new(),
                steps: vec![],
                settle_ms: Millis(0),
                stop_line: PlannedStopLine { axis: None, after: StopAfter::Crashed, count: 1 },
                order: Order::Raster,
                nominal: BTreeMap::new(),
                fixed: BTreeMap::new(),
                axes: vec![axis(&known.points)],
                jitter: vec![],
                points,
                offsets: Table::default(),
            },
        }
    }
}

/// So many fields of rails are taken over.
const MOST_FIELDS: usize = 64;

/// One position a point, with every field that any of them has.
fn axis(points: &[MarginPoint]) -> Axis {
    let mut columns: BTreeMap<FieldKey, Vec<Option<u64>>> = BTreeMap::new();
    for (at, point) in points.iter().enumerate() {
        let own = point.adapters.iter().map(|(adapter, rails)| (Some(adapter), rails));
        for (adapter, rails) in std::iter::once((None, &point.rails)).chain(own) {
            for (rail, setting) in rails {
                for field in RailField::ALL.into_iter().filter(|field| setting.grid(*field).is_some()) {
                    let key = FieldKey { adapter: adapter.cloned(), rail: rail.clone(), field };
                    // A record that was tampered with may name any number of rails.
                    if columns.len() >= MOST_FIELDS && !columns.contains_key(&key) {
                        continue;
                    }
                    let column = columns.entry(key).or_insert_with(|| vec![None; points.len()]);
                    if let Some(slot) = column.get_mut(at) {
                        *slot = setting.grid(field);
                    }
                }
            }
        }
    }
    let labels: Vec<Name> = points.iter().filter_map(|point| point.name.clone()).collect();
    let labels = if labels.len() == points.len() { labels } else { vec![] };
    Axis { name: "point".to_owned(), labels, columns }
}

fn no_bounds() -> Bounds {
    Bounds {
        max_log: Bound { from: vec![], is: Bytes(0) },
        max_step_timeout: Bound { from: vec![], is: Millis(0) },
        max_subruns: Bound { from: vec![], is: 0 },
        params: BTreeMap::new(),
        rails: BTreeMap::new(),
        controllers: None,
        evidence: EvidenceRules::default(),
        severity: Severities::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kit::{World, keys};

    #[test]
    fn the_points_are_those_of_the_record_and_nobody_takes_it_for_a_plan() {
        let plan = World::grid(2, 3).plan();
        let points = (0..6).map(|index| plan.experiment.point(index).unwrap()).collect();
        let stand_in = Plan::stand_in(StandIn {
            flow: plan.experiment.flow.clone(),
            margin: plan.experiment.margin.clone(),
            profiles: vec![],
            global_seed: 7,
            digest: plan.digest.clone(),
            unit: None,
            host: HostFacts::default(),
            points,
        });
        assert_eq!(keys(&stand_in.experiment), keys(&plan.experiment));
        assert!(!stand_in.is_intact());
        assert_eq!((stand_in.experiment.sub_runs(), stand_in.experiment.executions()), (6, 0));
    }
}
