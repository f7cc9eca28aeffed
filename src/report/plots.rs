//! Small plots along a run: what sensors and counters said from execution to execution, as lines that a page draws without
//! a script. A run of any size comes to at most so many points; what was not checked is a gap, never a zero.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Part;
use super::row::Row;
use crate::domain::evidence::{Observation, Observed, SourceId};
use crate::domain::run_state::RunState;

/// More points than this no page has room for.
const POINTS: u64 = 400;
/// The plot's own units: tenths of this wide, this high.
const WIDTH: u64 = 4000;
const TOP: i64 = 30;
const BOTTOM: i64 = 370;

/// What is plotted, in the order of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Temperature,
    Corrected,
    Frequency,
}

/// The plots of some sub-runs: by kind and point its value.
#[derive(Debug, Default)]
pub struct Plots(BTreeMap<Kind, BTreeMap<u64, i64>>);

/// A plot as templates see it.
#[derive(Debug, Serialize)]
pub struct ShownPlot {
    name: &'static str,
    /// The least and the most of it, with units.
    least: String,
    most: String,
    /// Executions that make a point.
    each: u64,
    /// For `<path d=..>` in a box of 400 by 40: digits, points, blanks and `M L h`.
    path: String,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Temperature, Self::Corrected, Self::Frequency];

    fn value(self, observed: &Observed) -> Option<i64> {
        let counted = |source| match observed.get(&source) {
            Some(Observation::Counted(counted)) => i64::try_from(counted.delta).ok(),
            _ => None,
        };
        match (self, observed.get(&SourceId::Temperature), observed.get(&SourceId::Frequency)) {
            (Self::Temperature, Some(Observation::Measured(measured)), _) => Some(measured.max),
            (Self::Frequency, _, Some(Observation::Measured(measured))) => Some(measured.mean),
            (Self::Corrected, ..) => match (counted(SourceId::EdacCe), counted(SourceId::AerCorrected)) {
                (Some(memory), Some(bus)) => Some(memory.saturating_add(bus)),
                (memory, bus) => memory.or(bus),
            },
            _ => None,
        }
    }

    /// Executions that share a point show the worst of them.
    fn joined(self, one: i64, other: i64) -> i64 {
        match self {
            Self::Temperature => one.max(other),
            Self::Frequency => one.min(other),
            Self::Corrected => one.saturating_add(other),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Temperature => "hottest sensor",
            Self::Frequency => "mean clock",
            Self::Corrected => "corrected errors",
        }
    }

    fn show(self, value: i64) -> String {
        let tenths = |value: i64| {
            let sign = if value < 0 { "-" } else { "" };
            format!("{sign}{}.{}", value.unsigned_abs() / 10, value.unsigned_abs() % 10)
        };
        match self {
            Self::Temperature => format!("{} C", tenths(value / 100)),
            Self::Frequency => format!("{} MHz", value / 1000),
            Self::Corrected => value.to_string(),
        }
    }
}

/// How many points a run of that plan has, of how many executions.
fn points(state: &RunState) -> (u64, u64) {
    let experiment = &state.plan.experiment;
    let all = u64::from(experiment.sub_runs()) * u64::from(experiment.executions().max(1));
    (all.min(POINTS), all)
}

impl Plots {
    /// With those of the sub-runs behind these.
    pub fn join(&mut self, other: Self) {
        for (kind, values) in other.0 {
            for (point, value) in values {
                self.put(kind, point, value);
            }
        }
    }

    fn put(&mut self, kind: Kind, point: u64, value: i64) {
        let values = self.0.entry(kind).or_default();
        values.entry(point).and_modify(|before| *before = kind.joined(*before, value)).or_insert(value);
    }

    /// The plots as templates see them, those of which anything was checked.
    pub fn shown(&self, state: &RunState) -> Vec<ShownPlot> {
        let (points, all) = points(state);
        let plot = |(kind, values): (&Kind, &BTreeMap<u64, i64>)| {
            let (least, most) = (values.values().min().copied()?, values.values().max().copied()?);
            let each = all.div_ceil(points.max(1));
            // Counts stand on zero; what is measured fills its box.
            let floor = if *kind == Kind::Corrected { 0 } else { least };
            let path = path(values, points, floor, most);
            Some(ShownPlot { name: kind.name(), least: kind.show(least), most: kind.show(most), each, path })
        };
        self.0.iter().filter_map(plot).collect()
    }
}

