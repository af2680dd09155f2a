//! A file's bytes, and the configuration that they are read with.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| receivers::fuzzing::filelog(data));
