//! Cases about the timestamps of rows: who wrote last is who counts, whatever the wall clocks say.

use super::{
    ClusterUnderTest,
    fixture::{Node, ahead_of, far_ahead},
};
use crate::{
    cluster::{ClusterStore, NodeId, OpenJournalsError, Timestamp},
    limits::TIMESTAMP_AHEAD_MAX,
};

pub async fn what_is_written_above_a_floor_wins_over_what_was_written_below<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let mut first = Node::start(&store).await;
    first.write("now").await;
    let floor = far_ahead(&store).await;
    let mut fast = Node::start_with(&store, 1, floor).await;
    fast.write("far ahead").await;
    fast.journals.drain().await.unwrap();

    let mut next = Node::start_with(&other, 1, fast.journals.last_timestamp()).await;
    next.write("later").await;
    next.journals.drain().await.unwrap();

    let last = [&first, &fast, &next].map(|node| node.journals.last_timestamp());
    assert!(last[0] < floor && floor < last[1] && last[1] < last[2], "{last:?}");
    assert_eq!(Node::start(&store).await.read().await, Some("later".into()));
}

pub async fn what_is_written_above_a_raised_floor_wins_over_what_was_written_below<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let mut fast = Node::start_with(&store, 1, far_ahead(&store).await).await;
    let mut slow = Node::start(&other).await;
    slow.write("first").await;
    slow.journals.drain().await.unwrap();
    fast.write("far ahead").await;
    fast.journals.drain().await.unwrap();

    slow.journals.raise_timestamp(fast.journals.last_timestamp());
    slow.write("later").await;
    slow.journals.drain().await.unwrap();

    assert_eq!(Node::start(&store).await.read().await, Some("later".into()));
}

pub async fn the_last_timestamp_rises_with_every_commit_and_never_falls<T: ClusterUnderTest>() {
    let (_guard, store) = T::open().await;
    let mut node = Node::start(&store).await;
    node.write("first").await;
    let mut last = node.journals.last_timestamp();
    assert!(last > Timestamp::ZERO);

    for round in 0..20_u64 {
        if round % 5 == 0 {
            last = ahead_of(last, 1_000_000);
            node.journals.raise_timestamp(last);
            assert!(node.journals.last_timestamp() >= last);
        }
        node.write(round.to_string()).await;
        assert!(node.journals.last_timestamp() > last);
        last = node.journals.last_timestamp();
        node.journals.raise_timestamp(Timestamp::ZERO);
        assert!(node.journals.last_timestamp() >= last);
    }
}

pub async fn a_replay_tells_the_last_timestamp_of_what_was_stored_and_of_what_was_not<T: ClusterUnderTest>() {
    for drained in [true, false] {
        let (guard, store) = T::open().await;
        let other = T::another(&guard, &store).await;
        let mut dead = Node::start_with(&store, 1, far_ahead(&store).await).await;
        if !drained {
            T::hold_rows(&guard, &store).await;
        }
        dead.write("far ahead").await;
        if drained {
            dead.journals.drain().await.unwrap();
        }
        let id = dead.id;
        drop(dead);

        let replayed = other.seal_and_replay(id, 1).await.unwrap();
        let mut next = Node::start_with(&other, 1, replayed.last).await;
        next.write("later").await;
        next.journals.drain().await.unwrap();

        assert_eq!(replayed.entries, u64::from(!drained));
        assert_eq!(Node::start(&other).await.read().await, Some("later".into()));
    }
}

pub async fn a_floor_far_ahead_of_the_database_is_refused<T: ClusterUnderTest>() {
    let (_guard, store) = T::open().await;
    let mut node = Node::start(&store).await;
    node.write("now").await;
    let now = node.journals.last_timestamp();
    let hour = u64::try_from(TIMESTAMP_AHEAD_MAX.as_micros()).expect("a short time");

    let floor = ahead_of(now, 2 * hour);
    let refused = store.open_journals(NodeId::new(), 1, floor).await.err();
    assert!(matches!(refused, Some(OpenJournalsError::FloorAhead { floor: at, .. }) if at == floor), "{refused:?}");
    Node::start_with(&store, 1, ahead_of(now, hour / 2)).await;
}
