//! A stored plan again: which of its sub-runs, what has drifted since, and whether today's bounds still allow it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::commands::context::Context;
use crate::commands::drift;
use crate::commands::executables::Lookup;
use crate::commands::failure::Failure;
use crate::commands::plan::{self, Prepared, ResolvedPrograms};
use crate::commands::proposal::Proposal;
use crate::commands::runs;
use crate::commands::stored::{self, StoredRun};
use crate::domain::admission;
use crate::domain::event::RunStatus;
use crate::domain::plan::{Experiment, Plan};
use crate::domain::sanitize;
use crate::domain::verdict::{Verdict, exit};
use crate::host::collect;
use crate::host::drift::{between, between_facts};
use crate::host::sysinfo::Snapshot;
use crate::input::catalogue::Catalogue;
use crate::input::problem::Problems;
use crate::store::hash;
use crate::store::history::RunEntry;

/// Which sub-runs of a stored plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Those that failed, timed out, were inconclusive or in error; not crashed.
    pub failed: bool,
    /// Those named, `s03,s07`.
    pub sub_runs: Option<String>,
}

/// What a stored plan is taken from.
#[derive(Debug, Clone)]
pub enum Source {
    /// A run of this workspace: `latest`, an id or a prefix of one, a prefix of a digest.
    Run(String),
    /// A `plan.json`.
    File(PathBuf),
}

impl Source {
    /// What `--plan` was given: a file where it looks like a path, else a run.
    pub fn of(context: &Context, asked: &str) -> Self {
        let is_path = asked.contains('/') || Path::new(asked).extension().is_some_and(|e| e == "json");
        if is_path { Self::File(context.current.join(asked)) } else { Self::Run(asked.to_owned()) }
    }
}

/// Makes an admitted plan of a stored one.
pub fn prepare(
    context: &Context,
    source: &Source,
    selection: &Selection,
    unit: Option<&str>,
) -> Result<Prepared, Failure> {
    plan::check_unit(unit)?;
    match source {
        Source::Run(asked) => of_run(context, &stored::load_failures(context, asked)?, selection, unit),
        Source::File(path) => {
            if *selection != Selection::default() {
                return Err(Failure::usage("only a run has sub-runs to select from"));
            }
            let plan = stored::plan_of(path)?;
            let folder = path.parent().map(|p| p.join("inputs")).unwrap_or_default();
            again(context, plan, &folder, None, None, unit)
        }
    }
}

/// The plan of a run again, whole or in part.
pub fn of_run(
    context: &Context,
    run: &StoredRun,
    selection: &Selection,
    unit: Option<&str>,
) -> Result<Prepared, Failure> {
    if run.stands_in {
        // Read once more for the error that says why.
        stored::plan_of(&run.entry.dir.plan())?;
    }
    let mut plan = (*run.state.plan).clone();
    check_intact(&plan, &run.entry.id.to_string())?;
    if let Some(chosen) = chosen(run, selection)? {
        plan.experiment = part(&plan.experiment, &chosen);
        plan.digest = plan.experiment.digest().map_err(|error| encode(&error))?;
    }
    let then = drift::host_then(&run.entry.dir);
    again(context, plan, &run.entry.dir.inputs(), Some(run.entry.id.to_string()), then.as_ref(), unit)
}

fn encode(error: &serde_json::Error) -> Failure {
    Failure::rig(format!("failed to encode the plan: {error}"))
}

fn check_intact(plan: &Plan, from: &str) -> Result<(), Failure> {
    if plan.is_intact() && plan.experiment.is_sound() {
        return Ok(());
    }
    Err(Failure::safety(format!("the plan of {} was changed after it was frozen", sanitize::escaped(from)))
        .hinted("plan anew from the flow and the margin"))
}

/// The indices of the sub-runs asked for, in the order of the plan; `None` is all of them.
fn chosen(run: &StoredRun, selection: &Selection) -> Result<Option<Vec<u32>>, Failure> {
    let count = run.state.plan.experiment.sub_runs();
    let mut indices = vec![];
    if let Some(named) = &selection.sub_runs {
        for name in named.split(',').map(str::trim) {
            let digits = name.rsplit_once("-s").map_or(name, |(_, digits)| digits).trim_start_matches('s');
            let index = digits.parse::<u32>().ok().filter(|index| *index < count);
            let Some(index) = index else {
                let last = count.saturating_sub(1);
                return Err(Failure::usage(format!("no sub-run `{}` in this run", sanitize::escaped(name)))
                    .hinted(format!("its sub-runs are s0 to s{last}, as `runs show` lists them")));
            };
            indices.push(index);
        }
    } else if selection.failed {
        for (index, sub_run) in run.state.sub_runs.iter().enumerate() {
            if sub_run.verdict.is_some_and(Verdict::is_run_again) {
                indices.push(u32::try_from(index).unwrap_or(u32::MAX));
            }
        }
        if indices.is_empty() {
            return Err(Failure::usage("no sub-run of this run failed, timed out, was inconclusive or in error")
                .hinted("crashed sub-runs are run again only when they are named with --subruns"));
        }
    } else {
        return Ok(None);
    }
    indices.sort_unstable();
    indices.dedup();
    Ok(Some(indices))
}

