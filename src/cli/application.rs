//! The full-screen application as a command line asks for it: whether it can be opened here, how it is to look, and what
//! a shell gets when it is left.

use std::io::IsTerminal as _;

use crate::cli::args::{ColorWhen, OutputForm, Start};
use crate::cli::console::Console;
use crate::commands::context::{Context, Given};
use crate::commands::failure::Failure;
use crate::commands::launch::{Launch, What};
use crate::commands::themes;
use crate::domain::sanitize;
use crate::domain::theme::Depth;
use crate::domain::verdict::exit;
use crate::headless::progress;
use crate::headless::progress::Verbosity;
use crate::input::themes::Themes;
use crate::tui::app::{self, Errand, Left, Options};
use crate::tui::message::Order;

/// The theme where none was asked for.
const DEFAULT: &str = "default";

/// Whether it opens: people at a terminal that can be drawn on, who did not ask for lines.
pub fn is_wanted(console: &Console) -> bool {
    let global = &console.global;
    let lines = global.no_tui || global.output == OutputForm::Json || console.verbosity == Verbosity::Quiet;
    !lines
        && std::io::stdin().is_terminal()
        && std::io::stdout().is_terminal()
        && variable("TERM").is_some_and(|term| term != "dumb")
}

/// Opens it on the workspace.
pub fn open(context: &Context, console: &mut Console) -> Result<u8, Failure> {
    let left = app::open(context, options(context, console, None)?)?;
    Ok(told(left, console))
}

/// Opens it on a run that is to be started, confirmed there unless it was already.
pub fn run(context: &Context, what: What, start: &Start, digest: &str, console: &mut Console) -> Result<u8, Failure> {
    let errand = if start.yes {
        Errand::Start(Launch {
            what,
            unit: start.unit.unit.clone(),
            dry_run: false,
            max_fail: start.max_fail,
            allow_concurrent: start.allow_concurrent,
            digest: digest.to_owned(),
        })
    } else {
        Errand::Ask(Order {
            what,
            unit: start.unit.unit.clone(),
            max_fail: start.max_fail,
            allow_concurrent: start.allow_concurrent,
        })
    };
    let left = app::open(context, options(context, console, Some(errand))?)?;
    Ok(told(left, console))
}

fn options(context: &Context, console: &Console, errand: Option<Errand>) -> Result<Options, Failure> {
    let global = &console.global;
    let theme = match &global.theme {
        Some(name) => themes::find(context, name)?,
        // A broken one of the user's is told inside; what is shipped is always sound.
        None => match themes::find(context, DEFAULT).ok().or_else(|| Themes::shipped(DEFAULT)) {
            Some(theme) => theme,
            None => crate::domain::theme::Theme::colourless(),
        },
    };
    let found = Context::find(Given { current: context.current.clone(), ..Given::default() });
    Ok(Options {
        theme,
        depth: depth(global.color),
        ascii: global.ascii || !is_utf8(),
        motion: !global.no_motion,
        remote: variable("SSH_CONNECTION").is_some() || variable("SSH_TTY").is_some(),
        workspace_is_found: found.is_ok_and(|found| found.workspace == context.workspace),
        editor: variable("VISUAL").or_else(|| variable("EDITOR")),
        errand,
    })
}

/// A variable that is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// How many colours the terminal says it has.
fn depth(colour: ColorWhen) -> Depth {
    if colour == ColorWhen::Never || (colour == ColorWhen::Auto && variable("NO_COLOR").is_some()) {
        return Depth::None;
    }
    let term = variable("TERM").unwrap_or_default();
    match variable("COLORTERM").as_deref() {
        Some("truecolor" | "24bit") => Depth::True,
        _ if term.contains("256color") || term.contains("direct") => Depth::Indexed,
        _ => Depth::Ansi,
    }
}

/// Whether the locale can show more than ASCII; where nothing is said it is taken for one that can.
fn is_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable);
    locale.is_none_or(|locale| {
        let locale = locale.to_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// What the shell is told once the screen is gone.
fn told(left: Left, console: &mut Console) -> u8 {
    match left {
        Left::Quit => exit::PASS,
        Left::Going { run_id, back } => {
            console.out.line(&format!("{run_id} goes on; come back with"));
            console.out.line(&format!("  {back}"));
            exit::PASS
        }
        Left::Ended(state, dir) => {
            console.out.text(&progress::result(&state, &dir));
            state.end.map_or(exit::RIG, |(_, code)| code)
        }
        Left::Declined => {
            console.err.line(&sanitize::line("declined; nothing was started"));
            exit::SAFETY
        }
        Left::Signal(signal) => 128 + signal,
    }
}
