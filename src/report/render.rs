//! A gathered run and a template to the bytes of a report. Never changes anything; the caller decides where they go.

use std::collections::BTreeMap;
use std::io::{self, Write};

use handlebars::{Context, Handlebars, RenderError, RenderErrorReason};
use serde::Serialize;
use serde_json::Value;

use super::context::{Facts, rows_name};
use super::gathered::Gathered;
use super::grid::Shmoo;
use super::helpers::{Code, Each, StepsData, Stream, markdown};
use super::row::{Row, effects_text};
use super::template::{BadTemplate, Form, Templates};
use super::template_check;
use crate::domain::problem::Problem;
use crate::domain::sanitize;
use crate::domain::shmoo;
use crate::domain::summary::short_name;
use crate::domain::time::span;
use crate::domain::verdict::Effects;
use crate::input::problem::whole_file;
use crate::store::StoreError;
use crate::store::record::Record;

/// A report larger than this is a template that has lost its way, in bytes.
const MOST: u64 = 1 << 30;

/// Why there is no report.
#[derive(Debug)]
pub enum RenderFault {
    /// The template cannot be rendered.
    Template(Box<BadTemplate>),
    /// What it makes cannot be written.
    Write(io::Error),
}

/// What every template of a run knows besides its rows, made once for all forms.
pub fn facts(record: &Record, gathered: &Gathered) -> Result<Context, StoreError> {
    let path = record.entry.dir.summary();
    let mut facts =
        serde_json::to_value(Facts::new(record, gathered)).map_err(|error| StoreError::encode(&path, error))?;
    // The host's own words, of which everything else here has been made fit to be shown already.
    if let Some(Value::Object(host)) = facts.get_mut("host") {
        for value in host.values_mut() {
            if let Value::String(text) = value {
                *text = sanitize::escaped(text).into_owned();
            }
        }
    }
    let encode = |error: RenderError| StoreError::Encode { path, message: error.to_string() };
    Context::wraps(facts).map_err(encode)
}

/// Renders a form into `to`.
pub fn render(
    record: &Record,
    gathered: &Gathered,
    facts: &Context,
    templates: &Templates,
    to: &mut dyn Write,
) -> Result<(), RenderFault> {
    let streams = streams(record, gathered);
    let mut engine = Handlebars::new();
    for (name, template) in &templates.by_name {
        engine.register_template(name, template.clone());
    }
    match templates.form {
        Form::Html => engine.register_escape_fn(handlebars::html_escape),
        Form::Markdown => engine.register_escape_fn(markdown),
    }
    engine.register_helper("each", Box::new(Each::new(&streams)));
    engine.register_helper("steps_data", Box::new(StepsData(&gathered.page)));
    engine.register_helper("code", Box::new(Code));
    let mut to = Bounded { to, left: MOST, failed: None };
    let rendered = engine.render_with_context_to_write(templates.form.template(), facts, &mut to);
    match (rendered, to.failed) {
        (_, Some(error)) => Err(RenderFault::Write(error)),
        (Ok(()), None) => Ok(()),
        (Err(error), None) => Err(of_engine(&error, templates)),
    }
}

/// An error of the engine with its place, if it has one.
fn of_engine(error: &RenderError, templates: &Templates) -> RenderFault {
    let message = match error.reason() {
        RenderErrorReason::Other(message) => message.clone(),
        reason => reason.to_string(),
    };
    let file = error.template_name.clone().unwrap_or_else(|| format!("templates/{}.hbs", templates.form.template()));
    let place = match (templates.sources.find(&file), error.line_no) {
        (Some(source), Some(line)) => template_check::tag(source, line, error.column_no.unwrap_or(1)),
        _ => whole_file(&file),
    };
    let message = sanitize::escaped(&message).into_owned();
    RenderFault::Template(Box::new(BadTemplate::new(Problem::error(place, message), &templates.sources)))
}

