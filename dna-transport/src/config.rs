//! The settings of a transport.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use crate::{Asker, Network, Observer, PeerId, Security, StartError, Tcp, limits};

/// The bounds that a node keeps. All must be at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest message that this node sends or takes, header and body, in bytes. A peer learns it in the handshake.
    /// Sending more is [`CallError::TooLarge`](crate::CallError::TooLarge).
    pub message_bytes: usize,
    /// Requests in flight with one peer: to it until they are answered, and from it until their handlers have ended. One
    /// more is [`CallError::Overloaded`](crate::CallError::Overloaded).
    pub requests_per_peer: usize,
    /// Requests in flight with all peers together, each direction for itself. One more is
    /// [`CallError::Overloaded`](crate::CallError::Overloaded).
    pub requests_per_node: usize,
    /// Bytes that wait to be written to one peer, each message with 64 on top. One more request is
    /// [`CallError::Overloaded`](crate::CallError::Overloaded). Of replies: no further message of a peer is read until it
    /// has taken some of those that wait, so that at most the replies under way then come on top.
    pub queued_bytes_per_peer: usize,
    /// Bytes of the messages of one peer whose handlers have not ended. One more request is
    /// [`CallError::Overloaded`](crate::CallError::Overloaded); before one more cast nothing is read.
    pub handled_bytes_per_peer: usize,
    /// Accepted connections that have not finished the handshake. One more is sent away with
    /// [`Refusal::Busy`](crate::Refusal::Busy).
    pub half_open: usize,
    /// Accepted connections. One more is sent away with [`Refusal::Busy`](crate::Refusal::Busy).
    pub connections: usize,
    /// Peers that this node connects to. One more is [`PeerError::TooMany`](crate::PeerError::TooMany).
    pub peers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            message_bytes: limits::MESSAGE_BYTES_MAX,
            requests_per_peer: limits::REQUESTS_PER_PEER_MAX,
            requests_per_node: limits::REQUESTS_PER_NODE_MAX,
            queued_bytes_per_peer: limits::QUEUED_BYTES_PER_PEER_MAX,
            handled_bytes_per_peer: limits::HANDLED_BYTES_PER_PEER_MAX,
            half_open: limits::HALF_OPEN_MAX,
            connections: limits::CONNECTIONS_MAX,
            peers: limits::PEERS_MAX,
        }
    }
}

/// The times that a node keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// How long a connection may take, from the attempt to the end of the handshake.
    pub handshake: Duration,
    /// How long a connection may be silent before the other side is asked for a sign of life; after
    /// [`SILENT_INTERVALS_MAX`](limits::SILENT_INTERVALS_MAX) such intervals it is lost.
    pub keep_alive: Duration,
    /// The longest wait after one failed attempt to connect; doubled after each further one. The wait is a random part of
    /// it, at least half.
    pub backoff_min: Duration,
    /// The longest wait after any number of failed attempts.
    pub backoff_max: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Timing {
            handshake: limits::HANDSHAKE_DEADLINE,
            keep_alive: limits::KEEP_ALIVE,
            backoff_min: limits::BACKOFF_MIN,
            backoff_max: limits::BACKOFF_MAX,
        }
    }
}

/// The settings of a transport.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// The name of the cluster. Nodes of other clusters are refused.
    pub cluster: String,
    /// Who this node is.
    pub id: PeerId,
    /// The address that this node gives of itself to its peers. `None`: the one that it listens on.
    pub address: Option<String>,
    /// What keeps strangers out. Needed to listen on anything but loopback.
    pub security: Security,
    /// The bounds.
    pub limits: Limits,
    /// The times.
    pub timing: Timing,
    /// Makes the sockets.
    pub network: Arc<dyn Network>,
    /// Is told what happens to connections.
    pub observer: Option<Arc<dyn Observer>>,
    /// Is told of the ends of what is [asked](crate::Peer::ask), as long as it is there.
    pub asker: Option<Weak<dyn Asker>>,
    /// Where the randomness of reconnects starts. `None`: anywhere.
    pub seed: Option<u64>,
    /// Runs the tasks in the place of tokio.
    #[cfg(feature = "testing")]
    pub spawner: Option<crate::testing::Spawner>,
}

impl Config {
    /// Of the node `id` in `cluster`: nothing that keeps strangers out, TCP, the default bounds and times.
    pub fn new(cluster: impl Into<String>, id: PeerId) -> Self {
        Config {
            cluster: cluster.into(),
            id,
            address: None,
            security: Security::none(),
            limits: Limits::default(),
            timing: Timing::default(),
            network: Arc::new(Tcp),
            observer: None,
            asker: None,
            seed: None,
            #[cfg(feature = "testing")]
            spawner: None,
        }
    }

    /// The same with this against strangers.
    #[must_use]
    pub fn security(self, security: Security) -> Self {
        Config { security, ..self }
    }

    /// The same with these bounds.
    #[must_use]
    pub fn limits(self, limits: Limits) -> Self {
        Config { limits, ..self }
    }

    /// The same with these times.
    #[must_use]
    pub fn timing(self, timing: Timing) -> Self {
        Config { timing, ..self }
    }

    /// The same, telling `observer`.
    #[must_use]
    pub fn observer(self, observer: Arc<dyn Observer>) -> Self {
        Config { observer: Some(observer), ..self }
    }

    /// The same, telling `asker`.
    #[must_use]
    pub fn asker(self, asker: Weak<dyn Asker>) -> Self {
        Config { asker: Some(asker), ..self }
    }

    pub(crate) fn check(&self) -> Result<(), StartError> {
        let bytes = self.cluster.len();
        if bytes == 0 || bytes > limits::CLUSTER_BYTES_MAX {
            return Err(StartError::Cluster { bytes });
        }
        if let Some(address) = self.address.as_ref().filter(|address| address.len() > limits::ADDRESS_BYTES_MAX) {
            return Err(StartError::AddressTooLong { bytes: address.len() });
        }
        let limits = &self.limits;
        for (name, value) in [
            ("message_bytes", limits.message_bytes),
            ("requests_per_peer", limits.requests_per_peer),
            ("requests_per_node", limits.requests_per_node),
            ("queued_bytes_per_peer", limits.queued_bytes_per_peer),
            ("handled_bytes_per_peer", limits.handled_bytes_per_peer),
            ("half_open", limits.half_open),
            ("connections", limits.connections),
            ("peers", limits.peers),
        ] {
            if value == 0 || u32::try_from(value).is_err() {
                return Err(StartError::Limit(name));
            }
        }
        Ok(())
    }
}
