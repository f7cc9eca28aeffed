//! Targets that read a document as the program does, draw what is wrong with it, and use what is right.

use std::sync::Arc;

use road_runner::domain::bounds::{candidates, in_force};
use road_runner::domain::chord::Keys;
use road_runner::domain::host::HostFacts;
use road_runner::domain::keymap::{Bindable, Lookup};
use road_runner::domain::plan::{Executable, Plan};
use road_runner::domain::planner::{self, Ingredients};
use road_runner::domain::policy::Limits;
use road_runner::domain::rails::PlannedController;
use road_runner::engine::scan::StreamPatterns;
use road_runner::input::adapter::{self, Adapters, Manifest};
use road_runner::input::catalogue::document;
use road_runner::input::doc::Doc;
use road_runner::input::source::{Source, Sources};
use road_runner::input::themes::Themes;
use road_runner::input::yaml::Node;
use road_runner::input::{check, flow, keymap, margin, policy};
use road_runner::report::template_check;
use road_runner::tui::actions;

use super::fixture::{fixture, planned, problems_of};
use super::{files, source, told, told_of, unpack};

/// What a reader makes of a document. A value comes exactly with a document free of errors, and always the same.
fn value_of<T: PartialEq + std::fmt::Debug>(
    source: &Source,
    read: impl Fn(&Doc<'_>, &Node<'_>) -> Option<T>,
) -> Option<T> {
    let (value, problems) = document(source, &read);
    assert_eq!(value.is_some(), !problems.has_errors(), "{problems:?}");
    told_of(&problems, source);
    if source.text.len() < 4096 {
        assert_eq!(document(source, &read), (value, problems.clone()));
        return document(source, &read).0;
    }
    value
}

fn sources(source: &Source) -> Sources {
    let mut sources = Sources::default();
    sources.add(source.clone());
    sources
}

/// `flows/*.yaml`, planned with a margin.
pub fn flow(data: &[u8]) {
    let Some(source) = source(data, "flows/fuzz.yaml") else { return };
    let fixture = fixture();
    let Some(flow) = value_of(&source, |doc, root| flow::read(doc, root, &fixture.adapters)) else { return };
    told_of(&check::together(&flow, &fixture.margin, &fixture.adapters), &source);
    planned(&flow, &fixture.margin, &fixture.adapters, &sources(&source));
}

/// `margins/*.yaml`, planned with a flow.
pub fn margin(data: &[u8]) {
    let Some(source) = source(data, "margins/fuzz.yaml") else { return };
    let fixture = fixture();
    let Some(margin) = value_of(&source, margin::read) else { return };
    told_of(&check::together(&fixture.flow, &margin, &fixture.adapters), &source);
    planned(&fixture.flow, &margin, &fixture.adapters, &sources(&source));
}

/// `policy/*.yaml` and `policy/profiles/*.yaml`: a profile only ever tightens, and what a policy allows is what it says.
pub fn policy(data: &[u8]) {
    let Some(source) = source(data, "policy/fuzz.yaml") else { return };
    let fixture = fixture();
    let base = value_of(&source, policy::read);
    let profile = value_of(&source, policy::read_profile);
    let bounds_of = |limits: &Limits| told_of(&check::bounds(limits, &fixture.adapters), &source);
    if let Some(base) = &base {
        bounds_of(&base.limits);
        if let Ok(sum) = in_force(base, &[]) {
            assert_eq!(sum.bounds.intersect(&sum.bounds).as_ref(), Some(&sum.bounds));
            let text = serde_json::to_string(&sum.bounds).unwrap();
            assert_eq!(serde_json::from_str::<road_runner::domain::policy::Bounds>(&text).unwrap(), sum.bounds);
            if let Some(plan) = fixture_plan() {
                super::fixture::admitted(plan.clone(), &sum.bounds);
            }
        }
    }
    let Some(profile) = &profile else { return };
    bounds_of(&profile.limits);
    let facts = HostFacts { cores: Some(64), kernel: Some("6.1.0-13-amd64".to_owned()), ..HostFacts::default() };
    for outcome in candidates(&[profile], &facts).iter().flat_map(|candidate| &candidate.outcomes) {
        assert!(!outcome.to_string().is_empty());
    }
    match in_force(&fixture.policy, &[profile]) {
        Ok(sum) => {
            let base = &fixture.bounds.bounds;
            assert_eq!(sum.bounds.intersect(base).map(|both| both.rails), Some(sum.bounds.rails.clone()));
            for (rail, fields) in &sum.bounds.rails {
                for (field, bound) in fields {
                    let outer = &base.rails[rail][field].is;
                    assert!(outer.min <= bound.is.min && bound.is.min <= bound.is.max && bound.is.max <= outer.max);
                }
            }
            assert!(sum.bounds.max_subruns.is <= base.max_subruns.is);
            assert!(sum.bounds.max_step_timeout.is <= base.max_step_timeout.is);
            if let Some(plan) = fixture_plan() {
                super::fixture::admitted(plan.clone(), &sum.bounds);
            }
        }
        Err(list) => {
            told(&problems_of(list), &sources(&source));
        }
    }
}

