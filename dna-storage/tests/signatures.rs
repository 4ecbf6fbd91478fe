//! What a user may write: that it compiles is the test. Nothing here is run; behaviour is tested elsewhere.

#![allow(dead_code, reason = "only compiled")]
#![allow(clippy::needless_borrows_for_generic_args, reason = "a user may borrow what is `Copy`, too")]

use std::collections::BTreeMap;

use bytes::Bytes;
use dna_core::Result;
use dna_storage::{Kv, Value};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Note {
    text: String,
}

struct Actor {
    lines: Kv<String, u32>,
    notes: Kv<(String, u64), Note>,
    scores: Kv<i64, Option<String>>,
    blobs: Kv<Vec<u8>, Bytes>,
    grid: Kv<(u8, i16, char), Vec<u32>>,
    ids: Kv<[u8; 16], ()>,
    count: Value<u64>,
}

impl Actor {
    fn put(&mut self, sku: String, count: u32) {
        self.lines.put(sku, count);
    }

    async fn get(&self, sku: String) -> Result<Option<u32>> {
        self.lines.get(&sku).await
    }

    fn keys_may_be_given_in_any_form(&mut self, sku: &str, owned: String, id: [u8; 16]) {
        self.lines.put("apple", 3);
        self.lines.put(sku, 3);
        self.lines.put(&owned, 3);
        self.lines.put(owned, 3);
        self.notes.put(("alice", 1), Note { text: String::new() });
        self.notes.delete((sku.to_owned(), 1));
        self.notes.delete(&(sku.to_owned(), 1));
        self.scores.put(-1, None);
        self.scores.put(1, Some("x".into()));
        self.scores.delete(&1);
        self.blobs.put(b"raw", Bytes::new());
        self.blobs.put(vec![1, 2], vec![1].into());
        self.blobs.put(&Bytes::new()[..], Bytes::from_static(b"x"));
        self.grid.put((1, -1, 'x'), (0..3).collect());
        self.ids.put(id, ());
        self.ids.delete(&id);
    }

    async fn many_take_anything_that_iterates(&mut self, cart: BTreeMap<String, u32>) -> Result<()> {
        let _: Vec<Option<u32>> = self.lines.get_many(["a", "b"]).await?;
        let _ = self.lines.get_many(cart.keys()).await?;
        let _ = self.scores.get_many(0..10).await?;
        self.lines.put_many([("a", 1), ("b", 2)]);
        self.lines.put_many(cart);
        self.scores.put_many((0..10).map(|n| (n, None)));
        self.lines.delete_many(vec!["a".to_owned()]);
        self.scores.delete_many([1, 2]);
        self.lines.delete_all();
        Ok(())
    }

    async fn lists_read_like_sentences(&self) -> Result<usize> {
        let all: Vec<(String, u32)> = self.lines.list().await?;
        let fruit = self.lines.list().prefix("fruit/").start_after("fruit/a").limit(10).reverse().await?;
        let notes = self.notes.list().prefix(("alice",)).end(("alice", 10)).await?;
        let scores = self.scores.list().start(-5).end(5).await?;
        let blobs = self.blobs.list().prefix(b"r").await?;
        let grid = self.grid.list().prefix((1, -1)).await?;
        Ok(all.len() + fruit.len() + notes.len() + scores.len() + blobs.len() + grid.len())
    }

    async fn values(&mut self) -> Result<u64> {
        self.count.set(1);
        self.count.update(|count| count.unwrap_or(0) + 1).await?;
        self.count.delete();
        Ok(self.count.get().await?.unwrap_or_default())
    }
}

/// Handlers' futures are sent between threads, and actors are shared by concurrent `&self` handlers.
fn everything_may_cross_threads(actor: &'static mut Actor) {
    fn send_and_sync<T: Send + Sync>() {}
    fn send(_: impl Send) {}
    send_and_sync::<Actor>();
    send(actor.get(String::new()));
    send(actor.lists_read_like_sentences());
    send(actor.many_take_anything_that_iterates(BTreeMap::new()));
}
