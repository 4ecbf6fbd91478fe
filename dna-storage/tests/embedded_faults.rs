//! Failing and slow syncs of an embedded store.
#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

use std::{fs, sync::Arc};

use dna_core::{
    AttachError, CommitError, Group, KeyRange, Refusal, Store,
    testing::{Committer, actor, put, writes},
};
use dna_storage::{Durability, Embedded, FREE_BYTES_MIN};
use futures_util::FutureExt;

/// Commits twenty groups, one by one; the first that was answered with fewer fsyncs than there are groups, if any.
async fn first_answer_without_its_fsync(store: &Embedded) -> Option<u64> {
    let mut committer = Committer::attach(store).await;
    for group in 1..=20 {
        committer.write(&actor("a"), vec![put("m", "k", "v")]).await;
        if store.faults().fsyncs() < group {
            return Some(group);
        }
    }
    None
}

#[tokio::test]
async fn an_answer_comes_after_its_sync() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let committer = Committer::attach(&store).await;
    let group = committer.group(vec![writes(&actor("a"), vec![put("m", "k", "v")])]);
    store.faults().hold_syncs();
    let fsyncs = store.faults().fsyncs();

    let mut commit = store.commit(group);
    store.faults().sync_held().await;
    assert!((&mut commit).now_or_never().is_none(), "answered before its sync");
    assert_eq!(store.get(&actor("a"), "m", b"k").await.unwrap(), None, "visible before it is durable");

    store.faults().release_syncs();
    assert_eq!(commit.await, Ok(()));
    assert!(store.faults().fsyncs() > fsyncs, "answered without a sync to disk");
}

#[tokio::test]
async fn a_group_is_not_written_apart_from_its_sync() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let committer = Committer::attach(&store).await;
    let value = vec![0xda; 64 * 1024];
    let is_written =
        || fs::read(dir.path().join("journal/0.jnl")).unwrap().windows(64).any(|bytes| *bytes == value[..64]);
    store.faults().hold_syncs();

    let commit = store.commit(committer.group(vec![writes(&actor("a"), vec![put("m", "k", value.clone())])]));
    store.faults().sync_held().await;
    assert!(!is_written(), "a failing sync of another thread in between would go unnoticed");

    store.faults().release_syncs();
    assert_eq!(commit.await, Ok(()));
    assert!(is_written());
}

#[tokio::test]
async fn every_group_is_synced_before_its_answer() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    assert_eq!(first_answer_without_its_fsync(&store).await, None);
}

#[tokio::test]
async fn a_store_that_answers_before_its_sync_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    store.faults().answer_before_syncing();
    assert_eq!(first_answer_without_its_fsync(&store).await, Some(1));
}

#[tokio::test]
async fn a_buffered_group_is_handed_over_before_its_answer_and_synced_before_its_rows_are_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::options().durability(Durability::Buffered).open(dir.path()).unwrap();
    let mut committer = Committer::attach(&store).await;
    for group in 1..=20 {
        committer.write(&actor("a"), vec![put("m", "k", "v")]).await;
        assert!(store.faults().flushes() >= group, "answered before it was handed over");
        assert_eq!(store.faults().fsyncs(), 0, "an answer has waited for the disk");
    }

    store.drain().await.unwrap();
    assert!(store.faults().settles() > 0, "rows were stored before their groups were synced");
}

#[tokio::test]
async fn a_store_that_answers_before_it_writes_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let mut committer = Committer::attach(&store).await;
    store.faults().answer_before_writing();
    store.faults().hold_syncs();

    committer.write(&actor("a"), vec![put("m", "k", "v")]).await;

    assert_eq!(store.faults().flushes() + store.faults().fsyncs(), 0, "answered without any write");
    store.faults().release_syncs();
}

#[tokio::test]
async fn a_failed_sync_poisons_the_store_and_the_group_is_there_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let mut committer = Committer::attach(&store).await;
    committer.write(&actor("a"), vec![put("m", "before", "v")]).await;
    store.faults().fail_next_sync();

    let list = (0..100_u32).map(|key| put("m", key.to_string(), "v")).collect();
    assert_eq!(committer.commit(vec![writes(&actor("a"), list)]).await, Err(CommitError::Poisoned));
    let behind = vec![writes(&actor("a"), vec![put("m", "behind", "v")])];
    assert_eq!(committer.commit(behind).await, Err(CommitError::Poisoned));
    store.detach();
    assert_eq!(store.attach().await, Err(AttachError::Poisoned));
    assert!(store.drain().await.is_err());
    assert_eq!(store.get(&actor("a"), "m", b"before").await.unwrap(), Some("v".into()));
    drop(store);

    let store = Embedded::open(dir.path()).unwrap();
    let next = store.attach().await.unwrap();
    let rows = store.scan(&actor("a"), "m", &KeyRange::all(), usize::MAX, false).await.unwrap();
    let keys: Vec<_> = rows.iter().map(|(key, _)| key.as_ref()).collect();
    assert!(keys.contains(&&b"before"[..]) && !keys.contains(&&b"behind"[..]));
    assert_eq!((next, rows.len()), if next == 3 { (3, 101) } else { (2, 1) });
}

#[tokio::test]
async fn handles_may_be_dropped_with_commits_under_way() {
    let dir = tempfile::tempdir().unwrap();
    for round in 1..=10 {
        let store = Embedded::open(dir.path()).unwrap();
        let committer = Committer::attach(&store).await;
        assert_eq!(committer.next(), round);
        drop(store.commit(committer.group(vec![writes(&actor("a"), vec![put("m", round.to_string(), "v")])])));
    }

    let store = Embedded::open(dir.path()).unwrap();
    let rows = store.scan(&actor("a"), "m", &KeyRange::all(), usize::MAX, false).await.unwrap();
    assert_eq!(rows.len(), 10, "what was handed over is committed");
}

#[tokio::test]
async fn a_full_disk_refuses_groups_until_there_is_room_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(folder.path().join("store")).unwrap();
    let first = store.attach().await.unwrap();
    let alice = actor("alice");
    let group = |number, value| Arc::new(Group { number, actors: vec![writes(&alice, vec![put("m", "a", value)])] });
    store.commit(group(first, "1")).await.unwrap();

    store.faults().set_free_bytes(Some(FREE_BYTES_MIN));
    assert_eq!(store.commit(group(first + 1, "2")).await, Err(CommitError::NotApplied(Refusal::Full)));
    assert_eq!(store.get(&alice, "m", b"a").await.unwrap(), Some("1".into()));

    store.faults().set_free_bytes(None);
    store.commit(group(first + 1, "3")).await.unwrap();
    assert_eq!(store.get(&alice, "m", b"a").await.unwrap(), Some("3".into()));
}
