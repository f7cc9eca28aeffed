//! A theme as the terminal at hand can show it: each slot to a style, colours brought down to as many as there are.
//! Never reads the environment.

use ratatui::style::{Color, Modifier, Style};

use crate::domain::shmoo::Cell;
use crate::domain::theme::{Colour, Depth, Slot, Theme};

/// The styles of every slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Palette {
    /// The theme's name.
    pub name: String,
    /// How many colours are used.
    pub depth: Depth,
    styles: Vec<Style>,
}

impl Palette {
    /// A theme on a terminal of so many colours. Without any it is the colourless one, whatever was asked for.
    pub fn new(theme: &Theme, depth: Depth) -> Self {
        let colourless;
        let shown = if depth == Depth::None {
            colourless = Theme::colourless();
            &colourless
        } else {
            theme
        };
        let styles = Slot::ALL.iter().map(|slot| style(shown, *slot, depth)).collect();
        Self { name: theme.name.clone(), depth, styles }
    }

    /// The style of a slot.
    pub fn style(&self, slot: Slot) -> Style {
        self.styles.get(slot as usize).copied().unwrap_or_default()
    }

    /// The style of a cell of the shmoo.
    pub fn cell(&self, cell: Cell) -> Style {
        self.style(cell.into())
    }
}

fn style(theme: &Theme, slot: Slot, depth: Depth) -> Style {
    let paint = theme.paint(slot);
    let mut style = Style::new();
    style.fg = paint.fg.map(|colour| color(colour, depth));
    style.bg = paint.bg.map(|colour| color(colour, depth));
    for (is_set, modifier) in [
        (paint.bold, Modifier::BOLD),
        (paint.dim, Modifier::DIM),
        (paint.italic, Modifier::ITALIC),
        (paint.underline, Modifier::UNDERLINED),
        (paint.reverse, Modifier::REVERSED),
    ] {
        if is_set {
            style = style.add_modifier(modifier);
        }
    }
    style
}

/// A colour in as many as there are.
pub fn color(colour: Colour, depth: Depth) -> Color {
    match (colour.at(depth), depth) {
        (Colour::Default, _) | (_, Depth::None) => Color::Reset,
        (Colour::Ansi(index) | Colour::Indexed(index), _) => named(index),
        (Colour::Rgb(red, green, blue), _) => Color::Rgb(red, green, blue),
    }
}

/// The sixteen by their names, which every terminal understands; the others by number.
const fn named(index: u8) -> Color {
    match index {
        0 => Color::Black,
        1 => Color::Red,
        2 => Color::Green,
        3 => Color::Yellow,
        4 => Color::Blue,
        5 => Color::Magenta,
        6 => Color::Cyan,
        7 => Color::Gray,
        8 => Color::DarkGray,
        9 => Color::LightRed,
        10 => Color::LightGreen,
        11 => Color::LightYellow,
        12 => Color::LightBlue,
        13 => Color::LightMagenta,
        14 => Color::LightCyan,
        15 => Color::White,
        other => Color::Indexed(other),
    }
}
