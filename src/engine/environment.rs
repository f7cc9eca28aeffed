//! The environment of a diagnostic, built from nothing, and where its programs are.
//! Never passes on what the runner's own environment holds beyond what is named here.

use std::collections::BTreeMap;
use std::path::Path;

use crate::domain::margin::RailField;
use crate::domain::plan::{Executable, Plan};

use super::effect::Start;

/// What every execution of a run has in common.
#[derive(Debug, Clone)]
pub struct BaseEnvironment(BTreeMap<String, String>);

impl BaseEnvironment {
    /// From the runner's `PATH`, of which only absolute entries are kept, its `HOME`, and the run.
    pub fn new(path: &str, home: &str, run_id: &str, unit: Option<&str>) -> Self {
        let absolute: Vec<&str> = path.split(':').filter(|entry| entry.starts_with('/')).collect();
        let mut base = BTreeMap::new();
        let mut set = |name: &str, value: &str| base.insert(name.to_owned(), value.to_owned());
        set("PATH", &absolute.join(":"));
        set("HOME", if home.starts_with('/') { home } else { "/" });
        set("LANG", "C.UTF-8");
        set("TZ", "UTC");
        set("ROAD_RUNNER_RUN_ID", run_id);
        if let Some(unit) = unit {
            set("ROAD_RUNNER_UNIT", unit);
        }
        Self(base)
    }

    /// As it is, for a call that is no execution.
    pub fn into_common(self) -> BTreeMap<String, String> {
        self.0
    }

    /// The whole environment of one execution. A manifest may replace what is common, but nothing of ours.
    pub fn of(
        &self,
        manifest: &BTreeMap<String, String>,
        sub_run: &str,
        start: &Start,
        artifacts: &Path,
    ) -> BTreeMap<String, String> {
        let mut all = self.0.clone();
        all.extend(manifest.iter().filter(|(name, _)| !is_ours(name)).map(|(n, v)| (n.clone(), v.clone())));
        let mut set = |name: &str, value: String| all.insert(format!("ROAD_RUNNER_{name}"), value);
        set("SUBRUN_ID", sub_run.to_owned());
        set("STEP", start.step.to_string());
        set("SEED", start.seed.to_string());
        set("ARTIFACTS", artifacts.to_string_lossy().into_owned());
        for (rail, setting) in &start.rails {
            let rail = rail.environment_key();
            if let Some(voltage) = setting.commanded(RailField::Voltage) {
                set(&format!("RAIL_{rail}_VOLTAGE_UV"), voltage.to_string());
            }
            if let Some(frequency) = setting.commanded(RailField::Frequency) {
                set(&format!("RAIL_{rail}_FREQUENCY_KHZ"), frequency.to_string());
            }
        }
        all
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with("ROAD_RUNNER_")
}

/// Where an executable is: below the workspace, where it was found on PATH, or where it says. A bare name that was
/// found nowhere stays bare, which nothing will start.
pub fn locate(plan: &Plan, workspace: &Path, executable: &Executable) -> String {
    let path = &executable.path;
    if path.contains('/') {
        workspace.join(path).to_string_lossy().into_owned()
    } else {
        plan.found.get(path).unwrap_or(path).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::name::Name;
    use crate::domain::point::RailSetting;

    #[test]
    fn built_from_nothing() {
        let base = BaseEnvironment::new("/usr/bin:.:bin::/bin", "", "rr-1", Some("SN1"));
        let mut rail = RailSetting::default();
        rail.set(RailField::Voltage, 850_000, 851_000);
        let start = Start {
            sub_run: 0,
            index: 0,
            step: Name::new("smoke").unwrap(),
            adapter: Name::new("a").unwrap(),
            argv: vec![],
            params: BTreeMap::new(),
            rails: BTreeMap::from([(Name::new("vcc-core").unwrap(), rail)]),
            seed: 7,
            attempt: 1,
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let manifest = BTreeMap::from([pair("OMP_NUM_THREADS", "1"), pair("ROAD_RUNNER_SEED", "8"), pair("TZ", "X")]);
        let all = base.of(&manifest, "rr-1-s00", &start, Path::new("/art"));
        let text = all.iter().map(|(name, value)| format!("{name}={value}\n")).collect::<Vec<_>>().concat();
        insta::assert_snapshot!(text, @r"
        HOME=/
        LANG=C.UTF-8
        OMP_NUM_THREADS=1
        PATH=/usr/bin:/bin
        ROAD_RUNNER_ARTIFACTS=/art
        ROAD_RUNNER_RAIL_VCC_CORE_VOLTAGE_UV=851000
        ROAD_RUNNER_RUN_ID=rr-1
        ROAD_RUNNER_SEED=7
        ROAD_RUNNER_STEP=smoke
        ROAD_RUNNER_SUBRUN_ID=rr-1-s00
        ROAD_RUNNER_UNIT=SN1
        TZ=X
        ");
    }
}
