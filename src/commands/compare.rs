//! Two runs held against each other: what has drifted between them, what they were made of, and which cells changed. Points
//! are matched by their key, so that runs of different plans can be compared where they meet. Judges nothing again.

use std::collections::HashMap;

use serde::Serialize;

use crate::commands::context::Context;
use crate::commands::drift;
use crate::commands::failure::Failure;
use crate::commands::stored::{self, StoredRun};
use crate::domain::name::Name;
use crate::domain::plan::{Experiment, Plan, PlannedAdapter};
use crate::domain::policy::{Bound, Bounds};
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::domain::shmoo::{Cell, outcome};
use crate::domain::summary::short_name;
use crate::host::drift::{between, between_facts};
use crate::host::sysinfo::Snapshot;
use crate::store::record::Damage;

/// What two runs have in common and what not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// The id of the run that it is compared with.
    pub then: String,
    /// The id of the run that is compared.
    pub now: String,
    /// What has drifted, a line each: `kernel 6.8.0-45 -> 6.8.0-48`.
    pub drift: Vec<String>,
    /// What they were made of, part by part.
    pub parts: Vec<Part>,
    /// What became of the points.
    pub cells: Cells,
}

/// One thing that a run is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// `flow`, `margin`, `policy`, `adapters`, `seed`, `unit`.
    pub name: &'static str,
    /// Both have the same.
    pub is_same: bool,
    /// What differs, a line each.
    pub details: Vec<String>,
}

/// What became of the points.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Cells {
    /// Points that both plans have.
    pub matched: usize,
    /// Points that only the first plan has.
    pub only_then: usize,
    /// Points that only the second plan has.
    pub only_now: usize,
    /// They failed or were flaky, and pass now.
    pub now_pass: usize,
    /// They passed or were flaky, and fail now.
    pub now_fail: usize,
    /// They changed in another way: not measured in one of the runs, another kind of failure.
    pub otherwise: usize,
    /// Those that changed, the gravest change first, then in the order of the second plan; [`Cells::LISTED`] at most.
    pub changes: Vec<CellChange>,
}

/// A point whose cell changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CellChange {
    /// The point for people.
    pub point: String,
    /// The sub-run of the first run.
    pub sub_run_then: u32,
    /// The sub-run of the second.
    pub sub_run_now: u32,
    /// What it was.
    pub then: Cell,
    /// What it is.
    pub now: Cell,
}

impl Cells {
    /// How many changes are listed; the counts are of all.
    pub const LISTED: usize = 1000;

    /// How many points changed.
    pub const fn changed(&self) -> usize {
        self.now_pass + self.now_fail + self.otherwise
    }
}

/// How a cell changed, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    NowFails,
    NowPasses,
    Otherwise,
}

impl Change {
    const fn of(then: Cell, now: Cell) -> Self {
        match (then, now) {
            (Cell::Fail | Cell::Timeout | Cell::Crashed | Cell::Flaky, Cell::Pass) => Self::NowPasses,
            (Cell::Pass | Cell::Flaky, Cell::Fail | Cell::Timeout | Cell::Crashed) => Self::NowFails,
            _ => Self::Otherwise,
        }
    }
}

/// One of two runs.
#[derive(Debug, Clone, Copy)]
pub struct Side<'r> {
    /// The run; a live one as far as it has come.
    pub state: &'r RunState,
    /// The host when it began, if that is known.
    pub host: Option<&'r Snapshot>,
}

/// Two stored runs compared, and what of their records could not be read.
#[derive(Debug)]
pub struct Compared {
    /// What came of it.
    pub comparison: Comparison,
    /// What is not as it should be in either record.
    pub damage: Vec<Damage>,
}

/// Compares two stored runs: the one that `now` means with the one that `then` means.
pub fn compare(context: &Context, then: &str, now: &str) -> Result<Compared, Failure> {
    let (then, now) = (stored::load_failures(context, then)?, stored::load_failures(context, now)?);
    let host = |run: &StoredRun| drift::host_then(&run.entry.dir);
    let (host_then, host_now) = (host(&then), host(&now));
    let comparison = Comparison::of(
        Side { state: &then.state, host: host_then.as_ref() },
        Side { state: &now.state, host: host_now.as_ref() },
    );
    let damage = [then, now].into_iter().flat_map(|run| {
        let id = run.entry.id;
        run.damage.into_iter().map(move |damage| Damage { file: format!("{id}/{}", damage.file), ..damage })
    });
    Ok(Compared { comparison, damage: damage.collect() })
}

