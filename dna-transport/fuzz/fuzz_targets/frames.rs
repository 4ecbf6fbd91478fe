//! Any bytes as frames: no panic, and nothing is kept of what has not come.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = dna_transport::testing::frames(bytes);
});
