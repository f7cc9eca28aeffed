//! The loop that performs what the dispatcher asks for, one execution at a time, in one thread.
//! Never decides: every judgement about what comes next is the dispatcher's.

mod judging;
mod looking_back;
mod room;
mod waiting;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;

use crate::domain::admission::Admitted;
use crate::domain::event::Recorded;
use crate::domain::name::Name;
use crate::domain::plan::{Plan, PlannedAdapter};
use crate::domain::run_state::{RunHeader, RunState};
use crate::domain::time::Timestamp;
use crate::host::roots::Roots;
use crate::store::layout::{ExecutionName, RunDir, SubRunDir};
use crate::store::rails::{Driver, KeptRails};
use crate::store::{StoreError, atomic};

use super::dispatcher::{Dispatcher, Orders, Resumption};
use super::effect::{Effect, Input, Now, Start};
use super::environment::{BaseEnvironment, locate};
use super::execution::{Execution, Saw, StartError};
use super::guardian::Guardian;
use super::logs::{LogIndex, LogSizes};
use super::logs_sync::LogSyncer;
use super::process_tree::Reaper;
use super::rail_keeper::RailKeeper;
use super::rails::Gear;
use super::recorder::Recorder;
use super::restore;
use super::scan::StreamPatterns;
use super::signals::Signals;
use super::watch::Watch;
use room::said;

/// The run's summary is written again no sooner than this; with many sub-runs it is long.
const SUMMARY_EVERY: Duration = Duration::from_secs(2);

/// All that a run is started with. The run's directory stands, its lock is held, nothing of the plan has been started.
#[derive(Debug)]
pub struct Job {
    /// The plan.
    pub plan: Admitted<Plan>,
    /// Id, source, dry or not.
    pub header: RunHeader,
    /// Where it is recorded.
    pub dir: RunDir,
    /// What paths in the plan are relative to.
    pub workspace: PathBuf,
    /// The diagnostics' `PATH`: only absolute folders are handed on.
    pub path: String,
    /// The diagnostics' `HOME`.
    pub home: String,
    /// Where sysfs and procfs are.
    pub roots: Roots,
    /// The boot that we live in, where the kernel says.
    pub boot_id: Option<String>,
    /// End the run once so many sub-runs have failed.
    pub max_fail: Option<u32>,
    /// The run was interrupted, and this is how it was left; it goes on from there.
    pub resume: Option<Resumption>,
    /// How often a step is tried again in which the host went down.
    pub retry_crashed: u32,
    /// The program that is the guardian, see [`Guardian`]; without one nobody ends what a dead runner left running and
    /// brings its rails home.
    pub guardian: Option<PathBuf>,
    /// What asks the run to stop, also what has come already.
    pub signals: Signals,
    /// Gets every event once it is recorded. Never waited for; when nobody listens any more the run goes on.
    pub events: Sender<Recorded>,
}

/// A run that has come to its end.
#[derive(Debug)]
pub struct Finish {
    /// The run as it was asked to be recorded.
    pub state: RunState,
    /// What the command returns.
    pub exit_code: u8,
    /// The first thing that could not be written, if there was one.
    pub record_error: Option<String>,
}

/// Why a run could not even begin, or broke for want of the system's help.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The record cannot be begun.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system refuses what every run needs.
    #[error("prepare the run: {0}")]
    System(#[from] io::Error),
    /// Nothing is started without somebody to end it, and to bring rails home, after a dead runner.
    #[error("start the guardian of the run: {0}")]
    Guardian(io::Error),
    /// A pattern of a stored plan does not compile.
    #[error("compile a pattern of adapter {adapter}: {source}")]
    Pattern {
        /// Whose.
        adapter: Name,
        /// What is wrong with it.
        source: regex::Error,
    },
}

/// Runs a plan to its end, however it ends.
///
/// To be called once in a process, by a thread that may block; until it returns nobody else may start children.
pub fn run(job: Job) -> Result<Finish, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before anything comes home to us: the guardian must not.
        let guardian = guardian(&job)?;
        let reaper = Reaper::new()?;
        let mut runner = Runner::new(&reaper, guardian, job)?;
        let exit_code = runner.run().await;
        let Runner { dispatcher, record_error, .. } = runner;
        Ok(Finish { state: dispatcher.into_state(), exit_code, record_error })
    })
}

