//! Cases about reads: one row, and ranges with every combination of bounds, limit and direction.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    task::Context,
};

use bytes::Bytes;

use super::{Committer, StoreUnderTest, actor, put};
use crate::{
    limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX},
    store::{KeyRange, Store},
};

pub async fn keys_and_values_at_their_limits_come_back<T: StoreUnderTest>() {
    let (guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    let key = Bytes::from(vec![u8::MAX; KEY_BYTES_MAX]);
    let value: Bytes = (0..VALUE_BYTES_MAX).map(|index| u8::try_from(index % 251).unwrap()).collect();

    committer.write(&alice, vec![put("m", key.clone(), value.clone())]).await;

    assert_eq!(store.get(&alice, "m", &key).await, Ok(Some(value.clone())));
    let (_guard, store) = T::reopen(guard, store).await;
    assert_eq!(store.get(&alice, "m", &key).await, Ok(Some(value.clone())));
    assert_eq!(store.scan(&alice, "m", &KeyRange::all(), 2, false).await, Ok(vec![(key, value)]));
}

pub async fn an_empty_key_and_an_empty_value_are_rows<T: StoreUnderTest>() {
    let (guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;

    committer.write(&alice, vec![put("m", "", "at the front"), put("m", "k", "")]).await;

    let rows: Vec<(Bytes, Bytes)> = vec![("".into(), "at the front".into()), ("k".into(), "".into())];
    assert_eq!(store.get(&alice, "m", b"").await, Ok(Some("at the front".into())));
    assert_eq!(store.get(&alice, "m", b"k").await, Ok(Some("".into())));
    let (_guard, store) = T::reopen(guard, store).await;
    assert_eq!(store.scan(&alice, "m", &KeyRange::all(), 10, false).await, Ok(rows));
}

pub async fn a_read_of_what_was_never_written_finds_nothing<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let nobody = actor("nobody");

    assert_eq!(store.get(&nobody, "m", b"a").await, Ok(None));
    assert_eq!(store.scan(&nobody, "m", &KeyRange::all(), 10, false).await, Ok(Vec::new()));
    assert_eq!(store.scan(&nobody, "m", &KeyRange::all(), 10, true).await, Ok(Vec::new()));
}

pub async fn a_list_answers_what_an_ordered_map_answers<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    let keys: [&[u8]; 10] = [b"", b"\0", b"a", b"a\0", b"a\0\xff", b"ab", b"b", b"\xfe", b"\xff", b"\xff\xff"];
    let model: BTreeMap<Bytes, Bytes> =
        keys.iter().map(|key| (Bytes::from_static(key), Bytes::from(key.len().to_string()))).collect();
    // One group for each row, so that a store with stages has rows in several of them.
    for (key, value) in &model {
        committer.write(&alice, vec![put("m", key.clone(), value.clone())]).await;
    }

    let bounds = keys.iter().copied().chain([b"a\0\x01".as_slice(), b"aa", b"c", b"\xff\xff\xff"]);
    let bounds: Vec<Bytes> = bounds.map(Bytes::copy_from_slice).collect();
    let ends: Vec<Option<Bytes>> = bounds.iter().cloned().map(Some).chain([None]).collect();
    for start in &bounds {
        for end in &ends {
            let range = KeyRange { start: start.clone(), end: end.clone() };
            for limit in [0, 1, 2, 9, 10, 11, usize::MAX] {
                for reverse in [false, true] {
                    let found = store.scan(&alice, "m", &range, limit, reverse).await.unwrap();
                    assert_eq!(found, listed(&model, &range, limit, reverse), "{range:?} {limit} {reverse}");
                }
            }
        }
    }
}

pub async fn a_list_in_small_pieces_is_the_whole_list<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    let rows: Vec<(Bytes, Bytes)> =
        (0..500_u32).map(|row| (Bytes::from(row.to_be_bytes().to_vec()), Bytes::from(row.to_string()))).collect();
    for chunk in rows.chunks(100) {
        let list = chunk.iter().map(|(key, value)| put("m", key.clone(), value.clone()));
        committer.write(&alice, list.collect()).await;
    }

    let mut found = Vec::new();
    let mut range = KeyRange::all();
    loop {
        let piece = store.scan(&alice, "m", &range, 7, false).await.unwrap();
        let Some((last, _)) = piece.last() else { break };
        range.start = [last.as_ref(), b"\0"].concat().into();
        found.extend(piece);
    }

    assert_eq!(found, rows);
}

pub async fn a_read_sees_every_commit_that_was_answered_before_it_began<T: StoreUnderTest>() {
    const ROUNDS: u64 = 200;
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    let answered = AtomicU64::new(0);

    let write = async {
        for round in 1..=ROUNDS {
            committer.write(&alice, vec![put("m", "a", round.to_be_bytes().to_vec())]).await;
            answered.store(round, Ordering::SeqCst);
            tokio::task::yield_now().await;
        }
    };
    let read = async {
        while answered.load(Ordering::SeqCst) < ROUNDS {
            let before = answered.load(Ordering::SeqCst);
            let one = store.get(&alice, "m", b"a").await.unwrap();
            let list = store.scan(&alice, "m", &KeyRange::all(), 10, false).await.unwrap();
            assert!(number(one.as_ref()) >= before, "a read missed group {before}");
            assert!(number(list.first().map(|row| &row.1)) >= before, "a list missed group {before}");
            tokio::task::yield_now().await;
        }
    };

    tokio::join!(write, read);
}

pub async fn reads_may_be_dropped<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    committer.write(&alice, vec![put("m", "a", "1")]).await;
    let range = KeyRange::all();

    for _ in 0..10 {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let _ = pin!(store.get(&alice, "m", b"a")).as_mut().poll(&mut context);
        let _ = pin!(store.scan(&alice, "m", &range, 10, false)).as_mut().poll(&mut context);
    }

    assert_eq!(store.get(&alice, "m", b"a").await, Ok(Some("1".into())));
}

/// What an ordered map lists.
fn listed(model: &BTreeMap<Bytes, Bytes>, range: &KeyRange, limit: usize, reverse: bool) -> Vec<(Bytes, Bytes)> {
    let inside = model.iter().filter(|(key, _)| range.contains(key)).map(|(key, value)| (key.clone(), value.clone()));
    if reverse { inside.rev().take(limit).collect() } else { inside.take(limit).collect() }
}

fn number(value: Option<&Bytes>) -> u64 {
    value.map_or(0, |value| u64::from_be_bytes(value.as_ref().try_into().unwrap()))
}
