//! What machine this is: facts for matching, the sysinfo snapshot, drift. Never knows of flows or plans.

pub mod collect;
pub mod command;
pub mod drift;
pub mod evidence;
pub mod facts;
pub mod last_words;
pub mod process;
pub mod roots;
pub mod sensors;
pub mod source;
pub mod sysinfo;
pub mod telemetry;
pub mod tools;
