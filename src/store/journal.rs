//! Writing and reading journals: one JSON object a line, one `write` each, `event`, `seq` and `at` first.
//! A reader stops at the last newline and never locks or writes; a writer never leaves part of a line behind.

use std::fs::File;
use std::io::{self, BufRead as _, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use serde::Deserialize;

use super::StoreError;
use super::layout::{open_private, sync_directory};
use super::mortal::around;
use crate::domain::event::{Recorded, RunEvent};
use crate::domain::time::Timestamp;

/// The end of a journal that is being written. There is one writer a file: whoever holds the run's lock.
#[derive(Debug)]
pub struct JournalWriter {
    path: PathBuf,
    file: File,
    /// Length in bytes of the complete lines.
    good: u64,
    /// There may be part of a line behind `good`.
    torn: bool,
    /// Lines were written since the last sync.
    unsynced: bool,
    /// A sync failed: the kernel may have dropped what it could not write and report success from now on.
    lost: bool,
    line: Vec<u8>,
}

impl JournalWriter {
    /// A new journal; an error if there is one. Its name is on disk when this returns.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL;
        let made = around("make a journal", || open_private(path, flags));
        let file = made.map_err(StoreError::io("create", path))?;
        sync_directory(path.parent().unwrap_or(path))?;
        Ok(Self::over(path, file, 0))
    }

    /// Goes on with a journal that a dead runner left: what follows its last complete line is cut off.
    /// Returns the last line's `seq` too, if there is a line.
    pub fn resume(path: &Path) -> Result<(Self, Option<u64>), StoreError> {
        let mut last = None;
        let mut tail = JournalTail::new(path);
        tail.poll(&mut |recorded| last = last.max(Some(recorded.seq)))?;
        let file = open_private(path, OFlags::WRONLY | OFlags::APPEND).map_err(StoreError::io("open", path))?;
        let mut writer = Self::over(path, file, tail.offset());
        writer.torn = true;
        writer.mend()?;
        writer.unsynced = true;
        writer.sync()?;
        Ok((writer, last))
    }

    /// [`Self::resume`] where there is a journal, else [`Self::create`].
    pub fn create_or_resume(path: &Path) -> Result<Self, StoreError> {
        match Self::resume(path) {
            Ok((writer, _)) => {
                // Its name may be no further than the cache of a host that went down.
                sync_directory(path.parent().unwrap_or(path))?;
                Ok(writer)
            }
            Err(error) if error.is_absent() => Self::create(path),
            Err(error) => Err(error),
        }
    }

    fn over(path: &Path, file: File, good: u64) -> Self {
        Self { path: path.to_path_buf(), file, good, torn: false, unsynced: false, lost: false, line: Vec::new() }
    }

    /// Writes one line. On an error nothing of it is left in the file.
    pub fn append(&mut self, recorded: &Recorded) -> Result<(), StoreError> {
        self.mend()?;
        self.line.clear();
        encode(recorded, &mut self.line).map_err(|error| StoreError::encode(&self.path, error))?;
        // A line goes out in one `write`. Where the disk takes only part of it, asking for the rest tells why.
        let (file, line) = (&mut self.file, &self.line);
        if let Err(error) = around("write a line", || file.write_all(line)) {
            self.torn = true;
            drop(self.mend());
            return Err(StoreError::io("write", &self.path)(error));
        }
        self.good += self.line.len() as u64;
        self.unsynced = true;
        Ok(())
    }

    /// Puts all lines written so far on disk (`fdatasync`); free when there are none since the last time.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        if self.lost {
            return Err(StoreError::io("sync", &self.path)(io::Error::other("an earlier sync failed")));
        }
        if self.unsynced {
            if let Err(error) = around("sync a journal", || self.file.sync_data()) {
                self.lost = true;
                return Err(StoreError::io("sync", &self.path)(error));
            }
            self.unsynced = false;
        }
        Ok(())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn mend(&mut self) -> Result<(), StoreError> {
        if self.torn {
            let cut = around("cut a journal", || self.file.set_len(self.good));
            cut.map_err(StoreError::io("cut", &self.path))?;
            self.torn = false;
        }
        Ok(())
    }
}

