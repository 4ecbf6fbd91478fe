//! What a transport tells of its connections, for metrics, logs and tests.

use std::{fmt, io, net::SocketAddr, sync::Arc};

use crate::{Lost, PeerId, Refusal, Remote, Side};

/// What has happened to a connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A connection to a peer stands.
    Connected {
        /// The peer.
        peer: Arc<Remote>,
    },
    /// An attempt to connect has failed. The next one follows after a while, if there is something to send.
    ConnectFailed {
        /// Where to.
        address: Arc<str>,
        /// What the system said.
        error: io::ErrorKind,
    },
    /// The handshake of a connection to a peer was refused.
    ConnectRefused {
        /// Where to.
        address: Arc<str>,
        /// Who refused.
        side: Side,
        /// Why.
        reason: Refusal,
    },
    /// A connection to a peer has ended.
    Disconnected {
        /// The peer.
        peer: Arc<Remote>,
        /// Why.
        why: Lost,
    },
    /// A connection of a peer stands.
    Accepted {
        /// The peer.
        peer: Arc<Remote>,
        /// Where from.
        from: SocketAddr,
    },
    /// An incoming connection was refused, or failed before it stood.
    AcceptRefused {
        /// Where from.
        from: SocketAddr,
        /// Who refused.
        side: Side,
        /// Why; `None` if the socket failed or ended.
        reason: Option<Refusal>,
    },
    /// A connection of a peer has ended.
    Left {
        /// The peer.
        peer: Arc<Remote>,
        /// Why.
        why: Lost,
    },
    /// Casts to a peer were dropped before they left: their time was over, or the peer was closed or refused.
    CastsDropped {
        /// The peer, if it is known.
        peer: Option<PeerId>,
        /// Where to.
        address: Arc<str>,
        /// How many.
        count: usize,
    },
}

/// Is told of events. Called from the tasks of the transport: it must not block.
pub trait Observer: fmt::Debug + Send + Sync + 'static {
    /// Something has happened.
    fn event(&self, event: Event);
}
