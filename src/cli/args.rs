//! What can be typed: commands, flags and their help. Says nothing of what they mean and reads no environment.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cli::help::{self, EXIT_CODES};
use crate::commands::plan::MAX_UNIT;
use crate::commands::resume::MOST_BOOTS;
use crate::domain::seed::Seed;

/// What was typed.
#[derive(Debug, Parser)]
#[command(
    name = "road_runner",
    version,
    about = "Sweeps voltage and frequency margins with real diagnostics",
    long_about = help::ABOUT,
    after_help = EXIT_CODES,
    after_long_help = format!("{}\n\n{}", help::EXAMPLES, EXIT_CODES),
    max_term_width = 100,
    disable_help_subcommand = true,
    infer_long_args = false
)]
pub struct Arguments {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do; nothing: open the application, or say what is here where there is no terminal.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Flags of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub struct Global {
    /// The workspace [default: the nearest folder upward with flows/ and adapters/]
    #[arg(long, global = true, value_name = "DIR")]
    pub workspace: Option<PathBuf>,
    /// Where runs are kept [default: runs/ in the workspace]
    #[arg(long, global = true, value_name = "DIR")]
    pub runs_dir: Option<PathBuf>,
    /// Print lines; never open the full-screen application
    #[arg(long, global = true)]
    pub no_tui: bool,
    /// Text for people, or JSON for programs
    #[arg(long, global = true, value_enum, value_name = "FORM", default_value_t = OutputForm::Human)]
    pub output: OutputForm,
    /// When to use colours
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorWhen::Auto)]
    pub color: ColorWhen,
    /// The theme of the full-screen application, one of `themes list`
    #[arg(long, global = true, value_name = "NAME")]
    pub theme: Option<String>,
    /// Draw with ASCII only
    #[arg(long, global = true)]
    pub ascii: bool,
    /// Nothing moves by itself
    #[arg(long, global = true)]
    pub no_motion: bool,
    /// Say only the results
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// For whom stdout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum OutputForm {
    /// Text for people.
    #[default]
    Human,
    /// JSON for programs.
    Json,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ColorWhen {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How exported rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Comma-separated, the titles in the first line.
    Csv,
    /// An array of objects, one a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Plan without running: every sub-run with its arguments, kept as a run that can be started later
    #[command(after_help = help::PLAN)]
    Plan {
        /// What is planned.
        #[command(flatten)]
        choice: Choice,
        /// The unit.
        #[command(flatten)]
        unit: Unit,
        /// The seed.
        #[command(flatten)]
        seed: SeedChoice,
    },
    /// Plan, ask, run
    #[command(after_help = format!("\
Shows host, profile, bounds and headroom and asks before anything starts; with nobody to ask it refuses unless --yes \
is given. With a point on a limit --yes also needs --unit. SIGINT stops now, twice kills; `runs stop` finishes the step.

Examples:
  road_runner run --flow sample_flow --margin sample_margin --unit SN123456
  road_runner run --no-tui --yes --flow flows/vc707.yaml --margin margins/vc707.yaml
  road_runner run --plan rr-20250101T010101Z-abc123

{EXIT_CODES}"))]
    Run {
        /// What is run.
        #[command(flatten)]
        choice: ChoiceOrPlan,
        /// The seed.
        #[command(flatten)]
        seed: SeedChoice,
        /// How it starts.
        #[command(flatten)]
        start: Start,
    },
    /// Run the stored plan of an earlier run again
    #[command(after_help = format!("\
Shows first what has drifted since: host, kernel, microcode, policy, hashes of adapters and programs. The seeds are the \
stored ones.

Examples:
  road_runner rerun latest --failed
  road_runner rerun rr-20250101T010101Z-abc123 --subruns s03,s07

{EXIT_CODES}"))]
    Rerun {
        /// `latest`, a unique prefix of a run id, or a prefix of a plan's digest
        #[arg(value_name = "RUN_ID")]
        run: String,
        /// Only sub-runs that failed, timed out, were inconclusive or in error; not crashed ones
        #[arg(long)]
        failed: bool,
        /// Only these sub-runs, by number
        #[arg(long, value_name = "LIST", value_parser = sub_runs, conflicts_with = "failed")]
        subruns: Option<String>,
        /// How it starts.
        #[command(flatten)]
        start: Start,
    },
    /// Repeat the newest run that completed without rig errors
    #[command(after_help = format!("\
Prints id, unit, flow and margin of the run first, and which newer ones were passed over.

Example:
  road_runner rerun-last --passed --yes

{EXIT_CODES}"))]
    RerunLast {
        /// The newest that passed (exit 0), not only completed
        #[arg(long)]
        passed: bool,
        /// How it starts.
        #[command(flatten)]
        start: Start,
    },
    /// Go on with a run that was interrupted, from where it stopped
    #[command(after_help = help::RESUME)]
    Resume(Resume),
    /// History and control of runs
    #[command(subcommand)]
    Runs(Runs),
    /// Make the reports of a stored run again: report.md and report.html
    #[command(after_help = help::REPORT)]
    Report {
        /// `latest`, a unique prefix of a run id, or a prefix of a plan's digest
        #[arg(long, value_name = "ID")]
        run_id: String,
    },
    /// Write a row for every execution of a stored run, as CSV or JSON
    #[command(after_help = help::EXPORT)]
    Export {
        /// `latest`, a unique prefix of a run id, or a prefix of a plan's digest
        #[arg(long, value_name = "ID")]
        run: String,
        /// How rows are written
        #[arg(long, value_enum, value_name = "FORMAT")]
        format: Format,
        /// A file instead, or `-` for stdout
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// List flows with their steps
    #[command(after_help = help::LIST_FLOWS)]
    ListFlows,
    /// Margin profiles
    #[command(subcommand)]
    Margins(Margins),
    /// Diagnostics and their manifests
    #[command(subcommand)]
    Adapters(Adapters),
    /// Safety policy and hardware profiles
    #[command(subcommand)]
    Policy(Policy),
    /// Rails that have a controller: where they are, and the way home
    #[command(subcommand)]
    Rails(Rails),
    /// Themes of the full-screen application
    #[command(subcommand)]
    Themes(Themes),
    /// Delete runs of the past, by age
    #[command(after_help = help::CLEAN)]
    Clean(Clean),
    /// Write the sample workspace into a new or empty folder
    #[command(after_help = help::INIT)]
    Init {
        /// A folder that is not there yet, or is empty
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// Print the completion script of a shell
    #[command(after_help = help::COMPLETIONS)]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page
    #[command(after_help = "Example:\n  road_runner man | man -l -")]
    Man,
}

/// Which run goes on, and how.
#[expect(clippy::struct_excessive_bools, reason = "flags as they are typed")]
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["run", "last", "auto"]))]
pub struct Resume {
    /// `latest`, a unique prefix of a run id, or a prefix of a plan's digest
    #[arg(value_name = "RUN_ID")]
    pub run: Option<String>,
    /// The newest run that was interrupted
    #[arg(long)]
    pub last: bool,
    /// The newest run, if it was interrupted and nothing that it depends on has changed; never asks
    #[arg(long)]
    pub auto: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "auto")]
    pub yes: bool,
    /// Try a step in which the host went down so many times again
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub retry_crashed: u32,
    /// Give up after so many resumes in a row that ended in another boot before any sub-run got on
    #[arg(long, value_name = "K", default_value_t = MOST_BOOTS, value_parser = clap::value_parser!(u32).range(1..))]
    pub max_boots: u32,
    /// Go on although another run is going on on this host
    #[arg(long)]
    pub allow_concurrent: bool,
    /// What only the application gives.
    #[arg(skip)]
    pub handover: Handover,
}

