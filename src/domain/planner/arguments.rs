//! From a flow's step and its adapter to combinations of arguments. Every value that a step will ever show is rendered
//! here once, so that no step fails to render in the middle of a run.

use std::collections::BTreeMap;

use super::{Ingredients, Space};
use crate::domain::adapter::Adapter;
use crate::domain::flow::FlowStep;
use crate::domain::margin::{FieldKey, RailField};
use crate::domain::name::Name;
use crate::domain::param::{Binding, ParamSpec, ParamValue};
use crate::domain::place::Place;
use crate::domain::plan::{Argument, Axis, BoundArgument, Combination, StepTemplate, is_everywhere};
use crate::domain::problem::Problem;
use crate::domain::units::{Kilohertz, Microvolts};

/// A step with everything that decides its arguments.
struct Scene<'a> {
    step: &'a FlowStep,
    adapter: &'a Adapter,
    ingredients: &'a Ingredients<'a>,
    space: &'a Space<'a>,
    axes: &'a [Axis],
}

/// The step with all its combinations. `None`, with problems, when something does not fit.
pub(super) fn template(
    step: &FlowStep,
    ingredients: &Ingredients<'_>,
    space: &Space<'_>,
    axes: &[Axis],
    problems: &mut Vec<Problem>,
) -> Option<StepTemplate> {
    let Some(adapter) = ingredients.adapters.get(&step.adapter.value) else {
        problems.push(Problem::error(step.adapter.place.clone(), format!("unknown adapter `{}`", step.adapter.value)));
        return None;
    };
    for path in std::iter::once(&adapter.path).chain(&adapter.restore) {
        if !ingredients.executables.contains_key(&path.value) {
            problems.push(Problem::error(path.place.clone(), format!("no executable `{}`", path.value)));
            return None;
        }
    }
    let scene = Scene { step, adapter, ingredients, space, axes };
    let before = problems.len();
    scene.settable(problems);
    for spec in &adapter.params {
        scene.binding(spec, problems);
    }
    let lengths: Vec<u64> = step.sweep.iter().map(|(_, s)| s.len()).collect();
    let total: u64 = lengths.iter().product();
    let mut combinations = vec![];
    for index in 0..total {
        // One bad value is enough to know: the next combinations would repeat it.
        if problems.len() > before {
            return None;
        }
        let values = swept_values(step, &lengths, index);
        combinations.push(scene.combination(&values, problems));
    }
    Some(StepTemplate {
        name: step.name.value.clone(),
        adapter: step.adapter.value.clone(),
        timeout_ms: step.timeout.as_ref().or(adapter.timeout.as_ref()).map_or(Adapter::DEFAULT_TIMEOUT, |t| t.value),
        repeat: step.repeat,
        pass_rule: step.pass_rule,
        optional: step.optional,
        on_failure: step.on_failure,
        combinations,
    })
}

type Swept = BTreeMap<Name, (ParamValue, Place)>;

/// The values of one combination, the last parameter written fastest.
fn swept_values(step: &FlowStep, lengths: &[u64], index: u64) -> Swept {
    let mut left = index;
    let mut values = Swept::new();
    for ((name, sweep), length) in step.sweep.iter().zip(lengths).rev() {
        if let Some(value) = sweep.at(left % length) {
            values.insert(name.clone(), value);
        }
        left /= length;
    }
    values
}

