//! What the documents under test are held against: the shipped manifests, a flow, a margin and a policy that use them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use road_runner::domain::admission::{self, admit_step};
use road_runner::domain::bounds;
use road_runner::domain::flow::{Flow, FlowStep};
use road_runner::domain::host::HostFacts;
use road_runner::domain::margin::{MarginProfile, RailField};
use road_runner::domain::plan::{Executable, Experiment, InputFile, Plan};
use road_runner::domain::planner::{self, Ingredients, PlanError};
use road_runner::domain::policy::{Bounds, BoundsInForce, SafetyPolicy};
use road_runner::domain::problem::Problem;
use road_runner::input::adapter::{self, Adapters, Manifest};
use road_runner::input::catalogue::document;
use road_runner::input::doc::Doc;
use road_runner::input::problem::Problems;
use road_runner::input::samples::SAMPLES;
use road_runner::input::source::{Source, Sources};
use road_runner::input::yaml::Node;
use road_runner::input::{flow, margin, policy};

use super::told;

const FLOW: &str = "name: fixture
steps:
  - { name: smoke, adapter: cpu_smoke, params: { iterations: 100 }, timeout: 1s }
  - name: pattern
    adapter: mem_pattern
    sweep: { size_mb: [16, 32] }
    repeat: 2
    pass_rule: { at_least: 1 }
  - { name: probe, adapter: sim_dut, params: { source: sim_rail }, optional: true, on_failure: stop_subrun }
";

const MARGIN: &str = "name: fixture
global_seed: 7
default:
  sim: { voltage: { from: 1V, to: 900mV, step: -50mV }, frequency: [3GHz, 3.2GHz] }
  core: { voltage: 950mV }
jitter: { core.voltage: { max: 2mV, step: 1mV } }
";

const POLICY: &str = "name: fixture
controllers: [sim_rail]
limits:
  core: { voltage: { min: 0.5V, max: 1.5V }, frequency: { min: 100MHz, max: 9GHz } }
  mem: { voltage: { min: 0.5V, max: 1.5V }, frequency: { min: 100MHz, max: 9GHz } }
  sim: { voltage: { min: 600mV, max: 1200mV }, frequency: { min: 1.0GHz, max: 5.0GHz } }
  dut: { voltage: { min: 600mV, max: 1200mV }, frequency: { min: 1.0GHz, max: 5.0GHz } }
  bram: { voltage: { min: 500mV, max: 1050mV } }
params: { size_mb: { max: 4096 }, cpu_smoke.iterations: { max: 1000000 } }
max_subruns: 300
";

/// Executions of a sub-run that are looked at one by one.
const MOST: u32 = 60;

/// The world of a document.
pub struct Fixture {
    pub adapters: Adapters,
    pub executables: BTreeMap<String, Executable>,
    pub inputs: BTreeMap<String, InputFile>,
    pub flow: Flow,
    pub margin: MarginProfile,
    pub policy: SafetyPolicy,
    pub bounds: BoundsInForce,
}

/// The one fixture.
pub fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        let adapters = adapters();
        let flow = sound(FLOW, |doc, root| flow::read(doc, root, &adapters));
        let margin = sound(MARGIN, margin::read);
        let policy = sound(POLICY, policy::read);
        let bounds = bounds::in_force(&policy, &[]).unwrap();
        let executables = executables(&adapters);
        let input = |kind: &str| InputFile { kind: kind.to_owned(), sha256: "0".repeat(64) };
        let inputs = BTreeMap::from([("flows/fixture.yaml".to_owned(), input("flow"))]);
        Fixture { adapters, executables, inputs, flow, margin, policy, bounds }
    })
}

fn sound<T>(text: &str, read: impl FnOnce(&Doc<'_>, &Node<'_>) -> Option<T>) -> T {
    let (value, problems) = document(&Source::new("fixture.yaml", text), read);
    value.unwrap_or_else(|| panic!("{problems:?}"))
}

fn adapters() -> Adapters {
    let mut adapters = Adapters::default();
    for sample in SAMPLES.iter().filter(|sample| sample.path.starts_with("adapters/")) {
        match sound(std::str::from_utf8(sample.content).unwrap(), adapter::read) {
            Manifest::Adapter(adapter) => drop(adapters.adapters.insert(adapter.name.clone(), *adapter)),
            Manifest::Controller(one) => drop(adapters.controllers.insert(one.name.clone(), *one)),
        }
    }
    adapters
}

