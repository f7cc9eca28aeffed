//! Tells when documents change: one call for a burst of changes, within a second. Watches folders, never files: editors
//! rename. One thread of its own beside the kernel's notices, which sleeps until there is one; where there can be none
//! (a limit is reached, a file system of the network) it looks once a second at names, sizes and times instead. Reads no
//! document and keeps no text.

mod look;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use notify::event::{EventKind, ModifyKind, RenameMode};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};

use look::{Look, Standing};

/// Quiet for so long: the burst is over.
const QUIET: Duration = Duration::from_millis(150);
/// A burst that does not end is told in parts.
const LONGEST: Duration = Duration::from_millis(600);
/// Between two looks where the kernel tells nothing.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Which folders are watched; files right in them, not below. Folders need not be there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folders {
    /// The workspace; changes are told relative to it.
    pub workspace: PathBuf,
    /// Folders of the workspace, relative to it.
    pub inside: Vec<PathBuf>,
    /// Folders elsewhere, absolute; their changes are told as absolute paths.
    pub elsewhere: Vec<PathBuf>,
}

impl Folders {
    /// All that a workspace is made of, and the user's own folder if there is one.
    pub fn of(workspace: &Path, user: Option<&Path>) -> Self {
        let inside = ["flows", "margins", "policy", "policy/profiles", "adapters", "templates", "ui-themes"];
        Self {
            workspace: workspace.to_owned(),
            inside: inside.map(PathBuf::from).to_vec(),
            elsewhere: user.map(Path::to_owned).into_iter().collect(),
        }
    }

    fn wanted(&self) -> impl Iterator<Item = PathBuf> {
        self.inside.iter().map(|folder| self.workspace.join(folder)).chain(self.elsewhere.iter().cloned())
    }

    fn shown(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.workspace).unwrap_or(path).to_owned()
    }
}

/// What has changed since the last time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changed {
    /// Files that are new, different or gone, and watched folders that came or went.
    pub paths: BTreeSet<PathBuf>,
    /// Notices were lost: anything may have changed, what is not in `paths` as well.
    pub everything: bool,
}

impl Changed {
    /// Whether anything in that folder may have changed.
    pub fn is_in(&self, folder: impl AsRef<Path>) -> bool {
        self.everything || self.paths.iter().any(|path| path.starts_with(folder.as_ref()))
    }
}

/// How changes are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// By the kernel's notices where it gives any, else by looking.
    #[default]
    Notices,
    /// By looking once a second.
    Looks,
}

/// A watch over folders. Dropping it ends its threads; what was noticed and not told yet is not told any more.
#[derive(Debug)]
pub struct Watch {
    to: Sender<Notice>,
    thread: Option<JoinHandle<()>>,
}

enum Notice {
    /// Something happened to these.
    Paths(Vec<PathBuf>),
    /// Notices were lost.
    Lost,
    /// No more notices will come.
    Broken,
    /// Stop.
    End,
}

impl Watch {
    /// Watches from now on; `tell` is called on a thread of the watch, and must not wait long.
    pub fn start(folders: Folders, tell: impl Fn(Changed) + Send + 'static) -> Self {
        Self::start_by(Way::Notices, folders, tell)
    }

    /// As [`Watch::start`], in the way that is asked for.
    pub fn start_by(way: Way, folders: Folders, tell: impl Fn(Changed) + Send + 'static) -> Self {
        let (to, notices) = mpsc::channel();
        // Everything is in place before this returns: what is written after that is told.
        let watcher = match way {
            Way::Notices => Notices::start(&folders, to.clone()),
            Way::Looks => None,
        };
        let seen = Look::at(&folders);
        let follower = Follower { folders, notices, watcher, seen, tell };
        let thread = std::thread::Builder::new().name("watch".to_owned()).spawn(move || follower.follow());
        // Without a thread nothing is told, and a reload by hand still works.
        Self { to, thread: thread.ok() }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It is gone already where this fails.
        drop(self.to.send(Notice::End));
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != std::thread::current().id()) {
            drop(thread.join());
        }
    }
}

/// Files that editors write beside the one that is meant, and hidden ones.
fn is_meant(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    // Vim tries whether it may write with a file of that name, or of a larger number.
    let is_probe = name.len() >= 4 && name.iter().all(u8::is_ascii_digit);
    let is_scratch = [&b"~"[..], b".swp", b".swx", b".tmp", b".bak"].iter().any(|end| name.ends_with(end));
    !name.is_empty() && !name.starts_with(b".") && !name.starts_with(b"#") && !is_probe && !is_scratch
}

/// The kernel's notices.
struct Notices {
    watcher: RecommendedWatcher,
    /// What is watched, and which folder it was then: another of the same name is watched anew.
    watched: BTreeMap<PathBuf, Standing>,
}

