//! Why an embedded store could not be opened.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use dna_core::{ErrorKind, Outcome};

use crate::journaled::RecoverError;

/// Why an embedded store could not be opened.
///
/// A directory that is in use, not a store, of a newer format, or that lacks a part, is not touched. In a store that is
/// found damaged only later, fjall may have tidied its own files; no row and no entry was written or removed by this crate.
///
/// Damage that looks like a write that was cut off cannot be told from one: if what is unreadable is the very last group
/// that was written, the store opens without it. With [`Durability::Buffered`](super::Durability::Buffered) that holds for
/// the groups behind something unreadable too.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// It is open already, here or in another process.
    #[error("the store at {path} is open already, in this process or another one; close it there first")]
    InUse {
        /// The store's directory.
        path: PathBuf,
    },
    /// The directory holds something else.
    #[error("{path} is not a store, and not empty; give the store a directory of its own")]
    NotAStore {
        /// The directory.
        path: PathBuf,
    },
    /// A newer release has written it.
    #[error("the store at {path} has format {found}, this release reads up to format {supported}; use a newer release")]
    Newer {
        /// The store's directory.
        path: PathBuf,
        /// The format that was found.
        found: u32,
        /// The highest format that is known.
        supported: u32,
    },
    /// What stands there is not what was written.
    #[error("the store at {path} is damaged: {damage}")]
    Damaged {
        /// The store's directory.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// One of its databases could not be created or opened, and not because it is damaged.
    #[error("the database `{folder}` of the store at {path} cannot be opened: {reason}; mend that, then try again")]
    Database {
        /// The store's directory.
        path: PathBuf,
        /// The folder of the database.
        folder: &'static str,
        /// What was reported.
        reason: DatabaseError,
    },
    /// The operating system reported an error.
    #[error("cannot {action} {path}: {source}; mend that, then try again")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What was reported.
        source: io::Error,
    },
}

/// What is wrong with a damaged store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The format marker cannot be read.
    #[error("its FORMAT file is not one; restore the store from a copy")]
    Marker,
    /// A part is missing.
    #[error("{part} is missing; restore the store from a copy")]
    Missing {
        /// The file or folder.
        part: PathBuf,
    },
    /// A database cannot be opened.
    #[error("its database `{folder}` cannot be opened ({reason}); restore the store from a copy")]
    Database {
        /// The folder of the database.
        folder: &'static str,
        /// What fjall reported.
        reason: DatabaseError,
    },
    /// A database lacks its header.
    #[error("its database `{folder}` lacks its header; restore the store from a copy")]
    Header {
        /// The folder of the database.
        folder: &'static str,
    },
    /// A file of the journal cannot be read from a point on, although whole groups stand behind it. Looked for with
    /// [`Durability::Fsync`](super::Durability::Fsync) only: with `Buffered`, a power failure may leave a file like this.
    #[error(
        "{file} cannot be read from byte {position} on, and there are groups behind it; restore the store from a copy, or, \
         if it was written with `Durability::Buffered` and lost power, open it with that, without the groups behind it"
    )]
    Hole {
        /// The file.
        file: PathBuf,
        /// Up to where it can be read.
        position: u64,
    },
    /// The journal ends too early.
    #[error("its journal should end with entry {expected} and ends with {found}; restore the store from a copy")]
    Tail {
        /// The number of the last entry, as the header has it.
        expected: u64,
        /// The number of the last entry that is there.
        found: u64,
    },
    /// The two databases are not of one time.
    #[error(
        "its rows hold the groups up to {applied}, its journal those from {done} to {head}; restore both from one copy"
    )]
    Apart {
        /// How far the rows have come.
        applied: u64,
        /// What the journal has released.
        done: u64,
        /// The journal's last entry.
        head: u64,
    },
    /// The journal's entries cannot be read.
    #[error("{0}")]
    Entries(#[from] RecoverError),
}

/// What the database underneath reported.
#[derive(Debug)]
pub struct DatabaseError(pub(super) Reason);

#[derive(Debug)]
pub(super) enum Reason {
    Reported(fjall::Error),
    /// It gave up with a panic, whose message is in the log.
    Panicked,
}

impl DatabaseError {
    /// Whether the operating system, and not what stands in the files, was what went wrong.
    pub(super) fn is_of_the_system(&self) -> bool {
        let error = match &self.0 {
            Reason::Reported(fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error))) => error,
            _ => return false,
        };
        !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::NotFound)
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Reported(error) => fmt::Display::fmt(error, f),
            Reason::Panicked => f.write_str("it gave up with a panic, see the log"),
        }
    }
}

impl std::error::Error for DatabaseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Reason::Reported(error) => Some(error),
            Reason::Panicked => None,
        }
    }
}

impl EmbeddedError {
    /// What was found wrong with the store in a directory.
    pub(super) fn damaged(path: &Path, damage: Damage) -> Self {
        let path = path.to_owned();
        match damage {
            Damage::Database { folder, reason } if reason.is_of_the_system() => {
                EmbeddedError::Database { path, folder, reason }
            }
            damage => EmbeddedError::Damaged { path, damage },
        }
    }
}

impl EmbeddedError {
    /// Always `NotApplied`: nothing that was committed has been changed.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotApplied
    }

    /// Whether the same store may well be opened later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, EmbeddedError::InUse { .. })
    }
}

impl From<EmbeddedError> for dna_core::Error {
    fn from(error: EmbeddedError) -> Self {
        dna_core::Error::with_kind(ErrorKind::Node, &error).with_retryable(error.is_retryable())
    }
}
