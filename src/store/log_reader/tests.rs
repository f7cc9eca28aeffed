//! The reader against what stands in the files: windows, filters, searches and counts while the logs grow and are cut.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use proptest::prelude::*;

use super::*;
use rustix::fs::{FallocateFlags, fallocate};

fn files(folder: &Path) -> LogFiles {
    LogFiles { stdout: folder.join("out"), stderr: folder.join("err"), index: folder.join("logs.idx"), execution: 0 }
}

fn append(path: &Path, text: &[u8]) {
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text).unwrap();
}

fn all(reader: &mut LogReader) {
    while reader.work(100_000) {}
}

fn texts(window: &Window) -> Vec<String> {
    window.lines.iter().map(|line| String::from_utf8_lossy(&line.text).into_owned()).collect()
}

fn request(anchor: Anchor, shift: i32, above: usize, below: usize) -> WindowRequest {
    WindowRequest { anchor, shift, above, below }
}

/// A standard output of numbered lines.
fn numbered(count: usize) -> (tempfile::TempDir, LogReader) {
    let folder = tempfile::tempdir().unwrap();
    let text: Vec<String> = (0..count).map(|n| format!("line {n}\n")).collect();
    fs::write(folder.path().join("out"), text.concat()).unwrap();
    let reader = LogReader::open(files(folder.path()), Streams::Both);
    (folder, reader)
}

#[test]
fn windows_show_what_is_wanted() {
    let (_folder, mut reader) = numbered(10_000);
    let check = |reader: &mut LogReader, request: WindowRequest, expected: &[usize], anchor: usize| {
        let window = reader.window(&request);
        let expected: Vec<String> = expected.iter().map(|n| format!("line {n}")).collect();
        assert_eq!((texts(&window), window.anchor), (expected, anchor), "{request:?}");
        let ends = (window.lines[0].text == b"line 0", window.lines.last().unwrap().text == b"line 9999");
        if reader.filter.is_none() {
            assert_eq!((window.is_top, window.is_end), ends);
        }
    };
    check(&mut reader, request(Anchor::Tail, 0, 2, 5), &[9998, 9999], 2);
    check(&mut reader, request(Anchor::Tail, -3, 1, 2), &[9996, 9997, 9998], 1);
    check(&mut reader, request(Anchor::Top, 0, 3, 2), &[0, 1], 0);
    check(&mut reader, request(Anchor::Top, 7, 1, 2), &[6, 7, 8], 1);
    let at = |n: usize| Anchor::At(Position { stream: Stream::Stdout, offset: 7 * n as u64 + 3 });
    check(&mut reader, request(at(5), 0, 1, 1), &[4, 5], 1);
    check(&mut reader, request(at(5), -9, 1, 2), &[0, 1], 0);
    reader.set_filter(Pattern::new("7$"));
    check(&mut reader, request(at(5), 0, 1, 1), &[7], 0);
    check(&mut reader, request(at(8), 1, 2, 2), &[7, 17, 27, 37], 2);
    let window = reader.window(&request(Anchor::Tail, 0, 2, 0));
    assert_eq!((texts(&window), window.is_end), (vec!["line 9987".to_owned(), "line 9997".to_owned()], true));
    reader.set_filter(Pattern::new("no such line"));
    let window = reader.window(&request(Anchor::Tail, 0, 2, 0));
    assert_eq!((texts(&window), window.is_top, window.is_end), (vec![], true, true));
}

#[test]
fn counts_and_hits() {
    let (folder, mut reader) = numbered(10_000);
    assert_eq!(reader.counts(None).lines, Count { number: 0, is_exact: false });
    reader.set_search(Pattern::new("LINE 99"));
    all(&mut reader);
    assert_eq!(reader.counts(None).hits, Some(Count { number: 0, is_exact: true }));
    reader.set_search(Pattern::new("line 99"));
    all(&mut reader);
    reader.find(Direction::Down, None, None, true);
    let mut found = vec![];
    for _ in 0..3 {
        let Finding::At(position) = reader.find_on(u64::MAX) else { panic!("there is one") };
        found.push((position.offset, reader.counts(Some(position)).hit));
        reader.find(Direction::Down, None, Some(position), false);
    }
    assert_eq!(found, [(782, Some(1)), (8800, Some(2)), (8809, Some(3))]);
    reader.find(Direction::Up, None, None, false);
    let Finding::At(last) = reader.find_on(u64::MAX) else { panic!("there is one") };
    let counts = reader.counts(Some(last));
    assert_eq!((counts.hit, counts.hits), (Some(111), Some(Count { number: 111, is_exact: true })));
    assert_eq!(counts.lines, Count { number: 10_000, is_exact: true });
    reader.mark();
    append(&folder.path().join("out"), b"line 99\nline");
    append(&folder.path().join("err"), b"line 99\n");
    assert!(reader.poll().has_changed);
    all(&mut reader);
    let counts = reader.counts(Some(last));
    assert_eq!(counts.lines.number, 10_003);
    assert_eq!((counts.hits.unwrap().number, counts.new.unwrap().number), (113, 3));
    assert!(!reader.poll().has_changed);
}

