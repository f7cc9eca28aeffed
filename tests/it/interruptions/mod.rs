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
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use record::{Stood, difference, keeps_the_protocol, record};
use sweep::{End, Sweep, is_whole, listed, settle};

/// Runs that nobody interrupts, by what ends in error in them by itself: what a run comes to of which that execution was in
/// flight is the program's own word.
struct References {
    sweep: Sweep,
    made: Mutex<BTreeMap<Vec<String>, PathBuf>>,
}

impl References {
    fn new() -> Self {
        Self { sweep: Sweep::new(), made: Mutex::default() }
    }

    /// The record to be expected of a run that stood there, and the exit code.
    fn expected(&self, stood: &Stood) -> (String, i32) {
        let broken: Vec<String> = stood.in_flight.iter().map(record::InFlight::label).collect();
        let mut made = self.made.lock().unwrap();
        let runs = made.entry(broken.clone()).or_insert_with(|| self.sweep.reference(&broken));
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
    longest_clearing: Duration,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.points += other.points;
        self.unborn += other.unborn;
        self.in_flight += other.in_flight;
        self.between += other.between;
        self.ended += other.ended;
        self.longest_clearing = self.longest_clearing.max(other.longest_clearing);
    }
}

/// Whether every command is tried on what lies there: what does behind an operation does before the next one, and in a
/// build an eighth of that is enough. `ROAD_RUNNER_THOROUGH=1` tries them everywhere.
pub fn is_looked_at(at: &str) -> bool {
    let number: u64 = at.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default();
    let is_chosen = std::env::var_os("ROAD_RUNNER_THOROUGH").is_some() || (number / 2).is_multiple_of(8);
    at.contains(" before ") && is_chosen
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
        let cleared = settle(runs);
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
        // What lies there behind an operation lies there before the next one.
        if is_looked_at(at) {
            sweep.is_readable(runs, &id);
        }
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
            // It had ended, and lacks no more than what can be made again at any time.
            End::Exit(2, _) if stood.has_ended => sweep.is_readable(runs, id),
            End::Exit(found, _) if found == code => {}
            end => panic!("{at}: {code} was expected, not {end:?}"),
        }
        if was_away {
            assert_eq!(sweep.take_calls().first().map(String::as_str), Some("home"), "{at}: not first of all");
        }
        assert!(!sweep.is_away(), "{at}");
        settle(runs);
        assert_eq!(sweep.rail_uv(), 1_000_000, "{at}");
        let run = runs.join(id);
        is_whole(&run);
        keeps_the_protocol(&run);
        sweep.is_verified(runs, id, at);
        let found = record(sweep, runs, id, stood);
        assert!(found == expected, "{at}, {stood:?}:\n{}", difference(&found, &expected));
        if is_looked_at(at) {
            sweep.is_readable(runs, id);
        }
        is_dead_of_that(&run, stood, at);
    }
}

/// The step that was in flight says why it ended.
fn is_dead_of_that(run: &Path, stood: &Stood, at: &str) {
    for dead in &stood.in_flight {
        let journal = record::steps(run, dead.sub_run);
        let line = journal.iter().find(|line| line["event"] == "step_finished" && line["index"] == dead.index).unwrap();
        assert_eq!(line["verdict"], "error", "{at}");
        assert!(line["reason"].as_str().is_some_and(|reason| reason.contains("the runner died")), "{at}: {line}");
    }
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
    let figures = match end {
        End::Exit(code, said) => {
            assert_eq!(code, 1, "{said}");
            None
        }
        End::Killed => Some(has_died(sweep, references, &runs, &trace, &Stood::default())),
    };
    fs::remove_dir_all(&runs).unwrap();
    figures
}

