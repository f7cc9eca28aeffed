//! What Road Runner can do, one file per use case. Never prints, never handles keys.

pub mod adapters;
pub mod clean;
pub mod compare;
pub mod context;
pub mod drift;
pub mod estimate;
pub mod executables;
pub mod export;
pub mod failure;
pub mod init;
pub mod inspect;
pub mod launch;
pub mod margins;
pub mod plan;
pub mod policy;
pub mod preview;
pub mod proposal;
pub mod rails;
pub mod record;
pub mod report;
pub mod rerun;
pub mod resume;
pub mod run;
pub mod run_filter;
pub mod runs;
pub mod stored;
pub mod survivors;
pub mod themes;
pub mod verify;
pub mod violations;
pub mod workspace;

#[cfg(test)]
pub(crate) mod testing;
