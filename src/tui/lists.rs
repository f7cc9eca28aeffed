//! The rows of the three lists at the left as they are shown, and a cursor over any list. Made outside of the screen's
//! thread; nothing here reads a file.

use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::event::RunStatus;
use crate::domain::shmoo::Cell;
use crate::domain::verdict::Verdict;
use crate::store::history::RunEntry;

/// A flow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlowLine {
    /// Its name.
    pub name: String,
    /// The file, relative to the workspace.
    pub file: String,
    /// The file.
    pub path: PathBuf,
    /// `3 steps`.
    pub about: String,
    /// What is wrong with it, a few lines each.
    pub problems: Vec<String>,
    /// It cannot be used.
    pub broken: bool,
}

/// A margin profile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MarginLine {
    /// Its name.
    pub name: String,
    /// The file, relative to the workspace.
    pub file: String,
    /// The file.
    pub path: PathBuf,
    /// `6x6 = 36 points`.
    pub about: String,
    /// `bounds ok`, `3 of 36 outside`.
    pub bounds: String,
    /// It leaves the bounds.
    pub outside: bool,
    /// What is wrong with it, a few lines each.
    pub problems: Vec<String>,
    /// It cannot be used.
    pub broken: bool,
}

/// A run.
#[derive(Debug, Clone)]
pub struct RunLine {
    /// Its id.
    pub id: String,
    /// The first six digits of its plan's digest.
    pub short: String,
    /// `17:01` today, else `Nov22`.
    pub when: String,
    /// Its directory.
    pub path: PathBuf,
    /// How far it has come; none where its summary cannot be read.
    pub status: Option<RunStatus>,
    /// How it ended.
    pub verdict: Option<Verdict>,
    /// `17/36`.
    pub progress: String,
    /// The flow's name.
    pub flow: String,
    /// The margin profile's name.
    pub margin: String,
    /// The unit under test.
    pub unit: Option<String>,
    /// A sub-run of it can be run again by `R`.
    pub has_failures: bool,
    /// Why its summary cannot be read.
    pub error: Option<String>,
    /// What a filter looks at.
    pub entry: Arc<RunEntry>,
}

impl RunLine {
    /// Somebody runs it.
    pub fn is_live(&self) -> bool {
        self.status == Some(RunStatus::Running)
    }

    /// What its glyph stands for.
    pub fn cell(&self) -> Option<Cell> {
        match (self.status, self.verdict) {
            (None, _) => None,
            (Some(RunStatus::Running), _) => Some(Cell::Running),
            (Some(RunStatus::Planned | RunStatus::DryRun), _) => Some(Cell::Planned),
            (Some(RunStatus::Interrupted), _) => Some(Cell::Aborted),
            (_, Some(verdict)) => Some(verdict.into()),
            (_, None) => Some(Cell::Skipped),
        }
    }

    /// A word where glyph and figures do not say it all.
    pub fn word(&self) -> &'static str {
        match self.status {
            None => "unreadable",
            Some(RunStatus::Planned) => "plan",
            Some(RunStatus::DryRun) => "dry",
            Some(RunStatus::Interrupted) => "interrupted",
            Some(RunStatus::Cancelled) => "stopped",
            Some(RunStatus::Running | RunStatus::Completed) => "",
        }
    }
}

/// A cursor over rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListCursor {
    /// The row.
    pub at: usize,
}

impl ListCursor {
    /// Moves by so many rows and stays within.
    pub fn go(&mut self, by: isize, count: usize) {
        self.at = self.at.saturating_add_signed(by).min(count.saturating_sub(1));
    }

    /// The next row after this one, or before, that is wanted, around the end.
    pub fn find(&mut self, count: usize, forward: bool, wanted: impl Fn(usize) -> bool) -> bool {
        let step = |by: usize| if forward { (self.at + by) % count } else { (self.at + count - by) % count };
        match (1..=count).map(step).find(|row| wanted(*row)) {
            Some(row) => {
                self.at = row;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_stays_on_its_rows() {
        let check = |from: usize, by: isize, count: usize, expected: usize| {
            let mut cursor = ListCursor { at: from };
            cursor.go(by, count);
            assert_eq!(cursor.at, expected, "{from} by {by} of {count}");
        };
        check(0, -1, 3, 0);
        check(1, 5, 3, 2);
        check(7, 0, 3, 2);
        check(0, 1, 0, 0);
        check(2, isize::MIN, 3, 0);
        check(0, isize::MAX, 3, 2);
    }

    #[test]
    fn what_is_looked_for_is_found_around_the_end() {
        let mut cursor = ListCursor { at: 2 };
        assert!(cursor.find(4, true, |row| row == 1) && cursor.at == 1);
        assert!(cursor.find(4, false, |row| row == 3) && cursor.at == 3);
        assert!(!cursor.find(4, true, |_| false) && cursor.at == 3);
        assert!(!cursor.find(0, true, |_| true));
    }
}
