//! What the lists of flows and of margins share: a row for each file, and under it a line for each thing that is wrong
//! with it. Draws visible rows only.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::domain::theme::Slot;
use crate::tui::actions::Pane;
use crate::tui::canvas::{Line, Look, fitting, put, put_right, row, scroll};
use crate::tui::lists::{FlowLine, MarginLine};
use crate::tui::model::Model;
use crate::tui::panes::{pointer, select};

/// A file as a list shows it.
#[derive(Debug, Clone, Copy)]
pub struct Document<'m> {
    file: &'m str,
    about: &'m str,
    problems: &'m [String],
    broken: bool,
}

impl<'m> From<&'m FlowLine> for Document<'m> {
    fn from(flow: &'m FlowLine) -> Self {
        Self { file: &flow.file, about: &flow.about, problems: &flow.problems, broken: flow.broken }
    }
}

impl<'m> From<&'m MarginLine> for Document<'m> {
    fn from(margin: &'m MarginLine) -> Self {
        Self { file: &margin.file, about: &margin.about, problems: &margin.problems, broken: margin.broken }
    }
}

/// The documents of a pane, the one under the cursor, and the file that is chosen.
#[derive(Debug)]
pub struct Documents<'m> {
    /// In the order of the list.
    pub all: Vec<Document<'m>>,
    /// The cursor.
    pub at: usize,
    /// The file before which the pointer stands.
    pub chosen: &'m str,
}

impl Documents<'_> {
    /// The rows: a document, or one of the lines of what is wrong with it; and which of them the cursor is on.
    fn rows(&self) -> (Vec<(usize, Option<usize>)>, usize) {
        let of = |(at, document): (usize, &Document<'_>)| {
            std::iter::once((at, None)).chain((0..document.problems.len()).map(move |problem| (at, Some(problem))))
        };
        let rows: Vec<_> = self.all.iter().enumerate().flat_map(of).collect();
        let here = rows.iter().position(|row| *row == (self.at, None)).unwrap_or(0);
        (rows, here)
    }

    /// The document that stands in a line of so many.
    pub fn row_at(&self, room: usize, line: usize) -> Option<usize> {
        let (rows, here) = self.rows();
        rows.get(scroll(here, rows.len(), room) + line).filter(|_| line < room).map(|(at, _)| *at)
    }

    /// Draws the rows.
    pub fn view(&self, model: &Model, pane: Pane, area: Rect, buf: &mut Buffer) {
        let (rows, here) = self.rows();
        let first = scroll(here, rows.len(), area.height.into());
        for (place, (at, problem)) in rows.iter().skip(first).take(area.height.into()).enumerate() {
            let line = row(area, u16::try_from(place).unwrap_or(u16::MAX));
            let Some(document) = self.all.get(*at) else { continue };
            match problem.and_then(|problem| document.problems.get(problem)) {
                Some(problem) => {
                    let slot = if document.broken { Slot::Error } else { Slot::Warning };
                    let text = fitting(problem, usize::from(line.width).saturating_sub(4));
                    put(buf, line, &format!("    {text}"), model.look.of(slot));
                }
                None => document.view(document.file == self.chosen, line, buf, &model.look),
            }
            if (*at, *problem) == (self.at, None) {
                select(model, pane, line, buf);
            }
        }
    }
}

impl Document<'_> {
    /// `▸ cpu_smoke.yaml   3 steps`.
    fn view(&self, is_chosen: bool, area: Rect, buf: &mut Buffer, look: &Look) {
        let name = self.file.rsplit('/').next().unwrap_or(self.file);
        let about = if self.broken { "! errors" } else { self.about };
        // Of `4x3 = 12 pts` the sum is what counts where there is no room for all of it.
        let about = if area.width < 30 { about.rsplit("= ").next().unwrap_or(about) } else { about };
        let room = usize::from(area.width).saturating_sub(3);
        // What a name leaves over is for the figures; where it leaves nothing the name is all there is.
        let name = if room < name.len() + about.len() + 1 { name.trim_end_matches(".yaml") } else { name };
        Line::new()
            .then(format!("{} ", pointer(is_chosen, look)), look.of(Slot::Accent))
            .then(fitting(name, room), look.of(if self.broken { Slot::Error } else { Slot::Text }))
            .draw(area, buf);
        if room > name.len() + about.len() {
            let slot = if self.broken { Slot::Error } else { Slot::Dim };
            put_right(buf, Rect { width: area.width.saturating_sub(1), ..area }, about, look.of(slot));
        }
    }
}

/// `2 of 5`.
pub fn position(at: usize, count: usize) -> String {
    if count == 0 { "0".to_owned() } else { format!("{} of {count}", at + 1) }
}
