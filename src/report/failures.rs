//! Each execution that did not pass, with what was checked and the last lines of its logs; the first hundred of them.

use serde::Serialize;

use super::Collector;
use super::row::{Row, ShownRow};
use super::tail::{self, Tail};
use crate::domain::event::Evidence;
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::domain::verdict::Verdict;
use crate::store::StoreError;
use crate::store::layout::RunDir;

/// So many are shown; the exports have all.
const SHOWN: usize = 100;

/// The failures collected so far.
#[derive(Debug)]
pub struct Failures {
    dir: RunDir,
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
    /// None yet, of the run in `dir`.
    pub fn new(dir: &RunDir) -> Self {
        Self { dir: dir.clone(), list: vec![], left_out: 0 }
    }
}

/// Whether an execution is shown among the failures: all that ended otherwise than well, or did not end. A rule's skip is
/// the sub-run's to tell.
fn is_failure(row: &Row<'_>) -> bool {
    row.verdict().is_none_or(|verdict| verdict > Verdict::Pass)
}

impl Collector for Failures {
    fn sub_run(&mut self, state: &RunState, index: u32) -> Result<(), StoreError> {
        for row in Row::all(state, index).filter(is_failure) {
            if self.list.len() == SHOWN {
                self.left_out += 1;
                continue;
            }
            let finished = row.finished();
            let [stdout, stderr] = row.logs();
            let tail = |path: String, bytes: Option<u64>| {
                tail::of(&self.dir.root().join(&path), path, bytes.unwrap_or_default())
            };
            let stdout_tail = tail(stdout, finished.map(|f| f.stdout_bytes));
            let stderr_tail = tail(stderr, finished.map(|f| f.stderr_bytes));
            let checks = finished.map(|f| f.evidence.iter().map(check).collect()).unwrap_or_default();
            let execution = row.execution.started.index;
            self.list.push(Failure { row: row.shown(), execution, checks, stdout_tail, stderr_tail });
        }
        Ok(())
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
