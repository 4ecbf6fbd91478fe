//! Tables of views, and what follows from them.

use std::collections::BTreeMap;

use dna_core::{NodeId, Shard};

use super::*;
use crate::{
    samples::{joined, member, node, settings, ts},
    view::{Machine, Member, MemberState, Owner, Placement, Seen, Settings, View},
};

/// Each shard's owner and epoch.
fn owners(view: &View) -> Vec<(Option<NodeId>, u64)> {
    let owned = view.members().flat_map(|member| view.shards_of(member.id).map(move |owned| (owned, member.id)));
    let owned = owned.map(|((shard, epoch), node)| (shard, (Some(node), epoch))).collect::<BTreeMap<_, _>>();
    let shards = (0..view.settings().shards.get()).map(Shard);
    shards.map(|shard| owned.get(&shard).copied().unwrap_or((None, 0))).collect()
}

/// The view behind a swap.
fn swapped(seen: &Seen, view: View) -> Seen {
    Seen { version: seen.version + 1, view }
}

fn knowing(byte: u8, types: &[&str]) -> Member {
    Member { types: types.iter().map(|kind| ((*kind).to_owned(), 1)).collect(), ..member(byte) }
}

fn a_move(shard: u32, epoch: u64, to: u8) -> Move {
    Move { shard: Shard(shard), epoch, to: Some(node(to)) }
}

#[test]
fn the_first_node_owns_all_and_the_second_nothing() {
    let seen = joined(4, [member(1), member(2)]);
    assert_eq!(seen.version, 2);
    assert_eq!(seen.view.members().map(|member| member.id).collect::<Vec<_>>(), [node(1), node(2)]);
    assert_eq!(owners(&seen.view), [(Some(node(1)), 1); 4]);
}

#[test]
fn a_node_that_joins_owns_what_nobody_owns() {
    let mut seen = joined(3, [member(1)]);
    seen = swapped(&seen, takeover::without(&seen, node(1), ts(5)));
    assert_eq!(owners(&seen.view), [(None, 0); 3]);

    let view = join(Some(&seen), &member(2), &settings(3), ts(3)).unwrap();
    assert_eq!(owners(&view), [(Some(node(2)), 3); 3]);
    assert_eq!(view.ts(), ts(5), "it does not fall");
}

#[test]
fn a_node_that_differs_is_refused_with_both_values() {
    let seen = joined(4, [member(1)]);
    let error = join(Some(&seen), &member(2), &settings(8), ts(0)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "this node cannot join: the number of shards is 8 here and 4 in the cluster; make this node's the same"
    );
}

#[test]
fn an_id_is_not_used_twice() {
    let seen = joined(4, [member(1)]);
    assert_eq!(join(Some(&seen), &member(1), &settings(4), ts(0)), Err(JoinError::IdInUse(node(1))));
}

#[test]
fn a_node_brings_the_placement_of_types_that_are_new() {
    let seen = joined(1, [member(1)]);
    let with_order = Settings { placements: [("Order".to_owned(), Placement::Local)].into(), ..settings(1) };
    let view = join(Some(&seen), &member(2), &with_order, ts(0)).unwrap();
    let expected = [("Cart".to_owned(), Placement::Hash), ("Order".to_owned(), Placement::Local)];
    assert_eq!(view.settings().placements, expected.into());
}

#[test]
fn a_takeover_seals_and_replays_before_it_claims() {
    let seen = joined(4, [Member { lanes: 3.try_into().unwrap(), ..member(1) }, member(2)]);

    let first = take_over(&seen, node(2), node(1), None, ts(0));
    assert_eq!(first, TakeoverStep::SealAndReplay(3.try_into().unwrap()));
    let TakeoverStep::Swap(view) = take_over(&seen, node(2), node(1), Some(ts(9)), ts(4)) else { panic!() };
    assert_eq!(owners(&view), [(Some(node(2)), 3); 4]);
    assert_eq!(view.member(node(1)), None);
    assert_eq!(view.ts(), ts(9), "above all that the dead node wrote");

    let TakeoverStep::Swap(view) = take_over(&seen, node(2), node(1), Some(ts(9)), ts(11)) else { panic!() };
    assert_eq!(view.ts(), ts(11), "and above all of its own");
}

