//! Lists the files of the sample workspace for `input::samples`, which compiles them in. Generates nothing else.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// What `road_runner init` writes. A folder that does not exist yet is passed over.
const FOLDERS: [&str; 8] =
    ["adapters", "diags", "docs/schemas", "flows", "margins", "policy", "templates", "ui-themes"];

fn main() -> io::Result<()> {
    let variable = |key: &str| env::var_os(key).map(PathBuf::from).ok_or_else(|| io::Error::other(format!("no {key}")));
    let root = variable("CARGO_MANIFEST_DIR")?;
    let mut paths = Vec::new();
    for folder in FOLDERS {
        // Only what exists: a path that does not would have this run at every build.
        if root.join(folder).is_dir() {
            println!("cargo::rerun-if-changed={folder}");
            collect(&root, folder, &mut paths)?;
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.toml");
    paths.sort();
    let mut code = String::from("/// Every file, in the order of paths.\npub const SAMPLES: &[Sample] = &[\n");
    for path in &paths {
        let file = root.join(path).display().to_string();
        let _ = writeln!(code, "    Sample {{ path: {path:?}, content: include_bytes!({file:?}) }},");
    }
    code.push_str("];\n");
    fs::write(variable("OUT_DIR")?.join("samples.rs"), code)
}

/// The files of a folder and of those in it; without what editors leave.
fn collect(root: &Path, folder: &str, paths: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| io::Error::other(format!("{folder} has a name that is not UTF-8")))?;
        let path = format!("{folder}/{name}");
        if entry.file_type()?.is_dir() {
            collect(root, &path, paths)?;
        } else if !name.starts_with('.') && !name.ends_with('~') {
            paths.push(path);
        }
    }
    Ok(())
}
