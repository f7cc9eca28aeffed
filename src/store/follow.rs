//! Following a whole run: its own journal and its sub-runs' as one sequence in the order of `seq`.
//! The same for a run that is going on and for one long past. Never locks, never writes, never waits.

use std::collections::{BTreeMap, VecDeque};

use super::StoreError;
use super::journal::JournalTail;
use super::layout::RunDir;
use crate::domain::event::{Journal, Recorded, RunEvent};

/// Follows a run from its beginning. Each sub-run's journal is read from where its `subrun_started` stands.
#[derive(Debug)]
pub struct RunFollower {
    dir: RunDir,
    events: Source,
    /// Sub-runs that are going on, or of which lines wait for their turn.
    active: BTreeMap<String, Source>,
    /// Sub-runs that have finished; a resume may start one of them again.
    rested: BTreeMap<String, Source>,
}

/// A journal and what was read of it but has not had its turn.
#[derive(Debug)]
struct Source {
    tail: JournalTail,
    /// Whose events it may hold; any other is passed over.
    kind: Journal,
    waiting: VecDeque<Recorded>,
    /// A line in its middle is broken; told once, then the rest of the run goes on without it.
    damaged: bool,
}

impl Source {
    fn over(tail: JournalTail, kind: Journal) -> Self {
        Self { tail, kind, waiting: VecDeque::new(), damaged: false }
    }