/// The guardian of a run that starts anything.
fn guardian(job: &Job) -> Result<Option<Guardian>, RunError> {
    let Some(program) = job.guardian.as_ref().filter(|_| !job.header.dry_run) else { return Ok(None) };
    let runs = job.dir.root().parent().unwrap_or(Path::new("/"));
    Guardian::start(program, runs, &job.header.run_id).map(Some).map_err(RunError::Guardian)
}

/// A sub-run that is open.
#[derive(Debug)]
struct OpenSubRun {
    id: String,
    dir: SubRunDir,
    log_index: Option<LogIndex>,
    /// An execution of it has, or has had, files.
    has_files: bool,
}

#[derive(Debug)]
struct Runner<'r> {
    reaper: &'r Reaper,
    signals: Signals,
    dispatcher: Dispatcher,
    recorder: Recorder,
    syncer: LogSyncer,
    plan: Admitted<Plan>,
    dir: RunDir,
    roots: Roots,
    boot_id: Option<String>,
    workspace: PathBuf,
    environment: BaseEnvironment,
    patterns: BTreeMap<Name, StreamPatterns>,
    sub_run: Option<OpenSubRun>,
    execution: Option<Execution<'r>>,
    rails: RailKeeper,
    watch: Watch,
    /// What was heard while something else was waited for, oldest first.
    heard: VecDeque<Input>,
    began: Instant,
    summary_due: Instant,
    /// A line could not be written. From then on what can be recorded is, and what cannot is passed over.
    record_error: Option<String>,
    code: Option<u8>,
}

/// What performing an effect led to.
type Performed = Result<Option<(Input, Now)>, String>;

impl<'r> Runner<'r> {
    fn new(reaper: &'r Reaper, guardian: Option<Guardian>, job: Job) -> Result<Self, RunError> {
        let Job { plan, header, dir, workspace, path, home, boot_id, max_fail, events, roots, signals, .. } = job;
        let watch = if header.dry_run { Watch::nothing() } else { Watch::start(&roots, &plan.bounds().evidence) };
        let adapters = &plan.value().experiment.adapters;
        let patterns = adapters
            .iter()
            .map(|(name, adapter)| match StreamPatterns::compile(&adapter.judgement) {
                Ok(patterns) => Ok((name.clone(), patterns)),
                Err(source) => Err(RunError::Pattern { adapter: name.clone(), source }),
            })
            .collect::<Result<_, _>>()?;
        let programs = adapters
            .iter()
            .map(|(name, adapter)| (name.clone(), locate(plan.value(), &workspace, &adapter.executable)))
            .collect();
        let unit = plan.value().unit.as_deref();
        let environment = BaseEnvironment::new(&path, &home, &header.run_id, unit);
        let drivers = plan.value().experiment.controllers.iter().map(|(name, controller)| {
            let program = locate(plan.value(), &workspace, &controller.executable).into();
            (name.clone(), Driver { program, controller: controller.clone() })
        });
        let gear = Gear {
            drivers: drivers.collect(),
            environment: environment.clone().into_common(),
            state: Some(dir.rails_state()),
        };
        let orders = Orders {
            max_fail,
            boot_id: boot_id.clone(),
            pid: std::process::id(),
            programs,
            sources: watch.sources(),
            retry_crashed: job.retry_crashed,
        };
        let began = Instant::now();
        let sub_runs = plan.value().experiment.sub_runs();
        let (recorder, dispatcher) = match job.resume {
            Some(left) => (Recorder::resume(&dir, sub_runs, events)?, Dispatcher::resume(&plan, left, orders)),
            None => (Recorder::create(&dir, sub_runs, events)?, Dispatcher::new(&plan, header, orders)),
        };
        Ok(Self {
            reaper,
            signals,
            dispatcher,
            recorder,
            syncer: LogSyncer::start()?,
            plan,
            roots,
            boot_id,
            rails: RailKeeper::new(gear, guardian, KeptRails::read(&dir)?),
            dir,
            workspace,
            environment,
            patterns,
            sub_run: None,
            execution: None,
            watch,
            heard: VecDeque::new(),
            began,
            summary_due: began,
            record_error: None,
            code: None,
        })
    }

