//! The way out: the port to what carries messages to other nodes, and what it is given.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    actor::Actor,
    call_error::{CallError, Overload},
    cluster::Shard,
    codec,
    engine::Shared,
    mailbox::Envelope,
    name::ActorName,
    outcome::Outcome,
    reply::{Answer, Held, ReplyCell},
    slot::Sender,
    trace::TraceParent,
};

use super::chain::Callers;

/// Carries messages to the nodes that serve them.
///
/// To be correct:
/// - The messages of one shard are handled in the order in which they were taken, but for those that
///   [were returned](Outbound::was_returned), which go before the others.
/// - Each message is handled once at the most, and its [`Origin`] is told what became of it.
/// - It never blocks.
pub trait Router: Send + Sync + 'static {
    /// Takes a message for a name that is not served here at the moment.
    ///
    /// # Errors
    /// [`Unrouted`]; nothing was taken, and the origin is told by whoever called.
    fn route(&self, message: Outbound) -> Result<(), Unrouted>;

    /// Waits until there is room for a message to this actor that can wait. Calls do not ask.
    fn poll_room(&self, actor: &ActorName, cx: &mut Context<'_>) -> Poll<()>;

    /// How many messages it has that are not settled.
    fn routed(&self) -> usize;
}

/// Why a router has not taken a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unrouted {
    /// The shard is served here by now, and everything that was routed to it before is delivered: look here again.
    Here,
    /// The message is refused.
    Refused(CallError),
}

/// A message for a name that another node serves, or will serve.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outbound {
    /// The shard of its name.
    pub shard: Shard,
    /// Whom it is for.
    pub actor: ActorName,
    /// The version of its actor type.
    pub version: u32,
    /// The message itself, encoded.
    pub message: Bytes,
    /// Who waits for its answer; nobody waits for that of a cast.
    pub callers: Option<Callers>,
    /// How long it may take from now on, to about two tenths of a second; without a bound if it is a cast that has none.
    pub time_left: Option<Duration>,
    /// Whether it stood in a mailbox of this node already when its shard was given away: it goes before what was routed
    /// since.
    pub was_returned: bool,
    /// Whether it is to be refused where it would have to wait for room in the mailbox.
    pub no_wait: bool,
    /// The trace that it belongs to.
    pub trace: Option<TraceParent>,
    /// Who is told what becomes of it.
    pub origin: Arc<dyn Origin>,
}

/// Who is told what becomes of a message. Each method may be called from anywhere, but not under a lock that routing a
/// message takes.
pub trait Origin: Send + Sync + fmt::Debug {
    /// The message is about to leave this node: from now on it may have effect. `false`: nobody waits for it any more, and
    /// it is to be dropped.
    fn depart(&self) -> bool;

    /// The message has not been handled, and never will be where it was sent: it may be sent again.
    fn come_back(&self);

    /// The message to this actor has its answer. A second one is dropped.
    fn answer(&self, actor: &ActorName, answer: Result<Answered, CallError>);

    /// The deadline has passed of the message to this actor. `departed` says whether it may have had effect.
    fn expire(&self, actor: &ActorName, departed: bool);

    /// Has `hook` told when nobody waits for the answer any more, and there is none; at once, if that is so.
    fn when_given_up(&self, hook: Arc<dyn Abandoned>);
}

/// Is told that nobody waits for an answer any more.
pub trait Abandoned: Send + Sync {
    /// Nobody waits for it any more.
    fn abandoned(self: Arc<Self>);
}

/// The reply of a handler, encoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Answered {
    /// The reply; empty for a cast.
    pub reply: Bytes,
    /// Where the reply is the handler's own error, what is known of the message's effect.
    pub outcome: Outcome,
}

impl Answered {
    /// This reply, with what is known if it is an error.
    pub fn new(reply: Bytes, outcome: Outcome) -> Self {
        Answered { reply, outcome }
    }
}

/// The origin of a call.
impl<R: DeserializeOwned + Send + 'static> Origin for ReplyCell<R> {
    fn depart(&self) -> bool {
        self.start()
    }

    fn come_back(&self) {
        ReplyCell::come_back(self);
    }

    fn answer(&self, _: &ActorName, answer: Result<Answered, CallError>) {
        let answer = answer.map_err(from_afar).and_then(|Answered { reply, outcome }| match codec::decode(&reply) {
            Ok(reply) => Ok(Answer::Reply { reply, outcome }),
            Err(error) => Err(CallError::Codec { reason: error.to_string(), outcome: Outcome::Unknown }),
        });
        ReplyCell::answer(self, answer.unwrap_or_else(Answer::Failed));
    }

    fn expire(&self, _: &ActorName, _: bool) {
        // It is counted where it was refused.
        let _ = Held::expire(self, true);
    }

    fn when_given_up(&self, hook: Arc<dyn Abandoned>) {
        ReplyCell::when_given_up(self, hook);
    }
}

