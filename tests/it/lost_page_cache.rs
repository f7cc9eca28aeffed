//! A power cut at every point around something that has to last: the runs folder lies on a file system in an image, the runner
//! stops itself at each point, and what the image holds then is what is left of the run. Whatever the file system has not yet
//! handed to the device is gone, which is all that is in the page cache alone: data, names and sizes that nobody has synced.
//!
//! It proves that what is said to be on disk has been handed to the disk, that names are synced and not only files, and that
//! a run is gone on with from there. It does not prove that a disk writes what it was handed (its own cache, torn sectors),
//! nor in which order it does so between two barriers: at each point all that was submitted counts as written.
//!
//! On ext4 one sync brings all names that were made before to the disk. The second round takes the journal away from the
//! file system, so that nothing is on disk but what was synced by itself; a check of the file system comes before each mount.
//! Images that are the same byte for byte are looked at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde_json::{Value, json};

use crate::interruptions::record::{Stood, difference, keeps_the_protocol, record, steps};
use crate::interruptions::sweep::{End, Sweep, is_whole, lines, listed, settle};
use crate::tools::skipped;

const IMAGE_BYTES: u64 = 8 << 20;
/// No commit by itself while the test runs, no write of its own before a file is renamed over another.
const MOUNT: &str = "loop,noatime,commit=600,noauto_da_alloc";
const MOUNT_PLAIN: &str = "loop,noatime,noauto_da_alloc";

/// A mounted image, until this is dropped.
struct Disk {
    at: PathBuf,
}

impl Disk {
    /// The error says that mounting is not allowed, or why it failed.
    fn mount(image: &Path, at: &Path, options: &str) -> Result<Self, String> {
        fs::create_dir_all(at).unwrap();
        done(Command::new("mount").args(["-t", "ext4", "-o", options]).arg(image).arg(at))?;
        Ok(Self { at: at.to_path_buf() })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A process that a failed test has left on it keeps no loop device for ever.
        if done(Command::new("umount").arg(&self.at)).is_err() {
            drop(done(Command::new("umount").arg("--lazy").arg(&self.at)));
        }
    }
}

fn done(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {said}")) }
}

/// A child that is let go on and waited for when a test fails.
struct Runner(Option<Pid>);

