//! A node to send to.

use std::{fmt, sync::Arc};

use bytes::Bytes;

use crate::{
    Call, CallError, ConnectError, Event, PeerId, Remote, Request,
    outbox::{Outbox, ReplySender},
    seam::Millis,
    shared::{PeerKey, Shared},
};

/// A node to send to. Cheap to clone. It is connected when there is something to send, and again when the connection is
/// lost; what has not left by then waits for the next one, within its deadline and in its order.
#[derive(Clone)]
pub struct Peer(pub(crate) Arc<PeerInner>);

#[derive(Debug)]
pub(crate) struct PeerInner {
    pub(crate) outbox: Outbox,
    pub(crate) shared: Arc<Shared>,
    pub(crate) expected: Option<PeerId>,
    pub(crate) address: Arc<str>,
}

/// Who is told of the ends of all calls that are [asked](Peer::ask), of many together:
/// [`Config::asker`](crate::Config::asker).
pub trait Asker: Send + Sync + 'static {
    /// These calls have ended. It runs on the transport's tasks and within the methods that end calls, as
    /// [`Peer::close`] does: it must not block, and whoever calls those must not hold what it needs.
    fn ended(&self, ends: Vec<CallEnd>);
}

/// How a call has ended that was [asked](Peer::ask).
#[derive(Debug)]
#[non_exhaustive]
pub struct CallEnd {
    /// As it was asked.
    pub token: [u64; 2],
    /// The reply, or why there is none.
    pub result: Result<Bytes, CallError>,
}

/// What is on its way to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Calls without a reply.
    pub calls: usize,
    /// Bytes that wait to be written, each message with 64 on top.
    pub queued_bytes: usize,
}

impl Peer {
    /// Sends a request, at once and without waiting: its place in its stream is taken when this returns. The future waits
    /// for the reply.
    ///
    /// While there is no connection the request waits for one until its deadline.
    ///
    /// # Errors
    /// The future's, also for what is found here: [`CallError::TooLarge`], [`CallError::Overloaded`] and their like.
    ///
    /// # Cancel safety
    /// See [`Call`].
    pub fn call(&self, request: Request) -> Call {
        let deadline = self.deadline(&request);
        let call = self.0.outbox.call(request, deadline);
        match call {
            Ok((id, reply)) => {
                self.0.shared.sweeper.stir(deadline);
                Call::waiting(id, reply, Arc::clone(&self.0))
            }
            Err(error) => Call::refused(error),
        }
    }

    /// Sends a request as [`call`](Peer::call) does, but no future waits for its end: the [`Asker`] of the settings is told,
    /// under this token; without one, nobody. Its id on this peer, for [`cancel`](Peer::cancel).
    ///
    /// # Errors
    /// As the future's, for what is found here: nothing was queued then, and the asker is not told.
    pub fn ask(&self, request: Request, token: [u64; 2]) -> Result<u64, CallError> {
        let deadline = self.deadline(&request);
        let id = self.0.outbox.ask(request, deadline, ReplySender::Asker(token))?;
        self.0.shared.sweeper.stir(deadline);
        Ok(id)
    }

    /// Cancels what was [asked](Peer::ask), as dropping a [`Call`] does. Its asker is not told of its end, unless that was on
    /// its way already.
    pub fn cancel(&self, id: u64) {
        self.0.outbox.cancel(id);
    }

    /// Sends a message that nobody answers, at once and without waiting. `Ok` means that it is queued: it is lost if the
    /// connection is, or if its deadline comes first, which is told as
    /// [`Event::CastsDropped`](crate::Event::CastsDropped).
    ///
    /// # Errors
    /// [`CallError::TooLarge`], [`CallError::Overloaded`], [`CallError::PeerClosing`], [`CallError::Closed`] and their like:
    /// it was not queued.
    pub fn cast(&self, request: Request) -> Result<(), CallError> {
        let deadline = self.deadline(&request);
        self.0.outbox.cast(request, deadline)?;
        self.0.shared.sweeper.stir(deadline);
        Ok(())
    }

    fn deadline(&self, request: &Request) -> Millis {
        let within = u64::try_from(request.within.as_millis()).unwrap_or(u64::MAX);
        // One more, since the millisecond that has begun is not over.
        self.0.shared.seam.now().saturating_add(within).saturating_add(1)
    }

    /// Waits until a message of `bytes` bytes may be queued and one more call made, or nothing is taken any more. Somebody
    /// else may be faster: the next call can be [`CallError::Overloaded`] all the same.
    ///
    /// # Cancel safety
    /// Dropping it changes nothing.
    pub async fn room(&self, bytes: usize) {
        self.0.outbox.room(bytes).await;
    }

    /// Waits for a connection.
    ///
    /// # Errors
    /// If the first attempt, or the one under way, fails. Later calls try again.
    ///
    /// # Cancel safety
    /// Dropping it changes nothing: the attempt goes on.
    pub async fn connect(&self) -> Result<Arc<Remote>, ConnectError> {
        self.0.outbox.connection().await
    }

    /// What is on its way to it.
    pub fn load(&self) -> Load {
        let (calls, queued_bytes) = self.0.outbox.load();
        Load { calls, queued_bytes }
    }

    /// The address that it is connected to.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// The node that is wanted there, if a certain one is.
    pub fn id(&self) -> Option<PeerId> {
        self.0.expected
    }

    /// Ends it at once, for all handles of it: calls end with [`CallError::Closed`], whose outcome tells whether they had
    /// left, and the connection is cut. The transport forgets it.
    pub fn close(&self) {
        self.0.close();
    }
}

impl PeerInner {
    pub(crate) fn key(&self) -> PeerKey {
        (self.expected, Arc::clone(&self.address))
    }

    pub(crate) fn close(self: &Arc<Self>) {
        let mut peers = self.shared.peers.lock();
        let key = self.key();
        if peers.get(&key).is_some_and(|peer| Arc::ptr_eq(peer, self)) {
            peers.remove(&key);
        }
        drop(peers);
        self.outbox.close();
        self.tell_dropped();
    }

    /// Tells how many casts were dropped since the last time.
    pub(crate) fn tell_dropped(&self) {
        let count = self.outbox.dropped_casts();
        if count > 0 {
            let address = Arc::clone(&self.address);
            self.shared.tell(Event::CastsDropped { peer: self.expected, address, count });
        }
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer").field("id", &self.0.expected).field("address", &self.0.address).finish_non_exhaustive()
    }
}
