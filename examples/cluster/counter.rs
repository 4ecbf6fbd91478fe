//! The actor: a count that a crash does not lose.

use dna::prelude::*;

/// A count under a name.
pub(crate) struct Counter {
    count: Value<u64>,
}

#[dna::actor]
impl Counter {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Counter { count: ctx.open("count")? })
    }

    /// Counts one more. When this is answered `Ok`, it is durable.
    pub async fn add(&mut self) -> dna::Result<u64> {
        let count = self.count.get().await?.unwrap_or_default() + 1;
        self.count.set(count);
        Ok(count)
    }

    /// What has been counted.
    pub async fn count(&self) -> dna::Result<u64> {
        Ok(self.count.get().await?.unwrap_or_default())
    }
}
