//! Cases about the end of a node: its journals are sealed, and what they hold is stored, once and for all.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
};

use bytes::Bytes;
use futures_util::future::{join, join_all};

use super::{ClusterUnderTest, fixture::Node};
use crate::{
    cluster::{ClusterStore, DrainError, EntryProblem, NodeId, Replayed, SealError, Timestamp},
    store::{AttachError, CommitError, Group, KeyRange, Store},
    testing::{actor, delete, delete_range, put, writes},
};

pub async fn a_node_that_never_committed_leaves_nothing<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let node = Node::start_with(&store, 2, Timestamp::ZERO).await;

    assert_eq!(other.seal_and_replay(node.id, 2).await, Ok(Replayed::default()));
}

pub async fn a_sealed_journal_takes_nothing_and_hands_out_no_claim<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let mut node = Node::start(&store).await;
    let reader = Node::start(&other).await;
    node.write("in time").await;

    other.seal_and_replay(node.id, 1).await.unwrap();

    let late = || vec![put("m", "k", "late")];
    for _ in 0..2 {
        assert_eq!(node.commit(0, &actor("alice"), late()).await, Err(CommitError::Fenced));
    }
    assert_eq!(reader.read().await, Some("in time".into()));
    node.store(0).detach();
    assert_eq!(node.store(0).attach().await, Err(AttachError::Fenced));
    assert_eq!(node.journals.drain().await, Err(DrainError::Fenced));
    other.seal_and_replay(node.id, 1).await.unwrap();
    assert_eq!(reader.read().await, Some("in time".into()), "nothing of it turns up in a second replay");
}

pub async fn a_journal_that_was_sealed_unseen_is_not_claimed_again<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let node = Node::start(&store).await;

    other.seal_and_replay(node.id, 1).await.unwrap();
    node.store(0).detach();

    assert_eq!(node.store(0).attach().await, Err(AttachError::Fenced));
}

pub async fn every_lane_of_a_node_is_sealed<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let mut node = Node::start_with(&store, 4, Timestamp::ZERO).await;
    let name = |lane| actor(&format!("on {lane}"));
    for lane in 0..4 {
        node.commit(lane, &name(lane), vec![put("m", "k", "in time")]).await.unwrap();
    }

    other.seal_and_replay(node.id, 4).await.unwrap();

    let reader = Node::start(&other).await;
    for lane in 0..4 {
        let late = node.commit(lane, &name(lane), vec![put("m", "k", "late")]).await;
        assert_eq!(late, Err(CommitError::Fenced), "lane {lane}");
        assert_eq!(reader.rows(0, &name(lane)).await, [("k".into(), "in time".into())], "lane {lane}");
    }
}

/// Commits many groups of all kinds on every lane, and answers what the rows must be then.
async fn write_at_random(node: &mut Node, lanes: usize, groups: usize) -> Vec<BTreeMap<Bytes, Bytes>> {
    let mut model: Vec<BTreeMap<Bytes, Bytes>> = vec![BTreeMap::new(); lanes];
    for round in 0..groups {
        let (lane, key) = (round % lanes, |n: usize| Bytes::from(format!("{:02}", n * 7 % 40)));
        let (put_key, delete_key) = (key(round), key(round + 3));
        let value = Bytes::from(round.to_string());
        let mut list = vec![put("m", put_key.clone(), value.clone()), delete("m", delete_key.clone())];
        if round % 9 == 0 {
            let range = KeyRange { start: key(round + 1), end: Some(key(round + 2)) };
            model[lane].retain(|key, _| !range.contains(key));
            list.insert(0, delete_range("m", range));
        }
        node.commit(lane, &actor(&format!("on {lane}")), list).await.expect("the group is committed");
        model[lane].insert(put_key, value);
        model[lane].remove(&delete_key);
    }
    model
}

async fn assert_rows(reader: &Node, model: &[BTreeMap<Bytes, Bytes>]) {
    for (lane, rows) in model.iter().enumerate() {
        let expected: Vec<_> = rows.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        assert_eq!(reader.rows(0, &actor(&format!("on {lane}"))).await, expected, "lane {lane}");
    }
}

