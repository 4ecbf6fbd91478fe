//! The write-ahead files of a fjall database, read before fjall opens it.
//!
//! fjall takes the first thing in a file that it cannot read for the end of a write that was cut off, and cuts the file
//! there. Damage in the midst looks the same to it. It is told apart here: where every batch is synced before the next one
//! is begun, a whole batch behind something unreadable proves that this was synced once.
//!
//! A file is a sequence of batches, then nothing or zeros. Numbers are little-endian.
//!
//! | Part of a batch | Bytes |
//! |---|---|
//! | start | `01`, number of items `u32`, sequence number `u64` |
//! | item, each | `02`, kind `u8`, `00` (not compressed), keyspace `u64`, key length `u16`, value length `u32`, the same `u32` again, key, value |
//! | end | `03`, xxh3 of all items `u64`, `FJL` `03` |
//!
//! This module only reads, and knows nothing of what a key or value is.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use xxhash_rust::xxh3::xxh3_64;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const MAGIC: &[u8] = b"FJL\x03";

/// A longer key, in a batch that is not whole, is taken for a damaged length, behind which there may be anything. A
/// value's length stands there twice, a key's once.
const KEY_BYTES_LIKELY: u16 = 16;

/// Where a file is unreadable although it was written whole.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hole {
    pub(super) file: PathBuf,
    pub(super) position: u64,
}

/// The first hole in the files of a database, each batch of which was synced before the next was begun.
pub(super) fn find_hole(folder: &Path) -> io::Result<Option<Hole>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse::<u64>().ok());
        files.extend(number.map(|number| (number, path)));
    }
    files.sort_unstable();
    for (_, file) in files {
        let bytes = fs::read(&file)?;
        if let Some(position) = hole(&bytes) {
            return Ok(Some(Hole { file, position: u64::try_from(position).unwrap_or(u64::MAX) }));
        }
    }
    Ok(None)
}

/// Where the readable part of a file ends, if a whole batch stands behind it.
fn hole(bytes: &[u8]) -> Option<usize> {
    let bytes = bytes.get(..written(bytes)).unwrap_or_default();
    let mut position = 0;
    let mut last = None;
    while let Ok(batch) = read_batch(bytes, position) {
        (position, last) = (batch.end, Some(batch.number));
    }
    let Err(Unreadable { at }) = read_batch(bytes, position) else { return None };
    // Not before `at`: up to there is what may be a write that was cut off, whose values may hold anything.
    let is_behind = |start| read_batch(bytes, start).is_ok_and(|batch| last.is_none_or(|last| batch.number > last));
    (at..bytes.len()).any(is_behind).then_some(position)
}

/// How many bytes are not the zeros that a new file is filled with.
fn written(bytes: &[u8]) -> usize {
    const PAGE: usize = 4096;
    const ZEROS: &[u8] = &[0; PAGE];
    // Compared by pages: most of a new file is zeros.
    let pages = bytes.chunks(PAGE).rposition(|page| ZEROS.get(..page.len()) != Some(page)).map_or(0, |page| page + 1);
    pages.saturating_mul(PAGE).min(bytes.len())
}

/// A whole batch.
struct Batch {
    number: u64,
    end: usize,
}

/// That no whole batch is there, and from where on not even a part of one.
struct Unreadable {
    at: usize,
}

