//! From names on a command line to an admitted plan, and the plan on disk. Starts nothing but the collection of host facts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::RngExt as _;

use crate::commands::context::Context;
use crate::commands::executables::{Lookup, Spelling};
use crate::commands::failure::Failure;
use crate::commands::proposal::Proposal;
use crate::commands::violations::Written;
use crate::domain::adapter::{Adapter, Controller};
use crate::domain::admission::{self, Admitted};
use crate::domain::bounds::{self, Candidate};
use crate::domain::flow::Flow;
use crate::domain::host::HostFacts;
use crate::domain::margin::MarginProfile;
use crate::domain::name::Name;
use crate::domain::plan::{Executable, InputFile, Plan};
use crate::domain::planner::{self, Ingredients, PlanError, controllers};
use crate::domain::policy::BoundsInForce;
use crate::domain::problem::Problem;
use crate::domain::sanitize;
use crate::domain::seed::Seed;
use crate::host::collect;
use crate::input::adapter;
use crate::input::catalogue::{Catalogue, Entry};
use crate::input::check;
use crate::input::problem::Problems;
use crate::input::source::Sources;
use crate::store::hash;

/// What is to be planned.
#[derive(Debug, Clone)]
pub struct Asked {
    /// A path or a name.
    pub flow: String,
    /// A path or a name.
    pub margin: String,
    /// The unit under test.
    pub unit: Option<String>,
    /// Instead of the profile's.
    pub seed: Option<Seed>,
}

/// An admitted plan and what belongs to it.
#[derive(Debug)]
pub struct Prepared {
    /// The plan, proven to lie within the bounds.
    pub admitted: Admitted<Plan>,
    /// What a person is asked.
    pub proposal: Proposal,
    /// Documents to keep with the run: where each is, and its path below `inputs/`.
    pub inputs: Vec<(PathBuf, PathBuf)>,
    /// What is odd, though nothing refuses it.
    pub warnings: Problems,
    /// The texts that the warnings are in.
    pub sources: Sources,
    /// The run whose plan it repeats.
    pub source_run: Option<String>,
}

impl Prepared {
    /// The plan.
    pub const fn plan(&self) -> &Arc<Plan> {
        self.admitted.value()
    }
}

/// The longest name of a unit, in bytes.
pub const MAX_UNIT: usize = 128;

/// Checks the name of a unit: any text to 128 bytes without control characters.
pub fn check_unit(unit: Option<&str>) -> Result<(), Failure> {
    match unit {
        Some("") => Err(Failure::usage("the unit's name is empty").hinted("leave --unit out for a run without one")),
        Some(unit) if unit.len() > MAX_UNIT => {
            Err(Failure::usage(format!("the unit's name is longer than {MAX_UNIT} bytes")))
        }
        Some(unit) if unit.chars().any(char::is_control) => {
            Err(Failure::usage(format!("the unit's name has a control character: {}", sanitize::escaped(unit))))
        }
        _ => Ok(()),
    }
}

/// Why there is no admitted plan, and how far it came.
#[derive(Debug)]
pub(super) struct Refused {
    /// What is wrong.
    pub failure: Failure,
    /// The plan, where the input is sound and only the bounds refuse it.
    pub plan: Option<Arc<Plan>>,
    /// What else is odd, where the failure does not say it.
    pub warnings: Problems,
    /// The texts that the warnings are in.
    pub sources: Sources,
}

impl From<Failure> for Box<Refused> {
    fn from(failure: Failure) -> Self {
        let (warnings, sources) = (Problems::default(), Sources::default());
        Self::new(Refused { failure, plan: None, warnings, sources })
    }
}

/// Makes an admitted plan of what was asked.
pub fn prepare(context: &Context, asked: &Asked) -> Result<Prepared, Failure> {
    judge(context, asked, None).map_err(|refused| refused.failure)
}