pub async fn all_that_was_acknowledged_is_there_after_a_replay<T: ClusterUnderTest>() {
    const LANES: usize = 2;
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let mut dead = Node::start_with(&store, 2, Timestamp::ZERO).await;
    T::hold_rows(&guard, &store).await;
    let model = write_at_random(&mut dead, LANES, 150).await;
    let id = dead.id;
    drop(dead);

    let replayed = other.seal_and_replay(id, 2).await.unwrap();

    assert_eq!(replayed.entries, 150);
    assert!(replayed.rows >= 40, "as many keys were written on each lane");
    assert_rows(&Node::start(&other).await, &model).await;
}

pub async fn a_replay_does_not_undo_what_was_written_since<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let mut dead = Node::start(&store).await;
    T::hold_rows(&guard, &store).await;
    dead.write("old").await;
    let replayed = other.seal_and_replay(dead.id, 1).await.unwrap();
    let mut next = Node::start_with(&other, 1, replayed.last).await;
    assert_eq!(next.read().await, Some("old".into()));
    next.write("new").await;
    next.journals.drain().await.unwrap();

    let again = other.seal_and_replay(dead.id, 1).await.unwrap();

    assert_eq!(again.last, replayed.last);
    assert_eq!(Node::start(&other).await.read().await, Some("new".into()));
}

pub async fn late_rows_of_a_deposed_node_have_no_effect<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let mut deposed = Node::start(&store).await;
    T::hold_rows(&guard, &store).await;
    deposed.write("old").await;
    deposed.commit(0, &actor("alice"), vec![put("m", "gone", "old")]).await.unwrap();
    let replayed = other.seal_and_replay(deposed.id, 1).await.unwrap();
    let mut next = Node::start_with(&other, 1, replayed.last).await;
    next.commit(0, &actor("alice"), vec![put("m", "k", "new"), delete("m", "gone")]).await.unwrap();
    next.journals.drain().await.unwrap();

    T::release_rows(&guard, &store).await;
    assert_eq!(
        deposed.journals.drain().await,
        Err(DrainError::Fenced),
        "its rows are stored, its journal is not its own"
    );

    let rows = Node::start(&other).await.rows(0, &actor("alice")).await;
    assert_eq!(rows, [("k".into(), "new".into())]);
}

pub async fn several_may_take_over_at_once<T: ClusterUnderTest>() {
    const LANES: usize = 2;
    let (guard, store) = T::open().await;
    let mut dead = Node::start_with(&store, 2, Timestamp::ZERO).await;
    T::hold_rows(&guard, &store).await;
    let model = write_at_random(&mut dead, LANES, 40).await;
    let id = dead.id;
    drop(dead);
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(T::another(&guard, &store).await);
    }

    let replays = join_all(others.iter().map(|other| other.seal_and_replay(id, 2))).await;

    let last = replays[0].expect("the node can be replayed").last;
    for replay in replays {
        assert_eq!(replay.map(|replayed| (replayed.last, replayed.entries)), Ok((last, 40)));
    }
    assert_rows(&Node::start(&others[0]).await, &model).await;
}

