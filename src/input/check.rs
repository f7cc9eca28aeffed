//! What only two documents together can tell: a flow and a margin, a policy and the manifests. Never judges safety.

use std::collections::BTreeSet;

use super::adapter::Adapters;
use super::problem::{Problems, near, quote};
use crate::domain::adapter::Adapter;
use crate::domain::flow::Flow;
use crate::domain::margin::{FieldKey, MarginProfile, RailField, RailShape, RailSpec};
use crate::domain::name::Name;
use crate::domain::param::{Binding, ParamKind, ParamValue};
use crate::domain::place::Place;
use crate::domain::policy::{Limits, ParamBound, ParamKey};
use crate::domain::problem::Problem;

/// Checks a flow against the margin that it is to be run with.
pub fn together(flow: &Flow, margin: &MarginProfile, adapters: &Adapters) -> Problems {
    let mut problems = Problems::default();
    idle_adapters(flow, margin, &mut problems);
    unbound_parameters(flow, margin, adapters, &mut problems);
    problems
}

/// Adapters of the margin that the flow never runs: their axes would multiply nothing.
fn idle_adapters(flow: &Flow, margin: &MarginProfile, problems: &mut Problems) {
    let used: BTreeSet<&str> = flow.steps.iter().map(|step| step.adapter.value.as_str()).collect();
    let named = margin.adapters.iter().map(|(name, _)| (&name.value, &name.place));
    let in_recipes = margin
        .recipes
        .iter()
        .flat_map(|recipe| &recipe.settings)
        .filter_map(|(key, value)| key.adapter.as_ref().map(|adapter| (adapter, &value.place)));
    let mut said = BTreeSet::new();
    for (name, place) in named.chain(in_recipes) {
        if used.contains(name.as_str()) || !said.insert(name) {
            continue;
        }
        let message =
            format!("flow `{}` has no step of adapter {}: its rails are ignored", flow.name, quote(name.as_str()));
        let problem = Problem::warning(place.clone(), message);
        problems.push(match near(name.as_str(), used.iter().copied()) {
            Some(close) => problem.help(format!("did you mean {}?", quote(close))),
            None => problem,
        });
    }
}

/// Required parameters bound to a rail field that the margin does not set.
fn unbound_parameters(flow: &Flow, margin: &MarginProfile, adapters: &Adapters, problems: &mut Problems) {
    for step in &flow.steps {
        let Some(adapter) = adapters.find(&step.adapter.value) else { continue };
        for spec in adapter.params.iter().filter(|spec| spec.required && spec.default.is_none()) {
            let Some(Binding::Margin { rail, field }) = &spec.from else { continue };
            if sets(margin, &adapter.name, rail, *field) {
                continue;
            }
            problems.push(
                Problem::error(
                    step.adapter.place.clone(),
                    format!(
                        "adapter `{}` needs {rail}.{field}, which margin `{}` does not set",
                        adapter.name, margin.name
                    ),
                )
                .related(spec.place.clone(), "required here")
                .help(format!("give rail `{rail}` a {field} in {}", margin.file)),
            );
        }
    }
}

/// Whether every point gives the adapter a value of the field.
fn sets(margin: &MarginProfile, adapter: &Name, rail: &Name, field: RailField) -> bool {
    let has = |rails: &[RailSpec]| {
        rails.iter().filter(|spec| spec.rail.value == *rail).any(|spec| match &spec.shape {
            RailShape::Pairs(_) => true,
            RailShape::Fields(fields) => fields.iter().any(|(f, _)| *f == field),
        })
    };
    let own = margin.adapters.iter().filter(|(name, _)| name.value == *adapter).any(|(_, rails)| has(rails));
    let wanted = |key: &FieldKey| {
        key.rail == *rail && key.field == field && key.adapter.as_ref().is_none_or(|name| name == adapter)
    };
    let in_recipes = !margin.recipes.is_empty()
        && margin.recipes.iter().all(|recipe| recipe.settings.iter().any(|(key, _)| wanted(key)));
    has(&margin.default) || own || in_recipes
}

