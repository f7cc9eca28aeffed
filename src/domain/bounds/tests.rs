//! Tests of the bounds in force: profiles tighten, ties apply together, stored bounds meet today's.

use std::sync::Arc;

use super::*;
use crate::domain::evidence::SourceId;
use crate::domain::evidence::rules::{CountRule, RuleParts, TemperatureRule};
use crate::domain::host::{HostFacts, MatchRules};
use crate::domain::kit::{self, name, placed};
use crate::domain::units::{Bytes, Microvolts, Millis};
use crate::domain::verdict::Verdict;

fn profile(profile: &str, priority: i64, rails: &[(&str, u64, u64)]) -> Profile {
    let file: Arc<str> = format!("policy/profiles/{profile}.yaml").into();
    let limits = kit::limits(&file, rails);
    Profile { name: name(profile), file, priority, rules: MatchRules::default(), limits }
}

fn base() -> SafetyPolicy {
    kit::policy(&[("core.voltage", 700, 1_100), ("core.frequency", 800, 4_200)])
}

fn rails(bounds: &Bounds) -> Vec<String> {
    let field = |rail: &Name, (field, bound): (&RailField, &Bound<Interval<u64>>)| {
        format!("{rail}.{field} {}..{} {}", bound.is.min, bound.is.max, bound.from.join(" "))
    };
    bounds.rails.iter().flat_map(|(rail, fields)| fields.iter().map(move |f| field(rail, f))).collect()
}

fn said(profiles: &[&Profile]) -> Vec<String> {
    let problems = in_force(&base(), profiles).unwrap_err();
    let related = |p: &Problem| p.related.iter().map(|(place, _)| place.to_string()).collect::<Vec<_>>().join(" and ");
    problems.iter().map(|p| format!("{}: {} and {}", p.place, p.message, related(p))).collect()
}

#[test]
fn a_profile_only_tightens() {
    let alone = in_force(&base(), &[]).unwrap();
    assert_eq!(
        rails(&alone.bounds),
        ["core.frequency 800..4200 policy/safety.yaml:11:3", "core.voltage 700..1100 policy/safety.yaml:10:3"]
    );
    let wider_below = profile("a", 0, &[("core.voltage", 600, 1_000)]);
    let both = in_force(&base(), &[&wider_below]).unwrap();
    assert_eq!(
        rails(&both.bounds),
        [
            "core.frequency 800..4200 policy/safety.yaml:11:3",
            "core.voltage 700..1000 policy/safety.yaml:10:3 policy/profiles/a.yaml:10:3"
        ]
    );
    let (low, high) = &both.rail_places[&(name("core"), RailField::Voltage)];
    assert_eq!(
        (low.to_string(), high.to_string()),
        ("policy/safety.yaml:10:3".to_owned(), "policy/profiles/a.yaml:10:3".to_owned())
    );
    let other = profile("b", 0, &[("core.voltage", 900, 5_000)]);
    let all = in_force(&base(), &[&other, &wider_below]).unwrap();
    assert_eq!(all.profiles, [name("a"), name("b")]);
    assert!(rails(&all.bounds)[1].starts_with("core.voltage 900..1000 "));
}

#[test]
fn what_cannot_be_intersected_names_both_files() {
    assert_eq!(
        said(&[&profile("a", 0, &[("mem.voltage", 1, 2)])]),
        ["policy/profiles/a.yaml:10:3: policy/safety.yaml has no bound for mem.voltage and policy/safety.yaml:1:1"]
    );
    assert_eq!(
        said(&[&profile("a", 0, &[("core.voltage", 1_101, 1_200)])]),
        ["policy/profiles/a.yaml:10:3: no value of core.voltage is allowed any more and policy/safety.yaml:10:3"]
    );
    let (low, high) = (profile("a", 0, &[("core.voltage", 700, 800)]), profile("b", 0, &[("core.voltage", 801, 900)]));
    assert_eq!(
        said(&[&low, &high]),
        ["policy/profiles/b.yaml:10:3: no value of core.voltage is allowed any more and policy/profiles/a.yaml:10:3"]
    );
}

#[test]
fn parameters_tighten_too_and_keep_their_type() {
    let mut base = base();
    kit::bound_param(&mut base.limits, "size", None, Some(ParamValue::Int(10)));
    let with = |param: &str, min, max| {
        let mut tight = profile("a", 0, &[]);
        kit::bound_param(&mut tight.limits, param, min, max);
        in_force(&base, &[&tight])
            .map(|b| b.bounds.params.iter().map(|(k, b)| format!("{k} {}", b.is.shown())).collect())
    };
    let shown = |param, min, max| -> Vec<String> { with(param, min, max).unwrap() };
    assert_eq!(shown("size", Some(ParamValue::Int(3)), Some(ParamValue::Int(20))), ["size 3 .. 10"]);
    assert_eq!(shown("a.size", None, Some(ParamValue::Int(5))), ["size at most 10", "a.size at most 5"]);
    let refused = |min, max| -> Result<Vec<String>, _> { with("size", min, max) };
    assert!(refused(Some(ParamValue::Int(11)), None).is_err());
    assert!(refused(None, Some(ParamValue::Voltage(Microvolts(5)))).is_err());
}

#[test]
fn the_smallest_limit_of_all_documents_holds() {
    let mut base = base();
    base.limits.max_subruns = Some(placed(50));
    let mut tight = profile("a", 0, &[]);
    tight.limits.max_subruns = Some(placed(70));
    tight.limits.max_step_timeout = Some(placed(Millis(5)));
    let bounds = in_force(&base, &[&tight]).unwrap().bounds;
    assert_eq!((bounds.max_subruns.is, bounds.max_step_timeout.is), (50, Millis(5)));
    assert_eq!((bounds.max_log.is, bounds.max_log.from), (Bytes(256 << 20), vec!["default".to_owned()]));
}