/// What goes, and what stays.
#[derive(Debug, Clone, Copy, Args)]
pub struct Clean {
    /// Only runs older than so many days of 24 hours
    #[arg(long, value_name = "DAYS")]
    pub older_than: u32,
    /// The newest N runs stay however old they are
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub keep: usize,
    /// Only say what would be deleted
    #[arg(long)]
    pub dry_run: bool,
    /// Also what was interrupted, and what cannot be read
    #[arg(long)]
    pub force: bool,
}

/// History and control.
#[derive(Debug, Subcommand)]
pub enum Runs {
    /// List runs, newest first
    #[command(after_help = help::RUNS_LIST)]
    List {
        /// Only runs that match every word of it
        #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
        filter: Option<String>,
    },
    /// Hold a run against an earlier one: drift of the host, what they were made of, cells that changed
    #[command(after_help = help::COMPARE)]
    Compare {
        /// The earlier one: `latest`, a unique prefix of a run id, or a prefix of a plan's digest
        #[arg(value_name = "THEN")]
        then: String,
        /// The other one, named likewise
        #[arg(value_name = "NOW", default_value = "latest")]
        now: String,
    },
    /// Show one run: what it was, how each sub-run ended, why it ended
    #[command(
        after_help = "Example:\n  road_runner runs show latest\n\nExit codes: 0 shown, 2 no such run, 4 cannot be read"
    )]
    Show {
        /// Which run.
        #[command(flatten)]
        run: RunChoice,
    },
    /// Print a run's events from its first, and go on while it is running
    #[command(after_help = help::FOLLOW)]
    Follow {
        /// Which run.
        #[command(flatten)]
        run: RunChoice,
    },
    /// Stop a running run: finish the step, then stop
    #[command(after_help = help::STOP)]
    Stop {
        /// Which run.
        #[command(flatten)]
        run: RunChoice,
        /// Terminate the step that is running
        #[arg(long)]
        now: bool,
    },
    /// Check that stored runs are whole and unchanged, and find what dead runs left behind
    #[command(after_help = help::VERIFY)]
    Verify {
        /// `latest`, a unique prefix of a run id, or a prefix of a plan's digest [default: all runs]
        #[arg(value_name = "ID")]
        run: Option<String>,
    },
}

