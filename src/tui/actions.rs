//! The one table of actions: names, keys, places, words. Keys, footer, help, palette and the key page of the
//! documentation all come from it. Never says what an action does, nor whether it may act now.

use crate::domain::keymap::{Bindable, Places};

/// The panes, numbered as on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pane {
    /// 1
    Flows,
    /// 2
    Margins,
    /// 3
    Runs,
    /// 4
    Shmoo,
    /// 5
    Steps,
    /// 6
    Log,
    /// 7
    Telemetry,
}

impl Pane {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 7] =
        [Self::Flows, Self::Margins, Self::Runs, Self::Shmoo, Self::Steps, Self::Log, Self::Telemetry];

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Flows => "Flows",
            Self::Margins => "Margins",
            Self::Runs => "Runs",
            Self::Shmoo => "Shmoo",
            Self::Steps => "Steps",
            Self::Log => "Log",
            Self::Telemetry => "Telemetry",
        }
    }

    /// 1 to 7.
    pub const fn number(self) -> u8 {
        self as u8 + 1
    }

    /// The place of its keys.
    pub const fn place(self) -> u16 {
        1 << self as u8
    }
}

const FLOWS: u16 = Pane::Flows.place();
const MARGINS: u16 = Pane::Margins.place();
const RUNS: u16 = Pane::Runs.place();
const SHMOO: u16 = Pane::Shmoo.place();
const STEPS: u16 = Pane::Steps.place();
const LOG: u16 = Pane::Log.place();
const TELEMETRY: u16 = Pane::Telemetry.place();
const CHOICE: u16 = FLOWS | MARGINS;
const LISTS: u16 = FLOWS | MARGINS | RUNS | STEPS;
const ANYWHERE: u16 = CHOICE | RUNS | SHMOO | STEPS | LOG | TELEMETRY;

/// What the key page and the help say of an action.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The action.
    pub action: Action,
    /// As `keys.yaml` names it.
    pub name: &'static str,
    /// Its keys unless `keys.yaml` says otherwise.
    pub keys: &'static [&'static str],
    /// Where they count: the sum of [`Pane::place`].
    pub places: u16,
    /// A word or two for the footer.
    pub label: &'static str,
    /// One line for help and palette.
    pub help: &'static str,
    /// The larger, the sooner it stands in the footer; 0 never.
    pub rank: u8,
}

macro_rules! actions {
    ($($variant:ident = $name:literal, [$($key:literal),*], $places:expr, $rank:literal, $label:literal, $help:literal;)+) => {
        /// Everything that a key, the palette or a click can ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $(#[doc = $help] $variant,)+
        }

        /// The table, in the order of help.
        pub const TABLE: &[Row] = &[
            $(Row {
                action: Action::$variant,
                name: $name,
                keys: &[$($key),*],
                places: $places,
                label: $label,
                help: $help,
                rank: $rank,
            },)+
        ];
    };
}

