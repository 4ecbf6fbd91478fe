//! Hand-over: a live owner gives shards away.

use std::collections::BTreeMap;

use dna_core::{NodeId, Shard, Timestamp};

use crate::view::{Member, Seen, View};

/// A shard that is to have another owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Move {
    /// The shard.
    pub shard: Shard,
    /// Since when its present owner owns it.
    pub epoch: u64,
    /// Who is to own it. Nobody only where a node drains and no member is active.
    pub to: Option<NodeId>,
}

/// The shards of `me` that another one should own, in their order. An active member gives a shard to the active member
/// that knows its types and comes first by rendezvous hashing, if that is another one. A draining one gives all away, to
/// the same, or to any active one where none knows its types, or to nobody where none is active.
pub fn misplaced(view: &View, me: NodeId) -> impl Iterator<Item = Move> {
    let member = view.member(me);
    let shards = member.into_iter().flat_map(move |member| view.shards_of(me).map(move |owned| (member, owned)));
    shards.filter_map(|(member, (shard, epoch))| Some(Move { shard, epoch, to: destination(view, member, shard)? }))
}

/// Who is to have a shard instead of this member; none if it stays.
fn destination(view: &View, member: &Member, shard: Shard) -> Option<Option<NodeId>> {
    if member.is_active() {
        view.preferred_owner(shard, &member.types).filter(|best| *best != member.id).map(Some)
    } else {
        Some(view.best_owner(shard, &member.types))
    }
}

/// The view in which `me` has made these moves. None where a shard is not its own any more, or not in that epoch, or its
/// new owner is not an active member: then decide anew.
///
/// Before this is swapped in the actors of these shards have ended, and everything that was committed for them is stored
/// as rows and released in the journal, which nobody reads on account of a hand-over. `last` is the last timestamp of
/// `me`. Until the swap has a definite answer, these shards are not served.
pub fn hand_over(seen: &Seen, me: NodeId, moves: &[Move], last: Timestamp) -> Option<View> {
    let mut view = seen.view.clone();
    for Move { shard, epoch, to } in moves {
        let is_own = view.epoch_of(*shard, me) == Some(*epoch);
        let takes = match to {
            Some(to) => view.member(*to).is_some_and(Member::is_active),
            None => !view.members().any(Member::is_active),
        };
        if !is_own || !takes {
            return None;
        }
        view.give(*shard, *to, seen.version + 1);
    }
    view.raise_ts(last);
    Some(view)
}

/// The view in which `me` has given away those of the shards that rest, each since when it was owned, that belong
/// elsewhere by this view; none where no one does. What is said of [`hand_over`] holds.
pub fn hand_over_resting(seen: &Seen, me: NodeId, resting: &BTreeMap<Shard, u64>, last: Timestamp) -> Option<View> {
    let member = seen.view.member(me)?;
    let is_own = |(shard, epoch): (&Shard, &u64)| seen.view.epoch_of(*shard, me) == Some(*epoch);
    let moved = |(shard, epoch): (&Shard, &u64)| {
        let to = destination(&seen.view, member, *shard)?;
        Some(Move { shard: *shard, epoch: *epoch, to })
    };
    let moves = resting.iter().filter(|owned| is_own(*owned)).filter_map(moved).collect::<Vec<_>>();
    if moves.is_empty() { None } else { hand_over(seen, me, &moves, last) }
}