fn read_batch(bytes: &[u8], start: usize) -> Result<Batch, Unreadable> {
    let mut reader = Reader { bytes, position: start };
    let (count, number) = reader.start().ok_or(Unreadable { at: start.saturating_add(1) })?;
    let items = reader.position;
    let mut doubtful = None;
    for _ in 0..count {
        let item = reader.position;
        let key_len = reader.item().ok_or(Unreadable { at: doubtful.unwrap_or(item) })?;
        if key_len > KEY_BYTES_LIKELY {
            doubtful = doubtful.or(Some(item));
        }
    }
    let end = reader.position;
    let sum = xxh3_64(bytes.get(items..end).unwrap_or_default());
    if reader.end() == Some(sum) {
        Ok(Batch { number, end: reader.position })
    } else {
        Err(Unreadable { at: doubtful.unwrap_or(end) })
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Reader<'_> {
    fn start(&mut self) -> Option<(u32, u64)> {
        self.tag(START)?;
        let (count, number) = (self.u32()?, self.u64()?);
        (count > 0).then_some((count, number))
    }

    /// Goes over an item; the length of its key. A value that goes beyond the end of the file is gone over, to the end.
    fn item(&mut self) -> Option<u16> {
        self.tag(ITEM)?;
        let _kind = self.take(1)?;
        self.tag(0)?;
        let _keyspace = self.u64()?;
        let key_len = self.u16()?;
        let value_len = self.u32()?;
        if self.u32()? != value_len {
            return None;
        }
        self.take(usize::from(key_len))?;
        let value_len = usize::try_from(value_len).ok()?;
        let value_end = self.position.checked_add(value_len)?;
        self.position = value_end.min(self.bytes.len());
        Some(key_len)
    }

    fn end(&mut self) -> Option<u64> {
        self.tag(END)?;
        let sum = self.u64()?;
        (self.take(MAGIC.len())? == MAGIC).then_some(sum)
    }

    fn tag(&mut self, tag: u8) -> Option<()> {
        (self.take(1)? == [tag]).then_some(())
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn take(&mut self, len: usize) -> Option<&[u8]> {
        let end = self.position.checked_add(len)?;
        let taken = self.bytes.get(self.position..end)?;
        self.position = end;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes 5 to 12 of a batch are its sequence number, which nothing guards; fjall reads it all the same.
    const NUMBER: std::ops::Range<usize> = 5..13;

    fn batch(number: u64, values: &[&[u8]]) -> Vec<u8> {
        let mut items = Vec::new();
        for value in values {
            let len = u32::try_from(value.len()).unwrap().to_le_bytes();
            items.extend_from_slice(&[ITEM, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
            items.extend_from_slice(&[&len[..], &len, b"k", value].concat());
        }
        let count = u32::try_from(values.len()).unwrap().to_le_bytes();
        let sum = xxh3_64(&items).to_le_bytes();
        [&[START], &count[..], &number.to_le_bytes(), &items, &[END], &sum, MAGIC].concat()
    }

    fn batches() -> [Vec<u8>; 3] {
        [batch(4, &[b"one", b"header"]), batch(5, &[b"two", b"header"]), batch(6, &[b"three", b"header"])]
    }

    #[test]
    fn a_flipped_bit_before_the_last_batch_is_a_hole() {
        let batches = batches();
        let mut file = batches.concat();
        let mut start = 0;
        for batch in &batches[..2] {
            for index in (0..batch.len()).filter(|index| !NUMBER.contains(index)) {
                for bit in 0..8 {
                    file[start + index] ^= 1 << bit;
                    assert_eq!(hole(&file), Some(start), "byte {index}, bit {bit}");
                    file[start + index] ^= 1 << bit;
                }
            }
            start += batch.len();
        }
        assert_eq!(hole(&file), None);
    }

    #[test]
    fn a_write_that_was_cut_off_or_lost_pages_is_none() {
        let file = batches().concat();
        let last = file.len() - batches()[2].len();
        for len in 0..=file.len() {
            let mut zeros = file.clone();
            zeros[len..].fill(0);
            assert_eq!((hole(&file[..len]), hole(&zeros)), (None, None), "{len}");
        }
        for index in last..file.len() {
            let mut lost = file.clone();
            lost[index] ^= 0xff;
            assert_eq!(hole(&lost), None, "{index}");
        }
    }

    #[test]
    fn what_a_value_holds_is_no_batch() {
        let inner = batch(9, &[b"copied from elsewhere"]);
        let file = [batch(4, &[b"one"]), batch(5, &[&inner.repeat(3), b"header"])].concat();
        for len in 0..=file.len() {
            let mut zeros = file.clone();
            zeros[len..].fill(0);
            assert_eq!((hole(&file[..len]), hole(&zeros)), (None, None), "{len}");
        }
    }
}
