#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lastgood_fuzz::rows::run(data));
