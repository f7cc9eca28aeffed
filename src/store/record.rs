//! A stored run read back: its plan, its summary and its journals, one sub-run at a time.
//! Says what is missing, broken, altered or newer than this program, and reads on with the rest. Never writes, never judges.
//!
//! Cost: the run's own journal whole, then a batch of sub-runs at a time, read and decoded by a second thread while the
//! caller works on the one before. Memory does not grow with the number of executions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Component, Path};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rustix::fs::{Mode, OFlags};
use serde::Deserialize;

use super::StoreError;
use super::hash;
use super::history::RunEntry;
use super::journal::JournalTail;
use super::layout::RunDir;
use crate::domain::event::{Recorded, RunEvent, RunStatus, SubrunStarted};
use crate::domain::name::Name;
use crate::domain::plan::stand_in::StandIn;
use crate::domain::plan::{self, Plan};
use crate::domain::point::MarginPoint;
use crate::domain::run_state::{RunHeader, RunState};
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
    events: Vec<Recorded>,
}

/// The fold of a whole record.
#[derive(Debug)]
pub struct Folded {
    /// The run, with as many executions as the caller left in it.
    pub state: RunState,
    /// Everything that was found wrong.
    pub damage: Vec<Damage>,
}

impl Record {
    /// Reads all but the sub-runs' journals. Whatever is wrong is in [`Record::damage`].
    pub fn open(entry: RunEntry) -> Self {
        let dir = &entry.dir;
        let mut damage: Vec<Damage> =
            entry.summary.as_ref().err().map(|error| Damage::of(dir, error)).into_iter().collect();
        let is_begun = entry.summary.as_ref().map_or(true, |summary| summary.status != RunStatus::Planned);
        let events = read_journal(dir, &dir.events(), is_begun, &mut damage);
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

    /// Folds the journals, sub-run by sub-run in the order of the plan, those that never started included. `each` sees
    /// every sub-run with its executions in the state and may take them out ([`RunState::forget_steps`]); its error ends
    /// the reading.
    pub fn fold<E>(&self, mut each: impl FnMut(&mut RunState, u32) -> Result<(), E>) -> Result<Folded, E> {
        let mut state = RunState::new(self.header(), Arc::clone(&self.plan));
        self.events.iter().for_each(|recorded| state.apply(recorded));
        let current = state.current;
        let sub_runs = self.sub_runs();
        let mut damage = self.damage.clone();
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel(2);
            let (dir, sub_runs) = (&self.entry.dir, &sub_runs);
            scope.spawn(move || read_ahead(dir, sub_runs, &send));
            Self::fold_all(&mut state, receive, &mut damage, &mut each)
        })?;
        state.current = current;
        // What history knows better: a runner that is gone leaves its journals at `running`.
        if let Ok(summary) = &self.entry.summary {
            state.status = summary.status;
        }
        self.check_summary(&state, &mut damage);
        Ok(Folded { state, damage })
    }

    fn fold_all<E>(
        state: &mut RunState,
        receive: Receiver<Vec<JournalRead>>,
        damage: &mut Vec<Damage>,
        each: &mut impl FnMut(&mut RunState, u32) -> Result<(), E>,
    ) -> Result<(), E> {
        for read in receive.into_iter().flatten() {
            let JournalRead { index, id, events, errors } = read;
            if let Some(first) = events.first() {
                // Whose journal it is; a sub-run that has begun already stays begun when it was.
                let began = SubrunStarted { id: id.clone(), index };
                state.apply(&Recorded { seq: first.seq, at: first.at, event: began.into() });
            }
            for recorded in &events {
                state.apply(recorded);
            }
            damage.extend(errors);
            each(state, index)?;
        }
        Ok(())
    }

    /// Every sub-run with its id, and whether it has a journal: must, may, or cannot have.
    fn sub_runs(&self) -> Vec<ToRead> {
        let header = self.header();
        let count = self.plan.experiment.sub_runs();
        let mut started = BTreeMap::new();
        let mut ended = BTreeSet::new();
        for recorded in &self.events {
            match &recorded.event {
                RunEvent::SubrunStarted(event) => drop(started.insert(event.index, event.id.clone())),
                RunEvent::SubrunFinished(event) => drop(ended.insert(event.index)),
                _ => {}
            }
        }
        // Without the run's journal nobody knows which sub-runs there were: those that are there are read.
        let is_blind = self.events.is_empty() || self.damage.iter().any(|d| d.file.starts_with("events.ldjson"));
        let of = |index: u32| {
            let id = started.get(&index).cloned();
            let journal = match (&id, is_blind) {
                (Some(_), _) if ended.contains(&index) => Expect::Must,
                (Some(_), _) | (None, true) => Expect::May,
                (None, false) => Expect::Cannot,
            };
            ToRead { index, id: id.unwrap_or_else(|| header.sub_run_id(count, index)), journal }
        };
        (0..count).map(of).collect()
    }

    /// Holds what the summary counts against what the journals say, once the run has ended.
    fn check_summary(&self, state: &RunState, damage: &mut Vec<Damage>) {
        let Ok(summary) = &self.entry.summary else { return };
        let is_over = !matches!(summary.status, RunStatus::Planned | RunStatus::Running | RunStatus::Interrupted);
        let counted = crate::domain::summary::count(state.sub_runs.iter().filter_map(|s| s.verdict));
        if is_over && damage.is_empty() && summary.counts != counted {
            let what = "does not count what the journals say".to_owned();
            damage.push(Damage { file: "summary.json".to_owned(), what, newer: false });
        }
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

/// Whether a sub-run has a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Must,
    May,
    Cannot,
}

