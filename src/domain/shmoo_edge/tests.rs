//! Tests of the edge: the published boundaries of two boards, and every way in which a line has no single one.

use super::*;
use crate::domain::kit::{self, World};
use crate::domain::margin::Nominal;
use crate::domain::shmoo::Cell;
use crate::domain::shmoo_grid::View;
use crate::domain::units::Microvolts;
use insta::assert_snapshot;

/// A single voltage axis from `from` down by 10 mV with nominal 1 V, a letter a point from the top.
fn check(from: i64, cells: &str) -> String {
    let count = i64::try_from(cells.len()).unwrap();
    let voltage = kit::range(from, from - (count - 1) * 10_000, -10_000);
    let mut margin = kit::margin(vec![kit::rail("core", vec![(RailField::Voltage, voltage)])]);
    let nominal = Nominal { voltage: Some(Microvolts(1_000_000)), frequency: None };
    margin.nominal = vec![(kit::name("core"), nominal)];
    let experiment = World::sweeping(margin).experiment();
    let of = |index: u32| {
        let glyph = char::from(cells.as_bytes()[index as usize]);
        let crash = glyph == 'c';
        let cell = Cell::ALL.into_iter().find(|c| c.glyph() == if crash { 'X' } else { glyph }).unwrap();
        Outcome { crash: crash || cell == Cell::Crashed, cell }
    };
    let grid = Grid::of(&experiment, &View::default_of(&experiment).unwrap(), of).unwrap();
    let edges = Edges::of(&experiment, &grid).unwrap();
    assert_eq!((edges.walked.as_str(), edges.lines.as_deref(), edges.edges.len()), ("core.voltage", None, 1));
    edges.edges[0].words(edges.field)
}

/// Faults at 0.65 V and downward by 10 mV, as published; -1 is a crash.
fn board(faults: &[i64]) -> String {
    let glyph = |faults: &i64| match faults {
        0 => '+',
        -1 => '!',
        _ => 'X',
    };
    check(650_000, &faults.iter().map(glyph).collect::<String>())
}

#[test]
fn the_published_boards() {
    let vc707 = [0, 0, 0, 0, 0, 4, 24, 146, 772, 2732, 7520, 23706, -1];
    assert_snapshot!(board(&vc707), @"last pass 610mV, first fail 600mV downward, crash below 540mV, margin 390mV (39%)");
    let kc705b = [0, 0, 0, 0, 0, 0, 2, 8, 26, 62, 252, 690, 2274];
    assert_snapshot!(board(&kc705b), @"last pass 600mV, first fail 590mV downward, margin 400mV (40%)");
}

#[test]
fn a_line_without_a_single_boundary_says_so() {
    assert_snapshot!(check(950_000, "++X+X"), @"no single boundary: last pass 940mV, first fail 930mV downward, passes again at 920mV, margin 60mV (6%)");
    assert_snapshot!(check(950_000, "X+X"), @"no single boundary: fails from 950mV downward, passes at 940mV");
    assert_snapshot!(check(950_000, "+++"), @"passes downward to 930mV: the boundary is outside the range, margin 70mV (7%)");
    assert_snapshot!(check(950_000, "XTc"), @"fails from 950mV on downward: the boundary is outside the range, crash below 940mV");
    assert_snapshot!(check(950_000, "..."), @"not measured");
}

#[test]
fn what_says_nothing_is_left_out_and_named() {
    assert_snapshot!(check(955_000, "++?~X-"), @"last pass 945mV, first fail 915mV downward, margin 55mV (5.5%), flaky at 935mV left out, not proven or not applied at 925mV left out, 1 not measured");
}

#[test]
fn away_from_nominal_is_upward_above_it() {
    assert_snapshot!(check(1_040_000, "X++++"), @"last pass 1030mV, first fail 1040mV upward, margin 30mV (3%)");
}

#[test]
fn a_grid_has_an_edge_for_each_frequency() {
    let experiment = World::grid(3, 2).experiment();
    let cells = [Cell::Pass, Cell::Pass, Cell::Fail, Cell::Pass, Cell::Fail, Cell::Crashed];
    let grid = Grid::of(&experiment, &View::default_of(&experiment).unwrap(), |i| cells[i as usize].into()).unwrap();
    let edges = Edges::of(&experiment, &grid).unwrap();
    assert_eq!(edges.lines.as_deref(), Some("core.frequency"));
    let words: Vec<String> = edges.edges.iter().map(|e| format!("{:?} {}", e.line, e.words(edges.field))).collect();
    assert_snapshot!(words.join("\n"), @r"
    Some(0) last pass 999mV, first fail 998mV downward
    Some(1) last pass 1000mV, first fail 999mV downward, crash below 999mV
    ");
}

#[test]
fn percentages_are_rounded_in_whole_numbers() {
    let percent = |base, nominal| Margin { base, nominal }.percent();
    assert_eq!(percent(390_000, 1_000_000), "39%");
    assert_eq!(percent(125_400, 1_000_000), "12.5%");
    assert_eq!(percent(-30_000, 1_000_000), "-3%");
    assert_eq!(percent(1, 0), "100%");
}
