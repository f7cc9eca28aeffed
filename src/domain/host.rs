//! What is known of a machine, and the rules by which a hardware profile names the machines it is for.
//! Plain values and pure judging: never reads the machine, and never takes an unknown fact for a match.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::units::Bytes;

/// What is known of a host, for matching, for records and for telling two machines apart. `None` is
/// "could not be found out", which is never the same as zero or empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct HostFacts {
    /// The node name, as `uname -n` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// `AuthenticAMD`, `GenuineIntel`, `ARM`, as `lscpu` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_vendor: Option<String>,
    /// The model name. A machine with several kinds of core has them all, ` + ` between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_model: Option<String>,
    /// `x86_64`, `aarch64`, as `uname -m` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// Physical cores over all sockets; threads of one core count once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Logical CPUs that are online.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logical_cpus: Option<u32>,
    /// Populated sockets. Unknown where the firmware does not say, and with several kinds of core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sockets: Option<u32>,
    /// Memory the kernel can use (`MemTotal`), in bytes: a little less than what is fitted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// The kernel release, as `uname -r` says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// Whether this is a virtual machine.
    pub virtualized: Virtualized,
    /// Who made the hypervisor, when there is one that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hypervisor: Option<String>,
    /// Microcode revision as the kernel prints it; several, comma between, when the CPUs differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub microcode: Option<String>,
    /// Maker and name of the board.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
}

/// Whether a machine is virtual. Not every architecture can tell, so "no" needs evidence too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Virtualized {
    /// A hypervisor shows itself.
    Yes,
    /// Something that would show a hypervisor was read, and shows none.
    No,
    /// Nothing that would show a hypervisor could be read.
    #[default]
    Unknown,
}

impl fmt::Display for Virtualized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Unknown => "unknown",
        })
    }
}

/// A kernel version as a rule writes it: one to four whole numbers with dots between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KernelVersion(Vec<u32>);

/// Why a text is no kernel version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a kernel version is one to four whole numbers with dots between, like 6.1")]
pub struct KernelVersionError;

impl KernelVersion {
    /// The version a kernel release begins with: `6.10.3` of `6.10.3-1-amd64`. `None` when it does not begin
    /// with a number.
    pub fn of_release(release: &str) -> Option<Self> {
        let end = release.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(release.len());
        let mut parts = Vec::new();
        // Only the leading numbers count; what a distribution hangs on behind them is its own.
        for part in release[..end].split('.').take(4) {
            match part.parse() {
                Ok(number) => parts.push(number),
                Err(_) => break,
            }
        }
        if parts.is_empty() { None } else { Some(Self(parts)) }
    }

    /// At least `min`: component by component, a missing one being zero. `6.1` admits 6.1.0 and 6.10.
    pub fn at_least(&self, min: &Self) -> bool {
        let len = self.0.len().max(min.0.len());
        (0..len).map(|i| self.part(i)).ge((0..len).map(|i| min.part(i)))
    }

    /// At most `max`, compared in only as many components as `max` has: `7` admits 7.9, `6.1` admits
    /// 6.1.130 but not 6.2. Who writes a maximum names the last series, not its first release.
    pub fn at_most(&self, max: &Self) -> bool {
        (0..max.0.len()).map(|i| self.part(i)).le(max.0.iter().copied())
    }

    fn part(&self, index: usize) -> u32 {
        self.0.get(index).copied().unwrap_or(0)
    }
}

impl FromStr for KernelVersion {
    type Err = KernelVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<u32> = text
            .split('.')
            .map(|part| if part.bytes().all(|b| b.is_ascii_digit()) { part.parse().ok() } else { None })
            .collect::<Option<_>>()
            .ok_or(KernelVersionError)?;
        if parts.len() > 4 { Err(KernelVersionError) } else { Ok(Self(parts)) }
    }
}

impl TryFrom<String> for KernelVersion {
    type Error = KernelVersionError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<KernelVersion> for String {
    fn from(version: KernelVersion) -> Self {
        version.to_string()
    }
}

impl fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            write!(f, "{part}")?;
        }
        Ok(())
    }
}