#[derive(Debug)]
struct ToRead {
    index: u32,
    id: String,
    journal: Expect,
}

/// A sub-run's journal, decoded.
#[derive(Debug)]
struct JournalRead {
    index: u32,
    id: String,
    events: Vec<Recorded>,
    errors: Vec<Damage>,
}

/// So many events are handed over at once; a sub-run is never split.
const BATCH: usize = 2_000;

/// Reads and decodes the journals in order; ends when nobody wants any more.
fn read_ahead(dir: &RunDir, sub_runs: &[ToRead], send: &SyncSender<Vec<JournalRead>>) {
    let mut batch: Vec<JournalRead> = vec![];
    let mut weight = 0;
    for sub_run in sub_runs {
        let read = read_sub_run(dir, sub_run);
        weight += read.events.len() + 1;
        batch.push(read);
        if weight >= BATCH {
            if send.send(std::mem::take(&mut batch)).is_err() {
                return;
            }
            weight = 0;
        }
    }
    drop(send.send(batch));
}

fn read_sub_run(dir: &RunDir, sub_run: &ToRead) -> JournalRead {
    let (index, id) = (sub_run.index, sub_run.id.clone());
    let mut errors = vec![];
    let events = match (sub_run.journal, dir.subrun(&id)) {
        (Expect::Cannot, _) => vec![],
        (journal, Ok(folder)) => read_journal(dir, &folder.steps(), journal == Expect::Must, &mut errors),
        (_, Err(error)) => {
            errors.push(Damage::of(dir, &error));
            vec![]
        }
    };
    JournalRead { index, id, events, errors }
}

/// The complete lines up to the first that is broken; that there is no journal is damage only where one must be.
fn read_journal(dir: &RunDir, path: &Path, must: bool, damage: &mut Vec<Damage>) -> Vec<Recorded> {
    let mut events = vec![];
    let mut tail = JournalTail::new(path);
    match tail.poll(&mut |recorded| events.push(recorded)) {
        Ok(()) if must && !tail.is_there() => {
            damage.push(Damage::of(dir, &StoreError::io("read", path)(io::Error::from(rustix::io::Errno::NOENT))));
        }
        Ok(()) => {}
        Err(error) => damage.push(Damage::of(dir, &error)),
    }
    events
}

/// Reads a plan. Errors: not there, not a plan, of a newer program.
pub fn read_plan(path: &Path) -> Result<Plan, StoreError> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let text = read_regular(path).map_err(StoreError::io("read", path))?;
    let damaged = |error: serde_json::Error| StoreError::Damaged {
        path: path.to_path_buf(),
        message: format!("not a plan: {error}"),
    };
    let version: Version = serde_json::from_slice(&text).map_err(damaged)?;
    if version.format_version > plan::FORMAT_VERSION {
        return Err(StoreError::Newer {
            path: path.to_path_buf(),
            found: version.format_version,
            known: plan::FORMAT_VERSION,
        });
    }
    serde_json::from_slice(&text).map_err(damaged)
}

