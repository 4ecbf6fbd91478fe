//! Several groups as one batch of row operations.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    row_key::{RowKey, RowRange},
    run::Run,
};

/// Row operations to be stored: the range deletes first, then the puts and deletes.
///
/// It holds the newest operation of each row only, in the order of addresses. The range deletes come first because a
/// batch holds no put or delete that a range delete of a later group would take back. The stamp of a range delete is
/// that of its entry, that of a put or delete the next one, so that by stamps alone the order is the same.
#[derive(Debug, Default)]
pub struct RowBatch {
    /// The highest number of the groups in it.
    pub last: u64,
    /// Range deletes.
    pub ranges: Vec<RangeDelete>,
    /// Puts and deletes.
    pub points: Vec<RowWrite>,
}

/// Removes every row of a range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RangeDelete {
    /// The range.
    pub range: RowRange,
    /// When, for rows that are ordered by time.
    pub stamp: u64,
}

/// Puts or removes one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowWrite {
    /// The row's address.
    pub key: RowKey,
    /// Its new value; `None` removes it.
    pub value: Option<Bytes>,
    /// When, for rows that are ordered by time.
    pub stamp: u64,
}

impl RowBatch {
    /// Merges groups, the oldest first.
    pub(super) fn merge(runs: &[Arc<Run>]) -> Self {
        let ranges = runs
            .iter()
            .flat_map(|run| run.ranges().iter().map(|range| RangeDelete { range: range.clone(), stamp: run.stamp }));
        RowBatch {
            last: runs.last().map_or(0, |run| run.number),
            ranges: ranges.collect(),
            points: newest_points(runs),
        }
    }
}

fn newest_points(runs: &[Arc<Run>]) -> Vec<RowWrite> {
    let total = runs.iter().map(|run| run.len()).sum();
    let mut points: Vec<(&[u8], usize, usize)> = Vec::with_capacity(total);
    for (age, run) in runs.iter().enumerate() {
        points.extend((0..run.len()).map(|index| (run.address(index), age, index)));
    }
    // By address, the newest last. The runs are sorted already, which this sort makes use of.
    points.sort_by(|a, b| a.0.cmp(b.0).then(a.1.cmp(&b.1)));
    let with_ranges: Vec<usize> =
        runs.iter().enumerate().filter(|(_, run)| !run.ranges().is_empty()).map(|(age, _)| age).collect();
    let mut batch = Vec::with_capacity(points.len());
    for (position, (address, age, index)) in points.iter().enumerate() {
        let superseded = points.get(position + 1).is_some_and(|(next, ..)| next == address);
        if superseded || is_taken_back(runs, &with_ranges, address, *age) {
            continue;
        }
        let Some(run) = runs.get(*age) else { continue };
        batch.push(RowWrite { key: run.key(*index), value: run.value(*index).cloned(), stamp: run.stamp + 1 });
    }
    batch
}

/// Whether a range delete of a later group takes the address.
fn is_taken_back(runs: &[Arc<Run>], with_ranges: &[usize], address: &[u8], age: usize) -> bool {
    with_ranges.iter().any(|&later| later > age && runs.get(later).is_some_and(|run| run.deletes(address)))
}

#[cfg(test)]
mod tests {
    use dna_core::{
        Group, KeyRange,
        testing::{actor, delete, delete_range, put, writes},
    };

    use super::*;
    use crate::journaled::row_key::Place;

    fn run(number: u64, list: Vec<dna_core::Write>) -> Arc<Run> {
        Arc::new(Run::new(&Group { number, actors: vec![writes(&actor("a"), list)] }, number * 10))
    }

    #[test]
    fn only_the_newest_operation_of_a_row_is_stored_in_the_order_of_addresses() {
        let runs = [
            run(1, vec![put("m", "b", "1"), put("m", "a", "1"), put("m", "c", "1")]),
            run(2, vec![put("m", "a", "2"), delete("m", "b")]),
        ];
        let batch = RowBatch::merge(&runs);

        let place = Place::new(&actor("a"), "m");
        let write = |key: &str, value: Option<&'static str>, stamp| RowWrite {
            key: place.key(key.as_bytes()),
            value: value.map(Into::into),
            stamp,
        };
        assert_eq!(batch.points, [write("a", Some("2"), 21), write("b", None, 21), write("c", Some("1"), 11)]);
        assert_eq!((batch.last, batch.ranges.len()), (2, 0));
    }

    #[test]
    fn a_range_delete_takes_back_earlier_groups_only() {
        let runs = [
            run(1, vec![put("m", "a", "1"), put("m", "z", "1")]),
            run(2, vec![delete_range("m", KeyRange { start: "a".into(), end: Some("c".into()) }), put("m", "b", "2")]),
            run(3, vec![put("m", "c", "3")]),
        ];
        let batch = RowBatch::merge(&runs);

        let keys: Vec<&[u8]> = batch.points.iter().map(|point| point.key.parts().unwrap().key).collect();
        assert_eq!(keys, [b"b", b"c", b"z"]);
        assert_eq!(batch.ranges.len(), 1);
        assert_eq!(batch.ranges.first().map(|range| range.stamp), Some(20));
    }
}
