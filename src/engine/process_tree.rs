//! Owns the process tree of one execution, from the spawn until no descendant is left.
//! Never decides when to end it, never signals a process that might not be ours.

use std::cell::Cell;
use std::io;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open, pidfd_send_signal, set_child_subreaper, wait,
    waitpid,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::signal::unix::SignalKind;
use wait4::Wait4;

use super::process_scan::{Children, Process};

/// The right to collect every process that comes home. There must be one per process, and while an execution
/// is under way nobody else may start or wait for children.
#[derive(Debug)]
pub struct Reaper {
    children: Children,
    /// The most memory that this process is known to have had, KiB.
    own_peak_kb: Cell<u64>,
    /// Held only where our own parent made us ignore SIGCHLD: then the kernel would collect our children itself and
    /// forget how they ended.
    _attentive: Option<tokio::signal::unix::Signal>,
}

impl Reaper {
    /// Makes this process a child subreaper. To be called by the thread that will start the executions, in its runtime.
    pub fn new() -> io::Result<Self> {
        set_child_subreaper(Some(rustix::process::getpid()))?;
        let ignored = is_ignored(Signal::CHILD)?;
        Ok(Self {
            children: Children::open(),
            own_peak_kb: Cell::new(0),
            _attentive: ignored.then(|| tokio::signal::unix::signal(SignalKind::child())).transpose()?,
        })
    }
}

impl Reaper {
    /// A child starts in our memory and the kernel counts that as its own peak, so a peak that is no larger than ours
    /// says nothing of the child. With room for the kernel's counters, which are not exact.
    fn beyond_own(&self, peak_kb: u64) -> Option<u64> {
        let beyond = |own: u64| peak_kb > own + own / 8 + 1024;
        if !beyond(self.own_peak_kb.get()) {
            return None;
        }
        self.own_peak_kb.set(own_peak_kb().unwrap_or(u64::MAX / 2));
        beyond(self.own_peak_kb.get()).then_some(peak_kb)
    }
}

fn own_peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// Whether this process ignores `signal`, as after `nohup` or `trap ''` in the shell that started it.
pub fn is_ignored(signal: Signal) -> io::Result<bool> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .ok_or_else(|| io::Error::other("no SigIgn in /proc/self/status"))?;
    let bit = u32::try_from(signal.as_raw() - 1).unwrap_or_default();
    Ok(mask >> bit & 1 == 1)
}

/// How the leader ended and what it used.
#[derive(Clone, Copy, Debug)]
pub struct LeaderExit {
    /// Exit code or signal.
    pub status: ExitStatus,
    /// Processor time in user mode, of the leader and all that it waited for.
    pub user: Duration,
    /// Processor time in the kernel, likewise.
    pub system: Duration,
    /// Largest resident set, KiB, where it can be told apart from our own.
    pub max_rss_kb: Option<u64>,
}

/// What is known once the leader has ended.
#[derive(Clone, Copy, Debug)]
pub enum Remains {
    /// Nothing is left: the tree is gone.
    Gone(LeaderExit),
    /// So many processes are still alive. The leader is not collected, which keeps its group's id from being reused.
    Alive(usize),
}

/// The process group of one execution and whatever has left it.
#[derive(Debug)]
pub struct ProcessTree<'r> {
    reaper: &'r Reaper,
    leader: Child,
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
    /// Set when the leader is collected; from then on its pid and group may belong to somebody else.
    exit: Option<LeaderExit>,
}

impl<'r> ProcessTree<'r> {
    /// Takes over a process just spawned as leader of its own group. Must run inside a tokio runtime.
    ///
    /// # Errors
    /// Out of descriptors; then the process is ended and collected.
    pub fn adopt(reaper: &'r Reaper, mut leader: Child) -> io::Result<Self> {
        let pid = Pid::from_child(&leader);
        match watch(pid) {
            Ok(pidfd) => Ok(Self { reaper, leader, pid, pidfd, exit: None }),
            Err(error) => {
                // Should both fail there is no process any more.
                let _ended = kill_process_group(pid, Signal::KILL);
                drop(leader.wait());
                Err(error)
            }
        }
    }

    /// The leader's process id, which is also its group's.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// When the leader started, in clock ticks since boot: with the pid it names one process for good.
    pub fn start_ticks(&self) -> Option<u64> {
        Process::read(self.pid).map(|process| process.start_ticks)
    }

    /// Waits for the leader's end without collecting it. Safe to drop and call again.
    pub async fn leader_ended(&self) -> io::Result<()> {
        self.pidfd.readable().await.map(|_| ())
    }

