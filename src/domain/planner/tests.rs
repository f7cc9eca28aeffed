//! Tests of the planner: spaces, orders, jitter, arguments, and what it refuses.

use proptest::prelude::*;

use super::*;
use crate::domain::kit::{self, World, adapter, fixed, flow, list, margin, name, param, placed, rail, range, step};
use crate::domain::margin::RailField::{Frequency, Voltage};
use crate::domain::param::{Binding, Decimal, ParamKind, ParamSpec, ParamValue};
use crate::domain::units::Microvolts;

fn check_points(margin: MarginProfile, expected: &[&str]) {
    assert_eq!(kit::keys(&World::sweeping(margin).experiment()), expected);
}

fn check_argvs(world: &World, expected: &[&str]) {
    assert_eq!(kit::argvs(&world.experiment(), 0, world.unit.as_deref().unwrap_or("")), expected);
}

fn check_problem(world: &World, expected: &str) {
    let said: Vec<String> = world.problems().into_iter().map(|p| p.message).collect();
    assert_eq!(said, [expected]);
}

/// An adapter `a` with that parameter, run once at a point of 900 mV.
fn with_param(spec: ParamSpec) -> World {
    let margin = margin(vec![rail("core", vec![(Voltage, fixed(900_000))])]);
    World::new(flow(vec![step("s", "a")]), margin, vec![adapter("a", vec![spec])])
}

fn with_sweep(sweep: Vec<(&str, crate::domain::flow::ParamSweep)>) -> World {
    let params = vec![param("size", ParamKind::Int), param("pattern", ParamKind::Choice)];
    let mut one = step("s", "a");
    one.sweep = sweep.into_iter().map(|(param, sweep)| (name(param), sweep)).collect();
    World::new(flow(vec![one]), margin(vec![]), vec![adapter("a", params)])
}

#[test]
fn ranges_run_both_ways_and_end_on_a_step() {
    let down = vec![rail("core", vec![(Voltage, range(1_000_000, 935_000, -30_000))])];
    check_points(margin(down), &["core.voltage=1000000", "core.voltage=970000", "core.voltage=940000"]);
    let up = vec![rail("core", vec![(Voltage, range(900_000, 960_000, 30_000))])];
    check_points(margin(up), &["core.voltage=900000", "core.voltage=930000", "core.voltage=960000"]);
    let listed = vec![rail("core", vec![(Voltage, list(&[3, 1, 2]))])];
    let mut world = World::sweeping(margin(listed));
    world.adapter("cpu_smoke").params.clear();
    assert_eq!(kit::keys(&world.experiment()), ["core.voltage=3", "core.voltage=1", "core.voltage=2"]);
}

#[test]
fn axes_multiply_as_written_or_as_ordered() {
    let fields = vec![(Voltage, list(&[2000, 1000])), (Frequency, list(&[5000, 6000]))];
    let mut profile = margin(vec![rail("core", fields), rail("soc", vec![(Voltage, fixed(7000))])]);
    let at = |f: u32, v: u32| format!("core.frequency={f},core.voltage={v},soc.voltage=7000");
    let as_written = [at(5000, 2000), at(6000, 2000), at(5000, 1000), at(6000, 1000)];
    assert_eq!(kit::keys(&World::sweeping(profile.clone()).experiment()), as_written);
    profile.axes = Some(["core.frequency", "core.voltage"].map(|a| placed(a.to_owned())).to_vec());
    let ordered = [at(5000, 2000), at(5000, 1000), at(6000, 2000), at(6000, 1000)];
    let experiment = World::sweeping(profile.clone()).experiment();
    assert_eq!(kit::keys(&experiment), ordered);
    assert_eq!(experiment.stop_line.axis, Some(1));
    profile.axes = Some(vec![placed("core.voltage".to_owned())]);
    check_problem(&World::sweeping(profile.clone()), "`axes` does not name core.frequency, which is swept");
    profile.axes = Some(vec![]);
    check_problem(&World::sweeping(profile), "`axes` does not name core.voltage, which is swept");
}

