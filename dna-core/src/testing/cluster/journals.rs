//! Cases about a node's journals while it lives.

use futures_util::FutureExt;

use super::{ClusterUnderTest, fixture::Node};
use crate::{
    cluster::{ClusterStore, NodeId, OpenJournalsError, Timestamp},
    limits::JOURNAL_LANES_MAX,
    store::{KeyRange, Store},
    testing::{actor, delete, delete_range, put},
};

pub async fn the_journals_of_a_node_are_opened_once<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let mut node = Node::start(&store).await;
    node.write("1").await;
    let refused = OpenJournalsError::Exists { node: node.id };
    let reopen = async |store: &T::Store, lanes| store.open_journals(node.id, lanes, Timestamp::ZERO).await.err();

    assert_eq!(reopen(&store, 1).await, Some(refused));
    assert_eq!(reopen(&other, 1).await, Some(refused));
    assert_eq!(reopen(&other, 2).await, Some(refused));
    other.seal_and_replay(node.id, 1).await.unwrap();
    assert_eq!(reopen(&other, 1).await, Some(refused), "not after it was sealed, either");
}

pub async fn a_node_has_as_many_lanes_as_it_asked_for_within_the_limit<T: ClusterUnderTest>() {
    let (_guard, store) = T::open().await;

    for lanes in [0, JOURNAL_LANES_MAX + 1, u16::MAX] {
        let opened = store.open_journals(NodeId::new(), lanes, Timestamp::ZERO).await;
        assert_eq!(opened.err(), Some(OpenJournalsError::Lanes { lanes, max: JOURNAL_LANES_MAX }));
    }
    Node::start_with(&store, 3, Timestamp::ZERO).await;
    Node::start_with(&store, JOURNAL_LANES_MAX, Timestamp::ZERO).await;
}

pub async fn each_lane_has_numbers_and_groups_of_its_own<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    T::hold_rows(&guard, &store).await;
    let mut node = Node::start_with(&store, 3, Timestamp::ZERO).await;
    for (lane, groups) in [(0, 1), (1, 4), (2, 2), (0, 3)] {
        for group in 0..groups {
            let row = put("m", format!("{lane} {group}"), format!("{groups}"));
            node.commit(lane, &actor(&format!("on {lane}")), vec![row]).await.unwrap();
        }
    }
    let (id, expected) = (node.id, [3, 4, 2]);
    for (lane, rows) in expected.into_iter().enumerate() {
        assert_eq!(node.rows(lane, &actor(&format!("on {lane}"))).await.len(), rows);
    }
    drop(node);

    let replayed = other.seal_and_replay(id, 3).await.unwrap();

    assert_eq!((replayed.entries, replayed.rows), (10, 10));
    let reader = Node::start(&other).await;
    for (lane, rows) in expected.into_iter().enumerate() {
        assert_eq!(reader.rows(0, &actor(&format!("on {lane}"))).await.len(), rows, "lane {lane}");
    }
}

pub async fn what_waits_to_be_stored_is_seen_by_its_own_node<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let mut node = Node::start(&store).await;
    let alice = actor("alice");
    let stored = ["a", "b", "c", "d"].map(|key| put("m", key, "stored"));
    node.commit(0, &alice, stored.to_vec()).await.unwrap();
    node.journals.drain().await.unwrap();

    T::hold_rows(&guard, &store).await;
    let range = KeyRange { start: "c".into(), end: Some("d".into()) };
    node.commit(0, &alice, vec![delete_range("m", range)]).await.unwrap();
    node.commit(0, &alice, vec![put("m", "a", "waits"), delete("m", "b"), put("m", "e", "waits")]).await.unwrap();

    let expected = [("a", "waits"), ("d", "stored"), ("e", "waits")].map(|(key, value)| (key.into(), value.into()));
    assert_eq!(node.rows(0, &alice).await, expected);
    for (key, value) in [("a", Some("waits")), ("b", None), ("c", None), ("d", Some("stored")), ("e", Some("waits"))] {
        let read = node.store(0).get(&alice, "m", key.as_bytes()).await;
        assert_eq!(read, Ok(value.map(Into::into)), "{key}");
    }
    let last = node.store(0).scan(&alice, "m", &KeyRange::all(), 2, true).await.unwrap();
    assert_eq!(last, [expected[2].clone(), expected[1].clone()]);
    T::release_rows(&guard, &store).await;
    node.journals.drain().await.unwrap();
    assert_eq!(node.rows(0, &alice).await, expected);
}

pub async fn what_was_drained_is_seen_by_every_node<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let (mut node, reader) = (Node::start_with(&store, 2, Timestamp::ZERO).await, Node::start(&other).await);

    for round in 0..5 {
        let row = || vec![put("m", "k", round.to_string())];
        node.commit(0, &actor("a"), row()).await.unwrap();
        node.commit(1, &actor("b"), row()).await.unwrap();
        node.journals.drain().await.unwrap();

        for name in ["a", "b"] {
            assert_eq!(reader.rows(0, &actor(name)).await, [("k".into(), round.to_string().into())]);
        }
    }
}

pub async fn a_drain_waits_for_the_rows<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let (mut node, reader) = (Node::start(&store).await, Node::start(&other).await);
    T::hold_rows(&guard, &store).await;
    node.write("1").await;

    let mut drain = node.journals.drain();
    for _ in 0..20 {
        assert!((&mut drain).now_or_never().is_none(), "the rows are held");
        other.read_view().await.unwrap();
    }
    T::release_rows(&guard, &store).await;

    assert_eq!(drain.await, Ok(()));
    assert_eq!(reader.read().await, Some("1".into()));
}

pub async fn a_drain_with_nothing_to_do_is_done<T: ClusterUnderTest>() {
    let (_guard, store) = T::open().await;
    let mut node = Node::start_with(&store, 2, Timestamp::ZERO).await;

    assert_eq!(node.journals.drain().await, Ok(()));
    node.write("1").await;
    assert_eq!(node.journals.drain().await, Ok(()));
    assert_eq!(node.journals.drain().await, Ok(()));
}

pub async fn a_ring_is_gone_round_more_than_once<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let mut node = Node::start(&store).await;
    for round in 0..600 {
        let rows = vec![put("m", format!("{:03}", round % 100), round.to_string())];
        node.commit(0, &actor("alice"), rows).await.unwrap();
    }

    let replayed = other.seal_and_replay(node.id, 1).await.unwrap();

    assert!(replayed.entries <= 256, "{replayed:?}");
    let expected: Vec<_> = (500..600).map(|n| (format!("{:03}", n - 500).into(), n.to_string().into())).collect();
    assert_eq!(Node::start(&other).await.rows(0, &actor("alice")).await, expected);
}
