//! The frozen plan: everything a run needs, hashed, and nothing common stored twice. Expanding it is substitution only.
//!
//! What makes the experiment is in [`Experiment`], and the digest is over that alone; what only describes this host or
//! this unit is beside it. A sub-run is a row of axis indices; [`Experiment::sub_run`] makes it whole when it is wanted.

mod freeze;
pub mod stand_in;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::adapter::Judgement;
use crate::domain::event::{Applied, AppliedFields, applied_key};
use crate::domain::flow::{OnFailure, PassRule};
use crate::domain::host::HostFacts;
use crate::domain::margin::{FieldKey, Nominal, Order, RailField, StopAfter};
use crate::domain::name::Name;
use crate::domain::param::{Binding, ParamSpec, ParamValue};
use crate::domain::point::{MarginPoint, Rails};
use crate::domain::policy::Bounds;
use crate::domain::rails::{Controllers, controller_of};
use crate::domain::seed::{Seed, SeedPurpose};
use crate::domain::table::Table;
use crate::domain::units::{Kilohertz, Microvolts, Millis};

/// The version of `plan.json` that this program writes.
pub const FORMAT_VERSION: u32 = 1;

/// A frozen plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// SHA-256 over the canonical JSON of `experiment`: keys sorted, no white space, whole numbers.
    pub digest: String,
    /// The unit under test, if named.
    pub unit: Option<String>,
    /// The host for which the bounds were chosen.
    pub host: HostFacts,
    /// Where executables that were looked up on PATH were found, by the name in the manifest.
    pub found: BTreeMap<String, String>,
    /// What is done.
    pub experiment: Experiment,
}

/// What is done, and within which bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// The flow's name.
    pub flow: Name,
    /// The margin profile's name.
    pub margin: Name,
    /// The base policy's name.
    pub policy: Name,
    /// The hardware profiles that apply, in name order.
    pub profiles: Vec<Name>,
    /// The seed of everything.
    pub global_seed: Seed,
    /// The bounds in force when it was planned.
    pub bounds: Bounds,
    /// Every document that was read for it, by path.
    pub inputs: BTreeMap<String, InputFile>,
    /// The adapters that it uses.
    pub adapters: BTreeMap<Name, PlannedAdapter>,
    /// What moves its rails, where something does.
    #[serde(default, skip_serializing_if = "Controllers::is_empty")]
    pub controllers: Controllers,
    /// The steps of every sub-run.
    pub steps: Vec<StepTemplate>,
    /// Waited after setpoints were applied.
    pub settle_ms: Millis,
    /// When the rest of a line is skipped.
    pub stop_line: PlannedStopLine,
    /// In which order the points stand.
    pub order: Order,
    /// Datasheet points.
    pub nominal: BTreeMap<Name, Nominal>,
    /// Fields that are the same at every point, in base units.
    pub fixed: BTreeMap<FieldKey, u64>,
    /// What is swept, slowest first.
    pub axes: Vec<Axis>,
    /// Fields with jitter, in key order; a column of `offsets` each.
    pub jitter: Vec<PlannedJitter>,
    /// A row a sub-run in the order of execution: an index into each axis.
    pub points: Table<u32>,
    /// A row a sub-run where there is jitter: the offset of each jittered field in base units.
    pub offsets: Table<i32>,
}

/// A document that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct InputFile {
    /// What it is: `flow`, `margin`, `policy`, `profile`, `adapter`, `controller`.
    pub kind: String,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// An executable as the manifest names it, with the hash of its content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Executable {
    /// Relative to the workspace, a bare name, or absolute.
    pub path: String,
    /// SHA-256 of its content.
    pub sha256: String,
}

