//! The embedded store passes the conformance suite, with either durability.

use dna_core::testing::StoreUnderTest;
use dna_storage::{Durability, Embedded};
use tempfile::TempDir;

macro_rules! suite {
    ($name:ident, $store:ident, $durability:expr) => {
        mod $name {
            use super::*;

            struct $store;

            impl StoreUnderTest for $store {
                type Store = Embedded;
                type Guard = TempDir;

                async fn open() -> (Self::Guard, Self::Store) {
                    let dir = tempfile::tempdir().unwrap();
                    let store = Embedded::options().durability($durability).open(dir.path().join("dna")).unwrap();
                    (dir, store)
                }

                async fn reopen(dir: Self::Guard, store: Self::Store) -> (Self::Guard, Self::Store) {
                    drop(store);
                    let store = Embedded::options().durability($durability).open(dir.path().join("dna")).unwrap();
                    (dir, store)
                }
            }

            dna_core::store_conformance!($store);
        }
    };
}

suite!(fsync, Fsync, Durability::Fsync);
suite!(buffered, Buffered, Durability::Buffered);
