//! The bounds of the storage modules, each with its unit in its name.

/// How many rows a list reads at once. A longer list reads page after page, so that no single read is unbounded.
pub const LIST_PAGE_ROWS: usize = 512;

/// How many reads of one `get_many` are under way at once.
pub const GET_MANY_READS_MAX: usize = 16;

/// What a thread keeps of its encoding buffer after a large key or value, in bytes.
pub const SCRATCH_KEPT_BYTES_MAX: usize = 64 * 1024;

/// Up to how many bytes, together, a value lies in one allocation with its key. A key outlives its value in the cache, and
/// a value may outlive its key, and either keeps that allocation: large ones have one of their own.
pub const PAIR_BYTES_MAX: usize = 104;
