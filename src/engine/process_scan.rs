//! Who descends from this process, read from `/proc`: the living and the dead that nobody has collected.
//! Never signals and never waits; what it returns is a photograph and may be out of date.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use rustix::process::Pid;

/// Looks at a tree that changes meanwhile.
const LOOKS: usize = 4;
/// Processes after which a photograph is large enough.
const MANY: usize = 50_000;

/// `PF_EXITING` and `PF_KTHREAD` of the kernel's `include/linux/sched.h`: what has no program, and gets none.
const WITHOUT_PROGRAM: u32 = 0x0000_0004 | 0x0020_0000;

/// One process as `/proc/<pid>/stat` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id; another process may carry it once this one is collected.
    pub pid: Pid,
    /// Its parent's id.
    pub parent: i32,
    /// Its process group.
    pub group: i32,
    /// When it started, in clock ticks since boot: with the pid this names one process for good.
    pub start_ticks: u64,
    /// Ended, but not collected by its parent.
    pub ended: bool,
    /// In the middle of `execve`: the old program's environment is gone and the new one's cannot be read yet. Also true of one
    /// whose memory we may not look at.
    pub between_programs: bool,
}

impl Process {
    /// Reads one process. `None` when there is none of that id.
    pub fn read(pid: Pid) -> Option<Self> {
        let file = File::open(format!("/proc/{pid}/stat")).ok()?;
        // One line, always shorter than this, made whole at the first read.
        let mut text = [0; 2048];
        let length = file.read_at(&mut text, 0).ok()?;
        parse_stat(text.get(..length)?)
    }
}

/// Fields are separated by spaces, but the second is the command in parentheses and may hold anything: count from its end.
fn parse_stat(text: &[u8]) -> Option<Process> {
    let close = text.iter().rposition(|&b| b == b')')?;
    let text = std::str::from_utf8(text.get(..text.iter().position(|&b| b == b' ')?)?)
        .ok()
        .zip(std::str::from_utf8(text.get(close + 1..)?).ok());
    let (pid, rest) = text?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    // state is field 3 of the manual, flags 9, start time 22 and env_end 51, which is 0 until execve has made the new stack.
    let flags: u32 = fields.nth(3)?.parse().ok()?;
    let start_ticks = fields.nth(12)?.parse().ok()?;
    let has_environment = fields.nth(28).is_none_or(|end| end != "0");
    Some(Process {
        pid: Pid::from_raw(pid.parse().ok()?)?,
        parent,
        group,
        start_ticks,
        ended: matches!(state, "Z" | "X"),
        between_programs: !has_environment && flags & WITHOUT_PROGRAM == 0,
    })
}

/// The direct children of this process, kept open because it is asked once per execution.
///
/// The kernel lists children by the thread that has them: those that this thread started, and those that came home
/// to the subreaper, which it gives to the first living thread.
#[derive(Debug)]
pub struct Children {
    /// `None` where the kernel was built without these lists; then every process is looked at.
    lists: Option<Vec<File>>,
}

impl Children {
    /// For the calling thread and the main thread: all executions must be started by the same thread.
    pub fn open() -> Self {
        let own = rustix::thread::gettid();
        let main = rustix::process::getpid();
        let open = |tid: Pid| File::open(format!("/proc/self/task/{tid}/children"));
        let lists = if own == main {
            open(main).map(|list| vec![list])
        } else {
            open(main).and_then(|list| Ok(vec![list, open(own)?]))
        };
        Self { lists: lists.ok() }
    }

    /// As where the kernel has no such lists.
    #[cfg(test)]
    pub const fn without_lists() -> Self {
        Self { lists: None }
    }

    /// Ids of all direct children, ended ones included. They cannot be recycled until this process collects them.
    pub fn list(&self) -> io::Result<Vec<Pid>> {
        let Some(lists) = &self.lists else {
            let own = rustix::process::getpid().as_raw_nonzero().get();
            return Ok(every_process()?
                .into_iter()
                .filter(|process| process.parent == own)
                .map(|process| process.pid)
                .collect());
        };
        let mut pids = Vec::new();
        let mut text = Vec::new();
        for list in lists {
            text.clear();
            read_from_start(list, &mut text)?;
            parse_pids(&text, &mut pids);
        }
        Ok(pids)
    }