impl Comparison {
    /// Compares two runs. Costs a key a point of either plan.
    pub fn of(then: Side<'_>, now: Side<'_>) -> Self {
        let (plan_then, plan_now) = (&then.state.plan, &now.state.plan);
        let drifts = match (then.host, now.host) {
            (Some(then), Some(now)) => between(then, now),
            _ => between_facts(&plan_then.host, &plan_now.host),
        };
        let (was, is) = (&plan_then.experiment, &plan_now.experiment);
        Self {
            then: sanitize::escaped(&then.state.header.run_id).into_owned(),
            now: sanitize::escaped(&now.state.header.run_id).into_owned(),
            drift: drift::lines(&drifts),
            parts: vec![
                flow(was, is),
                margin(was, is),
                policy(was, is),
                adapters(was, is),
                Part::of("seed", changed("", &was.global_seed, &is.global_seed)),
                unit(plan_then, plan_now),
            ],
            cells: Cells::of(then.state, now.state),
        }
    }

    /// A few short lines for a narrow pane: what has drifted, what is the same, how many cells changed.
    pub fn short(&self) -> Vec<String> {
        const DRIFTS: usize = 3;
        let mut lines: Vec<String> = self.drift.iter().take(DRIFTS).cloned().collect();
        if let Some(more) = self.drift.len().checked_sub(DRIFTS).filter(|more| *more > 0) {
            lines.push(format!("and {more} more of the host"));
        }
        // That flow and margin are the same is what one expects.
        let is_said = |part: &&Part| !part.is_same || matches!(part.name, "policy" | "seed");
        let said: Vec<String> = self.parts.iter().filter(is_said).map(Part::shown).collect();
        lines.extend(said.chunks(2).map(|pair| pair.join("   ")));
        let cells = &self.cells;
        lines.push(match cells {
            Cells { matched: 0, .. } => "no point in common".to_owned(),
            cells if cells.changed() == 0 => "no cell changed".to_owned(),
            cells => format!("cells now pass {}   now fail {}", cells.now_pass, cells.now_fail),
        });
        if cells.otherwise > 0 {
            lines.push(format!("otherwise changed {}", cells.otherwise));
        }
        if cells.matched > 0 && cells.only_then + cells.only_now > 0 {
            lines.push(format!("only then {}   only now {}", cells.only_then, cells.only_now));
        }
        lines
    }
}

impl Part {
    fn of(name: &'static str, details: impl IntoIterator<Item = String>) -> Self {
        let details: Vec<String> = details.into_iter().map(|line| sanitize::line(&line).into_owned()).collect();
        Self { name, is_same: details.is_empty(), details }
    }

    /// `policy same`, `seed changed`.
    pub fn shown(&self) -> String {
        format!("{} {}", self.name, if self.is_same { "same" } else { "changed" })
    }
}

/// `what then -> now` where they differ.
fn changed<T: PartialEq + std::fmt::Display>(what: &str, then: &T, now: &T) -> Vec<String> {
    let space = if what.is_empty() { "" } else { " " };
    if then == now { vec![] } else { vec![format!("{what}{space}{then} -> {now}")] }
}

/// A line where something differs that would be too much to show.
fn differs<T: PartialEq>(what: &str, then: &T, now: &T) -> Option<String> {
    (then != now).then(|| format!("{what} differ"))
}

fn flow(then: &Experiment, now: &Experiment) -> Part {
    let mut details = changed("name", &then.flow, &now.flow);
    details.extend(differs("steps", &then.steps, &now.steps));
    Part::of("flow", details)
}

fn margin(then: &Experiment, now: &Experiment) -> Part {
    let mut details = changed("name", &then.margin, &now.margin);
    details.extend(differs("axes", &then.axes, &now.axes));
    details.extend(differs("fixed values", &then.fixed, &now.fixed));
    details.extend(differs("jitters", &then.jitter, &now.jitter));
    details.extend(differs("orders", &then.order, &now.order));
    details.extend(differs("stop lines", &then.stop_line, &now.stop_line));
    details.extend(changed("settle", &then.settle_ms, &now.settle_ms));
    Part::of("margin", details)
}

fn policy(then: &Experiment, now: &Experiment) -> Part {
    let profiles = |e: &Experiment| {
        let names: Vec<&str> = e.profiles.iter().map(Name::as_str).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    };
    let mut details = changed("name", &then.policy, &now.policy);
    details.extend(changed("profiles", &profiles(then), &profiles(now)));
    details.extend(differs("bounds", &limits(&then.bounds), &limits(&now.bounds)));
    Part::of("policy", details)
}

/// Bounds without where they were written: a comment more changes no bound.
fn limits(bounds: &Bounds) -> Bounds {
    fn bare<T: Copy>(bound: &mut Bound<T>) {
        bound.from = vec![];
    }
    let mut bounds = bounds.clone();
    bare(&mut bounds.max_log);
    bare(&mut bounds.max_step_timeout);
    bare(&mut bounds.max_subruns);
    bounds.params.values_mut().for_each(|bound| bound.from = vec![]);
    bounds.rails.values_mut().flat_map(|fields| fields.values_mut()).for_each(bare);
    bounds
}

