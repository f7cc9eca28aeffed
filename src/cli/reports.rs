//! `report` and `export`: from what was typed to one call into `commands`, and the paths of what was written.

use std::path::{Path, PathBuf};

use crate::cli::args::{Format, OutputForm};
use crate::cli::console::Console;
use crate::commands::context::Context;
use crate::commands::export::{self, Target};
use crate::commands::failure::Failure;
use crate::commands::{report, stored};
use crate::domain::sanitize;
use crate::domain::verdict::exit;
use crate::report::export::RowForm;

/// `report`.
pub fn report(context: &Context, run: &str, console: &mut Console) -> Result<u8, Failure> {
    let (reported, written) = report::report(context, run)?;
    console.result(&reported, || {
        let paths =
            reported.files.iter().map(|path| sanitize::escaped(&path.display().to_string()).into_owned() + "\n");
        paths.collect()
    });
    console.damage(&written.damage);
    console.problems(&written.problems, &written.sources);
    if let Some(error) = written.error {
        return Err(error.into());
    }
    Ok(if written.problems.has_errors() { exit::USAGE } else { stored::damage_code(&written.damage) })
}

/// `export`.
pub fn export(
    context: &Context,
    run: &str,
    format: Format,
    out: Option<PathBuf>,
    console: &mut Console,
) -> Result<u8, Failure> {
    let form = match format {
        Format::Csv => RowForm::Csv,
        Format::Json => RowForm::Json,
    };
    let target = match out {
        None => Target::Run,
        Some(out) if out == Path::new("-") => Target::Stream(&mut console.out),
        Some(out) => Target::File(out),
    };
    let exported = export::export(context, run, form, target)?;
    if let Some(file) = &exported.file {
        let shown = file.display().to_string();
        match console.form {
            OutputForm::Json => console.out.json(&serde_json::json!({ "file": shown })),
            OutputForm::Human => console.out.line(&sanitize::escaped(&shown)),
        }
    }
    console.damage(&exported.damage);
    Ok(stored::damage_code(&exported.damage))
}
