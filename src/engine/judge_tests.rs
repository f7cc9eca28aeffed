//! The verdict table of `formats.md`, row by row.

use std::collections::BTreeMap;

use super::*;
use crate::domain::adapter::ExitCodes;
use crate::domain::param::Decimal;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn number(text: &str) -> Option<Reference> {
    Decimal::parse(text).map(Reference::Number)
}

fn exit(code: i32) -> Seen {
    Seen { exit_code: Some(code), ..Seen::default() }
}

fn died(signal: i32) -> Seen {
    Seen { signal: Some(signal), ..Seen::default() }
}

fn printed(code: i32, stdout: &[(&str, &str)]) -> Seen {
    let stdout = stdout.iter().map(|(pattern, found)| ((*pattern).to_owned(), (*found).to_owned())).collect();
    Seen { stdout, ..exit(code) }
}

fn ended(cause: EndCause) -> Seen {
    Seen { ending: Ending { cause: Some(cause), ..Ending::default() }, ..died(15) }
}

fn with_params(rules: &Judgement, params: &[(&str, ParamValue)], seen: &Seen) -> (Verdict, String, String) {
    let params = params.iter().map(|(param, value)| (name(param), value.clone())).collect();
    let outcome = judge(rules, &params, seen);
    let effects: Vec<String> = outcome.effects.iter().map(ToString::to_string).collect();
    assert_eq!(outcome.error.is_some(), outcome.verdict == Verdict::Error);
    (outcome.verdict, outcome.reason.unwrap_or_default(), effects.join(" "))
}

fn check(rules: &Judgement, seen: &Seen, verdict: Verdict, reason: &str, effects: &str) {
    assert_eq!(with_params(rules, &[], seen), (verdict, reason.to_owned(), effects.to_owned()));
}

#[test]
fn exit_codes_listed_and_not() {
    let codes = ExitCodes { pass: vec![0, 3], fail: vec![1], skip: vec![77], error: vec![2, 64] };
    let rules = Judgement { exit_codes: codes, ..Judgement::default() };
    for code in [0, 3] {
        check(&rules, &exit(code), Verdict::Pass, "", "");
    }
    check(&rules, &exit(1), Verdict::Fail, "exit code 1", "");
    check(&rules, &exit(5), Verdict::Fail, "exit code 5", "");
    check(&rules, &exit(77), Verdict::Skipped, "exit code 77", "");
    check(&rules, &exit(64), Verdict::Error, "exit code 64", "");
    for code in [126, 127] {
        let reason = format!("exit code {code}: a command was not found or not executable");
        check(&rules, &exit(code), Verdict::Error, &reason, "");
    }
    check(&rules, &Seen::default(), Verdict::Error, "it is not known how it ended", "");
}

#[test]
fn deaths() {
    let rules = Judgement::default();
    for (signal, shown) in [(4, "SIGILL"), (6, "SIGABRT"), (7, "SIGBUS"), (8, "SIGFPE"), (11, "SIGSEGV")] {
        check(&rules, &died(signal), Verdict::Fail, &format!("died of {shown}"), "ac");
    }
    check(&rules, &died(13), Verdict::Fail, "died of SIGPIPE", "");
    check(&rules, &died(40), Verdict::Fail, "died of signal 40", "");
    for (signal, shown) in [(9, "SIGKILL"), (15, "SIGTERM")] {
        check(&rules, &died(signal), Verdict::Error, &format!("ended by {shown} that Road Runner did not send"), "");
    }
}

#[test]
fn ended_by_us() {
    let rules = Judgement::default();
    let limit = ended(EndCause::TimeLimit(30_000));
    check(&rules, &limit, Verdict::Timeout, "still running at its time limit of 30s", "");
    check(&rules, &ended(EndCause::Silence(1500)), Verdict::Timeout, "wrote nothing for 1.5s", "");
    check(&rules, &ended(EndCause::Log("full".to_owned())), Verdict::Error, "full", "");
    let interrupt = ended(EndCause::Cancelled(CancelReason::Interrupt));
    check(&rules, &interrupt, Verdict::Aborted, "interrupted by the operator", "");
    let record = ended(EndCause::Cancelled(CancelReason::RecordFailed));
    check(&rules, &record, Verdict::Error, "the record could not be written", "");
    // A hang that exits 0 when it is terminated is a hang, and one that crashes then has not crashed by itself.
    let graceful = Seen { signal: None, exit_code: Some(0), ..ended(EndCause::TimeLimit(1000)) };
    check(&rules, &graceful, Verdict::Timeout, "still running at its time limit of 1s", "");
    let crashing = Seen { signal: Some(11), ..ended(EndCause::TimeLimit(1000)) };
    check(&rules, &crashing, Verdict::Timeout, "still running at its time limit of 1s", "");
}