#[test]
fn pairs_are_one_axis() {
    let avt = margin(vec![kit::pairs("core", &[(1_000_000, 3_400_000), (950_000, 3_200_000)])]);
    check_points(
        avt.clone(),
        &["core.frequency=3400000,core.voltage=1000000", "core.frequency=3200000,core.voltage=950000"],
    );
    assert_eq!(World::sweeping(avt).experiment().axes[0].name, "core");
}

#[test]
fn recipes_are_points_with_names() {
    let mut profile = margin(vec![rail("core", vec![(Frequency, fixed(3_000_000))])]);
    profile.recipes = vec![
        kit::recipe("hot", &[("core.voltage", 1_050_000), ("mem_pattern/mem.voltage", 1_250_000)]),
        kit::recipe("bare", &[]),
    ];
    let mut world = World::sweeping(profile);
    let experiment = world.experiment();
    assert_eq!(kit::keys(&experiment), ["hot", "bare"]);
    assert_eq!(kit::argvs(&experiment, 0, ""), ["--vcore 1050 --fcore 3000"]);
    assert_eq!(kit::argvs(&experiment, 1, ""), ["--fcore 3000"]);
    let used: Vec<String> = experiment.axes[0].columns.keys().map(ToString::to_string).collect();
    assert_eq!(used, ["core.voltage"], "an adapter that the flow does not use has no part in it");
    world.flow.steps.push(step("mem", "mem_pattern"));
    world = World::new(world.flow, world.margin, vec![adapter("cpu_smoke", vec![]), adapter("mem_pattern", vec![])]);
    assert_eq!(world.experiment().axes[0].columns.len(), 2);
}

#[test]
fn an_adapters_axes_multiply_only_where_it_is_used() {
    let mut profile = margin(vec![rail("core", vec![(Voltage, list(&[1000, 2000]))])]);
    profile.adapters = vec![(placed(name("mem_pattern")), vec![rail("mem", vec![(Voltage, list(&[7, 8, 9]))])])];
    let mut world = World::sweeping(profile);
    assert_eq!(world.experiment().sub_runs(), 2);
    world.flow.steps.push(step("mem", "mem_pattern"));
    let adapters = vec![adapter("cpu_smoke", vec![]), adapter("mem_pattern", vec![])];
    let experiment = World::new(world.flow, world.margin, adapters).experiment();
    assert_eq!(experiment.sub_runs(), 6);
    assert_eq!(kit::keys(&experiment)[1], "core.voltage=1000,mem_pattern/mem.voltage=8");
    let sub_run = experiment.sub_run(1).unwrap();
    let rails = |index| experiment.step(&sub_run, index, "").unwrap().unwrap().rails.len();
    assert_eq!((rails(0), rails(1)), (1, 2));
}

#[test]
fn swept_parameters_turn_the_last_key_fastest_and_name_their_combination() {
    let world = with_sweep(vec![("size", kit::ints(&[16, 32])), ("pattern", kit::texts(&["x", "a"]))]);
    check_argvs(
        &world,
        &["--size 16 --pattern x", "--size 16 --pattern a", "--size 32 --pattern x", "--size 32 --pattern a"],
    );
    let keys: Vec<String> = world.experiment().steps[0].combinations.iter().map(|c| c.key.clone()).collect();
    assert_eq!(keys, ["pattern=x,size=16", "pattern=a,size=16", "pattern=x,size=32", "pattern=a,size=32"]);
}

#[test]
fn ranges_of_parameters_are_typed() {
    check_argvs(&with_sweep(vec![("size", kit::param_range(ParamKind::Int, 3, 0, -2, 0))]), &["--size 3", "--size 1"]);
}

