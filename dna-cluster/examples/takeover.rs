//! Three nodes, one after the other, over one database in memory: `cargo run -p dna-cluster --example takeover`.
//!
//! The first one leaves and gives its shards to the second; that one ends without a word, and the third takes over once
//! its lease has run out.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::{error::Error, net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

use dna_cluster::{Config, Host, Incarnation, Loss, Membership, Status};
use dna_core::{AttachError, MemoryCluster, Shard};
use futures_util::future::BoxFuture;

const SHARDS: NonZeroU32 = NonZeroU32::new(8).unwrap();
const LEASE: Duration = Duration::from_millis(600);

/// Runs nothing, and says what it would.
struct Printer(&'static str);

impl Host for Printer {
    fn begin(&self, incarnation: Incarnation) -> BoxFuture<'_, Result<(), AttachError>> {
        Box::pin(async move {
            for store in incarnation.journals.stores() {
                store.attach().await?;
            }
            println!("{} begins as {}", self.0, incarnation.node);
            Ok(())
        })
    }

    fn own(&self, shards: &[(Shard, u64)]) {
        if shards.is_empty() {
            return println!("{} owns nothing yet", self.0);
        }
        let shards = shards.iter().map(|(Shard(shard), epoch)| format!("{shard} (epoch {epoch})"));
        println!("{} owns {}", self.0, shards.collect::<Vec<_>>().join(", "));
    }

    fn release<'a>(&'a self, shards: &'a [Shard]) -> BoxFuture<'a, ()> {
        Box::pin(async move { println!("{} releases {} shards", self.0, shards.len()) })
    }

    fn drop_all(&self, why: Loss) -> BoxFuture<'_, ()> {
        Box::pin(async move { println!("{} ends: {why:?}", self.0) })
    }
}

/// Starts a node with a connection of its own.
async fn start(database: &MemoryCluster, name: &'static str) -> Result<Membership, Box<dyn Error>> {
    let listen: SocketAddr = "127.0.0.1:0".parse()?;
    let config = Config::new(listen).shards(SHARDS).lease(LEASE);
    Ok(Membership::start(Arc::new(database.another()), Arc::new(Printer(name)), config).await?)
}

/// Waits until this node owns every shard.
async fn owns_all(node: &Membership) {
    let all = u32::from(SHARDS) as usize;
    node.wait_until(|status| match status {
        Status::Member { node, seen } => seen.view.shards_of(*node).count() == all,
        _ => false,
    })
    .await;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let database = MemoryCluster::new();
    let first = start(&database, "first").await?;
    let second = start(&database, "second").await?;

    first.leave().await?;
    owns_all(&second).await;

    let third = start(&database, "third").await?;
    println!("second is dropped without leaving");
    drop(second);
    owns_all(&third).await;
    third.leave().await?;
    Ok(())
}
