//! What the screen asks for, done in a thread that may block: each is a call into `commands` and a message with what
//! came of it. Decides nothing.

use crate::commands::estimate::Estimate;
use crate::commands::failure::Failure;
use crate::commands::launch::{self, Launch, What};
use crate::commands::plan::{self, Asked, Prepared};
use crate::commands::preview;
use crate::commands::record::{self, NewRecord};
use crate::commands::rerun::{self, Selection, Source};
use crate::commands::resume::{self, Which};
use crate::commands::{compare, drift, export, report, runs, stored, themes, workspace};
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::report::export::RowForm;
use crate::store::history::RunEntry;
use crate::tui::backstage::{Shared, now};
use crate::tui::message::{Choice, Effect, Msg, Order, Proposed, Refused};
use crate::tui::{refused, rows};

/// Does one.
pub fn run(shared: &Shared, effect: Effect) {
    match effect {
        Effect::ReadWorkspace => read_workspace(shared),
        Effect::ListRuns => shared.send(Msg::Runs(rows::runs(history(shared), now()))),
        Effect::Preview(ticket, choice) => {
            let asked = asked(&choice);
            let preview = preview::preview_on(&shared.context, &asked, &shared.host());
            let estimate = preview.plan.as_ref().and_then(|plan| {
                let (flow, margin) = (plan.experiment.flow.as_str(), plan.experiment.margin.as_str());
                let estimate = Estimate::from_history(&history(shared), flow, margin)?;
                Some(estimate.of(plan.experiment.sub_runs().into()))
            });
            shared.send(Msg::Previewed(ticket, Box::new(preview), estimate));
        }
        Effect::ReadSubRun(ticket, dir, header, plan, index) => {
            // What went wrong with its journal was told when the run was opened.
            let (executions, _) = stored::sub_run(&dir, &RunState::new(*header, plan), index);
            shared.send(Msg::SubRun(ticket, index, executions));
        }
        Effect::Propose(ticket, order) => shared.send(Msg::Proposed(ticket, propose(shared, &order).map(Box::new))),
        Effect::Start(ticket, launch) => shared.send(Msg::Started(ticket, start(shared, &launch))),
        Effect::Stop(id, how) => {
            if let Err(failure) = runs::stop(&shared.context, &id, how) {
                shared.send(Msg::Done(Err(refused::of(&failure))));
            }
        }
        Effect::WritePlan(choice) => shared.send(Msg::Done(done(write_plan(shared, &choice)))),
        Effect::DryRun(choice) => dry_run(shared, &choice),
        Effect::Report(id) => shared.send(Msg::Done(done(make_report(shared, &id)))),
        Effect::Export(id) => shared.send(Msg::Done(done(make_export(shared, &id)))),
        Effect::Compare(then, now) => match compare::compare(&shared.context, &then, &now) {
            Ok(compared) => shared.send(Msg::Compared(Box::new(compared.comparison))),
            Err(failure) => shared.send(Msg::Done(Err(refused::of(&failure)))),
        },
        Effect::Drift(id) => {
            let lines = match stored::select(&shared.context, &id) {
                Ok(entry) => drift::since(&entry, &drift::host_now(&shared.context)),
                Err(failure) => vec![failure.message],
            };
            shared.send(Msg::Drift(id, lines));
        }
        Effect::ReadThemes => {
            let all = themes::all(&shared.context);
            let errors = all
                .problems()
                .list()
                .iter()
                .map(|p| sanitize::line(&format!("{}: {}", p.place, p.message)).into_owned())
                .collect();
            let themes = all.entries.into_iter().filter_map(|entry| entry.theme).collect();
            shared.send(Msg::Themes(themes, errors));
        }
        // Whoever owns the terminal, the feed or the log does these.
        Effect::Open(..)
        | Effect::Close
        | Effect::Log(_)
        | Effect::Sample(_)
        | Effect::Yank(_)
        | Effect::Edit(_)
        | Effect::Suspend
        | Effect::Redraw
        | Effect::Mouse(_) => {}
    }
}

/// The runs there are; a folder that cannot be read has none, which the command line explains.
fn history(shared: &Shared) -> Vec<RunEntry> {
    runs::list(&shared.context).unwrap_or_default()
}

fn read_workspace(shared: &Shared) {
    let view = workspace::view(&shared.context, &shared.host(), &history(shared));
    shared.send(Msg::Workspace(Box::new(rows::workspace(&view, &shared.context.workspace))));
}