impl Drop for Runner {
    fn drop(&mut self) {
        if let Some(pid) = self.0 {
            let _ = kill_process(pid, Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}

/// What was on the device at some points in a row.
struct Image {
    file: PathBuf,
    first: usize,
    /// The last of these points.
    last: usize,
}

/// A run that was stopped at every point, and all that is left of it at each.
struct Filmed {
    images: Vec<Image>,
    /// `N before WHAT` of each point.
    trace: Vec<String>,
    /// Of each line of the run, by its number, whether it is the run's own and not a sub-run's.
    journals: BTreeMap<u64, bool>,
}

/// Writes only what is not zero, so that images take as much memory as they have content.
fn keep(bytes: &[u8], to: &Path) {
    const PIECE: usize = 4096;
    let mut file = fs::File::create(to).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    for (number, piece) in bytes.chunks(PIECE).enumerate() {
        if piece.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start((number * PIECE) as u64)).unwrap();
            file.write_all(piece).unwrap();
        }
    }
}

/// Runs the sweep on a new image; `None` where mounting is not allowed.
fn film(sweep: &Sweep, make: &[&str], mount: &str) -> Option<Filmed> {
    let image = sweep.place().join("image");
    fs::File::create(&image).unwrap().set_len(IMAGE_BYTES).unwrap();
    let lazy = ["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"];
    let disk = done(Command::new("mkfs.ext4").args(lazy).args(make).arg(&image))
        .and_then(|()| Disk::mount(&image, &sweep.place().join("disk"), mount));
    let disk = match disk {
        Ok(disk) => disk,
        Err(why) => {
            skipped(&format!("an image cannot be mounted: {why}"));
            return None;
        }
    };
    let runs = disk.at.join("runs");
    let trace = sweep.place().join("trace");
    #[expect(clippy::zombie_processes, reason = "it is waited for by its pid, which tells of stops as well")]
    let child = sweep.to_run(&runs, &format!("stop,trace:{}", trace.display())).stdout(Stdio::null()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let mut runner = Runner(Some(pid));
    let (mut images, mut before) = (Vec::<Image>::new(), vec![]);
    let mut point = 0;
    let status = loop {
        let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
        if !status.stopped() {
            runner.0 = None;
            break status;
        }
        point += 1;
        let now = fs::read(&image).unwrap();
        if let Some(same) = images.last_mut().filter(|_| now == before) {
            same.last = point;
        } else {
            let file = sweep.place().join(format!("image-{point}"));
            keep(&now, &file);
            images.push(Image { file, first: point, last: point });
            before = now;
        }
        kill_process(pid, Signal::CONT).unwrap();
    };
    assert_eq!(status.exit_status(), Some(1));
    let trace: Vec<String> = fs::read_to_string(trace).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(trace.len(), point);
    let id = listed(&runs).0.remove(0);
    settle(&runs);
    let seqs = |lines: Vec<Value>, own: bool| lines.into_iter().map(move |line| (line["seq"].as_u64().unwrap(), own));
    let mut journals: BTreeMap<u64, bool> = seqs(lines(&runs.join(&id).join("events.ldjson")), true).collect();
    journals.extend((0..3).flat_map(|sub_run| seqs(steps(&runs.join(&id), sub_run), false)));
    Some(Filmed { images, trace, journals })
}

impl Filmed {
    /// The lines that were synced before that point, by number.
    fn synced(&self, point: usize) -> BTreeSet<u64> {
        let (mut synced, mut waiting, mut next) = (BTreeSet::new(), BTreeMap::new(), 0);
        for passed in self.trace.iter().take(point) {
            if passed.ends_with(" after write a line") {
                waiting.insert(next, self.journals[&next]);
                next += 1;
            } else if passed.ends_with(" after sync a journal") {
                // The run's own journal goes first where it has anything that waits.
                let own = waiting.values().any(|own| *own);
                synced.extend(waiting.extract_if(.., |_, of| *of == own).map(|(seq, _)| seq));
            }
        }
        synced
    }

    /// Lines that were written before that point.
    fn written(&self, point: usize) -> usize {
        self.trace.iter().take(point).filter(|passed| passed.ends_with(" after write a line")).count()
    }

    /// How many steps had been started before that point.
    fn started(&self, point: usize) -> usize {
        self.trace.iter().take(point).filter(|passed| passed.ends_with(" after start a step")).count()
    }

    /// Whether a rail had been told to move before that point, and not yet to go home.
    fn has_moved(&self, point: usize) -> bool {
        let mut passed = self.trace.iter().take(point).rev();
        passed.find(|passed| passed.ends_with(" a rail")).is_some_and(|passed| !passed.ends_with("restore a rail"))
    }

    /// The run had its name, on disk.
    fn is_published(&self, point: usize) -> bool {
        let mut passed = self.trace.iter().take(point).skip_while(|passed| !passed.ends_with(" after publish the run"));
        passed.any(|passed| passed.ends_with(" after sync a folder"))
    }
}

/// What came of the images.
#[derive(Debug, Default)]
struct Figures {
    points: usize,
    images: usize,
    unborn: usize,
    in_flight: usize,
    /// Between two steps, with rails that were not home.
    away: usize,
    /// Lines that were written and not synced, at the worst point.
    most_unsynced_lines_gone: usize,
}

impl Figures {
    fn add(&mut self, other: &Self) {
        self.points += other.points;
        self.images += other.images;
        self.unborn += other.unborn;
        self.in_flight += other.in_flight;
        self.away += other.away;
        self.most_unsynced_lines_gone = self.most_unsynced_lines_gone.max(other.most_unsynced_lines_gone);
    }
}

/// What a device holds after a power cut, looked at and gone on with under another boot.
fn is_sound(sweep: &Sweep, filmed: &Filmed, image: &Image, round: &Round, reference: &Reference) -> Figures {
    if round.needs_check {
        // It mends what it finds, and says so by its exit code.
        drop(Command::new("e2fsck").args(["-fy"]).arg(&image.file).output().unwrap());
    }
    let disk = Disk::mount(&image.file, &sweep.place().join("disk"), round.mount).unwrap();
    let runs = disk.at.join("runs");
    let at = format!("{} .. {}", filmed.trace[image.first - 1], filmed.trace[image.last - 1]);
    let mut figures = Figures { images: 1, points: image.last - image.first + 1, ..Figures::default() };
    let (mut shown, hidden) = listed(&runs);
    let Some(id) = shown.pop() else {
        assert!(!filmed.is_published(image.last), "{at}: the run is gone");
        assert!(hidden.iter().all(|name| name.starts_with(".rr-")), "{at}: {hidden:?}");
        sweep.is_unborn(&runs, &at);
        figures.unborn = 1;
        return figures;
    };
    let run = runs.join(&id);
    // Nothing depends on a lock file that nobody holds.
    for file in ["plan.json", "summary.json"] {
        assert!(run.join(file).exists(), "{at}: no {file}");
    }
    is_whole(&run);
    if image.first % 4 == 1 {
        sweep.is_readable(&runs, &id);
    }
    let stood = Stood::of(&run);
    let mut found: BTreeSet<u64> =
        lines(&run.join("events.ldjson")).iter().filter_map(|line| line["seq"].as_u64()).collect();
    found.extend((0..3).flat_map(|sub_run| steps(&run, sub_run)).filter_map(|line| line["seq"].as_u64()));
    let missing: Vec<u64> = filmed.synced(image.last).difference(&found).copied().collect();
    assert!(missing.is_empty(), "{at}: lines {missing:?} were synced");
    // Whatever acts on the unit is on disk before it acts: else nobody would know what the host went down in.
    let begun = (0..3).flat_map(|sub_run| steps(&run, sub_run)).filter(|line| line["event"] == "step_started").count();
    assert!(begun >= filmed.started(image.last), "{at}: a step had begun, and nobody knows");
    assert!(stood.is_away || !filmed.has_moved(image.last), "{at}: a rail was away, and nobody knows");
    assert!(run.join("rails.json").exists() || !stood.is_away, "{at}: nobody knows where home is");
    figures.most_unsynced_lines_gone = filmed.written(image.last) - found.len().min(filmed.written(image.last));
    let end = sweep.resume(&runs, &id, "");
    match end {
        // It had ended, and lacks no more than what can be made again at any time.
        End::Exit(2, _) if stood.has_ended => sweep.is_readable(&runs, &id),
        End::Exit(1, _) => {}
        end => panic!("{at}: {end:?}"),
    }
    settle(&runs);
    assert_eq!(sweep.rail_uv(), 1_000_000, "{at}");
    is_whole(&run);
    keeps_the_protocol(&run);
    sweep.is_verified(&runs, &id, &at);
    let found = record(sweep, &runs, &id, &stood);
    let expected = reference.record(&stood);
    match stood.open.first().filter(|_| !stood.in_flight.is_empty() || stood.is_away) {
        Some(&sub_run) => crashed(&run, &Crash { sub_run, stood: &stood }, &found, &expected, &at),
        None => assert!(found == expected, "{at}, {stood:?}:\n{}", difference(&found, &expected)),
    }
    figures.in_flight = stood.in_flight.len();
    figures.away = usize::from(stood.in_flight.is_empty() && stood.is_away);
    figures
}

/// A run that nobody interrupts.
struct Reference<'s> {
    sweep: &'s Sweep,
    runs: PathBuf,
}

impl Reference<'_> {
    fn record(&self, stood: &Stood) -> String {
        record(self.sweep, &self.runs, &listed(&self.runs).0[0], stood)
    }
}

