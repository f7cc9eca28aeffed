//! One execution from spawn to the end of its tree, as a pure state machine: limits, grace, what is left behind.
//! Never signals by itself, never reads a clock.

use std::time::Duration;

use crate::domain::time::Timestamp;

use super::effect::{EndCause, Ending, Now};

/// How long SIGKILL may take before the processes count as unkillable: a disk in trouble can hold one for a while.
pub const UNKILLABLE_AFTER: Duration = Duration::from_secs(60);

/// The limits of an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest time to the leader's end.
    pub time: Duration,
    /// Longest time without output.
    pub silence: Option<Duration>,
    /// Between SIGTERM and SIGKILL.
    pub grace: Duration,
}

/// What to do to the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// SIGTERM to all of them.
    Terminate,
    /// SIGKILL to all of them until none is left.
    Kill,
    /// Wait no longer.
    Abandon,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    Terminating { kill_at: Duration },
    Killing { abandon_at: Duration },
    Gone,
}

/// An execution that has a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    limits: Limits,
    started: Now,
    last_output: Duration,
    stage: Stage,
    cause: Option<EndCause>,
    leader_end: Option<Now>,
    left: usize,
    unkillable: bool,
}

impl InFlight {
    /// It was spawned just now.
    pub const fn new(now: Now, limits: Limits) -> Self {
        Self {
            limits,
            started: now,
            last_output: now.monotonic,
            stage: Stage::Running,
            cause: None,
            leader_end: None,
            left: 0,
            unkillable: false,
        }
    }

    /// When [`deadline_reached`](Self::deadline_reached) must be asked next, on the monotonic clock.
    pub fn deadline(&self) -> Option<Duration> {
        match self.stage {
            Stage::Running => {
                let limit = self.started.monotonic.saturating_add(self.limits.time);
                let silence = self.limits.silence.map(|silence| self.last_output.saturating_add(silence));
                Some(silence.map_or(limit, |silence| silence.min(limit)))
            }
            Stage::Terminating { kill_at } => Some(kill_at),
            Stage::Killing { abandon_at } => Some(abandon_at),
            Stage::Gone => None,
        }
    }

    /// It wrote something.
    pub fn wrote(&mut self, now: Now) {
        self.last_output = now.monotonic;
    }

    /// Looks at the clock; a deadline that has not come asks for nothing.
    pub fn deadline_reached(&mut self, now: Now) -> Option<Order> {
        if self.deadline().is_none_or(|deadline| now.monotonic < deadline) {
            return None;
        }
        match self.stage {
            Stage::Running => {
                let time = self.limits.time;
                let over = now.monotonic >= self.started.monotonic.saturating_add(time);
                let cause = match self.limits.silence {
                    Some(silence) if !over => EndCause::Silence(millis(silence)),
                    _ => EndCause::TimeLimit(millis(time)),
                };
                self.end(now, cause)
            }
            Stage::Terminating { .. } => Some(self.kill(now)),
            Stage::Killing { .. } => {
                self.unkillable = true;
                self.stage = Stage::Gone;
                Some(Order::Abandon)
            }
            Stage::Gone => None,
        }
    }

    /// It must end. The first cause is the one that is told; a kill hurries what is under way.
    pub fn end(&mut self, now: Now, cause: EndCause) -> Option<Order> {
        let kill = matches!(cause, EndCause::Cancelled(reason) if reason.kills());
        // A leader that has ended by itself keeps its verdict, whatever is done to what it left.
        if self.leader_end.is_none() && self.cause.is_none() {
            self.cause = Some(cause);
        }
        match self.stage {
            Stage::Running | Stage::Terminating { .. } if kill => Some(self.kill(now)),
            Stage::Running => Some(self.terminate(now)),
            Stage::Terminating { .. } | Stage::Killing { .. } | Stage::Gone => None,
        }
    }

    /// The leader has ended with `left` living processes besides it.
    pub fn leader_ended(&mut self, now: Now, left: usize) -> Option<Order> {
        self.leader_end.get_or_insert(now);
        if left == 0 {
            self.stage = Stage::Gone;
            return None;
        }
        if self.cause.is_none() {
            self.left = left;
        }
        (self.stage == Stage::Running).then(|| self.terminate(now))
    }

    /// No process is left.
    pub fn tree_gone(&mut self) {
        self.stage = Stage::Gone;
    }

    /// Whether nothing more is to be waited for.
    pub fn is_gone(&self) -> bool {
        self.stage == Stage::Gone
    }

    /// When it was spawned.
    pub const fn started_at(&self) -> Timestamp {
        self.started.wall
    }

    /// When its leader had ended.
    pub fn ended_at(&self) -> Option<Timestamp> {
        self.leader_end.map(|now| now.wall)
    }

