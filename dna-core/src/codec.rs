//! Messages as bytes: MessagePack with named fields.

use std::cell::Cell;

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use crate::run;

/// A value that does not survive its own encoding.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodecError {
    #[error("`{what}` cannot be encoded: {reason}; see its `Serialize`")]
    Encode { what: &'static str, reason: rmp_serde::encode::Error },
    #[error("`{what}` cannot be decoded: {reason}; see its `Deserialize`, and that all nodes run versions that fit")]
    Decode { what: &'static str, reason: rmp_serde::decode::Error },
    #[error("`{what}` panicked on its way to or from bytes; see the node's log")]
    Panicked { what: &'static str },
    #[error("`{what}` leaves {bytes} bytes of its encoding unread; see its `Deserialize`")]
    Trailing { what: &'static str, bytes: usize },
}

/// `value` as it goes to another node.
pub(crate) fn encode<V: Serialize>(value: &V) -> Result<Bytes, CodecError> {
    let what = std::any::type_name::<V>();
    // Encoding a value may encode another one, in whose way the buffer must not be.
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    let encoded = run::guarded(what, || rmp_serde::encode::write_named(&mut buffer, value));
    let encoded = encoded.ok_or(CodecError::Panicked { what })?;
    encoded.map_err(|reason| CodecError::Encode { what, reason })?;
    if buffer.capacity() > BUFFER_BYTES_MAX {
        return Ok(Bytes::from(buffer));
    }
    let bytes = Bytes::copy_from_slice(&buffer);
    buffer.clear();
    // Where a thread ends there is no next time.
    let _ = BUFFER.try_with(|kept| kept.set(buffer));
    Ok(bytes)
}

/// What a buffer may hold that is used again, in bytes.
const BUFFER_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    /// Where values are encoded.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// A value as it comes from another node.
pub(crate) fn decode<V: DeserializeOwned>(bytes: &[u8]) -> Result<V, CodecError> {
    let what = std::any::type_name::<V>();
    let mut rest = bytes;
    let mut decoder = rmp_serde::Deserializer::new(&mut rest);
    let decoded = run::guarded(what, || V::deserialize(&mut decoder)).ok_or(CodecError::Panicked { what })?;
    let decoded = decoded.map_err(|reason| CodecError::Decode { what, reason })?;
    drop(decoder);
    if rest.is_empty() { Ok(decoded) } else { Err(CodecError::Trailing { what, bytes: rest.len() }) }
}

/// Encodes and decodes `value`, as it would be on its way to another node.
pub(crate) fn round_trip<V: Serialize + DeserializeOwned>(value: &V) -> Result<V, CodecError> {
    decode(&encode(value)?)
}
