//! Following a whole run: its own journal and its sub-runs' as one sequence in the order of `seq`.
//! The same for a run that is going on and for one long past. Never locks, never writes, never waits.

use std::collections::{BTreeMap, VecDeque};

use super::StoreError;
use super::journal::JournalTail;
use super::layout::RunDir;
use crate::domain::event::{Recorded, RunEvent};

/// Follows a run from its beginning. Each sub-run's journal is read from where its `subrun_started` stands.
#[derive(Debug)]
pub struct RunFollower {
    dir: RunDir,
    events: Source,
    /// Sub-runs that are going on, or of which lines wait for their turn.
    active: BTreeMap<String, Source>,
    /// Sub-runs that have finished; a resume may start one of them again.
    rested: BTreeMap<String, JournalTail>,
}

/// A journal and what was read of it but has not had its turn.
#[derive(Debug)]
struct Source {
    tail: JournalTail,
    waiting: VecDeque<Recorded>,
    /// A line in its middle is broken; told once, then the rest of the run goes on without it.
    damaged: bool,
}

impl Source {
    fn over(tail: JournalTail) -> Self {
        Self { tail, waiting: VecDeque::new(), damaged: false }
    }

    fn read(&mut self) -> Result<(), StoreError> {
        if self.damaged {
            return Ok(());
        }
        let waiting = &mut self.waiting;
        let result = self.tail.poll(&mut |recorded| waiting.push_back(recorded));
        self.damaged = matches!(result, Err(StoreError::Line { .. }));
        result
    }

    fn oldest(&self) -> Option<u64> {
        self.waiting.front().map(|recorded| recorded.seq)
    }

    fn newest(&self) -> Option<u64> {
        self.waiting.back().map(|recorded| recorded.seq)
    }

    fn next(&mut self, limit: u64) -> Option<Recorded> {
        if self.oldest()? <= limit { self.waiting.pop_front() } else { None }
    }
}

impl RunFollower {
    /// Of the run in `dir`. Nothing is read yet; its journals need not be there.
    pub fn new(dir: &RunDir) -> Self {
        let events = Source::over(JournalTail::new(&dir.events()));
        Self { dir: dir.clone(), events, active: BTreeMap::new(), rested: BTreeMap::new() }
    }

    /// Hands over everything that was recorded before this call and was not handed over yet, in the order of `seq`.
    /// An error leaves nothing out: the next call goes on. A journal broken in its middle is reported once, and what
    /// follows in it is not read; the others are.
    pub fn poll(&mut self, each: &mut dyn FnMut(Recorded)) -> Result<(), StoreError> {
        // A line is on its way to the file before the next number is given out. So whoever reads one journal and then
        // another has all of the second's lines up to the last number of the first. The running sub-runs are read
        // before the run's journal and again after it: nothing up to the highest number of the first two is missing.
        // The second round is for what stands behind the last line of the run's own journal.
        for _ in 0..2 {
            self.read_active()?;
            self.events.read()?;
            let newest = self.active.values().chain([&self.events]).filter_map(Source::newest).max();
            let Some(limit) = newest else { return Ok(()) };
            self.read_active()?;
            self.hand_over(limit, each)?;
        }
        Ok(())
    }

    fn read_active(&mut self) -> Result<(), StoreError> {
        self.active.values_mut().try_for_each(Source::read)
    }

    fn hand_over(&mut self, limit: u64, each: &mut dyn FnMut(Recorded)) -> Result<(), StoreError> {
        while let Some(recorded) = self.events.next(limit) {
            self.hand_over_steps(recorded.seq, each);
            if let RunEvent::SubrunFinished(finished) = &recorded.event {
                self.finish(&finished.id);
            }
            let started = match &recorded.event {
                RunEvent::SubrunStarted(started) => Some(started.id.clone()),
                _ => None,
            };
            each(recorded);
            if let Some(id) = started {
                self.start(&id)?;
            }
        }
        self.hand_over_steps(limit, each);
        Ok(())
    }

    fn start(&mut self, id: &str) -> Result<(), StoreError> {
        if !self.active.contains_key(id) {
            let tail = match self.rested.remove(id) {
                Some(tail) => tail,
                None => JournalTail::new(&self.dir.subrun(id)?.steps()),
            };
            self.active.insert(id.to_owned(), Source::over(tail));
        }
        self.active.get_mut(id).map_or(Ok(()), Source::read)
    }

    fn finish(&mut self, id: &str) {
        // Lines still waiting belong to a later resume, whose `subrun_started` is yet to come.
        if self.active.get(id).is_some_and(|source| source.waiting.is_empty())
            && let Some((id, mut source)) = self.active.remove_entry(id)
        {
            source.tail.rest();
            self.rested.insert(id, source.tail);
        }
    }

    fn hand_over_steps(&mut self, limit: u64, each: &mut dyn FnMut(Recorded)) {
        loop {
            let waiting = self.active.values_mut().filter(|source| source.oldest().is_some());
            match waiting.min_by_key(|source| source.oldest()).and_then(|source| source.next(limit)) {
                Some(recorded) => each(recorded),
                None => return,
            }
        }
    }
}
