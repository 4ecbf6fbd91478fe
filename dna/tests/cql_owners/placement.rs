//! Names that are placed where they are first called, registered in the database.

use std::{net::SocketAddr, time::Duration};

use dna::{Location, NodeBuilder, Scylla, ScyllaConfig, Shard, prelude::*};

use crate::{
    alone,
    database::{Keyspace, has_server},
};

struct Tally {
    total: Value<u64>,
}

#[dna::actor(placement = "local")]
impl Tally {
    async fn init(ctx: Context) -> dna::Result<Self> {
        Ok(Tally { total: ctx.open("total")? })
    }

    pub async fn add(&mut self, amount: u64) -> dna::Result<u64> {
        let total = self.total.get().await?.unwrap_or(0) + amount;
        self.total.set(total);
        Ok(total)
    }
}

const NAMES: u64 = 60;
const SHARDS: u32 = 16;

async fn builder(keyspace: &Keyspace) -> NodeBuilder {
    let listen: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let scylla = Scylla::connect(ScyllaConfig::new([&keyspace.contact], &keyspace.name)).await.unwrap();
    Node::builder().store(scylla).listen(listen).shards(SHARDS.try_into().unwrap()).actor::<Tally>()
}

/// The answer of a call that is sent again for as long as it is worth that.
async fn add(node: &Node, name: u64) -> u64 {
    loop {
        match node.client::<Tally>(format!("{name}")).add(1).await {
            Ok(total) => return total,
            Err(error) if error.is_retryable() => tokio::time::sleep(Duration::from_millis(10)).await,
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn is_here(node: &Node, name: u64) -> bool {
    node.whereis::<Tally>(format!("{name}")) == Ok(Location::Here)
}

#[test]
fn names_that_several_nodes_call_first_at_once_are_registered_once_and_for_ever() {
    if !has_server() {
        return;
    }
    let _alone = alone();
    let keyspace = Keyspace::create();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let nodes = [builder(&keyspace).await.start().await.unwrap(), builder(&keyspace).await.start().await.unwrap()];
        let ids = nodes.each_ref().map(|node| node.membership().unwrap().current().me().unwrap());
        let best = |shard| dna_core::rendezvous(Shard(shard), ids.map(|node| (node, 100)));
        let balanced = (0..SHARDS).map(best).collect::<Vec<_>>();
        for node in &nodes {
            let mut membership = node.membership().unwrap();
            while membership.latest().owners() != balanced {
                membership.changed().await.unwrap();
            }
        }
        let both = |name| {
            let nodes = &nodes;
            async move { futures_util::join!(add(&nodes[0], name), add(&nodes[1], name)) }
        };
        for (one, other) in futures_util::future::join_all((0..NAMES).map(both)).await {
            assert_eq!(one + other, 1 + 2, "they are handled by the same activation");
        }
        let activations = nodes.iter().map(|node| node.stats().activations).sum::<u64>();
        assert_eq!(activations, NAMES);
        for name in 0..NAMES {
            assert!(is_here(&nodes[0], name) != is_here(&nodes[1], name));
        }
        // Called by one alone, it lives there.
        for (name, node) in (NAMES..).zip(&nodes) {
            assert_eq!(add(node, name).await, 1);
            assert!(is_here(node, name));
        }
        for node in nodes {
            node.shutdown().await.unwrap();
        }
        // Another one finds every name again.
        let last = builder(&keyspace).await.start().await.unwrap();
        for name in 0..NAMES {
            assert_eq!(add(&last, name).await, 3);
        }
        last.shutdown().await.unwrap();
    });
}
