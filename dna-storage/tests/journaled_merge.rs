//! Reads over what is not stored yet: every combination of bounds, limit and direction, while the row writer is held
//! back, half-way and free; and a row on its way from the journal to the rows.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that fails is to panic, and a test is its own seam"
)]

mod support;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use dna_core::{
    KeyRange, Memory, Store, Write,
    testing::{Committer, actor, delete, delete_range, put},
};
use dna_storage::journaled::{
    Host, Journaled, JournaledOptions,
    testing::{Gate, MemoryJournal, MemoryRows},
};
use proptest::prelude::*;
use support::{model, random::Random};

type MemoryJournaled = Journaled<MemoryJournal, MemoryRows>;
type Model = BTreeMap<Bytes, Bytes>;

async fn open(rows: &MemoryRows) -> MemoryJournaled {
    // Rows move as soon as they can, so that as many as possible do while they are read.
    let options = JournaledOptions { gather_rows: Duration::ZERO, ..JournaledOptions::default() };
    Journaled::open(MemoryJournal::new(), rows.clone(), Host::Threads, options).await.unwrap()
}

const KEYS: [&str; 12] = ["", "a", "aa", "ab", "b", "ba", "c", "d", "e", "f", "g", "h"];

fn range(start: &'static str, end: &'static str) -> KeyRange {
    KeyRange { start: start.into(), end: Some(end.into()) }
}

/// Three layers of writes: those already stored, and two groups that wait.
fn layers() -> [Vec<Write>; 3] {
    let stored = KEYS.iter().map(|key| put("m", *key, "stored")).collect();
    let older = vec![
        delete_range("m", range("b", "d")),
        put("m", "ba", "older"),
        put("m", "aa", "older"),
        delete("m", "e"),
        put("m", "ee", "older"),
        put("m", "i", "older"),
    ];
    let newer = vec![
        delete_range("m", range("ee", "f")),
        delete("m", "ba"),
        put("m", "c", "newer"),
        put("m", "aa", "newer"),
        put("m", "ef", "newer"),
        put("m", "0", "newer"),
    ];
    [stored, older, newer]
}

