//! A handler's catch-all error.

use std::{fmt, io};

use serde::{Deserialize, Serialize};

use crate::{
    call_error::CallError, context::OpenError, name::NameError, outcome::Outcome, store::ReadError,
    write_error::WriteError,
};

/// `Result` with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The error of a handler that has no error type of its own.
///
/// It takes `?` from storage, from calls to other actors and from I/O, and can be sent to another node: it keeps the
/// message, the [kind](Error::kind), the [outcome](Error::outcome) and whether a retry is worth it, not the source.
/// A handler with errors that its callers tell apart declares an enum of its own instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    outcome: Outcome,
    retryable: bool,
}

/// Where an [`Error`] comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The application itself: [`Error::new`].
    Application,
    /// A storage module.
    Storage,
    /// A call to another actor.
    Call,
    /// The node: starting it, stopping it, opening its store.
    Node,
}

impl Error {
    /// An error of the application, with anything that can be printed as its message.
    pub fn new(message: impl fmt::Display) -> Self {
        Error::with_kind(ErrorKind::Application, message)
    }

    /// An error of the given kind, whose operation had no effect and is not worth repeating unchanged.
    pub fn with_kind(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Error { kind, message: message.to_string(), outcome: Outcome::NotApplied, retryable: false }
    }

    /// The same error with what is known of its operation's effect.
    #[must_use]
    pub fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// The same error, marked as worth another try or not.
    #[must_use]
    pub fn with_retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// Where the error comes from.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What is known of the effect of the operation that failed: a call's own [`outcome`](CallError::outcome),
    /// [`Outcome::NotApplied`] for everything else. What the handler's *caller* may conclude is the outcome of its own
    /// call, not this.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the operation that failed is worth trying again, unchanged.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl<E: fmt::Display> From<CallError<E>> for Error {
    fn from(error: CallError<E>) -> Self {
        Error::with_kind(ErrorKind::Call, &error).with_outcome(error.outcome()).with_retryable(error.is_retryable())
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        Error::with_kind(ErrorKind::Storage, error).with_retryable(error.is_retryable())
    }
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        Error::with_kind(ErrorKind::Storage, error)
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        Error::with_kind(ErrorKind::Storage, error)
    }
}

impl From<NameError> for Error {
    fn from(error: NameError) -> Self {
        Error::with_kind(ErrorKind::Application, error)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Error::with_kind(ErrorKind::Application, error)
    }
}
