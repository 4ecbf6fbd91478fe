//! The way out: messages of this node to names that are served elsewhere, or not yet here.

use std::{
    borrow::Cow,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use dna_core::{
    Abandoned, ActorName, Answered, CallError, Delivered, Inbound, NodeId, Outbound, Outcome, Overload, Router, Shard,
    Undelivered, Unrouted,
};
use dna_transport::{
    Asker, CallEnd, CallError as TransportError, Outcome as Left, Peer, Request, Side, limits::REQUEST_HEADER_BYTES_MAX,
};
use futures_util::future::Either;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{
    Inner,
    load::Counted,
    stream::{Departure, Phase, Push, Stream},
    wire::{Fate, Head},
};
use crate::{
    decide::{Misfit, misfit},
    limits::{ANSWER_GRACE, ANSWERED_IN_PLACE_BYTES_MAX, CAST_DEADLINE, RESEND_PAUSE, RESEND_PAUSE_MAX},
    membership::either,
    meter::{MESSAGES_BOUNCED, MESSAGES_RESENT},
    moment::Moment,
    view::View,
};

/// All that this node sends to one shard.
#[derive(Debug)]
pub(super) struct Outgoing {
    stream: Stream<NodeId, Arc<Routed>>,
    /// The way to the node that the stream was last opened to.
    way: Option<Peer>,
    /// The actor type, and its version, that this node was found to know last: it always will.
    fits: Option<(NodeId, String, u32)>,
    lead: Lead,
    /// When what was sent back may be sent again, where nothing new is known of the shard.
    retry_at: Option<Moment>,
    pause: Duration,
}

/// Where a shard's messages are to go, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// Nowhere for now.
    Nowhere,
    /// To this node.
    To(NodeId),
    /// To the actors of this node, which owns the shard since that epoch.
    Here(u64),
}

/// A message on its way.
#[derive(Debug)]
pub(super) struct Routed {
    outbound: Outbound,
    expires: Option<Moment>,
    /// What its caller cancels by giving up: its id in the stream, under which it was sent last, and that of the call.
    sent: AtomicU64,
    call: AtomicU64,
    counted: Counted,
}

impl Abandoned for Routed {
    fn abandoned(self: Arc<Self>) {
        if let Some(inner) = self.counted.routing().upgrade() {
            inner.abandoned(&self);
        }
    }
}

/// What is to be done behind the lock of a shard's messages, since it may do anything.
#[derive(Debug, Default)]
pub(super) struct Behind(Vec<Task>);

#[derive(Debug)]
enum Task {
    /// A call has left: hear of it when its caller gives up.
    Listen(Arc<Routed>),
    /// A message has come to its end.
    Answer(Arc<Routed>, Result<Answered, CallError>),
    /// A message's deadline has passed; whether it may have had effect by then.
    Expire(Arc<Routed>, bool),
}

impl Task {
    fn run(self, inner: &Inner) {
        match self {
            Task::Listen(routed) => routed.outbound.origin.when_given_up(routed.clone()),
            Task::Expire(routed, departed) => routed.expire(departed),
            // What takes long to decode must not hold back what else the connection brings.
            Task::Answer(routed, Ok(answered)) if answered.reply.len() > ANSWERED_IN_PLACE_BYTES_MAX => {
                inner.seam.spawn(async move { routed.answer(Ok(answered)) });
            }
            Task::Answer(routed, answer) => routed.answer(answer),
        }
    }
}

impl Behind {
    fn run(self, inner: &Inner) {
        self.0.into_iter().for_each(|task| task.run(inner));
    }
}

impl Routed {
    fn time_left(&self, now: Moment) -> Option<Duration> {
        self.expires.map(|expires| expires.since(now))
    }

    fn has_expired(&self, now: Moment) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    fn answer(&self, answer: Result<Answered, CallError>) {
        self.outbound.origin.answer(&self.outbound.actor, answer);
    }

    fn expire(&self, departed: bool) {
        self.outbound.origin.expire(&self.outbound.actor, departed);
    }
}

impl Default for Outgoing {
    fn default() -> Self {
        Outgoing {
            stream: Stream::new(),
            way: None,
            fits: None,
            lead: Lead::Nowhere,
            retry_at: None,
            pause: RESEND_PAUSE,
        }
    }
}

impl Outgoing {
    fn back_off(&mut self, now: Moment) {
        self.retry_at = Some(now.after(self.pause));
        self.pause = (self.pause * 2).min(RESEND_PAUSE_MAX);
    }
}

/// Routing as the engine knows it, which it does not keep alive.
pub(super) struct Weakly(pub(super) Weak<Inner>);