#[test]
fn the_next_line_of_standard_error() {
    let folder = tempfile::tempdir().unwrap();
    append(&folder.path().join("out"), b"o1\no2\no3\n");
    append(&folder.path().join("err"), b"e1\ne2\n");
    append(&folder.path().join("logs.idx"), b"0 1 3 0\n0 2 6 3\n0 3 9 3\n0 4 9 6\n");
    let mut reader = LogReader::open(files(folder.path()), Streams::Both);
    all(&mut reader);
    let mut check = |direction: Direction, from: Option<(Stream, u64)>, expected: Option<u64>| {
        let from = from.map(|(stream, offset)| Position { stream, offset });
        reader.find(direction, Some(Stream::Stderr), from, false);
        let position = |offset| Position { stream: Stream::Stderr, offset };
        let expected = expected.map_or(Finding::Nothing, |offset| Finding::At(position(offset)));
        assert_eq!(reader.find_on(u64::MAX), expected, "{direction:?} {from:?}");
    };
    check(Direction::Down, None, Some(0));
    check(Direction::Down, Some((Stream::Stdout, 3)), Some(0));
    check(Direction::Down, Some((Stream::Stdout, 6)), Some(3));
    check(Direction::Down, Some((Stream::Stderr, 3)), None);
    check(Direction::Up, Some((Stream::Stdout, 6)), Some(0));
    check(Direction::Up, None, Some(3));
    check(Direction::Up, Some((Stream::Stdout, 3)), None);
}

#[test]
fn a_log_past_its_cap_shows_what_was_dropped_and_keeps_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out");
    let text: String = (0..100_000).map(|n| format!("line {n:06}\n")).collect::<Vec<_>>().concat();
    fs::write(&path, &text).unwrap();
    append(&folder.path().join("logs.idx"), format!("0 7 {} 0\n", text.len()).as_bytes());
    let mut reader = LogReader::open(files(folder.path()), Streams::Both);
    all(&mut reader);
    let position = |n: u64| Position { stream: Stream::Stdout, offset: n * 12 };
    let shown = |reader: &mut LogReader, position: Position| {
        let window = reader.window(&request(Anchor::At(position), 0, 0, 1));
        (texts(&window).concat(), window.lines[0].kind, window.lines[0].unix_ms)
    };
    let text_kind = LineKind::Text { begins: true, ends: true, is_cut: false };
    let log = OpenOptions::new().write(true).open(&path).unwrap();
    let mode = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    let has_holes = fallocate(&log, mode, 65_536, 917_504).is_ok();
    if has_holes {
        assert!(reader.poll().has_changed);
        assert_eq!(reader.counts(None).dropped, 917_504);
        assert!(!reader.counts(None).lines.is_exact);
        assert_eq!(shown(&mut reader, position(50_000)), (String::new(), LineKind::Dropped(917_504), Some(7)));
        assert_eq!(shown(&mut reader, position(90_000)), ("line 090000".to_owned(), text_kind, Some(7)));
    }
    reader.mark();
    append(&path, b"one more\n");
    reader.poll();
    let text = text + "one more\n";
    append(&folder.path().join("logs.idx"), format!("0 7 {} 0\n", text.len()).as_bytes());
    // As the engine does it: head, marker, tail, in a new file.
    let (head, tail) = (12 * 5_000, 12 * 85_000);
    let trimmed =
        [&text[..head], &format!("[road_runner: {} bytes dropped here]\n", tail - head), &text[tail..]].concat();
    fs::write(folder.path().join("tmp"), trimmed).unwrap();
    fs::rename(folder.path().join("tmp"), &path).unwrap();
    assert!(reader.poll().is_replaced);
    all(&mut reader);
    for n in [0, 4_999, 85_000, 99_999] {
        let moved = reader.moved(position(n));
        assert_eq!(shown(&mut reader, moved), (format!("line {n:06}"), text_kind, Some(7)));
    }
    let moved = reader.moved(position(50_000));
    assert_eq!(shown(&mut reader, moved).0, "[road_runner: 960000 bytes dropped here]");
    let counts = reader.counts(None);
    assert_eq!((counts.dropped, counts.lines), (960_000, Count { number: 20_002, is_exact: true }));
    assert_eq!(counts.new, Some(Count { number: 1, is_exact: true }));
}

