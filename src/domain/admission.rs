//! The one gate: nothing reaches the engine but an [`Admitted`] plan, and the same rules judge each step again before
//! its spawn. A missing bound refuses.

mod outside;
#[cfg(test)]
mod tests;

pub use outside::outside;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::domain::margin::{FieldKey, RailField};
use crate::domain::name::Name;
use crate::domain::param::{Binding, ParamValue};
use crate::domain::plan::{
    Argument, BoundArgument, Experiment, Plan, PlannedStep, StepTemplate, SubRun, is_everywhere,
};
use crate::domain::policy::{Bounds, ParamKey};
use crate::domain::units::Millis;

/// Something that has been proven to lie within bounds. Made by [`admit`] alone.
#[derive(Debug, Clone)]
pub struct Admitted<T> {
    value: Arc<T>,
    bounds: Arc<Bounds>,
}

impl<T> Admitted<T> {
    /// What was admitted.
    pub const fn value(&self) -> &Arc<T> {
        &self.value
    }

    /// The bounds within which it lies.
    pub const fn bounds(&self) -> &Arc<Bounds> {
        &self.bounds
    }
}

/// One way in which a plan leaves the bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// The plan's tables do not fit each other, so what it would do cannot be told.
    Unsound,
    /// A stored offset is larger than the jitter that the plan declares.
    Offset {
        /// The jittered field.
        field: FieldKey,
        /// The offset in base units.
        offset: i32,
        /// The largest declared.
        max: u64,
    },
    /// A rail's value, with its jitter, leaves the interval.
    Rail {
        /// The field as the profile names it.
        field: FieldKey,
        /// The value on the grid, in base units.
        value: u64,
        /// Largest jitter either way.
        jitter: u64,
        /// Smallest allowed.
        min: u64,
        /// Largest allowed.
        max: u64,
        /// How many sub-runs have it.
        points: u64,
    },
    /// A planned field that no policy bounds.
    Unbounded {
        /// The field.
        field: FieldKey,
    },
    /// A parameter leaves its bound.
    Param {
        /// The step.
        step: Name,
        /// Its adapter.
        adapter: Name,
        /// The parameter.
        param: Name,
        /// Its value.
        value: ParamValue,
        /// Which bound.
        key: ParamKey,
        /// What it allows.
        allowed: String,
    },
    /// A voltage or frequency that is not bound to the margin and that no policy bounds.
    UnboundedParam {
        /// The step.
        step: Name,
        /// Its adapter.
        adapter: Name,
        /// The parameter.
        param: Name,
    },
    /// A controller that the policy does not let move rails.
    Unarmed {
        /// Which.
        controller: Name,
    },
    /// More sub-runs than allowed.
    SubRuns {
        /// How many there would be.
        count: u128,
        /// How many there may be.
        max: u64,
    },
    /// More executions in a sub-run than a plan can hold.
    Executions {
        /// How many there would be.
        count: u128,
        /// How many there may be.
        max: u64,
    },
    /// A step may run longer than allowed.
    Timeout {
        /// The step.
        step: Name,
        /// Its limit.
        timeout: Millis,
        /// The longest allowed.
        max: Millis,
    },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsound => write!(f, "the plan does not fit together: a table is too short, or a step is missing"),
            Self::Offset { field, offset, max } => {
                let sign = if *offset < 0 { "-" } else { "" };
                let shown = field.field.show(u64::from(offset.unsigned_abs()));
                write!(
                    f,
                    "a stored offset of {sign}{shown} for {field} is more than its jitter of {}",
                    field.field.show(*max)
                )
            }
            Self::Rail { field, value, jitter, min, max, points } => {
                let show = |base: u64| field.field.show(base);
                write!(f, "{field} = {}", show(*value))?;
                if *jitter > 0 {
                    write!(f, " with jitter of {} either way", show(*jitter))?;
                }
                write!(f, " is outside {} .. {}", show(*min), show(*max))?;
                if *points > 1 { write!(f, " ({points} sub-runs)") } else { Ok(()) }
            }
            Self::Unbounded { field } => write!(f, "no policy bounds {field}"),
            Self::Param { step, param, value, key, allowed, .. } => {
                write!(f, "step {step}: {param} = {value} is outside the bound of {key}: {allowed}")
            }
            Self::UnboundedParam { step, param, .. } => {
                write!(f, "step {step}: no policy bounds {param}, which sets a voltage or frequency by itself")
            }
            Self::Unarmed { controller } => write!(f, "the policy does not arm controller {controller}"),
            Self::SubRuns { count, max } => {
                write!(f, "the plan would have {count} sub-runs, at most {max} are allowed")
            }
            Self::Executions { count, max } => {
                write!(f, "each sub-run would have {count} executions, at most {max} can be planned")
            }
            Self::Timeout { step, timeout, max } => {
                write!(f, "step {step}: its time limit of {timeout} is longer than the allowed {max}")
            }
        }
    }
}