/// Some points of an experiment; seeds are hashed from points, so they stay what they were.
fn part(experiment: &Experiment, chosen: &[u32]) -> Experiment {
    let mut part = experiment.clone();
    part.points = experiment.points.select(chosen);
    if experiment.offsets.rows() > 0 {
        part.offsets = experiment.offsets.select(chosen);
    }
    part
}

/// Admits a stored plan within its own bounds and today's, with the programs that are here now.
fn again(
    context: &Context,
    plan: Plan,
    inputs: &Path,
    source_run: Option<String>,
    then: Option<&Snapshot>,
    unit: Option<&str>,
) -> Result<Prepared, Failure> {
    let stored = Stored { inputs, source_run, then, keeps: false };
    let mut plan = plan;
    if let Some(unit) = unit {
        plan.unit = Some(unit.to_owned());
    }
    Ok(hold_against_today(context, plan, &stored)?.prepared)
}

/// Admits the plan of a run that was interrupted. The plan stays as it was frozen; only where its programs are is found anew.
pub(super) fn go_on(context: &Context, plan: Plan, entry: &RunEntry) -> Result<Today, Failure> {
    let then = drift::host_then(&entry.dir);
    let inputs = entry.dir.inputs();
    let stored = Stored { inputs: &inputs, source_run: Some(entry.id.to_string()), then: then.as_ref(), keeps: true };
    hold_against_today(context, plan, &stored)
}

/// Where a plan comes from.
struct Stored<'a> {
    /// The copies of what it was made from.
    inputs: &'a Path,
    source_run: Option<String>,
    /// The host when it was run.
    then: Option<&'a Snapshot>,
    /// The plan is that of a run that goes on: nothing of it changes.
    keeps: bool,
}

/// A stored plan that today's bounds admit.
#[derive(Debug)]
pub(super) struct Today {
    pub prepared: Prepared,
    /// What has changed that was part of what was confirmed: board, processor, profiles, policy, programs.
    pub grave: Vec<String>,
}

/// Of a host, what a run was confirmed for.
const CONFIRMED_FOR: [&str; 3] = ["board", "cpu model", "cores"];

fn hold_against_today(context: &Context, mut plan: Plan, stored: &Stored<'_>) -> Result<Today, Failure> {
    check_intact(&plan, stored.source_run.as_deref().unwrap_or("this file"))?;
    let catalogue = Catalogue::read(&context.workspace);
    let sources = catalogue.sources();
    let host = collect::host_facts(&context.roots);
    let mut problems = Problems::default();
    catalogue.policies.iter().for_each(|entry| problems.extend(entry.problems.clone()));
    catalogue.profiles.iter().for_each(|entry| problems.extend(entry.problems.clone()));
    if problems.has_errors() {
        return Err(Failure::input(problems, sources));
    }
    let (today, candidates) = plan::bounds_in_force(&catalogue, &host, &sources)?;
    let mut grave: Vec<String> = between_facts(&plan.host, &host)
        .iter()
        .filter(|drift| CONFIRMED_FOR.contains(&drift.what.as_str()))
        .map(|drift| sanitize::line(&drift.to_string()).into_owned())
        .collect();
    let profiles: Vec<_> = candidates.iter().filter(|c| c.applies).map(|c| c.profile.name.clone()).collect();
    if profiles.iter().collect::<BTreeSet<_>>() != plan.experiment.profiles.iter().collect() {
        grave.push("other hardware profiles apply to this host".to_owned());
    }
    let mut drifted = drift_lines(context, &plan, stored.then, &host);
    let Some(bounds) = plan.experiment.bounds.intersect(&today.bounds) else {
        return Err(Failure::safety("the plan's bounds and today's exclude each other; nothing was started"));
    };
    if bounds != plan.experiment.bounds {
        let line = "bounds are tighter than when it was planned".to_owned();
        grave.push(line.clone());
        drifted.push(line);
    }
    let mut experiment = plan.experiment.clone();
    let mut programs = vec![];
    plan.found = refresh(&context.lookup(), &mut experiment, &mut programs)?;
    grave.extend(programs.iter().cloned());
    drifted.extend(programs);
    for (path, input) in &plan.experiment.inputs {
        if hash::file(&context.workspace.join(path)).is_ok_and(|now| now != input.sha256) {
            let line = format!("{} {path} was edited since; the stored plan is used", input.kind);
            if matches!(input.kind.as_str(), "policy" | "profile") {
                grave.push(line.clone());
            }
            drifted.push(line);
        }
    }
    if !stored.keeps {
        plan.experiment = experiment;
        plan.experiment.bounds = bounds.clone();
        plan.host = host;
        plan.digest = plan.experiment.digest().map_err(|error| encode(&error))?;
    }
    let plan = Arc::new(plan);
    let admitted = admission::admit(Arc::clone(&plan), &bounds).map_err(|violations| {
        let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
        Failure::safety(format!("today's bounds refuse the stored plan: {}", lines.join("; ")))
            .hinted("nothing was started; `road_runner policy explain` shows the bounds in force")
    })?;
    let kept = plan.experiment.inputs.keys().map(|path| (stored.inputs.join(path), PathBuf::from(path)));
    let inputs = kept.filter(|(from, _)| from.is_file()).collect();
    let proposal = Proposal::new(&plan, bounds, &candidates, drifted);
    let source_run = stored.source_run.clone();
    let prepared = Prepared { admitted, proposal, inputs, warnings: Problems::default(), sources, source_run };
    Ok(Today { prepared, grave })
}

