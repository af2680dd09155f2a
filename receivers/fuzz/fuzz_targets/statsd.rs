//! Datagrams of some intervals.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| receivers::fuzzing::statsd(data));