fn adapters(then: &Experiment, now: &Experiment) -> Part {
    let mut details = vec![];
    for (name, was) in &then.adapters {
        match now.adapters.get(name) {
            None => details.push(format!("{name}: only then")),
            Some(is) => details.extend(adapter(was, is).map(|what| format!("{name}: {what}"))),
        }
    }
    let new = now.adapters.keys().filter(|name| !then.adapters.contains_key(*name));
    details.extend(new.map(|name| format!("{name}: only now")));
    Part::of("adapters", details)
}

fn adapter(then: &PlannedAdapter, now: &PlannedAdapter) -> Option<String> {
    if then.executable != now.executable {
        return Some(format!("{} is another program", now.executable.path));
    }
    if then.restore != now.restore {
        return Some("what restores is another program".to_owned());
    }
    (then != now).then(|| "the manifest differs".to_owned())
}

fn unit(then: &Plan, now: &Plan) -> Part {
    let named = |plan: &Plan| plan.unit.clone().unwrap_or_else(|| "none".to_owned());
    Part::of("unit", changed("", &named(then), &named(now)))
}

impl Cells {
    fn of(then: &RunState, now: &RunState) -> Self {
        let (was, is) = (&then.plan.experiment, &now.plan.experiment);
        let mut before: HashMap<String, Before> = HashMap::with_capacity(was.sub_runs() as usize);
        for (sub_run, point) in (0..).map_while(|index| Some((index, was.point(index)?))) {
            let found = Before { sub_run, cell: outcome(then, sub_run).cell, is_matched: false };
            // A list may have a value twice; the more telling cell stands for both, as in a grid.
            let known = before.entry(point.key()).or_insert(found);
            if known.cell < found.cell {
                *known = found;
            }
        }
        let mut cells = Self::default();
        let mut changes = vec![];
        for (sub_run, point) in (0..).map_while(|index| Some((index, is.point(index)?))) {
            let Some(before) = before.get_mut(&point.key()) else {
                cells.only_now += 1;
                continue;
            };
            before.is_matched = true;
            cells.matched += 1;
            let cell = outcome(now, sub_run).cell;
            if cell == before.cell {
                continue;
            }
            let change = Change::of(before.cell, cell);
            match change {
                Change::NowPasses => cells.now_pass += 1,
                Change::NowFails => cells.now_fail += 1,
                Change::Otherwise => cells.otherwise += 1,
            }
            changes.push((change, sub_run, before.sub_run, before.cell, cell));
        }
        cells.only_then = before.values().filter(|before| !before.is_matched).count();
        changes.sort_unstable_by_key(|(change, sub_run, ..)| (*change, *sub_run));
        changes.truncate(Self::LISTED);
        let listed = changes.into_iter().map(|(_, sub_run_now, sub_run_then, then, now)| CellChange {
            point: is.point(sub_run_now).unwrap_or_default().shown(),
            sub_run_then,
            sub_run_now,
            then,
            now,
        });
        cells.changes = listed.collect();
        cells
    }
}

/// What a point was.
#[derive(Clone, Copy)]
struct Before {
    sub_run: u32,
    cell: Cell,
    is_matched: bool,
}