    /// How it came to its end; `now` stands for a leader that never did.
    pub fn ending(&self, now: Now) -> Ending {
        let end = self.leader_end.unwrap_or(now).monotonic;
        Ending {
            cause: self.cause.clone(),
            duration_ms: millis(end.saturating_sub(self.started.monotonic)),
            left: self.left,
            unkillable: self.unkillable,
            restore_failed: None,
        }
    }

    fn terminate(&mut self, now: Now) -> Order {
        self.stage = Stage::Terminating { kill_at: now.monotonic.saturating_add(self.limits.grace) };
        Order::Terminate
    }

    fn kill(&mut self, now: Now) -> Order {
        self.stage = Stage::Killing { abandon_at: now.monotonic.saturating_add(UNKILLABLE_AFTER) };
        Order::Kill
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::verdict::CancelReason;
    use CancelReason::{Interrupt, Kill};

    fn at(ms: u64) -> Now {
        Now {
            monotonic: Duration::from_millis(ms),
            wall: Timestamp::from_millis(1_000_000 + i64::try_from(ms).unwrap()).unwrap(),
        }
    }

    /// A time limit of a second, silence of 300 ms, grace of 100 ms, started at 1000.
    fn running() -> InFlight {
        let limits = Limits {
            time: Duration::from_secs(1),
            silence: Some(Duration::from_millis(300)),
            grace: Duration::from_millis(100),
        };
        InFlight::new(at(1000), limits)
    }

    fn check(one: &InFlight, now: u64, expected: &Ending) {
        assert_eq!(one.ending(at(now)), *expected);
    }

    #[test]
    fn an_end_by_itself_needs_nothing() {
        let mut one = running();
        assert_eq!(one.deadline(), Some(Duration::from_millis(1300)));
        assert_eq!(one.deadline_reached(at(1299)), None);
        assert_eq!(one.leader_ended(at(1250), 0), None);
        assert!(one.is_gone() && one.deadline().is_none());
        check(&one, 9999, &Ending { duration_ms: 250, ..Ending::default() });
        assert_eq!(one.ended_at(), Some(at(1250).wall));
    }

    #[test]
    fn output_puts_silence_off_but_not_the_limit() {
        let mut one = running();
        for ms in [1200, 1400, 1600, 1800] {
            one.wrote(at(ms));
        }
        assert_eq!(one.deadline(), Some(Duration::from_secs(2)));
        assert_eq!(one.deadline_reached(at(2000)), Some(Order::Terminate));
        let cause = Some(EndCause::TimeLimit(1000));
        check(&one, 2000, &Ending { cause, duration_ms: 1000, ..Ending::default() });
    }

    #[test]
    fn silence_then_grace_then_kill_then_given_up() {
        let mut one = running();
        one.wrote(at(1200));
        assert_eq!(one.deadline_reached(at(1500)), Some(Order::Terminate));
        assert_eq!(one.deadline_reached(at(1599)), None);
        assert_eq!(one.deadline_reached(at(1600)), Some(Order::Kill));
        assert_eq!(one.deadline_reached(at(61_599)), None);
        assert_eq!(one.deadline_reached(at(61_600)), Some(Order::Abandon));
        let cause = Some(EndCause::Silence(300));
        check(&one, 61_600, &Ending { cause, duration_ms: 60_600, unkillable: true, ..Ending::default() });
    }

    #[test]
    fn what_is_left_is_ended_and_the_verdict_stands() {
        let mut one = running();
        assert_eq!(one.leader_ended(at(1100), 3), Some(Order::Terminate));
        assert_eq!(one.deadline(), Some(Duration::from_millis(1200)));
        // An interrupt and then a kill concern the rest only.
        assert_eq!(one.end(at(1110), EndCause::Cancelled(Interrupt)), None);
        assert_eq!(one.end(at(1120), EndCause::Cancelled(Kill)), Some(Order::Kill));
        one.tree_gone();
        check(&one, 5000, &Ending { duration_ms: 100, left: 3, ..Ending::default() });
    }

    #[test]
    fn the_first_cause_is_told_and_a_kill_hurries() {
        let mut one = running();
        assert_eq!(one.end(at(1010), EndCause::Cancelled(Interrupt)), Some(Order::Terminate));
        assert_eq!(one.end(at(1020), EndCause::Log("full".to_owned())), None);
        assert_eq!(one.end(at(1030), EndCause::Cancelled(Kill)), Some(Order::Kill));
        assert_eq!(one.end(at(1040), EndCause::Cancelled(Kill)), None);
        // Ended by us: what outlived the leader is not "left".
        assert_eq!(one.leader_ended(at(1050), 2), None);
        one.tree_gone();
        let cause = Some(EndCause::Cancelled(Interrupt));
        check(&one, 5000, &Ending { cause, duration_ms: 50, ..Ending::default() });
    }
}
