//! Planning, running and running again: from what was typed to one call into `commands`, and its answer in lines.

use serde::Serialize;
use serde::ser::SerializeMap as _;

use crate::cli::application;
use crate::cli::args::{Choice, ChoiceOrPlan, OutputForm, SeedChoice, Start, Unit};
use crate::cli::console::Console;
use crate::cli::detached::Detached;
use crate::cli::face::Lines;
use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::launch::What;
use crate::commands::plan::{self, Asked, Prepared};
use crate::commands::record::{self, NewRecord};
use crate::commands::report;
use crate::commands::rerun::{self, Selection, Source};
use crate::commands::run::{self, Ended, Face, Options};
use crate::domain::plan::Plan;
use crate::domain::sanitize;
use crate::domain::verdict::exit;
use crate::headless::confirm;
use crate::headless::progress::{self, Verbosity};

/// `plan`.
pub fn plan(
    context: &Context,
    choice: Choice,
    unit: Unit,
    seed: SeedChoice,
    console: &mut Console,
) -> Result<u8, Failure> {
    let asked = Asked { flow: choice.flow, margin: choice.margin, unit: unit.unit, seed: seed.seed };
    let prepared = plan::prepare(context, &asked)?;
    console.problems(&prepared.warnings, &prepared.sources);
    let new = NewRecord { plan: prepared.plan(), inputs: &prepared.inputs, source_run: None, dry_run: false };
    let (dir, header) = record::persist(context, &new)?;
    let quiet = console.verbosity == Verbosity::Quiet;
    let run_id = &header.run_id;
    match console.form {
        OutputForm::Json => {
            let record = dir.root().display().to_string();
            console.out.json(&PlanJson { plan: prepared.plan(), run_id, record, quiet });
        }
        OutputForm::Human => {
            // The stream notes its own failure.
            if !quiet {
                drop(crate::headless::plan::write(prepared.plan(), &mut console.out));
            }
            drop(crate::headless::plan::write_counts(prepared.plan(), &mut console.out));
            let record = dir.root().display().to_string();
            console.out.line(&format!("record    {}", sanitize::escaped(&record)));
            console.out.line(&format!("start     road_runner run --plan {run_id}"));
        }
    }
    Ok(exit::PASS)
}

/// A plan as `plan --output json` prints it; quiet leaves the sub-runs out. Written one by one: there may be a hundred thousand.
struct PlanJson<'p> {
    plan: &'p Plan,
    run_id: &'p str,
    record: String,
    quiet: bool,
}

impl Serialize for PlanJson<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let experiment = &self.plan.experiment;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("run_id", self.run_id)?;
        map.serialize_entry("record", &self.record)?;
        map.serialize_entry("plan_digest", &self.plan.digest)?;
        map.serialize_entry("flow", &experiment.flow)?;
        map.serialize_entry("margin", &experiment.margin)?;
        map.serialize_entry("unit", &self.plan.unit)?;
        map.serialize_entry("global_seed", &experiment.global_seed)?;
        map.serialize_entry("executions", &(u64::from(experiment.sub_runs()) * u64::from(experiment.executions())))?;
        map.serialize_entry("subrun_count", &experiment.sub_runs())?;
        if !self.quiet {
            map.serialize_entry("subruns", &SubRuns(self.plan))?;
        }
        map.end()
    }
}

struct SubRuns<'p>(&'p Plan);

impl Serialize for SubRuns<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(plan) = self;
        let experiment = &plan.experiment;
        serializer.collect_seq((0..experiment.sub_runs()).filter_map(|index| {
            let sub_run = experiment.sub_run(index)?;
            let step = |at| experiment.step(&sub_run, at, plan.unit_text())?.ok();
            let steps = (0..experiment.executions()).filter_map(step);
            let steps: Vec<serde_json::Value> = steps
                .map(|step| {
                    serde_json::json!({
                        "index": step.index,
                        "step": step.template.name,
                        "adapter": step.template.adapter,
                        "combination": step.combination.key,
                        "repetition": step.repetition,
                        "seed": step.seed,
                        "argv": step.argv,
                    })
                })
                .collect();
            Some(serde_json::json!({
                "index": index, "point": sub_run.point, "seed": sub_run.seed, "steps": steps,
            }))
        }))
    }
}

/// `run`.
pub fn run(
    context: &Context,
    choice: ChoiceOrPlan,
    seed: SeedChoice,
    start: &Start,
    console: &mut Console,
) -> Result<u8, Failure> {
    let unit = start.unit.unit.clone();
    match (choice.plan, choice.flow, choice.margin) {
        (Some(stored), ..) => {
            let source = Source::of(context, &stored);
            let unit = unit.as_deref();
            let what = match &source {
                Source::Run(run) => Some(stored_whole(run)),
                // The application knows runs; a plan from elsewhere is confirmed in lines.
                Source::File(_) => None,
            };
            execute(context, start, console, what, &|| rerun::prepare(context, &source, &Selection::default(), unit))
        }
        (None, Some(flow), Some(margin)) => {
            let mut asked = Asked { flow, margin, unit, seed: seed.seed };
            let first = plan::prepare(context, &asked)?;
            // A seed that was drawn is drawn once.
            let seed = first.plan().experiment.global_seed;
            asked.seed = Some(seed);
            let what = What::Fresh { flow: asked.flow.clone(), margin: asked.margin.clone(), seed };
            execute_prepared(context, start, console, (&first, Some(what)), &|| plan::prepare(context, &asked))
        }
        (None, ..) => Err(Failure::usage("give --flow and --margin, or --plan")),
    }
}

