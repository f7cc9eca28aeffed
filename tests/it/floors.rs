//! The house rules, checked on the sources themselves: floors import only downward, the domain is pure, nothing below
//! the faces prints, files are short and say what they are for. Never a matter of formatting.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The floor of each module; modules on one floor do not see each other.
const FLOORS: [(&str, u32); 10] = [
    ("domain", 0),
    ("input", 1),
    ("host", 1),
    ("store", 1),
    ("engine", 2),
    ("report", 2),
    ("commands", 3),
    ("tui", 4),
    ("headless", 4),
    ("cli", 5),
];

/// What would make the domain more than values and rules.
const IMPURE: [&str; 11] = [
    "tokio",
    "ratatui",
    "std::fs",
    "std::env",
    "std::thread",
    "std::process",
    "std::net",
    "std::time::SystemTime",
    "std::time::Instant",
    "SystemTime::now",
    "Utc::now",
];

const PRINTING: [&str; 5] = ["println!", "eprintln!", "print!", "eprint!", "dbg!"];
const GIVING_UP: [&str; 5] = [".unwrap()", ".expect(", "panic!", "todo!", "unimplemented!"];
const LONGEST: usize = 600;

/// A file below `src/`, its path with `/`.
struct Source {
    path: String,
    text: String,
}

fn floor(module: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// All that the sources do wrong, a line each.
fn faults(sources: &[Source]) -> Vec<String> {
    let tests: BTreeSet<String> = sources.iter().flat_map(test_files).collect();
    let is_test = |path: &str| {
        tests.iter().any(|test| path == test || path.starts_with(&format!("{}/", test.trim_end_matches(".rs"))))
    };
    let mut faults = vec![];
    for source in sources {
        let Source { path, text } = source;
        let mut fault = |what: String| faults.push(format!("{path}: {what}"));
        if !text.starts_with("//!") {
            fault("does not open with //!".to_owned());
        }
        if text.lines().count() > LONGEST {
            fault(format!("has more than {LONGEST} lines"));
        }
        let all = code(text);
        if all.contains("#[allow") || all.contains("#![allow") {
            fault("allows a lint without expecting it".to_owned());
        }
        if is_test(path) {
            continue;
        }
        // Tests stand last in a file.
        let code = &all[..tests_begin(&all)];
        GIVING_UP.iter().filter(|word| has(code, word)).for_each(|word| fault(format!("gives up with {word}")));
        let Some((module, rest)) = path.split_once('/') else { continue };
        let Some(own) = floor(module) else {
            fault("stands on no floor".to_owned());
            continue;
        };
        // `super` counts from the file's own module; `mod.rs` is its folder's.
        let depth = rest.trim_end_matches("/mod.rs").split('/').count() + usize::from(rest != "mod.rs");
        for used in paths(code).into_iter().collect::<BTreeSet<_>>() {
            let wanted = from_root(&used, depth).and_then(|path| path.split("::").next().map(str::to_owned));
            if let Some(wanted) = wanted.filter(|wanted| wanted != module && !wanted.is_empty()) {
                match floor(&wanted) {
                    Some(other) if other < own => {}
                    Some(other) if other == own => fault(format!("imports sideways: {used}")),
                    Some(_) => fault(format!("imports upward: {used}")),
                    None => fault(format!("imports from no floor: {used}")),
                }
            }
            let begins =
                |with: &&&str| used == **with || used.starts_with(&format!("{with}::")) || used.ends_with(**with);
            if own == 0
                && let Some(impure) = IMPURE.iter().find(begins)
            {
                fault(format!("is not pure: {impure}"));
            }
        }
        if own < 4 {
            PRINTING.iter().filter(|word| has(code, word)).for_each(|word| fault(format!("prints with {word}")));
        }
    }
    faults
}

/// Whether a word stands there that is not the end of a longer one.
fn has(code: &str, word: &str) -> bool {
    code.match_indices(word)
        .any(|(at, _)| word.starts_with('.') || !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// The path behind `crate::` or behind enough `super::`, if it leads to the root.
fn from_root(path: &str, depth: usize) -> Option<String> {
    if let Some(rest) = path.strip_prefix("crate::").or_else(|| path.strip_prefix("road_runner::")) {
        return Some(rest.to_owned());
    }
    let up = path.split("::").take_while(|segment| *segment == "super").count();
    (up >= depth).then(|| path.split("::").skip(up).collect::<Vec<_>>().join("::"))
}

/// Files that a source declares as modules for tests only.
fn test_files(source: &Source) -> Vec<String> {
    let folder = source.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let stem = source.path.trim_end_matches(".rs");
    let inside = if stem.ends_with("/mod") || stem == "lib" { folder } else { stem };
    let mut files = vec![];
    let mut lines = source.text.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" {
            continue;
        }
        let mut given = None;
        for line in lines.by_ref() {
            if let Some(path) = line.strip_prefix("#[path = \"") {
                given = path.strip_suffix("\"]");
            } else if !line.starts_with("#[") {
                let name = line.trim_start_matches("pub ").trim_start_matches("pub(crate) ").strip_prefix("mod ");
                if let Some(name) = name.and_then(|name| name.strip_suffix(';')) {
                    let path = given.map_or_else(|| format!("{inside}/{name}.rs"), |given| format!("{folder}/{given}"));
                    files.push(path.trim_start_matches('/').to_owned());
                }
                break;
            }
        }
    }
    files
}

/// Where a source's own module of tests begins, or its end.
fn tests_begin(code: &str) -> usize {
    let opens = |at: &usize| {
        let declared = code[*at..].lines().nth(1).unwrap_or_default().trim_start_matches("pub(super) ");
        declared.starts_with("mod ") && declared.ends_with('{')
    };
    code.match_indices("#[cfg(test)]").map(|(at, _)| at).find(opens).unwrap_or(code.len())
}

/// The source without comments and without what stands in literals.
fn code(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let word_before = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let hashes = (i + 1..chars.len()).take_while(|&j| at(j) == '#').count();
        if at(i) == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if at(i) == '/' && at(i + 1) == '*' {
            i += 2;
            while i < chars.len() && !(at(i) == '*' && at(i + 1) == '/') {
                i += 1;
            }
            i += 2;
        } else if at(i) == 'r' && at(i + 1 + hashes) == '"' && (!word_before || out.ends_with('b')) {
            i += hashes + 2;
            while i < chars.len() && !(at(i) == '"' && (1..=hashes).all(|n| at(i + n) == '#')) {
                i += 1;
            }
            i += hashes + 1;
            out.push_str("\"\"");
        } else if at(i) == '"' {
            i += 1;
            while i < chars.len() && at(i) != '"' {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            i += 1;
            out.push_str("\"\"");
        } else if at(i) == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < chars.len() && at(i) != '\'' {
                i += 1;
            }
            i += 1;
            out.push_str("''");
        } else {
            out.push(at(i));
            i += 1;
        }
    }
    out
}

