//! What a template can do, and what is said of one that cannot be rendered.

use std::fs;
use std::sync::LazyLock;

use super::template::Form;
use super::tests::{hostile_run, rendered};
use crate::store::test_run::TestRun;

/// What a template of that text makes, or what is said of it.
fn check(template: &str, expected: &str) {
    check_with(&[("report.md", template)], expected);
}

fn check_with(files: &[(&str, &str)], expected: &str) {
    assert_eq!(made(files).unwrap_or_else(|error| error).trim_end(), expected, "{files:?}");
}

/// Where it is refused and why, `templates/report.md.hbs:1:1: there is no ..`.
fn refused(template: &str, expected: &str) {
    refused_with(&[("report.md", template)], expected);
}

fn refused_with(files: &[(&str, &str)], expected: &str) {
    let said = made(files).unwrap_err();
    let mut lines = said.lines().map(str::trim);
    let message = lines.next().and_then(|line| line.strip_prefix("error: ")).unwrap();
    let place = lines.next().and_then(|line| line.strip_prefix("--> ")).unwrap();
    assert_eq!(format!("{place}: {message}"), expected);
}

fn made(files: &[(&str, &str)]) -> Result<String, String> {
    made_of(files, &hostile_run())
}

/// One run for many templates.
static RUN: LazyLock<TestRun> = LazyLock::new(hostile_run);

fn made_of(files: &[(&str, &str)], run: &TestRun) -> Result<String, String> {
    let workspace = tempfile::tempdir().unwrap();
    fs::create_dir(workspace.path().join("templates")).unwrap();
    for (file, text) in files {
        fs::write(workspace.path().join("templates").join(format!("{file}.hbs")), text).unwrap();
    }
    rendered(run, workspace.path(), Form::Markdown)
}

#[test]
fn lists_are_made_row_by_row() {
    check(
        "{{#each steps}}{{subrun}}.{{index}}{{glyph}}{{#unless @last}} {{/unless}}{{/each}}",
        "s00.0+ s00.1+ s01.0+ s01.1X s02.0T",
    );
    check("{{#each steps limit=2}}{{@index}}{{@first}}{{@last}} {{/each}}", "0truefalse 1falsetrue");
    check("{{#each steps limit=0}}x{{else}}none{{/each}}", "none");
    check("{{#each subruns as |s|}}{{s.name}}{{s.cell}} {{/each}}", "s00pass s01fail s02timeout s03inconclusive");
    check("{{#each grid.rows}}{{label}}|{{text}} {{/each}}", "1000mV|+ T 999mV|X \\~");
    check("{{#each counts}}{{#if this}}{{@key}}={{this}} {{/if}}{{/each}}", "fail=1 inconclusive=1 pass=1 timeout=1");
    check(
        "{{#each failures}}{{../flow}}/{{@root.margin}}/{{step}} {{/each}}",
        "flow/margin/cpu-smoke flow/margin/cpu-smoke",
    );
    check("{{#each nothing}}x{{else}}none{{/each}}", "none");
    check_with(
        &[("report.md", "{{> one}}"), ("one", "{{#each steps limit=1}}{{> two}}{{/each}}"), ("two", "<{{step}}>")],
        "<cpu-smoke>",
    );
}

