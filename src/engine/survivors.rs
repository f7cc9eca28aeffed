//! Processes that a dead runner left behind: found by the run's id in their environment, or as the leader that the journal
//! names, and ended with all that descends from them. Never signals a process that is neither, nor one that took over the
//! pid of another meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::process_scan::{Process, descend, every_process};
use crate::host::process::{self, ProcessIdentity};
use crate::host::roots::{self, Roots};
use crate::store::layout::RunDir;
use crate::store::left_running::Leader;

/// Looks until none is left, and the pause between two.
const LOOKS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(10);
const MARK: &[u8] = b"ROAD_RUNNER_RUN_ID=";
/// Where a process of a run works, somewhere below the run's directory: a step and a controller.
const PLACES: [&[u8]; 2] = [b"ROAD_RUNNER_ARTIFACTS=", b"ROAD_RUNNER_RAIL_STATE="];

/// Kills every process of that run; takes as long as the kernel needs, at most two seconds. Returns how many are left: those
/// that even SIGKILL does not end, or that are not ours to signal.
pub fn end(dir: &RunDir, run_id: &str, leader: Option<&Leader>) -> usize {
    let mut left = 0;
    let mut doubts = Doubts::default();
    for _ in 0..LOOKS {
        let all = every_process().unwrap_or_default();
        let between = all.iter().filter(|process| process.between_programs && is_open(process));
        let between = between.map(|process| (number(process.pid), process.start_ticks)).collect();
        let found = among(all, dir, run_id, leader);
        found.iter().for_each(kill);
        left = found.len();
        if doubts.are_none(left, between) {
            break;
        }
        thread::sleep(PAUSE);
    }
    left
}

/// A process that is just becoming another program carries no mark: whether it is one of those that are looked for is seen at
/// the next look. Others that begin to do so meanwhile are not waited for: on a busy host there is always one, and rails wait.
#[derive(Debug, Default)]
struct Doubts {
    /// Those of the last look, by pid and start; none where that look found somebody.
    before: Option<BTreeSet<(i32, u64)>>,
}

impl Doubts {
    /// Whether a look that found so many, and these between two programs, was the last.
    fn are_none(&mut self, found: usize, between: BTreeSet<(i32, u64)>) -> bool {
        let are_none = found == 0 && self.before.as_ref().map_or(between.is_empty(), |b| b.is_disjoint(&between));
        self.before = (found == 0).then_some(between);
        are_none
    }
}

/// Whether the environment of a process is for us to read: of others nothing is known, now or later.
fn is_open(process: &Process) -> bool {
    fs::File::open(Roots::default().proc(&format!("{}/environ", process.pid))).is_ok()
}

/// The living processes of a run, this one aside: those that carry its id in their environment, the leader if it is still
/// that very process, and their descendants, whatever these made of their environment. One that works in the directory of
/// another run of that id is not among them: two that begin in the same second may be called alike in two runs folders.
pub fn of_run(dir: &RunDir, run_id: &str, leader: Option<&Leader>) -> Vec<Process> {
    among(every_process().unwrap_or_default(), dir, run_id, leader)
}

fn among(all: Vec<Process>, dir: &RunDir, run_id: &str, leader: Option<&Leader>) -> Vec<Process> {
    let real = Roots::default();
    let leader = leader.filter(|leader| roots::boot_id(&real).is_ok_and(|boot| boot == leader.boot_id));
    let is_leader = |process: &Process| {
        leader.is_some_and(|leader| {
            number(process.pid).cast_unsigned() == leader.pid && process.start_ticks == leader.start_ticks
        })
    };
    let is_of_run =
        |process: &Process| is_leader(process) || is_of_run(&real, number(process.pid).cast_unsigned(), dir, run_id);
    let mut found: BTreeSet<i32> = BTreeSet::new();
    for process in all.iter().filter(|process| !process.ended && is_of_run(process)) {
        if found.insert(number(process.pid)) {
            found.extend(descend(&all, number(process.pid)).iter().map(|process| number(process.pid)));
        }
    }
    found.remove(&number(rustix::process::getpid()));
    all.into_iter().filter(|process| !process.ended && found.contains(&number(process.pid))).collect()
}