/// What a run needs of an adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlannedAdapter {
    /// The program.
    pub executable: Executable,
    /// Environment for the child.
    pub env: BTreeMap<String, String>,
    /// Rails that the diagnostic itself applies, both fields.
    pub rails: Vec<Name>,
    /// Commands after each of its steps.
    pub restore: Vec<Executable>,
    /// How an execution is judged.
    pub judgement: Judgement,
    /// Nothing written for this long is a hang.
    pub silence_ms: Option<Millis>,
    /// Between SIGTERM and SIGKILL.
    pub grace_ms: Millis,
    /// Arguments that make it print its version.
    pub version_args: Vec<String>,
}

/// A step of the flow with every combination of its swept parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StepTemplate {
    /// The flow's name for it.
    pub name: Name,
    /// What runs it.
    pub adapter: Name,
    /// Its time limit.
    pub timeout_ms: Millis,
    /// Repetitions of each combination.
    pub repeat: u32,
    /// How repetitions make one verdict.
    pub pass_rule: PassRule,
    /// Skipping by its own word is no gap.
    pub optional: bool,
    /// What follows a verdict above inconclusive.
    pub on_failure: OnFailure,
    /// In order, at least one.
    pub combinations: Vec<Combination>,
}

/// One combination of a step's swept parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Combination {
    /// The swept parameters in name order, `pattern=checkerboard,size_mb=16`; empty without a sweep.
    pub key: String,
    /// Values that the point does not change.
    pub params: BTreeMap<Name, ParamValue>,
    /// Arguments in order; the program itself stands in front when it is started.
    pub argv: Vec<Argument>,
}

/// One entry of a step's arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Argument {
    /// As it stands.
    Text(String),
    /// Filled in from the point, the seed or the unit.
    Bound(Box<BoundArgument>),
}

/// Arguments that depend on the sub-run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BoundArgument {
    /// The parameter.
    pub param: Name,
    /// What it is bound to.
    pub from: Binding,
    /// `--flag`, `flag=`, or none for a positional.
    pub flag: Option<String>,
    /// The unit in which argv shows it.
    pub unit: Option<String>,
    /// Decimals allowed in it.
    pub decimals: u32,
    /// Whether a value may begin with `-`.
    pub allow_leading_dash: bool,
    /// Used where the binding has no value.
    pub default: Option<ParamValue>,
}

/// When the rest of a line is skipped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlannedStopLine {
    /// The axis along which it counts, as an index; `None` when nothing is swept.
    pub axis: Option<u32>,
    /// After what.
    pub after: StopAfter,
    /// So many in a row.
    pub count: u32,
}

/// A jittered field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PlannedJitter {
    /// The field.
    pub field: FieldKey,
    /// Largest offset either way, in base units.
    pub max: u64,
    /// Grid of the offsets, in base units.
    pub step: u64,
}

/// Something swept: one field, an AVT pair, or the recipes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Axis {
    /// `core.voltage`, `mem_pattern/mem.voltage`, `core` for pairs, `recipe`.
    pub name: String,
    /// The recipes' names, one a position; else empty.
    pub labels: Vec<Name>,
    /// The fields that it sets, each with a value a position, in base units; `null` where a recipe leaves one out.
    pub columns: BTreeMap<FieldKey, Vec<Option<u64>>>,
}

impl Axis {
    /// Positions on it.
    pub fn len(&self) -> usize {
        self.columns.values().next().map_or(self.labels.len(), Vec::len)
    }

