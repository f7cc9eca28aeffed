//! When the next frame is drawn: on change only, at most so many a second, a key's answer sooner than what floods in,
//! and the last change always. Costs nothing while nothing changes. Knows no clock: it is told what time it is.

use std::time::{Duration, Instant};

/// The frames of one screen.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Between two frames that only events ask for.
    least: Duration,
    /// Between a frame and the one that answers a key.
    answer: Duration,
    last: Option<Instant>,
}

impl Schedule {
    /// 30 frames a second; over a network connection 10.
    pub fn new(remote: bool) -> Self {
        let (least, answer) = if remote { (100, 30) } else { (33, 8) };
        Self { least: Duration::from_millis(least), answer: Duration::from_millis(answer), last: None }
    }

    /// When what has changed is drawn.
    pub fn due(&self, now: Instant, urgent: bool) -> Instant {
        let wait = if urgent { self.answer } else { self.least };
        self.last.map_or(now, |last| (last + wait).max(now))
    }

    /// It was drawn.
    pub fn drawn(&mut self, now: Instant) {
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_drawn_thirty_times_a_second_and_a_key_is_answered_sooner() {
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let mut schedule = Schedule::new(false);
        assert_eq!(schedule.due(at(0), false), at(0), "the first at once");
        schedule.drawn(at(0));
        assert_eq!(schedule.due(at(5), false), at(33));
        assert_eq!(schedule.due(at(5), true), at(8));
        assert_eq!(schedule.due(at(50), false), at(50), "after a pause at once");
        let mut frames = 0;
        let mut now = at(0);
        while now < at(1000) {
            let due = schedule.due(now, false);
            schedule.drawn(due);
            frames += 1;
            now = due + Duration::from_millis(1);
        }
        assert!((29..=31).contains(&frames), "{frames}");
    }

    #[test]
    fn over_a_network_there_are_ten() {
        let start = Instant::now();
        let mut schedule = Schedule::new(true);
        schedule.drawn(start);
        assert_eq!(schedule.due(start, false), start + Duration::from_millis(100));
    }
}
