//! What the kernel log says from now on: its lines, those that tell of hardware picked out by patterns with severities. Reads
//! only what has come since the last look, never waits, and never looks at what was there before.

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use regex::RegexSet;
use rustix::fs::OFlags;
use rustix::io::Errno;
use serde::Deserialize;

use crate::domain::evidence::{Found, Logged, Observation, Status};
use crate::domain::sanitize;

/// Reads at one look; a log that floods is read on at the next.
const READS: usize = 4096;
/// Lines that are kept, and bytes of each.
const LINES: usize = 8;
const LINE: usize = 300;
/// Bytes of one read: a record of the kernel's is never longer.
const PIECE: usize = 8192;

/// What a line tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tells {
    /// An error that was not corrected.
    Uncorrected,
    /// An error that was.
    Corrected,
    /// A clock that was held back.
    Throttle,
    /// Something else worth knowing.
    Note,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pattern {
    tells: Tells,
    finds: String,
    #[expect(dead_code, reason = "for whoever reads the file")]
    from: String,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the test that reads them back"))]
    like: Vec<String>,
}

/// The patterns, compiled.
#[derive(Debug)]
pub struct Patterns {
    set: RegexSet,
    tells: Vec<Tells>,
}

fn shipped() -> io::Result<Vec<Pattern>> {
    serde_yaml::from_str(include_str!("kernel_log.yaml")).map_err(io::Error::other)
}

impl Patterns {
    /// Those that the program comes with.
    pub fn shipped() -> io::Result<Self> {
        let patterns = shipped()?;
        let set = RegexSet::new(patterns.iter().map(|pattern| &pattern.finds)).map_err(io::Error::other)?;
        Ok(Self { set, tells: patterns.into_iter().map(|pattern| pattern.tells).collect() })
    }

    /// What a line tells of, if of anything.
    pub fn tells(&self, line: &str) -> Option<Tells> {
        self.tells.get(self.set.matches(line).iter().next()?).copied()
    }
}

/// The kernel log from a moment on.
#[derive(Debug)]
pub struct KernelLog {
    patterns: Patterns,
    file: File,
    /// The beginning of a line whose end has not come.
    rest: Vec<u8>,
}

impl KernelLog {
    /// Opens it at its end.
    pub fn open(path: &Path) -> io::Result<Self> {
        let patterns = Patterns::shipped()?;
        let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let mut file = File::options().read(true).custom_flags(flags).open(path)?;
        file.seek(SeekFrom::End(0))?;
        Ok(Self { patterns, file, rest: vec![] })
    }

    /// What was found when it was opened.
    pub fn found(path: &Path, opened: &io::Result<Self>) -> Found {
        let status = match opened {
            Ok(_) => return Found { status: Status::Available, detail: None },
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Status::Denied,
            Err(error) if error.kind() == ErrorKind::NotFound => Status::Absent,
            Err(_) => Status::Error,
        };
        let shown = if path.as_os_str().is_empty() { "a kernel log".to_owned() } else { path.display().to_string() };
        Found { status, detail: Some(shown) }
    }

    /// What has come since the last look.
    pub fn look(&mut self) -> Observation {
        let mut logged = Logged::default();
        let mut buffer = [0; PIECE];
        for _ in 0..READS {
            match self.file.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => self.take(buffer.get(..length).unwrap_or_default(), &mut logged),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The kernel has written over what was not read yet; the next read goes on behind that.
                Err(error) if error.raw_os_error() == Some(Errno::PIPE.raw_os_error()) => {
                    add(&mut logged, Tells::Note, "(lines of the kernel log were lost: it went round)");
                }
                Err(error) => return Observation::NotChecked { not_checked: format!("the kernel log: {error}") },
            }
        }
        Observation::Logged(logged)
    }

    fn take(&mut self, bytes: &[u8], logged: &mut Logged) {
        self.rest.extend_from_slice(bytes);
        let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') else {
            // No line of the kernel's is that long.
            if self.rest.len() > 2 * PIECE {
                self.rest.clear();
            }
            return;
        };
        let behind = self.rest.split_off(end + 1);
        let whole = std::mem::replace(&mut self.rest, behind);
        for line in String::from_utf8_lossy(&whole).lines() {
            // Lines that go on with a blank say of which device the one before was.
            if line.starts_with(' ') {
                continue;
            }
            if let Some(text) = message(line)
                && let Some(tells) = self.patterns.tells(text)
            {
                add(logged, tells, text);
            }
        }
    }
}