    /// Whether it has no position.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Whether at every point at least one of `keys` has a value.
pub fn is_everywhere(fixed: &BTreeMap<FieldKey, u64>, axes: &[Axis], keys: &[FieldKey]) -> bool {
    let held = |axis: &Axis, position: usize| {
        keys.iter()
            .any(|key| axis.columns.get(key).and_then(|column| column.get(position)).is_some_and(Option::is_some))
    };
    keys.iter().any(|key| fixed.contains_key(key))
        || axes.iter().any(|axis| !axis.is_empty() && (0..axis.len()).all(|position| held(axis, position)))
}

/// A sub-run made whole.
#[derive(Debug, Clone, PartialEq)]
pub struct SubRun {
    /// From 0, in the order of execution.
    pub index: u32,
    /// Where the margin is.
    pub point: MarginPoint,
    /// Its own seed.
    pub seed: Seed,
    /// The point's key, from which seeds are hashed.
    pub key: String,
}

/// One execution made whole, but for what is filled in at spawn (run id, artifact folder, PATH).
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedStep<'p> {
    /// Counts executions within the sub-run.
    pub index: u32,
    /// The step.
    pub template: &'p StepTemplate,
    /// The combination.
    pub combination: &'p Combination,
    /// From 0.
    pub repetition: u32,
    /// Its seed.
    pub seed: Seed,
    /// Every parameter with its value.
    pub params: BTreeMap<Name, ParamValue>,
    /// Arguments, without the program.
    pub argv: Vec<String>,
    /// The rails that it sees.
    pub rails: Rails,
    /// Who applies them.
    pub applied: AppliedFields,
}

impl Experiment {
    /// How many sub-runs.
    pub fn sub_runs(&self) -> u32 {
        u32::try_from(self.points.rows()).unwrap_or(u32::MAX)
    }

    /// How many executions each sub-run has.
    pub fn executions(&self) -> u32 {
        let count: u64 = self.steps.iter().map(|s| s.combinations.len() as u64 * u64::from(s.repeat)).sum();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// The sub-run at `index`.
    pub fn sub_run(&self, index: u32) -> Option<SubRun> {
        let point = self.point(index)?;
        let key = point.key();
        let purpose =
            SeedPurpose { global: self.global_seed, point: &key, step: "", combination: "", repetition: None };
        Some(SubRun { index, seed: purpose.seed(), point, key })
    }

    /// Where the margin is in the sub-run at `index`.
    pub fn point(&self, index: u32) -> Option<MarginPoint> {
        let row = self.points.row(index as usize)?;
        let offsets = self.offsets.row(index as usize).unwrap_or(&[]);
        let mut point = MarginPoint::default();
        let mut set = |key: &FieldKey, grid: u64| {
            let jittered = self.jitter.iter().position(|j| j.field == *key);
            let offset = jittered.and_then(|column| offsets.get(column)).copied().unwrap_or(0);
            let commanded = grid.saturating_add_signed(i64::from(offset));
            let rails = match &key.adapter {
                Some(adapter) => point.adapters.entry(adapter.clone()).or_default(),
                None => &mut point.rails,
            };
            rails.entry(key.rail.clone()).or_default().set(key.field, grid, commanded);
        };
        for (key, value) in &self.fixed {
            set(key, *value);
        }
        let mut name = None;
        for (axis, position) in self.axes.iter().zip(row) {
            let position = *position as usize;
            name = axis.labels.get(position).cloned().or(name);
            for (key, values) in &axis.columns {
                if let Some(value) = values.get(position).copied().flatten() {
                    set(key, value);
                }
            }
        }
        point.name = name;
        Some(point)
    }

    /// The execution at `index` of a sub-run. Errors say which value cannot be rendered; the planner has tried them all.
    pub fn step(
        &self,
        sub_run: &SubRun,
        index: u32,
        unit: &str,
    ) -> Option<Result<PlannedStep<'_>, crate::domain::param::ArgumentError>> {
        let (template, combination, repetition) = self.locate(index)?;
        let purpose = SeedPurpose {
            global: self.global_seed,
            point: &sub_run.key,
            step: template.name.as_str(),
            combination: &combination.key,
            repetition: Some(repetition),
        };
        let seed = purpose.seed();
        let rails = sub_run.point.seen_by(&template.adapter);
        let applied = self.applied(template, combination, &rails);
        let mut params = combination.params.clone();
        let mut argv = Vec::with_capacity(combination.argv.len() + 4);
        for argument in &combination.argv {
            match argument {
                Argument::Text(text) => argv.push(text.clone()),
                Argument::Bound(bound) => {
                    let Some(value) = bound.value(seed, unit, &rails) else { continue };
                    match bound.render(&value) {
                        Ok(arguments) => argv.extend(arguments),
                        Err(error) => return Some(Err(error)),
                    }
                    params.insert(bound.param.clone(), value);
                }
            }
        }
        Some(Ok(PlannedStep { index, template, combination, repetition, seed, params, argv, rails, applied }))
    }

