//! The rows of one module that are in memory: found by key, and walked in key order by those who ask for it.
//!
//! Most actors never walk their rows, and a place in an ordered tree is most of what a put costs. So the order is made
//! when it is first asked for, and kept up from then on.

use std::{
    collections::{BTreeSet, HashMap},
    ops::RangeBounds,
};

use bytes::Bytes;

use crate::runtime::RandomState;

/// A table of at most so many places is kept however empty it is: that of an actor with few rows, which it uses again.
const CAPACITY_KEPT: usize = 16;

#[derive(Debug)]
pub(super) struct RowMap<R> {
    rows: HashMap<Bytes, R, RandomState>,
    /// Every key, once somebody has walked them.
    order: Option<BTreeSet<Bytes>>,
}

impl<R> RowMap<R> {
    pub(super) fn new() -> Self {
        RowMap { rows: HashMap::default(), order: None }
    }

    pub(super) fn get_mut(&mut self, key: &[u8]) -> Option<&mut R> {
        self.rows.get_mut(key)
    }

    pub(super) fn insert(&mut self, key: Bytes, row: R) -> Option<R> {
        if let Some(order) = &mut self.order {
            order.insert(key.clone());
        }
        self.rows.insert(key, row)
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<R> {
        if let Some(order) = &mut self.order {
            order.remove(key);
        }
        self.rows.remove(key)
    }

    /// The rows of a range, in key order.
    pub(super) fn range(&mut self, bounds: impl RangeBounds<Bytes>) -> impl DoubleEndedIterator<Item = (&Bytes, &R)> {
        let RowMap { rows, order } = self;
        let order = order.get_or_insert_with(|| rows.keys().cloned().collect());
        order.range(bounds).filter_map(|key| Some((key, rows.get(key)?)))
    }

    /// Gives back memory that rows have left behind.
    pub(super) fn shrink(&mut self) {
        if self.rows.capacity() > CAPACITY_KEPT && self.rows.len() < self.rows.capacity() / 4 {
            self.rows.shrink_to_fit();
        }
        if self.rows.is_empty() {
            self.order = None;
        }
    }

    /// Keeps the rows that `keep` says, and gives back the memory of the others.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Bytes, &mut R) -> bool) {
        let before = self.rows.len();
        self.rows.retain(|key, row| keep(key, row));
        if self.rows.len() < before {
            self.order = None;
            self.rows.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(map: &mut RowMap<u32>) -> Vec<(Bytes, u32)> {
        map.range(..).map(|(key, row)| (key.clone(), *row)).collect()
    }

    #[test]
    fn rows_that_were_removed_leave_no_table_behind() {
        let mut map = RowMap::new();
        for number in 0_u32..10_000 {
            map.insert(number.to_string().into(), number);
        }
        assert_eq!(walked(&mut map).len(), 10_000);
        for number in 1_u32..10_000 {
            map.remove(number.to_string().as_bytes());
        }
        map.shrink();
        assert!(map.rows.capacity() <= CAPACITY_KEPT, "{}", map.rows.capacity());
        assert_eq!(walked(&mut map), [("0".into(), 0)]);
        map.remove(b"0");
        map.shrink();
        assert!(map.order.is_none());
    }

    #[test]
    fn the_order_is_kept_up_once_it_was_asked_for() {
        let mut map = RowMap::new();
        map.insert("c".into(), 3);
        map.insert("a".into(), 1);
        assert_eq!(walked(&mut map), [("a".into(), 1), ("c".into(), 3)]);

        map.insert("b".into(), 2);
        assert_eq!(map.insert("c".into(), 4), Some(3));
        assert_eq!(map.remove(b"a"), Some(1));
        assert_eq!(walked(&mut map), [("b".into(), 2), ("c".into(), 4)]);

        map.retain(|key, _| key.as_ref() == b"c");
        map.insert("d".into(), 5);
        assert_eq!(walked(&mut map), [("c".into(), 4), ("d".into(), 5)]);
    }

    #[test]
    fn a_range_ends_where_it_says_from_both_sides() {
        let mut map = RowMap::new();
        for (key, row) in ["a", "b", "c", "d"].into_iter().zip(1..) {
            map.insert(key.into(), row);
        }
        let bounds = || Bytes::from("b")..Bytes::from("d");
        assert_eq!(map.range(bounds()).map(|(_, row)| *row).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(map.range(bounds()).rev().map(|(_, row)| *row).collect::<Vec<_>>(), [3, 2]);
    }
}
