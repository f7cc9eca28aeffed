//! Runs `targets::manifest` on whatever libFuzzer makes up.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::manifest(data));
