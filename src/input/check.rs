//! What only a flow and a margin together can tell, before anything is planned. Never judges safety.

use std::collections::BTreeSet;

use super::adapter::Adapters;
use super::problem::{Problems, near, quote};
use crate::domain::flow::Flow;
use crate::domain::margin::{FieldKey, MarginProfile, RailField, RailShape, RailSpec};
use crate::domain::name::Name;
use crate::domain::param::Binding;
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
