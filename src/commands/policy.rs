//! Base policy and hardware profiles: the list, and the explanation of what is in force here and why. Judges no plan.

use serde::Serialize;

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::inspect::Listing;
use crate::commands::plan;
use crate::domain::bounds::Candidate;
use crate::domain::host::{HostFacts, RuleOutcome};
use crate::domain::policy::{Bounds, Limits, Profile, SafetyPolicy};
use crate::host::collect;
use crate::input::catalogue::{Catalogue, Entry};
use crate::input::problem::Problems;
use crate::input::source::Sources;

/// A policy or profile in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PolicyRow {
    /// Its name, or its file's stem where it cannot be read.
    pub name: String,
    /// The file, as shown.
    pub file: String,
    /// `base` or `profile`.
    pub kind: &'static str,
    /// A profile's priority.
    pub priority: Option<i64>,
    /// How many rules a profile has.
    pub rules: Option<usize>,
    /// Rail fields that it bounds, `core.voltage`.
    pub rails: Vec<String>,
    /// Parameters that it bounds, `size_mb`, `cpu_smoke.iterations`.
    pub params: Vec<String>,
    /// Errors in its file; with any nothing can be planned.
    pub errors: usize,
}

impl PolicyRow {
    fn of<T>(entry: &Entry<T>, kind: &'static str, limits: Option<&Limits>) -> Self {
        let rails = limits.map(|l| l.rails.keys().map(|(rail, field)| format!("{rail}.{field}")).collect());
        Self {
            name: entry.name.clone(),
            file: entry.file.to_string(),
            kind,
            priority: None,
            rules: None,
            rails: rails.unwrap_or_default(),
            params: limits.map(|l| l.params.keys().map(ToString::to_string).collect()).unwrap_or_default(),
            errors: entry.problems.errors(),
        }
    }

    fn base(entry: &Entry<SafetyPolicy>) -> Self {
        Self::of(entry, "base", entry.value.as_ref().map(|policy| &policy.limits))
    }

    fn profile(entry: &Entry<Profile>) -> Self {
        let profile = entry.value.as_ref();
        Self {
            priority: profile.map(|p| p.priority),
            // Which rules there are does not depend on the host that they are held against.
            rules: profile.map(|p| p.rules.judge(&HostFacts::default()).len()),
            ..Self::of(entry, "profile", profile.map(|p| &p.limits))
        }
    }
}

/// A row for the base policy and for every profile.
pub fn rows(catalogue: &Catalogue) -> Vec<PolicyRow> {
    let base = catalogue.policies.iter().map(PolicyRow::base);
    base.chain(catalogue.profiles.iter().map(PolicyRow::profile)).collect()
}

/// Base policy and profiles.
pub fn list(context: &Context) -> Listing<PolicyRow> {
    let catalogue = Catalogue::read(&context.workspace);
    let mut listing = Listing::of(&catalogue, &catalogue.policies, PolicyRow::base);
    catalogue.profiles.iter().for_each(|entry| listing.problems.extend(entry.problems.clone()));
    listing.rows = rows(&catalogue);
    listing
}

/// What is in force on this host, and why.
#[derive(Debug)]
pub struct Explanation {
    /// The numbers and names behind it.
    pub facts: Explained,
    /// Warnings of policy and profiles.
    pub problems: Problems,
    /// Their texts.
    pub sources: Sources,
}

/// The explanation as data.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    /// What is known of this host.
    pub host: HostFacts,
    /// The base policy.
    pub policy: String,
    /// Every profile, in name order.
    pub candidates: Vec<CandidateRow>,
    /// The intersection, each bound with its file and line.
    pub bounds: Bounds,
}

/// A profile held against this host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CandidateRow {
    /// Its name.
    pub name: String,
    /// The file, as shown.
    pub file: String,
    /// Of the matching ones the highest apply.
    pub priority: i64,
    /// Every rule with what was found.
    pub rules: Vec<RuleOutcome>,
    /// Every rule holds.
    pub matches: bool,
    /// It tightens the base.
    pub applies: bool,
}

impl From<&Candidate<'_>> for CandidateRow {
    fn from(candidate: &Candidate<'_>) -> Self {
        Self {
            name: candidate.profile.name.to_string(),
            file: candidate.profile.file.to_string(),
            priority: candidate.profile.priority,
            rules: candidate.outcomes.clone(),
            matches: candidate.matches,
            applies: candidate.applies,
        }
    }
}

/// Explains. Nothing runs but the collection of host facts. Errors: a policy or profile is invalid, or they contradict
/// each other (2); there is no policy (3).
pub fn explain(context: &Context) -> Result<Explanation, Failure> {
    let catalogue = Catalogue::read(&context.workspace);
    let sources = catalogue.sources();
    let mut problems = Problems::default();
    catalogue.policies.iter().for_each(|entry| problems.extend(entry.problems.clone()));
    catalogue.profiles.iter().for_each(|entry| problems.extend(entry.problems.clone()));
    if problems.has_errors() {
        return Err(Failure::input(problems, sources));
    }
    let host = collect::host_facts(&context.roots);
    let (in_force, candidates) = plan::bounds_in_force(&catalogue, &host, &sources)?;
    let facts = Explained {
        host,
        policy: in_force.policy.to_string(),
        candidates: candidates.iter().map(CandidateRow::from).collect(),
        bounds: in_force.bounds,
    };
    Ok(Explanation { facts, problems, sources })
}
