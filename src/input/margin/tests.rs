//! Margins: what is read and what each mistake gets.
//! Texts in, the report that people would see out; never files.

use super::*;
use crate::input::testing;

fn check(text: &str) -> String {
    testing::report("margins/m.yaml", text, read)
}

#[test]
fn a_margin_keeps_its_order_and_places() {
    let margin = testing::sound(
        "name: m\nglobal_seed: 7\nnominal: { core: { voltage: 1V } }\naxes: [mem_pattern/mem.voltage, core.frequency, core.voltage]\n\
         order: snake\nsettle: 200ms\nstop_line: { axis: core.voltage, after: fail, count: 2 }\ndefault:\n  core:\n    \
         voltage: { from: 1000mV, to: 850mV, step: -30mV }\n    frequency: [3.0GHz, 3.2GHz]\n  soc: { voltage: 950mV }\nadapters:\n  \
         mem_pattern: { mem: { voltage: [1.20V, 1.25V] } }\njitter: { core.voltage: { max: 2mV, step: 1mV } }\n",
        read,
    );
    let keys: Vec<String> = axes_of(&margin.default, &margin.adapters);
    assert_eq!(keys, ["core.voltage", "core.frequency", "mem_pattern/mem.voltage"]);
    let RailShape::Fields(fields) = &margin.default[0].shape else { panic!("fields") };
    let FieldSpec::Swept { sweep, places } = &fields[0].1 else { panic!("swept") };
    assert_eq!(sweep.values().collect::<Vec<_>>(), [1_000_000, 970_000, 940_000, 910_000, 880_000, 850_000]);
    assert_eq!(places[0].to_string(), "x.yaml:10:14");
    assert_eq!((margin.order, margin.settle, margin.global_seed), (Order::Snake, Millis(200), Some(7)));
    assert_eq!((margin.stop_line.after, margin.stop_line.count), (StopAfter::Fail, 2));
    assert_eq!((margin.jitter[0].1.max, margin.jitter[0].1.step), (2000, 1000));
}

#[test]
fn a_huge_range_is_counted_not_made() {
    let text = "name: m\ndefault: { core: { voltage: { from: 0V, to: 1000000V, step: 1uV } } }\n";
    let margin = testing::sound(text, read);
    let RailShape::Fields(fields) = &margin.default[0].shape else { panic!("fields") };
    let FieldSpec::Swept { sweep, .. } = &fields[0].1 else { panic!("swept") };
    assert_eq!(sweep.len(), 1_000_000_000_001);
}

#[test]
fn pairs_and_recipes() {
    let pairs = testing::sound(
        "name: m\naxes: [core]\ndefault: { core: [ { voltage: 1.00V, frequency: 3.4GHz }, { voltage: 0.95V, frequency: 3.2GHz } ] }\n\
         jitter: { core.voltage: { max: 2mV, step: 1mV } }\n",
        read,
    );
    assert!(matches!(&pairs.default[0].shape, RailShape::Pairs(pairs) if pairs.len() == 2));
    let recipes = testing::sound(
        "name: m\nrecipes: [ { name: hot, core: { voltage: 1.05V, frequency: 3.4GHz }, adapters: { mem_pattern: { mem: { voltage: 1.25V } } } } ]\n",
        read,
    );
    let settings: Vec<String> =
        recipes.recipes[0].settings.iter().map(|(key, value)| format!("{key}={}", value.value)).collect();
    assert_eq!(settings, ["core.frequency=3400000", "core.voltage=1050000", "mem_pattern/mem.voltage=1250000"]);
}

