//! The verdict of one execution from what was seen of it, exactly as `formats.md` has it. Pure.
//! Never reads a log by itself, never looks at other executions.

use std::collections::BTreeMap;

use crate::domain::adapter::{EffectRule, Expectation, Judgement, MetricSource, MetricSpec, Reference};
use crate::domain::event::{Evidence, Metric};
use crate::domain::evidence::rules::Finding;
use crate::domain::name::Name;
use crate::domain::param::ParamValue;
use crate::domain::sanitize;
use crate::domain::units::Millis;
use crate::domain::verdict::{CancelReason, Effect, Effects, Verdict};

use super::effect::{EndCause, Ending};
use super::leavings;
use super::scan::Matches;

/// What was seen of an execution.
#[derive(Debug, Default)]
pub struct Seen {
    /// The leader's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended the leader.
    pub signal: Option<i32>,
    /// How it came to its end.
    pub ending: Ending,
    /// Patterns found in standard output.
    pub stdout: Matches,
    /// Patterns found in standard error.
    pub stderr: Matches,
    /// Numbers read from files, by metric, or why not.
    pub files: BTreeMap<Name, Result<f64, String>>,
}

/// What it comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// How it ended.
    pub verdict: Verdict,
    /// What was seen.
    pub effects: Effects,
    /// Why this verdict; `None` for a plain pass.
    pub reason: Option<String>,
    /// Measured values.
    pub metrics: BTreeMap<Name, Metric>,
    /// What was checked.
    pub evidence: Vec<Evidence>,
    /// What went wrong with the rig.
    pub error: Option<String>,
}

/// Signals by which a program dies of its own fault: SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV.
const FAULTS: [i32; 5] = [4, 6, 7, 8, 11];
/// SIGKILL and SIGTERM: somebody else's doing.
const ENDED_FROM_OUTSIDE: [i32; 2] = [9, 15];

/// Judges an execution of a step with these parameters.
pub fn judge(rules: &Judgement, params: &BTreeMap<Name, ParamValue>, seen: &Seen) -> Outcome {
    let mut evidence = vec![];
    let measured = measure(rules, seen);
    let metrics = rules
        .metrics
        .iter()
        .filter_map(|spec| {
            let value = *measured.get(&spec.name)?.as_ref().ok()?;
            Some((spec.name.clone(), Metric { value, unit: spec.unit.clone() }))
        })
        .collect();
    let effects = effects(rules, seen);
    let (mut verdict, mut reason) = end(rules, seen);
    // What the unit did wrong is not undone by what the rig did.
    let harmed = effects.iter().any(|effect| *effect != Effect::Ce);
    if !harmed
        && matches!(verdict, Verdict::Pass | Verdict::Fail | Verdict::Skipped)
        && let Some(rule) = rules.rig_errors.iter().find(|rule| holds(rule, seen))
    {
        reason = Some(rig_error(rule, reason, seen));
        verdict = Verdict::Error;
    }
    if let Some(code) = seen.exit_code {
        let held = Some(rules.exit_codes.pass.contains(&code));
        evidence.push(Evidence { check: "exit code".to_owned(), held, found: Some(code.to_string()) });
    }
    let mut doubts = vec![];
    let mut faults = vec![];
    for expectation in &rules.expect {
        let one = expect(expectation, params, seen, &measured);
        if one.held != Some(true) {
            doubts.push(unmet(&one));
        }
        evidence.push(one);
    }
    for spec in &rules.metrics {
        let Some(value) = measured.get(&spec.name) else { continue };
        limits(spec, value, params, &mut evidence, &mut faults, &mut doubts);
    }
    // A declared sign of a wrong result or a lost one speaks louder than an exit code.
    let signs = effects.iter().filter(|effect| **effect != Effect::Ce);
    faults.extend(signs.map(|effect| format!("effect {effect} was seen")));
    if verdict == Verdict::Pass {
        if !faults.is_empty() {
            (verdict, reason) = (Verdict::Fail, Some(faults.join("; ")));
        } else if !doubts.is_empty() {
            (verdict, reason) = (Verdict::Inconclusive, Some(doubts.join("; ")));
        }
    }
    let mut error = (verdict == Verdict::Error).then(|| reason.clone()).flatten();
    for rig in rig_failures(&seen.ending) {
        verdict = Verdict::Error;
        append(&mut reason, rig.clone());
        append(&mut error, rig);
    }
    if seen.ending.left > 0 {
        let left = seen.ending.left;
        append(&mut reason, format!("left {left} process{}", if left == 1 { "" } else { "es" }));
    }
    Outcome { verdict, effects, reason, metrics, evidence, error }
}