/// A run that died once and dies again at that point of its resume; `None` when it has fewer.
fn dies_again_at(
    sweep: &Sweep,
    references: &References,
    (first, before): (&Path, &Stood),
    point: u64,
) -> Option<Figures> {
    let runs = sweep.fresh_runs();
    let copied = Command::new("cp").arg("-a").arg(first.join(".")).arg(&runs).status().unwrap();
    assert!(copied.success());
    if before.in_flight.iter().any(|dead| dead.index == 0) {
        sweep.move_away();
    }
    let trace = runs.with_extension("trace");
    let id = listed(&runs).0.remove(0);
    let end = sweep.resume(&runs, &id, &format!("kill:{point},trace:{}", trace.display()));
    let figures = match end {
        End::Exit(code, said) => {
            assert_eq!(code, references.expected(before).1, "{said}");
            sweep.take_calls();
            None
        }
        End::Killed => Some(has_died(sweep, references, &runs, &trace, before)),
    };
    fs::remove_dir_all(&runs).unwrap();
    figures
}

/// A run whose runner is dead is what it must be, and ends as if nothing had happened. It had died before there.
fn has_died(sweep: &Sweep, references: &References, runs: &Path, trace: &Path, before: &Stood) -> Figures {
    let (written, at) = traced(trace, "after write a line");
    let dead = Dead { sweep, runs: runs.to_path_buf(), at };
    let mut figures = Figures { points: 1, ..Figures::default() };
    let Some((id, stood)) = dead.examine(&mut figures) else {
        figures.unborn = 1;
        sweep.is_unborn(runs, &dead.at);
        return figures;
    };
    // Of what was written no line is missing.
    assert_eq!(stood.lines, before.lines + written, "{}", dead.at);
    figures.in_flight = u64::from(!stood.in_flight.is_empty());
    figures.between = u64::from(stood.in_flight.is_empty() && !stood.has_ended);
    figures.ended = u64::from(stood.has_ended);
    dead.go_on(references, &id, &stood.after(before));
    figures
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

/// A run that died in its n-th step, and again at any point of its resume.
fn dies_twice(nth_step: usize) {
    let begin = Instant::now();
    let references = References::new();
    let sweep = Sweep::new();
    let trace = sweep.fresh_runs().with_extension("trace");
    sweep.run(&sweep.fresh_runs(), &format!("trace:{}", trace.display()));
    let passed = fs::read_to_string(&trace).unwrap();
    let begins = passed.lines().filter(|line| line.ends_with(" after start a step")).nth(nth_step - 1).unwrap();
    let point: u64 = begins.split(' ').next().unwrap().parse().unwrap();
    let runs = sweep.fresh_runs();
    assert_eq!(sweep.run(&runs, &format!("kill:{point}")), End::Killed);
    let id = listed(&runs).0.remove(0);
    settle(&runs);
    let before = Stood::of(&runs.join(&id));
    assert_eq!(before.in_flight.len(), 1);
    let figures = each_point(|sweep, point| dies_again_at(sweep, &references, (&runs, &before), point));
    assert!(figures.between > 0 && figures.ended > 0, "{figures:?}");
    eprintln!("killed again at every point, lost: 0, survivors: 0, in {:?}: {figures:?}", begin.elapsed());
}

/// Takes a minute: `cargo test --test it -- --ignored killed_again --nocapture`.
#[test]
#[ignore = "takes a minute; run it with --ignored"]
fn a_runner_killed_again_at_any_point_of_a_resume_loses_nothing() {
    // The first of two repetitions at the last point: what is repeated goes on.
    dies_twice(6);
}

/// Takes minutes: `cargo test --test it -- --ignored killed_again_early`.
#[test]
#[ignore = "takes minutes; run it with --ignored"]
fn a_runner_killed_again_early_loses_nothing() {
    // The first step of all, which has something to restore, and the one that fails by itself.
    dies_twice(1);
    dies_twice(4);
}

#[test]
fn a_switch_that_says_nothing_known_starts_nothing() {
    let sweep = Sweep::new();
    let runs = sweep.fresh_runs();
    let End::Exit(code, said) = sweep.run(&runs, "kill") else { panic!("it has died") };
    assert_eq!(code, 2);
    insta::assert_snapshot!(said, @r#"
    error: ROAD_RUNNER_INTERRUPT is "kill", which is none of kill:N, stop:N, stop and trace:FILE
    "#);
    assert_eq!(listed(&runs), (vec![], vec![]));
}
