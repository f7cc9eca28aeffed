//! Tests of admission: each violation by example, and against a naive check that walks every sub-run and step.

use proptest::prelude::*;

use super::*;
use crate::domain::flow::FlowStep;
use crate::domain::kit::{self, World, adapter, fixed, flow, list, margin, name, param, placed, rail, step};
use crate::domain::margin::RailField::{Frequency, Voltage};
use crate::domain::param::{ParamKind, ParamSpec};
use crate::domain::policy::BoundsInForce;
use crate::domain::table::Table;
use crate::domain::units::{Kilohertz, Microvolts};

fn said(plan: &Plan, bounds: &Bounds) -> Vec<String> {
    match admit(Arc::new(plan.clone()), bounds) {
        Ok(admitted) => {
            assert_eq!((admitted.value().as_ref(), admitted.bounds().as_ref()), (plan, bounds));
            vec![]
        }
        Err(violations) => violations.iter().map(ToString::to_string).collect(),
    }
}

fn check(world: &World, expected: &[&str]) {
    assert_eq!(said(&world.plan(), &kit::bounds(&world.policy).bounds), expected);
}

/// A point of 900 mV at 3 GHz within 850 .. 950 mV and 2.9 .. 3.1 GHz; the adapter takes `params`.
fn world(params: Vec<ParamSpec>) -> World {
    let profile = margin(vec![rail("core", vec![(Voltage, fixed(900_000)), (Frequency, fixed(3_000_000))])]);
    let mut world = World::new(flow(vec![step("s", "a")]), profile, vec![adapter("a", params)]);
    world.policy = kit::policy(&[("core.voltage", 850_000, 950_000), ("core.frequency", 2_900_000, 3_100_000)]);
    world
}

fn set_voltage(world: &mut World, spec: crate::domain::margin::FieldSpec) {
    world.margin.default = vec![rail("core", vec![(Voltage, spec)])];
}

#[test]
fn within_bounds_is_admitted_ends_included() {
    let mut world = world(vec![]);
    check(&world, &[]);
    set_voltage(&mut world, list(&[850_000, 950_000]));
    check(&world, &[]);
}

#[test]
fn rails_outside_or_without_bounds() {
    let mut world = world(vec![]);
    set_voltage(&mut world, list(&[849_999, 900_000, 950_001]));
    check(
        &world,
        &["core.voltage = 849.999mV is outside 850mV .. 950mV", "core.voltage = 950.001mV is outside 850mV .. 950mV"],
    );
    world.margin.default.push(rail("soc", vec![(Frequency, list(&[1, 2]))]));
    world.margin.adapters = vec![(placed(name("a")), vec![rail("core", vec![(Voltage, fixed(1_000_000))])])];
    check(
        &world,
        &[
            "a/core.voltage = 1000mV is outside 850mV .. 950mV (6 sub-runs)",
            "core.voltage = 849.999mV is outside 850mV .. 950mV (2 sub-runs)",
            "core.voltage = 950.001mV is outside 850mV .. 950mV (2 sub-runs)",
            "no policy bounds soc.frequency",
        ],
    );
}

#[test]
fn the_whole_of_the_jitter_must_fit() {
    let mut world = world(vec![]);
    set_voltage(&mut world, list(&[852_000, 949_000]));
    world.margin.jitter = vec![kit::jitter("core.voltage", 1_000, 500)];
    check(&world, &[]);
    world.margin.jitter = vec![kit::jitter("core.voltage", 2_000, 500)];
    check(&world, &["core.voltage = 949mV with jitter of 2mV either way is outside 850mV .. 950mV"]);
    set_voltage(&mut world, fixed(1_000));
    world.policy = kit::policy(&[("core.voltage", 0, 950_000)]);
    check(&world, &["core.voltage = 1mV with jitter of 2mV either way is outside 0mV .. 950mV"]);
}

