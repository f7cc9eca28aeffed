//! Which sub-runs of a plan lie outside the bounds, for a grid that shows what a plan would be. Judged with the very
//! functions that admit; costs a look-up a point, and a step more where a policy limits parameters bound to the point.

use std::collections::BTreeSet;

use super::{default_in_use, field_value, limited_arguments, params};
use crate::domain::margin::FieldKey;
use crate::domain::param::Binding;
use crate::domain::plan::{Argument, Experiment, Plan};
use crate::domain::policy::Bounds;

/// For each sub-run whether one of its values with its jitter, or a parameter of the flow, leaves the bounds. Empty when
/// none does: then [`super::admit`] finds no rail and no parameter to refuse either, and the other way round.
pub fn outside(plan: &Plan, bounds: &Bounds) -> Vec<bool> {
    let experiment = &plan.experiment;
    let count = experiment.sub_runs() as usize;
    if !experiment.is_sound() {
        // What it would do cannot be told of any of them.
        return vec![true; count];
    }
    if is_everywhere_outside(plan, bounds) {
        return vec![true; count];
    }
    let mut outside = vec![false; count];
    rails(experiment, bounds, &mut outside);
    defaults(plan, bounds, &mut outside);
    bound_params(plan, bounds, &mut outside);
    if outside.contains(&true) { outside } else { vec![] }
}

/// What no point changes: fixed fields, and parameters that stand in the flow.
fn is_everywhere_outside(plan: &Plan, bounds: &Bounds) -> bool {
    let experiment = &plan.experiment;
    let mut violations = vec![];
    for (key, value) in &experiment.fixed {
        field_value(key, *value, jitter(experiment, key), 1, bounds, &mut violations);
    }
    for step in &experiment.steps {
        for combination in &step.combinations {
            params(&step.name, &step.adapter, &combination.params, &BTreeSet::new(), bounds, &mut violations);
        }
    }
    !violations.is_empty()
}

fn jitter(experiment: &Experiment, key: &FieldKey) -> u64 {
    experiment.jitter.iter().find(|j| j.field == *key).map_or(0, |j| j.max)
}

/// Points at a position of an axis that sets a value outside, and those with an offset beyond their jitter.
fn rails(experiment: &Experiment, bounds: &Bounds, outside: &mut [bool]) {
    let mut flags: Vec<Vec<bool>> = vec![];
    for axis in &experiment.axes {
        let mut of_axis = vec![false; axis.len()];
        for (key, values) in &axis.columns {
            let jitter = jitter(experiment, key);
            for (flag, value) in of_axis.iter_mut().zip(values) {
                let Some(value) = value else { continue };
                let mut violations = vec![];
                field_value(key, *value, jitter, 1, bounds, &mut violations);
                *flag |= !violations.is_empty();
            }
        }
        flags.push(of_axis);
    }
    for (point, outside) in experiment.points.iter().zip(outside.iter_mut()) {
        *outside |= flags.iter().zip(point).any(|(flags, at)| flags.get(*at as usize).copied().unwrap_or(true));
    }
    for (offsets, outside) in experiment.offsets.iter().zip(outside.iter_mut()) {
        let mut declared = experiment.jitter.iter().zip(offsets);
        *outside |= declared.any(|(jitter, offset)| u64::from(offset.unsigned_abs()) > jitter.max);
    }
}

/// Points that leave a parameter to its default, where the default is outside.
fn defaults(plan: &Plan, bounds: &Bounds, outside: &mut [bool]) {
    let experiment = &plan.experiment;
    for step in &experiment.steps {
        for argument in step.combinations.iter().flat_map(|combination| &combination.argv) {
            let (Argument::Bound(bound), Some(default)) = (argument, default_in_use(argument, step, plan)) else {
                continue;
            };
            let mut violations = vec![];
            params(&step.name, &step.adapter, &default, &BTreeSet::new(), bounds, &mut violations);
            if violations.is_empty() {
                continue;
            }
            let Binding::Margin { .. } = &bound.from else {
                outside.fill(true);
                return;
            };
            let mut used = false;
            for (index, outside) in (0..).zip(outside.iter_mut()) {
                let rails = experiment.point(index).unwrap_or_default().seen_by(&step.adapter);
                let is_used = !bound.is_held_by(&rails);
                *outside |= is_used;
                used |= is_used;
            }
            if !used {
                // Admission judges by the axes, whichever of their positions a plan still has.
                outside.fill(true);
                return;
            }
        }
    }
}