#[test]
fn ranges_of_decimals_are_exact() {
    let mut world = with_param(param("load", ParamKind::Float));
    world.flow.steps[0].sweep = vec![(name("load"), kit::param_range(ParamKind::Float, 10, 30, 10, 2))];
    check_argvs(&world, &["--load 0.1", "--load 0.2", "--load 0.3"]);
    let load = name("load");
    assert_eq!(world.experiment().steps[0].combinations[1].params[&load], ParamValue::Float(Decimal::new(2, 1)));
}

#[test]
fn repetitions_have_their_own_seeds() {
    let mut world = with_sweep(vec![("size", kit::ints(&[1, 2]))]);
    world.flow.steps[0].repeat = 3;
    world.adapter("a").params.push(ParamSpec { from: Some(Binding::Seed), ..param("seed", ParamKind::Int) });
    let experiment = world.experiment();
    assert_eq!(experiment.executions(), 6);
    let argvs = kit::argvs(&experiment, 0, "");
    let mut seeds: Vec<&str> = argvs.iter().map(|a| a.rsplit(' ').next().unwrap()).collect();
    assert!(argvs[2].starts_with("--size 1 ") && argvs[3].starts_with("--size 2 "), "{argvs:?}");
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 6);
}

#[test]
fn values_come_from_the_sweep_the_flow_or_the_default() {
    let mut world = with_param(ParamSpec { default: Some(ParamValue::Int(5)), ..param("size", ParamKind::Int) });
    check_argvs(&world, &["--size 5"]);
    world.flow.steps[0].params = vec![(name("size"), placed(ParamValue::Int(6)))];
    check_argvs(&world, &["--size 6"]);
    world.flow.steps[0].sweep = vec![(name("size"), kit::ints(&[7]))];
    check_argvs(&world, &["--size 7"]);
    let needs = with_param(ParamSpec { required: true, ..param("size", ParamKind::Int) });
    check_problem(&needs, "a needs the parameter `size`");
    check_argvs(&with_param(param("size", ParamKind::Int)), &[""]);
}

#[test]
fn a_flow_sets_only_what_is_its_to_set() {
    let mut world = with_param(kit::from_margin("vcore", "core", Voltage));
    world.flow.steps[0].params = vec![(name("vcore"), placed(ParamValue::Voltage(Microvolts(1))))];
    check_problem(&world, "`vcore` has a `from:`, so a flow cannot set it");
    world.flow.steps[0].params = vec![(name("vocre"), placed(ParamValue::Int(1)))];
    check_problem(&world, "a has no parameter `vocre`");
}

#[test]
fn bindings_take_the_point_else_the_default() {
    let spec = kit::from_margin("vcore", "core", Voltage);
    check_argvs(&with_param(spec.clone()), &["--vcore 900"]);
    let other = ParamSpec { from: Some(Binding::Margin { rail: name("soc"), field: Voltage }), ..spec };
    check_argvs(&with_param(other.clone()), &[""]);
    let default = Some(ParamValue::Voltage(Microvolts(800_000)));
    check_argvs(&with_param(ParamSpec { default: default.clone(), ..other.clone() }), &["--vcore 800"]);
    let required = ParamSpec { required: true, ..other.clone() };
    check_problem(&with_param(required), "a needs soc.voltage, which the margin profile does not have at every point");
    check_argvs(&with_param(ParamSpec { required: true, default, ..other }), &["--vcore 800"]);
}

#[test]
fn a_required_binding_holds_at_every_point() {
    let mut world = with_param(ParamSpec { required: true, ..kit::from_margin("vcore", "core", Voltage) });
    world.margin.default.clear();
    world.margin.recipes = vec![kit::recipe("hot", &[("core.voltage", 1_000_000)]), kit::recipe("cold", &[])];
    check_problem(&world, "a needs core.voltage, which the margin profile does not have at every point");
    // Between them, the adapter's own field and everybody's cover both points.
    world.margin.recipes[1] = kit::recipe("cold", &[("a/core.voltage", 900_000)]);
    assert_eq!(kit::argvs(&world.experiment(), 1, ""), ["--vcore 900"]);
}

