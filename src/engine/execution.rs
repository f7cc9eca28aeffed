//! One execution in the real world: its folder, its logs, its process tree, and what they show.
//! Never decides when it ends; the dispatcher does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::time::Instant;

use crate::store::StoreError;
use crate::store::layout::{ExecutionName, SubRunDir};
use crate::store::mortal::around;

use super::effect::{Input, Start};
use super::logs::{LogError, LogSizes, StepLogs};
use super::logs_sync::LogSyncer;
use super::process_tree::{LeaderExit, ProcessTree, Reaper, Remains};
use super::spawn::{Launch, spawn};

/// Between two looks at the logs.
const TICK: Duration = Duration::from_millis(50);
/// Between two looks at a tree whose leader has ended.
const DRAIN_TICK: Duration = Duration::from_millis(2);
/// Between two times that live logs are brought to the disk.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Why an execution did not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its folder or logs cannot be made: the record is at stake.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Likewise.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The program cannot be started: only this step is.
    #[error("{0}")]
    Program(String),
}

/// An execution that has, or has had, processes.
#[derive(Debug)]
pub struct Execution<'r> {
    /// What was started.
    pub start: Start,
    /// Its artifact folder.
    pub artifacts: PathBuf,
    /// Its environment, which its restore commands share.
    pub environment: BTreeMap<String, String>,
    /// Its logs.
    pub logs: StepLogs,
    tree: ProcessTree<'r>,
    launched: Instant,
    exit: Option<LeaderExit>,
    leader_end: Option<Instant>,
    told: bool,
    killing: bool,
    next_tick: Instant,
    next_sync: Instant,
}

/// What [`Execution::next`] saw.
#[derive(Debug)]
pub enum Saw {
    /// Something for the dispatcher, at that moment.
    Input(Input, Instant),
    /// The logs have grown to these sizes.
    Grown(LogSizes),
    /// Nothing new.
    Nothing,
}

impl<'r> Execution<'r> {
    /// Makes the folder and the logs and starts the program.
    pub fn start(
        reaper: &'r Reaper,
        dir: &SubRunDir,
        name: &ExecutionName,
        max_log: u64,
        start: Start,
        environment: impl FnOnce(&Start, &Path) -> BTreeMap<String, String>,
    ) -> Result<Self, StartError> {
        let artifacts = dir.create_artifacts(name)?;
        let logs = around("make the logs", || StepLogs::create(dir.stdout(name), dir.stderr(name), max_log))?;
        let environment = environment(&start, &artifacts);
        let (program, args) = start.argv.split_first().ok_or_else(|| StartError::Program("no program".to_owned()))?;
        if !program.contains('/') {
            return Err(StartError::Program(format!("{program} was not found on PATH")));
        }
        let launch = Launch {
            program: Path::new(program),
            args,
            env: environment.iter().map(|(name, value)| (name.as_str(), value.as_str())),
            cwd: &artifacts,
            stdout: logs.stdout().file(),
            stderr: logs.stderr().file(),
        };
        // On a busy host the program may have run for a while before we do again: that time is its own.
        let launched = Instant::now();
        let child = around("start a step", || spawn(launch)).map_err(|error| StartError::Program(error.to_string()))?;
        let tree = ProcessTree::adopt(reaper, child).map_err(|error| StartError::Program(error.to_string()))?;
        let now = Instant::now();
        Ok(Self {
            start,
            artifacts,
            environment,
            logs,
            tree,
            launched,
            exit: None,
            leader_end: None,
            told: false,
            killing: false,
            next_tick: now + TICK,
            next_sync: now + SYNC_EVERY,
        })
    }

    /// Its process id and start time, for the record, and the moment from which its time counts.
    pub fn spawned(&self) -> (Input, Instant) {
        let pid = u32::try_from(self.tree.pid().as_raw_nonzero().get()).unwrap_or_default();
        (Input::Spawned { pid, start_ticks: self.tree.start_ticks() }, self.launched)
    }

    /// How the leader ended; `None` while its tree is not gone, and for one that was abandoned.
    pub const fn exit(&self) -> Option<&LeaderExit> {
        self.exit.as_ref()
    }

    /// SIGTERM to all.
    pub fn terminate(&mut self) {
        // Whatever is not reached now is killed after the grace; there is nobody else to tell.
        drop(self.tree.signal(Signal::TERM));
    }

    /// SIGKILL to all, now and at each look until none is left.
    pub fn kill(&mut self) {
        self.killing = true;
        drop(self.tree.signal(Signal::KILL));
        self.next_tick = self.next_tick.min(Instant::now() + DRAIN_TICK);
    }

    /// Waits for something to happen, until `deadline` at the latest. Safe to drop and call again.
    pub async fn next(&mut self, deadline: Option<Instant>) -> Saw {
        let wake = deadline.map_or(self.next_tick, |deadline| deadline.min(self.next_tick));
        tokio::select! {
            biased;
            _ = self.tree.leader_ended(), if self.leader_end.is_none() => {
                // Should the descriptor fail to tell, the looks that follow find out.
                let now = Instant::now();
                self.leader_end = Some(now);
                return self.look(now);
            }
            () = tokio::time::sleep_until(wake) => {}
        }
        let now = Instant::now();
        if deadline.is_some_and(|deadline| now >= deadline) {
            return Saw::Input(Input::Deadline, now);
        }
        if now < self.next_tick {
            return Saw::Nothing;
        }
        self.next_tick = now + if self.leader_end.is_some() || self.killing { DRAIN_TICK } else { TICK };
        if self.killing {
            drop(self.tree.signal(Signal::KILL));
        }
        if self.leader_end.is_some() { self.look(now) } else { self.watch_logs(now) }
    }

    fn watch_logs(&mut self, now: Instant) -> Saw {
        match self.logs.sample() {
            Ok(Some(sizes)) => Saw::Grown(sizes),
            Ok(None) => Saw::Nothing,
            Err(error) => Saw::Input(Input::LogFailed(error.to_string()), now),
        }
    }

    /// Once a second: what has grown goes to the disk, what came home and died is collected. Returns whether it did.
    pub fn housekeeping(&mut self, syncer: &LogSyncer) -> bool {
        let now = Instant::now();
        let due = now >= self.next_sync;
        if due {
            self.next_sync = now + SYNC_EVERY;
            self.logs.sync(syncer);
            if self.leader_end.is_none() {
                drop(self.tree.collect_strays());
            }
        }
        due
    }

    /// Asks what is left after the leader's end.
    fn look(&mut self, now: Instant) -> Saw {
        self.next_tick = now + DRAIN_TICK;
        match self.tree.remains() {
            Ok(Remains::Gone(exit)) => {
                self.exit = Some(exit);
                if self.told {
                    Saw::Input(Input::TreeGone, now)
                } else {
                    Saw::Input(Input::LeaderEnded { left: 0 }, self.leader_end.unwrap_or(now))
                }
            }
            // All that is left has ended and is about to be collected: nothing was left alive.
            Ok(Remains::Alive(0)) | Err(_) => Saw::Nothing,
            Ok(Remains::Alive(left)) if !self.told => {
                self.told = true;
                Saw::Input(Input::LeaderEnded { left }, self.leader_end.unwrap_or(now))
            }
            Ok(Remains::Alive(_)) => Saw::Nothing,
        }
    }
}
