//! The vocabulary of the tables of keys: which keys a map may have, what each takes, its default and its help.
//! Readers and unknown-key errors use the tables, so that neither can know a key that the other does not.

use super::problem::quoted_list;

/// One key of a map.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// As written.
    pub name: &'static str,
    /// Whether a document without it is refused.
    pub required: bool,
    /// What it takes.
    pub shape: Shape,
    /// What holds where it is not written; empty where nothing does.
    pub default: &'static str,
    /// One line for people.
    pub help: &'static str,
}

impl Key {
    /// A key that must be there.
    pub const fn required(name: &'static str, shape: Shape, help: &'static str) -> Self {
        Self { name, required: true, shape, default: "", help }
    }

    /// A key that may be left out.
    pub const fn optional(name: &'static str, shape: Shape, default: &'static str, help: &'static str) -> Self {
        Self { name, required: false, shape, default, help }
    }
}

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// A name.
    Name,
    /// Text of one line, quoted or not.
    Text,
    /// A regular expression.
    Regex,
    /// A whole number within.
    Int(i64, i64),
    /// An exact decimal number.
    Number,
    /// `true` or `false`.
    Bool,
    /// A voltage with its unit.
    Voltage,
    /// A frequency with its unit.
    Frequency,
    /// A length of time with its unit.
    Duration,
    /// A size with its unit.
    Size,
    /// A temperature with its unit.
    Temperature,
    /// A field of a rail, `core.voltage` or `adapter/core.voltage`.
    Field,
    /// A colour of the terminal's, `"#e06c75"`, `"@208"`, `bright-red`, `default`.
    Colour,
    /// Keys to press, `x`, `ctrl-d`, `F5`, `]e`.
    Keys,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// `null`, written out: the one place where nothing means something.
    Null,
    /// Whatever the context says, such as the type of a parameter.
    Value,
    /// A map with these keys.
    Fields(&'static [Key]),
    /// A map from free names.
    Named(&'static Shape),
    /// A list.
    List(&'static Shape),
    /// Any of these.
    Either(&'static [Shape]),
}

impl Shape {
    /// In words, as after "takes".
    pub fn words(self) -> String {
        match self {
            Self::Name => "a name: a-z, 0-9, `_`, `-`".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Regex => "a regular expression".to_owned(),
            Self::Int(i64::MIN, i64::MAX) => "a whole number".to_owned(),
            Self::Int(min, i64::MAX) => format!("a whole number, at least {min}"),
            Self::Int(min, max) => format!("a whole number from {min} to {max}"),
            Self::Number => "a number".to_owned(),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Voltage => "a voltage with its unit, as in `850mV`".to_owned(),
            Self::Frequency => "a frequency with its unit, as in `3.2GHz`".to_owned(),
            Self::Duration => "a duration with its unit, as in `30s`".to_owned(),
            Self::Size => "a size with its unit, as in `256MiB`".to_owned(),
            Self::Temperature => "a temperature with its unit, as in `95C`".to_owned(),
            Self::Field => "a rail's field, as in `core.voltage`".to_owned(),
            Self::Colour => "a colour, as in `\"#e06c75\"`, `\"@208\"`, `bright-red` or `default`".to_owned(),
            Self::Keys => "keys, as in `x`, `ctrl-d`, `F5` or `]e`".to_owned(),
            Self::Choice(words) => format!("one of {}", quoted_list(words.iter().copied())),
            Self::Null => "`null`".to_owned(),
            Self::Value => "a value".to_owned(),
            Self::Fields(keys) => format!("a map of {}", quoted_list(keys.iter().map(|k| k.name))),
            Self::Named(inner) => format!("a map from names to {}", inner.plural()),
            Self::List(inner) => format!("a list of {}", inner.plural()),
            Self::Either(shapes) => shapes.iter().map(|shape| shape.words()).collect::<Vec<_>>().join(", or "),
        }
    }

    fn plural(self) -> String {
        match self {
            Self::Name => "names".to_owned(),
            Self::Text | Self::Regex => "texts".to_owned(),
            Self::Int(..) | Self::Number => "numbers".to_owned(),
            Self::Voltage => "voltages".to_owned(),
            Self::Frequency => "frequencies".to_owned(),
            Self::Field => "rail fields".to_owned(),
            Self::Colour => "colours".to_owned(),
            Self::Keys => "keys".to_owned(),
            Self::Fields(_) | Self::Named(_) => "maps".to_owned(),
            Self::List(_) => "lists".to_owned(),
            Self::Either([first, ..]) => first.plural(),
            _ => "values".to_owned(),
        }
    }
}