/// Writes so many bytes and no more; keeps the first failure, which the engine would turn into words.
struct Bounded<'w> {
    to: &'w mut dyn Write,
    left: u64,
    failed: Option<io::Error>,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            return Err(io::Error::other("the report grows past 1 GiB"));
        };
        self.left = left;
        self.to.write_all(bytes).map(|()| bytes.len()).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            kind.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn streams<'s>(record: &'s Record, gathered: &'s Gathered) -> BTreeMap<String, Box<dyn Stream + Send + 's>> {
    let mut streams: BTreeMap<String, Box<dyn Stream + Send + 's>> = BTreeMap::new();
    streams.insert("steps".to_owned(), Box::new(Steps { record }));
    streams.insert("subruns".to_owned(), Box::new(SubRuns { gathered }));
    if let Some(shmoo) = &gathered.shmoo {
        let slices = (0..shmoo.slices()).map(Some);
        for slice in std::iter::once(None).chain(slices) {
            streams.insert(rows_name(slice), Box::new(GridRows { shmoo, slice }));
        }
    }
    streams
}

fn value(row: &impl Serialize) -> Result<Value, RenderError> {
    serde_json::to_value(row).map_err(|error| RenderErrorReason::SerdeError(error).into())
}

/// Every execution: the journals are read once more, and only as far as rows are wanted.
struct Steps<'s> {
    record: &'s Record,
}

impl Stream for Steps<'_> {
    fn rows(&self, each: &mut dyn FnMut(Value) -> Result<bool, RenderError>) -> Result<(), RenderError> {
        let read = self.record.fold(|state, index| {
            for row in Row::all(state, index) {
                if !each(value(&row.shown()).map_err(Some)?).map_err(Some)? {
                    return Err(None);
                }
            }
            state.forget_steps(index);
            Ok(())
        });
        match read {
            Ok(_) | Err(None) => Ok(()),
            Err(Some(error)) => Err(error),
        }
    }
}

/// Every sub-run of the plan.
struct SubRuns<'s> {
    gathered: &'s Gathered,
}

/// A sub-run as templates see it.
#[derive(Serialize)]
struct ShownSubRun {
    id: String,
    index: u32,
    point: crate::domain::point::MarginPoint,
    verdict: Option<crate::domain::verdict::Verdict>,
    name: String,
    shown: String,
    cell: &'static str,
    glyph: char,
    effects: Effects,
    effects_text: String,
    executions: u32,
    took: String,
    reason: String,
}

impl Stream for SubRuns<'_> {
    fn rows(&self, each: &mut dyn FnMut(Value) -> Result<bool, RenderError>) -> Result<(), RenderError> {
        let state = &self.gathered.state;
        let count = state.plan.experiment.sub_runs();
        for (index, sub_run) in (0..count).zip(&state.sub_runs) {
            let cell = shmoo::outcome(state, index).cell;
            let point = state.plan.experiment.point(index).unwrap_or_default();
            let sum = self.gathered.sums.get(index as usize).copied().unwrap_or_default();
            let row = ShownSubRun {
                id: state.header.sub_run_id(count, index),
                index,
                shown: point.shown(),
                point,
                verdict: sub_run.verdict,
                name: short_name(count, index),
                cell: cell.as_str(),
                glyph: cell.glyph(),
                effects_text: effects_text(&sub_run.effects),
                effects: sub_run.effects.clone(),
                executions: sum.executions,
                took: span(sum.took_ms),
                reason: sanitize::escaped(sub_run.reason.as_deref().unwrap_or_default()).into_owned(),
            };
            if !each(value(&row)?)? {
                break;
            }
        }
        Ok(())
    }
}

/// The rows of the grid or of one of its slices, from the top.
struct GridRows<'s> {
    shmoo: &'s Shmoo,
    slice: Option<usize>,
}

impl Stream for GridRows<'_> {
    fn rows(&self, each: &mut dyn FnMut(Value) -> Result<bool, RenderError>) -> Result<(), RenderError> {
        for from_top in 0..self.shmoo.rows() {
            let Some(row) = self.shmoo.row(self.slice, from_top) else { break };
            if !each(value(&row)?)? {
                break;
            }
        }
        Ok(())
    }
}