/// Every path with `::` in it; the trees of `use` are taken apart.
fn paths(code: &str) -> Vec<String> {
    let mut paths = vec![];
    let mut rest = code;
    while let Some(start) = rest.find(|c: char| c.is_alphabetic() || c == '_') {
        rest = &rest[start..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).unwrap_or(rest.len());
        let (path, behind) = rest.split_at(end);
        rest = behind;
        if path.ends_with("::") && behind.starts_with('{') {
            let close = closing(behind);
            tree(path, &behind[1..close], &mut paths);
            rest = &behind[close..];
        } else if path.contains("::") {
            paths.push(path.trim_end_matches(':').to_owned());
        }
    }
    paths
}

/// Where the brace that opens the text is closed.
fn closing(text: &str) -> usize {
    let mut open = 0_i32;
    for (index, c) in text.char_indices() {
        open += i32::from(c == '{') - i32::from(c == '}');
        if open == 0 {
            return index;
        }
    }
    text.len()
}

/// The branches of a `use` tree, each behind `prefix`.
fn tree(prefix: &str, inside: &str, paths: &mut Vec<String>) {
    let mut rest = inside;
    while !rest.trim().is_empty() {
        let end = rest.find([',', '{']).unwrap_or(rest.len());
        let branch = rest[..end].trim();
        if rest[end..].starts_with('{') {
            let close = end + closing(&rest[end..]);
            tree(&format!("{prefix}{branch}"), &rest[end + 1..close], paths);
            rest = rest[close + 1..].trim_start().trim_start_matches(',');
        } else {
            let name = branch.split_whitespace().next().unwrap_or_default();
            paths.push(format!("{prefix}{name}"));
            rest = rest.get(end + 1..).unwrap_or_default();
        }
    }
}

fn read(folder: &Path, root: &Path, sources: &mut Vec<Source>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            read(&path, root, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            sources.push(Source { path: relative, text: fs::read_to_string(&path).unwrap() });
        }
    }
}

