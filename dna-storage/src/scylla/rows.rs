//! The rows: the table `actor`, written plainly, each write with the timestamp that says where it belongs.
//!
//! Such writes commute and may be repeated, by the driver as well as by us, and a late one that was given up on has no
//! effect. One actor's rows are a partition. Its range deletes go there first, then its puts and deletes in the order of
//! their keys, in pieces of which a few are on their way at the same time: no two of them touch the same row.

use std::sync::Arc;

use bytes::Bytes;
use dna_core::{ReadError, fault_point};
use futures_util::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use scylla::{
    errors::ExecutionError,
    response::{PagingState, PagingStateResponse, query_result::QueryResult},
    statement::prepared::PreparedStatement,
};

use super::{
    connection::{Connection, ReadFailure},
    fate::{Fate, Kind, fate},
    pieces::{PIECE_ROWS_MAX, Partition, partitions, pieces},
    row_values::{RowValues, ScanValues},
};
use crate::journaled::{RowBatch, RowKey, RowRange, RowWrite, Rows, UpkeepError};

/// How many partitions are written to at the same time.
const PARTITIONS_AT_ONCE: usize = 128;

/// How many pieces of one partition are on their way at the same time. With one, the database waits while the next is
/// made, and this program while the last is written.
const PIECES_AT_ONCE: usize = 4;

/// How many rows the first page of a range read asks for at the most: their size is not known yet.
const FIRST_PAGE_ROWS: usize = 128;

/// How many bytes a page of a range read has at about the most, once the size of its rows is known.
const PAGE_BYTES: usize = 1024 * 1024;

/// The most rows that a page asks for.
const PAGE_ROWS_MAX: usize = 5000;

/// The table `actor` of one keyspace.
#[derive(Clone)]
pub(super) struct CqlRows {
    connection: Arc<Connection>,
}

impl CqlRows {
    pub(super) fn new(connection: Arc<Connection>) -> Self {
        CqlRows { connection }
    }

    async fn write_partition(&self, partition: Partition<'_>) -> Result<(), UpkeepError> {
        for ranges in partition.ranges.chunks(PIECE_ROWS_MAX) {
            self.write(ranges.iter().map(|delete| RowValues::of_range(delete)).collect()).await?;
        }
        let mut writes: Vec<BoxFuture<'_, Result<(), UpkeepError>>> = Vec::new();
        for piece in pieces(partition.points) {
            let points = partition.points.get(piece).unwrap_or_default();
            writes.push(Box::pin(self.write_points(points)));
        }
        stream::iter(writes).buffer_unordered(PIECES_AT_ONCE).try_collect().await
    }

    /// Writes one piece of a partition.
    async fn write_points(&self, points: &[RowWrite]) -> Result<(), UpkeepError> {
        self.write(points.iter().map(RowValues::of_point).collect()).await
    }

    /// Writes rows of one partition.
    async fn write(&self, values: Option<Vec<RowValues<'_>>>) -> Result<(), UpkeepError> {
        let Some(values) = values else {
            tracing::error!("an address of a row that is to be stored is none");
            return Err(UpkeepError::Failed);
        };
        let rows = &self.connection.statements.rows;
        let answer = match values.as_slice() {
            [one] => self.connection.session.execute_unpaged(one.statement(rows), one).await,
            many => {
                let mut batch = rows.batch.clone();
                for one in many {
                    batch.append_statement(one.statement(rows).clone());
                }
                self.connection.session.batch(&batch, many).await
            }
        };
        fault_point("rows: a piece is stored");
        answer.map(drop).map_err(|error| not_stored(&error))
    }

    async fn page(
        &self,
        statement: &PreparedStatement,
        values: &ScanValues<'_>,
        state: PagingState,
    ) -> Result<(QueryResult, PagingStateResponse), ReadError> {
        let page = self.connection.session.execute_single_page(statement, values, state).await;
        page.map_err(|error| ReadFailure::reported(statement, &error).into())
    }
}

