//! All sub-runs and executions of a run as compact JSON for the page's own script: a row of some eighty bytes each, so
//! that a hundred thousand of them are a page that a browser still opens. `docs/artifacts.md` says what stands where.

use std::collections::BTreeMap;

use super::Collector;
use super::export::Columns;
use super::row::{Number, Row, effects_text};
use crate::domain::event::StepFinished;
use crate::domain::name::Name;
use crate::domain::run_state::RunState;
use crate::domain::sanitize;
use crate::domain::shmoo::{self, Cell};
use crate::domain::summary::short_name;
use crate::store::StoreError;

/// The rows collected so far.
#[derive(Debug)]
pub struct PageData {
    steps: Numbered,
    combinations: Numbered,
    /// With its unit, as the first execution that has one says.
    metrics: Vec<(Name, String)>,
    sub_runs: Vec<u8>,
    rows: Vec<u8>,
}

/// Texts by the order in which they were first met.
#[derive(Debug, Default)]
struct Numbered {
    numbers: BTreeMap<String, usize>,
}

impl Numbered {
    fn of(&mut self, text: &str) -> usize {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let next = self.numbers.len();
        self.numbers.insert(text.to_owned(), next);
        next
    }

    fn list(&self) -> Vec<String> {
        let mut list = vec![String::new(); self.numbers.len()];
        for (text, number) in &self.numbers {
            if let Some(slot) = list.get_mut(*number) {
                *slot = sanitize::escaped(text).into_owned();
            }
        }
        list
    }
}

impl PageData {
    /// Empty, for a run with those columns.
    pub fn new(columns: &Columns) -> Self {
        Self {
            steps: Numbered::default(),
            combinations: Numbered::default(),
            metrics: columns.metrics().iter().map(|name| (name.clone(), String::new())).collect(),
            sub_runs: vec![],
            rows: vec![],
        }
    }

    /// The whole as JSON that may stand inside a script element: no `<` in it.
    pub fn json(&self) -> Vec<u8> {
        let cells: Vec<(&str, char)> = Cell::ALL.iter().map(|cell| (cell.as_str(), cell.glyph())).collect();
        let mut out = b"{".to_vec();
        let mut list = |key: &str, value: &[u8]| {
            if out.len() > 1 {
                out.extend_from_slice(b",\n");
            }
            out.extend_from_slice(format!("\"{key}\":").as_bytes());
            out.extend_from_slice(value);
        };
        list("cells", &inert(&cells));
        list("steps", &inert(&self.steps.list()));
        list("combinations", &inert(&self.combinations.list()));
        list("metrics", &inert(&self.metrics));
        list("subruns", &array(&self.sub_runs));
        list("rows", &array(&self.rows));
        out.push(b'}');
        out
    }
}

impl Collector for PageData {
    fn sub_run(&mut self, state: &RunState, index: u32) -> Result<(), StoreError> {
        let Some(sub_run) = state.sub_runs.get(index as usize) else { return Ok(()) };
        let count = state.plan.experiment.sub_runs();
        let took: u64 = Row::all(state, index).filter_map(|row| row.finished()).map(|f| f.duration_ms).sum();
        let point = state.plan.experiment.point(index).unwrap_or_default().shown();
        let reason = sanitize::escaped(sub_run.reason.as_deref().unwrap_or_default());
        let effects = effects_text(&sub_run.effects);
        let cell = number_of(shmoo::outcome(state, index).cell);
        put(&mut self.sub_runs, &(short_name(count, index), point, cell, effects, took, reason));
        for row in Row::all(state, index) {
            let started = &row.execution.started;
            let finished: Option<&StepFinished> = row.finished();
            for (name, unit) in self.metrics.iter_mut().filter(|(_, unit)| unit.is_empty()) {
                if let Some(known) = finished.and_then(|f| f.metrics.get(name)).and_then(|m| m.unit.as_deref()) {
                    *unit = sanitize::escaped(known).into_owned();
                }
            }
            let value =
                |(name, _): &(Name, String)| finished.and_then(|f| f.metrics.get(name)).map(|m| Number(m.value));
            let metrics: Vec<Option<Number>> = self.metrics.iter().map(value).collect();
            let cell = number_of(row.cell());
            let (step, combination) =
                (self.steps.of(started.step.as_str()), self.combinations.of(&started.combination));
            let effects = finished.map(|f| effects_text(&f.effects)).unwrap_or_default();
            let place = (index, started.index, step, combination, started.repetition, started.attempt, cell, effects);
            let ended = (finished.and_then(|f| f.exit_code), finished.and_then(|f| f.signal));
            let took = finished.map_or(0, |f| f.duration_ms);
            put(
                &mut self.rows,
                &(
                    place.0,
                    place.1,
                    place.2,
                    place.3,
                    place.4,
                    place.5,
                    place.6,
                    place.7,
                    ended.0,
                    ended.1,
                    took,
                    metrics,
                    row.reason(),
                ),
            );
        }
        Ok(())
    }
}

fn number_of(cell: Cell) -> usize {
    Cell::ALL.iter().position(|other| *other == cell).unwrap_or_default()
}

/// Adds a row behind those that are there.
fn put(rows: &mut Vec<u8>, row: &impl serde::Serialize) {
    if !rows.is_empty() {
        rows.extend_from_slice(b",\n");
    }
    rows.extend_from_slice(&inert(row));
}

fn array(rows: &[u8]) -> Vec<u8> {
    [b"[", rows, b"]"].concat()
}

/// JSON without anything that could end a script element or begin a comment in one.
fn inert(value: &impl serde::Serialize) -> Vec<u8> {
    // Numbers, texts and lists of them: this cannot fail.
    let json = serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec());
    if !json.contains(&b'<') {
        return json;
    }
    let mut out = Vec::with_capacity(json.len() + 16);
    for byte in json {
        if byte == b'<' { out.extend_from_slice(br"\u003c") } else { out.push(byte) }
    }
    out
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
