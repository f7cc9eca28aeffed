//! Lines for people and scripts over the events of a run. Never decides anything.

pub mod compare;
pub mod confirm;
pub mod explain;
pub mod history;
pub mod lists;
pub mod maintenance;
pub mod output;
pub mod plan;
pub mod problems;
pub mod progress;
pub mod tables;
pub mod verify;