/// Proves every point and step of a plan to lie within `bounds`, or says all that does not.
pub fn admit(plan: Arc<Plan>, bounds: &Bounds) -> Result<Admitted<Plan>, Vec<Violation>> {
    let mut violations = vec![];
    let experiment = &plan.experiment;
    if !experiment.is_sound() {
        return Err(vec![Violation::Unsound]);
    }
    let count = u64::from(experiment.sub_runs());
    if count > bounds.max_subruns.is {
        violations.push(Violation::SubRuns { count: u128::from(count), max: bounds.max_subruns.is });
    }
    let unarmed = experiment.controllers.keys().filter(|name| !bounds.arms(name));
    violations.extend(unarmed.map(|name| Violation::Unarmed { controller: name.clone() }));
    rails(experiment, bounds, &mut violations);
    for step in &experiment.steps {
        if step.timeout_ms > bounds.max_step_timeout.is {
            let (timeout, max) = (step.timeout_ms, bounds.max_step_timeout.is);
            violations.push(Violation::Timeout { step: step.name.clone(), timeout, max });
        }
        for combination in &step.combinations {
            params(&step.name, &step.adapter, &combination.params, &BTreeSet::new(), bounds, &mut violations);
            for default in combination.argv.iter().filter_map(|a| default_in_use(a, step, &plan)) {
                params(&step.name, &step.adapter, &default, &BTreeSet::new(), bounds, &mut violations);
            }
        }
    }
    bound_params(&plan, bounds, &mut violations);
    let mut said = BTreeSet::new();
    violations.retain(|violation| said.insert(violation.to_string()));
    if violations.is_empty() { Ok(Admitted { value: plan, bounds: Arc::new(bounds.clone()) }) } else { Err(violations) }
}

/// The default of a bound parameter where something leaves the binding without a value: judged like any other value.
fn default_in_use(argument: &Argument, step: &StepTemplate, plan: &Plan) -> Option<BTreeMap<Name, ParamValue>> {
    let Argument::Bound(bound) = argument else { return None };
    let default = bound.default.clone()?;
    let always_bound = match &bound.from {
        Binding::Seed => true,
        Binding::Unit => !plan.unit_text().is_empty(),
        Binding::Margin { rail, field } => {
            let own = FieldKey { adapter: Some(step.adapter.clone()), rail: rail.clone(), field: *field };
            let common = FieldKey { adapter: None, ..own.clone() };
            is_everywhere(&plan.experiment.fixed, &plan.experiment.axes, &[own, common])
        }
    };
    (!always_bound).then(|| BTreeMap::from([(bound.param.clone(), default)]))
}

/// A bound argument whose parameter a policy limits, with the executions in which it must be looked at.
struct LimitedArgument<'p> {
    step: &'p StepTemplate,
    bound: &'p BoundArgument,
    executions: std::ops::Range<u32>,
}