/// The plan of the fixture.
fn fixture_plan() -> Option<&'static Plan> {
    static PLAN: std::sync::OnceLock<Option<Plan>> = std::sync::OnceLock::new();
    PLAN.get_or_init(|| {
        let fixture = fixture();
        let experiment = planner::plan(&Ingredients {
            flow: &fixture.flow,
            margin: &fixture.margin,
            adapters: &fixture.adapters.adapters,
            controllers: &fixture.adapters.controllers,
            executables: &fixture.executables,
            bounds: &fixture.bounds,
            inputs: &fixture.inputs,
            global_seed: 7,
            unit: None,
        });
        Plan::freeze(experiment.ok()?, None, HostFacts::default(), std::collections::BTreeMap::new()).ok()
    })
    .as_ref()
}

/// `adapters/*.yaml`, diagnostics and controllers: patterns that were accepted compile, and a flow can use the adapter.
pub fn manifest(data: &[u8]) {
    let Some(source) = source(data, "adapters/fuzz.yaml") else { return };
    let (value, problems) = document(&source, adapter::read);
    assert_eq!(value.is_some(), !problems.has_errors(), "{problems:?}");
    told_of(&problems, &source);
    match value {
        Some(Manifest::Adapter(adapter)) => {
            StreamPatterns::compile(&adapter.judgement).unwrap();
            let mut adapters = Adapters::default();
            let flow = format!("name: f\nsteps: [ {{ name: s, adapter: {}, repeat: 2 }} ]\n", adapter.name);
            adapters.adapters.insert(adapter.name.clone(), *adapter);
            let flow_source = Source::new("flows/f.yaml", &flow);
            let (flow, problems) = document(&flow_source, |doc, root| flow::read(doc, root, &adapters));
            let mut sources = sources(&source);
            sources.add(flow_source);
            told(&problems, &sources);
            if let Some(flow) = flow {
                planned(&flow, &fixture().margin, &adapters, &sources);
            }
        }
        Some(Manifest::Controller(controller)) => {
            let executable = Executable { path: controller.path.value.clone(), sha256: "0".repeat(64) };
            let planned = PlannedController::of(&controller, executable);
            drop(planned.readback("voltage_uv=850000 frequency_khz=3200000"));
            drop(planned.readback("850000"));
        }
        None => {}
    }
}

/// `ui-themes/*.yaml`, several of which may inherit from one another.
pub fn theme(data: &[u8]) {
    let workspace = tempfile::tempdir().unwrap();
    let folder = workspace.path().join("ui-themes");
    unpack(&folder, &files(data, "fuzz.yaml"));
    let themes = Themes::read(workspace.path(), None);
    told(&themes.problems(), &themes.sources());
    for entry in &themes.entries {
        assert_eq!(entry.theme.is_some(), !entry.problems.has_errors(), "{}: {:?}", entry.name, entry.problems);
    }
    assert!(Themes::shipped("default").is_some() || themes.entries.iter().any(|entry| entry.theme.is_some()));
}

/// `keys.yaml`: a map that is accepted does what it says, everywhere.
pub fn keymap(data: &[u8]) {
    let Some(source) = source(data, "keys.yaml") else { return };
    let table: Vec<Bindable> = actions::bindable();
    let Some(map) = value_of(&source, |doc, root| keymap::read(doc, root, &table)) else { return };
    for (index, bindable) in table.iter().enumerate() {
        assert!(!bindable.essential || !map.keys(index).is_empty(), "{} is left without keys", bindable.name);
        for keys in map.keys(index) {
            assert_eq!(keys.to_string().parse::<Keys>().as_ref(), Ok(keys), "{keys}");
            let chords: Vec<_> = keys.chords().collect();
            assert_eq!(map.lookup(bindable.places, &chords), Lookup::Action(index), "{keys} for {}", bindable.name);
        }
    }
}

/// `templates/*.hbs`, checked, and rendered over a small run when it is accepted.
pub fn template(data: &[u8]) {
    let Some(source) = source(data, "templates/report.md.hbs") else { return };
    match template_check::compile(&source) {
        Ok(template) => {
            for (name, place) in template_check::partials(&source, &template) {
                assert!(!name.is_empty() && source.line(place.line).is_some());
            }
            super::records::rendered(&Arc::clone(&source.text));
        }
        Err(problems) => {
            assert!(problems.has_errors());
            told_of(&problems, &source);
        }
    }
}