/// Checks the parameter bounds of a policy or profile against the manifests: a misspelt one would bound nothing, and
/// one of another type would refuse everything. Says nothing of names whose manifest has errors.
pub fn bounds(limits: &Limits, adapters: &Adapters) -> Problems {
    let mut problems = Problems::default();
    for (key, bound) in &limits.params {
        let meant: Vec<&Adapter> =
            adapters.adapters.values().filter(|a| key.adapter.as_ref().is_none_or(|name| *name == a.name)).collect();
        let kinds: Vec<ParamKind> =
            meant.iter().filter_map(|adapter| adapter.param(key.param.as_str())).map(|spec| spec.kind).collect();
        if kinds.is_empty() {
            problems.extend(unknown_bound(key, &bound.place, &meant, adapters));
        } else if !kinds.iter().any(|kind| is_of(&bound.value, *kind)) {
            let mut problem = Problem::error(
                bound.place.clone(),
                format!("the bound of {} is of another type", quote(&key.to_string())),
            )
            .label("would refuse every value");
            if let Some(kind) = kinds.first() {
                problem = problem.help(format!("the parameter takes {}", example(*kind)));
            }
            problems.push(problem);
        }
    }
    if let Some(armed) = &limits.controllers {
        for name in armed.value.iter().filter(|name| !adapters.controllers.contains_key(*name)) {
            if !adapters.broken.contains_key(name.as_str()) {
                problems.push(Problem::warning(
                    armed.place.clone(),
                    format!("no controller is called {}: this arms nothing", quote(name.as_str())),
                ));
            }
        }
    }
    problems
}

fn unknown_bound(key: &ParamKey, place: &Place, meant: &[&Adapter], adapters: &Adapters) -> Problems {
    let shown = key.to_string();
    let broken = |name: &str| adapters.broken.contains_key(name);
    let hidden = match &key.adapter {
        Some(adapter) => broken(adapter.as_str()),
        None => !adapters.broken.is_empty(),
    };
    if hidden {
        return Problems::default();
    }
    let known: BTreeSet<String> = match &key.adapter {
        Some(adapter) if meant.is_empty() => adapters
            .adapters
            .values()
            .filter(|a| near(adapter.as_str(), [a.name.as_str()]).is_some())
            .map(|a| format!("{}.{}", a.name, key.param))
            .collect(),
        Some(adapter) => meant.iter().flat_map(|a| &a.params).map(|spec| format!("{adapter}.{}", spec.name)).collect(),
        None => meant.iter().flat_map(|a| &a.params).map(|spec| spec.name.to_string()).collect(),
    };
    let message = format!("no adapter has a parameter {}: this bounds nothing", quote(&shown));
    // Near to a name it is a misspelt bound; otherwise it may be for an adapter that this workspace does not hold.
    match near(&shown, known.iter().map(String::as_str)) {
        Some(close) => Problem::error(place.clone(), message).help(format!("did you mean {}?", quote(close))).into(),
        None => Problem::warning(place.clone(), message).into(),
    }
}

fn is_of(bound: &ParamBound, kind: ParamKind) -> bool {
    bound.min.iter().chain(&bound.max).all(|end| {
        matches!(
            (end, kind),
            (ParamValue::Int(_), ParamKind::Int)
                | (ParamValue::Float(_), ParamKind::Float)
                | (ParamValue::Duration(_), ParamKind::Duration)
                | (ParamValue::Voltage(_), ParamKind::Voltage)
                | (ParamValue::Frequency(_), ParamKind::Frequency)
        )
    })
}

const fn example(kind: ParamKind) -> &'static str {
    match kind {
        ParamKind::Int => "whole numbers, as in `4`",
        ParamKind::Float => "decimal numbers: write `4.0` rather than `4`",
        ParamKind::Duration => "durations, as in `30s`",
        ParamKind::Voltage => "voltages, as in `850mV`",
        ParamKind::Frequency => "frequencies, as in `3.2GHz`",
        ParamKind::Bool | ParamKind::String | ParamKind::Choice | ParamKind::Path => "no numbers: nothing can bound it",
    }
}

#[cfg(test)]
mod tests {
    use super::super::adapter::{self, Manifest};
    use super::super::{flow, margin, testing};
    use super::*;

    const TOOL: &str = "name: tool\npath: tool\nparams: { v: { type: voltage, unit: mV, flag: -v, from: margin.core.voltage, required: true } }\n";
    const FLOW: &str = "name: f\nsteps: [ { name: s, adapter: tool } ]\n";

