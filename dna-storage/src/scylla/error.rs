//! Why a store could not be reached, or its schema is not what it should be.

use std::{fmt, io, time::Duration};

use dna_core::{ErrorKind, Outcome, limits::CLOCK_OFFSET_MAX};
use scylla::errors::{ExecutionError, NewSessionError, PrepareError, SchemaAgreementError};

/// Why a [`Scylla`](super::Scylla) could not be connected, or a schema not be created.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScyllaError {
    /// None of the contact points answered.
    #[error("no session with {}: {reason}; see that the server runs, and that it listens there", contact_points.join(", "))]
    Connect {
        /// The contact points that were given.
        contact_points: Vec<String>,
        /// What the driver says.
        reason: DriverError,
    },
    /// None of the contact points answered in time.
    #[error("no session with {} within {timeout:?}; see that the server runs, and that it listens there", contact_points.join(", "))]
    ConnectTimeout {
        /// The contact points that were given.
        contact_points: Vec<String>,
        /// How long was waited.
        timeout: Duration,
    },
    /// The name of the keyspace could not stand in a statement without quotes.
    #[error("`{keyspace}` is no name for a keyspace: use 1 to 48 lower-case letters, digits and `_`, a letter first")]
    KeyspaceName {
        /// The name that was given.
        keyspace: String,
    },
    /// There is no such keyspace.
    #[error("there is no keyspace `{keyspace}`; create it, then its tables: {statement}")]
    NoKeyspace {
        /// The keyspace.
        keyspace: String,
        /// The statement to run.
        statement: String,
    },
    /// A table is missing, or another one than it should be.
    #[error("the table `{table}` {problem}; run: {statement}")]
    Schema {
        /// The table, with its keyspace.
        table: String,
        /// What is wrong with it.
        problem: SchemaProblem,
        /// The statement to run.
        statement: String,
    },
    /// The keyspace keeps its rows in tablets, for which this release of ScyllaDB has no lightweight transactions.
    #[error(
        "the keyspace `{keyspace}` uses tablets, for which this server has no lightweight transactions; use a newer \
         release, or create the keyspace anew: {statement}"
    )]
    Tablets {
        /// The keyspace.
        keyspace: String,
        /// The statement to run.
        statement: String,
    },
    /// The keyspace is replicated in several datacenters, and the consistency was not said.
    #[error(
        "the keyspace `{keyspace}` is replicated in several datacenters ({}): say which consistency to use, \
         `Consistency::Global`, or replicate it in one", datacenters.join(", ")
    )]
    ConsistencyNotSaid {
        /// The keyspace.
        keyspace: String,
        /// Where it is replicated.
        datacenters: Vec<String>,
    },
    /// Local consistency was asked for, and each datacenter would be a Paxos group of its own.
    #[error(
        "the keyspace `{keyspace}` is replicated in several datacenters ({}), where LOCAL_SERIAL does not exclude two \
         owners: use `Consistency::Global`, or replicate it in one", datacenters.join(", ")
    )]
    LocalConsistency {
        /// The keyspace.
        keyspace: String,
        /// Where it is replicated.
        datacenters: Vec<String>,
    },
    /// No node of the cluster is in the datacenter that was named.
    #[error("no node is in the datacenter `{datacenter}`; there are: {}", known.join(", "))]
    Datacenter {
        /// The datacenter that was named.
        datacenter: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// The cluster has several datacenters, and it was not said in which the keyspace is to be.
    #[error("the cluster has several datacenters, {}: say in which the keyspace is to be", known.join(", "))]
    DatacenterNotSaid {
        /// Those that there are.
        known: Vec<String>,
    },
    /// The clocks of this machine and of the database are too far apart.
    #[error(
        "the wall clock of this machine and that of the database are {} s apart, {} s at the most are allowed: \
         synchronise them",
        apart.as_secs(), CLOCK_OFFSET_MAX.as_secs()
    )]
    Clock {
        /// How far.
        apart: Duration,
    },
    /// A statement failed.
    #[error("`{statement}` failed: {reason}")]
    Statement {
        /// The statement.
        statement: String,
        /// What the driver says.
        reason: DriverError,
    },
    /// The nodes of the database did not agree on the new schema in time.
    #[error("the nodes of the database have not agreed on the schema: {reason}; see that all of them are up")]
    SchemaAgreement {
        /// What the driver says.
        reason: DriverError,
    },
    /// A thread could not be started.
    #[error("the thread of the heartbeats cannot be started: {0}")]
    Thread(#[from] io::Error),
    /// An answer of the database was none that the statement can have.
    #[error("the answer to `{statement}` cannot be read; is this a CQL database?")]
    Answer {
        /// The statement.
        statement: String,
    },
}

/// What is wrong with a table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaProblem {
    /// It is not there.
    Missing,
    /// It lacks a column.
    NoColumn {
        /// The column's name.
        column: String,
    },
    /// A column has another type.
    ColumnType {
        /// The column's name.
        column: String,
        /// Its type.
        found: String,
        /// The type that it should have.
        expected: &'static str,
    },
    /// It has another key.
    Key {
        /// Its key.
        found: String,
        /// The key that it should have.
        expected: String,
    },
}

impl fmt::Display for SchemaProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaProblem::Missing => f.write_str("is missing"),
            SchemaProblem::NoColumn { column } => write!(f, "has no column `{column}`"),
            SchemaProblem::ColumnType { column, found, expected } => {
                write!(f, "has a column `{column}` of type {found}, which should be {expected}")
            }
            SchemaProblem::Key { found, expected } => write!(f, "has the key {found}, which should be {expected}"),
        }
    }
}

/// What the driver reports.
#[derive(Debug, Clone, thiserror::Error)]
#[error(transparent)]
pub struct DriverError(Box<Reason>);

#[derive(Debug, Clone, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Session(NewSessionError),
    #[error(transparent)]
    Execution(ExecutionError),
    #[error(transparent)]
    Preparation(PrepareError),
    #[error(transparent)]
    Agreement(SchemaAgreementError),
}

macro_rules! from_driver {
    ($($error:ident => $reason:ident),*) => {
        $(
            impl From<$error> for DriverError {
                fn from(error: $error) -> Self {
                    DriverError(Box::new(Reason::$reason(error)))
                }
            }
        )*
    };
}

from_driver!(NewSessionError => Session, ExecutionError => Execution, PrepareError => Preparation,
    SchemaAgreementError => Agreement);

impl ScyllaError {
    /// Always `NotApplied`: no actor's rows were written. A schema may have been created in part; creating it again
    /// goes on where it ended.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotApplied
    }

    /// Whether the same may well succeed later, with nothing changed but the state of the servers.
    pub fn is_retryable(&self) -> bool {
        matches!(
            self,
            ScyllaError::Connect { .. }
                | ScyllaError::ConnectTimeout { .. }
                | ScyllaError::Statement { .. }
                | ScyllaError::SchemaAgreement { .. }
                | ScyllaError::Thread(_)
        )
    }

    pub(super) fn statement(statement: &str, reason: impl Into<DriverError>) -> Self {
        ScyllaError::Statement { statement: statement.to_owned(), reason: reason.into() }
    }

    pub(super) fn answer(statement: &str) -> Self {
        ScyllaError::Answer { statement: statement.to_owned() }
    }
}

impl From<ScyllaError> for dna_core::Error {
    fn from(error: ScyllaError) -> Self {
        dna_core::Error::with_kind(ErrorKind::Node, &error).with_retryable(error.is_retryable())
    }
}