#[test]
fn proof_is_asked_for_only_of_a_pass() {
    let matches = |text: &str| Expectation::StdoutMatches(text.to_owned());
    let absent = |text: &str| Expectation::StdoutAbsent(text.to_owned());
    let rules = Judgement { expect: vec![matches("OK"), absent("skip")], ..Judgement::default() };
    check(&rules, &printed(0, &[("OK", "OK")]), Verdict::Pass, "", "");
    check(&rules, &exit(0), Verdict::Inconclusive, "no proof: stdout matches `OK`", "");
    let both = printed(0, &[("OK", "OK"), ("skip", "skip\u{1b}[2J")]);
    check(&rules, &both, Verdict::Inconclusive, "no proof: stdout has no `skip`, but skip[2J", "");
    check(&rules, &exit(1), Verdict::Fail, "exit code 1", "");
    let evidence = judge(&rules, &BTreeMap::new(), &exit(1)).evidence;
    let held: Vec<_> = evidence.iter().map(|one| (one.check.as_str(), one.held)).collect();
    let expected =
        [("exit code", Some(false)), ("stdout matches `OK`", Some(false)), ("stdout has no `skip`", Some(true))];
    assert_eq!(held, expected);
}

#[test]
fn durations_and_parameters() {
    let rules = |reference| Judgement { expect: vec![Expectation::MinDuration(reference)], ..Judgement::default() };
    let ran = |ms| Seen { ending: Ending { duration_ms: ms, ..Ending::default() }, ..exit(0) };
    let fixed = rules(number("100").unwrap());
    check(&fixed, &ran(100), Verdict::Pass, "", "");
    check(&fixed, &ran(99), Verdict::Inconclusive, "no proof: ran at least 100ms, but 99ms", "");
    let param = rules(Reference::Param(name("time")));
    let verdict = |value, ms| with_params(&param, &[("time", value)], &ran(ms)).0;
    assert_eq!(verdict(ParamValue::Int(2), 2000), Verdict::Pass, "a bare number is seconds");
    assert_eq!(verdict(ParamValue::Int(2), 1999), Verdict::Inconclusive);
    assert_eq!(verdict(ParamValue::Duration(Millis(500)), 500), Verdict::Pass);
    assert_eq!(verdict(ParamValue::Text("2".to_owned()), 5000), Verdict::Inconclusive);
    let reason = "no proof: ran at least time: 5000ms";
    check(&param, &ran(5000), Verdict::Inconclusive, reason, "");
}

fn metric(required: bool, min: Option<Reference>, max: Option<Reference>) -> MetricSpec {
    let source = MetricSource::StdoutRegex("r".to_owned());
    MetricSpec { name: name("rate"), unit: Some("1/s".to_owned()), source, min, max, required }
}

#[test]
fn metrics() {
    let rules = |spec| Judgement { metrics: vec![spec], ..Judgement::default() };
    let optional = rules(metric(false, number("1"), number("10")));
    check(&optional, &exit(0), Verdict::Pass, "", "");
    check(&optional, &printed(0, &[("r", "10")]), Verdict::Pass, "", "");
    check(&optional, &printed(0, &[("r", "0.5")]), Verdict::Fail, "metric rate in 1 .. 10, but 0.5", "");
    check(&optional, &printed(0, &[("r", "10.5")]), Verdict::Fail, "metric rate in 1 .. 10, but 10.5", "");
    check(&optional, &printed(2, &[("r", "10.5")]), Verdict::Fail, "exit code 2", "");
    let required = rules(metric(true, None, None));
    check(&required, &exit(0), Verdict::Inconclusive, "no proof: metric rate: not printed", "");
    let reason = "no proof: metric rate: `NaN` is no number";
    check(&required, &printed(0, &[("r", "NaN")]), Verdict::Inconclusive, reason, "");
    let measured = judge(&required, &BTreeMap::new(), &printed(1, &[("r", "7.25")])).metrics;
    assert_eq!(measured, BTreeMap::from([(name("rate"), Metric { value: 7.25, unit: Some("1/s".to_owned()) })]));
    let limit = rules(metric(false, Some(Reference::Param(name("least"))), None));
    let seen = printed(0, &[("r", "5")]);
    assert_eq!(with_params(&limit, &[("least", ParamValue::Int(6))], &seen).0, Verdict::Fail);
    assert_eq!(with_params(&limit, &[("least", ParamValue::Int(5))], &seen).0, Verdict::Pass);
    assert_eq!(with_params(&limit, &[], &seen).0, Verdict::Inconclusive, "a limit that nobody knows proves nothing");
}

