//! Damaged documents: whatever is done to a sound one, reading it ends, and its report is short and harmless.
//! Tests only.

use proptest::prelude::*;

use super::adapter::Adapters;
use super::keys::{Key, Shape};
use super::{adapter, catalogue, flow, margin, policy, testing, theme};
use crate::domain::sanitize;

fn samples() -> Vec<(String, String)> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut samples = vec![];
    for folder in ["flows", "margins", "policy", "policy/profiles", "adapters", "ui-themes"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "yaml") {
                samples.push((folder.to_owned(), std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    samples.sort();
    samples
}

fn report(folder: &str, text: &str, adapters: &Adapters) -> String {
    match folder {
        "flows" => testing::report("x.yaml", text, |doc, root| flow::read(doc, root, adapters)),
        "margins" => testing::report("x.yaml", text, margin::read),
        "policy" => testing::report("x.yaml", text, policy::read),
        "policy/profiles" => testing::report("x.yaml", text, policy::read_profile),
        "ui-themes" => testing::report("x.yaml", text, theme::read),
        _ => testing::report("x.yaml", text, adapter::read),
    }
}

#[derive(Debug, Clone)]
enum Damage {
    Remove(usize),
    Twice,
    Put(&'static str),
}

fn damage() -> impl Strategy<Value = (prop::sample::Index, prop::sample::Index, Damage)> {
    let put = prop::sample::select(vec![
        "",
        "~",
        "{}",
        "[]",
        "-1",
        "0",
        "1e400V",
        ".nan",
        "1V",
        "3GHz",
        "yes",
        "\"",
        "'",
        ": ",
        "- ",
        "*a",
        "&a ",
        "<<: ",
        "!x ",
        "\u{1b}[2J",
        "\u{202e}",
        "\t",
        "\n",
        "\n---\n",
        "#",
        "{from: 1, to: 2, step: 0}",
        "99999999999999999999",
        "é漢",
        "\u{feff}",
    ]);
    let kind = prop_oneof![(1_usize..30).prop_map(Damage::Remove), Just(Damage::Twice), put.prop_map(Damage::Put)];
    (any::<prop::sample::Index>(), any::<prop::sample::Index>(), kind)
}

/// Applies one damage to a line of `text`, at character `column`.
fn damaged(text: &str, line: prop::sample::Index, column: prop::sample::Index, how: &Damage) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if lines.is_empty() {
        return text.to_owned();
    }
    let at = line.index(lines.len());
    let chars: Vec<char> = lines[at].chars().collect();
    let column = column.index(chars.len() + 1);
    let (before, after) = chars.split_at(column);
    let (before, after): (String, String) = (before.iter().collect(), after.iter().collect());
    match how {
        Damage::Remove(count) => lines[at] = before + &after.chars().skip(*count).collect::<String>(),
        Damage::Twice => lines.insert(at, lines[at].clone()),
        // In place of the word there, so that values are hit as often as structure.
        Damage::Put(put) => lines[at] = before + put + after.trim_start_matches(char::is_alphanumeric),
    }
    lines.join("\n") + "\n"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn damage_is_reported_and_no_more(which in any::<prop::sample::Index>(), damages in prop::collection::vec(damage(), 1..6)) {
        let samples = samples();
        let adapters = catalogue::Catalogue::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR"))).adapters;
        let (folder, text) = &samples[which.index(samples.len())];
        let broken = damages.iter().fold(text.clone(), |text, (line, column, how)| damaged(&text, *line, *column, how));
        let report = report(folder, &broken, &adapters);
        prop_assert!(report.len() < 20_000, "{} bytes", report.len());
        prop_assert!(!report.chars().any(sanitize::is_hostile), "{report}");
    }
}

/// Every table can be said in words, names each key once and explains it.
#[test]
fn the_tables_of_keys_are_sound() {
    fn check(keys: &[Key], path: &str, seen: &mut usize) {
        for (at, key) in keys.iter().enumerate() {
            let path = format!("{path}.{}", key.name);
            *seen += 1;
            assert!(keys[..at].iter().all(|other| other.name != key.name), "{path} stands twice");
            assert!(key.help.ends_with('.') && !key.shape.words().is_empty(), "{path} is not explained");
            assert!(!key.required || key.default.is_empty(), "{path} is required and has a default");
            inside(key.shape, &path, seen);
        }
    }
    fn inside(shape: Shape, path: &str, seen: &mut usize) {
        match shape {
            Shape::Fields(keys) => check(keys, path, seen),
            Shape::Named(inner) | Shape::List(inner) => inside(*inner, path, seen),
            Shape::Either(shapes) => shapes.iter().for_each(|shape| inside(*shape, path, seen)),
            _ => {}
        }
    }
    let mut seen = 0;
    for (name, keys) in [
        ("flow", flow::FLOW),
        ("margin", margin::MARGIN),
        ("policy", policy::POLICY),
        ("profile", policy::PROFILE),
        ("adapter", adapter::ADAPTER),
        ("controller", adapter::CONTROLLER),
        ("theme", theme::THEME),
        ("keys", super::keymap::KEYS),
    ] {
        check(keys, name, &mut seen);
    }
    assert!(seen > 100, "{seen} keys");
}
