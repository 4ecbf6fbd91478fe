//! Leaving: what a member owns goes to the others, and it goes.

use std::num::NonZeroU16;

use dna_core::{NodeId, Timestamp};

use super::takeover::without;
use crate::view::{MemberState, Seen, View};

/// The next step of a leave. See [`leave`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaveStep {
    /// Swap this view in: the node is draining, and is given no more shards.
    Drain(View),
    /// End the actors of all shards.
    Release,
    /// Seal the own journals, so many, and store as rows what of them is not.
    SealAndReplay(NonZeroU16),
    /// Swap this view in: the node is out, its shards have new owners; the last one's have none.
    Swap(View),
    /// It is not a member any more.
    Gone,
}

/// The next step of a node that leaves. `released` says that its actors have ended, `replayed` is the last timestamp of
/// its own journals once they are sealed and replayed, `own` the last that it has given out: every swap raises that of
/// the view to it.
///
/// A node that leaves is taken over from, by itself: what its actors left behind when their time was up is dealt with
/// like what a dead node leaves behind.
pub fn leave(seen: &Seen, me: NodeId, released: bool, replayed: Option<Timestamp>, own: Timestamp) -> LeaveStep {
    let Some(member) = seen.view.member(me) else { return LeaveStep::Gone };
    if member.is_active() {
        let mut view = seen.view.clone();
        view.set_state(me, MemberState::Draining);
        view.raise_ts(own);
        return LeaveStep::Drain(view);
    }
    match replayed {
        _ if !released => LeaveStep::Release,
        None => LeaveStep::SealAndReplay(member.lanes),
        Some(last) => LeaveStep::Swap(without(seen, me, own.max(last))),
    }
}
