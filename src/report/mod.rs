//! A stored run to Markdown, HTML, CSV and JSON rows: from what is stored alone, sub-run by sub-run. Never runs anything,
//! never judges, and reads the journals once however many forms are wanted.
//!
//! [`gather`] is that one reading; what is to be known of a run is collected by [`Collector`]s that ride along.

pub mod bounds;
pub mod context;
pub mod export;
pub mod failures;
pub mod flow_steps;
pub mod grid;
pub mod helpers;
pub mod machine;
pub mod page_data;
pub mod render;
pub mod row;
pub mod tail;
pub mod template;
pub mod template_check;

use crate::domain::run_state::RunState;
use crate::store::StoreError;
use crate::store::record::{Folded, Record};

/// Something that looks at every sub-run once, while its executions are at hand.
pub trait Collector {
    /// Looks at the sub-run at `index` of `state`. An error ends the reading: what is collected cannot be written.
    fn sub_run(&mut self, state: &RunState, index: u32) -> Result<(), StoreError>;
}

/// Reads the journals once for all of `collectors`. The state that is returned holds no executions.
pub fn gather(record: &Record, collectors: &mut [&mut dyn Collector]) -> Result<Folded, StoreError> {
    record.fold(|state, index| {
        for collector in &mut *collectors {
            collector.sub_run(state, index)?;
        }
        state.forget_steps(index);
        Ok(())
    })
}

#[cfg(test)]
mod template_tests;
#[cfg(test)]
mod tests;
