//! Leaving and dying: who takes over, when, and what it finds.

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

use dna_cluster::{Config, LeaveError, Loss, Placement, Status, View};
use dna_core::{
    ClusterStore, MemoryCluster, Shard,
    testing::{Fate, RequestKind},
};
use tokio::time::Instant;

use super::support::{Event, LEASE, Refused, SHARDS, TAKEN_OVER_WITHIN, TestNode, config, until_closed};

/// A node that listens there.
fn config_at(address: SocketAddr) -> Config {
    let config = Config::new(address).shards(NonZeroU32::new(SHARDS).unwrap());
    config.actor_type("Counter", 1, Placement::Hash).simulated()
}

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
async fn a_process_that_starts_on_the_address_of_a_dead_one_serves_at_once() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    assert_eq!(first.counters.count(Shard(0)).await, Ok(1));
    let address = first.membership.address();
    first.die();
    // The listener is closed by the task that the death has ended.
    until_closed(address).await;

    let again = TestNode::start_with(database.another(), config_at(address)).await.unwrap();
    assert_eq!(again.shards(), SHARDS as usize, "it serves at once");
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
    let dead = first.id();
    first.die();
    second.sees_gone(dead).await;
    third.sees_gone(dead).await;
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
    // Nothing comes of it that could be waited for.
    tokio::time::sleep(LEASE * 5).await;

    let view = View::decode(&database.read_view().await.unwrap().bytes).unwrap();
    assert!(view.member(dead).is_some());
    assert_eq!(second.shards(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_start_does_not_wait_for_ever_for_a_takeover_that_is_not_possible() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let (dead, address) = (first.id(), first.membership.address());
    first.die();
    database.faults().lose_journal(dead, 0);
    until_closed(address).await;

    let again = TestNode::start_with(database.another(), config_at(address)).await.unwrap();
    let Status::Member { seen, .. } = again.membership.status() else { panic!("{:?}", again.membership) };
    assert!(seen.view.member(dead).is_some() && seen.view.member(again.id()).is_some());
    assert_eq!(again.shards(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_dead_node_that_cannot_be_replayed_now_holds_up_no_other_takeover() {
    let database = MemoryCluster::new();
    let (first, second) = (TestNode::start(&database).await, TestNode::start(&database).await);
    let third = TestNode::start(&database).await;
    let hours = Fate::Delay { request: LEASE * 1000, answer: Duration::ZERO };
    third.faults().next(1, RequestKind::Seal, hours);
    first.die();
    second.die();

    let died = Instant::now();
    let members = |count| move |status: &Status| matches!(status, Status::Member { seen, .. } if seen.view.members().count() == count);
    third.until(members(2)).await;
    assert!(died.elapsed() <= TAKEN_OVER_WITHIN + LEASE, "the other one of them was taken over from");
    third.membership.wait_until(members(1)).await;
    assert!(died.elapsed() > LEASE * 1000);
    assert_eq!(third.shards(), SHARDS as usize);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_lapses_while_a_node_leaves_ends_at_once_what_it_runs() {
    let database = MemoryCluster::new();
    let deadline = LEASE * 10;
    let node = TestNode::start_with(database.another(), config().release_deadline(deadline)).await.unwrap();
    let (counters, faults) = (node.counters.clone(), node.faults());
    let busy = counters.keep_busy().await;
    let left = tokio::spawn(node.leave());
    // It has tried to give everything away, and ends what runs now: by its clock alone, so that there is nothing to wait for.
    tokio::time::sleep(deadline + LEASE / 3).await;
    assert!(matches!(counters.events().last(), Some(Event::Release(_))), "{:?}", counters.events());

    faults.hold([RequestKind::Beat]);
    let held = Instant::now();
    counters.has_dropped_all(Loss::LeaseLapsed).await;
    assert!(held.elapsed() <= LEASE + LEASE / 6, "at once, and not when the time for its end is over");
    assert_eq!(left.await.unwrap(), Ok(()), "the way out needs no lease");
    drop(busy);
}
