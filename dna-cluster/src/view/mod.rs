//! The view: who is a member of the cluster, and who owns which shard. One value, changed as a whole. Knows how it is
//! written down, not when it may change: that is in [`decide`](crate::decide).

mod encoding;
mod member;
mod settings;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use dna_core::{NodeId, Shard, Timestamp, rendezvous};

pub use self::{
    encoding::{FORMAT, ViewError},
    member::{Machine, Member, MemberState},
    settings::{Difference, Placement, Settings},
};

/// Who is a member, and who owns which shard.
///
/// An owner is always a member.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct View {
    settings: Settings,
    members: BTreeMap<NodeId, Member>,
    shards: Vec<Owned>,
    ts: Timestamp,
}

/// A view as it was read: with the version that the next one replaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Seen {
    /// Rises by one with every change.
    pub version: u64,
    /// What the members agreed on in it.
    pub view: View,
}

/// Who owns a shard, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Owned {
    owner: Option<NodeId>,
    epoch: u64,
}

/// Who owns a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The one who asks, since this version of the view: a number that rises with every owner, and so fences what an
    /// earlier one does elsewhere.
    Own {
        /// The version of the view that made it the owner.
        epoch: u64,
    },
    /// Another node.
    Node(NodeId),
    /// No node, until one joins.
    Nobody,
}

impl View {
    /// A cluster without nodes.
    pub fn empty(settings: Settings) -> Self {
        let shards = (0..settings.shards.get()).map(|_| Owned { owner: None, epoch: 0 }).collect();
        View { settings, members: BTreeMap::new(), shards, ts: Timestamp::default() }
    }

    /// What all members agree on.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The members, in the order of their ids.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// A member.
    pub fn member(&self, node: NodeId) -> Option<&Member> {
        self.members.get(&node)
    }

    /// A timestamp that no owner of any shard before this view has passed.
    pub fn ts(&self) -> Timestamp {
        self.ts
    }

    /// Who owns `shard`, to `me`. A shard that the cluster does not have is nobody's.
    pub fn owner(&self, shard: Shard, me: NodeId) -> Owner {
        match self.owned(shard) {
            Some(Owned { owner: Some(node), epoch }) if node == me => Owner::Own { epoch },
            Some(Owned { owner: Some(node), .. }) => Owner::Node(node),
            _ => Owner::Nobody,
        }
    }

    /// The shards of a node and since which version it owns them, in their order.
    pub fn shards_of(&self, node: NodeId) -> impl Iterator<Item = (Shard, u64)> {
        let owned = self.all_shards().filter(move |(_, owned)| owned.owner == Some(node));
        owned.map(|(shard, owned)| (shard, owned.epoch))
    }

    /// The shards that nobody owns, in their order.
    pub fn shards_without_owner(&self) -> impl Iterator<Item = Shard> {
        self.all_shards().filter(|(_, owned)| owned.owner.is_none()).map(|(shard, _)| shard)
    }

    /// Since when `node` owns `shard`, if it does.
    pub(crate) fn epoch_of(&self, shard: Shard, node: NodeId) -> Option<u64> {
        self.owned(shard).filter(|owned| owned.owner == Some(node)).map(|owned| owned.epoch)
    }

    /// The owner of every shard, in the order of the shards.
    pub fn owners(&self) -> impl Iterator<Item = Option<NodeId>> {
        self.shards.iter().map(|owned| owned.owner)
    }

    fn all_shards(&self) -> impl Iterator<Item = (Shard, Owned)> {
        (0..).map(Shard).zip(self.shards.iter().copied())
    }

    fn owned(&self, shard: Shard) -> Option<Owned> {
        self.shards.get(usize::try_from(shard.0).ok()?).copied()
    }
}

/// The changes that decisions are made of. Each keeps an owner a member.
impl View {
    pub(crate) fn add(&mut self, member: Member) {
        self.members.insert(member.id, member);
    }

    /// Removes a member; its shards become nobody's.
    pub(crate) fn remove(&mut self, node: NodeId, version: u64) {
        self.members.remove(&node);
        for owned in self.shards.iter_mut().filter(|owned| owned.owner == Some(node)) {
            *owned = Owned { owner: None, epoch: version };
        }
    }

    pub(crate) fn set_state(&mut self, node: NodeId, state: MemberState) {
        if let Some(member) = self.members.get_mut(&node) {
            member.state = state;
        }
    }

    /// Gives a shard to a member, or to nobody, as of `version`.
    pub(crate) fn give(&mut self, shard: Shard, to: Option<NodeId>, version: u64) {
        assert!(to.is_none_or(|to| self.members.contains_key(&to)), "an owner is a member");
        let owned = usize::try_from(shard.0).ok().and_then(|index| self.shards.get_mut(index));
        if let Some(owned) = owned {
            *owned = Owned { owner: to, epoch: version };
        }
    }

    pub(crate) fn raise_ts(&mut self, ts: Timestamp) {
        self.ts = self.ts.max(ts);
    }

    /// Adds the placement of each type that the cluster does not know yet.
    pub(crate) fn add_placements(&mut self, placements: &BTreeMap<String, Placement>) {
        for (kind, placement) in placements {
            self.settings.placements.entry(kind.clone()).or_insert(*placement);
        }
    }

    /// Which of the active members that know all of `types` should own `shard`. Those without a weight should not.
    pub(crate) fn preferred_owner(&self, shard: Shard, types: &BTreeMap<String, u32>) -> Option<NodeId> {
        let knowing = self.members().filter(|member| member.is_active() && member.knows(types));
        rendezvous(shard, knowing.map(|member| (member.id, member.weight)))
    }

    /// Which of the active members is to own a `shard` that its owner lets go of: of those that know all of `types`; of
    /// all where none does. One without a weight where there is no other.
    pub(crate) fn best_owner(&self, shard: Shard, types: &BTreeMap<String, u32>) -> Option<NodeId> {
        let active = || self.members().filter(|member| member.is_active());
        let alike = |member: &Member| (member.id, 1);
        self.preferred_owner(shard, types)
            .or_else(|| rendezvous(shard, active().filter(|member| member.knows(types)).map(alike)))
            .or_else(|| rendezvous(shard, active().map(|member| (member.id, member.weight))))
            .or_else(|| rendezvous(shard, active().map(alike)))
    }
}
