//! What a theme says: for each place on the screen its colours and attributes. Pure values; how a terminal shows them
//! is the faces' matter, how they are written is the reader's.

use crate::domain::shmoo::Cell;

/// A colour as a theme names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Colour {
    /// The terminal's own.
    Default,
    /// One of the sixteen, 0 black to 15 bright white: what they look like is the terminal's choice.
    Ansi(u8),
    /// One of the 256.
    Indexed(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

/// Why a text is no colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAColour {
    /// `#` with something else behind it.
    #[error("behind `#` stand six digits, 0-9 and a-f, as in `\"#e06c75\"`")]
    Digits,
    /// `@` with something else behind it.
    #[error("behind `@` stands a number from 0 to 255, as in `\"@208\"`")]
    Number,
    /// A word that is no colour's.
    #[error("a colour is `\"#rrggbb\"`, `\"@0\"` to `\"@255\"`, `default`, or one of the sixteen by name")]
    Word,
}

impl Colour {
    /// The names of the sixteen, in their order.
    pub const NAMES: [&'static str; 16] = [
        "black",
        "red",
        "green",
        "yellow",
        "blue",
        "magenta",
        "cyan",
        "white",
        "bright-black",
        "bright-red",
        "bright-green",
        "bright-yellow",
        "bright-blue",
        "bright-magenta",
        "bright-cyan",
        "bright-white",
    ];

    /// The name of the terminal's own.
    pub const DEFAULT: &'static str = "default";

    /// Reads `#e06c75`, `@208`, `default`, or one of [`Colour::NAMES`].
    pub fn parse(text: &str) -> Result<Self, NotAColour> {
        if let Some(digits) = text.strip_prefix('#') {
            return rgb(digits).ok_or(NotAColour::Digits);
        }
        if let Some(number) = text.strip_prefix('@') {
            let index: Option<u8> = number.parse().ok();
            // One way to write each: neither `@+7` nor `@007`.
            return index.filter(|index| index.to_string() == number).map(Self::Indexed).ok_or(NotAColour::Number);
        }
        if text == Self::DEFAULT {
            return Ok(Self::Default);
        }
        let index = Self::NAMES.iter().position(|name| *name == text).and_then(|index| u8::try_from(index).ok());
        index.map(Self::Ansi).ok_or(NotAColour::Word)
    }
}

fn rgb(digits: &str) -> Option<Colour> {
    if digits.len() != 6 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
    Some(Colour::Rgb(red, green, blue))
}

/// How one place is painted. What is not said is the terminal's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a terminal combines its attributes freely")]
pub struct Paint {
    /// The ink.
    pub fg: Option<Colour>,
    /// The ground.
    pub bg: Option<Colour>,
    /// Bold.
    pub bold: bool,
    /// Faint.
    pub dim: bool,
    /// Italic.
    pub italic: bool,
    /// Underlined.
    pub underline: bool,
    /// Ink and ground exchanged.
    pub reverse: bool,
}

macro_rules! slots {
    ($(#[doc = $doc:literal] $variant:ident = $name:literal,)+) => {
        /// A place on the screen that a theme paints.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Slot {
            $(#[doc = $doc] $variant,)+
        }

        impl Slot {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As a theme's file names it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it is, a sentence.
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$variant => $doc.trim_ascii(),)+ }
            }
        }
    };
}

slots! {
    /// Ordinary text, and the ground of the screen.
    Text = "text",
    /// Text of less weight: units, times, what is not in force.
    Dim = "dim",
    /// Text of more weight: names, figures.
    Strong = "strong",
    /// What leads the eye: the spinner, the axis, headings in dialogs.
    Accent = "accent",
    /// The frame of a pane.
    Border = "border",
    /// The frame of the pane that has the keys.
    BorderFocus = "border.focus",
    /// A pane's title.
    Title = "title",
    /// The title of the pane that has the keys.
    TitleFocus = "title.focus",
    /// The line at the top.
    Header = "header",
    /// The line at the bottom.
    Footer = "footer",
    /// A key, in footer, help and dialogs.
    Key = "key",
    /// The chosen row of the pane that has the keys.
    Selection = "selection",
    /// The chosen row of any other pane.
    SelectionRest = "selection.rest",
    /// A marked row or cell.
    Mark = "mark",
    /// What a search found.
    Match = "match",
    /// The cell under the cursor of the shmoo.
    Cursor = "cursor",
    /// An error.
    Error = "error",
    /// A warning.
    Warning = "warning",
    /// Something that went well.
    Good = "good",
    /// A line of a diagnostic's stderr.
    Stderr = "stderr",
    /// The done part of a bar.
    BarDone = "bar.done",
    /// The rest of a bar.
    BarLeft = "bar.left",
    /// A field that is typed into.
    Field = "field",
    /// A button.
    Button = "button",
    /// The button that Enter presses.
    ButtonFocus = "button.focus",
    /// A dialog.
    Dialog = "dialog",
    /// The frame of a dialog in which hardware is at stake.
    Danger = "danger",
    /// What lies behind a dialog.
    Backdrop = "backdrop",
    /// A cell that passed.
    CellPass = "cell.pass",
    /// A cell that failed.
    CellFail = "cell.fail",
    /// A cell at which the host crashed.
    CellCrashed = "cell.crashed",
    /// A cell that timed out.
    CellTimeout = "cell.timeout",
    /// A cell whose repetitions disagree.
    CellFlaky = "cell.flaky",
    /// A cell without proof, or with a rail that nobody applied.
    CellInconclusive = "cell.inconclusive",
    /// A cell at which the rig failed.
    CellError = "cell.error",
    /// A cell that was aborted.
    CellAborted = "cell.aborted",
    /// The cell in progress.
    CellRunning = "cell.running",
    /// A cell that is planned.
    CellPlanned = "cell.planned",
    /// A cell that was skipped.
    CellSkipped = "cell.skipped",
    /// A cell outside the policy.
    CellOutside = "cell.outside",
}

