//! Something to read: why a plan is refused, what two runs differ in, what is wrong with a file. Lines are those of the
//! report as the command line prints it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr as _;

use crate::commands::compare::Comparison;
use crate::domain::chord::{Chord, Key};
use crate::domain::sanitize;
use crate::domain::theme::Slot;
use crate::tui::canvas::{put, row, wrapped};
use crate::tui::dialogs::{Dialog, Next, boxed, is_cancel, motion, titles};
use crate::tui::message::Refused;
use crate::tui::model::Model;

/// Lines under a title.
#[derive(Debug)]
pub struct Text {
    title: String,
    lines: Vec<String>,
    /// The first line that is shown.
    top: usize,
    is_error: bool,
}

/// Opens lines under a title.
pub fn open(title: &str, lines: Vec<String>) -> Dialog {
    Dialog::Text(Text { title: title.to_owned(), lines, top: 0, is_error: false })
}

/// Opens why something was refused.
pub fn refused(refused: &Refused) -> Dialog {
    let mut lines = vec![];
    if !refused.what.is_empty() {
        lines.push(refused.what.clone());
        lines.push(String::new());
    }
    lines.extend(refused.report.iter().cloned());
    Dialog::Text(Text { title: "Refused".to_owned(), lines, top: 0, is_error: true })
}

/// Opens two runs side by side.
pub fn comparison(comparison: &Comparison) -> Dialog {
    let mut lines = vec![format!("{} against {}", comparison.now, comparison.then), String::new()];
    lines.extend(comparison.short());
    if !comparison.drift.is_empty() {
        lines.extend([String::new(), "the host".to_owned()]);
        lines.extend(comparison.drift.iter().map(|line| format!("  {line}")));
    }
    for part in comparison.parts.iter().filter(|part| !part.is_same) {
        lines.extend([String::new(), part.name.to_owned()]);
        lines.extend(part.details.iter().map(|line| format!("  {line}")));
    }
    if !comparison.cells.changes.is_empty() {
        lines.extend([String::new(), "cells, then > now".to_owned()]);
        let sub_runs = u32::try_from(comparison.cells.matched + comparison.cells.only_now).unwrap_or(u32::MAX);
        lines.extend(comparison.cells.changes.iter().map(|change| format!("  {}", change.shown(sub_runs))));
        let more = comparison.cells.changed().saturating_sub(comparison.cells.changes.len());
        if more > 0 {
            lines.push(format!("  and {more} more"));
        }
    }
    open("Compared", lines)
}

impl Text {
    /// Takes a key.
    pub fn key(mut self, model: &Model, chord: Chord) -> Next {
        let page = isize::from(model.size.1.saturating_sub(6).cast_signed()).max(1);
        if is_cancel(chord) || matches!(chord.key, Key::Enter | Key::Char('q')) {
            return Next::Close(vec![]);
        }
        if let Some(by) = motion(chord, page) {
            let last = self.rows(model.size.0).len().saturating_sub(usize::try_from(page).unwrap_or(1));
            self.top = self.top.saturating_add_signed(by).min(last);
        }
        Next::Stay(Dialog::Text(self), vec![])
    }

    /// The lines as they fit on a screen of that width: sentences are wrapped, what is quoted from a file is not, for carets
    /// point at it.
    fn rows(&self, screen: u16) -> Vec<String> {
        let columns = usize::from(screen.saturating_sub(4));
        let mut rows = vec![];
        for line in &self.lines {
            let line = sanitize::line(line);
            if line.width() <= columns || is_quoted(&line) {
                rows.push(line.into_owned());
                continue;
            }
            let text = line.trim_start();
            let indent = " ".repeat((line.len() - text.len()).min(columns / 2));
            rows.extend(wrapped(text, columns - indent.len()).into_iter().map(|row| format!("{indent}{row}")));
        }
        rows
    }

    /// Draws it.
    pub fn view(&self, model: &Model, screen: Rect, buf: &mut Buffer) {
        let look = &model.look;
        let rows = self.rows(screen.width);
        let widest = rows.iter().map(|row| row.width()).max().unwrap_or(0);
        let width = u16::try_from(widest + 4).unwrap_or(u16::MAX).clamp(40, screen.width.max(40));
        let height = u16::try_from(rows.len() + 2).unwrap_or(u16::MAX).clamp(5, screen.height.max(5));
        let mut titles = titles(look, &self.title, "Esc closes");
        let frame = if self.is_error { Slot::Danger } else { Slot::BorderFocus };
        let room = usize::from(height.min(screen.height).saturating_sub(2));
        if rows.len() > room {
            let seen = (self.top + room).min(rows.len());
            titles.below.push(format!("{seen} of {} lines: j k", rows.len()), look.of(Slot::Dim));
        }
        let inside = boxed(screen, buf, (width, height), &titles, frame, look);
        for (at, line) in rows.iter().skip(self.top).take(inside.height.into()).enumerate() {
            let at = u16::try_from(at).unwrap_or(u16::MAX);
            let trimmed = line.trim_start();
            let slot = if trimmed.starts_with("error") {
                Slot::Error
            } else if trimmed.starts_with("warning") {
                Slot::Warning
            } else {
                Slot::Dialog
            };
            put(buf, row(inside, at), line, look.of(Slot::Dialog).patch(look.of(slot)));
        }
    }
}

/// Whether a line of a report quotes a file, or points into it: `4 |   core: ..`, `  |   ^^^^`.
fn is_quoted(line: &str) -> bool {
    line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().starts_with('|')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_wrapped_and_quotes_are_not() {
        let check = |line: &str, expected: &[&str]| {
            let Dialog::Text(text) = open("title", vec![line.to_owned()]) else { panic!("a text") };
            assert_eq!(text.rows(24), expected, "{line:?}");
        };
        check("short", &["short"]);
        check("", &[""]);
        check("error: the margin is outside of its bounds", &["error: the margin is", "outside of its", "bounds"]);
        check("  = help: write what the unit is", &["  = help: write what", "  the unit is"]);
        check("4 |   core: { voltage: [1V, 2] }", &["4 |   core: { voltage: [1V, 2] }"]);
        check("  |                         ^", &["  |                         ^"]);
        check("a\u{1b}[31mb", &["a[31mb"]);
    }
}