fn asked(choice: &Choice) -> Asked {
    let Choice { flow, margin, unit, seed } = choice.clone();
    Asked { flow, margin, unit, seed }
}

/// What is run as the application runs it: paths are those of the workspace, wherever the application was opened.
fn propose(shared: &Shared, order: &Order) -> Result<Proposed, Refused> {
    let unit = order.unit.clone();
    let prepared = match &order.what {
        What::Fresh { flow, margin, seed } => {
            let asked = Asked { flow: flow.clone(), margin: margin.clone(), unit: unit.clone(), seed: Some(*seed) };
            plan::prepare(&shared.context, &asked)
        }
        What::Stored { run, failed, sub_runs } => {
            let selection = Selection { failed: *failed, sub_runs: sub_runs.clone() };
            rerun::prepare(&shared.context, &Source::Run(run.clone()), &selection, unit.as_deref())
        }
        What::Interrupted { run } => interrupted(shared, run),
    };
    let prepared = prepared.map_err(|failure| refused::of(&failure))?;
    let experiment = &prepared.plan().experiment;
    let estimate = Estimate::from_history(&history(shared), experiment.flow.as_str(), experiment.margin.as_str())
        .map(|estimate| estimate.of(experiment.sub_runs().into()));
    let margin_file = match &order.what {
        What::Fresh { margin, .. } => Some(shared.context.workspace.join(margin)).filter(|path| path.is_file()),
        What::Stored { .. } | What::Interrupted { .. } => None,
    };
    let launch = Launch {
        what: order.what.clone(),
        unit,
        dry_run: false,
        max_fail: order.max_fail,
        allow_concurrent: order.allow_concurrent,
        digest: prepared.plan().digest.clone(),
    };
    let proposal = prepared.proposal.for_decision(&shared.context);
    Ok(Proposed { proposal, launch, margin_file, estimate })
}

fn interrupted(shared: &Shared, run: &str) -> Result<Prepared, Failure> {
    let entry = resume::select(&shared.context, &Which::Run(run.to_owned()))?;
    let entry = entry.ok_or_else(|| Failure::usage(format!("run {run} was not interrupted")))?;
    Ok(resume::prepare(&shared.context, entry)?.prepared)
}

/// The new process plans once more and refuses what is not the plan that was confirmed.
fn start(shared: &Shared, launch: &Launch) -> Result<String, Refused> {
    launch::start(&shared.context, &shared.program, launch)
        .map(|started| started.run_id)
        .map_err(|failure| refused::of(&failure))
}

fn done(result: Result<String, Failure>) -> Result<String, Refused> {
    result.map_err(|failure| refused::of(&failure))
}

fn shown(path: &std::path::Path) -> String {
    sanitize::escaped(&path.display().to_string()).into_owned()
}

fn write_plan(shared: &Shared, choice: &Choice) -> Result<String, Failure> {
    let prepared = plan::prepare(&shared.context, &asked(choice))?;
    let new = NewRecord { plan: prepared.plan(), inputs: &prepared.inputs, source_run: None, dry_run: false };
    let (dir, header) = record::persist(&shared.context, &new)?;
    Ok(format!("planned {}: {}", header.run_id, shown(&dir.plan())))
}

fn dry_run(shared: &Shared, choice: &Choice) {
    let prepared = match plan::prepare(&shared.context, &asked(choice)) {
        Ok(prepared) => prepared,
        Err(failure) => return shared.send(Msg::Done(Err(refused::of(&failure)))),
    };
    let launch = Launch {
        what: What::Fresh {
            flow: choice.flow.clone(),
            margin: choice.margin.clone(),
            seed: prepared.plan().experiment.global_seed,
        },
        unit: choice.unit.clone(),
        dry_run: true,
        max_fail: None,
        allow_concurrent: false,
        digest: prepared.plan().digest.clone(),
    };
    shared.send(Msg::Done(start(shared, &launch).map(|id| format!("dry run {id}: nothing was started"))));
}

fn make_report(shared: &Shared, id: &str) -> Result<String, Failure> {
    let (_, written) = report::report(&shared.context, id)?;
    let files: Vec<String> = written.files.iter().map(|file| shown(file)).collect();
    match written.missing() {
        Some(missing) => Err(Failure::rig(missing).with(written.problems, written.sources)),
        None => Ok(files.join("  ")),
    }
}

fn make_export(shared: &Shared, id: &str) -> Result<String, Failure> {
    let exported = export::export(&shared.context, id, RowForm::Csv, export::Target::Run)?;
    Ok(exported.file.map_or_else(String::new, |path| shown(&path)))
}
