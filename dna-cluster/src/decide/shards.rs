//! What a new view changes for one node.

use std::collections::BTreeMap;

use dna_core::{NodeId, Shard};

use crate::view::View;

/// What a new view changes for one node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ShardChanges {
    /// The shards that it owns now, and since which version; also those that it owned before in an earlier epoch.
    pub gained: Vec<(Shard, u64)>,
    /// The shards that it does not own any more, or not in the same epoch.
    pub lost: Vec<Shard>,
}

/// What changes for `me` from one view, if there was one, to the next.
pub fn shard_changes(before: Option<&View>, after: &View, me: NodeId) -> ShardChanges {
    let before = before.into_iter().flat_map(|view| view.shards_of(me)).collect::<BTreeMap<_, _>>();
    let after = after.shards_of(me).collect::<BTreeMap<_, _>>();
    let gained = after.iter().filter(|(shard, epoch)| before.get(shard) != Some(epoch));
    let lost = before.iter().filter(|(shard, epoch)| after.get(shard) != Some(epoch));
    ShardChanges {
        gained: gained.map(|(shard, epoch)| (*shard, *epoch)).collect(),
        lost: lost.map(|(shard, _)| *shard).collect(),
    }
}
