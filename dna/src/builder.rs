//! The settings of a node, and its start.

use std::{fmt, sync::Arc, time::Duration};

use dna_core::{Actor, Actors, Engine, Settings, StartError};

#[cfg(feature = "cluster")]
use crate::member::{Belonging, ClusterSettings};
use crate::{
    node::Node,
    store::{Chosen, NodeStore},
};

/// A node that is to be started: its store, its actor types, its settings.
///
/// Every limit has a default, named in [`limits`](crate::limits), and an error of its own for when it is hit.
#[must_use = "a node is started with `.start().await`"]
#[derive(Default)]
pub struct NodeBuilder {
    store: Option<Chosen>,
    actors: Actors,
    settings: Settings,
    #[cfg(feature = "cluster")]
    cluster: ClusterSettings,
}

impl NodeBuilder {
    pub(crate) fn new() -> Self {
        NodeBuilder::default()
    }

    /// Where the actors keep their state. A [`Store`](crate::Store) serves one node at a time; with the feature `cluster`
    /// it may be the store of a cluster, whose nodes divide the names among themselves, and which needs
    /// [`listen`](NodeBuilder::listen).
    pub fn store<Kind>(mut self, store: impl NodeStore<Kind>) -> Self {
        self.store = Some(store.into_chosen());
        self
    }

    /// The address of the node within its cluster; port 0 takes a free one. No other process may listen on it.
    #[cfg(feature = "cluster")]
    pub fn listen(mut self, address: std::net::SocketAddr) -> Self {
        self.cluster.listen = Some(address);
        self
    }

    /// Where the other nodes reach this one, if that is not where it listens: behind address translation, or where it
    /// listens on all addresses of the machine. A node that is killed and started again has to wait for its former lease
    /// then.
    #[cfg(feature = "cluster")]
    pub fn advertise(mut self, address: std::net::SocketAddr) -> Self {
        self.cluster.advertise = Some(address);
        self
    }

    /// What keeps strangers away from the cluster: a [`Secret`](crate::Secret) that all nodes have, with the feature `tls`
    /// also certificates that all nodes believe. A node that has nothing listens on loopback only.
    #[cfg(feature = "cluster")]
    pub fn security(mut self, security: impl Into<crate::Security>) -> Self {
        self.cluster.security = Some(security.into());
        self
    }

    /// Into how many shards the names of the cluster are divided, 256 by default: set when the cluster is created, and
    /// the same on all nodes.
    #[cfg(feature = "cluster")]
    pub fn shards(mut self, shards: std::num::NonZeroU32) -> Self {
        self.cluster.shards = Some(shards);
        self
    }

