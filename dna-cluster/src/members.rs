//! The membership as others look at it: who is a member, who owns which shard, and when that changes.

use std::{collections::BTreeMap, net::SocketAddr, num::NonZeroU16, sync::Arc};

use dna_core::{ActorName, NodeId, Shard};
use tokio::sync::watch as channel;

use crate::{
    membership::Status,
    view::{Member, MemberState, Owner, Placement, Seen},
};

/// A member of the cluster, and how much of it is its own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberInfo {
    /// Its id: one start of one process.
    pub id: NodeId,
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it takes shards.
    pub state: MemberState,
    /// The actor types that it knows, with their versions.
    pub types: BTreeMap<String, u32>,
    /// Its share of the shards, relative to that of the others.
    pub weight: u32,
    /// How many journals it has.
    pub lanes: NonZeroU16,
    /// How many shards it owns.
    pub shards: usize,
}

/// The cluster as this process has seen it last: a snapshot that does not change. Cheap to clone.
///
/// While the process is no member it knows of nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members(Option<(NodeId, Arc<Seen>)>);

impl Members {
    pub(crate) fn of(status: &Status) -> Self {
        match status {
            Status::Member { node, seen } => Members(Some((*node, seen.clone()))),
            Status::Joining | Status::Left => Members(None),
        }
    }

    /// The id of this process, while it is a member.
    pub fn me(&self) -> Option<NodeId> {
        self.0.as_ref().map(|(node, _)| *node)
    }

    /// The version of the view: it rises by one with every change. 0 while this process is no member.
    pub fn version(&self) -> u64 {
        self.0.as_ref().map_or(0, |(_, seen)| seen.version)
    }

    /// All members, in the order of their ids, this process among them. It goes through all shards.
    pub fn all(&self) -> Vec<MemberInfo> {
        let Some((_, seen)) = &self.0 else { return Vec::new() };
        let mut shards = BTreeMap::<NodeId, usize>::new();
        for owner in seen.view.owners().flatten() {
            *shards.entry(owner).or_default() += 1;
        }
        let info = |member: &Member| MemberInfo {
            id: member.id,
            address: member.address,
            state: member.state,
            types: member.types.clone(),
            weight: member.weight,
            lanes: member.lanes,
            shards: shards.get(&member.id).copied().unwrap_or_default(),
        };
        seen.view.members().map(info).collect()
    }

    /// Where a member listens.
    pub fn address(&self, node: NodeId) -> Option<SocketAddr> {
        self.0.as_ref()?.1.view.member(node).map(|member| member.address)
    }

    /// The members that know an actor type, and in which version.
    pub fn knowing(&self, kind: &str) -> Vec<(NodeId, u32)> {
        let Some((_, seen)) = &self.0 else { return Vec::new() };
        seen.view.members().filter_map(|member| Some((member.id, *member.types.get(kind)?))).collect()
    }

    /// Who owns a shard. Nobody while this process is no member. A shard that this process is just giving away is its own
    /// until that is done, though it serves it no more.
    pub fn owner(&self, shard: Shard) -> Owner {
        self.0.as_ref().map_or(Owner::Nobody, |(node, seen)| seen.view.owner(shard, *node))
    }

    /// The owner of every shard, in the order of the shards.
    pub fn owners(&self) -> Vec<Option<NodeId>> {
        self.0.as_ref().map_or_else(Vec::new, |(_, seen)| seen.view.owners().collect())
    }

    /// How the names of an actor type find their shards. None where no member has ever known it, or this process is no
    /// member.
    pub fn placement(&self, kind: &str) -> Option<Placement> {
        self.0.as_ref()?.1.view.settings().placements.get(kind).copied()
    }

    /// The shard of a name that is placed by its hash. None while this process is no member.
    pub fn shard_of(&self, name: &ActorName) -> Option<Shard> {
        self.0.as_ref().map(|(_, seen)| Shard::of(name, seen.view.settings().shards))
    }
}

/// Follows the cluster as this process sees it. Its clones follow each on their own.
#[derive(Debug, Clone)]
pub struct MembersWatch {
    status: channel::Receiver<Status>,
    /// What [`latest`](MembersWatch::latest) has shown.
    shown: Members,
}

impl MembersWatch {
    pub(crate) fn new(mut status: channel::Receiver<Status>) -> Self {
        let shown = Members::of(&status.borrow_and_update());
        MembersWatch { status, shown }
    }

    /// The cluster as it was seen last.
    pub fn current(&self) -> Members {
        Members::of(&self.status.borrow())
    }

    /// The same, kept here: as long as nothing has changed it takes no lock. For who asks often.
    pub fn latest(&mut self) -> &Members {
        // A loop that has ended changes nothing any more.
        if self.status.has_changed().unwrap_or(false) {
            self.shown = Members::of(&self.status.borrow_and_update());
        }
        &self.shown
    }

    /// Waits for a change since the last one that this, or [`latest`](MembersWatch::latest), has shown. Changes that follow
    /// each other fast may come as one. None once there will be no more: the process has left, or its membership was
    /// dropped.
    ///
    /// # Cancel safety
    /// Safe: waiting changes nothing.
    pub async fn changed(&mut self) -> Option<Members> {
        self.status.changed().await.ok()?;
        self.shown = Members::of(&self.status.borrow_and_update());
        Some(self.shown.clone())
    }
}
