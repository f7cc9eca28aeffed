//! Policies and profiles: what is read and what each mistake gets.
//! Texts in, the report that people would see out; never files.

use super::*;
use crate::input::testing;

fn check(text: &str) -> String {
    testing::report("policy/safety.yaml", text, read)
}

fn profile(text: &str) -> String {
    testing::report("policy/profiles/p.yaml", text, read_profile)
}

#[test]
fn bounds_are_read_in_full() {
    let policy = testing::sound(
        "name: safety\nlimits:\n  core: { voltage: { min: 700mV, max: 1.1V }, frequency: { min: 800MHz, max: 4.2GHz } }\n\
         params:\n  size_mb: { max: 4096 }\n  tool.window: { min: 1s, max: 1h }\n  ratio: { max: 0.5 }\n  vaux: { max: 1V }\nmax_log: 1GB\nseverity: { ce: 3 }\n",
        read,
    );
    let rails: Vec<String> = policy
        .limits
        .rails
        .iter()
        .map(|((rail, field), b)| format!("{rail}.{field} {}..{} at {}", b.value.min, b.value.max, b.place))
        .collect();
    assert_eq!(rails, ["core.frequency 800000..4200000 at x.yaml:3:58", "core.voltage 700000..1100000 at x.yaml:3:20"]);
    let params: Vec<String> = policy.limits.params.iter().map(|(key, b)| format!("{key} {:?}", b.value.max)).collect();
    insta::assert_snapshot!(params.join("\n"), @r"
    ratio Some(Float(Decimal { mantissa: 5, scale: 1 }))
    size_mb Some(Int(4096))
    vaux Some(Voltage(Microvolts(1000000)))
    tool.window Some(Duration(Millis(3600000)))
    ");
    assert_eq!(policy.limits.max_log.map(|log| log.value), Some(Bytes(1_000_000_000)));
    assert_eq!(policy.limits.severity, Some(Severities { ce: 3, ..Severities::default() }));
    assert_eq!((policy.limits.max_subruns, policy.limits.max_step_timeout), (None, None));
}

#[test]
fn a_bound_never_disappears_silently() {
    insta::assert_snapshot!(
        check("name: safety\nlimits:\n  core: { voltage: { min: 700mV, mxa: 1V } }\n  mem:\n    voltage:\n      min: 700mV\n      max:\n  soc: { voltage: { min: 1V, max: 2V, max: 3V }, voltag: { min: 1V, max: 2V } }\n  io:\n    <<: { voltage: { min: 0V, max: 9V } }\n  pll: { voltage: { min: 2V, max: 1V } }\n  vtt: {}\n  core: { voltage: { min: 1V, max: 1V } }\nparam: { x: { max: 1 } }\n"),
        @r"
    error: `core.voltage` has no `max`
     --> policy/safety.yaml:3:20
      |
    3 |   core: { voltage: { min: 700mV, mxa: 1V } }
      |                    ^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: `max` takes a voltage with its unit, as in `850mV`

    error: unknown key `mxa` in `core.voltage`
     --> policy/safety.yaml:3:34
      |
    3 |   core: { voltage: { min: 700mV, mxa: 1V } }
      |                                  ^^^
      |
      = help: did you mean `max`?

    error: `max` has nothing after it
     --> policy/safety.yaml:7:7
      |
    7 |       max:
      |       ^^^
      |
      = help: write a value, or take the key out

    error: the key `max` stands twice
     --> policy/safety.yaml:8:39
      |
    8 |   soc: { voltage: { min: 1V, max: 2V, max: 3V }, voltag: { min: 1V, max: 2V } }
      |                                       ^^^ again
      |
     ::: policy/safety.yaml:8:30
      |
    8 |   soc: { voltage: { min: 1V, max: 2V, max: 3V }, voltag: { min: 1V, max: 2V } }
      |                              --- first here

    error: unknown key `voltag` in the limit of rail `soc`
     --> policy/safety.yaml:8:50
      |
    8 |   soc: { voltage: { min: 1V, max: 2V, max: 3V }, voltag: { min: 1V, max: 2V } }
      |                                                  ^^^^^^
      |
      = help: did you mean `voltage`?

    error: merge keys are not read
      --> policy/safety.yaml:10:5
       |
    10 |     <<: { voltage: { min: 0V, max: 9V } }
       |     ^^
       |
       = help: write the keys out

    error: the bound of `pll.voltage` is empty: `max` is below `min`
      --> policy/safety.yaml:11:35
       |
    11 |   pll: { voltage: { min: 2V, max: 1V } }
       |                                   ^^
       |
      ::: policy/safety.yaml:11:26
       |
    11 |   pll: { voltage: { min: 2V, max: 1V } }
       |                          -- min

    error: the limit of rail `vtt` says nothing
      --> policy/safety.yaml:12:3
       |
    12 |   vtt: {}
       |   ^^^

    error: the key `core` stands twice
      --> policy/safety.yaml:13:3
       |
    13 |   core: { voltage: { min: 1V, max: 1V } }
       |   ^^^^ again
       |
      ::: policy/safety.yaml:3:3
       |
     3 |   core: { voltage: { min: 700mV, mxa: 1V } }
       |   ---- first here

    error: unknown key `param` in the policy
      --> policy/safety.yaml:14:1
       |
    14 | param: { x: { max: 1 } }
       | ^^^^^
       |
       = help: did you mean `params`?
    "
    );
    insta::assert_snapshot!(
        check("name: safety\nlimits: { core: { voltage: { min: 700, max: .inf } } }\nparams:\n  a: {}\n  b: { max: nan }\n  c: { min: 5, max: 1 }\n  d: { min: 5, max: 1V }\n  E.f: { max: 1 }\n  g: { max: ~ }\nmax_subruns: 1e4\nmax_step_timeout: 0s\nmax_log: 256\nseverity: { sdx: 1 }\n"),
        @r"
    error: `min`: a voltage needs its unit
     --> policy/safety.yaml:2:35
      |
    2 | limits: { core: { voltage: { min: 700, max: .inf } } }
      |                                   ^^^
      |
      = help: write `700mV` or `700V` or `700uV`

    error: `max`: `.inf` is not a number with a unit
     --> policy/safety.yaml:2:45
      |
    2 | limits: { core: { voltage: { min: 700, max: .inf } } }
      |                                             ^^^^
      |
      = help: write a voltage with its unit, as in `850mV`

    error: the bound of parameter `a` has neither `min` nor `max`
     --> policy/safety.yaml:4:3
      |
    4 |   a: {}
      |   ^

    error: `max` takes a number, or a duration, voltage or frequency with its unit, not `nan`
     --> policy/safety.yaml:5:13
      |
    5 |   b: { max: nan }
      |             ^^^

    error: the bound of parameter `c` is empty: `max` is below `min`
     --> policy/safety.yaml:6:21
      |
    6 |   c: { min: 5, max: 1 }
      |                     ^
      |
     ::: policy/safety.yaml:6:13
      |
    6 |   c: { min: 5, max: 1 }
      |             - min

    error: `min` and `max` are of different kinds
     --> policy/safety.yaml:7:21
      |
    7 |   d: { min: 5, max: 1V }
      |                     ^^
      |
     ::: policy/safety.yaml:7:13
      |
    7 |   d: { min: 5, max: 1V }
      |             - min

    error: `E.f` names no parameter
     --> policy/safety.yaml:8:3
      |
    8 |   E.f: { max: 1 }
      |   ^^^
      |
      = help: write `PARAMETER` for any adapter's, or `ADAPTER.PARAMETER`

    error: the bound of parameter `g` has neither `min` nor `max`
     --> policy/safety.yaml:9:3
      |
    9 |   g: { max: ~ }
      |   ^

    error: `max` has nothing after it
     --> policy/safety.yaml:9:8
      |
    9 |   g: { max: ~ }
      |        ^^^
      |
      = help: write a value, or take the key out

    error: `max_subruns` takes a whole number, at least 1, not `1e4`
      --> policy/safety.yaml:10:14
       |
    10 | max_subruns: 1e4
       |              ^^^

    error: `max_step_timeout` is zero: every step would be over at once
      --> policy/safety.yaml:11:19
       |
    11 | max_step_timeout: 0s
       |                   ^^

    error: `max_log`: a size needs its unit
      --> policy/safety.yaml:12:10
       |
    12 | max_log: 256
       |          ^^^
       |
       = help: write `256MiB` or `256KiB` or `256GiB`

    error: unknown key `sdx` in `severity`
      --> policy/safety.yaml:13:13
       |
    13 | severity: { sdx: 1 }
       |             ^^^
       |
       = help: did you mean `sdc`?
    "
    );
    insta::assert_snapshot!(check("name: safety\nlimits:\n"), @r"
    error: `limits` has nothing after it
     --> policy/safety.yaml:2:1
      |
    2 | limits:
      | ^^^^^^
      |
      = help: write a value, or take the key out
    ");
}

#[test]
fn profiles() {
    let read = testing::sound(
        "name: p\npriority: 50\nmatch: { cpu_vendor: AuthenticAMD, cpu_model_contains: \"EPYC 9\", arch: x86_64, min_cores: 64, max_cores: 512, min_memory: 64GiB, kernel_min: \"6.1\", kernel_max: 6.10, hypervisor: false }\n\
         policy: { limits: { core: { voltage: { min: 850mV, max: 1050mV } } } }\n",
        read_profile,
    );
    assert_eq!(read.rules.kernel_max.map(|v| v.to_string()).as_deref(), Some("6.10"));
    assert_eq!((read.priority, read.rules.min_memory, read.limits.rails.len()), (50, Some(Bytes(64 << 30)), 1));
    insta::assert_snapshot!(
        profile("name: p\npriority: high\nmatch: { cpu_vender: x, min_cores: 8, max_cores: 4, min_memory: 64, kernel_min: six, hypervisor: no, arch: \"\" }\npolicy: { limit: {} }\n"),
        @r#"
    error: `priority` takes a whole number from -1000000 to 1000000, not `high`
     --> policy/profiles/p.yaml:2:11
      |
    2 | priority: high
      |           ^^^^

    error: unknown key `cpu_vender` in `match`
     --> policy/profiles/p.yaml:3:10
      |
    3 | match: { cpu_vender: x, min_cores: 8, max_cores: 4, min_memory: 64, kernel_min: six, hypervisor: no, arch: "" }
      |          ^^^^^^^^^^
      |
      = help: did you mean `cpu_vendor`?

    error: `max_cores` is below `min_cores`: no host would match
     --> policy/profiles/p.yaml:3:50
      |
    3 | match: { cpu_vender: x, min_cores: 8, max_cores: 4, min_memory: 64, kernel_min: six, hypervisor: no, arch: "" }
      |                                                  ^

    error: `min_memory`: a size needs its unit
     --> policy/profiles/p.yaml:3:65
      |
    3 | match: { cpu_vender: x, min_cores: 8, max_cores: 4, min_memory: 64, kernel_min: six, hypervisor: no, arch: "" }
      |                                                                 ^^
      |
      = help: write `64MiB` or `64KiB` or `64GiB`

    error: `six` is no kernel version
     --> policy/profiles/p.yaml:3:81
      |
    3 | match: { cpu_vender: x, min_cores: 8, max_cores: 4, min_memory: 64, kernel_min: six, hypervisor: no, arch: "" }
      |                                                                                 ^^^
      |
      = help: write numbers with dots, as in `"6.1"`

    error: `hypervisor` takes `true` or `false`, not `no`
     --> policy/profiles/p.yaml:3:98
      |
    3 | match: { cpu_vender: x, min_cores: 8, max_cores: 4, min_memory: 64, kernel_min: six, hypervisor: no, arch: "" }
      |                                                                                                  ^^
      |
      = help: write `false`

    error: `arch` is empty: it would match nothing or all
     --> policy/profiles/p.yaml:3:108
      |
    3 | match: { cpu_vender: x, min_cores: 8, max_cores: 4, min_memory: 64, kernel_min: six, hypervisor: no, arch: "" }
      |                                                                                                            ^^

    error: unknown key `limit` in `policy`
     --> policy/profiles/p.yaml:4:11
      |
    4 | policy: { limit: {} }
      |           ^^^^^
      |
      = help: did you mean `limits`?
    "#
    );
    insta::assert_snapshot!(profile("name: p\n"), @r"
    error: the profile has no `match`
     --> policy/profiles/p.yaml:1:1
      |
    1 | name: p
      | ^^^^
      |
      = help: `match` takes a map of `cpu_vendor`, `cpu_model_contains`, `arch`, `min_cores`, `max_cores`, `min_memory`, `kernel_min`, `kernel_max`, `hypervisor`

    error: the profile has no `policy`
     --> policy/profiles/p.yaml:1:1
      |
    1 | name: p
      | ^^^^
      |
      = help: `policy` takes a map of `limits`, `params`, `max_subruns`, `max_step_timeout`, `max_log`, `severity`, `controllers`, `evidence`
    ");
}

#[test]
fn what_follows_from_evidence_is_read() {
    let policy = testing::sound(
        "name: safety\nlimits: {}\nevidence:\n  lag: 2s\n  edac_ce: { above: 10, verdict: fail }\n  throttle: {}\n\
         \x20 aer_corrected: { above: 3 }\n  temperature: { max: 95C }\n",
        read,
    );
    let parts = policy.limits.evidence.unwrap().value;
    let temperature = TemperatureRule { max_mc: 95_000, cool_to_mc: 85_000, cool_for_ms: Millis(300_000) };
    assert_eq!((parts.lag, parts.temperature), (Some(Millis(2_000)), Some(temperature)));
    let counts: Vec<String> = parts.counts.iter().map(|(s, r)| format!("{s} {} {}", r.above, r.verdict)).collect();
    assert_eq!(counts, ["aer_corrected 3 pass", "edac_ce 10 fail", "throttle 0 inconclusive"]);
    assert_eq!(testing::sound("name: safety\nlimits: {}\n", read).limits.evidence, None);
}

#[test]
fn mistakes_in_the_rules_of_evidence() {
    insta::assert_snapshot!(
        check("name: safety\nlimits: {}\nevidence:\n  edac_eu: { above: 0 }\n  edac_ce: { above: -1, verdict: error }\n  throttle: 5\n  temperature: { max: 95, cool_to: 99C }\n  kernel_log: { above: 0 }\n  lag:\n"),
        @r"
        error: unknown key `edac_eu` in `evidence`
         --> policy/safety.yaml:4:3
          |
        4 |   edac_eu: { above: 0 }
          |   ^^^^^^^
          |
          = help: did you mean `edac_ue`?

        error: `above` takes a whole number, at least 0, not `-1`
         --> policy/safety.yaml:5:21
          |
        5 |   edac_ce: { above: -1, verdict: error }
          |                     ^^

        error: `verdict` takes one of `pass`, `inconclusive`, `fail`, not `error`
         --> policy/safety.yaml:5:34
          |
        5 |   edac_ce: { above: -1, verdict: error }
          |                                  ^^^^^

        error: `throttle` takes a map of `above`, `verdict`
         --> policy/safety.yaml:6:13
          |
        6 |   throttle: 5
          |             ^ not this

        error: `max`: a temperature needs its unit
         --> policy/safety.yaml:7:23
          |
        7 |   temperature: { max: 95, cool_to: 99C }
          |                       ^^
          |
          = help: write `95C`

        error: unknown key `kernel_log` in `evidence`
         --> policy/safety.yaml:8:3
          |
        8 |   kernel_log: { above: 0 }
          |   ^^^^^^^^^^
          |
          = help: keys here: `lag`, `edac_ue`, `edac_ce`, `aer_uncorrected`, `aer_corrected`, `throttle`, `temperature`

        error: `lag` has nothing after it
         --> policy/safety.yaml:9:3
          |
        9 |   lag:
          |   ^^^
          |
          = help: write a value, or take the key out
        "
    );
    insta::assert_snapshot!(
        check("name: safety\nlimits: {}\nevidence:\n  temperature: { max: 95C, cool_to: 95C }\n"),
        @r"
        error: `cool_to` is not below `max`
         --> policy/safety.yaml:4:37
          |
        4 |   temperature: { max: 95C, cool_to: 95C }
          |                                     ^^^
          |
         ::: policy/safety.yaml:4:23
          |
        4 |   temperature: { max: 95C, cool_to: 95C }
          |                       --- max
          |
          = help: a step would be started as hot as the last one ended
        "
    );
    insta::assert_snapshot!(profile("name: p\nmatch: {}\npolicy: { evidence: { temperature: { cool_for: 1m } } }\n"), @r"
    error: `temperature` has no `max`
     --> policy/profiles/p.yaml:3:36
      |
    3 | policy: { evidence: { temperature: { cool_for: 1m } } }
      |                                    ^^^^^^^^^^^^^^^^
      |
      = help: `max` takes a temperature with its unit, as in `95C`
    ");
}
