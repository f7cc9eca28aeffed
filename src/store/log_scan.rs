//! A log read in chunks of whole pieces, forward or backward, for whoever looks at more than is shown.
//! Holes are stepped over. One buffer, lent by the caller and never longer than [`CHUNK`].

use memchr::{memchr, memrchr};

use super::log_file::{Extent, LogFile, SEGMENT, SEGMENT_LEN};
use super::log_lines::{LONGEST, Piece};
use super::log_pattern::Pattern;

/// The most bytes of a chunk.
pub const CHUNK: u64 = 512 * 1024;

/// What to look for in a log: lines that show every one of these patterns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target(Vec<Pattern>);

impl Target {
    /// Those of these patterns that there are.
    pub fn new(patterns: impl IntoIterator<Item = Option<Pattern>>) -> Self {
        Self(patterns.into_iter().flatten().collect())
    }

    /// Any line will do.
    pub fn is_any(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a line without its newline is one.
    pub fn matches(&self, line: &[u8]) -> bool {
        self.0.iter().all(|pattern| pattern.matches(line))
    }
}

/// A stretch of whole pieces that was read, or a hole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Its first byte.
    pub start: u64,
    /// The byte behind its last.
    pub end: u64,
    /// Nothing was read.
    pub is_hole: bool,
}

impl LogFile {
    /// The chunk that begins at `start`, where a piece does; about `length` bytes long, never beyond `limit`.
    pub fn chunk_after(&mut self, start: u64, limit: u64, length: u64, buffer: &mut Vec<u8>) -> Option<Chunk> {
        let limit = limit.min(self.size());
        if start >= limit {
            return None;
        }
        let to = match self.extent(start) {
            Extent::Hole(_, end) => {
                buffer.clear();
                return Some(Chunk { start, end, is_hole: true });
            }
            Extent::Data(_, end) => end.min(limit),
        };
        let length = length.clamp(2 * LONGEST, CHUNK);
        self.fill(start, to.min(start + length), buffer);
        let read = start + buffer.len() as u64;
        let end = if read == to {
            to
        } else if let Some(newline) = memrchr(b'\n', buffer) {
            start + newline as u64 + 1
        } else {
            // All of it is one line, which is cut at every segment.
            read / SEGMENT * SEGMENT
        };
        buffer.truncate(usize::try_from(end - start).unwrap_or_default());
        Some(Chunk { start, end, is_hole: false })
    }

    /// The chunk that ends at `end`, where a piece does; about `length` bytes long, never before `limit`.
    pub fn chunk_before(&mut self, end: u64, limit: u64, length: u64, buffer: &mut Vec<u8>) -> Option<Chunk> {
        let end = end.min(self.size());
        let last = end.checked_sub(1).filter(|_| end > limit)?;
        let from = match self.extent(last) {
            Extent::Hole(start, _) => {
                buffer.clear();
                return Some(Chunk { start, end, is_hole: true });
            }
            Extent::Data(start, _) => start.max(limit),
        };
        let length = length.clamp(2 * LONGEST, CHUNK);
        let mut start = end.saturating_sub(length).max(from);
        if start > from
            && let Some(piece) = self.piece_at(start)
            && piece.start < start
        {
            start = piece.end;
        }
        self.fill(start, end, buffer);
        Some(Chunk { start, end, is_hole: false })
    }

    /// Calls `each` with every piece of a chunk that is looked for, until it says `false`. Holes show nothing.
    pub fn each_hit(&mut self, chunk: Chunk, bytes: &[u8], target: &Target, mut each: impl FnMut(Piece) -> bool) {
        let Some((first, others)) = target.0.split_first() else { return };
        let mut goes_on = !chunk.is_hole;
        let mut from = 0;
        while goes_on && from < bytes.len() {
            // A long line falls into pieces, each of which is looked at by itself.
            let (long, after) = long_line(bytes, from).unwrap_or((bytes.len(), bytes.len()));
            let short = bytes.get(from..long).unwrap_or_default();
            first.each_line(short, |start, end| {
                let line = short.get(start..end).unwrap_or_default();
                let line = line.strip_suffix(b"\n").unwrap_or(line);
                let place = |at: usize| chunk.start + (from + at) as u64;
                let piece = Piece { start: place(start), end: place(end), is_hole: false };
                goes_on = !others.iter().all(|other| other.matches(line)) || each(piece);
                goes_on
            });
            let mut at = chunk.start + long as u64;
            while goes_on
                && at < chunk.start + after as u64
                && let Some(piece) = self.piece_after(at)
            {
                let text = self.text(piece);
                goes_on = !target.matches(&text) || each(piece);
                at = piece.end;
            }
            from = after;
        }
    }

