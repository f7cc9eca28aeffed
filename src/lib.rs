//! Road Runner sweeps voltage and frequency margins with real diagnostics and leaves a record to trust.
//!
//! In one sentence: files in, one frozen plan, a journal of events, files out; every screen is a fold of
//! that journal. The house has floors, and a module may use only what lies below it:
//!
//! | floor | module | what it is |
//! |---|---|---|
//! | 0 | [`domain`] | values and rules: units, sweeps, flow, margin, policy, adapter, seed, plan, event, verdict, run state |
//! | 1 | [`input`] | YAML text to domain values, with errors that point at file, line and column |
//! | 1 | [`host`] | what machine this is: facts for matching, the sysinfo snapshot, drift |
//! | 1 | [`store`] | the run directory: paths, journals, atomic JSON, locks |
//! | 2 | [`engine`] | executes a plan: one process tree per step, limits, the cancel ladder |
//! | 2 | [`report`] | a stored run to Markdown, HTML, CSV and JSON rows |
//! | 3 | [`commands`] | what Road Runner can do, one file per use case, with no terminal in it |
//! | 4 | [`tui`] | the full-screen application over the same events |
//! | 4 | [`headless`] | lines for people and scripts over the events of a run |
//! | 5 | [`cli`] | arguments, one call into `commands`, exit codes |

pub mod cli;
pub mod commands;
pub mod domain;
pub mod engine;
pub mod headless;
pub mod host;
pub mod input;
pub mod report;
#[cfg(test)]
mod schemas;
pub mod store;
pub mod tui;
