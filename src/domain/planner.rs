//! Flow x margin x adapters x seed become one experiment. Everything is counted before anything is made.

mod arguments;
pub mod controllers;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use crate::domain::adapter::{Adapter, Controller};
use crate::domain::admission::Violation;
use crate::domain::flow::{Flow, FlowStep};
use crate::domain::margin::{FieldKey, FieldSpec, MarginProfile, Order, RailField, RailShape, RailSpec};
use crate::domain::name::Name;
use crate::domain::place::Place;
use crate::domain::plan::{
    Axis, Executable, Experiment, InputFile, PlannedAdapter, PlannedJitter, PlannedStopLine, is_everywhere,
};
use crate::domain::policy::BoundsInForce;
use crate::domain::problem::Problem;
use crate::domain::seed::{self, Seed, Stream};
use crate::domain::sweep::Sweep;
use crate::domain::table::Table;
use crate::domain::units::Millis;

/// The most sub-runs that a plan can have, whatever the policy allows.
pub const MAX_SUBRUNS: u64 = 10_000_000;

/// The most executions that one sub-run can have.
pub const MAX_EXECUTIONS: u64 = 100_000;

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct Ingredients<'a> {
    /// What is run at each point.
    pub flow: &'a Flow,
    /// Which points.
    pub margin: &'a MarginProfile,
    /// Every adapter that the flow names.
    pub adapters: &'a BTreeMap<Name, Adapter>,
    /// The controllers of the workspace.
    pub controllers: &'a BTreeMap<Name, Controller>,
    /// Executables of those adapters and their `restore` commands and of the controllers that are
    /// used, by the path in the manifest.
    pub executables: &'a BTreeMap<String, Executable>,
    /// The bounds in force.
    pub bounds: &'a BoundsInForce,
    /// Every document that was read.
    pub inputs: &'a BTreeMap<String, InputFile>,
    /// The seed of everything.
    pub global_seed: Seed,
    /// The unit under test, if named.
    pub unit: Option<&'a str>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanError {
    /// The documents do not fit together (exit 2).
    Problems(Vec<Problem>),
    /// It would be more than the policy allows (exit 3).
    TooMany(Box<Violation>),
}

/// Makes the experiment. Nothing is expanded before it is known to be no more than allowed.
pub fn plan(ingredients: &Ingredients<'_>) -> Result<Experiment, PlanError> {
    let Ingredients { flow, margin, bounds, .. } = *ingredients;
    let mut problems = vec![];
    let space = Space::of(margin, flow, &mut problems);
    let max = bounds.bounds.max_subruns.is.min(MAX_SUBRUNS);
    let count = space.count();
    if count > u128::from(max) {
        return Err(PlanError::TooMany(Box::new(Violation::SubRuns { count, max })));
    }
    let executions: u128 = flow.steps.iter().map(executions).fold(0, u128::saturating_add);
    if executions > u128::from(MAX_EXECUTIONS) {
        return Err(PlanError::TooMany(Box::new(Violation::Executions { count: executions, max: MAX_EXECUTIONS })));
    }
    let axes = space.axes();
    let steps = flow
        .steps
        .iter()
        .filter_map(|step| arguments::template(step, ingredients, &space, &axes, &mut problems))
        .collect();
    let stop_line = stop_line(margin, &axes, &mut problems);
    let jitter = jitters(margin, &space, &axes, &mut problems);
    let adapters = flow.steps.iter().filter_map(|step| planned_adapter(&step.adapter.value, ingredients)).collect();
    if !problems.is_empty() {
        return Err(PlanError::Problems(problems));
    }
    let mut experiment = Experiment {
        flow: flow.name.clone(),
        margin: margin.name.clone(),
        policy: bounds.policy.clone(),
        profiles: bounds.profiles.clone(),
        global_seed: ingredients.global_seed,
        bounds: bounds.bounds.clone(),
        inputs: ingredients.inputs.clone(),
        adapters,
        controllers: BTreeMap::new(),
        steps,
        settle_ms: margin.settle,
        stop_line,
        order: margin.order,
        nominal: margin.nominal.iter().cloned().collect(),
        fixed: space.fixed,
        points: points(&axes, margin.order, ingredients.global_seed),
        axes,
        jitter,
        offsets: Table::default(),
    };
    experiment.offsets = offsets(&experiment);
    experiment.controllers = controllers::planned(&experiment, ingredients);
    Ok(experiment)
}

