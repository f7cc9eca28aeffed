//! The safety policy: bounds, where each came from, and how they intersect. Admission is in `admission.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::evidence::rules::{EvidenceRules, RuleParts};
use crate::domain::host::MatchRules;
use crate::domain::margin::RailField;
use crate::domain::name::Name;
use crate::domain::param::ParamValue;
use crate::domain::place::{Place, Placed};
use crate::domain::problem::Problem;
use crate::domain::units::{Bytes, Millis};

/// A base policy, `policy/safety.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SafetyPolicy {
    /// Its name.
    pub name: Name,
    /// The file it was read from, as shown.
    pub file: Arc<str>,
    /// The outer bounds.
    pub limits: Limits,
}

/// A hardware profile: when it applies, and the bounds that it tightens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: Name,
    /// The file it was read from, as shown.
    pub file: Arc<str>,
    /// Of the matching profiles those of the highest priority apply.
    pub priority: i64,
    /// Every rule given must hold.
    pub rules: MatchRules,
    /// Bounds to intersect with the base.
    pub limits: Limits,
}

/// The bounds of one document. `None` and absent mean that this document says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Per rail field, both ends, in base units.
    pub rails: BTreeMap<(Name, RailField), Placed<Interval<u64>>>,
    /// Per parameter.
    pub params: BTreeMap<ParamKey, Placed<ParamBound>>,
    /// More sub-runs than this is a violation.
    pub max_subruns: Option<Placed<u64>>,
    /// The longest time limit of a step.
    pub max_step_timeout: Option<Placed<Millis>>,
    /// The largest log of one stream.
    pub max_log: Option<Placed<Bytes>>,
    /// Weights of effects.
    pub severity: Option<Severities>,
    /// The controllers that may move rails.
    pub controllers: Option<Placed<BTreeSet<Name>>>,
    /// What follows from what the hardware says.
    pub evidence: Option<Placed<RuleParts>>,
}

/// Weights by which effects are compared. The defaults are those usually quoted from X-Gene undervolting studies; their
/// source could not be checked, so they stand in the policy for people to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Severities {
    /// The diagnostic crashed.
    pub ac: u32,
    /// Corrected error.
    pub ce: u32,
    /// The host crashed.
    pub sc: u32,
    /// Silent data corruption.
    pub sdc: u32,
    /// Uncorrected error.
    pub ue: u32,
}

impl Default for Severities {
    fn default() -> Self {
        Self { ac: 8, ce: 1, sc: 16, sdc: 4, ue: 2 }
    }
}

/// A closed interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Interval_of_{T}"))]
#[serde(deny_unknown_fields)]
pub struct Interval<T> {
    /// The largest allowed.
    pub max: T,
    /// The smallest allowed.
    pub min: T,
}

impl<T: Ord + Copy> Interval<T> {
    /// Whether `value` lies within, ends included.
    pub fn contains(&self, value: T) -> bool {
        self.min <= value && value <= self.max
    }
}

impl Interval<u64> {
    /// Whether `value` lies within whatever an offset of at most `jitter` makes of it, either way.
    pub fn contains_either_way(&self, value: u64, jitter: u64) -> bool {
        value.checked_sub(jitter).is_some_and(|low| self.contains(low))
            && value.checked_add(jitter).is_some_and(|high| self.contains(high))
    }
}

/// Which parameter a bound is for: `size_mb` of any adapter, or `cpu_smoke.iterations` of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ParamKey {
    /// `None` is any adapter.
    pub adapter: Option<Name>,
    /// The parameter.
    pub param: Name,
}

impl fmt::Display for ParamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(adapter) = &self.adapter {
            write!(f, "{adapter}.")?;
        }
        self.param.fmt(f)
    }
}

impl TryFrom<String> for ParamKey {
    type Error = crate::domain::name::NotAName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(match text.split_once('.') {
            Some((adapter, param)) => Self { adapter: Some(Name::new(adapter)?), param: Name::new(param)? },
            None => Self { adapter: None, param: Name::new(&text)? },
        })
    }
}

impl From<ParamKey> for String {
    fn from(key: ParamKey) -> Self {
        key.to_string()
    }
}

/// The bound of a parameter; at least one end. Both ends are of one type; a value of another type is a violation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ParamBound {
    /// The largest allowed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max: Option<ParamValue>,
    /// The smallest allowed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min: Option<ParamValue>,
}

/// A bound in force and the documents that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Bound_of_{T}"))]
#[serde(deny_unknown_fields)]
pub struct Bound<T> {
    /// Where it was written, `file:line:column`, the tightest document last.
    pub from: Vec<String>,
    /// The bound.
    pub is: T,
}

/// The bounds in force: base intersected with profiles. Frozen into the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The controllers that may move rails; without it all of the workspace may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controllers: Option<Bound<BTreeSet<Name>>>,
    /// What follows from what the hardware says.
    #[serde(default, skip_serializing_if = "EvidenceRules::is_default")]
    pub evidence: EvidenceRules,
    /// The largest log of one stream.
    pub max_log: Bound<Bytes>,
    /// The longest time limit of a step.
    pub max_step_timeout: Bound<Millis>,
    /// More sub-runs than this is a violation.
    pub max_subruns: Bound<u64>,
    /// Per parameter; all that name it must hold.
    pub params: BTreeMap<ParamKey, Bound<ParamBound>>,
    /// Per rail, then per field, in base units.
    pub rails: BTreeMap<Name, BTreeMap<RailField, Bound<Interval<u64>>>>,
    /// Weights of effects.
    pub severity: Severities,
}

impl Bounds {
    /// Whether a controller may move rails.
    pub fn arms(&self, controller: &Name) -> bool {
        self.controllers.as_ref().is_none_or(|armed| armed.is.contains(controller))
    }
}

/// Bounds and the places behind them, for errors that show both files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundsInForce {
    /// The plain data.
    pub bounds: Bounds,
    /// The base policy's name.
    pub policy: Name,
    /// The profiles that apply, in name order.
    pub profiles: Vec<Name>,
    /// Where each rail bound was written: the tightest document for the lower end and for the upper end.
    pub rail_places: BTreeMap<(Name, RailField), (Place, Place)>,
    /// Where each parameter bound was written.
    pub param_places: BTreeMap<ParamKey, Place>,
}

/// Defaults of what a policy may leave out, as `formats.md` shows them.
pub mod defaults {
    use crate::domain::units::{Bytes, Millis};
    /// Sub-runs.
    pub const MAX_SUBRUNS: u64 = 10_000;
    /// A step's time limit.
    pub const MAX_STEP_TIMEOUT: Millis = Millis(3_600_000);
    /// A stream's log.
    pub const MAX_LOG: Bytes = Bytes(256 << 20);
}

/// What intersecting says when it cannot: problems (exit 2).
pub type Problems = Vec<Problem>;
