//! A running node.

use std::{fmt, sync::Arc};

use dna_core::{Actor, Engine, ShutdownError, Stats};

use crate::builder::NodeBuilder;

/// A running node: it serves the actors of its types until it is shut down or dropped.
///
/// Dropping it ends it at once, as a crash would: what was answered `Ok` is durable, everything else is answered an
/// error. [`shutdown`](Node::shutdown) lets what was accepted be done first.
pub struct Node {
    // Dropped first: the membership lets go of the node's address once nothing runs any more.
    pub(crate) engine: Engine,
    #[cfg(feature = "cluster")]
    pub(crate) belonging: Option<crate::member::Belonging>,
}

impl Node {
    /// A node that is to be started.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::new()
    }

    /// A client of the actor `name` of type `A` on this node. Where the process has one node, `A::client(name)` is the
    /// same.
    pub fn client<A: Actor>(&self, name: impl Into<Arc<str>>) -> A::Client {
        self.engine.client::<A>(name)
    }

    /// What the node holds and has done.
    pub fn stats(&self) -> Stats {
        self.engine.stats()
    }

    /// Passivates every actor as soon as it is idle, and waits until none is active. New messages start them again, so on
    /// a node that is in use it may take for ever: give it a time-out.
    ///
    /// # Cancel safety
    /// Dropped before its end, the passivation goes on.
    pub async fn passivate_all(&self) {
        self.engine.passivate_all().await;
    }

    /// Takes no more messages from outside, lets the actors handle what they have, passivates them, commits everything,
    /// and ends the node. The store is closed when its last handle is gone. A node of a cluster leaves it, so that the
    /// others take over at once.
    ///
    /// # Errors
    /// [`ShutdownError`]: the node has ended, but not everything that it had accepted could be done.
    ///
    /// # Cancel safety
    /// Dropped before its end, the node ends at once, as when it is dropped.
    pub async fn shutdown(self) -> Result<(), ShutdownError> {
        #[cfg(feature = "cluster")]
        if let Some(belonging) = self.belonging {
            let rested = self.engine.rest().await;
            let left = belonging.leave().await;
            let ended = self.engine.shutdown().await;
            return rested.and(left).and(ended);
        }
        self.engine.shutdown().await
    }

    /// Where the node listens, if it is one of a cluster.
    #[cfg(feature = "cluster")]
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.belonging.as_ref()?.address()
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
