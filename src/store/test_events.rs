//! For tests: events of a run, made from the text that the contract shows.

use super::journal::decode;
use crate::domain::event::Recorded;

pub(crate) const ID: &str = "rr-20250101T010101Z-abc123";

/// The event `name` with these fields, `"pid":1,"boot_id":null`; empty for none.
pub(crate) fn event(seq: u64, name: &str, fields: &str) -> Recorded {
    let comma = if fields.is_empty() { "" } else { "," };
    let line = format!(r#"{{"event":"{name}","seq":{seq},"at":"2025-01-01T01:01:01.007Z"{comma}{fields}}}"#);
    decode(line.as_bytes()).unwrap().unwrap()
}

pub(crate) fn run_started(seq: u64) -> Recorded {
    event(seq, "run_started", r#""boot_id":"4f6e","pid":4242"#)
}

pub(crate) fn subrun_started(seq: u64, index: u32) -> Recorded {
    event(seq, "subrun_started", &format!(r#""id":"{ID}-s{index:02}","index":{index}"#))
}

pub(crate) fn subrun_finished(seq: u64, index: u32) -> Recorded {
    let fields = format!(r#""id":"{ID}-s{index:02}","index":{index},"verdict":"pass","effects":[]"#);
    event(seq, "subrun_finished", &fields)
}

pub(crate) fn cancelling(seq: u64) -> Recorded {
    event(seq, "cancelling", r#""reason":"interrupt""#)
}

pub(crate) fn step_started(seq: u64, index: u32) -> Recorded {
    let fields = format!(
        r#""index":{index},"step":"mem-pattern","adapter":"mem_pattern","combination":"pattern=checkerboard,size_mb=16","repetition":0,"attempt":1,"params":{{"pattern":"checkerboard","seed":12345,"size_mb":16}},"rails":{{"core":{{"frequency_khz":3200000,"nominal_khz":3200000,"nominal_uv":1000000,"voltage_uv":999000}}}},"applied":{{"core.frequency":"none","core.voltage":"adapter"}},"argv":["diags/mem_pattern.sh","--quiet","--size-mb","16","--pattern","checkerboard","--seed","12345","ünï \"q\""],"seed":12345,"boot_id":"4f6e2f1e-6f0e-4b3b-9a51-0d9a1b2c3d4e""#
    );
    event(seq, "step_started", &fields)
}

pub(crate) fn step_spawned(seq: u64, index: u32) -> Recorded {
    event(seq, "step_spawned", &format!(r#""index":{index},"pid":31337,"start_ticks":123456"#))
}

pub(crate) fn step_finished(seq: u64, index: u32) -> Recorded {
    let fields = format!(
        r#""index":{index},"step":"mem-pattern","verdict":"pass","effects":[],"reason":null,"exit_code":0,"signal":null,"started_at":"2025-01-01T01:01:01.010Z","ended_at":"2025-01-01T01:01:02.010Z","duration_ms":1000,"stdout_bytes":120,"stderr_bytes":0,"user_ms":900,"system_ms":20,"max_rss_kb":17000,"metrics":{{"rounds_per_s":{{"value":1234.5,"unit":"1/s"}}}},"evidence":[{{"check":"expect 1: stdout matches 'checksum'","held":true,"found":"checksum 1234abcd OK"}}],"artifacts":[],"error":null"#
    );
    event(seq, "step_finished", &fields)
}
