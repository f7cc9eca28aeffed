//! The target that reads the logs of an execution with the index that tells when what was written.

use std::collections::BTreeMap;

use road_runner::store::log_find::Direction;
use road_runner::store::log_pattern::Pattern;
use road_runner::store::log_reader::{Anchor, Finding, LogFiles, LogReader, Streams, Window, WindowRequest};
use road_runner::store::log_samples::Stream;

use super::{files, unpack};

/// `stdout`, `stderr` and `logs.idx` as files of one input. Every byte of both logs is in exactly one line, in order, and
/// lines that are filtered or found are some of them.
pub fn log(data: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let all = files(data, "stdout");
    unpack(folder.path(), &all);
    let at = |name: &str| folder.path().join(name);
    let logs = LogFiles { stdout: at("stdout"), stderr: at("stderr"), index: at("logs.idx"), execution: 0 };
    for streams in [Streams::Both, Streams::Stdout] {
        let mut reader = LogReader::open(logs.clone(), streams);
        reader.poll();
        worked(&mut reader);
        let whole = window(&mut reader, Anchor::Top, 0, 1000);
        if whole.is_top && whole.is_end {
            let mut ends: BTreeMap<Stream, u64> = BTreeMap::new();
            for line in &whole.lines {
                let end = ends.entry(line.position.stream).or_default();
                assert_eq!(line.position.offset, *end, "a gap before {line:?}");
                assert!(line.end > line.position.offset);
                *end = line.end;
            }
            for (stream, name) in [(Stream::Stdout, "stdout"), (Stream::Stderr, "stderr")] {
                // A folder in the place of a log is none.
                let file = std::fs::metadata(at(name)).ok().filter(std::fs::Metadata::is_file);
                let size = file.map_or(0, |metadata| metadata.len());
                let expected = if streams.has(stream) { size } else { 0 };
                assert_eq!(ends.get(&stream).copied().unwrap_or(0), expected, "{name}");
            }
            let tail = window(&mut reader, Anchor::Tail, 1000, 0);
            assert_eq!(tail.lines, whole.lines, "from below as from above");
        }
        reader.set_search(Pattern::new("e"));
        reader.set_filter(Pattern::new("[a-f0-9]"));
        worked(&mut reader);
        let filtered = window(&mut reader, Anchor::Top, 0, 1000);
        if whole.is_end && !filtered.is_partial {
            assert!(filtered.lines.iter().all(|line| whole.lines.contains(line)));
        }
        reader.find(Direction::Down, None, None, true);
        for _ in 0..1000 {
            match reader.find_on(4096) {
                Finding::More => {}
                Finding::At(position) => {
                    let counts = reader.counts(Some(position));
                    assert!(counts.hits.is_some_and(|hits| hits.number > 0), "{counts:?}");
                    break;
                }
                Finding::Nothing => break,
            }
        }
    }
}

fn worked(reader: &mut LogReader) {
    let mut rounds = 0;
    while reader.work(1 << 20) {
        rounds += 1;
        assert!(rounds < 10_000, "never done");
    }
}

fn window(reader: &mut LogReader, anchor: Anchor, above: usize, below: usize) -> Window {
    reader.window(&WindowRequest { anchor, shift: 0, above, below })
}
