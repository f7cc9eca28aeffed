//! Which process a pid is: pids come round again, a pid with its start time does not.
//! Never signals anything; who wants to signal asks here first.

use std::fs;
use std::io;

use serde::{Deserialize, Serialize};

use super::roots::Roots;

/// A process for as long as this boot lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The process id.
    pub pid: u32,
    /// When it started, in clock ticks since boot (`/proc/PID/stat`, field 22).
    pub start_ticks: u64,
}

/// What `/proc/PID/stat` says that we use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStat {
    /// The command name, at most 15 bytes; the process chooses it, so it may hold anything.
    pub comm: String,
    /// `R`, `S`, `D`, `Z` and so on.
    pub state: char,
    /// The parent's pid.
    pub parent: u32,
    /// The process group.
    pub group: u32,
    /// The session.
    pub session: u32,
    /// See [`ProcessIdentity::start_ticks`].
    pub start_ticks: u64,
}

/// Reads a stat line. The name may itself hold spaces, parentheses and newlines: it ends at the last `)`.
pub fn parse_stat(text: &str) -> Option<ProcessStat> {
    let (before, after) = text.rsplit_once(')')?;
    let (_pid, comm) = before.split_once('(')?;
    // After the name come field 3 and on.
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    let number = |field: usize| fields.get(field - 3)?.parse::<u32>().ok();
    Some(ProcessStat {
        comm: comm.to_owned(),
        state: fields.first()?.chars().next()?,
        parent: number(4)?,
        group: number(5)?,
        session: number(6)?,
        start_ticks: fields.get(22 - 3)?.parse().ok()?,
    })
}

/// What is known of the process that has this pid now. `NotFound` when there is none.
pub fn stat(roots: &Roots, pid: u32) -> io::Result<ProcessStat> {
    let bytes = fs::read(roots.proc(&format!("{pid}/stat"))).map_err(|error| {
        // A process that ends between the open and the read answers ESRCH.
        if error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) {
            io::Error::from(io::ErrorKind::NotFound)
        } else {
            error
        }
    })?;
    parse_stat(&String::from_utf8_lossy(&bytes))
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not a stat line"))
}

/// The identity of the process that has this pid now.
pub fn identity(roots: &Roots, pid: u32) -> io::Result<ProcessIdentity> {
    Ok(ProcessIdentity { pid, start_ticks: stat(roots, pid)?.start_ticks })
}

/// The identity of this process.
pub fn own_identity(roots: &Roots) -> io::Result<ProcessIdentity> {
    identity(roots, std::process::id())
}

/// Whether that very process still runs. One that has ended and only waits to be reaped does not.
pub fn is_running(roots: &Roots, process: ProcessIdentity) -> io::Result<bool> {
    match stat(roots, process.pid) {
        Ok(now) => Ok(now.start_ticks == process.start_ticks && !matches!(now.state, 'Z' | 'X' | 'x')),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = "S 1 77 78 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 100 18446744073709551615";

    fn check(line: &str, expected: Option<(&str, u64)>) {
        let stat = parse_stat(line);
        assert_eq!(stat.as_ref().map(|s| (s.comm.as_str(), s.start_ticks)), expected, "{line:?}");
    }

    #[test]
    fn the_name_may_hold_anything() {
        for name in ["sh", "a b", "a) S 9 9 9", "((", "))", "new\nline", ""] {
            check(&format!("4242 ({name}) {TAIL}\n"), Some((name, 987_654)));
        }
        check("4242 (sh) S 1 2 3", None);
        check("4242 sh S 1 2 3", None);
        check("", None);
        let stat = parse_stat(&format!("4242 (sh) {TAIL}")).unwrap();
        assert_eq!((stat.state, stat.parent, stat.group, stat.session), ('S', 1, 77, 78));
    }

    #[test]
    fn a_pid_alone_is_not_a_process() {
        let roots = Roots::default();
        let own = own_identity(&roots).unwrap();
        assert!(is_running(&roots, own).unwrap());
        assert!(!is_running(&roots, ProcessIdentity { start_ticks: own.start_ticks + 1, ..own }).unwrap());
    }

    #[test]
    fn what_has_ended_does_not_run() {
        let roots = Roots::default();
        let mut child = std::process::Command::new("/bin/cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let identity = identity(&roots, child.id()).unwrap();
        assert!(is_running(&roots, identity).unwrap());
        drop(child.stdin.take());
        // Ended but not yet reaped: `waitid` leaves the zombie in place.
        let pid = rustix::process::Pid::from_child(&child);
        let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).unwrap();
        assert_eq!(stat(&roots, child.id()).unwrap().state, 'Z');
        assert!(!is_running(&roots, identity).unwrap());
        child.wait().unwrap();
        assert!(!is_running(&roots, identity).unwrap());
    }
}
