//! A stored run to Markdown, HTML, CSV and JSON rows: from what is stored alone, sub-run by sub-run. Never runs anything,
//! never judges, and reads the journals once however many forms are wanted.
//!
//! [`gather`] is that one reading: what is made of the sub-runs is a [`Part`] at a time, joined in the order of the plan.

pub mod bounds;
pub mod context;
pub mod export;
pub mod failures;
pub mod flow_steps;
pub mod gathered;
pub mod grid;
pub mod hardware;
pub mod helpers;
pub mod machine;
pub mod page_data;
pub mod plots;
pub mod rails;
pub mod render;
pub mod row;
pub mod tail;
pub mod template;
pub mod template_check;

use crate::domain::run_state::RunState;
use crate::store::record::Record;
use crate::store::record_fold::Folded;

/// What is made of some sub-runs, each seen once while its executions are at hand.
pub trait Part: Send {
    /// Adds the sub-run at `index` of `state`.
    fn sub_run(&mut self, state: &RunState, index: u32);
}

/// Reads the journals once, in several threads. `part` begins a part; `join` gets them in the order of the plan, and its
/// error ends the reading. The state that is returned holds no executions.
pub fn gather<P: Part, E>(
    record: &Record,
    part: impl Fn() -> P + Sync,
    join: impl FnMut(P) -> Result<(), E>,
) -> Result<Folded, E> {
    record.fold_parts(part, |part: &mut P, state, index| part.sub_run(state, index), join)
}

#[cfg(test)]
mod hardware_tests;
#[cfg(test)]
mod template_tests;
#[cfg(test)]
mod tests;