#[test]
fn bound_values_that_cannot_be_shown_are_refused_before_the_run() {
    let mut world = with_param(kit::from_margin("vcore", "core", Voltage));
    world.margin.default = vec![rail("core", vec![(Voltage, list(&[900_000, 850_500]))])];
    check_problem(&world, "core.voltage cannot be handed to a: 850.5mV is not a whole number of mV");
    world.adapter("a").params[0].decimals = 1;
    assert_eq!(kit::argvs(&world.experiment(), 1, ""), ["--vcore 850.5"]);
    world.margin.jitter = vec![kit::jitter("core.voltage", 100, 50)];
    check_problem(&world, "core.voltage cannot be handed to a: 850.55mV is not a whole number of mV with 1 decimals");
    world.margin.jitter = vec![kit::jitter("core.voltage", 99, 100)];
    assert_eq!(world.experiment().sub_runs(), 2, "a jitter smaller than its step moves nothing");
    let default = Some(ParamValue::Voltage(Microvolts(1)));
    let unused = with_param(ParamSpec { default, ..kit::from_margin("vcore", "core", Voltage) });
    check_problem(&unused, "the default of `vcore`: 0.001mV is not a whole number of mV");
}

#[test]
fn bound_values_stay_in_the_manifests_range_with_their_jitter() {
    let min = Some(ParamValue::Voltage(Microvolts(899_000)));
    let mut world = with_param(ParamSpec { min, ..kit::from_margin("vcore", "core", Voltage) });
    check_argvs(&world, &["--vcore 900"]);
    world.margin.jitter = vec![kit::jitter("core.voltage", 2_500, 2_000)];
    check_problem(&world, "core.voltage = 900mV leaves the range that a gives");
    world.margin.jitter = vec![kit::jitter("core.voltage", 2_500, 3_000)];
    check_argvs(&world, &["--vcore 900"]);
}

#[test]
fn an_adapters_own_field_hides_the_defaults() {
    let mut world = with_param(kit::from_margin("vcore", "core", Voltage));
    world.margin.default = vec![rail("core", vec![(Voltage, fixed(850_500))])];
    world.margin.adapters = vec![(placed(name("a")), vec![rail("core", vec![(Voltage, fixed(851_000))])])];
    check_argvs(&world, &["--vcore 851"]);
}

#[test]
fn the_unit_is_an_argument_like_any_other() {
    let mut world = with_param(ParamSpec { from: Some(Binding::Unit), ..param("unit", ParamKind::String) });
    check_argvs(&world, &[""]);
    world.unit = Some("SN 1".to_owned());
    check_argvs(&world, &["--unit SN 1"]);
    world.unit = Some("-rf".to_owned());
    check_problem(
        &world,
        "the unit's name: a value that begins with `-` needs `allow_leading_dash: true` in the manifest",
    );
    world.unit = None;
    world.adapter("a").params[0].required = true;
    check_problem(&world, "a needs the unit's name: give it with --unit");
    world.adapter("a").params[0].default = Some(ParamValue::Text("nobody".to_owned()));
    check_argvs(&world, &["--unit nobody"]);
}

#[test]
fn the_time_limit_is_the_flows_else_the_adapters_else_ten_minutes() {
    let mut world = with_param(param("size", ParamKind::Int));
    let timeout = |world: &World| world.experiment().steps[0].timeout_ms;
    assert_eq!(timeout(&world), Millis(600_000));
    world.adapter("a").timeout = Some(placed(Millis(60_000)));
    assert_eq!(timeout(&world), Millis(60_000));
    world.flow.steps[0].timeout = Some(placed(Millis(30_000)));
    assert_eq!(timeout(&world), Millis(30_000));
    assert_eq!(longest(&world.experiment()), Millis(30_000));
}

