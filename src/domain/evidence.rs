//! What the hardware said while a step ran: sources, what each of them was seen to do, and whether it could be looked at at
//! all. Plain values; a source that is not there is "not checked", never zero.

pub mod rules;

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::domain::sanitize;

macro_rules! sources {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// Where evidence comes from, in the order of names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(rename_all = "snake_case")]
        pub enum SourceId {
            $($(#[$doc])* $variant,)+
        }

        impl SourceId {
            /// Every source.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As written in records, columns and policies.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

sources! {
    /// Corrected PCI Express errors, counted.
    AerCorrected = "aer_corrected",
    /// Uncorrected PCI Express errors, fatal or not, counted.
    AerUncorrected = "aer_uncorrected",
    /// Corrected memory errors as EDAC counts them.
    EdacCe = "edac_ce",
    /// Uncorrected memory errors as EDAC counts them.
    EdacUe = "edac_ue",
    /// What the packages used, in microjoules (RAPL).
    Energy = "energy",
    /// The clocks as they ran, in kilohertz.
    Frequency = "frequency",
    /// Lines of the kernel log that tell of hardware.
    KernelLog = "kernel_log",
    /// The load average of the last minute, in hundredths.
    Load = "load",
    /// How long some task waited for memory, in hundredths of a percent of the last ten seconds.
    MemoryPressure = "memory_pressure",
    /// Power as hwmon has it, in microwatts.
    Power = "power",
    /// Temperatures as hwmon has them, in thousandths of a degree Celsius.
    Temperature = "temperature",
    /// How often a core or a package was throttled for heat.
    Throttle = "throttle",
    /// Voltages as hwmon has them, in millivolts.
    Voltage = "voltage",
}

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Whether a source can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is read.
    Available,
    /// This host does not have it.
    Absent,
    /// It is there, and this user may not read it.
    Denied,
    /// It is there, and makes no sense or does not answer.
    Error,
}

impl Status {
    /// As written in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Absent => "absent",
            Self::Denied => "denied",
            Self::Error => "error",
        }
    }
}

/// What was found where a source would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Found {
    /// Whether it can be looked at.
    pub status: Status,
    /// What was looked for, or what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What was found of each source.
pub type Sources = BTreeMap<SourceId, Found>;

/// What one source was seen to do over a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Observation {
    /// It was counted.
    Counted(Counted),
    /// It was measured, again and again.
    Measured(Measured),
    /// It was not looked at, or not to the end.
    NotChecked {
        /// Why not.
        not_checked: String,
    },
    /// It was written to the kernel log.
    Logged(Logged),
}

/// A counter's difference over a step.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Counted {
    /// By how much all of them went up.
    pub delta: u64,
    /// The devices that went up, by name; the first sixteen.
    #[serde(rename = "where", default, skip_serializing_if = "BTreeMap::is_empty")]
    pub places: BTreeMap<String, u64>,
    /// `uJ` for energy; counts have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// What sensors of one kind said over a step, sampled twice a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Measured {
    /// The smallest value of any sensor in any sample.
    pub min: i64,
    /// The mean over sensors and samples.
    pub mean: i64,
    /// The largest value of any sensor in any sample.
    pub max: i64,
    /// How often they were looked at.
    pub samples: u32,
    /// `mC`, `mV`, `uW`, `kHz`; hundredths have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Which sensor had the largest value: `k10temp Tctl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
}

/// Lines of the kernel log that tell of hardware, by what they tell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Logged {
    /// Of corrected errors.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub corrected: u64,
    /// Of uncorrected errors.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub uncorrected: u64,
    /// Of throttling.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub throttle: u64,
    /// Of anything else that is worth knowing.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub note: u64,
    /// The first eight of them, without what a terminal would obey.
    pub lines: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What every source that was looked at was seen to do.
pub type Observed = BTreeMap<SourceId, Observation>;

impl Observation {
    /// In a cell of a table: a difference, a largest value, lines; `not checked`.
    pub fn shown(&self) -> String {
        match self {
            Self::Counted(counted) => counted.delta.to_string(),
            Self::Measured(measured) => measured.max.to_string(),
            Self::Logged(logged) => (logged.corrected + logged.uncorrected + logged.throttle + logged.note).to_string(),
            Self::NotChecked { .. } => NOT_CHECKED.to_owned(),
        }
    }

    /// Whether it is worth telling when it comes late: something went up, or was written.
    pub fn is_news(&self) -> bool {
        match self {
            Self::Counted(counted) => counted.delta > 0 && counted.unit.is_none(),
            Self::Logged(logged) => !logged.lines.is_empty(),
            Self::Measured(_) | Self::NotChecked { .. } => false,
        }
    }