/// What another node said, as it is to be understood here.
fn from_afar(error: CallError) -> CallError {
    match error {
        CallError::Overloaded(Overload::Node) => CallError::Overloaded(Overload::Peer),
        error => error,
    }
}

/// The origin of casts: nobody waits, so that what becomes of them is only counted.
impl Origin for Shared {
    fn depart(&self) -> bool {
        true
    }

    fn come_back(&self) {}

    fn answer(&self, actor: &ActorName, answer: Result<Answered, CallError>) {
        if let Err(error) = answer {
            self.count_dropped_cast(actor, &from_afar(error));
        }
    }

    fn expire(&self, actor: &ActorName, departed: bool) {
        let outcome = if departed { Outcome::Unknown } else { Outcome::NotApplied };
        self.count_dropped_cast(actor, &CallError::TimedOut { outcome });
    }

    fn when_given_up(&self, _: Arc<dyn Abandoned>) {}
}

/// Where a message went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Routed {
    /// To the router.
    Away,
    /// Nowhere: its name is served here by now.
    Here,
}

/// Gives a message that was refused here to the router, if there is one and the refusal only says that another node
/// serves the name.
pub(crate) fn away<A: Actor>(
    shared: &Arc<Shared>,
    actor: &ActorName,
    shard: Shard,
    envelope: &Envelope<A>,
    (sender, no_wait): (Sender, bool),
    refusal: CallError,
) -> Result<Routed, CallError> {
    let Some(router) = shared.router() else { return Err(refusal) };
    if !matches!(refusal, CallError::NotOwner { .. } | CallError::Joining) {
        return Err(refusal);
    }
    if sender == Sender::Outside && shared.is_draining() {
        return Err(CallError::Stopped { outcome: Outcome::NotApplied });
    }
    match router.route(outbound(shared, actor, shard, envelope, OnItsWay { was_returned: false, no_wait })?) {
        Ok(()) => Ok(Routed::Away),
        Err(Unrouted::Here) => Ok(Routed::Here),
        Err(Unrouted::Refused(error)) => Err(error),
    }
}

/// Gives a message to the router that stood in a mailbox when its shard was given away. `Err`: what is to be told to whom
/// it came from.
pub(crate) fn give_back<A: Actor>(
    shared: &Arc<Shared>,
    actor: &ActorName,
    shard: Shard,
    envelope: &Envelope<A>,
    refusal: CallError,
) -> Result<(), CallError> {
    let Some(router) = shared.router() else { return Err(refusal) };
    match router.route(outbound(shared, actor, shard, envelope, OnItsWay { was_returned: true, no_wait: false })?) {
        Ok(()) => Ok(()),
        Err(Unrouted::Here) => Err(refusal),
        Err(Unrouted::Refused(error)) => Err(error),
    }
}

/// How a message goes.
struct OnItsWay {
    was_returned: bool,
    no_wait: bool,
}

fn outbound<A: Actor>(
    shared: &Arc<Shared>,
    actor: &ActorName,
    shard: Shard,
    envelope: &Envelope<A>,
    OnItsWay { was_returned, no_wait }: OnItsWay,
) -> Result<Outbound, CallError> {
    let message = codec::encode(&envelope.message)
        .map_err(|error| CallError::Codec { reason: error.to_string(), outcome: Outcome::NotApplied })?;
    let origin: Arc<dyn Origin> = match &envelope.reply {
        Some(cell) => {
            cell.goes_elsewhere();
            cell.clone()
        }
        None => shared.clone(),
    };
    let left = envelope.deadline.saturating_sub(shared.now());
    Ok(Outbound {
        shard,
        actor: actor.clone(),
        version: A::OPTIONS.version,
        message,
        callers: envelope.reply.is_some().then(|| Callers::of(envelope.waiting.as_ref())),
        time_left: (envelope.deadline != u64::MAX).then(|| Duration::from_millis(left)),
        was_returned,
        no_wait,
        trace: envelope.trace.as_deref().copied(),
        origin,
    })
}