    /// Sends `signal` to every process of the tree, wherever it has gone. A stopped process is woken, or it could not die.
    ///
    /// Returns how many outside the group were told.
    pub fn signal(&self, signal: Signal) -> io::Result<usize> {
        let own_group = self.pid.as_raw_nonzero().get();
        if self.exit.is_none() {
            // The leader is not collected, so no other group can have this id. One call for the whole group,
            // with the kernel's lock held: a child being forked cannot slip through.
            send(kill_process_group(self.pid, signal))?;
            send(kill_process_group(self.pid, Signal::CONT))?;
        }
        let mut told = 0;
        for process in self.reaper.children.descendants()? {
            let in_group = self.exit.is_none() && process.group == own_group;
            if process.ended || in_group {
                continue;
            }
            if let Some(pidfd) = hold(&process)? {
                send(pidfd_send_signal(&pidfd, signal))?;
                send(pidfd_send_signal(&pidfd, Signal::CONT))?;
                told += 1;
            }
        }
        Ok(told)
    }

    /// Collects what has ended while the leader runs on: daemons that came home and died. Cheap when there are none.
    ///
    /// Returns whether children other than the leader are still there.
    pub fn collect_strays(&self) -> io::Result<bool> {
        let mut others = false;
        for pid in self.reaper.children.list()? {
            if pid != self.pid || self.exit.is_some() {
                match waitpid(Some(pid), WaitOptions::NOHANG) {
                    Ok(Some(_)) | Err(Errno::CHILD) => {}
                    Ok(None) | Err(Errno::INTR) => others = true,
                    Err(errno) => return Err(errno.into()),
                }
            }
        }
        Ok(others)
    }

    /// What is left, once [`leader_ended`](Self::leader_ended) has returned. To be asked again, after signals, until it
    /// says [`Remains::Gone`]. With nothing left it costs a read and two waits.
    pub fn remains(&mut self) -> io::Result<Remains> {
        if self.collect_strays()? && self.exit.is_none() {
            // Collecting the leader now would let go of its group's id.
            return self.count();
        }
        let exit = self.collect_leader()?;
        loop {
            // The kernel's word: no children at all, hence, to a subreaper, no descendants.
            match wait(WaitOptions::NOHANG) {
                Err(Errno::CHILD) => return Ok(Remains::Gone(exit)),
                Err(Errno::INTR) | Ok(Some(_)) => {}
                Err(errno) => return Err(errno.into()),
                Ok(None) => return self.count(),
            }
        }
    }

    fn count(&self) -> io::Result<Remains> {
        let descendants = self.reaper.children.descendants()?;
        let alive = descendants.iter().filter(|process| !process.ended).count();
        Ok(Remains::Alive(alive))
    }

    fn collect_leader(&mut self) -> io::Result<LeaderExit> {
        if let Some(exit) = self.exit {
            return Ok(exit);
        }
        let Some(used) = self.leader.try_wait4()? else {
            return Err(io::Error::other("the leader has not ended"));
        };
        let exit = LeaderExit {
            status: used.status,
            user: used.rusage.utime,
            system: used.rusage.stime,
            max_rss_kb: self.reaper.beyond_own(used.rusage.maxrss / 1024),
        };
        self.exit = Some(exit);
        Ok(exit)
    }
}

fn watch(pid: Pid) -> io::Result<AsyncFd<OwnedFd>> {
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    #[expect(
        deprecated,
        reason = "its successor is unsafe; an OwnedFd keeps what that one asks for: one descriptor, open as long as it is held"
    )]
    AsyncFd::with_interest(pidfd, Interest::READABLE)
}

