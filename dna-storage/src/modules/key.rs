//! What a key is: a type with an encoding that orders as the type does. The encodings of the built-in keys are in
//! `key_impls`.

use std::convert::Infallible;

use bytes::Bytes;

use super::{key_error::KeyError, key_reader::KeyReader, key_writer::KeyWriter, scratch};

/// A type that can be the key of a [`Kv`](super::Kv).
///
/// Built in are `String`, `Vec<u8>`, [`Bytes`], `[u8; N]`, the integers of 8 to 128 bits, `bool`, `char`, and tuples
/// of two to four of these, nested ones too. A type of your own is two functions:
///
/// ```
/// use dna_storage::modules::{EncodeKey, Key, KeyError, KeyReader, KeyWriter};
///
/// #[derive(PartialEq, Eq, PartialOrd, Ord)]
/// struct LineId { order: String, line: u32 }
///
/// impl EncodeKey for LineId {
///     fn encode_key(&self, out: &mut KeyWriter<'_>) {
///         out.part(&self.order);
///         out.last(&self.line);
///     }
/// }
///
/// impl Key for LineId {
///     fn decode_key(input: &mut KeyReader<'_>) -> Result<Self, KeyError> {
///         Ok(LineId { order: input.part()?, line: input.last()? })
///     }
/// }
/// ```
///
/// To be correct:
/// - Equal keys have equal bytes, and of two keys the lesser one has the lesser bytes.
/// - [`decode_key`](Key::decode_key) returns the key that was encoded, consumes exactly its bytes, and answers any
///   other bytes with an error: it never panics.
/// - Every component but the last is written with [`KeyWriter::part`] and read with [`KeyReader::part`], the last one
///   with `last`. Then the key can be a component of another key, too.
/// - The encoding never changes while there are stored keys.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the key of a storage module",
    note = "keys are `String`, `Vec<u8>`, `Bytes`, `[u8; N]`, integers of fixed size, `bool`, `char`, and tuples of \
            two to four of these",
    note = "for a type of your own, implement `EncodeKey` and `Key`"
)]
pub trait Key: EncodeKey<Self> + Sized + Send + Sync + 'static {
    /// Reads a key.
    ///
    /// # Errors
    /// [`KeyError`] where the bytes are not those of such a key.
    fn decode_key(input: &mut KeyReader<'_>) -> Result<Self, KeyError>;
}

/// Something that is encoded as a key of type `K`: the key itself, a reference, or a borrowed form such as `str` for
/// `String` or `(&str, u32)` for `(String, u32)`.
///
/// To be correct: it is encoded to the same bytes as the `K` that it is equal to.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not stand for a key of type `{K}`",
    note = "pass the key, a reference to it, or a borrowed form such as `&str` for `String`"
)]
pub trait EncodeKey<K = Self> {
    /// Writes the key.
    fn encode_key(&self, out: &mut KeyWriter<'_>);
}

impl<K, Q: EncodeKey<K> + ?Sized> EncodeKey<K> for &Q {
    fn encode_key(&self, out: &mut KeyWriter<'_>) {
        Q::encode_key(self, out);
    }
}

/// The bytes of a key. For storage modules of your own.
pub fn encode_key<K: Key>(key: &(impl EncodeKey<K> + ?Sized)) -> Bytes {
    let Ok(bytes) = scratch::collect(|buffer| {
        key.encode_key(&mut KeyWriter::new(buffer));
        Ok::<(), Infallible>(())
    });
    bytes
}

/// The key that these bytes are. For storage modules of your own.
///
/// # Errors
/// [`KeyError`] where they are not exactly one key of this type.
pub fn decode_key<K: Key>(bytes: &[u8]) -> Result<K, KeyError> {
    let mut reader = KeyReader::new(bytes);
    let key = K::decode_key(&mut reader)?;
    reader.finish()?;
    Ok(key)
}
