//! Flows: what is read and what each mistake gets.
//! Texts in, the report that people would see out; never files.

use super::*;
use crate::input::adapter::{self, Manifest};
use crate::input::testing;

const TOOL: &str = "name: tool
path: diags/tool.sh
params:
  iterations: { type: int, flag: --iterations, default: 20000, min: 1, max: 100000 }
  ratio: { type: float, flag: --ratio, allow_leading_dash: true }
  pattern: { type: choice, flag: --pattern, choices: [walking_ones, checkerboard] }
  label: { type: string, flag: --label }
  window: { type: duration, unit: s, decimals: 1, flag: --window, max: 1h }
  vaux: { type: voltage, unit: mV, flag: --vaux }
  fast: { type: bool, flag: --fast }
  seed: { type: int, flag: --seed, from: seed }
";

fn adapters() -> Adapters {
    let mut adapters = Adapters::default();
    for text in [TOOL, "name: strict\npath: tool\nparams: { size: { type: int, flag: -s, required: true } }\n"] {
        if let Manifest::Adapter(adapter) = testing::sound(text, adapter::read) {
            adapters.adapters.insert(adapter.name.clone(), *adapter);
        }
    }
    adapters.broken.insert("broken".to_owned(), "adapters/broken.yaml".into());
    adapters
}

fn check(text: &str) -> String {
    testing::report_beside(("x.yaml", TOOL), "flows/f.yaml", text, |doc, root| read(doc, root, &adapters()))
}

/// A flow of one step of `tool` with these further lines.
fn step(lines: &str) -> String {
    let flow = format!("name: f\nsteps:\n  - name: s\n    adapter: tool\n{lines}");
    check(&flow)
}

#[test]
fn a_flow_is_typed() {
    let flow = testing::sound(
        "name: f\nsteps:\n  - name: s\n    adapter: tool\n    params: { pattern: checkerboard, fast: true, label: 6.10 }\n    \
         sweep: { window: [500ms, 1s], ratio: { from: 0.5, to: -1, step: -0.25 }, vaux: { from: 1V, to: 1.01V, step: 5mV } }\n    \
         repeat: 3\n    pass_rule: { at_least: 2 }\n    on_failure: stop_run\n    timeout: 90s\n",
        |doc, root| read(doc, root, &adapters()),
    );
    assert_eq!((flow.name.as_str(), flow.steps.len()), ("f", 1));
    let step = &flow.steps[0];
    let params: Vec<String> =
        step.params.iter().map(|(name, value)| format!("{name}={} at {}", value.value, value.place)).collect();
    assert_eq!(
        params,
        ["fast=true at x.yaml:5:44", "label=6.10 at x.yaml:5:57", "pattern=checkerboard at x.yaml:5:24"]
    );
    let swept: Vec<String> = step
        .sweep
        .iter()
        .map(|(name, sweep)| {
            let values: Vec<String> = (0..sweep.len()).map(|i| sweep.at(i).unwrap().0.to_string()).collect();
            format!("{name}: {}", values.join(" "))
        })
        .collect();
    assert_eq!(swept, ["window: 500ms 1s", "ratio: 0.5 0.25 0 -0.25 -0.5 -0.75 -1", "vaux: 1000mV 1005mV 1010mV"]);
    assert_eq!((step.repeat, step.pass_rule, step.on_failure), (3, PassRule::AtLeast(2), OnFailure::StopRun));
    assert_eq!(step.timeout.as_ref().map(|t| t.value), Some(Millis(90_000)));
}

