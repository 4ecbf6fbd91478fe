//! Stores what another node's journal holds as rows.

use std::sync::Arc;

use bytes::Bytes;
use dna_core::Group;

use super::{
    batch::RowBatch,
    clock::last_of_entry,
    entry::{self, EntryError},
    journal::UpkeepError,
    options::ROW_BATCH_BYTES_MAX,
    rows::Rows,
    run::Run,
};

/// The entries of one journal, on their way into the rows. They come in order.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    runs: Vec<Arc<Run>>,
    bytes: usize,
    /// The highest timestamp of any row so far.
    pub(crate) last: u64,
    /// How many entries are stored as rows.
    pub(crate) entries: u64,
    /// How many puts and deletes these came to.
    pub(crate) rows: u64,
}

/// The group of an entry, and its first timestamp.
pub(crate) fn decode_entry(entry: &Bytes) -> Result<(Group, u64), EntryError> {
    entry::decode(entry)
}

impl Replay {
    /// Takes the next entry.
    pub(crate) fn push(&mut self, group: &Group, stamp: u64) {
        let run = Run::new(group, stamp);
        self.note(stamp);
        self.bytes += run.bytes();
        self.runs.push(Arc::new(run));
    }

    /// Notes the timestamps of an entry whose rows are stored.
    pub(crate) fn note(&mut self, stamp: u64) {
        self.last = self.last.max(last_of_entry(stamp));
    }

    /// Whether so much was taken that it is to be stored first.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes >= ROW_BATCH_BYTES_MAX
    }

    /// Stores what was taken. After an error it is stored again by the next call, which does no harm.
    pub(crate) async fn store<R: Rows>(&mut self, rows: &R) -> Result<(), UpkeepError> {
        if self.runs.is_empty() {
            return Ok(());
        }
        rows.store(&RowBatch::merge(&self.runs)).await?;
        self.entries += u64::try_from(self.runs.len()).unwrap_or(u64::MAX);
        self.rows += self.runs.iter().map(|run| u64::try_from(run.len()).unwrap_or(u64::MAX)).sum::<u64>();
        self.runs.clear();
        self.bytes = 0;
        Ok(())
    }
}