/// Whether some step of the flow runs that adapter.
fn uses(flow: &Flow, adapter: &Name) -> bool {
    flow.steps.iter().any(|step| step.adapter.value == *adapter)
}

/// Executions of a step in each sub-run.
fn executions(step: &FlowStep) -> u128 {
    let combinations = step.sweep.iter().map(|(_, s)| u128::from(s.len())).fold(1, u128::saturating_mul);
    combinations.saturating_mul(u128::from(step.repeat.max(1)))
}

/// The fields of a profile, as far as the flow's adapters see them: fixed ones, and axes not yet expanded.
struct Space<'m> {
    fixed: BTreeMap<FieldKey, u64>,
    swept: Vec<SweptAxis<'m>>,
}

struct SweptAxis<'m> {
    name: String,
    values: SweptValues<'m>,
}

enum SweptValues<'m> {
    Field(FieldKey, &'m Sweep<i64>),
    Pairs {
        rail: Name,
        adapter: Option<Name>,
        pairs: &'m [crate::domain::margin::Pair],
    },
    /// The recipes, and which adapters' settings count.
    Recipes(&'m [crate::domain::margin::Recipe], &'m Flow),
}

impl<'m> Space<'m> {
    fn of(margin: &'m MarginProfile, flow: &'m Flow, problems: &mut Vec<Problem>) -> Self {
        let mut space = Self { fixed: BTreeMap::new(), swept: vec![] };
        for rail in &margin.default {
            space.add(None, rail);
        }
        for (adapter, rails) in &margin.adapters {
            // An adapter that the flow does not use multiplies nothing.
            if uses(flow, &adapter.value) {
                for rail in rails {
                    space.add(Some(&adapter.value), rail);
                }
            }
        }
        if !margin.recipes.is_empty() {
            space
                .swept
                .push(SweptAxis { name: "recipe".to_owned(), values: SweptValues::Recipes(&margin.recipes, flow) });
        }
        space.arrange(margin, problems);
        space
    }

    fn add(&mut self, adapter: Option<&Name>, spec: &'m RailSpec) {
        let rail = &spec.rail.value;
        match &spec.shape {
            RailShape::Fields(fields) => {
                for (field, spec) in fields {
                    let key = FieldKey { adapter: adapter.cloned(), rail: rail.clone(), field: *field };
                    match spec {
                        FieldSpec::Fixed(value) => {
                            self.fixed.insert(key, value.value);
                        }
                        FieldSpec::Swept { sweep, .. } => {
                            self.swept
                                .push(SweptAxis { name: key.to_string(), values: SweptValues::Field(key, sweep) });
                        }
                    }
                }
            }
            RailShape::Pairs(pairs) => {
                let name = adapter.map_or_else(|| rail.to_string(), |adapter| format!("{adapter}/{rail}"));
                let values = SweptValues::Pairs { rail: rail.clone(), adapter: adapter.cloned(), pairs };
                self.swept.push(SweptAxis { name, values });
            }
        }
    }

    /// Puts the axes in the profile's order, slowest first.
    fn arrange(&mut self, margin: &MarginProfile, problems: &mut Vec<Problem>) {
        let Some(order) = &margin.axes else { return };
        let mut rest = std::mem::take(&mut self.swept);
        for name in order {
            if let Some(place) = rest.iter().position(|axis| axis.name == name.value) {
                self.swept.push(rest.remove(place));
            }
        }
        if let Some(missing) = rest.first() {
            let place = order.first().map_or_else(|| Place::start_of(margin.file.clone()), |first| first.place.clone());
            problems.push(
                Problem::error(place, format!("`axes` does not name {}, which is swept", missing.name))
                    .help("name every swept axis once, slowest first, or leave `axes` out"),
            );
        }
    }