    /// What the buffer held before is written over, not cleared first: that would cost as much as the reading.
    fn fill(&self, from: u64, to: u64, buffer: &mut Vec<u8>) {
        buffer.resize(usize::try_from(to.saturating_sub(from)).unwrap_or_default(), 0);
        self.read(from, buffer);
    }
}

/// The first line that is longer than a segment. Looks at each line's end only where none comes soon.
fn long_line(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let rest = bytes.get(at..)?;
        let Some(newline) = memchr(b'\n', rest) else {
            let start = memrchr(b'\n', bytes.get(from..at)?).map_or(from, |place| from + place + 1);
            return (bytes.len() - start > SEGMENT_LEN).then_some((start, bytes.len()));
        };
        if newline > SEGMENT_LEN / 2 {
            let start = memrchr(b'\n', bytes.get(from..at)?).map_or(from, |place| from + place + 1);
            let end = at + newline + 1;
            if end - start > SEGMENT_LEN {
                return Some((start, end));
            }
            at = end;
        } else {
            at += (newline + 1).max(SEGMENT_LEN / 2);
        }
    }
}

/// How many newlines there are.
pub fn newlines(bytes: &[u8]) -> u64 {
    // One look tells for the many chunks of a long line.
    memchr(b'\n', bytes)
        .map_or(0, |first| memchr::memchr_iter(b'\n', bytes.get(first..).unwrap_or_default()).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Chunks read in both directions are whole pieces and cover everything.
    fn check(content: &[u8], length: u64) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, content).unwrap();
        let mut file = LogFile::open(path);
        let size = file.size();
        let mut buffer = vec![];
        let mut at = 0;
        while let Some(chunk) = file.chunk_after(at, u64::MAX, length, &mut buffer) {
            assert_eq!(buffer, content[usize::try_from(at).unwrap()..usize::try_from(chunk.end).unwrap()]);
            assert!(chunk.end > at);
            at = chunk.end;
            assert!(at == size || file.piece_at(at).unwrap().start == at);
        }
        assert_eq!(at, size);
        while let Some(chunk) = file.chunk_before(at, 0, length, &mut buffer) {
            assert_eq!(buffer, content[usize::try_from(chunk.start).unwrap()..usize::try_from(at).unwrap()]);
            assert!(chunk.start < at);
            at = chunk.start;
            assert_eq!(file.piece_at(at).unwrap().start, at);
        }
        assert_eq!(at, 0);
    }

    #[test]
    fn long_lines_are_seen() {
        let check = |lengths: &[usize], expected: Option<(usize, usize)>| {
            let content = lengths.iter().map(|length| "a".repeat(*length)).collect::<Vec<_>>().join("\n");
            assert_eq!(long_line(content.as_bytes(), 0), expected, "{lengths:?}");
        };
        check(&[], None);
        check(&[SEGMENT_LEN - 1, SEGMENT_LEN], None);
        check(&[3, SEGMENT_LEN, 4], Some((4, SEGMENT_LEN + 5)));
        check(&[100, 10_000, 70_000], Some((10_102, 80_102)));
        check(&[20_000, 20_000, 20_000, 20_000, 32_769], Some((80_004, 112_773)));
        check(&[SEGMENT_LEN + 1], Some((0, SEGMENT_LEN + 1)));
    }

    #[test]
    fn newlines_are_counted() {
        let check = |text: &str, expected: u64| assert_eq!(newlines(text.as_bytes()), expected);
        check("", 0);
        check("a", 0);
        check("a\n\nb\n", 3);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]
        #[test]
        fn chunks_are_whole_pieces(lengths in prop::collection::vec(prop_oneof![0..200_usize, 30_000..400_000_usize], 0..8), length in 0..400_000_u64) {
            let content: Vec<u8> = lengths.iter().flat_map(|length| [vec![b'a'; *length], vec![b'\n']].concat()).collect();
            check(&content, length);
        }
    }
}
