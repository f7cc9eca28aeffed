//! The full-screen application: a fold of journals drawn on a terminal. Calls `commands`; no rule lives here, no sweep
//! is ever hosted here.

pub mod palette;