#[test]
fn quantities_that_are_none() {
    insta::assert_snapshot!(
        check("name: m\ndefault:\n  core: { voltage: 0.85, frequency: 850mV }\n  mem: { voltage: .nan }\n  soc: { voltage: 1e400V }\n  io: { voltage: -5mV }\n  pll: { voltage: 1.0000001V }\n  vtt: { voltage: 9999999999999999999999V }\n  pch: { voltage: 0x10V, frequency: '' }\n"),
        @r"
    error: `core.voltage`: a voltage needs its unit
     --> margins/m.yaml:3:20
      |
    3 |   core: { voltage: 0.85, frequency: 850mV }
      |                    ^^^^
      |
      = help: write `0.85mV` or `0.85V` or `0.85uV`

    error: `core.frequency`: `mV` is not a unit of frequency; units are MHz, GHz, kHz
     --> margins/m.yaml:3:37
      |
    3 |   core: { voltage: 0.85, frequency: 850mV }
      |                                     ^^^^^

    error: `mem.voltage`: `.nan` is not a number with a unit
     --> margins/m.yaml:4:19
      |
    4 |   mem: { voltage: .nan }
      |                   ^^^^
      |
      = help: write a voltage with its unit, as in `850mV`

    error: `soc.voltage`: `1e400V` has an exponent
     --> margins/m.yaml:5:19
      |
    5 |   soc: { voltage: 1e400V }
      |                   ^^^^^^
      |
      = help: write the number out

    error: `io.voltage`: a voltage is not negative
     --> margins/m.yaml:6:18
      |
    6 |   io: { voltage: -5mV }
      |                  ^^^^

    error: `pll.voltage`: not a whole number of microvolts, the smallest step this voltage is kept in
     --> margins/m.yaml:7:19
      |
    7 |   pll: { voltage: 1.0000001V }
      |                   ^^^^^^^^^^

    error: `vtt.voltage`: out of range: at most 1000000000mV
     --> margins/m.yaml:8:19
      |
    8 |   vtt: { voltage: 9999999999999999999999V }
      |                   ^^^^^^^^^^^^^^^^^^^^^^^

    error: `pch.voltage`: `x10V` is not a unit of voltage; units are mV, V, uV, µV, kV
     --> margins/m.yaml:9:19
      |
    9 |   pch: { voltage: 0x10V, frequency: '' }
      |                   ^^^^^

    error: `pch.frequency`: `` is not a number with a unit
     --> margins/m.yaml:9:37
      |
    9 |   pch: { voltage: 0x10V, frequency: '' }
      |                                     ^^
      |
      = help: write a frequency with its unit, as in `850MHz`
    "
    );
}

#[test]
fn sweeps_that_never_arrive() {
    insta::assert_snapshot!(
        check("name: m\ndefault:\n  core: { voltage: { from: 1V, to: 850mV, step: 30mV }, frequency: { from: 3GHz, to: 4GHz, step: 0MHz } }\n  mem: { voltage: { from: 1V, to: 2V } }\n  soc: { voltage: [] }\n  io: { voltage: [1V, 1000mV], volts: 1V }\n  pll: {}\n  vtt: 1V\n"),
        @r"
    error: the step leads away from `to`
     --> margins/m.yaml:3:49
      |
    3 |   core: { voltage: { from: 1V, to: 850mV, step: 30mV }, frequency: { from: 3GHz, to: 4GHz, step: 0MHz } }
      |                                                 ^^^^
      |
      = help: from here it goes down: write `step: -30mV`

    error: a step of zero never arrives
     --> margins/m.yaml:3:98
      |
    3 |   core: { voltage: { from: 1V, to: 850mV, step: 30mV }, frequency: { from: 3GHz, to: 4GHz, step: 0MHz } }
      |                                                                                                  ^^^^
      |
      = help: write one value instead of a range, or a step that arrives

    error: the range of `mem.voltage` has no `step`
     --> margins/m.yaml:4:19
      |
    4 |   mem: { voltage: { from: 1V, to: 2V } }
      |                   ^^^^^^^^^^^^^^^^^^^^
      |
      = help: `step` takes a value

    error: `soc.voltage` is empty: it needs at least one
     --> margins/m.yaml:5:19
      |
    5 |   soc: { voltage: [] }
      |                   ^^

    error: `1000mV` stands twice in this list
     --> margins/m.yaml:6:23
      |
    6 |   io: { voltage: [1V, 1000mV], volts: 1V }
      |                       ^^^^^^
      |
     ::: margins/m.yaml:6:19
      |
    6 |   io: { voltage: [1V, 1000mV], volts: 1V }
      |                   -- first here
      |
      = help: each value is one point: more runs of it are a flow's `repeat`

    error: unknown key `volts` in rail `io`
     --> margins/m.yaml:6:32
      |
    6 |   io: { voltage: [1V, 1000mV], volts: 1V }
      |                                ^^^^^
      |
      = help: keys here: `voltage`, `frequency`

    error: rail `pll` has neither voltage nor frequency
     --> margins/m.yaml:7:3
      |
    7 |   pll: {}
      |   ^^^

    error: rail `vtt` takes a map of `voltage` and `frequency`, or a list of AVT pairs
     --> margins/m.yaml:8:8
      |
    8 |   vtt: 1V
      |        ^^ not this
    "
    );
}