/// Where the host went down: in a step, or beside one with rails that were not home.
struct Crash<'s> {
    sub_run: u64,
    stood: &'s Stood,
}

impl Crash<'_> {
    /// Whether a line of a record is of what had come to its end before. Logs and artifacts are promised once their sub-run
    /// has ended.
    fn is_behind(&self, line: &str) -> bool {
        let (of, rest) = line.split_once(": ").unwrap_or((line, ""));
        let value: Value = serde_json::from_str(rest).unwrap_or_default();
        let next = self.stood.finished;
        if of == "row" {
            let cell = |name: &str| {
                let cell = rest.split(' ').find_map(|cell| cell.strip_prefix(name)?.strip_prefix('=')).unwrap();
                cell.parse::<u64>().unwrap()
            };
            return (cell("subrun_index"), cell("index")) < (self.sub_run, next);
        }
        if let Some(sub_run) = number(of).or_else(|| number(of.strip_prefix("subruns/RUN-")?.split('/').next()?)) {
            let is_own = sub_run == self.sub_run && value["event"] != "subrun_closed" && !of.contains('/');
            let is_ended = value["index"].as_u64().is_none_or(|index| index < next) || value["event"] == "step_started";
            let is_of_dead = value["index"].as_u64().is_none_or(|index| index <= next);
            return sub_run < self.sub_run || is_own && (is_ended && is_of_dead || value["event"] == "subrun_opened");
        }
        match value["event"].as_str() {
            Some("subrun_started" | "subrun_finished") => value["index"].as_u64() < Some(self.sub_run),
            Some("run_finished") => false,
            _ => of != "summary.json",
        }
    }
}

/// `s01` as 1.
fn number(text: &str) -> Option<u64> {
    text.strip_prefix('s').filter(|digits| digits.len() == 2)?.parse().ok()
}

