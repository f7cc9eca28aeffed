//! The log pane: what is shown of a log, from where, and what is asked of the thread that reads it. Pure functions of what
//! was done and what was answered; drawing costs as much as the rows that are seen. Never opens a file, never waits.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::log_rows;
use super::log_view::{Layout, Prefix};
use crate::domain::sanitize;
use crate::domain::theme::Slot;
use crate::store::log_find::Direction;
use crate::store::log_merge::Position;
use crate::store::log_pattern::Pattern;
use crate::store::log_reader::{Anchor, Count, Counts, LogFiles, Streams, WindowRequest};
use crate::store::log_samples::Stream;
use crate::tui::log_thread::{LogNews, LogReply, LogRequest, ShownLine, ShownWindow};
use crate::tui::palette::Palette;

/// Under so many columns times are shown to the second.
const NARROW: u16 = 70;
/// The most bytes that are yanked: terminals take no more through OSC 52.
const MOST_YANKED: usize = 64 * 1024;

/// What the keys of the pane do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogAct {
    /// So many rows up.
    Up(u16),
    /// So many rows down.
    Down(u16),
    /// So many columns to the left, when lines are not wrapped.
    Left(u16),
    /// So many columns to the right, when lines are not wrapped.
    Right(u16),
    /// To the first line.
    Top,
    /// To the last line, without following.
    Bottom,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// Follow the end.
    Follow,
    /// Wrap long lines, or no longer.
    Wrap,
    /// Show times, or no longer.
    Time,
    /// Both streams, standard output, standard error, in turn.
    Streams,
    /// The next line that the search finds.
    NextHit,
    /// The one before.
    PreviousHit,
    /// The next line of standard error.
    NextStderr,
    /// The one before.
    PreviousStderr,
    /// Search for this; for nothing when it is empty.
    Search(String),
    /// Show only lines with this; all when it is empty.
    Filter(String),
}

/// The log that is shown.
#[derive(Debug)]
struct Subject {
    title: String,
    files: LogFiles,
    is_live: bool,
}

/// The pane.
#[derive(Debug)]
pub struct LogPane {
    subject: Option<Subject>,
    /// Of the latest log; answers for others come too late.
    id: u64,
    streams: Streams,
    wraps: bool,
    shows_time: bool,
    follows: bool,
    search: Option<Pattern>,
    filter: Option<Pattern>,
    utc_offset: i32,
    columns: u16,
    rows: u16,
    /// Of the latest request.
    serial: u64,
    window: ShownWindow,
    /// The line at the top of the screen, and how many of its rows are above it.
    top: (usize, usize),
    /// Rows that are still to be scrolled, once more lines are known.
    pending: i32,
    left: u16,
    /// The line that was found last.
    cursor: Option<Position>,
    /// Searches so far, and which of them is going on.
    finds: u64,
    finding: Option<u64>,
    note: Option<&'static str>,
    counts: Counts,
}

impl LogPane {
    /// A pane without a log. Times are shown so many seconds ahead of UTC.
    pub fn new(utc_offset: i32) -> Self {
        Self {
            subject: None,
            id: 0,
            streams: Streams::Both,
            wraps: true,
            shows_time: true,
            follows: true,
            search: None,
            filter: None,
            utc_offset,
            columns: 0,
            rows: 0,
            serial: 0,
            window: ShownWindow::default(),
            top: (0, 0),
            pending: 0,
            left: 0,
            cursor: None,
            finds: 0,
            finding: None,
            note: None,
            counts: Counts::default(),
        }
    }

    /// Shows a log: its title, where it is, whether it is being written. The same log again keeps its place.
    #[must_use]
    pub fn show(&mut self, what: Option<(String, LogFiles, bool)>) -> Vec<LogRequest> {
        let Some((title, files, is_live)) = what else {
            let was_shown = self.subject.take().is_some();
            self.forget();
            return if was_shown { vec![LogRequest::Hide] } else { vec![] };
        };
        if let Some(subject) = self.subject.as_mut().filter(|subject| subject.files == files) {
            subject.title = title;
            let has_changed = std::mem::replace(&mut subject.is_live, is_live) != is_live;
            return if has_changed { vec![LogRequest::Live(is_live)] } else { vec![] };
        }
        self.subject = Some(Subject { title, files: files.clone(), is_live });
        self.forget();
        let mut requests = vec![
            LogRequest::Show { id: self.id, files, streams: self.streams, is_live },
            LogRequest::Filter(self.filter.clone()),
            LogRequest::Search(self.search.clone()),
        ];
        requests.extend(self.ask(Anchor::Tail, 0));
        requests
    }

