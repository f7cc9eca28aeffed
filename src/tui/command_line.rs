//! The headless command that does what is on screen, for `Y`, the command line at the bottom, and how to come back.

use crate::commands::launch::{Launch, What};
use crate::domain::sanitize;
use crate::tui::message::Choice;
use crate::tui::model::{Model, Subject};

/// What does the same without the application.
pub fn of(model: &Model) -> String {
    match &model.subject {
        Subject::Nothing => with_globals(model, &["road_runner".to_owned()]),
        Subject::Preview(previewed) => {
            let Choice { flow, margin, unit, seed } = previewed.choice.clone();
            let what = What::Fresh { flow, margin, seed: seed.unwrap_or(1) };
            let launch =
                Launch { what, unit, dry_run: false, max_fail: None, allow_concurrent: false, digest: String::new() };
            let mut words = launch.words();
            // What could not be expanded has no seed yet: the command draws one, or takes the margin's.
            if seed.is_none()
                && let Some(flag) = words.iter().position(|word| word == "--seed")
            {
                words.drain(flag..flag + 2);
            }
            with_globals(model, &words)
        }
        Subject::Run(run) => {
            let verb = if run.live { "follow" } else { "show" };
            let words = ["road_runner", "runs", verb, run.state.header.run_id.as_str()].map(str::to_owned);
            with_globals(model, &words)
        }
    }
}

/// How to come back to what goes on.
pub fn back(model: &Model) -> String {
    with_globals(model, &["road_runner".to_owned()])
}

/// With the workspace and the runs folder where the program would not find them by itself.
fn with_globals(model: &Model, words: &[String]) -> String {
    let mut words = words.to_vec();
    if !model.around.workspace_is_found {
        words.extend(["--workspace".to_owned(), model.around.workspace.display().to_string()]);
    }
    if let Some(runs) = &model.around.runs {
        words.extend(["--runs-dir".to_owned(), runs.display().to_string()]);
    }
    words.iter().map(|word| sanitize::shell_word(word)).collect::<Vec<_>>().join(" ")
}
