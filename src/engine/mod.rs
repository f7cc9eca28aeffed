//! Executes a plan: one process tree per step, limits, cancel ladder. Never prints, renders or reads YAML.

pub mod dispatcher;
pub mod effect;
pub mod environment;
pub mod execution;
pub mod in_flight;
pub mod judge;
pub mod leavings;
pub mod logs;
pub mod logs_sync;
pub mod logs_trim;
pub mod process_scan;
pub mod process_tree;
pub mod recorder;
pub mod restore;
pub mod runner;
pub mod scan;
pub mod signals;
pub mod spawn;
pub mod stop_line;

#[cfg(test)]
mod test_support;