    fn forget(&mut self) {
        self.id += 1;
        (self.window, self.counts) = (ShownWindow::default(), Counts::default());
        (self.top, self.pending, self.left, self.follows) = ((0, 0), 0, 0, true);
        (self.cursor, self.finding, self.note) = (None, None, None);
    }

    /// Does what a key says.
    #[must_use]
    pub fn act(&mut self, act: LogAct) -> Vec<LogRequest> {
        if self.subject.is_none() {
            return vec![];
        }
        self.note = None;
        let page = i32::from(self.rows.saturating_sub(1).max(1));
        match act {
            LogAct::Up(rows) => self.scroll(-i32::from(rows)),
            LogAct::Down(rows) => self.scroll(i32::from(rows)),
            LogAct::PageUp => self.scroll(-page),
            LogAct::PageDown => self.scroll(page),
            LogAct::Left(columns) => self.sideways(self.left.saturating_sub(columns)),
            LogAct::Right(columns) => self.sideways(self.left.saturating_add(columns)),
            LogAct::Top => self.leave(Anchor::Top),
            LogAct::Bottom => self.leave(Anchor::Tail),
            LogAct::Follow => {
                self.follows = true;
                [vec![LogRequest::Mark(false)], self.ask(Anchor::Tail, 0)].concat()
            }
            LogAct::Wrap => {
                (self.wraps, self.left, self.top.1) = (!self.wraps, 0, 0);
                self.settle();
                vec![]
            }
            LogAct::Time => {
                (self.shows_time, self.top.1) = (!self.shows_time, 0);
                self.settle();
                vec![]
            }
            LogAct::Streams => {
                self.streams = match self.streams {
                    Streams::Both => Streams::Stdout,
                    Streams::Stdout => Streams::Stderr,
                    Streams::Stderr => Streams::Both,
                };
                [vec![LogRequest::Streams(self.streams)], self.ask_again()].concat()
            }
            LogAct::NextHit => self.find(Direction::Down, None),
            LogAct::PreviousHit => self.find(Direction::Up, None),
            LogAct::NextStderr => self.find(Direction::Down, Some(Stream::Stderr)),
            LogAct::PreviousStderr => self.find(Direction::Up, Some(Stream::Stderr)),
            LogAct::Search(text) => self.search_for(&text),
            LogAct::Filter(text) => {
                self.filter = Pattern::new(&text);
                self.finding = None;
                [vec![LogRequest::Filter(self.filter.clone())], self.ask_again()].concat()
            }
        }
    }

    /// Takes an answer; some lead to further questions.
    #[must_use]
    pub fn receive(&mut self, reply: LogReply) -> Vec<LogRequest> {
        if reply.id != self.id {
            return vec![];
        }
        match reply.what {
            LogNews::Counts(counts) => self.counts = counts,
            LogNews::Moved(position) => self.cursor = Some(position),
            LogNews::Window { serial, window } if serial == self.serial => return self.take(window),
            LogNews::Found { serial, place } if self.finding == Some(serial) => {
                self.finding = None;
                match place {
                    None => self.note = Some("no more in this direction"),
                    Some(position) => return self.jump(position),
                }
            }
            LogNews::Window { .. } | LogNews::Found { .. } => {}
        }
        vec![]
    }

    /// The pane has another size.
    #[must_use]
    pub fn resize(&mut self, columns: u16, rows: u16) -> Vec<LogRequest> {
        if (self.columns, self.rows) == (columns, rows) {
            return vec![];
        }
        let has_more_rows = rows > self.rows;
        if self.columns != columns {
            self.top.1 = 0;
        }
        (self.columns, self.rows) = (columns, rows);
        self.settle();
        if has_more_rows && self.subject.is_some() { self.ask_again() } else { vec![] }
    }

