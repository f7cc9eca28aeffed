//! The visible rows of a log drawn: time, stream, text in its own colours, hits. Costs as much as the rows that are seen,
//! not the lines that are known. Draws nothing outside its area, and nothing that was not made safe before.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::log_rows::{Rows, boundary, seen, width};
use crate::domain::theme::Slot;
use crate::store::log_pattern::Pattern;
use crate::store::log_reader::LineKind;
use crate::store::log_samples::Stream;
use crate::tui::log_thread::ShownLine;
use crate::tui::palette::Palette;

/// Hits are looked for so many bytes around a row: in a line of any length it costs the same.
const AROUND: usize = 1024;

/// What stands before the text of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix {
    /// `Some(true)` to the millisecond, `Some(false)` to the second.
    pub time: Option<bool>,
    /// The stream's letter.
    pub stream: bool,
    /// Seconds that local time is ahead of UTC.
    pub utc_offset: i32,
}

impl Prefix {
    /// Columns that it takes.
    pub fn width(self) -> usize {
        let time = match self.time {
            Some(true) => 13,
            Some(false) => 9,
            None => 0,
        };
        time + if self.stream { 2 } else { 0 }
    }

    /// Of a line: time and stream. Blank where a line goes on.
    pub fn of(self, line: &ShownLine) -> (String, &'static str) {
        let begins = !matches!(line.kind, LineKind::Text { begins: false, .. });
        let unix_ms = line.unix_ms.filter(|_| begins);
        let time = match (self.time, unix_ms) {
            (None, _) => String::new(),
            (Some(exact), None) => " ".repeat(if exact { 13 } else { 9 }),
            (Some(exact), Some(unix_ms)) => clock(unix_ms, self.utc_offset, exact),
        };
        let stream = match (self.stream, line.position.stream) {
            (false, _) => "",
            (true, Stream::Stdout) => "o ",
            (true, Stream::Stderr) => "e ",
        };
        (time, stream)
    }
}

/// `17:14:03.114 ` or `17:14:03 `.
fn clock(unix_ms: i64, utc_offset: i32, exact: bool) -> String {
    let millis = unix_ms.saturating_add(i64::from(utc_offset) * 1000).rem_euclid(86_400_000);
    let (seconds, fraction) = (millis / 1000, millis % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if exact {
        format!("{hours:02}:{minutes:02}:{seconds:02}.{fraction:03} ")
    } else {
        format!("{hours:02}:{minutes:02}:{seconds:02} ")
    }
}

/// How lines are laid out.
#[derive(Debug)]
pub struct Layout<'p> {
    /// What stands before them.
    pub prefix: Prefix,
    /// Long lines go on in further rows.
    pub wraps: bool,
    /// Columns that are scrolled away when they do not.
    pub left: usize,
    /// What is searched for.
    pub search: Option<&'p Pattern>,
    /// Its colours.
    pub palette: &'p Palette,
}

/// A row of the screen.
#[derive(Debug, Clone, Copy)]
struct Row {
    x: u16,
    y: u16,
    end: u16,
}