/// Points whose own value of a bound parameter is outside what a policy allows it.
fn bound_params(plan: &Plan, bounds: &Bounds, outside: &mut [bool]) {
    let limited = limited_arguments(&plan.experiment, bounds);
    if limited.is_empty() {
        return;
    }
    for (index, outside) in (0..).zip(outside.iter_mut()).filter(|(_, outside)| !**outside) {
        let Some(sub_run) = plan.experiment.sub_run(index) else { continue };
        let mut violations = vec![];
        *outside = limited.iter().any(|argument| argument.judge(plan, &sub_run, bounds, &mut violations));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::admission::{Violation, admit};
    use crate::domain::kit::{self, World, adapter, fixed, flow, list, margin, name, param, placed, rail, step};
    use crate::domain::margin::RailField::{Frequency, Voltage};
    use crate::domain::param::{ParamKind, ParamSpec, ParamValue};
    use crate::domain::units::Microvolts;

    /// A character a sub-run: `#` outside, `.` inside; nothing where none is outside.
    fn drawn(world: &World) -> String {
        let outside = outside(&world.plan(), &kit::bounds(&world.policy).bounds);
        outside.iter().map(|outside| if *outside { '#' } else { '.' }).collect()
    }

    fn check(world: &World, expected: &str) {
        assert_eq!(drawn(world), expected);
    }

    fn world(params: Vec<ParamSpec>) -> World {
        let swept = vec![(Voltage, list(&[800_000, 900_000, 1_000_000])), (Frequency, list(&[3_000_000, 4_000_000]))];
        let profile = margin(vec![rail("core", swept)]);
        let mut world = World::new(flow(vec![step("s", "a")]), profile, vec![adapter("a", params)]);
        world.policy = kit::policy(&[("core.voltage", 800_000, 1_000_000), ("core.frequency", 0, 4_000_000)]);
        world
    }

    #[test]
    fn values_and_their_jitter() {
        let mut world = world(vec![]);
        check(&world, "");
        world.margin.jitter = vec![kit::jitter("core.voltage", 1_000, 500)];
        check(&world, "##..##");
        world.margin.jitter.clear();
        world.policy = kit::policy(&[("core.voltage", 850_000, 1_000_000), ("core.frequency", 0, 3_000_000)]);
        check(&world, "##.#.#");
        world.policy = kit::policy(&[("core.voltage", 850_000, 1_000_000)]);
        check(&world, "######");
        world.margin.default = vec![rail("core", vec![(Voltage, list(&[900_000, 1])), (Frequency, fixed(1))])];
        check(&world, "##");
    }

    #[test]
    fn parameters_that_the_point_changes_and_those_that_it_does_not() {
        let mut bound = world(vec![kit::from_margin("vcore", "core", Voltage)]);
        kit::bound_param(&mut bound.policy.limits, "vcore", None, Some(ParamValue::Voltage(Microvolts(950_000))));
        check(&bound, "....##");
        let mut fixed = world(vec![param("size", ParamKind::Int)]);
        kit::bound_param(&mut fixed.policy.limits, "size", None, Some(ParamValue::Int(4)));
        fixed.flow.steps[0].params = vec![(name("size"), placed(ParamValue::Int(5)))];
        check(&fixed, "######");
    }

    #[test]
    fn a_default_counts_where_it_is_used() {
        let default = Some(ParamValue::Voltage(Microvolts(5_000_000)));
        let mut world = world(vec![ParamSpec { default, ..kit::from_margin("vcore", "core", Voltage) }]);
        check(&world, "");
        world.margin.default.clear();
        check(&world, "#");
        world.margin.recipes = vec![kit::recipe("hot", &[("core.voltage", 900_000)]), kit::recipe("cold", &[])];
        check(&world, ".#");
    }

    fn concerns_points(violation: &Violation) -> bool {
        matches!(
            violation,
            Violation::Unsound
                | Violation::Offset { .. }
                | Violation::Rail { .. }
                | Violation::Unbounded { .. }
                | Violation::Param { .. }
                | Violation::UnboundedParam { .. }
        )
    }

    proptest! {
        #[test]
        fn a_cell_is_outside_exactly_when_admission_refuses(
            voltages in proptest::collection::vec(1_i64..40, 1..5),
            own in proptest::option::of(1_i64..40),
            recipes in proptest::collection::vec(proptest::option::of(1_u64..40), 0..4),
            jitter in 0_u64..4,
            low in 0_u64..20, high in 20_u64..45,
            of_param in proptest::option::of(10_u64..40),
            size in 0_i64..8,
            default in proptest::option::of(1_u64..40),
            kept in proptest::collection::vec(any::<bool>(), 5),
        ) {
            let mv = |millivolts: u64| ParamValue::Voltage(Microvolts(millivolts * 1000));
            let voltages: Vec<i64> = voltages.iter().map(|v| v * 1000).collect();
            let default = default.map(mv);
            let params = vec![
                ParamSpec { default, ..kit::from_margin("vcore", "core", Voltage) },
                param("size", ParamKind::Int),
            ];
            let profile = margin(if recipes.is_empty() { vec![rail("core", vec![(Voltage, list(&voltages))])] } else { vec![] });
            let mut world = World::new(flow(vec![step("s", "a"), step("t", "a")]), profile, vec![adapter("a", params)]);
            for (index, recipe) in recipes.iter().enumerate() {
                let settings: Vec<(&str, u64)> = recipe.iter().map(|value| ("core.voltage", *value * 1000)).collect();
                world.margin.recipes.push(kit::recipe(&format!("r{index}"), &settings));
            }
            if let Some(own) = own {
                world.margin.adapters = vec![(placed(name("a")), vec![rail("soc", vec![(Voltage, list(&[own * 1000, 20_000]))])])];
            }
            if jitter > 0 && recipes.is_empty() {
                world.margin.jitter = vec![kit::jitter("core.voltage", jitter * 1000, 1000)];
            }
            world.flow.steps[1].params = vec![(name("size"), placed(ParamValue::Int(size)))];
            world.policy = kit::policy(&["core.voltage", "soc.voltage"].map(|field| (field, low * 1000, high * 1000)));
            kit::bound_param(&mut world.policy.limits, "size", None, Some(ParamValue::Int(6)));
            if let Some(most) = of_param {
                kit::bound_param(&mut world.policy.limits, "vcore", None, Some(mv(most)));
            }
            let mut plan = world.plan();
            // As a rerun of some points has it.
            let some: Vec<u32> = (0..plan.experiment.sub_runs()).filter(|i| kept[*i as usize % kept.len()]).collect();
            if !some.is_empty() {
                plan.experiment.points = plan.experiment.points.select(&some);
                if plan.experiment.offsets.rows() > 0 {
                    plan.experiment.offsets = plan.experiment.offsets.select(&some);
                }
            }
            let bounds = kit::bounds(&world.policy).bounds;
            let outside = outside(&plan, &bounds);
            prop_assert!(outside.is_empty() || outside.len() == plan.experiment.sub_runs() as usize);
            let refused = admit(Arc::new(plan.clone()), &bounds).err().unwrap_or_default().iter().any(concerns_points);
            prop_assert_eq!(outside.contains(&true), refused);
            // Each point alone is outside exactly when it is so among the others, but for a default that axes decide on.
            if recipes.is_empty() {
                for (index, is_outside) in (0..).zip(&outside) {
                    let mut alone = plan.clone();
                    alone.experiment.points = plan.experiment.points.select(&[index]);
                    if plan.experiment.offsets.rows() > 0 {
                        alone.experiment.offsets = plan.experiment.offsets.select(&[index]);
                    }
                    prop_assert_eq!(admit(Arc::new(alone), &bounds).is_err(), *is_outside, "{}", index);
                }
            }
        }
    }
}
