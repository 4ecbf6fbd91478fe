//! Cases about the register of the view.

use std::{future::Future, pin::pin, task::Context};

use bytes::Bytes;
use futures_util::future::join_all;

use super::ClusterUnderTest;
use crate::{
    cluster::{ClusterError, ClusterStore, Swap, ViewRegister},
    limits::VIEW_BYTES_MAX,
};

fn register(version: u64, bytes: impl Into<Bytes>) -> ViewRegister {
    ViewRegister { version, bytes: bytes.into() }
}

pub async fn a_new_register_has_version_zero_and_no_bytes<T: ClusterUnderTest>() {
    let (_guard, store) = T::open().await;

    assert_eq!(store.read_view().await, Ok(register(0, "")));
}

pub async fn a_swap_at_its_version_is_in_and_one_at_another_is_lost<T: ClusterUnderTest>() {
    let (_guard, store) = T::open().await;
    assert_eq!(store.swap_view(1, "early".into()).await, Ok(Swap::Lost { current: 0 }));

    assert_eq!(store.swap_view(0, "one".into()).await, Ok(Swap::Done));
    for expected in [0, 2, 3, 1_000_000] {
        assert_eq!(store.swap_view(expected, "wrong".into()).await, Ok(Swap::Lost { current: 1 }));
    }
    assert_eq!(store.read_view().await, Ok(register(1, "one")));

    assert_eq!(store.swap_view(1, "two".into()).await, Ok(Swap::Done));
    assert_eq!(store.read_view().await, Ok(register(2, "two")));
}

pub async fn everyone_sees_the_same_view<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;

    for version in 0..5_u64 {
        let (writer, reader) = if version % 2 == 0 { (&store, &other) } else { (&other, &store) };
        assert_eq!(writer.swap_view(version, version.to_string().into()).await, Ok(Swap::Done));
        assert_eq!(reader.read_view().await, Ok(register(version + 1, version.to_string())));
        assert_eq!(reader.swap_view(version, "late".into()).await, Ok(Swap::Lost { current: version + 1 }));
    }
}

pub async fn of_many_swappers_exactly_one_wins_each_version<T: ClusterUnderTest>() {
    const VERSIONS: u64 = 24;
    let (guard, store) = T::open().await;
    let mut stores = Vec::new();
    for _ in 0..6 {
        stores.push(T::another(&guard, &store).await);
    }

    let swappers = stores.iter().enumerate().map(|(me, store)| async move {
        let (mut won, mut perhaps, mut seen) = (Vec::new(), Vec::new(), 0);
        loop {
            let view = store.read_view().await.expect("the view can be read");
            assert!(view.version >= seen, "versions fell from {seen} to {}", view.version);
            seen = view.version;
            if seen >= VERSIONS {
                return (won, perhaps);
            }
            let mine = Bytes::from(format!("{me} {seen}"));
            match store.swap_view(seen, mine.clone()).await {
                Ok(Swap::Done) => won.push((seen + 1, mine)),
                Ok(Swap::Lost { current }) => assert!(current > seen, "lost at {seen} to {current}"),
                // So many at once may keep each other from an answer.
                Err(ClusterError::Unknown) => perhaps.push((seen + 1, mine)),
                Err(error) => panic!("the view can be swapped: {error}"),
            }
        }
    });
    let (won, perhaps): (Vec<_>, Vec<_>) = join_all(swappers).await.into_iter().unzip();
    let (mut won, perhaps) = (won.concat(), perhaps.concat());

    won.sort();
    assert!(won.windows(2).all(|pair| pair[0].0 != pair[1].0), "a version has two winners: {won:?}");
    let view = store.read_view().await.expect("the view can be read");
    assert!(won.contains(&(view.version, view.bytes.clone())) || perhaps.contains(&(view.version, view.bytes.clone())));
    for version in 1..=view.version {
        let has_won = |swaps: &[(u64, Bytes)]| swaps.iter().any(|(number, _)| *number == version);
        assert!(has_won(&won) || has_won(&perhaps), "nobody has made version {version}: {won:?}, {perhaps:?}");
    }
}

pub async fn a_swap_that_nobody_waited_for_is_in_or_not<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;

    {
        let mut swap = pin!(store.swap_view(0, "dropped".into()));
        let _ = swap.as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
    }

    loop {
        let view = other.read_view().await.expect("the view can be read");
        match view.version {
            0 => assert_eq!(view.bytes, ""),
            _ => assert_eq!(view, register(1, "dropped")),
        }
        match other.swap_view(view.version, "next".into()).await.expect("the view can be swapped") {
            Swap::Done => return assert_eq!(store.read_view().await, Ok(register(view.version + 1, "next"))),
            Swap::Lost { current } => assert_eq!((view.version, current), (0, 1), "the dropped one came in between"),
        }
    }
}

pub async fn a_view_at_its_limit_is_taken_and_one_byte_more_is_not<T: ClusterUnderTest>() {
    let (_guard, store) = T::open().await;
    let full = Bytes::from(vec![0xA5; VIEW_BYTES_MAX]);
    let more = Bytes::from(vec![0; VIEW_BYTES_MAX + 1]);

    let refused = ClusterError::ViewTooLarge { bytes: VIEW_BYTES_MAX + 1, max: VIEW_BYTES_MAX };
    assert_eq!(store.swap_view(0, more).await, Err(refused));
    assert_eq!(store.read_view().await, Ok(register(0, "")));
    assert_eq!(store.swap_view(0, full.clone()).await, Ok(Swap::Done));
    assert_eq!(store.read_view().await, Ok(register(1, full)));
}

pub async fn a_view_may_be_empty_and_may_be_any_bytes<T: ClusterUnderTest>() {
    let (_guard, store) = T::open().await;
    let all = Bytes::from((0..=u8::MAX).collect::<Vec<_>>());

    for (version, bytes) in [all.clone(), Bytes::new(), all].into_iter().enumerate() {
        let version = u64::try_from(version).expect("a small number");
        assert_eq!(store.swap_view(version, bytes.clone()).await, Ok(Swap::Done));
        assert_eq!(store.read_view().await, Ok(register(version + 1, bytes)));
    }
}

pub async fn what_nodes_must_have_alike_is_the_same_text_everywhere<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;

    assert_eq!(store.agreement(), store.agreement());
    assert_eq!(store.agreement(), other.agreement());
}