/// Every argument that takes its value from the point, the seed or the unit where a policy bounds the parameter.
fn limited_arguments<'p>(experiment: &'p Experiment, bounds: &Bounds) -> Vec<LimitedArgument<'p>> {
    let mut limited = vec![];
    let mut first = 0_u32;
    for step in &experiment.steps {
        for (position, combination) in step.combinations.iter().enumerate() {
            let executions = first..first.saturating_add(step.repeat);
            first = executions.end;
            for argument in &combination.argv {
                let Argument::Bound(bound) = argument else { continue };
                let is_limited = keys(&step.adapter, &bound.param).iter().any(|key| bounds.params.contains_key(key));
                // Only seeds differ from one combination and repetition to the next.
                let executions = match bound.from {
                    Binding::Seed => executions.clone(),
                    _ if position == 0 => executions.start..executions.start.saturating_add(1),
                    _ => continue,
                };
                if is_limited {
                    limited.push(LimitedArgument { step, bound, executions });
                }
            }
        }
    }
    limited
}

impl LimitedArgument<'_> {
    /// Adds the first violation that it has in a sub-run; whether there is one.
    fn judge(&self, plan: &Plan, sub_run: &SubRun, bounds: &Bounds, violations: &mut Vec<Violation>) -> bool {
        let Self { step, bound, executions } = self;
        let planned =
            executions.clone().filter_map(|index| plan.experiment.step(sub_run, index, plan.unit_text())?.ok());
        for value in planned.filter_map(|mut planned| planned.params.remove(&bound.param)) {
            let before = violations.len();
            let values = BTreeMap::from([(bound.param.clone(), value)]);
            params(&step.name, &step.adapter, &values, &BTreeSet::from([&bound.param]), bounds, violations);
            if violations.len() > before {
                return true;
            }
        }
        false
    }
}

/// Where a policy bounds a parameter that takes its value from the point, the seed or the unit, every value that it
/// will have. One violation a step and parameter is enough.
fn bound_params(plan: &Plan, bounds: &Bounds, violations: &mut Vec<Violation>) {
    let experiment = &plan.experiment;
    let mut pending = limited_arguments(experiment, bounds);
    if pending.is_empty() {
        return;
    }
    for sub_run in (0..experiment.sub_runs()).map_while(|index| experiment.sub_run(index)) {
        if pending.is_empty() {
            return;
        }
        let mut found: Vec<(&Name, &Name)> = vec![];
        for limited in &pending {
            if limited.judge(plan, &sub_run, bounds, violations) {
                found.push((&limited.step.name, &limited.bound.param));
            }
        }
        pending.retain(|limited| !found.contains(&(&limited.step.name, &limited.bound.param)));
    }
}

