//! Executes a plan: one process tree per step, limits, cancel ladder. Never prints, renders or reads YAML.

pub mod logs;
pub mod logs_read;
pub mod logs_sync;
pub mod logs_trim;
pub mod process_scan;
pub mod process_tree;
pub mod spawn;
