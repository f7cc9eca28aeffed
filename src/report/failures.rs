//! Each execution that did not pass, with what was checked and the last lines of its logs; the first hundred of them.

use std::mem;

use serde::Serialize;

use super::Part;
use super::row::{Row, ShownRow};
use super::tail::{self, Tail};
use crate::domain::event::Evidence;
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::domain::verdict::Verdict;
use crate::store::layout::RunDir;

/// So many are shown; the exports have all.
const SHOWN: usize = 100;

/// Failures of some sub-runs.
#[derive(Debug, Default)]
pub struct Failures {
    /// Those that are shown.
    pub list: Vec<Failure>,
    /// How many more there are.
    pub left_out: u64,
}

/// An execution that did not pass.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// What its row says.
    #[serde(flatten)]
    pub row: ShownRow,
    /// Its number within its sub-run, as `index` of the row.
    pub execution: u32,
    /// What was checked to reach the verdict.
    pub checks: Vec<Check>,
    /// The end of its stdout.
    #[serde(rename = "stdout")]
    pub stdout_tail: Tail,
    /// Likewise.
    #[serde(rename = "stderr")]
    pub stderr_tail: Tail,
}

/// One thing that was checked.
#[derive(Debug, Serialize)]
pub struct Check {
    /// What was looked at.
    pub check: String,
    /// `held`, `did not hold`, `not checked`.
    pub held: &'static str,
    /// It held.
    pub ok: bool,
    /// What was found; may be empty.
    pub found: String,
}

impl Failures {
    /// With those of the sub-runs behind these; the logs of those that are shown are read from `dir`.
    pub fn join(&mut self, other: Self, dir: &RunDir) {
        let room = SHOWN - self.list.len();
        self.left_out += other.left_out + other.list.len().saturating_sub(room) as u64;
        for mut failure in other.list.into_iter().take(room) {
            for tail in [&mut failure.stdout_tail, &mut failure.stderr_tail] {
                *tail = tail::of(&dir.root().join(&tail.path), mem::take(&mut tail.path), tail.bytes);
            }
            self.list.push(failure);
        }
    }
}

/// Whether an execution is shown among the failures: all that ended otherwise than well, or did not end. A rule's skip is
/// the sub-run's to tell.
fn is_failure(row: &Row<'_>) -> bool {
    row.verdict().is_none_or(|verdict| verdict > Verdict::Pass)
}

impl Part for Failures {
    fn sub_run(&mut self, state: &RunState, index: u32) {
        for row in Row::all(state, index).filter(is_failure) {
            if self.list.len() == SHOWN {
                self.left_out += 1;
                continue;
            }
            let finished = row.finished();
            let [stdout, stderr] = row.logs();
            // The logs are read once it is known which failures are shown.
            let tail =
                |path: String, bytes: Option<u64>| Tail { path, bytes: bytes.unwrap_or_default(), ..Tail::default() };
            let stdout_tail = tail(stdout, finished.map(|f| f.stdout_bytes));
            let stderr_tail = tail(stderr, finished.map(|f| f.stderr_bytes));
            let checks = finished.map(|f| f.evidence.iter().map(check).collect()).unwrap_or_default();
            let execution = row.execution.started.index;
            self.list.push(Failure { row: row.shown(), execution, checks, stdout_tail, stderr_tail });
        }
    }
}

fn check(evidence: &Evidence) -> Check {
    Check {
        check: sanitize::escaped(&evidence.check).into_owned(),
        held: match evidence.held {
            Some(true) => "held",
            Some(false) => "did not hold",
            None => "not checked",
        },
        ok: evidence.held == Some(true),
        found: evidence.found.as_deref().map(|found| sanitize::escaped(found).into_owned()).unwrap_or_default(),
    }
}
