//! A margin profile as written: rails, sweeps, order, jitter. The planner makes points of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::name::Name;
use crate::domain::place::{Place, Placed};
use crate::domain::seed::Seed;
use crate::domain::sweep::Sweep;
use crate::domain::units::{Kilohertz, Microvolts, Millis};

/// Which quantity of a rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RailField {
    /// The clock, in kilohertz.
    Frequency,
    /// The supply, in microvolts.
    Voltage,
}

impl RailField {
    /// Both, by name.
    pub const ALL: [Self; 2] = [Self::Frequency, Self::Voltage];

    /// As written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Frequency => "frequency",
            Self::Voltage => "voltage",
        }
    }

    /// A value of this field for people.
    pub fn show(self, base: u64) -> String {
        match self {
            Self::Frequency => Kilohertz(base).to_string(),
            Self::Voltage => Microvolts(base).to_string(),
        }
    }
}

impl fmt::Display for RailField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One field of one rail, as every adapter sees it or as one does: `core.voltage`, `mem_pattern/mem.voltage`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FieldKey {
    /// The adapter that alone sees it.
    pub adapter: Option<Name>,
    /// The rail.
    pub rail: Name,
    /// Which of its fields.
    pub field: RailField,
}

impl fmt::Display for FieldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(adapter) = &self.adapter {
            write!(f, "{adapter}/")?;
        }
        write!(f, "{}.{}", self.rail, self.field)
    }
}

/// A text that is no field key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a field is written `rail.voltage`, `rail.frequency` or `adapter/rail.voltage`")]
pub struct NotAField;

impl FromStr for FieldKey {
    type Err = NotAField;
    fn from_str(text: &str) -> Result<Self, NotAField> {
        let (adapter, rest) = match text.split_once('/') {
            Some((adapter, rest)) => (Some(Name::new(adapter).map_err(|_| NotAField)?), rest),
            None => (None, text),
        };
        let (rail, field) = rest.split_once('.').ok_or(NotAField)?;
        let field = RailField::ALL.into_iter().find(|f| f.as_str() == field).ok_or(NotAField)?;
        Ok(Self { adapter, rail: Name::new(rail).map_err(|_| NotAField)?, field })
    }
}

impl TryFrom<String> for FieldKey {
    type Error = NotAField;
    fn try_from(text: String) -> Result<Self, NotAField> {
        text.parse()
    }
}

impl From<FieldKey> for String {
    fn from(key: FieldKey) -> Self {
        key.to_string()
    }
}

/// A margin profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarginProfile {
    /// Its name.
    pub name: Name,
    /// The file it was read from, as shown.
    pub file: Arc<str>,
    /// One line for people.
    pub description: Option<String>,
    /// The sweep's seed; absent: drawn once and recorded.
    pub global_seed: Option<Seed>,
    /// The datasheet point of each rail.
    pub nominal: Vec<(Name, Nominal)>,
    /// Axis names, slowest first: all swept ones, each once; `None` is as written.
    pub axes: Option<Vec<Placed<String>>>,
    /// In which order the points are visited.
    pub order: Order,
    /// After a setpoint is applied, before anything is believed.
    pub settle: Millis,
    /// When the rest of a line is skipped.
    pub stop_line: StopLine,
    /// Rails that every adapter sees, in the order written.
    pub default: Vec<RailSpec>,
    /// Rails, or single fields of one, for one adapter.
    pub adapters: Vec<(Placed<Name>, Vec<RailSpec>)>,
    /// Fixed points instead of sweeps. Not empty only when nothing is swept.
    pub recipes: Vec<Recipe>,
    /// Jittered fields.
    pub jitter: Vec<(Placed<FieldKey>, Jitter)>,
}

/// The datasheet point of a rail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Nominal {
    /// In microvolts.
    #[serde(rename = "voltage_uv", skip_serializing_if = "Option::is_none")]
    pub voltage: Option<Microvolts>,
    /// In kilohertz.
    #[serde(rename = "frequency_khz", skip_serializing_if = "Option::is_none")]
    pub frequency: Option<Kilohertz>,
}

/// One rail of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RailSpec {
    /// The rail.
    pub rail: Placed<Name>,
    /// What it takes.
    pub shape: RailShape,
}

/// What a rail takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RailShape {
    /// Fields, each fixed or swept, in the order written.
    Fields(Vec<(RailField, FieldSpec)>),
    /// AVT pairs, swept together as one axis named like the rail.
    Pairs(Vec<Pair>),
}

/// What a field takes, in its base unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldSpec {
    /// One value.
    Fixed(Placed<u64>),
    /// An axis. A list has a place for each value, a range one for the whole.
    Swept {
        /// The values, never negative.
        sweep: Sweep<i64>,
        /// Where each value of a list was written, or the range.
        places: Vec<Place>,
    },
}

/// An AVT pair: one rail's voltage and frequency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// In microvolts.
    pub voltage: Placed<Microvolts>,
    /// In kilohertz.
    pub frequency: Placed<Kilohertz>,
}

/// A named point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Its name, unique.
    pub name: Placed<Name>,
    /// Fixed fields, in key order.
    pub settings: Vec<(FieldKey, Placed<u64>)>,
}

/// A uniform offset, hashed per seed, point and rail: at most `max` either way, in whole `step`s; base units.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jitter {
    /// Largest offset.
    pub max: u64,
    /// Grid of the offsets, at least one.
    pub step: u64,
    /// Where it was written.
    pub place: Place,
}

/// In which order the points are visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Every line from its start.
    #[default]
    Raster,
    /// Every other line backwards, so that neighbours in time are neighbours on the grid.
    Snake,
    /// Hashed from the seed.
    Shuffled,
}

/// When the rest of a line is skipped and counts as not measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StopLine {
    /// The axis along which it counts; `None` is the fastest.
    pub axis: Option<Placed<String>>,
    /// After what.
    pub after: StopAfter,
    /// So many in a row.
    pub count: u32,
}

impl Default for StopLine {
    fn default() -> Self {
        Self { axis: None, after: StopAfter::Crashed, count: 1 }
    }
}

/// The verdict that ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum StopAfter {
    /// The host went down.
    #[default]
    Crashed,
    /// The unit failed in any way.
    Fail,
}
