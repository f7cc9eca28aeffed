//! Runs of the past: which are listed, and two of them held against each other.

use super::{Bench, Told, words};

fn told(bench: &Bench, line: &str) -> Told {
    bench.outcome(&mut bench.real(&words(line)))
}

const CHOICE: &str = "--flow smoke --margin down";

#[test]
fn runs_are_filtered_and_compared() {
    let bench = Bench::new();
    // The bounds must not depend on the host that runs the tests.
    std::fs::remove_dir_all(bench.path("policy/profiles")).unwrap();
    let first = told(&bench, &format!("run --yes -q --unit SN1 {CHOICE}"));
    assert_eq!(first.code, 0, "{}", first.all());
    let earlier = bench.runs().into_iter().find_map(|path| path.rsplit('/').next().map(str::to_owned)).unwrap();
    bench.program(
        "diags/probe.sh",
        "#!/bin/sh\n[ \"$ROAD_RUNNER_RAIL_CORE_VOLTAGE_UV\" != 900000 ] || exit 1\necho OK\n",
    );
    assert_eq!(told(&bench, &format!("run --yes -q --unit SN2 {CHOICE}")).code, 1);
    insta::assert_snapshot!(told(&bench, "runs list --filter unit:sn2").all(), @r"
    RUN                         STATUS     VERDICT  SUB-RUNS  FLOW   MARGIN  UNIT
    rr-TIME-DIGEST  completed  fail     3/3       smoke  down    SN2
    => 0
    ");
    insta::assert_snapshot!(told(&bench, "runs list --filter -unit:SN").all(), @r"
    no run in BENCH/ws/runs matches the filter
    => 0
    ");
    insta::assert_snapshot!(told(&bench, "runs list --filter colour:red").all(), @r"
    --- stderr
    error: a run has no `colour` to filter by; there are id, flow, margin, unit, verdict, status, date
    => 2
    ");
    let filtered = told(&bench, "runs list --output json --filter pass").stdout;
    let json: serde_json::Value = serde_json::from_str(&filtered).unwrap();
    assert_eq!((json.as_array().unwrap().len(), json[0]["unit"].as_str()), (1, Some("SN1")));
    insta::assert_snapshot!(told(&bench, &format!("runs compare {earlier}")).all(), @r"
    then      rr-TIME-DIGEST
    now       rr-TIME-DIGEST
    drift     none: the host was the same
    flow      same
    margin    same
    policy    same
    adapters  probe: diags/probe.sh is another program
    seed      same
    unit      SN1 -> SN2
    cells     3 in both: 0 now pass, 1 now fail

    core 3.2GHz 900mV  s2 pass  ->  s2 fail
    => 0
    ");
    insta::assert_snapshot!(told(&bench, "runs compare latest latest").all(), @r"
    then      rr-TIME-DIGEST
    now       rr-TIME-DIGEST
    drift     none: the host was the same
    flow      same
    margin    same
    policy    same
    adapters  same
    seed      same
    unit      same
    cells     3 in both: 0 now pass, 0 now fail
    => 0
    ");
    let compared = told(&bench, &format!("runs compare latest {earlier} --output json"));
    let json: serde_json::Value = serde_json::from_str(&compared.stdout).unwrap();
    assert_eq!(
        (json["cells"]["now_pass"].as_u64(), json["cells"]["changes"][0]["now"].as_str()),
        (Some(1), Some("pass"))
    );
    insta::assert_snapshot!(told(&bench, "runs compare nothing").all(), @r"
    --- stderr
    error: no run 'nothing'; there is rr-TIME-DIGEST, rr-TIME-DIGEST
    help: road_runner runs list shows every run
    => 2
    ");
}