impl Notices {
    /// None where there can be none.
    fn start(folders: &Folders, to: Sender<Notice>) -> Option<Self> {
        if folders.wanted().any(|folder| look::is_remote(&folder)) {
            return None;
        }
        let on_event = move |event: notify::Result<notify::Event>| {
            let notice = match event {
                Ok(event) if event.need_rescan() => Notice::Lost,
                // Reading is no change; notices of it come as well, of our own reading too.
                Ok(event) if event.paths.is_empty() || !is_change(event.kind) => return,
                Ok(event) => Notice::Paths(event.paths),
                Err(_) => Notice::Broken,
            };
            // Nobody listens any more once the watch has ended.
            drop(to.send(notice));
        };
        let watcher = RecommendedWatcher::new(on_event, notify::Config::default()).ok()?;
        let mut notices = Self { watcher, watched: BTreeMap::new() };
        notices.renew(folders).then_some(notices)
    }

    /// Watches each folder that is there, and the nearest one above each that is not. False where a watch was refused.
    fn renew(&mut self, folders: &Folders) -> bool {
        let mut wanted: BTreeMap<PathBuf, Standing> = BTreeMap::new();
        for folder in folders.wanted() {
            // The one above tells when the folder itself comes or goes.
            let above = folder.ancestors().skip(1).find_map(|above| Some((above.to_owned(), Standing::of(above)?)));
            wanted.extend(above);
            wanted.extend(Standing::of(&folder).map(|standing| (folder, standing)));
        }
        let outdated: Vec<PathBuf> = self
            .watched
            .iter()
            .filter(|(path, was)| wanted.get(*path) != Some(was))
            .map(|(path, _)| path.clone())
            .collect();
        for path in outdated {
            // The kernel has dropped those that are gone.
            drop(self.watcher.unwatch(&path));
            self.watched.remove(&path);
        }
        for (path, standing) in wanted {
            if self.watched.contains_key(&path) {
                continue;
            }
            match self.watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(path, standing);
                }
                // It was there a moment ago: what took it away is a change of the folder above.
                Err(_) if Standing::of(&path) != Some(standing) => {}
                Err(_) => return false,
            }
        }
        true
    }
}

fn is_change(kind: EventKind) -> bool {
    // Of a rename its halves are told as well as the whole.
    !matches!(kind, EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(RenameMode::Both)))
}

/// What the thread works with.
struct Follower<F> {
    folders: Folders,
    notices: Receiver<Notice>,
    /// None: changes are noticed by looking.
    watcher: Option<Notices>,
    /// As it was when it was told last.
    seen: Look,
    tell: F,
}

impl<F: Fn(Changed)> Follower<F> {
    fn follow(mut self) {
        while let Some(lost) = self.wait() {
            // A new folder may have been filled before it could be watched, so watching comes before looking.
            self.renew();
            let now = Look::at(&self.folders);
            let paths = now.differences(&self.seen).map(|path| self.folders.shown(path)).collect();
            self.seen = now;
            let changed = Changed { paths, everything: lost };
            if changed != Changed::default() {
                (self.tell)(changed);
            }
        }
    }

    /// Until there may be something to tell and it has become quiet; whether notices were lost. None: the watch has ended.
    fn wait(&mut self) -> Option<bool> {
        let mut lost = false;
        let mut first = None;
        loop {
            let patience = match (first, &self.watcher) {
                (None, Some(_)) => None,
                (None, None) => Some(BETWEEN_LOOKS),
                (Some(first), _) => {
                    let left = LONGEST.saturating_sub(Instant::now().duration_since(first));
                    if left.is_zero() {
                        return Some(lost);
                    }
                    Some(QUIET.min(left))
                }
            };
            let notice = match patience {
                None => self.notices.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(patience) => self.notices.recv_timeout(patience),
            };
            match notice {
                Ok(Notice::End) | Err(RecvTimeoutError::Disconnected) => return None,
                Ok(Notice::Paths(paths)) if !self.concerns(&paths) => continue,
                Ok(Notice::Lost) => lost = true,
                Ok(Notice::Broken) => {
                    self.watcher = None;
                    lost = true;
                }
                Err(RecvTimeoutError::Timeout) if first.is_some() => return Some(lost),
                Err(RecvTimeoutError::Timeout) if self.is_as_seen() => continue,
                // Something is different; what belongs to it may still be on its way.
                Ok(Notice::Paths(_)) | Err(RecvTimeoutError::Timeout) => {}
            }
            first = first.or_else(|| Some(Instant::now()));
        }
    }

    fn is_as_seen(&self) -> bool {
        Look::at(&self.folders).differences(&self.seen).next().is_none()
    }

    /// Whether one of these is a watched folder, one above it, or a file right in one that is meant.
    fn concerns(&self, paths: &[PathBuf]) -> bool {
        let concerns = |path: &PathBuf| {
            let is_file_of = |folder: &PathBuf| path.parent() == Some(folder) && path.file_name().is_some_and(is_meant);
            self.folders.wanted().any(|folder| folder.starts_with(path) || is_file_of(&folder))
        };
        paths.iter().any(concerns)
    }

    fn renew(&mut self) {
        if self.folders.wanted().any(|folder| look::is_remote(&folder)) {
            self.watcher = None;
        }
        // Where a watch is refused, looking goes on for all of them.
        if self.watcher.as_mut().is_some_and(|watcher| !watcher.renew(&self.folders)) {
            self.watcher = None;
        }
    }
}
