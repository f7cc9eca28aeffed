//! One stored run held against itself: every file readable, its journals in order, its summaries what the journals say, its
//! files what they were when it ended. Never changes anything. Memory does not grow with the number of executions or the
//! size of logs; two hundred bytes a file while those of the run's end are compared.

mod journal;
mod rows;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;

use serde_json::Value;

use super::StoreError;
use super::document;
use super::history::{RowCount, RunEntry};
use super::layout::RunDir;
use super::record::{Damage, Record, read_regular};
use super::record_fold::NOT_COUNTED;
use super::seal::{self, Change, Seal};
use crate::domain::event::{Cancelling, RunStatus};
use crate::domain::run_state::{RunState, SubRunState};
use crate::domain::summary::{self, RunSummary, SubRunSummary};
use crate::domain::verdict::{CancelReason, Verdict};
use crate::domain::verification::{self, Finding, Kind};
use journal::{Span, Torn};

/// What was found about one run.
#[derive(Debug)]
pub struct Checked {
    /// How far it has come; none where neither summary nor journal says so.
    pub status: Option<RunStatus>,
    /// It says what its files were when it ended.
    pub is_sealed: bool,
    /// Damage first.
    pub findings: Vec<Finding>,
}

/// Checks a run. `is_live`: somebody runs it, so that its summaries may lag and its files grow. `each` hears how many bytes
/// were hashed.
pub fn run(entry: RunEntry, is_live: bool, each: &mut dyn FnMut(u64)) -> Checked {
    let id = entry.id.to_string();
    let mut findings = vec![];
    let sealed = Sealed::look(&entry.dir, is_live, &id, &mut findings, each);
    let record = Record::open(entry);
    let begun = record.begun();
    let status = record.entry.summary.as_ref().ok().map(|summary| summary.status);
    let check = Check {
        is_over: match status {
            Some(status) => matches!(status, RunStatus::Completed | RunStatus::Cancelled | RunStatus::DryRun),
            None => begun.end.is_some(),
        },
        last: begun.current,
        cut_short: begun.cancel.as_ref().filter(|_| begun.cancels.contains(&CancelReason::RecordFailed)),
        record: &record,
        sealed: &sealed,
        is_live,
        id,
    };
    check.all(&begun, &mut findings);
    findings.sort_by_key(|finding| !finding.kind.is_damage());
    let is_begun = matches!(status, Some(RunStatus::Planned)) && !record.events.is_empty() && !is_live;
    let status = if is_begun { Some(RunStatus::Interrupted) } else { status };
    Checked { status, is_sealed: sealed.seal.is_some(), findings }
}

/// The seal of a run, and what is no longer as it says.
#[derive(Debug, Default)]
struct Sealed {
    seal: Option<Seal>,
    /// In the order of paths.
    differences: Vec<seal::Difference>,
}

impl Sealed {
    fn look(dir: &RunDir, is_live: bool, id: &str, findings: &mut Vec<Finding>, each: &mut dyn FnMut(u64)) -> Self {
        let said = |error: &StoreError| finding(id, Damage::of(dir, error));
        let seal = match Seal::read(dir) {
            Ok(Some(seal)) if !is_live => seal,
            Ok(_) => return Self::default(),
            Err(error) => {
                findings.push(said(&error));
                return Self::default();
            }
        };
        let mut differences = match seal.differences(dir, each) {
            Ok(differences) => differences,
            Err(error) => {
                findings.push(said(&error));
                vec![]
            }
        };
        let is_top = |path: &str| !path.contains('/');
        if differences.iter().any(|difference| is_top(&difference.path)) {
            // A report may have been made again just now: looked at once more, with nobody writing one.
            let _still = seal::still(dir);
            if let Ok(Some(seal)) = Seal::read(dir) {
                differences.retain(|d| !is_top(&d.path) || seal.difference(dir, &d.path).is_some());
                return Self { seal: Some(seal), differences };
            }
        }
        Self { seal: Some(seal), differences }
    }

    /// Whether it is known that a file is what it was.
    fn is_intact(&self, path: &str) -> bool {
        self.seal.as_ref().is_some_and(|seal| seal.files.contains_key(path)) && !self.is_different(path)
    }

    fn is_different(&self, path: &str) -> bool {
        self.differences.binary_search_by(|difference| difference.path.as_str().cmp(path)).is_ok()
    }

