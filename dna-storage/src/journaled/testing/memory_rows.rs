//! The rows in memory.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Bound,
    sync::Arc,
};

use bytes::Bytes;
use dna_core::ReadError;
use parking_lot::Mutex;

use super::Gate;
use crate::journaled::{RowBatch, RowKey, RowRange, Rows, UpkeepError};

/// Rows in memory. A clone is the same rows.
#[derive(Debug, Clone, Default)]
pub struct MemoryRows(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    table: Mutex<Table>,
    stores: Gate,
    halves: Gate,
    reads: Gate,
    answers: Gate,
}

#[derive(Debug, Default)]
struct Table {
    rows: BTreeMap<Bytes, Bytes>,
    last: u64,
    fail: VecDeque<UpkeepError>,
    rows_read: usize,
}

impl MemoryRows {
    /// No rows.
    pub fn new() -> Self {
        MemoryRows::default()
    }

    /// Where every batch waits before any of it is stored.
    pub fn stores(&self) -> &Gate {
        &self.0.stores
    }

    /// Where every batch waits when half of it is stored.
    pub fn halves(&self) -> &Gate {
        &self.0.halves
    }

    /// Where every read waits before it reads.
    pub fn reads(&self) -> &Gate {
        &self.0.reads
    }

    /// Where every read waits when it has read and not answered yet.
    pub fn answers(&self) -> &Gate {
        &self.0.answers
    }

    /// Fails the next batch when half of it is stored.
    pub fn fail_next(&self, error: UpkeepError) {
        self.0.table.lock().fail.push_back(error);
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.0.table.lock().rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many rows all range reads together have answered.
    pub fn rows_read(&self) -> usize {
        self.0.table.lock().rows_read
    }
}

impl Table {
    fn begin(&mut self, batch: &RowBatch) {
        assert!(batch.last >= self.last, "batches come in the order of their groups");
        assert!(batch.points.is_sorted_by(|a, b| a.key < b.key), "each row once, in the order of addresses");
        self.last = batch.last;
        for range in &batch.ranges {
            self.rows.retain(|address, _| !(*address >= range.range.start && *address < range.range.end));
        }
    }

    fn list(&mut self, range: &RowRange, limit: usize, reverse: bool) -> Vec<(Bytes, Bytes)> {
        let place = range.place_len();
        let bounds = (Bound::Included(range.start.clone()), Bound::Excluded(range.end.clone()));
        let rows = self.rows.range(bounds).map(|(key, value)| (key.slice(place..), value.clone()));
        let found: Vec<_> = if reverse { rows.rev().take(limit).collect() } else { rows.take(limit).collect() };
        self.rows_read += found.len();
        found
    }

    fn write(&mut self, points: &[super::super::RowWrite]) {
        for point in points {
            let address = Bytes::copy_from_slice(point.key.as_bytes());
            match &point.value {
                Some(value) => self.rows.insert(address, value.clone()),
                None => self.rows.remove(&address),
            };
        }
    }
}

impl Rows for MemoryRows {
    async fn get(&self, key: &RowKey) -> Result<Option<Bytes>, ReadError> {
        self.0.reads.pass().await;
        let found = self.0.table.lock().rows.get(key.as_bytes()).cloned();
        self.0.answers.pass().await;
        Ok(found)
    }

    async fn scan(&self, range: &RowRange, limit: usize, reverse: bool) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        self.0.reads.pass().await;
        let found = self.0.table.lock().list(range, limit, reverse);
        self.0.answers.pass().await;
        Ok(found)
    }

    async fn store(&self, batch: &RowBatch) -> Result<(), UpkeepError> {
        self.0.stores.pass().await;
        let (first, second) = batch.points.split_at(batch.points.len() / 2);
        {
            let mut table = self.0.table.lock();
            table.begin(batch);
            table.write(first);
            if let Some(error) = table.fail.pop_front() {
                return Err(error);
            }
        }
        self.0.halves.pass().await;
        self.0.table.lock().write(second);
        Ok(())
    }
}
