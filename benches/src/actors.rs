//! The actors under test: one with rows, one without.

use dna::prelude::*;

/// The module that a [`Table`] keeps its rows in.
pub(crate) const ROWS: &str = "rows";

/// Keeps rows of key → text.
pub(crate) struct Table {
    rows: Kv<u64, String>,
    handled: u64,
}

#[dna::actor]
impl Table {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Table { rows: ctx.open(ROWS)?, handled: 0 })
    }

    /// One durable put.
    pub async fn put(&mut self, key: u64, value: String) {
        self.handled += 1;
        self.rows.put(key, value);
    }

    /// One durable put, answered with how many this activation has handled.
    pub async fn put_last(&mut self, key: u64, value: String) -> u64 {
        self.handled += 1;
        self.rows.put(key, value);
        self.handled
    }

    /// Reads one row.
    pub async fn get(&self, key: u64) -> dna::Result<Option<String>> {
        self.rows.get(key).await
    }

    /// Reads rows from `start` on.
    pub async fn list(&self, start: u64, limit: u32) -> dna::Result<Vec<(u64, String)>> {
        self.rows.list().start(start).limit(usize::try_from(limit).unwrap_or(usize::MAX)).await
    }
}

/// Keeps a number in memory and touches no storage.
pub(crate) struct Counter {
    total: u64,
}

#[dna::actor]
impl Counter {
    async fn init(_ctx: Context) -> dna::Result<Self> {
        Ok(Counter { total: 0 })
    }

    /// Changes the number.
    pub async fn add(&mut self, amount: u64) -> u64 {
        self.total += amount;
        self.total
    }

    /// Reads the number.
    pub async fn total(&self, plus: u64) -> u64 {
        self.total + plus
    }
}
