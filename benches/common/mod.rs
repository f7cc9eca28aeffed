//! What the benches share: a workspace, processes that are timed, journals, and the table of figures beside their floors.

#![expect(dead_code, reason = "each bench uses a part of it")]

pub mod figures;
pub mod journals;
pub mod process;
pub mod reader;
pub mod record;
pub mod workspace;
