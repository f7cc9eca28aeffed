//! A journal by its lines alone: which numbers they have, whether these only grow, and what follows the last whole line. Keeps
//! ranges of numbers, not numbers. What a line says is read elsewhere.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use serde::de::IgnoredAny;

use crate::store::journal::{JournalTail, decode, quick_head};
use crate::store::log_file::open_regular;

/// Numbers that follow each other without a gap, and the journal that they stand in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    pub first: u64,
    pub last: u64,
    pub file: String,
}

/// A journal that ends within a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    pub file: String,
    /// Bytes of its whole lines.
    pub whole: u64,
    /// Bytes that follow them.
    pub bytes: u64,
    /// These are zeros, as the crash of a host leaves them.
    pub zeros: bool,
}

/// What the lines of a journal show.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// First and last of each range of numbers.
    pub spans: Vec<(u64, u64)>,
    /// The first line whose number is not larger than the one before, and what is wrong.
    pub disorder: Option<(u64, String)>,
    /// Bytes of whole lines, bytes behind them, and whether those are zeros.
    pub torn: Option<(u64, u64, bool)>,
}

/// Reads a journal up to the first line that is broken; nothing where there is none.
pub fn scan(path: &Path) -> Option<Scan> {
    let mut scan = Scan::default();
    let mut line_number = 0;
    let mut tail = JournalTail::new(path);
    let read = tail.poll_lines(&mut |line| {
        line_number += 1;
        // The head alone would do, but a line that is broken behind it is none.
        let seq = match quick_head(line) {
            Some((_, seq, ..)) if serde_json::from_slice::<IgnoredAny>(line).is_ok() => seq,
            _ => match decode(line)? {
                Some(recorded) => recorded.seq,
                None => return Ok(()),
            },
        };
        match scan.spans.last_mut() {
            Some((_, last)) if *last + 1 == seq => *last = seq,
            Some((_, last)) if *last >= seq => {
                scan.disorder.get_or_insert_with(|| (line_number, format!("seq {seq} does not follow {last}")));
            }
            _ => scan.spans.push((seq, seq)),
        }
        Ok(())
    });
    if read.is_err() {
        // What is wrong is told by whoever reads what the lines say, and behind a broken line comes no tail.
        return Some(scan);
    }
    if !tail.is_there() {
        return None;
    }
    let (file, metadata) = open_regular(path).ok()?;
    let bytes = metadata.len().saturating_sub(tail.offset());
    if bytes > 0 {
        scan.torn = Some((tail.offset(), bytes, is_zero(&file, tail.offset())));
    }
    Some(scan)
}

/// Whether what stands there is zeros, as far as one look goes.
fn is_zero(file: &File, from: u64) -> bool {
    let mut piece = [0xff; 4096];
    let read = file.read_at(&mut piece, from).unwrap_or(0);
    read > 0 && piece.iter().take(read).all(|byte| *byte == 0)
}

/// Numbers that stand in two places: the file that has them as well, and what is wrong.
pub fn shared(spans: &[Span]) -> Vec<(String, String)> {
    let mut sorted: Vec<&Span> = spans.iter().collect();
    sorted.sort_by(|a, b| (a.first, &a.file).cmp(&(b.first, &b.file)));
    let mut found = vec![];
    let mut reached: Option<&Span> = None;
    for span in sorted {
        if let Some(before) = reached.filter(|before| span.first <= before.last && span.file != before.file) {
            found.push((span.file.clone(), format!("seq {} stands in {} as well", span.first, before.file)));
        }
        if reached.is_none_or(|before| before.last < span.last) {
            reached = Some(span);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seq: u64) -> String {
        format!("{{\"event\":\"later\",\"seq\":{seq},\"at\":\"2025-01-01T01:01:01Z\"}}\n")
    }

    fn check(text: &str, expected: &Scan) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("steps.ldjson");
        std::fs::write(&path, text).unwrap();
        assert_eq!(scan(&path).as_ref(), Some(expected), "{text}");
    }

    #[test]
    fn numbers_and_tails() {
        let whole = [1, 2, 5].map(line).concat();
        let size = whole.len() as u64;
        let spans = vec![(1, 2), (5, 5)];
        let fine = |torn| Scan { spans: spans.clone(), disorder: None, torn };
        check(&whole, &fine(None));
        check(&format!("{whole}{{\"ev"), &fine(Some((size, 4, false))));
        check(&format!("{whole}\0\0\0"), &fine(Some((size, 3, true))));
        check(&format!("{whole}\0\0\n\0"), &fine(Some((size, 4, false))));
        check(&format!("{whole}garbage\n{}", line(6)), &fine(None));
        let disorder = Some((4, "seq 5 does not follow 5".to_owned()));
        check(&(whole.clone() + &line(5)), &Scan { disorder, ..fine(None) });
        check("", &Scan::default());
        assert_eq!(scan(Path::new("/nowhere/steps.ldjson")), None);
    }

    #[test]
    fn a_number_stands_once() {
        let span = |first, last, file: &str| Span { first, last, file: file.to_owned() };
        let check = |spans: &[Span], expected: &[(&str, &str)]| {
            let found = shared(spans);
            assert_eq!(found.iter().map(|(f, w)| (&**f, &**w)).collect::<Vec<_>>(), expected);
        };
        check(&[span(5, 9, "b"), span(0, 4, "a"), span(10, 10, "a")], &[]);
        check(&[span(0, 4, "a"), span(4, 9, "b")], &[("b", "seq 4 stands in a as well")]);
        check(
            &[span(0, 9, "a"), span(2, 3, "b"), span(5, 6, "c")],
            &[("b", "seq 2 stands in a as well"), ("c", "seq 5 stands in a as well")],
        );
    }
}
