//! How far the rows of a store are behind its journal.

use std::time::Duration;

/// What a store has committed and not yet stored as rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowsWaiting {
    /// What it holds in memory, in bytes.
    pub bytes: usize,
    /// Puts, deletes and range deletes.
    pub operations: usize,
    /// How long ago the oldest of it was committed; zero where nothing waits.
    pub age: Duration,
}

impl RowsWaiting {
    /// This and that together: the age is that of the older one.
    #[must_use]
    pub fn and(self, other: RowsWaiting) -> Self {
        RowsWaiting {
            bytes: self.bytes + other.bytes,
            operations: self.operations + other.operations,
            age: self.age.max(other.age),
        }
    }
}
