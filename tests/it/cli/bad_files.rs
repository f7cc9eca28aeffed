//! Margins and policies that cannot be used: exit code 2, place and reason, whatever command meets them.

use std::fs;

use super::{Bench, PLAN};

/// A margin with these rails: code, and what `margins validate` says of it.
fn margin(rails: &str) -> String {
    let bench = Bench::new();
    bench.write("margins/bad.yaml", &format!("name: bad\nglobal_seed: 1\ndefault: {{ core: {rails} }}\n"));
    let told = bench.told("margins validate --file margins/bad.yaml");
    assert_eq!(bench.runs(), Vec::<String>::new());
    assert_eq!(told.stdout, "", "{rails}");
    format!("{}=> {}", told.stderr, told.code)
}

#[test]
fn quantities() {
    insta::assert_snapshot!(margin("{ voltage: 0.85 }"), @r"
    error: `core.voltage`: a voltage needs its unit
     --> margins/bad.yaml:3:29
      |
    3 | default: { core: { voltage: 0.85 } }
      |                             ^^^^
      |
      = help: write `0.85mV` or `0.85V` or `0.85uV`

    => 2
    ");
    insta::assert_snapshot!(margin("{ frequency: 850mV }"), @r"
    error: `core.frequency`: `mV` is not a unit of frequency; units are MHz, GHz, kHz
     --> margins/bad.yaml:3:31
      |
    3 | default: { core: { frequency: 850mV } }
      |                               ^^^^^

    => 2
    ");
    insta::assert_snapshot!(margin("{ voltage: .nan }"), @r"
    error: `core.voltage`: `.nan` is not a number with a unit
     --> margins/bad.yaml:3:29
      |
    3 | default: { core: { voltage: .nan } }
      |                             ^^^^
      |
      = help: write a voltage with its unit, as in `850mV`

    => 2
    ");
    insta::assert_snapshot!(margin("{ voltage: 1e400V }"), @r"
    error: `core.voltage`: `1e400V` has an exponent
     --> margins/bad.yaml:3:29
      |
    3 | default: { core: { voltage: 1e400V } }
      |                             ^^^^^^
      |
      = help: write the number out

    => 2
    ");
    insta::assert_snapshot!(margin("{ voltage: -850mV }"), @r"
    error: `core.voltage`: a voltage is not negative
     --> margins/bad.yaml:3:29
      |
    3 | default: { core: { voltage: -850mV } }
      |                             ^^^^^^

    => 2
    ");
}

#[test]
fn ranges() {
    insta::assert_snapshot!(margin("{ voltage: { from: 900mV, to: 800mV, step: 0mV } }"), @r"
    error: a step of zero never arrives
     --> margins/bad.yaml:3:61
      |
    3 | default: { core: { voltage: { from: 900mV, to: 800mV, step: 0mV } } }
      |                                                             ^^^
      |
      = help: write one value instead of a range, or a step that arrives

    => 2
    ");
    insta::assert_snapshot!(margin("{ voltage: { from: 900mV, to: 800mV, step: 10mV } }"), @r"
    error: the step leads away from `to`
     --> margins/bad.yaml:3:61
      |
    3 | default: { core: { voltage: { from: 900mV, to: 800mV, step: 10mV } } }
      |                                                             ^^^^
      |
      = help: from here it goes down: write `step: -10mV`

    => 2
    ");
    // A range of a million million points is counted, not made: too many is a matter of safety.
    insta::assert_snapshot!(margin("{ voltage: { from: 0mV, to: 1000000000mV, step: 1uV } }"), @r"
    error: it has 1000000000001 points, and a plan may have at most 10000 sub-runs
     --> margins/bad.yaml:1:1
      |
    1 | name: bad
      | ^
      |
      = help: sweep fewer values, or raise max_subruns in the policy

    error: core.voltage = 0mV is outside 850mV .. 1050mV
     --> margins/bad.yaml:3:29
      |
    3 | default: { core: { voltage: { from: 0mV, to: 1000000000mV, step: 1uV } } }
      |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ at least 850mV is allowed
      |
     ::: policy/profiles/genoa.yaml:4:38
      |
    4 | policy: { limits: { core: { voltage: { min: 850mV, max: 1050mV } } } }
      |                                      --------------------------- the bound

    error: core.voltage = 1000000000mV is outside 850mV .. 1050mV
     --> margins/bad.yaml:3:29
      |
    3 | default: { core: { voltage: { from: 0mV, to: 1000000000mV, step: 1uV } } }
      |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ at most 1050mV is allowed
      |
     ::: policy/profiles/genoa.yaml:4:38
      |
    4 | policy: { limits: { core: { voltage: { min: 850mV, max: 1050mV } } } }
      |                                      --------------------------- the bound

    error: margins/bad.yaml leaves the bounds in force on this host
    help: road_runner policy explain shows every bound and where it was written
    => 3
    ");
}

/// A policy in which `from` is replaced: every command that needs it refuses, and nothing is written.
fn policy(from: &str, to: &str) -> String {
    let bench = Bench::new();
    bench.edit("policy/safety.yaml", from, to);
    let told = bench.told(PLAN);
    for line in
        ["policy explain", "policy list", "margins validate --file down", "run --yes --flow smoke --margin down"]
    {
        assert_eq!(bench.told(line).code, 2, "{line} with {to}");
    }
    assert_eq!(bench.runs(), Vec::<String>::new());
    format!("{}=> {}", told.stderr, told.code)
}

#[test]
fn a_bound_never_disappears_or_appears_silently() {
    insta::assert_snapshot!(policy("max: 1100mV", "mxa: 1100mV"), @r"
    error: `core.voltage` has no `max`
     --> policy/safety.yaml:3:20
      |
    3 |   core: { voltage: { min: 700mV, mxa: 1100mV }, frequency: { min: 800MHz, max: 4.2GHz } }
      |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: `max` takes a voltage with its unit, as in `850mV`

    error: unknown key `mxa` in `core.voltage`
     --> policy/safety.yaml:3:34
      |
    3 |   core: { voltage: { min: 700mV, mxa: 1100mV }, frequency: { min: 800MHz, max: 4.2GHz } }
      |                                  ^^^
      |
      = help: did you mean `max`?

    => 2
    ");
    insta::assert_snapshot!(policy("max: 1100mV", "max:"), @r"
    error: `max` has nothing after it
     --> policy/safety.yaml:3:34
      |
    3 |   core: { voltage: { min: 700mV, max: }, frequency: { min: 800MHz, max: 4.2GHz } }
      |                                  ^^^
      |
      = help: write a value, or take the key out

    => 2
    ");
    insta::assert_snapshot!(policy("params:", "<<: { limits: {} }\nparams:"), @r"
    error: merge keys are not read
     --> policy/safety.yaml:4:1
      |
    4 | <<: { limits: {} }
      | ^^
      |
      = help: write the keys out

    => 2
    ");
    insta::assert_snapshot!(policy("max: 1100mV", "max: 1100mV, max: 1200mV"), @r"
    error: the key `max` stands twice
     --> policy/safety.yaml:3:47
      |
    3 |   core: { voltage: { min: 700mV, max: 1100mV, max: 1200mV }, frequency: { min: 800MHz, max: 4.2GHz } }
      |                                               ^^^ again
      |
     ::: policy/safety.yaml:3:34
      |
    3 |   core: { voltage: { min: 700mV, max: 1100mV, max: 1200mV }, frequency: { min: 800MHz, max: 4.2GHz } }
      |                                  --- first here

    => 2
    ");
    insta::assert_snapshot!(policy("limits:", "limit:"), @r"
    error: the policy has no `limits`
     --> policy/safety.yaml:1:1
      |
    1 | name: safety
      | ^^^^
      |
      = help: `limits` takes a map from names to maps

    error: unknown key `limit` in the policy
     --> policy/safety.yaml:2:1
      |
    2 | limit:
      | ^^^^^
      |
      = help: did you mean `limits`?

    => 2
    ");
}

#[test]
fn a_broken_profile_refuses_as_well() {
    let bench = Bench::new();
    bench.edit("policy/profiles/xeon.yaml", "cpu_vendor", "cpu_vendro");
    insta::assert_snapshot!(bench.told(PLAN).all(), @r#"
    --- stderr
    error: unknown key `cpu_vendro` in `match`
     --> policy/profiles/xeon.yaml:3:10
      |
    3 | match: { cpu_vendro: GenuineIntel, min_memory: 1TiB, kernel_min: "6.1" }
      |          ^^^^^^^^^^
      |
      = help: did you mean `cpu_vendor`?

    => 2
    "#);
    assert_eq!(bench.runs(), Vec::<String>::new());
}

#[test]
fn policies_that_contradict_each_other() {
    let bench = Bench::new();
    bench.edit("policy/profiles/genoa.yaml", "min: 850mV, max: 1050mV", "min: 1150mV, max: 1200mV");
    insta::assert_snapshot!(bench.told("policy explain").all(), @r"
    --- stderr
    error: no value of core.voltage is allowed any more
     --> policy/profiles/genoa.yaml:4:38
      |
    4 | policy: { limits: { core: { voltage: { min: 1150mV, max: 1200mV } } } }
      |                                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ together: at least 1150mV, at most 1100mV
      |
     ::: policy/safety.yaml:3:20
      |
    3 |   core: { voltage: { min: 700mV, max: 1100mV }, frequency: { min: 800MHz, max: 4.2GHz } }
      |                    --------------------------- and this
      |
      = help: the bounds in force are the intersection of base and profiles; let them overlap

    => 2
    ");
    bench.write(
        "policy/profiles/genoa.yaml",
        "name: genoa\nmatch: { arch: x86_64 }\npolicy: { limits: { mem: { voltage: { min: 1V, max: 2V } } } }\n",
    );
    insta::assert_snapshot!(bench.told(PLAN).all(), @r"
    --- stderr
    error: policy/safety.yaml has no bound for mem.voltage
     --> policy/profiles/genoa.yaml:3:37
      |
    3 | policy: { limits: { mem: { voltage: { min: 1V, max: 2V } } } }
      |                                     ^^^^^^^^^^^^^^^^^^^^ bounded here only
      |
     ::: policy/safety.yaml:1:1
      |
    1 | name: safety
      | - the base policy
      |
      = help: a profile can only tighten: write the outer bound into policy/safety.yaml as well

    => 2
    ");
    fs::remove_dir_all(bench.path("policy")).unwrap();
    insta::assert_snapshot!(bench.told(PLAN).all(), @r"
    --- stderr
    error: the workspace has no safety policy, and a missing bound refuses
    help: write policy/safety.yaml with limits for every rail that is planned
    => 3
    ");
}
