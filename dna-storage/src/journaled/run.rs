//! The operations of one committed group, sorted by address: what reads see of it until its rows are stored.

use bytes::{Bytes, BytesMut};
use dna_core::{Group, WriteKind};

use super::row_key::{Place, RowKey, RowRange, place_len, put_actor, put_module};

/// One group's operations. Its range deletes come before its puts and deletes. Never changes.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) number: u64,
    pub(super) stamp: u64,
    /// The addresses of `points`, in the order in which the group named them.
    addresses: Bytes,
    points: Vec<Point>,
    /// Sorted, none touching the next.
    ranges: Vec<RowRange>,
    bytes: usize,
}

/// A put, or a delete where there is no value.
#[derive(Debug)]
struct Point {
    at: u32,
    len: u32,
    value: Option<Bytes>,
}

impl Run {
    pub(super) fn new(group: &Group, stamp: u64) -> Self {
        let (count, len) = measure(group);
        let mut addresses = BytesMut::with_capacity(len);
        let mut points = Vec::with_capacity(count);
        let mut ranges = Vec::new();
        let mut values = 0;
        let mut shared = BytesMut::new();
        for actor in &group.actors {
            shared.clear();
            put_actor(&mut shared, &actor.actor);
            for write in &actor.writes {
                let (key, value) = match &write.kind {
                    WriteKind::Put { key, value } => (key, Some(value)),
                    WriteKind::Delete { key } => (key, None),
                    WriteKind::DeleteRange { range } => {
                        ranges.push(Place::new(&actor.actor, &write.module).range(range));
                        continue;
                    }
                };
                let at = addresses.len();
                addresses.extend_from_slice(&shared);
                put_module(&mut addresses, &write.module);
                addresses.extend_from_slice(key);
                values += value.map_or(0, Bytes::len);
                points.push(Point { at: narrow(at), len: narrow(addresses.len() - at), value: value.cloned() });
            }
        }
        let addresses = addresses.freeze();
        points.sort_by(|a, b| slice(&addresses, a).cmp(slice(&addresses, b)));
        let ranges = joined(ranges);
        let range_bytes: usize = ranges.iter().map(|range| range.start.len() + range.end.len()).sum();
        let bytes = addresses.len() + values + range_bytes + points.len() * size_of::<Point>();
        Run { number: group.number, stamp, addresses, points, ranges, bytes }
    }

    /// What the run holds in memory, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many puts, deletes and range deletes it has.
    pub(super) fn operations(&self) -> usize {
        self.points.len() + self.ranges.len()
    }

    pub(super) fn ranges(&self) -> &[RowRange] {
        &self.ranges
    }

    pub(super) fn len(&self) -> usize {
        self.points.len()
    }

    /// The address of a point.
    pub(super) fn address(&self, index: usize) -> &[u8] {
        self.points.get(index).map_or(&[], |point| slice(&self.addresses, point))
    }

    /// The address of a point, sharing this run's memory.
    pub(super) fn key(&self, index: usize) -> RowKey {
        let address = self.points.get(index).map_or(0..0, bounds);
        RowKey::from_encoded(self.addresses.slice(address))
    }

    /// The value of a point; `None` for a delete.
    pub(super) fn value(&self, index: usize) -> Option<&Bytes> {
        self.points.get(index)?.value.as_ref()
    }

    /// What this group did to a row: `None` if nothing, `Some(None)` if it removed it.
    pub(super) fn get(&self, address: &[u8]) -> Option<Option<Bytes>> {
        let found = self.points.binary_search_by(|point| slice(&self.addresses, point).cmp(address));
        match found {
            Ok(index) => Some(self.value(index).cloned()),
            Err(_) => self.deletes(address).then_some(None),
        }
    }

    /// Whether a range delete of this group takes the address.
    pub(super) fn deletes(&self, address: &[u8]) -> bool {
        covering(&self.ranges, address).is_some()
    }

    /// The indices of the points within a range.
    pub(super) fn within(&self, range: &RowRange) -> std::ops::Range<usize> {
        let first = |bound: &[u8]| self.points.partition_point(|point| slice(&self.addresses, point) < bound);
        first(&range.start)..first(&range.end)
    }

