//! The laws of key encodings, for every built-in key, and their golden bytes.

use std::fmt::Debug;

use bytes::Bytes;
use proptest::{collection::vec, prelude::*};

use super::{
    key::{EncodeKey, Key, decode_key, encode_key},
    key_error::KeyError,
    key_prefix::{KeyPrefix, encode_prefix},
    key_reader::KeyReader,
    key_writer::KeyWriter,
};

/// Everything that must hold of two keys of one type, alone and as the first component of a tuple.
fn assert_laws<K: Key + Ord + Clone + Debug>(a: &K, b: &K) {
    let (bytes_a, bytes_b) = (encode_key::<K>(a), encode_key::<K>(b));
    assert_eq!(a.cmp(b), bytes_a.cmp(&bytes_b), "order of {a:?} and {b:?}: {bytes_a:?}, {bytes_b:?}");
    assert_eq!(decode_key::<K>(&bytes_a).as_ref(), Ok(a), "round trip");
    for (first, second) in [(0, 0), (0, 255), (255, 0)] {
        let (a, b) = ((a.clone(), first), (b.clone(), second));
        let (bytes_a, bytes_b) = (encode_key::<(K, u8)>(&a), encode_key::<(K, u8)>(&b));
        assert_eq!(a.cmp(&b), bytes_a.cmp(&bytes_b), "order of {a:?} and {b:?}: {bytes_a:?}, {bytes_b:?}");
        assert_eq!(decode_key::<(K, u8)>(&bytes_a), Ok(a), "round trip as a component");
    }
}

/// Any bytes are an error or a key that has exactly these bytes.
fn assert_no_other_bytes<K: Key + Debug>(bytes: &[u8]) {
    if let Ok(key) = decode_key::<K>(bytes) {
        assert_eq!(encode_key::<K>(&key), bytes, "{key:?}");
    }
}

/// Strings that are often equal, near each other, or hold what is escaped.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        vec(prop_oneof![Just('\0'), Just('\u{1}'), Just('a'), Just('\u{ff}'), Just('\u{10ffff}')], 0..5)
            .prop_map(|chars| chars.into_iter().collect()),
        any::<String>(),
    ]
}

/// Byte strings of the same kind.
fn blob() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(0_u8), Just(1), Just(2), Just(0xfe), Just(0xff), any::<u8>()], 0..6)
}

macro_rules! laws {
    ($($name:ident: $key:ty = $strategy:expr;)+) => {$(
        proptest! {
            #[test]
            fn $name(a in $strategy, b in $strategy) {
                assert_laws::<$key>(&a, &b);
                assert_laws::<$key>(&a, &a);
            }
        }
    )+};
}