#[test]
fn unknown_adapters_executables_and_fields_are_problems() {
    let mut world = with_param(param("size", ParamKind::Int));
    world.flow.steps[0].adapter = placed(name("b"));
    check_problem(&world, "unknown adapter `b`");
    let mut world = with_param(param("size", ParamKind::Int));
    world.executables.clear();
    check_problem(&world, "no executable `diags/a.sh`");
    let mut world = World::grid(2, 2);
    world.margin.jitter = vec![kit::jitter("soc.voltage", 1, 1)];
    check_problem(&world, "the profile has no soc.voltage to jitter");
    world.margin.jitter = vec![kit::jitter("core.voltage", 1 << 32, 1 << 31)];
    assert!(world.problems().iter().any(|p| p.message.starts_with("a jitter of more than")));
    let mut world = World::grid(2, 2);
    world.margin.stop_line.axis = Some(placed("soc.voltage".to_owned()));
    check_problem(&world, "nothing sweeps soc.voltage");
    world.margin.stop_line.axis = Some(placed("core.frequency".to_owned()));
    assert_eq!(world.experiment().stop_line.axis, Some(0));
}

#[test]
fn too_many_are_counted_and_never_made() {
    let check = |world: &World, expected: Violation| {
        assert_eq!(world.try_plan().err(), Some(PlanError::TooMany(Box::new(expected))));
    };
    let huge = |fields: usize| {
        let names = ["core", "mem", "soc", "a", "b", "c", "d"];
        let rails = names[..fields].iter().map(|r| rail(r, vec![(Voltage, range(0, 999_999_999_999, 1))]));
        World::sweeping(margin(rails.collect()))
    };
    let max = 1_000_000;
    check(&huge(1), Violation::SubRuns { count: 1_000_000_000_000, max });
    check(&huge(2), Violation::SubRuns { count: 1_000_000_000_000_000_000_000_000, max });
    check(&huge(7), Violation::SubRuns { count: u128::MAX, max });
    let mut unbounded = huge(1);
    unbounded.policy.limits.max_subruns = Some(placed(u64::MAX));
    check(&unbounded, Violation::SubRuns { count: 1_000_000_000_000, max: MAX_SUBRUNS });
    let mut steps = with_sweep(vec![("size", kit::param_range(ParamKind::Int, 1, 1_000_000_000_000, 1, 0))]);
    steps.flow.steps[0].repeat = 2;
    check(&steps, Violation::Executions { count: 2_000_000_000_000, max: MAX_EXECUTIONS });
    steps.flow.steps[0].repeat = 0;
    check(&steps, Violation::Executions { count: 1_000_000_000_000, max: MAX_EXECUTIONS });
}

#[test]
fn a_hundred_thousand_points_are_no_matter() {
    let plan = World::grid(1_000, 100).plan();
    assert_eq!(plan.experiment.sub_runs(), 100_000);
    assert_eq!(plan.experiment.point(99_999).unwrap().key(), "core.frequency=3099000,core.voltage=1000");
    assert!(plan.is_intact() && plan.experiment.is_sound());
}

#[test]
fn shuffled_points_are_pinned() {
    let mut world = World::grid(5, 1);
    world.margin.order = Order::Shuffled;
    let order: Vec<u32> = world.experiment().points.iter().map(|row| row[1]).collect();
    assert_eq!(order, [1, 2, 3, 0, 4]);
    world.seed += 1;
    let other: Vec<u32> = world.experiment().points.iter().map(|row| row[1]).collect();
    assert_ne!(other, order);
}

/// A profile over as many fields as `lengths`, each with so many values; names in an order of their own.
fn space(lengths: &[usize], order: Order) -> World {
    let names = ["core", "mem", "soc", "x"];
    let values: Vec<Vec<i64>> =
        lengths.iter().map(|n| (0..*n).map(|v| i64::try_from(v).unwrap() * 1000).collect()).collect();
    let rails = names.iter().zip(&values).map(|(r, values)| rail(r, vec![(Voltage, list(values))]));
    let mut profile = margin(rails.collect());
    profile.order = order;
    World::sweeping(profile)
}

