//! What becomes of a message whose handler has ended: its writes, what it sends out, and its answer.

use std::sync::Arc;

use crate::{
    actor::{Actor, Handled},
    call_error::CallError,
    outcome::Outcome,
    partition::Waiting,
    reply::{Answer, ReplyCell},
    run::{Stop, drop_user},
    scope::Scope,
    slot::Slot,
};

/// What is known of a message that is rolled back in this scope: a call that it made may have had effect.
pub(crate) fn outcome(scope: &Scope) -> Outcome {
    if scope.sent { Outcome::Unknown } else { Outcome::NotApplied }
}

/// Ends a message. `false`: its activation is to be dropped.
pub(crate) fn message<A: Actor>(
    slot: &Slot<A>,
    scope: &mut Scope,
    reply: Option<Arc<ReplyCell<A::Reply>>>,
    handled: Result<Handled<A::Reply>, Stop>,
) -> bool {
    let outcome = outcome(scope);
    let handled = match (handled, reply.as_deref()) {
        // Mostly nothing was written, and nothing that it could have seen waits for a commit.
        (Ok(Handled { reply, .. }), Some(cell)) if leaves_at_once(slot, scope) => {
            cell.answer(Answer::Reply { reply, outcome });
            return true;
        }
        (handled, _) => handled,
    };
    let (result, survives) = match handled {
        Ok(Handled { reply, failed }) => match writes(slot, scope, !failed) {
            Ok(()) => (Ok(Answer::Reply { reply, outcome }), true),
            Err(error) => {
                drop_user(reply);
                (Err(error), true)
            }
        },
        Err(stop) => (Err(stopped(slot, scope, &stop)), false),
    };
    let answer = result.unwrap_or_else(Answer::Failed);
    match (reply, answer) {
        (Some(reply), answer) => send(slot, scope, reply, answer),
        (None, Answer::Failed(error)) => slot.shared().count_dropped_cast(slot.name(), &error),
        (None, Answer::Reply { reply, .. }) => drop_user(reply),
    }
    survives
}

/// Whether a message has neither written nor sent anything that waits, and its answer may leave now.
fn leaves_at_once<A: Actor>(slot: &Slot<A>, scope: &Scope) -> bool {
    !scope.wrote && scope.outbox.is_empty() && slot.rows.may_leave(slot.rows.finished(), scope.generation)
}

/// Commits, or takes back, what was written in `scope`, and sees to what it sends out.
pub(crate) fn writes<A: Actor>(slot: &Slot<A>, scope: &mut Scope, keep: bool) -> Result<(), CallError> {
    let position = slot.rows.conclude(scope, keep);
    scope.wrote &= keep && position.is_ok();
    let posts = std::mem::take(&mut scope.outbox);
    match position {
        Ok(position) if keep && !posts.is_empty() => {
            slot.rows.gate(position, scope.generation, Waiting::Posts(posts));
        }
        _ => posts.into_iter().for_each(drop_user),
    }
    position.map(drop)
}

/// Takes back what was written in `scope` by something that did not end by itself.
pub(crate) fn stopped<A: Actor>(slot: &Slot<A>, scope: &mut Scope, stop: &Stop) -> CallError {
    let outcome = outcome(scope);
    if let Stop::Panicked(panic) = stop {
        tracing::error!(actor = %slot.name(), panic, "a handler panicked, its writes are rolled back");
    }
    match (writes(slot, scope, false), stop) {
        (Err(error), _) => error,
        (Ok(()), Stop::Panicked(_)) => CallError::Panicked { outcome },
        (Ok(()), Stop::Ended(end)) => end.error(outcome),
    }
}

/// Lets an answer go as soon as everything that it may show is durable.
pub(crate) fn send<A: Actor>(slot: &Slot<A>, scope: &Scope, reply: Arc<ReplyCell<A::Reply>>, answer: Answer<A::Reply>) {
    let position = slot.rows.finished();
    if slot.rows.may_leave(position, scope.generation) {
        reply.answer(answer);
    } else {
        reply.hold(answer);
        let waiting = Waiting::Reply { cell: reply, outcome: outcome(scope), wrote: scope.wrote };
        slot.rows.gate(position, scope.generation, waiting);
    }
}
