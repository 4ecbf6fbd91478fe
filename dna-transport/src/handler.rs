//! What answers the peers' requests.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;

use crate::handshake::Remote;

/// A message of a peer.
#[derive(Debug)]
#[non_exhaustive]
pub struct Incoming {
    /// Who sent it.
    pub from: Arc<Remote>,
    /// Its stream; 0 is none.
    pub stream: u64,
    /// What stands before the body.
    pub header: Bytes,
    /// The body.
    pub body: Bytes,
    /// How long the caller still waits, from the moment on when the message left it; `None` is without end. The clocks of
    /// the two nodes are not compared: the time on the way is not counted.
    pub within: Option<Duration>,
}

/// Answers the requests of peers.
///
/// The futures of one stream are polled for the first time in the order in which the messages were sent, each to its first
/// point of suspension before the next one is: what a handler does up to there is in order. From there on they run beside
/// each other, each in a task of its own. Up to there it runs on the connection's own task, so that it must not block, and
/// should not compute for long.
///
/// To be correct, a handler counts on being dropped at any point where it waits: that happens to a call when its caller has
/// given up or is out of reach.
pub trait Handler: Send + Sync + 'static {
    /// Answers a request. A panic is the caller's [`CallError::Panicked`](crate::CallError::Panicked).
    fn call(self: Arc<Self>, request: Incoming) -> impl Future<Output = Bytes> + Send + 'static;

    /// Takes a message that nobody waits for. While too many of one peer have not ended, no further message of that peer is
    /// read. It runs on when the peer is out of reach. A panic is logged.
    fn cast(self: Arc<Self>, request: Incoming) -> impl Future<Output = ()> + Send + 'static {
        drop(request);
        std::future::ready(())
    }
}
