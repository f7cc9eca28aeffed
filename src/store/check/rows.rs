//! The rows of a run's summary one by one, as they stand in the file: a plan may have a million. Never keeps one.

use std::borrow::Cow;
use std::fmt;
use std::io::BufReader;
use std::path::Path;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::summary::SubRunRow;
use crate::store::StoreError;
use crate::store::log_file::open_regular;

/// Hands over each row in the order of the file. Errors: it cannot be read, or is no summary.
pub fn each(path: &Path, each: &mut dyn FnMut(SubRunRow)) -> Result<(), StoreError> {
    let (file, _) = open_regular(path).map_err(StoreError::io("read", path))?;
    let mut document = serde_json::Deserializer::from_reader(BufReader::with_capacity(1 << 16, file));
    let read = Document(each).deserialize(&mut document).and_then(|()| document.end());
    read.map_err(|error| StoreError::Damaged { path: path.to_path_buf(), message: error.to_string() })
}

struct Document<'e>(&'e mut dyn FnMut(SubRunRow));

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a summary")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            if key == "subruns" {
                map.next_value_seed(List(&mut *self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct List<'e>(&'e mut dyn FnMut(SubRunRow));

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of sub-runs")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(row) = rows.next_element()? {
            (self.0)(row);
        }
        Ok(())
    }
}
