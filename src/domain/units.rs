//! Exact quantities: whole microvolts, kilohertz, milliseconds and bytes. A float never appears, so NaN cannot exist.
//!
//! A quantity is written with its unit (`850mV`, `0.85V`), and is refused when it is not whole in the base unit.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a quantity of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// A bare number.
    #[error("a {kind} needs its unit")]
    NoUnit {
        /// What was wanted.
        kind: &'static str,
        /// The same number with the likeliest unit.
        suggestion: String,
    },
    /// A unit, but not of this kind.
    #[error("`{unit}` is not a unit of {kind}; units are {units}")]
    WrongUnit {
        /// What was wanted.
        kind: &'static str,
        /// What stood there.
        unit: String,
        /// What may stand there.
        units: String,
    },
    /// No decimal number in front of the unit.
    #[error("`{text}` is not a plain decimal number")]
    NotANumber {
        /// What stood there.
        text: String,
    },
    /// Below zero.
    #[error("a {kind} is not negative")]
    Negative {
        /// What was wanted.
        kind: &'static str,
    },
    /// A fraction of the base unit.
    #[error("not a whole number of {base}, the smallest step this {kind} is kept in")]
    NotExact {
        /// What was wanted.
        kind: &'static str,
        /// The base unit.
        base: &'static str,
    },
    /// Beyond anything a machine can mean.
    #[error("out of range: at most {limit}")]
    TooLarge {
        /// The largest that is read.
        limit: String,
    },
}

/// What every quantity has in common: a whole number of a base unit, and the units people write it in.
pub trait Quantity: Copy + Ord + fmt::Display {
    /// The kind, as in "a voltage".
    const KIND: &'static str;
    /// The name of the base unit.
    const BASE: &'static str;
    /// Units with their size in base units, the likeliest for a bare number first.
    const UNITS: &'static [(&'static str, u64)];
    /// The largest value that is read, in base units.
    const MAX: u64;

    /// From base units.
    fn from_base(base: u64) -> Self;
    /// In base units.
    fn base(self) -> u64;

    /// Reads `850mV`, `0.85V`, `850 mV`. Never negative.
    fn parse(text: &str) -> Result<Self, QuantityError> {
        let value = parse_signed::<Self>(text)?;
        u64::try_from(value).map(Self::from_base).map_err(|_| QuantityError::Negative { kind: Self::KIND })
    }
}

/// Reads a quantity that may be negative, as a step may, in base units.
pub fn parse_signed<Q: Quantity>(text: &str) -> Result<i64, QuantityError> {
    let text = text.trim();
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
    let (number, unit) = (&rest[..end], rest[end..].trim_start());
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || !digits(whole) || !digits(fraction) || number.ends_with('.') {
        return Err(QuantityError::NotANumber { text: text.chars().take(40).collect() });
    }
    if unit.is_empty() {
        let likely = Q::UNITS.first().map_or("", |u| u.0);
        let number: String = number.chars().take(40).collect();
        return Err(QuantityError::NoUnit { kind: Q::KIND, suggestion: format!("{number}{likely}") });
    }
    let Some(&(_, factor)) = Q::UNITS.iter().find(|(name, _)| *name == unit) else {
        let units: Vec<&str> = Q::UNITS.iter().map(|u| u.0).collect();
        let unit = unit.chars().take(40).collect();
        return Err(QuantityError::WrongUnit { kind: Q::KIND, unit, units: units.join(", ") });
    };
    let base = scale(whole, fraction, factor, Q::MAX).ok_or(());
    let base = match base {
        Ok(Scaled::Whole(base)) => base,
        Ok(Scaled::Fraction) => return Err(QuantityError::NotExact { kind: Q::KIND, base: Q::BASE }),
        Err(()) => return Err(QuantityError::TooLarge { limit: Q::from_base(Q::MAX).to_string() }),
    };
    Ok(if negative { -base } else { base })
}

enum Scaled {
    Whole(i64),
    Fraction,
}

/// `whole.fraction * factor`, exactly; `None` above `max`.
fn scale(whole: &str, fraction: &str, factor: u64, max: u64) -> Option<Scaled> {
    let fraction = fraction.trim_end_matches('0');
    let whole = whole.trim_start_matches('0');
    if whole.len() > 19 {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut base = whole.checked_mul(u128::from(factor))?;
    if !fraction.is_empty() {
        // More decimals than any factor has can only be a fraction of the base unit.
        if fraction.len() > 18 {
            return Some(Scaled::Fraction);
        }
        let denominator = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
        let numerator = fraction.parse::<u128>().ok()? * u128::from(factor);
        if numerator % denominator != 0 {
            return Some(Scaled::Fraction);
        }
        base += numerator / denominator;
    }
    if base > u128::from(max) {
        return None;
    }
    i64::try_from(base).ok().map(Scaled::Whole)
}

/// Writes `base / 10^decimals` without trailing zeros.
fn write_scaled(f: &mut fmt::Formatter<'_>, base: u64, decimals: u32, unit: &str) -> fmt::Result {
    f.pad(&format!("{}{unit}", decimal(base, decimals)))
}

/// Bytes in GiB with one decimal, cut and not rounded: `755.4`.
pub fn gibibytes(bytes: u64) -> String {
    let tenths = (u128::from(bytes) * 10) >> 30;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// `base / 10^decimals` as an exact decimal without trailing zeros.
pub fn decimal(base: u64, decimals: u32) -> String {
    let scale = 10_u64.pow(decimals);
    let (whole, rest) = (base / scale, base % scale);
    if rest == 0 {
        return whole.to_string();
    }
    let width = decimals as usize;
    let fraction = format!("{rest:0width$}");
    format!("{whole}.{}", fraction.trim_end_matches('0'))
}

macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $base:literal, $max:expr, [$(($unit:literal, $factor:expr)),+ $(,)?]) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl Quantity for $name {
            const KIND: &'static str = $kind;
            const BASE: &'static str = $base;
            const UNITS: &'static [(&'static str, u64)] = &[$(($unit, $factor)),+];
            const MAX: u64 = $max;
            fn from_base(base: u64) -> Self {
                Self(base)
            }
            fn base(self) -> u64 {
                self.0
            }
        }
    };
}

