//! Moving: who gives what to whom, when, and what becomes of it where something goes wrong meanwhile.

use std::{collections::BTreeSet, num::NonZeroU32, time::Duration};

use dna_cluster::{LeaveError, MemberState, Owner, decide::batch_len};
use dna_core::{
    MemoryCluster, Shard,
    testing::{Fate, FaultPlan, RequestKind},
};

use super::support::{Event, LEASE, Refused, TAKEN_OVER_WITHIN, TestNode, config};

/// More shards than elsewhere, so that every node has some.
const SHARDS: u32 = 64;

/// When everything has moved at the latest, from when the members are the same.
const MOVED_WITHIN: Duration = Duration::from_secs(10);

/// A node whose id follows from a number: so do its shards.
async fn start(database: &MemoryCluster, seed: u64) -> TestNode {
    start_with_shards(database, seed, SHARDS).await
}

async fn start_with_shards(database: &MemoryCluster, seed: u64, shards: u32) -> TestNode {
    let config = config().shards(NonZeroU32::new(shards).unwrap()).seed(seed);
    TestNode::start_with(database.another(), config).await.unwrap()
}

/// The shards of a node, as the view says, and as its host was told.
fn owned(node: &TestNode) -> BTreeSet<Shard> {
    let members = node.membership.members();
    let is_own = |shard: &Shard| matches!(members.owner(*shard), Owner::Own { .. });
    let shards = u32::try_from(members.owners().len()).unwrap();
    let owned = (0..shards).map(Shard).filter(is_own).collect::<BTreeSet<_>>();
    assert_eq!(node.counters.active(), owned, "the host knows what the view says");
    owned
}

fn released(node: &TestNode) -> Vec<Vec<Shard>> {
    let batch = |event| match event {
        Event::Release(shards) => Some(shards),
        _ => None,
    };
    node.counters.events().into_iter().filter_map(batch).collect()
}

