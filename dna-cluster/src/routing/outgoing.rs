//! The way out: messages of this node to names that are served elsewhere, or not yet here.

use std::{
    sync::{Arc, Weak},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use dna_core::{
    ActorName, CallError, Inbound, NodeId, Outbound, Outcome, Overload, Router, Shard, Undelivered, Unrouted,
};
use dna_transport::{CallError as TransportError, Outcome as Left, Request, Side, limits::REQUEST_HEADER_BYTES_MAX};
use futures_util::future::Either;
use tokio::sync::oneshot;

use super::{
    Inner,
    load::Counted,
    stream::{Departure, Phase, Push, Stream},
    wire::{Fate, Head},
};
use crate::{
    limits::{ANSWER_GRACE, CAST_DEADLINE, RESEND_PAUSE, RESEND_PAUSE_MAX},
    membership::either,
    meter::{MESSAGES_BOUNCED, MESSAGES_RESENT},
    moment::Moment,
};

/// All that this node sends to one shard.
#[derive(Debug)]
pub(super) struct Outgoing {
    stream: Stream<NodeId, Arc<Routed>>,
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
    _counted: Counted,
}

impl Routed {
    fn time_left(&self, now: Moment) -> Option<Duration> {
        self.expires.map(|expires| expires.since(now))
    }

    fn has_expired(&self, now: Moment) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Default for Outgoing {
    fn default() -> Self {
        Outgoing { stream: Stream::new(), lead: Lead::Nowhere, retry_at: None, pause: RESEND_PAUSE }
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
        let now = self.seam.now();
        let shard = message.shard;
        let was_returned = message.was_returned;
        let actor = &message.actor;
        let counted = if was_returned { Some(self.load.count_returned(actor)) } else { self.load.count(actor) };
        let counted = counted.ok_or(Unrouted::Refused(CallError::Overloaded(Overload::Routes)))?;
        let expires = message.time_left.map(|left| now.after(left));
        let routed = Arc::new(Routed { outbound: message, expires, _counted: counted });
        let mut outgoing = outgoing.lock();
        if was_returned && outgoing.stream.phase() != Phase::Here {
            outgoing.stream.push_returned(routed);
        } else {
            match outgoing.stream.push(routed) {
                Push::Here(_) => return Err(Unrouted::Here),
                Push::Send(departure) => {
                    self.depart(shard, &mut outgoing, departure);
                    return Ok(());
                }
                Push::Waits => self.advance(shard, &mut outgoing),
            }
        }
        let waits = outgoing.stream.waits();
        drop(outgoing);
        if waits {
            self.stir(shard);
        }
        Ok(())
    }

    /// Sends a message. What cannot be sent now goes back into the stream.
    fn depart(&self, shard: Shard, outgoing: &mut Outgoing, departure: Departure<NodeId, Arc<Routed>>) {
        let Departure { node, number, id, message: routed } = departure;
        if !routed.outbound.origin.depart() {
            outgoing.stream.settled(id);
            return;
        }
        let now = self.seam.now();
        let call = self.session().and_then(|session| {
            let (peer, view) = session.peer(node)?;
            let actor = &routed.outbound.actor;
            let head = Head {
                view,
                number,
                namespace: actor.namespace().to_owned(),
                kind: actor.kind().to_owned(),
                name: actor.name().to_owned(),
                callers: routed.outbound.callers.clone(),
                traceparent: routed.outbound.trace.map(|trace| trace.to_string()),
            };
            let (header, body) = head.request(routed.outbound.message.clone(), REQUEST_HEADER_BYTES_MAX).ok()?;
            let within = routed.time_left(now).map_or(CAST_DEADLINE, |left| left + ANSWER_GRACE);
            let stream = u64::from(shard.0) + 1;
            Some(peer.call(Request::new(body).header(header).stream(stream).within(within)))
        });
        let refusal = match call {
            None => None,
            Some(mut call) => match call.take_refusal() {
                Some(refusal) => Some(refusal),
                None => {
                    let inner = self.me();
                    self.seam.spawn(async move {
                        let (given_up, hook) = oneshot::channel::<()>();
                        routed.outbound.origin.when_given_up(Box::new(move || {
                            // Nobody listens once there is an answer.
                            let _ = given_up.send(());
                        }));
                        let answer = match either(call, until_given_up(hook)).await {
                            Either::Left(answer) => Some(answer),
                            Either::Right(()) => None,
                        };
                        if let Some(inner) = inner {
                            inner.returned(shard, id, &routed, answer);
                        }
                    });
                    return;
                }
            },
        };
        match refusal {
            Some(refusal @ (TransportError::TooLarge { .. } | TransportError::HeaderTooLarge { .. })) => {
                outgoing.stream.settled(id);
                let reason = refusal.to_string();
                routed.outbound.origin.answer(Err(CallError::Codec { reason, outcome: Outcome::NotApplied }));
            }
            _ => {
                routed.outbound.origin.come_back();
                outgoing.stream.bounced(id);
                outgoing.back_off(now);
                self.stir(shard);
            }
        }
    }

    /// A message has come to its end, or back. No answer: nobody waits for one any more.
    fn returned(&self, shard: Shard, id: u64, routed: &Routed, answer: Option<Result<Bytes, TransportError>>) {
        let origin = &routed.outbound.origin;
        let fate = match answer {
            None => return self.settled(shard, id),
            Some(Ok(bytes)) => Fate::decode(bytes).unwrap_or_else(|error| {
                Fate::Failed(CallError::Codec { reason: error.to_string(), outcome: Outcome::Unknown })
            }),
            Some(Err(TransportError::DeadlineExceeded { outcome })) => {
                if outcome == Left::NotHandled {
                    origin.come_back();
                }
                self.settled(shard, id);
                return origin.expire(outcome == Left::Unknown);
            }
            Some(Err(TransportError::Overloaded { side: Side::There, .. })) => {
                origin.come_back();
                Fate::Failed(CallError::Overloaded(Overload::Peer))
            }
            Some(Err(TransportError::Panicked)) => Fate::Failed(CallError::Panicked { outcome: Outcome::Unknown }),
            Some(Err(error @ TransportError::ReplyTooLarge)) => {
                Fate::Failed(CallError::Codec { reason: error.to_string(), outcome: Outcome::Unknown })
            }
            Some(Err(error)) if error.outcome() == Left::NotHandled => Fate::Bounced { view: 0 },
            Some(Err(_)) => Fate::Failed(CallError::Disconnected),
        };
        match fate {
            Fate::Answered(answered) => {
                self.settled(shard, id);
                origin.answer(Ok(answered));
            }
            Fate::Failed(error) => {
                self.settled(shard, id);
                origin.answer(Err(error));
            }
            Fate::Bounced { view } => {
                origin.come_back();
                self.bounced(shard, id, view);
            }
        }
    }

    fn settled(&self, shard: Shard, id: u64) {
        let Some(outgoing) = self.outgoing(shard) else { return };
        let mut outgoing = outgoing.lock();
        outgoing.stream.settled(id);
        outgoing.pause = RESEND_PAUSE;
        self.advance(shard, &mut outgoing);
    }

    /// A message was sent back by a node that knows a view of this version.
    fn bounced(&self, shard: Shard, id: u64, view: u64) {
        MESSAGES_BOUNCED.add(&[], 1);
        let Some(outgoing) = self.outgoing(shard) else { return };
        {
            let mut outgoing = outgoing.lock();
            outgoing.stream.bounced(id);
            outgoing.back_off(self.seam.now());
            self.advance(shard, &mut outgoing);
        }
        self.learn(view);
        self.stir(shard);
    }

    /// Opens the stream to a shard where it leads, if it may be opened.
    pub(super) fn advance(&self, shard: Shard, outgoing: &mut Outgoing) {
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
            Lead::Here(epoch) => self.gain(shard, outgoing, epoch),
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
                for departure in outgoing.stream.open(node) {
                    if outgoing.stream.phase() == Phase::Closed {
                        // One before it came back at once: it goes behind that.
                        outgoing.stream.bounced(departure.id);
                    } else {
                        self.depart(shard, outgoing, departure);
                    }
                }
            }
        }
    }

    /// The shard is this node's: what waits goes first, and then what its own callers send.
    fn gain(&self, shard: Shard, outgoing: &mut Outgoing, epoch: u64) {
        self.member.own_routed(shard, epoch);
        self.arrivals(shard).into_iter().for_each(|arrivals| arrivals.lock().owned = true);
        for routed in outgoing.stream.open_here() {
            self.deliver_here(&routed);
        }
        self.member.own(&[(shard, epoch)]);
    }

    fn deliver_here(&self, routed: &Arc<Routed>) {
        let Outbound { actor, message, callers, origin, trace, .. } = &routed.outbound;
        if !origin.depart() {
            return;
        }
        let time_left = routed.time_left(self.seam.now());
        let (actor, message, callers, trace) = (actor.clone(), message.clone(), callers.clone(), *trace);
        let inbound = Inbound { actor, message, callers, time_left, trace };
        match self.member.deliver(inbound) {
            Ok(delivered) => {
                let routed = routed.clone();
                self.seam.spawn(async move {
                    let (given_up, hook) = oneshot::channel::<()>();
                    routed.outbound.origin.when_given_up(Box::new(move || {
                        // Nobody listens once there is an answer.
                        let _ = given_up.send(());
                    }));
                    if let Either::Left(answer) = either(delivered, until_given_up(hook)).await {
                        routed.outbound.origin.answer(answer.map_err(|unanswered| unanswered.error));
                    }
                });
            }
            Err(Undelivered::Refused(error)) => origin.answer(Err(error)),
            Err(_) => {
                origin.come_back();
                origin.answer(Err(CallError::NotOwner { owner: None }));
            }
        }
    }

    /// Follows what is known of a shard.
    pub(super) fn lead(&self, shard: Shard, lead: Lead) {
        let Some(outgoing) = self.outgoing(shard) else { return };
        self.follow(shard, &mut outgoing.lock(), lead);
    }

    fn follow(&self, shard: Shard, outgoing: &mut Outgoing, lead: Lead) {
        if outgoing.lead != lead {
            outgoing.lead = lead;
            (outgoing.retry_at, outgoing.pause) = (None, RESEND_PAUSE);
            if outgoing.stream.phase() == Phase::Here {
                outgoing.stream.close();
            }
        }
        self.advance(shard, outgoing);
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
        self.follow(shard, &mut outgoing, lead);
    }

    /// Gives up what has waited too long, and sends again what may be sent again. Whether there is more to look after.
    pub(super) fn look_after(&self, shard: Shard) -> bool {
        let Some(outgoing) = self.outgoing(shard) else { return false };
        let now = self.seam.now();
        let (expired, more) = {
            let mut outgoing = outgoing.lock();
            let expired = outgoing.stream.take_out(|routed| routed.has_expired(now));
            self.advance(shard, &mut outgoing);
            (expired, outgoing.stream.waits())
        };
        expired.iter().for_each(|routed| routed.outbound.origin.expire(false));
        more
    }

    /// Nothing that waits will be sent any more.
    pub(super) fn give_up(&self, shard: Shard) {
        let Some(outgoing) = self.outgoing(shard) else { return };
        let over = outgoing.lock().stream.take_out(|_| true);
        for routed in over {
            routed.outbound.origin.answer(Err(CallError::Stopped { outcome: Outcome::NotApplied }));
        }
    }
}

/// Ends when the other side says so, and not when it is gone.
async fn until_given_up(hook: oneshot::Receiver<()>) {
    if hook.await.is_err() {
        std::future::pending::<()>().await;
    }
}
