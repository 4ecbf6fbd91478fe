//! Numbers and byte strings of the entry format: how they are put and taken. Knows nothing of groups.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Puts a number in groups of seven bits, the lowest first; every byte but the last has its high bit set.
pub(super) fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.put_u8(u8::try_from(value).unwrap_or(0));
}

/// Puts a length.
pub(super) fn put_len(out: &mut BytesMut, len: usize) {
    put_varint(out, u64::try_from(len).unwrap_or(u64::MAX));
}

/// Puts a byte string after its length.
pub(super) fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    put_len(out, bytes.len());
    out.put_slice(bytes);
}

/// Takes what was put, from the front. Every method answers `None` where the input ends or breaks the format.
pub(super) struct Reader(Bytes);

impl Reader {
    pub(super) fn new(bytes: Bytes) -> Self {
        Reader(bytes)
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// How many more items of at least `bytes_each` bytes the rest can hold: the bound for what a count claims.
    pub(super) fn room_for(&self, bytes_each: usize) -> usize {
        self.0.len() / bytes_each.max(1)
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        self.0.has_remaining().then(|| self.0.get_u8())
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        self.0.try_get_u64_le().ok()
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                // One way to write each number: no trailing zero groups.
                return (shift == 0 || byte != 0).then_some(value);
            }
        }
        None
    }

    pub(super) fn len(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok()
    }

    pub(super) fn bytes(&mut self) -> Option<Bytes> {
        let len = self.len()?;
        (len <= self.0.len()).then(|| self.0.split_to(len))
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.into()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back_as_it_was_put() {
        let edges = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for number in edges.chain([u64::MAX]) {
            let mut out = BytesMut::new();
            put_varint(&mut out, number);
            let mut reader = Reader::new(out.freeze());
            assert_eq!(reader.varint(), Some(number));
            assert!(reader.is_at_end());
        }
    }

    #[test]
    fn a_number_too_long_or_cut_off_is_refused() {
        for bytes in [&[0x80][..], &[0x80, 0x00], &[0xff; 10], &[0xff; 11]] {
            assert_eq!(Reader::new(Bytes::copy_from_slice(bytes)).varint(), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_length_beyond_the_input_is_refused() {
        assert_eq!(Reader::new(Bytes::from_static(&[3, b'a', b'b'])).bytes(), None);
        assert_eq!(Reader::new(Bytes::from_static(&[2, b'a', b'b'])).bytes(), Some("ab".into()));
    }
}
