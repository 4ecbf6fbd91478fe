//! What the memory store can be told to get wrong, and what it answers then.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

use std::{sync::Arc, time::Duration};

use dna_core::{
    ActorName, AttachError, CommitError, Group, Memory, Outcome, ReadError, Refusal, Store,
    testing::{actor, put, writes},
};
use futures_util::FutureExt;

fn group(number: u64, value: &'static str) -> Arc<Group> {
    Arc::new(Group { number, actors: vec![writes(&alice(), vec![put("m", "a", value)])] })
}

fn alice() -> ActorName {
    actor("alice")
}

async fn value(store: &Memory) -> Option<bytes::Bytes> {
    store.get(&alice(), "m", b"a").await.unwrap()
}

#[tokio::test]
async fn a_held_commit_is_neither_applied_nor_answered_until_its_release() {
    let store = Memory::new();
    store.attach().await.unwrap();
    store.faults().hold_commits();

    let mut commit = store.commit(group(1, "1"));
    assert!((&mut commit).now_or_never().is_none());
    store.faults().commits_waiting(1).await;
    assert_eq!(value(&store).await, None);

    store.faults().release_commits();
    assert_eq!(commit.await, Ok(()));
    assert_eq!(value(&store).await, Some("1".into()));
}

#[tokio::test]
async fn a_held_commit_whose_future_is_dropped_is_applied_by_the_release() {
    let store = Memory::new();
    store.attach().await.unwrap();
    store.faults().hold_commits();
    drop(store.commit(group(1, "1")));

    store.detach();
    let next = tokio::spawn({
        let store = store.clone();
        async move { store.attach().await }
    });
    tokio::task::yield_now().await;
    assert!(!next.is_finished(), "an attach waits for the fate of what came before it");
    store.faults().release_commits();

    assert_eq!(next.await.unwrap(), Ok(2));
    assert_eq!(value(&store).await, Some("1".into()));
}

#[tokio::test]
async fn commits_can_be_released_one_by_one() {
    let store = Memory::new();
    store.attach().await.unwrap();
    store.faults().hold_commits();
    let first = store.commit(group(1, "1"));
    let mut second = store.commit(group(2, "2"));

    store.faults().release_next_commits(1);

    assert_eq!(first.await, Ok(()));
    assert!((&mut second).now_or_never().is_none());
    store.faults().release_next_commits(1);
    assert_eq!(second.await, Ok(()));
    assert_eq!(store.faults().stats().groups_committed, 2);
}

#[tokio::test]
async fn a_refused_group_leaves_its_number_free() {
    let store = Memory::new();
    store.attach().await.unwrap();
    store.faults().refuse_next(1, Refusal::Full);

    assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::NotApplied(Refusal::Full)));
    assert_eq!(value(&store).await, None);
    assert_eq!(store.commit(group(1, "2")).await, Ok(()));
    assert_eq!(value(&store).await, Some("2".into()));
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_asking_again() {
    let store = Memory::new();
    store.attach().await.unwrap();
    store.faults().lose_next_answers(1);

    assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Unknown));
    assert_eq!(store.commit(group(1, "1")).await, Ok(()));
    assert_eq!(store.faults().stats().groups_committed, 1);

    store.faults().lose_next_requests(1);
    assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::Unknown));
    assert_eq!(value(&store).await, Some("1".into()));
    assert_eq!(store.commit(group(2, "2")).await, Ok(()));
    assert_eq!(value(&store).await, Some("2".into()));
}

#[tokio::test]
async fn a_poisoned_store_takes_nothing_until_it_is_opened_again() {
    for applied in [false, true] {
        let store = Memory::new();
        store.attach().await.unwrap();
        store.faults().poison_next(applied);

        assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Poisoned));
        assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Poisoned), "in doubt still");
        let behind = store.commit(group(2, "2")).await.unwrap_err();
        assert_eq!(behind, CommitError::Closed);
        assert_eq!((behind.outcome(), behind.is_retryable()), (Outcome::NotApplied, false));
        store.detach();
        assert_eq!(store.attach().await, Err(AttachError::Poisoned));

        store.faults().reopen();
        assert_eq!(store.attach().await, Ok(if applied { 2 } else { 1 }));
        assert_eq!(value(&store).await, applied.then(|| "1".into()));
    }
}

#[tokio::test]
async fn a_store_that_is_poisoned_between_groups_still_tells_the_fate_of_those_before() {
    let store = Memory::new();
    store.attach().await.unwrap();
    store.commit(group(1, "1")).await.unwrap();
    store.faults().poison();
    assert_eq!(store.commit(group(1, "1")).await, Ok(()));
    assert_eq!(store.commit(group(2, "2")).await, Err(CommitError::Closed));

    let store = Memory::new();
    store.attach().await.unwrap();
    store.faults().lose_next_requests(1);
    assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Unknown));
    store.faults().poison();
    assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Poisoned), "never closed after an unknown");
}

#[tokio::test]
async fn a_fenced_store_takes_nothing() {
    let store = Memory::new();
    store.attach().await.unwrap();
    store.faults().hold_commits();
    let waiting = store.commit(group(1, "1"));
    store.faults().fence();
    store.faults().release_commits();

    assert_eq!(waiting.await, Err(CommitError::Fenced));
    assert_eq!(store.commit(group(1, "1")).await, Err(CommitError::Fenced));
    assert_eq!(value(&store).await, None);
}

#[tokio::test]
async fn a_fenced_store_hands_out_no_claim_until_it_is_opened_again() {
    let store = Memory::new();
    store.attach().await.unwrap();
    store.faults().fence();
    store.detach();

    assert_eq!(store.attach().await, Err(AttachError::Fenced));
    assert_eq!(store.attach().await, Err(AttachError::Fenced), "a refused claim is not held");
    store.faults().reopen();
    assert_eq!(store.attach().await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_slow_commit_takes_its_time_even_if_nobody_waits() {
    let store = Memory::new();
    store.attach().await.unwrap();
    store.faults().delay_commits(Duration::from_secs(5));
    let start = tokio::time::Instant::now();
    drop(store.commit(group(1, "1")));
    assert_eq!(store.commit(group(2, "2")).await, Ok(()));

    assert_eq!(start.elapsed().as_secs(), 5);
    assert_eq!(value(&store).await, Some("2".into()));
}

#[tokio::test]
async fn reads_can_fail_and_can_be_held() {
    let store = Memory::new();
    store.faults().fail_next_reads(1, ReadError::Unavailable);
    assert_eq!(store.get(&alice(), "m", b"a").await, Err(ReadError::Unavailable));

    store.faults().hold_reads();
    let read = tokio::spawn({
        let store = store.clone();
        async move { value(&store).await }
    });
    store.faults().reads_waiting(1).await;
    assert!(!read.is_finished());
    store.faults().release_reads();

    assert_eq!(read.await.unwrap(), None);
    assert_eq!(store.faults().stats().reads, 2);
}