/// The runs whose mark living processes carry, this one aside, in the procfs of `roots`; each process by what it is known by
/// for good. Those of other users are missing where we may not read their environment.
pub fn by_run(roots: &Roots) -> BTreeMap<String, Vec<ProcessIdentity>> {
    let mut runs: BTreeMap<String, Vec<ProcessIdentity>> = BTreeMap::new();
    let entries = fs::read_dir(&roots.procfs).into_iter().flatten().filter_map(Result::ok);
    for pid in entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()) {
        if roots.is_native() && pid == std::process::id() {
            continue;
        }
        let Some(run) = environment_at(roots, pid).as_deref().and_then(mark_in) else { continue };
        if let Ok(identity) = process::identity(roots, pid)
            && process::is_running(roots, identity).unwrap_or(false)
        {
            runs.entry(run).or_default().push(identity);
        }
    }
    for processes in runs.values_mut() {
        processes.sort();
    }
    runs
}

/// Whether a process carries the mark of the run in `dir`, and not of one of that id in another folder.
pub fn is_of_run(roots: &Roots, pid: u32, dir: &RunDir, run_id: &str) -> bool {
    environment_at(roots, pid).is_some_and(|environment| works_for(&environment, dir.root(), run_id))
}

fn environment_at(roots: &Roots, pid: u32) -> Option<Vec<u8>> {
    fs::read(roots.proc(&format!("{pid}/environ"))).ok()
}

fn number(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

/// The id of the run that an environment names.
fn mark_in(environment: &[u8]) -> Option<String> {
    String::from_utf8(variable(environment, MARK)?.to_owned()).ok().filter(|mark| !mark.is_empty())
}

fn variable<'e>(environment: &'e [u8], name: &[u8]) -> Option<&'e [u8]> {
    environment.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(name))
}

/// Whether an environment carries the run's id, and does not say that it is of one of that id in another folder.
fn works_for(environment: &[u8], dir: &Path, run_id: &str) -> bool {
    if mark_in(environment).is_none_or(|mark| mark != run_id) {
        return false;
    }
    let places = PLACES.iter().filter_map(|name| std::str::from_utf8(variable(environment, name)?).ok());
    let mut runs = places.filter_map(|place| Path::new(place).ancestors().find(|above| above.ends_with(run_id)));
    // A folder that is not there any more proves nothing.
    !runs.any(|run| fs::canonicalize(run).is_ok_and(|run| fs::canonicalize(dir).is_ok_and(|own| own != run)))
}

