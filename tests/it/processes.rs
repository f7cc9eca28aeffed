//! What tests of runs that go on share: waiting until something is so, and the processes of this machine by what they were
//! started with.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Pid;

use crate::cli::Bench;

/// Whoever is waited for longer than this does not come.
pub const LONG: Duration = Duration::from_secs(30);

/// Waits until something is so.
pub fn until(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < limit, "waited for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// One process, as the kernel shows its command line and its environment; empty where it has ended.
pub struct Seen {
    pub pid: Pid,
    pub line: Vec<String>,
    pub environment: Vec<String>,
}

/// Every process there is.
pub fn all() -> impl Iterator<Item = Seen> {
    let entries = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
    pids.map(|pid| {
        let words = |file: &str| {
            let text = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            String::from_utf8_lossy(&text).split('\0').map(str::to_owned).collect()
        };
        Seen { pid, line: words("cmdline"), environment: words("environ") }
    })
}

impl Seen {
    /// Whether it watches over a run in that folder.
    pub fn is_guardian(&self, runs: &Path) -> bool {
        let runs = runs.to_string_lossy();
        self.line.iter().any(|word| word == "--guardian") && self.line.iter().any(|word| *word == runs)
    }

    /// Whether it works for a run somewhere below that folder.
    pub fn works_below(&self, folder: &Path) -> bool {
        let folder = format!("{}/", folder.display());
        let is_marked = self.environment.iter().any(|variable| variable.starts_with("ROAD_RUNNER_RUN_ID="));
        is_marked && self.environment.iter().any(|variable| variable.contains(&folder))
    }
}

/// The guardians of runs in that folder.
pub fn guardians(runs: &Path) -> Vec<Pid> {
    all().filter(|process| process.is_guardian(runs)).map(|process| process.pid).collect()
}

/// Until no guardian of the bench is at work any more: it ends what its runner left.
pub fn settles(bench: &Bench) {
    until("the guardian's end", LONG, || guardians(&bench.path("runs")).is_empty());
}
