//! Processes that a dead runner left behind: found by the run's id in their environment, and ended. Never signals a process
//! that does not carry that very id, and never one that took over the pid of another meanwhile.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::process_scan::Process;
use crate::host::process::{self, ProcessIdentity};
use crate::host::roots::Roots;

/// The mark that every process of a run has in its environment, before the id.
const MARK: &[u8] = b"ROAD_RUNNER_RUN_ID=";

/// Looks until none is left, and the pause between two.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(10);

/// Kills every process of that run. Returns how many are left: those that even SIGKILL does not end, or that are not ours
/// to signal.
pub async fn end(run_id: &str) -> usize {
    let mut left = 0;
    for _ in 0..LOOKS {
        let found = of_run(run_id);
        left = found.len();
        if left == 0 {
            break;
        }
        found.iter().for_each(kill);
        tokio::time::sleep(PAUSE).await;
    }
    left
}

/// The living processes that carry the run's id in their environment, this one aside.
pub fn of_run(run_id: &str) -> Vec<Process> {
    let own = rustix::process::getpid();
    let entries = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    let marked = pids.filter(|pid| *pid != own && carries(*pid, run_id));
    marked.filter_map(Process::read).filter(|process| !process.ended).collect()
}

fn carries(pid: Pid, run_id: &str) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    marks(&environment).any(|id| id == run_id.as_bytes())
}

fn marks(environment: &[u8]) -> impl Iterator<Item = &[u8]> {
    environment.split(|byte| *byte == 0).filter_map(|variable| variable.strip_prefix(MARK))
}

/// The living processes of all runs, by the id that each carries; this one aside, and those of other users, whose environment
/// we may not read. Signals none.
pub fn of_all_runs(roots: &Roots) -> BTreeMap<String, Vec<ProcessIdentity>> {
    let mut found: BTreeMap<String, Vec<ProcessIdentity>> = BTreeMap::new();
    let entries = fs::read_dir(&roots.procfs).into_iter().flatten().filter_map(Result::ok);
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        if roots.is_native() && pid == std::process::id() {
            continue;
        }
        let Ok(environment) = fs::read(roots.proc(&format!("{pid}/environ"))) else { continue };
        let Some(id) = marks(&environment).find_map(|id| std::str::from_utf8(id).ok()) else { continue };
        let Ok(identity) = process::identity(roots, pid) else { continue };
        if process::is_running(roots, identity).unwrap_or(false) {
            found.entry(id.to_owned()).or_default().push(identity);
        }
    }
    for processes in found.values_mut() {
        processes.sort();
    }
    found
}

fn kill(seen: &Process) {
    let Ok(pidfd) = pidfd_open(seen.pid, PidfdFlags::empty()) else { return };
    // The handle is of the process that was seen only if that one is still there.
    if Process::read(seen.pid).is_some_and(|now| now.start_ticks == seen.start_ticks) {
        // One that is gone needs no signal; one that we may not signal is counted again.
        let _ = pidfd_send_signal(&pidfd, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_told_by_their_mark_and_by_life() {
        let machine = tempfile::tempdir().unwrap();
        let roots = Roots::under(machine.path());
        let process = |pid: u32, state: char, environment: &str| {
            let folder = roots.proc(&pid.to_string());
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("environ"), environment).unwrap();
            let stat = format!("{pid} (sh) {state} 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 77{pid} 0 0\n");
            fs::write(folder.join("stat"), stat).unwrap();
        };
        process(30, 'S', "PATH=/bin\0ROAD_RUNNER_RUN_ID=rr-a\0X=1\0");
        process(20, 'R', "ROAD_RUNNER_RUN_ID=rr-a");
        process(21, 'S', "ROAD_RUNNER_RUN_ID=rr-b\0");
        process(22, 'Z', "ROAD_RUNNER_RUN_ID=rr-a\0");
        process(23, 'S', "X_ROAD_RUNNER_RUN_ID=rr-a\0ROAD_RUNNER_RUN=rr-a\0");
        fs::create_dir_all(roots.proc("self")).unwrap();
        fs::create_dir_all(roots.proc("40")).unwrap();
        let found: Vec<String> = of_all_runs(&roots)
            .into_iter()
            .map(|(id, all)| format!("{id} {:?}", all.iter().map(|p| (p.pid, p.start_ticks)).collect::<Vec<_>>()))
            .collect();
        assert_eq!(found, ["rr-a [(20, 7720), (30, 7730)]", "rr-b [(21, 7721)]"]);
    }
}