impl CellChange {
    /// `s03 core 3.2GHz 850mV  X > +`, the sub-run being that of the second run of so many sub-runs.
    pub fn shown(&self, sub_runs: u32) -> String {
        let name = short_name(sub_runs, self.sub_run_now);
        format!("{name} {}  {} > {}", self.point, self.then.glyph(), self.now.glyph())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::event::RunStatus;
    use crate::domain::kit::{self, World, list, margin, rail};
    use crate::domain::margin::RailField::Voltage;
    use crate::domain::param::ParamValue;
    use crate::domain::verdict::Verdict;

    /// A world that sweeps these voltages, in microvolts.
    fn world(voltages: &[i64]) -> World {
        World::sweeping(margin(vec![rail("core", vec![(Voltage, list(voltages))])]))
    }

    /// A run whose sub-runs end so; those without a verdict never start.
    fn run(world: &World, verdicts: &[Verdict]) -> RunState {
        let mut state = kit::state(&Arc::new(world.plan()));
        state.status = RunStatus::Completed;
        for (sub_run, verdict) in state.sub_runs.iter_mut().zip(verdicts) {
            sub_run.verdict = Some(*verdict);
        }
        state
    }

    fn compared(then: &RunState, now: &RunState) -> Comparison {
        Comparison::of(Side { state: then, host: None }, Side { state: now, host: None })
    }

    /// The short lines, the parts in detail, and the cells that changed.
    fn drawn(then: &RunState, now: &RunState) -> String {
        let comparison = compared(then, now);
        let mut lines = comparison.short();
        let details =
            |part: &Part| part.details.iter().map(|line| format!("- {} {line}", part.name)).collect::<Vec<_>>();
        lines.extend(comparison.parts.iter().flat_map(details));
        lines.extend(comparison.cells.changes.iter().map(|change| change.shown(now.plan.experiment.sub_runs())));
        lines.join("\n")
    }

    use Verdict::{Crashed, Fail, Pass, Skipped, Timeout};

    #[test]
    fn the_same_again() {
        let world = world(&[1_000_000, 900_000]);
        let state = run(&world, &[Pass, Fail]);
        insta::assert_snapshot!(drawn(&state, &state), @r"
        policy same   seed same
        no cell changed
        ");
    }

    #[test]
    fn cells_that_changed() {
        let world = world(&[1_000_000, 990_000, 980_000, 970_000, 960_000, 950_000]);
        let then = run(&world, &[Pass, Fail, Pass, Fail, Crashed, Skipped]);
        let now = run(&world, &[Pass, Pass, Timeout, Timeout, Pass, Pass]);
        insta::assert_snapshot!(drawn(&then, &now), @r"
        policy same   seed same
        cells now pass 2   now fail 1
        otherwise changed 2
        s02 core 980mV  + > T
        s01 core 990mV  X > +
        s04 core 960mV  ! > +
        s03 core 970mV  X > T
        s05 core 950mV  - > +
        ");
        assert_eq!(compared(&then, &now).cells.changed(), 5);
    }

    #[test]
    fn points_are_matched_by_what_they_are() {
        let then = run(&world(&[1_000_000, 990_000, 980_000]), &[Pass, Pass, Fail]);
        let now = run(&world(&[980_000, 1_000_000, 1_010_000, 1_000_000]), &[Pass, Fail, Pass, Fail]);
        insta::assert_snapshot!(drawn(&then, &now), @r"
        margin changed   policy same
        seed same
        cells now pass 1   now fail 2
        only then 1   only now 1
        - margin axes differ
        s01 core 1000mV  + > X
        s03 core 1000mV  + > X
        s00 core 980mV  X > +
        ");
        let elsewhere = run(&world(&[1000, 2000]), &[Pass]);
        assert_eq!(compared(&then, &elsewhere).short().last().unwrap(), "no point in common");
    }

    #[test]
    fn what_runs_are_made_of() {
        let mut world = world(&[1_000_000]);
        let then = run(&world, &[Pass]);
        world.margin.global_seed = Some(9);
        world.unit = Some("SN2\u{1b}[2J".to_owned());
        world.margin.settle = crate::domain::units::Millis(5);
        world.margin.order = crate::domain::margin::Order::Snake;
        kit::bound_param(&mut world.policy.limits, "size", None, Some(ParamValue::Int(1)));
        world.flow.steps[0].optional = true;
        world.adapter("cpu_smoke").version_args = vec!["--version".to_owned()];
        let mut now = run(&world, &[Pass]);
        let mut plan = (*now.plan).clone();
        plan.experiment.global_seed = 9;
        plan.host.kernel = Some("6.9".to_owned());
        plan.host.cores = Some(3);
        plan.host.board = Some("b".to_owned());
        plan.host.hostname = Some("other".to_owned());
        now.plan = Arc::new(plan);
        insta::assert_snapshot!(drawn(&then, &now), @r"
        host unknown -> other
        cores unknown -> 3
        board unknown -> b
        and 1 more of the host
        flow changed   margin changed
        policy changed   adapters changed
        seed changed   unit changed
        no cell changed
        - flow steps differ
        - margin orders differ
        - margin settle 0ms -> 5ms
        - policy bounds differ
        - adapters cpu_smoke: the manifest differs
        - seed 20250101 -> 9
        - unit none -> SN2[2J
        ");
        // Where a bound was written is no bound.
        let mut moved = (*then.plan).clone();
        moved.experiment.bounds.max_subruns.from = vec!["policy/other.yaml:9:9".to_owned()];
        let mut with_moved = then.clone();
        with_moved.plan = Arc::new(moved);
        assert!(compared(&then, &with_moved).parts.iter().all(|part| part.is_same));
    }

    #[test]
    fn as_json_and_capped() {
        let points: Vec<i64> = (1..=1001).map(|n| n * 1000).collect();
        let world = world(&points);
        let comparison = compared(&run(&world, &[Pass; 1001]), &run(&world, &[Fail; 1001]));
        assert_eq!((comparison.cells.changes.len(), comparison.cells.now_fail), (Cells::LISTED, 1001));
        let json = serde_json::to_value(&comparison).unwrap();
        assert_eq!(json["cells"]["changes"][0]["then"], "pass");
    }
}
