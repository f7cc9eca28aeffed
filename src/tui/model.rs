//! Everything the screen knows. Changed by `update` alone, drawn by `view` alone; no clock, no file, no terminal in it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use crate::commands::preview::Preview;
use crate::domain::chord::Chord;
use crate::domain::keymap::Keymap;
use crate::domain::plan::Plan;
use crate::domain::run_state::{Execution, RunState};
use crate::domain::shmoo::{Cell, Outcome, outcome};
use crate::domain::theme::{Depth, Theme};
use crate::domain::time::Timestamp;
use crate::host::telemetry::Telemetry;
use crate::store::layout::RunDir;
use crate::tui::actions::Pane;
use crate::tui::board::Board;
use crate::tui::canvas::Look;
use crate::tui::dialogs::Dialog;
use crate::tui::field::Field;
use crate::tui::layout::{Layout, Shape};
use crate::tui::lists::{FlowLine, ListCursor, MarginLine, RunLine};
use crate::tui::message::{Choice, Exit, Sampling, Ticket};
use crate::tui::panes::log::LogPane;

/// What lies in shmoo, steps and log.
#[derive(Debug, Default)]
pub enum Subject {
    /// Nothing has been chosen.
    #[default]
    Nothing,
    /// A flow with a margin.
    Preview(Box<Previewed>),
    /// A run.
    Run(Box<OpenRun>),
}

impl Subject {
    /// What a sub-run gives its cell.
    pub fn outcome(&self, index: u32) -> Outcome {
        match self {
            Self::Nothing => Cell::Planned.into(),
            Self::Preview(previewed) => previewed.preview.outcome(index),
            Self::Run(run) => outcome(&run.state, index),
        }
    }
}

/// A flow with a margin, expanded.
#[derive(Debug)]
pub struct Previewed {
    /// What was expanded.
    pub choice: Choice,
    /// What came of it.
    pub preview: Preview,
    /// How long it may take by what past runs took, milliseconds.
    pub estimate: Option<u64>,
}

/// A run that is open.
#[derive(Debug)]
pub struct OpenRun {
    /// Tells its messages from those of a run that was open before it.
    pub ticket: Ticket,
    /// Its directory.
    pub dir: Arc<RunDir>,
    /// As far as it has come.
    pub state: RunState,
    /// Somebody runs it.
    pub live: bool,
    /// Its plan cannot be read.
    pub stands_in: bool,
    /// What of the record is not as it should be.
    pub damage: Vec<String>,
    /// Executions of an ended sub-run, read back.
    pub read: Option<(u32, Vec<Execution>)>,
    /// The sub-run that is being read back.
    pub reading: Option<u32>,
}

/// What a message line says, and how grave it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// One line.
    pub text: String,
    /// How it is shown.
    pub tone: Tone,
}

/// How grave a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It went well.
    Good,
    /// Worth a look.
    Warning,
    /// Something was refused, or failed.
    Error,
}

/// A line that is being typed in the place of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// For what.
    pub asks: Asks,
    /// What was typed.
    pub field: Field,
    /// What was there before, to go back to.
    pub before: String,
}

/// What a prompt is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// A row of a list.
    Find(Pane),
    /// The filter of the runs.
    Runs,
    /// A search in the log.
    Log,
    /// A filter of the log.
    LogFilter,
}

/// What is known of a mode of the terminal or the surroundings and does not change by itself.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The workspace, for commands that are copied.
    pub workspace: PathBuf,
    /// It is where the program would find it by itself.
    pub workspace_is_found: bool,
    /// The runs folder, where it is not the workspace's own.
    pub runs: Option<PathBuf>,
    /// How many colours there are.
    pub depth: Depth,
    /// The host's name.
    pub host: String,
}

