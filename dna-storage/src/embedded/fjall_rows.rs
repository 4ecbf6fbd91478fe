//! The rows of an embedded store: a fjall database of values by address.
//!
//! Beside the rows it holds one value under `FF`, which no address begins with: the number of the last group whose
//! rows it has, 8 bytes little-endian. It is written in the last batch of a [`RowBatch`], so that it never runs ahead.

use bytes::Bytes;
use dna_core::ReadError;
use fjall::{OwnedWriteBatch, PersistMode};

use super::{
    database::{Db, Shape, read_error},
    directory::ROWS,
    error::{Damage, DatabaseError, Reason},
};
use crate::journaled::{RowBatch, RowKey, RowRange, Rows, UpkeepError};

pub(super) const APPLIED: &[u8] = &[0xff];
pub(super) const NEW_APPLIED: [u8; 8] = [0; 8];

/// Blocks of rows are cached up to this; the operating system caches their files besides.
pub(super) const SHAPE: Shape = Shape { folder: ROWS, cache_bytes: 64 * 1024 * 1024, workers: 2 };

/// How many bytes of rows one fjall batch takes at about the most.
const PIECE_BYTES: usize = 4 * 1024 * 1024;

/// How many rows of a range are removed by one fjall batch.
const PIECE_ROWS: usize = 4096;

pub(super) struct FjallRows {
    db: Db,
}

impl FjallRows {
    pub(super) fn new(db: Db) -> Self {
        FjallRows { db }
    }

    /// The number of the last group whose rows are here.
    pub(super) fn applied(&self) -> Result<u64, Damage> {
        let database = |error| Damage::Database { folder: ROWS, reason: DatabaseError(Reason::Reported(error)) };
        let value = self.db.keyspace.get(APPLIED).map_err(database)?;
        let number = value.and_then(|bytes| Some(u64::from_le_bytes(bytes.as_ref().try_into().ok()?)));
        number.ok_or(Damage::Header { folder: ROWS })
    }

    fn read(&self, range: &RowRange, limit: usize, reverse: bool) -> Result<Vec<(Bytes, Bytes)>, fjall::Error> {
        let place = range.place_len();
        let rows = self.db.keyspace.range(range.start.as_ref()..range.end.as_ref());
        let row = |guard: fjall::Guard| {
            let (key, value) = guard.into_inner()?;
            let key = key.get(place..).unwrap_or_default();
            Ok((Bytes::copy_from_slice(key), Bytes::copy_from_slice(&value)))
        };
        if reverse { rows.rev().take(limit).map(row).collect() } else { rows.take(limit).map(row).collect() }
    }

    fn write(&self, batch: &RowBatch) -> Result<(), fjall::Error> {
        for delete in &batch.ranges {
            self.remove_range(&delete.range)?;
        }
        let mut piece = self.db.database.batch();
        let mut bytes = 0;
        for point in &batch.points {
            let key = point.key.as_bytes();
            match &point.value {
                Some(value) => piece.insert(&self.db.keyspace, key, value.as_ref()),
                None => piece.remove(&self.db.keyspace, key),
            }
            bytes += key.len() + point.value.as_ref().map_or(0, Bytes::len);
            if bytes >= PIECE_BYTES {
                std::mem::replace(&mut piece, self.db.database.batch()).commit()?;
                bytes = 0;
            }
        }
        piece.insert(&self.db.keyspace, APPLIED, batch.last.to_le_bytes());
        piece.durability(Some(PersistMode::SyncAll)).commit()?;
        // Only asks whether a sync of earlier pieces has failed in one of fjall's threads, whose error this one did not get.
        self.db.database.persist(PersistMode::Buffer)
    }

    /// Removes the rows of a range one by one: fjall has no range deletes.
    fn remove_range(&self, range: &RowRange) -> Result<(), fjall::Error> {
        let mut rows = self.db.keyspace.range(range.start.as_ref()..range.end.as_ref());
        loop {
            let mut piece = OwnedWriteBatch::with_capacity(self.db.database.clone(), PIECE_ROWS);
            for row in rows.by_ref().take(PIECE_ROWS) {
                piece.remove(&self.db.keyspace, row.key()?);
            }
            if piece.is_empty() {
                return Ok(());
            }
            piece.commit()?;
        }
    }
}

impl Rows for FjallRows {
    async fn get(&self, key: &RowKey) -> Result<Option<Bytes>, ReadError> {
        let value = self.db.keyspace.get(key.as_bytes()).map_err(|error| read_error(&error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    async fn scan(&self, range: &RowRange, limit: usize, reverse: bool) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        self.read(range, limit, reverse).map_err(|error| read_error(&error))
    }

    async fn store(&self, batch: &RowBatch) -> Result<(), UpkeepError> {
        self.write(batch).map_err(|error| {
            // fjall takes no write after a failed one, so that there is no use in another try.
            tracing::error!(%error, through = batch.last, "rows could not be written");
            UpkeepError::Failed
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_the_last_group_stays_where_and_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        Db::create(dir.path(), SHAPE, APPLIED, &NEW_APPLIED).unwrap();
        let rows = FjallRows::new(Db::open(dir.path(), SHAPE).unwrap());
        let stored = || rows.db.keyspace.get(b"\xff").unwrap().unwrap();
        assert_eq!(*stored(), *b"\0\0\0\0\0\0\0\0");

        rows.write(&RowBatch { last: 0x0102, ..RowBatch::default() }).unwrap();

        assert_eq!(*stored(), *b"\x02\x01\0\0\0\0\0\0");
        assert_eq!(rows.applied().unwrap(), 0x0102);
        assert!(dir.path().join("rows").is_dir() && **rows.db.keyspace.name() == *"main");
    }
}
