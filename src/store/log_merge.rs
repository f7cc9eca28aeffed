//! Both logs of an execution as one sequence of lines, in the order of `logs.idx`: within the time between two looks,
//! standard output comes first. A step in either direction costs a line of each stream, however long they are.
//! Without `logs.idx`, standard error follows standard output.

use super::log_file::{Change, LogFile};
use super::log_lines::Piece;
use super::log_reader::{LogFiles, Streams};
use super::log_samples::{Samples, Slot, Stream, of};
use super::log_trimmed::Trimmed;

/// Where a line begins. Holds as long as the log is only appended to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Position {
    /// In which log.
    pub stream: Stream,
    /// Its first byte.
    pub offset: u64,
}

/// A place between two lines of the sequence: where the next of each stream begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cut {
    /// In standard output and in standard error.
    pub at: [u64; 2],
}

impl Cut {
    /// The place in one stream.
    pub fn of(&self, stream: Stream) -> u64 {
        of(self.at, stream)
    }

    fn with(mut self, stream: Stream, offset: u64) -> Self {
        let [stdout, stderr] = &mut self.at;
        *(if stream == Stream::Stdout { stdout } else { stderr }) = offset;
        self
    }
}

/// The sequence.
#[derive(Debug)]
pub struct Merged {
    stdout: LogFile,
    stderr: LogFile,
    trimmed: [Option<Trimmed>; 2],
    /// When what was written.
    pub samples: Samples,
    /// Which of them is shown.
    pub streams: Streams,
}

/// What a look found in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changes {
    /// In standard output and in standard error.
    pub of: [Change; 2],
}

impl Merged {
    /// Opens both, as they are now.
    pub fn open(files: LogFiles, streams: Streams) -> Self {
        let (stdout, stderr) = (LogFile::open(files.stdout), LogFile::open(files.stderr));
        let trimmed = [Trimmed::find(&stdout), Trimmed::find(&stderr)];
        let mut samples = Samples::new(files.index, files.execution);
        samples.poll();
        Self { stdout, stderr, trimmed, samples, streams }
    }

    /// Looks at both anew.
    pub fn poll(&mut self) -> Changes {
        let of = [self.stdout.poll(), self.stderr.poll()];
        for (stream, change) in Stream::BOTH.into_iter().zip(of) {
            if change == Change::Replaced {
                let found = Trimmed::find(self.file(stream));
                let [stdout, stderr] = &mut self.trimmed;
                *(if stream == Stream::Stdout { stdout } else { stderr }) = found;
            }
        }
        self.samples.poll();
        Changes { of }
    }

