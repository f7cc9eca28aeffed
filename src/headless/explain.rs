//! The policy in force on a host, explained: host, candidates with their rules, bounds with file and line.

use std::fmt::Write as _;

use crate::commands::policy::{CandidateRow, Explained};
use crate::domain::evidence::rules::{EvidenceRules, TemperatureRule};
use crate::domain::host::HostFacts;
use crate::domain::sanitize;
use crate::domain::units::Millidegrees;
use crate::domain::verdict::Verdict;
use crate::headless::tables::Table;

/// The explanation for people.
pub fn text(explained: &Explained) -> String {
    let mut out = String::from("this host\n");
    out.push_str(&host(&explained.host).text());
    out.push_str("\nhardware profiles\n");
    if explained.candidates.is_empty() {
        out.push_str("  none in policy/profiles/\n");
    }
    for candidate in &explained.candidates {
        self::candidate(&mut out, candidate);
    }
    let applied: Vec<&str> = explained.candidates.iter().filter(|c| c.applies).map(|c| c.name.as_str()).collect();
    let with = if applied.is_empty() { "no profile".to_owned() } else { applied.join(", ") };
    let _ = writeln!(out, "\nbounds in force: {}, tightened by {with}", explained.policy);
    out.push_str(&bounds(explained).text());
    out.push_str("\nevidence, of one step\n");
    out.push_str(&evidence(&explained.bounds.evidence).text());
    out
}

fn host(facts: &HostFacts) -> Table {
    let mut table = Table::indented(2);
    let number = |value: Option<u64>| value.map(|number| number.to_string());
    let rows = [
        ("hostname", facts.hostname.clone()),
        ("cpu_vendor", facts.cpu_vendor.clone()),
        ("cpu_model", facts.cpu_model.clone()),
        ("arch", facts.arch.clone()),
        ("cores", number(facts.cores.map(u64::from))),
        ("memory_bytes", number(facts.memory_bytes)),
        ("kernel", facts.kernel.clone()),
        ("virtual", Some(facts.virtualized.to_string())),
        ("hypervisor", facts.hypervisor.clone()),
    ];
    for (name, value) in rows {
        table.row([name, value.as_deref().unwrap_or("unknown")]);
    }
    table
}

fn candidate(out: &mut String, candidate: &CandidateRow) {
    let result = match (candidate.applies, candidate.matches) {
        (true, _) => "applies",
        (false, true) => "matches, but another has a higher priority",
        (false, false) => "does not match",
    };
    let _ = writeln!(
        out,
        "  {}  priority {}  {result}  {}",
        candidate.name,
        candidate.priority,
        sanitize::escaped(&candidate.file)
    );
    if candidate.rules.is_empty() {
        out.push_str("      no rule: for every host\n");
    }
    for rule in &candidate.rules {
        let _ = writeln!(out, "      {}", sanitize::escaped(&rule.to_string()));
    }
}

fn bounds(explained: &Explained) -> Table {
    let bounds = &explained.bounds;
    let mut table = Table::indented(2);
    let mut add = |name: String, allowed: String, from: &[String]| table.row([name, allowed, from.join(", ")]);
    for (rail, fields) in &bounds.rails {
        for (field, bound) in fields {
            let allowed = format!("{} .. {}", field.show(bound.is.min), field.show(bound.is.max));
            add(format!("{rail}.{field}"), allowed, &bound.from);
        }
    }
    for (key, bound) in &bounds.params {
        add(key.to_string(), bound.is.shown(), &bound.from);
    }
    add("max_subruns".to_owned(), format!("at most {}", bounds.max_subruns.is), &bounds.max_subruns.from);
    add(
        "max_step_timeout".to_owned(),
        format!("at most {}", bounds.max_step_timeout.is),
        &bounds.max_step_timeout.from,
    );
    add("max_log".to_owned(), format!("at most {}", bounds.max_log.is), &bounds.max_log.from);
    table
}

/// What follows from what the hardware says.
fn evidence(rules: &EvidenceRules) -> Table {
    let mut table = Table::indented(2);
    for (source, rule) in rules.counts() {
        let follows = match rule.verdict {
            Verdict::Pass => "noted".to_owned(),
            verdict => format!("at least {verdict}"),
        };
        table.row([source.to_string(), format!("above {}", rule.above), follows]);
    }
    let [hot, then] = match rules.temperature {
        None => ["any".to_owned(), "noted".to_owned()],
        Some(TemperatureRule { max_mc, cool_to_mc, cool_for_ms }) => [
            format!("above {}", degrees(max_mc)),
            format!("ends the step, then cools to {} within {cool_for_ms}", degrees(cool_to_mc)),
        ],
    };
    table.row(["temperature".to_owned(), hot, then]);
    table.row([
        "lag".to_owned(),
        rules.lag_ms.to_string(),
        "waited after a step where errors are counted late".to_owned(),
    ]);
    table
}

fn degrees(millidegrees: i64) -> String {
    Millidegrees(u64::try_from(millidegrees).unwrap_or(0)).to_string()
}
