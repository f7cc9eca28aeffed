//! For tests of commands: a workspace and a host in a folder of their own, and runs in it. Compiled for tests only.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::commands::context::{Context, Given};
use crate::host::roots::Roots;

/// A workspace with a flow `smoke`, a margin `down`, a policy `safety` and an adapter `probe`.
pub struct Bench {
    dir: tempfile::TempDir,
    /// Where commands work.
    pub context: Context,
}

impl Bench {
    /// A sound workspace.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["flows", "adapters"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let given = Given {
            workspace: Some(dir.path().to_owned()),
            current: dir.path().to_owned(),
            path: "/usr/bin:/bin".to_owned(),
            roots: Roots::under(&dir.path().join("host")),
            ..Given::default()
        };
        let bench = Self { context: Context::find(given).unwrap(), dir };
        bench.write("flows/smoke.yaml", "name: smoke\nsteps: [ { name: first, adapter: probe } ]\n");
        bench.write(
            "adapters/probe.yaml",
            "name: probe\npath: diags/probe.sh\nparams:\n  vcore: { type: voltage, unit: mV, flag: --vcore, from: margin.core.voltage, decimals: 3 }\nexpect: [ { stdout_matches: '^OK$' } ]\n",
        );
        let program = bench.write("diags/probe.sh", "#!/bin/sh\necho OK\n");
        std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
        bench.margin("core: { voltage: 900mV }");
        bench.policy("core: { voltage: { min: 700mV, max: 1100mV }, frequency: { min: 800MHz, max: 4.2GHz } }");
        bench
    }

    /// Writes a file of the workspace.
    pub fn write(&self, file: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The margin `down` with these rails.
    pub fn margin(&self, rails: &str) {
        self.write("margins/down.yaml", &format!("name: down\nglobal_seed: 7\ndefault:\n  {rails}\n"));
    }

    /// The policy `safety` with these limits.
    pub fn policy(&self, limits: &str) {
        self.write("policy/safety.yaml", &format!("name: safety\nlimits:\n  {limits}\n"));
    }
}
