//! The texts by which Linux describes a machine (`lscpu`, `uname -a`, `/proc/meminfo`, `/proc/cpuinfo`, DMI)
//! read into host facts. Pure; never guesses: what a text does not say stays unknown.

use crate::domain::host::{HostFacts, Virtualized};

/// The texts that were to be had. Each may be missing: a minimal system has no `lscpu`, a container may have
/// no DMI.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    /// `LC_ALL=C lscpu`.
    pub lscpu: Option<String>,
    /// `uname -a`.
    pub uname: Option<String>,
    /// `/proc/meminfo`.
    pub meminfo: Option<String>,
    /// `/proc/cpuinfo`.
    pub cpuinfo: Option<String>,
    /// `/sys/devices/system/cpu/cpu*/topology/core_cpus_list`, one a CPU: as many cores as there are
    /// different ones. Asked only where the others do not tell.
    pub core_lists: Vec<String>,
    /// What the firmware says of itself.
    pub firmware: Firmware,
}

/// Where the board's and the hypervisor's names come from: DMI tables, or a device tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firmware {
    /// DMI `sys_vendor`.
    pub system_vendor: Option<String>,
    /// DMI `product_name`.
    pub product: Option<String>,
    /// DMI `board_vendor`.
    pub board_vendor: Option<String>,
    /// DMI `board_name`.
    pub board_name: Option<String>,
    /// The device tree's `model`.
    pub tree_model: Option<String>,
    /// The device tree's `hypervisor/compatible`.
    pub tree_hypervisor: Option<String>,
    /// `/sys/hypervisor/type`.
    pub hypervisor_type: Option<String>,
}

/// Puts the texts together. Where two say the same thing the more careful one wins: `lscpu` for the CPU,
/// `uname` for the kernel.
pub fn assemble(texts: &Texts) -> HostFacts {
    let lscpu = texts.lscpu.as_deref().map(parse_lscpu).unwrap_or_default();
    let cpuinfo = texts.cpuinfo.as_deref().map(parse_cpuinfo).unwrap_or_default();
    let uname = texts.uname.as_deref().and_then(parse_uname);
    let (release, machine, hostname) = match uname {
        Some(uname) => (Some(uname.release), uname.machine, Some(uname.hostname)),
        None => (None, None, None),
    };
    let has_bit = lscpu.hypervisor_bit.or(cpuinfo.hypervisor_bit);
    let (virtualized, hypervisor) = judge_virtual(lscpu.hypervisor.as_deref(), has_bit, &texts.firmware);
    HostFacts {
        hostname,
        cpu_vendor: lscpu.vendor.or(cpuinfo.vendor),
        cpu_model: lscpu.model.or(cpuinfo.model),
        arch: lscpu.arch.or(machine),
        cores: lscpu.cores.or(cpuinfo.cores).or_else(|| count_cores(&texts.core_lists)),
        logical_cpus: lscpu.logical_cpus.or(cpuinfo.logical_cpus),
        sockets: lscpu.sockets.or(cpuinfo.sockets),
        memory_bytes: texts.meminfo.as_deref().and_then(|text| parse_meminfo(text, "MemTotal")),
        kernel: release,
        virtualized,
        hypervisor,
        microcode: cpuinfo.microcode,
        board: board(&texts.firmware),
    }
}

/// What one description of the CPUs says, `lscpu` or `/proc/cpuinfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CpuText {
    /// Vendor id.
    pub vendor: Option<String>,
    /// Model names, ` + ` between.
    pub model: Option<String>,
    /// Architecture.
    pub arch: Option<String>,
    /// Physical cores.
    pub cores: Option<u32>,
    /// Logical CPUs that are online.
    pub logical_cpus: Option<u32>,
    /// Sockets.
    pub sockets: Option<u32>,
    /// The hypervisor's vendor.
    pub hypervisor: Option<String>,
    /// Whether the CPU flags of x86 hold `hypervisor`; `None` where there are no such flags to look in.
    pub hypervisor_bit: Option<bool>,
    /// Microcode revisions, `, ` between.
    pub microcode: Option<String>,
}

