//! What the dispatcher hears and what it asks for: the two alphabets of the engine.
//! Plain data; nothing here acts, waits or knows the clock.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::event::{Metric, RailLevel, Recorded};
use crate::domain::evidence::Observed;
use crate::domain::name::Name;
use crate::domain::param::ParamValue;
use crate::domain::point::Rails;
use crate::domain::rails::{Levels, Write};
use crate::domain::seed::Seed;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{CancelReason, Effects, Verdict};

use super::logs::LogSizes;

/// How each rail came home: where it reads, or what went wrong.
pub type Home = BTreeMap<Name, Result<RailLevel, String>>;

/// The moment of an input: limits go by the first, records by the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Since the runner began, never going back.
    pub monotonic: Duration,
    /// The calendar.
    pub wall: Timestamp,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The runner is ready.
    Begin,
    /// Where the rails with a controller are, or why they cannot be read. Answers [`Effect::ReadRails`].
    RailsRead(Result<Levels, String>),
    /// The writes were made and the rails read back, or why not. Answers [`Effect::MoveRails`].
    RailsMoved(Result<Levels, String>),
    /// The sub-run may begin. Answers [`Effect::Enter`].
    Entered,
    /// The step has a process. Answers [`Effect::Start`].
    Spawned {
        /// Its leader.
        pid: u32,
        /// When the leader started, in clock ticks since boot.
        start_ticks: Option<u64>,
    },
    /// The step could not be started, and why. Answers [`Effect::Start`].
    NotStarted(String),
    /// A log of the running step has grown.
    LogsGrew,
    /// A log of the running step cannot be kept within its cap.
    LogFailed(String),
    /// The leader of the step has ended and left so many living processes behind.
    LeaderEnded {
        /// Zero: the tree is gone as well.
        left: usize,
    },
    /// No process of the step is left, after [`Input::LeaderEnded`] with some.
    TreeGone,
    /// The moment of [`Dispatcher::deadline`](super::dispatcher::Dispatcher::deadline) has come.
    Deadline,
    /// The restore commands have run, or which failed. Answers [`Effect::Restore`].
    Restored(Result<(), String>),
    /// The step was judged. Answers [`Effect::Judge`].
    Judged(Box<Judged>),
    /// What a dead runner's step in flight left, and whether its restore commands ran. Answers [`Effect::LookBack`].
    LookedBack(Box<Judged>, Result<(), String>),
    /// How each rail came home, in their order. Answers [`Effect::HomeRails`].
    RailsHome(Home),
    /// A sensor says more than the policy allows.
    TooHot(String),
    /// The host is cool enough again, or why not. Answers [`Effect::CoolDown`].
    Cooled(Result<(), String>),
    /// Evidence that came after the step that it belongs to.
    Late(Observed),
    /// The sub-run may end. Answers [`Effect::Leave`].
    Left,
    /// SIGINT, or the operator asks to stop now; the second time kills.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGHUP.
    Hangup,
    /// SIGQUIT: kills at once.
    Quit,
    /// SIGUSR1: finish the step in flight, then stop.
    StopAfterStep,
    /// The record cannot be written. The rest of the effects that it came from are not performed.
    RecordFailed(String),
}

/// Something to be done. Effects are performed in order; at most the last of a batch is answered by an input.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Write a line; publish it once it is written.
    Record(Box<Recorded>),
    /// What was written so far must be on disk before the next effect.
    Sync,
    /// Make the sub-run's directory and journal.
    OpenSubRun(u32),
    /// Go on with the journal of a sub-run that a dead runner left open; what of it is missing is made.
    ReopenSubRun(u32),
    /// A dead runner left this step in flight: run the restore commands of its adapter, and look at what is there of it.
    /// Answered by [`Input::LookedBack`].
    LookBack(Box<LeftBehind>),
    /// Nothing but a moment to hear of signals before a sub-run begins. Answered by [`Input::Entered`].
    Enter,
    /// Read every rail that has a controller. Answered by [`Input::RailsRead`].
    ReadRails,
    /// Keep on disk where home is, and have the guardian know that rails are about to move.
    KeepNominal(Levels),
    /// Make these writes in order, let the rails settle and read them back. Answered by [`Input::RailsMoved`].
    MoveRails(Vec<Write>),
    /// Bring every rail home, whatever fails on the way, and read it. Answered by [`Input::RailsHome`].
    HomeRails(Levels),
    /// Every rail is home: keep that on disk, and have the guardian know.
    RailsAreHome,
    /// Wait until the host is as cool as the policy wants it. Answered by [`Input::Cooled`].
    CoolDown,
    /// The sub-run has nothing to bring home. Answered by [`Input::Left`].
    Leave,
    /// What the sub-run came to is about to be said: its logs and artifacts must be on the disk before.
    FilesToDisk,
    /// The sub-run's journal is complete: write its summary.
    CloseSubRun(u32),
    /// Start a step. Answered by [`Input::Spawned`] or [`Input::NotStarted`].
    Start(Box<Start>),
    /// SIGTERM to all processes of the step.
    Terminate,
    /// SIGKILL to all processes of the step, again and again until none is left.
    Kill,
    /// Stop waiting for processes that cannot be killed.
    Abandon,
    /// Run the restore commands of the step's adapter. Answered by [`Input::Restored`].
    Restore,
    /// Look at what the step left and judge it. Answered by [`Input::Judged`].
    Judge(Box<Ending>),
    /// The run is over; write its summary and return this code.
    Finish(u8),
}