/// Every row keeps the limits that were checked before its commit. So what is refused may be taken later, when a table
/// or a permission is back: it is tried for ever, and what is behind it waits.
fn not_stored(error: &ExecutionError) -> UpkeepError {
    match fate(Kind::Plain, error) {
        Fate::Rejected => tracing::error!(%error, "the database refuses rows: see to its schema and permissions"),
        Fate::NotApplied | Fate::Unknown => tracing::warn!(%error, "the database has not stored rows"),
    }
    UpkeepError::Unavailable
}

impl Rows for CqlRows {
    async fn get(&self, key: &RowKey) -> Result<Option<Bytes>, ReadError> {
        let parts = key.parts().ok_or(ReadError::Corrupt)?;
        let values = (parts.namespace, parts.kind, parts.name, parts.module, parts.key);
        let get = &self.connection.statements.rows.get;
        let row = self.connection.read_first::<(Option<Bytes>,)>(get, values).await?;
        Ok(row.map(|(value,)| value.unwrap_or_default()))
    }

    async fn scan(&self, range: &RowRange, limit: usize, reverse: bool) -> Result<Vec<(Bytes, Bytes)>, ReadError> {
        if limit == 0 || range.is_empty() {
            return Ok(Vec::new());
        }
        let (parts, end) = range.parts().ok_or(ReadError::Corrupt)?;
        let [no_end, with_end] = &self.connection.statements.rows.scan;
        let [ascending, descending] = if end.is_some() { with_end } else { no_end };
        let mut statement = if reverse { descending } else { ascending }.clone();
        let values = ScanValues { parts, end };
        let mut found = Vec::new();
        let mut state = PagingState::start();
        let mut page_rows = FIRST_PAGE_ROWS;
        loop {
            page_rows = page_rows.min(limit - found.len());
            statement.set_page_size(i32::try_from(page_rows).unwrap_or(i32::MAX));
            let (page, next) = self.page(&statement, &values, state).await?;
            let before = found.len();
            let bytes = take_rows(page, &mut found).map_err(|()| ReadFailure::unreadable(&statement))?;
            if found.len() >= limit {
                // No server sends more than it was asked for, but nothing says so.
                found.truncate(limit);
                return Ok(found);
            }
            match next.into_paging_control_flow() {
                std::ops::ControlFlow::Break(()) => return Ok(found),
                std::ops::ControlFlow::Continue(next) => state = next,
            }
            page_rows = next_page_rows(found.len() - before, bytes);
        }
    }

    async fn store(&self, batch: &RowBatch) -> Result<(), UpkeepError> {
        #[cfg(feature = "testing")]
        self.connection.faults.rows().pass().await;
        let mut writes: Vec<BoxFuture<'_, Result<(), UpkeepError>>> = Vec::new();
        for partition in partitions(batch) {
            writes.push(Box::pin(self.write_partition(partition)));
        }
        stream::iter(writes).buffer_unordered(PARTITIONS_AT_ONCE).try_collect().await
    }
}

/// Takes the rows of a page; how many bytes they have.
fn take_rows(page: QueryResult, found: &mut Vec<(Bytes, Bytes)>) -> Result<usize, ()> {
    let page = page.into_rows_result().map_err(drop)?;
    found.reserve(page.rows_num());
    let mut bytes = 0;
    for row in page.rows::<(&[u8], Option<&[u8]>)>().map_err(drop)? {
        let (key, value) = row.map_err(drop)?;
        let value = value.unwrap_or_default();
        bytes += key.len() + value.len();
        // Copied, so that one row does not keep all of its page in memory.
        found.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
    }
    Ok(bytes)
}

/// How many rows to ask for next, after so many rows had so many bytes.
fn next_page_rows(rows: usize, bytes: usize) -> usize {
    let row_bytes = (bytes / rows.max(1)).max(1);
    (PAGE_BYTES / row_bytes).clamp(1, PAGE_ROWS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_grows_and_shrinks_with_its_rows() {
        assert_eq!(next_page_rows(128, 128 * 32), PAGE_ROWS_MAX);
        assert_eq!(next_page_rows(128, 128 * 1024), 1024);
        assert_eq!(next_page_rows(100, 100 * 256 * 1024), 4);
        assert_eq!(next_page_rows(1, 8 * PAGE_BYTES), 1);
        assert_eq!(next_page_rows(0, 0), PAGE_ROWS_MAX);
    }
}