/// Everything.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about the screen")]
pub struct Model {
    /// Columns and rows of the screen.
    pub size: (u16, u16),
    /// The pane that has the keys.
    pub focus: Pane,
    /// It has all the room.
    pub zoom: bool,
    /// How everything looks.
    pub look: Look,
    /// What does not change.
    pub around: Surroundings,
    /// The clock, as the last message said.
    pub now: Timestamp,
    /// What keys mean.
    pub keymap: Keymap,
    /// The beginning of a sequence of keys.
    pub typed: Vec<Chord>,
    /// The flows.
    pub flows: Vec<FlowLine>,
    /// The cursor in them.
    pub flow_at: ListCursor,
    /// The margins.
    pub margins: Vec<MarginLine>,
    /// The cursor in them.
    pub margin_at: ListCursor,
    /// What is wrong with policy and adapters.
    pub workspace_errors: Vec<String>,
    /// The flow, margin, unit that are chosen.
    pub choice: Choice,
    /// All runs, newest first.
    pub runs: Vec<RunLine>,
    /// They were listed once.
    pub runs_known: bool,
    /// Those that the filter lets through.
    pub shown_runs: Vec<usize>,
    /// The cursor in them.
    pub run_at: ListCursor,
    /// The runs' filter.
    pub run_filter: String,
    /// Marked runs.
    pub run_marks: BTreeSet<String>,
    /// Where a range of marks begins.
    pub run_range: Option<usize>,
    /// What has changed on the host since the selected run, by its id.
    pub drift: Option<(String, Vec<String>)>,
    /// What is looked for in lists.
    pub find: String,
    /// What lies in shmoo, steps and log.
    pub subject: Subject,
    /// What is on its way there.
    pub pending: Option<Ticket>,
    /// The last ticket that was given out.
    pub tickets: Ticket,
    /// The shmoo.
    pub board: Board,
    /// Cells have changed since the grid was made.
    pub stale: bool,
    /// The cursor in the steps.
    pub step_at: ListCursor,
    /// It goes where the run goes.
    pub step_follows: bool,
    /// The log.
    pub log: LogPane,
    /// Which execution it shows: sub-run, execution, whether it is in flight.
    pub log_of: Option<(u32, u32, bool)>,
    /// The host, when somebody looks.
    pub telemetry: Option<Box<Telemetry>>,
    /// How often the host is being looked at.
    pub sampling: Sampling,
    /// What lies over the panes.
    pub dialog: Option<Dialog>,
    /// What is being typed in the place of the message.
    pub prompt: Option<Prompt>,
    /// What has to be said.
    pub notice: Option<Notice>,
    /// The themes there are.
    pub themes: Vec<Theme>,
    /// The mouse is ours.
    pub mouse: bool,
    /// A proposal or a start is under way.
    pub waiting: Option<(Ticket, &'static str)>,
    /// It is over.
    pub exit: Option<Exit>,
    /// Something on the screen has changed.
    pub dirty: bool,
    /// The key, not a flood, has changed it: it is drawn at once.
    pub urgent: bool,
    /// The run that a command line started: its end ends the application's errand, not the application.
    pub errand: Option<String>,
}

impl Model {
    /// Before anything is known.
    pub fn new(size: (u16, u16), look: Look, around: Surroundings, keymap: Keymap, now: Timestamp) -> Self {
        Self {
            size,
            focus: Pane::Flows,
            zoom: false,
            look,
            around,
            now,
            keymap,
            typed: vec![],
            flows: vec![],
            flow_at: ListCursor::default(),
            margins: vec![],
            margin_at: ListCursor::default(),
            workspace_errors: vec![],
            choice: Choice::default(),
            runs: vec![],
            runs_known: false,
            shown_runs: vec![],
            run_at: ListCursor::default(),
            run_filter: String::new(),
            run_marks: BTreeSet::new(),
            run_range: None,
            drift: None,
            find: String::new(),
            subject: Subject::Nothing,
            pending: None,
            tickets: 0,
            board: Board::default(),
            stale: false,
            step_at: ListCursor::default(),
            step_follows: true,
            // Times are UTC, as in every record.
            log: LogPane::new(0),
            log_of: None,
            telemetry: None,
            sampling: Sampling::Off,
            dialog: None,
            prompt: None,
            notice: None,
            themes: vec![],
            mouse: true,
            waiting: None,
            exit: None,
            dirty: true,
            urgent: false,
            errand: None,
        }
    }