#[test]
fn there_is_nothing_to_take_over_from_a_stranger_from_oneself_or_as_a_stranger() {
    let seen = joined(4, [member(1), member(2)]);
    for (me, dead) in [(1, 3), (1, 1), (3, 1)] {
        let step = take_over(&seen, node(me), node(dead), Some(ts(1)), ts(1));
        assert_eq!(step, TakeoverStep::Nothing, "node {me} from node {dead}");
    }
}

#[test]
fn shards_of_the_dead_go_to_all_active_members_by_rendezvous() {
    let draining = Member { state: MemberState::Draining, ..member(4) };
    let seen = joined(64, [member(1), member(2), member(3), draining]);
    let TakeoverStep::Swap(view) = take_over(&seen, node(2), node(1), Some(ts(1)), ts(1)) else { panic!() };
    let count = |byte| view.shards_of(node(byte)).count();
    assert_eq!((count(2) + count(3), count(4)), (64, 0));
    assert!(count(2) > 16 && count(3) > 16);

    let other = take_over(&seen, node(3), node(1), Some(ts(1)), ts(1));
    assert_eq!(other, TakeoverStep::Swap(view), "whoever does it comes to the same");
}

#[test]
fn shards_go_to_members_that_know_the_types_and_to_any_if_none_does() {
    let seen = joined(16, [knowing(1, &["Cart", "Order"]), knowing(2, &["Cart"]), knowing(3, &["Order", "Cart", "X"])]);
    let TakeoverStep::Swap(view) = take_over(&seen, node(2), node(1), Some(ts(1)), ts(1)) else { panic!() };
    assert_eq!(view.shards_of(node(3)).count(), 16);

    let seen = swapped(&seen, view);
    let TakeoverStep::Swap(view) = take_over(&seen, node(2), node(3), Some(ts(1)), ts(1)) else { panic!() };
    assert_eq!(view.shards_of(node(2)).count(), 16);
}

#[test]
fn what_no_active_member_can_take_is_nobodys() {
    let seen = joined(2, [member(1), Member { state: MemberState::Draining, ..member(2) }]);
    let TakeoverStep::Swap(view) = take_over(&seen, node(2), node(1), Some(ts(1)), ts(1)) else { panic!() };
    assert_eq!(view.owner(Shard(0), node(2)), Owner::Nobody);
    assert_eq!(view.shards_without_owner().count(), 2);
}

#[test]
fn a_node_leaves_step_by_step() {
    let mut seen = joined(4, [member(1), member(2)]);
    let LeaveStep::Drain(view) = leave(&seen, node(1), false, None, ts(6)) else { panic!() };
    assert_eq!(view.member(node(1)).unwrap().state, MemberState::Draining);
    assert_eq!(owners(&view), owners(&seen.view), "it still owns what it owned");
    assert_eq!(view.ts(), ts(6), "every swap raises it");
    seen = swapped(&seen, view);

    assert_eq!(leave(&seen, node(1), false, None, ts(6)), LeaveStep::Release);
    assert_eq!(leave(&seen, node(1), false, Some(ts(7)), ts(6)), LeaveStep::Release, "sealed by another meanwhile");
    assert_eq!(leave(&seen, node(1), true, None, ts(6)), LeaveStep::SealAndReplay(1.try_into().unwrap()));
    let LeaveStep::Swap(view) = leave(&seen, node(1), true, Some(ts(7)), ts(6)) else { panic!() };
    assert_eq!(owners(&view), [(Some(node(2)), 4); 4]);
    assert_eq!(view.ts(), ts(7));
    seen = swapped(&seen, view);

    assert_eq!(leave(&seen, node(1), true, Some(ts(7)), ts(6)), LeaveStep::Gone);
}

