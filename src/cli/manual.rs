//! Completion scripts and the manual page, both out of the one definition of what can be typed. Decides nothing.

use clap_complete::Shell;

use crate::cli::args;
use crate::cli::console::Console;
use crate::commands::failure::Failure;
use crate::domain::verdict::exit;

/// `completions`.
pub fn completions(shell: Shell, console: &mut Console) -> u8 {
    let mut script = vec![];
    clap_complete::generate(shell, &mut args::command(), "road_runner", &mut script);
    console.out.text(&String::from_utf8_lossy(&script));
    exit::PASS
}

/// `man`: the program's page and one for each of its commands, as one roff document.
pub fn page(console: &mut Console) -> Result<u8, Failure> {
    let mut command = args::command();
    command.build();
    let mut roff = vec![];
    let failed = |error: std::io::Error| Failure::rig(format!("failed to write the manual: {error}"));
    clap_mangen::Man::new(command.clone()).render(&mut roff).map_err(failed)?;
    for chapter in chapters(&command) {
        clap_mangen::Man::new(chapter).render(&mut roff).map_err(failed)?;
    }
    console.out.text(&String::from_utf8_lossy(&roff));
    Ok(exit::PASS)
}

/// Every command that does something, with its full name; `help` explains itself.
fn chapters(command: &clap::Command) -> Vec<clap::Command> {
    let mut all = vec![];
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        if inner.has_subcommands() {
            all.extend(chapters(inner));
        } else {
            all.push(inner.clone());
        }
    }
    all
}