/// Judges one execution as it is about to be spawned: what it sees of its rails and what stands in its arguments.
pub fn admit_step(step: &PlannedStep<'_>, bounds: &Bounds) -> Result<(), Vec<Violation>> {
    let mut violations = vec![];
    for (rail, setting) in &step.rails {
        for field in RailField::ALL {
            let Some(value) = setting.commanded(field) else { continue };
            let key = FieldKey { adapter: None, rail: rail.clone(), field };
            field_value(&key, value, 0, 1, bounds, &mut violations);
        }
    }
    let template = step.template;
    let bound: BTreeSet<&Name> = step
        .combination
        .argv
        .iter()
        .filter_map(|argument| match argument {
            Argument::Bound(bound) if bound.is_held_by(&step.rails) => Some(&bound.param),
            Argument::Bound(_) | Argument::Text(_) => None,
        })
        .collect();
    params(&template.name, &template.adapter, &step.params, &bound, bounds, &mut violations);
    if template.timeout_ms > bounds.max_step_timeout.is {
        let (timeout, max) = (template.timeout_ms, bounds.max_step_timeout.is);
        violations.push(Violation::Timeout { step: template.name.clone(), timeout, max });
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// Every value that a point has, fixed or on an axis, with the whole of its jitter.
fn rails(experiment: &Experiment, bounds: &Bounds, violations: &mut Vec<Violation>) {
    let count = u64::from(experiment.sub_runs());
    let jitter = |key: &FieldKey| experiment.jitter.iter().find(|j| j.field == *key).map_or(0, |j| j.max);
    for (key, value) in &experiment.fixed {
        field_value(key, *value, jitter(key), count, bounds, violations);
    }
    for (column, axis) in experiment.axes.iter().enumerate() {
        // Only positions that some point has: a rerun of a few points is judged by those.
        let mut used = vec![0_u64; axis.len()];
        for row in experiment.points.iter() {
            if let Some(slot) = row.get(column).and_then(|position| used.get_mut(*position as usize)) {
                *slot += 1;
            }
        }
        for (key, values) in &axis.columns {
            let mut points: BTreeMap<u64, u64> = BTreeMap::new();
            for (value, used) in values.iter().zip(&used).filter(|(_, used)| **used > 0) {
                if let Some(value) = value {
                    *points.entry(*value).or_default() += used;
                }
            }
            for (value, points) in points {
                field_value(key, value, jitter(key), points, bounds, violations);
            }
        }
    }
    offsets(experiment, violations);
}

/// A stored offset beyond the declared jitter would escape the check of the whole interval.
fn offsets(experiment: &Experiment, violations: &mut Vec<Violation>) {
    for row in experiment.offsets.iter() {
        for (jitter, offset) in experiment.jitter.iter().zip(row) {
            if u64::from(offset.unsigned_abs()) > jitter.max {
                let field = jitter.field.clone();
                violations.push(Violation::Offset { field, offset: *offset, max: jitter.max });
                return;
            }
        }
    }
}

fn field_value(key: &FieldKey, value: u64, jitter: u64, points: u64, bounds: &Bounds, violations: &mut Vec<Violation>) {
    let Some(bound) = bounds.rails.get(&key.rail).and_then(|fields| fields.get(&key.field)) else {
        let unbounded = Violation::Unbounded { field: key.clone() };
        if !violations.contains(&unbounded) {
            violations.push(unbounded);
        }
        return;
    };
    if !bound.is.contains_either_way(value, jitter) {
        let (min, max) = (bound.is.min, bound.is.max);
        violations.push(Violation::Rail { field: key.clone(), value, jitter, min, max, points });
    }
}

/// The bounds that a parameter can have: that of its name, that of its name and adapter.
fn keys(adapter: &Name, param: &Name) -> [ParamKey; 2] {
    let of_any = ParamKey { adapter: None, param: param.clone() };
    let of_one = ParamKey { adapter: Some(adapter.clone()), param: param.clone() };
    [of_any, of_one]
}

/// Parameters against the bounds of their name and of their adapter. Those `bound` to the margin need none of their own.
fn params(
    step: &Name,
    adapter: &Name,
    values: &BTreeMap<Name, ParamValue>,
    bound: &BTreeSet<&Name>,
    bounds: &Bounds,
    violations: &mut Vec<Violation>,
) {
    for (param, value) in values {
        let mut bounded = false;
        for key in keys(adapter, param) {
            let Some(limit) = bounds.params.get(&key) else { continue };
            bounded = true;
            if !limit.is.contains(value) {
                violations.push(Violation::Param {
                    step: step.clone(),
                    adapter: adapter.clone(),
                    param: param.clone(),
                    value: value.clone(),
                    key,
                    allowed: limit.is.shown(),
                });
            }
        }
        let sets_a_rail = matches!(value, ParamValue::Voltage(_) | ParamValue::Frequency(_));
        if sets_a_rail && !bounded && !bound.contains(param) {
            violations.push(Violation::UnboundedParam {
                step: step.clone(),
                adapter: adapter.clone(),
                param: param.clone(),
            });
        }
    }
}
