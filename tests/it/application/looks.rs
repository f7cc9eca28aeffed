//! What the user's own settings, the command line and the environment make of the application: keys, colours, characters,
//! and whether it opens at all.

use regex::bytes::Regex;

use super::bench::Rig;

/// The user's own keys.
fn keys(rig: &Rig, text: &str) {
    let folder = rig.home().join(".config/road_runner");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("keys.yaml"), text).unwrap();
}

#[test]
fn the_users_keys_are_the_keys() {
    let rig = Rig::new();
    keys(&rig, "name: keys\nkeys: { quit: Q, zoom: F2 }\n");
    let mut terminal = rig.open(&[], (200, 40));
    terminal.wait_text("3 points, 3 exec");
    terminal.wait_text("Q quit");
    terminal.wait_text("F2 zoom");
    terminal.press("qz");
    terminal.press("\x1bOQ");
    terminal.wait_gone("2 Margins");
    terminal.press("\x1bOQ");
    terminal.wait_text("2 Margins");
    terminal.press("Q");
    assert_eq!(terminal.left(), 0);
}

#[test]
fn keys_that_cannot_be_are_told_with_file_and_line() {
    let rig = Rig::new();
    keys(&rig, "name: keys\nkeys:\n  quit: Q\n  zoom: Q\n");
    let mut terminal = rig.open(&[], (120, 36));
    terminal.wait_text("Your keys are not used");
    terminal.wait_text(".config/road_runner/keys.yaml:4:");
    terminal.press("\x1b");
    terminal.wait_gone("Your keys are not used");
    // The shipped ones are.
    terminal.press("q");
    assert_eq!(terminal.left(), 0);
}

/// Whether bytes of a terminal ask for a colour: a foreground or a background, of any palette.
fn coloured(raw: &[u8]) -> bool {
    let graphics = Regex::new(r"\x1b\[([0-9;:]*)m").unwrap();
    graphics.captures_iter(raw).any(|found| {
        let parameters = String::from_utf8_lossy(&found[1]).into_owned();
        parameters.split([';', ':']).any(|one| matches!(one.parse(), Ok(30..=38 | 40..=48 | 90..=107)))
    })
}

#[test]
fn without_colours_there_is_not_one() {
    let rig = Rig::new();
    rig.leave("fails");
    for (more, arguments, expected) in [
        (&[("NO_COLOR", "1")][..], &[][..], false),
        (&[], &["--color", "never"], false),
        (&[], &[], true),
        (&[("COLORTERM", "truecolor")], &["--theme", "dark"], true),
    ] {
        let mut terminal = rig.open_with(arguments, (120, 36), more);
        terminal.wait_text("3 points, 3 exec");
        terminal.press("?");
        terminal.wait_text("Show every key");
        terminal.press("\x1b");
        terminal.wait_gone("Show every key");
        terminal.press("S");
        terminal.wait_text("CONFIRM HARDWARE MARGINS");
        terminal.wait_typed_ahead();
        terminal.press("n");
        terminal.wait_text("declined");
        // What is chosen is told all the same.
        terminal.wait_for("something in reverse, bold or underlined", |screen| {
            let (rows, columns) = screen.size();
            let cells = (0..rows.get()).flat_map(|row| (0..columns.get()).map(move |column| (row, column)));
            cells.filter_map(|(row, column)| screen.cell(row, column)).any(|cell| cell.inverse() || cell.bold())
        });
        terminal.press("q");
        assert_eq!(terminal.left(), 0);
        assert_eq!(coloured(&terminal.raw()), expected, "{more:?} {arguments:?}");
    }
}

#[test]
fn where_only_ascii_is_wanted_there_is_nothing_else() {
    let rig = Rig::new();
    for (arguments, more) in [(&["--ascii"][..], &[][..]), (&[], &[("LC_ALL", "C")])] {
        let mut terminal = rig.open_with(arguments, (120, 36), more);
        for (key, wanted) in
            [("", "3 points, 3 exec"), ("?", "+= Keys"), ("\x1b", "+= 1 Flows"), ("S", "+= CONFIRM HARDWARE MARGINS")]
        {
            terminal.press(key);
            terminal.wait_text(wanted);
            let shown = terminal.shown();
            assert!(shown.is_ascii(), "{shown}");
        }
        terminal.wait_typed_ahead();
        terminal.press("n");
        terminal.wait_text("declined");
        terminal.press("q");
        assert_eq!(terminal.left(), 0);
        assert!(terminal.raw().is_ascii());
    }
}

#[test]
fn where_it_cannot_be_drawn_there_are_lines() {
    let rig = Rig::new();
    let piped = rig.told("");
    assert_eq!(piped.code, 0);
    assert!(piped.stdout.contains("smoke") && !piped.stdout.contains('\x1b'), "{}", piped.stdout);
    for (arguments, more) in [(&[][..], &[("TERM", "dumb")][..]), (&["--no-tui"], &[]), (&["-q"], &[])] {
        let terminal = rig.open_with(arguments, (120, 36), more);
        assert_eq!(terminal.left(), 0);
        let raw = String::from_utf8(terminal.raw()).unwrap();
        assert!(raw.contains("smoke") && !raw.contains("\x1b[?"), "{arguments:?} {more:?}: {raw}");
    }
}
