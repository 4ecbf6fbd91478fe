//! The output gate: what may leave only when the writes before it are durable, in order.

use std::{collections::VecDeque, sync::Arc};

use tokio::sync::oneshot;

use crate::{call_error::CallError, engine::End, outcome::Outcome, reply::Held, run, scope::Post};

/// Something that waits for a commit.
pub(crate) enum Waiting {
    /// A reply; `outcome` is what is known of the message's effect should its writes be refused, `wrote` whether it has
    /// writes of its own among those that it waits for.
    Reply { cell: Arc<dyn Held>, outcome: Outcome, wrote: bool },
    /// What a committed message sends out.
    Posts(Vec<Post>),
    /// A call that a later message of the same actor makes. It learns of a failure by the sender being dropped.
    Call(oneshot::Sender<()>),
}

impl Waiting {
    /// Lets it go.
    pub(super) fn release(self) {
        match self {
            Waiting::Reply { cell, .. } => cell.release(),
            Waiting::Posts(posts) => posts.into_iter().for_each(|post| run::guard("a message on its way", post)),
            // A caller that waits no longer needs no answer.
            Waiting::Call(call) => drop(call.send(())),
        }
    }

    /// Will never go.
    pub(super) fn fail(self, error: impl FnOnce(Outcome) -> CallError) {
        match self {
            Waiting::Reply { cell, outcome, .. } => cell.fail(error(outcome)),
            Waiting::Posts(posts) => posts.into_iter().for_each(run::drop_user),
            Waiting::Call(_) => {}
        }
    }

    /// Will never go, since the node has ended; `in_doubt` says whether what it waits for had been handed to the store.
    pub(super) fn end(self, end: End, in_doubt: bool) {
        let wrote = matches!(&self, Waiting::Reply { wrote: true, .. });
        self.fail(|outcome| end.error(if wrote && in_doubt { Outcome::Unknown } else { outcome }));
    }
}

/// What waits, in the order of the positions that it waits for.
#[derive(Default)]
pub(super) struct Gate(VecDeque<(u64, Waiting)>);

impl Gate {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives back memory that is not needed now.
    pub(super) fn shrink(&mut self) {
        if self.is_empty() {
            self.0 = VecDeque::new();
        }
    }

    pub(super) fn hold(&mut self, position: u64, waiting: Waiting) {
        let at = self.0.iter().rposition(|(last, _)| *last <= position).map_or(0, |index| index + 1);
        self.0.insert(at, (position, waiting));
    }

    /// Everything that waits for nothing behind `upto`.
    pub(super) fn take_upto(&mut self, upto: u64) -> Vec<Waiting> {
        let count = self.0.partition_point(|(position, _)| *position <= upto);
        self.0.drain(..count).map(|(_, waiting)| waiting).collect()
    }

    pub(super) fn take_all(&mut self) -> VecDeque<(u64, Waiting)> {
        std::mem::take(&mut self.0)
    }
}
