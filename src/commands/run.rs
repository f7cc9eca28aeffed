//! Running an admitted plan: ask, lock, record, execute, look at the machine before and after. Never prints.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::plan::Prepared;
use crate::commands::proposal::{Answer, Proposal};
use crate::commands::rails;
use crate::commands::record::{self, NewRecord};
use crate::commands::report::{self, Written};
use crate::commands::survivors::{self, Survivors};
use crate::domain::admission::Admitted;
use crate::domain::event::Recorded;
use crate::domain::plan::Plan;
use crate::domain::run_state::RunState;
use crate::domain::verdict::exit;
use crate::engine::dispatcher::Resumption;
use crate::engine::homecoming;
use crate::engine::runner::{self, Job};
use crate::engine::signals::Signals;
use crate::host::command::Limits;
use crate::host::roots;
use crate::host::sysinfo::{Snapshot, Sysinfo};
use crate::host::tools::ToolQuery;
use crate::store::StoreError;
use crate::store::atomic;
use crate::store::history;
use crate::store::layout::RunDir;
use crate::store::lock::{Holder, Lock, LockScope};
use crate::store::run_id::RunId;
use crate::store::seal;

/// How a plan is to be run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options<'a> {
    /// Do not ask.
    pub yes: bool,
    /// The digest of the plan that somebody has confirmed elsewhere; another plan is refused.
    pub confirmed: Option<&'a str>,
    /// Everything but the execution; asks nothing.
    pub dry_run: bool,
    /// Stop after so many failed sub-runs.
    pub max_fail: Option<u32>,
    /// Beside another run on this host.
    pub allow_concurrent: bool,
    /// How often a step is tried again in which the host went down, for a run that goes on.
    pub retry_crashed: u32,
}

/// Who is asked, and who watches. Commands never print; they are handed these.
pub trait Face {
    /// Asks whether to run what is proposed.
    fn ask(&mut self, proposal: &Proposal) -> Answer;

    /// Something that it has to know beforehand, in one line.
    fn tell(&mut self, line: &str);

