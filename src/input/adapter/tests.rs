//! Manifests: what is read and what each mistake gets.
//! Texts in, the report that people would see out; never files.

use super::*;
use crate::input::testing;

fn check(text: &str) -> String {
    testing::report("adapters/a.yaml", text, read)
}

fn parameters(lines: &str) -> String {
    check(&format!("name: a\npath: diags/a\nparams:\n{lines}"))
}

#[test]
fn paths() {
    let path = |path: &str| check(&format!("name: a\npath: {path}\n"));
    for good in ["diags/a.sh", "./diags/sub/a.sh", "memtester", "/usr/sbin/memtester"] {
        assert_eq!(path(good), "sound", "{good}");
    }
    insta::assert_snapshot!(path("diags/../../bin/sh"), @r"
    error: the path `diags/../../bin/sh` climbs with `..`
     --> adapters/a.yaml:2:7
      |
    2 | path: diags/../../bin/sh
      |       ^^^^^^^^^^^^^^^^^^
      |
      = help: write `diags/NAME`, a bare name to look up on PATH, or an absolute path
    ");
    insta::assert_snapshot!(path("bin/tool"), @r"
    error: the path `bin/tool` does not lie inside diags/
     --> adapters/a.yaml:2:7
      |
    2 | path: bin/tool
      |       ^^^^^^^^
      |
      = help: write `diags/NAME`, a bare name to look up on PATH, or an absolute path
    ");
    insta::assert_snapshot!(path("\"\""), @r#"
    error: the path is empty
     --> adapters/a.yaml:2:7
      |
    2 | path: ""
      |       ^^
      |
      = help: write `diags/NAME`, a bare name to look up on PATH, or an absolute path
    "#);
    insta::assert_snapshot!(path("diags/"), @r"
    error: the path `diags/` does not lie inside diags/
     --> adapters/a.yaml:2:7
      |
    2 | path: diags/
      |       ^^^^^^
      |
      = help: write `diags/NAME`, a bare name to look up on PATH, or an absolute path
    ");
    insta::assert_snapshot!(check("name: a\npath: \"diags/a\\nb\"\nrestore: [../home.sh]\n"), @r#"
    error: the path `diags/a\u{a}b` holds a control character
     --> adapters/a.yaml:2:7
      |
    2 | path: "diags/a\nb"
      |       ^^^^^^^^^^^^
      |
      = help: write `diags/NAME`, a bare name to look up on PATH, or an absolute path

    error: the path `../home.sh` climbs with `..`
     --> adapters/a.yaml:3:11
      |
    3 | restore: [../home.sh]
      |           ^^^^^^^^^^
      |
      = help: write `diags/NAME`, a bare name to look up on PATH, or an absolute path
    "#);
}

#[test]
fn parameters_that_make_no_sense() {
    insta::assert_snapshot!(
        parameters("  a: { type: integer, flag: --a }\n  b: { type: int }\n  c: { type: voltage, flag: --c }\n  d: { type: choice, flag: --d }\n  e: { type: int, flag: --e, unit: mV, choices: [x] }\n  f: { type: bool, flag: null }\n  g: { type: string, flag: \"--g x\", min: 1 }\n  h: { type: voltage, flag: --h, unit: MHz }\n"),
        @r#"
    error: `type` takes one of `int`, `float`, `bool`, `string`, `choice`, `path`, `duration`, `voltage`, `frequency`, not `integer`
     --> adapters/a.yaml:4:14
      |
    4 |   a: { type: integer, flag: --a }
      |              ^^^^^^^

    error: parameter `b` has no `flag`
     --> adapters/a.yaml:5:6
      |
    5 |   b: { type: int }
      |      ^^^^^^^^^^^^^
      |
      = help: `flag` takes text, or `null`

    error: parameter `c` needs a `unit`: the one its argument is in
     --> adapters/a.yaml:6:6
      |
    6 |   c: { type: voltage, flag: --c }
      |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write `unit: mV`

    error: parameter `d` is a choice and has no `choices`
     --> adapters/a.yaml:7:6
      |
    7 |   d: { type: choice, flag: --d }
      |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^

    error: `unit` is for durations, voltages and frequencies only
     --> adapters/a.yaml:8:30
      |
    8 |   e: { type: int, flag: --e, unit: mV, choices: [x] }
      |                              ^^^^

    error: `choices` is for type `choice` only
     --> adapters/a.yaml:8:40
      |
    8 |   e: { type: int, flag: --e, unit: mV, choices: [x] }
      |                                        ^^^^^^^
      |
      = help: write `type: choice`

    error: a `bool` is a bare flag
     --> adapters/a.yaml:9:20
      |
    9 |   f: { type: bool, flag: null }
      |                    ^^^^
      |
      = help: write its flag, as in `flag: --verbose`

    error: `flag` is `--g x`: one word without blanks
      --> adapters/a.yaml:10:28
       |
    10 |   g: { type: string, flag: "--g x", min: 1 }
       |                            ^^^^^^^
       |
       = help: write `flag: null` for a positional

    error: `min` is for numbers and quantities only
      --> adapters/a.yaml:10:37
       |
    10 |   g: { type: string, flag: "--g x", min: 1 }
       |                                     ^^^

    error: `unit` takes one of `mV`, `V`, `uV`, `µV`, `kV`, not `MHz`
      --> adapters/a.yaml:11:40
       |
    11 |   h: { type: voltage, flag: --h, unit: MHz }
       |                                        ^^^
    "#
    );
    insta::assert_snapshot!(
        parameters("  a: { type: int, flag: --a, min: 5, max: 1 }\n  b: { type: int, flag: --b, min: 5, default: 1 }\n  c: { type: int, flag: --c, from: sed }\n  d: { type: int, flag: --d, from: margin.core.voltage }\n  e: { type: choice, flag: --e, choices: [x, -y, x] }\n  f: { type: int, flag: --f, default: many }\n  g: { type: voltage, flag: --g, unit: mV, default: 1.5mV }\n  Bad: { type: int, flag: --bad }\n  i:\n  i: { type: int, flag: --i }\n"),
        @r"
    error: `max` is below `min`
     --> adapters/a.yaml:4:38
      |
    4 |   a: { type: int, flag: --a, min: 5, max: 1 }
      |                                      ^^^
      |
     ::: adapters/a.yaml:4:35
      |
    4 |   a: { type: int, flag: --a, min: 5, max: 1 }
      |                                   - min

    error: `default` is 1, below what the manifest allows
     --> adapters/a.yaml:5:47
      |
    5 |   b: { type: int, flag: --b, min: 5, default: 1 }
      |                                               ^ allowed: at least 5
      |
     ::: adapters/a.yaml:5:3
      |
    5 |   b: { type: int, flag: --b, min: 5, default: 1 }
      |   - declared here

    error: `from` is `sed`, which is nothing to bind to
     --> adapters/a.yaml:6:36
      |
    6 |   c: { type: int, flag: --c, from: sed }
      |                                    ^^^
      |
      = help: write `seed`, `unit`, `margin.RAIL.voltage` or `margin.RAIL.frequency`

    error: parameter `d` cannot be bound to `margin.core.voltage`: its type is another
     --> adapters/a.yaml:7:36
      |
    7 |   d: { type: int, flag: --d, from: margin.core.voltage }
      |                                    ^^^^^^^^^^^^^^^^^^^
      |
      = help: write `type: voltage`

    error: the choice `x` stands twice
     --> adapters/a.yaml:8:50
      |
    8 |   e: { type: choice, flag: --e, choices: [x, -y, x] }
      |                                                  ^

    error: `default` takes a whole number, not `many`
     --> adapters/a.yaml:9:39
      |
    9 |   f: { type: int, flag: --f, default: many }
      |                                       ^^^^

    error: `default`: 1.5mV is not a whole number of mV
      --> adapters/a.yaml:10:53
       |
    10 |   g: { type: voltage, flag: --g, unit: mV, default: 1.5mV }
       |                                                     ^^^^^
       |
      ::: adapters/a.yaml:10:3
       |
    10 |   g: { type: voltage, flag: --g, unit: mV, default: 1.5mV }
       |   - declared here
       |
       = help: `decimals:` in the manifest allows fractions of its unit

    error: a parameter is `Bad`: a name is 1 to 64 of a-z, 0-9, `_` and `-`, and begins with a letter or digit
      --> adapters/a.yaml:11:3
       |
    11 |   Bad: { type: int, flag: --bad }
       |   ^^^
       |
       = help: `bad` would be one

    error: parameter `i` has nothing after it
      --> adapters/a.yaml:12:4
       |
    12 |   i:
       |    ^
       |
       = help: write a value, or take the key out

    error: the key `i` stands twice
      --> adapters/a.yaml:13:3
       |
    13 |   i: { type: int, flag: --i }
       |   ^ again
       |
      ::: adapters/a.yaml:12:3
       |
    12 |   i:
       |   - first here
    "
    );
}

#[test]
fn judgement_that_makes_no_sense() {
    insta::assert_snapshot!(
        check("name: a\npath: a\nexit_codes: { fail: [0, 1], error: [1, 256] }\neffects: { sdc: [ {} ], crash: [], ce: [ { stdout_matches: '(' } ] }\nexpect:\n  - { stdout_matches: '[' }\n  - { metric: round }\n  - {}\n  - { min_duration: 5, metric: rounds }\n  - { min_duration: 5 }\n  - { stdout_absent: x, min: 1 }\n  - { min_duration: { param: x } }\nmetrics:\n  - { name: rounds, stdout_regex: 'rounds=[0-9]+' }\n  - { name: rounds, stdout_regex: '([0-9]+)', file: x }\n  - { name: f, file: ../x, pointer: a }\n  - { name: g, file: x }\n  - { name: h, stderr_regex: '(x)', min: 5, max: 1 }\n  - { name: i, stderr_regex: '(x)' }\n  - { name: i, stderr_regex: '(x)', min: { param: z } }\nrig_errors: [ {} ]\n"),
        @r"
    error: exit code 0 is listed as `fail`, and is a pass by default
     --> adapters/a.yaml:3:22
      |
    3 | exit_codes: { fail: [0, 1], error: [1, 256] }
      |                      ^
      |
      = help: write `pass:` as well

    error: exit code 1 is listed as `fail` and as `error`
     --> adapters/a.yaml:3:37
      |
    3 | exit_codes: { fail: [0, 1], error: [1, 256] }
      |                                     ^
      |
     ::: adapters/a.yaml:3:25
      |
    3 | exit_codes: { fail: [0, 1], error: [1, 256] }
      |                         - first here

    error: an exit code takes a whole number from 0 to 255, not `256`
     --> adapters/a.yaml:3:40
      |
    3 | exit_codes: { fail: [0, 1], error: [1, 256] }
      |                                        ^^^

    error: a rule of `sdc` has no condition: it would always hold
     --> adapters/a.yaml:4:19
      |
    4 | effects: { sdc: [ {} ], crash: [], ce: [ { stdout_matches: '(' } ] }
      |                   ^^

    error: unknown key `crash` in `effects`
     --> adapters/a.yaml:4:25
      |
    4 | effects: { sdc: [ {} ], crash: [], ce: [ { stdout_matches: '(' } ] }
      |                         ^^^^^
      |
      = help: keys here: `ce`, `ue`, `sdc`, `ac`, `sc`

    error: `stdout_matches` is no regular expression: unclosed group
     --> adapters/a.yaml:4:60
      |
    4 | effects: { sdc: [ {} ], crash: [], ce: [ { stdout_matches: '(' } ] }
      |                                                            ^^^

    error: `stdout_matches` is no regular expression: unclosed character class
     --> adapters/a.yaml:6:23
      |
    6 |   - { stdout_matches: '[' }
      |                       ^^^

    error: nothing is expected here
     --> adapters/a.yaml:8:5
      |
    8 |   - {}
      |     ^^
      |
      = help: write exactly one of `stdout_matches`, `stderr_matches`, `stdout_absent`, `stderr_absent`, `min_duration`, `metric`

    error: one expectation an item
     --> adapters/a.yaml:9:5
      |
    9 |   - { min_duration: 5, metric: rounds }
      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: write exactly one of `stdout_matches`, `stderr_matches`, `stdout_absent`, `stderr_absent`, `min_duration`, `metric`

    error: `min_duration`: a duration needs its unit
      --> adapters/a.yaml:10:21
       |
    10 |   - { min_duration: 5 }
       |                     ^
       |
       = help: write `5s` or `5ms` or `5m`

    error: `min` goes with `metric` only
      --> adapters/a.yaml:11:25
       |
    11 |   - { stdout_absent: x, min: 1 }
       |                         ^^^

    error: no parameter `x`
      --> adapters/a.yaml:12:30
       |
    12 |   - { min_duration: { param: x } }
       |                              ^
       |
       = help: there are no parameters here

    error: `stdout_regex` has no group: the value is what the first group holds
      --> adapters/a.yaml:14:35
       |
    14 |   - { name: rounds, stdout_regex: 'rounds=[0-9]+' }
       |                                   ^^^^^^^^^^^^^^^
       |
       = help: put the value in parentheses, as in `rate=([0-9.]+)`

    error: a metric has exactly one source
      --> adapters/a.yaml:15:5
       |
    15 |   - { name: rounds, stdout_regex: '([0-9]+)', file: x }
       |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = help: write one of `stdout_regex`, `stderr_regex`, or `file` with `pointer`

    error: `file` is `../x`: a path inside the step's artifact folder
      --> adapters/a.yaml:16:22
       |
    16 |   - { name: f, file: ../x, pointer: a }
       |                      ^^^^

    error: `pointer` begins with `/`
      --> adapters/a.yaml:16:37
       |
    16 |   - { name: f, file: ../x, pointer: a }
       |                                     ^
       |
       = help: write `/a`

    error: `file` needs a `pointer` to the value in it
      --> adapters/a.yaml:17:16
       |
    17 |   - { name: g, file: x }
       |                ^^^^
       |
       = help: write `pointer: /path/0/to/it`

    error: `max` is below `min`: nothing would hold
      --> adapters/a.yaml:18:45
       |
    18 |   - { name: h, stderr_regex: '(x)', min: 5, max: 1 }
       |                                             ^^^

    error: two metrics are named `i`
      --> adapters/a.yaml:20:5
       |
    20 |   - { name: i, stderr_regex: '(x)', min: { param: z } }
       |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
      ::: adapters/a.yaml:19:13
       |
    19 |   - { name: i, stderr_regex: '(x)' }
       |             - first here

    error: no parameter `z`
      --> adapters/a.yaml:20:51
       |
    20 |   - { name: i, stderr_regex: '(x)', min: { param: z } }
       |                                                   ^
       |
       = help: there are no parameters here

    error: a rule of `rig_errors` has no condition: it would always hold
      --> adapters/a.yaml:21:15
       |
    21 | rig_errors: [ {} ]
       |               ^^
    "
    );
}

#[test]
fn the_rest_of_a_manifest() {
    insta::assert_snapshot!(
        check("name: a\npath: a\nkind: daemon\nargs: [\"a\\nb\", ]\nenv: { 1X: a, ROAD_RUNNER_SEED: 1, OK: }\nrails: [core, core]\ntimeout: 0s\nsilence: 5\n"),
        @r#"
    error: `kind` takes one of `diagnostic`, `controller`, not `daemon`
     --> adapters/a.yaml:3:7
      |
    3 | kind: daemon
      |       ^^^^^^

    error: an item of `args` holds a newline
     --> adapters/a.yaml:4:8
      |
    4 | args: ["a\nb", ]
      |        ^^^^^^

    error: `1X` is no name of a variable
     --> adapters/a.yaml:5:8
      |
    5 | env: { 1X: a, ROAD_RUNNER_SEED: 1, OK: }
      |        ^^
      |
      = help: letters, digits and `_`, not beginning with a digit

    error: names that begin with ROAD_RUNNER_ are set by the runner
     --> adapters/a.yaml:5:15
      |
    5 | env: { 1X: a, ROAD_RUNNER_SEED: 1, OK: }
      |               ^^^^^^^^^^^^^^^^

    error: `env.OK` has nothing after it
     --> adapters/a.yaml:5:38
      |
    5 | env: { 1X: a, ROAD_RUNNER_SEED: 1, OK: }
      |                                      ^
      |
      = help: write a value, or take the key out

    error: `core` stands twice
     --> adapters/a.yaml:6:15
      |
    6 | rails: [core, core]
      |               ^^^^
      |
     ::: adapters/a.yaml:6:9
      |
    6 | rails: [core, core]
      |         ---- first here

    error: `timeout` is zero: every step would be over at once
     --> adapters/a.yaml:7:10
      |
    7 | timeout: 0s
      |          ^^

    error: `silence`: a duration needs its unit
     --> adapters/a.yaml:8:10
      |
    8 | silence: 5
      |          ^
      |
      = help: write `5s` or `5ms` or `5m`
    "#
    );
    insta::assert_snapshot!(check("path: a\n"), @r"
    error: the manifest has no `name`
     --> adapters/a.yaml:1:1
      |
    1 | path: a
      | ^^^^
      |
      = help: `name` takes a name: a-z, 0-9, `_`, `-`
    ");
}

#[test]
fn controllers() {
    let text = "name: c\nkind: controller\npath: diags/c.sh\nrails: [core]\napply: [set, \"{rail}\", \"{voltage_uv}\"]\nread: [get, \"{rail}\"]\nrestore: [nominal, \"{rail}\"]\ntolerance: 1mV\nmax_step: 50mV\nsettle: 20ms\n";
    let Manifest::Controller(controller) = testing::sound(text, read) else { panic!("a controller") };
    assert_eq!((controller.voltage_tolerance, controller.frequency_tolerance), (Some(1000), None));
    assert_eq!((controller.max_step, controller.settle), (Some(50_000), Millis(20)));
    insta::assert_snapshot!(
        check("name: c\nkind: controller\npath: diags/c.sh\nrails: []\napply: [set, \"{volts}\"]\nread: [get]\ntolerance: 1mV\nparams: {}\n"),
        @r#"
    error: the controller's manifest has no `restore`
     --> adapters/a.yaml:1:1
      |
    1 | name: c
      | ^^^^
      |
      = help: `restore` takes a list of texts

    error: `rails` is empty: it needs at least one
     --> adapters/a.yaml:4:8
      |
    4 | rails: []
      |        ^^

    error: `{volts}` holds an unknown placeholder
     --> adapters/a.yaml:5:14
      |
    5 | apply: [set, "{volts}"]
      |              ^^^^^^^^^
      |
      = help: there are `{rail}`, `{voltage_uv}` and `{frequency_khz}`

    error: one tolerance for a controller that does not drive exactly one field
     --> adapters/a.yaml:7:12
      |
    7 | tolerance: 1mV
      |            ^^^
      |
      = help: write `tolerance: { voltage: 1mV, frequency: 1MHz }`

    error: unknown key `params` in the controller's manifest
     --> adapters/a.yaml:8:1
      |
    8 | params: {}
      | ^^^^^^
      |
      = help: keys here: `name`, `kind`, `description`, `path`, `rails`, `apply`, `read`, `restore`, `tolerance`, `max_step`, `settle`, `timeout`
    "#
    );
    let nested = text.replace("\"{voltage_uv}\"", "\"{{rail}voltage_uv}\"");
    assert!(check(&nested).contains("holds an unknown placeholder"), "{nested}");
}
