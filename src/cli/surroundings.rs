//! What the environment says, read once: the only place that asks it for paths.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::cli::args::Global;
use crate::commands::context::{Context, Given};
use crate::commands::failure::Failure;
use crate::host::roots::Roots;

/// Where the command works, as flags and environment say. An empty variable is one that is not set.
pub fn context(global: &Global) -> Result<Context, Failure> {
    let variable = |key: &str| std::env::var_os(key).filter(|value| !value.is_empty());
    let path = |key: &str| variable(key).map(PathBuf::from);
    let text = |key: &str| variable(key).map(|value: OsString| value.to_string_lossy().into_owned());
    let current = current_folder()?;
    let real = Roots::default();
    let (sysfs, procfs) = (path("ROAD_RUNNER_SYSFS"), path("ROAD_RUNNER_PROCFS"));
    // The kernel log of this machine tells nothing of another one.
    let own_log = if sysfs.is_none() && procfs.is_none() { real.kmsg } else { PathBuf::new() };
    Context::find(Given {
        workspace: global.workspace.clone().or_else(|| path("ROAD_RUNNER_WORKSPACE")),
        runs: global.runs_dir.clone().or_else(|| path("ROAD_RUNNER_RUNS")),
        host_lock: path("ROAD_RUNNER_HOST_LOCK").map(|lock| current.join(lock)),
        roots: Roots {
            sysfs: sysfs.unwrap_or(real.sysfs),
            procfs: procfs.unwrap_or(real.procfs),
            etc: real.etc,
            kmsg: path("ROAD_RUNNER_KMSG").unwrap_or(own_log),
        },
        config_home: path("XDG_CONFIG_HOME"),
        path: text("PATH").unwrap_or_default(),
        home: text("HOME"),
        current,
    })
}

/// The current folder.
pub fn current_folder() -> Result<PathBuf, Failure> {
    std::env::current_dir().map_err(|error| Failure::usage(format!("the current folder cannot be found: {error}")))
}
