//! Several nodes of one process on one cluster's store in memory, with real sockets between them.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods, reason = "tests")]

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use dna::{Actor, ActorName, Location, MemoryCluster, Node, NodeBuilder, NodeId, Shard};

pub const LEASE: Duration = Duration::from_millis(1500);
pub const SHARDS: NonZeroU32 = NonZeroU32::new(256).unwrap();

/// A node that is to be started.
pub fn node(cluster: &MemoryCluster) -> NodeBuilder {
    let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
    Node::builder().store(cluster.another()).listen(listen).lease(LEASE)
}

pub fn id(node: &Node) -> NodeId {
    node.membership().unwrap().current().me().unwrap()
}

pub fn shard_of<A: Actor>(name: &str) -> Shard {
    Shard::of(&ActorName::new("default", A::KIND, name).unwrap(), SHARDS)
}

/// How long anything may take that is waited for.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until each of these nodes sees every shard where they should have it.
pub async fn until_balanced(nodes: &[&Node]) {
    let ids: Vec<_> = nodes.iter().map(|node| id(node)).collect();
    let best = |shard| dna_core::rendezvous(Shard(shard), ids.iter().map(|node| (*node, 100)));
    let expected = (0..SHARDS.get()).map(best).collect::<Vec<_>>();
    for node in nodes {
        let mut membership = node.membership().unwrap();
        let balanced = async {
            while membership.latest().owners() != expected {
                membership.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, balanced).await.unwrap_or_else(|_| panic!("shards are not where they belong"));
    }
}

/// Names of actors of a node.
pub fn names_on<A: Actor>(node: &Node) -> impl Iterator<Item = String> + '_ {
    let names = (0..).map(|n| format!("name {n}"));
    names.filter(|name| node.whereis::<A>(name.as_str()) == Ok(Location::Here))
}

/// Waits until it is so, for a minute at the most.
pub async fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if is() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came: {what}");
}