    /// Which step, combination and repetition the execution at `index` is.
    pub fn locate(&self, index: u32) -> Option<(&StepTemplate, &Combination, u32)> {
        let mut left = index;
        for step in &self.steps {
            let combinations = u32::try_from(step.combinations.len()).ok()?;
            let executions = combinations.checked_mul(step.repeat)?;
            if left < executions {
                let combination = step.combinations.get((left / step.repeat) as usize)?;
                return Some((step, combination, left % step.repeat));
            }
            left -= executions;
        }
        None
    }

    /// Who applies each field that a step sees. Where a rail has a controller that drives it, the controller does.
    fn applied(&self, template: &StepTemplate, combination: &Combination, rails: &Rails) -> AppliedFields {
        let owned = self.adapters.get(&template.adapter).map(|a| a.rails.as_slice()).unwrap_or_default();
        let mut applied = AppliedFields::new();
        for (rail, setting) in rails {
            for field in RailField::ALL.into_iter().filter(|f| setting.grid(*f).is_some()) {
                let bound = combination.argv.iter().any(|argument| {
                    matches!(argument, Argument::Bound(b)
                        if matches!(&b.from, Binding::Margin { rail: r, field: f } if r == rail && *f == field))
                });
                let by = match controller_of(&self.controllers, rail) {
                    Some((_, controller)) if controller.drives(field) => Applied::Controller,
                    _ if bound || owned.contains(rail) => Applied::Adapter,
                    _ => Applied::None,
                };
                applied.insert(applied_key(rail, field), by);
            }
        }
        applied
    }

    /// The swept fields that the steps of an adapter see, as `applied` names them: what a point is about.
    pub fn swept_fields(&self, adapter: &Name) -> Vec<String> {
        // A field that the adapter has fixed for itself is not swept for it, whatever the default does.
        let sees = |key: &&FieldKey| match &key.adapter {
            Some(own) => own == adapter,
            None => !self.fixed.contains_key(&FieldKey { adapter: Some(adapter.clone()), ..(*key).clone() }),
        };
        let swept = self.axes.iter().flat_map(|a| a.columns.keys()).filter(sees);
        let mut keys: Vec<String> = swept.map(|k| applied_key(&k.rail, k.field)).collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

impl BoundArgument {
    /// Whether the value comes from a rail that a step sees, and so is judged with the rail.
    pub fn is_held_by(&self, rails: &Rails) -> bool {
        matches!(&self.from, Binding::Margin { rail, field }
            if rails.get(rail).is_some_and(|setting| setting.commanded(*field).is_some()))
    }

    /// The value at one point; `None` when the binding has none and there is no default.
    pub fn value(&self, seed: Seed, unit: &str, rails: &Rails) -> Option<ParamValue> {
        let bound = match &self.from {
            Binding::Seed => Some(ParamValue::Int(i64::from(seed))),
            Binding::Unit => (!unit.is_empty()).then(|| ParamValue::Text(unit.to_owned())),
            Binding::Margin { rail, field } => {
                rails.get(rail).and_then(|setting| setting.commanded(*field)).map(|base| match field {
                    RailField::Frequency => ParamValue::Frequency(Kilohertz(base)),
                    RailField::Voltage => ParamValue::Voltage(Microvolts(base)),
                })
            }
        };
        bound.or_else(|| self.default.clone())
    }

    /// The arguments for a value.
    pub fn render(&self, value: &ParamValue) -> Result<Vec<String>, crate::domain::param::ArgumentError> {
        let text = crate::domain::param::render(value, self.unit.as_deref(), self.decimals, self.allow_leading_dash)?;
        Ok(ParamSpec::flagged(self.flag.as_deref(), text))
    }
}