/// Reads `lscpu` of any age, flat or indented. With several kinds of core there is a block for each, begun by
/// its `Model name`, and the cores are those of all blocks; `BIOS Model name` is another thing, as is
/// `Virtualization`, which is what the CPU could do.
pub fn parse_lscpu(text: &str) -> CpuText {
    let mut cpu = CpuText::default();
    let mut models = Vec::new();
    let mut blocks = vec![Block::default()];
    for (label, value) in text.lines().filter_map(labelled) {
        let Some(block) = blocks.last_mut() else { break };
        match label {
            "Vendor ID" if cpu.vendor.is_none() => cpu.vendor = Some(value.to_owned()),
            "Architecture" => cpu.arch = Some(value.to_owned()),
            "CPU(s)" if cpu.logical_cpus.is_none() => cpu.logical_cpus = value.parse().ok().filter(|cpus| *cpus > 0),
            "On-line CPU(s) list" => cpu.logical_cpus = count_list(value).or(cpu.logical_cpus),
            "Hypervisor vendor" => cpu.hypervisor = Some(value.to_owned()),
            "Model name" => {
                add_once(&mut models, value);
                if block.named {
                    blocks.push(Block { named: true, ..Block::default() });
                } else {
                    block.named = true;
                }
            }
            "Core(s) per socket" | "Core(s) per cluster" => block.each = value.parse().ok(),
            "Socket(s)" => {
                block.groups = value.parse().ok();
                cpu.sockets = block.groups;
            }
            "Cluster(s)" => block.groups = value.parse().ok(),
            "Flags" if is_x86(cpu.arch.as_deref()) => {
                cpu.hypervisor_bit = Some(value.split_ascii_whitespace().any(|flag| flag == "hypervisor"));
            }
            _ => {}
        }
    }
    // Each kind of core counts sockets of its own, of which nobody can see any on the board.
    cpu.sockets = cpu.sockets.filter(|sockets| *sockets > 0 && blocks.len() == 1);
    cpu.cores = blocks
        .iter()
        .map(|block| block.each?.checked_mul(block.groups?))
        .try_fold(0_u32, |sum, cores| sum.checked_add(cores?))
        .filter(|cores| *cores > 0);
    cpu.model = joined(&models, " + ");
    cpu
}

/// One kind of core in `lscpu`: so many cores in each of so many sockets (or clusters).
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    named: bool,
    each: Option<u32>,
    groups: Option<u32>,
}

/// Reads `/proc/cpuinfo`. On x86 it tells nearly all; on Arm only the implementer and how many CPUs there are,
/// since part numbers are no names.
pub fn parse_cpuinfo(text: &str) -> CpuText {
    let mut cpu = CpuText::default();
    let (mut models, mut revisions) = (Vec::new(), Vec::new());
    let (mut cores, mut packages) = (Vec::new(), Vec::new());
    let mut logical = 0_u32;
    let mut package = None;
    for (label, value) in text.lines().filter_map(labelled) {
        match label {
            "processor" if value.bytes().all(|b| b.is_ascii_digit()) => {
                logical += 1;
                package = None;
            }
            "vendor_id" if cpu.vendor.is_none() => cpu.vendor = Some(value.to_owned()),
            "CPU implementer" if cpu.vendor.is_none() => cpu.vendor = implementer(value).map(str::to_owned),
            "model name" => add_once(&mut models, value),
            "microcode" => add_once(&mut revisions, value),
            "physical id" => {
                package = Some(value);
                add_once(&mut packages, value);
            }
            // The kernel writes the package before the core.
            "core id" => cores.extend(package.map(|package| (package, value))),
            "flags" if cpu.hypervisor_bit.is_none() => {
                cpu.hypervisor_bit = Some(value.split_ascii_whitespace().any(|flag| flag == "hypervisor"));
            }
            _ => {}
        }
    }
    cores.sort_unstable();
    cores.dedup();
    let count = |n: usize| u32::try_from(n).ok().filter(|n| *n > 0);
    cpu.cores = count(cores.len());
    cpu.sockets = count(packages.len());
    cpu.logical_cpus = Some(logical).filter(|n| *n > 0);
    cpu.model = joined(&models, " + ");
    cpu.microcode = joined(&revisions, ", ");
    cpu
}

/// What `uname -a` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uname {
    /// The node name.
    pub hostname: String,
    /// The kernel release.
    pub release: String,
    /// The machine's architecture.
    pub machine: Option<String>,
}

/// Reads `uname -a`, or `uname -snrm`. Between release and machine stands a version of any number of words.
pub fn parse_uname(text: &str) -> Option<Uname> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [system, hostname, release, rest @ ..] = words.as_slice() else { return None };
    if *system != "Linux" {
        return None;
    }
    // The last word is the operating system, unless only the machine was asked for.
    let machine = match rest {
        [.., machine, "GNU/Linux" | "Linux" | "Android" | "Toybox"] | [machine] => Some(*machine),
        _ => None,
    };
    Some(Uname {
        hostname: (*hostname).to_owned(),
        release: (*release).to_owned(),
        machine: machine.map(str::to_owned),
    })
}

/// A line of `/proc/meminfo` in bytes. The kernel writes `kB` and means KiB.
pub fn parse_meminfo(text: &str, label: &str) -> Option<u64> {
    let (_, value) = text.lines().filter_map(labelled).find(|(found, _)| *found == label)?;
    value.strip_suffix("kB")?.trim_end().parse::<u64>().ok()?.checked_mul(1024)
}

