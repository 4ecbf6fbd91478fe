//! Messages as bytes: MessagePack with named fields.

use serde::{Serialize, de::DeserializeOwned};

/// A value that does not survive its own encoding.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    #[error("`{what}` cannot be encoded: {reason}; see its `Serialize`")]
    Encode { what: &'static str, reason: rmp_serde::encode::Error },
    #[error("`{what}` cannot be decoded from its own encoding: {reason}; see its `Deserialize`")]
    Decode { what: &'static str, reason: rmp_serde::decode::Error },
    #[error("`{what}` leaves {bytes} bytes of its own encoding unread; see its `Deserialize`")]
    Trailing { what: &'static str, bytes: usize },
}

/// Encodes and decodes `value`, as it would be on its way to another node.
pub(crate) fn round_trip<V: Serialize + DeserializeOwned>(value: &V) -> Result<V, CodecError> {
    let what = std::any::type_name::<V>();
    let bytes = rmp_serde::to_vec_named(value).map_err(|reason| CodecError::Encode { what, reason })?;
    let mut rest = bytes.as_slice();
    let mut decoder = rmp_serde::Deserializer::new(&mut rest);
    let decoded = V::deserialize(&mut decoder).map_err(|reason| CodecError::Decode { what, reason })?;
    drop(decoder);
    if rest.is_empty() { Ok(decoded) } else { Err(CodecError::Trailing { what, bytes: rest.len() }) }
}
