//! What JSON Schema calls patterns for what the domain parses: names, fields, quantities. Each agrees with its parser, but
//! for what no pattern can count, and the tests below hold one against the other.

use std::collections::BTreeMap;

use crate::domain::name::Name;
use crate::domain::units::Quantity;

/// The grammar of names, without anchors.
pub fn name() -> String {
    format!("[a-z0-9][a-z0-9_-]{{0,{}}}", Name::MAX_LEN - 1)
}

/// A whole text that consists of names and of `rest`, in which `NAME` stands for one.
pub fn of_names(rest: &str) -> String {
    format!("^{}$", rest.replace("NAME", &name()))
}

/// A quantity with its unit, exact in the base unit; negative only where `signed`.
pub fn quantity<Q: Quantity>(signed: bool) -> String {
    // Units with equally many decimals share them; of minutes, days and powers of two any are let pass.
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (unit, factor) in Q::UNITS {
        let fraction = match factor.checked_ilog10().filter(|&digits| 10_u64.pow(digits) == *factor) {
            Some(0) => r"(\.0+)?".to_owned(),
            Some(digits) => format!(r"(\.[0-9]{{1,{digits}}}0*)?"),
            None => r"(\.[0-9]+)?".to_owned(),
        };
        groups.entry(fraction).or_default().push(unit);
    }
    let group = |(fraction, units): (String, Vec<&str>)| match units[..] {
        [unit] => format!(r"[0-9]+{fraction}\s*{unit}"),
        _ => format!(r"[0-9]+{fraction}\s*({})", units.join("|")),
    };
    let exact = groups.into_iter().map(group).collect::<Vec<_>>().join("|");
    if signed {
        return format!(r"^\s*[-+]?({exact})\s*$");
    }
    let units: Vec<&str> = Q::UNITS.iter().map(|unit| unit.0).collect();
    // Minus nothing is nothing.
    format!(r"^\s*(\+?({exact})|-0+(\.0+)?\s*({}))\s*$", units.join("|"))
}

#[cfg(test)]
mod tests {
    use std::any::type_name;

    use proptest::prelude::*;
    use regex::Regex;

    use super::*;
    use crate::domain::host::KernelVersion;
    use crate::domain::margin::FieldKey;
    use crate::domain::policy::ParamKey;
    use crate::domain::units::{Bytes, Kilohertz, Microvolts, Millis, QuantityError, parse_signed};

    /// What a pattern cannot count: how large a number is, and whether it is whole in a unit that is no power of ten.
    fn agree<Q: Quantity>(text: &str) {
        let whole = |unit: &str| Q::UNITS.iter().any(|u| u.0 == unit && 10_u64.pow(u.1.ilog10()) == u.1);
        let unit = text.trim().trim_start_matches(|c: char| !c.is_alphabetic());
        for signed in [false, true] {
            let read = if signed { parse_signed::<Q>(text).map(|_| ()) } else { Q::parse(text).map(|_| ()) };
            let fits = Regex::new(&quantity::<Q>(signed)).unwrap().is_match(text);
            match read {
                Err(QuantityError::TooLarge { .. }) => {}
                Err(QuantityError::NotExact { .. }) if !whole(unit) => {}
                read => assert_eq!(fits, read.is_ok(), "{text:?} as {} signed {signed}", type_name::<Q>()),
            }
        }
    }

    fn check(text: &str) {
        agree::<Microvolts>(text);
        agree::<Kilohertz>(text);
        agree::<Millis>(text);
        agree::<Bytes>(text);
    }

    #[test]
    fn quantities_agree_with_their_parser() {
        for text in [
            "850mV",
            "0.85V",
            " 850 mV ",
            "+1V",
            "-0mV",
            "-0.00V",
            "-1mV",
            "-30mV",
            "0.0000005V",
            "0.0000010V",
            "1.V",
            ".5V",
            "1.2.3V",
            "1e3V",
            "850",
            "",
            "V",
            "1.5m",
            "0.5h",
            "1 µV",
            "1.0uV",
            "1.1uV",
            "3.2GHz",
            "3.2000000GHz",
            "3.20000001GHz",
            "1_0V",
            "0x10V",
            "1.5MiB",
            "1.5B",
            "1min",
            "2d",
            "+ 1V",
            "--1V",
            "1vV",
            "1V\n",
            "1V 2V",
        ] {
            check(text);
        }
    }

    proptest! {
        #[test]
        fn quantities_agree_whatever_is_written(
            text in r" ?[-+]?[0-9]{0,3}(\.[0-9]{0,8})? ?(mV|V|uV|µV|kV|MHz|GHz|kHz|s|ms|m|min|h|d|MiB|B|kB|GB|x|)"
        ) {
            check(&text);
        }

        #[test]
        fn names_agree_with_their_parsers(text in r"[a-z0-9A-Z_-]{0,3}[./]?[a-z0-9_]{0,2}(\.voltage|\.frequency|\.volt|)") {
            let fits = |pattern: &str| Regex::new(pattern).unwrap().is_match(&text);
            prop_assert_eq!(fits(&of_names("NAME")), Name::new(&text).is_ok());
            prop_assert_eq!(fits(&of_names(super::super::documents::FIELD)), text.parse::<FieldKey>().is_ok());
            prop_assert_eq!(fits(&of_names(super::super::documents::PARAM)), ParamKey::try_from(text.clone()).is_ok());
        }

        #[test]
        fn versions_agree_with_their_parser(text in r"[0-9]{0,2}(\.[0-9]{0,2}){0,4}") {
            let fits = Regex::new(super::super::documents::VERSION).unwrap().is_match(&text);
            prop_assert_eq!(fits, text.parse::<KernelVersion>().is_ok(), "{}", text);
        }
    }

    #[test]
    fn the_longest_name_is_the_longest() {
        let fits = |length: usize| Regex::new(&of_names("NAME")).unwrap().is_match(&"x".repeat(length));
        assert!(fits(Name::MAX_LEN) && !fits(Name::MAX_LEN + 1));
    }
}
