//! Actor types: for which shard a new name is registered, and whether a node serves messages of a type.

use dna_core::{ActorName, KnownBy, NodeAddress, NodeId, Shard, TypeMismatch};

use crate::view::{Member, View};

/// Why a node does not serve a message. It was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// It does not know the actor type.
    Unknown(TypeMismatch),
    /// It knows the actor type in another version.
    Version(TypeMismatch),
}

/// The shard for which `me`, where the first message to a new name has arrived, registers it: one of its own shards, by the
/// name's hash. Where it drains, does not know the type, or has no shard: one of the shards of the members that do not drain
/// and know the type; of all where there are none.
pub fn shard_for_new(view: &View, me: NodeId, actor: &ActorName) -> Shard {
    let serves =
        |node: NodeId| view.member(node).is_some_and(|member| member.is_active() && knows(member, actor.kind()));
    let shards = || (0..).map(Shard).zip(view.owners());
    let of = |is: &dyn Fn(NodeId) -> bool| {
        shards().filter(|(_, owner)| owner.is_some_and(is)).map(|(shard, _)| shard).collect::<Vec<_>>()
    };
    let own = if serves(me) { of(&|owner| owner == me) } else { Vec::new() };
    let candidates = if own.is_empty() { of(&serves) } else { own };
    let all = view.settings().shards;
    let among = u32::try_from(candidates.len()).ok().and_then(|len| len.try_into().ok());
    let chosen = among.map(|among| Shard::of(actor, among)).and_then(|place| usize::try_from(place.0).ok());
    chosen.and_then(|place| candidates.get(place).copied()).unwrap_or_else(|| Shard::of(actor, all))
}

/// Why `owner`, a member, does not serve messages of an actor type in the version of the caller. None if it does, or is no
/// member.
pub fn misfit(view: &View, owner: NodeId, kind: &str, version: u32) -> Option<Misfit> {
    let member = view.member(owner)?;
    let known = member.types.get(kind).copied();
    if known == Some(version) {
        return None;
    }
    let owner = Some((address(member), known));
    let mismatch = TypeMismatch::new(kind, version, owner, known_by(view, kind));
    Some(if known.is_some() { Misfit::Version(mismatch) } else { Misfit::Unknown(mismatch) })
}

/// The members that know an actor type.
pub fn known_by(view: &View, kind: &str) -> Vec<KnownBy> {
    view.members().filter_map(|member| Some(KnownBy::new(address(member), *member.types.get(kind)?))).collect()
}

fn knows(member: &Member, kind: &str) -> bool {
    member.types.contains_key(kind)
}

fn address(member: &Member) -> NodeAddress {
    NodeAddress::new(member.id, member.address)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        samples::{joined, member, node},
        view::{MemberState, Seen},
    };

    fn knowing(byte: u8, types: &[(&str, u32)]) -> Member {
        let types = types.iter().map(|(kind, version)| ((*kind).to_owned(), *version)).collect();
        Member { types, ..member(byte) }
    }

    /// Shards 0 to 3 are node 1's, 4 to 11 node 2's, 12 to 15 nobody's.
    fn divided(members: [Member; 3]) -> Seen {
        let mut seen = joined(16, members);
        (0..4).for_each(|shard| seen.view.give(Shard(shard), Some(node(1)), 9));
        (4..12).for_each(|shard| seen.view.give(Shard(shard), Some(node(2)), 9));
        (12..16).for_each(|shard| seen.view.give(Shard(shard), None, 9));
        seen
    }

    fn carts() -> impl Iterator<Item = ActorName> {
        (0..64).map(|n| ActorName::new("default", "Cart", format!("{n}")).unwrap())
    }

    #[test]
    fn a_new_name_gets_a_shard_of_the_node_where_it_was_first_called_else_of_one_that_serves_its_type() {
        let cart = [("Cart", 1)];
        let order = [("Order", 1)];
        let draining = |member| Member { state: MemberState::Draining, ..member };
        let all = [knowing(1, &cart), knowing(2, &cart), knowing(3, &cart)];
        let table = [
            ("an owner", all.clone(), 1, 0..4),
            ("another owner", all.clone(), 2, 4..12),
            ("a node without shards", all.clone(), 3, 0..12),
            (
                "a node that does not know the type",
                [knowing(1, &order), knowing(2, &cart), knowing(3, &cart)],
                1,
                4..12,
            ),
            ("a node that drains", [draining(knowing(1, &cart)), knowing(2, &cart), knowing(3, &cart)], 1, 4..12),
            ("where nobody knows the type", [knowing(1, &order), knowing(2, &order), knowing(3, &order)], 1, 0..16),
            ("a stranger", all, 9, 0..12),
        ];
        for (what, members, me, expected) in table {
            let seen = divided(members);
            let mut used = std::collections::BTreeSet::new();
            for actor in carts() {
                let shard = shard_for_new(&seen.view, node(me), &actor);
                assert!(expected.contains(&shard.0), "{what}: {actor} in {shard:?}");
                assert_eq!(shard_for_new(&seen.view, node(me), &actor), shard, "{what}");
                used.insert(shard);
            }
            assert_eq!(used.len(), expected.len(), "{what}: they are spread over all of them");
        }
    }

    #[test]
    fn where_every_shard_is_a_candidate_it_is_that_of_the_hash() {
        let seen = joined(16, [member(1), member(2)]);
        for actor in carts() {
            assert_eq!(shard_for_new(&seen.view, node(2), &actor), Shard::of(&actor, seen.view.settings().shards));
        }
    }

    #[test]
    fn a_node_serves_the_messages_of_its_own_versions_and_of_no_others() {
        let members = [knowing(1, &[("Cart", 1)]), knowing(2, &[("Cart", 2), ("Order", 1)]), knowing(3, &[])];
        let view = joined(16, members).view;
        let table = [
            (1, "Cart", 1, None),
            (2, "Cart", 2, None),
            (2, "Order", 1, None),
            (9, "Cart", 1, None),
            (1, "Cart", 2, Some(true)),
            (2, "Cart", 1, Some(true)),
            (1, "Order", 1, Some(false)),
            (3, "Cart", 1, Some(false)),
            (1, "Tree", 1, Some(false)),
        ];
        for (owner, kind, version, expected) in table {
            let misfit = misfit(&view, node(owner), kind, version);
            let is_version = misfit.as_ref().map(|misfit| matches!(misfit, Misfit::Version(_)));
            assert_eq!(is_version, expected, "{kind} {version} at node {owner}: {misfit:?}");
            if let Some(Misfit::Version(mismatch) | Misfit::Unknown(mismatch)) = misfit {
                assert_eq!(mismatch.owner.map(|owner| owner.node), Some(node(owner)));
                assert_eq!(mismatch.owners_version, view.member(node(owner)).unwrap().types.get(kind).copied());
                let mut known = mismatch.known_by.clone();
                known.sort_by_key(|known| known.node.node);
                assert_eq!(known, known_by(&view, kind));
            }
        }
        let known = known_by(&view, "Cart").into_iter().map(|known| (known.node.node, known.version));
        assert_eq!(known.collect::<Vec<_>>(), [(node(1), 1), (node(2), 2)]);
        assert_eq!(known_by(&view, "Tree"), []);
    }
}
