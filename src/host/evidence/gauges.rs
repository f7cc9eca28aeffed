//! What sensors say, sampled twice a second by a thread of its own: a sensor on a slow bus may not answer for a while, and
//! must not take the runner with it. Nobody ever waits for the thread; what it has not seen is not checked.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::Alarm;
use crate::domain::evidence::{Found, Measured, Observation, Observed, SourceId, Sources, Status};
use crate::host::roots::Roots;
use crate::host::source::Source;
use crate::host::telemetry::{Reading, Sampler, Telemetry};

/// Between two samples.
const EVERY: Duration = Duration::from_millis(500);
/// The first sample is waited for so long, once in a run.
const FIRST: Duration = Duration::from_millis(250);
/// A sample that is older says nothing of now.
const STALE: Duration = Duration::from_secs(2);

/// The sources that are measured.
pub const MEASURED: [SourceId; 6] = [
    SourceId::Frequency,
    SourceId::Load,
    SourceId::MemoryPressure,
    SourceId::Power,
    SourceId::Temperature,
    SourceId::Voltage,
];

/// The sensors of a machine, and the thread that looks at them until this is dropped.
#[derive(Debug)]
pub struct Gauges {
    shared: Arc<Shared>,
    found: Sources,
    /// Dropped, it ends the thread.
    _end: Sender<()>,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Seen>,
    first: Condvar,
}

#[derive(Debug, Default)]
struct Seen {
    /// The last sample and when it was there.
    last: Option<(Instant, BTreeMap<SourceId, Values>)>,
    hottest: Option<Alarm>,
    /// Since the step began.
    step: BTreeMap<SourceId, Window>,
    found: Sources,
}

/// What the sensors of one kind said at once.
#[derive(Debug, Clone)]
struct Values {
    min: i64,
    max: i64,
    sum: i64,
    count: i64,
    of: Option<String>,
}

/// What they said again and again.
#[derive(Debug, Clone)]
struct Window {
    values: Values,
    samples: u32,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        // A sampler that panicked has left plain numbers behind.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gauges {
    /// Starts the thread and waits a moment for its first sample.
    pub fn start(roots: &Roots, limit: Option<i64>, alarm: impl Fn(Alarm) + Send + 'static) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (end, ended) = mpsc::channel::<()>();
        let (theirs, roots) = (Arc::clone(&shared), roots.clone());
        thread::Builder::new().name("evidence".to_owned()).spawn(move || {
            let mut sampler = Sampler::new(roots);
            loop {
                let begin = Instant::now();
                let hottest = theirs.take(&sampler.sample());
                if let (Some(limit), Some(hottest)) = (limit, hottest)
                    && hottest.millidegrees_c > limit
                {
                    alarm(hottest);
                }
                let rest = EVERY.saturating_sub(begin.elapsed());
                if ended.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
            }
        })?;
        let (seen, _) = shared
            .first
            .wait_timeout_while(shared.lock(), FIRST, |seen| seen.last.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        let mut found = seen.found.clone();
        drop(seen);
        if found.is_empty() {
            let silent = || Found { status: Status::Error, detail: Some("no sensor has answered".to_owned()) };
            found = MEASURED.into_iter().map(|source| (source, silent())).collect();
        }
        Ok(Self { shared, found, _end: end })
    }

    /// What was found of each source.
    pub const fn found(&self) -> &Sources {
        &self.found
    }

    /// A step begins.
    pub fn begin(&self) {
        self.shared.lock().step.clear();
    }

    /// What the sensors said since then; of a short step what they said last.
    pub fn end(&self) -> Observed {
        let seen = self.shared.lock();
        let available = self.found.iter().filter(|(_, found)| found.status == Status::Available);
        let observation = |source: &SourceId| {
            if let Some(window) = seen.step.get(source) {
                return window.measured(*source);
            }
            let last = seen.last.as_ref().filter(|(at, _)| at.elapsed() < STALE);
            match last.and_then(|(_, values)| values.get(source)) {
                Some(values) => Window { values: values.clone(), samples: 1 }.measured(*source),
                None => Observation::NotChecked { not_checked: "no sensor has answered".to_owned() },
            }
        };
        available.map(|(source, _)| (*source, observation(source))).collect()
    }

    /// The hottest sensor, if one has answered lately.
    pub fn hottest(&self) -> Option<Alarm> {
        let seen = self.shared.lock();
        seen.last.as_ref().filter(|(at, _)| at.elapsed() < STALE)?;
        seen.hottest.clone()
    }
}

impl Shared {
    /// Takes in a sample. Returns the hottest sensor.
    fn take(&self, telemetry: &Telemetry) -> Option<Alarm> {
        let values = values(telemetry);
        let hottest = telemetry.hottest().map(|reading| Alarm { of: name(reading), millidegrees_c: reading.value });
        let mut seen = self.lock();
        if seen.last.is_none() {
            seen.found = found(telemetry);
        }
        for (source, values) in &values {
            match seen.step.get_mut(source) {
                Some(window) => window.add(values),
                None => {
                    seen.step.insert(*source, Window { values: values.clone(), samples: 1 });
                }
            }
        }
        seen.last = Some((Instant::now(), values));
        seen.hottest.clone_from(&hottest);
        self.first.notify_all();
        hottest
    }
}

impl Window {
    fn add(&mut self, now: &Values) {
        self.samples = self.samples.saturating_add(1);
        let all = &mut self.values;
        if now.max > all.max {
            (all.max, all.of) = (now.max, now.of.clone());
        }
        all.min = all.min.min(now.min);
        all.sum = all.sum.saturating_add(now.sum);
        all.count = all.count.saturating_add(now.count);
    }

