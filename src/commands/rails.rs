//! Rails outside of a run: where they are, and bringing home what a run left away. Never moves a rail anywhere else.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::{plan, run};
use crate::domain::adapter::Controller;
use crate::domain::event::{RailLevel, RestoredBy};
use crate::domain::name::Name;
use crate::domain::plan::Executable;
use crate::domain::rails::PlannedController;
use crate::engine::environment::BaseEnvironment;
use crate::engine::homecoming::{self, Hands};
use crate::engine::rails::Gear;
use crate::host::collect;
use crate::input::catalogue::Catalogue;
use crate::input::problem::Problems;
use crate::input::source::Sources;
use crate::store::StoreError;
use crate::store::history;
use crate::store::layout::RunDir;
use crate::store::lock::{self, Lock, LockScope, LockStatus};
use crate::store::rails::{self, Driver, KeptRails};
use crate::store::run_id::RunId;

/// How long a run that moves the same rails is waited for: a guardian at work needs no longer.
const WAIT: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

/// A rail as it is now.
#[derive(Debug, Clone, Serialize)]
pub struct RailRow {
    /// The rail.
    pub rail: Name,
    /// What moves it.
    pub controller: Name,
    /// Whether the policy lets it.
    pub armed: bool,
    /// Where a run told it to be; nothing where none has it away.
    pub setpoint: Option<RailLevel>,
    /// Where it is.
    pub readback: Option<RailLevel>,
    /// Why that cannot be told, or what went wrong on the way home.
    pub error: Option<String>,
    /// Where home is, as the last run that moved it has read it.
    pub nominal: Option<RailLevel>,
    /// The run that has it away.
    pub run: Option<String>,
}

impl RailRow {
    /// Takes in where it reads, or why not.
    fn reads(&mut self, outcome: Result<RailLevel, String>) {
        match outcome {
            Ok(level) => self.readback = Some(level),
            Err(why) => self.error = Some(why),
        }
    }
}

/// Rails, and what is wrong with the files that say so.
#[derive(Debug)]
pub struct Rails {
    /// One for each rail that has a controller in this workspace.
    pub rows: Vec<RailRow>,
    /// What is wrong with manifests and policy.
    pub problems: Problems,
    /// The texts of those.
    pub sources: Sources,
}

impl Rails {
    /// Whether each that the policy arms could be read, and is home where it was to be brought there.
    pub fn is_well(&self) -> bool {
        self.rows.iter().all(|row| row.error.is_none() || !row.armed)
    }
}

/// A run that has not said that its rails are home.
struct Unfinished {
    id: RunId,
    dir: RunDir,
    kept: KeptRails,
}

/// The runs that keep rails, newest first: those that are home and those that are not.
fn keepers(context: &Context) -> Result<Vec<Unfinished>, Failure> {
    let mut found = vec![];
    for entry in history::list(&context.runs)? {
        if let Some(kept) = KeptRails::read(&entry.dir)? {
            found.push(Unfinished { id: entry.id, dir: entry.dir, kept });
        }
    }
    Ok(found)
}

fn hands(context: &Context, by: RestoredBy) -> Hands {
    Hands { path: context.path.clone(), home: context.home.clone(), by }
}

/// A run whose rails were brought home, and how each of them came there.
#[derive(Debug)]
pub struct BroughtHome {
    /// The run.
    pub run: String,
    /// Its rails.
    pub rails: BTreeMap<Name, Result<RailLevel, String>>,
}

impl BroughtHome {
    /// That it had to be done: `run rr-.. had left core, mem away`.
    pub fn says(&self) -> String {
        let names: Vec<&str> = self.rails.keys().map(Name::as_str).collect();
        format!("run {} had left {} away", self.run, names.join(", "))
    }

    /// Whether all of it went well.
    pub fn is_well(&self) -> bool {
        self.rails.values().all(Result::is_ok)
    }

    /// What of it went wrong.
    fn stuck(&self) -> Option<String> {
        let stuck =
            self.rails.iter().filter_map(|(rail, outcome)| Some(format!("{rail}: {}", outcome.as_ref().err()?)));
        let stuck: Vec<String> = stuck.collect();
        (!stuck.is_empty()).then(|| format!("rails of run {} are not home: {}", self.run, stuck.join("; ")))
    }
}

/// Brings home what runs of this workspace left away, before anything else is started in it. With `moves` it also waits
/// for a run that is still at it: two that move rails would take each other's setpoint for home.
pub fn restore_first(context: &Context, moves: bool) -> Result<Vec<BroughtHome>, Failure> {
    let mut all = vec![];
    for unfinished in keepers(context)?.into_iter().filter(|unfinished| !unfinished.kept.is_home) {
        let Some(home) = take_home(context, &unfinished, RestoredBy::Resume, moves)? else { continue };
        if let Some(stuck) = home.stuck() {
            return Err(Failure::rig(format!("{stuck}; nothing was started"))
                .hinted("see to the regulator, then `road_runner rails restore`"));
        }
        all.push(home);
    }
    Ok(all)
}

