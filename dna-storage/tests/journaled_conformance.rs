//! The journal-and-rows store passes the conformance suite, with its row writer free, held back and half-way.
#![allow(clippy::unwrap_used, reason = "a test that fails is to panic")]

use std::time::Duration;

use dna_core::testing::StoreUnderTest;
use dna_storage::journaled::{
    Host, Journaled, JournaledOptions,
    testing::{MemoryJournal, MemoryRows},
};

type Disk = (MemoryJournal, MemoryRows);

async fn open(disk: &Disk) -> Journaled<MemoryJournal, MemoryRows> {
    let (journal, rows) = disk.clone();
    let options = JournaledOptions { gather_rows: Duration::ZERO, ..JournaledOptions::default() };
    Journaled::open(journal, rows, Host::Threads, options).await.unwrap()
}

macro_rules! suite {
    ($name:ident, $store:ident, $prepare:expr) => {
        mod $name {
            use super::*;

            struct $store;

            impl StoreUnderTest for $store {
                type Store = Journaled<MemoryJournal, MemoryRows>;
                type Guard = Disk;

                async fn open() -> (Self::Guard, Self::Store) {
                    let disk = Disk::default();
                    let prepare: fn(&MemoryRows) = $prepare;
                    prepare(&disk.1);
                    let store = open(&disk).await;
                    (disk, store)
                }

                async fn reopen(disk: Self::Guard, store: Self::Store) -> (Self::Guard, Self::Store) {
                    drop(store);
                    let store = open(&disk).await;
                    (disk, store)
                }
            }

            dna_core::store_conformance!($store);
        }
    };
}

suite!(free, Free, |_| {});
suite!(held_back, HeldBack, |rows| rows.stores().hold());
suite!(half_way, HalfWay, |rows| rows.halves().hold());
