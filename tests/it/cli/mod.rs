//! The program as a shell sees it: stdout, stderr, exit code. Hermetic: a workspace and a host of its own, no environment.

mod bad_files;
mod bad_flows;
mod bad_plans;
mod history;
mod inspect;
mod live;
mod monsters;
mod reports;
mod running;
mod usage;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use regex::Regex;
use road_runner::commands::context::{Context, Given};
use tempfile::TempDir;

const FLOW: &str = "\
name: smoke
description: One diagnostic at every point.
steps:
  - { name: first, adapter: probe }
  - { name: second, adapter: probe, sweep: { rounds: [1, 2] }, repeat: 2 }
";
const MARGIN: &str = "\
name: down
description: Core rail downward.
global_seed: 7
default: { core: { voltage: { from: 1000mV, to: 900mV, step: -50mV }, frequency: 3.2GHz } }
";
const POLICY: &str = "\
name: safety
limits:
  core: { voltage: { min: 700mV, max: 1100mV }, frequency: { min: 800MHz, max: 4.2GHz } }
params:
  rounds: { max: 100 }
";
const PROFILE: &str = "\
name: genoa
priority: 50
match: { cpu_vendor: AuthenticAMD, cpu_model_contains: EPYC 9, min_cores: 2 }
policy: { limits: { core: { voltage: { min: 850mV, max: 1050mV } } } }
";
const OTHER_PROFILE: &str = "\
name: xeon
priority: 60
match: { cpu_vendor: GenuineIntel, min_memory: 1TiB, kernel_min: \"6.1\" }
policy: { limits: { core: { voltage: { min: 900mV, max: 950mV } } } }
";
const ADAPTER: &str = "\
name: probe
description: Says OK.
path: diags/probe.sh
params:
  rounds: { type: int, flag: --rounds, default: 1, min: 1, max: 1000 }
  vcore: { type: voltage, unit: mV, flag: --vcore, from: margin.core.voltage }
expect: [ { stdout_matches: '^OK$' } ]
";
/// The command that most files are met by.
const PLAN: &str = "plan --flow smoke --margin down";
const PROBE: &str = "#!/bin/sh\necho OK\n";

/// A workspace and a host in a folder of their own.
pub struct Bench {
    dir: TempDir,
}

/// What a command said.
pub struct Told {
    /// Its exit code.
    pub code: i32,
    /// Its stdout, with what differs from run to run replaced.
    pub stdout: String,
    /// Its stderr, likewise.
    pub stderr: String,
}

impl Told {
    /// All three, for a snapshot.
    pub fn all(&self) -> String {
        let mut out = self.stdout.clone();
        if !self.stderr.is_empty() {
            let _ = write!(out, "--- stderr\n{}", self.stderr);
        }
        let _ = write!(out, "=> {}", self.code);
        out
    }
}

impl Bench {
    /// A sound workspace, and an AMD server.
    pub fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        bench.write("flows/smoke.yaml", FLOW);
        bench.write("margins/down.yaml", MARGIN);
        bench.write("policy/safety.yaml", POLICY);
        bench.write("policy/profiles/genoa.yaml", PROFILE);
        bench.write("policy/profiles/xeon.yaml", OTHER_PROFILE);
        bench.write("adapters/probe.yaml", ADAPTER);
        bench.program("diags/probe.sh", PROBE);
        let host = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/host/amd-server");
        for file in ["cpuinfo", "meminfo"] {
            bench.write_at("host/proc", file, &fs::read_to_string(host.join(file)).unwrap());
        }
        bench.write_at("host/proc/sys/kernel", "hostname", "bench-03\n");
        bench.write_at("host/proc/sys/kernel", "osrelease", "6.8.0-48-generic\n");
        bench.write_at("host/proc/sys/kernel", "arch", "x86_64\n");
        fs::create_dir_all(bench.dir.path().join("host/sys")).unwrap();
        bench
    }

    /// The same host, and a workspace with nothing in it.
    pub fn empty() -> Self {
        let bench = Self::new();
        fs::remove_dir_all(bench.workspace()).unwrap();
        bench
    }

    /// Copies a file of the checkout to its place in the workspace, with its permissions.
    pub fn ship(&self, file: &str) {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        fs::copy(shipped, self.path(file)).unwrap();
    }

    /// The workspace.
    pub fn workspace(&self) -> PathBuf {
        self.dir.path().join("ws")
    }

    /// Where commands work when they are called and not typed, on the real host.
    pub fn context(&self) -> Context {
        let given = Given {
            current: self.workspace(),
            path: "/usr/bin:/bin".to_owned(),
            home: Some(self.dir.path().to_string_lossy().into_owned()),
            host_lock: Some(self.dir.path().join("host.lock")),
            ..Given::default()
        };
        Context::find(given).unwrap()
    }

    /// A file of the workspace.
    pub fn path(&self, file: &str) -> PathBuf {
        self.workspace().join(file)
    }

    /// Writes a file of the workspace.
    pub fn write(&self, file: &str, text: &str) {
        self.write_at("ws", file, text);
    }

    fn write_at(&self, folder: &str, file: &str, text: &str) {
        let path = self.dir.path().join(folder).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes an executable file of the workspace.
    pub fn program(&self, file: &str, text: &str) {
        self.write(file, text);
        self.mode(file, 0o755);
    }

    /// Sets the permissions of a file of the workspace.
    pub fn mode(&self, file: &str, mode: u32) {
        fs::set_permissions(self.path(file), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Replaces text in a file of the workspace; it must be there.
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        self.write(file, &text.replace(from, to));
    }

    /// The program with these arguments on the host of the bench, in the workspace.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.real(arguments);
        command.env("ROAD_RUNNER_PROCFS", self.dir.path().join("host/proc"));
        command.env("ROAD_RUNNER_SYSFS", self.dir.path().join("host/sys"));
        command
    }

    /// The program with these arguments on the real host, for what starts processes.
    pub fn real(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_road_runner"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .env("ROAD_RUNNER_HOST_LOCK", self.dir.path().join("host.lock"))
            .current_dir(self.workspace())
            .stdin(Stdio::null());
        command
    }

    /// Runs a command line, split at blanks.
    pub fn told(&self, line: &str) -> Told {
        self.outcome(&mut self.command(&words(line)))
    }

    /// What a command says.
    pub fn outcome(&self, command: &mut Command) -> Told {
        self.tell(&command.output().unwrap())
    }

    /// What was said, with what differs from run to run replaced.
    pub fn tell(&self, output: &Output) -> Told {
        let text = |bytes: &[u8]| self.settled(std::str::from_utf8(bytes).unwrap());
        Told {
            code: output.status.code().expect("it exits by itself"),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// A text with what differs from run to run replaced.
    pub fn settled(&self, text: &str) -> String {
        let root = self.dir.path().canonicalize().unwrap();
        let mut text = text.replace(&*root.to_string_lossy(), "BENCH");
        for (pattern, fixed) in [
            (r"rr-\d{8}T\d{6}Z-[0-9a-f]{6}(-\d+)?\b", "rr-TIME-DIGEST"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME"),
            (r"\b[0-9a-f]{64}\b", "SHA256"),
            (r" +\d+(\.\d+)?m?s  exit", "  0ms  exit"),
            (r"took \d+(\.\d+)?m?s", "took 0ms"),
            (r"(?m)^host      \S+$", "host      HOST"),
            (r"process \d+", "process PID"),
            (r"owner [a-z0-9_-]+, mode", "owner USER, mode"),
        ] {
            text = Regex::new(pattern).unwrap().replace_all(&text, fixed).into_owned();
        }
        text
    }

    /// Every file and folder below the runs folder, sorted.
    pub fn runs(&self) -> Vec<String> {
        fn walk(folder: &Path, all: &mut Vec<String>) {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                all.push(path.display().to_string());
                if path.is_dir() {
                    walk(&path, all);
                }
            }
        }
        let mut all = vec![];
        walk(&self.path("runs"), &mut all);
        all.sort();
        all
    }
}

/// The words of a command line.
pub fn words(line: &str) -> Vec<&str> {
    line.split(' ').filter(|word| !word.is_empty()).collect()
}
