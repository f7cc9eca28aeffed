//! The rails' part of a run: moved before the steps that want them elsewhere, looked at once more after them, and brought
//! home before anything else follows. Pure like the rest of the dispatcher.

use crate::domain::event::RailNotHeld;
use crate::domain::plan::{PlannedStep, SubRun};
use crate::domain::rails::{Levels, setpoints};
use crate::domain::verdict::CancelReason;

use super::{Dispatcher, Phase};
use crate::engine::effect::{Effect, Home, Now};
use crate::engine::rail_book::Unsafe;

/// On the way to a setpoint.
#[derive(Debug)]
pub(super) enum Way {
    /// Where they are is read first; this is where they shall be.
    Reading(Levels),
    /// They are being moved.
    Going,
}

/// On the way home.
#[derive(Debug)]
pub(super) enum Return {
    /// Whether they are still where they were told to be.
    Looking,
    /// They are being moved.
    Going,
}

impl Dispatcher {
    /// Where a step wants the rails, if they are elsewhere.
    pub(super) fn to_move(&self, step: Option<&PlannedStep<'_>>) -> Option<Levels> {
        if self.rails.is_empty() {
            return None;
        }
        let wanted = setpoints(&self.plan.experiment.controllers, &step?.rails);
        self.rails.is_elsewhere(&wanted).then_some(wanted)
    }

    pub(super) fn move_rails(&mut self, now: Now, sub_run: SubRun, wanted: Levels) {
        if self.rails.has_moved() {
            return self.depart(now, sub_run, wanted);
        }
        self.out.push(Effect::ReadRails);
        self.phase = Phase::Moving(sub_run, Way::Reading(wanted));
    }

    pub(super) fn rails_read(&mut self, now: Now, sub_run: SubRun, wanted: Levels, read: Result<Levels, String>) {
        let taken = match read {
            Ok(read) => self.rails.read_at_home(read, &self.bounds),
            Err(why) => {
                for (rail, setpoint) in wanted {
                    self.record(now, RailNotHeld { rail, setpoint, readback: None, reason: why.clone() });
                }
                return self.leave(sub_run, Some(not_held(&why)));
            }
        };
        match taken {
            Ok(()) if self.stop_reason().is_some() => {
                let reason = self.stop_reason();
                self.leave(sub_run, reason);
            }
            Ok(()) => self.depart(now, sub_run, wanted),
            Err(refused) => {
                let (reason, detail) = match refused {
                    Unsafe::OutOfBounds(detail) => (CancelReason::SafetyViolation, detail),
                    Unsafe::NotHome(detail) => (CancelReason::RestoreFailed, detail),
                };
                self.cancel(now, reason, Some(detail.clone()));
                self.leave(sub_run, Some(detail));
            }
        }
    }

    fn depart(&mut self, now: Now, sub_run: SubRun, wanted: Levels) {
        let (lines, writes) = self.rails.depart(wanted);
        // Where home is stands on the disk before the first line that says we leave it.
        self.out.push(Effect::KeepNominal(self.rails.nominal().cloned().unwrap_or_default()));
        for line in lines {
            self.record(now, line);
        }
        self.out.extend([Effect::Sync, Effect::MoveRails(writes)]);
        self.phase = Phase::Moving(sub_run, Way::Going);
    }

    pub(super) fn rails_moved(&mut self, now: Now, sub_run: SubRun, read: Result<Levels, String>) {
        match self.judge_rails(now, read) {
            None => self.next_step(now, sub_run),
            Some(why) => self.go_home(sub_run, Some(why)),
        }
    }

    /// Records what the readbacks say of the setpoints; the reason why the point is not held, if it is not.
    fn judge_rails(&mut self, now: Now, read: Result<Levels, String>) -> Option<String> {
        let (held, lost) = match read {
            Ok(read) => self.rails.arrived(&read),
            Err(why) => (vec![], self.rails.all_lost(&why)),
        };
        for line in held {
            self.record(now, line);
        }
        let why = lost.first().map(|line| not_held(&format!("{} {}", line.rail, line.reason)));
        for line in lost {
            self.record(now, line);
        }
        why
    }

    /// The sub-run's steps are over. Rails that are away are read once more: firmware may have moved them meanwhile.
    pub(super) fn release(&mut self, sub_run: SubRun, reason: Option<String>) {
        if !self.rails.has_moved() {
            return self.leave(sub_run, reason);
        }
        // Whoever asks twice wants them home, not looked at.
        if self.state.cancels.contains(&CancelReason::Kill) {
            return self.go_home(sub_run, reason);
        }
        // The way home takes a while: what is known of the steps does not wait for its end.
        self.out.extend([Effect::Sync, Effect::ReadRails]);
        self.phase = Phase::Returning(sub_run, reason, Return::Looking);
    }

    pub(super) fn rails_looked_at(
        &mut self,
        now: Now,
        sub_run: SubRun,
        reason: Option<String>,
        read: Result<Levels, String>,
    ) {
        let lost = self.judge_rails(now, read);
        self.go_home(sub_run, lost.or(reason));
    }

    pub(super) fn go_home(&mut self, sub_run: SubRun, reason: Option<String>) {
        let Some(nominal) = self.rails.nominal().filter(|_| self.rails.has_moved()).cloned() else {
            return self.leave(sub_run, reason);
        };
        self.out.push(Effect::HomeRails(nominal));
        self.phase = Phase::Returning(sub_run, reason, Return::Going);
    }

    pub(super) fn rails_home(&mut self, now: Now, sub_run: &SubRun, reason: Option<String>, home: Home) {
        let (restored, stuck) = self.rails.came_home(home);
        for line in restored {
            self.record(now, line);
        }
        let said: Vec<String> =
            stuck.iter().map(|line| format!("{} is not home: {}", line.rail, line.reason)).collect();
        for line in stuck {
            self.record(now, line);
        }
        let not_home = (!said.is_empty()).then(|| said.join("; "));
        if not_home.is_none() {
            self.out.push(Effect::RailsAreHome);
        }
        self.close_sub_run(now, sub_run, reason, not_home);
    }

    pub(super) fn leave(&mut self, sub_run: SubRun, reason: Option<String>) {
        self.out.push(Effect::Leave);
        self.phase = Phase::Leaving(sub_run, reason);
    }
}

fn not_held(why: &str) -> String {
    format!("the point was not held: {why}")
}