/// As [`prepare`], for this `host` where its facts are known, and with the plan that was refused. Whoever only shows a plan
/// and whoever starts it go this one way.
pub(super) fn judge(context: &Context, asked: &Asked, host: Option<&HostFacts>) -> Result<Prepared, Box<Refused>> {
    check_unit(asked.unit.as_deref())?;
    let catalogue = Catalogue::read(&context.workspace);
    let mut sources = catalogue.sources();
    let not_found = |error: crate::input::catalogue::NotFound| Failure::usage(error.to_string());
    let flow_entry = catalogue.flow(&asked.flow, &context.current).map_err(not_found)?;
    let margin_entry = catalogue.margin(&asked.margin, &context.current).map_err(not_found)?;
    for source in flow_entry.source.iter().chain(&margin_entry.source) {
        sources.add(source.clone());
    }
    let mut problems = flow_entry.problems.clone();
    problems.extend(margin_entry.problems.clone());
    // A bound must never disappear because its file could not be read.
    catalogue.policies.iter().for_each(|entry| problems.extend(entry.problems.clone()));
    catalogue.profiles.iter().for_each(|entry| problems.extend(entry.problems.clone()));
    let (Some(flow), Some(margin)) = (&flow_entry.value, &margin_entry.value) else {
        add_broken_manifests(&catalogue, &mut problems);
        return Err(Failure::input(problems, sources).into());
    };
    problems.extend(check::together(flow, margin, &catalogue.adapters));
    if problems.has_errors() {
        return Err(Failure::input(problems, sources).into());
    }
    let host = host.cloned().unwrap_or_else(|| collect::host_facts(&context.roots));
    let (in_force, candidates) = bounds_in_force(&catalogue, &host, &sources)?;
    // A rail must never be left where it is because its controller's file could not be read.
    let broken = catalogue.manifests.iter().filter(|entry| entry.value.is_none() && adapter::is_of_a_controller(entry));
    for entry in broken.filter(|entry| Name::new(&entry.name).is_ok_and(|name| in_force.bounds.arms(&name))) {
        problems.extend(entry.problems.clone());
    }
    if problems.has_errors() {
        return Err(Failure::input(problems, sources).into());
    }
    let armed = catalogue.adapters.controllers.values().filter(|controller| in_force.bounds.arms(&controller.name));
    let controllers = controllers::wanted(flow, margin, armed);
    let resolved = resolve(context, flow, &catalogue.adapters.adapters, &controllers)
        .map_err(|problems| Failure::input(problems, sources.clone()))?;
    let used = Used { flow, controllers: &controllers };
    let documents = documents(&catalogue, (&flow_entry, &margin_entry), &candidates, &used);
    let global_seed = asked.seed.or(margin.global_seed).unwrap_or_else(draw_seed);
    let ingredients = Ingredients {
        flow,
        margin,
        adapters: &catalogue.adapters.adapters,
        controllers: &catalogue.adapters.controllers,
        executables: &resolved.executables,
        bounds: &in_force,
        inputs: &documents.iter().map(|d| (d.shown.clone(), d.input.clone())).collect(),
        global_seed,
        unit: asked.unit.as_deref(),
    };
    let written = Written { flow, margin, bounds: &in_force };
    let refuse = |violations: &[admission::Violation], plan: Option<Arc<Plan>>| {
        let broken = gathered(violations.iter().map(|v| written.problem(v)));
        let failure = Failure::safety("the plan leaves the bounds; nothing was started").with(broken, sources.clone());
        Box::new(Refused { failure, plan, warnings: problems.clone(), sources: sources.clone() })
    };
    let experiment = match planner::plan(&ingredients) {
        Ok(experiment) => experiment,
        Err(PlanError::Problems(list)) => {
            return Err(Failure::input(gathered(list), sources).into());
        }
        Err(PlanError::TooMany(violation)) => return Err(refuse(&[*violation], None)),
    };
    let plan = Plan::freeze(experiment, asked.unit.clone(), host, resolved.found)
        .map_err(|error| Failure::rig(format!("failed to encode the plan: {error}")))?;
    let plan = Arc::new(plan);
    let admitted = match admission::admit(Arc::clone(&plan), &in_force.bounds) {
        Ok(admitted) => admitted,
        Err(violations) => return Err(refuse(&violations, Some(plan))),
    };
    let proposal = Proposal::new(&plan, in_force.bounds, &candidates, vec![]);
    let inputs = documents.into_iter().map(|d| (d.path, PathBuf::from(d.shown))).collect();
    Ok(Prepared { admitted, proposal, inputs, warnings: problems, sources, source_run: None })
}

fn gathered(list: impl IntoIterator<Item = Problem>) -> Problems {
    let mut problems = Problems::default();
    for problem in list {
        problems.push(problem);
    }
    problems
}

/// A flow whose adapter is broken is explained by the manifest's own errors.
fn add_broken_manifests(catalogue: &Catalogue, problems: &mut Problems) {
    let named: BTreeSet<String> = problems.list().iter().filter_map(|p| p.help.clone()).collect();
    for entry in catalogue.manifests.iter().filter(|e| e.value.is_none()) {
        if named.iter().any(|help| help.contains(&*entry.file)) {
            problems.extend(entry.problems.clone());
        }
    }
}

/// 1 to 2^31-1, drawn once and recorded.
fn draw_seed() -> Seed {
    rand::rng().random_range(1..=0x7fff_ffff)
}

/// The bounds in force here and now, and every profile held against this host.
pub fn bounds_in_force<'c>(
    catalogue: &'c Catalogue,
    host: &HostFacts,
    sources: &Sources,
) -> Result<(BoundsInForce, Vec<Candidate<'c>>), Failure> {
    let Some(base) = catalogue.policy().and_then(|entry| entry.value.as_ref()) else {
        let mut problems = Problems::default();
        catalogue.policies.iter().for_each(|entry| problems.extend(entry.problems.clone()));
        if problems.has_errors() {
            return Err(Failure::input(problems, sources.clone()));
        }
        return Err(Failure::safety("the workspace has no safety policy, and a missing bound refuses")
            .hinted("write policy/safety.yaml with limits for every rail that is planned"));
    };
    let profiles: Vec<_> = catalogue.profiles.iter().filter_map(|entry| entry.value.as_ref()).collect();
    let candidates = bounds::candidates(&profiles, host);
    let applied: Vec<_> = candidates.iter().filter(|c| c.applies).map(|c| c.profile).collect();
    match bounds::in_force(base, &applied) {
        Ok(in_force) => Ok((in_force, candidates)),
        Err(list) => Err(Failure::input(gathered(list), sources.clone())),
    }
}

