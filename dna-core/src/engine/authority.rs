//! The port to what makes an engine a member of a cluster: its lease, and who owns what it does not.

use std::{fmt, net::SocketAddr};

use serde::{Deserialize, Serialize};

use crate::{
    call_error::Loss,
    cluster::{NodeId, Shard},
};

/// Whom an engine asks that is a member of a cluster, for as long as it is one under one id.
pub trait Authority: Send + Sync + 'static {
    /// Whether the node's lease holds. Asked right before anything leaves: a reply, a call, a cast.
    ///
    /// To be correct:
    /// - While it answers `true`, nobody else serves what this member owns.
    /// - Once it has answered `false` it never answers `true` again, and [`Member::drop_all`](crate::Member::drop_all)
    ///   follows: until then everything that wants to leave waits.
    /// - It is cheap, and waits for nobody.
    fn holds(&self) -> bool;

    /// Which other node owns a shard, as far as is known. Asked for the error of who calls a name here that is not
    /// served here.
    fn owner(&self, shard: Shard) -> Option<NodeAddress>;

    /// A store of this member takes nothing any more, and so everything that ran was dropped.
    ///
    /// To be correct:
    /// - [`Member::drop_all`](crate::Member::drop_all) follows.
    /// - It waits for nobody.
    fn lost(&self, loss: Loss);
}

/// A node of a cluster, and where it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NodeAddress {
    /// Its id.
    pub node: NodeId,
    /// Where it listens.
    pub address: SocketAddr,
}

impl NodeAddress {
    /// This node, at this address.
    pub fn new(node: NodeId, address: SocketAddr) -> Self {
        NodeAddress { node, address }
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.node, self.address)
    }
}
