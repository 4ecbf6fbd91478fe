//! The port of rows: where the operations of committed groups end up.

use std::future::Future;

use bytes::Bytes;
use dna_core::ReadError;

use super::{
    batch::RowBatch,
    journal::UpkeepError,
    row_key::{RowKey, RowRange},
};

/// A table of rows that is written in batches, and may be behind what was committed.
///
/// Rows are the store's *repeatable* half: what was stored in part, or more than once, is stored again after a restart,
/// in the same order, and ends in the same rows. They need to promise neither atomicity nor isolation.
pub trait Rows: Send + Sync + 'static {
    /// Reads one row.
    ///
    /// To be correct: sees every batch whose `store` was answered `Ok` before the read began. Of a batch that is being
    /// stored it may see any part.
    fn get(&self, key: &RowKey) -> impl Future<Output = Result<Option<Bytes>, ReadError>> + Send;

    /// Reads the rows of a range in key order, or against it where `reverse`; `limit` of them, or fewer only if there
    /// are no more. Keys are answered without their place.
    ///
    /// To be correct: as for `get`. With a limit of n it reads about n rows, not the whole range.
    fn scan(
        &self,
        range: &RowRange,
        limit: usize,
        reverse: bool,
    ) -> impl Future<Output = Result<Vec<(Bytes, Bytes)>, ReadError>> + Send;

    /// Stores a batch: its range deletes first, then its puts and deletes.
    ///
    /// Called by one writer, one batch at a time, in the order of their groups; after an error the same batch comes
    /// again.
    ///
    /// To be correct:
    /// - `Ok`: all of it is durable, and visible to every read that starts after the answer.
    /// - [`UpkeepError::Unavailable`]: any part of it may be stored, now or later.
    /// - [`UpkeepError::Failed`]: the same, and it will not succeed by being repeated: the store stops.
    /// - An instance whose writes may arrive late orders them by the [stamps](RowBatch) they carry.
    fn store(&self, batch: &RowBatch) -> impl Future<Output = Result<(), UpkeepError>> + Send;
}
