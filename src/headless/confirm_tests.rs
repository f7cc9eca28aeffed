//! The confirmation as a person sees it, from YAML to text, and every way to answer it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::commands::proposal::GoesOn;
use crate::domain::admission;
use crate::domain::bounds;
use crate::domain::host::{HostFacts, Virtualized};
use crate::domain::plan::{Executable, Plan};
use crate::domain::planner::{self, Ingredients};
use crate::input::catalogue::Catalogue;

const FLOW: &str = "name: f\nsteps:\n  - { name: a, adapter: tool, repeat: 2, timeout: 30s }\n";
const TOOL: &str = "name: tool\npath: /opt/bench/tool\nparams: { v: { type: voltage, unit: mV, flag: --v, from: margin.core.voltage } }\n";
const PROVEN: &str = "name: tool\npath: /opt/bench/tool\nrails: [core]\nexpect: [ { stdout_matches: OK } ]\n";
const MARGIN: &str = "\
name: m
global_seed: 7
default: { core: { voltage: { from: 1000mV, to: 850mV, step: -30mV }, frequency: [3.0GHz, 3.2GHz] } }
jitter: { core.voltage: { max: 2mV, step: 1mV } }
";
const POLICY: &str = "\
name: safety
limits:
  core: { voltage: { min: 700mV, max: 1100mV }, frequency: { min: 800MHz, max: 4.2GHz } }
";
const PROFILE: &str = "\
name: genoa
priority: 50
match: { cpu_vendor: AuthenticAMD, cpu_model_contains: EPYC 9, min_cores: 64, hypervisor: false }
policy: { limits: { core: { voltage: { min: 848mV, max: 1050mV } } } }
";

fn host() -> HostFacts {
    HostFacts {
        hostname: Some("bench-03".to_owned()),
        cpu_vendor: Some("AuthenticAMD".to_owned()),
        cpu_model: Some("AMD EPYC 9654 96-Core Processor".to_owned()),
        cores: Some(96),
        memory_bytes: Some(811_000_000_000),
        kernel: Some("6.8.0-48-generic".to_owned()),
        virtualized: Virtualized::No,
        ..HostFacts::default()
    }
}

fn proposal(files: &[(&str, &str)], unit: Option<&str>, drift: &[&str]) -> Proposal {
    let dir = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let catalogue = Catalogue::read(dir.path());
    assert!(!catalogue.all_problems().has_errors(), "{:?}", catalogue.all_problems());
    let host = host();
    let profiles: Vec<_> = catalogue.profiles.iter().filter_map(|entry| entry.value.as_ref()).collect();
    let candidates = bounds::candidates(&profiles, &host);
    let applied: Vec<_> = candidates.iter().filter(|c| c.applies).map(|c| c.profile).collect();
    let in_force = bounds::in_force(catalogue.policy().unwrap().value.as_ref().unwrap(), &applied).unwrap();
    let flow = catalogue.flow("f", Path::new("/")).unwrap().value.unwrap();
    let margin = catalogue.margin("m", Path::new("/")).unwrap().value.unwrap();
    let executable = |path: &str| (path.to_owned(), Executable { path: path.to_owned(), sha256: String::new() });
    let executables = ["/opt/bench/tool", "diags/sim_rail.sh"].map(executable);
    let experiment = planner::plan(&Ingredients {
        flow: &flow,
        margin: &margin,
        adapters: &catalogue.adapters.adapters,
        controllers: &catalogue.adapters.controllers,
        executables: &BTreeMap::from(executables),
        bounds: &in_force,
        inputs: &BTreeMap::new(),
        global_seed: margin.global_seed.unwrap(),
        unit,
    })
    .unwrap();
    let plan = Arc::new(Plan::freeze(experiment, unit.map(str::to_owned), host, BTreeMap::new()).unwrap());
    admission::admit(Arc::clone(&plan), &in_force.bounds).unwrap();
    Proposal::new(&plan, in_force.bounds, &candidates, drift.iter().map(|d| (*d).to_owned()).collect())
}

