//! A log by lines, forward and backward from any byte, without an index. A step costs at most two segments of reading,
//! whatever stands in the file: a longer line falls into pieces, at places that both directions find alike.
//! A hole is one piece. Never allocates but for what is handed out.

use memchr::{memchr, memrchr};

use super::log_file::{Extent, LogFile, SEGMENT};

/// A line, a part of a long one, or a hole: from its first byte to the one behind its last, the newline included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins.
    pub start: u64,
    /// Where the next begins.
    pub end: u64,
    /// These bytes were given back to the disk.
    pub is_hole: bool,
}

/// The most bytes of a piece that is no hole.
pub const LONGEST: u64 = 2 * SEGMENT;

// Pieces begin behind a newline, at both ends of a hole, and at each multiple of the segment before which a whole segment
// has no newline. Each of these can be told from the two segments around it.
impl LogFile {
    /// The piece that holds a byte; of the last byte when there are fewer, `None` when there is none.
    pub fn piece_at(&mut self, at: u64) -> Option<Piece> {
        let last = self.size().checked_sub(1)?;
        let start = self.start_of(at.min(last));
        Some(self.piece_from(start))
    }

    /// The piece that begins there; `None` at the end.
    pub fn piece_after(&mut self, start: u64) -> Option<Piece> {
        (start < self.size()).then(|| self.piece_from(start))
    }

    /// The piece that ends there; `None` at the top.
    pub fn piece_before(&mut self, end: u64) -> Option<Piece> {
        end.min(self.size()).checked_sub(1).and_then(|last| self.piece_at(last))
    }

    /// Where the last line begins if it has no newline yet, else the end.
    pub fn settled(&mut self) -> u64 {
        match self.piece_before(u64::MAX) {
            Some(last) if !last.is_hole && !self.ends_line(last) => last.start,
            _ => self.size(),
        }
    }

    /// Whether a piece ends with a newline.
    pub fn ends_line(&mut self, piece: Piece) -> bool {
        piece.end.checked_sub(1).is_some_and(|last| self.newline_from(last, piece.end).is_some())
    }

    /// What stands in a piece, without its newline.
    pub fn text(&mut self, piece: Piece) -> Vec<u8> {
        if piece.is_hole {
            return vec![];
        }
        let mut text = Vec::with_capacity(usize::try_from(piece.end - piece.start).unwrap_or_default());
        let mut at = piece.start;
        while at < piece.end {
            let segment = self.segment(at / SEGMENT);
            let to = piece.end.min((at / SEGMENT + 1) * SEGMENT);
            text.extend_from_slice(within(&segment, at, to));
            at = to;
        }
        if text.last() == Some(&b'\n') {
            text.pop();
        }
        text
    }

    fn piece_from(&mut self, start: u64) -> Piece {
        let (end, is_hole) = match self.extent(start) {
            Extent::Hole(_, end) => (end, true),
            Extent::Data(_, limit) => (self.end_of(start, limit), false),
        };
        Piece { start, end, is_hole }
    }

    fn start_of(&mut self, at: u64) -> u64 {
        let from = match self.extent(at) {
            Extent::Hole(from, _) => return from,
            Extent::Data(from, _) => from,
        };
        let own = at / SEGMENT * SEGMENT;
        if let Some(newline) = self.newline_before(own.max(from), at) {
            return newline + 1;
        }
        if own <= from {
            return from;
        }
        let before = own - SEGMENT;
        match self.newline_before(before.max(from), own) {
            Some(newline) => newline + 1,
            None if before >= from => own,
            None => from,
        }
    }

    fn end_of(&mut self, start: u64, limit: u64) -> u64 {
        let mut from = start;
        loop {
            let border = (from / SEGMENT + 1) * SEGMENT;
            if let Some(newline) = self.newline_from(from, border.min(limit)) {
                return newline + 1;
            }
            if border >= limit {
                return limit;
            }
            if from.is_multiple_of(SEGMENT) {
                return border;
            }
            from = border;
        }
    }

    /// The first newline of a stretch within one segment.
    fn newline_from(&mut self, from: u64, to: u64) -> Option<u64> {
        let segment = self.segment(from / SEGMENT);
        memchr(b'\n', within(&segment, from, to)).map(|place| from + place as u64)
    }

    /// The last newline of a stretch within one segment.
    fn newline_before(&mut self, from: u64, to: u64) -> Option<u64> {
        let segment = self.segment(from / SEGMENT);
        memrchr(b'\n', within(&segment, from, to)).map(|place| from + place as u64)
    }
}

/// The bytes of a stretch that lies within one segment.
fn within(segment: &[u8], from: u64, to: u64) -> &[u8] {
    let base = from / SEGMENT * SEGMENT;
    let place = |at: u64| usize::try_from(at.saturating_sub(base)).unwrap_or(usize::MAX).min(segment.len());
    segment.get(place(from)..place(to)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    /// All pieces, read downward; upward they must be the same, and from any of their bytes.
    fn pieces(content: &[u8]) -> Vec<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, content).unwrap();
        let mut file = LogFile::open(path);
        let mut down = vec![];
        let mut at = 0;
        while let Some(piece) = file.piece_after(at) {
            assert!(piece.end > piece.start && piece.end - piece.start <= LONGEST, "{piece:?}");
            for at in [piece.start, u64::midpoint(piece.start, piece.end), piece.end - 1] {
                assert_eq!(file.piece_at(at), Some(piece));
            }
            down.push(piece);
            at = piece.end;
        }
        assert_eq!(at, content.len() as u64);
        let mut up = vec![];
        while let Some(piece) = file.piece_before(at) {
            up.push(piece);
            at = piece.start;
        }
        up.reverse();
        assert_eq!(down, up);
        down.into_iter().map(|piece| file.text(piece)).collect()
    }

    #[test]
    fn lines_are_what_stands_between_newlines() {
        let check = |content: &str, expected: &[&str]| {
            let found = pieces(content.as_bytes());
            let found: Vec<_> = found.iter().map(|line| String::from_utf8_lossy(line)).collect();
            assert_eq!(found, expected, "{content:?}");
        };
        check("", &[]);
        check("\n", &[""]);
        check("one\ntwo\n", &["one", "two"]);
        check("one\n\nno end", &["one", "", "no end"]);
        check("a\0b\r\n", &["a\0b\r"]);
    }

    #[test]
    fn a_long_line_falls_into_pieces_and_nothing_is_lost() {
        let check = |before: usize, length: usize| {
            let mut content = b"x".repeat(before);
            content.push(b'\n');
            content.extend(b"y".repeat(length));
            content.extend(b"\nlast\n");
            let found = pieces(&content);
            assert_eq!(found.last().unwrap(), b"last");
            let lengths: usize = found.iter().map(Vec::len).sum();
            assert_eq!(lengths, before + length + 4);
        };
        for before in [0, 5, 32_766, 32_767, 32_768, 40_000] {
            for length in [0, 32_767, 32_768, 65_535, 65_536, 65_537, 200_000] {
                check(before, length);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn any_lines_read_alike_in_both_directions(lengths in prop::collection::vec(prop_oneof![0..100_usize, 30_000..140_000_usize], 0..12), ends in any::<bool>()) {
            let mut content: Vec<u8> = lengths.iter().flat_map(|length| [vec![b'a'; *length], vec![b'\n']].concat()).collect();
            if !ends {
                content.pop();
            }
            let joined = pieces(&content).concat();
            let expected: Vec<u8> = content.iter().copied().filter(|byte| *byte != b'\n').collect();
            prop_assert_eq!(joined, expected);
        }
    }
}