#[test]
fn the_house_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = vec![];
    read(&root, &root, &mut sources);
    assert!(sources.iter().any(|s| s.path == "domain/plan.rs") && sources.len() > 50, "{}", sources.len());
    let faults = faults(&sources);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_fault_is_seen() {
    let check = |path: &str, text: &str, expected: &[&str]| {
        let source = Source { path: path.to_owned(), text: text.to_owned() };
        let expected: Vec<String> = expected.iter().map(|fault| format!("{path}: {fault}")).collect();
        assert_eq!(faults(&[source]), expected, "{text}");
    };
    check("domain/plan.rs", "//! A.\nuse crate::domain::{name::Name, units};\nuse std::fmt;", &[]);
    check("domain/plan.rs", "use std::fmt;", &["does not open with //!"]);
    check("domain/plan.rs", &"//!\n".repeat(601), &["has more than 600 lines"]);
    check("engine/run.rs", "//!\n#[allow(dead_code)]\nfn f() {}", &["allows a lint without expecting it"]);
    check(
        "engine/run.rs",
        "//!\nfn f() { g().unwrap(); h().expect(\"x\"); }",
        &["gives up with .unwrap()", "gives up with .expect("],
    );
    check(
        "engine/run.rs",
        "//!\n#[expect(dead_code, reason = \".unwrap()\")]\n// .unwrap()\nconst A: &str = r#\"\".unwrap()\"#;",
        &[],
    );
    check("engine/run.rs", "//!\n\n#[cfg(test)]\nmod tests {\n fn f() { g().unwrap(); println!(); }\n}", &[]);
    check("engine/run.rs", "//!\n#[cfg(test)]\nmod other;\nfn f() { g().unwrap(); }", &["gives up with .unwrap()"]);
    check("domain/plan.rs", "//!\nuse crate::engine::runner;", &["imports upward: crate::engine::runner"]);
    check("domain/plan.rs", "//!\nfn f() { crate::store::layout::f(); }", &["imports upward: crate::store::layout::f"]);
    check("domain/plan.rs", "//!\nuse super::super::engine;", &["imports upward: super::super::engine"]);
    check("domain/plan/freeze.rs", "//!\nuse super::super::name;", &[]);
    check("domain/mod.rs", "//!\nuse super::cli;", &["imports upward: super::cli"]);
    check(
        "input/flow.rs",
        "//!\nuse crate::{domain::name, store::layout as l, host};",
        &["imports sideways: crate::host", "imports sideways: crate::store::layout"],
    );
    check(
        "store/layout.rs",
        "//!\nuse crate::{\n    domain::{a, b::{c}},\n    commands::{x},\n};",
        &["imports upward: crate::commands::x"],
    );
    check("tui/app.rs", "//!\nuse crate::headless::progress;", &["imports sideways: crate::headless::progress"]);
    check("cli/mod.rs", "//!\nuse crate::tui::app;\nfn f() { println!(\"\"); }", &[]);
    check("domain/plan.rs", "//!\nuse crate::helpers::x;", &["imports from no floor: crate::helpers::x"]);
    check("helpers/plan.rs", "//!", &["stands on no floor"]);
    check("domain/a.rs", "//!\nuse std::{fmt, fs};", &["is not pure: std::fs"]);
    check("domain/a.rs", "//!\nfn f<'a>(c: char) { if c == '\"' { chrono::Utc::now(); } }", &["is not pure: Utc::now"]);
    check("domain/a.rs", "//!\nfn f() { std::env::var(\"tokio::x\"); }", &["is not pure: std::env"]);
    check("domain/a.rs", "//!\nuse tokio::sync;", &["is not pure: tokio"]);
    check("store/a.rs", "//!\nuse std::fs;", &[]);
    check("commands/a.rs", "//!\nfn f() { eprintln!(\"x\"); }", &["prints with eprintln!"]);
    check("headless/a.rs", "//!\nfn f() { eprintln!(\"x\"); }", &[]);
}

#[test]
fn files_for_tests_alone_are_known() {
    let check = |path: &str, text: &str, expected: &[&str]| {
        assert_eq!(test_files(&Source { path: path.to_owned(), text: text.to_owned() }), expected);
    };
    check("domain/mod.rs", "#[cfg(test)]\npub mod kit;\nmod plan;", &["domain/kit.rs"]);
    check("lib.rs", "pub mod cli;\n#[cfg(test)]\nmod schemas;", &["schemas.rs"]);
    check("domain/plan.rs", "mod freeze;\n#[cfg(test)]\nmod tests;", &["domain/plan/tests.rs"]);
    check("engine/run.rs", "#[cfg(test)]\n#[path = \"run_tests.rs\"]\nmod tests;", &["engine/run_tests.rs"]);
    check("engine/run.rs", "#[cfg(test)]\nmod tests {", &[]);
    let sources =
        [("domain/plan.rs", "//!\n#[cfg(test)]\nmod tests;"), ("domain/plan/tests.rs", "//!\nfn f() { x.unwrap(); }")];
    let sources = sources.map(|(path, text)| Source { path: path.to_owned(), text: text.to_owned() });
    assert_eq!(faults(&sources), [""; 0]);
}
