//! What a run keeps of its rails before it moves the first of them: where home is and who brings them there. Enough to do
//! it without the plan, by the guardian, by the next start, or by hand. Never moves anything.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::atomic;
use super::document;
use super::journal::JournalTail;
use super::layout::RunDir;
use super::sub_run::{begun_last, lenient};
use crate::domain::event::{RailLevel, RunEvent};
use crate::domain::name::Name;
use crate::domain::rails::PlannedController;

/// The version of `rails.json` that this program writes.
pub const FORMAT_VERSION: u32 = 1;

/// `rails.json`: the rails of a run, kept before the first of them was moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct KeptRails {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Every rail is known to be home, and the run moves none any more.
    pub is_home: bool,
    /// Where each of them was.
    pub nominal: BTreeMap<Name, RailLevel>,
    /// What moves them, by name.
    pub controllers: BTreeMap<Name, Driver>,
}

/// A controller and where its program is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Driver {
    /// The absolute path of its program.
    pub program: PathBuf,
    /// How it is called.
    pub controller: PlannedController,
}

impl KeptRails {
    /// Reads what a run keeps; `None` when it never moved a rail.
    pub fn read(dir: &RunDir) -> Result<Option<Self>, StoreError> {
        let path = dir.rails();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("read", &path)(error)),
        };
        document::parse(&path, &text, FORMAT_VERSION, |kept: &Self| kept.format_version).map(Some)
    }

    /// Keeps it, on disk when this returns.
    pub fn write(&self, dir: &RunDir) -> Result<(), StoreError> {
        atomic::replace_json_indented(&dir.rails(), self)
    }
}

/// What the journals of a run say of its rails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Away {
    /// The sub-run that began last.
    pub sub_run: String,
    /// The rails that were told to move and are not said to be home again, with where they were told to be.
    pub rails: BTreeMap<Name, RailLevel>,
}

/// Which rails a run left away; nothing when no sub-run of it ever began. A journal that is damaged is read as far as it
/// goes.
pub fn away(dir: &RunDir) -> Result<Option<Away>, StoreError> {
    let Some(sub_run) = begun_last(dir)? else { return Ok(None) };
    let mut rails = BTreeMap::new();
    lenient(JournalTail::new(&dir.subrun(&sub_run)?.steps()).poll(&mut |recorded| match recorded.event {
        RunEvent::RailMoving(event) => {
            rails.insert(event.rail, event.to);
        }
        RunEvent::RailRestored(event) => {
            rails.remove(&event.rail);
        }
        _ => {}
    }))?;
    Ok(Some(Away { sub_run, rails }))
}