fn kill(seen: &Process) {
    let Ok(pidfd) = pidfd_open(seen.pid, PidfdFlags::empty()) else { return };
    // The handle is of the process that was seen only if that one is still there.
    if Process::read(seen.pid).is_some_and(|now| now.start_ticks == seen.start_ticks) {
        // One that is gone needs no signal; one that we may not signal is counted again.
        let _ = pidfd_send_signal(&pidfd, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;
    use crate::store::run_id::RunId;

    /// A process, ended with the test.
    struct Sleeper(Child);

    impl Sleeper {
        fn start(mark: Option<&str>, place: Option<&Path>) -> Self {
            let mut command = Command::new("/bin/sleep");
            command.arg("600").env_clear().stdin(Stdio::null());
            let place = place.map(|place| place.join("subruns/x"));
            command.envs(mark.map(|mark| ("ROAD_RUNNER_RUN_ID", mark)));
            command.envs(place.map(|place| ("ROAD_RUNNER_ARTIFACTS", place)));
            let sleeper = Self(command.spawn().unwrap());
            // It is there before its environment is.
            while Process::read(sleeper.pid()).unwrap().between_programs {
                thread::sleep(Duration::from_millis(1));
            }
            sleeper
        }

        fn pid(&self) -> Pid {
            Pid::from_raw(self.0.id().cast_signed()).unwrap()
        }

        fn leader(&self, later: u64) -> Leader {
            let start_ticks = Process::read(self.pid()).unwrap().start_ticks + later;
            Leader { pid: self.0.id(), start_ticks, boot_id: roots::boot_id(&Roots::default()).unwrap() }
        }

        fn is_alive(&mut self) -> bool {
            self.0.try_wait().unwrap().is_none()
        }
    }

    impl Drop for Sleeper {
        fn drop(&mut self) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }

    /// Which of six are ended: marked with the run, marked with another, not marked at all, of which `leader` is; marked
    /// with the run and at work in its folder, in one of that name elsewhere, and in one that is gone.
    fn check(leader: impl FnOnce(&Sleeper) -> Option<Leader>, expected: [bool; 6]) {
        let id = format!("rr-20250101T010101Z-{:06x}", std::process::id() & 0x00ff_ffff);
        let id = RunId::parse(&id).unwrap();
        let run = id.to_string();
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [here, elsewhere] = folders.each_ref().map(|folder| folder.path().join(&run));
        for folder in [&here, &elsewhere] {
            fs::create_dir(folder).unwrap();
        }
        let gone = Path::new("/nonexistent").join(&run);
        let mark = Some(run.as_str());
        let mut all = [
            (mark, None),
            (Some("rr-survivors"), None),
            (None, None),
            (mark, Some(here.as_path())),
            (mark, Some(elsewhere.as_path())),
            (mark, Some(gone.as_path())),
        ]
        .map(|(mark, place)| Sleeper::start(mark, place));
        let leader = leader(&all[2]);
        let dir = RunDir::open(folders[0].path(), &id).unwrap();
        assert_eq!(by_run(&Roots::default()).get(&run).map(Vec::len), Some(4));
        assert_eq!(end(&dir, &run, leader.as_ref()), 0);
        // The kernel needs a moment to tell us of the one that was ended.
        let dead = |sleeper: &mut Sleeper, expected: bool| {
            let gone = of_run(&dir, &run, leader.as_ref()).is_empty();
            gone && sleeper.is_alive() != expected
        };
        for (sleeper, expected) in all.iter_mut().zip(expected) {
            assert!(dead(sleeper, expected), "{expected}");
        }
    }

    #[test]
    fn who_hid_between_two_programs_is_looked_at_again_and_nobody_else() {
        let mut doubts = Doubts::default();
        let mut look = |found: usize, between: &[(i32, u64)]| doubts.are_none(found, between.iter().copied().collect());
        assert!(!look(2, &[]), "they were killed just now");
        assert!(!look(0, &[(7, 1), (8, 1)]));
        assert!(!look(0, &[(8, 1), (9, 1)]), "one of them still hides");
        assert!(look(0, &[(8, 2), (10, 1)]), "others, one of them with a pid that was used before");
        assert!(!look(1, &[(7, 1)]), "it was one");
        assert!(!look(0, &[(7, 1)]), "what it may have started");
        assert!(look(0, &[]));
    }

    // One test: two would find each other's sleepers.
    #[test]
    fn only_what_belongs_to_the_run_is_ended() {
        let all = |leader| [true, false, leader, true, false, true];
        check(|_| None, all(false));
        check(|sleeper| Some(sleeper.leader(0)), all(true));
        // A pid that another process has by now.
        check(|sleeper| Some(sleeper.leader(1)), all(false));
        check(|sleeper| Some(Leader { boot_id: "other".to_owned(), ..sleeper.leader(0) }), all(false));
    }

    #[test]
    fn processes_are_listed_by_their_mark_and_by_life() {
        let machine = tempfile::tempdir().unwrap();
        let roots = Roots::under(machine.path());
        let process = |pid: u32, state: char, environment: &str| {
            let folder = roots.proc(&pid.to_string());
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("environ"), environment).unwrap();
            let stat = format!("{pid} (sh) {state} 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 77{pid} 0 0\n");
            fs::write(folder.join("stat"), stat).unwrap();
        };
        process(30, 'S', "PATH=/bin\0ROAD_RUNNER_RUN_ID=rr-a\0X=1\0");
        process(20, 'R', "ROAD_RUNNER_RUN_ID=rr-a");
        process(21, 'S', "ROAD_RUNNER_RUN_ID=rr-b\0");
        process(22, 'Z', "ROAD_RUNNER_RUN_ID=rr-a\0");
        process(23, 'S', "X_ROAD_RUNNER_RUN_ID=rr-a\0ROAD_RUNNER_RUN=rr-a\0");
        fs::create_dir_all(roots.proc("self")).unwrap();
        fs::create_dir_all(roots.proc("40")).unwrap();
        let found: Vec<String> = by_run(&roots)
            .into_iter()
            .map(|(id, all)| format!("{id} {:?}", all.iter().map(|p| (p.pid, p.start_ticks)).collect::<Vec<_>>()))
            .collect();
        assert_eq!(found, ["rr-a [(20, 7720), (30, 7730)]", "rr-b [(21, 7721)]"]);
    }
}
