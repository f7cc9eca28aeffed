//! What tests of the pages in `docs/` share: a file of the checkout, and the examples in it.

use std::fs;
use std::path::Path;

/// A file of the checkout.
pub fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The fenced blocks of a page in this language.
pub fn blocks(page: &str, language: &str) -> Vec<String> {
    let page = read(page);
    let fenced = page.split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n').map(str::to_owned)).collect()
}
