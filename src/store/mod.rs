//! The run directory: every path spelled once, journals, atomic JSON, locks, history.
//! Never decides verdicts, never prints, and knows nothing of how steps are executed.

pub mod atomic;
pub mod contents;
pub mod error;
pub mod follow;
pub mod hash;
pub mod history;
pub mod inputs;
pub mod journal;
pub mod layout;
pub mod lock;
pub mod record;
pub mod record_fold;
pub mod remove;
pub mod run_id;
pub mod space;

#[cfg(test)]
pub(crate) mod test_disk;
#[cfg(test)]
pub(crate) mod test_events;
#[cfg(test)]
pub(crate) mod test_run;

pub use error::StoreError;
