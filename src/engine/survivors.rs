//! Processes that a dead runner left behind: found by the run's id in their environment, and ended. Never signals a process
//! that does not carry that very id, and never one that took over the pid of another meanwhile.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::process_scan::Process;

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
    let mark = format!("ROAD_RUNNER_RUN_ID={run_id}");
    environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
}

fn kill(seen: &Process) {
    let Ok(pidfd) = pidfd_open(seen.pid, PidfdFlags::empty()) else { return };
    // The handle is of the process that was seen only if that one is still there.
    if Process::read(seen.pid).is_some_and(|now| now.start_ticks == seen.start_ticks) {
        // One that is gone needs no signal; one that we may not signal is counted again.
        let _ = pidfd_send_signal(&pidfd, Signal::KILL);
    }
}