#[test]
fn what_cannot_be_rendered_is_said_with_its_line() {
    refused(
        "{{#each steps}}\n{{/if}}",
        "templates/report.md.hbs:2:1: helper \"each\" was opened, but \"if\" is closing",
    );
    refused(
        "a\n{{#if run_id}",
        "templates/report.md.hbs:2:13: invalid handlebars syntax: expected identifier, helper_parameter, block_param, or trailing_tilde_to_omit_whitespace",
    );
    refused("{{upper run_id}}", "templates/report.md.hbs:1:1: there is no helper `upper`");
    refused("a\nb {{#if (same 1 2)}}x{{/if}}", "templates/report.md.hbs:2:3: there is no helper `same`");
    refused("{{#damage}}x{{/damage}}", "templates/report.md.hbs:1:1: there is no helper `damage`");
    refused("{{> nowhere}}", "templates/report.md.hbs:1:1: there is no templates/nowhere.hbs");
    refused("{{> ../../etc/passwd}}", "templates/report.md.hbs:1:1: `../../etc/passwd` is no name of a partial");
    refused(
        "{{> (lookup . \"flow\")}}",
        "templates/report.md.hbs:1:13: invalid handlebars syntax: expected identifier or helper_parameter",
    );
    refused("{{#> one}}x{{/one}}", "templates/report.md.hbs:1:1: partial blocks are not for reports");
    refused(
        "{{#*inline \"x\"}}{{> x}}{{/inline}}{{> x}}",
        "templates/report.md.hbs:1:1: decorators and inline partials are not for reports",
    );
    refused(&"{{#if a}}".repeat(20_000), "templates/report.md.hbs:1:289: blocks are nested more than 32 deep");
    refused(
        &format!("{{{{#if a}}}}{}{{{{/if}}}}", "{{else if a}}".repeat(10_000)),
        "templates/report.md.hbs:1:426: more than 32 `else` in one block",
    );
    refused(
        &format!("{{{{eq {}1{} 1}}}}", "(not ".repeat(10_000), ")".repeat(10_000)),
        "templates/report.md.hbs:1:1: brackets are nested more than 12 deep",
    );
    refused(
        "{{#each steps}}{{#each ../steps}}x{{/each}}{{/each}}",
        "templates/report.md.hbs:1:16: `steps` within another list that is made row by row",
    );
    refused(&"{{a}}".repeat(5_000), "templates/report.md.hbs:1:20001: more than 4000 tags in one template");
    refused(&"x".repeat(300_000), "templates/report.md.hbs: larger than 256 KiB, the limit for a template");
    // A fault with all that is said of it.
    let files = [("report.md", "{{> one}}"), ("one", "x\n {{> two}}"), ("two", "{{> one}}")];
    insta::assert_snapshot!(made(&files).unwrap_err(), @r"
    error: `one` includes itself
     --> templates/two.hbs:1:1
      |
    1 | {{> one}}
      | ^^^^^^^^^ and so without end
      |
     ::: templates/one.hbs:2:2
      |
    2 |  {{> two}}
      |  --------- `two` is included here
      |
      = help: take one of these includes out
    ");
    refused_with(&[("report.md", "a\n{{> report.md}}")], "templates/report.md.hbs:2:1: `report.md` includes itself");
    let chain: Vec<(String, String)> = (0..40).map(|n| (format!("p{n}"), format!("{{{{> p{}}}}}", n + 1))).collect();
    let mut files = vec![("report.md", "{{> p0}}")];
    files.extend(chain.iter().map(|(name, text)| (name.as_str(), text.as_str())));
    refused_with(&files, "templates/p14.hbs:1:1: partials are nested more than 16 deep");
}

/// Pieces of templates, most of them where they do not belong.
const PIECES: [&str; 40] = [
    "{{",
    "}}",
    "{{{",
    "}}}",
    "{{~",
    "~}}",
    "{{#if a}}",
    "{{#if (eq a 1)}}",
    "{{/if}}",
    "{{else}}",
    "{{else if b}}",
    "{{^}}",
    "{{#each steps}}",
    "{{#each counts as |v k|}}",
    "{{#each}}",
    "{{/each}}",
    "{{#with host}}",
    "{{/with}}",
    "{{> x}}",
    "{{!--",
    "--}}",
    "{{! x }}",
    "{{(a)}}",
    "{{a.[b c].d}}",
    "{{../a}}",
    "{{@index}}",
    "{{@root}}",
    "{{this}}",
    "{{lookup . \"a\"}}",
    "{{{{raw}}}}",
    "{{{{/raw}}}}",
    "\\{{",
    "{{code}}",
    "{{steps_data 1}}",
    "{{eq}}",
    "{{len steps}}",
    "(",
    "|",
    "é\n",
    "x=1 ",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(400))]
    /// Whatever a template is, it is rendered or refused: nothing of it reaches the engine's own panics.
    #[test]
    fn no_template_brings_the_program_down(pieces in proptest::collection::vec(0..PIECES.len(), 0..14)) {
        let text: String = pieces.into_iter().map(|piece| PIECES[piece]).collect();
        let files = [("report.md", text.as_str()), ("x", "{{a}}")];
        if let Err(said) = made_of(&files, &RUN) {
            proptest::prop_assert!(said.contains("--> templates/"), "{text:?}: {said}");
        }
    }
}
