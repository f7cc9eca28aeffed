//! Tests of the frozen plan: its digest, that it reads back as written, and that damage shows.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::domain::kit::{self, World, adapter, flow, list, margin, name, param, placed, rail, step};
use crate::domain::param::ParamKind;

/// A plan with something in every field: two axes, jitter, sweeps, bindings, repetitions.
fn world() -> World {
    let mut profile = margin(vec![rail(
        "core",
        vec![(RailField::Frequency, list(&[3_000_000, 3_200_000])), (RailField::Voltage, list(&[900_000, 850_000]))],
    )]);
    profile.jitter = vec![kit::jitter("core.voltage", 2_000, 1_000)];
    profile.nominal = vec![(name("core"), Nominal { voltage: Some(Microvolts(1_000_000)), frequency: None })];
    let mut smoke = step("cpu-smoke", "cpu_smoke");
    smoke.sweep = vec![(name("size"), kit::ints(&[16, 32])), (name("pattern"), kit::texts(&["ä\"\\", "b"]))];
    smoke.repeat = 2;
    let params = vec![
        param("size", ParamKind::Int),
        param("pattern", ParamKind::Choice),
        kit::from_margin("vcore", "core", RailField::Voltage),
        ParamSpec { from: Some(Binding::Seed), ..param("seed", ParamKind::Int) },
        ParamSpec { from: Some(Binding::Unit), ..param("unit", ParamKind::String) },
    ];
    let mut program = adapter("cpu_smoke", params);
    program.args = vec!["--quiet".to_owned()];
    program.env = BTreeMap::from([("OMP_NUM_THREADS".to_owned(), "1".to_owned())]);
    program.restore = vec![placed("diags/restore.sh".to_owned())];
    World::new(flow(vec![smoke]), profile, vec![program])
}

/// JSON with sorted keys and no white space, written by hand.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for (position, key) in keys.into_iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(key).unwrap());
                out.push(':');
                canonical(&map[key], out);
            }
            out.push('}');
        }
        plain => out.push_str(&serde_json::to_string(plain).unwrap()),
    }
}

fn slow_digest(experiment: &Experiment) -> String {
    let mut text = String::new();
    canonical(&serde_json::to_value(experiment).unwrap(), &mut text);
    Sha256::digest(text.as_bytes())
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|d| char::from_digit(d.into(), 16))
        .collect()
}

#[test]
fn the_digest_is_over_the_canonical_json() {
    for world in [world(), World::grid(1, 1), World::sweeping(margin(vec![])), World::grid(30, 7)] {
        let experiment = world.experiment();
        assert_eq!(experiment.digest().unwrap(), slow_digest(&experiment));
    }
}

#[test]
fn the_digest_is_pinned() {
    insta::assert_snapshot!(World::grid(2, 2).experiment().digest().unwrap(), @"d9eef4a0cff8aff6870af6529bfb0b78d9b9f95275de50c22b39d590555133bd");
}

#[test]
fn the_same_ingredients_give_the_same_digest_and_others_another() {
    let digest = |change: &dyn Fn(&mut World)| {
        let mut world = world();
        change(&mut world);
        world.plan().digest
    };
    let same = digest(&|_| {});
    assert_eq!(digest(&|_| {}), same);
    assert_eq!(digest(&|w| w.unit = Some("SN1".to_owned())), same, "the unit is no part of it");
    let check = |what: &str, change: &dyn Fn(&mut World)| assert_ne!(digest(change), same, "{what}");
    check("seed", &|w| w.seed += 1);
    check("flow's value", &|w| w.flow.steps[0].sweep[0].1 = kit::ints(&[16, 33]));
    check("flow's repetitions", &|w| w.flow.steps[0].repeat = 3);
    check("margin's value", &|w| w.margin.default = vec![rail("core", vec![(RailField::Voltage, list(&[900_000]))])]);
    check("order", &|w| w.margin.order = Order::Snake);
    check("jitter", &|w| w.margin.jitter.clear());
    check("argument", &|w| w.adapter("cpu_smoke").args.push("-x".to_owned()));
    check("environment", &|w| w.adapter("cpu_smoke").env.clear());
    check("a program's content", &|w| w.executables.values_mut().for_each(|e| e.sha256.push('0')));
    check("a bound", &|w| {
        let key = (name("core"), RailField::Voltage);
        w.policy.limits.rails.get_mut(&key).unwrap().value.max -= 1;
    });
    check("a limit", &|w| w.policy.limits.max_subruns = Some(placed(999)));
}