fn lengths() -> impl Strategy<Value = Vec<usize>> {
    proptest::collection::vec(1_usize..6, 1..5)
}

proptest! {
    #[test]
    fn snake_moves_one_axis_by_one(lengths in lengths()) {
        let experiment = space(&lengths, Order::Snake).experiment();
        let rows: Vec<&[u32]> = experiment.points.iter().collect();
        prop_assert_eq!(rows.len(), lengths.iter().product::<usize>());
        for pair in rows.windows(2) {
            let moved: u32 = pair[0].iter().zip(pair[1]).map(|(a, b)| a.abs_diff(*b)).sum();
            prop_assert_eq!(moved, 1, "{:?}", pair);
        }
    }

    #[test]
    fn every_order_visits_the_same_points(lengths in lengths(), seed in 1_u32..1000) {
        let rows = |order| {
            let mut world = space(&lengths, order);
            world.seed = seed;
            let experiment = world.experiment();
            let mut rows: Vec<Vec<u32>> = experiment.points.iter().map(<[u32]>::to_vec).collect();
            let raster = rows.clone();
            rows.sort();
            (raster, rows)
        };
        let (raster, sorted) = rows(Order::Raster);
        prop_assert_eq!(&raster, &sorted, "raster is the order of the rows themselves");
        prop_assert_eq!(&rows(Order::Snake).1, &sorted);
        prop_assert_eq!(&rows(Order::Shuffled).1, &sorted);
    }

    #[test]
    fn jitter_stays_in_its_band_and_on_its_grid(max in 0_u64..5_000, step in 1_u64..1_500, seed in 1_u32..1000) {
        let mut world = World::grid(7, 2);
        world.seed = seed;
        world.adapter("cpu_smoke").params.clear();
        world.margin.jitter = vec![kit::jitter("core.voltage", max, step)];
        let experiment = world.experiment();
        for index in 0..experiment.sub_runs() {
            let core = experiment.point(index).unwrap().rails[&name("core")];
            let offset = core.commanded(Voltage).unwrap().abs_diff(core.grid(Voltage).unwrap());
            prop_assert!(offset <= max && offset.is_multiple_of(step));
            prop_assert_eq!(core.commanded(Frequency), core.grid(Frequency));
        }
    }

    #[test]
    fn seeds_and_jitter_of_a_point_do_not_depend_on_the_others(keep in proptest::collection::btree_set(0_i64..12, 1..12)) {
        let world = |voltages: Vec<i64>, order| {
            let voltages: Vec<i64> = voltages.into_iter().map(|v| 900_000 + v * 10_000).collect();
            let mut profile = margin(vec![rail("core", vec![(Voltage, list(&voltages))])]);
            profile.jitter = vec![kit::jitter("core.voltage", 3_000, 1_000)];
            profile.order = order;
            World::sweeping(profile).experiment()
        };
        let told = |experiment: &Experiment| -> BTreeMap<String, (Seed, Seed, Vec<String>)> {
            (0..experiment.sub_runs())
                .map(|index| {
                    let sub_run = experiment.sub_run(index).unwrap();
                    let step = experiment.step(&sub_run, 0, "").unwrap().unwrap();
                    (sub_run.key.clone(), (sub_run.seed, step.seed, step.argv))
                })
                .collect()
        };
        let all = told(&world((0..12).collect(), Order::Raster));
        let some = told(&world(keep.iter().copied().collect(), Order::Shuffled));
        prop_assert_eq!(some.len(), keep.len());
        for (key, value) in &some {
            prop_assert_eq!(all.get(key), Some(value));
        }
    }
}
