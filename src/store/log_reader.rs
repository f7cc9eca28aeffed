//! The log of one execution for whoever shows it: opened at once, read where it is looked at, counted and searched in
//! the background. No call costs more than it is told to, memory is bounded by constants, whatever the size of the logs.
//! No threads, no waiting, no writing.

use std::path::PathBuf;

use super::log_file::Change;
use super::log_find::{Direction, Finder, Step};
use super::log_lines::Piece;
use super::log_merge::{Cut, Merged, Position};
use super::log_pattern::Pattern;
use super::log_samples::Stream;
use super::log_scan::Target;
use super::log_tally::Tally;
use super::log_walk::Walk;

/// The most lines in each direction of one window.
pub const MOST_LINES: usize = 1000;
/// The furthest that it may be shifted.
const FURTHEST: i32 = 1000;
/// Bytes of text in one window, after which lines are cut short.
const MOST_TEXT: usize = 4 << 20;
/// How short.
const SHORT: usize = 4096;
/// Bytes that are looked at to fill one window at once when lines are filtered.
const AT_ONCE: u64 = 256 * 1024;

/// Where the logs of an execution are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFiles {
    /// Standard output.
    pub stdout: PathBuf,
    /// Standard error.
    pub stderr: PathBuf,
    /// `logs.idx` of the sub-run.
    pub index: PathBuf,
    /// Which lines of it are of this execution.
    pub execution: u32,
}

/// Which of the streams are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Both as one sequence.
    Both,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Streams {
    /// Whether a stream is one of them.
    pub fn has(self, stream: Stream) -> bool {
        self == Self::Both || (self == Self::Stdout) == (stream == Stream::Stdout)
    }
}

/// From where lines are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Behind the last line, wherever that is by then.
    Tail,
    /// The first line.
    Top,
    /// The line that holds this byte.
    At(Position),
}

/// Which lines are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowRequest {
    /// From where.
    pub anchor: Anchor,
    /// So many lines further down, or up when negative.
    pub shift: i32,
    /// Lines above that one.
    pub above: usize,
    /// Lines below it, itself counted.
    pub below: usize,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineKind {
    /// Text. `begins` and `ends` say whether a line does so here, or goes on in a piece before or behind.
    Text {
        /// It is the first piece of its line.
        begins: bool,
        /// It is the last.
        ends: bool,
        /// Only the first part of the piece is here.
        is_cut: bool,
    },
    /// So many bytes were dropped here, or are nothing but NUL.
    Dropped(u64),
}

/// One line that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it begins.
    pub position: Position,
    /// The byte behind its last.
    pub end: u64,
    /// What it is.
    pub kind: LineKind,
    /// When it was written, milliseconds since the epoch; `None` where nobody looked.
    pub unix_ms: Option<i64>,
    /// Its bytes as they stand, without the newline.
    pub text: Vec<u8>,
}

/// The lines that were wanted, as far as they are there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// From above to below.
    pub lines: Vec<Line>,
    /// How many of them are above the anchor, shifted.
    pub anchor: usize,
    /// There is nothing above.
    pub is_top: bool,
    /// There is nothing below.
    pub is_end: bool,
    /// The search for them goes on: ask again after some work.
    pub is_partial: bool,
}

/// A number of something, of which there may be more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// So many at least.
    pub number: u64,
    /// So many and no more.
    pub is_exact: bool,
}

/// What was counted so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// Lines of the streams that are shown.
    pub lines: Count,
    /// Lines since [`LogReader::mark`].
    pub new: Option<Count>,
    /// Lines that the search finds.
    pub hits: Option<Count>,
    /// The number of the given line among them, from 1.
    pub hit: Option<u64>,
    /// Bytes that are no longer there.
    pub dropped: u64,
    /// Why a log cannot be read.
    pub problem: Option<String>,
}

/// What a look at the files found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Polled {
    /// Something is not as it was.
    pub has_changed: bool,
    /// A log is another file: positions must be [moved](LogReader::moved).
    pub is_replaced: bool,
}