#[test]
fn parameters_against_the_bound_of_their_name_and_of_their_adapter() {
    let mut world = world(vec![param("size", ParamKind::Int)]);
    world.flow.steps[0].sweep = vec![(name("size"), kit::ints(&[1, 5]))];
    check(&world, &[]);
    let limits = &mut world.policy.limits;
    kit::bound_param(limits, "size", None, Some(ParamValue::Int(4)));
    kit::bound_param(limits, "a.size", Some(ParamValue::Int(2)), None);
    kit::bound_param(limits, "b.size", None, Some(ParamValue::Int(0)));
    check(
        &world,
        &[
            "step s: size = 1 is outside the bound of a.size: at least 2",
            "step s: size = 5 is outside the bound of size: at most 4",
        ],
    );
    let mut typed = self::world(vec![param("size", ParamKind::Float)]);
    kit::bound_param(&mut typed.policy.limits, "size", Some(ParamValue::Int(0)), Some(ParamValue::Int(9)));
    typed.flow.steps[0].params = vec![(name("size"), placed(ParamValue::Text("1".to_owned())))];
    check(&typed, &["step s: size = 1 is outside the bound of size: 0 .. 9"]);
}

#[test]
fn a_voltage_of_its_own_needs_a_bound() {
    let spec = ParamSpec { unit: Some("mV".to_owned()), ..param("vdd", ParamKind::Voltage) };
    let mut world = world(vec![spec]);
    check(&world, &[]);
    world.flow.steps[0].params = vec![(name("vdd"), placed(ParamValue::Voltage(Microvolts(900_000))))];
    check(&world, &["step s: no policy bounds vdd, which sets a voltage or frequency by itself"]);
    let max = Some(ParamValue::Voltage(Microvolts(899_000)));
    kit::bound_param(&mut world.policy.limits, "vdd", None, max);
    check(&world, &["step s: vdd = 900mV is outside the bound of vdd: at most 899mV"]);
}

#[test]
fn a_default_is_judged_only_where_it_is_used() {
    let default = Some(ParamValue::Voltage(Microvolts(5_000_000)));
    let mut world = world(vec![ParamSpec { default, ..kit::from_margin("vcore", "core", Voltage) }]);
    check(&world, &[]);
    let unbounded = "step s: no policy bounds vcore, which sets a voltage or frequency by itself";
    world.margin.default.clear();
    check(&world, &[unbounded]);
    world.margin.recipes = vec![kit::recipe("hot", &[("core.voltage", 900_000)]), kit::recipe("cold", &[])];
    check(&world, &[unbounded]);
    kit::bound_param(&mut world.policy.limits, "vcore", None, Some(ParamValue::Voltage(Microvolts(1_000_000))));
    check(&world, &["step s: vcore = 5000mV is outside the bound of vcore: at most 1000mV"]);
    world.margin.recipes[1] = kit::recipe("cold", &[("a/core.voltage", 850_000)]);
    check(&world, &[]);
}

#[test]
fn bound_parameters_keep_the_bound_that_a_policy_gives_them() {
    let seed = ParamSpec { from: Some(Binding::Seed), ..param("seed", ParamKind::Int) };
    let mut world = world(vec![kit::from_margin("vcore", "core", Voltage), seed]);
    set_voltage(&mut world, list(&[900_000, 880_000]));
    kit::bound_param(&mut world.policy.limits, "vcore", None, Some(ParamValue::Voltage(Microvolts(890_000))));
    check(&world, &["step s: vcore = 900mV is outside the bound of vcore: at most 890mV"]);
    world.policy.limits.params.clear();
    kit::bound_param(&mut world.policy.limits, "a.seed", None, Some(ParamValue::Int(0)));
    let plan = world.plan();
    let sub_run = plan.experiment.sub_run(0).unwrap();
    let drawn = plan.experiment.step(&sub_run, 0, "").unwrap().unwrap().seed;
    check(&world, &[&format!("step s: seed = {drawn} is outside the bound of a.seed: at most 0")]);
}

#[test]
fn counts_and_time_limits() {
    let mut world = World::grid(3, 2);
    let plan = world.plan();
    world.policy.limits.max_subruns = Some(placed(5));
    world.policy.limits.max_step_timeout = Some(placed(Millis(599_999)));
    assert_eq!(
        said(&plan, &kit::bounds(&world.policy).bounds),
        [
            "the plan would have 6 sub-runs, at most 5 are allowed",
            "step cpu-smoke: its time limit of 10m is longer than the allowed 599.999s",
        ]
    );
    let executions = Violation::Executions { count: 7, max: 6 };
    assert_eq!(executions.to_string(), "each sub-run would have 7 executions, at most 6 can be planned");
}

