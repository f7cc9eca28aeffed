//! Drawing by hand on a buffer: frames, lines, bars, lists. Everything is clipped to its area; nothing can be drawn
//! outside of the buffer, whatever the size of the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr as _;

use crate::domain::theme::Slot;
use crate::tui::palette::Palette;

/// How everything looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Styles.
    pub palette: Palette,
    /// Frames and bars of ASCII only.
    pub ascii: bool,
    /// Things that wait may turn.
    pub motion: bool,
}

impl Look {
    /// The style of a slot.
    pub fn of(&self, slot: Slot) -> Style {
        self.palette.style(slot)
    }
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ink {
    /// What it says, already without hostile characters.
    pub text: String,
    /// How.
    pub style: Style,
}

/// A line in pieces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// From left to right.
    pub inks: Vec<Ink>,
}

impl Line {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with a piece more.
    #[must_use]
    pub fn then(mut self, text: impl Into<String>, style: Style) -> Self {
        self.push(text, style);
        self
    }

    /// One more piece.
    pub fn push(&mut self, text: impl Into<String>, style: Style) {
        let text = text.into();
        if !text.is_empty() {
            self.inks.push(Ink { text, style });
        }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.inks.iter().map(|ink| ink.text.width()).sum()
    }

    /// What it says.
    pub fn text(&self) -> String {
        self.inks.iter().map(|ink| ink.text.as_str()).collect()
    }

    /// Draws it in the first row of `area`.
    pub fn draw(&self, area: Rect, buf: &mut Buffer) {
        let mut x = area.x;
        for ink in &self.inks {
            x = put(buf, Rect { x, width: area.right().saturating_sub(x), ..area }, &ink.text, ink.style);
        }
    }
}

/// A row of an area; empty where there is none.
pub fn row(area: Rect, at: u16) -> Rect {
    if at >= area.height { Rect { height: 0, ..area } } else { Rect { y: area.y + at, height: 1, ..area } }
}

/// The part of an area from a column on.
pub fn from(area: Rect, column: u16) -> Rect {
    let column = column.min(area.width);
    Rect { x: area.x + column, width: area.width - column, ..area }
}

/// Writes text into the first row of an area; returns the column behind it. What does not fit is left out.
pub fn put(buf: &mut Buffer, area: Rect, text: &str, style: Style) -> u16 {
    let area = area.intersection(buf.area);
    if area.is_empty() {
        return area.x;
    }
    buf.set_stringn(area.x, area.y, text, area.width.into(), style).0
}

/// Writes text so that it ends at the right edge; what does not fit is cut at its left.
pub fn put_right(buf: &mut Buffer, area: Rect, text: &str, style: Style) {
    let text = fitting_end(text, area.width.into());
    let width = u16::try_from(text.width()).unwrap_or(u16::MAX).min(area.width);
    put(buf, from(area, area.width - width), text, style);
}

/// The beginning of a text that fits into so many columns, with a mark where something was cut.
pub fn fitting(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut width = 0;
    for c in text.chars() {
        let wide = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if width + wide + 1 > columns {
            break;
        }
        width += wide;
        out.push(c);
    }
    if columns > 0 {
        out.push('~');
    }
    out
}

/// A text over as many lines as it needs, broken between words; a word longer than a line is broken where it must.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word;
        while let Some(line) = lines.last_mut() {
            let gap = usize::from(!line.is_empty());
            if line.width() + gap + word.width() <= columns {
                line.push_str(" ".get(..gap).unwrap_or_default());
                line.push_str(word);
                break;
            }
            if line.is_empty() {
                let fits = word.char_indices().map(|(at, c)| at + c.len_utf8());
                let end = fits.take_while(|end| word.get(..*end).is_some_and(|part| part.width() <= columns)).last();
                // A character wider than the line still takes one.
                let end = end.or_else(|| word.chars().next().map(char::len_utf8)).unwrap_or(word.len());
                line.push_str(word.get(..end).unwrap_or_default());
                word = word.get(end..).unwrap_or_default();
                if word.is_empty() {
                    break;
                }
            }
            lines.push(String::new());
        }
    }
    lines
}

fn fitting_end(text: &str, columns: usize) -> &str {
    let mut from = 0;
    let mut left = text;
    while left.width() > columns {
        from += left.chars().next().map_or(1, char::len_utf8);
        left = text.get(from..).unwrap_or_default();
    }
    left
}

/// Paints an area without changing what it says.
pub fn paint(buf: &mut Buffer, area: Rect, style: Style) {
    buf.set_style(area.intersection(buf.area), style);
}

/// Empties an area.
pub fn clear(buf: &mut Buffer, area: Rect, style: Style) {
    let area = area.intersection(buf.area);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buf.cell_mut((x, y)) {
                cell.reset();
                cell.set_style(style);
            }
        }
    }
}

/// What stands in the frame of a pane.
#[derive(Debug, Clone, Default)]
pub struct Titles {
    /// At the top left, after the number.
    pub left: Line,
    /// At the top right.
    pub right: Line,
    /// At the bottom right.
    pub below: Line,
}

