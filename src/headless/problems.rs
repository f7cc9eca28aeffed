//! Failures and problems of input files as text for stderr. Never decides an exit code.

use std::fmt::Write as _;

use crate::commands::failure::Failure;
use crate::domain::sanitize;
use crate::input::render;

/// A failure as text: its problems with the lines they point at, what is wrong as a whole, what to do.
pub fn failure(failure: &Failure, colour: bool) -> String {
    let mut out = render::render(&failure.problems, &failure.sources, colour);
    if !failure.message.is_empty() {
        out.push_str(&error(&failure.message, colour));
    }
    if let Some(hint) = &failure.hint {
        let _ = writeln!(out, "help: {}", sanitize::text(hint));
    }
    out
}

/// One error that has no place in a file.
pub fn error(message: &str, colour: bool) -> String {
    let word = if colour { "\u{1b}[1;91merror\u{1b}[0m" } else { "error" };
    format!("{word}: {}\n", sanitize::text(message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::place::Place;
    use crate::domain::problem::Problem;
    use crate::input::problem::Problems;
    use crate::input::source::{Source, Sources};

    #[test]
    fn a_refusal_shows_both_lines_then_what_is_refused_then_what_to_do() {
        let mut sources = Sources::default();
        sources.add(Source::new("policy/safety.yaml", "name: safety\nlimits: { core: 1 }\n"));
        sources.add(Source::new("m.yaml", "core: 2V\u{1b}[2J\n"));
        let problem = Problem::error(Place::new("m.yaml", 1, 7, 2), "core.voltage = 2V is outside 700mV .. 1100mV")
            .related(Place::new("policy/safety.yaml", 2, 11, 7), "the bound");
        let refused = Failure::safety("the plan leaves the policy\u{1b}[2J")
            .hinted("road_runner policy explain shows every bound")
            .with(Problems::from(problem), sources);
        insta::assert_snapshot!(failure(&refused, false), @r"
        error: core.voltage = 2V is outside 700mV .. 1100mV
         --> m.yaml:1:7
          |
        1 | core: 2V�[2J
          |       ^^
          |
         ::: policy/safety.yaml:2:11
          |
        2 | limits: { core: 1 }
          |           ------- the bound

        error: the plan leaves the policy[2J
        help: road_runner policy explain shows every bound
        ");
        let plain = Failure::rig("failed to write runs/x: no space").hinted("free space");
        insta::assert_snapshot!(failure(&plain, true).escape_debug().to_string(), @r"\u{1b}[1;91merror\u{1b}[0m: failed to write runs/x: no space\nhelp: free space\n");
    }
}
