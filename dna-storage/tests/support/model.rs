//! Random groups over a few actors and few keys, so that they meet, and a comparison of two stores.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use dna_core::{ActorName, ActorWrites, Group, KeyRange, Store, Write, testing};

use super::random::Random;

pub const MODULES: [&str; 2] = ["lines", "linesx"];

/// The actors that random groups write to.
pub fn actors() -> Vec<ActorName> {
    ["a", "a\0", "ab", "b"].map(testing::actor).to_vec()
}

/// One of a few hundred keys, of different lengths.
pub fn key(random: &mut Random) -> Bytes {
    let len = random.below(4);
    (0..len).map(|_| *random.pick(&[0, 1, b'a', b'b', 0xfe, 0xff])).collect()
}

pub fn range(random: &mut Random) -> KeyRange {
    if random.one_in(10) {
        return KeyRange::all();
    }
    KeyRange { start: key(random), end: (!random.one_in(4)).then(|| key(random)) }
}

/// A group of up to `writes` writes; how many operations it has.
pub fn group(random: &mut Random, number: u64, writes: usize) -> (Arc<Group>, usize) {
    let mut list = Vec::new();
    let mut operations = 0;
    for actor in actors() {
        if random.one_in(2) {
            continue;
        }
        let own = actor_writes(random, &actor, writes);
        operations += own.writes.len();
        list.push(own);
    }
    (Arc::new(Group { number, actors: list }), operations)
}

fn actor_writes(random: &mut Random, actor: &ActorName, writes: usize) -> ActorWrites {
    let mut ranges = Vec::new();
    let mut points: BTreeMap<(&str, Bytes), Write> = BTreeMap::new();
    for _ in 0..=random.below(writes) {
        let module = *random.pick(&MODULES);
        if random.one_in(20) {
            ranges.push(testing::delete_range(module, range(random)));
            continue;
        }
        let key = key(random);
        let write = if random.one_in(3) {
            testing::delete(module, key.clone())
        } else {
            let value = random.next().to_le_bytes()[..random.below(9)].to_vec();
            testing::put(module, key.clone(), value)
        };
        points.insert((module, key), write);
    }
    let mut points: Vec<Write> = points.into_values().collect();
    // Any order will do.
    if !points.is_empty() {
        let middle = random.below(points.len());
        points.rotate_left(middle);
    }
    testing::writes(actor, [ranges, points].concat())
}

/// Compares a few random reads of two stores.
pub async fn compare_some(random: &mut Random, store: &(impl Store + ?Sized), model: &(impl Store + ?Sized)) {
    let actors = actors();
    for _ in 0..4 {
        let (actor, module) = (random.pick(&actors), *random.pick(&MODULES));
        let key = key(random);
        let expected = model.get(actor, module, &key).await;
        assert_eq!(store.get(actor, module, &key).await, expected, "{actor} {module} {key:?}");
        let range = range(random);
        let limit = *random.pick(&[0, 1, 2, 5, 40, usize::MAX]);
        let reverse = random.one_in(2);
        let expected = model.scan(actor, module, &range, limit, reverse).await;
        let found = store.scan(actor, module, &range, limit, reverse).await;
        assert_eq!(found, expected, "{actor} {module} {range:?} limit {limit} reverse {reverse}");
    }
}

/// Compares every row of two stores, in both directions.
pub async fn compare_all(store: &(impl Store + ?Sized), model: &(impl Store + ?Sized)) {
    for actor in actors() {
        for module in MODULES {
            for reverse in [false, true] {
                let expected = model.scan(&actor, module, &KeyRange::all(), usize::MAX, reverse).await;
                let found = store.scan(&actor, module, &KeyRange::all(), usize::MAX, reverse).await;
                assert_eq!(found, expected, "{actor} {module}");
            }
        }
    }
}
