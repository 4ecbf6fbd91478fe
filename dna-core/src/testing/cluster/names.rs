//! Cases about names: those that are placed by hand, and those that are odd.

use futures_util::future::join_all;

use super::{ClusterUnderTest, fixture::Node};
use crate::{
    cluster::{ClusterError, ClusterStore, Shard},
    limits::{LABEL_BYTES_MAX, NAME_BYTES_MAX},
    name::ActorName,
    testing::{actor, put},
};

pub async fn the_first_registration_of_a_name_stands<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let (alice, bob) = (actor("alice"), actor("bob"));

    assert_eq!(store.register_name(&alice, Shard(7)).await, Ok(Shard(7)));
    assert_eq!(other.register_name(&bob, Shard(0)).await, Ok(Shard(0)));
    for (store, shard) in [(&other, Shard(8)), (&store, Shard(0)), (&other, Shard(7)), (&store, Shard(u32::MAX >> 1))] {
        assert_eq!(store.register_name(&alice, shard).await, Ok(Shard(7)));
        assert_eq!(store.register_name(&bob, shard).await, Ok(Shard(0)));
    }
}

pub async fn of_many_registrations_of_a_name_one_stands<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let mut stores = Vec::new();
    for _ in 0..5 {
        stores.push(T::another(&guard, &store).await);
    }

    for name in ["a", "b", "c"].map(actor) {
        let answers = (0..).zip(&stores).map(|(shard, store)| register(store, &name, Shard(shard)));
        let answers = join_all(answers).await;
        let stands = answers[0].expect("the name can be registered");
        assert!(stands < Shard(5));
        assert!(answers.iter().all(|&answer| answer == Ok(stands)), "{answers:?}");
        assert_eq!(store.register_name(&name, Shard(99)).await, Ok(stands));
    }
}

/// Asks until there is an answer: so many at once may keep each other from one.
async fn register(store: &impl ClusterStore, name: &ActorName, shard: Shard) -> Result<Shard, ClusterError> {
    loop {
        match store.register_name(name, shard).await {
            Err(ClusterError::Unknown) => {}
            answer => return answer,
        }
    }
}

/// Names that are easily taken for one another.
fn odd_names() -> Vec<ActorName> {
    let (longest_label, longest) = ("l".repeat(LABEL_BYTES_MAX), "n".repeat(NAME_BYTES_MAX));
    let parts = [
        ("n", "T", "a"),
        ("n", "T", "A"),
        ("n", "T", "a "),
        ("n", "T", " a"),
        ("n", "T", "a\0"),
        ("n", "T", "\0"),
        ("n", "T/a", "b"),
        ("n/T", "a", "b"),
        ("n", "T", "a/b"),
        ("nT", "a", "b"),
        ("n", "Ta", "b"),
        ("n", "T", "ab"),
        ("n", "T", "null"),
        ("n", "T", "'; DROP TABLE actor; --"),
        ("n", "T", "\"?\" $1 %s {}"),
        ("n", "T", "é"),
        ("n", "T", "e\u{301}"),
        ("n", "T", "名\u{1F980}\n\t\u{7f}\u{FEFF}"),
        ("n", "T", longest.as_str()),
        (longest_label.as_str(), longest_label.as_str(), "a"),
    ];
    parts.map(|(namespace, kind, name)| ActorName::new(namespace, kind, name).expect("a valid name")).into()
}

pub async fn odd_names_are_registered_apart<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let names = odd_names();

    for (shard, name) in (0..).zip(&names) {
        assert_eq!(store.register_name(name, Shard(shard)).await, Ok(Shard(shard)), "{name:?}");
    }
    for (shard, name) in (0..).zip(&names) {
        assert_eq!(other.register_name(name, Shard(1000)).await, Ok(Shard(shard)), "{name:?}");
    }
}

pub async fn odd_names_have_rows_of_their_own_also_after_a_replay<T: ClusterUnderTest>() {
    let (guard, store) = T::open().await;
    let other = T::another(&guard, &store).await;
    let names = odd_names();
    let mut node = Node::start(&store).await;
    for (index, name) in names.iter().enumerate() {
        if index == names.len() / 2 {
            node.journals.drain().await.unwrap();
            T::hold_rows(&guard, &store).await;
        }
        node.commit(0, name, vec![put("m", name.name().to_owned(), index.to_string())]).await.unwrap();
    }
    let id = node.id;
    drop(node);

    other.seal_and_replay(id, 1).await.unwrap();

    let reader = Node::start(&other).await;
    for (index, name) in names.iter().enumerate() {
        let expected = [(name.name().to_owned().into(), index.to_string().into())];
        assert_eq!(reader.rows(0, name).await, expected, "{name:?}");
    }
}
