//! A store made of a journal and rows, generic over both.
//!
//! ```text
//!            commit                                       get, scan
//!               |                                             |
//!               v                                             v
//!   commit loop --append--> Journal               overlay (not stored yet)
//!               |                                             over
//!               '--push--> overlay --merge--> Rows <---- rows
//!                                    row writer
//! ```
//!
//! [`Journal`] and [`Rows`] say what an instance owes; this module owns everything between them: the entry format, the
//! claim and the numbers, the overlay, the merged reads, the row writer with its bound, and the replay. It knows
//! nothing of files, databases or the network.
//!
//! Invariant: a group is visible to reads from before its commit is answered until its rows are stored, in the overlay,
//! and from before it leaves the overlay, in the rows.

mod batch;
mod clock;
mod committer;
mod entry;
mod host;
mod journal;
mod options;
mod overlay;
#[cfg(feature = "scylla")]
mod replay;
mod row_key;
mod row_writer;
mod rows;
mod run;
mod scan;
mod shared;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod wire;

#[cfg(any(feature = "embedded", feature = "scylla"))]
pub(crate) use self::clock::HybridClock;
#[cfg(feature = "scylla")]
pub(crate) use self::{
    clock::wall_micros,
    host::{Worker, pause, timer, within},
    replay::{Replay, decode_entry},
};
pub use dna_core::DrainError;

pub use self::{
    batch::{RangeDelete, RowBatch, RowWrite},
    entry::{ENTRY_FORMAT, EntryError},
    host::Host,
    journal::{AppendError, FenceError, Journal, Recovered, UpkeepError},
    options::{
        BUSY_AFTER, GATHER_ROWS, JournaledOptions, LAG_BYTES_MAX, LAG_ENTRIES_MAX, RELEASE_AFTER, ROW_BATCH_BYTES_MAX,
        WAITING_COMMITS_MAX,
    },
    row_key::{Place, RowKey, RowParts, RowRange},
    rows::Rows,
    store::{Journaled, JournaledStats, RecoverError},
};
