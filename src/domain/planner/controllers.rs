//! Which controllers a plan needs: those that drive a field that it plans, as far as the policy lets them move rails.
//! Pure; whether their programs may be started is asked elsewhere.

use std::collections::BTreeSet;

use crate::domain::adapter::Controller;
use crate::domain::flow::Flow;
use crate::domain::margin::{MarginProfile, RailField};
use crate::domain::name::Name;
use crate::domain::plan::Experiment;
use crate::domain::rails::{Controllers, PlannedController};

use super::Ingredients;

/// The controllers of a plan, each with the planned rails that it drives.
pub(super) fn planned(experiment: &Experiment, ingredients: &Ingredients<'_>) -> Controllers {
    let swept = experiment.axes.iter().flat_map(|axis| axis.columns.keys());
    let fields: BTreeSet<(&Name, RailField)> =
        experiment.fixed.keys().chain(swept).map(|key| (&key.rail, key.field)).collect();
    let mut controllers = Controllers::new();
    for (name, controller) in ingredients.controllers.iter().filter(|(name, _)| experiment.bounds.arms(name)) {
        let Some(executable) = ingredients.executables.get(&controller.path.value) else { continue };
        let mut planned = PlannedController::of(controller, executable.clone());
        let drives = |rail: &Name| fields.iter().any(|(name, field)| *name == rail && planned.drives(*field));
        let rails: BTreeSet<Name> =
            controller.rails.iter().map(|rail| rail.value.clone()).filter(|rail| drives(rail)).collect();
        planned.rails = rails.into_iter().collect();
        if !planned.rails.is_empty() {
            controllers.insert(name.clone(), planned);
        }
    }
    controllers
}

/// The controllers whose programs a plan of this flow and margin may need: those of every rail that the profile names
/// for it.
pub fn wanted<'c>(
    flow: &Flow,
    margin: &MarginProfile,
    controllers: impl IntoIterator<Item = &'c Controller>,
) -> Vec<&'c Controller> {
    let used = |adapter: &Name| flow.steps.iter().any(|step| step.adapter.value == *adapter);
    let own = margin.adapters.iter().filter(|(adapter, _)| used(&adapter.value)).flat_map(|(_, rails)| rails);
    let mut rails: BTreeSet<&Name> = margin.default.iter().chain(own).map(|spec| &spec.rail.value).collect();
    rails.extend(margin.recipes.iter().flat_map(|recipe| &recipe.settings).map(|(key, _)| &key.rail));
    controllers.into_iter().filter(|c| c.rails.iter().any(|rail| rails.contains(&rail.value))).collect()
}