/// The logs of one execution.
#[derive(Debug)]
pub struct LogReader {
    merged: Merged,
    filter: Option<Pattern>,
    search: Option<Pattern>,
    lines: [Tally; 2],
    new: Option<[Tally; 2]>,
    hits: Option<[Tally; 2]>,
    walk: Option<(Anchor, Walk, (usize, usize))>,
    finder: Option<Finder>,
    buffer: Vec<u8>,
}

impl LogReader {
    /// Opens the logs; cheap whatever their size, and no error if they are missing.
    pub fn open(files: LogFiles, streams: Streams) -> Self {
        let lines = Stream::BOTH.map(|_| Tally::new(Target::default(), 0));
        let merged = Merged::open(files, streams);
        let (walk, finder, buffer) = (None, None, vec![]);
        Self { merged, filter: None, search: None, lines, new: None, hits: None, walk, finder, buffer }
    }

    /// Shows other streams.
    pub fn set_streams(&mut self, streams: Streams) {
        self.merged.streams = streams;
        self.begin_anew();
    }

    /// Shows only lines that show a pattern.
    pub fn set_filter(&mut self, filter: Option<Pattern>) {
        self.filter = filter;
        self.begin_anew();
        self.count_hits();
    }

    /// Counts lines that show a pattern, and finds them.
    pub fn set_search(&mut self, search: Option<Pattern>) {
        self.search = search;
        self.finder = None;
        self.count_hits();
    }

    fn begin_anew(&mut self) {
        (self.walk, self.finder) = (None, None);
    }

    fn count_hits(&mut self) {
        let target = Target::new([self.search.clone(), self.filter.clone()]);
        self.hits = self.search.as_ref().map(|_| Stream::BOTH.map(|_| Tally::new(target.clone(), 0)));
    }

    /// Counts new lines from now on.
    pub fn mark(&mut self) {
        let merged = &mut self.merged;
        self.new = Some(Stream::BOTH.map(|stream| Tally::new(Target::default(), merged.file(stream).settled())));
    }

    /// Counts new lines no longer.
    pub fn unmark(&mut self) {
        self.new = None;
    }

    /// Looks at the files anew.
    pub fn poll(&mut self) -> Polled {
        let changes = self.merged.poll();
        let has_more = !self.merged.samples.is_complete();
        for (stream, change) in Stream::BOTH.into_iter().zip(changes.of) {
            // What was new before the log was cut is still new.
            let marked = self.new.as_ref().and_then(|new| new.get(stream as usize)).map_or(0, Tally::start);
            let marked = self.moved(Position { stream, offset: marked }).offset;
            let tallies = [(Some(&mut self.lines), 0), (self.new.as_mut(), marked), (self.hits.as_mut(), 0)];
            for (tallies, start) in tallies {
                match (tallies.and_then(|tallies| tallies.get_mut(stream as usize)), change) {
                    (Some(tally), Change::Replaced) => tally.begin_anew(start),
                    (Some(tally), Change::Punched) => tally.lose(),
                    _ => {}
                }
            }
        }
        let has = |change: Change| changes.of.contains(&change);
        if has(Change::Replaced) || has(Change::Punched) {
            self.begin_anew();
        } else if has(Change::Grown) || has_more {
            self.grow();
        }
        let has_changed = has_more || changes.of != [Change::Same; 2];
        Polled { has_changed, is_replaced: has(Change::Replaced) }
    }

    fn grow(&mut self) {
        if let Some((_, walk, _)) = &mut self.walk
            && !walk.grow(&mut self.merged)
        {
            self.walk = None;
        }
    }

    /// Where a line stands after its log was replaced.
    pub fn moved(&mut self, position: Position) -> Position {
        let trimmed = self.merged.trimmed(position.stream);
        let place = trimmed.map_or(position.offset, |trimmed| trimmed.place(position.offset));
        Position { offset: place.min(self.merged.file(position.stream).size()), ..position }
    }

