//! Going on with a run that was interrupted: which one, whether it may, what has changed since, and what its runner left.
//! From `plan.json` and the journals alone; the YAML is never read again. Never prints.

use std::time::{Duration, Instant};

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::plan::Prepared;
use crate::commands::proposal::GoesOn;
use crate::commands::rerun::{self, Today};
use crate::commands::run::{self, Begun, Ended, Face, Options};
use crate::commands::stored;
use crate::domain::event::{RunEvent, RunStatus};
use crate::domain::sanitize;
use crate::domain::verdict::exit;
use crate::engine::dispatcher::Resumption;
use crate::engine::homecoming;
use crate::engine::runner::Finish;
use crate::host::roots;
use crate::host::sysinfo::Sysinfo;
use crate::store::StoreError;
use crate::store::atomic;
use crate::store::history::{self, RunEntry};
use crate::store::interrupted::Interrupted;
use crate::store::journal::JournalTail;
use crate::store::lock::{self, Lock, LockScope, LockStatus};
use crate::store::rails::KeptRails;
use crate::store::record::{self, Damage, Record};
use crate::store::reserve;

/// So many resumes in a row that each ended in another boot before anything got on make a boot loop, unless told otherwise.
pub const MOST_BOOTS: u32 = 3;

/// How long a guardian that is still at work on the run is waited for.
const WAIT: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);

/// Which run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// `latest`, an id or a prefix of one, a prefix of a digest.
    Run(String),
    /// The newest that was interrupted.
    Last,
    /// The newest that was begun, if it was interrupted: what a service does when the host is up again.
    Auto,
}

/// The run that is meant, if it was interrupted. Nothing where [`Which::Auto`] finds nothing to go on with.
pub fn select(context: &Context, which: &Which) -> Result<Option<RunEntry>, Failure> {
    let nothing = || Failure::usage(format!("no run in {} was interrupted", context.runs.display()));
    match which {
        Which::Run(asked) => {
            let entry = stored::select(context, asked)?;
            match entry.summary.as_ref().map(|summary| summary.status) {
                Ok(RunStatus::Interrupted) => Ok(Some(entry)),
                Ok(status) => Err(not_interrupted(&entry, status)),
                Err(error) => Err(Failure::rig(format!("failed to {}", sanitize::escaped(&error.to_string())))),
            }
        }
        Which::Last => {
            let mut running = None;
            for entry in history::list(&context.runs)? {
                match status_of(&entry) {
                    Some(RunStatus::Interrupted) => return Ok(Some(entry)),
                    Some(RunStatus::Running) if running.is_none() => running = Some(entry),
                    _ => {}
                }
            }
            Err(match running {
                Some(running) => not_interrupted(&running, RunStatus::Running),
                None => nothing().hinted("`road_runner runs list` shows every run"),
            })
        }
        Which::Auto => {
            let begun =
                |entry: &RunEntry| !matches!(status_of(entry), Some(RunStatus::Planned | RunStatus::DryRun) | None);
            let newest = history::list(&context.runs)?.into_iter().find(begun);
            Ok(newest.filter(|entry| status_of(entry) == Some(RunStatus::Interrupted)))
        }
    }
}

fn status_of(entry: &RunEntry) -> Option<RunStatus> {
    entry.summary.as_ref().ok().map(|summary| summary.status)
}

fn not_interrupted(entry: &RunEntry, status: RunStatus) -> Failure {
    let id = &entry.id;
    match status {
        RunStatus::Planned => Failure::usage(format!("run {id} was never started"))
            .hinted(format!("`road_runner run --plan {id}` starts its plan")),
        RunStatus::Running => {
            let by = match lock::status(&entry.dir.lock()) {
                Ok(LockStatus::Held(Some(holder))) => format!(" in process {}", holder.pid),
                _ => String::new(),
            };
            Failure::usage(format!("run {id} is going on{by}"))
                .hinted(format!("`road_runner runs follow {id}` shows it"))
        }
        status => Failure::usage(format!("run {id} was not interrupted: it is {status}"))
            .hinted(format!("`road_runner rerun {id}` runs its plan again, `--subruns` a part of it")),
    }
}

/// A run that can go on, as whoever decides is to see it.
#[derive(Debug)]
pub struct Resumable {
    /// The run.
    pub entry: RunEntry,
    /// Its plan, admitted again, with what has changed since.
    pub prepared: Prepared,
    /// What of that nobody may decide who was not there when the run was confirmed.
    pub grave: Vec<String>,
    /// How it was left.
    pub left: Interrupted,
}

