//! Cases about the claim and the numbers.

use std::{future::Future, pin::pin, sync::Arc, task::Context};

use super::{Committer, StoreUnderTest, actor, put, writes};
use crate::store::{AttachError, CommitError, Group, Store};

pub async fn a_new_store_begins_with_the_number_one<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;

    assert_eq!(store.attach().await, Ok(1));
}

pub async fn a_second_claim_is_refused_while_the_first_stands<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    store.attach().await.unwrap();

    assert_eq!(store.attach().await, Err(AttachError::InUse));

    store.detach();
    assert_eq!(store.attach().await, Ok(1));
}

pub async fn giving_back_twice_is_as_good_as_once<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    store.detach();
    store.attach().await.unwrap();
    store.detach();
    store.detach();

    assert_eq!(store.attach().await, Ok(1));
}

pub async fn numbers_go_on_after_the_claim_was_given_back<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    committer.write(&alice, vec![put("m", "a", "1")]).await;
    committer.write(&alice, vec![put("m", "b", "2")]).await;

    store.detach();

    assert_eq!(store.attach().await, Ok(3));
    assert_eq!(store.get(&alice, "m", b"b").await, Ok(Some("2".into())));
}

pub async fn numbers_and_rows_go_on_after_a_restart<T: StoreUnderTest>() {
    let (mut guard, mut store) = T::open().await;
    let alice = actor("alice");
    for round in 1..=3_u64 {
        let mut committer = Committer::attach(&store).await;
        assert_eq!(committer.next(), round);
        committer.write(&alice, vec![put("m", round.to_string(), "x")]).await;
        (guard, store) = T::reopen(guard, store).await;
    }

    assert_eq!(store.attach().await, Ok(4));
    for round in 1..=3_u64 {
        assert_eq!(store.get(&alice, "m", round.to_string().as_bytes()).await, Ok(Some("x".into())));
    }
}

pub async fn a_claim_that_nobody_waited_for_is_given_back<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;

    let claimed = {
        let mut claim = pin!(store.attach());
        claim.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop())).is_ready()
    };
    if claimed {
        store.detach();
    }

    // The store may need a moment to notice; until then it says that it is in use.
    loop {
        match store.attach().await {
            Ok(number) => return assert_eq!(number, 1),
            Err(error) => assert_eq!(error, AttachError::InUse),
        }
        tokio::task::yield_now().await;
    }
}

pub async fn a_commit_without_a_claim_is_fenced<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let group = Arc::new(Group { number: 1, actors: vec![writes(&actor("a"), vec![put("m", "a", "1")])] });

    assert_eq!(store.commit(group.clone()).await, Err(CommitError::Fenced));

    store.attach().await.unwrap();
    store.detach();
    assert_eq!(store.commit(group).await, Err(CommitError::Fenced));
    assert_eq!(store.get(&actor("a"), "m", b"a").await, Ok(None));
    assert_eq!(store.attach().await, Ok(1));
}

pub async fn a_number_that_is_neither_the_last_nor_the_next_is_fenced<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    for _ in 0..3 {
        committer.write(&alice, vec![put("m", "a", "1")]).await;
    }

    for number in [0, 1, 2, 5, u64::MAX] {
        let group = Arc::new(Group { number, actors: vec![writes(&alice, vec![put("m", "a", "2")])] });
        assert_eq!(store.commit(group).await, Err(CommitError::Fenced), "number {number}");
    }

    assert_eq!(store.get(&alice, "m", b"a").await, Ok(Some("1".into())));
}