#[test]
fn every_error_of_a_file_at_once() {
    insta::assert_snapshot!(
        check("name: Bad Flow\ndescription:\nstep: []\nsteps:\n  - name: a\n    adpter: tool\n    repeat: 0\n    timeout: 30\n    optional: yes\n  - name: a\n    adapter: tol\n    on_failure: stop\n  - name: a\n    adapter: broken\n    adapter: tool\n    <<: { x: 1 }\n"),
        @r"
    error: `name` is `Bad Flow`: a name is 1 to 64 of a-z, 0-9, `_` and `-`, and begins with a letter or digit
     --> flows/f.yaml:1:7
      |
    1 | name: Bad Flow
      |       ^^^^^^^^
      |
      = help: `bad_flow` would be one

    error: `description` has nothing after it
     --> flows/f.yaml:2:1
      |
    2 | description:
      | ^^^^^^^^^^^
      |
      = help: write a value, or take the key out

    error: unknown key `step` in the flow
     --> flows/f.yaml:3:1
      |
    3 | step: []
      | ^^^^
      |
      = help: did you mean `steps`?

    error: the step has no `adapter`
     --> flows/f.yaml:5:5
      |
    5 |   - name: a
      |     ^^^^
      |
      = help: `adapter` takes a name: a-z, 0-9, `_`, `-`

    error: unknown key `adpter` in the step
     --> flows/f.yaml:6:5
      |
    6 |     adpter: tool
      |     ^^^^^^
      |
      = help: did you mean `adapter`?

    error: `repeat` takes a whole number from 1 to 1000000, not `0`
     --> flows/f.yaml:7:13
      |
    7 |     repeat: 0
      |             ^

    error: `timeout`: a duration needs its unit
     --> flows/f.yaml:8:14
      |
    8 |     timeout: 30
      |              ^^
      |
      = help: write `30s` or `30ms` or `30m`

    error: `optional` takes `true` or `false`, not `yes`
     --> flows/f.yaml:9:15
      |
    9 |     optional: yes
      |               ^^^
      |
      = help: write `true`

    error: no adapter `tol`
      --> flows/f.yaml:11:14
       |
    11 |     adapter: tol
       |              ^^^
       |
       = help: did you mean `tool`?

    error: `on_failure` takes one of `continue`, `stop_subrun`, `stop_run`, not `stop`
      --> flows/f.yaml:12:17
       |
    12 |     on_failure: stop
       |                 ^^^^

    error: two steps are named `a`
      --> flows/f.yaml:13:11
       |
    13 |   - name: a
       |           ^
       |
      ::: flows/f.yaml:10:11
       |
    10 |   - name: a
       |           - first here

    error: the manifest of adapter `broken` has errors
      --> flows/f.yaml:14:14
       |
    14 |     adapter: broken
       |              ^^^^^^
       |
       = help: see adapters/broken.yaml

    error: the key `adapter` stands twice
      --> flows/f.yaml:15:5
       |
    15 |     adapter: tool
       |     ^^^^^^^ again
       |
      ::: flows/f.yaml:14:5
       |
    14 |     adapter: broken
       |     ------- first here

    error: merge keys are not read
      --> flows/f.yaml:16:5
       |
    16 |     <<: { x: 1 }
       |     ^^
       |
       = help: write the keys out
    "
    );
}

