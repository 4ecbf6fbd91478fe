//! What an error of the driver says about a write: the one place where errors are judged.
//!
//! | Error | Plain write | Conditional write |
//! |---|---|---|
//! | the statement is wrong: it cannot be encoded or prepared, syntax, invalid, not authorised, configuration | rejected | rejected |
//! | it was never sent: no node, no connection, no stream id; the coordinator refused it at once: bootstrapping, its own rate limit | not applied | not applied |
//! | `Unavailable` | not applied | not applied at a serial level; at any other one Paxos had decided already: unknown |
//! | everything else: timeouts, failures, overload, server errors, broken connections, answers that cannot be read | unknown | unknown |
//!
//! An unknown plain write may turn up hours later. It is harmless, since its timestamp says where it belongs.

use scylla::{
    errors::{DbError, ExecutionError, PrepareError, RequestAttemptError},
    statement::Consistency,
};

/// What is known of a write that was answered with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was not applied, and would not be if it came again.
    Rejected,
    /// It was not applied.
    NotApplied,
    /// It may have been applied, or may be yet.
    Unknown,
}

/// How a write was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Without a condition.
    Plain,
    /// With one: through Paxos.
    Conditional,
}

/// What an error says of the write that it answers.
pub(super) fn fate(kind: Kind, error: &ExecutionError) -> Fate {
    match error {
        ExecutionError::BadQuery(_) => Fate::Rejected,
        ExecutionError::PrepareError(error) => preparation(error),
        ExecutionError::EmptyPlan | ExecutionError::ConnectionPoolError(_) => Fate::NotApplied,
        ExecutionError::LastAttemptError(error) => attempt(kind, error),
        _ => Fate::Unknown,
    }
}

fn preparation(error: &PrepareError) -> Fate {
    match error {
        PrepareError::ConnectionPoolError(_) => Fate::NotApplied,
        PrepareError::AllAttemptsFailed { first_attempt: RequestAttemptError::DbError(error, _) }
            if !is_about_the_statement(error) =>
        {
            Fate::NotApplied
        }
        PrepareError::AllAttemptsFailed {
            first_attempt: RequestAttemptError::BrokenConnectionError(_) | RequestAttemptError::UnableToAllocStreamId,
        } => Fate::NotApplied,
        _ => Fate::Rejected,
    }
}

fn attempt(kind: Kind, error: &RequestAttemptError) -> Fate {
    match error {
        RequestAttemptError::SerializationError(_) | RequestAttemptError::CqlRequestSerialization(_) => Fate::Rejected,
        RequestAttemptError::UnableToAllocStreamId => Fate::NotApplied,
        RequestAttemptError::DbError(error, _) => answered(kind, error),
        _ => Fate::Unknown,
    }
}

fn answered(kind: Kind, error: &DbError) -> Fate {
    match error {
        error if is_about_the_statement(error) => Fate::Rejected,
        DbError::IsBootstrapping | DbError::RateLimitReached { rejected_by_coordinator: true, .. } => Fate::NotApplied,
        DbError::Unavailable { consistency, .. } => match (kind, consistency) {
            (Kind::Plain, _) | (Kind::Conditional, Consistency::Serial | Consistency::LocalSerial) => Fate::NotApplied,
            (Kind::Conditional, _) => Fate::Unknown,
        },
        _ => Fate::Unknown,
    }
}

