//! Replays what the fuzz targets have found worth keeping: none of it makes a decoder panic, and each is judged as it was.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

use std::{collections::BTreeMap, fs, path::Path};

use dna_transport::testing;

/// The inputs of a target by name.
fn corpus(target: &str) -> BTreeMap<String, Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let inputs = entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
    let inputs = inputs.collect::<BTreeMap<_, _>>();
    assert!(!inputs.is_empty(), "there is a corpus of {target}");
    inputs
}

#[test]
fn frames_are_read_as_far_as_they_keep_to_the_protocol() {
    let counts = corpus("frames").into_iter().map(|(name, bytes)| (name, testing::frames(&bytes)));
    let counts = counts.collect::<BTreeMap<_, _>>();
    for (name, expected) in
        [("request", 1), ("every_kind", 10), ("extended", 2), ("too_long", 0), ("unknown_kind", 0), ("cut", 0)]
    {
        assert_eq!(counts.get(name), Some(&expected), "{name}");
    }
}

#[test]
fn messages_are_put_together_as_far_as_they_keep_to_the_protocol() {
    let counts = corpus("messages").into_iter().map(|(name, bytes)| (name, testing::messages(&bytes)));
    let counts = counts.collect::<BTreeMap<_, _>>();
    for (name, expected) in [
        ("whole", Some(1)),
        ("two_interleaved", Some(2)),
        ("not_begun", None),
        ("twice", None),
        ("never_ends", Some(0)),
    ] {
        assert_eq!(counts.get(name), Some(&expected), "{name}");
    }
}

#[test]
fn messages_of_the_handshake_are_told_from_what_is_none() {
    let found = corpus("handshake").into_iter().map(|(name, bytes)| (name, testing::handshake(&bytes)));
    let found = found.collect::<BTreeMap<_, _>>();
    for (name, expected) in [
        ("hello", true),
        ("hello_longer", true),
        ("hello_cut", false),
        ("hello_bad_text", false),
        ("challenge", true),
        ("proof", true),
        ("welcome", true),
        ("refusal", false),
        ("other_magic", false),
    ] {
        assert_eq!(found.get(name), Some(&expected), "{name}");
    }
}
