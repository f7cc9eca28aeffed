//! Schemas of the domain's small values, which write and read themselves by hand.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::documents::{FIELD, PARAM};
use super::patterns::of_names;
use crate::domain::margin::{FieldKey, RailField};
use crate::domain::name::Name;
use crate::domain::param::Decimal;
use crate::domain::policy::ParamKey;
use crate::domain::table::Table;
use crate::domain::time::Timestamp;
use crate::domain::units::{Bytes, Kilohertz, Microvolts, Millis};
use crate::domain::verdict::{Effect, Verdict};

macro_rules! values {
    ($($value:ty, $name:literal: $schema:expr;)+) => {
        $(impl JsonSchema for $value {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        })+
    };
}

values! {
    Name, "name": text(&of_names("NAME"), "A name.");
    FieldKey, "field": text(&of_names(FIELD), "A rail's field, of all adapters or of one.");
    ParamKey, "param": text(&of_names(PARAM), "A parameter, of any adapter or of one.");
    Timestamp, "time": text(
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$",
        "A moment in UTC, RFC 3339 with milliseconds.",
    );
    Decimal, "decimal": text(r"^-?[0-9]+(\.[0-9]{1,9})?$", "An exact decimal number.");
    Microvolts, "microvolts": whole("Whole microvolts.");
    Kilohertz, "kilohertz": whole("Whole kilohertz.");
    Millis, "milliseconds": whole("Whole milliseconds.");
    Bytes, "bytes": whole("Bytes.");
    RailField, "rail_field": words(&RailField::ALL.map(RailField::as_str), "Which quantity of a rail.");
    Verdict, "verdict": words(&Verdict::ALL.map(Verdict::as_str), "How it ended, in order of rank.");
    Effect, "effect": words(
        &Effect::ALL.map(Effect::as_str),
        "What was seen: corrected or uncorrected hardware error, wrong result, crash of the diagnostic or of the host.",
    );
}

impl<T: JsonSchema> JsonSchema for Table<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("table_of_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let cell = generator.subschema_for::<T>();
        let row = json_schema!({ "type": "array", "items": cell });
        json_schema!({ "type": "array", "items": row, "description": "Rows of equal width." })
    }
}

fn text(pattern: &str, description: &str) -> Schema {
    json_schema!({ "type": "string", "pattern": pattern, "description": description })
}

fn whole(description: &str) -> Schema {
    json_schema!({ "type": "integer", "minimum": 0, "maximum": u64::MAX, "description": description })
}

fn words(words: &[&str], description: &str) -> Schema {
    json_schema!({ "type": "string", "enum": Value::from(words), "description": description })
}
