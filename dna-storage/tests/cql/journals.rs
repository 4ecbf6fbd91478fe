//! The journals of a node, and what sealing them does.

use dna_core::{
    AttachError, ClusterStore, CommitError, DrainError, KeyRange, NodeId, NodeJournals, OpenJournalsError, SealError,
    Timestamp,
    testing::{Committer, actor, delete_range, put, writes},
};

use dna_core::limits::JOURNAL_LANES_MAX;
use dna_storage::{Scylla, ScyllaFaults};

use crate::support::{Keyspace, has_server};

#[tokio::test]
async fn a_committed_group_is_read_from_the_rows_by_another_node() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let (one, other) = (keyspace.connect().await, keyspace.connect().await);
    let alice = actor("alice");
    let journals = one.journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();
    let mut committer = Committer::attach(&*journals.stores()[0]).await;
    committer.write(&alice, vec![put("m", "a", "1"), put("m", "b", "2")]).await;
    committer.write(&alice, vec![delete_range("m", KeyRange::all()), put("m", "c", "3")]).await;
    journals.drain().await.unwrap();

    let others = other.journals(NodeId::new(), 2, journals.last_timestamp()).await.unwrap();
    let rows = others.stores()[1].scan(&alice, "m", &KeyRange::all(), 10, false).await;
    assert_eq!(rows, Ok(vec![("c".into(), "3".into())]));
    assert_eq!(others.stores()[0].get(&alice, "m", b"c").await, Ok(Some("3".into())));
}

#[tokio::test]
async fn a_sealed_journal_takes_no_commit_and_its_groups_are_there() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let scylla = keyspace.connect().await;
    let alice = actor("alice");
    let journals = scylla.journals(NodeId::new(), 2, Timestamp::ZERO).await.unwrap();
    let store = &*journals.stores()[1];
    let mut committer = Committer::attach(store).await;
    committer.write(&alice, vec![put("m", "a", "1")]).await;

    let replayed = scylla.seal_and_replay(journals.node(), 2).await.unwrap();
    assert!(replayed.last > Timestamp::ZERO && replayed.last <= journals.last_timestamp());

    let refused = committer.commit(vec![writes(&alice, vec![put("m", "a", "2")])]).await;
    assert_eq!(refused, Err(CommitError::Fenced));
    store.detach();
    assert_eq!(store.attach().await, Err(AttachError::Fenced));
    assert_eq!(journals.stores()[0].attach().await, Err(AttachError::Fenced));
    let again = scylla.seal_and_replay(journals.node(), 2).await.unwrap();
    assert_eq!((again.last, again.entries), (replayed.last, 0));

    let others = scylla.journals(NodeId::new(), 1, replayed.last).await.unwrap();
    let mut committer = Committer::attach(&*others.stores()[0]).await;
    assert_eq!(others.stores()[0].get(&alice, "m", b"a").await, Ok(Some("1".into())));
    committer.write(&alice, vec![put("m", "a", "3")]).await;
    others.drain().await.unwrap();
    assert_eq!(others.stores()[0].get(&alice, "m", b"a").await, Ok(Some("3".into())));
}

#[tokio::test]
async fn a_drain_of_a_sealed_journal_is_fenced() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let scylla = keyspace.connect().await;
    let journals = scylla.journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();
    let mut committer = Committer::attach(&*journals.stores()[0]).await;
    committer.write(&actor("alice"), vec![put("m", "a", "1")]).await;
    scylla.seal_and_replay(journals.node(), 1).await.unwrap();

    assert_eq!(journals.drain().await, Err(DrainError::Fenced));
}

#[tokio::test]
async fn a_journal_that_was_never_made_is_missing_and_not_empty() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let scylla = keyspace.connect().await;
    let journals = scylla.journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();

    let node = NodeId::new();
    assert_eq!(scylla.seal_and_replay(node, 1).await, Err(SealError::MissingJournal { node, lane: 0 }));
    let node = journals.node();
    assert_eq!(scylla.seal_and_replay(node, 2).await, Err(SealError::MissingJournal { node, lane: 1 }));
}

