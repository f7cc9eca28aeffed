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
    room: Room,
}

impl Recorder {
    /// A new run's recorder.
    pub fn create(dir: &RunDir, sub_runs: u32, listener: Sender<Recorded>) -> Result<Self, StoreError> {
        let room = Room::keep(dir, sub_runs)?;
        Ok(Self { events: JournalWriter::create(&dir.events())?, steps: None, listener, room })
    }

    /// The recorder of a run that a dead runner left: its journal is mended first, or made where not even that was done.
    pub fn resume(dir: &RunDir, sub_runs: u32, listener: Sender<Recorded>) -> Result<Self, StoreError> {
        let room = Room::keep(dir, sub_runs)?;
        Ok(Self { events: JournalWriter::create_or_resume(&dir.events())?, steps: None, listener, room })
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
            self.room.make_for(|| journal.append(&recorded))?;
            drop(self.listener.send(recorded));
        }
        Ok(())
    }

    /// Writes a document of the record; on a full disk into the room that was kept back.
    pub fn write(&mut self, document: impl FnMut() -> Result<(), StoreError>) -> Result<(), StoreError> {
        self.room.make_for(document)
    }

    /// That the disk was found full, although what was to be written could be; told once.
    pub fn found_full(&mut self) -> Option<StoreError> {
        self.room.found_full.take()
    }

    /// A file of the room that is kept back, as long as there is one.
    pub fn kept_back(&self) -> Option<&Path> {
        self.room.reserve.last()
    }

    /// Gives all the room back: nothing follows but the summary.
    pub fn give_back_room(&mut self) {
        self.room.reserve.give_back();
    }

    /// Brings all that was written to the disk.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.events.sync()?;
        self.steps.as_mut().map_or(Ok(()), JournalWriter::sync)
    }
}

/// Room for what ends the run on a full disk.
#[derive(Debug)]
struct Room {
    reserve: Reserve,
    found_full: Option<StoreError>,
}

impl Room {
    fn keep(dir: &RunDir, sub_runs: u32) -> Result<Self, StoreError> {
        Ok(Self { reserve: Reserve::keep(dir.root(), sub_runs)?, found_full: None })
    }

    /// Gives back as much as a write needs. Errors: another than a full disk, or there is no room left even so.
    fn make_for(&mut self, mut write: impl FnMut() -> Result<(), StoreError>) -> Result<(), StoreError> {
        let mut full = None;
        loop {
            match write() {
                Err(error) if error.is_full() && self.reserve.give_one_back() => full = full.or(Some(error)),
                Ok(()) => {
                    self.found_full = self.found_full.take().or(full);
                    return Ok(());
                }
                failed => return failed,
            }
        }
    }
}