/// Takes the run's lock and brings its rails home; nothing when they are home by then, or when somebody has the run and
/// is not to be waited for.
fn take_home(
    context: &Context,
    unfinished: &Unfinished,
    by: RestoredBy,
    waits: bool,
) -> Result<Option<BroughtHome>, Failure> {
    let Unfinished { id, dir, .. } = unfinished;
    let give_up = Instant::now() + if waits { WAIT } else { Duration::ZERO };
    let _lock = loop {
        match Lock::acquire(&dir.lock(), LockScope::Run, &homecoming::holder(&context.roots, &id.to_string())) {
            Ok(lock) => break lock,
            Err(StoreError::Locked { .. }) if KeptRails::read(dir)?.is_none_or(|kept| kept.is_home) => return Ok(None),
            Err(StoreError::Locked { .. }) if !waits => return Ok(None),
            Err(StoreError::Locked { .. }) if Instant::now() >= give_up => {
                return Err(Failure::usage(format!("run {id} has rails away: two runs cannot move them"))
                    .hinted("wait for it, or stop it with `road_runner runs stop`"));
            }
            Err(StoreError::Locked { .. }) => std::thread::sleep(LOOK),
            Err(error) => return Err(error.into()),
        }
    };
    let rails = homecoming::bring_home_now(dir, id, &hands(context, by))?;
    Ok((!rails.is_empty()).then(|| BroughtHome { run: id.to_string(), rails }))
}

/// Every rail that has a controller here: where it is, where it was told to be, where home is.
pub fn status(context: &Context) -> Result<Rails, Failure> {
    let (gear, mut rails) = workspace(context)?;
    let keepers = keepers(context)?;
    homecoming::with_reaper(async |reaper| {
        for row in &mut rails.rows {
            row.reads(gear.read(reaper, &row.rail).await);
        }
    })
    .map_err(unprepared)?;
    for row in &mut rails.rows {
        row.nominal = keepers.iter().find_map(|keeper| keeper.kept.nominal.get(&row.rail).copied());
        for keeper in keepers.iter().filter(|keeper| !keeper.kept.is_home) {
            let away = rails::away(&keeper.dir)?.and_then(|away| away.rails.get(&row.rail).copied());
            if away.is_some() {
                (row.setpoint, row.run) = (away, Some(keeper.id.to_string()));
                row.nominal = keeper.kept.nominal.get(&row.rail).copied();
                break;
            }
        }
    }
    Ok(rails)
}

/// Brings every rail of this workspace home: first what runs left away, by what they kept; then every armed controller's
/// own restore. Errors: a run that is going on has rails away.
pub fn restore(context: &Context) -> Result<(Vec<BroughtHome>, Rails), Failure> {
    let mut brought: Vec<BroughtHome> = vec![];
    let mut nominal: BTreeMap<Name, RailLevel> = BTreeMap::new();
    for unfinished in keepers(context)?.into_iter().filter(|unfinished| !unfinished.kept.is_home) {
        // Also between two sub-runs, when its rails are home: the next write is its own.
        if matches!(lock::status(&unfinished.dir.lock())?, LockStatus::Held(_)) {
            return Err(Failure::usage(format!("run {} is going on and moves rails", unfinished.id))
                .hinted("it brings them home itself: stop it with `road_runner runs stop --now`"));
        }
        nominal.extend(unfinished.kept.nominal.clone());
        brought.extend(take_home(context, &unfinished, RestoredBy::Hand, false)?);
    }
    // A run that has moved nothing yet would find its home moved.
    let _host = run::host_lock(context, &homecoming::holder(&context.roots, "rails restore"))?;
    let (gear, mut rails) = workspace(context)?;
    rails.rows.retain(|row| row.armed);
    homecoming::with_reaper(async |reaper| {
        for row in &mut rails.rows {
            row.nominal = nominal.get(&row.rail).copied();
            row.reads(match brought.iter().find_map(|home: &BroughtHome| home.rails.get(&row.rail)) {
                Some(already) => already.clone(),
                None => gear.restore_by_hand(reaper, &row.rail).await,
            });
        }
    })
    .map_err(unprepared)?;
    Ok((brought, rails))
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn unprepared(error: io::Error) -> Failure {
    Failure::rig(format!("failed to prepare for calling controllers: {error}"))
}

/// The controllers of the workspace, ready to be called, and a row for each of their rails.
fn workspace(context: &Context) -> Result<(Gear, Rails), Failure> {
    let catalogue = Catalogue::read(&context.workspace);
    let sources = catalogue.sources();
    let mut problems = Problems::default();
    catalogue.manifests.iter().for_each(|entry| problems.extend(entry.problems.clone()));
    let host = collect::host_facts(&context.roots);
    let (in_force, _) = plan::bounds_in_force(&catalogue, &host, &sources)?;
    let mut drivers = BTreeMap::new();
    let mut rows = vec![];
    for controller in catalogue.adapters.controllers.values() {
        let resolved = context.lookup().resolve(&controller.path.value);
        for rail in &controller.rails {
            rows.push(RailRow {
                rail: rail.value.clone(),
                controller: controller.name.clone(),
                armed: in_force.bounds.arms(&controller.name),
                setpoint: None,
                readback: None,
                error: None,
                nominal: None,
                run: None,
            });
        }
        // One that may not be started has no driver; reading its rail says so.
        if let Ok(resolved) = resolved {
            let executable = resolved.executable(&controller.path.value);
            let driver = Driver { program: resolved.path, controller: whole(controller, executable) };
            drivers.insert(controller.name.clone(), driver);
        }
    }
    rows.sort_by(|a, b| a.rail.cmp(&b.rail));
    let environment = BaseEnvironment::new(&context.path, &context.home, "", None).into_common();
    Ok((Gear { drivers, environment, state: None }, Rails { rows, problems, sources }))
}

fn whole(controller: &Controller, executable: Executable) -> PlannedController {
    let mut planned = PlannedController::of(controller, executable);
    planned.rails = controller.rails.iter().map(|rail| rail.value.clone()).collect();
    planned
}