    /// How long the node may answer after its last heartbeat, 3 s by default, and about as long as the others wait before
    /// they take over: the same on all nodes.
    #[cfg(feature = "cluster")]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.cluster.lease = Some(lease);
        self
    }

    /// How many journals the node has in a cluster's store, 1 by default. Groups of different shards go to different ones.
    #[cfg(feature = "cluster")]
    pub fn journal_lanes(mut self, lanes: std::num::NonZeroU16) -> Self {
        self.cluster.lanes = Some(lanes);
        self
    }

    /// The node's share of the names, relative to that of the other nodes of the cluster, 100 by default: one of 200 gets
    /// twice as much as one of 100. With 0 it gets only what no other node can take.
    #[cfg(feature = "cluster")]
    pub fn weight(mut self, weight: u32) -> Self {
        self.cluster.weight = Some(weight);
        self
    }

    /// Serves actors of type `A`.
    pub fn actor<A: Actor>(mut self) -> Self {
        self.actors = self.actors.with::<A>();
        self
    }

    /// The namespace of all addresses; `default` if not set.
    pub fn namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.settings.namespace = namespace.into();
        self
    }

    /// How long a call may take, unless it says otherwise: [`CALL_TIMEOUT`](crate::limits::CALL_TIMEOUT).
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.settings.call_timeout = timeout;
        self
    }

    /// How long an actor may be idle before it is passivated: [`IDLE_TIMEOUT`](crate::limits::IDLE_TIMEOUT).
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.settings.idle_timeout = timeout;
        self
    }

    /// How long a shutdown lets actors finish: [`SHUTDOWN_TIMEOUT`](crate::limits::SHUTDOWN_TIMEOUT). In a cluster also how
    /// long it may give names to the other nodes before, and how long each further step of leaving may take.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.settings.shutdown_timeout = timeout;
        self
    }

    /// How many activations stay before the least recently used are passivated:
    /// [`ACTIVE_ACTORS_MAX`](crate::limits::ACTIVE_ACTORS_MAX).
    pub fn max_active(mut self, actors: usize) -> Self {
        self.settings.max_active = actors;
        self
    }

    /// How many bytes the caches of all actors may hold: [`CACHE_BYTES_MAX`](crate::limits::CACHE_BYTES_MAX).
    pub fn cache_bytes_max(mut self, bytes: usize) -> Self {
        self.settings.cache_bytes_max = bytes;
        self
    }

    /// How many messages may be queued on the node: [`QUEUED_MESSAGES_MAX`](crate::limits::QUEUED_MESSAGES_MAX).
    pub fn queued_messages_max(mut self, messages: usize) -> Self {
        self.settings.queued_messages_max = messages;
        self
    }

    /// How many messages a mailbox admits, for types that do not say so themselves:
    /// [`MAILBOX_MESSAGES_MAX`](crate::limits::MAILBOX_MESSAGES_MAX).
    pub fn mailbox_messages_max(mut self, messages: usize) -> Self {
        self.settings.mailbox_messages_max = messages;
        self
    }

    /// How many messages a batch takes, for types that do not say so themselves:
    /// [`BATCH_MESSAGES_MAX`](crate::limits::BATCH_MESSAGES_MAX).
    pub fn max_batch_messages(mut self, messages: usize) -> Self {
        self.settings.max_batch_messages = messages;
        self
    }

    /// Encodes and decodes local messages as if they crossed the network, so that faults in their serde implementations
    /// show in tests.
    #[cfg(feature = "testing")]
    pub fn encode_messages(mut self, encode: bool) -> Self {
        self.settings.encode_messages = encode;
        self
    }

    /// Runs in a simulation, on the network that this says, and takes its ids from this seed.
    #[cfg(feature = "testing")]
    pub(crate) fn simulated(mut self, simulated: dna_cluster::Simulated, ids: u64) -> Self {
        self.cluster.simulated = Some((simulated, ids));
        self
    }

    /// Wrong, to see that a test misses it: replies do not wait for commits.
    #[cfg(feature = "testing")]
    pub(crate) fn open_gate(mut self) -> Self {
        self.settings.opens_gate = true;
        self
    }

    /// Claims the store and starts the node, in the tokio runtime that this is called in. In a cluster it has joined then,
    /// and serves what nobody else owns.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then. In a cluster, where its outcome is `Unknown`, the node may be a member all the same,
    /// with nobody behind it, until the others have taken over from it.
    ///
    /// # Cancel safety
    /// Dropped before its end, nothing runs. In a cluster the node may have become a member, or may still: the others take
    /// over from it once its lease has run out, or this process does, when it is started again on its address.
    pub async fn start(self) -> Result<Node, StartError> {
        match self.store.ok_or(StartError::NoStore)? {
            Chosen::Single(store) => {
                #[cfg(feature = "cluster")]
                if let Some(setting) = self.cluster.any() {
                    return Err(StartError::NoCluster { setting });
                }
                let engine = Engine::start(store, self.actors, self.settings).await?;
                Ok(Node {
                    engine,
                    #[cfg(feature = "cluster")]
                    belonging: None,
                })
            }
            #[cfg(feature = "cluster")]
            Chosen::Cluster(store) => {
                let (engine, belonging) = Belonging::start(store, self.actors, self.settings, &self.cluster).await?;
                Ok(Node { engine, belonging: Some(belonging) })
            }
        }
    }
}

impl fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBuilder")
            .field("has_store", &self.store.is_some())
            .field("actors", &self.actors)
            .field("settings", &self.settings)
            .finish()
    }
}
