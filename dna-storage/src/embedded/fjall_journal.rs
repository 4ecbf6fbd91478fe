//! The journal of an embedded store: a fjall database of entries by number.
//!
//! | Key | Value |
//! |---|---|
//! | `e`, then the number, 8 bytes big-endian | the entry |
//! | `h` | `done`, then `head`, 8 bytes little-endian each |
//!
//! An append is one batch, synced as one: the entry, the header, and the removal of what is released by it.

use bytes::Bytes;
use dna_core::ReadError;
use fjall::{OwnedWriteBatch, PersistMode};
use parking_lot::Mutex;

#[cfg(feature = "testing")]
use super::faults::{EarlyAnswer, EmbeddedFaults};
use super::{
    database::{Db, Shape, read_error},
    directory::JOURNAL,
    error::{Damage, DatabaseError, Reason},
    options::Durability,
    space::Space,
};
use crate::journaled::{AppendError, Journal, Recovered, UpkeepError};

pub(super) const HEADER: &[u8] = b"h";
pub(super) const NEW_HEADER: [u8; 16] = [0; 16];

/// Entries are read once, at the start.
pub(super) const SHAPE: Shape = Shape { folder: JOURNAL, cache_bytes: 1024 * 1024, workers: 1 };

pub(super) struct FjallJournal {
    db: Db,
    durability: Durability,
    space: Space,
    /// What is released, and the last number.
    header: Mutex<(u64, u64)>,
    #[cfg(feature = "testing")]
    faults: EmbeddedFaults,
}

impl FjallJournal {
    /// Takes over a database that was opened.
    pub(super) fn new(
        db: Db,
        durability: Durability,
        space: Space,
        #[cfg(feature = "testing")] faults: EmbeddedFaults,
    ) -> Result<Self, Damage> {
        let database = |error| Damage::Database { folder: JOURNAL, reason: DatabaseError(Reason::Reported(error)) };
        let header = db.keyspace.get(HEADER).map_err(database)?;
        let header = header.and_then(|bytes| read_header(&bytes)).ok_or(Damage::Header { folder: JOURNAL })?;
        Ok(FjallJournal {
            db,
            durability,
            space,
            header: Mutex::new(header),
            #[cfg(feature = "testing")]
            faults,
        })
    }

    /// `done` and `head`.
    pub(super) fn header(&self) -> (u64, u64) {
        *self.header.lock()
    }

    /// What is not released.
    pub(super) fn contents(&self) -> Result<Recovered, fjall::Error> {
        let (done, _) = self.header();
        let mut entries = Vec::new();
        for entry in self.db.keyspace.range(entry_key(done.saturating_add(1))..=entry_key(u64::MAX)) {
            let (key, value) = entry.into_inner()?;
            let number = key.get(1..).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_be_bytes);
            entries.push((number, Bytes::copy_from_slice(&value)));
        }
        Ok(Recovered { done, entries })
    }

    fn write(&self, done: u64, entry: Option<(u64, &[u8])>) -> Result<(), fjall::Error> {
        let mut header = self.header.lock();
        let (released, head) = *header;
        let next = (done.max(released), entry.map_or(head, |(number, _)| number));
        let mut batch = self.db.database.batch();
        if let Some((number, bytes)) = entry {
            batch.insert(&self.db.keyspace, entry_key(number), bytes);
        }
        for number in released..next.0 {
            batch.remove(&self.db.keyspace, entry_key(number + 1));
        }
        batch.insert(&self.db.keyspace, HEADER, write_header(next));
        self.persist(batch)?;
        *header = next;
        Ok(())
    }

    /// Writes and syncs a batch under one lock of fjall. Apart, a sync that fails in one of its threads in between would
    /// take the error with it: the operating system reports it once.
    fn persist(&self, batch: OwnedWriteBatch) -> Result<(), fjall::Error> {
        let mode = match self.durability {
            Durability::Fsync => PersistMode::SyncData,
            Durability::Buffered => PersistMode::Buffer,
        };
        #[cfg(feature = "testing")]
        let mode = self.faults.mode(mode);
        #[cfg(feature = "testing")]
        if let Err(error) = self.faults.before_sync() {
            // What failed is the sync: it is written.
            batch.commit()?;
            return Err(error.into());
        }
        batch.durability(Some(mode)).commit()?;
        #[cfg(feature = "testing")]
        self.faults.after_sync(mode);
        Ok(())
    }

    /// Syncs what was only handed to the operating system.
    fn sync_behind(&self) -> Result<(), fjall::Error> {
        let mode = PersistMode::SyncData;
        self.db.database.persist(mode)?;
        // Only asks whether another sync has failed meanwhile, whose error this one then did not get.
        self.db.database.persist(PersistMode::Buffer)?;
        #[cfg(feature = "testing")]
        self.faults.after_settle(mode);
        Ok(())
    }
}

