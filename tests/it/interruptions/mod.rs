//! A sweep whose runner dies at every point around something that has to last, before and after it: nothing is lost, nothing
//! is torn, nothing goes on, and gone on with it ends as if nothing had happened, but for the step that was in flight.
//!
//! What SIGKILL leaves is what the kernel has been handed; what a disk has been handed is `lost_page_cache`'s matter.

pub mod record;
pub mod sweep;

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use record::{Stood, difference, keeps_the_protocol, record};
use sweep::{End, Sweep, is_whole, listed};

/// Runs that nobody interrupts, by what ends in error in them by itself: what a run comes to of which that execution was in
/// flight is the program's own word.
struct References {
    sweep: Sweep,
    made: Mutex<BTreeMap<Option<String>, PathBuf>>,
}

impl References {
    fn new() -> Self {
        Self { sweep: Sweep::new(), made: Mutex::default() }
    }

    /// The record to be expected of a run that stood there, and the exit code.
    fn expected(&self, stood: &Stood) -> (String, i32) {
        let broken = stood.in_flight.as_ref().map(record::InFlight::label);
        let mut made = self.made.lock().unwrap();
        let runs = made.entry(broken.clone()).or_insert_with(|| self.sweep.reference(broken.as_deref()));
        let id = listed(runs).0.remove(0);
        let summary = fs::read(runs.join(&id).join("summary.json")).unwrap();
        let summary: serde_json::Value = serde_json::from_slice(&summary).unwrap();
        let code = i32::try_from(summary["exit_code"].as_i64().unwrap()).unwrap();
        (record(&self.sweep, runs, &id, stood), code)
    }
}

/// What came of the points that were tried.
#[derive(Debug, Default)]
struct Figures {
    points: u64,
    /// Nothing of a run was there.
    unborn: u64,
    in_flight: u64,
    /// Between two steps.
    between: u64,
    ended: u64,
    /// Half-written files that lay about.
    temporaries: usize,
    longest_clearing: Duration,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.points += other.points;
        self.unborn += other.unborn;
        self.in_flight += other.in_flight;
        self.between += other.between;
        self.ended += other.ended;
        self.temporaries += other.temporaries;
        self.longest_clearing = self.longest_clearing.max(other.longest_clearing);
    }
}

/// A run that died there, looked at from all sides.
struct Dead<'s> {
    sweep: &'s Sweep,
    runs: PathBuf,
    /// Where it died, for whoever reads a failure.
    at: String,
}

impl Dead<'_> {
    /// What must hold of a dead runner. Returns its run and where that stood, if anything of it can be seen.
    fn examine(&self, figures: &mut Figures) -> Option<(String, Stood)> {
        let Self { sweep, runs, at } = self;
        let (mut shown, hidden) = listed(runs);
        let cleared = sweep.settle(runs, shown.first().map(String::as_str));
        figures.longest_clearing = figures.longest_clearing.max(cleared);
        assert_eq!(sweep.rail_uv(), 1_000_000, "{at}");
        assert!(shown.len() <= 1, "{at}: {shown:?}");
        let Some(id) = shown.pop() else {
            assert!(hidden.iter().all(|name| name.starts_with(".rr-")), "{at}: {hidden:?}");
            return None;
        };
        assert!(hidden.is_empty(), "{at}: {hidden:?}");
        let run = runs.join(&id);
        is_whole(&run);
        sweep.is_readable(runs, &id);
        let stood = Stood::of(&run);
        Some((id, stood))
    }

    /// Goes on with it, which nobody interrupts, and compares.
    fn go_on(&self, references: &References, id: &str, stood: &Stood) {
        let Self { sweep, runs, at } = self;
        let was_away = sweep.is_away();
        sweep.take_calls();
        let end = sweep.resume(runs, id, "");
        let (expected, code) = references.expected(stood);
        match end {
            End::Exit(2, _) if stood.has_ended => {}
            End::Exit(found, _) if found == code => {}
            end => panic!("{at}: {code} was expected, not {end:?}"),
        }
        if was_away {
            assert_eq!(sweep.take_calls().first().map(String::as_str), Some("home"), "{at}: not first of all");
        }
        assert!(!sweep.is_away(), "{at}");
        sweep.settle(runs, Some(id));
        assert_eq!(sweep.rail_uv(), 1_000_000, "{at}");
        let run = runs.join(id);
        is_whole(&run);
        keeps_the_protocol(&run);
        let found = record(sweep, runs, id, stood);
        assert!(found == expected, "{at}, {stood:?}:\n{}", difference(&found, &expected));
        is_dead_of_that(&run, stood, at);
    }
}

