//! The state of the machine at one moment, for `sysinfo.json`: taken when a run starts and when it ends.
//! Each source says whether it was available; nothing is left out because it looks private or dull.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::collect;
use super::command::Limits;
use super::facts::{self, meant};
use super::roots::{self, Roots};
use super::sensors::{self, GovernorCount, Temperature};
use super::source::{Source, lines_of, malformed, read_line, read_text};
use super::tools::{self, ToolQuery, ToolVersion};
use crate::domain::host::HostFacts;

/// `sysinfo.json`: the machine when the run started, and when it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Sysinfo {
    /// [`Sysinfo::FORMAT_VERSION`].
    pub format_version: u32,
    /// Taken before the first step.
    pub start: Snapshot,
    /// Taken after the last one; `None` until then.
    pub end: Option<Snapshot>,
}

impl Sysinfo {
    /// The version that this program writes.
    pub const FORMAT_VERSION: u32 = 1;

    /// What is written when a run starts.
    pub fn started(start: Snapshot) -> Self {
        Self { format_version: Self::FORMAT_VERSION, start, end: None }
    }
}

/// The machine at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// What profiles are matched by.
    pub host: HostFacts,
    /// `lscpu`, line by line: caches, stepping, flags.
    pub cpu: Source<Vec<String>>,
    /// Microcode revision.
    pub microcode: Source<String>,
    /// Memory and swap.
    pub memory: Source<Memory>,
    /// Release and build of the kernel.
    pub kernel: Source<Kernel>,
    /// The kernel's command line, as it is.
    pub command_line: Source<String>,
    /// The id of this boot.
    pub boot_id: Source<String>,
    /// Since boot, in milliseconds.
    pub uptime_ms: Source<u64>,
    /// Load averages.
    pub load: Source<Load>,
    /// Temperatures.
    pub temperatures: Source<Vec<Temperature>>,
    /// How the CPUs' clocks are governed.
    pub governors: Source<Vec<GovernorCount>>,
    /// Board, product and BIOS: `board_name`, `bios_version` and so on, as DMI names them.
    pub firmware: Source<BTreeMap<String, String>>,
    /// Fields of `os-release`.
    pub os_release: Source<BTreeMap<String, String>>,
    /// CPU vulnerabilities, and what the kernel does about each.
    pub mitigations: Source<BTreeMap<String, String>>,
    /// Versions of the tools the run uses, by adapter.
    pub tools: BTreeMap<String, Source<ToolVersion>>,
}

/// Memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Memory {
    /// All the kernel can use.
    pub total: u64,
    /// What a program could get without swapping.
    pub available: u64,
    /// All swap.
    pub swap_total: u64,
    /// Swap not in use.
    pub swap_free: u64,
    /// The most this process and its children may have, where a control group limits them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub limit: Option<u64>,
}

/// The kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Kernel {
    /// `uname -r`.
    pub release: String,
    /// `uname -v`: build number and time.
    pub version: Option<String>,
}

/// Load averages in hundredths, as exact as the kernel writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Load {
    /// Over one minute.
    pub hundredths_1m: u64,
    /// Over five minutes.
    pub hundredths_5m: u64,
    /// Over fifteen minutes.
    pub hundredths_15m: u64,
}

impl Snapshot {
    /// Asks everything. The tools are run, each with these limits: give none before the run is confirmed.
    pub fn take(roots: &Roots, tools: &[ToolQuery], limits: Limits) -> Self {
        let lscpu = collect::lscpu(roots);
        let texts = collect::texts(roots, lscpu.value().cloned());
        let host = facts::assemble(&texts);
        Self {
            cpu: lscpu.map(|text| text.lines().map(str::to_owned).collect()),
            microcode: Source::found(host.microcode.clone(), "microcode in /proc/cpuinfo"),
            memory: at(&roots.proc("meminfo"), |_| memory(roots, texts.meminfo.as_deref())),
            kernel: at(&roots.proc("sys/kernel/osrelease"), |path| {
                let release = read_text(path)?.trim().to_owned();
                Ok(Kernel { release, version: read_line(&roots.proc("sys/kernel/version")) })
            }),
            command_line: at(&roots.proc("cmdline"), |path| Ok(read_text(path)?.trim_end_matches('\n').to_owned())),
            boot_id: at(&roots.proc("sys/kernel/random/boot_id"), |_| roots::boot_id(roots)),
            uptime_ms: at(&roots.proc("uptime"), |_| roots::uptime_ms(roots)),
            load: at(&roots.proc("loadavg"), |path| {
                parse_load(&read_text(path)?).ok_or_else(|| malformed("no load averages"))
            }),
            temperatures: at(&roots.sys("class/hwmon"), |_| sensors::temperatures(roots)),
            governors: at(&roots.sys("devices/system/cpu/cpufreq"), |_| sensors::governors(roots)),
            firmware: at(&roots.sys("class/dmi/id"), |path| dmi(path, texts.firmware.tree_model.as_deref())),
            os_release: at(&roots.etc.join("os-release"), |path| Ok(parse_os_release(&read_text(path)?))),
            mitigations: at(&roots.sys("devices/system/cpu/vulnerabilities"), one_line_files),
            tools: tools::versions(tools, limits),
            host,
        }
    }
}