actions! {
    Flows = "pane-flows", ["1"], ANYWHERE, 0, "flows", "Go to the flows";
    Margins = "pane-margins", ["2"], ANYWHERE, 0, "margins", "Go to the margin profiles";
    Runs = "pane-runs", ["3"], ANYWHERE, 0, "runs", "Go to the runs";
    Shmoo = "pane-shmoo", ["4"], ANYWHERE, 0, "shmoo", "Go to the shmoo";
    Steps = "pane-steps", ["5"], ANYWHERE, 0, "steps", "Go to the steps";
    Log = "pane-log", ["6"], ANYWHERE, 0, "log", "Go to the log";
    Telemetry = "pane-telemetry", ["7"], ANYWHERE, 0, "telemetry", "Go to the telemetry";
    NextPane = "next-pane", ["Tab"], ANYWHERE, 20, "next", "Go to the next pane";
    PreviousPane = "previous-pane", ["S-Tab"], ANYWHERE, 0, "previous", "Go to the pane before";
    Down = "down", ["j", "Down"], ANYWHERE, 0, "down", "Move down";
    Up = "up", ["k", "Up"], ANYWHERE, 0, "up", "Move up";
    Left = "left", ["h", "Left"], SHMOO | LOG, 0, "left", "Move left";
    Right = "right", ["l", "Right"], SHMOO | LOG, 0, "right", "Move right";
    First = "first", ["g", "Home"], ANYWHERE, 0, "first", "Go to the first";
    Last = "last", ["G", "End"], ANYWHERE, 0, "last", "Go to the last";
    PageDown = "page-down", ["ctrl-d", "PgDn"], ANYWHERE, 0, "page down", "Move down by half a page";
    PageUp = "page-up", ["ctrl-u", "PgUp"], ANYWHERE, 0, "page up", "Move up by half a page";
    Open = "open", ["Enter"], LISTS | SHMOO, 70, "open", "Choose and preview a flow or a margin, open a run, look at a cell's steps, at a step's log";
    Start = "start", ["S"], CHOICE | SHMOO | STEPS, 90, "start", "Start what is previewed, after the limits were confirmed";
    Unit = "unit", ["u"], CHOICE | SHMOO, 60, "unit", "Name the unit under test";
    Plan = "plan", ["p"], CHOICE, 45, "plan", "Write the plan to disk without starting anything";
    DryRun = "dry-run", ["D"], CHOICE, 40, "dry run", "Leave the record of a run without starting anything";
    Edit = "edit", ["e"], CHOICE, 44, "edit", "Open the file in $EDITOR";
    Rerun = "rerun", ["r"], RUNS, 80, "rerun", "Run the selected run's plan again, after showing what has drifted";
    RerunFailed = "rerun-failed", ["R"], RUNS | SHMOO, 75, "rerun fails", "Run again what failed, timed out, was inconclusive or in error, or what is marked";
    Resume = "resume", ["c"], RUNS, 85, "resume", "Go on with an interrupted run where it stopped";
    Compare = "compare", ["d"], RUNS, 50, "diff", "Compare the selected run with the marked one, else with the one that is open";
    Report = "report", ["o"], RUNS | SHMOO | STEPS, 35, "report", "Make the reports of the run again and show where they are";
    Export = "export", ["E"], RUNS | SHMOO | STEPS, 34, "export", "Write a row for every execution as CSV and show where it is";
    Search = "search", ["/"], LISTS | LOG, 55, "search", "Search; in the runs: filter, as in `fail`, `flow:mem`, `unit:SN12`";
    NextHit = "next-hit", ["n"], LISTS | LOG, 0, "next hit", "Go to the next that the search found";
    PreviousHit = "previous-hit", ["N"], LISTS | LOG, 0, "hit before", "Go to the one before that the search found";
    Mark = "mark", ["Space"], RUNS | SHMOO, 52, "mark", "Mark, or take the mark away";
    Range = "range", ["v"], RUNS | SHMOO, 0, "range", "Mark everything from here to where it is pressed again";
    NextFailure = "next-failure", ["}"], SHMOO, 58, "next fail", "Go to the next cell that is not a pass";
    PreviousFailure = "previous-failure", ["{"], SHMOO, 0, "fail before", "Go to the cell before that is not a pass";
    NextSlice = "next-slice", ["]"], SHMOO, 48, "slice", "Show the next slice of the hidden axes";
    PreviousSlice = "previous-slice", ["["], SHMOO, 0, "slice before", "Show the slice before of the hidden axes";
    Axes = "axes", ["X"], SHMOO, 46, "axes", "Choose which axes are shown";
    Aggregate = "aggregate", ["a"], SHMOO, 47, "aggregate", "Sum up the hidden axes: worst, last, pass rate, or slice by slice";
    Follow = "follow", ["f"], LOG | SHMOO | STEPS, 65, "follow", "Follow: the end of the log, the cell and the step in progress";
    Wrap = "wrap", ["w"], LOG, 36, "wrap", "Wrap long lines, or cut them";
    Time = "time", ["t"], LOG, 32, "time", "Show or hide the time of each line";
    Streams = "streams", ["s"], LOG, 38, "streams", "Show stdout, stderr or both";
    Filter = "filter", ["&"], LOG, 37, "filter", "Show only the lines that match";
    NextStderr = "next-stderr", ["]e"], LOG, 0, "next stderr", "Go to the next line of stderr";
    PreviousStderr = "previous-stderr", ["[e"], LOG, 0, "stderr before", "Go to the line of stderr before";
    Yank = "yank", ["y"], ANYWHERE, 25, "yank", "Copy the line of the log, or the path of what is selected (OSC 52)";
    Stop = "stop", ["x", "ctrl-c"], ANYWHERE, 85, "stop", "Stop the run: after this step, or now; once more: now, and once more: kill";
    Zoom = "zoom", ["z"], ANYWHERE, 24, "zoom", "Give the pane all the room, or take it back";
    Palette = "palette", [":"], ANYWHERE, 22, "palette", "Find an action by its name";
    Help = "help", ["?"], ANYWHERE, 95, "help", "Show every key, filtered as you type";
    Theme = "theme", ["T"], ANYWHERE, 0, "theme", "Choose a theme, shown as you move";
    CopyCommand = "copy-command", ["Y"], ANYWHERE, 26, "copy command", "Copy the headless command that does what is on screen (OSC 52)";
    Back = "back", ["Esc"], ANYWHERE, 0, "back", "One level up; never quits";
    Mouse = "mouse", ["M"], ANYWHERE, 0, "mouse", "Leave the mouse to the terminal, to select text with it, or take it back";
    Redraw = "redraw", ["ctrl-l"], ANYWHERE, 0, "redraw", "Draw everything again";
    Suspend = "suspend", ["ctrl-z"], ANYWHERE, 0, "suspend", "Back to the shell; a run goes on";
    Quit = "quit", ["q"], ANYWHERE, 23, "quit", "Leave; a run goes on unless you stop it";
}

