//! Cases about what a commit does, and what it must not do.

use std::{future::Future, pin::pin, sync::Arc, task::Context};

use bytes::Bytes;

use super::{Committer, StoreUnderTest, actor, delete, delete_range, put, writes};
use crate::{
    limits::{GROUP_BYTES_MAX, KEY_BYTES_MAX, LABEL_BYTES_MAX, VALUE_BYTES_MAX, WRITE_OVERHEAD_BYTES},
    store::{CommitError, Group, KeyRange, Refusal, Store, Write},
};

pub async fn a_committed_group_is_visible<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;

    committer.write(&alice, vec![put("m", "a", "1"), put("m", "b", "2")]).await;
    assert_eq!(store.get(&alice, "m", b"a").await, Ok(Some("1".into())));

    committer.write(&alice, vec![delete("m", "a"), put("m", "b", "3")]).await;
    assert_eq!(store.get(&alice, "m", b"a").await, Ok(None));
    assert_eq!(store.get(&alice, "m", b"b").await, Ok(Some("3".into())));
}

pub async fn a_group_is_applied_to_all_its_actors_and_modules<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let names: Vec<_> = (0..100).map(|index| actor(&format!("actor-{index}"))).collect();
    let mut committer = Committer::attach(&store).await;

    let group = names.iter().map(|name| writes(name, vec![put("m", "k", "1"), put("other", "k", "2")]));
    committer.commit(group.collect()).await.unwrap();

    for name in &names {
        assert_eq!(store.get(name, "m", b"k").await, Ok(Some("1".into())));
        assert_eq!(store.get(name, "other", b"k").await, Ok(Some("2".into())));
    }
}

pub async fn a_group_that_comes_again_is_applied_once_and_answered_alike<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let committer = Committer::attach(&store).await;
    let group = committer.group(vec![writes(&alice, vec![put("m", "a", "1")])]);

    for _ in 0..3 {
        assert_eq!(store.commit(group.clone()).await, Ok(()));
    }

    assert_eq!(store.get(&alice, "m", b"a").await, Ok(Some("1".into())));
    store.detach();
    assert_eq!(store.attach().await, Ok(2));
}

pub async fn a_group_that_comes_again_does_not_undo_a_later_claims_start<T: StoreUnderTest>() {
    let (guard, store) = T::open().await;
    let alice = actor("alice");
    let committer = Committer::attach(&store).await;
    let group = committer.group(vec![writes(&alice, vec![put("m", "a", "1")])]);
    store.commit(group.clone()).await.unwrap();
    let (_guard, store) = T::reopen(guard, store).await;
    let mut committer = Committer::attach(&store).await;

    assert_eq!(store.commit(group.clone()).await, Ok(()));
    committer.write(&alice, vec![put("m", "a", "2")]).await;

    assert_eq!(store.commit(group).await, Err(CommitError::Fenced));
    assert_eq!(store.get(&alice, "m", b"a").await, Ok(Some("2".into())));
}

pub async fn range_deletes_come_before_the_puts_of_their_group<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    committer.write(&alice, vec![put("m", "a", "old"), put("m", "b", "old")]).await;

    committer.write(&alice, vec![delete_range("m", KeyRange::all()), put("m", "b", "new")]).await;

    let rows = store.scan(&alice, "m", &KeyRange::all(), 10, false).await;
    assert_eq!(rows, Ok(vec![("b".into(), "new".into())]));
}

pub async fn a_range_delete_takes_back_what_earlier_groups_put<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    let keys = ["a", "b", "ba", "bb", "c", "d"];
    committer.write(&alice, keys.iter().map(|key| put("m", *key, "1")).collect()).await;

    let inner = KeyRange { start: "b".into(), end: Some("c".into()) };
    let tail = KeyRange { start: "d".into(), end: None };
    committer.write(&alice, vec![delete_range("m", inner), delete_range("m", tail)]).await;

    let rows = store.scan(&alice, "m", &KeyRange::all(), 10, false).await;
    assert_eq!(rows, Ok(vec![("a".into(), "1".into()), ("c".into(), "1".into())]));
    assert_eq!(store.get(&alice, "m", b"ba").await, Ok(None));
}

pub async fn an_empty_range_delete_removes_nothing<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    committer.write(&alice, vec![put("m", "a", "1"), put("m", "b", "1"), put("m", "", "1")]).await;

    let ranges = [("b", "a"), ("a", "a"), ("", "")];
    let ranges = ranges.map(|(start, end)| KeyRange { start: start.into(), end: Some(end.into()) });
    committer.write(&alice, ranges.map(|range| delete_range("m", range)).to_vec()).await;

    assert_eq!(store.scan(&alice, "m", &KeyRange::all(), 10, false).await.unwrap().len(), 3);
}

