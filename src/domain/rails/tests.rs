//! Arguments, readbacks, tolerances, and the order of writes for every pair of levels.

use super::*;
use crate::domain::kit::name;
use proptest::prelude::*;

fn controller(apply: &[&str]) -> PlannedController {
    let texts = |list: &[&str]| list.iter().map(ToString::to_string).collect();
    PlannedController {
        executable: Executable { path: "diags/reg.sh".to_owned(), sha256: String::new() },
        rails: vec![name("core"), name("soc")],
        apply: texts(apply),
        read: texts(&["get", "{rail}"]),
        restore: texts(&["nominal", "{rail}"]),
        voltage_tolerance_uv: 1000,
        frequency_tolerance_khz: 0,
        max_step_uv: Some(50_000),
        settle_ms: Millis(0),
        timeout_ms: Millis(1000),
    }
}

const BOTH: &[&str] = &["set", "{rail}", "--uv={voltage_uv}", "{frequency_khz}"];

fn both() -> Controllers {
    Controllers::from([(name("reg"), controller(BOTH))])
}

fn level(voltage_uv: impl Into<Option<u64>>, frequency_khz: impl Into<Option<u64>>) -> RailLevel {
    RailLevel { voltage_uv: voltage_uv.into(), frequency_khz: frequency_khz.into() }
}

#[test]
fn a_placeholder_without_a_value_drops_its_argument() {
    let check = |level: RailLevel, expected: &[&str]| {
        assert_eq!(arguments(&controller(BOTH).apply, &name("core"), &level), expected);
    };
    check(level(850_000, 3_200_000), &["set", "core", "--uv=850000", "3200000"]);
    check(level(850_000, None), &["set", "core", "--uv=850000"]);
    check(level(None, 3_200_000), &["set", "core", "3200000"]);
    check(RailLevel::default(), &["set", "core"]);
}

#[test]
fn readbacks_are_read_in_full_or_refused() {
    let check = |apply: &[&str], printed: &str, expected: Result<RailLevel, &str>| {
        assert_eq!(controller(apply).readback(printed), expected.map_err(str::to_owned), "{printed}");
    };
    check(BOTH, "voltage_uv=850000 frequency_khz=3200000\n", Ok(level(850_000, 3_200_000)));
    check(BOTH, "frequency_khz=3200000 voltage_uv=850000", Ok(level(850_000, 3_200_000)));
    check(BOTH, "voltage_uv=850000", Err("printed no frequency: \"voltage_uv=850000\""));
    check(BOTH, "850000", Err("printed \"850000\""));
    check(BOTH, "voltage_uv=-1 frequency_khz=1", Err("printed \"voltage_uv=-1 frequency_khz=1\""));
    check(BOTH, "", Err("printed no frequency: nothing"));
    check(&["{voltage_uv}"], "850000\n", Ok(level(850_000, None)));
    check(&["{frequency_khz}"], "3200000", Ok(level(None, 3_200_000)));
    check(&["{voltage_uv}"], "voltage_uv=850000", Ok(level(850_000, None)));
    check(&["{voltage_uv}"], "850000 1", Err("printed \"850000 1\""));
    check(&["{voltage_uv}"], "\u{1b}[2J", Err("printed \"\\u{1b}[2J\""));
}

#[test]
fn what_is_out_of_tolerance_is_not_held() {
    let check = |set: RailLevel, read: RailLevel, expected: Result<(), &str>| {
        assert_eq!(controller(BOTH).holds(&set, &read), expected.map_err(str::to_owned));
    };
    check(level(850_000, 3_200_000), level(851_000, 3_200_000), Ok(()));
    check(level(850_000, None), level(849_000, 1), Ok(()));
    let off = "voltage reads 848.9mV where 850mV was set; 1.1mV off, 1mV is tolerated";
    check(level(850_000, 3_200_000), level(848_900, 3_200_000), Err(off));
    check(level(None, 3_200_000), level(None, None), Err("no frequency was read back"));
}

fn steps(from: RailLevel, to: RailLevel) -> String {
    let at = |level| Levels::from([(name("core"), level)]);
    let writes = walk(&both(), &at(from), &at(to));
    writes.iter().map(|write| write.level.shown()).collect::<Vec<_>>().join(", ")
}

#[test]
fn frequency_goes_down_first_and_up_last() {
    let check = |from, to, expected: &str| assert_eq!(steps(from, to), expected);
    let (high, low) = (level(1_000_000, 3_000_000), level(880_000, 2_000_000));
    check(high, low, "1000mV 2GHz, 950mV 2GHz, 900mV 2GHz, 880mV 2GHz");
    check(low, high, "930mV 2GHz, 980mV 2GHz, 1000mV 2GHz, 1000mV 3GHz");
    check(high, level(950_000, 4_000_000), "950mV 3GHz, 950mV 4GHz");
    check(level(950_000, 4_000_000), high, "950mV 3GHz, 1000mV 3GHz");
    check(high, high, "");
    check(high, level(None, 2_000_000), "2GHz");
    check(level(None, None), high, "1000mV, 1000mV 3GHz");
}

#[test]
fn rails_move_together_in_that_order() {
    let from = Levels::from([(name("core"), level(1_000_000, 3_000_000)), (name("soc"), level(900_000, 1_000_000))]);
    let to = Levels::from([(name("core"), level(950_000, 2_000_000)), (name("soc"), level(940_000, 1_500_000))]);
    let writes = walk(&both(), &from, &to);
    let shown: Vec<String> = writes.iter().map(|write| format!("{} {}", write.rail, write.level.shown())).collect();
    assert_eq!(shown, ["core 1000mV 2GHz", "core 950mV 2GHz", "soc 940mV 1GHz", "soc 940mV 1.5GHz"]);
}

proptest! {
    #[test]
    fn nothing_on_the_way_is_worse_than_both_ends(points in prop::collection::vec((0u64..40, 0u64..20), 2..8)) {
        let points: Vec<RailLevel> =
            points.iter().map(|(v, f)| level(600_000 + v * 13_000, 1_000_000 + f * 100_000)).collect();
        // Lower voltage, or a higher clock at it, is worse.
        let worse = |one: &RailLevel, other: &RailLevel| {
            one != other && one.voltage_uv <= other.voltage_uv && one.frequency_khz >= other.frequency_khz
        };
        for ends in points.windows(2) {
            let (from, to) = (ends[0], ends[1]);
            let at = |level| Levels::from([(name("core"), level)]);
            let writes = walk(&both(), &at(from), &at(to));
            let mut before = from;
            for write in &writes {
                let now = write.level;
                prop_assert!(!(worse(&now, &from) && worse(&now, &to)), "{from:?} {now:?} {to:?}");
                prop_assert!(before.voltage_uv.unwrap().abs_diff(now.voltage_uv.unwrap()) <= 50_000);
                prop_assert_ne!(before, now);
                before = now;
            }
            prop_assert_eq!(before, to);
        }
    }
}
