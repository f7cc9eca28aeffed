//! A workspace for the application: two flows, margins of every kind, a diagnostic that can be held at any point of a
//! sweep by a file that is not there yet. Runs are looked at through the library.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use road_runner::commands::context::Context;
use road_runner::commands::stored;
use road_runner::domain::run_state::RunState;
use road_runner::domain::shmoo::Outcome;
use road_runner::store::lock::{self, LockStatus};

use super::wait_until;
use crate::cli::Bench;

/// Passes at once, unless `$HOME/hold` is there: then it says that it is up and waits for `$HOME/go`, or for the point's own
/// `$HOME/go-VOLTAGE`. It ends with its home as well: nobody waits for a run whose test has failed. Fails at 900 mV if
/// `$HOME/fails` is there.
pub const PROBE: &str = "\
#!/bin/sh
at=$ROAD_RUNNER_RAIL_CORE_VOLTAGE_UV
if [ -e \"$HOME/hold\" ]; then
    : > \"$HOME/up-$at\"
    while [ -d \"$HOME\" ] && [ ! -e \"$HOME/go\" ] && [ ! -e \"$HOME/go-$at\" ]; do sleep 0.02; done
fi
[ $at != 900000 ] || [ ! -e \"$HOME/fails\" ] || exit 1
echo OK
";
const ADAPTER: &str = "\
name: probe
description: Says OK.
path: diags/probe.sh
params:
  vcore: { type: voltage, unit: mV, flag: --vcore, from: margin.core.voltage }
  fcore: { type: frequency, unit: MHz, flag: --fcore, from: margin.core.frequency }
expect: [ { stdout_matches: '^OK$' } ]
";
const SMOKE: &str = "\
name: smoke
description: One diagnostic at every point.
steps: [ { name: first, adapter: probe } ]
";
const MEMORY: &str = "\
name: memory
description: Two diagnostics at every point.
steps: [ { name: march, adapter: probe }, { name: walk, adapter: probe } ]
";

/// A margin of these axes.
fn margin(name: &str, voltage: &str, frequency: &str) -> String {
    format!(
        "name: {name}\ndescription: A margin.\nglobal_seed: 7\n\
         default: {{ core: {{ voltage: {voltage}, frequency: {frequency} }} }}\n"
    )
}

/// The workspace, and the home of everything.
pub struct Rig(pub Bench);

impl Rig {
    /// Two flows, four margins, bounds that do not depend on the host.
    pub fn new() -> Self {
        let bench = Bench::new();
        fs::remove_dir_all(bench.path("policy/profiles")).unwrap();
        fs::remove_file(bench.path("margins/down.yaml")).unwrap();
        bench.write("flows/smoke.yaml", SMOKE);
        bench.write("flows/memory.yaml", MEMORY);
        let down = "{ from: 1000mV, to: 900mV, step: -50mV }";
        bench.write("margins/smoke.yaml", &margin("smoke", down, "3.2GHz"));
        bench.write("margins/square.yaml", &margin("square", down, "{ from: 3GHz, to: 3.4GHz, step: 200MHz }"));
        bench.write("margins/edge.yaml", &margin("edge", "{ from: 800mV, to: 700mV, step: -50mV }", "3.2GHz"));
        bench.write("margins/beyond.yaml", &margin("beyond", "{ from: 750mV, to: 650mV, step: -50mV }", "3.2GHz"));
        bench.write("adapters/probe.yaml", ADAPTER);
        bench.program("diags/probe.sh", PROBE);
        Self(bench)
    }

    /// The same where every step is held.
    pub fn holding() -> Self {
        let rig = Self::new();
        rig.leave("hold");
        rig
    }

    /// The workspace.
    pub fn workspace(&self) -> PathBuf {
        self.0.workspace()
    }

    /// The home of the application and of the diagnostics.
    pub fn home(&self) -> PathBuf {
        self.0.path("..").canonicalize().unwrap()
    }

    /// What the program finds in its environment.
    pub fn environment(&self) -> BTreeMap<String, String> {
        let home = self.home().to_string_lossy().into_owned();
        let lock = self.home().join("host.lock").to_string_lossy().into_owned();
        [("PATH", "/usr/bin:/bin".to_owned()), ("HOME", home), ("ROAD_RUNNER_HOST_LOCK", lock)]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    /// Leaves an empty file in the home of the diagnostics.
    pub fn leave(&self, file: &str) {
        fs::write(self.home().join(file), "").unwrap();
    }

    /// Waits until a diagnostic has left a file in its home.
    pub fn wait_file(&self, file: &str) {
        wait_until(file, || self.home().join(file).exists().then_some(()));
    }

    fn context(&self) -> Context {
        self.0.context()
    }

    /// The ids of all runs, oldest first.
    pub fn runs(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path("runs")).into_iter().flatten();
        let mut ids: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with("rr-"))
            .collect();
        ids.sort();
        ids
    }

    /// The directory of a run.
    pub fn run_dir(&self, id: &str) -> PathBuf {
        self.0.path("runs").join(id)
    }

    /// A run as its journals have it now.
    pub fn state(&self, id: &str) -> RunState {
        let run = stored::load(&self.context(), id).unwrap();
        assert_eq!(run.damage, []);
        run.state
    }

    /// Waits until the one run has ended and nobody holds it; returns its id, and how it stands.
    #[track_caller]
    pub fn ended(&self) -> (String, RunState) {
        self.ended_beside("")
    }

    /// The same for the one run beside another: ids of one second have no order.
    #[track_caller]
    pub fn ended_beside(&self, other: &str) -> (String, RunState) {
        wait_until("the end of the run", || {
            let id = self.runs().into_iter().find(|id| id != other)?;
            let run = stored::load(&self.context(), &id).ok()?;
            let free = !matches!(lock::status(&run.entry.dir.lock()), Ok(LockStatus::Held(_)));
            (free && run.state.end.is_some()).then_some((id, run.state))
        })
    }

    /// Lets every held step go, and waits until the run has gone to its end as if nobody had watched.
    #[track_caller]
    pub fn goes_on_to_its_end(&self) {
        self.leave("go");
        let (_, state) = self.ended();
        assert_eq!((state.end.map(|(_, code)| code), state.cancels.len()), (Some(0), 0));
        assert_eq!(state.finished_sub_runs(), state.sub_runs.len());
    }

    /// What a command that needs no terminal says.
    pub fn told(&self, line: &str) -> crate::cli::Told {
        self.0.outcome(&mut self.0.real(&crate::cli::words(line)))
    }
}

/// The glyphs of a run's cells.
pub fn cells(state: &RunState) -> String {
    let of = |index| -> Outcome { road_runner::domain::shmoo::outcome(state, index) };
    (0..u32::try_from(state.sub_runs.len()).unwrap()).map(|index| of(index).cell.glyph()).collect()
}

/// A file's text.
pub fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}
