//! A session with a keyspace that was found to be fit, and what it has prepared.

use dna_core::{ClusterError, ReadError};
use scylla::{
    client::session::Session, deserialize::row::DeserializeRow, errors::ExecutionError, serialize::row::SerializeRow,
    statement::prepared::PreparedStatement,
};

use super::{
    answer::first,
    consistency::Consistency,
    fate::{Fate, Kind, fate},
    statements::Statements,
};

/// A session, its keyspace, and the statements for it.
pub(super) struct Connection {
    pub(super) session: Session,
    pub(super) consistency: Consistency,
    pub(super) statements: Statements,
    #[cfg(feature = "testing")]
    pub(super) faults: super::faults::ScyllaFaults,
}

impl Connection {
    /// The first row that a read answers.
    pub(super) async fn read_first<R>(
        &self,
        statement: &PreparedStatement,
        values: impl SerializeRow,
    ) -> Result<Option<R>, ReadFailure>
    where
        R: for<'frame, 'metadata> DeserializeRow<'frame, 'metadata>,
    {
        let answer = self.session.execute_unpaged(statement, values).await;
        let answer = answer.map_err(|error| ReadFailure::reported(statement, &error))?;
        first(answer).map_err(|_| ReadFailure::unreadable(statement))
    }
}

/// Why a read found nothing out. What the driver said stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReadFailure {
    #[error("the database is not available")]
    Unavailable,
    #[error("the database refuses the statement")]
    Rejected,
    #[error("what stands there is not what was written")]
    Corrupt,
}

impl ReadFailure {
    /// What an error of the driver comes to.
    pub(super) fn reported(statement: &PreparedStatement, error: &ExecutionError) -> Self {
        tracing::warn!(statement = statement.get_statement(), %error, "a read of the database failed");
        match fate(Kind::Plain, error) {
            Fate::Rejected => ReadFailure::Rejected,
            Fate::NotApplied | Fate::Unknown => ReadFailure::Unavailable,
        }
    }

    /// An answer that its statement cannot have.
    pub(super) fn unreadable(statement: &PreparedStatement) -> Self {
        tracing::error!(statement = statement.get_statement(), "an answer of the database cannot be read");
        ReadFailure::Corrupt
    }
}

impl From<ReadFailure> for ReadError {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            // A table or a permission that is gone may come back.
            ReadFailure::Unavailable | ReadFailure::Rejected => ReadError::Unavailable,
            ReadFailure::Corrupt => ReadError::Corrupt,
        }
    }
}

impl From<ReadFailure> for ClusterError {
    fn from(failure: ReadFailure) -> Self {
        match failure {
            ReadFailure::Unavailable => ClusterError::Unavailable,
            ReadFailure::Rejected => ClusterError::Rejected,
            ReadFailure::Corrupt => ClusterError::Corrupt,
        }
    }
}