#[test]
fn host_unit_and_found_paths_are_beside_the_digest() {
    let experiment = world().experiment();
    let host = HostFacts { hostname: Some("rig7".to_owned()), ..HostFacts::default() };
    let found = BTreeMap::from([("stress-ng".to_owned(), "/usr/bin/stress-ng".to_owned())]);
    let here = Plan::freeze(experiment.clone(), Some("SN1".to_owned()), host, found).unwrap();
    let there = Plan::freeze(experiment, None, HostFacts::default(), BTreeMap::new()).unwrap();
    assert_eq!(here.digest, there.digest);
    assert!(here.is_intact() && there.is_intact());
    assert_eq!(here.short_digest(), &here.digest[..6]);
}

#[test]
fn a_plan_reads_back_as_it_was_written() {
    for world in [world(), World::grid(3, 2), World::sweeping(margin(vec![]))] {
        let plan = world.plan();
        let text = serde_json::to_string_pretty(&plan).unwrap();
        let read: Plan = serde_json::from_str(&text).unwrap();
        assert_eq!(read, plan);
        assert_eq!(serde_json::to_string_pretty(&read).unwrap(), text);
        assert!(read.is_intact() && read.experiment.is_sound());
    }
    let mut unknown = serde_json::to_value(world().plan()).unwrap();
    unknown["experiment"]["surprise"] = Value::Null;
    assert!(serde_json::from_value::<Plan>(unknown).is_err(), "an unknown key would be outside of the digest");
}

/// Every leaf of the experiment is under the digest: changing any one shows, or the plan no longer reads.
#[test]
fn tampering_shows() {
    fn leaves(value: &Value, path: &str, out: &mut Vec<String>) {
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, v)| leaves(v, &format!("{path}/{at}"), out));
            }
            Value::Object(map) => map.iter().for_each(|(key, v)| {
                leaves(v, &format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), out);
            }),
            _ => out.push(path.to_owned()),
        }
    }
    let whole = serde_json::to_value(world().plan()).unwrap();
    let mut paths = vec![];
    leaves(&whole["experiment"], "/experiment", &mut paths);
    assert!(paths.len() > 100, "{}", paths.len());
    for path in paths {
        let mut edited = whole.clone();
        let leaf = edited.pointer_mut(&path).unwrap();
        *leaf = match leaf {
            Value::Number(n) => Value::from(n.as_i64().unwrap() + 1),
            Value::String(text) => Value::from(format!("{text}1")),
            Value::Bool(on) => Value::from(!*on),
            _ => Value::from(1),
        };
        let intact = serde_json::from_value::<Plan>(edited).is_ok_and(|plan| plan.is_intact());
        assert!(!intact, "{path}");
    }
}

