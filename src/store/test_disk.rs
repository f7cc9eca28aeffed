//! For tests: a file system so small that it fills up. Only root can mount one; others skip, and say so.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// Says what is passed over and why, or fails where `ROAD_RUNNER_REQUIRE_TOOLS=1` asks for everything.
pub(crate) fn skipped(why: &str) {
    let required = std::env::var_os("ROAD_RUNNER_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(!required, "{why}, and ROAD_RUNNER_REQUIRE_TOOLS asks for it");
    eprintln!("skipped: {why}");
}

/// A mounted tmpfs of 64 KiB, taken away on drop.
pub(crate) struct TinyDisk {
    folder: TempDir,
}

impl TinyDisk {
    /// `None`, with a word on stderr, where mounting is not allowed.
    pub(crate) fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().ok()?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            skipped("no right to mount a tmpfs");
            return None;
        }
        Some(Self { folder })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg(self.folder.path()).output());
    }
}
