//! What the runner does about a step that a dead runner left in flight: its restore commands, its logs brought to their end,
//! and what can be found of how the host or the runner died. The step is over; nothing of it is started again here.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::domain::event::Evidence;
use crate::domain::sanitize;
use crate::domain::time::Timestamp;
use crate::domain::verdict::{Effect as Seen, Effects, Verdict};
use crate::engine::effect::{Judged, LeftBehind, Start};
use crate::engine::leavings;
use crate::engine::logs::{self, LogSizes};
use crate::engine::restore;
use crate::host::last_words::{self, LastWords, Saved};
use crate::host::source::Source;
use crate::store::StoreError;
use crate::store::atomic;
use crate::store::layout::{ExecutionName, SubRunDir};

use super::Runner;
use super::room::said;

/// Below the artifact folder of the step: what a host left that went down.
const LAST_WORDS: &str = "last_words";

impl Runner<'_> {
    /// Looks at a step that was in flight. The second is whether its restore commands ran.
    pub(super) async fn look_back(&mut self, left: LeftBehind) -> Result<(Judged, Result<(), String>), String> {
        let Some(dir) = self.sub_run.as_ref().map(|sub_run| sub_run.dir.clone()) else {
            return Err("the sub-run's directory is not there".to_owned());
        };
        let LeftBehind { start, boot_id, at } = left;
        let name = ExecutionName::new(start.index, self.plan.value().experiment.executions(), start.step.as_str());
        let artifacts = dir.create_artifacts(&name).map_err(said)?;
        let restored = self.restore_left(&dir, &name, &start, &artifacts).await;
        self.sub_run.iter_mut().for_each(|sub_run| sub_run.has_files = true);
        let cap = self.plan.bounds().max_log.is.0;
        let size = |path: &Path| logs::settle(path, cap).map_err(|error| error.to_string());
        let sizes = LogSizes { stdout: size(&dir.stdout(&name))?, stderr: size(&dir.stderr(&name))? };
        let mut judged = match (boot_id, &self.boot_id) {
            (Some(then), Some(now)) if then == *now => {
                let mut judged = Judged::never_ran(Verdict::Error, "the runner died".to_owned());
                judged.evidence.push(boot(Some(true), &then, now));
                judged
            }
            (Some(then), Some(now)) => {
                let mut judged =
                    Judged::never_ran(Verdict::Crashed, "the host went down while it was in flight".into());
                judged.effects = Effects::from([Seen::Sc]);
                judged.evidence.push(boot(Some(false), &then, now));
                judged.evidence.extend(self.last_words(&artifacts, at)?);
                judged
            }
            (then, now) => {
                let why = "the runner died; whether the host went down cannot be told";
                let mut judged = Judged::never_ran(Verdict::Error, why.to_owned());
                let text = |id: Option<String>| id.unwrap_or_else(|| "unknown".to_owned());
                judged.evidence.push(boot(None, &text(then), &text(now.clone())));
                judged
            }
        };
        // Nobody has asked for that of what the dead runner's step wrote last.
        self.syncer.tree(artifacts.clone());
        for log in [dir.stdout(&name), dir.stderr(&name)] {
            self.syncer.log(&log);
        }
        judged.sizes = sizes;
        judged.artifacts = leavings::files(&artifacts).unwrap_or_default();
        if let Err(why) = &restored {
            judged.verdict = judged.verdict.max(Verdict::Error);
            judged.error = Some(why.clone());
        }
        Ok((judged, restored))
    }

    /// Runs the restore commands of a step that was in flight.
    async fn restore_left(
        &self,
        dir: &SubRunDir,
        name: &ExecutionName,
        start: &Start,
        artifacts: &Path,
    ) -> Result<(), String> {
        let plan = self.plan.value();
        let Some(adapter) = plan.experiment.adapters.get(&start.adapter) else { return Ok(()) };
        let id = dir.root().file_name().unwrap_or_default().to_string_lossy();
        let environment = self.environment.of(&adapter.env, &id, start, artifacts);
        let log = dir.restore_log(name);
        let at = restore::At { folder: artifacts, environment: &environment, log: &log };
        self.run_restore(adapter, &at).await
    }

    /// Keeps what is left of the host that went down beside the step's artifacts, and says what there was.
    fn last_words(&self, artifacts: &Path, since: Timestamp) -> Result<Vec<Evidence>, String> {
        let LastWords { uptime_ms, pstore, archived, kernel_log } = last_words::gather(&self.roots, since);
        let mut files = BTreeMap::new();
        let found = uptime_ms.map(|ms| format!("up for {} s", ms / 1000));
        let mut evidence = vec![heard("uptime", &found)];
        for (what, prefix, saved) in
            [("pstore", "pstore", pstore), ("pstore, as systemd keeps it", "archived", archived)]
        {
            let names = saved.map(|all| {
                let names: Vec<String> = all.iter().map(|(name, _)| sanitize::line(name).into_owned()).collect();
                let named = |(name, bytes): Saved| (format!("{prefix}-{}", name.replace('/', "_")), bytes);
                files.extend(all.into_iter().map(named));
                if names.is_empty() { "empty".to_owned() } else { names.join(", ") }
            });
            evidence.push(heard(what, &names));
        }
        let lines = kernel_log.map(|text| {
            let lines = memchr::memchr_iter(b'\n', &text).count();
            files.insert("kernel.log".to_owned(), text);
            format!("{lines} lines")
        });
        evidence.push(heard("kernel log of the boot before", &lines));
        if !files.is_empty() {
            let folder = artifacts.join(LAST_WORDS);
            fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
            for (name, bytes) in files {
                let write = |target: &mut dyn std::io::Write| {
                    target.write_all(&bytes).map_err(StoreError::io("write", &folder))
                };
                atomic::replace_with(&folder.join(name), write).map_err(said)?;
            }
        }
        Ok(evidence)
    }
}

fn boot(held: Option<bool>, then: &str, now: &str) -> Evidence {
    let found = if then == now { then.to_owned() } else { format!("{then}, now {now}") };
    Evidence { check: "boot id".to_owned(), held, found: Some(found) }
}

/// What was heard says nothing for or against the unit: it is there to be read, or it is not.
fn heard(what: &str, source: &Source<String>) -> Evidence {
    let found = match source {
        Source::Available { value } => value.clone(),
        Source::Absent { detail } => format!("not there: {detail}"),
        Source::Denied { detail } => format!("may not be read: {detail}"),
        Source::Error { detail } => detail.clone(),
    };
    Evidence { check: what.to_owned(), held: None, found: Some(found) }
}