    /// The line that was found last if it is in view, else all lines that are.
    pub fn yank(&self) -> Option<String> {
        let visible = self.visible();
        let found = visible.clone().find(|line| self.cursor == Some(line.position));
        let lines: Vec<&str> = match found {
            Some(line) => vec![&line.shown.text],
            None => visible.map(|line| line.shown.text.as_str()).collect(),
        };
        let mut text = lines.join("\n");
        text.truncate(log_rows::boundary(&text, MOST_YANKED));
        (!lines.is_empty()).then_some(text)
    }

    /// What is searched for; empty for nothing.
    pub fn search(&self) -> &str {
        self.search.as_ref().map_or("", Pattern::as_str)
    }

    /// What lines are filtered by; empty for nothing.
    pub fn filter(&self) -> &str {
        self.filter.as_ref().map_or("", Pattern::as_str)
    }

    /// The last line that is known, without colours.
    pub fn last_line(&self) -> Option<String> {
        self.window.lines.last().map(|line| line.shown.text.clone())
    }

    /// What stands in the frame's top left: `s17/01_mem-march stdout+stderr`.
    pub fn title(&self) -> String {
        let Some(subject) = &self.subject else { return String::new() };
        let streams = match self.streams {
            Streams::Both => "stdout+stderr",
            Streams::Stdout => "stdout",
            Streams::Stderr => "stderr",
        };
        format!("{} {streams}", sanitize::line(&subject.title))
    }

    /// What stands in the frame's top right: `FOLLOW wrap time 312 ln 0 dropped`.
    pub fn status(&self) -> String {
        let Some(subject) = &self.subject else { return String::new() };
        if let Some(problem) = &self.counts.problem {
            return format!("cannot be read: {}", sanitize::line(problem));
        }
        let mut words = vec![];
        match self.counts.new {
            _ if self.follows => words.extend(subject.is_live.then(|| "FOLLOW".to_owned())),
            Some(new) if new.number > 0 => words.push(format!("{} new", number(new))),
            _ => {}
        }
        words.extend(self.wraps.then(|| "wrap".to_owned()));
        words.extend(self.shows_time.then(|| "time".to_owned()));
        words.push(format!("{} ln", number(self.counts.lines)));
        if self.counts.dropped > 0 || self.columns >= NARROW {
            words.push(format!("{} dropped", self.counts.dropped));
        }
        words.join(" ")
    }

    /// What stands in the frame's bottom right: `/ecc 2 of 3`, with the filter before it.
    pub fn search_status(&self) -> String {
        let mut words = vec![];
        if let Some(filter) = &self.filter {
            let goes_on = if self.window.is_partial { " ..." } else { "" };
            words.push(format!("&{}{goes_on}", sanitize::line(filter.as_str())));
        }
        if let Some(search) = &self.search {
            let hits = self.counts.hits.unwrap_or_default();
            let which = self.counts.hit.filter(|_| self.cursor.is_some());
            let which = which.map_or_else(String::new, |which| format!("{which} of "));
            words.push(format!("/{} {which}{}", sanitize::line(search.as_str()), number(hits)));
        }
        words.extend(self.finding.map(|_| "searching".to_owned()));
        words.extend(self.note.map(str::to_owned));
        words.join(" ")
    }

    /// Draws the visible rows inside the frame.
    pub fn view(&self, area: Rect, buf: &mut Buffer, palette: &Palette, focused: bool) {
        let area = area.intersection(buf.area);
        buf.set_style(area, palette.style(Slot::Text));
        let layout = Layout {
            prefix: self.prefix(),
            wraps: self.wraps,
            left: usize::from(self.left),
            search: self.search.as_ref(),
            palette,
        };
        let mut rest = area;
        let (first, mut skip) = self.top;
        for line in self.window.lines.iter().skip(first) {
            if rest.height == 0 {
                break;
            }
            let is_cursor = focused && self.cursor == Some(line.position);
            let rows = layout.draw(line, is_cursor, std::mem::take(&mut skip), rest, buf);
            rest = Rect { y: rest.y + rows, height: rest.height - rows, ..rest };
        }
    }

