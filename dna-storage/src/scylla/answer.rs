//! What is read out of the answers of the database.

use scylla::{
    deserialize::{
        row::{ColumnIterator, DeserializeRow},
        value::DeserializeValue,
    },
    response::query_result::QueryResult,
};

/// An answer that is none that its statement can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

/// What a conditional write came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Applied<T> {
    /// The condition held.
    Yes,
    /// It did not, and this stood in the column that was asked for, if anything.
    No(Option<T>),
}

/// Whether a conditional write was applied, and what stood in `column` if not.
pub(super) fn applied_or<T>(answer: QueryResult, column: &str) -> Result<Applied<T>, Unreadable>
where
    T: for<'frame, 'metadata> DeserializeValue<'frame, 'metadata>,
{
    let rows = answer.into_rows_result().map_err(|_| Unreadable)?;
    let mut rows = rows.rows::<ColumnIterator>().map_err(|_| Unreadable)?;
    let mut columns = rows.next().ok_or(Unreadable)?.map_err(|_| Unreadable)?;
    if read_applied(&mut columns)? {
        return Ok(Applied::Yes);
    }
    for found in columns {
        let found = found.map_err(|_| Unreadable)?;
        if found.spec.name() == column {
            let value = Option::<T>::deserialize(found.spec.typ(), found.slice);
            return value.map(Applied::No).map_err(|_| Unreadable);
        }
    }
    Ok(Applied::No(None))
}

/// Whether a conditional write was applied. Only the first row says so: ScyllaDB answers a row for each statement of a
/// batch.
pub(super) fn is_applied(answer: QueryResult) -> Result<bool, Unreadable> {
    let rows = answer.into_rows_result().map_err(|_| Unreadable)?;
    let mut rows = rows.rows::<ColumnIterator>().map_err(|_| Unreadable)?;
    let mut columns = rows.next().ok_or(Unreadable)?.map_err(|_| Unreadable)?;
    read_applied(&mut columns)
}

fn read_applied(columns: &mut ColumnIterator<'_, '_>) -> Result<bool, Unreadable> {
    let applied = columns.next().ok_or(Unreadable)?.map_err(|_| Unreadable)?;
    if applied.spec.name() != "[applied]" {
        return Err(Unreadable);
    }
    bool::deserialize(applied.spec.typ(), applied.slice).map_err(|_| Unreadable)
}

/// The first row of an answer, if there is one.
pub(super) fn first<R>(answer: QueryResult) -> Result<Option<R>, Unreadable>
where
    R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata>,
{
    let rows = answer.into_rows_result().map_err(|_| Unreadable)?;
    rows.maybe_first_row::<R>().map_err(|_| Unreadable)
}

/// As the database counts: what does not fit is as high as it gets.
pub(super) fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Back again; nothing below zero is ever written.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