impl Router for Weakly {
    fn route(&self, message: Outbound) -> Result<(), Unrouted> {
        match self.0.upgrade() {
            Some(inner) => inner.route(message),
            None => Err(Unrouted::Refused(CallError::Stopped { outcome: Outcome::NotApplied })),
        }
    }

    fn poll_room(&self, actor: &ActorName, cx: &mut Context<'_>) -> Poll<()> {
        self.0.upgrade().map_or(Poll::Ready(()), |inner| inner.load.poll_room(actor, cx))
    }

    fn routed(&self) -> usize {
        self.0.upgrade().map_or(0, |inner| inner.load.messages())
    }
}

impl Inner {
    fn route(&self, message: Outbound) -> Result<(), Unrouted> {
        let Some(outgoing) = self.outgoing(message.shard) else {
            return Err(Unrouted::Refused(CallError::NotOwner { owner: None }));
        };
        let shard = message.shard;
        let was_returned = message.was_returned;
        let counted = self.load.count(&message.actor, message.message.len(), was_returned);
        let counted = counted.ok_or(Unrouted::Refused(CallError::Overloaded(Overload::Routes)))?;
        let within = message.time_left;
        let expires = within.map(|left| self.seam.now().after(left));
        let (sent, call) = (AtomicU64::new(0), AtomicU64::new(0));
        let routed = Arc::new(Routed { outbound: message, expires, sent, call, counted });
        let mut behind = Behind::default();
        let mut outgoing = outgoing.lock();
        if was_returned && outgoing.stream.phase() != Phase::Here {
            outgoing.stream.push_returned(routed);
        } else {
            match outgoing.stream.push(routed) {
                Push::Here(routed) => return Err(self.refused_here(&routed)),
                Push::Send(departure) => {
                    let task = self.depart(shard, &mut outgoing, departure, within);
                    drop(outgoing);
                    if let Some(task) = task {
                        task.run(self);
                    }
                    return Ok(());
                }
                Push::Waits => self.advance(shard, &mut outgoing, &mut behind),
            }
        }
        let waits = outgoing.stream.waits();
        drop(outgoing);
        behind.run(self);
        if waits {
            self.stir(shard);
        }
        Ok(())
    }

    /// Sends a message, which may take so long. What cannot be sent now goes back into the stream.
    fn depart(
        &self,
        shard: Shard,
        outgoing: &mut Outgoing,
        departure: Departure<NodeId, Arc<Routed>>,
        time_left: Option<Duration>,
    ) -> Option<Task> {
        let Departure { node, number, id, message: routed } = departure;
        if !routed.outbound.origin.depart() {
            outgoing.stream.settled(id);
            return None;
        }
        if let Some(error) = self.unfit(outgoing, node, &routed.outbound) {
            outgoing.stream.settled(id);
            return Some(Task::Answer(routed, Err(error)));
        }
        let Outbound { actor, message, callers, trace, no_wait, .. } = &routed.outbound;
        let head = Head {
            view: self.version(),
            number,
            namespace: actor.namespace(),
            kind: actor.kind(),
            name: actor.name(),
            callers: callers.as_ref().map(Cow::Borrowed),
            trace: *trace,
            no_wait: *no_wait,
            no_deadline: routed.expires.is_none(),
        };
        let sent = outgoing.way.as_ref().and_then(|peer| {
            let (header, body) = head.request(message, REQUEST_HEADER_BYTES_MAX).ok()?;
            let within = time_left.map_or(CAST_DEADLINE, |left| left + ANSWER_GRACE);
            let request = Request::new(body).header(header).stream(u64::from(shard.0) + 1).within(within);
            Some(peer.ask(request, [u64::from(shard.0), id]))
        });
        match sent {
            Some(Ok(_)) if callers.is_none() => None,
            Some(Ok(call)) => {
                routed.sent.store(id, Ordering::Relaxed);
                routed.call.store(call, Ordering::Relaxed);
                Some(Task::Listen(routed))
            }
            Some(Err(refusal @ (TransportError::TooLarge { .. } | TransportError::HeaderTooLarge { .. }))) => {
                outgoing.stream.settled(id);
                let reason = refusal.to_string();
                Some(Task::Answer(routed, Err(CallError::Codec { reason, outcome: Outcome::NotApplied })))
            }
            Some(Err(_)) | None => {
                routed.outbound.origin.come_back();
                outgoing.stream.bounced(id);
                outgoing.back_off(self.seam.now());
                self.stir(shard);
                None
            }
        }
    }

