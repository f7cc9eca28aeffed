//! What the hardware said, as a report tells it: which sources there were, the steps that have news, what came late, and
//! plots along the run. Where nothing could be checked that is said, and nothing else.

use serde::Serialize;

use super::Part;
use super::plots::{Plots, ShownPlot};
use super::row::Row;
use crate::domain::evidence::{self, Found, SourceId};
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::domain::summary::short_name;
use crate::domain::time::Timestamp;

/// So many steps with news are shown, and so many late words; journals and exports have all.
const SHOWN: usize = 100;

/// What was seen in some sub-runs.
#[derive(Debug, Default)]
pub struct Hardware {
    steps: Vec<ShownStep>,
    left_out: u64,
    plots: Plots,
}

/// A step with news, as templates see it.
#[derive(Debug, Clone, Serialize)]
struct ShownStep {
    subrun: String,
    point: String,
    index: u32,
    step: String,
    combination: String,
    cell: &'static str,
    glyph: char,
    news: Vec<String>,
    lines: Vec<String>,
}

/// The evidence as templates see it.
#[derive(Debug, Serialize)]
pub struct ShownEvidence {
    /// Whether anything could be looked at.
    available: bool,
    sources: Vec<ShownSource>,
    steps: Vec<ShownStep>,
    steps_left_out: u64,
    late: Vec<ShownLate>,
    late_left_out: u64,
    plots: Vec<ShownPlot>,
}

#[derive(Debug, Serialize)]
struct ShownSource {
    source: &'static str,
    status: &'static str,
    detail: String,
}

#[derive(Debug, Serialize)]
struct ShownLate {
    at: Timestamp,
    subrun: String,
    news: Vec<String>,
    lines: Vec<String>,
}

impl Part for Hardware {
    fn sub_run(&mut self, state: &RunState, index: u32) {
        self.plots.sub_run(state, index);
        for row in Row::all(state, index) {
            let Some(finished) = row.finished() else { continue };
            let news = evidence::news(&finished.observed);
            if news.is_empty() {
                continue;
            }
            if self.steps.len() == SHOWN {
                self.left_out += 1;
                continue;
            }
            let started = &row.execution.started;
            self.steps.push(ShownStep {
                subrun: short_name(state.plan.experiment.sub_runs(), index),
                point: state.plan.experiment.point(index).unwrap_or_default().shown(),
                index: started.index,
                step: started.step.to_string(),
                combination: sanitize::escaped(&started.combination).into_owned(),
                cell: row.cell().as_str(),
                glyph: row.cell().glyph(),
                news,
                lines: evidence::log_lines(&finished.observed),
            });
        }
    }
}

impl Hardware {
    /// With what was seen in the sub-runs behind these.
    pub fn join(&mut self, other: Self) {
        let room = SHOWN - self.steps.len();
        self.left_out += other.left_out + other.steps.len().saturating_sub(room) as u64;
        self.steps.extend(other.steps.into_iter().take(room));
        self.plots.join(other.plots);
    }

    /// The evidence as templates see it; nothing of a record that does not say which sources there were.
    pub fn shown(&self, state: &RunState) -> Option<ShownEvidence> {
        if state.sources.is_empty() {
            return None;
        }
        let source = |(source, found): (&SourceId, &Found)| ShownSource {
            source: source.as_str(),
            status: found.status.as_str(),
            detail: found.detail.as_deref().map(|d| sanitize::escaped(d).into_owned()).unwrap_or_default(),
        };
        let count = state.plan.experiment.sub_runs();
        let mut late: Vec<ShownLate> = vec![];
        let mut late_left_out = 0;
        let all =
            state.late.iter().flat_map(|(index, all)| all.iter().map(move |(at, observed)| (index, at, observed)));
        for (index, at, observed) in all {
            let news = evidence::news(observed);
            if news.is_empty() {
                continue;
            }
            if late.len() == SHOWN {
                late_left_out += 1;
                continue;
            }
            let lines = evidence::log_lines(observed);
            late.push(ShownLate { at: *at, subrun: short_name(count, *index), news, lines });
        }
        Some(ShownEvidence {
            available: evidence::any_available(&state.sources),
            sources: state.sources.iter().map(source).collect(),
            steps: self.steps.clone(),
            steps_left_out: self.left_out,
            late,
            late_left_out,
            plots: self.plots.shown(state),
        })
    }
}