#[test]
fn edited_tables_are_refused() {
    let mut world = World::grid(3, 1);
    world.margin.jitter = vec![kit::jitter("core.voltage", 2_000, 1_000)];
    let bounds = kit::bounds(&world.policy).bounds;
    let plan = world.plan();
    let edited = |offset: i32| {
        let mut plan = plan.clone();
        plan.experiment.offsets = Table::with_capacity(1, 3);
        for offset in [0, offset, 0] {
            assert!(plan.experiment.offsets.push(&[offset]));
        }
        said(&plan, &bounds)
    };
    assert_eq!(edited(-2_000), [""; 0]);
    assert_eq!(edited(-2_001), ["a stored offset of -2.001mV for core.voltage is more than its jitter of 2mV"]);
    assert_eq!(edited(i32::MIN), ["a stored offset of -2147483.648mV for core.voltage is more than its jitter of 2mV"]);
    let mut short = plan.clone();
    short.experiment.points = short.experiment.points.select(&[0]);
    assert_eq!(said(&short, &bounds), ["the plan does not fit together: a table is too short, or a step is missing"]);
    // A rerun of some points has the offsets of those points.
    short.experiment.offsets = short.experiment.offsets.select(&[0]);
    assert_eq!(said(&short, &bounds), [""; 0]);
}

#[test]
fn only_points_that_are_planned_are_judged() {
    let mut world = world(vec![]);
    set_voltage(&mut world, list(&[900_000, 100_000]));
    let mut plan = world.plan();
    let bounds = kit::bounds(&world.policy).bounds;
    assert_eq!(said(&plan, &bounds).len(), 1);
    plan.experiment.points = plan.experiment.points.select(&[0]);
    assert_eq!(said(&plan, &bounds), [""; 0]);
}

#[test]
fn a_stored_plan_lives_within_its_own_bounds_and_todays() {
    let world = world(vec![]);
    let plan = world.plan();
    let with_today = |rails: &[(&str, u64, u64)]| {
        let today = kit::bounds(&kit::policy(rails)).bounds;
        said(&plan, &plan.experiment.bounds.intersect(&today).unwrap())
    };
    let frequency = ("core.frequency", 0, 4_000_000);
    assert_eq!(with_today(&[("core.voltage", 0, 2_000_000), frequency]), [""; 0]);
    assert_eq!(
        with_today(&[("core.voltage", 0, 899_999), frequency]),
        ["core.voltage = 900mV is outside 850mV .. 899.999mV"]
    );
    assert_eq!(with_today(&[("core.voltage", 0, 2_000_000)]), ["no policy bounds core.frequency"]);
    assert_eq!(with_today(&[]), ["no policy bounds core.frequency", "no policy bounds core.voltage"]);
}

/// Every value of every sub-run and step, one after the other, with nothing clever.
fn naive(plan: &Plan, bounds: &Bounds) -> bool {
    let experiment = &plan.experiment;
    let holds = |rail: &Name, field: RailField, low: Option<u64>, high: u64| {
        bounds
            .rails
            .get(rail)
            .and_then(|fields| fields.get(&field))
            .is_some_and(|bound| low.is_some_and(|low| low >= bound.is.min) && high <= bound.is.max)
    };
    for index in 0..experiment.sub_runs() {
        let sub_run = experiment.sub_run(index).unwrap();
        let own = sub_run.point.adapters.iter().map(|(adapter, rails)| (Some(adapter.clone()), rails));
        for (adapter, rails) in std::iter::once((None, &sub_run.point.rails)).chain(own) {
            for (rail, setting) in rails {
                for field in RailField::ALL {
                    let Some(grid) = setting.grid(field) else { continue };
                    let key = FieldKey { adapter: adapter.clone(), rail: rail.clone(), field };
                    let jitter = experiment.jitter.iter().find(|j| j.field == key).map_or(0, |j| j.max);
                    if !holds(rail, field, grid.checked_sub(jitter), grid + jitter) {
                        return false;
                    }
                }
            }
        }
        for execution in 0..experiment.executions() {
            let step = experiment.step(&sub_run, execution, plan.unit_text()).unwrap().unwrap();
            for (param, value) in &step.params {
                let from_point = |argument: &Argument| {
                    matches!(argument, Argument::Bound(b) if b.param == *param && matches!(&b.from,
                        Binding::Margin { rail, field } if step.rails.get(rail).is_some_and(|s| s.grid(*field).is_some())))
                };
                let limits: Vec<_> = bounds
                    .params
                    .iter()
                    .filter(|(key, _)| {
                        key.param == *param && key.adapter.as_ref().is_none_or(|a| *a == step.template.adapter)
                    })
                    .collect();
                let sets_rail = matches!(value, ParamValue::Voltage(_) | ParamValue::Frequency(_));
                if limits.iter().any(|(_, bound)| !bound.is.contains(value))
                    || (sets_rail && limits.is_empty() && !step.combination.argv.iter().any(from_point))
                {
                    return false;
                }
            }
        }
    }
    true
}

