//! What a key can begin with: a string or byte string, or the leading components of a tuple.

use std::convert::Infallible;

use bytes::Bytes;

use super::{
    key::{EncodeKey, Key},
    key_writer::KeyWriter,
    scratch,
};

/// Something that keys of type `K` can begin with.
///
/// - For `String` a `str` or `String`, for `Vec<u8>` and [`Bytes`] a byte string: the keys that start with it.
/// - For a tuple its leading components, as a tuple: `("alice",)` stands for all keys `("alice", _)`, and for none of
///   `("alice2", _)`. For `(A, B, C)` that is `(a,)` or `(a, b)`.
///
/// Keys of fixed size, such as integers, have no prefixes: give `start` and `end`.
///
/// To be correct: the bytes that it writes begin exactly those keys that it stands for.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a prefix of keys of type `{K}`",
    note = "a prefix is a string for `String`, a byte string for `Vec<u8>` and `Bytes`, and a tuple of leading \
            components, such as `(a,)`, for a tuple",
    note = "for keys of a fixed size, such as integers, use `start` and `end`"
)]
pub trait KeyPrefix<K> {
    /// Writes what the keys begin with.
    fn encode_prefix(&self, out: &mut KeyWriter<'_>);
}

impl<K, P: KeyPrefix<K> + ?Sized> KeyPrefix<K> for &P {
    fn encode_prefix(&self, out: &mut KeyWriter<'_>) {
        P::encode_prefix(self, out);
    }
}

/// The bytes that every key with this prefix begins with.
pub(super) fn encode_prefix<K: Key>(prefix: &impl KeyPrefix<K>) -> Bytes {
    let Ok(bytes) = scratch::collect(|buffer| {
        prefix.encode_prefix(&mut KeyWriter::new(buffer));
        Ok::<(), Infallible>(())
    });
    bytes
}

macro_rules! variable {
    ($($key:ty: $($form:ty),+;)+) => {$($(
        impl KeyPrefix<$key> for $form {
            fn encode_prefix(&self, out: &mut KeyWriter<'_>) {
                out.fixed(self.as_ref());
            }
        }
    )+)+};
}

variable! {
    String: String, str;
    Vec<u8>: Vec<u8>, [u8], Bytes;
    Bytes: Bytes, [u8], Vec<u8>;
}

impl<const N: usize> KeyPrefix<Vec<u8>> for [u8; N] {
    fn encode_prefix(&self, out: &mut KeyWriter<'_>) {
        out.fixed(self);
    }
}

impl<const N: usize> KeyPrefix<Bytes> for [u8; N] {
    fn encode_prefix(&self, out: &mut KeyWriter<'_>) {
        out.fixed(self);
    }
}

macro_rules! leading {
    ($($part:ident $form:ident),+; $($rest:ident),+) => {
        impl<$($part, $form: EncodeKey<$part>,)+ $($rest),+> KeyPrefix<($($part,)+ $($rest,)+)> for ($($form,)+) {
            #[allow(non_snake_case, reason = "the type parameters name the components")]
            fn encode_prefix(&self, out: &mut KeyWriter<'_>) {
                let ($($form,)+) = self;
                $(out.part_as::<$part>($form);)+
            }
        }
    };
}

leading!(A QA; B);
leading!(A QA; B, C);
leading!(A QA, B QB; C);
leading!(A QA; B, C, D);
leading!(A QA, B QB; C, D);
leading!(A QA, B QB, C QC; D);
