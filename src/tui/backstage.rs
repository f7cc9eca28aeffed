//! What goes on behind the screen: a tokio runtime in a thread of its own that reads the terminal and the signals, and
//! does what the screen asks for. Everything comes back as messages; the screen never waits for anything here.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use chrono::Utc;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

use crate::commands::context::Context;
use crate::domain::host::HostFacts;
use crate::domain::theme::Depth;
use crate::domain::time::Timestamp;
use crate::host::collect;
use crate::host::telemetry::Sampler;
use crate::input::watch::{Changed, Folders, Watch};
use crate::tui::errands;
use crate::tui::events::{self, Reading};
use crate::tui::feed::Feed;
use crate::tui::log_thread::LogRequest;
use crate::tui::message::{Effect, Msg, Sampling};

/// The thread is waited for so long at the end.
const FAREWELL: Duration = Duration::from_millis(500);
/// Between two looks at the host.
const SAMPLED: Duration = Duration::from_secs(2);

/// What the errands share.
#[derive(Debug)]
pub struct Shared {
    /// Where everything is.
    pub context: Context,
    /// This program, to start runs with.
    pub program: PathBuf,
    /// The host's facts, asked for once: it takes two commands.
    host: Mutex<Option<Arc<HostFacts>>>,
    /// Where messages go.
    pub out: Sender<Msg>,
}

impl Shared {
    /// The host's facts.
    pub fn host(&self) -> Arc<HostFacts> {
        let mut known = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.get_or_insert_with(|| Arc::new(collect::host_facts(&self.context.roots))))
    }

    /// Sends a message; a screen that is gone wants none.
    pub fn send(&self, msg: Msg) {
        drop(self.out.send(msg));
    }
}

/// The thread and the way to it.
#[derive(Debug)]
pub struct Backstage {
    effects: Option<UnboundedSender<Effect>>,
    reading: Option<UnboundedSender<Reading>>,
    log: Option<Sender<LogRequest>>,
    /// Its other end goes with the thread.
    ended: Receiver<()>,
}

impl Backstage {
    /// Begins. Logs are read for a terminal of so many colours.
    pub fn start(context: Context, program: PathBuf, out: Sender<Msg>, depth: Depth) -> std::io::Result<Self> {
        let (effects, asked) = unbounded_channel();
        let (reading, control) = unbounded_channel();
        let log = crate::tui::log_thread::start(depth, {
            let out = out.clone();
            move |reply| drop(out.send(Msg::Log(reply)))
        })?;
        let shared = Arc::new(Shared { context, program, host: Mutex::new(None), out });
        events::hangup(shared.out.clone())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (alive, ended) = channel();
        thread::Builder::new().name("backstage".to_owned()).spawn(move || {
            let _alive = alive;
            runtime.block_on(async {
                tokio::spawn(events::terminal(shared.out.clone(), control));
                tokio::spawn(events::signals(shared.out.clone()));
                serve(&shared, asked).await;
            });
            // What still works, a report say, is not waited for: it writes whole files or none.
            runtime.shutdown_background();
        })?;
        Ok(Self { effects: Some(effects), reading: Some(reading), log: Some(log), ended })
    }

    /// Asks for something.
    pub fn ask(&self, effect: Effect) {
        match effect {
            Effect::Log(request) => {
                if let Some(log) = &self.log {
                    drop(log.send(request));
                }
            }
            effect => {
                if let Some(effects) = &self.effects {
                    drop(effects.send(effect));
                }
            }
        }
    }

    /// Leaves the terminal to somebody else; returns once nobody here reads it.
    pub fn pause(&self) {
        let (paused, done) = oneshot::channel();
        if let Some(reading) = &self.reading
            && reading.send(Reading::Pause(paused)).is_ok()
        {
            drop(done.blocking_recv());
        }
    }

    /// Reads the terminal again.
    pub fn resume(&self) {
        if let Some(reading) = &self.reading {
            drop(reading.send(Reading::Resume));
        }
    }
}

impl Drop for Backstage {
    fn drop(&mut self) {
        (self.effects, self.reading, self.log) = (None, None, None);
        // Not longer: whoever reads a terminal that is gone may never come back from it. The process takes it along.
        let _ended = self.ended.recv_timeout(FAREWELL);
    }
}

/// Does what is asked for until nobody asks any more.
async fn serve(shared: &Arc<Shared>, mut asked: UnboundedReceiver<Effect>) {
    let _watch = Watch::start(folders(shared), {
        let shared = Arc::clone(shared);
        move |changed| tell(&shared, &changed)
    });
    let mut feed: Option<Feed> = None;
    let mut sampling: Option<tokio::task::JoinHandle<()>> = None;
    while let Some(effect) = asked.recv().await {
        match effect {
            Effect::Open(ticket, run) => {
                feed = Some(Feed::start(shared.context.clone(), run, ticket, shared.out.clone()));
            }
            Effect::Close => feed = None,
            Effect::Sample(how) => {
                if let Some(task) = sampling.take() {
                    task.abort();
                }
                sampling = (how != Sampling::Off).then(|| tokio::spawn(sample(Arc::clone(shared), how)));
            }
            effect => {
                let shared = Arc::clone(shared);
                tokio::task::spawn_blocking(move || errands::run(&shared, effect));
            }
        }
    }
    drop(feed);
}

/// All folders whose files are read, and that of the runs.
fn folders(shared: &Shared) -> Folders {
    let mut folders = Folders::of(&shared.context.workspace, None);
    folders.elsewhere.push(shared.context.runs.clone());
    if let Some(config) = &shared.context.config {
        folders.elsewhere.push(config.join("ui-themes"));
    }
    folders
}

fn tell(shared: &Shared, changed: &Changed) {
    let (runs, documents): (Vec<_>, Vec<_>) =
        changed.paths.iter().partition(|path| shared.context.workspace.join(path).starts_with(&shared.context.runs));
    if !runs.is_empty() || changed.everything {
        shared.send(Msg::RunsChanged);
    }
    let mut files: Vec<String> = documents
        .into_iter()
        .map(|path| crate::domain::sanitize::escaped(&path.display().to_string()).into_owned())
        .collect();
    if changed.everything {
        files.push("the workspace".to_owned());
    }
    if !files.is_empty() {
        shared.send(Msg::Changed(files));
    }
}

async fn sample(shared: Arc<Shared>, how: Sampling) {
    let mut sampler = Sampler::new(shared.context.roots.clone());
    loop {
        let looked = tokio::task::spawn_blocking(move || {
            let telemetry = sampler.sample();
            (sampler, telemetry)
        });
        let Ok((back, telemetry)) = looked.await else { return };
        sampler = back;
        shared.send(Msg::Telemetry(Box::new(telemetry)));
        if how == Sampling::Once {
            return;
        }
        tokio::time::sleep(SAMPLED).await;
    }
}

/// The host's clock.
pub fn now() -> Timestamp {
    Timestamp::new(Utc::now())
}
