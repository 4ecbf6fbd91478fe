//! The buffer that a thread encodes keys and values into. It knows nothing of what is encoded.

use std::cell::Cell;

use bytes::Bytes;

use super::limits::{PAIR_BYTES_MAX, SCRATCH_KEPT_BYTES_MAX};

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What `write` has written, in one allocation of exactly its size.
pub(super) fn collect<E>(write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Bytes, E> {
    with_buffer(|buffer| write(buffer).map(|()| copied(buffer)))
}

/// What `key` and `value` have written. Small ones lie in one allocation.
pub(super) fn collect_pair<E>(
    key: impl FnOnce(&mut Vec<u8>),
    value: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(Bytes, Bytes), E> {
    with_buffer(|buffer| {
        key(buffer);
        let key_len = buffer.len();
        value(buffer)?;
        Ok(if buffer.len() <= PAIR_BYTES_MAX {
            let mut key = copied(buffer);
            let value = key.split_off(key_len);
            (key, value)
        } else {
            let (key, value) = buffer.split_at(key_len);
            (copied(key), copied(value))
        })
    })
}

/// A few bytes with their length: what fits here needs one allocation as `Bytes` that are shared, instead of two.
struct Small<const CAPACITY: usize> {
    len: u8,
    bytes: [u8; CAPACITY],
}

impl<const CAPACITY: usize> AsRef<[u8]> for Small<CAPACITY> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }
}

/// `Some`, if it fits.
fn small<const CAPACITY: usize>(bytes: &[u8]) -> Option<Bytes> {
    let mut small = Small { len: bytes.len().try_into().ok()?, bytes: [0; CAPACITY] };
    small.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(Bytes::from_owner(small))
}

/// A copy. A key or value is always shared: with the cache, the write, and the group.
fn copied(bytes: &[u8]) -> Bytes {
    match bytes.len() {
        0 => Some(Bytes::new()),
        1..=23 => small::<23>(bytes),
        24..=55 => small::<55>(bytes),
        56..=103 => small::<103>(bytes),
        _ => None,
    }
    .unwrap_or_else(|| Bytes::copy_from_slice(bytes))
}

/// Lends `write` the thread's buffer.
///
/// The buffer is taken out meanwhile, since `write` is user code: one that encodes in turn finds an empty buffer, and
/// one that panics loses it. Neither finds a foreign one.
fn with_buffer<T>(write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    let mut buffer = BUFFER.try_with(Cell::take).unwrap_or_default();
    buffer.clear();
    let written = write(&mut buffer);
    if buffer.capacity() <= SCRATCH_KEPT_BYTES_MAX {
        // Fails only while the thread ends, when nobody is left to reuse the buffer.
        let _ = BUFFER.try_with(|kept| kept.set(buffer));
    }
    written
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn bytes_of(write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
        let Ok(bytes) = collect(|buffer| {
            write(buffer);
            Ok::<(), Infallible>(())
        });
        bytes
    }

    #[test]
    fn nothing_of_an_earlier_use_is_left() {
        assert_eq!(bytes_of(|buffer| buffer.extend_from_slice(b"long")), &b"long"[..]);
        assert_eq!(bytes_of(|buffer| buffer.push(b's')), &b"s"[..]);
    }

    #[test]
    fn a_pair_is_what_was_written_whether_it_lies_together_or_not() {
        for len in [0, PAIR_BYTES_MAX - 3, PAIR_BYTES_MAX - 2] {
            let value = vec![b'v'; len];
            let Ok((key, found)) = collect_pair(
                |buffer| buffer.extend_from_slice(b"key"),
                |buffer| {
                    buffer.extend_from_slice(&value);
                    Ok::<(), Infallible>(())
                },
            );
            assert_eq!((key, found), (Bytes::from("key"), Bytes::from(value)));
        }
    }

    #[test]
    fn a_copy_of_any_length_is_what_it_was_made_of() {
        for len in 0..=260_u32 {
            let bytes: Vec<u8> = (0..len).map(|byte| u8::try_from(byte % 251).unwrap()).collect();
            assert_eq!(copied(&bytes), bytes, "{len} bytes");
        }
    }

    #[test]
    fn a_writer_may_encode_in_turn() {
        let outer = bytes_of(|buffer| {
            buffer.push(b'a');
            assert_eq!(bytes_of(|inner| inner.push(b'b')), &b"b"[..]);
            buffer.push(b'c');
        });
        assert_eq!(outer, &b"ac"[..]);
    }

    #[test]
    fn a_large_buffer_is_not_kept_and_one_at_the_limit_is() {
        let kept = |bytes: usize| {
            bytes_of(|buffer| buffer.reserve_exact(bytes));
            BUFFER.with(|kept| {
                let buffer = kept.take();
                let capacity = buffer.capacity();
                drop(buffer);
                capacity
            })
        };
        assert_eq!(kept(SCRATCH_KEPT_BYTES_MAX), SCRATCH_KEPT_BYTES_MAX);
        assert_eq!(kept(SCRATCH_KEPT_BYTES_MAX + 1), 0);
    }
}