/// Margin profiles.
#[derive(Debug, Subcommand)]
pub enum Margins {
    /// List margin profiles with their axes and points
    #[command(after_help = help::MARGINS_LIST)]
    List,
    /// Check one margin profile: all its errors at once, then its values against the policy
    #[command(after_help = help::VALIDATE)]
    Validate {
        /// A path from the current folder, else from the workspace, else a name
        #[arg(long, value_name = "FILE")]
        file: String,
    },
}

/// Diagnostics.
#[derive(Debug, Subcommand)]
pub enum Adapters {
    /// List adapters with their program, proof and the flows that use them
    #[command(after_help = help::ADAPTERS_LIST)]
    List,
    /// Check adapters: manifest, path rules, program, proof, rails and parameters against the policy
    #[command(after_help = help::CHECK)]
    Check {
        /// Only this one
        name: Option<String>,
    },
}

/// Safety.
#[derive(Debug, Subcommand)]
pub enum Policy {
    /// List the base policy and the hardware profiles
    #[command(after_help = help::POLICY_LIST)]
    List,
    /// Every profile with each rule's result on this host, and each bound in force with its file and line
    #[command(after_help = help::EXPLAIN)]
    Explain,
}

/// Rails that have a controller.
#[derive(Debug, Subcommand)]
pub enum Rails {
    /// Read every rail: where it is, where a run told it to be, where home is
    #[command(after_help = help::RAILS_STATUS)]
    Status,
    /// Bring every rail home: what runs left away, then whatever the policy arms
    #[command(after_help = help::RAILS_RESTORE)]
    Restore,
}

/// Looks.
#[derive(Debug, Subcommand)]
pub enum Themes {
    /// List themes with their ground and whose they are
    #[command(after_help = help::THEMES_LIST)]
    List,
}

/// What is run, and where the margins are.
#[derive(Debug, Clone, Args)]
pub struct Choice {
    /// The flow: a path from the current folder, else from the workspace, else a name
    #[arg(long, value_name = "FLOW")]
    pub flow: String,
    /// The margin profile, found likewise
    #[arg(long, value_name = "MARGIN")]
    pub margin: String,
}

/// A flow with a margin, or a stored plan.
#[derive(Debug, Clone, Args)]
pub struct ChoiceOrPlan {
    /// The flow: a path from the current folder, else from the workspace, else a name
    #[arg(long, value_name = "FLOW", required_unless_present = "plan", requires = "margin")]
    pub flow: Option<String>,
    /// The margin profile, found likewise
    #[arg(long, value_name = "MARGIN", required_unless_present = "plan", requires = "flow")]
    pub margin: Option<String>,
    /// The stored plan of a run, or a plan.json
    #[arg(long, value_name = "RUN_ID|FILE", conflicts_with_all = ["flow", "margin", "seed"])]
    pub plan: Option<String>,
}

/// The unit under test.
#[derive(Debug, Clone, Default, Args)]
pub struct Unit {
    /// The unit under test, any text to 128 bytes
    #[arg(long, value_name = "SN", value_parser = unit)]
    pub unit: Option<String>,
}

