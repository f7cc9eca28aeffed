//! A violation as an error that shows both lines: where the value was written, and where the bound.

use crate::domain::admission::Violation;
use crate::domain::flow::{Flow, FlowStep};
use crate::domain::margin::{FieldKey, FieldSpec, MarginProfile, RailShape, RailSpec};
use crate::domain::name::Name;
use crate::domain::place::Place;
use crate::domain::policy::BoundsInForce;
use crate::domain::problem::Problem;
use crate::domain::sweep::Sweep;

/// Where values and bounds of a plan were written.
#[derive(Debug, Clone, Copy)]
pub struct Written<'a> {
    /// The flow.
    pub flow: &'a Flow,
    /// The margin profile.
    pub margin: &'a MarginProfile,
    /// The bounds in force.
    pub bounds: &'a BoundsInForce,
}

impl Written<'_> {
    /// The error that shows a violation.
    pub fn problem(&self, violation: &Violation) -> Problem {
        let message = violation.to_string();
        match violation {
            Violation::Rail { field, value, jitter, min, max, .. } => {
                let problem = Problem::error(self.value_place(field, *value), message);
                let Some((low, high)) = self.bounds.rail_places.get(&(field.rail.clone(), field.field)) else {
                    return problem;
                };
                let below = value.saturating_sub(*jitter) < *min;
                let bound = if below { low } else { high };
                let (side, limit) = if below { ("at least", min) } else { ("at most", max) };
                problem
                    .related(bound.clone(), format!("{side} {} is allowed", field.field.show(*limit)))
                    .help("change the margin profile; a bound is changed only by whoever answers for the hardware")
            }
            Violation::Unbounded { field } => Problem::error(self.value_place(field, 0), message).help(format!(
                "write limits for {}.{} with min and max into policy/safety.yaml",
                field.rail, field.field
            )),
            Violation::Param { step, param, key, allowed, .. } => {
                let problem = Problem::error(self.param_place(step, param), message);
                match self.bounds.param_places.get(key) {
                    Some(place) => problem.related(place.clone(), format!("{allowed} is allowed")),
                    None => problem,
                }
            }
            Violation::UnboundedParam { step, adapter, param } => {
                Problem::error(self.param_place(step, param), message).help(format!(
                    "bind it to the margin with `from:`, or bound `{adapter}.{param}` under `params` in the policy"
                ))
            }
            Violation::Timeout { step, .. } => Problem::error(self.timeout_place(step), message),
            Violation::SubRuns { .. } => Problem::error(Place::start_of(self.margin.file.clone()), message)
                .help("sweep fewer values, or raise max_subruns in the policy"),
            Violation::Executions { .. } => Problem::error(Place::start_of(self.flow.file.clone()), message)
                .help("sweep fewer values of the steps' parameters"),
            Violation::Unarmed { .. } => Problem::error(Place::start_of(self.margin.file.clone()), message)
                .help("name it under `controllers` of the policy"),
            // Only a stored plan that was edited can have these: no document of today wrote them.
            Violation::Unsound | Violation::Offset { .. } => {
                Problem::error(Place::start_of(self.margin.file.clone()), message)
            }
        }
    }

    fn step(&self, name: &Name) -> Option<&FlowStep> {
        self.flow.steps.iter().find(|s| s.name.value == *name)
    }

    /// Where the flow sets a parameter, else where it names the adapter that does.
    fn param_place(&self, step: &Name, param: &Name) -> Place {
        let Some(step) = self.step(step) else { return Place::start_of(self.flow.file.clone()) };
        let set = step.params.iter().find(|(name, _)| name == param).map(|(_, placed)| placed.place.clone());
        let swept = || {
            let (_, sweep) = step.sweep.iter().find(|(name, _)| name == param)?;
            sweep.at(0).map(|(_, place)| place)
        };
        set.or_else(swept).unwrap_or_else(|| step.adapter.place.clone())
    }

    fn timeout_place(&self, step: &Name) -> Place {
        let place = |s: &FlowStep| s.timeout.as_ref().map_or_else(|| s.adapter.place.clone(), |t| t.place.clone());
        self.step(step).map_or_else(|| Place::start_of(self.flow.file.clone()), place)
    }

    /// Where the profile writes a value of a field; for no value of it, where it names the field.
    fn value_place(&self, key: &FieldKey, value: u64) -> Place {
        let of_adapter = |rails: &'_ [RailSpec]| find(rails, key, value);
        let found = match &key.adapter {
            None => of_adapter(&self.margin.default),
            Some(adapter) => self
                .margin
                .adapters
                .iter()
                .find(|(name, _)| name.value == *adapter)
                .and_then(|(_, rails)| of_adapter(rails)),
        };
        let settings = || self.margin.recipes.iter().flat_map(|r| &r.settings).filter(|(k, _)| k == key);
        let in_recipe = || {
            let exact = settings().find(|(_, placed)| placed.value == value).or_else(|| settings().next());
            exact.map(|(_, placed)| placed.place.clone())
        };
        found.or_else(in_recipe).unwrap_or_else(|| Place::start_of(self.margin.file.clone()))
    }
}

fn find(rails: &[RailSpec], key: &FieldKey, value: u64) -> Option<Place> {
    use crate::domain::margin::RailField::{Frequency, Voltage};
    let rail = rails.iter().find(|r| r.rail.value == key.rail)?;
    match &rail.shape {
        RailShape::Fields(fields) => {
            let (_, spec) = fields.iter().find(|(field, _)| *field == key.field)?;
            match spec {
                FieldSpec::Fixed(placed) => Some(placed.place.clone()),
                FieldSpec::Swept { sweep: Sweep::List(values), places } => {
                    let position = values.iter().position(|v| u64::try_from(*v) == Ok(value)).unwrap_or(0);
                    places.get(position).or_else(|| places.first()).cloned()
                }
                FieldSpec::Swept { places, .. } => places.first().cloned(),
            }
        }
        RailShape::Pairs(pairs) => {
            let place = |pair: &crate::domain::margin::Pair| match key.field {
                Voltage => (pair.voltage.value.0, pair.voltage.place.clone()),
                Frequency => (pair.frequency.value.0, pair.frequency.place.clone()),
            };
            let found = pairs.iter().map(place).find(|(at, _)| *at == value);
            found.or_else(|| pairs.first().map(place)).map(|(_, place)| place)
        }
    }
}