fn goes_on(entry: &RunEntry, left: &Interrupted, other_boot: bool) -> GoesOn {
    let state = &left.state;
    let (finished, all) = (state.finished_sub_runs(), state.sub_runs.len());
    let how = if other_boot { "the host went down" } else { "its runner died" };
    GoesOn {
        says: format!("run {}: {how} with {finished} of {all} sub-runs ended; it goes on from there", entry.id),
        sub_runs: u32::try_from(all - finished).unwrap_or(u32::MAX),
    }
}

/// Reads what is left of a run and admits its plan again. Starts nothing and moves nothing.
pub fn prepare(context: &Context, entry: RunEntry) -> Result<Resumable, Failure> {
    let left = read(entry_again(context, &entry))?;
    if left.dry_run {
        return Err(Failure::usage(format!("run {} was a dry run: it has nothing to go on with", entry.id)));
    }
    let plan = (*left.state.plan).clone();
    let Today { mut prepared, grave } = rerun::go_on(context, plan, &entry)?;
    let now = roots::boot_id(&context.roots).ok();
    prepared.proposal.goes_on = Some(goes_on(&entry, &left, left.is_of_another_boot(now.as_deref())));
    Ok(Resumable { entry, prepared, grave, left })
}

fn entry_again(context: &Context, entry: &RunEntry) -> RunEntry {
    history::entry(&context.runs, entry.id.clone())
}

/// Reads a run's record; refuses where its plan or a journal is not whole: what it would go on from cannot be told.
fn read(entry: RunEntry) -> Result<Interrupted, Failure> {
    let record = Record::open(entry);
    let id = record.entry.id.clone();
    let left = Interrupted::read(&record);
    // Copies of what the plan was made from are for people; the plan itself says what is run.
    let grave: Vec<&Damage> = left.damage.iter().filter(|damage| !damage.file.starts_with("inputs/")).collect();
    if let Some(first) = grave.first() {
        let first = sanitize::escaped(&first.to_string()).into_owned();
        let failure = if grave.iter().all(|damage| damage.newer) { Failure::usage } else { Failure::rig };
        return Err(failure(format!("run {id} cannot be gone on with: {first}"))
            .hinted(format!("`road_runner runs verify {id}` tells what is wrong with it")));
    }
    Ok(left)
}

/// How a run is to go on.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// As for a new run.
    pub options: Options<'a>,
    /// Nobody is there to decide anything: goes on only if all that was confirmed is unchanged.
    pub auto: bool,
    /// So many resumes in a row that end in another boot are enough.
    pub most_boots: u32,
}

/// Goes on with a run to its end.
pub fn resume(
    context: &Context,
    resumable: &Resumable,
    asked: Asked<'_>,
    face: &mut dyn Face,
) -> Result<Ended, Failure> {
    let Resumable { entry, prepared, grave, .. } = resumable;
    let id = &entry.id;
    if asked.auto {
        if !grave.is_empty() {
            return Err(Failure::safety(format!("run {id} is not gone on with: {}", grave.join("; ")))
                .hinted(format!("look at it, and decide with `road_runner resume {id}`")));
        }
    } else if asked.options.yes {
        // It was confirmed once, with its unit; what the application has shown is what it has to be.
        if asked.options.confirmed.is_some_and(|digest| digest != prepared.plan().digest) {
            return Err(run::changed());
        }
    } else {
        let again = || Ok(prepare(context, entry_again(context, entry))?.prepared);
        run::confirm(context, prepared, asked.options, face, &again)?;
    }
    let signals = run::listen()?;
    let holder = homecoming::holder(&context.roots, &id.to_string());
    let host_wide = !asked.options.allow_concurrent;
    let _host = host_wide.then(|| run::host_lock(context, &holder)).transpose()?;
    // What of its rails was away is told by the journals before they come home.
    let before = read(entry_again(context, entry))?;
    let moves = !prepared.plan().experiment.controllers.is_empty();
    run::clear_the_way(context, moves, face)?;
    let _lock = lock(context, entry)?;
    let entry = entry_again_interrupted(context, entry)?;
    let now = roots::boot_id(&context.roots).ok();
    let crashes = before.crashes_in_a_row(now.as_deref());
    if crashes >= asked.most_boots as usize {
        return Err(Failure::safety(format!(
            "run {id} is not gone on with: {crashes} resumes in a row ended in another boot before any sub-run got on"
        ))
        .hinted(format!(
            "its rails are home; `road_runner resume {id} --max-boots {}` goes on all the same",
            crashes + 1
        )));
    }
    let mut left = read(history::entry(&context.runs, entry.id.clone()))?;
    sweep(&entry, &left)?;
    let sysinfo = sysinfo(&entry);
    if left.state.end.is_some() {
        return complete(context, &entry, left, sysinfo);
    }
    left.state.status = RunStatus::Running;
    let resumption = Resumption {
        is_opened: left.is_opened,
        is_told: left.is_told,
        died_away: before.is_away && before.is_of_another_boot(now.as_deref()),
        nominal: KeptRails::read(&entry.dir)?.map(|kept| kept.nominal),
        drift: prepared.proposal.drift.clone(),
        state: left.state.clone(),
    };
    let options = Options { max_fail: left.max_fail, ..asked.options };
    let begun = Begun {
        id: entry.id.clone(),
        dir: entry.dir.clone(),
        state: left.state,
        sysinfo,
        signals,
        resume: Some(resumption),
    };
    run::execute(context, &prepared.admitted, begun, options, face)
}