fn append(text: &mut Option<String>, more: String) {
    *text = Some(match text.take() {
        Some(before) => format!("{before}; {more}"),
        None => more,
    });
}

fn rig_failures(ending: &Ending) -> Vec<String> {
    let unkillable = ending.unkillable.then(|| "some of its processes cannot be killed".to_owned());
    ending.restore_failed.iter().cloned().chain(unkillable).collect()
}

impl Outcome {
    /// Takes in what the hardware said meanwhile: it only ever makes a verdict graver, and a step that did not take place
    /// stays what it is.
    pub fn weigh(&mut self, finding: Finding) {
        self.effects.extend(finding.effects);
        let graver = finding.verdict.filter(|verdict| *verdict > self.verdict && self.verdict > Verdict::Skipped);
        self.verdict = graver.unwrap_or(self.verdict);
        if !finding.reasons.is_empty() {
            let said = self.reason.take().into_iter().chain(finding.reasons);
            self.reason = Some(said.collect::<Vec<_>>().join("; "));
        }
    }
}

/// How it ended, before proof is asked for.
fn end(rules: &Judgement, seen: &Seen) -> (Verdict, Option<String>) {
    let (verdict, reason) = match &seen.ending.cause {
        Some(EndCause::TimeLimit(ms)) => {
            (Verdict::Timeout, format!("still running at its time limit of {}", Millis(*ms)))
        }
        Some(EndCause::Silence(ms)) => (Verdict::Timeout, format!("wrote nothing for {}", Millis(*ms))),
        Some(EndCause::Log(why)) => (Verdict::Error, why.clone()),
        Some(EndCause::TooHot(why)) => (Verdict::Inconclusive, why.clone()),
        Some(EndCause::Cancelled(reason @ CancelReason::RecordFailed)) => (Verdict::Error, reason.words().to_owned()),
        Some(EndCause::Cancelled(reason)) => (Verdict::Aborted, reason.words().to_owned()),
        None => return end_by_itself(rules, seen),
    };
    (verdict, Some(reason))
}

fn end_by_itself(rules: &Judgement, seen: &Seen) -> (Verdict, Option<String>) {
    if let Some(signal) = seen.signal {
        let name = signal_name(signal);
        return if ENDED_FROM_OUTSIDE.contains(&signal) {
            (Verdict::Error, Some(format!("ended by {name} that Road Runner did not send")))
        } else {
            (Verdict::Fail, Some(format!("died of {name}")))
        };
    }
    let Some(code) = seen.exit_code else {
        return (Verdict::Error, Some("it is not known how it ended".to_owned()));
    };
    let codes = &rules.exit_codes;
    let listed = [
        (&codes.error, Verdict::Error),
        (&codes.fail, Verdict::Fail),
        (&codes.skip, Verdict::Skipped),
        (&codes.pass, Verdict::Pass),
    ];
    match listed.into_iter().find(|(codes, _)| codes.contains(&code)) {
        Some((_, Verdict::Pass)) => (Verdict::Pass, None),
        Some((_, verdict)) => (verdict, Some(format!("exit code {code}"))),
        None if code == 126 || code == 127 => {
            (Verdict::Error, Some(format!("exit code {code}: a command was not found or not executable")))
        }
        None => (Verdict::Fail, Some(format!("exit code {code}"))),
    }
}

