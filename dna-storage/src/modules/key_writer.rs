//! Where a key is written to: it knows whether something follows a component, and escapes it if so.

use super::key::{EncodeKey, Key};

/// What escapes a zero byte within a component that others follow.
pub(super) const ESCAPED_ZERO: [u8; 2] = [0x00, 0xff];
/// What ends a component that others follow: less than any byte that could go on with it, escaped zeros included.
pub(super) const TERMINATOR: [u8; 2] = [0x00, 0x01];

/// Takes the components of a key.
#[derive(Debug)]
pub struct KeyWriter<'a> {
    out: &'a mut Vec<u8>,
    followed: bool,
}

impl<'a> KeyWriter<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>) -> Self {
        KeyWriter { out, followed: false }
    }

    /// Writes a component that another one follows.
    pub fn part<K: Key>(&mut self, component: &K) {
        self.part_as::<K>(component);
    }

    /// Writes the last, or only, component.
    pub fn last<K: Key>(&mut self, component: &K) {
        component.encode_key(self);
    }

    /// Writes a component of which every value has the same number of bytes.
    pub fn fixed(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Writes a component of any length: as it is where it ends the whole key, escaped and terminated elsewhere.
    pub fn variable(&mut self, bytes: &[u8]) {
        if !self.followed {
            self.out.extend_from_slice(bytes);
            return;
        }
        for (index, run) in bytes.split(|&byte| byte == 0).enumerate() {
            if index > 0 {
                self.out.extend_from_slice(&ESCAPED_ZERO);
            }
            self.out.extend_from_slice(run);
        }
        self.out.extend_from_slice(&TERMINATOR);
    }

    pub(super) fn part_as<K>(&mut self, component: &(impl EncodeKey<K> + ?Sized)) {
        let followed = std::mem::replace(&mut self.followed, true);
        component.encode_key(self);
        self.followed = followed;
    }
}