/// The `match:` of a hardware profile. Every rule that is given must hold; a profile without rules is for
/// every machine. Text is compared without regard to ASCII case: a profile can only tighten, so a match
/// too many is the safe side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MatchRules {
    /// The whole vendor id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_vendor: Option<String>,
    /// A part of the model name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_model_contains: Option<String>,
    /// The whole architecture name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arch: Option<String>,
    /// Fewest physical cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_cores: Option<u32>,
    /// Most physical cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cores: Option<u32>,
    /// Least usable memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_memory: Option<Bytes>,
    /// Oldest kernel ([`KernelVersion::at_least`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_min: Option<KernelVersion>,
    /// Newest kernel series ([`KernelVersion::at_most`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_max: Option<KernelVersion>,
    /// `true`: only virtual machines; `false`: only machines known not to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hypervisor: Option<bool>,
}

/// A rule's key in a profile's `match:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the variants are the keys that MatchRules documents")]
pub enum MatchRule {
    CpuVendor,
    CpuModelContains,
    Arch,
    MinCores,
    MaxCores,
    MinMemory,
    KernelMin,
    KernelMax,
    Hypervisor,
}

impl MatchRule {
    /// The key as the profile spells it.
    pub fn key(self) -> &'static str {
        match self {
            Self::CpuVendor => "cpu_vendor",
            Self::CpuModelContains => "cpu_model_contains",
            Self::Arch => "arch",
            Self::MinCores => "min_cores",
            Self::MaxCores => "max_cores",
            Self::MinMemory => "min_memory",
            Self::KernelMin => "kernel_min",
            Self::KernelMax => "kernel_max",
            Self::Hypervisor => "hypervisor",
        }
    }

    fn is_text(self) -> bool {
        matches!(self, Self::CpuVendor | Self::CpuModelContains | Self::Arch)
    }
}

/// What one rule came to on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleOutcome {
    /// Which rule.
    pub rule: MatchRule,
    /// What the profile asks for.
    pub wanted: String,
    /// What the host has; `None` is unknown, and never holds.
    pub found: Option<String>,
    /// Whether the rule holds.
    pub held: bool,
}

/// `min_cores 64 yes (96)`; what a held text rule found is left out, being nearly what it asks for.
impl fmt::Display for RuleOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule.key())?;
        if self.rule.is_text() {
            write!(f, " \"{}\"", self.wanted)?;
        } else {
            write!(f, " {}", self.wanted)?;
        }
        f.write_str(if self.held { " yes" } else { " no" })?;
        match &self.found {
            _ if self.held && self.rule.is_text() => Ok(()),
            Some(found) if *found == self.wanted => Ok(()),
            Some(found) => write!(f, " ({found})"),
            None => f.write_str(" (unknown)"),
        }
    }
}

impl MatchRules {
    /// Each rule given, in the order of the fields, with what it came to on this host.
    pub fn judge(&self, facts: &HostFacts) -> Vec<RuleOutcome> {
        let mut outcomes = Vec::new();
        let mut add = |rule, wanted: Option<String>, found: Option<String>, held: bool| {
            if let Some(wanted) = wanted {
                let held = held && found.is_some();
                outcomes.push(RuleOutcome { rule, wanted, found, held });
            }
        };
        let mut text = |rule, wanted: &Option<String>, found: &Option<String>, holds: fn(&str, &str) -> bool| {
            let held = both(wanted.as_deref(), found.as_deref(), holds);
            add(rule, wanted.clone(), found.clone(), held);
        };
        text(MatchRule::CpuVendor, &self.cpu_vendor, &facts.cpu_vendor, same);
        text(MatchRule::CpuModelContains, &self.cpu_model_contains, &facts.cpu_model, contains);
        text(MatchRule::Arch, &self.arch, &facts.arch, same);

        let cores = facts.cores.map(|n| n.to_string());
        let held = both(self.min_cores, facts.cores, |min, cores| cores >= min);
        add(MatchRule::MinCores, self.min_cores.map(|n| n.to_string()), cores.clone(), held);
        let held = both(self.max_cores, facts.cores, |max, cores| cores <= max);
        add(MatchRule::MaxCores, self.max_cores.map(|n| n.to_string()), cores, held);
        let held = both(self.min_memory, facts.memory_bytes, |min, memory| memory >= min.0);
        add(MatchRule::MinMemory, self.min_memory.map(|n| n.to_string()), facts.memory_bytes.map(bytes), held);

        let version = facts.kernel.as_deref().and_then(KernelVersion::of_release);
        let held = both(self.kernel_min.as_ref(), version.as_ref(), |min, kernel| kernel.at_least(min));
        add(MatchRule::KernelMin, self.kernel_min.as_ref().map(ToString::to_string), facts.kernel.clone(), held);
        let held = both(self.kernel_max.as_ref(), version.as_ref(), |max, kernel| kernel.at_most(max));
        add(MatchRule::KernelMax, self.kernel_max.as_ref().map(ToString::to_string), facts.kernel.clone(), held);

        let found = match facts.virtualized {
            Virtualized::Yes => Some(facts.hypervisor.clone().unwrap_or_else(|| "true".to_owned())),
            Virtualized::No => Some("false".to_owned()),
            Virtualized::Unknown => None,
        };
        let held = match facts.virtualized {
            Virtualized::Yes => self.hypervisor == Some(true),
            Virtualized::No => self.hypervisor == Some(false),
            Virtualized::Unknown => false,
        };
        add(MatchRule::Hypervisor, self.hypervisor.map(|wanted| wanted.to_string()), found, held);
        outcomes
    }

