//! What of a journaled store can be set, and the bounds that hold unless it is.

use std::time::Duration;

/// How many bytes of committed groups may wait to be stored as rows before commits wait.
pub const LAG_BYTES_MAX: usize = 64 * 1024 * 1024;

/// How many committed groups may wait to be stored as rows before commits wait.
pub const LAG_ENTRIES_MAX: usize = 1024;

/// How long a commit waits for room before it is refused.
pub const BUSY_AFTER: Duration = Duration::from_secs(10);

/// How many bytes of committed groups the row writer merges into one batch, unless one group alone has more.
pub const ROW_BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How long the row writer lets groups gather before it stores them, unless a quarter of what it takes at once, or of
/// what may wait, is there before. Every batch of rows costs a sync, which commits feel.
pub const GATHER_ROWS: Duration = Duration::from_millis(25);

/// How many commits may wait for their turn. A committer sends one at a time; more are there only if it gave up on
/// earlier ones.
pub const WAITING_COMMITS_MAX: usize = 64;

/// How long a store is idle before it notes in its journal what has been stored.
pub const RELEASE_AFTER: Duration = Duration::from_secs(1);

/// How long the row writer waits before it tries again, after its first failure and at the most.
pub(super) const RETRY_AFTER: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// How often a drain asks its journal before it gives up, and how long it waits after its first try; then twice as long
/// after each. Commits wait meanwhile: 310 ms at the most.
pub(super) const DRAIN_TRIES: u32 = 6;
pub(super) const DRAIN_RETRY_AFTER: Duration = Duration::from_millis(10);

/// Settings of a [`Journaled`](super::Journaled) store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournaledOptions {
    /// [`LAG_BYTES_MAX`]
    pub lag_bytes_max: usize,
    /// [`LAG_ENTRIES_MAX`]. For a journal that is a ring: no more than it has slots.
    pub lag_entries_max: usize,
    /// [`BUSY_AFTER`]
    pub busy_after: Duration,
    /// [`ROW_BATCH_BYTES_MAX`]
    pub row_batch_bytes_max: usize,
    /// [`GATHER_ROWS`]
    pub gather_rows: Duration,
    /// Every stamp is above this, whatever the wall clock says.
    pub stamp_floor: u64,
}

impl Default for JournaledOptions {
    fn default() -> Self {
        JournaledOptions {
            lag_bytes_max: LAG_BYTES_MAX,
            lag_entries_max: LAG_ENTRIES_MAX,
            busy_after: BUSY_AFTER,
            row_batch_bytes_max: ROW_BATCH_BYTES_MAX,
            gather_rows: GATHER_ROWS,
            stamp_floor: 0,
        }
    }
}
