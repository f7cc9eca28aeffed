//! `logs.idx` as one execution needs it: when a byte was written, and what had been written to the other stream by then.
//! Read once, in bounded pieces; keeps at most [`MOST`] samples and where they stand, and reads those between two of them
//! again when they are asked for. Exact however long the execution, at flat memory.

use std::fs::File;
use std::path::PathBuf;

use memchr::memrchr;

use super::log_file::{identity, open_regular, read_fully};

/// Samples that are kept.
pub const MOST: usize = 8192;
/// Bytes that are read at a time.
const PIECE: usize = 64 * 1024;
/// The most bytes between two kept samples that are read again; beyond that the kept ones must do.
const FINE: u64 = 1 << 20;
/// Stretches read again that are remembered.
const REMEMBERED: usize = 4;

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Stdout, Self::Stderr];

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Stdout => Self::Stderr,
            Self::Stderr => Self::Stdout,
        }
    }
}

/// One look at both sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sample {
    /// Its number among those of the execution.
    pub nth: u64,
    /// Milliseconds since the epoch.
    pub unix_ms: i64,
    /// Bytes written to standard output and to standard error.
    pub written: [u64; 2],
    /// Where its line begins in the file.
    at: u64,
}

/// The time between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The look at its end; `None` behind the last.
    pub end: Option<Sample>,
    /// Bytes written before it began.
    pub before: [u64; 2],
}

impl Slot {
    /// Its place among the slots.
    pub fn nth(&self) -> u64 {
        self.end.map_or(u64::MAX, |sample| sample.nth)
    }

    /// Bytes written to a stream when it ended.
    pub fn after(&self, stream: Stream) -> u64 {
        self.end.map_or(u64::MAX, |sample| of(sample.written, stream))
    }
}

/// That stream's of two.
pub fn of(two: [u64; 2], stream: Stream) -> u64 {
    let [stdout, stderr] = two;
    match stream {
        Stream::Stdout => stdout,
        Stream::Stderr => stderr,
    }
}

/// The samples of one execution.
#[derive(Debug)]
pub struct Samples {
    path: PathBuf,
    execution: u32,
    file: Option<(File, (u64, u64))>,
    /// Its length at the last look.
    length: u64,
    /// Up to where it is worth reading: not into a line that is not complete.
    size: u64,
    read_to: u64,
    /// Every so-many-th is kept.
    stride: u64,
    kept: Vec<Sample>,
    last: Option<Sample>,
    fine: Vec<(u64, Vec<Sample>)>,
}

impl Samples {
    /// Of an execution in the index at `path`, which need not be there. Nothing is read yet.
    pub fn new(path: PathBuf, execution: u32) -> Self {
        let (kept, fine) = (vec![], vec![]);
        Self { path, execution, file: None, length: 0, size: 0, read_to: 0, stride: 1, kept, last: None, fine }
    }

    /// Looks whether there is more to read.
    pub fn poll(&mut self) {
        let Ok(metadata) = std::fs::symlink_metadata(&self.path) else { return };
        let known = self.file.as_ref().is_some_and(|(_, id)| *id == identity(&metadata));
        if !known || metadata.len() < self.read_to {
            let path = std::mem::take(&mut self.path);
            *self = Self::new(path, self.execution);
            self.file = open_regular(&self.path).ok().map(|(file, metadata)| (file, identity(&metadata)));
        }
        if self.file.is_some() && self.length != metadata.len() {
            (self.length, self.size) = (metadata.len(), metadata.len());
        }
    }

    /// The last one.
    pub fn last(&self) -> Option<Sample> {
        self.last
    }

    /// Nothing is left to read, as of the last look.
    pub fn is_complete(&self) -> bool {
        self.read_to >= self.size
    }