    /// Works in the background on about so many bytes. `true` while there is more to do.
    pub fn work(&mut self, budget: u64) -> bool {
        if self.merged.samples.work(budget) > 0 {
            self.grow();
            return true;
        }
        if let Some((_, walk, wanted)) = &mut self.walk
            && walk.work(&mut self.merged, *wanted, budget, &mut self.buffer)
        {
            return true;
        }
        for stream in self.merged.shown() {
            let tallies = [self.new.as_mut(), self.hits.as_mut(), Some(&mut self.lines)];
            for tally in tallies.into_iter().flatten().filter_map(|tallies| tallies.get_mut(stream as usize)) {
                if tally.work(self.merged.file(stream), budget, &mut self.buffer) > 0 {
                    return true;
                }
            }
        }
        false
    }

    /// The lines that are wanted.
    pub fn window(&mut self, request: &WindowRequest) -> Window {
        let request = WindowRequest {
            above: request.above.min(MOST_LINES),
            below: request.below.min(MOST_LINES),
            shift: request.shift.clamp(-FURTHEST, FURTHEST),
            ..*request
        };
        let mut window = if self.filter.is_some() { self.filtered(&request) } else { self.unfiltered(&request) };
        window.is_partial |= !self.merged.samples.is_complete();
        window
    }

    fn place(&mut self, anchor: Anchor) -> Option<Cut> {
        match anchor {
            Anchor::Tail => None,
            Anchor::Top => Some(Merged::top()),
            Anchor::At(position) => Some(self.merged.cut_at(position)),
        }
    }

    fn unfiltered(&mut self, request: &WindowRequest) -> Window {
        let mut cut = self.place(request.anchor).unwrap_or_else(|| self.merged.end());
        for _ in 0..request.shift.unsigned_abs() {
            let step = if request.shift > 0 { self.merged.next(cut) } else { self.merged.previous(cut) };
            let Some((_, _, further)) = step else { break };
            cut = further;
        }
        let (mut above, mut below) = (vec![], vec![]);
        let mut up = cut;
        while above.len() < request.above
            && let Some((stream, piece, further)) = self.merged.previous(up)
        {
            above.push((stream, piece));
            up = further;
        }
        let mut down = cut;
        while below.len() < request.below
            && let Some((stream, piece, further)) = self.merged.next(down)
        {
            below.push((stream, piece));
            down = further;
        }
        let anchor = above.len();
        let pieces = above.into_iter().rev().chain(below);
        let lines = self.lines(pieces.collect());
        let is_top = self.merged.previous(up).is_none();
        Window { lines, anchor, is_top, is_end: self.merged.next(down).is_none(), is_partial: false }
    }

    fn filtered(&mut self, request: &WindowRequest) -> Window {
        let shift = request.shift.unsigned_abs() as usize;
        let (further_up, further_down) = if request.shift < 0 { (shift, 0) } else { (0, shift) };
        let wanted = (request.above + further_up, request.below + further_down);
        let kept = self.walk.take_if(|(anchor, ..)| *anchor == request.anchor);
        let mut walk = if let Some((_, walk, _)) = kept {
            walk
        } else {
            let place = self.place(request.anchor);
            Walk::new(&mut self.merged, Target::new([self.filter.clone()]), place)
        };
        let is_partial = walk.work(&mut self.merged, wanted, AT_ONCE, &mut self.buffer);
        let (lines, place) = walk.lines();
        let lines: Vec<_> = lines.collect();
        let anchor = if request.shift < 0 { place.saturating_sub(shift) } else { (place + shift).min(lines.len()) };
        let from = anchor.saturating_sub(request.above);
        let to = (anchor + request.below).min(lines.len());
        let (is_top, is_end) = walk.ends();
        let (is_top, is_end) = (is_top && from == 0, is_end && to == lines.len());
        self.walk = Some((request.anchor, walk, wanted));
        let lines = self.lines(lines.get(from..to).unwrap_or_default().to_vec());
        Window { lines, anchor: anchor - from, is_top, is_end, is_partial }
    }

