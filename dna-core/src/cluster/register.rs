//! What the view register holds, and what became of a swap.

use bytes::Bytes;

/// What stands in the view register. Its bytes are the business of whoever swaps them in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ViewRegister {
    /// How many swaps there have been; 0 if there was none yet.
    pub version: u64,
    /// What the last of them has put there; empty if there was none yet.
    pub bytes: Bytes,
}

/// What became of a swap of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Swap {
    /// It is in: the register's version was the one expected, and now is one more.
    Done,
    /// This request changed nothing and never will.
    ///
    /// That says nothing of an earlier request with the same bytes that was answered
    /// [`Unknown`](super::ClusterError::Unknown): it may be the one that is in. Read the view to see.
    Lost {
        /// The version that stood there instead; 0 if there was none.
        current: u64,
    },
}
