//! The way in: a message that another node has sent is handled like one of this node's own.

use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::{
    actor::Actor,
    call_error::CallError,
    cluster::Shard,
    codec,
    mailbox::{Envelope, Place, Ticket, Way},
    meter::Sample,
    name::ActorName,
    outcome::Outcome,
    placement::Placement,
    registry::Registry,
    reply::{Answer, ReplyCell},
    run::drop_user,
    slot::{SendError, Sender, Slot},
    trace::TraceParent,
};

use super::{Answered, Callers};

/// A message that another node has sent.
#[derive(Debug)]
pub struct Inbound {
    /// The shard of its name.
    pub shard: Shard,
    /// Whom it is for.
    pub actor: ActorName,
    /// The message itself, encoded.
    pub message: Bytes,
    /// Who waits for its answer; `None` for a cast.
    pub callers: Option<Callers>,
    /// How long it may take from now on.
    pub time_left: Option<Duration>,
    /// Whether it is one of this node's own after all, which had been on its way to another one. Else it is sent back to
    /// where it came from, if the shard is given away before its turn has come.
    pub is_own: bool,
    /// Whether it is to be refused where it would have to wait for room in the mailbox.
    pub no_wait: bool,
    /// The trace that it belongs to.
    pub trace: Option<TraceParent>,
}

/// The answer to a message that was delivered. Of a cast it comes when the mailbox has admitted it.
pub enum Delivered {
    /// It is a cast, and was admitted at once, or is one of this node's own: nobody is to be told of it.
    Admitted,
    /// It comes from this. Dropped before its end: a call that is queued is skipped, one whose handler has begun runs to its
    /// end.
    Later(BoxFuture<'static, Result<Answered, Unanswered>>),
}

impl fmt::Debug for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Delivered::Admitted) { "Admitted" } else { "Later" })
    }
}

/// What a message that was delivered came to, where it has no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unanswered {
    /// The error for who sent it.
    pub error: CallError,
    /// Whether its handler had begun. If not it never will here, and another node may handle it.
    pub was_started: bool,
}

impl Unanswered {
    fn started(error: CallError) -> Self {
        Unanswered { error, was_started: true }
    }
}

/// Why a message was not delivered. It was not started, and never will be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undelivered {
    /// Its name is not served here.
    NotHere,
    /// It is refused.
    Refused(CallError),
}

impl<A: Actor> Registry<A> {
    /// Puts a message that another node has sent into its actor's mailbox.
    pub(crate) fn deliver(self: &Arc<Self>, inbound: Inbound) -> Result<Delivered, Undelivered> {
        let Inbound { shard, actor, message, callers, time_left, no_wait, trace, is_own } = inbound;
        let way = if is_own { Way::Routed } else { Way::Afar };
        let message = codec::decode::<A::Message>(&message).map_err(|error| {
            Undelivered::Refused(CallError::Codec { reason: error.to_string(), outcome: Outcome::NotApplied })
        })?;
        let shared = &self.shared;
        let reply = callers
            .is_some()
            .then(|| Arc::new(ReplyCell::new(Waker::noop().clone(), Sample::begin(|| Some(&self.meter)))));
        let waiting = callers.and_then(|callers| callers.into_chain(&shared.engine, &shared.settings.namespace));
        let deadline = time_left.map_or(u64::MAX, |left| shared.deadline(left));
        let trace = trace.map(Arc::new);
        let mut envelope =
            Some(Envelope { message, reply: reply.clone(), deadline, waiting, timer: None, ticket: None, trace, way });
        let own_shard = || match A::OPTIONS.placement {
            Placement::Hash => shared.shard_of(&actor),
            // Who sent it has looked it up, and it never changes.
            Placement::Local => shard,
        };
        loop {
            let undelivered = match self.routed_slot(&actor, own_shard) {
                Ok(slot) => match slot.send(&mut envelope, Sender::Outside, no_wait) {
                    Ok(place) => {
                        return Ok(match reply {
                            Some(cell) => Delivered::Later(Box::pin(Called(cell).answer())),
                            // Of one's own, whoever empties the mailbox sees to it, wherever it stands there: told here that
                            // the shard is given away, it would be dropped, or overtaken by those behind it.
                            None if place.ticket.is_none() || is_own => Delivered::Admitted,
                            None => Delivered::Later(Box::pin(admitted(slot, place))),
                        });
                    }
                    Err(SendError::Retired) => continue,
                    Err(SendError::Refused(error)) => {
                        slot.retire_if_unused();
                        error
                    }
                },
                Err(error) => error,
            };
            drop_user(envelope);
            return Err(if is_elsewhere(&undelivered) {
                Undelivered::NotHere
            } else {
                Undelivered::Refused(undelivered)
            });
        }
    }
}

/// Whether an error only says that another node, or a later incarnation of this one, serves the name.
pub(crate) fn is_elsewhere(error: &CallError) -> bool {
    matches!(
        error,
        CallError::NotOwner { .. } | CallError::Joining | CallError::Stopped { outcome: Outcome::NotApplied }
    )
}

/// A call whose answer somebody on another node waits for.
struct Called<R>(Arc<ReplyCell<R>>);

impl<R: serde::Serialize + Send + 'static> Called<R> {
    async fn answer(self) -> Result<Answered, Unanswered> {
        match poll_fn(|cx| self.0.poll(cx)).await {
            Answer::Failed(error) => Err(Unanswered { error, was_started: !self.0.was_never_started() }),
            Answer::Reply { reply, outcome } => {
                let encoded = codec::encode(&reply);
                drop_user(reply);
                let reply = encoded.map_err(|error| {
                    Unanswered::started(CallError::Codec { reason: error.to_string(), outcome: Outcome::Unknown })
                })?;
                Ok(Answered::new(reply, outcome))
            }
        }
    }
}

impl<R> Drop for Called<R> {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

/// Waits until the mailbox has room for a cast.
async fn admitted<A: Actor>(slot: Arc<Slot<A>>, place: Place) -> Result<Answered, Unanswered> {
    let mut waits = WaitsForRoom(place.ticket.clone());
    let admitted = |cx: &mut Context<'_>| match slot.poll_admitted(&place, cx.waker()) {
        true => Poll::Ready(()),
        false => Poll::Pending,
    };
    poll_fn(admitted).await;
    waits.0 = None;
    // It was refused, or waited until its time was over: it has not begun.
    slot.settle(&place).map_err(|error| Unanswered { error, was_started: false })?;
    Ok(Answered::new(Bytes::new(), Outcome::NotApplied))
}

/// A cast that is taken back if nobody waits any more for it to be admitted.
struct WaitsForRoom(Option<Ticket>);

impl Drop for WaitsForRoom {
    fn drop(&mut self) {
        if let Some(ticket) = &self.0 {
            ticket.claim();
        }
    }
}