#[tokio::test]
async fn a_thousand_groups_go_round_the_ring_and_the_rest_of_them_is_replayed() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let scylla = keyspace.connect().await;
    let alice = actor("alice");
    let journals = scylla.journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();
    let mut committer = Committer::attach(&*journals.stores()[0]).await;
    for round in 0..1000_u32 {
        committer
            .write(&alice, vec![put("m", round.to_be_bytes().to_vec(), "1"), put("m", "last", round.to_string())])
            .await;
    }
    let last = journals.last_timestamp();
    // Without a drain: whatever is not stored is replayed.
    let replayed = scylla.seal_and_replay(journals.node(), 1).await.unwrap();
    assert_eq!(replayed.last, last);

    let others = scylla.journals(NodeId::new(), 1, replayed.last).await.unwrap();
    let rows = others.stores()[0].scan(&alice, "m", &KeyRange::all(), usize::MAX, false).await.unwrap();
    assert_eq!(rows.len(), 1001);
    assert_eq!(others.stores()[0].get(&alice, "m", b"last").await, Ok(Some("999".into())));
}

#[tokio::test]
async fn without_the_seal_in_its_condition_a_deposed_owner_writes_on() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let broken = Scylla::connect(keyspace.config().faults(ScyllaFaults::default().ignore_seals())).await.unwrap();
    let journals = broken.journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();
    let mut committer = Committer::attach(&*journals.stores()[0]).await;
    broken.seal_and_replay(journals.node(), 1).await.unwrap();

    // This is what the condition is there for.
    assert_eq!(committer.commit(vec![writes(&actor("alice"), vec![put("m", "a", "1")])]).await, Ok(()));
}

#[tokio::test]
async fn journals_are_opened_once_for_a_node_and_in_step_with_the_clock() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let scylla = keyspace.connect().await;
    let node = NodeId::new();
    for lanes in [0, JOURNAL_LANES_MAX + 1] {
        let refused = scylla.journals(node, lanes, Timestamp::ZERO).await.unwrap_err();
        assert_eq!(refused, OpenJournalsError::Lanes { lanes, max: JOURNAL_LANES_MAX });
    }
    let far = Timestamp::from_micros(1 << 60);
    let refused = scylla.journals(node, 1, far).await.unwrap_err();
    assert!(matches!(refused, OpenJournalsError::FloorAhead { floor, .. } if floor == far), "{refused}");

    let journals = scylla.journals(node, 2, Timestamp::ZERO).await.unwrap();
    let exists = Err(OpenJournalsError::Exists { node });
    assert_eq!(scylla.journals(node, 2, Timestamp::ZERO).await.map(drop), exists);
    scylla.seal_and_replay(node, 2).await.unwrap();
    assert_eq!(scylla.journals(node, 2, Timestamp::ZERO).await.map(drop), exists);
    drop(journals);
}

#[tokio::test]
async fn timestamps_stay_above_every_floor() {
    if !has_server() {
        return;
    }
    let keyspace = Keyspace::create().await;
    let scylla = keyspace.connect().await;
    let first = scylla.journals(NodeId::new(), 1, Timestamp::ZERO).await.unwrap();
    let mut committer = Committer::attach(&*first.stores()[0]).await;
    committer.write(&actor("alice"), vec![put("m", "a", "1")]).await;
    // A quarter of an hour ahead, as by a clock that ran wrong.
    let floor = Timestamp::from_micros(first.last_timestamp().as_micros() + 900_000_000);

    let second = scylla.journals(NodeId::new(), 2, floor).await.unwrap();
    let higher = Timestamp::from_micros(floor.as_micros() + 1_000_000);
    for (lane, store) in second.stores().iter().enumerate() {
        let mut committer = Committer::attach(&**store).await;
        committer.write(&actor(&format!("{lane}")), vec![put("m", "a", "1")]).await;
        assert!(second.last_timestamp() > floor);
        second.raise_timestamp(higher);
        assert!(second.last_timestamp() >= higher);
        committer.write(&actor(&format!("{lane}")), vec![put("m", "a", "2")]).await;
        assert!(second.last_timestamp() > higher);
    }
    assert_eq!(scylla.seal_and_replay(second.node(), 2).await.unwrap().last, second.last_timestamp());
}
