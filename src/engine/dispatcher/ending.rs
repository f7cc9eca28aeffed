//! How a run ends: the reasons to end it early and what each does to the step in flight, a record that cannot be written any
//! more, and the last line. Pure like the rest of the dispatcher.

use std::mem;

use crate::domain::event::{Cancelling, RunFinished, RunStatus};
use crate::domain::verdict::{CancelReason, Verdict, exit};

use super::{Dispatcher, Phase};
use crate::engine::effect::{Effect, EndCause, Judged, Now};

impl Dispatcher {
    pub(super) fn stop_reason(&self) -> Option<String> {
        self.state.cancel.as_ref()?;
        self.state.stop_reason()
    }

    /// A reason to end the run. A graver one than before is recorded and acted upon, others change nothing.
    pub(super) fn cancel(&mut self, now: Now, reason: CancelReason, detail: Option<String>) {
        let graver = self.state.cancel.as_ref().is_none_or(|before| before.reason < reason);
        if !graver || self.state.end.is_some() {
            return;
        }
        // What ends the processes must not wait for a disk.
        self.end_in_flight_for(now, reason);
        self.record(now, Cancelling { reason, detail });
    }

    pub(super) fn end_in_flight(&mut self, now: Now) {
        if let Some(cancel) = &self.state.cancel {
            let reason = cancel.reason;
            self.end_in_flight_for(now, reason);
        }
    }

    pub(super) fn end_in_flight_for(&mut self, now: Now, reason: CancelReason) {
        if reason.lets_step_finish() {
            return;
        }
        if let Phase::Running(_, _, in_flight) = &mut self.phase {
            let order = in_flight.end(now, EndCause::Cancelled(reason));
            self.obey(order);
        }
    }

    /// The effects after the line that could not be written were not performed: nothing was started.
    pub(super) fn record_failed(&mut self, now: Now, detail: String) {
        self.cancel(now, CancelReason::RecordFailed, Some(detail.clone()));
        match mem::replace(&mut self.phase, Phase::Over) {
            Phase::Starting(sub_run, start) => {
                let judged = Judged::never_ran(Verdict::Error, detail);
                self.finish_step(now, sub_run, &start, None, judged);
            }
            Phase::New | Phase::Cooling | Phase::LookingBack(..) | Phase::Entering(_) => self.finish_run(now),
            // Whatever was written to them, they go home.
            Phase::Moving(sub_run, _) => self.go_home(sub_run, Some(detail)),
            Phase::Returning(sub_run, reason, _) => self.go_home(sub_run, reason),
            Phase::Leaving(sub_run, reason) => self.leave(sub_run, reason),
            // A step under way ends first, and its rails go home.
            Phase::Restoring(sub_run, start, in_flight, gone) => {
                self.out.push(Effect::Restore);
                self.phase = Phase::Restoring(sub_run, start, in_flight, gone);
            }
            Phase::Judging(sub_run, start, in_flight, ending) => {
                self.out.push(Effect::Judge(ending.clone()));
                self.phase = Phase::Judging(sub_run, start, in_flight, ending);
            }
            running @ Phase::Running(..) => self.phase = running,
            Phase::Over => {
                let asked = |code: &u8| *code == exit::SAFETY || exit::SIGNALLED.contains(code);
                let code = self.state.end.map(|(_, code)| code).filter(asked);
                self.out.push(Effect::Finish(code.unwrap_or(exit::RIG)));
            }
        }
    }

    pub(super) fn finish_run(&mut self, now: Now) {
        let cancel = self.state.cancel.as_ref().map(|cancel| cancel.reason);
        let dry_run = self.state.header.dry_run;
        let status = match cancel {
            Some(reason) if reason.is_asked() => RunStatus::Cancelled,
            None if dry_run => RunStatus::DryRun,
            Some(_) | None => RunStatus::Completed,
        };
        let verdict = self.state.run_verdict();
        let (unit_failed, rig_failed) = self.state.failures();
        let exit_code = exit::of_run(&self.state.cancels, verdict, unit_failed, rig_failed, dry_run);
        self.record(now, RunFinished { status, verdict, exit_code });
        self.out.extend([Effect::Sync, Effect::Finish(exit_code)]);
        self.phase = Phase::Over;
    }
}