    fn check(margin: &str) -> String {
        let Manifest::Adapter(tool) = testing::sound(TOOL, adapter::read) else { panic!("an adapter") };
        let mut adapters = Adapters::default();
        adapters.adapters.insert(tool.name.clone(), *tool);
        let flow = testing::sound(FLOW, |doc, root| flow::read(doc, root, &adapters));
        let margin_read = testing::sound(margin, margin::read);
        let problems = together(&flow, &margin_read, &adapters);
        let lines: Vec<String> = problems
            .list()
            .iter()
            .map(|p| format!("{:?} {}: {} ({})", p.severity, p.place, p.message, p.help.as_deref().unwrap_or("")))
            .collect();
        lines.join("\n")
    }

    #[test]
    fn a_parameter_bound_bounds_something() {
        let Manifest::Adapter(tool) = testing::sound(
            "name: tool\npath: tool\nparams: { size: { type: int, flag: -s }, ratio: { type: float, flag: -r } }\n",
            adapter::read,
        ) else {
            panic!("an adapter")
        };
        let mut adapters = Adapters::default();
        adapters.adapters.insert(tool.name.clone(), *tool);
        let policy = "name: p\nlimits: {}\nparams:\n  size: { max: 5 }\n  tool.ratio: { max: 0.5 }\n  sizes: { max: 5 }\n  tol.size: { max: 5 }\n  tool.siez: { max: 5 }\n  other: { max: 5 }\n  ratio: { max: 5 }\n  tool.size: { max: 5V }\n";
        let read = testing::sound(policy, super::super::policy::read);
        insta::assert_snapshot!(testing::drawn(&bounds(&read.limits, &adapters), &[("x.yaml", policy)]), @r"
        error: no adapter has a parameter `sizes`: this bounds nothing
         --> x.yaml:6:3
          |
        6 |   sizes: { max: 5 }
          |   ^^^^^
          |
          = help: did you mean `size`?

        error: no adapter has a parameter `tol.size`: this bounds nothing
         --> x.yaml:7:3
          |
        7 |   tol.size: { max: 5 }
          |   ^^^^^^^^
          |
          = help: did you mean `tool.size`?

        error: no adapter has a parameter `tool.siez`: this bounds nothing
         --> x.yaml:8:3
          |
        8 |   tool.siez: { max: 5 }
          |   ^^^^^^^^^
          |
          = help: did you mean `tool.size`?

        warning: no adapter has a parameter `other`: this bounds nothing
         --> x.yaml:9:3
          |
        9 |   other: { max: 5 }
          |   ^^^^^

        error: the bound of `ratio` is of another type
          --> x.yaml:10:3
           |
        10 |   ratio: { max: 5 }
           |   ^^^^^ would refuse every value
           |
           = help: the parameter takes decimal numbers: write `4.0` rather than `4`

        error: the bound of `tool.size` is of another type
          --> x.yaml:11:3
           |
        11 |   tool.size: { max: 5V }
           |   ^^^^^^^^^ would refuse every value
           |
           = help: the parameter takes whole numbers, as in `4`
        ");
        adapters.broken.insert("b".to_owned(), "adapters/b.yaml".into());
        let quiet = bounds(&read.limits, &adapters).list().iter().filter(|p| p.message.contains("sizes")).count();
        assert_eq!(quiet, 0, "the parameter may be in the manifest that could not be read");
    }

    #[test]
    fn a_flow_and_a_margin_fit() {
        assert_eq!(check("name: m\ndefault: { core: { voltage: 1V } }\n"), "");
        assert_eq!(check("name: m\nadapters: { tool: { core: { voltage: [1V, 2V] } } }\n"), "");
        assert_eq!(check("name: m\nrecipes: [ { name: a, core: { voltage: 1V } } ]\n"), "");
        insta::assert_snapshot!(check("name: m\nadapters: { tol: { core: { voltage: [1V, 2V] } } }\n"), @r"
        Warning x.yaml:2:13: flow `f` has no step of adapter `tol`: its rails are ignored (did you mean `tool`?)
        Error x.yaml:2:30: adapter `tool` needs core.voltage, which margin `m` does not set (give rail `core` a voltage in x.yaml)
        ");
        insta::assert_snapshot!(
            check("name: m\nrecipes: [ { name: a, core: { voltage: 1V } }, { name: b, adapters: { other: { core: { voltage: 1V } } } } ]\n"),
            @r"
        Warning x.yaml:2:97: flow `f` has no step of adapter `other`: its rails are ignored ()
        Error x.yaml:2:30: adapter `tool` needs core.voltage, which margin `m` does not set (give rail `core` a voltage in x.yaml)
        "
        );
    }
}
