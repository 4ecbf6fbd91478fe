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
    /// and ends the node. The store is closed when its last handle is gone. A node of a cluster first gives its names to the
    /// others, a part at a time, while it serves the rest, and leaves the cluster in the end.
    ///
    /// # Errors
    /// [`ShutdownError`]: the node has ended, but not everything that it had accepted could be done.
    ///
    /// # Cancel safety
    /// Dropped before its end, the node ends at once, as when it is dropped.
    pub async fn shutdown(self) -> Result<(), ShutdownError> {
        #[cfg(feature = "cluster")]
        if let Some(belonging) = self.belonging {
            belonging.drain_in_time().await;
            let rested = self.engine.rest().await;
            let left = belonging.leave().await;
            let ended = self.engine.shutdown().await;
            return rested.and(left).and(ended);
        }
        self.engine.shutdown().await
    }

    /// Runs until the process is told to end, by SIGTERM where there is that, or by ctrl-c; then
    /// [shuts down](Node::shutdown). Told once more meanwhile, it ends the node at once, as when it is dropped.
    ///
    /// # Errors
    /// What [`shutdown`](Node::shutdown) could not do; or the process was told twice. Or signals cannot be waited for:
    /// then the node shuts down at once.
    ///
    /// # Cancel safety
    /// Dropped before its end, the node ends at once, as when it is dropped.
    #[cfg(feature = "signal")]
    pub async fn run_until_signal(self) -> crate::Result<()> {
        let mut signals = match crate::signal::Signals::new() {
            Ok(signals) => signals,
            Err(error) => {
                self.shutdown().await?;
                return Err(crate::Error::with_kind(crate::ErrorKind::Node, error));
            }
        };
        signals.next().await;
        let (shutdown, again) = (std::pin::pin!(self.shutdown()), std::pin::pin!(signals.next()));
        match futures_util::future::select(shutdown, again).await {
            futures_util::future::Either::Left((ended, _)) => Ok(ended?),
            futures_util::future::Either::Right(_) => {
                Err(crate::Error::with_kind(crate::ErrorKind::Node, "the process was told to end a second time"))
            }
        }
    }

    /// Where the node listens, if it is one of a cluster.
    #[cfg(feature = "cluster")]
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.belonging.as_ref()?.address()
    }

    /// The nodes of the cluster, this one among them, as it has seen them last: what they are, and how many shards each
    /// owns. None of a node alone, and while it is about to join.
    #[cfg(feature = "cluster")]
    pub fn members(&self) -> Vec<dna_cluster::MemberInfo> {
        self.belonging.as_ref().map_or_else(Vec::new, crate::member::Belonging::members)
    }

    /// Follows the nodes of the cluster and the owners of its shards, with every change. None of a node alone.
    #[cfg(feature = "cluster")]
    pub fn membership(&self) -> Option<dna_cluster::MembersWatch> {
        self.belonging.as_ref()?.watch()
    }

    /// Where the actor `name` of type `A` is served, as far as this node knows. Of a type that is placed `local` it knows
    /// that of the names that it has called or served lately; of others it says [`Location::Unknown`](crate::Location).
    ///
    /// # Errors
    /// The name, or that of the type, cannot be one.
    #[cfg(feature = "cluster")]
    pub fn whereis<A: Actor>(&self, name: impl Into<Arc<str>>) -> Result<crate::Location, crate::NameError> {
        match &self.belonging {
            Some(belonging) => belonging.whereis::<A>(&self.engine, name.into()),
            None => Ok(crate::Location::Here),
        }
    }

    /// Has this node give a shard to another one, wherever it belongs; that one gives it back if it belongs here. Nothing
    /// happens if the shard is not its own. For tests of what happens while names move.
    #[cfg(all(feature = "cluster", feature = "testing"))]
    pub fn give_away(&self, shard: crate::Shard, to: crate::NodeId) {
        if let Some(belonging) = &self.belonging {
            belonging.give_away(shard, to);
        }
    }

    /// Gives all names to the other nodes of the cluster, a part at a time, while it serves the rest, and takes none from
    /// now on. It ends when this node has none; the node stays in the cluster, serving nothing, until it is
    /// [shut down](Node::shutdown). What no other node can take is nobody's until one joins. An actor that does not end its
    /// work keeps the names of its shard here, served in between tries. Nothing happens to a node alone.
    ///
    /// # Cancel safety
    /// Dropping it cancels nothing: once polled, the node drains.
    #[cfg(feature = "cluster")]
    pub async fn drain(&self) {
        if let Some(belonging) = &self.belonging {
            belonging.drain().await;
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("stats", &self.stats()).finish_non_exhaustive()
    }
}
