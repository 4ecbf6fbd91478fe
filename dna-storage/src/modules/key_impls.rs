//! The built-in keys. The bytes of each are in the table of the [module documentation](super).

use bytes::Bytes;

use super::{
    key::{EncodeKey, Key},
    key_error::KeyError,
    key_reader::KeyReader,
    key_writer::KeyWriter,
};

/// A borrowed or owned form of a key of variable length.
macro_rules! variable {
    ($($key:ty: $($form:ty),+;)+) => {$($(
        impl EncodeKey<$key> for $form {
            fn encode_key(&self, out: &mut KeyWriter<'_>) {
                out.variable(self.as_ref());
            }
        }
    )+)+};
}

variable! {
    String: String, str;
    Vec<u8>: Vec<u8>, [u8], Bytes;
    Bytes: Bytes, [u8], Vec<u8>;
}

impl<const N: usize> EncodeKey<Vec<u8>> for [u8; N] {
    fn encode_key(&self, out: &mut KeyWriter<'_>) {
        out.variable(self);
    }
}

impl<const N: usize> EncodeKey<Bytes> for [u8; N] {
    fn encode_key(&self, out: &mut KeyWriter<'_>) {
        out.variable(self);
    }
}

impl Key for String {
    fn decode_key(input: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        String::from_utf8(input.variable()?.into_owned()).map_err(|_| KeyError::Invalid { expected: "UTF-8" })
    }
}

impl Key for Vec<u8> {
    fn decode_key(input: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        Ok(input.variable()?.into_owned())
    }
}

impl Key for Bytes {
    fn decode_key(input: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        Ok(input.variable()?.into_owned().into())
    }
}

impl<const N: usize> EncodeKey for [u8; N] {
    fn encode_key(&self, out: &mut KeyWriter<'_>) {
        out.fixed(self);
    }
}

impl<const N: usize> Key for [u8; N] {
    fn decode_key(input: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        input.fixed()
    }
}

macro_rules! unsigned {
    ($($int:ty),+) => {$(
        impl EncodeKey for $int {
            fn encode_key(&self, out: &mut KeyWriter<'_>) {
                out.fixed(&self.to_be_bytes());
            }
        }

        impl Key for $int {
            fn decode_key(input: &mut KeyReader<'_>) -> Result<Self, KeyError> {
                input.fixed().map(<$int>::from_be_bytes)
            }
        }
    )+};
}

unsigned!(u8, u16, u32, u64, u128);

/// With the sign bit flipped, negative numbers order before positive ones.
macro_rules! signed {
    ($($int:ty),+) => {$(
        impl EncodeKey for $int {
            fn encode_key(&self, out: &mut KeyWriter<'_>) {
                out.fixed(&(self ^ <$int>::MIN).to_be_bytes());
            }
        }

        impl Key for $int {
            fn decode_key(input: &mut KeyReader<'_>) -> Result<Self, KeyError> {
                input.fixed().map(|bytes| <$int>::from_be_bytes(bytes) ^ <$int>::MIN)
            }
        }
    )+};
}

signed!(i8, i16, i32, i64, i128);

impl EncodeKey for bool {
    fn encode_key(&self, out: &mut KeyWriter<'_>) {
        out.fixed(&[u8::from(*self)]);
    }
}

impl Key for bool {
    fn decode_key(input: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        match input.fixed()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(KeyError::Invalid { expected: "a bool" }),
        }
    }
}

impl EncodeKey for char {
    fn encode_key(&self, out: &mut KeyWriter<'_>) {
        out.fixed(&u32::from(*self).to_be_bytes());
    }
}

impl Key for char {
    fn decode_key(input: &mut KeyReader<'_>) -> Result<Self, KeyError> {
        let code = u32::from_be_bytes(input.fixed()?);
        char::from_u32(code).ok_or(KeyError::Invalid { expected: "a character" })
    }
}

macro_rules! tuple {
    ($($part:ident $part_form:ident),+; $last:ident $last_form:ident) => {
        impl<$($part, $part_form: EncodeKey<$part>,)+ $last, $last_form: EncodeKey<$last>>
            EncodeKey<($($part,)+ $last)> for ($($part_form,)+ $last_form)
        {
            #[allow(non_snake_case, reason = "the type parameters name the components")]
            fn encode_key(&self, out: &mut KeyWriter<'_>) {
                let ($($part_form,)+ $last_form) = self;
                $(out.part_as::<$part>($part_form);)+
                $last_form.encode_key(out);
            }
        }

        impl<$($part: Key,)+ $last: Key> Key for ($($part,)+ $last) {
            fn decode_key(input: &mut KeyReader<'_>) -> Result<Self, KeyError> {
                Ok(($(input.part::<$part>()?,)+ input.last()?))
            }
        }
    };
}

tuple!(A QA; B QB);
tuple!(A QA, B QB; C QC);
tuple!(A QA, B QB, C QC; D QD);