pub async fn a_takeover_that_was_given_up_is_ended_by_another<T: ClusterUnderTest>() {
    const LANES: usize = 2;
    for polls in [1, 2, 3, 5, 8, 13, 21] {
        let (guard, store) = T::open().await;
        let (one, two) = (T::another(&guard, &store).await, T::another(&guard, &store).await);
        let mut dead = Node::start_with(&store, 2, Timestamp::ZERO).await;
        T::hold_rows(&guard, &store).await;
        let model = write_at_random(&mut dead, LANES, 10).await;
        let id = dead.id;
        drop(dead);

        {
            let mut given_up = pin!(one.seal_and_replay(id, 2));
            for _ in 0..polls {
                if given_up.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        two.seal_and_replay(id, 2).await.unwrap();

        assert_rows(&Node::start(&two).await, &model).await;
    }
}

pub async fn a_commit_that_races_with_a_seal_is_in_or_never_will_be<T: ClusterUnderTest>() {
    for head_start in 0..6 {
        let (guard, store) = T::open().await;
        let other = T::another(&guard, &store).await;
        let mut node = Node::start(&store).await;
        let id = node.id;

        let committing = async {
            for round in 1..100_000 {
                match node.commit(0, &actor("alice"), vec![put("m", "k", round.to_string())]).await {
                    Ok(()) => {}
                    Err(error) => return (round - 1, error),
                }
            }
            panic!("a sealed journal does not refuse")
        };
        let sealing = async {
            for _ in 0..head_start {
                tokio::task::yield_now().await;
            }
            other.seal_and_replay(id, 1).await
        };
        let ((acknowledged, error), sealed) = join(committing, sealing).await;

        assert_eq!(error, CommitError::Fenced);
        let expected = (acknowledged > 0).then(|| Bytes::from(acknowledged.to_string()));
        let reader = Node::start(&other).await;
        assert_eq!(reader.read().await, expected);
        let again = other.seal_and_replay(id, 1).await.unwrap();
        assert_eq!(again.last, sealed.unwrap().last, "nothing came in behind the seal");
        assert_eq!(reader.read().await, expected);
    }
}

pub async fn a_group_that_is_in_is_answered_ok_also_once_its_journal_is_sealed<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let mut node = Node::start(&store).await;
    node.write("1").await;
    other.seal_and_replay(node.id, 1).await.unwrap();

    let group = Group { number: 1, actors: vec![writes(&actor("alice"), vec![put("m", "k", "1")])] };
    assert_eq!(node.store(0).commit(Arc::new(group)).await, Ok(()));
}

pub async fn what_was_drained_is_not_replayed<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let mut node = Node::start_with(&store, 2, Timestamp::ZERO).await;
    let model = write_at_random(&mut node, 2, 20).await;
    node.journals.drain().await.unwrap();
    T::hold_rows(&guard, &store).await;
    node.commit(1, &actor("last"), vec![put("m", "k", "1")]).await.unwrap();

    let replayed = other.seal_and_replay(node.id, 2).await.unwrap();

    assert_eq!((replayed.entries, replayed.rows), (1, 1));
    let reader = Node::start(&other).await;
    assert_rows(&reader, &model).await;
    assert_eq!(reader.rows(0, &actor("last")).await, [("k".into(), "1".into())]);
}

pub async fn a_node_leaves_by_sealing_itself<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let mut node = Node::start(&store).await;
    node.write("1").await;
    node.journals.drain().await.unwrap();

    let replayed = store.seal_and_replay(node.id, 1).await.unwrap();

    assert_eq!((replayed.entries, replayed.rows), (0, 0));
    assert!(replayed.last > Timestamp::ZERO && replayed.last <= node.journals.last_timestamp());
    assert_eq!(node.commit(0, &actor("alice"), vec![put("m", "k", "2")]).await, Err(CommitError::Fenced));
    assert_eq!(Node::start(&other).await.read().await, Some("1".into()));
}

pub async fn a_missing_journal_is_an_alarm<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let (never, node) = (NodeId::new(), Node::start_with(&store, 2, Timestamp::ZERO).await.id);

    assert_eq!(store.seal_and_replay(never, 1).await, Err(SealError::MissingJournal { node: never, lane: 0 }));
    assert_eq!(store.seal_and_replay(node, 3).await, Err(SealError::MissingJournal { node, lane: 2 }));
    assert!(store.seal_and_replay(node, 2).await.is_ok());
    T::lose_journal(&guard, node, 1).await;
    assert_eq!(store.seal_and_replay(node, 2).await, Err(SealError::MissingJournal { node, lane: 1 }));
}

pub async fn an_entry_that_cannot_be_read_is_an_error<T: ClusterUnderTest>() {
    for newer in [false, true] {
        let (guard, store) = T::open().await;
        let other = T::another(&guard, &store).await;
        let mut dead = Node::start_with(&store, 2, Timestamp::ZERO).await;
        T::hold_rows(&guard, &store).await;
        write_at_random(&mut dead, 2, 8).await;
        let node = dead.id;
        drop(dead);
        let newest = EntryProblem::Newer { found: 255, supported: 1 };
        let problem = if newer { newest } else { EntryProblem::Damaged };

        T::damage_entry(&guard, node, 1, 3, problem).await;

        for _ in 0..2 {
            let error = other.seal_and_replay(node, 2).await.unwrap_err();
            let SealError::Entry { node: of, lane: 1, number: 3, problem } = error else {
                panic!("{error:?} instead of the entry that cannot be read")
            };
            assert_eq!((of, matches!(problem, EntryProblem::Newer { found: 255, .. })), (node, newer));
        }
    }
}