fn at<T>(path: &Path, read: impl FnOnce(&Path) -> io::Result<T>) -> Source<T> {
    Source::of(path.display(), read(path))
}

/// From the real machine by way of the library, which knows control groups of both generations; from a
/// relocated one by its meminfo.
fn memory(roots: &Roots, meminfo: Option<&str>) -> io::Result<Memory> {
    if roots.is_native() {
        let kinds = RefreshKind::nothing().with_memory(MemoryRefreshKind::everything());
        let system = System::new_with_specifics(kinds).map_err(io::Error::other)?;
        let limit = system.cgroup_limits().map(|limits| limits.total_memory);
        return Ok(Memory {
            total: system.total_memory(),
            available: system.available_memory(),
            swap_total: system.total_swap(),
            swap_free: system.free_swap(),
            limit: limit.filter(|limit| *limit < system.total_memory()),
        });
    }
    let text = meminfo.ok_or(io::ErrorKind::NotFound)?;
    let bytes = |label: &str| facts::parse_meminfo(text, label).ok_or_else(|| malformed(&format!("no {label}")));
    Ok(Memory {
        total: bytes("MemTotal")?,
        available: bytes("MemAvailable")?,
        swap_total: bytes("SwapTotal")?,
        swap_free: bytes("SwapFree")?,
        limit: None,
    })
}

fn parse_load(text: &str) -> Option<Load> {
    let mut words = text.split_ascii_whitespace().map(roots::hundredths);
    Some(Load { hundredths_1m: words.next()??, hundredths_5m: words.next()??, hundredths_15m: words.next()?? })
}

/// What DMI says without privileges; serial numbers need them and are not asked for. A machine with a device
/// tree has its model instead.
fn dmi(folder: &Path, tree_model: Option<&str>) -> io::Result<BTreeMap<String, String>> {
    const NAMES: [&str; 10] = [
        "sys_vendor",
        "product_name",
        "product_version",
        "board_vendor",
        "board_name",
        "board_version",
        "bios_vendor",
        "bios_version",
        "bios_date",
        "bios_release",
    ];
    let mut found = match (lines_of(folder, NAMES), tree_model) {
        (Ok(found), _) => found,
        (Err(_), Some(model)) => BTreeMap::from([("model".to_owned(), model.to_owned())]),
        (Err(error), None) => return Err(error),
    };
    found.retain(|_, text| meant(text).is_some());
    Ok(found)
}

/// `NAME=value` lines, with or without quotes.
fn parse_os_release(text: &str) -> BTreeMap<String, String> {
    let field = |line: &str| {
        let (name, value) = line.trim().split_once('=')?;
        if name.starts_with('#') {
            return None;
        }
        let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        Some((name.to_ascii_lowercase(), quoted.unwrap_or(value).to_owned()))
    };
    text.lines().filter_map(field).collect()
}

