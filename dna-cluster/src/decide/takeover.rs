//! Takeover: what a dead member owned gets new owners. Any member may do it, several at once: each step may be repeated.

use std::num::NonZeroU16;

use dna_core::{NodeId, Timestamp};

use crate::view::{Seen, View};

/// The next step of a takeover. See [`take_over`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakeoverStep {
    /// Seal the journals of the dead node, so many, and store as rows what of them is not.
    SealAndReplay(NonZeroU16),
    /// Swap this view in: the dead node is out, its shards have new owners.
    Swap(View),
    /// There is nothing to take over, or not for this node.
    Nothing,
}

/// The next step to take over from `dead`, whose lease has run out, by `me`. `replayed` is the last timestamp of the
/// dead node once its journals are sealed and replayed, `own` that of `me`.
///
/// Nothing is claimed before that is done: what the dead node still commits would be lost.
pub fn take_over(seen: &Seen, me: NodeId, dead: NodeId, replayed: Option<Timestamp>, own: Timestamp) -> TakeoverStep {
    if dead == me || seen.view.member(me).is_none() {
        return TakeoverStep::Nothing;
    }
    let Some(member) = seen.view.member(dead) else { return TakeoverStep::Nothing };
    match replayed {
        None => TakeoverStep::SealAndReplay(member.lanes),
        Some(last) => TakeoverStep::Swap(without(seen, dead, own.max(last))),
    }
}

/// The view without a member: its shards go, by rendezvous, to the active members that know its types; to any where none
/// does; to nobody where no other is active.
pub(super) fn without(seen: &Seen, gone: NodeId, ts: Timestamp) -> View {
    let mut view = seen.view.clone();
    let version = seen.version + 1;
    let types = view.member(gone).map(|member| member.types.clone()).unwrap_or_default();
    let shards = view.shards_of(gone).map(|(shard, _)| shard).collect::<Vec<_>>();
    view.remove(gone, version);
    for shard in shards {
        let to = view.best_owner(shard, &types);
        view.give(shard, to, version);
    }
    view.raise_ts(ts);
    view
}
