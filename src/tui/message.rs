//! What reaches the screen and what it asks for: the two halves of `update(&mut Model, Msg) -> Vec<Effect>`. Values only.

use std::path::PathBuf;
use std::sync::Arc;

use crate::commands::compare::Comparison;
use crate::commands::launch::{Launch, What};
use crate::commands::preview::Preview;
use crate::commands::proposal::Proposal;
use crate::commands::runs::How;
use crate::domain::chord::Chord;
use crate::domain::event::Recorded;
use crate::domain::plan::Plan;
use crate::domain::run_state::{Execution, RunHeader, RunState};
use crate::domain::seed::Seed;
use crate::domain::theme::Theme;
use crate::host::telemetry::Telemetry;
use crate::store::layout::RunDir;
use crate::tui::lists::{FlowLine, MarginLine, RunLine};
use crate::tui::log_thread::{LogReply, LogRequest};

/// Tells answers to a question from those to one that was asked before it.
pub type Ticket = u64;

/// Something that happened.
#[derive(Debug)]
pub enum Msg {
    /// A key.
    Key(Chord),
    /// Pasted text.
    Paste(String),
    /// A mouse button went down.
    Click {
        /// From the left.
        column: u16,
        /// From the top.
        row: u16,
    },
    /// The wheel was turned, up when negative.
    Wheel {
        /// From the left.
        column: u16,
        /// From the top.
        row: u16,
        /// Lines.
        lines: i16,
    },
    /// The screen has another size.
    Resize(u16, u16),
    /// A second has gone by while something is going on.
    Tick,
    /// The terminal is ours again after a stop.
    Continued,
    /// A signal asks us to leave.
    Signal(u8),
    /// What the workspace holds.
    Workspace(Box<Workspace>),
    /// The runs there are, newest first.
    Runs(Vec<RunLine>),
    /// A preview is ready.
    Previewed(Ticket, Box<Preview>, Option<u64>),
    /// A run is open; its events follow.
    Opened(Ticket, Box<Opened>),
    /// It cannot be opened.
    NotOpened(Ticket, String),
    /// Events of the open run, in their order.
    Events(Ticket, Vec<Recorded>),
    /// Nobody runs the open run any more; how it ended where its journal does not say.
    Ended(Ticket),
    /// The executions of one of its sub-runs.
    SubRun(Ticket, u32, Vec<Execution>),
    /// The log thread.
    Log(LogReply),
    /// The host.
    Telemetry(Box<Telemetry>),
    /// A plan waits for a word.
    Proposed(Ticket, Result<Box<Proposed>, Refused>),
    /// A run was started.
    Started(Ticket, Result<String, Refused>),
    /// Something was done; or it was not.
    Done(Result<String, Refused>),
    /// Two runs side by side.
    Compared(Box<Comparison>),
    /// What has changed on the host since a run, by its id.
    Drift(String, Vec<String>),
    /// The themes there are, and what is wrong with some of them.
    Themes(Vec<Theme>, Vec<String>),
    /// Files of the workspace were edited, as shown; or those of the runs folder.
    Changed(Vec<String>),
    /// A run came or went.
    RunsChanged,
    /// What was wrong with the keys of the user.
    KeysRefused(Vec<String>),
}

/// What a workspace holds, for the two lists at the left.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    /// Its flows.
    pub flows: Vec<FlowLine>,
    /// Its margin profiles.
    pub margins: Vec<MarginLine>,
    /// What is wrong with policy and adapters, a line each.
    pub errors: Vec<String>,
    /// The flow and the margin to begin with, as files.
    pub first: Option<(String, String)>,
}

/// A run that was opened.
#[derive(Debug)]
pub struct Opened {
    /// Its directory.
    pub dir: RunDir,
    /// As far as it has come.
    pub state: RunState,
    /// Somebody runs it.
    pub live: bool,
    /// Its plan cannot be read: nobody can run it again.
    pub stands_in: bool,
    /// What of the record is not as it should be.
    pub damage: Vec<String>,
}

/// A plan that could run, and how it would be started.
#[derive(Debug)]
pub struct Proposed {
    /// What is asked.
    pub proposal: Proposal,
    /// How it is started.
    pub launch: Launch,
    /// The margin profile, where it is planned anew.
    pub margin_file: Option<PathBuf>,
    /// How long it may take by what past runs took, milliseconds.
    pub estimate: Option<u64>,
}

/// Why something was not done, with every line that explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// One line.
    pub what: String,
    /// Files, lines, what to do.
    pub report: Vec<String>,
}

/// Something to be done outside of the screen.
#[derive(Debug)]
pub enum Effect {
    /// Read the workspace.
    ReadWorkspace,
    /// List the runs.
    ListRuns,
    /// Expand a flow with a margin.
    Preview(Ticket, Choice),
    /// Open a run, and follow it while somebody runs it.
    Open(Ticket, String),
    /// Let the open run go.
    Close,
    /// Read the executions of a sub-run.
    ReadSubRun(Ticket, Arc<RunDir>, Box<RunHeader>, Arc<Plan>, u32),
    /// For the log thread.
    Log(LogRequest),
    /// Look at the host, so often as told.
    Sample(Sampling),
    /// Make a plan to be confirmed.
    Propose(Ticket, Order),
    /// Look once more whether all is as it was confirmed, then start it.
    Start(Ticket, Box<Launch>),
    /// Stop a run.
    Stop(String, How),
    /// Write the plan to disk.
    WritePlan(Choice),
    /// Leave the record of a run without starting anything.
    DryRun(Box<Choice>),
    /// Make the reports of a run.
    Report(String),
    /// Write its rows.
    Export(String),
    /// Two runs side by side.
    Compare(String, String),
    /// What has changed on the host since a run.
    Drift(String),
    /// Put text into the terminal's clipboard.
    Yank(String),
    /// Open a file in the user's editor.
    Edit(PathBuf),
    /// Back to the shell until it continues us.
    Suspend,
    /// Draw everything again.
    Redraw,
    /// Take the mouse, or leave it to the terminal.
    Mouse(bool),
    /// Read the themes.
    ReadThemes,
}

/// How often the host is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sampling {
    /// Nobody looks.
    Off,
    /// Once: nothing goes on.
    Once,
    /// Again and again, while a run goes on.
    Steady,
}

/// What is to be started once it is confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// What.
    pub what: What,
    /// The unit under test, where it was named.
    pub unit: Option<String>,
    /// Stop after so many failed sub-runs.
    pub max_fail: Option<u32>,
    /// Beside another run on this host.
    pub allow_concurrent: bool,
}

/// A flow with a margin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// The flow's file.
    pub flow: String,
    /// The margin's file.
    pub margin: String,
    /// The unit under test.
    pub unit: Option<String>,
    /// The seed of everything; none where the margin's own, or one that is drawn, is to be taken.
    pub seed: Option<Seed>,
}

/// How the application was left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// By `q`.
    Left,
    /// By a signal.
    Signal(u8),
    /// What a command line asked for was declined.
    Declined,
}