/// The six strokes of a frame: across, down, and the corners from the top left clockwise.
type Strokes = [&'static str; 6];

const PLAIN: Strokes = ["─", "│", "┌", "┐", "┘", "└"];
const FOCUSED: Strokes = ["━", "┃", "┏", "┓", "┛", "┗"];
const ASCII: Strokes = ["-", "|", "+", "+", "+", "+"];
const ASCII_FOCUSED: Strokes = ["=", "|", "+", "+", "+", "+"];

/// Draws a frame with its titles; returns what is inside.
pub fn frame(buf: &mut Buffer, area: Rect, titles: &Titles, focused: bool, look: &Look) -> Rect {
    let style = look.of(if focused { Slot::BorderFocus } else { Slot::Border });
    frame_in(buf, area, titles, style, focused, look.ascii)
}

/// Draws a frame in a style of its own.
pub fn frame_in(buf: &mut Buffer, area: Rect, titles: &Titles, style: Style, strong: bool, ascii: bool) -> Rect {
    let area = area.intersection(buf.area);
    if area.width < 2 || area.height < 2 {
        return Rect { width: 0, height: 0, ..area };
    }
    let [across, down, top_left, top_right, bottom_right, bottom_left] = match (ascii, strong) {
        (false, false) => PLAIN,
        (false, true) => FOCUSED,
        (true, false) => ASCII,
        (true, true) => ASCII_FOCUSED,
    };
    let (left, right, top, bottom) = (area.left(), area.right() - 1, area.top(), area.bottom() - 1);
    for x in left + 1..right {
        buf.set_string(x, top, across, style);
        buf.set_string(x, bottom, across, style);
    }
    for y in top + 1..bottom {
        buf.set_string(left, y, down, style);
        buf.set_string(right, y, down, style);
    }
    buf.set_string(left, top, top_left, style);
    buf.set_string(right, top, top_right, style);
    buf.set_string(right, bottom, bottom_right, style);
    buf.set_string(left, bottom, bottom_left, style);
    let inside = Rect { x: left + 1, y: top + 1, width: area.width - 2, height: area.height - 2 };
    let span = |y: u16| Rect { x: left + 2, y, width: area.width.saturating_sub(4), height: 1 };
    titled(buf, span(top), &titles.left, false);
    let taken = u16::try_from(titles.left.width()).unwrap_or(u16::MAX).saturating_add(3);
    titled(buf, from(span(top), taken.min(span(top).width)), &titles.right, true);
    titled(buf, span(bottom), &titles.below, true);
    inside
}

/// A title with a blank on both sides; left out where there is no room for it.
fn titled(buf: &mut Buffer, area: Rect, title: &Line, right: bool) {
    let width = u16::try_from(title.width()).unwrap_or(u16::MAX);
    if width == 0 || area.width < 3 || (right && width + 2 > area.width) {
        return;
    }
    let shown = width.min(area.width - 2);
    let start = if right { area.width - shown - 2 } else { 0 };
    let end = put(buf, from(area, start), " ", Style::new());
    let room = Rect { x: end, width: shown, ..area };
    title.draw(room, buf);
    put(buf, Rect { x: end + shown, width: 1, ..area }, " ", Style::new());
}

/// `[#####.......]`: a bar over the first row of an area; `part` of `whole` is done.
pub fn bar(buf: &mut Buffer, area: Rect, part: u64, whole: u64, look: &Look) {
    if area.width < 4 || area.height == 0 {
        return;
    }
    let cells = u64::from(area.width - 2);
    let done = (cells * part.min(whole)).checked_div(whole).unwrap_or(0);
    let (full, empty) = if look.ascii { ("#", ".") } else { ("█", "░") };
    let repeat = |text: &str, times: u64| text.repeat(usize::try_from(times).unwrap_or(0));
    Line::new()
        .then("[", look.of(Slot::Dim))
        .then(repeat(full, done), look.of(Slot::BarDone))
        .then(repeat(empty, cells - done), look.of(Slot::BarLeft))
        .then("]", look.of(Slot::Dim))
        .draw(area, buf);
}

/// The first of `count` rows to show in `room`, so that row `at` is among them, as near to the middle as may be.
pub fn scroll(at: usize, count: usize, room: usize) -> usize {
    at.saturating_sub(room / 2).min(count.saturating_sub(room))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_where_they_must() {
        let check = |text: &str, columns: usize, expected: &str| assert_eq!(fitting(text, columns), expected);
        check("mem-march", 9, "mem-march");
        check("mem-march", 5, "mem-~");
        check("漢字漢字", 5, "漢字~");
        check("漢字", 0, "");
        assert_eq!(fitting_end("abcdef", 3), "def");
        assert_eq!(fitting_end("漢字", 3), "字");
    }

    #[test]
    fn long_texts_are_broken_between_words() {
        let check =
            |text: &str, columns: usize, expected: &[&str]| assert_eq!(wrapped(text, columns), expected, "{text}");
        check("nothing here moves it", 12, &["nothing here", "moves it"]);
        check("abcdefgh ij", 3, &["abc", "def", "gh", "ij"]);
        check("漢字漢 x", 4, &["漢字", "漢 x"]);
        check("漢字", 1, &["漢", "字"]);
        check("", 5, &[""]);
    }

    #[test]
    fn the_chosen_row_is_always_seen() {
        for (count, room) in [(0, 0), (1, 1), (5, 3), (100, 7), (3, 50)] {
            for at in 0..count {
                let first = scroll(at, count, room);
                assert!(first <= at && at < first + room.max(1), "{at} of {count} in {room}: from {first}");
                assert!(first + room <= count || first == 0);
            }
        }
    }
}