    /// Reads on; returns the bytes that were looked at, 0 when there are no more.
    pub fn work(&mut self, budget: u64) -> u64 {
        let begin = self.read_to;
        while self.read_to < self.size && self.read_to - begin < budget {
            let Some((bytes, whole)) = self.piece(self.read_to, self.size) else {
                // A line that is not complete yet; the next look goes on.
                self.size = self.read_to;
                break;
            };
            let mut written = self.last.map(|last| last.written);
            let mut nth = self.last.map_or(0, |last| last.nth + 1);
            each(&bytes, self.read_to, self.execution, &mut nth, &mut written, &mut |sample| {
                if sample.nth.is_multiple_of(self.stride) {
                    self.kept.push(sample);
                }
                self.last = Some(sample);
            });
            self.read_to += whole;
            while self.kept.len() > MOST {
                self.stride *= 2;
                self.kept.retain(|sample| sample.nth.is_multiple_of(self.stride));
                self.fine.clear();
            }
        }
        self.read_to - begin
    }

    /// Whole lines from there on, and how many bytes are done with.
    fn piece(&self, from: u64, to: u64) -> Option<(Vec<u8>, u64)> {
        let (file, _) = self.file.as_ref()?;
        let length = usize::try_from(to.saturating_sub(from)).unwrap_or(PIECE).min(PIECE);
        let mut bytes = vec![0; length];
        let read = read_fully(file, from, &mut bytes);
        bytes.truncate(read);
        match memrchr(b'\n', &bytes) {
            Some(newline) => bytes.truncate(newline + 1),
            // No line of ours is that long.
            None if read == PIECE => bytes.fill(b' '),
            None => return None,
        }
        let whole = bytes.len() as u64;
        Some((bytes, whole))
    }

    /// The slot in which a stream came to be `end` bytes long. Never goes back as `end` grows.
    pub fn slot(&mut self, stream: Stream, end: u64) -> Slot {
        let Some(last) = self.last else { return Slot { end: None, before: [0; 2] } };
        if of(last.written, stream) < end {
            return Slot { end: None, before: last.written };
        }
        let place = self.kept.partition_point(|sample| of(sample.written, stream) < end);
        let next = self.kept.get(place).copied().unwrap_or(last);
        let Some(previous) = place.checked_sub(1).and_then(|place| self.kept.get(place)).copied() else {
            return Slot { end: Some(next), before: [0; 2] };
        };
        let coarse = Slot { end: Some(next), before: previous.written };
        if next.nth == previous.nth + 1 || next.at - previous.at > FINE {
            return coarse;
        }
        let between = self.between(previous, next);
        let place = between.partition_point(|sample| of(sample.written, stream) < end);
        match (between.get(place), place.checked_sub(1).and_then(|place| between.get(place))) {
            (Some(found), before) => {
                Slot { end: Some(*found), before: before.map_or(previous.written, |before| before.written) }
            }
            (None, Some(before)) => Slot { end: Some(next), before: before.written },
            (None, None) => coarse,
        }
    }

    /// The samples behind one and before another, read again.
    fn between(&mut self, previous: Sample, next: Sample) -> &[Sample] {
        // Beside the last, whose neighbour changes, the number says it all.
        let key = previous.nth;
        let known = self
            .fine
            .iter()
            .position(|(nth, samples)| *nth == key && samples.last().is_none_or(|sample| sample.nth + 1 == next.nth));
        let found = match known {
            Some(place) => self.fine.remove(place),
            None => (key, self.read_between(previous, next)),
        };
        self.fine.retain(|(nth, _)| *nth != key);
        if self.fine.len() >= REMEMBERED {
            self.fine.remove(0);
        }
        self.fine.push(found);
        self.fine.last().map_or(&[], |(_, samples)| samples)
    }

    fn read_between(&self, previous: Sample, next: Sample) -> Vec<Sample> {
        let mut samples = vec![];
        let mut from = previous.at;
        let (mut nth, mut written) = (previous.nth, Some(previous.written));
        while from < next.at
            && let Some((bytes, whole)) = self.piece(from, next.at)
        {
            each(&bytes, from, self.execution, &mut nth, &mut written, &mut |sample| samples.push(sample));
            from += whole;
        }
        samples.retain(|sample| sample.nth > previous.nth);
        samples
    }
}