#[test]
fn axes_stop_lines_and_jitter_name_what_is_there() {
    insta::assert_snapshot!(
        check("name: m\naxes: [core.volts, core.frequency, core.frequency]\nstop_line: { axis: mem.voltage, after: crash, count: 0 }\ndefault:\n  core: { voltage: [1V, 2V], frequency: [1GHz, 2GHz] }\n  mem: { voltage: 1V }\njitter: { core.voltage: { max: 1mV, step: 2mV }, cor.voltage: { max: 1mV, step: 1mV }, core: { max: 1mV, step: 1mV }, core.frequency: { max: 1mV, step: 0MHz } }\n"),
        @r"
    error: `core.voltage` is swept and missing from `axes`
     --> margins/m.yaml:2:7
      |
    2 | axes: [core.volts, core.frequency, core.frequency]
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
      = help: name every swept field once, the slowest first, or leave `axes` out

    error: nothing is swept that is called `core.volts`
     --> margins/m.yaml:2:8
      |
    2 | axes: [core.volts, core.frequency, core.frequency]
      |        ^^^^^^^^^^
      |
      = help: did you mean `core.voltage`?

    error: axis `core.frequency` stands twice
     --> margins/m.yaml:2:36
      |
    2 | axes: [core.volts, core.frequency, core.frequency]
      |                                    ^^^^^^^^^^^^^^
      |
     ::: margins/m.yaml:2:20
      |
    2 | axes: [core.volts, core.frequency, core.frequency]
      |                    -------------- first here

    error: nothing is swept that is called `mem.voltage`
     --> margins/m.yaml:3:20
      |
    3 | stop_line: { axis: mem.voltage, after: crash, count: 0 }
      |                    ^^^^^^^^^^^
      |
      = help: did you mean `core.voltage`?

    error: `after` takes one of `crashed`, `fail`, not `crash`
     --> margins/m.yaml:3:40
      |
    3 | stop_line: { axis: mem.voltage, after: crash, count: 0 }
      |                                        ^^^^^
      |
      = help: did you mean `crashed`?

    error: `count` takes a whole number from 1 to 1000000, not `0`
     --> margins/m.yaml:3:54
      |
    3 | stop_line: { axis: mem.voltage, after: crash, count: 0 }
      |                                                      ^

    error: `step` is above `max`: no offset but zero would be left
     --> margins/m.yaml:7:43
      |
    7 | …tter: { core.voltage: { max: 1mV, step: 2mV }, cor.voltage: { max: 1mV, step: 1mV }, core: { max: 1mV, step: 1mV }, core…
      |                                          ^^^

    error: no field `cor.voltage` in this margin
     --> margins/m.yaml:7:50
      |
    7 | … core.voltage: { max: 1mV, step: 2mV }, cor.voltage: { max: 1mV, step: 1mV }, core: { max: 1mV, step: 1mV }, core.freque…
      |                                          ^^^^^^^^^^^
      |
      = help: did you mean `core.voltage`?

    error: `core`: a field is written `rail.voltage`, `rail.frequency` or `adapter/rail.voltage`
     --> margins/m.yaml:7:88
      |
    7 | …, cor.voltage: { max: 1mV, step: 1mV }, core: { max: 1mV, step: 1mV }, core.frequency: { max: 1mV, step: 0MHz } }
      |                                          ^^^^
      |
      = help: fields here: `core.frequency`, `core.voltage`, `mem.voltage`

    error: `max`: `mV` is not a unit of frequency; units are MHz, GHz, kHz
     --> margins/m.yaml:7:142
      |
    7 | …mV, step: 1mV }, core.frequency: { max: 1mV, step: 0MHz } }
      |                                          ^^^
    "
    );
}

