//! A process from its start to its end: how long, and how much memory.

use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

/// A process that has ended.
pub struct Ended {
    /// From before the start until after the wait.
    pub elapsed: Duration,
    /// The most memory that it had, MiB. Never less than the bench's own, in which it was started.
    pub peak_mib: f64,
    /// How.
    pub status: ExitStatus,
}

/// Runs a command to its end.
pub fn run(command: &mut Command) -> Ended {
    let start = Instant::now();
    let used = command.spawn().expect("it starts").wait4().expect("it ends");
    let elapsed = start.elapsed();
    let peak_kib = u32::try_from(used.rusage.maxrss / 1024).expect("less than 4 TiB");
    Ended { elapsed, peak_mib: f64::from(peak_kib) / 1024.0, status: used.status }
}

/// As [`run`], for a command that must succeed.
pub fn run_well(command: &mut Command) -> Ended {
    let ended = run(command);
    assert!(ended.status.success(), "{command:?}: {}", ended.status);
    ended
}

/// The most memory that this process has had, MiB.
pub fn own_peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("procfs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kib: u32 = line.trim().trim_end_matches("kB").trim().parse().expect("a number");
    f64::from(kib) / 1024.0
}
