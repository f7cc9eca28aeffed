//! A log past its cap, rewritten as head, marker, tail. Works on a log that nobody writes any more.
//! Never holds more than a line of it in memory, never leaves a half-written log in its place.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Room for the marker line.
const MARKER: u64 = 128;
/// How far a cut moves to fall between two lines.
const LINE: usize = 4096;

/// How much of each end is kept, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// From the start.
    pub head: u64,
    /// From the end: the larger part, failures tend to be there.
    pub tail: u64,
}

impl Trim {
    /// A quarter for the head, the rest for the tail, the marker counted.
    pub fn new(cap: u64) -> Self {
        let head = cap / 4;
        Self { head, tail: (cap - head).saturating_sub(MARKER) }
    }
}

/// Replaces the log at `path`, open as `log` and `size` bytes long, by at most `cap` bytes of it, and returns the new file, synced.
///
/// The cuts fall between lines where lines are short. The marker says how many bytes are missing.
pub fn rewrite(path: &Path, log: &File, size: u64, cap: u64) -> io::Result<File> {
    let keep = Trim::new(cap);
    let head = end_of_last_line(log, keep.head)?;
    let tail = start_of_next_line(log, size.saturating_sub(keep.tail).max(head))?;
    let temporary = temporary_of(path);
    let written = (|| {
        let mut new = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&temporary)?;
        let mut old: &File = log;
        old.seek(SeekFrom::Start(0))?;
        io::copy(&mut old.take(head), &mut new)?;
        let open_line = head > 0 && byte_before(log, head)? != Some(b'\n');
        let dropped = tail - head;
        let newline = if open_line { "\n" } else { "" };
        writeln!(new, "{newline}[road_runner: {dropped} bytes dropped here]")?;
        old.seek(SeekFrom::Start(tail))?;
        io::copy(&mut old.take(size - tail), &mut new)?;
        new.sync_data()?;
        fs::rename(&temporary, path)?;
        Ok(new)
    })();
    if written.is_err() {
        // The old log is still in place; a remnant would only confuse.
        drop(fs::remove_file(&temporary));
    }
    written
}

/// Where a log is rewritten before it takes the place of the old one.
fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".tmp");
    path.with_file_name(name)
}

/// Removes what a runner left that died while it rewrote the log at `path`.
pub fn remove_remnant(path: &Path) -> io::Result<()> {
    match fs::remove_file(temporary_of(path)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn byte_before(log: &File, at: u64) -> io::Result<Option<u8>> {
    let mut byte = [0];
    let read = log.read_at(&mut byte, at - 1)?;
    Ok((read == 1).then_some(byte[0]))
}

fn piece(log: &File, from: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let read = log.read_at(&mut bytes, from)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// The last line end at or before `at`, or `at` itself when lines are long.
fn end_of_last_line(log: &File, at: u64) -> io::Result<u64> {
    let from = at.saturating_sub(LINE as u64);
    let length = usize::try_from(at - from).unwrap_or(LINE);
    let bytes = piece(log, from, length)?;
    Ok(bytes.iter().rposition(|&byte| byte == b'\n').map_or(at, |place| from + place as u64 + 1))
}

/// The next line start at or after `at`, or `at` itself when lines are long.
fn start_of_next_line(log: &File, at: u64) -> io::Result<u64> {
    let bytes = piece(log, at, LINE)?;
    Ok(bytes.iter().position(|&byte| byte == b'\n').map_or(at, |place| at + place as u64 + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &[u8], cap: u64, expected: &[u8]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, content).unwrap();
        let log = File::open(&path).unwrap();
        rewrite(&path, &log, content.len() as u64, cap).unwrap();
        let found = fs::read(&path).unwrap();
        assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(expected));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn cuts_fall_between_lines() {
        let content = (0..100).map(|n| format!("line {n:03}\n")).collect::<Vec<_>>().concat();
        // Head 50 bytes hold five lines, tail 22 the last two (two whole lines after the cut).
        let expected = "line 000\nline 001\nline 002\nline 003\nline 004\n[road_runner: 837 bytes dropped here]\nline 098\nline 099\n";
        check(content.as_bytes(), 200, expected.as_bytes());
    }

    #[test]
    fn a_line_without_end_is_cut_where_it_must() {
        let content = vec![b'x'; 20_000];
        let mut expected = vec![b'x'; 2500];
        expected.extend_from_slice(b"\n[road_runner: 10128 bytes dropped here]\n");
        expected.extend(vec![b'x'; 7372]);
        check(&content, 10_000, &expected);
    }
}
