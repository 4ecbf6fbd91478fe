//! Reads and writes of one typed value in a partition: what all modules share, those of users too.

use std::any::type_name;

use bytes::Bytes;
use dna_core::{Partition, WriteError};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    error::{KeyText, ModuleError},
    key::{EncodeKey, Key},
    value_codec::{ValueEncodeError, decode_value, encode_row, encode_value},
};

/// Writes a value under a key. For storage modules of your own.
///
/// It is encoded first, with [`encode_value`]; one that cannot be encoded rolls the message back at its end.
///
/// # Panics
/// Outside the actor's own `&mut self` handler.
pub fn put_value<V: Serialize + 'static>(partition: &Partition, key: Bytes, value: &V) {
    match encode_value(value) {
        Ok(bytes) => partition.put(key, bytes),
        Err(error) => fail(partition, &error),
    }
}

/// Writes a value under a key, as [`put_value`] does, and encodes both at once.
pub(super) fn put_row<K: Key, V: Serialize + 'static>(partition: &Partition, key: &impl EncodeKey<K>, value: &V) {
    match encode_row(key, value) {
        Ok((key, value)) => partition.put(key, value),
        Err(error) => fail(partition, &error),
    }
}

fn fail(partition: &Partition, error: &ValueEncodeError) {
    partition.fail(WriteError::Serialize { module: partition.module().to_owned(), reason: error.to_string() });
}

/// The value under a key, if there is one. For storage modules of your own.
///
/// # Errors
/// [`ModuleError::Read`] if the store cannot be read, [`ModuleError::Value`] if the value is not a `V`.
///
/// # Cancel safety
/// A dropped read has no effect.
pub async fn get_value<V: DeserializeOwned + 'static>(
    partition: &Partition,
    key: &[u8],
) -> Result<Option<V>, ModuleError> {
    match partition.get(key).await? {
        Some(bytes) => decode(partition.module(), key, bytes).map(Some),
        None => Ok(None),
    }
}

/// Decodes the value of a key.
pub(super) fn decode<V: DeserializeOwned + 'static>(module: &str, key: &[u8], value: Bytes) -> Result<V, ModuleError> {
    decode_value(value).map_err(|reason| ModuleError::Value {
        module: module.to_owned(),
        key: KeyText::new(key),
        expected: type_name::<V>(),
        reason,
    })
}
