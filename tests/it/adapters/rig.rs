//! A workspace with the shipped adapters and one step, and what the binary says and leaves about it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What stands on the system's own `PATH`; Debian puts some diagnostics where only root looks.
const SYSTEM: &str = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin";

/// A workspace and the programs that its diagnostics are looked for among.
pub struct Rig {
    folder: TempDir,
    path: String,
}

impl Rig {
    /// The shipped flows, margins, policy and adapters, and no `PATH` but an empty folder.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["flows", "margins", "policy", "adapters", "diags"] {
            symlink(shipped(part), folder.path().join(part)).unwrap();
        }
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let path = bin.to_str().unwrap().to_owned();
        Self { folder, path }
    }

    /// With the tools of this machine.
    pub fn with_system(mut self) -> Self {
        self.path = format!("{}:{SYSTEM}", self.path);
        self
    }

    /// With a script of the tool's name before all others, which starts a stand-in with these words and the tool's own.
    pub fn with_stand_in(self, tool: &str, script: &str, words: &str) -> Self {
        let stand_in = shipped("tests/fixtures/tools").join(script);
        let at = self.folder.path().join("bin").join(tool);
        fs::write(&at, format!("#!/bin/sh\nexec '{}' {words} \"$@\"\n", stand_in.display())).unwrap();
        fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// A flow of one step, as a path for `--flow`.
    pub fn flow(&self, adapter: &str, params: &str) -> String {
        let at = self.folder.path().join("one.yaml");
        let params = if params.is_empty() { String::new() } else { format!("    params: {{ {params} }}\n") };
        fs::write(&at, format!("name: one\nsteps:\n  - name: only\n    adapter: {adapter}\n{params}")).unwrap();
        at.to_str().unwrap().to_owned()
    }

    /// Runs the binary with nothing to read and an environment of its own.
    pub fn road_runner(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_road_runner"))
            .args(["--no-tui", "--workspace"])
            .arg(self.folder.path())
            .arg("--runs-dir")
            .arg(self.runs())
            .args(words)
            .env_clear()
            .env("PATH", &self.path)
            .env("HOME", self.folder.path())
            .env("ROAD_RUNNER_HOST_LOCK", self.folder.path().join("lock"))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs one step of this adapter to its end.
    pub fn step(&self, adapter: &str, params: &str) -> Step {
        let flow = self.flow(adapter, params);
        let output = self.road_runner(&["run", "--yes", "--flow", &flow, "--margin", "nominal"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let run = only(&self.runs()).unwrap_or_else(|| panic!("{adapter}: no run, exit {:?}: {said}", output.status));
        let sub_run = only(&run.join("subruns")).unwrap();
        let summary = json(&sub_run.join("summary.json"));
        let steps = summary["steps"].as_array().unwrap();
        assert_eq!(steps.len(), 1, "{summary}");
        let record = steps[0].clone();
        Step { record, exit_code: output.status.code(), system: json(&run.join("sysinfo.json")) }
    }

    fn runs(&self) -> PathBuf {
        self.folder.path().join("runs")
    }

    /// Where the programs of this rig find this one.
    pub fn find(&self, tool: &str) -> Option<PathBuf> {
        self.path.split(':').map(|folder| Path::new(folder).join(tool)).find(|at| at.is_file())
    }
}

/// One execution as it was recorded.
pub struct Step {
    /// What `step_finished` says.
    pub record: Value,
    /// Of the whole run.
    pub exit_code: Option<i32>,
    /// The run's `sysinfo.json`.
    pub system: Value,
}

impl Step {
    pub fn verdict(&self) -> &str {
        self.record["verdict"].as_str().unwrap()
    }

    pub fn reason(&self) -> &str {
        self.record["reason"].as_str().unwrap_or_default()
    }

    pub fn effects(&self) -> Vec<&str> {
        self.record["effects"].as_array().unwrap().iter().map(|effect| effect.as_str().unwrap()).collect()
    }

    pub fn artifacts(&self) -> Vec<&str> {
        self.record["artifacts"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect()
    }

    /// A metric's value.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.record["metrics"][name]["value"].as_f64()
    }
}

/// A file or folder of the repository.
fn shipped(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(part)
}

/// The one entry of a folder that is no hidden one.
fn only(folder: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path());
    let mut shown = entries.filter(|at| !at.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")));
    let first = shown.next()?;
    assert_eq!(shown.next(), None, "more than one entry in {}", folder.display());
    Some(first)
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}
