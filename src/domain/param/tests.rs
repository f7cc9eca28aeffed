//! Tests of parameters: exact decimals, and values as arguments.

use proptest::prelude::*;

use super::*;
use crate::domain::kit::param;

#[test]
fn decimals_are_plain_numbers() {
    let check = |text: &str, shown: Option<&str>| {
        assert_eq!(Decimal::parse(text).map(|d| d.to_string()).as_deref(), shown, "{text:?}");
    };
    for (text, shown) in [
        ("0", "0"),
        ("-0", "0"),
        ("-0.00", "0"),
        ("1.50", "1.5"),
        ("-1.25", "-1.25"),
        ("-0.5", "-0.5"),
        ("007", "7"),
        ("0.000000001", "0.000000001"),
        ("1000000000000000", "1000000000000000"),
    ] {
        check(text, Some(shown));
    }
    for text in ["", "-", "+1", "1.", ".5", "1e3", "NaN", ".nan", "inf", "1,5", " 1", "1 ", "--1", "1.2.3", "0x1", "١"]
    {
        check(text, None);
    }
    check("0.0000000001", None);
    check("1000000000000001", None);
    check("99999999999999999999999", None);
    check("-9223372036854775808", None);
}

#[test]
fn decimals_at_a_scale() {
    let half = Decimal::new(50, 2);
    assert_eq!((half.scale(), half.at_scale(3), half.at_scale(0)), (1, Some(500), None));
    assert_eq!(Decimal::new(i64::MAX, 0).at_scale(1), None);
    assert_eq!(Decimal::new(-25, 1).to_f64().to_string(), "-2.5");
}

fn voltage(uv: u64) -> ParamValue {
    ParamValue::Voltage(Microvolts(uv))
}

fn frequency(khz: u64) -> ParamValue {
    ParamValue::Frequency(Kilohertz(khz))
}

fn duration(ms: u64) -> ParamValue {
    ParamValue::Duration(Millis(ms))
}

#[test]
fn quantities_are_shown_in_the_manifests_unit_or_refused() {
    let check = |value: ParamValue, unit: &str, decimals, expected: Result<&str, &str>| {
        let unit = Some(unit).filter(|u| !u.is_empty());
        let shown = render(&value, unit, decimals, false).map_err(|e| e.to_string());
        assert_eq!(shown.as_deref().map_err(String::as_str), expected, "{value:?} {unit:?} {decimals}");
    };
    check(voltage(850_000), "mV", 0, Ok("850"));
    check(voltage(850_500), "mV", 0, Err("850.5mV is not a whole number of mV"));
    check(voltage(850_500), "mV", 1, Ok("850.5"));
    check(voltage(850_000), "mV", 3, Ok("850"));
    check(voltage(850_000), "V", 1, Err("850mV is not a whole number of V with 1 decimals"));
    check(voltage(850_000), "V", 2, Ok("0.85"));
    check(voltage(1), "V", 6, Ok("0.000001"));
    check(voltage(1), "uV", 0, Ok("1"));
    check(voltage(0), "V", 0, Ok("0"));
    check(frequency(3_200_000), "kHz", 0, Ok("3200000"));
    check(frequency(3_200_000), "MHz", 0, Ok("3200"));
    check(frequency(3_200_000), "GHz", 1, Ok("3.2"));
    check(duration(120_000), "m", 0, Ok("2"));
    check(
        duration(90_000),
        "m",
        5,
        Err("1.5m is not a whole number of m with 5 decimals")
            .map_err(|_| "90s is not a whole number of m with 5 decimals"),
    );
    check(duration(90_000), "", 0, Ok("90"));
    check(duration(1_500), "ms", 0, Ok("1500"));
    check(duration(1_500), "", 0, Err("1.5s is not a whole number of s"));
    check(duration(7_200_000), "h", 0, Ok("2"));
    check(voltage(500), "", 0, Err("0.5mV is not a whole number of mV"));
    check(voltage(1_000_000), "MHz", 0, Err("1000mV is not a whole number of MHz"));
}

#[test]
fn texts_that_would_be_something_else_are_refused() {
    let text = |text: &str| ParamValue::Text(text.to_owned());
    let check = |value: ParamValue, allowed: bool, expected: Result<&str, ArgumentError>| {
        assert_eq!(render(&value, None, 0, allowed).as_deref(), expected.as_ref().copied(), "{value:?}");
    };
    check(text("a b $(c) ;"), false, Ok("a b $(c) ;"));
    check(text(""), false, Ok(""));
    check(text("a\0"), true, Err(ArgumentError::ControlCharacter));
    check(text("a\nb"), true, Err(ArgumentError::ControlCharacter));
    check(text("-rf"), false, Err(ArgumentError::LeadingDash));
    check(text("-rf"), true, Ok("-rf"));
    check(ParamValue::Int(-5), false, Err(ArgumentError::LeadingDash));
    check(ParamValue::Int(-5), true, Ok("-5"));
    check(ParamValue::Float(Decimal::new(-5, 1)), false, Err(ArgumentError::LeadingDash));
}

