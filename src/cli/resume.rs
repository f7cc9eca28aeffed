//! Going on with a run that was interrupted: from what was typed to one call into `commands`.

use crate::cli::application;
use crate::cli::args::{Resume, Start};
use crate::cli::console::Console;
use crate::cli::start;
use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::launch::What;
use crate::commands::report;
use crate::commands::resume::{self, Asked, MOST_BOOTS, Which};
use crate::commands::run::Options;
use crate::domain::verdict::exit;
use crate::headless::progress::Verbosity;

/// `resume`.
pub fn resume(context: &Context, asked: &Resume, console: &mut Console) -> Result<u8, Failure> {
    let which = match &asked.run {
        Some(run) => Which::Run(run.clone()),
        None if asked.auto => Which::Auto,
        None => Which::Last,
    };
    // At every boot of every host: where there is nothing to do nothing is said.
    let Some(entry) = resume::select(context, &which)? else { return Ok(exit::PASS) };
    let resumable = resume::prepare(context, entry)?;
    // On a terminal people confirm and watch in the application, which knows no more of it than this.
    let plain = !asked.auto && asked.retry_crashed == 0 && asked.max_boots == MOST_BOOTS && !asked.handover.detached;
    if plain && application::is_wanted(console) {
        let what = What::Interrupted { run: resumable.entry.id.to_string() };
        let start = Start { yes: asked.yes, allow_concurrent: asked.allow_concurrent, ..Start::default() };
        return application::run(context, what, &start, &resumable.prepared.plan().digest, console);
    }
    if asked.yes || asked.auto {
        if let Some(from) =
            resumable.prepared.proposal.goes_on.as_ref().filter(|_| console.verbosity != Verbosity::Quiet)
        {
            console.err.line(&from.says);
        }
        start::say_drift(context, &resumable.prepared, console);
    }
    let (problems, sources) = report::warnings(context);
    console.problems(&problems, &sources);
    let asked_for = Asked {
        options: Options {
            yes: asked.yes,
            confirmed: asked.handover.confirmed.as_deref(),
            allow_concurrent: asked.allow_concurrent,
            retry_crashed: asked.retry_crashed,
            ..Options::default()
        },
        auto: asked.auto,
        most_boots: asked.max_boots,
    };
    start::watched(asked.handover.detached, console, |face| resume::resume(context, &resumable, asked_for, face))
}