/// Whether the server found the statement itself wrong, before it did anything.
fn is_about_the_statement(error: &DbError) -> bool {
    matches!(error, DbError::SyntaxError | DbError::Invalid | DbError::Unauthorized | DbError::ConfigError)
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc, time::Duration};

    use scylla::errors::{BadQuery, ConnectionError, ConnectionPoolError, OperationType, WriteType};

    use super::*;

    fn db(error: DbError) -> ExecutionError {
        ExecutionError::LastAttemptError(RequestAttemptError::DbError(error, String::new()))
    }

    fn unavailable(consistency: Consistency) -> ExecutionError {
        db(DbError::Unavailable { consistency, required: 2, alive: 1 })
    }

    fn rate_limit(rejected_by_coordinator: bool) -> ExecutionError {
        db(DbError::RateLimitReached { op_type: OperationType::Write, rejected_by_coordinator })
    }

    fn no_connection() -> ConnectionPoolError {
        let refused = ConnectionError::IoError(Arc::new(io::Error::from(io::ErrorKind::ConnectionRefused)));
        ConnectionPoolError::Broken { last_connection_error: refused }
    }

    fn write_timeout(write_type: WriteType) -> ExecutionError {
        db(DbError::WriteTimeout { consistency: Consistency::LocalQuorum, received: 1, required: 2, write_type })
    }

    fn write_failure() -> ExecutionError {
        db(DbError::WriteFailure {
            consistency: Consistency::LocalQuorum,
            received: 1,
            required: 2,
            numfailures: 1,
            write_type: WriteType::Cas,
        })
    }

    fn read_timeout() -> ExecutionError {
        db(DbError::ReadTimeout {
            consistency: Consistency::LocalSerial,
            received: 1,
            required: 2,
            data_present: false,
        })
    }

    #[test]
    fn every_error_says_what_is_known_of_a_plain_and_of_a_conditional_write() {
        use Fate::{NotApplied, Rejected, Unknown};
        let failed_preparation = |error| {
            let first_attempt = RequestAttemptError::DbError(error, String::new());
            ExecutionError::PrepareError(PrepareError::AllAttemptsFailed { first_attempt })
        };
        let table = [
            (ExecutionError::BadQuery(BadQuery::PartitionKeyExtraction), Rejected, Rejected),
            (failed_preparation(DbError::Invalid), Rejected, Rejected),
            (failed_preparation(DbError::Overloaded), NotApplied, NotApplied),
            (ExecutionError::PrepareError(PrepareError::PreparedStatementIdsMismatch), Rejected, Rejected),
            (ExecutionError::PrepareError(no_connection().into()), NotApplied, NotApplied),
            (db(DbError::SyntaxError), Rejected, Rejected),
            (db(DbError::Invalid), Rejected, Rejected),
            (db(DbError::Unauthorized), Rejected, Rejected),
            (db(DbError::ConfigError), Rejected, Rejected),
            (ExecutionError::EmptyPlan, NotApplied, NotApplied),
            (ExecutionError::ConnectionPoolError(no_connection()), NotApplied, NotApplied),
            (ExecutionError::ConnectionPoolError(ConnectionPoolError::Initializing), NotApplied, NotApplied),
            (ExecutionError::LastAttemptError(RequestAttemptError::UnableToAllocStreamId), NotApplied, NotApplied),
            (db(DbError::IsBootstrapping), NotApplied, NotApplied),
            (rate_limit(true), NotApplied, NotApplied),
            (rate_limit(false), Unknown, Unknown),
            (unavailable(Consistency::Serial), NotApplied, NotApplied),
            (unavailable(Consistency::LocalSerial), NotApplied, NotApplied),
            (unavailable(Consistency::LocalQuorum), NotApplied, Unknown),
            (unavailable(Consistency::Quorum), NotApplied, Unknown),
            (write_timeout(WriteType::Cas), Unknown, Unknown),
            (write_timeout(WriteType::Simple), Unknown, Unknown),
            (write_failure(), Unknown, Unknown),
            (read_timeout(), Unknown, Unknown),
            (db(DbError::Overloaded), Unknown, Unknown),
            (db(DbError::ServerError), Unknown, Unknown),
            (db(DbError::TruncateError), Unknown, Unknown),
            (db(DbError::ProtocolError), Unknown, Unknown),
            (db(DbError::Other(0x9999)), Unknown, Unknown),
            (ExecutionError::RequestTimeout(Duration::from_secs(1)), Unknown, Unknown),
            (ExecutionError::LastAttemptError(RequestAttemptError::RepreparedIdMissingInBatch), Unknown, Unknown),
            (ExecutionError::LastAttemptError(RequestAttemptError::NonfinishedPagingState), Unknown, Unknown),
        ];
        for (error, plain, conditional) in table {
            assert_eq!(fate(Kind::Plain, &error), plain, "plain: {error:?}");
            assert_eq!(fate(Kind::Conditional, &error), conditional, "conditional: {error:?}");
        }
    }
}
