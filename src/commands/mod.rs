//! What Road Runner can do, one file per use case. Never prints, never handles keys.

pub mod context;
pub mod failure;
pub mod proposal;
pub mod runs;
pub mod stored;