/// The step that was in flight says why it ended.
fn is_dead_of_that(run: &Path, stood: &Stood, at: &str) {
    let Some(dead) = &stood.in_flight else { return };
    let journal = record::steps(run, dead.sub_run);
    let line = journal.iter().find(|line| line["event"] == "step_finished" && line["index"] == dead.index).unwrap();
    assert_eq!(line["verdict"], "error", "{at}");
    assert!(line["reason"].as_str().is_some_and(|reason| reason.contains("the runner died")), "{at}: {line}");
}

/// How many points of that name a trace tells of, and its last line.
fn traced(trace: &Path, what: &str) -> (usize, String) {
    let text = fs::read_to_string(trace).unwrap_or_default();
    let count = text.lines().filter(|line| line.ends_with(what)).count();
    (count, text.lines().last().unwrap_or_default().to_owned())
}

/// One run that dies at that point; `None` when it has fewer.
fn dies_at(sweep: &Sweep, references: &References, point: u64) -> Option<Figures> {
    let runs = sweep.fresh_runs();
    let trace = runs.with_extension("trace");
    let end = sweep.run(&runs, &format!("kill:{point},trace:{}", trace.display()));
    let (written, at) = traced(&trace, "after write a line");
    if let End::Exit(code, said) = end {
        let run = runs.join(&listed(&runs).0[0]);
        assert_eq!(
            code,
            1,
            "{said}{}{:?}",
            fs::read_to_string(run.join("events.ldjson")).unwrap(),
            (0..3).flat_map(|n| record::steps(&run, n)).collect::<Vec<_>>()
        );
        fs::remove_dir_all(&runs).unwrap();
        return None;
    }
    let dead = Dead { sweep, runs, at };
    let mut figures = Figures { points: 1, ..Figures::default() };
    match dead.examine(&mut figures) {
        None => {
            figures.unborn = 1;
            sweep.is_unborn(&dead.runs, &dead.at);
        }
        Some((id, stood)) => {
            // Of what was written no line is missing.
            assert_eq!(stood.lines, written, "{}", dead.at);
            figures.in_flight = u64::from(stood.in_flight.is_some());
            figures.between = u64::from(stood.in_flight.is_none() && !stood.has_ended);
            figures.ended = u64::from(stood.has_ended);
            dead.go_on(references, &id, &stood);
        }
    }
    fs::remove_dir_all(&dead.runs).unwrap();
    Some(figures)
}

/// Tries points from the first one on, two at a time, each worker in a workspace of its own, until a run survives. All that
/// fails is told at the end.
fn each_point(try_at: impl Fn(&Sweep, u64) -> Option<Figures> + Sync) -> Figures {
    let (next, sum, failed) = (AtomicU64::new(1), Mutex::new(Figures::default()), Mutex::new(vec![]));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut sweep = Sweep::new();
                loop {
                    let point = next.fetch_add(1, Ordering::Relaxed);
                    match catch_unwind(AssertUnwindSafe(|| try_at(&sweep, point))) {
                        Ok(Some(figures)) => sum.lock().unwrap().add(&figures),
                        Ok(None) => break,
                        Err(_) => {
                            failed.lock().unwrap().push(point);
                            sweep = Sweep::new();
                        }
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "at these points: {failed:?}");
    sum.into_inner().unwrap()
}

#[test]
fn a_runner_killed_at_any_point_loses_nothing() {
    let begin = Instant::now();
    let references = References::new();
    let figures = each_point(|sweep, point| dies_at(sweep, &references, point));
    assert!(figures.in_flight > 0 && figures.between > 0 && figures.unborn > 0 && figures.ended > 0, "{figures:?}");
    eprintln!("killed at every point, lost: 0, survivors: 0, in {:?}: {figures:?}", begin.elapsed());
}