fn path(values: &BTreeMap<u64, i64>, points: u64, floor: i64, most: i64) -> String {
    use std::fmt::Write as _;
    let span = i128::from(most) - i128::from(floor);
    let mut out = String::new();
    let mut before = None;
    for (point, value) in values {
        let x = (2 * point + 1) * WIDTH / (2 * points.max(1));
        let part = (i128::from(*value) - i128::from(floor)) * i128::from(BOTTOM - TOP);
        let y = part.checked_div(span).map_or(BOTTOM, |up| BOTTOM - i64::try_from(up).unwrap_or(0));
        let (x, y) = (format!("{}.{}", x / 10, x % 10), format!("{}.{}", y / 10, y % 10));
        // A point by itself is a dot.
        let follows = before.is_some_and(|before: u64| before + 1 == *point);
        let _ = if follows { write!(out, "L{x} {y}") } else { write!(out, "M{x} {y}h.1") };
        before = Some(*point);
    }
    out
}

impl Part for Plots {
    fn sub_run(&mut self, state: &RunState, index: u32) {
        let executions = u64::from(state.plan.experiment.executions().max(1));
        let (points, all) = points(state);
        for row in Row::all(state, index) {
            let Some(finished) = row.finished().filter(|finished| !finished.observed.is_empty()) else { continue };
            // What stands in for a plan knows of no executions: then a sub-run is a point.
            let within = u64::from(finished.index).min(executions - 1);
            let point = (u64::from(index) * executions + within) * points / all.max(1);
            for kind in Kind::ALL {
                if let Some(value) = kind.value(&finished.observed) {
                    self.put(kind, point, value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::event::RunEvent;
    use crate::domain::kit::{self, World};
    use crate::domain::verdict::Verdict::Pass;

    /// The plots of a run of so many sub-runs of two steps, the odd sub-runs seen or not.
    fn plots(sub_runs: u32, odd: bool) -> Vec<ShownPlot> {
        let mut world = World::grid(sub_runs, 1);
        world.flow.steps[0].repeat = 2;
        let plan = Arc::new(world.plan());
        let mut state = kit::state(&plan);
        let mut all = Plots::default();
        for index in 0..sub_runs {
            let mut events = kit::sub_run_opened(&plan, index);
            for step in 0..2 {
                let mut finished = kit::finished(step, Pass);
                if odd || index % 2 == 0 {
                    finished.observed = if step == 0 { kit::quiet() } else { kit::alarming() };
                }
                events.extend([kit::step_started(&plan, index, step, 1), Box::new(finished).into()]);
            }
            for event in kit::recorded(events) {
                state.absorb(event);
            }
            let mut part = Plots::default();
            part.sub_run(&state, index);
            all.join(part);
        }
        let late = RunEvent::from(crate::domain::event::EvidenceLate { index: 0, observed: kit::alarming() });
        for event in kit::recorded(vec![late]) {
            state.absorb(event);
        }
        all.shown(&state)
    }

    #[test]
    fn what_was_not_checked_is_a_gap() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&plots(3, false)).unwrap(), @r#"
        [
          {
            "name": "hottest sensor",
            "least": "61.2 C",
            "most": "93.5 C",
            "each": 1,
            "path": "M33.3 37.0h.1L100.0 3.0M300.0 37.0h.1L366.6 3.0"
          },
          {
            "name": "corrected errors",
            "least": "0",
            "most": "3",
            "each": 1,
            "path": "M33.3 37.0h.1L100.0 3.0M300.0 37.0h.1L366.6 3.0"
          },
          {
            "name": "mean clock",
            "least": "3150 MHz",
            "most": "3150 MHz",
            "each": 1,
            "path": "M33.3 37.0h.1L100.0 37.0M300.0 37.0h.1L366.6 37.0"
          }
        ]
        "#);
    }

    #[test]
    fn a_large_run_has_no_more_points() {
        let plots = plots(1000, true);
        let counts: Vec<(usize, u64)> = plots.iter().map(|p| (p.path.matches(['M', 'L']).count(), p.each)).collect();
        assert_eq!(counts, [(400, 5); 3]);
        assert_eq!((plots[0].most.as_str(), plots[1].most.as_str(), plots[1].least.as_str()), ("93.5 C", "9", "6"));
    }
}
