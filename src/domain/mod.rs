//! The values and rules of Road Runner. Pure: never files, clock, environment, threads.

pub mod adapter;
pub mod admission;
pub mod bounds;
pub mod colour;
pub mod event;
pub mod flow;
pub mod headroom;
pub mod host;
#[cfg(test)]
pub mod kit;
pub mod margin;
pub mod name;
pub mod param;
pub mod place;
pub mod plan;
pub mod planner;
pub mod point;
pub mod policy;
pub mod problem;
pub mod progress;
pub mod retention;
pub mod run_state;
pub mod sanitize;
pub mod seed;
pub mod shmoo;
pub mod shmoo_edge;
pub mod shmoo_grid;
pub mod summary;
pub mod sweep;
pub mod table;
pub mod tally;
pub mod theme;
pub mod time;
pub mod units;
pub mod verdict;