    /// All descendants, parents before their children.
    pub fn descendants(&self) -> io::Result<Vec<Process>> {
        if self.lists.is_none() {
            let own = rustix::process::getpid().as_raw_nonzero().get();
            return Ok(descend(&every_process()?, own));
        }
        let mut found: Vec<Process> = vec![];
        let mut seen = BTreeSet::new();
        let mut next = 0;
        // What loses its parent while we look comes home to us: looked at again until nothing is new. Only what keeps
        // forking is always new, and that is better signalled now and looked at again.
        for _ in 0..LOOKS {
            let known = found.len();
            let mut pids = self.list()?;
            loop {
                let new = pids.into_iter().filter(|pid| seen.insert(pid.as_raw_nonzero()));
                found.extend(new.filter_map(Process::read));
                let Some(process) = found.get(next).filter(|_| next < MANY) else { break };
                next += 1;
                pids = if process.ended { vec![] } else { children_of(process.pid) };
            }
            if found.len() == known || found.len() > MANY {
                break;
            }
        }
        Ok(found)
    }
}

/// A process that ends while it is read has no children left, so errors mean none.
fn children_of(pid: Pid) -> Vec<Pid> {
    let mut pids = Vec::new();
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return pids;
    };
    for task in tasks.flatten() {
        if let Ok(text) = fs::read(task.path().join("children")) {
            parse_pids(&text, &mut pids);
        }
    }
    pids
}

fn parse_pids(text: &[u8], pids: &mut Vec<Pid>) {
    pids.extend(
        text.split(u8::is_ascii_whitespace)
            .filter_map(|word| std::str::from_utf8(word).ok()?.parse().ok())
            .filter_map(Pid::from_raw),
    );
}

fn read_from_start(file: &File, text: &mut Vec<u8>) -> io::Result<()> {
    let mut piece = [0; 1024];
    loop {
        let read = file.read_at(&mut piece, text.len() as u64)?;
        if read == 0 {
            return Ok(());
        }
        text.extend_from_slice(piece.get(..read).unwrap_or_default());
    }
}

/// Every process there is.
pub fn every_process() -> io::Result<Vec<Process>> {
    Ok(fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter_map(Process::read)
        .collect())
}

/// Those of `all` that descend from `root`, parents before their children.
pub fn descend(all: &[Process], root: i32) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.parent == parent) {
            found.push(*process);
            parents.push(process.pid.as_raw_nonzero().get());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(stat: &str, expected: Option<(i32, i32, i32, u64, bool)>) {
        let process = parse_stat(stat.as_bytes());
        let fields = process.map(|p| {
            let pid = p.pid.as_raw_nonzero().get();
            (pid, p.parent, p.group, p.start_ticks, p.ended)
        });
        assert_eq!(fields, expected, "{stat}");
    }

    #[test]
    fn a_command_may_hold_anything() {
        let tail = "20 30 30 0 -1 4194304 91 0 0 0 0 0 0 0 20 0 1 0 7654321 2621440 200";
        check(&format!("10 (sleep) S {tail}"), Some((10, 20, 30, 7_654_321, false)));
        check(&format!("10 (a) R 1 1 (b) Z {tail}"), Some((10, 20, 30, 7_654_321, true)));
        check("10 (sleep) S 20", None);
        check("", None);
    }

    #[test]
    fn who_is_between_two_programs() {
        let check = |flags: u32, env_end: &str, expected: bool| {
            let stat = format!("10 (sh) S 20 30 30 0 -1 {flags} {}7 {}{env_end} 0\n", "0 ".repeat(12), "1 ".repeat(28));
            let process = parse_stat(stat.as_bytes()).unwrap();
            assert_eq!((process.start_ticks, process.between_programs), (7, expected), "{stat}");
        };
        check(0x40_0000, "0", true);
        check(0x40_0000, "140737488347135", false);
        check(0x40_0004, "0", false);
        check(0x20_8040, "0", false);
    }

    #[test]
    fn our_own_parent_and_start_are_read() {
        let own = rustix::process::getpid();
        let process = Process::read(own).unwrap();
        let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        assert_eq!((process.pid, process.parent), (own, parent));
        assert!(process.start_ticks > 0 && !process.ended && !process.between_programs);
    }

    #[test]
    fn descent_is_by_parents_only() {
        let one = |pid, parent| Process {
            pid: Pid::from_raw(pid).unwrap(),
            parent,
            group: pid,
            start_ticks: 1,
            ended: false,
            between_programs: false,
        };
        let all = [one(2, 1), one(3, 2), one(4, 9), one(5, 3), one(9, 1)];
        let found: Vec<i32> = descend(&all, 2).iter().map(|p| p.pid.as_raw_nonzero().get()).collect();
        assert_eq!(found, [3, 5]);
    }
}