/// Whether a machine is virtual, and whose hypervisor it is. The CPU of an x86 machine says so itself; other
/// architectures are asked by the names in their firmware, and "no" needs firmware that was read.
fn judge_virtual(vendor: Option<&str>, bit: Option<bool>, firmware: &Firmware) -> (Virtualized, Option<String>) {
    let named = firmware_hypervisor(firmware);
    let by = vendor.map(str::to_owned).or(named);
    let firmware_known = firmware.system_vendor.is_some() || firmware.tree_model.is_some();
    match (by, bit) {
        (Some(by), _) => (Virtualized::Yes, Some(by)),
        (None, Some(true)) => (Virtualized::Yes, None),
        (None, Some(false)) => (Virtualized::No, None),
        (None, None) if firmware_known => (Virtualized::No, None),
        (None, None) => (Virtualized::Unknown, None),
    }
}

/// The hypervisor that firmware names, if it names one. A cloud's `.metal` machines carry its name and have none.
fn firmware_hypervisor(firmware: &Firmware) -> Option<String> {
    const NAMES: [(&str, &str); 11] = [
        ("qemu", "QEMU"),
        ("kvm", "KVM"),
        ("vmware", "VMware"),
        ("innotek", "Oracle"),
        ("virtualbox", "Oracle"),
        ("bochs", "Bochs"),
        ("xen", "Xen"),
        ("parallels", "Parallels"),
        ("google compute engine", "KVM"),
        ("apple virtualization", "Apple"),
        ("linux,dummy-virt", "KVM"),
    ];
    if let Some(kind) = firmware.hypervisor_type.as_deref() {
        return Some(if kind == "xen" { "Xen" } else { kind }.to_owned());
    }
    let says = |text: &Option<String>| text.as_deref().unwrap_or_default().to_ascii_lowercase();
    let (vendor, product) = (says(&firmware.system_vendor), says(&firmware.product));
    let (model, tree) = (says(&firmware.tree_model), says(&firmware.tree_hypervisor));
    for (part, name) in NAMES {
        if [&vendor, &product, &model, &tree].iter().any(|text| text.contains(part)) {
            return Some(name.to_owned());
        }
    }
    if vendor == "amazon ec2" && !product.contains(".metal") {
        return Some("Amazon".to_owned());
    }
    if vendor.starts_with("microsoft") && product == "virtual machine" {
        return Some("Microsoft".to_owned());
    }
    firmware.tree_hypervisor.clone()
}

/// Maker and name of the board, or the device tree's model. What a maker forgot to fill in is no name.
fn board(firmware: &Firmware) -> Option<String> {
    let parts: Vec<&str> =
        [&firmware.board_vendor, &firmware.board_name].into_iter().flatten().filter_map(|text| meant(text)).collect();
    joined(&parts, " ").or_else(|| firmware.tree_model.clone())
}

/// A DMI text that somebody filled in.
pub(super) fn meant(text: &str) -> Option<&str> {
    const FILLERS: [&str; 8] = [
        "to be filled by o.e.m.",
        "default string",
        "not specified",
        "not applicable",
        "system manufacturer",
        "system product name",
        "unknown",
        "none",
    ];
    let text = text.trim();
    if text.is_empty() || FILLERS.contains(&text.to_ascii_lowercase().as_str()) { None } else { Some(text) }
}

fn count_cores(lists: &[String]) -> Option<u32> {
    let mut lists: Vec<&str> = lists.iter().map(|list| list.trim()).filter(|list| !list.is_empty()).collect();
    lists.sort_unstable();
    lists.dedup();
    u32::try_from(lists.len()).ok().filter(|cores| *cores > 0)
}

/// `label: value` where there is a value. `-` is how `lscpu` says that it does not know, `unknown` how some
/// sandboxes do.
fn labelled(line: &str) -> Option<(&str, &str)> {
    let (label, value) = line.split_once(':')?;
    let value = value.trim();
    if matches!(value, "" | "-" | "unknown") { None } else { Some((label.trim(), value)) }
}

/// How many CPUs a kernel's list names: `0-3,8` has five.
fn count_list(list: &str) -> Option<u32> {
    list.split(',').try_fold(0_u32, |sum, part| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to): (u32, u32) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
        sum.checked_add(to.checked_sub(from)?.checked_add(1)?)
    })
}

fn is_x86(arch: Option<&str>) -> bool {
    matches!(arch, Some("x86_64" | "i686" | "i586" | "i486" | "i386"))
}

/// The makers of Arm cores that run servers and boards, by the code each core carries, named as `lscpu` does.
fn implementer(code: &str) -> Option<&'static str> {
    Some(match code {
        "0x41" => "ARM",
        "0x42" => "Broadcom",
        "0x43" => "Cavium",
        "0x46" => "FUJITSU",
        "0x48" => "HiSilicon",
        "0x4e" => "NVIDIA",
        "0x50" => "APM",
        "0x51" => "Qualcomm",
        "0x61" => "Apple",
        "0x70" => "Phytium",
        "0xc0" => "Ampere",
        _ => return None,
    })
}

fn add_once<'a>(list: &mut Vec<&'a str>, value: &'a str) {
    if !list.contains(&value) {
        list.push(value);
    }
}

fn joined(parts: &[&str], between: &str) -> Option<String> {
    if parts.is_empty() { None } else { Some(parts.join(between)) }
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
