//! The lines around a place that pass a filter: looked for in both directions in bounded steps, and kept while the log
//! grows, so that only what is new is looked at. Keeps as many as are asked for and no more.

use std::collections::VecDeque;

use super::log_find::{Direction, Finder, Step};
use super::log_lines::Piece;
use super::log_merge::{Cut, Merged};
use super::log_samples::Stream;
use super::log_scan::Target;

/// Around what lines are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Around {
    Place,
    End,
    /// The end, and lines above were let go, since there were as many below them as were asked for.
    EndAlone,
}

/// Lines found around a place.
#[derive(Debug)]
pub struct Walk {
    target: Target,
    /// The place; the end of what is settled when the end is followed.
    origin: Cut,
    /// Lines above the place, the nearest last.
    above: VecDeque<(Stream, Piece)>,
    /// Lines below, the nearest first.
    below: VecDeque<(Stream, Piece)>,
    up: Finder,
    down: Finder,
    is_top: bool,
    is_end: bool,
    /// What was settled when the search downward began.
    settled: Cut,
    around: Around,
}

impl Walk {
    /// Around a place, or around the end.
    pub fn new(merged: &mut Merged, target: Target, place: Option<Cut>) -> Self {
        let settled = merged.settled();
        let origin = place.unwrap_or(settled);
        let finder = |direction| Finder::new(direction, target.clone(), None, origin);
        Self {
            up: finder(Direction::Up),
            down: finder(Direction::Down),
            target,
            origin,
            above: VecDeque::new(),
            below: VecDeque::new(),
            is_top: false,
            is_end: false,
            settled,
            around: if place.is_none() { Around::End } else { Around::Place },
        }
    }

    fn follows(&self) -> bool {
        self.around != Around::Place
    }

    /// Looks for so many lines above and below; of the end, for all below. About so many bytes are looked at in each
    /// direction. `true` while there is more to look at.
    pub fn work(
        &mut self,
        merged: &mut Merged,
        (above, below): (usize, usize),
        budget: u64,
        buffer: &mut Vec<u8>,
    ) -> bool {
        // Downward first: what is new is what a follower waits for.
        while !self.is_end && (self.follows() || self.below.len() < below) {
            match self.down.step(merged, budget, buffer) {
                Step::Found(stream, piece) => self.below.push_back((stream, piece)),
                Step::Nothing => self.is_end = true,
                Step::More => return true,
            }
            if self.follows() && self.below.len() > above.max(1) {
                self.below.pop_front();
                self.above.clear();
                self.around = Around::EndAlone;
            }
        }
        if self.around == Around::EndAlone && self.below.len() < above {
            // More are asked for than before, or some have turned out to stand elsewhere.
            *self = Self::new(merged, self.target.clone(), None);
            return self.work(merged, (above, below), budget, buffer);
        }
        // What is above lines that were let go is never shown.
        let wanted = if self.follows() { above.saturating_sub(self.below.len()) } else { above };
        while !self.is_top && self.above.len() < wanted {
            match self.up.step(merged, budget, buffer) {
                Step::Found(stream, piece) => self.above.push_front((stream, piece)),
                Step::Nothing => self.is_top = true,
                Step::More => return true,
            }
        }
        false
    }

    /// The logs have grown, or more is known of their order. `false` when the walk must begin anew.
    pub fn grow(&mut self, merged: &mut Merged) -> bool {
        let within = |stream: Stream, offset: u64, cut: &Cut| offset <= cut.of(stream);
        if !merged.shown().all(|stream| within(stream, self.origin.of(stream), &self.settled)) {
            return false;
        }
        let settled = self.settled;
        self.below.retain(|(stream, piece)| within(*stream, piece.end, &settled));
        let from = match self.below.back() {
            _ if self.is_end => settled,
            None => self.origin,
            Some((stream, piece)) => {
                let cut = merged.cut_before(*stream, *piece);
                merged.next(cut).map_or(cut, |(_, _, after)| after)
            }
        };
        self.down = Finder::new(Direction::Down, self.target.clone(), None, from);
        self.is_end = false;
        self.settled = merged.settled();
        true
    }

    /// All lines, from above to below, and how many of them are above the place.
    pub fn lines(&self) -> (impl Iterator<Item = (Stream, Piece)>, usize) {
        let place = self.above.len() + if self.follows() { self.below.len() } else { 0 };
        (self.above.iter().chain(&self.below).copied(), place)
    }

    /// There is nothing above the first line, and nothing below the last.
    pub fn ends(&self) -> (bool, bool) {
        (self.is_top && self.around != Around::EndAlone, self.is_end)
    }
}
