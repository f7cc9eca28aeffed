//! `docs/keys.md`, made from the table of actions: what the documentation says of keys is what the program does.

use std::fmt::Write as _;

use crate::tui::actions::{DIALOG_KEYS, Pane, Row, TABLE};

/// Every pane: an action that works in all of them is a key of everywhere.
fn everywhere() -> u16 {
    Pane::ALL.into_iter().map(Pane::place).fold(0, |all, place| all | place)
}

fn places(row: &Row) -> String {
    if row.places == everywhere() {
        return "everywhere".to_owned();
    }
    let names: Vec<&str> = Pane::ALL.into_iter().filter(|p| row.places & p.place() != 0).map(Pane::title).collect();
    names.join(", ")
}

/// In a table of Markdown.
fn code(text: &str) -> String {
    let escaped = text.replace('|', "\\|");
    if text.contains('`') { format!("`` {escaped} ``") } else { format!("`{escaped}`") }
}

/// The page.
pub fn page() -> String {
    let mut out = String::from(
        "<!-- Made from the table of actions by `ROAD_RUNNER_BLESS=1 cargo test --lib key_page`; a test checks it. -->\n\
# Keys\n\n\
Every key of the full-screen application. `?` shows the same inside, filtered as you type; `:` finds an action by its\n\
name; the line at the bottom shows what works here and now. A key that cannot act says why.\n\n\
| keys | action | where | what it does |\n|---|---|---|---|\n",
    );
    for row in TABLE {
        let keys: Vec<String> = row.keys.iter().map(|keys| code(keys)).collect();
        let _ = writeln!(out, "| {} | {} | {} | {} |", keys.join(" "), code(row.name), places(row), row.help);
    }
    out.push_str("\n## In dialogs\n\nThese are not bound anew.\n\n| keys | what they do |\n|---|---|\n");
    for (keys, does) in DIALOG_KEYS {
        let _ = writeln!(out, "| {} | {does} |", code(keys));
    }
    out.push_str(
        "\n## Your own keys\n\n\
`$XDG_CONFIG_HOME/road_runner/keys.yaml`, else `~/.config/road_runner/keys.yaml`, gives actions other keys. What stands\n\
there takes the place of an action's own keys; `none` leaves it without. Two actions that would share a key in one\n\
place, an unknown action or a key that cannot be read are errors with their file, line and column, and then the keys\n\
above hold.\n\n\
```yaml\n\
# yaml-language-server: $schema=../../path/to/docs/schemas/keys.schema.json\n\
name: keys\n\
keys:\n\
\x20 stop: [x, ctrl-c]        # a list, or one\n\
\x20 follow: F\n\
\x20 next-stderr: \"]x\"        # two keys after each other\n\
\x20 mouse: none\n\
```\n\n\
A key is a character, or `Enter Esc Tab S-Tab Space Backspace Delete Insert Up Down Left Right Home End PgUp PgDn F1` and\n\
so on, with `ctrl-` or `alt-` before it.\n",
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keymap::Keymap;
    use crate::tui::actions::bindable;

    #[test]
    fn the_page_in_the_documentation_is_this_one() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/keys.md");
        if std::env::var_os("ROAD_RUNNER_BLESS").is_some() {
            std::fs::write(&path, page()).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(found == page(), "docs/keys.md is not what the table says: ROAD_RUNNER_BLESS=1 writes it");
    }

    #[test]
    fn the_shipped_keys_have_no_conflict_and_its_example_is_read() {
        let table = bindable();
        Keymap::defaults(&table).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.yaml");
        let page = page();
        let example = page.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
        std::fs::write(&file, example).unwrap();
        let (keymap, problems, _) = crate::input::keymap::load(&file, &table);
        assert!(problems.is_empty(), "{problems:?}");
        assert!(keymap.is_some());
    }
}
