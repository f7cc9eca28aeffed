//! A stored run as rows: into its own directory, into a file, or into whatever the caller hands over.

use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::{report, stored};
use crate::report::export::{RowForm, Rows, Writer};
use crate::report::gather;
use crate::store::StoreError;
use crate::store::atomic;
use crate::store::record::{Damage, Record};
use crate::store::seal;

/// Where rows go.
pub enum Target<'t> {
    /// Into the run's directory, as `export.csv` or `export.json`; where the run is sealed, the file is sealed again.
    Run,
    /// Into a file, against the current folder.
    File(PathBuf),
    /// Into that.
    Stream(&'t mut dyn Write),
}

/// What was exported.
#[derive(Debug)]
pub struct Exported {
    /// The file, if it is one.
    pub file: Option<PathBuf>,
    /// What of the record is not as it should be.
    pub damage: Vec<Damage>,
}

/// Exports the run that `asked` means.
pub fn export(context: &Context, asked: &str, form: RowForm, target: Target<'_>) -> Result<Exported, Failure> {
    let record = Record::open(stored::select(context, asked)?);
    let (path, damage) = match target {
        Target::Stream(to) => {
            return Ok(Exported { file: None, damage: rows(&record, form, Path::new("stdout"), to)? });
        }
        // Whatever has been put into its place there is replaced and never followed.
        Target::Run => {
            let path = match form {
                RowForm::Csv => record.entry.dir.export_csv(),
                RowForm::Json => record.entry.dir.export_json(),
            };
            let hold = seal::hold(&record.entry.dir);
            let damage = replaced(&record, form, &path)?;
            hold.renew(std::slice::from_ref(&path))?;
            (path, damage)
        }
        Target::File(path) => {
            let path = resolve(&context.current.join(path))?;
            // A pipe or a device is written to; replacing it would take it away from everybody.
            let is_special = fs::metadata(&path).is_ok_and(|kind| !kind.is_file());
            let damage = if is_special { written(&record, form, &path)? } else { replaced(&record, form, &path)? };
            (path, damage)
        }
    };
    Ok(Exported { file: Some(path), damage })
}

fn replaced(record: &Record, form: RowForm, path: &Path) -> Result<Vec<Damage>, StoreError> {
    let mut damage = vec![];
    atomic::replace_with(path, |to| {
        damage = rows(record, form, path, to)?;
        Ok(())
    })?;
    Ok(damage)
}

fn written(record: &Record, form: RowForm, path: &Path) -> Result<Vec<Damage>, StoreError> {
    let file = OpenOptions::new().write(true).open(path).map_err(StoreError::io("write", path))?;
    let mut to = BufWriter::new(file);
    let damage = rows(record, form, path, &mut to)?;
    to.flush().map_err(StoreError::io("write", path))?;
    Ok(damage)
}

/// Where a file really is, so that a link keeps pointing at it.
fn resolve(path: &Path) -> Result<PathBuf, Failure> {
    if path.is_dir() {
        return Err(Failure::usage(format!("{} is a folder", path.display())).hinted("name a file in it"));
    }
    let folder = path.parent().filter(|folder| folder.is_dir());
    if folder.is_none() {
        return Err(Failure::usage(format!("there is no folder for {}", path.display())).hinted("make it first"));
    }
    Ok(path.canonicalize().unwrap_or_else(|_| path.to_path_buf()))
}

fn rows(record: &Record, form: RowForm, path: &Path, to: &mut dyn Write) -> Result<Vec<Damage>, StoreError> {
    let columns = report::columns(record);
    let titles = columns.titles();
    let mut writer = Writer::new(&titles, form, path, to)?;
    let folded = gather(record, || Rows::new(&columns, &titles, form), |rows| writer.join(&rows))?;
    writer.finish()?;
    Ok(folded.damage)
}