/// The seed of everything.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct SeedChoice {
    /// The seed of everything, 1 to 2147483647 [default: the margin's, else drawn and recorded]
    #[arg(long, value_name = "N", value_parser = seed)]
    pub seed: Option<Seed>,
}

/// How a run starts.
#[derive(Debug, Clone, Default, Args)]
pub struct Start {
    /// The unit.
    #[command(flatten)]
    pub unit: Unit,
    /// Do not ask; with a point on a limit this also needs --unit
    #[arg(long)]
    pub yes: bool,
    /// Leave the artifacts of a run without starting anything
    #[arg(long)]
    pub dry_run: bool,
    /// Stop after so many failed sub-runs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_fail: Option<u32>,
    /// Run although another run is going on on this host
    #[arg(long)]
    pub allow_concurrent: bool,
    /// What only the application gives.
    #[arg(skip)]
    pub handover: Handover,
}

/// How the application has a run started. Not part of [`command`]: neither help nor manual nor scripts of shells know it.
#[derive(Debug, Clone, Default, Args)]
pub struct Handover {
    /// In a session of its own, which says on stdout which run it is.
    #[arg(long, hide = true, requires = "yes")]
    pub detached: bool,
    /// The digest of the plan that was confirmed.
    #[arg(long, hide = true, value_name = "DIGEST")]
    pub confirmed: Option<String>,
}

/// One run.
#[derive(Debug, Clone, Args)]
pub struct RunChoice {
    /// `latest`, a unique prefix of a run id, or a prefix of a plan's digest
    #[arg(value_name = "ID")]
    pub id: String,
}

impl Arguments {
    /// How the application has a run started, where one is.
    const fn handover(&mut self) -> Option<&mut Handover> {
        match &mut self.command {
            Some(Command::Run { start, .. } | Command::Rerun { start, .. } | Command::RerunLast { start, .. }) => {
                Some(&mut start.handover)
            }
            Some(Command::Resume(resume)) => Some(&mut resume.handover),
            _ => None,
        }
    }

    /// Whether the run is to leave the session that it was started in.
    pub fn is_detached(&mut self) -> bool {
        self.handover().is_some_and(|handover| handover.detached)
    }
}

/// The definition of all that can be typed.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Reads a command line. Help and usage errors take their colours from `--color` as well, wherever it stands.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Arguments, clap::Error> {
    let words: Vec<OsString> = words.into_iter().collect();
    let after = |flag: &str| words.windows(2).find(|pair| pair[0] == flag).map(|pair| pair[1].clone());
    let inside = || words.iter().find_map(|word| word.to_str()?.strip_prefix("--color=").map(OsString::from));
    let colour = match after("--color").or_else(inside).as_ref().and_then(|word| word.to_str()) {
        Some("always") => clap::ColorChoice::Always,
        Some("never") => clap::ColorChoice::Never,
        _ => clap::ColorChoice::Auto,
    };
    let mut definition = command().color(colour);
    // Its flags and nothing else of it: what a command says of itself stays.
    let handover = Handover::augment_args(clap::Command::new("handover"));
    for name in ["run", "rerun", "rerun-last", "resume"] {
        definition = definition.mut_subcommand(name, |command| command.args(handover.get_arguments().cloned()));
    }
    let matches = definition.try_get_matches_from(words)?;
    let mut arguments = Arguments::from_arg_matches(&matches)?;
    if let (Some(handover), Some((_, inner))) = (arguments.handover(), matches.subcommand()) {
        *handover = Handover::from_arg_matches(inner)?;
    }
    Ok(arguments)
}

fn unit(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("a unit is not empty".to_owned());
    }
    if text.len() > MAX_UNIT {
        return Err(format!("a unit is at most {MAX_UNIT} bytes, this has {}", text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err("a unit has no control characters".to_owned());
    }
    Ok(text.to_owned())
}

fn seed(text: &str) -> Result<Seed, String> {
    const LARGEST: Seed = i32::MAX.unsigned_abs();
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && (1..=LARGEST).contains(number));
    number.ok_or_else(|| format!("a seed is a whole number from 1 to {LARGEST}"))
}

fn sub_runs(text: &str) -> Result<String, String> {
    let is_one = |name: &str| {
        let digits = name.strip_prefix('s').unwrap_or(name);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    };
    if text.split(',').all(is_one) { Ok(text.to_owned()) } else { Err("sub-runs are written s03,s07".to_owned()) }
}

#[cfg(test)]
mod tests;
