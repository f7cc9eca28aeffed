//! `docs/evidence.md` against the code and the shipped policy: sources, keys with their defaults, rules, records, variables.
//! Never a run: what a run makes of evidence is tested elsewhere.

use road_runner::domain::evidence::rules::EvidenceRules;
use road_runner::domain::evidence::{Observed, SourceId, Status};
use road_runner::domain::policy::SafetyPolicy;
use road_runner::input::catalogue;
use road_runner::input::keys::{Key, Shape};
use road_runner::input::policy::{self, POLICY};
use road_runner::input::source::Source;

use crate::pages::{blocks, read};

const PAGE: &str = "docs/evidence.md";

fn page() -> String {
    read(PAGE)
}

/// The rows of the table with this head, each with what its first cell names.
fn table(head: &str) -> Vec<(String, String)> {
    let page = page();
    let rows = page.split(head).nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap_or_else(|| panic!("{head}"));
    let rows = rows.lines().filter(|row| row.starts_with("| `"));
    rows.map(|row| (row.split('`').nth(1).unwrap().to_owned(), row.to_owned())).collect()
}

fn names(rows: &[(String, String)]) -> Vec<&str> {
    rows.iter().map(|(name, _)| name.as_str()).collect()
}

fn policy(text: &str) -> SafetyPolicy {
    let (policy, problems) = catalogue::document(&Source::new("safety.yaml", text), policy::read);
    assert!(problems.is_empty(), "{text}\n{:?}", problems.list());
    policy.unwrap()
}

/// The keys of a map by the key that it stands behind.
fn within(keys: &'static [Key], name: &str) -> &'static [Key] {
    let shape = keys.iter().find(|key| key.name == name).map(|key| key.shape);
    match shape {
        Some(Shape::Fields(inner)) => inner,
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn every_source_is_described_and_no_other() {
    let rows = table("| source | read from |");
    let sources: Vec<&str> = SourceId::ALL.iter().map(|source| source.as_str()).collect();
    assert_eq!(names(&rows), sources);
    for (name, row) in &rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        assert!(cells.len() == 4 && cells.iter().all(|cell| !cell.trim().is_empty()), "{name}: {row}");
    }
}

#[test]
fn every_key_is_described_with_its_default_and_no_other() {
    let rows = table("| key | meaning |");
    let keys = within(POLICY, "evidence");
    assert_eq!(names(&rows), keys.iter().map(|key| key.name).collect::<Vec<_>>());
    for (key, (_, row)) in keys.iter().zip(&rows) {
        let mut said = vec![key.default];
        if let Shape::Fields(inner) = key.shape {
            let own: Vec<&str> = inner.iter().map(|key| key.name).collect();
            assert!(own.iter().all(|name| row.contains(&format!("`{name}`"))), "{own:?}: {row}");
            said.extend(inner.iter().map(|key| key.default));
        }
        for default in said.into_iter().filter(|default| !default.is_empty()) {
            assert!(row.contains(&format!("`{default}`")), "the default {default} of {}: {row}", key.name);
        }
    }
}

#[test]
fn the_rules_shown_are_those_of_a_policy_that_says_nothing() {
    let whole: Vec<String> = blocks(PAGE, "yaml").into_iter().filter(|block| block.starts_with("name: ")).collect();
    let [text] = whole.as_slice() else { panic!("{whole:?}") };
    let parts = policy(text).limits.evidence.unwrap().value;
    let standard = EvidenceRules::default();
    assert_eq!(parts.over(&standard), standard);
    assert_eq!(parts.counts.len(), standard.counts().len(), "every rule is shown");
    assert!(parts.lag.is_some());
    for (source, rule) in standard.counts() {
        assert_eq!(parts.counts[&source], rule, "{source}");
    }
}

/// A block that begins with the name of a shipped file is a part of it, line by line.
#[test]
fn excerpts_are_what_is_shipped() {
    let mut checked = vec![];
    for block in blocks(PAGE, "yaml") {
        let Some((name, rest)) = block.strip_prefix("# ").and_then(|block| block.split_once('\n')) else { continue };
        assert!(read(name).contains(&format!("\n{rest}")), "{name} has no such lines:\n{rest}");
        checked.push(name.to_owned());
    }
    assert_eq!(checked, ["policy/safety.yaml"]);
    assert!(policy(&read("policy/safety.yaml")).limits.evidence.unwrap().value.temperature.is_some());
}

#[test]
fn records_in_the_page_are_records() {
    let [text] = blocks(PAGE, "json").try_into().unwrap_or_else(|blocks| panic!("{blocks:?}"));
    let observed: Observed = serde_json::from_str(&text).unwrap();
    let shown: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&observed).unwrap(), shown, "nothing is left out and nothing is added");
}

#[test]
fn states_variables_and_links_are_there() {
    let page = page();
    for status in [Status::Available, Status::Absent, Status::Denied, Status::Error] {
        assert!(page.contains(&format!("`{}`", status.as_str())), "{status:?}");
    }
    let asked = read("src/cli/surroundings.rs");
    let mut said = 0;
    for variable in page.split('`').filter(|word| word.starts_with("ROAD_RUNNER_")) {
        assert!(asked.contains(&format!("\"{variable}\"")), "nobody asks for {variable}");
        said += 1;
    }
    assert_eq!(said, 3);
    for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(read(&format!("docs/{link}")).starts_with("# "), "{link}");
    }
}
