//! How the machine is doing right now: load, memory, temperatures, clocks, fans, power, for a pane that shows it once a
//! second. Bounded: at most [`Sampler::MOST_FILES`] small files a sample, 4 KiB of each (302 took 4 ms, not optimised). A
//! sensor on a slow bus may take longer, so a screen samples on a thread of its own. Only reads; what is not there is absent.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::facts;
use super::roots::{Roots, hundredths};
use super::source::{Source, malformed, read_line};
use super::sysinfo::Load;
use crate::domain::sanitize;

/// The machine at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telemetry {
    /// Load averages.
    pub load: Source<Load>,
    /// How much of all CPUs' time went by busy since the sample before, in thousandths. Absent in the first sample.
    pub busy_permille: Source<u64>,
    /// Memory, in bytes.
    pub memory: Source<MemoryUse>,
    /// How much of the last ten seconds somebody waited for memory, in hundredths of a percent.
    pub memory_pressure: Source<Pressure>,
    /// Clocks of the CPUs as they are.
    pub frequencies: Source<Frequencies>,
    /// In thousandths of a degree Celsius.
    pub temperatures: Source<Vec<Reading>>,
    /// In turns a minute.
    pub fans: Source<Vec<Reading>>,
    /// In microwatts.
    pub power: Source<Vec<Reading>>,
    /// In millivolts.
    pub voltages: Source<Vec<Reading>>,
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// All that the kernel can use.
    pub total: u64,
    /// What a program could get without swapping.
    pub available: u64,
}

impl MemoryUse {
    /// What a program could not get.
    pub const fn used(&self) -> u64 {
        self.total.saturating_sub(self.available)
    }
}

/// How much of the last ten seconds was lost, in hundredths of a percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressure {
    /// To some task at least.
    pub some: u64,
    /// To all tasks at once.
    pub full: u64,
}

/// Clocks of the CPUs, in kilohertz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frequencies {
    /// The slowest.
    pub min_khz: u64,
    /// Their mean.
    pub mean_khz: u64,
    /// The fastest.
    pub max_khz: u64,
    /// How many clocks were read; CPUs may share one.
    pub clocks: u64,
}

/// What one sensor says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The driver's name for the chip, or `thermal`; without what a terminal would obey.
    pub chip: String,
    /// What the driver calls the sensor, likewise: `Tctl`, `temp3`.
    pub label: String,
    /// In the unit of its kind.
    pub value: i64,
}

impl Telemetry {
    /// The highest temperature.
    pub fn hottest(&self) -> Option<&Reading> {
        self.temperatures.value()?.iter().max_by_key(|reading| reading.value)
    }
}

/// Takes samples of one machine.
#[derive(Debug)]
pub struct Sampler {
    roots: Roots,
    sensors: Vec<Sensor>,
    clocks: Vec<PathBuf>,
    /// Busy and whole time of all CPUs in the sample before.
    times: Option<(u64, u64)>,
    busy_permille: Option<u64>,
    /// Samples until sensors are looked for again.
    until_search: u32,
}

#[derive(Debug)]
struct Sensor {
    kind: Kind,
    chip: String,
    label: String,
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Temperature,
    Fan,
    Power,
    Voltage,
}

/// `loadavg`, `stat`, `meminfo`, `pressure/memory`.
const FILES_OF_PROC: usize = 4;
/// Sensors that are read.
const MOST_SENSORS: usize = 64;
/// Clocks that are read; of more, some of them, evenly.
const MOST_CLOCKS: usize = 256;
/// Drivers come and go: sensors are looked for again after so many samples.
const SEARCH_EVERY: u32 = 60;
/// Read of one file.
const MOST_BYTES: u64 = 4096;

impl Sampler {
    /// The most files that a sample reads; once in a while the names of sensors besides.
    pub const MOST_FILES: usize = FILES_OF_PROC + MOST_SENSORS + MOST_CLOCKS;

