//! Joining: who owns what, and who is refused.

use std::{num::NonZeroU32, time::Duration};

use dna_cluster::{Owner, Placement, StartError, View, decide};
use dna_core::{
    ClusterStore, MemoryCluster, Outcome, Shard, Timestamp,
    limits::TIMESTAMP_AHEAD_MAX,
    testing::{Fate, FaultPlan, RequestKind},
};

use super::support::{Event, LEASE, Refused, SHARDS, TestNode, agree, config};

#[tokio::test(start_paused = true)]
async fn the_first_node_owns_all_and_the_second_nothing() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let second = TestNode::start(&database).await;
    agree(&[&first, &second]).await;

    assert_eq!((first.shards(), second.shards()), (SHARDS as usize, 0));
    assert_eq!(first.membership.owner(Shard(0)), Owner::Own { epoch: 1 });
    assert_eq!(second.membership.owner(Shard(0)), Owner::Node(first.id()), "it can name the owner");
    assert_eq!(first.counters.count(Shard(0)).await, Ok(1));
    assert_eq!(second.counters.count(Shard(0)).await, Err(Refused::NotHere));
    let all = (0..SHARDS).map(|shard| (Shard(shard), 1)).collect();
    assert_eq!(first.counters.events(), [Event::Begin(first.id()), Event::Own(all)]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_differs_is_refused_and_leaves_no_trace() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let before = database.read_view().await.unwrap();

    for (other, expected) in [
        (config().shards(NonZeroU32::new(64).unwrap()), "the number of shards is 64 here and 8 in the cluster"),
        (config().lease(LEASE * 2), "the lease is 6000 ms here and 3000 ms in the cluster"),
        (
            config().actor_type("Counter", 1, Placement::Local),
            "the placement of `Counter` is local here and hash in the cluster",
        ),
    ] {
        let error = TestNode::start_with(database.another(), other).await.err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.is_retryable());
    }
    assert_eq!(database.read_view().await.unwrap(), before);
    assert_eq!(database.beats().await.unwrap().len(), 1);
    drop(first);
}

#[tokio::test(start_paused = true)]
async fn a_clock_far_behind_the_clusters_timestamps_is_refused() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    first.membership.wait_until(|_| true).await;
    let register = database.read_view().await.unwrap();
    let seen = dna_cluster::Seen { version: register.version, view: View::decode(&register.bytes).unwrap() };

    let late = dna_cluster::Member { id: dna_core::NodeId::new(), ..seen.view.member(first.id()).unwrap().clone() };
    let ahead = u64::try_from(TIMESTAMP_AHEAD_MAX.as_micros()).unwrap();
    let year_2500 = Timestamp::from_micros(16_725_225_600_000_000 + ahead);
    let view = decide::join(Some(&seen), &late, seen.view.settings(), year_2500).unwrap();
    database.swap_view(seen.version, view.encode().unwrap().into()).await.unwrap();

    let error = TestNode::start_with(database.another(), config()).await.err().unwrap();
    assert!(matches!(error, StartError::Clock(_)), "{error}");
    assert!(error.to_string().contains("set it by NTP"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_join_whose_answer_is_lost_is_one_join() {
    for fate in [Fate::LoseAnswer, Fate::LoseRequest, Fate::Echo, Fate::Strand] {
        let database = MemoryCluster::new();
        let first = TestNode::start(&database).await;
        let connection = database.another();
        connection.faults().next(2, RequestKind::SwapView, fate);

        let second = TestNode::start_with(connection, config()).await.unwrap();
        assert_eq!(second.faults().deliver_stranded() > 0, matches!(fate, Fate::Echo | Fate::Strand));
        agree(&[&first, &second]).await;
        let register = database.read_view().await.unwrap();
        assert_eq!(register.version, 2, "{fate:?}");
        assert_eq!(View::decode(&register.bytes).unwrap().members().count(), 2, "{fate:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_nodes_that_join_at_once_own_every_shard_once() {
    let database = MemoryCluster::new();
    let (first, second) = tokio::join!(TestNode::start(&database), TestNode::start(&database));
    agree(&[&first, &second]).await;
    assert_eq!(first.shards() + second.shards(), SHARDS as usize);
}

#[tokio::test(start_paused = true)]
async fn an_address_that_another_one_listens_on_is_refused() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let other = dna_cluster::Config::new(first.membership.address()).simulated();
    let error = TestNode::start_with(database.another(), other).await.err().unwrap();
    assert!(matches!(error, StartError::Address { .. }), "{error}");
    assert!(error.to_string().contains(&first.membership.address().to_string()), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_start_without_a_database_fails_with_its_reason() {
    let database = MemoryCluster::new();
    database.faults().cut();
    let error = TestNode::start_with(database, config()).await.err().unwrap();
    assert!(matches!(error, StartError::Store(_)) && error.is_retryable(), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_join_whose_answer_is_lost_is_settled_by_the_view_that_shows_it() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let connection = database.another();
    // Two reads, the swap, and the read that settles it. There is no other.
    let plan = FaultPlan::calm()
        .next(1, RequestKind::SwapView, Fate::LoseAnswer)
        .next(3, RequestKind::ReadView, Fate::Pass)
        .always(RequestKind::ReadView, Fate::Refuse);
    connection.faults().follow(plan);

    let second = TestNode::start_with(connection, config()).await.unwrap();
    let view = View::decode(&database.read_view().await.unwrap().bytes).unwrap();
    assert_eq!(view.members().count(), 2);
    assert!(view.member(first.id()).is_some() && view.member(second.id()).is_some());
}

#[tokio::test(start_paused = true)]
async fn a_join_that_cannot_be_settled_is_unknown() {
    let database = MemoryCluster::new();
    let first = TestNode::start(&database).await;
    let connection = database.another();
    let late = Fate::Delay { request: LEASE / 3, answer: Duration::ZERO };
    let plan = FaultPlan::calm()
        .next(1, RequestKind::SwapView, Fate::LoseRequest)
        .next(2, RequestKind::ReadView, Fate::Pass)
        .next(1, RequestKind::ReadView, late);
    connection.faults().follow(plan);
    let start = tokio::spawn(TestNode::start_with(connection, config()));
    tokio::time::sleep(LEASE / 6).await;
    let version = database.read_view().await.unwrap().version;
    database.swap_view(version, "of a later release".into()).await.unwrap();

    let error = start.await.unwrap().err().unwrap();
    assert_eq!((error.outcome(), error.is_retryable()), (Outcome::Unknown, false), "{error}");
    drop(first);
}