/// Removes what the dead runner had half written beside the files that it was about to replace, and the room that it kept
/// back.
fn sweep(entry: &RunEntry, left: &Interrupted) -> Result<(), Failure> {
    atomic::sweep(entry.dir.root());
    reserve::sweep(entry.dir.root());
    let begun = (0..).zip(&left.state.sub_runs).filter(|(_, sub_run)| sub_run.started_at.is_some());
    if let Some((index, _)) = begun.last() {
        let id = left.state.header.sub_run_id(left.state.plan.experiment.sub_runs(), index);
        atomic::sweep(entry.dir.subrun(&id)?.root());
    }
    Ok(())
}

/// Takes the run, once a guardian that is still at work on it is done.
fn lock(context: &Context, entry: &RunEntry) -> Result<Lock, Failure> {
    let holder = homecoming::holder(&context.roots, &entry.id.to_string());
    let give_up = Instant::now() + WAIT;
    let (mut journal, mut runner) = (JournalTail::new(&entry.dir.events()), None);
    loop {
        let by = match Lock::acquire(&entry.dir.lock(), LockScope::Run, &holder) {
            Err(StoreError::Locked { holder, .. }) => holder.map(|holder| holder.pid),
            taken => return Ok(taken?),
        };
        // Damage was told when it was read as a whole.
        drop(journal.poll(&mut |recorded| match recorded.event {
            RunEvent::RunStarted(event) => runner = Some(event.pid),
            RunEvent::RunResumed(event) => runner = Some(event.pid),
            _ => {}
        }));
        // A runner is not waited for: somebody else goes on with the run.
        if (by.is_some() && by == runner) || Instant::now() >= give_up {
            return Err(not_interrupted(entry, RunStatus::Running));
        }
        std::thread::sleep(LOOK);
    }
}

/// The run as it is now that nobody else can change it: somebody may have gone on with it while we waited.
fn entry_again_interrupted(context: &Context, entry: &RunEntry) -> Result<RunEntry, Failure> {
    let now = entry_again(context, entry);
    // Our own lock makes an interrupted run look like one that is going on.
    match status_of(&now) {
        Some(RunStatus::Running | RunStatus::Interrupted) => Ok(now),
        Some(status) => Err(not_interrupted(&now, status)),
        None => select(context, &Which::Run(entry.id.to_string())).map(|_| now),
    }
}

/// What is known of the machine at the run's start. What cannot be read stays as it is: nobody can say now what it was then.
fn sysinfo(entry: &RunEntry) -> Option<Sysinfo> {
    serde_json::from_slice(&record::read_regular(&entry.dir.sysinfo()).ok()?).ok()
}

/// The journals say how the run ended, and its runner died before that was written elsewhere.
fn complete(
    context: &Context,
    entry: &RunEntry,
    left: Interrupted,
    sysinfo: Option<Sysinfo>,
) -> Result<Ended, Failure> {
    let mut state = left.state;
    // Of the sub-runs only the last may lack its summary: the next begins behind it.
    if let Some(index) = state.current {
        let id = state.header.sub_run_id(state.plan.experiment.sub_runs(), index);
        let path = entry.dir.subrun(&id)?.summary();
        if let (false, Some(summary)) = (path.exists(), state.sub_run_summary(index)) {
            atomic::replace_json_indented(&path, &summary)?;
        }
    }
    // History said `interrupted`; the last line of the journal knows better.
    state.status = left.ended_as.unwrap_or(RunStatus::Completed);
    atomic::replace_json_indented(&entry.dir.summary(), &state.summary())?;
    let exit_code = state.end.map_or(exit::RIG, |(_, code)| code);
    let finish = Finish { state, exit_code, record_error: None };
    Ok(run::finished(context, entry.id.clone(), &entry.dir, finish, sysinfo))
}
