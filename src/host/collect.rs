//! Asks the machine for the texts that facts are read from: one `lscpu`, one `uname`, a few small files.
//! Never waits long: both commands have two seconds, and files stand in for them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::command::{self, Limits};
use super::facts::{self, Firmware, Texts};
use super::roots::Roots;
use super::source::{Source, read_line, read_text};
use crate::domain::host::HostFacts;

/// What machine this is. Whatever cannot be found out stays unknown; that is no error.
pub fn host_facts(roots: &Roots) -> HostFacts {
    facts::assemble(&texts(roots, lscpu(roots).value().cloned()))
}

/// What `lscpu` says.
pub fn lscpu(roots: &Roots) -> Source<String> {
    ask(roots, "lscpu", &[])
}

/// The texts behind [`host_facts`].
pub fn texts(roots: &Roots, lscpu: Option<String>) -> Texts {
    let mut texts = Texts {
        lscpu,
        uname: ask(roots, "uname", &["-a"]).value().cloned().or_else(|| uname_of_files(roots)),
        meminfo: read_text(&roots.proc("meminfo")).ok(),
        cpuinfo: read_text(&roots.proc("cpuinfo")).ok(),
        core_lists: Vec::new(),
        firmware: firmware(roots),
    };
    // A file a CPU: only where nothing else counts the cores.
    if facts::assemble(&texts).cores.is_none() {
        texts.core_lists = core_lists(&roots.sys("devices/system/cpu"));
    }
    texts
}

/// What the firmware says of board and hypervisor, from DMI or the device tree.
pub fn firmware(roots: &Roots) -> Firmware {
    let dmi = |name: &str| read_line(&roots.sys(&format!("class/dmi/id/{name}")));
    let tree = |name: &str| read_line(&roots.sys(&format!("firmware/devicetree/base/{name}")));
    Firmware {
        system_vendor: dmi("sys_vendor"),
        product: dmi("product_name"),
        board_vendor: dmi("board_vendor"),
        board_name: dmi("board_name"),
        tree_model: tree("model"),
        tree_hypervisor: tree("hypervisor/compatible"),
        hypervisor_type: read_line(&roots.sys("hypervisor/type")),
    }
}

/// A command's text, if it is the real machine that is asked and the command succeeds in time.
fn ask(roots: &Roots, name: &str, args: &[&str]) -> Source<String> {
    let Some(path) = (if roots.is_native() { command::find_system(name) } else { None }) else {
        return Source::Absent { detail: name.to_owned() };
    };
    let limits = Limits { time: Duration::from_secs(2), ..Limits::default() };
    match command::run(&path, args, limits) {
        Ok(answer) if answer.succeeded() => {
            Source::Available { value: String::from_utf8_lossy(&answer.stdout).into_owned() }
        }
        Ok(answer) => {
            Source::Error { detail: format!("{name}: exit code {:?}, signal {:?}", answer.exit_code, answer.signal) }
        }
        Err(error) => Source::Error { detail: error.to_string() },
    }
}

/// As much of `uname -a` as procfs has.
fn uname_of_files(roots: &Roots) -> Option<String> {
    let hostname = read_line(&roots.proc("sys/kernel/hostname"))?;
    let release = read_line(&roots.proc("sys/kernel/osrelease"))?;
    // Only since Linux 6.1.
    let machine = read_line(&roots.proc("sys/kernel/arch")).unwrap_or_default();
    Some(format!("Linux {hostname} {release} {machine}"))
}

/// Which CPUs share a core, for each CPU.
fn core_lists(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut lists: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| is_cpu(&entry.file_name().to_string_lossy()))
        .filter_map(|entry| {
            let topology = entry.path().join("topology");
            // The second is the name that kernels before 5.3 know it by.
            read_line(&topology.join("core_cpus_list")).or_else(|| read_line(&topology.join("thread_siblings_list")))
        })
        .collect();
    lists.sort_unstable();
    lists
}

fn is_cpu(name: &str) -> bool {
    name.strip_prefix("cpu").is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::host::Virtualized;
    use crate::host::source::tests::machine;

    fn check(files: &[(&str, &str)], expected: &HostFacts) {
        let (_dir, roots) = machine(files);
        assert_eq!(host_facts(&roots), *expected);
    }

    #[test]
    fn an_empty_machine_has_no_facts() {
        check(&[], &HostFacts::default());
    }

    #[test]
    fn files_stand_in_for_the_commands() {
        check(
            &[
                ("proc/sys/kernel/hostname", "bench-board\n"),
                ("proc/sys/kernel/osrelease", "6.6.31\n"),
                ("proc/sys/kernel/arch", "aarch64\n"),
                ("proc/meminfo", "MemTotal:        4096 kB\n"),
                (
                    "proc/cpuinfo",
                    "processor\t: 0\nCPU implementer\t: 0x41\n\nprocessor\t: 1\nCPU implementer\t: 0x41\n",
                ),
                ("sys/devices/system/cpu/cpu0/topology/core_cpus_list", "0-1\n"),
                ("sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "0-1\n"),
                ("sys/devices/system/cpu/cpufreq/topology/core_cpus_list", "7\n"),
                ("sys/firmware/devicetree/base/model", "Radxa ROCK 5B\0"),
            ],
            &HostFacts {
                hostname: Some("bench-board".to_owned()),
                cpu_vendor: Some("ARM".to_owned()),
                arch: Some("aarch64".to_owned()),
                cores: Some(1),
                logical_cpus: Some(2),
                memory_bytes: Some(4 << 20),
                kernel: Some("6.6.31".to_owned()),
                virtualized: Virtualized::No,
                board: Some("Radxa ROCK 5B".to_owned()),
                ..HostFacts::default()
            },
        );
    }

    #[test]
    fn this_machine_is_known() {
        let roots = Roots::default();
        let facts = host_facts(&roots);
        assert_eq!(facts, host_facts(&roots));
        assert!(facts.hostname.is_some() && facts.kernel.is_some() && facts.arch.is_some(), "{facts:?}");
        assert!(facts.memory_bytes.is_some_and(|bytes| bytes > 0));
        assert!(facts.logical_cpus >= facts.cores, "{facts:?}");
    }
}
