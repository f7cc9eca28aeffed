//! Themes as written: what is read and what each mistake gets. Texts in, the report that people would see out; never
//! files.

use super::*;
use crate::input::testing;

fn check(text: &str) -> String {
    testing::report("ui-themes/x.yaml", text, read)
}

#[test]
fn what_is_written_is_read() {
    let theme = testing::sound(
        "name: x\ndescription: A theme.\ninherits: dark\nground: light\npalette: { red: \"#e06c75\", 7: '@208', a: bright-red }\n\
         styles:\n  text: { fg: red, bg: \"#1e2127\" }\n  cell.fail: { fg: default, bold: true, dim: false }\n  dim: {}\n",
        read,
    );
    assert_eq!(theme.inherits.as_ref().map(|name| name.value.as_str()), Some("dark"));
    assert_eq!((theme.description.as_deref(), theme.ground), (Some("A theme."), Some(Ground::Light)));
    let palette: Vec<String> =
        theme.palette.iter().map(|(name, colour)| format!("{name} {:?}", colour.value)).collect();
    assert_eq!(palette, ["7 Indexed(208)", "a Ansi(9)", "red Rgb(224, 108, 117)"]);
    let slots: Vec<Slot> = theme.styles.keys().copied().collect();
    assert_eq!(slots, [Slot::Text, Slot::Dim, Slot::CellFail]);
    assert_eq!(theme.styles[&Slot::Dim], SlotStyle::default());
    let fail = &theme.styles[&Slot::CellFail];
    assert_eq!((fail.bold, fail.dim, fail.italic), (Some(true), Some(false), None));
    let inks =
        [&theme.styles[&Slot::Text].fg, &theme.styles[&Slot::Text].bg, &fail.fg].map(|ink| ink.as_ref().unwrap());
    let inks = inks.map(|ink| (ink.name.as_ref().map(Name::as_str), ink.colour));
    let expected = [
        (Some("red"), Some(Colour::Ansi(1))),
        (None, Some(Colour::Rgb(0x1e, 0x21, 0x27))),
        (None, Some(Colour::Default)),
    ];
    assert_eq!(inks, expected);
}

