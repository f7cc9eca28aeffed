//! A flow: ordered diagnostics with their parameters, already typed by the adapters' manifests.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::name::Name;
use crate::domain::param::ParamValue;
use crate::domain::place::{Place, Placed};
use crate::domain::units::Millis;

/// An ordered list of diagnostics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// Its name.
    pub name: Name,
    /// The file it was read from, as shown.
    pub file: Arc<str>,
    /// One line for people.
    pub description: Option<String>,
    /// At least one; names unique.
    pub steps: Vec<FlowStep>,
}

/// One step of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowStep {
    /// Unique in the flow.
    pub name: Placed<Name>,
    /// The adapter that runs it.
    pub adapter: Placed<Name>,
    /// Values set by the flow, in name order.
    pub params: Vec<(Name, Placed<ParamValue>)>,
    /// Swept parameters in the order written; the last is fastest.
    pub sweep: Vec<(Name, ParamSweep)>,
    /// Repetitions of each combination, at least one.
    pub repeat: u32,
    /// How repetitions make one verdict.
    pub pass_rule: PassRule,
    /// Skipping by its own word does not make the point inconclusive.
    pub optional: bool,
    /// What follows a verdict above inconclusive.
    pub on_failure: OnFailure,
    /// The time limit; `None` takes the adapter's, else ten minutes.
    pub timeout: Option<Placed<Millis>>,
}

/// The values that one parameter takes in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParamSweep {
    /// As written, each with its place; at least one.
    List(Vec<Placed<ParamValue>>),
    /// A range of whole steps; `value` makes the parameter's type from the number at an index.
    Range {
        /// The numbers, in the base unit or, for a `float`, in units of `10^-scale`.
        range: crate::domain::sweep::Range,
        /// The type of the values.
        kind: crate::domain::param::ParamKind,
        /// Decimals of a `float`.
        scale: u32,
        /// Where it was written.
        place: Place,
    },
}

impl ParamSweep {
    /// How many values, without making them.
    pub fn len(&self) -> u64 {
        match self {
            Self::List(values) => values.len() as u64,
            Self::Range { range, .. } => range.len(),
        }
    }

    /// Whether there is nothing to sweep.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at `index` and where it was written.
    pub fn at(&self, index: u64) -> Option<(ParamValue, Place)> {
        use crate::domain::param::{Decimal, ParamKind};
        use crate::domain::units::{Kilohertz, Microvolts};
        match self {
            Self::List(values) => {
                let placed = values.get(usize::try_from(index).ok()?)?;
                Some((placed.value.clone(), placed.place.clone()))
            }
            Self::Range { range, kind, scale, place } => {
                let number = range.at(index)?;
                let base = u64::try_from(number).ok();
                let value = match kind {
                    ParamKind::Int => ParamValue::Int(number),
                    ParamKind::Float => ParamValue::Float(Decimal::new(number, *scale)),
                    ParamKind::Duration => ParamValue::Duration(Millis(base?)),
                    ParamKind::Voltage => ParamValue::Voltage(Microvolts(base?)),
                    ParamKind::Frequency => ParamValue::Frequency(Kilohertz(base?)),
                    ParamKind::Bool | ParamKind::String | ParamKind::Choice | ParamKind::Path => return None,
                };
                Some((value, place.clone()))
            }
        }
    }
}

/// How the verdicts of repetitions make one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PassRule {
    /// Every repetition must pass.
    #[default]
    All,
    /// One pass is enough.
    Any,
    /// So many must pass.
    AtLeast(u32),
}

impl PassRule {
    /// Passes needed of `of` repetitions.
    pub fn needed(self, of: u32) -> u32 {
        match self {
            Self::All => of,
            Self::Any => 1,
            Self::AtLeast(n) => n.min(of),
        }
    }
}

/// What follows when a step's verdict, after its pass rule, is above inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// Go on.
    #[default]
    Continue,
    /// Skip the rest of the sub-run.
    StopSubrun,
    /// Stop the run.
    StopRun,
}
