//! What can still be found of a host that went down: how long this boot has lasted, what the kernel left in pstore, and the
//! kernel log of the boot before. Never takes what is missing for silence, never changes or removes anything.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::domain::time::Timestamp;

use super::command::{self, CommandError, Limits};
use super::roots::{self, Roots};
use super::source::Source;

/// The most that is kept of one file of pstore, and of the kernel log, bytes.
const MOST_BYTES: u64 = 256 << 10;
/// The most files of pstore that are kept: firmware has room for few.
const MOST_FILES: usize = 64;
/// Lines of the kernel log of the boot before, the last ones.
const LINES: &str = "--lines=500";

/// A file: its name and what is in it.
pub type Saved = (String, Vec<u8>);

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWords {
    /// How long this boot has lasted, milliseconds.
    pub uptime_ms: Source<u64>,
    /// The files in pstore, by name: what the kernel could save when it died, perhaps of an earlier death.
    pub pstore: Source<Vec<Saved>>,
    /// Those that systemd-pstore(8) has taken out of it since the step began, by their path in its archive.
    pub archived: Source<Vec<Saved>>,
    /// The end of the kernel log of the boot before.
    pub kernel_log: Source<Vec<u8>>,
}

/// Looks for what is left of a host that went down after `since`. Takes as long as the system's journal needs to find one
/// boot, at most five seconds.
pub fn gather(roots: &Roots, since: Timestamp) -> LastWords {
    let since = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(since.millis()).unwrap_or(0));
    LastWords {
        uptime_ms: Source::of("/proc/uptime", roots::uptime_ms(roots)),
        pstore: saved(&roots.sys("fs/pstore"), 0, SystemTime::UNIX_EPOCH),
        // Its folders are named after the moment of the death, and after the part where that has several.
        archived: saved(&roots.pstore_archive(), 2, since),
        kernel_log: kernel_log(roots),
    }
}

/// The files in a folder, and in those `below` it, that were written since then.
fn saved(folder: &Path, below: usize, since: SystemTime) -> Source<Vec<Saved>> {
    let mut found = vec![];
    let read = collect(folder, "", below, since, &mut found);
    Source::of(folder.display(), read.map(|()| found))
}

fn collect(folder: &Path, at: &str, below: usize, since: SystemTime, found: &mut Vec<Saved>) -> io::Result<()> {
    let mut names: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    names.sort();
    for name in names {
        let path = folder.join(&name);
        let name = format!("{at}{}", name.to_string_lossy());
        let facts = fs::symlink_metadata(&path)?;
        if facts.is_dir() && below > 0 {
            collect(&path, &format!("{name}/"), below - 1, since, found)?;
        } else if facts.is_file() && facts.modified()? >= since && found.len() < MOST_FILES {
            let mut bytes = vec![];
            File::open(&path)?.take(MOST_BYTES).read_to_end(&mut bytes)?;
            found.push((name, bytes));
        }
    }
    Ok(())
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
    use crate::domain::kit::moment;

    fn check(files: &[(&str, &str)], uptime: &Source<u64>, names: Option<&[&str]>) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = gather(&Roots::under(folder.path()), moment(0));
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

    #[test]
    fn what_was_taken_out_of_pstore_since_then_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let file = |path: &str| {
            let path = folder.path().join("var/lib/systemd/pstore").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "Kernel panic").unwrap();
            path
        };
        let roots = Roots::under(folder.path());
        let begun = moment(1_000_000_000_000);
        assert!(matches!(gather(&roots, begun).archived, Source::Absent { .. }));
        let earlier = File::open(file("1700000000/001/dmesg.txt")).unwrap();
        earlier.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(999_999_999)).unwrap();
        file("1764460800/001/dmesg.txt");
        file("dmesg-ramoops-0");
        file("too/deep/for/anything/of/systemd");
        let found = gather(&roots, begun).archived.value().unwrap().clone();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["1764460800/001/dmesg.txt", "dmesg-ramoops-0"]);
    }
}