impl Action {
    /// Its row of the table.
    pub fn row(self) -> &'static Row {
        // The enum and the table are made from the same lines.
        TABLE.get(self as usize).unwrap_or(&TABLE[0])
    }

    /// The action that goes to a pane.
    pub const fn to(pane: Pane) -> Self {
        match pane {
            Pane::Flows => Self::Flows,
            Pane::Margins => Self::Margins,
            Pane::Runs => Self::Runs,
            Pane::Shmoo => Self::Shmoo,
            Pane::Steps => Self::Steps,
            Pane::Log => Self::Log,
            Pane::Telemetry => Self::Telemetry,
        }
    }

    /// The pane that it goes to.
    pub fn pane(self) -> Option<Pane> {
        Pane::ALL.into_iter().find(|pane| Self::to(*pane) == self)
    }
}

/// Without these there would be no way out, or none to find one: they are never left without keys.
const ESSENTIAL: [Action; 4] = [Action::Quit, Action::Stop, Action::Help, Action::Back];

/// The table as the keymap needs it.
pub fn bindable() -> Vec<Bindable> {
    let of = |row: &Row| Bindable {
        name: row.name,
        places: Places::of(row.places),
        keys: row.keys,
        essential: ESSENTIAL.contains(&row.action),
    };
    TABLE.iter().map(of).collect()
}

/// Keys of dialogs, which are not bound anew: what they do, for hints and the key page.
pub const DIALOG_KEYS: &[(&str, &str)] = &[
    ("Esc", "close without doing anything"),
    ("Tab S-Tab h l Left Right", "move between buttons"),
    ("j k Up Down PgUp PgDn", "move in a list or scroll"),
    ("Enter", "press the button, choose the row; in a field only move on"),
    ("n", "abort a confirmation"),
    ("letters", "are text wherever there is a field"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_finds_its_row_and_every_pane_its_action() {
        for (place, row) in TABLE.iter().enumerate() {
            assert_eq!(row.action as usize, place);
            assert_eq!(row.action.row().name, row.name);
            assert!(!row.keys.is_empty() && row.places != 0, "{}", row.name);
        }
        for pane in Pane::ALL {
            assert_eq!(Action::to(pane).pane(), Some(pane));
        }
        assert_eq!(Action::Quit.pane(), None);
    }
}
