//! The store on local disk: a [`Journaled`](crate::journaled::Journaled) store over two fjall databases.
//!
//! ```text
//! cart.dna/
//!   LOCK       locked while the store is open
//!   FORMAT     what this directory is, and whether its creation was finished
//!   journal/   fjall: the entries that are not released, and one header
//!   rows/      fjall: the rows, and how far they have come
//! ```
//!
//! A commit is one synced batch in `journal/`, written by one thread; another thread writes `rows/`. An entry is removed
//! only after its rows are synced. This module owns the directory and both databases; it knows nothing of what is in an
//! entry or of how reads are merged.

mod database;
mod directory;
mod error;
#[cfg(feature = "testing")]
mod faults;
mod fjall_journal;
mod fjall_rows;
mod journal_files;
mod options;
mod space;
mod store;

#[cfg(feature = "testing")]
pub use self::faults::EmbeddedFaults;
pub use self::{
    directory::STORE_FORMAT,
    error::{Damage, DatabaseError, EmbeddedError},
    options::{Durability, EmbeddedOptions},
    space::FREE_BYTES_MIN,
    store::Embedded,
};
