//! From what was typed to one call into `commands`, and its answer to the two streams.

use crate::cli::args::{Adapters, Arguments, Command, Margins, Policy, Rails, Themes};
use crate::cli::console::Console;
use crate::cli::{application, history, maintenance, manual, reports, resume, start, surroundings};
use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::inspect::Listing;
use crate::commands::rails::BroughtHome;
use crate::commands::rerun::Selection;
use crate::commands::{adapters, inspect, margins, policy, rails, themes};
use crate::domain::verdict::exit;
use crate::headless::progress::Verbosity;
use crate::headless::{explain, lists};

/// Does what was asked. Returns the exit code.
pub fn run(arguments: Arguments, console: &mut Console) -> Result<u8, Failure> {
    // What needs no workspace.
    match &arguments.command {
        Some(Command::Init { folder }) => return maintenance::init(folder, console),
        Some(Command::Completions { shell }) => return Ok(manual::completions(*shell, console)),
        Some(Command::Man) => return manual::page(console),
        _ => {}
    }
    let context = surroundings::context(&arguments.global)?;
    let Some(command) = arguments.command else {
        return if application::is_wanted(console) {
            application::open(&context, console)
        } else {
            overview(&context, console)
        };
    };
    match command {
        Command::Plan { choice, unit, seed } => start::plan(&context, choice, unit, seed, console),
        Command::Run { choice, seed, start } => start::run(&context, choice, seed, &start, console),
        Command::Rerun { run, failed, subruns, start } => {
            start::rerun(&context, run, &Selection { failed, sub_runs: subruns }, &start, console)
        }
        Command::RerunLast { passed, start } => start::rerun_last(&context, passed, &start, console),
        Command::Resume(asked) => resume::resume(&context, &asked, console),
        Command::Report { run_id } => reports::report(&context, &run_id, console),
        Command::Export { run, format, out } => reports::export(&context, &run, format, out, console),
        Command::Runs(command) => history::run(&context, command, console),
        Command::ListFlows => Ok(listing(&inspect::flows(&context), console, lists::flows)),
        Command::Margins(Margins::List) => Ok(listing(&margins::list(&context), console, lists::margins)),
        Command::Margins(Margins::Validate { file }) => validate(&context, &file, console),
        Command::Adapters(Adapters::List) => Ok(listing(&adapters::list(&context), console, lists::adapters)),
        Command::Adapters(Adapters::Check { name }) => check(&context, name.as_deref(), console),
        Command::Policy(Policy::List) => Ok(listing(&policy::list(&context), console, lists::policies)),
        Command::Policy(Policy::Explain) => explain(&context, console),
        Command::Rails(Rails::Status) => rails_status(&context, console),
        Command::Rails(Rails::Restore) => rails_restore(&context, console),
        Command::Themes(Themes::List) => Ok(listing(&themes::list(&context), console, lists::themes)),
        Command::Clean(asked) => maintenance::clean(&context, asked, console),
        Command::Init { .. } | Command::Completions { .. } | Command::Man => Ok(exit::PASS),
    }
}

fn overview(context: &Context, console: &mut Console) -> Result<u8, Failure> {
    let overview = inspect::overview(context)?;
    console.result(&lists::overview_json(context, &overview), || lists::overview(context, &overview));
    Ok(exit::PASS)
}

/// Prints every row, then what is wrong with the files. A file that cannot be used is invalid input, listed or not.
fn listing<T: serde::Serialize>(listing: &Listing<T>, console: &mut Console, text: fn(&[T]) -> String) -> u8 {
    console.result(&listing.rows, || text(&listing.rows));
    console.problems(&listing.problems, &listing.sources);
    if listing.problems.has_errors() { exit::USAGE } else { exit::PASS }
}

fn validate(context: &Context, file: &str, console: &mut Console) -> Result<u8, Failure> {
    let validated = margins::validate(context, file)?;
    console.result(&lists::validated_json(&validated), || lists::validated(&validated));
    console.problems(&validated.problems, &validated.sources);
    Ok(exit::PASS)
}

fn check(context: &Context, name: Option<&str>, console: &mut Console) -> Result<u8, Failure> {
    let check = adapters::check(context, name)?;
    let quiet = console.verbosity == Verbosity::Quiet;
    console.result(&check.adapters, || lists::checked(&check.adapters, quiet));
    console.problems(&check.problems, &check.sources);
    Ok(if check.is_ok() { exit::PASS } else { exit::USAGE })
}

fn rails_status(context: &Context, console: &mut Console) -> Result<u8, Failure> {
    let rails = rails::status(context)?;
    console.result(&rails.rows, || lists::rails(&rails.rows));
    console.problems(&rails.problems, &rails.sources);
    Ok(if rails.is_well() { exit::PASS } else { exit::RIG })
}

fn rails_restore(context: &Context, console: &mut Console) -> Result<u8, Failure> {
    let (brought, rails) = rails::restore(context)?;
    for home in &brought {
        console.err.line(&home.says());
    }
    console.result(&rails.rows, || lists::rails(&rails.rows));
    console.problems(&rails.problems, &rails.sources);
    let is_well = rails.is_well() && brought.iter().all(BroughtHome::is_well);
    Ok(if is_well { exit::PASS } else { exit::RIG })
}

fn explain(context: &Context, console: &mut Console) -> Result<u8, Failure> {
    let explanation = policy::explain(context)?;
    console.result(&explanation.facts, || explain::text(&explanation.facts));
    console.problems(&explanation.problems, &explanation.sources);
    Ok(exit::PASS)
}
