//! Typed parameters of a diagnostic: their manifest entry, their values, and how a value becomes an argument.
//!
//! What is admitted by the policy is the value as it stands in argv, so rendering and reading back agree here.

#[cfg(test)]
mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::margin::RailField;
use crate::domain::name::Name;
use crate::domain::units::{Kilohertz, Microvolts, Millis, Quantity};

/// An exact decimal number, `mantissa / 10^scale`: what a `float` parameter is. There is no NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i64,
    scale: u32,
}

impl Decimal {
    /// The most decimals that are read.
    pub const MAX_SCALE: u32 = 9;

    /// `mantissa / 10^scale`, in lowest terms.
    pub const fn new(mut mantissa: i64, mut scale: u32) -> Self {
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        Self { mantissa, scale }
    }

    /// Reads `-1.25`. No exponent, no infinity; `None` when it does not fit.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
        let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) || rest.ends_with('.') {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let scale = u32::try_from(fraction.len()).ok().filter(|&s| s <= Self::MAX_SCALE)?;
        let mantissa: i64 = format!("{whole}{fraction}").parse().ok()?;
        // Bounded so that any two can be brought to one scale in an i128 and an f64 shows 15 digits.
        if mantissa.unsigned_abs() > 1_000_000_000_000_000 {
            return None;
        }
        Some(Self::new(if negative { -mantissa } else { mantissa }, scale))
    }

    /// As an integer at `scale`, which must be at least its own; `None` when it does not fit.
    pub fn at_scale(self, scale: u32) -> Option<i64> {
        let factor = 10_i64.checked_pow(scale.checked_sub(self.scale)?)?;
        self.mantissa.checked_mul(factor)
    }

    /// Decimals needed.
    pub const fn scale(self) -> u32 {
        self.scale
    }

    /// The nearest float, for comparing with measured numbers.
    #[expect(clippy::cast_precision_loss, reason = "mantissas are bounded to 10^15")]
    pub fn to_f64(self) -> f64 {
        self.mantissa as f64 / 10_f64.powi(i32::try_from(self.scale).unwrap_or(0))
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let scale = self.scale.max(other.scale);
        let at = |d: &Self| i128::from(d.mantissa) * 10_i128.pow(scale - d.scale);
        at(self).cmp(&at(other))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        write!(f, "{sign}{}", crate::domain::units::decimal(self.mantissa.unsigned_abs(), self.scale))
    }
}

impl Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a decimal number"))
    }
}

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ParamKind {
    /// A whole number.
    Int,
    /// A decimal number.
    Float,
    /// A bare flag, present or not.
    Bool,
    /// Any text of one line.
    String,
    /// One of the manifest's choices.
    Choice,
    /// A path, handed on as it is.
    Path,
    /// A length of time, rendered in the manifest's `unit`.
    Duration,
    /// A voltage, rendered in the manifest's `unit`.
    Voltage,
    /// A frequency, rendered in the manifest's `unit`.
    Frequency,
}

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ParamValue {
    /// Of an `int`.
    Int(i64),
    /// Of a `float`.
    Float(Decimal),
    /// Of a `bool`.
    Bool(bool),
    /// Of a `string`, `choice` or `path`.
    Text(String),
    /// Of a `duration`, in milliseconds.
    Duration(Millis),
    /// Of a `voltage`, in microvolts.
    Voltage(Microvolts),
    /// Of a `frequency`, in kilohertz.
    Frequency(Kilohertz),
}

impl fmt::Display for ParamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::Duration(value) => write!(f, "{value}"),
            Self::Voltage(value) => write!(f, "{value}"),
            Self::Frequency(value) => write!(f, "{value}"),
        }
    }
}

impl ParamValue {
    /// As a number for `expect` and metric limits: milliseconds, microvolts, kilohertz or the number itself.
    #[expect(clippy::cast_precision_loss, reason = "compared with measured floats; 2^53 is beyond any parameter")]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(value.to_f64()),
            Self::Duration(value) => Some(value.0 as f64),
            Self::Voltage(value) => Some(value.0 as f64),
            Self::Frequency(value) => Some(value.0 as f64),
            Self::Bool(_) | Self::Text(_) => None,
        }
    }
}

/// What a parameter is bound to, so that a flow cannot set it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Binding {
    /// The step's seed.
    Seed,
    /// The unit under test.
    Unit,
    /// A field of a rail of the margin point, with jitter.
    Margin {
        /// The rail.
        rail: Name,
        /// Which of its fields.
        field: RailField,
    },
}

