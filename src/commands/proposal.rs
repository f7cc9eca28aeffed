//! What a person is asked to confirm: a plan, its bounds, and everything a careful engineer would look at first.

use std::sync::Arc;

use crate::domain::bounds::Candidate;
use crate::domain::event::Applied;
use crate::domain::headroom::{self, RailUse};
use crate::domain::host::RuleOutcome;
use crate::domain::name::Name;
use crate::domain::plan::Plan;
use crate::domain::planner;
use crate::domain::policy::Bounds;
use crate::domain::units::Millis;

/// A plan that could run, waiting for a word.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The bounds within which it was admitted.
    pub bounds: Bounds,
    /// The profiles that apply, each with its rules and what was found.
    pub profiles: Vec<(Name, i64, Vec<RuleOutcome>)>,
    /// Planned fields beside their bounds.
    pub rails: Vec<RailUse>,
    /// Sub-runs with a value on a bound.
    pub on_a_limit: u32,
    /// Planned fields that nobody applies, `core.voltage`.
    pub unapplied: Vec<String>,
    /// Adapters that declare no proof of a pass.
    pub unproven: Vec<Name>,
    /// Adapters whose program is named by an absolute path.
    pub absolute: Vec<String>,
    /// How long it may take at most.
    pub longest: Millis,
    /// What has changed since the stored plan was made, for a rerun.
    pub drift: Vec<String>,
    /// Executions in all.
    pub executions: u64,
}

/// The word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Run it.
    Run,
    /// Do not.
    Declined,
    /// There is nobody to ask.
    NobodyToAsk,
}

impl Proposal {
    /// Looks at an admitted plan.
    pub fn new(plan: &Arc<Plan>, bounds: Bounds, candidates: &[Candidate<'_>], drift: Vec<String>) -> Self {
        let experiment = &plan.experiment;
        let in_force = candidates.iter().filter(|c| c.applies);
        let profiles = in_force.map(|c| (c.profile.name.clone(), c.profile.priority, c.outcomes.clone())).collect();
        let applied = headroom::applied_fields(experiment);
        let unproven = experiment.adapters.iter().filter(|(_, a)| !a.judgement.declares_proof());
        let absolute = experiment.adapters.values().map(|a| &a.executable.path).filter(|p| p.starts_with('/'));
        Self {
            profiles,
            rails: headroom::rail_uses(experiment, &bounds),
            on_a_limit: headroom::sub_runs_on_a_limit(experiment, &bounds),
            unapplied: applied.into_iter().filter(|(_, by)| *by == Applied::None).map(|(field, _)| field).collect(),
            unproven: unproven.map(|(name, _)| name.clone()).collect(),
            absolute: absolute.cloned().collect(),
            longest: planner::longest(experiment),
            executions: u64::from(experiment.sub_runs()) * u64::from(experiment.executions()),
            drift,
            bounds,
            plan: Arc::clone(plan),
        }
    }
}
