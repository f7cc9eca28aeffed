//! `diags/sim_dut.sh --source sim_rail`: the device gets what the regulator really has.

use std::fs;

use super::{Bench, check, shells};

/// The device's first lines and how it ended, with the regulator's script on the same bench.
fn device(bench: &Bench, words: &str) -> (String, Option<i32>) {
    let output = bench.command("sim_dut.sh", words).output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

#[test]
fn it_gets_what_is_there_whatever_was_commanded() {
    for shell in shells() {
        let bench = Bench::new(shell, "sim_rail.sh");
        // A first look is enough for there to be a rail.
        bench.talk(&[("get sim", "voltage_uv=1000000 frequency_khz=3000000")]);
        for (command, uv, khz) in [
            ("--ignore-writes set sim 900000 2000000", 1_000_000, 3_000_000),
            ("set sim 900000 3000000", 900_000, 3_000_000),
            ("--offset-uv -30000 set sim 930000 3000000", 900_000, 3_000_000),
            ("--lie set sim 1000000 3000000", 900_000, 3_000_000),
            ("set sim 890000 3000000", 890_000, 3_000_000),
            ("set sim 870000 2600000", 870_000, 2_600_000),
            ("nominal sim", 1_000_000, 3_000_000),
        ] {
            bench.talk(&[(command, "")]);
            for seed in 1..4 {
                let (said, code) = device(&bench, &format!("--source sim_rail --seed {seed}"));
                assert!(said.contains(&format!("\nrail_uv={uv}\nrail_khz={khz}\n")), "{command}: {said}");
                // At the same point it ends as on a rail of its own.
                let own = format!("--vdut-mv {} --fdut-mhz {} --seed {seed}", uv / 1000, khz / 1000);
                let (alone, own_code) = device(&bench, &own);
                assert_eq!(code, own_code, "{command}");
                let rest = |said: &str| {
                    said.lines()
                        .skip(1)
                        .filter(|line| !line.starts_with("rail_"))
                        .map(str::to_owned)
                        .collect::<Vec<_>>()
                };
                assert_eq!(rest(&said), rest(&alone), "{command}");
            }
        }
    }
}

#[test]
fn on_a_rail_that_moves_it_gets_where_it_is() {
    for shell in shells() {
        let bench = Bench::new(shell, "sim_rail.sh");
        bench.talk(&[("set sim 1100000 2000000", ""), ("--slew-uv-per-ms 1 set sim voltage_uv=1000000", "")]);
        let rail = || {
            let said = device(&bench, "--source sim_rail").0;
            let line = said.lines().find_map(|line| line.strip_prefix("rail_uv=")).unwrap().to_owned();
            line.parse::<u64>().unwrap()
        };
        let regulator = || {
            let said = bench.call("get sim");
            said.strip_prefix("voltage_uv=").and_then(|rest| rest.split(' ').next()).unwrap().parse::<u64>().unwrap()
        };
        let (before, got, after) = (regulator(), rail(), regulator());
        assert!(before >= got && got >= after && after > 1_000_000, "{before} {got} {after}");
    }
}

#[test]
fn without_power_it_is_the_rig_that_failed() {
    for shell in shells() {
        let bench = Bench::new(shell, "sim_dut.sh");
        bench.talk(&[("--source sim_rail", "2 sim_dut: there is no regulator: D/.sim_rail/sim is not there")]);
        fs::create_dir(bench.at(".sim_rail")).unwrap();
        for line in ["", "1000000\n", "set_uv=1 set_khz=1 from_uv=1 to_uv=1 since_cs=0 slew=0 khz=1 more=1\n"] {
            fs::write(bench.at(".sim_rail/sim"), line).unwrap();
            bench.talk(&[("--source sim_rail", "2 sim_dut: D/.sim_rail/sim holds no state of a regulator")]);
        }
    }
}

#[test]
fn bad_usage() {
    check(
        "sim_dut.sh",
        &[
            ("--source mains", "64 sim_dut: no source 'mains'"),
            ("--source", "64 sim_dut: --source needs a value"),
            ("--source sim_rail --vdut-mv 1000", "64 sim_dut: with --source sim_rail there is no rail dut"),
            ("--source sim_rail --fdut-mhz 3000", "64 sim_dut: with --source sim_rail there is no rail dut"),
            ("--source sim_rail --model vc707", "64 sim_dut: model vc707 has a rail of its own"),
        ],
    );
}