/// A manifest's entry for one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamSpec {
    /// Its name.
    pub name: Name,
    /// Where it was written.
    pub place: crate::domain::place::Place,
    /// Its type.
    pub kind: ParamKind,
    /// The unit in which argv shows it: required for voltage and frequency, `s` by default for a duration.
    pub unit: Option<String>,
    /// Decimals allowed in `unit`.
    pub decimals: u32,
    /// `--flag`; a flag that ends in `=` takes its value in the same argument; `None` makes a positional.
    pub flag: Option<String>,
    /// Used when the flow says nothing.
    pub default: Option<ParamValue>,
    /// Smallest value.
    pub min: Option<ParamValue>,
    /// Largest value.
    pub max: Option<ParamValue>,
    /// What a `choice` may be.
    pub choices: Vec<String>,
    /// Left out only when not required.
    pub required: bool,
    /// Bound to the point, the seed or the unit.
    pub from: Option<Binding>,
    /// Whether a value may begin with `-`.
    pub allow_leading_dash: bool,
    /// One line for people.
    pub help: Option<String>,
}

/// Why a value cannot become an argument.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentError {
    /// The unit in which argv shows it cannot say it.
    #[error("{value} is not a whole number of {unit}{}", if *decimals == 0 { String::new() } else { format!(" with {decimals} decimals") })]
    NotWhole {
        /// The value.
        value: String,
        /// The manifest's unit.
        unit: String,
        /// Decimals allowed.
        decimals: u32,
    },
    /// It would be taken for an option.
    #[error("a value that begins with `-` needs `allow_leading_dash: true` in the manifest")]
    LeadingDash,
    /// NUL and newline never reach an argument.
    #[error("a value holds no NUL and no newline")]
    ControlCharacter,
}

/// `base` of a quantity whose unit is `factor` base units, with at most `decimals` decimals.
fn in_unit(base: u64, factor: u64, decimals: u32) -> Option<String> {
    let digits = factor.checked_ilog10().filter(|&d| 10_u64.pow(d) == factor);
    match digits {
        // A decimal unit: the text is exact when it needs no more decimals than allowed.
        Some(digits) => {
            let text = crate::domain::units::decimal(base, digits);
            let needed = text.split_once('.').map_or(0, |(_, f)| f.len());
            (needed <= decimals as usize).then_some(text)
        }
        // Minutes and hours: whole only.
        None => base.is_multiple_of(factor).then(|| (base / factor).to_string()),
    }
}

fn quantity<Q: Quantity>(value: Q, unit: Option<&str>, decimals: u32) -> Result<String, ArgumentError> {
    let text = unit_factor::<Q>(unit).and_then(|factor| in_unit(value.base(), factor, decimals));
    text.ok_or_else(|| {
        let unit = unit.or(Q::UNITS.first().map(|u| u.0)).unwrap_or_default().to_owned();
        ArgumentError::NotWhole { value: value.to_string(), unit, decimals }
    })
}

/// The value as text of one argument, in `unit` with at most `decimals`. A `bool` has none: its flag stands or not.
pub fn render(
    value: &ParamValue,
    unit: Option<&str>,
    decimals: u32,
    allow_leading_dash: bool,
) -> Result<String, ArgumentError> {
    let text = match value {
        ParamValue::Duration(v) => quantity(*v, unit, decimals)?,
        ParamValue::Voltage(v) => quantity(*v, unit, decimals)?,
        ParamValue::Frequency(v) => quantity(*v, unit, decimals)?,
        other => other.to_string(),
    };
    if text.contains(['\0', '\n']) {
        return Err(ArgumentError::ControlCharacter);
    }
    if text.starts_with('-') && !allow_leading_dash {
        return Err(ArgumentError::LeadingDash);
    }
    Ok(text)
}

/// Base units in one `unit`, the kind's first unit when none is given; `None` for a unit of another kind.
pub fn unit_factor<Q: Quantity>(unit: Option<&str>) -> Option<u64> {
    match unit {
        Some(unit) => Q::UNITS.iter().find(|(name, _)| *name == unit).map(|u| u.1),
        None => Q::UNITS.first().map(|u| u.1),
    }
}

impl ParamSpec {
    /// The value as text of one argument.
    pub fn render(&self, value: &ParamValue) -> Result<String, ArgumentError> {
        render(value, self.unit.as_deref(), self.decimals, self.allow_leading_dash)
    }

    /// All arguments of a value: flag and value, `flag=value`, the value alone, or a bare flag for a true `bool`.
    pub fn arguments(&self, value: &ParamValue) -> Result<Vec<String>, ArgumentError> {
        match value {
            ParamValue::Bool(on) => Ok(self.flag.iter().filter(|_| *on).cloned().collect()),
            other => Ok(Self::flagged(self.flag.as_deref(), self.render(other)?)),
        }
    }

    /// The arguments around one rendered value.
    pub fn flagged(flag: Option<&str>, rendered: String) -> Vec<String> {
        match flag {
            Some(flag) if flag.ends_with('=') => vec![format!("{flag}{rendered}")],
            Some(flag) => vec![flag.to_owned(), rendered],
            None => vec![rendered],
        }
    }
}
