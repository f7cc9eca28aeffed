//! What the kernel counts: memory errors, PCI Express errors, throttling, energy. Found once; read in full each time, at most
//! `MOST` small files that no slow bus stands behind. A counter that goes back or is gone is no difference, and a source
//! with more counters than are read is an error rather than half a count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::domain::evidence::{Counted, Found, Observation, Observed, SourceId, Sources, Status};
use crate::domain::sanitize;
use crate::host::roots::Roots;
use crate::host::source::{malformed, read_line, read_text};

/// Counters that are read at each look: a host of two sockets has a few hundred, one full of PCI Express devices thousands.
const MOST: usize = 4096;
/// Places of one source that are named.
const PLACES: usize = 16;

/// What a counter's file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A number.
    Plain,
    /// A number that begins again at zero after this one.
    Wraps(u64),
    /// Lines of a word and a number; the one with this word.
    Line(&'static str),
}

#[derive(Debug, Clone)]
struct Counter {
    source: SourceId,
    /// Where it counts: `mc0`, `mc0/dimm2`, `cpu3`, `0000:01:00.0`.
    place: String,
    file: PathBuf,
    form: Form,
    /// It is part of what the source counted, not only a place where.
    is_total: bool,
}

/// The counters of a machine.
#[derive(Debug)]
pub struct Counters {
    all: Vec<Counter>,
    found: Sources,
    /// Sources of which not every counter is read.
    cut: BTreeSet<SourceId>,
}

/// All of them at one moment.
pub type Look = Vec<io::Result<u64>>;

impl Counters {
    /// Finds them.
    pub fn find(roots: &Roots) -> Self {
        let mut counters = vec![];
        edac(roots, &mut counters);
        throttle(roots, &mut counters);
        aer(roots, &mut counters);
        energy(roots, &mut counters);
        let cut = cut(&mut counters, MOST);
        let mut counters = Self { all: counters, found: Sources::new(), cut };
        let look = counters.look();
        for (source, looked_for) in [
            (SourceId::EdacCe, "devices/system/edac/mc"),
            (SourceId::EdacUe, "devices/system/edac/mc"),
            (SourceId::Throttle, "thermal_throttle of CPUs"),
            (SourceId::AerCorrected, "aer_dev_correctable of PCI devices"),
            (SourceId::AerUncorrected, "aer_dev_nonfatal, aer_dev_fatal of PCI devices"),
            (SourceId::Energy, "class/powercap/intel-rapl"),
        ] {
            let found = counters.availability(source, looked_for, &look);
            counters.found.insert(source, found);
        }
        counters
    }

    /// What was found of each source.
    pub const fn found(&self) -> &Sources {
        &self.found
    }

    fn is_available(&self, source: SourceId) -> bool {
        self.found.get(&source).is_some_and(|found| found.status == Status::Available)
    }

    fn availability(&self, source: SourceId, looked_for: &str, look: &Look) -> Found {
        if self.cut.contains(&source) {
            let detail = format!("{looked_for}: this host has more counters than the {MOST} that are read");
            return Found { status: Status::Error, detail: Some(detail) };
        }
        let mut own = self.all.iter().zip(look).filter(|(counter, _)| counter.source == source && counter.is_total);
        let Some((counter, first)) = own.next() else {
            return Found { status: Status::Absent, detail: Some(looked_for.to_owned()) };
        };
        let failed = first
            .as_ref()
            .err()
            .map(|error| (counter, error))
            .or_else(|| own.find_map(|(counter, read)| Some((counter, read.as_ref().err()?))));
        match failed {
            None => Found { status: Status::Available, detail: None },
            Some((counter, error)) => {
                let denied = error.kind() == io::ErrorKind::PermissionDenied;
                let detail = format!("{}: {error}", counter.file.display());
                Found { status: if denied { Status::Denied } else { Status::Error }, detail: Some(detail) }
            }
        }
    }

    /// Reads them all.
    pub fn look(&self) -> Look {
        self.all.iter().map(Counter::read).collect()
    }

