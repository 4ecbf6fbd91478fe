//! How values are stored: MessagePack with field names, or, for [`Bytes`], as they are.

use std::any::Any;

use bytes::Bytes;
use rmp_serde::{Deserializer, Serializer, decode};
use serde::{Serialize, de::DeserializeOwned, de::IgnoredAny};

use super::{
    key::{EncodeKey, Key, encode_key},
    key_writer::KeyWriter,
    scratch,
};

/// Why a value could not be encoded: what its `Serialize` reported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ValueEncodeError {
    reason: String,
}

/// Why bytes are not a value of the type that they were read as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueDecodeError {
    /// They are not a value of this type.
    #[error("{reason}")]
    Invalid {
        /// What its `Deserialize` reported.
        reason: String,
    },
    /// They begin with a value of this type, but do not end with it.
    #[error("something follows the value")]
    Trailing,
}

/// The bytes of a value. For storage modules of your own.
///
/// [`Bytes`] are taken as they are, without a copy. Everything else is MessagePack with the names of the fields, so
/// that fields may be added (with `#[serde(default)]`) and removed. A plain `Vec<u8>` becomes an array of integers,
/// which takes up to twice its size: use [`Bytes`], or `serde_bytes` on the field.
///
/// # Errors
/// [`ValueEncodeError`] where its `Serialize` fails.
pub fn encode_value<V: Serialize + 'static>(value: &V) -> Result<Bytes, ValueEncodeError> {
    if let Some(bytes) = (value as &dyn Any).downcast_ref::<Bytes>() {
        return Ok(bytes.clone());
    }
    scratch::collect(|buffer| value.serialize(&mut Serializer::new(buffer).with_struct_map()))
        .map_err(|error| ValueEncodeError { reason: error.to_string() })
}

/// A key and its value, each as it would be encoded alone.
pub(super) fn encode_row<K: Key, V: Serialize + 'static>(
    key: &impl EncodeKey<K>,
    value: &V,
) -> Result<(Bytes, Bytes), ValueEncodeError> {
    if let Some(bytes) = (value as &dyn Any).downcast_ref::<Bytes>() {
        return Ok((encode_key(key), bytes.clone()));
    }
    scratch::collect_pair(
        |buffer| key.encode_key(&mut KeyWriter::new(buffer)),
        |buffer| value.serialize(&mut Serializer::new(buffer).with_struct_map()),
    )
    .map_err(|error| ValueEncodeError { reason: error.to_string() })
}

