//! A stored run read back: its plan, its summary and its journals, one sub-run at a time.
//! Says what is missing, broken, altered or newer than this program, and reads on with the rest. Never writes, never judges.
//! How its journals become a run state is in [`super::record_fold`].

use std::fmt;
use std::io::{self, Read as _};
use std::path::{Component, Path};
use std::sync::Arc;

use super::StoreError;
use super::document;
use super::hash;
use super::history::RunEntry;
use super::journal::{self, EachLine, JournalTail};
use super::layout::RunDir;
use super::log_file::open_regular;
use crate::domain::event::{Journal, Recorded, RunEvent, RunStatus};
use crate::domain::evidence::Sources;
use crate::domain::name::Name;
use crate::domain::plan::stand_in::StandIn;
use crate::domain::plan::{self, Plan};
use crate::domain::point::MarginPoint;
use crate::domain::run_state::RunHeader;
use crate::domain::summary::{RunSummary, SubRunRow};

/// Something of a record that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Damage {
    /// The file, relative to the run's directory, with a line where there is one.
    pub file: String,
    /// What is wrong with it.
    pub what: String,
    /// It is whole, but of a later version of this program.
    pub newer: bool,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.what)
    }
}

impl Damage {
    /// What an error says of a file of the run in `dir`.
    pub fn of(dir: &RunDir, error: &StoreError) -> Self {
        let relative = |path: &Path| path.strip_prefix(dir.root()).unwrap_or(path).display().to_string();
        let newer = matches!(error, StoreError::Newer { .. });
        let file = match error {
            StoreError::Io { path, .. }
            | StoreError::Damaged { path, .. }
            | StoreError::Newer { path, .. }
            | StoreError::Encode { path, .. }
            | StoreError::Locked { path, .. }
            | StoreError::Changed { path, .. } => relative(path),
            StoreError::Line { path, line, .. } => format!("{}:{line}", relative(path)),
            StoreError::Name { .. } => "events.ldjson".to_owned(),
        };
        Self { file, what: what(error), newer }
    }
}

/// A run whose journals are still to be read.
#[derive(Debug)]
pub struct Record {
    /// How history lists it.
    pub entry: RunEntry,
    /// Its plan, or what stands in for it.
    pub plan: Arc<Plan>,
    /// The plan could not be read: what `plan` holds is only what the rest of the record tells.
    pub stands_in: bool,
    /// What was found so far.
    pub damage: Vec<Damage>,
    /// The run's own journal.
    pub(super) events: Vec<Recorded>,
}

impl Record {
    /// Which sources of evidence the run names; empty where it names none.
    pub fn sources(&self) -> Sources {
        let named = self.events.iter().filter_map(|recorded| match &recorded.event {
            RunEvent::EvidenceSources(event) => Some(event.sources.clone()),
            _ => None,
        });
        named.flatten().collect()
    }

    /// Reads all but the sub-runs' journals. Whatever is wrong is in [`Record::damage`].
    pub fn open(entry: RunEntry) -> Self {
        let dir = &entry.dir;
        let mut damage: Vec<Damage> =
            entry.summary.as_ref().err().map(|error| Damage::of(dir, error)).into_iter().collect();
        // A runner that died before its first line left none; where a sub-run is, there was one.
        let is_begun = match entry.summary.as_ref().map(|summary| summary.status) {
            Ok(RunStatus::Planned) => false,
            Ok(RunStatus::Running | RunStatus::Interrupted) => {
                std::fs::read_dir(dir.subruns()).is_ok_and(|mut sub_runs| sub_runs.next().is_some())
            }
            _ => true,
        };
        let mut events = vec![];
        read_journal(dir, &dir.events(), is_begun, &mut damage, &mut |recorded| {
            if recorded.event.journal() == Journal::Run {
                events.push(recorded);
            }
        });
        let plan = read_plan(&entry.dir.plan()).and_then(|plan| sound(plan, &entry.dir));
        let mut record = Self {
            stands_in: plan.is_err(),
            plan: Arc::new(match plan {
                Ok(plan) => plan,
                Err(error) => {
                    damage.push(Damage::of(&entry.dir, &error));
                    stand_in(&entry, &events)
                }
            }),
            events,
            damage,
            entry,
        };
        if !record.stands_in {
            record.check_inputs();
        }
        record
    }

    /// The plan's digest, and the copies of what it was made from.
    fn check_inputs(&mut self) {
        if !self.plan.is_intact() {
            self.damage.push(Damage {
                file: "plan.json".to_owned(),
                what: "is not what its digest was made of: it was changed after it was frozen".to_owned(),
                newer: false,
            });
        }
        for (path, input) in &self.plan.experiment.inputs {
            let relative = Path::new(path);
            if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
                continue;
            }
            let what = match read_regular(&self.entry.dir.inputs().join(relative)) {
                Ok(text) if hash::bytes(&text) == input.sha256 => continue,
                Ok(_) => "is not what the plan was made from".to_owned(),
                Err(error) => super::error::plain(&error),
            };
            self.damage.push(Damage { file: format!("inputs/{path}"), what, newer: false });
        }
    }

    /// What is known of the run besides its plan.
    pub fn header(&self) -> RunHeader {
        header(&self.entry)
    }
}

