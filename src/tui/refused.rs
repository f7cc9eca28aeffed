//! A command's failure as lines for a dialog: its message, its hint, and the errors with their places as the command
//! line shows them, without colours.

use crate::commands::failure::Failure;
use crate::domain::sanitize;
use crate::input::render;
use crate::tui::message::Refused;

/// The lines of a failure.
pub fn of(failure: &Failure) -> Refused {
    let mut report: Vec<String> = vec![];
    let rendered = render::render(&failure.problems, &failure.sources, false);
    report.extend(rendered.lines().map(|line| sanitize::line(line).into_owned()));
    if let Some(hint) = &failure.hint {
        report.push(format!("help: {}", sanitize::line(hint)));
    }
    let mut lines = failure.message.lines().map(|line| sanitize::line(line).into_owned());
    let what = lines.next().unwrap_or_default();
    report.splice(0..0, lines);
    Refused { what, report }
}
