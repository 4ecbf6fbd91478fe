//! A batch of rows as what is sent: pieces of one partition each, in the order of their keys.

use std::ops::Range;

use crate::journaled::{RangeDelete, RowBatch, RowParts, RowWrite};

/// How many rows one batch to the database has at the most.
pub(super) const PIECE_ROWS_MAX: usize = 1000;

/// How many bytes of keys and values one batch to the database has at about the most.
pub(super) const PIECE_BYTES_MAX: usize = 256 * 1024;

/// What a batch does to one actor's rows.
#[derive(Debug, PartialEq)]
pub(super) struct Partition<'a> {
    pub(super) ranges: Vec<&'a RangeDelete>,
    pub(super) points: &'a [RowWrite],
}

/// Divides a batch by actor, in the order of their addresses. Points stand in that order already.
pub(super) fn partitions(batch: &RowBatch) -> Vec<Partition<'_>> {
    let mut ranges: Vec<&RangeDelete> = batch.ranges.iter().filter(|delete| !delete.range.is_empty()).collect();
    // Stable: the deletes of one place stay in the order of their groups.
    ranges.sort_by(|a, b| a.range.start.cmp(&b.range.start));
    let mut ranges = ranges.into_iter().peekable();
    let mut points = batch.points.as_slice();
    let mut partitions = Vec::new();
    loop {
        let next_range = ranges.peek().and_then(|delete| actor(&delete.range.start));
        let next_point = points.first().and_then(|point| actor(point.key.as_bytes()));
        let Some(next) = next_range.into_iter().chain(next_point).min() else { return partitions };
        let own = std::iter::from_fn(|| ranges.next_if(|delete| actor(&delete.range.start) == Some(next)));
        let own: Vec<_> = own.collect();
        let len =
            points.partition_point(|point| point.key.as_bytes() < next || actor(point.key.as_bytes()) == Some(next));
        let (mine, rest) = points.split_at(len);
        points = rest;
        partitions.push(Partition { ranges: own, points: mine });
    }
}

/// The part of an address that is its actor's: everything up to the third end of a part.
fn actor(address: &[u8]) -> Option<&[u8]> {
    let ends = address.iter().enumerate().filter(|(_, byte)| **byte == 0xFE);
    ends.map(|(index, _)| index).nth(2).and_then(|end| address.get(..=end))
}

/// Divides points into pieces that are small enough to be sent at once.
pub(super) fn pieces(points: &[RowWrite]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = points.get(start..).filter(|rest| !rest.is_empty())?;
        let mut bytes = 0_usize;
        let fits = |point: &&RowWrite| {
            let first = bytes == 0;
            bytes = bytes.saturating_add(cost(point).max(1));
            first || bytes <= PIECE_BYTES_MAX
        };
        let len = rest.iter().take(PIECE_ROWS_MAX).take_while(fits).count();
        let piece = start..start + len;
        start += len;
        Some(piece)
    })
}

fn cost(point: &RowWrite) -> usize {
    let key = point.key.parts().map_or(0, |parts: RowParts<'_>| parts.key.len());
    key + point.value.as_ref().map_or(0, bytes::Bytes::len)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use dna_core::{KeyRange, testing::actor as name};

    use super::*;
    use crate::journaled::Place;

    fn put(actor: &str, key: &[u8], bytes: usize) -> RowWrite {
        let key = Place::new(&name(actor), "m").key(key);
        RowWrite { key, value: Some(Bytes::from(vec![0; bytes])), stamp: 2 }
    }

    fn delete(actor: &str, start: &'static str, end: Option<&'static str>, stamp: u64) -> RangeDelete {
        let range = KeyRange { start: start.into(), end: end.map(Into::into) };
        RangeDelete { range: Place::new(&name(actor), "m").range(&range), stamp }
    }

    #[test]
    fn each_actor_gets_its_own_ranges_and_rows_in_the_order_of_addresses() {
        // A part ends with FE, so that "a\0" comes before "a".
        let points = vec![put("a\0", b"1", 1), put("a", b"1", 1), put("a", b"\xfe\xfe", 1), put("c", b"1", 1)];
        assert!(points.is_sorted_by(|a, b| a.key < b.key));
        let ranges = vec![
            delete("d", "", None, 1),
            delete("a", "x", None, 1),
            delete("b", "", None, 1),
            delete("a", "a", None, 3),
            delete("a", "b", Some("b"), 3),
        ];
        let batch = RowBatch { last: 1, ranges: ranges.clone(), points: points.clone() };

        let expected = [
            Partition { ranges: vec![], points: &points[..1] },
            Partition { ranges: vec![&ranges[3], &ranges[1]], points: &points[1..3] },
            Partition { ranges: vec![&ranges[2]], points: &[] },
            Partition { ranges: vec![], points: &points[3..] },
            Partition { ranges: vec![&ranges[0]], points: &[] },
        ];
        assert_eq!(partitions(&batch), expected);
    }

    #[test]
    fn pieces_keep_to_their_bounds_and_lose_nothing() {
        let lens = |points: &[RowWrite]| pieces(points).map(|piece| piece.len()).collect::<Vec<_>>();
        let small: Vec<_> = (0..2500_u32).map(|key| put("a", &key.to_be_bytes(), 1)).collect();
        assert_eq!(lens(&small), [1000, 1000, 500]);
        let large: Vec<_> = (0..5_u32).map(|key| put("a", &key.to_be_bytes(), PIECE_BYTES_MAX / 2 - 4)).collect();
        assert_eq!(lens(&large), [2, 2, 1]);
        let huge: Vec<_> = (0..2_u32).map(|key| put("a", &key.to_be_bytes(), PIECE_BYTES_MAX * 2)).collect();
        assert_eq!(lens(&huge), [1, 1]);
        assert_eq!(lens(&[]), [0_usize; 0]);
    }
}
