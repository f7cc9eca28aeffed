//! What the runner does once an execution has ended: everything that it left is looked at, and judged by the manifest's rules.
//! A record that cannot be written is no evidence about the unit.

use std::time::Duration;

use crate::domain::adapter::MetricSource;
use crate::domain::verdict::Verdict;
use crate::engine::effect::{Ending, Judged, Usage};
use crate::engine::execution::Execution;
use crate::engine::judge::{Seen, judge};
use crate::engine::leavings;
use crate::engine::logs::Log;
use crate::engine::scan::{Matches, Patterns};

use super::Runner;

impl Runner<'_> {
    /// Judges the execution that has ended. What it left that cannot be read concerns the record, once; then the step
    /// is an error.
    pub(super) fn judge(&mut self, ending: Ending) -> Result<Judged, String> {
        let Some(mut execution) = self.execution.take() else {
            return Ok(Judged::never_ran(Verdict::Error, "nothing is known of it".to_owned()));
        };
        match self.judge_execution(&mut execution, ending) {
            Err(why) if self.record_error.is_some() => Ok(Judged::never_ran(Verdict::Error, why)),
            Err(why) => {
                self.execution = Some(execution);
                Err(why)
            }
            judged => judged,
        }
    }

    fn judge_execution(&mut self, execution: &mut Execution<'_>, ending: Ending) -> Result<Judged, String> {
        let before = execution.logs.sizes();
        let finished = execution.logs.finish(&self.syncer);
        let sizes = execution.logs.sizes();
        if sizes != before {
            self.index_logs(execution.start.index, sizes);
        }
        // A program whose own writes fail ends as if the unit had failed: with no room left its end is no evidence.
        let trouble = self.disk_trouble();
        if self.record_error.is_none() {
            finished.map_err(|error| error.to_string())?;
            if let Some(why) = &trouble {
                return Err(why.clone());
            }
        }
        let plan = self.plan.value();
        let adapter = plan.experiment.adapters.get(&execution.start.adapter).ok_or("the adapter is gone")?;
        let rules = &adapter.judgement;
        let (stdout, stderr) = (execution.logs.stdout(), execution.logs.stderr());
        let mut seen = Seen { ending, ..Seen::default() };
        if let Some(exit) = execution.exit() {
            seen.exit_code = exit.status.code();
            seen.signal = std::os::unix::process::ExitStatusExt::signal(&exit.status);
        }
        if let Some(patterns) = self.patterns.get(&execution.start.adapter) {
            let look = |log: &Log, patterns: &Patterns| {
                if patterns.is_empty() || log.written() == 0 {
                    return Ok(Matches::new());
                }
                let size = log.size().map_err(|error| error.to_string())?;
                patterns.search(log.file(), size).map_err(|error| format!("{}: {error}", log.path().display()))
            };
            seen.stdout = look(stdout, &patterns.stdout)?;
            seen.stderr = look(stderr, &patterns.stderr)?;
        }
        for metric in &rules.metrics {
            if let MetricSource::File { file, pointer } = &metric.source {
                seen.files.insert(metric.name.clone(), leavings::number(&execution.artifacts, file, pointer));
            }
        }
        let mut outcome = judge(rules, &execution.start.params, &seen);
        if let Some(why) = trouble {
            (outcome.verdict, outcome.error) = (Verdict::Error, Some(why.clone()));
            outcome.reason = Some(why);
        }
        let observed = self.watch.end();
        let finding = self.plan.bounds().evidence.judge(&observed);
        outcome.weigh(finding);
        // A folder that cannot be read has nothing to show.
        let artifacts = leavings::files(&execution.artifacts).unwrap_or_default();
        if !artifacts.is_empty() {
            self.syncer.tree(execution.artifacts.clone());
        }
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Ok(Judged {
            verdict: outcome.verdict,
            effects: outcome.effects,
            reason: outcome.reason,
            exit_code: seen.exit_code,
            signal: seen.signal,
            sizes,
            usage: execution.exit().map(|exit| Usage {
                user_ms: millis(exit.user),
                system_ms: millis(exit.system),
                max_rss_kb: exit.max_rss_kb,
            }),
            metrics: outcome.metrics,
            evidence: outcome.evidence,
            observed,
            artifacts,
            error: outcome.error,
        })
    }
}
