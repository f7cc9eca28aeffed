//! Manifests and flows that cannot be used: exit code 2, place and reason, nothing written.

use std::os::unix::fs::symlink;

use super::{Bench, PLAN};

/// A manifest whose program is at `path`.
fn program(bench: &Bench, path: &str) -> String {
    bench.edit("adapters/probe.yaml", "diags/probe.sh", path);
    let told = bench.told(PLAN);
    assert_eq!(bench.told("adapters check").code, 2, "{path}");
    assert_eq!(bench.runs(), Vec::<String>::new());
    told.all()
}

#[test]
fn programs() {
    insta::assert_snapshot!(program(&Bench::new(), "diags/../probe.sh"), @r"
    --- stderr
    error: the path `diags/../probe.sh` climbs with `..`
     --> adapters/probe.yaml:3:7
      |
    3 | path: diags/../probe.sh
      |       ^^^^^^^^^^^^^^^^^
      |
      = help: write `diags/NAME`, a bare name to look up on PATH, or an absolute path

    error: the manifest of adapter `probe` has errors
     --> flows/smoke.yaml:4:29
      |
    4 |   - { name: first, adapter: probe }
      |                             ^^^^^
      |
      = help: see adapters/probe.yaml

    error: the manifest of adapter `probe` has errors
     --> flows/smoke.yaml:5:30
      |
    5 |   - { name: second, adapter: probe, sweep: { rounds: [1, 2] }, repeat: 2 }
      |                              ^^^^^
      |
      = help: see adapters/probe.yaml

    => 2
    ");
    insta::assert_snapshot!(program(&Bench::new(), "probe/probe.sh"), @r"
    --- stderr
    error: the path `probe/probe.sh` does not lie inside diags/
     --> adapters/probe.yaml:3:7
      |
    3 | path: probe/probe.sh
      |       ^^^^^^^^^^^^^^
      |
      = help: write `diags/NAME`, a bare name to look up on PATH, or an absolute path

    error: the manifest of adapter `probe` has errors
     --> flows/smoke.yaml:4:29
      |
    4 |   - { name: first, adapter: probe }
      |                             ^^^^^
      |
      = help: see adapters/probe.yaml

    error: the manifest of adapter `probe` has errors
     --> flows/smoke.yaml:5:30
      |
    5 |   - { name: second, adapter: probe, sweep: { rounds: [1, 2] }, repeat: 2 }
      |                              ^^^^^
      |
      = help: see adapters/probe.yaml

    => 2
    ");
    insta::assert_snapshot!(program(&Bench::new(), "diags/none.sh"), @r"
    --- stderr
    error: `diags/none.sh` cannot be started: there is no such file
     --> adapters/probe.yaml:3:7
      |
    3 | path: diags/none.sh
      |       ^^^^^^^^^^^^^
      |
      = help: put the program there, or correct the path

    => 2
    ");
    insta::assert_snapshot!(program(&Bench::new(), "no-such-program"), @r"
    --- stderr
    error: `no-such-program` cannot be started: not found on PATH
     --> adapters/probe.yaml:3:7
      |
    3 | path: no-such-program
      |       ^^^^^^^^^^^^^^^
      |
      = help: install it, or write its absolute path

    => 2
    ");
    let bench = Bench::new();
    symlink("/bin/true", bench.path("diags/link.sh")).unwrap();
    insta::assert_snapshot!(program(&bench, "diags/link.sh").replace("/usr/bin", "/bin"), @r"
    --- stderr
    error: `diags/link.sh` cannot be started: a symlink leads out of diags/, to /bin/true
     --> adapters/probe.yaml:3:7
      |
    3 | path: diags/link.sh
      |       ^^^^^^^^^^^^^
      |
      = help: put the program itself into diags/, or write its absolute path

    => 2
    ");
    let bench = Bench::new();
    bench.write("diags/lame.sh", "#!/bin/sh\n");
    insta::assert_snapshot!(program(&bench, "diags/lame.sh"), @r"
    --- stderr
    error: `diags/lame.sh` cannot be started: it is not executable
     --> adapters/probe.yaml:3:7
      |
    3 | path: diags/lame.sh
      |       ^^^^^^^^^^^^^
      |
      = help: chmod +x it

    => 2
    ");
}

#[test]
fn what_others_may_write_is_not_run_as_root() {
    let bench = Bench::new();
    bench.mode("diags/probe.sh", 0o775);
    let told = bench.told(PLAN);
    if rustix::process::geteuid().is_root() {
        insta::assert_snapshot!(told.all(), @r"
        --- stderr
        error: `diags/probe.sh` cannot be started: BENCH/ws/diags/probe.sh is writable by its group (mode 0775) and we run as root
         --> adapters/probe.yaml:3:7
          |
        3 | path: diags/probe.sh
          |       ^^^^^^^^^^^^^^
          |
          = help: chmod go-w it

        => 2
        ");
    } else {
        assert_eq!(told.code, 0, "{}", told.all());
    }
}

/// A flow with these steps.
fn flow(text: &str) -> String {
    let bench = Bench::new();
    bench.write("flows/smoke.yaml", text);
    let told = bench.told(PLAN);
    assert_eq!(bench.runs(), Vec::<String>::new());
    told.all()
}

#[test]
fn flows() {
    insta::assert_snapshot!(flow("name: smoke\nsteps: [ { name: a, adapter: probe, params: { vcore: 1V } } ]\n"), @r"
    --- stderr
    error: `vcore` is bound by the manifest: a flow cannot set it
     --> flows/smoke.yaml:2:47
      |
    2 | steps: [ { name: a, adapter: probe, params: { vcore: 1V } } ]
      |                                               ^^^^^
      |
     ::: adapters/probe.yaml:6:3
      |
    6 |   vcore: { type: voltage, unit: mV, flag: --vcore, from: margin.core.voltage }
      |   ----- bound with `from:` here
      |
      = help: take it out of the flow

    => 2
    ");
    insta::assert_snapshot!(flow("name: smoke\nsteps: [ { name: a, adapter: prob } ]\n"), @r"
    --- stderr
    error: no adapter `prob`
     --> flows/smoke.yaml:2:30
      |
    2 | steps: [ { name: a, adapter: prob } ]
      |                              ^^^^
      |
      = help: did you mean `probe`?

    => 2
    ");
    insta::assert_snapshot!(flow("name: smoke\nsteps: []\n"), @r"
    --- stderr
    error: `steps` is empty: it needs at least one
     --> flows/smoke.yaml:2:8
      |
    2 | steps: []
      |        ^^

    => 2
    ");
    insta::assert_snapshot!(flow("name: smoke\nsteps: [ { name: a, adapter: probe }, { name: a, adapter: probe } ]\n"), @r"
    --- stderr
    error: two steps are named `a`
     --> flows/smoke.yaml:2:47
      |
    2 | steps: [ { name: a, adapter: probe }, { name: a, adapter: probe } ]
      |                                               ^
      |
     ::: flows/smoke.yaml:2:18
      |
    2 | steps: [ { name: a, adapter: probe }, { name: a, adapter: probe } ]
      |                  - first here

    => 2
    ");
    insta::assert_snapshot!(flow("name: smoke\nsteps: [ { name: a, adapter: probe } ]\n---\nname: b\n"), @r"
    --- stderr
    error: more than one document in the file
     --> flows/smoke.yaml:3:1
      |
    3 | ---
      | ^^^
      |
      = help: keep one document a file: remove the `---` or move what follows it to a file of its own

    => 2
    ");
    insta::assert_snapshot!(flow(""), @r"
    --- stderr
    error: the file holds no document
     --> flows/smoke.yaml:1:1
      |
    1 |
      | ^
      |
      = help: write at least a `name:`

    => 2
    ");
}

#[test]
fn values_that_no_argument_may_be() {
    let text =
        |value: &str| format!("name: smoke\nsteps: [ {{ name: a, adapter: probe, params: {{ note: {value} }} }} ]\n");
    let check = |value: &str, says: &str| {
        let bench = Bench::new();
        bench.edit("adapters/probe.yaml", "params:\n", "params:\n  note: { type: string, flag: --note }\n");
        bench.write("flows/smoke.yaml", &text(value));
        let told = bench.told(PLAN);
        assert_eq!(told.code, 2, "{value}: {}", told.all());
        assert!(told.stderr.contains(says), "{value}: {}", told.stderr);
        assert_eq!(bench.runs(), Vec::<String>::new());
    };
    check("--danger", "begins with `-`");
    check("\"a\\nb\"", "newline");
    check("\"a\\0b\"", "NUL");
}

#[test]
fn all_errors_of_a_file_at_once() {
    insta::assert_snapshot!(flow("nmae: smoke\nsteps:\n  - { name: A, adapter: prob, repeat: 0, params: { rounds: x } }\n  - { adapter: probe, timeout: 30, params: { rounds: 5000 } }\n"), @r"
    --- stderr
    error: unknown key `nmae` in the flow
     --> flows/smoke.yaml:1:1
      |
    1 | nmae: smoke
      | ^^^^
      |
      = help: did you mean `name`?

    error: the flow has no `name`
     --> flows/smoke.yaml:1:1
      |
    1 | nmae: smoke
      | ^^^^
      |
      = help: `name` takes a name: a-z, 0-9, `_`, `-`

    error: `name` is `A`: a name is 1 to 64 of a-z, 0-9, `_` and `-`, and begins with a letter or digit
     --> flows/smoke.yaml:3:13
      |
    3 |   - { name: A, adapter: prob, repeat: 0, params: { rounds: x } }
      |             ^
      |
      = help: `a` would be one

    error: no adapter `prob`
     --> flows/smoke.yaml:3:25
      |
    3 |   - { name: A, adapter: prob, repeat: 0, params: { rounds: x } }
      |                         ^^^^
      |
      = help: did you mean `probe`?

    error: `repeat` takes a whole number from 1 to 1000000, not `0`
     --> flows/smoke.yaml:3:39
      |
    3 |   - { name: A, adapter: prob, repeat: 0, params: { rounds: x } }
      |                                       ^

    error: the step has no `name`
     --> flows/smoke.yaml:4:5
      |
    4 |   - { adapter: probe, timeout: 30, params: { rounds: 5000 } }
      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: `name` takes a name: a-z, 0-9, `_`, `-`

    error: `timeout`: a duration needs its unit
     --> flows/smoke.yaml:4:32
      |
    4 |   - { adapter: probe, timeout: 30, params: { rounds: 5000 } }
      |                                ^^
      |
      = help: write `30s` or `30ms` or `30m`

    error: `rounds` is 5000, above what the manifest allows
     --> flows/smoke.yaml:4:54
      |
    4 |   - { adapter: probe, timeout: 30, params: { rounds: 5000 } }
      |                                                      ^^^^ allowed: 1 to 1000
      |
     ::: adapters/probe.yaml:5:3
      |
    5 |   rounds: { type: int, flag: --rounds, default: 1, min: 1, max: 1000 }
      |   ------ declared here

    => 2
    ");
}
