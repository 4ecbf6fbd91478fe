//! Leaving and dying: who takes over, when, and what it finds.

use std::time::Duration;

use dna_cluster::{LeaveError, Loss, View};
use dna_core::{ClusterStore, MemoryCluster, Shard, testing::RequestKind};
use tokio::time::Instant;

use super::support::{Event, LEASE, Refused, SHARDS, TAKEN_OVER_WITHIN, TestNode, config};

#[tokio::test(start_paused = true)]
async fn when_a_node_leaves_another_one_owns_all_and_sees_what_was_written() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let second = TestNode::start(&database).await;
    assert_eq!(first.counters.count(Shard(3)).await, Ok(1));
    assert_eq!(first.counters.count(Shard(3)).await, Ok(2));

    let counters = first.counters.clone();
    first.leave().await.unwrap();
    assert!(second.owns_all().await < LEASE / 3, "nobody waited for a lease");
    assert_eq!(second.counters.count(Shard(3)).await, Ok(3));
    assert_eq!(counters.count(Shard(3)).await, Err(Refused::NotHere));
    let end = counters.events().split_off(2);
    let batches = (0..SHARDS).map(|shard| Event::Release(vec![Shard(shard)]));
    assert_eq!(end, batches.chain([Event::DropAll(Loss::Left)]).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn when_a_node_dies_another_one_takes_over_once_the_lease_has_run_out() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let second = TestNode::start(&database).await;
    // The rows are held back, so that they have to be replayed.
    first.faults().hold([RequestKind::StoreRows]);
    for expected in 1..=5 {
        assert_eq!(first.counters.count(Shard(1)).await, Ok(expected));
    }
    first.die();

    let took = second.owns_all().await;
    assert!(took > LEASE - LEASE / 6 && took < TAKEN_OVER_WITHIN, "it took {took:?}");
    assert_eq!(second.counters.count(Shard(1)).await, Ok(6));
    let view = View::decode(&database.read_view().await.unwrap().bytes).unwrap();
    assert_eq!(view.members().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_last_node_leaves_all_to_the_next_one() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    assert_eq!(first.counters.count(Shard(7)).await, Ok(1));
    first.leave().await.unwrap();
    let view = View::decode(&database.read_view().await.unwrap().bytes).unwrap();
    assert_eq!((view.members().count(), view.shards_without_owner().count()), (0, SHARDS as usize));

    let second = TestNode::start(&database).await;
    assert_eq!(second.shards(), SHARDS as usize);
    assert_eq!(second.counters.count(Shard(7)).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_process_that_starts_on_the_address_of_a_dead_one_need_not_wait() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    assert_eq!(first.counters.count(Shard(0)).await, Ok(1));
    let address = first.membership.address();
    first.die();
    // The listener is closed by the task that the death has ended.
    tokio::time::sleep(Duration::from_millis(1)).await;

    let config = dna_cluster::Config::new(address)
        .shards(std::num::NonZeroU32::new(SHARDS).unwrap())
        .actor_type("Counter", 1, dna_cluster::Placement::Hash)
        .simulated();
    let again = TestNode::start_with(database.another(), config).await.unwrap();
    assert!(again.owns_all().await < LEASE / 6);
    assert_eq!(again.counters.count(Shard(0)).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn a_process_on_another_address_waits_for_the_lease() {
    let database = MemoryCluster::new();
    TestNode::start(&database).await.die();
    let other = TestNode::start_with(database.another(), config()).await.unwrap();
    assert!(other.owns_all().await > LEASE);
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_node_had_is_shared_among_the_living() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let (second, third) = (TestNode::start(&database).await, TestNode::start(&database).await);
    first.die();
    tokio::time::sleep(TAKEN_OVER_WITHIN + LEASE).await;
    assert_eq!(second.shards() + third.shards(), SHARDS as usize);
    for shard in (0..SHARDS).map(Shard) {
        let counted = [second.counters.count(shard).await, third.counters.count(shard).await];
        assert!(counted.contains(&Ok(1)) && counted.contains(&Err(Refused::NotHere)), "{shard:?}: {counted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_leave_ends_all_the_same_and_others_take_over() {
    let database = MemoryCluster::new();
    let second = TestNode::start_with(database.another(), config()).await.unwrap();
    let first = TestNode::start_with(database.another(), config().release_deadline(Duration::from_secs(2))).await;
    let first = first.unwrap();
    second.leave().await.unwrap();
    first.owns_all().await;

    first.faults().cut();
    let (counters, began) = (first.counters.clone(), Instant::now());
    assert_eq!(first.leave().await, Err(LeaveError::Unavailable));
    assert!(began.elapsed() <= Duration::from_secs(6));
    assert_eq!(counters.events().last(), Some(&Event::DropAll(Loss::Left)));
    let third = TestNode::start(&database).await;
    third.owns_all().await;
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_replayed_keeps_its_node_in_the_view() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let second = TestNode::start(&database).await;
    let dead = first.id();
    first.die();
    database.faults().lose_journal(dead, 0);
    tokio::time::sleep(LEASE * 5).await;

    let view = View::decode(&database.read_view().await.unwrap().bytes).unwrap();
    assert!(view.member(dead).is_some());
    assert_eq!(second.shards(), 0);
}
