//! Tests of the grid: which axes, which way up, slices and sums.

use super::*;
use crate::domain::kit::{self, World};
use crate::domain::shmoo::Cell;
use insta::assert_snapshot;

/// The grid as text, top row first; `cells` gives each sub-run's cell, the last for all that follow.
fn check(experiment: &Experiment, view: &View, cells: &[Cell]) -> String {
    let of = |index: u32| cells.get(index as usize).or(cells.last()).copied().unwrap_or(Cell::Planned).into();
    let grid = Grid::of(experiment, view, of).unwrap();
    let mut lines = vec![];
    for row in (0..grid.rows()).rev() {
        let label = grid.y.as_ref().map_or(String::new(), |y| y.positions[row].label.clone());
        let glyph = |column| grid.cell(row, column).unwrap().outcome.map_or(' ', |o| o.cell.glyph());
        lines.push(format!("{label:>14} |{}", (0..grid.columns()).map(glyph).collect::<String>()));
    }
    let labels: Vec<&str> = grid.x.positions.iter().map(|p| p.label.as_str()).collect();
    lines.push(format!("{:>14}  {}", "", labels.join(" ")));
    lines.join("\n")
}

fn margin(fields: Vec<crate::domain::margin::RailSpec>) -> Experiment {
    World::sweeping(kit::margin(fields)).experiment()
}

fn two() -> Experiment {
    margin(vec![kit::rail(
        "core",
        vec![
            (RailField::Frequency, kit::range(3_000_000, 3_400_000, 200_000)),
            (RailField::Voltage, kit::range(1_000_000, 900_000, -50_000)),
        ],
    )])
}

#[test]
fn voltage_stands_upward_and_frequency_to_the_right_whichever_way_they_were_swept() {
    use Cell::{Crashed, Fail, Pass};
    let cells = [Pass, Pass, Fail, Pass, Fail, Crashed, Pass, Fail, Fail];
    let experiment = two();
    let view = View::default_of(&experiment).unwrap();
    assert_snapshot!(check(&experiment, &view, &cells), @r"
            1000mV |+++
             950mV |+XX
             900mV |X!X
                    3GHz 3.2GHz 3.4GHz
    ");
}

#[test]
fn one_axis_is_a_row_and_none_is_no_grid() {
    let one = margin(vec![kit::rail("core", vec![(RailField::Voltage, kit::range(1_000_000, 980_000, -10_000))])]);
    let view = View::default_of(&one).unwrap();
    assert_snapshot!(check(&one, &view, &[Cell::Pass, Cell::Flaky, Cell::Fail]), @r"
                   |X?+
                    980mV 990mV 1000mV
    ");
    let none = margin(vec![kit::rail("core", vec![(RailField::Voltage, kit::fixed(1_000_000))])]);
    assert_eq!(View::default_of(&none), None);
}

#[test]
fn pairs_and_recipes_are_axes_too() {
    let pairs = margin(vec![
        kit::pairs("core", &[(1_000_000, 3_400_000), (950_000, 3_200_000)]),
        kit::rail("mem", vec![(RailField::Voltage, kit::list(&[1_200_000, 1_250_000]))]),
    ]);
    let view = View::default_of(&pairs).unwrap();
    assert_snapshot!(check(&pairs, &view, &[Cell::Pass, Cell::Pass, Cell::Fail, Cell::Pass]), @r"
     1000mV 3.4GHz |++
      950mV 3.2GHz |X+
                    1200mV 1250mV
    ");
    let mut recipes = kit::margin(vec![]);
    recipes.recipes = vec![kit::recipe("hot", &[("core.voltage", 1_050_000)]), kit::recipe("cold", &[])];
    let recipes = World::sweeping(recipes).experiment();
    let view = View::default_of(&recipes).unwrap();
    assert_snapshot!(check(&recipes, &view, &[Cell::Pass, Cell::Fail]), @r"
                   |+X
                    hot cold
    ");
}

fn three() -> Experiment {
    margin(vec![
        kit::rail("mem", vec![(RailField::Voltage, kit::list(&[1_250_000, 1_200_000]))]),
        kit::rail(
            "core",
            vec![
                (RailField::Frequency, kit::range(3_000_000, 3_200_000, 200_000)),
                (RailField::Voltage, kit::range(1_000_000, 950_000, -50_000)),
            ],
        ),
    ])
}

#[test]
fn hidden_axes_are_slices_or_summed_up() {
    use Cell::{Fail, Pass, Planned, Skipped};
    let experiment = three();
    let view = View { y: Some(2), x: Some(1), ..View::default_of(&experiment).unwrap() };
    // mem 1250: pass pass pass fail; mem 1200: pass fail skipped planned
    let cells = [Pass, Pass, Pass, Fail, Pass, Fail, Skipped, Planned];
    assert_eq!((view.slices(&experiment), view.slice_label(&experiment)), (2, String::new()));
    let slice = |slice| View { slice: Some(slice), ..view };
    assert_eq!(slice(0).slice_label(&experiment), "mem.voltage 1200mV");
    assert_snapshot!(check(&experiment, &slice(0), &cells), @r"
            1000mV |+-
             950mV |X.
                    3GHz 3.2GHz
    ");
    assert_snapshot!(check(&experiment, &slice(1), &cells), @r"
            1000mV |++
             950mV |+X
                    3GHz 3.2GHz
    ");
    let sum = |aggregate| check(&experiment, &View { aggregate, ..view }, &cells);
    assert_snapshot!(sum(Aggregate::Worst), @r"
            1000mV |+-
             950mV |XX
                    3GHz 3.2GHz
    ");
    assert_snapshot!(sum(Aggregate::Last), @r"
            1000mV |++
             950mV |XX
                    3GHz 3.2GHz
    ");
    assert_snapshot!(sum(Aggregate::PassRate), @r"
            1000mV |++
             950mV |?X
                    3GHz 3.2GHz
    ");
}

#[test]
fn a_part_of_a_plan_leaves_holes_in_its_grid() {
    let mut part = two();
    part.points = part.points.select(&[0, 5]);
    let view = View::default_of(&part).unwrap();
    let grid = Grid::of(&part, &view, |_| Cell::Pass.into()).unwrap();
    assert_eq!(grid.cells().iter().filter(|c| c.outcome.is_none()).count(), 7);
    assert_eq!(grid.cell(0, 3), None);
    let counts: Vec<(Cell, u32)> = grid.counts().into_iter().filter(|(_, n)| *n > 0).collect();
    assert_eq!(counts, [(Cell::Pass, 2)]);
}
