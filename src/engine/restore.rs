//! Runs one restore command: what brings a rail home after a step. It is not stopped by signals, only by its limit.
//! Never runs beside a step, never leaves a process behind.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::process::Signal;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::process_tree::{LeaderExit, ProcessTree, Reaper, Remains};
use super::spawn::{Launch, spawn};

/// A restore command that takes longer has failed.
pub const LIMIT: Duration = Duration::from_secs(60);
/// After SIGKILL.
const UNKILLABLE_AFTER: Duration = Duration::from_secs(10);
const DRAIN_TICK: Duration = Duration::from_millis(2);

/// Where a restore command runs.
#[derive(Debug)]
pub struct At<'a> {
    /// The artifact folder of the step.
    pub folder: &'a Path,
    /// The environment of the step.
    pub environment: &'a BTreeMap<String, String>,
    /// Both its streams are appended here.
    pub log: &'a Path,
}

/// Runs `program` without arguments and waits for it and everything it started. The error says how it failed.
pub async fn run(reaper: &Reaper, program: &str, at: &At<'_>) -> Result<(), String> {
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(at.log)
        // Bringing a rail home matters more than what is said about it.
        .or_else(|_| OpenOptions::new().write(true).open("/dev/null"))
        .map_err(|error| format!("could not be started: {error}"))?;
    let launch = Launch {
        program: Path::new(program),
        args: &[],
        env: at.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        cwd: at.folder,
        stdout: &log,
        stderr: &log,
    };
    let child = spawn(launch).map_err(|error| format!("could not be started: {error}"))?;
    let mut tree = ProcessTree::adopt(reaper, child).map_err(|error| format!("could not be watched: {error}"))?;
    let in_time = timeout_at(Instant::now() + LIMIT, tree.leader_ended()).await.is_ok();
    let give_up = Instant::now() + UNKILLABLE_AFTER;
    let exit = loop {
        match tree.remains() {
            Ok(Remains::Gone(exit)) => break exit,
            Ok(Remains::Alive(_)) | Err(_) if Instant::now() >= give_up => {
                return Err("has processes that cannot be killed".to_owned());
            }
            Ok(Remains::Alive(_)) | Err(_) => {}
        }
        drop(tree.signal(Signal::KILL));
        sleep_until(Instant::now() + DRAIN_TICK).await;
    };
    if in_time { told(&exit) } else { Err(format!("ran longer than {} s", LIMIT.as_secs())) }
}

fn told(exit: &LeaderExit) -> Result<(), String> {
    match exit.status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(format!("ended with exit code {code}")),
        None => Err(format!("ended with {}", exit.status)),
    }
}
