//! Runs one restore command of an adapter: what brings a rail home that its diagnostic moved.
//! Never runs beside a step, never leaves a process behind.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::OFlags;

use crate::store::mortal;

use super::call::call;
use super::process_tree::Reaper;
use super::spawn::Launch;

/// A restore command that takes longer has failed.
pub const LIMIT: Duration = Duration::from_secs(60);

/// Where a restore command runs.
#[derive(Debug)]
pub struct At<'a> {
    /// The artifact folder of the step.
    pub folder: &'a Path,
    /// The environment of the step.
    pub environment: &'a BTreeMap<String, String>,
    /// Both its streams are appended here.
    pub log: &'a Path,
}

/// Runs restore commands, each its path as planned and its program, all of them, also when one fails. The error names
/// those that did.
pub async fn all<'a>(
    reaper: &Reaper,
    programs: impl Iterator<Item = (&'a str, String)>,
    at: &At<'_>,
) -> Result<(), String> {
    let mut failed = vec![];
    for (path, program) in programs {
        mortal::before("restore after a step");
        let restored = run(reaper, &program, at).await;
        mortal::after("restore after a step");
        if let Err(why) = restored {
            failed.push(format!("restore command {path} {why}"));
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// Runs `program` without arguments and waits for it and everything it started. The error says how it failed.
async fn run(reaper: &Reaper, program: &str, at: &At<'_>) -> Result<(), String> {
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(at.log)
        // Bringing a rail home matters more than what is said about it.
        .or_else(|_| OpenOptions::new().write(true).open("/dev/null"))
        .map_err(|error| format!("could not be started: {error}"))?;
    let launch = Launch {
        program: Path::new(program),
        args: &[],
        env: at.environment.iter().map(|(name, value)| (name.as_str(), value.as_str())),
        cwd: at.folder,
        stdout: &log,
        stderr: &log,
    };
    call(reaper, launch, LIMIT).await
}