#[test]
fn flags_stand_before_beside_or_nowhere() {
    let check = |flag: Option<&str>, value: ParamValue, expected: &[&str]| {
        let spec = ParamSpec { flag: flag.map(str::to_owned), ..param("p", ParamKind::Int) };
        assert_eq!(spec.arguments(&value).unwrap(), expected, "{flag:?} {value:?}");
    };
    check(Some("--size"), ParamValue::Int(5), &["--size", "5"]);
    check(Some("--size="), ParamValue::Int(5), &["--size=5"]);
    check(Some("of="), ParamValue::Text("/dev/null".to_owned()), &["of=/dev/null"]);
    check(None, ParamValue::Int(5), &["5"]);
    check(Some("-v"), ParamValue::Bool(true), &["-v"]);
    check(Some("-v"), ParamValue::Bool(false), &[]);
    check(None, ParamValue::Bool(true), &[]);
}

#[test]
fn numbers_for_comparing_with_measured_ones() {
    let check = |value: ParamValue, expected: Option<f64>| assert_eq!(value.number(), expected, "{value:?}");
    check(ParamValue::Int(-2), Some(-2.0));
    check(ParamValue::Float(Decimal::new(25, 1)), Some(2.5));
    check(duration(1_500), Some(1_500.0));
    check(voltage(850_000), Some(850_000.0));
    check(frequency(5), Some(5.0));
    check(ParamValue::Bool(true), None);
    check(ParamValue::Text("5".to_owned()), None);
}

fn decimals() -> impl Strategy<Value = Decimal> {
    (-1_000_000_000_000_000_i64..=1_000_000_000_000_000, 0_u32..=Decimal::MAX_SCALE)
        .prop_map(|(m, s)| Decimal::new(m, s))
}

proptest! {
    #[test]
    fn decimals_read_back_as_shown(decimal in decimals()) {
        prop_assert_eq!(Decimal::parse(&decimal.to_string()), Some(decimal));
        let json = serde_json::to_string(&decimal).unwrap();
        prop_assert_eq!(serde_json::from_str::<Decimal>(&json).unwrap(), decimal);
        prop_assert_eq!(decimal.to_string().parse::<f64>().unwrap().to_bits(), decimal.to_f64().to_bits());
    }

    #[test]
    fn decimals_are_ordered_as_numbers(a in -5_000_i64..5_000, b in -5_000_i64..5_000, s in 0_u32..4, t in 0_u32..4) {
        // Both as whole thousandths.
        let whole = |m: i64, scale: u32| m * 10_i64.pow(3 - scale);
        prop_assert_eq!(Decimal::new(a, s).cmp(&Decimal::new(b, t)), whole(a, s).cmp(&whole(b, t)));
        prop_assert_eq!(Decimal::new(a, s) == Decimal::new(b, t), whole(a, s) == whole(b, t));
    }

    #[test]
    fn decimals_never_panic(text in "[-+0-9.eE]{0,30}|.{0,20}", other in decimals()) {
        if let Some(decimal) = Decimal::parse(&text) {
            let _ = (decimal.cmp(&other), decimal.to_f64(), decimal.at_scale(9));
        }
    }

    #[test]
    fn what_stands_in_argv_reads_back_as_the_value(uv in 0_u64..2_000_000, decimals in 0_u32..7) {
        for unit in ["mV", "V", "uV"] {
            if let Ok(text) = render(&voltage(uv), Some(unit), decimals, false) {
                prop_assert_eq!(Microvolts::parse(&format!("{text}{unit}")), Ok(Microvolts(uv)));
                prop_assert!(text.split_once('.').map_or(0, |(_, f)| f.len()) <= decimals as usize);
            }
        }
    }

    #[test]
    fn values_of_parameters_read_back(value in prop_oneof![
        any::<i64>().prop_map(ParamValue::Int),
        decimals().prop_map(ParamValue::Float),
        any::<bool>().prop_map(ParamValue::Bool),
        ".{0,20}".prop_map(ParamValue::Text),
        any::<u64>().prop_map(voltage),
        any::<u64>().prop_map(frequency),
        any::<u64>().prop_map(duration),
    ]) {
        let json = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(serde_json::from_str::<ParamValue>(&json).unwrap(), value);
    }
}
