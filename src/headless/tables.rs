//! Columns of text for a terminal. Sanitises every cell; never truncates: a pipe may want all of it.

use unicode_width::UnicodeWidthStr as _;

use crate::domain::sanitize;

/// Rows of cells under a heading.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Vec<Vec<String>>,
    indent: usize,
}

/// Blanks between two columns.
const GAP: usize = 2;

impl Table {
    /// With these headings.
    pub fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|h| (*h).to_owned()).collect()], indent: 0 }
    }

    /// Without any heading, every line begun by so many blanks.
    pub const fn indented(indent: usize) -> Self {
        Self { rows: vec![], indent }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl AsRef<str>>) {
        self.rows.push(cells.into_iter().map(|cell| sanitize::escaped(cell.as_ref()).into_owned()).collect());
    }

    /// The table as text: each column as wide as its widest cell, no blanks at the end of a line.
    pub fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |column: usize| self.rows.iter().filter_map(|r| r.get(column)).map(|c| c.width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut out = String::new();
        for row in &self.rows {
            let mut line = " ".repeat(self.indent);
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.push_str(&" ".repeat(width - cell.width() + GAP));
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let mut table = Table::new(&["NAME", "WHAT", ""]);
        table.row(["漢字", "wide", "x"]);
        table.row(["a\u{1b}[2J\u{202e}", "hostile", ""]);
        table.row(["short", ""]);
        insta::assert_snapshot!(table.text(), @r"
        NAME                WHAT
        漢字                wide     x
        a\u{1b}[2J\u{202e}  hostile
        short
        ");
    }
}
