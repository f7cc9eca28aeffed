//! What themes make of one another: which replaces which, what a child says over its parent, and what each mistake gets.
//! Folders in, the report that people would see out.

use super::*;
use crate::input::render::render;

/// A workspace's themes and a user's own, as file and text; the paths of the user's are shown from `user/`.
fn check(workspace: &[(&str, &str)], user: &[(&str, &str)]) -> Themes {
    let dir = tempfile::tempdir().unwrap();
    let write = |folder: &Path, files: &[(&str, &str)]| {
        std::fs::create_dir_all(folder).unwrap();
        for (file, text) in files {
            std::fs::write(folder.join(file), text).unwrap();
        }
    };
    write(&dir.path().join(FOLDER), workspace);
    write(&dir.path().join("user"), user);
    Themes::read(dir.path(), Some(&dir.path().join("user")))
}

/// The report on all of them; what lies in the temporary folder is shown from there.
fn report(themes: &Themes) -> String {
    let text = render(&themes.problems(), &themes.sources(), false);
    let user = themes.entries.iter().find(|entry| entry.origin == Origin::User);
    match user.and_then(|entry| Path::new(&*entry.file).parent()?.parent()) {
        Some(dir) => text.replace(&dir.display().to_string(), "DIR"),
        None => text,
    }
}

fn paint(themes: &Themes, name: &str, slot: Slot) -> Paint {
    themes.find(name).unwrap().theme.as_ref().unwrap_or_else(|| panic!("{}", report(themes))).paint(slot)
}

#[test]
fn a_later_origin_replaces_and_the_rest_stays() {
    let red = "name: dark\nstyles: { text: { fg: red } }\n";
    let blue = "name: dark\nstyles: { text: { fg: blue } }\n";
    let own = "name: zebra\ninherits: light\n";
    let origins = |themes: &Themes| {
        let origin = |entry: &ThemeEntry| format!("{} {}", entry.name, entry.origin.as_str());
        themes.entries.iter().map(origin).collect::<Vec<_>>()
    };
    let shipped = ["colour-blind-safe", "dark", "default", "high-contrast", "light"];
    let none = check(&[], &[]);
    assert_eq!(origins(&none), shipped.map(|name| format!("{name} built-in")));
    let one = check(&[("dark.yaml", red)], &[]);
    assert_eq!(paint(&one, "dark", Slot::Text).fg, Some(Colour::Ansi(1)));
    // What is below builds on what is below: a workspace's `dark` changes nothing of the shipped `light`.
    assert_eq!(paint(&one, "light", Slot::Text), paint(&none, "light", Slot::Text));
    let both = check(&[("dark.yaml", red)], &[("dark.yaml", blue), ("zebra.yaml", own)]);
    assert_eq!(paint(&both, "dark", Slot::Text).fg, Some(Colour::Ansi(4)));
    assert_eq!(paint(&both, "zebra", Slot::Key), paint(&none, "light", Slot::Key));
    assert_eq!(origins(&both)[1..3], ["dark user".to_owned(), "default built-in".to_owned()]);
    assert_eq!(origins(&both)[5], "zebra user");
    assert_eq!(report(&both), "");
}

#[test]
fn a_child_says_over_its_parent_key_by_key() {
    let parent = "name: parent\nground: dark\npalette: { red: \"#ff0000\", base: black }\n\
                  styles:\n  text: { fg: white, bg: base }\n  error: { fg: red, bold: true, underline: true }\n";
    let child = "name: child\ninherits: parent\npalette: { red: \"#00ff00\" }\n\
                 styles:\n  error: { bold: false }\n  good: { fg: base }\n";
    let themes = check(&[("parent.yaml", parent), ("child.yaml", child)], &[]);
    assert_eq!(report(&themes), "");
    let error = Paint { fg: Some(Colour::Rgb(255, 0, 0)), bold: true, underline: true, ..Paint::default() };
    assert_eq!(paint(&themes, "parent", Slot::Error), error);
    // The parent's style in the child's colours.
    let error = Paint { fg: Some(Colour::Rgb(0, 255, 0)), bold: false, ..error };
    assert_eq!(paint(&themes, "child", Slot::Error), error);
    assert_eq!(paint(&themes, "child", Slot::Good).fg, Some(Colour::Ansi(0)));
    assert_eq!(themes.find("child").unwrap().theme.as_ref().unwrap().ground, Ground::Dark);
    // What nobody paints is text.
    let text = Paint { fg: Some(Colour::Ansi(7)), bg: Some(Colour::Ansi(0)), ..Paint::default() };
    assert_eq!((paint(&themes, "child", Slot::Text), paint(&themes, "child", Slot::Warning)), (text, text));
}

#[test]
fn a_theme_may_build_on_the_one_it_replaces() {
    let themes = check(
        &[("dark.yaml", "name: dark\ninherits: dark\nstyles: { dim: { italic: true } }\n")],
        &[("dark.yaml", "name: dark\ninherits: dark\nstyles: { dim: { underline: true } }\n")],
    );
    assert_eq!(report(&themes), "");
    let shipped = Themes::shipped("dark").unwrap().paint(Slot::Dim);
    assert_eq!(paint(&themes, "dark", Slot::Dim), Paint { italic: true, underline: true, ..shipped });
}

