//! One fjall database with one keyspace: how it is made, opened without being half repaired, and what its errors mean.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use dna_core::ReadError;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::error::{Damage, DatabaseError, Reason};

/// The one keyspace of a database. More than one would let an idle one pin the journals of the others.
const KEYSPACE: &str = "main";

/// What the write-ahead files of one database may take, in bytes; fjall accepts no less.
const JOURNALING_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What of a database's folder is there from its creation on. fjall would make anew, empty, what is missing.
const PARTS: [&str; 3] = ["version", "keyspaces/0/current", "keyspaces/1/current"];

/// A database and its keyspace. Nothing is written behind its back: what is to be durable is persisted by hand.
pub(super) struct Db {
    pub(super) database: Database,
    pub(super) keyspace: Keyspace,
}

/// How a database is to be used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    pub(super) folder: &'static str,
    pub(super) cache_bytes: u64,
    pub(super) workers: usize,
}

impl Db {
    /// Makes a database in a folder that is not there, with one first row.
    pub(super) fn create(store: &Path, shape: Shape, key: &[u8], value: &[u8]) -> Result<(), DatabaseError> {
        let db = open(store, shape)?;
        let write = || {
            db.keyspace.insert(key, value)?;
            db.database.persist(PersistMode::SyncAll)
        };
        write().map_err(reported)
    }

    /// Whether everything is there that was made with a database. Touches nothing.
    pub(super) fn check(store: &Path, shape: Shape) -> Result<(), Damage> {
        let folder = store.join(shape.folder);
        if let Some(part) = PARTS.iter().find(|part| !folder.join(part).is_file()) {
            return Err(Damage::Missing { part: Path::new(shape.folder).join(part) });
        }
        let has_journal = fs::read_dir(&folder).is_ok_and(|mut entries| {
            entries.any(|entry| entry.is_ok_and(|entry| entry.path().extension().is_some_and(|ext| ext == "jnl")))
        });
        if !has_journal {
            return Err(Damage::Missing { part: Path::new(shape.folder).join("*.jnl") });
        }
        Ok(())
    }

    /// Opens a database that was made before and [checked](Db::check).
    pub(super) fn open(store: &Path, shape: Shape) -> Result<Self, Damage> {
        open(store, shape).map_err(|reason| Damage::Database { folder: shape.folder, reason })
    }
}

fn open(store: &Path, shape: Shape) -> Result<Db, DatabaseError> {
    let open = || {
        let database = Database::builder(store.join(shape.folder))
            .manual_journal_persist(true)
            .max_journaling_size(JOURNALING_BYTES_MAX)
            .cache_size(shape.cache_bytes)
            .worker_threads(shape.workers)
            .open()?;
        let keyspace = database.keyspace(KEYSPACE, || KeyspaceCreateOptions::default().manual_journal_persist(true))?;
        Ok(Db { database, keyspace })
    };
    // It asserts here and there what damage makes untrue.
    catch_unwind(AssertUnwindSafe(open)).map_err(|_| DatabaseError(Reason::Panicked))?.map_err(reported)
}

fn reported(error: fjall::Error) -> DatabaseError {
    DatabaseError(Reason::Reported(error))
}

/// What a failed read means to whoever asked.
pub(super) fn read_error(error: &fjall::Error) -> ReadError {
    tracing::error!(%error, "a read of the store failed");
    match error {
        fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => ReadError::Io(error.kind()),
        _ => ReadError::Corrupt,
    }
}
