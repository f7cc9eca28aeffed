//! A margin point: where each rail is, on the grid and with jitter. What records say and seeds are hashed from.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::domain::margin::RailField;
use crate::domain::name::Name;
use crate::domain::units::{Kilohertz, Microvolts};

/// One rail at one point. A field that the profile does not name is absent, never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RailSetting {
    /// The clock that is commanded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frequency_khz: Option<Kilohertz>,
    /// The clock on the grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nominal_khz: Option<Kilohertz>,
    /// The supply on the grid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nominal_uv: Option<Microvolts>,
    /// The supply that is commanded, with jitter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voltage_uv: Option<Microvolts>,
}

impl RailSetting {
    /// What is commanded, in base units.
    pub fn commanded(&self, field: RailField) -> Option<u64> {
        match field {
            RailField::Frequency => self.frequency_khz.map(|f| f.0),
            RailField::Voltage => self.voltage_uv.map(|v| v.0),
        }
    }

    /// The value on the grid, in base units.
    pub fn grid(&self, field: RailField) -> Option<u64> {
        match field {
            RailField::Frequency => self.nominal_khz.map(|f| f.0),
            RailField::Voltage => self.nominal_uv.map(|v| v.0),
        }
    }

    /// Sets grid value and commanded value of a field.
    pub fn set(&mut self, field: RailField, grid: u64, commanded: u64) {
        match field {
            RailField::Frequency => {
                self.nominal_khz = Some(Kilohertz(grid));
                self.frequency_khz = Some(Kilohertz(commanded));
            }
            RailField::Voltage => {
                self.nominal_uv = Some(Microvolts(grid));
                self.voltage_uv = Some(Microvolts(commanded));
            }
        }
    }
}

/// Rails by name.
pub type Rails = BTreeMap<Name, RailSetting>;

/// Where the margin is during one sub-run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MarginPoint {
    /// The recipe, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Rails that every adapter sees.
    pub rails: Rails,
    /// Rails, or single fields of one, that one adapter sees.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adapters: BTreeMap<Name, Rails>,
}

impl MarginPoint {
    /// What a step of `adapter` sees: the default rails, overlaid field by field by its own.
    pub fn seen_by(&self, adapter: &Name) -> Rails {
        let mut rails = self.rails.clone();
        for (rail, own) in self.adapters.get(adapter).into_iter().flatten() {
            let setting = rails.entry(rail.clone()).or_default();
            for field in RailField::ALL {
                if let (Some(grid), Some(commanded)) = (own.grid(field), own.commanded(field)) {
                    setting.set(field, grid, commanded);
                }
            }
        }
        rails
    }

    /// The point as seeds and comparisons name it: `core.frequency=3200000,core.voltage=850000` in name order, or the
    /// recipe's name. Grid values, never an index: leaving out points changes no seed.
    pub fn key(&self) -> String {
        if let Some(name) = &self.name {
            return name.to_string();
        }
        let mut parts = vec![];
        let mut add = |prefix: &str, rails: &Rails| {
            for (rail, setting) in rails {
                for field in RailField::ALL {
                    if let Some(grid) = setting.grid(field) {
                        parts.push(format!("{prefix}{rail}.{field}={grid}"));
                    }
                }
            }
        };
        add("", &self.rails);
        for (adapter, rails) in &self.adapters {
            add(&format!("{adapter}/"), rails);
        }
        parts.sort();
        parts.join(",")
    }

    /// The point for people: `core 3.2GHz 850mV`, on the grid.
    pub fn shown(&self) -> String {
        let mut out = self.name.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut add = |prefix: &str, rails: &Rails| {
            for (rail, setting) in rails {
                let space = if out.is_empty() { "" } else { "  " };
                let _ = write!(out, "{space}{prefix}{rail}");
                for field in RailField::ALL {
                    if let Some(grid) = setting.grid(field) {
                        let _ = write!(out, " {}", field.show(grid));
                    }
                }
            }
        };
        add("", &self.rails);
        for (adapter, rails) in &self.adapters {
            add(&format!("{adapter}/"), rails);
        }
        if out.is_empty() { "as it stands".to_owned() } else { out }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn overlay_is_field_by_field_and_keys_are_sorted() {
        let mut core = RailSetting::default();
        core.set(RailField::Voltage, 850_000, 851_000);
        core.set(RailField::Frequency, 3_200_000, 3_200_000);
        let mut own = RailSetting::default();
        own.set(RailField::Voltage, 900_000, 900_000);
        let point = MarginPoint {
            name: None,
            rails: BTreeMap::from([(name("core"), core)]),
            adapters: BTreeMap::from([(name("mem_pattern"), BTreeMap::from([(name("core"), own)]))]),
        };
        assert_eq!(point.key(), "core.frequency=3200000,core.voltage=850000,mem_pattern/core.voltage=900000");
        let seen = point.seen_by(&name("mem_pattern"));
        assert_eq!(seen[&name("core")].commanded(RailField::Voltage), Some(900_000));
        assert_eq!(seen[&name("core")].commanded(RailField::Frequency), Some(3_200_000));
        let others = point.seen_by(&name("cpu_smoke"));
        assert_eq!(others[&name("core")].commanded(RailField::Voltage), Some(851_000));
        assert_eq!(point.shown(), "core 3.2GHz 850mV  mem_pattern/core 900mV");
    }
}