fn steps_hold(plan: &Plan, bounds: &Bounds) -> bool {
    let experiment = &plan.experiment;
    (0..experiment.sub_runs()).all(|index| {
        let sub_run = experiment.sub_run(index).unwrap();
        (0..experiment.executions()).all(|execution| {
            let step = experiment.step(&sub_run, execution, plan.unit_text()).unwrap().unwrap();
            admit_step(&step, bounds).is_ok()
        })
    })
}

fn any_field() -> impl Strategy<Value = crate::domain::margin::FieldSpec> {
    let value = 4_i64..11;
    prop_oneof![
        value.clone().prop_map(|v| fixed(v.unsigned_abs() * 1000)),
        proptest::collection::vec(value, 1..4).prop_map(|v| list(&v.iter().map(|v| v * 1000).collect::<Vec<_>>())),
    ]
}

fn any_rails() -> impl Strategy<Value = Vec<crate::domain::margin::RailSpec>> {
    (proptest::option::of(any_field()), proptest::option::of(any_field()), proptest::option::of(any_field())).prop_map(
        |(voltage, frequency, soc)| {
            let core: Vec<_> =
                voltage.map(|v| (Voltage, v)).into_iter().chain(frequency.map(|f| (Frequency, f))).collect();
            let soc = soc.map(|v| rail("soc", vec![(Voltage, v)]));
            std::iter::once(rail("core", core)).chain(soc).collect()
        },
    )
}

fn any_recipes() -> impl Strategy<Value = Vec<Vec<(&'static str, u64)>>> {
    let setting = proptest::sample::select(vec![
        "core.voltage",
        "core.frequency",
        "soc.voltage",
        "a/core.voltage",
        "b/soc.voltage",
    ]);
    let settings = proptest::collection::btree_map(setting, (4_u64..11).prop_map(|v| v * 1000), 0..4);
    proptest::collection::vec(settings.prop_map(|s| s.into_iter().collect()), 1..4)
}

fn any_adapter(of: &'static str) -> impl Strategy<Value = crate::domain::adapter::Adapter> {
    let volts = (4_u64..11).prop_map(|v| ParamValue::Voltage(Microvolts(v * 1000)));
    let (default, own) = (proptest::option::of(volts.clone()), proptest::option::of(volts));
    (default, own, any::<bool>(), any::<bool>()).prop_map(move |(default, own, bound_frequency, seed)| {
        let mut params = vec![ParamSpec { default, ..kit::from_margin("vcore", "core", Voltage) }];
        params.push(ParamSpec { default: own, unit: Some("uV".to_owned()), ..param("vdd", ParamKind::Voltage) });
        if bound_frequency {
            let default = Some(ParamValue::Frequency(Kilohertz(6_000)));
            params.push(ParamSpec { default, ..kit::from_margin("fcore", "core", Frequency) });
        }
        if seed {
            params.push(ParamSpec { from: Some(Binding::Seed), ..param("seed", ParamKind::Int) });
        }
        adapter(of, params)
    })
}