/// Hands over each sample of an execution; lines that are none are passed over, sizes never shrink.
fn each(
    bytes: &[u8],
    base: u64,
    execution: u32,
    nth: &mut u64,
    written: &mut Option<[u64; 2]>,
    hand_over: &mut dyn FnMut(Sample),
) {
    let mut at = base;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if let Some((unix_ms, sizes)) = parse(line, execution) {
            let known = written.unwrap_or_default();
            let sizes = [sizes[0].max(known[0]), sizes[1].max(known[1])];
            *written = Some(sizes);
            hand_over(Sample { nth: *nth, unix_ms, written: sizes, at });
            *nth += 1;
        }
        at += line.len() as u64;
    }
}

/// Reads `<execution> <unix ms> <stdout bytes> <stderr bytes>`; `None` for another execution's.
fn parse(line: &[u8], execution: u32) -> Option<(i64, [u64; 2])> {
    let mut fields = line.strip_suffix(b"\n")?.split(|byte| *byte == b' ').map(|field| {
        let digit = |number: u64, byte: &u8| {
            let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
            number.checked_mul(10)?.checked_add(digit)
        };
        if field.is_empty() { None } else { field.iter().try_fold(0, digit) }
    });
    if fields.next()?? != u64::from(execution) {
        return None;
    }
    let unix_ms = i64::try_from(fields.next()??).ok()?;
    let sizes = [fields.next()??, fields.next()??];
    fields.next().is_none().then_some((unix_ms, sizes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn samples(text: &str) -> (tempfile::TempDir, Samples) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs.idx");
        fs::write(&path, text).unwrap();
        let mut samples = Samples::new(path, 1);
        samples.poll();
        while samples.work(1) > 0 {}
        assert!(samples.is_complete());
        (folder, samples)
    }

    #[test]
    fn a_byte_has_its_time() {
        let text = "0 5 9 9\n1 100 10 0\n1 150 10 4\nnonsense\n0 160 99 99\n1 200 30 4\n1 250 30 9\n1 300 40";
        let (_folder, mut samples) = samples(text);
        let mut check = |stream: Stream, end: u64, expected: Option<i64>, before: [u64; 2]| {
            let slot = samples.slot(stream, end);
            assert_eq!((slot.end.map(|sample| sample.unix_ms), slot.before), (expected, before), "{stream:?} {end}");
        };
        check(Stream::Stdout, 1, Some(100), [0, 0]);
        check(Stream::Stdout, 10, Some(100), [0, 0]);
        check(Stream::Stdout, 11, Some(200), [10, 4]);
        check(Stream::Stderr, 1, Some(150), [10, 0]);
        check(Stream::Stderr, 5, Some(250), [30, 4]);
        check(Stream::Stdout, 31, None, [30, 9]);
    }

    #[test]
    fn many_samples_are_as_exact_as_few() {
        let count = 60_000_u64;
        let text: Vec<String> =
            (1..=count).map(|n| format!("1 {} {} {}\n2 0 0 0\n", 1000 + n, n * 10, n / 3)).collect();
        let (_folder, mut samples) = samples(&text.concat());
        assert!(samples.kept.len() <= MOST);
        for n in (1..=count).step_by(77).chain(count - 20..=count) {
            let slot = samples.slot(Stream::Stdout, n * 10 - 3);
            let found = slot.end.map(|sample| (sample.nth, sample.unix_ms, sample.written));
            assert_eq!(found, Some((n - 1, i64::try_from(1000 + n).unwrap(), [n * 10, n / 3])));
            assert_eq!(slot.before, [(n - 1) * 10, (n - 1) / 3]);
        }
    }

    #[test]
    fn what_is_appended_is_read_and_a_new_file_anew() {
        let (folder, mut samples) = samples("1 100 10 0\n1 2");
        let path = folder.path().join("logs.idx");
        fs::write(&path, "1 100 10 0\n1 200 20 0\n").unwrap();
        samples.poll();
        while samples.work(1000) > 0 {}
        assert_eq!(samples.last().map(|last| last.unix_ms), Some(200));
        fs::write(&path, "1 7 1 0\n").unwrap();
        samples.poll();
        while samples.work(1000) > 0 {}
        assert_eq!(samples.last().map(|last| (last.nth, last.unix_ms)), Some((0, 7)));
    }
}
