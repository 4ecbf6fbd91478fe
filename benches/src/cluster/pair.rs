//! Two nodes of one cluster: one that serves every name, and one that calls.

use std::{net::SocketAddr, time::Duration};

use dna::{Location, MemoryCluster, Node};

use crate::{
    actors::{Counter, Table},
    error::Error,
};

/// Two nodes of one cluster.
pub(super) struct Pair {
    /// It serves every name.
    pub(super) owner: Node,
    /// It serves none.
    pub(super) other: Node,
}

impl Pair {
    /// The second one gets nothing while the first one is there, unless it has a `weight`.
    pub(super) async fn start(lease: Duration, weight: u32) -> Result<Self, Error> {
        let cluster = MemoryCluster::new();
        let owner = start(&cluster, lease, 100).await?;
        let other = start(&cluster.another(), lease, weight).await?;
        Ok(Pair { owner, other })
    }

    /// A client of the second node for an actor of the first.
    pub(super) fn far(&self, name: &str) -> Result<crate::actors::CounterClient, Error> {
        if !matches!(self.other.whereis::<Counter>(name)?, Location::There(_)) {
            return Err(Error::Invariant(format!("the actor {name} is not on the other node")));
        }
        Ok(self.other.client::<Counter>(name))
    }

    /// Ends both in good order.
    pub(super) async fn close(self) -> Result<(), Error> {
        self.other.shutdown().await?;
        Ok(self.owner.shutdown().await?)
    }
}

async fn start(cluster: &MemoryCluster, lease: Duration, weight: u32) -> Result<Node, Error> {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let node = Node::builder().store(cluster.clone()).listen(listen).lease(lease).weight(weight);
    Ok(node.actor::<Counter>().actor::<Table>().start().await?)
}
