//! `clean` and `init`: from what was typed to one call into `commands`, and its answer in lines.

use std::path::Path;

use crate::cli::args::Clean;
use crate::cli::console::Console;
use crate::cli::surroundings;
use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::{clean, init};
use crate::domain::retention::Rule;
use crate::domain::verdict::exit;
use crate::headless::maintenance;
use crate::headless::progress::Verbosity;

/// `clean`.
pub fn clean(context: &Context, asked: Clean, console: &mut Console) -> Result<u8, Failure> {
    let rule = Rule { older_than_days: asked.older_than, keep: asked.keep, force: asked.force };
    let cleaned = clean::clean(context, rule, asked.dry_run)?;
    let quiet = console.verbosity == Verbosity::Quiet;
    console.result(&cleaned, || maintenance::cleaned(&cleaned, quiet));
    Ok(if cleaned.is_ok() { exit::PASS } else { exit::RIG })
}

/// `init`.
pub fn init(folder: &Path, console: &mut Console) -> Result<u8, Failure> {
    let done = init::init(&surroundings::current_folder()?, folder)?;
    let quiet = console.verbosity == Verbosity::Quiet;
    console.result(&done, || maintenance::initialized(&done, quiet));
    Ok(exit::PASS)
}