impl Journal for FjallJournal {
    async fn recover(&self) -> Result<Recovered, ReadError> {
        self.contents().map_err(|error| read_error(&error))
    }

    async fn append(&self, number: u64, done: u64, entry: Bytes) -> Result<(), AppendError> {
        #[cfg(feature = "testing")]
        let (number, done, entry) = match self.faults.answer_early((number, done, entry)) {
            EarlyAnswer::No(append) | EarlyAnswer::Earlier(append) => append,
            EarlyAnswer::Nothing => return Ok(()),
        };
        self.space.check(entry.len()).map_err(AppendError::NotApplied)?;
        self.write(done, Some((number, &entry))).map_err(|error| {
            tracing::error!(%error, number, "an entry could not be written to the journal");
            AppendError::Failed
        })
    }

    async fn settle(&self) -> Result<(), UpkeepError> {
        #[cfg(feature = "testing")]
        if self.faults.is_behind() {
            return Err(UpkeepError::Unavailable);
        }
        match self.durability {
            Durability::Fsync => Ok(()),
            Durability::Buffered => self.sync_behind().map_err(|error| {
                tracing::error!(%error, "the journal could not be synced");
                UpkeepError::Failed
            }),
        }
    }

    async fn release(&self, done: u64) -> Result<(), UpkeepError> {
        self.write(done, None).map_err(|error| {
            tracing::error!(%error, done, "the journal's header could not be written");
            UpkeepError::Failed
        })
    }
}

fn entry_key(number: u64) -> [u8; 9] {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    [b'e', a, b, c, d, e, f, g, h]
}

fn write_header((done, head): (u64, u64)) -> [u8; 16] {
    let mut bytes = NEW_HEADER;
    let (first, second) = bytes.split_at_mut(8);
    first.copy_from_slice(&done.to_le_bytes());
    second.copy_from_slice(&head.to_le_bytes());
    bytes
}

fn read_header(bytes: &[u8]) -> Option<(u64, u64)> {
    let (done, rest) = bytes.split_first_chunk::<8>()?;
    let head = rest.try_into().ok()?;
    let (done, head) = (u64::from_le_bytes(*done), u64::from_le_bytes(head));
    (done <= head).then_some((done, head))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_header_stay_as_they_are() {
        assert_eq!(entry_key(0x0102_0304_0506_0708), *b"e\x01\x02\x03\x04\x05\x06\x07\x08");
        assert_eq!(HEADER, b"h");
        let header = *b"\x02\x01\0\0\0\0\0\0\x04\x03\0\0\0\0\0\0";
        assert_eq!(write_header((0x0102, 0x0304)), header);
        assert_eq!(read_header(&header), Some((0x0102, 0x0304)));
        assert_eq!((SHAPE.folder, read_header(&NEW_HEADER)), ("journal", Some((0, 0))));
    }

    #[test]
    fn a_header_of_another_length_or_with_more_done_than_there_is_is_none() {
        assert_eq!(read_header(&[0; 15]), None);
        assert_eq!(read_header(&[0; 17]), None);
        assert_eq!(read_header(&write_header((2, 1))), None);
    }
}
