//! Random operations with commits, failures and restarts in between: the journal-and-rows store, in memory and on disk,
//! answers what `Memory` answers. 100,000 writes each; `DNA_MODEL_SEED` chooses others.
#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

mod support;

use std::time::Duration;

use dna_core::{CommitError, Memory, Refusal, Store};
use dna_storage::{
    Embedded,
    journaled::{
        Host, Journaled, JournaledOptions, UpkeepError,
        testing::{MemoryJournal, MemoryRows},
    },
};
use support::{model, random::Random};

const WRITES: usize = 100_000;

fn seed() -> u64 {
    std::env::var("DNA_MODEL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

/// The next group to both stores; how many writes it had.
async fn commit(random: &mut Random, number: &mut u64, store: &impl Store, memory: &Memory) -> usize {
    let (group, writes) = model::group(random, *number, 60);
    loop {
        match store.commit(group.clone()).await {
            Ok(()) => break,
            Err(CommitError::Unknown) => {}
            // Of other content the next time.
            Err(CommitError::NotApplied(_)) => return 0,
            Err(error) => panic!("group {number} was answered {error}"),
        }
    }
    memory.commit(group).await.unwrap();
    *number += 1;
    writes
}

#[tokio::test]
async fn a_hundred_thousand_random_writes_over_memory_read_as_they_do_in_the_reference() {
    let mut random = Random::new(seed());
    let (journal, rows, memory) = (MemoryJournal::new(), MemoryRows::new(), Memory::new());
    let options = JournaledOptions { gather_rows: Duration::ZERO, ..JournaledOptions::default() };
    let open = || Journaled::open(journal.clone(), rows.clone(), Host::Threads, options);
    let mut store = open().await.unwrap();
    let mut number = store.attach().await.unwrap();
    memory.attach().await.unwrap();
    let mut writes = 0;

    while writes < WRITES {
        match random.below(40) {
            0 => {
                drop(store);
                store = open().await.unwrap();
                assert_eq!(store.attach().await.unwrap(), number);
            }
            1 => journal.refuse_next(Refusal::Full),
            2 => journal.lose_next_answer(),
            3 => journal.lose_next_request(),
            4 => rows.fail_next(UpkeepError::Unavailable),
            5 => rows.stores().hold(),
            6 => rows.halves().hold(),
            7..12 => {
                rows.stores().release();
                rows.halves().release();
            }
            _ => {}
        }
        writes += commit(&mut random, &mut number, &store, &memory).await;
        model::compare_some(&mut random, &store, &memory).await;
    }

    rows.stores().release();
    rows.halves().release();
    model::compare_all(&store, &memory).await;
    drop(store);
    let store = open().await.unwrap();
    model::compare_all(&store, &memory).await;
    store.drain().await.unwrap();
    model::compare_all(&store, &memory).await;
}

#[tokio::test]
async fn a_hundred_thousand_random_writes_on_disk_read_as_they_do_in_the_reference() {
    let mut random = Random::new(seed());
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dna");
    let (mut store, memory) = (Embedded::open(&path).unwrap(), Memory::new());
    let mut number = store.attach().await.unwrap();
    memory.attach().await.unwrap();
    let mut writes = 0;

    while writes < WRITES {
        if random.one_in(60) {
            drop(store);
            store = Embedded::open(&path).unwrap();
            assert_eq!(store.attach().await.unwrap(), number);
        }
        if random.one_in(60) {
            store.drain().await.unwrap();
        }
        writes += commit(&mut random, &mut number, &store, &memory).await;
        // Unoptimized, the database underneath takes its time to list.
        if random.one_in(4) {
            model::compare_some(&mut random, &store, &memory).await;
        }
    }

    model::compare_all(&store, &memory).await;
    drop(store);
    let store = Embedded::open(&path).unwrap();
    model::compare_all(&store, &memory).await;
    store.drain().await.unwrap();
    model::compare_all(&store, &memory).await;
}
