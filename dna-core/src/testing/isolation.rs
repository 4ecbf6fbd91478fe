//! Cases about what separates one actor's and one module's rows from another's.

use bytes::Bytes;

use super::{Committer, StoreUnderTest, actor, delete_range, put, writes};
use crate::{
    limits::{LABEL_BYTES_MAX, NAME_BYTES_MAX},
    name::ActorName,
    store::{KeyRange, Store},
};

pub async fn actors_do_not_see_each_other<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let (alice, bob) = (actor("alice"), actor("bob"));
    let mut committer = Committer::attach(&store).await;

    committer
        .commit(vec![writes(&alice, vec![put("m", "a", "alice's")]), writes(&bob, vec![put("m", "a", "bob's")])])
        .await
        .unwrap();

    assert_eq!(store.get(&alice, "m", b"a").await, Ok(Some("alice's".into())));
    assert_eq!(store.get(&bob, "m", b"a").await, Ok(Some("bob's".into())));
}

pub async fn modules_do_not_see_each_other<T: StoreUnderTest>() {
    let (_guard, store) = T::open().await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;

    committer.write(&alice, vec![put("m", "a", "1"), put("mm", "a", "2"), put("\0", "a", "3")]).await;

    assert_eq!(store.scan(&alice, "m", &KeyRange::all(), 9, false).await, Ok(vec![("a".into(), "1".into())]));
    assert_eq!(store.scan(&alice, "mm", &KeyRange::all(), 9, true).await, Ok(vec![("a".into(), "2".into())]));
    assert_eq!(store.scan(&alice, "\0", &KeyRange::all(), 9, false).await, Ok(vec![("a".into(), "3".into())]));
    assert_eq!(store.scan(&alice, "nn", &KeyRange::all(), 9, false).await, Ok(Vec::new()));
}

pub async fn names_that_run_into_each_other_stay_apart<T: StoreUnderTest>() {
    let (guard, store) = T::open().await;
    let mut committer = Committer::attach(&store).await;
    let places = awkward_places();
    let rows = |index: usize| -> Vec<(Bytes, Bytes)> {
        let value = Bytes::from(index.to_string());
        vec![("".into(), value.clone()), ("b".into(), value.clone()), (vec![0xff, 0].into(), value)]
    };
    for (index, (name, module)) in places.iter().enumerate() {
        let list = rows(index).into_iter().map(|(key, value)| put(module, key, value));
        committer.write(name, list.collect()).await;
    }

    let (_guard, store) = T::reopen(guard, store).await;
    for (index, (name, module)) in places.iter().enumerate() {
        for reverse in [false, true] {
            let mut expected = rows(index);
            if reverse {
                expected.reverse();
            }
            let found = store.scan(name, module, &KeyRange::all(), usize::MAX, reverse).await;
            assert_eq!(found, Ok(expected), "{name} {module:?}");
        }
        assert_eq!(store.get(name, module, b"b").await, Ok(Some(index.to_string().into())), "{name} {module:?}");
    }
}

pub async fn a_range_delete_stays_within_its_actor_and_module<T: StoreUnderTest>() {
    let (guard, store) = T::open().await;
    let mut committer = Committer::attach(&store).await;
    let places = awkward_places();
    for (name, module) in &places {
        committer.write(name, vec![put(module, "a", "1"), put(module, vec![0xff; 3], "1")]).await;
    }

    for (name, module) in places.iter().step_by(2) {
        committer.write(name, vec![delete_range(module, KeyRange::all())]).await;
    }

    let (_guard, store) = T::reopen(guard, store).await;
    for (index, (name, module)) in places.iter().enumerate() {
        let left = store.scan(name, module, &KeyRange::all(), usize::MAX, false).await.unwrap().len();
        assert_eq!(left, if index % 2 == 0 { 0 } else { 2 }, "{name} {module:?}");
    }
}

/// Places whose parts are prefixes of one another, hold NUL bytes, or end where another one's begin.
fn awkward_places() -> Vec<(ActorName, String)> {
    let longest = "x".repeat(LABEL_BYTES_MAX);
    let parts = [
        ("n", "T", "a", "m"),
        ("n", "T", "a", "mm"),
        ("n", "T", "am", "m"),
        ("n", "T", "a\0", "m"),
        ("n", "T", "a\0m", "m"),
        ("n", "T", "a", "\0m"),
        ("n", "Ta", "m", "m"),
        ("nT", "a", "m", "m"),
        ("n", "T", "\u{10ffff}", "m"),
        ("n", "T", "\u{10ffff}\u{10ffff}", "m"),
        ("n", "T", "a", "\u{10ffff}"),
        ("n", "T", "a/b", "m"),
        ("n", "T/a", "b", "m"),
        ("n/T", "a", "b", "m"),
        ("\0", "\0", "\0", "\0"),
        ("\0", "\0", "\0\0", "\0"),
        (&longest, &longest, &"x".repeat(NAME_BYTES_MAX), &longest),
        (&longest, &longest, &"x".repeat(NAME_BYTES_MAX - 1), &longest),
    ];
    let name = |(namespace, kind, name, module): (&str, &str, &str, &str)| {
        (ActorName::new(namespace, kind, name).unwrap(), module.to_owned())
    };
    parts.into_iter().map(name).collect()
}