/// What is known of a run besides its plan.
pub fn header(entry: &RunEntry) -> RunHeader {
    let summary = entry.summary.as_ref().ok();
    RunHeader {
        run_id: entry.id.to_string(),
        source_run: summary.and_then(|s| s.source_run.clone()),
        dry_run: summary.is_some_and(|s| s.status == RunStatus::DryRun),
        version: summary.map(|s| s.road_runner_version.clone()).unwrap_or_default(),
    }
}

/// The complete lines up to the first that is broken, each handed over; that there is no journal is damage only where one
/// must be.
pub(super) fn read_journal(
    dir: &RunDir,
    path: &Path,
    must: bool,
    damage: &mut Vec<Damage>,
    each: &mut dyn FnMut(Recorded),
) {
    let mut each = |line: &[u8]| {
        journal::decode(line)?.into_iter().for_each(&mut *each);
        Ok(())
    };
    read_lines(dir, path, must, damage, &mut each);
}

/// As [`read_journal`], with each line as it stands.
pub(super) fn read_lines(dir: &RunDir, path: &Path, must: bool, damage: &mut Vec<Damage>, each: EachLine<'_>) {
    let mut tail = JournalTail::new(path);
    match tail.poll_lines(each) {
        Ok(()) if must && !tail.is_there() => {
            damage.push(Damage::of(dir, &StoreError::io("read", path)(io::Error::from(rustix::io::Errno::NOENT))));
        }
        Ok(()) => {}
        Err(error) => damage.push(Damage::of(dir, &error)),
    }
}

/// Reads a plan. Errors: not there, not a plan, of a newer program.
pub fn read_plan(path: &Path) -> Result<Plan, StoreError> {
    let text = read_regular(path).map_err(StoreError::io("read", path))?;
    let parsed = document::parse(path, &text, plan::FORMAT_VERSION, |plan: &Plan| plan.format_version);
    parsed.map_err(|error| match error {
        StoreError::Damaged { path, message } => {
            StoreError::Damaged { path, message: format!("not a plan: {message}") }
        }
        error => error,
    })
}

/// A whole file that is a regular one and no link: whoever reads a record never waits for a FIFO.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = vec![];
    open_regular(path)?.0.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A plan whose tables do not fit each other says nothing that could be relied on.
pub fn sound(plan: Plan, dir: &RunDir) -> Result<Plan, StoreError> {
    if plan.experiment.is_sound() {
        return Ok(plan);
    }
    Err(StoreError::Damaged { path: dir.plan(), message: "its tables do not fit each other".to_owned() })
}

fn stand_in(entry: &RunEntry, events: &[Recorded]) -> Plan {
    let summary = entry.summary.as_ref().ok();
    let started = events.iter().filter_map(|recorded| match &recorded.event {
        RunEvent::SubrunStarted(event) => Some(event.index),
        _ => None,
    });
    let mut points = points(&entry.dir);
    let count = started.max().map_or(0, |last| last as usize + 1);
    points.resize_with(points.len().max(count.min(MOST_UNKNOWN)), MarginPoint::default);
    Plan::stand_in(StandIn {
        flow: summary.map_or_else(Name::unknown, |s| s.flow.clone()),
        margin: summary.map_or_else(Name::unknown, |s| s.margin.clone()),
        profiles: summary.map(|s| s.profile.clone()).unwrap_or_default(),
        global_seed: summary.map_or(0, |s| s.global_seed),
        digest: summary.map_or_else(|| entry.id.short_digest().to_owned(), |s| s.plan_digest.clone()),
        unit: summary.and_then(|s| s.unit.clone()),
        host: summary.map(|s| s.host.clone()).unwrap_or_default(),
        points,
    })
}

/// So many sub-runs are believed that only a journal tells of: its numbers may be anything.
const MOST_UNKNOWN: usize = 1_000_000;

/// The points that the summary names.
fn points(dir: &RunDir) -> Vec<MarginPoint> {
    let summary = read_regular(&dir.summary()).ok();
    let summary: Option<RunSummary<Vec<SubRunRow>>> = summary.and_then(|text| serde_json::from_slice(&text).ok());
    summary.into_iter().flat_map(|summary| summary.subruns).map(|row| row.point).collect()
}

/// What is wrong, without the path.
fn what(error: &StoreError) -> String {
    match error {
        StoreError::Io { source, .. } => super::error::plain(source),
        StoreError::Damaged { message, .. } | StoreError::Line { message, .. } => message.clone(),
        StoreError::Newer { found, known, .. } => {
            format!("written by a newer version (format {found}, this one reads up to {known})")
        }
        other => other.to_string(),
    }
}
