//! What can end a run. A figure that is bad is no error; a count that is wrong is.

use std::{io, path::PathBuf};

/// Why a run ended before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// A child process could not be run, or did not say what it should.
    #[error("the child process: {0}")]
    Child(String),
    /// The store under test could not be opened.
    #[error(transparent)]
    Open(#[from] dna::EmbeddedError),
    /// The node could not be started.
    #[error(transparent)]
    Start(#[from] dna::StartError),
    /// The node could not be shut down.
    #[error(transparent)]
    Shutdown(#[from] dna::ShutdownError),
    /// A call failed.
    #[error("a call failed: {0}")]
    Call(#[from] dna::CallError),
    /// A call to a handler that can fail failed.
    #[error("a call failed: {0}")]
    Handler(#[from] dna::CallError<dna::Error>),
    /// The store could not be claimed.
    #[error(transparent)]
    Attach(#[from] dna::AttachError),
    /// The store refused a group.
    #[error(transparent)]
    Commit(#[from] dna::CommitError),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] dna::ReadError),
    /// A name was not one.
    #[error(transparent)]
    Name(#[from] dna::NameError),
    /// The rows could not be stored.
    #[error("the rows were not stored: {0}")]
    Drain(String),
    /// The CQL store could not be opened.
    #[error(transparent)]
    Scylla(#[from] dna_storage::ScyllaError),
    /// The journals of the CQL store could not be opened.
    #[error(transparent)]
    Journals(#[from] dna_core::OpenJournalsError),
    /// A statement of a reference, or one that counts, failed.
    #[error("{what}: {reason}")]
    Cql { what: &'static str, reason: String },
    /// A workload that the store does not have.
    #[error("workload {0} does not run on `--store scylla`; 1, 2, 3 and 5 do")]
    NoWorkload(u8),
    /// A workload of several nodes, and only one node.
    #[error("workload {0} goes with `--cluster`, and 9 to 12 are what runs there")]
    NoClusterWorkload(u8),
    /// Sockets failed, of a reference.
    #[error("a socket: {0}")]
    Socket(#[from] io::Error),
    /// Bytes between the ends of a reference are not what they should be.
    #[error("a reference cannot read what it was sent: {0}")]
    Wire(String),
    /// A load for so long that the store does not have.
    #[error("`--soak` goes with `--store scylla`")]
    NoSoak,
    /// SQLite failed.
    #[error("SQLite: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A file of figures could not be read.
    #[error("{}: {source}; give a file that `--json` has written", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    /// The other end of a channel is gone.
    #[error("a reference ended early: {0}")]
    Gone(&'static str),
    /// A task panicked.
    #[error("a task ended early: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// A count that is written down is not what was read back.
    #[error("invariant broken: {0}")]
    Invariant(String),
}

impl Error {
    /// Says what of the database failed.
    pub(crate) fn cql<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Error::Cql { what, reason: error.to_string() }
    }

    /// Names the file of an error of the operating system.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Error::File { path, source }
    }
}

/// Fails the run where a count is not what it must be.
pub(crate) fn check_eq(what: &str, found: u64, expected: u64) -> Result<(), Error> {
    if found == expected {
        return Ok(());
    }
    Err(Error::Invariant(format!("{what}: {found} where {expected} were expected")))
}