#[test]
fn the_last_node_leaves_its_shards_without_owner() {
    let mut seen = joined(4, [member(1)]);
    let LeaveStep::Drain(view) = leave(&seen, node(1), false, None, ts(6)) else { panic!() };
    seen = swapped(&seen, view);
    let LeaveStep::Swap(view) = leave(&seen, node(1), true, Some(ts(7)), ts(6)) else { panic!() };
    assert_eq!((view.members().count(), view.shards_without_owner().count(), view.ts()), (0, 4, ts(7)));
}

#[test]
fn who_listens_where_a_member_did_on_the_same_boot_and_network_need_not_wait() {
    let machine = |boot: &str, network: &str| Some(Machine { boot: boot.to_owned(), network: network.to_owned() });
    let me = Member { id: node(9), ..member(1) };
    for (what, other, gone) in [
        ("the same", member(1), true),
        ("another port", member(2), false),
        ("another address", Member { address: ([127, 0, 0, 2], 7001).into(), ..member(1) }, false),
        ("every address", Member { address: ([0, 0, 0, 0], 7001).into(), ..member(1) }, false),
        ("another boot", Member { machine: machine("later", "net:[1]"), ..member(1) }, false),
        ("another network", Member { machine: machine("boot", "net:[2]"), ..member(1) }, false),
        ("an unknown machine", Member { machine: None, ..member(1) }, false),
        ("itself", me.clone(), false),
    ] {
        let view = joined(1, [other.clone()]).view;
        let expected = if gone { vec![other.id] } else { vec![] };
        assert_eq!(gone_from_this_address(&view, &me), expected, "{what}");
    }
    let unknown = Member { machine: None, ..me };
    let view = joined(1, [Member { machine: None, ..member(1) }]).view;
    assert_eq!(gone_from_this_address(&view, &unknown), [], "two unknown machines are not the same");
}

#[test]
fn a_view_says_what_a_node_has_gained_and_lost() {
    let seen = joined(4, [member(1), member(2)]);
    let moved = hand_over(&seen, node(1), &[0, 3].map(|shard| a_move(shard, 1, 2)), ts(8)).unwrap();

    let all = (0..4).map(|shard| (Shard(shard), 1)).collect::<Vec<_>>();
    let none = ShardChanges::default();
    for (before, after, me, expected) in [
        (None, &seen.view, 1, ShardChanges { gained: all, lost: vec![] }),
        (Some(&seen.view), &seen.view, 1, none.clone()),
        (Some(&seen.view), &moved, 1, ShardChanges { gained: vec![], lost: vec![Shard(0), Shard(3)] }),
        (Some(&seen.view), &moved, 2, ShardChanges { gained: vec![(Shard(0), 3), (Shard(3), 3)], lost: vec![] }),
        (Some(&seen.view), &moved, 3, none),
    ] {
        assert_eq!(shard_changes(before, after, node(me)), expected, "node {me}");
    }

    let mut back = seen.view.clone();
    back.give(Shard(2), Some(node(1)), 9);
    let again = ShardChanges { gained: vec![(Shard(2), 9)], lost: vec![Shard(2)] };
    assert_eq!(shard_changes(Some(&seen.view), &back, node(1)), again, "it was away meanwhile");
}

#[test]
fn only_an_owner_hands_over_and_only_to_an_active_member() {
    let seen = joined(2, [member(1), member(2), Member { state: MemberState::Draining, ..member(3) }]);
    for (me, epoch, to, possible) in
        [(1, 1, 2, true), (1, 2, 2, false), (2, 1, 1, false), (1, 1, 3, false), (1, 1, 4, false)]
    {
        let view = hand_over(&seen, node(me), &[a_move(1, epoch, to)], ts(8));
        assert_eq!(view.is_some(), possible, "node {me}, epoch {epoch}, to node {to}");
        if let Some(view) = view {
            assert_eq!(owners(&view), [(Some(node(1)), 1), (Some(node(2)), 4)]);
            assert_eq!(view.ts(), ts(8));
        }
    }
}

