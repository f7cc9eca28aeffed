//! What has changed about a machine between two moments, in a fixed order, most telling first.
//! Pure; never judges whether a change matters, but leaves out what changes at every boot.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::source::Source;
use super::sysinfo::Snapshot;
use super::tools::ToolVersion;
use crate::domain::host::{HostFacts, Virtualized};

/// One difference. `None` is "not known then" or "not known now".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// What differs: `kernel`, `microcode`, `tool stress_ng`.
    pub what: String,
    /// What it was.
    pub then: Option<String>,
    /// What it is.
    pub now: Option<String>,
}

/// `kernel 6.8.0-45-generic -> 6.8.0-48-generic`
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |side: &Option<String>| side.clone().unwrap_or_else(|| "unknown".to_owned());
        write!(f, "{} {} -> {}", self.what, text(&self.then), text(&self.now))
    }
}

/// Differences between two snapshots: those of the facts, then command line, firmware, governors, tools.
pub fn between(then: &Snapshot, now: &Snapshot) -> Vec<Drift> {
    let mut drifts = Drifts(between_facts(&then.host, &now.host));
    drifts.add("command line", then.command_line.value().cloned(), now.command_line.value().cloned());
    for name in ["bios_version", "bios_date"] {
        let of = |snapshot: &Snapshot| snapshot.firmware.value().and_then(|fields| fields.get(name).cloned());
        drifts.add(&name.replace('_', " "), of(then), of(now));
    }
    drifts.add("governor", governor(then), governor(now));
    // A tool that only one of the two used says nothing about the machine: plans differ, too.
    for (name, was) in &then.tools {
        if let Some(is) = now.tools.get(name) {
            drifts.add(&format!("tool {name}"), version(was), version(is));
        }
    }
    drifts.0
}

/// Differences between two hosts' facts. A plan has the facts of its host, so it can be compared before
/// anything is asked of the machine but these.
pub fn between_facts(then: &HostFacts, now: &HostFacts) -> Vec<Drift> {
    let number = |value: Option<u32>| value.map(|n| n.to_string());
    let mut drifts = Drifts(Vec::new());
    drifts.add("host", then.hostname.clone(), now.hostname.clone());
    drifts.add("cpu model", then.cpu_model.clone(), now.cpu_model.clone());
    drifts.add("cores", number(then.cores), number(now.cores));
    drifts.add("logical cpus", number(then.logical_cpus), number(now.logical_cpus));
    drifts.add("board", then.board.clone(), now.board.clone());
    drifts.add("kernel", then.kernel.clone(), now.kernel.clone());
    drifts.add("microcode", then.microcode.clone(), now.microcode.clone());
    if !same_memory(then.memory_bytes, now.memory_bytes) {
        let mib = |bytes: Option<u64>| bytes.map(|bytes| format!("{} MiB", bytes >> 20));
        drifts.add("memory", mib(then.memory_bytes), mib(now.memory_bytes));
    }
    drifts.add("hypervisor", hypervisor(then), hypervisor(now));
    drifts.0
}

struct Drifts(Vec<Drift>);

impl Drifts {
    fn add(&mut self, what: &str, then: Option<String>, now: Option<String>) {
        if then != now {
            self.0.push(Drift { what: what.to_owned(), then, now });
        }
    }
}

/// The kernel keeps a little more or less for itself at each boot; a module of memory is more than 1 %.
fn same_memory(then: Option<u64>, now: Option<u64>) -> bool {
    match (then, now) {
        (Some(then), Some(now)) => then.abs_diff(now) <= then.max(now) / 100,
        (then, now) => then == now,
    }
}

fn hypervisor(facts: &HostFacts) -> Option<String> {
    match facts.virtualized {
        Virtualized::Yes => Some(facts.hypervisor.clone().unwrap_or_else(|| "yes".to_owned())),
        Virtualized::No => Some("none".to_owned()),
        Virtualized::Unknown => None,
    }
}

