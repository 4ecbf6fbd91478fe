//! Where a key is read from: the inverse of `key_writer`. Takes any bytes; what no writer writes is an error.

use std::borrow::Cow;

use super::{
    key::Key,
    key_error::KeyError,
    key_writer::{ESCAPED_ZERO, TERMINATOR},
};

/// Gives the components of a key, in the order in which they were written.
#[derive(Debug)]
pub struct KeyReader<'a> {
    rest: &'a [u8],
    followed: bool,
}

impl<'a> KeyReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        KeyReader { rest: bytes, followed: false }
    }

    /// Reads a component that another one follows.
    ///
    /// # Errors
    /// [`KeyError`] where the bytes are not such a component.
    pub fn part<K: Key>(&mut self) -> Result<K, KeyError> {
        let followed = std::mem::replace(&mut self.followed, true);
        let component = K::decode_key(self);
        self.followed = followed;
        component
    }

    /// Reads the last, or only, component.
    ///
    /// # Errors
    /// [`KeyError`] where the bytes are not such a component.
    pub fn last<K: Key>(&mut self) -> Result<K, KeyError> {
        K::decode_key(self)
    }

    /// Reads a component of which every value has `N` bytes.
    ///
    /// # Errors
    /// [`KeyError::Truncated`] where fewer are left.
    pub fn fixed<const N: usize>(&mut self) -> Result<[u8; N], KeyError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(KeyError::Truncated)?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Reads a component of any length: all that is left where it ends the whole key, up to its terminator elsewhere.
    ///
    /// # Errors
    /// [`KeyError::Escape`] where it is not terminated.
    pub fn variable(&mut self) -> Result<Cow<'a, [u8]>, KeyError> {
        if !self.followed {
            return Ok(Cow::Borrowed(std::mem::take(&mut self.rest)));
        }
        let mut component = Cow::Borrowed(self.run()?);
        loop {
            let mark: [u8; 2] = self.fixed().map_err(|_| KeyError::Escape)?;
            match mark {
                TERMINATOR => return Ok(component),
                ESCAPED_ZERO => {
                    let run = self.run()?;
                    let component = component.to_mut();
                    component.push(0);
                    component.extend_from_slice(run);
                }
                _ => return Err(KeyError::Escape),
            }
        }
    }

    /// What stands before the next zero byte.
    fn run(&mut self) -> Result<&'a [u8], KeyError> {
        let zero = self.rest.iter().position(|&byte| byte == 0).ok_or(KeyError::Escape)?;
        let (run, rest) = self.rest.split_at_checked(zero).ok_or(KeyError::Escape)?;
        self.rest = rest;
        Ok(run)
    }

    pub(super) fn finish(self) -> Result<(), KeyError> {
        match self.rest.len() {
            0 => Ok(()),
            bytes => Err(KeyError::Trailing { bytes }),
        }
    }
}
