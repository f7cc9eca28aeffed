//! Facts of whole machines, as their own texts describe them (`tests/fixtures/host`), and the odd lines.

use super::*;
use insta::assert_snapshot;
use std::path::Path;

fn texts(machine: &str) -> Texts {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/host").join(machine);
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let texts = Texts {
        lscpu: read("lscpu"),
        uname: read("uname"),
        meminfo: read("meminfo"),
        cpuinfo: read("cpuinfo"),
        ..Texts::default()
    };
    assert!(texts.lscpu.is_some() && texts.uname.is_some(), "{machine} is no machine");
    texts
}

fn without_lscpu(machine: &str) -> Texts {
    Texts { lscpu: None, ..texts(machine) }
}

/// The facts one a line, unknown ones left out.
fn check(texts: &Texts) -> String {
    let facts = serde_json::to_value(assemble(texts)).unwrap();
    let lines: Vec<String> = facts.as_object().unwrap().iter().map(|(key, value)| format!("{key} {value}")).collect();
    lines.join("\n")
}

fn dmi(vendor: &str, product: &str) -> Firmware {
    Firmware { system_vendor: Some(vendor.to_owned()), product: Some(product.to_owned()), ..Firmware::default() }
}

#[test]
fn amd_server() {
    let firmware = Firmware {
        board_vendor: Some("Supermicro".to_owned()),
        board_name: Some("H13DSH".to_owned()),
        ..dmi("Supermicro", "AS -2125HS-TNR")
    };
    assert_snapshot!(check(&Texts { firmware, ..texts("amd-server") }), @r#"
    arch "x86_64"
    board "Supermicro H13DSH"
    cores 192
    cpu_model "AMD EPYC 9654 96-Core Processor"
    cpu_vendor "AuthenticAMD"
    hostname "bench-amd"
    kernel "6.10.3-1-amd64"
    logical_cpus 384
    memory_bytes 1623022858240
    microcode "0xa101144"
    sockets 2
    virtualized "no"
    "#);
}

#[test]
fn intel_server_with_two_microcodes() {
    assert_snapshot!(check(&texts("intel-server")), @r#"
    arch "x86_64"
    cores 64
    cpu_model "Intel(R) Xeon(R) Platinum 8358 CPU @ 2.60GHz"
    cpu_vendor "GenuineIntel"
    hostname "bench-intel.lab.example"
    kernel "5.14.0-503.14.1.el9_5.x86_64"
    logical_cpus 128
    memory_bytes 540522598400
    microcode "0xd0003e7, 0xd0003d1"
    sockets 2
    virtualized "no"
    "#);
}

#[test]
fn arm_server() {
    let firmware = dmi("GIGABYTE", "R272-P30-JG");
    assert_snapshot!(check(&Texts { firmware, ..texts("arm-server") }), @r#"
    arch "aarch64"
    cores 160
    cpu_model "Neoverse-N1"
    cpu_vendor "ARM"
    hostname "bench-arm"
    kernel "6.1.0-28-arm64"
    logical_cpus 160
    memory_bytes 270176145408
    sockets 2
    virtualized "no"
    "#);
}

#[test]
fn arm_without_sockets_or_firmware() {
    assert_snapshot!(check(&texts("arm-no-dmi")), @r#"
    arch "aarch64"
    cores 64
    cpu_model "Neoverse-N1"
    cpu_vendor "ARM"
    hostname "bench-cloud"
    kernel "6.8.0-1021-aws"
    logical_cpus 64
    memory_bytes 133269168128
    virtualized "unknown"
    "#);
}

#[test]
fn arm_with_two_kinds_of_core() {
    let firmware = Firmware { tree_model: Some("Radxa ROCK 5B".to_owned()), ..Firmware::default() };
    assert_snapshot!(check(&Texts { firmware, ..texts("arm-big-little") }), @r#"
    arch "aarch64"
    board "Radxa ROCK 5B"
    cores 8
    cpu_model "Cortex-A55 + Cortex-A76"
    cpu_vendor "ARM"
    hostname "bench-board"
    kernel "6.1.99-rockchip"
    logical_cpus 8
    memory_bytes 16610729984
    virtualized "no"
    "#);
}

#[test]
fn kvm_guest() {
    assert_snapshot!(check(&texts("kvm-guest")), @r#"
    arch "x86_64"
    cores 2
    cpu_model "AMD EPYC"
    cpu_vendor "AuthenticAMD"
    hostname "guest-kvm"
    hypervisor "KVM"
    kernel "6.18.44-cloud-amd64"
    logical_cpus 2
    memory_bytes 25276502016
    microcode "0x1000065"
    sockets 1
    virtualized "yes"
    "#);
}

#[test]
fn sandbox_that_hides_nearly_all() {
    assert_snapshot!(check(&texts("container")), @r#"
    arch "x86_64"
    cpu_vendor "GenuineIntel"
    hostname "8f0c3a5d2b11"
    kernel "4.4.0"
    logical_cpus 4
    memory_bytes 4294967296
    virtualized "unknown"
    "#);
}

#[test]
fn old_lscpu_with_cpus_offline() {
    assert_snapshot!(check(&texts("offline-old")), @r#"
    arch "x86_64"
    cores 7
    cpu_model "AMD Ryzen 7 3700X 8-Core Processor"
    cpu_vendor "AuthenticAMD"
    hostname "desk"
    kernel "4.19.0-27-amd64"
    logical_cpus 7
    sockets 1
    virtualized "no"
    "#);
}

#[test]
fn cpuinfo_stands_in_for_lscpu() {
    assert_snapshot!(check(&without_lscpu("kvm-guest")), @r#"
    arch "x86_64"
    cores 2
    cpu_model "AMD EPYC"
    cpu_vendor "AuthenticAMD"
    hostname "guest-kvm"
    kernel "6.18.44-cloud-amd64"
    logical_cpus 2
    memory_bytes 25276502016
    microcode "0x1000065"
    sockets 1
    virtualized "yes"
    "#);
    // Part numbers are no names: the model stays unknown, the cores come from sysfs.
    let core_lists = ["0", "1", "2-3", "2-3\n"].map(str::to_owned).to_vec();
    assert_snapshot!(check(&Texts { core_lists, ..without_lscpu("arm-server") }), @r#"
    arch "aarch64"
    cores 3
    cpu_vendor "ARM"
    hostname "bench-arm"
    kernel "6.1.0-28-arm64"
    logical_cpus 4
    memory_bytes 270176145408
    virtualized "unknown"
    "#);
}

#[test]
fn nothing_is_read_from_nothing() {
    let noise = Some("\u{0}\n:::\nCPU(s): many\nSocket(s): 4294967295\nCore(s) per socket: 2\n".to_owned());
    for text in [None, Some(String::new()), noise] {
        let texts = Texts {
            lscpu: text.clone(),
            uname: text.clone(),
            meminfo: text.clone(),
            cpuinfo: text.clone(),
            ..Texts::default()
        };
        let facts = HostFacts { sockets: None, ..assemble(&texts) };
        assert_eq!(facts, HostFacts::default());
    }
}

#[test]
fn uname_has_a_version_of_any_number_of_words() {
    let read = |text: &str| parse_uname(text).map(|u| format!("{} {} {:?}", u.hostname, u.release, u.machine));
    let check = |text: &str, expected: Option<&str>| assert_eq!(read(text).as_deref(), expected, "{text}");
    check("Linux a 6.1.0 x86_64", Some("a 6.1.0 Some(\"x86_64\")"));
    check("Linux a 6.1.0 #1 SMP 2024 riscv64 Linux\n", Some("a 6.1.0 Some(\"riscv64\")"));
    check("Linux a 6.1.0", Some("a 6.1.0 None"));
    check("Linux a 6.1.0 #1 SMP what", Some("a 6.1.0 None"));
    check("Darwin a 23.1.0 Version x arm64", None);
    check("Linux", None);
}

#[test]
fn whether_a_machine_is_virtual_needs_evidence() {
    let check = |bit, firmware: &Firmware, expected: (Virtualized, Option<&str>)| {
        let (virtualized, by) = judge_virtual(None, bit, firmware);
        assert_eq!((virtualized, by.as_deref()), expected, "{bit:?} {firmware:?}");
    };
    let none = Firmware::default();
    check(None, &none, (Virtualized::Unknown, None));
    check(Some(false), &none, (Virtualized::No, None));
    check(Some(true), &none, (Virtualized::Yes, None));
    check(None, &dmi("GIGABYTE", "R272-P30-JG"), (Virtualized::No, None));
    check(Some(true), &dmi("QEMU", "Standard PC (Q35 + ICH9, 2009)"), (Virtualized::Yes, Some("QEMU")));
    check(None, &dmi("Amazon EC2", "c7g.metal"), (Virtualized::No, None));
    check(None, &dmi("Amazon EC2", "c7g.xlarge"), (Virtualized::Yes, Some("Amazon")));
    check(None, &dmi("Microsoft Corporation", "Virtual Machine"), (Virtualized::Yes, Some("Microsoft")));
    check(Some(false), &dmi("Microsoft Corporation", "Surface Pro"), (Virtualized::No, None));
    let tree = |model: &str| Firmware { tree_model: Some(model.to_owned()), ..Firmware::default() };
    check(None, &tree("linux,dummy-virt"), (Virtualized::Yes, Some("KVM")));
    check(None, &tree("Radxa ROCK 5B"), (Virtualized::No, None));
    let xen = Firmware { hypervisor_type: Some("xen".to_owned()), ..Firmware::default() };
    check(None, &xen, (Virtualized::Yes, Some("Xen")));
}

#[test]
fn a_board_that_nobody_named_has_no_name() {
    let named = |vendor: &str, name: &str| {
        let (vendor, name) = (Some(vendor.to_owned()), Some(name.to_owned()));
        board(&Firmware { board_vendor: vendor, board_name: name, ..Firmware::default() })
    };
    assert_eq!(named("Default string", "To be filled by O.E.M."), None);
    assert_eq!(named("ASUSTeK COMPUTER INC.", " Default string "), Some("ASUSTeK COMPUTER INC.".to_owned()));
}

#[test]
fn memory_is_in_bytes() {
    let text = "MemTotal:       24684084 kB\nHugePages_Total:       7\n";
    assert_eq!(parse_meminfo(text, "MemTotal"), Some(25_276_502_016));
    assert_eq!(parse_meminfo(text, "HugePages_Total"), None);
    assert_eq!(parse_meminfo(text, "Mem"), None);
}

#[test]
fn lists_of_cpus_are_counted() {
    for (list, count) in [("0", Some(1)), ("0-3,8", Some(5)), ("3-0", None), ("0-", None), ("", None)] {
        assert_eq!(count_list(list), count, "{list}");
    }
}
