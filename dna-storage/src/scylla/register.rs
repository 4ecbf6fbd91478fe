//! The registers of a cluster: its view, and the names that were placed by hand. Each is changed by a condition on what
//! stood there.

use bytes::Bytes;
use dna_core::{ActorName, ClusterError, Shard, Swap, ViewRegister};
use scylla::{errors::ExecutionError, response::query_result::QueryResult, statement::prepared::PreparedStatement};

use super::{
    answer::{Applied, applied_or, bigint, unsigned},
    connection::{Connection, ReadFailure},
    fate::{Fate, Kind, fate},
};

pub(super) async fn read_view(connection: &Connection) -> Result<ViewRegister, ClusterError> {
    let view = &connection.statements.cluster.view;
    let row = connection.read_first::<(Option<i64>, Option<Bytes>)>(view, ()).await?;
    match row {
        None => Ok(ViewRegister::default()),
        Some((Some(version), bytes)) if version > 0 => {
            Ok(ViewRegister { version: unsigned(version), bytes: bytes.unwrap_or_default() })
        }
        Some(_) => Err(ReadFailure::unreadable(view).into()),
    }
}

pub(super) async fn swap_view(connection: &Connection, expected: u64, new: &Bytes) -> Result<Swap, ClusterError> {
    let statements = &connection.statements.cluster;
    let version = bigint(expected.saturating_add(1));
    let (statement, answer) = if expected == 0 {
        let create = &statements.view_create;
        (create, connection.session.execute_unpaged(create, (version, new.as_ref())).await)
    } else {
        let swap = &statements.view_swap;
        (swap, connection.session.execute_unpaged(swap, (version, new.as_ref(), bigint(expected))).await)
    };
    Ok(match applied::<i64>(statement, answer, "version")? {
        Applied::Yes => Swap::Done,
        Applied::No(current) => Swap::Lost { current: current.map_or(0, unsigned) },
    })
}

pub(super) async fn register_name(
    connection: &Connection,
    actor: &ActorName,
    shard: Shard,
) -> Result<Shard, ClusterError> {
    let register = &connection.statements.cluster.name_register;
    let number = i32::try_from(shard.0).map_err(|_| ClusterError::Rejected)?;
    let values = (actor.namespace(), actor.kind(), actor.name(), number);
    let answer = connection.session.execute_unpaged(register, values).await;
    match applied::<i32>(register, answer, "shard")? {
        Applied::Yes => Ok(shard),
        Applied::No(found) => {
            let found = found.and_then(|found| u32::try_from(found).ok());
            found.map(Shard).ok_or_else(|| ReadFailure::unreadable(register).into())
        }
    }
}

/// What a conditional write came to.
fn applied<T>(
    statement: &PreparedStatement,
    answer: Result<QueryResult, ExecutionError>,
    column: &str,
) -> Result<Applied<T>, ClusterError>
where
    T: for<'frame, 'metadata> scylla::deserialize::value::DeserializeValue<'frame, 'metadata>,
{
    let answer = answer.map_err(|error| {
        tracing::warn!(statement = statement.get_statement(), %error, "a conditional write has no answer");
        match fate(Kind::Conditional, &error) {
            Fate::Rejected => ClusterError::Rejected,
            Fate::NotApplied => ClusterError::Unavailable,
            Fate::Unknown => ClusterError::Unknown,
        }
    })?;
    applied_or(answer, column).map_err(|_| {
        tracing::error!(statement = statement.get_statement(), "the answer to a conditional write cannot be read");
        ClusterError::Unknown
    })
}
