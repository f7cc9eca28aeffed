//! The runner's side of its rails: the controllers, the guardian, and what the run keeps on disk about both.
//! Never decides whether a rail may move.

use std::time::Duration;

use tokio::time::sleep;

use crate::domain::rails::{Levels, Write};
use crate::store::StoreError;
use crate::store::layout::RunDir;
use crate::store::rails::{FORMAT_VERSION, KeptRails};

use super::guardian::Guardian;
use super::process_tree::Reaper;
use super::rails::Gear;

/// The rails of a run.
#[derive(Debug)]
pub struct RailKeeper {
    /// What moves them.
    pub gear: Gear,
    guardian: Option<Guardian>,
    kept: Option<KeptRails>,
    /// Why nobody would bring them home after us.
    unguarded: Option<String>,
    is_away: bool,
}

impl RailKeeper {
    /// Of a run that has none away; `kept` is what it keeps already, if it moved some before it was interrupted.
    pub const fn new(gear: Gear, guardian: Option<Guardian>, kept: Option<KeptRails>) -> Self {
        Self { gear, guardian, kept, unguarded: None, is_away: false }
    }

    /// Keeps where home is, once in a runner's life, and has the guardian know that rails are about to move.
    pub fn keep(&mut self, dir: &RunDir, nominal: Levels) -> Result<(), StoreError> {
        if self.kept.as_ref().is_none_or(|kept| kept.is_home) {
            let controllers = self.gear.drivers.clone();
            let kept = KeptRails { format_version: FORMAT_VERSION, is_home: false, nominal, controllers };
            kept.write(dir)?;
            self.kept = Some(kept);
        }
        self.is_away = true;
        if let Some(Err(error)) = self.guardian.as_mut().map(Guardian::rails_move) {
            self.unguarded = Some(format!("the guardian that would bring the rails home is gone: {error}"));
        }
        Ok(())
    }

    /// Makes the writes, lets the rails settle, and reads them back.
    pub async fn go(&self, reaper: &Reaper, writes: &[Write], settle: Duration) -> Result<Levels, String> {
        if let Some(why) = &self.unguarded {
            return Err(why.clone());
        }
        self.gear.go(reaper, writes).await?;
        sleep(settle).await;
        self.gear.read_all(reaper).await
    }

    /// They are home again.
    pub fn are_home(&mut self) {
        self.is_away = false;
        if let Some(guardian) = &mut self.guardian {
            // One that is gone needs not know.
            drop(guardian.rails_are_home());
        }
    }

    /// The run starts and moves nothing any more: keeps that all rails are home, if they are.
    pub fn finish(&mut self, dir: &RunDir) -> Result<(), StoreError> {
        match &mut self.kept {
            Some(kept) if !self.is_away && !kept.is_home => {
                kept.is_home = true;
                kept.write(dir)?;
            }
            _ => {}
        }
        if let Some(guardian) = &mut self.guardian {
            drop(guardian.dismiss());
        }
        Ok(())
    }
}
