//! The pages in docs/ against the code that they describe.

use std::fs;
use std::path::Path;

use road_runner::domain::event::{Journal, RunEvent};
use road_runner::domain::verdict::exit;

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The cells of every table row of a page whose first cell is not a title or a rule.
fn rows(page: &str) -> Vec<Vec<String>> {
    page.lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").map(str::to_owned).collect())
        .collect()
}

#[test]
fn exit_codes_are_those_of_the_code() {
    let said = rows(&page("docs/exit-codes.md"));
    let expected = exit::TABLE.iter().map(|(codes, meaning)| {
        let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
        vec![codes.join(" / "), (*meaning).to_owned()]
    });
    let codes: Vec<Vec<String>> = said.into_iter().filter(|row| row[0] != "code" && row[0] != "0").collect();
    assert_eq!(codes, expected.collect::<Vec<_>>());
}

#[test]
fn the_readme_knows_every_exit_code() {
    let page = page("README.md");
    let codes: Vec<u8> = exit::TABLE.iter().flat_map(|(codes, _)| codes.iter().copied()).collect();
    let said: Vec<String> = rows(&page).into_iter().map(|row| row[0].clone()).collect();
    for code in codes {
        let listed = |cell: &String| cell.split(", ").any(|one| one == code.to_string());
        assert!(said.iter().any(listed), "{code} is not in the README's table");
    }
}

#[test]
fn every_event_is_described_with_its_journal_and_fields() {
    let page = page("docs/artifacts.md");
    let (run, sub_run) = page.split_once("| `steps.ldjson` |").expect("two tables");
    for (name, journal) in RunEvent::NAMES {
        let part = if *journal == Journal::Run { run } else { sub_run };
        assert!(part.contains(&format!("| `{name}` |")), "{name} is not in the table of its journal");
    }
    // Field by field, from the lines of a real run.
    let runs = tempfile::tempdir().unwrap();
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_road_runner"))
        .args(["run", "--no-tui", "--yes", "-q", "--flow", "vc707", "--margin", "nominal", "--workspace"])
        .arg(env!("CARGO_MANIFEST_DIR"))
        .arg("--runs-dir")
        .arg(runs.path())
        .env("ROAD_RUNNER_HOST_LOCK", runs.path().join("lock"))
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.code().is_some_and(|code| code < 2), "{status}");
    let run = fs::read_dir(runs.path()).unwrap().map(|e| e.unwrap().path()).find(|p| p.is_dir()).unwrap();
    let sub_run = fs::read_dir(run.join("subruns")).unwrap().next().unwrap().unwrap().path();
    let said = rows(&page);
    let mut lines = 0;
    for journal in [run.join("events.ldjson"), sub_run.join("steps.ldjson")] {
        for line in fs::read_to_string(journal).unwrap().lines() {
            let event: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).unwrap();
            let name = event["event"].as_str().unwrap();
            let row = said.iter().find(|row| row[0] == format!("`{name}`")).unwrap();
            for field in event.keys().filter(|key| !["event", "seq", "at"].contains(&key.as_str())) {
                assert!(row[1].contains(&format!("`{field}`")), "{name} has `{field}`, the page does not");
            }
            lines += 1;
        }
    }
    assert!(lines > 6, "{lines} lines");
    for key in serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(
        &fs::read_to_string(run.join("summary.json")).unwrap(),
    )
    .unwrap()
    .keys()
    {
        assert!(page.contains(&format!("`{key}`")), "summary.json has `{key}`, the page does not");
    }
}

/// Commands in the pages for people: each exists, with the flags that are written there.
#[test]
fn commands_in_the_pages_are_commands() {
    let mut checked = 0;
    for name in [
        "README.md",
        "docs/quickstart.md",
        "docs/writing-adapters.md",
        "docs/controllers.md",
        "docs/exit-codes.md",
        "docs/reports.md",
    ] {
        for line in page(name).lines() {
            let Some((_, words)) = line.split_once("road_runner ") else { continue };
            if !line.trim_start().starts_with(['r', 'P', '$']) || line.starts_with("runs/") {
                continue;
            }
            let words: Vec<&str> = words.split('#').next().unwrap_or("").split_whitespace().collect();
            let names: Vec<&str> =
                words.iter().copied().take_while(|w| !w.starts_with('-') && !w.contains('_')).take(2).collect();
            let help = |names: &[&str]| {
                let program = env!("CARGO_BIN_EXE_road_runner");
                let output = std::process::Command::new(program).args(names).arg("--help").output().unwrap();
                output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
            };
            let text = help(&names).or_else(|| help(&names[..1])).unwrap_or_else(|| panic!("{name}: {line}"));
            for flag in words.iter().filter(|w| w.starts_with("--")) {
                assert!(text.contains(flag), "{name}: `{line}`: no {flag}");
            }
            checked += 1;
        }
    }
    assert!(checked > 12, "{checked} commands");
}