pub async fn the_last_of_several_groups_wins<T: StoreUnderTest>() {
    let (guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    for round in 0..50_u32 {
        let list = match round % 3 {
            0 => vec![put("m", "a", round.to_string()), delete("m", "b")],
            1 => vec![delete("m", "a"), put("m", "b", round.to_string())],
            _ => vec![delete_range("m", KeyRange::all()), put("m", "c", round.to_string())],
        };
        committer.write(&alice, list).await;
    }

    let expected: Vec<(Bytes, Bytes)> = vec![("b".into(), "49".into()), ("c".into(), "47".into())];
    assert_eq!(store.scan(&alice, "m", &KeyRange::all(), 10, false).await, Ok(expected.clone()));
    let (_guard, store) = T::reopen(guard, store).await;
    assert_eq!(store.scan(&alice, "m", &KeyRange::all(), 10, false).await, Ok(expected));
}

pub async fn a_dropped_commit_is_settled_all_the_same<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let committer = Committer::attach(&store).await;
    let list = (0..1000_u32).map(|index| put("m", index.to_be_bytes().to_vec(), "1")).collect();
    let group = committer.group(vec![writes(&alice, list)]);

    {
        let mut commit = pin!(store.commit(group.clone()));
        let _ = commit.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
    }
    store.detach();
    let next = store.attach().await.unwrap();

    let rows = store.scan(&alice, "m", &KeyRange::all(), usize::MAX, false).await.unwrap();
    assert_eq!(rows.len(), if next == 2 { 1000 } else { 0 }, "all or nothing, as the number says");
    assert_eq!(store.commit(group).await, Ok(()), "it is in, or it is the next one");
    assert_eq!(store.scan(&alice, "m", &KeyRange::all(), usize::MAX, false).await.unwrap().len(), 1000);
}

pub async fn a_group_without_writes_has_a_number_too<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let mut committer = Committer::attach(&store).await;

    committer.commit(Vec::new()).await.unwrap();
    committer.commit(vec![writes(&actor("a"), Vec::new())]).await.unwrap();

    store.detach();
    assert_eq!(store.attach().await, Ok(3));
}

pub async fn a_group_at_its_limit_is_taken<T: StoreUnderTest>() {
    let (guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    let list = full_group();
    assert_eq!(list.iter().map(Write::cost).sum::<usize>(), GROUP_BYTES_MAX);

    committer.commit(vec![writes(&alice, list)]).await.unwrap();

    let rows = GROUP_BYTES_MAX / 64;
    assert_eq!(store.scan(&alice, "m", &KeyRange::all(), usize::MAX, false).await.unwrap().len(), rows);
    let (_guard, store) = T::reopen(guard, store).await;
    assert_eq!(store.scan(&alice, "m", &KeyRange::all(), usize::MAX, true).await.unwrap().len(), rows);
}

pub async fn a_group_past_its_limit_is_refused_and_its_number_is_free<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    let mut too_much = full_group();
    too_much.push(delete("m", "one more"));
    let too_long = vec![put("m", vec![0; KEY_BYTES_MAX + 1], "")];
    let too_large = vec![put("m", "a", vec![0; VALUE_BYTES_MAX + 1])];

    for list in [too_much, too_long, too_large] {
        let list = [vec![put("m", "seen", "no")], list].concat();
        let group = Arc::new(Group { number: 1, actors: vec![writes(&alice, list)] });
        assert_eq!(store.commit(group).await, Err(CommitError::NotApplied(Refusal::Invalid)));
    }

    assert_eq!(store.get(&alice, "m", b"seen").await, Ok(None));
    committer.write(&alice, vec![put("m", "seen", "yes")]).await;
    assert_eq!(store.get(&alice, "m", b"seen").await, Ok(Some("yes".into())));
}

pub async fn a_group_with_a_bound_or_label_past_its_limit_is_refused<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    committer.write(&alice, vec![put("m", "k", "1")]).await;
    let bound = |bytes: usize| Bytes::from(vec![0; bytes]);
    let too_long = KEY_BYTES_MAX + 2;
    let range = |start, end| delete_range("m", KeyRange { start, end });

    for refused in [
        vec![range(bound(too_long), None)],
        vec![range(bound(0), Some(bound(too_long)))],
        vec![delete("m", bound(KEY_BYTES_MAX + 1))],
        vec![put(&"m".repeat(LABEL_BYTES_MAX + 1), "a", "1")],
        vec![put("", "a", "1")],
        vec![put("m", "a", "1"), delete_range("m", KeyRange::all())],
    ] {
        let group = committer.group(vec![writes(&alice, refused)]);
        assert_eq!(store.commit(group.clone()).await, Err(CommitError::NotApplied(Refusal::Invalid)), "{group:?}");
    }
    assert_eq!(store.get(&alice, "m", b"k").await, Ok(Some("1".into())));
}

pub async fn a_range_delete_may_end_behind_the_longest_key<T: StoreUnderTest>() {
    let (guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    let longest = Bytes::from(vec![b'k'; KEY_BYTES_MAX]);
    let behind: Bytes = [longest.as_ref(), b"\0"].concat().into();
    committer.write(&alice, vec![put("m", longest.clone(), "1"), put("m", "l", "1")]).await;

    let tail = KeyRange { start: behind.clone(), end: Some("l".into()) };
    committer.write(&alice, vec![delete_range("m", tail)]).await;
    assert_eq!(store.get(&alice, "m", &longest).await, Ok(Some("1".into())));
    let upto = KeyRange { start: Bytes::new(), end: Some(behind) };
    committer.write(&alice, vec![delete_range("m", upto)]).await;

    let left = vec![("l".into(), "1".into())];
    assert_eq!(store.scan(&alice, "m", &KeyRange::all(), 9, false).await, Ok(left.clone()));
    let (_guard, store) = T::reopen(guard, store).await;
    assert_eq!(store.scan(&alice, "m", &KeyRange::all(), 9, false).await, Ok(left));
}

/// As many small puts as a group can hold, in an order that is not that of their keys.
fn full_group() -> Vec<Write> {
    let value = Bytes::from(vec![b'v'; 64 - 8 - WRITE_OVERHEAD_BYTES]);
    let rows = u64::try_from(GROUP_BYTES_MAX / 64).unwrap();
    (0..rows).map(|row| put("m", (row * 7919 % rows).to_be_bytes().to_vec(), value.clone())).collect()
}