/// `rerun`.
pub fn rerun(
    context: &Context,
    run: String,
    selection: &Selection,
    start: &Start,
    console: &mut Console,
) -> Result<u8, Failure> {
    let what = What::Stored { run: run.clone(), failed: selection.failed, sub_runs: selection.sub_runs.clone() };
    let source = Source::Run(run);
    let unit = start.unit.unit.as_deref();
    execute(context, start, console, Some(what), &|| rerun::prepare(context, &source, selection, unit))
}

fn stored_whole(run: &str) -> What {
    What::Stored { run: run.to_owned(), failed: false, sub_runs: None }
}

/// `rerun-last`.
pub fn rerun_last(context: &Context, passed: bool, start: &Start, console: &mut Console) -> Result<u8, Failure> {
    let last = rerun::last(context, passed)?;
    for (newer, reason) in &last.passed_over {
        console.err.line(&format!("passed over {newer}: {}", sanitize::line(reason)));
    }
    let id = last.entry.id.to_string();
    if let Ok(summary) = &last.entry.summary {
        let unit = summary.unit.as_deref().unwrap_or("no unit");
        let (flow, margin) = (&summary.flow, &summary.margin);
        console.err.line(&format!("repeating {id}, unit {}, {flow} x {margin}", sanitize::escaped(unit)));
    }
    rerun(context, id, &Selection::default(), start, console)
}

fn execute(
    context: &Context,
    start: &Start,
    console: &mut Console,
    what: Option<What>,
    prepare: &dyn Fn() -> Result<Prepared, Failure>,
) -> Result<u8, Failure> {
    let first = prepare()?;
    execute_prepared(context, start, console, (&first, what), prepare)
}

fn execute_prepared(
    context: &Context,
    start: &Start,
    console: &mut Console,
    (prepared, what): (&Prepared, Option<What>),
    again: &dyn Fn() -> Result<Prepared, Failure>,
) -> Result<u8, Failure> {
    console.problems(&prepared.warnings, &prepared.sources);
    // On a terminal people confirm and watch in the application; a dry run has nothing to watch.
    if let Some(what) = what.filter(|_| !start.dry_run && !start.handover.detached && application::is_wanted(console)) {
        return application::run(context, what, start, &prepared.plan().digest, console);
    }
    // Whoever is asked sees all of it with the question.
    if start.yes || start.dry_run {
        say_drift(context, prepared, console);
    }
    let (problems, sources) = report::warnings(context);
    console.problems(&problems, &sources);
    let options = Options {
        yes: start.yes,
        confirmed: start.handover.confirmed.as_deref(),
        dry_run: start.dry_run,
        max_fail: start.max_fail,
        allow_concurrent: start.allow_concurrent,
        retry_crashed: 0,
    };
    watched(start.handover.detached, console, |face| run::run(context, prepared, options, face, again))
}

/// What nobody is asked about: what has changed, or with `-v` everything.
pub fn say_drift(context: &Context, prepared: &Prepared, console: &mut Console) {
    match console.verbosity {
        Verbosity::Quiet => {}
        Verbosity::Normal => {
            for drift in &prepared.proposal.drift {
                console.err.line(&format!("changed since the plan was made: {}", sanitize::line(drift)));
            }
        }
        Verbosity::Verbose => {
            console.err.text(&confirm::text(&prepared.proposal.for_decision(context)));
        }
    }
}

/// Runs something that is watched in lines, or by the application, and says how it ended.
pub fn watched(
    detached: bool,
    console: &mut Console,
    run: impl FnOnce(&mut dyn Face) -> Result<Ended, Failure>,
) -> Result<u8, Failure> {
    let (ended, printed) = if detached {
        let mut face = Detached::default();
        let ended = run(&mut face);
        face.finish();
        (ended?, Ok(()))
    } else {
        let mut lines = Lines::new(console);
        let ended = run(&mut lines);
        let printed = lines.finish();
        (ended?, printed)
    };
    if console.form == OutputForm::Human {
        console.out.text(&progress::result(&ended.state, &ended.dir));
    }
    console.problems(&ended.reports.problems, &ended.reports.sources);
    if let Some(error) = &ended.record_error {
        console.error(&format!("the record is not complete: {error}"));
    }
    if let Err(error) = printed {
        // The record is what counts; a stream that failed changes nothing of what the run came to.
        console.error(&format!("failed to write events to stdout: {error}"));
    }
    Ok(ended.exit_code)
}
