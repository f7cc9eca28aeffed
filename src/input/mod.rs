//! YAML text to domain values, with errors that point at file, line and column. Never judges safety, never starts anything.

pub mod problem;
pub mod render;
pub mod source;
pub mod yaml;