/// A folder of files of one line each.
fn one_line_files(folder: &Path) -> io::Result<BTreeMap<String, String>> {
    let names: Vec<String> = fs::read_dir(folder)?
        .filter_map(Result::ok)
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    lines_of(folder, names.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::source::tests::machine;
    use insta::assert_snapshot;

    fn check(files: &[(&str, &str)]) -> String {
        let (dir, roots) = machine(files);
        let snapshot = Snapshot::take(&roots, &[], Limits::default());
        let sysinfo = Sysinfo::started(snapshot);
        let json = serde_json::to_string(&sysinfo).unwrap();
        assert_eq!(serde_json::from_str::<Sysinfo>(&json).unwrap(), sysinfo);
        let start = serde_json::to_value(&sysinfo.start).unwrap();
        let lines = start.as_object().unwrap().iter().map(|(key, value)| format!("{key} {value}"));
        lines.collect::<Vec<_>>().join("\n").replace(&dir.path().display().to_string(), "DIR")
    }

    #[test]
    fn a_bare_machine_says_what_is_absent() {
        assert_snapshot!(check(&[("proc/loadavg", "what\n"), ("proc/meminfo", "MemTotal: 4096 kB\n")]), @r#"
        boot_id {"detail":"DIR/proc/sys/kernel/random/boot_id","status":"absent"}
        command_line {"detail":"DIR/proc/cmdline","status":"absent"}
        cpu {"detail":"lscpu","status":"absent"}
        firmware {"detail":"DIR/sys/class/dmi/id","status":"absent"}
        governors {"detail":"DIR/sys/devices/system/cpu/cpufreq","status":"absent"}
        host {"memory_bytes":4194304,"virtualized":"unknown"}
        kernel {"detail":"DIR/proc/sys/kernel/osrelease","status":"absent"}
        load {"detail":"DIR/proc/loadavg: no load averages","status":"error"}
        memory {"detail":"DIR/proc/meminfo: no MemAvailable","status":"error"}
        microcode {"detail":"microcode in /proc/cpuinfo","status":"absent"}
        mitigations {"detail":"DIR/sys/devices/system/cpu/vulnerabilities","status":"absent"}
        os_release {"detail":"DIR/etc/os-release","status":"absent"}
        temperatures {"detail":"DIR/sys/class/hwmon","status":"absent"}
        tools {}
        uptime_ms {"detail":"DIR/proc/uptime","status":"absent"}
        "#);
    }

    #[test]
    fn a_full_machine() {
        assert_snapshot!(check(&[
            ("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=/dev/sda1 mce=ignore_ce  quiet\n"),
            ("proc/cpuinfo", "processor\t: 0\nmicrocode\t: 0xa101144\n"),
            ("proc/loadavg", "0.52 12.40 0.03 1/345 6789\n"),
            ("proc/meminfo", "MemTotal: 4096 kB\nMemAvailable: 1024 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB\n"),
            ("proc/sys/kernel/osrelease", "6.10.3-1-amd64\n"),
            ("proc/sys/kernel/version", "#1 SMP PREEMPT_DYNAMIC Debian 6.10.3-1\n"),
            ("proc/sys/kernel/random/boot_id", "0b6f3a52-6a3c-4f0e-9b57-5a0a3c1d2e4f\n"),
            ("proc/uptime", "350735.47 234388.90\n"),
            ("sys/class/dmi/id/board_name", "H13DSH\n"),
            ("sys/class/dmi/id/board_vendor", "Supermicro\n"),
            ("sys/class/dmi/id/board_version", "To be filled by O.E.M.\n"),
            ("sys/class/dmi/id/bios_version", "3.1\n"),
            ("sys/class/dmi/id/board_serial", "private\n"),
            ("sys/class/hwmon/hwmon0/name", "k10temp\n"),
            ("sys/class/hwmon/hwmon0/temp1_input", "48250\n"),
            ("sys/devices/system/cpu/cpufreq/policy0/scaling_governor", "performance\n"),
            ("sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n"),
            ("etc/os-release", "# who\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n"),
        ]), @r##"
        boot_id {"status":"available","value":"0b6f3a52-6a3c-4f0e-9b57-5a0a3c1d2e4f"}
        command_line {"status":"available","value":"BOOT_IMAGE=/vmlinuz root=/dev/sda1 mce=ignore_ce  quiet"}
        cpu {"detail":"lscpu","status":"absent"}
        firmware {"status":"available","value":{"bios_version":"3.1","board_name":"H13DSH","board_vendor":"Supermicro"}}
        governors {"status":"available","value":[{"governor":"performance","policies":1}]}
        host {"board":"Supermicro H13DSH","logical_cpus":1,"memory_bytes":4194304,"microcode":"0xa101144","virtualized":"unknown"}
        kernel {"status":"available","value":{"release":"6.10.3-1-amd64","version":"#1 SMP PREEMPT_DYNAMIC Debian 6.10.3-1"}}
        load {"status":"available","value":{"hundredths_15m":3,"hundredths_1m":52,"hundredths_5m":1240}}
        memory {"status":"available","value":{"available":1048576,"swap_free":0,"swap_total":0,"total":4194304}}
        microcode {"status":"available","value":"0xa101144"}
        mitigations {"status":"available","value":{"meltdown":"Not affected"}}
        os_release {"status":"available","value":{"id":"debian","pretty_name":"Debian GNU/Linux 12 (bookworm)"}}
        temperatures {"status":"available","value":[{"channel":1,"chip":"k10temp","millidegrees_c":48250}]}
        tools {}
        uptime_ms {"status":"available","value":350735470}
        "##);
    }

    #[test]
    fn this_machine_at_this_moment() {
        let snapshot = Snapshot::take(&Roots::default(), &[], Limits::default());
        assert_eq!(snapshot.memory.value().map(|memory| memory.total), snapshot.host.memory_bytes);
        assert_eq!(snapshot.kernel.value().map(|kernel| &kernel.release), snapshot.host.kernel.as_ref());
        assert!(snapshot.boot_id.value().is_some() && snapshot.load.value().is_some());
    }
}
