//! A keyspace of one contender in one round, and what is counted in it past the store.

use std::time::Duration;

use dna_storage::ScyllaConfig;
use scylla::response::{PagingState, query_result::QueryRowsResult};

use super::server::Server;
use crate::error::{Error, check_eq};

/// Connecting comes right behind the creation of tables, which can take its time on a loaded machine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// How many rows a count reads at once.
const PAGE_ROWS: i32 = 10_000;

/// How many slots are read at once: each has a group of up to 1 MiB and its names.
const PAGE_SLOTS: i32 = 16;

/// How many slots a journal has.
pub(super) const SLOTS_MAX: u64 = 256;

/// A keyspace. It is dropped by [`end`](Space::end), or with the run.
#[derive(Debug)]
pub(super) struct Space<'a> {
    pub(super) server: &'a Server,
    pub(super) name: String,
}

/// What a journal holds in the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) slots: u64,
    pub(super) bytes: u64,
}

impl Space<'_> {
    pub(super) fn config(&self) -> ScyllaConfig {
        ScyllaConfig::new([self.server.contact.as_str()], &self.name).connect_timeout(CONNECT_TIMEOUT)
    }

    /// How many rows all actors have in the database.
    pub(super) async fn rows(&self) -> Result<u64, Error> {
        let mut rows = 0;
        self.pages("SELECT key FROM", "actor", PAGE_ROWS, |page| {
            rows += u64::try_from(page.rows_num()).unwrap_or(u64::MAX);
            Ok(())
        })
        .await?;
        Ok(rows)
    }

    /// What each journal holds that has an entry.
    pub(super) async fn journals(&self) -> Result<Vec<Held>, Error> {
        let mut held = Vec::<(scylla::value::CqlValue, Held)>::new();
        self.pages("SELECT node, slot, data FROM", "journal", PAGE_SLOTS, |page| {
            let rows = page.rows::<(scylla::value::CqlValue, i32, Option<&[u8]>)>();
            for row in rows.map_err(Error::cql("the slots of a journal"))? {
                let (node, slot, data) = row.map_err(Error::cql("a slot of a journal"))?;
                if slot < 0 {
                    continue;
                }
                if held.last().is_none_or(|(last, _)| *last != node) {
                    held.push((node, Held::default()));
                }
                if let Some((_, held)) = held.last_mut() {
                    held.slots += 1;
                    held.bytes += data.map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
                }
            }
            Ok(())
        })
        .await?;
        Ok(held.into_iter().map(|(_, held)| held).collect())
    }

    async fn pages(
        &self,
        select: &str,
        table: &str,
        page_rows: i32,
        mut take: impl FnMut(&QueryRowsResult) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let session = &self.server.session;
        let statement = session.prepare(format!("{select} {}.{table}", self.name)).await;
        let mut statement = statement.map_err(Error::cql("a count could not be prepared"))?;
        statement.set_page_size(page_rows);
        let mut state = PagingState::start();
        loop {
            let page = session.execute_single_page(&statement, &[], state).await;
            let (page, next) = page.map_err(Error::cql("a count failed"))?;
            take(&page.into_rows_result().map_err(Error::cql("a count failed"))?)?;
            match next.into_paging_control_flow() {
                std::ops::ControlFlow::Break(()) => return Ok(()),
                std::ops::ControlFlow::Continue(next) => state = next,
            }
        }
    }

    /// Sees that the database has as many rows as were written, and that no journal has grown; drops the keyspace.
    pub(super) async fn end(self, what: &str, rows: u64) -> Result<(), Error> {
        check_eq(&format!("rows in the database of {what}"), self.rows().await?, rows)?;
        let slots = self.journals().await?.iter().map(|held| held.slots).max().unwrap_or_default();
        if slots > SLOTS_MAX {
            return Err(Error::Invariant(format!("{what}: a journal has {slots} slots, more than {SLOTS_MAX}")));
        }
        self.server.drop_keyspace(&self.name).await
    }
}
