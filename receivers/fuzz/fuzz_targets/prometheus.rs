//! Bodies of scrapes of one target.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| receivers::fuzzing::prometheus(data));
