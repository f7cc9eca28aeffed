//! Plans that leave the bounds: exit code 3, both lines, nothing started, nothing written.

use super::Bench;

/// What `plan` and `run --yes` say, which is the same.
fn refused(bench: &Bench) -> String {
    let plan = bench.told("plan --flow smoke --margin down");
    let run = bench.told("run --yes --unit SN1 --flow smoke --margin down");
    assert_eq!(plan.all(), run.all());
    assert_eq!(plan.code, 3, "{}", plan.all());
    assert_eq!(bench.runs(), Vec::<String>::new());
    plan.all()
}

#[test]
fn a_point_outside_the_policy() {
    let bench = Bench::new();
    bench.edit("margins/down.yaml", "to: 900mV", "to: 800mV");
    insta::assert_snapshot!(refused(&bench), @r"
    --- stderr
    error: core.voltage = 800mV is outside 850mV .. 1050mV
     --> margins/down.yaml:4:29
      |
    4 | default: { core: { voltage: { from: 1000mV, to: 800mV, step: -50mV }, frequency: 3.2GHz } }
      |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
     ::: policy/profiles/genoa.yaml:4:38
      |
    4 | policy: { limits: { core: { voltage: { min: 850mV, max: 1050mV } } } }
      |                                      --------------------------- at least 850mV is allowed
      |
      = help: change the margin profile; a bound is changed only by whoever answers for the hardware

    error: the plan leaves the bounds; nothing was started
    => 3
    ");
    insta::assert_snapshot!(bench.told("margins validate --file down").all(), @r"
    --- stderr
    error: core.voltage = 800mV is outside 850mV .. 1050mV
     --> margins/down.yaml:4:29
      |
    4 | default: { core: { voltage: { from: 1000mV, to: 800mV, step: -50mV }, frequency: 3.2GHz } }
      |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ at least 850mV is allowed
      |
     ::: policy/profiles/genoa.yaml:4:38
      |
    4 | policy: { limits: { core: { voltage: { min: 850mV, max: 1050mV } } } }
      |                                      --------------------------- the bound

    error: margins/down.yaml leaves the bounds in force on this host
    help: road_runner policy explain shows every bound and where it was written
    => 3
    ");
}

#[test]
fn jitter_counts() {
    let bench = Bench::new();
    bench.edit("margins/down.yaml", "to: 900mV", "to: 850mV");
    assert_eq!(bench.told("margins validate --file down").code, 0);
    bench.write(
        "margins/down.yaml",
        &format!("{}jitter: {{ core.voltage: {{ max: 1mV, step: 1mV }} }}\n", super::MARGIN.replace("900mV", "850mV")),
    );
    insta::assert_snapshot!(refused(&bench), @r"
    --- stderr
    error: core.voltage = 850mV with jitter of 1mV either way is outside 850mV .. 1050mV
     --> margins/down.yaml:4:29
      |
    4 | default: { core: { voltage: { from: 1000mV, to: 850mV, step: -50mV }, frequency: 3.2GHz } }
      |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
     ::: policy/profiles/genoa.yaml:4:38
      |
    4 | policy: { limits: { core: { voltage: { min: 850mV, max: 1050mV } } } }
      |                                      --------------------------- at least 850mV is allowed
      |
      = help: change the margin profile; a bound is changed only by whoever answers for the hardware

    error: the plan leaves the bounds; nothing was started
    => 3
    ");
    insta::assert_snapshot!(bench.told("margins validate --file down").all(), @r"
    --- stderr
    error: core.voltage = 850mV with jitter of 1mV either way is outside 850mV .. 1050mV
     --> margins/down.yaml:4:29
      |
    4 | default: { core: { voltage: { from: 1000mV, to: 850mV, step: -50mV }, frequency: 3.2GHz } }
      |                             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ at least 850mV is allowed
      |
     ::: policy/profiles/genoa.yaml:4:38
      |
    4 | policy: { limits: { core: { voltage: { min: 850mV, max: 1050mV } } } }
      |                                      --------------------------- the bound

    error: margins/down.yaml leaves the bounds in force on this host
    help: road_runner policy explain shows every bound and where it was written
    => 3
    ");
}

#[test]
fn a_rail_with_no_bound() {
    let bench = Bench::new();
    bench.edit("margins/down.yaml", "frequency: 3.2GHz }", "frequency: 3.2GHz }, mem: { voltage: 1.2V }");
    insta::assert_snapshot!(refused(&bench), @r"
    --- stderr
    error: no policy bounds mem.voltage
     --> margins/down.yaml:4:108
      |
    4 | default: { core: { voltage: { from: 1000mV, to: 900mV, step: -50mV }, frequency: 3.2GHz }, mem: { voltage: 1.2V } }
      |                                                                                                            ^^^^
      |
      = help: write limits for mem.voltage with min and max into policy/safety.yaml

    error: the plan leaves the bounds; nothing was started
    => 3
    ");
    insta::assert_snapshot!(bench.told("margins validate --file down").all(), @r"
    --- stderr
    error: no policy bounds mem.voltage
     --> margins/down.yaml:4:108
      |
    4 | default: { core: { voltage: { from: 1000mV, to: 900mV, step: -50mV }, frequency: 3.2GHz }, mem: { voltage: 1.2V } }
      |                                                                                                            ^^^^
      |
      = help: write limits for mem.voltage, min and max, into policy/safety.yaml

    error: margins/down.yaml leaves the bounds in force on this host
    help: road_runner policy explain shows every bound and where it was written
    => 3
    ");
}

#[test]
fn a_voltage_that_is_not_the_margins() {
    let bench = Bench::new();
    bench.edit("adapters/probe.yaml", ", from: margin.core.voltage", "");
    bench.edit("flows/smoke.yaml", "adapter: probe }", "adapter: probe, params: { vcore: 1.5V } }");
    insta::assert_snapshot!(refused(&bench), @r"
    --- stderr
    error: step first: no policy bounds vcore, which sets a voltage or frequency by itself
     --> flows/smoke.yaml:4:53
      |
    4 |   - { name: first, adapter: probe, params: { vcore: 1.5V } }
      |                                                     ^^^^
      |
      = help: bind it to the margin with `from:`, or bound `probe.vcore` under `params` in the policy

    error: the plan leaves the bounds; nothing was started
    => 3
    ");
    bench.edit("policy/safety.yaml", "rounds:", "vcore: { max: 1.1V }\n  rounds:");
    insta::assert_snapshot!(refused(&bench), @r"
    --- stderr
    error: step first: vcore = 1500mV is outside the bound of vcore: at most 1100mV
     --> flows/smoke.yaml:4:53
      |
    4 |   - { name: first, adapter: probe, params: { vcore: 1.5V } }
      |                                                     ^^^^
      |
     ::: policy/safety.yaml:5:3
      |
    5 |   vcore: { max: 1.1V }
      |   ----- at most 1100mV is allowed

    error: the plan leaves the bounds; nothing was started
    => 3
    ");
}

#[test]
fn a_parameter_out_of_bounds() {
    let bench = Bench::new();
    bench.edit("flows/smoke.yaml", "rounds: [1, 2]", "rounds: [1, 101]");
    insta::assert_snapshot!(refused(&bench), @r"
    --- stderr
    error: step second: rounds = 101 is outside the bound of rounds: at most 100
     --> flows/smoke.yaml:5:55
      |
    5 |   - { name: second, adapter: probe, sweep: { rounds: [1, 101] }, repeat: 2 }
      |                                                       ^
      |
     ::: policy/safety.yaml:5:3
      |
    5 |   rounds: { max: 100 }
      |   ------ at most 100 is allowed

    error: the plan leaves the bounds; nothing was started
    => 3
    ");
}

#[test]
fn too_many_points_are_counted_and_not_made() {
    let bench = Bench::new();
    bench.edit("margins/down.yaml", "step: -50mV", "step: -1uV");
    bench.edit("margins/down.yaml", "frequency: 3.2GHz", "frequency: { from: 3.2GHz, to: 3.3GHz, step: 1kHz }");
    insta::assert_snapshot!(refused(&bench), @r"
    --- stderr
    error: the plan would have 10000200001 sub-runs, at most 10000 are allowed
     --> margins/down.yaml:1:1
      |
    1 | name: down
      | ^
      |
      = help: sweep fewer values, or raise max_subruns in the policy

    error: the plan leaves the bounds; nothing was started
    => 3
    ");
}

#[test]
fn a_stored_plan_that_was_edited_or_is_not_allowed_any_more() {
    let bench = Bench::new();
    assert_eq!(bench.told("plan -q --flow smoke --margin down").code, 0);
    let plan = bench.runs().into_iter().find(|path| path.ends_with("plan.json")).unwrap();
    let text = std::fs::read_to_string(&plan).unwrap();
    std::fs::write(&plan, text.replace("900000", "890000")).unwrap();
    insta::assert_snapshot!(bench.told("run --yes --plan latest").all(), @r"
    --- stderr
    error: the plan of rr-TIME-DIGEST was changed after it was frozen
    help: plan anew from the flow and the margin
    => 3
    ");
    std::fs::write(&plan, text).unwrap();
    bench.edit("policy/safety.yaml", "min: 700mV", "min: 950mV");
    insta::assert_snapshot!(bench.told("run --yes --plan latest").all(), @r"
    --- stderr
    error: today's bounds refuse the stored plan: core.voltage = 900mV is outside 950mV .. 1050mV
    help: nothing was started; `road_runner policy explain` shows the bounds in force
    => 3
    ");
}
