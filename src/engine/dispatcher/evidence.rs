//! What the hardware says, as far as it changes how a run goes on: evidence that comes late is recorded with the sub-run that
//! it belongs to, and a host that was too hot cools down before the next one. Pure like the rest of the dispatcher.

use crate::domain::event::EvidenceLate;
use crate::domain::evidence::Observed;
use crate::domain::verdict::CancelReason;

use super::Dispatcher;
use crate::engine::effect::Now;

/// What the hardware said that the run has to go by.
#[derive(Debug, Default)]
pub(super) struct Hardware {
    /// Why the last step was ended, until the host has cooled down.
    pub(super) too_hot: Option<String>,
    /// The sub-run whose step was watched last.
    pub(super) last_watched: Option<u32>,
}

impl Dispatcher {
    /// Something has come since the last step was looked at.
    pub(super) fn late(&mut self, now: Now, observed: Observed) {
        if let Some(index) = self.hardware.last_watched.filter(|_| !observed.is_empty() && self.state.end.is_none()) {
            self.record(now, EvidenceLate { index, observed });
        }
    }

    pub(super) fn cooled(&mut self, now: Now, cooled: Result<(), String>) {
        self.hardware.too_hot = None;
        if let Err(why) = cooled {
            self.cancel(now, CancelReason::TooHot, Some(why));
        }
        self.next_sub_run(now);
    }
}
