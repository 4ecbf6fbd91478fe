//! Why a drain did not reach its end.

use dna_core::Outcome;

/// Why what was committed is not known to be stored as rows and released in the journal. It stays committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DrainError {
    /// The store is poisoned or closed. Open it again; what was committed is stored then.
    #[error("a write or fsync of the store failed; see its log, mend the disk, and open it again")]
    Poisoned,
    /// The journal belongs to another one, who stores what was committed.
    #[error("the journal is sealed: another node has taken over")]
    Fenced,
    /// The journal has not said whether a group that it was given is in, and releases nothing until then.
    #[error("the journal did not answer whether a group was appended; try again later")]
    InDoubt,
    /// Everything is stored as rows, but the journal cannot note it at present.
    #[error("the journal is not available; try again later")]
    Unavailable,
}

impl DrainError {
    /// Always `NotApplied`: waiting changes nothing. What was committed stays committed.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotApplied
    }

    /// Whether the same drain may well succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            DrainError::Poisoned | DrainError::Fenced => false,
            DrainError::InDoubt | DrainError::Unavailable => true,
        }
    }
}
