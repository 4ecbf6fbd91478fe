//! The storage modules: [`Kv`], an ordered map, and [`Value`], a single cell, with the encodings of their keys and
//! values. They see an actor's [`Partition`](dna_core::Partition) and nothing of stores, commits or nodes.
//!
//! # A module of your own
//! Implement [`StorageModule`](dna_core::StorageModule) over the partition; [`encode_key`], [`put_value`],
//! [`get_value`] and their like are here to be used. `examples/fifo_queue` is one: a bounded queue.
//!
//! # How keys are stored
//! The order of the bytes is the order of the keys. A component of variable length is stored as it is where it ends
//! the key, so that a lone `String` costs nothing and a prefix of the string is a prefix of the bytes. Where other
//! components follow it, it is escaped and terminated: the terminator is less than all that could go on with the
//! component, so that `("a", _)` stands before `("a\0", _)` and that one before `("aa", _)`.
//!
//! | key | bytes |
//! |---|---|
//! | `u8` to `u128` | big-endian |
//! | `i8` to `i128` | big-endian, sign bit flipped |
//! | `bool` | `00` or `01` |
//! | `char` | its code point as a `u32` |
//! | `[u8; N]` | as it is |
//! | `String`, `Vec<u8>`, `Bytes` that end the key | UTF-8, or the bytes, as they are |
//! | the same, followed by another component | each `00` as `00 ff`, then `00 01` |
//! | a tuple | its components, one after the other |
//!
//! | example | bytes |
//! |---|---|
//! | `"ab"` | `61 62` |
//! | `-2_i16` | `7f fe` |
//! | `("a\0b", 7_u16)` | `61 00 ff 62 00 01 00 07` |
//! | `(true, "a\0b")` | `01 61 00 62` |
//! | `(("a", "b"), "c")` | `61 00 01 62 00 01 63` |
//!
//! # How values are stored
//! As MessagePack with field names; `Bytes` as they are. See [`encode_value`].

mod access;
mod error;
mod key;
mod key_error;
mod key_impls;
mod key_prefix;
mod key_reader;
mod key_writer;
mod kv;
pub mod limits;
mod list;
mod list_range;
mod scratch;
mod value;
mod value_codec;

#[cfg(test)]
mod key_tests;
#[cfg(test)]
mod list_tests;

pub use self::{
    access::{get_value, put_value},
    error::{KeyText, ListError, ModuleError},
    key::{EncodeKey, Key, decode_key, encode_key},
    key_error::KeyError,
    key_prefix::KeyPrefix,
    key_reader::KeyReader,
    key_writer::KeyWriter,
    kv::Kv,
    list::List,
    value::Value,
    value_codec::{ValueDecodeError, ValueEncodeError, decode_value, encode_value},
};