#[test]
fn tables_that_do_not_fit_are_unsound() {
    let sound = world().experiment();
    assert!(sound.is_sound());
    let check = |what: &str, change: &dyn Fn(&mut Experiment)| {
        let mut experiment = sound.clone();
        change(&mut experiment);
        assert!(!experiment.is_sound(), "{what}");
    };
    let table = |rows: &[&[u32]]| {
        let mut table = Table::with_capacity(rows[0].len(), rows.len());
        for row in rows {
            assert!(table.push(row));
        }
        table
    };
    check("no points", &|e| e.points = Table::with_capacity(2, 0));
    check("a narrow row", &|e| e.points = table(&[&[0], &[0], &[0], &[0]]));
    check("a wide row", &|e| e.points = table(&[&[0_u32, 0, 0][..]; 4]));
    check("a position beyond its axis", &|e| e.points = table(&[&[0, 0], &[0, 1], &[1, 0], &[1, 2]]));
    check("no offsets", &|e| e.offsets = Table::default());
    check("offsets of fewer points", &|e| e.offsets = e.offsets.select(&[0, 1, 2]));
    check("a jitter without a column", &|e| e.jitter.push(e.jitter[0].clone()));
    check("no repetition", &|e| e.steps[0].repeat = 0);
    check("more executions than can be", &|e| e.steps[0].repeat = u32::MAX);
    check("no combination", &|e| e.steps[0].combinations.clear());
    check("no such adapter", &|e| e.adapters.clear());
    check("no such axis to stop along", &|e| e.stop_line.axis = Some(2));
    check("an axis without values", &|e| e.axes[0].columns.clear());
    check("columns of unequal length", &|e| {
        e.axes[0].columns.insert(kit::key("soc.voltage"), vec![Some(1)]);
    });
    check("labels that do not count", &|e| e.axes[0].labels.push(name("hot")));
}

#[test]
fn executions_are_located_in_order() {
    let experiment = world().experiment();
    let told: Vec<String> = (0..=experiment.executions())
        .map(|index| {
            experiment.locate(index).map_or("none".to_owned(), |(s, c, r)| format!("{} {} {r}", s.name, c.key))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    cpu-smoke pattern=ä"\,size=16 0
    cpu-smoke pattern=ä"\,size=16 1
    cpu-smoke pattern=b,size=16 0
    cpu-smoke pattern=b,size=16 1
    cpu-smoke pattern=ä"\,size=32 0
    cpu-smoke pattern=ä"\,size=32 1
    cpu-smoke pattern=b,size=32 0
    cpu-smoke pattern=b,size=32 1
    none
    "#);
}

#[test]
fn an_execution_is_made_whole() {
    let experiment = world().experiment();
    let sub_run = experiment.sub_run(1).unwrap();
    let step = experiment.step(&sub_run, 3, "SN1").unwrap().unwrap();
    let millivolts = step.rails[&name("core")].commanded(RailField::Voltage).unwrap() / 1000;
    let pattern = "ä\"\\";
    let expected = ["--quiet", "--size", "16", "--pattern", "b", "--vcore", &millivolts.to_string()];
    assert_eq!(step.argv[..7], expected);
    assert_eq!(step.argv[7..], ["--seed", &step.seed.to_string(), "--unit", "SN1"]);
    assert_eq!(experiment.steps[0].combinations[0].params[&name("pattern")], ParamValue::Text(pattern.to_owned()));
    let purpose = SeedPurpose {
        global: 20_250_101,
        point: "core.frequency=3000000,core.voltage=850000",
        step: "cpu-smoke",
        combination: "pattern=b,size=16",
        repetition: Some(1),
    };
    assert_eq!(step.seed, purpose.seed());
    let applied: Vec<String> = step.applied.iter().map(|(field, by)| format!("{field} {by:?}")).collect();
    assert_eq!(applied, ["core.frequency None", "core.voltage Adapter"]);
    assert_eq!(experiment.step(&sub_run, 8, "").map(|s| s.is_ok()), None);
    assert_eq!(experiment.sub_run(4), None);
}

#[test]
fn swept_fields_are_those_that_an_adapter_sees() {
    let mut profile = margin(vec![rail("core", vec![(RailField::Voltage, list(&[1, 2]))])]);
    let own = |adapter: &str, spec| (placed(name(adapter)), vec![rail("core", vec![(RailField::Voltage, spec)])]);
    profile.adapters = vec![own("a", kit::fixed(5)), own("b", list(&[6, 7]))];
    let steps = vec![step("s", "a"), step("t", "b"), step("u", "c")];
    let adapters = ["a", "b", "c"].map(|a| adapter(a, vec![])).to_vec();
    let experiment = World::new(flow(steps), profile, adapters).experiment();
    let check = |adapter: &str, expected: &[&str]| assert_eq!(experiment.swept_fields(&name(adapter)), expected);
    check("a", &[]);
    check("b", &["core.voltage"]);
    check("c", &["core.voltage"]);
}