fn governor(snapshot: &Snapshot) -> Option<String> {
    let mut names: Vec<&str> =
        snapshot.governors.value()?.iter().map(|count| count.setting.governor.as_str()).collect();
    names.dedup();
    Some(names.join(", "))
}

fn version(tool: &Source<ToolVersion>) -> Option<String> {
    tool.value().map(|version| version.first_line().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::command::Limits;
    use crate::host::source::tests::machine;
    use insta::assert_snapshot;

    fn snapshot() -> Snapshot {
        let (_dir, roots) = machine(&[
            ("proc/sys/kernel/hostname", "bench"),
            ("proc/sys/kernel/osrelease", "6.8.0-45-generic"),
            ("proc/cmdline", "quiet"),
            ("proc/cpuinfo", "processor : 0\nmodel name : AMD EPYC 9654\nmicrocode : 0x1\nflags : fpu\n"),
            ("proc/meminfo", "MemTotal: 65536000 kB"),
            ("sys/class/dmi/id/board_name", "H13DSH"),
            ("sys/class/dmi/id/bios_version", "3.1"),
            ("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "performance"),
            ("sys/devices/system/cpu/cpufreq/policy1/scaling_governor", "performance"),
        ]);
        let mut snapshot = Snapshot::take(&roots, &[], Limits::default());
        for name in ["memtester", "stress_ng"] {
            snapshot.tools.insert(name.to_owned(), tool("version 1"));
        }
        snapshot
    }

    fn tool(text: &str) -> Source<ToolVersion> {
        let value =
            ToolVersion { path: "/usr/bin/x".into(), args: Vec::new(), text: text.to_owned(), exit_code: Some(0) };
        Source::Available { value }
    }

    /// The drift that a change makes, a line each.
    fn check(change: impl FnOnce(&mut Snapshot)) -> String {
        let then = snapshot();
        let mut now = then.clone();
        change(&mut now);
        between(&then, &now).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_same_machine_has_not_drifted() {
        assert_eq!(check(|_| ()), "");
        // What differs at each boot, or because another plan uses other tools, is no drift.
        let reboot = check(|now| {
            now.boot_id = Source::Available { value: "another".to_owned() };
            now.uptime_ms = Source::Available { value: 1 };
            now.host.memory_bytes = now.host.memory_bytes.map(|bytes| bytes - (64 << 20));
            now.tools.remove("memtester");
            now.tools.insert("fio".to_owned(), tool("fio-3"));
        });
        assert_eq!(reboot, "");
    }

    #[test]
    fn everything_that_can_drift() {
        let drifted = check(|now| {
            now.host = HostFacts {
                hostname: Some("other".to_owned()),
                cpu_model: None,
                cores: Some(4),
                logical_cpus: Some(8),
                memory_bytes: Some(33_554_432_000),
                kernel: Some("6.8.0-48-generic".to_owned()),
                virtualized: Virtualized::Yes,
                hypervisor: Some("KVM".to_owned()),
                microcode: Some("0x2".to_owned()),
                board: Some("H13SSL".to_owned()),
                ..now.host.clone()
            };
            now.command_line = Source::Available { value: "quiet nosmt".to_owned() };
            now.firmware = Source::Denied { detail: "/sys/class/dmi/id".to_owned() };
            now.governors = Source::Absent { detail: "cpufreq".to_owned() };
            now.tools.insert("stress_ng".to_owned(), tool("version 2\nmore"));
            now.tools.insert("memtester".to_owned(), Source::Absent { detail: "memtester".to_owned() });
        });
        assert_snapshot!(drifted, @r#"
        host bench -> other
        cpu model AMD EPYC 9654 -> unknown
        cores unknown -> 4
        logical cpus 1 -> 8
        board H13DSH -> H13SSL
        kernel 6.8.0-45-generic -> 6.8.0-48-generic
        microcode 0x1 -> 0x2
        memory 64000 MiB -> 32000 MiB
        hypervisor none -> KVM
        command line quiet -> quiet nosmt
        bios version 3.1 -> unknown
        governor performance -> unknown
        tool memtester version 1 -> unknown
        tool stress_ng version 1 -> version 2
        "#);
    }
}
