//! For tests of commands: a workspace and a host in a folder of their own, and runs in it. Compiled for tests only.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::commands::context::{Context, Given};
use crate::domain::event::RunStatus;
use crate::domain::host::HostFacts;
use crate::domain::kit;
use crate::domain::summary::{Counts, FORMAT_VERSION, RunSummary};
use crate::domain::time::Timestamp;
use crate::domain::verdict::Verdict;
use crate::host::roots::Roots;
use crate::store::StoreError;
use crate::store::history::{RowCount, RunEntry};
use crate::store::layout::RunDir;
use crate::store::run_id::RunId;

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

/// A run of the past, as history lists it.
#[derive(Debug, Clone, Copy)]
pub struct Past<'a> {
    pub flow: &'a str,
    pub margin: &'a str,
    pub unit: Option<&'a str>,
    pub status: RunStatus,
    pub verdict: Option<Verdict>,
    /// From start to end.
    pub took_ms: Option<i64>,
    pub pass: u32,
    pub skipped: u32,
    /// Its summary cannot be read.
    pub unreadable: bool,
}

impl Default for Past<'_> {
    fn default() -> Self {
        Self {
            flow: "sample",
            margin: "down",
            unit: None,
            status: RunStatus::Completed,
            verdict: Some(Verdict::Pass),
            took_ms: Some(1000),
            pass: 1,
            skipped: 0,
            unreadable: false,
        }
    }
}

/// Those runs, newest first: the first of January of 2025, the second and so on backward from the last.
pub fn history(runs: &[Past<'_>]) -> Vec<RunEntry> {
    let days = (1..=runs.len()).rev();
    runs.iter().zip(days).map(|(past, day)| entry(*past, day)).collect()
}

/// Every run was interrupted for so long; nobody is to count that.
const A_NIGHT_MS: i64 = 10 * 3_600_000;

fn entry(past: Past<'_>, day: usize) -> RunEntry {
    let id = RunId::parse(&format!("rr-202501{day:02}T010101Z-abc{day:03}")).unwrap();
    let dir = RunDir::at(Path::new("/nowhere"), &id);
    let started = Timestamp::parse(&format!("2025-01-{day:02}T01:01:02.000Z")).unwrap();
    let summary = RunSummary {
        format_version: FORMAT_VERSION,
        run_id: id.to_string(),
        status: past.status,
        verdict: past.verdict,
        flow: kit::name(past.flow),
        margin: kit::name(past.margin),
        unit: past.unit.map(str::to_owned),
        global_seed: 7,
        plan_digest: "abc".to_owned(),
        source_run: None,
        host: HostFacts::default(),
        profile: vec![],
        started_at: past.took_ms.map(|_| started),
        ended_at: past.took_ms.and_then(|took| Timestamp::from_millis(started.millis() + A_NIGHT_MS + took)),
        at_work_ms: past.took_ms.and_then(|took| took.try_into().ok()),
        road_runner_version: "0.1.0".to_owned(),
        exit_code: None,
        counts: Counts::from([(Verdict::Pass, past.pass), (Verdict::Skipped, past.skipped)]),
        stop_reason: None,
        subruns: RowCount((past.pass + past.skipped) as usize),
    };
    let damaged = StoreError::Damaged { path: dir.summary(), message: "torn".to_owned() };
    RunEntry { id, summary: if past.unreadable { Err(damaged) } else { Ok(summary) }, dir }
}
