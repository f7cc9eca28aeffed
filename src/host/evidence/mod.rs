//! Evidence from the hardware over one step: what it counted, measured and wrote to the kernel log meanwhile. Only reads, all
//! of it below relocatable roots; counters are read where a step begins and ends, sensors twice a second by a thread of
//! their own. Nobody waits for a sensor. Never judges.

pub mod counters;
mod gauges;
pub mod kernel_log;
#[cfg(test)]
mod tests;

use std::io;

use counters::{Counters, Look};
use gauges::Gauges;
use kernel_log::KernelLog;

use super::roots::Roots;
use crate::domain::evidence::{Observed, SourceId, Sources, Status};

/// A sensor that says too much, or the hottest of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Which: `k10temp Tctl`.
    pub of: String,
    /// What it says, in thousandths of a degree Celsius.
    pub millidegrees_c: i64,
}

/// The sources of a machine, watched for as long as this lives.
#[derive(Debug)]
pub struct Watcher {
    sources: Sources,
    counters: Counters,
    gauges: Gauges,
    log: Option<KernelLog>,
    /// Of the beginning of the step, or the end of the one before.
    look: Look,
}

impl Watcher {
    /// Finds the sources and begins to watch. `alarm` is called, by another thread and as often as a sample says so, when a
    /// sensor says more than `limit`, in thousandths of a degree Celsius.
    pub fn start(roots: &Roots, limit: Option<i64>, alarm: impl Fn(Alarm) + Send + 'static) -> io::Result<Self> {
        let counters = Counters::find(roots);
        let gauges = Gauges::start(roots, limit, alarm)?;
        let opened = KernelLog::open(&roots.kmsg);
        let mut sources = counters.found().clone();
        sources.extend(gauges.found().clone());
        sources.insert(SourceId::KernelLog, KernelLog::found(&roots.kmsg, &opened));
        let look = counters.look();
        Ok(Self { sources, counters, gauges, log: opened.ok(), look })
    }

    /// What was found of every source.
    pub const fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Whether errors are counted here some time after they have happened: EDAC looks once a second.
    pub fn is_late(&self) -> bool {
        [SourceId::EdacCe, SourceId::EdacUe]
            .iter()
            .any(|source| self.sources.get(source).is_some_and(|found| found.status == Status::Available))
    }

    /// A step begins. Returns what has come since the end of the one before.
    pub fn begin(&mut self) -> Observed {
        let mut late = self.moved();
        late.retain(|_, observation| observation.is_news());
        self.gauges.begin();
        late
    }

    /// It has ended. Returns what every source that is here was seen to do meanwhile.
    pub fn end(&mut self) -> Observed {
        let mut observed = self.moved();
        observed.extend(self.gauges.end());
        observed
    }

    fn moved(&mut self) -> Observed {
        let now = self.counters.look();
        let mut observed = self.counters.between(&self.look, &now);
        self.look = now;
        if let Some(log) = &mut self.log {
            observed.insert(SourceId::KernelLog, log.look());
        }
        observed
    }

    /// The hottest sensor now; none where there is no sensor, or none that answers.
    pub fn hottest(&self) -> Option<Alarm> {
        self.gauges.hottest()
    }
}

/// What is here, for whoever only asks; nothing where it cannot be told. Looks once and watches nothing.
pub fn sources(roots: &Roots) -> Sources {
    Watcher::start(roots, None, |_| {}).map(|watcher| watcher.sources).unwrap_or_default()
}