    /// A message that was sent has come to its end, or back.
    fn returned(&self, outgoing: &mut Outgoing, id: u64, answer: Result<Bytes, TransportError>) -> Returned {
        let Some(routed) = outgoing.stream.outstanding(id).cloned() else { return Returned::Settled(None) };
        let origin = &routed.outbound.origin;
        let fate = match answer {
            Ok(bytes) => Fate::decode(bytes).unwrap_or_else(|error| {
                Fate::Failed(CallError::Codec { reason: error.to_string(), outcome: Outcome::Unknown })
            }),
            Err(TransportError::DeadlineExceeded { outcome }) => {
                if outcome == Left::NotHandled {
                    origin.come_back();
                }
                outgoing.stream.settled(id);
                return Returned::Settled(Some(Task::Expire(routed, outcome == Left::Unknown)));
            }
            Err(TransportError::Overloaded { side: Side::There, .. }) => {
                origin.come_back();
                Fate::Failed(CallError::Overloaded(Overload::Peer))
            }
            Err(TransportError::Panicked) => Fate::Failed(CallError::Panicked { outcome: Outcome::Unknown }),
            Err(error @ TransportError::ReplyTooLarge) => {
                Fate::Failed(CallError::Codec { reason: error.to_string(), outcome: Outcome::Unknown })
            }
            Err(error) if error.outcome() == Left::NotHandled => Fate::Bounced { view: 0 },
            Err(_) => Fate::Failed(CallError::Disconnected),
        };
        let answer = match fate {
            Fate::Answered(answered) => Ok(answered),
            Fate::Failed(error) => Err(error),
            Fate::Bounced { view } => {
                origin.come_back();
                outgoing.stream.bounced(id);
                MESSAGES_BOUNCED.add(&[], 1);
                return Returned::Bounced { view };
            }
        };
        outgoing.stream.settled(id);
        // Nobody waits for that of a cast, unless to count what was dropped.
        let is_told = routed.outbound.callers.is_some() || answer.is_err();
        Returned::Settled(is_told.then(|| Task::Answer(routed, answer)))
    }

    /// Nobody waits any more for the answer to a message that was sent.
    fn abandoned(&self, routed: &Arc<Routed>) {
        let shard = routed.outbound.shard;
        let Some(outgoing) = self.outgoing(shard) else { return };
        let mut behind = Behind::default();
        {
            let mut outgoing = outgoing.lock();
            let Outgoing { stream, way, .. } = &mut *outgoing;
            // It may be over, or have been sent back, or be for this node by now.
            let id = routed.sent.load(Ordering::Relaxed);
            if !stream.outstanding(id).is_some_and(|outstanding| Arc::ptr_eq(outstanding, routed)) {
                return;
            }
            if let Some(peer) = way {
                peer.cancel(routed.call.load(Ordering::Relaxed));
            }
            stream.settled(id);
            outgoing.pause = RESEND_PAUSE;
            self.advance(shard, &mut outgoing, &mut behind);
        }
        behind.run(self);
    }

    /// These messages to a shard have come to their end, or back.
    fn all_returned(&self, shard: Shard, answers: impl ExactSizeIterator<Item = CallEnd>) {
        let Some(outgoing) = self.outgoing(shard) else { return answers.for_each(drop) };
        let mut behind = Behind(Vec::with_capacity(answers.len()));
        let mut bounced = None;
        {
            let mut outgoing = outgoing.lock();
            for CallEnd { token: [_, id], result, .. } in answers {
                match self.returned(&mut outgoing, id, result) {
                    Returned::Settled(task) => {
                        behind.0.extend(task);
                        outgoing.pause = RESEND_PAUSE;
                    }
                    Returned::Bounced { view } => {
                        bounced = bounced.max(Some(view));
                        outgoing.back_off(self.seam.now());
                    }
                }
            }
            self.advance(shard, &mut outgoing, &mut behind);
        }
        behind.run(self);
        if let Some(view) = bounced {
            self.learn(view);
            self.stir(shard);
        }
    }

