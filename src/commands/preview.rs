//! What a flow and a margin would come to, for a screen: the plan expanded, what of it lies outside, and why it cannot be
//! started. Goes the way of a real start, so that both agree; writes and starts nothing, and never fails.

use std::sync::Arc;

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::plan::{self, Asked};
use crate::commands::proposal::Proposal;
use crate::domain::admission;
use crate::domain::host::HostFacts;
use crate::domain::plan::Plan;
use crate::domain::shmoo::{Cell, Outcome};
use crate::input::problem::Problems;
use crate::input::source::Sources;

/// What a flow and a margin would come to.
#[derive(Debug)]
pub struct Preview {
    /// The plan, also when the bounds refuse it; none where the input is not sound, or where it has more sub-runs than
    /// are allowed.
    pub plan: Option<Arc<Plan>>,
    /// For each sub-run whether one of its values with its jitter, or a parameter of the flow, leaves the bounds. Empty
    /// when none does.
    pub outside: Vec<bool>,
    /// Why it cannot be started.
    pub refusal: Option<Failure>,
    /// What is odd, though nothing refuses it; what the refusal says is not said again.
    pub warnings: Problems,
    /// The texts that the warnings are in.
    pub sources: Sources,
    /// What a person would be asked, when it can be started.
    pub proposal: Option<Proposal>,
}

impl Preview {
    /// What the cell of a sub-run shows: planned, or outside the policy.
    pub fn outcome(&self, index: u32) -> Outcome {
        let outside = self.outside.get(index as usize).copied().unwrap_or(false);
        if outside { Cell::OutsidePolicy } else { Cell::Planned }.into()
    }

    /// How many sub-runs lie outside.
    pub fn count_outside(&self) -> usize {
        self.outside.iter().filter(|outside| **outside).count()
    }
}

/// Plans what was asked, and looks at it. Where neither `asked` nor the margin has a seed, one is drawn each time: whoever
/// wants the same points again gives the seed of the plan back. Reads the workspace, the host's facts and the programs
/// that the flow starts.
pub fn preview(context: &Context, asked: &Asked) -> Preview {
    look(context, asked, None)
}

/// As [`preview`], where the facts of the host are known already: asking for them takes two commands.
pub fn preview_on(context: &Context, asked: &Asked, host: &HostFacts) -> Preview {
    look(context, asked, Some(host))
}

