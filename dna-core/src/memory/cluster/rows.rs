//! Rows as a database keeps them that orders writes by timestamp: what comes late finds its place, what comes twice
//! changes nothing. Deleted rows are kept as such, so that an older write that comes later stays without effect.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bytes::Bytes;

use crate::{
    name::ActorName,
    store::{ActorWrites, KeyRange, WriteKind},
};

/// The rows of all actors.
#[derive(Debug, Default)]
pub(super) struct TimedRows {
    tables: BTreeMap<ActorName, BTreeMap<Arc<str>, Table>>,
}

#[derive(Debug, Default)]
struct Table {
    cells: BTreeMap<Bytes, Cell>,
    /// The range deletes, each with the highest stamp that it came with.
    ranges: HashMap<KeyRange, u64>,
}

#[derive(Debug)]
struct Cell {
    stamp: u64,
    /// `None` once deleted.
    value: Option<Bytes>,
}

impl TimedRows {
    /// Stores what one actor wrote in an entry with this stamp: range deletes with it, all else with the next.
    pub(super) fn store(&mut self, actor: &ActorWrites, stamp: u64) {
        let tables = self.tables.entry(actor.actor.clone()).or_default();
        for write in &actor.writes {
            let table = tables.entry(write.module.clone()).or_default();
            match &write.kind {
                WriteKind::Put { key, value } => table.set(key, stamp + 1, Some(value)),
                WriteKind::Delete { key } => table.set(key, stamp + 1, None),
                WriteKind::DeleteRange { range } => {
                    let newest = table.ranges.entry(range.clone()).or_default();
                    *newest = stamp.max(*newest);
                }
            }
        }
    }

    /// Stores them whatever stands there, as a database would that goes by the order of arrival.
    pub(super) fn store_last(&mut self, actor: &ActorWrites) {
        let tables = self.tables.entry(actor.actor.clone()).or_default();
        for write in &actor.writes {
            let cells = &mut tables.entry(write.module.clone()).or_default().cells;
            match &write.kind {
                WriteKind::Put { key, value } => {
                    cells.insert(key.clone(), Cell { stamp: 1, value: Some(value.clone()) });
                }
                WriteKind::Delete { key } => {
                    cells.remove(key);
                }
                WriteKind::DeleteRange { range } => cells.retain(|key, _| !range.contains(key)),
            }
        }
    }

    pub(super) fn get(&self, actor: &ActorName, module: &str, key: &[u8]) -> Option<Bytes> {
        let table = self.tables.get(actor)?.get(module)?;
        table.live(key, table.cells.get(key)?).cloned()
    }

    pub(super) fn scan(
        &self,
        actor: &ActorName,
        module: &str,
        range: &KeyRange,
        limit: usize,
        reverse: bool,
    ) -> Vec<(Bytes, Bytes)> {
        let Some(table) = self.tables.get(actor).and_then(|tables| tables.get(module)) else { return Vec::new() };
        if range.is_empty() {
            return Vec::new();
        }
        let rows = table.cells.range(range.bounds());
        let rows = rows.filter_map(|(key, cell)| Some((key.clone(), table.live(key, cell)?.clone())));
        if reverse { rows.rev().take(limit).collect() } else { rows.take(limit).collect() }
    }
}

impl Table {
    /// The higher stamp stands; of two that are alike a delete, else the greater value.
    fn set(&mut self, key: &Bytes, stamp: u64, value: Option<&Bytes>) {
        let new = Cell { stamp, value: value.cloned() };
        match self.cells.get_mut(key) {
            Some(cell) => {
                let rank = |cell: &Cell| (cell.stamp, cell.value.is_none());
                if (rank(&new), &new.value) > (rank(cell), &cell.value) {
                    *cell = new;
                }
            }
            None => {
                self.cells.insert(key.clone(), new);
            }
        }
    }

    /// The value of a cell, unless it or a range that it lies in was deleted.
    fn live<'a>(&self, key: &[u8], cell: &'a Cell) -> Option<&'a Bytes> {
        let deleted = self.ranges.iter().any(|(range, &stamp)| stamp >= cell.stamp && range.contains(key));
        cell.value.as_ref().filter(|_| !deleted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Write;

    fn write(kind: WriteKind) -> ActorWrites {
        let actor = ActorName::new("n", "T", "a").unwrap();
        ActorWrites { actor, writes: vec![Write { module: "m".into(), kind }] }
    }

    fn put(value: &'static str) -> ActorWrites {
        write(WriteKind::Put { key: "k".into(), value: value.into() })
    }

    fn value(rows: &TimedRows) -> Option<Bytes> {
        rows.get(&put("").actor, "m", b"k")
    }

    #[test]
    fn every_order_of_arrival_ends_in_the_same_rows() {
        let all = || write(WriteKind::DeleteRange { range: KeyRange::all() });
        let delete = || write(WriteKind::Delete { key: "k".into() });
        let scripts = [
            (vec![(put("old"), 10), (put("new"), 12)], Some(b"new".as_slice())),
            (vec![(put("old"), 10), (delete(), 12)], None),
            (vec![(put("old"), 10), (all(), 12)], None),
            (vec![(all(), 10), (put("new"), 10), (put("older"), 8)], Some(b"new")),
        ];
        for (mut script, expected) in scripts {
            for _ in 0..script.len() {
                script.rotate_left(1);
                for order in [script.clone(), script.iter().rev().cloned().collect()] {
                    let mut rows = TimedRows::default();
                    for _ in 0..2 {
                        order.iter().for_each(|(writes, stamp)| rows.store(writes, *stamp));
                    }
                    assert_eq!(value(&rows), expected.map(Bytes::from_static), "{order:?}");
                }
            }
        }
    }

    #[test]
    fn of_writes_with_the_same_stamp_a_delete_stands_else_the_greater_value() {
        let mut rows = TimedRows::default();
        rows.store(&put("b"), 1);
        rows.store(&put("a"), 1);
        assert_eq!(value(&rows), Some("b".into()));
        rows.store(&write(WriteKind::Delete { key: "k".into() }), 1);
        rows.store(&put("c"), 1);
        assert_eq!(value(&rows), None);
    }
}