fn on_a_limit(unit: Option<&str>) -> Proposal {
    let files = [
        ("flows/f.yaml", FLOW),
        ("adapters/tool.yaml", TOOL),
        ("margins/m.yaml", MARGIN),
        ("policy/safety.yaml", POLICY),
        ("policy/profiles/genoa.yaml", PROFILE),
    ];
    proposal(&files, unit, &["kernel 6.1.0 -> 6.8.0-48-generic", "adapter tool is another program"])
}

fn inside() -> Proposal {
    let files = [
        ("flows/f.yaml", FLOW),
        ("adapters/tool.yaml", PROVEN),
        ("margins/m.yaml", "name: m\nglobal_seed: 7\ndefault: { core: { voltage: 900mV } }\n"),
        ("policy/safety.yaml", POLICY),
    ];
    proposal(&files, None, &[])
}

/// The digest covers all of a plan's format; what it is belongs to other tests.
fn without_digest(text: &str, proposal: &Proposal) -> String {
    text.replace(&proposal.plan.digest[..8], "DIGEST")
}

#[test]
fn everything_that_a_careful_engineer_would_ask() {
    let proposal = on_a_limit(Some("SN\u{202e}1"));
    let text = text(&proposal);
    insta::assert_snapshot!(without_digest(&text, &proposal), @r#"
    host      bench-03, AMD EPYC 9654 96-Core Processor, 96 cores, 755.3 GiB, kernel
              6.8.0-48-generic
    unit      SN\u{202e}1
    plan      f x m, seed 7, digest DIGEST
    policy    safety, tightened by genoa
              genoa, priority 50: cpu_vendor "AuthenticAMD" yes, cpu_model_contains
              "EPYC 9" yes, min_cores 64 yes (96), hypervisor false yes
    counts    12 sub-runs, 24 executions, at most 00:12:00

    rails     planned, allowed, use of the range; headroom in % of the range
      core.frequency    3GHz .. 3.2GHz  of  800MHz .. 4.2GHz          [......##..]
                        headroom below 2.2GHz (64 %), above 1GHz (29 %)
                        applied by nobody
                        bounds from policy/safety.yaml:3:60
      core.voltage      848mV .. 1002mV with jitter  of  848mV .. 1050mV
                        [########..]
                        headroom below AT LIMIT, above 48mV (23 %)
                        applied by adapter
                        bounds from policy/profiles/genoa.yaml:4:38

           !  2 of 12 sub-runs have a value ON A LIMIT
           !  applied: none for core.frequency: nothing here moves it, so a point
              says nothing about it
           !  no proof declared by tool: the exit code alone decides a pass
           !  named by an absolute path, outside diags/: /opt/bench/tool
           !  changed since the plan was made: kernel 6.1.0 -> 6.8.0-48-generic
           !  changed since the plan was made: adapter tool is another program
    "#);
    for line in text.lines() {
        assert!(line.width() <= WIDTH, "{} columns: {line}", line.width());
    }
}

#[test]
fn nothing_swept_and_no_profile() {
    let proposal = inside();
    insta::assert_snapshot!(without_digest(&text(&proposal), &proposal), @r"
    host      bench-03, AMD EPYC 9654 96-Core Processor, 96 cores, 755.3 GiB, kernel
              6.8.0-48-generic
    plan      f x m, seed 7, digest DIGEST
    policy    safety; no hardware profile matches this host
    counts    1 sub-run, 2 executions, at most 00:01:00

    rails     planned, allowed, use of the range; headroom in % of the range
      core.voltage      900mV  of  700mV .. 1100mV                    [.....#....]
                        headroom below 200mV (50 %), above 200mV (50 %)
                        applied by adapter
                        bounds from policy/safety.yaml:3:20

           !  named by an absolute path, outside diags/: /opt/bench/tool
    ");
}

#[test]
fn who_applies_each_field() {
    let controller = "name: sim_rail\nkind: controller\npath: diags/sim_rail.sh\nrails: [core]\napply: [\"{voltage_uv}\"]\nread: [get]\nrestore: [home]\n";
    let check = |tool: &str, expected: &[&str]| {
        let files = [
            ("flows/f.yaml", FLOW),
            ("adapters/tool.yaml", tool),
            ("adapters/sim_rail.yaml", controller),
            ("margins/m.yaml", MARGIN),
            ("policy/safety.yaml", POLICY),
        ];
        let text = text(&proposal(&files, None, &[]));
        let said: Vec<&str> = text.lines().filter_map(|line| line.trim().strip_prefix("applied by ")).collect();
        assert_eq!(said, expected, "{text}");
    };
    // The frequency's line comes first; the controller drives the voltage alone.
    check(PROVEN, &["adapter", "controller sim_rail"]);
    check(TOOL, &["nobody", "controller sim_rail"]);
}

#[test]
fn long_names_wrap_and_fit() {
    let long = "x".repeat(64);
    let mut proposal = on_a_limit(Some(&"U".repeat(128)));
    let name = crate::domain::name::Name::new(&long).unwrap();
    proposal.unproven = vec![name.clone(); 30];
    proposal.profiles[0].0 = name.clone();
    proposal.rails[0].rail = name;
    proposal.rails[1].planned.max += 1;
    proposal.drift = vec!["word ".repeat(60); 25];
    let text = text(&proposal);
    for line in text.lines() {
        assert!(line.width() <= WIDTH, "{} columns: {line}", line.width());
    }
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("and 10 more:") && words.contains("and 5 more changes"), "{text}");
}

fn check(proposal: &Proposal, typed: &str, expected: Answer) -> String {
    let mut shown = vec![];
    assert_eq!(ask(proposal, typed.as_bytes(), &mut shown).unwrap(), expected, "{typed:?}");
    let shown = String::from_utf8(shown).unwrap();
    shown[text(proposal).len()..].to_owned()
}

#[test]
fn only_yes_is_yes() {
    let proposal = inside();
    for declined in ["", "\n", "y\n", "YES\n", "yes please\n", "no\nyes\n", "\u{1b}yes\n"] {
        check(&proposal, declined, Answer::Declined);
    }
    assert_eq!(check(&proposal, " yes \n", Answer::Run), "Run 1 sub-run? Type yes: ");
    check(&proposal, "yes", Answer::Run);
    let endless = "y".repeat(100_000);
    check(&proposal, &endless, Answer::Declined);
}

#[test]
fn a_run_that_goes_on_says_from_where_and_how_much_is_left() {
    let goes_on = GoesOn { says: "run rr-1: the host went down".to_owned(), sub_runs: 7 };
    let proposal = Proposal { goes_on: Some(goes_on), ..inside() };
    assert_eq!(check(&proposal, "yes", Answer::Run), "Go on with 7 sub-runs? Type yes: ");
    assert!(text(&proposal).contains("run rr-1: the host went down"));
}

#[test]
fn a_point_on_a_limit_needs_the_very_unit() {
    let proposal = on_a_limit(Some("SN1"));
    check(&proposal, "yes\nyes\nyes\nyes\n", Answer::Declined);
    check(&proposal, "SN1\nno\n", Answer::Declined);
    check(&proposal, "SN1\n", Answer::Declined);
    insta::assert_snapshot!(check(&proposal, "sn1\nSN1\nyes\n", Answer::Run), @r"
    A point on a limit needs the unit's serial number. Type it: That is not the unit of this plan.
    A point on a limit needs the unit's serial number. Type it: Run 12 sub-runs? Type yes:
    ");
    assert_eq!(
        check(&on_a_limit(None), "SN1\nyes\n", Answer::Declined),
        "A point on a limit needs the unit named: give --unit SN.\n"
    );
}
