//! What has changed about the host since a run, in lines that can be shown. Reads the run's `sysinfo.json` and nothing else
//! of it; what a moment cost to look at is paid once, by whoever asks for it.

use crate::commands::context::Context;
use crate::domain::sanitize;
use crate::host::command::Limits;
use crate::host::drift::{self, Drift};
use crate::host::sysinfo::{Snapshot, Sysinfo};
use crate::store::history::RunEntry;
use crate::store::layout::RunDir;

/// The host as it is now: takes a few commands and some dozens of small files.
pub fn host_now(context: &Context) -> Snapshot {
    Snapshot::take(&context.roots, &[], Limits::default())
}

/// The host as it was when a run began, if that was recorded and can be read.
pub fn host_then(dir: &RunDir) -> Option<Snapshot> {
    let text = std::fs::read(dir.sysinfo()).ok()?;
    Some(serde_json::from_slice::<Sysinfo>(&text).ok()?.start)
}

/// What differs `now` from when a run began; for one that never did, from the host that it was planned for. Costs one small
/// file. Nothing where not even the summary can be read.
pub fn since(entry: &RunEntry, now: &Snapshot) -> Vec<String> {
    let drifts = match (host_then(&entry.dir), &entry.summary) {
        (Some(then), _) => drift::between(&then, now),
        (None, Ok(summary)) => drift::between_facts(&summary.host, &now.host),
        (None, Err(_)) => vec![],
    };
    lines(&drifts)
}

/// Differences as lines, without what a terminal would obey.
pub fn lines(drifts: &[Drift]) -> Vec<String> {
    drifts.iter().map(|drift| sanitize::line(&drift.to_string()).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::host::roots::Roots;
    use crate::store::test_run::{self, TestRun};

    /// A host whose kernel is called so.
    fn host(kernel: &str) -> Snapshot {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("proc/sys/kernel");
        std::fs::create_dir_all(&file).unwrap();
        std::fs::write(file.join("osrelease"), kernel).unwrap();
        std::fs::write(file.join("hostname"), "bench").unwrap();
        Snapshot::take(&Roots::under(dir.path()), &[], Limits::default())
    }

    #[test]
    fn since_a_run_began_or_was_planned() {
        let mut plan = (*test_run::plan(1, 1)).clone();
        plan.host = host("6.7").host;
        let run = TestRun::write(&Arc::new(plan), &[]);
        let check = |now: &str, expected: &[&str]| assert_eq!(since(&run.entry(), &host(now)), expected);
        check("6.7", &[]);
        check("6.8", &["kernel 6.7 -> 6.8"]);
        let sysinfo = serde_json::to_vec(&Sysinfo::started(host("6.8\u{1b}[2J"))).unwrap();
        std::fs::write(run.dir.sysinfo(), sysinfo).unwrap();
        let now = since(&run.entry(), &host("6.9"));
        assert!(now.len() == 1 && now[0].starts_with("kernel 6.8") && !now[0].contains('\u{1b}'), "{now:?}");
        std::fs::write(run.dir.sysinfo(), "{").unwrap();
        check("6.9", &["kernel 6.7 -> 6.9"]);
        run.edit("summary.json", |_| "{".to_owned());
        check("6.9", &[]);
    }
}