fn add(logged: &mut Logged, tells: Tells, text: &str) {
    let count = match tells {
        Tells::Uncorrected => &mut logged.uncorrected,
        Tells::Corrected => &mut logged.corrected,
        Tells::Throttle => &mut logged.throttle,
        Tells::Note => &mut logged.note,
    };
    *count += 1;
    if logged.lines.len() < LINES {
        let mut line = sanitize::line(text).into_owned();
        let cut = (0..=LINE.min(line.len())).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
        line.truncate(cut);
        logged.lines.push(line);
    }
}

/// The text behind `priority,number,time,flags;`; a line without that head is all text. Nothing where it is not the kernel
/// that speaks: programs may write there as well, and what one of them says is no evidence.
fn message(line: &str) -> Option<&str> {
    /// Of a priority these bits are the level; the others say who speaks, and the kernel is zero.
    const LEVELS: u32 = 8;
    match line.split_once(';') {
        Some((head, text)) if head.matches(',').count() >= 2 => match head.split(',').next()?.parse::<u32>() {
            Ok(priority) => (priority < LEVELS).then_some(text),
            Err(_) => Some(line),
        },
        _ => Some(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Write as _;

    #[test]
    fn every_sample_tells_what_the_file_says() {
        let patterns = Patterns::shipped().unwrap();
        for pattern in shipped().unwrap() {
            assert!(!pattern.like.is_empty(), "{}", pattern.finds);
            for line in &pattern.like {
                assert_eq!(patterns.tells(line), Some(pattern.tells), "{line}");
            }
        }
    }

    #[test]
    fn ordinary_lines_tell_nothing() {
        let patterns = Patterns::shipped().unwrap();
        for line in [
            "Linux version 6.8.0-48-generic (buildd@lcy02) #48-Ubuntu SMP",
            "EDAC MC: Ver: 3.0.0",
            "EDAC MC0: Giving out device to module skx_edac controller Skylake Socket#0 IMC#0: DEV 0000:3a:0a.0",
            "mce: CPU0: Thermal monitoring enabled (TM1)",
            "pcieport 0000:00:1c.0: AER: enabled with IRQ 122",
            "GHES: APEI firmware first mode is enabled by APEI bit and WHEA _OSC.",
            "nvme nvme0: 8/0/0 default/read/poll queues",
            "thermal_sys: Registered thermal governor 'step_wise'",
            "EXT4-fs (vda): mounted filesystem with ordered data mode",
            "perf: interrupt took too long (2503 > 2500), lowering kernel.perf_event_max_sample_rate",
            "hwmon hwmon1: Undervoltage was corrected in an earlier boot",
        ] {
            assert_eq!(patterns.tells(line), None, "{line}");
        }
    }

    #[test]
    fn only_what_comes_later_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kmsg");
        fs::write(&path, "3,1,1,-;EDAC MC0: 1 CE old\n").unwrap();
        let mut log = KernelLog::open(&path).unwrap();
        let mut file = File::options().append(true).open(&path).unwrap();
        let mut check = |text: &str, expected: &str| {
            file.write_all(text.as_bytes()).unwrap();
            let Observation::Logged(logged) = log.look() else { panic!("not read") };
            let Logged { corrected, uncorrected, throttle, note, lines } = logged;
            assert_eq!(format!("{corrected} {uncorrected} {throttle} {note} {}", lines.join(" | ")), expected);
        };
        check("", "0 0 0 0 ");
        check("6,2,9,-;eth0: link up\n", "0 0 0 0 ");
        // Said by a program: 30 is the level 6 of daemons.
        check("30,2,9,-;logger: EDAC MC0: 1 UE on DIMM1\n", "0 0 0 0 ");
        check("3,3,9,-;EDAC MC0: 2 CE on DIMM\u{1b}[2J1\n SUBSYSTEM=edac\n", "1 0 0 0 EDAC MC0: 2 CE on DIMM[2J1");
        // A line in two pieces is told once it is whole.
        check("3,4,9,-;EDAC MC0: 1 U", "0 0 0 0 ");
        check("E on DIMM2\n", "0 1 0 0 EDAC MC0: 1 UE on DIMM2");
        check("CPU3: Core temperature is above threshold, cpu clock is throttled\n".repeat(20).as_str(), &{
            let line = "CPU3: Core temperature is above threshold, cpu clock is throttled";
            format!("0 0 20 0 {}", [line; 8].join(" | "))
        });
        let long = format!("[Hardware Error] {}\n", "ä".repeat(400));
        file.write_all(long.as_bytes()).unwrap();
        let Observation::Logged(logged) = log.look() else { panic!("not read") };
        assert_eq!((logged.note, logged.lines[0].len()), (1, 299));
    }

    #[test]
    fn why_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kmsg");
        assert_eq!(KernelLog::found(&path, &KernelLog::open(&path)).status, Status::Absent);
    }
}
