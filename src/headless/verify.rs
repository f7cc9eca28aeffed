//! What verifying found, a line a run and under it each finding with how to mend it. Text from records is sanitised.

use std::fmt::Write as _;

use crate::commands::verify::Verified;
use crate::domain::sanitize;
use crate::headless::confirm::count;
use crate::headless::maintenance::size;
use crate::headless::progress::Verbosity;

/// So many findings of one run are shown, unless all are asked for.
const SHOWN: usize = 20;

/// Runs by what was found about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Nothing.
    pub sound: u64,
    /// Nothing that is damage.
    pub noted: u64,
    /// Damage.
    pub damaged: u64,
}

impl Totals {
    /// Counts one.
    pub const fn add(&mut self, run: &Verified) {
        match (run.damaged, run.findings.is_empty()) {
            (true, _) => self.damaged += 1,
            (false, false) => self.noted += 1,
            (false, true) => self.sound += 1,
        }
    }

    /// The last line.
    pub fn line(self) -> String {
        let Self { sound, noted, damaged } = self;
        let mut out = format!("{}: {sound} ok", count(sound + noted + damaged, "run"));
        if noted > 0 {
            let _ = write!(out, ", {noted} with notes");
        }
        if damaged > 0 {
            let _ = write!(out, ", {damaged} damaged");
        }
        out
    }
}

/// One run. Quiet: only where it is damaged, and then only the damage.
pub fn lines(run: &Verified, verbosity: Verbosity) -> String {
    let quiet = verbosity == Verbosity::Quiet;
    if quiet && !run.damaged {
        return String::new();
    }
    let status =
        run.status.map_or(if run.run_id.starts_with('.') { "left over" } else { "unreadable" }, |s| s.as_str());
    let found = match run.findings.len() {
        0 => "ok".to_owned(),
        some => count(some as u64, "finding"),
    };
    let mut out = format!("{}  {status}  {found}\n", sanitize::escaped(&run.run_id));
    let most = if verbosity == Verbosity::Verbose { usize::MAX } else { SHOWN };
    let wanted = run.findings.iter().filter(|finding| !quiet || finding.kind.is_damage());
    for finding in wanted.clone().take(most) {
        let word = if finding.kind.is_damage() { "DAMAGE" } else { "note" };
        let file = if finding.file.is_empty() { String::new() } else { format!("{}: ", finding.file) };
        let _ = writeln!(out, "  {word:<6}  {}", sanitize::escaped(&format!("{file}{}", finding.what)));
        let _ = writeln!(out, "          mend: {}", sanitize::escaped(&finding.mend));
    }
    let more = wanted.count().saturating_sub(most);
    if more > 0 {
        let _ = writeln!(out, "  and {more} more; -v shows all");
    }
    out
}

/// Where the work is, for a terminal of so many columns.
pub fn progress(run_id: &str, done: usize, of: usize, bytes: u64, width: usize) -> String {
    let text = format!("verifying {}/{of}  {}  {} read", done + 1, sanitize::escaped(run_id), size(bytes));
    text.chars().take(width.saturating_sub(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::RunStatus;
    use crate::domain::verification::{Finding, Kind};

    fn run(status: Option<RunStatus>, findings: &[(Kind, &str, &str)]) -> Verified {
        let findings: Vec<Finding> =
            findings.iter().map(|(kind, file, what)| Finding::new(*kind, "rr-a", *file, *what)).collect();
        let damaged = findings.iter().any(|finding| finding.kind.is_damage());
        Verified { run_id: "rr-a".to_owned(), status, sealed: true, damaged, findings }
    }

    fn check(run: &Verified, verbosity: Verbosity) -> String {
        lines(run, verbosity)
    }

    #[test]
    fn a_run_and_what_was_found() {
        insta::assert_snapshot!(check(&run(Some(RunStatus::Completed), &[]), Verbosity::Normal), @"rr-a  completed  ok");
        let found = [
            (Kind::Changed, "subruns/x/stdout/0\u{1b}[2J.log", "it is not what it was when the run ended"),
            (Kind::TornTail, "events.ldjson", "torn tail of 3 zero bytes"),
            (Kind::Process, "", "process 7 still runs"),
        ];
        insta::assert_snapshot!(check(&run(None, &found), Verbosity::Normal), @r"
        rr-a  unreadable  3 findings
          DAMAGE  subruns/x/stdout/0\u{1b}[2J.log: it is not what it was when the run ended
                  mend: put a copy of it back; there is no other way to have it again
          note    events.ldjson: torn tail of 3 zero bytes
                  mend: nothing is lost that was complete: readers stop before it
          note    process 7 still runs
                  mend: the next `road_runner run` or `resume` here ends it
        ");
        insta::assert_snapshot!(check(&run(None, &found), Verbosity::Quiet), @r"
        rr-a  unreadable  3 findings
          DAMAGE  subruns/x/stdout/0\u{1b}[2J.log: it is not what it was when the run ended
                  mend: put a copy of it back; there is no other way to have it again
        ");
        assert_eq!(check(&run(None, &found[1..]), Verbosity::Quiet), "");
        let many = [found[0]; 23];
        let text = check(&run(None, &many), Verbosity::Normal);
        assert!(text.ends_with("  and 3 more; -v shows all\n") && text.lines().count() == 42, "{text}");
        assert_eq!(check(&run(None, &many), Verbosity::Verbose).lines().count(), 47);
    }

    #[test]
    fn all_of_them_in_a_line() {
        let mut totals = Totals::default();
        assert_eq!(totals.line(), "0 runs: 0 ok");
        totals.add(&run(None, &[]));
        assert_eq!(totals.line(), "1 run: 1 ok");
        totals.add(&run(None, &[(Kind::Unsealed, "", "")]));
        totals.add(&run(None, &[(Kind::New, "", ""), (Kind::Unsealed, "", "")]));
        assert_eq!(totals.line(), "3 runs: 1 ok, 1 with notes, 1 damaged");
    }

    #[test]
    fn progress_keeps_to_its_line() {
        let check = |width, expected: &str| assert_eq!(progress("rr-a", 1, 12, 5 << 20, width), expected);
        check(80, "verifying 2/12  rr-a  5.0MiB read");
        check(10, "verifying");
        check(0, "");
    }
}
