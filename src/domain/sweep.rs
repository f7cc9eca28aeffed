//! Values to sweep: a list or a range. Iterated by index, never by adding, and never expanded to be counted.

/// What one field or parameter takes in turn, in base units of its kind (microvolts, kilohertz, or plain integers).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sweep<T> {
    /// Values as written; at least one.
    List(Vec<T>),
    /// From, toward, by: both ends included when they fall on a step.
    Range(Range),
}

/// An arithmetic range. `step` points from `from` toward `to` and is not zero: [`Range::new`] checks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    from: i64,
    to: i64,
    step: i64,
}

/// Why a range is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// It would never arrive.
    #[error("a step of zero never arrives")]
    ZeroStep,
    /// It would go away from its end.
    #[error("the step leads away from `to`")]
    WrongSign,
}

impl Range {
    /// A range from `from` to `to`; a single point when they are equal.
    pub const fn new(from: i64, to: i64, step: i64) -> Result<Self, RangeError> {
        if step == 0 {
            return Err(RangeError::ZeroStep);
        }
        if (to > from && step < 0) || (to < from && step > 0) {
            return Err(RangeError::WrongSign);
        }
        Ok(Self { from, to, step })
    }

    /// How many values, without making them.
    pub fn len(&self) -> u64 {
        let span = (i128::from(self.to) - i128::from(self.from)).unsigned_abs();
        let step = i128::from(self.step).unsigned_abs();
        // At most 2^64 steps of one; one less than that is more than any plan.
        u64::try_from(span / step).unwrap_or(u64::MAX).saturating_add(1)
    }

    /// Never: a range has at least its start.
    pub const fn is_empty(&self) -> bool {
        false
    }

    /// The value at `index`, counted from the start.
    pub fn at(&self, index: u64) -> Option<i64> {
        if index >= self.len() {
            return None;
        }
        i64::try_from(i128::from(self.from) + i128::from(self.step) * i128::from(index)).ok()
    }
}

impl Sweep<i64> {
    /// How many values, without making them.
    pub fn len(&self) -> u64 {
        match self {
            Self::List(values) => values.len() as u64,
            Self::Range(range) => range.len(),
        }
    }

    /// Whether there is nothing to sweep.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at `index`.
    pub fn at(&self, index: u64) -> Option<i64> {
        match self {
            Self::List(values) => usize::try_from(index).ok().and_then(|i| values.get(i).copied()),
            Self::Range(range) => range.at(index),
        }
    }

    /// Every value in order.
    pub fn values(&self) -> impl Iterator<Item = i64> + '_ {
        (0..self.len()).filter_map(|index| self.at(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The slow way: add until past the end.
    fn oracle(from: i64, to: i64, step: i64) -> Vec<i64> {
        let mut values = vec![];
        let mut value = from;
        while (step > 0 && value <= to) || (step < 0 && value >= to) {
            values.push(value);
            value += step;
        }
        values
    }

    #[test]
    fn huge_ranges_are_counted_not_made() {
        let range = Range::new(0, 1_000_000_000_000, 1);
        assert_eq!(range.map(|r| (r.len(), r.at(999_999_999_999))), Ok((1_000_000_000_001, Some(999_999_999_999))));
        let all = Range::new(i64::MIN, i64::MAX, 1);
        assert_eq!(all.map(|r| r.len()), Ok(u64::MAX));
        assert_eq!(Range::new(0, 1, 0), Err(RangeError::ZeroStep));
        assert_eq!(Range::new(0, 1, -1), Err(RangeError::WrongSign));
        assert_eq!(Range::new(5, 5, -3).map(|r| r.len()), Ok(1));
    }

    proptest! {
        #[test]
        fn agrees_with_adding(from in -500_i64..500, to in -500_i64..500, step in 1_i64..70) {
            let step = if to < from { -step } else { step };
            let sweep = Sweep::Range(Range::new(from, to, step).map_err(|e| TestCaseError::fail(e.to_string()))?);
            prop_assert_eq!(sweep.values().collect::<Vec<_>>(), oracle(from, to, step));
        }
    }
}