    async fn run(&mut self) -> u8 {
        let mut inputs = VecDeque::from([(Input::Begin, self.now())]);
        loop {
            while let Some((input, now)) = inputs.pop_front() {
                // Asked to stop before the next thing begins: it does not begin. While nothing runs a signal leads to
                // lines only; should they fail, that is heard after the input in hand.
                if matches!(input, Input::Begin | Input::Entered | Input::RailsMoved(_) | Input::Judged(_)) {
                    while let Some(signal) = self.signals.pending().await {
                        let effects = self.dispatcher.handle(self.now(), signal);
                        inputs.extend(self.perform_all(effects).await);
                    }
                }
                let effects = self.dispatcher.handle(now, input);
                let answer = self.perform_all(effects).await;
                // What was heard meanwhile came before the answer.
                inputs.extend(self.heard.drain(..).map(|input| (input, now)));
                inputs.extend(answer);
            }
            if let Some(code) = self.code {
                self.syncer.flush();
                return code;
            }
            inputs.push_back(self.wait().await);
        }
    }

    fn now(&self) -> Now {
        self.at(Instant::now())
    }

    /// The moment of something that was seen at `instant`, at most a little while ago.
    fn at(&self, instant: Instant) -> Now {
        let ago = chrono::Duration::from_std(instant.elapsed()).unwrap_or_default();
        let monotonic = instant.saturating_duration_since(self.began);
        Now { monotonic, wall: Timestamp::new(Utc::now() - ago) }
    }

    /// Waits for the execution in flight or a signal.
    async fn wait(&mut self) -> (Input, Now) {
        loop {
            let deadline = self.dispatcher.deadline().map(|deadline| self.began + deadline);
            let Some(execution) = &mut self.execution else {
                // Every effect but a start is answered at once, so only signals are left to wait for.
                return (self.signals.next().await, self.now());
            };
            let saw = tokio::select! {
                biased;
                signal = self.signals.next() => Saw::Input(signal, Instant::now()),
                hot = self.watch.too_hot() => Saw::Input(Input::TooHot(hot), Instant::now()),
                saw = execution.next(deadline) => saw,
            };
            let index = execution.start.index;
            let second = execution.housekeeping(&self.syncer);
            match saw {
                Saw::Input(input, instant) => return (input, self.at(instant)),
                Saw::Grown(sizes) => {
                    self.index_logs(index, sizes);
                    return (Input::LogsGrew, self.now());
                }
                Saw::Nothing => {}
            }
            if second
                && self.record_error.is_none()
                && let Some(why) = self.disk_trouble()
            {
                return self.record_failed(why);
            }
        }
    }

    /// Performs effects in order. When the record fails the rest is left out, and the dispatcher is told; when the disk is
    /// full and room was kept back for it, what ends is recorded first and nothing begins any more.
    async fn perform_all(&mut self, effects: Vec<Effect>) -> Option<(Input, Now)> {
        let mut answer = None;
        for effect in effects {
            if !effect.begins_nothing()
                && let Some(failed) = self.found_full()
            {
                return Some(failed);
            }
            match self.perform(effect).await {
                Ok(None) => {}
                Ok(answered) => answer = answered,
                Err(_) if self.record_error.is_some() => {}
                Err(why) => return Some(self.record_failed(why)),
            }
        }
        self.found_full().or(answer)
    }

    /// That a write found the disk full, where nothing else was wrong before.
    fn found_full(&mut self) -> Option<(Input, Now)> {
        let error = self.recorder.found_full().filter(|_| self.record_error.is_none())?;
        Some(self.record_failed(said(error)))
    }

    fn record_failed(&mut self, why: String) -> (Input, Now) {
        self.record_error = Some(why.clone());
        (Input::RecordFailed(why), self.now())
    }

