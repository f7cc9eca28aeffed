//! A table of small numbers in one allocation: a million rows cost what their numbers cost.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, SeqAccess, Visitor};
use serde::ser::SerializeSeq as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Rows of equal width, written in JSON as an array of arrays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table<T> {
    width: usize,
    rows: usize,
    cells: Vec<T>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { width: 0, rows: 0, cells: vec![] }
    }
}

impl<T: Copy> Table<T> {
    /// An empty table of that width, with room for `rows`.
    pub fn with_capacity(width: usize, rows: usize) -> Self {
        Self { width, rows: 0, cells: Vec::with_capacity(width * rows) }
    }

    /// Adds a row; cells beyond the width are left out. Rows shorter than the width are not added and `false` is returned.
    pub fn push(&mut self, row: &[T]) -> bool {
        let Some(row) = row.get(..self.width) else { return false };
        self.cells.extend_from_slice(row);
        self.rows += 1;
        true
    }

    /// How many rows.
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Cells in a row.
    pub const fn width(&self) -> usize {
        self.width
    }

    /// The row at `index`.
    pub fn row(&self, index: usize) -> Option<&[T]> {
        if index >= self.rows {
            return None;
        }
        let start = index.checked_mul(self.width)?;
        self.cells.get(start..start + self.width)
    }

    /// Every row in order.
    pub fn iter(&self) -> impl Iterator<Item = &[T]> {
        (0..self.rows).filter_map(|index| self.row(index))
    }

    /// A table of some of the rows, in the order asked for.
    #[must_use]
    pub fn select(&self, indices: &[u32]) -> Self {
        let mut table = Self::with_capacity(self.width, indices.len());
        for row in indices.iter().filter_map(|index| self.row(*index as usize)) {
            table.push(row);
        }
        table
    }
}

impl<T: Copy + Serialize> Serialize for Table<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.rows))?;
        for row in self.iter() {
            rows.serialize_element(row)?;
        }
        rows.end()
    }
}

impl<'de, T: Copy + Deserialize<'de>> Deserialize<'de> for Table<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Rows(PhantomData))
    }
}

struct Rows<T>(PhantomData<T>);

impl<'de, T: Copy + Deserialize<'de>> Visitor<'de> for Rows<T> {
    type Value = Table<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rows of equal width")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Table<T>, A::Error> {
        let mut table = Table::default();
        loop {
            let before = table.cells.len();
            if seq.next_element_seed(Row(&mut table.cells))?.is_none() {
                return Ok(table);
            }
            let width = table.cells.len() - before;
            if table.rows == 0 {
                table.width = width;
            } else if width != table.width {
                return Err(serde::de::Error::custom("rows of unequal width"));
            }
            table.rows += 1;
        }
    }
}

/// Reads one row onto the end of the cells.
struct Row<'t, T>(&'t mut Vec<T>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Row<'_, T> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Row<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row of numbers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(cell) = seq.next_element()? {
            self.0.push(cell);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read_alike() {
        let check = |json: &str| {
            let table: Table<u32> = serde_json::from_str(json).unwrap();
            assert_eq!(serde_json::to_string(&table).unwrap(), json);
            table
        };
        assert_eq!(check("[[1,2],[3,4],[5,6]]").row(1), Some(&[3, 4][..]));
        assert_eq!(check("[[]]").rows(), 1);
        assert_eq!(check("[]").rows(), 0);
        assert_eq!(check("[[1],[2]]").row(2), None);
        assert!(serde_json::from_str::<Table<u32>>("[[1],[2,3]]").is_err());
    }
}
