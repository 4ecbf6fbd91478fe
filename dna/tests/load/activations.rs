//! First messages from everywhere at once.

use std::sync::atomic::{AtomicU64, Ordering};

use dna::{MemoryCluster, prelude::*};
use futures_util::{StreamExt, stream};

use crate::nodes::{node, until_balanced};

const NAMES: usize = 10_000;

/// How many calls of one node are under way at once.
const AT_ONCE: usize = 256;

static ACTIVATIONS: AtomicU64 = AtomicU64::new(0);

struct Name {
    calls: u64,
}

#[dna::actor]
impl Name {
    async fn init(_ctx: Context) -> dna::Result<Self> {
        ACTIVATIONS.fetch_add(1, Ordering::SeqCst);
        Ok(Name { calls: 0 })
    }

    pub async fn call(&mut self) -> u64 {
        self.calls += 1;
        self.calls
    }
}

/// Calls every name once: the sum of the answers.
async fn call_all(node: &Node) -> u64 {
    let calls = (0..NAMES).map(|n| node.client::<Name>(format!("{n}")).call());
    stream::iter(calls).buffer_unordered(AT_ONCE).map(Result::unwrap).fold(0, async |sum, calls| sum + calls).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_new_names_that_three_nodes_call_at_once_are_activated_once_each() {
    let cluster = MemoryCluster::new();
    let start = || node(&cluster).actor::<Name>().start();
    let nodes = [start().await.unwrap(), start().await.unwrap(), start().await.unwrap()];
    let [first, second, third] = &nodes;
    until_balanced(&[first, second, third]).await;
    let (one, two, three) = tokio::join!(call_all(first), call_all(second), call_all(third));
    // Each name has answered 1, 2 and 3: nobody started anew.
    assert_eq!(one + two + three, NAMES as u64 * 6);
    assert_eq!(ACTIVATIONS.load(Ordering::SeqCst), NAMES as u64);
    assert_eq!(nodes.iter().map(|node| node.stats().activations).sum::<u64>(), NAMES as u64);
    for node in nodes {
        node.shutdown().await.unwrap();
    }
}
