//! What a store may answer beside `Ok`, and what each answer obliges both sides to.

use std::io;

use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;

/// Why a group was not committed. See [`Store::commit`](crate::Store::commit) for what each obliges to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Nothing of the group was or will be applied. The node goes on.
    #[error("the store did not take the group: {0}")]
    NotApplied(Refusal),
    /// No answer within the store's deadline. The same group is to be sent again.
    #[error("the store did not answer whether the group was committed")]
    Unknown,
    /// The claim of this committer is over. The node drops its actors.
    #[error("the store no longer takes this node's commits: another one has taken over")]
    Fenced,
    /// A write or fsync failed. This group is in doubt, everything behind it was not applied, the node stops.
    #[error("a write or fsync of the store failed; see its log, mend the disk, and open it again")]
    Poisoned,
    /// The store takes nothing any more since an earlier write or fsync failed. Nothing of this group was or will be
    /// applied; the node stops.
    #[error("the store takes nothing any more: an earlier write or fsync failed; mend the disk, and open it again")]
    Closed,
}

/// Why a store took nothing of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no room left.
    #[error("there is no room left on its device; make room, then try again")]
    Full,
    /// More waits to be stored than the store's bound allows.
    #[error("too much waits to be stored; try again later")]
    Busy,
    /// The store cannot be reached, or has no quorum.
    #[error("it is not available; try again later")]
    Unavailable,
    /// The store will never take a group like this one.
    #[error("it does not accept such a group")]
    Invalid,
}

/// Why a store could not be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// Another node of this process holds the claim.
    #[error("the store is in use by another node; shut that one down first, or give this one a store of its own")]
    InUse,
    /// A write or fsync failed earlier.
    #[error("a write or fsync of the store failed earlier; open it again")]
    Poisoned,
    /// Another one has taken over for good.
    #[error("the store has been taken over by another node; open it anew")]
    Fenced,
    /// The store could not be read.
    #[error("the store cannot be read: {0}")]
    Read(#[from] ReadError),
}

/// Why a read failed. A failed read has no effect, so trying again is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The store cannot be reached, or has no quorum. Worth another try.
    #[error("the store is not available; try again later")]
    Unavailable,
    /// The operating system reported an error. See the store's log.
    #[error("the store could not be read: {0}")]
    Io(io::ErrorKind),
    /// What stands in the store is not what was written.
    #[error("what stands in the store is damaged; restore it from a copy")]
    Corrupt,
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// The read did not come from a handler of the actor whose rows they are, so that no output gate would hold back
    /// what it shows. Read in the handler itself, not in a task that it spawns.
    #[error("a read outside of a handler of its actor; read in the handler itself, not in a task that it spawns")]
    OutsideHandler,
}

impl CommitError {
    /// What is known of the group's effect.
    pub fn outcome(&self) -> Outcome {
        match self {
            CommitError::NotApplied(_) | CommitError::Closed => Outcome::NotApplied,
            CommitError::Unknown | CommitError::Fenced | CommitError::Poisoned => Outcome::Unknown,
        }
    }

    /// Whether the same group may well be taken later.
    pub fn is_retryable(&self) -> bool {
        match self {
            CommitError::NotApplied(refusal) => refusal.is_retryable(),
            CommitError::Unknown => true,
            CommitError::Fenced | CommitError::Poisoned | CommitError::Closed => false,
        }
    }
}

impl Refusal {
    /// Whether what was refused may well be taken later.
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Refusal::Invalid)
    }
}

impl AttachError {
    /// Always `NotApplied`: nothing was claimed.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotApplied
    }

    /// Whether the same claim may well succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            AttachError::InUse => true,
            AttachError::Poisoned | AttachError::Fenced => false,
            AttachError::Read(error) => error.is_retryable(),
        }
    }
}

impl ReadError {
    /// Always `NotApplied`: a read has no effect.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotApplied
    }

    /// Whether the same read may well succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, ReadError::Unavailable)
    }
}
