//! Reports and the CSV beside them, from what a run has stored. Everything else of the record is safe before a template
//! is rendered, and one form that cannot be made keeps no other from being made.

use std::convert::Infallible;
use std::path::PathBuf;

use serde::Serialize;

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::stored;
use crate::domain::problem::Severity;
use crate::input::problem::Problems;
use crate::input::source::Sources;
use crate::report;
use crate::report::export::Columns;
use crate::report::gathered::Gathered;
use crate::report::render::{self, RenderFault};
use crate::report::template::{BadTemplate, Form, Templates};
use crate::store::StoreError;
use crate::store::atomic;
use crate::store::history::RunEntry;
use crate::store::record::{Damage, Record};
use crate::store::seal;

/// What was written of a run.
#[derive(Debug, Default)]
pub struct Written {
    /// The files, absolute, in the order in which they were written.
    pub files: Vec<PathBuf>,
    /// What of the record is not as it should be.
    pub damage: Vec<Damage>,
    /// What is wrong with templates.
    pub problems: Problems,
    /// The texts that the problems are in.
    pub sources: Sources,
    /// What could not be written.
    pub error: Option<StoreError>,
}

/// `report`, as programs read it.
#[derive(Debug, Serialize)]
pub struct Reported {
    /// The run.
    pub run_id: String,
    /// The files that were written.
    pub files: Vec<PathBuf>,
    /// What of the record is not as it should be.
    pub damage: Vec<String>,
}

/// Makes both reports of a stored run again.
pub fn report(context: &Context, asked: &str) -> Result<(Reported, Written), Failure> {
    let entry = stored::select(context, asked)?;
    let run_id = entry.id.to_string();
    let written = write(context, entry, false);
    let reported = Reported {
        run_id,
        files: written.files.clone(),
        damage: written.damage.iter().map(ToString::to_string).collect(),
    };
    Ok((reported, written))
}

/// Writes the reports of a run, and before them its CSV where that is asked for. Where the run is sealed, these files are
/// sealed again.
pub fn write(context: &Context, entry: RunEntry, with_csv: bool) -> Written {
    let mut written = Written::default();
    let hold = seal::hold(&entry.dir);
    written.error = write_all(context, entry, with_csv, &mut written).err();
    let sealed = hold.renew(&written.files);
    written.error = written.error.or(sealed.err());
    written
}

fn write_all(context: &Context, entry: RunEntry, with_csv: bool, written: &mut Written) -> Result<(), StoreError> {
    let record = Record::open(entry);
    let dir = &record.entry.dir;
    atomic::sweep(dir.root());
    let columns = columns(&record);
    let mut failed = None;
    let mut gathered = None;
    if with_csv {
        let path = dir.export_csv();
        let result = atomic::replace_with(&path, |to| {
            gathered = Some(Gathered::read(&record, &columns, Some((&path, to)))?);
            Ok(())
        });
        match result {
            Ok(()) => written.files.push(path),
            Err(error) => failed = Some(error),
        }
    }
    let gathered = match gathered {
        Some(gathered) => gathered,
        None => Gathered::read(&record, &columns, None)?,
    };
    written.damage.clone_from(&gathered.damage);
    let facts = render::facts(&record, &gathered)?;
    for form in Form::ALL {
        let path = match form {
            Form::Markdown => dir.report_markdown(),
            Form::Html => dir.report_html(),
        };
        let mut bad = None;
        let result = Templates::load(&context.workspace, form).map_err(Box::new).map(|templates| {
            atomic::replace_with(&path, |to| match render::render(&record, &gathered, &facts, &templates, to) {
                Ok(()) => Ok(()),
                Err(RenderFault::Write(error)) => Err(StoreError::io("write", &path)(error)),
                Err(RenderFault::Template(template)) => {
                    bad = Some(template);
                    Err(StoreError::Encode {
                        path: path.clone(),
                        message: "the template cannot be rendered".to_owned(),
                    })
                }
            })
        });
        match (result, bad) {
            (Err(bad), _) | (_, Some(bad)) => written.add(*bad),
            (Ok(Ok(())), None) => written.files.push(path),
            (Ok(Err(error)), None) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(()), Err)
}

impl Written {
    fn add(&mut self, bad: BadTemplate) {
        self.problems.extend(bad.problems);
        self.sources.extend(&bad.sources);
    }

    /// What is missing of the reports, in a sentence; nothing where all is there.
    pub fn missing(&self) -> Option<String> {
        match &self.error {
            Some(error) => Some(error.to_string()),
            None if self.problems.has_errors() => Some("a report could not be made of its template".to_owned()),
            None => None,
        }
    }
}

/// The columns of a run: those of its plan, else those that its journals have; and the sources of evidence that it names.
pub fn columns(record: &Record) -> Columns {
    if !record.stands_in {
        return Columns::of(&record.plan.experiment).observing(&record.sources());
    }
    let mut columns = Columns::default();
    let Ok(_) = report::gather(record, Columns::default, |part| {
        columns.join(part);
        Ok::<(), Infallible>(())
    });
    columns
}

/// What will be wrong with the reports of runs, as warnings: better said before a night than after it.
pub fn warnings(context: &Context) -> (Problems, Sources) {
    let mut problems = Problems::default();
    let mut sources = Sources::default();
    if Templates::are_ours(&context.workspace) {
        return (problems, sources);
    }
    for bad in Form::ALL.into_iter().filter_map(|form| Templates::load(&context.workspace, form).err()) {
        for problem in bad.problems.list() {
            problems.push(crate::domain::problem::Problem { severity: Severity::Warning, ..problem.clone() });
        }
        sources.extend(&bad.sources);
    }
    (problems, sources)
}