    fn count(&self) -> u128 {
        self.swept.iter().map(|axis| u128::from(axis.values.len())).fold(1, u128::saturating_mul)
    }

    fn axes(&self) -> Vec<Axis> {
        self.swept.iter().map(|axis| axis.values.axis(&axis.name)).collect()
    }

    /// The keys under which the steps of an adapter see one field: its own where it always has one, else the default's too.
    fn keys(&self, axes: &[Axis], adapter: &Name, rail: &Name, field: RailField) -> Vec<FieldKey> {
        let own = FieldKey { adapter: Some(adapter.clone()), rail: rail.clone(), field };
        let common = FieldKey { adapter: None, ..own.clone() };
        if is_everywhere(&self.fixed, axes, std::slice::from_ref(&own)) { vec![own] } else { vec![own, common] }
    }

    /// Every value of a key, each once.
    fn values(&self, axes: &[Axis], key: &FieldKey) -> Vec<u64> {
        let swept = axes.iter().filter_map(|axis| axis.columns.get(key)).flatten().copied().flatten();
        let mut values: Vec<u64> = self.fixed.get(key).copied().into_iter().chain(swept).collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}

impl SweptValues<'_> {
    fn len(&self) -> u64 {
        match self {
            Self::Field(_, sweep) => sweep.len(),
            Self::Pairs { pairs, .. } => pairs.len() as u64,
            Self::Recipes(recipes, _) => recipes.len() as u64,
        }
    }

    fn axis(&self, name: &str) -> Axis {
        use crate::domain::margin::RailField::{Frequency, Voltage};
        let mut columns = BTreeMap::new();
        let mut labels = vec![];
        match self {
            Self::Field(key, sweep) => {
                columns.insert(key.clone(), sweep.values().map(|v| u64::try_from(v).ok()).collect());
            }
            Self::Pairs { rail, adapter, pairs } => {
                let key = |field| FieldKey { adapter: adapter.clone(), rail: rail.clone(), field };
                columns.insert(key(Voltage), pairs.iter().map(|p| Some(p.voltage.value.0)).collect());
                columns.insert(key(Frequency), pairs.iter().map(|p| Some(p.frequency.value.0)).collect());
            }
            Self::Recipes(recipes, flow) => {
                let seen = |key: &FieldKey| key.adapter.as_ref().is_none_or(|adapter| uses(flow, adapter));
                labels = recipes.iter().map(|r| r.name.value.clone()).collect();
                for (position, recipe) in recipes.iter().enumerate() {
                    for (key, value) in recipe.settings.iter().filter(|(key, _)| seen(key)) {
                        let column = columns.entry(key.clone()).or_insert_with(|| vec![None; recipes.len()]);
                        if let Some(slot) = column.get_mut(position) {
                            *slot = Some(value.value);
                        }
                    }
                }
            }
        }
        Axis { name: name.to_owned(), labels, columns }
    }
}

/// The points in the order of execution.
fn points(axes: &[Axis], order: Order, global_seed: Seed) -> Table<u32> {
    let lengths: Vec<u32> = axes.iter().map(|a| u32::try_from(a.len()).unwrap_or(u32::MAX)).collect();
    let total: usize = lengths.iter().map(|l| *l as usize).product();
    let mut table = Table::with_capacity(axes.len(), total);
    let mut row = vec![0; axes.len()];
    for index in 0..total {
        let mut left = index;
        for (column, length) in lengths.iter().enumerate().rev() {
            let length = *length as usize;
            let (line, at) = (left / length, left % length);
            // On every other line backwards: neighbours in time differ in one axis by one position.
            let at = if order == Order::Snake && line % 2 == 1 { length - 1 - at } else { at };
            row[column] = u32::try_from(at).unwrap_or(u32::MAX);
            left = line;
        }
        table.push(&row);
    }
    if order == Order::Shuffled {
        let mut places: Vec<u32> = (0..u32::try_from(total).unwrap_or(u32::MAX)).collect();
        Stream::new("rr-shuffle-1", global_seed, &[]).shuffle(&mut places);
        return table.select(&places);
    }
    table
}