/// The value that these bytes are. For storage modules of your own.
///
/// # Errors
/// [`ValueDecodeError`] where they are not exactly one value of this type.
pub fn decode_value<V: DeserializeOwned + 'static>(bytes: Bytes) -> Result<V, ValueDecodeError> {
    let mut bytes = Some(bytes);
    if let Some(value) = (&mut bytes as &mut dyn Any).downcast_mut::<Option<V>>().and_then(Option::take) {
        return Ok(value);
    }
    let bytes = bytes.unwrap_or_default();
    let mut input = Deserializer::from_read_ref(bytes.as_ref());
    let value = V::deserialize(&mut input).map_err(|error| ValueDecodeError::Invalid { reason: error.to_string() })?;
    // The deserializer does not say where it stands; asked for another value it does not even find a first byte.
    match <IgnoredAny as serde::Deserialize>::deserialize(&mut input) {
        Err(decode::Error::InvalidMarkerRead(_)) => Ok(value),
        _ => Err(ValueDecodeError::Trailing),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Line {
        sku: String,
        count: u32,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct LineWithNote {
        #[serde(default)]
        note: Option<String>,
        count: u32,
        sku: String,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    enum State {
        Idle,
        Busy { since: u64 },
    }

    fn apple() -> Line {
        Line { sku: "apple".into(), count: 3 }
    }

    struct Unwilling;

    impl Serialize for Unwilling {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("not today"))
        }
    }

    struct Nested(Line);

    impl Serialize for Nested {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let inner = encode_value(&self.0).map_err(serde::ser::Error::custom)?;
            serializer.serialize_bytes(&inner)
        }
    }

    #[test]
    fn a_struct_is_a_map_of_its_field_names() {
        let golden = b"\x82\xa3sku\xa5apple\xa5count\x03";
        assert_eq!(encode_value(&apple()).unwrap(), &golden[..]);
        assert_eq!(decode_value::<Line>(Bytes::from_static(golden)), Ok(apple()));
    }

    #[test]
    fn an_enum_is_named_and_so_are_its_fields() {
        assert_eq!(encode_value(&State::Idle).unwrap(), &b"\xa4Idle"[..]);
        let busy = b"\x81\xa4Busy\x81\xa5since\x07";
        assert_eq!(encode_value(&State::Busy { since: 7 }).unwrap(), &busy[..]);
        assert_eq!(decode_value::<State>(Bytes::from_static(busy)), Ok(State::Busy { since: 7 }));
    }

    #[test]
    fn bytes_are_stored_as_they_are_without_a_copy() {
        let value = Bytes::from(vec![0xc1, 0, 255]);
        let stored = encode_value(&value).unwrap();
        assert_eq!(stored.as_ptr(), value.as_ptr());
        let read = decode_value::<Bytes>(stored).unwrap();
        assert_eq!(read.as_ptr(), value.as_ptr());
        assert_eq!(decode_value::<Bytes>(Bytes::new()), Ok(Bytes::new()));
    }

    #[test]
    fn bytes_within_a_value_are_not_an_array() {
        let value = (1_u8, Bytes::from_static(b"\xff\xff"));
        assert_eq!(encode_value(&value).unwrap(), &b"\x92\x01\xc4\x02\xff\xff"[..]);
        let value = serde_bytes::ByteBuf::from(*b"\xff\xff");
        assert_eq!(encode_value(&value).unwrap(), &b"\xc4\x02\xff\xff"[..]);
    }

    #[test]
    fn a_new_reader_takes_old_values_and_an_old_reader_new_ones() {
        let old = encode_value(&apple()).unwrap();
        let read: LineWithNote = decode_value(old).unwrap();
        assert_eq!(read, LineWithNote { note: None, count: 3, sku: "apple".into() });
        let new = encode_value(&LineWithNote { note: Some("ripe".into()), ..read }).unwrap();
        assert_eq!(decode_value::<Line>(new), Ok(apple()));
    }

    #[test]
    fn nothing_may_follow_a_value() {
        for trailing in [0x00_u8, 0xc0, 0xc1, 0xdd, 0xff] {
            let mut bytes = encode_value(&apple()).unwrap().to_vec();
            bytes.push(trailing);
            assert_eq!(decode_value::<Line>(bytes.into()), Err(ValueDecodeError::Trailing), "{trailing:#x}");
        }
        assert_eq!(decode_value::<Option<u8>>(Bytes::from_static(b"\xc0\xc0")), Err(ValueDecodeError::Trailing));
    }

    #[test]
    fn a_value_cut_anywhere_is_an_error() {
        let bytes = encode_value(&vec![Some(apple()), None]).unwrap();
        for end in 0..bytes.len() {
            let cut = decode_value::<Vec<Option<Line>>>(bytes.slice(..end));
            assert!(matches!(cut, Err(ValueDecodeError::Invalid { .. })), "{end}: {cut:?}");
        }
    }

    #[test]
    fn values_of_all_kinds_come_back() {
        fn back<V: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug + 'static>(value: V) {
            assert_eq!(decode_value(encode_value(&value).unwrap()), Ok(value));
        }
        back(());
        back(None::<u8>);
        back(Some(Some(3_u8)));
        back(u128::MAX);
        back(i64::MIN);
        back(f64::MIN_POSITIVE);
        back("ä\0".to_owned());
        back(vec![(1, 'x', true)]);
        back(std::collections::BTreeMap::from([((1_u8, "a".to_owned()), vec![0_u8; 300])]));
    }

    #[test]
    fn what_serialize_reports_is_the_error() {
        assert_eq!(encode_value(&Unwilling).unwrap_err().to_string(), "not today");
        assert_eq!(encode_value(&1_u8).unwrap(), &b"\x01"[..], "nothing is left of the failed one");
    }

    #[test]
    fn a_value_may_encode_another_one_while_it_is_encoded() {
        let inner = encode_value(&apple()).unwrap();
        let outer = encode_value(&Nested(apple())).unwrap();
        assert_eq!(outer.strip_prefix(b"\xc4\x12").unwrap(), inner.as_ref());
    }
}