quantity!(
    /// A voltage in whole microvolts. Shown in millivolts, or in microvolts when it is no whole millivolt.
    Microvolts, "voltage", "microvolts", 1_000_000_000_000,
    [("mV", 1_000), ("V", 1_000_000), ("uV", 1), ("µV", 1), ("kV", 1_000_000_000)]
);
quantity!(
    /// A frequency in whole kilohertz. Shown in gigahertz or megahertz.
    Kilohertz, "frequency", "kilohertz", 1_000_000_000_000,
    [("MHz", 1_000), ("GHz", 1_000_000), ("kHz", 1)]
);
quantity!(
    /// A length of time in whole milliseconds.
    Millis, "duration", "milliseconds", 400 * 24 * 3_600_000,
    [("s", 1_000), ("ms", 1), ("m", 60_000), ("min", 60_000), ("h", 3_600_000), ("d", 86_400_000)]
);
quantity!(
    /// A size in bytes.
    Bytes, "size", "bytes", 1 << 60,
    [("MiB", 1 << 20), ("KiB", 1 << 10), ("GiB", 1 << 30), ("TiB", 1 << 40), ("B", 1), ("kB", 1_000),
     ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000)]
);

quantity!(
    /// A temperature above freezing in thousandths of a degree Celsius.
    Millidegrees, "temperature", "thousandths of a degree", 1_000_000,
    [("C", 1_000)]
);

impl fmt::Display for Millidegrees {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, 3, "C")
    }
}

impl fmt::Display for Microvolts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, 3, "mV")
    }
}

impl fmt::Display for Kilohertz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 >= 1_000_000 { write_scaled(f, self.0, 6, "GHz") } else { write_scaled(f, self.0, 3, "MHz") }
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            ms if ms > 0 && ms.is_multiple_of(3_600_000) => write_scaled(f, ms / 3_600_000, 0, "h"),
            ms if ms > 0 && ms.is_multiple_of(60_000) => write_scaled(f, ms / 60_000, 0, "m"),
            ms if ms >= 1_000 => write_scaled(f, ms, 3, "s"),
            ms => write_scaled(f, ms, 0, "ms"),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let binary = [("TiB", 1_u64 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
        for (unit, size) in binary {
            if self.0 >= size && self.0.is_multiple_of(size) {
                return write_scaled(f, self.0 / size, 0, unit);
            }
        }
        write_scaled(f, self.0, 0, "B")
    }
}

impl Millis {
    /// As a standard duration.
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_exactly() {
        let check = |text: &str, uv: u64| assert_eq!(Microvolts::parse(text), Ok(Microvolts(uv)), "{text}");
        for (text, uv) in [("850mV", 850_000), ("0.85V", 850_000), ("850000uV", 850_000), ("1.20V", 1_200_000)] {
            check(text, uv);
        }
        check("0.000001V", 1);
        check("850 mV", 850_000);
        assert_eq!(Kilohertz::parse("3.2GHz"), Ok(Kilohertz(3_200_000)));
        assert_eq!(Millis::parse("1h"), Ok(Millis(3_600_000)));
        assert_eq!(Bytes::parse("2MiB"), Ok(Bytes(2 << 20)));
        assert_eq!(Bytes::parse("1GB"), Ok(Bytes(1_000_000_000)));
        assert_eq!(parse_signed::<Microvolts>("-30mV"), Ok(-30_000));
    }

    #[test]
    fn refuses_with_the_reason() {
        let check = |text: &str, said: &str| {
            let error = Microvolts::parse(text).map_err(|e| e.to_string());
            assert!(error.as_ref().is_err_and(|e| e.contains(said)), "{text}: {error:?}");
        };
        check("0.85", "needs its unit");
        check("850MHz", "not a unit of voltage");
        check(".nan", "not a plain decimal");
        check("NaN V", "not a plain decimal");
        check("1e400V", "not a unit of voltage");
        check("-1mV", "not negative");
        check("0.0000005V", "whole number of microvolts");
        check("99999999999999999999999999V", "out of range");
        check("", "not a plain decimal");
        check("1.V", "not a plain decimal");
        check(".5V", "not a plain decimal");
        check("1.2.3V", "not a plain decimal");
        check("1_000mV", "not a unit");
    }

    proptest! {
        #[test]
        fn shown_then_read_is_the_same(uv in 0..=Microvolts::MAX, khz in 0..=Kilohertz::MAX, ms in 0..=Millis::MAX, b in 0..=Bytes::MAX) {
            prop_assert_eq!(Microvolts::parse(&Microvolts(uv).to_string()), Ok(Microvolts(uv)));
            prop_assert_eq!(Kilohertz::parse(&Kilohertz(khz).to_string()), Ok(Kilohertz(khz)));
            prop_assert_eq!(Millis::parse(&Millis(ms).to_string()), Ok(Millis(ms)));
            prop_assert_eq!(Bytes::parse(&Bytes(b).to_string()), Ok(Bytes(b)));
        }

        #[test]
        fn never_panics(text in ".{0,60}") {
            let _ = Microvolts::parse(&text);
            let _ = parse_signed::<Bytes>(&text);
        }
    }
}
