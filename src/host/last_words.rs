//! What can still be found of a host that went down: how long this boot has lasted, what the kernel left in pstore, and the
//! kernel log of the boot before. Never takes what is missing for silence, never changes or removes anything.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use super::command::{self, CommandError, Limits};
use super::roots::{self, Roots};
use super::source::Source;

/// The most that is kept of one file of pstore, and of the kernel log, bytes.
const MOST_BYTES: u64 = 256 << 10;
/// The most files of pstore that are kept: firmware has room for few.
const MOST_FILES: usize = 64;
/// Lines of the kernel log of the boot before, the last ones.
const LINES: &str = "--lines=500";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWords {
    /// How long this boot has lasted, milliseconds.
    pub uptime_ms: Source<u64>,
    /// The files in pstore, by name: what the kernel could save when it died, perhaps of an earlier death.
    pub pstore: Source<Vec<(String, Vec<u8>)>>,
    /// The end of the kernel log of the boot before.
    pub kernel_log: Source<Vec<u8>>,
}

/// Looks for them. Takes as long as the system's journal needs to find one boot, at most five seconds.
pub fn gather(roots: &Roots) -> LastWords {
    LastWords {
        uptime_ms: Source::of("/proc/uptime", roots::uptime_ms(roots)),
        pstore: pstore(&roots.sys("fs/pstore")),
        kernel_log: kernel_log(roots),
    }
}

fn pstore(folder: &Path) -> Source<Vec<(String, Vec<u8>)>> {
    let read = || -> io::Result<Vec<(String, Vec<u8>)>> {
        let mut names: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
        names.sort();
        let mut found = vec![];
        for name in names.into_iter().take(MOST_FILES) {
            let path = folder.join(&name);
            if fs::symlink_metadata(&path)?.is_file() {
                let mut bytes = vec![];
                File::open(&path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
                found.push((name.to_string_lossy().into_owned(), bytes));
            }
        }
        Ok(found)
    };
    Source::of(folder.display(), read())
}

/// Only the real machine's journal is asked, and only of the real machine.
fn kernel_log(roots: &Roots) -> Source<Vec<u8>> {
    let absent = |detail: &str| Source::Absent { detail: detail.to_owned() };
    if !roots.is_native() {
        return absent("the kernel log of another machine");
    }
    let Some(journalctl) = command::find_system("journalctl") else { return absent("journalctl") };
    let args = ["--boot=-1", "--dmesg", LINES, "--no-pager", "--quiet", "--output=short-precise"];
    let limits = Limits { bytes: usize::try_from(MOST_BYTES).unwrap_or(usize::MAX), ..Limits::default() };
    match command::run(&journalctl, &args, limits) {
        Ok(answer) if answer.succeeded() && !answer.stdout.is_empty() => Source::Available { value: answer.stdout },
        Ok(_) => absent("journalctl has no kernel log of the boot before"),
        Err(CommandError::Start { path, error }) => Source::of(path.display(), Err(error)),
        Err(error) => Source::Error { detail: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)], uptime: &Source<u64>, names: Option<&[&str]>) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = gather(&Roots::under(folder.path()));
        assert_eq!(&found.uptime_ms, uptime);
        let found_names = found.pstore.value().map(|all| all.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
        assert_eq!(found_names.as_deref(), names);
        assert!(matches!(found.kernel_log, Source::Absent { .. }), "of this machine, not of that one");
    }

    #[test]
    fn what_is_there_is_kept_and_what_is_not_is_said() {
        let up = Source::Available { value: 12_340 };
        let absent = Source::Absent { detail: "/proc/uptime".to_owned() };
        check(&[], &absent, None);
        check(&[("proc/uptime", "12.34 9.00\n"), ("sys/fs/pstore/.keep/x", "")], &up, Some(&[]));
        let panic = ("sys/fs/pstore/dmesg-efi-1", "Kernel panic");
        check(&[panic, ("sys/fs/pstore/console-ramoops-0", "x")], &absent, Some(&["console-ramoops-0", "dmesg-efi-1"]));
    }
}