    /// What it tells that nobody expects, for people: `edac_ce +3 mc0/dimm2`; nothing where it [is none](Self::is_news).
    /// What stands in it is fit to be shown.
    fn news(&self, source: SourceId) -> Option<String> {
        match self {
            _ if !self.is_news() => None,
            Self::Counted(counted) => {
                let places: Vec<String> = match counted.places.iter().next() {
                    Some((place, up)) if counted.places.len() == 1 && *up == counted.delta => {
                        vec![sanitize::escaped(place).into_owned()]
                    }
                    _ => {
                        counted.places.iter().map(|(place, up)| format!("{} {up}", sanitize::escaped(place))).collect()
                    }
                };
                let at = if places.is_empty() { String::new() } else { format!(" {}", places.join(", ")) };
                Some(format!("{source} +{}{at}", counted.delta))
            }
            Self::Logged(logged) => {
                let kinds = [
                    (logged.uncorrected, "uncorrected"),
                    (logged.corrected, "corrected"),
                    (logged.throttle, "throttling"),
                    (logged.note, "other"),
                ];
                let kinds = kinds.iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}"));
                Some(format!("{source} {}", kinds.collect::<Vec<_>>().join(", ")))
            }
            Self::Measured(_) | Self::NotChecked { .. } => None,
        }
    }
}

/// What of all that was observed is news, a few words a source, fit to be shown.
pub fn news(observed: &Observed) -> Vec<String> {
    observed.iter().filter_map(|(source, observation)| observation.news(*source)).collect()
}

/// The lines of the kernel log among what was observed, fit to be shown.
pub fn log_lines(observed: &Observed) -> Vec<String> {
    match observed.get(&SourceId::KernelLog) {
        Some(Observation::Logged(logged)) => {
            logged.lines.iter().map(|line| sanitize::escaped(line).into_owned()).collect()
        }
        _ => vec![],
    }
}

/// Which sources could be looked at, and which could not and why: `edac_ce, temperature; denied: energy; absent: load`.
pub fn sources_shown(sources: &Sources) -> String {
    let mut parts = vec![];
    for status in [Status::Available, Status::Denied, Status::Error, Status::Absent] {
        let names: Vec<&str> =
            sources.iter().filter(|(_, found)| found.status == status).map(|(source, _)| source.as_str()).collect();
        match (status, names.join(", ")) {
            (Status::Available, names) if names.is_empty() => parts.push(NO_SOURCE.to_owned()),
            (Status::Available, names) => parts.push(names),
            (_, names) if names.is_empty() => {}
            (status, names) => parts.push(format!("{}: {names}", status.as_str())),
        }
    }
    parts.join("; ")
}

/// Whether anything can be looked at.
pub fn any_available(sources: &Sources) -> bool {
    sources.values().any(|found| found.status == Status::Available)
}

/// What is said where no source can be looked at.
pub const NO_SOURCE: &str = "nothing is checked";

/// Reads a map of sources; those of a newer program are passed over.
pub fn known<'de, D, T>(deserializer: D) -> Result<BTreeMap<SourceId, T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    struct Known<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Known<T> {
        type Value = BTreeMap<SourceId, T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map from sources of evidence")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut known = BTreeMap::new();
            while let Some(key) = map.next_key::<String>()? {
                match SourceId::ALL.iter().find(|source| source.as_str() == key) {
                    Some(source) => drop(known.insert(*source, map.next_value()?)),
                    None => drop(map.next_value::<IgnoredAny>()?),
                }
            }
            Ok(known)
        }
    }

    deserializer.deserialize_map(Known(PhantomData))
}

/// What stands where nothing could be looked at.
pub const NOT_CHECKED: &str = "not checked";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kit;

    #[test]
    fn news_is_what_nobody_expects() {
        let check = |observed: &Observed, expected: &[&str]| assert_eq!(news(observed), expected);
        check(&kit::quiet(), &[]);
        check(
            &kit::alarming(),
            &["edac_ce +3 mc0/dimm2", "kernel_log 1 corrected, 1 other", "throttle +5 cpu0 2, cpu1 3"],
        );
        let hostile = Counted { delta: 2, places: [("a\u{1b}[2J".to_owned(), 2)].into(), unit: None };
        check(&[(SourceId::EdacUe, Observation::Counted(hostile))].into(), &["edac_ue +2 a\\u{1b}[2J"]);
        let anywhere = Counted { delta: 1, ..Counted::default() };
        check(&[(SourceId::AerCorrected, Observation::Counted(anywhere))].into(), &["aer_corrected +1"]);
        assert_eq!(log_lines(&kit::alarming()), ["EDAC MC0: 1 CE", "usb\\u{202e} gone"]);
        assert_eq!(log_lines(&kit::quiet()), [""; 0]);
    }

    #[test]
    fn sources_are_told_by_what_they_are_here() {
        assert_eq!(
            sources_shown(&kit::sources()),
            "edac_ce, frequency, kernel_log, temperature; denied: energy; absent: throttle"
        );
        assert_eq!(sources_shown(&kit::no_sources()), "nothing is checked; absent: edac_ce, temperature");
        assert!(any_available(&kit::sources()) && !any_available(&kit::no_sources()));
    }
}