    fn prefix(&self) -> Prefix {
        let time = self.shows_time.then_some(self.columns >= NARROW);
        Prefix { time, stream: self.streams == Streams::Both, utc_offset: self.utc_offset }
    }

    /// Rows that a line takes.
    fn height(&self, line: usize) -> usize {
        let columns = usize::from(self.columns).saturating_sub(self.prefix().width());
        match self.window.lines.get(line) {
            Some(line) if self.wraps => log_rows::count(&line.shown.text, columns),
            _ => 1,
        }
    }

    /// Lines of which a row is seen.
    fn visible(&self) -> impl Iterator<Item = &ShownLine> + Clone {
        let (first, skip) = self.top;
        let mut room = usize::from(self.rows) + skip;
        let lines = self.window.lines.iter().enumerate().skip(first);
        lines.map_while(move |(place, line)| {
            let is_seen = room > 0;
            room = room.saturating_sub(self.height(place));
            is_seen.then_some(&**line)
        })
    }

    /// Where the top is when the last line is at the bottom.
    fn lowest(&self) -> (usize, usize) {
        let mut room = usize::from(self.rows);
        for line in (0..self.window.lines.len()).rev() {
            let height = self.height(line);
            if height >= room {
                return (line, height - room);
            }
            room -= height;
        }
        (0, 0)
    }

    /// Brings the top back to where it can be.
    fn settle(&mut self) {
        let lowest = self.lowest();
        if self.follows || (self.window.is_end && self.top > lowest) {
            self.top = lowest;
        }
        self.top.0 = self.top.0.min(self.window.lines.len().saturating_sub(1));
        self.top.1 = self.top.1.min(self.height(self.top.0) - 1);
    }

    fn take(&mut self, window: ShownWindow) -> Vec<LogRequest> {
        let place = |pane: &Self| pane.window.lines.get(pane.top.0).map(|line| line.position);
        let before = place(self);
        self.window = window;
        self.top.0 = self.window.anchor.min(self.window.lines.len().saturating_sub(1));
        if place(self) != before {
            self.top.1 = 0;
        }
        // At the bottom, but not following: the lines stay where they are while others come.
        let lines = self.window.lines.len();
        let is_bottom = !self.follows && lines > 0 && self.window.anchor >= lines;
        if is_bottom {
            self.top = self.lowest();
        }
        self.settle();
        match std::mem::take(&mut self.pending) {
            // More comes without being asked for.
            pending if self.window.is_partial => self.pending = pending,
            0 if is_bottom => return self.ask_again(),
            0 => {}
            pending => return self.scroll(pending),
        }
        vec![]
    }

    fn ask(&mut self, anchor: Anchor, shift: i32) -> Vec<LogRequest> {
        self.serial += 1;
        if !matches!(anchor, Anchor::At(_)) || shift != 0 {
            self.pending = 0;
        }
        let rows = usize::from(self.rows.max(1));
        let (above, below) = (2 * rows, if anchor == Anchor::Tail { 0 } else { 2 * rows });
        vec![LogRequest::Window { serial: self.serial, request: WindowRequest { anchor, shift, above, below } }]
    }

    /// Asks for what is around the place that is shown.
    fn ask_again(&mut self) -> Vec<LogRequest> {
        match self.window.lines.get(self.top.0).filter(|_| !self.follows) {
            Some(line) => self.ask(Anchor::At(line.position), 0),
            None => self.ask(Anchor::Tail, 0),
        }
    }

    /// Follows no longer, and counts what comes from now on.
    fn stop_following(&mut self) -> Vec<LogRequest> {
        if std::mem::replace(&mut self.follows, false) { vec![LogRequest::Mark(true)] } else { vec![] }
    }

    fn leave(&mut self, anchor: Anchor) -> Vec<LogRequest> {
        [self.stop_following(), self.ask(anchor, 0)].concat()
    }

    fn sideways(&mut self, left: u16) -> Vec<LogRequest> {
        if !self.wraps {
            self.left = left;
        }
        vec![]
    }

