//! Two runs held against each other, as text. Says what was found and judges nothing.

use std::fmt::Write as _;

use crate::commands::compare::{CellChange, Cells, Comparison};
use crate::headless::tables::Table;

/// What two runs have in common and what not; every change that is listed, a line each.
pub fn text(comparison: &Comparison) -> String {
    let mut out = format!("then      {}\nnow       {}\n", comparison.then, comparison.now);
    let mut label = "drift";
    for line in &comparison.drift {
        let _ = writeln!(out, "{label:<9} {line}");
        label = "";
    }
    if comparison.drift.is_empty() {
        let _ = writeln!(out, "{label:<9} none: the host was the same");
    }
    for part in &comparison.parts {
        let details = if part.is_same { "same".to_owned() } else { part.details.join(", ") };
        let _ = writeln!(out, "{:<9} {details}", part.name);
    }
    let cells = &comparison.cells;
    let _ = writeln!(out, "cells     {}", counted(cells));
    if !cells.changes.is_empty() {
        out.push('\n');
    }
    let mut table = Table::indented(0);
    for CellChange { point, sub_run_then, sub_run_now, then, now } in &cells.changes {
        let was = format!("s{sub_run_then} {}", then.as_str());
        table.row([point, &was, "->", &format!("s{sub_run_now} {}", now.as_str())]);
    }
    out.push_str(&table.text());
    if let Some(more) = cells.changed().checked_sub(cells.changes.len()).filter(|more| *more > 0) {
        let _ = writeln!(out, "and {more} more");
    }
    out
}

fn counted(cells: &Cells) -> String {
    if cells.matched == 0 {
        return "the plans have no point in common".to_owned();
    }
    let mut said = format!("{} in both: {} now pass, {} now fail", cells.matched, cells.now_pass, cells.now_fail);
    for (count, what) in
        [(cells.otherwise, "changed otherwise"), (cells.only_then, "only then"), (cells.only_now, "only now")]
    {
        if count > 0 {
            let _ = write!(said, ", {count} {what}");
        }
    }
    said
}
