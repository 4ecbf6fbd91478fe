//! Any bytes as a message of the handshake: no panic.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = dna_transport::testing::handshake(bytes);
});
