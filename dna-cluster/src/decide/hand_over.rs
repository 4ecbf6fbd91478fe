//! Hand-over: a live owner gives shards away.

use dna_core::{NodeId, Shard, Timestamp};

use crate::view::{Seen, View};

/// The shards of `me` that another active member that knows its types should own, and which.
pub fn misplaced(view: &View, me: NodeId) -> Vec<(Shard, NodeId)> {
    let Some(member) = view.member(me) else { return Vec::new() };
    let better = |shard| view.best_owner(shard, &member.types).filter(|best| *best != me);
    view.shards_of(me).filter_map(|(shard, _)| Some((shard, better(shard)?))).collect()
}

/// The view in which `me` has given these shards, of which it knows since when it owns them, to those nodes. None where
/// one is not its own any more, or not in that epoch, or a new owner is not an active member: then decide anew.
///
/// Before this is swapped in the actors of these shards have ended, and everything that was committed for them is stored
/// as rows and released in the journal, which nobody reads on account of a hand-over. `last` is the last timestamp of
/// `me`. Until the swap has a definite answer, these shards are not served.
pub fn hand_over(seen: &Seen, me: NodeId, moves: &[(Shard, u64, NodeId)], last: Timestamp) -> Option<View> {
    let mut view = seen.view.clone();
    for (shard, epoch, to) in moves {
        let is_own = view.shards_of(me).any(|owned| owned == (*shard, *epoch));
        let takes = view.member(*to).is_some_and(|member| member.is_active());
        if !is_own || !takes {
            return None;
        }
        view.give(*shard, *to, seen.version + 1);
    }
    view.raise_ts(last);
    Some(view)
}
