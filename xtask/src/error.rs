//! What can keep a command from doing its work at all. A step that fails is no error: it is a result.

use std::{io, path::PathBuf};

use crate::scylla;

/// Why a command could not do its work, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A program could not be started.
    #[error("`{command}` could not be started: {source}; see that it is installed and on the PATH")]
    Start { command: String, source: io::Error },
    /// A program's output could not be read.
    #[error("the output of `{command}` could not be read: {source}; try again")]
    Output { command: String, source: io::Error },
    /// The workspace could not be read.
    #[error("the workspace cannot be read; `cargo metadata` says: {0}")]
    Metadata(#[from] cargo_metadata::Error),
    /// A file or directory could not be read.
    #[error("{} cannot be read: {source}; see that it exists and is readable", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A file or directory could not be written.
    #[error("{} cannot be written: {source}; see that there is room and that it may be written", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A tool is missing.
    #[error("`{tool}` is not installed; run `{remedy}`")]
    Missing { tool: &'static str, remedy: String },
    /// There is no such step.
    #[error("there is no step `{name}`; the steps are: {known}")]
    UnknownStep { name: String, known: String },
    /// A CQL server could not be started, asked or stopped.
    #[error(transparent)]
    Scylla(#[from] scylla::Error),
    /// There is no CQL server to test with.
    #[error(
        "the tests that need a CQL server were skipped, since there is none: {why}\nRun them with `cargo xtask test --cql` \
         where one can be started, or say where one is, `DNA_CQL=127.0.0.1:9042 cargo xtask test --cql`; `cargo xtask ci \
         --skip cql` leaves them out"
    )]
    NoServer { why: scylla::Error },
}
