//! Where the runner waits with nothing in flight: for errors that are counted late, and for a host to cool down. Whoever asks
//! to stop meanwhile ends the waiting, and is heard.

use std::time::Duration;

use tokio::time::Instant;

use super::Runner;
use crate::engine::watch;

/// Between two looks at a host that cools down.
const COOL_LOOK: Duration = Duration::from_millis(200);

impl Runner<'_> {
    /// Errors are counted some time after they have happened: waits that long where they are, unless somebody asks to stop.
    pub(super) async fn lag(&mut self) {
        let lag = self.plan.bounds().evidence.lag_ms.duration();
        if self.execution.is_some() && self.watch.is_late() && !lag.is_zero() {
            self.wait_until(Instant::now() + lag).await;
        }
    }

    /// Waits until the host is cool enough. The error says that it does not cool down.
    pub(super) async fn cool_down(&mut self) -> Result<(), String> {
        let Some(rule) = self.plan.bounds().evidence.temperature else { return Ok(()) };
        let give_up = Instant::now() + rule.cool_for_ms.duration();
        loop {
            match self.watch.hottest() {
                Some(hottest) if hottest.millidegrees_c <= rule.cool_to_mc => break,
                hottest if Instant::now() >= give_up => return Err(watch::still_hot(&rule, hottest.as_ref())),
                _ => {}
            }
            if !self.wait_until(Instant::now() + COOL_LOOK).await {
                break;
            }
        }
        self.watch.is_cool();
        Ok(())
    }

    /// Waits, but not longer than until somebody asks to stop, which is kept for later. `true` when nobody did.
    async fn wait_until(&mut self, moment: Instant) -> bool {
        tokio::select! {
            biased;
            signal = self.signals.next() => {
                self.heard.push_back(signal);
                false
            }
            () = tokio::time::sleep_until(moment) => true,
        }
    }
}