/// Whether all conditions of a rule hold.
fn holds(rule: &EffectRule, seen: &Seen) -> bool {
    let found = |pattern: &Option<String>, matches: &Matches| {
        pattern.as_ref().is_none_or(|pattern| matches.contains_key(pattern))
    };
    rule.exit.is_none_or(|code| seen.exit_code == Some(code))
        && found(&rule.stdout_matches, &seen.stdout)
        && found(&rule.stderr_matches, &seen.stderr)
}

/// Why it is the rig's: how it ended, and what it said of it.
fn rig_error(rule: &EffectRule, ended: Option<String>, seen: &Seen) -> String {
    let said = |pattern: &Option<String>, matches: &Matches| {
        let found = matches.get(pattern.as_ref()?)?;
        Some(format!("it said `{}`", sanitize::line(found)))
    };
    let said = said(&rule.stdout_matches, &seen.stdout).or_else(|| said(&rule.stderr_matches, &seen.stderr));
    let parts: Vec<String> = ended.into_iter().chain(said).collect();
    if parts.is_empty() { "the rig failed".to_owned() } else { format!("the rig failed: {}", parts.join("; ")) }
}

fn effects(rules: &Judgement, seen: &Seen) -> Effects {
    let declared =
        rules.effects.iter().filter(|(_, any)| any.iter().any(|rule| holds(rule, seen))).map(|(effect, _)| *effect);
    let died = seen.ending.cause.is_none() && seen.signal.is_some_and(|signal| FAULTS.contains(&signal));
    declared.chain(died.then_some(Effect::Ac)).collect()
}

type Measured = BTreeMap<Name, Result<f64, String>>;

fn measure(rules: &Judgement, seen: &Seen) -> Measured {
    let one = |spec: &MetricSpec| {
        let found = match &spec.source {
            MetricSource::StdoutRegex(pattern) => seen.stdout.get(pattern),
            MetricSource::StderrRegex(pattern) => seen.stderr.get(pattern),
            MetricSource::File { .. } => {
                return seen.files.get(&spec.name).cloned().unwrap_or_else(|| Err("not read".to_owned()));
            }
        };
        let text = found.ok_or_else(|| "not printed".to_owned())?;
        leavings::parse(text).ok_or_else(|| format!("`{}` is no number", sanitize::line(text)))
    };
    rules.metrics.iter().map(|spec| (spec.name.clone(), one(spec))).collect()
}

/// The number that a reference stands for; `duration` makes bare numbers of parameters seconds.
fn number(reference: &Reference, params: &BTreeMap<Name, ParamValue>, duration: bool) -> Option<f64> {
    match reference {
        Reference::Number(number) => Some(number.to_f64()),
        Reference::Param(name) => {
            let value = params.get(name)?;
            let bare = matches!(value, ParamValue::Int(_) | ParamValue::Float(_));
            Some(value.number()? * if duration && bare { 1000.0 } else { 1.0 })
        }
    }
}

/// Compares with a limit; a limit that names a parameter without a number cannot be checked.
fn within(
    value: f64,
    limit: Option<&Reference>,
    params: &BTreeMap<Name, ParamValue>,
    holds: fn(f64, f64) -> bool,
) -> Option<bool> {
    limit.map_or(Some(true), |limit| number(limit, params, false).map(|limit| holds(value, limit)))
}

fn both(low: Option<bool>, high: Option<bool>) -> Option<bool> {
    if low == Some(false) || high == Some(false) { Some(false) } else { low.and(high) }
}

fn range(
    value: f64,
    min: Option<&Reference>,
    max: Option<&Reference>,
    params: &BTreeMap<Name, ParamValue>,
) -> Option<bool> {
    both(within(value, min, params, |v, l| v >= l), within(value, max, params, |v, l| v <= l))
}

