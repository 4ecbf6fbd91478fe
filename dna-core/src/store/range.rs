//! A half-open range of keys.

use std::ops::Bound;

use bytes::Bytes;

/// The keys from `start` (inclusive) to `end` (exclusive; to the last key where `None`), in byte order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyRange {
    /// The first key of the range.
    pub start: Bytes,
    /// The first key behind the range, if it ends.
    pub end: Option<Bytes>,
}

impl KeyRange {
    /// Every key.
    pub const fn all() -> Self {
        KeyRange { start: Bytes::new(), end: None }
    }

    /// Every key that begins with `prefix`.
    pub fn prefix(prefix: &[u8]) -> Self {
        KeyRange { start: Bytes::copy_from_slice(prefix), end: successor_of_prefix(prefix) }
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        key >= self.start.as_ref() && self.end.as_ref().is_none_or(|end| key < end.as_ref())
    }

    /// Whether no key can lie in the range.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| end <= &self.start)
    }

    /// The keys that lie in both ranges.
    #[must_use]
    pub fn and(&self, other: &KeyRange) -> KeyRange {
        let start = self.start.clone().max(other.start.clone());
        let end = match (&self.end, &other.end) {
            (Some(a), Some(b)) => Some(a.min(b).clone()),
            (Some(a), None) | (None, Some(a)) => Some(a.clone()),
            (None, None) => None,
        };
        KeyRange { start, end }
    }

    /// The range as bounds for an ordered map. Not for an empty range: ordered maps panic on those.
    pub fn bounds(&self) -> (Bound<Bytes>, Bound<Bytes>) {
        let end = self.end.clone().map_or(Bound::Unbounded, Bound::Excluded);
        (Bound::Included(self.start.clone()), end)
    }
}

/// The first key, in byte order, that is behind every key with this prefix.
fn successor_of_prefix(prefix: &[u8]) -> Option<Bytes> {
    let last = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix.get(..=last)?.to_vec();
    if let Some(byte) = end.last_mut() {
        *byte += 1;
    }
    Some(end.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(start: &'static [u8], end: Option<&'static [u8]>) -> KeyRange {
        KeyRange { start: Bytes::from_static(start), end: end.map(Bytes::from_static) }
    }

    #[test]
    fn a_prefix_ends_behind_its_last_key() {
        assert_eq!(KeyRange::prefix(b"ab"), range(b"ab", Some(b"ac")));
        assert_eq!(KeyRange::prefix(b"a\xff\xff"), range(b"a\xff\xff", Some(b"b")));
        assert_eq!(KeyRange::prefix(b"\xff"), range(b"\xff", None));
        assert_eq!(KeyRange::prefix(b""), KeyRange::all());
    }

    #[test]
    fn the_intersection_holds_what_both_hold() {
        let both = range(b"a", Some(b"f")).and(&range(b"c", None));
        assert_eq!(both, range(b"c", Some(b"f")));
        assert!(range(b"a", Some(b"b")).and(&range(b"c", None)).is_empty());
    }

    #[test]
    fn start_is_in_and_end_is_out() {
        let range = range(b"b", Some(b"d"));
        assert!(range.contains(b"b") && range.contains(b"czz"));
        assert!(!range.contains(b"a") && !range.contains(b"d"));
    }
}