/// What is different about the host since the plan was made or run.
fn drift_lines(
    context: &Context,
    plan: &Plan,
    then: Option<&Snapshot>,
    host: &crate::domain::host::HostFacts,
) -> Vec<String> {
    drift::lines(&match then {
        Some(then) => between(then, &drift::host_now(context)),
        None => between_facts(&plan.host, host),
    })
}

/// Finds the plan's programs as they are now, by today's path rules. The plan says what will really run.
fn refresh(
    lookup: &Lookup<'_>,
    experiment: &mut Experiment,
    drifted: &mut Vec<String>,
) -> Result<std::collections::BTreeMap<String, String>, Failure> {
    let mut programs = ResolvedPrograms::default();
    let of_adapters =
        experiment.adapters.values_mut().flat_map(|a| std::iter::once(&mut a.executable).chain(&mut a.restore));
    let of_controllers = experiment.controllers.values_mut().map(|controller| &mut controller.executable);
    for executable in of_adapters.chain(of_controllers) {
        programs.add(lookup, &executable.path).map_err(|refusal| {
            let path = sanitize::escaped(&executable.path);
            Failure::usage(format!("`{path}` of the stored plan cannot be started: {refusal}")).hinted(refusal.help())
        })?;
        let now = programs.executables.get(&executable.path).cloned().unwrap_or_else(|| executable.clone());
        if now.sha256 != executable.sha256 {
            drifted.push(format!("{} is another program than when it was planned", executable.path));
            *executable = now;
        }
    }
    drifted.dedup();
    Ok(programs.found)
}

/// The run that `rerun-last` means, and the newer ones that it passes over, each with the reason.
#[derive(Debug)]
pub struct Last {
    /// The run.
    pub entry: RunEntry,
    /// Newer ones.
    pub passed_over: Vec<(String, String)>,
}

/// The newest run that completed without rig errors (exit 0 or 1), or with `passed` that exited 0.
pub fn last(context: &Context, passed: bool) -> Result<Last, Failure> {
    let mut passed_over = vec![];
    for entry in runs::list(context)? {
        let reason = match &entry.summary {
            Err(error) => format!("unreadable: {error}"),
            Ok(summary) => match (summary.status, summary.exit_code) {
                (RunStatus::Completed, Some(exit::PASS)) => return Ok(Last { entry, passed_over }),
                (RunStatus::Completed, Some(exit::FAIL)) if !passed => return Ok(Last { entry, passed_over }),
                (status, Some(code)) => format!("{status}, exit {code}"),
                (status, None) => status.to_string(),
            },
        };
        passed_over.push((entry.id.to_string(), reason));
    }
    let wanted = if passed { "passed" } else { "completed without rig errors" };
    Err(Failure::usage(format!("no run in {} {wanted}", context.runs.display()))
        .hinted("road_runner runs list shows every run"))
}
