//! `docs/reliability.md`: every promise in it names tests, and every test that it names is there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::pages::read;

const PAGE: &str = "docs/reliability.md";

/// The rows of the table of promises: what is promised, and the tests that hold it.
fn promises() -> Vec<(String, Vec<String>)> {
    let page = read(PAGE);
    let table = page.split("| promise | held by |\n|---|---|\n").nth(1).and_then(|rest| rest.split("\n\n").next());
    let row = |row: &str| {
        let cells: Vec<&str> = row.trim_matches('|').splitn(2, " | ").collect();
        let tests = cells.get(1).into_iter().flat_map(|cell| cell.split('`').skip(1).step_by(2));
        (cells[0].trim().to_owned(), tests.map(str::to_owned).collect())
    };
    table.unwrap().lines().map(row).collect()
}

/// The tests of the checkout that are not left out, by the last two parts of their names.
fn tests() -> BTreeSet<String> {
    fn walk(folder: &Path, all: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, all);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                for test in text.split("#[test]\n").skip(1) {
                    let mut lines = test.lines().map(str::trim).skip_while(|line| line.starts_with("//"));
                    let first = lines.next().unwrap_or_default();
                    if let Some(name) = first.strip_prefix("fn ").and_then(|rest| rest.split('(').next()) {
                        all.insert(name.to_owned());
                    }
                }
            }
        }
    }
    let mut all = BTreeSet::new();
    for folder in ["src", "tests"] {
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut all);
    }
    all
}

#[test]
fn no_promise_is_without_a_test() {
    let (promises, tests) = (promises(), tests());
    assert!(promises.len() > 12, "{promises:?}");
    for (promise, held_by) in promises {
        assert!(promise.starts_with("**") && !held_by.is_empty(), "{promise}");
        for test in held_by {
            let name = test.rsplit("::").next().unwrap();
            assert!(tests.contains(name), "{promise}: there is no test {test}");
        }
    }
}

#[test]
fn every_figure_has_its_command() {
    let page = read(PAGE);
    let table = page.split("| what | figure | command |\n|---|---|---|\n").nth(1).unwrap();
    let rows: Vec<&str> = table.lines().take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 5, "{rows:?}");
    for row in rows {
        assert!(row.matches(" | ").count() == 2 && row.ends_with("` |"), "{row}");
    }
}