    fn read(&mut self) -> Result<(), StoreError> {
        if self.damaged {
            return Ok(());
        }
        let (waiting, kind) = (&mut self.waiting, self.kind);
        let own = |recorded: &Recorded| recorded.event.journal() == kind;
        let result = self.tail.poll(&mut |recorded| waiting.extend(Some(recorded).filter(own)));
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
        let events = Source::over(JournalTail::new(&dir.events()), Journal::Run);
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
            let source = match self.rested.remove(id) {
                Some(source) => source,
                None => Source::over(JournalTail::new(&self.dir.subrun(id)?.steps()), Journal::SubRun),
            };
            self.active.insert(id.to_owned(), source);
        }
        self.active.get_mut(id).map_or(Ok(()), Source::read)
    }

    fn finish(&mut self, id: &str) {
        // Lines still waiting belong to a later resume, whose `subrun_started` is yet to come.
        if self.active.get(id).is_some_and(|source| source.waiting.is_empty())
            && let Some((id, mut source)) = self.active.remove_entry(id)
        {
            source.tail.rest();
            // Thousands may rest: none keeps room for what it had.
            source.waiting = VecDeque::new();
            self.rested.insert(id, source);
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::journal::JournalWriter;
    use crate::store::layout::PreparedRun;
    use crate::store::run_id::RunId;
    use crate::store::test_events::{
        ID, cancelling, event, run_started, step_finished, step_spawned, step_started, subrun_finished, subrun_started,
    };

    /// A run directory and one writer per journal.
    struct Bench {
        _folder: tempfile::TempDir,
        dir: RunDir,
        run: Option<JournalWriter>,
        subruns: BTreeMap<u32, JournalWriter>,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let dir = PreparedRun::reserve(folder.path(), &RunId::parse(ID).unwrap()).unwrap().publish().unwrap();
            Self { _folder: folder, dir, run: None, subruns: BTreeMap::new() }
        }

        fn write(&mut self, to: Option<u32>, event: &Recorded) {
            let dir = &self.dir;
            let writer = match to {
                None => self.run.get_or_insert_with(|| JournalWriter::create(&dir.events()).unwrap()),
                Some(index) => self.subruns.entry(index).or_insert_with(|| {
                    let subrun = dir.subrun(&format!("{ID}-s{index:02}")).unwrap();
                    subrun.create().unwrap();
                    JournalWriter::create(&subrun.steps()).unwrap()
                }),
            };
            writer.append(event).unwrap();
        }
    }

    /// A run of two sub-runs, interrupted in the second, resumed, with the first done over: which journal, which event.
    fn story() -> Vec<(Option<u32>, Recorded)> {
        let resumed = event(13, "run_resumed", r#""pid":7"#);
        vec![
            (None, run_started(0)),
            (None, subrun_started(1, 0)),
            (Some(0), step_started(2, 0)),
            (Some(0), step_spawned(3, 0)),
            (Some(0), step_finished(4, 0)),
            (None, subrun_finished(5, 0)),
            (None, subrun_started(6, 1)),
            (Some(1), step_started(7, 0)),
            (None, cancelling(8)),
            (Some(1), step_spawned(9, 0)),
            (Some(1), step_finished(10, 0)),
            (Some(1), step_started(12, 1)),
            (None, resumed),
            (None, subrun_started(14, 0)),
            (Some(0), step_started(15, 1)),
            (Some(0), step_finished(16, 1)),
            (None, subrun_finished(17, 0)),
            (None, subrun_started(18, 1)),
            (Some(1), step_started(19, 1)),
        ]
    }

    /// Polling once after every `stride` events gives the story in its order.
    fn check(stride: usize) {
        let (mut bench, story) = (Bench::new(), story());
        let mut follower = RunFollower::new(&bench.dir);
        let mut seen = Vec::new();
        follower.poll(&mut |event| seen.push(event)).unwrap();
        for (count, (to, event)) in story.iter().enumerate() {
            bench.write(*to, event);
            if (count + 1) % stride == 0 {
                follower.poll(&mut |event| seen.push(event)).unwrap();
                assert_eq!(seen.len(), count + 1, "all that was recorded before the call");
            }
        }
        follower.poll(&mut |event| seen.push(event)).unwrap();
        assert_eq!(seen, story.into_iter().map(|(_, event)| event).collect::<Vec<_>>());
    }

    #[test]
    fn live_and_past_are_the_same_sequence() {
        (1..=20).for_each(check);
    }

    #[test]
    fn a_writer_at_full_speed_never_gets_ahead_of_the_order() {
        let mut bench = Bench::new();
        let mut follower = RunFollower::new(&bench.dir);
        let total = 3000;
        let mut seen: Vec<u64> = Vec::new();
        std::thread::scope(|scope| {
            let bench = &mut bench;
            scope.spawn(move || {
                for seq in 0..total {
                    let index = u32::try_from(seq / 100).unwrap();
                    match seq % 100 {
                        0 => bench.write(None, &subrun_started(seq, index)),
                        99 => bench.write(None, &subrun_finished(seq, index)),
                        n if n % 7 == 0 => bench.write(None, &cancelling(seq)),
                        _ => bench.write(Some(index), &step_spawned(seq, 0)),
                    }
                }
            });
            while seen.len() < usize::try_from(total).unwrap() {
                follower.poll(&mut |event| seen.push(event.seq)).unwrap();
            }
        });
        assert!(seen.iter().copied().eq(0..total));
    }

    #[test]
    fn a_broken_subrun_is_told_once_and_the_others_are_read() {
        let mut bench = Bench::new();
        for (to, event) in &story() {
            bench.write(*to, event);
        }
        let steps = bench.dir.subrun(&format!("{ID}-s00")).unwrap().steps();
        let text = fs::read_to_string(&steps).unwrap().replace("step_spawned\"", "step_spawned");
        fs::write(&steps, text).unwrap();
        let mut follower = RunFollower::new(&bench.dir);
        let mut seen = Vec::new();
        let error = follower.poll(&mut |event| seen.push(event.seq)).unwrap_err();
        assert!(error.to_string().contains("s00/steps.ldjson:2: "), "{error}");
        follower.poll(&mut |event| seen.push(event.seq)).unwrap();
        assert_eq!(seen, [0, 1, 2, 5, 6, 7, 8, 9, 10, 12, 13, 14, 17, 18, 19]);
    }

    #[test]
    fn an_id_that_leaves_the_folder_is_refused() {
        let mut bench = Bench::new();
        bench.write(None, &event(0, "subrun_started", r#""id":"rr-/../../../etc","index":0"#));
        let error = RunFollower::new(&bench.dir).poll(&mut |_| ()).unwrap_err();
        assert_eq!(error.to_string(), "sub-run 'rr-/../../../etc' is not a valid name");
    }
}
