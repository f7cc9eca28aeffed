//! Documents that use every key of their tables, so that each can be changed in every place.

/// A manifest with every key and every type of parameter.
pub const MANIFEST: &str = r"
name: full
kind: diagnostic
description: All keys.
path: diags/full.sh
args: [--quiet]
params:
  count: { type: int, flag: --count, default: 5, min: 1, max: 9, required: false, help: Some. }
  ratio: { type: float, flag: --ratio=, default: 0.5, min: 0.1, max: 1.5 }
  loud: { type: bool, flag: --loud, default: true }
  word: { type: string, flag: null, default: x, allow_leading_dash: true }
  which: { type: choice, flag: --which, choices: [a, b], default: a }
  where: { type: path, flag: --where, default: /tmp }
  span: { type: duration, flag: --span, unit: ms, default: 1s, min: 10ms, max: 1h }
  vaux: { type: voltage, flag: --vaux, unit: mV, decimals: 3, default: 1V, min: 0.5V, max: 2V }
  faux: { type: frequency, flag: --faux, unit: MHz, default: 1GHz, min: 1MHz, max: 2GHz }
  vcore: { type: voltage, flag: --vcore, unit: mV, from: margin.core.voltage }
  fcore: { type: frequency, flag: --fcore, unit: MHz, from: margin.core.frequency }
  seed: { type: int, flag: --seed, from: seed }
  serial: { type: string, flag: --serial, from: unit }
env: { OMP_NUM_THREADS: 1, A_B: text }
rails: [core]
restore: [diags/restore.sh]
exit_codes: { pass: [0], fail: [1], skip: [77], error: [2, 64] }
effects: { sdc: [ { exit: 1, stdout_matches: WRONG } ], ce: [ { stderr_matches: corrected } ] }
rig_errors: [ { exit: 1, stderr_matches: No space } ]
expect:
  - { stdout_matches: done }
  - { stderr_matches: done }
  - { stdout_absent: WRONG }
  - { stderr_absent: WRONG }
  - { min_duration: 100ms }
  - { min_duration: { param: span } }
  - { metric: rounds, min: { param: count }, max: 100 }
metrics:
  - { name: rounds, unit: 1/s, stdout_regex: 'rounds=([0-9]+)', min: 1, max: 1.5, required: true }
  - { name: late, stderr_regex: 'late=([0-9]+)', max: { param: count } }
  - { name: ops, file: out/full.json, pointer: /ops/0 }
timeout: 60s
silence: 30s
grace: 5s
version_args: [--version]
";

/// Documents with every key of their tables.
pub const FULL: [(&str, &str); 10] = [
    ("adapter", MANIFEST),
    (
        "adapter",
        r"
name: sim_rail
kind: controller
description: All keys.
path: diags/sim_rail.sh
rails: [core]
apply: [set, '{rail}', '{voltage_uv}', '{frequency_khz}']
read: [get, '{rail}']
restore: [nominal, '{rail}']
tolerance: { voltage: 1mV, frequency: 1MHz }
max_step: 50mV
settle: 20ms
",
    ),
    (
        "adapter",
        r"
name: one
kind: controller
path: one
rails: [core]
apply: ['{voltage_uv}']
read: []
restore: []
tolerance: 1mV
",
    ),
    (
        "flow",
        r"
name: full
description: All keys.
steps:
  - name: first
    adapter: full
    params: { count: 3, ratio: 0.25, loud: false, word: x, which: b, where: /var, span: 2s, vaux: 1.5V, faux: 1.5GHz }
    repeat: 3
    pass_rule: { at_least: 2 }
    optional: true
    on_failure: stop_run
    timeout: 30s
  - name: second
    adapter: full
    sweep:
      count: [1, 2]
      ratio: { from: 0.5, to: 1.0, step: 0.25 }
      word: [x, y]
      vaux: { from: 1V, to: 0.9V, step: -50mV }
    pass_rule: any
",
    ),
    (
        "margin",
        r"
name: full
description: All keys.
global_seed: 7
nominal: { core: { voltage: 1V, frequency: 3GHz } }
axes: [core.frequency, core.voltage, soc, full/mem.voltage]
order: snake
settle: 200ms
stop_line: { axis: core.voltage, after: fail, count: 2 }
default:
  core: { voltage: { from: 1V, to: 0.9V, step: -50mV }, frequency: [3GHz, 3.2GHz] }
  soc: [ { voltage: 1V, frequency: 1GHz }, { voltage: 0.9V, frequency: 900MHz } ]
  io: { voltage: 1.8V }
adapters: { full: { mem: { voltage: [1.2V, 1.25V] } } }
jitter: { core.voltage: { max: 2mV, step: 1mV }, full/mem.voltage: { max: 1mV, step: 1mV } }
",
    ),
    (
        "margin",
        r"
name: recipes
recipes:
  - { name: hot, core: { voltage: 1V, frequency: 3GHz }, adapters: { full: { mem: { voltage: 1.2V } } } }
  - { name: cold, core: { voltage: 0.9V } }
jitter: { core.frequency: { max: 2MHz, step: 1MHz } }
",
    ),
    (
        "policy",
        r"
name: full
description: All keys.
limits: { core: { voltage: { min: 700mV, max: 1.1V }, frequency: { min: 800MHz, max: 4GHz } } }
params: { count: { min: 1, max: 9 }, full.span: { max: 1h }, vaux: { min: 0.5V, max: 2V }, ratio: { max: 0.5 } }
max_subruns: 100
max_step_timeout: 1h
max_log: 256MiB
severity: { sc: 16, ac: 8, sdc: 4, ue: 2, ce: 1 }
controllers: [sim_rail]
evidence:
  lag: 1500ms
  edac_ue: { above: 0, verdict: fail }
  edac_ce: { above: 10, verdict: pass }
  aer_uncorrected: { above: 0, verdict: fail }
  aer_corrected: { above: 100, verdict: inconclusive }
  throttle: { above: 0, verdict: inconclusive }
  temperature: { max: 95C, cool_to: 75.5C, cool_for: 5m }
",
    ),
    (
        "profile",
        r#"
name: full
description: All keys.
priority: -5
match:
  { cpu_vendor: A, cpu_model_contains: B, arch: x86_64, min_cores: 1, max_cores: 9, min_memory: 1GiB, hypervisor: false,
    kernel_min: "6.1", kernel_max: 7 }
policy:
  limits: { core: { voltage: { min: 700mV, max: 1.1V } } }
  params: { count: { min: 1 } }
  max_subruns: 100
  max_step_timeout: 1h
  max_log: 256MiB
  severity: { sc: 16 }
  controllers: [sim_rail]
  evidence: { lag: 5s, throttle: { verdict: fail }, temperature: { max: 90C } }
"#,
    ),
    (
        "theme",
        r##"
name: full
description: All keys.
inherits: dark
ground: light
palette: { red: "#e06c75", a: "@208", b: bright-red, c: default }
styles:
  text: { fg: red, bg: "#ffffff", bold: true, dim: false, italic: true, underline: false, reverse: true }
  border.focus: { fg: "@7", bg: default }
"##,
    ),
    ("keys", "name: full\nkeys: { quit: [ctrl-q, F10, 'g Q'], stop: 'alt-Space', mark: none }\n"),
];
