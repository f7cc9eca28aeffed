//! Looks for the patterns of an adapter in what a diagnostic wrote, in bounded memory.
//! Never assumes UTF-8, never decides what a match means.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use regex::bytes::{Regex, RegexBuilder};

use crate::domain::adapter::{EffectRule, Expectation, Judgement, MetricSource};

/// A log is looked at in windows of this size; up to here a match may span all of it.
const WINDOW: usize = 64 << 20;
/// What two windows share: a match that is longer may be missed in a log of several windows.
const OVERLAP: usize = 16 << 20;
/// Longest text of a match that is kept, bytes.
const FOUND: usize = 256;

/// What was found of each pattern, by its text: the first group of the last match, or the match where there is no group.
/// A pattern that matched nowhere is absent.
pub type Matches = BTreeMap<String, String>;

/// The patterns of one stream.
#[derive(Debug, Default)]
pub struct Patterns {
    patterns: BTreeMap<String, Regex>,
}

/// The patterns of both streams that judging an adapter's executions needs.
#[derive(Debug, Default)]
pub struct StreamPatterns {
    /// Of standard output.
    pub stdout: Patterns,
    /// Of standard error.
    pub stderr: Patterns,
}

impl StreamPatterns {
    /// Compiles all patterns of a judgement. The reader of manifests has checked them; a plan edited since may fail.
    pub fn compile(judgement: &Judgement) -> Result<Self, regex::Error> {
        let mut all = Self::default();
        for EffectRule { stdout_matches, stderr_matches, .. } in
            judgement.effects.values().flatten().chain(&judgement.rig_errors)
        {
            stdout_matches.iter().try_for_each(|pattern| all.stdout.add(pattern))?;
            stderr_matches.iter().try_for_each(|pattern| all.stderr.add(pattern))?;
        }
        for expectation in &judgement.expect {
            match expectation {
                Expectation::StdoutMatches(pattern) | Expectation::StdoutAbsent(pattern) => all.stdout.add(pattern)?,
                Expectation::StderrMatches(pattern) | Expectation::StderrAbsent(pattern) => all.stderr.add(pattern)?,
                Expectation::MinDuration(_) | Expectation::Metric { .. } => {}
            }
        }
        for metric in &judgement.metrics {
            match &metric.source {
                MetricSource::StdoutRegex(pattern) => all.stdout.add(pattern)?,
                MetricSource::StderrRegex(pattern) => all.stderr.add(pattern)?,
                MetricSource::File { .. } => {}
            }
        }
        Ok(all)
    }
}

impl Patterns {
    /// `^` and `$` are the ends of a line, whether it ends in `\n`, `\r\n` or, drawn over, in `\r`.
    fn add(&mut self, pattern: &str) -> Result<(), regex::Error> {
        if !self.patterns.contains_key(pattern) {
            let regex = RegexBuilder::new(pattern).multi_line(true).crlf(true).build()?;
            self.patterns.insert(pattern.to_owned(), regex);
        }
        Ok(())
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// Searches a log of `size` bytes.
    pub fn search(&self, log: &File, size: u64) -> io::Result<Matches> {
        let mut found = Matches::new();
        if self.is_empty() || size == 0 {
            return Ok(found);
        }
        self.search_windows(log, size, WINDOW, OVERLAP, &mut found)?;
        Ok(found)
    }

    fn search_windows(
        &self,
        log: &File,
        size: u64,
        window: usize,
        overlap: usize,
        found: &mut Matches,
    ) -> io::Result<()> {
        let mut buffer = vec![0; usize::try_from(size).unwrap_or(window).min(window)];
        let mut start = 0;
        loop {
            let length = fill(log, &mut buffer, start)?;
            let piece = buffer.get(..length).unwrap_or_default();
            for (text, regex) in &self.patterns {
                if let Some(captures) = regex.captures_iter(piece).last() {
                    let group = captures.get(1).or_else(|| captures.get(0)).map_or(&b""[..], |m| m.as_bytes());
                    let kept = group.get(..FOUND).unwrap_or(group);
                    found.insert(text.clone(), String::from_utf8_lossy(kept).into_owned());
                }
            }
            let end = start + length as u64;
            if end >= size || length <= overlap {
                return Ok(());
            }
            // The next window begins with a line, so that `^` means what it says.
            let shared = piece.get(length - overlap..).unwrap_or_default();
            let line = shared.iter().position(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            start = end - (overlap - line) as u64;
        }
    }
}

fn fill(log: &File, buffer: &mut [u8], from: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match log.read_at(rest, from + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(log: &[u8], window: usize, overlap: usize, pattern: &str, expected: Option<&str>) {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(log, 0).unwrap();
        let mut patterns = Patterns::default();
        patterns.add(pattern).unwrap();
        let mut found = Matches::new();
        patterns.search_windows(&file, log.len() as u64, window, overlap, &mut found).unwrap();
        assert_eq!(found.get(pattern).map(String::as_str), expected, "{pattern}");
    }

    #[test]
    fn lines_of_all_kinds_and_bytes_of_all_kinds() {
        let whole = |log: &[u8], pattern, expected| check(log, 1000, 100, pattern, expected);
        whole(b"rate=1\nrate=2\n", "^rate=([0-9]+)$", Some("2"));
        whole(b"rate=1\r\nrate=2\r\n", "^rate=([0-9]+)$", Some("2"));
        whole(b"10%\rrate=7\r100%", "^rate=([0-9]+)$", Some("7"));
        whole(b"\xff\xfe\0\nresult=42", "^result=([0-9]+)$", Some("42"));
        whole(b"a\nb\nDone.\n", r"a\nb\nDone\.$", Some("a\nb\nDone."));
        whole(b"nothing", "rate", None);
    }

    #[test]
    fn windows_overlap_and_begin_with_a_line() {
        let log = (0..1000).map(|n| format!("x{n:03}\n")).collect::<Vec<_>>().concat();
        for n in [0, 1, 17, 500, 998, 999] {
            check(log.as_bytes(), 64, 24, &format!("^x{n:03}$"), Some(&format!("x{n:03}")));
            check(log.as_bytes(), 64, 24, &format!("^{n:03}$"), None);
        }
        check(log.as_bytes(), 64, 24, "^x([0-9]+)$", Some("999"));
        check(log.as_bytes(), 64, 24, r"x010\nx011\nx012$", Some("x010\nx011\nx012"));
        // Lines longer than the overlap are cut, and that is all.
        check(&vec![b'y'; 1000], 64, 24, "y+", Some(&"y".repeat(40)));
    }
}
