//! Every command that only looks.

use super::Bench;

/// Each command on the sound workspace: nothing is written, and stdout, stderr and exit code are as they were.
fn check(line: &str) -> String {
    let bench = Bench::new();
    let all = bench.told(line).all();
    assert_eq!(bench.runs(), Vec::<String>::new(), "{line} writes nothing");
    all
}

#[test]
fn nothing_asked_says_what_is_here() {
    insta::assert_snapshot!(check(""), @r"
    Road Runner 0.1.0, workspace BENCH/ws

    1 flow
      smoke  2 steps  One diagnostic at every point.

    1 margin
      down  3 points  core.voltage x3

    1 adapter
      probe  diags/probe.sh

    3 policies
      safety  base     core.frequency core.voltage
      genoa   profile  core.voltage
      xeon    profile  core.voltage

    0 runs in BENCH/ws/runs

    next
      road_runner plan --flow flows/smoke.yaml --margin margins/down.yaml
      road_runner run --flow flows/smoke.yaml --margin margins/down.yaml --unit SN
      road_runner adapters check
      road_runner policy explain
      road_runner --help
    => 0
    ");
}

#[test]
fn list_flows() {
    insta::assert_snapshot!(check("list-flows"), @r"
    FLOW   STEPS  EXECUTIONS  ADAPTERS  DESCRIPTION
    smoke  2      5           probe     One diagnostic at every point.
    => 0
    ");
    insta::assert_snapshot!(check("list-flows --output json"), @r#"
    [
      {
        "name": "smoke",
        "file": "flows/smoke.yaml",
        "description": "One diagnostic at every point.",
        "steps": [
          {
            "name": "first",
            "adapter": "probe",
            "combinations": 1,
            "repeat": 1
          },
          {
            "name": "second",
            "adapter": "probe",
            "combinations": 2,
            "repeat": 2
          }
        ],
        "executions": 5,
        "errors": 0
      }
    ]
    => 0
    "#);
}

#[test]
fn margins_list() {
    insta::assert_snapshot!(check("margins list"), @r"
    MARGIN  POINTS  AXES             DESCRIPTION
    down    3       core.voltage x3  Core rail downward.
    => 0
    ");
    insta::assert_snapshot!(check("margins list --output json"), @r#"
    [
      {
        "name": "down",
        "file": "margins/down.yaml",
        "description": "Core rail downward.",
        "axes": [
          {
            "name": "core.voltage",
            "values": 3,
            "from": "1000mV",
            "to": "900mV"
          }
        ],
        "points": 3,
        "order": "raster",
        "global_seed": 7,
        "errors": 0
      }
    ]
    => 0
    "#);
}

#[test]
fn margins_validate() {
    insta::assert_snapshot!(check("margins validate --file margins/down.yaml"), @r"
    margins/down.yaml is valid: 3 points, core.voltage x3
    FIELD           PLANNED          ALLOWED HERE              BOUND
    core.frequency  3.2GHz           800MHz .. 4.2GHz  within  policy/safety.yaml:3:60
    core.voltage    900mV .. 1000mV  850mV .. 1050mV   within  policy/profiles/genoa.yaml:4:38
    => 0
    ");
    insta::assert_snapshot!(check("margins validate --file down --output json"), @r#"
    {
      "name": "down",
      "file": "margins/down.yaml",
      "description": "Core rail downward.",
      "axes": [
        {
          "name": "core.voltage",
          "values": 3,
          "from": "1000mV",
          "to": "900mV"
        }
      ],
      "points": 3,
      "order": "raster",
      "global_seed": 7,
      "errors": 0,
      "fields": [
        {
          "field": "core.frequency",
          "lowest": "3.2GHz",
          "highest": "3.2GHz",
          "min": "800MHz",
          "max": "4.2GHz",
          "from": [
            "policy/safety.yaml:3:60"
          ],
          "at_limit": false
        },
        {
          "field": "core.voltage",
          "lowest": "900mV",
          "highest": "1000mV",
          "min": "850mV",
          "max": "1050mV",
          "from": [
            "policy/profiles/genoa.yaml:4:38"
          ],
          "at_limit": false
        }
      ]
    }
    => 0
    "#);
    insta::assert_snapshot!(check("margins validate --file dwon"), @r"
    --- stderr
    error: no margin `dwon`: neither a file nor a name; did you mean `down`?
    => 2
    ");
}

#[test]
fn adapters_list() {
    insta::assert_snapshot!(check("adapters list"), @r"
    ADAPTER  PROGRAM         PROOF     RAILS  FLOWS  DESCRIPTION
    probe    diags/probe.sh  declared  core   smoke  Says OK.
    => 0
    ");
    insta::assert_snapshot!(check("adapters list --output json"), @r#"
    [
      {
        "name": "probe",
        "file": "adapters/probe.yaml",
        "kind": "diagnostic",
        "description": "Says OK.",
        "path": "diags/probe.sh",
        "proof": true,
        "params": [
          "rounds",
          "vcore"
        ],
        "rails": [
          "core"
        ],
        "flows": [
          "smoke"
        ],
        "errors": 0
      }
    ]
    => 0
    "#);
}

#[test]
fn adapters_check() {
    insta::assert_snapshot!(check("adapters check"), @r"
    probe  adapters/probe.yaml  ok
      ok  manifest  no errors
      ok  program   diags/probe.sh: owner USER, mode 0755
      ok  proof     1 expectation, 0 required metrics
      ok  policy    moves core.voltage; parameters within bounds
      ok  flows     used by smoke
    => 0
    ");
    insta::assert_snapshot!(check("adapters check probe -q"), @"=> 0");
    insta::assert_snapshot!(check("adapters check probe --output json"), @r#"
    [
      {
        "name": "probe",
        "file": "adapters/probe.yaml",
        "ok": true,
        "findings": [
          {
            "check": "manifest",
            "outcome": "ok",
            "says": "no errors"
          },
          {
            "check": "program",
            "outcome": "ok",
            "says": "diags/probe.sh: owner USER, mode 0755"
          },
          {
            "check": "proof",
            "outcome": "ok",
            "says": "1 expectation, 0 required metrics"
          },
          {
            "check": "policy",
            "outcome": "ok",
            "says": "moves core.voltage; parameters within bounds"
          },
          {
            "check": "flows",
            "outcome": "ok",
            "says": "used by smoke"
          }
        ]
      }
    ]
    => 0
    "#);
    insta::assert_snapshot!(check("adapters check prob"), @r"
    --- stderr
    error: no adapter `prob`
    help: did you mean `probe`?
    => 2
    ");
}

#[test]
fn policy_list() {
    insta::assert_snapshot!(check("policy list"), @r"
    POLICY  KIND     PRIORITY  RULES  RAILS                        PARAMS  FILE
    safety  base     -         -      core.frequency core.voltage  1       policy/safety.yaml
    genoa   profile  50        3      core.voltage                 0       policy/profiles/genoa.yaml
    xeon    profile  60        3      core.voltage                 0       policy/profiles/xeon.yaml
    => 0
    ");
}

#[test]
fn themes_list() {
    insta::assert_snapshot!(check("themes list"), @r"
    THEME              GROUND    FROM      DESCRIPTION
    colour-blind-safe  dark      built-in  Blue passes and orange fails, on a dark ground; told apart without red or green.
    dark               dark      built-in  Quiet colours on a dark ground. Its twin is light.
    default            terminal  built-in  The terminal's own ground and its sixteen colours, whatever they look like.
    high-contrast      dark      built-in  Strong colours on black, for bright rooms and tired eyes.
    light              light     built-in  Quiet colours on a light ground. Its twin is dark.
    => 0
    ");
    let bench = Bench::new();
    bench.write("ui-themes/dusk.yaml", "name: dusk\ninherits: dark\nstyles: { txt: { fg: red } }\n");
    bench.write("ui-themes/light.yaml", "name: light\ninherits: light\nground: light\n");
    insta::assert_snapshot!(bench.told("themes list").all(), @r"
    THEME              GROUND    FROM       DESCRIPTION
    colour-blind-safe  dark      built-in   Blue passes and orange fails, on a dark ground; told apart without red or green.
    dark               dark      built-in   Quiet colours on a dark ground. Its twin is light.
    default            terminal  built-in   The terminal's own ground and its sixteen colours, whatever they look like.
    dusk               -         workspace  1 error in ui-themes/dusk.yaml
    high-contrast      dark      built-in   Strong colours on black, for bright rooms and tired eyes.
    light              light     workspace
    --- stderr
    error: unknown key `txt` in `styles`
     --> ui-themes/dusk.yaml:3:11
      |
    3 | styles: { txt: { fg: red } }
      |           ^^^
      |
      = help: did you mean `text`?

    => 2
    ");
    let told = bench.told("themes list --output json");
    let rows: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    insta::assert_snapshot!(rows[3], @r#"{"description":null,"errors":1,"file":"ui-themes/dusk.yaml","ground":null,"name":"dusk","origin":"workspace"}"#);
}

#[test]
fn policy_explain() {
    insta::assert_snapshot!(check("policy explain"), @r#"
    this host
      hostname      bench-03
      cpu_vendor    AuthenticAMD
      cpu_model     AMD EPYC 9654 96-Core Processor
      arch          x86_64
      cores         2
      memory_bytes  1623022858240
      kernel        6.8.0-48-generic
      virtual       no
      hypervisor    unknown

    hardware profiles
      genoa  priority 50  applies  policy/profiles/genoa.yaml
          cpu_vendor "AuthenticAMD" yes
          cpu_model_contains "EPYC 9" yes
          min_cores 2 yes
      xeon  priority 60  does not match  policy/profiles/xeon.yaml
          cpu_vendor "GenuineIntel" no (AuthenticAMD)
          min_memory 1TiB yes (1.4TiB)
          kernel_min 6.1 yes (6.8.0-48-generic)

    bounds in force: safety, tightened by genoa
      core.frequency    800MHz .. 4.2GHz  policy/safety.yaml:3:60
      core.voltage      850mV .. 1050mV   policy/profiles/genoa.yaml:4:38
      rounds            at most 100       policy/safety.yaml:5:3
      max_subruns       at most 10000     default
      max_step_timeout  at most 1h        default
      max_log           at most 256MiB    default

    evidence, of one step
      edac_ue          above 0  at least fail
      aer_uncorrected  above 0  at least fail
      edac_ce          above 0  noted
      aer_corrected    above 0  noted
      throttle         above 0  at least inconclusive
      temperature      any      noted
      lag              1.1s     waited after a step where errors are counted late
    => 0
    "#);
}

#[test]
fn policy_explain_for_programs() {
    let told = Bench::new().told("policy explain --output json");
    let json: serde_json::Value = serde_json::from_str(&told.stdout).unwrap();
    assert_eq!(json["candidates"][0]["applies"], true);
    assert_eq!(json["bounds"]["rails"]["core"]["voltage"]["is"]["max"], 1_050_000);
    assert_eq!(json["host"]["hostname"], "bench-03");
    assert_eq!((told.code, told.stderr.as_str()), (0, ""));
}

#[test]
fn runs_list_without_runs() {
    insta::assert_snapshot!(check("runs list"), @r"
    no run in BENCH/ws/runs
    => 0
    ");
    insta::assert_snapshot!(check("runs list --output json"), @r"
    []
    => 0
    ");
    insta::assert_snapshot!(check("runs show latest"), @r"
    --- stderr
    error: no run in BENCH/ws/runs
    help: road_runner run --flow FLOW --margin MARGIN makes one
    => 2
    ");
    insta::assert_snapshot!(check("rerun-last"), @r"
    --- stderr
    error: no run in BENCH/ws/runs completed without rig errors
    help: road_runner runs list shows every run
    => 2
    ");
}

#[test]
fn what_adapters_check_finds() {
    let bench = Bench::new();
    bench.write(
        "adapters/loose.yaml",
        "name: loose\npath: /bin/true\nrails: [mem]\ntimeout: 2h\nparams:\n  rounds: { type: int, flag: -n, default: 500 }\n  v: { type: voltage, unit: mV, flag: --v, default: 1V }\n",
    );
    bench.write(
        "adapters/gone.yaml",
        "name: gone\npath: no-such-tool\nrestore: [diags/home.sh]\nexpect: [ { stdout_matches: OK } ]\n",
    );
    bench.write("adapters/outside.yaml", "name: outside\npath: ../probe.sh\n");
    bench.write("adapters/odd.yaml", "name: odd\npath: diags/probe.sh\nexpcet: []\n");
    insta::assert_snapshot!(bench.told("adapters check").all(), @r"
    gone  adapters/gone.yaml  FAILED
      ok    manifest  no errors
      FAIL  program   no-such-tool: not found on PATH; install it, or write its absolute path
      note  package   unknown: it is not installed
      FAIL  restore   diags/home.sh: there is no such file; put the program there, or correct the path
      ok    proof     1 expectation, 0 required metrics
      ok    policy    moves no rail; parameters within bounds
      note  flows     no flow uses it
    loose  adapters/loose.yaml  FAILED
      ok    manifest  no errors
      note  program   /bin/true: an absolute path, taken as it is, owner USER, mode 0755
      note  proof     no proof declared: its exit code alone decides a pass
      FAIL  policy    no policy bounds rail mem
      FAIL  policy    the default of rounds is 500, the bound of rounds: at most 100
      FAIL  policy    v sets a voltage by itself and no policy bounds it
      FAIL  policy    its timeout of 2h is longer than the allowed 1h
      note  flows     no flow uses it
    odd  adapters/odd.yaml  FAILED
      FAIL  manifest  1 error, below
      note  flows     no flow uses it
    outside  adapters/outside.yaml  FAILED
      FAIL  manifest  1 error, below
      note  flows     no flow uses it
    probe  adapters/probe.yaml  ok
      ok  manifest  no errors
      ok  program   diags/probe.sh: owner USER, mode 0755
      ok  proof     1 expectation, 0 required metrics
      ok  policy    moves core.voltage; parameters within bounds
      ok  flows     used by smoke
    --- stderr
    error: unknown key `expcet` in the manifest
     --> adapters/odd.yaml:3:1
      |
    3 | expcet: []
      | ^^^^^^
      |
      = help: did you mean `expect`?

    error: the path `../probe.sh` climbs with `..`
     --> adapters/outside.yaml:2:7
      |
    2 | path: ../probe.sh
      |       ^^^^^^^^^^^
      |
      = help: write `diags/NAME`, a bare name to look up on PATH, or an absolute path

    => 2
    ");
    insta::assert_snapshot!(bench.told("adapters check probe").all(), @r"
    probe  adapters/probe.yaml  ok
      ok  manifest  no errors
      ok  program   diags/probe.sh: owner USER, mode 0755
      ok  proof     1 expectation, 0 required metrics
      ok  policy    moves core.voltage; parameters within bounds
      ok  flows     used by smoke
    => 0
    ");
}

/// A controller says only those fields of its rails that its setpoints name.
#[test]
fn what_a_controller_drives() {
    let check = |apply: &str, expected: &str| {
        let bench = Bench::new();
        bench.write(
            "adapters/reg.yaml",
            &format!("name: reg\nkind: controller\npath: diags/probe.sh\nrails: [core]\napply: [{apply}]\nread: [get]\nrestore: [home]\n"),
        );
        let told = bench.told("adapters check reg").all();
        assert!(told.contains(&format!("moves {expected}; parameters within bounds")), "{told}");
    };
    check("\"{voltage_uv}\"", "core.voltage");
    check("\"{frequency_khz}\", \"{voltage_uv}\"", "core.frequency, core.voltage");
}

#[test]
fn a_broken_file_is_listed_and_shown() {
    let bench = Bench::new();
    bench.edit("flows/smoke.yaml", "repeat: 2", "repaet: 2");
    bench.edit("margins/down.yaml", "1000mV", "1000");
    insta::assert_snapshot!(bench.told("list-flows").all(), @r"
    FLOW   STEPS  EXECUTIONS  ADAPTERS  DESCRIPTION
    smoke  -      -           -         1 error in flows/smoke.yaml
    --- stderr
    error: unknown key `repaet` in the step
     --> flows/smoke.yaml:5:64
      |
    5 |   - { name: second, adapter: probe, sweep: { rounds: [1, 2] }, repaet: 2 }
      |                                                                ^^^^^^
      |
      = help: did you mean `repeat`?

    => 2
    ");
    insta::assert_snapshot!(bench.told("margins list").all(), @r"
    MARGIN  POINTS  AXES  DESCRIPTION
    down    -       -     1 error in margins/down.yaml
    --- stderr
    error: `from`: a voltage needs its unit
     --> margins/down.yaml:4:37
      |
    4 | default: { core: { voltage: { from: 1000, to: 900mV, step: -50mV }, frequency: 3.2GHz } }
      |                                     ^^^^
      |
      = help: write `1000mV` or `1000V` or `1000uV`

    => 2
    ");
    let told = bench.told("");
    assert_eq!((told.code, told.stderr.as_str()), (0, ""));
    assert!(told.stdout.contains("2 errors in files: list-flows"), "{}", told.stdout);
}

#[test]
fn nothing_from_a_file_moves_the_cursor() {
    let bench = Bench::new();
    let hostile = "\"\\x1b]52;c;x\\x07\\u202e\\x9b2J\"";
    bench.edit("flows/smoke.yaml", "One diagnostic at every point.", hostile);
    bench.edit("margins/down.yaml", "Core rail downward.", hostile);
    bench.edit("adapters/probe.yaml", "Says OK.", hostile);
    bench.write("ui-themes/\u{1b}[2Jevil.yaml", &format!("name: evil\ndescription: {hostile}\nstyles: {{}}\n"));
    bench.write("adapters/\u{1b}[2Jevil.yaml", "name: evil\npath: \"\u{202e}tool\"\n");
    for line in ["", "list-flows", "margins list", "adapters list", "adapters check", "policy list", "themes list"] {
        for form in ["human", "json"] {
            let mut words = super::words(line);
            words.extend(["--output", form, "--color", "never"]);
            let told = bench.outcome(&mut bench.command(&words));
            let hostile = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            let said = format!("{}{}", told.stdout, told.stderr);
            assert!(!said.chars().any(hostile), "{line} {form}: {said:?}");
            assert!(!said.is_empty(), "{line}");
        }
    }
}