    /// The run begins: its state before the first event, and its directory. Returns where its events go.
    fn watch(&mut self, state: RunState, dir: &Path) -> Sender<Recorded>;
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ended {
    /// What it came to.
    pub state: RunState,
    /// Its record.
    pub dir: PathBuf,
    /// What the command returns.
    pub exit_code: u8,
    /// What of the record could not be written, if something could not.
    pub record_error: Option<String>,
    /// The CSV and the reports.
    pub reports: Written,
}

/// Confirms and runs. `again` makes the plan anew, to see that nothing changed while a person was thinking.
pub fn run(
    context: &Context,
    prepared: &Prepared,
    options: Options<'_>,
    face: &mut dyn Face,
    again: &dyn Fn() -> Result<Prepared, Failure>,
) -> Result<Ended, Failure> {
    confirm(context, prepared, options, face, again)?;
    let signals = listen()?;
    let draft = record::draft(
        context,
        &NewRecord {
            plan: prepared.plan(),
            inputs: &prepared.inputs,
            source_run: prepared.source_run.clone(),
            dry_run: options.dry_run,
        },
    )?;
    let id = draft.id().clone();
    let holder = homecoming::holder(&context.roots, &id.to_string());
    let host_wide = !options.allow_concurrent && !options.dry_run;
    let _host = host_wide.then(|| host_lock(context, &holder)).transpose()?;
    if !options.dry_run {
        clear_the_way(context, !prepared.plan().experiment.controllers.is_empty(), face)?;
    }
    // Held before it can be seen: nobody ever takes a run that is being started for an interrupted one.
    let _lock = Lock::acquire(&draft.dir().lock(), LockScope::Run, &holder)?;
    let sysinfo = Sysinfo::started(snapshot(context, prepared.plan(), options));
    atomic::replace_json_indented(&draft.dir().sysinfo(), &sysinfo)?;
    let (dir, state) = draft.publish()?;
    let begun = Begun { id, dir, state, sysinfo: Some(sysinfo), signals, resume: None };
    execute(context, &prepared.admitted, begun, options, face)
}

/// From here on whoever asks to stop is heard by the run, which ends as it should: nothing that is being brought home, and
/// nothing of the record, is left half done.
pub(super) fn listen() -> Result<Signals, Failure> {
    Signals::listen().map_err(|error| Failure::rig(format!("failed to listen to signals: {error}")))
}

/// What dead runs left running is ended, and their rails go home, before anything else is started.
pub(super) fn clear_the_way(context: &Context, moves: bool, face: &mut dyn Face) -> Result<(), Failure> {
    for Survivors { run, count, left } in survivors::end_of_dead_runs(context)? {
        let processes = if count == 1 { "1 process".to_owned() } else { format!("{count} processes") };
        if left > 0 {
            return Err(Failure::rig(format!("{left} of {processes} that run {run} left cannot be ended"))
                .hinted("nothing was started; end them as the user who owns them, or boot the host"));
        }
        face.tell(&format!("run {run} had left {processes} running: ended"));
    }
    for home in rails::restore_first(context, moves)? {
        face.tell(&format!("{}: brought home", home.says()));
    }
    Ok(())
}

/// A run whose directory stands and whose lock is held.
#[derive(Debug)]
pub(super) struct Begun {
    pub id: RunId,
    pub dir: RunDir,
    pub state: RunState,
    /// The machine at its start, where that is recorded.
    pub sysinfo: Option<Sysinfo>,
    pub signals: Signals,
    /// How it was left, if it was.
    pub resume: Option<Resumption>,
}

/// Executes a run to its end and writes what there is to write about it.
pub(super) fn execute(
    context: &Context,
    plan: &Admitted<Plan>,
    begun: Begun,
    options: Options<'_>,
    face: &mut dyn Face,
) -> Result<Ended, Failure> {
    let Begun { id, dir, state, sysinfo, signals, resume } = begun;
    let events = face.watch(state.clone(), dir.root());
    let job = Job {
        plan: plan.clone(),
        header: state.header,
        dir: dir.clone(),
        workspace: context.workspace.clone(),
        path: context.path.clone(),
        home: context.home.clone(),
        roots: context.roots.clone(),
        boot_id: roots::boot_id(&context.roots).ok(),
        max_fail: options.max_fail,
        resume,
        retry_crashed: options.retry_crashed,
        // This very program, also where its file was replaced in the meantime.
        guardian: Some(PathBuf::from("/proc/self/exe")),
        signals,
        events,
    };
    let finish = runner::run(job).map_err(|error| Failure::rig(format!("failed to {error}")))?;
    Ok(finished(context, id, &dir, finish, sysinfo))
}

/// The machine as it is now, the CSV and the reports of a run that has ended.
pub(super) fn finished(
    context: &Context,
    id: RunId,
    dir: &RunDir,
    finish: runner::Finish,
    sysinfo: Option<Sysinfo>,
) -> Ended {
    let late = sysinfo.and_then(|mut sysinfo| {
        sysinfo.end = Some(Snapshot::take(&context.roots, &[], Limits::default()));
        atomic::replace_json_indented(&dir.sysinfo(), &sysinfo).err().map(|error| error.to_string())
    });
    let reports = report::write(context, history::entry(&context.runs, id), true);
    ended(finish, dir, late, reports)
}

/// What a run came to. Seals its record, so that nothing may be written to it any more.
fn ended(finish: runner::Finish, dir: &RunDir, late: Option<String>, reports: Written) -> Ended {
    // Of a record that broke off nobody knows what it should be, and it may be resumed.
    let sealed = if finish.record_error.is_none() { seal::write(dir) } else { Ok(()) };
    let unsealed = sealed.err().map(|error| error.to_string());
    let record_error = finish.record_error.or(late).or_else(|| reports.missing()).or(unsealed);
    let lost = record_error.is_some()
        && matches!(finish.exit_code, exit::PASS | exit::FAIL | exit::NOTHING | exit::INCONCLUSIVE);
    let exit_code = if lost { exit::RIG } else { finish.exit_code };
    Ended { state: finish.state, dir: dir.root().to_owned(), exit_code, record_error, reports }
}

pub(super) fn confirm(
    context: &Context,
    prepared: &Prepared,
    options: Options<'_>,
    face: &mut dyn Face,
    again: &dyn Fn() -> Result<Prepared, Failure>,
) -> Result<(), Failure> {
    if options.confirmed.is_some_and(|digest| digest != prepared.plan().digest) {
        return Err(changed());
    }
    if options.dry_run {
        return Ok(());
    }
    let proposal = &prepared.proposal;
    if options.yes {
        if proposal.on_a_limit > 0 && prepared.plan().unit.is_none() {
            return Err(Failure::safety(format!(
                "{} of {} sub-runs sit on a limit: --yes needs --unit as well",
                proposal.on_a_limit,
                prepared.plan().experiment.sub_runs()
            ))
            .hinted("name the unit under test with --unit"));
        }
        return Ok(());
    }
    match face.ask(&proposal.for_decision(context)) {
        Answer::Run => {}
        Answer::Declined => return Err(Failure::safety("declined; nothing was started")),
        Answer::NobodyToAsk => {
            return Err(Failure::safety("there is no terminal to ask on; nothing was started")
                .hinted("give --yes to run without being asked"));
        }
    }
    let now = again()?;
    if now.plan().digest != prepared.plan().digest {
        return Err(changed());
    }
    Ok(())
}

pub(super) fn changed() -> Failure {
    Failure::safety("the plan changed while it was being confirmed; nothing was started").hinted("look at it again")
}

/// Takes the host for one run. Errors: another has it.
pub(super) fn host_lock(context: &Context, holder: &Holder) -> Result<Lock, Failure> {
    Lock::acquire_host(&context.host_locks, holder).map_err(|error| match error {
        StoreError::Locked { .. } => Failure::usage(format!("another run is going on here: failed to {error}"))
            .hinted("wait for it, stop it with `road_runner runs stop`, or give --allow-concurrent"),
        error => error.into(),
    })
}

/// The machine before the first step. The tools are asked for their versions only here, after the confirmation.
fn snapshot(context: &Context, plan: &Arc<Plan>, options: Options<'_>) -> Snapshot {
    let mut queries = vec![];
    if !options.dry_run {
        for (name, adapter) in &plan.experiment.adapters {
            if adapter.version_args.is_empty() {
                continue;
            }
            let path = program(plan, &context.workspace, &adapter.executable.path);
            queries.push(ToolQuery { name: name.to_string(), path, args: adapter.version_args.clone() });
        }
    }
    Snapshot::take(&context.roots, &queries, Limits::default())
}

/// The absolute path of a program that a plan names.
pub fn program(plan: &Plan, workspace: &Path, named: &str) -> PathBuf {
    match plan.found.get(named) {
        Some(found) => PathBuf::from(found),
        None => workspace.join(named),
    }
}
