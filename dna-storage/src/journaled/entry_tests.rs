//! The entry format: golden bytes, evolution, and what a reader refuses.

use dna_core::testing::{actor, delete, delete_range, put, writes};
use proptest::prelude::*;

use super::*;

fn sample() -> Group {
    let range =
        |start: &'static str, end: Option<&'static str>| KeyRange { start: start.into(), end: end.map(Into::into) };
    let first = vec![
        delete_range("m", range("a", Some("b"))),
        delete_range("m", range("c", None)),
        put("m", "k", "v"),
        delete("other", ""),
    ];
    Group { number: 7, actors: vec![writes(&actor("alice"), first), writes(&actor("bob"), vec![])] }
}

#[rustfmt::skip]
const GOLDEN: &[u8] = &[
    1,                                              // format
    7, 0, 0, 0, 0, 0, 0, 0,                         // number
    9, 0, 0, 0, 0, 0, 0, 0,                         // stamp
    4,                                              // labels
    4, b't', b'e', b's', b't',  1, b'T',  1, b'm',  5, b'o', b't', b'h', b'e', b'r',
    2,                                              // actors
    0, 1, 5, b'a', b'l', b'i', b'c', b'e', 4,       // test/T/alice, 4 writes
    2, 2, 1, b'a', 1, b'b',                         // range delete a..b
    2, 3, 1, b'c',                                  // range delete c..
    2, 0, 1, b'k', 1, b'v',                         // put
    3, 1, 0,                                        // delete
    0, 1, 3, b'b', b'o', b'b', 0,                   // test/T/bob, no writes
    214, 1, 112, 90, 254, 215, 89, 108,            // checksum
];

#[test]
fn the_format_is_what_the_golden_bytes_say() {
    assert_eq!(encode(&sample(), 9).as_ref(), GOLDEN);
    assert_eq!(decode(&Bytes::from_static(GOLDEN)), Ok((sample(), 9)));
}

#[test]
fn a_newer_format_is_refused_with_both_numbers() {
    let mut newer = GOLDEN.to_vec();
    newer[0] = 2;
    let error = decode(&newer.into()).unwrap_err();

    assert_eq!(error, EntryError::Newer { found: 2, supported: 1 });
    assert!(error.to_string().contains("format 2") && error.to_string().contains("format 1"));
}

#[test]
fn every_changed_bit_is_noticed() {
    for byte in 0..GOLDEN.len() {
        for bit in 0..8 {
            let mut damaged = GOLDEN.to_vec();
            damaged[byte] ^= 1 << bit;
            assert!(decode(&damaged.into()).is_err(), "bit {bit} of byte {byte}");
        }
    }
}

#[test]
fn every_cut_and_every_trailing_byte_is_noticed() {
    for len in 0..GOLDEN.len() {
        assert!(decode(&Bytes::from_static(&GOLDEN[..len])).is_err(), "{len} bytes");
    }
    let trailing = [&GOLDEN[..GOLDEN.len() - 8], &[0]].concat();
    assert_eq!(decode(&with_checksum(trailing)), Err(EntryError::Malformed));
}

#[test]
fn a_count_that_claims_too_much_allocates_nothing() {
    let mut claims = GOLDEN[..17].to_vec();
    claims.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);

    assert_eq!(decode(&with_checksum(claims)), Err(EntryError::Malformed));
}

#[test]
fn an_index_beyond_the_labels_is_refused() {
    let mut wrong = GOLDEN[..GOLDEN.len() - 8].to_vec();
    let at = wrong.iter().rposition(|&byte| byte == 1).unwrap();
    wrong[at] = 4;

    assert_eq!(decode(&with_checksum(wrong)), Err(EntryError::Malformed));
}

fn with_checksum(mut body: Vec<u8>) -> Bytes {
    body.extend(xxh3_64(&body).to_le_bytes());
    body.into()
}

fn some_bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
}

fn some_write() -> impl Strategy<Value = Write> {
    let kind = prop_oneof![
        (some_bytes(), some_bytes()).prop_map(|(key, value)| WriteKind::Put { key, value }),
        some_bytes().prop_map(|key| WriteKind::Delete { key }),
        (some_bytes(), prop::option::of(some_bytes()))
            .prop_map(|(start, end)| WriteKind::DeleteRange { range: KeyRange { start, end } }),
    ];
    ("\\PC{1,8}", kind).prop_map(|(module, kind)| Write { module: module.into(), kind })
}

fn some_group() -> impl Strategy<Value = Group> {
    let name = ("\\PC{1,6}", "\\PC{1,6}", "\\PC{1,20}");
    let name = name.prop_map(|(namespace, kind, name)| ActorName::new(namespace, kind, name).unwrap());
    let actor = (name, prop::collection::vec(some_write(), 0..6));
    let actor = actor.prop_map(|(actor, writes)| ActorWrites { actor, writes });
    (any::<u64>(), prop::collection::vec(actor, 0..6)).prop_map(|(number, actors)| Group { number, actors })
}

proptest! {
    #[test]
    fn every_group_comes_back_as_it_was(group in some_group(), stamp: u64) {
        prop_assert_eq!(decode(&encode(&group, stamp)), Ok((group, stamp)));
    }

    #[test]
    fn no_input_makes_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&with_checksum([&[1], &body[..]].concat()));
    }
}