#[test]
fn parameters_are_checked_by_the_manifest() {
    insta::assert_snapshot!(
        step("    params:\n      iteration: 5\n      pattern: chekerboard\n      ratio: .nan\n      window: 1.25s\n      vaux: 1.2\n      fast: \"true\"\n      seed: 4\n"),
        @r#"
    error: adapter `tool` has no parameter `iteration`
     --> flows/f.yaml:6:7
      |
    6 |       iteration: 5
      |       ^^^^^^^^^
      |
      = help: did you mean `iterations`?

    error: `pattern` takes one of `walking_ones`, `checkerboard`, not `chekerboard`
     --> flows/f.yaml:7:16
      |
    7 |       pattern: chekerboard
      |                ^^^^^^^^^^^
      |
      = help: did you mean `checkerboard`?

    error: `ratio` takes a number, not `.nan`
     --> flows/f.yaml:8:14
      |
    8 |       ratio: .nan
      |              ^^^^
      |
      = help: write a plain decimal number of at most 15 digits, as in `-1.25`

    error: `window`: 1.25s is not a whole number of s with 1 decimals
     --> flows/f.yaml:9:15
      |
    9 |       window: 1.25s
      |               ^^^^^
      |
     ::: x.yaml:8:3
      |
    8 |   window: { type: duration, unit: s, decimals: 1, flag: --window, max: 1h }
      |   ------ declared here
      |
      = help: `decimals:` in the manifest allows fractions of its unit

    error: `vaux`: a voltage needs its unit
      --> flows/f.yaml:10:13
       |
    10 |       vaux: 1.2
       |             ^^^
       |
       = help: write `1.2mV` or `1.2V` or `1.2uV`

    error: `fast` takes `true` or `false`, not `"true"`
      --> flows/f.yaml:11:13
       |
    11 |       fast: "true"
       |             ^^^^^^
       |
       = help: write `true`

    error: `seed` is bound by the manifest: a flow cannot set it
      --> flows/f.yaml:12:7
       |
    12 |       seed: 4
       |       ^^^^
       |
      ::: x.yaml:11:3
       |
    11 |   seed: { type: int, flag: --seed, from: seed }
       |   ---- bound with `from:` here
       |
       = help: take it out of the flow
    "#
    );
    insta::assert_snapshot!(
        step("    params:\n      iterations: 100001\n      label: -x\n      window: 2h\n      vaux: 850MHz\n      fast: 1\n"),
        @r"
    error: `iterations` is 100001, above what the manifest allows
     --> flows/f.yaml:6:19
      |
    6 |       iterations: 100001
      |                   ^^^^^^ allowed: 1 to 100000
      |
     ::: x.yaml:4:3
      |
    4 |   iterations: { type: int, flag: --iterations, default: 20000, min: 1, max: 100000 }
      |   ---------- declared here

    error: `label`: a value that begins with `-` needs `allow_leading_dash: true` in the manifest
     --> flows/f.yaml:7:14
      |
    7 |       label: -x
      |              ^^
      |
     ::: x.yaml:7:3
      |
    7 |   label: { type: string, flag: --label }
      |   ----- declared here

    error: `window` is 2h, above what the manifest allows
     --> flows/f.yaml:8:15
      |
    8 |       window: 2h
      |               ^^ allowed: at most 1h
      |
     ::: x.yaml:8:3
      |
    8 |   window: { type: duration, unit: s, decimals: 1, flag: --window, max: 1h }
      |   ------ declared here

    error: `vaux`: `MHz` is not a unit of voltage; units are mV, V, uV, µV, kV
     --> flows/f.yaml:9:13
      |
    9 |       vaux: 850MHz
      |             ^^^^^^

    error: `fast` takes `true` or `false`, not `1`
      --> flows/f.yaml:10:13
       |
    10 |       fast: 1
       |             ^
       |
       = help: write `true`
    "
    );
    insta::assert_snapshot!(
        step("    params: { label: \"a\\nb\", iterations: 20_000, ratio: 1e3, vaux: 1e400V, pattern: [a] }\n"),
        @r#"
    error: `label`: a value holds no NUL and no newline
     --> flows/f.yaml:5:22
      |
    5 |     params: { label: "a\nb", iterations: 20_000, ratio: 1e3, vaux: 1e400V, pattern: [a] }
      |                      ^^^^^^
      |
     ::: x.yaml:7:3
      |
    7 |   label: { type: string, flag: --label }
      |   ----- declared here

    error: `iterations` takes a whole number, not `20_000`
     --> flows/f.yaml:5:42
      |
    5 |     params: { label: "a\nb", iterations: 20_000, ratio: 1e3, vaux: 1e400V, pattern: [a] }
      |                                          ^^^^^^

    error: `ratio` takes a number, not `1e3`
     --> flows/f.yaml:5:57
      |
    5 |     params: { label: "a\nb", iterations: 20_000, ratio: 1e3, vaux: 1e400V, pattern: [a] }
      |                                                         ^^^
      |
      = help: write a plain decimal number of at most 15 digits, as in `-1.25`

    error: `vaux`: `1e400V` has an exponent
     --> flows/f.yaml:5:68
      |
    5 |     params: { label: "a\nb", iterations: 20_000, ratio: 1e3, vaux: 1e400V, pattern: [a] }
      |                                                                    ^^^^^^
      |
      = help: write the number out

    error: `pattern` takes one of `walking_ones`, `checkerboard`
     --> flows/f.yaml:5:85
      |
    5 |     params: { label: "a\nb", iterations: 20_000, ratio: 1e3, vaux: 1e400V, pattern: [a] }
      |                                                                                     ^^^ this is a list
    "#
    );
    insta::assert_snapshot!(step("    params: { label: \"a\\0b\" }\n"), @r#"
    error: `label` holds a NUL
     --> flows/f.yaml:5:22
      |
    5 |     params: { label: "a\0b" }
      |                      ^^^^^^
    "#);
    insta::assert_snapshot!(check("name: f\nsteps: [ { name: s, adapter: strict } ]\n"), @r"
    error: adapter `strict` needs parameter `size`
     --> flows/f.yaml:2:30
      |
    2 | steps: [ { name: s, adapter: strict } ]
      |                              ^^^^^^
      |
     ::: x.yaml:3:8
      |
    3 | params:
      |        - required here
      |
      = help: write `params: { size: … }`
    ");
}

#[test]
fn sweeps_are_checked_without_being_made() {
    insta::assert_snapshot!(
        step("    sweep:\n      iterations: { from: 1, to: 100, step: 0 }\n      window: { from: 10s, to: 1s, step: 1s }\n      label: { from: a, to: b, step: c }\n      pattern: [checkerboard, checkerboard]\n      fast: true\n"),
        @r"
    error: a step of zero never arrives
     --> flows/f.yaml:6:45
      |
    6 |       iterations: { from: 1, to: 100, step: 0 }
      |                                             ^
      |
      = help: write one value instead of a range, or a step that arrives

    error: the step leads away from `to`
     --> flows/f.yaml:7:42
      |
    7 |       window: { from: 10s, to: 1s, step: 1s }
      |                                          ^^
      |
      = help: from here it goes down: write `step: -1s`

    error: `label` is no number: there is no range of it
     --> flows/f.yaml:8:14
      |
    8 |       label: { from: a, to: b, step: c }
      |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write a list

    error: `checkerboard` stands twice in this list
     --> flows/f.yaml:9:31
      |
    9 |       pattern: [checkerboard, checkerboard]
      |                               ^^^^^^^^^^^^
      |
     ::: flows/f.yaml:9:17
      |
    9 |       pattern: [checkerboard, checkerboard]
      |                 ------------ first here
      |
      = help: use `repeat` to run a combination more than once

    error: `fast` is swept: it takes a list or a range
      --> flows/f.yaml:10:13
       |
    10 |       fast: true
       |             ^^^^
       |
       = help: write `[a, b]`, `{ from: , to: , step: }`, or set one value under `params`
    "
    );
    insta::assert_snapshot!(
        step("    params: { iterations: 7 }\n    sweep:\n      iterations: { from: 1, to: 1000000000000, step: 1 }\n      vaux: { from: 1V, to: 2V, step: 1500uV }\n      ratio: []\n      pattern: { from: 1, upto: 2 }\n"),
        @r"
    error: `iterations` is both set and swept
     --> flows/f.yaml:7:7
      |
    7 |       iterations: { from: 1, to: 1000000000000, step: 1 }
      |       ^^^^^^^^^^
      |
     ::: flows/f.yaml:5:15
      |
    5 |     params: { iterations: 7 }
      |               ---------- set here

    error: `iterations` is 1000000000000, above what the manifest allows
     --> flows/f.yaml:7:19
      |
    7 |       iterations: { from: 1, to: 1000000000000, step: 1 }
      |                   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ allowed: 1 to 100000
      |
     ::: x.yaml:4:3
      |
    4 |   iterations: { type: int, flag: --iterations, default: 20000, min: 1, max: 100000 }
      |   ---------- declared here

    error: `vaux`: 1001.5mV is not a whole number of mV
     --> flows/f.yaml:8:13
      |
    8 |       vaux: { from: 1V, to: 2V, step: 1500uV }
      |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
     ::: x.yaml:9:3
      |
    9 |   vaux: { type: voltage, unit: mV, flag: --vaux }
      |   ---- declared here
      |
      = help: `decimals:` in the manifest allows fractions of its unit

    error: `ratio` is empty: it needs at least one
     --> flows/f.yaml:9:14
      |
    9 |       ratio: []
      |              ^^

    error: `pattern` is no number: there is no range of it
      --> flows/f.yaml:10:16
       |
    10 |       pattern: { from: 1, upto: 2 }
       |                ^^^^^^^^^^^^^^^^^^^^
       |
       = help: write a list
    "
    );
}

#[test]
fn what_is_no_flow() {
    insta::assert_snapshot!(check("name: f\n"), @r"
    error: the flow has no `steps`
     --> flows/f.yaml:1:1
      |
    1 | name: f
      | ^^^^
      |
      = help: `steps` takes a list of maps
    ");
    insta::assert_snapshot!(check("name: f\nsteps: []\n"), @r"
    error: `steps` is empty: it needs at least one
     --> flows/f.yaml:2:8
      |
    2 | steps: []
      |        ^^
    ");
    insta::assert_snapshot!(check("- name: f\n"), @r"
    error: the flow takes a map of `name`, `description`, `steps`
     --> flows/f.yaml:1:1
      |
    1 | - name: f
      | ^ this is a list
    ");
    insta::assert_snapshot!(check("name: f\nsteps: [ { name: s, adapter: tool, pass_rule: { at_least: 2 } }, { name: t, adapter: tool, pass_rule: most } ]\n"), @r"
    error: 2 must pass and only 1 run: that can never be met
     --> flows/f.yaml:2:59
      |
    2 | steps: [ { name: s, adapter: tool, pass_rule: { at_least: 2 } }, { name: t, adapter: tool, pass_rule: most } ]
      |                                                           ^
      |
      = help: write `repeat: 2` or less here

    error: `pass_rule` takes one of `all`, `any`, or a map of `at_least`
     --> flows/f.yaml:2:103
      |
    2 | steps: [ { name: s, adapter: tool, pass_rule: { at_least: 2 } }, { name: t, adapter: tool, pass_rule: most } ]
      |                                                                                                       ^^^^ not this
    ");
    insta::assert_snapshot!(check(""), @r"
    error: the file holds no document
     --> flows/f.yaml:1:1
      |
    1 |
      | ^
      |
      = help: write at least a `name:`
    ");
    insta::assert_snapshot!(check("name: f\n---\nname: g\n"), @r"
    error: more than one document in the file
     --> flows/f.yaml:2:1
      |
    2 | ---
      | ^^^
      |
      = help: keep one document a file: remove the `---` or move what follows it to a file of its own
    ");
    insta::assert_snapshot!(check("name: f\nsteps: !now []\n"), @r"
    error: unknown tag `!now`
     --> flows/f.yaml:2:8
      |
    2 | steps: !now []
      |        ^
      |
      = help: remove the tag: types follow from the keys
    ");
}
