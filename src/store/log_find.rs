//! Looking for the next line of a kind in both logs, downward or upward, in bounded steps that anyone may stop between.
//! Each log is read in chunks; neither is read further than it takes to know which of two hits comes first.

use std::collections::VecDeque;

use super::log_lines::Piece;
use super::log_merge::{Cut, Merged};
use super::log_samples::Stream;
use super::log_scan::{CHUNK, Target};

/// Hits of one chunk that are remembered.
const MOST_HITS: usize = 256;

/// Where to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To later lines.
    Down,
    /// To earlier ones.
    Up,
}

/// What a step came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The next one; the search can go on behind it.
    Found(Stream, Piece),
    /// There are no more.
    Nothing,
    /// The budget is spent.
    More,
}

/// A search that is going on.
#[derive(Debug)]
pub struct Finder {
    direction: Direction,
    target: Target,
    only: Option<Stream>,
    stdout: Scan,
    stderr: Scan,
}

/// How far one log was read.
#[derive(Debug, Default)]
struct Scan {
    at: u64,
    /// Next first.
    hits: VecDeque<Piece>,
    done: bool,
    length: u64,
    looked_at: u64,
}

impl Finder {
    /// From a place on, in all that is shown or in one stream of it.
    pub fn new(direction: Direction, target: Target, only: Option<Stream>, from: Cut) -> Self {
        let scan = |stream| Scan { at: from.of(stream), ..Scan::default() };
        Self { direction, target, only, stdout: scan(Stream::Stdout), stderr: scan(Stream::Stderr) }
    }

    /// Looks on until something is found or about so many bytes were looked at.
    pub fn step(&mut self, merged: &mut Merged, budget: u64, buffer: &mut Vec<u8>) -> Step {
        let begin = self.looked_at();
        loop {
            let next = if let Some((stream, piece)) = self.first(merged) {
                let behind = self.behind(merged, stream, piece);
                if behind.is_none() {
                    self.scan(stream).hits.pop_front();
                    return Step::Found(stream, piece);
                }
                behind
            } else {
                let only = self.only;
                let open = merged.shown().filter(|stream| only.is_none_or(|only| only == *stream));
                let open = open.filter(|stream| !self.peek(*stream).done);
                let limit = if self.direction == Direction::Down { u64::MAX } else { 0 };
                open.min_by_key(|stream| self.peek(*stream).looked_at).map(|stream| (stream, limit))
            };
            let Some((stream, limit)) = next else { return Step::Nothing };
            if self.looked_at() - begin >= budget {
                return Step::More;
            }
            self.look(merged, stream, limit, budget, buffer);
        }
    }

    fn looked_at(&self) -> u64 {
        self.stdout.looked_at + self.stderr.looked_at
    }

    fn peek(&self, stream: Stream) -> &Scan {
        if stream == Stream::Stdout { &self.stdout } else { &self.stderr }
    }

    fn scan(&mut self, stream: Stream) -> &mut Scan {
        if stream == Stream::Stdout { &mut self.stdout } else { &mut self.stderr }
    }

    /// Of the hits at hand the one that comes first.
    fn first(&self, merged: &mut Merged) -> Option<(Stream, Piece)> {
        let hits = Stream::BOTH.into_iter().filter_map(|stream| Some((stream, *self.peek(stream).hits.front()?)));
        let keyed = hits.map(|(stream, piece)| ((merged.nth(stream, piece), stream), piece));
        let first = match self.direction {
            Direction::Down => keyed.min_by_key(|(key, _)| *key),
            Direction::Up => keyed.max_by_key(|(key, _)| *key),
        };
        first.map(|((_, stream), piece)| (stream, piece))
    }

    /// The other stream, if it was not read as far as this hit yet, and how far that is.
    fn behind(&self, merged: &mut Merged, stream: Stream, piece: Piece) -> Option<(Stream, u64)> {
        let other = stream.other();
        let scan = self.peek(other);
        let is_shown = merged.streams.has(other) && self.only.is_none_or(|only| only == other);
        if !is_shown || scan.done || !scan.hits.is_empty() {
            return None;
        }
        let bound = merged.cut_before(stream, piece).of(other);
        let is_behind = match self.direction {
            Direction::Down => scan.at < bound,
            Direction::Up => scan.at > bound,
        };
        is_behind.then_some((other, bound))
    }

    /// Reads one log on.
    fn look(&mut self, merged: &mut Merged, stream: Stream, limit: u64, budget: u64, buffer: &mut Vec<u8>) {
        let (direction, target) = (self.direction, self.target.clone());
        let scan = self.scan(stream);
        let file = merged.file(stream);
        scan.length = (2 * scan.length).clamp(1, budget.min(CHUNK));
        if target.is_any() {
            let piece = match direction {
                Direction::Down => file.piece_after(scan.at).filter(|piece| piece.start < limit),
                Direction::Up => file.piece_before(scan.at).filter(|piece| piece.end > limit),
            };
            scan.done |= piece.is_none();
            scan.at = piece.map_or(limit, |piece| if direction == Direction::Down { piece.end } else { piece.start });
            scan.looked_at += 1;
            scan.hits.extend(piece);
            return;
        }
        let chunk = match direction {
            Direction::Down => file.chunk_after(scan.at, limit, scan.length, buffer),
            Direction::Up => file.chunk_before(scan.at, limit, scan.length, buffer),
        };
        let Some(chunk) = chunk else {
            scan.done = true;
            return;
        };
        let hits = &mut scan.hits;
        match direction {
            Direction::Down => {
                scan.at = chunk.end;
                file.each_hit(chunk, buffer, &target, |piece| {
                    hits.push_back(piece);
                    hits.len() < MOST_HITS
                });
                if hits.len() == MOST_HITS {
                    scan.at = hits.back().map_or(chunk.end, |last| last.end);
                }
            }
            Direction::Up => {
                scan.at = chunk.start;
                file.each_hit(chunk, buffer, &target, |piece| {
                    hits.push_front(piece);
                    hits.truncate(MOST_HITS);
                    true
                });
                if hits.len() == MOST_HITS {
                    scan.at = hits.back().map_or(chunk.start, |last| last.start);
                }
            }
        }
        scan.looked_at += if chunk.is_hole { 1 } else { buffer.len().max(1) as u64 };
    }
}