/// The host went down there: its step says so, its sub-run ends with it, and by the rule of the line so does the rest of
/// the sweep, whose three points are one line. Everything before is as it always was.
fn crashed(run: &Path, crash: &Crash<'_>, found: &str, expected: &str, at: &str) {
    let before = |text: &str| {
        let behind = text.lines().filter(|line| crash.is_behind(line));
        // A step that had not begun is not there.
        let begun = behind.filter(|line| !crash.stood.in_flight.is_empty() || !is_start_of(line, crash));
        begun.map(|line| format!("{line}\n")).collect::<Vec<_>>().concat()
    };
    let (found, expected) = (before(found), before(expected));
    assert!(found == expected, "{at}, {:?}:\n{}", crash.stood, difference(&found, &expected));
    let journal = steps(run, crash.sub_run);
    let is_last = journal.iter().rfind(|line| line["event"] == "step_finished");
    if let Some(dead) = crash.stood.in_flight.first() {
        let end = is_last.unwrap();
        assert_eq!(
            (&end["index"], &end["verdict"], &end["effects"]),
            (&json!(dead.index), &json!("crashed"), &json!(["sc"])),
            "{at}"
        );
    }
    let begun = journal.iter().filter(|line| line["event"] == "step_started").count() as u64;
    assert_eq!(begun, crash.stood.finished + crash.stood.in_flight.len() as u64, "{at}");
    let events = lines(&run.join("events.ldjson"));
    let ends: Vec<&Value> = events.iter().filter(|line| line["event"] == "subrun_finished").collect();
    let verdicts: Vec<&str> = ends.iter().map(|line| line["verdict"].as_str().unwrap()).collect();
    let own = usize::try_from(crash.sub_run).unwrap();
    let mut rule = vec!["pass", "fail"];
    rule.truncate(own);
    rule.push("crashed");
    rule.resize(3, "skipped");
    assert_eq!(verdicts, rule, "{at}");
    assert_eq!(ends[own]["effects"], json!(["sc"]), "{at}");
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["verdict"]), (&json!("run_finished"), &json!("crashed")), "{at}");
    let summary: Value = serde_json::from_slice(&fs::read(run.join("summary.json")).unwrap()).unwrap();
    let summed: Vec<&str> =
        summary["subruns"].as_array().unwrap().iter().map(|line| line["verdict"].as_str().unwrap()).collect();
    assert_eq!(summed, rule, "{at}");
    assert_eq!((&summary["status"], &summary["exit_code"]), (&json!("completed"), &json!(1)), "{at}");
}

/// The beginning of the execution that would have been the next.
fn is_start_of(line: &str, crash: &Crash<'_>) -> bool {
    let Some((of, rest)) = line.split_once(": ") else { return false };
    let value: Value = serde_json::from_str(rest).unwrap_or_default();
    number(of) == Some(crash.sub_run)
        && matches!(value["event"].as_str(), Some("step_started" | "step_spawned" | "step_finished"))
        && value["index"] == crash.stood.finished
}

/// A kind of file system.
struct Round {
    make: &'static [&'static str],
    mount: &'static str,
    needs_check: bool,
}

fn check(round: &Round) {
    let begin = Instant::now();
    let first = Sweep::new();
    first.boot(1);
    let Some(filmed) = film(&first, round.make, round.mount) else { return };
    let filmed_in = begin.elapsed();
    let reference = Reference { sweep: &first, runs: first.reference(&[]) };
    let (next, sum, failed) = (AtomicUsize::new(0), Mutex::new(Figures::default()), Mutex::new(vec![]));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let sweep = Sweep::new();
                sweep.boot(2);
                while let Some(image) = filmed.images.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let sound = || is_sound(&sweep, &filmed, image, round, &reference);
                    let Ok(figures) = catch_unwind(AssertUnwindSafe(sound)) else {
                        failed.lock().unwrap().push(image.first);
                        continue;
                    };
                    sum.lock().unwrap().add(&figures);
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "from these points on: {failed:?}");
    let figures = sum.into_inner().unwrap();
    assert_eq!(figures.points, filmed.trace.len());
    assert!(figures.in_flight > 0 && figures.away > 0 && figures.unborn > 0, "{figures:?}");
    // What is dirty for half a minute the kernel writes by itself; so slow is no machine that nothing at all is lost.
    assert!(figures.most_unsynced_lines_gone > 0, "{figures:?}");
    let whole = begin.elapsed();
    eprintln!("power cut at every point, synced lines lost: 0, in {whole:?} ({filmed_in:?} filmed): {figures:?}");
}

/// Takes a minute: `cargo test --test it -- --ignored after_a_power_cut --nocapture`.
#[test]
#[ignore = "takes a minute, and promises less than the next; run it with --ignored"]
fn after_a_power_cut_all_is_there_that_was_synced() {
    check(&Round { make: &["-b", "1024", "-J", "size=1"], mount: MOUNT, needs_check: false });
}

#[test]
fn nor_is_a_name_missing_where_the_file_system_keeps_no_journal() {
    check(&Round { make: &["-b", "1024", "-O", "^has_journal"], mount: MOUNT_PLAIN, needs_check: true });
}
