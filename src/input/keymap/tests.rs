//! Keys as people write them: what is read and what each mistake gets. Texts in, the report that people would see out.

use super::*;
use crate::domain::chord::Chord;
use crate::domain::keymap::{Lookup, Places};
use crate::input::testing;

const LIST: Places = Places::of(1);
const LOG: Places = Places::of(2);

const fn action(name: &'static str, places: Places, keys: &'static [&'static str]) -> Bindable {
    Bindable { name, places, keys, essential: false }
}

const TABLE: [Bindable; 6] = [
    Bindable { essential: true, ..action("quit", Places::EVERYWHERE, &["q"]) },
    action("stop", Places::EVERYWHERE, &["x", "ctrl-c"]),
    action("mark", LIST, &["Space"]),
    action("start", LIST, &["S"]),
    action("log-follow", LOG, &["f"]),
    action("next-error", LOG, &["]e"]),
];

fn check(text: &str) -> String {
    testing::report("keys.yaml", text, |doc, root| read(doc, root, &TABLE))
}

#[test]
fn what_is_written_replaces_the_defaults() {
    let check = |text: &str, expected: [&str; 6]| {
        let map = testing::sound(text, |doc, root| read(doc, root, &TABLE));
        let keys = |action: usize| map.keys(action).iter().map(Keys::to_string).collect::<Vec<_>>().join(" / ");
        assert_eq!([0, 1, 2, 3, 4, 5].map(keys), expected, "{text}");
    };
    check("name: keys\nkeys: {}\n", ["q", "x / ctrl-c", "Space", "S", "f", "]e"]);
    check(
        "name: keys\nkeys:\n  stop: [X, ctrl-c]\n  log-follow: F\n  mark: none\n  next-error: [\"]]\", pgdn, 5, 66]\n",
        ["q", "X / ctrl-c", "", "S", "F", "]] / PgDn / 5 / 66"],
    );
    // Exchanged, and what is free again.
    check("name: keys\nkeys: { quit: x, stop: q, start: ctrl-c }\n", ["x", "q", "Space", "ctrl-c", "f", "]e"]);
    // Quotes change nothing, and a key that looks like a number is one.
    check("name: keys\nkeys: { quit: \"1\", stop: -5, mark: .5, start: \"~\" }\n", ["1", "-5", ".5", "~", "f", "]e"]);
}

#[test]
fn every_mistake_is_told_with_its_place() {
    insta::assert_snapshot!(check(
        "name: keys\nkeys:\n  log-folow: F\n  stop:\n  mark: []\n  mark: m\n  start: [s, s]\n  log-follow: [pgupp, f]\n  \
         next-error: { a: b }\n  quit: Entr\n"
    ), @r"
    error: there is no action `log-folow`
     --> keys.yaml:3:3
      |
    3 |   log-folow: F
      |   ^^^^^^^^^
      |
      = help: did you mean `log-follow`?

    error: `stop` has nothing after it
     --> keys.yaml:4:3
      |
    4 |   stop:
      |   ^^^^
      |
      = help: write its keys, or `none` for none at all

    error: `mark` is empty: it needs at least one
     --> keys.yaml:5:9
      |
    5 |   mark: []
      |         ^^

    error: the key `mark` stands twice
     --> keys.yaml:6:3
      |
    6 |   mark: m
      |   ^^^^ again
      |
     ::: keys.yaml:5:3
      |
    5 |   mark: []
      |   ---- first here

    error: `s` stands twice
     --> keys.yaml:7:14
      |
    7 |   start: [s, s]
      |              ^ again
      |
     ::: keys.yaml:7:11
      |
    7 |   start: [s, s]
      |           - first here

    error: an item of `log-follow` takes keys, as in `x`, `ctrl-d`, `F5` or `]e`, not `pgupp`
     --> keys.yaml:8:16
      |
    8 |   log-follow: [pgupp, f]
      |                ^^^^^
      |
      = help: did you mean `PgUp`?

    error: `next-error` takes keys, as in `x`, `ctrl-d`, `F5` or `]e`
     --> keys.yaml:9:15
      |
    9 |   next-error: { a: b }
      |               ^^^^^^^^ this is a map

    error: `quit` takes keys, as in `x`, `ctrl-d`, `F5` or `]e`, not `Entr`
      --> keys.yaml:10:9
       |
    10 |   quit: Entr
       |         ^^^^
       |
       = help: did you mean `Enter`?
    ");
    insta::assert_snapshot!(check("name: keys\nkeys:\n  mark: a b c\n  start: \"\"\n  quit: nnone\nkey: {}\n"), @r#"
    error: `mark` takes keys, as in `x`, `ctrl-d`, `F5` or `]e`, not `a b c`
     --> keys.yaml:3:9
      |
    3 |   mark: a b c
      |         ^^^^^
      |
      = help: at most two keys, one after the other

    error: `start` takes keys, as in `x`, `ctrl-d`, `F5` or `]e`, not ``
     --> keys.yaml:4:10
      |
    4 |   start: ""
      |          ^^
      |
      = help: write its keys, or `none` for none at all

    error: `quit` takes keys, as in `x`, `ctrl-d`, `F5` or `]e`, not `nnone`
     --> keys.yaml:5:9
      |
    5 |   quit: nnone
      |         ^^^^^
      |
      = help: did you mean `none`?

    error: unknown key `key` in the file
     --> keys.yaml:6:1
      |
    6 | key: {}
      | ^^^
      |
      = help: did you mean `keys`?
    "#);
}

#[test]
fn keys_that_could_mean_two_things_are_told_with_both() {
    insta::assert_snapshot!(check(
        "name: keys\nkeys:\n  stop: [q, z]\n  mark: m\n  start: [s, m]\n  log-follow: \"]\"\n  next-error: [\"n\", zz]\n"
    ), @r#"
    error: `q` would do both `quit` and `stop`
     --> keys.yaml:3:10
      |
    3 |   stop: [q, z]
      |          ^
      |
      = help: this is a default of `quit`: give `quit` other keys, or choose others here

    error: `m` would do both `mark` and `start`
     --> keys.yaml:5:14
      |
    5 |   start: [s, m]
      |              ^
      |
     ::: keys.yaml:4:9
      |
    4 |   mark: m
      |         - and here
      |
      = help: change one of them

    error: `z` of `stop` begins `zz` of `next-error`, which could never be typed
     --> keys.yaml:7:21
      |
    7 |   next-error: ["n", zz]
      |                     ^^
      |
     ::: keys.yaml:3:13
      |
    3 |   stop: [q, z]
      |             - and here
      |
      = help: change one of them
    "#);
    insta::assert_snapshot!(check("name: keys\nkeys:\n  quit: none\n"), @r"
    error: `quit` is left without keys
     --> keys.yaml:3:3
      |
    3 |   quit: none
      |   ^^^^
      |
      = help: without `quit` nobody could go on or leave: give it a key
    ");
    insta::assert_snapshot!(check("name: keys\nkeys:\n  mark: [g, gg]\n  log-follow: x\n"), @r"
    error: `g` of `mark` begins `gg` of `mark`, which could never be typed
     --> keys.yaml:3:13
      |
    3 |   mark: [g, gg]
      |             ^^
      |
     ::: keys.yaml:3:10
      |
    3 |   mark: [g, gg]
      |          - and here
      |
      = help: change one of them

    error: `x` would do both `stop` and `log-follow`
     --> keys.yaml:4:15
      |
    4 |   log-follow: x
      |               ^
      |
      = help: this is a default of `stop`: give `stop` other keys, or choose others here
    ");
}

#[test]
fn a_file_is_read_or_the_defaults_stay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let (map, problems, source) = load(&path, &TABLE);
    assert!(problems.is_empty() && source.is_none());
    assert_eq!(map, Some(Keymap::defaults(&TABLE).unwrap()));
    std::fs::write(&path, "name: keys\nkeys: { mark: m }\n").unwrap();
    let (map, problems, source) = load(&path, &TABLE);
    let typed: Chord = "m".parse().unwrap();
    assert!(problems.is_empty() && source.is_some());
    assert_eq!(map.unwrap().lookup(LIST, &[typed]), Lookup::Action(2));
    std::fs::write(&path, "name: keys\nkeys: { mark: q }\n").unwrap();
    let (map, problems, source) = load(&path, &TABLE);
    assert_eq!((map, problems.errors(), source.is_some()), (None, 1, true));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let (map, problems, _) = load(&path, &TABLE);
    assert_eq!(map, None);
    assert_eq!(problems.list()[0].message, "not a regular file but a directory");
    // A table that contradicts itself is told, not hidden.
    let table = [TABLE[0], action("x", LIST, &["q"])];
    let (map, problems, _) = load(&dir.path().join("none"), &table);
    assert_eq!(map, None);
    assert_eq!(
        problems.list()[0].message,
        "the keys that are built in cannot be used: `q` would do both `quit` and `x`"
    );
}
