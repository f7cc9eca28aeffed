//! What cleaning did, and what a new workspace holds. Text from names and errors is sanitised by the tables.

use std::fmt::Write as _;

use crate::commands::clean::{Action, Cleaned, Row};
use crate::commands::init::Initialized;
use crate::domain::sanitize;
use crate::headless::confirm::count;
use crate::headless::tables::Table;

/// What was deleted, what stays and why, and what that freed. Quiet: only the last line, and what failed.
pub fn cleaned(cleaned: &Cleaned, quiet: bool) -> String {
    let mut table = Table::new(&["", "RUN", "STATUS", "AGE", "SIZE", "WHY"]);
    let mut rows = 0;
    for (row, nameless) in cleaned
        .runs
        .iter()
        .map(|row| (row, "unreadable"))
        .chain(cleaned.left_overs.iter().map(|row| (row, "left over")))
    {
        if quiet && row.action != Action::Failed {
            continue;
        }
        rows += 1;
        let status = row.status.map_or_else(|| nameless.to_owned(), |status| status.to_string());
        let age = format!("{}d", row.age_days);
        let bytes = if row.action == Action::Kept { "-".to_owned() } else { size(row.bytes) };
        table.row([action(row.action), &row.name, &status, &age, &bytes, row.reason.as_deref().unwrap_or_default()]);
    }
    let mut out = if rows > 0 { table.text() } else { String::new() };
    if !quiet && !cleaned.not_runs.is_empty() {
        let names: Vec<_> = cleaned.not_runs.iter().take(10).map(|name| sanitize::escaped(name)).collect();
        let more = cleaned.not_runs.len().saturating_sub(names.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let _ = writeln!(out, "not touched, no runs: {}{more}", names.join(" "));
    }
    let of = |rows: &[Row], actions: &[Action]| rows.iter().filter(|row| actions.contains(&row.action)).count() as u64;
    let gone = [Action::Deleted, Action::WouldDelete];
    let (runs, left_overs) = (of(&cleaned.runs, &gone), of(&cleaned.left_overs, &gone));
    let verb = if cleaned.dry_run { "would delete" } else { "deleted" };
    let _ = write!(out, "{verb} {}", count(runs, "run"));
    if left_overs > 0 {
        let _ = write!(out, " and {}", count(left_overs, "left-over folder"));
    }
    let freed = if cleaned.dry_run { "to be freed" } else { "freed" };
    let _ = write!(out, ", {} {freed}; kept {}", size(cleaned.freed_bytes), of(&cleaned.runs, &[Action::Kept]));
    let failed = of(&cleaned.runs, &[Action::Failed]) + of(&cleaned.left_overs, &[Action::Failed]);
    if failed > 0 {
        let _ = write!(out, "; {failed} could not be deleted");
    }
    out.push('\n');
    out
}

const fn action(action: Action) -> &'static str {
    match action {
        Action::Deleted => "deleted",
        Action::WouldDelete => "would delete",
        Action::Kept => "kept",
        Action::Failed => "FAILED",
    }
}

/// Bytes for people, to a tenth of the largest unit that they fill.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut unit = "B";
    let (mut whole, mut tenths) = (bytes, 0);
    for next in UNITS {
        if whole < 1024 {
            break;
        }
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit = next;
    }
    if unit == "B" { format!("{whole}B") } else { format!("{whole}.{tenths}{unit}") }
}

/// A new workspace, and what to do in it.
pub fn initialized(done: &Initialized, quiet: bool) -> String {
    let workspace = done.workspace.display().to_string();
    let workspace = sanitize::escaped(&workspace);
    let files = count(done.files.len() as u64, "file");
    let mut out = format!("wrote {files} to {workspace}\n");
    if !quiet {
        out.push_str("\nnext, in that folder\n");
        for (command, says) in [
            ("road_runner", "what the workspace holds"),
            ("road_runner adapters check", "which diagnostics can be started here"),
            ("road_runner policy explain", "the bounds in force: set them for your hardware"),
            ("road_runner run --flow sample_flow --margin sample_margin", "the first sweep, in a few seconds"),
        ] {
            let _ = writeln!(out, "  {command:<60}{says}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::RunStatus;

    fn row(name: &str, status: Option<RunStatus>, action: Action, reason: Option<&str>, bytes: u64) -> Row {
        Row { name: name.to_owned(), status, age_days: 31, action, reason: reason.map(str::to_owned), bytes }
    }

    fn check(dry_run: bool, quiet: bool) -> String {
        let gone = if dry_run { Action::WouldDelete } else { Action::Deleted };
        let sample = Cleaned {
            dry_run,
            freed_bytes: 5_000_000,
            runs: vec![
                row("rr-c", Some(RunStatus::Completed), Action::Kept, Some("not old enough"), 0),
                row("rr-b", None, Action::Failed, Some("failed to remove x\u{1b}[2J: Permission denied"), 0),
                row("rr-a", Some(RunStatus::Completed), gone, None, 4_999_000),
            ],
            left_overs: vec![row(".rr-d", None, gone, None, 1000)],
            not_runs: vec!["notes\u{202e}".to_owned()],
        };
        cleaned(&sample, quiet)
    }

    #[test]
    fn what_was_done_and_why_not() {
        insta::assert_snapshot!(check(false, false), @r"
                 RUN    STATUS      AGE  SIZE    WHY
        kept     rr-c   completed   31d  -       not old enough
        FAILED   rr-b   unreadable  31d  0B      failed to remove x\u{1b}[2J: Permission denied
        deleted  rr-a   completed   31d  4.7MiB
        deleted  .rr-d  left over   31d  1000B
        not touched, no runs: notes\u{202e}
        deleted 1 run and 1 left-over folder, 4.7MiB freed; kept 1; 1 could not be deleted
        ");
        insta::assert_snapshot!(check(true, true), @r"
                RUN   STATUS      AGE  SIZE  WHY
        FAILED  rr-b  unreadable  31d  0B    failed to remove x\u{1b}[2J: Permission denied
        would delete 1 run and 1 left-over folder, 4.7MiB to be freed; kept 1; 1 could not be deleted
        ");
    }

    #[test]
    fn sizes() {
        let check = |bytes, expected: &str| assert_eq!(size(bytes), expected);
        check(0, "0B");
        check(1023, "1023B");
        check(1024, "1.0KiB");
        check(1_048_575, "1023.9KiB");
        check(1_048_576, "1.0MiB");
        check(u64::MAX, "16383.9PiB");
    }
}