#[test]
fn an_expected_metric() {
    let expectation = Expectation::Metric { metric: name("rate"), min: number("5"), max: None };
    let rules =
        Judgement { expect: vec![expectation], metrics: vec![metric(false, None, None)], ..Judgement::default() };
    check(&rules, &printed(0, &[("r", "5")]), Verdict::Pass, "", "");
    let reason = "no proof: metric rate at least 5, but 4";
    check(&rules, &printed(0, &[("r", "4")]), Verdict::Inconclusive, reason, "");
    check(&rules, &exit(0), Verdict::Inconclusive, "no proof: metric rate at least 5: not printed", "");
}

#[test]
fn effects_need_all_their_conditions() {
    let rule = EffectRule { exit: Some(1), stdout_matches: Some("MISMATCH".to_owned()), stderr_matches: None };
    let corrected = EffectRule { exit: None, stdout_matches: Some("CE".to_owned()), stderr_matches: None };
    let effects = BTreeMap::from([(Effect::Sdc, vec![rule]), (Effect::Ce, vec![corrected])]);
    let rules = Judgement { effects, ..Judgement::default() };
    check(&rules, &printed(1, &[("MISMATCH", "MISMATCH")]), Verdict::Fail, "exit code 1", "sdc");
    check(&rules, &printed(2, &[("MISMATCH", "MISMATCH")]), Verdict::Fail, "exit code 2", "");
    check(&rules, &exit(1), Verdict::Fail, "exit code 1", "");
    check(&rules, &printed(0, &[("CE", "CE")]), Verdict::Pass, "", "ce");
    let silent = EffectRule { exit: None, stdout_matches: Some("CE".to_owned()), stderr_matches: None };
    let rules = Judgement { effects: BTreeMap::from([(Effect::Sdc, vec![silent])]), ..Judgement::default() };
    check(&rules, &printed(0, &[("CE", "CE")]), Verdict::Fail, "effect sdc was seen", "sdc");
}

#[test]
fn signs_of_the_rig_count_where_the_unit_did_no_harm() {
    let rule =
        |pattern: &str| EffectRule { exit: None, stdout_matches: Some(pattern.to_owned()), stderr_matches: None };
    let effects = BTreeMap::from([(Effect::Sdc, vec![rule("MISMATCH")]), (Effect::Ce, vec![rule("CE")])]);
    let rig_errors =
        vec![EffectRule { exit: Some(1), ..rule("full") }, EffectRule { exit: Some(9), ..EffectRule::default() }];
    let rules = Judgement { effects, rig_errors, ..Judgement::default() };
    let full = ("full", "disk full");
    check(&rules, &printed(1, &[full]), Verdict::Error, "the rig failed: exit code 1; it said `disk full`", "");
    check(
        &rules,
        &printed(1, &[full, ("CE", "CE")]),
        Verdict::Error,
        "the rig failed: exit code 1; it said `disk full`",
        "ce",
    );
    check(&rules, &printed(1, &[full, ("MISMATCH", "MISMATCH")]), Verdict::Fail, "exit code 1", "sdc");
    check(&rules, &printed(2, &[full]), Verdict::Fail, "exit code 2", "");
    check(&rules, &exit(1), Verdict::Fail, "exit code 1", "");
    check(&rules, &exit(9), Verdict::Error, "the rig failed: exit code 9", "");
    let late =
        Seen { ending: Ending { cause: Some(EndCause::TimeLimit(5)), ..Ending::default() }, ..printed(1, &[full]) };
    check(&rules, &late, Verdict::Timeout, "still running at its time limit of 5ms", "");
    let any = Judgement { rig_errors: vec![rule("full")], ..Judgement::default() };
    check(&any, &printed(0, &[full]), Verdict::Error, "the rig failed: it said `disk full`", "");
    check(&any, &Seen { stdout: printed(0, &[full]).stdout, ..died(11) }, Verdict::Fail, "died of SIGSEGV", "ac");
}

#[test]
fn the_rig_outranks_and_what_is_left_is_told() {
    let rules = Judgement::default();
    let with = |code, ending| Seen { ending, ..exit(code) };
    let left = |left| Ending { left, ..Ending::default() };
    check(&rules, &with(0, left(1)), Verdict::Pass, "left 1 process", "");
    check(&rules, &with(1, left(3)), Verdict::Fail, "exit code 1; left 3 processes", "");
    let failed = Ending { restore_failed: Some("restore x failed".to_owned()), ..Ending::default() };
    check(&rules, &with(0, failed.clone()), Verdict::Error, "restore x failed", "");
    check(&rules, &with(1, failed), Verdict::Error, "exit code 1; restore x failed", "");
    let stuck = Ending { unkillable: true, cause: Some(EndCause::TimeLimit(1000)), ..Ending::default() };
    let reason = "still running at its time limit of 1s; some of its processes cannot be killed";
    check(&rules, &with(0, stuck), Verdict::Error, reason, "");
}
