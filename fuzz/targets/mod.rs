//! What each fuzz target does with its bytes: reads them as the program would, and holds what comes of it against what is
//! promised. The targets of `fuzz_targets/` and the test that replays the corpora share it. Never looks at anything outside
//! of a folder that it makes for itself.

mod documents;
mod fixture;
mod logs;
mod output;
mod records;
mod values;

use std::fs;
use std::path::{Component, Path};

use road_runner::domain::sanitize;
use road_runner::input::problem::Problems;
use road_runner::input::render::render;
use road_runner::input::source::{Source, Sources};

pub use documents::{flow, keymap, manifest, margin, policy, template, theme};
pub use logs::log;
pub use output::{ansi, metrics, scan};
pub use records::{journal, plan, record, report};
pub use values::{facts, host, kernel_log, quantity};

/// A target by name: `fuzz_targets/<name>.rs`, `corpus/<name>/`.
pub type Target = (&'static str, fn(&[u8]));

/// All of them.
pub const TARGETS: [Target; 19] = [
    ("ansi", ansi),
    ("facts", facts),
    ("flow", flow),
    ("host", host),
    ("journal", journal),
    ("kernel_log", kernel_log),
    ("keymap", keymap),
    ("log", log),
    ("manifest", manifest),
    ("margin", margin),
    ("metrics", metrics),
    ("plan", plan),
    ("policy", policy),
    ("quantity", quantity),
    ("record", record),
    ("report", report),
    ("scan", scan),
    ("template", template),
    ("theme", theme),
];

/// A document, if it is text at all: what is not is refused by the reader of files.
fn source(data: &[u8], shown: &str) -> Option<Source> {
    std::str::from_utf8(data).ok().map(|text| Source::new(shown, text))
}

fn is_fit_to_show(text: &str) -> bool {
    !text.chars().any(sanitize::is_hostile)
}

/// What problems are promised: the report can be drawn, moves no cursor, is no longer than said, and points at what is there.
fn told(problems: &Problems, sources: &Sources) {
    let plain = render(problems, sources, false);
    assert!(is_fit_to_show(&plain), "something hostile in {plain:?}");
    assert_eq!(without_styles(&render(problems, sources, true)), plain, "colours change the text");
    let files = problems.list().iter().map(|problem| &problem.place.file).collect::<std::collections::BTreeSet<_>>();
    assert!(plain.len() < 20_000 * files.len().max(1), "a report of {} bytes", plain.len());
    assert_eq!(plain.is_empty(), problems.is_empty());
    for problem in problems.list() {
        let places = std::iter::once(&problem.place).chain(problem.related.iter().map(|(place, _)| place));
        for place in places.filter(|place| place.line > 0) {
            let Some(source) = sources.find(&place.file) else { continue };
            let line = source.line(place.line);
            let length = line.unwrap_or_else(|| panic!("{place} does not exist: {}", problem.message)).chars().count();
            assert!(place.column >= 1 && place.len >= 1, "{place}+{}: {}", place.len, problem.message);
            assert!(place.column as usize <= length + 1, "{place} lies behind its line: {}", problem.message);
        }
    }
}

/// As [`told`], of one document.
fn told_of(problems: &Problems, source: &Source) {
    let mut sources = Sources::default();
    sources.add(source.clone());
    told(problems, &sources);
}

/// The text without `ESC [ .. m`.
fn without_styles(styled: &str) -> String {
    let mut text = String::new();
    let mut rest = styled;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        text.push_str(before);
        rest = after.split_once('m').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    text
}

/// The most files that one input holds.
const MOST_FILES: usize = 64;

/// Several files in one input, each behind a line `==> PATH <==` as `tail -n +1 FILE..` prints it; `alone` is the path of
/// what stands before the first such line.
fn files<'d>(data: &'d [u8], alone: &'d str) -> Vec<(&'d str, &'d [u8])> {
    let mut found: Vec<(&str, &[u8])> = vec![];
    let (mut path, mut from, mut at) = (alone, 0, 0);
    for line in data.split_inclusive(|byte| *byte == b'\n') {
        let header = line.strip_prefix(b"==> ").and_then(|rest| rest.strip_suffix(b" <==\n"));
        if let Some(next) = header.and_then(|header| std::str::from_utf8(header).ok()) {
            found.push((path, &data[from..at]));
            (path, from) = (next, at + line.len());
        }
        at += line.len();
    }
    found.push((path, &data[from..]));
    found.retain(|(path, text)| !(path.is_empty() || *path == alone && text.is_empty()));
    found.truncate(MOST_FILES);
    found
}

/// Writes them below a folder; a path that leads out of it, or through another file, is passed over.
fn unpack(folder: &Path, files: &[(&str, &[u8])]) {
    for (path, text) in files {
        let path = Path::new(path);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            continue;
        }
        let path = folder.join(path);
        if path.parent().is_some_and(|parent| fs::create_dir_all(parent).is_ok()) {
            drop(fs::write(path, text));
        }
    }
}