    /// What happened between two looks, of each source that is there.
    pub fn between(&self, from: &Look, to: &Look) -> Observed {
        let mut sums: BTreeMap<SourceId, Result<Counted, String>> = BTreeMap::new();
        for (counter, (from, to)) in self.all.iter().zip(from.iter().zip(to)) {
            if !self.is_available(counter.source) {
                continue;
            }
            let sum = sums.entry(counter.source).or_insert_with(|| {
                let unit = (counter.source == SourceId::Energy).then(|| "uJ".to_owned());
                Ok(Counted { unit, ..Counted::default() })
            });
            match counter.difference(from, to) {
                Ok(delta) => {
                    if let Ok(sum) = sum {
                        counter.add(delta, sum);
                    }
                }
                Err(why) if counter.is_total => *sum = Err(why),
                Err(_) => {}
            }
        }
        let observation = |sum: Result<Counted, String>| match sum {
            Ok(counted) => Observation::Counted(counted),
            Err(not_checked) => Observation::NotChecked { not_checked },
        };
        sums.into_iter().map(|(source, sum)| (source, observation(sum))).collect()
    }
}

impl Counter {
    fn read(&self) -> io::Result<u64> {
        let text = read_text(&self.file)?;
        let number = match self.form {
            Form::Plain | Form::Wraps(_) => text.trim(),
            Form::Line(word) => text
                .lines()
                .find_map(|line| line.strip_prefix(word)?.strip_prefix(' '))
                .ok_or_else(|| malformed("no such line"))?
                .trim(),
        };
        number.parse().map_err(|_| malformed("no number"))
    }

    fn difference(&self, from: &io::Result<u64>, to: &io::Result<u64>) -> Result<u64, String> {
        let failed = |error: &io::Error| format!("{}: {error}", self.file.display());
        let (from, to) = (from.as_ref().map_err(failed)?, to.as_ref().map_err(failed)?);
        match (to.checked_sub(*from), self.form) {
            (Some(delta), _) => Ok(delta),
            (None, Form::Wraps(most)) => Ok(most.saturating_sub(*from).saturating_add(*to)),
            (None, _) => Err(format!("{} went back: its driver was loaded anew", self.file.display())),
        }
    }

    /// A finer place replaces the coarser one that holds it.
    fn add(&self, delta: u64, sum: &mut Counted) {
        if self.is_total {
            sum.delta = sum.delta.saturating_add(delta);
        } else if delta > 0
            && let Some((whole, _)) = self.place.split_once('/')
        {
            sum.places.remove(whole);
        }
        let knows_better =
            self.is_total && sum.places.keys().any(|place| place.starts_with(&format!("{}/", self.place)));
        if delta > 0 && !knows_better && (sum.places.len() < PLACES || sum.places.contains_key(&self.place)) {
            *sum.places.entry(self.place.clone()).or_default() += delta;
        }
    }
}

/// Leaves out what is too many: places first, then whole counts from the end. Returns the sources that are not whole any more.
fn cut(counters: &mut Vec<Counter>, most: usize) -> BTreeSet<SourceId> {
    // Stable: of the counts that are left, places still come behind what holds them.
    if counters.len() > most {
        counters.sort_by_key(|counter| !counter.is_total);
    }
    counters
        .drain(most.min(counters.len())..)
        .filter(|counter| counter.is_total)
        .map(|counter| counter.source)
        .collect()
}

/// Memory controllers, and the modules (or rows, where there are no modules) below them. A controller's count holds those
/// that no module could be named for.
fn edac(roots: &Roots, counters: &mut Vec<Counter>) {
    for mc in folders(&roots.sys("devices/system/edac/mc"), "mc") {
        let name = named(&mc);
        for (source, file) in [(SourceId::EdacCe, "ce_count"), (SourceId::EdacUe, "ue_count")] {
            add(counters, source, name.clone(), mc.join(file), true);
        }
        let mut parts = folders(&mc, "dimm");
        parts.extend(folders(&mc, "rank"));
        for part in &parts {
            let label = read_line(&part.join("dimm_label")).filter(|label| !label.is_empty());
            let part_name = label.unwrap_or_else(|| named(part));
            let place = format!("{name}/{}", sanitize::line(&part_name));
            for (source, file) in [(SourceId::EdacCe, "dimm_ce_count"), (SourceId::EdacUe, "dimm_ue_count")] {
                add(counters, source, place.clone(), part.join(file), false);
            }
        }
        if parts.is_empty() {
            for row in folders(&mc, "csrow") {
                let place = format!("{name}/{}", named(&row));
                for (source, file) in [(SourceId::EdacCe, "ce_count"), (SourceId::EdacUe, "ue_count")] {
                    add(counters, source, place.clone(), row.join(file), false);
                }
            }
        }
    }
}

