//! Where the kernel shows itself, as paths that a caller can move: a test or a simulated machine is a folder.
//! Never reads the environment; whoever starts the program decides the roots.

use std::io;
use std::path::{Path, PathBuf};

use super::source::read_text;

/// The folders that host facts are read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// In place of `/sys`.
    pub sysfs: PathBuf,
    /// In place of `/proc`.
    pub procfs: PathBuf,
    /// In place of `/etc`.
    pub etc: PathBuf,
    /// In place of `/dev/kmsg`.
    pub kmsg: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { sysfs: "/sys".into(), procfs: "/proc".into(), etc: "/etc".into(), kmsg: "/dev/kmsg".into() }
    }
}

impl Roots {
    /// A whole machine under one folder: `DIR/sys`, `DIR/proc`, `DIR/etc`, `DIR/dev/kmsg`.
    pub fn under(dir: &Path) -> Self {
        Self { sysfs: dir.join("sys"), procfs: dir.join("proc"), etc: dir.join("etc"), kmsg: dir.join("dev/kmsg") }
    }

    /// Whether `/proc` is the real one. Commands such as `lscpu` always describe the real machine, so they
    /// are asked only then: facts of two machines are never mixed.
    pub fn is_native(&self) -> bool {
        self.procfs == Path::new("/proc")
    }

    /// A file below sysfs.
    pub fn sys(&self, path: &str) -> PathBuf {
        self.sysfs.join(path)
    }

    /// Where systemd-pstore(8) keeps what it took out of pstore; of a machine in a folder beside its `sys`.
    pub fn pstore_archive(&self) -> PathBuf {
        self.sysfs.parent().unwrap_or(Path::new("/")).join("var/lib/systemd/pstore")
    }

    /// A file below procfs.
    pub fn proc(&self, path: &str) -> PathBuf {
        self.procfs.join(path)
    }
}

/// The id the kernel drew when it booted: another one means the host went down in between.
pub fn boot_id(roots: &Roots) -> io::Result<String> {
    let text = read_text(&roots.proc("sys/kernel/random/boot_id"))?;
    let id = text.trim();
    let shaped = id.len() == 36 && id.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if shaped { Ok(id.to_owned()) } else { Err(io::Error::new(io::ErrorKind::InvalidData, "not a boot id")) }
}

/// The host's name.
pub fn hostname(roots: &Roots) -> io::Result<String> {
    read_text(&roots.proc("sys/kernel/hostname")).map(|text| text.trim().to_owned())
}

/// Milliseconds since the kernel booted (`/proc/uptime`, which has hundredths of a second).
pub fn uptime_ms(roots: &Roots) -> io::Result<u64> {
    let text = read_text(&roots.proc("uptime"))?;
    parse_uptime(&text).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not an uptime"))
}

fn parse_uptime(text: &str) -> Option<u64> {
    let hundredths = hundredths(text.split_whitespace().next()?)?;
    hundredths.checked_mul(10)
}

/// `12.34` as 1234, exactly: the form of `/proc/uptime` and `/proc/loadavg`.
pub(super) fn hundredths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.')?;
    if part.len() != 2 || !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    whole.parse::<u64>().ok()?.checked_mul(100)?.checked_add(part.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn check(uptime: &str, expected: Option<u64>) {
        assert_eq!(parse_uptime(uptime), expected, "{uptime:?}");
    }

    #[test]
    fn uptime_is_exact() {
        check("350735.47 234388.90\n", Some(350_735_470));
        check("0.09 0.00", Some(90));
        for bad in ["", "12", "12.3 4.0", "-1.00", "1.2.3", "a.bc", "99999999999999999999.00"] {
            check(bad, None);
        }
    }

    #[test]
    fn a_machine_is_a_folder() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots::under(dir.path());
        assert!(!roots.is_native());
        assert_eq!(boot_id(&roots).unwrap_err().kind(), io::ErrorKind::NotFound);
        let file = roots.proc("sys/kernel/random/boot_id");
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "0b6f3a52-6a3c-4f0e-9b57-5a0a3c1d2e4f\n").unwrap();
        assert_eq!(boot_id(&roots).unwrap(), "0b6f3a52-6a3c-4f0e-9b57-5a0a3c1d2e4f");
        fs::write(&file, "soon\n").unwrap();
        assert_eq!(boot_id(&roots).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn this_machine_has_booted() {
        let roots = Roots::default();
        assert!(roots.is_native());
        assert_eq!(boot_id(&roots).unwrap(), boot_id(&roots).unwrap());
        assert!(uptime_ms(&roots).unwrap() > 0);
    }
}
