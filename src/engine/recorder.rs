//! Writes what the dispatcher asks for into the journals, then publishes it. Only recorded events are ever published.
//! Never decides anything; after a first failure it goes on trying, so that the end of a run is recorded if it can be.

use std::path::Path;
use std::sync::mpsc::Sender;

use crate::domain::event::{Journal, Recorded};
use crate::store::StoreError;
use crate::store::journal::JournalWriter;
use crate::store::layout::{RunDir, SubRunDir};
use crate::store::reserve::Reserve;

/// Both journals of the moment and whoever listens.
#[derive(Debug)]
pub struct Recorder {
    events: JournalWriter,
    steps: Option<JournalWriter>,
    listener: Sender<Recorded>,
    /// Room for the lines and documents that end the run on a full disk.
    reserve: Reserve,
}

impl Recorder {
    /// A new run's recorder.
    pub fn create(dir: &RunDir, sub_runs: u32, listener: Sender<Recorded>) -> Result<Self, StoreError> {
        let reserve = Reserve::keep(dir.root(), sub_runs)?;
        Ok(Self { events: JournalWriter::create(&dir.events())?, steps: None, listener, reserve })
    }

    /// The recorder of a run that a dead runner left: its journal is mended first, or made where not even that was done.
    pub fn resume(dir: &RunDir, sub_runs: u32, listener: Sender<Recorded>) -> Result<Self, StoreError> {
        let reserve = Reserve::keep(dir.root(), sub_runs)?;
        Ok(Self { events: JournalWriter::create_or_resume(&dir.events())?, steps: None, listener, reserve })
    }

    /// Goes on with the journal of a sub-run that a dead runner left open; what of it is missing is made.
    pub fn reopen_sub_run(&mut self, dir: &SubRunDir) -> Result<(), StoreError> {
        self.steps = None;
        dir.create()?;
        self.steps = Some(JournalWriter::create_or_resume(&dir.steps())?);
        Ok(())
    }

    /// Makes a sub-run's directory and its journal; what of the sub-run is written next goes there.
    pub fn open_sub_run(&mut self, dir: &SubRunDir) -> Result<(), StoreError> {
        self.steps = None;
        dir.create()?;
        self.steps = Some(JournalWriter::create(&dir.steps())?);
        Ok(())
    }

    /// Writes one line and publishes it. A listener that is gone is no error: output has ended, not the run. On a full disk
    /// it is written into the room that was kept back.
    pub fn record(&mut self, recorded: Recorded) -> Result<(), StoreError> {
        let journal = match recorded.event.journal() {
            Journal::Run => Some(&mut self.events),
            Journal::SubRun => self.steps.as_mut(),
        };
        // Without a sub-run's directory its lines have nowhere to go, and that failure was told when it was made.
        if let Some(journal) = journal {
            self.reserve.make_room_for(|| journal.append(&recorded))?;
            drop(self.listener.send(recorded));
        }
        Ok(())
    }

    /// Writes a document of the record; on a full disk into the room that was kept back.
    pub fn write(&mut self, document: impl FnMut() -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.reserve.make_room_for(document)
    }

    /// That the disk was found full, although what was to be written could be; told once.
    pub fn found_full(&mut self) -> Option<StoreError> {
        self.reserve.found_full()
    }

    /// A file of the room that is kept back, as long as there is one.
    pub fn kept_back(&self) -> Option<&Path> {
        self.reserve.last()
    }

    /// Gives all the room back: nothing follows but the summary.
    pub fn give_back_room(&mut self) {
        self.reserve.give_back();
    }

    /// Brings all that was written to the disk.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.events.sync()?;
        self.steps.as_mut().map_or(Ok(()), JournalWriter::sync)
    }
}
