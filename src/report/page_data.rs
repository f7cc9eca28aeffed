//! All sub-runs and executions of a run as compact JSON for the page's own script: a row of some eighty bytes each, so
//! that a hundred thousand of them are a page that a browser still opens. `docs/reports.md` says what stands where.

use std::collections::{BTreeMap, BTreeSet};

use super::Part;
use super::export::Columns;
use super::row::{Number, Row, effects_text};
use crate::domain::event::StepFinished;
use crate::domain::name::Name;
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::domain::shmoo::{self, Cell};
use crate::domain::summary::short_name;

/// The rows of a run, or of some of its sub-runs.
#[derive(Debug)]
pub struct PageData<'c> {
    columns: &'c Columns,
    steps: &'c BTreeMap<String, usize>,
    combinations: &'c BTreeMap<String, usize>,
    sub_runs: Vec<u8>,
    rows: Vec<u8>,
}

/// Texts by the numbers under which rows refer to them.
pub fn numbered(texts: &BTreeSet<String>) -> BTreeMap<String, usize> {
    texts.iter().cloned().zip(0..).collect()
}

impl<'c> PageData<'c> {
    /// Empty, for a run with those columns and what their rows refer to.
    pub const fn new(
        columns: &'c Columns,
        steps: &'c BTreeMap<String, usize>,
        combinations: &'c BTreeMap<String, usize>,
    ) -> Self {
        Self { columns, steps, combinations, sub_runs: vec![], rows: vec![] }
    }

    /// With the rows of the sub-runs behind these.
    pub fn join(&mut self, other: &PageData<'_>) {
        add(&mut self.sub_runs, &other.sub_runs);
        add(&mut self.rows, &other.rows);
    }

    /// The whole as JSON that may stand inside a script element: no `<` in it.
    pub fn json(&self) -> Vec<u8> {
        let shown = |text: &String| sanitize::escaped(text).into_owned();
        let cells: Vec<(&str, char)> = Cell::ALL.iter().map(|cell| (cell.as_str(), cell.glyph())).collect();
        let metrics: Vec<(&Name, String)> = self.columns.metrics().iter().map(|(n, unit)| (n, shown(unit))).collect();
        let texts = |texts: &BTreeSet<String>| inert(&texts.iter().map(shown).collect::<Vec<_>>());
        let mut out = b"{".to_vec();
        for (key, value) in [
            ("cells", inert(&cells)),
            ("steps", texts(self.columns.steps())),
            ("combinations", texts(self.columns.combinations())),
            ("metrics", inert(&metrics)),
            ("subruns", array(&self.sub_runs)),
            ("rows", array(&self.rows)),
        ] {
            if out.len() > 1 {
                out.extend_from_slice(b",\n");
            }
            out.extend_from_slice(format!("\"{key}\":").as_bytes());
            out.extend_from_slice(&value);
        }
        out.push(b'}');
        out
    }
}

impl Part for PageData<'_> {
    fn sub_run(&mut self, state: &RunState, index: u32) {
        let Some(sub_run) = state.sub_runs.get(index as usize) else { return };
        let count = state.plan.experiment.sub_runs();
        let took = Row::took_ms(state, index);
        let point = state.plan.experiment.point(index).unwrap_or_default().shown();
        let reason = sanitize::escaped(sub_run.reason.as_deref().unwrap_or_default());
        let effects = effects_text(&sub_run.effects);
        let cell = number_of(shmoo::outcome(state, index).cell);
        put(&mut self.sub_runs, &(short_name(count, index), point, cell, effects, took, reason));
        for row in Row::all(state, index) {
            let started = &row.execution.started;
            let finished: Option<&StepFinished> = row.finished();
            let value = |name: &Name| finished.and_then(|f| f.metrics.get(name)).map(|m| Number(m.value));
            let metrics: Vec<Option<Number>> = self.columns.metrics().keys().map(value).collect();
            let number = |numbers: &BTreeMap<String, usize>, text: &str| numbers.get(text).copied().unwrap_or_default();
            let row = (
                index,
                started.index,
                number(self.steps, started.step.as_str()),
                number(self.combinations, &started.combination),
                started.repetition,
                started.attempt,
                number_of(row.cell()),
                finished.map(|f| effects_text(&f.effects)).unwrap_or_default(),
                finished.and_then(|f| f.exit_code),
                finished.and_then(|f| f.signal),
                finished.and_then(StepFinished::took_ms),
                metrics,
                row.reason(),
            );
            put(&mut self.rows, &row);
        }
    }
}

fn number_of(cell: Cell) -> usize {
    Cell::ALL.iter().position(|other| *other == cell).unwrap_or_default()
}

/// Adds rows behind those that are there.
fn add(rows: &mut Vec<u8>, more: &[u8]) {
    if !rows.is_empty() && !more.is_empty() {
        rows.extend_from_slice(b",\n");
    }
    rows.extend_from_slice(more);
}

/// Adds a row behind those that are there.
fn put(rows: &mut Vec<u8>, row: &impl serde::Serialize) {
    if !rows.is_empty() {
        rows.extend_from_slice(b",\n");
    }
    let start = rows.len();
    // Numbers, texts and lists of them into memory: this cannot fail.
    if serde_json::to_writer(&mut *rows, row).is_err() {
        rows.truncate(start);
        rows.extend_from_slice(b"null");
    }
    if rows.get(start..).is_some_and(|row| row.contains(&b'<')) {
        for byte in rows.split_off(start) {
            if byte == b'<' { rows.extend_from_slice(br"\u003c") } else { rows.push(byte) }
        }
    }
}

fn array(rows: &[u8]) -> Vec<u8> {
    [b"[", rows, b"]"].concat()
}

/// JSON without anything that could end a script element or begin a comment in one.
fn inert(value: &impl serde::Serialize) -> Vec<u8> {
    let mut json = vec![];
    put(&mut json, value);
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_script() {
        let json = String::from_utf8(inert(&("</script><!--", 1))).unwrap();
        assert_eq!(json, r#"["\u003c/script>\u003c!--",1]"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()[0], "</script><!--");
    }
}
