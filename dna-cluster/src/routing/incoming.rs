//! The way in: messages that other nodes have sent to names of this one.

use std::sync::Arc;

use bytes::Bytes;
use dna_core::{ActorName, CallError, Delivered, Inbound, NodeId, Outcome, Shard, Unanswered, Undelivered};
use dna_transport::{Handler, Incoming};

use super::{
    Inner,
    numbers::{Numbers, Verdict},
    session::node_id,
    wire::{Fate, Head},
};
use crate::limits::ANSWER_GRACE;

/// What other nodes send to one shard of this one.
#[derive(Debug, Default)]
pub(super) struct Arrivals {
    /// Whether it is delivered.
    pub(super) owned: bool,
    pub(super) numbers: Numbers<NodeId>,
}

impl Handler for Inner {
    async fn call(self: Arc<Self>, request: Incoming) -> Bytes {
        let Some((shard, sender)) = address(&request) else { return self.bounce() };
        // Up to here and in here, requests of one stream come in their order.
        match self.arrived(shard, sender, request) {
            Ok((delivered, number)) => match delivered.await {
                Err(unanswered) if is_for_another(&unanswered) => self.turned_away(shard, sender, number),
                Ok(answered) => Fate::Answered(answered).encode(),
                Err(unanswered) => Fate::Failed(unanswered.error).encode(),
            },
            Err(fate) => fate.encode(),
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
        let (head, message) =
            Head::of_request(&request.header, request.body).map_err(|error| failed(error.to_string()))?;
        self.learn(head.view);
        let bounced = || Fate::Bounced { view: self.version() };
        let is_member =
            self.session().and_then(|session| session.seen()).is_some_and(|seen| seen.view.member(sender).is_some());
        let arrivals = self.arrivals(shard).ok_or_else(bounced)?;
        if !is_member {
            return Err(bounced());
        }
        let actor = ActorName::new(head.namespace, head.kind, head.name)
            .map_err(|error| Fate::Failed(CallError::Name(error.into())))?;
        let time_left = request.within.map(|within| within.saturating_sub(ANSWER_GRACE));
        // One that cannot be read is none: no message fails for it.
        let trace = head.traceparent.and_then(|trace| trace.parse().ok());
        let inbound = Inbound { actor, message, callers: head.callers, time_left, trace };
        // Delivered under the lock, so that the shard is not given away in between.
        let mut arrivals = arrivals.lock();
        let Arrivals { owned, numbers } = &mut *arrivals;
        if numbers.arrived(sender, head.number, *owned) == Verdict::Bounce {
            return Err(bounced());
        }
        match self.member.deliver(inbound) {
            Ok(delivered) => Ok((delivered, head.number)),
            Err(Undelivered::Refused(error)) => Err(Fate::Failed(error)),
            Err(_) => {
                numbers.refused(sender, head.number);
                Err(bounced())
            }
        }
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
