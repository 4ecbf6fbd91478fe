//! What may fail, and what the caller may conclude.

use std::{fmt, io, net::SocketAddr};

use crate::{Malformed, Refusal, limits::CLUSTER_BYTES_MAX};

/// What an error says of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// No handler was called with it, and none will be: it never left this node, or was sent back unread. Safe to send
    /// again.
    NotHandled,
    /// It left this node. A handler may have been called with it, or may be later.
    Unknown,
}

/// A bound that was hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limit {
    /// [`Limits::requests_per_peer`](crate::Limits::requests_per_peer).
    RequestsPerPeer,
    /// [`Limits::requests_per_node`](crate::Limits::requests_per_node).
    RequestsPerNode,
    /// [`Limits::queued_bytes_per_peer`](crate::Limits::queued_bytes_per_peer).
    QueuedBytes,
    /// [`Limits::handled_bytes_per_peer`](crate::Limits::handled_bytes_per_peer).
    HandledBytes,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::RequestsPerPeer => "requests in flight with one peer",
            Limit::RequestsPerNode => "requests in flight with all peers",
            Limit::QueuedBytes => "bytes that wait to be written to one peer",
            Limit::HandledBytes => "bytes of one peer's requests that are being handled",
        })
    }
}

/// One of the two ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// This node.
    Here,
    /// The peer.
    There,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Here => "here",
            Side::There => "by the peer",
        })
    }
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// Both sides were done with it.
    #[error("it was closed in good order")]
    Done,
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Io(io::ErrorKind),
    /// The socket ended without a word: the process there is gone, or something between cut the connection.
    #[error("the peer hung up")]
    HungUp,
    /// Nothing was heard for [`SILENT_INTERVALS_MAX`](crate::limits::SILENT_INTERVALS_MAX) keep-alive intervals.
    #[error("the peer was silent for too long")]
    Silent,
    /// A newer connection of the same peer came in.
    #[error("a newer connection took its place")]
    Replaced,
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Malformed(Malformed),
    /// The peer ended it, for this reason.
    #[error("the peer ended it: {0}")]
    Told(String),
    /// This node ended it, without waiting for replies.
    #[error("this node ended it")]
    Aborted,
}

/// Why a call has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Header and body together are longer than this node, or the peer, takes. Nothing was sent. Send less at a time.
    #[error("a message of {bytes} bytes, of at most {limit}; send it in parts")]
    TooLarge {
        /// How long it is, in bytes.
        bytes: usize,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// The header is longer than [`REQUEST_HEADER_BYTES_MAX`](crate::limits::REQUEST_HEADER_BYTES_MAX). Nothing was sent.
    #[error("a header of {bytes} bytes, of at most {limit}; put it in the body")]
    HeaderTooLarge {
        /// How long it is, in bytes.
        bytes: usize,
        /// What is allowed, in bytes.
        limit: usize,
    },
    /// A bound is reached. No handler was called. Try again when others have ended, or call less.
    #[error("too many {limit} (refused {side}); try again later")]
    Overloaded {
        /// The bound.
        limit: Limit,
        /// Who keeps it.
        side: Side,
    },
    /// The deadline came before the reply. [`CallError::outcome`] tells whether the request had left.
    #[error("no reply within the deadline; the request {}", has_left(*.outcome))]
    DeadlineExceeded {
        /// Whether the request had left.
        outcome: Outcome,
    },
    /// The handshake was refused. Nothing was sent.
    #[error("the connection was refused ({side}): {reason}")]
    Refused {
        /// Who refused.
        side: Side,
        /// Why.
        reason: Refusal,
    },
    /// The peer is closing and takes no new requests. No handler was called.
    #[error("the peer is closing and takes no new requests; send it to another node, or later")]
    PeerClosing,
    /// The connection ended after the request had left, wholly or in part, and before the reply came.
    #[error("the connection ended before the reply came: {0}; the request may have been handled")]
    ConnectionLost(Lost),
    /// This transport, or this peer of it, was closed. [`CallError::outcome`] tells whether the request had left.
    #[error("the transport was closed; the request {}", has_left(*.outcome))]
    Closed {
        /// Whether the request had left.
        outcome: Outcome,
    },
    /// The handler panicked.
    #[error("the handler panicked")]
    Panicked,
    /// The handler's reply is longer than a message may be. It was not sent.
    #[error("the reply is longer than a message may be; ask for less at a time")]
    ReplyTooLarge,
    /// The peer gave a reason that this version does not know.
    #[error("the peer gave no reply for the unknown reason {0}")]
    Other(u16),
}

