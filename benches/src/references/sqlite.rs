//! SQLite by hand, what a user would write instead: WAL, `synchronous=full` (`normal` where DNA does not sync either),
//! one prepared statement, 1,000 puts a transaction, one connection, in this process.

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use rusqlite::{Connection, params};

use super::{Shape, blocking};
use crate::{
    error::{Error, check_eq},
    keys::{Keys, VALUE},
    measure::Measured,
    store::name_of,
};

/// Puts of one transaction.
pub(crate) const TRANSACTION_PUTS: u64 = 1000;

/// Puts `puts` rows into a new database, and counts them afterwards.
pub(crate) async fn puts(path: PathBuf, synced: bool, shape: Shape, puts: u64) -> Result<Measured, Error> {
    blocking(move || {
        let mut database = open(&path, synced)?;
        let measured = insert(&mut database, shape.actors, puts, shape.keys)?;
        let rows = database.query_row("SELECT count(*) FROM rows", [], |row| row.get::<_, i64>(0))?;
        check_eq("rows of SQLite", u64::try_from(rows).unwrap_or_default(), puts)?;
        Ok(measured)
    })
    .await
}

/// Reads rows, one or many at a time, by one caller: `row` tells of each step the actor, the first key and how many.
pub(crate) async fn reads(
    path: PathBuf,
    synced: bool,
    actors: u64,
    rows: u64,
    (steps, each): (u64, u64),
    place: impl Fn(u64) -> (u64, u64) + Send + 'static,
) -> Result<Measured, Error> {
    blocking(move || {
        let mut database = open(&path, synced)?;
        insert(&mut database, actors, rows, Keys::InOrder)?;
        let names = (0..actors).map(name_of).collect::<Vec<_>>();
        let text = "SELECT key, value FROM rows WHERE actor = ?1 AND key >= ?2 ORDER BY key LIMIT ?3";
        let mut select = database.prepare(text)?;
        let start = Instant::now();
        let mut found = 0;
        for step in 0..steps {
            let (actor, key) = place(step);
            let name = usize::try_from(actor).ok().and_then(|actor| names.get(actor));
            let mut rows = select.query(params![name, signed(key), signed(each)])?;
            while let Some(row) = rows.next()? {
                row.get::<_, String>(1)?;
                found += 1;
            }
        }
        let elapsed = start.elapsed();
        check_eq("rows that SQLite read", found, steps * each)?;
        Ok(Measured { operations: steps, elapsed, ..Measured::default() })
    })
    .await
}

fn open(path: &Path, synced: bool) -> Result<Connection, Error> {
    let database = Connection::open(path)?;
    database.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    database.pragma_update(None, "synchronous", if synced { "FULL" } else { "NORMAL" })?;
    let table = "CREATE TABLE rows (actor TEXT NOT NULL, key INTEGER NOT NULL, value TEXT NOT NULL, \
                 PRIMARY KEY (actor, key)) WITHOUT ROWID";
    database.execute(table, [])?;
    Ok(database)
}

fn insert(database: &mut Connection, actors: u64, puts: u64, keys: Keys) -> Result<Measured, Error> {
    let names = (0..actors).map(name_of).collect::<Vec<_>>();
    let mut measured = Measured { operations: puts, ..Measured::default() };
    let start = Instant::now();
    let mut place = 0;
    while place < puts {
        let transaction = database.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT OR REPLACE INTO rows VALUES (?1, ?2, ?3)")?;
            for place in place..(place + TRANSACTION_PUTS).min(puts) {
                let name = usize::try_from(place % actors).ok().and_then(|actor| names.get(actor));
                insert.execute(params![name, signed(keys.at(place)), VALUE])?;
            }
        }
        transaction.commit()?;
        measured.groups += 1;
        place += TRANSACTION_PUTS;
    }
    measured.elapsed = start.elapsed();
    database.pragma_update_and_check(None, "wal_checkpoint", "TRUNCATE", |_| Ok(()))?;
    measured.stored = Some(start.elapsed());
    Ok(measured)
}

/// A key as SQLite has it: no two become one.
fn signed(key: u64) -> i64 {
    key.cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scattered_keys_stay_apart() {
        let folder = tempfile::tempdir().unwrap();
        let mut database = open(&folder.path().join("sqlite"), true).unwrap();
        insert(&mut database, 3, 2500, Keys::Scattered).unwrap();
        let rows = database.query_row("SELECT count(*) FROM rows", [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(rows, 2500);
        let full = database.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(full, 2, "synchronous is not FULL");
        let mode = database.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(mode, "wal");
    }
}
