//! What a person is asked to confirm: a plan, its bounds, and everything a careful engineer would look at first.

use std::sync::Arc;

use crate::commands::context::Context;
use crate::domain::bounds::Candidate;
use crate::domain::event::{Applied, AppliedFields, applied_key};
use crate::domain::evidence::{Sources, Status};
use crate::domain::headroom::{self, RailUse};
use crate::domain::host::RuleOutcome;
use crate::domain::name::Name;
use crate::domain::plan::Plan;
use crate::domain::planner;
use crate::domain::policy::Bounds;
use crate::domain::rails::controller_of;
use crate::domain::units::Millis;
use crate::host::evidence;

/// Where a run that was interrupted goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GoesOn {
    /// In one line.
    pub says: String,
    /// Sub-runs that have not ended.
    pub sub_runs: u32,
}

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
    /// Who applies each planned field.
    pub applied: AppliedFields,
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
    /// Where it goes on, for a run that was interrupted.
    pub goes_on: Option<GoesOn>,
    /// Executions in all.
    pub executions: u64,
    /// Which evidence of the hardware can be had here; nothing where nobody has looked yet.
    pub evidence: Sources,
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
            unapplied: applied.iter().filter(|(_, by)| **by == Applied::None).map(|(field, _)| field.clone()).collect(),
            applied,
            unproven: unproven.map(|(name, _)| name.clone()).collect(),
            absolute: absolute.cloned().collect(),
            longest: planner::longest(experiment),
            executions: u64::from(experiment.sub_runs()) * u64::from(experiment.executions()),
            evidence: Sources::new(),
            goes_on: None,
            drift,
            bounds,
            plan: Arc::clone(plan),
        }
    }

    /// Who applies a planned field: `controller sim_rail`, `adapter`, `nobody`.
    pub fn applied_by(&self, rail: &RailUse) -> String {
        match self.applied.get(&applied_key(&rail.rail, rail.field)) {
            Some(Applied::Controller) => match controller_of(&self.plan.experiment.controllers, &rail.rail) {
                Some((name, _)) => format!("controller {name}"),
                None => Applied::Controller.as_str().to_owned(),
            },
            Some(Applied::Adapter) => Applied::Adapter.as_str().to_owned(),
            // No step sees it, or it sees it and nothing moves it.
            Some(Applied::None) | None => "nobody".to_owned(),
        }
    }

    /// What a yes begins, in words, and with how many sub-runs.
    pub fn begins(&self) -> (&'static str, u32) {
        match &self.goes_on {
            Some(from) => ("Go on with", from.sub_runs),
            None => ("Run", self.plan.experiment.sub_runs()),
        }
    }

    /// As whoever decides is to see it: with what can be found here of each source of evidence. Sensors are asked, so it is
    /// not for a plan that nobody is about to run.
    #[must_use]
    pub fn for_decision(&self, context: &Context) -> Self {
        Self { evidence: evidence::sources(&context.roots), ..self.clone() }
    }

    /// Sources of evidence that are available, and all that there are; nothing where nobody has looked.
    pub fn evidence_counts(&self) -> Option<(usize, usize)> {
        let available = self.evidence.values().filter(|found| found.status == Status::Available).count();
        (!self.evidence.is_empty()).then_some((available, self.evidence.len()))
    }

    /// What a careful engineer would ask about besides the limits, a sentence each. What stands in them comes from outside.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.goes_on.iter().map(|from| from.says.clone()).collect();
        if !self.unapplied.is_empty() {
            let fields = listed(self.unapplied.iter().map(String::as_str));
            warnings
                .push(format!("applied: none for {fields}: nothing here moves it, so a point says nothing about it"));
        }
        if !self.unproven.is_empty() {
            let names = listed(self.unproven.iter().map(Name::as_str));
            warnings.push(format!("no proof declared by {names}: the exit code alone decides a pass"));
        }
        if !self.absolute.is_empty() {
            let paths = listed(self.absolute.iter().map(String::as_str));
            warnings.push(format!("named by an absolute path, outside diags/: {paths}"));
        }
        let changed = self.drift.iter().take(LISTED);
        warnings.extend(changed.map(|drift| format!("changed since the plan was made: {drift}")));
        match self.drift.len().saturating_sub(LISTED) {
            0 => {}
            1 => warnings.push("and 1 more change".to_owned()),
            more => warnings.push(format!("and {more} more changes")),
        }
        warnings
    }
}

/// Things of one kind that are spelled out.
const LISTED: usize = 20;

fn listed<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = names.len().saturating_sub(LISTED);
    let text = names.take(LISTED).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{text} and {more} more") } else { text }
}