#[test]
fn pairs_and_recipes_that_are_none() {
    insta::assert_snapshot!(
        check("name: m\ndefault: { core: [ { voltage: 1V }, { voltage: 1V, frequency: 1GHz }, { voltage: 1000mV, frequency: 1GHz } ] }\n"),
        @r"
    error: an AVT pair of rail `core` has no `frequency`
     --> margins/m.yaml:2:20
      |
    2 | default: { core: [ { voltage: 1V }, { voltage: 1V, frequency: 1GHz }, { voltage: 1000mV, frequency: 1GHz } ] }
      |                    ^^^^^^^^^^^^^^^
      |
      = help: `frequency` takes a frequency with its unit, as in `3.2GHz`

    error: the same pair stands twice
     --> margins/m.yaml:2:71
      |
    2 | default: { core: [ { voltage: 1V }, { voltage: 1V, frequency: 1GHz }, { voltage: 1000mV, frequency: 1GHz } ] }
      |                                                                       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
     ::: margins/m.yaml:2:48
      |
    2 | default: { core: [ { voltage: 1V }, { voltage: 1V, frequency: 1GHz }, { voltage: 1000mV, frequency: 1GHz } ] }
      |                                                -- first here
    "
    );
    insta::assert_snapshot!(
        check("name: m\ndefault: { core: { voltage: [1V, 2V] } }\nrecipes:\n  - { name: a, core: { voltage: 1V } }\n  - { name: a, core: { voltage: [1V] } }\n  - { core: {} }\n  - { name: b }\n"),
        @r"
    error: recipes are instead of sweeps, and `core.voltage` is swept
     --> margins/m.yaml:3:1
      |
    3 | recipes:
      | ^^^^^^^
      |
      = help: fix that field, or write the points as one or the other

    error: two recipes are named `a`
     --> margins/m.yaml:5:13
      |
    5 |   - { name: a, core: { voltage: [1V] } }
      |             ^
      |
     ::: margins/m.yaml:4:13
      |
    4 |   - { name: a, core: { voltage: 1V } }
      |             - first here

    error: `core.voltage` is fixed in a recipe: it takes one value
     --> margins/m.yaml:5:33
      |
    5 |   - { name: a, core: { voltage: [1V] } }
      |                                 ^^^^
      |
      = help: write a recipe for each point, or sweep under `default`

    error: the recipe has no `name`
     --> margins/m.yaml:6:5
      |
    6 |   - { core: {} }
      |     ^^^^^^^^^^^^

    error: rail `core` has neither voltage nor frequency
     --> margins/m.yaml:6:7
      |
    6 |   - { core: {} }
      |       ^^^^

    error: the recipe sets nothing
     --> margins/m.yaml:7:5
      |
    7 |   - { name: b }
      |     ^^^^^^^^^^^
      |
      = help: write `RAIL: { voltage: … }`
    "
    );
}

#[test]
fn what_is_no_margin() {
    insta::assert_snapshot!(check("name: m\n"), @r"
    error: the margin has no point
     --> margins/m.yaml:1:1
      |
    1 | name: m
      | ^^^^
      |
      = help: write `default:` with rails, `adapters:` or `recipes:`
    ");
    insta::assert_snapshot!(check("name: m\nglobal_seed: 0\norder: zigzag\ndefault: { Core: { voltage: 1V } }\nsettle: 5\n"), @r"
    error: `global_seed` takes a whole number from 1 to 2147483647, not `0`
     --> margins/m.yaml:2:14
      |
    2 | global_seed: 0
      |              ^

    error: `order` takes one of `raster`, `snake`, `shuffled`, not `zigzag`
     --> margins/m.yaml:3:8
      |
    3 | order: zigzag
      |        ^^^^^^

    error: a rail is `Core`: a name is 1 to 64 of a-z, 0-9, `_` and `-`, and begins with a letter or digit
     --> margins/m.yaml:4:12
      |
    4 | default: { Core: { voltage: 1V } }
      |            ^^^^
      |
      = help: `core` would be one

    error: `settle`: a duration needs its unit
     --> margins/m.yaml:5:9
      |
    5 | settle: 5
      |         ^
      |
      = help: write `5s` or `5ms` or `5m`
    ");
}
