//! The full-screen application: a fold of journals drawn on a terminal. Calls `commands`; no rule lives here, no sweep
//! is ever hosted here.
//!
//! `update(&mut Model, Msg) -> Vec<Effect>` and `view(&Model, ..)` are pure, `layout` too. [`run_loop`] joins them over any
//! backend; [`backstage`] does what is asked for in a thread of its own and answers by messages; [`guard`] owns the
//! terminal.

pub mod act;
pub mod actions;
pub mod ansi;
pub mod app;
pub mod available;
pub mod backstage;
pub mod board;
pub mod canvas;
pub mod clipboard;
pub mod command_line;
pub mod dialogs;
pub mod errands;
pub mod events;
pub mod feed;
pub mod field;
pub mod footer;
pub mod guard;
pub mod header;
pub mod key_page;
pub mod keys;
pub mod layout;
pub mod lists;
pub mod log_thread;
pub mod message;
pub mod model;
pub mod palette;
pub mod panes;
pub mod refused;
pub mod rows;
pub mod run_loop;
pub mod schedule;
pub mod screen;
pub mod selection;
#[cfg(test)]
pub(crate) mod testing;
pub mod update;
pub mod view;