    /// Over the machine that these roots show.
    pub fn new(roots: Roots) -> Self {
        Self { roots, sensors: vec![], clocks: vec![], times: None, busy_permille: None, until_search: 0 }
    }

    /// How the machine is now.
    pub fn sample(&mut self) -> Telemetry {
        if self.until_search == 0 {
            self.sensors = sensors(&self.roots);
            self.clocks = clocks(&self.roots);
            self.until_search = SEARCH_EVERY;
        }
        self.until_search -= 1;
        let proc = |path: &str, of: fn(&str) -> Option<_>| self.of_proc(path, of);
        Telemetry {
            load: proc("loadavg", load),
            memory: self.of_proc("meminfo", memory),
            memory_pressure: self.of_proc("pressure/memory", pressure),
            frequencies: Source::found(self.frequencies(), "cpufreq"),
            temperatures: self.readings(Kind::Temperature, "hwmon, thermal"),
            fans: self.readings(Kind::Fan, "hwmon"),
            power: self.readings(Kind::Power, "hwmon"),
            voltages: self.readings(Kind::Voltage, "hwmon"),
            busy_permille: self.busy(),
        }
    }

    fn of_proc<T>(&self, path: &str, of: fn(&str) -> Option<T>) -> Source<T> {
        let read = read_short(&self.roots.proc(path)).and_then(|text| of(&text).ok_or_else(|| malformed("no numbers")));
        Source::of(path, read)
    }

    fn busy(&mut self) -> Source<u64> {
        let now = match read_short(&self.roots.proc("stat")) {
            Ok(text) => cpu_times(&text).ok_or_else(|| malformed("no times of all CPUs")),
            Err(error) => Err(error),
        };
        let now = match now {
            Ok(now) => now,
            Err(error) => return Source::of("stat", Err(error)),
        };
        if let Some(before) = self.times.replace(now) {
            let (busy, whole) = (now.0.saturating_sub(before.0), now.1.saturating_sub(before.1));
            // Between two ticks of the clock nothing new is known.
            if let Some(permille) = busy.saturating_mul(1000).checked_div(whole) {
                self.busy_permille = Some(permille.min(1000));
            }
        }
        Source::found(self.busy_permille, "an earlier sample")
    }

    fn frequencies(&self) -> Option<Frequencies> {
        let clocks: Vec<u64> = self.clocks.iter().filter_map(|file| number(file)).collect();
        let sum = clocks.iter().fold(0_u64, |sum, khz| sum.saturating_add(*khz));
        Some(Frequencies {
            min_khz: *clocks.iter().min()?,
            mean_khz: sum / clocks.len() as u64,
            max_khz: *clocks.iter().max()?,
            clocks: clocks.len() as u64,
        })
    }

    /// Sensors of a kind that answer; where none does there is nothing of that kind.
    fn readings(&self, kind: Kind, looked_in: &str) -> Source<Vec<Reading>> {
        let of_kind = self.sensors.iter().filter(|sensor| sensor.kind == kind);
        let readings: Vec<Reading> = of_kind
            .filter_map(|Sensor { chip, label, file, .. }| {
                Some(Reading { chip: chip.clone(), label: label.clone(), value: number(file)? })
            })
            .collect();
        Source::found((!readings.is_empty()).then_some(readings), looked_in)
    }
}

/// The start of a small file.
fn read_short(path: &Path) -> io::Result<String> {
    let mut bytes = vec![];
    File::open(path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn number<T: std::str::FromStr>(file: &Path) -> Option<T> {
    read_short(file).ok()?.trim().parse().ok()
}

/// `0.52 1.04 2.00 3/400 5000`
fn load(text: &str) -> Option<Load> {
    let mut averages = text.split_whitespace().map(hundredths);
    let mut next = || averages.next().flatten();
    Some(Load { hundredths_1m: next()?, hundredths_5m: next()?, hundredths_15m: next()? })
}

fn memory(text: &str) -> Option<MemoryUse> {
    let bytes = |label: &str| facts::parse_meminfo(text, label);
    Some(MemoryUse { total: bytes("MemTotal")?, available: bytes("MemAvailable")? })
}

/// `some avg10=0.00 avg60=.. avg300=.. total=..`, then a line for `full`.
fn pressure(text: &str) -> Option<Pressure> {
    let of = |who: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(who))?;
        hundredths(line.split_whitespace().find_map(|field| field.strip_prefix("avg10="))?)
    };
    Some(Pressure { some: of("some ")?, full: of("full ")? })
}

