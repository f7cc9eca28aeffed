//! What a workspace holds, as rows: flows, and everything at a glance. Starts nothing and judges nothing.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::commands::adapters::{self, AdapterRow};
use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::margins::MarginRow;
use crate::commands::policy::{self, PolicyRow};
use crate::commands::runs;
use crate::domain::flow::{Flow, FlowStep};
use crate::input::catalogue::{Catalogue, Entry};
use crate::input::problem::Problems;
use crate::input::source::Sources;
use crate::store::history::RunEntry;

/// A list, and what is wrong with the files behind it.
#[derive(Debug)]
pub struct Listing<T> {
    /// A row a document, in the order of file names.
    pub rows: Vec<T>,
    /// Errors and warnings of those documents.
    pub problems: Problems,
    /// Their texts.
    pub sources: Sources,
}

impl<T> Listing<T> {
    /// One row for each entry.
    pub fn of<V>(catalogue: &Catalogue, entries: &[Entry<V>], row: impl Fn(&Entry<V>) -> T) -> Self {
        let mut problems = Problems::default();
        for entry in entries {
            problems.extend(entry.problems.clone());
        }
        Self { rows: entries.iter().map(row).collect(), problems, sources: catalogue.sources() }
    }
}

/// A flow in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FlowRow {
    /// Its name, or its file's stem where it cannot be read.
    pub name: String,
    /// The file, as shown.
    pub file: String,
    /// One line for people.
    pub description: Option<String>,
    /// Its steps in order.
    pub steps: Vec<StepRow>,
    /// Executions in each sub-run.
    pub executions: u128,
    /// Errors in its file; with any it cannot be used, and the rest is empty.
    pub errors: usize,
}

/// A step of a flow in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepRow {
    /// Its name.
    pub name: String,
    /// What runs it.
    pub adapter: String,
    /// Combinations of its swept parameters, at least one.
    pub combinations: u128,
    /// Repetitions of each.
    pub repeat: u32,
}

impl FlowRow {
    /// The row of one file.
    pub fn new(entry: &Entry<Flow>) -> Self {
        let flow = entry.value.as_ref();
        let steps: Vec<StepRow> = flow.map(|f| f.steps.iter().map(StepRow::new).collect()).unwrap_or_default();
        let executions = steps.iter().map(|s| s.combinations.saturating_mul(s.repeat.into()));
        Self {
            name: entry.name.clone(),
            file: entry.file.to_string(),
            description: flow.and_then(|f| f.description.clone()),
            executions: executions.fold(0, u128::saturating_add),
            errors: entry.problems.errors(),
            steps,
        }
    }

    /// The adapters of its steps, each once, in order.
    pub fn adapters(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        self.steps.iter().map(|s| s.adapter.as_str()).filter(|name| seen.insert(*name)).collect()
    }
}

impl StepRow {
    fn new(step: &FlowStep) -> Self {
        Self {
            name: step.name.value.to_string(),
            adapter: step.adapter.value.to_string(),
            combinations: step.sweep.iter().map(|(_, s)| u128::from(s.len())).fold(1, u128::saturating_mul),
            repeat: step.repeat,
        }
    }
}

/// Every flow.
pub fn flows(context: &Context) -> Listing<FlowRow> {
    let catalogue = Catalogue::read(&context.workspace);
    Listing::of(&catalogue, &catalogue.flows, FlowRow::new)
}

/// The workspace at a glance.
#[derive(Debug)]
pub struct Overview {
    /// Its flows.
    pub flows: Vec<FlowRow>,
    /// Its margin profiles.
    pub margins: Vec<MarginRow>,
    /// Its adapters.
    pub adapters: Vec<AdapterRow>,
    /// Base policy and hardware profiles.
    pub policies: Vec<PolicyRow>,
    /// Errors in all its files.
    pub errors: usize,
    /// The newest runs.
    pub runs: Vec<RunEntry>,
    /// How many runs there are.
    pub runs_in_all: usize,
    /// A flow and a margin to try, as files.
    pub example: Option<(String, String)>,
}

/// How many runs the overview names.
const NEWEST: usize = 5;

/// Looks at everything.
pub fn overview(context: &Context) -> Result<Overview, Failure> {
    let catalogue = Catalogue::read(&context.workspace);
    let mut runs = runs::list(context)?;
    let runs_in_all = runs.len();
    runs.truncate(NEWEST);
    Ok(Overview {
        flows: catalogue.flows.iter().map(FlowRow::new).collect(),
        margins: catalogue.margins.iter().map(MarginRow::new).collect(),
        adapters: adapters::rows(&catalogue),
        policies: policy::rows(&catalogue),
        errors: catalogue.all_problems().errors(),
        runs,
        runs_in_all,
        example: example(&catalogue),
    })
}

/// The sample flow with its margin, else the first flow with a margin that has its name, else the first of each.
fn example(catalogue: &Catalogue) -> Option<(String, String)> {
    let flows = || catalogue.flows.iter().filter(|entry| entry.value.is_some());
    let margins = || catalogue.margins.iter().filter(|entry| entry.value.is_some());
    let pair = |flow: &Entry<Flow>| {
        let margin = margins().find(|margin| is_pair(&flow.name, &margin.name))?;
        Some((flow.file.to_string(), margin.file.to_string()))
    };
    let sample = flows().find(|flow| stem(&flow.name) == "sample");
    sample
        .and_then(pair)
        .or_else(|| flows().find_map(pair))
        .or_else(|| Some((flows().next()?.file.to_string(), margins().next()?.file.to_string())))
}

/// Whether a flow and a margin have the same name, `vddcr_flow` and `vddcr_margin` being the same.
pub(super) fn is_pair(flow: &str, margin: &str) -> bool {
    stem(flow) == stem(margin)
}

fn stem(name: &str) -> &str {
    name.trim_end_matches("_flow").trim_end_matches("_margin")
}