laws! {
    strings_order_and_come_back: String = text();
    byte_strings_order_and_come_back: Vec<u8> = blob();
    shared_bytes_order_and_come_back: Bytes = blob().prop_map(Bytes::from);
    arrays_order_and_come_back: [u8; 3] = any::<[u8; 3]>();
    u8_orders_and_comes_back: u8 = any::<u8>();
    u16_orders_and_comes_back: u16 = any::<u16>();
    u32_orders_and_comes_back: u32 = any::<u32>();
    u64_orders_and_comes_back: u64 = any::<u64>();
    u128_orders_and_comes_back: u128 = any::<u128>();
    i8_orders_and_comes_back: i8 = any::<i8>();
    i16_orders_and_comes_back: i16 = any::<i16>();
    i32_orders_and_comes_back: i32 = any::<i32>();
    i64_orders_and_comes_back: i64 = any::<i64>();
    i128_orders_and_comes_back: i128 = any::<i128>();
    bool_orders_and_comes_back: bool = any::<bool>();
    char_orders_and_comes_back: char = any::<char>();
    pairs_of_strings_order_and_come_back: (String, String) = (text(), text());
    mixed_pairs_order_and_come_back: (Vec<u8>, i32) = (blob(), any::<i32>());
    triples_order_and_come_back: (i16, String, Vec<u8>) = (any::<i16>(), text(), blob());
    quadruples_order_and_come_back: (String, bool, Bytes, char) =
        (text(), any::<bool>(), blob().prop_map(Bytes::from), any::<char>());
    tuples_nested_in_front_order_and_come_back: ((String, Vec<u8>), String) = ((text(), blob()), text());
    tuples_nested_behind_order_and_come_back: (Vec<u8>, (String, String)) = (blob(), (text(), text()));
    keys_of_a_users_own_order_and_come_back: LineId =
        (text(), any::<i64>()).prop_map(|(order, line)| LineId { order, line });
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_are_a_key(bytes in blob()) {
        assert_no_other_bytes::<String>(&bytes);
        assert_no_other_bytes::<Vec<u8>>(&bytes);
        assert_no_other_bytes::<[u8; 3]>(&bytes);
        assert_no_other_bytes::<u16>(&bytes);
        assert_no_other_bytes::<i32>(&bytes);
        assert_no_other_bytes::<bool>(&bytes);
        assert_no_other_bytes::<char>(&bytes);
        assert_no_other_bytes::<(String, u8)>(&bytes);
        assert_no_other_bytes::<(Vec<u8>, Vec<u8>)>(&bytes);
        assert_no_other_bytes::<((Vec<u8>, bool), Bytes)>(&bytes);
    }

    #[test]
    fn a_string_prefix_begins_exactly_the_strings_that_start_with_it(key in text(), prefix in text()) {
        let prefix_bytes = encode_prefix::<String>(&prefix);
        prop_assert_eq!(encode_key::<String>(&key).starts_with(&prefix_bytes), key.starts_with(&prefix));
    }

    #[test]
    fn a_tuple_prefix_begins_exactly_the_tuples_with_these_components(
        key in (text(), blob(), any::<u8>()), prefix in (text(), blob()),
    ) {
        let bytes = encode_key::<(String, Vec<u8>, u8)>(&key);
        let one = encode_prefix::<(String, Vec<u8>, u8)>(&(&prefix.0,));
        prop_assert_eq!(bytes.starts_with(&one), key.0 == prefix.0);
        let two = encode_prefix::<(String, Vec<u8>, u8)>(&(&prefix.0, &prefix.1));
        prop_assert_eq!(bytes.starts_with(&two), (&key.0, &key.1) == (&prefix.0, &prefix.1));
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct LineId {
    order: String,
    line: i64,
}

impl EncodeKey for LineId {
    fn encode_key(&self, out: &mut KeyWriter<'_>) {
        out.part(&self.order);
        out.last(&self.line);
    }
}

impl Key for LineId {
    fn decode_key(input: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        Ok(LineId { order: input.part()?, line: input.last()? })
    }
}

#[test]
fn keys_have_their_golden_bytes() {
    fn golden<K: Key>(key: impl EncodeKey<K>, bytes: &[u8]) {
        assert_eq!(encode_key::<K>(&key), bytes);
    }
    golden::<String>("", b"");
    golden::<String>("ab", b"ab");
    golden::<String>("a\0b", b"a\0b");
    golden::<Vec<u8>>(b"\x00\xff", b"\x00\xff");
    golden::<Bytes>(b"\x00\xff", b"\x00\xff");
    golden::<[u8; 2]>([0, 255], b"\x00\xff");
    golden::<u8>(7, b"\x07");
    golden::<u16>(0x0102, b"\x01\x02");
    golden::<u32>(1, b"\x00\x00\x00\x01");
    golden::<u64>(1, b"\x00\x00\x00\x00\x00\x00\x00\x01");
    golden::<u128>(1, b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01");
    golden::<i8>(-128, b"\x00");
    golden::<i16>(-2, b"\x7f\xfe");
    golden::<i32>(0, b"\x80\x00\x00\x00");
    golden::<i64>(1, b"\x80\x00\x00\x00\x00\x00\x00\x01");
    golden::<i128>(-1, b"\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff");
    golden::<bool>(true, b"\x01");
    golden::<char>('ä', b"\x00\x00\x00\xe4");
    golden::<(String, u16)>(("a\0b", 7), b"a\x00\xffb\x00\x01\x00\x07");
    golden::<(bool, String)>((true, "a\0b"), b"\x01a\0b");
    golden::<((String, String), String)>((("a", "b"), "c"), b"a\x00\x01b\x00\x01c");
    golden::<(String, (String, String))>(("a", ("b", "c")), b"a\x00\x01b\x00\x01c");
    golden::<(u8, i8, String, u8)>((1, 1, "", 2), b"\x01\x81\x00\x01\x02");
}

#[test]
fn prefixes_have_their_golden_bytes() {
    fn golden<K: Key>(prefix: impl KeyPrefix<K>, bytes: &[u8]) {
        assert_eq!(encode_prefix::<K>(&prefix), bytes);
    }
    golden::<String>("ab", b"ab");
    golden::<Vec<u8>>(b"a\0", b"a\0");
    golden::<(String, u8)>(("a",), b"a\x00\x01");
    golden::<(u8, String, u8)>((1, "a\0"), b"\x01a\x00\xff\x00\x01");
    golden::<(u8, String, u8)>((1,), b"\x01");
    golden::<(u8, u8, String, u8)>((1, 2, "a"), b"\x01\x02a\x00\x01");
}

#[test]
fn a_borrowed_form_has_the_bytes_of_the_key() {
    let owned = ("alice".to_owned(), vec![0_u8, 1]);
    let bytes = encode_key::<(String, Vec<u8>)>(&owned);
    assert_eq!(encode_key::<(String, Vec<u8>)>(&("alice", [0, 1])), bytes);
    assert_eq!(encode_key::<(String, Vec<u8>)>(&(&owned.0, &owned.1[..])), bytes);
    assert_eq!(encode_key::<(String, Vec<u8>)>(&&owned), bytes);
    assert_eq!(encode_key::<String>("alice"), encode_key::<String>(&owned.0));
    assert_eq!(encode_key::<Bytes>(&[0_u8, 1][..]), encode_key::<Bytes>(&Bytes::from_static(&[0, 1])));
}

#[test]
fn malformed_bytes_are_named() {
    assert_eq!(decode_key::<u32>(b"\0\0\0"), Err(KeyError::Truncated));
    assert_eq!(decode_key::<u32>(b"\0\0\0\0\0\0"), Err(KeyError::Trailing { bytes: 2 }));
    assert_eq!(decode_key::<String>(b"\xff"), Err(KeyError::Invalid { expected: "UTF-8" }));
    assert_eq!(decode_key::<bool>(b"\x02"), Err(KeyError::Invalid { expected: "a bool" }));
    assert_eq!(decode_key::<char>(b"\x00\x00\xd8\x00"), Err(KeyError::Invalid { expected: "a character" }));
    assert_eq!(decode_key::<(String, u8)>(b"a"), Err(KeyError::Escape), "no terminator");
    assert_eq!(decode_key::<(String, u8)>(b"a\0"), Err(KeyError::Escape), "half a terminator");
    assert_eq!(decode_key::<(String, u8)>(b"a\0\x02"), Err(KeyError::Escape), "neither end nor escape");
    assert_eq!(decode_key::<(String, u8)>(b"a\0\x01"), Err(KeyError::Truncated), "nothing behind the first");
}
