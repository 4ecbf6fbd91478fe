//! What answers the peers' requests.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;

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

/// The answer to a request.
pub enum Answer {
    /// Here it is.
    Now(Bytes),
    /// It comes from this, which the connection's own task polls when it is woken: what it does between two points at which
    /// it waits holds back all other messages of the connection.
    Soon(BoxFuture<'static, Bytes>),
    /// It comes from this, which has a task of its own if it is not ready at once.
    Task(BoxFuture<'static, Bytes>),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Answer::Now(_) => "now",
            Answer::Soon(_) => "soon",
            Answer::Task(_) => "task",
        };
        f.debug_tuple("Answer").field(&kind).finish()
    }
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

    /// As [`call`](Handler::call), which it makes a task of unless a handler says otherwise, for handlers that often have the
    /// answer at once, or need next to no computing once they have what they wait for.
    fn begin(self: &Arc<Self>, request: Incoming) -> Answer {
        Answer::Task(Box::pin(Arc::clone(self).call(request)))
    }

    /// Takes a message that nobody waits for. While too many of one peer have not ended, no further message of that peer is
    /// read. It runs on when the peer is out of reach. A panic is logged.
    fn cast(self: Arc<Self>, request: Incoming) -> impl Future<Output = ()> + Send + 'static {
        drop(request);
        std::future::ready(())
    }
}