#[test]
fn shards_that_belong_elsewhere_are_found_and_nothing_moves_twice() {
    let seen = joined(64, [member(1), member(2), Member { weight: 0, ..member(3) }]);
    let moves = misplaced(&seen.view, node(1)).collect::<Vec<_>>();
    assert!((16..48).contains(&moves.len()) && moves.iter().all(|a_move| a_move.to == Some(node(2))), "{moves:?}");
    assert_eq!(misplaced(&seen.view, node(2)).count(), 0);
    assert_eq!(misplaced(&seen.view, node(7)).count(), 0);

    let balanced = hand_over(&seen, node(1), &moves, ts(1)).unwrap();
    assert_eq!(misplaced(&balanced, node(1)).count(), 0);
    assert_eq!(misplaced(&balanced, node(2)).count(), 0);
}

#[test]
fn shards_go_to_nobody_only_where_a_node_drains_and_nobody_is_active() {
    let mut seen = joined(2, [member(1), member(2)]);
    let to_nobody = [Move { shard: Shard(0), epoch: 1, to: None }];
    assert_eq!(hand_over(&seen, node(1), &to_nobody, ts(8)), None);
    for byte in [1, 2] {
        seen.view.set_state(node(byte), MemberState::Draining);
    }
    let view = hand_over(&seen, node(1), &to_nobody, ts(8)).unwrap();
    assert_eq!((owners(&view), view.ts()), (vec![(None, 0), (Some(node(1)), 1)], ts(8)));

    let joined = join(Some(&swapped(&seen, view.clone())), &member(3), &settings(2), ts(0)).unwrap();
    assert_eq!(joined.owner(Shard(0), node(3)), Owner::Own { epoch: 4 });
    let draining = Member { state: MemberState::Draining, ..member(3) };
    let joined = join(Some(&swapped(&seen, view)), &draining, &settings(2), ts(0)).unwrap();
    assert_eq!(joined.owner(Shard(0), node(3)), Owner::Nobody, "one that drains takes nothing");
}

#[test]
fn what_rests_goes_to_whom_it_belongs_by_the_view_of_then() {
    let seen = joined(64, [member(1), member(2)]);
    let moves = misplaced(&seen.view, node(1)).collect::<Vec<_>>();
    let resting = moves.iter().map(|a_move| (a_move.shard, a_move.epoch)).collect::<BTreeMap<_, _>>();
    assert_eq!(hand_over_resting(&seen, node(1), &resting, ts(8)), hand_over(&seen, node(1), &moves, ts(8)));

    let alone = joined(64, [member(1), Member { state: MemberState::Draining, ..member(2) }]);
    assert_eq!(hand_over_resting(&alone, node(1), &resting, ts(8)), None, "they belong to this node again");
    assert_eq!(hand_over_resting(&seen, node(3), &resting, ts(8)), None, "not its own");
    let other_epoch = resting.iter().map(|(shard, epoch)| (*shard, epoch + 1)).collect::<BTreeMap<_, _>>();
    assert_eq!(hand_over_resting(&seen, node(1), &other_epoch, ts(8)), None, "not in that epoch");

    let third = joined(64, [member(1), member(2), member(3)]);
    let view = hand_over_resting(&third, node(1), &resting, ts(8)).unwrap();
    let to = |byte| resting.keys().filter(|shard| view.owner(**shard, node(byte)) == Owner::Own { epoch: 4 }).count();
    assert_eq!(to(2) + to(3), resting.len());
    assert!(to(3) > 0, "some of them belong to the newcomer by now");
}

#[test]
fn members_without_a_weight_take_only_what_no_other_can() {
    let without = |byte| Member { weight: 0, ..member(byte) };
    let gone = |members: [Member; 3]| {
        let seen = joined(16, members);
        let TakeoverStep::Swap(view) = take_over(&seen, node(2), node(1), Some(ts(1)), ts(1)) else { panic!() };
        (view.shards_of(node(2)).count(), view.shards_of(node(3)).count())
    };
    assert_eq!(gone([member(1), member(2), without(3)]), (16, 0));
    let (second, third) = gone([member(1), without(2), without(3)]);
    assert!(second + third == 16 && second > 0 && third > 0, "{second} and {third}");
    let seen = joined(16, [without(1), member(2)]);
    assert_eq!(misplaced(&seen.view, node(1)).count(), 16, "it gives away what it has");
}
