//! The themes that are shipped: sound, complete, and to be read by everyone. Each rule is also held against a theme that
//! breaks it, so that none can pass by never looking.

use super::*;
use crate::domain::colour::contrast;
use crate::domain::shmoo::Cell;
use crate::domain::theme::Depth;

type Rgb = (u8, u8, u8);

/// What may be faint: it is there for whoever looks for it.
const FAINT: [Slot; 6] = [Slot::Dim, Slot::Border, Slot::BarLeft, Slot::Backdrop, Slot::CellPlanned, Slot::CellSkipped];

/// What is drawn inside a dialog.
const IN_DIALOGS: [Slot; 9] = [
    Slot::Text,
    Slot::Dim,
    Slot::Strong,
    Slot::Accent,
    Slot::Key,
    Slot::Error,
    Slot::Warning,
    Slot::Good,
    Slot::BarLeft,
];

fn shipped() -> Vec<(ThemeDocument, Theme)> {
    let themes = Themes::read(Path::new("/nonexistent"), None);
    let problems = crate::input::render::render(&themes.problems(), &themes.sources(), false);
    assert_eq!(problems, "");
    let document = |entry: Entry<ThemeDocument>| entry.value.unwrap();
    let documents: BTreeMap<String, ThemeDocument> =
        built_in().into_iter().map(|entry| (entry.name.clone(), document(entry))).collect();
    themes.entries.into_iter().map(|entry| (documents[&entry.name].clone(), entry.theme.unwrap())).collect()
}

#[test]
fn every_slot_is_painted_by_the_theme_or_a_parent() {
    let all = shipped();
    assert_eq!(all.len(), 5);
    for (document, theme) in &all {
        let mut painted: Vec<Slot> = vec![];
        let mut at = Some(document);
        while let Some(document) = at {
            painted.extend(document.styles.keys());
            at =
                document.inherits.as_ref().and_then(|parent| all.iter().map(|a| &a.0).find(|d| d.name == parent.value));
        }
        let missing: Vec<&str> = Slot::ALL.iter().filter(|slot| !painted.contains(slot)).map(|s| s.as_str()).collect();
        assert!(missing.is_empty(), "{} does not paint {missing:?}", theme.name);
        assert!(theme.description.as_ref().is_some_and(|text| text.ends_with('.')), "{}", theme.name);
    }
}

/// What of a theme that paints its own ground cannot be read: of each slot the ink against the ground behind it, that of
/// text where it has none. `text` is the least contrast of text, `faint` that of [`FAINT`].
fn unreadable(theme: &Theme, text: f64, faint: f64) -> Vec<String> {
    let whole = theme.paint(Slot::Text);
    let mut faults = vec![];
    let mut hold = |slot: Slot, on: &str, ground: Option<Colour>, least: f64| {
        let paint = theme.paint(slot);
        let colours = (paint.fg.or(whole.fg).and_then(Colour::rgb), ground.and_then(Colour::rgb));
        let (Some(ink), Some(ground)) = colours else {
            return faults.push(format!("{} on {on}: the terminal's own colour", slot.as_str()));
        };
        let ratio = contrast(ink, ground);
        if ratio < least {
            faults.push(format!("{} on {on}: {ratio:.1}, not {least}", slot.as_str()));
        }
        // How faint a terminal makes it is not known.
        if paint.dim {
            faults.push(format!("{} is dim", slot.as_str()));
        }
    };
    for slot in Slot::ALL {
        let least = if FAINT.contains(slot) { faint } else { text };
        hold(*slot, "its ground", theme.paint(*slot).bg.or(whole.bg), least);
    }
    for slot in IN_DIALOGS {
        let least = if FAINT.contains(&slot) { faint } else { text };
        hold(slot, "a dialog", theme.paint(Slot::Dialog).bg, least);
    }
    // The marks in a chosen row keep their own ink.
    for slot in Cell::ALL.map(Slot::from).into_iter().chain([Slot::Dim, Slot::Mark, Slot::Error, Slot::Warning]) {
        for row in [Slot::Selection, Slot::SelectionRest] {
            if theme.paint(slot).bg.is_none() {
                hold(slot, row.as_str(), theme.paint(row).bg, faint);
            }
        }
    }
    faults
}

/// A theme as a terminal of that many colours has it.
fn fewer(theme: &Theme, depth: Depth) -> Theme {
    Theme::new(theme.name.as_str(), None, theme.ground, |slot| {
        let paint = theme.paint(slot);
        Paint { fg: paint.fg.map(|ink| ink.at(depth)), bg: paint.bg.map(|ground| ground.at(depth)), ..paint }
    })
}