impl From<Cell> for Slot {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Pass => Self::CellPass,
            Cell::Planned => Self::CellPlanned,
            Cell::Skipped => Self::CellSkipped,
            Cell::OutsidePolicy => Self::CellOutside,
            Cell::Running => Self::CellRunning,
            Cell::Inconclusive => Self::CellInconclusive,
            Cell::Aborted => Self::CellAborted,
            Cell::Error => Self::CellError,
            Cell::Flaky => Self::CellFlaky,
            Cell::Fail => Self::CellFail,
            Cell::Timeout => Self::CellTimeout,
            Cell::Crashed => Self::CellCrashed,
        }
    }
}

/// For which ground a theme is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ground {
    /// Whatever the terminal has.
    Terminal,
    /// Dark.
    Dark,
    /// Light.
    Light,
}

impl Ground {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Terminal, Self::Dark, Self::Light];

    /// As a theme's file names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Terminal => "terminal",
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }
}

/// A theme with every slot painted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    /// Its name.
    pub name: String,
    /// One line for people.
    pub description: Option<String>,
    /// For which ground it is made.
    pub ground: Ground,
    /// One for each of [`Slot::ALL`], in that order.
    paints: Vec<Paint>,
}

impl Theme {
    /// A theme that paints each slot as told.
    pub fn new(
        name: impl Into<String>,
        description: Option<String>,
        ground: Ground,
        paint: impl Fn(Slot) -> Paint,
    ) -> Self {
        Self { name: name.into(), description, ground, paints: Slot::ALL.iter().map(|slot| paint(*slot)).collect() }
    }

    /// How a slot is painted.
    pub fn paint(&self, slot: Slot) -> Paint {
        self.paints.get(slot as usize).copied().unwrap_or_default()
    }

    /// The theme of a terminal without colours: attributes only, so that nothing needs a colour to be seen.
    pub fn colourless() -> Self {
        Self::new("colourless", None, Ground::Terminal, |slot| {
            let plain = Paint::default();
            match slot {
                Slot::Dim | Slot::Backdrop | Slot::Border | Slot::BarLeft | Slot::CellPlanned | Slot::CellSkipped => {
                    Paint { dim: true, ..plain }
                }
                Slot::Selection | Slot::Cursor | Slot::ButtonFocus | Slot::Match | Slot::CellRunning => {
                    Paint { reverse: true, ..plain }
                }
                Slot::SelectionRest | Slot::Field | Slot::CellFlaky => Paint { underline: true, ..plain },
                Slot::CellFail | Slot::CellCrashed | Slot::CellTimeout | Slot::CellError => {
                    Paint { bold: true, reverse: slot == Slot::CellCrashed, ..plain }
                }
                Slot::Strong
                | Slot::Accent
                | Slot::BorderFocus
                | Slot::TitleFocus
                | Slot::Header
                | Slot::Key
                | Slot::Mark
                | Slot::Error
                | Slot::Warning
                | Slot::Danger => Paint { bold: true, ..plain },
                _ => plain,
            }
        })
    }
}

/// How many colours a terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// None: attributes only.
    None,
    /// The sixteen.
    Ansi,
    /// 256.
    Indexed,
    /// Any.
    True,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_in_one_way_of_writing() {
        let check = |text: &str, expected: Result<Colour, NotAColour>| {
            assert_eq!(Colour::parse(text), expected, "{text}");
        };
        check("#e06C75", Ok(Colour::Rgb(0xe0, 0x6c, 0x75)));
        check("@0", Ok(Colour::Indexed(0)));
        check("@255", Ok(Colour::Indexed(255)));
        check("default", Ok(Colour::Default));
        check("black", Ok(Colour::Ansi(0)));
        check("bright-white", Ok(Colour::Ansi(15)));
        for text in ["#", "#fff", "#12345", "#1234567", "#12345g", "#+12345", "#é2345"] {
            check(text, Err(NotAColour::Digits));
        }
        for text in ["@", "@256", "@-1", "@+7", "@007", "@x"] {
            check(text, Err(NotAColour::Number));
        }
        for text in ["", "Red", "bright red", "208", "e06c75", "grey"] {
            check(text, Err(NotAColour::Word));
        }
    }

    #[test]
    fn slots_have_names_of_their_own_and_their_place() {
        let names: std::collections::BTreeSet<&str> = Slot::ALL.iter().map(|slot| slot.as_str()).collect();
        assert_eq!(names.len(), Slot::ALL.len());
        for (place, slot) in Slot::ALL.iter().enumerate() {
            assert_eq!(*slot as usize, place);
        }
        for cell in Cell::ALL {
            assert_eq!(Slot::from(cell).as_str(), format!("cell.{}", cell.as_str()));
        }
    }
}