#[test]
fn every_mistake_is_told_with_its_place() {
    insta::assert_snapshot!(check(
        "name: x\nground: drak\npalette:\n  red: #e06c75\n  blue: \"#e06c7\"\n  blue: \"#0000ff\"\n  default: red\n  \
         Grey: grey\n  green: ~\n  odd: e06c75\n  base: \"@256\"\n  list: [red]\nstyels: {}\nstyles:\n  cell.fial: { fg: red }\n  \
         text: { fg: Red, colour: red, bold: yes, bg: }\n  dim: red\n  dim: { fg: \"#12\" }\n  key: { fg: { red: 1 } }\n",
    ), @r##"
    error: `ground` takes one of `terminal`, `dark`, `light`, not `drak`
     --> ui-themes/x.yaml:2:9
      |
    2 | ground: drak
      |         ^^^^
      |
      = help: did you mean `dark`?

    error: `red` has nothing after it
     --> ui-themes/x.yaml:4:6
      |
    4 |   red: #e06c75
      |      ^
      |
      = help: behind ` #` all is comment: put it in quotes

    error: `blue` takes a colour, as in `"#e06c75"`, `"@208"`, `bright-red` or `default`, not `#e06c7`
     --> ui-themes/x.yaml:5:9
      |
    5 |   blue: "#e06c7"
      |         ^^^^^^^^
      |
      = help: behind `#` stand six digits, 0-9 and a-f, as in `"#e06c75"`

    error: the key `blue` stands twice
     --> ui-themes/x.yaml:6:3
      |
    6 |   blue: "#0000ff"
      |   ^^^^ again
      |
     ::: ui-themes/x.yaml:5:3
      |
    5 |   blue: "#e06c7"
      |   ---- first here

    error: `default` is always the terminal's own colour
     --> ui-themes/x.yaml:7:3
      |
    7 |   default: red
      |   ^^^^^^^
      |
      = help: give it another name

    error: a colour of the palette is `Grey`: a name is 1 to 64 of a-z, 0-9, `_` and `-`, and begins with a letter or digit
     --> ui-themes/x.yaml:8:3
      |
    8 |   Grey: grey
      |   ^^^^
      |
      = help: `grey` would be one

    error: `Grey` takes a colour, as in `"#e06c75"`, `"@208"`, `bright-red` or `default`, not `grey`
     --> ui-themes/x.yaml:8:9
      |
    8 |   Grey: grey
      |         ^^^^

    error: `green` has nothing after it
     --> ui-themes/x.yaml:9:10
      |
    9 |   green: ~
      |          ^
      |
      = help: write a value, or take the key out

    error: `odd` takes a colour, as in `"#e06c75"`, `"@208"`, `bright-red` or `default`, not `e06c75`
      --> ui-themes/x.yaml:10:8
       |
    10 |   odd: e06c75
       |        ^^^^^^
       |
       = help: write `"#e06c75"`

    error: `base` takes a colour, as in `"#e06c75"`, `"@208"`, `bright-red` or `default`, not `@256`
      --> ui-themes/x.yaml:11:9
       |
    11 |   base: "@256"
       |         ^^^^^^
       |
       = help: behind `@` stands a number from 0 to 255, as in `"@208"`

    error: `list` takes a colour, as in `"#e06c75"`, `"@208"`, `bright-red` or `default`
      --> ui-themes/x.yaml:12:9
       |
    12 |   list: [red]
       |         ^^^^^ this is a list

    error: unknown key `styels` in the theme
      --> ui-themes/x.yaml:13:1
       |
    13 | styels: {}
       | ^^^^^^
       |
       = help: did you mean `styles`?

    error: unknown key `cell.fial` in `styles`
      --> ui-themes/x.yaml:15:3
       |
    15 |   cell.fial: { fg: red }
       |   ^^^^^^^^^
       |
       = help: did you mean `cell.fail`?

    error: `fg` takes a colour, as in `"#e06c75"`, `"@208"`, `bright-red` or `default`, or a name of the palette, not `Red`
      --> ui-themes/x.yaml:16:15
       |
    16 |   text: { fg: Red, colour: red, bold: yes, bg: }
       |               ^^^
       |
       = help: did you mean `red`?

    error: unknown key `colour` in the style of `text`
      --> ui-themes/x.yaml:16:20
       |
    16 |   text: { fg: Red, colour: red, bold: yes, bg: }
       |                    ^^^^^^
       |
       = help: keys here: `fg`, `bg`, `bold`, `dim`, `italic`, `underline`, `reverse`

    error: `bold` takes `true` or `false`, not `yes`
      --> ui-themes/x.yaml:16:39
       |
    16 |   text: { fg: Red, colour: red, bold: yes, bg: }
       |                                       ^^^
       |
       = help: write `true`

    error: `bg` has nothing after it
      --> ui-themes/x.yaml:16:44
       |
    16 |   text: { fg: Red, colour: red, bold: yes, bg: }
       |                                            ^^
       |
       = help: write a value, or take the key out

    error: the style of `dim` takes a map of `fg`, `bg`, `bold`, `dim`, `italic`, `underline`, `reverse`
      --> ui-themes/x.yaml:17:8
       |
    17 |   dim: red
       |        ^^^ not this

    error: the key `dim` stands twice
      --> ui-themes/x.yaml:18:3
       |
    18 |   dim: { fg: "#12" }
       |   ^^^ again
       |
      ::: ui-themes/x.yaml:17:3
       |
    17 |   dim: red
       |   --- first here

    error: `fg` takes a colour, as in `"#e06c75"`, `"@208"`, `bright-red` or `default`, or a name of the palette
      --> ui-themes/x.yaml:19:14
       |
    19 |   key: { fg: { red: 1 } }
       |              ^^^^^^^^^^ this is a map
    "##);
    insta::assert_snapshot!(check("name: x\npalette: { a: red }\n"), @r"
    error: the theme paints nothing
     --> ui-themes/x.yaml:1:1
      |
    1 | name: x
      | ^^^^
      |
      = help: write `styles`, or `inherits` with the name of another theme
    ");
    insta::assert_snapshot!(check("name: x\nstyles: { text: { fg: @208 } }\n"), @r"
    error: unexpected character: `@'
     --> ui-themes/x.yaml:2:23
      |
    2 | styles: { text: { fg: @208 } }
      |                       ^
      |
      = help: put what begins with `@` in quotes
    ");
    insta::assert_snapshot!(check("name: x\nstyles:\n  text: { fg: #e06c75 }\n"), @r"
    error: unclosed bracket '{'
     --> ui-themes/x.yaml:3:9
      |
    3 |   text: { fg: #e06c75 }
      |         ^
      |
      = help: behind ` #` all is comment: put it in quotes
    ");
}
