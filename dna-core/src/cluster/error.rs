//! What a cluster store may answer beside `Ok`, and what a caller may conclude from it.

use super::{NodeId, Timestamp};
use crate::outcome::Outcome;

/// Why a cluster store did not do what it was asked, or does not know whether it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The database could not be reached, or had no quorum, before anything was done: nothing was applied and nothing
    /// will be. Worth another try. It says nothing of any node: a database that is away is no sign that a peer is dead.
    #[error("the database is not available; try again later")]
    Unavailable,
    /// No definite answer. What was asked may have been applied, or may still be, until something makes that
    /// impossible; each method says what does. Never the answer of a method that only reads.
    #[error("the database did not answer whether this was applied; ask again, as the method says")]
    Unknown,
    /// The database refuses the request and will refuse it again: a table is missing or differs, or a permission is. Nothing
    /// was applied.
    #[error("the database refuses this; see the log for its words, and check schema and permissions")]
    Rejected,
    /// What stands in the database is not what this release, or any, has written there.
    #[error("what stands in the database is damaged; see the log for where, and restore it from a copy")]
    Corrupt,
    /// The new view is larger than the register takes. Nothing was applied.
    #[error("the view has {bytes} bytes, at most {max} are allowed; have fewer nodes, shards or actor types")]
    ViewTooLarge {
        /// Its size in bytes.
        bytes: usize,
        /// The limit in bytes.
        max: usize,
    },
}

/// Why the journals of a node were not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenJournalsError {
    /// There is a journal of this node already, so that the id has been used before. Take a fresh one.
    #[error("there are journals of node {node} already; an id serves one start of one node: take a fresh one")]
    Exists {
        /// The node.
        node: NodeId,
    },
    /// So many journals cannot be opened for a node.
    #[error("{lanes} journals for one node; give it at least 1 and at most {max}")]
    Lanes {
        /// How many were asked for.
        lanes: u16,
        /// The most that can be.
        max: u16,
    },
    /// The wall clock of this machine is too far from the database's. No journal was opened.
    #[error("the wall clock here says {here}, that of the database {database}; set both by NTP, then try again")]
    ClockOffset {
        /// What the wall clock here said.
        here: Timestamp,
        /// What the database's said.
        database: Timestamp,
    },
    /// The timestamps of the cluster are too far ahead of the database's wall clock. No journal was opened.
    #[error("the cluster has used {floor} as timestamp, the database's clock says {database}; set that clock right")]
    FloorAhead {
        /// The floor that was asked for.
        floor: Timestamp,
        /// What the wall clock of the database said.
        database: Timestamp,
    },
    /// The database did not do it, or did not say so. After [`ClusterError::Unknown`] some of the journals may be there
    /// now or later: take a fresh id.
    #[error(transparent)]
    Store(#[from] ClusterError),
}

/// Why a node's journals were not sealed and replayed to the end.
///
/// Whatever it is, the node must not be swapped out of the view: what it has acknowledged may not be in the rows. Any
/// part may have been done, and all of it may be done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// There is no such journal. A member's journals are there before it joins and stay for ever, so that this is an
    /// alarm, never "nothing to replay": rows may be lost.
    #[error("node {node} has no journal {lane}, though members have theirs for ever; restore it from a copy")]
    MissingJournal {
        /// The node.
        node: NodeId,
        /// Which of its journals.
        lane: u16,
    },
    /// An entry that is to be replayed cannot be read.
    #[error("entry {number} of journal {lane} of node {node} cannot be read: {problem}")]
    Entry {
        /// The node.
        node: NodeId,
        /// Which of its journals.
        lane: u16,
        /// The number of the entry.
        number: u64,
        /// What is wrong with it.
        problem: EntryProblem,
    },
    /// The database did not do it all, or did not say so. Ask again.
    #[error(transparent)]
    Store(#[from] ClusterError),
}

/// Why an entry of a journal cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryProblem {
    /// A newer release has written it. A node of that release can replay it.
    #[error("it has format {found}, this release reads up to {supported}; let a node of a newer release take over")]
    Newer {
        /// The format that was found.
        found: u8,
        /// The highest format that is known.
        supported: u8,
    },
    /// It is missing where it should stand, or is not what was written.
    #[error("it is damaged or not there; restore it from a copy")]
    Damaged,
}

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

impl ClusterError {
    /// What is known of the effect of what was asked.
    pub fn outcome(&self) -> Outcome {
        match self {
            ClusterError::Unavailable
            | ClusterError::Rejected
            | ClusterError::Corrupt
            | ClusterError::ViewTooLarge { .. } => Outcome::NotApplied,
            ClusterError::Unknown => Outcome::Unknown,
        }
    }

    /// Whether the same may well succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, ClusterError::Unavailable | ClusterError::Unknown)
    }
}

impl OpenJournalsError {
    /// What is known of the effect: whether any of the journals may be there because of this call.
    pub fn outcome(&self) -> Outcome {
        match self {
            OpenJournalsError::Store(error) => error.outcome(),
            _ => Outcome::NotApplied,
        }
    }

    /// Whether the same may well succeed later, under a fresh id where this one may have been used.
    pub fn is_retryable(&self) -> bool {
        match self {
            OpenJournalsError::Exists { .. }
            | OpenJournalsError::ClockOffset { .. }
            | OpenJournalsError::FloorAhead { .. } => true,
            OpenJournalsError::Lanes { .. } => false,
            OpenJournalsError::Store(error) => error.is_retryable(),
        }
    }
}

impl SealError {
    /// Always `Unknown`: some journals may be sealed, and some entries replayed, before it was met.
    pub fn outcome(&self) -> Outcome {
        Outcome::Unknown
    }

    /// Whether the same may well succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            SealError::Store(error) => error.is_retryable(),
            SealError::MissingJournal { .. } | SealError::Entry { .. } => false,
        }
    }
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
