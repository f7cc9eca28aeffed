//! Executes a plan: one process tree per step, limits, cancel ladder. Never prints, renders or reads documents.
//!
//! | what | where |
//! |---|---|
//! | decides: the run, one execution, lines not worth measuring | [`dispatcher`], [`in_flight`], [`stop_line`] |
//! | the two alphabets between deciding and acting | [`effect`] |
//! | acts: the loop, one execution, restore commands, signals, journals | [`runner`], [`execution`], [`restore`], [`signals`], [`recorder`] |
//! | moves rails: what is known of them, the calls, who brings them home after a dead runner | [`rail_book`], [`rail_keeper`], [`rails`], [`call`], [`guardian`], [`homecoming`], [`survivors`] |
//! | mechanics: start, own the tree, keep the logs | [`spawn`], [`environment`], [`process_tree`], [`process_scan`], [`logs`], [`logs_sync`], [`logs_trim`] |
//! | judges: what was printed, what was left, the verdict | [`scan`], [`leavings`], [`judge`] |
//! | watches the hardware meanwhile | [`watch`] |

pub mod call;
pub mod dispatcher;
pub mod effect;
pub mod environment;
pub mod execution;
pub mod guardian;
pub mod homecoming;
pub mod in_flight;
pub mod judge;
pub mod leavings;
pub mod logs;
pub mod logs_sync;
pub mod logs_trim;
pub mod process_scan;
pub mod process_tree;
pub mod rail_book;
pub mod rail_keeper;
pub mod rails;
pub mod recorder;
pub mod restore;
pub mod runner;
pub mod scan;
pub mod signals;
pub mod spawn;
pub mod stop_line;
pub mod survivors;
pub mod watch;

#[cfg(test)]
mod test_support;
