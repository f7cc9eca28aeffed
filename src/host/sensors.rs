//! Temperatures as hwmon has them, and how the CPUs' clocks are governed.
//! Only reads; a sensor that does not answer is no temperature, never zero.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::roots::Roots;
use super::source::read_line;

/// One temperature of one chip.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Temperature {
    /// The driver's name for the chip: `k10temp`, `coretemp`, `nvme`.
    pub chip: String,
    /// The device it belongs to, which keeps its name over boots as `hwmonN` does not.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device: Option<String>,
    /// N of `tempN_input`.
    pub channel: u32,
    /// What the driver calls it: `Tctl`, `Package id 0`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub label: Option<String>,
    /// Thousandths of a degree Celsius; `None` when the sensor did not answer.
    pub millidegrees_c: Option<i64>,
}

/// All temperatures, in the order of chip, device, channel. `NotFound` when there is no hwmon at all.
pub fn temperatures(roots: &Roots) -> io::Result<Vec<Temperature>> {
    let mut found = Vec::new();
    for hwmon in folders(&roots.sys("class/hwmon"), "hwmon")? {
        let chip = read_line(&hwmon.join("name")).unwrap_or_else(|| "unnamed".to_owned());
        let device = fs::read_link(hwmon.join("device"))
            .ok()
            .and_then(|target| target.file_name().map(|name| name.to_string_lossy().into_owned()));
        let Ok(entries) = fs::read_dir(&hwmon) else { continue };
        for name in entries.filter_map(Result::ok).map(|entry| entry.file_name().to_string_lossy().into_owned()) {
            let channel = name.strip_prefix("temp").and_then(|rest| rest.strip_suffix("_input")?.parse().ok());
            let Some(channel) = channel else { continue };
            found.push(Temperature {
                chip: chip.clone(),
                device: device.clone(),
                channel,
                label: read_line(&hwmon.join(format!("temp{channel}_label"))),
                millidegrees_c: read_line(&hwmon.join(name)).and_then(|text| text.parse().ok()),
            });
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// How the clocks of some CPUs are governed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Governor {
    /// The governor: `performance`, `schedutil`.
    pub governor: String,
    /// The cpufreq driver: `amd-pstate-epp`, `intel_cpufreq`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub driver: Option<String>,
    /// Lowest frequency it may choose, in kHz.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub min_khz: Option<u64>,
    /// Highest frequency it may choose, in kHz.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_khz: Option<u64>,
}

/// How many cpufreq policies share one setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct GovernorCount {
    /// The setting.
    #[serde(flatten)]
    pub setting: Governor,
    /// How many policies have it.
    pub policies: u32,
}

/// The settings in force, each once. `NotFound` when cpufreq governs nothing, as in most virtual machines.
pub fn governors(roots: &Roots) -> io::Result<Vec<GovernorCount>> {
    let mut counts: BTreeMap<Governor, u32> = BTreeMap::new();
    for policy in folders(&roots.sys("devices/system/cpu/cpufreq"), "policy")? {
        let line = |name: &str| read_line(&policy.join(name));
        let khz = |name: &str| line(name).and_then(|text| text.parse().ok());
        let Some(governor) = line("scaling_governor") else { continue };
        let setting = Governor {
            governor,
            driver: line("scaling_driver"),
            min_khz: khz("scaling_min_freq"),
            max_khz: khz("scaling_max_freq"),
        };
        *counts.entry(setting).or_default() += 1;
    }
    if counts.is_empty() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(counts.into_iter().map(|(setting, policies)| GovernorCount { setting, policies }).collect())
}

/// The folders (or links to folders) whose names begin so.
fn folders(parent: &Path, prefix: &str) -> io::Result<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = fs::read_dir(parent)?
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect();
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::source::tests::machine;
    use insta::assert_snapshot;

    fn check<T: Serialize>(found: &[T]) -> String {
        found.iter().map(|one| serde_json::to_string(one).unwrap()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn temperatures_keep_their_order_over_boots() {
        let (_dir, roots) = machine(&[
            ("sys/class/hwmon/hwmon10/name", "k10temp\n"),
            ("sys/class/hwmon/hwmon10/temp1_input", "48250\n"),
            ("sys/class/hwmon/hwmon10/temp1_label", "Tctl\n"),
            ("sys/class/hwmon/hwmon10/temp3_input", "-2000\n"),
            ("sys/class/hwmon/hwmon10/temp3_max", "95000\n"),
            ("sys/class/hwmon/hwmon2/name", "nvme\n"),
            ("sys/class/hwmon/hwmon2/temp1_input", "\n"),
            ("sys/class/hwmon/hwmon2/in0_input", "1200\n"),
            ("sys/class/hwmon/hwmon3/temp1_input", "31000\n"),
        ]);
        std::os::unix::fs::symlink("../../../0000:00:18.3", roots.sys("class/hwmon/hwmon10/device")).unwrap();
        assert_snapshot!(check(&temperatures(&roots).unwrap()), @r#"
        {"chip":"k10temp","device":"0000:00:18.3","channel":1,"label":"Tctl","millidegrees_c":48250}
        {"chip":"k10temp","device":"0000:00:18.3","channel":3,"millidegrees_c":-2000}
        {"chip":"nvme","channel":1,"millidegrees_c":null}
        {"chip":"unnamed","channel":1,"millidegrees_c":31000}
        "#);
    }

    #[test]
    fn equal_governors_are_counted() {
        let mut files = Vec::new();
        for policy in 0..12 {
            let governor = if policy == 11 { "powersave" } else { "performance" };
            for (name, text) in
                [("scaling_governor", governor), ("scaling_driver", "acpi-cpufreq"), ("scaling_max_freq", "2400000")]
            {
                files.push((format!("sys/devices/system/cpu/cpufreq/policy{policy}/{name}"), text));
            }
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let (_dir, roots) = machine(&files);
        assert_snapshot!(check(&governors(&roots).unwrap()), @r#"
        {"governor":"performance","driver":"acpi-cpufreq","max_khz":2400000,"policies":11}
        {"governor":"powersave","driver":"acpi-cpufreq","max_khz":2400000,"policies":1}
        "#);
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let (_dir, roots) = machine(&[("sys/devices/system/cpu/cpufreq/boost", "1")]);
        assert_eq!(temperatures(&roots).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(governors(&roots).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