    /// Opens the stream to a shard where it leads, if it may be opened.
    fn advance(&self, shard: Shard, outgoing: &mut Outgoing, behind: &mut Behind) {
        if let Phase::Open(node) = outgoing.stream.phase()
            && outgoing.lead != Lead::To(node)
        {
            outgoing.stream.close();
        }
        if outgoing.stream.phase() != Phase::Closed || !outgoing.stream.is_settled() {
            return;
        }
        match outgoing.lead {
            Lead::Nowhere => {}
            Lead::Here(epoch) => self.gain(shard, outgoing, epoch, behind),
            Lead::To(node) => {
                // Nothing is opened for nothing: a node that sends nothing to a shard has no stream there.
                let now = self.seam.now();
                if !outgoing.stream.waits() || outgoing.retry_at.is_some_and(|at| now < at) {
                    return;
                }
                outgoing.retry_at = None;
                if outgoing.stream.came_back() > 0 {
                    MESSAGES_RESENT.add(&[], outgoing.stream.came_back() as u64);
                }
                outgoing.way = self.session().and_then(|session| session.peer(node));
                for departure in outgoing.stream.open(node) {
                    if outgoing.stream.phase() == Phase::Closed {
                        // One before it came back at once: it goes behind that.
                        outgoing.stream.bounced(departure.id);
                    } else {
                        let time_left = departure.message.time_left(now);
                        behind.0.extend(self.depart(shard, outgoing, departure, time_left));
                    }
                }
            }
        }
    }

    /// The shard is this node's: the others are served at once, whatever this node itself may have on its way to who had it
    /// before.
    fn serve_others(&self, shard: Shard, epoch: u64) {
        self.member.own_routed(shard, epoch);
        self.arrivals(shard).into_iter().for_each(|arrivals| arrivals.lock().owned = true);
    }

    /// Nothing of this node is on its way to who had the shard before: what waits goes first, and then what its own callers
    /// send.
    fn gain(&self, shard: Shard, outgoing: &mut Outgoing, epoch: u64, behind: &mut Behind) {
        outgoing.way = None;
        for routed in outgoing.stream.open_here() {
            behind.0.extend(self.deliver_here(routed));
        }
        self.member.own(&[(shard, epoch)]);
    }

    /// Of a message for this node's own actors: that it is, or that this node does not know their type.
    fn refused_here(&self, routed: &Routed) -> Unrouted {
        let unknown = CallError::UnknownActor { kind: routed.outbound.actor.kind().to_owned() };
        match self.or_unknown_here(&routed.outbound, unknown) {
            CallError::UnknownActor { .. } => Unrouted::Here,
            error => Unrouted::Refused(error),
        }
    }

    /// Says of a type that this node does not know who does.
    fn or_unknown_here(&self, outbound: &Outbound, error: CallError) -> CallError {
        let me = self.session().map(|session| session.me);
        let misfit = me.and_then(|me| self.misfit(me, outbound));
        misfit.filter(|_| matches!(error, CallError::UnknownActor { .. })).unwrap_or(error)
    }

    /// Why a node does not serve a message, if it does not know its actor type in the message's version: what it knows
    /// never changes.
    fn misfit(&self, node: NodeId, outbound: &Outbound) -> Option<CallError> {
        misfit_in(&self.session()?.seen()?.view, node, outbound)
    }

    /// As [`Inner::misfit`] for a message that is about to be sent there; what has been found to fit is not looked for again.
    fn unfit(&self, outgoing: &mut Outgoing, node: NodeId, outbound: &Outbound) -> Option<CallError> {
        let (kind, version) = (outbound.actor.kind(), outbound.version);
        if outgoing.fits.as_ref().is_some_and(|(at, known, of)| *at == node && *of == version && known == kind) {
            return None;
        }
        let seen = self.session()?.seen()?;
        seen.view.member(node)?;
        let misfit = misfit_in(&seen.view, node, outbound);
        if misfit.is_none() {
            outgoing.fits = Some((node, kind.to_owned(), version));
        }
        misfit
    }

    fn deliver_here(&self, routed: Arc<Routed>) -> Option<Task> {
        let Outbound { shard, actor, message, callers, origin, trace, no_wait, .. } = &routed.outbound;
        if !origin.depart() {
            return None;
        }
        let time_left = routed.time_left(self.seam.now());
        let (actor, message, callers, trace) = (actor.clone(), message.clone(), callers.clone(), *trace);
        let inbound =
            Inbound { shard: *shard, actor, message, callers, time_left, no_wait: *no_wait, trace, is_own: true };
        match self.member.deliver(inbound) {
            Ok(Delivered::Admitted) => None,
            Ok(Delivered::Later(answer)) => {
                self.seam.spawn(async move {
                    let (given_up, hook) = oneshot::channel::<()>();
                    routed.outbound.origin.when_given_up(Arc::new(Tells(Mutex::new(Some(given_up)))));
                    if let Either::Left(answer) = either(answer, until_given_up(hook)).await {
                        routed.answer(answer.map_err(|unanswered| unanswered.error));
                    }
                });
                None
            }
            Err(Undelivered::Refused(error)) => {
                let error = self.or_unknown_here(&routed.outbound, error);
                Some(Task::Answer(routed, Err(error)))
            }
            Err(_) => {
                origin.come_back();
                Some(Task::Answer(routed, Err(CallError::NotOwner { owner: None })))
            }
        }
    }