    /// Whether this group did anything within a range.
    pub(super) fn touches(&self, range: &RowRange) -> bool {
        let behind = self.ranges.partition_point(|own| own.start < range.end);
        let last = behind.checked_sub(1).and_then(|index| self.ranges.get(index));
        last.is_some_and(|own| own.end > range.start) || !self.within(range).is_empty()
    }
}

/// How many points a group has, and how long their addresses are together.
fn measure(group: &Group) -> (usize, usize) {
    let (mut count, mut len) = (0, 0);
    for actor in &group.actors {
        for write in &actor.writes {
            if let WriteKind::Put { key, .. } | WriteKind::Delete { key } = &write.kind {
                count += 1;
                len += place_len(&actor.actor, &write.module) + key.len();
            }
        }
    }
    (count, len)
}

/// The one of sorted, separate ranges that holds an address.
pub(super) fn covering<'a>(ranges: &'a [RowRange], address: &[u8]) -> Option<&'a RowRange> {
    let behind = ranges.partition_point(|range| range.start.as_ref() <= address);
    ranges.get(behind.checked_sub(1)?).filter(|range| range.contains(address))
}

/// Sorts ranges, leaves the empty ones out, and joins those that touch.
pub(super) fn joined(mut ranges: Vec<RowRange>) -> Vec<RowRange> {
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by(|a, b| a.start.cmp(&b.start));
    let mut joined: Vec<RowRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.clone().max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

fn bounds(point: &Point) -> std::ops::Range<usize> {
    let at = usize::try_from(point.at).unwrap_or(usize::MAX);
    let len = usize::try_from(point.len).unwrap_or(usize::MAX);
    at..at.saturating_add(len)
}

fn slice<'a>(addresses: &'a Bytes, point: &Point) -> &'a [u8] {
    addresses.get(bounds(point)).unwrap_or_default()
}

/// The addresses of a group that keeps its limits are far below 4 GiB: 65,536 writes of less than 4 KiB each.
fn narrow(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use dna_core::{
        KeyRange,
        testing::{actor, delete, delete_range, put, writes},
    };

    use super::*;

    fn range(start: &'static str, end: &'static str) -> KeyRange {
        KeyRange { start: start.into(), end: Some(end.into()) }
    }

    #[test]
    fn a_point_is_seen_before_the_range_delete_of_its_group() {
        let list = vec![delete_range("m", range("a", "d")), put("m", "b", "1"), delete("m", "x")];
        let run = Run::new(&Group { number: 1, actors: vec![writes(&actor("a"), list)] }, 1);
        let place = Place::new(&actor("a"), "m");

        let get = |key: &str| run.get(place.key(key.as_bytes()).as_bytes());
        assert_eq!(get("b"), Some(Some("1".into())));
        assert_eq!((get("a"), get("c"), get("x")), (Some(None), Some(None), Some(None)));
        assert_eq!((get("d"), get("0"), get("")), (None, None, None));
    }

    #[test]
    fn ranges_that_touch_are_joined_and_empty_ones_left_out() {
        let place = Place::new(&actor("a"), "m");
        let of = |list: &[(&'static str, &'static str)]| -> Vec<RowRange> {
            list.iter().map(|(start, end)| place.range(&range(start, end))).collect()
        };

        assert_eq!(joined(of(&[("c", "d"), ("a", "b"), ("b", "bb"), ("x", "a")])), of(&[("a", "bb"), ("c", "d")]));
        assert_eq!(joined(of(&[("a", "z"), ("b", "c")])), of(&[("a", "z")]));
    }

    #[test]
    fn a_run_touches_what_its_points_and_ranges_lie_in() {
        let list = vec![delete_range("m", range("c", "e")), put("m", "h", "1")];
        let run = Run::new(&Group { number: 1, actors: vec![writes(&actor("a"), list)] }, 1);
        let place = Place::new(&actor("a"), "m");

        for (start, end, touches) in
            [("a", "c", false), ("a", "d", true), ("d", "dd", true), ("e", "h", false), ("h", "i", true)]
        {
            assert_eq!(run.touches(&place.range(&range(start, end))), touches, "{start}..{end}");
        }
    }
}