impl Layout<'_> {
    /// Draws a line from its `skip`ped rows on; returns how many rows it took.
    pub fn draw(&self, line: &ShownLine, is_cursor: bool, skip: usize, area: Rect, buf: &mut Buffer) -> u16 {
        let text = &line.shown.text;
        let indent = u16::try_from(self.prefix.width()).unwrap_or(u16::MAX).min(area.width);
        let columns = usize::from(area.width - indent);
        let row = |nth: u16| Row { x: area.x + indent, y: area.y + nth, end: area.right() };
        if skip == 0 && area.height > 0 {
            let (time, stream) = self.prefix.of(line);
            let dim = self.palette.style(Slot::Dim);
            let of_stream = if line.position.stream == Stream::Stderr { self.palette.style(Slot::Stderr) } else { dim };
            let place = Row { x: area.x, y: area.y, end: area.x + indent };
            let behind = put(buf, place, time.chars().map(|c| (c, dim)));
            put(buf, Row { x: behind, ..place }, stream.chars().map(|c| (c, of_stream)));
        }
        if !self.wraps {
            let (range, has_more) = seen(text, self.left, columns.saturating_sub(usize::from(text.len() > columns)));
            let behind = self.text(line, is_cursor, range, row(0), buf);
            let mark = |x: u16, c: char, buf: &mut Buffer| {
                put(buf, Row { x, ..row(0) }, std::iter::once((c, self.palette.style(Slot::Accent))));
            };
            if has_more && columns > 0 {
                mark(behind.min(area.right().saturating_sub(1)), '>', buf);
            }
            if self.left > 0 && columns > 0 && !text.is_empty() {
                mark(area.x + indent, '<', buf);
            }
            return 1;
        }
        let mut rows = 0;
        for range in Rows::new(text, columns).skip(skip).take(usize::from(area.height)) {
            self.text(line, is_cursor, range, row(rows), buf);
            rows += 1;
        }
        rows
    }

    /// Draws a part of a line; returns the column behind it.
    fn text(&self, line: &ShownLine, is_cursor: bool, range: Range<usize>, row: Row, buf: &mut Buffer) -> u16 {
        let base = match (line.kind, line.position.stream) {
            (LineKind::Dropped(_), _) => self.palette.style(Slot::Dim),
            (_, Stream::Stdout) => self.palette.style(Slot::Text),
            (_, Stream::Stderr) => self.palette.style(Slot::Stderr),
        };
        let text = &line.shown.text;
        let hits = self.hits(text, &range);
        let hit_style = self.palette.style(Slot::Match);
        let hit_style =
            if is_cursor { hit_style.add_modifier(Modifier::UNDERLINED | Modifier::BOLD) } else { hit_style };
        let runs = line.shown.runs();
        let mut run = runs.partition_point(|(end, _)| *end <= range.start);
        let mut hit = 0;
        let chars = text.get(range.clone()).unwrap_or_default().char_indices().map(|(place, c)| {
            let at = range.start + place;
            while runs.get(run).is_some_and(|(end, _)| *end <= at) {
                run += 1;
            }
            while hits.get(hit).is_some_and(|hit| hit.end <= at) {
                hit += 1;
            }
            let own = runs.get(run).map_or(base, |(_, style)| base.patch(*style));
            let is_hit = hits.get(hit).is_some_and(|hit| hit.contains(&at));
            (c, if is_hit { own.patch(hit_style) } else { own })
        });
        put(buf, row, chars)
    }

    /// The hits that reach into a part of a text.
    fn hits(&self, text: &str, range: &Range<usize>) -> Vec<Range<usize>> {
        let Some(search) = self.search else { return vec![] };
        let from = boundary(text, range.start.saturating_sub(AROUND));
        let to = boundary(text, range.end + AROUND);
        let around = text.get(from..to).unwrap_or_default();
        let hits = search.places(around).map(|hit| hit.start + from..hit.end + from);
        hits.filter(|hit| hit.start < range.end && hit.end > range.start).collect()
    }
}

/// Puts characters into a row; returns the column behind them. A wide character that does not fit is left out.
fn put(buf: &mut Buffer, row: Row, chars: impl Iterator<Item = (char, Style)>) -> u16 {
    let mut x = row.x;
    let mut symbol = String::new();
    for (c, style) in chars {
        let columns = u16::try_from(width(c)).unwrap_or(0);
        if columns == 0 {
            // A mark on the character before.
            if x > row.x && !symbol.is_empty() {
                symbol.push(c);
                let base = x - if symbol.chars().next().is_some_and(|c| width(c) > 1) { 2 } else { 1 };
                if let Some(cell) = buf.cell_mut((base, row.y)) {
                    cell.set_symbol(&symbol);
                }
            }
            continue;
        }
        if x + columns > row.end {
            break;
        }
        symbol.clear();
        symbol.push(c);
        for nth in 0..columns {
            if let Some(cell) = buf.cell_mut((x + nth, row.y)) {
                cell.reset();
                cell.set_symbol(if nth == 0 { &symbol } else { " " }).set_style(style);
            }
        }
        x += columns;
    }
    x
}