fn offsets(experiment: &Experiment) -> Table<i32> {
    if experiment.jitter.is_empty() {
        return Table::default();
    }
    let count = experiment.sub_runs();
    let mut table = Table::with_capacity(experiment.jitter.len(), count as usize);
    for index in 0..count {
        let key = experiment.point(index).unwrap_or_default().key();
        let row: Vec<i32> = experiment
            .jitter
            .iter()
            .map(|j| {
                let offset = seed::jitter(experiment.global_seed, &key, &j.field.to_string(), j.max, j.step);
                i32::try_from(offset).unwrap_or(0)
            })
            .collect();
        table.push(&row);
    }
    table
}

fn jitters(
    margin: &MarginProfile,
    space: &Space<'_>,
    axes: &[Axis],
    problems: &mut Vec<Problem>,
) -> Vec<PlannedJitter> {
    let mut planned: Vec<PlannedJitter> = vec![];
    for (field, jitter) in &margin.jitter {
        let known = space.fixed.contains_key(&field.value) || axes.iter().any(|a| a.columns.contains_key(&field.value));
        if !known {
            // A jitter for an adapter that this flow does not use, or for a field that it does not have.
            let ignored = field.value.adapter.is_some();
            if !ignored {
                problems.push(
                    Problem::error(field.place.clone(), format!("the profile has no {} to jitter", field.value))
                        .help("name a field of a rail that stands under `default`, `adapters` or a recipe"),
                );
            }
            continue;
        }
        if i32::try_from(jitter.max).is_err() {
            problems
                .push(Problem::error(jitter.place.clone(), "a jitter of more than two thousand volts or gigahertz"));
            continue;
        }
        planned.push(PlannedJitter { field: field.value.clone(), max: jitter.max, step: jitter.step.max(1) });
    }
    planned.sort_by(|a, b| a.field.cmp(&b.field));
    planned
}

fn stop_line(margin: &MarginProfile, axes: &[Axis], problems: &mut Vec<Problem>) -> PlannedStopLine {
    let line = &margin.stop_line;
    let position = match &line.axis {
        None => axes.len().checked_sub(1),
        Some(wanted) => {
            let found = axes.iter().position(|a| a.name == wanted.value);
            if found.is_none() {
                let swept: Vec<&str> = axes.iter().map(|a| a.name.as_str()).collect();
                problems.push(
                    Problem::error(wanted.place.clone(), format!("nothing sweeps {}", wanted.value))
                        .help(format!("swept here: {}", swept.join(", "))),
                );
            }
            found
        }
    };
    PlannedStopLine { axis: position.and_then(|p| u32::try_from(p).ok()), after: line.after, count: line.count }
}

fn planned_adapter(name: &Name, ingredients: &Ingredients<'_>) -> Option<(Name, PlannedAdapter)> {
    let adapter = ingredients.adapters.get(name)?;
    let executable = |path: &str| ingredients.executables.get(path).cloned();
    let planned = PlannedAdapter {
        executable: executable(&adapter.path.value)?,
        env: adapter.env.clone(),
        rails: adapter.rails.iter().map(|r| r.value.clone()).collect(),
        restore: adapter.restore.iter().filter_map(|r| executable(&r.value)).collect(),
        judgement: adapter.judgement.clone(),
        silence_ms: adapter.silence,
        grace_ms: adapter.grace,
        version_args: adapter.version_args.clone(),
    };
    Some((name.clone(), planned))
}

/// How long a sweep may take at most, were every execution to need its whole time limit.
pub fn longest(experiment: &Experiment) -> Millis {
    let per_sub_run: u64 = experiment
        .steps
        .iter()
        .map(|s| s.timeout_ms.0.saturating_mul(s.combinations.len() as u64).saturating_mul(u64::from(s.repeat)))
        .fold(0, u64::saturating_add);
    Millis(per_sub_run.saturating_add(experiment.settle_ms.0).saturating_mul(u64::from(experiment.sub_runs())))
}
