//! What the workspace and the history hold, as rows of the lists. Made where files are read, never where is drawn.

use std::path::Path;
use std::sync::Arc;

use crate::commands::margins::Within;
use crate::commands::workspace::{RowProblem, WorkspaceView};
use crate::domain::event::RunStatus;
use crate::domain::sanitize;
use crate::domain::time::Timestamp;
use crate::store::history::RunEntry;
use crate::tui::lists::{FlowLine, MarginLine, RunLine};
use crate::tui::message::Workspace;

/// So many problems of one file are told in a list.
const PROBLEMS: usize = 3;

/// The two lists at the left.
pub fn workspace(view: &WorkspaceView, root: &Path) -> Workspace {
    let flows: Vec<FlowLine> = view
        .flows
        .iter()
        .map(|flow| FlowLine {
            name: flow.row.name.clone(),
            file: flow.row.file.clone(),
            path: root.join(&flow.row.file),
            about: counted(flow.row.steps.len() as u128, "step"),
            problems: problems(&flow.problems),
            broken: flow.row.errors > 0,
        })
        .collect();
    let margins: Vec<MarginLine> = view
        .margins
        .iter()
        .map(|margin| MarginLine {
            name: margin.row.name.clone(),
            file: margin.row.file.clone(),
            path: root.join(&margin.row.file),
            about: points(margin.row.points, margin.row.axes.iter().map(|axis| axis.values)),
            bounds: margin.within.shown(),
            outside: margin.within != Within::Allowed,
            problems: problems(&margin.problems),
            broken: margin.row.errors > 0,
        })
        .collect();
    let mut errors: Vec<String> = view.bounds.iter().map(|why| sanitize::line(why).into_owned()).collect();
    for file in &view.others {
        errors.extend(file.problems.iter().filter(|p| p.is_error).map(|p| format!("{}: {}", file.file, p.shown())));
    }
    let first = view.choice.flow.and_then(|at| flows.get(at)).zip(view.choice.margin.and_then(|at| margins.get(at)));
    let first = first.map(|(flow, margin)| (flow.file.clone(), margin.file.clone()));
    Workspace { flows, margins, errors, first }
}

/// `6x6 = 36 pts`, `1 point`.
fn points(points: u128, axes: impl Iterator<Item = u64>) -> String {
    let sizes: Vec<String> = axes.map(|size| size.to_string()).collect();
    match sizes.len() {
        0 | 1 => counted(points, "point"),
        _ => format!("{} = {points} pts", sizes.join("x")),
    }
}

fn counted(number: u128, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn problems(problems: &[RowProblem]) -> Vec<String> {
    let mut lines = vec![];
    for problem in problems.iter().take(PROBLEMS) {
        lines.push(problem.shown());
        lines.extend(problem.help.clone());
    }
    if problems.len() > PROBLEMS {
        lines.push(format!("and {} more: e opens the file", problems.len() - PROBLEMS));
    }
    lines
}

/// The rows of the history, in its order.
pub fn runs(entries: Vec<RunEntry>, now: Timestamp) -> Vec<RunLine> {
    entries.into_iter().map(|entry| run(Arc::new(entry), now)).collect()
}

fn run(entry: Arc<RunEntry>, now: Timestamp) -> RunLine {
    let id = entry.id.to_string();
    let known = entry.summary.as_ref().ok();
    let done: u32 = known.map_or(0, |summary| summary.counts.values().fold(0, |sum, count| sum.saturating_add(*count)));
    RunLine {
        short: entry.id.short_digest().to_owned(),
        when: when(entry.id.prepared_at(), now),
        path: entry.dir.root().to_owned(),
        status: known.map(|summary| summary.status),
        verdict: known.and_then(|summary| summary.verdict),
        progress: known.map_or_else(String::new, |summary| match summary.status {
            RunStatus::Planned | RunStatus::DryRun => summary.subruns.0.to_string(),
            _ => format!("{done}/{}", summary.subruns.0),
        }),
        flow: known.map_or_else(String::new, |summary| summary.flow.to_string()),
        margin: known.map_or_else(String::new, |summary| summary.margin.to_string()),
        unit: known.and_then(|summary| summary.unit.clone()),
        has_failures: known
            .is_some_and(|summary| summary.counts.iter().any(|(verdict, count)| *count > 0 && verdict.is_run_again())),
        error: entry.summary.as_ref().err().map(|error| sanitize::line(&error.to_string()).into_owned()),
        id,
        entry,
    }
}

/// `17:01` of today, `Nov22` of another day, `2024` of another year; UTC, as in the id.
fn when(at: Timestamp, now: Timestamp) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (at, now) = (at.to_string(), now.to_string());
    let part = |text: &str, from: usize, to: usize| text.get(from..to).unwrap_or_default().to_owned();
    if part(&at, 0, 10) == part(&now, 0, 10) {
        return part(&at, 11, 16);
    }
    if part(&at, 0, 4) != part(&now, 0, 4) {
        return part(&at, 0, 4);
    }
    let month = part(&at, 5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    format!("{}{}", month.copied().unwrap_or_default(), part(&at, 8, 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_as_exact_as_its_distance_lets_it_be() {
        let at = |text: &str| Timestamp::parse(text).unwrap();
        let now = at("2025-11-23T17:20:00.000Z");
        let check = |text: &str, expected: &str| assert_eq!(when(at(text), now), expected);
        check("2025-11-23T17:01:59.000Z", "17:01");
        check("2025-11-22T17:01:59.000Z", "Nov22");
        check("2025-01-02T00:00:00.000Z", "Jan02");
        check("2024-11-23T17:01:59.000Z", "2024");
    }

    #[test]
    fn points_are_told_with_their_axes() {
        assert_eq!(points(36, [6, 6].into_iter()), "6x6 = 36 pts");
        assert_eq!(points(11, [11].into_iter()), "11 points");
        assert_eq!(points(1, [].into_iter()), "1 point");
    }
}
