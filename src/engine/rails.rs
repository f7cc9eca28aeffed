//! Reads, moves and brings home the rails of a run through their controllers, one call at a time. The runner, the guardian
//! and whoever cleans up after both go this one way. Never decides whether a rail may move, and never gives up on the way
//! home because a call failed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::MemfdFlags;
use tokio::time::sleep;

use crate::domain::event::RailLevel;
use crate::domain::name::Name;
use crate::domain::rails::{Levels, Write, arguments, walk};
use crate::store::mortal::{after, around, before};
use crate::store::rails::Driver;

use super::call::call;
use super::effect::Home;
use super::process_tree::Reaper;
use super::spawn::Launch;

/// A rail that was told to go home may still be on its way: it is read again this often before it counts as stuck.
const LOOKS_AT_HOME: u32 = 10;
/// Between those, at least.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The controllers of a run, ready to be called.
#[derive(Debug, Clone)]
pub struct Gear {
    /// By name.
    pub drivers: BTreeMap<Name, Driver>,
    /// What every call has in its environment.
    pub environment: BTreeMap<String, String>,
    /// The folder in which each controller has one of its own; none where no run stands behind the call.
    pub state: Option<PathBuf>,
}

impl Gear {
    /// Every rail that has a controller here.
    pub fn rails(&self) -> BTreeSet<Name> {
        self.drivers.values().flat_map(|driver| driver.controller.rails.iter().cloned()).collect()
    }

    fn driver_of(&self, rail: &Name) -> Result<(&Name, &Driver), String> {
        let found = self.drivers.iter().find(|(_, driver)| driver.controller.rails.contains(rail));
        found.ok_or_else(|| format!("{rail} has no controller"))
    }

    /// Reads a rail.
    pub async fn read(&self, reaper: &Reaper, rail: &Name) -> Result<RailLevel, String> {
        let (name, driver) = self.driver_of(rail)?;
        let list = &driver.controller.read;
        let printed = self.call(reaper, (name, driver), "read", &arguments(list, rail, &RailLevel::default())).await?;
        driver.controller.readback(&printed).map_err(|why| format!("controller {name}, read of {rail}: {why}"))
    }

    /// Reads every rail.
    pub async fn read_all(&self, reaper: &Reaper) -> Result<Levels, String> {
        let mut levels = Levels::new();
        for rail in self.rails() {
            let level = self.read(reaper, &rail).await?;
            levels.insert(rail, level);
        }
        Ok(levels)
    }

    /// Makes the writes in order, each settled before the next. The first that fails ends it.
    pub async fn go(&self, reaper: &Reaper, writes: &[Write]) -> Result<(), String> {
        for write in writes {
            self.write(reaper, write).await?;
        }
        Ok(())
    }

    async fn write(&self, reaper: &Reaper, write: &Write) -> Result<(), String> {
        let (name, driver) = self.driver_of(&write.rail)?;
        let list = arguments(&driver.controller.apply, &write.rail, &write.level);
        before("move a rail");
        let moved = self.call(reaper, (name, driver), "apply", &list).await;
        after("move a rail");
        moved?;
        sleep(driver.controller.settle_ms.duration()).await;
        Ok(())
    }

    /// Brings every rail home, whatever fails on the way: walks back to nominal as far as the rail can be read and written,
    /// restores it in any case, and reads whether it is there.
    pub async fn home(&self, reaper: &Reaper, nominal: &Levels) -> Home {
        let mut from = Levels::new();
        for rail in nominal.keys() {
            if let Ok(level) = self.read(reaper, rail).await {
                from.insert(rail.clone(), level);
            }
        }
        // A rail of which nothing is known cannot be walked; restoring it is all that is left.
        let known: Levels =
            nominal.iter().filter(|(rail, _)| from.contains_key(*rail)).map(|(r, l)| (r.clone(), *l)).collect();
        let controllers = self.drivers.iter().map(|(name, driver)| (name.clone(), driver.controller.clone())).collect();
        let mut lame = BTreeSet::new();
        for write in walk(&controllers, &from, &known) {
            if !lame.contains(&write.rail) && self.write(reaper, &write).await.is_err() {
                lame.insert(write.rail);
            }
        }
        let mut home = Home::new();
        for (rail, level) in nominal {
            home.insert(rail.clone(), self.restore(reaper, rail, level).await);
        }
        home
    }

