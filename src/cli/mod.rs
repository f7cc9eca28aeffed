//! Arguments in, one call into `commands`, exit code out. No logic.

mod application;
pub mod args;
mod console;
mod detached;
mod dispatch;
mod face;
mod help;
mod history;
mod maintenance;
mod manual;
mod reports;
mod resume;
mod start;
mod surroundings;

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::console::Console;
use crate::commands::failure::Failure;
use crate::engine::guardian;
use crate::store::mortal;
use crate::tui::guard;

/// Runs the program on the process's own arguments.
pub fn main() -> ExitCode {
    install_bug_report();
    if std::env::args_os().nth(1).is_some_and(|first| first == guard::SENTRY) {
        return guard::sentry();
    }
    if let Some(code) = guardian() {
        return code;
    }
    let mut arguments = match args::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(usage) => {
            // Help goes to stdout and usage errors to stderr; neither minds that nobody reads.
            drop(usage.print());
            return ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(crate::domain::verdict::exit::USAGE));
        }
    };
    // Before there is any thread, and before anything is read that takes time: a hangup of the terminal may come now.
    let left = if arguments.is_detached() { detached::leave_session() } else { Ok(()) };
    let mut console = Console::new(&arguments.global);
    let armed = left.and_then(|()| {
        let variable = std::env::var_os(mortal::VARIABLE);
        mortal::arm(variable.as_deref()).map_err(|error| Failure::usage(error.to_string()))
    });
    let code = match armed.and_then(|()| dispatch::run(arguments, &mut console)) {
        Ok(code) => code,
        Err(failure) => console.failure(&failure),
    };
    ExitCode::from(console.finish(code))
}

/// What only the runner asks this program to be.
fn guardian() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next()?;
    let rest: Vec<PathBuf> = arguments.map(PathBuf::from).collect();
    let text = |key: &str| std::env::var(key).unwrap_or_default();
    match first.to_str()? {
        guardian::LAUNCH => Some(guardian::launch(&rest)),
        guardian::GUARD => Some(guardian::watch(&rest, &text("PATH"), &text("HOME"))),
        _ => None,
    }
}

/// A panic is a bug: it is reported so that it can be sent on, and ends the program with a code that is not zero.
fn install_bug_report() {
    let hooks = color_eyre::config::HookBuilder::blank()
        .panic_section("This is a bug in Road Runner. Please report it with the command line and the lines above.")
        .display_env_section(false);
    // It fails only when there is a hook already, which is as good.
    drop(hooks.install());
}