fn any_bounds() -> impl Strategy<Value = BoundsInForce> {
    let rail = |field: &'static str| {
        proptest::option::weighted(0.9, (0_u64..7, 7_u64..13))
            .prop_map(move |b| b.map(|(low, high)| (field, low * 1000, high * 1000)))
    };
    let limit = |param: &'static str| {
        let ends = (proptest::option::of(0_u64..7), proptest::option::of(7_u64..13));
        let volts = |v: u64| ParamValue::Voltage(Microvolts(v * 1000));
        proptest::option::of(ends).prop_map(move |b| b.map(|(low, high)| (param, low.map(volts), high.map(volts))))
    };
    let rails = (rail("core.voltage"), rail("core.frequency"), rail("soc.voltage"));
    let params = (limit("vdd"), limit("a.vdd"), limit("vcore"), limit("b.vcore"), any::<bool>());
    (rails, params).prop_map(|((a, b, c), (p, q, r, s, seeds))| {
        let rails: Vec<_> = [a, b, c].into_iter().flatten().collect();
        let mut policy = kit::policy(&rails);
        for (param, min, max) in [p, q, r, s].into_iter().flatten() {
            kit::bound_param(&mut policy.limits, param, min, max);
        }
        if seeds {
            kit::bound_param(&mut policy.limits, "a.seed", None, Some(ParamValue::Int(1 << 30)));
        }
        kit::bounds(&policy)
    })
}

prop_compose! {
    fn any_world()(
        default in any_rails(),
        own in proptest::option::of(any_rails()),
        recipes in proptest::option::weighted(0.3, any_recipes()),
        adapters in (any_adapter("a"), any_adapter("b")),
        jitter in proptest::option::of((0_u64..3_000, 1_u64..3)),
        two in any::<bool>(),
    ) -> World {
        let mut profile = margin(default);
        profile.adapters = own.map(|rails| (placed(name("a")), rails)).into_iter().collect();
        if let Some(recipes) = recipes {
            profile = margin(vec![rail("core", vec![(Frequency, fixed(6_000))])]);
            profile.recipes = (0..).zip(recipes).map(|(n, r): (usize, _)| kit::recipe(&format!("r{n}"), &r)).collect();
        }
        if let Some((max, step)) = jitter {
            let fields = ["core.voltage", "a/core.voltage"].map(|field| kit::jitter(field, max, step * 1000));
            // Jitter of a field that the profile does not have is a problem, not a violation.
            let has = |key: &FieldKey| key.adapter.is_some()
                || profile.recipes.iter().any(|r| r.settings.iter().any(|(k, _)| k == key))
                || profile.default.iter().any(|r| matches!(&r.shape, crate::domain::margin::RailShape::Fields(fields)
                    if r.rail.value == key.rail && fields.iter().any(|(f, _)| *f == key.field)));
            profile.jitter = fields.into_iter().filter(|(key, _)| has(&key.value)).collect();
        }
        let mut steps: Vec<FlowStep> = vec![step("s", "a")];
        if two {
            steps.push(step("t", "b"));
            steps[0].repeat = 2;
        }
        World::new(flow(steps), profile, vec![adapters.0, adapters.1])
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn admission_agrees_with_walking_every_step(world in any_world(), in_force in any_bounds()) {
        let plan = world.plan();
        let admitted = admit(Arc::new(plan.clone()), &in_force.bounds).is_ok();
        prop_assert_eq!(admitted, naive(&plan, &in_force.bounds));
        if admitted {
            prop_assert!(steps_hold(&plan, &in_force.bounds));
        }
    }

    #[test]
    fn without_jitter_and_overlays_each_step_decides(world in any_world(), in_force in any_bounds()) {
        let mut world = world;
        world.margin.jitter.clear();
        world.margin.adapters.clear();
        world.margin.recipes.iter_mut().for_each(|r| r.settings.retain(|(key, _)| key.adapter.is_none()));
        let plan = world.plan();
        prop_assert_eq!(admit(Arc::new(plan.clone()), &in_force.bounds).is_ok(), steps_hold(&plan, &in_force.bounds));
    }

    #[test]
    fn tighter_bounds_admit_no_more(world in any_world(), one in any_bounds(), other in any_bounds()) {
        let plan = Arc::new(world.plan());
        let admits = |bounds: &Bounds| admit(Arc::clone(&plan), bounds).is_ok();
        let both = one.bounds.intersect(&other.bounds);
        let together = both.as_ref().is_some_and(admits);
        if together {
            // The other's parameter bounds may be what bounds a voltage, so only the rails are compared one by one.
            let mut lent = other.bounds.clone();
            lent.params = both.unwrap().params;
            prop_assert!(admits(&lent));
        }
    }
}