    async fn perform(&mut self, effect: Effect) -> Performed {
        let answer = match effect {
            Effect::Record(recorded) => {
                self.recorder.record(*recorded).map_err(said)?;
                None
            }
            Effect::Sync => {
                self.recorder.sync().map_err(said)?;
                None
            }
            Effect::OpenSubRun(index) => {
                self.room_for_a_sub_run()?;
                self.open_sub_run(index).map_err(said)?;
                None
            }
            Effect::ReopenSubRun(index) => {
                self.reopen_sub_run(index).map_err(said)?;
                None
            }
            Effect::LookBack(left) => {
                let (judged, restored) = self.look_back(*left).await?;
                Some(Input::LookedBack(Box::new(judged), restored))
            }
            Effect::FilesToDisk => {
                self.bring_files_to_disk();
                None
            }
            Effect::CloseSubRun(index) => {
                self.close_sub_run(index).map_err(said)?;
                None
            }
            Effect::Enter => Some(Input::Entered),
            Effect::Leave => {
                self.heard.extend(self.watch.late().map(Input::Late));
                Some(Input::Left)
            }
            Effect::CoolDown => Some(Input::Cooled(self.cool_down().await)),
            Effect::ReadRails => Some(Input::RailsRead(self.rails.gear.read_all(self.reaper).await)),
            Effect::KeepNominal(nominal) => {
                self.rails.keep(&self.dir, nominal).map_err(said)?;
                None
            }
            Effect::MoveRails(writes) => {
                let settle = self.plan.value().experiment.settle_ms.duration();
                Some(Input::RailsMoved(self.rails.go(self.reaper, &writes, settle).await))
            }
            Effect::HomeRails(nominal) => {
                let home = self.rails.gear.home(self.reaper, &nominal).await;
                self.heard.extend(self.watch.late().map(Input::Late));
                Some(Input::RailsHome(home))
            }
            Effect::RailsAreHome => {
                self.rails.are_home();
                None
            }
            Effect::Start(start) => return self.start(*start).map(Some),
            Effect::Terminate => {
                self.execution.as_mut().into_iter().for_each(Execution::terminate);
                None
            }
            Effect::Kill => {
                self.execution.as_mut().into_iter().for_each(Execution::kill);
                None
            }
            // Nothing is waited for any more; judging takes the execution as it is.
            Effect::Abandon => None,
            Effect::Restore => Some(Input::Restored(self.restore().await)),
            Effect::Judge(ending) => {
                self.lag().await;
                Some(Input::Judged(Box::new(self.judge(*ending)?)))
            }
            Effect::Finish(code) => {
                self.code = Some(code);
                self.recorder.give_back_room();
                self.rails.finish(&self.dir).map_err(said)?;
                self.write_summary().map_err(said)?;
                None
            }
        };
        Ok(answer.map(|input| (input, self.now())))
    }

    fn open_sub_run(&mut self, index: u32) -> Result<(), StoreError> {
        if Instant::now() >= self.summary_due {
            self.write_summary()?;
        }
        self.enter_sub_run(index, Recorder::open_sub_run)
    }

    fn reopen_sub_run(&mut self, index: u32) -> Result<(), StoreError> {
        self.write_summary()?;
        self.enter_sub_run(index, Recorder::reopen_sub_run)
    }

    fn enter_sub_run(
        &mut self,
        index: u32,
        open: impl FnOnce(&mut Recorder, &SubRunDir) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let state = self.dispatcher.state();
        let id = state.header.sub_run_id(state.plan.experiment.sub_runs(), index);
        let dir = self.dir.subrun(&id)?;
        self.sub_run = None;
        open(&mut self.recorder, &dir)?;
        self.sub_run = Some(OpenSubRun { id, dir, log_index: None, has_files: false });
        Ok(())
    }

    /// Brings the logs and artifacts of the sub-run to the disk, if it has any that are not yet there.
    fn bring_files_to_disk(&mut self) {
        let Some(sub_run) = self.sub_run.as_mut().filter(|sub_run| sub_run.has_files) else { return };
        sub_run.has_files = false;
        sub_run.dir.folders().into_iter().for_each(|folder| self.syncer.folder(folder));
        self.syncer.flush();
    }