    /// Scrolls by rows as far as lines are known, and by the rest when they are.
    fn scroll(&mut self, rows: i32) -> Vec<LogRequest> {
        let rows = rows.saturating_add(std::mem::take(&mut self.pending));
        if self.window.lines.is_empty() || (self.follows && rows > 0) {
            return vec![];
        }
        let before = self.top;
        let mut left = rows.unsigned_abs() as usize;
        while left > 0 {
            let (line, row) = self.top;
            if rows > 0 {
                let below = self.height(line) - row;
                if left < below {
                    self.top.1 += left;
                } else if line + 1 < self.window.lines.len() {
                    self.top = (line + 1, 0);
                } else {
                    break;
                }
                left = left.saturating_sub(below);
            } else if row > 0 {
                self.top.1 = row.saturating_sub(left);
                left = left.saturating_sub(row);
            } else if line > 0 {
                self.top = (line - 1, self.height(line - 1) - 1);
                left -= 1;
            } else {
                break;
            }
        }
        let is_stuck = if rows < 0 { self.window.is_top } else { self.window.is_end };
        if self.top == before && is_stuck {
            return vec![];
        }
        let marks = self.stop_following();
        self.settle();
        if !is_stuck {
            self.pending = i32::try_from(left).unwrap_or(i32::MAX).saturating_mul(rows.signum());
        }
        [marks, self.ask_again()].concat()
    }

    fn search_for(&mut self, text: &str) -> Vec<LogRequest> {
        self.search = Pattern::new(text);
        (self.cursor, self.finding) = (None, None);
        (self.counts.hits, self.counts.hit) = (None, None);
        let mut requests = vec![LogRequest::Search(self.search.clone())];
        let is_live = self.subject.as_ref().is_some_and(|subject| subject.is_live);
        match (&self.search, self.follows, is_live) {
            // Whoever follows goes on following; what is found is seen as it comes.
            (None, ..) | (_, true, true) => {}
            // At the end of a log that has ended there is nothing below.
            (Some(_), true, false) => requests.extend(self.look(Direction::Up, None, None, true)),
            (Some(_), false, _) => requests.extend(self.look(Direction::Down, None, self.first_position(), true)),
        }
        requests
    }

    fn first_position(&self) -> Option<Position> {
        self.window.lines.get(self.top.0).map(|line| line.position)
    }

    fn find(&mut self, direction: Direction, only: Option<Stream>) -> Vec<LogRequest> {
        match only {
            Some(only) if !self.streams.has(only) => {
                self.note = Some("stderr is not shown");
                return vec![];
            }
            None if self.search.is_none() => {
                self.note = Some("nothing to search for");
                return vec![];
            }
            _ => {}
        }
        let cursor = self.cursor.filter(|cursor| self.visible().any(|line| line.position == *cursor));
        match (cursor, direction) {
            (Some(cursor), _) => self.look(direction, only, Some(cursor), false),
            // From the end upward.
            (None, Direction::Up) if self.follows => self.look(direction, only, None, true),
            (None, Direction::Up) => self.look(direction, only, self.first_position(), false),
            (None, Direction::Down) => self.look(direction, only, self.first_position(), true),
        }
    }

    fn look(
        &mut self,
        direction: Direction,
        only: Option<Stream>,
        from: Option<Position>,
        included: bool,
    ) -> Vec<LogRequest> {
        self.finds += 1;
        self.finding = Some(self.finds);
        vec![LogRequest::Find { serial: self.finds, direction, only, from, included }]
    }

    /// Goes to what was found, unless it is seen already.
    fn jump(&mut self, position: Position) -> Vec<LogRequest> {
        self.cursor = Some(position);
        let is_seen = self.visible().any(|line| line.position == position);
        let mut requests = self.stop_following();
        if is_seen {
            requests.extend(self.ask_again());
        } else {
            requests.extend(self.ask(Anchor::At(position), -i32::from(self.rows / 3)));
        }
        requests
    }
}

/// `312`, or `312+` while there may be more.
fn number(count: Count) -> String {
    format!("{}{}", count.number, if count.is_exact { "" } else { "+" })
}

#[cfg(test)]
mod tests;