    /// Whether every rule given holds.
    pub fn matches(&self, facts: &HostFacts) -> bool {
        self.judge(facts).iter().all(|outcome| outcome.held)
    }
}

fn both<A, B>(wanted: Option<A>, found: Option<B>, holds: impl FnOnce(A, B) -> bool) -> bool {
    match (wanted, found) {
        (Some(wanted), Some(found)) => holds(wanted, found),
        _ => false,
    }
}

fn same(wanted: &str, found: &str) -> bool {
    wanted.eq_ignore_ascii_case(found)
}

fn contains(wanted: &str, found: &str) -> bool {
    found.to_ascii_lowercase().contains(&wanted.to_ascii_lowercase())
}

/// Bytes as a person reads them: exact in the largest unit that divides them, else in tenths rounded down,
/// so that what is shown is never more than what is there.
fn bytes(count: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (size, unit) in UNITS {
        if count >= size {
            let tenths = u128::from(count) * 10 / u128::from(size);
            return if count.is_multiple_of(size) {
                format!("{}{unit}", count / size)
            } else {
                format!("{}.{}{unit}", tenths / 10, tenths % 10)
            };
        }
    }
    format!("{count}B")
}

#[cfg(test)]
mod tests {
    use super::*;
    use insta::assert_snapshot;

    fn genoa() -> HostFacts {
        HostFacts {
            hostname: Some("bench-7".to_owned()),
            cpu_vendor: Some("AuthenticAMD".to_owned()),
            cpu_model: Some("AMD EPYC 9654 96-Core Processor".to_owned()),
            arch: Some("x86_64".to_owned()),
            cores: Some(96),
            logical_cpus: Some(192),
            sockets: Some(1),
            memory_bytes: Some(405_571_076_096),
            kernel: Some("6.10.3-1-amd64".to_owned()),
            virtualized: Virtualized::No,
            hypervisor: None,
            microcode: Some("0xa101144".to_owned()),
            board: None,
        }
    }

    fn rules() -> MatchRules {
        MatchRules {
            cpu_vendor: Some("AuthenticAMD".to_owned()),
            cpu_model_contains: Some("EPYC 9654".to_owned()),
            arch: Some("x86_64".to_owned()),
            min_cores: Some(64),
            max_cores: Some(512),
            min_memory: Some(Bytes(64 << 30)),
            kernel_min: "6.1".parse().ok(),
            kernel_max: "7".parse().ok(),
            hypervisor: Some(false),
        }
    }

    fn explain(rules: &MatchRules, facts: &HostFacts) -> String {
        let lines: Vec<String> = rules.judge(facts).iter().map(ToString::to_string).collect();
        format!("{}\nmatches: {}", lines.join("\n"), rules.matches(facts))
    }

