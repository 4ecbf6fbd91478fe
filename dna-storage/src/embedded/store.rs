//! The handle of an embedded store.

use std::{fmt, path::Path, sync::Arc};

use bytes::Bytes;
use dna_core::{ActorName, AttachError, CommitError, Group, KeyRange, ReadError, RowsWaiting, Store};
use futures_util::future::BoxFuture;

#[cfg(feature = "testing")]
use super::faults::EmbeddedFaults;
use super::{
    database::{Db, Shape},
    directory::Directory,
    error::{Damage, DatabaseError, EmbeddedError},
    fjall_journal::{self, FjallJournal},
    fjall_rows::{self, FjallRows},
    journal_files::{Hole, find_hole},
    options::{Durability, EmbeddedOptions},
    space::Space,
};
use crate::journaled::{DrainError, Host, HybridClock, Journaled, JournaledStats};

/// A store in a directory of the local disk. A clone is the same store.
///
/// It has two threads of its own, one that commits and one that stores rows. When the last handle is dropped, what has
/// been handed over is committed, the threads end, and the directory can be opened again; that may take as long as the
/// write that is under way.
///
/// ```
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("cart.dna");
/// use dna_storage::{Durability, Embedded};
///
/// let store = Embedded::open(&path)?;
/// # drop(store);
/// let faster = Embedded::options().durability(Durability::Buffered).open(&path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Embedded(Arc<Inner>);

struct Inner {
    // In this order: the databases are closed before the directory is given free.
    store: Journaled<FjallJournal, FjallRows>,
    _directory: Directory,
    #[cfg(feature = "testing")]
    faults: EmbeddedFaults,
}

impl Embedded {
    /// Opens the store in a directory, which is created if it is not there, with [`Durability::Fsync`](super::Durability).
    ///
    /// Blocks until what the journal holds is read; needs no async runtime.
    ///
    /// # Errors
    /// [`EmbeddedError`]
    pub fn open(path: impl AsRef<Path>) -> Result<Self, EmbeddedError> {
        Embedded::options().open(path)
    }

    /// Settings, to be changed and opened.
    pub fn options() -> EmbeddedOptions {
        EmbeddedOptions::default()
    }

    pub(super) fn open_with(path: &Path, options: EmbeddedOptions) -> Result<Self, EmbeddedError> {
        #[cfg(feature = "testing")]
        let faults = EmbeddedFaults::default();
        let directory = Directory::open(path, create)?;
        let damaged = |damage| EmbeddedError::damaged(path, damage);
        for shape in [fjall_journal::SHAPE, fjall_rows::SHAPE] {
            Db::check(path, shape).map_err(damaged)?;
        }
        if options.durability == Durability::Fsync {
            // fjall would cut the journal there.
            check_journal_files(path)?;
        }
        let journal = Db::open(path, fjall_journal::SHAPE).map_err(damaged)?;
        let rows = FjallRows::new(Db::open(path, fjall_rows::SHAPE).map_err(damaged)?);
        let journal = FjallJournal::new(
            journal,
            options.durability,
            Space::new(
                path,
                options.free_bytes_min,
                #[cfg(feature = "testing")]
                faults.clone(),
            ),
            #[cfg(feature = "testing")]
            faults.clone(),
        );
        let store = start(journal.map_err(damaged)?, rows, options).map_err(damaged)?;
        Ok(Embedded(Arc::new(Inner {
            store,
            _directory: directory,
            #[cfg(feature = "testing")]
            faults,
        })))
    }

    /// Waits until everything that was committed before is stored as rows and released in the journal.
    ///
    /// # Errors
    /// [`DrainError`] if that will not happen any more, or not now.
    ///
    /// # Cancel safety
    /// Safe: waiting changes nothing.
    pub async fn drain(&self) -> Result<(), DrainError> {
        self.0.store.drain().await
    }

    /// What has been counted.
    pub fn stats(&self) -> JournaledStats {
        self.0.store.stats()
    }

    /// What can be made to go wrong, and what has been counted.
    #[cfg(feature = "testing")]
    pub fn faults(&self) -> &EmbeddedFaults {
        &self.0.faults
    }
}

/// Checks that no group of the journal was damaged after it was synced, as far as that can be told. Touches nothing.
fn check_journal_files(path: &Path) -> Result<(), EmbeddedError> {
    let folder = path.join(fjall_journal::SHAPE.folder);
    match find_hole(&folder) {
        Ok(None) => Ok(()),
        Ok(Some(Hole { file, position })) => Err(EmbeddedError::damaged(path, Damage::Hole { file, position })),
        Err(source) => Err(EmbeddedError::Io { action: "read", path: folder, source }),
    }
}

/// Checks that the two databases are of one time and whole, then starts the store over them.
fn start(
    journal: FjallJournal,
    rows: FjallRows,
    options: EmbeddedOptions,
) -> Result<Journaled<FjallJournal, FjallRows>, Damage> {
    let (done, head) = journal.header();
    let applied = rows.applied()?;
    if applied < done || applied > head {
        return Err(Damage::Apart { applied, done, head });
    }
    let database = |error| Damage::Database {
        folder: fjall_journal::SHAPE.folder,
        reason: DatabaseError(super::error::Reason::Reported(error)),
    };
    let recovered = journal.contents().map_err(database)?;
    let last = recovered.entries.last().map_or(done, |(number, _)| *number);
    if last != head {
        return Err(Damage::Tail { expected: head, found: last });
    }
    let clock = Arc::new(HybridClock::above(options.journaled.stamp_floor));
    Ok(Journaled::start(journal, rows, Host::Threads, options.journaled, &recovered, clock)?)
}

fn create(path: &Path) -> Result<(), EmbeddedError> {
    let make = |shape: Shape, key: &[u8], value: &[u8]| {
        Db::create(path, shape, key, value).map_err(|reason| EmbeddedError::Database {
            path: path.to_owned(),
            folder: shape.folder,
            reason,
        })
    };
    make(fjall_journal::SHAPE, fjall_journal::HEADER, &fjall_journal::NEW_HEADER)?;
    make(fjall_rows::SHAPE, fjall_rows::APPLIED, &fjall_rows::NEW_APPLIED)
}

impl Store for Embedded {
    fn attach(&self) -> BoxFuture<'_, Result<u64, AttachError>> {
        self.0.store.attach()
    }

    fn detach(&self) {
        self.0.store.detach();
    }

    fn commit(&self, group: Arc<Group>) -> BoxFuture<'_, Result<(), CommitError>> {
        self.0.store.commit(group)
    }

    fn get<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        key: &'a [u8],
    ) -> BoxFuture<'a, Result<Option<Bytes>, ReadError>> {
        self.0.store.get(actor, module, key)
    }

    fn scan<'a>(
        &'a self,
        actor: &'a ActorName,
        module: &'a str,
        range: &'a KeyRange,
        limit: usize,
        reverse: bool,
    ) -> BoxFuture<'a, Result<Vec<(Bytes, Bytes)>, ReadError>> {
        self.0.store.scan(actor, module, range, limit, reverse)
    }

    fn rows_waiting(&self) -> RowsWaiting {
        self.0.store.rows_waiting()
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}
