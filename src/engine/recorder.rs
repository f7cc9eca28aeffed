//! Writes what the dispatcher asks for into the journals, then publishes it. Only recorded events are ever published.
//! Never decides anything; after a first failure it goes on trying, so that the end of a run is recorded if it can be.

use std::sync::mpsc::Sender;

use crate::domain::event::{Journal, Recorded};
use crate::store::StoreError;
use crate::store::journal::JournalWriter;
use crate::store::layout::{RunDir, SubRunDir};

/// Both journals of the moment and whoever listens.
#[derive(Debug)]
pub struct Recorder {
    events: JournalWriter,
    steps: Option<JournalWriter>,
    listener: Sender<Recorded>,
}

impl Recorder {
    /// A new run's recorder.
    pub fn create(dir: &RunDir, listener: Sender<Recorded>) -> Result<Self, StoreError> {
        Ok(Self { events: JournalWriter::create(&dir.events())?, steps: None, listener })
    }

    /// The recorder of a run that a dead runner left: its journal is mended first, or made where not even that was done.
    pub fn resume(dir: &RunDir, listener: Sender<Recorded>) -> Result<Self, StoreError> {
        Ok(Self { events: JournalWriter::create_or_resume(&dir.events())?, steps: None, listener })
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

    /// Writes one line and publishes it. A listener that is gone is no error: output has ended, not the run.
    pub fn record(&mut self, recorded: Recorded) -> Result<(), StoreError> {
        let journal = match recorded.event.journal() {
            Journal::Run => Some(&mut self.events),
            Journal::SubRun => self.steps.as_mut(),
        };
        // Without a sub-run's directory its lines have nowhere to go, and that failure was told when it was made.
        if let Some(journal) = journal {
            journal.append(&recorded)?;
            drop(self.listener.send(recorded));
        }
        Ok(())
    }

    /// Brings all that was written to the disk.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.events.sync()?;
        self.steps.as_mut().map_or(Ok(()), JournalWriter::sync)
    }
}
