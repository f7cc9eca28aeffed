//! The runner's eyes on the hardware: evidence over each step, and an alarm when a sensor says too much. Where nothing can be
//! watched it sees nothing, and no step waits for it.

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::domain::evidence::rules::{EvidenceRules, TemperatureRule};
use crate::domain::evidence::{Found, Observed, SourceId, Sources, Status};
use crate::domain::units::Millidegrees;
use crate::host::evidence::{Alarm, Watcher};
use crate::host::roots::Roots;

/// What is watched during a run.
#[derive(Debug)]
pub struct Watch {
    watcher: Option<Watcher>,
    alarms: UnboundedReceiver<Alarm>,
    rule: Option<TemperatureRule>,
    /// Why nothing can be watched.
    failed: Option<String>,
}

impl Watch {
    /// Of a run that executes nothing.
    pub fn nothing() -> Self {
        let (_, alarms) = unbounded_channel();
        Self { watcher: None, alarms, rule: None, failed: None }
    }

    /// Begins to watch. A host that lets nothing be watched can be run on all the same: nothing is checked then.
    pub fn start(roots: &Roots, rules: &EvidenceRules) -> Self {
        let (raise, alarms) = unbounded_channel();
        let limit = rules.temperature.map(|rule| rule.max_mc);
        let watcher = Watcher::start(roots, limit, move |alarm| {
            // Nobody hears it once the run is over.
            drop(raise.send(alarm));
        });
        let failed = watcher.as_ref().err().map(ToString::to_string);
        Self { watcher: watcher.ok(), alarms, rule: rules.temperature, failed }
    }

    /// What was found of every source; nothing for a run that executes nothing.
    pub fn sources(&self) -> Sources {
        match (&self.watcher, &self.failed) {
            (Some(watcher), _) => watcher.sources().clone(),
            (None, Some(why)) => {
                let found = Found { status: Status::Error, detail: Some(why.clone()) };
                SourceId::ALL.iter().map(|source| (*source, found.clone())).collect()
            }
            (None, None) => Sources::new(),
        }
    }

    /// Whether errors are counted here some time after they have happened.
    pub fn is_late(&self) -> bool {
        self.watcher.as_ref().is_some_and(Watcher::is_late)
    }

    /// A step begins. What has come since the end of the one before.
    pub fn begin(&mut self) -> Option<Observed> {
        while self.alarms.try_recv().is_ok() {}
        self.watcher.as_mut().map(Watcher::begin).filter(|late| !late.is_empty())
    }

    /// What has come since the end of the last step, with no other to begin.
    pub fn late(&mut self) -> Option<Observed> {
        self.watcher.as_mut().map(Watcher::begin).filter(|late| !late.is_empty())
    }

    /// A step has ended. What every source was seen to do meanwhile.
    pub fn end(&mut self) -> Observed {
        self.watcher.as_mut().map(Watcher::end).unwrap_or_default()
    }

    /// Waits for a sensor that says too much; for ever where there is none. Safe to drop and call again.
    pub async fn too_hot(&mut self) -> String {
        match (self.alarms.recv().await, self.rule) {
            (Some(alarm), Some(rule)) => {
                format!(
                    "{} says {}, {} is the most: the point was not held",
                    alarm.of,
                    degrees(alarm.millidegrees_c),
                    degrees(rule.max_mc)
                )
            }
            _ => std::future::pending().await,
        }
    }

    /// The hottest sensor now.
    pub fn hottest(&self) -> Option<Alarm> {
        self.watcher.as_ref().and_then(Watcher::hottest)
    }

    /// Alarms from before the host had cooled down say nothing any more.
    pub fn is_cool(&mut self) {
        while self.alarms.try_recv().is_ok() {}
    }
}

/// That a host does not cool down.
pub fn still_hot(rule: &TemperatureRule, hottest: Option<&Alarm>) -> String {
    let now = hottest.map_or_else(
        || "no sensor answers".to_owned(),
        |hottest| format!("{} says {}", hottest.of, degrees(hottest.millidegrees_c)),
    );
    format!("{now} after {}, {} was waited for", rule.cool_for_ms, degrees(rule.cool_to_mc))
}

fn degrees(millidegrees: i64) -> String {
    u64::try_from(millidegrees).map_or_else(|_| format!("{millidegrees} mC"), |above| Millidegrees(above).to_string())
}
