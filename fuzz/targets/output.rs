//! Targets that read what a diagnostic wrote: lines with control sequences, logs searched by the patterns of a manifest, files
//! of numbers.

use std::fs::File;
use std::io::Write as _;

use road_runner::domain::shown;
use road_runner::domain::theme::Depth;
use road_runner::domain::verdict::{Effect, Verdict};
use road_runner::engine::judge::{Seen, judge};
use road_runner::engine::leavings;
use road_runner::engine::scan::StreamPatterns;
use road_runner::input::adapter::{self, Manifest};
use road_runner::input::catalogue::document;
use road_runner::tui::ansi::Shown;

use super::{is_fit_to_show, source};

/// A line as the screen shows it: nothing hostile is left, every run of one style ends between two characters, and the text
/// does not depend on how many colours there are.
pub fn ansi(data: &[u8]) {
    let plain = shown::plain(data);
    assert!(is_fit_to_show(&plain) && !plain.contains('\n'), "{plain:?}");
    assert_eq!(shown::plain(plain.as_bytes()), plain);
    let depths = [Depth::None, Depth::Ansi, Depth::Indexed, Depth::True];
    let all = depths.map(|depth| Shown::of(data, depth));
    for shown in &all {
        assert_eq!(shown.text, all[0].text);
        assert!(is_fit_to_show(&shown.text) && !shown.text.contains(['\n', '\t']), "{:?}", shown.text);
        let ends: Vec<usize> = shown.runs().iter().map(|(end, _)| *end).collect();
        assert!(ends.windows(2).all(|two| two[0] < two[1]), "{ends:?}");
        assert!(ends.iter().all(|end| shown.text.is_char_boundary(*end)), "{ends:?}");
        assert_eq!(ends.last().copied().unwrap_or(0), shown.text.len(), "{:?}", shown.text);
    }
}

/// What stands between a manifest and a log.
const CUT: &[u8] = b"\n--8<--\n";

/// A manifest, and behind `--8<--` the log that its patterns are searched in; the execution is judged by it.
pub fn scan(data: &[u8]) {
    let Some(cut) = data.windows(CUT.len()).position(|piece| piece == CUT) else { return };
    let (text, log) = (&data[..cut], &data[cut + CUT.len()..]);
    let Some(source) = source(text, "adapters/fuzz.yaml") else { return };
    let (Some(Manifest::Adapter(adapter)), _) = document(&source, adapter::read) else { return };
    let patterns = StreamPatterns::compile(&adapter.judgement).unwrap();
    let mut file: File = tempfile::tempfile().unwrap();
    file.write_all(log).unwrap();
    let size = log.len() as u64;
    let stdout = patterns.stdout.search(&file, size).unwrap();
    let stderr = patterns.stderr.search(&file, size).unwrap();
    // Bytes that are no text become three each.
    assert!(stdout.values().chain(stderr.values()).all(|found| found.len() <= 3 * 256));
    for exit_code in [Some(0), Some(1), None] {
        let seen = Seen { exit_code, stdout: stdout.clone(), stderr: stderr.clone(), ..Seen::default() };
        let outcome = judge(&adapter.judgement, &std::collections::BTreeMap::new(), &seen);
        assert!(outcome.metrics.values().all(|metric| metric.value.is_finite()));
        if outcome.verdict == Verdict::Pass {
            assert!(outcome.effects.iter().all(|effect| *effect == Effect::Ce), "{outcome:?}");
            assert_eq!((outcome.reason, outcome.error), (None, None));
        } else {
            assert!(outcome.reason.is_some(), "{outcome:?}");
        }
    }
}

/// A file of numbers: its first line is where to look, the rest the file.
pub fn metrics(data: &[u8]) {
    let cut = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let Ok(pointer) = std::str::from_utf8(&data[..cut]) else { return };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m"), data.get(cut + 1..).unwrap_or_default()).unwrap();
    match leavings::number(folder.path(), "m", pointer) {
        Ok(number) => assert!(number.is_finite()),
        Err(why) => assert!(why.starts_with('m') || why.contains(" of m "), "{why}"),
    }
    assert_eq!(leavings::files(folder.path()).unwrap(), ["m"]);
}
