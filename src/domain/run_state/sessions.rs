//! When runners were at work on a run: from the first line of each to its last. A run that a crash interrupted at night and
//! that goes on in the morning did not take all night.

use crate::domain::time::Timestamp;

/// The runners of a run, in turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sessions {
    runners: Vec<Session>,
    last_seq: Option<u64>,
}

/// One of them: its first line and its last, each with its `seq`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Session {
    first: (u64, Timestamp),
    last: (u64, Timestamp),
}

impl Sessions {
    /// Takes in a line. They may come in any order, a sub-run's journal after the run's own: `seq` says whose it is.
    pub(super) fn line(&mut self, seq: u64, at: Timestamp) {
        self.count(seq);
        let session = match self.runners.iter().rposition(|session| session.first.0 <= seq) {
            Some(index) => self.runners.get_mut(index),
            None => self.runners.first_mut(),
        };
        match session {
            Some(session) => {
                session.first = session.first.min((seq, at));
                session.last = session.last.max((seq, at));
            }
            None => self.runners.push(Session { first: (seq, at), last: (seq, at) }),
        }
    }

    /// With this line a runner went on with the run.
    pub(super) fn resumed(&mut self, seq: u64, at: Timestamp) {
        self.count(seq);
        self.runners.push(Session { first: (seq, at), last: (seq, at) });
        self.runners.sort_by_key(|session| session.first);
    }

    /// A line that somebody else wrote, perhaps much later.
    pub(super) fn count(&mut self, seq: u64) {
        self.last_seq = self.last_seq.max(Some(seq));
    }

    /// What somebody else has read of the same run. Both know all runners.
    pub fn join(&mut self, other: &Self) {
        self.last_seq = self.last_seq.max(other.last_seq);
        for (own, other) in self.runners.iter_mut().zip(&other.runners) {
            own.first = own.first.min(other.first);
            own.last = own.last.max(other.last);
        }
        let known = self.runners.len();
        self.runners.extend(other.runners.iter().skip(known).cloned());
    }

    /// The `seq` of the last line.
    pub const fn last_seq(&self) -> Option<u64> {
        self.last_seq
    }

    /// How often a runner went on with what another had left.
    pub fn resumes(&self) -> usize {
        self.runners.len().saturating_sub(1)
    }

    /// How long they were at work, milliseconds; until `now` where the last of them still is. Of one that died, as far as it
    /// wrote.
    pub fn at_work_ms(&self, now: Option<Timestamp>) -> u64 {
        let ended = self.runners.iter().map(|session| session.last.1.since(session.first.1)).sum::<u64>();
        let since = self.runners.last().zip(now).map_or(0, |(last, now)| now.since(last.last.1));
        ended.saturating_add(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::kit::moment;

    #[test]
    fn nobody_works_between_two_runners() {
        let mut sessions = Sessions::default();
        assert_eq!((sessions.at_work_ms(Some(moment(5000))), sessions.last_seq(), sessions.resumes()), (0, None, 0));
        sessions.line(0, moment(1000));
        sessions.line(3, moment(4000));
        assert_eq!((sessions.at_work_ms(None), sessions.at_work_ms(Some(moment(9000)))), (3000, 8000));
        sessions.count(4);
        assert_eq!(sessions.last_seq(), Some(4));
        sessions.resumed(5, moment(100_000));
        sessions.line(6, moment(102_000));
        assert_eq!((sessions.at_work_ms(None), sessions.at_work_ms(Some(moment(105_000)))), (5000, 8000));
        assert_eq!((sessions.last_seq(), sessions.resumes()), (Some(6), 1));
    }

    #[test]
    fn lines_that_come_later_find_their_runner() {
        let mut sessions = Sessions::default();
        sessions.line(1, moment(2000));
        sessions.resumed(6, moment(100_000));
        sessions.line(9, moment(104_000));
        let mut other = sessions.clone();
        for (seq, at) in [(5, 6000), (0, 1000), (3, 4000)] {
            sessions.line(seq, moment(at));
        }
        other.line(7, moment(101_000));
        other.line(10, moment(105_000));
        assert_eq!((sessions.at_work_ms(None), other.at_work_ms(None)), (9000, 5000));
        sessions.join(&other);
        assert_eq!((sessions.at_work_ms(None), sessions.last_seq(), sessions.resumes()), (10_000, Some(10), 1));
    }
}
