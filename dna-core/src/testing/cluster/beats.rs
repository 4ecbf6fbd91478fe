//! Cases about heartbeats.

use super::ClusterUnderTest;
use crate::cluster::{ClusterStore, NodeId};

async fn sorted(store: &impl ClusterStore) -> Vec<(NodeId, u64)> {
    let mut beats = store.beats().await.expect("the beats can be read");
    beats.sort_unstable();
    beats
}

pub async fn before_the_first_beat_there_is_none<T: ClusterUnderTest>() {
    let (_guard, store) = T::open().await;

    assert_eq!(store.beats().await, Ok(Vec::new()));
}

pub async fn every_beat_is_seen_by_everyone<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let node = NodeId::new();

    for beat in [1, 2, 3, 1000, 1 << 40] {
        store.beat(node, beat).await.unwrap();
        assert_eq!(other.beats().await, Ok(vec![(node, beat)]));
        assert_eq!(store.beats().await, Ok(vec![(node, beat)]));
    }
}

pub async fn an_older_beat_behind_a_newer_one_has_no_effect<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let node = NodeId::new();
    store.beat(node, 7).await.unwrap();

    for late in [6, 1, 7] {
        other.beat(node, late).await.unwrap();
        assert_eq!(store.beats().await, Ok(vec![(node, 7)]));
    }
    store.beat(node, 8).await.unwrap();
    assert_eq!(other.beats().await, Ok(vec![(node, 8)]));
}

pub async fn each_node_has_its_own_beats<T: ClusterUnderTest>() {
    let (_guard, store) = T::open().await;
    let mut expected: Vec<_> = (1..=20).map(|beat| (NodeId::new(), beat * 3)).collect();
    for &(node, beat) in &expected {
        store.beat(node, beat).await.unwrap();
    }
    expected.sort_unstable();
    assert_eq!(sorted(&store).await, expected);

    let last = expected.last_mut().expect("there are several");
    last.1 += 1;
    store.beat(last.0, last.1).await.unwrap();
    assert_eq!(sorted(&store).await, expected);
}
