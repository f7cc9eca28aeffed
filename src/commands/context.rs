//! Where a command works: the workspace, the runs folder, the roots of the host's own files. Found once, at the start.

use std::path::{Path, PathBuf};

use crate::commands::executables::Lookup;
use crate::commands::failure::Failure;
use crate::host::roots::Roots;

/// What was given on the command line and in the environment.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// `--workspace` or `ROAD_RUNNER_WORKSPACE`.
    pub workspace: Option<PathBuf>,
    /// `--runs-dir` or `ROAD_RUNNER_RUNS`.
    pub runs: Option<PathBuf>,
    /// The current folder.
    pub current: PathBuf,
    /// `PATH`, as it is.
    pub path: String,
    /// `HOME`, as it is.
    pub home: Option<String>,
    /// `XDG_CONFIG_HOME`, as it is.
    pub config_home: Option<PathBuf>,
    /// `ROAD_RUNNER_HOST_LOCK`: instead of the host's own places.
    pub host_lock: Option<PathBuf>,
    /// Where sysfs and procfs are.
    pub roots: Roots,
}

/// Where a command works.
#[derive(Debug, Clone)]
pub struct Context {
    /// The workspace, absolute.
    pub workspace: PathBuf,
    /// The runs folder, absolute.
    pub runs: PathBuf,
    /// The current folder, against which paths that were typed are read first.
    pub current: PathBuf,
    /// `PATH` for children and for bare names: the absolute entries only.
    pub path: String,
    /// `HOME` for children.
    pub home: String,
    /// The user's own settings: `$XDG_CONFIG_HOME/road_runner`, else `$HOME/.config/road_runner`; need not be there.
    pub config: Option<PathBuf>,
    /// Where the lock of this host may be; the first folder that can be written counts.
    pub host_locks: Vec<PathBuf>,
    /// Where sysfs and procfs are.
    pub roots: Roots,
}

/// Where the lock of a host is by itself.
const HOST_LOCKS: [&str; 3] = ["/run/lock/road_runner.lock", "/var/lock/road_runner.lock", "/tmp/road_runner.lock"];

impl Context {
    /// Finds the workspace: as given, else the nearest folder upward that has both `flows/` and `adapters/`.
    pub fn find(given: Given) -> Result<Self, Failure> {
        let workspace = match &given.workspace {
            Some(folder) => {
                let folder = given.current.join(folder);
                if !is_workspace(&folder) {
                    return Err(Failure::usage(format!("{} is not a workspace", folder.display()))
                        .hinted("a workspace is a folder with both flows/ and adapters/"));
                }
                folder
            }
            None => match given.current.ancestors().find(|folder| is_workspace(folder)) {
                Some(folder) => folder.to_owned(),
                None => {
                    return Err(Failure::usage(format!("no workspace at or above {}", given.current.display()))
                        .hinted("go into a folder with both flows/ and adapters/, or name one with --workspace"));
                }
            },
        };
        let workspace = workspace
            .canonicalize()
            .map_err(|error| Failure::usage(format!("cannot open workspace {}: {error}", workspace.display())))?;
        let runs = given.runs.as_ref().map_or_else(|| workspace.join("runs"), |runs| given.current.join(runs));
        let absolute = given.path.split(':').filter(|entry| entry.starts_with('/'));
        Ok(Self {
            runs,
            path: absolute.collect::<Vec<_>>().join(":"),
            config: config(given.config_home, given.home.as_deref()),
            home: given.home.filter(|home| home.starts_with('/')).unwrap_or_else(|| "/".to_owned()),
            host_locks: given.host_lock.map_or_else(|| HOST_LOCKS.map(PathBuf::from).to_vec(), |lock| vec![lock]),
            current: given.current,
            roots: given.roots,
            workspace,
        })
    }
}

impl Context {
    /// Where programs are looked for.
    pub fn lookup(&self) -> Lookup<'_> {
        Lookup { workspace: &self.workspace, path: &self.path, as_root: rustix::process::geteuid().is_root() }
    }
}

/// The XDG base directory specification has paths that are not absolute ignored.
fn config(config_home: Option<PathBuf>, home: Option<&str>) -> Option<PathBuf> {
    let home = home.map(|home| Path::new(home).join(".config")).filter(|home| home.is_absolute());
    config_home.filter(|path| path.is_absolute()).or(home).map(|folder| folder.join("road_runner"))
}

fn is_workspace(folder: &Path) -> bool {
    folder.join("flows").is_dir() && folder.join("adapters").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_own_settings() {
        let check = |xdg: Option<&str>, home: Option<&str>, expected: Option<&str>| {
            assert_eq!(config(xdg.map(PathBuf::from), home), expected.map(PathBuf::from), "{xdg:?} {home:?}");
        };
        check(Some("/x"), Some("/h"), Some("/x/road_runner"));
        check(None, Some("/h"), Some("/h/.config/road_runner"));
        check(Some("x"), Some("/h"), Some("/h/.config/road_runner"));
        check(Some("x"), Some("h"), None);
        check(None, None, None);
    }
}