    /// Which of two files that contradict each other is wrong: the one that was changed, else the one that is made of the
    /// other.
    fn blame<'p>(&self, made: &'p str, of: &'p str) -> &'p str {
        if self.is_intact(made) && self.is_different(of) { of } else { made }
    }
}

/// A check at work.
struct Check<'r> {
    id: String,
    record: &'r Record,
    sealed: &'r Sealed,
    is_live: bool,
    is_over: bool,
    /// The sub-run that began last.
    last: Option<u32>,
    /// That its record could not be written any more: what was to follow is not there.
    cut_short: Option<&'r Cancelling>,
}

/// What was found about some sub-runs.
#[derive(Debug, Default)]
struct Part {
    /// With the journal that it is about; of a journal that cannot be read nothing is compared.
    compared: Vec<(String, Finding)>,
    others: Vec<Finding>,
    torn: Vec<Torn>,
    spans: Vec<Span>,
}

impl Check<'_> {
    fn dir(&self) -> &RunDir {
        &self.record.entry.dir
    }

    fn finding(&self, kind: Kind, file: impl Into<String>, what: impl Into<String>) -> Finding {
        Finding::new(kind, &self.id, file, what)
    }

    /// That a summary does not say what its journal says.
    fn disagreement(&self, summary: &str, blamed: &str, what: &str) -> Finding {
        let what = if blamed == summary { what.to_owned() } else { format!("its summary does not agree: {what}") };
        self.finding(Kind::Disagrees, blamed, what)
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(self.dir().root()).unwrap_or(path).display().to_string()
    }

    fn all(&self, begun: &RunState, findings: &mut Vec<Finding>) {
        let mut whole = Part::default();
        self.journal(&self.dir().events(), &mut whole);
        let Ok(folded) = self.record.fold_parts(
            Part::default,
            |part, state, index| self.sub_run(part, state, index),
            |part: Part| {
                whole.compared.extend(part.compared);
                whole.others.extend(part.others);
                whole.torn.extend(part.torn);
                whole.spans.extend(part.spans);
                Ok::<(), Infallible>(())
            },
        );
        let damage: Vec<Damage> = folded
            .damage
            .into_iter()
            .filter(|damage| damage.what != NOT_COUNTED)
            // Of a run at work a file may be on its way.
            .filter(|damage| !self.is_live || damage.newer || !is_absence(damage))
            .collect();
        let broken: BTreeSet<&str> = damage.iter().map(|damage| verification::path(&damage.file)).collect();
        findings.extend(whole.others);
        findings.extend(
            journal::shared(&whole.spans).into_iter().map(|(file, what)| self.finding(Kind::Damaged, file, what)),
        );
        let comparable = !self.record.stands_in && !broken.contains("plan.json");
        if comparable {
            let whole = whole.compared.into_iter().filter(|(steps, _)| !broken.contains(&**steps));
            findings.extend(whole.map(|(_, finding)| finding));
            if !broken.contains("events.ldjson") {
                self.run(begun, folded.state, &broken, findings);
            }
        }
        findings.extend(damage.iter().cloned().map(|damage| finding(&self.id, damage)));
        self.standing(findings);
        self.left_overs(findings);
        let torn = self.torn(&whole.torn, findings);
        self.differences(&torn, findings);
    }

    /// The lines of a journal by themselves.
    fn journal(&self, path: &Path, part: &mut Part) {
        let file = self.relative(path);
        let Some(scan) = journal::scan(path) else { return };
        if let Some((line, what)) = scan.disorder {
            part.others.push(self.finding(Kind::Damaged, format!("{file}:{line}"), what));
        }
        part.spans.extend(scan.spans.into_iter().map(|(first, last)| Span { first, last, file: file.clone() }));
        if let Some((whole, bytes, zeros)) = scan.torn.filter(|_| !self.is_live) {
            part.torn.push(Torn { file, whole, bytes, zeros });
        }
    }

    /// One sub-run, its executions being in the state.
    fn sub_run(&self, part: &mut Part, state: &RunState, index: u32) {
        let count = self.record.plan.experiment.sub_runs();
        let Ok(folder) = self.dir().subrun(&state.header.sub_run_id(count, index)) else { return };
        self.journal(&folder.steps(), part);
        let Some(sub_run) = state.sub_runs.get(index as usize) else { return };
        let is_closed = sub_run.started_at.is_some() && sub_run.verdict.is_some();
        // The summary of the last one may be still to come where the run is not over.
        if !is_closed || (!self.is_over && self.last == Some(index)) {
            return;
        }
        let (steps, file) = (self.relative(&folder.steps()), self.relative(&folder.summary()));
        let stored = match read_summary(&folder.summary()) {
            Ok(stored) => stored,
            Err(error) if error.is_absent() && self.ends_at(index) => return,
            Err(error) => return part.others.push(finding(&self.id, Damage::of(self.dir(), &error))),
        };
        let Some(expected) = state.sub_run_summary(index).filter(|expected| *expected != stored) else { return };
        let blamed = self.sealed.blame(&file, &steps);
        for what in differences(&stored, &expected) {
            part.compared.push((steps.clone(), self.disagreement(&file, blamed, &what)));
        }
    }

    /// Whether the record could not be written any more in that sub-run.
    fn ends_at(&self, index: u32) -> bool {
        self.cut_short.is_some() && self.last == Some(index)
    }

    /// The run's own summary, and what its journal says of sub-runs.
    fn run(&self, begun: &RunState, mut state: RunState, broken: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
        let Ok(stored) = &self.record.entry.summary else { return };
        let is_untouched = stored.status == RunStatus::Planned && self.record.events.is_empty();
        if self.is_live || !(self.is_over || is_untouched) {
            return;
        }
        let steps = |index: u32| {
            let id = begun.header.sub_run_id(begun.plan.experiment.sub_runs(), index);
            self.dir().subrun(&id).map(|folder| self.relative(&folder.steps())).unwrap_or_default()
        };
        let mut is_explained = false;
        for (index, (told, own)) in (0..).zip(begun.sub_runs.iter().zip(&state.sub_runs)) {
            if told.verdict == own.verdict || (told.verdict.is_none() && self.ends_at(index)) {
                continue;
            }
            let steps = steps(index);
            let blamed = self.sealed.blame("events.ldjson", &steps);
            is_explained |= blamed != "events.ldjson";
            if !broken.contains(&*steps) {
                let word = |state: &SubRunState| state.verdict.map_or("unfinished", Verdict::as_str);
                let name = summary::short_name(begun.plan.experiment.sub_runs(), index);
                let what = format!("{name} ended {} there, {} in its own journal", word(told), word(own));
                findings.push(self.finding(Kind::Disagrees, blamed, what));
            }
        }
        state.status = begun.status;
        let expected = state.summary();
        let mut found = verification::Found::default();
        let rows = expected.subruns;
        found.compare("", &json(&stored.clone().with_rows(())), &json(&expected.with_rows(())));
        self.rows(stored, rows, &mut found);
        // What follows from a journal that was changed is no fault of the summary's.
        let is_consequence = self.sealed.is_intact("summary.json") && is_explained;
        if !is_consequence {
            let blamed = self.sealed.blame("summary.json", "events.ldjson");
            let found = found.phrases();
            findings.extend(found.iter().map(|what| self.disagreement("summary.json", blamed, what)));
        }
    }

    fn rows(&self, stored: &RunSummary<RowCount>, rows: summary::Rows<'_>, found: &mut verification::Found) {
        let mut at = 0;
        let read = rows::each(&self.dir().summary(), &mut |row| {
            if at < rows.count() {
                let expected = rows.row(at);
                if row != expected {
                    found.compare(&format!("subruns[{at}]"), &json(&row), &json(&expected));
                }
            }
            at += 1;
        });
        if read.is_ok() && stored.subruns.0 != rows.count() as usize {
            found.add(|| format!("subruns has {}, the plan has {}", stored.subruns.0, rows.count()));
        }
        if let Err(error) = read {
            found.add(|| error.to_string());
        }
    }

    fn left_overs(&self, findings: &mut Vec<Finding>) {
        if self.is_live {
            return;
        }
        for file in seal::left_overs(self.dir()).unwrap_or_default() {
            // Whoever goes on with the run takes it over.
            if super::reserve::is_portion(&file) && !self.is_over {
                continue;
            }
            let what = if super::reserve::is_portion(&file) {
                "room that was kept back for the end of the run, by a runner that was killed"
            } else {
                "half of a file, left by a command that was killed"
            };
            findings.push(self.finding(Kind::LeftOver, file, what));
        }
    }

    /// How the run stands, beyond what its files say.
    fn standing(&self, findings: &mut Vec<Finding>) {
        if self.is_live {
            return;
        }
        let status = self.record.entry.summary.as_ref().ok().map(|summary| summary.status);
        let is_begun = status == Some(RunStatus::Planned) && !self.record.events.is_empty();
        let has_seal = self.sealed.seal.is_some() || findings.iter().any(|finding| finding.path() == "hashes.json");
        if status == Some(RunStatus::Interrupted) || is_begun {
            let what = "its runner died before it ended, so it is not sealed";
            findings.push(self.finding(Kind::Interrupted, "", what));
            return;
        }
        if let Some(why) = self.cut_short.filter(|_| self.is_over) {
            let what = why.detail.as_deref().unwrap_or_else(|| why.reason.words());
            findings.push(self.finding(Kind::CutShort, "", what));
        }
        if self.is_over && !has_seal {
            let what = "it is not sealed: nothing says what its files were when it ended";
            findings.push(self.finding(Kind::Unsealed, "hashes.json", what));
        }
    }

    /// Journals that end within a line. Returns those whose other lines are all that they were when the run ended.
    fn torn(&self, torn: &[Torn], findings: &mut Vec<Finding>) -> BTreeSet<String> {
        let mut explained = BTreeSet::new();
        for Torn { file, whole, bytes, zeros } in torn {
            let tail = if *zeros { format!("{bytes} zero bytes") } else { format!("{bytes} bytes of no whole line") };
            let is_added = self.sealed.is_different(file)
                && self.sealed.seal.as_ref().is_some_and(|seal| seal.was_the_start(self.dir(), file, *whole));
            if is_added {
                explained.insert(file.clone());
                let mut finding =
                    self.finding(Kind::Changed, file, format!("{tail} follow what it was when the run ended"));
                finding.mend = format!("cut them off with `truncate -s {whole}`");
                findings.push(finding);
            } else {
                let mut finding = self.finding(Kind::TornTail, file, format!("torn tail of {tail}"));
                if !self.is_over {
                    finding.mend.push_str("; resume repairs it");
                }
                findings.push(finding);
            }
        }
        explained
    }

    /// What is not as it was when the run ended.
    fn differences(&self, explained: &BTreeSet<String>, findings: &mut Vec<Finding>) {
        let is_told = |finding: &&Finding| matches!(finding.kind, Kind::Damaged | Kind::Missing);
        let told: BTreeSet<String> = findings.iter().filter(is_told).map(|told| told.path().to_owned()).collect();
        for difference in &self.sealed.differences {
            let path = &difference.path;
            let (kind, what) = match &difference.what {
                Change::Changed => (Kind::Changed, "it is not what it was when the run ended".to_owned()),
                Change::Missing => (Kind::Missing, "it was there when the run ended and is gone".to_owned()),
                Change::New => (Kind::New, "it was not there when the run ended".to_owned()),
                Change::Unreadable(why) => (Kind::Damaged, why.clone()),
            };
            // That it is gone was told by whoever wanted to read it.
            let is_told = kind != Kind::Changed && told.contains(path);
            if !is_told && !explained.contains(path) {
                findings.push(self.finding(kind, path, what));
            }
        }
    }
}

/// What is said by a damage that somebody else found.
fn finding(id: &str, damage: Damage) -> Finding {
    let kind = match damage.newer {
        true => Kind::Newer,
        false if is_absence(&damage) => Kind::Missing,
        false => Kind::Damaged,
    };
    Finding::new(kind, id, damage.file, damage.what)
}

fn is_absence(damage: &Damage) -> bool {
    damage.what == super::error::plain(&rustix::io::Errno::NOENT.into())
}

fn read_summary(path: &Path) -> Result<SubRunSummary, StoreError> {
    let text = read_regular(path).map_err(StoreError::io("read", path))?;
    document::parse(path, &text, summary::FORMAT_VERSION, |summary: &SubRunSummary| summary.format_version)
}

fn json<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn differences(stored: &SubRunSummary, expected: &SubRunSummary) -> Vec<String> {
    verification::differences(&json(stored), &json(expected))
}