impl Scene<'_> {
    /// What a flow sets must be the adapter's, and not be bound to something else.
    fn settable(&self, problems: &mut Vec<Problem>) {
        let set = self.step.params.iter().map(|(name, value)| (name, value.place.clone()));
        let swept = self.step.sweep.iter().filter_map(|(name, sweep)| Some((name, sweep.at(0)?.1)));
        for (name, place) in set.chain(swept) {
            match self.adapter.param(name.as_str()) {
                None => problems.push(
                    Problem::error(place, format!("{} has no parameter `{name}`", self.adapter.name))
                        .label("not declared in its manifest"),
                ),
                Some(spec) if spec.from.is_some() => problems.push(
                    Problem::error(place, format!("`{name}` has a `from:`, so a flow cannot set it"))
                        .related(spec.place.clone(), "bound here"),
                ),
                Some(_) => {}
            }
        }
    }

    fn combination(&self, swept: &Swept, problems: &mut Vec<Problem>) -> Combination {
        let Self { step, adapter, .. } = *self;
        let mut params = BTreeMap::new();
        let mut argv: Vec<Argument> = adapter.args.iter().cloned().map(Argument::Text).collect();
        let mut key = vec![];
        for spec in &adapter.params {
            if let Some(from) = self.bound_here(spec) {
                argv.push(Argument::Bound(Box::new(BoundArgument {
                    param: spec.name.clone(),
                    from,
                    flag: spec.flag.clone(),
                    unit: spec.unit.clone(),
                    decimals: spec.decimals,
                    allow_leading_dash: spec.allow_leading_dash,
                    default: spec.default.clone(),
                })));
                continue;
            }
            let set = step.params.iter().find(|(name, _)| *name == spec.name).map(|(_, p)| (&p.value, &p.place));
            let swept = swept.get(&spec.name).map(|(value, place)| (value, place));
            let is_swept = swept.is_some();
            let default = spec.default.as_ref().map(|value| (value, &step.adapter.place));
            let Some((value, place)) = swept.or(set).or(default) else {
                // What is bound to a rail that the profile lacks has been said already.
                if spec.required && spec.from.is_none() {
                    problems.push(
                        Problem::error(
                            step.adapter.place.clone(),
                            format!("{} needs the parameter `{}`", adapter.name, spec.name),
                        )
                        .related(spec.place.clone(), "required here"),
                    );
                }
                continue;
            };
            match spec.arguments(value) {
                Ok(arguments) => argv.extend(arguments.into_iter().map(Argument::Text)),
                Err(error) => problems.push(
                    Problem::error(place.clone(), format!("`{}`: {error}", spec.name))
                        .related(spec.place.clone(), "declared here"),
                ),
            }
            if is_swept {
                let text = spec.render(value).unwrap_or_else(|_| value.to_string());
                key.push((spec.name.clone(), text));
            }
            params.insert(spec.name.clone(), value.clone());
        }
        key.sort();
        let key: Vec<String> = key.into_iter().map(|(name, text)| format!("{name}={text}")).collect();
        Combination { key: key.join(","), params, argv }
    }

    /// The binding of a parameter, where it has a value at some point of this space. A rail that the profile lacks leaves
    /// the default, which then counts as any other value.
    fn bound_here(&self, spec: &ParamSpec) -> Option<Binding> {
        let from = spec.from.as_ref()?;
        match from {
            Binding::Margin { rail, field } => {
                let keys = self.space.keys(self.axes, &self.adapter.name, rail, *field);
                let has_values = |key: &FieldKey| {
                    self.space.fixed.contains_key(key)
                        || self.axes.iter().filter_map(|a| a.columns.get(key)).flatten().any(Option::is_some)
                };
                keys.iter().any(has_values).then(|| from.clone())
            }
            Binding::Seed | Binding::Unit => Some(from.clone()),
        }
    }

    /// Tries every value that a binding will have.
    fn binding(&self, spec: &ParamSpec, problems: &mut Vec<Problem>) {
        let Some(from) = &spec.from else { return };
        let bound_here = |message: String| {
            Problem::error(self.step.adapter.place.clone(), message).related(spec.place.clone(), "bound here")
        };
        if let Some(Err(error)) = spec.default.as_ref().map(|value| spec.render(value)) {
            problems.push(bound_here(format!("the default of `{}`: {error}", spec.name)));
        }
        let needed = spec.required && spec.default.is_none();
        match from {
            Binding::Seed => {}
            Binding::Unit => match self.ingredients.unit {
                Some(unit) => {
                    let rendered = spec.render(&ParamValue::Text(unit.to_owned()));
                    problems.extend(rendered.err().map(|e| bound_here(format!("the unit's name: {e}"))));
                }
                None if needed => {
                    problems
                        .push(bound_here(format!("{} needs the unit's name: give it with --unit", self.adapter.name)));
                }
                None => {}
            },
            Binding::Margin { rail, field } => {
                let keys = self.space.keys(self.axes, &self.adapter.name, rail, *field);
                if needed && !is_everywhere(&self.space.fixed, self.axes, &keys) {
                    problems.push(bound_here(format!(
                        "{} needs {rail}.{field}, which the margin profile does not have at every point",
                        self.adapter.name
                    )));
                }
                let problem = keys.iter().find_map(|key| self.bound_values(spec, key));
                problems.extend(problem.map(|message| {
                    bound_here(message)
                        .help("choose points that the manifest can show and allows, or give the parameter `decimals`")
                }));
            }
        }
    }

    /// What is wrong with the first value of a rail's field that cannot be handed to the parameter, its jitter included.
    fn bound_values(&self, spec: &ParamSpec, key: &FieldKey) -> Option<String> {
        let jitter = self.ingredients.margin.jitter.iter().find(|(field, _)| field.value == *key).map(|(_, j)| j);
        let (reach, step) = jitter.map_or((0, 0), |j| (j.max - j.max % j.step.max(1), j.step));
        let typed = |base: u64| match key.field {
            RailField::Voltage => ParamValue::Voltage(Microvolts(base)),
            RailField::Frequency => ParamValue::Frequency(Kilohertz(base)),
        };
        let (rail, field, adapter) = (&key.rail, key.field, &self.adapter.name);
        self.space.values(self.axes, key).into_iter().find_map(|value| {
            // A step's distance tells for all of them: whole in the unit here and one step on is whole everywhere.
            let shown = if reach > 0 { value.saturating_add(step) } else { value };
            if let Some(error) = [value, shown].into_iter().find_map(|v| spec.render(&typed(v)).err()) {
                return Some(format!("{rail}.{field} cannot be handed to {adapter}: {error}"));
            }
            let (low, high) = (typed(value.saturating_sub(reach)), typed(value.saturating_add(reach)));
            let outside =
                spec.min.as_ref().is_some_and(|min| low < *min) || spec.max.as_ref().is_some_and(|max| high > *max);
            outside.then(|| format!("{rail}.{field} = {} leaves the range that {adapter} gives", field.show(value)))
        })
    }
}
