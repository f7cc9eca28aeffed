//! What Road Runner can do, one file per use case. Never prints, never handles keys.