fn look(context: &Context, asked: &Asked, host: Option<&HostFacts>) -> Preview {
    match plan::judge(context, asked, host) {
        Ok(prepared) => Preview {
            plan: Some(Arc::clone(prepared.plan())),
            outside: vec![],
            refusal: None,
            warnings: prepared.warnings,
            sources: prepared.sources,
            proposal: Some(prepared.proposal),
        },
        Err(refused) => {
            let outside = refused.plan.as_deref().map(|plan| admission::outside(plan, &plan.experiment.bounds));
            Preview {
                plan: refused.plan,
                outside: outside.unwrap_or_default(),
                refusal: Some(refused.failure),
                warnings: refused.warnings,
                sources: refused.sources,
                proposal: None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::failure::Kind;
    use crate::commands::testing::Bench;
    use crate::domain::shmoo_grid::{Grid, View};
    use crate::input::render;

    fn asked(margin: &str) -> Asked {
        Asked { flow: "smoke".to_owned(), margin: margin.to_owned(), unit: None, seed: None }
    }

    /// The glyphs of the grid from the highest voltage, then what refuses it.
    fn drawn(bench: &Bench, margin: &str) -> String {
        let preview = preview(&bench.context, &asked(margin));
        assert_eq!(preview.refusal.is_none(), preview.proposal.is_some());
        let mut out = String::new();
        if let Some(plan) = &preview.plan {
            let view = View::default_of(&plan.experiment).unwrap();
            let grid = Grid::of(&plan.experiment, &view, |index| preview.outcome(index)).unwrap();
            for row in (0..grid.rows()).rev() {
                let cells = (0..grid.columns()).map(|column| grid.cell(row, column).unwrap().outcome.unwrap());
                out.extend(cells.map(|outcome| outcome.cell.glyph()).chain(['\n']));
            }
        }
        if let Some(failure) = &preview.refusal {
            out.push_str(&failure.message);
            out.push('\n');
            out.push_str(&render::render(&failure.problems, &failure.sources, false));
        }
        out
    }

    fn bench() -> Bench {
        let bench = Bench::new();
        bench.margin("core: { voltage: { from: 1000mV, to: 800mV, step: -100mV }, frequency: [3GHz, 4GHz] }");
        bench
    }

    #[test]
    fn a_plan_within_the_bounds() {
        insta::assert_snapshot!(drawn(&bench(), "down"), @r"
        ..
        ..
        ..
        ");
    }

    #[test]
    fn a_plan_that_leaves_the_bounds_is_drawn_and_refused() {
        let bench = bench();
        bench.policy("core: { voltage: { min: 850mV, max: 1100mV }, frequency: { min: 1GHz, max: 3.5GHz } }");
        insta::assert_snapshot!(drawn(&bench, "down"), @r"
        .#
        .#
        ##
        the plan leaves the bounds; nothing was started
        error: core.voltage = 800mV is outside 850mV .. 1100mV (2 sub-runs)
         --> margins/down.yaml:4:20
          |
        4 |   core: { voltage: { from: 1000mV, to: 800mV, step: -100mV }, frequency: [3GHz, 4GHz] }
          |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
         ::: policy/safety.yaml:3:20
          |
        3 |   core: { voltage: { min: 850mV, max: 1100mV }, frequency: { min: 1GHz, max: 3.5GHz } }
          |                    --------------------------- at least 850mV is allowed
          |
          = help: change the margin profile; a bound is changed only by whoever answers for the hardware

        error: core.frequency = 4GHz is outside 1GHz .. 3.5GHz (3 sub-runs)
         --> margins/down.yaml:4:81
          |
        4 |   core: { voltage: { from: 1000mV, to: 800mV, step: -100mV }, frequency: [3GHz, 4GHz] }
          |                                                                                 ^^^^
          |
         ::: policy/safety.yaml:3:60
          |
        3 |   core: { voltage: { min: 850mV, max: 1100mV }, frequency: { min: 1GHz, max: 3.5GHz } }
          |                                                            -------------------------- at most 3.5GHz is allowed
          |
          = help: change the margin profile; a bound is changed only by whoever answers for the hardware
        ");
        let preview = preview(&bench.context, &asked("down"));
        assert_eq!((preview.refusal.unwrap().kind, preview.outside.len()), (Kind::Safety, 6));
    }

    #[test]
    fn what_is_not_sound_has_no_plan() {
        let bench = bench();
        insta::assert_snapshot!(drawn(&bench, "up"), @"no margin `up`: neither a file nor a name; margins in the workspace: `down`");
        bench.margin("core: { voltage: [1V, 2] }");
        insta::assert_snapshot!(drawn(&bench, "down"), @r"
        error: `core.voltage`: a voltage needs its unit
         --> margins/down.yaml:4:25
          |
        4 |   core: { voltage: [1V, 2] }
          |                         ^
          |
          = help: write `2mV` or `2V` or `2uV`
        ");
        bench.margin("core: { voltage: { from: 0mV, to: 1100mV, step: 1uV } }");
        insta::assert_snapshot!(drawn(&bench, "down"), @r"
        the plan leaves the bounds; nothing was started
        error: the plan would have 1100001 sub-runs, at most 10000 are allowed
         --> margins/down.yaml:1:1
          |
        1 | name: down
          | ^
          |
          = help: sweep fewer values, or raise max_subruns in the policy
        ");
    }

    #[test]
    fn a_seed_given_back_makes_the_same_plan() {
        let bench = bench();
        bench.write(
            "margins/down.yaml",
            "name: down\norder: shuffled\ndefault: { core: { voltage: [900mV, 800mV] } }\n",
        );
        let seed = |seed| preview(&bench.context, &Asked { seed, ..asked("down") }).plan.unwrap();
        let first = seed(None);
        let again = seed(Some(first.experiment.global_seed));
        assert_eq!(first.digest, again.digest);
        let host = crate::host::collect::host_facts(&bench.context.roots);
        let known =
            preview_on(&bench.context, &Asked { seed: Some(first.experiment.global_seed), ..asked("down") }, &host);
        assert_eq!(known.plan.unwrap().digest, first.digest);
    }

    #[test]
    fn a_hundred_thousand_points_are_looked_at_one_by_one() {
        let bench = bench();
        bench.policy(
            "core: { voltage: { min: 0mV, max: 1V }, frequency: { min: 1GHz, max: 3.5GHz } }\nmax_subruns: 100000",
        );
        bench.margin(
            "core: { voltage: { from: 1mV, to: 1V, step: 1mV }, frequency: { from: 3.01GHz, to: 4GHz, step: 10MHz } }",
        );
        let preview = preview(&bench.context, &asked("down"));
        assert_eq!(preview.plan.as_ref().unwrap().experiment.sub_runs(), 100_000);
        assert_eq!(preview.count_outside(), 50_000);
    }
}
