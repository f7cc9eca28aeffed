//! YAML text to domain values, with errors that point at file, line and column. Never judges safety, never starts anything.

pub mod adapter;
pub mod catalogue;
pub mod check;
pub mod doc;
pub mod flow;
pub mod judgement;
pub mod keymap;
pub mod keys;
pub mod margin;
pub mod params;
pub mod policy;
pub mod problem;
pub mod rails;
pub mod render;
pub mod samples;
pub mod source;
pub mod sweep;
pub mod theme;
pub mod themes;
pub mod watch;
pub mod yaml;

#[cfg(test)]
mod damage;
#[cfg(test)]
mod testing;
