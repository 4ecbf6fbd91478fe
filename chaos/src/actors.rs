//! An actor that keeps what it was sent, in the order of its handling. The other one is the register of the tests.

use dna::{Kv, Value};

/// What it was sent: by which handle, and which of that handle's messages.
pub(crate) struct Trail {
    lines: Kv<u64, (String, u64)>,
    stored: Value<u64>,
    count: u64,
}

/// How many lines are read at a time.
pub(crate) const PAGE: usize = 500;

#[dna::actor(vis = pub(crate))]
impl Trail {
    async fn init(ctx: dna::Context) -> dna::Result<Self> {
        let stored = ctx.open::<Value<u64>>("count")?;
        let count = stored.get().await?.unwrap_or_default();
        Ok(Trail { lines: ctx.open("lines")?, stored, count })
    }

    pub async fn append(&mut self, handle: String, number: u64) -> u64 {
        self.lines.put(self.count, (handle, number));
        self.count += 1;
        self.stored.set(self.count);
        self.count
    }

    /// The lines from this one on, as many as are read at a time.
    pub async fn page(&self, from: u64) -> dna::Result<Vec<(String, u64)>> {
        let page = self.lines.list().start(from).limit(PAGE).await?;
        Ok(page.into_iter().map(|(_, line)| line).collect())
    }
}
