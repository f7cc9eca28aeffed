//! Which points of a line are not worth measuring any more, as the margin profile's `stop_line` says.
//! Never looks at anything but verdicts and positions.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::margin::StopAfter;
use crate::domain::plan::Experiment;

/// Every line of the grid along the stop axis that something ended badly on.
#[derive(Debug, Clone, Default)]
pub struct StopLines {
    lines: BTreeMap<Vec<u32>, Line>,
}

#[derive(Debug, Clone, Default)]
struct Line {
    /// Positions on the axis that ended badly.
    bad: BTreeSet<u32>,
    /// The position behind which nothing is measured.
    after: Option<u32>,
}

/// The other positions of a point, which name its line, and its own on the axis.
fn place(experiment: &Experiment, sub_run: u32) -> Option<(Vec<u32>, u32)> {
    let axis = experiment.stop_line.axis? as usize;
    let mut line = experiment.points.row(sub_run as usize)?.to_vec();
    let position = (axis < line.len()).then(|| line.remove(axis))?;
    Some((line, position))
}

impl StopLines {
    /// Takes in how a sub-run ended: whether the host went down in it, and whether any of its steps was the unit's failure.
    pub fn ended(&mut self, experiment: &Experiment, sub_run: u32, crashed: bool, unit_failed: bool) {
        let bad = match experiment.stop_line.after {
            StopAfter::Crashed => crashed,
            StopAfter::Fail => unit_failed,
        };
        if !bad {
            return;
        }
        let Some((line, position)) = place(experiment, sub_run) else { return };
        let line = self.lines.entry(line).or_default();
        line.bad.insert(position);
        // So many in a row along the axis, in whatever order they were measured.
        let first = (0..=position).rev().take_while(|p| line.bad.contains(p)).last().unwrap_or(position);
        let last =
            line.bad.range(position..).zip(position..).take_while(|(p, n)| *p == n).last().map_or(position, |l| l.1);
        let count = experiment.stop_line.count.max(1);
        if last - first + 1 >= count {
            let reached = first + count - 1;
            line.after = Some(line.after.map_or(reached, |after| after.min(reached)));
        }
    }

    /// Why a sub-run is not to be measured, if so. What lies behind goes by the axis as written, not by the order of
    /// execution: a line walked from its far end still comes to its boundary.
    pub fn stopped(&self, experiment: &Experiment, sub_run: u32) -> Option<String> {
        let (line, position) = place(experiment, sub_run)?;
        let after = self.lines.get(&line)?.after?;
        if position <= after {
            return None;
        }
        let axis = experiment.axes.get(experiment.stop_line.axis? as usize)?;
        let count = experiment.stop_line.count.max(1);
        let what = match experiment.stop_line.after {
            StopAfter::Crashed => "crashed",
            StopAfter::Fail => "failed",
        };
        let points = if count == 1 { "a point".to_owned() } else { format!("{count} points in a row") };
        Some(format!("not measured: {points} of its line along {} {what} before it", axis.name))
    }
}