#[test]
fn a_long_line_is_shown_in_pieces_and_many_of_them_are_cut() {
    let folder = tempfile::tempdir().unwrap();
    append(&folder.path().join("out"), &b"x".repeat(10 << 20));
    let mut reader = LogReader::open(files(folder.path()), Streams::Both);
    let window = reader.window(&request(Anchor::Top, 0, 0, 400));
    assert_eq!(window.lines.len(), 320);
    let size: usize = window.lines.iter().map(|line| line.text.len()).sum();
    assert!(size < 6 << 20, "{size}");
    let kinds = [window.lines[0].kind, window.lines[1].kind, window.lines[319].kind];
    let text = |begins, ends, is_cut| LineKind::Text { begins, ends, is_cut };
    assert_eq!(kinds, [text(true, false, false), text(false, false, false), text(false, true, true)]);
    all(&mut reader);
    assert_eq!(reader.counts(None).lines, Count { number: 1, is_exact: true });
}

#[derive(Debug, Clone)]
enum Act {
    Out(String),
    Err(String),
    Sample,
    Look(i32, usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let text = "([a-c]{0,4}\n|[a-c]{0,3}|\n\n){0,4}";
    let act = prop_oneof![
        text.prop_map(Act::Out),
        text.prop_map(Act::Err),
        Just(Act::Sample),
        (-9..9_i32, 0..9_usize).prop_map(|(shift, rows)| Act::Look(shift, rows)),
    ];
    prop::collection::vec(act, 0..24)
}

/// All lines by single steps, as a check of what windows show.
fn sequence(reader: &mut LogReader) -> Vec<(Position, String)> {
    let lines = reader.window(&request(Anchor::Top, 0, 0, MOST_LINES)).lines;
    lines.into_iter().map(|line| (line.position, String::from_utf8(line.text).unwrap())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]
    #[test]
    fn whatever_is_appended_windows_show_the_files(acts in acts(), filter in prop::option::of("[ab]")) {
        let folder = tempfile::tempdir().unwrap();
        let files = files(folder.path());
        let mut reader = LogReader::open(files.clone(), Streams::Both);
        let filter = filter.and_then(|text| Pattern::new(&text));
        let (mut out, mut err, mut samples) = (String::new(), String::new(), 0);
        for act in acts {
            match act {
                Act::Out(text) => { append(&files.stdout, text.as_bytes()); out.push_str(&text); }
                Act::Err(text) => { append(&files.stderr, text.as_bytes()); err.push_str(&text); }
                Act::Sample => {
                    samples += 1;
                    append(&files.index, format!("0 {samples} {} {}\n", out.len(), err.len()).as_bytes());
                }
                Act::Look(shift, rows) => {
                    reader.poll();
                    all(&mut reader);
                    reader.set_filter(None);
                    let lines = sequence(&mut reader);
                    let of = |stream: Stream| {
                        lines.iter().filter(move |(position, _)| position.stream == stream).map(|(_, text)| text.as_str())
                    };
                    prop_assert!(of(Stream::Stdout).eq(out.lines()) && of(Stream::Stderr).eq(err.lines()));
                    reader.set_filter(filter.clone());
                    let passes = |text: &str| filter.as_ref().is_none_or(|filter| filter.matches(text.as_bytes()));
                    let lines: Vec<_> = lines.into_iter().filter(|(_, text)| passes(text)).collect();
                    let tail: Vec<_> = lines.iter().rev().take(rows).rev().map(|(_, text)| text.clone()).collect();
                    prop_assert_eq!(texts(&reader.window(&request(Anchor::Tail, 0, rows, 0))), tail);
                    // Down and up again is where it was.
                    let step = shift.unsigned_abs() as usize;
                    for (n, (position, _)) in lines.iter().enumerate() {
                        let window = reader.window(&request(Anchor::At(*position), shift, 0, 1));
                        let target = if shift < 0 { n.saturating_sub(step) } else { n + step };
                        prop_assert_eq!(window.lines.first().map(|line| line.position), lines.get(target).map(|(position, _)| *position));
                    }
                    // The same while the walk is kept: what follows is looked at again as it grows.
                    reader.window(&request(Anchor::Tail, 0, rows, 0));
                }
            }
            reader.poll();
            all(&mut reader);
            let kept = reader.window(&request(Anchor::Tail, 0, 5, 0));
            reader.begin_anew();
            let fresh = reader.window(&request(Anchor::Tail, 0, 5, 0));
            prop_assert_eq!(texts(&kept), texts(&fresh));
        }
        all(&mut reader);
        prop_assert_eq!(reader.counts(None).lines, Count { number: (out.lines().count() + err.lines().count()) as u64, is_exact: true });
    }
}