#[test]
fn what_paints_its_ground_can_be_read_on_it() {
    let none: [String; 0] = [];
    for (_, theme) in shipped().into_iter().filter(|(_, theme)| theme.ground != Ground::Terminal) {
        let (text, faint) = if theme.name == "high-contrast" { (7.0, 4.5) } else { (4.5, 3.0) };
        assert_eq!(unreadable(&theme, text, faint), none, "{}", theme.name);
        // With fewer colours less is left; still nothing may vanish.
        assert_eq!(unreadable(&fewer(&theme, Depth::Indexed), 4.5, 3.0), none, "{} in 256", theme.name);
        assert_eq!(unreadable(&fewer(&theme, Depth::Ansi), 3.0, 2.0), none, "{} in 16", theme.name);
        let ground = theme.paint(Slot::Text).bg.and_then(Colour::rgb).unwrap();
        let is_dark = contrast(ground, (255, 255, 255)) > contrast(ground, (0, 0, 0));
        assert_eq!(is_dark, theme.ground == Ground::Dark, "{}", theme.name);
    }
    let bad = Theme::new("bad", None, Ground::Dark, |slot| match slot {
        Slot::Text => {
            Paint { fg: Some(Colour::Rgb(200, 200, 200)), bg: Some(Colour::Rgb(0, 0, 0)), ..Paint::default() }
        }
        Slot::Dim => Paint { fg: Some(Colour::Rgb(80, 80, 80)), ..Paint::default() },
        Slot::Key => Paint { fg: Some(Colour::Rgb(0, 0, 200)), dim: true, ..Paint::default() },
        Slot::Dialog => Paint { bg: Some(Colour::Rgb(190, 190, 190)), ..Paint::default() },
        Slot::Selection => Paint { bg: Some(Colour::Default), ..Paint::default() },
        _ => Paint { fg: Some(Colour::Rgb(255, 255, 255)), bg: Some(Colour::Rgb(0, 0, 0)), ..Paint::default() },
    });
    insta::assert_snapshot!(unreadable(&bad, 4.5, 3.0).join("\n"), @r"
    dim on its ground: 2.6, not 3
    key on its ground: 1.8, not 4.5
    key is dim
    selection on its ground: the terminal's own colour
    dialog on its ground: 1.1, not 4.5
    text on a dialog: 1.1, not 4.5
    strong on a dialog: 1.9, not 4.5
    accent on a dialog: 1.9, not 4.5
    key is dim
    error on a dialog: 1.9, not 4.5
    warning on a dialog: 1.9, not 4.5
    good on a dialog: 1.9, not 4.5
    bar.left on a dialog: 1.9, not 3
    dim on selection: the terminal's own colour
    dim on selection.rest: 2.6, not 3
    ");
}

/// Whose looks differ most between schemes: on one ground or the other each vanishes in many of them.
const UNSURE: [u8; 5] = [0, 3, 7, 11, 15];

/// What of a theme on the terminal's own ground may vanish. Its colours are the terminal's, so that only those count
/// that stand out on black and on white as VGA has them; and neither ground nor ink is painted without the other.
fn may_vanish(theme: &Theme) -> Vec<String> {
    let mut faults = vec![];
    for slot in Slot::ALL {
        let paint = theme.paint(*slot);
        let mut fault = |what: &str| faults.push(format!("{}: {what}", slot.as_str()));
        let colour = |of: Option<Colour>| of.filter(|colour| *colour != Colour::Default);
        let (ink, ground) = (colour(paint.fg), colour(paint.bg));
        if [ink, ground].into_iter().flatten().any(|colour| !matches!(colour, Colour::Ansi(_))) {
            fault("not one of the sixteen");
        }
        match (ink.and_then(|ink| Some((ink, ink.rgb()?))), ground.and_then(Colour::rgb)) {
            (None, None) => {}
            (None, Some(_)) => fault("a ground without an ink"),
            (Some((_, ink)), Some(ground)) => {
                if contrast(ink, ground) < 4.5 {
                    fault("an ink that is too near to its ground");
                }
            }
            (Some((ink, rgb)), None) => {
                let on: [Rgb; 2] = [(0, 0, 0), (255, 255, 255)];
                if on.iter().any(|ground| contrast(rgb, *ground) < 2.5) {
                    fault("vanishes on black or on white");
                }
                if UNSURE.iter().any(|unsure| ink == Colour::Ansi(*unsure)) {
                    fault("an ink that terminals show too differently");
                }
                if paint.dim {
                    fault("both coloured and faint");
                }
            }
        }
    }
    faults
}

#[test]
fn what_has_the_terminals_ground_shows_on_black_and_on_white() {
    let none: [String; 0] = [];
    let all = shipped();
    let on_terminal: Vec<&Theme> = all.iter().map(|a| &a.1).filter(|t| t.ground == Ground::Terminal).collect();
    assert_eq!(on_terminal.iter().map(|theme| theme.name.as_str()).collect::<Vec<_>>(), ["default"]);
    assert_eq!(may_vanish(on_terminal[0]), none);
    let ink = |fg: Colour| Paint { fg: Some(fg), ..Paint::default() };
    let bad = Theme::new("bad", None, Ground::Terminal, |slot| match slot {
        Slot::Text => ink(Colour::Default),
        Slot::Dim => Paint { dim: true, ..ink(Colour::Ansi(2)) },
        Slot::Key => ink(Colour::Ansi(4)),
        Slot::Error => ink(Colour::Rgb(170, 0, 0)),
        Slot::Warning => ink(Colour::Ansi(3)),
        Slot::Match => Paint { bg: Some(Colour::Ansi(3)), ..ink(Colour::Ansi(7)) },
        Slot::Cursor => Paint { bg: Some(Colour::Ansi(3)), ..Paint::default() },
        _ => Paint::default(),
    });
    insta::assert_snapshot!(may_vanish(&bad).join("\n"), @r"
    dim: both coloured and faint
    key: vanishes on black or on white
    match: an ink that is too near to its ground
    cursor: a ground without an ink
    error: not one of the sixteen
    warning: an ink that terminals show too differently
    ");
}

/// How red, green and blue light reach an eye that has all cones, no L cones (protanopia), no M cones (deuteranopia).
/// Source: Machado, Oliveira, Fernandes, "A physiologically-based model for simulation of color vision deficiency",
/// IEEE TVCG 15(6), 2009: the matrices of severity 1.0, on linear values.
const EYES: [(&str, [[f64; 3]; 3]); 3] = [
    ("trichromat", [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]),
    (
        "protanope",
        [[0.152_286, 1.052_583, -0.204_868], [0.114_503, 0.786_281, 0.099_216], [-0.003_882, -0.048_116, 1.051_998]],
    ),
    (
        "deuteranope",
        [[0.367_322, 0.860_646, -0.227_968], [0.280_085, 0.672_501, 0.047_413], [-0.011_820, 0.042_940, 0.968_881]],
    ),
];

/// What an eye makes of a colour, in CIE L*a*b* (white D65).
fn seen(rgb: Rgb, eye: &[[f64; 3]; 3]) -> [f64; 3] {
    let linear = [rgb.0, rgb.1, rgb.2].map(|channel| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    });
    let through =
        |rows: &[[f64; 3]; 3], of: [f64; 3]| rows.map(|row| row.iter().zip(of).map(|(a, b)| a * b).sum::<f64>());
    let light = through(eye, linear).map(|value| value.clamp(0.0, 1.0));
    let to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]];
    let [x, y, z] = through(&to_xyz, light);
    let [x, y, z] = [x / 0.9505, y, z / 1.089].map(|t| if t > 0.008_856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// Pairs of cells that an eye does not tell apart by ink or ground: nearer than 25 in L*a*b*, ten times what is just
/// noticeable side by side, as cells are small and apart.
fn alike(theme: &Theme, cells: &[Cell]) -> Vec<String> {
    let whole = theme.paint(Slot::Text);
    let colours = |cell: Cell| {
        let paint = theme.paint(cell.into());
        let (ink, ground) = (paint.fg.or(whole.fg), paint.bg.or(whole.bg));
        [ink, ground].map(|colour| colour.and_then(Colour::rgb).unwrap())
    };
    let mut found = vec![];
    for (name, eye) in &EYES {
        for (at, one) in cells.iter().enumerate() {
            for other in &cells[at + 1..] {
                let apart = colours(*one).into_iter().zip(colours(*other)).map(|(a, b)| {
                    let square: f64 = seen(a, eye).iter().zip(seen(b, eye)).map(|(a, b)| (a - b).powi(2)).sum();
                    square.sqrt()
                });
                let most = apart.fold(0.0, f64::max);
                if most < 25.0 {
                    found.push(format!("{name}: {} and {}, {most:.0}", one.as_str(), other.as_str()));
                }
            }
        }
    }
    found
}

#[test]
fn colour_blind_safe_is_safe() {
    let cells = [Cell::Pass, Cell::Fail, Cell::Timeout, Cell::Crashed];
    let theme = Themes::shipped("colour-blind-safe").unwrap();
    assert_eq!(alike(&theme, &cells), [""; 0]);
    // The eyes do see less: of red and green, as in `dark`, the rest is no more than a shade.
    let dark = Themes::shipped("dark").unwrap();
    insta::assert_snapshot!(alike(&dark, &cells).join("\n"), @r"
    protanope: pass and fail, 22
    deuteranope: pass and fail, 8
    ");
}

/// Cells that mean something else never look the same, even where ink and ground are all there is.
#[test]
fn cells_have_looks_of_their_own() {
    for (_, theme) in shipped() {
        let mut looks: Vec<(Paint, &str)> = vec![];
        for cell in Cell::ALL.into_iter().filter(|cell| !matches!(cell, Cell::Skipped)) {
            let paint = theme.paint(cell.into());
            let same = looks.iter().find(|look| look.0 == paint);
            assert_eq!(same, None, "{} and {}", theme.name, cell.as_str());
            looks.push((paint, cell.as_str()));
        }
    }
}
