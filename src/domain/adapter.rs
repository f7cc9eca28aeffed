//! An adapter: how a diagnostic is started and how its outcome is judged.
//!
//! The parts that a plan freezes are plain data; regular expressions stay text here, checked by the reader.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::name::Name;
use crate::domain::param::{Decimal, ParamSpec};
use crate::domain::place::{Place, Placed};
use crate::domain::units::Millis;
use crate::domain::verdict::Effect;

/// A diagnostic's manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Its name.
    pub name: Name,
    /// The file it was read from, as shown.
    pub file: Arc<str>,
    /// One line for people.
    pub description: Option<String>,
    /// Relative inside `diags/`, a bare name for PATH, or absolute.
    pub path: Placed<String>,
    /// Arguments before all parameters.
    pub args: Vec<String>,
    /// Parameters in the order written, which is the order in argv.
    pub params: Vec<ParamSpec>,
    /// Environment for the child.
    pub env: BTreeMap<String, String>,
    /// Rails that this diagnostic itself applies.
    pub rails: Vec<Placed<Name>>,
    /// Commands run after each of its steps, however it ended; same path rules.
    pub restore: Vec<Placed<String>>,
    /// How its outcome is judged.
    pub judgement: Judgement,
    /// The time limit where the flow gives none.
    pub timeout: Option<Placed<Millis>>,
    /// Nothing written for this long is a hang.
    pub silence: Option<Millis>,
    /// Between SIGTERM and SIGKILL.
    pub grace: Millis,
    /// Arguments that make it print its version.
    pub version_args: Vec<String>,
}

impl Adapter {
    /// The time limit when neither flow nor manifest gives one.
    pub const DEFAULT_TIMEOUT: Millis = Millis(600_000);
    /// The grace when the manifest gives none.
    pub const DEFAULT_GRACE: Millis = Millis(5_000);

    /// The parameter of that name.
    pub fn param(&self, name: &str) -> Option<&ParamSpec> {
        self.params.iter().find(|p| p.name.as_str() == name)
    }

    /// Whether anything but the exit code proves a pass.
    pub const fn declares_proof(&self) -> bool {
        self.judgement.declares_proof()
    }
}

/// How an execution is judged.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// What each exit code means.
    pub exit_codes: ExitCodes,
    /// What makes an effect.
    pub effects: BTreeMap<Effect, Vec<EffectRule>>,
    /// Signs that the rig failed and not the unit, for tools that exit alike for both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rig_errors: Vec<EffectRule>,
    /// Proof that the test took place; all must hold for a pass.
    pub expect: Vec<Expectation>,
    /// Measured values.
    pub metrics: Vec<MetricSpec>,
}

impl Judgement {
    /// Whether anything but the exit code proves a pass: an `expect`, or a metric that must be there.
    pub const fn declares_proof(&self) -> bool {
        !self.expect.is_empty()
    }
}

/// The meaning of exit codes. Those not listed: see `formats.md`, Verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExitCodes {
    /// Default `[0]`.
    pub pass: Vec<i32>,
    /// The unit failed.
    pub fail: Vec<i32>,
    /// The diagnostic's own word that it did not run.
    pub skip: Vec<i32>,
    /// The rig failed.
    pub error: Vec<i32>,
}

impl Default for ExitCodes {
    fn default() -> Self {
        Self { pass: vec![0], fail: vec![], skip: vec![], error: vec![] }
    }
}

/// All conditions given must hold; at least one is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct EffectRule {
    /// The exit code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exit: Option<i32>,
    /// A regular expression somewhere in stdout.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stdout_matches: Option<String>,
    /// A regular expression somewhere in stderr.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stderr_matches: Option<String>,
}

/// One proof that the test took place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Expectation {
    /// Somewhere in stdout.
    StdoutMatches(String),
    /// Somewhere in stderr.
    StderrMatches(String),
    /// Nowhere in stdout.
    StdoutAbsent(String),
    /// Nowhere in stderr.
    StderrAbsent(String),
    /// Ran at least so long: a number in milliseconds.
    MinDuration(Reference),
    /// A metric was measured and lies within.
    Metric {
        /// Which.
        metric: Name,
        /// At least.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        min: Option<Reference>,
        /// At most.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        max: Option<Reference>,
    },
}

/// A number, or the step's parameter of that name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// As written; durations in milliseconds.
    Number(Decimal),
    /// The value that the step's parameter has (durations in milliseconds, voltages in microvolts, frequencies in kilohertz).
    /// Where a bare number stands for a duration (`min_duration`) it counts seconds.
    Param(Name),
}

/// A value read from what a step left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MetricSpec {
    /// Its name.
    pub name: Name,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub unit: Option<String>,
    /// Where it is read.
    pub source: MetricSource,
    /// Below is `fail`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min: Option<Reference>,
    /// Above is `fail`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max: Option<Reference>,
    /// Missing is `inconclusive`.
    pub required: bool,
}

/// Where a metric is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum MetricSource {
    /// The first group of the last match in stdout.
    StdoutRegex(String),
    /// The first group of the last match in stderr.
    StderrRegex(String),
    /// A JSON or YAML file in the step's artifact folder, and an RFC 6901 pointer into it.
    File {
        /// Relative, inside the folder.
        file: String,
        /// The pointer.
        pointer: String,
    },
}

impl Controller {
    /// How long one call may take where the manifest does not say.
    pub const DEFAULT_TIMEOUT: Millis = Millis(10_000);
}

/// A controller's manifest: how a rail is moved, read and brought home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controller {
    /// Its name.
    pub name: Name,
    /// The file it was read from, as shown.
    pub file: Arc<str>,
    /// One line for people.
    pub description: Option<String>,
    /// Same rules as an adapter's.
    pub path: Placed<String>,
    /// Rails that it drives.
    pub rails: Vec<Placed<Name>>,
    /// Arguments that apply a setpoint.
    pub apply: Vec<String>,
    /// Arguments that print the readback.
    pub read: Vec<String>,
    /// Arguments that bring the rail home.
    pub restore: Vec<String>,
    /// Largest distance between setpoint and readback, in microvolts.
    pub voltage_tolerance: Option<u64>,
    /// Likewise in kilohertz.
    pub frequency_tolerance: Option<u64>,
    /// Larger moves are ramped, in microvolts.
    pub max_step: Option<u64>,
    /// After a setpoint, before it is read back.
    pub settle: Millis,
    /// A call that takes longer has failed.
    pub timeout: Millis,
    /// Where it begins.
    pub place: Place,
}