fn has_left(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::NotHandled => "never left",
        Outcome::Unknown => "may have been handled",
    }
}

impl CallError {
    /// Whether a handler may have been called with the request.
    pub fn outcome(&self) -> Outcome {
        match self {
            CallError::TooLarge { .. }
            | CallError::HeaderTooLarge { .. }
            | CallError::Overloaded { .. }
            | CallError::Refused { .. }
            | CallError::PeerClosing => Outcome::NotHandled,
            CallError::DeadlineExceeded { outcome } | CallError::Closed { outcome } => *outcome,
            CallError::ConnectionLost(_) | CallError::Panicked | CallError::ReplyTooLarge | CallError::Other(_) => {
                Outcome::Unknown
            }
        }
    }

    /// Whether the same request may be sent again and may well succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            CallError::Overloaded { .. } | CallError::PeerClosing => true,
            CallError::DeadlineExceeded { outcome } => *outcome == Outcome::NotHandled,
            CallError::Refused { reason, .. } => reason.is_retryable(),
            _ => false,
        }
    }
}

/// Why there is no connection to a peer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The address could not be reached.
    #[error("cannot connect to {address}: {error}; is the node running there?")]
    Unreachable {
        /// The address.
        address: String,
        /// What the system said.
        error: io::ErrorKind,
    },
    /// The handshake was refused.
    #[error("the connection to {address} was refused ({side}): {reason}")]
    Refused {
        /// The address.
        address: String,
        /// Who refused.
        side: Side,
        /// Why.
        reason: Refusal,
    },
    /// This transport, or this peer of it, was closed.
    #[error("the transport was closed")]
    Closed,
}

impl ConnectError {
    /// Nothing was sent.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotHandled
    }

    /// Whether the same attempt may well succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            ConnectError::Unreachable { .. } => true,
            ConnectError::Refused { reason, .. } => reason.is_retryable(),
            ConnectError::Closed => false,
        }
    }
}

/// Why a transport did not start, or does not know one more peer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no tokio runtime here.
    #[error("a transport starts within a tokio runtime; call it from an async function that one runs")]
    NoRuntime,
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}; stop who does, or choose another address")]
    Address {
        /// The address.
        address: String,
        /// What the system said.
        error: io::Error,
    },
    /// Others than this machine could connect, and nothing would keep strangers out.
    #[error(
        "refusing to listen on {address}, which is not loopback, with neither a shared secret nor TLS; set \
         `Config::security` to `Security::secret` or `Security::tls`, or listen on 127.0.0.1"
    )]
    Insecure {
        /// The address.
        address: SocketAddr,
    },
    /// The name of the cluster is empty or too long.
    #[error("a cluster's name has 1 to {CLUSTER_BYTES_MAX} bytes, not {bytes}")]
    Cluster {
        /// How long it is, in bytes.
        bytes: usize,
    },
    /// The address that the node gives of itself is too long.
    #[error("the address of a node has at most {limit} bytes, not {bytes}", limit = crate::limits::ADDRESS_BYTES_MAX)]
    AddressTooLong {
        /// How long it is, in bytes.
        bytes: usize,
    },
    /// A limit is zero, or larger than the protocol can say.
    #[error("the limit `{0}` must be at least 1 and at most 2^32 - 1")]
    Limit(&'static str),
}

impl StartError {
    /// Nothing was sent.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotHandled
    }

    /// Whether the same start may well succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, StartError::Address { .. })
    }
}

/// Why a transport does not take one more peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// It knows as many as it may.
    #[error(
        "this transport knows {limit} peers, as many as it may; close those that are gone, or raise `Limits::peers`"
    )]
    TooMany {
        /// The bound.
        limit: usize,
    },
    /// The address is too long.
    #[error("an address of {bytes} bytes, of at most {limit}", limit = crate::limits::ADDRESS_BYTES_MAX)]
    AddressTooLong {
        /// How long it is, in bytes.
        bytes: usize,
    },
    /// The transport was closed.
    #[error("the transport was closed")]
    Closed,
}

impl PeerError {
    /// Nothing was sent.
    pub fn outcome(&self) -> Outcome {
        Outcome::NotHandled
    }

    /// Whether the same may well succeed later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, PeerError::TooMany { .. })
    }
}
