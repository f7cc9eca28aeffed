//! All that a report is made of, read once: what every execution adds to it, a part of the sub-runs at a time. The CSV is
//! written on the way, where it is wanted.

use std::io::Write;
use std::path::Path;

use super::export::{Columns, RowForm, Rows, Writer};
use super::failures::Failures;
use super::flow_steps::FlowSteps;
use super::grid::Shmoo;
use super::hardware::Hardware;
use super::machine;
use super::page_data::{PageData, numbered};
use super::rails::Rails;
use super::row::Row;
use super::{Part, gather};
use crate::domain::event::RunStatus;
use crate::domain::run_state::RunState;
use crate::host::sysinfo::Sysinfo;
use crate::store::StoreError;
use crate::store::record::{Damage, Record};
use crate::store::record_fold::Folded;

/// All that a report is made of, read once.
pub struct Gathered {
    /// The run, without its executions.
    pub state: RunState,
    /// What of the record is not as it should be.
    pub damage: Vec<Damage>,
    /// The steps of the flow.
    pub flow_steps: FlowSteps,
    /// What did not pass.
    pub failures: Failures,
    /// What the hardware said.
    pub hardware: Hardware,
    /// Where rails were.
    pub rails: Rails,
    /// The rows for the page's script.
    pub page: Vec<u8>,
    /// Executions and time of each sub-run.
    pub sums: Vec<Sum>,
    /// The grid, where something is swept.
    pub shmoo: Option<Shmoo>,
    /// The machine.
    pub sysinfo: Option<Sysinfo>,
}

/// What the executions of a sub-run come to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sum {
    /// How many there are.
    pub executions: u32,
    /// How long they took together.
    pub took_ms: u64,
}

/// What a report makes of some sub-runs.
struct ReportPart<'c> {
    rows: Option<Rows<'c>>,
    flow_steps: FlowSteps,
    failures: Failures,
    hardware: Hardware,
    rails: Rails,
    page: PageData<'c>,
    sums: Vec<Sum>,
}

impl Part for ReportPart<'_> {
    fn sub_run(&mut self, state: &RunState, index: u32) {
        if let Some(rows) = &mut self.rows {
            rows.sub_run(state, index);
        }
        self.flow_steps.sub_run(state, index);
        self.failures.sub_run(state, index);
        self.hardware.sub_run(state, index);
        self.rails.sub_run(state, index);
        self.page.sub_run(state, index);
        let took_ms = Row::took_ms(state, index);
        let executions = u32::try_from(Row::all(state, index).count()).unwrap_or(u32::MAX);
        self.sums.push(Sum { executions, took_ms });
    }
}

impl Gathered {
    /// Reads a run, and writes a row an execution to `csv` on the way, where that is given; errors call it by its path.
    pub fn read(record: &Record, columns: &Columns, csv: Option<(&Path, &mut dyn Write)>) -> Result<Self, StoreError> {
        let dir = &record.entry.dir;
        let titles = columns.titles();
        let (steps, combinations) = (numbered(columns.steps()), numbered(columns.combinations()));
        let with_rows = csv.is_some();
        let mut csv = match csv {
            Some((path, to)) => Some(Writer::new(&titles, RowForm::Csv, path, to)?),
            None => None,
        };
        let mut flow_steps = FlowSteps::default();
        let mut failures = Failures::default();
        let mut hardware = Hardware::default();
        let mut rails = Rails::default();
        let mut page = PageData::new(columns, &steps, &combinations);
        let mut sums = vec![];
        let part = || ReportPart {
            rows: with_rows.then(|| Rows::new(columns, &titles, RowForm::Csv)),
            flow_steps: FlowSteps::default(),
            failures: Failures::default(),
            hardware: Hardware::default(),
            rails: Rails::default(),
            page: PageData::new(columns, &steps, &combinations),
            sums: vec![],
        };
        let Folded { state, mut damage } = gather(record, part, |part| {
            flow_steps.join(part.flow_steps);
            failures.join(part.failures, dir);
            hardware.join(part.hardware);
            rails.join(part.rails);
            page.join(&part.page);
            sums.extend(part.sums);
            match (&mut csv, part.rows) {
                (Some(csv), Some(rows)) => csv.join(&rows),
                _ => Ok(()),
            }
        })?;
        csv.map_or(Ok(()), Writer::finish)?;
        let sysinfo = match machine::sysinfo(dir) {
            Ok(sysinfo) => Some(sysinfo),
            // A plan that was never started has none.
            Err(error) if error.is_absent() && state.status == RunStatus::Planned => None,
            Err(error) => {
                damage.push(Damage::of(dir, &error));
                None
            }
        };
        let shmoo = if record.stands_in { None } else { Shmoo::of(&state) };
        Ok(Self { page: page.json(), state, damage, flow_steps, failures, hardware, rails, sums, shmoo, sysinfo })
    }
}