impl Effect {
    /// Whether nothing begins by it: once the disk is full this much is still done.
    pub const fn begins_nothing(&self) -> bool {
        matches!(
            self,
            Self::Record(_)
                | Self::Sync
                | Self::FilesToDisk
                | Self::CloseSubRun(_)
                | Self::RailsAreHome
                | Self::Terminate
                | Self::Kill
                | Self::Abandon
        )
    }
}

/// All that one execution needs, but for what only the runner knows: artifact folder, PATH.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    /// The sub-run.
    pub sub_run: u32,
    /// Counts executions within the sub-run.
    pub index: u32,
    /// The flow's name for it.
    pub step: Name,
    /// What runs it.
    pub adapter: Name,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Its parameters.
    pub params: BTreeMap<Name, ParamValue>,
    /// The rails that it sees.
    pub rails: Rails,
    /// Its seed.
    pub seed: Seed,
    /// From 1; more after a retried crash.
    pub attempt: u32,
}

/// A step that was in flight when its runner stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct LeftBehind {
    /// The step.
    pub start: Start,
    /// The boot in which it was started, where that is recorded.
    pub boot_id: Option<String>,
    /// When it was started.
    pub at: Timestamp,
}

/// Why an execution was ended before it ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndCause {
    /// It ran to its time limit, milliseconds.
    TimeLimit(u64),
    /// It wrote nothing for so long, milliseconds.
    Silence(u64),
    /// A log cannot be kept.
    Log(String),
    /// It became too hot: the point was not held.
    TooHot(String),
    /// The run is being ended.
    Cancelled(CancelReason),
}

/// How an execution came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ending {
    /// Why we ended it, if we did.
    pub cause: Option<EndCause>,
    /// From spawn to the leader's end, milliseconds.
    pub duration_ms: u64,
    /// Processes alive when the leader had ended by itself.
    pub left: usize,
    /// Processes that even SIGKILL did not end.
    pub unkillable: bool,
    /// Which restore command failed, and how.
    pub restore_failed: Option<String>,
}

/// What an execution used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Processor time in user mode, milliseconds.
    pub user_ms: u64,
    /// Processor time in the kernel, milliseconds.
    pub system_ms: u64,
    /// Largest resident set, where it can be told.
    pub max_rss_kb: Option<u64>,
}

/// What judging an execution found; the rest of its record the dispatcher knows.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen.
    pub effects: Effects,
    /// Why this verdict.
    pub reason: Option<String>,
    /// The leader's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended the leader.
    pub signal: Option<i32>,
    /// What was written.
    pub sizes: LogSizes,
    /// What it used, where it is known.
    pub usage: Option<Usage>,
    /// Measured values.
    pub metrics: BTreeMap<Name, Metric>,
    /// What was checked.
    pub evidence: Vec<crate::domain::event::Evidence>,
    /// What the hardware said meanwhile.
    pub observed: Observed,
    /// Files left in the artifact folder.
    pub artifacts: Vec<String>,
    /// What went wrong with the rig.
    pub error: Option<String>,
}

impl Judged {
    /// Of an execution that never had a process.
    pub fn never_ran(verdict: Verdict, reason: String) -> Self {
        Self {
            verdict,
            effects: Effects::new(),
            error: (verdict == Verdict::Error).then(|| reason.clone()),
            reason: Some(reason),
            exit_code: None,
            signal: None,
            sizes: LogSizes::default(),
            usage: None,
            metrics: BTreeMap::new(),
            evidence: vec![],
            observed: Observed::new(),
            artifacts: vec![],
        }
    }
}