    /// Follows what is known of a shard.
    pub(super) fn lead(&self, shard: Shard, lead: Lead) {
        let Some(outgoing) = self.outgoing(shard) else { return };
        let mut behind = Behind::default();
        self.follow(shard, &mut outgoing.lock(), lead, &mut behind);
        behind.run(self);
    }

    fn follow(&self, shard: Shard, outgoing: &mut Outgoing, lead: Lead, behind: &mut Behind) {
        if outgoing.lead != lead {
            outgoing.lead = lead;
            (outgoing.retry_at, outgoing.pause) = (None, RESEND_PAUSE);
            if outgoing.stream.phase() == Phase::Here {
                outgoing.stream.close();
            }
            if let Lead::Here(epoch) = lead {
                self.serve_others(shard, epoch);
            }
        }
        self.advance(shard, outgoing, behind);
    }

    /// Follows what a view says of a shard: nothing that this node has not been told to own is its own.
    pub(super) fn lead_by_view(&self, shard: Shard, owner: Option<NodeId>, me: NodeId, version: u64) {
        let Some(outgoing) = self.outgoing(shard) else { return };
        let mut outgoing = outgoing.lock();
        let lead = match (owner, outgoing.lead) {
            // It came to be this node's by a later view, or still is.
            (_, Lead::Here(epoch)) if version < epoch => return,
            (Some(node), Lead::Here(_)) if node == me => return,
            (Some(node), _) if node != me => Lead::To(node),
            _ => Lead::Nowhere,
        };
        let mut behind = Behind::default();
        self.follow(shard, &mut outgoing, lead, &mut behind);
        drop(outgoing);
        behind.run(self);
    }

    /// Gives up what has waited too long, and sends again what may be sent again. Whether there is more to look after.
    pub(super) fn look_after(&self, shard: Shard) -> bool {
        let Some(outgoing) = self.outgoing(shard) else { return false };
        let now = self.seam.now();
        let mut behind = Behind::default();
        let (expired, more) = {
            let mut outgoing = outgoing.lock();
            let expired = outgoing.stream.take_out(|routed| routed.has_expired(now));
            self.advance(shard, &mut outgoing, &mut behind);
            (expired, outgoing.stream.waits())
        };
        behind.run(self);
        expired.iter().for_each(|routed| routed.expire(false));
        more
    }

    /// Nothing that waits will be sent any more.
    pub(super) fn give_up(&self, shard: Shard) {
        let Some(outgoing) = self.outgoing(shard) else { return };
        let over = outgoing.lock().stream.take_out(|_| true);
        for routed in over {
            routed.answer(Err(CallError::Stopped { outcome: Outcome::NotApplied }));
        }
    }
}

impl Asker for Inner {
    fn ended(&self, ends: Vec<CallEnd>) {
        let mut ends = ends.into_iter();
        while let Some(CallEnd { token: [shard, _], .. }) = ends.as_slice().first() {
            let shard = *shard;
            let same = ends.as_slice().iter().take_while(|end| end.token.first() == Some(&shard)).count();
            // A token is made of one.
            self.all_returned(Shard(u32::try_from(shard).unwrap_or(u32::MAX)), ends.by_ref().take(same));
        }
    }
}

/// What has become of a message that was sent.
enum Returned {
    /// It has come to its end, and this is to be done.
    Settled(Option<Task>),
    /// It was sent back by a node that knows a view of this version.
    Bounced { view: u64 },
}

/// Says so when nobody waits any more.
struct Tells(Mutex<Option<oneshot::Sender<()>>>);

impl Abandoned for Tells {
    fn abandoned(self: Arc<Self>) {
        // Nobody listens once there is an answer.
        let _ = self.0.lock().take().map(|given_up| given_up.send(()));
    }
}

/// Why a member does not serve a message.
fn misfit_in(view: &View, node: NodeId, outbound: &Outbound) -> Option<CallError> {
    Some(match misfit(view, node, outbound.actor.kind(), outbound.version)? {
        Misfit::Unknown(mismatch) => CallError::UnknownType(Box::new(mismatch)),
        Misfit::Version(mismatch) => CallError::VersionMismatch(Box::new(mismatch)),
    })
}

/// Ends when the other side says so, and not when it is gone.
async fn until_given_up(hook: oneshot::Receiver<()>) {
    if hook.await.is_err() {
        std::future::pending::<()>().await;
    }
}
