//! Arithmetic of colours: what a colour is in red, green and blue, the nearest of fewer, the contrast of two. Pure.

use crate::domain::theme::{Colour, Depth};

/// The sixteen as the VGA text mode has them; a terminal may show others, so they are only ever compared, never sent.
const SIXTEEN: [(u8, u8, u8); 16] = [
    (0, 0, 0),
    (170, 0, 0),
    (0, 170, 0),
    (170, 85, 0),
    (0, 0, 170),
    (170, 0, 170),
    (0, 170, 170),
    (170, 170, 170),
    (85, 85, 85),
    (255, 85, 85),
    (85, 255, 85),
    (255, 255, 85),
    (85, 85, 255),
    (255, 85, 255),
    (85, 255, 255),
    (255, 255, 255),
];

/// The levels of the 6x6x6 cube of the 256 colours (xterm).
const CUBE: [u8; 6] = [0, 95, 135, 175, 215, 255];

impl Colour {
    /// In red, green and blue; `None` for the terminal's own.
    pub fn rgb(self) -> Option<(u8, u8, u8)> {
        match self {
            Self::Default => None,
            Self::Rgb(red, green, blue) => Some((red, green, blue)),
            Self::Ansi(index) | Self::Indexed(index) => Some(indexed(index)),
        }
    }

    /// The nearest colour that a terminal of this depth has.
    #[must_use]
    pub fn at(self, depth: Depth) -> Self {
        match (self, depth) {
            (_, Depth::None) => Self::Default,
            (Self::Default | Self::Ansi(_), _) | (_, Depth::True) | (Self::Indexed(_), Depth::Indexed) => self,
            (_, Depth::Indexed) => self.rgb().map_or(self, |rgb| Self::Indexed(nearest(rgb, 16..=255))),
            (_, Depth::Ansi) => self.rgb().map_or(self, |rgb| Self::Ansi(nearest(rgb, 0..=15))),
        }
    }
}

fn indexed(index: u8) -> (u8, u8, u8) {
    let level = |at: u8| CUBE.get(usize::from(at)).copied().unwrap_or(u8::MAX);
    match index {
        0..=15 => SIXTEEN.get(usize::from(index)).copied().unwrap_or_default(),
        16..=231 => {
            let at = index - 16;
            (level(at / 36), level(at / 6 % 6), level(at % 6))
        }
        232..=255 => {
            let grey = 8 + 10 * (index - 232);
            (grey, grey, grey)
        }
    }
}

/// The index among `of` that is nearest in red, green and blue, weighed as the eye does.
fn nearest(rgb: (u8, u8, u8), of: std::ops::RangeInclusive<u8>) -> u8 {
    let distance = |index: &u8| {
        let other = indexed(*index);
        let square = |a: u8, b: u8| u32::from(a.abs_diff(b)).pow(2);
        3 * square(rgb.0, other.0) + 6 * square(rgb.1, other.1) + square(rgb.2, other.2)
    };
    of.min_by_key(distance).unwrap_or_default()
}

/// The contrast ratio of two colours, 1 to 21 (WCAG 2.1, relative luminance).
pub fn contrast(one: (u8, u8, u8), other: (u8, u8, u8)) -> f64 {
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance((red, green, blue): (u8, u8, u8)) -> f64 {
    let linear = |channel: u8| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_fewer() {
        let check = |colour: Colour, depth: Depth, expected: Colour| assert_eq!(colour.at(depth), expected);
        check(Colour::Rgb(255, 0, 0), Depth::True, Colour::Rgb(255, 0, 0));
        check(Colour::Rgb(255, 0, 0), Depth::Indexed, Colour::Indexed(196));
        check(Colour::Rgb(250, 90, 80), Depth::Ansi, Colour::Ansi(9));
        check(Colour::Rgb(9, 8, 9), Depth::Indexed, Colour::Indexed(232));
        check(Colour::Indexed(231), Depth::Ansi, Colour::Ansi(15));
        check(Colour::Ansi(3), Depth::Ansi, Colour::Ansi(3));
        check(Colour::Rgb(1, 2, 3), Depth::None, Colour::Default);
        check(Colour::Default, Depth::Ansi, Colour::Default);
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        let check = |one, other, expected: f64| {
            let found = contrast(one, other);
            assert!((found - expected).abs() < 0.01, "{found}");
        };
        check((0, 0, 0), (255, 255, 255), 21.0);
        check((119, 119, 119), (255, 255, 255), 4.48);
        check((9, 9, 9), (9, 9, 9), 1.0);
    }
}