fn words(min: Option<&Reference>, max: Option<&Reference>) -> String {
    let show = |reference: &Reference| match reference {
        Reference::Number(number) => number.to_string(),
        Reference::Param(name) => name.to_string(),
    };
    match (min.map(show), max.map(show)) {
        (Some(min), Some(max)) => format!(" in {min} .. {max}"),
        (Some(min), None) => format!(" at least {min}"),
        (None, Some(max)) => format!(" at most {max}"),
        (None, None) => " measured".to_owned(),
    }
}

fn expect(
    expectation: &Expectation,
    params: &BTreeMap<Name, ParamValue>,
    seen: &Seen,
    measured: &Measured,
) -> Evidence {
    let pattern = |stream: &str, pattern: &String, matches: &Matches, wanted: bool| {
        let found = matches.get(pattern).cloned();
        let verb = if wanted { "matches" } else { "has no" };
        Evidence { check: format!("{stream} {verb} `{pattern}`"), held: Some(found.is_some() == wanted), found }
    };
    match expectation {
        Expectation::StdoutMatches(text) => pattern("stdout", text, &seen.stdout, true),
        Expectation::StderrMatches(text) => pattern("stderr", text, &seen.stderr, true),
        Expectation::StdoutAbsent(text) => pattern("stdout", text, &seen.stdout, false),
        Expectation::StderrAbsent(text) => pattern("stderr", text, &seen.stderr, false),
        Expectation::MinDuration(reference) => {
            #[expect(clippy::cast_precision_loss, reason = "milliseconds of a step; 2^53 of them are 285,000 years")]
            let ran = seen.ending.duration_ms as f64;
            let least = number(reference, params, true);
            let shown = match reference {
                Reference::Number(number) => format!("{number}ms"),
                Reference::Param(name) => name.to_string(),
            };
            Evidence {
                check: format!("ran at least {shown}"),
                held: least.map(|least| ran >= least),
                found: Some(format!("{}ms", seen.ending.duration_ms)),
            }
        }
        Expectation::Metric { metric, min, max } => {
            let check = format!("metric {metric}{}", words(min.as_ref(), max.as_ref()));
            match measured.get(metric) {
                Some(Ok(value)) => {
                    let held = range(*value, min.as_ref(), max.as_ref(), params);
                    Evidence { check, held, found: Some(value.to_string()) }
                }
                Some(Err(why)) => Evidence { check, held: None, found: Some(why.clone()) },
                None => Evidence { check, held: None, found: None },
            }
        }
    }
}

fn unmet(evidence: &Evidence) -> String {
    match (evidence.held, &evidence.found) {
        (None, Some(found)) => format!("no proof: {}: {found}", evidence.check),
        (None, None) => format!("no proof: {} could not be checked", evidence.check),
        (_, Some(found)) => format!("no proof: {}, but {}", evidence.check, sanitize::line(found)),
        (_, None) => format!("no proof: {}", evidence.check),
    }
}

/// A metric's own limits and whether it must be there.
fn limits(
    spec: &MetricSpec,
    value: &Result<f64, String>,
    params: &BTreeMap<Name, ParamValue>,
    evidence: &mut Vec<Evidence>,
    faults: &mut Vec<String>,
    doubts: &mut Vec<String>,
) {
    let (min, max) = (spec.min.as_ref(), spec.max.as_ref());
    let name = &spec.name;
    match value {
        Err(why) if spec.required => {
            doubts.push(format!("no proof: metric {name}: {why}"));
            let found = Some(why.clone());
            evidence.push(Evidence { check: format!("metric {name} measured"), held: Some(false), found });
        }
        Ok(value) if min.is_some() || max.is_some() => {
            let held = range(*value, min, max, params);
            let check = format!("metric {name}{}", words(min, max));
            match held {
                Some(false) => faults.push(format!("{check}, but {value}")),
                None => doubts.push(format!("no proof: {check} could not be checked")),
                Some(true) => {}
            }
            evidence.push(Evidence { check, held, found: Some(value.to_string()) });
        }
        Ok(_) | Err(_) => {}
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        31 => "SIGSYS",
        other => return format!("signal {other}"),
    };
    name.to_owned()
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
