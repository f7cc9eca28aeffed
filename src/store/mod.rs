//! The run directory: every path spelled once, journals, atomic JSON, locks, history.
//! Never decides verdicts, never prints, and knows nothing of how steps are executed.

pub mod atomic;
pub mod check;
pub mod contents;
mod document;
pub mod error;
pub mod follow;
mod gist;
pub mod hash;
pub mod history;
pub mod inputs;
pub mod interrupted;
pub mod journal;
pub mod layout;
pub mod left_running;
pub mod lock;
pub mod log_file;
pub mod log_find;
pub mod log_lines;
pub mod log_merge;
pub mod log_pattern;
pub mod log_reader;
pub mod log_samples;
pub mod log_scan;
pub mod log_tally;
pub mod log_trimmed;
pub mod log_walk;
pub mod mortal;
pub mod rails;
pub mod record;
pub mod record_fold;
pub mod remove;
pub mod reserve;
pub mod run_id;
mod scan;
pub mod seal;
pub mod space;
pub mod sub_run;
mod walk;

#[cfg(test)]
pub(crate) mod test_disk;
#[cfg(test)]
pub(crate) mod test_events;
#[cfg(test)]
pub(crate) mod test_run;

pub use error::StoreError;