    async fn restore(&self, reaper: &Reaper, rail: &Name, nominal: &RailLevel) -> Result<RailLevel, String> {
        let (name, driver) = self.driver_of(rail)?;
        let list = arguments(&driver.controller.restore, rail, nominal);
        before("restore a rail");
        let restored = self.call(reaper, (name, driver), "restore", &list).await;
        after("restore a rail");
        let mut readback = Err(String::new());
        for look in 0..LOOKS_AT_HOME {
            let settle = driver.controller.settle_ms.duration();
            sleep(if look == 0 { settle } else { settle.max(BETWEEN_LOOKS) }).await;
            readback = match self.read(reaper, rail).await {
                Ok(level) => driver.controller.holds(nominal, &level).map(|()| level),
                Err(why) => Err(why),
            };
            if readback.is_ok() {
                break;
            }
        }
        // What it reads like at home is no proof when the controller itself says that it could not do it.
        restored.and(readback)
    }

    /// Has the controller bring a rail home of which nothing is known but that. Where it reads then.
    pub async fn restore_by_hand(&self, reaper: &Reaper, rail: &Name) -> Result<RailLevel, String> {
        let (name, driver) = self.driver_of(rail)?;
        let list = arguments(&driver.controller.restore, rail, &RailLevel::default());
        self.call(reaper, (name, driver), "restore", &list).await?;
        sleep(driver.controller.settle_ms.duration()).await;
        self.read(reaper, rail).await
    }

    /// Calls a controller; what it printed on stdout.
    async fn call(
        &self,
        reaper: &Reaper,
        (name, driver): (&Name, &Driver),
        what: &str,
        args: &[String],
    ) -> Result<String, String> {
        let failed = |why: String| format!("controller {name}, {what}: {why}");
        let memory = || rustix::fs::memfd_create("controller", MemfdFlags::CLOEXEC).map(File::from);
        let (mut stdout, mut stderr) = (
            memory().map_err(|error| failed(error.to_string()))?,
            memory().map_err(|error| failed(error.to_string()))?,
        );
        let folder = match &self.state {
            Some(state) => Some(own_folder(state, name).map_err(|error| failed(error.to_string()))?),
            None => None,
        };
        let state = folder.as_deref().map(Path::to_string_lossy);
        let common = self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let launch = Launch {
            program: &driver.program,
            args,
            env: common.chain(state.as_deref().map(|state| ("ROAD_RUNNER_RAIL_STATE", state))),
            cwd: folder.as_deref().unwrap_or(Path::new("/")),
            stdout: &stdout,
            stderr: &stderr,
        };
        let ended = call(reaper, launch, driver.controller.timeout_ms.duration()).await;
        if let Err(why) = ended {
            let said = text(&mut stderr).unwrap_or_default();
            let said = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
            return Err(failed(said.map_or_else(|| why.clone(), |said| format!("{why}: {}", said.escape_debug()))));
        }
        text(&mut stdout).map_err(|error| failed(error.to_string()))
    }
}

fn own_folder(state: &Path, name: &Name) -> io::Result<PathBuf> {
    let folder = state.join(name.as_str());
    let make = || fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder);
    if !folder.is_dir() {
        around("make a controller's folder", make)?;
    }
    Ok(folder)
}

/// The first 64 KiB of what was printed.
fn text(file: &mut File) -> io::Result<String> {
    const MOST: u64 = 64 << 10;
    let mut bytes = vec![];
    file.rewind()?;
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
