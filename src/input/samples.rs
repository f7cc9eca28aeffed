//! The sample workspace, compiled in, so that an installed binary needs no checkout. Never read at run time from anywhere.

/// One file of the sample workspace.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// Its path in the workspace, with `/`.
    pub path: &'static str,
    /// Its content.
    pub content: &'static [u8],
}

impl Sample {
    /// Whether it is a program: a script below `diags/`.
    pub fn is_program(&self) -> bool {
        self.path.starts_with("diags/") && self.content.starts_with(b"#!")
    }
}

include!(concat!(env!("OUT_DIR"), "/samples.rs"));

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;

    use super::*;

    /// Every file of the sample workspace as it lies in the checkout.
    fn in_checkout(root: &Path, folder: &str, found: &mut Vec<String>) {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { return };
        for entry in entries {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                in_checkout(root, &path, found);
            } else if !path.ends_with('~') && !path.contains("/.") {
                found.push(path);
            }
        }
    }

    #[test]
    fn no_file_is_forgotten_and_none_has_changed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut expected = vec![];
        for folder in ["adapters", "diags", "docs/schemas", "flows", "margins", "policy", "templates", "ui-themes"] {
            in_checkout(root, folder, &mut expected);
        }
        expected.sort();
        let held: Vec<&str> = SAMPLES.iter().map(|sample| sample.path).collect();
        assert_eq!(held, expected, "a new folder: touch build.rs; a forgotten one: add it to FOLDERS there");
        for sample in SAMPLES {
            let path = root.join(sample.path);
            assert!(fs::read(&path).unwrap() == sample.content, "{}", sample.path);
            let may_run = fs::metadata(&path).unwrap().permissions().mode() & 0o111 != 0;
            assert_eq!(sample.is_program(), may_run, "{}", sample.path);
        }
        assert!(held.contains(&"flows/sample_flow.yaml") && held.contains(&"policy/profiles/virtual-machine.yaml"));
    }
}
