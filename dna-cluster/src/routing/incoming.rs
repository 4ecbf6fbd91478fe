//! The way in: messages that other nodes have sent to names of this one.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::Ordering},
};

use bytes::{Buf, Bytes};
use dna_core::{ActorName, CallError, Delivered, Inbound, NameError, NodeId, Outcome, Shard, Unanswered, Undelivered};
use dna_transport::{Answer, Handler, Incoming};

use super::{
    Inner,
    numbers::{Numbers, Verdict},
    session::node_id,
    wire::{Fate, Head},
};
use crate::limits::{ANSWER_GRACE, ANSWERED_IN_PLACE_BYTES_MAX, LONG_ANSWERS_REMEMBERED};

/// What other nodes send to one shard of this one.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Whether it is delivered.
    pub(super) owned: bool,
    pub(super) numbers: Numbers<NodeId>,
    /// Whom the last message was for. Often the next one is for the same, or for one of its type.
    last: Option<ActorName>,
}

impl Arrivals {
    fn actor(&mut self, head: &Head<'_>) -> Result<ActorName, NameError> {
        let actor = match &self.last {
            Some(last) if last.namespace() == head.namespace && last.kind() == head.kind => {
                if last.name() == head.name {
                    return Ok(last.clone());
                }
                last.sibling(head.name)?
            }
            _ => ActorName::new(head.namespace, head.kind, head.name)?,
        };
        Ok(self.last.insert(actor).clone())
    }
}

impl Handler for Inner {
    async fn call(self: Arc<Self>, request: Incoming) -> Bytes {
        match self.begin(request) {
            Answer::Now(answer) => answer,
            Answer::Soon(answer) | Answer::Task(answer) => answer.await,
        }
    }

    fn begin(self: &Arc<Self>, request: Incoming) -> Answer {
        let Some((shard, sender)) = address(&request) else { return Answer::Now(self.bounce()) };
        // In here, requests of one stream come in their order.
        let (delivered, number) = match self.arrived(shard, sender, request) {
            Ok((Delivered::Later(delivered), number)) => (delivered, number),
            Ok((Delivered::Admitted, _)) => return Answer::Now(Bytes::new()),
            Err(fate) => return Answer::Now(fate.encode()),
        };
        let inner = self.clone();
        let answer = Box::pin(async move {
            let fate = match delivered.await {
                Ok(answered) => Fate::Answered(answered),
                Err(unanswered) if is_for_another(&unanswered) => return inner.turned_away(shard, sender, number),
                Err(unanswered) => Fate::Failed(unanswered.error),
            };
            let answer = fate.encode();
            if answer.len() > ANSWERED_IN_PLACE_BYTES_MAX {
                inner.long_answers.store(LONG_ANSWERS_REMEMBERED, Ordering::Relaxed);
            }
            answer
        });
        // What takes long to encode must not hold back what else the connection carries.
        let fewer = |calls: u32| calls.checked_sub(1);
        match self.long_answers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer) {
            Ok(_) => Answer::Task(answer),
            Err(_) => Answer::Soon(answer),
        }
    }
}

/// The shard that a request is for, and who sent it.
fn address(request: &Incoming) -> Option<(Shard, NodeId)> {
    let shard = u32::try_from(request.stream.checked_sub(1)?).ok()?;
    Some((Shard(shard), node_id(request.from.id)))
}

/// Whether a message that was in a mailbox turned out to be for another node. One whose handler had begun never is: it is
/// handled once at the most.
fn is_for_another(unanswered: &Unanswered) -> bool {
    !unanswered.was_started
        && matches!(
            unanswered.error,
            CallError::NotOwner { .. }
                | CallError::Joining
                | CallError::Stopped { outcome: Outcome::NotApplied }
                | CallError::Lost { outcome: Outcome::NotApplied, .. }
        )
}

impl Inner {
    fn arrived(&self, shard: Shard, sender: NodeId, request: Incoming) -> Result<(Delivered, u64), Fate> {
        let failed = |reason: String| Fate::Failed(CallError::Codec { reason, outcome: Outcome::NotApplied });
        let Incoming { header, body: mut message, within, .. } = request;
        let length = if header.is_empty() { Head::length(&message) } else { Ok(0) };
        let length = length.map_err(|error| failed(error.to_string()))?;
        let head = if header.is_empty() { message.get(..length).unwrap_or_default() } else { &header };
        let head = Head::read(head).map_err(|error| failed(error.to_string()))?;
        self.learn(head.view);
        let bounced = || Fate::Bounced { view: self.version() };
        // Delivered under the lock, so that the shard is not given away in between.
        let mut arrivals = self.arrivals(shard).ok_or_else(bounced)?.lock();
        let owned = arrivals.owned;
        let verdict = match arrivals.numbers.arrived_again(sender, head.number, owned) {
            Some(verdict) => verdict,
            None if self.is_member(sender) => arrivals.numbers.arrived(sender, head.number, owned),
            None => {
                arrivals.numbers.arrived_of_unknown(sender, head.number, head.view);
                return Err(bounced());
            }
        };
        #[cfg(feature = "testing")]
        let verdict = if self.without(super::RoutingRule::Bounce) && owned { Verdict::Deliver } else { verdict };
        let actor = arrivals.actor(&head).map_err(|error| Fate::Failed(CallError::Name(error.into())))?;
        if verdict == Verdict::Bounce {
            return Err(bounced());
        }
        let time_left = within.filter(|_| !head.no_deadline).map(|within| within.saturating_sub(ANSWER_GRACE));
        let (number, no_wait, trace) = (head.number, head.no_wait, head.trace);
        let callers = head.callers.map(Cow::into_owned);
        message.advance(length);
        match self.member.deliver(Inbound { shard, actor, message, callers, time_left, no_wait, trace, is_own: false })
        {
            Ok(delivered) => Ok((delivered, number)),
            Err(Undelivered::Refused(error)) => Err(Fate::Failed(error)),
            Err(_) => {
                arrivals.numbers.refused(sender, number);
                Err(bounced())
            }
        }
    }

    fn is_member(&self, node: NodeId) -> bool {
        self.session().and_then(|session| session.seen()).is_some_and(|seen| seen.view.member(node).is_some())
    }

    /// A message that was delivered has come back: so will all that is behind it.
    fn turned_away(&self, shard: Shard, sender: NodeId, number: u64) -> Bytes {
        if let Some(arrivals) = self.arrivals(shard) {
            arrivals.lock().numbers.refused(sender, number);
        }
        self.bounce()
    }

    fn bounce(&self) -> Bytes {
        Fate::Bounced { view: self.version() }.encode()
    }
}
