//! A call under way.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;

use crate::{CallError, Outcome, outbox::ReplyReceiver, peer::PeerInner};

/// A call under way: it was sent when it was made, and ends with the reply.
///
/// # Errors
/// [`CallError`]; its [`outcome`](CallError::outcome) tells whether the same request may be sent again.
///
/// # Cancel safety
/// Dropping it cancels the call: a request that has not left never will; of one that has left, the peer drops the handler's
/// future where it waits.
#[must_use = "dropping a call cancels it"]
pub struct Call(State);

enum State {
    Refused(Option<CallError>),
    Waiting { reply: ReplyReceiver, peer: Arc<PeerInner>, id: u64 },
    Over,
}

impl Call {
    pub(crate) fn refused(error: CallError) -> Self {
        Call(State::Refused(Some(error)))
    }

    pub(crate) fn waiting(id: u64, reply: ReplyReceiver, peer: Arc<PeerInner>) -> Self {
        Call(State::Waiting { reply, peer, id })
    }

    /// The error of a call that was not taken: nothing was queued. `None` if it was, or if this was asked before.
    pub fn take_refusal(&mut self) -> Option<CallError> {
        match &mut self.0 {
            State::Refused(error) => error.take(),
            State::Waiting { .. } | State::Over => None,
        }
    }
}

impl Future for Call {
    type Output = Result<Bytes, CallError>;

    /// Must not be polled again after it has ended.
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let closed = CallError::Closed { outcome: Outcome::Unknown };
        let result = match &mut self.0 {
            State::Refused(error) => Err(error.take().unwrap_or(closed)),
            State::Waiting { reply, .. } => ready!(Pin::new(reply).poll(cx)).unwrap_or(Err(closed)),
            State::Over => return Poll::Pending,
        };
        self.0 = State::Over;
        Poll::Ready(result)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let State::Waiting { peer, id, .. } = &self.0 {
            peer.outbox.cancel(*id);
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.0 {
            State::Refused(_) => "refused",
            State::Waiting { .. } => "waiting",
            State::Over => "over",
        };
        f.debug_tuple("Call").field(&state).finish()
    }
}