    /// One stream's log.
    pub fn file(&mut self, stream: Stream) -> &mut LogFile {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    /// The streams that are shown.
    pub fn shown(&self) -> impl Iterator<Item = Stream> + use<> {
        let streams = self.streams;
        Stream::BOTH.into_iter().filter(move |stream| streams.has(*stream))
    }

    /// How a log was trimmed. Lines of a diagnostic that look like a marker are found out by `logs.idx`.
    pub fn trimmed(&self, stream: Stream) -> Option<Trimmed> {
        let [stdout, stderr] = self.trimmed;
        let (trimmed, size) = match stream {
            Stream::Stdout => (stdout, self.stdout.size()),
            Stream::Stderr => (stderr, self.stderr.size()),
        };
        let last = self.samples.last().filter(|_| self.samples.is_complete());
        trimmed.filter(|_| last.is_none_or(|last| of(last.written, stream) > size))
    }

    /// When a line was written, milliseconds since the epoch: at the look at or after its end.
    pub fn unix_ms(&mut self, stream: Stream, piece: Piece) -> Option<i64> {
        let end = self.trimmed(stream).map_or(piece.end, |trimmed| trimmed.written(piece.end));
        self.samples.slot(stream, end).end.map(|sample| sample.unix_ms)
    }

    /// The slot in which a line was written; behind the last for a line that goes on.
    fn slot(&mut self, stream: Stream, piece: Piece) -> Slot {
        let file = self.file(stream);
        let goes_on = piece.end >= file.size() && !piece.is_hole && !file.ends_line(piece);
        let end = self.trimmed(stream).map_or(piece.end, |trimmed| trimmed.written(piece.end));
        self.samples.slot(stream, if goes_on { u64::MAX } else { end })
    }

    /// The number of a line's slot, where the order depends on it.
    pub fn nth(&mut self, stream: Stream, piece: Piece) -> u64 {
        if self.streams == Streams::Both { self.slot(stream, piece).nth() } else { 0 }
    }

    /// The top.
    pub fn top() -> Cut {
        Cut::default()
    }

    /// The end.
    pub fn end(&mut self) -> Cut {
        Cut { at: [self.stdout.size(), self.stderr.size()] }
    }

    /// The place before the line that holds a position. What is no longer there is taken for the nearest that is.
    pub fn cut_at(&mut self, position: Position) -> Cut {
        let Some(piece) = self.file(position.stream).piece_at(position.offset) else { return self.end() };
        if position.offset >= self.file(position.stream).size() {
            return self.cut_before(position.stream, Piece { start: piece.end, ..piece });
        }
        self.cut_before(position.stream, piece)
    }

    /// The place before a line, also if its stream is hidden.
    pub fn cut_before(&mut self, stream: Stream, piece: Piece) -> Cut {
        let cut = Cut::default().with(stream, piece.start);
        if self.streams != Streams::Both && self.streams.has(stream) {
            return cut;
        }
        let slot = self.slot(stream, piece);
        let other = stream.other();
        // Of the other stream comes first what was written before this slot, or by its end.
        let written = if stream == Stream::Stdout { of(slot.before, other) } else { slot.after(other) };
        let place = self.line_over(other, written);
        cut.with(other, place)
    }

    /// Where the first line begins that reaches over so many bytes written, or that goes on.
    fn line_over(&mut self, stream: Stream, written: u64) -> u64 {
        let trimmed = self.trimmed(stream);
        let place = trimmed.map_or(written, |trimmed| trimmed.place(written));
        let file = self.file(stream);
        if written == u64::MAX {
            return file.size();
        }
        let settled = file.settled();
        if place >= settled {
            return settled;
        }
        let Some(piece) = file.piece_at(place) else { return 0 };
        // The marker ends where the tail begins: it reaches over what was dropped, and no further.
        let reaches = trimmed.map_or(piece.end, |trimmed| trimmed.written(piece.end)) > written;
        if reaches { piece.start } else { piece.end }
    }

    /// The place before which nothing will change any more by growing: lines that have ended, in slots that have.
    pub fn settled(&mut self) -> Cut {
        let written = self.samples.last().map_or([0; 2], |last| last.written);
        let at = Stream::BOTH.map(|stream| match self.streams {
            Streams::Both => self.line_over(stream, of(written, stream)),
            _ => self.file(stream).settled(),
        });
        Cut { at }
    }

    /// The line behind a place, and the place behind that line.
    pub fn next(&mut self, cut: Cut) -> Option<(Stream, Piece, Cut)> {
        let mut best: Option<(u64, Stream, Piece)> = None;
        for stream in self.shown() {
            if let Some(piece) = self.file(stream).piece_after(cut.of(stream)) {
                let nth = self.nth(stream, piece);
                if best.is_none_or(|(other, ..)| nth < other) {
                    best = Some((nth, stream, piece));
                }
            }
        }
        best.map(|(_, stream, piece)| (stream, piece, cut.with(stream, piece.end)))
    }

    /// The line before a place, and the place before that line.
    pub fn previous(&mut self, cut: Cut) -> Option<(Stream, Piece, Cut)> {
        let mut best: Option<(u64, Stream, Piece)> = None;
        for stream in self.shown() {
            if let Some(piece) = self.file(stream).piece_before(cut.of(stream)) {
                let nth = self.nth(stream, piece);
                if best.is_none_or(|(other, ..)| nth >= other) {
                    best = Some((nth, stream, piece));
                }
            }
        }
        best.map(|(_, stream, piece)| (stream, piece, cut.with(stream, piece.start)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn merged(folder: &std::path::Path, stdout: &str, stderr: &str, index: &str) -> Merged {
        let files = LogFiles {
            stdout: folder.join("out"),
            stderr: folder.join("err"),
            index: folder.join("logs.idx"),
            execution: 0,
        };
        fs::write(&files.stdout, stdout).unwrap();
        fs::write(&files.stderr, stderr).unwrap();
        fs::write(&files.index, index).unwrap();
        let mut merged = Merged::open(files, Streams::Both);
        while merged.samples.work(1000) > 0 {}
        merged
    }

    /// All lines downward; upward and from each line they must be the same.
    fn lines(merged: &mut Merged) -> Vec<String> {
        let mut down = vec![];
        let mut cut = Merged::top();
        while let Some((stream, piece, after)) = merged.next(cut) {
            assert_eq!(merged.cut_before(stream, piece), cut, "{down:?}");
            assert_eq!(merged.cut_at(Position { stream, offset: piece.end - 1 }), cut);
            let text = merged.file(stream).text(piece);
            down.push(String::from_utf8(text).unwrap());
            cut = after;
        }
        assert_eq!(cut, merged.end());
        let mut up = vec![];
        while let Some((stream, piece, before)) = merged.previous(cut) {
            let text = merged.file(stream).text(piece);
            up.push(String::from_utf8(text).unwrap());
            cut = before;
        }
        assert_eq!(cut, Merged::top());
        up.reverse();
        assert_eq!(down, up);
        down
    }

    #[test]
    fn the_index_gives_the_order() {
        let check = |stdout: &str, stderr: &str, index: &str, expected: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            assert_eq!(lines(&mut merged(folder.path(), stdout, stderr, index)), expected);
        };
        check("o1\no2\no3\n", "e1\ne2\n", "0 1 3 0\n0 2 3 3\n0 3 9 6\n", &["o1", "e1", "o2", "o3", "e2"]);
        check("o1\no2\n", "e1\n", "", &["o1", "o2", "e1"]);
        check("o1\no2\n", "e1\n", "0 1 4 0\n0 2 4 3\n", &["o1", "e1", "o2"]);
        check("", "e1\ne2", "0 1 0 1\n0 2 0 5\n", &["e1", "e2"]);
        check("o1\ngoes on", "e1\n", "0 1 3 0\n0 2 10 0\n0 3 10 3\n", &["o1", "e1", "goes on"]);
        check("goes on", "e1\nas well", "0 1 3 0\n0 2 7 3\n0 3 7 10\n", &["e1", "goes on", "as well"]);
        // The sizes of a trimmed log are those of what was written.
        let trimmed = "o1\n[road_runner: 100 bytes dropped here]\no3\no4\n";
        check(
            trimmed,
            "e1\ne2\n",
            "0 1 3 0\n0 2 50 3\n0 3 106 3\n0 4 109 6\n",
            &["o1", "e1", "[road_runner: 100 bytes dropped here]", "o3", "o4", "e2"],
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn any_two_logs_are_one_sequence(
            stdout in prop::collection::vec("[a-z]{0,5}", 0..20),
            stderr in prop::collection::vec("[a-z]{0,5}", 0..20),
            steps in prop::collection::vec((0..9_u64, 0..9_u64), 0..20),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut sizes = (0, 0);
            let index: Vec<String> = steps.iter().enumerate().map(|(n, (out, err))| {
                sizes = (sizes.0 + out, sizes.1 + err);
                format!("0 {n} {} {}\n", sizes.0, sizes.1)
            }).collect();
            let text = |lines: &[String]| lines.join("\n");
            let mut merged = merged(folder.path(), &text(&stdout), &text(&stderr), &index.concat());
            let mut all = lines(&mut merged);
            let mut expected: Vec<String> = [text(&stdout), text(&stderr)].iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
            all.sort();
            expected.sort();
            prop_assert_eq!(all, expected);
        }
    }
}
