//! A switch for tests: the process ends or stops itself at the n-th point around something that has to last. Unset it costs
//! a point one relaxed load of a flag. Never part of how a run works, and of no process that the runner starts.
//!
//! `ROAD_RUNNER_INTERRUPT` is a list with `,` between: `kill:N` (SIGKILL at the N-th point, from 1), `stop:N` (SIGSTOP there),
//! `stop` (SIGSTOP at every point), `trace:FILE`, which stands last (a line `N before WHAT` or `N after WHAT` for each point).
//! Points are those of the thread that armed the switch, which is the one that decides: a thread that brings logs to the disk
//! beside it would make N another one each time. What grows by itself and is no evidence, `logs.idx`, has no points.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ThreadId};

use rustix::process::{Signal, getpid, kill_process};

/// The environment variable that sets the switch.
pub const VARIABLE: &str = "ROAD_RUNNER_INTERRUPT";

static IS_ARMED: AtomicBool = AtomicBool::new(false);
static ARMED: OnceLock<Armed> = OnceLock::new();

/// Why the switch cannot be set.
#[derive(Debug, thiserror::Error)]
pub enum ArmError {
    /// It says nothing that is known.
    #[error("{VARIABLE} is {0:?}, which is none of kill:N, stop:N, stop and trace:FILE")]
    Malformed(String),
    /// Points cannot be written down.
    #[error("{VARIABLE}: {}: {source}", .path.display())]
    Trace {
        /// Where to.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// It was set before.
    #[error("{VARIABLE} is set already")]
    Twice,
}

/// What the switch says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Orders {
    /// SIGKILL at that point.
    kill: Option<u64>,
    /// SIGSTOP at that point.
    stop: Option<u64>,
    /// SIGSTOP at every point.
    stop_always: bool,
    /// Where points are written down.
    trace: Option<PathBuf>,
}

#[derive(Debug)]
struct Armed {
    orders: Orders,
    trace: Option<File>,
    thread: ThreadId,
    passed: AtomicU64,
}

/// Sets the switch to what the variable says; an empty one is one that is not set. Points of the calling thread count.
pub fn arm(variable: Option<&OsStr>) -> Result<(), ArmError> {
    let Some(text) = variable.filter(|text| !text.is_empty()) else { return Ok(()) };
    let malformed = || ArmError::Malformed(text.to_string_lossy().into_owned());
    let orders = text.to_str().and_then(Orders::parse).ok_or_else(malformed)?;
    let open = |path: &PathBuf| {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        opened.map_err(|source| ArmError::Trace { path: path.clone(), source })
    };
    let trace = orders.trace.as_ref().map(open).transpose()?;
    let armed = Armed { orders, trace, thread: thread::current().id(), passed: AtomicU64::new(0) };
    ARMED.set(armed).map_err(|_| ArmError::Twice)?;
    IS_ARMED.store(true, Ordering::Relaxed);
    Ok(())
}

/// Does something that has to last, with a point on either side.
#[inline]
pub fn around<T>(what: &'static str, act: impl FnOnce() -> T) -> T {
    before(what);
    let done = act();
    after(what);
    done
}

/// The point before something that has to last. Where [`around`] does not reach, such as over an `await`.
#[inline]
pub fn before(what: &'static str) {
    if IS_ARMED.load(Ordering::Relaxed) {
        pass("before", what);
    }
}

/// The point behind it.
#[inline]
pub fn after(what: &'static str) {
    if IS_ARMED.load(Ordering::Relaxed) {
        pass("after", what);
    }
}

#[cold]
fn pass(side: &str, what: &str) {
    let Some(armed) = ARMED.get().filter(|armed| armed.thread == thread::current().id()) else { return };
    let point = armed.passed.fetch_add(1, Ordering::Relaxed) + 1;
    if let Some(mut trace) = armed.trace.as_ref() {
        // Whoever reads it sees where it ends.
        drop(trace.write_all(format!("{point} {side} {what}\n").as_bytes()));
    }
    if let Some(signal) = armed.orders.signal_at(point) {
        // A process can always signal itself.
        let _ = kill_process(getpid(), signal);
    }
}

impl Orders {
    fn parse(text: &str) -> Option<Self> {
        let mut orders = Self::default();
        let mut rest = Some(text);
        while let Some(text) = rest {
            if let Some(path) = text.strip_prefix("trace:") {
                orders.trace = Some(path).filter(|path| !path.is_empty()).map(PathBuf::from);
                return orders.trace.is_some().then_some(orders);
            }
            let (word, behind) = text.split_once(',').map_or((text, None), |(word, behind)| (word, Some(behind)));
            match word.split_once(':') {
                Some(("kill", point)) => orders.kill = Some(number(point)?),
                Some(("stop", point)) => orders.stop = Some(number(point)?),
                None if word == "stop" => orders.stop_always = true,
                _ => return None,
            }
            rest = behind;
        }
        Some(orders)
    }

    fn signal_at(&self, point: u64) -> Option<Signal> {
        if self.kill == Some(point) {
            Some(Signal::KILL)
        } else {
            (self.stop_always || self.stop == Some(point)).then_some(Signal::STOP)
        }
    }
}

/// A whole number from 1, written plainly.
fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| plain && *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_is_understood_or_refused() {
        let check = |text: &str, expected: Option<Orders>| assert_eq!(Orders::parse(text), expected, "{text}");
        let none = Orders::default;
        check("kill:12", Some(Orders { kill: Some(12), ..none() }));
        check("stop:1", Some(Orders { stop: Some(1), ..none() }));
        check("stop", Some(Orders { stop_always: true, ..none() }));
        let path = || Some(PathBuf::from("/a,b:c"));
        check("trace:/a,b:c", Some(Orders { trace: path(), ..none() }));
        check("stop,kill:3,trace:/a,b:c", Some(Orders { kill: Some(3), stop_always: true, trace: path(), ..none() }));
        for bad in ["", "kill", "kill:", "kill:0", "kill:-1", "kill:+1", "kill:x", "stop:", "term:1", "stop,", ",stop"]
        {
            check(bad, None);
        }
        check("trace:", None);
        check("trace", None);
        check("kill:99999999999999999999", None);
    }

    #[test]
    fn the_signal_comes_at_its_point_and_at_no_other() {
        let check = |text: &str, expected: [Option<Signal>; 3]| {
            let orders = Orders::parse(text).unwrap();
            assert_eq!([1, 2, 3].map(|point| orders.signal_at(point)), expected, "{text}");
        };
        let stop = Some(Signal::STOP);
        check("kill:2", [None, Some(Signal::KILL), None]);
        check("stop:3", [None, None, stop]);
        check("stop,kill:2", [stop, Some(Signal::KILL), stop]);
        check("trace:x", [None; 3]);
    }

    #[test]
    fn what_is_no_switch_refuses_to_start() {
        let check = |text: &str, expected: &str| {
            let said = arm(Some(OsStr::new(text))).map_err(|error| error.to_string());
            assert_eq!(said, Err(expected.to_owned()));
        };
        arm(None).unwrap();
        arm(Some(OsStr::new(""))).unwrap();
        check("kil:1", "ROAD_RUNNER_INTERRUPT is \"kil:1\", which is none of kill:N, stop:N, stop and trace:FILE");
        check("trace:/nonexistent/x", "ROAD_RUNNER_INTERRUPT: /nonexistent/x: No such file or directory (os error 2)");
        assert!(!IS_ARMED.load(Ordering::Relaxed));
    }
}
