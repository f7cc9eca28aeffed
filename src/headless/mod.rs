//! Lines for people and scripts over the events of a run. Never decides anything.

pub mod plan;
pub mod progress;
