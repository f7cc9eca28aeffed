//! How many lines a log has, or how many of them show a pattern, counted in the background a chunk at a time.
//! Keeps at most [`MOST_MARKS`] intermediate counts, so that the number of any line is a short count away.

use super::log_file::LogFile;
use super::log_scan::{CHUNK, Chunk, Target, newlines};

/// Intermediate counts that are kept.
pub const MOST_MARKS: usize = 8192;
/// Bytes between two of them at first; doubled whenever there are too many.
const SPACING: u64 = 64 * 1024;

/// A count that goes on.
#[derive(Debug)]
pub struct Tally {
    target: Target,
    counted_to: u64,
    count: u64,
    spacing: u64,
    /// An offset, and what was counted before it.
    marks: Vec<(u64, u64)>,
    /// Some of what was counted was given back to the disk since.
    has_lost: bool,
}

impl Tally {
    /// Of those lines; from `start` on, where a line begins.
    pub fn new(target: Target, start: u64) -> Self {
        Self { target, counted_to: start, count: 0, spacing: SPACING, marks: vec![(start, 0)], has_lost: false }
    }

    /// From where it counts.
    pub fn start(&self) -> u64 {
        self.marks.first().map_or(0, |(start, _)| *start)
    }

    /// The log is another one: counts it from there on.
    pub fn begin_anew(&mut self, start: u64) {
        *self = Self::new(std::mem::take(&mut self.target), start);
    }

    /// Some of what was counted is no longer there.
    pub fn lose(&mut self) {
        self.has_lost |= self.counted_to > 0;
    }

    /// Counts on; returns the bytes that were looked at, 0 when all is counted.
    pub fn work(&mut self, file: &mut LogFile, budget: u64, buffer: &mut Vec<u8>) -> u64 {
        let begin = self.counted_to;
        let settled = file.settled();
        let mut looked_at = 0;
        while looked_at < budget
            && let Some(chunk) = file.chunk_after(self.counted_to, settled, budget.min(CHUNK), buffer)
        {
            self.count += self.count_in(file, chunk, buffer);
            self.counted_to = chunk.end;
            looked_at += if chunk.is_hole { 1 } else { chunk.end - chunk.start };
            self.mark();
        }
        if self.counted_to == begin { 0 } else { looked_at }
    }

    fn count_in(&self, file: &mut LogFile, chunk: Chunk, bytes: &[u8]) -> u64 {
        if self.target.is_any() {
            return newlines(bytes);
        }
        let mut count = 0;
        file.each_hit(chunk, bytes, &self.target, |_| {
            count += 1;
            true
        });
        count
    }

    fn mark(&mut self) {
        if self.marks.last().is_some_and(|(last, _)| self.counted_to - last < self.spacing) {
            return;
        }
        self.marks.push((self.counted_to, self.count));
        if self.marks.len() > MOST_MARKS {
            self.spacing *= 2;
            let mut nth = 0;
            self.marks.retain(|_| {
                nth += 1;
                nth % 2 == 1
            });
        }
    }

    /// How many there are, and whether that is all: a line without a newline yet counts.
    pub fn total(&self, file: &mut LogFile) -> (u64, bool) {
        let settled = file.settled();
        if self.counted_to < settled {
            return (self.count, false);
        }
        let last = file.piece_after(settled);
        let last = last.is_some_and(|last| self.target.matches(&file.text(last)));
        (self.count + u64::from(last), !self.has_lost)
    }

    /// How many there are before a line; `None` where that is not counted yet, or no longer there.
    pub fn before(&self, file: &mut LogFile, start: u64, buffer: &mut Vec<u8>) -> Option<u64> {
        if start > self.counted_to || self.has_lost {
            return None;
        }
        let place = self.marks.partition_point(|(offset, _)| *offset <= start).checked_sub(1)?;
        let (mut at, mut count) = self.marks.get(place).copied()?;
        while let Some(chunk) = file.chunk_after(at, start, CHUNK, buffer) {
            count += self.count_in(file, chunk, buffer);
            at = chunk.end;
        }
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::log_pattern::Pattern;
    use std::fs;

    fn check(content: &str, pattern: Option<&str>, budget: u64, expected: u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, content).unwrap();
        let mut file = LogFile::open(path);
        let mut buffer = vec![];
        let target = Target::new([pattern.and_then(Pattern::new)]);
        let mut tally = Tally::new(target.clone(), 0);
        while tally.work(&mut file, budget, &mut buffer) > 0 {}
        assert_eq!(tally.total(&mut file), (expected, true));
        let mut before = 0;
        for (start, line) in content.match_indices('\n').map(|(at, _)| at + 1).scan(0, |last, end| {
            let start = std::mem::replace(last, end);
            Some((start, &content[start..end - 1]))
        }) {
            if start % 97 == 0 {
                assert_eq!(tally.before(&mut file, start as u64, &mut buffer), Some(before), "{start}");
            }
            before += u64::from(target.matches(line.as_bytes()));
        }
    }

    #[test]
    fn all_are_counted() {
        let lines: String = (0..40_000).map(|n| format!("line {n}\n")).collect::<Vec<_>>().concat();
        for budget in [1, 1 << 20] {
            check("", None, budget, 0);
            check("no end", None, budget, 1);
            check("a\nb", Some("b"), budget, 1);
            check(&lines, None, budget, 40_000);
            check(&lines, Some("7$"), budget, 4000);
            check(&format!("{lines}77"), Some("7$"), budget, 4001);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut tally = Tally::new(Target::default(), 0);
        for _ in 0..1_000_000 {
            tally.counted_to += 40_000;
            tally.mark();
        }
        assert!(tally.marks.len() <= MOST_MARKS && tally.marks.len() > MOST_MARKS / 4, "{}", tally.marks.len());
    }
}
