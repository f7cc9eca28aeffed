//! The shipped adapters, each driven by the real binary: with its tool, with stand-ins caught in the tool's traps, with
//! no tool at all. Never a tool outside a folder of its own.

mod real;
mod rig;
mod stand_ins;

/// The adapters of real diagnostics, and the program of each.
const TOOLS: [(&str, &str); 6] = [
    ("cyclictest", "cyclictest"),
    ("fio", "fio"),
    ("memtester", "memtester"),
    ("stress_ng", "stress-ng"),
    ("stressapptest", "stressapptest"),
    ("sysbench", "sysbench"),
];