    fn measured(&self, source: SourceId) -> Observation {
        let unit = match source {
            SourceId::Temperature => Some("mC"),
            SourceId::Voltage => Some("mV"),
            SourceId::Power => Some("uW"),
            SourceId::Frequency => Some("kHz"),
            _ => None,
        };
        let Values { min, max, sum, count, of } = self.values.clone();
        let mean = sum.checked_div(count).unwrap_or(0);
        Observation::Measured(Measured { min, mean, max, samples: self.samples, unit: unit.map(str::to_owned), of })
    }
}

fn name(reading: &Reading) -> String {
    format!("{} {}", reading.chip, reading.label)
}

fn values(telemetry: &Telemetry) -> BTreeMap<SourceId, Values> {
    let one = |value: u64| {
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        Values { min: value, max: value, sum: value, count: 1, of: None }
    };
    let many = |readings: &Source<Vec<Reading>>| {
        let readings = readings.value()?;
        let highest = readings.iter().max_by_key(|reading| reading.value)?;
        Some(Values {
            min: readings.iter().map(|reading| reading.value).min()?,
            max: highest.value,
            sum: readings.iter().fold(0_i64, |sum, reading| sum.saturating_add(reading.value)),
            count: i64::try_from(readings.len()).unwrap_or(1),
            of: Some(name(highest)),
        })
    };
    let clocks = telemetry.frequencies.value().map(|clocks| Values {
        min: i64::try_from(clocks.min_khz).unwrap_or(i64::MAX),
        max: i64::try_from(clocks.max_khz).unwrap_or(i64::MAX),
        sum: i64::try_from(clocks.mean_khz).unwrap_or(i64::MAX),
        count: 1,
        of: None,
    });
    let all = [
        (SourceId::Frequency, clocks),
        (SourceId::Load, telemetry.load.value().map(|load| one(load.hundredths_1m))),
        (SourceId::MemoryPressure, telemetry.memory_pressure.value().map(|pressure| one(pressure.some))),
        (SourceId::Power, many(&telemetry.power)),
        (SourceId::Temperature, many(&telemetry.temperatures)),
        (SourceId::Voltage, many(&telemetry.voltages)),
    ];
    all.into_iter().filter_map(|(source, values)| Some((source, values?))).collect()
}

fn found(telemetry: &Telemetry) -> Sources {
    fn of<T>(source: &Source<T>) -> Found {
        let (status, detail) = match source {
            Source::Available { .. } => (Status::Available, None),
            Source::Absent { detail } => (Status::Absent, Some(detail)),
            Source::Denied { detail } => (Status::Denied, Some(detail)),
            Source::Error { detail } => (Status::Error, Some(detail)),
        };
        Found { status, detail: detail.cloned() }
    }
    Sources::from([
        (SourceId::Frequency, of(&telemetry.frequencies)),
        (SourceId::Load, of(&telemetry.load)),
        (SourceId::MemoryPressure, of(&telemetry.memory_pressure)),
        (SourceId::Power, of(&telemetry.power)),
        (SourceId::Temperature, of(&telemetry.temperatures)),
        (SourceId::Voltage, of(&telemetry.voltages)),
    ])
}