fn expected() -> Model {
    let rows = [
        ("", "stored"),
        ("0", "newer"),
        ("a", "stored"),
        ("aa", "newer"),
        ("ab", "stored"),
        ("c", "newer"),
        ("d", "stored"),
        ("ef", "newer"),
        ("f", "stored"),
        ("g", "stored"),
        ("h", "stored"),
        ("i", "older"),
    ];
    rows.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// Compares every read that can be made of bounds around the keys with the model.
async fn compare_every_read(store: &MemoryJournaled, model: &Model) {
    let alice = actor("alice");
    let bounds: Vec<Bytes> = KEYS.iter().chain(&["0", "bb", "ee", "ef", "i", "j"]).map(|key| (*key).into()).collect();
    for key in &bounds {
        assert_eq!(store.get(&alice, "m", key).await.unwrap().as_ref(), model.get(key), "{key:?}");
    }
    for start in &bounds {
        for end in bounds.iter().cloned().map(Some).chain([None]) {
            let range = KeyRange { start: start.clone(), end };
            let inside = model.iter().filter(|(key, _)| range.contains(key));
            let inside: Vec<(Bytes, Bytes)> = inside.map(|(key, value)| (key.clone(), value.clone())).collect();
            for limit in [0, 1, 2, 3, inside.len(), inside.len() + 1, usize::MAX] {
                let forward = inside.iter().take(limit).cloned().collect::<Vec<_>>();
                let backward = inside.iter().rev().take(limit).cloned().collect::<Vec<_>>();
                assert_eq!(store.scan(&alice, "m", &range, limit, false).await.unwrap(), forward, "{range:?} {limit}");
                assert_eq!(store.scan(&alice, "m", &range, limit, true).await.unwrap(), backward, "{range:?} {limit}");
            }
        }
    }
}

/// Commits the three layers; with a gate the first is stored, and the row writer waits at the gate with the second alone.
async fn commit_all(store: &MemoryJournaled, gate: Option<&Gate>) {
    let alice = actor("alice");
    let [stored, older, newer] = layers();
    let mut committer = Committer::attach(store).await;
    committer.write(&alice, stored).await;
    store.drain().await.unwrap();
    if let Some(gate) = gate {
        gate.hold();
    }
    committer.write(&alice, older).await;
    if let Some(gate) = gate {
        gate.waiting(1).await;
    }
    committer.write(&alice, newer).await;
}

#[tokio::test]
async fn reads_are_right_while_the_row_writer_is_held_back() {
    let rows = MemoryRows::new();
    let store = open(&rows).await;
    commit_all(&store, Some(rows.stores())).await;

    rows.stores().waiting(1).await;
    compare_every_read(&store, &expected()).await;
    assert!(store.stats().lag_entries >= 2);
}

#[tokio::test]
async fn reads_are_right_while_the_row_writer_is_half_way() {
    let rows = MemoryRows::new();
    let store = open(&rows).await;
    commit_all(&store, Some(rows.halves())).await;

    rows.halves().waiting(1).await;
    compare_every_read(&store, &expected()).await;
    rows.halves().let_through(1);
    rows.halves().waiting(1).await;
    compare_every_read(&store, &expected()).await;
}

#[tokio::test]
async fn reads_are_right_once_everything_is_stored() {
    let rows = MemoryRows::new();
    let store = open(&rows).await;
    commit_all(&store, None).await;

    store.drain().await.unwrap();
    compare_every_read(&store, &expected()).await;
    assert_eq!((store.stats().lag_entries, store.stats().lag_bytes), (0, 0));
    assert_eq!(rows.len(), expected().len());
}

#[tokio::test]
async fn a_row_that_moves_while_it_is_read_is_seen() {
    // The reads wait before they look at the rows, then after that; meanwhile all that waited to be stored moves.
    for moment in [MemoryRows::reads, MemoryRows::answers] {
        let rows = MemoryRows::new();
        let store = open(&rows).await;
        let alice = actor("alice");
        let mut committer = Committer::attach(&store).await;
        committer.write(&alice, vec![put("m", "b", "old")]).await;
        store.drain().await.unwrap();
        rows.stores().hold();
        committer.write(&alice, vec![put("m", "a", "new"), delete("m", "b"), put("m", "c", "new")]).await;

        moment(&rows).hold();
        let all = KeyRange::all();
        let reads = async {
            tokio::join!(
                store.get(&alice, "m", b"a"),
                store.get(&alice, "m", b"b"),
                store.scan(&alice, "m", &all, 10, false),
            )
        };
        let move_on = async {
            moment(&rows).waiting(1).await;
            rows.stores().release();
            store.drain().await.unwrap();
            moment(&rows).release();
        };

        let ((put, deleted, list), ()) = tokio::join!(reads, move_on);
        assert_eq!((put.unwrap(), deleted.unwrap()), (Some("new".into()), None));
        assert_eq!(list.unwrap(), [("a".into(), "new".into()), ("c".into(), Bytes::from("new"))]);
    }
}

#[tokio::test]
async fn a_list_with_a_limit_reads_about_that_many_rows() {
    let rows = MemoryRows::new();
    let store = open(&rows).await;
    let alice = actor("alice");
    let mut committer = Committer::attach(&store).await;
    let keys: Vec<Bytes> = (0..10_000_u32).map(|key| key.to_be_bytes().to_vec().into()).collect();
    committer.write(&alice, keys.iter().map(|key| put("m", key.clone(), "v")).collect()).await;
    store.drain().await.unwrap();
    rows.stores().hold();
    committer.write(&alice, keys.iter().take(3).map(|key| delete("m", key.clone())).collect()).await;
    let all_but_few = KeyRange { start: keys[10].clone(), end: Some(keys[9_990].clone()) };
    committer.write(&alice, vec![delete_range("m", all_but_few)]).await;

    let found = store.scan(&alice, "m", &KeyRange::all(), 10, false).await.unwrap();

    let left = keys[3..10].iter().chain(&keys[9_990..9_993]).cloned().collect::<Vec<_>>();
    assert_eq!(found.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), left);
    assert!(rows.rows_read() < 100, "{} rows were read for a list of 10", rows.rows_read());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_never_misses_a_row_that_races_from_the_journal_to_the_rows() {
    const ROUNDS: u64 = 3_000;
    let rows = MemoryRows::new();
    let store = Arc::new(open(&rows).await);
    let answered = Arc::new(AtomicU64::new(0));
    let alice = actor("alice");

    let readers: Vec<_> = (0..2)
        .map(|_| {
            let (store, answered, alice) = (store.clone(), answered.clone(), alice.clone());
            tokio::spawn(async move {
                let number = |value: &Bytes| u64::from_be_bytes(value.as_ref().try_into().unwrap());
                while answered.load(Ordering::SeqCst) < ROUNDS {
                    let before = answered.load(Ordering::SeqCst);
                    let one = store.get(&alice, "m", b"a").await.unwrap().map_or(0, |value| number(&value));
                    assert!(one >= before, "a read found {one} after {before} was answered");
                    let before = answered.load(Ordering::SeqCst);
                    let list = store.scan(&alice, "m", &KeyRange::all(), 4, false).await.unwrap();
                    let first = list.first().map_or(0, |(_, value)| number(value));
                    assert!(first >= before, "a list found {first} after {before} was answered");
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let mut committer = Committer::attach(store.as_ref()).await;
    for round in 1..=ROUNDS {
        let value = round.to_be_bytes().to_vec();
        // The rows are removed and put again, so that a read between the two would find nothing.
        let list = vec![delete_range("m", KeyRange::all()), put("m", "a", value.clone()), put("m", "b", value)];
        committer.write(&alice, list).await;
        answered.store(round, Ordering::SeqCst);
    }

    for reader in readers {
        reader.await.unwrap();
    }
    assert!(store.stats().batches > ROUNDS / 100, "{} batches: hardly a row has moved", store.stats().batches);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_groups_in_any_state_of_the_row_writer_read_as_they_do_in_memory(seed: u64, groups in 1_usize..25) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut random = Random::new(seed);
            let rows = MemoryRows::new();
            let (store, memory) = (open(&rows).await, Memory::new());
            let mut number = store.attach().await.unwrap();
            memory.attach().await.unwrap();
            for _ in 0..groups {
                match random.below(6) {
                    0 => rows.stores().hold(),
                    1 => rows.halves().hold(),
                    2 => rows.stores().let_through(1),
                    3 => rows.halves().let_through(1),
                    4 => {
                        rows.stores().release();
                        rows.halves().release();
                    }
                    _ => {}
                }
                let (group, _) = model::group(&mut random, number, 12);
                store.commit(group.clone()).await.unwrap();
                memory.commit(group).await.unwrap();
                number += 1;
                model::compare_some(&mut random, &store, &memory).await;
            }
            model::compare_all(&store, &memory).await;
        });
    }
}