    fn lines(&mut self, pieces: Vec<(Stream, Piece)>) -> Vec<Line> {
        let mut room = MOST_TEXT;
        let pieces = pieces.into_iter().map(|(stream, piece)| {
            let unix_ms = self.merged.unix_ms(stream, piece);
            let file = self.merged.file(stream);
            let mut text = file.text(piece);
            let kind = if piece.is_hole || (text.len() > 1 && text.iter().all(|byte| *byte == 0)) {
                text.clear();
                LineKind::Dropped(piece.end - piece.start)
            } else {
                let length = text.len();
                text.truncate(if room == 0 { SHORT } else { length });
                let before = piece.start.checked_sub(1).and_then(|last| file.piece_at(last));
                let begins = before.is_none_or(|before| before.is_hole || file.ends_line(before));
                let ends = piece.end >= file.size() || file.ends_line(piece);
                LineKind::Text { begins, ends, is_cut: text.len() < length }
            };
            text.shrink_to_fit();
            room = room.saturating_sub(text.len());
            Line { position: Position { stream, offset: piece.start }, end: piece.end, kind, unix_ms, text }
        });
        pieces.collect()
    }

    /// Begins to look for the next line that the search finds, or for any of one stream, among those that pass the filter.
    /// From behind the last line or before the first when `from` is `None`; the line at `from` counts if it is `included`.
    pub fn find(&mut self, direction: Direction, only: Option<Stream>, from: Option<Position>, included: bool) {
        let search = self.search.clone().filter(|_| only.is_none());
        let target = Target::new([search, self.filter.clone()]);
        let cut = match (from, direction) {
            (None, Direction::Down) => Merged::top(),
            (None, Direction::Up) => self.merged.end(),
            (Some(position), _) => {
                let cut = self.merged.cut_at(position);
                let is_behind = included == (direction == Direction::Up);
                let behind = if is_behind { self.merged.next(cut) } else { None };
                behind.map_or(cut, |(_, _, further)| further)
            }
        };
        let is_idle = only.is_none() && self.search.is_none();
        let is_hidden = only.is_some_and(|only| !self.merged.streams.has(only));
        self.finder = (!is_idle && !is_hidden).then(|| Finder::new(direction, target, only, cut));
    }

    /// Looks on for about so many bytes. What was found or that there is nothing is said once, then `Nothing`.
    pub fn find_on(&mut self, budget: u64) -> Finding {
        let Some(finder) = &mut self.finder else { return Finding::Nothing };
        let finding = match finder.step(&mut self.merged, budget, &mut self.buffer) {
            Step::More => return Finding::More,
            Step::Nothing => Finding::Nothing,
            Step::Found(stream, piece) => Finding::At(Position { stream, offset: piece.start }),
        };
        self.finder = None;
        finding
    }

    /// What was counted so far, and which hit the line at `cursor` is.
    pub fn counts(&mut self, cursor: Option<Position>) -> Counts {
        let cut = cursor.filter(|_| self.hits.is_some()).map(|cursor| self.merged.cut_at(cursor));
        let shown: Vec<Stream> = self.merged.shown().collect();
        let merged = &mut self.merged;
        let mut total = |tallies: &[Tally; 2]| {
            let mut sum = Count { number: 0, is_exact: true };
            for stream in &shown {
                if let Some(tally) = tallies.get(*stream as usize) {
                    let (number, is_exact) = tally.total(merged.file(*stream));
                    sum.number += number;
                    sum.is_exact &= is_exact;
                }
            }
            sum
        };
        let lines = total(&self.lines);
        let new = self.new.as_ref().map(&mut total);
        let hits = self.hits.as_ref().map(&mut total);
        let hit = cut.zip(self.hits.as_ref()).and_then(|(cut, tallies)| {
            let before = shown.iter().map(|stream| {
                let tally = tallies.get(*stream as usize)?;
                tally.before(self.merged.file(*stream), cut.of(*stream), &mut self.buffer)
            });
            before.sum::<Option<u64>>().map(|before| before + 1)
        });
        let dropped = shown.iter().map(|stream| {
            let trimmed = self.merged.trimmed(*stream).map_or(0, |trimmed| trimmed.dropped);
            self.merged.file(*stream).dropped().saturating_add(trimmed)
        });
        let dropped = dropped.fold(0, u64::saturating_add);
        let problem = shown.iter().find_map(|stream| self.merged.file(*stream).problem().map(str::to_owned));
        Counts { lines, new, hits, hit, dropped, problem }
    }
}

/// What a search came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// It goes on.
    More,
    /// There.
    At(Position),
    /// There are none in this direction.
    Nothing,
}

#[cfg(test)]
mod tests;