/// Opens a handle that stays with this very process, if it is still the one that was seen.
fn hold(seen: &Process) -> io::Result<Option<OwnedFd>> {
    let pidfd = match pidfd_open(seen.pid, PidfdFlags::empty()) {
        Ok(pidfd) => pidfd,
        Err(Errno::SRCH) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    // Seen before and after the handle was opened with one start time: the handle is of that process. The parent
    // may have died meanwhile and given it to us.
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let same = Process::read(seen.pid)
        .is_some_and(|now| now.start_ticks == seen.start_ticks && (now.parent == seen.parent || now.parent == own));
    Ok(same.then_some(pidfd))
}

/// A process that is gone already needs no signal; one that we may not signal is found by the count that stays.
fn send(sent: rustix::io::Result<()>) -> io::Result<()> {
    match sent {
        Ok(()) | Err(Errno::SRCH | Errno::PERM) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::path::{Path, PathBuf};
    use std::time::Instant;

    use super::super::spawn::{Launch, spawn};
    use super::super::test_support::{ALONE, in_runtime};
    use super::*;

    fn alone(name: &str, body: impl AsyncFnOnce()) {
        super::super::test_support::alone(&format!("engine::process_tree::tests::{name}"), || in_runtime(body));
    }

    struct Bench {
        reaper: Reaper,
        folder: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            Self { reaper: Reaper::new().unwrap(), folder: tempfile::tempdir().unwrap() }
        }

        fn start(&self, diag: &str, args: &[&str]) -> ProcessTree<'_> {
            let program: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/diags").join(diag);
            let log = File::create(self.folder.path().join("log")).unwrap();
            let args: Vec<String> = args.iter().map(ToString::to_string).collect();
            let child = spawn(Launch {
                program: &program,
                args: &args,
                env: [("PATH", "/usr/bin:/bin")],
                cwd: self.folder.path(),
                stdout: &log,
                stderr: &log,
            })
            .unwrap();
            ProcessTree::adopt(&self.reaper, child).unwrap()
        }

        fn log(&self) -> String {
            std::fs::read_to_string(self.folder.path().join("log")).unwrap()
        }
    }

    /// Polls without sleeping in one place: yields to the kernel a millisecond at a time until `met`.
    async fn until(what: &str, mut met: impl FnMut() -> bool) {
        let start = Instant::now();
        while !met() {
            assert!(start.elapsed() < Duration::from_secs(20), "waited for {what}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn gone(tree: &mut ProcessTree<'_>, again: Option<Signal>) -> LeaderExit {
        let mut exit = None;
        until("an empty tree", || {
            if let Remains::Gone(how) = tree.remains().unwrap() {
                exit = Some(how);
            } else if let Some(signal) = again {
                tree.signal(signal).unwrap();
            }
            exit.is_some()
        })
        .await;
        assert_eq!(wait(WaitOptions::NOHANG).err(), Some(Errno::CHILD));
        exit.unwrap()
    }

    fn alive(remains: Remains) -> usize {
        match remains {
            Remains::Gone(_) => 0,
            Remains::Alive(count) => count,
        }
    }

    #[test]
    fn nothing_left_is_one_question() {
        alone("nothing_left_is_one_question", async || {
            let bench = Bench::new();
            let mut tree = bench.start("exit_n.sh", &["42"]);
            assert!(tree.start_ticks().unwrap() > 0);
            tree.leader_ended().await.unwrap();
            let Remains::Gone(exit) = tree.remains().unwrap() else { panic!("something is left") };
            assert_eq!(exit.status.code(), Some(42));
            assert_eq!(exit.max_rss_kb, None, "a shell is smaller than this test");
        });
    }

    #[test]
    fn memory_of_our_own_is_not_the_childs() {
        alone("memory_of_our_own_is_not_the_childs", async || {
            let ours = std::hint::black_box(vec![1_u8; 64 << 20]);
            let bench = Bench::new();
            for (mib, known) in [("1", false), ("40", false), ("200", true)] {
                let mut tree = bench.start("use_memory.sh", &[mib]);
                tree.leader_ended().await.unwrap();
                let exit = gone(&mut tree, None).await;
                assert_eq!(exit.max_rss_kb.is_some(), known, "{mib} MiB: {exit:?}");
                assert!(exit.max_rss_kb.is_none_or(|kb| kb > 200 << 10), "{exit:?}");
            }
            drop(ours);
        });
    }

    #[test]
    fn a_grandchild_in_the_group_is_counted_and_ended() {
        alone("a_grandchild_in_the_group_is_counted_and_ended", async || {
            let bench = Bench::new();
            let mut tree = bench.start("leave_grandchild.sh", &[]);
            tree.leader_ended().await.unwrap();
            assert_eq!(alive(tree.remains().unwrap()), 1);
            assert_eq!(tree.signal(Signal::TERM).unwrap(), 0, "one call reached the group");
            let exit = gone(&mut tree, None).await;
            assert_eq!(exit.status.code(), Some(0));
        });
    }

    #[test]
    fn a_hardened_grandchild_in_its_own_session_is_killed() {
        alone("a_hardened_grandchild_in_its_own_session_is_killed", async || {
            let bench = Bench::new();
            let mut tree = bench.start("leave_hardened_grandchild.sh", &[]);
            tree.leader_ended().await.unwrap();
            assert_eq!(alive(tree.remains().unwrap()), 2, "the shell and its sleep");
            // The sleep inherits the ignored SIGTERM as well: both stay.
            assert_eq!(tree.signal(Signal::TERM).unwrap(), 2);
            assert_eq!(alive(tree.remains().unwrap()), 2);
            tree.signal(Signal::KILL).unwrap();
            gone(&mut tree, None).await;
        });
    }

    #[test]
    fn a_fork_chain_of_sessions_is_caught() {
        alone("a_fork_chain_of_sessions_is_caught", async || {
            let bench = Bench::new();
            let mut tree = bench.start("fork_chain.sh", &[]);
            tree.leader_ended().await.unwrap();
            assert!(matches!(tree.remains().unwrap(), Remains::Alive(_)));
            gone(&mut tree, Some(Signal::KILL)).await;
        });
    }

    #[test]
    fn a_fork_bomb_is_caught() {
        alone("a_fork_bomb_is_caught", async || {
            let bench = Bench::new();
            let mut tree = bench.start("fork_bomb.sh", &[]);
            tree.leader_ended().await.unwrap();
            assert!(alive(tree.remains().unwrap()) > 1);
            gone(&mut tree, Some(Signal::KILL)).await;
        });
    }

    #[test]
    fn a_leader_that_ignores_term_needs_kill() {
        alone("a_leader_that_ignores_term_needs_kill", async || {
            let bench = Bench::new();
            let mut tree = bench.start("ignore_term.sh", &[]);
            until("the trap", || bench.log().contains("ready")).await;
            tree.signal(Signal::TERM).unwrap();
            tree.signal(Signal::KILL).unwrap();
            tree.leader_ended().await.unwrap();
            let exit = gone(&mut tree, None).await;
            let signal = std::os::unix::process::ExitStatusExt::signal(&exit.status);
            assert_eq!(signal, Some(Signal::KILL.as_raw()));
        });
    }

    #[test]
    fn a_stopped_leader_can_be_terminated() {
        alone("a_stopped_leader_can_be_terminated", async || {
            let bench = Bench::new();
            let mut tree = bench.start("stop_itself.sh", &[]);
            let pid = tree.pid();
            until("the stop", || {
                let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
                stat.contains(") T ")
            })
            .await;
            tree.signal(Signal::TERM).unwrap();
            tree.leader_ended().await.unwrap();
            let exit = gone(&mut tree, None).await;
            let signal = std::os::unix::process::ExitStatusExt::signal(&exit.status);
            assert_eq!(signal, Some(Signal::TERM.as_raw()));
            assert!(!bench.log().contains("resumed"));
        });
    }

    #[test]
    fn a_descendant_elsewhere_is_told_while_the_leader_runs() {
        alone("a_descendant_elsewhere_is_told_while_the_leader_runs", async || {
            let bench = Bench::new();
            let mut tree = bench.start("leave_hardened_grandchild.sh", &[]);
            let marker = bench.folder.path().join("hardened");
            until("the grandchild", || marker.metadata().is_ok_and(|m| m.len() > 0)).await;
            assert_eq!(tree.signal(Signal::KILL).unwrap(), 2);
            tree.leader_ended().await.unwrap();
            gone(&mut tree, None).await;
        });
    }

    #[test]
    fn an_ignored_child_signal_loses_no_exit_code() {
        // The parent of the test cannot ignore signals in safe Rust, a shell can.
        let name = "engine::process_tree::tests::nothing_left_is_one_question";
        let status = std::process::Command::new("/bin/sh")
            .args(["-c", "trap '' CHLD; exec \"$0\" \"$@\""])
            .arg(std::env::current_exe().unwrap())
            .args([name, "--exact", "--test-threads=1"])
            .env(ALONE, "1")
            .output()
            .unwrap()
            .status;
        assert!(status.success());
    }

    #[test]
    fn without_lists_of_children_every_process_is_looked_at() {
        alone("without_lists_of_children_every_process_is_looked_at", async || {
            let bench = Bench::new();
            let mut tree = bench.start("leave_hardened_grandchild.sh", &[]);
            tree.leader_ended().await.unwrap();
            let pids = |children: &Children| {
                let found = children.descendants().unwrap();
                let mut pids: Vec<i32> = found.iter().map(|p| p.pid.as_raw_nonzero().get()).collect();
                pids.sort_unstable();
                (pids, children.list().unwrap().len())
            };
            assert_eq!(pids(&Children::without_lists()), pids(&bench.reaper.children));
            assert_eq!(pids(&bench.reaper.children).0.len(), 3, "leader, shell, sleep");
            gone(&mut tree, Some(Signal::KILL)).await;
        });
    }

    #[test]
    fn a_process_seen_and_replaced_is_not_held() {
        let own = Process::read(rustix::process::getpid()).unwrap();
        assert!(hold(&own).unwrap().is_some());
        let other = Process { start_ticks: own.start_ticks + 1, ..own };
        assert!(hold(&other).unwrap().is_none());
    }
}