#[test]
fn a_broken_theme_takes_down_what_builds_on_it_and_no_more() {
    let themes = check(
        &[
            ("a.yaml", "name: a\ninherits: b\n"),
            ("b.yaml", "name: b\ninherits: c\n"),
            ("c.yaml", "name: c\ninherits: a\n"),
            ("d.yaml", "name: d\ninherits: d\n"),
            ("dark.yaml", "name: dark\nstyles: [\n"),
            ("e.yaml", "name: e\ninherits: drak\n"),
            ("f.yaml", "name: f\ninherits: dark\n"),
            (
                "g.yaml",
                "name: g\npalette: { rouge: red }\nstyles: { text: { fg: roug, bg: ultraviolet }, dim: { fg: e06c75 } }\n",
            ),
            ("h.yaml", "name: h\ninherits: light\npalette: { bda: red, ink: black }\n"),
            ("i.yaml", "name: i\nstyles: { text: { fg: rde } }\n"),
        ],
        &[
            ("g.yaml", "name: g\ninherits: zzzzzz\n"),
            ("twin.yaml", "name: twin\nstyles: {}\n"),
            ("twin.yml", "name: twin\nstyles: {}\n"),
        ],
    );
    let sound: Vec<&str> = themes.entries.iter().filter(|e| e.theme.is_some()).map(|e| e.name.as_str()).collect();
    assert_eq!(sound, ["colour-blind-safe", "default", "h", "high-contrast", "light"]);
    insta::assert_snapshot!(report(&themes), @r"
    error: there is no theme `zzzzzz` to build on
     --> DIR/user/g.yaml:2:11
      |
    2 | inherits: zzzzzz
      |           ^^^^^^
      |
      = help: themes: `a`, `b`, `c`, `colour-blind-safe`, `d`, `dark`, `default`, `e`, `f`, `h`, `high-contrast`, `i`, …

    error: two themes are named `twin`
     --> DIR/user/twin.yaml:1:7
      |
    1 | name: twin
      |       ^^^^
      |
     ::: DIR/user/twin.yml:1:7
      |
    1 | name: twin
      |       ---- the other
      |
      = help: rename one

    error: two themes are named `twin`
     --> DIR/user/twin.yml:1:7
      |
    1 | name: twin
      |       ^^^^
      |
     ::: DIR/user/twin.yaml:1:7
      |
    1 | name: twin
      |       ---- the other
      |
      = help: rename one

    error: themes build on one another in a circle: `a`, `b`, `c`, `a`
     --> ui-themes/a.yaml:2:11
      |
    2 | inherits: b
      |           ^
      |
      = help: take one `inherits` out

    error: themes build on one another in a circle: `b`, `c`, `a`, `b`
     --> ui-themes/b.yaml:2:11
      |
    2 | inherits: c
      |           ^
      |
      = help: take one `inherits` out

    error: themes build on one another in a circle: `c`, `a`, `b`, `c`
     --> ui-themes/c.yaml:2:11
      |
    2 | inherits: a
      |           ^
      |
      = help: take one `inherits` out

    error: there is no other theme `d` to build on
     --> ui-themes/d.yaml:2:11
      |
    2 | inherits: d
      |           ^
      |
      = help: themes: `a`, `b`, `c`, `colour-blind-safe`, `dark`, `default`, `e`, `f`, `g`, `h`, `high-contrast`, `i`, …

    error: unclosed bracket '['
     --> ui-themes/dark.yaml:2:9
      |
    2 | styles: [
      |         ^

    error: there is no theme `drak` to build on
     --> ui-themes/e.yaml:2:11
      |
    2 | inherits: drak
      |           ^^^^
      |
      = help: did you mean `dark`?

    error: the theme `dark` has errors
     --> ui-themes/f.yaml:2:11
      |
    2 | inherits: dark
      |           ^^^^
      |
      = help: see ui-themes/dark.yaml:2:9: unclosed bracket '['

    warning: nothing is painted with `bda`
     --> ui-themes/h.yaml:3:17
      |
    3 | palette: { bda: red, ink: black }
      |                 ^^^
      |
      = help: did you mean `bad`?

    error: no colour `rde`
     --> ui-themes/i.yaml:2:23
      |
    2 | styles: { text: { fg: rde } }
      |                       ^^^
      |
      = help: did you mean `red`?
    ");
    assert_eq!(themes.near_or_all("lihgt"), "did you mean `light`?");
}

#[test]
fn a_long_chain_ends_in_an_error() {
    let files: Vec<(String, String)> = (0..40)
        .map(|at| {
            (
                format!("t{at:02}.yaml"),
                format!(
                    "name: t{at:02}\ninherits: {}\n",
                    if at == 39 { "dark".to_owned() } else { format!("t{:02}", at + 1) }
                ),
            )
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (file.as_str(), text.as_str())).collect();
    let themes = check(&files, &[]);
    let sound = themes.entries.iter().filter(|entry| entry.name.starts_with('t') && entry.theme.is_some()).count();
    // The shipped one is the deepest.
    assert_eq!(sound, DEEPEST - 1);
}

#[test]
fn folders_that_are_none_and_links() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at(FOLDER), "x").unwrap();
    std::fs::create_dir(at("user")).unwrap();
    std::fs::write(at("mine.yaml"), "name: mine\nstyles: {}\n").unwrap();
    std::os::unix::fs::symlink(at("mine.yaml"), at("user/mine.yaml")).unwrap();
    let themes = Themes::read(dir.path(), Some(&at("user")));
    assert!(themes.find("mine").is_some_and(|entry| entry.theme.is_some() && entry.origin == Origin::User));
    insta::assert_snapshot!(report(&themes), @r"
    error: cannot list the folder: Not a directory (os error 20)
    --> ui-themes
    ");
    assert_eq!(Themes::read(&at("nowhere"), None).entries.len(), 5);
}