/// The programs of a plan.
#[derive(Debug, Default)]
pub struct ResolvedPrograms {
    /// By the path in the manifest.
    pub executables: BTreeMap<String, Executable>,
    /// Where bare names were found.
    pub found: BTreeMap<String, String>,
}

/// Finds every program that the flow's adapters and the controllers name, or says which cannot be used.
fn resolve(
    context: &Context,
    flow: &Flow,
    adapters: &BTreeMap<Name, Adapter>,
    controllers: &[&Controller],
) -> Result<ResolvedPrograms, Problems> {
    let lookup = context.lookup();
    let mut problems = Problems::default();
    let mut resolved = ResolvedPrograms::default();
    let used: BTreeSet<_> = flow.steps.iter().map(|s| &s.adapter.value).collect();
    let of_adapters =
        used.into_iter().filter_map(|name| adapters.get(name)).flat_map(|a| std::iter::once(&a.path).chain(&a.restore));
    for path in of_adapters.chain(controllers.iter().map(|controller| &controller.path)) {
        match resolved.add(&lookup, &path.value) {
            Ok(()) => {}
            Err(refusal) => problems.push(
                Problem::error(path.place.clone(), format!("`{}` cannot be started: {refusal}", path.value))
                    .help(refusal.help()),
            ),
        }
    }
    if problems.has_errors() { Err(problems) } else { Ok(resolved) }
}

impl ResolvedPrograms {
    /// Resolves one more path.
    pub fn add(&mut self, lookup: &Lookup<'_>, path: &str) -> Result<(), crate::commands::executables::Refusal> {
        if self.executables.contains_key(path) {
            return Ok(());
        }
        let resolved = lookup.resolve(path)?;
        if resolved.spelling == Spelling::Bare {
            self.found.insert(path.to_owned(), resolved.path.to_string_lossy().into_owned());
        }
        self.executables.insert(path.to_owned(), resolved.executable(path));
        Ok(())
    }
}

/// What of the workspace's manifests a plan is made of.
struct Used<'u> {
    flow: &'u Flow,
    controllers: &'u [&'u Controller],
}

struct Document {
    path: PathBuf,
    shown: String,
    input: InputFile,
}

/// Every document that the plan was made of, under the path that it keeps in the record.
fn documents(
    catalogue: &Catalogue,
    (flow_entry, margin_entry): (&Entry<Flow>, &Entry<MarginProfile>),
    candidates: &[Candidate<'_>],
    used: &Used<'_>,
) -> Vec<Document> {
    let mut all = vec![];
    add(&mut all, "flow", &catalogue.workspace, flow_entry);
    add(&mut all, "margin", &catalogue.workspace, margin_entry);
    catalogue.policies.iter().for_each(|entry| add(&mut all, "policy", &catalogue.workspace, entry));
    let applies = |name: &str| candidates.iter().any(|c| c.applies && c.profile.name.as_str() == name);
    for entry in catalogue.profiles.iter().filter(|e| applies(&e.name)) {
        add(&mut all, "profile", &catalogue.workspace, entry);
    }
    let runs = |name: &str| used.flow.steps.iter().any(|s| s.adapter.value.as_str() == name);
    for entry in catalogue.manifests.iter().filter(|e| runs(&e.name)) {
        add(&mut all, "adapter", &catalogue.workspace, entry);
    }
    let moves = |name: &str| used.controllers.iter().any(|c| c.name.as_str() == name);
    for entry in catalogue.manifests.iter().filter(|e| moves(&e.name)) {
        add(&mut all, "controller", &catalogue.workspace, entry);
    }
    all
}

fn add<T>(all: &mut Vec<Document>, kind: &str, workspace: &Path, entry: &Entry<T>) {
    let Some(source) = &entry.source else { return };
    let inside = entry.path.canonicalize().ok().and_then(|real| real.strip_prefix(workspace).map(Path::to_owned).ok());
    let shown = match inside {
        Some(inside) => inside.to_string_lossy().into_owned(),
        // A document from elsewhere is the same wherever it lies.
        None => format!("outside/{kind}/{}", entry.path.file_name().unwrap_or_default().to_string_lossy()),
    };
    let input = InputFile { kind: kind.to_owned(), sha256: hash::bytes(source.text.as_bytes()) };
    all.push(Document { path: entry.path.clone(), shown, input });
}
