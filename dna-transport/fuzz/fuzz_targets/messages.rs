//! Any bytes as frames of messages: no panic, and no more is kept than has come.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = dna_transport::testing::messages(bytes);
});