/// Each core and each package once, whatever the number of CPUs that show its count.
fn throttle(roots: &Roots, counters: &mut Vec<Counter>) {
    let mut seen = BTreeSet::new();
    for cpu in folders(&roots.sys("devices/system/cpu"), "cpu") {
        let package = read_line(&cpu.join("topology/physical_package_id")).unwrap_or_default();
        let core = read_line(&cpu.join("topology/core_id")).unwrap_or_else(|| named(&cpu));
        let folder = cpu.join("thermal_throttle");
        if seen.insert(format!("{package} {core}")) {
            add(counters, SourceId::Throttle, named(&cpu), folder.join("core_throttle_count"), true);
        }
        if seen.insert(package.clone()) {
            let place = sanitize::line(&format!("package{package}")).into_owned();
            add(counters, SourceId::Throttle, place, folder.join("package_throttle_count"), true);
        }
    }
}

/// What each device has seen itself. Root ports count what passes them in files of their own, which are left out: nothing is
/// counted twice.
fn aer(roots: &Roots, counters: &mut Vec<Counter>) {
    for device in folders(&roots.sys("bus/pci/devices"), "") {
        for (source, file, word) in [
            (SourceId::AerCorrected, "aer_dev_correctable", "TOTAL_ERR_COR"),
            (SourceId::AerUncorrected, "aer_dev_nonfatal", "TOTAL_ERR_NONFATAL"),
            (SourceId::AerUncorrected, "aer_dev_fatal", "TOTAL_ERR_FATAL"),
        ] {
            let path = device.join(file);
            if path.exists() {
                let (place, form) = (named(&device), Form::Line(word));
                counters.push(Counter { source, place, file: path, form, is_total: true });
            }
        }
    }
}

/// Packages; what lies below them is part of theirs.
fn energy(roots: &Roots, counters: &mut Vec<Counter>) {
    for zone in folders(&roots.sys("class/powercap"), "intel-rapl:") {
        let file = zone.join("energy_uj");
        if named(&zone).matches(':').count() == 1 && file.exists() {
            let most = read_line(&zone.join("max_energy_range_uj")).and_then(|text| text.parse().ok());
            let place = read_line(&zone.join("name")).unwrap_or_else(|| named(&zone));
            let form = most.map_or(Form::Plain, Form::Wraps);
            let place = sanitize::line(&place).into_owned();
            counters.push(Counter { source: SourceId::Energy, place, file, form, is_total: true });
        }
    }
}

fn add(counters: &mut Vec<Counter>, source: SourceId, place: String, file: PathBuf, is_total: bool) {
    if file.exists() {
        counters.push(Counter { source, place, file, form: Form::Plain, is_total });
    }
}

/// The folders (or links to such) whose names are this and, where it is not empty, a number; in the order of the numbers.
fn folders(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(parent).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            let name = entry.file_name();
            let rest = name.to_str().and_then(|name| name.strip_prefix(prefix));
            rest.is_some_and(|rest| prefix.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .map(|entry| entry.path())
        .collect();
    found.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
    found
}

fn named(path: &Path) -> String {
    sanitize::line(&path.file_name().unwrap_or_default().to_string_lossy()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use SourceId::{AerCorrected, EdacCe, Energy};

    #[test]
    fn of_too_many_no_source_is_half_counted() {
        let counter = |source, is_total| {
            let (place, file) = ("mc0/a".to_owned(), PathBuf::from("count"));
            Counter { source, place, file, form: Form::Plain, is_total }
        };
        let check = |most: usize, left: &[(SourceId, bool)], expected: &[SourceId]| {
            let all = [(EdacCe, true), (EdacCe, false), (AerCorrected, true), (AerCorrected, true), (Energy, true)];
            let mut counters: Vec<Counter> = all.map(|(source, is_total)| counter(source, is_total)).into();
            assert_eq!(cut(&mut counters, most), expected.iter().copied().collect());
            let found: Vec<(SourceId, bool)> = counters.iter().map(|c| (c.source, c.is_total)).collect();
            assert_eq!(found, left);
        };
        let totals = [(EdacCe, true), (AerCorrected, true), (AerCorrected, true), (Energy, true)];
        let whole = [totals[0], (EdacCe, false), totals[1], totals[2], totals[3]];
        check(5, &whole, &[]);
        check(4, &totals, &[]);
        check(3, &totals[..3], &[Energy]);
        check(2, &totals[..2], &[AerCorrected, Energy]);
    }
}