#[test]
fn rules_of_evidence_only_tighten() {
    let parts = |max_mc: i64, counts: &[(SourceId, u64, Verdict)]| {
        let temperature = TemperatureRule { max_mc, cool_to_mc: max_mc - 10_000, cool_for_ms: Millis(1_000) };
        let rule = |(source, above, verdict): &(SourceId, u64, Verdict)| {
            (*source, CountRule { above: *above, verdict: *verdict })
        };
        let counts = counts.iter().map(rule).collect();
        Some(placed(RuleParts { lag: None, counts, temperature: Some(temperature) }))
    };
    let mut base = base();
    let lenient = [(SourceId::EdacUe, 5, Verdict::Inconclusive), (SourceId::Throttle, 3, Verdict::Inconclusive)];
    base.limits.evidence = parts(95_000, &lenient);
    let alone = in_force(&base, &[]).unwrap().bounds.evidence;
    assert_eq!(alone.edac_ue, CountRule { above: 5, verdict: Verdict::Inconclusive }, "a base may say what it likes");
    assert_eq!(
        alone.aer_uncorrected,
        EvidenceRules::default().aer_uncorrected,
        "what it does not name has the defaults"
    );
    let mut tight = profile("a", 0, &[]);
    tight.limits.evidence =
        parts(90_000, &[(SourceId::EdacUe, 9, Verdict::Fail), (SourceId::EdacCe, 20, Verdict::Fail)]);
    let both = in_force(&base, &[&tight]).unwrap().bounds.evidence;
    assert_eq!(both.edac_ue, CountRule { above: 5, verdict: Verdict::Fail });
    assert_eq!(both.edac_ce, CountRule { above: 20, verdict: Verdict::Fail });
    assert_eq!(both.throttle, alone.throttle, "what a profile does not name stays");
    assert_eq!(both.temperature.map(|rule| rule.max_mc), Some(90_000));
    tight.limits.evidence = parts(99_000, &[(SourceId::EdacUe, 0, Verdict::Pass)]);
    let both = in_force(&base, &[&tight]).unwrap().bounds.evidence;
    assert_eq!((both.edac_ue, both.temperature.map(|rule| rule.max_mc)), (alone.edac_ue, Some(95_000)));
}

#[test]
fn the_highest_priority_applies_and_ties_apply_together() {
    let (low, high) = (profile("low", 1, &[]), profile("z-high", 50, &[]));
    let (tie, mut other) = (profile("tie", 50, &[]), profile("other", 99, &[]));
    other.rules.arch = Some("riscv64".to_owned());
    let facts = HostFacts { arch: Some("x86_64".to_owned()), ..HostFacts::default() };
    let told: Vec<String> = candidates(&[&high, &low, &tie, &other], &facts)
        .iter()
        .map(|c| format!("{} matches {} applies {}", c.profile.name, c.matches, c.applies))
        .collect();
    assert_eq!(
        told,
        [
            "low matches true applies false",
            "other matches false applies false",
            "tie matches true applies true",
            "z-high matches true applies true"
        ]
    );
}

#[test]
fn stored_bounds_meet_todays() {
    let of = |rails: &[(&str, u64, u64)], size: Option<i64>| {
        let mut base = kit::policy(rails);
        base.limits.max_subruns = Some(placed(rails.len() as u64));
        if let Some(size) = size {
            kit::bound_param(&mut base.limits, "size", None, Some(ParamValue::Int(size)));
        }
        kit::bounds(&base).bounds
    };
    let stored = of(&[("core.voltage", 700, 1_000), ("soc.voltage", 1, 2), ("mem.voltage", 1, 5)], Some(10));
    let today = of(&[("core.voltage", 800, 1_100), ("mem.frequency", 1, 2)], Some(7));
    let both = stored.intersect(&today).unwrap();
    assert_eq!(rails(&both), ["core.voltage 800..1000 policy/safety.yaml:10:3"], "what either lacks has no bound");
    assert_eq!(both.max_subruns.is, 2);
    assert_eq!(both.params[&kit::param_key("size")].is.shown(), "at most 7");
    assert_eq!(stored.intersect(&stored), Some(stored.clone()));
    let apart = stored.intersect(&of(&[("core.voltage", 1_001, 1_100)], None)).unwrap();
    let left = apart.rails[&name("core")][&RailField::Voltage].is;
    assert!((0..2_000).all(|value| !left.contains(value)), "{left:?}");
    let mut other = of(&[], None);
    let floor = ParamBound { max: None, min: Some(ParamValue::Int(11)) };
    other.params.insert(kit::param_key("size"), Bound { from: vec![], is: floor });
    assert_eq!(stored.intersect(&other), None);
    // What one side alone bounds stays bounded.
    assert_eq!(stored.intersect(&of(&[], None)).unwrap().params.len(), 1);
    assert_eq!(of(&[], None).intersect(&stored).unwrap().params.len(), 1);
}

#[test]
fn bounds_of_parameters_hold_values_of_their_type_alone() {
    let bound = ParamBound { max: Some(ParamValue::Int(5)), min: Some(ParamValue::Int(-5)) };
    let check = |value: ParamValue, holds: bool| assert_eq!(bound.contains(&value), holds, "{value:?}");
    check(ParamValue::Int(5), true);
    check(ParamValue::Int(-5), true);
    check(ParamValue::Int(6), false);
    check(ParamValue::Text("3".to_owned()), false);
    check(ParamValue::Bool(true), false);
    assert_eq!(ParamBound { max: None, min: None }.shown(), "unbounded");
}