    /// Where everything stands.
    pub fn layout(&self) -> Layout {
        let (width, height) = self.size;
        Layout::of(Shape { width, height, focus: self.focus, zoom: self.zoom, grid: self.board.grid.is_some() })
    }

    /// The plan that is on screen.
    pub fn plan(&self) -> Option<&Arc<Plan>> {
        match &self.subject {
            Subject::Nothing => None,
            Subject::Preview(previewed) => previewed.preview.plan.as_ref(),
            Subject::Run(run) => Some(&run.state.plan),
        }
    }

    /// The run that is open.
    pub fn run(&self) -> Option<&OpenRun> {
        match &self.subject {
            Subject::Run(run) => Some(run),
            _ => None,
        }
    }

    /// What is previewed.
    pub fn previewed(&self) -> Option<&Previewed> {
        match &self.subject {
            Subject::Preview(previewed) => Some(previewed),
            _ => None,
        }
    }

    /// The run that is open and that somebody runs.
    pub fn live(&self) -> Option<&OpenRun> {
        self.run().filter(|run| run.live)
    }

    /// The run under the cursor of the runs.
    pub fn selected_run(&self) -> Option<&RunLine> {
        self.runs.get(*self.shown_runs.get(self.run_at.at)?)
    }

    /// The run that a key means: the selected one in the runs, else the one that is open.
    pub fn run_in_question(&self) -> Option<String> {
        match self.focus {
            Pane::Runs => self.selected_run().map(|run| run.id.clone()),
            _ => self.run().map(|run| run.state.header.run_id.clone()),
        }
    }

    /// The sub-run whose steps are shown.
    pub fn sub_run(&self) -> Option<u32> {
        let plan = self.plan()?;
        self.board.sub_run().filter(|index| *index < plan.experiment.sub_runs())
    }

    /// Its executions, as far as they have begun and are at hand.
    pub fn executions(&self) -> &[Execution] {
        let (Some(run), Some(index)) = (self.run(), self.sub_run()) else { return &[] };
        let own = run.state.sub_runs.get(index as usize).map_or(&[][..], |sub_run| &sub_run.executions);
        match &run.read {
            Some((read, executions)) if *read == index && own.is_empty() => executions,
            _ => own,
        }
    }

    /// How many steps the sub-run on screen has.
    pub fn steps(&self) -> usize {
        self.plan().map_or(0, |plan| plan.experiment.executions() as usize)
    }

    /// A number for a question.
    pub fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    /// Says something.
    pub fn say(&mut self, tone: Tone, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), tone });
        self.dirty = true;
    }

    /// Makes the grid anew where cells have changed.
    pub fn refresh(&mut self) {
        if !std::mem::take(&mut self.stale) {
            return;
        }
        match &self.subject {
            Subject::Nothing => self.board = Board::default(),
            Subject::Preview(previewed) => {
                if let Some(plan) = &previewed.preview.plan {
                    self.board.refresh(&plan.experiment, |index| previewed.preview.outcome(index));
                }
            }
            Subject::Run(run) => {
                let state = &run.state;
                self.board.refresh(&state.plan.experiment, |index| outcome(state, index));
                if self.board.following
                    && let Some(current) = state.current
                {
                    if self.board.slice_of(&state.plan.experiment, current) {
                        self.board.refresh(&state.plan.experiment, |index| outcome(state, index));
                    }
                    self.board.go_to(&state.plan.experiment, current);
                }
            }
        }
    }
}
