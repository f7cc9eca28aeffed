//! A workspace of a bench's own, in a folder that goes away with it, and the commands that work in it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use road_runner::commands::context::{Context, Given};

/// Where commands work in a workspace.
pub fn context(folder: &Path) -> Context {
    let given = Given {
        workspace: Some(folder.to_owned()),
        current: PathBuf::from("/"),
        path: "/usr/bin:/bin".to_owned(),
        ..Given::default()
    };
    Context::find(given).expect("a workspace")
}

/// A temporary workspace with a margin profile `none` of one point and a policy that admits it.
pub struct Workspace(tempfile::TempDir);

impl Workspace {
    /// On the file system of the build folder.
    pub fn on_disk() -> Self {
        Self::below(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    /// In `folder`.
    pub fn below(folder: &Path) -> Self {
        let workspace = Self(tempfile::tempdir_in(folder).expect("a temporary folder"));
        for name in ["flows", "margins", "adapters", "policy", "diags"] {
            fs::create_dir(workspace.path().join(name)).expect("a folder");
        }
        workspace.write("margins/none.yaml", "name: none\ndefault: { core: { voltage: 1V } }\n");
        workspace.write(
            "policy/safety.yaml",
            "name: safety\nlimits: { core: { voltage: { min: 1mV, max: 2V }, frequency: { min: 1kHz, max: 9GHz } } }\n\
             max_subruns: 1000000\nmax_log: 2GiB\n",
        );
        workspace
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes one of its files; what stands in `diags/` can be started.
    pub fn write(&self, file: &str, text: &str) {
        let path = self.path().join(file);
        fs::write(&path, text).expect("a file");
        if file.starts_with("diags/") {
            fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("a mode");
        }
    }

    /// `road_runner` in this workspace, quiet, with what it prints thrown away.
    pub fn command(&self, command: &str, flow: &str, margin: &str) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_road_runner"));
        program.args([command, "-q", "--flow", flow, "--margin", margin, "--workspace"]).arg(self.path());
        if command == "run" {
            program.args(["--no-tui", "--yes", "--allow-concurrent"]);
        }
        program.env_remove("ROAD_RUNNER_RUNS").stdin(Stdio::null()).stdout(Stdio::null());
        program
    }

    /// The directory of its one run.
    pub fn only_run(&self) -> PathBuf {
        let mut runs = fs::read_dir(self.path().join("runs")).expect("runs");
        let run = runs.next().expect("a run").expect("readable").path();
        assert!(runs.next().is_none(), "one run");
        run
    }

    /// Deletes its runs.
    pub fn forget_runs(&self) {
        fs::remove_dir_all(self.path().join("runs")).expect("runs go");
    }
}
