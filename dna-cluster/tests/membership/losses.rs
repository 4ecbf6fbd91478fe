//! Losing the membership: pauses, a sealed journal, a database that is away. The process joins again under a new id.

use dna_cluster::{Loss, Status, View};
use dna_core::{
    ClusterStore, MemoryCluster, Shard,
    testing::{FaultPlan, RequestKind},
};

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
async fn a_database_that_is_away_kills_nobody_and_all_goes_on_when_it_is_back() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let second = TestNode::start(&database).await;
    let former = [first.id(), second.id()];
    let before = database.read_view().await.unwrap();
    assert_eq!(first.counters.count(Shard(5)).await, Ok(1));

    for node in [&first, &second] {
        node.faults().cut();
    }
    tokio::time::sleep(LEASE * 20).await;
    assert_eq!(database.read_view().await.unwrap(), before, "nobody was declared dead");
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
        second.faults().next(1, RequestKind::Beats, dna_core::testing::Fate::Refuse);
    }
    let view = View::decode(&database.read_view().await.unwrap().bytes).unwrap();
    assert!(view.member(dead).is_some());

    tokio::time::sleep(TAKEN_OVER_WITHIN).await;
    assert_eq!(second.shards(), SHARDS as usize);
}
