//! Calls a small program and waits for it and everything it started: a restore command, a controller. It is not stopped by
//! signals, only by its limit. Never runs beside a step, never leaves a process behind.

use std::fs::File;
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::process_tree::{LeaderExit, ProcessTree, Reaper, Remains};
use super::spawn::{Launch, spawn};

/// After SIGKILL.
const UNKILLABLE_AFTER: Duration = Duration::from_secs(10);
const DRAIN_TICK: Duration = Duration::from_millis(2);
/// Between two looks at what it prints.
const LOOK: Duration = Duration::from_millis(50);
/// Whoever prints more than this is not saying what was asked.
const MOST_PRINTED: u64 = 1 << 20;

/// Calls and waits. The error says how it failed: not started, too long, too loud, by its own exit code or signal.
pub async fn call<'e, E>(reaper: &Reaper, launch: Launch<'_, E>, limit: Duration) -> Result<(), String>
where
    E: IntoIterator<Item = (&'e str, &'e str)>,
{
    let (stdout, stderr) = (launch.stdout, launch.stderr);
    let begun = printed(stdout, stderr);
    let child = spawn(launch).map_err(|error| format!("could not be started: {error}"))?;
    let mut tree = ProcessTree::adopt(reaper, child).map_err(|error| format!("could not be watched: {error}"))?;
    let deadline = Instant::now() + limit;
    let mut cut = None;
    loop {
        let look = deadline.min(Instant::now() + LOOK);
        if timeout_at(look, tree.leader_ended()).await.is_ok() {
            break;
        }
        if Instant::now() >= deadline {
            cut = Some(format!("ran longer than {} ms", limit.as_millis()));
            break;
        }
        if printed(stdout, stderr).saturating_sub(begun) > MOST_PRINTED {
            cut = Some("printed more than anybody reads".to_owned());
            break;
        }
    }
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
    cut.map_or_else(|| told(&exit), Err)
}

fn printed(stdout: &File, stderr: &File) -> u64 {
    [stdout, stderr].into_iter().filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

fn told(exit: &LeaderExit) -> Result<(), String> {
    match exit.status.code() {
        Some(0) => Ok(()),
        Some(code) => Err(format!("ended with exit code {code}")),
        None => Err(format!("ended with {}", exit.status)),
    }
}