/// Busy and whole time of all CPUs, in ticks: the first line, `cpu  user nice system idle iowait irq softirq steal ..`.
fn cpu_times(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    // What guests take is counted in `user` already.
    let ticks: Option<Vec<u64>> = line.split_whitespace().take(8).map(|ticks| ticks.parse().ok()).collect();
    let ticks = ticks?;
    let whole = ticks.iter().fold(0_u64, |sum, ticks| sum.saturating_add(*ticks));
    let idle = ticks.get(3)?.saturating_add(ticks.get(4).copied().unwrap_or(0));
    Some((whole.saturating_sub(idle), whole))
}

/// Sensors of hwmon, then thermal zones that it does not have, by chip and label.
fn sensors(roots: &Roots) -> Vec<Sensor> {
    let mut found = vec![];
    let mut chips = BTreeSet::new();
    for hwmon in entries(&roots.sys("class/hwmon"), "hwmon") {
        let chip = read_line(&hwmon.join("name")).unwrap_or_else(|| "unnamed".to_owned());
        for file in entries(&hwmon, "") {
            let Some(sensor) = sensor(&chip, &hwmon, file) else { continue };
            found.push(sensor);
        }
        chips.insert(chip.replace('-', "_"));
    }
    for zone in entries(&roots.sys("class/thermal"), "thermal_zone") {
        let Some(label) = read_line(&zone.join("type")) else { continue };
        // The kernel gives most zones a chip of their name.
        if !chips.contains(&label.replace('-', "_")) {
            let (chip, label) = ("thermal".to_owned(), sanitize::line(&label).into_owned());
            found.push(Sensor { kind: Kind::Temperature, chip, label, file: zone.join("temp") });
        }
    }
    // Of too many, temperatures are kept first; a channel with a longer number comes after those with a shorter.
    found.sort_by(|a, b| {
        let key = |s: &Sensor| (s.kind, s.chip.clone(), s.label.len(), s.label.clone(), s.file.clone());
        key(a).cmp(&key(b))
    });
    found.truncate(MOST_SENSORS);
    found
}

fn sensor(chip: &str, hwmon: &Path, file: PathBuf) -> Option<Sensor> {
    let name = file.file_name()?.to_str()?;
    let (channel, what) = name.split_once('_')?;
    let kinds = [("temp", Kind::Temperature), ("fan", Kind::Fan), ("power", Kind::Power), ("in", Kind::Voltage)];
    let (_, kind) = kinds.into_iter().find(|(prefix, _)| {
        let number = channel.strip_prefix(prefix);
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    })?;
    // Some chips have the average of power only.
    let is_input = what == "input" || (what == "average" && !hwmon.join(format!("{channel}_input")).exists());
    if !is_input {
        return None;
    }
    let label = read_line(&hwmon.join(format!("{channel}_label"))).unwrap_or_else(|| channel.to_owned());
    let shown = |text: &str| sanitize::line(text).into_owned();
    Some(Sensor { kind, chip: shown(chip), label: shown(&label), file })
}

/// A file for each clock that CPUs have; of too many, some evenly.
fn clocks(roots: &Roots) -> Vec<PathBuf> {
    let policies = entries(&roots.sys("devices/system/cpu/cpufreq"), "policy");
    let every = policies.len().div_ceil(MOST_CLOCKS).max(1);
    policies.into_iter().step_by(every).map(|policy| policy.join("scaling_cur_freq")).collect()
}