    #[test]
    fn every_rule_is_judged_in_order() {
        assert_snapshot!(explain(&rules(), &genoa()), @r#"
        cpu_vendor "AuthenticAMD" yes
        cpu_model_contains "EPYC 9654" yes
        arch "x86_64" yes
        min_cores 64 yes (96)
        max_cores 512 yes (96)
        min_memory 64GiB yes (377.7GiB)
        kernel_min 6.1 yes (6.10.3-1-amd64)
        kernel_max 7 yes (6.10.3-1-amd64)
        hypervisor false yes
        matches: true
        "#);
    }

    #[test]
    fn each_rule_can_fail_and_says_what_it_found() {
        let facts = HostFacts {
            cpu_vendor: Some("GenuineIntel".to_owned()),
            cpu_model: Some("INTEL(R) XEON(R) PLATINUM 8592+".to_owned()),
            arch: Some("i686".to_owned()),
            cores: Some(513),
            memory_bytes: Some((64 << 30) - 1),
            kernel: Some("8.0.0".to_owned()),
            virtualized: Virtualized::Yes,
            hypervisor: Some("KVM".to_owned()),
            ..genoa()
        };
        let rules = MatchRules { min_cores: Some(514), kernel_min: "8.0.1".parse().ok(), ..rules() };
        assert_snapshot!(explain(&rules, &facts), @r#"
        cpu_vendor "AuthenticAMD" no (GenuineIntel)
        cpu_model_contains "EPYC 9654" no (INTEL(R) XEON(R) PLATINUM 8592+)
        arch "x86_64" no (i686)
        min_cores 514 no (513)
        max_cores 512 no (513)
        min_memory 64GiB no (63.9GiB)
        kernel_min 8.0.1 no (8.0.0)
        kernel_max 7 no (8.0.0)
        hypervisor false no (KVM)
        matches: false
        "#);
    }

    #[test]
    fn an_unknown_fact_satisfies_nothing() {
        let outcomes = rules().judge(&HostFacts::default());
        assert_eq!(outcomes.len(), 9);
        assert!(outcomes.iter().all(|outcome| !outcome.held && outcome.found.is_none()));
        assert_eq!(outcomes[0].to_string(), "cpu_vendor \"AuthenticAMD\" no (unknown)");
        let wants_a_hypervisor = MatchRules { hypervisor: Some(true), ..MatchRules::default() };
        assert!(!wants_a_hypervisor.matches(&HostFacts::default()));
        // A release that is no version is as good as unknown, and is still shown.
        let facts = HostFacts { kernel: Some("custom".to_owned()), ..genoa() };
        let wants_a_kernel = MatchRules { kernel_max: "7".parse().ok(), ..MatchRules::default() };
        assert_eq!(wants_a_kernel.judge(&facts)[0].to_string(), "kernel_max 7 no (custom)");
    }

    #[test]
    fn no_rules_match_every_machine_and_case_does_not_matter() {
        assert!(MatchRules::default().matches(&HostFacts::default()));
        let rules = MatchRules { cpu_model_contains: Some("epyc 9".to_owned()), ..MatchRules::default() };
        assert!(rules.matches(&genoa()));
    }

    #[test]
    fn kernels_compare_by_number_not_by_text() {
        // release, rule, at least, at most
        let table = [
            ("6.10.3-1-amd64", "6.1", true, false),
            ("6.1.0-18-amd64", "6.1", true, true),
            ("6.1.130", "6.1", true, true),
            ("6.0.9", "6.1", false, true),
            ("7.9.1", "7", true, true),
            ("8.0", "7", true, false),
            ("6.18-rc1", "6.18.0", true, true),
            ("6.18-rc1", "6.18.1", false, true),
            ("5.15.167.4-microsoft-standard-WSL2", "5.15.167.3", true, false),
            ("6", "6.0.0.1", false, true),
        ];
        for (release, rule, least, most) in table {
            let kernel = KernelVersion::of_release(release).unwrap();
            let rule = rule.parse().unwrap();
            assert_eq!((kernel.at_least(&rule), kernel.at_most(&rule)), (least, most), "{release} {rule}");
        }
        for bad in ["", ".", "6.", "v6", "6.1-rc1", "+6", "6 .1", "1.2.3.4.5", "99999999999"] {
            assert_eq!(bad.parse::<KernelVersion>(), Err(KernelVersionError), "{bad}");
        }
        assert_eq!(KernelVersion::of_release("next-20250101"), None);
    }

    #[test]
    fn facts_and_rules_survive_json() {
        let text = serde_json::to_string(&(genoa(), rules())).unwrap();
        assert_eq!(serde_json::from_str::<(HostFacts, MatchRules)>(&text).unwrap(), (genoa(), rules()));
        let unknown = serde_json::to_string(&HostFacts::default()).unwrap();
        assert_eq!(unknown, r#"{"virtualized":"unknown"}"#);
    }

    #[test]
    fn bytes_read_well() {
        for (count, text) in
            [(0, "0B"), (1023, "1023B"), (64 << 30, "64GiB"), (3 << 29, "1.5GiB"), (u64::MAX, "16777215.9TiB")]
        {
            assert_eq!(bytes(count), text);
        }
    }
}
