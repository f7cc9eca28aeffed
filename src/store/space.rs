//! How much room a file system has left. Only asks; never frees or reserves anything.

use std::path::Path;

use super::StoreError;

/// Room on the file system that holds a path, for an unprivileged writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that may still be written.
    pub free_bytes: u64,
    /// Bytes of the whole file system.
    pub total_bytes: u64,
    /// Files that may still be created; `None` where the file system does not count them.
    pub free_files: Option<u64>,
}

/// Room at `path`, from `statvfs`. The path must exist.
pub fn at(path: &Path) -> Result<Space, StoreError> {
    let answer = rustix::fs::statvfs(path).map_err(StoreError::io("ask the free space of", path))?;
    Ok(Space {
        free_bytes: answer.f_bavail.saturating_mul(answer.f_frsize),
        total_bytes: answer.f_blocks.saturating_mul(answer.f_frsize),
        free_files: (answer.f_files > 0).then_some(answer.f_favail),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_folder_has_less_free_than_total() {
        let folder = tempfile::tempdir().unwrap();
        let space = at(folder.path()).unwrap();
        assert!(space.total_bytes > 0 && space.free_bytes <= space.total_bytes, "{space:?}");
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let error = at(Path::new("/no/such/folder")).unwrap_err();
        assert!(error.is_absent());
        assert_eq!(error.to_string(), "ask the free space of /no/such/folder: No such file or directory");
    }
}
