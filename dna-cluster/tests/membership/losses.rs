//! Losing the membership: pauses, a sealed journal, a database that is away. The process joins again under a new id.

use std::time::Duration;

use dna_cluster::{Loss, Status, View};
use dna_core::{
    ClusterStore, MemoryCluster, Shard,
    testing::{Fate, FaultPlan, RequestKind},
};
use tokio::time::Instant;

use super::support::{Event, LEASE, Refused, SHARDS, TAKEN_OVER_WITHIN, TestNode};

#[tokio::test(start_paused = true)]
async fn a_node_whose_heartbeats_are_late_drops_all_and_joins_again_under_a_new_id() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let second = TestNode::start(&database).await;
    assert_eq!(first.counters.count(Shard(2)).await, Ok(1));
    let former = first.id();

    first.faults().hold([RequestKind::Beat]);
    tokio::time::sleep(LEASE + LEASE / 6).await;
    assert!(matches!(first.membership.status(), Status::Joining));
    assert_eq!(first.counters.count(Shard(2)).await, Err(Refused::NotHere));
    assert_eq!(first.counters.events().last(), Some(&Event::DropAll(Loss::LeaseLapsed)));
    second.owns_all().await;
    assert_eq!(second.counters.count(Shard(2)).await, Ok(2));

    first.faults().release([RequestKind::Beat]);
    assert_ne!(first.has_new_id(former).await, former);
    assert_eq!((first.shards(), second.shards()), (0, SHARDS as usize));
}

#[tokio::test(start_paused = true)]
async fn a_paused_node_commits_nothing_that_anyone_sees() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let second = TestNode::start(&database).await;
    let former = first.id();
    assert_eq!(first.counters.count(Shard(2)).await, Ok(1));

    // All that it sends is under way, and arrives when others have taken over.
    first.faults().hold(RequestKind::ALL);
    let late = tokio::spawn({
        let counters = first.counters.clone();
        async move { counters.count(Shard(2)).await }
    });
    second.owns_all().await;
    assert_eq!(second.counters.count(Shard(2)).await, Ok(2));
    first.faults().release(RequestKind::ALL);

    assert_eq!(late.await.unwrap(), Err(Refused::Unknown));
    first.has_new_id(former).await;
    assert_eq!(second.counters.count(Shard(2)).await, Ok(3));
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_journal_was_sealed_joins_again() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    assert_eq!(first.counters.count(Shard(2)).await, Ok(1));
    let former = first.id();
    database.seal_and_replay(former, 1).await.unwrap();

    assert_eq!(first.counters.count(Shard(2)).await, Err(Refused::Unknown));
    first.has_new_id(former).await;
    assert!(first.counters.events().contains(&Event::DropAll(Loss::Fenced)));
    assert!(first.owns_all().await < LEASE / 6, "what was its own need not be waited for");
    assert_eq!(first.counters.count(Shard(2)).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_for_long_ends_all_and_all_goes_on_when_it_is_back() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let second = TestNode::start(&database).await;
    let former = [first.id(), second.id()];
    assert_eq!(first.counters.count(Shard(5)).await, Ok(1));

    for node in [&first, &second] {
        node.faults().cut();
    }
    tokio::time::sleep(LEASE * 20).await;
    for node in [&first, &second] {
        assert!(matches!(node.membership.status(), Status::Joining));
        assert_eq!(node.counters.count(Shard(5)).await, Err(Refused::NotHere));
    }

    for node in [&first, &second] {
        node.faults().follow(FaultPlan::calm());
    }
    first.has_new_id(former[0]).await;
    second.has_new_id(former[1]).await;
    tokio::time::sleep(LEASE / 3).await;
    assert_eq!(first.shards() + second.shards(), SHARDS as usize, "each took over its own old one at once");
    let counted = [first.counters.count(Shard(5)).await, second.counters.count(Shard(5)).await];
    assert!(counted.contains(&Ok(2)), "{counted:?}");
    let view = View::decode(&database.read_view().await.unwrap().bytes).unwrap();
    assert_eq!(view.members().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_cannot_be_read_kill_nobody() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let second = TestNode::start(&database).await;
    let dead = first.id();
    first.die();
    // One read in four fails: silence is never seen for long enough.
    for _ in 0..10 {
        tokio::time::sleep(LEASE / 2).await;
        second.faults().next(1, RequestKind::Beats, Fate::Refuse);
    }
    let view = View::decode(&database.read_view().await.unwrap().bytes).unwrap();
    assert!(view.member(dead).is_some());

    tokio::time::sleep(TAKEN_OVER_WITHIN).await;
    assert_eq!(second.shards(), SHARDS as usize);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_read_the_heartbeats_but_swap_the_view_takes_nobody_for_dead() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let second = TestNode::start(&database).await;
    second.faults().always(RequestKind::Beats, Fate::Refuse);
    let former = [first.id(), second.id()];
    tokio::time::sleep(LEASE * 10).await;

    // It swaps the view to say so.
    second.membership.drain().await.unwrap();
    assert_eq!([first.id(), second.id()], former);
    first.owns_all().await;
    let view = View::decode(&database.read_view().await.unwrap().bytes).unwrap();
    assert_eq!(view.members().count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_for_less_than_a_lease_costs_nobody_anything() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let second = TestNode::start(&database).await;
    let former = [first.id(), second.id()];
    let drops = |node: &TestNode| node.counters.events().iter().any(|event| matches!(event, Event::DropAll(_)));
    for _ in 0..20 {
        for node in [&first, &second] {
            node.faults().cut();
        }
        tokio::time::sleep(LEASE / 2).await;
        for node in [&first, &second] {
            node.faults().follow(FaultPlan::calm());
        }
        tokio::time::sleep(LEASE / 4).await;
    }
    assert_eq!([first.id(), second.id()], former);
    assert!(!drops(&first) && !drops(&second));
    assert_eq!(first.shards() + second.shards(), SHARDS as usize);
}

#[tokio::test(start_paused = true)]
async fn a_loop_that_panics_drops_everything_and_the_process_joins_again() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let second = TestNode::start(&database).await;
    assert_eq!(first.counters.count(Shard(1)).await, Ok(1));
    let former = second.id();
    second.counters.panic_at_next_own();
    first.die();

    assert_ne!(second.has_new_id(former).await, former);
    assert!(second.counters.events().contains(&Event::DropAll(Loss::LeaseLapsed)));
    second.owns_all().await;
    assert_eq!(second.counters.count(Shard(1)).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_loses_one_membership_after_the_other_joins_ever_more_slowly() {
    let database = MemoryCluster::new();
    let node = TestNode::start(&database).await;
    let lose = async || {
        node.owns_all().await;
        let former = node.id();
        database.seal_and_replay(former, 1).await.unwrap();
        let began = Instant::now();
        assert_eq!(node.counters.count(Shard(1)).await, Err(Refused::Unknown));
        node.has_new_id(former).await;
        began.elapsed()
    };
    let mut took = Vec::new();
    for _ in 0..9 {
        took.push(lose().await);
    }
    let pauses = [0, 500, 1000, 2000, 4000, 8000, 16_000, 24_000, 24_000].map(Duration::from_millis);
    let is_so = |(took, pause): (&Duration, Duration)| *took >= pause && *took < pause + LEASE / 6;
    assert!(took.iter().zip(pauses).all(is_so), "{took:?}");

    tokio::time::sleep(LEASE * 20).await;
    assert!(lose().await < LEASE / 6, "a stable membership has ended that");
}