/// Counts up every shard by one where it is served: it must come to this number everywhere.
async fn all_count_to(expected: u64, nodes: &[&TestNode]) {
    for shard in (0..SHARDS).map(Shard) {
        let mut counted = Vec::new();
        for node in nodes {
            counted.extend(node.counters.count(shard).await.ok());
        }
        assert_eq!(counted, [expected], "{shard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_its_share_and_what_stays_goes_on_all_the_time() {
    let database = MemoryCluster::new();
    let first = start(&database, 1).await;
    let second = start(&database, 2).await;
    all_count_to(1, &[&first]).await;
    tokio::time::sleep(MOVED_WITHIN).await;
    let (had_first, had_second) = (owned(&first), owned(&second));
    assert!(had_first.len() + had_second.len() == 64 && had_first.len() > 20 && had_second.len() > 20);
    all_count_to(2, &[&first, &second]).await;

    let third = start(&database, 3).await;
    // Every counter is read all the time: one that stays where it is answers every time.
    let mut refused = BTreeSet::new();
    for _ in 0..1000 {
        for (node, had) in [(&first, &had_first), (&second, &had_second)] {
            for shard in had {
                if node.counters.read(*shard).await.is_err() {
                    refused.insert(*shard);
                }
            }
        }
        tokio::time::sleep(MOVED_WITHIN / 1000).await;
    }
    let share = owned(&third);
    assert!(share.len() > 12 && share.len() < 32, "{share:?}");
    assert_eq!(refused, share, "nothing else has moved or stood still");
    assert_eq!(owned(&first), had_first.difference(&share).copied().collect());
    assert_eq!(owned(&second), had_second.difference(&share).copied().collect());
    all_count_to(3, &[&first, &second, &third]).await;
}

#[tokio::test(start_paused = true)]
async fn shards_are_divided_by_the_weights_of_the_nodes() {
    let database = MemoryCluster::new();
    let weighing = |seed, weight| {
        let config = config().shards(NonZeroU32::new(1000).unwrap()).seed(seed).weight(weight);
        TestNode::start_with(database.another(), config)
    };
    let (first, second) = (weighing(1, 100).await.unwrap(), weighing(2, 300).await.unwrap());
    let idle = weighing(3, 0).await.unwrap();
    tokio::time::sleep(MOVED_WITHIN).await;
    let (first, second) = (owned(&first).len(), owned(&second).len());
    assert!(first + second == 1000 && first > 200 && first < 300, "{first} and {second}");
    assert_eq!(owned(&idle).len(), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_moves_before_the_members_have_been_the_same_for_two_leases() {
    let database = MemoryCluster::new();
    let first = start(&database, 1).await;
    let second = start(&database, 2).await;
    tokio::time::sleep(LEASE * 2 - LEASE / 3).await;
    let third = start(&database, 3).await;
    tokio::time::sleep(LEASE * 2 - LEASE / 3).await;
    assert_eq!(owned(&first).len(), 64, "a third one has joined meanwhile: the wait begins anew");
    assert!(released(&first).is_empty());
    tokio::time::sleep(LEASE).await;
    let shares = [&first, &second, &third].map(|node| owned(node).len());
    assert!(shares.iter().sum::<usize>() == 64 && shares.iter().all(|share| *share > 12), "{shares:?}");
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_that_dies_at_once_gets_nothing() {
    let database = MemoryCluster::new();
    let first = start(&database, 1).await;
    start(&database, 2).await.die();
    tokio::time::sleep(LEASE * 10).await;
    assert_eq!(owned(&first).len(), 64);
    assert!(released(&first).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_drains_gives_all_away_and_stays_a_member_that_serves_nothing() {
    let database = MemoryCluster::new();
    let first = start(&database, 1).await;
    let (second, third) = (start(&database, 2).await, start(&database, 3).await);
    tokio::time::sleep(MOVED_WITHIN).await;
    all_count_to(1, &[&first, &second, &third]).await;

    first.membership.drain().await.unwrap();
    assert!(owned(&first).is_empty());
    let me = first.membership.members().all().into_iter().find(|member| member.id == first.id()).unwrap();
    assert_eq!((me.state, me.shards), (MemberState::Draining, 0));
    tokio::time::sleep(LEASE * 4).await;
    assert!(owned(&first).is_empty(), "it gets nothing back");
    assert_eq!(owned(&second).len() + owned(&third).len(), 64);
    all_count_to(2, &[&second, &third]).await;
    let id = first.id();
    first.leave().await.unwrap();
    second
        .until(|status| matches!(status, dna_cluster::Status::Member { seen, .. } if seen.view.member(id).is_none()))
        .await;
    all_count_to(3, &[&second, &third]).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_last_active_node_drains_is_served_by_the_next_one() {
    let database = MemoryCluster::new();
    let first = start(&database, 1).await;
    all_count_to(1, &[&first]).await;
    first.membership.drain().await.unwrap();
    assert!(first.membership.members().owners().iter().all(Option::is_none));

    let second = start(&database, 2).await;
    assert_eq!(owned(&second).len(), 64);
    all_count_to(2, &[&first, &second]).await;
}

#[tokio::test(start_paused = true)]
async fn a_node_that_drains_and_loses_its_membership_comes_back_draining() {
    let database = MemoryCluster::new();
    let (first, second) = (start(&database, 1).await, start(&database, 2).await);
    all_count_to(1, &[&first]).await;
    let former = first.id();
    // It cannot give away anything, and is taken over from.
    first.faults().hold(RequestKind::ALL);
    let mut drain = Box::pin(first.membership.drain());
    assert!(futures_util::poll!(&mut drain).is_pending());
    tokio::time::sleep(TAKEN_OVER_WITHIN + LEASE).await;
    first.faults().release(RequestKind::ALL);
    drain.await.unwrap();
    assert_ne!(first.id(), former);
    tokio::time::sleep(LEASE * 4).await;
    assert!(owned(&first).is_empty());
    all_count_to(2, &[&second]).await;
}

#[tokio::test(start_paused = true)]
async fn a_move_whose_requests_go_astray_is_one_move() {
    const FATES: [Fate; 6] =
        [Fate::LoseRequest, Fate::LoseAnswer, Fate::Strand, Fate::Echo, Fate::Refuse, Fate::Late(LEASE)];
    for fate in FATES {
        for kind in [RequestKind::SwapView, RequestKind::Release, RequestKind::StoreRows, RequestKind::ReadView] {
            let database = MemoryCluster::new();
            let (first, second) = (start(&database, 1).await, start(&database, 2).await);
            all_count_to(1, &[&first]).await;
            first.faults().next(2, kind, fate);
            tokio::time::sleep(MOVED_WITHIN * 2).await;
            first.faults().deliver_stranded();
            tokio::time::sleep(LEASE).await;
            let shares = [owned(&first).len(), owned(&second).len()];
            assert!(shares[0] + shares[1] == 64 && shares[1] > 20, "{fate:?} {kind:?}: {shares:?}");
            all_count_to(2, &[&first, &second]).await;
        }
    }
}

/// Two nodes, the first of which is about to swap a batch, and that batch.
async fn about_to_swap(database: &MemoryCluster) -> (TestNode, TestNode, Vec<Shard>) {
    let (first, second) = (start(database, 1).await, start(database, 2).await);
    all_count_to(1, &[&first]).await;
    first.faults().hold([RequestKind::SwapView]);
    first.faults().held(1).await;
    let batch = released(&first).pop().unwrap();
    (first, second, batch)
}

#[tokio::test(start_paused = true)]
async fn nobody_serves_a_shard_while_its_swap_has_no_answer_and_all_others_go_on() {
    let database = MemoryCluster::new();
    let (first, second, batch) = about_to_swap(&database).await;
    assert_eq!(batch.len(), batch_len(NonZeroU32::new(SHARDS).unwrap()));
    for shard in (0..SHARDS).map(Shard) {
        let read = [first.counters.read(shard).await, second.counters.read(shard).await];
        let expected = if batch.contains(&shard) { Err(Refused::NotHere) } else { Ok(1) };
        assert_eq!(read, [expected, Err(Refused::NotHere)], "{shard:?}");
    }
    assert_eq!(released(&first).len(), 1, "one batch after the other");
    first.faults().release([RequestKind::SwapView]);
    tokio::time::sleep(MOVED_WITHIN).await;
    assert!(owned(&second).len() > 20);
    all_count_to(2, &[&first, &second]).await;
}

#[tokio::test(start_paused = true)]
async fn when_the_new_owner_dies_during_a_move_its_shards_are_served_again() {
    let database = MemoryCluster::new();
    let (first, second, _) = about_to_swap(&database).await;
    second.die();
    // It goes to the dead one first, and is taken over from it.
    first.faults().release([RequestKind::SwapView]);
    tokio::time::sleep(TAKEN_OVER_WITHIN + MOVED_WITHIN).await;
    assert_eq!(owned(&first).len(), 64);
    all_count_to(2, &[&first]).await;
}

#[tokio::test(start_paused = true)]
async fn when_the_old_owner_dies_during_a_move_everything_is_taken_over() {
    let database = MemoryCluster::new();
    let (first, second, _) = about_to_swap(&database).await;
    first.die();
    tokio::time::sleep(TAKEN_OVER_WITHIN + LEASE).await;
    assert_eq!(owned(&second).len(), 64);
    all_count_to(2, &[&second]).await;
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_belongs_to_nobody_else_any_more_is_served_again_in_the_same_epoch() {
    let database = MemoryCluster::new();
    let (first, second, batch) = about_to_swap(&database).await;
    let epochs = |node: &TestNode| batch.iter().map(|shard| node.membership.owner(*shard)).collect::<Vec<_>>();
    let before = epochs(&first);
    // The swap that is held comes too late: another one has changed the view.
    second.leave().await.unwrap();
    first.faults().release([RequestKind::SwapView]);
    tokio::time::sleep(LEASE).await;
    assert_eq!(owned(&first).len(), 64);
    assert_eq!(epochs(&first), before);
    all_count_to(2, &[&first]).await;
}

#[tokio::test(start_paused = true)]
async fn shards_whose_actors_do_not_end_in_time_are_served_again_and_moved_later() {
    let database = MemoryCluster::new();
    let (first, second) = (start(&database, 1).await, start(&database, 2).await);
    all_count_to(1, &[&first]).await;
    tokio::time::sleep(LEASE).await;
    let busy = first.counters.keep_busy().await;
    tokio::time::sleep(LEASE * 2 + LEASE / 2).await;
    assert!(!released(&first).is_empty(), "it was tried");
    assert_eq!(owned(&second).len(), 0);
    // The rest of it is served most of the time; a batch of tries is not, at any moment.
    let mut served = 0;
    for shard in (0..SHARDS).map(Shard) {
        served += usize::from(first.counters.read(shard).await.is_ok());
    }
    assert!(served >= 60, "{served}");

    drop(busy);
    tokio::time::sleep(LEASE * 10).await;
    assert!(owned(&second).len() > 20);
    all_count_to(2, &[&first, &second]).await;
}

#[tokio::test(start_paused = true)]
async fn rows_that_cannot_be_stored_keep_a_shard_where_it_is() {
    let database = MemoryCluster::new();
    let first = TestNode::start_with(
        database.another(),
        config().shards(NonZeroU32::new(SHARDS).unwrap()).seed(1).release_deadline(LEASE),
    );
    let (first, second) = (first.await.unwrap(), start(&database, 2).await);
    first.faults().hold([RequestKind::StoreRows]);
    all_count_to(1, &[&first]).await;
    tokio::time::sleep(LEASE * 10).await;
    assert_eq!((owned(&first).len(), owned(&second).len()), (64, 0));
    assert!(released(&first).is_empty(), "it is served all the time");
    first.faults().release([RequestKind::StoreRows]);
    tokio::time::sleep(MOVED_WITHIN).await;
    assert!(owned(&second).len() > 20);
    all_count_to(2, &[&first, &second]).await;
}

#[tokio::test(start_paused = true)]
async fn a_move_that_stands_still_holds_up_neither_a_takeover_nor_a_leave() {
    let database = MemoryCluster::new();
    let (first, second) = (start(&database, 1).await, start(&database, 2).await);
    let third = start(&database, 3).await;
    all_count_to(1, &[&first]).await;
    tokio::time::sleep(MOVED_WITHIN).await;
    let fourth = start(&database, 4).await;
    // The first one cannot store anything, so that its moves stand still; the fourth dies.
    first.faults().hold([RequestKind::StoreRows]);
    assert_eq!(first.counters.count(*owned(&first).first().unwrap()).await, Ok(2));
    tokio::time::sleep(LEASE * 2 + LEASE / 3).await;
    let dead = fourth.id();
    fourth.die();
    tokio::time::sleep(TAKEN_OVER_WITHIN).await;
    let nodes = [&first, &second, &third];
    let knows = |node: &&TestNode| node.membership.members().address(dead).is_some();
    assert!(!nodes.iter().any(knows), "all have seen it go");

    let began = tokio::time::Instant::now();
    assert_eq!(first.leave().await, Err(LeaveError::Unavailable), "its rows cannot be stored by itself");
    assert!(began.elapsed() <= Duration::from_secs(130), "{:?}", began.elapsed());
    tokio::time::sleep(TAKEN_OVER_WITHIN + LEASE).await;
    assert_eq!(owned(&second).len() + owned(&third).len(), 64);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_counters_move_batch_by_batch() {
    const MANY: u32 = 10_000;
    let database = MemoryCluster::new();
    let first = start_with_shards(&database, 1, MANY).await;
    for shard in (0..MANY).map(Shard) {
        assert_eq!(first.counters.count(shard).await, Ok(1));
    }
    let second = start_with_shards(&database, 2, MANY).await;
    tokio::time::sleep(MOVED_WITHIN).await;
    let share = owned(&second);
    assert!((4500..5500).contains(&share.len()), "{}", share.len());
    let batches = released(&first);
    let largest = batches.iter().map(Vec::len).max().unwrap();
    assert_eq!(largest, batch_len(NonZeroU32::new(MANY).unwrap()));
    assert_eq!(batches.len(), share.len().div_ceil(largest), "none more than needed");
    let moved = batches.into_iter().flatten().collect::<BTreeSet<_>>();
    assert_eq!(moved, share);
    assert_eq!(second.counters.count(*share.first().unwrap()).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_node_without_the_types_of_another_gets_nothing_of_it_until_that_one_drains() {
    let database = MemoryCluster::new();
    let first = start(&database, 1).await;
    let plain = dna_cluster::Config::new(([127, 0, 0, 1], 0).into()).simulated().seed(2).lease(LEASE);
    let second =
        TestNode::start_with(database.another(), plain.shards(NonZeroU32::new(SHARDS).unwrap())).await.unwrap();
    tokio::time::sleep(MOVED_WITHIN).await;
    assert_eq!((owned(&first).len(), owned(&second).len()), (64, 0));
    first.membership.drain().await.unwrap();
    tokio::time::sleep(LEASE).await;
    assert_eq!((owned(&first).len(), owned(&second).len()), (0, 64));
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_during_a_move_loses_nothing() {
    let database = MemoryCluster::new();
    let (first, second, _) = about_to_swap(&database).await;
    for node in [&first, &second] {
        node.faults().cut();
    }
    tokio::time::sleep(LEASE * 4).await;
    for node in [&first, &second] {
        node.faults().follow(FaultPlan::calm());
        node.faults().release(RequestKind::ALL);
    }
    tokio::time::sleep(LEASE * 10).await;
    assert_eq!(owned(&first).len() + owned(&second).len(), 64);
    all_count_to(2, &[&first, &second]).await;
}
