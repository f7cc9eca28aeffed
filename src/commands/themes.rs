//! Themes of the full-screen application: the list, and the one that was asked for. Never draws with any.

use serde::Serialize;

use crate::commands::context::Context;
use crate::commands::failure::Failure;
use crate::commands::inspect::Listing;
use crate::domain::theme::Theme;
use crate::input::problem::quote;
use crate::input::themes::{FOLDER, ThemeEntry, Themes};

/// A theme in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ThemeRow {
    /// Its name, or its file's stem where it cannot be read.
    pub name: String,
    /// One line for people.
    pub description: Option<String>,
    /// For which ground it is made: `terminal`, `dark` or `light`.
    pub ground: Option<&'static str>,
    /// Whose it is: `built-in`, `workspace` or `user`.
    pub origin: &'static str,
    /// The file, as shown.
    pub file: String,
    /// Errors in its file or in one that it builds on; with any it cannot be used.
    pub errors: usize,
}

impl From<&ThemeEntry> for ThemeRow {
    fn from(entry: &ThemeEntry) -> Self {
        let theme = entry.theme.as_ref();
        Self {
            name: entry.name.clone(),
            description: theme.and_then(|theme| theme.description.clone()),
            ground: theme.map(|theme| theme.ground.as_str()),
            origin: entry.origin.as_str(),
            file: entry.file.to_string(),
            errors: entry.problems.errors(),
        }
    }
}

/// Every theme there is: those compiled in, the workspace's, the user's own.
pub fn all(context: &Context) -> Themes {
    Themes::read(&context.workspace, context.config.as_ref().map(|config| config.join(FOLDER)).as_deref())
}

/// A row for each, by name.
pub fn list(context: &Context) -> Listing<ThemeRow> {
    let themes = all(context);
    let rows = themes.entries.iter().map(ThemeRow::from).collect();
    Listing { rows, problems: themes.problems(), sources: themes.sources() }
}

/// The theme of that name. Errors: there is none, or it is broken (2).
pub fn find(context: &Context, name: &str) -> Result<Theme, Failure> {
    let themes = all(context);
    let Some(entry) = themes.find(name) else {
        return Err(Failure::usage(format!("no theme {}", quote(name))).hinted(themes.near_or_all(name)));
    };
    entry.theme.clone().ok_or_else(|| Failure::input(entry.problems.clone(), themes.sources()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::context::Given;
    use crate::domain::theme::{Colour, Slot};
    use crate::input::render::render;

    #[test]
    fn a_theme_is_found_by_name_or_the_reason_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("ws/flows/x", "");
        write("ws/adapters/x", "");
        write("ws/ui-themes/broken.yaml", "name: broken\ninherits: drak\n");
        write("home/.config/road_runner/ui-themes/mine.yaml", "name: mine\nstyles: { text: { fg: green } }\n");
        let context = Context::find(Given {
            current: dir.path().join("ws"),
            home: Some(dir.path().join("home").display().to_string()),
            ..Given::default()
        })
        .unwrap();
        let check = |name: &str| match find(&context, name) {
            Ok(theme) => format!("{} {:?}", theme.name, theme.paint(Slot::Text).fg),
            Err(failure) => {
                assert_eq!(failure.exit_code(), 2);
                let report = render(&failure.problems, &failure.sources, false);
                [failure.message, failure.hint.unwrap_or_default(), report].concat()
            }
        };
        assert_eq!(check("mine"), format!("mine {:?}", Some(Colour::Ansi(2))));
        assert_eq!(check("light"), format!("light {:?}", Some(Colour::Rgb(0x24, 0x29, 0x2f))));
        insta::assert_snapshot!(check("lihgt"), @"no theme `lihgt`did you mean `light`?");
        insta::assert_snapshot!(check("broken"), @r"
        error: there is no theme `drak` to build on
         --> ui-themes/broken.yaml:2:11
          |
        2 | inherits: drak
          |           ^^^^
          |
          = help: did you mean `dark`?
        ");
        let rows = list(&context).rows;
        let rows: Vec<String> = rows.iter().map(|r| format!("{} {} {}", r.name, r.origin, r.errors)).collect();
        assert_eq!(rows[0], "broken workspace 1");
        assert!(rows.contains(&"mine user 0".to_owned()) && rows.contains(&"dark built-in 0".to_owned()), "{rows:?}");
    }
}