/// Appends the line of `recorded`, newline included, to `line`: as it stands in the file, and on stdout.
pub fn encode(recorded: &Recorded, line: &mut Vec<u8>) -> serde_json::Result<()> {
    let head = write!(line, r#"{{"event":"{}","seq":{},"at":"{}""#, recorded.event.name(), recorded.seq, recorded.at);
    head.map_err(serde_json::Error::io)?;
    let start = line.len();
    recorded.event.write_body(&mut *line)?;
    // The body is an object of its own: its first brace becomes the comma behind the head, or it was empty.
    match line.get(start..) {
        Some([b'{', b'}']) => line.truncate(start),
        Some([b'{', ..]) => {
            line[start] = b',';
            line.pop();
        }
        _ => return Err(serde::ser::Error::custom("the body of an event is not an object")),
    }
    line.extend_from_slice(b"}\n");
    Ok(())
}

/// Takes one line, or says what is wrong with it.
pub(super) type EachLine<'f> = &'f mut dyn FnMut(&[u8]) -> Result<(), String>;

/// Follows one journal from its beginning, whether it is still growing, complete, or not there yet.
#[derive(Debug)]
pub struct JournalTail {
    path: PathBuf,
    file: Option<File>,
    /// Bytes of complete lines read so far.
    offset: u64,
    /// Complete lines read so far.
    lines: u64,
}

/// Bytes read at once; a line that is longer makes the buffer grow up to [`LONGEST_LINE`].
const PIECE: usize = 256 * 1024;
const LONGEST_LINE: usize = 64 * 1024 * 1024;

impl JournalTail {
    /// Of the journal at `path`. Nothing is opened yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), file: None, offset: 0, lines: 0 }
    }

    /// Bytes of the complete lines read so far. After a [`Self::poll`] of a journal that nobody writes, where it is to be cut.
    pub const fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the last poll found a file.
    pub const fn is_there(&self) -> bool {
        self.file.is_some()
    }

    /// Gives the descriptor back until the next poll.
    pub fn rest(&mut self) {
        self.file = None;
    }

    /// Hands over the lines that were completed since the last time, in the order of the file.
    /// A torn end is left for later; events of a newer program are passed over.
    pub fn poll(&mut self, each: &mut dyn FnMut(Recorded)) -> Result<(), StoreError> {
        self.poll_lines(&mut |line| {
            decode(line)?.into_iter().for_each(&mut *each);
            Ok(())
        })
    }

    /// As [`Self::poll`], with each line as it stands; what `each` says is wrong with it is damage, or the torn end.
    pub(super) fn poll_lines(&mut self, each: EachLine<'_>) -> Result<(), StoreError> {
        let Some(file) = self.open()? else { return Ok(()) };
        let size = file.metadata().map_err(StoreError::io("read", &self.path))?.len();
        if size < self.offset {
            return Err(self.broken("the journal is shorter than it was"));
        }
        if size == self.offset {
            self.file = Some(file);
            return Ok(());
        }
        // What follows the last newline is read again each time: a resumed runner may have put something else there.
        let mut buffer = vec![0; PIECE.min(usize::try_from(size - self.offset).unwrap_or(PIECE) + 1)];
        loop {
            let filled = fill(&file, &mut buffer, self.offset).map_err(StoreError::io("read", &self.path))?;
            let piece = buffer.get(..filled).unwrap_or_default();
            let Some(end) = piece.iter().rposition(|byte| *byte == b'\n') else {
                if filled < buffer.len() {
                    break;
                }
                if buffer.len() >= LONGEST_LINE {
                    return Err(self.broken("the line is too long"));
                }
                buffer.resize(buffer.len() * 4, 0);
                continue;
            };
            let whole = piece.get(..=end).unwrap_or_default();
            if self.take(whole, each)? < whole.len() || filled < buffer.len() {
                break;
            }
        }
        self.file = Some(file);
        Ok(())
    }

    fn open(&mut self) -> Result<Option<File>, StoreError> {
        if let Some(file) = self.file.take() {
            return Ok(Some(file));
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::open(&self.path, flags, Mode::empty()) {
            Ok(file) => Ok(Some(File::from(file))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(StoreError::io("read", &self.path)(error)),
        }
    }

    /// Reads complete lines; returns how many bytes they were. Fewer than given: the rest is the torn end.
    fn take(&mut self, whole: &[u8], each: EachLine<'_>) -> Result<usize, StoreError> {
        let mut taken = 0;
        while let Some(line) = next_line(whole.get(taken..).unwrap_or_default()) {
            match each(line) {
                Ok(()) => {}
                // A crash of the host leaves zeros where blocks were promised and not written. Only at the end, though.
                Err(_) if line.contains(&0) && !whole.get(taken + line.len()..).is_some_and(has_event) => break,
                Err(message) => return Err(self.broken(&message)),
            }
            taken += line.len();
            self.offset += line.len() as u64;
            self.lines += 1;
        }
        Ok(taken)
    }

    fn broken(&self, message: &str) -> StoreError {
        StoreError::Line { path: self.path.clone(), line: self.lines + 1, message: message.to_owned() }
    }
}

/// Reads all complete lines of a journal that is there.
pub fn read(path: &Path) -> Result<Vec<Recorded>, StoreError> {
    let mut all = Vec::new();
    let mut tail = JournalTail::new(path);
    tail.poll(&mut |recorded| all.push(recorded))?;
    if tail.file.is_none() {
        return Err(StoreError::io("read", path)(Errno::NOENT));
    }
    Ok(all)
}

/// The first line with its newline, or what there is of it. The standard library looks for the byte in long strides here,
/// one by one in `split_inclusive`.
pub fn next_line(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    let length = rest.skip_until(b'\n').ok()?;
    text.get(..length).filter(|line| !line.is_empty())
}

/// Fills the buffer from `offset` on, short only at the end of the file.
fn fill(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn has_event(lines: &[u8]) -> bool {
    lines
        .split(|byte| *byte == b'\n')
        .any(|line| !line.contains(&0) && serde_json::from_slice::<Head<'_>>(line).is_ok())
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    event: std::borrow::Cow<'a, str>,
    seq: u64,
    at: Timestamp,
}

/// Reads one line; `None` for an event that this program does not know.
pub fn decode(line: &[u8]) -> Result<Option<Recorded>, String> {
    // Looked through once, and not again at each text in it.
    let line = std::str::from_utf8(line).map_err(|error| format!("not UTF-8 at byte {}", error.valid_up_to()))?;
    // The head as we write it is read by hand; anything else that is the same JSON goes the long way.
    if let Some((event, seq, at, _)) = quick_head(line.as_bytes()) {
        return body(event, seq, at, line);
    }
    let head: Head<'_> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    body(&head.event, head.seq, head.at, line)
}

fn body(event: &str, seq: u64, at: Timestamp, line: &str) -> Result<Option<Recorded>, String> {
    match RunEvent::read_body(event, line) {
        Some(Ok(event)) => Ok(Some(Recorded { seq, at, event })),
        Some(Err(error)) => Err(error.to_string()),
        None => serde_json::from_str::<serde::de::IgnoredAny>(line).map(|_| None).map_err(|error| error.to_string()),
    }
}

/// The head of a line and what follows it, from the comma or the brace on.
pub(super) fn quick_head(line: &[u8]) -> Option<(&str, u64, Timestamp, &[u8])> {
    let rest = line.strip_prefix(br#"{"event":""#)?;
    let (event, rest) = split_at_quote(rest)?;
    let mut rest = rest.strip_prefix(br#","seq":"#)?;
    let mut seq: u64 = 0;
    while let Some((digit @ b'0'..=b'9', after)) = rest.split_first() {
        seq = seq.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        rest = after;
    }
    let (at, rest) = split_at_quote(rest.strip_prefix(br#","at":""#)?)?;
    matches!(rest.first(), Some(b',' | b'}')).then_some(())?;
    Some((event, seq, Timestamp::parse(at)?, rest))
}

/// A string without escapes, and what follows its closing quote.
fn split_at_quote(text: &[u8]) -> Option<(&str, &[u8])> {
    let end = text.iter().take(64).position(|byte| matches!(byte, b'"' | b'\\')).filter(|end| text[*end] == b'"')?;
    Some((std::str::from_utf8(text.get(..end)?).ok()?, text.get(end + 1..)?))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use proptest::prelude::*;

    use super::*;
    use crate::store::test_disk::TinyDisk;
    use crate::store::test_events::{run_started, step_finished, step_spawned, step_started};

    fn bytes(events: &[Recorded]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for event in events {
            encode(event, &mut bytes).unwrap();
        }
        bytes
    }

    fn steps() -> Vec<Recorded> {
        (0..4).flat_map(|k| [step_started(3 * k, 0), step_spawned(3 * k + 1, 0), step_finished(3 * k + 2, 0)]).collect()
    }

    /// What reading these bytes gives: how many events, or what is wrong.
    fn check(content: &[u8], expected: Result<usize, &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.ldjson");
        fs::write(&path, content).unwrap();
        let found = read(&path).map(|events| events.len()).map_err(|error| error.to_string());
        let found = found.as_ref().map_err(|text| text.split_once("ldjson:").map_or(text.as_str(), |(_, rest)| rest));
        assert_eq!(found.copied(), expected);
    }

    #[test]
    fn a_line_begins_with_event_seq_and_at() {
        let line = String::from_utf8(bytes(&[run_started(7)])).unwrap();
        insta::assert_snapshot!(line.trim_end(), @r#"{"event":"run_started","seq":7,"at":"2025-01-01T01:01:01.007Z","boot_id":"4f6e","pid":4242}"#);
        let line = String::from_utf8(bytes(&[step_spawned(8, 3)])).unwrap();
        insta::assert_snapshot!(line.trim_end(), @r#"{"event":"step_spawned","seq":8,"at":"2025-01-01T01:01:01.007Z","index":3,"pid":31337,"start_ticks":123456}"#);
    }

    #[test]
    fn heads_are_read_also_where_another_program_wrote_them() {
        let usual = run_started(7);
        for text in [
            r#"{ "seq": 7, "at": "2025-01-01T01:01:01.007Z", "pid": 4242, "boot_id": "4f6e", "event": "run_started" }"#,
            r#"{"event":"run\u005fstarted","seq":7,"at":"2025-01-01T02:01:01.007+01:00","boot_id":"4f6e","pid":4242,"new":[1]}"#,
        ] {
            assert_eq!(decode(text.as_bytes()).unwrap().as_ref(), Some(&usual), "{text}");
        }
    }

    #[test]
    fn torn_ends_are_no_errors_and_broken_middles_are() {
        let whole = bytes(&steps());
        let with = |tail: &[u8]| [&whole[..], tail].concat();
        check(&whole, Ok(12));
        check(b"", Ok(0));
        check(&with(br#"{"event":"step_st"#), Ok(12));
        check(&with(&[0; 5000]), Ok(12));
        check(&with(b"{\"event\":\"st\0\0\0\0\n"), Ok(12));
        check(&with(b"\0\0\n\0\0\n\0"), Ok(12));
        check(&with(b"{\"event\":\"later_kind\",\"seq\":99,\"at\":\"2025-01-01T01:01:01.007Z\",\"x\":{}}\n"), Ok(12));
        check(&with(b"\n"), Err("13: EOF while parsing a value at line 2 column 0"));
        check(&with(b"{}\n"), Err("13: missing field `event` at line 1 column 2"));
        check(
            &[b"{\"event\":\"\0\0\n", &whole[..]].concat(),
            Err("1: control character (\\u0000-\\u001F) found while parsing a string at line 1 column 11"),
        );
        check(
            b"{\"event\":\"step_spawned\",\"seq\":1,\"at\":\"2025-01-01T01:01:01.007Z\"}\n",
            Err("1: missing field `index` at line 1 column 64"),
        );
        check(
            b"{\"event\":\"step_spawned\",\"seq\":,\"at\":\"2025-01-01T01:01:01.007Z\",\"index\":1,\"pid\":2}\n",
            Err("1: expected value at line 1 column 31"),
        );
    }

    #[test]
    fn a_follower_sees_lines_as_they_become_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.ldjson");
        let mut tail = JournalTail::new(&path);
        let mut seen = Vec::new();
        tail.poll(&mut |event| seen.push(event)).unwrap();
        let whole = bytes(&steps());
        let mut file = File::create(&path).unwrap();
        for piece in whole.chunks(97) {
            file.write_all(piece).unwrap();
            tail.poll(&mut |event| seen.push(event)).unwrap();
            tail.rest();
        }
        assert_eq!(seen, steps());
        assert_eq!(tail.offset(), whole.len() as u64);
        file.set_len(10).unwrap();
        assert!(
            tail.poll(&mut |_| ()).unwrap_err().to_string().ends_with("ldjson:13: the journal is shorter than it was")
        );
    }

    #[test]
    fn a_torn_end_that_a_resume_replaced_is_read_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.ldjson");
        let mut content = bytes(&steps()[..2]);
        let good = content.len();
        content.extend_from_slice(br#"{"event":"step_finished","seq":2,"at":"2025"#);
        fs::write(&path, &content).unwrap();
        let (mut tail, mut seen) = (JournalTail::new(&path), Vec::new());
        tail.poll(&mut |event| seen.push(event)).unwrap();
        let (mut writer, last) = JournalWriter::resume(&path).unwrap();
        assert_eq!((last, fs::metadata(&path).unwrap().len()), (Some(1), good as u64));
        writer.append(&step_started(2, 9)).unwrap();
        writer.sync().unwrap();
        tail.poll(&mut |event| seen.push(event)).unwrap();
        assert_eq!(seen, [step_started(0, 0), step_spawned(1, 0), step_started(2, 9)]);
        assert!(JournalWriter::create(&path).is_err(), "a journal is never begun twice");
        assert!(JournalWriter::resume(&folder.path().join("none")).unwrap_err().is_absent());
    }

    #[test]
    fn what_is_appended_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.ldjson");
        let mut writer = JournalWriter::create(&path).unwrap();
        for event in &steps() {
            writer.append(event).unwrap();
        }
        assert_eq!(read(&path).unwrap(), steps());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_full_disk_leaves_whole_lines_and_goes_on_when_there_is_room() {
        let Some(disk) = TinyDisk::mount() else { return };
        let (path, ballast) = (disk.path().join("steps.ldjson"), disk.path().join("ballast"));
        let mut writer = JournalWriter::create(&path).unwrap();
        fs::write(&ballast, vec![0; 40 * 1024]).unwrap();
        let mut written = 0;
        let error = loop {
            match writer.append(&step_started(written, 0)) {
                Ok(()) => written += 1,
                Err(error) => break error,
            }
        };
        assert!(error.is_full() && error.to_string().ends_with("steps.ldjson: No space left on device"), "{error}");
        assert!(written > 10 && fs::read(&path).unwrap().ends_with(b"}\n"));
        fs::remove_file(&ballast).unwrap();
        writer.append(&step_started(written, 0)).unwrap();
        assert_eq!(read(&path).unwrap().len() as u64, written + 1);
    }

    #[test]
    fn a_device_that_takes_nothing_is_named() {
        let file = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut writer = JournalWriter::over(Path::new("runs/x/steps.ldjson"), file, 0);
        let error = writer.append(&run_started(0)).unwrap_err();
        assert_eq!(error.to_string(), "write runs/x/steps.ldjson: No space left on device");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_prefix_reads_as_a_prefix(cut in 0_usize..10_000, zeros in 0_usize..40) {
            let events = steps();
            let whole = bytes(&events);
            let cut = cut % (whole.len() + 1);
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("steps.ldjson");
            fs::write(&path, [&whole[..cut], &vec![0; zeros]].concat()).unwrap();
            let read = read(&path).unwrap();
            prop_assert_eq!(read.len(), whole[..cut].split(|byte| *byte == b'\n').count() - 1);
            prop_assert_eq!(&read[..], &events[..read.len()]);
            let (mut writer, last) = JournalWriter::resume(&path).unwrap();
            prop_assert_eq!(last, read.last().map(|event| event.seq));
            writer.append(&run_started(77)).unwrap();
            prop_assert_eq!(super::read(&path).unwrap().len(), read.len() + 1);
        }
    }
}
