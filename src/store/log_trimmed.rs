//! A log that was past its cap and is now head, marker, tail: which of its bytes stood where when they were written.
//! Found by its marker, which stands a quarter in; costs one read of a segment. Never needs the cap to be known.

use memchr::memmem;

use super::log_file::LogFile;

/// The marker's beginning and its end, between which the bytes are told.
const MARKER: (&str, &str) = ("[road_runner: ", " bytes dropped here]\n");
/// How far from a quarter of its size the marker may stand: cuts fall between lines.
const AROUND: u64 = 16 * 1024;

/// Where the cut is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trimmed {
    /// Bytes before the marker.
    pub head: u64,
    /// Where the tail begins.
    pub tail: u64,
    /// Bytes that stood between them.
    pub dropped: u64,
}

impl Trimmed {
    /// Looks for the marker; `None` for a log that is whole.
    pub fn find(file: &LogFile) -> Option<Self> {
        let from = (file.size() / 4).saturating_sub(AROUND);
        let length = (file.size() - from).min(2 * AROUND);
        let mut bytes = vec![0; usize::try_from(length).ok()?];
        file.read(from, &mut bytes);
        memmem::find_iter(&bytes, MARKER.0).find_map(|place| {
            let starts_line = match place.checked_sub(1) {
                Some(before) => bytes.get(before) == Some(&b'\n'),
                None => from == 0,
            };
            let number = bytes.get(place + MARKER.0.len()..).filter(|_| starts_line)?;
            let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let dropped = str::from_utf8(number.get(..digits)?).ok()?.parse().ok()?;
            let ends = number.get(digits..)?.starts_with(MARKER.1.as_bytes());
            let tail = from + (place + MARKER.0.len() + digits + MARKER.1.len()) as u64;
            ends.then_some(Self { head: from + place as u64, tail, dropped })
        })
    }

    /// How many bytes had been written before a place in the file.
    pub fn written(&self, place: u64) -> u64 {
        if place < self.tail {
            place.min(self.head)
        } else {
            (place - self.tail).saturating_add(self.head).saturating_add(self.dropped)
        }
    }

    /// Where a byte stands now that was written behind so many others; the marker for what was dropped.
    pub fn place(&self, written: u64) -> u64 {
        match written.checked_sub(self.head) {
            None => written,
            Some(behind) => {
                behind.checked_sub(self.dropped).map_or(self.head, |behind| self.tail.saturating_add(behind))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(content: &str) -> Option<Trimmed> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, content).unwrap();
        Trimmed::find(&LogFile::open(path))
    }

    #[test]
    fn the_marker_tells() {
        let line = "a line of 20 bytes.\n";
        let check = |before: usize, marker: &str, after: usize, expected: bool| {
            let content = [&line.repeat(before), marker, &line.repeat(after)].concat();
            let head = 20 * before as u64;
            let trimmed = Trimmed { head, tail: head + marker.len() as u64, dropped: 1234 };
            assert_eq!(found(&content), expected.then_some(trimmed), "{before} {marker} {after}");
        };
        let marker = "[road_runner: 1234 bytes dropped here]\n";
        check(100, marker, 300, true);
        check(10_000, marker, 29_900, true);
        check(0, marker, 0, true);
        check(10_000, marker, 10_000, false);
        check(100, "", 300, false);
        check(100, "[road_runner: x bytes dropped here]\n", 300, false);
        check(100, "not at the beginning [road_runner: 1234 bytes dropped here]\n", 300, false);
    }

    #[test]
    fn places_and_bytes_written_are_told_from_each_other() {
        let trimmed = Trimmed { head: 100, tail: 140, dropped: 1000 };
        let check = |place: u64, written: u64| {
            assert_eq!((trimmed.written(place), trimmed.place(written)), (written, place));
        };
        check(0, 0);
        check(99, 99);
        check(100, 100);
        check(140, 1100);
        check(150, 1110);
        assert_eq!((trimmed.written(120), trimmed.place(1050)), (100, 100));
    }
}