/// Every program that the manifests name, as if it were there.
pub fn executables(adapters: &Adapters) -> BTreeMap<String, Executable> {
    let of_adapters = adapters.adapters.values();
    let paths = of_adapters.flat_map(|adapter| std::iter::once(&adapter.path).chain(&adapter.restore));
    let paths = paths.chain(adapters.controllers.values().map(|controller| &controller.path));
    let named = |path: &String| (path.clone(), Executable { path: path.clone(), sha256: "0".repeat(64) });
    paths.map(|path| named(&path.value)).collect()
}

fn executions(step: &FlowStep) -> u64 {
    let combinations = step.sweep.iter().map(|(_, sweep)| sweep.len()).fold(1, u64::saturating_mul);
    combinations.saturating_mul(u64::from(step.repeat))
}

/// Plans a flow with a margin, and holds the plan against what is promised of plans. A plan of very many executions is left
/// to the planner's own limits.
pub fn planned(flow: &Flow, margin: &MarginProfile, adapters: &Adapters, sources: &Sources) {
    let fixture = fixture();
    if flow.steps.iter().map(executions).fold(0, u64::saturating_add) > 2000 {
        return;
    }
    let all;
    let executables = if std::ptr::eq(adapters, &raw const fixture.adapters) {
        &fixture.executables
    } else {
        all = executables(adapters);
        &all
    };
    let ingredients = Ingredients {
        flow,
        margin,
        adapters: &adapters.adapters,
        controllers: &adapters.controllers,
        executables,
        bounds: &fixture.bounds,
        inputs: &fixture.inputs,
        global_seed: margin.global_seed.unwrap_or(20_250_101),
        unit: Some("SN 1"),
    };
    match planner::plan(&ingredients) {
        Ok(experiment) => frozen(experiment),
        Err(PlanError::TooMany(violation)) => assert!(!violation.to_string().is_empty()),
        Err(PlanError::Problems(list)) => {
            let problems = problems_of(list);
            assert!(problems.has_errors());
            told(&problems, sources);
        }
    }
}

/// Problems that were found one by one.
pub fn problems_of(list: Vec<Problem>) -> Problems {
    let mut problems = Problems::default();
    for problem in list {
        problems.push(problem);
    }
    problems
}

/// A plan is sound, survives being written and read, and every step of it can be made whole.
fn frozen(experiment: Experiment) {
    let plan = Plan::freeze(experiment, Some("SN 1".to_owned()), HostFacts::default(), BTreeMap::new()).unwrap();
    assert!(plan.is_intact() && plan.experiment.is_sound());
    let text = serde_json::to_vec(&plan).unwrap();
    let again: Plan = serde_json::from_slice(&text).unwrap();
    assert_eq!(again, plan);
    for sub_run in samples(plan.experiment.sub_runs()).filter_map(|index| plan.experiment.sub_run(index)) {
        for index in samples(plan.experiment.executions()) {
            let step = plan.experiment.step(&sub_run, index, plan.unit_text());
            assert!(matches!(step, Some(Ok(_))), "{step:?}");
        }
    }
    admitted(again, &fixture().bounds.bounds);
}

/// The first few and the last of so many.
pub fn samples(count: u32) -> impl Iterator<Item = u32> + Clone {
    (0..count.min(MOST)).chain((count > MOST).then(|| count - 1))
}

/// What was admitted as a whole is admitted step by step, and lies within the bounds as a reader of the policy would see it.
pub fn admitted(plan: Plan, bounds: &Bounds) {
    let admitted = match admission::admit(Arc::new(plan), bounds) {
        Ok(admitted) => admitted,
        Err(violations) => {
            assert!(!violations.is_empty() && violations.iter().all(|violation| !violation.to_string().is_empty()));
            return;
        }
    };
    let plan = admitted.value();
    for sub_run in samples(plan.experiment.sub_runs()).filter_map(|index| plan.experiment.sub_run(index)) {
        for index in samples(plan.experiment.executions()) {
            let Some(Ok(step)) = plan.experiment.step(&sub_run, index, plan.unit_text()) else { continue };
            assert_eq!(admit_step(&step, bounds), Ok(()));
            for (rail, setting) in &step.rails {
                for field in RailField::ALL {
                    let Some(value) = setting.commanded(field) else { continue };
                    let bound = bounds.rails.get(rail).and_then(|fields| fields.get(&field));
                    let bound = bound.unwrap_or_else(|| panic!("{rail}.{field} has no bound"));
                    assert!(bound.is.min <= value && value <= bound.is.max, "{rail}.{field} = {value}");
                }
            }
        }
    }
}