/// What a folder holds with names that begin so, sorted; nothing where it cannot be read.
fn entries(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let named = all.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    let mut paths: Vec<PathBuf> = named.map(|entry| entry.path()).collect();
    paths.sort_unstable();
    paths
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::host::source::tests::machine;

    /// A sample in lines, the numbers as they are.
    fn drawn(telemetry: &Telemetry) -> String {
        let mut out = String::new();
        let mut say = |name: &str, value: Option<String>| {
            let _ = writeln!(out, "{name}: {}", value.unwrap_or_else(|| "not available".to_owned()));
        };
        let readings = |of: &Source<Vec<Reading>>| {
            let one = |r: &Reading| format!("{} {} {}", r.chip, r.label, r.value);
            Some(of.value()?.iter().map(one).collect::<Vec<_>>().join(", "))
        };
        say(
            "load",
            telemetry.load.value().map(|l| format!("{} {} {}", l.hundredths_1m, l.hundredths_5m, l.hundredths_15m)),
        );
        say("busy", telemetry.busy_permille.value().map(ToString::to_string));
        say("memory", telemetry.memory.value().map(|m| format!("{} of {}", m.used(), m.total)));
        say("pressure", telemetry.memory_pressure.value().map(|p| format!("{} {}", p.some, p.full)));
        let clocks = telemetry.frequencies.value();
        say("clocks", clocks.map(|f| format!("{} {} {} of {}", f.min_khz, f.mean_khz, f.max_khz, f.clocks)));
        say("temperatures", readings(&telemetry.temperatures));
        say("fans", readings(&telemetry.fans));
        say("power", readings(&telemetry.power));
        out
    }

    #[test]
    fn everything_that_a_host_can_offer() {
        let (dir, roots) = machine(&[
            ("proc/loadavg", "5.20 4.76 3.27 4/124 25109\n"),
            ("proc/stat", "cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 1 1 1\n"),
            ("proc/meminfo", "MemTotal:       1000 kB\nMemFree:  1 kB\nMemAvailable:    600 kB\n"),
            (
                "proc/pressure/memory",
                "some avg10=1.25 avg60=0.00 avg300=0.00 total=2190347\nfull avg10=0.50 avg60=0.00 avg300=0.00 total=1\n",
            ),
            ("sys/class/hwmon/hwmon0/name", "k10temp\n"),
            ("sys/class/hwmon/hwmon0/temp1_input", "48250\n"),
            ("sys/class/hwmon/hwmon0/temp1_label", "Tctl\u{1b}[31m\n"),
            ("sys/class/hwmon/hwmon0/temp10_input", "1\n"),
            ("sys/class/hwmon/hwmon0/temp2_input", "-2000\n"),
            ("sys/class/hwmon/hwmon0/temp3_input", "\n"),
            ("sys/class/hwmon/hwmon0/temp1_max", "95000\n"),
            ("sys/class/hwmon/hwmon0/temperature_input", "1\n"),
            ("sys/class/hwmon/hwmon1/name", "board\n"),
            ("sys/class/hwmon/hwmon1/fan2_input", "1200\n"),
            ("sys/class/hwmon/hwmon1/power1_average", "65000000\n"),
            ("sys/class/hwmon/hwmon1/power2_average", "1\n"),
            ("sys/class/hwmon/hwmon1/power2_input", "70000000\n"),
            ("sys/class/hwmon/hwmon2/name", "acpi_tz\n"),
            ("sys/class/thermal/thermal_zone0/type", "acpi-tz\n"),
            ("sys/class/thermal/thermal_zone0/temp", "30000\n"),
            ("sys/class/thermal/thermal_zone1/type", "soc\n"),
            ("sys/class/thermal/thermal_zone1/temp", "51000\n"),
            ("sys/class/thermal/cooling_device0/type", "Processor\n"),
            ("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "1000000\n"),
            ("sys/devices/system/cpu/cpufreq/policy1/scaling_cur_freq", "2000000\n"),
            ("sys/devices/system/cpu/cpufreq/policy2/scaling_cur_freq", "<unknown>\n"),
        ]);
        let mut sampler = Sampler::new(roots);
        insta::assert_snapshot!(drawn(&sampler.sample()), @r"
        load: 520 476 327
        busy: not available
        memory: 409600 of 1024000
        pressure: 125 50
        clocks: 1000000 1500000 2000000 of 2
        temperatures: k10temp temp2 -2000, k10temp temp10 1, k10temp Tctl[31m 48250, thermal soc 51000
        fans: board fan2 1200
        power: board power1 65000000, board power2 70000000
        ");
        fs::write(dir.path().join("proc/stat"), "cpu  150 0 100 750 100 0 0 0 50 0\n").unwrap();
        fs::write(dir.path().join("sys/class/hwmon/hwmon0/temp1_input"), "52000").unwrap();
        let second = sampler.sample();
        assert_eq!(second.busy_permille.value(), Some(&500));
        assert_eq!(second.hottest().map(|r| (r.label.as_str(), r.value)), Some(("Tctl[31m", 52_000)));
        // No tick later.
        assert_eq!(sampler.sample().busy_permille.value(), Some(&500));
    }

    #[test]
    fn a_host_that_offers_nothing() {
        let (_dir, roots) = machine(&[]);
        let mut sampler = Sampler::new(roots);
        sampler.sample();
        insta::assert_snapshot!(drawn(&sampler.sample()), @r"
        load: not available
        busy: not available
        memory: not available
        pressure: not available
        clocks: not available
        temperatures: not available
        fans: not available
        power: not available
        ");
    }

    #[test]
    fn what_makes_no_sense_is_no_number() {
        let (_dir, roots) = machine(&[
            ("proc/loadavg", "high\n"),
            ("proc/stat", "intr 1 2 3\n"),
            ("proc/meminfo", "MemTotal: 1000 kB\n"),
            ("proc/pressure/memory", "some avg10=nan\n"),
        ]);
        let telemetry = Sampler::new(roots).sample();
        let is_error = |source: &dyn std::fmt::Debug| format!("{source:?}").starts_with("Error");
        assert!(is_error(&telemetry.load) && is_error(&telemetry.busy_permille), "{telemetry:?}");
        assert!(is_error(&telemetry.memory) && is_error(&telemetry.memory_pressure), "{telemetry:?}");
    }

    #[test]
    fn a_large_host_is_read_in_part() {
        let mut files = vec![("proc/stat".to_owned(), format!("cpu  1 1 1 1\n{}", "x".repeat(100_000)))];
        for n in 0..700 {
            files.push((format!("sys/devices/system/cpu/cpufreq/policy{n}/scaling_cur_freq"), "2000000".to_owned()));
        }
        for n in 0..100 {
            files.push((format!("sys/class/hwmon/hwmon0/temp{n}_input"), n.to_string()));
            files.push((format!("sys/class/hwmon/hwmon0/fan{n}_input"), n.to_string()));
        }
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let (_dir, roots) = machine(&files);
        let mut sampler = Sampler::new(roots);
        let telemetry = sampler.sample();
        let clocks = telemetry.frequencies.value().map(|f| f.clocks);
        assert_eq!((clocks, telemetry.temperatures.value().map(Vec::len)), (Some(234), Some(MOST_SENSORS)));
        assert_eq!(telemetry.temperatures.value().map(|t| t[63].label.as_str()), Some("temp63"));
        assert!(FILES_OF_PROC + sampler.clocks.len() + sampler.sensors.len() <= Sampler::MOST_FILES);
    }

    #[test]
    fn sensors_that_come_later_are_found() {
        let (dir, roots) = machine(&[]);
        let mut sampler = Sampler::new(roots);
        assert!(sampler.sample().temperatures.value().is_none());
        let zone = dir.path().join("sys/class/thermal/thermal_zone0");
        fs::create_dir_all(&zone).unwrap();
        fs::write(zone.join("type"), "soc").unwrap();
        fs::write(zone.join("temp"), "40000").unwrap();
        let later = (0..=SEARCH_EVERY).any(|_| sampler.sample().temperatures.value().is_some());
        assert!(later);
    }
}