    fn close_sub_run(&mut self, index: u32) -> Result<(), StoreError> {
        if let (Some(sub_run), Some(summary)) = (&self.sub_run, self.dispatcher.state().sub_run_summary(index)) {
            self.recorder.write(|| atomic::replace_json_indented(&sub_run.dir.summary(), &summary))?;
        }
        self.dispatcher.forget_steps(index);
        Ok(())
    }

    fn write_summary(&mut self) -> Result<(), StoreError> {
        let start = Instant::now();
        let summary = self.dispatcher.state().summary();
        self.recorder.write(|| atomic::replace_json_indented(&self.dir.summary(), &summary))?;
        // A long summary takes no more than a fiftieth of the time.
        self.summary_due = start + SUMMARY_EVERY.max(start.elapsed() * 50);
        Ok(())
    }

    fn index_logs(&mut self, index: u32, sizes: LogSizes) {
        let at = Utc::now().timestamp_millis();
        let Some(sub_run) = &mut self.sub_run else { return };
        if sub_run.log_index.is_none() {
            sub_run.log_index = LogIndex::open(&sub_run.dir.logs_index()).ok();
        }
        // Times of output are a help, not evidence: a disk in trouble is found out by the journal.
        if let Some(log_index) = &mut sub_run.log_index {
            drop(log_index.append(index, at, sizes));
        }
    }

    fn start(&mut self, start: Start) -> Result<(Input, Now), String> {
        let Some(sub_run) = &mut self.sub_run else {
            return Err("the sub-run's directory is not there".to_owned());
        };
        sub_run.has_files = true;
        let plan = self.plan.value();
        let name = ExecutionName::new(start.index, plan.experiment.executions(), start.step.as_str());
        let no_variables = BTreeMap::new();
        let manifest = plan.experiment.adapters.get(&start.adapter).map_or(&no_variables, |adapter| &adapter.env);
        let max_log = self.plan.bounds().max_log.is.0;
        if start.attempt > 1 {
            sub_run.dir.set_aside(&name, start.attempt - 1).map_err(said)?;
        }
        let environment =
            |start: &Start, artifacts: &Path| self.environment.of(manifest, &sub_run.id, start, artifacts);
        self.heard.extend(self.watch.begin().map(Input::Late));
        match Execution::start(self.reaper, &sub_run.dir, &name, max_log, start, environment) {
            Ok(execution) => {
                let (spawned, launched) = self.execution.insert(execution).spawned();
                Ok((spawned, self.at(launched)))
            }
            Err(StartError::Program(why)) => Ok((Input::NotStarted(why), self.now())),
            Err(error @ (StartError::Store(_) | StartError::Log(_))) => Err(error.to_string()),
        }
    }

    /// Runs the restore commands of the step that has just ended.
    async fn restore(&mut self) -> Result<(), String> {
        let (Some(execution), Some(sub_run)) = (&self.execution, &self.sub_run) else { return Ok(()) };
        let plan = self.plan.value();
        let Some(adapter) = plan.experiment.adapters.get(&execution.start.adapter) else { return Ok(()) };
        let name =
            ExecutionName::new(execution.start.index, plan.experiment.executions(), execution.start.step.as_str());
        let log = sub_run.dir.restore_log(&name);
        let at = restore::At { folder: &execution.artifacts, environment: &execution.environment, log: &log };
        self.run_restore(adapter, &at).await
    }

    /// Runs the restore commands of an adapter, all of them, also when one fails.
    async fn run_restore(&self, adapter: &PlannedAdapter, at: &restore::At<'_>) -> Result<(), String> {
        let program = |command| locate(self.plan.value(), &self.workspace, command);
        let programs = adapter.restore.iter().map(|command| (command.path.as_str(), program(command)));
        let restored = restore::all(self.reaper, programs, at).await;
        self.syncer.log(at.log);
        restored
    }
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