/// A whole file that is a regular one and no link: whoever reads a record never waits for a FIFO.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut bytes = vec![];
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A plan whose tables do not fit each other says nothing that could be relied on.
fn sound(plan: Plan, dir: &RunDir) -> Result<Plan, StoreError> {
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

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::fs;

    use super::*;
    use crate::domain::verdict::Verdict::{self, Fail, Pass, Timeout};
    use crate::store::test_run::{TestRun, plan};

    fn verdicts() -> Vec<Vec<Verdict>> {
        vec![vec![Pass, Pass], vec![Pass, Fail], vec![Timeout], vec![]]
    }

    fn folded(run: &TestRun) -> Folded {
        let record = Record::open(run.entry());
        let Ok(folded) = record.fold(|_, _| Ok::<(), Infallible>(()));
        folded
    }

    fn json(state: &RunState) -> String {
        let sub_runs: Vec<_> = (0..4).map(|index| state.sub_run_summary(index)).collect();
        serde_json::to_string(&(state.summary(), sub_runs, state.failures(), state.current)).unwrap()
    }

    #[test]
    fn the_fold_is_that_of_the_events_in_their_order() {
        let run = TestRun::write(&plan(2, 2), &verdicts());
        let folded = folded(&run);
        assert_eq!(folded.damage, []);
        assert_eq!(json(&folded.state), json(&run.state));
        assert_eq!(folded.state.last_seq, run.state.last_seq);
    }

    #[test]
    fn executions_are_handed_over_one_sub_run_at_a_time() {
        let run = TestRun::write(&plan(2, 2), &verdicts());
        let mut seen = vec![];
        let record = Record::open(run.entry());
        let Ok(folded) = record.fold(|state, index| {
            seen.push((index, state.sub_runs[index as usize].executions.len()));
            state.forget_steps(index);
            Ok::<(), Infallible>(())
        });
        assert_eq!(seen, [(0, 2), (1, 2), (2, 1), (3, 0)]);
        assert!(folded.state.sub_runs.iter().all(|sub_run| sub_run.executions.is_empty()));
        let stopped = record.fold(|_, index| if index == 1 { Err("enough") } else { Ok(()) });
        assert_eq!(stopped.unwrap_err(), "enough");
    }

    /// What is found wrong after a change, and which sub-runs can still be told.
    fn check(change: impl FnOnce(&TestRun), expected: &[&str], sub_runs: &str) {
        let run = TestRun::write(&plan(2, 2), &verdicts());
        change(&run);
        let folded = folded(&run);
        let said: Vec<String> = folded.damage.iter().map(ToString::to_string).collect();
        assert_eq!(said, expected);
        let glyph = |v: &Option<Verdict>| v.map_or('.', Verdict::glyph);
        let shown: String = folded.state.sub_runs.iter().map(|s| glyph(&s.verdict)).collect();
        assert_eq!(shown, sub_runs, "{expected:?}");
    }

    #[test]
    fn whatever_is_missing_or_broken_is_said_and_the_rest_is_read() {
        let steps = |index: u32| format!("subruns/rr-20250101T010101Z-abc123-s{index:02}/steps.ldjson");
        let remove = |file: &str| {
            let file = file.to_owned();
            move |run: &TestRun| fs::remove_file(run.dir.root().join(file)).unwrap()
        };
        check(|_| (), &[], "+XT~");
        check(remove("plan.json"), &["plan.json: No such file or directory"], "+XT~");
        check(
            |run| run.edit("plan.json", |text| text[..10].to_owned()),
            &["plan.json: not a plan: EOF while parsing a string at line 1 column 10"],
            "+XT~",
        );
        check(
            |run| run.edit("plan.json", |text| text.replace("\"format_version\":1", "\"format_version\":9")),
            &["plan.json: written by a newer version (format 9, this one reads up to 1)"],
            "+XT~",
        );
        check(
            |run| run.edit("plan.json", |text| text.replace("\"global_seed\":20250101", "\"global_seed\":7")),
            &["plan.json: is not what its digest was made of: it was changed after it was frozen"],
            "+XT~",
        );
        check(
            |run| run.edit("plan.json", |text| text.replace("\"repeat\":2", "\"repeat\":0")),
            &["plan.json: its tables do not fit each other"],
            "+XT~",
        );
        check(remove("summary.json"), &["summary.json: No such file or directory"], "+XT~");
        check(
            |run| run.edit("summary.json", |text| text.replace("\"timeout\": 1", "\"timeout\": 2")),
            &["summary.json: does not count what the journals say"],
            "+XT~",
        );
        check(remove("events.ldjson"), &["events.ldjson: No such file or directory"], "+XT~");
        check(
            |run| run.edit("events.ldjson", |text| text.replacen("{\"event\":\"subrun_finished\"", "garbage", 1)),
            &["events.ldjson:3: expected value at line 1 column 1"],
            "+XT~",
        );
        check(remove(&steps(1)), &[&format!("{}: No such file or directory", steps(1))], "+XT~");
        check(
            |run| run.edit(&steps(1), |text| text.replacen("{\"event\":\"step_spawned\"", "garbage", 1)),
            &[&format!("{}:3: expected value at line 1 column 1", steps(1))],
            "+XT~",
        );
        check(remove("inputs/flows/flow.yaml"), &["inputs/flows/flow.yaml: No such file or directory"], "+XT~");
        check(
            |run| run.edit("inputs/flows/flow.yaml", |_| "other".to_owned()),
            &["inputs/flows/flow.yaml: is not what the plan was made from"],
            "+XT~",
        );
        check(
            |run| {
                remove("plan.json")(run);
                remove("summary.json")(run);
            },
            &["summary.json: No such file or directory", "plan.json: No such file or directory"],
            "+XT~",
        );
    }

    #[test]
    fn a_fifo_in_the_place_of_a_file_makes_nobody_wait() {
        let replace = |file: &'static str| {
            move |run: &TestRun| {
                let path = run.dir.root().join(file);
                fs::remove_file(&path).unwrap();
                let (kind, mode) = (rustix::fs::FileType::Fifo, Mode::from_raw_mode(0o600));
                rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
            }
        };
        check(replace("plan.json"), &["plan.json: not a regular file"], "+XT~");
        check(replace("inputs/flows/flow.yaml"), &["inputs/flows/flow.yaml: not a regular file"], "+XT~");
    }
}
