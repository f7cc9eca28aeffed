//! Brings home the rails that a run left away when its runner could not: what the guardian, the next start and a person do.
//! Never looks at a run that somebody holds: the caller has its lock.

use std::io;

use crate::domain::event::{RailNotRestored, RailRestored, Recorded, RestoredBy, RunEvent};
use crate::domain::name::Name;
use crate::domain::time::Timestamp;
use crate::host::process;
use crate::host::roots::{self, Roots};
use crate::store::StoreError;
use crate::store::journal::{JournalTail, JournalWriter};
use crate::store::layout::RunDir;
use crate::store::left_running;
use crate::store::lock::Holder;
use crate::store::rails::{KeptRails, away};
use crate::store::run_id::RunId;
use crate::store::seal::{self, Hold};

use super::effect;
use super::environment::BaseEnvironment;
use super::process_tree::Reaper;
use super::rails::Gear;
use super::survivors;

/// Who brings them home, and with what.
#[derive(Debug, Clone)]
pub struct Hands {
    /// `PATH` for the controllers: only absolute folders are handed on.
    pub path: String,
    /// `HOME` for the controllers.
    pub home: String,
    /// Who it is, for the record.
    pub by: RestoredBy,
}

/// How each rail came home; nothing where none was away. Errors: what the run keeps of its rails cannot be read.
pub type Home = Result<effect::Home, StoreError>;

/// This process as the holder of a run's lock, or of the host's.
pub fn holder(roots: &Roots, run_id: &str) -> Holder {
    Holder {
        pid: std::process::id(),
        start_ticks: process::own_identity(roots).map(|identity| identity.start_ticks).unwrap_or_default(),
        boot_id: roots::boot_id(roots).unwrap_or_default(),
        host: roots::hostname(roots).unwrap_or_default(),
        run_id: run_id.to_owned(),
    }
}

/// As [`bring_home`], for a caller without a runtime. Ends what the dead runner left running first.
pub fn bring_home_now(dir: &RunDir, id: &RunId, hands: &Hands) -> Home {
    survivors::end(dir, &id.to_string(), left_running::leader(dir).as_ref());
    with_reaper(async |reaper| bring_home(reaper, dir, id, hands).await)
        .map_err(StoreError::io("prepare", dir.root()))?
}

/// Runs `body` in a runtime of its own, with the right to call controllers.
pub fn with_reaper<T>(body: impl AsyncFnOnce(&Reaper) -> T) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { Ok(body(&Reaper::new()?).await) })
}

/// Brings home every rail that the run keeps, unless it says that they are, and records it. The record is second: a rail
/// comes home also where nothing can be written.
pub async fn bring_home(reaper: &Reaper, dir: &RunDir, id: &RunId, hands: &Hands) -> Home {
    let Some(mut kept) = KeptRails::read(dir)?.filter(|kept| !kept.is_home) else { return Ok(effect::Home::new()) };
    let gear = gear(&kept, dir, id, hands);
    let home = gear.home(reaper, &kept.nominal).await;
    // A run whose rails did not come home with it may be sealed.
    let hold = seal::hold(dir);
    let recorded = record(dir, &hold, &home, hands.by);
    if home.values().all(Result::is_ok) {
        kept.is_home = true;
        kept.write(dir).and_then(|()| hold.renew(&[dir.rails()])).and(recorded)?;
    }
    Ok(home)
}

/// Keeps that every rail of the run is home.
pub fn mark_home(dir: &RunDir) -> Result<(), StoreError> {
    match KeptRails::read(dir)? {
        Some(mut kept) if !kept.is_home => {
            kept.is_home = true;
            kept.write(dir)
        }
        _ => Ok(()),
    }
}

fn gear(kept: &KeptRails, dir: &RunDir, id: &RunId, hands: &Hands) -> Gear {
    Gear {
        drivers: kept.controllers.clone(),
        environment: BaseEnvironment::new(&hands.path, &hands.home, &id.to_string(), None).into_common(),
        state: Some(dir.rails_state()),
    }
}

/// Adds the lines to the journal of the sub-run that moved the rails.
fn record(dir: &RunDir, hold: &Hold, home: &effect::Home, by: RestoredBy) -> Result<(), StoreError> {
    let Some(away) = away(dir)?.filter(|away| !away.rails.is_empty()) else { return Ok(()) };
    let mut last = None;
    let seen = JournalTail::new(&dir.events()).poll(&mut |line| last = last.max(Some(line.seq)));
    let steps = dir.subrun(&away.sub_run)?.steps();
    let is_intact = hold.is_intact(&steps);
    let (mut journal, own) = JournalWriter::resume(&steps)?;
    seen?;
    let next = last.max(own).map_or(0, |last| last + 1);
    for (seq, (rail, outcome)) in (next..).zip(home.iter().filter(|(rail, _)| away.rails.contains_key(*rail))) {
        let event = event(rail, outcome, by);
        journal.append(&Recorded { seq, at: Timestamp::new(chrono::Utc::now()), event })?;
    }
    journal.sync()?;
    if is_intact { hold.renew(&[steps]) } else { Ok(()) }
}

fn event(rail: &Name, outcome: &Result<crate::domain::event::RailLevel, String>, by: RestoredBy) -> RunEvent {
    let rail = rail.clone();
    match outcome {
        Ok(readback) => RailRestored { rail, by, readback: *readback }.into(),
        Err(reason) => RailNotRestored { rail, by, reason: reason.clone() }.into(),
    }
}
